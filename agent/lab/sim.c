#include "agent/lab/sim.h"

#include <stdio.h>

#include "agent/lab/users.h"

/* After healing: longer than a lease of work, at whose end a program without a home is stopped. */
#define QUIET_US (20 * GP_SECOND)
#define END_US   (60 * GP_SECOND) /* of a run: nothing goes wrong any more */

typedef struct run {
    const gp_sim_params_t *params;
    gp_sim_result_t *result;
    gp_world_t *world;
    gp_nemesis_t nemesis;
    gp_users_t users;
    gp_usec_t slow;
    gp_usec_t next_report;
} run_t;

static bool all_agree(run_t *run)
{
    for (uint32_t group = 0; group < run->result->groups; group++) {
        if (!gp_world_agrees(run->world, group, run->result->why, sizeof run->result->why)) {
            return false;
        }
    }
    run->result->why[0] = '\0';
    return true;
}

/* Runs the world until then; false: an invariant was violated, or it is enough. */
static bool advance(run_t *run, gp_usec_t until)
{
    const gp_sim_params_t *params = run->params;
    run->result->stopped = params->enough != NULL && params->enough(params->context);
    return !run->result->stopped && gp_world_run(run->world, until);
}

static void report(run_t *run)
{
    gp_usec_t now = gp_world_now(run->world);
    if (run->params->progress != NULL && now >= run->next_report) {
        run->next_report = now + run->params->length_us / 100 + 1;
        uint64_t permille = now * 1000 / run->params->length_us;
        run->params->progress(run->params->context, permille > 1000 ? 1000 : (uint32_t)permille,
                              gp_world_stats(run->world));
    }
}

/* Goes on while users do their part and progress shows; false as advance. */
static bool go_on(run_t *run, gp_usec_t until)
{
    while (gp_world_now(run->world) < until) {
        gp_usec_t next = gp_users_act(&run->users);
        if (!advance(run, next < until ? next : until)) {
            return false;
        }
        report(run);
    }
    return true;
}

static bool come_up(run_t *run)
{
    for (uint32_t i = 0; i < run->params->nodes; i++) {
        gp_world_start(run->world, i);
        if (!advance(run, gp_world_now(run->world) + 500)) {
            return false;
        }
    }
    gp_usec_t limit = gp_world_now(run->world) + run->slow * 30 * GP_SECOND;
    while (gp_world_now(run->world) < limit) {
        if (all_agree(run)) {
            run->result->agreed_us = gp_world_now(run->world);
            return true;
        }
        if (!advance(run, gp_world_now(run->world) + 10 * GP_MSEC)) {
            return false;
        }
    }
    return false;
}

static bool suffer(run_t *run, gp_usec_t until)
{
    while (gp_world_now(run->world) < until) {
        gp_usec_t next = run->params->faults ? gp_nemesis_act(&run->nemesis) : until;
        if (!go_on(run, next < until ? next : until)) {
            return false;
        }
    }
    return true;
}

static bool heal(run_t *run)
{
    gp_world_calm(run->world);
    gp_users_calm(&run->users);
    gp_usec_t start = gp_world_now(run->world);
    while (gp_world_now(run->world) < start + run->slow * GP_SIM_HEAL_US) {
        gp_world_heal(run->world);
        if (!advance(run, gp_world_now(run->world) + 100 * GP_MSEC)) {
            return false;
        }
        if (all_agree(run)) {
            run->result->healed_us = gp_world_now(run->world) - start;
            run->result->live = true;
            break;
        }
    }
    /* What agrees must go on agreeing, and what was asked for must get an answer. */
    gp_usec_t end = run->params->length_us;
    gp_usec_t quiet = gp_world_now(run->world) + run->slow * QUIET_US;
    if (!go_on(run, end > quiet ? end : quiet)) {
        return false;
    }
    run->result->live = run->result->live && all_agree(run);
    gp_world_check_output(run->world, QUIET_US - 2 * GP_SECOND);
    return true;
}

/* Why it is not live: each machine of the groups that do not agree. */
static void explain(const run_t *run)
{
    char why[256];
    for (uint32_t group = 0; run->params->explain != NULL && group < run->result->groups; group++) {
        if (!gp_world_agrees(run->world, group, why, sizeof why)) {
            gp_world_explain(run->world, group, run->params->explain, run->params->context);
        }
    }
}

static void conclude(run_t *run)
{
    gp_sim_result_t *result = run->result;
    result->trace_hash = gp_world_trace_hash(run->world);
    result->stats = *gp_world_stats(run->world);
    result->reached_us = gp_world_now(run->world);
    const char *violation = gp_world_violation(run->world);
    result->safe = violation[0] == '\0';
    if (!result->safe) {
        snprintf(result->why, sizeof result->why, "%s", violation);
    }
}

/* One seed in three: drawn apart, so that all else in a seed is as it was. */
static bool has_tiers(uint64_t seed)
{
    gp_random_t random;
    gp_random_init(&random, seed ^ UINT64_C(0x7469657273));
    return gp_random_below(&random, 3) == 0;
}

gp_error_t gp_sim_run(const gp_sim_params_t *params, gp_sim_result_t *ret_result)
{
    gp_world_config_t config;
    gp_world_defaults(&config);
    if (params->faults) {
        gp_nemesis_draw(params->seed, &config);
    }
    config.seed = params->seed;
    config.nodes = params->nodes;
    config.group_size = params->group_size;
    config.breadth_us = params->breadth_us;
    config.ed25519 = params->ed25519;
    config.tiers = has_tiers(params->seed);
    config.slow = params->slow;
    /* Invariants cost a third of a run: some seeds have them at each step, the others at each 16th.
     */
    bool each = params->seed % 4 == 0;
    config.check_every = params->nodes > 100 ? 64 : each ? 1 : 16;
    if (params->length_us < GP_SIM_LENGTH_MIN_US || params->nodes == 0 ||
        params->nodes > GP_SIM_NODES_MAX || params->group_size == 0 ||
        params->group_size > GP_MEMBERS_MAX || params->slow == 0 || params->slow > GP_SLOW_MAX) {
        return GP_E_USAGE;
    }
    *ret_result = (gp_sim_result_t){0};
    run_t run = {.params = params, .result = ret_result, .slow = config.slow};
    run.world = gp_world_new(&config);
    if (run.world == NULL) {
        return GP_E_MEMORY;
    }
    if (!gp_nemesis_init(&run.nemesis, run.world, &config)) {
        gp_world_free(run.world);
        return GP_E_MEMORY;
    }
    if (params->storm) {
        gp_nemesis_storm(&run.nemesis);
    }
    bool rough = params->faults && !params->storm;
    gp_users_init(&run.users, run.world, &config, rough ? &run.nemesis : NULL);
    gp_world_watch(run.world, params->watch, params->context);
    gp_world_tap(run.world, params->tap_node, params->tap, params->tap_context);
    ret_result->groups = gp_world_groups(run.world);
    gp_usec_t rest = run.slow * END_US;
    gp_usec_t calm =
        params->length_us / 10 < rest ? params->length_us / 2 : params->length_us - rest;
    if (come_up(&run) && suffer(&run, calm)) {
        heal(&run);
    }
    conclude(&run);
    if (!ret_result->live && !ret_result->stopped) {
        explain(&run);
    }
    gp_nemesis_done(&run.nemesis);
    gp_world_free(run.world);
    return GP_OK;
}
