/*
 * The life of one attempt on its executor: recorded, started, leased, stopped, reported, forgotten.
 */
#include "agent/work/work_state.h"

void gp_attempt_begin(gp_work_t *work, attempt_t *attempt, gp_usec_t now)
{
    assert(attempt->phase == ATTEMPT_OFFERED && attempt->storing.token == 0);
    attempt->phase = ATTEMPT_STORING;
    attempt->due = now;
    gp_output_begin(work, attempt);
}

void gp_attempt_stop(attempt_t *attempt, gp_reason_t reason, gp_usec_t now)
{
    assert(gp_executor_active(attempt) && attempt->phase != ATTEMPT_OFFERED);
    if (attempt->stop_reason == GP_REASON_NONE) {
        attempt->stop_reason = reason;
    }
    if (attempt->phase == ATTEMPT_STARTING || attempt->phase == ATTEMPT_RUNNING) {
        attempt->phase = ATTEMPT_STOPPING;
        attempt->lease_over = reason == GP_REASON_LEASE_LOST;
        attempt->due = now;
    } else if (attempt->phase == ATTEMPT_STORING) {
        attempt->lease_until = GP_NEVER; /* it will not start: no lease is needed */
    }
}

static void end(attempt_t *attempt, const work_end_t *how, gp_slice_t text, gp_usec_t now)
{
    assert(how->reason != GP_REASON_NONE);
    attempt->phase = ATTEMPT_ENDED;
    attempt->end = *how;
    gp_work_text_set(&attempt->text, text);
    attempt->lease_until = GP_NEVER;
    attempt->lease_owed = false;
    attempt->kept_owed = false;
    attempt->due = now;
    attempt->due_step = WORK_END_RESEND;
}

/* ---- the record ------------------------------------------------------------------------------ */

gp_job_state_t gp_attempt_state(const attempt_t *attempt)
{
    switch (attempt->phase) {
    case ATTEMPT_FREE:
        return GP_JOB_NEW;
    case ATTEMPT_OFFERED:
        return GP_JOB_CLAIMING;
    case ATTEMPT_STORING:
    case ATTEMPT_STARTING:
    case ATTEMPT_RUNNING:
    case ATTEMPT_STOPPING:
        return GP_JOB_RUNNING;
    case ATTEMPT_ENDED:
        break;
    }
    if (attempt->end.reason == GP_REASON_CANCELLED) {
        return GP_JOB_CANCELLED;
    }
    return attempt->end.reason == GP_REASON_EXIT && attempt->end.code == 0 ? GP_JOB_DONE
                                                                           : GP_JOB_FAILED;
}

static void store_record(gp_work_t *work, attempt_t *attempt, gp_out_t *out)
{
    gp_msg_t *msg = gp_work_store_attempt(work, attempt, out);
    gp_msg_attempt_state_t *record;

    if (msg == NULL) {
        return;
    }
    record = &msg->u.attempt_state;
    record->home = attempt->home;
    record->job = attempt->job;
    record->incarnation = attempt->incarnation;
    record->ticket = attempt->ticket;
    record->state = (uint8_t)gp_attempt_state(attempt);
    record->reason = (uint8_t)attempt->end.reason;
    record->code = attempt->end.code;
    record->output = attempt->end.output;
    record->wall_us = attempt->end.wall_us;
    record->cpu_us = attempt->end.cpu_us;
    record->peak_bytes = attempt->end.peak_bytes;
    record->name = gp_out_slice(out, gp_work_name_slice(&attempt->name));
    record->text = gp_out_slice(out, gp_work_text_slice(&attempt->text));
}

void gp_attempt_remove(gp_work_t *work, attempt_t *attempt, gp_out_t *out)
{
    gp_msg_attempt_state_t *record =
        &gp_work_store_removal(work, GP_MSG_ATTEMPT_STATE, out)->u.attempt_state;

    record->home = attempt->home;
    record->job = attempt->job;
    record->incarnation = attempt->incarnation;
    gp_executor_remember(work, attempt);
    *attempt = (attempt_t){.phase = ATTEMPT_FREE};
}

