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

/*
 * ---- launcher: programs write from their first second on, end well, and run until they could ----
 *
 * Most write one line, some of them late. Which ones do, and which write more than is ever on its
 * way, so that they have to wait for their user, comes from the seed and the job: no draw of the
 * world's is taken for it.
 */

static const char line[] = "done\n";
#define LINE_BYTES     (sizeof line - 1)
#define MUCH_BYTES     (10000 * LINE_BYTES) /* three windows */
#define FIRST_BYTES    12001 /* at first, so that the rest does not begin where a ring does */
#define MUCH_OF        4     /* one program of so many */
#define LATE_OF        6     /* one program of so many, by itself */
#define LATE_US        (40 * GP_SECOND) /* it writes its first then, and ends */
#define SLOW_USER_US   (700 * GP_MSEC)
#define TAKEN_AT_LEAST (GP_OUTPUT_CHUNK_MAX / 4) /* bytes that a user waits for */

static gp_msg_t *draft(gp_world_t *world, gp_msg_kind_t kind)
{
    memset(&world->msg, 0, gp_msg_size(kind));
    world->msg.kind = kind;
    return &world->msg;
}

static uint64_t luck_of(const gp_world_t *world, const gp_id_t *home, uint64_t job)
{
    return gp_hash(home->b, sizeof home->b, gp_hash(&job, sizeof job, world->config.seed));
}

static gp_sim_program_t *program_of(gp_sim_node_t *node, const gp_id_t *home, uint64_t job,
                                    uint32_t incarnation)
{
    for (uint32_t i = 0; node->programs != NULL && i < GP_SIM_PROGRAMS; i++) {
        gp_sim_program_t *program = &node->programs[i];
        if (program->job == job && program->incarnation == incarnation &&
            gp_id_equal(&program->home, home)) {
            return program;
        }
    }
    return NULL;
}

static void launch(gp_sim_node_t *node, const gp_msg_job_start_t *start)
{
    if (node->programs == NULL) {
        node->programs = calloc(GP_SIM_PROGRAMS, sizeof node->programs[0]);
        assert(node->programs != NULL && "out of memory");
    }
    uint64_t luck = luck_of(node->world, &start->home, start->job);
    bool much = luck % MUCH_OF == 0;
    bool late = luck / (2 * MUCH_OF) % LATE_OF == 0;
    node->programs[node->program_count++ % GP_SIM_PROGRAMS] =
        (gp_sim_program_t){.home = start->home,
                           .job = start->job,
                           .incarnation = start->incarnation,
                           .life = node->life,
                           .total = much ? MUCH_BYTES : LINE_BYTES,
                           .writes_at = node->world->now + (late ? LATE_US : GP_SECOND)};
    gp_msg_t *msg = draft(node->world, GP_MSG_WORK_STARTED);
    gp_msg_work_started_t *started = &msg->u.work_started;
    started->home = start->home;
    started->job = start->job;
    started->incarnation = start->incarnation;
    started->started = true;
    gp_sim_command(node, GP_MSEC, 0, msg);
}

/* The program's text from its byte `from` on: the line again and again. */
static gp_slice_t text_at(uint64_t from, size_t n)
{
    static uint8_t page[GP_OUTPUT_CHUNK_MAX + LINE_BYTES];
    assert(n <= GP_OUTPUT_CHUNK_MAX);
    for (size_t i = 0; page[sizeof page - 1] == 0 && i < sizeof page; i += LINE_BYTES) {
        size_t left = sizeof page - i;
        memcpy(page + i, line, left < LINE_BYTES ? left : LINE_BYTES);
    }
    return gp_slice(page + from % LINE_BYTES, n);
}

