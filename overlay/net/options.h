/*
 * Every option of every ZeroMQ socket and context, set in one place: none is left to its default.
 */
#ifndef GP_OVERLAY_NET_OPTIONS_H
#define GP_OVERLAY_NET_OPTIONS_H

#include "proto/keys.h"

#define GP_NET_ZAP_DOMAIN   "gridpeer"
#define GP_NET_ZAP_ENDPOINT "inproc://zeromq.zap.01" /* RFC 27, ZAP */
#define GP_NET_HANDSHAKE_MS 2000
#define GP_NET_TICK_MS      500 /* how often the transport looks after what is overdue */

typedef struct gp_curve {
    uint8_t public_key[32];
    uint8_t secret_key[32];
} gp_curve_t;

/* A context with one I/O thread. NULL: no descriptors, no memory. */
void *gp_context_new(void);

/* A ROUTER that only admitted keys can talk to. NULL if any of it fails, the ZAP rule first of all.
 */
void *gp_inbox_socket(void *context, const gp_curve_t *self);

/* A DEALER that talks to the holder of server_key only. NULL as above. */
void *gp_link_socket(void *context, const gp_curve_t *self, const uint8_t server_key[32]);

/* The handler's socket of the ZAP protocol, bound. NULL as above. */
void *gp_zap_socket(void *context);

/* The reading end of a monitor: takes any number of events, so that it never blocks the I/O thread.
 */
void *gp_monitor_socket(void *context);

/*
 * Bounds the time after which TCP repeats what is lost, of a connection or of a listening socket's
 * connections, to 1 s: TCP doubles it with each loss, up to 2 minutes, and a beat is worth nothing
 * then. Not TCP, or a kernel before Linux 6.15: nothing happens.
 */
void gp_connection_quicken(int fd);

/* Closes a socket; what was sent gets linger_ms to leave. */
void gp_socket_close(void *socket, int linger_ms);

#endif
