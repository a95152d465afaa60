/*
 * Network coordinates on a made-up geography: cities on a plane, the way between machines and what
 * each one's own line costs, jitter, and one round trip in a hundred that takes ten times as long.
 * All coordinates travel in their form on the wire. Prints the figures that README.md states.
 */
#include "proto/coordinate.h"
#include "tests/unit/proto_cmocka.h"

#include <stdlib.h>

#define MACHINES 300
#define CITIES   12
#define ROUNDS   60
#define ASKED    4 /* neighbours in a round */
#define SEEDS    3
#define PAIRS    (MACHINES * (MACHINES - 1) / 2)

typedef struct machine {
    int64_t x, y; /* microseconds */
    int64_t line; /* microseconds that its own line costs */
    int city;
    gp_coordinate_t coordinate;
} machine_t;

typedef enum lie { LIE_NONE, LIE_RANDOM, LIE_CORNER } lie_t;

typedef struct world {
    machine_t machines[MACHINES];
    int count;
    int64_t stretch[CITIES][CITIES]; /* permille of the straight way */
    int liars;                       /* the first of the machines lie */
    lie_t lie;
    int home; /* of ten neighbours so many are of one's own city, as in a sub-Grid */
    gp_random_t random;
} world_t;

typedef struct figures {
    uint32_t error;     /* median |estimate - true| / true, permille */
    uint32_t error_p90; /* and what nine in ten keep below */
    uint32_t nearest;   /* median true round trip to the machine that seems nearest, in permille */
    uint32_t nearest_p90; /* of that to the truly nearest of the candidates */
} figures_t;

static world_t world;
static uint32_t samples[PAIRS];

static int64_t below(world_t *w, int64_t bound)
{
    return (int64_t)gp_random_below(&w->random, (uint64_t)bound);
}

static int64_t between(world_t *w, int64_t least, int64_t most)
{
    return least + below(w, most - least + 1);
}

static int64_t root(int64_t value)
{
    int64_t least = 0;
    int64_t most = INT64_C(1) << 31;
    while (least < most) {
        int64_t middle = (least + most + 1) / 2;
        if (middle * middle <= value) {
            least = middle;
        } else {
            most = middle - 1;
        }
    }
    return least;
}

static int64_t truth(const world_t *w, int a, int b)
{
    const machine_t *m = &w->machines[a];
    const machine_t *n = &w->machines[b];
    int64_t way = root((m->x - n->x) * (m->x - n->x) + (m->y - n->y) * (m->y - n->y));
    return way * w->stretch[m->city][n->city] / 1000 + m->line + n->line;
}

/* `detour`: ways between cities are up to so many permille longer than straight. */
static void build(world_t *w, uint64_t seed, int64_t detour)
{
    int64_t city_x[CITIES];
    int64_t city_y[CITIES];

    memset(w, 0, sizeof *w);
    gp_random_init(&w->random, seed);
    w->count = MACHINES;
    for (int i = 0; i < CITIES; i++) {
        city_x[i] = below(w, 60000);
        city_y[i] = below(w, 60000);
        for (int j = 0; j <= i; j++) {
            int64_t longer = i == j ? 0 : below(w, detour + 1) * below(w, 1001) / 1000;
            w->stretch[i][j] = w->stretch[j][i] = 1000 + longer;
        }
    }
    for (int i = 0; i < w->count; i++) {
        machine_t *m = &w->machines[i];
        m->city = (int)below(w, CITIES);
        m->x = city_x[m->city] + between(w, -700, 700);
        m->y = city_y[m->city] + between(w, -700, 700);
        m->line = 100 + below(w, INT64_C(1) << between(w, 5, 12));
        gp_coordinate_start(&m->coordinate);
    }
}

static uint32_t round_trip(world_t *w, int a, int b)
{
    int64_t rtt = truth(w, a, b);
    rtt = rtt * (900 + between(w, 0, 100) + between(w, 0, 100)) / 1000;
    return (uint32_t)(below(w, 100) == 0 ? 10 * rtt : rtt);
}

static gp_coordinate_t wired(const gp_coordinate_t *c)
{
    uint8_t bytes[GP_COORDINATE_BYTES];
    gp_coordinate_t read;
    gp_coordinate_pack(c, bytes);
    assert_int_equal(gp_coordinate_read(gp_slice(bytes, sizeof bytes), &read), GP_OK);
    return read;
}

