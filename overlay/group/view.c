/*
 * Numbered views: the leader tells changes in batches, the others apply them in order and pull the
 * whole table when a number is missing or a digest differs.
 */
#include "overlay/group/group_state.h"

void gp_group_change(gp_group_t *g)
{
    assert(g->leading);
    if (g->pending) {
        return;
    }
    g->pending = true;
    if (g->last_cast == 0 || g->now - g->last_cast >= g->config.view_quiet) {
        g->cast_at = g->now;
        return;
    }
    gp_usec_t batch = g->now + g->config.view_batch;
    gp_usec_t gap = g->last_cast + g->config.view_gap;
    g->cast_at = batch > gap ? batch : gap;
}

/* Alive, or told something about itself that it may want to deny. */
static bool is_told(const gp_group_t *g, const gp_group_entry_t *m)
{
    if (gp_id_equal(&m->shown.id, &g->self) || m->wants_full) {
        return false;
    }
    if (m->ruled_state == GP_MEMBER_ALIVE) {
        return true;
    }
    return m->changed && m->ruled_cause != GP_CAUSE_REFUSED &&
           (m->shown.flags & GP_FLAG_SEEN) != 0 && m->ruled_state != GP_MEMBER_NONE;
}

static gp_msg_view_t *add_view(gp_group_t *g, const gp_id_t *targets, uint32_t count, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_CAST, &g->self, GP_MSG_VIEW);
    gp_action_t *action = gp_out_last(out);
    action->targets = targets;
    action->target_count = count;
    msg->u.view.group = g->config.group;
    msg->u.view.term = g->view_term;
    msg->u.view.number = g->view_number;
    msg->u.view.digest = g->view_digest;
    msg->u.view.deputy = g->leader.deputy;
    return &msg->u.view;
}

static void remove_forgotten(gp_group_t *g, gp_out_t *out)
{
    for (uint32_t i = g->count; i-- > 0;) {
        gp_group_entry_t *m = gp_group_at(g, i);
        if (m->in_view && m->ruled_state == GP_MEMBER_NONE) {
            gp_group_forget(g, m, out);
        }
    }
}

static void notice_applied(gp_group_t *g, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &g->self, GP_MSG_VIEW_APPLIED);
    msg->u.view_applied.group = g->config.group;
    msg->u.view_applied.term = g->view_term;
    msg->u.view_applied.number = g->view_number;
    msg->u.view_applied.digest = g->view_digest;
    msg->u.view_applied.members = gp_group_living(g);
}

/* Tells the changes to all who live, and to those whom they concern. */
static void cast_changes(gp_group_t *g, gp_out_t *out)
{
    g->view_number++;
    g->view_digest = gp_group_digest(g);
    gp_id_t *targets = gp_out_bytes(out, g->count * sizeof *targets);
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        const gp_group_entry_t *m = gp_group_look_at(g, i);
        if (is_told(g, m)) {
            targets[count++] = m->shown.id;
        }
    }
    gp_msg_view_t *view = count > 0 ? add_view(g, targets, count, out) : NULL;
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_entry_t *m = gp_group_at(g, i);
        if (m->changed) {
            if (view != NULL) {
                gp_group_record(m, m->identity, out, &view->entries[view->entries_count++]);
            }
            m->changed = false;
            m->identity = false;
        }
    }
    g->pending = false;
    g->last_cast = g->now;
    notice_applied(g, out);
    remove_forgotten(g, out);
}

static void cast_whole(gp_group_t *g, gp_out_t *out)
{
    gp_id_t *targets = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_entry_t *m = gp_group_at(g, i);
        if (!m->wants_full) {
            continue;
        }
        if (targets == NULL) {
            targets = gp_out_bytes(out, g->count * sizeof *targets);
        }
        targets[count++] = m->shown.id;
        m->wants_full = false;
        m->full_at = g->now;
    }
    if (count == 0) {
        return;
    }
    gp_msg_view_t *view = add_view(g, targets, count, out);
    view->full = true;
    for (uint32_t i = 0; i < g->count; i++) {
        const gp_group_entry_t *m = gp_group_look_at(g, i);
        if (m->in_view) {
            gp_group_record(m, true, out, &view->entries[view->entries_count++]);
        }
    }
}

