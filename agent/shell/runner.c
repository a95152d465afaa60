#include "agent/shell/runner.h"

#include <stdlib.h>

/* One thing that waits behind a barrier, or the barrier itself. */
typedef struct held {
    struct held *next;
    gp_action_type_t type; /* STORE: the barrier */
    gp_id_t peer;
    uint64_t token;  /* the core's own */
    uint64_t ticket; /* STORE: what the shell answers with */
    uint64_t batch;  /* of which step this is a part */
    gp_msg_kind_t kind;
    uint32_t target_count;
    uint32_t n;
    uint8_t bytes[]; /* targets, then the frame or the packed notice */
} held_t;

typedef struct queue {
    held_t *first;
    held_t **last;
} queue_t;

/* A KEEP that the disk has not answered; ticket 0: none. */
typedef struct kept {
    uint64_t token;
    uint64_t ticket;
} kept_t;

/* What one core waits for. */
typedef struct lane {
    queue_t held;
    kept_t kept;
} lane_t;

struct gp_bench {
    bool busy;
    gp_msg_t in;
    gp_msg_t draft;
    gp_msg_t released;
    gp_action_t actions[GP_ACTIONS_MAX];
    uint8_t frame[GP_MESSAGE_MAX];
    _Alignas(16) uint8_t arena[GP_ARENA_BYTES];
};

struct gp_runner {
    gp_runner_config_t config;
    gp_gate_t gate;
    gp_gate_sender_t senders[GP_GATE_SENDERS];
    lane_t lanes[GP_SEAT_COUNT][GP_ROOM_COUNT];
    uint64_t tickets;
    uint64_t batch;
    void *core;
};

static lane_t *first_lane(gp_runner_t *runner)
{
    return &runner->lanes[0][0];
}

static lane_t *end_of_lanes(gp_runner_t *runner)
{
    return first_lane(runner) + sizeof runner->lanes / sizeof runner->lanes[0][0];
}

static held_t *take_first(queue_t *queue)
{
    held_t *held = queue->first;
    queue->first = held->next;
    if (queue->first == NULL) {
        queue->last = &queue->first;
    }
    return held;
}

gp_bench_t *gp_bench_new(void)
{
    return calloc(1, sizeof(gp_bench_t));
}

void gp_bench_free(gp_bench_t *bench)
{
    free(bench);
}

static const size_t core_at = (sizeof(gp_runner_t) + 63) / 64 * 64;

size_t gp_runner_size(const gp_runner_config_t *config)
{
    size_t size = config->ops->size(config->core_config);
    return size > 0 ? core_at + size : 0;
}

gp_error_t gp_runner_new(const gp_runner_config_t *config, gp_runner_t **ret_runner)
{
    size_t size = gp_runner_size(config);
    if (size == 0) {
        return GP_E_CONFIG;
    }
    gp_runner_t *runner = config->memory != NULL ? config->memory : calloc(1, size);
    if (runner == NULL) {
        return GP_E_MEMORY;
    }
    void *core = (uint8_t *)runner + core_at;
    runner->config = *config;
    runner->core = core;
    for (lane_t *lane = first_lane(runner); lane < end_of_lanes(runner); lane++) {
        lane->held.last = &lane->held.first;
    }
    gp_gate_init(&runner->gate, &config->gate, runner->senders);
    config->ops->init(core, config->core_config, config->gate.self, config->seed);
    if (config->tap != NULL) {
        config->tap->begin(config->tap_context, config);
    }
    *ret_runner = runner;
    return GP_OK;
}

void gp_runner_free(gp_runner_t *runner)
{
    if (runner == NULL) {
        return;
    }
    for (lane_t *lane = first_lane(runner); lane < end_of_lanes(runner); lane++) {
        while (lane->held.first != NULL) {
            free(take_first(&lane->held));
        }
    }
    if (runner->config.memory == NULL) {
        free(runner);
    }
}

const void *gp_runner_core(const gp_runner_t *runner)
{
    return runner->core;
}

void *gp_runner_memory(gp_runner_t *runner)
{
    return runner->core;
}

bool gp_runner_is_idle(const gp_runner_t *runner)
{
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        for (int room = 0; room < GP_ROOM_COUNT; room++) {
            const lane_t *lane = &runner->lanes[seat][room];
            if (lane->held.first != NULL || lane->kept.ticket != 0) {
                return false;
            }
        }
    }
    return true;
}

