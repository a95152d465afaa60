/* Who votes: how a roster grows, heals and shrinks with its group. */
#include "election_lab.h"

#include "proto_cmocka.h"

static bool has(const lab_t *lab, uint32_t count)
{
    int leader = lab_leader(lab);
    return leader >= 0 && lab_roster_count(lab) == count && lab->nodes[leader].core->committed;
}

static bool has_one(const lab_t *lab)
{
    return has(lab, 1);
}

static bool has_three(const lab_t *lab)
{
    return has(lab, 3);
}

static bool has_five(const lab_t *lab)
{
    return has(lab, 5);
}

static void test_grows_as_members_come(void **state)
{
    (void)state;
    lab_t *lab = lab_new(6, 1);
    lab_start(lab, 0);
    lab_command(lab, 0, GP_MSG_ELECTION_FOUND);
    lab_run(lab, GP_SECOND);
    lab_start(lab, 1);
    lab_run(lab, 3 * GP_SECOND);
    assert_true(has_one(lab)); /* two do not make a quorum that survives one */
    lab_start(lab, 2);
    (void)lab_wait(lab, has_three, 2 * GP_SECOND);
    lab_start(lab, 3);
    lab_run(lab, 3 * GP_SECOND);
    assert_true(has_three(lab));
    lab_start(lab, 4);
    (void)lab_wait(lab, has_five, 2 * GP_SECOND);
    lab_start(lab, 5);
    lab_run(lab, 3 * GP_SECOND);
    assert_true(has_five(lab));
    assert_false(lab_is_voter(lab, 5));
    lab_free(lab);
}

static bool four_votes(const lab_t *lab)
{
    return has_three(lab) && lab_is_voter(lab, 3);
}

static void test_a_dead_voter_is_replaced_after_a_while(void **state)
{
    (void)state;
    lab_t *lab = lab_new(4, 2);
    lab_grow(lab);
    assert_false(lab_is_voter(lab, 3));
    lab_crash(lab, 1);
    lab_run(lab, 9 * GP_SECOND);
    assert_true(lab_is_voter(lab, 1)); /* it may come back */
    gp_usec_t took = lab_wait(lab, four_votes, 5 * GP_SECOND);
    assert_in_range(took, 0, 5 * GP_SECOND);
    assert_false(lab_is_voter(lab, 1));
    assert_int_equal(lab->nodes[0].step_downs, 0);
    lab_free(lab);
}

static void test_a_voter_that_left_is_replaced_at_once(void **state)
{
    (void)state;
    lab_t *lab = lab_new(4, 3);
    lab_grow(lab);
    lab_leave(lab, 2);
    (void)lab_wait(lab, four_votes, 2 * GP_SECOND);
    lab_free(lab);
}

static void test_shrinks_to_one_when_two_are_left(void **state)
{
    (void)state;
    lab_t *lab = lab_new(3, 4);
    lab_grow(lab);
    lab_leave(lab, 2);
    (void)lab_wait(lab, has_one, 2 * GP_SECOND);
    assert_int_equal(lab_leader(lab), 0);
    lab_crash(lab, 1); /* and does not miss the other */
    lab_run(lab, 20 * GP_SECOND);
    assert_int_equal(lab_leader(lab), 0);
    assert_int_equal(lab->nodes[0].step_downs, 0);
    lab_free(lab);
}

static void test_five_become_three_when_two_die_one_after_the_other(void **state)
{
    (void)state;
    lab_t *lab = lab_new(5, 5);
    lab_grow(lab);
    lab_crash(lab, 4);
    (void)lab_wait(lab, has_three, 15 * GP_SECOND);
    lab_crash(lab, 3);
    lab_run(lab, 15 * GP_SECOND);
    assert_true(has_three(lab));
    lab_crash(lab, 0); /* two of three are a majority */
    lab_run(lab, 2 * GP_SECOND);
    assert_int_equal(lab_leader(lab), 1);
    lab_start(lab, 0);
    lab_start(lab, 3);
    lab_start(lab, 4);
    (void)lab_wait(lab, has_five, 5 * GP_SECOND);
    lab_free(lab);
}

