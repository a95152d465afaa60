/*
 * Evidence that a process is gone: its address refuses two fresh connections. Two observers of the
 * same incarnation make a verdict; anything else that a dial shows is a suspicion at most.
 */
#include "overlay/group/group_state.h"

#define DIAL_LIMIT (3 * GP_SECOND) /* an answer that never came: a new dial may start */

static bool is_of_interest(const gp_group_t *g, const gp_group_entry_t *m)
{
    bool state = m->ruled_state == GP_MEMBER_ALIVE || m->ruled_state == GP_MEMBER_UNKNOWN ||
                 m->ruled_state == GP_MEMBER_NONE;
    return state && !gp_id_equal(&m->shown.id, &g->self) && m->shown.address[0] != 0 &&
           (m->shown.flags & GP_FLAG_RELAYED) == 0 && !m->left_seen;
}

bool gp_group_evidence_own(const gp_group_t *g, const gp_group_entry_t *m)
{
    return m->evidence_at != 0 && (m->evidence_by >> gp_group_look(g, &g->self)->slot & 1) != 0;
}

void gp_group_evidence_void(gp_group_entry_t *m)
{
    m->evidence_at = 0;
    m->evidence_by = 0;
    m->evidence_ask_at = 0;
    m->dirty = true;
}

bool gp_group_evidence_add(gp_group_t *g, gp_group_entry_t *m, uint8_t by, uint64_t incarnation)
{
    assert(!gp_id_equal(&m->shown.id, &g->self));
    if (incarnation != gp_group_newest(m)) {
        return false; /* it has restarted since, or nobody knows of that life */
    }
    if (m->evidence_at == 0 || incarnation != m->evidence_incarnation) {
        gp_group_evidence_void(m);
        m->evidence_incarnation = incarnation;
        m->evidence_sequence = g->sequence + 1;
    }
    m->evidence_at = g->now;
    m->evidence_by |= UINT64_C(1) << by;
    m->dirty = true;
    g->standings_dirty = true;
    return true;
}

void gp_group_dial(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    bool busy = m->dial != GP_GROUP_DIAL_NONE && g->now - m->dial_at < DIAL_LIMIT;
    if (busy || !is_of_interest(g, m)) {
        return;
    }
    m->dial = GP_GROUP_DIAL_FIRST;
    m->dial_at = g->now;
    m->dial_incarnation = gp_group_newest(m);
    gp_out_plain(out, GP_ACTION_DIAL, &m->shown.id, 0);
}

void gp_group_dial_again(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    assert(gp_group_dial_waits(m));
    m->dial = m->dial == GP_GROUP_DIAL_PAUSE ? GP_GROUP_DIAL_SECOND : GP_GROUP_DIAL_FIRST;
    m->dial_at = g->now;
    gp_out_plain(out, GP_ACTION_DIAL, &m->shown.id, 0);
}

static void send_evidence(gp_group_t *g, const gp_id_t *to, const gp_group_entry_t *m,
                          gp_out_t *out)
{
    if (gp_id_equal(to, &g->self) || gp_id_equal(to, &m->shown.id)) {
        return;
    }
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, to, GP_MSG_EVIDENCE);
    msg->u.evidence.group = g->config.group;
    msg->u.evidence.target = m->shown.id;
    msg->u.evidence.incarnation = m->evidence_incarnation;
    msg->u.evidence.cause = GP_CAUSE_REFUSED;
}

/* To the leader; about the leader itself, to all who may come after it. */
static void tell_evidence(gp_group_t *g, const gp_group_entry_t *m, gp_out_t *out)
{
    if (!gp_group_has_leader(g) || gp_id_equal(&m->shown.id, &g->leader.id)) {
        for (uint32_t i = 0; i < g->leader.voter_count; i++) {
            send_evidence(g, &g->leader.voters[i], m, out);
        }
        return;
    }
    send_evidence(g, &g->leader.id, m, out);
}

void gp_group_evidence_resend(gp_group_t *g, gp_out_t *out)
{
    for (uint32_t i = 0; i < g->count; i++) {
        const gp_group_entry_t *m = gp_group_look_at(g, i);
        bool open = m->ruled_state == GP_MEMBER_ALIVE || m->ruled_state == GP_MEMBER_UNKNOWN;
        if (open && gp_group_evidence_own(g, m)) {
            send_evidence(g, &g->leader.id, m, out);
        }
    }
}

static void refused_twice(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    bool known = gp_group_evidence_own(g, m) && m->evidence_incarnation == m->dial_incarnation;
    if (!gp_group_evidence_add(g, m, gp_group_self(g)->slot, m->dial_incarnation)) {
        return;
    }
    if (!known) {
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &m->shown.id, GP_MSG_GONE);
        msg->u.gone.group = g->config.group;
        msg->u.gone.target = m->shown.id;
        msg->u.gone.incarnation = m->evidence_incarnation;
    }
    if (m->ask_due != 0) {
        gp_group_confirm(g, m, GP_CAUSE_REFUSED, out);
    } else if (!g->leading) {
        tell_evidence(g, m, out);
    }
    if (g->leading) {
        gp_group_judge(g, m, out);
    }
}

