/*
 * A job that may be running: its lease, its output, its end, and the fate of its machine.
 */
#include "agent/work/work_state.h"

static bool watched(const home_job_t *job)
{
    return job->phase == HOME_ORDERED || job->phase == HOME_RUNNING;
}

static bool is_current(const home_job_t *job, const gp_event_t *event, uint32_t incarnation)
{
    return gp_id_equal(&job->executor, &event->peer) && job->incarnation == incarnation;
}

static void no_later(gp_usec_t *due, gp_usec_t at)
{
    *due = at < *due ? at : *due;
}

static void runs(home_job_t *job, gp_usec_t now)
{
    if (job->phase == HOME_ORDERED) {
        gp_usec_t due = job->due;

        gp_home_enter(job, HOME_RUNNING, now);
        job->due = due;
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

static void add_lost_bytes(home_job_t *job, const char *after)
{
    gp_work_text_number(&job->text, job->end.output - job->received);
    gp_work_text_add(&job->text, gp_text(" bytes of its output were lost with "));
    gp_work_text_add(&job->text, gp_text(after));
}

/* How it ended, for words that name two causes. */
static void add_outcome(home_job_t *job)
{
    if (job->end.reason == GP_REASON_EXIT) {
        gp_work_text_add(&job->text, gp_text("it exited with code "));
        gp_work_text_number(&job->text, job->end.code);
    } else if (job->end.reason == GP_REASON_SIGNAL) {
        gp_work_text_add(&job->text, gp_text("it was ended by signal "));
        gp_work_text_number(&job->text, job->end.code);
    } else {
        gp_work_text_add(&job->text, gp_text("it ended: "));
        gp_work_text_add(&job->text, gp_text(gp_reason_name(job->end.reason)));
    }
}

/* The executor's word is complete: the end is as it says. */
static void finish_ended(gp_work_t *work, home_job_t *job, gp_usec_t now)
{
    gp_reason_t reason = job->end.reason;
    gp_job_state_t state = GP_JOB_FAILED;

    assert(job->ended_known);
    if (job->deaf) {
        gp_work_text_set(&job->text, gp_text("the agent at home restarted and stopped it; "));
        add_outcome(job);
        reason = GP_REASON_HOME_RESTARTED;
    } else if (job->received < job->end.output) {
        gp_work_text_set(&job->text, gp_text(""));
        add_outcome(job);
        gp_work_text_add(&job->text, gp_text(", but "));
        add_lost_bytes(job, "its machine");
        reason = GP_REASON_NODE_FAILED;
    } else if (reason == GP_REASON_EXIT && job->end.code == 0) {
        state = GP_JOB_DONE;
    } else if (reason == GP_REASON_CANCELLED) {
        state = GP_JOB_CANCELLED;
    }
    gp_home_finish(work, job, state, reason, now);
}

/* Its machine is gone without a word, after the order to start. */
static void finish_lost(gp_work_t *work, home_job_t *job, gp_cause_t cause, gp_usec_t now)
{
    /* After a restart only the order is known: it is recorded before it is given. */
    bool started = job->phase == HOME_RUNNING && !job->deaf;
    gp_reason_t reason = GP_REASON_NODE_FAILED;

    if (job->ended_known) {
        job->end.cut = true;
        finish_ended(work, job, now);
        return;
    }
    gp_work_text_set(&job->text, gp_text("its machine is unavailable"));
    if (cause != GP_CAUSE_NONE) {
        gp_work_text_add(&job->text, gp_text(" ("));
        gp_work_text_add(&job->text, gp_text(gp_cause_text(cause)));
        gp_work_text_add(&job->text, gp_text(")"));
    }
    gp_work_text_add(&job->text, started ? gp_text("; it was running and may have had effects")
                                         : gp_text("; it was told to start and may have run"));
    if (job->deaf) {
        reason = GP_REASON_HOME_RESTARTED;
        gp_work_text_add(&job->text, gp_text("; the agent at home restarted meanwhile"));
    } else if (cause == GP_CAUSE_STOPPED) {
        reason = GP_REASON_AGENT_STOPPED;
    }
    gp_home_finish(work, job, started ? GP_JOB_FAILED : GP_JOB_LOST, reason, now);
}

static void send_ack_to(const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_ended_t *ended = &event->msg->u.ended;
    gp_msg_ended_ack_t *msg =
        &gp_out_add(out, GP_ACTION_SEND, &event->peer, GP_MSG_ENDED_ACK)->u.ended_ack;

    msg->job = ended->job;
    msg->incarnation = ended->incarnation;
}

static void take_end(home_job_t *job, const gp_msg_ended_t *msg)
{
    job->end = (work_end_t){.reason = msg->reason == GP_REASON_NONE ? GP_REASON_NODE_FAILED
                                                                    : (gp_reason_t)msg->reason,
                            .code = msg->code,
                            .cut = msg->cut,
                            .output = msg->output,
                            .wall_us = msg->wall_us,
                            .cpu_us = msg->cpu_us,
                            .peak_bytes = msg->peak_bytes};
    gp_work_text_set(&job->text, msg->text);
    job->ended_known = true;
}

static void on_ended(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_ended_t *msg = &event->msg->u.ended;
    home_job_t *job = gp_home_find(work, msg->job);

    if (job == NULL || !is_current(job, event, msg->incarnation) || job->phase == HOME_ENDED) {
        send_ack_to(event, out); /* recorded long ago, or of no interest: let it be forgotten */
        return;
    }
    if (job->phase == HOME_ENDING) {
        job->ack_owed = true;
        return;
    }
    if (!watched(job)) {
        return;
    }
    runs(job, event->now);
    job->heard = event->now;
    take_end(job, msg);
    if (job->deaf || job->end.cut || job->received >= job->end.output) {
        job->ack_owed = true;
        finish_ended(work, job, event->now);
    } else {
        no_later(&job->credit_due, event->now); /* says what is missing */
    }
}

/* ---- output ---------------------------------------------------------------------------------- */

static void on_output(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_output_t *msg = &event->msg->u.output;
    home_job_t *job = gp_home_find(work, msg->job);
    gp_msg_job_output_t *notice;
    uint32_t known;

    if (job == NULL || !watched(job) || job->deaf || !is_current(job, event, msg->incarnation)) {
        return;
    }
    job->heard = event->now;
    no_later(&job->credit_due, event->now + WORK_ACK_DELAY);
    if (msg->stream == 0 || msg->offset > job->received ||
        msg->offset + msg->bytes.n > job->until) {
        return; /* a gap, or more than we have room for: not taken, not acknowledged */
    }
    if (msg->offset + msg->bytes.n <= job->received) {
        return; /* known */
    }
    runs(job, event->now);
    known = (uint32_t)(job->received - msg->offset);
    notice = &gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_JOB_OUTPUT)->u.job_output;
    gp_out_last(out)->token = job->request;
    notice->job = job->job;
    notice->stream = msg->stream;
    notice->offset = job->received;
    notice->bytes = gp_slice(msg->bytes.p + known, msg->bytes.n - known);
    if (!gp_id_equal(&event->peer, &work->self)) { /* its own word is on the sheet already */
        notice->bytes = gp_out_slice(out, notice->bytes);
    }
    job->received = msg->offset + msg->bytes.n;
    if (job->stop_reason != GP_REASON_NONE) {
        job->consumed = job->received;
    }
    if (job->received - job->acked >= work->config.output_window / 4) {
        job->credit_due = event->now;
    }
    if (job->ended_known && job->received >= job->end.output) {
        job->ack_owed = true;
        finish_ended(work, job, event->now);
    }
}

void gp_home_consumed(gp_work_t *work, home_job_t *job, uint64_t offset, gp_usec_t now)
{
    uint64_t until;

    job->consumed = offset > job->received   ? job->received
                    : offset > job->consumed ? offset
                                             : job->consumed;
    until = job->consumed + work->config.output_window;
    if (!watched(job) || until == job->until) {
        return;
    }
    if (job->until - job->received < work->config.output_window / 4) {
        no_later(&job->credit_due, now); /* the executor is about to stand still, or does */
    } else {
        no_later(&job->credit_due, now + WORK_ACK_DELAY);
    }
}

/* ---- messages -------------------------------------------------------------------------------- */

static void on_kept(gp_work_t *work, const gp_event_t *event)
{
    const gp_msg_kept_t *msg = &event->msg->u.kept;
    home_job_t *job = gp_home_find(work, msg->job);

    if (job == NULL || !watched(job) || !is_current(job, event, msg->incarnation)) {
        return;
    }
    job->heard = event->now;
    if (msg->running) {
        runs(job, event->now);
    }
}

void gp_home_message(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    switch (event->msg->kind) {
    case GP_MSG_CLAIMED:
        gp_home_claimed(work, event, out);
        break;
    case GP_MSG_KEPT:
        on_kept(work, event);
        break;
    case GP_MSG_OUTPUT:
        on_output(work, event, out);
        break;
    case GP_MSG_ENDED:
        on_ended(work, event, out);
        break;
    default:
        break;
    }
}

void gp_home_member(gp_work_t *work, const gp_id_t *id, bool forgotten, gp_usec_t now)
{
    const work_peer_t *peer = gp_work_peer(work, id);

    if (!forgotten && !gp_work_peer_down(work, id)) {
        return;
    }
    for (uint32_t i = 0; i < work->home_count; i++) {
        home_job_t *job = gp_work_home_slot(work, i);

        if (job->phase == HOME_FREE || !gp_id_equal(&job->executor, id)) {
            continue;
        }
        if (watched(job)) {
            finish_lost(work, job, peer != NULL ? peer->cause : GP_CAUSE_NONE, now);
        } else if (job->phase == HOME_CLAIMING) {
            gp_work_text_set(&job->text, gp_text("the machine is unavailable"));
            gp_home_claim_next(work, job, now);
        }
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

/* Renews the lease and repeats the credit; the first one is the order to start. */
static void send_keep(gp_work_t *work, home_job_t *job, gp_out_t *out)
{
    gp_msg_keep_t *msg = &gp_out_add(out, GP_ACTION_SEND, &job->executor, GP_MSG_KEEP)->u.keep;

    job->until = job->consumed + work->config.output_window;
    job->acked = job->received;
    msg->job = job->job;
    msg->incarnation = job->incarnation;
    msg->ticket = job->ticket;
    msg->lease_ms = (uint32_t)(work->config.lease_us / GP_MSEC);
    msg->received = job->received;
    msg->until = job->until;
}

static void send_credit(gp_work_t *work, home_job_t *job, gp_out_t *out)
{
    gp_msg_output_ack_t *msg =
        &gp_out_add(out, GP_ACTION_SEND, &job->executor, GP_MSG_OUTPUT_ACK)->u.output_ack;

    job->until = job->consumed + work->config.output_window;
    job->acked = job->received;
    msg->job = job->job;
    msg->incarnation = job->incarnation;
    msg->received = job->received;
    msg->until = job->until;
}

/*
 * The group's verdict came before the order, or the machine is not of the group any more and
 * silent: nobody will ever answer.
 */
static bool is_gone(const gp_work_t *work, const home_job_t *job, gp_usec_t now)
{
    gp_usec_t silent = now - job->heard;

    if (gp_work_peer_down(work, &job->executor)) {
        return silent > work->config.lease_us;
    }
    return gp_work_peer(work, &job->executor) == NULL &&
           silent > WORK_GONE_LEASES * work->config.lease_us;
}

void gp_home_watch_due(gp_work_t *work, home_job_t *job, gp_usec_t now, gp_out_t *out)
{
    assert(watched(job));
    if (now >= job->deadline) {
        gp_work_text_set(&job->text, gp_text("the agent at home restarted; its machine did not say "
                                             "how it ended, its lease is over"));
        gp_home_finish(work, job, GP_JOB_FAILED, GP_REASON_HOME_RESTARTED, now);
        return;
    }
    if (now >= job->cancel_due) {
        gp_home_send_cancel(job, job->stop_reason, out);
        job->cancel_due = now + (job->deaf ? GP_SECOND : WORK_RESEND);
    }
    if (now >= job->due) {
        if (is_gone(work, job, now)) {
            const work_peer_t *peer = gp_work_peer(work, &job->executor);

            finish_lost(work, job, peer != NULL ? peer->cause : GP_CAUSE_NONE, now);
            return;
        }
        /* What is to be stopped is not ordered to start once more. */
        if (job->phase == HOME_RUNNING || job->stop_reason == GP_REASON_NONE) {
            send_keep(work, job, out);
            job->credit_due = GP_NEVER;
        }
        job->due = now + (job->phase == HOME_RUNNING ? work->config.keep_us : WORK_RESEND);
    }
    if (now >= job->credit_due) {
        send_credit(work, job, out);
        job->credit_due = GP_NEVER;
    }
}
