/* The client: time-outs, wakes, agents that die. */
#include <unistd.h>

#include "agent_http_world.h"
#include "proto_cmocka.h"

static void a_client_waits_no_longer_than_asked(void **state)
{
    world_t *world = *state;
    gp_http_client_t *client = NULL;
    gp_http_reply_t reply;
    gp_http_ask_t request = {.method = "GET", .path = "/v1/wait", .timeout_ms = 50, .wake = -1};
    assert_int_equal(gp_http_client_open(world->fake.path, &client), GP_OK);
    assert_int_equal(gp_http_client_ask(client, &request, &reply), GP_E_TIMED_OUT);
    gp_http_client_close(client);
    assert_int_equal(world_news(world), 'w');
    assert_int_equal(world_news(world), 'x');
}

static void a_wake_interrupts_a_wait(void **state)
{
    world_t *world = *state;
    int ends[2];
    json_t *line = NULL;
    assert_int_equal(pipe(ends), 0);
    gp_http_client_t *client = NULL;
    assert_int_equal(gp_http_client_open(world->fake.path, &client), GP_OK);
    assert_int_equal(gp_http_client_next(client, 20, ends[0], &line), GP_HTTP_NEXT_TIMEOUT);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(gp_http_client_next(client, LIMIT_MS, ends[0], &line), GP_HTTP_NEXT_WAKE);
    gp_http_client_close(client);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void an_agent_that_dies_is_noticed(void **state)
{
    world_t *world = *state;
    world->lines = 3000;
    gp_http_client_t *client = world_stream(world);
    fake_stop(&world->fake);
    gp_http_next_t next = GP_HTTP_NEXT_LINE;
    while (next == GP_HTTP_NEXT_LINE) {
        json_t *line = NULL;
        next = gp_http_client_next(client, LIMIT_MS, -1, &line);
        json_decref(line);
    }
    assert_int_equal(next, GP_HTTP_NEXT_LOST);
    gp_http_client_close(client);
    assert_int_equal(gp_http_client_open(world->fake.path, &client), GP_E_STATE_MISSING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_client_waits_no_longer_than_asked),
        TEST(a_wake_interrupts_a_wait),
        TEST(an_agent_that_dies_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
