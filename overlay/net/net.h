/*
 * The transport: how frames get from one agent to another.
 *
 * One inbox in which strangers are heard once, to say who they are; one outgoing link for each
 * machine that is worth one, CURVE on every byte, and the identity of the sender proven before a
 * frame is handed on. The message sockets are ZeroMQ's; they live in one event loop together with
 * the rest of the agent. Everything here belongs to the thread that runs that loop.
 *
 * A frame is at most once: it arrives whole, from the key that is named, or not at all. Frames of
 * one class to one machine keep their order while the link lives. Nothing is acknowledged here.
 */
#ifndef GP_OVERLAY_NET_NET_H
#define GP_OVERLAY_NET_NET_H

#include "proto/core.h"
#include "proto/keys.h"
#include "proto/limits.h"

struct event_base;

typedef struct gp_net gp_net_t;

/*
 * What a frame is for, and so what gives way when too much waits for a machine that does not take
 * it. CONTROL: the newest counts, the oldest gives way. DATA: in order, the sender is told to wait.
 * CONTROL overtakes DATA.
 */
typedef enum gp_class { GP_CLASS_CONTROL = 0, GP_CLASS_DATA = 1, GP_CLASS_COUNT = 2 } gp_class_t;

/* Why a frame was dropped. */
typedef enum gp_drop {
    GP_DROP_STRANGER = 0, /* in: its key is not admitted, or no longer, and it proves nothing */
    GP_DROP_ROUTE,        /* in: its sender chose a routing id of its own */
    GP_DROP_FORM,         /* in: of several parts, or too large */
    GP_DROP_DISPLACED,    /* out, CONTROL: a newer one took its place */
    GP_DROP_FULL,         /* out: refused, GP_E_PEER_QUEUE */
    GP_DROP_EXPIRED,      /* out: waited too long for a link */
    GP_DROP_FORGOTTEN,    /* out: its receiver was forgotten, or the transport closed */
    GP_DROP_COUNT
} gp_drop_t;

/* As what somebody is known to the transport. */
typedef enum gp_standing {
    GP_STANDING_NONE = 0,
    GP_STANDING_CONTACT, /* can be reached, and has not shown yet that it is a machine of the grid
                          */
    GP_STANDING_GUEST,   /* the one-time key of an invitation */
    GP_STANDING_VISITOR, /* a machine of the grid, in none of the groups of this one */
    GP_STANDING_MEMBER
} gp_standing_t;

/* What a first frame proves about who sent it. */
typedef struct gp_net_visit {
    gp_id_t id;
    char address[GP_ADDRESS_MAX + 1]; /* where it can be reached; empty: not known */
    uint64_t valid_ms;                /* it may stay so long */
    bool asks;                        /* it wants to know who this machine is */
} gp_net_visit_t;

/*
 * Calls back from the event loop, never from inside a call to this file. Inside, everything here
 * may be called but gp_net_close.
 */
typedef struct gp_net_events {
    void *context;

    /* `frame` is borrowed until the call returns. standing: guest, visitor or member. */
    void (*on_frame)(void *context, const gp_id_t *peer, gp_standing_t standing, gp_slice_t frame);

    /*
     * The first frame of a stranger, or one of a contact. True: it proves what *ret_visit, zeroed
     * before, says; then the transport checks that this is the key that connected, and lets it in
     * as a visitor. Else it is cut, and told nothing. NULL: strangers are not even heard.
     */
    bool (*on_visit)(void *context, gp_slice_t frame, gp_net_visit_t *ret_visit);

    /*
     * The first frame on a connection with that machine; the answer is borrowed until the next
     * call. asks: it is to tell in turn who it is. NULL, or an empty one: an empty frame goes out.
     */
    gp_slice_t (*on_greet)(void *context, const gp_id_t *peer, bool asks);

    /*
     * The first connection with that machine is up, or the last one is down. Members only. Down is
     * a hint: known within about a millisecond of the end of a process, never for a cable.
     */
    void (*on_link)(void *context, const gp_id_t *peer, bool up);

    /* Answer to gp_net_dial. */
    void (*on_dialed)(void *context, const gp_id_t *peer, uint64_t token, gp_dial_t result);

    /*
     * A key that is not admitted wants in, and is held for the time of a handshake: if it is that
     * of a machine whose admission was put off, now is its time. If it is still unknown then, it is
     * let in as a stranger, where those are heard. May be NULL.
     */
    void (*on_knock)(void *context);

    /* Something that an operator should know; at most one a second. May be NULL. */
    void (*on_trouble)(void *context, gp_error_t error, const char *text);
} gp_net_events_t;

