/* Summaries of records: nothing is ever lost, little is asked in vain, small moves change nothing.
 */
#include "discovery/summary.h"

#include <stdio.h>
#include <stdlib.h>

#include "discovery_driver.h"
#include "discovery_summary_lab.h"

#define WILD_ROUNDS  400
#define WILD_QUERIES 60
#define SUBGRIDS     1000
#define QUERIES      300

static gp_query_t query;
static gp_query_error_t error;

static void compile(const char *text)
{
    if (gp_query_compile(gp_text(text), &query, &error) != GP_OK) {
        fail_msg("%s: column %u: %s", text, error.column, error.text);
    }
}

/* As it arrives: packed and read. */
static gp_summary_t sent(const gp_summary_t *summary)
{
    uint8_t bytes[GP_SUMMARY_MAX];
    gp_summary_t read;
    gp_summary_check(summary);
    size_t n = gp_summary_pack(summary, bytes);
    assert_in_range(n, 1, GP_SUMMARY_MAX);
    assert_int_equal(gp_summary_read(gp_slice(bytes, n), &read), GP_OK);
    gp_summary_check(&read);
    return read;
}

static gp_records_t *wild_records(gp_random_t *random)
{
    uint32_t width = 1 + (uint32_t)gp_random_below(random, GP_LANES_MAX);
    uint32_t pool = gp_random_below(random, 4) == 0 ? 96 : GP_RECORD_POOL;
    void *memory = malloc(gp_records_size(width, pool));
    assert_non_null(memory);
    gp_records_t *records = gp_records_init(memory, width, pool);
    lab_wild_records(random, records);
    return records;
}

/* The same sub-Grid in the ways in which somebody may know it. */
enum { MADE, RENEWED, JOINED, JOINED_TWICE, WAYS };

static void make_ways(const gp_records_t *r, uint64_t lanes, gp_summary_t ways[WAYS],
                      const gp_summary_t *others)
{
    gp_summary_make(r, lanes, &ways[MADE]);
    ways[RENEWED] = others[0];
    (void)gp_summary_renew(&ways[RENEWED], r, lanes);
    ways[JOINED] = others[0];
    gp_summary_join(&ways[JOINED], &ways[MADE]);
    ways[JOINED_TWICE] = sent(&ways[MADE]);
    gp_summary_join(&ways[JOINED_TWICE], &others[1]);
    gp_summary_join(&ways[JOINED_TWICE], &others[0]);
    for (int i = 0; i < WAYS; i++) {
        ways[i] = sent(&ways[i]);
    }
}

static void test_nothing_is_lost(void **state)
{
    static gp_summary_t others[2];
    static gp_summary_t ways[WAYS];
    gp_random_t random;
    uint32_t matches = 0;
    uint32_t excluded = 0;
    (void)state;
    gp_random_init(&random, 2027);
    for (int round = 0; round < WILD_ROUNDS; round++) {
        gp_records_t *r = wild_records(&random);
        uint64_t lanes = gp_random_below(&random, 8) == 0 ? gp_random_next(&random) : UINT64_MAX;
        make_ways(r, lanes, ways, others);
        for (int i = 0; i < WILD_QUERIES; i++) {
            char text[GP_QUERY_MAX];
            lab_wild_query(&random, text);
            compile(text);
            bool match = gp_query_eval(&query, r, lanes) != 0;
            matches += match ? 1 : 0;
            excluded += gp_summary_may_match(&ways[MADE], &query) ? 0 : 1;
            for (int way = 0; match && way < WAYS; way++) {
                if (!gp_summary_may_match(&ways[way], &query)) {
                    fail_msg("round %d, way %d lost: %s", round, way, text);
                }
            }
        }
        others[round % 2] = ways[MADE];
        free(r);
    }
    /* Both outcomes were seen, or nothing was tested. */
    assert_in_range(matches, 4000, WILD_ROUNDS * WILD_QUERIES);
    assert_in_range(excluded, 1000, WILD_ROUNDS * WILD_QUERIES);
}

