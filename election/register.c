/*
 * The register: one small versioned value (the roster, and a blob for others), replicated by the
 * leader to the voters. Raft's rules with one entry instead of a log: a version counts only in the
 * term of the leader that wrote it, and is committed once a majority of its own roster has it on
 * disk. Rosters differ by one voter at most, so majorities of neighbours always meet.
 */
#include "election/election_state.h"

static void tell_roster(gp_election_t *el, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &el->self, GP_MSG_ROSTER);
    msg->u.roster = (gp_msg_roster_t){.group = el->config.group,
                                      .term = el->value_term,
                                      .version = el->version,
                                      .committed = el->committed,
                                      .voters_count = el->roster.count};
    memcpy(msg->u.roster.voters, el->roster.voters, sizeof msg->u.roster.voters);
}

/* Carries what is known of each voter over to the new roster. */
static void remap_progress(gp_election_t *el, const gp_election_roster_t *roster)
{
    gp_election_progress_t old[GP_VOTERS_MAX];
    memcpy(old, el->progress, sizeof old);
    memset(el->progress, 0, sizeof el->progress);
    for (uint32_t i = 0; i < roster->count; i++) {
        const gp_id_t *id = &roster->voters[i].id;
        int was = gp_election_voter_index(&el->roster, id);
        el->progress[i].id = *id;
        if (was >= 0) {
            el->progress[i] = old[was];
        } else if (gp_id_equal(id, &el->self)) {
            el->progress[i].granted_at = el->now;
        }
    }
    el->removed = (gp_id_t){0};
    for (uint32_t i = 0; i < el->roster.count; i++) {
        const gp_id_t *id = &el->roster.voters[i].id;
        if (gp_election_voter_index(roster, id) < 0 && !gp_id_equal(id, &el->self)) {
            el->removed = *id;
        }
    }
}

void gp_election_write(gp_election_t *el, const gp_election_roster_t *roster, gp_out_t *out)
{
    assert(gp_election_leads(el) && roster->count > 0 && roster->count <= GP_VOTERS_MAX);
    gp_election_roster_t next = *roster;
    remap_progress(el, &next);
    el->roster = next;
    el->version++;
    el->value_term = el->term;
    el->committed = false;
    gp_election_drop_learner(el);
    gp_election_touch(el);
    tell_roster(el, out);
    gp_election_pending_t own = {.promise = GP_ELECTION_PROMISE_REGISTER,
                                 .peer = el->self,
                                 .term = el->term,
                                 .version = el->version};
    gp_election_promise(el, &own, out);
}

void gp_election_send_register(gp_election_t *el, const gp_id_t *peer, gp_out_t *out)
{
    assert(gp_election_leads(el) && el->value_term == el->term);
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, peer, GP_MSG_REGISTER);
    gp_msg_register__t *reg = &msg->u.register_;
    reg->group = el->config.group;
    reg->term = el->term;
    reg->version = el->version;
    reg->voters_count = el->roster.count;
    memcpy(reg->voters, el->roster.voters, sizeof reg->voters);
    reg->value = gp_slice(el->value, el->value_n);
}

void gp_election_resend_register(gp_election_t *el, const gp_id_t *peer, gp_out_t *out)
{
    assert(gp_election_leads(el));
    int index = gp_election_voter_index(&el->roster, peer);
    bool lacks = index >= 0 ? el->progress[index].version != el->version
                            : gp_id_equal(peer, &el->learner) && !el->learner_ready;
    if (lacks && el->value_term == el->term && gp_election_is_durable(el)) {
        gp_election_send_register(el, peer, out);
    }
}

/* Committed as soon as a majority of its own roster has it on disk. */
static void check_commit(gp_election_t *el, gp_out_t *out)
{
    if (el->committed || el->value_term != el->term) {
        return;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < el->roster.count; i++) {
        count += el->progress[i].version == el->version ? 1 : 0;
    }
    if (count < gp_election_majority(el->roster.count)) {
        return;
    }
    el->committed = true;
    tell_roster(el, out);
    gp_election_renew(el, out);
    gp_election_maintain(el, out);
}

void gp_election_own_register(gp_election_t *el, uint64_t version, gp_out_t *out)
{
    assert(gp_election_leads(el));
    if (version != el->version) {
        return;
    }
    for (uint32_t i = 0; i < el->roster.count; i++) {
        const gp_id_t *id = &el->roster.voters[i].id;
        if (gp_id_equal(id, &el->self)) {
            el->progress[i].version = version;
        } else {
            gp_election_send_register(el, id, out);
        }
    }
    if (!gp_id_is_none(&el->removed)) {
        gp_election_send_register(el, &el->removed, out);
    }
    check_commit(el, out);
}

void gp_election_progress_note(gp_election_t *el, const gp_id_t *peer, uint64_t version,
                               gp_out_t *out)
{
    assert(gp_election_leads(el));
    if (version == 0 || version > el->version) {
        return;
    }
    int index = gp_election_voter_index(&el->roster, peer);
    if (index >= 0) {
        if (version > el->progress[index].version) {
            el->progress[index].version = version;
            check_commit(el, out);
            if (el->move != GP_ELECTION_STAY) {
                gp_election_maintain(el, out); /* perhaps it was waited for this one */
            }
        }
    } else if (gp_id_equal(peer, &el->learner) && version == el->version && !el->learner_ready) {
        el->learner_ready = true;
        gp_election_maintain(el, out);
    }
}

void gp_election_take_register_ack(gp_election_t *el, const gp_id_t *peer,
                                   const gp_msg_register_ack_t *ack, gp_out_t *out)
{
    if (gp_election_leads(el) && ack->term == el->term && ack->stored &&
        el->value_term == el->term) {
        gp_election_progress_note(el, peer, ack->version, out);
    }
}

void gp_election_take_register(gp_election_t *el, const gp_id_t *peer,
                               const gp_msg_register__t *reg, gp_out_t *out)
{
    gp_election_roster_t roster;
    if (gp_id_equal(peer, &el->self) || reg->term > GP_TERM_MAX || reg->version == 0 ||
        reg->value.n > GP_REGISTER_MAX ||
        !gp_election_roster_read(reg->voters, reg->voters_count, &roster)) {
        return;
    }
    if (reg->term < el->term) {
        if (!gp_election_show_mandate(el, peer, reg->term + 1, out)) {
            gp_election_deny(el, peer, reg->term, GP_VOTE_STALE_TERM, out);
        }
        return;
    }
    if (!gp_election_believes(el, peer, reg->term)) {
        gp_election_ask_mandate(el, peer, reg->term, out);
        return;
    }
    if (el->value_term == reg->term && el->version > reg->version) {
        return; /* a late copy of an older version */
    }
    assert(el->value_term <= reg->term);
    bool forgotten = el->roster.count == 0;
    if (el->value_term < reg->term || el->version < reg->version || forgotten) {
        el->value_term = reg->term;
        el->version = reg->version;
        el->roster = roster;
        el->value_n = reg->value.n;
        if (reg->value.n > 0) {
            memcpy(el->value, reg->value.p, reg->value.n);
        }
        if (gp_id_is_none(&el->voted_for)) {
            el->voted_for = *peer;
        }
        gp_election_touch(el);
        tell_roster(el, out);
    }
    /* It grants like a beat: or a roster changed twice could elect inside a lease (see README). */
    gp_election_grant(el, peer, reg->term, out);
    gp_election_pending_t ack = {.promise = GP_ELECTION_PROMISE_ACK,
                                 .peer = *peer,
                                 .term = reg->term,
                                 .version = reg->version};
    gp_election_promise(el, &ack, out);
}
