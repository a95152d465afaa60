/*
 * Finding the leader without one, and presenting machines to it. Never given up: a partition of
 * any length heals by this.
 */
#include "overlay/group/group_state.h"

#define INTRODUCE_PERIOD (500 * GP_MSEC)
#define REPLY_PERIOD     (50 * GP_MSEC)
#define LEADER_TRIES     2 /* rounds of SEEK that ask nobody else */

void gp_group_seek_soon(gp_group_t *g, gp_usec_t after)
{
    g->seek_tries = 0;
    gp_usec_t at = g->now + after;
    if (g->seek_at > at || g->seek_at == 0) {
        g->seek_at = at;
    }
}

static void send_seek(gp_group_t *g, const gp_group_entry_t *to, gp_out_t *out)
{
    const gp_group_entry_t *self = gp_group_self(g);
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &to->shown.id, GP_MSG_SEEK);
    msg->u.seek.group = g->config.group;
    msg->u.seek.incarnation = g->incarnation;
    msg->u.seek.term = g->view_term;
    msg->u.seek.number = g->view_number;
    msg->u.seek.flags = g->flags;
    /* Copied: the event that this step is for may bring a new address or certificate. */
    msg->u.seek.name = gp_out_slice(out, gp_text(self->shown.name));
    msg->u.seek.address = gp_out_slice(out, gp_text(self->shown.address));
    msg->u.seek.cert = gp_out_slice(out, self->shown.cert);
}

void gp_group_present(gp_group_t *g, gp_out_t *out)
{
    const gp_group_entry_t *leader = gp_group_find(g, &g->leader.id);
    if (leader != NULL && !g->leading && gp_group_has_leader(g)) {
        send_seek(g, leader, out);
    }
}

void gp_group_present_again(gp_group_t *g, gp_out_t *out)
{
    const gp_group_entry_t *self = gp_group_self(g);
    if (gp_group_holds(g) && ((self->shown.flags ^ g->flags) & GP_FLAGS_SAID) != 0) {
        gp_group_present(g, out);
    }
}

static bool can_seek(const gp_group_t *g, const gp_group_entry_t *m)
{
    return !gp_id_equal(&m->shown.id, &g->self) && m->shown.address[0] != 0 &&
           !(m->ruled_state == GP_MEMBER_LEFT && gp_cause_is_final(m->ruled_cause));
}

/* A caretaker looks for those who may have the majority: whom it does not hear. */
static bool is_sought(const gp_group_t *g, const gp_group_entry_t *m)
{
    return can_seek(g, m) && !(g->leading && gp_group_hears(g, m));
}

/*
 * The leader, or who led when this was written down, will do as a rule: to ask three others at once
 * costs them and this machine a handshake each, and where many come together they ask the most.
 */
static void seek_round(gp_group_t *g, gp_out_t *out)
{
    uint32_t sent = 0;
    gp_group_entry_t *leader =
        gp_group_find(g, gp_group_has_leader(g) ? &g->leader.id : &g->sought);
    if (!g->leading && leader != NULL && can_seek(g, leader)) {
        send_seek(g, leader, out);
        sent++;
        if (g->seek_tries < LEADER_TRIES) {
            return;
        }
    }
    for (uint32_t i = 0; i < g->count && sent < GP_GROUP_SEEK_FANOUT; i++) {
        g->seek_cursor++;
        gp_group_entry_t *m = gp_group_at(g, g->seek_cursor % g->count);
        if (m != leader && is_sought(g, m)) {
            send_seek(g, m, out);
            sent++;
        }
    }
}

/* Who goes seeks as well until it knows whom to tell: else it would be taken for dead. */
static bool has_found(const gp_group_t *g)
{
    return gp_group_recognized(g) || (g->leaving && gp_group_has_leader(g));
}

