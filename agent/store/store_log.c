/* The activity log: each entry's hash covers the entry and the hash before it. */
#include "agent/store/store_inside.h"

static void entry_hash(const uint8_t before[GP_STORE_HASH], const gp_log_entry_t *entry,
                       uint8_t ret_hash[GP_STORE_HASH])
{
    gp_store_sum_t sum;
    gp_store_sum_init(&sum, "log", GP_STORE_HASH);
    gp_store_sum_bytes(&sum, gp_slice(before, GP_STORE_HASH));
    gp_store_sum_number(&sum, entry->seq);
    gp_store_sum_number(&sum, entry->at);
    gp_store_sum_bytes(&sum, entry->actor);
    gp_store_sum_bytes(&sum, entry->what);
    gp_store_sum_bytes(&sum, entry->object);
    gp_store_sum_bytes(&sum, entry->detail);
    gp_store_sum_end(&sum, ret_hash, GP_STORE_HASH);
}

static gp_log_entry_t entry_row(sqlite3_stmt *statement)
{
    return (gp_log_entry_t){.seq = gp_store_number(statement, 0),
                            .at = gp_store_number(statement, 1),
                            .actor = gp_store_blob(statement, 2),
                            .what = gp_store_blob(statement, 3),
                            .object = gp_store_blob(statement, 4),
                            .detail = gp_store_blob(statement, 5),
                            .hash = gp_store_blob(statement, 6)};
}

/* Removes the oldest entries, an eighth at a time, and keeps the hash before the first that stays.
 */
static bool log_cut(gp_store_t *store)
{
    const uint64_t kept = store->head.log_next - store->head.log_first;
    if (kept < store->log_keep + store->log_keep / 8) {
        return true;
    }
    const uint64_t first = store->head.log_next - store->log_keep;
    sqlite3_stmt *statement = gp_store_statement(store, GP_SQL_LOG_HASH);
    if (statement == NULL) {
        return false;
    }
    gp_store_bind_number(statement, 1, first - 1);
    if (!gp_store_row(store, statement)) {
        /* A gap in the middle: keep what is there for `verify` to show. */
        return store->broken == GP_OK;
    }
    const gp_slice_t hash = gp_store_blob(statement, 0);
    if (hash.n == GP_STORE_HASH) {
        memcpy(store->head.log_anchor, hash.p, GP_STORE_HASH);
        store->head.log_first = first;
    }
    (void)sqlite3_reset(statement);
    statement = gp_store_statement(store, GP_SQL_LOG_CUT);
    if (statement == NULL) {
        return false;
    }
    gp_store_bind_number(statement, 1, store->head.log_first);
    return gp_store_finish(store, statement);
}

bool gp_store_log_add(gp_store_t *store, const gp_log_entry_t *entry)
{
    gp_log_entry_t own = *entry;
    uint8_t hash[GP_STORE_HASH];
    own.seq = store->head.log_next;
    entry_hash(store->head.log_last, &own, hash);
    sqlite3_stmt *statement = gp_store_statement(store, GP_SQL_LOG_PUT);
    if (statement == NULL) {
        return false;
    }
    gp_store_bind_number(statement, 1, own.seq);
    gp_store_bind_number(statement, 2, own.at);
    gp_store_bind_text(statement, 3, own.actor);
    gp_store_bind_text(statement, 4, own.what);
    gp_store_bind_text(statement, 5, own.object);
    gp_store_bind_text(statement, 6, own.detail);
    gp_store_bind_blob(statement, 7, hash, sizeof hash);
    if (!gp_store_finish(store, statement)) {
        return false;
    }
    store->head.log_next++;
    memcpy(store->head.log_last, hash, sizeof hash);
    store->dirty = true;
    return log_cut(store);
}

gp_error_t gp_store_log_inside(gp_store_t *store, const gp_log_entry_t *entry)
{
    return gp_store_log_add(store, entry) ? GP_OK : store->broken;
}

void gp_store_log_keep(gp_store_t *store, uint32_t entries)
{
    assert(!store->started && entries >= 1000 && entries <= GP_LOG_ENTRIES_MAX);
    store->log_keep = entries;
}

gp_log_span_t gp_store_log_span(const gp_store_t *store)
{
    return (gp_log_span_t){.first = store->head.log_first, .last = store->head.log_next - 1};
}

gp_error_t gp_store_log_read(gp_store_t *store, uint64_t seq, uint32_t limit, gp_log_each_fn *each,
                             void *context)
{
    sqlite3_stmt *statement = gp_store_statement(store, GP_SQL_LOG_READ);
    if (statement == NULL) {
        return store->broken;
    }
    gp_store_bind_number(statement, 1, seq);
    gp_store_bind_number(statement, 2, limit);
    while (gp_store_row(store, statement)) {
        const gp_log_entry_t entry = entry_row(statement);
        each(context, &entry);
    }
    return store->broken;
}

gp_error_t gp_store_log_verify(gp_store_t *store, uint64_t *ret_seq)
{
    uint8_t before[GP_STORE_HASH];
    uint64_t next = store->head.log_first;
    memcpy(before, store->head.log_anchor, sizeof before);
    sqlite3_stmt *statement = gp_store_statement(store, GP_SQL_LOG_READ);
    if (statement == NULL) {
        return store->broken;
    }
    gp_store_bind_number(statement, 1, 0);
    gp_store_bind_number(statement, 2, INT64_MAX);
    while (gp_store_row(store, statement)) {
        uint8_t hash[GP_STORE_HASH];
        const gp_log_entry_t entry = entry_row(statement);
        entry_hash(before, &entry, hash);
        if (entry.seq != next || !gp_slice_equal(entry.hash, gp_slice(hash, sizeof hash))) {
            (void)sqlite3_reset(statement);
            *ret_seq = next;
            return GP_E_STATE_DAMAGED;
        }
        memcpy(before, hash, sizeof before);
        next++;
    }
    if (store->broken != GP_OK) {
        return store->broken;
    }
    if (next != store->head.log_next || memcmp(before, store->head.log_last, sizeof before) != 0) {
        *ret_seq = next;
        return GP_E_STATE_DAMAGED;
    }
    return GP_OK;
}
