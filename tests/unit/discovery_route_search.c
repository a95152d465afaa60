/* A question on its way, at one machine: whom it asks, when, what it gives up, what it refuses. */
#include <stdlib.h>

#include "discovery_route_rig.h"
#include "proto_cmocka.h"

#define ASKER 40

static rig_t *region_peer(uint32_t places)
{
    rig_t *rig = rig_new(false);
    rig_lead(rig, GP_SEAT_SUBGRID, 1, 2, 1);
    rig_lead(rig, GP_SEAT_REGION, 1, 9, 1);
    rig_run(rig, 10 * GP_SECOND);
    for (uint32_t i = 0; i < places; i++) {
        rig_place(rig, (uint8_t)(100 + i), 100 + i, 1, 1, 8);
    }
    return rig;
}

static const gp_msg_route_pass_t *passed(const rig_t *rig, uint32_t i)
{
    const gp_action_t *action = rig_find(rig, GP_MSG_ROUTE_PASS, i);
    return action != NULL ? &action->msg->u.route_pass : NULL;
}

static const gp_msg_route_done_t *done(const rig_t *rig)
{
    const gp_action_t *action = rig_find(rig, GP_MSG_ROUTE_DONE, 0);
    return action != NULL ? &action->msg->u.route_done : NULL;
}

/* Sub-Grid `place` of region_peer answers ASKER's question. */
static void answer(rig_t *rig, uint32_t place, uint64_t query_id, uint32_t hits)
{
    gp_msg_route_found_t *to = &rig_draft(rig, GP_MSG_ROUTE_FOUND)->u.route_found;
    to->origin = rig_id(ASKER);
    to->query_id = query_id;
    to->group = 100 + place;
    to->matched = hits;
    to->considered = 4;
    to->hits_count = hits;
    for (uint32_t i = 0; i < hits; i++) {
        to->hits[i].id = (gp_id_t){{(uint8_t)(100 + place), (uint8_t)i}};
    }
    rig_message(rig, (uint8_t)(100 + place));
}

static void test_four_at_a_time(void **state)
{
    rig_t *rig = region_peer(6);
    (void)state;
    rig_place(rig, 110, 110, 1, 1, 2); /* has too few processors */
    rig_question(rig, ASKER, 9, GP_ROUTE_ASK_OTHERS, "cpu >= 4");
    for (uint32_t i = 0; i < GP_ROUTE_PARALLEL_MAX; i++) {
        assert_int_equal(passed(rig, i)->group, 100 + i);
        assert_true(passed(rig, i)->ask == GP_ROUTE_ASK_SUBGRID && passed(rig, i)->hops == 2);
    }
    assert_null(passed(rig, GP_ROUTE_PARALLEL_MAX));
    rig_question(rig, ASKER, 9, GP_ROUTE_ASK_OTHERS, "cpu >= 4");
    assert_int_equal(rig->out.count, 0); /* sent twice, asked once */
    answer(rig, 1, 9, 2);
    assert_non_null(rig_find(rig, GP_MSG_ROUTE_BACK, 0));
    assert_int_equal(passed(rig, 0)->group, 104);
    answer(rig, 1, 9, 2);
    assert_int_equal(rig->out.count, 0); /* and so is an answer */
    answer(rig, 0, 9, 0);
    assert_null(rig_find(rig, GP_MSG_ROUTE_BACK, 0)); /* nothing to carry */
    assert_int_equal(passed(rig, 0)->group, 105);
    answer(rig, 2, 9, 1);
    answer(rig, 3, 9, 1);
    answer(rig, 4, 9, 1);
    assert_null(done(rig));
    answer(rig, 5, 9, 1);
    assert_true(done(rig)->asked == 6 && done(rig)->answered == 6 && done(rig)->matching == 5);
    assert_true(done(rig)->backs == 5 && done(rig)->hits == 6 && done(rig)->matched == 6);
    assert_true(done(rig)->considered == 24 && done(rig)->absences == 0);
    rig_free(rig);
}

