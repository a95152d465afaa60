/*
 * A simulated grid of many machines: memory, events, and what a plain member and a super-peer send
 * and take a second, as one line of JSON. See README.md, "scale".
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent/lab/world.h"
#include "election/election.h"
#include "proto/random.h"

#define COME_BACK (30 * GP_SECOND) /* another machine comes in place of one that went */

typedef struct options {
    uint32_t regions, subgrids, size;
    uint32_t minutes;
    uint32_t churn; /* of a hundred machines an hour */
    uint32_t rest;  /* seconds of calm; 0: none rests */
    uint32_t start; /* seconds over which sub-Grids begin */
    uint64_t seed;
} options_t;

typedef struct run {
    options_t options;
    gp_world_t *world;
    uint32_t nodes;
    gp_random_t random;
    gp_usec_t *back_at; /* by machine: when another comes in its place; 0: it is there */
    uint32_t went;
    uint32_t spared; /* blows that would have hit a super-peer whose seat nobody could take */
    uint32_t most_awake;
} run_t;

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static long status_kib(const char *name)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            kib = strtol(line + strlen(name) + 1, NULL, 10);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kib;
}

static void tell(void *context, const char *line)
{
    (void)context;
    (void)fprintf(stderr, "  %s\n", line);
}

static void go(run_t *run, gp_usec_t us)
{
    if (!gp_world_run(run->world, gp_world_now(run->world) + us)) {
        (void)fprintf(stderr, "violated: %s\n", gp_world_violation(run->world));
        exit(3);
    }
    uint32_t awake = gp_world_awake(run->world);
    run->most_awake = awake > run->most_awake ? awake : run->most_awake;
}

static void start(run_t *run, uint32_t node)
{
    if (gp_world_peer(run->world, node) == NULL) {
        gp_world_start(run->world, node);
    }
}

/* The first machines of all regions, then sub-Grid after sub-Grid, each with its first one. */
static void come_up(run_t *run)
{
    const uint32_t size = run->options.size;
    const uint32_t parts = run->nodes / size;
    const gp_usec_t step = run->options.start * GP_SECOND / parts + 1;
    for (uint32_t region = 0; region < run->options.regions; region++) {
        start(run, region * run->options.subgrids * size);
        go(run, region == 0 ? 2 * GP_SECOND : 20 * GP_MSEC);
    }
    go(run, 3 * GP_SECOND);
    uint32_t founded = 0;
    uint32_t filled = 0;
    for (gp_usec_t at = 0; filled < parts; at += step) {
        if (founded < parts) {
            start(run, founded++ * size);
        }
        for (uint32_t i = 1; at >= 2 * GP_SECOND && filled < founded && i < size; i++) {
            start(run, filled * size + i);
        }
        filled += at >= 2 * GP_SECOND && filled < founded ? 1 : 0;
        go(run, step);
    }
}

static bool all_rest(const run_t *run)
{
    for (uint32_t i = 0; i < run->nodes; i += run->options.size) {
        if (!gp_world_rests(run->world, i)) {
            return false;
        }
    }
    return true;
}

static bool all_agree(run_t *run, bool aloud)
{
    char why[256] = "";
    for (uint32_t region = 0; region < gp_world_groups(run->world); region++) {
        if (!gp_world_agrees(run->world, region, why, sizeof why)) {
            if (aloud) {
                (void)fprintf(stderr, "region %u: %s\n", region, why);
            }
            return false;
        }
    }
    return true;
}

static void settle(run_t *run)
{
    gp_usec_t limit = gp_world_now(run->world) + 300 * GP_SECOND;
    while (!all_agree(run, false) || (run->options.rest > 0 && !all_rest(run))) {
        if (gp_world_now(run->world) > limit) {
            (void)all_agree(run, true);
            gp_world_explain(run->world, 0, tell, NULL);
            exit(1);
        }
        go(run, GP_SECOND);
    }
}

static bool sits_above(const run_t *run, uint32_t node)
{
    const void *peer = gp_world_peer(run->world, node);
    return peer != NULL && gp_peer_seat_group(peer, GP_SEAT_REGION) != NULL;
}

static void strike(run_t *run)
{
    uint32_t node = (uint32_t)gp_random_below(&run->random, run->nodes);
    bool wipe = gp_random_below(&run->random, 2) == 0;
    if (!gp_world_alive(run->world, node) || run->back_at[node] != 0) {
        return;
    }
    if (sits_above(run, node)) {
        run->spared++;
        return;
    }
    if (wipe) {
        gp_world_crash(run->world, node, true);
    } else {
        gp_world_leave(run->world, node, true);
    }
    run->back_at[node] = gp_world_now(run->world) + COME_BACK;
    run->went++;
}

