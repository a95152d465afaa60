/* Questions all over a grid: nothing is lost, nothing comes twice, and what is missing is named. */
#include <stdio.h>
#include <stdlib.h>

#include "discovery_route_lab.h"
#include "proto_cmocka.h"

#define TRIALS 60
#define LOSSY  5 /* seeds with losses */

typedef struct expected {
    uint32_t machines; /* that match, in scope */
    uint32_t subgrids;
} expected_t;

static bool in_scope(const route_lab_t *lab, uint32_t asker, uint32_t subgrid, uint8_t scope)
{
    const uint32_t home = lab->nodes[asker].subgrid;
    if (scope == GP_ROUTE_SUBGRID) {
        return subgrid == home;
    }
    return scope == GP_ROUTE_GRID || lab->subgrids[subgrid].region == lab->subgrids[home].region;
}

static expected_t expect(route_lab_t *lab, const route_lab_question_t *q)
{
    expected_t e = {0};
    for (uint32_t s = 0; s < lab->config.subgrids; s++) {
        uint32_t n = 0;
        if (in_scope(lab, q->node, s, q->scope)) {
            n = gp_count_bits(route_lab_matches(lab, s, q->query));
        }
        e.machines += n;
        e.subgrids += n > 0 ? 1 : 0;
    }
    return e;
}

/* Each machine in the answer matches, and is in scope. */
static void check_hits(route_lab_t *lab, const route_lab_question_t *q, const route_lab_answer_t *a)
{
    for (uint32_t i = 0; i < a->hit_count; i++) {
        uint32_t subgrid;
        uint32_t host;
        route_lab_whose(lab, &a->hits[i], &subgrid, &host);
        assert_true(in_scope(lab, q->node, subgrid, q->scope));
        assert_true((route_lab_matches(lab, subgrid, q->query) >> host & 1) != 0);
    }
}

static uint32_t most(const route_lab_question_t *q, uint32_t machines)
{
    uint32_t limit = q->limit == 0 ? GP_HITS_MAX : q->limit;
    return machines < limit ? machines : limit;
}

/* By rank: no machine outside the answer is better than one in it. */
static void check_rank(route_lab_t *lab, const route_lab_question_t *q, const route_lab_answer_t *a)
{
    gp_query_error_t error;
    gp_rank_t rank;
    uint32_t better = 0;
    uint32_t last;
    uint32_t lane;
    assert_int_equal(gp_rank_compile(gp_text(q->rank), &rank, &error), GP_OK);
    if (a->hit_count == 0) {
        return;
    }
    route_lab_whose(lab, &a->hits[a->hit_count - 1], &last, &lane);
    for (uint32_t s = 0; s < lab->config.subgrids; s++) {
        uint64_t match =
            in_scope(lab, q->node, s, q->scope) ? route_lab_matches(lab, s, q->query) : 0;
        for (; match != 0; match &= match - 1) {
            better += gp_rank_compare(&rank, lab->subgrids[s].grid.records, gp_lowest_bit(match),
                                      lab->subgrids[last].grid.records, lane) < 0
                          ? 1
                          : 0;
        }
    }
    assert_true(better < a->hit_count);
}

static route_lab_question_t any_question(route_lab_t *lab, gp_random_t *random, char *text)
{
    route_lab_question_t q = {.query = text};
    lab_query(random, false, text);
    q.node = gp_random_below(random, 2) == 0
                 ? (uint32_t)gp_random_below(random, lab->config.subgrids)
                 : route_lab_asker(lab, (uint32_t)gp_random_below(random, lab->config.askers));
    q.scope = (uint8_t)(gp_random_below(random, 8) == 0 ? 1 : GP_ROUTE_GRID);
    q.limit = (uint16_t)(gp_random_below(random, 3) == 0 ? 0 : 1 + gp_random_below(random, 20));
    q.rank = gp_random_below(random, 3) == 0 ? "mem.free desc, cpu.idle" : NULL;
    return q;
}

