/* Answers that come later, and streams: slow clients, clients that go, a server that ends. */
#include <stdio.h>
#include <unistd.h>

#include "agent_http_world.h"
#include "proto_cmocka.h"

/* ---- later --------------------------------------------------------------------------------------
 */

static void answer_waiting(void *context)
{
    world_t *world = context;
    gp_http_call_t *call = world->waiting;
    world->waiting = NULL;
    gp_http_call_answer(call, world_document(json_pack("{s:b}", "late", 1)));
}

static void an_answer_may_come_later(void **state)
{
    world_t *world = *state;
    int fd = world_open(world);
    char text[4096];
    world_send(fd, "GET /v1/wait HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert_int_equal(world_news(world), 'w');
    fake_call(&world->fake, answer_waiting, world);
    assert_true(world_receive(fd, text, sizeof text) > 0);
    assert_non_null(strstr(text, "\"late\":true"));
    (void)close(fd);
}

static void a_waiting_client_that_leaves_is_noticed(void **state)
{
    world_t *world = *state;
    int fd = world_open(world);
    world_send(fd, "GET /v1/wait HTTP/1.1\r\n\r\n");
    assert_int_equal(world_news(world), 'w');
    (void)close(fd);
    assert_int_equal(world_news(world), 'x');
    assert_null(world->waiting);
    /* With bytes of a next request unread, too: they must not hide the end. */
    fd = world_open(world);
    world_send(fd, "GET /v1/wait HTTP/1.1\r\n\r\nGET /v1/now HTTP/1.1\r\n\r\n");
    assert_int_equal(world_news(world), 'w');
    (void)close(fd);
    assert_int_equal(world_news(world), 'x');
}

static void waiting_calls_are_told_when_the_server_ends(void **state)
{
    world_t *world = *state;
    int fd = world_open(world);
    world_send(fd, "GET /v1/wait HTTP/1.1\r\n\r\n");
    assert_int_equal(world_news(world), 'w');
    fake_stop(&world->fake);
    assert_int_equal(world_news(world), 'x');
    assert_int_equal(access(world->fake.path, F_OK), -1);
    char text[64];
    assert_int_equal(world_receive(fd, text, sizeof text), 0);
    (void)close(fd);
}

/* ---- streams ------------------------------------------------------------------------------------
 */

static void lines_arrive_in_order_and_slow_clients_are_waited_for(void **state)
{
    world_t *world = *state;
    world->lines = 3000;
    gp_http_client_t *client = world_stream(world);
    for (uint32_t i = 1; i <= world->lines; i++) {
        json_t *line = NULL;
        assert_int_equal(gp_http_client_next(client, LIMIT_MS, -1, &line), GP_HTTP_NEXT_LINE);
        assert_int_equal(json_integer_value(json_object_get(line, "n")), i);
        json_decref(line);
    }
    json_t *line = NULL;
    assert_int_equal(gp_http_client_next(client, LIMIT_MS, -1, &line), GP_HTTP_NEXT_END);
    gp_http_client_close(client);
    assert_true(world->drains > 3);
}

static void a_reader_that_stops_holds_the_producer(void **state)
{
    world_t *world = *state;
    world->lines = 3000;
    gp_http_client_t *client = world_stream(world);
    json_t *line = NULL;
    assert_int_equal(gp_http_client_next(client, LIMIT_MS, -1, &line), GP_HTTP_NEXT_LINE);
    json_decref(line);
    assert_true(world->sent < world->lines);
    gp_http_client_close(client);
    assert_int_equal(world_news(world), 'x');
    assert_true(world->sent < world->lines);
}

static void a_producer_that_does_not_wait_loses_the_client(void **state)
{
    world_t *world = *state;
    world->endless = true;
    int fd = world_open(world);
    world_send(fd, "GET /v1/stream HTTP/1.1\r\n\r\n");
    assert_int_equal(world_news(world), 'x');
    char text[4096];
    while (world_receive(fd, text, sizeof text) == sizeof text - 1) {
    }
    assert_null(strstr(text, "\r\n0\r\n\r\n"));
    (void)close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_may_come_later),
        TEST(a_waiting_client_that_leaves_is_noticed),
        TEST(waiting_calls_are_told_when_the_server_ends),
        TEST(lines_arrive_in_order_and_slow_clients_are_waited_for),
        TEST(a_reader_that_stops_holds_the_producer),
        TEST(a_producer_that_does_not_wait_loses_the_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
