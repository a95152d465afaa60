/* Which one-time keys are let in, and until when. */
#include "agent/node/guests_core.h"

#include "proto_cmocka.h"

#define HOUR UINT64_C(3600000)

static gp_guests_t guests;

static int set_up(void **state)
{
    (void)state;
    guests = (gp_guests_t){.count = 0};
    return 0;
}

static gp_id_t key_of(uint32_t number)
{
    return (gp_id_t){.b = {(uint8_t)number, (uint8_t)(number >> 8), 1}};
}

static void add(uint32_t number, gp_wall_ms_t until_ms)
{
    const gp_id_t key = key_of(number);
    gp_id_t gone;
    assert_false(gp_guests_add(&guests, &key, until_ms, &gone));
}

static void swept(gp_wall_ms_t now_ms, uint32_t expected)
{
    const gp_id_t key = key_of(expected);
    gp_id_t gone;
    assert_true(gp_guests_sweep(&guests, now_ms, &gone));
    assert_true(gp_id_equal(&gone, &key));
}

static void swept_none(gp_wall_ms_t now_ms)
{
    gp_id_t gone;
    assert_false(gp_guests_sweep(&guests, now_ms, &gone));
}

static void test_a_key_goes_when_its_invitation_expires(void **state)
{
    (void)state;
    swept_none(UINT64_MAX);
    add(1, 3 * HOUR);
    add(2, 2 * HOUR);
    swept_none(2 * HOUR - 1);
    swept(2 * HOUR, 2);
    swept_none(2 * HOUR);
    swept(3 * HOUR, 1);
    assert_int_equal(guests.count, 0);
}

static void test_a_key_that_is_used_up_stays_for_those_who_ask_again(void **state)
{
    const gp_id_t one = key_of(1);
    const gp_id_t two = key_of(2);
    const gp_id_t nobody = key_of(3);
    (void)state;
    add(1, 3 * HOUR);
    add(2, HOUR + 1);
    gp_guests_used(&guests, &nobody, HOUR);
    gp_guests_used(&guests, &one, HOUR);
    gp_guests_used(&guests, &one, 2 * HOUR); /* told again: it goes no later */
    gp_guests_used(&guests, &two, HOUR);     /* and never later than it expires */
    swept_none(HOUR);
    swept(HOUR + 1, 2);
    swept_none(HOUR + GP_GUEST_USED_MS - 1);
    swept(HOUR + GP_GUEST_USED_MS, 1);
}

static void test_a_full_table_drops_what_is_of_least_use(void **state)
{
    gp_id_t gone;
    const gp_id_t used = key_of(200);
    const gp_id_t more = key_of(1000);
    (void)state;
    for (uint32_t i = 0; i < GP_INVITATIONS_MAX; i++) {
        add(i, 2 * HOUR + (i == 100 ? 0 : i + 1));
    }
    gp_guests_used(&guests, &used, 2 * HOUR);
    assert_true(gp_guests_add(&guests, &more, 9 * HOUR, &gone));
    assert_true(gp_id_equal(&gone, &used));
    const gp_id_t first = key_of(100);
    const gp_id_t last = key_of(1001);
    assert_true(gp_guests_add(&guests, &last, 9 * HOUR, &gone));
    assert_true(gp_id_equal(&gone, &first));
    assert_int_equal(guests.count, GP_INVITATIONS_MAX);
}

static void test_each_invitation_has_a_quota_of_asks(void **state)
{
    const gp_id_t one = key_of(1);
    const gp_id_t two = key_of(2);
    const gp_id_t nobody = key_of(3);
    (void)state;
    add(1, HOUR);
    add(2, HOUR);
    for (int i = 0; i < GP_GUEST_ASKS_BURST; i++) {
        assert_true(gp_guests_may_ask(&guests, &one, 1000));
    }
    assert_false(gp_guests_may_ask(&guests, &one, 1000));
    assert_true(gp_guests_may_ask(&guests, &two, 1000)); /* one flood drowns nobody else */
    assert_false(gp_guests_may_ask(&guests, &nobody, 1000));
    assert_true(gp_guests_may_ask(&guests, &one, 1000 + GP_SECOND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_key_goes_when_its_invitation_expires, set_up),
        cmocka_unit_test_setup(test_a_key_that_is_used_up_stays_for_those_who_ask_again, set_up),
        cmocka_unit_test_setup(test_a_full_table_drops_what_is_of_least_use, set_up),
        cmocka_unit_test_setup(test_each_invitation_has_a_quota_of_asks, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
