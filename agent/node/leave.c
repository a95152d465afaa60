#include "agent/node/leave.h"

#include "agent/store/identity.h"
#include "agent/store/ledger.h"
#include "proto/text.h"

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

/* ---- without an agent --------------------------------------------------------------------------
 */

typedef struct search {
    gp_id_t self;
    gp_wall_ms_t now_ms;
    bool found; /* somebody else is in the grid */
} search_t;

static void look_at_record(void *context, uint64_t key, const gp_msg_t *msg)
{
    search_t *search = context;
    (void)key;
    if (msg->kind != GP_MSG_GROUP_STATE || gp_group_tier(msg->u.group_state.group) != 0) {
        return; /* who is in a region or the grid is in a sub-Grid, too */
    }
    for (uint32_t i = 0; i < msg->u.group_state.entries_count; i++) {
        const gp_record_member_t *entry = &msg->u.group_state.entries[i];
        search->found = search->found ||
                        (entry->cause != GP_CAUSE_LEFT && !gp_id_equal(&entry->id, &search->self));
    }
}

static void look_at_admission(void *context, const gp_admission_t *admission)
{
    search_t *search = context;
    search->found = search->found || (admission->expires_ms > search->now_ms &&
                                      !gp_id_equal(&admission->node, &search->self));
}

/* By what the group last wrote down, and by the ledger, which is written first. */
static bool is_alone(const gp_state_dir_t *dir, const gp_id_t *self, gp_wall_ms_t now_ms)
{
    gp_store_t *store = NULL;
    search_t search = {.self = *self, .now_ms = now_ms};
    gp_error_t error = gp_store_open(dir->path, NULL, &store, NULL);
    if (error == GP_OK) {
        error = gp_store_load(store, GP_ROOM_GROUP, look_at_record, &search, NULL);
    }
    if (error == GP_OK) {
        error = gp_ledger_newest(store, GP_ADMISSIONS_MAX, look_at_admission, &search);
    }
    gp_store_close(store);
    return error == GP_OK && !search.found;
}

gp_error_t gp_leave_without_agent(const gp_leave_params_t *params, gp_leave_result_t *ret_result,
                                  gp_fail_t *fail)
{
    gp_state_dir_t dir;
    gp_identity_t identity;
    bool alone = false;
    gp_leave_result_t result = {.was_root = false};
    gp_error_t error = gp_state_open(params->root, params->name, &dir, fail);
    if (error != GP_OK) {
        return error;
    }
    /* What cannot be read is no reason to stay: leaving is the way out of damage, too. */
    if (gp_identity_open(&dir, params->now_ms, true, &identity, NULL) == GP_OK) {
        (void)gp_text_copy(result.region, sizeof result.region, gp_text(identity.region));
        alone = is_alone(&dir, &identity.id, params->now_ms);
        gp_identity_close(&identity);
    }
    error = gp_leave_check(&dir, alone, params->destroy_root, fail);
    if (error == GP_OK) {
        error = gp_leave(&dir, &result.was_root, fail);
    }
    if (error != GP_OK) {
        gp_state_close(&dir);
        return error;
    }
    *ret_result = result;
    return GP_OK;
}
