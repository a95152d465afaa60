/* What goes up: told at once and not too often, reminded of, fenced by the term, forgotten. */
#include <stdlib.h>

#include "discovery_route_rig.h"
#include "proto_cmocka.h"

#define REGION_2 (UINT64_C(1) << 56 | 9)

static const gp_msg_place_t *told(const rig_t *rig)
{
    const gp_action_t *action = rig_find(rig, GP_MSG_PLACE, 0);
    return action != NULL ? &action->msg->u.place : NULL;
}

static const gp_msg_place_known_t *known(const rig_t *rig)
{
    const gp_action_t *action = rig_find(rig, GP_MSG_PLACE_KNOWN, 0);
    return action != NULL ? &action->msg->u.place_known : NULL;
}

static void test_a_lone_subgrid_tells_nothing(void **state)
{
    rig_t *rig = rig_new(true);
    (void)state;
    rig_lead(rig, GP_SEAT_SUBGRID, 1, 2, 1);
    assert_int_equal(rig->out.count, 0);
    assert_true(gp_route_ops.wake(rig->core) == GP_NEVER);
    rig_own(rig, 4, 8);
    assert_int_equal(rig->out.count, 0);
    rig_place(rig, 3, 7, 1, 1, 8);
    assert_int_equal(rig->out.count, 0);
    rig_free(rig);
}

static void test_a_change_is_told_at_once(void **state)
{
    rig_t *rig = rig_new(false);
    (void)state;
    rig_lead(rig, GP_SEAT_SUBGRID, 1, 2, 7);
    rig_lead(rig, GP_SEAT_REGION, 8, 9, 3);
    assert_non_null(rig_find(rig, GP_MSG_PLACE_DUE, 0));
    rig_own(rig, 4, 8);
    assert_non_null(told(rig));
    assert_int_equal(rig_find(rig, GP_MSG_PLACE, 0)->target_count, 2);
    assert_true(told(rig)->group == RIG_REGION && told(rig)->below == RIG_SUBGRID);
    assert_true(told(rig)->term == 7 && told(rig)->members == 4 && !told(rig)->gone);
    uint32_t version = told(rig)->version;
    rig_own(rig, 4, 8); /* as it was */
    assert_null(told(rig));
    rig_own(rig, 5, 8); /* at most once a second */
    assert_null(told(rig));
    rig_run(rig, GP_SECOND - 1);
    rig_own(rig, 6, 8);
    assert_null(told(rig));
    rig_run(rig, 1);
    rig_own(rig, 6, 8);
    rig->now += 1;
    rig_own(rig, 6, 16);
    assert_null(told(rig));
    rig_run(rig, 1);
    rig_lead(rig, GP_SEAT_REGION, 9, 8, 4); /* who hears it for the first time hears it at once */
    assert_non_null(told(rig));
    assert_true(told(rig)->version > version && told(rig)->members == 6);
    rig_own(rig, 0, 16);
    rig_run(rig, GP_SECOND);
    rig_free(rig);
}

static void test_reminders_grow_rare(void **state)
{
    rig_t *rig = rig_new(false);
    uint32_t places = 0;
    uint32_t version = 0;
    (void)state;
    rig_lead(rig, GP_SEAT_SUBGRID, 1, 2, 7);
    rig_lead(rig, GP_SEAT_REGION, 8, 9, 3);
    rig_own(rig, 4, 8);
    version = told(rig)->version;
    for (int i = 0; i < 3000; i++) {
        rig_run(rig, 100 * GP_MSEC);
        if (gp_route_ops.wake(rig->core) > rig->now && told(rig) != NULL) {
            places++;
            assert_int_equal(told(rig)->version, version);
            gp_out_reset(&rig->out);
        }
    }
    assert_in_range(places, 12, 16); /* in 300 s: after 1, 3, 7, 15, 31, 61 ... */
    rig_lead(rig, GP_SEAT_SUBGRID, 2, 1, 8);
    rig_run(rig, 60 * GP_SECOND);
    assert_null(told(rig)); /* it is the next leader's to tell */
    assert_true(gp_route_ops.wake(rig->core) == GP_NEVER);
    rig_free(rig);
}

static void test_the_term_fences(void **state)
{
    rig_t *rig = rig_new(false);
    (void)state;
    rig_place(rig, 20, 7, 5, 1, 8);
    assert_null(known(rig)); /* not kept here */
    rig_lead(rig, GP_SEAT_REGION, 8, 1, 3);
    rig_place(rig, 20, 7, 5, 1, 8);
    assert_non_null(known(rig));
    rig_place(rig, 20, 7, 5, 1, 8);
    assert_null(known(rig)); /* a reminder */
    rig_place(rig, 21, 7, 4, 9, 16);
    assert_null(known(rig));
    rig_place(rig, 21, 7, 5, 9, 16); /* two leaders in a term: the first holds */
    assert_null(known(rig));
    rig_place(rig, 20, 7, 5, 0, 16);
    assert_null(known(rig));
    rig_place(rig, 21, 7, 5 + GP_TERM_JUMP + 1, 1, 16);
    assert_null(known(rig));
    rig_place(rig, 21, 7, 6, 1, 16);
    assert_true(gp_id_equal(&known(rig)->leader, &rig->actions[0].msg->u.place_known.leader));
    gp_id_t leader = rig_id(21);
    assert_true(gp_id_equal(&known(rig)->leader, &leader));
    assert_int_equal(gp_route_count(rig->core, GP_SEAT_REGION), 1);
    rig_place(rig, 20, 7, 5, 1, 0); /* gone, says who leads no more */
    assert_null(known(rig));
    rig_place(rig, 21, 7, 6, 2, 0);
    assert_true(known(rig)->gone);
    assert_int_equal(gp_route_count(rig->core, GP_SEAT_REGION), 0);
    rig_free(rig);
}

