/*
 * A grid of routing cores for tests: regions of sub-Grids of machines with records, on a plane of
 * cities, joined by a network that delays and loses what is sent. There is neither group nor
 * election: the lab tells each core who leads. In place of a discovery core it evaluates the
 * question over the sub-Grid's records. All of it follows from a seed. Frames are sealed, opened
 * and checked as between real machines, with the simulator's signatures.
 */
#ifndef GP_TESTS_DISCOVERY_ROUTE_LAB_H
#define GP_TESTS_DISCOVERY_ROUTE_LAB_H

#include "discovery/route.h"
#include "discovery/route_state.h"
#include "discovery_summary_lab.h"
#include "heap.h"
#include "proto/envelope.h"

#define ROUTE_LAB_REGIONS_MAX 64
#define ROUTE_LAB_WALL        UINT64_C(1000000)

typedef struct route_lab_config {
    uint32_t regions;
    uint32_t subgrids; /* in all; of region i % regions */
    uint32_t askers;   /* one plain machine in each of the first so many sub-Grids */
    uint32_t loss;     /* per mille of messages between machines */
    uint32_t mixed;    /* of lab_grid_init */
    bool exact;        /* machines know where they are; else they find out as they would */
    uint64_t seed;
} route_lab_config_t;

typedef enum route_lab_fault {
    ROUTE_LAB_WELL = 0,
    ROUTE_LAB_DEAD,      /* hears and says nothing */
    ROUTE_LAB_DROPS,     /* carries no answer back, but tells that it is done */
    ROUTE_LAB_REWRITES,  /* changes a byte of each claim that it carries back */
    ROUTE_LAB_UNRECORDED /* its answers are partial */
} route_lab_fault_t;

typedef struct route_lab_place {
    int64_t x, y; /* microseconds */
    int64_t line;
    gp_coordinate_t coordinate;
} route_lab_place_t;

typedef struct route_lab_node {
    void *core;
    gp_id_t id;
    uint32_t subgrid;
    uint32_t host; /* of the sub-Grid: the super-peer is 0 */
    gp_usec_t wake;
    route_lab_fault_t fault;
} route_lab_node_t;

typedef struct route_lab_subgrid {
    lab_grid_t grid;
    uint32_t region;
    bool lies;  /* its summary claims what all sub-Grids together offer */
    bool stale; /* its records changed: a test that changes them says so */
    uint32_t summary_n;
    uint32_t names_n;
    uint8_t summary[GP_SUMMARY_MAX];
    uint8_t names[GP_PLACE_NAMES_MAX];
    route_lab_place_t places[LAB_HOSTS];
} route_lab_subgrid_t;

/* One question and what came of it. */
typedef struct route_lab_answer {
    bool there;
    bool partial;
    uint16_t error;
    uint8_t hops;
    uint32_t asked;
    uint32_t answered;
    uint32_t matching;
    uint32_t absences;
    uint32_t absent_count;
    uint8_t why[GP_ROUTE_ABSENT_MAX];
    uint64_t absent[GP_ROUTE_ABSENT_MAX];
    uint32_t hit_count;
    gp_id_t hits[GP_HITS_MAX];
    char region[GP_NAME_MAX + 1]; /* of the first */
    char subgrid[GP_NAME_MAX + 1];
    gp_usec_t after; /* the question */
} route_lab_answer_t;

typedef struct route_lab_event {
    heap_key_t key;
    uint32_t node;
    uint32_t from;
    uint8_t *frame; /* NULL: a wake */
    uint32_t n;
} route_lab_event_t;

typedef struct route_lab {
    route_lab_config_t config;
    gp_usec_t now;
    gp_random_t random;
    uint32_t node_count; /* the super-peers, then the askers */
    route_lab_node_t *nodes;
    route_lab_subgrid_t *subgrids;
    route_lab_event_t *events;
    uint32_t event_count;
    uint64_t order;
    uint32_t lost;
    uint32_t sent[GP_ROOM_COUNT * 64];
    uint64_t bytes_sent;
    uint32_t refused;                       /* by the check of claims */
    uint32_t leader[ROUTE_LAB_REGIONS_MAX]; /* node that is region peer */
    gp_usec_t asked_at;
    route_lab_answer_t answer; /* the last */
    gp_out_t out;
    gp_action_t actions[GP_ACTIONS_MAX];
    uint8_t *arena;
    uint8_t *memory;
    gp_msg_t msg;
    gp_query_t query;
    gp_rank_t rank;
} route_lab_t;

/* A grid that has lived long enough for all to have told what they offer. */
route_lab_t *route_lab_new(const route_lab_config_t *config);
void route_lab_free(route_lab_t *lab);

/* Lets so much time pass. */
void route_lab_run(route_lab_t *lab, gp_usec_t span);

/* The next of the region's super-peers leads it, as its deputy did. */
void route_lab_depose(route_lab_t *lab, uint32_t region);

typedef struct route_lab_question {
    uint32_t node; /* who asks */
    const char *query;
    const char *rank;
    uint16_t limit;
    uint8_t scope;
    uint32_t timeout_ms;
} route_lab_question_t;

/* Asks, and runs until the answer is there; fails if there is none in time, or two. */
const route_lab_answer_t *route_lab_ask(route_lab_t *lab, const route_lab_question_t *question);

/* The asker in that sub-Grid. */
uint32_t route_lab_asker(const route_lab_t *lab, uint32_t subgrid);

/* Which machines of the sub-Grid match. */
uint64_t route_lab_matches(route_lab_t *lab, uint32_t subgrid, const char *query);

/* The sub-Grid and host of a machine. */
void route_lab_whose(const route_lab_t *lab, const gp_id_t *id, uint32_t *ret_subgrid,
                     uint32_t *ret_host);

/* The true round trip between two machines. */
int64_t route_lab_truth_us(const route_lab_t *lab, const route_lab_place_t *a,
                           const route_lab_place_t *b);
const route_lab_place_t *route_lab_place_of(const route_lab_t *lab, uint32_t node);

#endif