static int32_t anywhere(world_t *w)
{
    int64_t most = below(w, 2) == 0 ? GP_COORDINATE_AXIS_MAX : GP_COORDINATE_AXIS_MAX / 20;
    return (int32_t)between(w, -most, most);
}

static gp_coordinate_t said_by(world_t *w, int who)
{
    gp_coordinate_t said = w->machines[who].coordinate;
    if (who < w->liars) {
        for (int i = 0; i < GP_COORDINATE_AXES; i++) {
            said.axis[i] = w->lie == LIE_CORNER ? GP_COORDINATE_AXIS_MAX : anywhere(w);
        }
        said.height = (int32_t)between(w, GP_COORDINATE_HEIGHT_MIN, GP_COORDINATE_HEIGHT_MAX / 20);
        said.error = GP_COORDINATE_ERROR_UNIT;
    }
    return wired(&said);
}

static int another(world_t *w, int than, int from)
{
    int other = (int)between(w, from, w->count - 1);
    while (other == than) {
        other = (int)between(w, from, w->count - 1);
    }
    return other;
}

static int neighbour(world_t *w, int of)
{
    int other = another(w, of, 0);
    if (below(w, 10) < w->home) {
        for (int i = 0; i < 100 && w->machines[other].city != w->machines[of].city; i++) {
            other = another(w, of, 0);
        }
    }
    return other;
}

static void live(world_t *w, int rounds)
{
    for (int round = 0; round < rounds * ASKED; round++) {
        for (int i = 0; i < w->count; i++) {
            int other = neighbour(w, i);
            gp_coordinate_t said = said_by(w, other);
            gp_coordinate_update(&w->machines[i].coordinate, &w->random, &said,
                                 round_trip(w, i, other));
        }
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t share_of(uint32_t *values, uint32_t count, uint32_t permille)
{
    qsort(values, count, sizeof *values, compare);
    return values[(uint64_t)count * permille / 1000];
}

static int64_t estimate(const world_t *w, int a, int b)
{
    gp_coordinate_t x = wired(&w->machines[a].coordinate);
    gp_coordinate_t y = wired(&w->machines[b].coordinate);
    return gp_coordinate_distance_us(&x, &y);
}

/* The price of trusting the coordinates of `candidates` machines: permille of the best choice. */
static uint32_t price(world_t *w, int who, int candidates)
{
    int64_t best = INT64_MAX;
    int64_t nearest = INT64_MAX;
    int64_t chosen = 0;
    for (int i = 0; i < candidates; i++) {
        int other = another(w, who, w->liars);
        int64_t real = truth(w, who, other);
        int64_t seems = estimate(w, who, other);
        best = real < best ? real : best;
        if (seems < nearest) {
            nearest = seems;
            chosen = real;
        }
    }
    return (uint32_t)(chosen * 1000 / best);
}

/* Of all honest machines; `candidates` 0: a random number of them, 8 to 64. */
static figures_t figures_of(world_t *w, int candidates)
{
    figures_t figures;
    uint32_t count = 0;
    for (int i = w->liars; i < w->count; i++) {
        for (int j = w->liars; j < i; j++) {
            int64_t real = truth(w, i, j);
            samples[count++] = (uint32_t)(llabs(estimate(w, i, j) - real) * 1000 / real);
        }
    }
    figures.error = share_of(samples, count, 500);
    figures.error_p90 = share_of(samples, count, 900);
    count = 0;
    for (int times = 0; times < 10; times++) {
        for (int i = w->liars; i < w->count; i++) {
            int among = candidates == 0 ? (int)between(w, 8, 64) : candidates;
            samples[count++] = price(w, i, among);
        }
    }
    figures.nearest = share_of(samples, count, 500);
    figures.nearest_p90 = share_of(samples, count, 900);
    return figures;
}

static figures_t show(world_t *w, const char *what, int candidates)
{
    figures_t f = figures_of(w, candidates);
    print_message("%-20s of %2d: error %u permille (p90 %u), nearest %u (p90 %u)\n", what,
                  candidates, f.error, f.error_p90, f.nearest, f.nearest_p90);
    return f;
}

static void test_a_plane(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        build(&world, seed, 0);
        uint32_t before = figures_of(&world, 8).nearest;
        live(&world, ROUNDS);
        for (int candidates = 8; candidates <= 64; candidates *= 2) {
            figures_t f = show(&world, "plane", candidates);
            assert_true(f.nearest <= (candidates == 64 ? 1200 : 1150));
            assert_true(f.nearest_p90 <= 2600);
            assert_true(f.error <= 50);
            assert_true(f.error_p90 <= 200);
        }
        assert_true(before > 3000); /* it is the coordinates that find them */
        assert_true(show(&world, "plane", 0).nearest <= 1150);
        live(&world, 4 * ROUNDS);
        figures_t late = show(&world, "plane, later", 64);
        assert_true(late.nearest <= 1050 && late.error <= 30 && late.error_p90 <= 100);
    }
}

static void test_detours(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        build(&world, seed, 1500); /* no plane has such distances, nor has any space */
        live(&world, ROUNDS);
        figures_t f = show(&world, "detours", 0);
        assert_true(f.nearest <= 1150 && f.nearest_p90 <= 2700);
        assert_true(f.error <= 220);
        live(&world, 4 * ROUNDS);
        f = show(&world, "detours, later", 64);
        assert_true(f.nearest <= 1350);
    }
}

