/*
 * A virtual group for tests: many group cores, a clock, a network with delays, stalls, cuts, dead
 * and frozen machines, and an oracle in the election's place. Messages are packed and read as on
 * the wire. Everything is drawn from one seed.
 */
#ifndef GP_TESTS_OVERLAY_VIRTUAL_H
#define GP_TESTS_OVERLAY_VIRTUAL_H

#include "overlay/group/group.h"
#include "proto/random.h"

#define VIRTUAL_NODES 72

typedef struct virtual_node {
    gp_id_t id;
    gp_group_t *core;
    uint64_t boot;
    bool running, frozen, left;
    unsigned side;        /* machines of different sides do not reach each other */
    gp_usec_t changed_at; /* last killed, started, frozen, thawed, cut or healed */
    gp_usec_t wake;
    gp_usec_t barrier; /* nothing is sent before: a STORE is not durable yet */
    /* what the oracle last told */
    gp_id_t leader;
    uint64_t term;
    gp_right_t right;
    gp_usec_t lease_until;
    gp_usec_t alone_since;
    /* what its core told */
    uint64_t sent, sent_bytes, dials, stores, lates, gones, refused, views, suspicions, standings;
    uint64_t seeks, pulls;
    uint8_t state[VIRTUAL_NODES]; /* by MEMBER notices */
    uint8_t cause[VIRTUAL_NODES];
    gp_usec_t state_at[VIRTUAL_NODES];
} virtual_node_t;

typedef struct virtual_event virtual_event_t;

typedef struct virtual_world {
    gp_usec_t now;
    gp_random_t random;
    uint64_t sequence;
    uint32_t count;
    virtual_node_t nodes[VIRTUAL_NODES];
    gp_usec_t line[VIRTUAL_NODES][VIRTUAL_NODES]; /* free again: keeps the order of messages */
    bool linked[VIRTUAL_NODES][VIRTUAL_NODES];
    bool mute[VIRTUAL_NODES][VIRTUAL_NODES]; /* from, to: lost */
    virtual_event_t *events;                 /* heap */
    uint32_t event_count, event_room;
    virtual_event_t *parked; /* for machines that stand still */
    uint32_t parked_count, parked_room;
    /* knobs */
    unsigned stall_permille;          /* of messages begin a stall of their line ... */
    gp_usec_t stall_max;              /* ... of up to so long */
    gp_usec_t pause_every, pause_max; /* each machine stands still now and then */
    bool no_election;
    uint32_t members_max;
    /* the oracle */
    uint64_t term;
    uint32_t leader; /* index; VIRTUAL_NODES: none */
    uint32_t voters;
    gp_usec_t failover_at;
    uint64_t false_verdicts;
    uint32_t actions_max; /* of one step */
    size_t arena_max;
    void (*on_notice)(struct virtual_world *world, uint32_t node, const gp_msg_t *msg);
} virtual_world_t;

/* `count` machines that are not running yet; `knowing` first ones are in everybody's record. */
virtual_world_t *virtual_new(uint64_t seed, uint32_t count);
void virtual_free(virtual_world_t *world);

/* Starts (or restarts) a machine whose disk knows the first `knows` machines. */
void virtual_start(virtual_world_t *world, uint32_t node, uint32_t knows);
void virtual_start_all(virtual_world_t *world);
void virtual_kill(virtual_world_t *world, uint32_t node);
void virtual_freeze(virtual_world_t *world, uint32_t node);
void virtual_thaw(virtual_world_t *world, uint32_t node);
void virtual_side(virtual_world_t *world, uint32_t node, unsigned side);

/* The same after a while; the message was allocated and is freed then. */
void virtual_tell(virtual_world_t *world, uint32_t node, gp_usec_t after, gp_msg_t *msg);

/* Tells each machine what its side's election came to; leaders keep their lease (each 20 ms). */
void virtual_oracle(virtual_world_t *world);
void virtual_command(virtual_world_t *world, uint32_t node, const gp_msg_t *msg);

/* Delivers a message as if `from` had sent it, now. */
void virtual_inject(virtual_world_t *world, uint32_t from, uint32_t to, const gp_msg_t *msg);

void virtual_run(virtual_world_t *world, gp_usec_t until);
bool virtual_run_until(virtual_world_t *world, gp_usec_t limit,
                       bool (*done)(virtual_world_t *world, uint32_t argument), uint32_t argument);

/* Conditions. */
bool virtual_settled(virtual_world_t *world, uint32_t unused); /* one leader, all see all alive */
bool virtual_all_see(virtual_world_t *world, uint32_t target, gp_member_state_t state);
bool virtual_see_unavailable(virtual_world_t *world, uint32_t target);
bool virtual_see_alive(virtual_world_t *world, uint32_t target);
bool virtual_see_left(virtual_world_t *world, uint32_t target);
bool virtual_same_tables(virtual_world_t *world, uint32_t unused);

const gp_group_member_t *virtual_view(virtual_world_t *world, uint32_t by, uint32_t target);
uint32_t virtual_index(const virtual_world_t *world, const gp_id_t *id);

#endif