static void bring_back(run_t *run)
{
    for (uint32_t i = 0; i < run->nodes; i++) {
        if (run->back_at[i] != 0 && run->back_at[i] <= gp_world_now(run->world)) {
            start(run, i);
            run->back_at[i] = gp_world_alive(run->world, i) ? 0 : run->back_at[i];
        }
    }
}

/* Blows at random, so many of a hundred machines an hour. */
static void suffer(run_t *run, gp_usec_t until)
{
    double mean = run->options.churn > 0 ? 3600e6 * 100 / run->options.churn / run->nodes : 1e18;
    double next = (double)gp_world_now(run->world);
    while (gp_world_now(run->world) < until) {
        double luck = ((double)gp_random_below(&run->random, 1U << 30) + 1) / (1U << 30);
        next += -log(luck) * mean;
        while (gp_world_now(run->world) < until && (double)gp_world_now(run->world) < next) {
            double left = next - (double)gp_world_now(run->world);
            go(run, left < 1e6 ? (gp_usec_t)left + 1 : GP_SECOND);
            bring_back(run);
        }
        if (gp_world_now(run->world) < until) {
            strike(run);
        }
    }
}

/* ---- what was measured ----------------------------------------------------------------------- */

typedef struct sample {
    double messages, bytes, beyond_messages, beyond_bytes;
} sample_t;

static int by_bytes(const void *a, const void *b)
{
    const sample_t *x = a, *y = b;
    double left = x->bytes + x->beyond_bytes, right = y->bytes + y->beyond_bytes;
    return left < right ? -1 : left > right;
}

static bool leads_region(const run_t *run, uint32_t node)
{
    const void *peer = gp_world_peer(run->world, node);
    const void *election = peer != NULL ? gp_peer_seat_election(peer, GP_SEAT_REGION) : NULL;
    gp_id_t leader = election != NULL ? gp_election_leader(election) : (gp_id_t){{0}};
    return election != NULL && gp_world_node(run->world, &leader) == node;
}

static bool leads_subgrid(const run_t *run, uint32_t node)
{
    const void *peer = gp_world_peer(run->world, node);
    gp_id_t leader = peer != NULL ? gp_election_leader(gp_peer_election(peer)) : (gp_id_t){{0}};
    return peer != NULL && gp_world_node(run->world, &leader) == node;
}

static void print_role(const char *role, sample_t *samples, uint32_t count)
{
    if (count == 0) {
        return;
    }
    qsort(samples, count, sizeof *samples, by_bytes);
    const sample_t *s = &samples[count / 2];
    (void)printf(", \"%s\": {\"count\": %u, \"messages_s\": %.2f, \"bytes_s\": %.0f, "
                 "\"above_messages_s\": %.2f, \"above_bytes_s\": %.0f, \"greatest_bytes_s\": %.0f}",
                 role, count, s->messages, s->bytes, s->beyond_messages, s->beyond_bytes,
                 samples[count - 1].bytes + samples[count - 1].beyond_bytes);
}

typedef struct mark {
    gp_world_traffic_t traffic;
    gp_usec_t rested;
} mark_t;

static void print_roles(const run_t *run, const mark_t *before, gp_usec_t from)
{
    sample_t *samples[3];
    uint32_t counts[3] = {0};
    const char *const names[] = {"member", "super_peer", "region_peer"};
    for (int role = 0; role < 3; role++) {
        samples[role] = calloc(run->nodes, sizeof(sample_t));
    }
    double all = (double)(gp_world_now(run->world) - from) / 1e6;
    for (uint32_t i = 0; i < run->nodes; i++) {
        gp_world_traffic_t now = gp_world_traffic(run->world, i);
        double awake = all - (double)(gp_world_rested(run->world, i) - before[i].rested) / 1e6;
        bool sits = sits_above(run, i);
        int role = leads_region(run, i) ? 2 : leads_subgrid(run, i) ? 1 : 0;
        if (awake < 5 || run->back_at[i] != 0 || (sits && role == 0)) {
            continue;
        }
        samples[role][counts[role]++] =
            (sample_t){(double)(now.messages[0] - before[i].traffic.messages[0]) / awake,
                       (double)(now.bytes[0] - before[i].traffic.bytes[0]) / awake,
                       (double)(now.messages[1] - before[i].traffic.messages[1]) / all,
                       (double)(now.bytes[1] - before[i].traffic.bytes[1]) / all};
    }
    for (int role = 0; role < 3; role++) {
        print_role(names[role], samples[role], counts[role]);
        free(samples[role]);
    }
}

