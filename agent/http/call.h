/*
 * Private to agent/http: one request on its way to an answer, as server.c and call.c see it.
 */
#ifndef GP_AGENT_HTTP_CALL_H
#define GP_AGENT_HTTP_CALL_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "agent/http/route.h"
#include "agent/http/server.h"

typedef enum gp_http_state {
    GP_HTTP_ASKED = 1, /* the handler runs and has not answered */
    GP_HTTP_WAITING,   /* the answer comes later */
    GP_HTTP_STREAM,    /* lines are on their way */
    GP_HTTP_DONE       /* answered, or the client is gone */
} gp_http_state_t;

struct gp_http_call {
    struct evhttp_request *request;
    struct evhttp_connection *connection; /* NULL: gone */
    struct event *closed;                 /* watches a waiting client */
    gp_http_state_t state;
    bool dispatching; /* the handler is on the stack: the dispatcher frees */
    bool dropped;     /* too slow: nothing more is sent */
    bool draining;    /* the producer waits for on_drain */
    gp_http_params_t params;
    char *values[GP_HTTP_PARAMS_MAX]; /* decoded */
    struct evkeyvalq query;
    json_t *body;
    gp_http_peer_t peer;
    gp_http_notify_t *on_close;
    gp_http_notify_t *on_drain;
    void *context;
};

/* A call for a request that evhttp handed over; NULL if memory is out. */
gp_http_call_t *gp_http_call_new(struct evhttp_request *request);

/* Frees the call, not the request. */
void gp_http_call_free(gp_http_call_t *call);

/* Answers with an error and a status of its own. */
void gp_http_call_refuse(gp_http_call_t *call, int status, gp_error_t error, const char *detail);

#endif
