/* This machine's own questions: repeats, limits, time-outs, answers that are not for it. */
#include <stdio.h>
#include <stdlib.h>

#include "discovery_driver.h"

static driver_grid_t grid;

static int set_up(void **state)
{
    (void)state;
    driver_grid_init(&grid, 3);
    for (uint32_t i = 0; i < 3; i++) {
        driver_own(&grid, i, "cpu=4");
    }
    driver_run(&grid, GP_MSEC);
    memset(grid.sent, 0, sizeof grid.sent);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    driver_grid_free(&grid);
    return 0;
}

static void find_within(uint32_t node, uint64_t token, uint32_t timeout_ms)
{
    static gp_msg_t msg;
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_FIND};
    msg.u.discovery_find.query = gp_text("cpu >= 1");
    msg.u.discovery_find.timeout_ms = timeout_ms;
    driver_command(&grid, node, token, &msg);
}

static void test_repeats_until_the_time_is_up(void **state)
{
    (void)state;
    gp_usec_t start = grid.now;
    find_within(2, 9, 3000);
    while (grid.answer_count == 0) {
        driver_lose(&grid);
        grid.now = gp_discovery_ops.wake(grid.nodes[2].core);
        driver_wake(&grid, 2);
    }
    assert_int_equal(grid.now - start, 3 * GP_SECOND);
    assert_int_equal(grid.answer_token, 9);
    assert_int_equal(grid.answer->u.answer.error, GP_E_TIMED_OUT);
    assert_true(gp_slice_equal(grid.answer->u.answer.text,
                               gp_text("no answer from the super-peer n1 within 3000 ms")));
    assert_in_range(grid.sent[GP_MSG_FIND], 5, 9); /* 50 ms, doubling, then each second */
    assert_true(gp_discovery_ops.wake(grid.nodes[2].core) > grid.now);
}

static void test_the_default_time(void **state)
{
    (void)state;
    driver_leader(&grid, 2, 1, UINT32_MAX, UINT32_MAX, GP_RIGHT_NONE);
    find_within(2, 9, 0);
    driver_run(&grid, 5 * GP_SECOND - 1);
    assert_int_equal(grid.answer_count, 0);
    driver_run(&grid, 1);
    assert_int_equal(grid.answer->u.answer.error, GP_E_NO_LEADER);
}

static void test_a_repeat_is_answered_once(void **state)
{
    (void)state;
    find_within(2, 9, 3000);
    grid.now += 60 * GP_MSEC;
    driver_wake(&grid, 2); /* the same question once more */
    assert_int_equal(grid.sent[GP_MSG_FIND], 2);
    driver_deliver(&grid);
    assert_int_equal(grid.sent[GP_MSG_FOUND], 2);
    assert_int_equal(grid.answer_count, 1);
}

static void test_busy(void **state)
{
    (void)state;
    driver_leader(&grid, 2, 1, UINT32_MAX, UINT32_MAX, GP_RIGHT_NONE);
    for (uint32_t i = 0; i < GP_FINDS_MAX; i++) {
        find_within(2, i, 1000);
    }
    assert_int_equal(grid.answer_count, 0);
    find_within(2, 1000, 1000);
    assert_int_equal(grid.answer_count, 1);
    assert_int_equal(grid.answer_token, 1000);
    assert_int_equal(grid.answer->u.answer.error, GP_E_BUSY);
    driver_leader(&grid, 2, 2, 0, 1, GP_RIGHT_QUORUM); /* all are asked at once */
    assert_int_equal(grid.sent[GP_MSG_FIND], GP_FINDS_MAX);
    driver_deliver(&grid);
    assert_int_equal(grid.answer_count, 1 + GP_FINDS_MAX);
}

/* A machine that comes to lead answers its own questions one a step, first come, first served. */
static void test_own_questions_in_order(void **state)
{
    (void)state;
    driver_leader(&grid, 1, 1, UINT32_MAX, UINT32_MAX, GP_RIGHT_NONE);
    for (uint32_t i = 0; i < 10; i++) {
        find_within(1, 100 + i, 1000);
    }
    grid.now += GP_SECOND / 2;
    driver_leader(&grid, 1, 2, 1, UINT32_MAX, GP_RIGHT_QUORUM);
    driver_deliver(&grid); /* the records that it lacks */
    uint32_t answered = grid.answer_count;
    while (answered < 10) {
        assert_true(gp_discovery_ops.wake(grid.nodes[1].core) <= grid.now);
        driver_wake(&grid, 1);
        answered += 1;
        assert_int_equal(grid.answer_count, answered);
        assert_int_equal(grid.answer_token, 99 + answered);
    }
    assert_true(gp_discovery_ops.wake(grid.nodes[1].core) > grid.now);
}

