/*
 * Beats, probes and their answers; signs of life; one's own local health (Lifeguard).
 */
#include "overlay/group/group_state.h"

/* ---- local health ---------------------------------------------------------------------------- */

gp_usec_t gp_group_scaled(const gp_group_t *g, gp_usec_t time)
{
    return time * g->factor / GP_GROUP_FACTOR_MIN;
}

void gp_group_strain(gp_group_t *g, uint32_t permille)
{
    if (g->factor > GP_GROUP_FACTOR_MIN && g->now - g->factor_at < g->config.beat_period / 4) {
        return; /* one cause, many signs */
    }
    g->factor += permille;
    if (g->factor > GP_GROUP_FACTOR_MAX) {
        g->factor = GP_GROUP_FACTOR_MAX;
    }
    g->factor_at = g->now;
}

/*
 * An answer that came late tells of one's own trouble only if somebody else's was late as well: one
 * machine that stood still is that machine's trouble.
 */
static void strain_by(gp_group_t *g, const gp_group_entry_t *m, uint32_t permille)
{
    bool others = g->strain_at != 0 && g->strain_by != m->slot &&
                  g->now - g->strain_at < g->config.beat_period;
    if (others || gp_group_living(g) <= 2) {
        gp_group_strain(g, permille);
    }
    g->strain_by = m->slot;
    g->strain_at = g->now;
}

/* A quarter of the excess goes in each quiet period. */
void gp_group_ease(gp_group_t *g)
{
    while (g->factor > GP_GROUP_FACTOR_MIN && g->now - g->factor_at >= g->config.beat_period) {
        uint32_t excess = g->factor - GP_GROUP_FACTOR_MIN;
        g->factor -= excess > 4 ? excess / 4 : excess;
        g->factor_at += g->config.beat_period;
    }
}

/* ---- signs of life --------------------------------------------------------------------------- */

static bool may_revive(const gp_group_t *g, const gp_group_entry_t *m)
{
    if (!g->leading || !m->in_view || m->shown.incarnation == 0) {
        return false;
    }
    if (m->left_seen && m->left_incarnation >= m->shown.incarnation) {
        return false;
    }
    return m->ruled_state == GP_MEMBER_UNKNOWN ||
           (m->ruled_state == GP_MEMBER_UNAVAILABLE && m->ruled_cause != GP_CAUSE_REFUSED);
}

void gp_group_sign_of_life(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    bool was_heard = gp_group_hears(g, m);
    m->shown.heard_at = g->now;
    m->due_at = 0;
    m->skip = 0;
    m->poked = false;
    if (!was_heard) {
        m->dirty = true;
        g->standings_dirty = true;
    }
    if (m->suspected) {
        if (g->now - m->suspected_at < g->config.confirm_window) {
            strain_by(g, m, 1000);
        }
        gp_group_close(g, m, 2, GP_CAUSE_ANSWERS, out);
    }
    if (m->ask_due != 0) {
        gp_group_confirm(g, m, GP_CAUSE_ANSWERS, out);
    }
    /* Its process was seen gone, and something of it comes: is it another life? */
    if (gp_group_evidence_own(g, m) && g->now - m->sent_at >= g->config.beat_timeout) {
        gp_group_probe(g, m, 0, out);
    }
    if (may_revive(g, m)) {
        m->shown.flags |= GP_FLAG_SEEN;
        gp_group_rule(g, m, GP_MEMBER_ALIVE, GP_CAUSE_ANSWERS);
    } else if (g->leading && m->ruled_state == GP_MEMBER_ALIVE &&
               m->ruled_cause == GP_CAUSE_ONE_WAY) {
        gp_group_rule(g, m, GP_MEMBER_ALIVE, GP_CAUSE_ANSWERS);
    }
}

