/* For how long a leader may act, by its own clock, and how everybody learns that it may. */
#include "election_lab.h"

#include "proto_cmocka.h"

static void test_counts_from_the_sending_of_an_answered_beat(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    gp_usec_t first = solo->core->sent_at[solo->core->sequence % GP_ELECTION_SENT_MAX];
    assert_int_equal(gp_election_lease_until(solo->core), first + 1470 * GP_MSEC);
    solo_wake(solo, 400 * GP_MSEC);
    gp_usec_t second = solo->now;
    assert_int_equal(solo_count(solo, GP_MSG_LEASE), 2);
    assert_int_equal(gp_election_lease_until(solo->core), first + 1470 * GP_MSEC);
    solo->now += 300 * GP_MSEC; /* the answer is slow: that earns nothing */
    solo_lease_acks(solo, 3);
    assert_int_equal(gp_election_lease_until(solo->core), second + 1470 * GP_MSEC);
    solo_free(solo);
    solo = solo_leader(&config, 3);
    solo_wake(solo, 400 * GP_MSEC);
    second = solo->now;
    solo->now += 300 * GP_MSEC;
    solo_lease_acks(solo, 2); /* both others are slow: nor does that */
    solo_lease_acks(solo, 3);
    assert_int_equal(gp_election_lease_until(solo->core), second + 1470 * GP_MSEC);
    solo_wake(solo, 100 * GP_MSEC);
    second = solo->now;
    solo_lease_acks(solo, 2);
    const gp_action_t *told = solo_find(solo, GP_MSG_LEADER);
    assert_non_null(told); /* each extension is told at the leader */
    assert_int_equal(told->msg->u.leader.lease_until, second + 1470 * GP_MSEC);
    solo_free(solo);
}

static void test_needs_a_majority_and_true_answers(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 5);
    solo_wake(solo, 400 * GP_MSEC);
    gp_usec_t until = gp_election_lease_until(solo->core);
    solo_lease_acks(solo, 2);
    solo_lease_acks(solo, 2); /* twice the same voter */
    solo_lease_acks(solo, 9); /* no voter */
    gp_msg_t *msg = solo_new_msg(GP_MSG_LEASE_ACK);
    msg->u.lease_ack.term = solo->core->term - 1;
    msg->u.lease_ack.sequence = solo->core->sequence;
    solo_msg(solo, 3, msg); /* of another term */
    msg = solo_new_msg(GP_MSG_LEASE_ACK);
    msg->u.lease_ack.term = solo->core->term;
    msg->u.lease_ack.sequence = solo->core->sequence + 1;
    solo_msg(solo, 4, msg); /* of a beat that was never sent */
    assert_int_equal(gp_election_lease_until(solo->core), until);
    solo_lease_acks(solo, 5);
    assert_true(gp_election_lease_until(solo->core) > until);
    solo_free(solo);
}

static void test_without_answers_it_steps_down_in_time(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    gp_usec_t until = gp_election_lease_until(solo->core);
    while (gp_election_ops.wake(solo->core) < until) {
        solo_wake(solo, gp_election_ops.wake(solo->core) - solo->now);
        assert_int_equal(gp_election_right(solo->core), GP_RIGHT_QUORUM);
    }
    assert_int_equal(gp_election_ops.wake(solo->core), until);
    solo_wake(solo, until - solo->now);
    assert_int_equal(solo_find(solo, GP_MSG_STEP_DOWN)->msg->u.step_down.why, GP_STEP_DOWN_LEASE);
    assert_int_equal(solo_find(solo, GP_MSG_LEADER)->msg->u.leader.right, GP_RIGHT_NONE);
    assert_int_equal(gp_election_lease_until(solo->core), 0);
    solo_free(solo);
}

static void test_who_slept_does_not_act_on_old_answers(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    solo_wake(solo, 400 * GP_MSEC);
    solo->now += 5 * GP_SECOND; /* frozen, with an answer in the socket */
    solo_lease_acks(solo, 2);
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_NONE);
    assert_false(gp_election_leads(solo->core));
    solo_free(solo);
}

