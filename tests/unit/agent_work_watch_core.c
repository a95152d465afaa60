/* A job that may be running: lease, output, end, and its machine. */
#include <string.h>

#include "tests/unit/agent_work_desk.h"

static void the_order_is_repeated_until_it_is_answered(void **state)
{
    desk_t *desk = *state;

    (void)desk_ordered(desk);
    for (int i = 0; i < 5; i++) {
        desk_wake(desk, 300 * GP_MSEC);
        (void)desk_sent(desk, 1, GP_MSG_KEEP);
    }
    desk_kept(desk, 1, false); /* heard, but not started yet */
    desk_wake(desk, 300 * GP_MSEC);
    (void)desk_sent(desk, 1, GP_MSG_KEEP);
    desk_kept(desk, 1, true);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB)->u.job.state, GP_JOB_RUNNING);
    desk_kept(desk, 1, true);
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB), 0);
}

static void the_lease_is_renewed_every_two_seconds(void **state)
{
    desk_t *desk = *state;

    (void)desk_running(desk);
    desk_wake(desk, 300 * GP_MSEC);
    (void)desk_sent(desk, 1, GP_MSG_KEEP);
    for (int i = 0; i < 5; i++) {
        desk_wake(desk, 1900 * GP_MSEC);
        assert_int_equal(desk->out.count, 0);
        desk_wake(desk, 100 * GP_MSEC);
        assert_true(desk_sent(desk, 1, GP_MSG_KEEP)->u.keep.ticket == 500);
    }
}

/* ---- output ---------------------------------------------------------------------------------- */

static void output_is_passed_on_in_order_and_once(void **state)
{
    desk_t *desk = *state;
    const gp_msg_job_output_t *out;

    (void)desk_running(desk);
    desk_output(desk, 0, "hello ");
    out = &desk_noticed(desk, GP_MSG_JOB_OUTPUT)->u.job_output;
    assert_int_equal(desk_find(desk, GP_ACTION_NOTICE, GP_MSG_JOB_OUTPUT, 0)->token, 77);
    desk_text(out->bytes, "hello ");
    assert_true(out->offset == 0 && out->stream == 1 && out->job == DESK_FIRST);
    desk_output(desk, 0, "hello "); /* repeated */
    assert_int_equal(desk->out.count, 0);
    desk_output(desk, 8, "rld"); /* a gap */
    assert_int_equal(desk->out.count, 0);
    desk_output(desk, 3, "lo world"); /* half of it is known */
    out = &desk_noticed(desk, GP_MSG_JOB_OUTPUT)->u.job_output;
    desk_text(out->bytes, "world");
    assert_int_equal(out->offset, 6);
    desk_wake(desk, 20 * GP_MSEC);
    assert_int_equal(desk_sent(desk, 1, GP_MSG_OUTPUT_ACK)->u.output_ack.received, 11);
}

static void output_beyond_the_credit_is_not_taken(void **state)
{
    desk_t *desk = *state;
    char text[66];

    memset(text, 'x', 65);
    text[65] = '\0';
    (void)desk_running(desk);
    desk_output(desk, 0, text);
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_OUTPUT), 0);
    desk_output(desk, UINT64_MAX - 3, "xxxxxxx");
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_OUTPUT), 0);
    text[64] = '\0';
    desk_output(desk, 0, text);
    (void)desk_noticed(desk, GP_MSG_JOB_OUTPUT);
}

static void bad_output_is_ignored(void **state)
{
    desk_t *desk = *state;
    gp_msg_output_t *msg;

    (void)desk_running(desk);
    msg = &desk_msg(desk, GP_MSG_OUTPUT)->u.output;
    *msg =
        (gp_msg_output_t){.job = DESK_FIRST, .incarnation = 1, .stream = 0, .bytes = gp_text("x")};
    desk_receive(desk, 1);
    assert_int_equal(desk->out.count, 0);
    msg->stream = 2;
    desk_receive(desk, 2); /* not its executor */
    assert_int_equal(desk->out.count, 0);
    msg->incarnation = 2;
    desk_receive(desk, 1);
    assert_int_equal(desk->out.count, 0);
    msg->incarnation = 1;
    desk_receive(desk, 1);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_OUTPUT)->u.job_output.stream, 2);
}

