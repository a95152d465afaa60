/* The virtual network, disk and launcher: what the daemon's shell does with sockets and SQLite. */
#include "agent/lab/world_state.h"
#include "agent/shell/record.h"

#include <stdlib.h>

bool gp_sim_chance(gp_world_t *world, uint32_t permyriad)
{
    return permyriad > 0 && gp_random_below(&world->random, 10000) < permyriad;
}

gp_usec_t gp_sim_within(gp_world_t *world, gp_usec_t least, gp_usec_t more)
{
    return least + (more > 0 ? gp_random_below(&world->random, more + 1) : 0);
}

static void add(gp_world_t *world, gp_usec_t at, gp_happening_t *happening)
{
    happening->at = at;
    gp_agenda_add(&world->agenda, happening);
}

static gp_sim_node_t *node_of(gp_world_t *world, const gp_id_t *id)
{
    uint32_t index = gp_world_node(world, id);
    if (index == UINT32_MAX || !gp_id_equal(&world->nodes[index].id, id)) {
        return NULL; /* nobody, or a machine whose disk was wiped: that one is no more */
    }
    return &world->nodes[index];
}

static bool can_pass(const gp_sim_node_t *from, const gp_sim_node_t *to)
{
    return !from->cut[gp_sim_place(from->world, to->index)];
}

static gp_usec_t transit(gp_world_t *world)
{
    return gp_sim_within(world, world->config.latency_us, world->config.jitter_us);
}

/* ---- clock ----------------------------------------------------------------------------------- */

static gp_usec_t effect_now(void *context)
{
    const gp_sim_node_t *node = context;
    return gp_sim_local(node, node->world->now);
}

static gp_wall_ms_t effect_wall(void *context)
{
    const gp_sim_node_t *node = context;
    return UINT64_C(1767225600000) + node->world->now / 1000;
}

/* ---- network --------------------------------------------------------------------------------- */

/* When a frame that is sent now arrives; 0: never. */
static gp_usec_t arrival(gp_sim_node_t *from, const gp_sim_node_t *to)
{
    gp_world_t *world = from->world;
    const uint32_t *rates = world->config.message_permyriad;
    if (gp_sim_chance(world, rates[GP_FAULT_LOSS])) {
        world->stats.faults[GP_FAULT_LOSS]++;
        return 0;
    }
    gp_usec_t at = world->now + transit(world);
    if (gp_sim_chance(world, rates[GP_FAULT_DELAY])) {
        world->stats.faults[GP_FAULT_DELAY]++;
        at += gp_sim_within(world, 20 * GP_MSEC, 400 * GP_MSEC);
    }
    gp_usec_t *last = &from->arrivals[gp_sim_place(world, to->index)];
    if (gp_sim_chance(world, rates[GP_FAULT_REORDER])) {
        world->stats.faults[GP_FAULT_REORDER]++;
        return at;
    }
    *last = at > *last ? at : *last;
    return *last;
}

static void deliver(gp_sim_node_t *from, const gp_sim_node_t *to, gp_slice_t frame)
{
    gp_usec_t at = arrival(from, to);
    if (at == 0) {
        return;
    }
    gp_happening_t *happening = gp_happening_new(GP_HAPPEN_FRAME, to, frame);
    happening->peer = from->id;
    add(from->world, at, happening);
}

static void effect_send(void *context, const gp_id_t *to_id, gp_msg_kind_t kind, gp_slice_t frame)
{
    gp_sim_node_t *from = context;
    gp_world_t *world = from->world;
    world->stats.messages++;
    world->stats.bytes += frame.n;
    gp_oracle_sent(from, kind, frame);
    gp_sim_node_t *to = node_of(world, to_id);
    if (to == NULL || !to->running || (to != from && !can_pass(from, to))) {
        return;
    }
    if (to == from) {
        gp_happening_t *happening = gp_happening_new(GP_HAPPEN_FRAME, to, frame);
        happening->peer = from->id;
        add(world, world->now, happening);
        return;
    }
    deliver(from, to, frame);
    if (gp_sim_chance(world, world->config.message_permyriad[GP_FAULT_DUPLICATE])) {
        world->stats.faults[GP_FAULT_DUPLICATE]++;
        deliver(from, to, frame);
    }
}

static void tell_link(gp_sim_node_t *node, const gp_id_t *peer, bool up, gp_usec_t at)
{
    gp_happening_t *happening = gp_happening_new(GP_HAPPEN_LINK, node, (gp_slice_t){0});
    happening->peer = *peer;
    happening->ok = up;
    add(node->world, at, happening);
}

