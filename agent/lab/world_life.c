/* What is done to the nodes of a world: starting, killing, freezing, cutting, asking. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/lab/world_state.h"
#include "agent/shell/record.h"

static uint32_t first_of(const gp_world_t *world, uint32_t node)
{
    return node - gp_sim_place(world, node);
}

static uint32_t end_of(const gp_world_t *world, uint32_t node)
{
    uint32_t end = first_of(world, node) + world->config.group_size;
    return end < world->config.nodes ? end : world->config.nodes;
}

/* ---- starting -------------------------------------------------------------------------------- */

gp_record_member_t gp_sim_entry(const gp_sim_node_t *node, char address[GP_ADDRESS_MAX])
{
    int n = snprintf(address, GP_ADDRESS_MAX, "sim://%s", node->name);
    return (gp_record_member_t){
        .id = node->id,
        .state = GP_MEMBER_UNKNOWN,
        .cause = GP_CAUSE_JOINED,
        .name = gp_text(node->name),
        .address = gp_slice(address, (size_t)n),
    };
}

/* A joined machine knows who admitted it, as `gridpeer join` leaves it on the disk. */
void gp_sim_write_sponsor(gp_sim_node_t *node, const gp_sim_node_t *sponsor)
{
    gp_world_t *world = node->world;
    char address[GP_ADDRESS_MAX];
    memset(&world->msg, 0, gp_msg_size(GP_MSG_GROUP_STATE));
    world->msg.kind = GP_MSG_GROUP_STATE;
    world->msg.u.group_state.group = node->subgrid;
    world->msg.u.group_state.entries_count = 1;
    world->msg.u.group_state.entries[0] = gp_sim_entry(sponsor, address);
    size_t n = 0;
    gp_error_t error = gp_msg_pack(&world->msg, world->packed, sizeof world->packed, &n);
    assert(error == GP_OK);
    bool removed;
    uint64_t key = gp_record_key(&world->msg, &removed);
    gp_sim_keep(&node->disk, GP_MSG_GROUP_STATE, key, gp_slice(world->packed, n));
}

gp_sim_node_t *gp_sim_sponsor(gp_sim_node_t *node)
{
    gp_world_t *world = node->world;
    uint32_t own = gp_world_region(world, node->index);
    gp_sim_group_t *region = &world->groups[own];
    if (!region->founded && region->adding != 0 && region->adding != node->index + 1) {
        return NULL; /* another one is about to found it */
    }
    for (uint32_t k = first_of(world, node->index); k < end_of(world, node->index); k++) {
        /* Who founds asks the last one, as a rule in a region that does not lead the grid. */
        uint32_t i = region->founded ? k : end_of(world, k) - 1 - gp_sim_place(world, k);
        gp_sim_node_t *other = &world->nodes[i];
        bool near = !region->founded || gp_world_region(world, i) == own;
        if (near && other != node && other->introduced && other->running && !other->paused) {
            region->adding = region->founded ? 0 : node->index + 1;
            return other;
        }
    }
    return NULL;
}

void gp_sim_introduce(gp_sim_node_t *node, gp_sim_node_t *sponsor, gp_seat_t seat)
{
    gp_world_t *world = node->world;
    char address[GP_ADDRESS_MAX];
    memset(&world->msg, 0, gp_msg_size(GP_MSG_GROUP_INTRODUCE));
    world->msg.kind = GP_MSG_GROUP_INTRODUCE;
    world->msg.u.group_introduce.entries_count = 1;
    world->msg.u.group_introduce.entries[0] = gp_sim_entry(node, address);
    gp_sim_command_in(sponsor, seat, 0, 0, &world->msg);
}

