/* The life of one attempt: recorded, started, leased, stopped, reported, forgotten. */
#include <string.h>

#include "tests/unit/agent_work_desk.h"

static const gp_msg_ended_t *reported(const desk_t *desk)
{
    return &desk_sent(desk, 9, GP_MSG_ENDED)->u.ended;
}

static void it_is_recorded_before_it_starts(void **state)
{
    desk_t *desk = *state;
    uint64_t ticket = desk_offer(desk);
    const gp_msg_attempt_state_t *record;
    const gp_msg_job_start_t *start;
    const gp_id_t home = desk_id(9);

    desk_keep(desk, ticket, 0, 64);
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_START), 0);
    assert_false(desk_sent(desk, 9, GP_MSG_KEPT)->u.kept.running);
    record = &desk_find(desk, GP_ACTION_STORE, GP_MSG_ATTEMPT_STATE, 0)->msg->u.attempt_state;
    assert_true(gp_id_equal(&record->home, &home) && record->job == 40);
    assert_int_equal(record->state, GP_JOB_RUNNING);
    assert_true(record->ticket == ticket);
    desk_stored(desk, desk_store_token(desk, GP_MSG_ATTEMPT_STATE), true);
    start = &desk_noticed(desk, GP_MSG_JOB_START)->u.job_start;
    assert_int_equal(start->args_count, 2);
    desk_text(start->args[1].text, "arg");
    desk_text(start->env[0].text, "A=b");
    desk_text(start->name, "a-job");
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_READ)->u.job_read.until, 64);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_LEASE)->u.job_lease.lease_ms, 10000);
}

static void without_a_record_it_does_not_start(void **state)
{
    desk_t *desk = *state;
    uint64_t ticket = desk_offer(desk);
    const gp_msg_claimed_t *answer;

    desk_keep(desk, ticket, 0, 64);
    desk_stored(desk, desk_store_token(desk, GP_MSG_ATTEMPT_STATE), false);
    answer = &desk_sent(desk, 9, GP_MSG_CLAIMED)->u.claimed;
    assert_true(!answer->taken && answer->ticket == ticket);
    assert_int_equal(answer->error, GP_E_STATE_IO);
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_START), 0);
    assert_int_equal(gp_work_running(desk->core), 0);
}

static void the_start_is_told(void **state)
{
    desk_t *desk = *state;

    (void)desk_attempt(desk);
    assert_true(desk_sent(desk, 9, GP_MSG_KEPT)->u.kept.running);
}

static void a_failed_start_is_an_end_with_its_reason(void **state)
{
    desk_t *desk = *state;
    gp_msg_work_started_t *msg;

    (void)desk_launched(desk);
    msg = &desk_msg(desk, GP_MSG_WORK_STARTED)->u.work_started;
    *msg = (gp_msg_work_started_t){.home = desk_id(9),
                                   .job = 40,
                                   .incarnation = 1,
                                   .reason = GP_REASON_NOT_FOUND,
                                   .code = 2,
                                   .text = gp_text("no such program")};
    desk_command(desk, 0);
    assert_int_equal(reported(desk)->reason, GP_REASON_NOT_FOUND);
    assert_int_equal(reported(desk)->code, 2);
    desk_text(reported(desk)->text, "no such program");
}

static void a_start_that_failed_without_a_reason_has_one(void **state)
{
    desk_t *desk = *state;

    (void)desk_launched(desk);
    desk_msg(desk, GP_MSG_WORK_STARTED)->u.work_started =
        (gp_msg_work_started_t){.home = desk_id(9), .job = 40, .incarnation = 1};
    desk_command(desk, 0);
    assert_int_equal(reported(desk)->reason, GP_REASON_START);
}

static gp_job_state_t listed(const desk_t *desk)
{
    gp_work_attempt_t attempt;

    assert_true(gp_work_attempt_at(desk->core, 0, &attempt));
    assert_false(gp_work_attempt_at(desk->core, 1, &attempt));
    return attempt.state;
}

