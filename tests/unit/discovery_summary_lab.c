#include "discovery_summary_lab.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(array)        (sizeof(array) / sizeof(array)[0])
#define PICK(random, array) (array)[gp_random_below(random, COUNT(array))]

/* What machines run; of x86_64 but the last two. */
static const struct lab_system {
    const char *id;
    const char *version;
    const char *kernel;
    const char *libc;
} systems[] = {
    {"debian", "12", "6.1.0-28-amd64", "2.36"},      {"debian", "13", "6.12.41-amd64", "2.41"},
    {"ubuntu", "24.04", "6.8.0-60-generic", "2.39"}, {"ubuntu", "22.04", "5.15.0-140", "2.35"},
    {"rocky", "9.5", "5.14.0-503.el9", "2.34"},
};

static const char *const archs[] = {"x86_64", "aarch64", "riscv64"};

static bool chance(gp_random_t *random, uint32_t permille)
{
    return gp_random_below(random, 1000) < permille;
}

static lab_kind_t random_kind(gp_random_t *random)
{
    static const uint64_t cpus[] = {2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128};
    static const uint64_t each[] = {1, 2, 4, 8, 16};
    static const uint64_t disks[] = {64, 128, 250, 500, 1000, 2000, 4000, 8000};
    static const uint64_t clocks[] = {2400, 2900, 3300, 3800};
    static const uint64_t speeds[] = {1000, 1000, 10000, 25000};
    lab_kind_t kind = {.cpu = PICK(random, cpus)};
    uint64_t arch = gp_random_below(random, 20);
    kind.arch = arch < 16 ? 0 : (arch < 19 ? 1 : 2);
    kind.mem = kind.cpu * PICK(random, each) * GP_GIB;
    kind.disk = PICK(random, disks) * GP_GIB;
    kind.mhz = PICK(random, clocks);
    kind.mbps = PICK(random, speeds);
    kind.system = (uint32_t)gp_random_below(random, COUNT(systems));
    kind.a100 = chance(random, 40);
    kind.t4 = chance(random, 40);
    kind.infiniband = chance(random, 40);
    kind.licence = chance(random, 40);
    kind.vmx = chance(random, 400);
    kind.avx512f = chance(random, 400);
    kind.nvme = chance(random, 400);
    kind.sgx = chance(random, 400);
    kind.lends = chance(random, 900);
    return kind;
}

/* ---- records --------------------------------------------------------------------------------- */

static void set_text(lab_grid_t *grid, uint32_t lane, gp_attr_t attr, const char *text)
{
    gp_records_set_text(grid->records, lane, attr, gp_text(text), false);
}

static void set_number(lab_grid_t *grid, uint32_t lane, gp_attr_t attr, uint64_t number)
{
    gp_records_set_number(grid->records, lane, attr, number);
}