typedef struct gp_net_config {
    struct event_base *base;   /* borrowed, outlives the transport */
    const gp_secret_t *secret; /* the machine's identity; used while opening only */
    const char *listen; /* tcp://ADDR:PORT, tcp://[v6]:PORT or tcp://...:PORT with *; 0: any port */
    gp_net_events_t events;
    uint32_t
        idle_ms; /* a link that nobody holds is closed after so long without a frame; 0: 30 s */
    uint32_t wait_ms;         /* a frame waits so long for a link; 0: 5 s */
    uint32_t visitor_idle_ms; /* 0: GP_NET_VISITOR_IDLE_MS */
    uint32_t visitor_rest_ms; /* 0: GP_NET_VISITOR_REST_MS */
} gp_net_config_t;

typedef struct gp_net_counters {
    uint64_t frames_in, frames_out;
    uint64_t bytes_in, bytes_out;
    uint64_t dropped[GP_DROP_COUNT];
    uint64_t keys_admitted;   /* handshakes: the key was known */
    uint64_t keys_refused;    /* the key was not known in time */
    uint64_t visits;          /* strangers and contacts that proved who they are */
    uint64_t visits_refused;  /* strangers that did not, and machines for which there is no place */
    uint64_t accepted;        /* connections from outside */
    uint64_t accept_pauses;   /* too many of them, or too few file descriptors */
    uint64_t accept_failures; /* tries to accept one without a descriptor */
    uint64_t dials;
    uint32_t peers;       /* all that are known */
    uint32_t visitors;    /* of them, visitors and contacts */
    uint32_t strangers;   /* let in to say who they are */
    uint32_t peers_up;    /* of them, with a connection */
    uint32_t links;       /* outgoing connections that are open or being opened */
    uint32_t connections; /* incoming connections of admitted keys */
    uint32_t queued;      /* frames that wait */
    uint64_t queued_bytes;
} gp_net_counters_t;

typedef struct gp_net_peer_info {
    gp_id_t id;
    gp_standing_t standing;
    bool held;     /* a lasting link is wanted */
    bool up;       /* a connection lives */
    bool outgoing; /* the outgoing one lives */
    uint32_t incoming;
    uint32_t queued;
    uint64_t frames_in, frames_out;
    uint64_t dropped;                 /* outgoing frames, for whatever reason */
    char address[GP_ADDRESS_MAX + 1]; /* empty: not known */
} gp_net_peer_info_t;

/*
 * Listens, proves to itself that a key it does not know is refused, and starts. No frame is taken
 * in before that proof. Needs gp_keys_init.
 * GP_E_ADDRESS: `listen` is not an address of this machine. GP_E_PORT_IN_USE. GP_E_NOT_PERMITTED: a
 * port for root only. GP_E_TRANSPORT: no descriptors or memory. GP_E_TRANSPORT_OPEN: a stranger got
 * in.
 */
GP_MUST_CHECK gp_error_t gp_net_open(const gp_net_config_t *config, gp_net_t **ret_net);

/*
 * Closes everything within flush_ms (up to a minute) and some ms; frames that were sent get that
 * long to leave. Not from a callback. NULL is fine.
 */
void gp_net_close(gp_net_t *net, uint32_t flush_ms);

/* Where it listens, with the port that was found: "tcp://127.0.0.1:4711", "tcp://[::]:4711". */
const char *gp_net_address(const gp_net_t *net);