static void consumed(desk_t *desk, uint64_t offset)
{
    gp_msg_work_consumed_t *msg = &desk_msg(desk, GP_MSG_WORK_CONSUMED)->u.work_consumed;

    *msg = (gp_msg_work_consumed_t){.job = DESK_FIRST, .offset = offset};
    desk_command(desk, 0);
}

static void credit_comes_as_the_user_reads(void **state)
{
    desk_t *desk = *state;
    char text[61];

    memset(text, 'x', 60);
    text[60] = '\0';
    (void)desk_running(desk);
    desk_output(desk, 0, text);
    assert_int_equal(desk_sent(desk, 1, GP_MSG_OUTPUT_ACK)->u.output_ack.until, 64);
    consumed(desk, 1000); /* more than there is */
    assert_int_equal(desk_sent(desk, 1, GP_MSG_OUTPUT_ACK)->u.output_ack.until, 124);
    consumed(desk, 10); /* it does not go back */
    assert_int_equal(desk->out.count, 0);
    desk_wake(desk, 2 * GP_SECOND);
    assert_int_equal(desk_sent(desk, 1, GP_MSG_KEEP)->u.keep.until, 124);
    assert_int_equal(desk_sent(desk, 1, GP_MSG_KEEP)->u.keep.received, 60);
}

static void the_end_waits_for_the_output(void **state)
{
    desk_t *desk = *state;

    (void)desk_running(desk);
    desk_output(desk, 0, "abc");
    desk_ended(desk, 1, GP_REASON_EXIT, 0, 6);
    assert_int_equal(desk_count(desk, GP_ACTION_STORE, GP_MSG_JOB_STATE), 0);
    assert_int_equal(desk_sent(desk, 1, GP_MSG_OUTPUT_ACK)->u.output_ack.received, 3);
    desk_output(desk, 3, "def");
    assert_int_equal(desk_told_end(desk)->state, GP_JOB_DONE);
    (void)desk_sent(desk, 1, GP_MSG_ENDED_ACK);
}

/* Its start and its end come at once, its output later: it runs, nobody is told how it ended. */
static void what_runs_has_no_end_yet(void **state)
{
    desk_t *desk = *state;
    gp_work_job_t job;

    (void)desk_ordered(desk);
    desk_ended(desk, 1, GP_REASON_EXIT, 3, 6);
    const gp_msg_job_t *told = &desk_noticed(desk, GP_MSG_JOB)->u.job;
    assert_int_equal(told->state, GP_JOB_RUNNING);
    assert_int_equal(told->reason, GP_REASON_NONE);
    assert_int_equal(told->code, 0);
    assert_true(gp_work_job_find(desk->core, DESK_FIRST, &job));
    assert_int_equal(job.state, GP_JOB_RUNNING);
    assert_int_equal(job.reason, GP_REASON_NONE);
    desk_output(desk, 0, "abcdef");
    assert_int_equal(desk_told_end(desk)->code, 3);
    assert_true(gp_work_job_find(desk->core, DESK_FIRST, &job));
    assert_int_equal(job.reason, GP_REASON_EXIT);
}

static void lost_output_is_no_success(void **state)
{
    desk_t *desk = *state;
    gp_msg_ended_t *msg;
    const gp_msg_job_t *job;

    (void)desk_running(desk);
    desk_output(desk, 0, "abc");
    msg = &desk_msg(desk, GP_MSG_ENDED)->u.ended;
    *msg = (gp_msg_ended_t){
        .job = DESK_FIRST, .incarnation = 1, .reason = GP_REASON_EXIT, .output = 10, .cut = true};
    desk_receive(desk, 1);
    job = desk_told_end(desk);
    assert_int_equal(job->state, GP_JOB_FAILED);
    assert_int_equal(job->reason, GP_REASON_NODE_FAILED);
    desk_text(job->text,
              "it exited with code 0, but 7 bytes of its output were lost with its machine");
}

