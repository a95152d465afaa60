/*
 * An agent as a process of its own: started in the background, and waited for until it serves.
 */
#ifndef GP_AGENT_LAB_PROCESS_H
#define GP_AGENT_LAB_PROCESS_H

#include <sys/types.h>

#include "agent/store/fail.h"
#include "proto/limits.h"

/* How long something may take. */
typedef struct gp_until {
    uint64_t end_ms; /* on gp_until_now's clock; 0: no limit */
    int wake;        /* a descriptor that is readable when the user gave up; -1: none */
} gp_until_t;

/* Milliseconds on a clock that never steps. */
uint64_t gp_until_now(void);

/* Milliseconds that are left, `most` at most. */
uint64_t gp_until_left(const gp_until_t *until, uint64_t most);

/* GP_OK, or GP_E_INTERRUPTED or GP_E_TIMED_OUT: what was waited for is `what`. */
GP_MUST_CHECK gp_error_t gp_until_check(const gp_until_t *until, const char *what, gp_fail_t *fail);

/*
 * Puts the machine's name in front of what *fail says, unless it is said there already: whoever
 * starts many asks which one it was. Returns error.
 */
gp_error_t gp_process_named(const char *name, gp_error_t error, gp_fail_t *fail);

typedef struct gp_process_params {
    const char *program;
    const char *dir;
    const char *name;
    const char *listen; /* NULL or empty: as it is set up */
} gp_process_params_t;

/* An agent that was started; {.ready_fd = -1} is none. */
typedef struct gp_process {
    const char *dir; /* borrowed */
    char name[GP_NAME_MAX + 1];
    int ready_fd; /* -1: nothing is waited for */
    pid_t pid;
    off_t log_from; /* where its words begin in the log */
} gp_process_t;

/* Starts the agent of DIR/NAME, its output in DIR/NAME/agent.log. */
GP_MUST_CHECK gp_error_t gp_process_start(const gp_process_params_t *params,
                                          gp_process_t *ret_process, gp_fail_t *fail);

/*
 * Waits until it serves. GP_E_INTERRUPTED, GP_E_TIMED_OUT: it may still come up; GP_E_NO_AGENT: it
 * ended without a word, and why is the last error in its log; any other: the error that the agent
 * told, in its own words. Nothing to do for none.
 */
GP_MUST_CHECK gp_error_t gp_process_wait(gp_process_t *process, const gp_until_t *until,
                                         gp_fail_t *fail);

/* Ends one that is not known to serve yet. */
void gp_process_drop(gp_process_t *process);

#endif
