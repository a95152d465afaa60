/* A grid of several regions, each of several sub-Grids, in the simulator. */
#include <stdio.h>

#include "agent/lab/nemesis.h"
#include "agent/lab/world.h"

#include "agent_lab_settle.h"
#include "proto_cmocka.h"

#define REGIONS 3
#define NODES   48
#define EACH    (NODES / REGIONS)
#define SIZE    8
#define STEP    (20 * GP_MSEC)
#define HOUR    (3600 * GP_SECOND)

static void run(gp_world_t *world, gp_usec_t us)
{
    lab_run(world, us);
}

static gp_usec_t settle(gp_world_t *world, gp_usec_t limit)
{
    return lab_settle(world, limit, STEP);
}

/* ---- what is asked --------------------------------------------------------------------------- */

#define QUESTIONS 64              /* one after the other, ... */
#define PERIOD    (400 * GP_MSEC) /* ... so often: each may be open for five seconds */

/* The questions of one test, by their tokens: nothing else asks in these worlds. */
typedef struct asking {
    const gp_world_t *world;
    gp_usec_t asked_at[QUESTIONS];
    uint32_t asked;
    uint32_t answered;
    /* When the first one was asked that had all machines in its answer, and that was called whole
     * besides; GP_NEVER: none was. */
    gp_usec_t all_since;
    gp_usec_t whole_since;
} asking_t;

static asking_t asking;

static uint32_t living(const gp_world_t *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        count += gp_world_alive(world, i) ? 1 : 0;
    }
    return count;
}

/* Is each living machine in it, and once? */
static bool has_all(const gp_world_t *world, const gp_msg_route_answer_t *answer)
{
    bool seen[NODES] = {false};
    for (uint32_t i = 0; i < answer->hits_count; i++) {
        uint32_t hit = gp_world_node(world, &answer->hits[i].id);
        assert_in_range(hit, 0, NODES - 1);
        assert_false(seen[hit]);
        seen[hit] = true;
        if (!gp_world_alive(world, hit)) {
            return false;
        }
    }
    return answer->error == GP_OK && answer->hits_count == living(world);
}

static void take_answer(void *context, uint32_t node, gp_usec_t at, uint64_t token,
                        const gp_msg_t *notice)
{
    (void)context;
    (void)node;
    (void)at;
    if (notice->kind != GP_MSG_ROUTE_ANSWER) {
        return;
    }
    assert_in_range(token, 1, asking.asked);
    asking.answered++;
    bool all = has_all(asking.world, &notice->u.route_answer);
    gp_usec_t asked_at = asking.asked_at[token - 1];
    if (all && asked_at < asking.all_since) {
        asking.all_since = asked_at;
    }
    if (all && !notice->u.route_answer.partial && asked_at < asking.whole_since) {
        asking.whole_since = asked_at;
    }
}

static void begin(void)
{
    asking.all_since = GP_NEVER;
    asking.whole_since = GP_NEVER;
}

static void ask(gp_world_t *world, uint32_t from)
{
    assert_true(asking.asked < QUESTIONS);
    asking.asked_at[asking.asked++] = gp_world_now(world);
    gp_world_route(world, from, "", GP_ROUTE_GRID);
}

/* Does the whole grid answer now? */
static bool finds_all(gp_world_t *world, uint32_t from)
{
    gp_usec_t now = gp_world_now(world);
    begin();
    ask(world, from);
    while (asking.answered < asking.asked) {
        run(world, GP_MSEC);
        assert_true(gp_world_now(world) - now < 10 * GP_SECOND);
    }
    return asking.whole_since == now;
}

/* Asks until all machines are in an answer that is called whole. */
static void find_until_whole(gp_world_t *world, uint32_t from, gp_usec_t limit)
{
    gp_usec_t since = gp_world_now(world);
    begin();
    while (asking.whole_since == GP_NEVER) {
        if (gp_world_now(world) - since > limit + 6 * GP_SECOND) {
            fail_msg("not every machine is found");
        }
        ask(world, from);
        run(world, PERIOD);
    }
    while (asking.answered < asking.asked) {
        run(world, GP_MSEC);
    }
}

