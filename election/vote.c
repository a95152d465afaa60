/*
 * Standing, asking, granting: pre-vote, vote, and the rules by which a voter denies.
 */
#include "election/election_state.h"

#define OUTSIDER_LEASES 2 /* who is no voter waits so much longer before it stands, if at all */

/* What both kinds of ask say. */
typedef struct ask {
    uint64_t term;
    uint64_t value_term;
    uint64_t version;
    const gp_record_release_t *release; /* NULL: none; its signature is checked */
    bool evidence;
    bool pre;
} ask_t;

static uint32_t bit_count(uint32_t bits)
{
    uint32_t count = 0;
    for (; bits != 0; bits &= bits - 1) {
        count++;
    }
    return count;
}

void gp_election_follow(gp_election_t *el, uint64_t term)
{
    assert(!gp_election_leads(el) && term >= el->term);
    if (term > el->term) {
        el->term = term;
        el->voted_for = (gp_id_t){0};
        gp_election_touch(el);
    }
    el->role = GP_ELECTION_FOLLOWER;
    el->phase_until = GP_NEVER;
}

/* Until when this machine's own grants bind its own vote too; 0: they do not. */
static gp_usec_t bound_until(const gp_election_t *el)
{
    bool to_other = !gp_id_is_none(&el->lease_holder) && !gp_id_equal(&el->lease_holder, &el->self);
    if (to_other && el->evidence && gp_id_equal(&el->lease_holder, &el->leader)) {
        return 0;
    }
    return to_other && el->grant_until > el->restart_until ? el->grant_until : el->restart_until;
}

static gp_usec_t later(gp_usec_t a, gp_usec_t b)
{
    return a > b ? a : b;
}

void gp_election_arm(gp_election_t *el, gp_usec_t base)
{
    if (el->version == 0) {
        el->campaign_at = GP_NEVER;
        return;
    }
    el->campaign_at = later(base, bound_until(el)) +
                      gp_election_rank(el) * gp_election_us(el->config.rank_wait_ms);
    if (!gp_election_is_voter(el)) {
        gp_usec_t lost = el->lost_at != GP_NEVER ? el->lost_at : el->now;
        gp_usec_t wait = OUTSIDER_LEASES * gp_election_us(el->config.lease_ms);
        el->campaign_at = later(el->campaign_at, lost + wait);
    }
}

void gp_election_retry(gp_election_t *el)
{
    gp_usec_t most = gp_election_us(el->config.lease_ms);
    uint32_t shift = el->attempts < 8 ? el->attempts : 8;
    gp_usec_t wait = gp_election_us(el->config.rank_wait_ms) << shift;
    wait = wait < most ? wait : most;
    wait += gp_random_below(&el->random, gp_election_us(el->config.jitter_ms) + 1);
    gp_election_arm(el, el->now + wait);
}

static void tell_campaign(gp_election_t *el, uint64_t term, bool pre, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &el->self, GP_MSG_CAMPAIGN);
    msg->u.campaign = (gp_msg_campaign_t){
        .group = el->config.group, .term = term, .why = (uint8_t)el->why, .pre = pre};
}

void gp_election_ask_prevotes(gp_election_t *el, gp_campaign_why_t why, gp_out_t *out)
{
    assert(gp_election_can_stand(el) && !gp_election_leads(el));
    if (el->now < bound_until(el)) {
        gp_election_arm(el, el->now);
        return;
    }
    el->role = GP_ELECTION_ASKING;
    el->why = why;
    el->attempts++;
    el->phase_until = el->now + gp_election_us(el->config.vote_wait_ms);
    int own = gp_election_voter_index(&el->roster, &el->self);
    el->yes = own >= 0 ? UINT32_C(1) << own : 0;
    el->no = 0;
    if (el->attempts == 1) {
        tell_campaign(el, el->term + 1, true, out);
    }
    if (bit_count(el->yes) >= gp_election_majority(el->roster.count)) {
        gp_election_ask_votes(el, why, NULL, out);
        return;
    }
    for (uint32_t i = 0; i < el->roster.count; i++) {
        const gp_id_t *id = &el->roster.voters[i].id;
        if (gp_id_equal(id, &el->self)) {
            continue;
        }
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, id, GP_MSG_PREVOTE_ASK);
        msg->u.prevote_ask = (gp_msg_prevote_ask_t){.group = el->config.group,
                                                    .term = el->term + 1,
                                                    .value_term = el->value_term,
                                                    .version = el->version,
                                                    .evidence = el->evidence};
    }
}

