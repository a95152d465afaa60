#include "tests/unit/overlay_virtual.h"

#include <stdio.h>
#include <stdlib.h>

#include "overlay/group/group_state.h"
#include "tests/unit/heap.h"

#define GROUP   77
#define ACTIONS 512

typedef enum virtual_what {
    DELIVER = 1,
    WAKE,
    LINKED,
    DIALED,
    STORED,
    TOLD, /* a command */
    PAUSE,
    RESUME,
    ORACLE
} virtual_what_t;

struct virtual_event {
    heap_key_t key;
    virtual_what_t what;
    uint32_t to, from;
    uint64_t token;
    uint64_t boot; /* of the receiver, 0: any */
    gp_msg_kind_t kind;
    uint8_t *bytes;
    size_t n;
    gp_msg_t *msg; /* TOLD */
};

static gp_action_t sheet[ACTIONS];
static _Alignas(16) uint8_t arena[GP_ARENA_BYTES];
static gp_msg_t incoming;

/* ---- the queue ------------------------------------------------------------------------------- */

static void push(virtual_world_t *w, virtual_event_t event)
{
    if (w->event_count == w->event_room) {
        w->event_room = w->event_room == 0 ? 1024 : 2 * w->event_room;
        w->events = realloc(w->events, w->event_room * sizeof *w->events);
        assert(w->events != NULL);
    }
    event.key.order = ++w->sequence;
    heap_push(w->events, &w->event_count, sizeof event, &event);
}

static virtual_event_t pop(virtual_world_t *w)
{
    virtual_event_t event;
    heap_pop(w->events, &w->event_count, sizeof event, &event);
    return event;
}

/* ---- the network ----------------------------------------------------------------------------- */

uint32_t virtual_index(const virtual_world_t *w, const gp_id_t *id)
{
    for (uint32_t i = 0; i < w->count; i++) {
        if (gp_id_equal(&w->nodes[i].id, id)) {
            return i;
        }
    }
    return VIRTUAL_NODES;
}

static bool reaches(const virtual_world_t *w, uint32_t from, uint32_t to)
{
    return w->nodes[from].side == w->nodes[to].side && !w->mute[from][to];
}

static gp_usec_t hop(virtual_world_t *w)
{
    return 150 + gp_random_below(&w->random, 700);
}

static void transmit(virtual_world_t *w, uint32_t from, uint32_t to, const gp_msg_t *msg)
{
    uint8_t bytes[GP_MESSAGE_MAX];
    size_t n = 0;
    gp_error_t error = gp_msg_pack(msg, bytes, sizeof bytes, &n);
    assert(error == GP_OK);
    (void)error;
    bool is_signed = gp_msg_scope(msg->kind) == GP_SCOPE_SIGNED;
    w->nodes[from].sent++;
    w->nodes[from].sent_bytes += n + (is_signed ? 178 : 6);
    w->nodes[from].seeks += msg->kind == GP_MSG_SEEK;
    w->nodes[from].pulls += msg->kind == GP_MSG_VIEW_PULL;
    if (to == VIRTUAL_NODES || !reaches(w, from, to) || !w->nodes[to].running) {
        return;
    }
    gp_usec_t at = w->now + hop(w);
    if (w->nodes[from].barrier > w->now) {
        at += w->nodes[from].barrier - w->now; /* a STORE before it is not durable yet */
    }
    if (w->stall_permille > 0 && gp_random_below(&w->random, 1000) < w->stall_permille) {
        at += gp_random_below(&w->random, w->stall_max);
    }
    at = at < w->line[from][to] ? w->line[from][to] : at;
    w->line[from][to] = at;
    virtual_event_t event = {.key.at = at,
                             .what = DELIVER,
                             .to = to,
                             .from = from,
                             .kind = msg->kind,
                             .n = n,
                             .boot = w->nodes[to].boot};
    event.bytes = malloc(n + 1);
    assert(event.bytes != NULL);
    memcpy(event.bytes, bytes, n);
    push(w, event);
}

static void dial(virtual_world_t *w, uint32_t from, uint32_t to)
{
    w->nodes[from].dials++;
    gp_dial_t result = GP_DIAL_OPEN;
    gp_usec_t after = 2 * hop(w);
    if (to == VIRTUAL_NODES) {
        return; /* an invention of a liar: the answer never comes */
    }
    if (w->nodes[from].side != w->nodes[to].side) {
        result = GP_DIAL_SILENT;
        after = GP_SECOND;
    } else if (!w->nodes[to].running) {
        result = GP_DIAL_REFUSED;
    }
    push(w, (virtual_event_t){.key.at = w->now + after,
                              .what = DIALED,
                              .to = from,
                              .from = to,
                              .token = result,
                              .boot = w->nodes[from].boot});
}