/* As in a sub-Grid: nearly all that a machine hears comes from near. */
static void test_mostly_at_home(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        for (int home = 5; home <= 9; home += 4) {
            build(&world, seed, 0);
            world.home = home;
            live(&world, ROUNDS);
            figures_t f = show(&world, home == 5 ? "half at home" : "nine tenths at home", 64);
            live(&world, 4 * ROUNDS);
            figures_t late = show(&world, home == 5 ? "half, later" : "nine tenths, later", 64);
            assert_true(f.nearest <= 1100 && f.nearest_p90 <= 2500);
            assert_true(f.error <= (home == 5 ? 50 : 850));
            assert_true(late.nearest <= 1010 && late.nearest_p90 <= 1500);
            assert_true(late.error <= (home == 5 ? 25 : 200));
        }
    }
}

static void put_in_rack(world_t *w, int from, int to)
{
    for (int i = from; i < to; i++) {
        machine_t *m = &w->machines[i];
        m->city = w->machines[from].city;
        m->x = w->machines[from].x + between(w, -20, 20);
        m->y = w->machines[from].y + between(w, -20, 20);
        m->line = between(w, 30, 120);
    }
}

static void test_a_rack(void **state)
{
    (void)state;
    build(&world, 5, 0);
    put_in_rack(&world, 0, 32);
    world.home = 5;
    live(&world, 2 * ROUNDS);
    for (int i = 0; i < 32; i++) {
        int64_t farthest = 0;
        int64_t outside = INT64_MAX;
        int closer = 0; /* machines outside that seem closer than the farthest in the rack */
        for (int j = 0; j < 32; j++) {
            int64_t seems = j == i ? 0 : estimate(&world, i, j);
            farthest = seems > farthest ? seems : farthest;
        }
        for (int j = 32; j < MACHINES; j++) {
            int64_t seems = estimate(&world, i, j);
            outside = seems < outside ? seems : outside;
            closer += seems < farthest && truth(&world, i, j) > 6000;
        }
        assert_true(farthest < 4000);
        assert_int_equal(closer, 0);
    }
}

static void test_nothing_but_a_rack(void **state)
{
    (void)state;
    build(&world, 6, 0);
    world.count = 32;
    put_in_rack(&world, 0, 32);
    live(&world, ROUNDS);
    figures_t f = show(&world, "one rack", 16);
    assert_true(f.error <= 100 && f.nearest <= 1150);
    for (int i = 1; i < 32; i++) {
        assert_true(estimate(&world, 0, i) < 600);
    }
}

static void test_a_city_moves(void **state)
{
    (void)state;
    build(&world, 7, 0);
    live(&world, 5 * ROUNDS);
    figures_t before = show(&world, "before the move", 0);
    for (int i = 0; i < MACHINES; i++) {
        if (world.machines[i].city == 0) {
            world.machines[i].x += 50000;
            world.machines[i].y -= 20000;
        }
    }
    uint32_t moved = figures_of(&world, 0).error_p90;
    live(&world, ROUNDS / 2);
    figures_t soon = show(&world, "120 updates after", 0);
    live(&world, 2 * ROUNDS);
    figures_t after = show(&world, "600 updates after", 0);
    assert_true(moved >= 200);
    assert_true(soon.error_p90 <= 150 && soon.nearest <= 1150);
    assert_true(after.error <= before.error + 10 && after.error_p90 <= 100);
    assert_true(after.nearest <= 1050);
}

