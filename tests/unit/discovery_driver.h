/*
 * Helpers of discovery's tests: records from text, a core with its sheet of actions, and a little
 * grid of cores whose messages are delivered by hand.
 */
#ifndef GP_TESTS_DISCOVERY_DRIVER_H
#define GP_TESTS_DISCOVERY_DRIVER_H

#include "discovery/discovery.h"
#include "discovery/state.h"

#include "proto_cmocka.h"

#define DRIVER_NODES 5

/* One core and what it said in the last step. */
typedef struct driver_node {
    gp_discovery_t *core;
    gp_id_t id;
    gp_out_t out;
} driver_node_t;

/* What is on its way: a copy of the message with all its slices. */
typedef struct driver_letter {
    gp_id_t from;
    gp_id_t to;
    gp_msg_t *msg;
} driver_letter_t;

#define DRIVER_LETTERS 512

typedef struct driver_grid {
    gp_usec_t now;
    driver_node_t nodes[DRIVER_NODES];
    uint32_t node_count;
    driver_letter_t letters[DRIVER_LETTERS];
    uint32_t letter_count;
    uint32_t sent[GP_ROOM_COUNT * 64 + 1]; /* how many of each kind were sent */
    gp_msg_t *answer;                      /* the last ANSWER of any node, and its token */
    uint64_t answer_token;
    uint32_t answer_count;
} driver_grid_t;

gp_id_t driver_id(uint8_t n);

/* Sets attributes in a lane: "cpu=4 mem=8GiB arch=x86_64 has=gcc,make". */
void driver_set(gp_records_t *records, uint32_t lane, const char *text);

/* Records on the heap; free() them. */
gp_records_t *driver_records(uint32_t width);

/* n nodes n1, n2 ... that know each other as alive; n1 leads by quorum, n2 is its deputy. */
void driver_grid_init(driver_grid_t *grid, uint32_t nodes);

/* The same, with all that it said at first lost and forgotten. */
void driver_grid_quiet(driver_grid_t *grid, uint32_t nodes);
void driver_grid_free(driver_grid_t *grid);

void driver_command(driver_grid_t *grid, uint32_t node, uint64_t token, const gp_msg_t *msg);
void driver_wake(driver_grid_t *grid, uint32_t node);
void driver_message(driver_grid_t *grid, uint32_t node, const gp_id_t *from, const gp_msg_t *msg);

/* Leader (index, or UINT32_MAX: nobody) and deputy as node `node` is told; lease of one second. */
void driver_leader(driver_grid_t *grid, uint32_t node, uint64_t term, uint32_t leader,
                   uint32_t deputy, gp_right_t right);
void driver_member(driver_grid_t *grid, uint32_t node, uint32_t about, gp_member_state_t state);

/* Collected attributes of a node, as driver_set writes them. */
void driver_own(driver_grid_t *grid, uint32_t node, const char *text);
void driver_find(driver_grid_t *grid, uint32_t node, uint64_t token, const char *query);

/* Delivers all letters, and those that follow from them. */
void driver_deliver(driver_grid_t *grid);

/* Throws all letters away. */
void driver_lose(driver_grid_t *grid);

/* Lets time pass: wakes and deliveries in order, up to now + span. Renews the leases of leaders. */
void driver_run(driver_grid_t *grid, gp_usec_t span);

#endif
