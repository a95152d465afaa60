/* The stories of a group: joining, crashing, freezing, leaving, parting and meeting again. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/overlay_virtual.h"
#include "tests/unit/proto_cmocka.h"

static const uint32_t sizes[] = {2, 3, 5, 20, 60};
#define SIZES (sizeof sizes / sizeof sizes[0])

static int compare(const void *a, const void *b)
{
    gp_usec_t x = *(const gp_usec_t *)a;
    gp_usec_t y = *(const gp_usec_t *)b;
    return x < y ? -1 : x > y;
}

static gp_usec_t print(const char *what, uint32_t size, gp_usec_t *times, uint32_t n)
{
    qsort(times, n, sizeof *times, compare);
    printf("%-28s n=%-3u runs=%-4u min %6.1f  median %6.1f  max %6.1f ms\n", what, size, n,
           (double)times[0] / 1e3, (double)times[n / 2] / 1e3, (double)times[n - 1] / 1e3);
    return times[n / 2];
}

static virtual_world_t *settled(uint64_t seed, uint32_t size)
{
    virtual_world_t *w = virtual_new(seed, size);
    virtual_start_all(w);
    assert_true(virtual_run_until(w, 20 * GP_SECOND, virtual_settled, 0));
    virtual_run(w, w->now + 4 * GP_SECOND + gp_random_below(&w->random, GP_SECOND));
    assert_true(virtual_settled(w, 0));
    return w;
}

static void test_join(void **state)
{
    (void)state;
    gp_usec_t times[40];
    for (size_t s = 0; s < SIZES; s++) {
        uint32_t runs = sizes[s] > 20 ? 6 : 40;
        for (uint32_t seed = 0; seed < runs; seed++) {
            virtual_world_t *w = virtual_new(seed + 1, sizes[s]);
            gp_usec_t from = w->now;
            virtual_start_all(w);
            assert_true(virtual_run_until(w, 20 * GP_SECOND, virtual_settled, 0));
            times[seed] = w->now - from;
            virtual_free(w);
        }
        print("join: all see all", sizes[s], times, runs);
        assert_true(times[runs - 1] < 3 * GP_SECOND);
    }
}

static void test_kill(void **state)
{
    (void)state;
    gp_usec_t times[40];
    for (size_t s = 1; s < SIZES; s++) {
        uint32_t runs = sizes[s] > 20 ? 10 : 40;
        for (uint32_t seed = 0; seed < runs; seed++) {
            virtual_world_t *w = settled(seed + 1, sizes[s]);
            uint32_t victim = 1 + (uint32_t)gp_random_below(&w->random, sizes[s] - 1);
            gp_usec_t from = w->now;
            virtual_kill(w, victim);
            assert_true(virtual_run_until(w, 5 * GP_SECOND, virtual_see_unavailable, victim));
            times[seed] = w->now - from;
            const gp_group_member_t *m = virtual_view(w, w->leader, victim);
            assert_int_equal(m->cause, GP_CAUSE_REFUSED);
            assert_true(m->observer_count >= 2);
            virtual_run(w, w->now + 3 * GP_SECOND);
            assert_true(virtual_settled(w, 0));
            assert_int_equal(w->false_verdicts, 0);
            virtual_free(w);
        }
        gp_usec_t median = print("kill -9: all say unavailable", sizes[s], times, runs);
        assert_true(median <= 300 * GP_MSEC && times[runs - 1] <= GP_SECOND);
    }
}

static void test_freeze(void **state)
{
    (void)state;
    gp_usec_t times[40];
    for (size_t s = 1; s < SIZES; s++) {
        uint32_t runs = sizes[s] > 20 ? 20 : 40;
        for (uint32_t seed = 0; seed < runs; seed++) {
            virtual_world_t *w = settled(seed + 1, sizes[s]);
            uint32_t victim = 1 + (uint32_t)gp_random_below(&w->random, sizes[s] - 1);
            gp_usec_t from = w->now;
            virtual_freeze(w, victim);
            assert_true(virtual_run_until(w, 5 * GP_SECOND, virtual_see_unavailable, victim));
            times[seed] = w->now - from;
            const gp_group_member_t *m = virtual_view(w, w->leader, victim);
            assert_int_equal(m->cause, GP_CAUSE_SILENT);
            assert_true(m->observer_count >= 1);
            virtual_thaw(w, victim);
            assert_true(virtual_run_until(w, 2 * GP_SECOND, virtual_settled, 0));
            assert_int_equal(w->false_verdicts, 0);
            virtual_free(w);
        }
        gp_usec_t median = print("SIGSTOP: all say unavailable", sizes[s], times, runs);
        assert_true(median <= 1500 * GP_MSEC && times[runs - 1] <= 2500 * GP_MSEC);
    }
}

static void test_leader_killed_and_back(void **state)
{
    (void)state;
    gp_usec_t times[30];
    for (size_t s = 1; s < SIZES; s++) {
        uint32_t runs = sizes[s] > 20 ? 6 : 30;
        for (uint32_t seed = 0; seed < runs; seed++) {
            virtual_world_t *w = settled(seed + 100, sizes[s]);
            uint32_t victim = w->leader;
            gp_usec_t from = w->now;
            virtual_kill(w, victim);
            assert_true(virtual_run_until(w, 5 * GP_SECOND, virtual_see_unavailable, victim));
            times[seed] = w->now - from;
            virtual_start(w, victim, sizes[s]);
            assert_true(virtual_run_until(w, 5 * GP_SECOND, virtual_settled, 0));
            const gp_group_member_t *m = virtual_view(w, w->leader, victim);
            assert_int_equal(m->cause, GP_CAUSE_RESTARTED);
            assert_int_equal(m->incarnation, UINT64_C(2) << 16);
            virtual_free(w);
        }
        print("leader killed: unavailable", sizes[s], times, runs);
    }
}

/* Each time of the config, also one that is added later and forgotten there. */
static void test_all_times_are_slowed_down(void **state)
{
    (void)state;
    gp_group_config_t slow, plain;
    gp_group_defaults(&plain);
    gp_group_defaults(&slow);
    gp_group_slow_down(&slow, GP_SLOW_MAX);
    const gp_usec_t *from = &plain.beat_period;
    const gp_usec_t *to = &slow.beat_period;
    const size_t count = (size_t)((gp_usec_t *)(&plain + 1) - from);
    assert_ptr_equal(from + count - 1, &plain.try_period);
    for (size_t i = 0; i < count; i++) {
        assert_true(to[i] == GP_SLOW_MAX * from[i]);
    }
    assert_int_equal(slow.members_max, plain.members_max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_freeze),
        cmocka_unit_test(test_leader_killed_and_back),
        cmocka_unit_test(test_all_times_are_slowed_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
