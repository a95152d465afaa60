/*
 * The executor's side: which claims this machine takes, and what it answers to the homes.
 */
#include "agent/work/work_state.h"

#define TICKETS_MAX ((UINT64_C(1) << WORK_NUMBER_BITS) - 1)

static attempt_t *find(gp_work_t *work, const gp_id_t *home, uint64_t job, uint32_t incarnation)
{
    for (uint32_t i = 0; i < work->attempt_count; i++) {
        attempt_t *attempt = gp_work_attempt_slot(work, i);

        if (attempt->phase != ATTEMPT_FREE && attempt->job == job &&
            attempt->incarnation == incarnation && gp_id_equal(&attempt->home, home)) {
            return attempt;
        }
    }
    return NULL;
}

bool gp_executor_active(const attempt_t *attempt)
{
    return attempt->phase != ATTEMPT_FREE && attempt->phase != ATTEMPT_ENDED;
}

static uint64_t ticket_of(const gp_work_t *work, uint64_t count)
{
    return work->config.epoch << WORK_NUMBER_BITS | count;
}

/*
 * Given in this life of the agent, and with no attempt left unreported and forgotten at or after
 * it: what is not on record then has never started. A used offer stays on record until its home
 * has acknowledged the end.
 */
static bool never_started(const gp_work_t *work, uint64_t ticket)
{
    return ticket > ticket_of(work, 0) && ticket <= ticket_of(work, work->tickets) &&
           ticket > work->forgotten;
}

/* ---- answers --------------------------------------------------------------------------------- */

static gp_msg_claimed_t *answer(const gp_id_t *home, uint64_t job, uint32_t incarnation,
                                gp_out_t *out)
{
    gp_msg_claimed_t *msg = &gp_out_add(out, GP_ACTION_SEND, home, GP_MSG_CLAIMED)->u.claimed;

    msg->job = job;
    msg->incarnation = incarnation;
    return msg;
}

static void offer(const attempt_t *attempt, gp_out_t *out)
{
    gp_msg_claimed_t *msg = answer(&attempt->home, attempt->job, attempt->incarnation, out);

    msg->taken = true;
    msg->ticket = attempt->ticket;
}

void gp_executor_refuse(const attempt_t *attempt, gp_error_t error, const char *text, gp_out_t *out)
{
    gp_msg_claimed_t *msg = answer(&attempt->home, attempt->job, attempt->incarnation, out);

    msg->ticket = attempt->ticket;
    msg->error = (uint16_t)error;
    msg->text = gp_text(text);
}

/* A KEEP or CANCEL for a ticket that is not on record. */
static void answer_unknown(const gp_work_t *work, const gp_event_t *event, uint64_t job,
                           uint32_t incarnation, uint64_t ticket, gp_out_t *out)
{
    attempt_t unknown = {.home = event->peer, .job = job, .incarnation = incarnation};
    gp_msg_ended_t *msg;

    if (ticket == 0) {
        return; /* a claim given up that was never answered here */
    }
    if (never_started(work, ticket)) {
        unknown.ticket = ticket;
        gp_executor_refuse(&unknown, GP_E_RUN_FENCED, "the offer had run out", out);
        return;
    }
    msg = &gp_out_add(out, GP_ACTION_SEND, &event->peer, GP_MSG_ENDED)->u.ended;
    msg->job = job;
    msg->incarnation = incarnation;
    msg->reason = GP_REASON_NODE_FAILED;
    msg->cut = true;
    msg->text = gp_text("its machine lost its record of it: it may have run");
}

/* ---- claims ---------------------------------------------------------------------------------- */

/* A record that waits for a home which the group calls gone gives way to work that can be done. */
static attempt_t *evict(gp_work_t *work, gp_out_t *out)
{
    for (uint32_t i = 0; i < work->attempt_count; i++) {
        attempt_t *attempt = gp_work_attempt_slot(work, i);

        if (attempt->phase == ATTEMPT_ENDED && attempt->storing.token == 0 &&
            gp_work_peer_down(work, &attempt->home)) {
            work->forgotten = attempt->ticket > work->forgotten ? attempt->ticket : work->forgotten;
            gp_attempt_remove(work, attempt, out);
            return attempt;
        }
    }
    return NULL;
}

