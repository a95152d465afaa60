/*
 * The gate: where bytes become checked messages and messages become frames.
 *
 * Both shells pass every frame through it, so the simulator tests what the daemon does. Checks come
 * cheapest first: size, magic, version, kind, grid, destination, sender against session, quota,
 * replay, age; only then the signature; then the strict reader; then what the message itself
 * carries as evidence (a mandate's votes, a stranger's certificate).
 */
#ifndef GP_AGENT_PEER_GATE_H
#define GP_AGENT_PEER_GATE_H

#include "proto/core.h"
#include "proto/envelope.h"
#include "proto/message.h"

/* Frames a second that one sender may have verified, and how many may come in one burst. */
#define GP_GATE_RATE  2000
#define GP_GATE_BURST 8000
/* Senders remembered: the members of a group and those who have just gone or come. */
#define GP_GATE_SENDERS (2 * GP_MEMBERS_MAX)

typedef struct gp_gate_config {
    gp_grid_id_t grid;
    gp_id_t self;
    uint64_t groups[GP_SEAT_COUNT]; /* in which it may have a seat; 0: none */
    uint64_t boot;                  /* this start's boot epoch */
    gp_sealer_t sealer;
    /*
     * Is this certificate valid, for this machine, and under this name (empty: whatever it is)?
     * seat: of the group that it is shown to; only in the grid's may it be of another region. NULL:
     * certificates are not looked at.
     */
    bool (*certified)(void *context, gp_seat_t seat, gp_slice_t cert, const gp_id_t *id,
                      gp_slice_t name);
    /*
     * Is that machine known to be of another region? What it says to the groups of this one is
     * dropped. NULL: not asked.
     */
    bool (*foreign)(void *context, const gp_id_t *id);
    /*
     * Is the certificate valid that the group keeps of this machine? What it may do is read from
     * it, and a view is only as good as its leader: asked before work is taken. NULL: not asked.
     */
    bool (*vouched)(void *context, const gp_id_t *id);
    void *context;
} gp_gate_config_t;

typedef struct gp_gate_sender {
    gp_id_t id;
    gp_usec_t used;  /* when it was last heard: the longest silent one makes room */
    uint64_t credit; /* frames that it may still have verified, in millionths */
    gp_replay_t replay;
} gp_gate_sender_t;

typedef struct gp_gate {
    gp_gate_config_t config;
    uint64_t sequence;
    uint32_t sender_count;
    gp_gate_sender_t *senders; /* room for GP_GATE_SENDERS, the caller's */
} gp_gate_t;

/* `senders` has room for GP_GATE_SENDERS and lives as long as the gate. */
void gp_gate_init(gp_gate_t *gate, const gp_gate_config_t *config, gp_gate_sender_t *senders);

/*
 * Checks a frame that came in over the session of `session` and reads it. now: this machine's
 * monotonic clock; wall: its wall clock. Slices in *ret_msg point into the frame. Any of the
 * GP_E_MESSAGE_ errors, GP_E_CERT_SIGNATURE: the frame is to be dropped.
 */
GP_MUST_CHECK gp_error_t gp_gate_take(gp_gate_t *gate, const gp_id_t *session, gp_slice_t frame,
                                      gp_usec_t now, gp_wall_ms_t wall, gp_msg_t *ret_msg);

/* Writes the frame of msg, for one machine or, with `to` NULL, for the whole group. */
GP_MUST_CHECK gp_error_t gp_gate_seal(gp_gate_t *gate, const gp_id_t *to, const gp_msg_t *msg,
                                      gp_wall_ms_t wall, uint8_t frame[GP_MESSAGE_MAX],
                                      size_t *ret_n);

#endif
