/* A grid that is laid out, and its sub-Grids that rest while nothing happens in them. */
#include <stdio.h>

#include "agent/lab/world.h"

#include "proto_cmocka.h"

#define REGIONS  3
#define SUBGRIDS 3
#define SIZE     8
#define REGION   (SUBGRIDS * SIZE)
#define NODES    (REGIONS * REGION)

typedef struct seen {
    uint32_t answers; /* to questions, with a machine in them */
    uint32_t routed;  /* machines in the last answer from beyond the sub-Grid */
    bool partial;
    uint32_t upsets; /* what a machine says whose clock went on without it */
} seen_t;

static void watch(void *context, uint32_t node, gp_usec_t at, uint64_t token,
                  const gp_msg_t *notice)
{
    seen_t *seen = context;
    (void)node;
    (void)at;
    (void)token;
    if (notice->kind == GP_MSG_ANSWER && notice->u.answer.hits_count > 0) {
        seen->answers++;
    } else if (notice->kind == GP_MSG_ROUTE_ANSWER) {
        seen->routed = notice->u.route_answer.hits_count;
        seen->partial = notice->u.route_answer.partial;
    } else if (notice->kind == GP_MSG_LATE || notice->kind == GP_MSG_SUSPICION ||
               notice->kind == GP_MSG_CAMPAIGN || notice->kind == GP_MSG_STEP_DOWN) {
        seen->upsets++;
    }
}

static gp_world_t *new_world(gp_usec_t rest_after, seen_t *seen)
{
    gp_world_config_t config;
    gp_world_defaults(&config);
    config.nodes = NODES;
    config.group_size = REGION;
    config.subgrid_size = SIZE;
    config.subgrids = SUBGRIDS;
    config.tiers = true;
    config.rest_after = rest_after;
    gp_world_t *world = gp_world_new(&config);
    assert_non_null(world);
    gp_world_watch(world, watch, seen);
    return world;
}

static void run(gp_world_t *world, gp_usec_t us)
{
    if (!gp_world_run(world, gp_world_now(world) + us)) {
        fail_msg("%s", gp_world_violation(world));
    }
}

static bool all_agree(gp_world_t *world, char why[256])
{
    for (uint32_t region = 0; region < REGIONS; region++) {
        if (!gp_world_agrees(world, region, why, 256)) {
            return false;
        }
    }
    return true;
}

static uint32_t resting(gp_world_t *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < NODES; i += SIZE) {
        count += gp_world_rests(world, i) ? 1 : 0;
    }
    return count;
}

static void settle(gp_world_t *world, uint32_t resting_parts)
{
    gp_usec_t limit = gp_world_now(world) + 120 * GP_SECOND;
    char why[256] = "";
    while (!all_agree(world, why) || resting(world) < resting_parts) {
        if (gp_world_now(world) > limit) {
            fail_msg("%u sub-Grids rest: %s", resting(world), why);
        }
        run(world, 100 * GP_MSEC);
    }
}

static void come_up(gp_world_t *world)
{
    for (uint32_t region = 0; region < REGIONS; region++) {
        gp_world_start(world, region * REGION);
        run(world, 2 * GP_SECOND);
    }
    for (uint32_t i = 0; i < NODES; i++) {
        if (gp_world_peer(world, i) == NULL) {
            gp_world_start(world, i);
            run(world, 200 * GP_MSEC);
        }
    }
}

static void test_a_grid_that_is_laid_out_agrees(void **state)
{
    (void)state;
    seen_t seen = {0};
    gp_world_t *world = new_world(0, &seen);
    come_up(world);
    settle(world, 0);
    assert_int_equal(gp_world_stats(world)->rests, 0);
    gp_world_route(world, NODES - 1, "cpu >= 1", GP_ROUTE_GRID);
    run(world, 3 * GP_SECOND);
    assert_false(seen.partial);
    assert_int_equal(seen.routed, NODES < GP_HITS_MAX ? NODES : GP_HITS_MAX);
    gp_world_free(world);
}

