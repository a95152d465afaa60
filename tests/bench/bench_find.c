/*
 * How long the super-peer takes for a find: parse, evaluate, rank, answer, over 64 records and over
 * an index of 10,000. Prints one JSON document; nothing here passes or fails.
 *
 *   bench_find [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "discovery/discovery.h"
#include "proto/random.h"

#define GROUP  1
#define ROUNDS 2000

typedef struct bench {
    void *core;
    gp_out_t out;
    gp_usec_t now;
    gp_id_t self;
    uint32_t members;
} bench_t;

static const char *const queries[] = {
    "cpu >= 8",
    "cpu >= 8 and mem.free >= 16GiB and arch == x86_64",
    "cpu >= 8 and mem.free >= 16GiB and arch == x86_64 and load.1 < 2 and has {gcc, python3}",
    "(os.id == debian or kernel ~= 6.1) and cpu.flags has avx2 and not gpu",
    "name like n12*",
};
#define QUERIES (sizeof queries / sizeof queries[0])

static double microseconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static gp_id_t id_of(uint32_t n)
{
    gp_id_t id = {{0}};
    uint64_t mixed = gp_hash(&n, sizeof n, 1);
    memcpy(id.b, &mixed, sizeof mixed);
    memcpy(id.b + 8, &n, sizeof n);
    id.b[31] = 1;
    return id;
}

static void step(bench_t *bench, gp_event_type_t type, const gp_id_t *from, const gp_msg_t *msg)
{
    const gp_event_t event = {
        .type = type, .now = bench->now, .peer = from == NULL ? bench->self : *from, .msg = msg};
    gp_out_reset(&bench->out);
    gp_discovery_ops.step(bench->core, &event, &bench->out);
}

static void lead(bench_t *bench)
{
    static gp_msg_t msg;
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_LEADER};
    msg.u.discovery_leader.leader = bench->self;
    msg.u.discovery_leader.term = 1;
    msg.u.discovery_leader.right = GP_RIGHT_QUORUM;
    msg.u.discovery_leader.lease_until = GP_NEVER;
    step(bench, GP_EVENT_COMMAND, NULL, &msg);
}

static uint32_t put(gp_record_attr_t *attrs, uint32_t n, gp_attr_t attr, uint64_t number,
                    const char *text)
{
    attrs[n] = (gp_record_attr_t){.attr = (uint16_t)attr,
                                  .number = number,
                                  .text = text == NULL ? (gp_slice_t){0} : gp_text(text)};
    return n + 1;
}

/* A machine of a mixed grid: a third of them aarch64, a tenth with an accelerator. */
static void fill(gp_random_t *random, gp_msg_record_t *record)
{
    static const char *const archs[] = {"x86_64", "x86_64", "aarch64"};
    static const char *const oss[] = {"debian", "ubuntu", "fedora"};
    static const char *const kernels[] = {"5.10.0-30", "6.1.0-13-amd64", "6.8.0", "6.18.44"};
    static const char *const flags[] = {
        "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat sse sse2 avx avx2 aes",
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics"};
    static const char *const has[] = {"bash gcc make perl python3 sh tar", "bash sh tar",
                                      "bash docker python3 sh tar xz"};
    gp_record_attr_t *a = record->attrs;
    uint32_t n = 0;
    uint64_t cpu = UINT64_C(1) << gp_random_below(random, 8);
    uint64_t mem = (UINT64_C(1) << gp_random_below(random, 8)) * 2 * GP_GIB;
    n = put(a, n, GP_ATTR_CPU, cpu, NULL);
    n = put(a, n, GP_ATTR_MEM, mem, NULL);
    n = put(a, n, GP_ATTR_MEM_FREE, gp_random_below(random, mem), NULL);
    n = put(a, n, GP_ATTR_CPU_FREE, gp_random_below(random, cpu * 1000), NULL);
    n = put(a, n, GP_ATTR_LOAD_1, gp_random_below(random, cpu * 1000), NULL);
    n = put(a, n, GP_ATTR_GPU, gp_random_below(random, 10) == 0 ? 1 : 0, NULL);
    uint64_t arch = gp_random_below(random, 3);
    n = put(a, n, GP_ATTR_ARCH, 0, archs[arch]);
    n = put(a, n, GP_ATTR_OS_ID, 0, oss[gp_random_below(random, 3)]);
    n = put(a, n, GP_ATTR_KERNEL, 0, kernels[gp_random_below(random, 4)]);
    n = put(a, n, GP_ATTR_CPU_FLAGS, 0, flags[arch == 2 ? 1 : 0]);
    n = put(a, n, GP_ATTR_HAS, 0, has[gp_random_below(random, 3)]);
    record->attrs_count = n;
}

static void populate(bench_t *bench)
{
    static gp_msg_t msg;
    gp_random_t random;
    gp_random_init(&random, 42);
    for (uint32_t i = 1; i < bench->members; i++) {
        char name[16];
        gp_id_t id = id_of(i);
        (void)snprintf(name, sizeof name, "n%u", i);
        msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_MEMBER};
        msg.u.discovery_member.entries_count = 1;
        msg.u.discovery_member.entries[0] = (gp_record_member_t){
            .id = id, .incarnation = 1, .state = GP_MEMBER_ALIVE, .name = gp_text(name)};
        step(bench, GP_EVENT_COMMAND, NULL, &msg);
        memset(&msg, 0, gp_msg_size(GP_MSG_RECORD));
        msg.kind = GP_MSG_RECORD;
        msg.u.record.group = GROUP;
        msg.u.record.version = 1;
        msg.u.record.whole = true;
        fill(&random, &msg.u.record);
        step(bench, GP_EVENT_MSG, &id, &msg);
    }
}

