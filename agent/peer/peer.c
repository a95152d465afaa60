#include "agent/peer/peer.h"

#include "proto/cert.h"

/* A question that a job asks carries this bit in its token; questions of users never do. */
#define JOB_TOKEN   (UINT64_C(1) << 63)
#define JOB_FIND_MS 10000

#define DISK_WELL_AFTER (5 * GP_SECOND) /* without a failure, and one record was taken */

typedef struct peer {
    gp_id_t self;
    bool leaving;
    bool forever;
    bool failing; /* the disk: the group knows */
    gp_usec_t failed_at;
    bool certified; /* machines have certificates here: without one they may do nothing */
    /* on the sheet at hand */
    bool stepped[GP_ROOM_COUNT];
    uint32_t detached[GP_ROOM_COUNT]; /* so many actions point to nothing of that core */
    void *cores[GP_ROOM_COUNT];
    size_t sizes[GP_ROOM_COUNT];
    gp_usec_t wakes[GP_ROOM_COUNT]; /* as each core said after its last step */
} peer_t;

static const gp_core_ops_t *const core_ops[GP_ROOM_COUNT] = {
    [GP_ROOM_GROUP] = &gp_group_ops,
    [GP_ROOM_ELECTION] = &gp_election_ops,
    [GP_ROOM_DISCOVERY] = &gp_discovery_ops,
    [GP_ROOM_WORK] = &gp_work_ops,
};

#define FIRST_CORE GP_ROOM_GROUP
#define LAST_CORE  GP_ROOM_WORK

