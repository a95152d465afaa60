#include "agent/node/leave.h"

#include "proto/cert.h"

static bool holds_root(const gp_state_dir_t *dir)
{
    return gp_file_exists(gp_state_folder(dir), GP_FILE_ROOT_KEY);
}

gp_error_t gp_leave_check(const gp_state_dir_t *dir, bool alone, bool destroy_root, gp_fail_t *fail)
{
    const gp_leave_facts_t facts = {
        .has_root = holds_root(dir), .alone = alone, .destroy_root = destroy_root};
    const gp_error_t error = gp_leave_decide(&facts);
    return error == GP_OK
               ? GP_OK
               : gp_fail(fail, error,
                         "without %s/" GP_FILE_ROOT_KEY " no machine can be given the role admit; "
                         "once the certificates with that role end, within %d days, nobody can "
                         "join this grid and no certificate is renewed",
                         dir->path, GP_CERT_DAYS);
}

gp_error_t gp_leave(gp_state_dir_t *dir, bool *ret_was_root, gp_fail_t *fail)
{
    const bool was_root = holds_root(dir);
    const gp_error_t error = gp_state_remove(dir, fail);
    if (error == GP_OK) {
        *ret_was_root = was_root;
    }
    return error;
}