static void connect_link(gp_sim_node_t *node, gp_sim_node_t *to)
{
    gp_world_t *world = node->world;
    if (node->running && to->running && can_pass(node, to) && can_pass(to, node)) {
        gp_usec_t at = world->now + 3 * transit(world);
        tell_link(node, &to->id, true, at);
        tell_link(to, &node->id, true, at);
    }
}

static void effect_link(void *context, const gp_id_t *peer, bool held)
{
    gp_sim_node_t *node = context;
    gp_sim_node_t *to = node_of(node->world, peer);
    if (to == NULL || to == node) {
        return;
    }
    bool *mine = &node->links[gp_sim_place(node->world, to->index)];
    if (held && !*mine) {
        connect_link(node, to);
    }
    *mine = held;
}

/* Calls `what` for each running node of the group that shares a link with `node`. */
static void each_linked(gp_sim_node_t *node,
                        void (*what)(gp_sim_node_t *node, gp_sim_node_t *other))
{
    gp_world_t *world = node->world;
    uint32_t first = node->index - gp_sim_place(world, node->index);
    uint32_t place = gp_sim_place(world, node->index);
    for (uint32_t i = first; i < first + world->config.group_size && i < world->config.nodes; i++) {
        gp_sim_node_t *other = &world->nodes[i];
        if (other != node && other->running && (other->links[place] || node->links[i - first])) {
            what(node, other);
        }
    }
}

static void break_link(gp_sim_node_t *node, gp_sim_node_t *other)
{
    if (can_pass(node, other)) {
        tell_link(other, &node->id, false, node->world->now + transit(node->world));
    }
}

static void reconnect_link(gp_sim_node_t *node, gp_sim_node_t *other)
{
    if (can_pass(node, other) && can_pass(other, node)) {
        gp_usec_t at = node->world->now + gp_sim_within(node->world, 20 * GP_MSEC, 100 * GP_MSEC);
        tell_link(other, &node->id, true, at);
        tell_link(node, &other->id, true, at);
    }
}

void gp_sim_links_reset(gp_sim_node_t *node)
{
    each_linked(node, break_link);
    memset(node->links, 0, node->world->config.group_size * sizeof node->links[0]);
}

void gp_sim_links_restore(gp_sim_node_t *node)
{
    each_linked(node, reconnect_link);
}

static void effect_dial(void *context, const gp_id_t *peer, gp_room_t room)
{
    gp_sim_node_t *node = context;
    gp_world_t *world = node->world;
    gp_sim_node_t *to = node_of(world, peer);
    gp_happening_t *happening = gp_happening_new(GP_HAPPEN_DIALED, node, (gp_slice_t){0});
    happening->peer = *peer;
    happening->room = room;
    happening->token = GP_DIAL_REFUSED;
    gp_usec_t at = world->now + 2 * transit(world);
    if (to != NULL && (!can_pass(node, to) || !can_pass(to, node))) {
        happening->token = GP_DIAL_SILENT;
        at = world->now + 300 * GP_MSEC;
    } else if (to != NULL && to->running) {
        happening->token = GP_DIAL_OPEN; /* the kernel of a frozen process answers too */
    }
    add(world, at, happening);
}

/* ---- disk ------------------------------------------------------------------------------------ */

static void forget(gp_sim_disk_t *disk, gp_sim_record_t *record)
{
    if (record != NULL) {
        free(record->bytes);
        *record = disk->v[--disk->count];
    }
}

void gp_sim_keep(gp_sim_disk_t *disk, gp_msg_kind_t kind, uint64_t key, gp_slice_t bytes)
{
    gp_sim_record_t *record = NULL;
    for (uint32_t i = 0; i < disk->count && record == NULL; i++) {
        if (disk->v[i].kind == kind && disk->v[i].key == key) {
            record = &disk->v[i];
        }
    }
    if (bytes.p == NULL) {
        forget(disk, record);
        return;
    }
    if (record == NULL) {
        disk->v = realloc(disk->v, (disk->count + 1) * sizeof disk->v[0]);
        assert(disk->v != NULL && "out of memory");
        record = &disk->v[disk->count++];
        *record = (gp_sim_record_t){.kind = kind, .key = key};
    }
    record->bytes = realloc(record->bytes, bytes.n > 0 ? bytes.n : 1);
    assert(record->bytes != NULL && "out of memory");
    memcpy(record->bytes, bytes.p, bytes.n);
    record->n = bytes.n;
}