static size_t aligned(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

static const void *config_of(const gp_peer_config_t *config, int room)
{
    switch (room) {
    case GP_ROOM_GROUP:
        return &config->group;
    case GP_ROOM_ELECTION:
        return &config->election;
    case GP_ROOM_DISCOVERY:
        return &config->discovery;
    default:
        assert(room == GP_ROOM_WORK);
        return &config->work;
    }
}

static size_t peer_size(const void *config)
{
    size_t total = aligned(sizeof(peer_t));
    for (int room = FIRST_CORE; room <= LAST_CORE; room++) {
        size_t size = core_ops[room]->size(config_of(config, room));
        if (size == 0) {
            return 0;
        }
        total += aligned(size);
    }
    return total;
}

/* The machine itself decides about a claim: its own record against the job's condition. */
static gp_error_t fits(void *context, gp_slice_t where, char *reason, size_t size)
{
    const peer_t *peer = context;
    gp_query_error_t why;
    gp_error_t error = gp_discovery_fits(peer->cores[GP_ROOM_DISCOVERY], where, &why);
    if (error != GP_OK && size > 0) {
        size_t n = why.text_n < size ? why.text_n : size - 1;
        memcpy(reason, why.text, n);
        reason[n] = '\0';
    }
    return error;
}

/* What a machine may do; gate and shell verified the certificate, here it is only read. */
static uint16_t roles_of(const peer_t *peer, const gp_id_t *id, gp_slice_t cert)
{
    gp_cert_t read;
    if (!peer->certified) {
        return GP_ROLE_ALL;
    }
    return gp_cert_read(cert, &read) == GP_OK && gp_id_equal(&read.node, id) ? read.roles : 0;
}

static void peer_init(void *core, const void *config, gp_id_t self, uint64_t seed)
{
    peer_t *peer = core;
    *peer = (peer_t){.self = self};
    uint8_t *memory = (uint8_t *)core + aligned(sizeof *peer);
    for (int room = FIRST_CORE; room <= LAST_CORE; room++) {
        peer->cores[room] = memory;
        peer->sizes[room] = core_ops[room]->size(config_of(config, room));
        memory += aligned(peer->sizes[room]);
    }
    const gp_group_config_t *group = &((const gp_peer_config_t *)config)->group;
    peer->certified = group->cert_max > 0 && group->cert.n > 0;
    gp_work_config_t work = ((const gp_peer_config_t *)config)->work;
    work.certified = peer->certified;
    work.roles = roles_of(peer, &self, group->cert);
    work.fits = fits;
    work.fits_context = peer;
    for (int room = FIRST_CORE; room <= LAST_CORE; room++) {
        const void *part = room == GP_ROOM_WORK ? &work : config_of(config, room);
        core_ops[room]->init(peer->cores[room], part, self, seed + (uint64_t)room);
        peer->wakes[room] = core_ops[room]->wake(peer->cores[room]);
    }
}

static void step_core(peer_t *peer, gp_room_t room, const gp_event_t *event, gp_out_t *out)
{
    gp_room_t before = out->room;
    if (peer->stepped[room]) {
        gp_out_detach(out, peer->detached[room], peer->cores[room], peer->sizes[room]);
        peer->detached[room] = out->count;
    }
    peer->stepped[room] = true;
    out->room = room;
    core_ops[room]->step(peer->cores[room], event, out);
    out->room = before;
    peer->wakes[room] = core_ops[room]->wake(peer->cores[room]);
}

/* ---- notices become commands ----------------------------------------------------------------- */

static void command(peer_t *peer, gp_usec_t now, uint64_t token, const gp_msg_t *msg, gp_out_t *out)
{
    gp_event_t event = {.type = GP_EVENT_COMMAND,
                        .room = gp_msg_room(msg->kind),
                        .now = now,
                        .token = token,
                        .ok = true,
                        .msg = msg};
    step_core(peer, event.room, &event, out);
}

/* A zeroed command in the arena, so that its slices may point where the notice's do. */
static gp_msg_t *draft(gp_out_t *out, gp_msg_kind_t kind)
{
    gp_msg_t *msg = gp_out_bytes(out, gp_msg_size(kind));
    msg->kind = kind;
    return msg;
}

static void pass_standings(peer_t *peer, gp_usec_t now, const gp_msg_t *notice, gp_out_t *out)
{
    gp_msg_t *msg = draft(out, GP_MSG_ELECTION_STANDINGS);
    const gp_msg_standings_t *from = &notice->u.standings;
    msg->u.election_standings.members_count = from->members_count;
    memcpy(msg->u.election_standings.members, from->members,
           from->members_count * sizeof from->members[0]);
    command(peer, now, 0, msg, out);
}

static void pass_evidence(peer_t *peer, gp_usec_t now, const gp_msg_t *notice, gp_out_t *out)
{
    gp_msg_t *msg = draft(out, GP_MSG_ELECTION_EVIDENCE);
    msg->u.election_evidence.target = notice->u.gone.target;
    msg->u.election_evidence.incarnation = notice->u.gone.incarnation;
    command(peer, now, 0, msg, out);
}

static void pass_member(peer_t *peer, gp_usec_t now, const gp_msg_t *notice, gp_out_t *out)
{
    gp_msg_t *msg = draft(out, GP_MSG_DISCOVERY_MEMBER);
    msg->u.discovery_member.forgotten = notice->u.member.forgotten;
    msg->u.discovery_member.entries_count = 1;
    msg->u.discovery_member.entries[0] = notice->u.member.entries[0];
    command(peer, now, 0, msg, out);
    msg = draft(out, GP_MSG_WORK_MEMBER);
    const gp_record_member_t *member = &notice->u.member.entries[0];
    msg->u.work_member.forgotten = notice->u.member.forgotten;
    msg->u.work_member.roles = roles_of(peer, &member->id, member->cert);
    msg->u.work_member.entries_count = 1;
    msg->u.work_member.entries[0] = *member;
    command(peer, now, 0, msg, out);
}

static void pass_leader(peer_t *peer, gp_usec_t now, const gp_msg_t *notice, gp_out_t *out)
{
    const gp_msg_leader_t *from = &notice->u.leader;
    gp_msg_t *msg = draft(out, GP_MSG_GROUP_LEADER);
    gp_msg_group_leader_t *to = &msg->u.group_leader;
    to->term = from->term;
    to->leader = from->leader;
    to->deputy = from->deputy;
    to->right = from->right;
    to->lease_until = from->lease_until;
    to->voters_count = from->voters_count;
    memcpy(to->voters, from->voters, from->voters_count * sizeof from->voters[0]);
    command(peer, now, 0, msg, out);
    msg = draft(out, GP_MSG_DISCOVERY_LEADER);
    msg->u.discovery_leader.term = from->term;
    msg->u.discovery_leader.leader = from->leader;
    msg->u.discovery_leader.deputy = from->deputy;
    msg->u.discovery_leader.right = from->right;
    msg->u.discovery_leader.lease_until = from->lease_until;
    command(peer, now, 0, msg, out);
}

static void pass_goodbye(peer_t *peer, gp_usec_t now, gp_out_t *out)
{
    if (peer->leaving) {
        gp_msg_t *msg = draft(out, GP_MSG_GROUP_LEAVE);
        msg->u.group_leave.forever = peer->forever;
        command(peer, now, 0, msg, out);
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

static void pass_question(peer_t *peer, gp_usec_t now, const gp_action_t *action, gp_out_t *out)
{
    const gp_msg_job_find_t *from = &action->msg->u.job_find;
    gp_msg_t *msg = draft(out, GP_MSG_DISCOVERY_FIND);
    gp_msg_discovery_find_t *to = &msg->u.discovery_find;
    const gp_group_member_t *on = gp_group_member(peer->cores[GP_ROOM_GROUP], &from->on);
    to->query = gp_id_is_none(&from->on) ? from->query : only_on(on, from->query, out);
    to->rank = from->rank;
    to->limit = from->limit;
    to->explain = from->explain;
    to->timeout_ms = JOB_FIND_MS;
    assert((from->job & JOB_TOKEN) == 0);
    command(peer, now, from->job | JOB_TOKEN, msg, out);
}

static void pass_answer(peer_t *peer, gp_usec_t now, const gp_action_t *action, gp_out_t *out)
{
    if ((action->token & JOB_TOKEN) == 0) {
        return;
    }
    const gp_msg_answer_t *from = &action->msg->u.answer;
    gp_msg_t *msg = draft(out, GP_MSG_WORK_ANSWER);
    gp_msg_work_answer_t *to = &msg->u.work_answer;
    to->error = from->error;
    to->text = from->text;
    to->considered = from->considered;
    to->hits_count = from->hits_count;
    memcpy(to->hits, from->hits, from->hits_count * sizeof from->hits[0]);
    to->conditions_count = from->conditions_count;
    memcpy(to->conditions, from->conditions, from->conditions_count * sizeof from->conditions[0]);
    command(peer, now, action->token & ~JOB_TOKEN, msg, out);
}

static void pass_on(peer_t *peer, gp_usec_t now, const gp_action_t *action, gp_out_t *out)
{
    const gp_msg_t *notice = action->msg;
    switch (notice->kind) {
    case GP_MSG_STANDINGS:
        pass_standings(peer, now, notice, out);
        break;
    case GP_MSG_GONE:
        pass_evidence(peer, now, notice, out);
        break;
    case GP_MSG_MEMBER:
        pass_member(peer, now, notice, out);
        break;
    case GP_MSG_LEADER:
        pass_leader(peer, now, notice, out);
        break;
    case GP_MSG_RELINQUISHED:
        pass_goodbye(peer, now, out);
        break;
    case GP_MSG_JOB_FIND:
        pass_question(peer, now, action, out);
        break;
    case GP_MSG_ANSWER:
        pass_answer(peer, now, action, out);
        break;
    default:
        break;
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

static void mark_leaving(peer_t *peer, const gp_event_t *event, gp_out_t *out)
{
    if (event->type != GP_EVENT_COMMAND || event->msg->kind != GP_MSG_ELECTION_RELINQUISH) {
        return;
    }
    peer->leaving = true;
    peer->forever = event->msg->u.election_relinquish.forever;
    gp_msg_t *msg = draft(out, GP_MSG_GROUP_SELF);
    msg->u.group_self.flags = GP_FLAG_LEAVING;
    command(peer, event->now, 0, msg, out);
}

/* Whichever record it was: who cannot keep what it promises shall have no part that needs it. */
static void watch_disk(peer_t *peer, bool ok, gp_usec_t now, gp_out_t *out)
{
    bool well = ok && now >= peer->failed_at + DISK_WELL_AFTER;
    peer->failed_at = ok ? peer->failed_at : now;
    if (ok ? peer->failing && well : !peer->failing) {
        peer->failing = !ok;
        gp_msg_t *msg = draft(out, GP_MSG_GROUP_DISK);
        msg->u.group_disk.failing = peer->failing;
        command(peer, now, 0, msg, out);
    }
}

static void dispatch(peer_t *peer, const gp_event_t *event, gp_out_t *out)
{
    switch (event->type) {
    case GP_EVENT_START:
        for (int room = FIRST_CORE; room <= LAST_CORE; room++) {
            step_core(peer, (gp_room_t)room, event, out);
        }
        break;
    case GP_EVENT_WAKE:
        for (int room = FIRST_CORE; room <= LAST_CORE; room++) {
            if (peer->wakes[room] <= event->now) {
                step_core(peer, (gp_room_t)room, event, out);
            }
        }
        break;
    case GP_EVENT_MSG:
        gp_group_heard(peer->cores[GP_ROOM_GROUP], &event->peer, event->now);
        peer->wakes[GP_ROOM_GROUP] = gp_group_ops.wake(peer->cores[GP_ROOM_GROUP]);
        if (gp_msg_room(event->msg->kind) <= LAST_CORE) {
            step_core(peer, gp_msg_room(event->msg->kind), event, out);
        }
        break;
    case GP_EVENT_LINK:
        step_core(peer, GP_ROOM_GROUP, event, out);
        break;
    case GP_EVENT_COMMAND:
        mark_leaving(peer, event, out);
        if (event->msg->kind == GP_MSG_GROUP_DISK) { /* of what no core wrote */
            watch_disk(peer, !event->msg->u.group_disk.failing, event->now, out);
            break;
        }
        step_core(peer, event->room, event, out);
        break;
    case GP_EVENT_STORED:
        step_core(peer, event->room, event, out);
        watch_disk(peer, event->ok, event->now, out);
        break;
    case GP_EVENT_LOAD:
    case GP_EVENT_DIALED:
        step_core(peer, event->room, event, out);
        break;
    }
}

static void peer_step(void *core, const gp_event_t *event, gp_out_t *out)
{
    peer_t *peer = core;
    uint32_t next = out->count;
    memset(peer->stepped, 0, sizeof peer->stepped);
    memset(peer->detached, 0, sizeof peer->detached);
    dispatch(peer, event, out);
    /*
     * Commands may bring further notices, and one core many steps on this sheet. What can wait
     * (gp_out_is_light) takes an eighth, and a message more. The rest is for what cannot. Measured
     * (tests/unit/agent_peer_peer.c) with certificates and texts of full length: 80 KB to tell of
     * 64 members, and 166 KB when all of them change while jobs, questions and output are late.
     * Reckoned there, from what was measured and from the longest messages, for all at once, which
     * no run has shown: 909 KB of 1,049, with each member changed twice (160 KB), all records of
     * attempts removed (41 KB), view, roster and records of a new leader (225 KB), and three
     * answers: to the event, of those that are due, and to the one question that a job asks in a
     * step (286 KB).
     */
    for (; next < out->count; next++) {
        if (out->actions[next].type == GP_ACTION_NOTICE) {
            gp_action_t action = out->actions[next];
            pass_on(peer, event->now, &action, out);
        }
    }
}

static gp_usec_t peer_wake(const void *core)
{
    const peer_t *peer = core;
    gp_usec_t first = GP_NEVER;
    for (int room = FIRST_CORE; room <= LAST_CORE; room++) {
        first = peer->wakes[room] < first ? peer->wakes[room] : first;
    }
    return first;
}

static void peer_check(const void *core)
{
    const peer_t *peer = core;
    for (int room = FIRST_CORE; room <= LAST_CORE; room++) {
        core_ops[room]->check(peer->cores[room]);
        assert(peer->wakes[room] == core_ops[room]->wake(peer->cores[room]));
    }
}

const gp_core_ops_t gp_peer_ops = {
    .name = "peer",
    .size = peer_size,
    .init = peer_init,
    .step = peer_step,
    .wake = peer_wake,
    .check = peer_check,
};

static const void *core_of(const void *peer, gp_room_t room)
{
    return ((const peer_t *)peer)->cores[room];
}

const void *gp_peer_group(const void *peer)
{
    return core_of(peer, GP_ROOM_GROUP);
}

const void *gp_peer_election(const void *peer)
{
    return core_of(peer, GP_ROOM_ELECTION);
}

const void *gp_peer_discovery(const void *peer)
{
    return core_of(peer, GP_ROOM_DISCOVERY);
}

const void *gp_peer_work(const void *peer)
{
    return core_of(peer, GP_ROOM_WORK);
}
