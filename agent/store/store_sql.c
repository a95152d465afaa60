/* SQLite behind the few calls that the store needs, and the sums of rows. */
#include <errno.h>
#include <string.h>

#include "agent/store/store_inside.h"

static const char *const statement_text[GP_SQL_COUNT] = {
#define GP_S(NAME, sql) [GP_SQL_##NAME] = (sql),
    GP_STORE_SQL(GP_S)
#undef GP_S
};

/* The system's number for what just failed. A failed COMMIT leaves it with the files only. */
static int system_number(sqlite3 *db)
{
    static const int files[] = {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER};
    int number = db != NULL ? sqlite3_system_errno(db) : 0;
    for (size_t i = 0; db != NULL && number == 0 && i < sizeof files / sizeof files[0]; i++) {
        sqlite3_file *file = NULL;
        if (sqlite3_file_control(db, "main", files[i], &file) == SQLITE_OK && file != NULL &&
            file->pMethods != NULL) {
            (void)file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &number);
        }
    }
    return number;
}

gp_error_t gp_store_sql_error(sqlite3 *db, int result, bool *ret_given_up)
{
    *ret_given_up = false;
    switch (result & 0xff) {
    case SQLITE_FULL:
        return GP_E_STATE_FULL;
    case SQLITE_NOMEM:
        return GP_E_MEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return GP_E_STATE_LOCKED;
    case SQLITE_IOERR:
        break;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return GP_E_STATE_IO;
    default: /* corrupt, not a database, or a schema that is not ours */
        *ret_given_up = true;
        return GP_E_STATE_DAMAGED;
    }
    if (result == SQLITE_IOERR_NOMEM) {
        return GP_E_MEMORY;
    }
    const int number = system_number(db);
    if (result == SQLITE_IOERR_WRITE && (number == ENOSPC || number == EDQUOT || number == EFBIG)) {
        return GP_E_STATE_FULL;
    }
    *ret_given_up = true;
    return GP_E_STATE_IO;
}

gp_error_t gp_store_sql_fail(gp_store_t *store, int result, const char *what, gp_fail_t *fail)
{
    bool given_up = false;
    const gp_error_t error = gp_store_sql_error(store->db, result, &given_up);
    const int number = system_number(store->db);
    const char *reason = number != 0 ? strerrordesc_np(number) : NULL;
    return gp_fail(fail, error, "cannot %s %s/" GP_FILE_DB ": %s%s%s", what, store->path,
                   sqlite3_errstr(result), reason != NULL ? ": " : "",
                   reason != NULL ? reason : "");
}

/* Notes the first failure of the open transaction. */
static void broken(gp_store_t *store, int result)
{
    if (store->broken != GP_OK) {
        return;
    }
    bool given_up = false;
    gp_fail_t fail = {.code = GP_OK};
    store->broken = gp_store_sql_error(store->db, result, &given_up);
    (void)gp_store_sql_fail(store, result, "write", &fail);
    (void)pthread_mutex_lock(&store->lock);
    store->failure = fail;
    store->given_up = store->given_up || given_up;
    (void)pthread_mutex_unlock(&store->lock);
}

sqlite3_stmt *gp_store_statement(gp_store_t *store, gp_store_sql_t sql)
{
    assert(sql < GP_SQL_COUNT);
    sqlite3_stmt **statement = &store->statements[sql];
    if (*statement == NULL) {
        const int result = sqlite3_prepare_v3(store->db, statement_text[sql], -1,
                                              SQLITE_PREPARE_PERSISTENT, statement, NULL);
        if (result != SQLITE_OK) {
            *statement = NULL;
            broken(store, result);
            return NULL;
        }
    }
    (void)sqlite3_reset(*statement);
    return *statement;
}

bool gp_store_row(gp_store_t *store, sqlite3_stmt *statement)
{
    if (statement == NULL || store->broken != GP_OK) {
        return false;
    }
    const int result = sqlite3_step(statement);
    if (result == SQLITE_ROW) {
        return true;
    }
    if (result != SQLITE_DONE) {
        broken(store, result);
    }
    (void)sqlite3_reset(statement);
    return false;
}

bool gp_store_finish(gp_store_t *store, sqlite3_stmt *statement)
{
    if (statement == NULL) {
        return false;
    }
    const int result = sqlite3_step(statement);
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    if (result != SQLITE_DONE) {
        broken(store, result);
        return false;
    }
    return true;
}

/* ---- values ------------------------------------------------------------------------------------
 */

/* Binding copies nothing: what is bound lives until the statement has finished. */
void gp_store_bind_blob(sqlite3_stmt *statement, int column, const void *bytes, size_t n)
{
    /* An empty blob needs an address, or SQLite takes it for NULL. */
    const int result = sqlite3_bind_blob64(statement, column, n > 0 ? bytes : "", n, SQLITE_STATIC);
    assert(result == SQLITE_OK);
}

void gp_store_bind_text(sqlite3_stmt *statement, int column, gp_slice_t text)
{
    const int result =
        sqlite3_bind_text64(statement, column, text.n > 0 ? (const char *)text.p : "", text.n,
                            SQLITE_STATIC, SQLITE_UTF8);
    assert(result == SQLITE_OK);
}

void gp_store_bind_number(sqlite3_stmt *statement, int column, uint64_t number)
{
    const int result = sqlite3_bind_int64(statement, column, (sqlite3_int64)number);
    assert(result == SQLITE_OK);
}

uint64_t gp_store_number(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}

gp_slice_t gp_store_blob(sqlite3_stmt *statement, int column)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    const int n = sqlite3_column_bytes(statement, column);
    assert(n >= 0);
    return gp_slice(bytes != NULL ? bytes : "", bytes != NULL ? (size_t)n : 0);
}

/* ---- sums --------------------------------------------------------------------------------------
 */

void gp_store_sum_init(gp_store_sum_t *sum, const char *table, size_t bytes)
{
    const int result = crypto_generichash_init(sum, NULL, 0, bytes);
    assert(result == 0);
    gp_store_sum_bytes(sum, gp_text(table));
}

void gp_store_sum_number(gp_store_sum_t *sum, uint64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    }
    (void)crypto_generichash_update(sum, bytes, sizeof bytes);
}

void gp_store_sum_bytes(gp_store_sum_t *sum, gp_slice_t bytes)
{
    gp_store_sum_number(sum, bytes.n);
    (void)crypto_generichash_update(sum, bytes.p, bytes.n);
}

void gp_store_sum_end(gp_store_sum_t *sum, uint8_t *ret_sum, size_t bytes)
{
    const int result = crypto_generichash_final(sum, ret_sum, bytes);
    assert(result == 0);
}

void gp_store_rows_toggle(gp_store_head_t *head, const uint8_t sum[GP_STORE_SUM])
{
    for (size_t i = 0; i < GP_STORE_SUM; i++) {
        head->rows[i] ^= sum[i];
    }
}
