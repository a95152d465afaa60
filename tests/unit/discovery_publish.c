/* This machine's record on its way to leader and deputy. */
#include <stdlib.h>

#include "discovery_driver.h"

static driver_grid_t grid;

static int set_up(void **state)
{
    (void)state;
    driver_grid_quiet(&grid, 4);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    driver_grid_free(&grid);
    return 0;
}

static const gp_msg_record_t *letter(uint32_t i)
{
    assert_true(i < grid.letter_count);
    assert_int_equal(grid.letters[i].msg->kind, GP_MSG_RECORD);
    return &grid.letters[i].msg->u.record;
}

static void test_whole_to_leader_and_deputy(void **state)
{
    (void)state;
    driver_own(&grid, 3, "cpu=4 arch=x86_64");
    assert_int_equal(grid.letter_count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(gp_id_equal(&grid.letters[i].to, &grid.nodes[i].id));
        assert_true(letter(i)->whole);
        assert_int_equal(letter(i)->group, 7);
        assert_int_equal(letter(i)->incarnation, 1);
        assert_int_equal(letter(i)->version, 1);
        assert_int_equal(letter(i)->attrs_count, 2);
    }
}

static void test_nothing_before_it_is_collected(void **state)
{
    (void)state;
    driver_wake(&grid, 3);
    assert_int_equal(grid.letter_count, 0);
    assert_true(gp_discovery_ops.wake(grid.nodes[3].core) == GP_NEVER);
}

static void test_deltas_leave_their_band_at_most_once_a_second(void **state)
{
    (void)state;
    driver_own(&grid, 3, "cpu=4 mem.free=8GiB load.1=1");
    driver_lose(&grid);
    grid.now += GP_MSEC;
    driver_own(&grid, 3, "cpu=4 mem.free=8GiB load.1=1.1");
    assert_int_equal(grid.letter_count, 0); /* within the dead band */
    driver_own(&grid, 3, "cpu=4 mem.free=4GiB load.1=1.1");
    assert_int_equal(grid.letter_count, 2);
    assert_false(letter(0)->whole);
    assert_int_equal(letter(0)->version, 2);
    assert_int_equal(letter(0)->attrs_count, 1);
    assert_int_equal(letter(0)->attrs[0].attr, GP_ATTR_MEM_FREE);
    driver_lose(&grid);
    driver_own(&grid, 3, "cpu=4 mem.free=2GiB load.1=1.1");
    assert_int_equal(grid.letter_count, 0);
    assert_true(gp_discovery_ops.wake(grid.nodes[3].core) == grid.now + GP_SECOND);
    grid.now += GP_SECOND;
    driver_own(&grid, 3, "cpu=4 load.1=9"); /* memory is no longer known */
    assert_int_equal(grid.letter_count, 2);
    assert_int_equal(letter(1)->version, 3);
    assert_int_equal(letter(1)->attrs_count, 2);
    assert_int_equal(letter(1)->attrs[1].attr, GP_ATTR_MEM_FREE | GP_ATTR_UNSET);
}

static void test_reminders_get_rarer(void **state)
{
    gp_usec_t at[4];
    (void)state;
    driver_own(&grid, 3, "cpu=4");
    driver_lose(&grid);
    for (uint32_t i = 0; i < 4; i++) {
        gp_usec_t wake = gp_discovery_ops.wake(grid.nodes[3].core);
        at[i] = wake - grid.now;
        grid.now = wake;
        driver_wake(&grid, 3);
        assert_int_equal(grid.letter_count, 2);
        assert_false(letter(0)->whole);
        assert_int_equal(letter(0)->attrs_count, 0);
        assert_int_equal(letter(0)->version, 1);
        driver_lose(&grid);
    }
    assert_int_equal(at[0], 8 * GP_SECOND);
    assert_int_equal(at[1], 16 * GP_SECOND);
    assert_int_equal(at[3], 64 * GP_SECOND);
    for (uint32_t i = 0; i < 10; i++) {
        grid.now = gp_discovery_ops.wake(grid.nodes[3].core);
        driver_wake(&grid, 3);
        driver_lose(&grid);
    }
    assert_true(gp_discovery_ops.wake(grid.nodes[3].core) == grid.now + 64 * GP_SECOND);
}

static void test_a_deputy_that_leads_needs_nothing_new(void **state)
{
    (void)state;
    driver_own(&grid, 3, "cpu=4");
    driver_lose(&grid);
    driver_leader(&grid, 3, 2, 1, 2, GP_RIGHT_QUORUM); /* n2 leads, n3 is the new deputy */
    assert_int_equal(grid.letter_count, 1);
    assert_true(gp_id_equal(&grid.letters[0].to, &grid.nodes[2].id));
    assert_true(letter(0)->whole);
    driver_lose(&grid);
    driver_leader(&grid, 3, 2, 1, 2, GP_RIGHT_QUORUM); /* the lease renewed: nothing */
    assert_int_equal(grid.letter_count, 0);
}

