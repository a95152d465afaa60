#include "agent/host/collect.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

/* What does not change while the kernel runs. */

/* KEY=value or KEY="value" of os-release(5). */
static void os_release(gp_host_t *host, const char *text, const char *key, gp_attr_t attr)
{
    char value[64];
    const char *at = gp_host_line(text, key);
    if (at == NULL) {
        return;
    }
    char quote = *at == '"' || *at == '\'' ? *at : '\n';
    at += quote != '\n' ? 1 : 0;
    size_t n = 0;
    while (at[n] != '\0' && at[n] != quote && at[n] != '\n' && n + 1 < sizeof value) {
        value[n] = at[n];
        n += 1;
    }
    value[n] = '\0';
    gp_host_set_line(host, attr, value);
}

static void collect_system(gp_host_t *host)
{
    char text[4096];
    struct utsname names;
    const char *root = host->config.root;
    if (uname(&names) == 0) {
        gp_host_set_line(host, GP_ATTR_ARCH, names.machine);
    }
    if (gp_host_read(root, "/proc/sys/kernel/osrelease", text, sizeof text)) {
        gp_host_set_line(host, GP_ATTR_KERNEL, text);
    }
    if (gp_host_read(root, "/etc/os-release", text, sizeof text) ||
        gp_host_read(root, "/usr/lib/os-release", text, sizeof text)) {
        os_release(host, text, "ID=", GP_ATTR_OS_ID);
        os_release(host, text, "VERSION_ID=", GP_ATTR_OS_VERSION);
    }
#ifdef __GLIBC__
    gp_host_set_line(host, GP_ATTR_LIBC, gnu_get_libc_version());
#endif
    if (host->config.agent_version != NULL) {
        gp_host_set_line(host, GP_ATTR_VERSION, host->config.agent_version);
    }
}

/* ---- processor ---------------------------------------------------------------------------------
 */

/* Instruction sets are one long line; what does not fit is cut at a word, and told so. */
static void collect_flags(gp_host_t *host, const char *cpuinfo)
{
    const char *flags = gp_host_line(cpuinfo, "flags");
    flags = flags != NULL ? flags : gp_host_line(cpuinfo, "Features");
    if (flags == NULL) {
        return;
    }
    size_t n = strcspn(flags, "\n");
    bool cut = n > GP_ATTR_TEXT_MAX;
    if (cut) {
        n = GP_ATTR_TEXT_MAX;
        while (n > 0 && flags[n] != ' ') {
            n -= 1;
        }
    }
    while (n > 0 && flags[n - 1] == ' ') {
        n -= 1;
    }
    gp_records_set_text(host->records, 0, GP_ATTR_CPU_FLAGS, gp_slice(flags, n), cut);
}

typedef struct sockets {
    const char *root;
    uint64_t seen[64];
    uint32_t count;
} sockets_t;

static bool socket_of(void *context, const char *name)
{
    sockets_t *sockets = context;
    char path[GP_HOST_PATH_MAX];
    uint64_t id;
    if (strncmp(name, "cpu", 3) != 0 || name[3] < '0' || name[3] > '9') {
        return true;
    }
    (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/%s/topology/physical_package_id",
                   name);
    if (!gp_host_read_number(sockets->root, path, &id)) {
        return true;
    }
    for (uint32_t i = 0; i < sockets->count; i++) {
        if (sockets->seen[i] == id) {
            return true;
        }
    }
    sockets->seen[sockets->count] = id;
    sockets->count += 1;
    return sockets->count < sizeof sockets->seen / sizeof sockets->seen[0];
}

static void collect_processor(gp_host_t *host)
{
    char text[16384];
    const char *root = host->config.root;
    uint64_t khz;
    uint64_t hz;
    (void)gp_host_read(root, "/proc/cpuinfo", text, sizeof text);
    const char *model = gp_host_line(text, "model name");
    if (model != NULL) {
        gp_host_set_line(host, GP_ATTR_CPU_MODEL, model);
    }
    collect_flags(host, text);
    const char *mhz = gp_host_line(text, "cpu MHz");
    if (gp_host_read_number(root, "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", &khz)) {
        gp_records_set_number(host->records, 0, GP_ATTR_CPU_MHZ, khz * 1000);
    } else if (mhz != NULL && gp_host_scan_decimal(&mhz, 1000000, &hz)) {
        gp_records_set_number(host->records, 0, GP_ATTR_CPU_MHZ, hz);
    }
    sockets_t sockets = {.root = root};
    if (gp_host_list(root, "/sys/devices/system/cpu", socket_of, &sockets) && sockets.count > 0) {
        gp_records_set_number(host->records, 0, GP_ATTR_CPU_SOCKETS, sockets.count);
    }
}

/* ---- disk --------------------------------------------------------------------------------------
 */