bool gp_group_witness(gp_group_t *g, gp_group_entry_t *m, uint64_t incarnation, gp_out_t *out)
{
    if (incarnation < gp_group_newest(m)) {
        return false;
    }
    if (incarnation > m->seen_incarnation) {
        m->seen_incarnation = incarnation;
    }
    m->left_seen = m->left_seen && m->left_incarnation >= incarnation;
    if (incarnation > m->evidence_incarnation) {
        gp_group_evidence_void(m);
    }
    if (g->leading && m->in_view && incarnation > m->shown.incarnation) {
        bool restarted = incarnation >> 16 > m->shown.incarnation >> 16;
        bool seen = (m->shown.flags & GP_FLAG_SEEN) != 0;
        if (restarted && seen && m->ruled_state == GP_MEMBER_ALIVE) {
            gp_availability_fall(&m->availability);
        }
        m->shown.incarnation = incarnation;
        m->shown.flags |= GP_FLAG_SEEN;
        gp_group_rule(g, m, GP_MEMBER_ALIVE,
                      !seen       ? GP_CAUSE_JOINED
                      : restarted ? GP_CAUSE_RESTARTED
                                  : GP_CAUSE_REFUTED);
    }
    gp_group_sign_of_life(g, m, out);
    return true;
}

/* An answer to question `sequence`: what it proves beyond life. False: it is an old one. */
static bool answered(gp_group_t *g, gp_group_entry_t *m, uint32_t sequence)
{
    if (sequence != m->sent_sequence || m->sent_at == 0) {
        return false;
    }
    gp_usec_t took = g->now - m->sent_at;
    gp_group_place_measured(g, m, took);
    m->sent_at = 0;
    uint32_t rtt = (uint32_t)(took < UINT32_MAX ? took : UINT32_MAX);
    rtt = rtt == 0 ? 1 : rtt;
    m->shown.rtt_us = m->shown.rtt_us == 0 ? rtt : m->shown.rtt_us - m->shown.rtt_us / 8 + rtt / 8;
    if (took > g->config.beat_timeout) {
        strain_by(g, m, 500);
    }
    if (m->evidence_at != 0 && sequence >= m->evidence_sequence) {
        gp_group_evidence_void(m);
    }
    if (g->leading && m->in_view && m->ruled_state == GP_MEMBER_UNAVAILABLE &&
        m->evidence_at == 0) {
        gp_group_rule(g, m, GP_MEMBER_ALIVE, GP_CAUSE_ANSWERS);
    }
    return true;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void asked(gp_group_t *g, gp_group_entry_t *m, gp_usec_t timeout)
{
    m->sent_sequence = g->sequence;
    m->sent_at = g->now;
    if (timeout == 0 || m->suspected) {
        return;
    }
    gp_usec_t due = g->now + gp_group_scaled(g, timeout);
    if (m->due_at == 0 || due < m->due_at) {
        m->due_at = due;
    }
}

static gp_msg_probe_t *probe(gp_group_t *g, gp_group_entry_t *m, gp_usec_t timeout, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &m->shown.id, GP_MSG_PROBE);
    msg->u.probe.group = g->config.group;
    msg->u.probe.sequence = ++g->sequence;
    asked(g, m, timeout);
    return &msg->u.probe;
}

void gp_group_probe(gp_group_t *g, gp_group_entry_t *m, gp_usec_t timeout, gp_out_t *out)
{
    (void)probe(g, m, timeout, out);
}

static void beat(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &m->shown.id, GP_MSG_BEAT);
    msg->u.beat.group = g->config.group;
    msg->u.beat.term = g->leader.term;
    msg->u.beat.number = g->view_number;
    msg->u.beat.digest = g->view_digest;
    msg->u.beat.sequence = ++g->sequence;
    msg->u.beat.role = g->leading ? 1 : 2;
    msg->u.beat.places_count =
        gp_group_place_ask(g, m, GP_GROUP_PLACE_BEATS, out, msg->u.beat.places);
    asked(g, m, g->config.beat_timeout);
}

/* The leader also asks those whose state is not known, in the end every fourth period only. */
static bool wants_beat(gp_group_t *g, gp_group_entry_t *m)
{
    if (!m->in_view || gp_id_equal(&m->shown.id, &g->self) || m->left_seen) {
        return false;
    }
    if (m->ruled_state == GP_MEMBER_ALIVE) {
        return true;
    }
    if (!g->leading || m->ruled_state != GP_MEMBER_UNKNOWN ||
        (m->shown.flags & GP_FLAG_SEEN) == 0) {
        return false;
    }
    m->skip++;
    return m->skip <= 10 || m->skip % 4 == 0;
}

