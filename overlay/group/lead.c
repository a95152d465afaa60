/*
 * Who leads, by the election's word alone; taking the lead; refuting; leaving.
 */
#include "overlay/group/group_state.h"

bool gp_group_leader_silent(const gp_group_t *g)
{
    return g->now - g->leader.beat_at >= 3 * g->config.beat_period;
}

bool gp_group_recognized(const gp_group_t *g)
{
    if (!gp_group_has_leader(g)) {
        return false;
    }
    if (g->leading) {
        return g->leader.right == GP_RIGHT_QUORUM;
    }
    const gp_group_entry_t *m = gp_group_look(g, &g->self);
    return gp_group_holds(g) && m->in_view && m->ruled_state == GP_MEMBER_ALIVE &&
           m->shown.incarnation == g->incarnation && !gp_group_leader_silent(g);
}

void gp_group_refute(gp_group_t *g, gp_out_t *out)
{
    const gp_group_entry_t *m = gp_group_self(g);
    uint64_t above = m->shown.incarnation > g->incarnation ? m->shown.incarnation : g->incarnation;
    if ((above & UINT16_MAX) == UINT16_MAX) {
        return; /* 65,535 denials in one life: only a restart, with a new boot epoch, helps */
    }
    g->incarnation = above + 1;
    g->standings_dirty = true;
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &g->leader.id, GP_MSG_REFUTE);
    msg->u.refute.group = g->config.group;
    msg->u.refute.incarnation = g->incarnation;
}

/* What a majority said once: it may have said otherwise since, elsewhere. */
static bool is_past_knowledge(const gp_group_entry_t *m)
{
    return m->ruled_state == GP_MEMBER_UNAVAILABLE ||
           (m->ruled_state == GP_MEMBER_UNKNOWN && m->ruled_cause != GP_CAUSE_JOINED);
}

/* By its own ears, which know better than what the last leader said before. */
static bool is_heard_again(const gp_group_t *g, const gp_group_entry_t *m)
{
    bool silent = m->ruled_state == GP_MEMBER_UNAVAILABLE && m->ruled_cause != GP_CAUSE_REFUSED &&
                  m->shown.heard_at > m->ruled_at;
    return gp_group_hears(g, m) && (m->ruled_state == GP_MEMBER_UNKNOWN || silent);
}

static void adopt(gp_group_t *g, gp_group_entry_t *m)
{
    m->due_at = 0;
    m->wants_full = false;
    m->skip = 0;
    m->hold_until = 0;
    if (!m->in_view) {
        m->in_view = true;
        m->introduce = false;
        m->identity = true;
        if (m->ruled_state == GP_MEMBER_NONE) {
            gp_group_rule(g, m, GP_MEMBER_UNKNOWN, GP_CAUSE_JOINED);
        }
    }
    bool alive = is_heard_again(g, m);
    if (m->seen_incarnation > m->shown.incarnation && gp_group_hears(g, m)) {
        m->shown.incarnation = m->seen_incarnation;
        alive = true;
    }
    if (m->left_seen && m->left_incarnation >= m->shown.incarnation) {
        gp_group_rule(g, m, GP_MEMBER_LEFT, gp_group_left_cause(m->left_forever, m->left_moves));
    } else if (alive && m->shown.incarnation > 0) {
        m->shown.flags |= GP_FLAG_SEEN;
        gp_group_rule(g, m, GP_MEMBER_ALIVE, GP_CAUSE_ANSWERS);
    } else if (g->leader.right == GP_RIGHT_CARETAKER && is_past_knowledge(m)) {
        gp_group_rule(g, m, GP_MEMBER_UNKNOWN, GP_CAUSE_NO_QUORUM);
    }
}

/* What only a leader keeps, or what was asked in the name of the last one. */
static void lay_down(const gp_group_t *g, gp_group_entry_t *m)
{
    m->changed = false;
    m->wants_full = false;
    m->evidence_ask_at = 0;
    m->hold_until = 0;
    m->due_at = 0;
    m->window_at = g->now + GP_GROUP_FORGET * g->config.beat_period;
    if (m->ruled_state == GP_MEMBER_NONE) {
        m->in_view = false; /* it was about to be forgotten when the lead was lost */
    }
    m->dirty = true;
}

gp_cause_t gp_group_left_cause(bool forever, bool moves)
{
    return moves ? GP_CAUSE_MOVED : forever ? GP_CAUSE_LEFT : GP_CAUSE_STOPPED;
}

static void rule_left(gp_group_t *g)
{
    gp_cause_t cause = gp_group_left_cause(g->leave_forever, g->leave_moves);
    gp_group_rule(g, gp_group_self(g), GP_MEMBER_LEFT, cause);
}

