/*
 * What one core of a machine reports becomes a command to those that need it, in the same step: see
 * the table at the head of peer.h.
 */
#include "agent/peer/peer_state.h"

#define JOB_FIND_MS 10000

typedef struct pass {
    gp_peer_t *peer;
    gp_seat_t seat; /* of the core that reports */
    gp_usec_t now;
    gp_out_t *out;
} pass_t;

static void command(const pass_t *pass, uint64_t token, const gp_msg_t *msg)
{
    gp_peer_command(pass->peer, pass->seat, pass->now, token, msg, pass->out);
}

static void pass_standings(const pass_t *pass, const gp_action_t *notice)
{
    gp_msg_t *msg = gp_peer_draft(pass->out, GP_MSG_ELECTION_STANDINGS);
    const gp_msg_standings_t *from = &notice->msg->u.standings;
    msg->u.election_standings.members_count = from->members_count;
    memcpy(msg->u.election_standings.members, from->members,
           from->members_count * sizeof from->members[0]);
    command(pass, 0, msg);
}

static void pass_evidence(const pass_t *pass, const gp_action_t *notice)
{
    gp_msg_t *msg = gp_peer_draft(pass->out, GP_MSG_ELECTION_EVIDENCE);
    msg->u.election_evidence.target = notice->msg->u.gone.target;
    msg->u.election_evidence.incarnation = notice->msg->u.gone.incarnation;
    command(pass, 0, msg);
}

static void pass_member(const pass_t *pass, const gp_action_t *notice)
{
    gp_msg_t *msg = gp_peer_draft(pass->out, GP_MSG_DISCOVERY_MEMBER);
    msg->u.discovery_member.forgotten = notice->msg->u.member.forgotten;
    msg->u.discovery_member.entries_count = 1;
    msg->u.discovery_member.entries[0] = notice->msg->u.member.entries[0];
    command(pass, 0, msg);
    msg = gp_peer_draft(pass->out, GP_MSG_WORK_MEMBER);
    const gp_record_member_t *member = &notice->msg->u.member.entries[0];
    msg->u.work_member.forgotten = notice->msg->u.member.forgotten;
    msg->u.work_member.roles = gp_peer_roles(pass->peer, &member->id, member->cert);
    msg->u.work_member.entries_count = 1;
    msg->u.work_member.entries[0] = *member;
    command(pass, 0, msg);
}

static void pass_leader(const pass_t *pass, const gp_action_t *notice)
{
    const gp_msg_leader_t *from = &notice->msg->u.leader;
    gp_msg_t *msg = gp_peer_draft(pass->out, GP_MSG_GROUP_LEADER);
    gp_msg_group_leader_t *to = &msg->u.group_leader;
    to->term = from->term;
    to->leader = from->leader;
    to->deputy = from->deputy;
    to->right = from->right;
    to->lease_until = from->lease_until;
    to->voters_count = from->voters_count;
    memcpy(to->voters, from->voters, from->voters_count * sizeof from->voters[0]);
    command(pass, 0, msg);
    msg = gp_peer_draft(pass->out, GP_MSG_DISCOVERY_LEADER);
    msg->u.discovery_leader.term = from->term;
    msg->u.discovery_leader.leader = from->leader;
    msg->u.discovery_leader.deputy = from->deputy;
    msg->u.discovery_leader.right = from->right;
    msg->u.discovery_leader.lease_until = from->lease_until;
    command(pass, 0, msg);
}

void gp_peer_tell_leader(gp_peer_t *peer, gp_usec_t now, const gp_msg_t *news, gp_out_t *out)
{
    const gp_room_t rooms[] = {GP_ROOM_TIERS, GP_ROOM_FORMING};
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        const gp_event_t event = {
            .type = GP_EVENT_COMMAND, .room = rooms[i], .now = now, .ok = true, .msg = news};
        gp_peer_step_core(peer, GP_SEAT_SUBGRID, rooms[i], &event, out);
    }
}

