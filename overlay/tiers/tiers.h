/*
 * In which groups this machine has a seat: its sub-Grid, its region, the grid. A pure core
 * (proto/core.h).
 *
 * Who leads a group has a seat in the group above, and so have its standbys, so that a leader that
 * dies takes no majority above with it. They ask their leader for it, who lets them in; a seat is
 * given up by who has neither part below any more. In a seat above only the leader of the group
 * below may lead: the others are standbys there.
 */
#ifndef GP_OVERLAY_TIERS_TIERS_H
#define GP_OVERLAY_TIERS_TIERS_H

#include "proto/core.h"

typedef struct gp_tiers_config {
    uint64_t groups[GP_SEAT_COUNT]; /* of each tier; 0: none, and none above it */
    gp_usec_t ask_min;              /* first and ... */
    gp_usec_t ask_max;              /* ... longest wait between two SEAT_ASK for one seat */
    /* Only who leads below gets that seat, and no standby: for groups of very many below. */
    bool leaders_only[GP_SEAT_COUNT];
    gp_usec_t give_after; /* no part in the group below for so long: the seat is given up */
    /* Does the group of that seat expect that machine already? NULL: none is. */
    bool (*expects)(void *context, gp_seat_t seat, const gp_id_t *id);
    void *context;
} gp_tiers_config_t;

typedef struct gp_tiers gp_tiers_t;

/*
 * Events: START, WAKE, MSG (SEAT_ASK, and SEEK_REPLY of a group above in which this machine has no
 * seat yet), COMMAND (TIERS_LEADER, TIERS_SEAT). Actions: SEND SEAT_ASK; the notices
 * SEAT_WANTED, SEAT_TAKE, SEAT_GIVE, SEAT_OFFER and SEAT_ROLE, which the composed peer carries out.
 */
extern const gp_core_ops_t gp_tiers_ops;

/* The times of design; groups are left zero for the caller. */
gp_tiers_config_t gp_tiers_defaults(void);

/* All times so many times as long: for groups that are so slow themselves. */
void gp_tiers_slow_down(gp_tiers_config_t *config, uint32_t times);

#endif