static void test_liars(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        for (lie_t lie = LIE_RANDOM; lie <= LIE_CORNER; lie++) {
            build(&world, seed, 0);
            world.liars = MACHINES / 10;
            world.lie = lie;
            live(&world, ROUNDS);
            figures_t f = show(&world, lie == LIE_RANDOM ? "liars" : "liars that agree", 0);
            assert_true(f.error <= 60);
            assert_true(f.nearest <= 1150 && f.nearest_p90 <= 2500);
            live(&world, 4 * ROUNDS);
            f = show(&world, lie == LIE_RANDOM ? "liars, later" : "they agree, later", 64);
            assert_true(f.error <= 60);
            assert_true(f.nearest <= 1150);
        }
    }
}

static int64_t middle_of(const world_t *w, int axis)
{
    int64_t sum = 0;
    for (int i = 0; i < w->count; i++) {
        sum += w->machines[i].coordinate.axis[axis];
    }
    return sum / w->count / GP_COORDINATE_TICKS;
}

static void test_the_cloud_stays(void **state)
{
    (void)state;
    build(&world, 8, 300);
    world.count = 20;
    for (int i = 0; i < world.count; i++) { /* all far off, together: no spring says so */
        world.machines[i].coordinate.axis[1] = 1000000 * GP_COORDINATE_TICKS;
    }
    live(&world, 1000000 / 20 / ASKED);
    for (int i = 0; i < GP_COORDINATE_AXES; i++) {
        assert_true(llabs(middle_of(&world, i)) < 100000); /* of a second */
    }
    assert_true(figures_of(&world, 8).error <= 100);
    for (int i = 0; i < world.count; i++) {
        assert_true(world.machines[i].coordinate.height < 20000 * GP_COORDINATE_TICKS);
    }
}

static void test_two_in_one_place_part(void **state)
{
    (void)state;
    gp_coordinate_t first[2];
    for (uint64_t seed = 1; seed <= 2; seed++) {
        gp_random_t random;
        gp_coordinate_t a;
        gp_coordinate_t b;
        gp_random_init(&random, seed);
        gp_coordinate_start(&a);
        gp_coordinate_start(&b);
        assert_int_equal(gp_coordinate_distance_us(&a, &b), GP_COORDINATE_RTT_MIN_US);
        gp_coordinate_update(&a, &random, &b, 5000);
        first[seed - 1] = a;
        for (int i = 0; i < 100; i++) {
            gp_coordinate_update(&b, &random, &a, 5000);
            gp_coordinate_update(&a, &random, &b, 5000);
        }
        assert_in_range(gp_coordinate_distance_us(&a, &b), 4900, 5100);
        assert_int_equal(gp_coordinate_distance_us(&a, &b), gp_coordinate_distance_us(&b, &a));
        assert_true(a.error < 65536 / 20);
    }
    int same = 0; /* each its own way, on every axis */
    for (int i = 0; i < GP_COORDINATE_AXES; i++) {
        assert_int_not_equal(first[0].axis[i], 0);
        same += first[0].axis[i] == first[1].axis[i];
    }
    assert_int_equal(same, 0);
}

/* What is too tall sinks; moving apart would make it worse. */
static void test_two_in_one_place_stay(void **state)
{
    (void)state;
    gp_random_t random;
    gp_coordinate_t a;
    gp_random_init(&random, 3);
    gp_coordinate_start(&a);
    a.height = 5000 * GP_COORDINATE_TICKS;
    gp_coordinate_t b = a;
    gp_coordinate_update(&a, &random, &b, 100);
    for (int i = 0; i < GP_COORDINATE_AXES; i++) {
        assert_int_equal(a.axis[i], 0);
    }
    assert_true(a.height < b.height);
}

