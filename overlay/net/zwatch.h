/*
 * ZeroMQ sockets in a libevent loop. This is the only file that touches ZMQ_FD.
 *
 * ZMQ_FD says "something may have changed" once, and any call on the socket (a send, a receive,
 * a look at an option) eats that word. So: after every drain, and after every send outside one, the
 * socket's real state (ZMQ_EVENTS) is read, and if there is work left, the drain is run again in
 * the loop's next turn. A drain handles a bounded number of messages, so that no socket starves
 * others.
 */
#ifndef GP_OVERLAY_NET_ZWATCH_H
#define GP_OVERLAY_NET_ZWATCH_H

#include "proto/errors.h"
#include "proto/limits.h"

#include <stdbool.h>

struct event;
struct event_base;

#define GP_ZWATCH_BUDGET 32 /* messages of one drain */

typedef struct gp_zwatch gp_zwatch_t;

/* Runs the watches that have work left, once each a turn of the loop. */
typedef struct gp_zhub {
    struct event_base *base;
    struct event *again;
    gp_zwatch_t *first; /* those with work left, in order */
    gp_zwatch_t *last;
    unsigned pending;
    unsigned monitors; /* a serial number for monitor.c */
} gp_zhub_t;

struct gp_zwatch {
    gp_zhub_t *hub;
    void *socket; /* NULL: closed */
    struct event *readable;
    bool (*drain)(
        void *owner); /* handles up to GP_ZWATCH_BUDGET messages; true: there may be more */
    void *owner;
    bool wants_output; /* the owner has something to send */
    bool pending;
    gp_zwatch_t *next;
};

GP_MUST_CHECK gp_error_t gp_zhub_open(gp_zhub_t *hub, struct event_base *base);
void gp_zhub_close(gp_zhub_t *hub);

/*
 * Watches a socket, which stays the caller's. The watch's memory must live until the loop is back
 * at its top after gp_zwatch_close, which may be called from inside the drain. GP_E_TRANSPORT.
 */
GP_MUST_CHECK gp_error_t gp_zwatch_open(gp_zwatch_t *watch, gp_zhub_t *hub, void *socket,
                                        bool (*drain)(void *owner), void *owner);

/* Before zmq_close of the socket. A closed or zeroed watch is fine. */
void gp_zwatch_close(gp_zwatch_t *watch);

/* After any call on the socket outside its drain. */
void gp_zwatch_touched(gp_zwatch_t *watch);

/*
 * Outside the loop: waits until one of these sockets may take more output than when it last refused
 * some, or until time is up. Closed watches are fine.
 */
void gp_zwatch_wait(gp_zwatch_t *const *watches, unsigned count, unsigned timeout_ms);

#endif
