/*
 * The agent's API: HTTP/1.1 + JSON on a Unix socket, in the agent's libevent loop.
 *
 * A handler gets a call, reads what was asked, and answers exactly once: now, later, or as a stream
 * of JSON lines. Nothing here knows the grid. All functions belong to the loop's thread.
 *
 * Who may talk: the socket has mode 0600, and the credentials of each peer are asked from the
 * kernel: the agent's own user and root, nobody else.
 */
#ifndef GP_AGENT_HTTP_SERVER_H
#define GP_AGENT_HTTP_SERVER_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/http/document.h"

struct event_base;

typedef struct gp_http_server gp_http_server_t;
typedef struct gp_http_call gp_http_call_t;

/* `context` is the config's. The handler answers before it returns, or calls gp_http_call_wait. */
typedef void gp_http_handler_t(gp_http_call_t *call, void *context);

/* News for somebody who holds a call; `context` as given with the function. */
typedef void gp_http_notify_t(void *context);

typedef struct gp_http_route {
    const char *method; /* "GET", "POST", "PUT" or "DELETE" */
    const char *path;   /* "/v1/jobs/{id}/cancel": {name} matches one segment */
    gp_http_handler_t *handle;
} gp_http_route_t;

/* Asked before a handler runs: true lets it, false has answered the call in its place. */
typedef bool gp_http_guard_t(gp_http_call_t *call, const gp_http_route_t *route, void *context);

typedef struct gp_http_config {
    struct event_base *base;
    const char *socket_path;
    const gp_http_route_t *routes; /* lives as long as the server */
    size_t route_count;
    gp_http_guard_t *guard; /* NULL: whoever may talk may ask everything */
    void *context;          /* for handlers and the guard */
} gp_http_config_t;

/* Who asks, as the kernel says. */
typedef struct gp_http_peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
} gp_http_peer_t;

/*
 * Listens on the socket. What a dead agent left is replaced; GP_E_STATE_LOCKED if an agent answers
 * there, GP_E_STATE_DAMAGED if something that is not a socket has the name; else
 * GP_E_STATE_MISSING, GP_E_NOT_PERMITTED, GP_E_STATE_FULL, GP_E_MEMORY, GP_E_SYSTEM (see errno).
 *
 * From here on the process ignores SIGPIPE: libevent writes to clients that may be gone. Who starts
 * programs sets it back to its default for them.
 */
GP_MUST_CHECK gp_error_t gp_http_server_new(const gp_http_config_t *config,
                                            gp_http_server_t **ret_server);

/*
 * Closes the socket and every connection; waiting calls are told (on_close). Not from a handler.
 * NULL is allowed.
 */
void gp_http_server_free(gp_http_server_t *server);

/* No new connections; those that are open go on. For an agent that is about to stop. */
void gp_http_server_quiet(gp_http_server_t *server);

/* ---- what was asked; valid until the call is answered ---------------------------------------- */

/* The segment that matched {name}, decoded; NULL if the route has none of that name. */
const char *gp_http_call_param(const gp_http_call_t *call, const char *name);

/* The value of ?name=, decoded; NULL if not given. */
const char *gp_http_call_query(const gp_http_call_t *call, const char *name);

/* The body: always an object; empty if none was sent. Borrowed. */
json_t *gp_http_call_body(const gp_http_call_t *call);

/*
 * Takes the body apart as json_unpack_ex does; `format` is that of a strict object: "{s:s, s?:i
 * !}". If it does not fit, answers with GP_E_HTTP and jansson's reason, and returns false.
 */
bool gp_http_call_unpack(gp_http_call_t *call, const char *format, ...);

const gp_http_peer_t *gp_http_call_peer(const gp_http_call_t *call);

/* ---- the answer: one of these, once; the call is gone afterwards ----------------------------- */

/* 200 and the document, whose reference is taken; NULL answers with GP_E_MEMORY. */
void gp_http_call_answer(gp_http_call_t *call, json_t *document);

/* 200 and text of another type (metrics); copied. */
void gp_http_call_text(gp_http_call_t *call, const char *content_type, gp_slice_t text);

/* An error, as JSON, with the HTTP status that fits it. */
void gp_http_call_fail(gp_http_call_t *call, const gp_document_fault_t *fault);

/* The same for an error with a detail only. */
void gp_http_call_error(gp_http_call_t *call, gp_error_t error, const char *detail);

/* ---- later, and streams ---------------------------------------------------------------------- */

/*
 * The answer comes later. If the client goes away before it, or the server ends, on_close(context)
 * is called once and the call is gone: forget it, and stop the work if it was for that client.
 */
void gp_http_call_wait(gp_http_call_t *call, gp_http_notify_t *on_close, void *context);

/*
 * 200, and then lines. Needs gp_http_call_wait before it. After a line that returned false,
 * on_drain(context of wait) is called once when the client has read what was sent.
 */
void gp_http_stream_start(gp_http_call_t *call, gp_http_notify_t *on_drain);

/*
 * Sends one line, whose reference is taken. False: the client is slow; send no more until on_drain.
 * A producer that goes on beyond GP_HTTP_STREAM_MAX unsent bytes loses the client (on_close, from
 * the loop).
 */
bool gp_http_stream_line(gp_http_call_t *call, json_t *line);

/* The last line was sent: the connection closes when the client has read it all. */
void gp_http_stream_end(gp_http_call_t *call);

#endif