static void link_to(virtual_world_t *w, uint32_t from, uint32_t to, bool hold)
{
    assert(to < VIRTUAL_NODES);
    w->linked[from][to] = hold;
    if (hold && reaches(w, from, to) && w->nodes[to].running) {
        push(w, (virtual_event_t){.key.at = w->now + 2 * hop(w),
                                  .what = LINKED,
                                  .to = from,
                                  .from = to,
                                  .token = 1,
                                  .boot = w->nodes[from].boot});
    }
}

/* ---- one step -------------------------------------------------------------------------------- */

static void note_member(virtual_world_t *w, uint32_t node, const gp_msg_member_t *member)
{
    virtual_node_t *n = &w->nodes[node];
    const gp_record_member_t *record = &member->entries[0];
    uint32_t target = virtual_index(w, &record->id);
    assert(member->entries_count == 1);
    if (target == VIRTUAL_NODES) {
        return;
    }
    assert(member->before == n->state[target]);
    n->state[target] = member->forgotten ? GP_MEMBER_NONE : record->state;
    n->cause[target] = record->cause;
    n->state_at[target] = w->now;
    const virtual_node_t *t = &w->nodes[target];
    bool fine = t->running && !t->frozen && t->side == n->side &&
                w->now - t->changed_at > 3 * GP_SECOND && w->now - n->changed_at > 3 * GP_SECOND;
    if (record->state == GP_MEMBER_UNAVAILABLE && fine && !t->left) {
        w->false_verdicts++;
    }
    if (record->state == GP_MEMBER_UNAVAILABLE && n->core->leading &&
        member->before != GP_MEMBER_UNAVAILABLE && n->core->view_number > 0 &&
        n->core->entries[0].slot == 0 && record->cause != GP_CAUSE_NONE) {
        assert(record->observers.n >= sizeof(gp_id_t));
    }
}

static void notice(virtual_world_t *w, uint32_t node, const gp_msg_t *msg)
{
    virtual_node_t *n = &w->nodes[node];
    uint8_t bytes[GP_MESSAGE_MAX];
    size_t size = 0;
    gp_error_t error = gp_msg_pack(msg, bytes, sizeof bytes, &size); /* within its limits? */
    assert(error == GP_OK);
    (void)error;
    switch (msg->kind) {
    case GP_MSG_MEMBER:
        note_member(w, node, &msg->u.member);
        break;
    case GP_MSG_LATE:
        n->lates++;
        break;
    case GP_MSG_GONE:
        n->gones++;
        break;
    case GP_MSG_REFUSED:
        n->refused++;
        break;
    case GP_MSG_VIEW_APPLIED:
        n->views++;
        break;
    case GP_MSG_SUSPICION:
        n->suspicions += msg->u.suspicion.phase == 1;
        break;
    case GP_MSG_STANDINGS:
        n->standings++;
        break;
    case GP_MSG_LEFT:
        n->left = true;
        break;
    default:
        assert(0);
    }
    if (w->on_notice != NULL) {
        w->on_notice(w, node, msg);
    }
}

static void act(virtual_world_t *w, uint32_t node, const gp_out_t *out)
{
    for (uint32_t i = 0; i < out->count; i++) {
        const gp_action_t *a = &out->actions[i];
        uint32_t to = virtual_index(w, &a->peer);
        switch (a->type) {
        case GP_ACTION_SEND:
            assert(to != node);
            transmit(w, node, to, a->msg);
            break;
        case GP_ACTION_CAST:
            for (uint32_t k = 0; k < a->target_count; k++) {
                transmit(w, node, virtual_index(w, &a->targets[k]), a->msg);
            }
            break;
        case GP_ACTION_LINK:
            link_to(w, node, to, a->token == 1);
            break;
        case GP_ACTION_DIAL:
            dial(w, node, to);
            break;
        case GP_ACTION_STORE:
        case GP_ACTION_KEEP:
            assert(i + 1 == out->count);
            w->nodes[node].stores++;
            if (a->type == GP_ACTION_STORE) {
                w->nodes[node].barrier = w->now + 20 * GP_MSEC;
            }
            push(w, (virtual_event_t){.key.at = w->now + 20 * GP_MSEC,
                                      .what = STORED,
                                      .to = node,
                                      .token = a->token,
                                      .boot = w->nodes[node].boot});
            break;
        case GP_ACTION_NOTICE:
            notice(w, node, a->msg);
            break;
        default:
            assert(0);
        }
    }
}

