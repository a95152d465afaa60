/*
 * For tests of agent/http: a server with handlers of every kind, its client, and a raw connection
 * that says what the client never says.
 */
#ifndef GP_TESTS_AGENT_HTTP_WORLD_H
#define GP_TESTS_AGENT_HTTP_WORLD_H

#include "agent/http/client.h"
#include "agent/http/server.h"
#include "agent_http_fake.h"
#include "proto/limits.h"

#define LIMIT_MS 10000 /* how long a test waits for what must come */

typedef struct world {
    fake_t fake;
    gp_http_call_t *waiting;
    int closed; /* a pipe: the server writes a byte when a waiting client went away */
    int closed_read;
    uint32_t lines; /* that the producer still has to send */
    uint32_t sent;
    uint32_t drains;
    bool endless;
} world_t;

/*
 * GET /v1/now, /v1/fail, /v1/text: answered at once. POST /v1/things/{id}/echo, /v1/strict: the
 * body. GET /v1/wait: the call waits in world->waiting. GET /v1/stream: world->lines lines.
 */
extern const gp_http_route_t world_routes[];
extern const size_t world_route_count;

int world_setup(void **state);
int world_teardown(void **state);

/* Starts the server again after fake_stop. */
void world_start(world_t *world);

/* Waits for the server: 'w' when a call waits, 'x' when its client went away. */
char world_news(world_t *world);

json_t *world_document(json_t *item);

/* One request by the client, which must be answered. */
gp_http_reply_t world_ask(world_t *world, const char *method, const char *path, const char *body);

const char *world_error_text(const gp_http_reply_t *reply, const char *field);
const json_t *world_first_item(const gp_http_reply_t *reply);

/* A stream by the client. */
gp_http_client_t *world_stream(world_t *world);

/* A raw connection; what the server says until it closes, terminated. */
int world_open(world_t *world);
void world_send(int fd, const char *text);
size_t world_receive(int fd, char *text, size_t size);

#endif
