/*
 * Seats above the first: taken when the leader below gives them, resumed after a restart, given up.
 * A seat that is taken again begins as after a restart: with what is on the disk, and a new life.
 */
#include "agent/peer/peer_state.h"

static void tell_tiers(gp_peer_t *peer, gp_seat_t seat, gp_usec_t now, gp_out_t *out)
{
    gp_msg_t *msg = gp_peer_draft(out, GP_MSG_TIERS_SEAT);
    msg->u.tiers_seat.seat = (uint8_t)seat;
    msg->u.tiers_seat.held = peer->seats[seat].started;
    msg->u.tiers_seat.standby = (peer->seats[seat].flags & GP_FLAG_STANDBY) != 0;
    gp_peer_command(peer, GP_SEAT_SUBGRID, now, 0, msg, out);
}

void gp_peer_seat_open(gp_peer_t *peer, gp_seat_t seat)
{
    gp_peer_seat_t *s = &peer->seats[seat];
    assert(seat != GP_SEAT_SUBGRID && s->group != 0 && !s->open);
    const gp_group_member_t *self = gp_group_member(gp_peer_group(peer), &peer->self);
    gp_group_config_t group = peer->group_config;
    group.group = s->group;
    group.tier = (uint8_t)seat;
    group.invited = true;
    group.life = s->life;
    group.flags = peer->said.flags | s->flags;
    group.name = gp_text(self->name);
    group.address = gp_text(self->address);
    group.cert = self->cert;
    gp_election_config_t election = peer->election_config;
    election.group = s->group;
    election.tier = (uint8_t)seat;
    gp_peer_core_t *cores = s->cores;
    cores[GP_ROOM_GROUP].ops->init(cores[GP_ROOM_GROUP].core, &group, peer->self,
                                   gp_random_next(&peer->random));
    if (!s->known) {
        cores[GP_ROOM_ELECTION].ops->init(cores[GP_ROOM_ELECTION].core, &election, peer->self,
                                          gp_random_next(&peer->random));
    } else { /* what it promised in its last life it has to keep */
        gp_election_again(cores[GP_ROOM_ELECTION].core, &election, gp_random_next(&peer->random));
    }
    cores[GP_ROOM_GROUP].wake = cores[GP_ROOM_GROUP].ops->wake(cores[GP_ROOM_GROUP].core);
    cores[GP_ROOM_ELECTION].wake = cores[GP_ROOM_ELECTION].ops->wake(cores[GP_ROOM_ELECTION].core);
    s->open = true;
    s->known = true;
    s->giving = false;
}

void gp_peer_seat_start(gp_peer_t *peer, gp_seat_t seat, gp_usec_t now, gp_out_t *out)
{
    gp_peer_seat_t *s = &peer->seats[seat];
    const gp_event_t start = {.type = GP_EVENT_START, .now = now};
    assert(s->open && !s->started);
    s->started = true;
    gp_peer_step_core(peer, seat, GP_ROOM_GROUP, &start, out);
    gp_peer_step_core(peer, seat, GP_ROOM_ELECTION, &start, out);
    tell_tiers(peer, seat, now, out);
}

void gp_peer_seat_take(gp_peer_t *peer, gp_seat_t seat, gp_usec_t now, gp_out_t *out)
{
    gp_peer_seat_t *s = &peer->seats[seat];
    assert(peer->event != NULL && peer->event->kind == GP_MSG_SEEK_REPLY);
    const gp_msg_seek_reply_t *offer = &peer->event->u.seek_reply;
    if (peer->leaving || s->open || s->stores > 0 || s->life == UINT16_MAX) {
        return; /* the disk may still write for the life before: it is asked for again */
    }
    gp_msg_t *known = gp_peer_draft(out, GP_MSG_GROUP_STATE);
    known->u.group_state.group = s->group;
    known->u.group_state.leader = offer->leader;
    for (uint32_t i = 0; i < offer->entries_count; i++) {
        gp_record_member_t *entry = &known->u.group_state.entries[i];
        *entry = offer->entries[i];
        entry->state = GP_MEMBER_UNKNOWN;
        known->u.group_state.entries_count++;
    }
    s->flags = GP_FLAG_STANDBY;
    gp_peer_seat_open(peer, seat);
    const gp_event_t load = {
        .type = GP_EVENT_LOAD, .room = GP_ROOM_GROUP, .now = now, .msg = known};
    gp_peer_step_core(peer, seat, GP_ROOM_GROUP, &load, out);
    gp_peer_seat_start(peer, seat, now, out);
}

