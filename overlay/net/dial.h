/*
 * Dials: a fresh TCP connection, to see what the other side's kernel says. No ZeroMQ.
 */
#ifndef GP_OVERLAY_NET_DIAL_H
#define GP_OVERLAY_NET_DIAL_H

#include "proto/core.h"
#include "proto/limits.h"

struct event;
struct event_base;

#define GP_DIAL_MS 300

struct gp_dials;

typedef struct gp_dial_try {
    struct gp_dials *dials;
    struct event *event; /* NULL: free */
    int fd;              /* -1: the result is known already */
    gp_dial_t result;
    gp_id_t peer;
    uint64_t token;
} gp_dial_try_t;

typedef struct gp_dials {
    struct event_base *base;
    void (*on_result)(void *context, const gp_id_t *peer, uint64_t token, gp_dial_t result);
    void *context;
    gp_dial_try_t tries[GP_NET_DIALS_MAX];
} gp_dials_t;

/*
 * Tries address ("tcp://..."; NULL: not known) and tells on_result later, from the loop. False: too
 * many at once, nothing will be told.
 */
bool gp_dial(gp_dials_t *dials, const char *address, const gp_id_t *peer, uint64_t token);

/* Ends all tries; nothing is told. */
void gp_dials_close(gp_dials_t *dials);

#endif