static void test_a_calm_sub_grid_rests_and_goes_on(void **state)
{
    (void)state;
    seen_t seen = {0};
    gp_world_t *world = new_world(3 * GP_SECOND, &seen);
    const uint32_t parts = NODES / SIZE;
    come_up(world);
    settle(world, parts);
    gp_usec_t rested = gp_world_rested(world, NODES - 1);
    run(world, 600 * GP_SECOND);
    assert_int_equal(resting(world), parts);
    assert_true(gp_world_rested(world, NODES - 1) - rested > 590 * GP_SECOND);

    /* Only its sub-Grid goes on for a question, as if no time had passed. */
    seen.upsets = 0;
    gp_world_find(world, NODES - 1, "cpu >= 1");
    run(world, GP_SECOND);
    assert_int_equal(seen.answers, 1);
    assert_int_equal(resting(world), parts - 1);
    assert_false(gp_world_rests(world, NODES - 1));
    settle(world, parts);
    assert_int_equal(seen.upsets, 0);

    /* One is killed: those beside it say so, and rest again without it. */
    gp_world_crash(world, NODES - 1, false);
    run(world, 2 * GP_SECOND);
    const gp_group_t *view = gp_peer_group(gp_world_peer(world, NODES - SIZE));
    uint32_t gone = 0;
    for (uint32_t i = 0; i < gp_group_count(view); i++) {
        gone += gp_group_member_at(view, i)->state == GP_MEMBER_UNAVAILABLE ? 1 : 0;
    }
    assert_int_equal(gone, 1);
    settle(world, parts);
    gp_world_start(world, NODES - 1);
    assert_false(gp_world_rests(world, NODES - 1));
    settle(world, parts);
    gp_world_free(world);
}

static void test_a_question_to_the_grid_wakes_all_that_it_asks(void **state)
{
    (void)state;
    seen_t seen = {0};
    gp_world_t *world = new_world(3 * GP_SECOND, &seen);
    come_up(world);
    settle(world, NODES / SIZE);
    run(world, 300 * GP_SECOND);
    gp_world_route(world, NODES - 1, "cpu >= 1", GP_ROUTE_GRID);
    run(world, 3 * GP_SECOND);
    assert_false(seen.partial);
    assert_int_equal(seen.routed, NODES < GP_HITS_MAX ? NODES : GP_HITS_MAX);
    settle(world, NODES / SIZE);
    gp_world_free(world);
}

/* A super-peer is killed while all rest: another one leads, with a seat above. */
static void test_a_super_peer_dies_while_all_rest(void **state)
{
    (void)state;
    seen_t seen = {0};
    gp_world_t *world = new_world(3 * GP_SECOND, &seen);
    come_up(world);
    settle(world, NODES / SIZE);
    run(world, 300 * GP_SECOND);
    uint32_t leader = UINT32_MAX;
    const void *peer = gp_world_peer(world, 0);
    gp_id_t id = gp_election_leader(gp_peer_election(peer));
    leader = gp_world_node(world, &id);
    gp_world_crash(world, leader, false);
    run(world, 2 * GP_SECOND);
    gp_world_start(world, leader);
    settle(world, NODES / SIZE);
    gp_world_free(world);
}

static uint64_t history(void)
{
    seen_t seen = {0};
    gp_world_t *world = new_world(3 * GP_SECOND, &seen);
    come_up(world);
    settle(world, NODES / SIZE);
    run(world, 60 * GP_SECOND);
    gp_world_crash(world, NODES - 2, true);
    run(world, 30 * GP_SECOND);
    uint64_t hash = gp_world_trace_hash(world);
    gp_world_free(world);
    return hash;
}

static void test_the_same_again(void **state)
{
    (void)state;
    assert_true(history() == history());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_grid_that_is_laid_out_agrees),
        cmocka_unit_test(test_a_calm_sub_grid_rests_and_goes_on),
        cmocka_unit_test(test_a_question_to_the_grid_wakes_all_that_it_asks),
        cmocka_unit_test(test_a_super_peer_dies_while_all_rest),
        cmocka_unit_test(test_the_same_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
