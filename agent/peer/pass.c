/*
 * What one core of a machine reports becomes a command to those that need it, in the same step: see
 * the table at the head of peer.h.
 */
#include "agent/peer/peer_state.h"

/* A question that a job asks carries this bit in its token; questions of users never do. */
#define JOB_TOKEN   (UINT64_C(1) << 63)
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

static void pass_goodbye(const pass_t *pass)
{
    if (pass->peer->leaving) {
        gp_msg_t *msg = gp_peer_draft(pass->out, GP_MSG_GROUP_LEAVE);
        msg->u.group_leave.forever = pass->peer->forever;
        command(pass, 0, msg);
    }
}

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
    assert((from->job & JOB_TOKEN) == 0);
    command(pass, from->job | JOB_TOKEN, msg);
}

static void pass_answer(const pass_t *pass, const gp_action_t *notice)
{
    if ((notice->token & JOB_TOKEN) == 0) {
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
    command(pass, notice->token & ~JOB_TOKEN, msg);
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
        break;
    case GP_MSG_LEADER:
        pass_leader(&pass, notice);
        break;
    case GP_MSG_RELINQUISHED:
        pass_goodbye(&pass);
        break;
    case GP_MSG_JOB_FIND:
        pass_question(&pass, notice);
        break;
    case GP_MSG_ANSWER:
        pass_answer(&pass, notice);
        break;
    default:
        break;
    }
}