static void pass_to_tiers(const pass_t *pass, const gp_action_t *notice)
{
    const gp_msg_leader_t *from = &notice->msg->u.leader;
    gp_msg_t *msg = gp_peer_draft(pass->out, GP_MSG_TIERS_LEADER);
    gp_msg_tiers_leader_t *to = &msg->u.tiers_leader;
    to->seat = (uint8_t)pass->seat;
    to->term = from->term;
    to->leader = from->leader;
    to->right = from->right;
    to->lease_until =
        from->lease_until > 0 ? from->lease_until + gp_peer_behind(pass->peer, pass->seat) : 0;
    to->voters_count = from->voters_count;
    memcpy(to->voters, from->voters, from->voters_count * sizeof from->voters[0]);
    gp_peer_tell_leader(pass->peer, pass->now, msg, pass->out);
}

/* The sub-Grid is to know that its super-peer leads the region. */
static void pass_to_subgrid(const pass_t *pass, const gp_action_t *notice)
{
    const gp_msg_leader_t *from = &notice->msg->u.leader;
    uint8_t *flags = &pass->peer->seats[GP_SEAT_SUBGRID].flags;
    const uint8_t before = *flags;
    if (pass->seat != GP_SEAT_REGION) {
        return;
    }
    bool leads = from->right == GP_RIGHT_QUORUM && gp_id_equal(&from->leader, &pass->peer->self);
    *flags = (uint8_t)((before & ~GP_FLAG_REGION_PEER) | (leads ? GP_FLAG_REGION_PEER : 0));
    if (*flags != before) {
        gp_peer_tell_self(pass->peer, pass->now, pass->out);
    }
}

static void say_goodbye(const pass_t *pass, gp_seat_t seat)
{
    gp_msg_t *msg = gp_peer_draft(pass->out, GP_MSG_GROUP_LEAVE);
    msg->u.group_leave.forever = pass->peer->forever || pass->peer->seats[seat].giving;
    msg->u.group_leave.moves = pass->peer->moving != 0 && seat == GP_SEAT_SUBGRID;
    gp_peer_command(pass->peer, seat, pass->now, 0, msg, pass->out);
}

/* The sub-Grid is told last: who has left it is expected nowhere any more. */
static void pass_relinquished(const pass_t *pass)
{
    if (pass->seat != GP_SEAT_SUBGRID) {
        say_goodbye(pass, pass->seat);
    } else if (pass->peer->leaving && gp_peer_seated_above(pass->peer)) {
        pass->peer->goodbye = true;
    } else if (pass->peer->leaving) {
        say_goodbye(pass, GP_SEAT_SUBGRID);
    }
}

/* One group cannot spare this machine: it stays in all of them. */
static void pass_heirless(const pass_t *pass)
{
    gp_peer_t *peer = pass->peer;
    peer->seats[pass->seat].giving = false;
    if (peer->leaving) {
        peer->leaving = false;
        peer->moving = 0;
        peer->forever = false;
        peer->goodbye = false;
        gp_msg_t *msg = gp_peer_draft(pass->out, GP_MSG_ELECTION_STAY);
        gp_peer_command_all(peer, pass->now, msg, pass->out);
        gp_peer_tell_self(peer, pass->now, pass->out);
    }
}

static void pass_left(const pass_t *pass)
{
    if (pass->seat == GP_SEAT_SUBGRID) {
        if (pass->peer->moving != 0) {
            gp_peer_move_left(pass->peer, pass->now, pass->out);
        }
        return;
    }
    gp_peer_seat_close(pass->peer, pass->seat, pass->now, pass->out);
    if (pass->peer->goodbye && !gp_peer_seated_above(pass->peer)) {
        pass->peer->goodbye = false;
        say_goodbye(pass, GP_SEAT_SUBGRID);
    }
}

/* ---- seats ----------------------------------------------------------------------------------- */

static void pass_offer(const pass_t *pass, const gp_action_t *notice)
{
    gp_seat_t seat = (gp_seat_t)notice->msg->u.seat_offer.seat;
    const gp_id_t *target = &notice->msg->u.seat_offer.target;
    const void *below = gp_peer_seat_group(pass->peer, (gp_seat_t)(seat - 1));
    const gp_group_member_t *member = below != NULL ? gp_group_member(below, target) : NULL;
    const void *there = gp_peer_seat_group(pass->peer, seat);
    if (member == NULL && there != NULL) {
        member = gp_group_member(there, target); /* it founded what is below it */
    }
    if (member == NULL) {
        return;
    }
    gp_msg_t *msg = gp_peer_draft(pass->out, GP_MSG_GROUP_INVITE);
    msg->u.group_invite.entries_count = 1;
    msg->u.group_invite.entries[0] = (gp_record_member_t){.id = member->id,
                                                          .name = gp_text(member->name),
                                                          .address = gp_text(member->address),
                                                          .cert = member->cert};
    gp_peer_command(pass->peer, seat, pass->now, 0, msg, pass->out);
}

