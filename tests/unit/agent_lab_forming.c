/* A region of the simulator that forms itself: sub-Grids are founded, filled, merged and split. */
#include <stdio.h>

#include "agent/lab/world.h"

#include "agent_lab_settle.h"
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
    lab_run(world, us);
}

static gp_usec_t settle(gp_world_t *world, gp_usec_t limit)
{
    return lab_settle(world, limit, STEP);
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

/* Machines leave until `rest` are left in that sub-Grid; `one` stays. */
static void shrink(gp_world_t *world, uint64_t subgrid, uint32_t one, uint32_t rest)
{
    for (uint32_t i = 0; i < NODES && size_of(world, subgrid) > rest; i++) {
        if (i != one && gp_world_alive(world, i) && gp_world_subgrid(world, i) == subgrid) {
            gp_world_leave(world, i, true);
            run(world, 5 * GP_SECOND);
        }
    }
}

static gp_world_t *formed(uint64_t seed)
{
    gp_world_t *world = new_world(seed);
    gp_world_start(world, 0);
    settle(world, 10 * GP_SECOND);
    for (uint32_t i = 1; i < NODES; i++) {
        gp_world_start(world, i);
    }
    settle(world, 60 * GP_SECOND);
    run(world, 20 * GP_SECOND);
    settle(world, 10 * GP_SECOND);
    return world;
}

static void test_a_sub_grid_that_has_become_small_merges(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        gp_world_t *world = formed(seed);
        uint32_t one = NODES - 1; /* of the smallest */
        uint64_t subgrids[GP_MEMBERS_MAX];
        uint32_t count = gp_world_subgrids(world, 0, subgrids, GP_MEMBERS_MAX);
        for (uint32_t i = 0; i < count; i++) { /* else the full ones would share with it */
            shrink(world, subgrids[i], one, SIZE / 2);
        }
        uint64_t before = gp_world_subgrid(world, one);
        shrink(world, before, one, 1);
        settle(world, 30 * GP_SECOND);
        gp_usec_t from = gp_world_now(world);
        while (gp_world_subgrid(world, one) == before) {
            run(world, GP_SECOND);
            if (gp_world_now(world) - from > 120 * GP_SECOND) {
                    fail_msg("seed %llu: %u are left with %u", (unsigned long long)seed,
                         size_of(world, before), one);
            }
        }
        settle(world, 30 * GP_SECOND);
        print_message("seed %llu: merged after %llu s\n", (unsigned long long)seed,
                      (unsigned long long)((gp_world_now(world) - from) / GP_SECOND));
        gp_world_free(world);
    }
}

static void test_a_super_peer_that_dies_is_followed_in_the_region(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        gp_world_t *world = formed(seed);
        for (uint32_t i = 0; i < NODES; i += 7) {
            gp_world_crash(world, i, false);
            gp_usec_t took = settle(world, 30 * GP_SECOND);
            gp_world_start(world, i);
            took = took > 0 ? took : 0;
            settle(world, 30 * GP_SECOND);
        }
        gp_world_free(world);
    }
}

static void test_all_come_back_to_their_sub_grids(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        gp_world_t *world = formed(seed);
        uint64_t before[NODES];
        for (uint32_t i = 0; i < NODES; i++) {
            before[i] = gp_world_subgrid(world, i);
            gp_world_crash(world, i, false);
        }
        run(world, 3 * GP_SECOND);
        for (uint32_t i = 0; i < NODES; i++) {
            gp_world_start(world, i);
        }
        settle(world, 60 * GP_SECOND);
        for (uint32_t i = 0; i < NODES; i++) {
            assert_true(gp_world_subgrid(world, i) == before[i]);
        }
        gp_world_free(world);
    }
}

typedef struct heard {
    uint32_t answers, hits, absent;
    bool partial;
} heard_t;

static void hear(void *context, uint32_t node, gp_usec_t at, uint64_t token, const gp_msg_t *notice)
{
    heard_t *heard = context;
    (void)node;
    (void)at;
    (void)token;
    if (notice->kind == GP_MSG_ROUTE_ANSWER) {
        heard->answers++;
        heard->hits = notice->u.route_answer.hits_count;
        heard->absent = notice->u.route_answer.absent_count;
        heard->partial = notice->u.route_answer.partial;
    }
}

static void test_a_question_finds_the_machines_of_all_sub_grids(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        gp_world_t *world = formed(seed);
        run(world, 5 * GP_SECOND);
        for (uint32_t i = 0; i < NODES; i += 5) {
            heard_t heard = {.answers = 0};
            gp_world_watch(world, hear, &heard);
            gp_usec_t from = gp_world_now(world);
            gp_world_route(world, i, "arch == x86_64", GP_ROUTE_GRID);
            while (heard.answers == 0) {
                run(world, GP_MSEC);
                assert_true(gp_world_now(world) - from < 6 * GP_SECOND);
            }
            assert_int_equal(heard.hits, NODES);
            assert_false(heard.partial);
            assert_true(gp_world_now(world) - from < 20 * GP_MSEC);
        }
        gp_world_watch(world, NULL, NULL);
        gp_world_free(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newcomers_fill_sub_grids_and_found_new_ones),
        cmocka_unit_test(test_a_sub_grid_that_has_become_small_merges),
        cmocka_unit_test(test_a_super_peer_that_dies_is_followed_in_the_region),
        cmocka_unit_test(test_all_come_back_to_their_sub_grids),
        cmocka_unit_test(test_a_question_finds_the_machines_of_all_sub_grids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
