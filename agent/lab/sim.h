/*
 * One run of the simulator: a grid comes up, things go wrong, the grid heals and must agree.
 *
 * Phase one demands safety at every step; phase two heals everything and demands liveness within
 * GP_SIM_HEAL_US. The same parameters give the same trace hash on every machine.
 */
#ifndef GP_AGENT_LAB_SIM_H
#define GP_AGENT_LAB_SIM_H

#include "agent/lab/world.h"

#define GP_SIM_HEAL_US       (90 * GP_SECOND)
#define GP_SIM_LENGTH_MIN_US (60 * GP_SECOND)

typedef struct gp_sim_params {
    uint32_t nodes;
    uint32_t group_size;
    gp_usec_t breadth_us; /* of the world: see gp_world_config_t */
    gp_usec_t length_us;  /* of grid time, the healing included */
    uint64_t seed;
    uint32_t slow; /* all times of groups, faults and users, and the limits below, times this */
    bool faults;
    bool storm; /* of these, partitions, freezes and clock rates alone, but one after the other */
    bool ed25519;
    /* Called about each 1/100 of the way with what is done of it, permille; may be NULL. */
    void (*progress)(void *context, uint32_t permille, const gp_world_stats_t *stats);
    /* Asked again and again: true ends the run where it is. May be NULL. */
    bool (*enough)(void *context);
    void *context;
    gp_world_watch_t *watch;  /* sees each notice; may be NULL */
    gp_world_line_t *explain; /* of groups that do not agree in the end; may be NULL */
    const gp_tap_t *tap;      /* looks on at one machine, each of its lives; may be NULL */
    void *tap_context;
    uint32_t tap_node;
} gp_sim_params_t;

typedef struct gp_sim_result {
    uint64_t trace_hash;
    gp_world_stats_t stats;
    gp_usec_t agreed_us;  /* from the start until all first agreed */
    gp_usec_t healed_us;  /* from the healing until all agreed again */
    gp_usec_t reached_us; /* of grid time */
    uint32_t groups;
    bool stopped; /* enough: not known to be live */
    bool safe;
    bool live;
    char why[256]; /* what was violated, or why it is not live */
} gp_sim_result_t;

/* GP_E_USAGE: parameters out of range; GP_E_MEMORY. The verdict is in *ret_result. */
GP_MUST_CHECK gp_error_t gp_sim_run(const gp_sim_params_t *params, gp_sim_result_t *ret_result);

#endif
