/* The server: requests of every kind, limits, credentials, the socket. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent_http_world.h"
#include "proto/random.h"
#include "proto_cmocka.h"

/* ---- answers -----------------------------------------------------------------------------------
 */

static void a_document_is_answered(void **state)
{
    gp_http_reply_t reply = world_ask(*state, "GET", "/v1/now?q=a%20b%2Bc&x=1", NULL);
    assert_int_equal(reply.status, 200);
    assert_string_equal(json_string_value(json_object_get(world_first_item(&reply), "q")), "a b+c");
    assert_int_equal(json_integer_value(json_object_get(world_first_item(&reply), "uid")),
                     geteuid());
    gp_http_reply_done(&reply);
}

static void parameters_and_bodies_arrive(void **state)
{
    gp_http_reply_t reply =
        world_ask(*state, "POST", "/v1/things/n1%2F7/echo", "{\"a\":[1,2],\"b\":\"\\u00e4\"}");
    assert_int_equal(reply.status, 200);
    assert_string_equal(json_string_value(json_object_get(world_first_item(&reply), "id")), "n1/7");
    const json_t *body = json_object_get(world_first_item(&reply), "body");
    assert_int_equal(json_array_size(json_object_get(body, "a")), 2);
    gp_http_reply_done(&reply);
    reply = world_ask(*state, "POST", "/v1/things/x/echo", NULL);
    assert_true(json_is_object(json_object_get(world_first_item(&reply), "body")));
    gp_http_reply_done(&reply);
}

static void text_and_errors_are_answered(void **state)
{
    gp_http_reply_t reply = world_ask(*state, "GET", "/v1/text", NULL);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.text, "metric 1\n");
    assert_null(reply.document);
    gp_http_reply_done(&reply);
    reply = world_ask(*state, "GET", "/v1/fail", NULL);
    assert_int_equal(reply.status, 422);
    assert_string_equal(world_error_text(&reply, "code"), "E_TOKEN_USED");
    assert_string_equal(world_error_text(&reply, "detail"), "token 7 was used 5 of 5 times");
    gp_http_reply_done(&reply);
}

/* Lets only the time be asked. */
static bool text_is_refused(gp_http_call_t *call, const gp_http_route_t *route, void *context)
{
    (void)context;
    if (strcmp(route->path, "/v1/text") != 0) {
        return true;
    }
    gp_http_call_error(call, GP_E_RUN_REFUSED, "not now");
    return false;
}

static void a_guard_answers_in_place_of_the_handler(void **state)
{
    world_t *world = *state;
    fake_stop(&world->fake);
    world->fake.guard = text_is_refused;
    world_start(world);
    gp_http_reply_t reply = world_ask(world, "GET", "/v1/text", NULL);
    assert_int_equal(reply.status, 409);
    assert_string_equal(world_error_text(&reply, "detail"), "not now");
    gp_http_reply_done(&reply);
    reply = world_ask(world, "GET", "/v1/now", NULL);
    assert_int_equal(reply.status, 200);
    gp_http_reply_done(&reply);
}