static attempt_t *take_slot(gp_work_t *work, gp_out_t *out)
{
    attempt_t *attempt = gp_work_attempt_free(work);

    return attempt != NULL ? attempt : evict(work, out);
}

/* Another attempt of the same job here: a newer one fences this claim, an older one must end first.
 */
static bool fenced(gp_work_t *work, const gp_event_t *event)
{
    const gp_msg_claim_t *claim = &event->msg->u.claim;

    for (uint32_t i = 0; i < work->attempt_count; i++) {
        attempt_t *other = gp_work_attempt_slot(work, i);

        if (other->phase == ATTEMPT_FREE || other->job != claim->job ||
            !gp_id_equal(&other->home, &event->peer)) {
            continue;
        }
        if (other->incarnation < claim->incarnation && other->phase == ATTEMPT_OFFERED) {
            *other = (attempt_t){.phase = ATTEMPT_FREE}; /* its home has moved on */
        } else if (other->incarnation >= claim->incarnation || gp_executor_active(other)) {
            return true;
        }
    }
    return false;
}

void gp_executor_remember(gp_work_t *work, const attempt_t *attempt)
{
    work_over_t *over = gp_work_over_slot(work, work->over_next);

    *over = (work_over_t){
        .home = attempt->home, .job = attempt->job, .incarnation = attempt->incarnation};
    work->over_next = (work->over_next + 1) % work->config.attempts_max;
    work->over_count += work->over_count < work->config.attempts_max ? 1 : 0;
}

/*
 * This attempt, or a newer one of its job, was here and is forgotten. No honest home asks for it
 * again: it has the end. Its last traces may not be cleaned up yet, so it must not start anew.
 */
static bool is_over(gp_work_t *work, const gp_event_t *event)
{
    const gp_msg_claim_t *claim = &event->msg->u.claim;

    for (uint32_t i = 0; i < work->over_count; i++) {
        const work_over_t *over = gp_work_over_slot(work, i);

        if (over->job == claim->job && over->incarnation >= claim->incarnation &&
            gp_id_equal(&over->home, &event->peer)) {
            return true;
        }
    }
    return false;
}

/* What the certificates of both say: `why` is left alone where the error says it all. */
static gp_error_t check_roles(const gp_work_t *work, const gp_id_t *home, const char **why)
{
    uint16_t roles = gp_work_roles_of(work, home);

    if ((work->roles & GP_ROLE_LEND) == 0) {
        return GP_E_RUN_LEND;
    }
    if (roles == 0) {
        *why = "the certificate of the machine that asks is not known here (yet)";
    } else if ((roles & GP_ROLE_SUBMIT) == 0) {
        *why = "the certificate of the machine that asks lacks the role submit";
    }
    return (roles & GP_ROLE_SUBMIT) == 0 ? GP_E_RUN_SUBMIT : GP_OK;
}

/* What the claim is for, and what this machine has and does now. */
static gp_error_t check_claim(gp_work_t *work, const gp_event_t *event, const char **why)
{
    const gp_msg_claim_t *claim = &event->msg->u.claim;

    if (claim->job == 0 || claim->incarnation == 0 || claim->args_count == 0) {
        *why = "there is no command to run";
        return GP_E_RUN_REFUSED;
    }
    if (fenced(work, event)) {
        *why = "an attempt of this job is on record here";
        return GP_E_RUN_FENCED;
    }
    if (is_over(work, event)) {
        *why = "this attempt has ended here already";
        return GP_E_RUN_FENCED;
    }
    if (work->stopping || work->draining) {
        *why = "the machine takes no new work: it is about to stop or being drained";
        return GP_E_RUN_REFUSED;
    }
    if (!work->lend || work->config.running_max == 0) {
        *why = "its owner does not lend the machine now";
        return GP_E_RUN_REFUSED;
    }
    if (gp_work_running(work) >= work->config.running_max || work->tickets == TICKETS_MAX) {
        *why = "the machine runs as many jobs as it may";
        return GP_E_RUN_FULL;
    }
    return GP_OK;
}

