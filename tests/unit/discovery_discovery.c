/* The core as a whole: events in, actions out, over a little grid. */
#include <stdlib.h>

#include "discovery_driver.h"

static driver_grid_t grid;

static int set_up(void **state)
{
    (void)state;
    driver_grid_init(&grid, 4);
    driver_own(&grid, 0, "cpu=2 mem=4GiB mem.free=1GiB arch=x86_64");
    driver_own(&grid, 1, "cpu=4 mem=8GiB mem.free=2GiB arch=x86_64");
    driver_own(&grid, 2, "cpu=8 mem=16GiB mem.free=8GiB arch=aarch64");
    driver_own(&grid, 3, "cpu=16 mem=32GiB mem.free=4GiB arch=x86_64 has=gcc,make");
    driver_run(&grid, 10 * GP_MSEC);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    driver_grid_free(&grid);
    return 0;
}

static const gp_msg_answer_t *ask(uint32_t node, const char *query)
{
    uint32_t before = grid.answer_count;
    driver_find(&grid, node, 77 + node, query);
    driver_run(&grid, 10 * GP_MSEC);
    assert_int_equal(grid.answer_count, before + 1);
    assert_int_equal(grid.answer_token, 77 + node);
    return &grid.answer->u.answer;
}

static bool hit_is(const gp_msg_answer_t *answer, uint32_t hit, const char *name)
{
    assert_true(hit < answer->hits_count);
    return gp_slice_equal(answer->hits[hit].name, gp_text(name));
}

static void test_everybody_gets_the_leaders_answer(void **state)
{
    (void)state;
    for (uint32_t node = 0; node < 4; node++) {
        const gp_msg_answer_t *a = ask(node, "cpu >= 4 and arch == x86_64");
        assert_int_equal(a->error, 0);
        assert_false(a->partial);
        assert_int_equal(a->right, GP_RIGHT_QUORUM);
        assert_int_equal(a->term, 1);
        assert_int_equal(a->considered, 4);
        assert_int_equal(a->matched, 2);
        assert_int_equal(a->hits_count, 2);
        assert_true(hit_is(a, 0, "n4")); /* most free memory first */
        assert_true(hit_is(a, 1, "n2"));
        assert_true(gp_id_equal(&a->by, &grid.nodes[0].id));
    }
}

static void test_by_name(void **state)
{
    (void)state;
    const gp_msg_answer_t *a = ask(2, "name == n3");
    assert_int_equal(a->hits_count, 1);
    assert_true(hit_is(a, 0, "n3"));
    assert_true(gp_slice_equal(a->hits[0].address, gp_text("tcp://127.0.0.1:7003")));
    assert_int_equal(ask(2, "region == lab")->matched, 4);
    assert_int_equal(ask(2, "region == moon")->matched, 0);
}

static void test_a_record_cannot_claim_a_name(void **state)
{
    static gp_msg_t msg;
    (void)state;
    msg = (gp_msg_t){.kind = GP_MSG_RECORD};
    msg.u.record.group = 7;
    msg.u.record.incarnation = 9;
    msg.u.record.version = 1;
    msg.u.record.whole = true;
    msg.u.record.attrs_count = 1;
    msg.u.record.attrs[0] = (gp_record_attr_t){.attr = GP_ATTR_NAME, .text = gp_text("n1")};
    driver_message(&grid, 0, &grid.nodes[3].id, &msg);
    const gp_msg_answer_t *a = ask(1, "name == n1");
    assert_int_equal(a->matched, 1);
    assert_true(gp_id_equal(&a->hits[0].id, &grid.nodes[0].id));
}

static void test_syntax_is_answered_here(void **state)
{
    uint32_t sent = grid.sent[GP_MSG_FIND];
    (void)state;
    driver_find(&grid, 3, 5, "cpu >= 2 and mem.fre > 1GiB");
    assert_int_equal(grid.answer_token, 5);
    assert_int_equal(grid.answer->u.answer.error, GP_E_QUERY_ATTRIBUTE);
    assert_int_equal(grid.answer->u.answer.column, 14);
    assert_int_equal(grid.sent[GP_MSG_FIND], sent);
}

