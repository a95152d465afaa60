/*
 * What a ZeroMQ socket tells about its connections. Its I/O thread writes, our loop reads.
 *
 * A monitor is stopped before its reading end is closed: the other way round, the I/O thread
 * waits for a reader for ever and every socket of the context goes dead (libzmq issue 3575).
 */
#ifndef GP_OVERLAY_NET_MONITOR_H
#define GP_OVERLAY_NET_MONITOR_H

#include "overlay/net/zwatch.h"

#include <stdint.h>

typedef struct gp_monitor {
    gp_zwatch_t watch;
    void *pair;      /* NULL: closed */
    void *monitored; /* the socket; not ours */
    void (*on_event)(void *owner, uint16_t event, uint32_t value);
    void *owner;
} gp_monitor_t;

/*
 * Monitors these ZMQ_EVENT_* of a socket. hub may be NULL, for one monitor of a context: then
 * nothing is watched and the caller polls `pair` and calls gp_monitor_drain itself. GP_E_TRANSPORT.
 */
typedef struct gp_monitor_config {
    gp_zhub_t *hub;
    void *context;
    void *monitored;
    int events;
    void (*on_event)(void *owner, uint16_t event, uint32_t value);
    void *owner;
} gp_monitor_config_t;

GP_MUST_CHECK gp_error_t gp_monitor_open(gp_monitor_t *monitor, const gp_monitor_config_t *config);

/* Hands on the events that are there, a bounded number; true: there may be more. */
bool gp_monitor_drain(gp_monitor_t *monitor);

/* Before the monitored socket is closed; may be called from on_event. Closed or zeroed is fine. */
void gp_monitor_close(gp_monitor_t *monitor);

#endif
