/*
 * From one sub-Grid to another: this machine leaves the old group in good order, writes down where
 * it goes, and begins there with the same work, questions and records that it has here. A crash in
 * between finds it in the one or the other, never in both: what is on the disk decides.
 *
 *   FORM_GO       leave all seats (as when the agent stops, but what is told is: it moves)
 *   LEFT          the old group knows -> FORM_KEEP, the forming core writes FORM_STATE
 *   STORED        of all that was on its way -> new cores for the sub-Grid's seat, FORM_MOVED
 *   FORM_ARRIVED  the shell has loaded what its disk knows of the new group -> START
 */
#include "agent/peer/peer_state.h"

#include "proto/text.h"

gp_peer_contact_t gp_peer_contact(const gp_record_member_t *entry)
{
    gp_peer_contact_t contact = {.id = entry->id};
    (void)gp_text_copy(contact.name, sizeof contact.name, entry->name);
    (void)gp_text_copy(contact.address, sizeof contact.address, entry->address);
    if (entry->cert.n <= sizeof contact.cert) {
        contact.cert_n = entry->cert.n;
        memcpy(contact.cert, entry->cert.p, contact.cert_n);
    }
    return contact;
}

void gp_peer_move_begin(gp_peer_t *peer, const gp_msg_form_go_t *order, gp_usec_t now,
                        gp_out_t *out)
{
    const gp_peer_seat_t *seat = &peer->seats[GP_SEAT_SUBGRID];
    if (peer->leaving || order->chosen == seat->group || seat->lives == UINT16_MAX) {
        return;
    }
    peer->move = (gp_peer_move_t){.found = order->found, .subgrid = order->chosen};
    if (order->entries_count > 0) {
        peer->move.there = gp_peer_contact(&order->entries[0]);
    }
    if (order->above_count > 0) {
        peer->move.above = gp_peer_contact(&order->above[0]);
    }
    peer->moving = true;
    gp_msg_t *msg = gp_peer_draft(out, GP_MSG_ELECTION_RELINQUISH);
    msg->u.election_relinquish.forever = true;
    gp_peer_leave(peer, now, msg, out);
}

void gp_peer_move_left(gp_peer_t *peer, gp_usec_t now, gp_out_t *out)
{
    assert(peer->moving && !peer->move.left);
    peer->move.left = true;
    gp_msg_t *msg = gp_peer_draft(out, GP_MSG_FORM_KEEP);
    msg->u.form_keep.subgrid = peer->move.subgrid;
    msg->u.form_keep.found = peer->move.found;
    gp_peer_command(peer, GP_SEAT_SUBGRID, now, 0, msg, out);
}

/* Nobody of the old group is known here any more. */
static void forget_members(gp_peer_t *peer, gp_usec_t now, gp_out_t *out)
{
    const void *group = gp_peer_group(peer);
    for (uint32_t i = 0; i < gp_group_count(group); i++) {
        const gp_group_member_t *member = gp_group_member_at(group, i);
        if (gp_id_equal(&member->id, &peer->self)) {
            continue;
        }
        gp_record_member_t entry = {.id = member->id, .state = GP_MEMBER_NONE};
        gp_msg_t *msg = gp_peer_draft(out, GP_MSG_DISCOVERY_MEMBER);
        msg->u.discovery_member.forgotten = true;
        msg->u.discovery_member.entries_count = 1;
        msg->u.discovery_member.entries[0] = entry;
        gp_peer_command(peer, GP_SEAT_SUBGRID, now, 0, msg, out);
        msg = gp_peer_draft(out, GP_MSG_WORK_MEMBER);
        msg->u.work_member.forgotten = true;
        msg->u.work_member.entries_count = 1;
        msg->u.work_member.entries[0] = entry;
        gp_peer_command(peer, GP_SEAT_SUBGRID, now, 0, msg, out);
    }
}

