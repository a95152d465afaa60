/*
 * Nothing is promised before it is on disk.
 *
 * Each change of the durable part raises `serial`. One STORE at a time is under way; a promise (a
 * vote, an acknowledgement, standing, the leader's own copy) waits for the STORED event of a state
 * that contains it. After a failed STORE whoever waits is denied, and the disk is tried again
 * later.
 */
#include "election/election_state.h"

void gp_election_touch(gp_election_t *el)
{
    el->serial++;
}

bool gp_election_is_durable(const gp_election_t *el)
{
    assert(el->durable_serial <= el->serial);
    return el->durable_serial == el->serial;
}

bool gp_election_disk_failing(const gp_election_t *el)
{
    return el->now < el->store_retry_at;
}

static void keep_promise(gp_election_t *el, const gp_election_pending_t *pending, gp_out_t *out)
{
    assert(pending->serial <= el->durable_serial);
    switch (pending->promise) {
    case GP_ELECTION_PROMISE_VOTE:
        gp_election_send_vote(el, pending, out);
        break;
    case GP_ELECTION_PROMISE_ACK: {
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &pending->peer, GP_MSG_REGISTER_ACK);
        msg->u.register_ack = (gp_msg_register_ack_t){.group = el->config.group,
                                                      .term = pending->term,
                                                      .version = pending->version,
                                                      .stored = true};
        break;
    }
    case GP_ELECTION_PROMISE_STAND:
        if (el->role == GP_ELECTION_CANDIDATE && el->term == pending->term) {
            gp_election_send_vote_asks(el, out);
        }
        break;
    case GP_ELECTION_PROMISE_REGISTER:
        if (gp_election_leads(el) && el->term == pending->term) {
            gp_election_own_register(el, pending->version, out);
        }
        break;
    }
}

static void break_promise(gp_election_t *el, const gp_election_pending_t *pending, gp_out_t *out)
{
    switch (pending->promise) {
    case GP_ELECTION_PROMISE_VOTE:
        if (!gp_id_equal(&pending->peer, &el->self)) {
            gp_election_deny(el, &pending->peer, pending->term, GP_VOTE_NOT_DURABLE, out);
        }
        break;
    case GP_ELECTION_PROMISE_ACK: {
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &pending->peer, GP_MSG_REGISTER_ACK);
        msg->u.register_ack = (gp_msg_register_ack_t){
            .group = el->config.group, .term = pending->term, .version = pending->version};
        break;
    }
    case GP_ELECTION_PROMISE_STAND:
        if (el->role == GP_ELECTION_CANDIDATE && el->term == pending->term) {
            gp_election_follow(el, el->term);
            gp_election_retry(el);
        }
        break;
    case GP_ELECTION_PROMISE_REGISTER:
        if (gp_election_leads(el) && el->term == pending->term) {
            gp_election_step_down(el, GP_STEP_DOWN_DISK, out);
        }
        break;
    }
}

void gp_election_promise(gp_election_t *el, const gp_election_pending_t *pending, gp_out_t *out)
{
    gp_election_pending_t promise = *pending;
    promise.serial = el->serial;
    if (gp_election_is_durable(el)) {
        keep_promise(el, &promise, out);
        return;
    }
    if (gp_election_disk_failing(el)) {
        break_promise(el, &promise, out);
        return;
    }
    for (uint32_t i = 0; i < el->pending_count; i++) {
        gp_election_pending_t *old = &el->pending[i];
        if (old->promise == promise.promise && gp_id_equal(&old->peer, &promise.peer)) {
            *old = promise;
            return;
        }
    }
    /* Peers ask again, this machine's own two promises must not be crowded out by them. */
    bool own = promise.promise == GP_ELECTION_PROMISE_STAND ||
               promise.promise == GP_ELECTION_PROMISE_REGISTER;
    if (el->pending_count < GP_ELECTION_PENDING_MAX - (own ? 0 : 2)) {
        el->pending[el->pending_count++] = promise;
    }
}

void gp_election_take_stored(gp_election_t *el, uint64_t token, bool ok, gp_out_t *out)
{
    if (el->storing_serial == 0 || token != el->storing_serial) {
        return;
    }
    el->storing_serial = 0;
    if (ok) {
        assert(token > el->durable_serial && token <= el->serial);
        el->durable_serial = token;
        el->durable_term = el->storing_term;
    } else {
        el->store_retry_at = el->now + gp_election_us(el->config.store_retry_ms);
    }
    /* Promises may lead to new ones: work on a copy. */
    gp_election_pending_t due[GP_ELECTION_PENDING_MAX];
    uint32_t due_count = el->pending_count;
    memcpy(due, el->pending, due_count * sizeof due[0]);
    el->pending_count = 0;
    for (uint32_t i = 0; i < due_count; i++) {
        if (ok && due[i].serial > token) {
            assert(el->pending_count < GP_ELECTION_PENDING_MAX);
            el->pending[el->pending_count++] = due[i];
        }
    }
    for (uint32_t i = 0; i < due_count; i++) {
        if (!ok) {
            break_promise(el, &due[i], out);
        } else if (due[i].serial <= token) {
            keep_promise(el, &due[i], out);
        }
    }
}

static void fill_state(const gp_election_t *el, gp_msg_election_state_t *state)
{
    state->group = el->config.group;
    state->term = el->term;
    state->voted_for = el->voted_for;
    state->value_term = el->value_term;
    state->version = el->version;
    state->voters_count = el->roster.count;
    memcpy(state->voters, el->roster.voters, sizeof state->voters);
    state->value = gp_slice(el->value, el->value_n);
}

void gp_election_flush(gp_election_t *el, gp_out_t *out)
{
    if (gp_election_is_durable(el) || el->storing_serial != 0 || gp_election_disk_failing(el)) {
        return;
    }
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_STORE, &el->self, GP_MSG_ELECTION_STATE);
    gp_out_last(out)->token = el->serial;
    fill_state(el, &msg->u.election_state);
    el->storing_serial = el->serial;
    el->storing_term = el->term;
}

void gp_election_load(gp_election_t *el, const gp_msg_election_state_t *state)
{
    if (state->group != el->config.group) {
        return;
    }
    assert(state->value.n <= GP_REGISTER_MAX);
    el->term = state->term;
    el->durable_term = state->term;
    el->voted_for = state->voted_for;
    el->value_term = state->value_term;
    el->version = state->version;
    el->roster = (gp_election_roster_t){0};
    bool voters = gp_election_roster_read(state->voters, state->voters_count, &el->roster);
    assert(voters == (state->voters_count > 0));
    (void)voters;
    el->value_n = state->value.n;
    if (el->value_n > 0) {
        memcpy(el->value, state->value.p, el->value_n);
    }
}
