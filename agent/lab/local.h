/*
 * Real agents on this machine: `gridpeer sim up N` and what belongs to it.
 *
 * Each agent is a process of its own with its own state directory DIR/nK and port, on loopback
 * only; the first founds a grid, the others join it by a token, as machines do. What is made here
 * bears a mark (gp_state_mark_sim), and nothing without it is listed, signalled, started or
 * removed. An agent is found again by the lock of its directory, which names the process that holds
 * it, so a later command ends only what belongs to DIR.
 */
#ifndef GP_AGENT_LAB_LOCAL_H
#define GP_AGENT_LAB_LOCAL_H

#include <jansson.h>

#include "agent/store/fail.h"
#include "proto/types.h"

typedef struct gp_local {
    const char *dir;     /* DIR of the state directories */
    const char *program; /* what to start as an agent */
    uint64_t timeout_ms; /* for coming up, or starting again; 0: no limit */
    int wake;            /* readable when the user gave up; -1: none */
    /* How far it has come, from any thread: "joined", 12 of 100. NULL: nobody wants to know. */
    void (*progress)(const char *what, uint32_t done, uint32_t of);
} gp_local_t;

/* A grid to bring up. */
typedef struct gp_local_up {
    uint32_t count; /* agents, 1 to GP_SIM_AGENTS_MAX */
    const char *region;
    uint32_t subgrid_size; /* so many fill a sub-Grid, 2 to GP_MEMBERS_MAX; 0: as configured */
} gp_local_up_t;

/*
 * Starts the agents, a few at a time. Those that fit into one sub-Grid: waits until all agree on
 * their members and their super-peer, and three of them vote (if there are so many). More: until
 * each is in a sub-Grid that has a super-peer, and the region peer knows of them all. The document
 * (kind "sim") has agreed_ms, leader (of n1's sub-Grid) and subgrids beside its items. On failure
 * all are stopped and removed, also with GP_E_TIMED_OUT and GP_E_INTERRUPTED. GP_E_SIM_EXISTS: a
 * simulated grid is in DIR already; GP_E_SIM_OTHER: a machine that was not made here.
 */
GP_MUST_CHECK gp_error_t gp_local_up(const gp_local_t *local, const gp_local_up_t *wanted,
                                     json_t **ret_document, gp_fail_t *fail);

/*
 * Ends them, and removes their directories and what a killed `sim up` had half made. The document
 * lists what was there, and under "others" the names of machines that were left alone.
 * GP_E_SIM_OTHER: there are only such.
 */
GP_MUST_CHECK gp_error_t gp_local_down(const gp_local_t *local, json_t **ret_document,
                                       gp_fail_t *fail);

/* All agents of DIR: name, pid, port, state_dir, alive, state. */
GP_MUST_CHECK gp_error_t gp_local_status(const gp_local_t *local, json_t **ret_document,
                                         gp_fail_t *fail);

/*
 * Sends `number` (SIGKILL, SIGSTOP, SIGCONT) to the named agents. GP_E_SIM_STOPPED: one has no
 * process; with GP_E_NODE_UNKNOWN and GP_E_SIM_OTHER none was touched.
 */
GP_MUST_CHECK gp_error_t gp_local_signal(const gp_local_t *local, const char *const *names,
                                         uint32_t count, int number, gp_fail_t *fail);

/* Starts the named agents again, with the state they had. With GP_E_AGENT_RUNS,
 * GP_E_NODE_UNKNOWN and GP_E_SIM_OTHER none was started. */
GP_MUST_CHECK gp_error_t gp_local_start(const gp_local_t *local, const char *const *names,
                                        uint32_t count, gp_fail_t *fail);

/* An agent to start; what is NULL is as it is set up. */
typedef struct gp_local_agent {
    const char *name;
    const char *listen;
} gp_local_agent_t;

/*
 * Starts the agent of DIR/NAME, any machine's, in the background, its output in DIR/NAME/agent.log,
 * and waits until it serves. GP_E_STATE_MISSING, GP_E_AGENT_RUNS; else the cause of a failure is
 * the last error in that log.
 */
GP_MUST_CHECK gp_error_t gp_local_spawn(const gp_local_t *local, const gp_local_agent_t *agent,
                                        gp_fail_t *fail);

#endif