/* It may write on: it does so at once, mostly as much as it may, and ends behind its last byte. */
static void write_on(gp_sim_node_t *node, const gp_msg_job_read_t *order)
{
    gp_world_t *world = node->world;
    gp_sim_program_t *program = program_of(node, &order->home, order->job, order->incarnation);
    uint64_t to = order->until;
    if (program != NULL && to > program->total) {
        to = program->total;
    }
    if (program != NULL && program->wrote == 0 && to > FIRST_BYTES) {
        to = FIRST_BYTES;
    }
    if (program == NULL || program->stopped || to <= program->wrote) {
        return;
    }
    gp_usec_t in_us = program->writes_at > world->now ? program->writes_at - world->now : GP_MSEC;
    gp_msg_t *msg = draft(world, GP_MSG_WORK_OUTPUT);
    gp_msg_work_output_t *output = &msg->u.work_output;
    output->home = program->home;
    output->job = program->job;
    output->incarnation = program->incarnation;
    output->stream = program->wrote % 2 == 0 ? 1 : 2;
    output->offset = program->wrote;
    output->bytes = text_at(program->wrote, (size_t)(to - program->wrote));
    gp_sim_command(node, in_us, 0, msg);
    program->before = program->wrote;
    program->wrote = to;
    program->writes_at = world->now + in_us;
    if (to < program->total) {
        return;
    }
    msg = draft(world, GP_MSG_WORK_ENDED);
    gp_msg_work_ended_t *ended = &msg->u.work_ended;
    ended->home = program->home;
    ended->job = program->job;
    ended->incarnation = program->incarnation;
    ended->reason = GP_REASON_EXIT;
    ended->output = program->total;
    ended->wall_us = GP_SECOND;
    gp_sim_command(node, in_us + GP_MSEC, 0, msg);
}

static void stop(gp_sim_node_t *node, const gp_msg_job_stop_t *order)
{
    gp_sim_program_t *program = program_of(node, &order->home, order->job, order->incarnation);
    gp_msg_t *msg = draft(node->world, GP_MSG_WORK_ENDED);
    gp_msg_work_ended_t *ended = &msg->u.work_ended;
    ended->home = order->home;
    ended->job = order->job;
    ended->incarnation = order->incarnation;
    ended->reason = order->reason;
    if (program != NULL) {
        program->stopped = true;
        ended->output =
            program->writes_at <= node->world->now + GP_MSEC ? program->wrote : program->before;
    }
    gp_sim_command(node, GP_MSEC, 0, msg);
}

/* The user takes it, some of them late: until then the program may write no more than a window. */
static void take(gp_sim_node_t *node, const gp_msg_job_output_t *output)
{
    gp_world_t *world = node->world;
    gp_slice_t expected = text_at(output->offset, output->bytes.n);
    uint64_t job = output->job;
    uint64_t end = output->offset + output->bytes.n;
    if (memcmp(output->bytes.p, expected.p, expected.n) != 0) {
        gp_oracle_violation(world, "output came that no program wrote", node);
    }
    if (end < TAKEN_AT_LEAST) {
        return;
    }
    bool slow = (luck_of(world, &node->id, job) / MUCH_OF) % 2 == 0;
    gp_msg_t *msg = draft(world, GP_MSG_WORK_CONSUMED);
    msg->u.work_consumed.job = job;
    msg->u.work_consumed.offset = end;
    gp_sim_command(node, slow ? SLOW_USER_US : GP_MSEC, 0, msg);
}

static bool is_stuck(const gp_sim_node_t *node, const gp_sim_program_t *program, gp_usec_t us)
{
    return node->running && program->life == node->life && !program->stopped &&
           program->wrote < program->total && program->writes_at + us < node->world->now;
}

void gp_world_check_output(gp_world_t *world, gp_usec_t us)
{
    for (uint32_t i = 0; i < world->config.nodes; i++) {
        for (uint32_t k = 0; world->nodes[i].programs != NULL && k < GP_SIM_PROGRAMS; k++) {
            if (is_stuck(&world->nodes[i], &world->nodes[i].programs[k], us)) {
                gp_oracle_violation(world, "a program waits for its user for ever",
                                    &world->nodes[i]);
            }
        }
    }
}

/* On its way out, or not after all. */
static void go(gp_sim_node_t *node, const gp_msg_t *msg)
{
    if (msg->kind == GP_MSG_WORK_STOPPED) {
        node->idle = true;
    } else if (msg->kind == GP_MSG_RELINQUISHED && node->for_ever &&
               gp_group_tier(msg->u.relinquished.group) == GP_SEAT_SUBGRID) {
        gp_sim_end_work(node);
    } else if (msg->kind == GP_MSG_HEIRLESS) {
        node->leaving = false;
        node->for_ever = false;
    }
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
    } else if (msg->kind == GP_MSG_JOB_READ) {
        write_on(node, &msg->u.job_read);
    } else if (msg->kind == GP_MSG_JOB_OUTPUT) {
        take(node, &msg->u.job_output);
    } else if (msg->kind == GP_MSG_FORM_ANSWER) {
        gp_sim_placed(node, token, &msg->u.form_answer);
    } else if (msg->kind == GP_MSG_FORM_MOVED) {
        node->moves = true;
    } else {
        go(node, msg);
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
