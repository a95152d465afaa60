/* The home: what is accepted, recorded, told, and when. */
#include <string.h>

#include "tests/unit/agent_work_desk.h"

static gp_job_state_t state_of(const desk_t *desk, uint64_t number)
{
    gp_work_job_t job;

    return gp_work_job_find(desk->core, number, &job) ? job.state : (gp_job_state_t)0;
}

static void cancel(desk_t *desk, uint64_t job)
{
    desk_msg(desk, GP_MSG_WORK_CANCEL)->u.work_cancel.job = job;
    desk_command(desk, 0);
}

static void a_job_is_told_when_it_is_durable(void **state)
{
    desk_t *desk = *state;
    const gp_msg_job_t *job;
    uint64_t token;

    desk_run(desk);
    assert_int_equal(desk->out.count, 1);
    token = desk_store_token(desk, GP_MSG_JOB_STATE);
    desk_stored(desk, token + (1 << 16), true); /* of something else */
    assert_int_equal(desk->out.count, 0);
    desk_stored(desk, token, true);
    job = &desk_noticed(desk, GP_MSG_JOB)->u.job;
    assert_int_equal(desk_find(desk, GP_ACTION_NOTICE, GP_MSG_JOB, 0)->token, 77);
    assert_true(job->job == DESK_FIRST);
    assert_int_equal(job->state, GP_JOB_MATCHING);
    desk_text(job->name, "a-job");
    desk_stored(desk, token, true); /* answered twice */
    assert_int_equal(desk->out.count, 0);
}

static void refused(desk_t *desk, const char *why)
{
    const gp_msg_job_t *job = &desk_noticed(desk, GP_MSG_JOB)->u.job;

    assert_int_equal(desk_find(desk, GP_ACTION_NOTICE, GP_MSG_JOB, 0)->token, 78);
    assert_int_equal(job->job, 0);
    assert_int_equal(job->state, GP_JOB_FAILED);
    assert_int_equal(job->reason, GP_REASON_REFUSED);
    assert_true(desk_text_has(job->text, why));
    assert_int_equal(desk->out.count, 1); /* nothing is stored */
}

static gp_msg_work_run_t *simple_run(desk_t *desk)
{
    gp_msg_work_run_t *run = &desk_msg(desk, GP_MSG_WORK_RUN)->u.work_run;

    run->args_count = 1;
    run->args[0].text = gp_text("prog");
    return run;
}

static void what_cannot_run_is_refused(void **state)
{
    desk_t *desk = *state;
    char big[300];

    memset(big, 'x', sizeof big);
    (void)desk_msg(desk, GP_MSG_WORK_RUN);
    desk_command(desk, 78);
    refused(desk, "no command");
    simple_run(desk)->args[0].text = gp_text("");
    desk_command(desk, 78);
    refused(desk, "no command");
    simple_run(desk)->args[0].text = gp_slice(big, sizeof big);
    desk_command(desk, 78);
    refused(desk, "too large");
    simple_run(desk)->args[0].text = gp_text("caf\xe9");
    desk_command(desk, 78);
    refused(desk, "UTF-8");
    simple_run(desk)->where = gp_slice("cpu\0", 4);
    desk_command(desk, 78);
    refused(desk, "UTF-8");
}

static void who_may_not_submit_runs_nothing(void **state)
{
    desk_t *desk = *state;

    desk_roles(desk, &desk->self, GP_ROLE_MEMBER | GP_ROLE_LEND);
    (void)simple_run(desk);
    desk_command(desk, 78);
    refused(desk, "lacks the role submit");
}

static void a_name_that_was_cut_in_a_character_is_trimmed(void **state)
{
    desk_t *desk = *state;

    simple_run(desk)->name = gp_text("caf\xc3");
    desk_command(desk, 78);
    desk_text(desk_find(desk, GP_ACTION_STORE, GP_MSG_JOB_STATE, 0)->msg->u.job_state.name, "caf");
}

