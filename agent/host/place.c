#include "agent/host/collect.h"

#include <stdio.h>
#include <stdlib.h>

#include "discovery/match.h"

/* Where the agent runs: virtual machine, container, control groups, isolation. */

/* ---- virtual machine, container ----------------------------------------------------------------
 */

static void collect_virt(gp_host_t *host)
{
    static const struct {
        const char *mark;
        const char *virt;
    } marks[] = {{"KVM", "kvm"},          {"QEMU", "kvm"},
                 {"VMware", "vmware"},    {"VirtualBox", "virtualbox"},
                 {"Microsoft", "hyperv"}, {"Xen", "xen"},
                 {"Amazon EC2", "kvm"},   {"Google Compute Engine", "kvm"},
                 {"OpenStack", "kvm"},    {"Parallels", "parallels"}};
    char text[16384];
    char vendor[128] = "";
    char product[128] = "";
    const char *root = host->config.root;
    bool dmi = gp_host_read(root, "/sys/class/dmi/id/sys_vendor", vendor, sizeof vendor);
    (void)gp_host_read(root, "/sys/class/dmi/id/product_name", product, sizeof product);
    if (!gp_host_read(root, "/proc/cpuinfo", text, sizeof text)) {
        return;
    }
    const char *flags = gp_host_line(text, "flags");
    bool x86 = flags != NULL;
    bool guest = x86 && gp_words_have(gp_slice(flags, strcspn(flags, "\n")), gp_text("hypervisor"));
    if (gp_host_exists(root, "/sys/hypervisor/type")) {
        (void)gp_host_read(root, "/sys/hypervisor/type", text, sizeof text);
        gp_host_set_line(host, GP_ATTR_VIRT, text);
        return;
    }
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        bool marked =
            strstr(vendor, marks[i].mark) != NULL || strstr(product, marks[i].mark) != NULL;
        if (marked && (guest || !x86)) { /* Microsoft sells machines, too */
            gp_host_set_line(host, GP_ATTR_VIRT, marks[i].virt);
            return;
        }
    }
    if (guest) {
        gp_host_set_line(host, GP_ATTR_VIRT, "vm");
    } else if (x86 && dmi) {
        gp_host_set_line(host, GP_ATTR_VIRT, "none");
    }
}

static void collect_container(gp_host_t *host)
{
    static const struct {
        const char *mark;
        const char *container;
    } marks[] = {{"docker", "docker"},
                 {"kubepods", "kubernetes"},
                 {"libpod", "podman"},
                 {"lxc", "lxc"},
                 {"machine.slice", "nspawn"}};
    char text[4096];
    const char *root = host->config.root;
    if (gp_host_read(root, "/run/systemd/container", text, sizeof text)) {
        gp_host_set_line(host, GP_ATTR_CONTAINER, text);
    } else if (gp_host_exists(root, "/run/.containerenv")) {
        gp_host_set_line(host, GP_ATTR_CONTAINER, "podman");
    } else if (gp_host_exists(root, "/.dockerenv")) {
        gp_host_set_line(host, GP_ATTR_CONTAINER, "docker");
    } else if (gp_host_read(root, "/proc/1/cgroup", text, sizeof text)) {
        const char *container = "none";
        for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
            if (strstr(text, marks[i].mark) != NULL) {
                container = marks[i].container;
                break;
            }
        }
        gp_host_set_line(host, GP_ATTR_CONTAINER, container);
    }
}

/* ---- control groups ----------------------------------------------------------------------------
 */

#define CGROUP_PATH_MAX 256

/* The group of this process under a v1 controller, or under v2 (controller ""); false: none. */
static bool cgroup_of(const char *root, const char *controller, char to[CGROUP_PATH_MAX])
{
    char text[8192];
    if (!gp_host_read(root, "/proc/self/cgroup", text, sizeof text)) {
        return false;
    }
    for (char *line = text; line != NULL && *line != '\0';) {
        char *next = strchr(line, '\n');
        if (next != NULL) {
            *next = '\0';
            next += 1;
        }
        char *names = strchr(line, ':');
        char *path = names == NULL ? NULL : strchr(names + 1, ':');
        if (path != NULL) {
            *path = '\0';
            path += 1;
            bool mine = controller[0] == '\0' && strcmp(names, ":") == 0;
            for (char *name = names + 1; *name != '\0' && !mine;) {
                size_t n = strcspn(name, ",");
                mine = n == strlen(controller) && strncmp(name, controller, n) == 0;
                name += n + (name[n] == ',' ? 1 : 0);
            }
            if (mine && strlen(path) < CGROUP_PATH_MAX) {
                (void)snprintf(to, CGROUP_PATH_MAX, "%s", strcmp(path, "/") == 0 ? "" : path);
                return true;
            }
        }
        line = next;
    }
    return false;
}

