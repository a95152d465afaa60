/* Nothing is promised before it is on disk, and nothing at all while the disk fails. */
#include "election_lab.h"

#include "proto_cmocka.h"

static solo_t *new_voter(void)
{
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t state = solo_state(3, 2);
    solo_t *solo = solo_new(&config, 3, &state);
    solo_wake(solo, 1531 * GP_MSEC);
    return solo;
}

static void test_a_failed_store_never_votes(void **state)
{
    (void)state;
    solo_t *solo = new_voter();
    solo_vote_ask(solo, 2, 3, false, 0);
    assert_int_equal(solo_answer(solo, 2), -1);
    solo_stored(solo, false);
    assert_int_equal(solo_answer(solo, 2), GP_VOTE_NOT_DURABLE);
    solo_vote_ask(solo, 2, 3, false, 0); /* the disk had no chance yet */
    assert_int_equal(solo_answer(solo, 2), GP_VOTE_NOT_DURABLE);
    solo_prevote_ask(solo, 2, 4, false);
    assert_int_equal(solo_answer(solo, 2), GP_VOTE_NOT_DURABLE);
    solo_wake(solo, 1000 * GP_MSEC);
    assert_non_null(solo_find(solo, GP_MSG_ELECTION_STATE)); /* tries again by itself */
    solo_vote_ask(solo, 1, 3, false, 0);
    assert_int_equal(solo_answer(solo, 1), GP_VOTE_TAKEN); /* it may be on disk all the same */
    solo_stored(solo, true);
    solo_vote_ask(solo, 2, 3, false, 0);
    assert_int_equal(solo_answer(solo, 2), GP_VOTE_YES);
    solo_free(solo);
}

static void test_tells_no_term_that_a_crash_would_forget(void **state)
{
    (void)state;
    solo_t *solo = new_voter();
    solo_vote_ask(solo, 2, 3, false, 0);
    assert_int_equal(gp_election_own_term(solo->core), 3);
    solo_vote_ask(solo, 1, 3, false, 0);
    assert_int_equal(solo_answer(solo, 1), GP_VOTE_TAKEN);
    assert_int_equal(solo_find(solo, GP_MSG_VOTE)->msg->u.vote.own_term, 2);
    solo_prevote_ask(solo, 1, 3, false);
    assert_int_equal(solo_find(solo, GP_MSG_PREVOTE)->msg->u.prevote.own_term, 2);
    solo_stored(solo, true);
    solo_vote_ask(solo, 1, 3, false, 0);
    assert_int_equal(solo_find(solo, GP_MSG_VOTE)->msg->u.vote.own_term, 3);
    solo_free(solo);
}

static void test_a_failed_store_does_not_stand(void **state)
{
    (void)state;
    solo_t *solo = new_voter();
    solo_wake(solo, 60 * GP_MSEC);
    gp_msg_t *msg = solo_new_msg(GP_MSG_PREVOTE);
    msg->u.prevote.term = 3;
    msg->u.prevote.granted = true;
    solo_msg(solo, 1, msg);
    assert_int_equal(solo->core->role, GP_ELECTION_CANDIDATE);
    solo_stored(solo, false);
    assert_null(solo_find(solo, GP_MSG_VOTE_ASK));
    assert_int_equal(solo->core->role, GP_ELECTION_FOLLOWER);
    solo_free(solo);
}

static void test_a_leader_whose_disk_fails_steps_down(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    gp_election_roster_t roster = solo->core->roster;
    gp_out_reset(&solo->out);
    gp_election_write(solo->core, &roster, &solo->out);
    solo_wake(solo, GP_MSEC);
    solo_stored(solo, false);
    assert_int_equal(solo_find(solo, GP_MSG_STEP_DOWN)->msg->u.step_down.why, GP_STEP_DOWN_DISK);
    assert_null(solo_find(solo, GP_MSG_REGISTER));
    solo_free(solo);
}