static void test_a_find_outlives_its_leader(void **state)
{
    (void)state;
    driver_find(&grid, 3, 5, "arch == x86_64");
    driver_lose(&grid); /* the leader dies with the question */
    for (uint32_t i = 1; i < 4; i++) {
        driver_member(&grid, i, 0, GP_MEMBER_UNAVAILABLE);
        driver_leader(&grid, i, 2, 1, 2, GP_RIGHT_QUORUM);
    }
    grid.nodes[0].id = driver_id(99); /* nobody is there any more */
    driver_deliver(&grid);
    assert_int_equal(grid.answer_count, 1);
    const gp_msg_answer_t *a = &grid.answer->u.answer;
    assert_int_equal(a->error, 0);
    assert_false(a->partial); /* the deputy held all records */
    assert_int_equal(a->term, 2);
    assert_int_equal(a->matched, 2);
    assert_true(hit_is(a, 0, "n4"));
}

static void test_a_cold_successor_gathers_first(void **state)
{
    (void)state;
    uint32_t asked = grid.sent[GP_MSG_RECORD_ASK];
    /* n4 held nothing, and no member has heard of it yet */
    driver_leader(&grid, 3, 2, 3, UINT32_MAX, GP_RIGHT_QUORUM);
    assert_int_equal(grid.sent[GP_MSG_RECORD_ASK], asked + 3);
    driver_find(&grid, 3, 5, "cpu >= 1");
    assert_int_equal(grid.answer_count, 0); /* it waits for the records it asked for */
    driver_deliver(&grid);
    driver_run(&grid, GP_MSEC);
    assert_int_equal(grid.answer_count, 1);
    assert_int_equal(grid.answer->u.answer.matched, 4);
    assert_false(grid.answer->u.answer.partial);
}

static void test_missing_records_make_it_partial(void **state)
{
    (void)state;
    driver_leader(&grid, 3, 2, 3, UINT32_MAX, GP_RIGHT_QUORUM);
    driver_find(&grid, 3, 5, "cpu >= 1");
    driver_lose(&grid);
    grid.now += 99 * GP_MSEC;
    driver_wake(&grid, 3);
    driver_lose(&grid);
    assert_int_equal(grid.answer_count, 0);
    grid.now += 2 * GP_MSEC;
    driver_wake(&grid, 3);
    assert_int_equal(grid.answer_count, 1);
    assert_true(grid.answer->u.answer.partial);
    assert_int_equal(grid.answer->u.answer.considered, 1);
}

/* Whom a new leader has not heard yet may follow it a moment later. */
static void test_a_new_leader_waits_for_members_it_has_not_heard(void **state)
{
    (void)state;
    driver_member(&grid, 1, 3, GP_MEMBER_UNKNOWN);
    driver_leader(&grid, 1, 2, 1, UINT32_MAX, GP_RIGHT_QUORUM);
    driver_find(&grid, 1, 5, "cpu >= 1");
    driver_deliver(&grid);
    assert_int_equal(grid.answer_count, 0);
    driver_run(&grid, 3 * GP_MSEC);
    assert_int_equal(grid.answer_count, 0);
    driver_member(&grid, 1, 3, GP_MEMBER_ALIVE);
    driver_run(&grid, GP_MSEC);
    assert_int_equal(grid.answer_count, 1);
    assert_int_equal(grid.answer->u.answer.matched, 4);
    assert_false(grid.answer->u.answer.partial);
}

static void test_members_that_stay_unheard_make_it_partial(void **state)
{
    (void)state;
    driver_member(&grid, 1, 3, GP_MEMBER_UNKNOWN);
    driver_leader(&grid, 1, 2, 1, UINT32_MAX, GP_RIGHT_QUORUM);
    driver_find(&grid, 1, 5, "cpu >= 1");
    driver_run(&grid, 99 * GP_MSEC);
    assert_int_equal(grid.answer_count, 0);
    driver_run(&grid, 2 * GP_MSEC);
    assert_int_equal(grid.answer_count, 1);
    assert_true(grid.answer->u.answer.partial);
    assert_int_equal(grid.answer->u.answer.matched, 3);
    driver_find(&grid, 1, 6, "cpu >= 1"); /* it has waited: the next one is answered at once */
    assert_int_equal(grid.answer_count, 2);
    assert_true(grid.answer->u.answer.partial);
}

