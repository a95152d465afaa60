#include "agent/host/collect.h"

/* What changes all the time, from files that stay open: no path is walked, nothing is allocated. */

void gp_host_open_moving(gp_host_t *host)
{
    const char *root = host->config.root;
    host->stat = gp_host_file_open(root, "/proc/stat");
    host->meminfo = gp_host_file_open(root, "/proc/meminfo");
    host->loadavg = gp_host_file_open(root, "/proc/loadavg");
    host->uptime = gp_host_file_open(root, "/proc/uptime");
    host->psi_cpu = gp_host_file_open(root, "/proc/pressure/cpu");
    host->psi_mem = gp_host_file_open(root, "/proc/pressure/memory");
    host->psi_io = gp_host_file_open(root, "/proc/pressure/io");
}

void gp_host_close_moving(gp_host_t *host)
{
    gp_host_file_t *const files[] = {&host->stat,    &host->meminfo, &host->loadavg, &host->uptime,
                                     &host->psi_cpu, &host->psi_mem, &host->psi_io};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        gp_host_file_close(files[i]);
    }
}

static void set(gp_host_t *host, gp_attr_t attr, bool known, uint64_t number)
{
    if (known) {
        gp_records_set_number(host->records, 0, attr, number);
    } else {
        gp_records_unset(host->records, 0, attr);
    }
}

/* Ticks since the start: user nice system idle iowait irq softirq steal. */
static bool read_ticks(const gp_host_t *host, uint64_t *ret_total, uint64_t *ret_idle)
{
    char text[256];
    if (!gp_host_file_read(&host->stat, text, sizeof text)) {
        return false;
    }
    const char *at = gp_host_line(text, "cpu ");
    *ret_total = 0;
    *ret_idle = 0;
    for (int i = 0; at != NULL && i < 8; i++) {
        uint64_t ticks;
        if (!gp_host_scan(&at, &ticks)) {
            return i >= 4; /* old kernels tell fewer */
        }
        *ret_total += ticks;
        *ret_idle += i == 3 || i == 4 ? ticks : 0;
    }
    return at != NULL;
}

static void collect_cpu(gp_host_t *host)
{
    uint64_t total;
    uint64_t idle;
    if (!read_ticks(host, &total, &idle)) {
        host->cpu_sampled = false;
        set(host, GP_ATTR_CPU_IDLE, false, 0);
        set(host, GP_ATTR_CPU_FREE, false, 0);
        return;
    }
    bool forward = host->cpu_sampled && total >= host->cpu_total && idle >= host->cpu_idle;
    uint64_t ticks = total - host->cpu_total;
    if (!forward || ticks > 0) { /* the same tick: keep what the last samples told */
        uint64_t share = forward ? (idle - host->cpu_idle) * 1000 / ticks : 0;
        bool cpus = gp_records_knows(host->records, 0, GP_ATTR_CPU);
        uint64_t n = cpus ? gp_records_number(host->records, 0, GP_ATTR_CPU) : 0;
        share = share > 1000 ? 1000 : share;
        set(host, GP_ATTR_CPU_IDLE, forward, share);
        set(host, GP_ATTR_CPU_FREE, forward && cpus, share * n);
    }
    host->cpu_sampled = true;
    host->cpu_total = total;
    host->cpu_idle = idle;
}

static bool read_kib(const char *text, const char *key, uint64_t *ret_bytes)
{
    const char *at = gp_host_line(text, key);
    uint64_t kib;
    if (at == NULL || !gp_host_scan(&at, &kib) || kib > UINT64_MAX / 1024) {
        return false;
    }
    *ret_bytes = kib * 1024;
    return true;
}

/* Room below the limit of the control group: page cache that is not in use counts as free. */
static bool cgroup_free(const gp_host_t *host, uint64_t *ret)
{
    char text[4096];
    uint64_t usage;
    uint64_t cache = 0;
    if (!gp_host_read_number(host->config.root, host->cgroup.mem_usage, &usage)) {
        return false;
    }
    if (gp_host_read(host->config.root, host->cgroup.mem_stat, text, sizeof text)) {
        const char *at = gp_host_line(text, "inactive_file ");
        if (at == NULL || !gp_host_scan(&at, &cache)) {
            cache = 0;
        }
    }
    usage -= cache < usage ? cache : usage;
    *ret = usage < host->cgroup.mem ? host->cgroup.mem - usage : 0;
    return true;
}

static void collect_mem(gp_host_t *host)
{
    char text[4096];
    uint64_t total = 0;
    uint64_t available = 0;
    uint64_t swap = 0;
    uint64_t swap_free = 0;
    (void)gp_host_file_read(&host->meminfo, text, sizeof text);
    bool mem = read_kib(text, "MemTotal", &total);
    bool mem_free = read_kib(text, "MemAvailable", &available);
    bool limited = mem && host->cgroup.mem < total;
    uint64_t room;
    if (limited && cgroup_free(host, &room)) {
        available = mem_free && available < room ? available : room;
        mem_free = true;
    }
    set(host, GP_ATTR_MEM, mem, limited ? host->cgroup.mem : total);
    set(host, GP_ATTR_MEM_FREE, mem_free, available);
    bool has_swap = read_kib(text, "SwapTotal", &swap);
    set(host, GP_ATTR_SWAP, has_swap, swap);
    bool has_swap_free = read_kib(text, "SwapFree", &swap_free);
    set(host, GP_ATTR_SWAP_FREE, has_swap_free, swap_free);
}

static void collect_decimal(gp_host_t *host, gp_attr_t attr, const gp_host_file_t *file,
                            uint64_t scale)
{
    char text[128];
    const char *at = text;
    uint64_t number = 0;
    bool known =
        gp_host_file_read(file, text, sizeof text) && gp_host_scan_decimal(&at, scale, &number);
    set(host, attr, known, number);
}

/* Pressure stall information: "some avg10=1.23 ...", in percent. */
static void collect_psi(gp_host_t *host, gp_attr_t attr, const gp_host_file_t *file)
{
    char text[256];
    uint64_t share = 0;
    bool known = gp_host_file_read(file, text, sizeof text);
    const char *at = known ? gp_host_line(text, "some avg10=") : NULL;
    known = at != NULL && gp_host_scan_decimal(&at, 10, &share);
    set(host, attr, known, share);
}

void gp_host_collect_moving(gp_host_t *host)
{
    collect_cpu(host);
    collect_mem(host);
    collect_decimal(host, GP_ATTR_LOAD_1, &host->loadavg, 1000);
    collect_decimal(host, GP_ATTR_UPTIME, &host->uptime, 1000000);
    collect_psi(host, GP_ATTR_PSI_CPU, &host->psi_cpu);
    collect_psi(host, GP_ATTR_PSI_MEM, &host->psi_mem);
    collect_psi(host, GP_ATTR_PSI_IO, &host->psi_io);
}
