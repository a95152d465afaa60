/* The records of the cores: the latest of each room, kind and key. */
#include <stdlib.h>

#include "agent/store/store_inside.h"

static void record_sum(const gp_store_record_t *record, uint8_t ret_sum[GP_STORE_SUM])
{
    gp_store_sum_t sum;
    gp_store_sum_init(&sum, "records", GP_STORE_SUM);
    gp_store_sum_number(&sum, (uint64_t)record->room);
    gp_store_sum_number(&sum, (uint64_t)record->kind);
    gp_store_sum_number(&sum, record->key);
    gp_store_sum_bytes(&sum, record->bytes);
    gp_store_sum_end(&sum, ret_sum, GP_STORE_SUM);
}

static void bind_key(sqlite3_stmt *statement, const gp_store_record_t *record)
{
    gp_store_bind_number(statement, 1, (uint64_t)record->room);
    gp_store_bind_number(statement, 2, (uint64_t)record->kind);
    gp_store_bind_number(statement, 3, record->key);
}

/* Takes the sum of the record that is there now, if any, out of that of all rows. */
static bool record_forget(gp_store_t *store, const gp_store_record_t *record, bool *ret_found)
{
    sqlite3_stmt *statement = gp_store_statement(store, GP_SQL_RECORD_SUM);
    if (statement == NULL) {
        return false;
    }
    bind_key(statement, record);
    *ret_found = gp_store_row(store, statement);
    if (*ret_found) {
        const gp_slice_t sum = gp_store_blob(statement, 0);
        assert(sum.n == GP_STORE_SUM);
        gp_store_rows_toggle(&store->head, sum.p);
        (void)sqlite3_reset(statement);
    }
    return store->broken == GP_OK;
}

bool gp_store_record_put(gp_store_t *store, const gp_store_record_t *record)
{
    uint8_t sum[GP_STORE_SUM];
    bool found = false;
    if (!record_forget(store, record, &found)) {
        return false;
    }
    sqlite3_stmt *statement = gp_store_statement(store, GP_SQL_RECORD_PUT);
    if (statement == NULL) {
        return false;
    }
    record_sum(record, sum);
    bind_key(statement, record);
    gp_store_bind_blob(statement, 4, record->bytes.p, record->bytes.n);
    gp_store_bind_blob(statement, 5, sum, sizeof sum);
    gp_store_rows_toggle(&store->head, sum);
    store->dirty = true;
    return gp_store_finish(store, statement);
}

bool gp_store_record_remove(gp_store_t *store, const gp_store_record_t *record)
{
    bool found = false;
    if (!record_forget(store, record, &found)) {
        return false;
    }
    if (!found) {
        return true;
    }
    sqlite3_stmt *statement = gp_store_statement(store, GP_SQL_RECORD_REMOVE);
    if (statement == NULL) {
        return false;
    }
    bind_key(statement, record);
    store->dirty = true;
    return gp_store_finish(store, statement);
}

static gp_store_record_t record_row(sqlite3_stmt *statement)
{
    return (gp_store_record_t){.room = (gp_room_t)gp_store_number(statement, 0),
                               .kind = (gp_msg_kind_t)gp_store_number(statement, 1),
                               .key = gp_store_number(statement, 2),
                               .bytes = gp_store_blob(statement, 3)};
}

static sqlite3_stmt *records_of(gp_store_t *store, uint64_t first, uint64_t last)
{
    sqlite3_stmt *statement = gp_store_statement(store, GP_SQL_RECORD_ALL);
    if (statement != NULL) {
        gp_store_bind_number(statement, 1, first);
        gp_store_bind_number(statement, 2, last);
    }
    return statement;
}

bool gp_store_records_verify(gp_store_t *store, gp_store_head_t *rows)
{
    sqlite3_stmt *statement = records_of(store, 0, INT32_MAX);
    while (gp_store_row(store, statement)) {
        uint8_t sum[GP_STORE_SUM];
        const gp_store_record_t record = record_row(statement);
        record_sum(&record, sum);
        if (!gp_slice_equal(gp_store_blob(statement, 4), gp_slice(sum, sizeof sum))) {
            (void)sqlite3_reset(statement);
            return false;
        }
        gp_store_rows_toggle(rows, sum);
    }
    return store->broken == GP_OK;
}

gp_error_t gp_store_load(gp_store_t *store, gp_room_t room, gp_store_load_fn *load, void *context,
                         gp_fail_t *fail)
{
    assert(!store->started);
    gp_msg_t *msg = malloc(sizeof *msg);
    if (msg == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "cannot read the records of %s", store->path);
    }
    gp_error_t error = GP_OK;
    sqlite3_stmt *statement = records_of(store, (uint64_t)room, (uint64_t)room);
    while (error == GP_OK && gp_store_row(store, statement)) {
        const gp_store_record_t record = record_row(statement);
        const gp_error_t read = gp_msg_known((uint32_t)record.kind)
                                    ? gp_msg_read(record.kind, record.bytes, false, msg)
                                    : GP_E_MESSAGE_KIND;
        if (read == GP_OK) {
            load(context, record.key, msg);
        } else {
            error = gp_fail(fail, GP_E_STATE_DAMAGED,
                            "%s/" GP_FILE_DB " holds a record of kind %u that cannot be read (%s): "
                            "was it written by a newer gridpeer?",
                            store->path, (unsigned)record.kind, gp_error_name(read));
        }
    }
    if (statement != NULL) {
        (void)sqlite3_reset(statement);
    }
    free(msg);
    return store->broken != GP_OK ? gp_store_failure(store, fail) : error;
}
