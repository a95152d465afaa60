/*
 * What the files of the composed peer share. Private to agent/peer.
 */
#ifndef GP_AGENT_PEER_PEER_STATE_H
#define GP_AGENT_PEER_PEER_STATE_H

#include "agent/peer/peer.h"
#include "proto/random.h"

/* One core in one seat. Its memory is there for life, whether the machine has the seat or not. */
typedef struct gp_peer_core {
    const gp_core_ops_t *ops; /* NULL: there is no core for this room */
    void *core;
    size_t size;
    gp_usec_t wake;   /* as it said after its last step, on the clock of its own */
    gp_usec_t behind; /* so much: its clock stood still meanwhile; see gp_peer_rest */
    bool rests;
    /* on the sheet at hand */
    bool stepped;
    uint32_t detached; /* so many actions point to nothing of it */
} gp_peer_core_t;

typedef struct gp_peer_seat {
    uint64_t group; /* 0: this machine never has such a seat */
    bool open;      /* its cores are there ... */
    bool started;   /* ... and run */
    bool giving;    /* given up for good, not because the agent stops */
    /* What the disk says of when this machine stopped: */
    bool votes;      /* it knew who votes there */
    bool given;      /* it had given the seat up, as one that had voted */
    bool peopled;    /* it knew members */
    uint8_t flags;   /* what it says of itself in this group only: STANDBY, REGION_PEER ... */
    bool known;      /* it was opened before: its election core keeps what it promised */
    uint16_t life;   /* the next one's: above all incarnations that it ever had or will deny */
    uint32_t stores; /* records on their way to the disk */
    gp_peer_core_t cores[GP_ROOM_COUNT];
} gp_peer_seat_t;