void gp_group_seek(gp_group_t *g, gp_out_t *out)
{
    if (has_found(g)) {
        g->seek_tries = 0;
        g->seek_at = 0;
        if (gp_group_has_leader(g) && !g->leading && !g->leaving) {
            g->seek_at = g->leader.beat_at + 3 * g->config.beat_period;
        }
        return;
    }
    g->standings_dirty = true; /* whether the leader is reached depends on the time */
    seek_round(g, out);
    uint32_t shift = g->seek_tries < 8 ? g->seek_tries : 8;
    gp_usec_t wait = g->config.seek_min << shift;
    wait = wait > g->config.seek_max ? g->config.seek_max : wait;
    g->seek_at = g->now + wait / 2 + gp_random_below(&g->random, wait / 2 + 1);
    g->seek_tries++;
}

void gp_group_reply(gp_group_t *g, const gp_id_t *to, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, to, GP_MSG_SEEK_REPLY);
    gp_msg_seek_reply_t *reply = &msg->u.seek_reply;
    reply->group = g->config.group;
    if (!gp_group_has_leader(g)) {
        reply->term = g->leader.term;
        return;
    }
    const gp_group_entry_t *leader = gp_group_find(g, &g->leader.id);
    const gp_group_entry_t *deputy = gp_group_find(g, &g->leader.deputy);
    reply->leader = g->leader.id;
    reply->term = g->leader.term;
    reply->right = (uint8_t)g->leader.right;
    if (leader != NULL) {
        reply->incarnation = g->leading ? g->incarnation : leader->shown.incarnation;
        gp_group_record(leader, true, out, &reply->entries[reply->entries_count++]);
    }
    if (deputy != NULL && deputy != leader) {
        gp_group_record(deputy, true, out, &reply->entries[reply->entries_count++]);
    }
}

/* ---- taking in ------------------------------------------------------------------------------- */

/* The leader's entry for a machine that presents itself; NULL: no room. */
static gp_group_entry_t *entry_for(gp_group_t *g, const gp_event_t *event, const gp_id_t *id,
                                   gp_out_t *out)
{
    gp_group_entry_t *m = gp_group_find(g, id);
    if (m == NULL) {
        bool room = g->count < g->config.members_max || (g->leading && gp_group_make_room(g, out));
        m = room ? gp_group_add(g, id) : NULL;
        if (m == NULL) {
            gp_group_refuse(g, event, GP_E_GROUP_FULL, out);
            return NULL;
        }
    }
    return m;
}

void gp_group_take_in(gp_group_t *g, gp_group_entry_t *m)
{
    assert(g->leading);
    m->hold_until = 0;
    if (!m->in_view) {
        m->in_view = true;
        m->identity = true;
        m->introduce = false;
        gp_group_rule(g, m, GP_MEMBER_UNKNOWN, GP_CAUSE_JOINED);
    }
}

/* One that is introduced will speak itself in a moment, as a rule: then one view tells it all. */
static void hold(gp_group_t *g, gp_group_entry_t *m)
{
    if (!m->in_view && m->hold_until == 0) {
        m->hold_until = g->now + g->config.admit_hold;
        m->pending_until = g->now + g->config.introduce_limit;
    }
}

