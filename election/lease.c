/*
 * The lease: for how long a leader may act, and a voter's grant.
 *
 * The leader counts from the moment it sent the beat that a majority answered, less the drift; a
 * voter counts from the moment it received it, plus the drift. So the leader stops before any voter
 * of that majority is free (Gray, Cheriton: Leases, 1989).
 */
#include "election/election_state.h"

#define ALL_BEATS 20 /* every so many beats all members hear the term */

static gp_usec_t lease_less_drift(const gp_election_t *el)
{
    return (gp_usec_t)el->config.lease_ms * (1000 - el->config.drift_permille);
}

static gp_usec_t lease_more_drift(const gp_election_t *el)
{
    return (gp_usec_t)el->config.lease_ms * (1000 + el->config.drift_permille);
}

/* ---- the leader ------------------------------------------------------------------------------ */

void gp_election_win(gp_election_t *el, gp_out_t *out)
{
    assert(el->role == GP_ELECTION_CANDIDATE && gp_id_equal(&el->voted_for, &el->self));
    el->role = GP_ELECTION_LEADER;
    el->phase_until = GP_NEVER;
    el->campaign_at = GP_NEVER;
    el->attempts = 0;
    el->leader = el->self;
    el->leader_term = el->term;
    el->leader_incarnation = 0;
    el->lost_at = GP_NEVER;
    el->doubt.again_at = GP_NEVER;
    el->evidence = false;
    el->lease_holder = (gp_id_t){0};
    el->won_at = el->now;
    el->lease_until = 0;
    el->committed = false;
    gp_election_drop_learner(el);
    el->removed = (gp_id_t){0};
    el->better = (gp_id_t){0};
    el->move = GP_ELECTION_STAY;
    memset(el->progress, 0, sizeof el->progress);
    for (uint32_t i = 0; i < el->roster.count; i++) {
        el->progress[i].id = el->roster.voters[i].id;
    }
    if (gp_election_voter_index(&el->roster, &el->self) < 0) {
        el->move = GP_ELECTION_MOVE_AWAY;
        el->move_until = el->now + gp_election_us(el->config.lease_ms);
    }
    gp_election_caretaker_end(el, out);
    gp_election_proclaim(el, out);
    gp_election_beat(el, out);
    /* What a former leader left uncommitted is committed in this term before anything changes. */
    gp_election_write(el, &el->roster, out);
}

void gp_election_step_down(gp_election_t *el, gp_step_down_why_t why, gp_out_t *out)
{
    assert(gp_election_leads(el));
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &el->self, GP_MSG_STEP_DOWN);
    msg->u.step_down =
        (gp_msg_step_down_t){.group = el->config.group, .term = el->term, .why = (uint8_t)why};
    el->role = GP_ELECTION_FOLLOWER;
    el->lease_until = 0;
    el->beat_at = GP_NEVER;
    el->renewing = false;
    el->committed = false;
    el->move = GP_ELECTION_STAY;
    gp_election_drop_learner(el);
    el->lost_at = el->now;
    el->why = GP_CAMPAIGN_SILENT;
    gp_election_arm(el, el->now);
}

static void send_lease(gp_election_t *el, const gp_id_t *peer, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, peer, GP_MSG_LEASE);
    msg->u.lease = (gp_msg_lease_t){.group = el->config.group,
                                    .term = el->term,
                                    .sequence = el->sequence,
                                    .version = el->version};
}

/* Who does not vote hears the term now and then too: a mandate may have been lost on its way. */
static void tell_members(gp_election_t *el, gp_out_t *out)
{
    for (uint32_t i = 0; i < el->member_count; i++) {
        const gp_election_member_t *member = &el->members[i];
        bool gone = member->state == GP_MEMBER_UNAVAILABLE || member->state == GP_MEMBER_LEFT;
        if (!gone && !gp_id_equal(&member->id, &el->self) &&
            gp_election_voter_index(&el->roster, &member->id) < 0) {
            send_lease(el, &member->id, out);
        }
    }
}

void gp_election_beat(gp_election_t *el, gp_out_t *out)
{
    assert(gp_election_leads(el));
    el->sequence++;
    el->sent_at[el->sequence % GP_ELECTION_SENT_MAX] = el->now;
    el->beat_at = el->now + gp_election_us(el->config.lease_beat_ms);
    for (uint32_t i = 0; i < el->roster.count; i++) {
        gp_election_progress_t *progress = &el->progress[i];
        assert(gp_id_equal(&progress->id, &el->roster.voters[i].id));
        if (gp_id_equal(&progress->id, &el->self)) {
            progress->granted_at = el->now;
            continue;
        }
        send_lease(el, &progress->id, out);
        gp_election_resend_register(el, &progress->id, out);
    }
    if (el->sequence % ALL_BEATS == 0) {
        tell_members(el, out);
    }
    if (!gp_id_is_none(&el->learner)) {
        gp_election_resend_register(el, &el->learner, out);
    }
    gp_election_extend(el);
}