void gp_group_on_dialed(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    gp_group_entry_t *m = gp_group_find(g, &event->peer);
    if (m == NULL || m->dial == GP_GROUP_DIAL_NONE || gp_group_dial_waits(m)) {
        return;
    }
    gp_group_dial_phase_t phase = m->dial;
    bool again = m->link_lost && event->token == GP_DIAL_OPEN;
    m->dial = GP_GROUP_DIAL_NONE;
    m->link_lost = false;
    if (m->dial_incarnation != gp_group_newest(m)) {
        return; /* it has come back meanwhile: the dial was about an earlier life */
    }
    if (event->token == GP_DIAL_REFUSED) {
        if (phase == GP_GROUP_DIAL_SECOND) {
            refused_twice(g, m, out);
            return;
        }
        m->dial = GP_GROUP_DIAL_PAUSE;
        m->dial_at = g->now + g->config.redial_after;
        return;
    }
    if (again) {
        m->dial = GP_GROUP_DIAL_RETRY;
        m->dial_at = g->now + g->config.redial_after;
        return;
    }
    if (event->token == GP_DIAL_OPEN || m->suspected) {
        return;
    }
    if (g->leading) {
        gp_group_doubt(g, m, out);
    } else if (gp_group_has_leader(g) && m->ask_due == 0) {
        gp_group_probe(g, m, g->config.beat_timeout / 2, out); /* silence then is told the leader */
    }
}

void gp_group_on_link(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    gp_group_entry_t *m = gp_group_find(g, &event->peer);
    if (m == NULL) {
        return;
    }
    m->link_lost = !event->ok;
    if (!event->ok) {
        m->answered_at = 0; /* what is asked next waits for another link */
        gp_group_dial(g, m, out);
        return;
    }
    if (!gp_group_recognized(g) && !gp_group_hears(g, m)) {
        gp_group_seek_soon(g, g->config.seek_min / 2);
    }
}

/* ---- the leader's judgement ------------------------------------------------------------------ */

static void give_verdict(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    bool caretaker = g->leader.right == GP_RIGHT_CARETAKER;
    gp_cause_t cause = caretaker ? GP_CAUSE_NO_QUORUM : GP_CAUSE_REFUSED;
    m->evidence_ask_at = 0;
    m->due_at = 0;
    if (m->suspected) {
        gp_group_close(g, m, caretaker ? 4 : 3, cause, out);
    }
    if (caretaker) {
        if (m->ruled_state != GP_MEMBER_UNKNOWN || m->ruled_cause != cause) {
            gp_group_rule(g, m, GP_MEMBER_UNKNOWN, cause);
        }
        return;
    }
    gp_group_rule(g, m, GP_MEMBER_UNAVAILABLE, cause);
    gp_group_observers(g, m, m->evidence_by);
    if (g->refused_verdict_at != 0 && g->now - g->refused_verdict_at < 2 * g->config.beat_period) {
        gp_group_sweep(g, 0, out);
    }
    g->refused_verdict_at = g->now;
}

void gp_group_judge(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    bool open = m->in_view &&
                (m->ruled_state == GP_MEMBER_ALIVE ||
                 (m->ruled_state == GP_MEMBER_UNKNOWN && (m->shown.flags & GP_FLAG_SEEN) != 0));
    if (!g->leading || !open || m->evidence_at == 0 ||
        m->evidence_incarnation < gp_group_newest(m)) {
        return;
    }
    bool own = gp_group_evidence_own(g, m);
    uint32_t living = gp_group_living(g) + (m->ruled_state != GP_MEMBER_ALIVE);
    bool enough = living >= 3 ? gp_count_bits(m->evidence_by) >= 2 : own;
    bool caretaker = g->leader.right == GP_RIGHT_CARETAKER;
    if (enough && (caretaker || gp_group_may_judge(g))) {
        give_verdict(g, m, out);
        return;
    }
    if (!own) {
        gp_group_dial(g, m, out);
    }
    if (m->sent_sequence < m->evidence_sequence) {
        gp_group_probe(g, m, g->config.beat_timeout / 2, out); /* an answer to this disproves */
    }
    if (m->evidence_ask_at == 0) {
        m->evidence_ask_at = g->now + 5 * GP_MSEC;
    }
}

/* One observer is not enough: the deputy looks, and one more. */
void gp_group_evidence_ask(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    m->evidence_ask_at = GP_NEVER;
    if (!g->leading || m->evidence_at == 0) {
        return;
    }
    uint64_t ask = gp_group_choose_confirmers(g, m, 2, m->evidence_by);
    const gp_group_entry_t *deputy = gp_group_find(g, &g->leader.deputy);
    if (deputy != NULL && deputy != m && deputy->ruled_state == GP_MEMBER_ALIVE &&
        !gp_id_equal(&deputy->shown.id, &g->self)) {
        ask |= UINT64_C(1) << deputy->slot;
    }
    gp_group_ask(g, m, ask & ~m->evidence_by, out);
}

void gp_group_on_evidence(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_evidence_t *evidence = &event->msg->u.evidence;
    const gp_group_entry_t *by = gp_group_find(g, &event->peer);
    gp_group_entry_t *m = gp_group_find(g, &evidence->target);
    if (by == NULL || !by->in_view || m == NULL || m == by || evidence->cause != GP_CAUSE_REFUSED ||
        gp_id_equal(&m->shown.id, &g->self) || (m->shown.flags & GP_FLAG_RELAYED) != 0) {
        return;
    }
    if (!gp_group_evidence_add(g, m, by->slot, evidence->incarnation)) {
        return;
    }
    if (g->leading) {
        gp_group_judge(g, m, out);
    } else if (gp_id_equal(&m->shown.id, &g->leader.id) && !gp_group_evidence_own(g, m)) {
        gp_group_dial(g, m, out);
    }
}