static void test_the_only_voter_renews_by_itself(void **state)
{
    (void)state;
    lab_t *lab = lab_new(1, 1);
    lab_grow(lab);
    lab_run(lab, 5 * 60 * GP_SECOND);
    assert_int_equal(lab_leader(lab), 0);
    assert_int_equal(lab->nodes[0].step_downs, 0);
    lab_freeze(lab, 0);
    lab_run(lab, 10 * GP_SECOND);
    lab_thaw(lab, 0);
    lab_run(lab, GP_MSEC);
    assert_int_equal(lab_leader(lab), 0); /* nobody else could have been elected */
    assert_int_equal(gp_election_term(lab->nodes[0].core), 1);
    lab_crash(lab, 0);
    lab_start(lab, 0);
    lab_run(lab, 1400 * GP_MSEC);
    assert_int_equal(lab_leader(lab), -1); /* it may have granted to another before the crash */
    lab_run(lab, 200 * GP_MSEC);
    assert_int_equal(lab_leader(lab), 0);
    assert_int_equal(gp_election_term(lab->nodes[0].core), 2);
    lab_free(lab);
}

static void test_an_older_leader_is_refused_and_told(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 2);
    solo_t *solo = solo_new(&config, 2, &disk);
    solo_msg(solo, 3, solo_mandate(3, 4, 3));
    solo_lease(solo, 1, 2);
    assert_null(solo_find(solo, GP_MSG_LEASE_ACK));
    const gp_action_t *shown = solo_find(solo, GP_MSG_MANDATE); /* the proof that it is over */
    assert_int_equal(shown->msg->u.mandate.term, 4);
    assert_true(gp_id_equal(&shown->peer, &(gp_id_t){.b = {8, 1}}));
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    assert_non_null(solo_find(solo, GP_MSG_MANDATE));
    assert_int_equal(gp_election_term(solo->core), 4);
    gp_msg_t *msg = solo_new_msg(GP_MSG_REGISTER);
    msg->u.register_.term = 2;
    msg->u.register_.version = 99;
    msg->u.register_.voters_count = 1;
    msg->u.register_.voters[0].id = lab_id(1);
    solo_msg(solo, 1, msg);
    assert_null(solo_find(solo, GP_MSG_REGISTER_ACK));
    assert_int_equal(gp_election_version(solo->core), 3);
    solo_free(solo);
}

static void test_a_lease_of_an_unknown_leader_asks_for_its_mandate(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 2);
    solo_t *solo = solo_new(&config, 2, &disk);
    solo_lease(solo, 3, 5);
    assert_non_null(solo_find(solo, GP_MSG_MANDATE_ASK));
    assert_null(solo_find(solo, GP_MSG_LEASE_ACK));
    assert_int_equal(gp_election_own_term(solo->core), 2); /* a claim proves nothing */
    solo_lease(solo, 3, 5);
    assert_null(solo_find(solo, GP_MSG_MANDATE_ASK)); /* not for each one */
    solo_msg(solo, 3, solo_mandate(3, 5, 3));
    solo_lease(solo, 3, 5);
    assert_non_null(solo_find(solo, GP_MSG_LEASE_ACK));
    solo_free(solo);
}

static void test_members_that_do_not_vote_hear_the_term_now_and_then(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    solo_standings(solo, 4, NULL);
    gp_id_t four = lab_id(4);
    uint32_t heard = 0;
    for (uint32_t i = 0; i < 100; i++) {
        solo_wake(solo, 400 * GP_MSEC);
        for (uint32_t j = 0; j < solo->out.count; j++) {
            const gp_action_t *action = &solo->out.actions[j];
            bool to_four = action->type == GP_ACTION_SEND && gp_id_equal(&action->peer, &four);
            heard += to_four && action->msg->kind == GP_MSG_LEASE ? 1 : 0;
        }
        solo_lease_acks(solo, 2);
    }
    assert_int_equal(heard, 5);
    solo_free(solo);
    solo = solo_new(&config, 4, NULL);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    solo_lease(solo, 1, 2);
    assert_null(solo_find(solo, GP_MSG_LEASE_ACK)); /* its answer would count for nothing */
    solo_lease(solo, 1, 3);
    assert_non_null(solo_find(solo, GP_MSG_MANDATE_ASK)); /* it missed one */
    solo_free(solo);
}