static void begin_anew(gp_peer_t *peer, gp_usec_t now, gp_out_t *out)
{
    gp_peer_seat_t *seat = &peer->seats[GP_SEAT_SUBGRID];
    uint64_t before = seat->group;
    forget_members(peer, now, out);
    for (uint32_t i = 0; i < gp_group_count(gp_peer_group(peer)); i++) {
        const gp_group_member_t *member = gp_group_member_at(gp_peer_group(peer), i);
        if (gp_group_links_to(gp_peer_group(peer), &member->id)) {
            gp_out_plain(out, GP_ACTION_LINK, &member->id, 0);
        }
    }
    gp_peer_tell_leader(peer, now, gp_peer_draft(out, GP_MSG_TIERS_LEADER), out); /* nobody */
    gp_discovery_moved(seat->cores[GP_ROOM_DISCOVERY].core, peer->move.subgrid);
    gp_forming_moved(seat->cores[GP_ROOM_FORMING].core, peer->move.subgrid);
    seat->group = peer->move.subgrid;
    seat->open = false;
    seat->started = false;
    gp_peer_seat_open(peer, GP_SEAT_SUBGRID);
    const gp_room_t room = out->room;
    out->room = GP_ROOM_FORMING;
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &peer->self, GP_MSG_FORM_MOVED);
    msg->u.form_moved.subgrid = seat->group;
    msg->u.form_moved.before = before;
    out->room = room;
}

void gp_peer_move_stored(gp_peer_t *peer, const gp_event_t *event, gp_out_t *out)
{
    if (!peer->moving || !peer->move.left) {
        return;
    }
    bool kept = event->room == GP_ROOM_FORMING && event->seat == GP_SEAT_SUBGRID && event->ok;
    bool was_kept = peer->move.kept;
    peer->move.kept = was_kept || kept;
    bool begun = peer->seats[GP_SEAT_SUBGRID].group == peer->move.subgrid;
    if (peer->move.kept && !begun && peer->seats[GP_SEAT_SUBGRID].stores == 0) {
        begin_anew(peer, event->now, out);
    }
}

void gp_peer_move_arrive(gp_peer_t *peer, gp_usec_t now, gp_out_t *out)
{
    gp_peer_seat_t *seat = &peer->seats[GP_SEAT_SUBGRID];
    if (!peer->moving || seat->started || seat->group != peer->move.subgrid) {
        return;
    }
    const gp_peer_contact_t *there = &peer->move.there;
    if (!peer->move.found) {
        gp_msg_t *known = gp_peer_draft(out, GP_MSG_GROUP_STATE);
        known->u.group_state.group = seat->group;
        known->u.group_state.leader = there->id;
        known->u.group_state.entries_count = 1;
        known->u.group_state.entries[0] =
            (gp_record_member_t){.id = there->id,
                                 .state = GP_MEMBER_UNKNOWN,
                                 .cause = GP_CAUSE_JOINED,
                                 .name = gp_text(there->name),
                                 .address = gp_text(there->address),
                                 .cert = gp_slice(there->cert, there->cert_n)};
        const gp_event_t load = {
            .type = GP_EVENT_LOAD, .room = GP_ROOM_GROUP, .now = now, .msg = known};
        gp_peer_step_core(peer, GP_SEAT_SUBGRID, GP_ROOM_GROUP, &load, out);
    }
    bool found = peer->move.found;
    peer->moving = false;
    peer->leaving = false;
    peer->forever = false;
    peer->move = (gp_peer_move_t){.found = false};
    gp_peer_seat_start(peer, GP_SEAT_SUBGRID, now, out);
    gp_peer_tell_self(peer, now, out);
    if (found) {
        gp_msg_t *msg = gp_peer_draft(out, GP_MSG_ELECTION_FOUND);
        msg->u.election_found.score = 500;
        msg->u.election_found.alone = true;
        gp_peer_command(peer, GP_SEAT_SUBGRID, now, 0, msg, out);
    }
}
