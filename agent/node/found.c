#include "agent/node/found.h"

#include "proto/core.h"
#include "proto/text.h"

#define DAY_MS UINT64_C(86400000)

/* The founder's serial comes before all that the ledger gives. */
#define FOUNDER_SERIAL 0

static gp_error_t names_check(const gp_found_params_t *params, gp_fail_t *fail)
{
    char shown[80];
    if (gp_name_check(gp_text(params->region)) != GP_OK) {
        (void)gp_text_escape(shown, sizeof shown, gp_text(params->region));
        return gp_fail(fail, GP_E_NAME, "\"%s\" cannot name a region", shown);
    }
    if (gp_name_check(gp_text(params->name)) != GP_OK) {
        (void)gp_text_escape(shown, sizeof shown, gp_text(params->name));
        return gp_fail(fail, GP_E_NAME, "\"%s\" cannot name a machine: give one with --name NAME",
                       shown);
    }
    return gp_setup_check_listen(params->listen, fail);
}

static gp_error_t identity_make(const gp_found_params_t *params, gp_identity_t *identity,
                                gp_fail_t *fail)
{
    gp_error_t error = gp_secret_new(&identity->root);
    if (error == GP_OK) {
        error = gp_secret_new(&identity->node);
    }
    if (error != GP_OK) {
        return gp_fail(fail, error, "cannot make a key: is `ulimit -l` too small?");
    }
    size_t n = 0;
    identity->root_id = gp_secret_id(identity->root);
    gp_cert_t cert = {.grid = gp_grid_id_of(&identity->root_id),
                      .node = gp_secret_id(identity->node),
                      .roles = GP_ROLE_ALL,
                      .not_before_ms = params->now_ms,
                      .not_after_ms = params->now_ms + GP_CERT_DAYS * DAY_MS,
                      .serial = FOUNDER_SERIAL};
    (void)gp_text_copy(cert.name, sizeof cert.name, gp_text(params->name));
    (void)gp_text_copy(cert.region, sizeof cert.region, gp_text(params->region));
    (void)gp_text_copy(identity->region, sizeof identity->region, gp_text(params->region));
    identity->group = gp_group_id(&cert.grid, gp_text(params->region), GP_SEAT_SUBGRID, 0);
    identity->region_group = gp_group_id(&cert.grid, gp_text(params->region), GP_SEAT_REGION, 0);
    identity->grid_group = gp_group_id(&cert.grid, gp_text(""), GP_SEAT_GRID, 0);
    error = gp_cert_issue(&cert, identity->root, gp_slice(NULL, 0), identity->cert_bytes, &n);
    if (error != GP_OK) {
        return gp_fail(fail, error, "cannot issue the founder's certificate");
    }
    identity->cert_n = (uint32_t)n;
    return GP_OK;
}

gp_error_t gp_found(const gp_found_params_t *params, gp_setup_result_t *ret_result, gp_fail_t *fail)
{
    gp_state_dir_t dir;
    gp_identity_t identity = {.node = NULL};
    gp_error_t error = names_check(params, fail);
    if (error == GP_OK) {
        error = gp_state_begin(params->root, params->name, &dir, fail);
    }
    if (error != GP_OK) {
        return error;
    }
    if (params->sim) {
        error = gp_state_mark_sim(&dir, fail);
    }
    if (error == GP_OK) {
        error = identity_make(params, &identity, fail);
    }
    if (error == GP_OK) {
        const gp_setup_first_t first = {.now_ms = params->now_ms, .what = "init"};
        error = gp_setup_write(&dir, &identity, params->listen, &first, fail);
    }
    if (error == GP_OK) {
        gp_setup_result(&dir, &identity, params->listen, ret_result);
    }
    gp_identity_close(&identity);
    gp_state_close(&dir);
    return error;
}
