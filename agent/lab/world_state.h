/* What the files of the world share; nobody else includes this. */
#ifndef GP_AGENT_LAB_WORLD_STATE_H
#define GP_AGENT_LAB_WORLD_STATE_H

#include "agent/lab/world.h"
#include "proto/random.h"

typedef enum gp_happening_type {
    GP_HAPPEN_WAKE = 1,
    GP_HAPPEN_FRAME,
    GP_HAPPEN_LINK,
    GP_HAPPEN_DIALED,
    GP_HAPPEN_STORED,
    GP_HAPPEN_COMMAND,
    GP_HAPPEN_LIMIT, /* it was told to stop, and takes no longer */
    GP_HAPPEN_CRASH,
    GP_HAPPEN_JOIN /* to no life: it asks once more to be placed */
} gp_happening_type_t;

/* How a frame comes to its receiver. */
typedef enum gp_sim_manner {
    GP_MANNER_IN_ORDER = 0, /* behind all that its sender sent it before */
    GP_MANNER_LOOSE,        /* early, late or again */
    GP_MANNER_FORGED,       /* a bit of it is another */
    GP_MANNER_NEWER         /* of a protocol that is not known here */
} gp_sim_manner_t;

/* Something that will happen to one life of one node. */
typedef struct gp_happening {
    gp_usec_t at;
    uint64_t order; /* of creation: ties are broken the same way in each run */
    uint32_t node;
    uint32_t life;
    gp_happening_type_t type;
    gp_room_t room;
    gp_id_t peer;
    uint64_t token;
    bool ok;
    gp_seat_t seat; /* COMMAND: whose it is */
    bool written;   /* STORED: it is on the disk, whatever the machine was told */
    uint32_t twin;  /* FRAME: the same for all copies; 0: there is one */
    gp_sim_manner_t manner;
    uint32_t n;
    uint8_t bytes[]; /* a frame, a record, a packed command */
} gp_happening_t;

/* When it happens stands beside it: sorting reads nothing else. */
typedef struct gp_agenda_entry {
    gp_usec_t at;
    uint64_t order;
    gp_happening_t *what;
} gp_agenda_entry_t;

/* A binary heap by (at, order). */
typedef struct gp_agenda {
    gp_agenda_entry_t *v;
    size_t count;
    size_t capacity;
    size_t busy;   /* of them, what is no WAKE */
    uint32_t turn; /* where it is among the turns, from 1; 0: nothing of it is due */
    bool rests;    /* nothing of it happens until it goes on */
} gp_agenda_t;

/*
 * All that will happen. Usually there is one agenda; where sub-Grids may rest, each has its own,
 * with what happens within it, and the first is of what happens beyond.
 */
typedef struct gp_plan {
    gp_agenda_t *v;
    uint32_t count;
    uint32_t *turns; /* a binary heap of agendas by their first entries */
    uint32_t turn_count;
    uint64_t order; /* of the happening made last */
} gp_plan_t;

typedef struct gp_sim_record {
    gp_msg_kind_t kind;
    uint64_t key;
    uint32_t n;
    uint8_t *bytes;
} gp_sim_record_t;

/* By twin: in which life its receiver took one; 0: not yet. */
typedef struct gp_sim_twins {
    uint32_t *taken;
    uint32_t count;
    uint32_t capacity;
} gp_sim_twins_t;

#define GP_SIM_PAST 64

/* Laid out: with more groups below than so many, standbys have no seats above, for want of room. */
#define GP_SIM_STANDBYS_BELOW 10

/* A signed frame that somebody kept. */
typedef struct gp_sim_past {
    gp_id_t from;
    uint32_t to;
    gp_id_t to_id;
    uint32_t twin;
    uint32_t n; /* 0: none */
    uint8_t *bytes;
} gp_sim_past_t;

typedef struct gp_sim_disk {
    gp_sim_record_t *v;
    uint32_t count;
    uint64_t boot;
} gp_sim_disk_t;

#define GP_SIM_TERMS    64 /* so many terms back the oracle remembers */
#define GP_SIM_PROGRAMS 64 /* so many programs back a node knows when it started them */

typedef struct gp_sim_program {
    gp_id_t home;
    uint64_t job;
    uint32_t incarnation;
    uint32_t life;       /* of the agent that runs it, and ends with it */
    uint64_t total;      /* bytes that it writes if nobody stops it */
    uint64_t wrote;      /* of them, with what it writes at writes_at */
    uint64_t before;     /* and without */
    gp_usec_t writes_at; /* true time; at first the earliest that it can be */
    bool stopped;
} gp_sim_program_t;