void gp_group_beats_start(gp_group_t *g)
{
    g->beat_at = g->now;
    g->beat_slot = (uint32_t)gp_random_below(&g->random, GP_GROUP_SLOTS);
}

void gp_group_beats(gp_group_t *g, gp_out_t *out)
{
    gp_usec_t step = g->config.beat_period / GP_GROUP_SLOTS;
    g->beat_at = g->now - g->beat_at < step ? g->beat_at + step : g->now + step;
    uint32_t slot = g->beat_slot;
    g->beat_slot = (slot + 1) % GP_GROUP_SLOTS;
    for (uint32_t i = 0; i < g->count; i++) {
        if (gp_group_look_at(g, i)->beat_slot != slot) {
            continue;
        }
        gp_group_entry_t *m = gp_group_at(g, i);
        if (wants_beat(g, m)) {
            beat(g, m, out);
        }
    }
}

void gp_group_ring_probe(gp_group_t *g, gp_out_t *out)
{
    gp_usec_t half = g->config.ring_period / 2;
    g->ring_at = g->now + half - half / 8 + gp_random_below(&g->random, half / 4 + 1);
    gp_group_ring_choose(g);
    g->ring_asks = !g->ring_asks;
    if (!g->ring_asks || !gp_group_has_leader(g) || g->leading || gp_group_is_deputy(g)) {
        return;
    }
    /* The one after it asks this machine; leader and deputy ask everybody anyway. */
    gp_group_entry_t *m = gp_group_ring(g, false);
    if (m != NULL && !gp_id_equal(&m->shown.id, &g->leader.id)) {
        gp_msg_probe_t *msg = probe(g, m, g->config.beat_timeout, out);
        msg->places_count = gp_group_place_ask(g, m, GP_GROUP_PLACE_RING, out, msg->places);
    }
}

void gp_group_leaderless_probe(gp_group_t *g, gp_out_t *out)
{
    g->probe_at = g->now + g->config.beat_period / 4;
    uint32_t tries = g->count < GP_GROUP_PROBE_BATCH ? g->count : GP_GROUP_PROBE_BATCH;
    if (g->count <= GP_GROUP_PROBE_BATCH && ++g->probe_cursor % 4 != 0) {
        tries = 0; /* few are asked all at once, each period */
    }
    for (uint32_t i = 0; i < tries; i++) {
        if (g->count > GP_GROUP_PROBE_BATCH) {
            g->probe_cursor++;
        }
        uint32_t index = g->count > GP_GROUP_PROBE_BATCH ? g->probe_cursor % g->count : i;
        gp_group_entry_t *m = gp_group_at(g, index);
        bool asks = !gp_id_equal(&m->shown.id, &g->self) && m->shown.address[0] != 0 &&
                    m->ruled_state != GP_MEMBER_LEFT;
        if (asks) {
            gp_group_probe(g, m, 0, out);
        }
    }
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_at(g, i)->dirty = true; /* what is shown depends on the time */
    }
}

/* ---- answering ------------------------------------------------------------------------------- */

static uint16_t told_health(const gp_group_t *g)
{
    uint32_t local = 1000 * GP_GROUP_FACTOR_MIN / g->factor;
    return (uint16_t)(local < g->health ? local : g->health);
}

static void acknowledge(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &event->peer, GP_MSG_BEAT_ACK);
    msg->u.beat_ack.group = g->config.group;
    msg->u.beat_ack.incarnation = g->incarnation;
    msg->u.beat_ack.sequence = event->msg->u.beat.sequence;
    msg->u.beat_ack.health = told_health(g);
    msg->u.beat_ack.headroom = g->headroom;
    if (event->msg->u.beat.places_count > 0) {
        msg->u.beat_ack.places_count = gp_group_place(g, out, msg->u.beat_ack.places);
    }
}

