#include "agent/lab/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/lab/world_state.h"

#define TOWNS         6
#define TOWN_SHARE    64      /* a town is as wide as the world, divided by this */
#define SAME_TIME_MAX 1000000 /* so much cannot happen in one microsecond */

static const char *const fault_names[GP_FAULT_COUNT] = {
    [GP_FAULT_LOSS] = "loss",
    [GP_FAULT_DUPLICATE] = "duplicate",
    [GP_FAULT_REORDER] = "reorder",
    [GP_FAULT_DELAY] = "delay",
    [GP_FAULT_REPLAY] = "replay",
    [GP_FAULT_CORRUPT] = "corrupt",
    [GP_FAULT_VERSION] = "version",
    [GP_FAULT_CRASH] = "crash",
    [GP_FAULT_BOUNCE] = "bounce",
    [GP_FAULT_WIPE] = "wipe",
    [GP_FAULT_MASS] = "mass",
    [GP_FAULT_RESTART] = "restart",
    [GP_FAULT_CHURN] = "churn",
    [GP_FAULT_PAUSE] = "pause",
    [GP_FAULT_CUT] = "cut",
    [GP_FAULT_CUT_ONE_WAY] = "cut_one_way",
    [GP_FAULT_CLOG] = "clog",
    [GP_FAULT_CLOCK] = "clock",
    [GP_FAULT_JUMP] = "jump",
    [GP_FAULT_DISK_FULL] = "disk_full",
    [GP_FAULT_DISK_SLOW] = "disk_slow",
    [GP_FAULT_STORE] = "store",
    [GP_FAULT_TORN] = "torn",
};

const char *gp_fault_name(gp_fault_t fault)
{
    assert(fault < GP_FAULT_COUNT);
    return fault_names[fault];
}

void gp_world_defaults(gp_world_config_t *config)
{
    *config = (gp_world_config_t){
        .nodes = 9,
        .group_size = 50,
        .regions = 1,
        .seed = 1,
        .latency_us = 150,
        .jitter_us = 250,
        .store_us = 500,
        .slow = 1,
        .check_every = 1,
    };
}

/* ---- clocks and places ----------------------------------------------------------------------- */

gp_usec_t gp_sim_local(const gp_sim_node_t *node, gp_usec_t at)
{
    gp_usec_t passed = at - node->clock_true;
    int64_t drift = (int64_t)passed * node->rate_ppm / 1000000;
    return node->clock_local + passed + (uint64_t)drift;
}

gp_usec_t gp_sim_true(const gp_sim_node_t *node, gp_usec_t local)
{
    if (local == GP_NEVER) {
        return GP_NEVER;
    }
    if (local <= node->clock_local) {
        return node->clock_true;
    }
    gp_usec_t passed = local - node->clock_local;
    gp_usec_t at = node->clock_true + passed * 1000000 / (gp_usec_t)(1000000 + node->rate_ppm);
    while (gp_sim_local(node, at) < local) {
        at++; /* rounding: a WAKE must not come before its time */
    }
    return at;
}

uint32_t gp_sim_group_of(const gp_world_t *world, uint32_t node)
{
    return node / world->config.group_size;
}

uint32_t gp_sim_place(const gp_world_t *world, uint32_t node)
{
    return node % world->config.group_size;
}

/* Drawn apart from all else: a world of one place has the history that it has without. */
static void settle(gp_sim_node_t *node)
{
    const gp_world_config_t *config = &node->world->config;
    for (uint64_t axis = 0; axis < 2; axis++) {
        gp_random_t random;
        uint64_t town = gp_hash(&node->index, sizeof node->index, config->seed) % TOWNS;
        gp_random_init(&random, gp_hash(&town, sizeof town, config->seed + axis));
        uint64_t corner = gp_random_below(&random, config->breadth_us + 1);
        gp_random_init(&random, gp_hash(&node->index, sizeof node->index, ~config->seed - axis));
        uint64_t street = gp_random_below(&random, config->breadth_us / TOWN_SHARE + 1);
        node->at[axis] = (int64_t)(corner + street);
    }
}

gp_usec_t gp_world_way(const gp_world_t *world, uint32_t from, uint32_t to)
{
    const int64_t *a = world->nodes[from].at;
    const int64_t *b = world->nodes[to].at;
    uint64_t square = (uint64_t)((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]));
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 31; bit > 0 && square > 0; bit /= 2) {
        root += (root + bit) * (root + bit) <= square ? bit : 0;
    }
    return world->config.latency_us + root;
}

bool gp_sim_lends(const gp_sim_node_t *node)
{
    return gp_sim_place(node->world, node->index) % 8 != 5;
}