/* This machine's own decision; `text` gets the reason in words. */
static gp_error_t decide(gp_work_t *work, const gp_event_t *event, char *text, size_t size)
{
    const char *why = "";
    gp_error_t error = check_roles(work, &event->peer, &why);

    if (error == GP_OK) {
        error = check_claim(work, event, &why);
    }
    if (error == GP_OK && work->config.fits != NULL) {
        return work->config.fits(work->config.fits_context, event->msg->u.claim.where, text, size);
    }
    assert(strlen(why) < size);
    memcpy(text, why, strlen(why) + 1);
    return error;
}

static gp_error_t take(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_claim_t *claim = &event->msg->u.claim;
    const work_words_t words = {.args = claim->args,
                                .args_count = claim->args_count,
                                .env = claim->env,
                                .env_count = claim->env_count};
    attempt_t *attempt = take_slot(work, out);
    uint32_t used = 0;
    gp_error_t error;
    gp_usec_t stands = claim->lease_ms * GP_MSEC;

    if (attempt == NULL) {
        return GP_E_RUN_FULL;
    }
    error = gp_work_words_pack(&words, gp_work_attempt_bytes(work, attempt),
                               work->config.command_bytes, &used);
    if (error != GP_OK) {
        return error;
    }
    work->tickets++;
    *attempt = (attempt_t){.phase = ATTEMPT_OFFERED,
                           .home = event->peer,
                           .job = claim->job,
                           .ticket = ticket_of(work, work->tickets),
                           .incarnation = claim->incarnation,
                           .due = GP_NEVER,
                           .output_due = GP_NEVER,
                           .command_used = used};
    stands = stands < work->config.lease_us ? stands : work->config.lease_us;
    attempt->lease_until = event->now + stands;
    gp_work_name_set(&attempt->name, claim->name);
    offer(attempt, out);
    return GP_OK;
}

static void on_claim(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_claim_t *claim = &event->msg->u.claim;
    const attempt_t *known = find(work, &event->peer, claim->job, claim->incarnation);
    char text[GP_REASON_TEXT_MAX + 1] = "";
    work_text_t why;
    gp_msg_claimed_t *msg;
    gp_error_t error;

    if (known != NULL) {
        if (known->phase == ATTEMPT_OFFERED) {
            offer(known, out); /* the answer was lost */
        }
        return; /* ordered already: the repeated claim is an old one */
    }
    error = decide(work, event, text, sizeof text);
    if (error == GP_OK) {
        error = take(work, event, out);
    }
    if (error != GP_OK) {
        msg = answer(&event->peer, claim->job, claim->incarnation, out);
        msg->error = (uint16_t)error;
        gp_work_text_set(&why, gp_text(text[0] != '\0' ? text : gp_error_text(error)));
        msg->text = gp_out_slice(out, gp_work_text_slice(&why));
    }
}

/* ---- orders, leases, cancels ----------------------------------------------------------------- */

static void on_keep(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_keep_t *msg = &event->msg->u.keep;
    attempt_t *attempt = find(work, &event->peer, msg->job, msg->incarnation);

    if (attempt == NULL || attempt->ticket != msg->ticket) {
        answer_unknown(work, event, msg->job, msg->incarnation, msg->ticket, out);
        return;
    }
    if (attempt->phase == ATTEMPT_OFFERED) {
        gp_attempt_begin(work, attempt, event->now);
    }
    gp_output_ack(attempt, msg->received, msg->until, event->now);
    if (attempt->phase == ATTEMPT_ENDED) {
        attempt->due = event->now;
        return;
    }
    attempt->lease_until = event->now + msg->lease_ms * GP_MSEC;
    attempt->lease_owed = true;
    attempt->kept_owed = true;
}