/*
 * The deputy asks half a period after the leader: when the leader asks the deputy, it is the turn
 * of the opposite slot here. Small differences are left alone, so that no slot is passed over.
 */
static void align_beats(gp_group_t *g)
{
    gp_usec_t step = g->config.beat_period / GP_GROUP_SLOTS;
    gp_usec_t period = step * GP_GROUP_SLOTS;
    uint32_t turn = (gp_group_self(g)->beat_slot + GP_GROUP_SLOTS / 2u) % GP_GROUP_SLOTS;
    gp_usec_t wanted = (g->beat_slot + GP_GROUP_SLOTS - turn) % GP_GROUP_SLOTS * step;
    gp_usec_t actual = g->beat_at > g->now ? g->beat_at - g->now : 0;
    gp_usec_t off = (actual + period - wanted) % period;
    if (off > step && off < period - step) {
        g->beat_slot = (turn + 1) % GP_GROUP_SLOTS;
        g->beat_at = g->now + step;
    }
}

static void on_leader_beat(gp_group_t *g, const gp_msg_beat_t *beat)
{
    g->standings_dirty = g->standings_dirty || gp_group_leader_silent(g);
    g->leader.beat_at = g->now;
    bool behind = !gp_group_holds(g) || beat->number > g->view_number;
    if (behind) {
        gp_group_pull_soon(g, g->config.view_gap); /* the view itself may be on its way */
    } else if (beat->number == g->view_number && beat->digest != g->view_digest) {
        gp_group_pull_soon(g, 0);
    }
    if (gp_group_is_deputy(g)) {
        align_beats(g);
    }
}

void gp_group_on_beat(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_beat_t *beat = &event->msg->u.beat;
    gp_group_entry_t *m = gp_group_find(g, &event->peer);
    bool leader = gp_id_equal(&event->peer, &g->leader.id) && gp_group_has_leader(g);
    bool deputy = gp_id_equal(&event->peer, &g->leader.deputy) && gp_group_has_leader(g);
    if (m != NULL && (leader || deputy)) {
        gp_group_place_told(g, m, beat->places, beat->places_count);
    }
    acknowledge(g, event, out);
    if (leader && !g->leading && beat->role == 1 && beat->term == g->leader.term) {
        on_leader_beat(g, beat);
        return;
    }
    bool stale =
        beat->role == 1 && gp_group_has_leader(g) && !leader && g->leader.right == GP_RIGHT_QUORUM;
    if (stale && m != NULL && g->now - m->reply_at >= g->config.beat_period) {
        m->reply_at = g->now;
        gp_group_reply(g, &event->peer, out); /* somebody leads who should follow */
    }
}

void gp_group_on_beat_ack(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_beat_ack_t *ack = &event->msg->u.beat_ack;
    gp_group_entry_t *m = gp_group_find(g, &event->peer);
    if (m == NULL || !gp_group_witness(g, m, ack->incarnation, out)) {
        return;
    }
    if (answered(g, m, ack->sequence)) {
        gp_group_place_answered(g, m, ack->places, ack->places_count);
    }
    gp_availability_sample(&m->availability, ack->health, ack->headroom);
}

void gp_group_on_probe(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &event->peer, GP_MSG_PROBE_ACK);
    msg->u.probe_ack.group = g->config.group;
    msg->u.probe_ack.incarnation = g->incarnation;
    msg->u.probe_ack.sequence = event->msg->u.probe.sequence;
    if (event->msg->u.probe.places_count > 0) {
        msg->u.probe_ack.places_count = gp_group_place(g, out, msg->u.probe_ack.places);
    }
}

void gp_group_on_probe_ack(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_probe_ack_t *ack = &event->msg->u.probe_ack;
    gp_group_entry_t *m = gp_group_find(g, &event->peer);
    if (m != NULL && gp_group_witness(g, m, ack->incarnation, out) &&
        answered(g, m, ack->sequence)) {
        gp_group_place_answered(g, m, ack->places, ack->places_count);
    }
}
