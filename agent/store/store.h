/*
 * What a machine must not forget: the records of its cores, its boot epoch, the activity log and
 * the ledger of invitations (ledger.h), in one SQLite database, state.db.
 *
 * "Durable" means that the disk has confirmed it (WAL, synchronous=FULL). One worker thread
 * commits: all that waits becomes one transaction and one wait for the disk, and the news goes to
 * the loop thread through an eventfd. Every row carries a BLAKE2b sum, the head row carries the sum
 * of all rows and the number of commits, and the small file state.mark, written after each commit,
 * tells how many commits were acknowledged: a database or journal that was damaged, cut or set back
 * is noticed at start and left untouched (GP_E_STATE_DAMAGED), instead of losing what was promised.
 *
 * After a failed wait for the disk nothing is ever called durable again until the agent restarts
 * and reads what is really there (a second fsync may lie); a full disk heals when there is room.
 */
#ifndef GP_AGENT_STORE_STORE_H
#define GP_AGENT_STORE_STORE_H

#include "agent/store/fail.h"
#include "proto/message.h"

struct event_base;

typedef struct gp_store gp_store_t;

/* NULL where it is passed means all zero. */
typedef struct gp_store_options {
    const char *vfs; /* for tests: the SQLite VFS to use; NULL: the default one */
    bool building; /* nothing waits for the disk: the directory is being built (gp_state_commit) */
} gp_store_options_t;

/*
 * Makes an empty database in the directory `path`, without waiting for the disk: gp_state_commit
 * (or gp_folder_sync_all) does. Leaves nothing behind on failure.
 */
GP_MUST_CHECK gp_error_t gp_store_create(const char *path, gp_fail_t *fail);

/*
 * Opens and verifies the database of the directory `path`, which the caller has locked.
 * GP_E_STATE_DAMAGED: nothing was changed. Also GP_E_STATE_IO, _FULL, GP_E_MEMORY.
 */
GP_MUST_CHECK gp_error_t gp_store_open(const char *path, const gp_store_options_t *options,
                                       gp_store_t **ret_store, gp_fail_t *fail);

/* Stops the worker if it runs, and closes. NULL is fine. */
void gp_store_close(gp_store_t *store);

/* Raises the boot epoch durably and returns it: once at each start of the agent. */
GP_MUST_CHECK gp_error_t gp_store_boot(gp_store_t *store, uint64_t *ret_epoch, gp_fail_t *fail);

/*
 * Calls load for each record of the room, ordered by kind and key; the message is borrowed. Before
 * gp_store_start only. GP_E_STATE_DAMAGED: a record cannot be read.
 */
typedef void gp_store_load_fn(void *context, uint64_t key, const gp_msg_t *msg);
GP_MUST_CHECK gp_error_t gp_store_load(gp_store_t *store, gp_room_t room, gp_store_load_fn *load,
                                       void *context, gp_fail_t *fail);

/* ---- writing from the loop ------------------------------------------------------------------- */

/* On the loop thread: the put with this token is durable (ok), or failed (see gp_store_failure). */
typedef void gp_store_stored_fn(void *context, gp_room_t room, uint64_t token, bool ok);

/*
 * Starts the worker. Its news is delivered by events of `base`; with base NULL the caller watches
 * gp_store_fd for reading and calls gp_store_deliver.
 */
GP_MUST_CHECK gp_error_t gp_store_start(gp_store_t *store, struct event_base *base,
                                        gp_store_stored_fn *stored, void *context, gp_fail_t *fail);
int gp_store_fd(const gp_store_t *store);
void gp_store_deliver(gp_store_t *store);

/*
 * Commits what waits, delivers all news on this thread, ends the worker. What a callback then still
 * puts is neither written nor answered, and a run is done with GP_E_BUSY. Stop it before what the
 * callbacks use.
 */
void gp_store_stop(gp_store_t *store);

/* One record of a room: the latest bytes of each (room, kind, key) are kept. */
typedef struct gp_store_record {
    gp_room_t room;
    gp_msg_kind_t kind;
    uint64_t key;     /* records of one kind differ by it: gp_record_key */
    gp_slice_t bytes; /* the packed body */
} gp_store_record_t;

