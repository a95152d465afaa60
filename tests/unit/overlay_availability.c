/* The score: its bounds, its memory, its calm. */
#include "overlay/group/group_state.h"
#include "tests/unit/proto_cmocka.h"

#define DAY (UINT64_C(86400) * GP_SECOND)

static uint16_t score_after(bool up, gp_usec_t time)
{
    gp_availability_t a;
    gp_availability_start(&a, 5);
    gp_availability_advance(&a, up, 5 + time);
    return gp_availability_score(&a, 0);
}

static void test_newcomer_is_not_best(void **state)
{
    (void)state;
    uint16_t fresh = score_after(true, 0);
    assert_int_equal(fresh, 600); /* 60 % of a half, full health, half headroom */
    assert_true(score_after(true, DAY) > fresh);
    assert_true(score_after(true, 7 * DAY) > score_after(true, DAY));
    assert_true(score_after(true, 90 * DAY) > score_after(true, 7 * DAY));
    assert_true(score_after(true, 90 * DAY) <= 900);
    assert_true(score_after(false, DAY) < fresh);
    assert_int_equal(score_after(false, 900 * DAY), 300);
}

static void test_steps_do_not_depend_on_how_often_it_is_asked(void **state)
{
    (void)state;
    gp_availability_t once;
    gp_availability_t often;
    gp_availability_start(&once, 1);
    gp_availability_start(&often, 1);
    gp_availability_advance(&once, true, 1 + 3 * DAY);
    for (gp_usec_t at = 1; at <= 1 + 3 * DAY; at += 7 * GP_SECOND) {
        gp_availability_advance(&often, true, at);
    }
    gp_availability_advance(&often, true, 1 + 3 * DAY);
    for (int i = 0; i < GP_GROUP_WINDOWS; i++) {
        uint64_t difference =
            once.up[i] > often.up[i] ? once.up[i] - often.up[i] : often.up[i] - once.up[i];
        assert_true(difference < (UINT64_C(1) << 32) / 1000);
    }
    assert_int_equal(once.at, often.at);
}

static void test_falls_cost_and_are_forgiven(void **state)
{
    (void)state;
    gp_availability_t a;
    gp_availability_start(&a, 1);
    gp_availability_advance(&a, true, 10 * DAY);
    uint16_t before = gp_availability_score(&a, 0);
    gp_availability_fall(&a);
    uint16_t after = gp_availability_score(&a, 0);
    assert_true(before - after >= 190 && before - after <= 210);
    for (int i = 0; i < 10; i++) {
        gp_availability_fall(&a);
    }
    assert_true(before - gp_availability_score(&a, 0) <= 400); /* bounded */
    gp_availability_advance(&a, true, 10 * DAY + 900 * GP_SECOND);
    uint64_t half = a.penalty >> 16;
    assert_true(half > 1900 && half < 2100); /* of 4000, after one half-life */
    gp_availability_advance(&a, true, 11 * DAY);
    assert_true(gp_availability_score(&a, 0) >= before);
}

static void test_it_is_calm(void **state)
{
    (void)state;
    gp_availability_t a;
    gp_availability_start(&a, 1);
    uint16_t score = gp_availability_score(&a, 0);
    for (int i = 0; i < 1000; i++) { /* a headroom that jitters by a tenth */
        gp_availability_sample(&a, 1000, i % 2 == 0 ? 450 : 550);
        assert_int_equal(gp_availability_score(&a, 0), score);
    }
    for (int i = 0; i < 200; i++) {
        gp_availability_sample(&a, 1000, 0);
        assert_int_equal(gp_availability_score(&a, 0) % 10, 0);
    }
    assert_true(gp_availability_score(&a, 0) < score);
}

static void test_bounds(void **state)
{
    (void)state;
    gp_availability_t a;
    gp_availability_start(&a, 1);
    gp_availability_advance(&a, true, 100000 * DAY);
    for (int i = 0; i < 500; i++) {
        gp_availability_sample(&a, UINT16_MAX, UINT16_MAX); /* more than they may say */
    }
    assert_true(gp_availability_score(&a, 0) <= 1000);
    assert_true(gp_availability_score(&a, 0) >= 980);
    assert_int_equal(gp_availability_score(&a, GP_FLAG_RELAYED), 0);
    gp_availability_rest(&a, 200000 * DAY);
    assert_true(gp_availability_score(&a, 0) >= 980); /* what is not known costs nothing */
}

static void test_nothing_is_below_nothing(void **state)
{
    (void)state;
    gp_availability_t a;
    gp_availability_start(&a, 1);
    gp_availability_advance(&a, false, 1 + 900 * DAY);
    for (int i = 0; i < 500; i++) {
        gp_availability_sample(&a, 0, 0);
        gp_availability_fall(&a);
    }
    assert_int_equal(gp_availability_score(&a, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newcomer_is_not_best),
        cmocka_unit_test(test_steps_do_not_depend_on_how_often_it_is_asked),
        cmocka_unit_test(test_falls_cost_and_are_forgiven),
        cmocka_unit_test(test_it_is_calm),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_nothing_is_below_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
