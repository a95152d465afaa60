/*
 * The home's side of a job: its record, what the user asks of it, and its end.
 */
#include "agent/work/work_state.h"

#define NUMBERS_MAX ((UINT64_C(1) << WORK_NUMBER_BITS) - 1)

home_job_t *gp_home_find(gp_work_t *work, uint64_t number)
{
    for (uint32_t i = 0; i < work->home_count; i++) {
        home_job_t *job = gp_work_home_slot(work, i);

        if (job->phase != HOME_FREE && job->job == number) {
            return job;
        }
    }
    return NULL;
}

bool gp_home_open(const home_job_t *job)
{
    return job->phase != HOME_FREE && job->phase != HOME_ENDING && job->phase != HOME_ENDED;
}

gp_job_state_t gp_home_state(const home_job_t *job)
{
    switch (job->phase) {
    case HOME_FREE:
    case HOME_NEW:
        return GP_JOB_NEW;
    case HOME_MATCHING:
        return GP_JOB_MATCHING;
    case HOME_CLAIMING:
    case HOME_NAMING:
    case HOME_ORDERED:
        return GP_JOB_CLAIMING;
    case HOME_RUNNING:
        return GP_JOB_RUNNING;
    case HOME_ENDING: /* its end is not durable yet */
        return job->last_state;
    case HOME_ENDED:
        break;
    }
    return job->end_state;
}

void gp_home_enter(home_job_t *job, home_phase_t phase, gp_usec_t now)
{
    gp_job_state_t before = gp_home_state(job);

    job->phase = phase;
    job->due = GP_NEVER;
    job->deadline = GP_NEVER;
    if (gp_home_state(job) != before) {
        job->since = now;
        job->changed = true;
    }
}

work_end_t gp_home_end(const home_job_t *job)
{
    if (job->unrecorded) {
        return (work_end_t){.reason = GP_REASON_STORAGE};
    }
    return gp_home_state(job) >= GP_JOB_DONE ? job->end : (work_end_t){.reason = GP_REASON_NONE};
}

gp_slice_t gp_home_text(const home_job_t *job)
{
    return job->unrecorded ? gp_text("it ended, but how could not be recorded")
                           : gp_work_text_slice(&job->text);
}

static void send_notice(const home_job_t *job, gp_out_t *out)
{
    gp_msg_job_t *msg = &gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_JOB)->u.job;
    const work_end_t end = gp_home_end(job);

    gp_out_last(out)->token = job->request;
    msg->job = job->job;
    msg->incarnation = job->incarnation;
    msg->state = (uint8_t)gp_home_state(job);
    msg->executor = job->executor;
    msg->node = gp_out_slice(out, gp_work_name_slice(&job->node));
    msg->name = gp_out_slice(out, gp_work_name_slice(&job->name));
    msg->text = gp_out_slice(out, gp_home_text(job));
    msg->reason = (uint8_t)end.reason;
    msg->code = end.code;
    msg->wall_us = end.wall_us;
    msg->cpu_us = end.cpu_us;
    msg->peak_bytes = end.peak_bytes;
}

void gp_home_send_cancel(const home_job_t *job, gp_reason_t reason, gp_out_t *out)
{
    gp_msg_cancel_t *msg =
        &gp_out_add(out, GP_ACTION_SEND, &job->executor, GP_MSG_CANCEL)->u.cancel;

    msg->job = job->job;
    msg->incarnation = job->incarnation;
    msg->ticket = job->ticket;
    msg->reason = (uint8_t)reason;
}

static void send_ended_ack(const home_job_t *job, gp_out_t *out)
{
    gp_msg_ended_ack_t *msg =
        &gp_out_add(out, GP_ACTION_SEND, &job->executor, GP_MSG_ENDED_ACK)->u.ended_ack;

    msg->job = job->job;
    msg->incarnation = job->incarnation;
}

/* ---- the record ------------------------------------------------------------------------------ */

