/* What the files store*.c and ledger.c share; nobody else includes this. */
#ifndef GP_AGENT_STORE_STORE_INSIDE_H
#define GP_AGENT_STORE_STORE_INSIDE_H

#include <pthread.h>
#include <sodium.h>
#include <sqlite3.h>

#include "agent/store/state_dir.h"
#include "agent/store/store.h"

#define GP_STORE_SCHEMA 1
#define GP_STORE_SUM    16 /* bytes of a row's sum: BLAKE2b-128 */
#define GP_STORE_HASH   32 /* bytes of a log entry's hash: BLAKE2b-256 */
#define GP_STORE_HEAD   (4 + 5 * 8 + 2 * GP_STORE_HASH + 2 * GP_STORE_SUM)

/* The head row: what all other rows must add up to. */
typedef struct gp_store_head {
    uint64_t commits;
    uint64_t boot;
    uint64_t serial;    /* the last serial given to an invitation or a certificate */
    uint64_t log_first; /* sequence of the oldest entry kept, and of the next one */
    uint64_t log_next;
    uint8_t log_anchor[GP_STORE_HASH]; /* hash of the entry before the oldest */
    uint8_t log_last[GP_STORE_HASH];   /* hash of the newest */
    uint8_t rows[GP_STORE_SUM];        /* the sums of all rows but the log's, exclusive-ored */
} gp_store_head_t;

