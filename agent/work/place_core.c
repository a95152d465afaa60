/*
 * From a new job to an order: ask discovery, then the machines that match, best first, for an
 * offer.
 *
 * Nothing here starts anything. A machine that refuses, or does not answer in time, is passed over
 * freely: without an order it never starts.
 */
#include "agent/work/work_state.h"

#define FIND_QUEUE_POLL (50 * GP_MSEC) /* other jobs have all the questions open */

void gp_home_close_find(gp_work_t *work, home_job_t *job)
{
    if (job->finding) {
        job->finding = false;
        assert(work->finds_open > 0);
        work->finds_open--;
    }
}

void gp_home_match(gp_work_t *work, home_job_t *job, gp_usec_t now)
{
    gp_home_enter(job, HOME_MATCHING, now);
    job->due = now;
    job->deadline = now + work->config.match_us;
}

/* May take work, as far as is known here: a stranger decides itself. */
static bool may_lend(const gp_work_t *work, const gp_id_t *id)
{
    return gp_work_peer(work, id) == NULL || (gp_work_roles_of(work, id) & GP_ROLE_LEND) != 0;
}

/* So many hits that machines which may not take work leave room for all that a job tries. */
static uint16_t hits_wanted(const gp_work_t *work)
{
    uint32_t wanted = WORK_HITS_MAX;

    for (uint32_t i = 0; i < work->peer_count; i++) {
        wanted += may_lend(work, &work->peers[i].id) ? 0 : 1;
    }
    return (uint16_t)(wanted < GP_HITS_MAX ? wanted : GP_HITS_MAX);
}

static void send_find(gp_work_t *work, home_job_t *job, gp_out_t *out)
{
    gp_record_word_t args[GP_ARGS_MAX];
    gp_record_word_t env[GP_ARGS_MAX];
    work_words_t words;
    gp_msg_job_find_t *msg = &gp_out_add(out, GP_ACTION_NOTICE, NULL, GP_MSG_JOB_FIND)->u.job_find;

    gp_out_last(out)->token = job->job;
    gp_work_words_unpack(gp_slice(gp_work_home_bytes(work, job), job->command_used), &words, args,
                         env);
    msg->job = job->job;
    msg->on = job->on;
    msg->query = words.where;
    msg->rank = words.rank;
    msg->limit = hits_wanted(work);
    msg->explain = true;
}

static void send_claim(gp_work_t *work, const home_job_t *job, gp_out_t *out)
{
    gp_msg_claim_t *msg = &gp_out_add(out, GP_ACTION_SEND, &job->executor, GP_MSG_CLAIM)->u.claim;
    /* Copied: only what is on the sheet counts when room is looked for. */
    gp_slice_t packed =
        gp_out_slice(out, gp_slice(gp_work_home_bytes(work, job), job->command_used));
    work_words_t words;

    gp_work_words_unpack(packed, &words, msg->args, msg->env);
    msg->job = job->job;
    msg->incarnation = job->incarnation;
    msg->lease_ms = (uint32_t)(work->config.lease_us / GP_MSEC);
    msg->name = gp_out_slice(out, gp_work_name_slice(&job->name));
    msg->where = words.where;
    msg->args_count = words.args_count;
    msg->env_count = words.env_count;
}

/* ---- discovery's answer ---------------------------------------------------------------------- */

static bool worth_asking_again(gp_error_t error)
{
    return error == GP_E_NO_LEADER || error == GP_E_NO_QUORUM || error == GP_E_PARTIAL ||
           error == GP_E_BUSY || error == GP_E_TIMED_OUT || error == GP_E_PEER_UNREACHABLE ||
           error == GP_E_PEER_QUEUE;
}

static void explain(work_text_t *text, const gp_msg_work_answer_t *msg)
{
    const char *join = ": ";

    gp_work_text_set(text, gp_text("none of "));
    gp_work_text_number(text, msg->considered);
    gp_work_text_add(text, gp_text(" machines matches"));
    for (uint32_t i = 0; i < msg->conditions_count; i++) {
        const gp_record_condition_t *condition = &msg->conditions[i];

        if (condition->excluded == 0) {
            continue;
        }
        gp_work_text_add(text, gp_text(join));
        gp_work_text_add(text, condition->text);
        gp_work_text_add(text, gp_text(" excludes "));
        gp_work_text_number(text, condition->excluded);
        join = "; ";
    }
}

