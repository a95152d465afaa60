/*
 * Transactions: what waits when the worker is free becomes one. The more is written, the more
 * shares one wait for the disk.
 */
#include "agent/store/store_inside.h"

/* Pages in the journal after which it is emptied: when nobody waits, or in any case. */
#define CHECKPOINT_IDLE   256
#define CHECKPOINT_ALWAYS 4096

static gp_store_record_t job_record(const gp_store_job_t *job)
{
    return (gp_store_record_t){.room = job->room,
                               .kind = job->kind,
                               .key = job->key,
                               .bytes = gp_slice(job->bytes, job->n)};
}

/* Runs the caller's function in a transaction of its own inside the big one. */
static void job_run(gp_store_t *store, gp_store_job_t *job)
{
    const gp_store_head_t head = store->head;
    const bool dirty = store->dirty;
    if (!gp_store_finish(store, gp_store_statement(store, GP_SQL_SAVEPOINT))) {
        return;
    }
    job->result = job->run(store, job->context);
    if (store->broken != GP_OK) {
        return;
    }
    if (job->result != GP_OK) {
        (void)gp_store_finish(store, gp_store_statement(store, GP_SQL_UNDO));
        store->head = head;
        store->dirty = dirty;
    }
    (void)gp_store_finish(store, gp_store_statement(store, GP_SQL_RELEASE));
}

static void job_log(gp_store_t *store, const gp_store_job_t *job)
{
    gp_slice_t texts[4];
    const uint8_t *at = job->bytes;
    for (size_t i = 0; i < 4; i++) {
        texts[i] = gp_slice(at, job->lengths[i]);
        at += job->lengths[i];
    }
    const gp_log_entry_t entry = {
        .at = job->at, .actor = texts[0], .what = texts[1], .object = texts[2], .detail = texts[3]};
    (void)gp_store_log_add(store, &entry);
}

static void job_do(gp_store_t *store, gp_store_job_t *job)
{
    const gp_store_record_t record = job_record(job);
    if (job->result != GP_OK) {
        return; /* refused when it was queued */
    }
    switch (job->type) {
    case GP_STORE_JOB_PUT:
        (void)gp_store_record_put(store, &record);
        break;
    case GP_STORE_JOB_REMOVE:
        (void)gp_store_record_remove(store, &record);
        break;
    case GP_STORE_JOB_LOG:
        job_log(store, job);
        break;
    case GP_STORE_JOB_RUN:
        job_run(store, job);
        break;
    }
}

/* ---- a transaction -----------------------------------------------------------------------------
 */

static void transaction_end(gp_store_t *store)
{
    if (store->broken == GP_OK && store->dirty) {
        uint8_t packed[GP_STORE_HEAD];
        store->head.commits++;
        gp_store_head_pack(&store->head, packed);
        sqlite3_stmt *statement = gp_store_statement(store, GP_SQL_HEAD_PUT);
        if (statement != NULL) {
            gp_store_bind_blob(statement, 1, packed, sizeof packed);
        }
        if (gp_store_finish(store, statement)) {
            (void)gp_store_finish(store, gp_store_statement(store, GP_SQL_COMMIT));
        }
    }
    if (sqlite3_get_autocommit(store->db) == 0) {
        /* Not by the prepared statement: its failure must not hide the first one. */
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
}

static void give_up(gp_store_t *store, gp_error_t error, const char *what)
{
    (void)pthread_mutex_lock(&store->lock);
    store->given_up = true;
    (void)gp_fail(&store->failure, error, "%s: %s", store->path, what);
    (void)pthread_mutex_unlock(&store->lock);
    store->broken = error;
}

/* Tells all jobs of a transaction that failed, and takes its changes back. */
static void transaction_fail(gp_store_t *store, gp_store_job_t *first)
{
    for (gp_store_job_t *job = first; job != NULL; job = job->next) {
        job->result = store->broken;
    }
    store->head = store->committed;
    (void)pthread_mutex_lock(&store->lock);
    store->failures++;
    (void)pthread_mutex_unlock(&store->lock);
}

void gp_store_transact(gp_store_t *store, gp_store_job_t *first)
{
    store->broken = GP_OK;
    store->dirty = false;
    if (gp_store_given_up(store)) {
        store->broken = gp_store_failure(store, NULL);
        transaction_fail(store, first);
        store->broken = GP_OK;
        return;
    }
    (void)gp_store_finish(store, gp_store_statement(store, GP_SQL_BEGIN));
    for (gp_store_job_t *job = first; job != NULL && store->broken == GP_OK; job = job->next) {
        job_do(store, job);
    }
    transaction_end(store);
    if (store->broken == GP_OK && store->dirty) {
        if (!gp_store_mark_write(store)) {
            give_up(store, GP_E_STATE_IO, "cannot write " GP_FILE_MARK);
        }
    }
    if (store->broken != GP_OK) {
        transaction_fail(store, first);
        store->broken = GP_OK;
        return;
    }
    (void)pthread_mutex_lock(&store->lock);
    store->committed = store->head;
    if (store->dirty) {
        store->failure.code = GP_OK; /* there is room again */
    }
    (void)pthread_mutex_unlock(&store->lock);
}

void gp_store_checkpoint(gp_store_t *store)
{
    if (store->wal_pages < CHECKPOINT_IDLE || gp_store_given_up(store)) {
        return;
    }
    (void)pthread_mutex_lock(&store->lock);
    const bool idle = store->waiting.first == NULL;
    (void)pthread_mutex_unlock(&store->lock);
    if (!idle && store->wal_pages < CHECKPOINT_ALWAYS) {
        return;
    }
    /* Whatever comes of it, all that was acknowledged is in the journal. */
    gp_store_mark_sync(store);
    const int result =
        sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    store->wal_pages = 0;
    bool given_up = false;
    if (result != SQLITE_OK) {
        const gp_error_t error = gp_store_sql_error(store->db, result, &given_up);
        if (given_up) {
            give_up(store, error, "cannot move the journal into " GP_FILE_DB);
            store->broken = GP_OK;
        }
    }
}