static void step(virtual_world_t *w, uint32_t node, gp_event_t event)
{
    virtual_node_t *n = &w->nodes[node];
    gp_out_t out = {.actions = sheet,
                    .capacity = ACTIONS,
                    .arena = arena,
                    .size = sizeof arena,
                    .room = GP_ROOM_GROUP};
    gp_out_reset(&out);
    event.now = w->now;
    gp_group_ops.step(n->core, &event, &out);
    w->actions_max = out.count > w->actions_max ? out.count : w->actions_max;
    w->arena_max = out.used > w->arena_max ? out.used : w->arena_max;
    act(w, node, &out);
    gp_group_ops.check(n->core);
    gp_usec_t wake = gp_group_ops.wake(n->core);
    assert(event.type == GP_EVENT_LOAD || wake > 0);
    if (wake != n->wake && wake != GP_NEVER) {
        push(w, (virtual_event_t){.key.at = wake > w->now ? wake : w->now,
                                  .what = WAKE,
                                  .to = node,
                                  .token = wake,
                                  .boot = n->boot});
    }
    n->wake = wake;
}

/* ---- the world ------------------------------------------------------------------------------- */

virtual_world_t *virtual_new(uint64_t seed, uint32_t count)
{
    assert(count > 0 && count <= VIRTUAL_NODES);
    virtual_world_t *w = calloc(1, sizeof *w);
    assert(w != NULL);
    gp_random_init(&w->random, seed);
    w->now = 1000 * GP_SECOND + gp_random_below(&w->random, GP_SECOND);
    w->count = count;
    w->leader = VIRTUAL_NODES;
    w->voters = count >= 5 ? 5 : count >= 3 ? 3 : 1;
    w->members_max = GP_MEMBERS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        for (size_t b = 0; b < sizeof(gp_id_t); b++) {
            w->nodes[i].id.b[b] = (uint8_t)gp_random_next(&w->random);
        }
    }
    push(w, (virtual_event_t){.key.at = w->now, .what = ORACLE});
    return w;
}

static void drop(virtual_event_t *event)
{
    free(event->bytes);
    free(event->msg);
}

void virtual_free(virtual_world_t *w)
{
    while (w->event_count > 0) {
        virtual_event_t event = pop(w);
        drop(&event);
    }
    for (uint32_t i = 0; i < w->count; i++) {
        free(w->nodes[i].core);
    }
    for (uint32_t i = 0; i < w->parked_count; i++) {
        drop(&w->parked[i]);
    }
    free(w->parked);
    free(w->events);
    free(w);
}

static void describe(const virtual_world_t *w, uint32_t i, gp_record_member_t *record,
                     char text[2][GP_ADDRESS_MAX + 1])
{
    static uint8_t cert[64];
    snprintf(text[0], GP_NAME_MAX, "n%u", i);
    snprintf(text[1], GP_ADDRESS_MAX, "tcp://127.0.0.1:%u", 7000 + i);
    *record = (gp_record_member_t){.id = w->nodes[i].id,
                                   .state = GP_MEMBER_UNKNOWN,
                                   .name = gp_text(text[0]),
                                   .address = gp_text(text[1]),
                                   .cert = gp_slice(cert, sizeof cert)};
}

static void load(virtual_world_t *w, uint32_t node, uint32_t knows)
{
    gp_msg_t *msg = calloc(1, sizeof *msg);
    assert(msg != NULL);
    char text[GP_MEMBERS_MAX][2][GP_ADDRESS_MAX + 1];
    msg->kind = GP_MSG_GROUP_STATE;
    msg->u.group_state.group = GROUP;
    for (uint32_t i = 0; i < knows && i < GP_MEMBERS_MAX; i++) {
        describe(w, i, &msg->u.group_state.entries[i], text[i]);
        msg->u.group_state.entries_count++;
    }
    step(w, node, (gp_event_t){.type = GP_EVENT_LOAD, .room = GP_ROOM_GROUP, .msg = msg});
    free(msg);
}

