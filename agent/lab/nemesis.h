/*
 * The nemesis: what goes wrong in a simulated grid, and when, drawn from a seed.
 *
 * The whole configuration of a run is drawn too (swarm testing, Groce et al., ISSTA 2012): some
 * runs know no cuts, others no crashes, so that rare combinations are not hidden by common ones.
 */
#ifndef GP_AGENT_LAB_NEMESIS_H
#define GP_AGENT_LAB_NEMESIS_H

#include "agent/lab/world.h"
#include "proto/random.h"

typedef struct gp_nemesis {
    gp_world_t *world;
    gp_random_t random;
    bool uses[GP_FAULT_COUNT];
    gp_usec_t pace;    /* mean time between two blows in one group; a third come at once */
    gp_usec_t flurry;  /* the longest between those that come at once */
    gp_usec_t longest; /* until a group is relieved of what it suffers */
    uint32_t group_size;
    uint32_t nodes;
    gp_usec_t slow; /* as the world's: all of its own times as well */
    gp_usec_t *next_blow; /* by group */
    gp_usec_t *next_relief;
    gp_usec_t *last_wipe;
    gp_usec_t *quiet_until; /* no blow before this */
} gp_nemesis_t;

/* Does it want this group left alone for now? */
bool gp_nemesis_waits(const gp_nemesis_t *nemesis, uint32_t group);

/* Draws what the network and the disks of the world do by themselves. */
void gp_nemesis_draw(uint64_t seed, gp_world_config_t *config);

/* false: out of memory. */
bool gp_nemesis_init(gp_nemesis_t *nemesis, gp_world_t *world, const gp_world_config_t *config);

/*
 * Partitions, freezes and clock rates alone, about one a second in each group: what a lease has to
 * withstand, a million times. Before the first gp_nemesis_act.
 */
void gp_nemesis_storm(gp_nemesis_t *nemesis);

void gp_nemesis_done(gp_nemesis_t *nemesis);

/* Does what is due now and returns when it wants to be called next. */
gp_usec_t gp_nemesis_act(gp_nemesis_t *nemesis);

#endif