/* Where nothing ever jitters, a change must still be seen. */
static void test_a_change_after_perfect_calm(void **state)
{
    (void)state;
    gp_random_t random;
    gp_coordinate_t a;
    gp_coordinate_t b;
    gp_random_init(&random, 4);
    gp_coordinate_start(&a);
    gp_coordinate_start(&b);
    int32_t usual = 0;
    for (int i = 0; i < 1400; i++) {
        uint32_t rtt_us = i < 1000 ? 400 : 9000;
        gp_coordinate_update(&a, &random, &b, rtt_us);
        gp_coordinate_update(&b, &random, &a, rtt_us);
        if (i == 999) {
            assert_in_range(gp_coordinate_distance_us(&a, &b), 380, 420);
            usual = 0;
        }
        usual = a.usual > usual ? a.usual : usual;
    }
    assert_in_range(gp_coordinate_distance_us(&a, &b), 8700, 9300);
    assert_true(usual > 2 * GP_COORDINATE_TICKS); /* it came back from nothing */
}

/* Pythagoras, with a height at either end. */
static void test_distance(void **state)
{
    (void)state;
    gp_coordinate_t a;
    gp_coordinate_t b;
    gp_coordinate_start(&a);
    gp_coordinate_start(&b);
    a.axis[0] = 3000 * GP_COORDINATE_TICKS;
    b.axis[3] = -4000 * GP_COORDINATE_TICKS;
    b.height = 250 * GP_COORDINATE_TICKS;
    assert_int_equal(gp_coordinate_distance_us(&a, &b), 5260);
    for (int i = 0; i < GP_COORDINATE_AXES; i++) {
        a.axis[i] = GP_COORDINATE_AXIS_MAX;
        b.axis[i] = -GP_COORDINATE_AXIS_MAX;
    }
    a.height = b.height = GP_COORDINATE_HEIGHT_MAX;
    assert_int_equal(gp_coordinate_distance_us(&a, &b),
                     6 * (int64_t)GP_COORDINATE_AXIS_MAX / GP_COORDINATE_TICKS);
}

static int64_t kept_rtt(uint32_t rtt_us)
{
    if (rtt_us < GP_COORDINATE_RTT_MIN_US) {
        return GP_COORDINATE_RTT_MIN_US;
    }
    return rtt_us > GP_COORDINATE_RTT_MAX_US ? GP_COORDINATE_RTT_MAX_US : rtt_us;
}

static void test_moved(void **state)
{
    (void)state;
    gp_coordinate_t a;
    gp_coordinate_start(&a);
    gp_coordinate_t b = a;
    assert_int_equal(gp_coordinate_moved_us(&a, &b), 0);
    b.axis[0] = -300 * GP_COORDINATE_TICKS;
    b.axis[3] = 400 * GP_COORDINATE_TICKS;
    assert_int_equal(gp_coordinate_moved_us(&a, &b), 500);
    b.height += 70 * GP_COORDINATE_TICKS;
    assert_int_equal(gp_coordinate_moved_us(&a, &b), 570);
    assert_int_equal(gp_coordinate_moved_us(&b, &a), 570);
    for (uint32_t i = 0; i < GP_COORDINATE_AXES; i++) {
        a.axis[i] = -GP_COORDINATE_AXIS_MAX;
        b.axis[i] = GP_COORDINATE_AXIS_MAX;
    }
    b.height = GP_COORDINATE_HEIGHT_MAX;
    assert_in_range(gp_coordinate_moved_us(&a, &b), 10000000, 11000000);
}

