/*
 * The virtual network: links as TCP has them, and beyond that what a bad network or an attacker
 * does to frames. What is repeated or replayed are twins: a machine may take one of them only.
 */
#include "agent/lab/world_state.h"

#include <stdlib.h>

void gp_sim_add(gp_world_t *world, gp_usec_t at, gp_happening_t *happening)
{
    happening->at = at;
    gp_plan_add(&world->plan, gp_sim_agenda_of(world, happening), happening);
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
    const gp_sim_tie_t *tie = gp_sim_tie_known(from, to->index);
    return tie == NULL || !tie->cut;
}

static gp_usec_t transit(const gp_sim_node_t *from, const gp_sim_node_t *to)
{
    gp_world_t *world = from->world;
    gp_usec_t way = gp_world_way(world, from->index, to->index);
    gp_usec_t far = way - world->config.latency_us;
    return gp_sim_within(world, way, world->config.jitter_us + far / 10);
}

/* Where they stand in the head of a signed message: see proto/envelope.h. */
#define VERSION_AT 2
#define KIND_AT    4
#define BODY_AT    6

/* ---- network --------------------------------------------------------------------------------- */

/* When a frame that is sent now arrives, and whether it keeps its place; 0: never. */
static gp_usec_t arrival(gp_sim_node_t *from, const gp_sim_node_t *to, gp_sim_manner_t *ret_manner)
{
    gp_world_t *world = from->world;
    const uint32_t *rates = world->config.message_permyriad;
    if (gp_sim_chance(world, rates[GP_FAULT_LOSS])) {
        world->stats.faults[GP_FAULT_LOSS]++;
        return 0;
    }
    gp_usec_t at = world->now + transit(from, to);
    if (gp_sim_chance(world, rates[GP_FAULT_DELAY])) {
        world->stats.faults[GP_FAULT_DELAY]++;
        at += gp_sim_within(world, 20 * GP_MSEC, 400 * GP_MSEC);
    }
    gp_usec_t *last = &gp_sim_tie(from, to->index)->arrival;
    if (gp_sim_chance(world, rates[GP_FAULT_REORDER])) {
        world->stats.faults[GP_FAULT_REORDER]++;
        *ret_manner = GP_MANNER_LOOSE;
        return at;
    }
    *last = at > *last ? at : *last;
    return *last;
}

static uint32_t new_twin(gp_world_t *world)
{
    gp_sim_twins_t *twins = &world->twins;
    if (twins->count == twins->capacity) {
        twins->capacity = twins->capacity == 0 ? 64 : 2 * twins->capacity;
        twins->taken = realloc(twins->taken, twins->capacity * sizeof twins->taken[0]);
        assert(twins->taken != NULL && "out of memory");
    }
    twins->taken[twins->count++] = 0;
    return twins->count;
}

static gp_happening_t *deliver(gp_sim_node_t *from, const gp_sim_node_t *to, gp_slice_t frame,
                               uint32_t twin)
{
    gp_sim_manner_t manner = GP_MANNER_IN_ORDER;
    gp_usec_t at = arrival(from, to, &manner);
    if (at == 0) {
        return NULL;
    }
    gp_happening_t *happening = gp_happening_new(GP_HAPPEN_FRAME, to, frame);
    happening->peer = from->id;
    happening->twin = twin;
    happening->manner = manner;
    gp_sim_add(from->world, at, happening);
    return happening;
}

/* One bit of it is another. CURVE's own check is taken for granted: only what is signed is hit. */
static void forge(gp_sim_node_t *from, const gp_sim_node_t *to, gp_slice_t frame)
{
    gp_world_t *world = from->world;
    gp_happening_t *happening = deliver(from, to, frame, 0);
    if (happening != NULL) {
        uint64_t bit = gp_random_below(&world->random, 8 * (uint64_t)frame.n);
        happening->bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        happening->manner = GP_MANNER_FORGED;
        world->stats.faults[GP_FAULT_CORRUPT]++;
    }
}

/* As a later version may say it: another envelope, an unknown kind, a field more. */
static bool is_newer(const gp_sim_node_t *from, const gp_sim_node_t *to)
{
    return from->index % 2 == 1 && to->index % 2 == 0;
}