static void test_half_of_the_voters_at_once_stop_it(void **state)
{
    (void)state;
    lab_t *lab = lab_new(5, 6);
    lab_grow(lab);
    lab_split(lab, 7U << 2, true); /* 1 and 2 against the other three */
    lab_run(lab, 3 * GP_SECOND);
    assert_int_equal(lab_leader(lab), 2);
    lab_run(lab, 30 * GP_SECOND);
    assert_true(has_three(lab));
    lab_heal(lab);
    (void)lab_wait(lab, lab_agreed, 4 * GP_SECOND);
    (void)lab_wait(lab, has_five, 5 * GP_SECOND);
    lab_free(lab);
}

static void test_relayed_and_leaving_machines_do_not_vote(void **state)
{
    (void)state;
    lab_t *lab = lab_new(5, 7);
    lab->nodes[1].flags = GP_FLAG_RELAYED;
    for (uint32_t i = 0; i < 5; i++) {
        lab_start(lab, i);
    }
    lab_command(lab, 0, GP_MSG_ELECTION_FOUND);
    (void)lab_wait(lab, has_three, 3 * GP_SECOND);
    lab_run(lab, 2 * GP_SECOND);
    assert_true(has_three(lab)); /* four could vote, that makes three */
    assert_false(lab_is_voter(lab, 1));
    lab->nodes[2].flags = GP_FLAG_LEAVING;
    lab_run(lab, 2 * GP_SECOND);
    assert_true(has_three(lab));
    assert_false(lab_is_voter(lab, 2));
    assert_true(lab_is_voter(lab, 4));
    lab_free(lab);
}

static void test_a_voter_whose_disk_fails_is_replaced_after_a_while(void **state)
{
    (void)state;
    lab_t *lab = lab_new(4, 16);
    lab_grow(lab);
    assert_false(lab_is_voter(lab, 3));
    lab->nodes[1].flags = GP_FLAG_FAILING;
    lab_run(lab, 9 * GP_SECOND);
    assert_true(lab_is_voter(lab, 1)); /* it may get well */
    (void)lab_wait(lab, four_votes, 5 * GP_SECOND);
    assert_false(lab_is_voter(lab, 1));
    lab->nodes[2].flags = GP_FLAG_FAILING;
    lab->nodes[1].flags = 0;
    lab_run(lab, 15 * GP_SECOND);
    assert_true(has_three(lab) && lab_is_voter(lab, 1) && !lab_is_voter(lab, 2));
    assert_int_equal(lab->nodes[0].step_downs, 0);
    lab_free(lab);
}

static bool another_leads(const lab_t *lab)
{
    return lab_leader(lab) > 0;
}

static void test_a_leader_whose_disk_fails_hands_over(void **state)
{
    (void)state;
    lab_t *lab = lab_new(4, 17);
    lab_grow(lab);
    lab->nodes[0].flags = GP_FLAG_FAILING;
    (void)lab_wait(lab, another_leads, 2 * GP_SECOND);
    assert_int_equal(lab->nodes[0].step_downs, 1);
    lab_run(lab, 15 * GP_SECOND);
    assert_true(has_three(lab) && !lab_is_voter(lab, 0));
    lab_free(lab);
}

/* A change that too few would keep must not be begun: it could not be committed. */
static void test_where_too_many_disks_fail_all_stays_as_it_is(void **state)
{
    (void)state;
    for (uint32_t from = 0; from < 2; from++) { /* with the leader's own, and without */
        lab_t *lab = lab_new(4, 18);
        lab_grow(lab);
        uint64_t version = lab->nodes[0].core->version;
        for (uint32_t i = from; i < 4; i++) {
            lab->nodes[i].flags = GP_FLAG_FAILING;
        }
        lab_run(lab, 30 * GP_SECOND);
        assert_true(has_three(lab) && lab_leader(lab) == 0);
        assert_true(lab->nodes[0].core->version == version);
        assert_int_equal(lab->nodes[0].step_downs, 0);
        lab_free(lab);
    }
}

/* A successor that could not win must not be given the lead. */
static void test_a_failing_leader_keeps_the_lead_where_nobody_could_win(void **state)
{
    (void)state;
    for (int crashed = 0; crashed < 2; crashed++) {
        lab_t *lab = lab_new(3, 19);
        lab_grow(lab);
        if (crashed == 1) {
            lab_crash(lab, 2);
        } else {
            lab->nodes[2].flags = GP_FLAG_FAILING;
            lab->nodes[2].disk_fails = true;
        }
        lab_run(lab, 2 * GP_SECOND);
        lab->nodes[0].flags = GP_FLAG_FAILING;
        lab->nodes[0].disk_fails = true;
        lab_run(lab, 30 * GP_SECOND);
        assert_int_equal(lab_leader(lab), 0);
        assert_int_equal(lab->nodes[0].step_downs, 0);
        lab_free(lab);
    }
}

