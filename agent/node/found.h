/* `gridpeer init`: founds a grid with one region and this machine as its first member. */
#ifndef GP_AGENT_NODE_FOUND_H
#define GP_AGENT_NODE_FOUND_H

#include "agent/node/setup.h"

typedef struct gp_found_params {
    const char *root; /* DIR, from gp_state_root */
    const char *name; /* of this machine */
    const char *region;
    const char *listen; /* NULL or empty: the default */
    gp_wall_ms_t now_ms;
    bool sim; /* a simulated machine of this host: gp_state_mark_sim */
} gp_found_params_t;

/*
 * Makes a root key, a machine's key, its certificate with all roles, and the state directory.
 * Nothing is left on failure. GP_E_NAME, GP_E_ADDRESS, GP_E_STATE_EXISTS, the disk's errors.
 */
GP_MUST_CHECK gp_error_t gp_found(const gp_found_params_t *params, gp_setup_result_t *ret_result,
                                  gp_fail_t *fail);

#endif