static void test_answers_of_others_do_not_count(void **state)
{
    static gp_msg_t msg;
    (void)state;
    find_within(2, 9, 3000);
    msg = *grid.letters[0].msg;
    uint64_t query_id = grid.letters[0].msg->u.find.query_id;
    msg = (gp_msg_t){.kind = GP_MSG_FOUND};
    msg.u.found.group = 7;
    msg.u.found.query_id = query_id;
    driver_message(&grid, 2, &grid.nodes[1].id, &msg); /* was not asked */
    msg.u.found.query_id = query_id + 1;
    driver_message(&grid, 2, &grid.nodes[0].id, &msg);
    msg.u.found.query_id = query_id;
    msg.u.found.group = 8;
    driver_message(&grid, 2, &grid.nodes[0].id, &msg);
    assert_int_equal(grid.answer_count, 0);
    msg.u.found.group = 7;
    driver_message(&grid, 2, &grid.nodes[0].id, &msg);
    assert_int_equal(grid.answer_count, 1);
    driver_message(&grid, 2, &grid.nodes[0].id, &msg); /* twice */
    assert_int_equal(grid.answer_count, 1);
}

static void test_strangers_are_not_answered(void **state)
{
    static gp_msg_t msg;
    const gp_id_t stranger = driver_id(99);
    (void)state;
    msg = (gp_msg_t){.kind = GP_MSG_FIND};
    msg.u.find.group = 7;
    driver_message(&grid, 0, &stranger, &msg);
    msg.u.find.group = 8;
    driver_message(&grid, 0, &grid.nodes[2].id, &msg);
    msg.u.find.group = 7;
    driver_message(&grid, 1, &grid.nodes[2].id, &msg); /* the deputy does not answer */
    assert_int_equal(grid.sent[GP_MSG_FOUND], 0);
    driver_message(&grid, 0, &grid.nodes[2].id, &msg);
    assert_int_equal(grid.sent[GP_MSG_FOUND], 1);
}

/* The leader's version may know less than the asker's: its error comes back as the answer. */
static void test_the_leaders_error_comes_back(void **state)
{
    static gp_msg_t msg;
    (void)state;
    msg = (gp_msg_t){.kind = GP_MSG_FIND};
    msg.u.find.group = 7;
    msg.u.find.query = gp_text("newer.attribute > 3");
    driver_message(&grid, 0, &grid.nodes[2].id, &msg);
    assert_int_equal(grid.letter_count, 1);
    assert_int_equal(grid.letters[0].msg->u.found.error, GP_E_QUERY_ATTRIBUTE);
    assert_int_equal(grid.letters[0].msg->u.found.column, 1);
    msg.u.find.query = gp_text("");
    msg.u.find.rank = gp_text("cpu,");
    driver_message(&grid, 0, &grid.nodes[2].id, &msg);
    assert_int_equal(grid.letters[1].msg->u.found.error, GP_E_QUERY_SYNTAX);
}

static void test_too_long(void **state)
{
    static gp_msg_t msg;
    static char text[GP_QUERY_MAX + 100];
    (void)state;
    memset(text, ' ', sizeof text);
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_FIND};
    msg.u.discovery_find.query = gp_slice(text, sizeof text);
    driver_command(&grid, 2, 5, &msg);
    assert_int_equal(grid.answer->u.answer.error, GP_E_QUERY_LIMIT);
    msg.u.discovery_find.query = gp_text("");
    msg.u.discovery_find.rank = gp_slice(text, sizeof text);
    driver_command(&grid, 2, 6, &msg);
    assert_int_equal(grid.answer->u.answer.error, GP_E_QUERY_LIMIT);
    assert_int_equal(grid.answer_token, 6);
}

