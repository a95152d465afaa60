/*
 * Discovery beyond the sub-Grid: what groups offer, told upward, and questions carried to where
 * they may be answered. One core of a machine, in the seat of its sub-Grid; a pure core
 * (proto/core.h).
 *
 * What goes up is a PLACE: the leader of a group tells those who carry questions to it, what its
 * machines have to offer: a summary, a digest of their names, where they are. A sub-Grid's goes to
 * leader and deputy of the region; a region's, of all its sub-Grids together, to each member of the
 * grid, so that a question goes from region to region without a way through one of them.
 *
 * What goes around is a ROUTE. The asker has asked its own sub-Grid; its super-peer carries the
 * question to the region peer, which asks the sub-Grids that may match, nearest first, and then
 * other regions' peers, which do likewise: three steps from super-peer to super-peer at most. What
 * is asked of the next is always less than what was asked of oneself (gp_route_ask_t), so nothing
 * goes in circles. Relays carry question and answer unopened, as they were signed: the shell checks
 * them wherever they pass (discovery/route_check.h).
 *
 * A question without a rank is done once it has as many machines as it wants; one with a rank asks
 * all that may match. Whatever did not answer, or not for all its machines, is named.
 *
 * Events in:   ROUTE_LEADER, ROUTE_MEMBER, ROUTE_SELF, ROUTE_OWN, ROUTE_FIND, ROUTE_LOCAL
 *              (commands); PLACE, ROUTE, ROUTE_PASS, ROUTE_FOUND, ROUTE_BACK, ROUTE_DONE.
 * Actions out: SEND and CAST of those messages; the notices PLACE_DUE (answered by ROUTE_OWN),
 *              ROUTE_QUESTION (by ROUTE_LOCAL with its token), PLACE_KNOWN, and one ROUTE_ANSWER
 *              for each ROUTE_FIND, with the command's token.
 */
#ifndef GP_DISCOVERY_ROUTE_H
#define GP_DISCOVERY_ROUTE_H

#include "discovery/summary.h"
#include "proto/core.h"

typedef struct gp_route_config {
    uint64_t groups[GP_SEAT_COUNT]; /* of each tier; 0: none, and none above it */
    gp_slice_t subgrid;             /* names; may be empty; copied */
    gp_slice_t region;
    gp_slice_t cert; /* of this machine; empty: machines have none; copied */
} gp_route_config_t;

/* What a leader keeps of one group below. */
typedef struct gp_route_place {
    uint64_t group; /* 0: nothing here */
    uint64_t term;
    gp_id_t leader;
    gp_usec_t heard_at;
    uint32_t version;
    uint32_t members;
    uint32_t asked; /* questions that it was asked here ... */
    uint32_t vain;  /* ... and that its summary should have spared it: it had no match */
    bool partial;
    bool silent; /* a region: not heard of for long; it is called absent, and not asked */
    uint8_t name_n;
    uint8_t coordinate_n;
    uint16_t summary_n;
    uint16_t names_n;
    char name[GP_NAME_MAX];
    uint8_t coordinate[GP_COORDINATE_MAX];
    uint8_t summary[GP_SUMMARY_MAX];
    uint8_t *names; /* room for a sub-Grid's digest, or a region's */
} gp_route_place_t;

extern const gp_core_ops_t gp_route_ops;

/* The groups below that this machine knows for that seat, a place above; at: 0 .. count - 1. */
uint32_t gp_route_count(const void *core, gp_seat_t seat);
const gp_route_place_t *gp_route_at(const void *core, gp_seat_t seat, uint32_t at);

/* Is there nothing but the own sub-Grid, as its super-peer knows? False also if it is not known. */
bool gp_route_alone(const void *core);

/* The summary of the own sub-Grid as it was told last: to be renewed for ROUTE_OWN. n 0: none. */
gp_slice_t gp_route_told(const void *core);

#endif