static void bad_requests_get_json_errors(void **state)
{
    static const struct {
        const char *method, *path, *body;
        int status;
        const char *detail;
    } bad[] = {
        {"GET", "/v1/nowhere", NULL, 404, "there is no /v1/nowhere"},
        {"GET", "/", NULL, 404, "there is no /"},
        {"POST", "/v1/now", NULL, 405, "/v1/now answers only to GET"},
        {"PATCH", "/v1/now", NULL, 405, "/v1/now answers only to GET"},
        {"GET", "/v1/now?q", NULL, 400, "the path or the query cannot be decoded"},
        {"POST", "/v1/things/a%00b/echo", NULL, 400, "the path or the query cannot be decoded"},
        {"POST", "/v1/strict", "[1]", 400, "the body is not a JSON object"},
        {"POST", "/v1/strict", "{}", 400, "Object item not found: query"},
        {"POST", "/v1/strict", "{\"query\":1}", 400, "Expected string, got integer"},
        {"POST", "/v1/strict", "{\"query\":\"\",\"limt\":1}", 400,
         "1 object item(s) left unpacked: limt"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        gp_http_reply_t reply = world_ask(*state, bad[i].method, bad[i].path, bad[i].body);
        assert_int_equal(reply.status, bad[i].status);
        assert_string_equal(world_error_text(&reply, "code"), "E_HTTP");
        assert_string_equal(world_error_text(&reply, "detail"), bad[i].detail);
        gp_http_reply_done(&reply);
    }
    gp_http_reply_t reply =
        world_ask(*state, "POST", "/v1/strict", "{\"query\":\"x\",\"limit\":3}");
    assert_int_equal(reply.status, 200);
    gp_http_reply_done(&reply);
}

static void bodies_that_are_not_json_are_refused(void **state)
{
    static const char *const bodies[] = {"{", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}", "{} {}",
                                         "nonsense"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        char text[4096];
        int fd = world_open(*state);
        (void)snprintf(text, sizeof text,
                       "POST /v1/strict HTTP/1.1\r\nConnection: close\r\nContent-Length: "
                       "%zu\r\n\r\n%s",
                       strlen(bodies[i]), bodies[i]);
        world_send(fd, text);
        assert_true(world_receive(fd, text, sizeof text) > 0);
        assert_non_null(strstr(text, "HTTP/1.1 400 "));
        assert_non_null(strstr(text, "the body is not JSON: line 1"));
        (void)close(fd);
    }
}