static void states_tell_how_it_ended(void **state)
{
    static const struct {
        gp_reason_t reason;
        uint32_t code;
        gp_job_state_t state;
    } cases[] = {
        {GP_REASON_EXIT, 0, GP_JOB_DONE},           {GP_REASON_EXIT, 1, GP_JOB_FAILED},
        {GP_REASON_SIGNAL, 9, GP_JOB_FAILED},       {GP_REASON_OOM, 9, GP_JOB_FAILED},
        {GP_REASON_NOT_FOUND, 2, GP_JOB_FAILED},    {GP_REASON_LEASE_LOST, 9, GP_JOB_FAILED},
        {GP_REASON_CANCELLED, 15, GP_JOB_CANCELLED}};
    desk_t *desk = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const gp_msg_job_t *job;

        desk_renew(desk);
        (void)desk_ordered(desk);
        desk_ended(desk, 1, cases[i].reason, cases[i].code, 0);
        job = desk_told_end(desk);
        assert_int_equal(job->state, cases[i].state);
        assert_int_equal(job->reason, cases[i].reason);
        assert_int_equal(job->code, cases[i].code);
    }
    desk_renew(desk);
    (void)desk_ordered(desk);
    desk_ended(desk, 1, GP_REASON_NONE, 0, 0); /* never without a reason */
    assert_int_equal(desk_told_end(desk)->reason, GP_REASON_NODE_FAILED);
}

/* ---- cancelling ------------------------------------------------------------------------------ */

static void cancel(desk_t *desk)
{
    desk_msg(desk, GP_MSG_WORK_CANCEL)->u.work_cancel.job = DESK_FIRST;
    desk_command(desk, 0);
}

static void a_cancel_is_repeated_until_the_end(void **state)
{
    desk_t *desk = *state;

    (void)desk_running(desk);
    cancel(desk);
    assert_int_equal(desk_sent(desk, 1, GP_MSG_CANCEL)->u.cancel.reason, GP_REASON_CANCELLED);
    assert_true(desk_sent(desk, 1, GP_MSG_CANCEL)->u.cancel.ticket == 500);
    desk_wake(desk, 300 * GP_MSEC);
    (void)desk_sent(desk, 1, GP_MSG_CANCEL);
    desk_ended(desk, 1, GP_REASON_CANCELLED, 15, 0);
    assert_int_equal(desk_told_end(desk)->state, GP_JOB_CANCELLED);
    assert_true(gp_work_ops.wake(desk->core) == GP_NEVER);
}

static void a_cancelled_job_is_not_ordered_once_more(void **state)
{
    desk_t *desk = *state;

    (void)desk_ordered(desk);
    cancel(desk);
    desk_wake(desk, 300 * GP_MSEC);
    (void)desk_sent(desk, 1, GP_MSG_CANCEL);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_KEEP), 0);
    desk_claimed(desk, 1, 1, false, 500);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_CLAIM), 0);
    assert_int_equal(desk_told_end(desk)->state, GP_JOB_CANCELLED);
}

static void a_cancelled_job_needs_no_reader(void **state)
{
    desk_t *desk = *state;
    char text[61];

    memset(text, 'x', 60);
    text[60] = '\0';
    (void)desk_running(desk);
    desk_output(desk, 0, text);
    cancel(desk);
    assert_int_equal(desk_sent(desk, 1, GP_MSG_OUTPUT_ACK)->u.output_ack.until, 124);
    desk_output(desk, 60, text);
    assert_int_equal(desk_sent(desk, 1, GP_MSG_OUTPUT_ACK)->u.output_ack.until, 184);
}

static void one_that_ended_well_before_the_cancel_is_done(void **state)
{
    desk_t *desk = *state;

    (void)desk_running(desk);
    cancel(desk);
    desk_ended(desk, 1, GP_REASON_EXIT, 0, 0);
    assert_int_equal(desk_told_end(desk)->state, GP_JOB_DONE);
}

