/* The virtual clock, disk and launcher: what the daemon's shell does with SQLite and processes. */
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

/* ---- clock ----------------------------------------------------------------------------------- */

static gp_usec_t effect_now(void *context)
{
    const gp_sim_node_t *node = context;
    return gp_sim_local(node, node->world->now);
}

static gp_wall_ms_t effect_wall(void *context)
{
    const gp_sim_node_t *node = context;
    return UINT64_C(1767225600000) + node->world->now / 1000 + (gp_wall_ms_t)node->wall_off_ms;
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
    happening->ok = !node->disk_full && !gp_sim_chance(world, world->config.store_permyriad);
    /* A failed fsync does not mean that nothing was written. */
    happening->written = happening->ok || (!node->disk_full && gp_sim_chance(world, 5000));
    world->stats.faults[GP_FAULT_STORE] += happening->ok ? 0 : 1;
    /* The record's name travels where a frame has its sender. */
    bool removed;
    uint64_t key = gp_record_key(msg, &removed);
    uint64_t name[3] = {(uint64_t)msg->kind, key, removed ? 1 : 0};
    memcpy(happening->peer.b, name, sizeof name);
    gp_usec_t start = node->disk_free > world->now ? node->disk_free : world->now;
    node->disk_free =
        start + gp_sim_within(world, world->config.store_us, 3 * world->config.store_us);
    gp_sim_add(world, node->disk_free, happening);
    if (node->doomed) {
        node->doomed = false;
        gp_usec_t at = start + gp_sim_within(world, 0, 2 * (node->disk_free - start));
        gp_sim_add(world, at, gp_happening_new(GP_HAPPEN_CRASH, node, (gp_slice_t){0}));
    }
}

/* ---- launcher: programs run for a second, write one line and end well ------------------------ */

static gp_msg_t *draft(gp_world_t *world, gp_msg_kind_t kind)
{
    memset(&world->msg, 0, gp_msg_size(kind));
    world->msg.kind = kind;
    return &world->msg;
}

static const char line[] = "done\n";

/* How much it has written by then. */
static uint64_t written(const gp_sim_node_t *node, const gp_msg_job_stop_t *order, gp_usec_t by)
{
    for (uint32_t i = 0; i < GP_SIM_PROGRAMS; i++) {
        const gp_sim_program_t *program = &node->programs[i];
        if (program->job == order->job && program->incarnation == order->incarnation &&
            gp_id_equal(&program->home, &order->home)) {
            return program->writes_at <= by ? sizeof line - 1 : 0;
        }
    }
    return 0;
}

static void launch(gp_sim_node_t *node, const gp_msg_job_start_t *start)
{
    node->programs[node->program_count++ % GP_SIM_PROGRAMS] =
        (gp_sim_program_t){.home = start->home,
                           .job = start->job,
                           .incarnation = start->incarnation,
                           .writes_at = node->world->now + GP_SECOND};
    gp_msg_t *msg = draft(node->world, GP_MSG_WORK_STARTED);
    gp_msg_work_started_t *started = &msg->u.work_started;
    started->home = start->home;
    started->job = start->job;
    started->incarnation = start->incarnation;
    started->started = true;
    gp_sim_command(node, GP_MSEC, 0, msg);

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
    ended->output = written(node, stop_order, node->world->now + GP_MSEC);
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
    node->world->dropped = error;
    node->world->stats.refused++;
}

const gp_effects_t gp_sim_effects = {
    .now = effect_now,
    .wall = effect_wall,
    .store = effect_store,
    .send = gp_sim_send,
    .link = gp_sim_link,
    .dial = gp_sim_dial,
    .notice = effect_notice,
    .letter = effect_letter,
    .dropped = effect_dropped,
};