static void test_one_round_trip_does_not_throw_it(void **state)
{
    (void)state;
    static const uint32_t rtts[] = {0, 1, 19, 20, 1000000, GP_COORDINATE_RTT_MAX_US, UINT32_MAX};
    build(&world, 9, 0);
    live(&world, 5 * ROUNDS);
    int64_t farthest = 0;
    gp_coordinate_t liar;
    gp_coordinate_start(&liar);
    liar.error = GP_COORDINATE_ERROR_UNIT;
    for (size_t r = 0; r < sizeof rtts / sizeof rtts[0]; r++) {
        for (int sign = -1; sign <= 1; sign++) {
            for (int i = 0; i < GP_COORDINATE_AXES; i++) {
                liar.axis[i] = sign * GP_COORDINATE_AXIS_MAX;
            }
            gp_coordinate_t old = world.machines[0].coordinate;
            gp_coordinate_t c = old;
            gp_coordinate_update(&c, &world.random, &liar, rtts[r]);
            assert_true(c.usual <= old.usual + old.usual / 16 + 1);
            int64_t level = (int64_t)c.error * kept_rtt(rtts[r]) * GP_COORDINATE_TICKS / 4 / 65536;
            level = level > c.usual ? level : c.usual;
            int64_t most = level / 4 + level * c.error / 2 / 65536 + GP_COORDINATE_TICKS;
            int64_t moved = 0;
            for (int i = 0; i < GP_COORDINATE_AXES; i++) {
                int64_t by = c.axis[i] - old.axis[i];
                moved += by * by;
            }
            assert_true(root(moved) <= most);
            assert_true(llabs(c.height - old.height) <= most);
            assert_true(c.error - old.error <= 65536 / 8);
            assert_true(root(moved) < 3000 * GP_COORDINATE_TICKS);
            farthest = root(moved) > farthest ? root(moved) : farthest;
        }
    }
    print_message("one absurd round trip: %u us at most\n",
                  (uint32_t)(farthest / GP_COORDINATE_TICKS));
}

static int32_t extreme(gp_random_t *random, int32_t least, int32_t most)
{
    switch (gp_random_below(random, 4)) {
    case 0:
        return least;
    case 1:
        return most;
    default:
        return least + (int32_t)gp_random_below(random, (uint64_t)((int64_t)most - least + 1));
    }
}

static gp_coordinate_t any_coordinate(gp_random_t *random)
{
    gp_coordinate_t c;
    for (int i = 0; i < GP_COORDINATE_AXES; i++) {
        c.axis[i] = extreme(random, -GP_COORDINATE_AXIS_MAX, GP_COORDINATE_AXIS_MAX);
    }
    c.height = extreme(random, GP_COORDINATE_HEIGHT_MIN, GP_COORDINATE_HEIGHT_MAX);
    c.error = extreme(random, GP_COORDINATE_ERROR_UNIT, GP_COORDINATE_ERROR_MAX);
    c.usual = 0;
    return c;
}

static void assert_within_limits(const gp_coordinate_t *c)
{
    for (int i = 0; i < GP_COORDINATE_AXES; i++) {
        assert_true(abs(c->axis[i]) <= GP_COORDINATE_AXIS_MAX);
    }
    assert_true(c->height >= GP_COORDINATE_HEIGHT_MIN && c->height <= GP_COORDINATE_HEIGHT_MAX);
    assert_true(c->error >= GP_COORDINATE_ERROR_UNIT && c->error <= GP_COORDINATE_ERROR_MAX);
    assert_true(c->usual >= 0);
}

static void test_extremes(void **state)
{
    (void)state;
    gp_random_t random;
    gp_random_init(&random, 10);
    int at_limit = 0;
    for (int life = 0; life < 500; life++) {
        gp_coordinate_t c = any_coordinate(&random);
        for (int i = 0; i < 200; i++) {
            gp_coordinate_t other = any_coordinate(&random);
            uint32_t rtt =
                (uint32_t)(gp_random_next(&random) >> (32 + gp_random_below(&random, 32)));
            gp_coordinate_update(&c, &random, &other, rtt);
            assert_within_limits(&c);
            at_limit += abs(c.axis[0]) == GP_COORDINATE_AXIS_MAX;
        }
        gp_coordinate_update(&c, &random, &c, UINT32_MAX); /* itself */
        assert_within_limits(&c);
    }
    assert_true(at_limit > 0);
}

static void test_bytes(void **state)
{
    (void)state;
    gp_random_t random;
    gp_random_init(&random, 11);
    for (int i = 0; i < 20000; i++) {
        gp_coordinate_t c = any_coordinate(&random);
        c.axis[0] >>= gp_random_below(&random, 27);
        c.usual = 77;
        gp_coordinate_t read = wired(&c);
        for (int k = 0; k < GP_COORDINATE_AXES; k++) {
            assert_true(labs((long)read.axis[k] - c.axis[k]) <= abs(c.axis[k]) / 4096);
        }
        assert_true(abs(read.height - c.height) <= c.height / 4096);
        assert_true(abs(read.error - c.error) <= GP_COORDINATE_ERROR_UNIT / 2);
        assert_int_equal(read.usual, 0);
    }
    gp_coordinate_t c;
    gp_coordinate_start(&c);
    c.axis[0] = 1;
    c.axis[1] = -1;
    c.axis[2] = 4097 * 2; /* 0x2002: 13 bits and a half */
    c.axis[3] = -GP_COORDINATE_AXIS_MAX;
    static const uint8_t golden[GP_COORDINATE_BYTES] = {0x00, 0x01, 0x80, 0x01, 0x18, 0x01,
                                                        0xff, 0xff, 0x01, 0x40, 0xff};
    uint8_t bytes[GP_COORDINATE_BYTES];
    gp_coordinate_pack(&c, bytes);
    assert_memory_equal(bytes, golden, sizeof golden);
}

