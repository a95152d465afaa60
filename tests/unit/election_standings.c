/* The group as the membership tells it: deputies, ranks, evidence, newcomers. */
#include "election_lab.h"

#include "proto_cmocka.h"

static void two_is_gone(gp_msg_election_standings_t *standings)
{
    standings->members[1].state = GP_MEMBER_UNAVAILABLE;
}

static void one_is_out_of_reach(gp_msg_election_standings_t *standings)
{
    standings->members[0].reached = false;
    standings->members[0].state = GP_MEMBER_UNKNOWN;
}

static void one_restarted(gp_msg_election_standings_t *standings)
{
    standings->members[0].incarnation = 6;
}

static solo_t *new_follower(uint32_t number, uint32_t voters)
{
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t state = solo_state(voters, 2);
    solo_t *solo = solo_new(&config, number, &state);
    solo_wake(solo, 1530 * GP_MSEC);
    solo_standings(solo, voters, NULL);
    solo_msg(solo, 1, solo_mandate(1, 2, voters));
    solo_lease(solo, 1, 2);
    return solo;
}

static bool deputy_is(const solo_t *solo, uint32_t number)
{
    gp_id_t deputy = gp_election_deputy(solo->core);
    gp_id_t wanted = number > 0 ? lab_id(number) : (gp_id_t){0};
    return gp_id_equal(&deputy, &wanted);
}

static void test_deputy_is_the_best_living_voter(void **state)
{
    (void)state;
    solo_t *solo = new_follower(5, 5);
    assert_true(deputy_is(solo, 2));
    solo_standings(solo, 5, two_is_gone);
    assert_true(deputy_is(solo, 3));
    assert_non_null(solo_find(solo, GP_MSG_LEADER));
    solo_standings(solo, 5, two_is_gone);
    assert_null(solo_find(solo, GP_MSG_LEADER)); /* told once */
    solo_free(solo);
    solo = new_follower(2, 2);
    assert_true(deputy_is(solo, 2));
    solo_free(solo);
    gp_election_config_t config = lab_config();
    solo = solo_leader(&config, 1);
    assert_true(deputy_is(solo, 0));
    solo_free(solo);
}

static void two_leaves(gp_msg_election_standings_t *standings)
{
    standings->members[1].flags = GP_FLAG_LEAVING;
}

/* When this voter of 1..4 stands after evidence against leader 1. */
static gp_usec_t stands_after(uint32_t number, void (*change)(gp_msg_election_standings_t *))
{
    solo_t *solo = new_follower(number, 4);
    solo_standings(solo, 4, change);
    gp_usec_t from = solo->now;
    gp_msg_t *msg = solo_new_msg(GP_MSG_ELECTION_EVIDENCE);
    msg->u.election_evidence.target = lab_id(1);
    msg->u.election_evidence.incarnation = 5;
    solo_command(solo, msg);
    while (solo_find(solo, GP_MSG_PREVOTE_ASK) == NULL) {
        solo_wake(solo, gp_election_ops.wake(solo->core) - solo->now);
    }
    assert_true(solo_find(solo, GP_MSG_PREVOTE_ASK)->msg->u.prevote_ask.evidence);
    assert_int_equal(solo_find(solo, GP_MSG_CAMPAIGN)->msg->u.campaign.why, GP_CAMPAIGN_EVIDENCE);
    gp_usec_t took = solo->now - from;
    solo_free(solo);
    return took;
}

static void test_the_best_stands_first(void **state)
{
    (void)state;
    assert_int_equal(stands_after(2, NULL), 0);
    assert_int_equal(stands_after(3, NULL), 30 * GP_MSEC);
    assert_int_equal(stands_after(4, NULL), 60 * GP_MSEC);
}

/* It may be alone in having the last register: then nobody else can win (seed 2542). */
static void test_who_is_to_be_replaced_stands_last(void **state)
{
    (void)state;
    assert_int_equal(stands_after(2, two_leaves), 120 * GP_MSEC);
}

static void test_a_leader_out_of_reach_is_lost_and_asked_when_back(void **state)
{
    (void)state;
    solo_t *solo = new_follower(3, 3);
    solo_standings(solo, 3, one_is_out_of_reach);
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_NONE);
    solo_standings(solo, 3, NULL);
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_NONE); /* it may lead no more */
    assert_non_null(solo_find(solo, GP_MSG_MANDATE_ASK));
    solo_msg(solo, 2, solo_mandate(1, 2, 3)); /* somebody else's copy proves nothing about now */
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_NONE);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_QUORUM);
    solo_free(solo);
}

static void test_a_new_incarnation_refutes_evidence(void **state)
{
    (void)state;
    solo_t *solo = new_follower(3, 3);
    gp_msg_t *msg = solo_new_msg(GP_MSG_ELECTION_EVIDENCE);
    msg->u.election_evidence.target = lab_id(1);
    msg->u.election_evidence.incarnation = 5;
    solo_command(solo, msg);
    assert_true(solo->core->evidence);
    solo_standings(solo, 3, NULL);
    assert_true(solo->core->evidence);
    solo_standings(solo, 3, one_restarted);
    assert_false(solo->core->evidence);
    solo_free(solo);
}

static void test_the_leader_shows_its_mandate_to_who_comes(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    solo_standings(solo, 3, NULL);
    assert_null(solo_find(solo, GP_MSG_MANDATE));
    solo_standings(solo, 4, NULL);
    const gp_action_t *shown = solo_find(solo, GP_MSG_MANDATE);
    assert_int_equal(shown->type, GP_ACTION_CAST);
    assert_int_equal(shown->target_count, 1);
    gp_id_t four = lab_id(4);
    assert_true(gp_id_equal(&shown->targets[0], &four));
    solo_standings(solo, 4, two_is_gone);
    assert_null(solo_find(solo, GP_MSG_MANDATE));
    solo_standings(solo, 4, NULL);
    assert_int_equal(solo_find(solo, GP_MSG_MANDATE)->target_count, 1); /* back again */
    solo_free(solo);
}

static void test_rosters_from_messages_are_checked(void **state)
{
    (void)state;
    gp_election_roster_t roster;
    gp_msg_election_state_t good = solo_state(5, 1);
    assert_true(gp_election_roster_read(good.voters, 5, &roster));
    assert_int_equal(roster.count, 5);
    assert_false(gp_election_roster_read(good.voters, 0, &roster));
    assert_false(gp_election_roster_read(good.voters, 6, &roster));
    good.voters[4].id = good.voters[0].id;
    assert_false(gp_election_roster_read(good.voters, 5, &roster));
    assert_true(gp_election_roster_read(good.voters, 4, &roster));
    good.voters[2].id = (gp_id_t){0};
    assert_false(gp_election_roster_read(good.voters, 4, &roster));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deputy_is_the_best_living_voter),
        cmocka_unit_test(test_the_best_stands_first),
        cmocka_unit_test(test_who_is_to_be_replaced_stands_last),
        cmocka_unit_test(test_a_leader_out_of_reach_is_lost_and_asked_when_back),
        cmocka_unit_test(test_a_new_incarnation_refutes_evidence),
        cmocka_unit_test(test_the_leader_shows_its_mandate_to_who_comes),
        cmocka_unit_test(test_rosters_from_messages_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