static void open_jobs_fill_the_table_and_ended_ones_give_way(void **state)
{
    desk_t *desk = *state;
    const gp_action_t *removal;
    uint8_t key[GP_WORK_KEY_MAX];
    uint8_t first[GP_WORK_KEY_MAX];
    bool removed;

    for (int i = 0; i < 4; i++) {
        desk_run(desk);
        desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    }
    (void)simple_run(desk);
    desk_command(desk, 78);
    refused(desk, "as many open jobs as it may");
    cancel(desk, DESK_FIRST + 1);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    assert_int_equal(state_of(desk, DESK_FIRST + 1), GP_JOB_CANCELLED);
    simple_run(desk)->args[0].text = gp_text("\xff"); /* one that is refused takes no place */
    desk_command(desk, 78);
    refused(desk, "UTF-8");
    assert_int_equal(state_of(desk, DESK_FIRST + 1), GP_JOB_CANCELLED);
    desk_run(desk);
    assert_int_equal(desk_count(desk, GP_ACTION_STORE, GP_MSG_JOB_STATE), 2);
    removal = desk_find(desk, GP_ACTION_STORE, GP_MSG_JOB_STATE, 0);
    assert_true(removal->msg->u.job_state.job == DESK_FIRST + 1);
    assert_int_equal(gp_work_record_key(removal->msg, key, &removed), 8);
    assert_true(removed);
    (void)gp_work_record_key(desk_find(desk, GP_ACTION_STORE, GP_MSG_JOB_STATE, 1)->msg, first,
                             &removed);
    assert_false(removed);
    assert_int_not_equal(memcmp(key, first, 8), 0);
    assert_int_equal(state_of(desk, DESK_FIRST + 1), 0);
    assert_int_equal(state_of(desk, DESK_FIRST + 4), GP_JOB_NEW);
}

static void a_job_that_cannot_be_recorded_is_not_accepted(void **state)
{
    desk_t *desk = *state;
    gp_work_job_t slot;
    const gp_msg_job_t *job;

    desk_run(desk);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), false);
    assert_false(gp_work_job_at(desk->core, 0, &slot));
    job = &desk_noticed(desk, GP_MSG_JOB)->u.job;
    assert_int_equal(job->job, 0);
    assert_int_equal(job->reason, GP_REASON_STORAGE);
    assert_true(desk_text_has(job->text, "disk"));
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_FIND), 0);
    assert_int_equal(state_of(desk, DESK_FIRST), 0);
}

static void cancelled_before_the_order_it_ends_at_once(void **state)
{
    desk_t *desk = *state;

    desk_run(desk);
    cancel(desk, DESK_FIRST);
    assert_int_equal(desk->out.count, 0);
    desk_renew(desk);
    (void)desk_accepted(desk);
    cancel(desk, DESK_FIRST);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_CANCEL), 0);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB)->u.job.reason, GP_REASON_CANCELLED);
    desk_renew(desk);
    (void)desk_matched(desk, 2);
    cancel(desk, DESK_FIRST);
    (void)desk_sent(desk, 1, GP_MSG_CANCEL);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    assert_int_equal(state_of(desk, DESK_FIRST), GP_JOB_CANCELLED);
    desk_claimed(desk, 1, 1, true, 500); /* the offer came too late */
    assert_true(desk_sent(desk, 1, GP_MSG_CANCEL)->u.cancel.ticket == 500);
    assert_true(gp_work_ops.wake(desk->core) == GP_NEVER);
}

static void cancelled_while_its_record_is_written_it_is_told_both(void **state)
{
    desk_t *desk = *state;
    uint64_t token;

    desk_run(desk);
    token = desk_store_token(desk, GP_MSG_JOB_STATE);
    gp_msg_work_cancel_t *msg = &desk_msg(desk, GP_MSG_WORK_CANCEL)->u.work_cancel;
    msg->job = DESK_FIRST;
    desk_command(desk, 0);
    desk_stored(desk, token, true);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB)->u.job.state, GP_JOB_MATCHING);
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_FIND), 0);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB)->u.job.state, GP_JOB_CANCELLED);
}