static void set_system(lab_grid_t *grid, uint32_t lane)
{
    const lab_kind_t *kind = &grid->hosts[lane].kind;
    const struct lab_system *system = &systems[kind->system];
    char text[256];
    (void)snprintf(text, sizeof text, "n%u-%u", grid->number, lane);
    set_text(grid, lane, GP_ATTR_NAME, text);
    (void)snprintf(text, sizeof text, "region%u", grid->number / 20);
    set_text(grid, lane, GP_ATTR_REGION, text);
    set_text(grid, lane, GP_ATTR_VERSION, "0.1.0");
    set_text(grid, lane, GP_ATTR_ARCH, archs[kind->arch]);
    set_text(grid, lane, GP_ATTR_OS_ID, system->id);
    set_text(grid, lane, GP_ATTR_OS_VERSION, system->version);
    set_text(grid, lane, GP_ATTR_KERNEL, system->kernel);
    set_text(grid, lane, GP_ATTR_LIBC, system->libc);
    (void)snprintf(text, sizeof text, "Processor of %u cores at %u MHz", (unsigned)kind->cpu,
                   (unsigned)kind->mhz);
    set_text(grid, lane, GP_ATTR_CPU_MODEL, text);
    (void)snprintf(
        text, sizeof text, "%s%s%s%s",
        kind->arch == 0 ? "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov "
                          "pat mmx fxsr sse sse2 sse4_1 sse4_2 ssse3 popcnt aes avx avx2 "
                          "bmi2 fma f16c rdrand"
                        : "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics",
        kind->vmx ? " vmx" : "", kind->avx512f ? " avx512f avx512bw" : "", kind->sgx ? " sgx" : "");
    set_text(grid, lane, GP_ATTR_CPU_FLAGS, text);
    (void)snprintf(text, sizeof text, "awk bash curl gzip perl python3 sh ssh tar xz%s%s%s",
                   kind->system < 2 ? " gcc make git" : " systemd-run wget",
                   kind->system == 2 ? " docker" : (kind->system == 4 ? " podman" : ""),
                   kind->a100 || kind->t4 ? " nvidia-smi" : "");
    set_text(grid, lane, GP_ATTR_HAS, text);
    (void)snprintf(text, sizeof text, "rack=r%u%s%s%s", grid->number % 40 * 2 + lane / 25,
                   kind->infiniband ? " fabric=infiniband" : "", kind->licence ? " licence=x" : "",
                   kind->nvme ? " disk=nvme" : "");
    set_text(grid, lane, GP_ATTR_TAG, text);
    if (kind->a100 || kind->t4) {
        set_text(grid, lane, GP_ATTR_GPU_MODEL, kind->a100 ? "A100" : "T4");
    }
}

static void set_fixed(lab_grid_t *grid, uint32_t lane)
{
    const lab_kind_t *kind = &grid->hosts[lane].kind;
    set_system(grid, lane);
    set_text(grid, lane, GP_ATTR_DISK_KIND, kind->nvme ? "ssd" : "hdd");
    set_text(grid, lane, GP_ATTR_DISK_FS, kind->system == 4 ? "xfs" : "ext4");
    set_text(grid, lane, GP_ATTR_VIRT, "none");
    set_text(grid, lane, GP_ATTR_CONTAINER, "none");
    set_text(grid, lane, GP_ATTR_ISOLATE, "cgroup ipc mnt net pid time uts seccomp user");
    set_text(grid, lane, GP_ATTR_ENFORCE_MEM, "hard");
    set_text(grid, lane, GP_ATTR_ENFORCE_CPU, "hard");
    set_text(grid, lane, GP_ATTR_ENFORCE_DISK, "soft");
    set_text(grid, lane, GP_ATTR_ENFORCE_PIDS, "hard");
    set_text(grid, lane, GP_ATTR_POWER, "ac");
    set_number(grid, lane, GP_ATTR_CPU, kind->cpu);
    set_number(grid, lane, GP_ATTR_CPU_MHZ, kind->mhz * GP_MEGA);
    set_number(grid, lane, GP_ATTR_CPU_SOCKETS, kind->cpu > 48 ? 2 : 1);
    set_number(grid, lane, GP_ATTR_MEM, kind->mem);
    set_number(grid, lane, GP_ATTR_SWAP, 8 * GP_GIB);
    set_number(grid, lane, GP_ATTR_DISK, kind->disk);
    set_number(grid, lane, GP_ATTR_NET_MBPS, kind->mbps * GP_MEGA);
    set_number(grid, lane, GP_ATTR_NET_IPV6, 1);
    set_number(grid, lane, GP_ATTR_GPU, (kind->a100 ? 1U : 0U) + (kind->t4 ? 1U : 0U));
    set_number(grid, lane, GP_ATTR_LEND_NOW, kind->lends ? 1 : 0);
    set_number(grid, lane, GP_ATTR_LEND_CPU, kind->cpu * 1000);
    set_number(grid, lane, GP_ATTR_LEND_MEM, kind->mem / 2);
    set_number(grid, lane, GP_ATTR_LEND_DISK, kind->disk / 2);
}