static void test_nothing_is_lost(void **state)
{
    const route_lab_config_t config = {
        .regions = 6, .subgrids = 90, .askers = 20, .mixed = 150, .seed = 3};
    route_lab_t *lab = route_lab_new(&config);
    gp_random_t random;
    uint32_t far = 0;
    char text[GP_QUERY_MAX];
    (void)state;
    gp_random_init(&random, 4);
    for (int i = 0; i < TRIALS; i++) {
        route_lab_question_t q = any_question(lab, &random, text);
        const route_lab_answer_t *a = route_lab_ask(lab, &q);
        expected_t e = expect(lab, &q);
        assert_int_equal(a->error, GP_OK);
        assert_false(a->partial);
        assert_int_equal(a->hit_count, most(&q, e.machines));
        assert_in_range(a->hops, 0, GP_ROUTE_HOPS_MAX);
        far += a->hops == GP_ROUTE_HOPS_MAX ? 1 : 0;
        check_hits(lab, &q, a);
        if (q.rank != NULL) {
            check_rank(lab, &q, a);
            assert_int_equal(a->matching, e.subgrids);
        }
    }
    assert_true(far > 10);
    assert_int_equal(lab->refused, 0);
    route_lab_free(lab);
}

static uint32_t ask_with_losses(route_lab_t *lab, uint64_t seed)
{
    gp_random_t random;
    uint32_t whole = 0;
    char text[GP_QUERY_MAX];
    gp_random_init(&random, seed);
    for (int i = 0; i < TRIALS; i++) {
        route_lab_question_t q = any_question(lab, &random, text);
        uint32_t lost = lab->lost;
        const route_lab_answer_t *a = route_lab_ask(lab, &q);
        expected_t e = expect(lab, &q);
        check_hits(lab, &q, a);
        whole += a->partial ? 0 : 1;
        if (!a->partial && a->hit_count != most(&q, e.machines)) {
            fail_msg("seed %u, question %d: %s", (unsigned)seed, i, text);
        }
        assert_true(!a->partial || lab->lost > lost);
    }
    return whole;
}

/* With losses: an end in time, nothing wrong or twice, and what is missing is told. */
static void test_losses_are_told(void **state)
{
    uint32_t whole = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= LOSSY; seed++) {
        const route_lab_config_t config = {.regions = 4,
                                           .subgrids = 40,
                                           .askers = 10,
                                           .mixed = 300,
                                           .loss = 60,
                                           .exact = true,
                                           .seed = seed};
        route_lab_t *lab = route_lab_new(&config);
        whole += ask_with_losses(lab, seed);
        assert_true(lab->lost > 50);
        route_lab_free(lab);
    }
    assert_true(whole > LOSSY * TRIALS / 2); /* most of what is lost is sent again */
}

static bool names(const route_lab_answer_t *a, uint64_t group, gp_absent_why_t why)
{
    for (uint32_t i = 0; i < a->absent_count; i++) {
        if (a->absent[i] == group && a->why[i] == why) {
            return true;
        }
    }
    return false;
}

static route_lab_t *small_lab(uint64_t seed)
{
    const route_lab_config_t config = {
        .regions = 3, .subgrids = 18, .askers = 18, .mixed = 150, .seed = seed};
    return route_lab_new(&config);
}

/* Partial exactly if who may match is silent and there is not enough without it. */
static void test_the_dead_are_missing(void **state)
{
    route_lab_t *lab = small_lab(7);
    char name[32];
    (void)state;
    lab->nodes[7].fault = ROUTE_LAB_DEAD; /* of region 1; neither leads it nor is deputy */
    route_lab_question_t q = {.node = route_lab_asker(lab, 2),
                              .query = "cpu >= 1",
                              .rank = "mem",
                              .scope = GP_ROUTE_GRID};
    const route_lab_answer_t *a = route_lab_ask(lab, &q);
    assert_true(a->partial);
    assert_true(names(a, 8, GP_ABSENT_SILENT)); /* the group of sub-Grid 7 */
    assert_int_equal(a->absences, 1);
    assert_int_equal(a->asked, 18);
    assert_int_equal(a->answered, 17);
    q.rank = NULL;
    q.limit = 3;
    a = route_lab_ask(lab, &q);
    assert_false(a->partial);
    assert_int_equal(a->hit_count, 3);
    (void)snprintf(name, sizeof name, "name == n8-5");
    q.query = name;
    a = route_lab_ask(lab, &q);
    assert_false(a->partial); /* it cannot be there */
    assert_int_equal(a->hit_count, 1);
    (void)snprintf(name, sizeof name, "name == n7-5");
    a = route_lab_ask(lab, &q);
    assert_true(a->partial);
    assert_int_equal(a->hit_count, 0);
    assert_in_range(a->after, 0, 2 * GP_SECOND); /* it is not waited for to the end */
    route_lab_free(lab);
}

