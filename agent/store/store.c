/* Making, opening, verifying and closing the database. */
#include "agent/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/store/store_inside.h"
#include "proto/text.h"

#define STORE_LOG_KEEP 20000

static const char schema[] =
    "CREATE TABLE head(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE records(room INTEGER NOT NULL, kind INTEGER NOT NULL, key INTEGER NOT NULL,"
    " bytes BLOB NOT NULL, sum BLOB NOT NULL, PRIMARY KEY(room, kind, key)) WITHOUT ROWID;"
    "CREATE TABLE invitations(serial INTEGER PRIMARY KEY, key BLOB NOT NULL, region TEXT NOT NULL,"
    " roles INTEGER NOT NULL, expires INTEGER NOT NULL, uses INTEGER NOT NULL,"
    " used INTEGER NOT NULL, sum BLOB NOT NULL);"
    "CREATE TABLE admissions(serial INTEGER PRIMARY KEY, invitation INTEGER NOT NULL,"
    " node BLOB NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, expires INTEGER NOT NULL,"
    " cert BLOB NOT NULL, sum BLOB NOT NULL);"
    "CREATE INDEX admissions_node ON admissions(node);"
    "CREATE INDEX admissions_name ON admissions(name);"
    "CREATE INDEX admissions_expires ON admissions(expires);"
    "CREATE TABLE log(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL,"
    " what TEXT NOT NULL, object TEXT NOT NULL, detail TEXT NOT NULL, hash BLOB NOT NULL);";

static void db_path(const gp_store_t *store, char path[GP_STATE_PATH_MAX + 16])
{
    (void)snprintf(path, GP_STATE_PATH_MAX + 16, "%s/" GP_FILE_DB, store->path);
}

static int exec(gp_store_t *store, const char *sql)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL);
}

/* The journal's length, for when to empty it. */
static int on_wal(void *context, sqlite3 *db, const char *name, int pages)
{
    gp_store_t *store = context;
    assert(store->db == db && name != NULL);
    store->wal_pages = pages;
    return SQLITE_OK;
}

/* Opens the connection and sets what we rely on; the caller closes store->db, also on failure. */
static int connection_open(gp_store_t *store, const gp_store_options_t *options)
{
    char path[GP_STATE_PATH_MAX + 16];
    db_path(store, path);
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                      SQLITE_OPEN_NOFOLLOW;
    int result = sqlite3_open_v2(path, &store->db, flags, options->vfs);
    if (result != SQLITE_OK) {
        return result;
    }
    (void)sqlite3_extended_result_codes(store->db, 1);
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* Until it is verified, closing must not move a journal into a damaged database. */
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    (void)sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, 1 << 20);
    /*
     * Exclusive: the journal's index lives on the heap, not in a mapped file that a full disk turns
     * into SIGBUS. Checkpoints are ours: no commit pays for them.
     */
    result = exec(store, "PRAGMA locking_mode=EXCLUSIVE;"
                         "PRAGMA cache_size=-96; PRAGMA wal_autocheckpoint=0;"
                         "PRAGMA temp_store=MEMORY; PRAGMA secure_delete=OFF;"
                         "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0;");
    (void)sqlite3_wal_hook(store->db, on_wal, store);
    if (result == SQLITE_OK) {
        result =
            exec(store, options->building ? "PRAGMA synchronous=OFF" : "PRAGMA synchronous=FULL");
    }
    return result;
}

static gp_error_t store_new(const char *path, gp_store_t **ret_store, gp_fail_t *fail)
{
    gp_store_t *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "cannot open the database in %s", path);
    }
    store->mark_fd = -1;
    store->event_fd = -1;
    store->log_keep = STORE_LOG_KEEP;
    (void)pthread_mutex_init(&store->lock, NULL);
    (void)pthread_cond_init(&store->work, NULL);
    (void)pthread_cond_init(&store->finished, NULL);
    /* Resolved here, so that SQLite need not follow any symbolic link. */
    char *real = realpath(path, NULL);
    if (real == NULL || !gp_text_copy(store->path, sizeof store->path, gp_text(real))) {
        const int number = real == NULL ? errno : ENAMETOOLONG;
        free(real);
        gp_store_close(store);
        return gp_fail_errno(fail, number, "cannot open %s", path);
    }
    free(real);
    *ret_store = store;
    return GP_OK;
}