static void set_moving(lab_grid_t *grid, uint32_t lane)
{
    const lab_host_t *host = &grid->hosts[lane];
    uint64_t busy = 1000 - host->idle;
    set_number(grid, lane, GP_ATTR_UPTIME, (1 + lane) * 7200 * GP_SECOND);
    set_number(grid, lane, GP_ATTR_CPU_FREE, host->kind.cpu * host->idle);
    set_number(grid, lane, GP_ATTR_CPU_IDLE, host->idle);
    set_number(grid, lane, GP_ATTR_LOAD_1, host->load);
    set_number(grid, lane, GP_ATTR_PSI_CPU, busy / 20);
    set_number(grid, lane, GP_ATTR_PSI_MEM, busy / 100);
    set_number(grid, lane, GP_ATTR_PSI_IO, busy / 50);
    set_number(grid, lane, GP_ATTR_MEM_FREE, host->mem_free);
    set_number(grid, lane, GP_ATTR_SWAP_FREE, 8 * GP_GIB - busy * 4 * GP_MIB);
    set_number(grid, lane, GP_ATTR_DISK_FREE, host->disk_free);
    set_number(grid, lane, GP_ATTR_USER_IDLE, (host->idle + lane) * 60 * GP_SECOND);
}

/* ---- sub-Grids ------------------------------------------------------------------------------- */

void lab_grid_init(lab_grid_t *grid, uint32_t number, uint32_t mixed, gp_random_t *random)
{
    static const uint32_t kind_counts[] = {1, 2, 2, 3, 4};
    lab_kind_t kinds[LAB_KINDS];
    uint32_t kind_count = PICK(random, kind_counts);
    void *memory = malloc(gp_records_size(GP_LANES_MAX, GP_RECORD_POOL));
    if (memory == NULL) {
        abort();
    }
    *grid = (lab_grid_t){.number = number, .host_count = LAB_HOSTS};
    grid->records = gp_records_init(memory, GP_LANES_MAX, GP_RECORD_POOL);
    for (uint32_t i = 0; i < kind_count; i++) {
        kinds[i] = random_kind(random);
    }
    for (uint32_t lane = 0; lane < grid->host_count; lane++) {
        lab_host_t *host = &grid->hosts[lane];
        host->kind = chance(random, mixed) ? random_kind(random)
                                           : kinds[gp_random_below(random, kind_count)];
        host->mem_free = host->kind.mem / 1000 * (200 + gp_random_below(random, 800));
        host->disk_free = host->kind.disk / 1000 * (100 + gp_random_below(random, 900));
        host->idle = gp_random_below(random, 1001);
        host->load = host->kind.cpu * (1000 - host->idle);
        set_fixed(grid, lane);
        set_moving(grid, lane);
    }
}

void lab_grid_free(lab_grid_t *grid)
{
    free(grid->records);
    grid->records = NULL;
}

uint64_t lab_grid_lanes(const lab_grid_t *grid)
{
    return grid->host_count == 64 ? UINT64_MAX : (UINT64_C(1) << grid->host_count) - 1;
}

static uint64_t moved(uint64_t number, uint32_t permille, gp_random_t *random)
{
    uint64_t up = gp_random_below(random, 2 * permille + 1);
    return number / 1000 * (1000 - permille + up);
}

void lab_grid_move(lab_grid_t *grid, uint32_t permille, gp_random_t *random)
{
    for (uint32_t lane = 0; lane < grid->host_count; lane++) {
        lab_host_t *host = &grid->hosts[lane];
        lab_host_t was = *host;
        uint64_t idle = moved(host->idle * 1000, permille, random) / 1000;
        host->idle = idle < 1000 ? idle : 1000;
        host->load = moved(host->load * 1000, permille, random) / 1000;
        host->mem_free = moved(host->mem_free, permille, random);
        host->disk_free = moved(host->disk_free, permille / 10, random);
        set_moving(grid, lane);
        *host = was; /* around what it was: moves do not add up */
    }
}

