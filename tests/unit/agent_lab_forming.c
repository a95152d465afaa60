/* A region of the simulator that forms itself: sub-Grids are founded, filled, merged and split. */
#include <stdio.h>

#include "agent/lab/world.h"

#include "proto_cmocka.h"

#define NODES 30
#define SIZE  8
#define STEP  (50 * GP_MSEC)

static gp_world_t *new_world(uint64_t seed)
{
    gp_world_config_t config;
    gp_world_defaults(&config);
    config.nodes = NODES;
    config.group_size = NODES;
    config.subgrid_size = SIZE;
    config.seed = seed;
    config.tiers = true;
    config.check_every = 1;
    gp_world_t *world = gp_world_new(&config);
    assert_non_null(world);
    return world;
}

static void run(gp_world_t *world, gp_usec_t us)
{
    if (!gp_world_run(world, gp_world_now(world) + us)) {
        fail_msg("%s", gp_world_violation(world));
    }
}

static void tell(void *context, const char *line)
{
    (void)context;
    print_message("  %s\n", line);
}

/* Until all agree at all tiers; returns how long that took. */
static gp_usec_t settle(gp_world_t *world, gp_usec_t limit)
{
    gp_usec_t from = gp_world_now(world);
    char why[256] = "";
    while (!gp_world_agrees(world, 0, why, sizeof why)) {
        if (gp_world_now(world) - from > limit) {
            gp_world_explain(world, 0, tell, world);
            fail_msg("not after %llu ms: %s", (unsigned long long)(limit / GP_MSEC), why);
        }
        run(world, STEP);
    }
    return gp_world_now(world) - from;
}

static uint32_t size_of(const gp_world_t *world, uint64_t subgrid)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        count += gp_world_alive(world, i) && gp_world_subgrid(world, i) == subgrid ? 1 : 0;
    }
    return count;
}

static void test_newcomers_fill_sub_grids_and_found_new_ones(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        gp_world_t *world = new_world(seed);
        uint64_t subgrids[GP_MEMBERS_MAX];
        gp_world_start(world, 0);
        settle(world, 10 * GP_SECOND);
        for (uint32_t i = 1; i < NODES; i++) {
            gp_world_start(world, i);
        }
        gp_usec_t took = settle(world, 60 * GP_SECOND);
        uint32_t count = gp_world_subgrids(world, 0, subgrids, GP_MEMBERS_MAX);
        print_message("seed %llu: %u sub-Grids after %llu ms:", (unsigned long long)seed, count,
                      (unsigned long long)(took / GP_MSEC));
        for (uint32_t i = 0; i < count; i++) {
            print_message(" %u", size_of(world, subgrids[i]));
            assert_in_range(size_of(world, subgrids[i]), 1, SIZE + 1);
        }
        print_message("\n");
        assert_in_range(count, NODES / SIZE, 8);
        gp_world_free(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newcomers_fill_sub_grids_and_found_new_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
