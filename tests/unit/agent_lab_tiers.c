/* Seats above the first, in a world without faults but those that the tests make. */
#include <stdio.h>

#include "agent/lab/world.h"

#include "agent_lab_settle.h"
#include "proto_cmocka.h"

#define NODES 7
#define STEP  (10 * GP_MSEC)

static gp_world_t *empty_world(uint64_t seed, uint32_t nodes)
{
    gp_world_config_t config;
    gp_world_defaults(&config);
    config.nodes = nodes;
    config.group_size = nodes;
    config.seed = seed;
    config.tiers = true;
    config.check_every = 1;
    gp_world_t *world = gp_world_new(&config);
    assert_non_null(world);
    return world;
}

static gp_world_t *new_world(uint64_t seed, uint32_t nodes)
{
    gp_world_t *world = empty_world(seed, nodes);
    for (uint32_t i = 0; i < nodes; i++) {
        gp_world_start(world, i);
    }
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

static gp_id_t leader_at(const gp_world_t *world, uint32_t node, gp_seat_t seat)
{
    const void *election = gp_peer_seat_election(gp_world_peer(world, node), seat);
    assert_non_null(election);
    return gp_election_leader(election);
}

/* The node that leads the sub-Grid, as `by` says. */
static uint32_t super_peer(const gp_world_t *world, uint32_t by)
{
    gp_id_t leader = gp_election_leader(gp_peer_election(gp_world_peer(world, by)));
    uint32_t node = gp_world_node(world, &leader);
    assert_true(node < NODES);
    return node;
}

static uint32_t seats(const gp_world_t *world, gp_seat_t seat)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        const void *peer = gp_world_peer(world, i);
        count += peer != NULL && gp_peer_seat_group(peer, seat) != NULL ? 1 : 0;
    }
    return count;
}

/* Three groups are founded, one record after the other: whatever of them is on the disk. */
static void test_a_founder_that_crashes_founds_what_it_had_not(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 120; seed++) {
        gp_world_t *world = empty_world(seed, 3);
        gp_world_start(world, 0);
        run(world, seed * 50);
        gp_world_crash(world, 0, false);
        for (uint32_t i = 0; i < 3; i++) {
            gp_world_start(world, i);
        }
        settle(world, 30 * GP_SECOND);
        gp_world_free(world);
    }
}

static void test_voters_have_seats_and_the_super_peer_leads_all(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        gp_world_t *world = new_world(seed, NODES);
        settle(world, 30 * GP_SECOND);
        run(world, 30 * GP_SECOND);
        settle(world, 0);
        assert_int_equal(seats(world, GP_SEAT_REGION), 5); /* of 7: those that vote */
        assert_int_equal(seats(world, GP_SEAT_GRID), 5);
        uint32_t leader = super_peer(world, 0);
        const void *region = gp_peer_seat_election(gp_world_peer(world, leader), GP_SEAT_REGION);
        gp_record_voter_t voters[GP_VOTERS_MAX];
        assert_int_equal(gp_election_voters(region, voters), 5); /* who dies takes no majority */
        gp_world_free(world);
    }
}

static void test_a_crash_of_the_super_peer_is_followed_above(void **state)
{
    (void)state;
    gp_usec_t worst = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        gp_world_t *world = new_world(seed, NODES);
        settle(world, 30 * GP_SECOND);
        run(world, 20 * GP_SECOND);
        uint32_t old = super_peer(world, 0);
        gp_world_crash(world, old, false);
        uint32_t witness = old == 0 ? 1 : 0;
        gp_usec_t from = gp_world_now(world);
        gp_id_t dead = gp_election_leader(gp_peer_election(gp_world_peer(world, witness)));
        gp_id_t now = dead;
        while (gp_id_is_none(&now) || gp_id_equal(&now, &dead)) {
            run(world, GP_MSEC);
            assert_true(gp_world_now(world) - from < GP_SECOND);
            const void *below = gp_peer_election(gp_world_peer(world, witness));
            gp_id_t next = gp_election_leader(below);
            uint32_t node = gp_world_node(world, &next);
            now = node < NODES && gp_world_alive(world, node) ? leader_at(world, node, GP_SEAT_GRID)
                                                              : (gp_id_t){0};
            now = gp_id_equal(&now, &next) ? now : (gp_id_t){0};
        }
        gp_usec_t took = gp_world_now(world) - from;
        worst = took > worst ? took : worst;
        settle(world, 5 * GP_SECOND);
        gp_world_start(world, old);
        settle(world, 30 * GP_SECOND);
        gp_world_free(world);
    }
    print_message("the next super-peer leads its region and grid after %llu ms at most\n",
                  (unsigned long long)(worst / GP_MSEC));
}

static void test_leaving_in_good_order_hands_all_over(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        gp_world_t *world = new_world(seed, NODES);
        settle(world, 30 * GP_SECOND);
        run(world, 20 * GP_SECOND);
        uint32_t old = super_peer(world, 0);
        gp_usec_t from = gp_world_now(world);
        gp_world_leave(world, old, false);
        while (gp_world_alive(world, old)) {
            run(world, GP_MSEC);
            assert_true(gp_world_now(world) - from < 2 * GP_SECOND);
        }
        settle(world, 2 * GP_SECOND);
        gp_world_start(world, old);
        settle(world, 30 * GP_SECOND);
        gp_world_free(world);
    }
}