/* Every form of a number, on an axis and as a height: what is read packs to the same bytes. */
static void test_bytes_are_canonical(void **state)
{
    (void)state;
    uint8_t bytes[GP_COORDINATE_BYTES] = {0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x40, 1};
    int32_t before = -1;
    for (uint32_t form = 0; form <= 0xffff; form++) {
        for (size_t at = 0; at < GP_COORDINATE_BYTES - 1; at += 8) {
            uint8_t again[GP_COORDINATE_BYTES];
            uint8_t changed[GP_COORDINATE_BYTES];
            gp_coordinate_t c;
            memcpy(changed, bytes, sizeof changed);
            changed[at] = (uint8_t)(form >> 8);
            changed[at + 1] = (uint8_t)form;
            gp_error_t error = gp_coordinate_read(gp_slice(changed, sizeof changed), &c);
            gp_error_t right = at == 0 ? (form == 0x8000 ? GP_E_MESSAGE_DECODE : GP_OK)
                               : form < 0x140 || form >= 0x8000 ? GP_E_MESSAGE_LIMIT
                                                                : GP_OK;
            assert_int_equal(error, right);
            if (error == GP_OK) {
                gp_coordinate_pack(&c, again);
                assert_memory_equal(again, changed, sizeof again);
            }
            if (at == 0 && form < 0x8000) { /* greater bytes are greater numbers */
                assert_true(c.axis[0] > before);
                before = c.axis[0];
            }
        }
    }
    assert_int_equal(before, GP_COORDINATE_AXIS_MAX);
}

static void test_bytes_refused(void **state)
{
    (void)state;
    uint8_t bytes[GP_COORDINATE_BYTES + 1] = {0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x40, 1};
    gp_coordinate_t c = {.height = 12345};
    for (size_t n = 0; n <= sizeof bytes; n++) {
        gp_error_t right = n == GP_COORDINATE_BYTES ? GP_OK : GP_E_MESSAGE_SIZE;
        assert_int_equal(gp_coordinate_read(gp_slice(bytes, n), &c), right);
        assert_int_equal(c.height, n < GP_COORDINATE_BYTES ? 12345 : GP_COORDINATE_HEIGHT_MIN);
    }
    for (size_t i = 0; i < GP_COORDINATE_AXES; i++) {
        bytes[2 * i] = 0x80;
        c.height = 12345;
        assert_int_equal(gp_coordinate_read(gp_slice(bytes, GP_COORDINATE_BYTES), &c),
                         GP_E_MESSAGE_DECODE);
        assert_int_equal(c.height, 12345);
        bytes[2 * i] = 0;
    }
    bytes[GP_COORDINATE_BYTES - 1] = 0;
    assert_int_equal(gp_coordinate_read(gp_slice(bytes, GP_COORDINATE_BYTES), &c),
                     GP_E_MESSAGE_LIMIT);
    assert_int_equal(c.height, 12345);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_plane),
        cmocka_unit_test(test_detours),
        cmocka_unit_test(test_mostly_at_home),
        cmocka_unit_test(test_a_rack),
        cmocka_unit_test(test_nothing_but_a_rack),
        cmocka_unit_test(test_a_city_moves),
        cmocka_unit_test(test_liars),
        cmocka_unit_test(test_the_cloud_stays),
        cmocka_unit_test(test_two_in_one_place_part),
        cmocka_unit_test(test_two_in_one_place_stay),
        cmocka_unit_test(test_a_change_after_perfect_calm),
        cmocka_unit_test(test_distance),
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_one_round_trip_does_not_throw_it),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_bytes_are_canonical),
        cmocka_unit_test(test_bytes_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