void gp_store_close(gp_store_t *store)
{
    if (store == NULL) {
        return;
    }
    if (store->started) {
        gp_store_stop(store);
    }
    for (size_t i = 0; i < GP_SQL_COUNT; i++) {
        (void)sqlite3_finalize(store->statements[i]);
    }
    if (store->db != NULL) {
        if (store->given_up) {
            (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        }
        const int result = sqlite3_close(store->db);
        assert(result == SQLITE_OK);
    }
    if (store->mark_fd >= 0) {
        (void)close(store->mark_fd);
    }
    (void)pthread_cond_destroy(&store->finished);
    (void)pthread_cond_destroy(&store->work);
    (void)pthread_mutex_destroy(&store->lock);
    free(store);
}

/* ---- making ------------------------------------------------------------------------------------
 */

static gp_error_t fill_new(gp_store_t *store, gp_fail_t *fail)
{
    uint8_t packed[GP_STORE_HEAD];
    int result = connection_open(store, &(gp_store_options_t){.building = true});
    if (result == SQLITE_OK) {
        result = exec(store, "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; BEGIN IMMEDIATE;");
    }
    if (result == SQLITE_OK) {
        result = exec(store, schema);
    }
    if (result != SQLITE_OK) {
        return gp_store_sql_fail(store, result, "create", fail);
    }
    store->head.commits = 1;
    store->head.log_first = 1;
    store->head.log_next = 1;
    gp_store_head_pack(&store->head, packed);
    sqlite3_stmt *statement = gp_store_statement(store, GP_SQL_HEAD_PUT);
    if (statement != NULL) {
        gp_store_bind_blob(statement, 1, packed, sizeof packed);
    }
    if (!gp_store_finish(store, statement) ||
        !gp_store_finish(store, gp_store_statement(store, GP_SQL_COMMIT))) {
        return gp_store_failure(store, fail);
    }
    /* The new database is one file: what is copied or renamed now is whole. */
    result = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (result != SQLITE_OK) {
        return gp_store_sql_fail(store, result, "create", fail);
    }
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    return gp_store_mark_create(store->path, &store->head, fail);
}

gp_error_t gp_store_create(const char *path, gp_fail_t *fail)
{
    static const char *const made[] = {GP_FILE_DB, GP_FILE_DB_WAL, GP_FILE_DB "-journal",
                                       GP_FILE_MARK};
    gp_store_t *store = NULL;
    gp_error_t error = store_new(path, &store, fail);
    if (error != GP_OK) {
        return error;
    }
    const int fd = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const gp_folder_t folder = {.fd = fd, .path = store->path};
    if (fd < 0) {
        error = gp_fail_errno(fail, errno, "cannot open %s", path);
        gp_store_close(store);
        return error;
    }
    error = gp_file_create(folder, GP_FILE_DB, 0600, gp_slice("", 0), fail);
    if (error == GP_OK) {
        error = fill_new(store, fail);
        gp_store_close(store);
        for (size_t i = 0; error != GP_OK && i < sizeof made / sizeof made[0]; i++) {
            (void)unlinkat(fd, made[i], 0);
        }
    } else {
        gp_store_close(store);
    }
    (void)close(fd);
    return error;
}

/* ---- opening -----------------------------------------------------------------------------------
 */

/*
 * Looks at the first bytes before SQLite does: given an empty file or one that does not say that it
 * has a journal, SQLite would start afresh or delete the journal.
 */
static gp_error_t header_check(gp_store_t *store, gp_fail_t *fail)
{
    char path[GP_STATE_PATH_MAX + 16];
    uint8_t header[100];
    db_path(store, path);
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? gp_fail(fail, GP_E_STATE_DAMAGED, "%s is missing", path)
                               : gp_fail_errno(fail, errno, "cannot open %s", path);
    }
    const ssize_t n = pread(fd, header, sizeof header, 0);
    const int number = errno;
    (void)close(fd);
    if (n < 0) {
        return gp_fail_errno(fail, number, "cannot read %s", path);
    }
    if (n != (ssize_t)sizeof header || memcmp(header, "SQLite format 3", 16) != 0 ||
        header[18] != 2 || header[19] != 2) {
        return gp_fail(fail, GP_E_STATE_DAMAGED, "the header of %s is damaged; nothing was changed",
                       path);
    }
    return GP_OK;
}

static gp_error_t damaged(gp_store_t *store, const char *what, gp_fail_t *fail)
{
    if (store->broken != GP_OK) {
        return gp_store_failure(store, fail);
    }
    return gp_fail(fail, GP_E_STATE_DAMAGED, "%s/" GP_FILE_DB ": %s; nothing was changed",
                   store->path, what);
}

