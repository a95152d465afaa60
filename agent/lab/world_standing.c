/*
 * A grid that is laid out from the beginning: regions of equal sub-Grids, in the order of the
 * machines' numbers. Each machine begins with what `join` would have left on its disk, and the
 * machine that admitted it was told; from there on all is as everywhere.
 *
 * The first machine of a sub-Grid founds it, that of a region the region too, and the very first
 * one the grid.
 */
#include <stdlib.h>

#include "agent/lab/world_state.h"
#include "agent/shell/record.h"

bool gp_sim_is_laid_out(const gp_world_t *world)
{
    return world->config.subgrids > 0;
}

bool gp_sim_leaders_only(const gp_world_t *world, gp_seat_t seat)
{
    uint32_t below = seat == GP_SEAT_REGION ? world->config.subgrids : world->group_count;
    return gp_sim_is_laid_out(world) && below > GP_SIM_STANDBYS_BELOW;
}

uint32_t gp_sim_part_of(const gp_world_t *world, uint32_t node)
{
    return node / world->config.subgrid_size;
}

uint32_t gp_sim_part_end(const gp_world_t *world, uint32_t part)
{
    uint32_t end = (part + 1) * world->config.subgrid_size;
    return end < world->config.nodes ? end : world->config.nodes;
}

/* What it founds, and whom it turns to in the group above that. */
static void write_above(gp_sim_node_t *node, const gp_sim_node_t *contact)
{
    gp_world_t *world = node->world;
    char address[GP_ADDRESS_MAX];
    memset(&world->msg, 0, gp_msg_size(GP_MSG_FORM_STATE));
    world->msg.kind = GP_MSG_FORM_STATE;
    gp_msg_form_state_t *state = &world->msg.u.form_state;
    state->subgrid = node->subgrid;
    state->found = node->founds;
    state->above_count = 1;
    state->above[0] = gp_sim_entry(contact, address);
    size_t n = 0;
    gp_error_t error = gp_msg_pack(&world->msg, world->packed, sizeof world->packed, &n);
    assert(error == GP_OK);
    bool removed;
    uint64_t key = gp_record_key(&world->msg, &removed);
    gp_sim_keep(&node->disk, GP_MSG_FORM_STATE, key, gp_slice(world->packed, n));
}

static gp_sim_node_t *sponsor_of(gp_sim_node_t *node)
{
    gp_world_t *world = node->world;
    uint32_t part = gp_sim_part_of(world, node->index);
    for (uint32_t i = part * world->config.subgrid_size; i < gp_sim_part_end(world, part); i++) {
        gp_sim_node_t *other = &world->nodes[i];
        if (other != node && other->introduced && other->running && !other->paused &&
            !other->leaving) {
            return other;
        }
    }
    return NULL;
}

bool gp_sim_lay_out(gp_sim_node_t *node)
{
    gp_world_t *world = node->world;
    uint32_t part = gp_sim_part_of(world, node->index);
    uint32_t region = node->index - gp_sim_place(world, node->index);
    bool first = node->index == part * world->config.subgrid_size && node->wipes == 0;
    if (node->introduced) {
        return true;
    }
    node->subgrid = gp_sim_group_id(GP_SEAT_SUBGRID, part);
    if (node->index == 0 && first) {
        node->founds = GP_FOUNDS_GRID;
    } else if (first) {
        bool founds_region = node->index == region;
        gp_sim_node_t *contact = &world->nodes[founds_region ? 0 : region];
        if (!contact->running) {
            return false;
        }
        node->founds = founds_region ? GP_FOUNDS_REGION : GP_FOUNDS_SUBGRID;
        write_above(node, contact);
        gp_sim_introduce(node, contact, founds_region ? GP_SEAT_GRID : GP_SEAT_REGION);
    } else {
        gp_sim_node_t *sponsor = sponsor_of(node);
        if (sponsor == NULL) {
            return false; /* nobody is there to admit it */
        }
        gp_sim_write_sponsor(node, sponsor);
        gp_sim_introduce(node, sponsor, GP_SEAT_SUBGRID);
    }
    node->introduced = true;
    return true;
}