void gp_election_ask_votes(gp_election_t *el, gp_campaign_why_t why,
                           const gp_election_release_t *release, gp_out_t *out)
{
    assert(gp_election_can_stand(el) && !gp_election_leads(el));
    gp_election_follow(el, el->term + 1);
    el->role = GP_ELECTION_CANDIDATE;
    el->why = why;
    el->voted_for = el->self;
    el->lease_holder = (gp_id_t){0};
    el->phase_until = el->now + gp_election_us(el->config.vote_wait_ms);
    el->no = 0;
    gp_election_ballot_reset(el);
    if (release != NULL) {
        el->ballot.release = *release;
    }
    tell_campaign(el, el->term, false, out);
    gp_election_pending_t stand = {
        .promise = GP_ELECTION_PROMISE_STAND, .peer = el->self, .term = el->term};
    gp_election_promise(el, &stand, out);
}

void gp_election_send_vote_asks(gp_election_t *el, gp_out_t *out)
{
    assert(el->role == GP_ELECTION_CANDIDATE && gp_election_is_durable(el));
    for (uint32_t i = 0; i < el->roster.count; i++) {
        const gp_id_t *id = &el->roster.voters[i].id;
        if (gp_id_equal(id, &el->self)) {
            continue;
        }
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, id, GP_MSG_VOTE_ASK);
        msg->u.vote_ask = (gp_msg_vote_ask_t){
            .group = el->config.group,
            .term = el->term,
            .value_term = el->value_term,
            .version = el->version,
            .roster = gp_election_roster_digest(el->roster.voters, el->roster.count),
            .evidence = el->evidence};
        gp_election_show_release(&el->ballot.release, msg->u.vote_ask.releases,
                                 &msg->u.vote_ask.releases_count);
    }
    if (gp_election_voter_index(&el->roster, &el->self) < 0) {
        return;
    }
    /* The own vote is evidence too: it comes back signed and is counted only then. */
    gp_election_pending_t own = {
        .promise = GP_ELECTION_PROMISE_VOTE,
        .peer = el->self,
        .serial = el->durable_serial,
        .term = el->term,
        .version = el->version,
        .roster = gp_election_roster_digest(el->roster.voters, el->roster.count)};
    gp_election_send_vote(el, &own, out);
}

void gp_election_found(gp_election_t *el, uint16_t score, gp_out_t *out)
{
    bool fresh = el->term == 0 && el->version == 0 && el->role == GP_ELECTION_FOLLOWER;
    if (!fresh || !gp_election_fit(el)) {
        return;
    }
    el->version = 1;
    el->value_term = 1;
    el->roster.count = 1;
    el->roster.voters[0] = (gp_record_voter_t){.id = el->self, .score = score};
    gp_election_ask_votes(el, GP_CAMPAIGN_START, NULL, out);
}

/* ---- granting -------------------------------------------------------------------------------- */

static bool is_released(const ask_t *ask, const gp_id_t *by, uint64_t term)
{
    return ask->release != NULL && ask->release->term == term && gp_id_equal(&ask->release->by, by);
}

/* Is the grant to another leader waived: given up in writing, or its process seen gone by two? */
static bool is_waived(const gp_election_t *el, const ask_t *ask)
{
    if (is_released(ask, &el->lease_holder, el->lease_term) && el->lease_term >= el->leader_term) {
        return true;
    }
    bool own_evidence = el->evidence && gp_id_equal(&el->lease_holder, &el->leader);
    return own_evidence && (ask->evidence || el->roster.count < 3);
}

/* Who grants no lease, as it does not vote, must not be talked out of a leader that it hears. */
static bool is_bystander(const gp_election_t *el, const gp_id_t *peer, const ask_t *ask)
{
    bool follows = el->lost_at == GP_NEVER && el->leader_term > 0 && !gp_id_is_none(&el->leader) &&
                   !gp_id_equal(&el->leader, peer);
    return follows && !el->evidence && gp_election_voter_index(&el->roster, &el->self) < 0 &&
           !is_released(ask, &el->leader, el->leader_term);
}

