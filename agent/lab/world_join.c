/*
 * How machines come into a region of several sub-Grids: a sponsor asks for them where they may go,
 * as the daemon does for `gridpeer join`, and they begin where they were let in. And how a machine
 * begins anew where it moved to.
 */
#include <stdlib.h>

#include "agent/lab/world_state.h"
#include "agent/shell/record.h"

#define JOIN_AGAIN GP_SECOND

static void join_later(gp_sim_node_t *node)
{
    gp_happening_t *again = gp_happening_new(GP_HAPPEN_JOIN, node, (gp_slice_t){0});
    gp_sim_add(node->world, node->world->now + JOIN_AGAIN, again);
}

/* chosen 0: asks which sub-Grids there are. */
static void ask(gp_sim_node_t *node, gp_sim_node_t *sponsor, uint64_t chosen, gp_founds_t found)
{
    gp_world_t *world = node->world;
    char address[GP_ADDRESS_MAX];
    memset(&world->msg, 0, gp_msg_size(GP_MSG_FORM_PLACE));
    world->msg.kind = GP_MSG_FORM_PLACE;
    gp_msg_form_place_t *place = &world->msg.u.form_place;
    place->chosen = chosen;
    place->found = (uint8_t)found;
    place->entries_count = 1;
    place->entries[0] = gp_sim_entry(node, address);
    gp_sim_command(sponsor, 0, node->index + 1, &world->msg);
}

void gp_sim_join(gp_sim_node_t *node)
{
    gp_sim_node_t *sponsor = gp_sim_sponsor(node);
    if (node->running || (node->introduced && !node->joins)) {
        return;
    }
    if (node->introduced) { /* placed: it begins */
        node->joins = false;
        gp_sim_settle(node);
        gp_sim_begin(node);
        return;
    }
    node->joins = true;
    if (sponsor != NULL) {
        gp_sim_group_t *region = &node->world->groups[gp_world_region(node->world, node->index)];
        ask(node, sponsor, region->founded ? 0 : gp_sim_own_group(node, GP_SEAT_REGION),
            region->founded ? GP_FOUNDS_NOTHING : GP_FOUNDS_REGION);
    }
    join_later(node); /* in case that no answer comes */
}

static void choose(gp_sim_node_t *node, gp_sim_node_t *sponsor, const gp_msg_form_answer_t *answer)
{
    gp_world_t *world = node->world;
    gp_forming_offer_t offers[GP_MEMBERS_MAX];
    for (uint32_t i = 0; i < answer->places_count; i++) {
        uint32_t to = gp_world_node(world, &answer->places[i].leader);
        bool up = to != UINT32_MAX && gp_world_alive(world, to);
        offers[i] =
            (gp_forming_offer_t){.members = answer->places[i].members,
                                 .rtt_us = up ? (uint32_t)(2 * world->config.latency_us + 1) : 0,
                                 .full = answer->places[i].full};
    }
    uint32_t best = gp_forming_choose(offers, answer->places_count);
    bool found = best == answer->places_count;
    ask(node, sponsor, found ? 0 : answer->places[best].group,
        found ? GP_FOUNDS_SUBGRID : GP_FOUNDS_NOTHING);
}

static void write_place(gp_sim_node_t *node, const gp_msg_form_answer_t *answer)
{
    gp_world_t *world = node->world;
    gp_msg_t *msg = calloc(1, gp_msg_size(GP_MSG_FORM_STATE));
    assert(msg != NULL && "out of memory");
    msg->kind = GP_MSG_FORM_STATE;
    gp_msg_form_state_t *state = &msg->u.form_state;
    state->subgrid = answer->chosen;
    state->found = answer->found;
    state->entries_count = answer->entries_count;
    memcpy(state->entries, answer->entries, answer->entries_count * sizeof answer->entries[0]);
    state->above_count = answer->above_count;
    memcpy(state->above, answer->above, answer->above_count * sizeof answer->above[0]);
    size_t n = 0;
    gp_error_t error = gp_msg_pack(msg, world->packed, sizeof world->packed, &n);
    assert(error == GP_OK);
    bool removed;
    gp_sim_keep(&node->disk, msg->kind, gp_record_key(msg, &removed), gp_slice(world->packed, n));
    free(msg);
}