static void test_a_register_that_was_not_stored_is_said_so(void **state)
{
    (void)state;
    solo_t *solo = new_voter();
    solo_msg(solo, 1, solo_mandate(1, 3, 3));
    solo_stored(solo, true);
    gp_msg_t *msg = solo_new_msg(GP_MSG_REGISTER);
    msg->u.register_.term = 3;
    msg->u.register_.version = 4;
    msg->u.register_.voters_count = 2;
    msg->u.register_.voters[0].id = lab_id(1);
    msg->u.register_.voters[1].id = lab_id(3);
    solo_msg(solo, 1, msg);
    solo_stored(solo, false);
    assert_false(solo_find(solo, GP_MSG_REGISTER_ACK)->msg->u.register_ack.stored);
    solo_lease(solo, 1, 3);
    assert_int_equal(solo_find(solo, GP_MSG_LEASE_ACK)->msg->u.lease_ack.version, 0);
    solo_free(solo);
}

static void test_a_crowd_does_not_push_out_the_own_promise(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    gp_election_roster_t roster = solo->core->roster;
    gp_election_touch(solo->core);
    for (uint32_t i = 0; i < 20; i++) {
        gp_election_pending_t ack = {.promise = GP_ELECTION_PROMISE_ACK, .peer = lab_id(10 + i)};
        gp_out_reset(&solo->out);
        gp_election_promise(solo->core, &ack, &solo->out);
        assert_int_equal(solo->out.count, 0);
    }
    gp_out_reset(&solo->out);
    gp_election_write(solo->core, &roster, &solo->out);
    solo_wake(solo, GP_MSEC);
    solo_stored(solo, true);
    assert_int_equal(solo_count(solo, GP_MSG_REGISTER), 2);
    assert_int_equal(solo_count(solo, GP_MSG_REGISTER_ACK), GP_ELECTION_PENDING_MAX - 2);
    solo_free(solo);
}

static void test_other_groups_and_foreign_tokens_change_nothing(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 2);
    disk.group = LAB_GROUP + 1;
    solo_t *solo = solo_new(&config, 3, &disk);
    assert_int_equal(gp_election_own_term(solo->core), 0);
    gp_msg_t *ask = solo_new_msg(GP_MSG_VOTE_ASK);
    ask->u.vote_ask.term = 3;
    ask->u.vote_ask.value_term = 2;
    ask->u.vote_ask.version = 3;
    solo_msg(solo, 2, ask);
    gp_event_t event = {.type = GP_EVENT_STORED, .token = 77, .ok = true};
    solo_event(solo, &event);
    assert_int_equal(solo_answer(solo, 2), -1);
    solo_stored(solo, true);
    assert_int_equal(solo_answer(solo, 2), GP_VOTE_YES);
    gp_msg_t *msg = solo_new_msg(GP_MSG_VOTE_ASK);
    msg->u.vote_ask.group = LAB_GROUP + 1;
    msg->u.vote_ask.term = 9;
    solo_msg(solo, 2, msg);
    assert_int_equal(solo->out.count, 0);
    solo_free(solo);
}

static void test_a_store_and_its_record(void **state)
{
    (void)state;
    solo_t *solo = new_voter();
    solo_vote_ask(solo, 2, 3, false, 0);
    const gp_msg_election_state_t *kept =
        &solo_find(solo, GP_MSG_ELECTION_STATE)->msg->u.election_state;
    assert_int_equal(kept->group, LAB_GROUP);
    assert_int_equal(kept->term, 3);
    gp_id_t two = lab_id(2);
    assert_true(gp_id_equal(&kept->voted_for, &two));
    assert_int_equal(kept->value_term, 2);
    assert_int_equal(kept->version, 3);
    assert_int_equal(kept->voters_count, 3);
    solo_free(solo);
}

