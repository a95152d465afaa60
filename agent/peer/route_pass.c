/*
 * What the routing core hears of the others, and they of it: see the table at the head of peer.h.
 */
#include "agent/peer/peer_state.h"

/* Is there anything beyond the sub-Grid? */
static bool has_above(const gp_peer_t *peer)
{
    return peer->seats[GP_SEAT_REGION].group != 0;
}

static void command(gp_peer_t *peer, gp_usec_t now, uint64_t token, const gp_msg_t *msg,
                    gp_out_t *out)
{
    gp_peer_command(peer, GP_SEAT_SUBGRID, now, token, msg, out);
}

void gp_peer_route_leader(gp_peer_t *peer, gp_seat_t seat, gp_usec_t now,
                          const gp_msg_leader_t *leader, gp_out_t *out)
{
    if (!has_above(peer) || (leader != NULL && leader->renewed)) {
        return;
    }
    gp_msg_t *msg = gp_peer_draft(out, GP_MSG_ROUTE_LEADER);
    gp_msg_route_leader_t *to = &msg->u.route_leader;
    to->seat = (uint8_t)seat;
    if (leader != NULL) {
        to->group = leader->group;
        to->term = leader->term;
        to->leader = leader->leader;
        to->deputy = leader->deputy;
        to->right = leader->right;
    }
    command(peer, now, 0, msg, out);
}

void gp_peer_route_cert(gp_peer_t *peer, gp_usec_t now, gp_slice_t cert, gp_out_t *out)
{
    gp_msg_t *msg = gp_peer_draft(out, GP_MSG_ROUTE_SELF);
    msg->u.route_self.cert = cert;
    command(peer, now, 0, msg, out);
}

void gp_peer_route_self(gp_peer_t *peer, gp_usec_t now, gp_out_t *out)
{
    if (!has_above(peer) || peer->coordinate.error >= GP_COORDINATE_ERROR_MAX) {
        return; /* it does not know where it is */
    }
    uint8_t *bytes = gp_out_bytes(out, GP_COORDINATE_BYTES);
    gp_coordinate_pack(&peer->coordinate, bytes);
    gp_msg_t *msg = gp_peer_draft(out, GP_MSG_ROUTE_SELF);
    msg->u.route_self.coordinate = gp_slice(bytes, GP_COORDINATE_BYTES);
    command(peer, now, 0, msg, out);
}

static void pass_member(gp_peer_t *peer, gp_usec_t now, const gp_action_t *notice, gp_out_t *out)
{
    const gp_msg_member_t *from = &notice->msg->u.member;
    if (notice->seat == GP_SEAT_SUBGRID) {
        return;
    }
    gp_msg_t *msg = gp_peer_draft(out, GP_MSG_ROUTE_MEMBER);
    msg->u.route_member.seat = (uint8_t)notice->seat;
    msg->u.route_member.id = from->entries[0].id;
    msg->u.route_member.back = from->before != GP_MEMBER_ALIVE &&
                               from->entries[0].state == GP_MEMBER_ALIVE &&
                               from->entries[0].cause != GP_CAUSE_JOINED;
    msg->u.route_member.gone = from->forgotten || from->entries[0].state == GP_MEMBER_LEFT;
    command(peer, now, 0, msg, out);
}

/* What was told last is renewed, so that small moves change nothing. */
static void pass_due(gp_peer_t *peer, gp_usec_t now, gp_out_t *out)
{
    gp_summary_t summary;
    if (peer->seats[GP_SEAT_SUBGRID].cores[GP_ROOM_DISCOVERY].rests) {
        return; /* nothing is new there */
    }
    gp_peer_route_self(peer, now, out);
    gp_route_names_t names = {{0}};
    uint8_t *digest = gp_out_bytes(out, GP_PLACE_NAMES_MAX);
    uint8_t *bytes = gp_out_bytes(out, GP_SUMMARY_MAX);
    gp_slice_t told = gp_route_told(gp_peer_route(peer));
    if (gp_summary_read(told, &summary) != GP_OK) {
        memset(&summary, 0, sizeof summary);
    }
    gp_msg_t *msg = gp_peer_draft(out, GP_MSG_ROUTE_OWN);
    gp_msg_route_own_t *to = &msg->u.route_own;
    to->members = gp_discovery_offer(gp_peer_discovery(peer), &summary, &names, &to->partial);
    to->summary = gp_slice(bytes, gp_summary_pack(&summary, bytes));
    to->names = gp_slice(digest, gp_route_names_pack(&names, digest));
    command(peer, now, 0, msg, out);
}

static void pass_question(gp_peer_t *peer, gp_usec_t now, const gp_action_t *notice, gp_out_t *out)
{
    const gp_msg_route_question_t *from = &notice->msg->u.route_question;
    gp_msg_t *msg = gp_peer_draft(out, GP_MSG_DISCOVERY_FIND);
    gp_msg_discovery_find_t *to = &msg->u.discovery_find;
    to->query = from->query;
    to->limit = from->limit;
    to->rank = from->rank;
    to->explain = from->explain;
    to->want = from->want;
    to->timeout_ms = from->timeout_ms;
    command(peer, now, notice->token | GP_TOKEN_ROUTE, msg, out);
}

static void pass_answer(gp_peer_t *peer, gp_usec_t now, const gp_action_t *notice, gp_out_t *out)
{
    const gp_msg_answer_t *from = &notice->msg->u.answer;
    if ((notice->token & (GP_TOKEN_ROUTE | GP_TOKEN_JOB)) != GP_TOKEN_ROUTE) {
        return;
    }
    gp_msg_t *msg = gp_peer_draft(out, GP_MSG_ROUTE_LOCAL);
    gp_msg_route_local_t *to = &msg->u.route_local;
    to->term = from->term;
    to->right = from->right;
    to->partial = from->partial;
    to->error = from->error;
    to->column = from->column;
    to->text = from->text;
    to->considered = from->considered;
    to->matched = from->matched;
    to->hits_count = from->hits_count;
    memcpy(to->hits, from->hits, from->hits_count * sizeof from->hits[0]);
    to->values_count = from->values_count;
    memcpy(to->values, from->values, from->values_count * sizeof from->values[0]);
    to->conditions_count = from->conditions_count;
    memcpy(to->conditions, from->conditions, from->conditions_count * sizeof from->conditions[0]);
    command(peer, now, notice->token & ~GP_TOKEN_ROUTE, msg, out);
}

void gp_peer_route_pass(gp_peer_t *peer, gp_usec_t now, const gp_action_t *notice, gp_out_t *out)
{
    if (!has_above(peer)) {
        return;
    }
    switch (notice->msg->kind) {
    case GP_MSG_MEMBER:
        pass_member(peer, now, notice, out);
        break;
    case GP_MSG_PLACE_DUE:
        pass_due(peer, now, out);
        break;
    case GP_MSG_ROUTE_QUESTION:
        pass_question(peer, now, notice, out);
        break;
    case GP_MSG_ANSWER:
        pass_answer(peer, now, notice, out);
        break;
    default:
        break;
    }
}