/* What a restart must know: that the job was accepted, who may run it, how it ended. */
static gp_job_state_t stored_state(const home_job_t *job)
{
    if (job->phase == HOME_ENDING || job->phase == HOME_ENDED) {
        return job->end_state;
    }
    return job->phase >= HOME_NAMING ? GP_JOB_RUNNING : GP_JOB_NEW;
}

static void store_record(gp_work_t *work, home_job_t *job, gp_out_t *out)
{
    gp_msg_t *msg = gp_work_store_job(work, job, out);
    gp_msg_job_state_t *record;

    if (msg == NULL) {
        return;
    }
    record = &msg->u.job_state;
    record->job = job->job;
    record->incarnation = job->incarnation;
    record->ticket = job->ticket;
    record->state = (uint8_t)stored_state(job);
    record->reason = (uint8_t)job->end.reason;
    record->code = job->end.code;
    record->executor = job->executor;
    record->node = gp_out_slice(out, gp_work_name_slice(&job->node));
    record->name = gp_out_slice(out, gp_work_name_slice(&job->name));
    record->text = gp_out_slice(out, gp_work_text_slice(&job->text));
    record->wall_us = job->end.wall_us;
    record->cpu_us = job->end.cpu_us;
    record->peak_bytes = job->end.peak_bytes;
}

static void remove_record(gp_work_t *work, home_job_t *job, gp_out_t *out)
{
    gp_work_store_removal(work, GP_MSG_JOB_STATE, out)->u.job_state.job = job->job;
    *job = (home_job_t){.phase = HOME_FREE};
}

/* The oldest job that is over and done with; numbers rise with time. */
static home_job_t *oldest_ended(gp_work_t *work)
{
    home_job_t *oldest = NULL;

    for (uint32_t i = 0; i < work->home_count; i++) {
        home_job_t *job = gp_work_home_slot(work, i);

        if (job->phase == HOME_ENDED && !job->ack_owed && !job->changed &&
            (oldest == NULL || job->job < oldest->job)) {
            oldest = job;
        }
    }
    return oldest;
}

/* Where a new job may stand: free, or of one whose record then has to go. */
static home_job_t *find_slot(gp_work_t *work)
{
    home_job_t *job = gp_work_home_free(work);

    return job != NULL ? job : oldest_ended(work);
}

static void reset_slot(home_job_t *job, home_phase_t phase)
{
    *job = (home_job_t){.phase = phase,
                        .due = GP_NEVER,
                        .deadline = GP_NEVER,
                        .cancel_due = GP_NEVER,
                        .credit_due = GP_NEVER};
}

/* ---- the user's commands --------------------------------------------------------------------- */

static void refuse(const gp_event_t *event, const char *why, gp_out_t *out)
{
    work_name_t name;
    gp_msg_job_t *msg = &gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_JOB)->u.job;

    gp_out_last(out)->token = event->token;
    msg->state = GP_JOB_FAILED;
    msg->reason = GP_REASON_REFUSED;
    gp_work_name_set(&name, event->msg->u.work_run.name);
    msg->name = gp_out_slice(out, gp_work_name_slice(&name));
    msg->text = gp_text(why);
}

static void accept(gp_work_t *work, home_job_t *job, const gp_event_t *event)
{
    const gp_msg_work_run_t *run = &event->msg->u.work_run;

    work->numbers++;
    job->job = work->config.epoch << WORK_NUMBER_BITS | work->numbers;
    job->request = event->token;
    job->on = run->on;
    gp_work_name_set(&job->name, run->name);
    job->since = event->now;
    job->due = event->now;
}

