/*
 * The world: many peers under a virtual clock, network and disk, in one process and one thread.
 *
 * It drives the daemon's own cores through the daemon's own runner. The same config, seed and calls
 * give the same history, to the bit: trace_hash says so. All times are virtual microseconds since
 * the world began ("true time"); each node has a clock of its own that may run fast, slow or off.
 *
 * Links are modelled as TCP is: in order, reset when the process at the other end dies, silent when
 * the path is cut. Faults beyond that (loss, duplicates, reordering) come on top.
 */
#ifndef GP_AGENT_LAB_WORLD_H
#define GP_AGENT_LAB_WORLD_H

#include "agent/lab/census.h"
#include "agent/peer/peer.h"
#include "agent/shell/runner.h"

#define GP_WORLD_NODES_MAX  200000
#define GP_WORLD_REGION_MAX 4096

typedef enum gp_fault {
    GP_FAULT_LOSS = 0,  /* a message vanishes */
    GP_FAULT_DUPLICATE, /* a message arrives twice */
    GP_FAULT_REORDER,   /* a message overtakes others of its link */
    GP_FAULT_DELAY,     /* a message takes much longer */
    GP_FAULT_REPLAY,    /* a signed message is said again, much later, by its sender or another */
    GP_FAULT_CORRUPT,   /* one bit of a signed message is another */
    GP_FAULT_VERSION,   /* a machine of a newer version says what older ones do not know */
    GP_FAULT_MESSAGES,  /* so many kinds of the above */

    GP_FAULT_CRASH = GP_FAULT_MESSAGES, /* the process dies, its disk stays */
    GP_FAULT_BOUNCE,                    /* the process dies and is started again at once */
    GP_FAULT_WIPE,                      /* the process dies and its disk with it */
    GP_FAULT_MASS,                      /* a third of a group dies at once */
    GP_FAULT_RESTART,                   /* the process ends in good order and comes back */
    GP_FAULT_CHURN,                     /* a machine leaves for good, another one comes */
    GP_FAULT_PAUSE,                     /* the process is frozen for a while */
    GP_FAULT_CUT,                       /* two sides cannot talk */
    GP_FAULT_CUT_ONE_WAY,               /* one side is not heard by the other */
    GP_FAULT_CLOG,                      /* links hold up all that is sent, then all comes */
    GP_FAULT_CLOCK,                     /* a clock runs at another rate */
    GP_FAULT_JUMP,                      /* a wall clock jumps, by up to a day */
    GP_FAULT_DISK_FULL,                 /* nothing can be stored for a while */
    GP_FAULT_DISK_SLOW,                 /* a store takes seconds */
    GP_FAULT_BLOWS_END,                 /* blows of the nemesis end here */

    GP_FAULT_STORE = GP_FAULT_BLOWS_END, /* a record is not stored, or the machine is told so */
    GP_FAULT_TORN, /* a record is stored although its machine died before it knew */
    GP_FAULT_COUNT
} gp_fault_t;

const char *gp_fault_name(gp_fault_t fault);

