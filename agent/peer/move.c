/*
 * From one sub-Grid to another: this machine leaves all its groups in good order, the forming core
 * writes down where it goes (FORM_STATE), and says FORM_MOVED; then the shell starts the peer anew,
 * as after a restart, in the sub-Grid that the disk names. A crash in between finds it in the one
 * or in the other, never in both. Nothing of its work is open, so nothing of it is lost.
 */
#include "agent/peer/peer_state.h"

#include "proto/text.h"

void gp_peer_move_begin(gp_peer_t *peer, const gp_msg_form_go_t *order, gp_usec_t now,
                        gp_out_t *out)
{
    if (peer->leaving || order->subgrid == peer->seats[GP_SEAT_SUBGRID].group) {
        return;
    }
    peer->moving = order->subgrid;
    gp_msg_t *msg = gp_peer_draft(out, GP_MSG_ELECTION_RELINQUISH);
    msg->u.election_relinquish.forever = true;
    gp_peer_leave(peer, now, msg, out);
}

void gp_peer_move_left(gp_peer_t *peer, gp_usec_t now, gp_out_t *out)
{
    assert(peer->moving != 0);
    gp_msg_t *msg = gp_peer_draft(out, GP_MSG_FORM_KEEP);
    msg->u.form_keep.subgrid = peer->moving;
    gp_peer_command(peer, GP_SEAT_SUBGRID, now, 0, msg, out);
}

void gp_peer_move_load(gp_peer_t *peer, const gp_event_t *event, gp_out_t *out)
{
    const gp_msg_form_state_t *state = &event->msg->u.form_state;
    if (state->subgrid != peer->seats[GP_SEAT_SUBGRID].group) {
        return;
    }
    if (state->above_count > 0) {
        peer->above = state->above[0].id;
        peer->above_seat = (gp_seat_t)state->found; /* next to the last that it founds */
        (void)gp_text_copy(peer->above_address, sizeof peer->above_address,
                           state->above[0].address);
    }
    if (state->entries_count == 0) {
        return;
    }
    gp_msg_t *known = gp_peer_draft(out, GP_MSG_GROUP_STATE);
    known->u.group_state.group = state->subgrid;
    known->u.group_state.leader = state->entries[0].id;
    known->u.group_state.entries_count = 1;
    known->u.group_state.entries[0] = state->entries[0];
    const gp_event_t load = {
        .type = GP_EVENT_LOAD, .room = GP_ROOM_GROUP, .now = event->now, .msg = known};
    gp_peer_step_core(peer, GP_SEAT_SUBGRID, GP_ROOM_GROUP, &load, out);
}

void gp_peer_contact_above(const gp_peer_t *peer, gp_out_t *out)
{
    const gp_room_t room = out->room;
    if (gp_id_is_none(&peer->above)) {
        return;
    }
    out->room = GP_ROOM_TIERS;
    gp_msg_t *msg = gp_out_add(out, GP_ACTION_NOTICE, &peer->self, GP_MSG_CONTACT);
    msg->u.contact.id = peer->above;
    msg->u.contact.address = gp_text(peer->above_address);
    out->room = room;
}
