#include "agent/peer/peer_state.h"

#include "proto/cert.h"

#define DISK_WELL_AFTER (5 * GP_SECOND) /* without a failure, and one record was taken */

/* Which cores a machine has: each once in its seat. In this order they are started and woken. */
static const struct {
    gp_seat_t seat;
    gp_room_t room;
    const gp_core_ops_t *ops;
} layout[] = {
    {GP_SEAT_SUBGRID, GP_ROOM_GROUP, &gp_group_ops},
    {GP_SEAT_SUBGRID, GP_ROOM_ELECTION, &gp_election_ops},
    {GP_SEAT_SUBGRID, GP_ROOM_DISCOVERY, &gp_discovery_ops},
    {GP_SEAT_SUBGRID, GP_ROOM_WORK, &gp_work_ops},
    {GP_SEAT_SUBGRID, GP_ROOM_TIERS, &gp_tiers_ops},
    {GP_SEAT_SUBGRID, GP_ROOM_ROUTE, &gp_route_ops},
    {GP_SEAT_SUBGRID, GP_ROOM_FORMING, &gp_forming_ops},
    {GP_SEAT_REGION, GP_ROOM_GROUP, &gp_group_ops},
    {GP_SEAT_REGION, GP_ROOM_ELECTION, &gp_election_ops},
    {GP_SEAT_GRID, GP_ROOM_GROUP, &gp_group_ops},
    {GP_SEAT_GRID, GP_ROOM_ELECTION, &gp_election_ops},
};
#define CORES (sizeof layout / sizeof layout[0])

static gp_peer_core_t *core_at(gp_peer_t *peer, size_t i)
{
    return &peer->seats[layout[i].seat].cores[layout[i].room];
}

/* NULL: its seat is not open. */
static const gp_peer_core_t *open_at(const gp_peer_t *peer, size_t i)
{
    const gp_peer_seat_t *seat = &peer->seats[layout[i].seat];
    return seat->open ? &seat->cores[layout[i].room] : NULL;
}

/* On the clock of this machine; GP_NEVER: it is not open, rests or wants nothing. */
static gp_usec_t wake_at(const gp_peer_t *peer, size_t i)
{
    const gp_peer_core_t *part = open_at(peer, i);
    bool wants = part != NULL && !part->rests && part->wake != GP_NEVER;
    return wants ? part->wake + part->behind : GP_NEVER;
}

