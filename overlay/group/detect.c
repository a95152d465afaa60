/*
 * Suspicions and verdicts: silence opens a suspicion, confirmers look, the leader decides. A late
 * observer suspects nobody; many at once are not dead but unreachable from here.
 */
#include "overlay/group/group_state.h"

#define RECENT(g) (2 * (g)->config.beat_period)
#define QUIET(g)  (2 * (g)->config.beat_period)

static void notice_suspicion(gp_group_t *g, const gp_group_entry_t *m, uint8_t phase,
                             gp_cause_t cause, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &m->shown.id, GP_MSG_SUSPICION);
    gp_usec_t after = (g->now - m->suspected_at) / GP_MSEC;
    msg->u.suspicion.group = g->config.group;
    msg->u.suspicion.target = m->shown.id;
    msg->u.suspicion.incarnation = m->shown.incarnation;
    msg->u.suspicion.phase = phase;
    msg->u.suspicion.cause = (uint8_t)cause;
    msg->u.suspicion.after_ms = (uint32_t)(after < UINT32_MAX ? after : UINT32_MAX);
}

void gp_group_close(gp_group_t *g, gp_group_entry_t *m, uint8_t phase, gp_cause_t cause,
                    gp_out_t *out)
{
    assert(m->suspected);
    m->suspected = false;
    m->many_passed = false;
    m->vouched = false;
    m->asked = 0;
    m->silent = 0;
    m->due_at = 0;
    m->dirty = true;
    notice_suspicion(g, m, phase, cause, out);
}

/*
 * Deadlines that came due while this machine did not run prove nothing: what it waited for may lie
 * unread in its own queues. A little late: they move on. Very late: nothing that it knew is
 * current.
 */
void gp_group_late(gp_group_t *g, gp_usec_t late, gp_out_t *out)
{
    bool drop = late > g->config.late_after;
    gp_usec_t shift = late + 10 * GP_MSEC;
    g->late_at = g->now;
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_entry_t *m = gp_group_at(g, i);
        if (drop) {
            m->due_at = 0;
            m->ask_due = 0;
            m->skip = 0;
            m->sent_at = 0;
            if (m->dial != GP_GROUP_DIAL_NONE) {
                m->dial = GP_GROUP_DIAL_NONE;
            }
            if (m->suspected) {
                gp_group_close(g, m, 5, GP_CAUSE_NONE, out);
            }
            continue;
        }
        m->due_at += m->due_at != 0 ? shift : 0;
        m->ask_due += m->ask_due != 0 ? shift : 0;
        m->window_at += m->suspected ? shift : 0;
    }
    if (!drop) {
        gp_group_strain(g, (uint32_t)(250 * late / g->config.late_after));
        return;
    }
    gp_group_strain(g, 1000);
    g->leader.beat_at = g->now;
    if (late >= g->config.beat_period) {
        gp_group_present(g, out); /* others may have called it dead meanwhile */
    }
    g->beat_at = g->now;
    g->ring_at = g->now + g->config.beat_period;
    gp_usec_t late_ms = late / GP_MSEC;
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &g->self, GP_MSG_LATE);
    msg->u.late.group = g->config.group;
    msg->u.late.late_ms = (uint32_t)(late_ms < UINT32_MAX ? late_ms : UINT32_MAX);
    msg->u.late.health = (uint16_t)(1000 * GP_GROUP_FACTOR_MIN / g->factor);
}

/* ---- confirmers ------------------------------------------------------------------------------ */

static bool can_confirm(gp_group_t *g, const gp_group_entry_t *c, const gp_group_entry_t *m)
{
    return c != m && !gp_id_equal(&c->shown.id, &g->self) && c->in_view && !c->suspected &&
           c->ruled_state == GP_MEMBER_ALIVE && c->evidence_at == 0;
}

/* The `count` highest by rendezvous hash (Thaler, Ravishankar, 1998), as a mask of slots. */
uint64_t gp_group_choose_confirmers(gp_group_t *g, const gp_group_entry_t *m, uint32_t count,
                                    uint64_t except)
{
    uint64_t chosen = 0;
    for (uint32_t k = 0; k < count; k++) {
        const gp_group_entry_t *best = NULL;
        uint64_t best_hash = 0;
        for (uint32_t i = 0; i < g->count; i++) {
            const gp_group_entry_t *c = gp_group_look_at(g, i);
            if (!can_confirm(g, c, m) || ((chosen | except) >> c->slot & 1) != 0) {
                continue;
            }
            uint8_t pair[2 * sizeof(gp_id_t)];
            memcpy(pair, m->shown.id.b, sizeof(gp_id_t));
            memcpy(pair + sizeof(gp_id_t), c->shown.id.b, sizeof(gp_id_t));
            uint64_t hash = gp_hash(pair, sizeof pair, m->round);
            if (best == NULL || hash > best_hash) {
                best = c;
                best_hash = hash;
            }
        }
        if (best == NULL) {
            break;
        }
        chosen |= UINT64_C(1) << best->slot;
    }
    return chosen;
}