static void admit(gp_group_t *g, gp_group_entry_t *m, const gp_msg_seek_t *seek, gp_out_t *out)
{
    bool knew = m->ruled_state == GP_MEMBER_ALIVE && m->shown.incarnation == seek->incarnation;
    bool never = m->shown.incarnation == 0;
    m->left_seen = m->left_seen && m->left_incarnation >= seek->incarnation;
    uint8_t flags = (seek->flags & GP_FLAGS_SAID) | GP_FLAG_SEEN;
    bool flags_changed = m->shown.flags != flags;
    if (!gp_group_witness(g, m, seek->incarnation, out)) {
        gp_group_reply(g, &m->shown.id, out);
        return;
    }
    if (flags_changed && m->ruled_state == GP_MEMBER_ALIVE) {
        m->shown.flags = flags;
        gp_group_rule(g, m, GP_MEMBER_ALIVE, never ? GP_CAUSE_JOINED : m->ruled_cause);
    } else if (m->identity && knew) {
        gp_group_rule(g, m, GP_MEMBER_ALIVE, m->ruled_cause); /* a new address or certificate */
    }
    /* One that follows another leader, or none, pulls the table when the election told it whom. */
    bool follows = seek->term == g->view_term;
    bool misses = seek->number != g->view_number || m->ruled_state != GP_MEMBER_ALIVE || !knew;
    if (follows && misses && (m->full_at == 0 || g->now - m->full_at >= REPLY_PERIOD)) {
        m->wants_full = true;
        return;
    }
    gp_group_reply(g, &m->shown.id, out);
}

static gp_record_member_t *introduction(gp_group_t *g, gp_out_t *out)
{
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, &g->leader.id, GP_MSG_INTRODUCE);
    msg->u.introduce.group = g->config.group;
    msg->u.introduce.entries_count = 1;
    return &msg->u.introduce.entries[0];
}

static void forward(gp_group_t *g, const gp_group_entry_t *m, gp_out_t *out)
{
    gp_group_record(m, true, out, introduction(g, out));
}

/*
 * This machine has no place for who seeks, but the leader may, or can make room; and its own table
 * may be so full of former members that it has none for the leader, and cannot turn to it.
 */
static void forward_stranger(gp_group_t *g, const gp_record_member_t *stranger, gp_out_t *out)
{
    bool rested = g->forwarded_at == 0 || g->now - g->forwarded_at >= INTRODUCE_PERIOD;
    if (rested && gp_group_has_leader(g) && !g->leading) {
        g->forwarded_at = g->now;
        gp_record_member_t *record = introduction(g, out);
        record->id = stranger->id;
        record->name = gp_out_slice(out, stranger->name);
        record->address = gp_out_slice(out, stranger->address);
        record->cert = gp_out_slice(out, stranger->cert);
    }
}

void gp_group_on_seek(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_seek_t *seek = &event->msg->u.seek;
    gp_record_member_t record = {
        .id = event->peer, .name = seek->name, .address = seek->address, .cert = seek->cert};
    if (g->config.invited && gp_group_find(g, &event->peer) == NULL) {
        return;
    }
    gp_group_entry_t *m = entry_for(g, event, &event->peer, out);
    if (m == NULL) {
        gp_group_reply(g, &event->peer, out); /* the leader may know it already */
        forward_stranger(g, &record, out);
        return;
    }
    if (seek->incarnation < gp_group_newest(m)) {
        m->wants_full = g->leading; /* an old message; or its boot epoch went back: it shall see */
        return;
    }
    gp_group_identify(g, m, &record);
    if (g->leading) {
        gp_group_take_in(g, m);
        admit(g, m, seek, out);
        return;
    }
    gp_group_witness(g, m, seek->incarnation, out);
    m->pending_until = g->now + g->config.introduce_limit;
    gp_group_reply(g, &event->peer, out);
    bool settled = m->in_view && m->ruled_state == GP_MEMBER_ALIVE &&
                   m->shown.incarnation == seek->incarnation;
    bool leader = gp_id_equal(&event->peer, &g->leader.id);
    if (gp_group_has_leader(g) && !settled && !leader &&
        (m->reply_at == 0 || g->now - m->reply_at >= INTRODUCE_PERIOD)) {
        m->reply_at = g->now;
        forward(g, m, out);
    }
}