static void test_a_lease_that_ran_out_is_none(void **state)
{
    (void)state;
    grid.now += GP_SECOND; /* nobody renewed */
    driver_find(&grid, 0, 5, "cpu >= 1");
    driver_find(&grid, 3, 6, "cpu >= 1");
    driver_deliver(&grid);
    assert_int_equal(grid.answer_count, 0);
    driver_leader(&grid, 0, 1, 0, 1, GP_RIGHT_QUORUM); /* the lease is renewed */
    assert_int_equal(grid.answer_count, 1);
    driver_run(&grid, 300 * GP_MSEC); /* and the other one asks again by itself */
    assert_int_equal(grid.answer_count, 2);
}

static void test_no_leader(void **state)
{
    static gp_msg_t msg;
    (void)state;
    driver_leader(&grid, 3, 1, UINT32_MAX, UINT32_MAX, GP_RIGHT_NONE);
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_FIND};
    msg.u.discovery_find.timeout_ms = 500;
    driver_command(&grid, 3, 5, &msg);
    driver_run(&grid, 499 * GP_MSEC);
    assert_int_equal(grid.answer_count, 0);
    driver_run(&grid, 2 * GP_MSEC);
    assert_int_equal(grid.answer_count, 1);
    assert_int_equal(grid.answer->u.answer.error, GP_E_NO_LEADER);
    assert_true(grid.answer->u.answer.partial);
    assert_true(gp_slice_equal(grid.answer->u.answer.text,
                               gp_text("no super-peer was known within 500 ms")));
}

static void test_caretaker(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        driver_member(&grid, i, 3, GP_MEMBER_UNKNOWN);
        driver_leader(&grid, i, 1, 0, UINT32_MAX, GP_RIGHT_CARETAKER);
    }
    grid.now += 5 * GP_SECOND; /* a caretaker has no lease */
    const gp_msg_answer_t *a = ask(2, "cpu >= 1");
    assert_int_equal(a->right, GP_RIGHT_CARETAKER);
    assert_true(a->partial);
    assert_int_equal(a->matched, 3);
}

static void test_who_is_offered(void **state)
{
    static const struct {
        gp_member_state_t state;
        uint32_t matched;
        bool partial;
    } cases[] = {{GP_MEMBER_UNAVAILABLE, 3, false},
                 {GP_MEMBER_LEFT, 3, false},
                 {GP_MEMBER_UNKNOWN, 3, true},
                 {GP_MEMBER_SUSPECT, 4, false},
                 {GP_MEMBER_ALIVE, 4, false}};
    (void)state;
    driver_run(&grid, 100 * GP_MSEC); /* the leader is not new any more: it does not wait */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        driver_member(&grid, 0, 2, cases[i].state);
        const gp_msg_answer_t *a = ask(1, "cpu >= 1");
        assert_int_equal(a->matched, cases[i].matched);
        assert_int_equal(a->partial, cases[i].partial);
        bool first = hit_is(a, 0, "n3"); /* it has the most free memory */
        assert_int_equal(first, cases[i].state == GP_MEMBER_ALIVE);
    }
}

