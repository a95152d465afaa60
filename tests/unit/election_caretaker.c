/* The caretaker of a side without a majority: who it is, and that it yields. */
#include "election_lab.h"

#include "proto_cmocka.h"

static gp_right_t right_of(const lab_t *lab, uint32_t node)
{
    return gp_election_right(lab->nodes[node].core);
}

static bool follows(const lab_t *lab, uint32_t node, uint32_t leader)
{
    gp_id_t id = gp_election_leader(lab->nodes[node].core);
    return gp_id_equal(&id, &lab->nodes[leader].id);
}

static void test_of_two_the_other_takes_care(void **state)
{
    (void)state;
    lab_t *lab = lab_new(2, 1);
    lab_grow(lab);
    lab_crash(lab, 0);
    lab_run(lab, 4 * GP_SECOND);
    assert_int_equal(right_of(lab, 1), GP_RIGHT_CARETAKER);
    assert_true(follows(lab, 1, 1));
    assert_int_equal(gp_election_term(lab->nodes[1].core), 1); /* raises no term */
    assert_int_equal(gp_election_own_term(lab->nodes[1].core), 1);
    assert_true(gp_election_lease_until(lab->nodes[1].core) == GP_NEVER);
    assert_int_equal(lab->nodes[1].said.right, GP_RIGHT_CARETAKER);
    lab_start(lab, 0);
    (void)lab_wait(lab, lab_agreed, 4 * GP_SECOND);
    assert_int_equal(lab_leader(lab), 0);
    assert_int_equal(lab->nodes[1].step_down_why, GP_STEP_DOWN_MANDATE);
    assert_int_equal(gp_election_lease_until(lab->nodes[1].core), 0);
    lab_free(lab);
}

static void test_of_two_in_a_partition_the_leader_stays(void **state)
{
    (void)state;
    lab_t *lab = lab_new(2, 2);
    lab_grow(lab);
    lab_split(lab, 1, true);
    lab_run(lab, 20 * GP_SECOND);
    assert_int_equal(lab_leader(lab), 0);
    assert_int_equal(right_of(lab, 1), GP_RIGHT_CARETAKER);
    lab_heal(lab);
    (void)lab_wait(lab, lab_agreed, 2 * GP_SECOND);
    assert_int_equal(gp_election_term(lab->nodes[1].core), 1);
    lab_free(lab);
}

static void test_a_minority_with_the_old_leader(void **state)
{
    (void)state;
    lab_t *lab = lab_new(6, 3);
    lab_grow(lab);              /* 1 to 5 vote */
    lab_split(lab, 0x23, true); /* 1, 2 and the plain member 6 */
    lab_run(lab, 8 * GP_SECOND);
    assert_int_equal(lab_leader(lab), 2);
    assert_int_equal(right_of(lab, 0), GP_RIGHT_CARETAKER);
    assert_true(follows(lab, 0, 0) && follows(lab, 1, 0) && follows(lab, 5, 0));
    assert_int_equal(right_of(lab, 5), GP_RIGHT_CARETAKER);
    assert_int_equal(right_of(lab, 3), GP_RIGHT_QUORUM);
    lab_heal(lab);
    (void)lab_wait(lab, lab_agreed, 3 * GP_SECOND);
    assert_int_equal(lab_leader(lab), 2);
    lab_free(lab);
}

static void test_two_caretakers_become_one(void **state)
{
    (void)state;
    lab_t *lab = lab_new(7, 4);
    lab_grow(lab);
    lab_crash(lab, 0);
    lab_crash(lab, 1);
    lab_crash(lab, 2);          /* no majority anywhere */
    lab_split(lab, 0x18, true); /* 4 and 5, 6 and 7 */
    lab_run(lab, 12 * GP_SECOND);
    assert_int_equal(lab_leader(lab), -1);
    assert_true(follows(lab, 3, 3) && follows(lab, 4, 3));
    assert_true(follows(lab, 5, 5) && follows(lab, 6, 5));
    lab_heal(lab);
    lab_run(lab, 2 * GP_SECOND);
    for (uint32_t i = 3; i < 7; i++) {
        assert_true(follows(lab, i, 3));
        assert_int_equal(right_of(lab, i), GP_RIGHT_CARETAKER);
    }
    assert_int_equal(lab->nodes[5].step_down_why, GP_STEP_DOWN_MANDATE);
    lab_start(lab, 0);
    (void)lab_wait(lab, lab_agreed, 5 * GP_SECOND);
    lab_free(lab);
}

static void test_a_caretaker_that_dies_is_replaced(void **state)
{
    (void)state;
    lab_t *lab = lab_new(7, 5);
    lab_grow(lab);
    for (uint32_t i = 0; i < 3; i++) {
        lab_crash(lab, i);
    }
    lab_run(lab, 12 * GP_SECOND);
    assert_true(follows(lab, 6, 3));
    lab_crash(lab, 3);
    lab_run(lab, 8 * GP_SECOND);
    assert_true(follows(lab, 4, 4) && follows(lab, 5, 4) && follows(lab, 6, 4));
    lab_command(lab, 4, GP_MSG_ELECTION_RELINQUISH); /* one that goes says so */
    lab_run(lab, 4 * GP_SECOND);
    assert_true(follows(lab, 5, 5) && follows(lab, 6, 5));
    lab_free(lab);
}