void gp_group_on_seek_reply(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_seek_reply_t *reply = &event->msg->u.seek_reply;
    for (uint32_t i = 0; i < reply->entries_count; i++) {
        const gp_record_member_t *record = &reply->entries[i];
        gp_group_entry_t *m = gp_group_find(g, &record->id);
        if (gp_id_equal(&record->id, &g->self) || record->address.n == 0) {
            continue;
        }
        m = m != NULL ? m : gp_group_add(g, &record->id);
        if (m != NULL && (!m->in_view || !gp_group_recognized(g))) {
            gp_group_identify(g, m, record);
        }
    }
    if (gp_id_equal(&event->peer, &g->sought) && reply->right == GP_RIGHT_NONE) {
        g->sought = (gp_id_t){{0}}; /* it knows of no leader either: now the others */
        gp_group_seek_soon(g, 0);
    }
    gp_group_entry_t *leader = gp_group_find(g, &reply->leader);
    bool news = leader != NULL && !gp_id_equal(&reply->leader, &g->self) &&
                !gp_id_equal(&reply->leader, &event->peer) && reply->right != GP_RIGHT_NONE;
    if (!news || has_found(g) || leader->shown.address[0] == 0) {
        return;
    }
    if (leader->reply_at == 0 || g->now - leader->reply_at >= g->config.seek_min) {
        leader->reply_at = g->now;
        send_seek(g, leader, out);
    }
}

/* Somebody whom the sender vouches for; it is not said to live before it speaks itself. */
void gp_group_on_introduce(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_introduce_t *introduce = &event->msg->u.introduce;
    const gp_group_entry_t *by = gp_group_find(g, &event->peer);
    if (!g->leading || by == NULL || introduce->entries_count == 0) {
        return;
    }
    const gp_record_member_t *record = &introduce->entries[0];
    if (gp_id_equal(&record->id, &g->self)) {
        return;
    }
    gp_group_entry_t *m = entry_for(g, event, &record->id, out);
    if (m == NULL) {
        return;
    }
    if (m->ruled_state != GP_MEMBER_ALIVE && gp_group_identify(g, m, record) && m->in_view) {
        gp_group_rule(g, m, m->ruled_state, m->ruled_cause);
    }
    hold(g, m);
}

/* False: there is no place for it. */
static bool introduce(gp_group_t *g, const gp_event_t *event, const gp_record_member_t *record,
                      gp_out_t *out)
{
    bool self = gp_id_equal(&record->id, &g->self);
    gp_group_entry_t *m = self ? gp_group_self(g) : entry_for(g, event, &record->id, out);
    if (m == NULL) {
        return false;
    }
    bool changed = gp_group_identify(g, m, record);
    if (g->leading) {
        if (changed && m->in_view) {
            gp_group_rule(g, m, m->ruled_state, m->ruled_cause);
        }
        hold(g, m);
    } else if (self) {
        if (changed) {
            gp_group_present(g, out); /* own new address or certificate */
        }
    } else {
        m->introduce = !m->in_view || changed;
        m->pending_until = g->now + g->config.introduce_limit;
        g->introduce_at = g->now;
    }
    return true;
}

void gp_group_on_introduce_command(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_group_introduce_t *command = &event->msg->u.group_introduce;
    if (command->entries_count > 0) {
        (void)introduce(g, event, &command->entries[0], out);
    }
}

void gp_group_on_invite_command(gp_group_t *g, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_group_invite_t *command = &event->msg->u.group_invite;
    if (command->entries_count > 0 && gp_group_has_leader(g) &&
        introduce(g, event, &command->entries[0], out)) {
        gp_group_reply(g, &command->entries[0].id, out);
    }
}

void gp_group_introduce_again(gp_group_t *g, gp_out_t *out)
{
    bool more = false;
    for (uint32_t i = 0; i < g->count; i++) {
        gp_group_entry_t *m = gp_group_at(g, i);
        if (!m->introduce) {
            continue;
        }
        m->introduce = g->now < m->pending_until;
        if (m->introduce && gp_group_has_leader(g) && !g->leading) {
            forward(g, m, out);
        }
        more = more || m->introduce;
    }
    g->introduce_at = more ? g->now + INTRODUCE_PERIOD : 0;
}