uint32_t gp_sim_region_size(const gp_world_t *world)
{
    return (world->config.group_size + world->config.regions - 1) / world->config.regions;
}

uint32_t gp_world_region(const gp_world_t *world, uint32_t node)
{
    return gp_sim_group_of(world, node) * world->config.regions +
           gp_sim_place(world, node) / gp_sim_region_size(world);
}

uint64_t gp_sim_group_id(gp_seat_t seat, uint32_t group)
{
    return (uint64_t)seat << 56 | UINT64_C(0x5347) << 32 | group;
}

uint64_t gp_sim_own_group(const gp_sim_node_t *node, gp_seat_t seat)
{
    const gp_world_t *world = node->world;
    if (seat != GP_SEAT_GRID) {
        return gp_sim_group_id(seat, gp_world_region(world, node->index));
    }
    /* All that is laid out is one grid. */
    return gp_sim_group_id(seat,
                           gp_sim_is_laid_out(world) ? 0 : gp_sim_group_of(world, node->index));
}

/* The index is in the last bytes; the first ones are spread, so that ids are not in node order. */
static gp_id_t id_of(const gp_world_t *world, uint32_t index, uint32_t wipes)
{
    gp_id_t id = {0};
    uint64_t spread[3];
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t name[3] = {index, wipes, i};
        spread[i] = gp_hash(name, sizeof name, world->config.seed);
    }
    memcpy(id.b, spread, sizeof spread);
    memcpy(id.b + 24, &wipes, sizeof wipes);
    memcpy(id.b + 28, &index, sizeof index);
    return id;
}

uint32_t gp_world_node(const gp_world_t *world, const gp_id_t *id)
{
    if (world->config.ed25519) {
        for (uint32_t i = 0; i < world->config.nodes; i++) {
            if (gp_id_equal(&world->nodes[i].id, id)) {
                return i;
            }
        }
        return UINT32_MAX;
    }
    uint32_t index;
    memcpy(&index, id->b + 28, sizeof index);
    return index < world->config.nodes ? index : UINT32_MAX;
}

/* ---- making a world -------------------------------------------------------------------------- */

void gp_sim_name(gp_sim_node_t *node)
{
    gp_world_t *world = node->world;
    node->id = id_of(world, node->index, node->wipes);
    if (world->config.ed25519) {
        gp_secret_free(node->secret);
        gp_error_t error = gp_secret_from_seed(node->id.b, &node->secret);
        assert(error == GP_OK);
        node->id = gp_secret_id(node->secret);
    }
    int n = snprintf(node->name, sizeof node->name, node->wipes == 0 ? "n%u" : "n%u.%u",
                     node->index + 1, node->wipes);
    assert(n > 0 && (size_t)n < sizeof node->name);
}

static void init_node(gp_world_t *world, uint32_t index)
{
    gp_sim_node_t *node = &world->nodes[index];
    *node = (gp_sim_node_t){.world = world, .index = index, .wake_at = GP_NEVER};
    node->clock_local = GP_SECOND + gp_random_below(&world->random, 1000 * GP_SECOND);
    gp_sim_name(node);
    settle(node);
}

gp_world_t *gp_world_new(const gp_world_config_t *config)
{
    if (config->nodes == 0 || config->nodes > GP_WORLD_NODES_MAX || config->group_size == 0 ||
        config->group_size > (config->subgrid_size > 0 ? GP_WORLD_REGION_MAX : GP_MEMBERS_MAX) ||
        config->subgrid_size > GP_MEMBERS_MAX || (config->subgrid_size > 0 && !config->tiers) ||
        config->regions == 0 || (config->regions > 1 && config->subgrid_size == 0) ||
        config->regions > config->group_size || config->regions > GP_MEMBERS_MAX ||
        (config->subgrids > 0 && config->regions > 1) ||
        (config->subgrids > 0 && config->subgrids * config->subgrid_size != config->group_size)) {
        return NULL;
    }
    gp_world_t *world = calloc(1, sizeof *world);
    if (world == NULL) {
        return NULL;
    }
    world->config = *config;
    world->group_count = (config->nodes + config->group_size - 1) / config->group_size;
    world->bench = gp_bench_new();
    world->nodes = calloc(config->nodes, sizeof world->nodes[0]);
    world->region_count = world->group_count * config->regions;
    if (config->subgrids > 0) {
        world->part_count = (config->nodes + config->subgrid_size - 1) / config->subgrid_size;
        world->parts = calloc(world->part_count, sizeof world->parts[0]);
    }
    world->known_count = world->part_count + GP_SEAT_COUNT * world->region_count;
    world->groups = calloc(world->known_count, sizeof world->groups[0]);
    gp_random_init(&world->random, config->seed);
    bool ok = world->bench != NULL && world->nodes != NULL && world->groups != NULL &&
              (world->parts != NULL || world->part_count == 0) &&
              gp_plan_init(&world->plan, world->part_count + 1);
    for (uint32_t i = 0; ok && i < config->nodes; i++) {
        init_node(world, i);
    }
    for (uint32_t i = 0; ok && i < world->known_count; i++) {
        world->groups[i].holder = UINT32_MAX;
    }
    if (!ok) {
        gp_world_free(world);
        return NULL;
    }
    return world;
}