static void test_leaders_change_again_and_again(void **state)
{
    (void)state;
    find_within(2, 9, 60000);
    for (uint64_t term = 2; term < 40; term++) {
        driver_lose(&grid);
        driver_leader(&grid, 2, term, term % 3 == 0 ? UINT32_MAX : (uint32_t)(term % 2), 2,
                      term % 3 == 0 ? GP_RIGHT_NONE : GP_RIGHT_QUORUM);
        grid.now += 10 * GP_MSEC;
    }
    driver_lose(&grid);
    assert_int_equal(grid.answer_count, 0);
    driver_leader(&grid, 0, 100, 0, 1, GP_RIGHT_QUORUM);
    driver_leader(&grid, 2, 100, 0, 1, GP_RIGHT_QUORUM);
    driver_run(&grid, GP_SECOND);
    assert_int_equal(grid.answer_count, 1);
    assert_int_equal(grid.answer->u.answer.error, 0);
}

/* Who is said to lead without a right to it is not asked, and says nothing itself. */
static void test_a_leader_without_a_right(void **state)
{
    (void)state;
    driver_leader(&grid, 2, 2, 0, 1, GP_RIGHT_NONE);
    find_within(2, 9, 1000);
    assert_int_equal(grid.sent[GP_MSG_FIND], 0);
    driver_leader(&grid, 0, 2, 0, 1, GP_RIGHT_NONE);
    find_within(0, 8, 1000);
    assert_int_equal(grid.answer_count, 0);
    grid.now += GP_SECOND;
    driver_wake(&grid, 0);
    assert_int_equal(grid.answer_count, 1);
    assert_int_equal(grid.answer->u.answer.error, GP_E_NO_LEADER);
    driver_wake(&grid, 2);
    assert_int_equal(grid.answer_count, 2);
    assert_int_equal(grid.answer->u.answer.error, GP_E_NO_LEADER);
}

/* One large answer in a step: another's, which its question brought, goes before our own. */
static void test_anothers_answer_goes_first(void **state)
{
    static gp_msg_t msg;
    (void)state;
    driver_leader(&grid, 2, 2, 2, UINT32_MAX, GP_RIGHT_QUORUM);
    driver_lose(&grid); /* no record comes */
    find_within(2, 9, 1000);
    assert_int_equal(grid.answer_count, 0);
    grid.now += 100 * GP_MSEC; /* it has waited long enough */
    msg = (gp_msg_t){.kind = GP_MSG_FIND};
    msg.u.find.group = 7;
    driver_message(&grid, 2, &grid.nodes[1].id, &msg);
    assert_int_equal(grid.sent[GP_MSG_FOUND], 1);
    assert_int_equal(grid.answer_count, 0);
    assert_true(gp_discovery_ops.wake(grid.nodes[2].core) <= grid.now);
    driver_wake(&grid, 2);
    assert_int_equal(grid.answer_count, 1);
    assert_int_equal(grid.answer_token, 9);
}

/* A new leader gathers records for longer than this question waits. */
static void test_a_question_too_short_for_gathering(void **state)
{
    (void)state;
    gp_usec_t start = grid.now;
    driver_leader(&grid, 2, 2, 2, UINT32_MAX, GP_RIGHT_QUORUM);
    driver_lose(&grid); /* no record comes */
    find_within(2, 9, 50);
    find_within(2, 10, 3000);
    assert_true(gp_discovery_ops.wake(grid.nodes[2].core) == start + 50 * GP_MSEC);
    grid.now = start + 50 * GP_MSEC;
    driver_wake(&grid, 2);
    assert_int_equal(grid.answer_count, 1);
    assert_int_equal(grid.answer_token, 9);
    assert_int_equal(grid.answer->u.answer.error, GP_E_NO_LEADER);
    grid.now = start + 100 * GP_MSEC; /* the other one is answered with what is there */
    driver_wake(&grid, 2);
    assert_int_equal(grid.answer_count, 2);
    assert_int_equal(grid.answer->u.answer.error, GP_OK);
    assert_true(grid.answer->u.answer.partial);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_repeats_until_the_time_is_up),
        CASE(test_the_default_time),
        CASE(test_a_repeat_is_answered_once),
        CASE(test_busy),
        CASE(test_own_questions_in_order),
        CASE(test_answers_of_others_do_not_count),
        CASE(test_strangers_are_not_answered),
        CASE(test_the_leaders_error_comes_back),
        CASE(test_too_long),
        CASE(test_leaders_change_again_and_again),
        CASE(test_a_leader_without_a_right),
        CASE(test_anothers_answer_goes_first),
        CASE(test_a_question_too_short_for_gathering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