void gp_group_flush(gp_group_t *g, gp_out_t *out)
{
    if (!g->leading) {
        return;
    }
    if (g->pending && g->now >= g->cast_at) {
        cast_changes(g, out);
    }
    if (!g->pending) {
        cast_whole(g, out);
    }
}

void gp_group_pull_soon(gp_group_t *g, gp_usec_t after)
{
    if (g->leading || !gp_group_has_leader(g)) {
        return;
    }
    gp_usec_t at = g->now + after;
    if (g->pull_at == 0) {
        g->pull_at = at;
        g->pull_tries = 0;
    } else if (g->pull_tries == 0 && at < g->pull_at) {
        g->pull_at = at;
    }
}

void gp_group_pull(gp_group_t *g, gp_out_t *out)
{
    if (g->leading || !gp_group_has_leader(g)) {
        g->pull_at = 0;
        return;
    }
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &g->leader.id, GP_MSG_VIEW_PULL);
    msg->u.view_pull.group = g->config.group;
    msg->u.view_pull.term = g->leader.term;
    msg->u.view_pull.number = gp_group_holds(g) ? g->view_number : 0;
    uint32_t shift = g->pull_tries < 3 ? g->pull_tries : 3;
    gp_usec_t wait = g->config.pull_period << shift;
    g->pull_at = g->now + wait + gp_random_below(&g->random, wait / 4 + 1);
    g->pull_tries++;
}

void gp_group_forget(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    if (m->suspected) { /* the leader's view has no place for it any more */
        gp_group_close(g, m, 5, GP_CAUSE_NONE, out);
    }
    if (m->told) {
        m->shown.state = GP_MEMBER_NONE;
        gp_group_notice_member(g, m, true, out);
    }
    gp_group_remove(g, m);
}

/* Takes what the leader says of this machine itself. */
static void apply_self(gp_group_t *g, gp_group_entry_t *m, gp_out_t *out)
{
    bool alive = m->ruled_state == GP_MEMBER_ALIVE;
    if (g->leaving) {
        if (m->ruled_state == GP_MEMBER_LEFT) {
            gp_group_leave_done(g, out);
        }
        return;
    }
    if (m->shown.incarnation > g->incarnation ||
        (m->shown.incarnation == g->incarnation && !alive)) {
        gp_group_refute(g, out);
    }
}

static void take_observers(gp_group_entry_t *m, gp_slice_t observers)
{
    uint32_t n = observers.n / (uint32_t)sizeof(gp_id_t);
    m->shown.observer_count = (uint8_t)(n < GP_OBSERVERS_MAX ? n : GP_OBSERVERS_MAX);
    if (m->shown.observer_count > 0) {
        memcpy(m->shown.observers, observers.p, m->shown.observer_count * sizeof(gp_id_t));
    }
}

/* How a suspicion ends when the leader says so: see SUSPICION. */
static uint8_t phase_of(gp_member_state_t state)
{
    return state == GP_MEMBER_UNAVAILABLE ? 3 : state == GP_MEMBER_UNKNOWN ? 4 : 2;
}

static void apply_record(gp_group_t *g, const gp_record_member_t *record, gp_out_t *out)
{
    gp_group_entry_t *m = gp_group_find(g, &record->id);
    bool self = gp_id_equal(&record->id, &g->self);
    if (record->state == GP_MEMBER_NONE) {
        if (m != NULL && !self) {
            gp_group_forget(g, m, out);
        }
        return;
    }
    if (m == NULL) {
        m = gp_group_add(g, &record->id);
        if (m == NULL) {
            return; /* the digest will differ and the table be pulled when there is room */
        }
        if (record->address.n == 0) {
            gp_group_pull_soon(g, g->config.view_gap); /* it was introduced in a view missed here */
        }
    }
    m->stale = false;
    m->in_view = true;
    m->introduce = false;
    m->dirty = m->dirty || m->untold;
    m->untold = false;
    if (!self) {
        gp_group_identify(g, m, record);
    }
    bool same = m->shown.incarnation == record->incarnation && m->ruled_state == record->state;
    m->shown.incarnation = record->incarnation;
    m->shown.flags = record->flags;
    gp_group_rule(g, m, record->state, record->cause);
    take_observers(m, record->observers);
    if (record->incarnation > m->evidence_incarnation) {
        gp_group_evidence_void(m);
    }
    if (m->suspected && !(same && record->state == GP_MEMBER_ALIVE)) {
        gp_group_close(g, m, phase_of((gp_member_state_t)record->state), record->cause, out);
    }
    if (self) {
        apply_self(g, m, out);
    }
}