gp_usec_t gp_runner_next(const gp_runner_t *runner)
{
    return runner->config.ops->wake(runner->core);
}

gp_msg_t *gp_runner_draft(gp_runner_t *runner, gp_msg_kind_t kind)
{
    gp_msg_t *draft = &runner->config.bench->draft;
    memset(draft, 0, gp_msg_size(kind));
    draft->kind = kind;
    return draft;
}

/* ---- effects --------------------------------------------------------------------------------- */

static bool is_notice(const gp_action_t *action)
{
    return action->type == GP_ACTION_NOTICE;
}

/* The bytes of an action that has any, in the bench's frame buffer. */
static size_t finished_bytes(gp_runner_t *runner, const gp_action_t *action)
{
    uint8_t *frame = runner->config.bench->frame;
    size_t n = 0;
    gp_error_t error = GP_OK;
    if (is_notice(action)) {
        error = gp_msg_pack(action->msg, frame, GP_MESSAGE_MAX, &n);
    } else if (action->msg != NULL) {
        const gp_id_t *to = action->type == GP_ACTION_CAST ? NULL : &action->peer;
        gp_wall_ms_t wall = runner->config.effects->wall(runner->config.context);
        error = gp_gate_seal(&runner->gate, to, action->msg, wall, frame, &n);
    }
    assert(error == GP_OK && "a core made a message that does not fit");
    return n;
}

static void send_to_all(gp_runner_t *runner, gp_msg_kind_t kind, const gp_id_t *targets,
                        uint32_t count, gp_slice_t frame)
{
    for (uint32_t i = 0; i < count; i++) {
        runner->config.effects->send(runner->config.context, &targets[i], kind, frame);
    }
}

static void carry_out(gp_runner_t *runner, const gp_action_t *action)
{
    const gp_effects_t *effects = runner->config.effects;
    void *context = runner->config.context;
    gp_slice_t frame = {0};
    switch (action->type) {
    case GP_ACTION_SEND:
        frame = gp_slice(runner->config.bench->frame, finished_bytes(runner, action));
        effects->send(context, &action->peer, action->msg->kind, frame);
        break;
    case GP_ACTION_CAST:
        frame = gp_slice(runner->config.bench->frame, finished_bytes(runner, action));
        send_to_all(runner, action->msg->kind, action->targets, action->target_count, frame);
        break;
    case GP_ACTION_LINK:
        effects->link(context, &action->peer, action->token != 0);
        break;
    case GP_ACTION_DIAL:
        effects->dial(context, &action->peer, action->room);
        break;
    case GP_ACTION_NOTICE:
        effects->notice(context, action->room, action->token, action->msg);
        break;
    case GP_ACTION_STORE:
    case GP_ACTION_KEEP:
        assert(false && "a store is not carried out here");
    }
}

/* ---- the barrier ----------------------------------------------------------------------------- */

static void hold(gp_runner_t *runner, const gp_action_t *action, uint64_t ticket)
{
    size_t n = action->type == GP_ACTION_STORE ? 0 : finished_bytes(runner, action);
    size_t targets = action->target_count * sizeof(gp_id_t);
    held_t *held = malloc(sizeof *held + targets + n);
    assert(held != NULL && "out of memory");
    *held = (held_t){
        .type = action->type,
        .peer = action->peer,
        .token = action->token,
        .ticket = ticket,
        .batch = runner->batch,
        .kind = action->msg != NULL ? action->msg->kind : (gp_msg_kind_t)0,
        .target_count = action->target_count,
        .n = (uint32_t)n,
    };
    if (targets > 0) {
        memcpy(held->bytes, action->targets, targets);
    }
    if (n > 0) {
        memcpy(held->bytes + targets, runner->config.bench->frame, n);
    }
    queue_t *queue = &runner->lanes[action->seat][action->room].held;
    *queue->last = held;
    queue->last = &held->next;
}

static void release_notice(gp_runner_t *runner, gp_room_t room, const held_t *held,
                           gp_slice_t bytes)
{
    gp_msg_t *msg = &runner->config.bench->released;
    gp_error_t error = gp_msg_read(held->kind, bytes, false, msg);
    assert(error == GP_OK && "what was packed here cannot be read");
    runner->config.effects->notice(runner->config.context, room, held->token, msg);
}