/* True: said in place of the frame, with the number that it has. */
static bool say_newer(gp_sim_node_t *from, const gp_sim_node_t *to, gp_slice_t frame)
{
    gp_world_t *world = from->world;
    const gp_signer_t *signer = world->config.ed25519 ? &gp_signer_ed25519 : &gp_signer_standin;
    uint64_t how = gp_random_below(&world->random, 3);
    size_t body = frame.n - GP_ENVELOPE_HEAD - GP_SIGNATURE_BYTES;
    uint8_t *bytes = world->packed;
    if (frame.n + 1 > sizeof world->packed) {
        return false;
    }
    memcpy(bytes, frame.p, frame.n);
    size_t n = frame.n;
    if (how == 0) {
        bytes[VERSION_AT]++;
    } else if (how == 1) {
        bytes[KIND_AT] = 0x7f; /* no kind has such a number */
    } else {
        bytes[GP_ENVELOPE_HEAD + body] = 0xc0; /* nil: a value behind the last */
        body += 1;
        for (uint32_t i = 0; i < 4; i++) {
            bytes[BODY_AT + i] = (uint8_t)(body >> (24 - 8 * i));
        }
        signer->sign(from->secret, &from->id, GP_ENVELOPE_CONTEXT,
                     gp_slice(bytes, GP_ENVELOPE_HEAD + body), bytes + GP_ENVELOPE_HEAD + body);
        n += 1;
    }
    gp_happening_t *happening = deliver(from, to, gp_slice(bytes, n), 0);
    if (happening != NULL) {
        happening->manner = GP_MANNER_NEWER;
        world->stats.faults[GP_FAULT_VERSION]++;
    }
    return how == 2;
}

/* Keeps this frame in mind, in place of an older one. */
static void remember(gp_sim_node_t *from, const gp_sim_node_t *to, gp_slice_t frame, uint32_t twin)
{
    gp_world_t *world = from->world;
    gp_sim_past_t *past = &world->past[gp_random_below(&world->random, GP_SIM_PAST)];
    past->bytes = realloc(past->bytes, frame.n);
    assert(past->bytes != NULL && "out of memory");
    memcpy(past->bytes, frame.p, frame.n);
    past->n = (uint32_t)frame.n;
    past->from = from->id;
    past->to = to->index;
    past->to_id = to->id;
    past->twin = twin;
}

/* Somebody says again what another one once said: under its name, or under its own. */
static void replay(gp_world_t *world)
{
    const gp_sim_past_t *past = &world->past[gp_random_below(&world->random, GP_SIM_PAST)];
    if (past->n == 0) {
        return;
    }
    gp_sim_node_t *to = &world->nodes[past->to];
    if (!to->running || !gp_id_equal(&to->id, &past->to_id)) {
        return;
    }
    bool own_name = gp_sim_chance(world, 5000);
    gp_happening_t *happening =
        gp_happening_new(GP_HAPPEN_FRAME, to, gp_slice(past->bytes, past->n));
    uint32_t group = gp_sim_group_of(world, to->index);
    happening->peer = own_name ? world->nodes[group * world->config.group_size].id : past->from;
    happening->twin = past->twin;
    happening->manner = GP_MANNER_LOOSE;
    world->stats.faults[GP_FAULT_REPLAY]++;
    gp_sim_add(world, world->now + transit(to, to), happening);
}

static void deliver_signed(gp_sim_node_t *from, const gp_sim_node_t *to, gp_slice_t frame)
{
    gp_world_t *world = from->world;
    const uint32_t *rates = world->config.message_permyriad;
    bool repeated = gp_sim_chance(world, rates[GP_FAULT_DUPLICATE]);
    bool kept = rates[GP_FAULT_REPLAY] > 0 && gp_sim_chance(world, 500);
    uint32_t twin = repeated || kept ? new_twin(world) : 0;
    if (kept) {
        remember(from, to, frame, twin);
    }
    if (gp_sim_chance(world, rates[GP_FAULT_CORRUPT])) {
        forge(from, to, frame);
        if (gp_sim_chance(world, 5000)) {
            return; /* in its place; else before it */
        }
    }
    if (is_newer(from, to) && gp_sim_chance(world, rates[GP_FAULT_VERSION]) &&
        say_newer(from, to, frame)) {
        return;
    }
    (void)deliver(from, to, frame, twin);
    if (repeated) {
        world->stats.faults[GP_FAULT_DUPLICATE]++;
        (void)deliver(from, to, frame, twin);
    }
    if (gp_sim_chance(world, rates[GP_FAULT_REPLAY])) {
        replay(world);
    }
}

/* What comes to it counts as well: what it sends is half of its cost. */
static void count_traffic(gp_sim_node_t *from, uint32_t to, gp_slice_t frame)
{
    gp_world_t *world = from->world;
    if (!gp_sim_is_laid_out(world) || to == UINT32_MAX) {
        return;
    }
    uint32_t part = gp_sim_part_of(world, from->index);
    bool other = gp_sim_part_of(world, to) != part;
    int beyond = other || gp_sim_is_above(from, &world->nodes[to], frame) ? 1 : 0;
    from->traffic.messages[beyond]++;
    from->traffic.bytes[beyond] += frame.n;
    world->nodes[to].traffic.messages[beyond]++;
    world->nodes[to].traffic.bytes[beyond] += frame.n;
    if (beyond == 0) {
        world->parts[part].messages++;
        world->parts[part].bytes += frame.n;
    }
}