static gp_vote_reason_t judge(const gp_election_t *el, const gp_id_t *peer, const ask_t *ask)
{
    if (ask->term < el->term || (ask->pre && ask->term == el->term)) {
        return GP_VOTE_STALE_TERM;
    }
    bool voted = ask->term == el->term && !gp_id_is_none(&el->voted_for);
    if (voted && !gp_id_equal(&el->voted_for, peer)) {
        return GP_VOTE_TAKEN;
    }
    if (ask->value_term < el->value_term ||
        (ask->value_term == el->value_term && ask->version < el->version)) {
        return GP_VOTE_BEHIND;
    }
    bool same = ask->value_term == el->value_term && ask->version == el->version;
    if (same && gp_election_voter_index(&el->roster, peer) < 0) {
        return GP_VOTE_NOT_VOTER;
    }
    if (gp_election_leads(el)) {
        return GP_VOTE_LEASED;
    }
    bool granted = !gp_id_is_none(&el->lease_holder) && !gp_id_equal(&el->lease_holder, peer) &&
                   el->now < el->grant_until;
    /* After a restart the vote on disk tells whom it may have granted. */
    bool restarted = el->now < el->restart_until && !is_released(ask, &el->voted_for, el->term);
    if (restarted || (granted && !is_waived(el, ask)) || is_bystander(el, peer, ask)) {
        return GP_VOTE_LEASED;
    }
    return gp_election_disk_failing(el) ? GP_VOTE_NOT_DURABLE : GP_VOTE_YES;
}

void gp_election_take_prevote_ask(gp_election_t *el, const gp_id_t *peer,
                                  const gp_msg_prevote_ask_t *ask, gp_out_t *out)
{
    if (!gp_election_credible(el, ask->term) || gp_id_equal(peer, &el->self)) {
        return;
    }
    ask_t asked = {.term = ask->term,
                   .value_term = ask->value_term,
                   .version = ask->version,
                   .evidence = ask->evidence,
                   .pre = true};
    gp_vote_reason_t reason = judge(el, peer, &asked);
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, peer, GP_MSG_PREVOTE);
    msg->u.prevote = (gp_msg_prevote_t){.group = el->config.group,
                                        .term = ask->term,
                                        .granted = reason == GP_VOTE_YES,
                                        .reason = (uint8_t)reason,
                                        .own_term = el->durable_term};
    if (reason == GP_VOTE_YES && el->role == GP_ELECTION_FOLLOWER && el->campaign_at != GP_NEVER) {
        /* Somebody is at it: give it the time of a vote before standing too. */
        uint64_t waits = 4 + gp_election_rank(el);
        gp_usec_t polite = el->now + waits * gp_election_us(el->config.rank_wait_ms);
        el->campaign_at = later(el->campaign_at, polite);
    }
}

void gp_election_deny(gp_election_t *el, const gp_id_t *peer, uint64_t term,
                      gp_vote_reason_t reason, gp_out_t *out)
{
    assert(reason != GP_VOTE_YES && !gp_id_equal(peer, &el->self));
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, peer, GP_MSG_VOTE);
    msg->u.vote = (gp_msg_vote_t){.group = el->config.group,
                                  .term = term,
                                  .candidate = *peer,
                                  .reason = (uint8_t)reason,
                                  .own_term = el->durable_term};
}

void gp_election_send_vote(gp_election_t *el, const gp_election_pending_t *pending, gp_out_t *out)
{
    assert(pending->serial <= el->durable_serial);
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &pending->peer, GP_MSG_VOTE);
    msg->u.vote = (gp_msg_vote_t){.group = el->config.group,
                                  .term = pending->term,
                                  .candidate = pending->peer,
                                  .granted = true,
                                  .reason = GP_VOTE_YES,
                                  .own_term = pending->term,
                                  .version = pending->version,
                                  .roster = pending->roster,
                                  .valid_ms = el->config.vote_valid_ms};
}

void gp_election_take_vote_ask(gp_election_t *el, const gp_id_t *peer, const gp_msg_vote_ask_t *ask,
                               gp_out_t *out)
{
    if (!gp_election_credible(el, ask->term) || gp_id_equal(peer, &el->self)) {
        return;
    }
    ask_t asked = {.term = ask->term,
                   .value_term = ask->value_term,
                   .version = ask->version,
                   .release = ask->releases_count > 0 ? &ask->releases[0] : NULL,
                   .evidence = ask->evidence};
    gp_vote_reason_t reason = judge(el, peer, &asked);
    if (reason != GP_VOTE_YES) {
        gp_election_deny(el, peer, ask->term, reason, out);
        return;
    }
    if (ask->term > el->term) {
        gp_election_follow(el, ask->term);
    }
    if (gp_id_is_none(&el->voted_for)) {
        el->voted_for = *peer;
        gp_election_touch(el);
    }
    /* A late copy of the ask of him who leads already must not undo the grant to him. */
    if (!gp_id_equal(&el->lease_holder, peer) || el->lease_term != ask->term) {
        el->lease_holder = (gp_id_t){0};
        if (el->lost_at == GP_NEVER && el->leader_term < ask->term) {
            el->lost_at = el->now;
        }
        gp_election_arm(el, el->now + gp_election_us(el->config.vote_wait_ms));
    }
    gp_election_pending_t vote = {.promise = GP_ELECTION_PROMISE_VOTE,
                                  .peer = *peer,
                                  .term = ask->term,
                                  .version = ask->version,
                                  .roster = ask->roster};
    gp_election_promise(el, &vote, out);
}