static void cancelled_while_its_executor_is_written_it_is_not_ordered(void **state)
{
    desk_t *desk = *state;
    uint64_t token;

    (void)desk_offered(desk);
    token = desk_store_token(desk, GP_MSG_JOB_STATE);
    cancel(desk, DESK_FIRST);
    assert_true(desk_sent(desk, 1, GP_MSG_CANCEL)->u.cancel.ticket == 500);
    assert_int_equal(desk_count(desk, GP_ACTION_STORE, GP_MSG_JOB_STATE), 0);
    desk_stored(desk, token, true);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_KEEP), 0);
    assert_int_equal(desk_find(desk, GP_ACTION_STORE, GP_MSG_JOB_STATE, 0)->msg->u.job_state.state,
                     GP_JOB_CANCELLED);
}

static void the_end_is_acknowledged_when_it_is_durable(void **state)
{
    desk_t *desk = *state;
    const gp_msg_job_t *job;
    uint64_t token;

    (void)desk_running(desk);
    desk_ended(desk, 1, GP_REASON_EXIT, 7, 0);
    assert_int_equal(desk->out.count, 1);
    token = desk_store_token(desk, GP_MSG_JOB_STATE);
    desk_ended(desk, 1, GP_REASON_EXIT, 7, 0); /* repeated meanwhile */
    assert_int_equal(desk->out.count, 0);
    desk_stored(desk, token, true);
    job = &desk_noticed(desk, GP_MSG_JOB)->u.job;
    assert_int_equal(job->state, GP_JOB_FAILED);
    assert_int_equal(job->reason, GP_REASON_EXIT);
    assert_int_equal(job->code, 7);
    assert_true(job->wall_us == 5 && job->cpu_us == 6 && job->peak_bytes == 7);
    desk_text(job->node, "n1");
    (void)desk_sent(desk, 1, GP_MSG_ENDED_ACK);
    desk_ended(desk, 1, GP_REASON_EXIT, 7, 0); /* the acknowledgement was lost */
    (void)desk_sent(desk, 1, GP_MSG_ENDED_ACK);
    assert_int_equal(desk->out.count, 1);
    assert_true(gp_work_ops.wake(desk->core) == GP_NEVER);
}

static void unrecorded(desk_t *desk)
{
    const gp_msg_job_t *told = &desk_noticed(desk, GP_MSG_JOB)->u.job;

    assert_int_equal(told->state, GP_JOB_RUNNING);
    assert_int_equal(told->reason, GP_REASON_STORAGE);
    assert_int_equal(told->code, 0);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_ENDED_ACK), 0);
}

/*
 * What was told must not be otherwise after a restart: until it is on disk, the job runs, and why
 * it is so is told each time that the disk fails.
 */
static void an_end_is_told_when_it_is_recorded(void **state)
{
    desk_t *desk = *state;
    gp_work_job_t job;

    (void)desk_running(desk);
    desk_ended(desk, 1, GP_REASON_EXIT, 7, 0);
    assert_true(gp_work_job_find(desk->core, DESK_FIRST, &job));
    assert_int_equal(job.reason, GP_REASON_NONE);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), false);
    unrecorded(desk);
    assert_true(gp_work_job_find(desk->core, DESK_FIRST, &job));
    assert_int_equal(job.state, GP_JOB_RUNNING);
    assert_int_equal(job.reason, GP_REASON_STORAGE);
    desk_wake(desk, 2 * GP_SECOND);
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB), 0);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), false);
    unrecorded(desk);
    desk_wake(desk, 2 * GP_SECOND);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB)->u.job.state, GP_JOB_FAILED);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB)->u.job.reason, GP_REASON_EXIT);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB)->u.job.code, 7);
    (void)desk_sent(desk, 1, GP_MSG_ENDED_ACK);
    assert_int_equal(state_of(desk, DESK_FIRST), GP_JOB_FAILED);
}

