/*
 * The contract between a core and its shell.
 *
 * A core decides; it has no clock, socket, file, thread, log, global or allocation. Events go in,
 * with the time inside them; actions come out, in order. The daemon, the simulator and the tests
 * drive the very same cores. A step cannot fail: bad input becomes a notice, a bug an assert.
 *
 * Order of actions: STORE is a barrier for its core, which is one room of one seat. Actions of the
 * same core that come after it, in this batch or a later one, take effect only once the record is
 * durable. KEEP is none: what is lost with such a record costs time, and no promise rests on it.
 * The shell answers each STORE and each KEEP with one STORED event; a core has one KEEP open at a
 * time.
 *
 * Memory: a message inside an event is borrowed until step returns. A message inside an action
 * lives in the out's arena; slices inside it point into the arena or into the core's own memory,
 * and whoever steps that core again has used them up, or detached them (gp_out_detach).
 */
#ifndef GP_PROTO_CORE_H
#define GP_PROTO_CORE_H

#include "proto/message.h"
#include "proto/types.h"

/*
 * A machine has a seat in each group that it belongs to, and in each seat its own cores for that
 * group. What it has once (work, joining) is in the seat of its sub-Grid.
 */
typedef enum gp_seat {
    GP_SEAT_SUBGRID = 0,
    GP_SEAT_REGION, /* of a super-peer, or one of its standbys */
    GP_SEAT_GRID,   /* of a region peer, or one of its standbys */
    GP_SEAT_COUNT
} gp_seat_t;

typedef enum gp_event_type {
    GP_EVENT_LOAD = 1, /* before START, once for each record of the room that was stored */
    GP_EVENT_START,    /* once */
    GP_EVENT_WAKE,     /* now >= the time that wake() asked for */
    GP_EVENT_MSG,      /* a checked message from `peer` (signature or session verified) */
    GP_EVENT_LINK,     /* the transport says that the link to `peer` is up (ok) or down: a hint */
    GP_EVENT_DIALED,   /* answer to DIAL: `token` is a gp_dial_t */
    GP_EVENT_STORED,   /* the STORE or KEEP with `token` is durable (ok), or failed */
    GP_EVENT_COMMAND   /* from the operator, the shell or another core: msg has scope LOCAL */
} gp_event_type_t;

/* What a fresh connection to a machine's address showed. */
typedef enum gp_dial {
    GP_DIAL_OPEN = 1,   /* something listens */
    GP_DIAL_REFUSED,    /* the host answered that nothing listens: evidence */
    GP_DIAL_SILENT,     /* no answer in time */
    GP_DIAL_UNREACHABLE /* no way to the host */
} gp_dial_t;

typedef struct gp_event {
    gp_event_type_t type;
    gp_room_t room; /* LOAD, STORED, DIALED: the room whose action this answers */
    gp_seat_t seat; /* STORED, COMMAND: and its seat; a MSG and a LOAD name their group */
    gp_usec_t now;
    gp_id_t peer;
    uint64_t token;
    bool ok;
    const gp_msg_t *msg;
} gp_event_t;

typedef enum gp_action_type {
    GP_ACTION_STORE = 1, /* keep msg (scope STORED) as the room's record of that kind; a barrier */
    GP_ACTION_KEEP,      /* the same, and no barrier */
    GP_ACTION_SEND,      /* send msg to `peer`; signed if its scope says so */
    GP_ACTION_CAST,      /* sign msg once, send it to every peer in the core's CAST list (below) */
    GP_ACTION_LINK,      /* hold (token 1) or drop (token 0) a lasting link to `peer` */
    GP_ACTION_DIAL,      /* try a fresh connection to `peer` now; answered by DIALED */
    GP_ACTION_NOTICE     /* a fact, scope NOTICE: other cores, activity log, metrics, traces */
} gp_action_type_t;

typedef struct gp_action {
    gp_action_type_t type;
    gp_room_t room; /* who acts: this and the seat are set by gp_out_add from the out */
    gp_seat_t seat;
    gp_id_t peer;
    uint64_t token;
    const gp_msg_t *msg;
    const gp_id_t *targets; /* CAST: whom to send to (arena or core memory) */
    uint32_t target_count;
} gp_action_t;

/* The shell's sheet for one batch of actions and the messages in them. */
typedef struct gp_out {
    gp_action_t *actions;
    uint32_t count;
    uint32_t capacity;
    uint8_t *arena;
    size_t used;
    size_t size;
    gp_room_t room; /* the core now stepping: stamped on each action */
    gp_seat_t seat;
} gp_out_t;

typedef struct gp_core_ops {
    const char *name;
    size_t (*size)(const void *config); /* bytes for life; 0: the config is not usable */
    void (*init)(void *core, const void *config, gp_id_t self, uint64_t seed);
    void (*step)(void *core, const gp_event_t *event, gp_out_t *out);
    gp_usec_t (*wake)(const void *core); /* when the next WAKE is wanted, or GP_NEVER */
    void (*check)(const void *core);     /* asserts every invariant */
} gp_core_ops_t;

/* Forgets the batch; the sheet is as new. */
void gp_out_reset(gp_out_t *out);

/*
 * Adds an action with a zeroed message of `kind` and returns that message for filling in. Only the
 * bytes of its own kind exist behind it (gp_msg_size). Asserts that the batch has room: a core's
 * fan-out is bounded by proto/limits.h.
 */
gp_msg_t *gp_out_add(gp_out_t *out, gp_action_type_t type, const gp_id_t *peer, gp_msg_kind_t kind);

/* Adds an action without a message (LINK, DIAL); token as the action says. */
void gp_out_plain(gp_out_t *out, gp_action_type_t type, const gp_id_t *peer, uint64_t token);

/*
 * Less than GP_ACTIONS_SOFT and GP_ARENA_SOFT are used. What a core can do as well in its next step
 * it adds only then: the rest of the sheet is for what cannot wait, of all rooms together. Several
 * steps of one core may share a sheet, so a core's own count of a step bounds nothing.
 */
bool gp_out_is_light(const gp_out_t *out);

/* A message of this kind is on the sheet already: for what is large, and comes once in a batch. */
bool gp_out_holds(const gp_out_t *out, gp_msg_kind_t kind);

/* The action added last, for its token or targets. */
gp_action_t *gp_out_last(gp_out_t *out);

/* `n` zeroed bytes in the arena, aligned for any type, valid as long as the batch. */
void *gp_out_bytes(gp_out_t *out, size_t n);

/* Copies a slice into the arena. */
gp_slice_t gp_out_slice(gp_out_t *out, gp_slice_t from);

/*
 * Copies into the arena whatever the actions from the index `from` on point to within `size` bytes
 * at `memory`: a core that is stepped again on the same sheet may change what it said last time.
 */
void gp_out_detach(gp_out_t *out, uint32_t from, const void *memory, size_t size);

#endif