void virtual_start(virtual_world_t *w, uint32_t node, uint32_t knows)
{
    virtual_node_t *n = &w->nodes[node];
    assert(!n->running);
    char text[2][GP_ADDRESS_MAX + 1];
    gp_record_member_t record;
    describe(w, node, &record, text);
    gp_group_config_t config;
    gp_group_defaults(&config);
    config.group = GROUP;
    config.boot = ++n->boot;
    config.name = record.name;
    config.address = record.address;
    config.cert = record.cert;
    config.members_max = w->members_max;
    size_t size = gp_group_ops.size(&config);
    assert(size > 0);
    free(n->core);
    n->core = malloc(size);
    assert(n->core != NULL);
    gp_group_ops.init(n->core, &config, n->id, gp_random_next(&w->random));
    n->running = true;
    n->frozen = n->left = false;
    n->changed_at = w->now;
    n->wake = 0;
    n->term = 0;
    n->right = GP_RIGHT_NONE;
    n->alone_since = 0;
    memset(n->state, 0, sizeof n->state);
    memset(w->linked[node], 0, sizeof w->linked[node]);
    if (knows > 0) {
        load(w, node, knows);
    }
    step(w, node, (gp_event_t){.type = GP_EVENT_START});
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->linked[i][node] && w->nodes[i].running && reaches(w, i, node)) {
            push(w, (virtual_event_t){.key.at = w->now + hop(w),
                                      .what = LINKED,
                                      .to = i,
                                      .from = node,
                                      .token = 1,
                                      .boot = w->nodes[i].boot});
        }
    }
    if (w->pause_every > 0) {
        push(w, (virtual_event_t){.key.at = w->now + gp_random_below(&w->random, w->pause_every),
                                  .what = PAUSE,
                                  .to = node,
                                  .boot = n->boot});
    }
}

void virtual_start_all(virtual_world_t *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        virtual_start(w, i, w->count);
        virtual_run(w, w->now + gp_random_below(&w->random, 3 * GP_MSEC));
    }
}

void virtual_kill(virtual_world_t *w, uint32_t node)
{
    virtual_node_t *n = &w->nodes[node];
    assert(n->running);
    n->running = false;
    n->changed_at = w->now;
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->linked[i][node] && w->nodes[i].running && reaches(w, node, i)) {
            gp_usec_t at = w->now + hop(w);
            at = at < w->line[node][i] ? w->line[node][i] : at;
            push(w, (virtual_event_t){.key.at = at,
                                      .what = LINKED,
                                      .to = i,
                                      .from = node,
                                      .token = 0,
                                      .boot = w->nodes[i].boot});
        }
    }
}

void virtual_freeze(virtual_world_t *w, uint32_t node)
{
    w->nodes[node].frozen = true;
    w->nodes[node].changed_at = w->now;
}

static void thaw(virtual_world_t *w, uint32_t node)
{
    virtual_node_t *n = &w->nodes[node];
    n->frozen = false;
    uint32_t left = 0;
    for (uint32_t i = 0; i < w->parked_count; i++) {
        if (w->parked[i].to == node) {
            w->parked[i].key.at = w->now;
            push(w, w->parked[i]);
        } else {
            w->parked[left++] = w->parked[i];
        }
    }
    w->parked_count = left;
    if (n->wake != GP_NEVER && n->wake <= w->now) { /* the worst order: timers, then messages */
        step(w, node, (gp_event_t){.type = GP_EVENT_WAKE});
    }
}

void virtual_thaw(virtual_world_t *w, uint32_t node)
{
    w->nodes[node].changed_at = w->now;
    thaw(w, node);
}

void virtual_side(virtual_world_t *w, uint32_t node, unsigned side)
{
    w->nodes[node].side = side;
    w->nodes[node].changed_at = w->now;
}

void virtual_tell(virtual_world_t *w, uint32_t node, gp_usec_t after, gp_msg_t *msg)
{
    push(w, (virtual_event_t){.key.at = w->now + after,
                              .what = TOLD,
                              .to = node,
                              .msg = msg,
                              .boot = w->nodes[node].boot});
}

void virtual_command(virtual_world_t *w, uint32_t node, const gp_msg_t *msg)
{
    step(w, node, (gp_event_t){.type = GP_EVENT_COMMAND, .msg = msg});
}

