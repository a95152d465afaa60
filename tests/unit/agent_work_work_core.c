/* The work core in a hostile world: hundreds of seeds, each repeatable. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/agent_work_world.h"

static void report(const char *what, const world_result_t *sum)
{
    printf("%s: %u submitted, %u accepted, %u started, %u done, %u failed, %u cancelled, %u lost, "
           "%u rejected, %u unrecorded, %llu messages;",
           what, sum->submitted, sum->accepted, sum->started, sum->done, sum->failed,
           sum->cancelled, sum->lost, sum->rejected, sum->unrecorded,
           (unsigned long long)sum->messages);
    for (uint32_t i = 1; i < 32; i++) {
        if (sum->reasons[i] > 0) {
            printf(" %s %u", gp_reason_name((gp_reason_t)i), sum->reasons[i]);
        }
    }
    printf("\n");
}

static void add(world_result_t *sum, const world_result_t *one)
{
    sum->submitted += one->submitted;
    sum->accepted += one->accepted;
    sum->started += one->started;
    sum->done += one->done;
    sum->failed += one->failed;
    sum->cancelled += one->cancelled;
    sum->lost += one->lost;
    sum->rejected += one->rejected;
    sum->unrecorded += one->unrecorded;
    sum->messages += one->messages;
    for (uint32_t i = 0; i < 32; i++) {
        sum->reasons[i] += one->reasons[i];
    }
}

/* A failed assertion says which seed to run again. */
static uint64_t current;

static void on_abort(int signal)
{
    (void)signal;
    fprintf(stderr, "failed with WORLD_SEED=%llu; WORLD_STORY=1 tells it\n",
            (unsigned long long)current);
}

/* WORLD_SEED=N runs that seed only; WORLD_STORY=1 tells what happens. */
static void run(const char *what, const world_faults_t *faults, uint32_t seeds, uint32_t fault_ms,
                world_result_t *sum)
{
    const char *only = getenv("WORLD_SEED");
    const char *more = getenv("WORLD_SEEDS");
    uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
    uint64_t last = only != NULL ? first : more != NULL ? strtoull(more, NULL, 10) : seeds;

    *sum = (world_result_t){0};
    for (uint64_t seed = first; seed <= last; seed++) {
        world_result_t one;

        current = seed;
        world_run(seed, faults, 12, fault_ms, &one);
        add(sum, &one);
    }
    report(what, sum);
}

static void calm_jobs_all_end_well(void **state)
{
    const world_faults_t faults = {.delay_ms = 5};
    world_result_t sum;

    (void)state;
    run("calm", &faults, 40, 20000, &sum);
    assert_int_equal(sum.submitted, sum.accepted);
    assert_true(sum.reasons[GP_REASON_EXIT] + sum.reasons[GP_REASON_NOT_FOUND] +
                    sum.reasons[GP_REASON_NO_MATCH] + sum.reasons[GP_REASON_REFUSED] ==
                sum.submitted);
    assert_true(sum.done > sum.submitted / 2);
}

static void a_lossy_network_changes_no_outcome(void **state)
{
    const world_faults_t faults = {
        .loss = 250, .repeat = 200, .delay_ms = 80, .late = 60, .slow_reader = 300};
    world_result_t sum;

    (void)state;
    run("lossy", &faults, 100, 30000, &sum);
    assert_int_equal(sum.submitted, sum.accepted);
    assert_true(sum.done > 0);
    assert_int_equal(sum.lost, 0);
}

static void crashes_start_nothing_twice(void **state)
{
    const world_faults_t faults = {.loss = 100,
                                   .repeat = 100,
                                   .delay_ms = 50,
                                   .late = 40,
                                   .crash = 15,
                                   .cancel = 150,
                                   .slow_reader = 200};
    world_result_t sum;

    (void)state;
    run("crashes", &faults, 150, 60000, &sum);
    assert_true(sum.done > 0 && sum.reasons[GP_REASON_NODE_FAILED] > 0);
    assert_true(sum.reasons[GP_REASON_HOME_RESTARTED] > 0);
}

static void lost_disks_lose_nothing_of_others(void **state)
{
    const world_faults_t faults = {.loss = 50,
                                   .repeat = 100,
                                   .delay_ms = 50,
                                   .late = 40,
                                   .crash = 15,
                                   .lose_disk = 500,
                                   .cancel = 100};
    world_result_t sum;

    (void)state;
    run("disks", &faults, 100, 60000, &sum);
    assert_true(sum.done > 0);
}

static void partitions_end_in_a_reason(void **state)
{
    const world_faults_t faults = {
        .loss = 50, .delay_ms = 20, .late = 20, .partition = 30, .freeze = 10, .cancel = 100};
    world_result_t sum;

    (void)state;
    run("partitions", &faults, 100, 60000, &sum);
    assert_true(sum.done > 0 && sum.reasons[GP_REASON_LEASE_LOST] > 0);
}

static void failing_disks_are_told(void **state)
{
    const world_faults_t faults = {
        .loss = 50, .delay_ms = 20, .late = 20, .store_fails = 200, .crash = 8, .cancel = 100};
    world_result_t sum;

    (void)state;
    run("stores", &faults, 100, 40000, &sum);
    assert_true(sum.rejected > 0 && sum.done > 0 && sum.reasons[GP_REASON_STORAGE] > 0);
    assert_true(sum.unrecorded > 0);
}

static void everything_at_once(void **state)
{
    const world_faults_t faults = {.loss = 150,
                                   .repeat = 150,
                                   .delay_ms = 100,
                                   .late = 80,
                                   .store_fails = 50,
                                   .crash = 8,
                                   .lose_disk = 150,
                                   .freeze = 8,
                                   .partition = 10,
                                   .cancel = 150,
                                   .slow_reader = 300,
                                   .stop = 4};
    world_result_t sum;

    (void)state;
    run("everything", &faults, 200, 60000, &sum);
    assert_true(sum.done > 0);
}

static void the_same_seed_tells_the_same_story(void **state)
{
    const world_faults_t faults = {.loss = 150, .repeat = 150, .delay_ms = 100, .crash = 8};
    world_result_t a;
    world_result_t b;

    (void)state;
    world_run(7, &faults, 12, 30000, &a);
    world_run(7, &faults, 12, 30000, &b);
    assert_true(a.hash == b.hash && a.messages == b.messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calm_jobs_all_end_well),
        cmocka_unit_test(a_lossy_network_changes_no_outcome),
        cmocka_unit_test(crashes_start_nothing_twice),
        cmocka_unit_test(lost_disks_lose_nothing_of_others),
        cmocka_unit_test(partitions_end_in_a_reason),
        cmocka_unit_test(failing_disks_are_told),
        cmocka_unit_test(everything_at_once),
        cmocka_unit_test(the_same_seed_tells_the_same_story),
    };

    signal(SIGABRT, on_abort);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