static gp_error_t integrity_check(gp_store_t *store, gp_fail_t *fail)
{
    sqlite3_stmt *statement = NULL;
    char text[200] = "";
    int result = sqlite3_prepare_v2(store->db, "PRAGMA integrity_check(1)", -1, &statement, NULL);
    if (result == SQLITE_OK) {
        result = sqlite3_step(statement);
        const unsigned char *found = sqlite3_column_text(statement, 0);
        if (result == SQLITE_ROW && found != NULL) {
            (void)gp_text_escape(text, sizeof text, gp_text((const char *)found));
        }
    }
    const int finished = sqlite3_finalize(statement);
    if (result != SQLITE_ROW) {
        return gp_store_sql_fail(store, finished != SQLITE_OK ? finished : result, "read", fail);
    }
    return strcmp(text, "ok") == 0 ? GP_OK : damaged(store, text, fail);
}

/* Does the newest entry carry the hash that the head knows? */
static bool log_end_verify(gp_store_t *store)
{
    const gp_store_head_t *head = &store->head;
    if (head->log_first > head->log_next) {
        return false;
    }
    if (head->log_first == head->log_next) {
        return true;
    }
    sqlite3_stmt *statement = gp_store_statement(store, GP_SQL_LOG_HASH);
    if (statement == NULL) {
        return false;
    }
    gp_store_bind_number(statement, 1, head->log_next - 1);
    const bool equal =
        gp_store_row(store, statement) &&
        gp_slice_equal(gp_store_blob(statement, 0), gp_slice(head->log_last, GP_STORE_HASH));
    (void)sqlite3_reset(statement);
    return equal;
}

static gp_error_t rows_verify(gp_store_t *store, gp_fail_t *fail)
{
    gp_error_t error = integrity_check(store, fail);
    if (error != GP_OK) {
        return error;
    }
    sqlite3_stmt *statement = gp_store_statement(store, GP_SQL_HEAD_GET);
    if (!gp_store_row(store, statement) ||
        !gp_store_head_read(gp_store_blob(statement, 0), &store->head)) {
        return damaged(store, "the head row is damaged, or of another version of gridpeer", fail);
    }
    (void)sqlite3_reset(statement);
    gp_store_head_t found = {.commits = 0};
    if (!gp_store_records_verify(store, &found)) {
        return damaged(store, "a record is damaged", fail);
    }
    if (!gp_store_ledger_verify(store, &found)) {
        return damaged(store, "an entry of the ledger is damaged", fail);
    }
    if (memcmp(found.rows, store->head.rows, GP_STORE_SUM) != 0) {
        return damaged(store, "rows are missing or set back", fail);
    }
    if (!log_end_verify(store)) {
        return damaged(store, "the end of the activity log is damaged", fail);
    }
    store->committed = store->head;
    return gp_store_mark_open(store, fail);
}

gp_error_t gp_store_open(const char *path, const gp_store_options_t *options,
                         gp_store_t **ret_store, gp_fail_t *fail)
{
    gp_store_t *store = NULL;
    gp_error_t error = store_new(path, &store, fail);
    if (error != GP_OK) {
        return error;
    }
    static const gp_store_options_t none = {.vfs = NULL};
    error = header_check(store, fail);
    if (error == GP_OK) {
        const int result = connection_open(store, options != NULL ? options : &none);
        if (result != SQLITE_OK) {
            error = gp_store_sql_fail(store, result, "open", fail);
        }
    }
    if (error == GP_OK) {
        error = rows_verify(store, fail);
    }
    if (error != GP_OK) {
        gp_store_close(store);
        return error;
    }
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    (void)sqlite3_db_release_memory(store->db);
    *ret_store = store;
    return GP_OK;
}

static gp_error_t boot_raise(gp_store_t *store, void *context)
{
    uint64_t *epoch = context;
    store->head.boot++;
    store->dirty = true;
    *epoch = store->head.boot;
    return GP_OK;
}

gp_error_t gp_store_boot(gp_store_t *store, uint64_t *ret_epoch, gp_fail_t *fail)
{
    uint64_t epoch = 0;
    const gp_error_t error = gp_store_run_now(store, boot_raise, &epoch, fail);
    if (error == GP_OK) {
        *ret_epoch = epoch;
    }
    return error;
}
