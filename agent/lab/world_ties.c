/*
 * What machines have to do with each other: in a world of thousands each knows few, so there is a
 * sorted row for each instead of a place for all.
 */
#include "agent/lab/world_state.h"

#include <stdlib.h>

/* The first that is not before `other`. */
static uint32_t position(const gp_sim_node_t *node, uint32_t other)
{
    uint32_t low = 0;
    uint32_t high = node->tie_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (node->ties[middle].other < other) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const gp_sim_tie_t *gp_sim_tie_known(const gp_sim_node_t *node, uint32_t other)
{
    uint32_t at = position(node, other);
    return at < node->tie_count && node->ties[at].other == other ? &node->ties[at] : NULL;
}

gp_sim_tie_t *gp_sim_tie(gp_sim_node_t *node, uint32_t other)
{
    uint32_t at = position(node, other);
    if (at < node->tie_count && node->ties[at].other == other) {
        return &node->ties[at];
    }
    if (node->tie_count == node->tie_capacity) {
        node->tie_capacity += node->tie_capacity / 2 + 8;
        node->ties = realloc(node->ties, node->tie_capacity * sizeof node->ties[0]);
        assert(node->ties != NULL && "out of memory");
    }
    memmove(&node->ties[at + 1], &node->ties[at], (node->tie_count - at) * sizeof node->ties[0]);
    node->ties[at] = (gp_sim_tie_t){.other = other};
    node->tie_count++;
    return &node->ties[at];
}