void gp_group_ask(gp_group_t *g, gp_group_entry_t *m, uint64_t confirmers, gp_out_t *out)
{
    for (uint32_t i = 0; i < g->count; i++) {
        const gp_group_entry_t *c = gp_group_look_at(g, i);
        if ((confirmers >> c->slot & 1) == 0) {
            continue;
        }
        gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &c->shown.id, GP_MSG_CONFIRM_ASK);
        msg->u.confirm_ask.group = g->config.group;
        msg->u.confirm_ask.target = m->shown.id;
        msg->u.confirm_ask.incarnation = m->shown.incarnation;
        msg->u.confirm_ask.round = m->round;
        m->asked |= UINT64_C(1) << c->slot;
    }
}

static void send_suspect(gp_group_t *g, const gp_id_t *to, const gp_group_entry_t *m, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, to, GP_MSG_SUSPECT);
    msg->u.suspect.group = g->config.group;
    msg->u.suspect.target = m->shown.id;
    msg->u.suspect.incarnation = m->shown.incarnation;
    msg->u.suspect.cause = GP_CAUSE_SILENT;
}

/* ---- opening --------------------------------------------------------------------------------- */

static bool may_suspect(const gp_group_t *g, const gp_group_entry_t *m)
{
    if (!m->in_view || gp_id_equal(&m->shown.id, &g->self) || m->suspected || m->left_seen ||
        !gp_group_has_leader(g) || g->now < m->quiet_until) {
        return false;
    }
    if (m->ruled_state == GP_MEMBER_ALIVE) {
        return true;
    }
    return g->leading && g->leader.right == GP_RIGHT_QUORUM &&
           m->ruled_state == GP_MEMBER_UNKNOWN && (m->shown.flags & GP_FLAG_SEEN) != 0 &&
           (m->ruled_cause != GP_CAUSE_MANY_AT_ONCE || g->now - m->ruled_at >= g->config.many_hold);
}

static uint32_t open_suspicions(gp_group_t *g)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        open += gp_group_look_at(g, i)->suspected;
    }
    return open;
}

static void open_at_leader(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    uint32_t open = open_suspicions(g); /* this one included */
    m->window_at = g->now + gp_group_scaled(g, g->config.confirm_window);
    send_suspect(g, &m->shown.id, m, out);
    uint32_t confirmers = open <= gp_group_living(g) / 2 ? GP_GROUP_CONFIRMERS : 1;
    gp_group_ask(g, m, gp_group_choose_confirmers(g, m, confirmers, 0), out);
    if (open >= 2) {
        gp_group_sweep(g, g->config.beat_period / 8, out);
    }
}

void gp_group_unanswered(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    m->due_at = 0;
    if (!may_suspect(g, m)) {
        return;
    }
    m->suspected = true;
    m->suspected_at = g->now;
    /* Who does not lead tells it and forgets it again: the verdict is the leader's. */
    m->window_at = g->now + GP_GROUP_FORGET * g->config.beat_period;
    m->round = ++g->rounds;
    m->many_passed = m->ruled_cause == GP_CAUSE_MANY_AT_ONCE;
    m->asked = 0;
    m->silent = 0;
    m->vouched = false;
    m->dirty = true;
    notice_suspicion(g, m, 1, GP_CAUSE_SILENT, out);
    gp_group_probe(g, m, 0, out);
    gp_group_dial(g, m, out);
    if (g->leading) {
        open_at_leader(g, m, out);
        return;
    }
    if (gp_group_is_deputy(g)) {
        send_suspect(g, &m->shown.id, m, out);
    }
    if (!gp_id_equal(&m->shown.id, &g->leader.id)) {
        send_suspect(g, &g->leader.id, m, out);
    }
}

void gp_group_suspicions_resend(gp_group_t *g, gp_out_t *out)
{
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_entry_t *m = gp_group_at(g, i);
        if (m->suspected && !gp_id_equal(&m->shown.id, &g->leader.id)) {
            m->window_at = g->now + GP_GROUP_FORGET * g->config.beat_period;
            send_suspect(g, &g->leader.id, m, out);
        }
    }
}

