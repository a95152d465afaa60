/*
 * What the files of the transport share. Nobody else includes this.
 *
 *   net.c     opens and closes, and what happens at the loop's top
 *   peers.c   who is admitted, and who is forgotten
 *   inbox.c   incoming connections and the frames from them
 *   link.c    outgoing connections
 *   visit.c   machines of no group of this one: strangers, visitors, contacts
 *   send.c    which way a frame goes, and what waits
 *   dial.c    plain TCP dials
 */
#ifndef GP_OVERLAY_NET_INTERNAL_H
#define GP_OVERLAY_NET_INTERNAL_H

#include "overlay/net/dial.h"
#include "overlay/net/door.h"
#include "overlay/net/monitor.h"
#include "overlay/net/net.h"
#include "overlay/net/options.h"
#include "overlay/net/queue.h"
#include "overlay/net/zap.h"

#include <event2/util.h>

#define GP_ROUTE_MAX 8 /* ZeroMQ's own routing ids have 5 bytes */

/* An outgoing connection: socket NULL if there is none. */
typedef struct gp_net_link {
    void *socket;
    gp_zwatch_t watch;
    gp_monitor_t monitor;
    bool up;           /* the handshake is done */
    bool hello_due;    /* the other side does not know yet who this is */
    bool broken;       /* ZeroMQ will not try again */
    bool heard;        /* a frame came in over it */
    uint64_t since_ms; /* opened, up, or lost */
} gp_net_link_t;

typedef struct gp_net_peer {
    struct gp_net *net;
    gp_id_t id;
    uint8_t key[32]; /* CURVE, public */
    char address[GP_ADDRESS_MAX + 1];
    gp_standing_t standing;
    bool held;
    bool gone; /* forgotten; waits to be freed */
    bool up;   /* as on_link was told */
    gp_net_link_t link;
    int newest;           /* the newest incoming connection: its descriptor; -1: none */
    uint32_t connections; /* incoming */
    uint64_t used_ms;     /* when a frame last came or went */
    uint64_t leave_ms;    /* gone: when its connections are cut */
    uint64_t until_ms;    /* visitor: when it is forgotten, whatever it does */
    uint64_t rest_ms;     /* until then no link is opened: the last one was cut at once */
    gp_queue_t queue;
    uint64_t frames_in;
    uint64_t frames_out;
    uint64_t dropped;
    struct gp_net_peer *next_gone;
} gp_net_peer_t;

/* An incoming connection, found by its descriptor, which is ZeroMQ's. */
typedef struct gp_net_connection {
    gp_net_peer_t *peer; /* NULL: nobody's, or nothing heard yet */
    uint64_t serial;     /* higher: newer */
    uint64_t cookie;     /* the kernel's name of the socket, never used twice */
    int older;           /* of the same peer; -1: none */
    uint8_t route[GP_ROUTE_MAX];
    uint8_t route_n;
    bool open;         /* accepted and not closed, says the monitor */
    bool refused;      /* it was a stranger's, and is cut */
    uint64_t since_ms; /* accepted */
} gp_net_connection_t;

struct gp_net {
    struct event_base *base;
    gp_net_events_t events;
    uint32_t idle_ms;
    uint32_t wait_ms;
    uint32_t visitor_idle_ms;
    uint32_t visitor_rest_ms;
    gp_id_t self;
    gp_curve_t *curve; /* locked memory */

    void *context;
    gp_zhub_t hub;
    gp_zap_t zap;
    gp_door_t door;

    void *inbox;
    gp_zwatch_t inbox_watch;
    gp_monitor_t inbox_monitor;
    gp_net_connection_t *connections; /* by descriptor */
    int connection_count;
    uint64_t serial;
    uint64_t way; /* the routing id of the connection whose frame is being delivered */

    gp_net_peer_t **by_id;  /* ordered */
    gp_net_peer_t **by_key; /* ordered */
    uint32_t peer_count;
    gp_net_peer_t *gone;
    uint32_t link_count;
    uint64_t queued_bytes;
    gp_queue_t loopback;

    gp_dials_t dials;
    struct event *later; /* what a call leaves to the loop: loopback, changed links, freeing */
    struct event *tick;
    struct event *retry; /* of frames that wait for a connection that came in */
    bool knocked;        /* an unknown key is held, and on_knock not called yet */
    bool changed;        /* some peer's link may differ from what on_link was told */
    bool taking;         /* inside a frame of the inbox */
    bool closing;
    unsigned depth; /* inside so many callbacks */
    uint64_t trouble_ms;
    gp_net_counters_t counters;
};

/* ---- peers.c: who is admitted ---- */

gp_net_peer_t *gp_net_find(const gp_net_t *net, const gp_id_t *id);
gp_net_peer_t *gp_net_find_key(const gp_net_t *net, const uint8_t key[32]);