/* Hardly any room, and one word each that nobody else has. */
static void test_many_labels_still_fit(void **state)
{
    gp_records_t *r = driver_records(GP_LANES_MAX);
    gp_summary_t summary;
    (void)state;
    for (uint32_t lane = 0; lane < GP_LANES_MAX; lane++) {
        char text[GP_ATTR_TEXT_MAX] = "";
        for (uint32_t i = 0; i < GP_TAGS_MAX; i++) {
            size_t n = strlen(text);
            (void)snprintf(text + n, sizeof text - n, " l%u-%u=%u", lane, i, i);
        }
        gp_records_set_text(r, lane, GP_ATTR_TAG, gp_text(text), false);
        gp_records_set_number(r, lane, GP_ATTR_CPU, lane);
    }
    gp_summary_make(r, UINT64_MAX, &summary);
    summary = sent(&summary);
    for (uint32_t lane = 0; lane < GP_LANES_MAX; lane++) {
        char text[GP_QUERY_MAX];
        (void)snprintf(text, sizeof text, "tag.l%u-%u == %u and cpu >= %u", lane, lane % 32,
                       lane % 32, lane);
        compile(text);
        assert_true(gp_summary_may_match(&summary, &query));
    }
    compile("cpu >= 64");
    assert_false(gp_summary_may_match(&summary, &query));
    free(r);
}

static void test_counts(void **state)
{
    gp_records_t *r = driver_records(5);
    gp_summary_t summary;
    gp_summary_t all = {0};
    (void)state;
    driver_set(r, 0, "name=n1 region=lab cpu=4");
    driver_set(r, 1, "name=n2 region=lab");
    driver_set(r, 3, "arch=x86_64");
    gp_summary_make(r, 0xb, &summary);
    assert_int_equal(summary.machines, 3);
    assert_int_equal(summary.recorded, 2); /* a name is given, not told */
    assert_int_equal(summary.known[GP_ATTR_CPU], GP_SUMMARY_SOME);
    assert_int_equal(summary.known[GP_ATTR_MEM], GP_SUMMARY_NONE);
    gp_summary_join(&all, &summary);
    assert_int_equal(all.machines, 3);
    gp_summary_make(r, 0x10, &summary);
    gp_summary_join(&all, &summary);
    assert_int_equal(all.machines, 4);
    assert_int_equal(all.recorded, 2);
    gp_summary_make(r, 0, &summary);
    assert_int_equal(summary.machines, 0);
    gp_summary_join(&all, &summary);
    assert_int_equal(all.machines, 4);
    all.machines = UINT32_MAX - 2;
    gp_summary_make(r, 0x1f, &summary);
    gp_summary_join(&all, &summary);
    assert_int_equal(all.machines, UINT32_MAX - 1);
    all = sent(&all);
    assert_int_equal(all.machines, UINT32_MAX - 1);
    free(r);
}

static void test_no_machines_match_nothing(void **state)
{
    gp_summary_t none = {0};
    (void)state;
    none = sent(&none);
    compile("");
    assert_false(gp_summary_may_match(&none, &query));
    compile("cpu is not set");
    assert_false(gp_summary_may_match(&none, &query));
}

/* The order of the machines does not matter, and neither does the order of two that are joined. */
static void test_order_does_not_matter(void **state)
{
    gp_random_t random;
    lab_grid_t grids[2];
    gp_summary_t a;
    gp_summary_t b;
    uint8_t bytes[2][GP_SUMMARY_MAX];
    (void)state;
    gp_random_init(&random, 5);
    lab_grid_init(&grids[0], 0, 500, &random);
    lab_grid_init(&grids[1], 1, 500, &random);
    gp_records_t *back = driver_records(GP_LANES_MAX);
    for (uint32_t lane = 0; lane < LAB_HOSTS; lane++) {
        gp_record_attr_t attrs[GP_ATTRS_MAX];
        uint32_t n = gp_records_dump(grids[0].records, lane, attrs);
        gp_records_apply(back, LAB_HOSTS - 1 - lane, attrs, n, true);
        gp_records_set_text(back, LAB_HOSTS - 1 - lane, GP_ATTR_REGION, gp_text("region0"), false);
        gp_records_set_text(back, LAB_HOSTS - 1 - lane, GP_ATTR_NAME, gp_text("n"), false);
    }
    gp_summary_make(grids[0].records, lab_grid_lanes(&grids[0]), &a);
    gp_summary_make(back, lab_grid_lanes(&grids[0]), &b);
    (void)gp_summary_pack(&a, bytes[0]);
    (void)gp_summary_pack(&b, bytes[1]);
    assert_memory_equal(bytes[0], bytes[1], GP_SUMMARY_MAX);
    gp_summary_make(grids[1].records, lab_grid_lanes(&grids[1]), &b);
    gp_summary_t ab = a;
    gp_summary_t ba = b;
    gp_summary_join(&ab, &b);
    gp_summary_join(&ba, &a);
    (void)gp_summary_pack(&ab, bytes[0]);
    (void)gp_summary_pack(&ba, bytes[1]);
    assert_memory_equal(bytes[0], bytes[1], GP_SUMMARY_MAX);
    free(back);
    lab_grid_free(&grids[0]);
    lab_grid_free(&grids[1]);
}