typedef struct gp_peer {
    gp_id_t self;
    bool leaving;
    gp_id_t above; /* whom it turns to above the groups that it founded; none: nobody */
    gp_seat_t above_seat;
    char above_address[GP_ADDRESS_MAX + 1];
    uint64_t moving; /* leaving, but only for this sub-Grid; 0: it is not */
    bool forever;
    bool failing; /* the disk: the groups know */
    gp_usec_t failed_at;
    bool certified; /* machines have certificates here: without one they may do nothing */
    bool goodbye;   /* the sub-Grid is to be told that this machine goes, last of all groups */
    gp_random_t random;
    gp_coordinate_t coordinate;     /* where this machine is: all its seats move it */
    gp_msg_group_self_t said;       /* what the shell measured last */
    gp_group_config_t group_config; /* for seats above; its slices are not kept */
    gp_election_config_t election_config;
    uint32_t home_max, attempts_max; /* slots of the work core */
    const gp_msg_t *event;           /* the message or command that is being taken; else NULL */
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

/* A step of one core, if that seat is open. */
void gp_peer_step_core(gp_peer_t *peer, gp_seat_t seat, gp_room_t room, const gp_event_t *event,
                       gp_out_t *out);

/* This machine goes, for a while, for ever, or into another sub-Grid: all groups are left at once.
 */
void gp_peer_leave(gp_peer_t *peer, gp_usec_t now, const gp_msg_t *relinquish, gp_out_t *out);

/* ---- seats.c --------------------------------------------------------------------------------- */

/* New cores for a seat above the first; records may be loaded into them before they start. */
void gp_peer_seat_open(gp_peer_t *peer, gp_seat_t seat);
void gp_peer_seat_start(gp_peer_t *peer, gp_seat_t seat, gp_usec_t now, gp_out_t *out);

/* The seat that the message at hand, a SEEK_REPLY, answers for: taken, with those that it names. */
void gp_peer_seat_take(gp_peer_t *peer, gp_seat_t seat, gp_usec_t now, gp_out_t *out);

/* The group there knows that this machine has gone. */
void gp_peer_seat_close(gp_peer_t *peer, gp_seat_t seat, gp_usec_t now, gp_out_t *out);

/* Without a word to anybody: its cores take nothing any more, and keep what they promised. */
void gp_peer_seat_shut(gp_peer_seat_t *seat);

/*
 * To who asks whether this machine is still there, in a group in which it has no seat any more: its
 * goodbye was lost, and what it says in other groups shows that it lives.
 */
void gp_peer_seat_deny(gp_peer_t *peer, gp_seat_t seat, const gp_id_t *asker, gp_out_t *out);

/*
 * Founds the sub-Grid and those above, each of which nothing is on the disk yet: their founder is
 * the one machine that is ever told to, and it is told again at each start. So a crash between two
 * of them leaves none unfounded, and none is founded twice.
 */
void gp_peer_seats_found(gp_peer_t *peer, const gp_event_t *event, gp_out_t *out);

/* Is any seat above the first open? */
bool gp_peer_seated_above(const gp_peer_t *peer);

/* Tells the groups what this machine says of itself: to each with its role there. */
void gp_peer_tell_self(gp_peer_t *peer, gp_usec_t now, gp_out_t *out);

/* The records that the actions from this one on bring to the disk: each is answered by STORED. */
void gp_peer_count_stores(gp_peer_t *peer, const gp_out_t *out, uint32_t from);

/* A link is dropped only if no other seat wants it: takes the others' drops off the sheet. */
void gp_peer_keep_links(const gp_peer_t *peer, gp_out_t *out);

/* ---- view.c ---------------------------------------------------------------------------------- */

/* What the forming core asks the other cores of this machine. */
gp_forming_view_t gp_peer_view(gp_peer_t *peer);

/* Is that machine known in the group of that seat? */
bool gp_peer_expects(void *peer, gp_seat_t seat, const gp_id_t *id);

/* ---- move.c ---------------------------------------------------------------------------------- */

/* This machine leaves its sub-Grid for the one that the order names, as its last act here. */
void gp_peer_move_begin(gp_peer_t *peer, const gp_msg_form_go_t *order, gp_usec_t now,
                        gp_out_t *out);

/* The sub-Grid knows that this machine has gone: where it goes is written down. */
void gp_peer_move_left(gp_peer_t *peer, gp_usec_t now, gp_out_t *out);

/* Tells the shell how the machine above is reached that FORM_STATE names. */
void gp_peer_contact_above(const gp_peer_t *peer, gp_out_t *out);

/* FORM_STATE, as it begins again: whom it turns to in its sub-Grid and in its region. */
void gp_peer_move_load(gp_peer_t *peer, const gp_event_t *event, gp_out_t *out);

/* Who leads in that seat's group, to the cores of tiers. */
void gp_peer_tell_leader(gp_peer_t *peer, gp_usec_t now, const gp_msg_t *news, gp_out_t *out);

/* Questions of users have neither bit in their tokens. */
#define GP_TOKEN_JOB   (UINT64_C(1) << 63) /* a question that a job asks */
#define GP_TOKEN_ROUTE (UINT64_C(1) << 62) /* a question of the routing core to the sub-Grid */

/* ---- pass.c ---------------------------------------------------------------------------------- */

/* Hands a notice to the cores that need it. */
void gp_peer_pass_on(gp_peer_t *peer, gp_usec_t now, const gp_action_t *notice, gp_out_t *out);

/* ---- route_pass.c ---------------------------------------------------------------------------- */

/* Who leads that seat's group; the seat is given up: `leader` NULL. */
void gp_peer_route_leader(gp_peer_t *peer, gp_seat_t seat, gp_usec_t now,
                          const gp_msg_leader_t *leader, gp_out_t *out);

/* Where this machine is in the network, to its routing core. */
void gp_peer_route_self(gp_peer_t *peer, gp_usec_t now, gp_out_t *out);

/* This machine has a fresh certificate. */
void gp_peer_route_cert(gp_peer_t *peer, gp_usec_t now, gp_slice_t cert, gp_out_t *out);

/* Hands on what the routing core says, and what it is to hear. */
void gp_peer_route_pass(gp_peer_t *peer, gp_usec_t now, const gp_action_t *notice, gp_out_t *out);

#endif
