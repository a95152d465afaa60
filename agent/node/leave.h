/* `gridpeer leave`: after the agent has said goodbye, what it was is removed from this machine. */
#ifndef GP_AGENT_NODE_LEAVE_H
#define GP_AGENT_NODE_LEAVE_H

#include "agent/node/leave_core.h"
#include "agent/store/state_dir.h"
#include "proto/types.h"

/*
 * May the machine of this directory leave? `alone`: no other machine is known to be in its grid.
 * GP_E_LEAVE_ROOT, with what would be lost.
 */
GP_MUST_CHECK gp_error_t gp_leave_check(const gp_state_dir_t *dir, bool alone, bool destroy_root,
                                        gp_fail_t *fail);

/*
 * Removes the directory that is open and locked, keys first, and closes it. *ret_was_root: it held
 * the grid's root key, and unless there is a copy of it nobody can give the role admit any more;
 * those who have it go on admitting until their certificates end. GP_E_STATE_IO: nothing was
 * removed.
 */
GP_MUST_CHECK gp_error_t gp_leave(gp_state_dir_t *dir, bool *ret_was_root, gp_fail_t *fail);

typedef struct gp_leave_params {
    const char *root; /* DIR */
    const char *name;
    gp_wall_ms_t now_ms;
    bool destroy_root;
} gp_leave_params_t;

typedef struct gp_leave_result {
    char region[GP_NAME_MAX + 1]; /* empty: the directory is too damaged to tell */
    bool was_root;
} gp_leave_result_t;

/*
 * The same for a machine whose agent does not run, or cannot: its certificate may have expired, and
 * the directory may be damaged. The group is not told. It holds the directory's lock, so that no
 * agent starts meanwhile. Whether others are in the grid is read from what the machine knew; what
 * cannot be read counts as others.
 * GP_E_STATE_MISSING, _LOCKED, _MODE, _OWNER, _IO, GP_E_LEAVE_ROOT: nothing was removed.
 */
GP_MUST_CHECK gp_error_t gp_leave_without_agent(const gp_leave_params_t *params,
                                                gp_leave_result_t *ret_result, gp_fail_t *fail);

#endif