void gp_sim_wipe(gp_sim_disk_t *disk)
{
    for (uint32_t i = 0; i < disk->count; i++) {
        free(disk->v[i].bytes);
    }
    free(disk->v);
    *disk = (gp_sim_disk_t){0};
}

static void effect_store(void *context, const gp_msg_t *msg, gp_slice_t bytes, uint64_t ticket)
{
    gp_sim_node_t *node = context;
    gp_world_t *world = node->world;
    gp_happening_t *happening = gp_happening_new(GP_HAPPEN_STORED, node, bytes);
    happening->room = gp_msg_room(msg->kind);
    happening->token = ticket;
    happening->ok = !gp_sim_chance(world, world->config.store_permyriad);
    world->stats.faults[GP_FAULT_STORE] += happening->ok ? 0 : 1;
    /* The record's name travels where a frame has its sender. */
    bool removed;
    uint64_t key = gp_record_key(msg, &removed);
    uint64_t name[3] = {(uint64_t)msg->kind, key, removed ? 1 : 0};
    memcpy(happening->peer.b, name, sizeof name);
    gp_usec_t start = node->disk_free > world->now ? node->disk_free : world->now;
    node->disk_free =
        start + gp_sim_within(world, world->config.store_us, 3 * world->config.store_us);
    add(world, node->disk_free, happening);
}

/* ---- launcher: programs run for a second, write one line and end well ------------------------ */

static gp_msg_t *draft(gp_world_t *world, gp_msg_kind_t kind)
{
    memset(&world->msg, 0, gp_msg_size(kind));
    world->msg.kind = kind;
    return &world->msg;
}

static void launch(gp_sim_node_t *node, const gp_msg_job_start_t *start)
{
    gp_msg_t *msg = draft(node->world, GP_MSG_WORK_STARTED);
    gp_msg_work_started_t *started = &msg->u.work_started;
    started->home = start->home;
    started->job = start->job;
    started->incarnation = start->incarnation;
    started->started = true;
    gp_sim_command(node, GP_MSEC, 0, msg);

    static const char line[] = "done\n";
    msg = draft(node->world, GP_MSG_WORK_OUTPUT);
    gp_msg_work_output_t *output = &msg->u.work_output;
    output->home = start->home;
    output->job = start->job;
    output->incarnation = start->incarnation;
    output->stream = 1;
    output->bytes = gp_text(line);
    gp_sim_command(node, GP_SECOND, 0, msg);

    msg = draft(node->world, GP_MSG_WORK_ENDED);
    gp_msg_work_ended_t *ended = &msg->u.work_ended;
    ended->home = start->home;
    ended->job = start->job;
    ended->incarnation = start->incarnation;
    ended->reason = GP_REASON_EXIT;
    ended->output = sizeof line - 1;
    ended->wall_us = GP_SECOND;
    gp_sim_command(node, GP_SECOND + GP_MSEC, 0, msg);
}

static void stop(gp_sim_node_t *node, const gp_msg_job_stop_t *stop_order)
{
    gp_msg_t *msg = draft(node->world, GP_MSG_WORK_ENDED);
    gp_msg_work_ended_t *ended = &msg->u.work_ended;
    ended->home = stop_order->home;
    ended->job = stop_order->job;
    ended->incarnation = stop_order->incarnation;
    ended->reason = stop_order->reason;
    gp_sim_command(node, GP_MSEC, 0, msg);
}

static void effect_notice(void *context, gp_room_t room, uint64_t token, const gp_msg_t *msg)
{
    gp_sim_node_t *node = context;
    (void)room;
    gp_oracle_notice(node, token, msg);
    if (msg->kind == GP_MSG_JOB_START) {
        launch(node, &msg->u.job_start);
    } else if (msg->kind == GP_MSG_JOB_STOP) {
        stop(node, &msg->u.job_stop);
    }
}

static void effect_letter(void *context, const gp_id_t *peer, const gp_msg_t *msg)
{
    (void)context; /* the simulator's machines are admitted by hand */
    (void)peer;
    (void)msg;
}

static void effect_dropped(void *context, const gp_id_t *peer, gp_error_t error)
{
    const gp_sim_node_t *node = context;
    (void)peer;
    (void)error;
    node->world->stats.refused++;
}

const gp_effects_t gp_sim_effects = {
    .now = effect_now,
    .wall = effect_wall,
    .store = effect_store,
    .send = effect_send,
    .link = effect_link,
    .dial = effect_dial,
    .notice = effect_notice,
    .letter = effect_letter,
    .dropped = effect_dropped,
};