void virtual_inject(virtual_world_t *w, uint32_t from, uint32_t to, const gp_msg_t *msg)
{
    step(w, to, (gp_event_t){.type = GP_EVENT_MSG, .peer = w->nodes[from].id, .msg = msg});
}

static void deliver(virtual_world_t *w, const virtual_event_t *e)
{
    gp_error_t error = gp_msg_read(e->kind, gp_slice(e->bytes, e->n), true, &incoming);
    assert(error == GP_OK);
    (void)error;
    step(w, e->to,
         (gp_event_t){.type = GP_EVENT_MSG, .peer = w->nodes[e->from].id, .msg = &incoming});
}

static void pause(virtual_world_t *w, const virtual_event_t *e)
{
    virtual_node_t *n = &w->nodes[e->to];
    if (e->what == RESUME) {
        thaw(w, e->to);
        return;
    }
    if (!n->frozen) {
        n->frozen = true;
        push(w, (virtual_event_t){.key.at = w->now + gp_random_below(&w->random, w->pause_max),
                                  .what = RESUME,
                                  .to = e->to,
                                  .boot = n->boot});
    }
    push(w, (virtual_event_t){.key.at = w->now + w->pause_max +
                                        gp_random_below(&w->random, 2 * w->pause_every),
                              .what = PAUSE,
                              .to = e->to,
                              .boot = n->boot});
}

static void happen(virtual_world_t *w, virtual_event_t *e)
{
    virtual_node_t *n = &w->nodes[e->to];
    if (e->what == ORACLE) {
        push(w, (virtual_event_t){.key.at = w->now + 20 * GP_MSEC, .what = ORACLE});
        if (!w->no_election) {
            virtual_oracle(w);
        }
        return;
    }
    if (!n->running || (e->boot != 0 && e->boot != n->boot)) {
        return;
    }
    if (e->what == PAUSE || e->what == RESUME) {
        pause(w, e);
        return;
    }
    switch (e->what) {
    case DELIVER:
        deliver(w, e);
        break;
    case WAKE:
        if (n->wake == e->token) {
            n->wake = 0;
            step(w, e->to, (gp_event_t){.type = GP_EVENT_WAKE});
        }
        break;
    case LINKED:
        step(
            w, e->to,
            (gp_event_t){.type = GP_EVENT_LINK, .peer = w->nodes[e->from].id, .ok = e->token == 1});
        break;
    case DIALED:
        step(w, e->to,
             (gp_event_t){.type = GP_EVENT_DIALED,
                          .room = GP_ROOM_GROUP,
                          .peer = w->nodes[e->from].id,
                          .token = e->token});
        break;
    case STORED:
        step(w, e->to,
             (gp_event_t){
                 .type = GP_EVENT_STORED, .room = GP_ROOM_GROUP, .ok = true, .token = e->token});
        break;
    case TOLD:
        virtual_command(w, e->to, e->msg);
        break;
    default:
        assert(0);
    }
}

/* What comes for a machine that stands still waits, in order, until it runs again. */
static bool postponed(virtual_world_t *w, virtual_event_t *e)
{
    const virtual_node_t *n = &w->nodes[e->to];
    bool shell = e->what == ORACLE || e->what == PAUSE || e->what == RESUME;
    if (shell || !n->running || !n->frozen) {
        return false;
    }
    if (w->parked_count == w->parked_room) {
        w->parked_room = w->parked_room == 0 ? 256 : 2 * w->parked_room;
        w->parked = realloc(w->parked, w->parked_room * sizeof *w->parked);
        assert(w->parked != NULL);
    }
    w->parked[w->parked_count++] = *e;
    return true;
}

void virtual_run(virtual_world_t *w, gp_usec_t until)
{
    while (w->event_count > 0 && w->events[0].key.at <= until) {
        virtual_event_t event = pop(w);
        w->now = event.key.at > w->now ? event.key.at : w->now;
        if (!postponed(w, &event)) {
            happen(w, &event);
            drop(&event);
        }
    }
    w->now = until;
}

bool virtual_run_until(virtual_world_t *w, gp_usec_t limit,
                       bool (*done)(virtual_world_t *world, uint32_t argument), uint32_t argument)
{
    gp_usec_t end = w->now + limit;
    while (w->now < end) {
        if (done(w, argument)) {
            return true;
        }
        virtual_run(w, w->now + GP_MSEC);
    }
    return done(w, argument);
}