static void test_a_dead_region_is_missing(void **state)
{
    route_lab_t *lab = small_lab(8);
    (void)state;
    lab->nodes[1].fault = ROUTE_LAB_DEAD; /* leads region 1 */
    route_lab_question_t q = {.node = route_lab_asker(lab, 2),
                              .query = "cpu >= 1",
                              .rank = "mem",
                              .scope = GP_ROUTE_GRID};
    const route_lab_answer_t *a = route_lab_ask(lab, &q);
    assert_true(a->partial);
    assert_true(names(a, UINT64_C(1) << 56 | 2, GP_ABSENT_SILENT));
    assert_int_equal(a->asked, 12);
    route_lab_depose(lab, 1); /* its deputy knew what there is */
    route_lab_run(lab, GP_SECOND);
    q.node = route_lab_asker(lab, 5);
    a = route_lab_ask(lab, &q);
    assert_int_equal(a->asked, 18);
    assert_int_equal(a->absences, 1);
    assert_true(names(a, 2, GP_ABSENT_SILENT));
    q.scope = GP_ROUTE_REGION;
    a = route_lab_ask(lab, &q);
    assert_false(a->partial);
    assert_int_equal(a->asked, 6);
    route_lab_free(lab);
}

/* Whoever carries answers and loses them, or changes them, makes the answer partial, never wrong.
 */
static void test_bad_relays(void **state)
{
    static const route_lab_fault_t faults[] = {ROUTE_LAB_DROPS, ROUTE_LAB_REWRITES};
    (void)state;
    for (int i = 0; i < 2; i++) {
        route_lab_t *lab = small_lab(9);
        route_lab_question_t q = {.node = route_lab_asker(lab, 5), /* of region 2 */
                                  .query = "cpu >= 1",
                                  .rank = "mem",
                                  .scope = GP_ROUTE_GRID};
        lab->nodes[1].fault = faults[i];
        const route_lab_answer_t *a = route_lab_ask(lab, &q);
        assert_true(a->partial);
        assert_true(names(a, UINT64_C(1) << 56 | 2, GP_ABSENT_LOST));
        assert_int_equal(lab->refused > 0, faults[i] == ROUTE_LAB_REWRITES);
        check_hits(lab, &q, a);
        lab->nodes[1].fault = ROUTE_LAB_WELL;
        lab->nodes[5].fault = faults[i]; /* the own super-peer */
        a = route_lab_ask(lab, &q);
        assert_true(a->partial);
        check_hits(lab, &q, a);
        route_lab_free(lab);
    }
}

/* What a summary promises too much costs a question, and is counted. */
static void test_liars_are_counted(void **state)
{
    route_lab_t *lab = small_lab(10);
    uint32_t vain = 0;
    char text[GP_QUERY_MAX];
    gp_random_t random;
    (void)state;
    gp_random_init(&random, 3);
    lab->subgrids[4].stale = true;
    lab->subgrids[4].lies = true; /* of region 1 */
    route_lab_run(lab, 2 * GP_SECOND);
    for (int i = 0; i < TRIALS; i++) {
        route_lab_question_t q = {
            .node = 1, .query = text, .rank = "mem", .scope = GP_ROUTE_REGION};
        lab_query(&random, false, text);
        const route_lab_answer_t *a = route_lab_ask(lab, &q);
        assert_false(a->partial);
        assert_int_equal(a->hit_count, most(&q, expect(lab, &q).machines));
    }
    for (uint32_t i = 0; i < gp_route_count(lab->nodes[1].core, GP_SEAT_REGION); i++) {
        const gp_route_place_t *place = gp_route_at(lab->nodes[1].core, GP_SEAT_REGION, i);
        assert_true(place->vain <= place->asked);
        vain = place->group == 5 ? place->vain : vain;
        assert_true(place->group == 5 || place->vain < TRIALS / 4);
    }
    assert_true(vain > TRIALS / 3);
    route_lab_free(lab);
}

static void test_records_are_missing(void **state)
{
    route_lab_t *lab = small_lab(11);
    (void)state;
    lab->nodes[4].fault = ROUTE_LAB_UNRECORDED;
    route_lab_run(lab, 12 * GP_SECOND);
    route_lab_question_t q = {
        .node = 0, .query = "cpu >= 1000", .rank = "mem", .scope = GP_ROUTE_GRID};
    const route_lab_answer_t *a = route_lab_ask(lab, &q);
    assert_true(a->partial);
    assert_true(names(a, 5, GP_ABSENT_PARTIAL));
    assert_int_equal(a->asked, 2); /* and the own one */
    lab->nodes[4].fault = ROUTE_LAB_WELL;
    route_lab_run(lab, 12 * GP_SECOND);
    a = route_lab_ask(lab, &q);
    assert_false(a->partial);
    assert_int_equal(a->asked, 1);
    route_lab_free(lab);
}