void gp_peer_seat_close(gp_peer_t *peer, gp_seat_t seat, gp_usec_t now, gp_out_t *out)
{
    gp_peer_seat_t *s = &peer->seats[seat];
    assert(seat != GP_SEAT_SUBGRID && s->open);
    gp_peer_seat_shut(s);
    peer->seats[GP_SEAT_SUBGRID].flags &=
        (uint8_t)(seat == GP_SEAT_REGION ? ~GP_FLAG_REGION_PEER : ~0);
    tell_tiers(peer, seat, now, out);
    gp_peer_route_leader(peer, seat, now, NULL, out);
}

void gp_peer_seat_shut(gp_peer_seat_t *s)
{
    uint64_t last = gp_group_incarnation(s->cores[GP_ROOM_GROUP].core) & UINT16_MAX;
    s->life = last < UINT16_MAX ? (uint16_t)(last + 1) : UINT16_MAX;
    s->open = false;
    s->started = false;
}

void gp_peer_seat_deny(gp_peer_t *peer, gp_seat_t seat, const gp_id_t *asker, gp_out_t *out)
{
    gp_peer_seat_t *s = &peer->seats[seat];
    const gp_room_t room = out->room;
    s->life = s->life > 0 ? s->life : 1;
    out->room = GP_ROOM_GROUP;
    out->seat = seat;
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_SEND, asker, GP_MSG_LEAVE);
    msg->u.leave.group = s->group;
    msg->u.leave.incarnation = (peer->group_config.boot << 16) + s->life - 1;
    msg->u.leave.forever = true;
    out->room = room;
    out->seat = GP_SEAT_SUBGRID;
}

/* Nothing of that group is on the disk: in its name nothing was ever promised. */
static bool is_fresh(const gp_peer_seat_t *s)
{
    const gp_election_t *election = s->cores[GP_ROOM_ELECTION].core;
    return !s->known || (gp_election_version(election) == 0 && gp_election_own_term(election) == 0);
}

void gp_peer_seats_found(gp_peer_t *peer, const gp_event_t *event, gp_out_t *out)
{
    int end = event->msg->u.election_found.found;
    for (int seat = GP_SEAT_SUBGRID; seat < end; seat++) {
        gp_peer_seat_t *s = &peer->seats[seat];
        if (s->group != 0 && !s->open && is_fresh(s)) {
            gp_peer_seat_open(peer, (gp_seat_t)seat);
            gp_peer_seat_start(peer, (gp_seat_t)seat, event->now, out);
        }
        gp_peer_step_core(peer, (gp_seat_t)seat, GP_ROOM_ELECTION, event, out);
    }
}

bool gp_peer_seated_above(const gp_peer_t *peer)
{
    for (int seat = GP_SEAT_REGION; seat < GP_SEAT_COUNT; seat++) {
        if (peer->seats[seat].open) {
            return true;
        }
    }
    return false;
}

void gp_peer_tell_self(gp_peer_t *peer, gp_usec_t now, gp_out_t *out)
{
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        if (!peer->seats[seat].open) {
            continue;
        }
        gp_msg_t *msg = gp_peer_draft(out, GP_MSG_GROUP_SELF);
        msg->u.group_self = peer->said;
        msg->u.group_self.flags |=
            (uint8_t)(peer->seats[seat].flags | (peer->leaving ? GP_FLAG_LEAVING : 0));
        gp_peer_command(peer, (gp_seat_t)seat, now, 0, msg, out);
    }
}

static bool is_wanted(const gp_peer_t *peer, const gp_id_t *id)
{
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        const gp_peer_seat_t *s = &peer->seats[seat];
        if (s->open && gp_group_links_to(s->cores[GP_ROOM_GROUP].core, id)) {
            return true;
        }
    }
    return false;
}

void gp_peer_count_stores(gp_peer_t *peer, const gp_out_t *out, uint32_t from)
{
    for (uint32_t i = from; i < out->count; i++) {
        gp_action_type_t type = out->actions[i].type;
        if (type == GP_ACTION_STORE || type == GP_ACTION_KEEP) {
            peer->seats[out->actions[i].seat].stores++;
        }
    }
}

void gp_peer_keep_links(const gp_peer_t *peer, gp_out_t *out)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < out->count; i++) {
        const gp_action_t *action = &out->actions[i];
        bool drop = action->type == GP_ACTION_LINK && action->token == 0;
        if (!drop || !is_wanted(peer, &action->peer)) {
            out->actions[kept++] = *action;
        }
    }
    out->count = kept;
}
