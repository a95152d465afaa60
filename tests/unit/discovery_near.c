/* Where machines are: told with their records, asked for by `near`, known only while it is
 * answered. */
#include <stdio.h>
#include <stdlib.h>

#include "discovery_driver.h"

#define NODES 5

static driver_grid_t grid;
static gp_coordinate_t places[NODES];

/* On a line, so many milliseconds from its beginning; all heights are 1 ms. */
static void put(uint32_t node, int32_t ms)
{
    gp_coordinate_start(&places[node]);
    places[node].axis[0] = ms * 1000 * GP_COORDINATE_TICKS;
    places[node].height = 1000 * GP_COORDINATE_TICKS;
    places[node].usual = 1;
}

/* n1 leads; all have been quiet long enough for a reminder, and so told where they are. */
static int set_up(void **state)
{
    static const int32_t ms[NODES] = {0, 40, 10, 30, 20};
    (void)state;
    driver_grid_init(&grid, NODES);
    for (uint32_t i = 0; i < NODES; i++) {
        char text[64];
        put(i, ms[i]);
        grid.nodes[i].core->coordinate = &places[i];
        (void)snprintf(text, sizeof text, "cpu=4 mem.free=%uGiB", i + 1);
        driver_own(&grid, i, text);
    }
    driver_run(&grid, 10 * GP_SECOND);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    driver_grid_free(&grid);
    return 0;
}

static const gp_msg_answer_t *ask(uint32_t node, uint32_t near, const char *query, const char *rank)
{
    static gp_msg_t msg;
    uint32_t answers = grid.answer_count;
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_FIND};
    msg.u.discovery_find.query = gp_text(query);
    msg.u.discovery_find.rank = gp_text(rank);
    if (near < NODES) {
        msg.u.discovery_find.near_node = grid.nodes[near].id;
    } else if (near == NODES) {
        msg.u.discovery_find.near_node = driver_id(99);
    }
    driver_command(&grid, node, 1, &msg);
    driver_run(&grid, GP_MSEC);
    assert_int_equal(grid.answer_count, answers + 1);
    assert_int_equal(grid.answer->u.answer.error, GP_OK);
    return &grid.answer->u.answer;
}

#define STRANGER NODES
#define NOBODY   UINT32_MAX

/* "n3 0, n4 22000": who, and the round trip to it. */
static const char *hits(const gp_msg_answer_t *a)
{
    static char text[256];
    size_t n = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < a->hits_count; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s %u", i == 0 ? "" : ", ",
                              (int)a->hits[i].name.n, (const char *)a->hits[i].name.p,
                              a->hits[i].rtt_us);
    }
    return text;
}

static void test_the_nearest_first(void **state)
{
    (void)state;
    assert_string_equal(hits(ask(2, 2, "", "")), "n3 0, n5 12000, n1 12000, n4 22000, n2 32000");
    assert_string_equal(hits(ask(0, 0, "", "")), "n1 0, n3 12000, n5 22000, n4 32000, n2 42000");
}

static void test_near_another(void **state)
{
    (void)state;
    static const char expected[] = "n2 0, n4 12000, n5 22000, n3 32000, n1 42000";
    assert_string_equal(hits(ask(2, 1, "", "")), expected);
    assert_string_equal(hits(ask(0, 1, "", "")), expected);
}

static void test_a_rank_counts_for_more(void **state)
{
    (void)state;
    static const char more[] = "n5 12000, n4 22000, n3 0, n2 32000, n1 12000";
    assert_string_equal(hits(ask(2, 2, "", "mem.free")), more);
    static const char far[] = "n2 32000, n4 22000, n5 12000, n1 12000, n3 0";
    assert_string_equal(hits(ask(2, 2, "", "rtt desc, mem.free")), far);
}

static void test_conditions(void **state)
{
    (void)state;
    assert_string_equal(hits(ask(2, 2, "rtt <= 12ms", "")), "n3 0, n5 12000, n1 12000");
    assert_string_equal(hits(ask(2, 2, "not rtt < 22ms", "")), "n4 22000, n2 32000");
    const gp_msg_answer_t *a = ask(2, 2, "rtt > 30ms", "");
    assert_string_equal(hits(a), "n2 32000");
    assert_int_equal(a->values_count, 1);
    assert_int_equal(a->values[0].attr, GP_ATTR_RTT);
    assert_int_equal(a->values[0].number, 32000);
}