static void test_the_silent_are_named(void **state)
{
    rig_t *rig = region_peer(1);
    (void)state;
    rig_question(rig, ASKER, 9, GP_ROUTE_ASK_OTHERS, "cpu >= 4");
    assert_non_null(passed(rig, 0));
    rig_run(rig, 100 * GP_MSEC);
    assert_non_null(passed(rig, 0)); /* once more */
    rig_run(rig, 900 * GP_MSEC);
    assert_int_equal(done(rig)->absences, 1);
    assert_int_equal(done(rig)->absent[0].group, 100);
    assert_int_equal(done(rig)->absent[0].why, GP_ABSENT_SILENT);
    answer(rig, 0, 9, 1); /* too late */
    assert_int_equal(rig->out.count, 0);
    rig_free(rig);
}

static void test_a_new_leader_is_asked(void **state)
{
    rig_t *rig = region_peer(1);
    (void)state;
    rig_question(rig, ASKER, 9, GP_ROUTE_ASK_OTHERS, "cpu >= 4");
    rig_place(rig, 50, 100, 2, 1, 8);
    gp_id_t leader = rig_id(50);
    assert_true(gp_id_equal(&rig_find(rig, GP_MSG_ROUTE_PASS, 0)->peer, &leader));
    answer(rig, 0, 9, 1); /* the old one's word */
    assert_int_equal(rig->out.count, 0);
    rig_place(rig, 50, 100, 2, 2, 0); /* and now it is gone */
    rig_run(rig, 200 * GP_MSEC);
    assert_int_equal(done(rig)->absent[0].why, GP_ABSENT_REFUSED);
    rig_free(rig);
}

static void pass(rig_t *rig, uint8_t from, gp_route_ask_t asked, gp_route_ask_t ask, uint8_t hops)
{
    gp_msg_route_t *to = &rig_draft(rig, GP_MSG_ROUTE)->u.route;
    to->query_id = 9;
    to->ask = (uint8_t)asked;
    to->scope = GP_ROUTE_GRID;
    to->timeout_ms = 4000;
    gp_slice_t claim = rig_frame(rig, ASKER);
    gp_msg_route_pass_t *carried = &rig_draft(rig, GP_MSG_ROUTE_PASS)->u.route_pass;
    carried->ask = (uint8_t)ask;
    carried->group = RIG_REGION;
    carried->hops = hops;
    carried->timeout_ms = 3000;
    carried->claim = claim;
    rig_message(rig, from);
    free((uint8_t *)(uintptr_t)claim.p);
}

static void test_nothing_goes_in_circles(void **state)
{
    rig_t *rig = region_peer(1);
    (void)state;
    pass(rig, 20, GP_ROUTE_ASK_OTHERS, GP_ROUTE_ASK_OTHERS, 1);
    assert_int_equal(rig->out.count, 0);
    pass(rig, 20, GP_ROUTE_ASK_OTHERS, GP_ROUTE_ASK_ALL, 1);
    assert_int_equal(rig->out.count, 0);
    pass(rig, 20, GP_ROUTE_ASK_ALL, GP_ROUTE_ASK_REGION, 3); /* one step too many */
    assert_int_equal(rig->out.count, 0);
    rig->core->seats[GP_SEAT_REGION].group += 1; /* this machine is in another region by now */
    pass(rig, 20, GP_ROUTE_ASK_ALL, GP_ROUTE_ASK_REGION, 2);
    assert_int_equal(done(rig)->error, GP_E_NO_LEADER);
    rig->core->seats[GP_SEAT_REGION].group -= 1;
    pass(rig, 20, GP_ROUTE_ASK_ALL, GP_ROUTE_ASK_REGION, 2);
    assert_int_equal(passed(rig, 0)->hops, 3);
    rig_free(rig);
}

static void test_who_does_not_lead_refuses(void **state)
{
    rig_t *rig = rig_new(false);
    (void)state;
    rig_lead(rig, GP_SEAT_SUBGRID, 1, 2, 1);
    rig_lead(rig, GP_SEAT_REGION, 9, 1, 1);
    rig_question(rig, ASKER, 9, GP_ROUTE_ASK_OTHERS, "cpu");
    assert_int_equal(done(rig)->error, GP_E_NO_LEADER);
    rig_question(rig, ASKER, 9, GP_ROUTE_ASK_ALL, "cpu");
    gp_id_t leader = rig_id(9);
    assert_true(gp_id_equal(&rig_find(rig, GP_MSG_ROUTE_PASS, 0)->peer, &leader));
    assert_int_equal(passed(rig, 0)->ask, GP_ROUTE_ASK_OTHERS);
    rig_lead(rig, GP_SEAT_SUBGRID, 2, 1, 2);
    rig_question(rig, ASKER, 10, GP_ROUTE_ASK_ALL, "cpu");
    assert_int_equal(done(rig)->error, GP_E_NO_LEADER);
    rig_free(rig);
}