/* ---- hysteresis ------------------------------------------------------------------------------ */

/* One machine whose free memory wanders over the edge of a bucket, and then leaves it. */
static void test_an_edge_is_crossed_once(void **state)
{
    static const struct {
        const char *record;
        bool changes;
        const char *query;
        bool may;
    } steps[] = {
        {"mem.free=7900MiB", true, "mem.free >= 8GiB", false},
        {"mem.free=8300MiB", true, "mem.free >= 8GiB", true},
        {"mem.free=7900MiB", false, "mem.free >= 8GiB", true},
        {"mem.free=8300MiB", false, "mem.free >= 12GiB", false},
        {"mem.free=6200MiB", false, "mem.free >= 8GiB", true},
        {"mem.free=5900MiB", true, "mem.free >= 6GiB", false},
        {"mem.free=5900MiB cpu=3", true, "cpu >= 4", false},
        {"cpu=4", true, "cpu >= 4", true},
        {"cpu=8", true, "cpu >= 8", true},
        {"cpu=7", true, "cpu >= 8", false}, /* it does not wander */
        {"has=gcc", true, "has gcc", true},
        {"has=make", true, "has gcc", false},
        {"tag=k=v", true, "tag.k == v", true},
        {"tag=k=w", true, "tag.k == v", false},
        {"load.1=0.9", true, "load.1 < 0.5", false},
        {"load.1=1.1", true, "load.1 >= 1", true},
        {"load.1=0.9", false, "load.1 >= 1", true},
        {"load.1=2.1", true, "load.1 < 0.9", false},
    };
    gp_records_t *r = driver_records(1);
    gp_summary_t summary = {0};
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        driver_set(r, 0, steps[i].record);
        if (gp_summary_renew(&summary, r, 1) != steps[i].changes) {
            fail_msg("%s", steps[i].record);
        }
        compile(steps[i].query);
        if (gp_summary_may_match(&summary, &query) != steps[i].may) {
            fail_msg("%s: %s", steps[i].record, steps[i].query);
        }
        summary = sent(&summary);
    }
    free(r);
}

/* What the poorest machine offers is no class, and yet the end of a range. */
static void test_the_other_end_moves(void **state)
{
    gp_records_t *r = driver_records(2);
    gp_summary_t summary = {0};
    (void)state;
    driver_set(r, 0, "mem.free=64GiB load.1=0");
    driver_set(r, 1, "mem.free=7GiB load.1=1");
    compile("mem.free < 6GiB or load.1 > 6");
    assert_true(gp_summary_renew(&summary, r, 3));
    assert_false(gp_summary_may_match(&summary, &query));
    driver_set(r, 1, "mem.free=5GiB");
    assert_true(gp_summary_renew(&summary, r, 3));
    assert_true(gp_summary_may_match(&summary, &query));
    driver_set(r, 1, "mem.free=7GiB");
    assert_false(gp_summary_renew(&summary, r, 3)); /* one step back is none */
    driver_set(r, 1, "mem.free=9GiB");
    assert_true(gp_summary_renew(&summary, r, 3));
    assert_false(gp_summary_may_match(&summary, &query));
    driver_set(r, 1, "load.1=7");
    assert_true(gp_summary_renew(&summary, r, 3));
    assert_true(gp_summary_may_match(&summary, &query));
    free(r);
}

/* All ends of ranges stay, but nobody offers both any more. */
static void test_a_promise_is_not_kept(void **state)
{
    gp_records_t *r = driver_records(3);
    gp_summary_t summary = {0};
    (void)state;
    driver_set(r, 0, "cpu=8 mem.free=64GiB");
    driver_set(r, 1, "cpu=2 mem.free=64GiB");
    driver_set(r, 2, "cpu=2 mem.free=1GiB");
    compile("cpu >= 8 and mem.free >= 32GiB");
    assert_true(gp_summary_renew(&summary, r, 7));
    assert_true(gp_summary_may_match(&summary, &query));
    driver_set(r, 0, "mem.free=8GiB");
    assert_true(gp_summary_renew(&summary, r, 7));
    assert_false(gp_summary_may_match(&summary, &query));
    free(r);
}