static void measure(run_t *run)
{
    double began = seconds();
    come_up(run);
    settle(run);
    double formed = seconds();
    gp_usec_t from = gp_world_now(run->world);
    gp_world_stats_t then = *gp_world_stats(run->world);
    mark_t *before = calloc(run->nodes, sizeof *before);
    for (uint32_t i = 0; i < run->nodes; i++) {
        before[i] = (mark_t){gp_world_traffic(run->world, i), gp_world_rested(run->world, i)};
    }
    long formed_kib = status_kib("VmRSS");
    suffer(run, from + run->options.minutes * 60 * GP_SECOND);
    double ended = seconds();
    const gp_world_stats_t *now = gp_world_stats(run->world);
    double hours = (double)(gp_world_now(run->world) - from) / 3600e6 * run->nodes;
    gp_usec_t rested = 0;
    for (uint32_t i = 0; i < run->nodes; i++) {
        rested += gp_world_rested(run->world, i) - before[i].rested;
    }
    (void)printf("{\"nodes\": %u, \"regions\": %u, \"subgrids\": %u, \"size\": %u, "
                 "\"minutes\": %u, \"churn\": %u, \"rest_s\": %u, \"seed\": %" PRIu64,
                 run->nodes, run->options.regions, run->options.subgrids, run->options.size,
                 run->options.minutes, run->options.churn, run->options.rest, run->options.seed);
    (void)printf(", \"formed_grid_s\": %.1f, \"formed_cpu_s\": %.1f, \"cpu_s\": %.1f, "
                 "\"events\": %" PRIu64 ", \"messages\": %" PRIu64 ", \"bytes\": %" PRIu64,
                 (double)from / 1e6, formed - began, ended - formed, now->events - then.events,
                 now->messages - then.messages, now->bytes - then.bytes);
    (void)printf(", \"went\": %u, \"spared\": %u, \"rests\": %" PRIu64 ", \"most_awake\": %u, "
                 "\"machine_hours\": %.1f, \"rested_hours\": %.1f, \"formed_kib_node\": %.1f, "
                 "\"peak_kib_node\": %.1f",
                 run->went, run->spared, now->rests - then.rests, run->most_awake, hours,
                 (double)rested / 3600e6, (double)formed_kib / run->nodes,
                 (double)status_kib("VmHWM") / run->nodes);
    print_roles(run, before, from);
    free(before);
    settle(run);
    (void)printf(", \"agreed_after_s\": %.0f, \"trace_hash\": \"%016" PRIx64 "\"}\n",
                 (double)gp_world_now(run->world) / 1e6 - (double)from / 1e6 -
                     60.0 * run->options.minutes,
                 gp_world_trace_hash(run->world));
}

static uint32_t option(int argc, char **argv, const char *name, uint32_t otherwise)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], name) == 0) {
            return (uint32_t)strtoul(argv[i + 1], NULL, 10);
        }
    }
    return otherwise;
}

int main(int argc, char **argv)
{
    run_t run = {.options = {.regions = option(argc, argv, "--regions", 1),
                             .subgrids = option(argc, argv, "--subgrids", 2),
                             .size = option(argc, argv, "--size", 50),
                             .minutes = option(argc, argv, "--minutes", 5),
                             .churn = option(argc, argv, "--churn", 0),
                             .rest = option(argc, argv, "--rest", 0),
                             .start = option(argc, argv, "--start", 10),
                             .seed = option(argc, argv, "--seed", 1)}};
    gp_world_config_t config;
    gp_world_defaults(&config);
    run.nodes = run.options.regions * run.options.subgrids * run.options.size;
    config.nodes = run.nodes;
    config.subgrid_size = run.options.size;
    config.subgrids = run.options.subgrids;
    config.group_size = run.options.subgrids * run.options.size;
    config.tiers = true;
    config.seed = run.options.seed;
    config.check_every = run.nodes > 1000 ? 64 : 16;
    config.rest_after = run.options.rest * GP_SECOND;
    gp_random_init(&run.random, run.options.seed ^ UINT64_C(0x7363616c65));
    run.world = gp_world_new(&config);
    run.back_at = calloc(run.nodes, sizeof *run.back_at);
    if (run.world == NULL || run.back_at == NULL) {
        (void)fprintf(stderr, "no such world\n");
        return 64;
    }
    measure(&run);
    gp_world_free(run.world);
    free(run.back_at);
    return 0;
}