static void test_all_come_back_to_their_seats(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        gp_world_t *world = new_world(seed, NODES);
        settle(world, 30 * GP_SECOND);
        run(world, 20 * GP_SECOND);
        for (uint32_t i = 0; i < NODES; i++) {
            gp_world_crash(world, i, false);
        }
        run(world, 3 * GP_SECOND);
        for (uint32_t i = 0; i < NODES; i++) {
            gp_world_start(world, i);
        }
        settle(world, 30 * GP_SECOND);
        run(world, 30 * GP_SECOND);
        settle(world, 0);
        assert_int_equal(seats(world, GP_SEAT_REGION), 5);
        gp_world_free(world);
    }
}

static void test_who_votes_no_more_gives_its_seats_up(void **state)
{
    uint32_t gave_up = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        gp_world_t *world = new_world(seed, NODES);
        settle(world, 30 * GP_SECOND);
        run(world, 20 * GP_SECOND);
        uint32_t leader = super_peer(world, 0);
        uint32_t away = NODES;
        for (uint32_t i = 0; i < NODES; i++) {
            bool seated = gp_peer_seat_group(gp_world_peer(world, i), GP_SEAT_REGION) != NULL;
            away = seated && i != leader ? i : away;
        }
        gp_world_crash(world, away, false);
        run(world, 60 * GP_SECOND); /* another votes in its stead, at all tiers */
        settle(world, 0);
        gp_world_start(world, away);
        run(world, 60 * GP_SECOND);
        settle(world, 0);
        assert_int_equal(seats(world, GP_SEAT_REGION), 5);
        assert_int_equal(seats(world, GP_SEAT_GRID), 5);
        if (gp_peer_seat_group(gp_world_peer(world, away), GP_SEAT_REGION) == NULL) {
            gave_up++;
            gp_world_crash(world, away, false); /* what it gave up it does not come back to */
            gp_world_start(world, away);
            run(world, GP_SECOND / 2);
            assert_null(gp_peer_seat_group(gp_world_peer(world, away), GP_SEAT_REGION));
            settle(world, 30 * GP_SECOND);
        }
        gp_world_free(world);
    }
    assert_true(gave_up > 0);
}

/* ---- questions beyond the sub-Grid ----------------------------------------------------------- */

typedef struct routed {
    uint32_t answers;
    uint32_t partial;
    uint32_t hits;
    uint32_t places;
} routed_t;

static void see_routed(void *context, uint32_t node, gp_usec_t at, uint64_t token,
                       const gp_msg_t *notice)
{
    routed_t *routed = context;
    (void)node;
    (void)at;
    (void)token;
    if (notice->kind == GP_MSG_ROUTE_ANSWER) {
        assert_int_equal(notice->u.route_answer.error, GP_OK);
        routed->answers++;
        routed->partial += notice->u.route_answer.partial ? 1 : 0;
        routed->hits += notice->u.route_answer.hits_count;
    }
    routed->places += notice->kind == GP_MSG_PLACE_KNOWN ? 1 : 0;
}

/* With real elections: each machine's question goes up to the region peer, and its answer back. */
static void test_questions_go_up(void **state)
{
    gp_world_t *world = new_world(3, NODES);
    routed_t routed = {0};
    (void)state;
    gp_world_watch(world, see_routed, &routed);
    settle(world, 30 * GP_SECOND);
    run(world, 10 * GP_SECOND);
    assert_in_range(routed.places, 4, 40); /* a sub-Grid and a region, at leader and deputy */
    for (uint32_t i = 0; i < NODES; i++) {
        gp_world_route(world, i, "", GP_ROUTE_GRID);
        run(world, GP_SECOND);
        assert_int_equal(routed.answers, i + 1);
        assert_int_equal(routed.hits, (i + 1) * NODES);
        assert_int_equal(routed.partial, 0);
    }
    uint32_t leader = super_peer(world, 0);
    gp_world_crash(world, leader, false);
    settle(world, 30 * GP_SECOND);
    run(world, 10 * GP_SECOND);
    routed = (routed_t){0};
    gp_world_route(world, (leader + 1) % NODES, "", GP_ROUTE_GRID);
    run(world, GP_SECOND);
    assert_int_equal(routed.answers, 1);
    assert_int_equal(routed.hits, NODES - 1);
    assert_int_equal(routed.partial, 0);
    gp_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_founder_that_crashes_founds_what_it_had_not),
        cmocka_unit_test(test_voters_have_seats_and_the_super_peer_leads_all),
        cmocka_unit_test(test_a_crash_of_the_super_peer_is_followed_above),
        cmocka_unit_test(test_leaving_in_good_order_hands_all_over),
        cmocka_unit_test(test_all_come_back_to_their_seats),
        cmocka_unit_test(test_who_votes_no_more_gives_its_seats_up),
        cmocka_unit_test(test_questions_go_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