static size_t aligned(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

/* What it needs to know is said elsewhere already. */
static gp_route_config_t route_config(const gp_peer_config_t *config)
{
    return (gp_route_config_t){.groups = {config->group.group, config->tiers.groups[GP_SEAT_REGION],
                                          config->tiers.groups[GP_SEAT_GRID]},
                               .region = config->discovery.region,
                               .cert = config->group.cert};
}

static const void *config_of(const gp_peer_config_t *config, const gp_route_config_t *route,
                             gp_room_t room)
{
    switch (room) {
    case GP_ROOM_GROUP:
        return &config->group;
    case GP_ROOM_ELECTION:
        return &config->election;
    case GP_ROOM_DISCOVERY:
        return &config->discovery;
    case GP_ROOM_TIERS:
        return &config->tiers;
    case GP_ROOM_FORMING:
        return &config->forming;
    case GP_ROOM_ROUTE:
        return route;
    default:
        assert(room == GP_ROOM_WORK);
        return &config->work;
    }
}

/* A machine of a lone sub-Grid has no memory for seats above. */
static bool may_have(const gp_peer_config_t *config, size_t i)
{
    return layout[i].seat == GP_SEAT_SUBGRID || config->tiers.groups[layout[i].seat] != 0;
}

/* For the groups above; what this machine says of itself is filled in when it takes its seat. */
static gp_group_config_t group_above(const gp_peer_config_t *config)
{
    gp_group_config_t above = config->group;
    above.members_max = config->members_above != 0 ? config->members_above : above.members_max;
    above.name = above.address = above.cert = (gp_slice_t){0};
    return above;
}

/* As the core is made in its seat. */
static size_t size_at(const gp_peer_config_t *config, const gp_route_config_t *route, size_t i)
{
    if (layout[i].seat != GP_SEAT_SUBGRID && layout[i].room == GP_ROOM_GROUP) {
        const gp_group_config_t above = group_above(config);
        return layout[i].ops->size(&above);
    }
    return layout[i].ops->size(config_of(config, route, layout[i].room));
}

static size_t peer_size(const void *config)
{
    const gp_route_config_t route = route_config(config);
    size_t total = aligned(sizeof(gp_peer_t));
    for (size_t i = 0; i < CORES; i++) {
        if (!may_have(config, i)) {
            continue;
        }
        size_t size = size_at(config, &route, i);
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
    const gp_peer_t *peer = context;
    void *discovery = peer->seats[GP_SEAT_SUBGRID].cores[GP_ROOM_DISCOVERY].core;
    gp_query_error_t why;
    gp_error_t error = gp_discovery_fits(discovery, where, &why);
    if (error != GP_OK && size > 0) {
        size_t n = why.text_n < size ? why.text_n : size - 1;
        memcpy(reason, why.text, n);
        reason[n] = '\0';
    }
    return error;
}

uint16_t gp_peer_roles(const gp_peer_t *peer, const gp_id_t *id, gp_slice_t cert)
{
    gp_cert_t read;
    if (!peer->certified) {
        return GP_ROLE_ALL;
    }
    return gp_cert_read(cert, &read) == GP_OK && gp_id_equal(&read.node, id) ? read.roles : 0;
}

static void init_seats(gp_peer_t *peer, const gp_peer_config_t *config)
{
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        peer->seats[seat].group = config->tiers.groups[seat];
    }
    peer->seats[GP_SEAT_SUBGRID].group = config->group.group;
    peer->seats[GP_SEAT_SUBGRID].open = true;
    peer->seats[GP_SEAT_SUBGRID].started = true;
    peer->group_config = group_above(config);
    peer->election_config = config->election;
}

static bool is_alone(const void *context)
{
    return gp_route_alone(gp_peer_route(context));
}

static void peer_init(void *memory, const void *config, gp_id_t self, uint64_t seed)
{
    gp_peer_config_t c = *(const gp_peer_config_t *)config;
    gp_peer_t *peer = memory;
    *peer = (gp_peer_t){.self = self};
    peer->said = (gp_msg_group_self_t){.health = 1000, .headroom = 500, .flags = c.group.flags};
    gp_random_init(&peer->random, seed);
    uint8_t *at = (uint8_t *)memory + aligned(sizeof *peer);
    peer->certified = c.group.cert_max > 0 && c.group.cert.n > 0;
    gp_coordinate_start(&peer->coordinate);
    c.group.coordinate = &peer->coordinate;
    c.discovery.coordinate = &peer->coordinate;
    c.discovery.alone = is_alone;
    c.discovery.alone_context = peer;
    c.work.certified = peer->certified;
    c.work.roles = gp_peer_roles(peer, &self, c.group.cert);
    c.work.fits = fits;
    c.work.fits_context = peer;
    c.forming.subgrid = c.group.group;
    c.forming.region = c.tiers.groups[GP_SEAT_REGION];
    c.forming.view = gp_peer_view(peer);
    c.tiers.expects = gp_peer_expects;
    c.tiers.context = peer;
    peer->home_max = c.work.home_max;
    peer->attempts_max = c.work.attempts_max;
    init_seats(peer, &c);
    const gp_route_config_t route = route_config(&c);
    for (size_t i = 0; i < CORES; i++) {
        if (!may_have(&c, i)) {
            continue;
        }
        gp_peer_core_t *core = core_at(peer, i);
        const void *part = config_of(&c, &route, layout[i].room);
        core->ops = layout[i].ops;
        core->core = at;
        core->size = size_at(&c, &route, i);
        core->wake = GP_NEVER;
        at += aligned(core->size);
        if (layout[i].seat == GP_SEAT_SUBGRID) {
            core->ops->init(core->core, part, self, seed + (uint64_t)layout[i].room);
            core->wake = core->ops->wake(core->core);
        }
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

void gp_peer_step_core(gp_peer_t *peer, gp_seat_t seat, gp_room_t room, const gp_event_t *event,
                       gp_out_t *out)
{
    gp_peer_core_t *core = &peer->seats[seat].cores[room];
    gp_room_t room_before = out->room;
    gp_seat_t seat_before = out->seat;
    if (core->ops == NULL || !peer->seats[seat].open || core->rests) {
        return;
    }
    gp_event_t its_own = *event;
    its_own.now -= core->behind;
    if (core->stepped) {
        gp_out_detach(out, core->detached, core->core, core->size);
        core->detached = out->count;
    }
    core->stepped = true;
    out->room = room;
    out->seat = seat;
    core->ops->step(core->core, &its_own, out);
    out->room = room_before;
    out->seat = seat_before;
    core->wake = core->ops->wake(core->core);
}

/* In each seat. */
static void step_all(gp_peer_t *peer, gp_room_t room, const gp_event_t *event, gp_out_t *out)
{
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        gp_peer_step_core(peer, (gp_seat_t)seat, room, event, out);
    }
}

void gp_peer_command(gp_peer_t *peer, gp_seat_t seat, gp_usec_t now, uint64_t token,
                     const gp_msg_t *msg, gp_out_t *out)
{
    gp_event_t event = {.type = GP_EVENT_COMMAND,
                        .room = gp_msg_room(msg->kind),
                        .seat = seat,
                        .now = now,
                        .token = token,
                        .ok = true,
                        .msg = msg};
    gp_peer_step_core(peer, seat, event.room, &event, out);
}

void gp_peer_command_all(gp_peer_t *peer, gp_usec_t now, const gp_msg_t *msg, gp_out_t *out)
{
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        gp_peer_command(peer, (gp_seat_t)seat, now, 0, msg, out);
    }
}

gp_msg_t *gp_peer_draft(gp_out_t *out, gp_msg_kind_t kind)
{
    gp_msg_t *msg = gp_out_bytes(out, gp_msg_size(kind));
    msg->kind = kind;
    return msg;
}

/* Whose message or record it is; GP_SEAT_COUNT: of a group in which this machine has no seat. */
static gp_seat_t seat_of(const gp_peer_t *peer, const gp_msg_t *msg)
{
    uint64_t group = gp_msg_group(msg);
    int seat = GP_SEAT_SUBGRID;
    while (group != 0 && seat < GP_SEAT_COUNT && peer->seats[seat].group != group) {
        seat++;
    }
    return (gp_seat_t)seat;
}

/* All groups are left at once, but the sub-Grid is told last: see gp_peer_pass_on. */
/* Does anybody else live in the sub-Grid? It has a part in the groups above, by this machine. */
static bool has_company(const gp_peer_t *peer)
{
    const void *group = gp_peer_group(peer);
    for (uint32_t i = 0; i < gp_group_count(group); i++) {
        const gp_group_member_t *member = gp_group_member_at(group, i);
        if (member->state == GP_MEMBER_ALIVE && !gp_id_equal(&member->id, &peer->self)) {
            return true;
        }
    }
    return false;
}

void gp_peer_leave(gp_peer_t *peer, gp_usec_t now, const gp_msg_t *relinquish, gp_out_t *out)
{
    peer->leaving = true;
    peer->forever = relinquish->u.election_relinquish.forever;
    gp_peer_tell_self(peer, now, out);
    bool company = has_company(peer);
    for (int seat = GP_SEAT_SUBGRID; seat < GP_SEAT_COUNT; seat++) {
        gp_msg_t *msg = gp_peer_draft(out, GP_MSG_ELECTION_RELINQUISH);
        msg->u.election_relinquish.forever = peer->forever;
        msg->u.election_relinquish.depended = seat != GP_SEAT_SUBGRID && company;
        gp_peer_command(peer, (gp_seat_t)seat, now, 0, msg, out);
    }
}

/* Whichever record it was: who cannot keep what it promises shall have no part that needs it. */
static void watch_disk(gp_peer_t *peer, bool ok, gp_usec_t now, gp_out_t *out)
{
    bool well = ok && now >= peer->failed_at + DISK_WELL_AFTER;
    peer->failed_at = ok ? peer->failed_at : now;
    if (ok ? peer->failing && well : !peer->failing) {
        peer->failing = !ok;
        gp_msg_t *msg = gp_peer_draft(out, GP_MSG_GROUP_DISK);
        msg->u.group_disk.failing = peer->failing;
        gp_peer_command_all(peer, now, msg, out);
    }
}

/* A message of any group shows that its sender lives, to all groups that know it. */
static void hear(gp_peer_t *peer, const gp_event_t *event)
{
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        gp_peer_core_t *group = &peer->seats[seat].cores[GP_ROOM_GROUP];
        if (group->ops != NULL && peer->seats[seat].started && !group->rests) {
            gp_group_heard(group->core, &event->peer, event->now - group->behind);
            group->wake = group->ops->wake(group->core);
        }
    }
}