void gp_sim_forget_waiting(gp_sim_node_t *node)
{
    for (uint32_t i = 0; i < node->waiting_count; i++) {
        free(node->waiting[i]);
    }
    node->waiting_count = 0;
}

void gp_world_free(gp_world_t *world)
{
    if (world == NULL) {
        return;
    }
    for (uint32_t i = 0; world->nodes != NULL && i < world->config.nodes; i++) {
        gp_sim_node_t *node = &world->nodes[i];
        if (!node->packed) {
            gp_runner_free(node->runner);
        }
        gp_sim_wipe(&node->disk);
        gp_secret_free(node->secret);
        gp_sim_forget_waiting(node);
        free(node->waiting);
        free(node->ties);
        free(node->programs);
        for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
            free(node->votes[seat]);
        }
    }
    gp_plan_done(&world->plan);
    gp_sim_berths_free(world);
    free(world->parts);
    free(world->nodes);
    free(world->groups);
    free(world->formed);
    free(world->started_jobs);
    free(world->twins.taken);
    for (uint32_t i = 0; i < GP_SIM_PAST; i++) {
        free(world->past[i].bytes);
    }
    gp_bench_free(world->bench);
    free(world);
}

/* ---- time goes on ---------------------------------------------------------------------------- */

void gp_sim_plan_wake(gp_sim_node_t *node)
{
    gp_usec_t next = gp_sim_true(node, gp_runner_next(node->runner));
    if (next < node->world->now) {
        next = node->world->now;
    }
    if (next == GP_NEVER || next >= node->wake_at) {
        return;
    }
    node->wake_at = next;
    gp_happening_t *wake = gp_happening_new(GP_HAPPEN_WAKE, node, (gp_slice_t){0});
    gp_sim_add(node->world, next, wake);
}

void gp_sim_write(gp_sim_node_t *node, const gp_happening_t *stored)
{
    uint64_t name[3];
    memcpy(name, stored->peer.b, sizeof name);
    gp_slice_t bytes = name[2] == 0 ? gp_slice(stored->bytes, stored->n) : (gp_slice_t){0};
    gp_sim_keep(&node->disk, (gp_msg_kind_t)name[0], name[1], bytes);
}

static void finish_store(gp_sim_node_t *node, const gp_happening_t *h)
{
    if (h->written) {
        gp_sim_write(node, h);
    }
    gp_runner_stored(node->runner, h->room, h->token, h->ok);
}

static void do_command(gp_sim_node_t *node, const gp_happening_t *h)
{
    gp_msg_t *msg = gp_runner_draft(node->runner, (gp_msg_kind_t)h->room);
    gp_error_t error = gp_msg_read((gp_msg_kind_t)h->room, gp_slice(h->bytes, h->n), false, msg);
    assert(error == GP_OK);
    gp_runner_command_in(node->runner, h->seat, h->token, msg);
}

static void happen(gp_sim_node_t *node, const gp_happening_t *h)
{
    switch (h->type) {
    case GP_HAPPEN_WAKE:
        gp_runner_wake(node->runner);
        break;
    case GP_HAPPEN_FRAME:
        node->world->dropped = GP_OK;
        gp_runner_frame(node->runner, &h->peer, gp_slice(h->bytes, h->n));
        gp_oracle_frame(node, h, node->world->dropped);
        break;
    case GP_HAPPEN_LINK:
        gp_runner_link(node->runner, &h->peer, h->ok);
        break;
    case GP_HAPPEN_DIALED:
        gp_runner_dialed(node->runner, &h->peer, h->room, (gp_dial_t)h->token);
        break;
    case GP_HAPPEN_STORED:
        finish_store(node, h);
        break;
    case GP_HAPPEN_COMMAND:
        do_command(node, h);
        break;
    case GP_HAPPEN_LIMIT:
        node->left = true;
        node->idle = true;
        break;
    case GP_HAPPEN_CRASH:
    case GP_HAPPEN_JOIN:
        assert(false && "no event of its peer");
        break;
    }
    node->world->stats.events++;
    gp_oracle_stepped(node);
    if (node->world->config.check_every > 0 &&
        ++node->steps % node->world->config.check_every == 0) {
        gp_peer_ops.check(gp_runner_core(node->runner));
    }
}