void gp_attempt_load(gp_work_t *work, const gp_event_t *event)
{
    const gp_msg_attempt_state_t *record = &event->msg->u.attempt_state;
    attempt_t *attempt;
    work_end_t how;

    if (event->msg->kind != GP_MSG_ATTEMPT_STATE || record->state == 0 || record->job == 0 ||
        record->ticket == 0) {
        return;
    }
    attempt = gp_work_attempt_free(work);
    if (attempt == NULL) {
        return; /* the owner made the table smaller; its home is told that the record is lost */
    }
    *attempt = (attempt_t){.home = record->home,
                           .job = record->job,
                           .ticket = record->ticket,
                           .incarnation = record->incarnation,
                           .output_due = GP_NEVER};
    gp_work_name_set(&attempt->name, record->name);
    how = (work_end_t){.reason = (gp_reason_t)record->reason,
                       .code = record->code,
                       .cut = true, /* what the ring held is lost */
                       .output = record->output,
                       .wall_us = record->wall_us,
                       .cpu_us = record->cpu_us,
                       .peak_bytes = record->peak_bytes};
    if (record->state >= GP_JOB_DONE && record->reason != GP_REASON_NONE) {
        end(attempt, &how, record->text, event->now);
        attempt->end_stored = true;
        return;
    }
    /* It is never started again; the launcher has ended what was left of it. */
    how.reason = GP_REASON_NODE_FAILED;
    end(attempt, &how,
        gp_text("its machine's agent stopped without notice (crash or power): it was running, or "
                "about to start"),
        event->now);
}

/* ---- starting -------------------------------------------------------------------------------- */

static void send_lease(const attempt_t *attempt, gp_usec_t now, gp_out_t *out)
{
    gp_msg_job_lease_t *msg =
        &gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_JOB_LEASE)->u.job_lease;
    gp_usec_t left = attempt->lease_until > now ? attempt->lease_until - now : 0;

    assert(left <= WORK_LEASE_LONGEST);
    msg->home = attempt->home;
    msg->job = attempt->job;
    msg->incarnation = attempt->incarnation;
    msg->lease_ms = (uint32_t)(left / GP_MSEC);
}

static void start(gp_work_t *work, attempt_t *attempt, gp_usec_t now, gp_out_t *out)
{
    gp_msg_job_start_t *msg =
        &gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_JOB_START)->u.job_start;
    work_words_t words;

    assert(attempt->phase == ATTEMPT_STORING);
    attempt->phase = ATTEMPT_STARTING;
    gp_work_words_unpack(gp_slice(gp_work_attempt_bytes(work, attempt), attempt->command_used),
                         &words, msg->args, msg->env);
    msg->home = attempt->home;
    msg->job = attempt->job;
    msg->incarnation = attempt->incarnation;
    msg->name = gp_out_slice(out, gp_work_name_slice(&attempt->name));
    msg->args_count = words.args_count;
    msg->env_count = words.env_count;
    gp_output_read_on(work, attempt, out);
    send_lease(attempt, now, out);
    attempt->lease_owed = false;
}

static void first_stored(gp_work_t *work, attempt_t *attempt, const gp_event_t *event,
                         gp_out_t *out)
{
    const work_end_t never = {.reason = attempt->stop_reason};

    if (!event->ok) {
        gp_executor_refuse(attempt, GP_E_STATE_IO, "its disk could not record the attempt", out);
        gp_attempt_remove(work, attempt, out);
    } else if (attempt->stop_reason != GP_REASON_NONE) {
        end(attempt, &never, gp_text("it was not started"), event->now);
    } else {
        start(work, attempt, event->now, out);
    }
}

void gp_attempt_stored(gp_work_t *work, attempt_t *attempt, const gp_event_t *event, gp_out_t *out)
{
    if (attempt->phase == ATTEMPT_STORING) {
        first_stored(work, attempt, event, out);
        return;
    }
    assert(attempt->phase == ATTEMPT_ENDED && !attempt->storing.again);
    attempt->end_stored = event->ok; /* if not: once more with the next ENDED */
}