void gp_group_suspicions_escalate(gp_group_t *g, gp_out_t *out)
{
    assert(g->leading);
    uint32_t taken = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_entry_t *m = gp_group_at(g, i);
        if (!m->suspected) {
            continue;
        }
        if (m->ruled_state != GP_MEMBER_ALIVE || ++taken > GP_GROUP_OPEN_MAX) {
            gp_group_close(g, m, 5, GP_CAUSE_NONE, out);
            continue;
        }
        m->round = ++g->rounds;
        m->asked = 0;
        m->silent = 0;
        m->vouched = false;
        gp_group_probe(g, m, 0, out);
        open_at_leader(g, m, out);
    }
}

/* Half the usual patience: somebody else has waited already. */
void gp_group_doubt(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    gp_usec_t soon = g->now + gp_group_scaled(g, g->config.beat_timeout / 2);
    bool waits = m->due_at != 0 && m->due_at <= soon; /* an answer or a suspicion comes soon */
    if (may_suspect(g, m) && !waits) {
        gp_group_probe(g, m, g->config.beat_timeout / 2, out);
    }
}

/* Several fall at once: look at all others now, so that the verdict sees the whole event. */
void gp_group_sweep(gp_group_t *g, gp_usec_t fresh, gp_out_t *out)
{
    if (g->sweep_at != 0 && g->now - g->sweep_at < g->config.beat_period / 2) {
        return;
    }
    g->sweep_at = g->now;
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_entry_t *m = gp_group_at(g, i);
        bool known = g->now - m->shown.heard_at < fresh;
        if (!gp_id_equal(&m->shown.id, &g->self) && !known && m->ruled_state == GP_MEMBER_ALIVE) {
            gp_group_doubt(g, m, out);
        }
    }
}

/* ---- verdicts -------------------------------------------------------------------------------- */

/* Fallen silent in the same event, as far as can be seen now; and out of how many. */
static bool too_many(gp_group_t *g)
{
    uint32_t silent = 0;
    uint32_t living = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        const gp_group_entry_t *m = gp_group_look_at(g, i);
        bool recent = g->now - m->ruled_at < RECENT(g);
        bool fallen = (m->ruled_state == GP_MEMBER_UNAVAILABLE &&
                       m->ruled_cause == GP_CAUSE_SILENT && recent) ||
                      (m->ruled_state == GP_MEMBER_UNKNOWN &&
                       m->ruled_cause == GP_CAUSE_MANY_AT_ONCE && !m->many_passed);
        bool open = m->suspected && !m->many_passed;
        silent += m->in_view && (fallen || open);
        living += m->in_view && (fallen || m->ruled_state == GP_MEMBER_ALIVE);
    }
    return silent >= 2 && silent > (living / 3 > 1 ? living / 3 : 1);
}

static void give_verdict(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    uint64_t self = UINT64_C(1) << gp_group_self(g)->slot;
    uint64_t silent = m->silent;
    if (g->leader.right == GP_RIGHT_CARETAKER) {
        gp_group_close(g, m, 4, GP_CAUSE_NO_QUORUM, out);
        gp_group_rule(g, m, GP_MEMBER_UNKNOWN, GP_CAUSE_NO_QUORUM);
    } else if (!m->many_passed && too_many(g)) {
        gp_group_close(g, m, 4, GP_CAUSE_MANY_AT_ONCE, out);
        if (m->ruled_state == GP_MEMBER_ALIVE) {
            gp_group_rule(g, m, GP_MEMBER_UNKNOWN, GP_CAUSE_MANY_AT_ONCE);
        }
    } else {
        gp_group_close(g, m, 3, GP_CAUSE_SILENT, out);
        gp_group_rule(g, m, GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT);
        gp_group_observers(g, m, silent | self);
    }
}

void gp_group_window_ends(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    assert(m->suspected && g->leading);
    if (m->vouched) {
        gp_group_close(g, m, 2, GP_CAUSE_ONE_WAY, out);
        m->quiet_until = g->now + QUIET(g);
        if (m->ruled_state != GP_MEMBER_ALIVE || m->ruled_cause != GP_CAUSE_ONE_WAY) {
            gp_group_rule(g, m, GP_MEMBER_ALIVE, GP_CAUSE_ONE_WAY);
        }
        return;
    }
    /* What was learned of one's own trouble meanwhile counts for those that wait already, too. */
    gp_usec_t patience = m->suspected_at + gp_group_scaled(g, g->config.confirm_window);
    if (g->now < patience) {
        m->window_at = patience;
        return;
    }
    bool caretaker = g->leader.right == GP_RIGHT_CARETAKER;
    if (gp_group_may_judge(g) && g->leader.renewed_at <= m->suspected_at) {
        m->window_at = g->now + g->config.beat_timeout / 8; /* is there still a majority behind? */
        return;
    }
    bool heard_others = m->asked == 0 || m->silent != 0;
    bool many = !m->many_passed && too_many(g);
    if (caretaker || (gp_group_may_judge(g) && (heard_others || many))) {
        give_verdict(g, m, out);
        return;
    }
    /* The lease does not run, or no confirmer said a word: ask on, others first. */
    m->window_at = g->now + gp_group_scaled(g, g->config.confirm_window);
    gp_group_probe(g, m, 0, out);
    uint64_t others = gp_group_choose_confirmers(g, m, GP_GROUP_CONFIRMERS, m->asked);
    if (others == 0) {
        m->asked = 0;
        others = gp_group_choose_confirmers(g, m, GP_GROUP_CONFIRMERS, 0);
    }
    gp_group_ask(g, m, others, out);
}