/* What is sent whole later is what deltas have led to, not what was collected since. */
static void test_whole_is_what_others_hold(void **state)
{
    (void)state;
    driver_own(&grid, 3, "cpu=4 load.1=1");
    driver_own(&grid, 3, "cpu=4 load.1=1.1"); /* within its band, so nobody knows */
    driver_lose(&grid);
    driver_leader(&grid, 3, 2, 1, 2, GP_RIGHT_QUORUM);
    assert_int_equal(letter(0)->version, 1);
    assert_int_equal(letter(0)->attrs[1].number, 1000);
    driver_lose(&grid);
    driver_leader(&grid, 3, 3, 0, UINT32_MAX, GP_RIGHT_QUORUM); /* only n1, which knows nothing */
    assert_int_equal(letter(0)->version, 1); /* nothing left its band: still version 1 */
    driver_lose(&grid);
    driver_own(&grid, 3, "cpu=8 load.1=1.1");
    driver_lose(&grid);
    driver_leader(&grid, 3, 4, 2, UINT32_MAX, GP_RIGHT_QUORUM); /* n3 was told long ago, and lost */
    assert_true(letter(0)->whole);
    assert_int_equal(letter(0)->version, 2);
    assert_int_equal(letter(0)->attrs[0].number, 8);
}

static void test_asked_for_it(void **state)
{
    static gp_msg_t ask;
    const gp_id_t stranger = driver_id(77);
    (void)state;
    ask = (gp_msg_t){.kind = GP_MSG_RECORD_ASK};
    ask.u.record_ask.group = 7;
    driver_message(&grid, 3, &grid.nodes[2].id, &ask);
    assert_int_equal(grid.letter_count, 0); /* nothing collected yet */
    driver_own(&grid, 3, "cpu=4");
    driver_lose(&grid);
    driver_message(&grid, 3, &grid.nodes[2].id, &ask); /* a member that may lead soon */
    assert_int_equal(grid.letter_count, 1);
    assert_true(letter(0)->whole);
    driver_message(&grid, 3, &grid.nodes[2].id, &ask);
    assert_int_equal(grid.letter_count, 1); /* not again so soon */
    grid.now += 100 * GP_MSEC;
    driver_message(&grid, 3, &grid.nodes[2].id, &ask);
    assert_int_equal(grid.letter_count, 2);
    driver_message(&grid, 3, &stranger, &ask);
    driver_message(&grid, 3, &grid.nodes[3].id, &ask); /* as if from itself */
    ask.u.record_ask.group = 8;
    driver_message(&grid, 3, &grid.nodes[1].id, &ask);
    assert_int_equal(grid.letter_count, 2);
}

static void test_a_leader_alone_sends_nothing(void **state)
{
    (void)state;
    driver_leader(&grid, 0, 1, 0, UINT32_MAX, GP_RIGHT_QUORUM);
    driver_lose(&grid);
    memset(grid.sent, 0, sizeof grid.sent);
    driver_own(&grid, 0, "cpu=4");
    grid.now += GP_SECOND;
    driver_own(&grid, 0, "cpu=8");
    assert_int_equal(grid.sent[GP_MSG_RECORD], 0);
}

/* An hour on an idle machine: what discovery costs the network. */
static void test_quiet_when_nothing_changes(void **state)
{
    (void)state;
    driver_own(&grid, 0, "cpu=4");
    driver_own(&grid, 1, "cpu=4");
    driver_own(&grid, 2, "cpu=4");
    driver_own(&grid, 3, "cpu=4 arch=x86_64");
    driver_run(&grid, 3600 * GP_SECOND);
    /* n1 tells n2, n2 tells n1, n3 and n4 tell both: six letters each 64 s, and the first ones */
    assert_in_range(grid.sent[GP_MSG_RECORD], 300, 420);
    assert_in_range(grid.sent[GP_MSG_RECORD_ASK], 0, 8);
}

/* What changed while nobody led is a version of its own for whoever leads next. */
static void test_changes_without_a_leader(void **state)
{
    (void)state;
    driver_own(&grid, 3, "cpu=4");
    driver_lose(&grid);
    driver_leader(&grid, 3, 2, UINT32_MAX, UINT32_MAX, GP_RIGHT_NONE);
    driver_own(&grid, 3, "cpu=8");
    assert_int_equal(grid.letter_count, 0);
    driver_leader(&grid, 3, 3, 2, UINT32_MAX, GP_RIGHT_QUORUM);
    assert_int_equal(grid.letter_count, 1);
    assert_true(letter(0)->whole);
    assert_int_equal(letter(0)->version, 2);
    assert_int_equal(letter(0)->attrs[0].number, 8);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_whole_to_leader_and_deputy),
        CASE(test_nothing_before_it_is_collected),
        CASE(test_deltas_leave_their_band_at_most_once_a_second),
        CASE(test_reminders_get_rarer),
        CASE(test_a_deputy_that_leads_needs_nothing_new),
        CASE(test_whole_is_what_others_hold),
        CASE(test_asked_for_it),
        CASE(test_a_leader_alone_sends_nothing),
        CASE(test_quiet_when_nothing_changes),
        CASE(test_changes_without_a_leader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