typedef struct gp_world_config {
    uint32_t nodes;
    uint32_t group_size; /* nodes i/group_size form a group; 1 .. GP_MEMBERS_MAX */
    uint64_t seed;
    gp_usec_t latency_us; /* least time of a message */
    gp_usec_t jitter_us;  /* and at most this much more */
    /*
     * Machines stand in six towns, which the seed puts into a square so wide: to cross it takes so
     * long beyond latency_us, and a tenth of it more in jitter. 0: all stand in one place.
     */
    gp_usec_t breadth_us;
    gp_usec_t store_us; /* least time of a store; at most four times as much */
    uint32_t message_permyriad[GP_FAULT_MESSAGES]; /* of messages, in 1/10,000 */
    uint32_t store_permyriad;                      /* stores that fail */
    uint32_t slow;        /* the groups' times are multiplied by this, 1 .. GP_SLOW_MAX */
    uint32_t check_every; /* steps between two checks of all invariants of a core; 0: never */
    bool ed25519;         /* real signatures instead of the stand-in */
    bool tiers;           /* each group is a region and a grid of its own, with their seats */
    /*
     * With tiers: a group is a region of several sub-Grids of at most so many machines, which form
     * as newcomers are placed; 0: of one. Then group_size may be up to GP_WORLD_REGION_MAX.
     */
    uint32_t subgrid_size;
    /* With a subgrid_size: a group is a grid of so many regions, with equal shares of machines. */
    uint32_t regions;
    /*
     * With tiers and subgrid_size: the grid is laid out from the beginning (world_standing.c). Each
     * group is a region of so many sub-Grids of subgrid_size machines (group_size is their
     * product), and all regions are of one grid. 0: machines find their places.
     */
    uint32_t subgrids;
    gp_usec_t rest_after; /* laid out: a sub-Grid that was calm for so long rests; 0: none does */
} gp_world_config_t;

void gp_world_defaults(gp_world_config_t *config);

typedef struct gp_world gp_world_t;

typedef struct gp_world_stats {
    uint64_t events;
    uint64_t messages; /* sent */
    uint64_t bytes;
    uint64_t refused; /* frames that a gate dropped */
    uint64_t faults[GP_FAULT_COUNT];
    gp_census_t census;
    uint64_t finds;
    uint64_t found;
    uint64_t jobs;
    uint64_t jobs_ended;
    uint64_t rests;           /* how often a sub-Grid came to rest */
    uint64_t roused;          /* and went on */
    gp_usec_t rested_us;      /* machine time that was not simulated event by event */
    uint64_t rested_messages; /* what they would have sent in it, from their last calm seconds */
    uint64_t rested_bytes;
} gp_world_stats_t;

/* What one machine sent and took: within its sub-Grid, and beyond. */
typedef struct gp_world_traffic {
    uint64_t messages[2];
    uint64_t bytes[2];
} gp_world_traffic_t;

/* NULL: out of memory or a config out of range. */
gp_world_t *gp_world_new(const gp_world_config_t *config);
void gp_world_free(gp_world_t *world);

/* Lets the world go on until `until`; false as soon as an invariant is violated. */
bool gp_world_run(gp_world_t *world, gp_usec_t until);

gp_usec_t gp_world_now(const gp_world_t *world);
uint64_t gp_world_trace_hash(const gp_world_t *world);
const gp_world_stats_t *gp_world_stats(const gp_world_t *world);

/*
 * All was calm for `us`: then a program that has more to write, and was neither stopped nor let
 * write any of it in that time, is a violation.
 */
void gp_world_check_output(gp_world_t *world, gp_usec_t us);

/* The first violation, in words; "" while there is none. */
const char *gp_world_violation(const gp_world_t *world);

/* Each notice of each node, as it happens: for traces. */
typedef void gp_world_watch_t(void *context, uint32_t node, gp_usec_t at, uint64_t token,
                              const gp_msg_t *notice);
void gp_world_watch(gp_world_t *world, gp_world_watch_t *watch, void *context);

/* Looks on at one machine, from its next start on (agent/shell/runner.h). NULL: no longer. */
void gp_world_tap(gp_world_t *world, uint32_t node, const gp_tap_t *tap, void *context);

/* ---- what can be done to a node -------------------------------------------------------------- */

/* Starts the process. The first node of a group that ever starts founds it; a further one is
 * introduced by a living machine of the group. */
void gp_world_start(gp_world_t *world, uint32_t node);
void gp_world_crash(gp_world_t *world, uint32_t node, bool wipe);
void gp_world_doom(gp_world_t *world, uint32_t node); /* crashes while it stores the next record */
void gp_world_pause(gp_world_t *world, uint32_t node, bool pause);
void gp_world_clock(gp_world_t *world, uint32_t node, int32_t rate_ppm);

