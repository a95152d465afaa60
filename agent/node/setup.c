#include "agent/node/setup.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent/shell/record.h"
#include "agent/store/config.h"
#include "agent/store/store.h"
#include "proto/random.h"
#include "proto/text.h"

#define CONFIG_TEXT_MAX 8192
#define GROUP_HASH_BITS UINT64_C(0x00ffffffffffffff)

uint64_t gp_group_id(const gp_grid_id_t *grid, gp_slice_t region, uint8_t tier, uint32_t ordinal)
{
    const uint64_t hash = gp_hash(region.p, region.n, gp_hash(grid->b, sizeof grid->b, ordinal));
    return (uint64_t)tier << 56 | (hash & GROUP_HASH_BITS);
}

gp_error_t gp_setup_check_listen(const char *listen, gp_fail_t *fail)
{
    gp_config_t config;
    gp_config_defaults(&config);
    return listen == NULL || listen[0] == '\0'
               ? GP_OK
               : gp_config_set(&config, "agent", "listen", listen, fail);
}

static gp_error_t config_write(const gp_state_dir_t *dir, const char *listen, gp_fail_t *fail)
{
    char text[CONFIG_TEXT_MAX];
    gp_config_t config;
    gp_config_defaults(&config);
    if (listen != NULL && listen[0] != '\0') {
        const gp_error_t error = gp_config_set(&config, "agent", "listen", listen, fail);
        if (error != GP_OK) {
            return error;
        }
    }
    const size_t n = gp_config_file(&config, text, sizeof text);
    assert(n < sizeof text);
    return gp_file_create(gp_state_folder(dir), GP_FILE_CONFIG, 0600, gp_slice(text, n), fail);
}

static gp_error_t record_put(gp_store_t *store, const gp_msg_t *msg, gp_fail_t *fail)
{
    uint8_t *bytes = malloc(GP_MESSAGE_MAX);
    if (bytes == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "cannot write the first record");
    }
    size_t n = 0;
    gp_error_t error = gp_msg_pack(msg, bytes, GP_MESSAGE_MAX, &n);
    if (error == GP_OK) {
        bool removed;
        const gp_store_record_t record = {.room = gp_msg_room(msg->kind),
                                          .kind = msg->kind,
                                          .key = gp_record_key(msg, &removed),
                                          .bytes = gp_slice(bytes, n)};
        error = gp_store_put_now(store, &record, fail);
    } else {
        error = gp_fail(fail, error, "the first record is too large");
    }
    free(bytes);
    return error;
}

static gp_error_t log_run(gp_store_t *store, void *context)
{
    return gp_store_log_inside(store, context);
}

static gp_error_t store_write(const gp_state_dir_t *dir, const gp_identity_t *identity,
                              const gp_setup_first_t *first, gp_fail_t *fail)
{
    gp_store_t *store = NULL;
    const gp_store_options_t options = {.building = true};
    gp_error_t error = gp_store_create(dir->path, fail);
    if (error == GP_OK) {
        error = gp_store_open(dir->path, &options, &store, fail);
    }
    if (error != GP_OK) {
        return error;
    }
    if (first->record != NULL) {
        error = record_put(store, first->record, fail);
    }
    if (error == GP_OK) {
        gp_log_entry_t entry = {.at = first->now_ms,
                                .actor = gp_text("operator"),
                                .what = gp_text(first->what),
                                .object = gp_text(dir->name),
                                .detail = gp_text(identity->region)};
        error = gp_store_run_now(store, log_run, &entry, fail);
    }
    gp_store_close(store);
    return error;
}

gp_error_t gp_setup_write(gp_state_dir_t *dir, const gp_identity_t *identity, const char *listen,
                          const gp_setup_first_t *first, gp_fail_t *fail)
{
    gp_error_t error = gp_identity_write(dir, identity, fail);
    if (error == GP_OK) {
        error = config_write(dir, listen, fail);
    }
    if (error == GP_OK) {
        error = store_write(dir, identity, first, fail);
    }
    if (error == GP_OK) {
        error = gp_state_commit(dir, fail);
    }
    return error;
}

void gp_setup_result(const gp_state_dir_t *dir, const gp_identity_t *identity, const char *listen,
                     gp_setup_result_t *ret_result)
{
    gp_config_t config;
    gp_config_defaults(&config);
    assert(!dir->building);
    *ret_result = (gp_setup_result_t){.id = gp_secret_id(identity->node),
                                      .grid = gp_grid_id_of(&identity->root_id),
                                      .group = identity->group};
    const gp_error_t error = gp_cert_read(gp_identity_cert(identity), &ret_result->cert);
    assert(error == GP_OK);
    (void)gp_text_copy(ret_result->listen, sizeof ret_result->listen,
                       gp_text(listen != NULL && listen[0] != '\0' ? listen : config.agent_listen));
    (void)gp_text_copy(ret_result->path, sizeof ret_result->path, gp_text(dir->path));
}
