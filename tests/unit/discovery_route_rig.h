/*
 * One routing core on a bench: a super-peer of sub-Grid 5, its super-peer's region and the grid
 * above it, whose other machines are played by the test. Machine 1 is the core itself.
 */
#ifndef GP_TESTS_DISCOVERY_ROUTE_RIG_H
#define GP_TESTS_DISCOVERY_ROUTE_RIG_H

#include "discovery/route.h"
#include "discovery/route_state.h"
#include "proto/envelope.h"

#define RIG_SUBGRID UINT64_C(5)
#define RIG_REGION  (UINT64_C(1) << 56 | 3)
#define RIG_GRID    (UINT64_C(2) << 56 | 1)

typedef struct rig {
    gp_route_t *core;
    gp_usec_t now;
    uint64_t sequence;
    gp_out_t out;
    gp_msg_t msg; /* the next event's, to be filled in */
    gp_action_t actions[GP_ACTIONS_MAX];
    _Alignas(16) uint8_t arena[GP_ARENA_BYTES];
} rig_t;

gp_id_t rig_id(uint8_t n);

/* Nobody leads anything yet. alone: there are no groups above. */
rig_t *rig_new(bool alone);
void rig_free(rig_t *rig);

/* An empty message of this kind, in rig->msg. */
gp_msg_t *rig_draft(rig_t *rig, gp_msg_kind_t kind);

/* rig->msg, as a command. */
void rig_command(rig_t *rig, uint64_t token);

/* rig->msg from that machine: sealed, opened and read. */
void rig_message(rig_t *rig, uint8_t from);

/* Its frame, sealed by `from`; free() it. */
gp_slice_t rig_frame(rig_t *rig, uint8_t from);

/* Lets time pass, and wakes the core whenever it wants; the sheet is of the last step. */
void rig_run(rig_t *rig, gp_usec_t span);

/* In this seat, in `term`; 0: nobody. */
void rig_lead(rig_t *rig, gp_seat_t seat, uint8_t leader, uint8_t deputy, uint64_t term);
void rig_member(rig_t *rig, gp_seat_t seat, uint8_t member, bool gone);

/* What the own sub-Grid offers: machines with so many processors, the first named n1. */
void rig_own(rig_t *rig, uint32_t members, uint64_t cpu);

/* A sub-Grid (below a region) or region (below the grid) tells its place: machines with cpus; as
 * a member of the group above. */
void rig_place(rig_t *rig, uint8_t from, uint64_t below, uint64_t term, uint32_t version,
               uint64_t cpu);

/* The i-th action of this kind of message; NULL: there are not so many. */
const gp_action_t *rig_find(const rig_t *rig, gp_msg_kind_t kind, uint32_t i);

/* A question of machine `from` for machines with so many processors, for this core to do. */
void rig_question(rig_t *rig, uint8_t from, uint64_t query_id, gp_route_ask_t ask,
                  const char *query);

#endif