/* ---- counting -------------------------------------------------------------------------------- */

bool gp_election_credible(const gp_election_t *el, uint64_t term)
{
    bool fresh = el->term == 0 && el->version == 0; /* it knows nothing yet */
    return term <= GP_TERM_MAX && (fresh || term <= el->term + GP_TERM_JUMP);
}

/*
 * A member that stood, lost its place in the roster meanwhile and refuses each mandate of a term
 * that is below its own would follow nobody until the group comes to a higher one by itself. One
 * liar could depose every leader so: not before it has led for so long.
 */
#define RAISE_AFTER (60 * GP_SECOND)

static bool may_raise(const gp_election_t *el, const gp_id_t *peer)
{
    return gp_election_leads(el) && el->now - el->won_at >= RAISE_AFTER &&
           gp_election_member_const(el, peer) != NULL;
}

/* A voter is in a higher term: so is this machine from now on, and follows. */
static void meet_term(gp_election_t *el, const gp_id_t *peer, uint64_t term, gp_out_t *out)
{
    if (!gp_election_credible(el, term)) {
        return;
    }
    if (gp_election_voter_index(&el->roster, peer) < 0 && !may_raise(el, peer)) {
        return;
    }
    assert(term > el->term);
    if (gp_election_leads(el)) {
        gp_election_step_down(el, GP_STEP_DOWN_TERM, out);
    }
    gp_election_follow(el, term);
    gp_election_retry(el);
}

/* A denial: when no majority can be had any more there is no use in waiting. */
static void count_no(gp_election_t *el, const gp_id_t *peer)
{
    int index = gp_election_voter_index(&el->roster, peer);
    if (index < 0) {
        return;
    }
    el->no |= UINT32_C(1) << index;
    if (el->roster.count - bit_count(el->no) < gp_election_majority(el->roster.count)) {
        gp_election_follow(el, el->term);
        gp_election_retry(el);
    }
}

void gp_election_take_prevote(gp_election_t *el, const gp_id_t *peer, const gp_msg_prevote_t *vote,
                              gp_out_t *out)
{
    if (vote->own_term > el->term && !vote->granted) {
        if (!gp_election_leads(el)) {
            meet_term(el, peer, vote->own_term, out);
        }
        return;
    }
    int index = gp_election_voter_index(&el->roster, peer);
    if (el->role != GP_ELECTION_ASKING || vote->term != el->term + 1 || index < 0) {
        return;
    }
    if (!vote->granted) {
        count_no(el, peer);
        return;
    }
    el->yes |= UINT32_C(1) << index;
    if (bit_count(el->yes) >= gp_election_majority(el->roster.count)) {
        if (gp_election_can_stand(el)) {
            gp_election_ask_votes(el, el->why, NULL, out);
        } else {
            gp_election_follow(el, el->term);
            gp_election_retry(el);
        }
    }
}

void gp_election_take_vote(gp_election_t *el, const gp_id_t *peer, const gp_msg_t *msg,
                           gp_out_t *out)
{
    const gp_msg_vote_t *vote = &msg->u.vote;
    if (!gp_id_equal(&vote->candidate, &el->self)) {
        return;
    }
    if (!vote->granted) {
        if (vote->own_term > el->term) {
            meet_term(el, peer, vote->own_term, out);
        } else if (el->role == GP_ELECTION_CANDIDATE && vote->term == el->term) {
            count_no(el, peer);
        }
        return;
    }
    bool open = el->role == GP_ELECTION_CANDIDATE || (gp_election_leads(el) && el->renewing);
    if (!open || !gp_election_ballot_add(el, peer, msg)) {
        return;
    }
    if (gp_election_ballot_count(&el->ballot) < gp_election_majority(el->ballot.roster.count)) {
        return;
    }
    if (el->role == GP_ELECTION_CANDIDATE) {
        gp_election_win(el, out);
    } else {
        gp_election_proclaim(el, out);
    }
}
