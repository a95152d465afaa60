/*
 * How well summaries route queries: SUBGRIDS sub-Grids of 50 machines and QUERIES queries, against
 * what the evaluator finds in the records. Prints one JSON document; nothing here passes or fails.
 *
 *   bench_summary [SUBGRIDS [QUERIES [SEED [MIXED]]]]
 *
 * MIXED: per mille of machines that are of a kind of their own. precision: of the sub-Grids asked,
 * how many had a match; rare: over queries that at most 3 % of the sub-Grids can answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/discovery_summary_lab.h"

#define MOVES 20

static double nanoseconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void *room(size_t n, size_t size)
{
    void *memory = calloc(n, size);
    if (memory == NULL) {
        exit(1);
    }
    return memory;
}

static void print_tally(const char *what, const lab_tally_t *t)
{
    double asked = t->asked > 0 ? (double)t->asked : 1;
    double matched = t->matched > 0 ? (double)t->matched : 1;
    double queries = t->queries > 0 ? (double)t->queries : 1;
    printf("  \"%s\":{\"queries\":%u,\"recall\":%.4f,\"precision\":%.3f,\"asked_mean\":%.1f,"
           "\"matched_mean\":%.1f},\n",
           what, (unsigned)t->queries, 1 - (double)t->lost / matched,
           (double)(t->matched - t->lost) / asked, (double)t->asked / queries,
           (double)t->matched / queries);
}

static void compile(const char *text, gp_query_t *query)
{
    gp_query_error_t error;
    if (gp_query_compile(gp_text(text), query, &error) != GP_OK) {
        exit(1);
    }
}

/* One mix of queries over all sub-Grids. */
static void ask(const lab_grid_t *grids, const gp_summary_t *summaries, uint32_t count,
                uint32_t queries, gp_random_t *random, const char *what)
{
    static gp_query_t query;
    lab_tally_t tallies[2] = {{0}};
    char rare[32];
    double ns = 0;
    uint32_t asked = 0;
    for (uint32_t i = 0; i < queries; i++) {
        char text[GP_QUERY_MAX];
        lab_query(random, strcmp(what, "wide") == 0, text);
        compile(text, &query);
        lab_ask(grids, summaries, count, &query, tallies);
        double before = nanoseconds();
        for (uint32_t g = 0; g < count; g++) {
            asked += gp_summary_may_match(&summaries[g], &query) ? 1 : 0;
        }
        ns += nanoseconds() - before;
    }
    if (asked != tallies[LAB_ALL].asked) {
        exit(1);
    }
    (void)snprintf(rare, sizeof rare, "%s_rare", what);
    print_tally(what, &tallies[LAB_ALL]);
    print_tally(rare, &tallies[LAB_RARE]);
    printf("  \"%s_may_match_ns\":%.0f,\n", what, ns / ((double)queries * count));
}

static int compare_sizes(const void *a, const void *b)
{
    return (int)*(const uint32_t *)a - (int)*(const uint32_t *)b;
}

static void make(const lab_grid_t *grids, gp_summary_t *summaries, uint32_t count)
{
    uint32_t *bytes = room(count, sizeof *bytes);
    uint64_t classes = 0;
    double ns = 0;
    double most = 0;
    for (uint32_t g = 0; g < count; g++) {
        uint8_t packed[GP_SUMMARY_MAX];
        gp_summary_make(grids[g].records, lab_grid_lanes(&grids[g]), &summaries[g]); /* warm up */
        double before = nanoseconds();
        gp_summary_make(grids[g].records, lab_grid_lanes(&grids[g]), &summaries[g]);
        double took = nanoseconds() - before;
        ns += took;
        most = took > most ? took : most;
        bytes[g] = (uint32_t)gp_summary_pack(&summaries[g], packed);
        classes += summaries[g].class_count;
    }
    qsort(bytes, count, sizeof bytes[0], compare_sizes);
    printf("  \"bytes_median\":%u,\"bytes_p90\":%u,\"bytes_max\":%u,\"classes_mean\":%.1f,\n",
           bytes[count / 2], bytes[count - 1 - count / 10], bytes[count - 1],
           (double)classes / count);
    printf("  \"make_ns\":%.0f,\"make_max_ns\":%.0f,\n", ns / count, most);
    free(bytes);
}