static void it_is_listed_from_the_offer_to_the_acknowledgement(void **state)
{
    desk_t *desk = *state;
    gp_work_attempt_t attempt;
    uint64_t ticket = desk_offer(desk);

    assert_int_equal(listed(desk), GP_JOB_CLAIMING);
    desk_keep(desk, ticket, 0, 64);
    assert_int_equal(listed(desk), GP_JOB_RUNNING);
    desk_stored(desk, desk_store_token(desk, GP_MSG_ATTEMPT_STATE), true);
    assert_int_equal(listed(desk), GP_JOB_RUNNING);
    desk_program_ended(desk, GP_REASON_EXIT, 3, 0);
    assert_int_equal(listed(desk), GP_JOB_FAILED);
    desk_msg(desk, GP_MSG_ENDED_ACK)->u.ended_ack =
        (gp_msg_ended_ack_t){.job = 40, .incarnation = 1};
    desk_receive(desk, 9);
    assert_false(gp_work_attempt_at(desk->core, 0, &attempt));
}

/* ---- lease ----------------------------------------------------------------------------------- */

static void each_keep_renews_the_lease(void **state)
{
    desk_t *desk = *state;
    uint64_t ticket = desk_attempt(desk);

    for (int i = 0; i < 5; i++) {
        desk_wake(desk, 9 * GP_SECOND);
        assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_STOP), 0);
        desk_keep(desk, ticket, 0, 64);
        assert_true(desk_sent(desk, 9, GP_MSG_KEPT)->u.kept.running);
        assert_int_equal(desk_noticed(desk, GP_MSG_JOB_LEASE)->u.job_lease.lease_ms, 10000);
    }
    desk_wake(desk, 10 * GP_SECOND);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_STOP)->u.job_stop.reason, GP_REASON_LEASE_LOST);
}

static void a_lease_of_nothing_is_over(void **state)
{
    desk_t *desk = *state;
    uint64_t ticket = desk_attempt(desk);

    desk_msg(desk, GP_MSG_KEEP)->u.keep =
        (gp_msg_keep_t){.job = 40, .incarnation = 1, .ticket = ticket, .until = 64};
    desk_receive(desk, 9);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_LEASE)->u.job_lease.lease_ms, 0);
    assert_true(gp_work_ops.wake(desk->core) <= desk->now);
    desk_wake(desk, 0);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_STOP)->u.job_stop.reason, GP_REASON_LEASE_LOST);
}

static void what_is_owed_waits_for_a_sheet_with_room(void **state)
{
    desk_t *desk = *state;
    uint64_t ticket = desk_attempt(desk);

    desk_crowd(desk);
    desk_keep(desk, ticket, 0, 64);
    assert_int_equal(desk->out.count, GP_ACTIONS_SOFT);
    assert_true(gp_work_ops.wake(desk->core) <= desk->now);
    desk_wake(desk, 0);
    (void)desk_sent(desk, 9, GP_MSG_KEPT);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_LEASE)->u.job_lease.lease_ms, 10000);
}

static void a_late_keep_does_not_save_a_lost_lease(void **state)
{
    desk_t *desk = *state;
    uint64_t ticket = desk_attempt(desk);

    desk->now += 11 * GP_SECOND; /* frozen: the message is looked at before the clock */
    desk_keep(desk, ticket, 0, 64);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_STOP)->u.job_stop.reason, GP_REASON_LEASE_LOST);
    desk_program_ended(desk, GP_REASON_LEASE_LOST, 9, 0);
    assert_int_equal(reported(desk)->reason, GP_REASON_LEASE_LOST);
}

static void a_lease_that_ends_during_the_grace_ends_the_grace(void **state)
{
    desk_t *desk = *state;
    uint64_t ticket = desk_attempt(desk);
    gp_msg_cancel_t *msg;

    desk_wake(desk, 9 * GP_SECOND);
    msg = &desk_msg(desk, GP_MSG_CANCEL)->u.cancel;
    *msg = (gp_msg_cancel_t){
        .job = 40, .incarnation = 1, .ticket = ticket, .reason = GP_REASON_CANCELLED};
    desk_receive(desk, 9);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_STOP)->u.job_stop.reason, GP_REASON_CANCELLED);
    desk_wake(desk, GP_SECOND);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_STOP)->u.job_stop.reason, GP_REASON_LEASE_LOST);
    desk_wake(desk, GP_SECOND);
    assert_int_equal(desk->out.count, 0);
}

static void a_lease_lost_while_it_is_recorded_prevents_the_start(void **state)
{
    desk_t *desk = *state;
    uint64_t token;

    desk_keep(desk, desk_offer(desk), 0, 64);
    token = desk_store_token(desk, GP_MSG_ATTEMPT_STATE);
    desk_wake(desk, 10 * GP_SECOND);
    desk_stored(desk, token, true);
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_START), 0);
    assert_int_equal(reported(desk)->reason, GP_REASON_LEASE_LOST);
    desk_text(reported(desk)->text, "it was not started");
}