/* ---- messages -------------------------------------------------------------------------------- */

void gp_group_on_suspect(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_suspect_t *suspect = &event->msg->u.suspect;
    if (gp_id_equal(&suspect->target, &g->self)) {
        if (suspect->incarnation <= g->incarnation && !g->leaving) {
            gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &event->peer, GP_MSG_REFUTE);
            msg->u.refute.group = g->config.group;
            msg->u.refute.incarnation = g->incarnation;
        }
        return;
    }
    gp_group_entry_t *by = gp_group_find(g, &event->peer);
    gp_group_entry_t *m = gp_group_find(g, &suspect->target);
    if (g->leading && by != NULL && by->in_view && m != NULL &&
        suspect->incarnation >= gp_group_newest(m)) {
        gp_group_doubt(g, m, out);
    }
}

void gp_group_on_refute(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    gp_group_entry_t *m = gp_group_find(g, &event->peer);
    if (m == NULL) {
        return;
    }
    uint64_t incarnation = event->msg->u.refute.incarnation;
    bool denies =
        g->leading && m->ruled_state != GP_MEMBER_ALIVE && incarnation > m->shown.incarnation;
    if (gp_group_witness(g, m, incarnation, out) && denies) {
        gp_group_rule(g, m, GP_MEMBER_ALIVE, GP_CAUSE_REFUTED);
    }
}

void gp_group_on_confirm_ask(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_confirm_ask_t *ask = &event->msg->u.confirm_ask;
    const gp_group_entry_t *by = gp_group_find(g, &event->peer);
    gp_group_entry_t *m = gp_group_find(g, &ask->target);
    if (by == NULL || m == NULL || m == by || gp_id_equal(&m->shown.id, &g->self)) {
        return;
    }
    m->ask_by = by->slot;
    m->ask_round = ask->round;
    m->ask_incarnation = ask->incarnation;
    m->ask_due = g->now + gp_group_scaled(g, g->config.beat_timeout);
    if (gp_group_newest(m) > ask->incarnation) {
        gp_group_confirm(g, m, GP_CAUSE_ANSWERS,
                         out); /* that life is over; the next one is heard */
        return;
    }
    if (gp_group_evidence_own(g, m) && m->evidence_incarnation >= ask->incarnation) {
        gp_group_confirm(g, m, GP_CAUSE_REFUSED, out);
        return;
    }
    gp_group_probe(g, m, 0, out);
    gp_group_dial(g, m, out);
}

void gp_group_confirm(gp_group_t *g, gp_group_entry_t *m, gp_cause_t cause, gp_out_t *out)
{
    assert(m->ask_due != 0);
    m->ask_due = 0;
    const gp_id_t *to = &g->entries[m->ask_by].shown.id;
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, to, GP_MSG_CONFIRM);
    msg->u.confirm.group = g->config.group;
    msg->u.confirm.target = m->shown.id;
    msg->u.confirm.incarnation = m->ask_incarnation;
    msg->u.confirm.round = m->ask_round;
    msg->u.confirm.cause = (uint8_t)cause;
}

void gp_group_on_confirm(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_confirm_t *confirm = &event->msg->u.confirm;
    const gp_group_entry_t *by = gp_group_find(g, &event->peer);
    gp_group_entry_t *m = gp_group_find(g, &confirm->target);
    if (by == NULL || !by->in_view || m == NULL || m == by || !g->leading ||
        gp_id_equal(&m->shown.id, &g->self) || confirm->incarnation < m->shown.incarnation) {
        return;
    }
    if (confirm->cause == GP_CAUSE_REFUSED) {
        if (gp_group_evidence_add(g, m, by->slot, confirm->incarnation)) {
            gp_group_judge(g, m, out);
        }
    }
    uint64_t bit = UINT64_C(1) << by->slot;
    if (!m->suspected || confirm->round != m->round || (m->asked & bit) == 0) {
        return;
    }
    if (confirm->cause == GP_CAUSE_ANSWERS) {
        m->vouched = true;
    } else {
        m->silent |= bit;
        if (g->now >= m->window_at) {
            gp_group_window_ends(g, m, out);
        }
    }
}