static void describe(gp_sim_node_t *node, gp_peer_config_t *config)
{
    gp_world_t *world = node->world;
    uint64_t group = node->subgrid;
    uint32_t size = world->config.subgrid_size;
    memset(config, 0, sizeof *config);
    gp_group_defaults(&config->group);
    gp_work_config_default(&config->work);
    config->tiers = gp_tiers_defaults();
    config->forming = gp_forming_defaults();
    if (gp_sim_is_laid_out(world)) { /* all sub-Grids are as they should be */
        config->forming.members_aim = size;
        config->forming.members_min = size / 8 + 1;
        for (int seat = GP_SEAT_REGION; seat < GP_SEAT_COUNT; seat++) {
            config->tiers.leaders_only[seat] = gp_sim_leaders_only(world, (gp_seat_t)seat);
        }
    } else if (size > 0) {
        config->forming.members_max = size;
        config->forming.members_aim = (size + 1) / 2;
        config->forming.members_min = size / 8 + 1;
        config->forming.merge_after = 30 * GP_SECOND;
    }
    for (int seat = GP_SEAT_REGION; world->config.tiers && seat < GP_SEAT_COUNT; seat++) {
        config->tiers.groups[seat] = gp_sim_own_group(node, (gp_seat_t)seat);
    }
    config->election = gp_election_defaults();
    gp_group_slow_down(&config->group, world->config.slow);
    gp_election_slow_down(&config->election, world->config.slow);
    gp_tiers_slow_down(&config->tiers, world->config.slow);
    gp_forming_slow_down(&config->forming, world->config.slow);
    config->group.group = group;
    config->group.cert_max = 0;
    /* Wiped machines come back as others while the table still remembers the former ones. */
    uint32_t room = (size > 0 ? size : world->config.group_size) + 14;
    config->group.members_max = room < GP_MEMBERS_MAX ? room : GP_MEMBERS_MAX;
    config->members_above = size > 0 ? GP_MEMBERS_MAX : 0;
    config->group.boot = node->disk.boot;
    config->group.name = gp_text(node->name);
    config->election.group = group;
    config->discovery.group = group;
    config->discovery.incarnation = node->disk.boot;
    config->discovery.members_max = config->group.members_max;
    config->discovery.pool_bytes = 64;
    config->discovery.name = config->group.name;
    config->work.epoch = node->disk.boot;
    config->work.lend = gp_sim_lends(node);
    config->work.home_max = 8;
    config->work.attempts_max = 8;
    config->work.running_max = 4;
    config->work.command_bytes = 256;
    config->work.output_window = GP_OUTPUT_CHUNK_MAX;
}

/* The simulator's machines have no certificates: what is in them the gate hears here. */
static bool is_foreign(void *context, const gp_id_t *id)
{
    const gp_sim_node_t *node = context;
    uint32_t other = gp_world_node(node->world, id);
    return other != UINT32_MAX &&
           gp_world_region(node->world, other) != gp_world_region(node->world, node->index);
}

static void make_runner(gp_sim_node_t *node)
{
    gp_world_t *world = node->world;
    bool many = world->config.regions > 1 || gp_sim_is_laid_out(world); /* regions in a grid */
    char address[GP_ADDRESS_MAX];
    gp_peer_config_t peer;
    describe(node, &peer);
    gp_record_member_t self = gp_sim_entry(node, address);
    peer.group.address = self.address;
    gp_runner_config_t config = {
        .ops = &gp_peer_ops,
        .core_config = &peer,
        .seed = gp_random_next(&world->random),
        .gate = {.self = node->id,
                 .groups = {peer.group.group, peer.tiers.groups[GP_SEAT_REGION],
                            peer.tiers.groups[GP_SEAT_GRID]},
                 .boot = node->disk.boot,
                 .sealer = {world->config.ed25519 ? &gp_signer_ed25519 : &gp_signer_standin,
                            node->secret},
                 .foreign = many ? is_foreign : NULL,
                 .context = node},
        .effects = &gp_sim_effects,
        .context = node,
        .bench = world->bench,
        .tap = node->index == world->tap_node ? world->tap : NULL,
        .tap_context = world->tap_context,
    };
    gp_runner_free(node->runner);
    node->runner = NULL;
    if (gp_sim_is_laid_out(world)) {
        config.memory = gp_sim_berth(node, gp_runner_size(&config));
    }
    gp_error_t error = gp_runner_new(&config, &node->runner);
    assert(error == GP_OK && "the simulator's config is wrong");
}

static void load_disk(gp_sim_node_t *node)
{
    for (uint32_t i = 0; i < node->disk.count; i++) {
        const gp_sim_record_t *record = &node->disk.v[i];
        gp_error_t error =
            gp_msg_read(record->kind, gp_slice(record->bytes, record->n), false, &node->world->msg);
        assert(error == GP_OK && "the simulator's disk is damaged");
        gp_runner_load(node->runner, &node->world->msg);
    }
}

/* What the collectors of a real machine would tell; the figures come from the seed. */
static void tell_record(gp_sim_node_t *node, bool all)
{
    gp_world_t *world = node->world;
    memset(&world->msg, 0, gp_msg_size(GP_MSG_OWN_RECORD));
    world->msg.kind = GP_MSG_OWN_RECORD;
    gp_msg_own_record_t *own = &world->msg.u.own_record;
    uint64_t luck = gp_hash(&node->index, sizeof node->index, world->config.seed);
    own->whole = true;
    own->attrs[own->attrs_count++] =
        (gp_record_attr_t){.attr = GP_ATTR_CPU, .number = all ? 1 + luck % 32 : 1};
    own->attrs[own->attrs_count++] = (gp_record_attr_t){
        .attr = GP_ATTR_MEM_FREE, .number = all ? (luck >> 8) % (64ULL << 30) : 0};
    own->attrs[own->attrs_count++] =
        (gp_record_attr_t){.attr = GP_ATTR_ARCH, .text = gp_text("x86_64")};
    gp_sim_command(node, GP_MSEC, 0, &world->msg);
}

