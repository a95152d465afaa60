/* What founding and joining have in common: filling a new state directory. */
#ifndef GP_AGENT_NODE_SETUP_H
#define GP_AGENT_NODE_SETUP_H

#include "agent/store/identity.h"
#include "proto/message.h"

/* What came of founding or joining; the directory is complete, closed and unlocked. */
typedef struct gp_setup_result {
    gp_id_t id;
    gp_grid_id_t grid;
    uint64_t group;
    gp_cert_t cert;
    char listen[GP_ADDRESS_MAX + 1]; /* as configured */
    char path[GP_STATE_PATH_MAX];    /* DIR/NAME */
} gp_setup_result_t;

/* The first entry of the activity log, and the first records: a message of scope STORED, or NULL.
 */
typedef struct gp_setup_first {
    gp_wall_ms_t now_ms;
    const char *what; /* "init", "join" */
    const gp_msg_t *record;
} gp_setup_first_t;

/*
 * The id of a group: the tier in the top byte, below it a hash of grid, region and ordinal. The
 * first sub-Grid of a region has tier 0, ordinal 0.
 */
uint64_t gp_group_id(const gp_grid_id_t *grid, gp_slice_t region, uint8_t tier, uint32_t ordinal);

/* Is `listen` (NULL or empty: the default) an address to listen on? GP_E_ADDRESS. */
GP_MUST_CHECK gp_error_t gp_setup_check_listen(const char *listen, gp_fail_t *fail);

/*
 * Writes identity, configuration and database into a directory that was begun, and commits it.
 * `listen` was checked. On failure the caller closes dir, which removes all.
 */
GP_MUST_CHECK gp_error_t gp_setup_write(gp_state_dir_t *dir, const gp_identity_t *identity,
                                        const char *listen, const gp_setup_first_t *first,
                                        gp_fail_t *fail);

/* Fills the result from a committed directory. */
void gp_setup_result(const gp_state_dir_t *dir, const gp_identity_t *identity, const char *listen,
                     gp_setup_result_t *ret_result);

#endif