/* Every statement, prepared once when it is first needed. */
#define GP_STORE_SQL(S)                                                                            \
    S(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    S(COMMIT, "COMMIT")                                                                            \
    S(ROLLBACK, "ROLLBACK")                                                                        \
    S(SAVEPOINT, "SAVEPOINT run")                                                                  \
    S(RELEASE, "RELEASE run")                                                                      \
    S(UNDO, "ROLLBACK TO run")                                                                     \
    S(HEAD_GET, "SELECT bytes FROM head WHERE id = 1")                                             \
    S(HEAD_PUT, "REPLACE INTO head(id, bytes) VALUES(1, ?1)")                                      \
    S(RECORD_SUM, "SELECT sum FROM records WHERE room = ?1 AND kind = ?2 AND key = ?3")            \
    S(RECORD_PUT, "REPLACE INTO records(room, kind, key, bytes, sum) VALUES(?1, ?2, ?3, ?4, ?5)")  \
    S(RECORD_REMOVE, "DELETE FROM records WHERE room = ?1 AND kind = ?2 AND key = ?3")             \
    S(RECORD_ALL, "SELECT room, kind, key, bytes, sum FROM records "                               \
                  "WHERE room BETWEEN ?1 AND ?2 ORDER BY room, kind, key")                         \
    S(INVITATION_PUT, "INSERT INTO invitations(serial, key, region, roles, expires, uses, used, "  \
                      "sum) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                               \
    S(INVITATION_GET, "SELECT serial, key, region, roles, expires, uses, used, sum "               \
                      "FROM invitations WHERE serial = ?1")                                        \
    S(INVITATION_ALL, "SELECT serial, key, region, roles, expires, uses, used, sum "               \
                      "FROM invitations WHERE serial > ?1 ORDER BY serial LIMIT ?2")               \
    S(INVITATION_SPENT, "SELECT serial, key, region, roles, expires, uses, used, sum "             \
                        "FROM invitations WHERE expires < ?1 OR used >= uses "                     \
                        "ORDER BY expires < ?1 DESC, serial LIMIT 1")                              \
    S(INVITATION_REMOVE, "DELETE FROM invitations WHERE serial = ?1")                              \
    S(INVITATION_COUNT, "SELECT count(*) FROM invitations")                                        \
    S(ADMISSION_PUT, "INSERT INTO admissions(serial, invitation, node, name, at, expires, cert, "  \
                     "sum) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                \
    S(ADMISSION_NODE, "SELECT serial, invitation, node, name, at, expires, cert, sum "             \
                      "FROM admissions WHERE node = ?1 ORDER BY serial")                           \
    S(ADMISSION_NAME, "SELECT serial, invitation, node, name, at, expires, cert, sum "             \
                      "FROM admissions WHERE name = ?1 ORDER BY serial")                           \
    S(ADMISSION_ALL, "SELECT serial, invitation, node, name, at, expires, cert, sum "              \
                     "FROM admissions WHERE serial > ?1 ORDER BY serial LIMIT ?2")                 \
    S(ADMISSION_EXPIRED, "SELECT serial, invitation, node, name, at, expires, cert, sum "          \
                         "FROM admissions WHERE expires < ?1 ORDER BY expires LIMIT 1")            \
    S(ADMISSION_REMOVE, "DELETE FROM admissions WHERE serial = ?1")                                \
    S(ADMISSION_COUNT, "SELECT count(*) FROM admissions")                                          \
    S(LOG_PUT, "INSERT INTO log(seq, at, actor, what, object, detail, hash) "                      \
               "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                               \
    S(LOG_READ, "SELECT seq, at, actor, what, object, detail, hash FROM log WHERE seq > ?1 "       \
                "ORDER BY seq LIMIT ?2")                                                           \
    S(LOG_HASH, "SELECT hash FROM log WHERE seq = ?1")                                             \
    S(LOG_CUT, "DELETE FROM log WHERE seq < ?1")

typedef enum gp_store_sql {
#define GP_S(NAME, sql) GP_SQL_##NAME,
    GP_STORE_SQL(GP_S)
#undef GP_S
        GP_SQL_COUNT
} gp_store_sql_t;

typedef enum gp_store_job_type {
    GP_STORE_JOB_PUT = 1,
    GP_STORE_JOB_REMOVE,
    GP_STORE_JOB_LOG,
    GP_STORE_JOB_RUN
} gp_store_job_type_t;

typedef struct gp_store_job {
    struct gp_store_job *next;
    gp_store_job_type_t type;
    gp_error_t result;
    bool waited_for; /* a blocking call owns it; `finished` wakes that one */
    bool finished;
    gp_room_t room;
    gp_msg_kind_t kind;
    uint64_t key;
    uint64_t token;
    gp_store_run_fn *run;
    gp_store_done_fn *done;
    void *context;
    gp_wall_ms_t at;
    uint32_t lengths[4]; /* LOG: of the four texts, which stand one after the other in bytes */
    uint32_t n;
    uint8_t bytes[];
} gp_store_job_t;

typedef struct gp_store_list {
    gp_store_job_t *first;
    gp_store_job_t *last;
} gp_store_list_t;

struct gp_store {
    sqlite3 *db;
    sqlite3_stmt *statements[GP_SQL_COUNT];
    gp_store_head_t head;      /* with the changes of the open transaction */
    gp_store_head_t committed; /* without */
    bool dirty;                /* the open transaction has changed something */
    gp_error_t broken;         /* the open transaction met a failure of the disk: undo all of it */
    int mark_fd;
    int wal_pages; /* since the last checkpoint */
    uint32_t log_keep;
    char path[GP_STATE_PATH_MAX];

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t work;
    pthread_cond_t finished;
    pthread_t worker;
    bool started;
    bool stopping;
    bool given_up; /* a wait for the disk failed: nothing is durable any more */
    gp_store_list_t waiting;
    gp_store_list_t completed;
    uint32_t waiting_count;
    size_t waiting_bytes;
    uint64_t failures;
    gp_fail_t failure;

    int event_fd;
    struct event *event;
    gp_store_stored_fn *stored;
    void *stored_context;
};

/* ---- store_sql.c: SQLite and sums --------------------------------------------------------------
 */

/* The prepared statement, reset; NULL (and store->broken) if it cannot be prepared. */
sqlite3_stmt *gp_store_statement(gp_store_t *store, gp_store_sql_t sql);

/* Steps: true for a row; false for the end or a failure, which sets store->broken. */
bool gp_store_row(gp_store_t *store, sqlite3_stmt *statement);

/* Runs a statement without rows to its end and resets it; false and store->broken on failure. */
bool gp_store_finish(gp_store_t *store, sqlite3_stmt *statement);

/* What an SQLite result means here; `given_up`: nothing can be trusted after it. */
gp_error_t gp_store_sql_error(sqlite3 *db, int result, bool *ret_given_up);
gp_error_t gp_store_sql_fail(gp_store_t *store, int result, const char *what, gp_fail_t *fail);

void gp_store_bind_blob(sqlite3_stmt *statement, int column, const void *bytes, size_t n);
void gp_store_bind_text(sqlite3_stmt *statement, int column, gp_slice_t text);
void gp_store_bind_number(sqlite3_stmt *statement, int column, uint64_t number);
uint64_t gp_store_number(sqlite3_stmt *statement, int column);
gp_slice_t gp_store_blob(sqlite3_stmt *statement, int column);

/* Sums over numbers and length-prefixed bytes: no two different rows have the same input. */
typedef crypto_generichash_state gp_store_sum_t;
void gp_store_sum_init(gp_store_sum_t *sum, const char *table, size_t bytes);
void gp_store_sum_number(gp_store_sum_t *sum, uint64_t number);
void gp_store_sum_bytes(gp_store_sum_t *sum, gp_slice_t bytes);
void gp_store_sum_end(gp_store_sum_t *sum, uint8_t *ret_sum, size_t bytes);

/* Adds a row's sum to that of all rows, or takes it away: the same. */
void gp_store_rows_toggle(gp_store_head_t *head, const uint8_t sum[GP_STORE_SUM]);

/* ---- store_head.c: head row and mark ------------------------------------------------------------
 */

void gp_store_head_pack(const gp_store_head_t *head, uint8_t to[GP_STORE_HEAD]);
bool gp_store_head_read(gp_slice_t bytes, gp_store_head_t *ret_head);
GP_MUST_CHECK gp_error_t gp_store_mark_create(const char *path, const gp_store_head_t *head,
                                              gp_fail_t *fail);
GP_MUST_CHECK gp_error_t gp_store_mark_open(gp_store_t *store, gp_fail_t *fail);
bool gp_store_mark_write(gp_store_t *store);
void gp_store_mark_sync(gp_store_t *store);

/* ---- the tables
 * ---------------------------------------------------------------------------------- */

/* Inside a transaction: false and store->broken on failure. */
bool gp_store_record_put(gp_store_t *store, const gp_store_record_t *record);
bool gp_store_record_remove(gp_store_t *store, const gp_store_record_t *record);
bool gp_store_log_add(gp_store_t *store, const gp_log_entry_t *entry);

/* Each checks the sums of its rows and adds them to *rows; false if one is wrong. */
bool gp_store_records_verify(gp_store_t *store, gp_store_head_t *rows);
bool gp_store_ledger_verify(gp_store_t *store, gp_store_head_t *rows);

/* ---- store_work.c
 * ---------------------------------------------------------------------------------- */

/* Does the job and those after it in one transaction, on this thread. */
void gp_store_transact(gp_store_t *store, gp_store_job_t *first);

/* Moves what is in the journal to the database, as far as nobody waits. */
void gp_store_checkpoint(gp_store_t *store);

#endif