/* A machine without its disk has lost its key: it comes back as another one. */
static void become_another(gp_sim_node_t *node)
{
    gp_sim_wipe(&node->disk);
    node->wipes++;
    node->introduced = false;
    node->founds = GP_FOUNDS_NOTHING;
    node->subgrid = 0;
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        free(node->votes[seat]);
        node->votes[seat] = NULL;
    }
    gp_sim_name(node);
}

void gp_sim_begin(gp_sim_node_t *node)
{
    gp_world_t *world = node->world;
    gp_sim_disturb(node);
    node->disk.boot++;
    node->life++;
    node->running = true;
    world->running++;
    node->paused = false;
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        node->places[seat] = GP_CENSUS_ALONE;
    }
    node->wake_at = GP_NEVER;
    make_runner(node);
    load_disk(node);
    gp_runner_start(node->runner);
    if (node->founds != GP_FOUNDS_NOTHING) {
        gp_msg_t *msg = gp_runner_draft(node->runner, GP_MSG_ELECTION_FOUND);
        msg->u.election_found.score = 500;
        msg->u.election_found.found = node->founds;
        gp_runner_command(node->runner, 0, msg);
    }
    tell_record(node, true);
    gp_sim_links_restore(node);
    gp_happening_t *wake = gp_happening_new(GP_HAPPEN_WAKE, node, (gp_slice_t){0});
    node->wake_at = world->now;
    gp_sim_add(world, world->now, wake);
}

void gp_world_start(gp_world_t *world, uint32_t index)
{
    gp_sim_node_t *node = &world->nodes[index];
    uint32_t grid = GP_SEAT_GRID * world->region_count + gp_sim_group_of(world, index);
    assert(!node->running);
    if (node->gone) {
        node->gone = false;
        become_another(node);
    }
    if (gp_sim_is_laid_out(world)) {
        if (gp_sim_lay_out(node)) {
            gp_sim_settle(node);
            gp_sim_begin(node);
        }
        return;
    }
    if (!world->groups[grid].founded) {
        node->founds = GP_FOUNDS_GRID;
    }
    bool founder = node->founds == GP_FOUNDS_GRID;
    if (!node->introduced && !founder && world->config.subgrid_size > 0) {
        if (!node->joins) {
            gp_sim_join(node);
        }
        return;
    }
    if (node->subgrid == 0) {
        node->subgrid = gp_sim_own_group(node, GP_SEAT_SUBGRID);
    }
    if (!node->introduced && !founder) {
        gp_sim_node_t *sponsor = gp_sim_sponsor(node);
        if (sponsor == NULL) {
            return; /* nobody is there to admit it: it tries again when it is next started */
        }
        gp_sim_write_sponsor(node, sponsor);
        gp_sim_introduce(node, sponsor, GP_SEAT_SUBGRID);
    }
    node->introduced = true;
    node->joins = false;
    world->groups[grid].founded = true;
    world->groups[gp_world_region(world, index)].founded = true;
    gp_sim_settle(node);
    gp_sim_begin(node);
}

/* ---- ending ---------------------------------------------------------------------------------- */

void gp_sim_end(gp_sim_node_t *node)
{
    node->running = false;
    node->world->running--;
    node->paused = false;
    node->life++;
    node->moves = false;
    node->left = false;
    node->idle = false;
    node->leaving = false;
    node->doomed = false;
    node->for_ever = false;
    node->disk_free = 0;
    gp_sim_forget_waiting(node);
    gp_sim_links_reset(node);
}

void gp_sim_left(gp_sim_node_t *node)
{
    bool gone = node->for_ever;
    gp_sim_end(node);
    node->gone = gone;
}