/* A name is asked of hardly any sub-Grid but its own, and of no other once it is known. */
static void test_names(void **state)
{
    const route_lab_config_t config = {
        .regions = 8, .subgrids = 160, .askers = 8, .mixed = 150, .seed = 12};
    route_lab_t *lab = route_lab_new(&config);
    uint32_t asked[2] = {0};
    (void)state;
    for (int again = 0; again < 2; again++) {
        for (uint32_t i = 0; i < 40; i++) {
            char text[64];
            uint32_t subgrid = (i * 37 + 11) % 160;
            route_lab_question_t q = {
                .node = route_lab_asker(lab, 3), .query = text, .limit = 1, .scope = GP_ROUTE_GRID};
            (void)snprintf(text, sizeof text, "name == n%u-%u", subgrid, i);
            const route_lab_answer_t *a = route_lab_ask(lab, &q);
            uint32_t found;
            uint32_t host;
            assert_int_equal(a->hit_count, 1);
            assert_in_range(a->hops, 0, GP_ROUTE_HOPS_MAX);
            route_lab_whose(lab, &a->hits[0], &found, &host);
            assert_true(found == subgrid && host == i);
            asked[again] += a->asked - 1; /* without the own one */
        }
    }
    printf("40 names among 8,000 machines: %u sub-Grids asked, the second time %u\n", asked[0],
           asked[1]);
    assert_in_range(asked[0], 39, 60);
    assert_in_range(asked[1], 39, 40);
    route_lab_free(lab);
}

/* A wrong hint costs a question, and is replaced. */
static void test_a_machine_moves(void **state)
{
    route_lab_t *lab = small_lab(13);
    route_lab_question_t q = {.node = route_lab_asker(lab, 3),
                              .query = "name == mover",
                              .limit = 1,
                              .scope = GP_ROUTE_GRID};
    static const uint32_t homes[] = {7, 11, 11, 4};
    uint32_t before = 7;
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t found;
        uint32_t host;
        gp_records_set_text(lab->subgrids[before].grid.records, 9, GP_ATTR_NAME, gp_text("was"),
                            false);
        gp_records_set_text(lab->subgrids[homes[i]].grid.records, 9, GP_ATTR_NAME, gp_text("mover"),
                            false);
        lab->subgrids[before].stale = lab->subgrids[homes[i]].stale = true;
        before = homes[i];
        route_lab_run(lab, 12 * GP_SECOND);
        const route_lab_answer_t *a = route_lab_ask(lab, &q);
        assert_int_equal(a->hit_count, 1);
        route_lab_whose(lab, &a->hits[0], &found, &host);
        assert_int_equal(found, homes[i]);
        assert_true(strcmp(a->subgrid, homes[i] == 7 ? "s7" : homes[i] == 11 ? "s11" : "s4") == 0);
    }
    route_lab_free(lab);
}

/* The word goes up at once, a gone sub-Grid too, and reminders are few. */
static void test_reminders_are_few(void **state)
{
    route_lab_t *lab = small_lab(14);
    (void)state;
    route_lab_run(lab, 120 * GP_SECOND);
    uint32_t places = lab->sent[GP_MSG_PLACE];
    uint64_t bytes = lab->bytes_sent;
    route_lab_run(lab, 300 * GP_SECOND);
    places = lab->sent[GP_MSG_PLACE] - places;
    bytes = lab->bytes_sent - bytes;
    printf("18 sub-Grids in 3 regions, 300 s: %u places told, %u bytes/s each\n", places,
           (unsigned)(bytes / 300 / 18));
    /* 18 to leader and deputy, 3 to two others, each 30 s */
    assert_in_range(places, 300, 450);
    route_lab_free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_lost),
        cmocka_unit_test(test_losses_are_told),
        cmocka_unit_test(test_the_dead_are_missing),
        cmocka_unit_test(test_a_dead_region_is_missing),
        cmocka_unit_test(test_bad_relays),
        cmocka_unit_test(test_liars_are_counted),
        cmocka_unit_test(test_records_are_missing),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_a_machine_moves),
        cmocka_unit_test(test_reminders_are_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