/* Where v2 is mounted: alone, or beside v1. NULL: nowhere. */
static const char *unified_base(const char *root)
{
    if (gp_host_exists(root, "/sys/fs/cgroup/cgroup.controllers")) {
        return "/sys/fs/cgroup";
    }
    if (gp_host_exists(root, "/sys/fs/cgroup/unified/cgroup.controllers")) {
        return "/sys/fs/cgroup/unified";
    }
    return NULL;
}

/*
 * Whether this process may limit what it starts with this controller: its v2 group hands the
 * controller on and is writable, or its v1 group is writable.
 */
static bool may_limit(const char *root, const char *controller, const char *v1_file)
{
    char group[CGROUP_PATH_MAX];
    char path[GP_HOST_PATH_MAX];
    char text[256];
    const char *base = unified_base(root);
    if (base != NULL && cgroup_of(root, "", group)) {
        (void)snprintf(path, sizeof path, "%s%s/cgroup.controllers", base, group);
        if (gp_host_read(root, path, text, sizeof text) &&
            gp_words_have(gp_text(text), gp_text(controller))) {
            (void)snprintf(path, sizeof path, "%s%s/cgroup.subtree_control", base, group);
            if (gp_host_writable(root, path)) {
                return true;
            }
        }
    }
    if (cgroup_of(root, controller, group)) {
        (void)snprintf(path, sizeof path, "/sys/fs/cgroup/%s%s/%s", controller, group, v1_file);
        if (gp_host_writable(root, path)) {
            return true;
        }
        /* in a namespace of its own the path is not the one that is mounted */
        (void)snprintf(path, sizeof path, "/sys/fs/cgroup/%s/%s", controller, v1_file);
        return gp_host_writable(root, path);
    }
    return false;
}

/* May mount a file system of limited size: CAP_SYS_ADMIN is bit 21 of the effective set. */
static bool may_mount(const char *root)
{
    char text[8192];
    if (!gp_host_read(root, "/proc/self/status", text, sizeof text)) {
        return false;
    }
    const char *caps = gp_host_line(text, "CapEff");
    return caps != NULL && (strtoull(caps, NULL, 16) >> 21 & 1) != 0;
}

/* Without control groups what is left is rlimits: per process, not for a job as a whole. */
static void collect_enforce(gp_host_t *host)
{
    const char *root = host->config.root;
    const struct {
        gp_attr_t attr;
        bool hard;
    } means[] = {
        {GP_ATTR_ENFORCE_MEM, may_limit(root, "memory", "memory.limit_in_bytes")},
        {GP_ATTR_ENFORCE_CPU, may_limit(root, "cpu", "cgroup.procs")},
        {GP_ATTR_ENFORCE_PIDS, may_limit(root, "pids", "cgroup.procs")},
        {GP_ATTR_ENFORCE_DISK, may_mount(root)},
    };
    if (!gp_host_exists(root, "/proc/self/cgroup")) {
        return;
    }
    for (size_t i = 0; i < sizeof means / sizeof means[0]; i++) {
        gp_host_set_line(host, means[i].attr, means[i].hard ? "hard" : "soft");
    }
}

/* Takes the limits of one group into account. */
static void memory_limit(const char *root, const char *group, bool v2, gp_host_cgroup_t *ret)
{
    char path[GP_HOST_PATH_MAX];
    uint64_t limit;
    int n =
        snprintf(path, sizeof path, "%s/%s", group, v2 ? "memory.max" : "memory.limit_in_bytes");
    if (n < 0 || (size_t)n >= sizeof path || !gp_host_read_number(root, path, &limit) ||
        limit >= ret->mem) {
        return; /* "max" is no number: no limit */
    }
    ret->mem = limit;
    (void)snprintf(ret->mem_usage, sizeof ret->mem_usage, "%s/%s", group,
                   v2 ? "memory.current" : "memory.usage_in_bytes");
    (void)snprintf(ret->mem_stat, sizeof ret->mem_stat, "%s/memory.stat", group);
}