/* Returns how many were left out because they may not take work. */
static uint32_t take_hits(const gp_work_t *work, home_job_t *job, const gp_msg_work_answer_t *msg)
{
    uint32_t barred = 0;

    job->hit_count = 0;
    job->hit_next = 0;
    for (uint32_t i = 0; i < msg->hits_count && job->hit_count < WORK_HITS_MAX; i++) {
        const gp_record_hit_t *hit = &msg->hits[i];
        work_hit_t *to = &job->hits[job->hit_count];

        if (gp_id_is_none(&hit->id) ||
            (!gp_id_is_none(&job->on) && !gp_id_equal(&job->on, &hit->id))) {
            continue;
        }
        if (!may_lend(work, &hit->id)) {
            barred++;
            continue;
        }
        to->id = hit->id;
        gp_work_name_set(&to->name, hit->name);
        job->hit_count++;
    }
    return barred;
}

/* Machines match, but none that may take work. */
static void finish_barred(gp_work_t *work, home_job_t *job, uint32_t barred, gp_usec_t now)
{
    gp_work_text_set(&job->text, gp_text("of the machines that match (found: "));
    gp_work_text_number(&job->text, barred);
    gp_work_text_add(&job->text, gp_text(") no certificate has the role lend"));
    gp_home_finish(work, job, GP_JOB_FAILED, GP_REASON_REFUSED, now);
}

void gp_home_answer(gp_work_t *work, const gp_event_t *event)
{
    const gp_msg_work_answer_t *msg = &event->msg->u.work_answer;
    home_job_t *job = gp_home_find(work, event->token);
    gp_error_t error = (gp_error_t)msg->error;
    uint32_t barred;

    if (job == NULL || job->phase != HOME_MATCHING) {
        return; /* an answer that came too late */
    }
    gp_home_close_find(work, job);
    barred = take_hits(work, job, msg);
    if (job->hit_count > 0) {
        gp_home_claim_next(work, job, event->now);
        return;
    }
    if (barred > 0) {
        finish_barred(work, job, barred, event->now);
        return;
    }
    if (error == GP_OK || error == GP_E_NO_MATCH) {
        explain(&job->text, msg);
        gp_home_finish(work, job, GP_JOB_FAILED, GP_REASON_NO_MATCH, event->now);
        return;
    }
    gp_work_text_set(&job->text, msg->text.n > 0 ? msg->text : gp_text(gp_error_text(error)));
    if (worth_asking_again(error)) {
        job->due = event->now + WORK_FIND_AGAIN;
    } else {
        gp_home_finish(work, job, GP_JOB_FAILED, GP_REASON_NO_MATCH, event->now);
    }
}

/* ---- claims ---------------------------------------------------------------------------------- */

static void finish_refused(gp_work_t *work, home_job_t *job, gp_usec_t now)
{
    work_text_t last = job->text;

    if (job->hit_count > 1) {
        gp_work_text_set(&job->text, gp_text("all "));
        gp_work_text_number(&job->text, job->hit_count);
        gp_work_text_add(&job->text, gp_text(" machines that match declined; the last one: "));
        gp_work_text_add(&job->text, gp_work_text_slice(&last));
    }
    gp_home_finish(work, job, GP_JOB_FAILED, GP_REASON_REFUSED, now);
}

void gp_home_claim_next(gp_work_t *work, home_job_t *job, gp_usec_t now)
{
    assert(!job->finding);
    while (job->hit_next < job->hit_count &&
           gp_work_peer_down(work, &job->hits[job->hit_next].id)) {
        job->node = job->hits[job->hit_next].name;
        gp_work_text_set(&job->text, gp_text("the machine is unavailable"));
        job->hit_next++;
    }
    if (job->hit_next == job->hit_count) {
        finish_refused(work, job, now);
        return;
    }
    job->executor = job->hits[job->hit_next].id;
    job->node = job->hits[job->hit_next].name;
    job->hit_next++;
    job->incarnation++;
    job->ticket = 0;
    job->credit_due = GP_NEVER; /* output that the machine before it sent unasked */
    gp_home_enter(job, HOME_CLAIMING, now);
    job->due = now;
    job->deadline = now + work->config.claim_us;
}