/* How a machine voted in one group. */
typedef struct gp_sim_votes {
    uint64_t terms[GP_SIM_TERMS];  /* by term modulo GP_SIM_TERMS: the latest voted in ... */
    gp_id_t whom[GP_SIM_TERMS];    /* ... and for whom ... */
    uint64_t groups[GP_SIM_TERMS]; /* ... and in which group */
} gp_sim_votes_t;

/* What one machine has to do with another. */
typedef struct gp_sim_tie {
    uint32_t other;
    bool cut;          /* what I send to it is lost */
    bool link;         /* I hold a link to it */
    gp_usec_t arrival; /* of what I sent it last: links keep their order */
    gp_usec_t heard;   /* when I last took a frame of it; true time */
} gp_sim_tie_t;

typedef struct gp_sim_node {
    gp_world_t *world;
    uint32_t index;
    uint32_t life;  /* of the process: raised at each start and each crash */
    uint32_t wipes; /* of the disk: a wiped machine comes back as another */
    bool running;
    bool paused;
    bool introduced;
    uint8_t founds;   /* gp_founds_t: it is told so at each start */
    bool joins;       /* it has asked where to go, or will ask again */
    bool moves;       /* its process begins anew with this step: it is in another sub-Grid */
    uint64_t subgrid; /* its sub-Grid's id, once it has one */
    bool leaving;     /* it was told to go in good order, and has not gone yet */
    bool left;        /* the group knows that it leaves ... */
    bool idle;        /* ... and its programs have ended: its process ends with this step */
    bool packed;      /* its runner's memory is */
    gp_id_t id;
    char name[GP_NAME_MAX + 1];
    int64_t at[2]; /* its place: microseconds from a corner of the world */
    int32_t rate_ppm;
    gp_usec_t clock_true;  /* since when the clock runs at this rate */
    gp_usec_t clock_local; /* and what it said then */
    gp_world_traffic_t traffic;
    gp_usec_t rested;    /* of its time */
    gp_usec_t wake_at;   /* true time of the WAKE on the agenda; GP_NEVER: none */
    gp_usec_t disk_free; /* the disk does one thing after another */
    bool disk_full;      /* until it is healed */
    bool doomed;         /* it crashes while it stores the next record */
    int64_t wall_off_ms; /* its wall clock is wrong by so much */
    bool for_ever;       /* it leaves for good */
    bool gone;           /* it has: another machine comes in its place */
    uint32_t steps;
    gp_census_place_t places[GP_SEAT_COUNT]; /* to the leader, as it last said */
    gp_sim_disk_t disk;
    gp_sim_program_t *programs; /* GP_SIM_PROGRAMS, the newest in place of the oldest; or NULL */
    uint32_t program_count;
    gp_runner_t *runner;
    gp_secret_t *secret; /* with ed25519 */
    gp_sim_tie_t *ties;  /* to whomever it had to do with, by its number */
    uint32_t tie_count;
    uint32_t tie_capacity;
    gp_sim_votes_t *votes[GP_SEAT_COUNT]; /* NULL: it never voted there */
    gp_happening_t **waiting;             /* what came while it was paused */
    uint32_t waiting_count;
    uint32_t waiting_capacity;
} gp_sim_node_t;

/* What the oracle remembers of a group. */
typedef struct gp_sim_group {
    uint64_t id;
    bool founded;
    uint32_t adding; /* a region: the node that is to found it, counted from 1; 0: none yet */
    uint64_t terms[GP_SIM_TERMS]; /* by term modulo GP_SIM_TERMS: the latest with a mandate */
    gp_id_t leaders[GP_SIM_TERMS];
    uint32_t holder; /* the node whose lease runs, and in which life */
    uint32_t holder_life;
    gp_usec_t lease_until; /* true time */
} gp_sim_group_t;

/* Where runners and cores live whose pages are given back while they rest. */
typedef struct gp_sim_berths {
    uint8_t *all; /* of all machines, at the same place for ever: what points into it stays right */
    size_t size;  /* of one, whole pages */
    uint8_t *loose; /* for packing: what does not compress */
    size_t loose_size;
    int pagemap; /* which pages there are */
} gp_sim_berths_t;

/* One sub-Grid of a grid that is laid out. */
typedef struct gp_sim_part {
    bool rests;
    gp_usec_t since;     /* when it came to rest */
    gp_usec_t calm_from; /* nothing but what always happens has happened since then */
    uint32_t leader;     /* while it rests */
    void *packed;        /* what its machines hold that rest with all that they have */
    size_t packed_n;
    size_t loose_n;           /* the same before it was compressed */
    gp_usec_t look_at;        /* whether it may rest */
    uint64_t messages, bytes; /* sent within it since calm_from */
} gp_sim_part_t;

