/*
 * Rest: while nothing happens in a sub-Grid but what always happens (beats, probes, leases), its
 * machines need not be driven. Their clocks stand still, nothing is under way between them, and
 * they go on exactly where they were once anything else is to happen to one of them. A machine with
 * a seat above lives on there: only its cores in the sub-Grid rest (gp_peer_rest).
 *
 * What this leaves out: what a rest hides is not looked at by the oracle, and a sub-Grid does not
 * grow older in it. How many machine hours rested is counted, and what they would have sent.
 */
#include "agent/lab/world_state.h"

bool gp_sim_sits_above(const gp_sim_node_t *node)
{
    return node->running && !node->packed &&
           gp_peer_seat_group(gp_runner_core(node->runner), GP_SEAT_REGION) != NULL;
}

static bool is_within(const gp_world_t *world, const gp_sim_node_t *node, const gp_id_t *peer)
{
    uint32_t other = gp_world_node(world, peer);
    return other != UINT32_MAX &&
           gp_sim_part_of(world, other) == gp_sim_part_of(world, node->index);
}

bool gp_sim_is_above(const gp_sim_node_t *from, const gp_sim_node_t *to, gp_slice_t frame)
{
    gp_msg_t *msg = &from->world->msg;
    gp_envelope_t envelope;
    return gp_sim_sits_above(from) && gp_sim_sits_above(to) &&
           gp_envelope_open(frame, &envelope) == GP_OK &&
           gp_msg_read(envelope.kind, envelope.body, true, msg) == GP_OK &&
           gp_group_tier(gp_msg_group(msg)) != 0;
}

/* Between two machines of a sub-Grid that both have seats above: is it about those? */
static bool is_above(const gp_world_t *world, const gp_happening_t *h)
{
    const gp_sim_node_t *from = &world->nodes[gp_world_node(world, &h->peer)];
    const gp_sim_node_t *to = &world->nodes[h->node];
    if (h->type == GP_HAPPEN_FRAME) {
        return gp_sim_is_above(from, to, gp_slice(h->bytes, h->n));
    }
    return gp_sim_sits_above(from) && gp_sim_sits_above(to);
}

/* Within its sub-Grid, or beyond: 0. */
uint32_t gp_sim_agenda_of(gp_world_t *world, const gp_happening_t *h)
{
    if (!gp_sim_is_laid_out(world)) {
        return 0;
    }
    gp_sim_node_t *node = &world->nodes[h->node];
    bool of_peer =
        h->type == GP_HAPPEN_FRAME || h->type == GP_HAPPEN_LINK || h->type == GP_HAPPEN_DIALED;
    bool within = of_peer && is_within(world, node, &h->peer) && !is_above(world, h);
    if (!within && gp_sim_sits_above(node)) {
        return 0;
    }
    uint32_t part = gp_sim_part_of(world, node->index);
    if (world->parts[part].rests) {
        gp_sim_disturb(node);
    }
    return part + 1;
}

/* ---- going on -------------------------------------------------------------------------------- */

static void go_on(gp_world_t *world, uint32_t part)
{
    gp_sim_part_t *p = &world->parts[part];
    gp_usec_t rested = world->now - p->since;
    gp_usec_t calm = p->since - p->calm_from;
    uint32_t first = part * world->config.subgrid_size;
    p->rests = false;
    gp_sim_unpack(world, part);
    gp_plan_go_on(&world->plan, part + 1, rested);
    for (uint32_t i = first; i < gp_sim_part_end(world, part); i++) {
        gp_sim_node_t *node = &world->nodes[i];
        if (!node->running) {
            continue;
        }
        world->resting--;
        world->stats.rested_us += rested;
        node->rested += rested;
        if (gp_sim_sits_above(node)) {
            gp_peer_go_on(gp_runner_memory(node->runner), gp_sim_local(node, world->now));
            gp_sim_plan_wake(node);
        } else {
            node->clock_true += rested;
            node->wake_at += node->wake_at != GP_NEVER ? rested : 0;
        }
    }
    gp_sim_group_t *group = gp_sim_group(&world->nodes[first], world->nodes[first].subgrid);
    group->lease_until += rested;
    world->stats.roused++;
    world->stats.rested_messages += p->messages * rested / calm;
    world->stats.rested_bytes += p->bytes * rested / calm;
}

void gp_sim_disturb(gp_sim_node_t *node)
{
    gp_world_t *world = node->world;
    if (!gp_sim_is_laid_out(world)) {
        return;
    }
    uint32_t part = gp_sim_part_of(world, node->index);
    gp_sim_part_t *p = &world->parts[part];
    if (p->rests) {
        go_on(world, part);
    }
    p->calm_from = world->now;
    p->look_at = world->now + world->config.rest_after;
    p->messages = 0;
    p->bytes = 0;
}