static bool is_current(const home_job_t *job, const gp_event_t *event, uint32_t incarnation)
{
    return gp_id_equal(&job->executor, &event->peer) && job->incarnation == incarnation;
}

static void refused(gp_work_t *work, home_job_t *job, const gp_event_t *event)
{
    const gp_msg_claimed_t *msg = &event->msg->u.claimed;

    gp_work_text_set(&job->text,
                     msg->text.n > 0 ? msg->text : gp_text(gp_error_text((gp_error_t)msg->error)));
    if (job->stop_reason != GP_REASON_NONE) {
        gp_home_finish_stopped(work, job, event->now);
    } else {
        gp_home_claim_next(work, job, event->now);
    }
}

/* It said that the job runs, and now that it never started: what ran is not run once more. */
static void finish_denied(gp_work_t *work, home_job_t *job, gp_usec_t now)
{
    gp_work_text_set(&job->text, gp_text("its machine said that it runs, and then that it never "
                                         "started: it may have run"));
    gp_home_finish(work, job, GP_JOB_FAILED, GP_REASON_NODE_FAILED, now);
}

/* An offer that nobody wants any more: its machine may give the place to somebody else. */
static void decline(const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_claimed_t *offer = &event->msg->u.claimed;
    gp_msg_cancel_t *msg = &gp_out_add(out, GP_ACTION_SEND, &event->peer, GP_MSG_CANCEL)->u.cancel;

    msg->job = offer->job;
    msg->incarnation = offer->incarnation;
    msg->ticket = offer->ticket;
    msg->reason = GP_REASON_CANCELLED;
}

void gp_home_claimed(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_claimed_t *msg = &event->msg->u.claimed;
    home_job_t *job = gp_home_find(work, msg->job);

    if (msg->taken && msg->ticket == 0) {
        return; /* not an offer */
    }
    if (job == NULL || !is_current(job, event, msg->incarnation) || !gp_home_open(job)) {
        if (msg->taken) {
            decline(event, out);
        }
        return;
    }
    if (job->phase == HOME_CLAIMING) {
        if (msg->taken) {
            job->ticket = msg->ticket;
            gp_home_enter(job, HOME_NAMING, event->now);
            job->due = event->now;
        } else {
            refused(work, job, event);
        }
        return;
    }
    /*
     * Ordered: only the word on this very ticket says that it never started. A refusal of a
     * repeated claim may still be on its way while the offer made before it was taken up.
     */
    if ((job->phase == HOME_ORDERED || job->phase == HOME_RUNNING) && !msg->taken &&
        msg->ticket == job->ticket) {
        if (job->phase == HOME_RUNNING && !job->deaf) {
            finish_denied(work, job, event->now);
        } else {
            refused(work, job, event);
        }
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

static void match_due(gp_work_t *work, home_job_t *job, gp_usec_t now, gp_out_t *out)
{
    if (now >= job->deadline) {
        gp_home_close_find(work, job);
        if (job->text.n == 0) {
            gp_work_text_set(&job->text, gp_text("nobody said which machines match"));
        }
        gp_home_finish(work, job, GP_JOB_FAILED, GP_REASON_NO_MATCH, now);
        return;
    }
    if (now < job->due) {
        return;
    }
    if (gp_out_holds(out, GP_MSG_JOB_FIND)) {
        return; /* its answer may come in this very step, and is large: the next step asks */
    }
    gp_home_close_find(work, job);
    if (work->finds_open >= WORK_FINDS_MAX) {
        job->due = now + FIND_QUEUE_POLL;
        return;
    }
    job->finding = true;
    work->finds_open++;
    job->due = now + WORK_FIND_LOST;
    send_find(work, job, out);
}

void gp_home_place_due(gp_work_t *work, home_job_t *job, gp_usec_t now, gp_out_t *out)
{
    if (job->phase == HOME_MATCHING) {
        match_due(work, job, now, out);
        return;
    }
    assert(job->phase == HOME_CLAIMING);
    if (now >= job->deadline) {
        gp_home_send_cancel(job, GP_REASON_CANCELLED, out);
        gp_work_text_set(&job->text, gp_text("the machine did not answer"));
        gp_home_claim_next(work, job, now);
    }
    if (job->phase == HOME_CLAIMING && now >= job->due) {
        send_claim(work, job, out);
        job->due = now + WORK_RESEND;
    }
}
