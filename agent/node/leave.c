#include "agent/node/leave.h"

gp_error_t gp_leave(gp_state_dir_t *dir, bool *ret_was_root, gp_fail_t *fail)
{
    const bool was_root = gp_file_exists(gp_state_folder(dir), GP_FILE_ROOT_KEY);
    const gp_error_t error = gp_state_remove(dir, fail);
    if (error == GP_OK) {
        *ret_was_root = was_root;
    }
    return error;
}