/* ---- who leads ------------------------------------------------------------------------------- */

/* The living node that leads that region by a mandate, UINT32_MAX: none does. */
static uint32_t region_peer(const gp_world_t *world, uint32_t region)
{
    for (uint32_t i = region * EACH; i < (region + 1) * EACH; i++) {
        const void *peer = gp_world_alive(world, i) ? gp_world_peer(world, i) : NULL;
        const void *election = peer != NULL ? gp_peer_seat_election(peer, GP_SEAT_REGION) : NULL;
        gp_id_t leader = election != NULL ? gp_election_leader(election) : (gp_id_t){0};
        if (election != NULL && gp_election_right(election) == GP_RIGHT_QUORUM &&
            gp_world_node(world, &leader) == i && !gp_id_is_none(&leader)) {
            return i;
        }
    }
    return UINT32_MAX;
}

static void cut_region(gp_world_t *world, uint32_t region, bool cut)
{
    for (uint32_t i = 0; i < NODES; i++) {
        for (uint32_t k = 0; k < NODES; k++) {
            if ((gp_world_region(world, i) == region) != (gp_world_region(world, k) == region)) {
                gp_world_cut(world, i, k, cut);
            }
        }
    }
}

static gp_world_config_t config_of(uint64_t seed)
{
    gp_world_config_t config;
    gp_world_defaults(&config);
    config.nodes = NODES;
    config.group_size = NODES;
    config.subgrid_size = SIZE;
    config.regions = REGIONS;
    config.seed = seed;
    config.tiers = true;
    config.check_every = 16;
    return config;
}

static gp_world_t *new_world(uint64_t seed)
{
    const gp_world_config_t config = config_of(seed);
    gp_world_t *world = gp_world_new(&config);
    assert_non_null(world);
    asking = (asking_t){.world = world};
    gp_world_watch(world, take_answer, NULL);
    gp_world_start(world, 0);
    run(world, GP_SECOND);
    for (uint32_t i = 1; i < NODES; i++) {
        gp_world_start(world, i);
    }
    settle(world, 120 * GP_SECOND);
    run(world, 30 * GP_SECOND); /* voters come, and what groups offer goes up */
    settle(world, 10 * GP_SECOND);
    return world;
}

static gp_usec_t later_of(gp_usec_t a, gp_usec_t b)
{
    return a > b ? a : b;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_regions_form_and_all_are_found(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        gp_world_t *world = new_world(seed);
        uint64_t subgrids[GP_MEMBERS_MAX];
        uint32_t count = gp_world_subgrids(world, 0, subgrids, GP_MEMBERS_MAX);
        assert_in_range(count, 2 * REGIONS, 4 * REGIONS);
        for (uint32_t i = 0; i < NODES; i += 5) {
            assert_true(finds_all(world, i));
        }
        gp_world_free(world);
    }
}

static void test_region_peer_and_deputy_die_at_once(void **state)
{
    gp_usec_t leader = 0, all = 0, whole = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        gp_world_t *world = new_world(seed);
        uint32_t region = (uint32_t)seed % REGIONS;
        uint32_t old = region_peer(world, region);
        assert_int_not_equal(old, UINT32_MAX);
        gp_id_t deputy =
            gp_election_deputy(gp_peer_seat_election(gp_world_peer(world, old), GP_SEAT_REGION));
        assert_false(gp_id_is_none(&deputy));
        gp_world_crash(world, old, false);
        gp_world_crash(world, gp_world_node(world, &deputy), false);
        gp_usec_t from = gp_world_now(world);
        while (region_peer(world, region) == UINT32_MAX) {
            run(world, GP_MSEC);
            assert_true(gp_world_now(world) - from <= 2 * GP_SECOND);
        }
        leader = later_of(leader, gp_world_now(world) - from);
        find_until_whole(world, (region + 1) % REGIONS * EACH, 5 * GP_SECOND);
        all = later_of(all, asking.all_since - from);
        whole = later_of(whole, asking.whole_since - from);
        gp_world_heal(world);
        settle(world, 30 * GP_SECOND);
        gp_world_free(world);
    }
    print_message("a new region peer after %llu ms at most, all machines found after %llu ms, "
                  "and called whole after %llu ms\n",
                  (unsigned long long)(leader / GP_MSEC), (unsigned long long)(all / GP_MSEC),
                  (unsigned long long)(whole / GP_MSEC));
    assert_true(all <= 3 * GP_SECOND);
    assert_true(whole <= 5 * GP_SECOND); /* a new leader says for three that it may lack some */
}