/* Adds one that is not known. GP_E_PEER_LIMIT, GP_E_CERT_FORMAT: no usable key. GP_E_MEMORY. */
GP_MUST_CHECK gp_error_t gp_net_add(gp_net_t *net, const gp_id_t *id, gp_standing_t standing,
                                    gp_net_peer_t **ret_peer);

/* Forgets it: nothing comes from it any more, and after leave_ms its connections are cut. */
void gp_net_remove(gp_net_peer_t *peer, uint32_t leave_ms);

/* It can be reached at this address, which is well written. */
void gp_net_move(gp_net_peer_t *peer, const char *address);

/* Has it shown that it may send frames? */
bool gp_net_is_proven(const gp_net_peer_t *peer);

/* Frees those forgotten whose time has come; from the loop's top only. */
void gp_peers_reap(gp_net_t *net, uint64_t now_ms);

/* Frees all. */
void gp_peers_close(gp_net_t *net);

/* ---- net.c ---- */

/* Runs gp_net_refresh for all and frees the dead, at the loop's top. */
void gp_net_later(gp_net_t *net);

/* From the loop only: tells on_link if the peer's state changed. */
void gp_net_refresh(gp_net_peer_t *peer);

/* Hands a frame to the owner. */
void gp_net_deliver(gp_net_t *net, const gp_id_t *id, gp_standing_t standing, gp_slice_t frame);

/* At most one a second reaches the owner. */
void gp_net_trouble(gp_net_t *net, gp_error_t error, const char *text);

/* ---- visit.c ---- */

/* Is it in no group of this machine? Then it stays only as long as it is used. */
bool gp_net_is_passing(const gp_net_peer_t *peer);

/* Forgets those whose time is over; from the loop's top only. */
void gp_visits_expire(gp_net_t *net, uint64_t now_ms);

/*
 * Hands the owner what somebody unproven with this key says. The peer that it is proven to be now,
 * or NULL: it is refused.
 */
gp_net_peer_t *gp_visits_take(gp_net_t *net, const uint8_t key[32], gp_slice_t frame,
                              bool *ret_asks);

/* The first frame for that machine: see on_greet. */
gp_slice_t gp_visits_greeting(const gp_net_peer_t *peer);

/* ---- inbox.c ---- */

GP_MUST_CHECK gp_error_t gp_inbox_open(gp_net_t *net);
void gp_inbox_close(gp_net_t *net);

/* Cuts all incoming connections of this peer. */
void gp_inbox_cut(gp_net_peer_t *peer);

/* Cuts the connections that are up for too long without a frame. */
void gp_inbox_tend(gp_net_t *net);

/* Takes in what the monitor knows: whose connection is over. Calls on_link. */
void gp_inbox_catch_up(gp_net_t *net);

/* What came of handing a frame to ZeroMQ. */
typedef enum gp_sent {
    GP_SENT,
    GP_SENT_WAIT,  /* there is a way, and it is full */
    GP_SENT_NO_WAY /* there is none now */
} gp_sent_t;

gp_sent_t gp_inbox_send(gp_net_peer_t *peer, gp_slice_t frame);

/* ---- link.c ---- */

/* Opens the outgoing connection. GP_E_PEER_UNREACHABLE: no address, or too many. GP_E_TRANSPORT. */
GP_MUST_CHECK gp_error_t gp_link_open(gp_net_peer_t *peer);

/* The same where the tick will try again. */
void gp_link_try(gp_net_peer_t *peer);

/* The last link was cut at once: no new one is opened for a while. */
bool gp_link_rests(const gp_net_peer_t *peer);

/* What was sent gets linger_ms to leave. A closed one is fine. */
void gp_link_close(gp_net_peer_t *peer, int linger_ms);
gp_sent_t gp_link_send(gp_net_peer_t *peer, gp_slice_t frame);

/* Looks after the link: opens it again, or closes it when idle. */
void gp_link_tend(gp_net_peer_t *peer, uint64_t now_ms);

/* ---- send.c ---- */

/* Sends what waits, as far as it goes. */
void gp_send_flush(gp_net_peer_t *peer);

/* The flush of all whose frames go out through the inbox. */
void gp_send_flush_inbox(gp_net_t *net);

/* Tries that flush again soon. */
void gp_send_retry(gp_net_t *net);

/* The retry's event. */
void gp_send_on_retry(evutil_socket_t fd, short what, void *net);

/* Drops what waited too long. */
void gp_send_expire(gp_net_peer_t *peer, uint64_t now_ms);

/* Drops all that waits. */
void gp_send_clear(gp_net_peer_t *peer, gp_drop_t why);

/* Hands on what the machine sent to itself; true: there is more. */
bool gp_send_loopback(gp_net_t *net);

/* One send on a socket outside or inside its drain. `route` empty: none. */
gp_sent_t gp_send_on(gp_zwatch_t *watch, gp_slice_t route, gp_slice_t frame);

#endif