void gp_election_extend(gp_election_t *el)
{
    gp_usec_t sorted[GP_VOTERS_MAX]; /* latest first */
    uint32_t count = el->roster.count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && sorted[at - 1] < el->progress[i].granted_at; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = el->progress[i].granted_at;
    }
    assert(count > 0);
    gp_usec_t since = sorted[gp_election_majority(count) - 1];
    if (since == 0) {
        return;
    }
    gp_usec_t until = since + lease_less_drift(el);
    if (until > el->lease_until && until > el->now) {
        el->lease_until = until;
    }
}

void gp_election_take_lease_ack(gp_election_t *el, const gp_id_t *peer,
                                const gp_msg_lease_ack_t *ack, gp_out_t *out)
{
    if (!gp_election_leads(el) || ack->term != el->term) {
        return;
    }
    int index = gp_election_voter_index(&el->roster, peer);
    if (index < 0) {
        return;
    }
    uint32_t age = el->sequence - ack->sequence;
    if (age < GP_ELECTION_SENT_MAX && ack->sequence != 0) {
        gp_usec_t sent = el->sent_at[ack->sequence % GP_ELECTION_SENT_MAX];
        if (sent > el->progress[index].granted_at && sent >= el->won_at) {
            el->progress[index].granted_at = sent;
        }
    }
    gp_election_extend(el);
    gp_election_progress_note(el, peer, ack->version, out);
}

/* ---- the voter ------------------------------------------------------------------------------- */

bool gp_election_believes(const gp_election_t *el, const gp_id_t *peer, uint64_t term)
{
    if (term != el->term) {
        return false;
    }
    return (term == el->leader_term && gp_id_equal(&el->leader, peer)) ||
           (term > el->leader_term && gp_id_equal(&el->voted_for, peer));
}

void gp_election_sign_of_life(gp_election_t *el, gp_out_t *out)
{
    assert(!gp_election_leads(el));
    el->lost_at = GP_NEVER;
    el->leader_heard = true;
    el->doubt.again_at = GP_NEVER;
    el->evidence = false;
    el->attempts = 0;
    const gp_election_member_t *member = gp_election_member_const(el, &el->leader);
    if (member != NULL) {
        el->leader_incarnation = member->incarnation;
    }
    if (el->role != GP_ELECTION_FOLLOWER) {
        gp_election_follow(el, el->term);
    }
    gp_election_caretaker_end(el, out);
    gp_election_arm(el, el->now + lease_more_drift(el));
}

void gp_election_grant(gp_election_t *el, const gp_id_t *peer, uint64_t term, gp_out_t *out)
{
    assert(gp_election_believes(el, peer, term) && !gp_election_leads(el));
    el->lease_holder = *peer;
    el->lease_term = term;
    el->grant_until = el->now + lease_more_drift(el);
    if (el->leader_term == term) {
        gp_election_sign_of_life(el, out);
        return;
    }
    /* It has this vote but has not shown its mandate yet. */
    el->evidence = false;
    if (el->role != GP_ELECTION_FOLLOWER) {
        gp_election_follow(el, el->term);
    }
    gp_election_arm(el, el->grant_until);
}

void gp_election_take_lease(gp_election_t *el, const gp_id_t *peer, const gp_msg_lease_t *lease,
                            gp_out_t *out)
{
    if (gp_id_equal(peer, &el->self) || lease->term > GP_TERM_MAX) {
        return;
    }
    if (lease->term < el->term) {
        if (!gp_election_show_mandate(el, peer, lease->term + 1, out)) {
            gp_election_deny(el, peer, lease->term, GP_VOTE_STALE_TERM, out);
        }
        return;
    }
    if (!gp_election_believes(el, peer, lease->term)) {
        gp_election_ask_mandate(el, peer, lease->term, out);
        return;
    }
    if (gp_election_voter_index(&el->roster, &el->self) < 0) {
        if (el->leader_term == lease->term) {
            gp_election_sign_of_life(el, out);
        }
        return; /* its answer would count for nothing */
    }
    gp_election_grant(el, peer, lease->term, out);
    if (el->leader_term != lease->term) {
        gp_election_ask_mandate(el, peer, lease->term, out);
    }
    bool held = el->value_term == lease->term && gp_election_is_durable(el);
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, peer, GP_MSG_LEASE_ACK);
    msg->u.lease_ack = (gp_msg_lease_ack_t){.group = el->config.group,
                                            .term = lease->term,
                                            .sequence = lease->sequence,
                                            .version = held ? el->version : 0};
}
