/*
 * Coordinates in a world with a geography: six towns, ways of up to 57 ms, jitter of a tenth of the
 * way. How good they are after a while, and whom `find --near` names first.
 */
#include <stdio.h>
#include <stdlib.h>

#include "agent/lab/world.h"

#include "proto_cmocka.h"

#define NODES      48
#define CANDIDATES 8
#define QUESTIONS  2 /* of each machine */
#define SEEDS      4
#define ASKED      (SEEDS * NODES * QUESTIONS)

static uint64_t ratios[ASKED];
static uint32_t ratio_count;

static gp_world_t *new_world(uint64_t seed)
{
    gp_world_config_t config;
    gp_world_defaults(&config);
    config.nodes = NODES;
    config.group_size = NODES;
    config.seed = seed;
    config.breadth_us = 40 * GP_MSEC;
    config.check_every = 64;
    gp_world_t *world = gp_world_new(&config);
    assert_non_null(world);
    for (uint32_t i = 0; i < NODES; i++) {
        gp_world_start(world, i);
    }
    return world;
}

static void run(gp_world_t *world, gp_usec_t us)
{
    if (!gp_world_run(world, gp_world_now(world) + us)) {
        fail_msg("%s", gp_world_violation(world));
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : (x > y ? 1 : 0);
}

static uint64_t nth(uint64_t *values, uint32_t count, uint32_t percent)
{
    qsort(values, count, sizeof values[0], compare);
    return values[(uint64_t)count * percent / 100];
}

/* The mean round trip: what both ways take at least, and half of their jitter. */
static uint64_t round_trip(const gp_world_t *world, uint32_t a, uint32_t b)
{
    gp_world_config_t plain;
    gp_world_defaults(&plain);
    gp_usec_t way = gp_world_way(world, a, b);
    return 2 * way + plain.jitter_us + (way - plain.latency_us) / 10;
}

static uint64_t estimate(const gp_world_t *world, uint32_t a, uint32_t b)
{
    return gp_coordinate_distance_us(gp_peer_coordinate(gp_world_peer(world, a)),
                                     gp_peer_coordinate(gp_world_peer(world, b)));
}

/* Median of |estimate - truth| / truth over all pairs, in permille. */
static uint64_t error_of(const gp_world_t *world)
{
    static uint64_t errors[NODES * NODES];
    uint32_t count = 0;
    for (uint32_t a = 0; a < NODES; a++) {
        for (uint32_t b = 0; b < a; b++) {
            uint64_t is = round_trip(world, a, b);
            uint64_t said = estimate(world, a, b);
            errors[count++] = 1000 * (said > is ? said - is : is - said) / is;
        }
    }
    return nth(errors, count, 50);
}

/* ---- asking ---------------------------------------------------------------------------------- */

typedef struct asked {
    const gp_world_t *world;
    uint32_t answers;
    uint32_t first; /* the nearest, as the last answer says */
    uint32_t rtt_us;
} asked_t;

static void on_notice(void *context, uint32_t node, gp_usec_t at, uint64_t token,
                      const gp_msg_t *notice)
{
    asked_t *asked = context;
    (void)node;
    (void)at;
    (void)token;
    if (notice->kind == GP_MSG_ANSWER) {
        assert_int_equal(notice->u.answer.error, GP_OK);
        assert_true(notice->u.answer.hits_count > 0);
        asked->answers++;
        asked->first = gp_world_node(asked->world, &notice->u.answer.hits[0].id);
        asked->rtt_us = notice->u.answer.hits[0].rtt_us;
    }
}

/* Which of some machines, drawn at random, is nearest to this one? */
static void ask(gp_world_t *world, asked_t *asked, gp_random_t *random, uint32_t node)
{
    char query[256];
    int n = snprintf(query, sizeof query, "name in {");
    uint64_t best = UINT64_MAX;
    for (uint32_t k = 0; k < CANDIDATES; k++) {
        uint32_t other = (node + 1 + (uint32_t)gp_random_below(random, NODES - 1)) % NODES;
        uint64_t is = round_trip(world, node, other);
        best = is < best ? is : best;
        n += snprintf(query + n, sizeof query - (size_t)n, "%sn%u", k == 0 ? "" : ", ", other + 1);
    }
    n += snprintf(query + n, sizeof query - (size_t)n, "}");
    uint32_t before = asked->answers;
    gp_world_find_near(world, node, query, node);
    for (uint32_t i = 0; asked->answers == before && i < 100; i++) {
        run(world, 10 * GP_MSEC);
    }
    assert_int_equal(asked->answers, before + 1);
    assert_int_not_equal(asked->rtt_us, 0);
    ratios[ratio_count++] = 1000 * round_trip(world, node, asked->first) / best;
}

static void ask_all(gp_world_t *world, uint64_t seed)
{
    gp_random_t random;
    asked_t asked = {.world = world};
    gp_random_init(&random, seed);
    gp_world_watch(world, on_notice, &asked);
    for (uint32_t i = 0; i < NODES * QUESTIONS; i++) {
        ask(world, &asked, &random, i % NODES);
    }
    gp_world_watch(world, NULL, NULL);
}

static void look(gp_world_t *worlds[SEEDS], gp_usec_t until)
{
    uint64_t errors[SEEDS];
    ratio_count = 0;
    for (uint64_t i = 0; i < SEEDS; i++) {
        run(worlds[i], until - gp_world_now(worlds[i]));
        errors[i] = error_of(worlds[i]);
        ask_all(worlds[i], i);
    }
    uint64_t error = nth(errors, SEEDS, 50);
    uint64_t usual = nth(ratios, ASKED, 50);
    uint64_t most = nth(ratios, ASKED, 90);
    print_message("after %llu min: median error %llu.%llu %%, worst world %llu.%llu %%; nearest of "
                  "%d: %llu.%02llu times the least round trip, nine in ten within %llu.%02llu\n",
                  (unsigned long long)(until / GP_SECOND / 60), (unsigned long long)error / 10,
                  (unsigned long long)error % 10, (unsigned long long)errors[SEEDS - 1] / 10,
                  (unsigned long long)errors[SEEDS - 1] % 10, CANDIDATES,
                  (unsigned long long)usual / 1000, (unsigned long long)usual / 10 % 100,
                  (unsigned long long)most / 1000, (unsigned long long)most / 10 % 100);
    assert_true(errors[SEEDS - 1] <= 150);
    assert_true(usual <= 1150);
    assert_true(most <= 2500);
}

static void test_places_find_the_nearest(void **state)
{
    (void)state;
    gp_world_t *worlds[SEEDS];
    for (uint64_t i = 0; i < SEEDS; i++) {
        worlds[i] = new_world(i + 1);
    }
    look(worlds, 120 * GP_SECOND);
    look(worlds, 600 * GP_SECOND);
    for (uint64_t i = 0; i < SEEDS; i++) {
        gp_world_free(worlds[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_places_find_the_nearest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