static void test_what_is_not_sound(void **state)
{
    rig_t *rig = rig_new(false);
    static const gp_summary_t none;
    uint8_t bytes[GP_SUMMARY_MAX];
    (void)state;
    rig_lead(rig, GP_SEAT_REGION, 1, 2, 3);
    rig_member(rig, GP_SEAT_REGION, 20, false);
    gp_msg_place_t *to = &rig_draft(rig, GP_MSG_PLACE)->u.place;
    to->group = RIG_REGION;
    to->below = 7;
    to->term = 1;
    to->members = 4;
    rig_message(rig, 20); /* without a summary */
    assert_null(known(rig));
    size_t n = gp_summary_pack(&none, bytes);
    rig->msg.u.place.summary = gp_slice(bytes, n - 1);
    rig_message(rig, 20);
    assert_int_equal(gp_route_count(rig->core, GP_SEAT_REGION), 0);
    rig->msg.u.place.summary = gp_text("\xff\xff\xff"); /* of a later version: ask it always */
    rig_message(rig, 22);                               /* who has no seat here */
    assert_int_equal(gp_route_count(rig->core, GP_SEAT_REGION), 0);
    rig_message(rig, 20);
    assert_int_equal(gp_route_count(rig->core, GP_SEAT_REGION), 1);
    rig_place(rig, 20, 0, 1, 1, 8);
    assert_null(known(rig));
    rig_place(rig, 20, 7, GP_TERM_MAX + 1, 1, 8);
    assert_null(known(rig));
    rig_free(rig);
}

static void test_the_table_is_bounded_and_forgets(void **state)
{
    rig_t *rig = rig_new(false);
    (void)state;
    rig_lead(rig, GP_SEAT_REGION, 1, 2, 3);
    for (uint64_t i = 0; i < GP_MEMBERS_MAX + 5; i++) {
        rig_place(rig, 20, 200 - i, 1, 1, 8);
    }
    assert_int_equal(gp_route_count(rig->core, GP_SEAT_REGION), GP_MEMBERS_MAX);
    for (uint32_t i = 1; i < GP_MEMBERS_MAX; i++) {
        assert_true(gp_route_at(rig->core, GP_SEAT_REGION, i - 1)->group <
                    gp_route_at(rig->core, GP_SEAT_REGION, i)->group);
    }
    rig_run(rig, 80 * GP_SECOND);
    rig_place(rig, 20, 200, 1, 1, 8);
    rig_run(rig, 30 * GP_SECOND);
    assert_int_equal(gp_route_count(rig->core, GP_SEAT_REGION), 1);
    assert_int_equal(gp_route_at(rig->core, GP_SEAT_REGION, 0)->group, 200);
    rig_run(rig, 80 * GP_SECOND);
    assert_int_equal(gp_route_count(rig->core, GP_SEAT_REGION), 0);
    rig_free(rig);
}

/* A region is told to each member of the grid: what its sub-Grids offer together. */
static void test_a_region_is_told(void **state)
{
    rig_t *rig = rig_new(false);
    gp_summary_t summary;
    (void)state;
    rig_lead(rig, GP_SEAT_SUBGRID, 1, 2, 7);
    rig_lead(rig, GP_SEAT_REGION, 1, 9, 3);
    rig_own(rig, 4, 8);
    assert_int_equal(gp_route_count(rig->core, GP_SEAT_REGION), 1); /* its own */
    rig_place(rig, 20, 7, 5, 1, 32);
    rig_lead(rig, GP_SEAT_GRID, 0, 0, 0);
    rig_member(rig, GP_SEAT_GRID, 1, false);
    rig_member(rig, GP_SEAT_GRID, 30, false);
    rig_member(rig, GP_SEAT_GRID, 31, false);
    rig_member(rig, GP_SEAT_GRID, 31, false);
    rig_run(rig, 4 * GP_SECOND);
    rig_member(rig, GP_SEAT_GRID, 32, false); /* and at once to who comes */
    const gp_action_t *action = rig_find(rig, GP_MSG_PLACE, 0);
    assert_non_null(action);
    assert_int_equal(action->target_count, 3);
    assert_true(told(rig)->group == RIG_GRID && told(rig)->below == RIG_REGION);
    assert_true(told(rig)->members == 8 && !told(rig)->partial);
    assert_int_equal(told(rig)->names.n, 16);
    assert_int_equal(gp_summary_read(told(rig)->summary, &summary), GP_OK);
    assert_int_equal(summary.machines, 8);
    assert_int_equal(gp_route_count(rig->core, GP_SEAT_GRID), 1);
    rig_place(rig, 30, REGION_2, 1, 1, 8);
    assert_int_equal(known(rig)->seat, GP_SEAT_GRID);
    assert_int_equal(gp_route_count(rig->core, GP_SEAT_GRID), 2);
    rig_member(rig, GP_SEAT_GRID, 31, true);
    rig_place(rig, 20, 7, 5, 2, 64);
    rig_run(rig, 5 * GP_SECOND);
    rig_member(rig, GP_SEAT_GRID, 33, false);
    assert_int_equal(rig_find(rig, GP_MSG_PLACE, 0)->target_count, 3);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lone_subgrid_tells_nothing),
        cmocka_unit_test(test_a_change_is_told_at_once),
        cmocka_unit_test(test_reminders_grow_rare),
        cmocka_unit_test(test_the_term_fences),
        cmocka_unit_test(test_what_is_not_sound),
        cmocka_unit_test(test_the_table_is_bounded_and_forgets),
        cmocka_unit_test(test_a_region_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