static void take_message(gp_peer_t *peer, const gp_event_t *event, gp_out_t *out)
{
    hear(peer, event);
    gp_seat_t seat = seat_of(peer, event->msg);
    bool offered =
        event->msg->kind == GP_MSG_SEEK_REPLY && seat != GP_SEAT_COUNT && !peer->seats[seat].open;
    if (offered || gp_msg_room(event->msg->kind) == GP_ROOM_TIERS) {
        gp_peer_step_core(peer, GP_SEAT_SUBGRID, GP_ROOM_TIERS, event, out);
    } else if (gp_msg_room(event->msg->kind) == GP_ROOM_ROUTE) {
        gp_peer_step_core(peer, GP_SEAT_SUBGRID, GP_ROOM_ROUTE, event, out);
    } else if (seat != GP_SEAT_COUNT && peer->seats[seat].started) {
        gp_peer_step_core(peer, seat, gp_msg_room(event->msg->kind), event, out);
    } else if (seat != GP_SEAT_COUNT && event->msg->kind == GP_MSG_BEAT) {
        gp_peer_seat_deny(peer, seat, &event->peer, out);
    }
}

static void take_command(gp_peer_t *peer, const gp_event_t *event, gp_out_t *out)
{
    switch (event->msg->kind) {
    case GP_MSG_ELECTION_RELINQUISH:
        gp_peer_leave(peer, event->now, event->msg, out);
        break;
    case GP_MSG_ELECTION_FOUND:
        gp_peer_seats_found(peer, event, out);
        break;

    case GP_MSG_GROUP_SELF:
        peer->said = event->msg->u.group_self;
        gp_peer_tell_self(peer, event->now, out);
        break;
    case GP_MSG_GROUP_CERT:
        gp_peer_command_all(peer, event->now, event->msg, out);
        gp_peer_route_cert(peer, event->now, event->msg->u.group_cert.cert, out);
        break;
    case GP_MSG_ROUTE_FIND:
        gp_peer_route_self(peer, event->now, out);
        gp_peer_step_core(peer, event->seat, event->room, event, out);
        break;
    case GP_MSG_GROUP_DISK: /* of what no core wrote */
        watch_disk(peer, !event->msg->u.group_disk.failing, event->now, out);
        break;
    default:
        gp_peer_step_core(peer, event->seat, event->room, event, out);
        break;
    }
}