static void ends_of_no_interest_are_acknowledged(void **state)
{
    desk_t *desk = *state;

    desk_ended(desk, 5, GP_REASON_EXIT, 0, 0); /* no such job */
    (void)desk_sent(desk, 5, GP_MSG_ENDED_ACK);
    (void)desk_running(desk);
    desk_ended(desk, 5, GP_REASON_EXIT, 0, 0); /* not its executor */
    (void)desk_sent(desk, 5, GP_MSG_ENDED_ACK);
    assert_int_equal(state_of(desk, DESK_FIRST), GP_JOB_RUNNING);
}

/* ---- restart --------------------------------------------------------------------------------- */

static gp_msg_job_state_t *record(desk_t *desk, gp_job_state_t job_state)
{
    gp_msg_job_state_t *msg = &desk_msg(desk, GP_MSG_JOB_STATE)->u.job_state;

    *msg = (gp_msg_job_state_t){.job = DESK_FIRST,
                                .incarnation = 1,
                                .ticket = 500,
                                .state = (uint8_t)job_state,
                                .executor = desk_id(1),
                                .node = gp_text("n1"),
                                .name = gp_text("a-job")};
    return msg;
}

static void a_job_that_had_not_started_ends_with_the_restart(void **state)
{
    desk_t *desk = *state;
    const gp_msg_job_t *job;

    (void)record(desk, GP_JOB_NEW);
    desk_load(desk);
    desk_start(desk);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_CANCEL), 0);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    job = &desk_noticed(desk, GP_MSG_JOB)->u.job;
    assert_int_equal(job->state, GP_JOB_FAILED);
    assert_int_equal(job->reason, GP_REASON_HOME_RESTARTED);
    assert_true(desk_text_has(job->text, "before it started"));
}

static void a_running_job_is_cancelled_after_the_restart(void **state)
{
    desk_t *desk = *state;
    const gp_msg_cancel_t *msg;
    const gp_msg_job_t *job;

    (void)record(desk, GP_JOB_RUNNING);
    desk_load(desk);
    desk_start(desk);
    msg = &desk_sent(desk, 1, GP_MSG_CANCEL)->u.cancel;
    assert_true(msg->ticket == 500);
    assert_int_equal(msg->reason, GP_REASON_HOME_RESTARTED);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_KEEP), 0);
    desk_wake(desk, GP_SECOND);
    (void)desk_sent(desk, 1, GP_MSG_CANCEL);
    for (int i = 0; i < 2; i++) {
        desk_output(desk, 0, "lost"); /* its user is gone */
        assert_int_equal(desk->out.count, 0);
        desk_wake(desk, 20 * GP_MSEC);
        assert_int_equal(desk->out.count, 0);
    }
    desk_ended(desk, 1, GP_REASON_EXIT, 4, 104);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    job = &desk_noticed(desk, GP_MSG_JOB)->u.job;
    assert_int_equal(job->reason, GP_REASON_HOME_RESTARTED);
    assert_true(desk_text_has(job->text, "code 4"));
    (void)desk_sent(desk, 1, GP_MSG_ENDED_ACK);
}

/* Only the order is on its disk: whether the program ever started is not known. */
static void a_job_whose_machine_is_gone_too_may_have_run(void **state)
{
    desk_t *desk = *state;
    const gp_msg_job_t *job;

    (void)record(desk, GP_JOB_RUNNING);
    desk_load(desk);
    desk_start(desk);
    desk_wake(desk, GP_SECOND);
    desk_member(desk, 1, GP_MEMBER_UNAVAILABLE, GP_CAUSE_REFUSED, false);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    job = &desk_noticed(desk, GP_MSG_JOB)->u.job;
    assert_int_equal(job->state, GP_JOB_LOST);
    assert_int_equal(job->reason, GP_REASON_HOME_RESTARTED);
    assert_true(desk_text_has(job->text, "may have run"));
}