static void on_run(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_work_run_t *run = &event->msg->u.work_run;
    const work_words_t words = {.where = run->where,
                                .rank = run->rank,
                                .args = run->args,
                                .args_count = run->args_count,
                                .env = run->env,
                                .env_count = run->env_count};
    home_job_t *job;
    uint32_t used = 0;
    gp_error_t error;

    if (run->args_count == 0 || run->args[0].text.n == 0) {
        refuse(event, "there is no command to run", out);
        return;
    }
    if ((work->roles & GP_ROLE_SUBMIT) == 0) {
        refuse(event, gp_error_text(GP_E_RUN_SUBMIT), out);
        return;
    }
    if (work->stopping) {
        refuse(event, "this agent is about to stop", out);
        return;
    }
    if (work->numbers == NUMBERS_MAX) {
        refuse(event, "this agent has used up its job numbers: restart it", out);
        return;
    }
    job = find_slot(work);
    if (job == NULL) {
        refuse(event, "this agent holds as many open jobs as it may: wait for one to end", out);
        return;
    }
    error = gp_work_words_pack(&words, gp_work_home_bytes(work, job), work->config.command_bytes,
                               &used);
    if (error != GP_OK) {
        refuse(event,
               error == GP_E_RUN_LIMIT ? gp_error_text(error)
                                       : "a word of the command is not UTF-8 text",
               out);
        return;
    }
    if (job->phase != HOME_FREE) {
        remove_record(work, job, out);
    }
    reset_slot(job, HOME_NEW);
    job->command_used = used;
    accept(work, job, event);
}

/* Wants the job to end, for `reason`. What certainly has not started ends at once. */
static void stop_job(gp_work_t *work, home_job_t *job, gp_reason_t reason, gp_usec_t now)
{
    if (!gp_home_open(job) || job->stop_reason != GP_REASON_NONE) {
        return;
    }
    job->stop_reason = reason;
    switch (job->phase) {
    case HOME_MATCHING:
    case HOME_CLAIMING:
    case HOME_NAMING:
        gp_home_finish_stopped(work, job, now);
        break;
    case HOME_ORDERED:
    case HOME_RUNNING:
        job->cancel_due = now;
        gp_home_consumed(work, job, job->received,
                         now); /* nobody has to read on for the end to come */
        break;
    case HOME_NEW: /* first the record: then the user can be told */
    case HOME_FREE:
    case HOME_ENDING:
    case HOME_ENDED:
        break;
    }
}

void gp_home_command(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    home_job_t *job;

    switch (event->msg->kind) {
    case GP_MSG_WORK_RUN:
        on_run(work, event, out);
        break;
    case GP_MSG_WORK_CANCEL:
        job = gp_home_find(work, event->msg->u.work_cancel.job);
        if (job != NULL) {
            stop_job(work, job, GP_REASON_CANCELLED, event->now);
        }
        break;
    case GP_MSG_WORK_ANSWER:
        gp_home_answer(work, event);
        break;
    case GP_MSG_WORK_CONSUMED:
        job = gp_home_find(work, event->msg->u.work_consumed.job);
        if (job != NULL) {
            gp_home_consumed(work, job, event->msg->u.work_consumed.offset, event->now);
        }
        break;
    default:
        break;
    }
}