static void test_relayed_machines_do_not_take_care(void **state)
{
    (void)state;
    lab_t *lab = lab_new(2, 6);
    lab->nodes[1].flags = GP_FLAG_RELAYED;
    lab_grow(lab);
    lab_crash(lab, 0);
    lab_run(lab, 10 * GP_SECOND);
    assert_int_equal(right_of(lab, 1), GP_RIGHT_NONE);
    lab_free(lab);
}

static void test_with_a_majority_there_is_no_caretaker(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        lab_t *lab = lab_new(6, seed);
        lab_grow(lab);
        if (seed % 2 == 0) {
            lab_freeze(lab, 0);
        } else {
            lab_crash(lab, 0);
        }
        for (uint32_t i = 0; i < 80; i++) {
            lab_run(lab, 50 * GP_MSEC);
            for (uint32_t j = 1; j < 6; j++) {
                assert_int_not_equal(right_of(lab, j), GP_RIGHT_CARETAKER);
            }
        }
        lab_free(lab);
    }
}

static void test_who_never_belonged_takes_no_care(void **state)
{
    (void)state;
    lab_t *lab = lab_new(2, 7);
    lab_start(lab, 0);
    lab_start(lab, 1);
    lab_run(lab, 20 * GP_SECOND);
    assert_int_equal(right_of(lab, 0), GP_RIGHT_NONE);
    lab_free(lab);
}

/* A member 2 of a group whose leader 1 is out of reach for long. */
static void one_is_lost(gp_msg_election_standings_t *standings)
{
    standings->members[0].reached = false;
    standings->members[0].state = GP_MEMBER_UNKNOWN;
}

static void say(solo_t *solo, uint32_t from, uint16_t score, bool over)
{
    gp_msg_t *msg = solo_new_msg(GP_MSG_CARETAKER);
    msg->u.caretaker.term = 2;
    msg->u.caretaker.score = score;
    msg->u.caretaker.over = over;
    solo_msg(solo, from, msg);
}

static bool takes_care(const solo_t *solo, uint32_t number)
{
    gp_id_t id = lab_id(number);
    gp_id_t leader = gp_election_leader(solo->core);
    return gp_election_right(solo->core) == GP_RIGHT_CARETAKER && gp_id_equal(&id, &leader);
}

static void test_the_better_overrides_the_worse_follows(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_new(&config, 2, NULL);
    solo_msg(solo, 1, solo_mandate(1, 2, 1));
    solo_standings(solo, 4, NULL);
    say(solo, 3, 999, false); /* while a leader leads it is only told so */
    assert_non_null(solo_find(solo, GP_MSG_MANDATE));
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_QUORUM);
    solo_standings(solo, 4, one_is_lost);
    say(solo, 3, 880, false); /* worse than its own 890 */
    assert_true(takes_care(solo, 2));
    assert_int_equal(solo_find(solo, GP_MSG_CARETAKER)->type, GP_ACTION_CAST);
    assert_int_equal(solo_find(solo, GP_MSG_CARETAKER)->target_count, 2);
    say(solo, 4, 880, false); /* it tells that one too */
    assert_int_equal(solo_find(solo, GP_MSG_CARETAKER)->type, GP_ACTION_SEND);
    say(solo, 4, 890, false); /* equal: the lower id leads */
    assert_true(takes_care(solo, 2));
    say(solo, 3, 891, false);
    assert_true(takes_care(solo, 3));
    assert_true(solo_find(solo, GP_MSG_CARETAKER)->msg->u.caretaker.over);
    say(solo, 4, 880, true); /* over for somebody else */
    assert_true(takes_care(solo, 3));
    say(solo, 3, 891, true);
    assert_false(takes_care(solo, 3));
    say(solo, 3, 891, false);
    solo_wake(solo, 4499 * GP_MSEC);
    assert_true(takes_care(solo, 3));
    solo_wake(solo, GP_MSEC); /* three declarations missed */
    assert_false(takes_care(solo, 3));
    solo_msg(solo, 1, solo_mandate(1, 2, 1));
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_QUORUM);
    solo_free(solo);
}

static void test_a_leader_that_takes_care_leads_no_more(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_new(&config, 4, NULL);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    solo_standings(solo, 4, NULL);
    say(solo, 1, 900, false);
    assert_true(takes_care(solo, 1));
    solo_free(solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_two_the_other_takes_care),
        cmocka_unit_test(test_of_two_in_a_partition_the_leader_stays),
        cmocka_unit_test(test_a_minority_with_the_old_leader),
        cmocka_unit_test(test_two_caretakers_become_one),
        cmocka_unit_test(test_a_caretaker_that_dies_is_replaced),
        cmocka_unit_test(test_relayed_machines_do_not_take_care),
        cmocka_unit_test(test_with_a_majority_there_is_no_caretaker),
        cmocka_unit_test(test_who_never_belonged_takes_no_care),
        cmocka_unit_test(test_the_better_overrides_the_worse_follows),
        cmocka_unit_test(test_a_leader_that_takes_care_leads_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