static void test_bad_questions(void **state)
{
    rig_t *rig = region_peer(1);
    (void)state;
    rig_question(rig, ASKER, 9, GP_ROUTE_ASK_OTHERS, "cpu >=");
    assert_int_equal(done(rig)->error, GP_E_QUERY_SYNTAX);
    rig_question(rig, ASKER, 9, (gp_route_ask_t)0, "cpu");
    assert_int_equal(rig->out.count, 0);
    rig_free(rig);
}

static void test_many_at_once(void **state)
{
    rig_t *rig = region_peer(1);
    uint32_t ends = 0;
    (void)state;
    for (uint64_t i = 0; i < GP_ROUTES_MAX; i++) {
        rig_question(rig, ASKER, i, GP_ROUTE_ASK_OTHERS, "cpu");
        assert_non_null(passed(rig, 0));
    }
    rig_question(rig, ASKER, 1000, GP_ROUTE_ASK_OTHERS, "cpu");
    assert_int_equal(done(rig)->error, GP_E_BUSY);
    for (int i = 0; i < 200; i++) { /* never more than a sheet bears */
        rig_run(rig, 0);
        assert_true(rig->out.used < GP_ARENA_BYTES / 2);
        for (uint32_t k = 0; rig_find(rig, GP_MSG_ROUTE_DONE, k) != NULL; k++) {
            ends++;
        }
        gp_out_reset(&rig->out);
        rig->now += 10 * GP_MSEC;
    }
    assert_in_range(ends, 1, GP_ROUTES_MAX + 1);
    assert_int_equal(rig->core->searches_open, 0);
    rig_free(rig);
}

/* The own sub-Grid is asked here, and its answer signed for who asked. */
static void test_its_own_subgrid(void **state)
{
    rig_t *rig = region_peer(0);
    gp_coordinate_t place;
    uint8_t where[GP_COORDINATE_BYTES];
    (void)state;
    gp_coordinate_start(&place);
    gp_coordinate_pack(&place, where);
    rig_draft(rig, GP_MSG_ROUTE_SELF)->u.route_self.coordinate = gp_slice(where, sizeof where);
    rig_command(rig, 0);
    rig_own(rig, 4, 8);
    rig_question(rig, ASKER, 9, GP_ROUTE_ASK_OTHERS, "cpu >= 4");
    const gp_action_t *question = rig_find(rig, GP_MSG_ROUTE_QUESTION, 0);
    assert_non_null(question);
    uint64_t token = question->token;
    rig_question(rig, ASKER, 9, GP_ROUTE_ASK_OTHERS, "cpu >= 4");
    assert_null(rig_find(rig, GP_MSG_ROUTE_QUESTION, 0));
    gp_msg_route_local_t *local = &rig_draft(rig, GP_MSG_ROUTE_LOCAL)->u.route_local;
    local->right = GP_RIGHT_QUORUM;
    local->matched = local->hits_count = 2;
    local->hits[0].id = rig_id(60);
    local->hits[0].name = gp_text("n60");
    local->hits[1].id = rig_id(61);
    local->hits[1].rtt_us = 777;
    rig_command(rig, token);
    const gp_action_t *found = rig_find(rig, GP_MSG_ROUTE_FOUND, 0);
    gp_id_t asker = rig_id(ASKER);
    assert_true(gp_id_equal(&found->peer, &asker));
    assert_true(gp_slice_equal(found->msg->u.route_found.subgrid, gp_text("s5")));
    assert_true(gp_slice_equal(found->msg->u.route_found.cert, gp_text("a certificate")));
    assert_int_equal(found->msg->u.route_found.hits[0].rtt_us,
                     gp_coordinate_distance_us(&place, &place)); /* as far as its super-peer */
    assert_int_equal(found->msg->u.route_found.hits[1].rtt_us, 777);
    assert_int_equal(done(rig)->backs, 1);
    rig_free(rig);
}

