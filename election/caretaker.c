/*
 * The caretaker: on a side without a majority the best machine within reach looks after things. It
 * holds no mandate, raises no term, and yields to any mandate. Bully with a failure detector, after
 * Stoller (2000): the best within reach declares itself, a better one overrides, a worse one
 * follows.
 */
#include "election/election_state.h"

#define CARETAKER_LOST 3 /* declarations missed before a caretaker is forgotten */

static uint16_t own_score(const gp_election_t *el)
{
    const gp_election_member_t *me = gp_election_member_const(el, &el->self);
    return me != NULL ? me->score : 0;
}

bool gp_election_caretakes(const gp_election_t *el)
{
    return gp_id_equal(&el->caretaker, &el->self);
}

static gp_usec_t beat(const gp_election_t *el)
{
    return gp_election_us(el->config.lease_ms);
}

static void fill(const gp_election_t *el, bool over, gp_msg_t *msg)
{
    msg->u.caretaker = (gp_msg_caretaker_t){
        .group = el->config.group, .term = el->leader_term, .score = own_score(el), .over = over};
}

static void say(gp_election_t *el, bool over, gp_out_t *out)
{
    gp_id_t *targets = gp_out_bytes(out, GP_MEMBERS_MAX * sizeof *targets);
    uint32_t count = 0;
    for (uint32_t i = 0; i < el->member_count; i++) {
        const gp_election_member_t *member = &el->members[i];
        if (member->reached && !gp_id_equal(&member->id, &el->self)) {
            targets[count++] = member->id;
        }
    }
    el->caretaker_beat_at = el->now + beat(el);
    if (count == 0) {
        return;
    }
    fill(el, over, gp_out_add(out, GP_ACTION_CAST, &el->self, GP_MSG_CARETAKER));
    gp_out_last(out)->targets = targets;
    gp_out_last(out)->target_count = count;
}

static void declare(gp_election_t *el, gp_out_t *out)
{
    assert(!gp_election_leads(el) && gp_election_fit(el));
    el->caretaker = el->self;
    say(el, false, out);
}

static void stop(gp_election_t *el, gp_out_t *out)
{
    if (gp_election_caretakes(el)) {
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &el->self, GP_MSG_STEP_DOWN);
        msg->u.step_down = (gp_msg_step_down_t){
            .group = el->config.group, .term = gp_election_term(el), .why = GP_STEP_DOWN_MANDATE};
        say(el, true, out);
    }
    el->caretaker = (gp_id_t){0};
}

void gp_election_caretaker_end(gp_election_t *el, gp_out_t *out)
{
    stop(el, out);
    el->caretaker_until = GP_NEVER;
    el->caretaker_beat_at = GP_NEVER;
}

/* Is a leader missing, and no election about to be won here? */
static bool is_wanted(const gp_election_t *el)
{
    return el->lost_at != GP_NEVER && !gp_election_leads(el) && el->role != GP_ELECTION_CANDIDATE &&
           (el->term > 0 || el->version > 0);
}

/* When this machine declares itself, unless a better one does before. */
static gp_usec_t declare_at(const gp_election_t *el)
{
    if (!is_wanted(el) || !gp_id_is_none(&el->caretaker) || !gp_election_fit(el)) {
        return GP_NEVER;
    }
    const gp_election_roster_t *roster = gp_election_view(el);
    uint32_t voters = 0;
    uint32_t rank = 0;
    uint16_t score = own_score(el);
    bool self_votes = gp_election_voter_index(roster, &el->self) >= 0;
    for (uint32_t i = 0; i < el->member_count; i++) {
        const gp_election_member_t *member = &el->members[i];
        if (!member->reached || gp_id_equal(&member->id, &el->self)) {
            continue;
        }
        voters += gp_election_voter_index(roster, &member->id) >= 0 ? 1 : 0;
        bool ahead = (member->flags & GP_FLAG_RELAYED) == 0 &&
                     gp_election_is_better(member->score, &member->id, score, &el->self);
        rank += ahead ? 1 : 0;
    }
    voters += self_votes ? 1 : 0;
    /* Where a majority is within reach an election is likelier than not: leave it more time. */
    bool majority = roster->count > 0 && voters >= gp_election_majority(roster->count);
    uint32_t patience = majority ? 3 : 1;
    return el->lost_at + patience * gp_election_us(el->config.caretaker_after_ms) +
           rank * gp_election_us(el->config.lease_beat_ms);
}

static bool is_reached(const gp_election_t *el, const gp_id_t *id)
{
    const gp_election_member_t *member = gp_election_member_const(el, id);
    return member != NULL && member->reached;
}

void gp_election_caretaker_timers(gp_election_t *el, gp_out_t *out)
{
    bool other = !gp_id_is_none(&el->caretaker) && !gp_election_caretakes(el);
    if (other && (el->now >= el->caretaker_until || !is_reached(el, &el->caretaker))) {
        el->caretaker = (gp_id_t){0};
    }
    if (gp_election_caretakes(el)) {
        if (!gp_election_fit(el)) {
            gp_election_caretaker_end(el, out);
        } else if (el->now >= el->caretaker_beat_at) {
            say(el, false, out);
        }
    }
    if (el->now >= declare_at(el)) {
        declare(el, out);
    }
}

gp_usec_t gp_election_caretaker_wake(const gp_election_t *el)
{
    if (gp_id_is_none(&el->caretaker)) {
        return declare_at(el);
    }
    return gp_election_caretakes(el) ? el->caretaker_beat_at : el->caretaker_until;
}

void gp_election_caretaker_met(gp_election_t *el, const gp_id_t *peer, gp_out_t *out)
{
    if (gp_election_caretakes(el)) {
        fill(el, false, gp_out_add(out, GP_ACTION_SEND, peer, GP_MSG_CARETAKER));
    }
}

/* One that is no worse than whom this machine follows: follow it. */
static void accept(gp_election_t *el, const gp_id_t *peer, uint16_t score, gp_out_t *out)
{
    if (gp_election_caretakes(el)) {
        stop(el, out);
    }
    el->caretaker = *peer;
    el->caretaker_score = score;
    el->caretaker_until = el->now + CARETAKER_LOST * beat(el);
}

void gp_election_take_caretaker(gp_election_t *el, const gp_id_t *peer,
                                const gp_msg_caretaker_t *caretaker, gp_out_t *out)
{
    if (gp_id_equal(peer, &el->self)) {
        return;
    }
    if (caretaker->over) {
        if (gp_id_equal(&el->caretaker, peer)) {
            el->caretaker = (gp_id_t){0};
        }
        return;
    }
    bool by_leader = gp_id_equal(peer, &el->leader) && caretaker->term >= el->leader_term;
    if (el->lost_at == GP_NEVER && by_leader && !gp_election_leads(el)) {
        el->lost_at = el->now; /* it says itself that it leads no more */
    }
    if (el->lost_at == GP_NEVER) {
        (void)gp_election_show_mandate(el, peer, 0, out);
        return;
    }
    uint16_t held = gp_election_caretakes(el) ? own_score(el) : el->caretaker_score;
    if (!gp_id_is_none(&el->caretaker) && !gp_id_equal(&el->caretaker, peer) &&
        gp_election_is_better(held, &el->caretaker, caretaker->score, peer)) {
        gp_election_caretaker_met(el, peer, out);
        return;
    }
    bool own = is_wanted(el) && gp_election_fit(el) &&
               gp_election_is_better(own_score(el), &el->self, caretaker->score, peer);
    if (own && !gp_election_caretakes(el)) {
        declare(el, out);
    } else {
        accept(el, peer, caretaker->score, out);
    }
}
