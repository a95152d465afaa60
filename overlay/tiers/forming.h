/*
 * Which sub-Grid a machine belongs to: newcomers are placed, sub-Grids that have become small merge
 * into others, full ones give machines away. A pure core (proto/core.h).
 *
 * Who wants to place a machine asks its super-peer, that one the region peer, which knows all
 * sub-Grids of the region; and it is the chosen sub-Grid's super-peer that lets the machine in:
 *
 *   sponsor -> super-peer -> region peer [-> chosen super-peer] and all the way back
 *
 * Who founds a region is let into the group of the grid, by its leader, which gives the name out:
 *
 *   sponsor -> super-peer -> region peer -> leader of the grid's group and all the way back
 *
 * An ask carries its way back, so nobody on it keeps anything. What is lost is asked again, or not:
 * who was let in and never came is forgotten by its group.
 *
 * A MOVE is a super-peer's order to one of its machines, which leaves in good order and then begins
 * in the other sub-Grid (agent/peer). One machine moves at a time, so a sub-Grid keeps its quorum,
 * and who leads next looks again whether moves are due: there is nothing to resume.
 */
#ifndef GP_OVERLAY_TIERS_FORMING_H
#define GP_OVERLAY_TIERS_FORMING_H

#include "proto/coordinate.h"
#include "proto/core.h"

/* A sub-Grid of the region, or a region, as the region peer's directory has it. */
typedef struct gp_forming_place {
    uint64_t group;
    gp_slice_t name; /* of a region; valid within the step */
    gp_id_t leader;
    uint32_t members;
    bool located;
    gp_coordinate_t coordinate;
} gp_forming_place_t;

/* A living machine of the own sub-Grid. */
typedef struct gp_forming_member {
    gp_id_t id;
    bool located;
    gp_coordinate_t coordinate;
} gp_forming_member_t;

/* What others of this machine know; asked for within a step. */
typedef struct gp_forming_view {
    void *context;
    /* The entry of a member of that seat's group, with its certificate; false: it is none. */
    bool (*describe)(void *context, gp_seat_t seat, const gp_id_t *id, gp_record_member_t *ret);
    /* The living of the own sub-Grid, this machine too. */
    uint32_t (*members)(void *context, gp_forming_member_t ret[GP_MEMBERS_MAX]);
    /* How many the own sub-Grid counts as its own: the living, and those invited. */
    uint32_t (*known)(void *context);
    /* What is below that seat's group, the own one too: the region's sub-Grids, at the region peer
     * only; or the regions of the grid. */
    uint32_t (*places)(void *context, gp_seat_t seat, gp_forming_place_t ret[GP_MEMBERS_MAX]);
    /* Is there a region of that id, or of the name in that machine's certificate? In the grid. */
    bool (*has_region)(void *context, uint64_t region, const gp_record_member_t *founder);
    /* Work is open here: moving now could lose it. */
    bool (*busy)(void *context);
    /* This machine's own coordinate; false: not known. */
    bool (*own)(void *context, gp_coordinate_t *ret);
} gp_forming_view_t;

typedef struct gp_forming_config {
    uint64_t subgrid;
    uint64_t region;        /* 0: the sub-Grid stands alone, nothing is formed */
    uint32_t members_aim;   /* a sub-Grid with fewer takes whoever is near ... */
    uint32_t members_max;   /* ... and with so many nobody: another one is founded, and gets some */
    uint32_t members_min;   /* with fewer it looks for another one to merge into ... */
    gp_usec_t merge_after;  /* ... once it has had so few for so long */
    uint32_t drift_us;      /* a machine so far from its super-peer may be better off elsewhere */
    gp_usec_t look_period;  /* how often a super-peer looks at its sub-Grid */
    gp_usec_t ask_timeout;  /* an ask without an answer has failed */
    gp_usec_t move_timeout; /* a machine told to move is still here: leave it alone */
    gp_usec_t found_gap;    /* no two are founded in a region within it, unless the first is up */
    gp_forming_view_t view;
} gp_forming_config_t;

/*
 * Events: START, WAKE, STORED, MSG (FORM_ASK, FORM_TOLD, MOVE, MOVE_NO), COMMAND (TIERS_LEADER;
 * FORM_PLACE of the shell, answered by one FORM_ANSWER with its token; FORM_KEEP, where this
 * machine goes, until it is on the disk and FORM_MOVED says so). Actions: SEND of those messages;
 * STORE of FORM_STATE; the notices FORM_ANSWER, FORM_INVITE (the group of that seat is told to take
 * a machine in), FORM_GO (this machine moves) and FORM_MOVED.
 */
extern const gp_core_ops_t gp_forming_ops;

typedef struct gp_forming gp_forming_t;

/* The limits and times of design; groups and view are left zero for the caller. */
gp_forming_config_t gp_forming_defaults(void);

/* All times so many times as long: for groups that are so slow themselves. */
void gp_forming_slow_down(gp_forming_config_t *config, uint32_t times);

/* A sub-Grid that a newcomer may go to, with the round trip to its super-peer that it measured. */
typedef struct gp_forming_offer {
    uint32_t members;
    uint32_t rtt_us; /* 0: it did not answer */
    bool full;
} gp_forming_offer_t;

/*
 * Which of them a newcomer takes: of those that are near (up to twice the least round trip, or 1 ms
 * more than it) and have room, the one with the fewest machines, of equal ones the nearest.
 * `count`: there is none: found another one.
 */
uint32_t gp_forming_choose(const gp_forming_offer_t *offers, uint32_t count);

#endif