/* Keeps the record, whose bytes are copied; answered by `stored` with the token, in order. */
void gp_store_put(gp_store_t *store, const gp_store_record_t *record, uint64_t token);

/* Forgets a record, in order with the puts; nobody is told. */
void gp_store_remove(gp_store_t *store, gp_room_t room, gp_msg_kind_t kind, uint64_t key);

/*
 * Runs `run` on the worker inside a transaction: what it changed is kept and durable when it
 * returned GP_OK, and undone otherwise. Then `done` is called on the loop thread with its result,
 * or with the disk's failure. `context` is the caller's and lives until then.
 */
typedef gp_error_t gp_store_run_fn(gp_store_t *store, void *context);
typedef void gp_store_done_fn(void *context, gp_error_t result);
void gp_store_run(gp_store_t *store, gp_store_run_fn *run, gp_store_done_fn *done, void *context);

/* The blocking forms, for commands and before the loop; they return when it is durable or failed.
 */
GP_MUST_CHECK gp_error_t gp_store_run_now(gp_store_t *store, gp_store_run_fn *run, void *context,
                                          gp_fail_t *fail);
GP_MUST_CHECK gp_error_t gp_store_put_now(gp_store_t *store, const gp_store_record_t *record,
                                          gp_fail_t *fail);

/* The last failure of the disk, GP_OK if the last write went well. Any thread. */
gp_error_t gp_store_failure(gp_store_t *store, gp_fail_t *ret_fail);

/*
 * Is it one after which nothing can be trusted to be durable (not a lack of room)? Then each write
 * fails until the store is opened anew. Any thread.
 */
bool gp_store_given_up(gp_store_t *store);

/* Writes that wait, and commits so far: for metrics. Any thread. */
typedef struct gp_store_stats {
    uint64_t commits;
    uint64_t failures;
    uint32_t waiting;
} gp_store_stats_t;
gp_store_stats_t gp_store_stats(gp_store_t *store);

/* ---- the activity log ------------------------------------------------------------------------ */

/* Who did what to what, when. Texts are cut at GP_LOG_TEXT_MAX; secrets do not belong here. */
typedef struct gp_log_entry {
    uint64_t seq; /* given by the store */
    gp_wall_ms_t at;
    gp_slice_t actor; /* "operator", "agent", a machine's name */
    gp_slice_t what;  /* a verb: "invite", "admit", "leave" */
    gp_slice_t object;
    gp_slice_t detail;
    gp_slice_t hash; /* given by the store: BLAKE2b-256 of the hash before it and of the entry */
} gp_log_entry_t;

/* Adds an entry; it becomes durable with the writes around it. Nobody is told. */
void gp_store_log(gp_store_t *store, const gp_log_entry_t *entry);

/* The same inside a `run`: it is kept or undone with the rest. */
GP_MUST_CHECK gp_error_t gp_store_log_inside(gp_store_t *store, const gp_log_entry_t *entry);

/* How many entries are kept at least; the oldest go. 1000 .. GP_LOG_ENTRIES_MAX; before start. */
void gp_store_log_keep(gp_store_t *store, uint32_t entries);

/*
 * Inside a `run` or before start: calls `each` for at most `limit` entries after `seq`, oldest
 * first; the entry is borrowed. The run makes no change; its result is GP_OK.
 */
typedef void gp_log_each_fn(void *context, const gp_log_entry_t *entry);
GP_MUST_CHECK gp_error_t gp_store_log_read(gp_store_t *store, uint64_t seq, uint32_t limit,
                                           gp_log_each_fn *each, void *context);

/* Inside a `run` or before start: the oldest entry kept, and the newest, which is before it if none
 * is. */
typedef struct gp_log_span {
    uint64_t first;
    uint64_t last;
} gp_log_span_t;
gp_log_span_t gp_store_log_span(const gp_store_t *store);

/*
 * Inside a `run` or before start: follows the chain of hashes from end to end. GP_E_STATE_DAMAGED
 * and the first entry that is wrong or missing in *ret_seq.
 */
GP_MUST_CHECK gp_error_t gp_store_log_verify(gp_store_t *store, uint64_t *ret_seq);

#endif