static void release(gp_runner_t *runner, gp_room_t room, const held_t *held)
{
    const gp_effects_t *effects = runner->config.effects;
    void *context = runner->config.context;
    size_t targets = held->target_count * sizeof(gp_id_t);
    gp_slice_t bytes = gp_slice(held->bytes + targets, held->n);
    switch (held->type) {
    case GP_ACTION_SEND:
        effects->send(context, &held->peer, held->kind, bytes);
        break;
    case GP_ACTION_CAST:
        send_to_all(runner, held->kind, (const gp_id_t *)(const void *)held->bytes,
                    held->target_count, bytes);
        break;
    case GP_ACTION_LINK:
        effects->link(context, &held->peer, held->token != 0);
        break;
    case GP_ACTION_DIAL:
        effects->dial(context, &held->peer, room);
        break;
    case GP_ACTION_NOTICE:
        release_notice(runner, room, held, bytes);
        break;
    case GP_ACTION_STORE:
    case GP_ACTION_KEEP:
        assert(false && "what the disk gets is not released as an effect");
    }
}

static void store(gp_runner_t *runner, const gp_action_t *action)
{
    gp_bench_t *bench = runner->config.bench;
    size_t n = 0;
    gp_error_t error = gp_msg_pack(action->msg, bench->frame, GP_MESSAGE_MAX, &n);
    assert(error == GP_OK && "a core made a record that does not fit");
    uint64_t ticket = ++runner->tickets;
    if (action->type == GP_ACTION_STORE) {
        hold(runner, action, ticket);
    } else {
        kept_t *kept = &runner->lanes[action->seat][action->room].kept;
        assert(kept->ticket == 0 && "the last record is not kept yet");
        *kept = (kept_t){.token = action->token, .ticket = ticket};
    }
    runner->config.effects->store(runner->config.context, action->msg, gp_slice(bench->frame, n),
                                  ticket);
}

static void act(gp_runner_t *runner, const gp_action_t *action)
{
    if (action->type == GP_ACTION_STORE || action->type == GP_ACTION_KEEP) {
        store(runner, action);
    } else if (runner->lanes[action->seat][action->room].held.first != NULL) {
        hold(runner, action, 0);
    } else {
        carry_out(runner, action);
    }
}

/*
 * The barrier is gone: what waited behind it, up to the next one, takes effect. If the record could
 * not be made durable, what belongs to the same step never does; later steps knew of it.
 */
static void fall(gp_runner_t *runner, queue_t *queue, gp_room_t room, const held_t *barrier,
                 bool ok)
{
    while (queue->first != NULL && queue->first->type != GP_ACTION_STORE) {
        held_t *held = take_first(queue);
        if (ok || held->batch != barrier->batch) {
            release(runner, room, held);
        }
        free(held);
    }
}

/* ---- events ---------------------------------------------------------------------------------- */

static void step(gp_runner_t *runner, gp_event_t *event)
{
    gp_bench_t *bench = runner->config.bench;
    assert(!bench->busy && "an effect may not call the runner back");
    bench->busy = true;
    runner->batch++;
    gp_out_t out = {.actions = bench->actions,
                    .capacity = GP_ACTIONS_MAX,
                    .arena = bench->arena,
                    .size = sizeof bench->arena};
    event->now = runner->config.effects->now(runner->config.context);
    const gp_tap_t *tap = runner->config.tap;
    if (tap != NULL) {
        tap->before(runner->config.tap_context, event);
    }
    runner->config.ops->step(runner->core, event, &out);
    if (tap != NULL) {
        tap->after(runner->config.tap_context, &out);
    }
    for (uint32_t i = 0; i < out.count; i++) {
        act(runner, &out.actions[i]);
    }
    bench->busy = false;
}

void gp_runner_load(gp_runner_t *runner, const gp_msg_t *msg)
{
    assert(gp_msg_scope(msg->kind) == GP_SCOPE_STORED);
    step(runner, &(gp_event_t){.type = GP_EVENT_LOAD, .room = gp_msg_room(msg->kind), .msg = msg});
}