static void a_restarted_home_does_not_wait_for_ever(void **state)
{
    desk_t *desk = *state;

    (void)record(desk, GP_JOB_RUNNING);
    desk_load(desk);
    desk_start(desk);
    desk_wake(desk, 61 * GP_SECOND);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB)->u.job.reason, GP_REASON_HOME_RESTARTED);
}

static void one_that_never_started_is_not_placed_again(void **state)
{
    desk_t *desk = *state;

    (void)record(desk, GP_JOB_RUNNING);
    desk_load(desk);
    desk_start(desk);
    desk_claimed(desk, 1, 1, false, 500);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB)->u.job.reason, GP_REASON_HOME_RESTARTED);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_CLAIM), 0);
}

static void an_ended_job_is_still_listed(void **state)
{
    desk_t *desk = *state;
    gp_work_job_t job;

    record(desk, GP_JOB_DONE)->reason = GP_REASON_EXIT;
    desk->msg.u.job_state.wall_us = 9;
    desk_load(desk);
    desk_start(desk);
    assert_int_equal(desk->out.count, 0);
    assert_true(gp_work_job_find(desk->core, DESK_FIRST, &job));
    assert_int_equal(job.state, GP_JOB_DONE);
    assert_true(job.wall_us == 9);
    desk_text(job.node, "n1");
    assert_true(gp_work_job_at(desk->core, 0, &job));
    assert_false(gp_work_job_at(desk->core, 1, &job));
    assert_false(gp_work_job_at(desk->core, 4000, &job));
}

static void damaged_records_are_passed_over(void **state)
{
    desk_t *desk = *state;

    record(desk, GP_JOB_RUNNING)->ticket = 0;
    desk_load(desk);
    record(desk, GP_JOB_RUNNING)->executor = (gp_id_t){.b = {0}};
    desk_load(desk);
    record(desk, GP_JOB_NEW)->job = 0;
    desk_load(desk);
    (void)record(desk, (gp_job_state_t)15);
    desk_load(desk);
    (void)record(desk, GP_JOB_DONE); /* without a reason */
    desk_load(desk);
    (void)record(desk, (gp_job_state_t)0); /* removed */
    desk_load(desk);
    assert_int_equal(state_of(desk, DESK_FIRST), 0);
    (void)record(desk, GP_JOB_NEW);
    desk_load(desk);
    (void)record(desk, GP_JOB_RUNNING); /* the same twice */
    desk_load(desk);
    for (uint64_t i = 1; i < 8; i++) { /* more than the table holds */
        record(desk, GP_JOB_NEW)->job = DESK_FIRST + i;
        desk_load(desk);
    }
    desk_start(desk);
    assert_int_equal(desk_count(desk, GP_ACTION_STORE, GP_MSG_JOB_STATE), 4);
}

/* ---- the agent's stop ------------------------------------------------------------------------ */

static void a_stopping_agent_ends_its_jobs_and_says_so(void **state)
{
    desk_t *desk = *state;

    (void)desk_running(desk);
    desk_run(desk);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    desk_msg(desk, GP_MSG_WORK_STOP)->u.work_stop.wait_ms = 3000;
    desk_command(desk, 0);
    assert_int_equal(desk_sent(desk, 1, GP_MSG_CANCEL)->u.cancel.reason, GP_REASON_HOME_RESTARTED);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    assert_int_equal(state_of(desk, DESK_FIRST + 1), GP_JOB_FAILED);
    (void)simple_run(desk);
    desk_command(desk, 78);
    refused(desk, "stop");
    desk_ended(desk, 1, GP_REASON_HOME_RESTARTED, 0, 0);
    assert_int_equal(desk_noticed(desk, GP_MSG_WORK_STOPPED)->u.work_stopped.left, 0);
}