/* Of nowhere no round trip is known; and the question before leaves none behind. */
static void test_without_near(void **state)
{
    (void)state;
    static const char all[] = "n5 0, n4 0, n3 0, n2 0, n1 0";
    (void)ask(2, 2, "", "");
    assert_string_equal(hits(ask(2, NOBODY, "", "")), all);
    assert_string_equal(hits(ask(2, NOBODY, "rtt is not set", "")), all);
    assert_string_equal(hits(ask(2, NOBODY, "rtt < 1h", "")), "");
    assert_string_equal(hits(ask(2, STRANGER, "rtt is not set", "")), all);
}

static void test_who_is_nowhere_comes_last(void **state)
{
    (void)state;
    driver_member(&grid, 0, 3, GP_MEMBER_UNAVAILABLE);
    grid.nodes[0].core->members[gp_members_find(grid.nodes[0].core, &grid.nodes[4].id)].coordinate =
        (gp_coordinate_t){0};
    assert_string_equal(hits(ask(2, 2, "", "")), "n3 0, n1 12000, n2 32000, n5 0");
    assert_string_equal(hits(ask(2, 2, "rtt < 1h", "")), "n3 0, n1 12000, n2 32000");
    /* nor is anybody near it, but itself */
    assert_string_equal(hits(ask(2, 4, "rtt is set", "")), "");
}

/* Who asks says where it is now; of others what they last told counts. */
static void test_who_moved(void **state)
{
    (void)state;
    put(2, 50);
    assert_string_equal(hits(ask(2, 2, "rtt <= 22ms", "")), "n3 0, n2 12000, n4 22000");
    assert_string_equal(hits(ask(3, 2, "rtt <= 12ms", "")), "n3 0, n5 12000, n1 12000");
    driver_run(&grid, 64 * GP_SECOND);
    assert_string_equal(hits(ask(3, 2, "rtt <= 22ms", "")), "n3 0, n2 12000, n4 22000");
}

static void test_garbage_is_nowhere(void **state)
{
    static gp_msg_t msg;
    (void)state;
    static const uint8_t zeros[GP_COORDINATE_BYTES];
    msg = (gp_msg_t){.kind = GP_MSG_FIND};
    msg.u.find.group = 7;
    msg.u.find.query_id = 5;
    msg.u.find.near = gp_slice(zeros, sizeof zeros);
    driver_run(&grid, GP_MSEC); /* its lease is renewed */
    driver_message(&grid, 0, &grid.nodes[3].id, &msg);
    assert_int_equal(grid.letter_count, 1);
    assert_int_equal(grid.letters[0].msg->u.found.hits_count, NODES);
    assert_int_equal(grid.letters[0].msg->u.found.hits[0].rtt_us, 0);
    driver_lose(&grid);
}

static gp_msg_t record_of(uint64_t incarnation, uint32_t version, uint8_t *bytes, int32_t ms)
{
    gp_coordinate_t place = {.axis = {ms * 1000 * GP_COORDINATE_TICKS},
                             .height = 1000 * GP_COORDINATE_TICKS,
                             .error = GP_COORDINATE_ERROR_UNIT};
    gp_coordinate_pack(&place, bytes);
    gp_msg_t msg = {.kind = GP_MSG_RECORD};
    msg.u.record.group = 7;
    msg.u.record.incarnation = incarnation;
    msg.u.record.version = version;
    msg.u.record.coordinate = gp_slice(bytes, GP_COORDINATE_BYTES);
    return msg;
}