/* A STORED for which nobody waits, of a store that was never asked for. */
static void test_an_answer_of_the_disk_without_a_question(void **state)
{
    (void)state;
    solo_t *solo = new_voter();
    assert_int_equal(solo->core->storing_serial, 0);
    uint64_t durable = solo->core->durable_serial;
    gp_event_t event = {.type = GP_EVENT_STORED, .ok = false};
    solo_event(solo, &event);
    assert_int_equal(solo->core->durable_serial, durable);
    solo_vote_ask(solo, 2, 3, false, 0); /* nor was it a failure of the disk */
    solo_stored(solo, true);
    assert_int_equal(solo_answer(solo, 2), GP_VOTE_YES);
    solo_free(solo);
}

static void test_a_value_survives_a_restart(void **state)
{
    (void)state;
    static const uint8_t value[] = {7, 0, 9};
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 2);
    disk.value = gp_slice(value, sizeof value);
    solo_t *solo = solo_new(&config, 3, &disk);
    solo_wake(solo, 1531 * GP_MSEC);
    solo_vote_ask(solo, 2, 3, false, 0);
    gp_slice_t kept = solo_find(solo, GP_MSG_ELECTION_STATE)->msg->u.election_state.value;
    assert_true(gp_slice_equal(kept, disk.value));
    solo_free(solo);
}

/* It led when it wrote, and somebody else leads when the disk says that it failed. */
static void test_a_former_leaders_store_fails(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    gp_election_roster_t roster = solo->core->roster;
    gp_out_reset(&solo->out);
    gp_election_write(solo->core, &roster, &solo->out);
    solo_wake(solo, GP_MSEC);
    assert_int_not_equal(solo->core->storing_serial, 0);
    solo_msg(solo, 2, solo_mandate(2, 3, 3));
    assert_false(gp_election_leads(solo->core));
    solo_stored(solo, false);
    assert_null(solo_find(solo, GP_MSG_STEP_DOWN)); /* it has said so already */
    gp_id_t leader = gp_election_leader(solo->core);
    gp_id_t two = lab_id(2);
    assert_true(gp_id_equal(&leader, &two));
    solo_free(solo);
}

/* Its own vote for its renewal waits for the disk too. */
static void test_the_own_vote_is_not_denied_aloud(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    config.vote_valid_ms = 4 * config.lease_ms;
    solo_t *solo = solo_leader(&config, 3);
    for (uint32_t i = 0; i < 8 && !solo->core->renewing; i++) {
        solo_wake(solo, 400 * GP_MSEC);
        solo_lease_acks(solo, 2);
    }
    assert_true(solo->core->renewing);
    gp_election_roster_t roster = solo->core->roster;
    gp_out_reset(&solo->out);
    gp_election_write(solo->core, &roster, &solo->out);
    solo_wake(solo, 400 * GP_MSEC); /* asks for its own vote again, which waits */
    assert_int_equal(solo->core->pending_count, 2);
    solo_stored(solo, false);
    assert_int_equal(solo_find(solo, GP_MSG_STEP_DOWN)->msg->u.step_down.why, GP_STEP_DOWN_DISK);
    assert_null(solo_find(solo, GP_MSG_VOTE));
    solo_free(solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failed_store_never_votes),
        cmocka_unit_test(test_tells_no_term_that_a_crash_would_forget),
        cmocka_unit_test(test_a_failed_store_does_not_stand),
        cmocka_unit_test(test_a_leader_whose_disk_fails_steps_down),
        cmocka_unit_test(test_a_register_that_was_not_stored_is_said_so),
        cmocka_unit_test(test_a_crowd_does_not_push_out_the_own_promise),
        cmocka_unit_test(test_other_groups_and_foreign_tokens_change_nothing),
        cmocka_unit_test(test_a_store_and_its_record),
        cmocka_unit_test(test_an_answer_of_the_disk_without_a_question),
        cmocka_unit_test(test_a_value_survives_a_restart),
        cmocka_unit_test(test_a_former_leaders_store_fails),
        cmocka_unit_test(test_the_own_vote_is_not_denied_aloud),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