/* ---- the launcher ---------------------------------------------------------------------------- */

static attempt_t *launched(gp_work_t *work, const gp_id_t *home, uint64_t job, uint32_t incarnation)
{
    for (uint32_t i = 0; i < work->attempt_count; i++) {
        attempt_t *attempt = gp_work_attempt_slot(work, i);

        if (attempt->job == job && attempt->incarnation == incarnation &&
            gp_id_equal(&attempt->home, home) &&
            (attempt->phase == ATTEMPT_STARTING || attempt->phase == ATTEMPT_RUNNING ||
             attempt->phase == ATTEMPT_STOPPING)) {
            return attempt;
        }
    }
    return NULL;
}

static void on_started(gp_work_t *work, const gp_event_t *event)
{
    const gp_msg_work_started_t *msg = &event->msg->u.work_started;
    attempt_t *attempt = launched(work, &msg->home, msg->job, msg->incarnation);

    if (attempt == NULL) {
        return;
    }
    if (msg->started) {
        if (attempt->phase == ATTEMPT_STARTING) {
            attempt->phase = ATTEMPT_RUNNING;
            attempt->kept_owed = true;
        }
        return;
    }
    end(attempt,
        &(work_end_t){.reason = msg->reason == GP_REASON_NONE ? GP_REASON_START
                                                              : (gp_reason_t)msg->reason,
                      .code = msg->code},
        msg->text, event->now);
}

static void on_ended(gp_work_t *work, const gp_event_t *event)
{
    const gp_msg_work_ended_t *msg = &event->msg->u.work_ended;
    attempt_t *attempt = launched(work, &msg->home, msg->job, msg->incarnation);

    if (attempt == NULL) {
        return;
    }
    assert(msg->output == attempt->output_end); /* all output came before the end */
    end(attempt,
        &(work_end_t){.reason = (gp_reason_t)msg->reason,
                      .code = msg->code,
                      .output = msg->output,
                      .wall_us = msg->wall_us,
                      .cpu_us = msg->cpu_us,
                      .peak_bytes = msg->peak_bytes},
        msg->text, event->now);
}