/* Machines that come, tell something or cease to know something, though no class changes. */
static void test_counts_are_news(void **state)
{
    gp_records_t *r = driver_records(4);
    gp_summary_t summary = {0};
    (void)state;
    driver_set(r, 0, "cpu=4 swap=1GiB");
    driver_set(r, 1, "cpu=4 swap=1GiB");
    driver_set(r, 2, "name=n3");
    assert_true(gp_summary_renew(&summary, r, 3));
    compile("swap is not set");
    assert_false(gp_summary_may_match(&summary, &query));
    gp_records_unset(r, 1, GP_ATTR_SWAP);
    assert_true(gp_summary_renew(&summary, r, 3));
    assert_true(gp_summary_may_match(&summary, &query));
    driver_set(r, 3, "name=n4");
    assert_true(gp_summary_renew(&summary, r, 7));
    assert_true(gp_summary_renew(&summary, r, 15));
    assert_int_equal(summary.machines, 4);
    driver_set(r, 2, "cpu=4");
    assert_true(gp_summary_renew(&summary, r, 15));
    assert_int_equal(summary.recorded, 3);
    assert_false(gp_summary_renew(&summary, r, 15));
    free(r);
}

/* How many of a hundred moves of 3 % change a summary, once it has seen ten of them. */
static uint32_t changes_of_moves(uint32_t mixed, uint32_t subgrids)
{
    gp_random_t random;
    uint32_t moves = 0;
    uint32_t changes = 0;
    gp_random_init(&random, 3);
    for (uint32_t g = 0; g < subgrids; g++) {
        lab_grid_t grid;
        gp_summary_t summary = {0};
        lab_grid_init(&grid, g, mixed, &random);
        for (uint32_t i = 0; i < 20; i++) {
            char text[GP_QUERY_MAX];
            lab_grid_move(&grid, 30, &random);
            bool changed = gp_summary_renew(&summary, grid.records, lab_grid_lanes(&grid));
            gp_summary_check(&summary);
            moves += i >= 10 ? 1 : 0;
            changes += changed && i >= 10 ? 1 : 0;
            for (int q = 0; q < 20; q++) {
                lab_query(&random, true, text);
                compile(text);
                bool match = gp_query_eval(&query, grid.records, lab_grid_lanes(&grid)) != 0;
                assert_true(!match || gp_summary_may_match(&summary, &query));
            }
        }
        lab_grid_free(&grid);
    }
    return changes * 100 / moves;
}

/* Most change nothing, less often so where classes had to be merged; and all stays covered. */
static void test_small_moves_change_little(void **state)
{
    (void)state;
    assert_in_range(changes_of_moves(150, 30), 0, 15);
    assert_in_range(changes_of_moves(1000, 20), 0, 20);
}

/* ---- the figure ------------------------------------------------------------------------------ */

static void check_tally(const char *what, const lab_tally_t *tally, uint64_t percent)
{
    uint64_t right = tally->matched - tally->lost;
    printf("%s: %u queries, %u sub-Grids matched, %u asked, %u lost: precision %u per mille\n",
           what, (unsigned)tally->queries, (unsigned)tally->matched, (unsigned)tally->asked,
           (unsigned)tally->lost, (unsigned)(right * 1000 / tally->asked));
    assert_true(tally->queries >= 30);
    assert_int_equal(tally->lost, 0);
    assert_true(right * 100 >= tally->asked * percent);
}

static void test_few_are_asked_in_vain(void **state)
{
    lab_grid_t *grids = calloc(SUBGRIDS, sizeof *grids);
    gp_summary_t *summaries = calloc(SUBGRIDS, sizeof *summaries);
    lab_tally_t tallies[2] = {{0}};
    gp_random_t random;
    (void)state;
    assert_true(grids != NULL && summaries != NULL);
    gp_random_init(&random, 7);
    for (uint32_t g = 0; g < SUBGRIDS; g++) {
        lab_grid_init(&grids[g], g, 150, &random);
        gp_summary_make(grids[g].records, lab_grid_lanes(&grids[g]), &summaries[g]);
        summaries[g] = sent(&summaries[g]);
    }
    for (int i = 0; i < QUERIES; i++) {
        char text[GP_QUERY_MAX];
        lab_query(&random, false, text);
        compile(text);
        lab_ask(grids, summaries, SUBGRIDS, &query, tallies);
    }
    check_tally("all", &tallies[LAB_ALL], 90);
    check_tally("rare", &tallies[LAB_RARE], 75);
    for (uint32_t g = 0; g < SUBGRIDS; g++) {
        lab_grid_free(&grids[g]);
    }
    free(grids);
    free(summaries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_lost),
        cmocka_unit_test(test_many_labels_still_fit),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_no_machines_match_nothing),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_an_edge_is_crossed_once),
        cmocka_unit_test(test_the_other_end_moves),
        cmocka_unit_test(test_a_promise_is_not_kept),
        cmocka_unit_test(test_counts_are_news),
        cmocka_unit_test(test_small_moves_change_little),
        cmocka_unit_test(test_few_are_asked_in_vain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