static void test_what_a_record_says(void **state)
{
    (void)state;
    static gp_msg_t msg;
    uint8_t bytes[GP_COORDINATE_BYTES];
    uint32_t version = grid.nodes[3].core->version;
    msg = record_of(1, version, bytes, 64); /* a reminder */
    driver_message(&grid, 0, &grid.nodes[3].id, &msg);
    assert_string_equal(hits(ask(0, 0, "rtt > 50ms", "")), "n4 66000");
    msg = record_of(1, version - 1, bytes, 190); /* late */
    driver_message(&grid, 0, &grid.nodes[3].id, &msg);
    msg = record_of(0, version + 1, bytes, 190); /* of the process before */
    driver_message(&grid, 0, &grid.nodes[3].id, &msg);
    msg = record_of(1, version, bytes, 190);
    bytes[GP_COORDINATE_BYTES - 1] = 0; /* garbage: it errs in nothing */
    driver_message(&grid, 0, &grid.nodes[3].id, &msg);
    assert_string_equal(hits(ask(0, 0, "rtt > 50ms", "")), "n4 66000");
}

/* The last RECORD that is on its way from node 2 to the leader. */
static const gp_msg_record_t *last_record(void)
{
    const gp_msg_record_t *record = NULL;
    for (uint32_t i = 0; i < grid.letter_count; i++) {
        const driver_letter_t *letter = &grid.letters[i];
        bool it = letter->msg->kind == GP_MSG_RECORD &&
                  gp_id_equal(&letter->from, &grid.nodes[2].id) &&
                  gp_id_equal(&letter->to, &grid.nodes[0].id);
        record = it ? &letter->msg->u.record : record;
    }
    assert_non_null(record);
    return record;
}

static uint32_t place_in_delta(const char *own)
{
    driver_run(&grid, 2 * GP_SECOND);
    driver_own(&grid, 2, own);
    const gp_msg_record_t *record = last_record();
    assert_false(record->whole);
    assert_int_equal(record->attrs_count, 1);
    return record->coordinate.n;
}

/* Far enough: 0.2 ms, or as much as it usually errs by. */
static void test_a_delta_tells_who_moved(void **state)
{
    (void)state;
    places[2].axis[1] = 199 * GP_COORDINATE_TICKS;
    assert_int_equal(place_in_delta("cpu=5 mem.free=3GiB"), 0);
    places[2].axis[1] = 202 * GP_COORDINATE_TICKS;
    assert_int_equal(place_in_delta("cpu=6 mem.free=3GiB"), GP_COORDINATE_BYTES);
    assert_int_equal(place_in_delta("cpu=7 mem.free=3GiB"), 0);
    places[2].height += 202 * GP_COORDINATE_TICKS;
    assert_int_equal(place_in_delta("cpu=8 mem.free=3GiB"), GP_COORDINATE_BYTES);
    places[2].usual = 3000 * GP_COORDINATE_TICKS;
    places[2].axis[1] += 2900 * GP_COORDINATE_TICKS;
    assert_int_equal(place_in_delta("cpu=9 mem.free=3GiB"), 0);
    places[2].axis[1] += 200 * GP_COORDINATE_TICKS;
    assert_int_equal(place_in_delta("cpu=10 mem.free=3GiB"), GP_COORDINATE_BYTES);
    grid.nodes[2].core->coordinate = NULL;
    assert_int_equal(place_in_delta("cpu=11 mem.free=3GiB"), 0);
}

/* Before its first round trip a machine is nowhere, and says nothing. */
static void test_who_has_no_place_yet(void **state)
{
    (void)state;
    driver_grid_free(&grid);
    driver_grid_init(&grid, NODES);
    for (uint32_t i = 0; i < NODES; i++) {
        gp_coordinate_start(&places[i]);
        grid.nodes[i].core->coordinate = i == 1 ? NULL : &places[i];
        driver_own(&grid, i, "cpu=4");
    }
    driver_run(&grid, 10 * GP_SECOND);
    assert_string_equal(hits(ask(2, 2, "rtt is set", "")), "");
    put(2, 10);
    assert_string_equal(hits(ask(2, 2, "rtt is set", "")), "n3 0");
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_the_nearest_first),
        CASE(test_near_another),
        CASE(test_a_rank_counts_for_more),
        CASE(test_conditions),
        CASE(test_without_near),
        CASE(test_who_is_nowhere_comes_last),
        CASE(test_who_moved),
        CASE(test_garbage_is_nowhere),
        CASE(test_what_a_record_says),
        CASE(test_a_delta_tells_who_moved),
        CASE(test_who_has_no_place_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