static void take_lead(gp_group_t *g, gp_out_t *out)
{
    assert(g->leading);
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_entry_t *m = gp_group_at(g, i);
        if (!gp_id_equal(&m->shown.id, &g->self)) {
            adopt(g, m);
        }
    }
    gp_group_entry_t *self = gp_group_self(g);
    bool known = self->in_view;
    self->in_view = true;
    self->identity = !known;
    bool told = known && self->shown.flags == (g->flags | GP_FLAG_SEEN);
    self->shown.flags = g->flags | GP_FLAG_SEEN;
    self->shown.incarnation = g->incarnation;
    if (g->leaving && g->left) {
        rule_left(g);
    } else if (self->ruled_state != GP_MEMBER_ALIVE) {
        gp_group_rule(g, self, GP_MEMBER_ALIVE, known ? GP_CAUSE_RESTARTED : GP_CAUSE_JOINED);
    } else {
        self->changed = self->changed || !told;
    }
    g->view_term = g->leader.term;
    g->view_by = g->self;
    g->pending = false;
    gp_group_change(g);
    g->cast_at = g->now;
    g->pull_at = 0;
    gp_group_beats_start(g);
    if (!gp_group_recognized(g)) {
        gp_group_seek_soon(g, g->config.seek_min); /* for the majority */
    }
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_judge(g, gp_group_at(g, i), out);
    }
    gp_group_suspicions_escalate(g, out);
    gp_group_entry_t *last = gp_group_find(g, &g->last_leader);
    if (last != NULL && !gp_group_hears(g, last)) {
        gp_group_doubt(g, last, out); /* it lost the lead for a reason */
    }
}

static void follow(gp_group_t *g, gp_out_t *out)
{
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_entry_t *m = gp_group_at(g, i);
        lay_down(g, m);
        m->untold = true;
        bool others =
            !gp_id_equal(&m->shown.id, &g->self) && !gp_id_equal(&m->shown.id, &g->leader.id);
        m->introduce = others && (m->introduce || (!m->in_view && m->shown.address[0] != 0));
        m->pending_until = g->now + g->config.introduce_limit;
        if (m->introduce) {
            g->introduce_at = g->now;
        }
    }
    g->pending = false;
    const gp_group_entry_t *self = gp_group_self(g);
    bool settled = self->in_view && self->ruled_state == GP_MEMBER_ALIVE &&
                   self->shown.incarnation == g->incarnation && g->view_number > 0;
    gp_group_pull_soon(g, settled ? g->config.pull_period / 2 : 0);
    if (!settled) {
        gp_group_seek_soon(g, 0);
    }
    gp_group_evidence_resend(g, out);
    gp_group_suspicions_resend(g, out);
    if (gp_group_is_deputy(g)) {
        gp_group_beats_start(g);
    }
    if (g->leaving && !g->left) {
        g->leave_at = g->now;
    }
}

void gp_group_close_ears(gp_group_t *g)
{
    for (uint32_t i = 0; gp_group_holds(g) && i < g->count; i++) {
        if (gp_group_look_at(g, i)->untold) {
            gp_group_entry_t *m = gp_group_at(g, i);
            m->untold = false;
            m->dirty = true;
        }
    }
}

static void lose_leader(gp_group_t *g)
{
    g->pending = false;
    g->pull_at = 0;
    g->leaderless_since = g->now;
    g->probe_at =
        g->now + g->config.beat_period / 2 + gp_random_below(&g->random, g->config.beat_period / 2);
    for (uint32_t i = 0; i < g->count; i++) {
        lay_down(g, gp_group_at(g, i));
    }
    gp_group_seek_soon(g, g->config.seek_min + gp_random_below(&g->random, g->config.seek_min));
}

static void take_voters(gp_group_t *g, const gp_msg_group_leader_t *news)
{
    uint32_t held[GP_VOTERS_MAX] = {0};
    for (uint32_t i = 0; i < news->voters_count; i++) {
        for (uint32_t k = 0; k < g->leader.voter_count; k++) {
            if (gp_id_equal(&news->voters[i].id, &g->leader.voters[k])) {
                held[i] = g->leader.held[k];
            }
        }
    }
    g->leader.voter_count = news->voters_count;
    for (uint32_t i = 0; i < news->voters_count; i++) {
        g->leader.voters[i] = news->voters[i].id;
        g->leader.held[i] = held[i];
    }
}

static void renew(gp_group_t *g, gp_out_t *out)
{
    for (uint32_t i = 0; g->leading && i < g->count; i++) {
        gp_group_entry_t *m = gp_group_at(g, i);
        if (m->evidence_at != 0) {
            gp_group_judge(g, m, out); /* it may have waited for the lease */
        }
    }
}