static bool drop_registers_to_two(uint32_t from, uint32_t to, gp_msg_kind_t kind)
{
    (void)from;
    return to == 1 && kind == GP_MSG_REGISTER;
}

static void test_who_does_not_take_the_register_does_not_become_a_voter(void **state)
{
    (void)state;
    lab_t *lab = lab_new(4, 8);
    lab->drop = drop_registers_to_two;
    for (uint32_t i = 0; i < 4; i++) {
        lab_start(lab, i);
    }
    lab_command(lab, 0, GP_MSG_ELECTION_FOUND);
    (void)lab_wait(lab, has_three, 5 * GP_SECOND);
    assert_false(lab_is_voter(lab, 1));
    assert_int_equal(lab->nodes[0].step_downs, 0); /* never waited for it with a bigger quorum */
    lab_free(lab);
}

static void test_a_voter_that_the_group_forgot_is_replaced(void **state)
{
    (void)state;
    lab_t *lab = lab_new(4, 9);
    lab_grow(lab);
    lab_crash(lab, 1);
    lab->nodes[1].member = false;
    (void)lab_wait(lab, four_votes, 15 * GP_SECOND);
    lab_free(lab);
}

static void two_and_three_leave(gp_msg_election_standings_t *standings)
{
    standings->members[1].flags = GP_FLAG_LEAVING;
    standings->members[2].flags = GP_FLAG_LEAVING;
}

static bool votes(const solo_t *solo, uint32_t number)
{
    gp_id_t id = lab_id(number);
    return gp_election_voter_index(&solo->core->roster, &id) >= 0;
}

static void test_two_that_leave_go_one_after_the_other(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 5);
    solo_standings(solo, 5, two_and_three_leave);
    assert_int_equal(solo->core->roster.count, 4);
    assert_false(votes(solo, 2)); /* the first of them */
    assert_true(votes(solo, 3));
    solo_stored(solo, true);
    for (uint32_t i = 3; i <= 5; i++) {
        solo_lease_acks(solo, i);
    }
    assert_int_equal(solo->core->roster.count, 3);
    assert_false(votes(solo, 3));
    solo_free(solo);
}

static void without_the_first(gp_msg_election_standings_t *standings)
{
    standings->members_count--;
    memmove(standings->members, standings->members + 1,
            standings->members_count * sizeof standings->members[0]);
}

/* Who goes does not count among those to come, nor if its own membership core lists it no more. */
static void test_who_goes_is_not_counted(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    solo_standings(solo, 3, without_the_first);
    assert_int_equal(solo->core->roster.count, 3); /* listed or not, it votes */
    solo_command(solo, solo_new_msg(GP_MSG_ELECTION_RELINQUISH));
    assert_int_equal(solo->core->roster.count, 2); /* two others: one voter is the aim */
    assert_false(votes(solo, 1));
    solo_free(solo);
}

static void four_is_better(gp_msg_election_standings_t *standings)
{
    standings->members[3].score = 1000;
    standings->members[0].score = 500;
}

/* The one that is to lead, and to vote first, is forgotten by the group while it learns. */
static void test_a_successor_that_the_group_forgets_while_it_learns(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    config.promote_after_ms = 100;
    solo_t *solo = solo_leader(&config, 3);
    solo_standings(solo, 4, four_is_better);
    gp_id_t four = lab_id(4);
    for (uint32_t i = 0; i < 5 && !gp_id_equal(&solo->core->learner, &four); i++) {
        solo_wake(solo, 400 * GP_MSEC);
        solo_lease_acks(solo, 2);
    }
    assert_true(gp_id_equal(&solo->core->learner, &four));
    assert_int_equal(solo->core->move, GP_ELECTION_MOVE_BETTER);
    solo_standings(solo, 3, NULL);
    gp_usec_t until = solo->core->learner_since + gp_election_us(config.lease_ms);
    while (solo->now < until) {
        solo_wake(solo, 400 * GP_MSEC);
        solo_lease_acks(solo, 2);
    }
    assert_false(gp_id_equal(&solo->core->learner, &four) &&
                 solo->core->learner_since + gp_election_us(config.lease_ms) <= solo->now);
    assert_false(votes(solo, 4));
    assert_true(gp_election_leads(solo->core));
    solo_free(solo);
}

