/*
 * The client's reader of HTTP/1.1 answers: bytes in, status and body out (RFC 9112). No socket
 * here.
 */
#ifndef GP_AGENT_HTTP_WIRE_H
#define GP_AGENT_HTTP_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/errors.h"

typedef struct gp_http_buffer {
    char *bytes;
    size_t n;
    size_t size;
} gp_http_buffer_t;

typedef enum gp_http_wire_state {
    GP_HTTP_WIRE_HEAD = 0,
    GP_HTTP_WIRE_LENGTH, /* `left` bytes of the body to come */
    GP_HTTP_WIRE_CHUNK_SIZE,
    GP_HTTP_WIRE_CHUNK_DATA, /* `left` bytes of the chunk to come, and its line end */
    GP_HTTP_WIRE_TRAILER,
    GP_HTTP_WIRE_UNTIL_END, /* the body ends with the connection */
    GP_HTTP_WIRE_ENDED
} gp_http_wire_state_t;

/* All zero at first. */
typedef struct gp_http_wire {
    gp_http_wire_state_t state;
    gp_error_t error; /* why feeding failed */
    int status;
    uint64_t left;
    gp_http_buffer_t in;   /* bytes not yet understood */
    gp_http_buffer_t body; /* the body as far as it came; the user takes from its front */
} gp_http_wire_t;

/*
 * More bytes from the server. GP_E_HTTP (not an HTTP answer, a head over GP_HTTP_HEAD_MAX),
 * GP_E_MEMORY.
 */
GP_MUST_CHECK gp_error_t gp_http_wire_feed(gp_http_wire_t *wire, const char *bytes, size_t n);

/* The connection ended. GP_E_NO_AGENT if the answer was not whole. */
GP_MUST_CHECK gp_error_t gp_http_wire_end(gp_http_wire_t *wire);

void gp_http_wire_done(gp_http_wire_t *wire);

/* Removes the first n bytes. */
void gp_http_buffer_drop(gp_http_buffer_t *buffer, size_t n);

#endif
