/*
 * One group: who belongs to it, who lives, and by whose word. A pure core (proto/core.h).
 *
 * The leader orders numbered views; all others follow the views of the leader that the election
 * named (GROUP_LEADER) and of nobody else. Deaths are found by evidence (a refused connection, seen
 * by two) and by beats (leader and deputy ask, three confirmers are named). After SWIM (Das, Gupta,
 * Motivala, 2002), Lifeguard (arXiv 1707.00788) and Rapid (arXiv 1803.03620): see README.md.
 */
#ifndef GP_OVERLAY_GROUP_H
#define GP_OVERLAY_GROUP_H

#include "proto/coordinate.h"
#include "proto/core.h"

typedef struct gp_group_config {
    uint64_t group; /* the group's id, in every message */
    uint8_t tier;   /* 0 sub-Grid, 1 region, 2 grid: whose record may become empty */
    uint8_t flags;  /* this machine's gp_member_flag_t: RELAYED, STANDBY */
    bool invited;   /* only who was introduced is taken in: to seek is not enough */
    uint16_t life;  /* how often this machine has begun anew here since its start */
    uint64_t boot;  /* its boot epoch, 1 .. 2^47: incarnation = boot << 16, plus life */
    gp_coordinate_t *coordinate; /* of this machine, for all its seats; NULL: it has none */
    gp_slice_t name;             /* of this machine; copied by init */
    gp_slice_t address;          /* where others dial it; copied by init */
    gp_slice_t cert;             /* copied by init, if it fits into cert_max */
    uint32_t members_max;        /* 1 .. GP_MEMBERS_MAX */
    uint32_t cert_max;           /* bytes of certificate kept per member; 0: none are kept */
    gp_usec_t beat_period;       /* leader and deputy each ask each member once in it */
    gp_usec_t beat_timeout;      /* a question unanswered for so long opens a suspicion */
    gp_usec_t confirm_window;    /* from suspicion to verdict */
    gp_usec_t ring_period;       /* the ring neighbour before it is probed once in it */
    gp_usec_t late_after;        /* own timers missed by more: nothing known is current */
    gp_usec_t redial_after;      /* between two dials whose refusals are evidence */
    gp_usec_t view_batch;        /* a change waits at most so long for others to join its view */
    gp_usec_t view_gap;          /* least time between two views of one leader */
    gp_usec_t view_quiet;        /* no view for so long: the next change goes at once */
    gp_usec_t pull_period;       /* first wait before a pull is repeated */
    gp_usec_t seek_min;          /* first and ... */
    gp_usec_t seek_max;          /* ... longest wait between two rounds of SEEK */
    gp_usec_t many_hold;         /* UNKNOWN(MANY_AT_ONCE) is tested again after so long */
    gp_usec_t leave_limit;       /* a leaver waits no longer for the group's word */
    gp_usec_t admit_hold; /* an introduced machine is told to all after so long without its word */
    gp_usec_t introduce_limit;      /* how long a machine is presented to the leader */
    gp_usec_t forget_left_after;    /* LEFT for good: forgotten by the leader */
    gp_usec_t forget_stopped_after; /* LEFT because it stopped: likewise */
    gp_usec_t forget_never_after;   /* admitted, and never spoke */
    gp_usec_t forget_dead_after;    /* UNAVAILABLE and away so long: may make room for another */
    gp_usec_t store_period;         /* least time between two GROUP_STATE records */
    gp_usec_t try_period;           /* a voter's disk, to which this room wrote nothing so long */
} gp_group_config_t;

/* One member as this machine sees it. */
typedef struct gp_group_member {
    gp_id_t id;
    uint64_t incarnation;
    gp_member_state_t state;
    gp_cause_t cause;
    uint8_t flags; /* gp_member_flag_t */
    uint8_t observer_count;
    gp_id_t observers[GP_OBSERVERS_MAX]; /* who saw what the state says */
    char name[GP_NAME_MAX + 1];
    char address[GP_ADDRESS_MAX + 1];
    gp_slice_t cert;            /* in the core's memory; empty if not known or not kept */
    uint16_t score;             /* availability, 0 .. 1000 in steps of 10 (availability.c) */
    uint32_t rtt_us;            /* smoothed round trip of own questions; 0 not known */
    gp_coordinate_t coordinate; /* as it last said here; error 0: not known */
    gp_usec_t heard_at;         /* last sign of life that reached this machine itself; 0 never */
    gp_usec_t since;            /* when the state was last changed here */
} gp_group_member_t;

typedef struct gp_group gp_group_t;

extern const gp_core_ops_t gp_group_ops;

/* The times and limits of a sub-Grid; identity, group and boot are left zero for the caller. */
void gp_group_defaults(gp_group_config_t *ret_config);

/* Multiplies all times, 1 to GP_SLOW_MAX: for groups that span wide areas. */
void gp_group_slow_down(gp_group_config_t *config, uint32_t times);

/*
 * A checked message of any room came from `id`: a sign of life. The composed peer calls this for
 * messages that it does not give to this core; what follows from it happens in the next step, for
 * which wake() then asks at once if need be.
 */
void gp_group_heard(gp_group_t *group, const gp_id_t *id, gp_usec_t now);

/* Members known, living or not, this machine included, in the order of their ids. */
uint32_t gp_group_count(const gp_group_t *group);
const gp_group_member_t *gp_group_member_at(const gp_group_t *group, uint32_t index);

/* NULL: not known. By name: the first in order of ids that has it, rather one that has not left. */
const gp_group_member_t *gp_group_member(const gp_group_t *group, const gp_id_t *id);
const gp_group_member_t *gp_group_member_named(const gp_group_t *group, gp_slice_t name);

/* Does this core hold a link to that machine? */
bool gp_group_links_to(const gp_group_t *group, const gp_id_t *id);

/* Who leads, as the election last said; all zero: nobody. */
const gp_id_t *gp_group_leader(const gp_group_t *group);

/* The view that this machine holds. */
uint64_t gp_group_view_term(const gp_group_t *group);
uint32_t gp_group_view_number(const gp_group_t *group);
uint32_t gp_group_view_digest(const gp_group_t *group);

/* At the leader: the highest view number that a majority of the voters holds; else 0. */
uint32_t gp_group_view_held(const gp_group_t *group);

/* This machine's own incarnation. */
uint64_t gp_group_incarnation(const gp_group_t *group);

/* What one's own time-outs are multiplied by, in permille: 1000 (well) .. 8000. */
uint32_t gp_group_health_factor(const gp_group_t *group);

#endif