static void test_fits(void **state)
{
    gp_query_error_t why;
    void *core = grid.nodes[2].core;
    (void)state;
    assert_int_equal(gp_discovery_fits(core, gp_text(""), &why), GP_OK);
    assert_int_equal(gp_discovery_fits(core, gp_text("name == n3 and cpu >= 8"), &why), GP_OK);
    assert_int_equal(gp_discovery_fits(core, gp_text("cpu >= 8 and mem.free >= 9GiB"), &why),
                     GP_E_NO_MATCH);
    assert_int_equal(why.column, 14);
    assert_string_equal(why.text, "\"mem.free >= 9GiB\" does not hold; here mem.free is 8GiB");
    assert_int_equal(gp_discovery_fits(core, gp_text("gpu"), &why), GP_E_NO_MATCH);
    assert_string_equal(why.text, "\"gpu\" does not hold; here gpu is not known");
    assert_int_equal(gp_discovery_fits(core, gp_text("not gpu"), &why), GP_E_NO_MATCH);
    assert_int_equal(gp_discovery_fits(core, gp_text("arch == x86_64"), &why), GP_E_NO_MATCH);
    assert_string_equal(why.text, "\"arch == x86_64\" does not hold; here arch is \"aarch64\"");
    assert_int_equal(gp_discovery_fits(core, gp_text("gpu or cpu > 8"), &why), GP_E_NO_MATCH);
    assert_string_equal(why.text, "\"gpu or cpu > 8\" does not hold"); /* which one failed? both */
    assert_int_equal(gp_discovery_fits(core, gp_text("mem.fre > 1B"), &why), GP_E_QUERY_ATTRIBUTE);
}

static void test_records_for_the_api(void **state)
{
    uint32_t lane = 99;
    (void)state;
    const gp_records_t *r = gp_discovery_record(grid.nodes[0].core, &grid.nodes[3].id, &lane);
    assert_non_null(r);
    assert_int_equal(gp_records_number(r, lane, GP_ATTR_CPU), 16);
    assert_null(gp_discovery_record(grid.nodes[2].core, &grid.nodes[3].id, &lane));
    r = gp_discovery_record(grid.nodes[2].core, &grid.nodes[2].id, &lane);
    assert_ptr_equal(r, gp_discovery_own(grid.nodes[2].core));
    assert_int_equal(gp_records_number(r, lane, GP_ATTR_CPU), 8);
    const gp_id_t stranger = driver_id(200);
    assert_null(gp_discovery_record(grid.nodes[0].core, &stranger, &lane));
}

static void test_config(void **state)
{
    const gp_discovery_config_t good = {.members_max = 64, .name = gp_text("n1")};
    static const char longer[GP_ADDRESS_MAX + 2] =
        "a-text-that-is-longer-than-32-bytes-and-longer-than-72-bytes-which-is-it";
    gp_discovery_config_t c = good;
    (void)state;
    assert_true(gp_discovery_ops.size(&c) > 0);
    c.members_max = 0;
    assert_int_equal(gp_discovery_ops.size(&c), 0);
    c.members_max = 65537;
    assert_int_equal(gp_discovery_ops.size(&c), 0);
    c = good;
    c.pool_bytes = UINT16_MAX + 1;
    assert_int_equal(gp_discovery_ops.size(&c), 0);
    c = good;
    c.name = (gp_slice_t){0};
    assert_int_equal(gp_discovery_ops.size(&c), 0);
    c.name = gp_slice(longer, GP_NAME_MAX + 1);
    assert_int_equal(gp_discovery_ops.size(&c), 0);
    c = good;
    c.region = gp_slice(longer, GP_NAME_MAX + 1);
    assert_int_equal(gp_discovery_ops.size(&c), 0);
    c.region = gp_slice(longer, GP_NAME_MAX);
    assert_true(gp_discovery_ops.size(&c) > 0);
    c.address = gp_slice(longer, GP_ADDRESS_MAX + 1);
    assert_int_equal(gp_discovery_ops.size(&c), 0);
    c.address = gp_slice(longer, GP_ADDRESS_MAX);
    assert_true(gp_discovery_ops.size(&c) > 0);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_everybody_gets_the_leaders_answer),
        CASE(test_by_name),
        CASE(test_a_record_cannot_claim_a_name),
        CASE(test_syntax_is_answered_here),
        CASE(test_a_find_outlives_its_leader),
        CASE(test_a_cold_successor_gathers_first),
        CASE(test_missing_records_make_it_partial),
        CASE(test_a_new_leader_waits_for_members_it_has_not_heard),
        CASE(test_members_that_stay_unheard_make_it_partial),
        CASE(test_a_lease_that_ran_out_is_none),
        CASE(test_no_leader),
        CASE(test_caretaker),
        CASE(test_who_is_offered),
        CASE(test_fits),
        CASE(test_records_for_the_api),
        cmocka_unit_test(test_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