void gp_group_on_leader(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_group_leader_t *news = &event->msg->u.group_leader;
    gp_right_t right = gp_id_is_none(&news->leader) ? GP_RIGHT_NONE : (gp_right_t)news->right;
    gp_id_t id = right == GP_RIGHT_NONE ? (gp_id_t){{0}} : news->leader;
    bool same =
        gp_id_equal(&id, &g->leader.id) && news->term == g->leader.term && right == g->leader.right;
    bool deputy = !gp_id_equal(&news->deputy, &g->leader.told_deputy);
    if (news->lease_until > g->leader.lease_until) {
        g->leader.renewed_at = g->now;
    }
    g->leader.lease_until = news->lease_until;
    take_voters(g, news);
    if (deputy || !same) {
        g->leader.told_deputy = news->deputy;
        g->leader.deputy = news->deputy;
        g->links_dirty = true;
    }
    if (same) {
        if (deputy && g->leading) {
            gp_group_change(g);
        } else if (deputy && gp_group_is_deputy(g)) {
            gp_group_beats_start(g);
        }
        renew(g, out);
        return;
    }
    g->last_leader = gp_id_is_none(&g->leader.id) ? g->last_leader : g->leader.id;
    g->leader.id = id;
    g->leader.term = news->term;
    g->leader.right = right;
    g->leader.since = g->now;
    g->leader.beat_at = g->now;
    memset(g->leader.held, 0, sizeof g->leader.held);
    g->leading = right != GP_RIGHT_NONE && gp_id_equal(&id, &g->self);
    g->standings_dirty = true;
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_at(g, i)->dirty = true;
    }
    if (right == GP_RIGHT_NONE) {
        lose_leader(g);
        return;
    }
    g->sought = (gp_id_t){{0}};
    if (g->leading) {
        take_lead(g, out);
    } else {
        follow(g, out);
    }
}

/* ---- leaving --------------------------------------------------------------------------------- */

static void send_leave(gp_group_t *g, const gp_id_t *to, gp_out_t *out)
{
    if (gp_id_is_none(to) || gp_id_equal(to, &g->self)) {
        return;
    }
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, to, GP_MSG_LEAVE);
    msg->u.leave.group = g->config.group;
    msg->u.leave.incarnation = g->incarnation;
    msg->u.leave.forever = g->leave_forever;
    msg->u.leave.moves = g->leave_moves;
}

void gp_group_leave_done(gp_group_t *g, gp_out_t *out)
{
    if (g->left) {
        return;
    }
    g->left = true;
    g->links_dirty = true;
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &g->self, GP_MSG_LEFT);
    msg->u.left.group = g->config.group;
    msg->u.left.forever = g->leave_forever;
}

void gp_group_leave_again(gp_group_t *g, gp_out_t *out)
{
    if (g->now >= g->leave_until) {
        gp_group_leave_done(g, out);
        return;
    }
    if (g->leading) {
        rule_left(g);
        g->cast_at = g->now;
        gp_group_flush(g, out); /* told before this machine hears that it may stop */
        gp_group_leave_done(g, out);
        return;
    }
    send_leave(g, &g->leader.id, out);
    send_leave(g, &g->leader.deputy, out);
    g->leave_at = g->now + g->config.leave_limit / 3;
}

void gp_group_on_leave_command(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    if (g->left) {
        return;
    }
    g->leaving = true;
    g->store_dirty = true;
    g->store_at = g->now;
    g->leave_forever = event->msg->u.group_leave.forever;
    g->leave_moves = event->msg->u.group_leave.moves;
    g->flags |= GP_FLAG_LEAVING;
    g->leave_until = g->now + g->config.leave_limit;
    g->standings_dirty = true;
    if (g->count <= 1 && !g->leading) {
        g->leave_until = g->now; /* nobody to tell */
    }
    gp_group_leave_again(g, out);
}

void gp_group_on_leave(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_leave_t *leave = &event->msg->u.leave;
    gp_group_entry_t *m = gp_group_find(g, &event->peer);
    if (m == NULL || leave->incarnation < m->shown.incarnation) {
        return;
    }
    m->left_seen = true;
    m->left_incarnation = leave->incarnation;
    m->left_forever = leave->forever;
    m->left_moves = leave->moves;
    m->due_at = 0;
    if (m->suspected) {
        gp_group_close(g, m, 2, GP_CAUSE_STOPPED, out);
    }
    if (g->leading && m->in_view) {
        m->shown.incarnation = leave->incarnation;
        gp_group_rule(g, m, GP_MEMBER_LEFT, gp_group_left_cause(leave->forever, leave->moves));
        g->cast_at = g->now; /* somebody waits for it */
    }
}