/* ---- queries --------------------------------------------------------------------------------- */

static void add(char text[GP_QUERY_MAX], const char *condition)
{
    size_t n = strlen(text);
    (void)snprintf(text + n, GP_QUERY_MAX - n, "%s%s", n > 0 ? " and " : "", condition);
}

static void add_number(char text[GP_QUERY_MAX], const char *name, uint64_t number, const char *unit)
{
    char condition[64];
    (void)snprintf(condition, sizeof condition, "%s >= %u%s", name, (unsigned)number, unit);
    add(text, condition);
}

void lab_query(gp_random_t *random, bool wide, char text[GP_QUERY_MAX])
{
    static const uint64_t disks[] = {0, 0, 10, 50, 100, 500, 1000, 2000};
    static const uint64_t counts[] = {0, 0, 0, 1, 1, 2};
    static const uint64_t idles[] = {0, 0, 25, 50, 75};
    static const char *const words[] = {
        "gpu.model == A100",   "gpu.model == T4",         "tag.fabric == infiniband",
        "tag.licence == x",    "cpu.flags has vmx",       "cpu.flags has avx512f",
        "tag has 'disk=nvme'", "cpu.flags has {sgx,aes}",
    };
    static const char *const others[] = {
        "load.1 < 1",
        "load.1 < 4",
        "os.id in {debian, ubuntu}",
        "kernel >= 6.1",
        "has {gcc, make}",
        "has docker",
        "not gpu",
        "gpu",
        "virt == none",
        "lend.now",
        "cpu.free >= 8",
        "mem >= 64GiB",
        "net.mbps >= 10000",
        "tag.rack == r7",
        "os.version ~= 24.04",
        "mem.free >= lend.mem",
        "disk.kind == ssd",
        "not (load.1 > 8 or psi.cpu > 20%)",
    };
    text[0] = '\0';
    add_number(text, "cpu", UINT64_C(1) << gp_random_below(random, 7), "");
    add_number(text, "mem.free", UINT64_C(1) << gp_random_below(random, 10), "GiB");
    uint64_t disk = PICK(random, disks);
    uint64_t arch = gp_random_below(random, 20);
    uint64_t asked = PICK(random, counts);
    uint64_t idle = PICK(random, idles);
    if (disk > 0) {
        add_number(text, "disk.free", disk, "GiB");
    }
    add(text, arch < 16 ? "arch == x86_64" : (arch < 19 ? "arch == aarch64" : "arch == riscv64"));
    for (uint64_t i = 0, first = gp_random_below(random, COUNT(words)); i < asked; i++) {
        add(text,
            words[(first + i * (1 + gp_random_below(random, COUNT(words) - 1))) % COUNT(words)]);
    }
    if (idle > 0) {
        add_number(text, "cpu.idle", idle, "%");
    }
    for (uint32_t i = 0; i < (wide ? 2 : 0); i++) {
        add(text, PICK(random, others));
    }
}

void lab_ask(const lab_grid_t *grids, const gp_summary_t *summaries, uint32_t count,
             const gp_query_t *query, lab_tally_t tallies[2])
{
    lab_tally_t one = {.queries = 1};
    for (uint32_t g = 0; g < count; g++) {
        bool may = gp_summary_may_match(&summaries[g], query);
        bool match = gp_query_eval(query, grids[g].records, lab_grid_lanes(&grids[g])) != 0;
        one.asked += may ? 1 : 0;
        one.matched += match ? 1 : 0;
        one.lost += match && !may ? 1 : 0;
    }
    bool rare = one.matched > 0 && one.matched * 100 <= (uint64_t)count * 3;
    for (int i = 0; i <= (rare ? LAB_RARE : LAB_ALL); i++) {
        tallies[i].queries += one.queries;
        tallies[i].asked += one.asked;
        tallies[i].matched += one.matched;
        tallies[i].lost += one.lost;
    }
}
