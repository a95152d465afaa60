#include "agent_http_world.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto_cmocka.h"

/* ---- handlers -------------------------------------------------------------------------------- */

json_t *world_document(json_t *item)
{
    json_t *document = gp_document_new("test", 0, false);
    (void)gp_document_add(document, item);
    return document;
}

static void handle_now(gp_http_call_t *call, void *context)
{
    (void)context;
    const char *query = gp_http_call_query(call, "q");
    gp_http_call_answer(call, world_document(json_pack("{s:s?, s:i}", "q", query, "uid",
                                                       (int)gp_http_call_peer(call)->uid)));
}

static void handle_echo(gp_http_call_t *call, void *context)
{
    (void)context;
    const char *id = gp_http_call_param(call, "id");
    gp_http_call_answer(
        call, world_document(json_pack("{s:s, s:O}", "id", id, "body", gp_http_call_body(call))));
}

static void handle_strict(gp_http_call_t *call, void *context)
{
    (void)context;
    const char *query = NULL;
    int limit = 1;
    if (gp_http_call_unpack(call, "{s:s, s?:i !}", "query", &query, "limit", &limit)) {
        gp_http_call_answer(call, world_document(json_pack("{s:s, s:i}", "q", query, "n", limit)));
    }
}

static void handle_fail(gp_http_call_t *call, void *context)
{
    (void)context;
    gp_http_call_error(call, GP_E_TOKEN_USED, "token 7 was used 5 of 5 times");
}

static void handle_text(gp_http_call_t *call, void *context)
{
    (void)context;
    gp_http_call_text(call, "text/plain", gp_text("metric 1\n"));
}

static void on_close(void *context)
{
    world_t *world = context;
    world->waiting = NULL;
    ssize_t n = write(world->closed, "x", 1);
    assert_int_equal(n, 1);
}

static void handle_wait(gp_http_call_t *call, void *context)
{
    world_t *world = context;
    world->waiting = call;
    gp_http_call_wait(call, on_close, world);
    ssize_t n = write(world->closed, "w", 1);
    assert_int_equal(n, 1);
}

static json_t *line_of(uint32_t number)
{
    static char padding[1000];
    memset(padding, 'p', sizeof padding - 1);
    return json_pack("{s:i, s:s}", "n", (int)number, "padding", padding);
}

static void lines_send(void *context)
{
    world_t *world = context;
    while (world->sent < world->lines || world->endless) {
        world->sent++;
        if (!gp_http_stream_line(world->waiting, line_of(world->sent)) && !world->endless) {
            world->drains++;
            return;
        }
        if (world->sent == 5000) {
            return;
        }
    }
    gp_http_call_t *call = world->waiting;
    world->waiting = NULL;
    gp_http_stream_end(call);
}

static void handle_stream(gp_http_call_t *call, void *context)
{
    world_t *world = context;
    world->waiting = call;
    gp_http_call_wait(call, on_close, world);
    gp_http_stream_start(call, lines_send);
    lines_send(world);
}

const gp_http_route_t world_routes[] = {
    {"GET", "/v1/now", handle_now},        {"POST", "/v1/things/{id}/echo", handle_echo},
    {"POST", "/v1/strict", handle_strict}, {"GET", "/v1/fail", handle_fail},
    {"GET", "/v1/text", handle_text},      {"GET", "/v1/wait", handle_wait},
    {"GET", "/v1/stream", handle_stream},
};
const size_t world_route_count = sizeof world_routes / sizeof world_routes[0];

/* ---- helpers -----------------------------------------------------------------------------------
 */

void world_start(world_t *world)
{
    fake_start(&world->fake, world_routes, world_route_count, world);
}

int world_setup(void **state)
{
    world_t *world = calloc(1, sizeof *world);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    world->closed_read = ends[0];
    world->closed = ends[1];
    fake_place(&world->fake);
    world_start(world);
    *state = world;
    return 0;
}

int world_teardown(void **state)
{
    world_t *world = *state;
    fake_remove(&world->fake);
    (void)close(world->closed);
    (void)close(world->closed_read);
    free(world);
    return 0;
}

char world_news(world_t *world)
{
    struct pollfd fd = {.fd = world->closed_read, .events = POLLIN};
    char byte = 0;
    assert_int_equal(poll(&fd, 1, LIMIT_MS), 1);
    assert_int_equal(read(world->closed_read, &byte, 1), 1);
    return byte;
}

gp_http_reply_t world_ask(world_t *world, const char *method, const char *path, const char *body)
{
    gp_http_client_t *client = NULL;
    gp_http_reply_t reply = {0};
    json_t *json = body == NULL ? NULL : json_loads(body, JSON_DECODE_ANY, NULL);
    gp_http_ask_t request = {
        .method = method, .path = path, .body = json, .timeout_ms = LIMIT_MS, .wake = -1};
    assert_int_equal(gp_http_client_open(world->fake.path, &client), GP_OK);
    assert_int_equal(gp_http_client_pid(client), getpid());
    assert_int_equal(gp_http_client_ask(client, &request, &reply), GP_OK);
    gp_http_client_close(client);
    json_decref(json);
    return reply;
}

const char *world_error_text(const gp_http_reply_t *reply, const char *field)
{
    const json_t *error = json_object_get(reply->document, "error");
    assert_non_null(error);
    return json_string_value(json_object_get(error, field));
}

const json_t *world_first_item(const gp_http_reply_t *reply)
{
    return json_array_get(gp_document_items(reply->document, "test"), 0);
}

/* Connects without the client, to say what the client never says. */
int world_open(world_t *world)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", world->fake.path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void world_send(int fd, const char *text)
{
    size_t n = strlen(text);
    while (n > 0) {
        ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);
        if (sent < 0) {
            return;
        }
        text += sent;
        n -= (size_t)sent;
    }
}

/* What the server says until it closes; terminated. Returns 0 also if it only closes. */
size_t world_receive(int fd, char *text, size_t size)
{
    size_t n = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    while (n + 1 < size && poll(&ready, 1, LIMIT_MS) == 1) {
        ssize_t got = recv(fd, text + n, size - 1 - n, 0);
        if (got <= 0) {
            break;
        }
        n += (size_t)got;
    }
    text[n] = '\0';
    return n;
}

gp_http_client_t *world_stream(world_t *world)
{
    gp_http_client_t *client = NULL;
    gp_http_reply_t reply;
    gp_http_ask_t request = {
        .method = "GET", .path = "/v1/stream", .timeout_ms = LIMIT_MS, .wake = -1};
    assert_int_equal(gp_http_client_open(world->fake.path, &client), GP_OK);
    assert_int_equal(gp_http_client_start(client, &request, &reply), GP_OK);
    assert_int_equal(reply.status, 200);
    return client;
}