/* Does it reach no core but those that do not rest? */
static bool is_beyond(const gp_sim_node_t *node, const gp_happening_t *h)
{
    gp_envelope_t envelope;
    switch (h->type) {
    case GP_HAPPEN_FRAME:
        if (gp_envelope_open(gp_slice(h->bytes, h->n), &envelope) != GP_OK) {
            return true;
        }
        return envelope.kind == GP_MSG_PLACE || gp_msg_room(envelope.kind) == GP_ROOM_GROUP ||
               gp_msg_room(envelope.kind) == GP_ROOM_ELECTION;
    case GP_HAPPEN_COMMAND:
        return h->seat != GP_SEAT_SUBGRID;
    case GP_HAPPEN_LINK:
    case GP_HAPPEN_DIALED:
        return !is_within(node->world, node, &h->peer);
    default:
        return true;
    }
}

void gp_sim_before(gp_sim_node_t *node, const gp_happening_t *h)
{
    gp_world_t *world = node->world;
    if (gp_sim_is_laid_out(world) && world->parts[gp_sim_part_of(world, node->index)].rests &&
        !is_beyond(node, h)) {
        gp_sim_disturb(node);
    }
}

/* ---- coming to rest -------------------------------------------------------------------------- */

static bool may_rest(gp_world_t *world, uint32_t part)
{
    uint32_t first = part * world->config.subgrid_size;
    uint32_t end = gp_sim_part_end(world, part);
    for (uint32_t i = first; i < end; i++) {
        const gp_sim_node_t *node = &world->nodes[i];
        bool quiet = !node->paused && !node->leaving && !node->doomed && node->rate_ppm == 0;
        if (node->running && (!quiet || !gp_runner_is_idle(node->runner))) {
            return false;
        }
    }
    return gp_sim_part_agrees(world, part);
}

static void rest(gp_world_t *world, uint32_t part)
{
    gp_sim_part_t *p = &world->parts[part];
    uint32_t first = part * world->config.subgrid_size;
    p->rests = true;
    p->since = world->now;
    world->stats.rests++;
    for (uint32_t i = first; i < gp_sim_part_end(world, part); i++) {
        gp_sim_node_t *node = &world->nodes[i];
        if (!node->running) {
            continue;
        }
        world->resting++;
        if (gp_sim_sits_above(node)) {
            gp_peer_rest(gp_runner_memory(node->runner), gp_sim_local(node, world->now));
            node->wake_at = GP_NEVER;
            gp_sim_plan_wake(node);
        }
    }
    gp_plan_rest(&world->plan, part + 1);
    gp_sim_pack(world, part);
}

void gp_sim_after(gp_sim_node_t *node)
{
    gp_world_t *world = node->world;
    if (!gp_sim_is_laid_out(world) || world->config.rest_after == 0) {
        return;
    }
    uint32_t part = gp_sim_part_of(world, node->index);
    gp_sim_part_t *p = &world->parts[part];
    if (p->rests || world->now < p->look_at || world->plan.v[part + 1].busy > 0) {
        return;
    }
    if (may_rest(world, part)) {
        rest(world, part);
    } else {
        p->look_at = world->now + GP_SECOND;
    }
}

/* What never happens in a calm sub-Grid. */
void gp_sim_noticed(gp_sim_node_t *node, const gp_msg_t *notice)
{
    if (!gp_sim_is_laid_out(node->world) || gp_group_tier(gp_msg_group(notice)) != 0) {
        return;
    }
    switch (notice->kind) {
    case GP_MSG_LEADER:
        if (notice->u.leader.renewed) {
            return;
        }
        break;
    case GP_MSG_STANDINGS:
    case GP_MSG_PLACE_DUE:
    case GP_MSG_PLACE_KNOWN:
        return;
    default:
        break;
    }
    gp_sim_disturb(node);
}

uint32_t gp_world_awake(const gp_world_t *world)
{
    return world->running - world->resting;
}

gp_world_traffic_t gp_world_traffic(const gp_world_t *world, uint32_t node)
{
    return world->nodes[node].traffic;
}

gp_usec_t gp_world_rested(const gp_world_t *world, uint32_t node)
{
    const gp_sim_node_t *n = &world->nodes[node];
    const gp_sim_part_t *p = &world->parts[gp_sim_part_of(world, node)];
    return n->rested + (p->rests && n->running ? world->now - p->since : 0);
}

bool gp_world_rests(const gp_world_t *world, uint32_t node)
{
    return gp_sim_is_laid_out(world) && world->parts[gp_sim_part_of(world, node)].rests;
}