/* ---- the end --------------------------------------------------------------------------------- */

static void the_end_is_repeated_until_it_is_acknowledged(void **state)
{
    desk_t *desk = *state;
    gp_usec_t pause = 500 * GP_MSEC;
    gp_msg_ended_ack_t *msg;

    (void)desk_attempt(desk);
    desk_program_ended(desk, GP_REASON_SIGNAL, 11, 0);
    assert_int_equal(reported(desk)->code, 11);
    assert_int_equal(desk_count(desk, GP_ACTION_STORE, GP_MSG_ATTEMPT_STATE), 0);
    for (int i = 0; i < 10; i++) {
        desk_wake(desk, pause - GP_MSEC);
        assert_int_equal(desk->out.count, 0);
        desk_wake(desk, GP_MSEC);
        (void)reported(desk);
        if (i == 0) { /* not acknowledged at once: now it is written down */
            desk_stored(desk, desk_store_token(desk, GP_MSG_ATTEMPT_STATE), true);
        }
        pause = pause * 2 < 30 * GP_SECOND ? pause * 2 : 30 * GP_SECOND;
    }
    msg = &desk_msg(desk, GP_MSG_ENDED_ACK)->u.ended_ack;
    *msg = (gp_msg_ended_ack_t){.job = 40, .incarnation = 1};
    desk_receive(desk, 9);
    assert_int_equal(
        desk_find(desk, GP_ACTION_STORE, GP_MSG_ATTEMPT_STATE, 0)->msg->u.attempt_state.state, 0);
    assert_true(gp_work_ops.wake(desk->core) == GP_NEVER);
}

static void an_end_that_could_not_be_written_is_tried_again(void **state)
{
    desk_t *desk = *state;

    (void)desk_attempt(desk);
    desk_program_ended(desk, GP_REASON_EXIT, 0, 0);
    desk_wake(desk, 500 * GP_MSEC);
    desk_stored(desk, desk_store_token(desk, GP_MSG_ATTEMPT_STATE), false);
    desk_wake(desk, GP_SECOND);
    (void)desk_store_token(desk, GP_MSG_ATTEMPT_STATE);
}

static void words_of_the_launcher_for_nobody_are_ignored(void **state)
{
    desk_t *desk = *state;

    desk_program_ended(desk, GP_REASON_EXIT, 0, 0);
    desk_wrote(desk, 1, 0, "x");
    assert_int_equal(desk->out.count, 0);
    desk_msg(desk, GP_MSG_WORK_STARTED)->u.work_started =
        (gp_msg_work_started_t){.home = desk_id(9), .job = 40, .incarnation = 1};
    desk_command(desk, 0);
    assert_int_equal(desk->out.count, 0);
    (void)desk_attempt(desk);
    desk_program_ended(desk, GP_REASON_EXIT, 0, 0);
    desk_program_ended(desk, GP_REASON_EXIT, 1, 0);
    assert_int_equal(desk->out.count, 0);
}

/* ---- restart --------------------------------------------------------------------------------- */

static gp_msg_attempt_state_t *record(desk_t *desk, gp_job_state_t job_state)
{
    gp_msg_attempt_state_t *msg = &desk_msg(desk, GP_MSG_ATTEMPT_STATE)->u.attempt_state;

    *msg = (gp_msg_attempt_state_t){
        .home = desk_id(9), .job = 40, .incarnation = 1, .ticket = 77, .state = (uint8_t)job_state};
    return msg;
}

static void a_loaded_attempt_is_reported_and_never_started(void **state)
{
    desk_t *desk = *state;
    gp_work_attempt_t seen;

    (void)record(desk, GP_JOB_RUNNING);
    desk_load(desk);
    desk_start(desk);
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_START), 0);
    assert_int_equal(reported(desk)->reason, GP_REASON_NODE_FAILED);
    assert_true(reported(desk)->cut);
    assert_true(desk_text_has(reported(desk)->text, "stopped without notice"));
    assert_true(gp_work_attempt_at(desk->core, 0, &seen));
    assert_int_equal(seen.state, GP_JOB_FAILED);
    assert_false(gp_work_attempt_at(desk->core, 1, &seen));
    desk_keep(desk, 77, 0, 64); /* its home still orders it */
    assert_int_equal(desk_count(desk, GP_ACTION_STORE, GP_MSG_ATTEMPT_STATE), 1); /* of the end */
    assert_int_equal(reported(desk)->reason, GP_REASON_NODE_FAILED);
}