static void one_and_three_leave(gp_msg_election_standings_t *standings)
{
    standings->members[0].flags = GP_FLAG_LEAVING;
    standings->members[2].flags = GP_FLAG_LEAVING;
}

/* A leader that goes is needed until the others are in order. */
static void test_the_leader_goes_last(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 5);
    solo_standings(solo, 5, one_and_three_leave);
    assert_int_equal(solo->core->roster.count, 4);
    assert_true(votes(solo, 1));
    assert_false(votes(solo, 3));
    solo_free(solo);
}

/* A voter to be must have the present version: an answer about an older one is none. */
static void test_a_learner_must_have_the_newest_version(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    solo_standings(solo, 5, NULL);
    gp_id_t four = lab_id(4);
    assert_true(gp_id_equal(&solo->core->learner, &four));
    gp_msg_t *msg = solo_new_msg(GP_MSG_REGISTER_ACK);
    msg->u.register_ack.term = 2;
    msg->u.register_ack.version = solo->core->version - 1;
    msg->u.register_ack.stored = true;
    solo_msg(solo, 4, msg);
    assert_false(solo->core->learner_ready);
    assert_false(votes(solo, 4));
    msg->u.register_ack.version = solo->core->version;
    solo_msg(solo, 4, msg);
    assert_true(votes(solo, 4));
    solo_free(solo);
}

static void register_acks(solo_t *solo, uint32_t from)
{
    gp_msg_t *msg = solo_new_msg(GP_MSG_REGISTER_ACK);
    msg->u.register_ack.term = solo->core->term;
    msg->u.register_ack.version = solo->core->version;
    msg->u.register_ack.stored = true;
    solo_msg(solo, from, msg);
}

static void the_fifth_is_nobody(gp_msg_election_standings_t *standings)
{
    standings->members[4].id = (gp_id_t){0};
}

/* What the last voter to be had on its disk says nothing about the next one. */
static void test_nobody_never_votes(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    solo_standings(solo, 5, the_fifth_is_nobody);
    register_acks(solo, 4);
    assert_int_equal(solo->core->roster.count, 4);
    solo_stored(solo, true);
    for (uint32_t i = 2; i <= 4; i++) {
        register_acks(solo, i);
        solo_lease_acks(solo, i);
    }
    assert_true(gp_election_committed(solo->core));
    solo_standings(solo, 5, the_fifth_is_nobody);
    assert_int_equal(solo->core->roster.count, 4);
    solo_free(solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_as_members_come),
        cmocka_unit_test(test_a_dead_voter_is_replaced_after_a_while),
        cmocka_unit_test(test_a_voter_that_left_is_replaced_at_once),
        cmocka_unit_test(test_shrinks_to_one_when_two_are_left),
        cmocka_unit_test(test_five_become_three_when_two_die_one_after_the_other),
        cmocka_unit_test(test_half_of_the_voters_at_once_stop_it),
        cmocka_unit_test(test_relayed_and_leaving_machines_do_not_vote),
        cmocka_unit_test(test_who_does_not_take_the_register_does_not_become_a_voter),
        cmocka_unit_test(test_a_voter_that_the_group_forgot_is_replaced),
        cmocka_unit_test(test_two_that_leave_go_one_after_the_other),
        cmocka_unit_test(test_who_goes_is_not_counted),
        cmocka_unit_test(test_a_successor_that_the_group_forgets_while_it_learns),
        cmocka_unit_test(test_the_leader_goes_last),
        cmocka_unit_test(test_a_learner_must_have_the_newest_version),
        cmocka_unit_test(test_nobody_never_votes),
        cmocka_unit_test(test_a_voter_whose_disk_fails_is_replaced_after_a_while),
        cmocka_unit_test(test_a_leader_whose_disk_fails_hands_over),
        cmocka_unit_test(test_where_too_many_disks_fail_all_stays_as_it_is),
        cmocka_unit_test(test_a_failing_leader_keeps_the_lead_where_nobody_could_win),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
