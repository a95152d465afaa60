/*
 * The agent: one machine's daemon. It wires the shells to the peer and holds no decision.
 *
 * One thread runs the loop and owns all cores; the store has a worker for the disk. Files here:
 * agent.c (start, stop), agent_effects.c (what the peer's actions do), agent_join.c (letting others
 * in), agent_api.c and agent_jobs.c (the HTTP API), agent_wait.c (clients that wait for something).
 */
#ifndef GP_AGENT_MAIN_AGENT_H
#define GP_AGENT_MAIN_AGENT_H

#include "agent/store/fail.h"

typedef struct gp_agent_options {
    const char *root;   /* DIR of the state directories */
    const char *name;   /* of the machine */
    const char *listen; /* instead of the configured address; NULL: as configured */
    int ready_fd;       /* gets "r" when the agent serves, or "CODE DETAIL", the error; -1: none */
} gp_agent_options_t;

/* Runs the agent of DIR/NAME until it is told to stop. GP_OK after a stop in good order. */
GP_MUST_CHECK gp_error_t gp_agent_run(const gp_agent_options_t *options, gp_fail_t *fail);

#endif