/* As one of many: what another's region peer asks of this sub-Grid. */
static void test_serving(void **state)
{
    rig_t *rig = rig_new(false);
    (void)state;
    rig_lead(rig, GP_SEAT_SUBGRID, 1, 2, 1);
    for (int i = 0; i < GP_ROUTE_SERVES_MAX; i++) {
        rig_question(rig, ASKER, (uint64_t)i, GP_ROUTE_ASK_SUBGRID, "cpu >= 4");
        assert_non_null(rig_find(rig, GP_MSG_ROUTE_QUESTION, 0));
    }
    rig_question(rig, ASKER, 0, GP_ROUTE_ASK_SUBGRID, "cpu >= 4");
    assert_int_equal(rig->out.count, 0);
    rig_question(rig, ASKER, 99, GP_ROUTE_ASK_SUBGRID, "cpu >= 4");
    assert_int_equal(rig_find(rig, GP_MSG_ROUTE_FOUND, 0)->msg->u.route_found.error, GP_E_BUSY);
    rig_run(rig, 4 * GP_SECOND); /* nobody waits any more */
    rig_question(rig, ASKER, 99, GP_ROUTE_ASK_SUBGRID, "cpu >= 4");
    assert_non_null(rig_find(rig, GP_MSG_ROUTE_QUESTION, 0));
    rig_free(rig);
}

/* All that discovery may answer, in texts of full length: relays can still carry it. */
static void test_the_longest_answer(void **state)
{
    static char text[GP_ATTR_WORD_MAX];
    rig_t *rig = rig_new(false);
    (void)state;
    memset(text, 'x', sizeof text);
    rig_lead(rig, GP_SEAT_SUBGRID, 1, 2, UINT64_C(1) << 47);
    rig_question(rig, ASKER, UINT64_MAX, GP_ROUTE_ASK_SUBGRID, "cpu >= 4");
    uint64_t token = rig_find(rig, GP_MSG_ROUTE_QUESTION, 0)->token;
    gp_msg_route_local_t *local = &rig_draft(rig, GP_MSG_ROUTE_LOCAL)->u.route_local;
    local->considered = local->matched = UINT32_MAX;
    local->hits_count = GP_HITS_MAX;
    for (uint32_t i = 0; i < GP_HITS_MAX; i++) {
        local->hits[i] = (gp_record_hit_t){.id = {{1, (uint8_t)i}},
                                           .name = gp_slice(text, GP_NAME_MAX),
                                           .address = gp_slice(text, GP_ADDRESS_MAX),
                                           .rtt_us = UINT32_MAX,
                                           .incarnation = UINT64_MAX};
    }
    local->values_count = GP_VALUES_MAX;
    for (uint32_t i = 0; i < GP_VALUES_MAX; i++) {
        local->values[i] = (gp_record_value_t){.hit = (uint8_t)(i / 8),
                                               .attr = UINT16_MAX,
                                               .known = true,
                                               .number = UINT64_MAX,
                                               .text = gp_slice(text, i % 2 == 0 ? 47 : 0)};
    }
    rig_command(rig, token);
    gp_msg_copy(&rig->msg, rig_find(rig, GP_MSG_ROUTE_FOUND, 0)->msg);
    assert_int_equal(rig->msg.u.route_found.hits_count, GP_HITS_MAX);
    assert_in_range(rig->msg.u.route_found.values_count, 400, GP_VALUES_MAX); /* some were cut */
    gp_slice_t frame = rig_frame(rig, 1);
    assert_in_range(frame.n + GP_CERT_MAX, 20000, GP_ROUTE_CLAIM_MAX);
    free((uint8_t *)(uintptr_t)frame.p);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_four_at_a_time),
        cmocka_unit_test(test_the_silent_are_named),
        cmocka_unit_test(test_a_new_leader_is_asked),
        cmocka_unit_test(test_nothing_goes_in_circles),
        cmocka_unit_test(test_who_does_not_lead_refuses),
        cmocka_unit_test(test_bad_questions),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_its_own_subgrid),
        cmocka_unit_test(test_serving),
        cmocka_unit_test(test_the_longest_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
