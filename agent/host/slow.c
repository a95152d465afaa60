#include "agent/host/collect.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

/* What changes seldom: processors, disk, network, power, who sits at it, programs. */

static void set(gp_host_t *host, gp_attr_t attr, bool known, uint64_t number)
{
    if (known) {
        gp_records_set_number(host->records, 0, attr, number);
    } else {
        gp_records_unset(host->records, 0, attr);
    }
}

uint32_t gp_host_count_list(const char *list)
{
    uint64_t count = 0;
    const char *at = list;
    do {
        uint64_t from;
        uint64_t to;
        at += *at == ',' ? 1 : 0;
        if (!gp_host_scan(&at, &from)) {
            return 0;
        }
        to = from;
        if (*at == '-') {
            at += 1;
            if (!gp_host_scan(&at, &to) || to < from) {
                return 0;
            }
        }
        count += to - from + 1;
    } while (*at == ',' && count <= UINT32_MAX);
    return count <= UINT32_MAX ? (uint32_t)count : 0;
}

/* Processors that are online, that this process may run on, that its control group grants. */
static void collect_cpus(gp_host_t *host)
{
    char text[256];
    uint64_t n = 0;
    if (gp_host_read(host->config.root, "/sys/devices/system/cpu/online", text, sizeof text)) {
        n = gp_host_count_list(text);
    }
    cpu_set_t allowed;
    if (host->config.root[0] == '\0' && sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        uint64_t mine = (uint64_t)CPU_COUNT(&allowed);
        n = n == 0 || mine < n ? mine : n;
    }
    if (n > 0 && host->cgroup.cpu < n * 1000) {
        n = host->cgroup.cpu < 1000 ? 1 : host->cgroup.cpu / 1000;
    }
    set(host, GP_ATTR_CPU, n > 0, n);
}

static void collect_disk(gp_host_t *host)
{
    struct statvfs fs;
    bool known = statvfs(host->config.work_dir, &fs) == 0 && fs.f_frsize > 0;
    set(host, GP_ATTR_DISK, known, known ? (uint64_t)fs.f_blocks * fs.f_frsize : 0);
    set(host, GP_ATTR_DISK_FREE, known, known ? (uint64_t)fs.f_bavail * fs.f_frsize : 0);
}

/* ---- network -----------------------------------------------------------------------------------
 */

typedef struct fastest {
    const char *root;
    uint64_t mbps;
} fastest_t;

static bool card_speed(void *context, const char *name)
{
    fastest_t *fastest = context;
    char path[GP_HOST_PATH_MAX];
    char up[16];
    uint64_t mbps;
    (void)snprintf(path, sizeof path, "/sys/class/net/%s/operstate", name);
    if (strcmp(name, "lo") == 0 || !gp_host_read(fastest->root, path, up, sizeof up) ||
        strcmp(up, "up") != 0) {
        return true;
    }
    (void)snprintf(path, sizeof path, "/sys/class/net/%s/speed", name);
    if (gp_host_read_number(fastest->root, path, &mbps) && mbps > fastest->mbps &&
        mbps < 100000000) {
        fastest->mbps = mbps;
    }
    return true;
}