struct gp_world {
    gp_world_config_t config;
    gp_bench_t *bench;
    gp_random_t random;
    gp_usec_t now;
    gp_plan_t plan;
    gp_sim_part_t *parts; /* sub-Grids, if it is laid out */
    uint32_t part_count;
    uint32_t running; /* machines */
    uint32_t resting; /* of them */
    gp_sim_berths_t berths;
    gp_sim_node_t *nodes;
    gp_sim_group_t *groups; /* of each seat's tier, region_count */
    uint32_t group_count;
    uint32_t region_count;
    uint32_t known_count;   /* of groups */
    gp_sim_group_t *formed; /* sub-Grids that were founded in the course of things */
    uint32_t formed_count;
    uint64_t hash;
    gp_world_stats_t stats;
    gp_world_watch_t *watch;
    void *watch_context;
    const gp_tap_t *tap;
    void *tap_context;
    uint32_t tap_node;
    char violation[256];
    gp_msg_t msg; /* for looking into what is sent */
    uint8_t packed[GP_MESSAGE_MAX];
    uint64_t same_time; /* happenings since time last went on */
    gp_error_t dropped; /* why the frame at hand was refused */
    gp_sim_twins_t twins;
    gp_sim_past_t past[GP_SIM_PAST];
    uint64_t *started_jobs; /* the oracle: every attempt that ever started, as a hash */
    uint32_t started_count;
    uint32_t started_capacity;
    uint64_t requests;
};

/* world_agenda.c */
gp_happening_t *gp_happening_new(gp_happening_type_t type, const gp_sim_node_t *node,
                                 gp_slice_t bytes);
bool gp_plan_init(gp_plan_t *plan, uint32_t agendas); /* false: out of memory */
void gp_plan_done(gp_plan_t *plan);
void gp_plan_add(gp_plan_t *plan, uint32_t agenda, gp_happening_t *happening);
gp_happening_t *gp_plan_take(gp_plan_t *plan); /* NULL: nothing will happen any more */
const gp_happening_t *gp_plan_first(const gp_plan_t *plan);
void gp_plan_rest(gp_plan_t *plan, uint32_t agenda);
/* All that is in it happens so much later than it would have. */
void gp_plan_go_on(gp_plan_t *plan, uint32_t agenda, gp_usec_t later);

/* world_standing.c */
bool gp_sim_is_laid_out(const gp_world_t *world);
bool gp_sim_leaders_only(const gp_world_t *world, gp_seat_t seat); /* no standby sits there */
uint32_t gp_sim_part_of(const gp_world_t *world, uint32_t node);
uint32_t gp_sim_part_end(const gp_world_t *world, uint32_t part); /* behind its last machine */
/* Where its disk says that it belongs; false: nobody is there to admit it. */
bool gp_sim_lay_out(gp_sim_node_t *node);

/* world_rest.c */
bool gp_sim_sits_above(const gp_sim_node_t *node);
/* Is what one machine says to another about a group in which both have a seat above? */
bool gp_sim_is_above(const gp_sim_node_t *from, const gp_sim_node_t *to, gp_slice_t frame);
uint32_t gp_sim_agenda_of(gp_world_t *world, const gp_happening_t *happening);
void gp_sim_disturb(gp_sim_node_t *node); /* its sub-Grid is not calm, and does not rest */
/* What is about to happen to a machine: does its sub-Grid have to go on for it? */
void gp_sim_before(gp_sim_node_t *node, const gp_happening_t *happening);
void gp_sim_after(gp_sim_node_t *node); /* something has: may its sub-Grid rest now? */
void gp_sim_noticed(gp_sim_node_t *node, const gp_msg_t *notice);
void gp_sim_plan_wake(gp_sim_node_t *node);

/* world_pack.c */
/* Zeroed memory for a runner of that size. */
void *gp_sim_berth(gp_sim_node_t *node, size_t size);
void gp_sim_pack(gp_world_t *world, uint32_t part);
void gp_sim_unpack(gp_world_t *world, uint32_t part);
void gp_sim_berths_free(gp_world_t *world);

/* world_agrees.c */
/* One sub-Grid of a grid that is laid out; it remembers who leads. */
bool gp_sim_part_agrees(gp_world_t *world, uint32_t part);