static void cpu_limit(const char *root, const char *group, bool v2, gp_host_cgroup_t *ret)
{
    char path[GP_HOST_PATH_MAX];
    char text[64];
    uint64_t quota;
    uint64_t period = 100000;
    int n = snprintf(path, sizeof path, "%s/%s", group, v2 ? "cpu.max" : "cpu.cfs_quota_us");
    const char *at = text;
    if (n < 0 || (size_t)n >= sizeof path || !gp_host_read(root, path, text, sizeof text) ||
        !gp_host_scan(&at, &quota)) {
        return;
    }
    if (v2) {
        (void)gp_host_scan(&at, &period);
    } else {
        (void)snprintf(path, sizeof path, "%s/cpu.cfs_period_us", group);
        (void)gp_host_read_number(root, path, &period);
    }
    if (period > 0 && quota < UINT64_MAX / 1000 && quota * 1000 / period < ret->cpu) {
        ret->cpu = quota * 1000 / period;
    }
}

/* From the group of this process up to the root: the tightest limit counts. */
static void walk_up(const char *root, const char *base, char group[CGROUP_PATH_MAX], bool v2,
                    void (*limit)(const char *, const char *, bool, gp_host_cgroup_t *),
                    gp_host_cgroup_t *ret)
{
    char path[GP_HOST_PATH_MAX];
    for (;;) {
        (void)snprintf(path, sizeof path, "%s%s", base, group);
        limit(root, path, v2, ret);
        char *slash = strrchr(group, '/');
        if (slash == NULL) {
            return;
        }
        *slash = '\0';
    }
}

void gp_host_cgroup_limits(const char *root, gp_host_cgroup_t *ret)
{
    char group[CGROUP_PATH_MAX];
    const char *base = unified_base(root);
    *ret = (gp_host_cgroup_t){.cpu = UINT64_MAX, .mem = UINT64_MAX};
    if (base != NULL && cgroup_of(root, "", group)) {
        walk_up(root, base, group, true, memory_limit, ret);
        if (cgroup_of(root, "", group)) {
            walk_up(root, base, group, true, cpu_limit, ret);
        }
    }
    if (cgroup_of(root, "memory", group)) {
        walk_up(root, "/sys/fs/cgroup/memory", group, false, memory_limit, ret);
    }
    if (cgroup_of(root, "cpu", group)) {
        walk_up(root, "/sys/fs/cgroup/cpu", group, false, cpu_limit, ret);
    }
}

/* ---- isolation ---------------------------------------------------------------------------------
 */

static void collect_isolate(gp_host_t *host)
{
    static const struct {
        const char *path;
        const char *word;
    } means[] = {
        {"/proc/self/ns/cgroup", "cgroup"}, {"/proc/self/ns/ipc", "ipc"},
        {"/proc/self/ns/mnt", "mnt"},       {"/proc/self/ns/net", "net"},
        {"/proc/self/ns/pid", "pid"},       {"/proc/self/ns/time", "time"},
        {"/proc/self/ns/uts", "uts"},       {"/proc/sys/kernel/seccomp/actions_avail", "seccomp"}};
    char text[256] = "";
    char lsm[256];
    size_t used = 0;
    uint64_t most = 0;
    const char *root = host->config.root;
    if (!gp_host_exists(root, "/proc/self/ns")) {
        return;
    }
    for (size_t i = 0; i < sizeof means / sizeof means[0]; i++) {
        if (gp_host_exists(root, means[i].path)) {
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used > 0 ? " " : "",
                                     means[i].word);
        }
    }
    if (gp_host_read_number(root, "/proc/sys/user/max_user_namespaces", &most) && most > 0 &&
        gp_host_exists(root, "/proc/self/ns/user")) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%suser", used > 0 ? " " : "");
    }
    if (gp_host_read(root, "/sys/kernel/security/lsm", lsm, sizeof lsm) &&
        strstr(lsm, "landlock") != NULL) {
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%slandlock", used > 0 ? " " : "");
    }
    gp_records_set_text(host->records, 0, GP_ATTR_ISOLATE, gp_slice(text, used), false);
}

void gp_host_collect_place(gp_host_t *host)
{
    collect_virt(host);
    collect_container(host);
    collect_enforce(host);
    collect_isolate(host);
}