/* ---- its machine ----------------------------------------------------------------------------- */

static void an_unavailable_machine_ends_the_job_with_its_cause(void **state)
{
    desk_t *desk = *state;
    const gp_msg_job_t *job;

    (void)desk_running(desk);
    desk_member(desk, 1, GP_MEMBER_SUSPECT, GP_CAUSE_SILENT, false);
    desk_member(desk, 1, GP_MEMBER_UNKNOWN, GP_CAUSE_NO_QUORUM, false);
    desk_member(desk, 2, GP_MEMBER_UNAVAILABLE, GP_CAUSE_REFUSED, false);
    assert_int_equal(desk->out.count, 0);
    desk_member(desk, 1, GP_MEMBER_UNAVAILABLE, GP_CAUSE_REFUSED, false);
    (void)desk_sent(desk, 1, GP_MSG_CANCEL); /* if it lives after all, it shall stop */
    job = desk_told_end(desk);
    assert_int_equal(job->state, GP_JOB_FAILED);
    assert_int_equal(job->reason, GP_REASON_NODE_FAILED);
    desk_text(job->node, "n1");
    assert_true(desk_text_has(job->text, gp_cause_text(GP_CAUSE_REFUSED)));
    assert_true(desk_text_has(job->text, "was running"));
    desk_ended(desk, 1, GP_REASON_LEASE_LOST, 9, 0); /* it lived, and has stopped it */
    (void)desk_sent(desk, 1, GP_MSG_ENDED_ACK);
}

static void ordered_but_never_heard_of_it_is_lost(void **state)
{
    desk_t *desk = *state;
    const gp_msg_job_t *job;

    (void)desk_ordered(desk);
    desk_member(desk, 1, GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT, false);
    job = desk_told_end(desk);
    assert_int_equal(job->state, GP_JOB_LOST);
    assert_int_equal(job->reason, GP_REASON_NODE_FAILED);
    assert_true(desk_text_has(job->text, "may have run"));
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_CLAIM), 0); /* never elsewhere */
}

static void an_agent_that_stopped_in_good_order_is_told_as_such(void **state)
{
    desk_t *desk = *state;

    (void)desk_running(desk);
    desk_member(desk, 1, GP_MEMBER_LEFT, GP_CAUSE_STOPPED, false);
    assert_int_equal(desk_told_end(desk)->reason, GP_REASON_AGENT_STOPPED);
}

static void a_machine_gone_with_the_last_output(void **state)
{
    desk_t *desk = *state;
    const gp_msg_job_t *job;

    (void)desk_running(desk);
    desk_ended(desk, 1, GP_REASON_SIGNAL, 11, 50);
    desk_member(desk, 1, GP_MEMBER_UNAVAILABLE, GP_CAUSE_REFUSED, false);
    job = desk_told_end(desk);
    assert_int_equal(job->reason, GP_REASON_NODE_FAILED);
    assert_true(desk_text_has(job->text, "signal 11"));
    assert_true(desk_text_has(job->text, "50 bytes"));
}

static void silence_alone_is_no_verdict(void **state)
{
    desk_t *desk = *state;
    gp_work_job_t job;

    desk_member(desk, 1, GP_MEMBER_ALIVE, GP_CAUSE_JOINED, false);
    (void)desk_running(desk);
    desk_member(desk, 1, GP_MEMBER_UNKNOWN, GP_CAUSE_NO_QUORUM, false);
    for (int i = 0; i < 300; i++) {
        desk_wake(desk, 2 * GP_SECOND);
        assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_KEEP), 1);
    }
    assert_true(gp_work_job_find(desk->core, DESK_FIRST, &job));
    assert_int_equal(job.state, GP_JOB_RUNNING);
    assert_true(desk->now - job.heard >= 600 * GP_SECOND); /* "no news for ..." */
}