/* Into the sub-Grid; to lead one of its own, into the region; or a region, into the grid. */
static void pass_invite(const pass_t *pass, const gp_action_t *notice)
{
    const gp_msg_form_invite_t *from = &notice->msg->u.form_invite;
    gp_msg_t *msg = gp_peer_draft(pass->out, GP_MSG_GROUP_INTRODUCE);
    msg->u.group_introduce.entries_count = from->entries_count;
    memcpy(msg->u.group_introduce.entries, from->entries,
           from->entries_count * sizeof from->entries[0]);
    gp_peer_command(pass->peer, (gp_seat_t)from->seat, pass->now, 0, msg, pass->out);
}

/* One of them may have it, or know who does. */
static void pass_wanted(const pass_t *pass, const gp_action_t *notice)
{
    gp_seat_t seat = (gp_seat_t)notice->msg->u.seat_wanted.seat;
    const void *below = gp_peer_seat_group(pass->peer, (gp_seat_t)(seat - 1));
    uint32_t members = below != NULL ? gp_group_count(below) : 0;
    gp_id_t *targets = gp_out_bytes(pass->out, (members + 1) * sizeof *targets);
    uint32_t count = 0;
    if (seat == pass->peer->above_seat && !gp_id_is_none(&pass->peer->above)) {
        targets[count++] = pass->peer->above;
        gp_peer_contact_above(pass->peer, pass->out);
    }
    for (uint32_t i = 0; i < members; i++) {
        const gp_group_member_t *m = gp_group_member_at(below, i);
        if (m->state == GP_MEMBER_ALIVE && !gp_id_equal(&m->id, &pass->peer->self)) {
            targets[count++] = m->id;
        }
    }
    if (count == 0) {
        return;
    }
    const gp_room_t room = pass->out->room;
    pass->out->room = GP_ROOM_TIERS;
    gp_msg_t *msg = gp_out_add(pass->out, GP_ACTION_CAST, &pass->peer->self, GP_MSG_SEAT_ASK);
    gp_out_last(pass->out)->targets = targets;
    gp_out_last(pass->out)->target_count = count;
    msg->u.seat_ask.group = pass->peer->seats[seat].group;
    pass->out->room = room;
}

static void pass_role(const pass_t *pass, const gp_action_t *notice)
{
    const gp_msg_seat_role_t *role = &notice->msg->u.seat_role;
    pass->peer->seats[role->seat].flags =
        (uint8_t)((role->standby ? GP_FLAG_STANDBY : 0) | (role->resigns ? GP_FLAG_LEAVING : 0));
    gp_peer_tell_self(pass->peer, pass->now, pass->out);
}

static void pass_give(const pass_t *pass, const gp_action_t *notice)
{
    gp_seat_t seat = (gp_seat_t)notice->msg->u.seat_give.seat;
    if (!pass->peer->seats[seat].started) {
        return;
    }
    pass->peer->seats[seat].giving = true;
    gp_msg_t *msg = gp_peer_draft(pass->out, GP_MSG_ELECTION_RELINQUISH);
    msg->u.election_relinquish.forever = true;
    gp_peer_command(pass->peer, seat, pass->now, 0, msg, pass->out);
}

/* ---- jobs and questions ---------------------------------------------------------------------- */

/* `name == "N" and (QUERY)`, in the arena; a machine that is no member matches nothing. */
static gp_slice_t only_on(const gp_group_member_t *member, gp_slice_t query, gp_out_t *out)
{
    static const char head[] = "name == \"", tail[] = "\"", more[] = " and (";
    const char *name = member != NULL ? member->name : "-"; /* nobody can be called that */
    size_t name_n = strlen(name);
    char *text = gp_out_bytes(out, sizeof head + name_n + sizeof tail + sizeof more + query.n + 1);
    char *at = text;
    memcpy(at, head, sizeof head - 1);
    at += sizeof head - 1;
    memcpy(at, name, name_n);
    at += name_n;
    memcpy(at, tail, sizeof tail - 1);
    at += sizeof tail - 1;
    if (query.n > 0) {
        memcpy(at, more, sizeof more - 1);
        at += sizeof more - 1;
        memcpy(at, query.p, query.n);
        at += query.n;
        *at++ = ')';
    }
    return gp_slice(text, (size_t)(at - text));
}