/* The first of the stores under way after `after`, or NULL. */
static const gp_happening_t *next_store(const gp_sim_node_t *node, gp_usec_t after)
{
    uint32_t part = gp_sim_is_laid_out(node->world) && !gp_sim_sits_above(node)
                        ? gp_sim_part_of(node->world, node->index) + 1
                        : 0;
    const gp_agenda_t *agenda = &node->world->plan.v[part];
    const gp_happening_t *next = NULL;
    for (size_t i = 0; i < agenda->count; i++) {
        const gp_happening_t *h = agenda->v[i].what;
        if (h->type == GP_HAPPEN_STORED && h->node == node->index && h->life == node->life &&
            h->at > after && (next == NULL || h->at < next->at)) {
            next = h;
        }
    }
    return next;
}

/* Some of what was being written when the process died is on the disk: the first of it. */
static void tear(gp_sim_node_t *node)
{
    gp_world_t *world = node->world;
    const gp_happening_t *store = next_store(node, 0);
    while (store != NULL && store->written && gp_sim_chance(world, 5000)) {
        gp_sim_write(node, store);
        world->stats.faults[GP_FAULT_TORN]++;
        store = next_store(node, store->at);
    }
}

void gp_world_crash(gp_world_t *world, uint32_t index, bool wipe)
{
    gp_sim_node_t *node = &world->nodes[index];
    assert(node->running);
    gp_sim_disturb(node);
    world->stats.faults[wipe ? GP_FAULT_WIPE : GP_FAULT_CRASH]++;
    if (!wipe) {
        tear(node);
    }
    gp_sim_end(node);
    if (wipe) {
        become_another(node);
    }
}

void gp_world_doom(gp_world_t *world, uint32_t index)
{
    world->nodes[index].doomed = true;
}

#define STOP_US (2 * GP_SECOND) /* as the daemon: a stop in good order takes no longer */

void gp_sim_end_work(gp_sim_node_t *node)
{
    gp_world_t *world = node->world;
    memset(&world->msg, 0, gp_msg_size(GP_MSG_WORK_STOP));
    world->msg.kind = GP_MSG_WORK_STOP;
    world->msg.u.work_stop.wait_ms = STOP_US / 2 / GP_MSEC;
    gp_sim_command(node, 0, 0, &world->msg);
    gp_sim_add(world, world->now + world->config.slow * STOP_US,
               gp_happening_new(GP_HAPPEN_LIMIT, node, (gp_slice_t){0}));
}

/* As the daemon does it: programs end first, but if it leaves for good not before it may. */
void gp_world_leave(gp_world_t *world, uint32_t index, bool forever)
{
    gp_sim_node_t *node = &world->nodes[index];
    assert(node->running && !node->paused);
    node->for_ever = forever;
    node->leaving = true;
    if (!forever) {
        gp_sim_end_work(node);
    }
    memset(&world->msg, 0, gp_msg_size(GP_MSG_ELECTION_RELINQUISH));
    world->msg.kind = GP_MSG_ELECTION_RELINQUISH;
    world->msg.u.election_relinquish.forever = forever;
    gp_sim_command(node, 0, 0, &world->msg);
}

/* ---- freezing, clocks, cuts ------------------------------------------------------------------ */

