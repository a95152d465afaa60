/*
 * Who may connect: the handler of ZeroMQ's authentication protocol (RFC 27, ZAP), in our loop.
 *
 * A known key is let in, and its identity becomes the User-Id of every frame of that connection. An
 * unknown key is not answered: its handshake is held until the time-out of both sides (2 s), and
 * should it be admitted meanwhile, it is in at once. A refusal in words would be worse both ways:
 * libzmq 4.3.4 never reconnects after a 400, and after a 300 only when that time-out is over, or
 * sooner, by chance.
 */
#ifndef GP_OVERLAY_NET_ZAP_H
#define GP_OVERLAY_NET_ZAP_H

#include "overlay/net/zwatch.h"
#include "proto/limits.h"
#include "proto/types.h"

#define GP_ZAP_ROUTE_MAX   16
#define GP_ZAP_REQUEST_MAX 16

typedef struct gp_zap_held {
    uint8_t route[GP_ZAP_ROUTE_MAX];
    uint8_t request[GP_ZAP_REQUEST_MAX];
    uint8_t route_n; /* 0: free */
    uint8_t request_n;
    uint8_t key[32];
} gp_zap_held_t;

typedef struct gp_zap {
    void *socket;
    gp_zwatch_t watch;
    const gp_id_t *(*known)(void *context, const uint8_t key[32]); /* NULL: not admitted */
    void (*before)(void *context); /* called before a request is looked at */
    void (*holds)(void *context);  /* called after an unknown key's was held */
    void *context;
    uint8_t probe[32]; /* refused at once and aloud, for the self-test */
    bool probed;       /* the probe's key was seen */
    uint64_t admitted;
    uint64_t refused; /* held, and never admitted while there was room for it */
    uint32_t next;    /* the oldest slot */
    gp_zap_held_t held[GP_NET_HELD_MAX];
} gp_zap_t;

/* Binds the handler of this context: before any CURVE socket binds. `known` and so on are set. */
GP_MUST_CHECK gp_error_t gp_zap_open(gp_zap_t *zap, void *zmq_context);

/* Answers the requests that are there, a bounded number; true: there may be more. */
bool gp_zap_drain(gp_zap_t *zap);

GP_MUST_CHECK gp_error_t gp_zap_watch(gp_zap_t *zap, gp_zhub_t *hub);

/* Key is now known as id: lets in whoever waits with it. */
void gp_zap_admit(gp_zap_t *zap, const uint8_t key[32], const gp_id_t *id);

/* A closed or zeroed one is fine. */
void gp_zap_close(gp_zap_t *zap);

#endif