void gp_attempt_command(gp_work_t *work, const gp_event_t *event)
{
    const gp_msg_work_output_t *output = &event->msg->u.work_output;
    attempt_t *attempt;

    switch (event->msg->kind) {
    case GP_MSG_WORK_STARTED:
        on_started(work, event);
        break;
    case GP_MSG_WORK_OUTPUT:
        attempt = launched(work, &output->home, output->job, output->incarnation);
        if (attempt != NULL) {
            gp_output_add(work, attempt, output);
        }
        break;
    case GP_MSG_WORK_ENDED:
        on_ended(work, event);
        break;
    default:
        break;
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

static void send_stop(attempt_t *attempt, gp_usec_t now, gp_out_t *out)
{
    gp_msg_job_stop_t *msg = &gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_JOB_STOP)->u.job_stop;

    msg->home = attempt->home;
    msg->job = attempt->job;
    msg->incarnation = attempt->incarnation;
    msg->reason = (uint8_t)(attempt->lease_over ? GP_REASON_LEASE_LOST : attempt->stop_reason);
    attempt->due = now + WORK_STOP_RESEND;
}

static void send_end(gp_work_t *work, attempt_t *attempt, gp_usec_t now, gp_out_t *out)
{
    gp_msg_ended_t *msg = &gp_out_add(out, GP_ACTION_SEND, &attempt->home, GP_MSG_ENDED)->u.ended;

    msg->job = attempt->job;
    msg->incarnation = attempt->incarnation;
    msg->reason = (uint8_t)attempt->end.reason;
    msg->code = attempt->end.code;
    msg->output = attempt->end.output;
    msg->cut = attempt->end.cut;
    msg->wall_us = attempt->end.wall_us;
    msg->cpu_us = attempt->end.cpu_us;
    msg->peak_bytes = attempt->end.peak_bytes;
    msg->text = gp_out_slice(out, gp_work_text_slice(&attempt->text));
    /* The end is written down only if the home does not take it at once: most are never written. */
    if (attempt->end_told && !attempt->end_stored && attempt->storing.token == 0) {
        store_record(work, attempt, out);
    }
    attempt->end_told = true;
    attempt->due = now + attempt->due_step;
    attempt->due_step =
        attempt->due_step < WORK_END_RESEND_MAX / 2 ? attempt->due_step * 2 : WORK_END_RESEND_MAX;
}

static void send_kept(attempt_t *attempt, gp_out_t *out)
{
    gp_msg_kept_t *msg = &gp_out_add(out, GP_ACTION_SEND, &attempt->home, GP_MSG_KEPT)->u.kept;

    msg->job = attempt->job;
    msg->incarnation = attempt->incarnation;
    msg->running = attempt->phase == ATTEMPT_RUNNING || attempt->phase == ATTEMPT_STOPPING;
    attempt->kept_owed = false;
}

void gp_attempt_due(gp_work_t *work, attempt_t *attempt, gp_usec_t now, gp_out_t *out)
{
    bool launched_now = attempt->phase == ATTEMPT_STARTING || attempt->phase == ATTEMPT_RUNNING;

    if (attempt->phase == ATTEMPT_FREE || attempt->phase == ATTEMPT_OFFERED) {
        return;
    }
    if (attempt->kept_owed) {
        send_kept(attempt, out);
    }
    if (attempt->lease_owed && launched_now) {
        send_lease(attempt, now, out);
    }
    attempt->lease_owed = false;
    if (attempt->phase == ATTEMPT_STORING) {
        if (attempt->due <= now) {
            attempt->due = GP_NEVER;
            store_record(work, attempt, out);
        }
        return;
    }
    if (gp_output_waits(attempt) || attempt->output_due <= now) {
        gp_output_send(work, attempt, now, out);
    }
    if (attempt->phase != ATTEMPT_ENDED) {
        gp_output_read_on(work, attempt, out);
    }
    if (attempt->due <= now && attempt->phase == ATTEMPT_STOPPING) {
        send_stop(attempt, now, out);
    } else if (attempt->due <= now && attempt->phase == ATTEMPT_ENDED) {
        send_end(work, attempt, now, out);
    }
}

gp_usec_t gp_attempt_wake(const attempt_t *attempt)
{
    gp_usec_t at = GP_NEVER;

    if (attempt->phase == ATTEMPT_FREE) {
        return GP_NEVER;
    }
    if (attempt->kept_owed || attempt->lease_owed) {
        return 0;
    }
    if (gp_executor_active(attempt) &&
        !(attempt->phase == ATTEMPT_STOPPING && attempt->lease_over)) {
        at = attempt->lease_until;
    }
    if (attempt->phase == ATTEMPT_OFFERED) {
        return at;
    }
    at = attempt->due < at ? attempt->due : at;
    if (attempt->phase == ATTEMPT_STORING) {
        return at;
    }
    if (gp_output_waits(attempt)) {
        return 0;
    }
    return attempt->output_due < at ? attempt->output_due : at;
}

void gp_attempt_check(const gp_work_t *work, const attempt_t *attempt)
{
    if (attempt->phase == ATTEMPT_FREE) {
        assert(attempt->storing.token == 0);
        return;
    }
    assert(attempt->job != 0 && attempt->ticket != 0);
    assert(attempt->command_used <= work->config.command_bytes);
    assert(attempt->output_start <= attempt->output_sent);
    assert(attempt->output_sent <= attempt->output_end);
    assert(attempt->output_end - attempt->output_start <= work->config.output_window);
    /* Nothing starts before its record is durable, and no end is without a reason. */
    assert(attempt->storing.token == 0 || attempt->phase == ATTEMPT_STORING ||
           attempt->phase == ATTEMPT_ENDED);
    assert(attempt->phase != ATTEMPT_ENDED || attempt->end.reason != GP_REASON_NONE);
    assert(attempt->phase != ATTEMPT_STOPPING || attempt->stop_reason != GP_REASON_NONE);
}
