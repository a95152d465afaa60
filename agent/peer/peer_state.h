/*
 * What the files of the composed peer share. Private to agent/peer.
 */
#ifndef GP_AGENT_PEER_PEER_STATE_H
#define GP_AGENT_PEER_PEER_STATE_H

#include "agent/peer/peer.h"

/* One core in one seat; ops NULL: that seat has no core for the room. */
typedef struct gp_peer_core {
    const gp_core_ops_t *ops;
    void *core;
    size_t size;
    gp_usec_t wake; /* as it said after its last step */
    /* on the sheet at hand */
    bool stepped;
    uint32_t detached; /* so many actions point to nothing of it */
} gp_peer_core_t;

typedef struct gp_peer_seat {
    uint64_t group; /* 0: none */
    gp_peer_core_t cores[GP_ROOM_COUNT];
} gp_peer_seat_t;

typedef struct gp_peer {
    gp_id_t self;
    bool leaving;
    bool forever;
    bool failing; /* the disk: the groups know */
    gp_usec_t failed_at;
    bool certified; /* machines have certificates here: without one they may do nothing */
    gp_peer_seat_t seats[GP_SEAT_COUNT];
} gp_peer_t;

/* ---- peer.c ---------------------------------------------------------------------------------- */

/* Gives a command to the core of its kind's room in that seat, if there is one. */
void gp_peer_command(gp_peer_t *peer, gp_seat_t seat, gp_usec_t now, uint64_t token,
                     const gp_msg_t *msg, gp_out_t *out);

/* The same in each seat that has such a core. */
void gp_peer_command_all(gp_peer_t *peer, gp_usec_t now, const gp_msg_t *msg, gp_out_t *out);

/* A zeroed command in the arena, so that its slices may point where the notice's do. */
gp_msg_t *gp_peer_draft(gp_out_t *out, gp_msg_kind_t kind);

/* What a machine may do; gate and shell verified the certificate, here it is only read. */
uint16_t gp_peer_roles(const gp_peer_t *peer, const gp_id_t *id, gp_slice_t cert);

/* ---- pass.c ---------------------------------------------------------------------------------- */

/* Hands a notice to the cores that need it. */
void gp_peer_pass_on(gp_peer_t *peer, gp_usec_t now, const gp_action_t *notice, gp_out_t *out);

#endif