/* A line of if_inet6 begins with the address as 32 digits; 2000::/3 is global (RFC 4291). */
static void collect_ipv6(gp_host_t *host)
{
    char text[8192];
    bool known = gp_host_read(host->config.root, "/proc/net/if_inet6", text, sizeof text);
    bool global = false;
    for (const char *line = text; known && line != NULL && *line != '\0';) {
        global = global || *line == '2' || *line == '3';
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
    if (!known && gp_host_exists(host->config.root, "/proc/net/dev")) {
        known = true; /* a kernel without IPv6 */
    }
    set(host, GP_ATTR_NET_IPV6, known, global ? 1 : 0);
}

/* ---- power, terminals --------------------------------------------------------------------------
 */

typedef struct supplies {
    const char *root;
    bool mains;
    bool battery;
} supplies_t;

static bool supply(void *context, const char *name)
{
    supplies_t *supplies = context;
    char path[GP_HOST_PATH_MAX];
    char text[32];
    uint64_t online;
    (void)snprintf(path, sizeof path, "/sys/class/power_supply/%s/type", name);
    if (!gp_host_read(supplies->root, path, text, sizeof text)) {
        return true;
    }
    if (strcmp(text, "Mains") == 0) {
        (void)snprintf(path, sizeof path, "/sys/class/power_supply/%s/online", name);
        supplies->mains =
            supplies->mains || (gp_host_read_number(supplies->root, path, &online) && online == 1);
    } else if (strcmp(text, "Battery") == 0) {
        (void)snprintf(path, sizeof path, "/sys/class/power_supply/%s/status", name);
        supplies->battery =
            supplies->battery || (gp_host_read(supplies->root, path, text, sizeof text) &&
                                  strcmp(text, "Discharging") == 0);
    }
    return true;
}

static void collect_power(gp_host_t *host)
{
    supplies_t supplies = {.root = host->config.root};
    (void)gp_host_list(host->config.root, "/sys/class/power_supply", supply, &supplies);
    if (supplies.mains || supplies.battery) {
        gp_host_set_line(host, GP_ATTR_POWER, supplies.mains ? "ac" : "battery");
    } else {
        gp_records_unset(host->records, 0, GP_ATTR_POWER);
    }
}

typedef struct terminals {
    const char *root;
    const char *directory;
    const char *prefix;
    time_t newest;
} terminals_t;

/* Reading from a terminal, that is typing, moves its access time (as w and finger use it). */
static bool terminal(void *context, const char *name)
{
    terminals_t *terminals = context;
    char path[GP_HOST_PATH_MAX];
    char full[GP_HOST_PATH_MAX];
    struct stat st;
    size_t prefix = strlen(terminals->prefix);
    if (strncmp(name, terminals->prefix, prefix) != 0 || name[prefix] < '0' || name[prefix] > '9') {
        return true;
    }
    (void)snprintf(path, sizeof path, "%s/%s", terminals->directory, name);
    if (gp_host_path(terminals->root, path, full) && stat(full, &st) == 0 &&
        st.st_atime > terminals->newest) {
        terminals->newest = st.st_atime;
    }
    return true;
}

static void collect_user(gp_host_t *host)
{
    terminals_t pts = {.root = host->config.root, .directory = "/dev/pts", .prefix = ""};
    terminals_t tty = {.root = host->config.root, .directory = "/dev", .prefix = "tty"};
    (void)gp_host_list(pts.root, pts.directory, terminal, &pts);
    (void)gp_host_list(tty.root, tty.directory, terminal, &tty);
    time_t newest = pts.newest > tty.newest ? pts.newest : tty.newest;
    time_t now = time(NULL);
    uint64_t idle = newest > 0 && now > newest ? (uint64_t)(now - newest) * GP_SECOND : 0;
    char text[128];
    const char *at = text;
    uint64_t up;
    if (gp_host_file_read(&host->uptime, text, sizeof text) &&
        gp_host_scan_decimal(&at, GP_SECOND, &up) && idle > up) {
        idle = up; /* the time stamp is older than this boot: nobody typed since */
    }
    set(host, GP_ATTR_USER_IDLE, newest > 0, idle);
}

void gp_host_collect_slow(gp_host_t *host)
{
    fastest_t fastest = {.root = host->config.root};
    collect_cpus(host);
    collect_disk(host);
    (void)gp_host_list(host->config.root, "/sys/class/net", card_speed, &fastest);
    set(host, GP_ATTR_NET_MBPS, fastest.mbps > 0, fastest.mbps * GP_MEGA);
    collect_ipv6(host);
    collect_power(host);
    collect_user(host);
}

/* ---- programs ----------------------------------------------------------------------------------
 */

static bool program_there(const char *root, const char *program)
{
    static const char *const directories[] = {"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin",
                                              "/sbin"};
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
        char path[GP_HOST_PATH_MAX];
        char full[GP_HOST_PATH_MAX];
        struct stat st;
        int n = snprintf(path, sizeof path, "%s/%s", directories[i], program);
        if (n > 0 && (size_t)n < sizeof path && gp_host_path(root, path, full) &&
            stat(full, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0) {
            return true;
        }
    }
    return false;
}

static bool is_word(const char *program)
{
    return program[0] != '\0' && strcspn(program, " /\t\n") == strlen(program);
}

void gp_host_collect_programs(gp_host_t *host)
{
    static const char *const usual[] = {
        "apptainer", "awk",    "bash",   "bwrap",       "cargo",  "cc",    "clang",
        "cmake",     "criu",   "curl",   "docker",      "ffmpeg", "g++",   "gcc",
        "gdb",       "git",    "go",     "gzip",        "java",   "julia", "make",
        "meson",     "mpirun", "mysql",  "ninja",       "node",   "npm",   "nvidia-smi",
        "octave",    "perl",   "php",    "pip3",        "podman", "psql",  "python3",
        "qemu-img",  "R",      "rsync",  "ruby",        "rustc",  "sh",    "singularity",
        "sqlite3",   "ssh",    "strace", "systemd-run", "tar",    "tmux",  "wget",
        "xz",        "zstd"};
    size_t usual_count = sizeof usual / sizeof usual[0];
    char text[GP_ATTR_TEXT_MAX];
    size_t used = 0;
    bool cut = false;
    for (size_t i = 0; i < usual_count + host->config.program_count; i++) {
        const char *program = i < usual_count ? usual[i] : host->config.programs[i - usual_count];
        size_t n = strlen(program);
        if (!is_word(program) || !program_there(host->config.root, program)) {
            continue;
        }
        if (used + n + 1 > sizeof text) {
            cut = true;
            break;
        }
        if (used > 0) {
            text[used] = ' ';
            used += 1;
        }
        memcpy(text + used, program, n);
        used += n;
    }
    gp_records_set_text(host->records, 0, GP_ATTR_HAS, gp_slice(text, used), cut);
}