/* Told twice to stop, it still goes when it said it would. */
static void a_second_stop_moves_nothing(void **state)
{
    desk_t *desk = *state;

    (void)desk_running(desk);
    desk_msg(desk, GP_MSG_WORK_STOP)->u.work_stop.wait_ms = 1000;
    desk_command(desk, 0);
    desk_msg(desk, GP_MSG_WORK_STOP)->u.work_stop.wait_ms = 5000;
    desk_command(desk, 0);
    desk_wake(desk, GP_SECOND);
    assert_int_equal(desk_noticed(desk, GP_MSG_WORK_STOPPED)->u.work_stopped.left, 1);
}

static void a_stopping_agent_waits_only_so_long(void **state)
{
    desk_t *desk = *state;

    (void)desk_running(desk);
    desk_msg(desk, GP_MSG_WORK_STOP)->u.work_stop.wait_ms = 3000;
    desk_command(desk, 0);
    assert_true(gp_work_ops.wake(desk->core) <= desk->now + 3 * GP_SECOND);
    desk_wake(desk, 3 * GP_SECOND);
    assert_int_equal(desk_noticed(desk, GP_MSG_WORK_STOPPED)->u.work_stopped.left, 1);
    desk_wake(desk, 3 * GP_SECOND);
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_WORK_STOPPED), 0);
}

/* A part of the sheet is for what cannot wait, however many steps share it. */
static void what_can_wait_is_left_for_a_sheet_with_room(void **state)
{
    desk_t *desk = *state;

    (void)desk_running(desk);
    desk_crowd(desk);
    desk_wake(desk, 3 * GP_SECOND);
    assert_int_equal(desk->out.count, GP_ACTIONS_SOFT);
    assert_true(gp_work_ops.wake(desk->core) <= desk->now);
    desk_wake(desk, 0);
    (void)desk_sent(desk, 1, GP_MSG_KEEP);
}

/* A record gives way to a new job only when its user has heard how the job ended. */
static void an_end_that_is_not_told_yet_does_not_give_way(void **state)
{
    desk_t *desk = *state;
    uint64_t token;

    (void)desk_running(desk);
    for (int i = 0; i < 3; i++) {
        desk_run(desk);
        desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    }
    desk_ended(desk, 1, GP_REASON_EXIT, 0, 0);
    token = desk_store_token(desk, GP_MSG_JOB_STATE);
    desk_crowd(desk);
    desk_stored(desk, token, true);
    assert_int_equal(desk->out.count, GP_ACTIONS_SOFT);
    assert_true(gp_work_ops.wake(desk->core) <= desk->now);
    (void)simple_run(desk);
    desk_crowd(desk);
    desk_command(desk, 78);
    assert_true(desk_text_has(desk_noticed(desk, GP_MSG_JOB)->u.job.text, "as many open jobs"));
    desk_wake(desk, 0);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB)->u.job.state, GP_JOB_DONE);
    (void)desk_sent(desk, 1, GP_MSG_ENDED_ACK);
    (void)simple_run(desk);
    desk_command(desk, 78);
    assert_int_equal(desk_count(desk, GP_ACTION_STORE, GP_MSG_JOB_STATE), 2); /* it gives way */
}

static void no_number_is_used_twice(void **state)
{
    desk_t *desk = *state;

    ((gp_work_t *)desk->core)->numbers = (UINT64_C(1) << WORK_NUMBER_BITS) - 2;
    desk_run(desk);
    assert_true(desk_find(desk, GP_ACTION_STORE, GP_MSG_JOB_STATE, 0)->msg->u.job_state.job >>
                    WORK_NUMBER_BITS ==
                DESK_EPOCH);
    (void)simple_run(desk);
    desk_command(desk, 78);
    refused(desk, "restart it");
}