static void deep_json_is_refused(void **state)
{
    static char deep[100000];
    memset(deep, '[', sizeof deep - 1);
    char text[4096];
    int fd = world_open(*state);
    (void)snprintf(text, sizeof text,
                   "POST /v1/strict HTTP/1.1\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                   sizeof deep - 1);
    world_send(fd, text);
    world_send(fd, deep);
    assert_true(world_receive(fd, text, sizeof text) > 0);
    assert_non_null(strstr(text, "HTTP/1.1 400 "));
    assert_non_null(strstr(text, "maximum parsing depth"));
    (void)close(fd);
}

static void a_large_body_is_refused(void **state)
{
    size_t n = GP_HTTP_BODY_MAX + 100;
    char *body = malloc(n + 1);
    assert_non_null(body);
    memset(body, ' ', n);
    body[n] = '\0';
    char text[4096];
    int fd = world_open(*state);
    (void)snprintf(text, sizeof text,
                   "POST /v1/strict HTTP/1.1\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
                   n);
    world_send(fd, text);
    world_send(fd, body);
    assert_true(world_receive(fd, text, sizeof text) > 0);
    assert_non_null(strstr(text, "HTTP/1.1 413 "));
    assert_non_null(strstr(text, "the body has more than 262144 bytes"));
    (void)close(fd);
    /* Far over the limit: refused before it is read, by evhttp itself. */
    fd = world_open(*state);
    world_send(fd, "POST /v1/strict HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n");
    assert_true(world_receive(fd, text, sizeof text) > 0);
    assert_non_null(strstr(text, "HTTP/1.1 413 "));
    (void)close(fd);
    free(body);
}

static void a_flood_of_headers_is_refused(void **state)
{
    int fd = world_open(*state);
    world_send(fd, "GET /v1/now HTTP/1.1\r\n");
    for (int i = 0; i < 2000; i++) {
        world_send(fd, "X-Header: 0123456789\r\n");
    }
    world_send(fd, "\r\n");
    char text[4096];
    (void)world_receive(fd, text, sizeof text);
    assert_null(strstr(text, "HTTP/1.1 200 "));
    (void)close(fd);
    gp_http_reply_t reply = world_ask(*state, "GET", "/v1/now", NULL);
    assert_int_equal(reply.status, 200);
    gp_http_reply_done(&reply);
}

static void nonsense_does_not_hurt(void **state)
{
    static const char chunked[] =
        "POST /v1/strict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\n";
    static const char *const texts[] = {
        "\r\n\r\n",
        "GET\r\n\r\n",
        "BREW /v1/now HTTP/1.1\r\n\r\n",
        "GET /v1/now HTTP/9.9\r\n\r\n",
        "POST /v1/strict HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        chunked,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[4096];
        int fd = world_open(*state);
        world_send(fd, texts[i]);
        (void)shutdown(fd, SHUT_WR);
        (void)world_receive(fd, text, sizeof text);
        assert_null(strstr(text, "HTTP/1.1 200 "));
        (void)close(fd);
    }
    gp_http_reply_t reply = world_ask(*state, "GET", "/v1/now", NULL);
    assert_int_equal(reply.status, 200);
    gp_http_reply_done(&reply);
}

static void requests_may_follow_each_other(void **state)
{
    int fd = world_open(*state);
    world_send(fd, "GET /v1/now?q=1 HTTP/1.1\r\n\r\nGET /v1/now?q=2 HTTP/1.1\r\n\r\n"
                   "GET /v1/now?q=3 HTTP/1.1\r\nConnection: close\r\n\r\n");
    char text[8192];
    assert_true(world_receive(fd, text, sizeof text) > 0);
    const char *one = strstr(text, "\"q\":\"1\"");
    const char *three = strstr(text, "\"q\":\"3\"");
    assert_true(one != NULL && three != NULL && one < three);
    (void)close(fd);
}

/* Requests with bytes changed, and what comes before or after them: the server lives on. */
static void mutated_requests_do_not_hurt(void **state)
{
    static const char chunked[] =
        "POST /v1/things/a%20b/echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
        "\r\n";
    static const char *const samples[] = {
        "GET /v1/now?q=1 HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/now HTTP/1.1\r\n\r\n",
        "POST /v1/strict HTTP/1.1\r\nContent-Length: 13\r\n\r\n{\"query\":\"x\"}",
        chunked,
        "GET /v1/wait HTTP/1.1\r\nExpect: 100-continue\r\n\r\nGET /v1/now HTTP/1.1\r\n\r\n",
    };
    gp_random_t random;
    gp_random_init(&random, 11);
    for (int round = 0; round < 2000; round++) {
        char text[256];
        const char *sample = samples[gp_random_below(&random, 4)];
        size_t n = strlen(sample);
        memcpy(text, sample, n);
        for (uint64_t i = gp_random_below(&random, 4); i > 0; i--) {
            text[gp_random_below(&random, n)] = (char)gp_random_next(&random);
        }
        int fd = world_open(*state);
        (void)send(fd, text, n - gp_random_below(&random, 8), MSG_NOSIGNAL);
        if (gp_random_below(&random, 2) == 0) {
            (void)shutdown(fd, SHUT_WR);
        }
        (void)close(fd);
        if (round % 200 == 0) {
            gp_http_reply_t reply = world_ask(*state, "GET", "/v1/now", NULL);
            assert_int_equal(reply.status, 200);
            gp_http_reply_done(&reply);
        }
    }
}

/* ---- who may ask --------------------------------------------------------------------------------
 */

static void the_socket_is_private(void **state)
{
    world_t *world = *state;
    struct stat status;
    assert_int_equal(stat(world->fake.path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

static void other_users_are_refused(void **state)
{
    world_t *world = *state;
    if (geteuid() != 0) {
        skip();
    }
    assert_int_equal(chmod(world->fake.directory, 0711), 0);
    assert_int_equal(chmod(world->fake.node, 0711), 0);
    /* The raw call changes this thread only; the server's thread keeps its user. */
    assert_int_equal(syscall(SYS_setresuid, -1, 65534, -1), 0);
    gp_http_client_t *client = NULL;
    gp_error_t error = gp_http_client_open(world->fake.path, &client);
    assert_int_equal(syscall(SYS_setresuid, -1, 0, -1), 0);
    assert_int_equal(error, GP_E_NOT_PERMITTED);
    assert_int_equal(chmod(world->fake.path, 0666), 0);
    assert_int_equal(syscall(SYS_setresuid, -1, 65534, -1), 0);
    error = gp_http_client_open(world->fake.path, &client);
    assert_int_equal(syscall(SYS_setresuid, -1, 0, -1), 0);
    assert_int_equal(error, GP_OK);
    gp_http_ask_t request = {
        .method = "GET", .path = "/v1/now", .timeout_ms = LIMIT_MS, .wake = -1};
    gp_http_reply_t reply;
    assert_int_equal(gp_http_client_ask(client, &request, &reply), GP_OK);
    assert_int_equal(reply.status, 403);
    assert_string_equal(world_error_text(&reply, "code"), "E_NOT_PERMITTED");
    gp_http_reply_done(&reply);
    gp_http_client_close(client);
}

/* ---- the socket ------------------------------------------------------------------------------ */

static gp_error_t second_server(world_t *world, struct event_base *base, gp_http_server_t **server)
{
    gp_http_config_t config = {.base = base,
                               .socket_path = world->fake.path,
                               .routes = world_routes,
                               .route_count = world_route_count,
                               .context = world};
    return gp_http_server_new(&config, server);
}

static void a_dead_agents_socket_is_replaced(void **state)
{
    world_t *world = *state;
    fake_stop(&world->fake);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", world->fake.path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    (void)close(fd);
    gp_http_client_t *client = NULL;
    assert_int_equal(gp_http_client_open(world->fake.path, &client), GP_E_NO_AGENT);
    world_start(world);
    gp_http_reply_t reply = world_ask(world, "GET", "/v1/now", NULL);
    assert_int_equal(reply.status, 200);
    gp_http_reply_done(&reply);
}

static void a_living_agents_socket_is_respected(void **state)
{
    world_t *world = *state;
    gp_http_server_t *server = NULL;
    struct event_base *base = event_base_new();
    assert_int_equal(second_server(world, base, &server), GP_E_STATE_LOCKED);
    fake_stop(&world->fake);
    int fd = open(world->fake.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(second_server(world, base, &server), GP_E_STATE_DAMAGED);
    assert_int_equal(unlink(world->fake.path), 0);
    (void)snprintf(world->fake.path, sizeof world->fake.path, "%s/nowhere/api.sock",
                   world->fake.directory);
    assert_int_equal(second_server(world, base, &server), GP_E_STATE_MISSING);
    event_base_free(base);
}

static void connections_are_limited_and_wait_their_turn(void **state)
{
    world_t *world = *state;
    int fds[GP_HTTP_CONNECTIONS_MAX * 2];
    char text[4096];
    for (int i = 0; i < GP_HTTP_CONNECTIONS_MAX * 2; i++) {
        fds[i] = world_open(world);
    }
    world_send(fds[GP_HTTP_CONNECTIONS_MAX * 2 - 1],
               "GET /v1/now HTTP/1.1\r\nConnection: close\r\n\r\n");
    struct pollfd last = {.fd = fds[GP_HTTP_CONNECTIONS_MAX * 2 - 1], .events = POLLIN};
    assert_int_equal(poll(&last, 1, 100), 0);
    for (int i = 0; i < GP_HTTP_CONNECTIONS_MAX * 2 - 1; i++) {
        (void)close(fds[i]);
    }
    assert_true(world_receive(last.fd, text, sizeof text) > 0);
    assert_non_null(strstr(text, "HTTP/1.1 200 "));
    (void)close(last.fd);
}

static atomic_int accepts_to_fail;

/* In place of libc's, also for libevent. */
int accept4(int fd, __SOCKADDR_ARG from, socklen_t *restrict length, int flags)
{
    if (atomic_load(&accepts_to_fail) > 0) {
        atomic_fetch_sub(&accepts_to_fail, 1);
        errno = EMFILE;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, from.__sockaddr__, length, flags);
}

static void without_descriptors_clients_wait_their_turn(void **state)
{
    atomic_store(&accepts_to_fail, 3);
    gp_http_reply_t reply = world_ask(*state, "GET", "/v1/now", NULL);
    assert_int_equal(reply.status, 200);
    assert_int_equal(atomic_load(&accepts_to_fail), 0);
    gp_http_reply_done(&reply);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_document_is_answered),
        TEST(parameters_and_bodies_arrive),
        TEST(text_and_errors_are_answered),
        TEST(a_guard_answers_in_place_of_the_handler),
        TEST(bad_requests_get_json_errors),
        TEST(bodies_that_are_not_json_are_refused),
        TEST(deep_json_is_refused),
        TEST(a_large_body_is_refused),
        TEST(a_flood_of_headers_is_refused),
        TEST(nonsense_does_not_hurt),
        TEST(requests_may_follow_each_other),
        TEST(mutated_requests_do_not_hurt),
        TEST(the_socket_is_private),
        TEST(other_users_are_refused),
        TEST(a_dead_agents_socket_is_replaced),
        TEST(a_living_agents_socket_is_respected),
        TEST(connections_are_limited_and_wait_their_turn),
        TEST(without_descriptors_clients_wait_their_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
