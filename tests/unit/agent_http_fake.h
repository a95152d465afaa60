/*
 * For tests: an API server in a thread of its own, on a socket in a directory of its own.
 */
#ifndef GP_TESTS_AGENT_HTTP_FAKE_H
#define GP_TESTS_AGENT_HTTP_FAKE_H

#include <pthread.h>

#include "agent/http/server.h"

typedef struct fake {
    char directory[64]; /* .../, removed by fake_stop */
    char node[72];      /* directory/n1 */
    char path[96];      /* directory/n1/api.sock */
    struct event_base *base;
    struct event *ready;
    gp_http_server_t *server;
    pthread_t thread;
    int stop[2]; /* a pipe: a byte ends the loop */
    bool running;
    gp_http_guard_t *guard; /* of the server; NULL: none */
} fake_t;

/* Makes the directory. */
void fake_place(fake_t *fake);

/* Starts the server; `context` is the handlers'. */
void fake_start(fake_t *fake, const gp_http_route_t *routes, size_t count, void *context);

/* Ends the loop, frees the server. Calls that wait are told. */
void fake_stop(fake_t *fake);

/* Removes the directory with all that is in it. */
void fake_remove(fake_t *fake);

/* Runs `change` in the loop's thread and waits for it. */
void fake_call(fake_t *fake, void (*change)(void *context), void *context);

#endif
