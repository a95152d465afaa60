/*
 * The CLI's side of the API: a blocking HTTP/1.1 client over a Unix socket, one request a
 * connection, whole answers or streams of JSON lines.
 */
#ifndef GP_AGENT_HTTP_CLIENT_H
#define GP_AGENT_HTTP_CLIENT_H

#include <jansson.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/errors.h"
#include "proto/limits.h"

typedef struct gp_http_client gp_http_client_t;

typedef struct gp_http_ask {
    const char *method;
    const char *path;    /* with its query, encoded */
    const json_t *body;  /* NULL: none */
    uint64_t timeout_ms; /* until the whole answer (or a stream's head) is here; 0: no limit */
    int wake;            /* a descriptor whose readiness interrupts a wait, or -1 */
} gp_http_ask_t;

typedef struct gp_http_reply {
    int status;
    json_t *document; /* the caller's; NULL if the body is not JSON */
    char *text;       /* the body as it came, terminated; the caller's, free() */
    size_t text_n;
} gp_http_reply_t;

typedef enum gp_http_next {
    GP_HTTP_NEXT_LINE = 1, /* a line came */
    GP_HTTP_NEXT_END,      /* the stream ended in good order */
    GP_HTTP_NEXT_WAKE,     /* the wake descriptor is ready */
    GP_HTTP_NEXT_TIMEOUT,  /* nothing came in time */
    GP_HTTP_NEXT_LOST      /* the agent went away, or spoke nonsense */
} gp_http_next_t;

/*
 * Connects. GP_E_STATE_MISSING (no directory or no socket there), GP_E_NO_AGENT (nobody listens),
 * GP_E_NOT_PERMITTED, GP_E_TIMED_OUT (its backlog is full), GP_E_MEMORY, GP_E_SYSTEM (see errno).
 */
GP_MUST_CHECK gp_error_t gp_http_client_open(const char *socket_path,
                                             gp_http_client_t **ret_client);

/* The agent's process, as the kernel says; 0 if it can't be seen from here. */
pid_t gp_http_client_pid(const gp_http_client_t *client);

/* NULL is allowed. */
void gp_http_client_close(gp_http_client_t *client);

/*
 * Asks, and waits for the whole answer; any status is GP_OK. GP_E_NO_AGENT (it went away),
 * GP_E_TIMED_OUT, GP_E_HTTP (not HTTP, or over GP_HTTP_REPLY_MAX), GP_E_MEMORY. A wake counts as
 * GP_E_TIMED_OUT.
 */
GP_MUST_CHECK gp_error_t gp_http_client_ask(gp_http_client_t *client, const gp_http_ask_t *ask,
                                            gp_http_reply_t *ret_reply);

/* Frees what a reply holds. */
void gp_http_reply_done(gp_http_reply_t *reply);

/*
 * Asks for a stream. With a status other than 200 the answer is whole, as for _ask; with 200 the
 * lines follow: gp_http_client_next. Errors as _ask.
 */
GP_MUST_CHECK gp_error_t gp_http_client_start(gp_http_client_t *client, const gp_http_ask_t *ask,
                                              gp_http_reply_t *ret_reply);

/* Waits for the next line at most timeout_ms (0: no limit). The line is the caller's. */
gp_http_next_t gp_http_client_next(gp_http_client_t *client, uint64_t timeout_ms, int wake,
                                   json_t **ret_line);

#endif