void gp_home_stop(gp_work_t *work, gp_usec_t now)
{
    for (uint32_t i = 0; i < work->home_count; i++) {
        stop_job(work, gp_work_home_slot(work, i), GP_REASON_HOME_RESTARTED, now);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

void gp_home_finish(gp_work_t *work, home_job_t *job, gp_job_state_t state, gp_reason_t reason,
                    gp_usec_t now)
{
    assert(gp_home_open(job) && state >= GP_JOB_DONE && reason != GP_REASON_NONE);
    gp_home_close_find(work, job);
    /* Its machine may hold an offer or run on: one word to it, for what it is worth. */
    job->release = job->phase >= HOME_CLAIMING && !job->ended_known;
    job->last_state = gp_home_state(job);
    job->phase = HOME_ENDING;
    job->unrecorded = false;
    job->end_state = state;
    job->end.reason = reason;
    job->since = now;
    job->changed = false; /* the end is told when it is stored */
    job->due = now;
    job->deadline = GP_NEVER;
    job->cancel_due = GP_NEVER;
    job->credit_due = GP_NEVER;
}

void gp_home_finish_stopped(gp_work_t *work, home_job_t *job, gp_usec_t now)
{
    bool cancelled = job->stop_reason == GP_REASON_CANCELLED;

    assert(job->stop_reason != GP_REASON_NONE);
    gp_work_text_set(&job->text, cancelled
                                     ? gp_text("cancelled before it started")
                                     : gp_text("the agent at home stopped before it started"));
    gp_home_finish(work, job, cancelled ? GP_JOB_CANCELLED : GP_JOB_FAILED, job->stop_reason, now);
}

/* A job whose first record could not be stored was never accepted. */
static void reject(gp_work_t *work, home_job_t *job, gp_out_t *out)
{
    gp_msg_job_t *msg = &gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_JOB)->u.job;

    gp_out_last(out)->token = job->request;
    msg->state = GP_JOB_FAILED;
    msg->reason = GP_REASON_STORAGE;
    msg->name = gp_out_slice(out, gp_work_name_slice(&job->name));
    msg->text = gp_text("the job could not be recorded: the disk failed or is full");
    remove_record(work, job, out);
}

static void naming_stored(gp_work_t *work, home_job_t *job, const gp_event_t *event)
{
    if (!event->ok) {
        gp_work_text_set(&job->text,
                         gp_text("the home could not record where it would run: not started"));
        gp_home_finish(work, job, GP_JOB_FAILED, GP_REASON_STORAGE, event->now);
    } else if (gp_work_peer_down(work, &job->executor)) {
        gp_work_text_set(&job->text, gp_text("the machine is unavailable"));
        gp_home_claim_next(work, job, event->now);
    } else {
        gp_home_enter(job, HOME_ORDERED, event->now);
        job->heard = event->now;
        job->due = event->now;
    }
}

static void end_stored(home_job_t *job, const gp_event_t *event)
{
    if (!event->ok) {
        /* Nobody hears of an end that may get lost, only that there is one. */
        job->due = event->now + WORK_STORE_AGAIN;
        job->unrecorded = true;
        job->changed = true;
        return;
    }
    job->phase = HOME_ENDED;
    job->unrecorded = false;
    job->changed = true;
}

void gp_home_stored(gp_work_t *work, home_job_t *job, const gp_event_t *event, gp_out_t *out)
{
    if (job->storing.again) {
        job->storing.again = false;
        job->due = event->now;
        assert(job->phase == HOME_ENDING);
        return;
    }
    switch (job->phase) {
    case HOME_NEW:
        if (!event->ok) {
            reject(work, job, out);
            break;
        }
        gp_home_match(work, job, event->now);
        if (job->stop_reason != GP_REASON_NONE) {
            send_notice(job, out); /* the user hears the number before the end */
            gp_home_finish_stopped(work, job, event->now);
        }
        break;
    case HOME_NAMING:
        naming_stored(work, job, event);
        break;
    case HOME_ENDING:
        end_stored(job, event);
        break;
    case HOME_FREE:
    case HOME_MATCHING:
    case HOME_CLAIMING:
    case HOME_ORDERED:
    case HOME_RUNNING:
    case HOME_ENDED:
        assert(false); /* a record was stored that nobody changed */
        break;
    }
}

/* ---- after a restart ------------------------------------------------------------------------- */

static void load_fields(home_job_t *job, const gp_msg_job_state_t *record)
{
    job->job = record->job;
    job->incarnation = record->incarnation;
    job->ticket = record->ticket;
    job->executor = record->executor;
    gp_work_name_set(&job->node, record->node);
    gp_work_name_set(&job->name, record->name);
    gp_work_text_set(&job->text, record->text);
    job->deaf = true;
    job->end = (work_end_t){.reason = (gp_reason_t)record->reason,
                            .code = record->code,
                            .wall_us = record->wall_us,
                            .cpu_us = record->cpu_us,
                            .peak_bytes = record->peak_bytes};
}

static bool record_usable(const gp_msg_job_state_t *record)
{
    if (record->job == 0 || record->state == 0 || record->state > GP_JOB_LOST) {
        return false;
    }
    if (record->state == GP_JOB_RUNNING) {
        return record->ticket != 0 && !gp_id_is_none(&record->executor);
    }
    return record->state < GP_JOB_DONE || record->reason != GP_REASON_NONE;
}

void gp_home_load(gp_work_t *work, const gp_event_t *event)
{
    const gp_msg_job_state_t *record = &event->msg->u.job_state;
    home_job_t *job;

    if (event->msg->kind != GP_MSG_JOB_STATE || !record_usable(record) ||
        gp_home_find(work, record->job) != NULL) {
        return;
    }
    job = find_slot(work); /* the owner made the table smaller: old ends go first */
    if (job == NULL) {
        return; /* its executor's lease ends without us */
    }
    reset_slot(job, HOME_ENDED);
    load_fields(job, record);
    if (record->state >= GP_JOB_DONE) {
        job->end_state = (gp_job_state_t)record->state;
        return;
    }
    job->stop_reason = GP_REASON_HOME_RESTARTED;
    if (record->state == GP_JOB_RUNNING) {
        /* Its user is gone: have it stopped, and learn how it ended. The rich model keeps it. */
        job->phase = HOME_RUNNING;
        job->cancel_due = event->now;
        job->deadline = event->now + WORK_RESTART_LEASES * work->config.lease_us;
    } else {
        job->phase = HOME_MATCHING;
        gp_home_finish_stopped(work, job, event->now);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

void gp_home_due(gp_work_t *work, home_job_t *job, gp_usec_t now, gp_out_t *out)
{
    if (gp_home_wake(job) > now) {
        return;
    }
    switch (job->phase) {
    case HOME_FREE:
        return;
    case HOME_MATCHING:
    case HOME_CLAIMING:
        gp_home_place_due(work, job, now, out);
        break;
    case HOME_ORDERED:
    case HOME_RUNNING:
        gp_home_watch_due(work, job, now, out);
        break;
    case HOME_NEW:
    case HOME_NAMING:
    case HOME_ENDING:
    case HOME_ENDED:
        break;
    }
    if (job->changed) {
        job->changed = false;
        send_notice(job, out);
    }
    if (job->release) {
        job->release = false;
        gp_home_send_cancel(job, GP_REASON_CANCELLED, out);
    }
    if ((job->phase == HOME_NEW || job->phase == HOME_NAMING || job->phase == HOME_ENDING) &&
        job->due <= now) {
        job->due = GP_NEVER;
        store_record(work, job, out);
    }
    if (job->ack_owed && job->phase == HOME_ENDED) {
        job->ack_owed = false;
        send_ended_ack(job, out);
    }
}

gp_usec_t gp_home_wake(const home_job_t *job)
{
    gp_usec_t at = GP_NEVER;

    if (job->phase == HOME_FREE) {
        return GP_NEVER;
    }
    if (job->changed || job->release || (job->ack_owed && job->phase == HOME_ENDED)) {
        return 0;
    }
    at = job->due < at ? job->due : at;
    at = job->deadline < at ? job->deadline : at;
    at = job->cancel_due < at ? job->cancel_due : at;
    return job->credit_due < at ? job->credit_due : at;
}

void gp_home_check(const gp_work_t *work, const home_job_t *job)
{
    if (job->phase == HOME_FREE) {
        assert(job->storing.token == 0 && !job->finding);
        return;
    }
    assert(job->job != 0 && job->command_used <= work->config.command_bytes);
    assert(!job->finding || job->phase == HOME_MATCHING);
    assert(job->hit_next <= job->hit_count && job->hit_count <= WORK_HITS_MAX);
    /* A machine is named before it may run the job, and it gave a ticket. */
    assert(job->phase != HOME_NAMING || job->ticket != 0);
    assert((job->phase != HOME_ORDERED && job->phase != HOME_RUNNING) ||
           (job->ticket != 0 && !gp_id_is_none(&job->executor) && job->storing.token == 0));
    assert(job->consumed <= job->received && job->acked <= job->received);
    assert(!job->unrecorded || job->phase == HOME_ENDING);
    /* Never only "failed". */
    assert(gp_home_open(job) || job->end.reason != GP_REASON_NONE);
    assert(gp_home_open(job) || job->end_state >= GP_JOB_DONE);
    assert(job->phase != HOME_ENDED || job->storing.token == 0);
}