static void open_bench(bench_t *bench, uint32_t members)
{
    const gp_discovery_config_t config = {.group = GROUP,
                                          .incarnation = 1,
                                          .members_max = members,
                                          .pool_bytes = 512,
                                          .name = gp_text("n0"),
                                          .region = gp_text("lab")};
    *bench = (bench_t){.now = GP_SECOND, .self = id_of(0), .members = members};
    bench->core = malloc(gp_discovery_ops.size(&config));
    bench->out = (gp_out_t){.actions = malloc(GP_ACTIONS_MAX * sizeof(gp_action_t)),
                            .capacity = GP_ACTIONS_MAX,
                            .arena = malloc(GP_ARENA_BYTES),
                            .size = GP_ARENA_BYTES,
                            .room = GP_ROOM_DISCOVERY};
    if (bench->core == NULL || bench->out.actions == NULL || bench->out.arena == NULL) {
        exit(1);
    }
    gp_discovery_ops.init(bench->core, &config, bench->self, 1);
    lead(bench);
    populate(bench);
    bench->now += GP_SECOND; /* nobody is waited for any more */
}

static void close_bench(bench_t *bench)
{
    free(bench->core);
    free(bench->out.actions);
    free(bench->out.arena);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : (x > y ? 1 : 0);
}

static void print_times(const char *what, double *times, uint32_t n, const char *end)
{
    qsort(times, n, sizeof times[0], compare_doubles);
    printf("\"%s\":{\"p50_us\":%.2f,\"p99_us\":%.2f,\"max_us\":%.2f}%s", what, times[n / 2],
           times[n - 1 - n / 100], times[n - 1], end);
}

static void bench_query(bench_t *bench, const char *query, uint32_t rounds, bool last)
{
    static gp_msg_t msg;
    double *times = malloc(rounds * sizeof *times);
    gp_id_t asker = id_of(1);
    const gp_msg_found_t *found = NULL;
    if (times == NULL) {
        exit(1);
    }
    msg = (gp_msg_t){.kind = GP_MSG_FIND};
    msg.u.find.group = GROUP;
    msg.u.find.query = gp_text(query);
    msg.u.find.limit = 3;
    for (uint32_t i = 0; i < rounds; i++) {
        double before = microseconds();
        step(bench, GP_EVENT_MSG, &asker, &msg);
        times[i] = microseconds() - before;
        found = &bench->out.actions[0].msg->u.found;
    }
    printf("    {\"query\":\"%s\",\"considered\":%u,\"matched\":%u,", query, found->considered,
           found->matched);
    print_times("find", times, rounds, last ? "}\n" : "},\n");
    free(times);
}

static void bench_compile(uint32_t rounds)
{
    static gp_query_t query;
    gp_query_error_t error;
    double *times = malloc(rounds * sizeof *times);
    if (times == NULL) {
        exit(1);
    }
    for (uint32_t i = 0; i < rounds; i++) {
        double before = microseconds();
        (void)!gp_query_compile(gp_text(queries[i % QUERIES]), &query, &error);
        times[i] = microseconds() - before;
    }
    print_times("compile", times, rounds, ",\n");
    free(times);
}

static void bench_update(bench_t *bench, uint32_t rounds)
{
    static gp_msg_t msg;
    double *times = malloc(rounds * sizeof *times);
    if (times == NULL) {
        exit(1);
    }
    for (uint32_t i = 0; i < rounds; i++) {
        gp_id_t id = id_of(1 + i % (bench->members - 1));
        memset(&msg, 0, gp_msg_size(GP_MSG_RECORD));
        msg.kind = GP_MSG_RECORD;
        msg.u.record.group = GROUP;
        msg.u.record.version = 2 + i / (bench->members - 1);
        msg.u.record.attrs_count = 1;
        msg.u.record.attrs[0] = (gp_record_attr_t){.attr = GP_ATTR_LOAD_1, .number = i};
        double before = microseconds();
        step(bench, GP_EVENT_MSG, &id, &msg);
        times[i] = microseconds() - before;
    }
    print_times("update", times, rounds, ",\n");
    free(times);
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {GP_MEMBERS_MAX, 10000};
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : ROUNDS;
    if (rounds < 1 || rounds > 10000000) {
        fprintf(stderr, "usage: bench_find [ROUNDS]\n");
        return 64;
    }
    printf("{\"schema\":\"gridpeer/v1\",\"kind\":\"bench_find\",\"rounds\":%lu,\n", rounds);
    bench_compile((uint32_t)rounds);
    printf("\"items\":[\n");
    for (size_t s = 0; s < 2; s++) {
        bench_t bench;
        open_bench(&bench, sizes[s]);
        printf(" {\"records\":%u,", sizes[s]);
        bench_update(&bench, (uint32_t)rounds);
        printf("  \"queries\":[\n");
        for (size_t q = 0; q < QUERIES; q++) {
            bench_query(&bench, queries[q], (uint32_t)rounds, q + 1 == QUERIES);
        }
        printf("  ]}%s\n", s == 0 ? "," : "");
        close_bench(&bench);
    }
    printf("]}\n");
    return 0;
}