/* A step is under way: the newcomer begins with a happening of its own. */
void gp_sim_placed(gp_sim_node_t *sponsor, uint64_t token, const gp_msg_form_answer_t *answer)
{
    gp_world_t *world = sponsor->world;
    assert(token > 0 && token <= world->config.nodes);
    gp_sim_node_t *node = &world->nodes[token - 1];
    if (node->running || node->introduced || answer->error != GP_OK) {
        return; /* it asks again */
    }
    if (answer->chosen == 0) {
        choose(node, sponsor, answer);
        return;
    }
    write_place(node, answer);
    node->introduced = true;
    world->groups[gp_world_region(world, node->index)].founded = true;
    gp_happening_t *begin = gp_happening_new(GP_HAPPEN_JOIN, node, (gp_slice_t){0});
    gp_sim_add(world, world->now, begin);
}

void gp_sim_settle(gp_sim_node_t *node)
{
    for (uint32_t i = 0; i < node->disk.count; i++) {
        const gp_sim_record_t *record = &node->disk.v[i];
        if (record->kind == GP_MSG_FORM_STATE) {
            gp_error_t error = gp_msg_read(record->kind, gp_slice(record->bytes, record->n), false,
                                           &node->world->msg);
            assert(error == GP_OK);
            node->subgrid = node->world->msg.u.form_state.subgrid;
            node->founds = node->world->msg.u.form_state.found;
        }
    }
}

gp_sim_group_t *gp_sim_group(const gp_sim_node_t *node, uint64_t id)
{
    gp_world_t *world = node->world;
    if (gp_sim_is_laid_out(world)) {
        uint32_t at = (uint32_t)id; /* sub-Grids first, then regions, then the grid */
        at += gp_group_tier(id) == GP_SEAT_REGION ? world->part_count : 0;
        at += gp_group_tier(id) == GP_SEAT_GRID ? world->part_count + world->region_count : 0;
        assert(at < world->known_count);
        return &world->groups[at];
    }
    for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
        uint32_t at = seat == GP_SEAT_GRID ? gp_sim_group_of(world, node->index)
                                           : gp_world_region(world, node->index);
        if (gp_sim_own_group(node, (gp_seat_t)seat) == id) {
            return &world->groups[(uint32_t)seat * world->region_count + at];
        }
    }
    for (uint32_t i = 0; i < world->formed_count; i++) {
        if (world->formed[i].id == id) {
            return &world->formed[i];
        }
    }
    world->formed = realloc(world->formed, (world->formed_count + 1) * sizeof world->formed[0]);
    assert(world->formed != NULL && "out of memory");
    gp_sim_group_t *group = &world->formed[world->formed_count++];
    *group = (gp_sim_group_t){.id = id, .holder = UINT32_MAX};
    return group;
}

uint64_t gp_world_subgrid(const gp_world_t *world, uint32_t node)
{
    return world->nodes[node].subgrid;
}

uint32_t gp_world_subgrids(const gp_world_t *world, uint32_t group, uint64_t *ret_ids,
                           uint32_t size)
{
    uint32_t first = group * world->config.group_size;
    return gp_sim_subgrids(world, first, first + world->config.group_size, ret_ids, size);
}

uint32_t gp_sim_subgrids(const gp_world_t *world, uint32_t first, uint32_t end, uint64_t *ret_ids,
                         uint32_t size)
{
    uint32_t count = 0;
    for (uint32_t i = first; i < end && i < world->config.nodes && count < size; i++) {
        uint64_t id = world->nodes[i].running ? world->nodes[i].subgrid : 0;
        bool known = id == 0;
        for (uint32_t k = 0; k < count; k++) {
            known = known || ret_ids[k] == id;
        }
        if (!known) {
            ret_ids[count++] = id;
        }
    }
    return count;
}