static void apply_whole(gp_group_t *g, const gp_msg_view_t *view, gp_out_t *out)
{
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_at(g, i)->stale = true;
    }
    /* Hearsay makes room for the leader's word. */
    for (uint32_t i = g->count;
         i-- > 0 && g->count + view->entries_count > g->config.members_max;) {
        gp_group_entry_t *m = gp_group_at(g, i);
        if (!m->in_view && !gp_id_equal(&m->shown.id, &g->self)) {
            gp_group_forget(g, m, out);
        }
    }
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < view->entries_count; i++) {
            bool known = gp_group_find(g, &view->entries[i].id) != NULL;
            if (known == (pass == 0)) {
                apply_record(g, &view->entries[i], out);
            }
        }
        for (uint32_t i = g->count; pass == 0 && i-- > 0;) {
            gp_group_entry_t *m = gp_group_at(g, i);
            if (gp_id_equal(&m->shown.id, &g->self)) {
                m->in_view = !m->stale;
            } else if (m->stale && m->in_view) {
                gp_group_forget(g, m, out);
            }
        }
    }
}

static void acknowledge(gp_group_t *g, gp_out_t *out)
{
    if (!gp_group_is_voter(g)) {
        return;
    }
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &g->leader.id, GP_MSG_VIEW_ACK);
    msg->u.view_ack.group = g->config.group;
    msg->u.view_ack.term = g->view_term;
    msg->u.view_ack.number = g->view_number;
}

bool gp_group_holds(const gp_group_t *g)
{
    return gp_group_has_leader(g) && g->view_term == g->leader.term &&
           gp_id_equal(&g->view_by, &g->leader.id);
}

/* Does this view follow on what this machine holds? */
static bool follows(const gp_group_t *g, const gp_msg_view_t *view)
{
    if (view->full) {
        return true;
    }
    return gp_group_holds(g) ? view->number == g->view_number + 1 : g->view_number > 0;
}

void gp_group_on_view(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_view_t *view = &event->msg->u.view;
    if (view->term < g->leader.term) {
        gp_group_refuse(g, event, GP_E_FENCED, out);
        return;
    }
    if (g->leading || !gp_group_has_leader(g) || view->term != g->leader.term ||
        !gp_id_equal(&event->peer, &g->leader.id)) {
        return; /* a leader that the election has not named; it is pulled when it has */
    }
    if (gp_group_holds(g) &&
        (view->number < g->view_number || (view->number == g->view_number && !view->full))) {
        return; /* old */
    }
    if (!follows(g, view)) {
        gp_group_pull_soon(g, 0);
        return;
    }
    g->view_term = view->term;
    g->view_by = g->leader.id;
    g->view_number = view->number;
    if (!gp_id_is_none(&view->deputy) && !gp_id_equal(&view->deputy, &g->leader.deputy)) {
        g->leader.deputy = view->deputy;
        g->links_dirty = true;
    }
    g->pull_at = 0;
    if (view->full) {
        apply_whole(g, view, out);
    } else {
        for (uint32_t i = 0; i < view->entries_count; i++) {
            apply_record(g, &view->entries[i], out);
        }
    }
    g->view_digest = gp_group_digest(g);
    if (g->view_digest != view->digest) {
        gp_group_pull_soon(g, view->full ? g->config.pull_period : 0);
    }
    notice_applied(g, out);
    acknowledge(g, out);
    if (!gp_group_recognized(g) && !g->leaving) {
        gp_group_seek_soon(g, g->config.seek_min / 4);
    }
}