static void test_a_region_is_away_for_an_hour(void **state)
{
    gp_usec_t worst = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= REGIONS; seed++) {
        gp_world_t *world = new_world(seed);
        uint32_t region = (uint32_t)seed % REGIONS;
        uint32_t other = (region + 1) % REGIONS;
        cut_region(world, region, true);
        run(world, 10 * GP_SECOND);
        assert_int_not_equal(region_peer(world, region), UINT32_MAX); /* it goes on by itself */
        assert_int_not_equal(region_peer(world, other), UINT32_MAX);
        assert_false(finds_all(world, other * EACH)); /* and who asks is told what is absent */
        run(world, HOUR);
        assert_false(finds_all(world, other * EACH));
        assert_false(finds_all(world, region * EACH));
        cut_region(world, region, false);
        gp_usec_t from = gp_world_now(world);
        settle(world, 5 * GP_SECOND);
        find_until_whole(world, other * EACH, 5 * GP_SECOND);
        worst = later_of(worst, asking.whole_since - from);
        find_until_whole(world, region * EACH, 5 * GP_SECOND);
        worst = later_of(worst, asking.whole_since - from);
        gp_world_free(world);
    }
    print_message("all found after %llu ms at most\n", (unsigned long long)(worst / GP_MSEC));
    assert_true(worst <= 5 * GP_SECOND);
}

/* Whatever befalls machines, links and clocks: nobody leads twice, and in the end all is found. */
static void test_faults_of_all_kinds(void **state)
{
    const gp_fault_t faults[] = {GP_FAULT_CRASH,       GP_FAULT_BOUNCE, GP_FAULT_MASS,
                                 GP_FAULT_PAUSE,       GP_FAULT_CUT,    GP_FAULT_CUT_ONE_WAY,
                                 GP_FAULT_CLOG,        GP_FAULT_CLOCK,  GP_FAULT_RESTART,
                                 GP_FAULT_DISK_SLOW};
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        const gp_world_config_t config = config_of(seed);
        gp_world_t *world = new_world(seed);
        gp_nemesis_t nemesis;
        assert_true(gp_nemesis_init(&nemesis, world, &config));
        nemesis.pace = 2 * GP_SECOND;
        nemesis.next_blow[0] = gp_world_now(world);
        memset(nemesis.uses, 0, sizeof nemesis.uses);
        for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
            nemesis.uses[faults[i]] = true;
        }
        gp_usec_t until = gp_world_now(world) + 60 * GP_SECOND;
        while (gp_world_now(world) < until) {
            gp_usec_t next = gp_nemesis_act(&nemesis);
            next = next < until ? next : until;
            run(world, next > gp_world_now(world) ? next - gp_world_now(world) : 1);
        }
        gp_nemesis_done(&nemesis);
        gp_world_calm(world);
        gp_world_heal(world);
        gp_usec_t took = settle(world, 60 * GP_SECOND);
        find_until_whole(world, 0, 10 * GP_SECOND);
        print_message("seed %llu: healed after %llu ms\n", (unsigned long long)seed,
                      (unsigned long long)(took / GP_MSEC));
        gp_world_free(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regions_form_and_all_are_found),
        cmocka_unit_test(test_region_peer_and_deputy_die_at_once),
        cmocka_unit_test(test_faults_of_all_kinds),
        cmocka_unit_test(test_a_region_is_away_for_an_hour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