/* world.c */
gp_usec_t gp_sim_local(const gp_sim_node_t *node, gp_usec_t at);
gp_usec_t gp_sim_true(const gp_sim_node_t *node, gp_usec_t local);
uint32_t gp_sim_group_of(const gp_world_t *world, uint32_t node);
uint32_t gp_sim_place(const gp_world_t *world, uint32_t node); /* within its group */
/* group: for the seat of the grid, else a region. */
uint64_t gp_sim_group_id(gp_seat_t seat, uint32_t group);
uint64_t gp_sim_own_group(const gp_sim_node_t *node, gp_seat_t seat);
uint32_t gp_sim_region_size(const gp_world_t *world); /* machines, but for the last region */
bool gp_sim_lends(const gp_sim_node_t *node);         /* some owners do not */
void gp_sim_name(gp_sim_node_t *node); /* its id and name, after a wipe others than before */
void gp_sim_forget_waiting(gp_sim_node_t *node);
void gp_sim_command(gp_sim_node_t *node, gp_usec_t in_us, uint64_t token, const gp_msg_t *msg);
void gp_sim_command_in(gp_sim_node_t *node, gp_seat_t seat, gp_usec_t in_us, uint64_t token,
                       const gp_msg_t *msg);

void gp_sim_write(gp_sim_node_t *node, const gp_happening_t *stored);

/* world_life.c */
void gp_sim_end(gp_sim_node_t *node);      /* of its process */
void gp_sim_left(gp_sim_node_t *node);     /* the same, in good order */
void gp_sim_end_work(gp_sim_node_t *node); /* programs end, as the agent is to stop */

void gp_sim_introduce(gp_sim_node_t *node, gp_sim_node_t *sponsor, gp_seat_t seat);
void gp_sim_write_sponsor(gp_sim_node_t *node, const gp_sim_node_t *sponsor);

/* world_join.c: newcomers are placed, and machines that moved begin anew */
/* As gp_world_subgrids, of the nodes from `first` to before `end`. */
uint32_t gp_sim_subgrids(const gp_world_t *world, uint32_t first, uint32_t end, uint64_t *ret_ids,
                         uint32_t size);
void gp_sim_join(gp_sim_node_t *node);
void gp_sim_placed(gp_sim_node_t *sponsor, uint64_t token, const gp_msg_form_answer_t *answer);
void gp_sim_begin(gp_sim_node_t *node);  /* its process, with what is on its disk */
void gp_sim_settle(gp_sim_node_t *node); /* it is where its disk says that it is */
gp_record_member_t gp_sim_entry(const gp_sim_node_t *node, char address[GP_ADDRESS_MAX]);
/* A running machine of its region, or, if it is to found that, of any; NULL: there is none. */
gp_sim_node_t *gp_sim_sponsor(gp_sim_node_t *node);
/* What the oracle remembers of the group with that id, of the node's region. */
gp_sim_group_t *gp_sim_group(const gp_sim_node_t *node, uint64_t id);

/* world_ties.c */
/* Valid until the next tie of that node is made. */
gp_sim_tie_t *gp_sim_tie(gp_sim_node_t *node, uint32_t other);
const gp_sim_tie_t *gp_sim_tie_known(const gp_sim_node_t *node, uint32_t other); /* or NULL */

/* world_network.c */
void gp_sim_add(gp_world_t *world, gp_usec_t at, gp_happening_t *happening);
void gp_sim_send(void *context, const gp_id_t *to, gp_msg_kind_t kind, gp_slice_t frame);
void gp_sim_link(void *context, const gp_id_t *peer, bool held);
void gp_sim_dial(void *context, const gp_id_t *peer, gp_room_t room);
void gp_sim_links_reset(gp_sim_node_t *node);   /* its process died */
void gp_sim_links_restore(gp_sim_node_t *node); /* its process is back */

/* world_effects.c: the virtual clock, disk and launcher */
extern const gp_effects_t gp_sim_effects;
/* Empty bytes (a NULL pointer) remove the record. */
void gp_sim_keep(gp_sim_disk_t *disk, gp_msg_kind_t kind, uint64_t key, gp_slice_t bytes);
void gp_sim_wipe(gp_sim_disk_t *disk);
bool gp_sim_chance(gp_world_t *world, uint32_t permyriad);
gp_usec_t gp_sim_within(gp_world_t *world, gp_usec_t least, gp_usec_t more);

/* world_oracle.c */
void gp_oracle_notice(gp_sim_node_t *node, uint64_t token, const gp_msg_t *msg);
void gp_oracle_frame(gp_sim_node_t *node, const gp_happening_t *h, gp_error_t error);
void gp_oracle_sent(gp_sim_node_t *node, gp_msg_kind_t kind, gp_slice_t frame);
void gp_oracle_stepped(gp_sim_node_t *node); /* after whatever happened to it */
void gp_oracle_violation(gp_world_t *world, const char *what, const gp_sim_node_t *node);

#endif