void gp_group_on_pull(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    gp_group_entry_t *m = gp_group_find(g, &event->peer);
    if (!g->leading || m == NULL) {
        gp_group_reply(g, &event->peer, out);
        return;
    }
    if (m->full_at == 0 || g->now - m->full_at >= g->config.pull_period / 4) {
        m->wants_full = true;
    }
}

void gp_group_on_view_ack(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    (void)out;
    const gp_msg_view_ack_t *ack = &event->msg->u.view_ack;
    if (!g->leading || ack->term != g->view_term || ack->number > g->view_number) {
        return;
    }
    for (uint32_t i = 0; i < g->leader.voter_count; i++) {
        if (gp_id_equal(&g->leader.voters[i], &event->peer) && ack->number > g->leader.held[i]) {
            g->leader.held[i] = ack->number;
        }
    }
}

uint32_t gp_group_view_held(const gp_group_t *group)
{
    if (!group->leading || group->leader.voter_count == 0) {
        return 0;
    }
    uint32_t best = 0;
    for (uint32_t i = 0; i < group->leader.voter_count; i++) {
        bool self = gp_id_equal(&group->leader.voters[i], &group->self);
        uint32_t number = self ? group->view_number : group->leader.held[i];
        uint32_t holders = 0;
        for (uint32_t k = 0; k < group->leader.voter_count; k++) {
            bool own = gp_id_equal(&group->leader.voters[k], &group->self);
            holders += (own ? group->view_number : group->leader.held[k]) >= number;
        }
        if (holders > group->leader.voter_count / 2 && number > best) {
            best = number;
        }
    }
    return best;
}

static bool is_older(const gp_group_entry_t *m, const gp_group_entry_t *than)
{
    return than == NULL || m->away_since < than->away_since;
}

static bool is_never_seen(const gp_group_entry_t *m)
{
    return m->ruled_state == GP_MEMBER_UNKNOWN && (m->shown.flags & GP_FLAG_SEEN) == 0;
}

bool gp_group_make_room(gp_group_t *g, gp_out_t *out)
{
    assert(g->leading);
    if (g->count < g->config.members_max) {
        return true;
    }
    gp_group_entry_t *left = NULL;
    gp_group_entry_t *dead = NULL;
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_entry_t *m = gp_group_at(g, i);
        bool self = gp_id_equal(&m->shown.id, &g->self);
        if (!self && (!m->in_view || m->ruled_state == GP_MEMBER_LEFT) && is_older(m, left)) {
            left = m;
        } else if ((m->ruled_state == GP_MEMBER_UNAVAILABLE || is_never_seen(m)) &&
                   g->now - m->away_since >= g->config.forget_dead_after && is_older(m, dead)) {
            dead = m;
        }
    }
    gp_group_entry_t *victim = left != NULL ? left : dead;
    if (victim == NULL) {
        return false;
    }
    if (!victim->in_view) {
        gp_group_forget(g, victim, out);
        return true;
    }
    gp_group_rule(g, victim, GP_MEMBER_NONE, GP_CAUSE_NONE);
    cast_changes(g, out); /* now: the place is needed */
    return true;
}

void gp_group_forget_old(gp_group_t *g, gp_out_t *out)
{
    for (uint32_t i = g->count; i-- > 0;) {
        gp_group_entry_t *m = gp_group_at(g, i);
        if (!m->in_view && !m->introduce && g->now >= m->pending_until &&
            !gp_id_equal(&m->shown.id, &g->self) && gp_group_has_leader(g)) {
            gp_group_forget(g, m, out);
            continue;
        }
        gp_usec_t limit = gp_cause_is_final(m->ruled_cause) ? g->config.forget_left_after
                                                            : g->config.forget_stopped_after;
        bool old = m->ruled_state == GP_MEMBER_LEFT && g->now - m->ruled_at >= limit;
        bool never = is_never_seen(m) && g->now - m->away_since >= g->config.forget_never_after;
        if (g->leading && m->in_view && (old || never) && !gp_id_equal(&m->shown.id, &g->self)) {
            gp_group_rule(g, m, GP_MEMBER_NONE, GP_CAUSE_LEFT);
        }
    }
}