static void words_about_no_job_are_ignored(void **state)
{
    desk_t *desk = *state;

    (void)desk_running(desk);
    desk_msg(desk, GP_MSG_WORK_CONSUMED)->u.work_consumed.job = DESK_FIRST + 1;
    desk_command(desk, 0);
    assert_int_equal(desk->out.count, 0);
    cancel(desk, DESK_FIRST + 1);
    assert_int_equal(desk->out.count, 0);
    assert_int_equal(state_of(desk, DESK_FIRST), GP_JOB_RUNNING);
}

/* The disk may answer for a write that nobody waits for any more. */
static void a_store_of_nobody_changes_nothing(void **state)
{
    desk_t *desk = *state;
    const uint64_t attempts = 0x8000; /* the bit of an attempt's token; its low bits are the slot */

    desk_run(desk);
    desk_stored(desk, attempts | 1 << 16, true);
    assert_int_equal(desk->out.count, 0);
    desk_stored(desk, 1 << 16 | 3, true);
    assert_int_equal(desk->out.count, 0);
}

/* ---- the configuration ----------------------------------------------------------------------- */

static void a_configuration_without_sense_has_no_size(void **state)
{
    desk_t *desk = *state;
    gp_work_config_t bad[16];
    uint32_t n = 0;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bad[i] = desk->config;
    }
    bad[n++].epoch = UINT64_C(1) << 43;
    bad[n++].home_max = 0;
    bad[n++].home_max = GP_JOBS_MAX + 1;
    bad[n++].attempts_max = 0;
    bad[n++].attempts_max = GP_JOBS_MAX + 1;
    bad[n++].running_max = desk->config.attempts_max + 1;
    bad[n++].command_bytes = 63;
    bad[n++].command_bytes = 65537;
    bad[n++].output_window = 15;
    bad[n++].output_window = GP_OUTPUT_WINDOW + 1;
    bad[n++].lease_us = 100 * GP_MSEC - 1;
    bad[n++].lease_us = WORK_LEASE_LONGEST + 1;
    bad[n++].keep_us = 0;
    bad[n++].keep_us = desk->config.lease_us / 2 + 1;
    bad[n++].claim_us = 0;
    bad[n++].match_us = 0;
    assert_int_equal(n, sizeof bad / sizeof bad[0]);
    assert_true(gp_work_ops.size(&desk->config) > 0);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(gp_work_ops.size(&bad[i]), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK(a_job_is_told_when_it_is_durable),
        DESK(what_cannot_run_is_refused),
        DESK(who_may_not_submit_runs_nothing),
        DESK(a_name_that_was_cut_in_a_character_is_trimmed),
        DESK(open_jobs_fill_the_table_and_ended_ones_give_way),
        DESK(a_job_that_cannot_be_recorded_is_not_accepted),
        DESK(cancelled_before_the_order_it_ends_at_once),
        DESK(cancelled_while_its_record_is_written_it_is_told_both),
        DESK(cancelled_while_its_executor_is_written_it_is_not_ordered),
        DESK(the_end_is_acknowledged_when_it_is_durable),
        DESK(an_end_is_told_when_it_is_recorded),
        DESK(ends_of_no_interest_are_acknowledged),
        DESK(a_job_that_had_not_started_ends_with_the_restart),
        DESK(a_running_job_is_cancelled_after_the_restart),
        DESK(a_job_whose_machine_is_gone_too_may_have_run),
        DESK(a_restarted_home_does_not_wait_for_ever),
        DESK(one_that_never_started_is_not_placed_again),
        DESK(an_ended_job_is_still_listed),
        DESK(damaged_records_are_passed_over),
        DESK(a_stopping_agent_ends_its_jobs_and_says_so),
        DESK(a_second_stop_moves_nothing),
        DESK(a_stopping_agent_waits_only_so_long),
        DESK(what_can_wait_is_left_for_a_sheet_with_room),
        DESK(an_end_that_is_not_told_yet_does_not_give_way),
        DESK(no_number_is_used_twice),
        DESK(words_about_no_job_are_ignored),
        DESK(a_store_of_nobody_changes_nothing),
        DESK(a_configuration_without_sense_has_no_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