void gp_sim_send(void *context, const gp_id_t *to_id, gp_msg_kind_t kind, gp_slice_t frame)
{
    gp_sim_node_t *from = context;
    gp_world_t *world = from->world;
    world->stats.messages++;
    world->stats.bytes += frame.n;
    count_traffic(from, gp_world_node(world, to_id), frame);
    gp_oracle_sent(from, kind, frame);
    gp_sim_node_t *to = node_of(world, to_id);
    if (to == NULL || !to->running || (to != from && !can_pass(from, to))) {
        return;
    }
    if (to == from) {
        gp_happening_t *happening = gp_happening_new(GP_HAPPEN_FRAME, to, frame);
        happening->peer = from->id;
        gp_sim_add(world, world->now, happening);
        return;
    }
    if (gp_msg_scope(kind) != GP_SCOPE_LINK) {
        deliver_signed(from, to, frame);
        return;
    }
    (void)deliver(from, to, frame, 0);
    if (gp_sim_chance(world, world->config.message_permyriad[GP_FAULT_DUPLICATE])) {
        world->stats.faults[GP_FAULT_DUPLICATE]++;
        (void)deliver(from, to, frame, 0);
    }
}

void gp_world_clog(gp_world_t *world, uint32_t from, uint32_t to, gp_usec_t us)
{
    gp_usec_t *last = &gp_sim_tie(&world->nodes[from], to)->arrival;
    *last = world->now + us > *last ? world->now + us : *last;
}

static void tell_link(gp_sim_node_t *node, const gp_id_t *peer, bool up, gp_usec_t at)
{
    gp_happening_t *happening = gp_happening_new(GP_HAPPEN_LINK, node, (gp_slice_t){0});
    happening->peer = *peer;
    happening->ok = up;
    gp_sim_add(node->world, at, happening);
}

static void connect_link(gp_sim_node_t *node, gp_sim_node_t *to)
{
    gp_world_t *world = node->world;
    if (node->running && to->running && can_pass(node, to) && can_pass(to, node)) {
        gp_usec_t at = world->now + 3 * transit(node, to);
        tell_link(node, &to->id, true, at);
        tell_link(to, &node->id, true, at);
    }
}

void gp_sim_link(void *context, const gp_id_t *peer, bool held)
{
    gp_sim_node_t *node = context;
    gp_sim_node_t *to = node_of(node->world, peer);
    if (to == NULL || to == node) {
        return;
    }
    gp_sim_tie_t *mine = gp_sim_tie(node, to->index);
    if (held && !mine->link) {
        (void)gp_sim_tie(to, node->index); /* so that each end finds the other */
        connect_link(node, to);
    }
    mine->link = held;
}

/* Calls `what` for each running node that shares a link with `node`. */
static void each_linked(gp_sim_node_t *node,
                        void (*what)(gp_sim_node_t *node, gp_sim_node_t *other))
{
    gp_world_t *world = node->world;
    for (uint32_t i = 0; i < node->tie_count; i++) {
        const gp_sim_tie_t *mine = &node->ties[i];
        gp_sim_node_t *other = &world->nodes[mine->other];
        const gp_sim_tie_t *its = gp_sim_tie_known(other, node->index);
        if (other != node && other->running && (mine->link || (its != NULL && its->link))) {
            what(node, other);
        }
    }
}

static void break_link(gp_sim_node_t *node, gp_sim_node_t *other)
{
    if (can_pass(node, other)) {
        tell_link(other, &node->id, false, node->world->now + transit(node, other));
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
    for (uint32_t i = 0; i < node->tie_count; i++) {
        node->ties[i].link = false;
    }
}

void gp_sim_links_restore(gp_sim_node_t *node)
{
    each_linked(node, reconnect_link);
}

void gp_sim_dial(void *context, const gp_id_t *peer, gp_room_t room)
{
    gp_sim_node_t *node = context;
    gp_world_t *world = node->world;
    gp_sim_node_t *to = node_of(world, peer);
    gp_happening_t *happening = gp_happening_new(GP_HAPPEN_DIALED, node, (gp_slice_t){0});
    happening->peer = *peer;
    happening->room = room;
    happening->token = GP_DIAL_REFUSED;
    gp_usec_t at = world->now + 2 * transit(node, to != NULL ? to : node);
    if (to != NULL && (!can_pass(node, to) || !can_pass(to, node))) {
        happening->token = GP_DIAL_SILENT;
        at = world->now + 300 * GP_MSEC;
    } else if (to != NULL && to->running) {
        happening->token = GP_DIAL_OPEN; /* the kernel of a frozen process answers too */
    }
    gp_sim_add(world, at, happening);
}