static void pass_question(const pass_t *pass, const gp_action_t *notice)
{
    const gp_msg_job_find_t *from = &notice->msg->u.job_find;
    gp_msg_t *msg = gp_peer_draft(pass->out, GP_MSG_DISCOVERY_FIND);
    gp_msg_discovery_find_t *to = &msg->u.discovery_find;
    const gp_group_member_t *on = gp_group_member(gp_peer_group(pass->peer), &from->on);
    to->query = gp_id_is_none(&from->on) ? from->query : only_on(on, from->query, pass->out);
    to->rank = from->rank;
    to->limit = from->limit;
    to->explain = from->explain;
    to->timeout_ms = JOB_FIND_MS;
    assert((from->job & GP_TOKEN_JOB) == 0);
    command(pass, from->job | GP_TOKEN_JOB, msg);
}

static void pass_answer(const pass_t *pass, const gp_action_t *notice)
{
    if ((notice->token & GP_TOKEN_JOB) == 0) {
        return;
    }
    const gp_msg_answer_t *from = &notice->msg->u.answer;
    gp_msg_t *msg = gp_peer_draft(pass->out, GP_MSG_WORK_ANSWER);
    gp_msg_work_answer_t *to = &msg->u.work_answer;
    to->error = from->error;
    to->text = from->text;
    to->considered = from->considered;
    to->hits_count = from->hits_count;
    memcpy(to->hits, from->hits, from->hits_count * sizeof from->hits[0]);
    to->conditions_count = from->conditions_count;
    memcpy(to->conditions, from->conditions, from->conditions_count * sizeof from->conditions[0]);
    command(pass, notice->token & ~GP_TOKEN_JOB, msg);
}

void gp_peer_pass_on(gp_peer_t *peer, gp_usec_t now, const gp_action_t *notice, gp_out_t *out)
{
    const pass_t pass = {.peer = peer, .seat = notice->seat, .now = now, .out = out};
    switch (notice->msg->kind) {
    case GP_MSG_STANDINGS:
        pass_standings(&pass, notice);
        break;
    case GP_MSG_GONE:
        pass_evidence(&pass, notice);
        break;
    case GP_MSG_MEMBER:
        pass_member(&pass, notice);
        gp_peer_route_pass(peer, now, notice, out);
        break;
    case GP_MSG_LEADER:
        pass_leader(&pass, notice);
        pass_to_tiers(&pass, notice);
        pass_to_subgrid(&pass, notice);
        gp_peer_route_leader(peer, notice->seat, now, &notice->msg->u.leader, out);
        break;
    case GP_MSG_RELINQUISHED:
        pass_relinquished(&pass);
        break;
    case GP_MSG_HEIRLESS:
        pass_heirless(&pass);
        break;
    case GP_MSG_LEFT:
        pass_left(&pass);
        break;
    case GP_MSG_SEAT_TAKE:
        gp_peer_seat_take(peer, (gp_seat_t)notice->msg->u.seat_take.seat, now, out);
        break;
    case GP_MSG_SEAT_GIVE:
        pass_give(&pass, notice);
        break;
    case GP_MSG_SEAT_OFFER:
        pass_offer(&pass, notice);
        break;
    case GP_MSG_SEAT_WANTED:
        pass_wanted(&pass, notice);
        break;
    case GP_MSG_SEAT_ROLE:
        pass_role(&pass, notice);
        break;
    case GP_MSG_FORM_INVITE:
        pass_invite(&pass, notice);
        break;
    case GP_MSG_FORM_GO:
        gp_peer_move_begin(peer, &notice->msg->u.form_go, now, out);
        break;
    case GP_MSG_JOB_FIND:
        pass_question(&pass, notice);
        break;
    case GP_MSG_ANSWER:
        pass_answer(&pass, notice);
        gp_peer_route_pass(peer, now, notice, out);
        break;
    case GP_MSG_PLACE_DUE:
    case GP_MSG_ROUTE_QUESTION:
        gp_peer_route_pass(peer, now, notice, out);
        break;
    default:
        break;
    }
}