static void load(gp_peer_t *peer, const gp_event_t *event, gp_out_t *out)
{
    gp_seat_t seat = seat_of(peer, event->msg);
    if (seat == GP_SEAT_COUNT) {
        return; /* of a group that this machine has nothing to do with any more */
    }
    gp_peer_seat_t *s = &peer->seats[seat];
    if (!s->open) {
        s->flags = GP_FLAG_STANDBY;
        gp_peer_seat_open(peer, seat);
    }
    gp_peer_step_core(peer, seat, event->room, event, out);
    if (event->msg->kind == GP_MSG_FORM_STATE) {
        gp_peer_move_load(peer, event, out);
    }
    if (event->msg->kind == GP_MSG_ELECTION_STATE) { /* who gave it up forgot who votes */
        const gp_msg_election_state_t *state = &event->msg->u.election_state;
        s->votes = state->voters_count > 0;
        s->given = state->voters_count == 0 && state->version > 0;
    } else if (event->msg->kind == GP_MSG_GROUP_STATE) {
        s->peopled = event->msg->u.group_state.entries_count > 0;
    }
}

static void start(gp_peer_t *peer, const gp_event_t *event, gp_out_t *out)
{
    for (size_t i = 0; i < CORES; i++) {
        if (layout[i].seat == GP_SEAT_SUBGRID) {
            gp_peer_step_core(peer, layout[i].seat, layout[i].room, event, out);
        }
    }
    for (int seat = GP_SEAT_REGION; seat < GP_SEAT_COUNT; seat++) {
        gp_peer_seat_t *s = &peer->seats[seat];
        /* Who never voted there resumes it by its members: in vain, it resigns once more. */
        if (s->open && (s->votes || (s->peopled && !s->given))) {
            gp_peer_seat_start(peer, (gp_seat_t)seat, event->now, out);
        }
        if (s->open && !s->started) { /* what it promised in a seat that it gave up stays there */
            gp_peer_seat_shut(s);
        }
    }
}