/* The machine leaves in good order; its process ends when the group knows. */
void gp_world_leave(gp_world_t *world, uint32_t node, bool forever);

/* Messages from `from` to `to` are lost from now on, or pass again. */
void gp_world_cut(gp_world_t *world, uint32_t from, uint32_t to, bool cut);

/* What `from` sends to `to` arrives in so much time at the earliest, in order. */
void gp_world_clog(gp_world_t *world, uint32_t from, uint32_t to, gp_usec_t us);
/* Its wall clock is wrong by so much from now on. */
void gp_world_wall(gp_world_t *world, uint32_t node, int64_t off_ms);
/* Its disk is full until it is healed, or does nothing for so long. */
void gp_world_disk(gp_world_t *world, uint32_t node, bool full, gp_usec_t busy_us);

/* All that was done is undone, and all machines run: in one group, or everywhere. */
void gp_world_heal_group(gp_world_t *world, uint32_t group);
void gp_world_heal(gp_world_t *world);

/* From now on messages and stores do not fail by themselves. */
void gp_world_calm(gp_world_t *world);

/* Counts a fault that the caller has put together from what is above. */
void gp_world_count(gp_world_t *world, gp_fault_t fault);

/* The sub-Grids of a group that have machines, by their ids, and how many those are. */
uint32_t gp_world_subgrids(const gp_world_t *world, uint32_t group, uint64_t *ret_ids,
                           uint32_t size);

/* The region of that machine, counted through all groups. */
uint32_t gp_world_region(const gp_world_t *world, uint32_t node);

/* The sub-Grid of that machine, as its disk names it. */
uint64_t gp_world_subgrid(const gp_world_t *world, uint32_t node);

void gp_world_find(gp_world_t *world, uint32_t node, const char *query);
/* The same, nearest to a member of its group first. */
void gp_world_find_near(gp_world_t *world, uint32_t node, const char *query, uint32_t near);
/* The same beyond the sub-Grid, which needs groups above; the notice ROUTE_ANSWER tells. */
void gp_world_route(gp_world_t *world, uint32_t node, const char *query, gp_route_scope_t scope);
void gp_world_job(gp_world_t *world, uint32_t node, const char *where);
void gp_world_job_on(gp_world_t *world, uint32_t node, uint32_t place, const char *where);

/* The machine offers what its seed says, or for now no memory and no more than one processor. */
void gp_world_offer(gp_world_t *world, uint32_t node, bool all);

/* ---- what can be seen ------------------------------------------------------------------------ */

/* In a grid that is laid out: how many of its machines live event by event now. */
uint32_t gp_world_awake(const gp_world_t *world);
gp_world_traffic_t gp_world_traffic(const gp_world_t *world, uint32_t node);
/* For how long it has rested, of all its time. */
gp_usec_t gp_world_rested(const gp_world_t *world, uint32_t node);
bool gp_world_rests(const gp_world_t *world, uint32_t node);

bool gp_world_alive(const gp_world_t *world, uint32_t node);
const char *gp_world_name(const gp_world_t *world, uint32_t node);
/* The node with this id (also a former id of a wiped node), or UINT32_MAX. */
uint32_t gp_world_node(const gp_world_t *world, const gp_id_t *id);
const void *gp_world_peer(const gp_world_t *world, uint32_t node); /* NULL: not running */

/* The least time of a message from one node to another. */
gp_usec_t gp_world_way(const gp_world_t *world, uint32_t from, uint32_t to);

/* One leader with a mandate in each group, everybody follows it, all views equal. If not, why. */
bool gp_world_agrees(const gp_world_t *world, uint32_t group, char *why, size_t size);
uint32_t gp_world_groups(const gp_world_t *world);

/* Says of each node of a group how it stands to the others: for a group that does not agree. */
typedef void gp_world_line_t(void *context, const char *line);
void gp_world_explain(const gp_world_t *world, uint32_t group, gp_world_line_t *tell,
                      void *context);

#endif
