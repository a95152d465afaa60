/* `gridpeer leave`: after the agent has said goodbye, what it was is removed from this machine. */
#ifndef GP_AGENT_NODE_LEAVE_H
#define GP_AGENT_NODE_LEAVE_H

#include "agent/node/leave_core.h"
#include "agent/store/state_dir.h"

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

#endif
