/*
 * Who may connect: the handler of ZeroMQ's authentication protocol (RFC 27, ZAP), in our loop.
 *
 * A key that is let in becomes the User-Id of every frame of that connection. A known one is in at
 * once. An unknown one is not answered: its handshake is held until the time-out of both sides
 * (2 s), and should it be admitted meanwhile, it is in at once. A refusal in words would be worse
 * both ways: libzmq 4.3.4 never reconnects after a 400, and after a 300 only when that time-out is
 * over, or sooner, by chance.
 *
 * Who is held and still unknown when the owner has heard of the knock may be let in as a stranger,
 * to say who it is. Strangers have a bounded number of places; each keeps its own until its first
 * frame or, if none comes, until its connection is cut for that (inbox.c).
 */
#ifndef GP_OVERLAY_NET_ZAP_H
#define GP_OVERLAY_NET_ZAP_H

#include "overlay/net/zwatch.h"
#include "proto/limits.h"
#include "proto/types.h"

#define GP_ZAP_ROUTE_MAX   16
#define GP_ZAP_REQUEST_MAX 16
/* By then a silent connection, which was there before its handshake was held, is cut. */
#define GP_ZAP_STRANGER_MS (GP_NET_HANDSHAKE_MS + GP_NET_GREETING_MS + GP_NET_TICK_MS)

typedef struct gp_zap_held {
    uint8_t route[GP_ZAP_ROUTE_MAX];
    uint8_t request[GP_ZAP_REQUEST_MAX];
    uint8_t route_n; /* 0: free */
    uint8_t request_n;
    uint8_t key[32];
} gp_zap_held_t;

typedef struct gp_zap_stranger {
    uint8_t key[32];
    uint64_t until_ms; /* 0: the place is free */
} gp_zap_stranger_t;

typedef struct gp_zap {
    void *socket;
    gp_zwatch_t watch;
    bool (*known)(void *context, const uint8_t key[32]);
    void (*before)(void *context); /* called before a request is looked at */
    void (*holds)(void *context);  /* called after an unknown key's was held */
    void *context;
    uint8_t probe[32]; /* refused at once and aloud, for the self-test */
    bool probed;       /* the probe's key was seen */
    uint64_t admitted;
    uint64_t refused; /* held, and never admitted while there was room for it */
    uint32_t next;    /* the oldest slot */
    gp_zap_held_t held[GP_NET_HELD_MAX];
    uint32_t stranger_count;
    gp_zap_stranger_t strangers[GP_NET_STRANGERS_MAX];
} gp_zap_t;

/* Binds the handler of this context: before any CURVE socket binds. `known` and so on are set. */
GP_MUST_CHECK gp_error_t gp_zap_open(gp_zap_t *zap, void *zmq_context);

/* Answers the requests that are there, a bounded number; true: there may be more. */
bool gp_zap_drain(gp_zap_t *zap);

GP_MUST_CHECK gp_error_t gp_zap_watch(gp_zap_t *zap, gp_zhub_t *hub);

/* This key is now known: lets in whoever waits with it. */
void gp_zap_admit(gp_zap_t *zap, const uint8_t key[32]);

/* Lets those that wait in as strangers, the newest first, as far as there are places. */
void gp_zap_let_in(gp_zap_t *zap, uint64_t now_ms);

/* A stranger with this key has sent its first frame: its place is free. */
void gp_zap_spoke(gp_zap_t *zap, const uint8_t key[32]);

/* A closed or zeroed one is fine. */
void gp_zap_close(gp_zap_t *zap);

#endif