static void dispatch(gp_peer_t *peer, const gp_event_t *event, gp_out_t *out)
{
    switch (event->type) {
    case GP_EVENT_START:
        start(peer, event, out);
        break;
    case GP_EVENT_WAKE:
        for (size_t i = 0; i < CORES; i++) {
            if (wake_at(peer, i) <= event->now) {
                gp_peer_step_core(peer, layout[i].seat, layout[i].room, event, out);
            }
        }
        break;
    case GP_EVENT_MSG:
        take_message(peer, event, out);
        break;
    case GP_EVENT_LINK:
        step_all(peer, GP_ROOM_GROUP, event, out);
        break;
    case GP_EVENT_COMMAND:
        take_command(peer, event, out);
        break;
    case GP_EVENT_STORED:
        peer->seats[event->seat].stores -= peer->seats[event->seat].stores > 0 ? 1 : 0;
        gp_peer_step_core(peer, event->seat, event->room, event, out);
        watch_disk(peer, event->ok, event->now, out);
        break;
    case GP_EVENT_LOAD:
        load(peer, event, out);
        break;
    case GP_EVENT_DIALED:
        step_all(peer, event->room, event, out);
        break;
    }
}

static void peer_step(void *core, const gp_event_t *event, gp_out_t *out)
{
    gp_peer_t *peer = core;
    const uint32_t first = out->count;
    uint32_t next = first;
    for (size_t i = 0; i < CORES; i++) {
        core_at(peer, i)->stepped = false;
        core_at(peer, i)->detached = 0;
    }
    peer->event = event->msg;
    dispatch(peer, event, out);
    /*
     * Commands may bring further notices, and one core many steps on this sheet. What can wait
     * (gp_out_is_light) takes an eighth, and a message more. The rest is for what cannot. Measured
     * (tests/unit/agent_peer_peer.c) with certificates and texts of full length: 80 KB to tell of
     * 64 members, and 166 KB when all of them change while jobs, questions and output are late.
     * Reckoned there, from what was measured and from the longest messages, for all at once, which
     * no run has shown: 909 KB of 1,311, with each member changed twice (160 KB), all records of
     * attempts removed (41 KB), view, roster and records of a new leader (225 KB), and three
     * answers: to the event, of those that are due, and to the one question that a job asks in a
     * step (286 KB). Beyond the sub-Grid comes a question of each kind on top: the own sub-Grid's
     * answer handed on and signed for another machine (90 KB), and one to this machine (75 KB).
     */
    for (; next < out->count; next++) {
        if (out->actions[next].type == GP_ACTION_NOTICE) {
            gp_action_t action = out->actions[next];
            gp_peer_pass_on(peer, event->now, &action, out);
        }
    }
    gp_peer_count_stores(peer, out, first);
    gp_peer_keep_links(peer, out);
    peer->event = NULL;
}