static int by_order(const void *a, const void *b)
{
    const gp_happening_t *x = *(gp_happening_t *const *)a;
    const gp_happening_t *y = *(gp_happening_t *const *)b;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* All that came meanwhile comes now, in the order in which it came. */
static void thaw(gp_sim_node_t *node)
{
    gp_world_t *world = node->world;
    if (node->waiting_count > 1) {
        qsort(node->waiting, node->waiting_count, sizeof node->waiting[0], by_order);
    }
    for (uint32_t i = 0; i < node->waiting_count; i++) {
        gp_happening_t *h = node->waiting[i];
        if (h->type == GP_HAPPEN_WAKE) {
            node->wake_at = world->now;
        }
        gp_sim_add(world, world->now, h);
    }
    node->waiting_count = 0;
}

void gp_world_pause(gp_world_t *world, uint32_t index, bool pause)
{
    gp_sim_node_t *node = &world->nodes[index];
    assert(node->running && node->paused != pause);
    node->paused = pause;
    if (pause) {
        world->stats.faults[GP_FAULT_PAUSE]++;
    } else {
        thaw(node);
    }
}

void gp_world_clock(gp_world_t *world, uint32_t index, int32_t rate_ppm)
{
    gp_sim_node_t *node = &world->nodes[index];
    node->clock_local = gp_sim_local(node, world->now);
    node->clock_true = world->now;
    node->rate_ppm = rate_ppm;
    world->stats.faults[GP_FAULT_CLOCK] += rate_ppm != 0 ? 1 : 0;
    if (node->running && !node->paused) {
        gp_happening_t *wake = gp_happening_new(GP_HAPPEN_WAKE, node, (gp_slice_t){0});
        wake->at = world->now;
        node->wake_at = world->now;
        gp_sim_add(world, world->now, wake);
    }
}

void gp_world_cut(gp_world_t *world, uint32_t from, uint32_t to, bool cut)
{
    gp_sim_tie(&world->nodes[from], to)->cut = cut;
}

void gp_world_wall(gp_world_t *world, uint32_t index, int64_t off_ms)
{
    world->nodes[index].wall_off_ms = off_ms;
}

void gp_world_disk(gp_world_t *world, uint32_t index, bool full, gp_usec_t busy_us)
{
    gp_sim_node_t *node = &world->nodes[index];
    node->disk_full = full;
    gp_usec_t free_at = world->now + busy_us;
    node->disk_free = free_at > node->disk_free ? free_at : node->disk_free;
}

static void heal_node(gp_world_t *world, uint32_t index)
{
    gp_sim_node_t *node = &world->nodes[index];
    node->disk_full = false;
    node->doomed = false;
    node->wall_off_ms = 0;
    for (uint32_t i = 0; i < node->tie_count; i++) {
        node->ties[i].cut = false;
    }
    if (node->rate_ppm != 0) {
        gp_world_clock(world, index, 0);
    }
    if (node->running && node->paused) {
        gp_world_pause(world, index, false);
    }
    if (!node->running) {
        gp_world_start(world, index);
    }
}

void gp_world_heal_group(gp_world_t *world, uint32_t group)
{
    uint32_t first = group * world->config.group_size;
    for (uint32_t i = first; i < end_of(world, first); i++) {
        heal_node(world, i);
    }
}

void gp_world_heal(gp_world_t *world)
{
    for (uint32_t group = 0; group < world->group_count; group++) {
        gp_world_heal_group(world, group);
    }
}

void gp_world_calm(gp_world_t *world)
{
    memset(world->config.message_permyriad, 0, sizeof world->config.message_permyriad);
    world->config.store_permyriad = 0;
}

void gp_world_count(gp_world_t *world, gp_fault_t fault)
{
    world->stats.faults[fault]++;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void find(gp_world_t *world, uint32_t index, const char *query, gp_id_t near)
{
    memset(&world->msg, 0, gp_msg_size(GP_MSG_DISCOVERY_FIND));
    world->msg.kind = GP_MSG_DISCOVERY_FIND;
    world->msg.u.discovery_find.query = gp_text(query);
    world->msg.u.discovery_find.limit = 3;
    world->msg.u.discovery_find.timeout_ms = 5000;
    world->msg.u.discovery_find.near_node = near;
    world->stats.finds++;
    gp_sim_command(&world->nodes[index], 0, ++world->requests, &world->msg);
}

void gp_world_find(gp_world_t *world, uint32_t index, const char *query)
{
    find(world, index, query, (gp_id_t){{0}});
}

void gp_world_find_near(gp_world_t *world, uint32_t index, const char *query, uint32_t near)
{
    find(world, index, query, world->nodes[near].id);
}

void gp_world_route(gp_world_t *world, uint32_t index, const char *query, gp_route_scope_t scope)
{
    memset(&world->msg, 0, gp_msg_size(GP_MSG_ROUTE_FIND));
    world->msg.kind = GP_MSG_ROUTE_FIND;
    world->msg.u.route_find.query = gp_text(query);
    world->msg.u.route_find.scope = (uint8_t)scope;
    world->msg.u.route_find.timeout_ms = 5000;
    gp_sim_command(&world->nodes[index], 0, ++world->requests, &world->msg);
}

static void run_job(gp_world_t *world, uint32_t index, const gp_id_t *on, const char *where)
{
    memset(&world->msg, 0, gp_msg_size(GP_MSG_WORK_RUN));
    world->msg.kind = GP_MSG_WORK_RUN;
    gp_msg_work_run_t *run = &world->msg.u.work_run;
    run->name = gp_text("job");
    run->where = gp_text(where);
    run->on = *on;
    run->args_count = 1;
    run->args[0].text = gp_text("true");
    world->stats.jobs++;
    gp_sim_command(&world->nodes[index], 0, ++world->requests, &world->msg);
}

void gp_world_job(gp_world_t *world, uint32_t index, const char *where)
{
    static const gp_id_t anywhere;
    run_job(world, index, &anywhere, where);
}

void gp_world_job_on(gp_world_t *world, uint32_t index, uint32_t place, const char *where)
{
    run_job(world, index, &world->nodes[place].id, where);
}

void gp_world_offer(gp_world_t *world, uint32_t index, bool all)
{
    tell_record(&world->nodes[index], all);
}
