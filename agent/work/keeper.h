/*
 * What the launcher and its keepers say to each other, over a SOCK_SEQPACKET pair: one struct a
 * packet. Both are of one build on one machine, so the structs travel as they are.
 *
 * A keeper is a small static program, one for each attempt. It starts the program into cgroups of
 * its own, adopts whatever that leaves behind (PR_SET_CHILD_SUBREAPER), ends the whole tree on
 * order, when the lease ends, or when the agent is gone, counts its CPU time, and cleans up.
 */
#ifndef GP_AGENT_WORK_KEEPER_H
#define GP_AGENT_WORK_KEEPER_H

#include <stdint.h>

#define GP_KEEPER_CONTROL_FD 3

/*
 * gridpeer-keeper run BASE NAME V2 V1 PROGRAM ARG...  works in BASE/NAME, with V2/NAME and V1/NAME
 *                                                     as cgroups ("-": the host has none)
 * gridpeer-keeper clean BASE V2 V1                    waits for the keepers of an earlier agent,
 *                                                     then ends and removes whatever they left
 * gridpeer-keeper clean BASE V2 V1 NAME               ends and removes what one keeper left that
 *                                                     was killed itself
 */
#define GP_KEEPER_RUN   "run"
#define GP_KEEPER_CLEAN "clean"
#define GP_KEEPER_NONE  "-"

typedef enum gp_keeper_order_type {
    GP_KEEPER_END = 1, /* SIGTERM to the program's group, SIGKILL to all after `ms` */
    GP_KEEPER_KILL,    /* SIGKILL to all, now */
    GP_KEEPER_LEASE    /* kill all in `ms`, unless another lease comes: the agent may freeze */
} gp_keeper_order_type_t;

typedef struct gp_keeper_order {
    uint32_t type;
    uint32_t ms;
} gp_keeper_order_t;

typedef enum gp_keeper_stage {
    GP_KEEPER_STAGE_DIRECTORY = 1, /* the working directory could not be made */
    GP_KEEPER_STAGE_PROCESS,       /* no process could be made */
    GP_KEEPER_STAGE_SETUP,         /* the process could not be set up */
    GP_KEEPER_STAGE_EXEC,          /* the program could not be executed */
    GP_KEEPER_STAGE_INTERPRETER,   /* the program is there; its interpreter or loader is not */
    GP_KEEPER_STAGE_TAKEN          /* an attempt of this very number is not cleaned up yet */
} gp_keeper_stage_t;

typedef enum gp_keeper_report_type {
    GP_KEEPER_STARTED = 1,
    GP_KEEPER_NOT_STARTED, /* stage, error */
    GP_KEEPER_ENDED        /* nothing of it is left, unless `left` */
} gp_keeper_report_type_t;

typedef struct gp_keeper_report {
    uint32_t type;
    uint32_t stage;
    int32_t error;       /* errno */
    int32_t status;      /* of the program, as waitpid gives it */
    uint64_t wall_us;    /* from the start to the program's end */
    uint64_t cpu_us;     /* user and system, the whole tree */
    uint64_t peak_bytes; /* resident, of the largest process of the tree */
    uint32_t oom_kills;  /* processes of it that the kernel killed for memory: its cgroup says so */
    uint32_t host_ooms;  /* the same on the whole host meanwhile: a hint where no cgroup tells */
    uint32_t lease_over; /* the keeper ended it: no lease came in time */
    uint32_t left;       /* processes that could not be ended (stuck in the kernel) */
    uint32_t on_order;   /* it was still running when the order to end it came */
} gp_keeper_report_t;

#endif