static void on_cancel(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_cancel_t *msg = &event->msg->u.cancel;
    attempt_t *attempt = find(work, &event->peer, msg->job, msg->incarnation);
    gp_reason_t reason =
        msg->reason == GP_REASON_HOME_RESTARTED ? GP_REASON_HOME_RESTARTED : GP_REASON_CANCELLED;

    if (attempt == NULL || (attempt->ticket != msg->ticket && msg->ticket != 0)) {
        answer_unknown(work, event, msg->job, msg->incarnation, msg->ticket, out);
        return;
    }
    if (attempt->phase == ATTEMPT_OFFERED) {
        if (msg->ticket != 0) {
            gp_executor_refuse(attempt, GP_E_RUN_FENCED, "cancelled before it started", out);
        }
        *attempt = (attempt_t){.phase = ATTEMPT_FREE};
    } else if (msg->ticket != attempt->ticket) {
        return; /* a claim given up; the order for it came all the same */
    } else if (attempt->phase == ATTEMPT_ENDED) {
        attempt->due = event->now;
    } else {
        gp_attempt_stop(attempt, reason, event->now);
        attempt->kept_owed = true;
    }
}

static void on_ended_ack(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_ended_ack_t *msg = &event->msg->u.ended_ack;
    attempt_t *attempt = find(work, &event->peer, msg->job, msg->incarnation);

    if (attempt != NULL && attempt->phase == ATTEMPT_ENDED) {
        gp_attempt_remove(work, attempt, out);
    }
}

static void on_output_ack(gp_work_t *work, const gp_event_t *event)
{
    const gp_msg_output_ack_t *msg = &event->msg->u.output_ack;
    attempt_t *attempt = find(work, &event->peer, msg->job, msg->incarnation);

    if (attempt != NULL) {
        gp_output_ack(attempt, msg->received, msg->until, event->now);
    }
}

void gp_executor_message(gp_work_t *work, const gp_event_t *event, gp_out_t *out)
{
    switch (event->msg->kind) {
    case GP_MSG_CLAIM:
        on_claim(work, event, out);
        break;
    case GP_MSG_KEEP:
        on_keep(work, event, out);
        break;
    case GP_MSG_CANCEL:
        on_cancel(work, event, out);
        break;
    case GP_MSG_OUTPUT_ACK:
        on_output_ack(work, event);
        break;
    case GP_MSG_ENDED_ACK:
        on_ended_ack(work, event, out);
        break;
    default:
        break;
    }
}

void gp_executor_expire(gp_work_t *work, gp_usec_t now)
{
    for (uint32_t i = 0; i < work->attempt_count; i++) {
        attempt_t *attempt = gp_work_attempt_slot(work, i);

        if (!gp_executor_active(attempt) || now < attempt->lease_until) {
            continue;
        }
        if (attempt->phase == ATTEMPT_OFFERED) {
            *attempt = (attempt_t){.phase = ATTEMPT_FREE};
        } else if (attempt->phase == ATTEMPT_STOPPING) {
            attempt->due = attempt->lease_over ? attempt->due : now;
            attempt->lease_over = true;
        } else {
            gp_attempt_stop(attempt, GP_REASON_LEASE_LOST, now);
        }
    }
}

void gp_executor_member(gp_work_t *work, const gp_id_t *id, bool forgotten, gp_out_t *out)
{
    const work_peer_t *peer = gp_work_peer(work, id);
    bool for_good = forgotten ||
                    (peer != NULL && peer->state == GP_MEMBER_LEFT && peer->cause == GP_CAUSE_LEFT);

    for (uint32_t i = 0; for_good && i < work->attempt_count; i++) {
        attempt_t *attempt = gp_work_attempt_slot(work, i);

        if (attempt->phase == ATTEMPT_ENDED && gp_id_equal(&attempt->home, id)) {
            work->forgotten = attempt->ticket > work->forgotten ? attempt->ticket : work->forgotten;
            gp_attempt_remove(work, attempt, out);
        }
    }
}

void gp_executor_stop(gp_work_t *work, gp_usec_t now)
{
    for (uint32_t i = 0; i < work->attempt_count; i++) {
        attempt_t *attempt = gp_work_attempt_slot(work, i);

        if (attempt->phase == ATTEMPT_OFFERED) {
            *attempt = (attempt_t){.phase = ATTEMPT_FREE};
        } else if (gp_executor_active(attempt)) {
            gp_attempt_stop(attempt, GP_REASON_AGENT_STOPPED, now);
        }
    }
}