static void a_loaded_end_is_reported_as_it_was(void **state)
{
    desk_t *desk = *state;

    record(desk, GP_JOB_FAILED)->reason = GP_REASON_EXIT;
    desk->msg.u.attempt_state.code = 3;
    desk->msg.u.attempt_state.output = 12;
    desk->msg.u.attempt_state.text = gp_text("words");
    desk_load(desk);
    desk_start(desk);
    assert_int_equal(reported(desk)->reason, GP_REASON_EXIT);
    assert_int_equal(reported(desk)->code, 3);
    assert_int_equal(reported(desk)->output, 12);
    assert_true(reported(desk)->cut); /* what had not been taken is lost */
    desk_text(reported(desk)->text, "words");
    desk_wake(desk, 500 * GP_MSEC);
    assert_int_equal(desk_count(desk, GP_ACTION_STORE, GP_MSG_ATTEMPT_STATE),
                     0); /* it is on disk */
}

static void damaged_records_are_passed_over(void **state)
{
    desk_t *desk = *state;

    record(desk, GP_JOB_RUNNING)->ticket = 0;
    desk_load(desk);
    record(desk, GP_JOB_RUNNING)->job = 0;
    desk_load(desk);
    (void)record(desk, (gp_job_state_t)0);
    desk_load(desk);
    desk_start(desk);
    assert_int_equal(desk->out.count, 0);
    for (uint64_t i = 0; i < 8; i++) { /* more than the table holds */
        record(desk, GP_JOB_RUNNING)->job = 50 + i;
        desk_load(desk);
    }
    desk_start(desk);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_ENDED), 4);
}

static void a_loaded_end_without_a_reason_is_a_crash(void **state)
{
    desk_t *desk = *state;

    (void)record(desk, GP_JOB_DONE);
    desk_load(desk);
    desk_start(desk);
    assert_int_equal(desk_sent(desk, 9, GP_MSG_ENDED)->u.ended.reason, GP_REASON_NODE_FAILED);
}

static void keys_tell_attempts_apart(void **state)
{
    desk_t *desk = *state;
    uint8_t keys[4][GP_WORK_KEY_MAX];
    bool removed;

    assert_int_equal(
        (record(desk, GP_JOB_RUNNING), gp_work_record_key(&desk->msg, keys[0], &removed)), 44);
    assert_false(removed);
    record(desk, GP_JOB_RUNNING)->incarnation = 2;
    (void)gp_work_record_key(&desk->msg, keys[1], &removed);
    record(desk, GP_JOB_RUNNING)->job = 41;
    (void)gp_work_record_key(&desk->msg, keys[2], &removed);
    record(desk, (gp_job_state_t)0)->home = desk_id(8);
    (void)gp_work_record_key(&desk->msg, keys[3], &removed);
    assert_true(removed);
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < i; j++) {
            assert_int_not_equal(memcmp(keys[i], keys[j], 44), 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK(it_is_recorded_before_it_starts),
        DESK(without_a_record_it_does_not_start),
        DESK(the_start_is_told),
        DESK(a_failed_start_is_an_end_with_its_reason),
        DESK(a_start_that_failed_without_a_reason_has_one),
        DESK(it_is_listed_from_the_offer_to_the_acknowledgement),
        DESK(a_lease_of_nothing_is_over),
        DESK(what_is_owed_waits_for_a_sheet_with_room),
        DESK(a_loaded_end_without_a_reason_is_a_crash),
        DESK(each_keep_renews_the_lease),
        DESK(a_late_keep_does_not_save_a_lost_lease),
        DESK(a_lease_that_ends_during_the_grace_ends_the_grace),
        DESK(a_lease_lost_while_it_is_recorded_prevents_the_start),
        DESK(the_end_is_repeated_until_it_is_acknowledged),
        DESK(an_end_that_could_not_be_written_is_tried_again),
        DESK(words_of_the_launcher_for_nobody_are_ignored),
        DESK(a_loaded_attempt_is_reported_and_never_started),
        DESK(a_loaded_end_is_reported_as_it_was),
        DESK(damaged_records_are_passed_over),
        DESK(keys_tell_attempts_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