/* The machine's own id. */
const gp_id_t *gp_net_self(const gp_net_t *net);

/*
 * This certified identity may connect, and at `address` (NULL: not known, leave as it is) it can be
 * reached. Costs a key conversion (about 50 us) the first time.
 * GP_E_ADDRESS. GP_E_CERT_FORMAT: no usable key. GP_E_PEER_LIMIT.
 */
GP_MUST_CHECK gp_error_t gp_net_admit(gp_net_t *net, const gp_id_t *id, const char *address);

/*
 * That machine can be reached at `address`: from now on frames can be sent to it. Nothing is taken
 * from it before it has shown who it is (on_visit). A contact or visitor is forgotten when it was
 * idle for GP_NET_VISITOR_IDLE_MS and nobody holds its link, and gives way to a newer one when all
 * places are taken and it was for GP_NET_VISITOR_REST_MS. Of a member nothing changes: its group
 * knows better. GP_E_ADDRESS, GP_E_CERT_FORMAT, GP_E_PEER_LIMIT.
 */
GP_MUST_CHECK gp_error_t gp_net_contact(gp_net_t *net, const gp_id_t *id, const char *address);

/* What that machine is to the transport; this machine itself is a member. */
gp_standing_t gp_net_standing(const gp_net_t *net, const gp_id_t *id);

/* An invitation's one-time key may connect and be answered, or may no longer: as gp_net_admit. */
GP_MUST_CHECK gp_error_t gp_net_admit_guest(gp_net_t *net, const gp_id_t *key, bool on);

/*
 * No frame of this key comes in or goes out any more, from this moment on; its connections are
 * cut and it is told nothing. No on_link follows. Unknown ids are fine.
 */
void gp_net_forget(gp_net_t *net, const gp_id_t *id);

/*
 * Hold a lasting connection with that machine, whoever opened it, reopened for ever; or let go of
 * it: it is closed once idle. GP_E_PEER_UNREACHABLE: not admitted, or without an address.
 */
GP_MUST_CHECK gp_error_t gp_net_link(gp_net_t *net, const gp_id_t *id, bool hold);

/*
 * Sends over the link or connection that lives, or opens one. GP_OK: it went out or waits.
 * To itself: comes back from the event loop.
 * GP_E_PEER_UNREACHABLE: not admitted, or no way there. GP_E_PEER_QUEUE: too much waits.
 * GP_E_MESSAGE_SIZE: empty, or larger than GP_MESSAGE_MAX.
 */
GP_MUST_CHECK gp_error_t gp_net_send(gp_net_t *net, const gp_id_t *id, gp_slice_t frame,
                                     gp_class_t class);

/*
 * Several machines may use one invitation at the same time, each over its own connection. Inside
 * on_frame: by which connection the frame came; 0: by none of the inbox's. Later: answers just
 * that one. GP_E_PEER_UNREACHABLE: it is gone, or takes nothing now.
 */
uint64_t gp_net_way(const gp_net_t *net);
GP_MUST_CHECK gp_error_t gp_net_answer(gp_net_t *net, const gp_id_t *key, uint64_t way,
                                       gp_slice_t frame);

/*
 * Tries a plain TCP connection to that machine's address; on_dialed tells, within 300 ms and
 * always, unless GP_E_BUSY comes back: GP_NET_DIALS_MAX are under way. OPEN is the kernel's word: a
 * stopped process, too, has one that answers. REFUSED needs a kernel that is alive and a port on
 * which nobody listens.
 */
GP_MUST_CHECK gp_error_t gp_net_dial(gp_net_t *net, const gp_id_t *id, uint64_t token);

void gp_net_count(const gp_net_t *net, gp_net_counters_t *ret_counters);

/* The admitted peers in order of their ids: index 0 and up, false after the last one. */
bool gp_net_peer(const gp_net_t *net, uint32_t index, gp_net_peer_info_t *ret_info);

#endif