static void wait_for_thaw(gp_sim_node_t *node, gp_happening_t *h)
{
    if (node->waiting_count == node->waiting_capacity) {
        node->waiting_capacity = node->waiting_capacity == 0 ? 16 : 2 * node->waiting_capacity;
        node->waiting = realloc(node->waiting, node->waiting_capacity * sizeof(gp_happening_t *));
        assert(node->waiting != NULL && "out of memory");
    }
    node->waiting[node->waiting_count++] = h;
}

static void take_one(gp_world_t *world)
{
    gp_happening_t *h = gp_plan_take(&world->plan);
    assert(h->at >= world->now);
    world->same_time = h->at == world->now ? world->same_time + 1 : 0;
    world->now = h->at;
    gp_sim_node_t *node = &world->nodes[h->node];
    if (world->same_time > SAME_TIME_MAX) {
        gp_oracle_violation(world, "time stands still: a machine wakes again and again", node);
    }
    if (h->type == GP_HAPPEN_JOIN) {
        free(h);
        gp_sim_join(node);
        return;
    }
    if (!node->running || node->life != h->life ||
        (h->type == GP_HAPPEN_WAKE && h->at != node->wake_at)) {
        free(h);
        return;
    }
    if (h->type == GP_HAPPEN_WAKE) {
        node->wake_at = GP_NEVER;
    }
    if (h->type == GP_HAPPEN_CRASH) {
        gp_world_crash(world, h->node, false);
        free(h);
        return;
    }
    if (node->paused) {
        wait_for_thaw(node, h);
        return;
    }
    gp_sim_before(node, h);
    happen(node, h);
    free(h);
    if (node->left && node->idle) {
        gp_sim_left(node);
    } else if (node->moves) {
        gp_sim_end(node);
        gp_sim_settle(node);
        gp_sim_begin(node);
    } else {
        gp_sim_plan_wake(node);
    }
    gp_sim_after(node);
}

bool gp_world_run(gp_world_t *world, gp_usec_t until)
{
    while (world->violation[0] == '\0') {
        const gp_happening_t *first = gp_plan_first(&world->plan);
        if (first == NULL || first->at > until) {
            world->now = until > world->now ? until : world->now;
            return true;
        }
        take_one(world);
    }
    return false;
}

void gp_sim_command(gp_sim_node_t *node, gp_usec_t in_us, uint64_t token, const gp_msg_t *msg)
{
    gp_sim_command_in(node, GP_SEAT_SUBGRID, in_us, token, msg);
}

void gp_sim_command_in(gp_sim_node_t *node, gp_seat_t seat, gp_usec_t in_us, uint64_t token,
                       const gp_msg_t *msg)
{
    gp_world_t *world = node->world;
    size_t n = 0;
    gp_error_t error = gp_msg_pack(msg, world->packed, sizeof world->packed, &n);
    assert(error == GP_OK);
    gp_happening_t *h = gp_happening_new(GP_HAPPEN_COMMAND, node, gp_slice(world->packed, n));
    h->room = (gp_room_t)msg->kind; /* a command's kind travels where a store has its room */
    h->token = token;
    h->seat = seat;
    gp_sim_add(world, world->now + in_us, h);
}

/* ---- what can be seen ------------------------------------------------------------------------ */

gp_usec_t gp_world_now(const gp_world_t *world)
{
    return world->now;
}

uint64_t gp_world_trace_hash(const gp_world_t *world)
{
    return world->hash;
}

const gp_world_stats_t *gp_world_stats(const gp_world_t *world)
{
    return &world->stats;
}

const char *gp_world_violation(const gp_world_t *world)
{
    return world->violation;
}

void gp_world_watch(gp_world_t *world, gp_world_watch_t *watch, void *context)
{
    world->watch = watch;
    world->watch_context = context;
}

void gp_world_tap(gp_world_t *world, uint32_t node, const gp_tap_t *tap, void *context)
{
    world->tap = tap;
    world->tap_context = context;
    world->tap_node = node;
}

bool gp_world_alive(const gp_world_t *world, uint32_t node)
{
    return world->nodes[node].running && !world->nodes[node].paused;
}

const char *gp_world_name(const gp_world_t *world, uint32_t node)
{
    return world->nodes[node].name;
}

const void *gp_world_peer(const gp_world_t *world, uint32_t node)
{
    return world->nodes[node].running && !world->nodes[node].packed
               ? gp_runner_core(world->nodes[node].runner)
               : NULL;
}

uint32_t gp_world_groups(const gp_world_t *world)
{
    return world->group_count;
}
