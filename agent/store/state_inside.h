/* What state_dir.c and state_new.c share; nobody else includes this. */
#ifndef GP_AGENT_STORE_STATE_INSIDE_H
#define GP_AGENT_STORE_STATE_INSIDE_H

#include "agent/store/state_dir.h"

/* Opens DIR and checks that nobody else could exchange what is in it. */
GP_MUST_CHECK gp_error_t gp_state_root_open(const char *root, int *ret_fd, gp_fail_t *fail);

/*
 * Opens (and makes) the file `lock` in the folder and locks it. GP_E_STATE_LOCKED, with the process
 * that holds it.
 */
GP_MUST_CHECK gp_error_t gp_state_lock(gp_folder_t folder, int *ret_fd, gp_fail_t *fail);

/*
 * Gives the lock up and closes; -1 is fine. Closing alone would not do: a process that another
 * thread starts right now holds the same open file until its exec.
 */
void gp_state_unlock(int *fd);

#endif