/* The line of mountinfo(5) whose third field is the device; the type follows " - ". */
static void collect_fs(gp_host_t *host, const char *device)
{
    enum { MOUNTS = 65536 };
    char *text = malloc(MOUNTS);
    if (text == NULL || !gp_host_read(host->config.root, "/proc/self/mountinfo", text, MOUNTS)) {
        free(text);
        return;
    }
    for (char *line = text; line != NULL && *line != '\0';) {
        char *next = strchr(line, '\n');
        if (next != NULL) {
            *next = '\0';
            next += 1;
        }
        char mounted[32];
        char type[64];
        const char *dash = strstr(line, " - ");
        if (dash != NULL && sscanf(line, "%*u %*u %31s", mounted) == 1 &&
            strcmp(mounted, device) == 0 && sscanf(dash, " - %63s", type) == 1) {
            gp_host_set_line(host, GP_ATTR_DISK_FS, type);
            break;
        }
        line = next;
    }
    free(text);
}

static void collect_disk(gp_host_t *host)
{
    struct stat st;
    char device[32];
    char path[GP_HOST_PATH_MAX];
    uint64_t rotates;
    if (stat(host->config.work_dir, &st) != 0) {
        return;
    }
    (void)snprintf(device, sizeof device, "%u:%u", major(st.st_dev), minor(st.st_dev));
    collect_fs(host, device);
    (void)snprintf(path, sizeof path, "/sys/dev/block/%s/queue/rotational", device);
    bool known = gp_host_read_number(host->config.root, path, &rotates);
    if (!known) { /* a partition: its disk is the directory above */
        (void)snprintf(path, sizeof path, "/sys/dev/block/%s/../queue/rotational", device);
        known = gp_host_read_number(host->config.root, path, &rotates);
    }
    if (known) {
        gp_host_set_line(host, GP_ATTR_DISK_KIND, rotates != 0 ? "hdd" : "ssd");
    }
}

/* ---- accelerators ------------------------------------------------------------------------------
 */

typedef struct gpus {
    const char *root;
    uint32_t count;
    char model[64];
} gpus_t;

/* PCI class 03 is a display controller; of these only makers of accelerators count. */
static bool pci_device(void *context, const char *name)
{
    gpus_t *gpus = context;
    char path[GP_HOST_PATH_MAX];
    char class[16];
    char vendor[16];
    char device[16];
    (void)snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/class", name);
    if (!gp_host_read(gpus->root, path, class, sizeof class) || strncmp(class, "0x03", 4) != 0) {
        return true;
    }
    (void)snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/vendor", name);
    (void)gp_host_read(gpus->root, path, vendor, sizeof vendor);
    (void)snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/device", name);
    (void)gp_host_read(gpus->root, path, device, sizeof device);
    const char *maker = strcmp(vendor, "0x10de") == 0   ? "nvidia"
                        : strcmp(vendor, "0x1002") == 0 ? "amd"
                        : strcmp(vendor, "0x8086") == 0 ? "intel"
                                                        : NULL;
    if (maker != NULL) {
        if (gpus->count == 0) {
            (void)snprintf(gpus->model, sizeof gpus->model, "%s %s", maker, device);
        }
        gpus->count += 1;
    }
    return true;
}

/* The name that the driver tells is better than the number of the device. */
static bool nvidia_model(void *context, const char *name)
{
    gpus_t *gpus = context;
    char path[GP_HOST_PATH_MAX];
    char text[2048];
    (void)snprintf(path, sizeof path, "/proc/driver/nvidia/gpus/%s/information", name);
    if (!gp_host_read(gpus->root, path, text, sizeof text)) {
        return true;
    }
    const char *model = gp_host_line(text, "Model");
    if (model == NULL) {
        return true;
    }
    size_t n = strcspn(model, "\n");
    n = n < sizeof gpus->model ? n : sizeof gpus->model - 1;
    memcpy(gpus->model, model, n);
    gpus->model[n] = '\0';
    return false;
}

static void collect_gpus(gp_host_t *host)
{
    gpus_t gpus = {.root = host->config.root};
    if (!gp_host_list(gpus.root, "/sys/bus/pci/devices", pci_device, &gpus)) {
        return;
    }
    gp_records_set_number(host->records, 0, GP_ATTR_GPU, gpus.count);
    if (gpus.count > 0) {
        (void)gp_host_list(gpus.root, "/proc/driver/nvidia/gpus", nvidia_model, &gpus);
        gp_host_set_line(host, GP_ATTR_GPU_MODEL, gpus.model);
    }
}

void gp_host_collect_fixed(gp_host_t *host)
{
    collect_system(host);
    collect_processor(host);
    collect_disk(host);
    collect_gpus(host);
}