/* An answer to the first beat that comes only when that lease would be over. */
static void test_an_answer_too_late_for_its_lease_earns_none(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 1);
    solo_t *solo = solo_new(&config, 1, &disk);
    solo_standings(solo, 3, NULL);
    solo_wake(solo, 2 * GP_SECOND);
    gp_msg_t *msg = solo_new_msg(GP_MSG_PREVOTE);
    msg->u.prevote.term = 2;
    msg->u.prevote.granted = true;
    solo_msg(solo, 2, msg);
    solo_stored(solo, true);
    solo_vote(solo, 1, 2);
    solo_vote(solo, 2, 2);
    assert_true(gp_election_leads(solo->core));
    uint32_t first = solo->core->sequence;
    solo->now = solo->core->won_at + 1480 * GP_MSEC; /* 1470 ms are a lease, 1500 its patience */
    msg = solo_new_msg(GP_MSG_LEASE_ACK);
    msg->u.lease_ack.term = 2;
    msg->u.lease_ack.sequence = first;
    solo_msg(solo, 2, msg);
    assert_true(gp_election_leads(solo->core));
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_NONE);
    assert_int_equal(gp_election_lease_until(solo->core), 0);
    solo_free(solo);
}

/* A voter that mixes up the beats of two terms must not lengthen the lease of the second. */
static void test_beats_of_an_earlier_term_do_not_count(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    uint32_t before = solo->core->sequence;
    solo_wake(solo, 1600 * GP_MSEC); /* no answers: it steps down, and stands again */
    assert_false(gp_election_leads(solo->core));
    for (uint32_t i = 0; i < 100 && solo->core->role == GP_ELECTION_FOLLOWER; i++) {
        solo_wake(solo, 50 * GP_MSEC);
    }
    gp_msg_t *msg = solo_new_msg(GP_MSG_PREVOTE);
    msg->u.prevote.term = 3;
    msg->u.prevote.granted = true;
    solo_msg(solo, 2, msg);
    solo_stored(solo, true);
    solo_vote(solo, 1, 3);
    solo_vote(solo, 2, 3);
    assert_true(gp_election_leads(solo->core));
    msg = solo_new_msg(GP_MSG_LEASE_ACK);
    msg->u.lease_ack.term = 3;
    msg->u.lease_ack.sequence = before;
    solo_msg(solo, 2, msg);
    gp_id_t two = lab_id(2);
    int index = gp_election_voter_index(&solo->core->roster, &two);
    assert_int_equal(solo->core->progress[index].granted_at, 0);
    assert_int_equal(gp_election_lease_until(solo->core), 0);
    solo_free(solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_from_the_sending_of_an_answered_beat),
        cmocka_unit_test(test_needs_a_majority_and_true_answers),
        cmocka_unit_test(test_without_answers_it_steps_down_in_time),
        cmocka_unit_test(test_who_slept_does_not_act_on_old_answers),
        cmocka_unit_test(test_the_only_voter_renews_by_itself),
        cmocka_unit_test(test_an_older_leader_is_refused_and_told),
        cmocka_unit_test(test_a_lease_of_an_unknown_leader_asks_for_its_mandate),
        cmocka_unit_test(test_members_that_do_not_vote_hear_the_term_now_and_then),
        cmocka_unit_test(test_an_answer_too_late_for_its_lease_earns_none),
        cmocka_unit_test(test_beats_of_an_earlier_term_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