void gp_runner_start(gp_runner_t *runner)
{
    step(runner, &(gp_event_t){.type = GP_EVENT_START});
}

void gp_runner_frame(gp_runner_t *runner, const gp_id_t *session, gp_slice_t frame)
{
    const gp_effects_t *effects = runner->config.effects;
    void *context = runner->config.context;
    gp_msg_t *msg = &runner->config.bench->in;
    gp_error_t error = gp_gate_take(&runner->gate, session, frame, effects->now(context),
                                    effects->wall(context), msg);
    if (error != GP_OK) {
        effects->dropped(context, session, error);
        return;
    }
    if (gp_msg_room(msg->kind) == GP_ROOM_JOIN) {
        effects->letter(context, session, msg);
        return;
    }
    step(runner, &(gp_event_t){.type = GP_EVENT_MSG, .peer = *session, .ok = true, .msg = msg});
}

gp_slice_t gp_runner_seal(gp_runner_t *runner, const gp_id_t *to, const gp_msg_t *msg)
{
    uint8_t *frame = runner->config.bench->frame;
    size_t n = 0;
    gp_wall_ms_t wall = runner->config.effects->wall(runner->config.context);
    gp_error_t error = gp_gate_seal(&runner->gate, to, msg, wall, frame, &n);
    assert(error == GP_OK && "a message of the shell does not fit");
    return gp_slice(frame, n);
}

void gp_runner_link(gp_runner_t *runner, const gp_id_t *peer, bool up)
{
    step(runner, &(gp_event_t){.type = GP_EVENT_LINK, .peer = *peer, .ok = up});
}

void gp_runner_dialed(gp_runner_t *runner, const gp_id_t *peer, gp_room_t room, gp_dial_t result)
{
    step(runner, &(gp_event_t){.type = GP_EVENT_DIALED,
                               .room = room,
                               .peer = *peer,
                               .token = result,
                               .ok = result == GP_DIAL_OPEN});
}

/* Whose store this ticket is: the seat, of the room that stored. */
static gp_seat_t seat_of(const gp_runner_t *runner, gp_room_t room, uint64_t ticket)
{
    int seat = GP_SEAT_SUBGRID;
    while (seat < GP_SEAT_COUNT - 1) {
        const lane_t *lane = &runner->lanes[seat][room];
        const held_t *first = lane->held.first;
        if (lane->kept.ticket == ticket || (first != NULL && first->ticket == ticket)) {
            break;
        }
        seat++;
    }
    return (gp_seat_t)seat;
}

void gp_runner_stored(gp_runner_t *runner, gp_room_t room, uint64_t ticket, bool ok)
{
    gp_seat_t seat = seat_of(runner, room, ticket);
    lane_t *lane = &runner->lanes[seat][room];
    uint64_t token = lane->kept.token;
    if (lane->kept.ticket == ticket) {
        lane->kept = (kept_t){.ticket = 0};
    } else {
        queue_t *queue = &lane->held;
        assert(queue->first != NULL && queue->first->type == GP_ACTION_STORE);
        assert(queue->first->ticket == ticket && "a store was answered out of order");
        held_t *barrier = take_first(queue);
        token = barrier->token;
        fall(runner, queue, room, barrier, ok);
        free(barrier);
    }
    step(runner,
         &(gp_event_t){
             .type = GP_EVENT_STORED, .room = room, .seat = seat, .token = token, .ok = ok});
}

void gp_runner_command(gp_runner_t *runner, uint64_t token, const gp_msg_t *msg)
{
    gp_runner_command_in(runner, GP_SEAT_SUBGRID, token, msg);
}

void gp_runner_command_in(gp_runner_t *runner, gp_seat_t seat, uint64_t token, const gp_msg_t *msg)
{
    assert(gp_msg_scope(msg->kind) == GP_SCOPE_LOCAL);
    step(runner, &(gp_event_t){.type = GP_EVENT_COMMAND,
                               .room = gp_msg_room(msg->kind),
                               .seat = seat,
                               .token = token,
                               .ok = true,
                               .msg = msg});
}

void gp_runner_wake(gp_runner_t *runner)
{
    if (gp_runner_next(runner) <= runner->config.effects->now(runner->config.context)) {
        step(runner, &(gp_event_t){.type = GP_EVENT_WAKE});
    }
}