/* How often small moves change a summary: made anew each time, and with hysteresis. */
static void move(lab_grid_t *grids, gp_summary_t *summaries, uint32_t count, uint32_t permille,
                 gp_random_t *random)
{
    uint32_t anew = 0;
    uint32_t renewed = 0;
    uint32_t later = 0;
    double ns = 0;
    for (uint32_t g = 0; g < count; g++) {
        uint64_t lanes = lab_grid_lanes(&grids[g]);
        uint8_t last[GP_SUMMARY_MAX];
        gp_summary_t held = summaries[g];
        (void)gp_summary_pack(&held, last);
        for (uint32_t i = 0; i < MOVES; i++) {
            uint8_t now[GP_SUMMARY_MAX];
            gp_summary_t fresh;
            lab_grid_move(&grids[g], permille, random);
            gp_summary_make(grids[g].records, lanes, &fresh);
            (void)gp_summary_pack(&fresh, now);
            anew += memcmp(now, last, sizeof now) != 0 ? 1 : 0;
            memcpy(last, now, sizeof last);
            double before = nanoseconds();
            bool changed = gp_summary_renew(&held, grids[g].records, lanes);
            ns += nanoseconds() - before;
            renewed += changed ? 1 : 0;
            later += changed && i >= MOVES / 2 ? 1 : 0;
        }
        summaries[g] = held;
    }
    double moves = (double)MOVES * count;
    printf("  \"moved_%u_permille\":{\"same_made_anew\":%.3f,\"same_renewed\":%.3f,"
           "\"same_renewed_later\":%.3f,\"renew_ns\":%.0f},\n",
           permille, 1 - anew / moves, 1 - renewed / moves, 1 - later / (moves / 2), ns / moves);
}

/* Regions of 20 sub-Grids each: asked, one after another. */
static void join(const lab_grid_t *grids, const gp_summary_t *summaries, uint32_t count,
                 uint32_t queries, gp_random_t *random)
{
    static gp_query_t query;
    lab_tally_t all = {.queries = queries};
    uint32_t regions = count / 20;
    gp_summary_t *joined = room(regions, sizeof *joined);
    double before = nanoseconds();
    for (uint32_t g = 0; g < regions * 20; g++) {
        gp_summary_join(&joined[g / 20], &summaries[g]);
    }
    double ns = (nanoseconds() - before) / (regions * 20.0);
    for (uint32_t i = 0; i < queries; i++) {
        char text[GP_QUERY_MAX];
        lab_query(random, false, text);
        compile(text, &query);
        for (uint32_t r = 0; r < regions; r++) {
            bool match = false;
            for (uint32_t g = r * 20; g < r * 20 + 20; g++) {
                match = match ||
                        gp_query_eval(&query, grids[g].records, lab_grid_lanes(&grids[g])) != 0;
            }
            bool may = gp_summary_may_match(&joined[r], &query);
            all.asked += may ? 1 : 0;
            all.matched += match ? 1 : 0;
            all.lost += match && !may ? 1 : 0;
        }
    }
    print_tally("regions", &all);
    printf("  \"join_ns\":%.0f\n}\n", ns);
    free(joined);
}

static uint32_t argument(int argc, char **argv, int at, uint32_t otherwise)
{
    return argc > at ? (uint32_t)strtoul(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    uint32_t count = argument(argc, argv, 1, 1000);
    uint32_t queries = argument(argc, argv, 2, 300);
    uint32_t seed = argument(argc, argv, 3, 7);
    uint32_t mixed = argument(argc, argv, 4, 150);
    gp_random_t random;
    if (count < 20 || count > 100000 || queries < 1 || mixed > 1000) {
        fprintf(stderr, "usage: bench_summary [SUBGRIDS [QUERIES [SEED [MIXED]]]]\n");
        return 64;
    }
    lab_grid_t *grids = room(count, sizeof *grids);
    gp_summary_t *summaries = room(count, sizeof *summaries);
    gp_random_init(&random, seed);
    for (uint32_t g = 0; g < count; g++) {
        lab_grid_init(&grids[g], g, mixed, &random);
    }
    printf("{\"schema\":\"gridpeer/v1\",\"kind\":\"bench_summary\",\"subgrids\":%u,\"queries\":%u,"
           "\"seed\":%u,\"mixed_permille\":%u,\n",
           count, queries, seed, mixed);
    make(grids, summaries, count);
    ask(grids, summaries, count, queries, &random, "base");
    ask(grids, summaries, count, queries, &random, "wide");
    move(grids, summaries, count, 30, &random);
    ask(grids, summaries, count, queries, &random, "renewed");
    move(grids, summaries, count, 100, &random);
    ask(grids, summaries, count, queries, &random, "renewed_again");
    join(grids, summaries, count, queries, &random);
    for (uint32_t g = 0; g < count; g++) {
        lab_grid_free(&grids[g]);
    }
    free(grids);
    free(summaries);
    return 0;
}