static gp_usec_t peer_wake(const void *core)
{
    gp_usec_t first = GP_NEVER;
    for (size_t i = 0; i < CORES; i++) {
        gp_usec_t wake = wake_at(core, i);
        first = wake < first ? wake : first;
    }
    return first;
}

static void peer_check(const void *core)
{
    for (size_t i = 0; i < CORES; i++) {
        const gp_peer_core_t *part = open_at(core, i);
        if (part != NULL) {
            part->ops->check(part->core);
            assert(part->wake == part->ops->wake(part->core));
        }
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

/* ---- for a shell that simulates -------------------------------------------------------------- */

/* Not those that a machine has once, and that serve its seats above. */
static const gp_room_t resting[] = {GP_ROOM_GROUP, GP_ROOM_ELECTION, GP_ROOM_DISCOVERY,
                                    GP_ROOM_WORK};

void gp_peer_rest(void *memory, gp_usec_t now)
{
    gp_peer_t *peer = memory;
    for (size_t i = 0; i < sizeof resting / sizeof resting[0]; i++) {
        gp_peer_core_t *core = &peer->seats[GP_SEAT_SUBGRID].cores[resting[i]];
        assert(!core->rests);
        core->rests = true;
        core->behind = now - core->behind; /* what its clock says now */
    }
}

void gp_peer_go_on(void *memory, gp_usec_t now)
{
    gp_peer_t *peer = memory;
    for (size_t i = 0; i < sizeof resting / sizeof resting[0]; i++) {
        gp_peer_core_t *core = &peer->seats[GP_SEAT_SUBGRID].cores[resting[i]];
        assert(core->rests);
        core->rests = false;
        core->behind = now - core->behind;
    }
}

gp_usec_t gp_peer_behind(const void *peer, gp_seat_t seat)
{
    const gp_peer_core_t *core = &((const gp_peer_t *)peer)->seats[seat].cores[GP_ROOM_GROUP];
    assert(!core->rests);
    return core->behind;
}

static const void *core_of(const void *peer, gp_room_t room)
{
    return ((const gp_peer_t *)peer)->seats[GP_SEAT_SUBGRID].cores[room].core;
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

const gp_coordinate_t *gp_peer_coordinate(const void *peer)
{
    return &((const gp_peer_t *)peer)->coordinate;
}

const void *gp_peer_route(const void *peer)
{
    return core_of(peer, GP_ROOM_ROUTE);
}

const void *gp_peer_seat_group(const void *peer, gp_seat_t seat)
{
    const gp_peer_seat_t *s = &((const gp_peer_t *)peer)->seats[seat];
    return s->started ? s->cores[GP_ROOM_GROUP].core : NULL;
}

const void *gp_peer_seat_election(const void *peer, gp_seat_t seat)
{
    const gp_peer_seat_t *s = &((const gp_peer_t *)peer)->seats[seat];
    return s->started ? s->cores[GP_ROOM_ELECTION].core : NULL;
}
