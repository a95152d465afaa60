/*
 * A small world for the work core: machines with a core, a disk and a launcher each, a network that
 * loses, repeats, delays and reorders, a group that gives verdicts, and users who read slowly.
 *
 * It asserts at every step what must always hold: no job's program is started twice anywhere, what
 * the user reads is what the program wrote, in order, and no end comes without a reason.
 */
#ifndef AGENT_WORK_WORLD_H
#define AGENT_WORK_WORLD_H

#include "agent/work/work_core.h"

#define WORLD_NODES 4
#define WORLD_JOBS  64

/* How hostile the world is; chances in permille. */
typedef struct world_faults {
    uint32_t loss;
    uint32_t repeat;
    uint32_t delay_ms;    /* a message takes up to this long */
    uint32_t late;        /* chance that a message takes seconds */
    uint32_t store_fails; /* chance that a STORE fails */
    uint32_t crash;       /* chance, each 100 ms, that some machine crashes */
    uint32_t lose_disk;   /* chance that a crash loses the disk, and with it the identity */
    uint32_t freeze;      /* chance, each 100 ms, that some machine is frozen for a while */
    uint32_t partition;   /* chance, each 100 ms, that the network is cut in two */
    uint32_t cancel;      /* chance that a job is cancelled at some time */
    uint32_t slow_reader; /* chance that a user reads slowly */
    uint32_t stop;        /* chance, each 100 ms, that some agent is stopped in good order */
} world_faults_t;

typedef struct world_result {
    uint32_t submitted;
    uint32_t accepted;
    uint32_t started; /* programs */
    uint32_t done;
    uint32_t failed;
    uint32_t cancelled;
    uint32_t lost;
    uint32_t rejected;   /* never accepted, and the user was told */
    uint32_t unrecorded; /* how often a disk did not take an end, and the user was told */
    uint32_t reasons[32];
    uint64_t messages;
    uint64_t hash; /* of everything that happened */
} world_result_t;

/* Runs `jobs` jobs under faults for `fault_ms`, then heals and waits for all to end. */
void world_run(uint64_t seed, const world_faults_t *faults, uint32_t jobs, uint32_t fault_ms,
               world_result_t *ret_result);

#endif
