/* The virtual world's own state; for its two files. */
#ifndef AGENT_WORK_WORLD_INSIDE_H
#define AGENT_WORK_WORLD_INSIDE_H

#include "proto/random.h"
#include "tests/unit/agent_work_world.h"
#include "tests/unit/heap.h"

#define EVENTS_MAX      16384
#define RECORDS_MAX     256
#define HELD_MAX        4096
#define PROGRAMS_MAX    32
#define COMMANDS_PERIOD (100 * GP_MSEC)

typedef enum pending_type {
    PENDING_MSG = 1,
    PENDING_COMMAND,
    PENDING_STORED,
    PENDING_PROGRAM, /* a program's next moment; token: its slot */
    PENDING_RESTART,
    PENDING_VERDICT, /* token: the machine spoken of */
    PENDING_TICK
} pending_type_t;

typedef struct pending {
    heap_key_t key;
    pending_type_t type;
    uint32_t node;
    uint32_t from;
    uint32_t life; /* of the receiver: a machine that crashed meanwhile does not get it */
    gp_id_t peer;
    uint64_t token;
    bool ok;
    gp_msg_kind_t kind;
    uint8_t *bytes;
    size_t n;
} pending_t;

typedef struct record {
    bool used;
    uint8_t key[GP_WORK_KEY_MAX];
    uint32_t key_n;
    gp_msg_kind_t kind;
    uint8_t *bytes;
    size_t n;
} record_t;

/* An action that waits behind a STORE. */
typedef struct held {
    gp_action_type_t type;
    uint64_t batch;
    gp_id_t peer;
    uint64_t token;
    gp_msg_kind_t kind;
    uint8_t *bytes;
    size_t n;
} held_t;

typedef struct program {
    bool used;
    gp_id_t home;
    uint64_t job;
    uint32_t incarnation;
    bool started;
    bool ended;
    uint64_t written;
    uint64_t total;
    uint64_t until;
    uint32_t stop; /* reason */
    gp_usec_t begin;
} program_t;

typedef struct node {
    gp_id_t id;
    bool up;
    bool stopped; /* in good order: stays down until healed */
    uint32_t life;
    uint64_t epoch;
    gp_usec_t frozen_until;
    void *core;
    record_t records[RECORDS_MAX];
    held_t held[HELD_MAX];
    uint32_t held_count;
    bool storing;
    uint64_t batch;
    gp_member_state_t told[WORLD_NODES]; /* what its group last said */
    program_t programs[PROGRAMS_MAX];
    uint32_t side; /* of a partition */
} node_t;

typedef struct job {
    bool submitted;
    uint32_t home;
    uint32_t home_life;
    gp_id_t home_id;
    bool home_lost;
    uint64_t number; /* 0: not accepted yet */
    bool told_end;
    gp_job_state_t state;
    gp_reason_t reason;
    uint64_t read;
    uint64_t total; /* what its program writes */
    bool slow;
    uint32_t starts;
    bool completed; /* its program ran to its end by itself */
} job_t;

typedef struct world {
    gp_random_t random;
    world_faults_t faults;
    bool healed;
    gp_usec_t now;
    gp_usec_t heal_at;
    uint64_t order;
    pending_t events[EVENTS_MAX];
    uint32_t event_count;
    node_t nodes[WORLD_NODES];
    job_t jobs[WORLD_JOBS];
    uint32_t job_count;
    bool disk_failed; /* some STORE may have failed */
    bool cut;
    gp_usec_t cut_until;
    gp_action_t actions[GP_ACTIONS_MAX];
    _Alignas(16) uint8_t arena[GP_ARENA_BYTES];
    gp_out_t out;
    world_result_t *result;
} world_t;

extern world_t *w;
extern gp_msg_t world_scratch; /* a message while it is read or made */

/* ---- agent_work_world.c ---------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) void world_tell(const char *format, ...);
bool world_chance(uint32_t permille);
uint64_t world_below(uint64_t bound);
void world_push(pending_t event);
uint32_t world_node_of(const gp_id_t *id);
job_t *world_job_of(const gp_id_t *home, uint64_t number);
void world_command(uint32_t node, gp_usec_t at, uint64_t token, const gp_msg_t *msg);

/* ---- agent_work_world_play.c: programs, users, discovery ------------------------------------- */

void world_program_moment(uint32_t at_node, program_t *p);
void world_program_notice(uint32_t at_node, const gp_msg_t *msg);
void world_on_job(uint32_t at_node, uint64_t request, const gp_msg_job_t *msg);
void world_on_job_output(uint32_t at_node, const gp_msg_job_output_t *msg);
void world_on_find(uint32_t at_node, uint64_t token, const gp_msg_job_find_t *msg);

#endif
