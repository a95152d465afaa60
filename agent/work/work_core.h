/*
 * Work: run a command on the best machine that matches, once, and tell exactly how it ended.
 *
 * One core holds both sides. The home owns a job (its own id, a number), the executor an attempt of
 * it (home, job, incarnation). Three steps start an attempt: CLAIM asks for an offer, CLAIMED gives
 * it a ticket, and the first KEEP with that ticket, sent only after the home's record names this
 * executor durably, orders the start; it goes on as the renewal of the lease. An offer is used up
 * by its start and tickets are never reused, so no lost, late or repeated message starts a program
 * twice, and a machine that never got the order has certainly not run it. After the order a job is
 * never placed again, unless that executor answers that it did not and never will start it.
 *
 * A thing is durable before it is said: the job before the user hears its number, the executor's
 * name before the order, the attempt before its start, the end before ENDED_ACK. The core waits for
 * STORED and does not lean on the barrier: of its shell it needs only that a failed STORE takes no
 * action of a later batch with it. What a machine says to itself never leaves the core.
 *
 * In this form a job has one started attempt and ends with the home's agent; queues, retries and
 * records that survive the home are the rich model's.
 */
#ifndef GP_AGENT_WORK_WORK_CORE_H
#define GP_AGENT_WORK_WORK_CORE_H

#include "proto/core.h"

#define GP_WORK_KEY_MAX 48 /* bytes of the key of a stored record */

/*
 * The machine's own decision on a claim: GP_OK, or the error and a reason in words (terminated, cut
 * at size). Must be pure: same record and query, same answer.
 */
typedef gp_error_t (*gp_work_fits_t)(void *context, gp_slice_t where, char *reason, size_t size);

typedef struct gp_work_config {
    uint64_t epoch;        /* this start's number, raised durably at each start; below 2^43 */
    uint16_t home_max;     /* 1..GP_JOBS_MAX: jobs that the home remembers, open and ended */
    uint16_t attempts_max; /* 1..GP_JOBS_MAX: attempts on record here, ended and unreported too */
    uint16_t running_max;  /* 0..attempts_max: attempts that may run here at once */
    uint32_t
        command_bytes; /* where, rank, command and environment of one job, with 2 bytes a word */
    uint32_t output_window; /* bytes of output of one attempt on their way; at least one chunk */
    gp_usec_t lease_us;     /* an attempt stops itself when it heard nothing from home so long */
    gp_usec_t keep_us;      /* how often the home renews the lease */
    gp_usec_t claim_us;     /* how long the home waits for one machine's answer to a claim */
    gp_usec_t match_us;     /* how long the home asks again while discovery has no answer */
    bool lend;              /* the owner lends this machine; WORK_POLICY changes it */
    bool certified;      /* the grid has certificates: whose roles are not known may do nothing */
    uint16_t roles;      /* gp_role_t bits of this machine; WORK_MEMBER of itself changes them */
    gp_work_fits_t fits; /* NULL: everything fits */
    void *fits_context;
} gp_work_config_t;

/* What `ps` tells of a job. Slices point into the core, until its next step. */
typedef struct gp_work_job {
    uint64_t job;
    uint32_t incarnation;
    uint32_t code;
    gp_job_state_t state;
    gp_reason_t reason;
    gp_id_t executor; /* none: not placed yet */
    gp_slice_t node;  /* the executor's name */
    gp_slice_t name;
    gp_slice_t text;
    gp_usec_t since; /* when it came into this state; 0: in an earlier life of this agent */
    gp_usec_t heard; /* when the executor last said something of it; 0: never */
    uint64_t output; /* bytes of output taken */
    uint64_t wall_us;
    uint64_t cpu_us;
    uint64_t peak_bytes;
} gp_work_job_t;

/* What a machine tells of an attempt that it runs, or has run and not yet reported. */
typedef struct gp_work_attempt {
    gp_id_t home;
    uint64_t job;
    uint32_t incarnation;
    gp_job_state_t
        state; /* CLAIMING: an offer; RUNNING; DONE, FAILED ...: its home is still told */
    gp_reason_t reason;
    gp_slice_t name;
    gp_usec_t lease_until;
} gp_work_attempt_t;

extern const gp_core_ops_t gp_work_ops;

/* Fills in everything but epoch and fits: the limits of proto/limits.h, a lease of 10 s; all may
 * do everything. */
void gp_work_config_default(gp_work_config_t *ret_config);

/*
 * The key of a stored record of this room, for the shell's table: writes at most GP_WORK_KEY_MAX
 * bytes and returns how many. *ret_removed: the record of this key is to be removed.
 */
uint32_t gp_work_record_key(const gp_msg_t *msg, uint8_t key[GP_WORK_KEY_MAX], bool *ret_removed);

/* The job in slot `index` (0 .. home_max-1), for listings. False: the slot is free. */
bool gp_work_job_at(const void *core, uint32_t index, gp_work_job_t *ret_job);

/* The same by number. False: no such job. */
bool gp_work_job_find(const void *core, uint64_t job, gp_work_job_t *ret_job);

/* The attempt in slot `index` (0 .. attempts_max-1). False: the slot is free. */
bool gp_work_attempt_at(const void *core, uint32_t index, gp_work_attempt_t *ret_attempt);

/* What this machine's certificate lets it do: gp_role_t bits. */
uint16_t gp_work_roles(const void *core);

/* Attempts that run here or hold an offer; what `running_max` bounds. */
uint32_t gp_work_running(const void *core);

#endif