static void a_silent_machine_that_nobody_knows_is_given_up(void **state)
{
    desk_t *desk = *state;
    gp_usec_t begin = desk->now;

    (void)desk_running(desk);
    do {
        assert_int_equal(desk_count(desk, GP_ACTION_STORE, GP_MSG_JOB_STATE), 0);
        desk_wake(desk, 2 * GP_SECOND);
        assert_true(desk->now - begin < 110 * GP_SECOND);
    } while (desk_count(desk, GP_ACTION_STORE, GP_MSG_JOB_STATE) == 0);
    assert_true(desk->now - begin >= 100 * GP_SECOND); /* ten leases */
    assert_int_equal(desk_told_end(desk)->reason, GP_REASON_NODE_FAILED);
}

static void its_word_that_the_record_is_lost_ends_it(void **state)
{
    desk_t *desk = *state;
    gp_msg_ended_t *msg;

    (void)desk_ordered(desk);
    msg = &desk_msg(desk, GP_MSG_ENDED)->u.ended;
    *msg = (gp_msg_ended_t){.job = DESK_FIRST,
                            .incarnation = 1,
                            .reason = GP_REASON_NODE_FAILED,
                            .cut = true,
                            .text = gp_text("its machine lost its record")};
    desk_receive(desk, 1);
    desk_text(desk_told_end(desk)->text, "its machine lost its record");
}

/* A machine that was only asked cannot end what it was never told to start. */
static void an_end_before_the_order_is_none(void **state)
{
    desk_t *desk = *state;

    (void)desk_matched(desk, 2);
    desk_ended(desk, 1, GP_REASON_EXIT, 0, 0);
    assert_int_equal(desk->out.count, 0);
    desk_claimed(desk, 1, 1, true, 500);
    desk_stored(desk, desk_store_token(desk, GP_MSG_JOB_STATE), true);
    assert_true(desk_sent(desk, 1, GP_MSG_KEEP)->u.keep.ticket == 500);
}

/* A member beyond those that are remembered: what it runs is lost when the group forgets it. */
static void a_machine_that_is_not_remembered_may_be_forgotten(void **state)
{
    desk_t *desk = *state;
    const gp_msg_job_t *job;

    for (uint8_t i = 0; i < GP_MEMBERS_MAX; i++) {
        desk_member(desk, (uint8_t)(100 + i), GP_MEMBER_ALIVE, GP_CAUSE_JOINED, false);
    }
    (void)desk_running(desk);
    desk_member(desk, 1, GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT, false);
    assert_int_equal(desk->out.count, 0);
    desk_member(desk, 1, GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT, true);
    job = desk_told_end(desk);
    assert_int_equal(job->reason, GP_REASON_NODE_FAILED);
    desk_text(job->text, "its machine is unavailable; it was running and may have had effects");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK(the_order_is_repeated_until_it_is_answered),
        DESK(the_lease_is_renewed_every_two_seconds),
        DESK(output_is_passed_on_in_order_and_once),
        DESK(output_beyond_the_credit_is_not_taken),
        DESK(bad_output_is_ignored),
        DESK(credit_comes_as_the_user_reads),
        DESK(the_end_waits_for_the_output),
        DESK(what_runs_has_no_end_yet),
        DESK(lost_output_is_no_success),
        DESK(states_tell_how_it_ended),
        DESK(a_cancel_is_repeated_until_the_end),
        DESK(a_cancelled_job_is_not_ordered_once_more),
        DESK(a_cancelled_job_needs_no_reader),
        DESK(one_that_ended_well_before_the_cancel_is_done),
        DESK(an_unavailable_machine_ends_the_job_with_its_cause),
        DESK(ordered_but_never_heard_of_it_is_lost),
        DESK(an_agent_that_stopped_in_good_order_is_told_as_such),
        DESK(a_machine_gone_with_the_last_output),
        DESK(silence_alone_is_no_verdict),
        DESK(a_silent_machine_that_nobody_knows_is_given_up),
        DESK(its_word_that_the_record_is_lost_ends_it),
        DESK(an_end_before_the_order_is_none),
        DESK(a_machine_that_is_not_remembered_may_be_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
