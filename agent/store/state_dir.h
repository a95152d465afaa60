/*
 * The state directory of one machine: DIR/NAME, where DIR comes from --dir, else GRIDPEER_DIR, else
 * /var/lib/gridpeer for root and $XDG_STATE_HOME/gridpeer or ~/.local/state/gridpeer for others.
 *
 * A directory of the right name is always complete: it is built beside its place under a hidden
 * name and renamed when all of it is on the disk, and it is renamed away before it is removed. What
 * a crash leaves under a hidden name is unlocked, and the next one who creates or removes clears
 * it. Whoever works in a directory holds the lock of its file `lock`; that ends with the process.
 */
#ifndef GP_AGENT_STORE_STATE_DIR_H
#define GP_AGENT_STORE_STATE_DIR_H

#include "agent/store/files.h"
#include "proto/limits.h"

/* The files of a state directory. */
#define GP_FILE_LOCK     "lock"
#define GP_FILE_NODE_KEY "node.key"
#define GP_FILE_ROOT_KEY "root.key"
#define GP_FILE_CERT     "cert"
#define GP_FILE_GRID     "grid"
#define GP_FILE_CONFIG   "gridpeer.ini"
#define GP_FILE_DB       "state.db"
#define GP_FILE_DB_WAL   "state.db-wal"
#define GP_FILE_MARK     "state.mark"
#define GP_FILE_REPLAY   "replay"      /* the recording of this run, if it is to be recorded */
#define GP_FILE_CRASHED  "replay.last" /* that of the last run that did not end in good order */
#define GP_FILE_SIM      "sim" /* made by `gridpeer sim up`: sim commands may end and remove it */

/* One machine's directory, locked by this process. */
typedef struct gp_state_dir {
    int root_fd; /* DIR */
    int fd;      /* DIR/NAME, or its hidden predecessor while it is being built */
    int lock_fd;
    bool building;
    size_t made; /* building: length of the longest part of DIR that already existed; 0: all did */
    char name[GP_NAME_MAX + 1];
    char root[GP_STATE_PATH_MAX]; /* DIR, absolute */
    char path[GP_STATE_PATH_MAX]; /* where the directory is now */
} gp_state_dir_t;

/* The names of the machines that are set up under one DIR, sorted. */
typedef struct gp_state_list {
    uint32_t count;
    char names[GP_STATE_NODES_MAX][GP_NAME_MAX + 1];
} gp_state_list_t;

/* The directory as the small-file functions want it; borrows from dir. */
gp_folder_t gp_state_folder(const gp_state_dir_t *dir);

/*
 * Where DIR is: `option` (--dir; NULL or empty: not given), else the environment, else the default.
 * Nothing needs to exist yet. GP_E_USAGE: the path is too long.
 */
GP_MUST_CHECK gp_error_t gp_state_root(const char *option, char ret_root[GP_STATE_PATH_MAX],
                                       gp_fail_t *fail);

/* Lists the machines under DIR; a DIR that does not exist has none. The list is large: not on a
 * stack. */
GP_MUST_CHECK gp_error_t gp_state_list(const char *root, gp_state_list_t *ret_list,
                                       gp_fail_t *fail);

/*
 * Which machine a command means: `option` (--node; NULL or empty: not given), else GRIDPEER_NODE,
 * else the only one set up here, else the only one whose agent runs.
 * GP_E_STATE_MISSING, GP_E_STATE_AMBIGUOUS (names them), GP_E_NAME.
 */
GP_MUST_CHECK gp_error_t gp_state_pick(const char *root, const char *option,
                                       char ret_name[GP_NAME_MAX + 1], gp_fail_t *fail);

/*
 * Opens, checks and locks DIR/NAME. GP_E_STATE_MISSING, _LOCKED (with the process that holds it),
 * _MODE and _OWNER (with the command that mends it), _DAMAGED (a file is missing).
 */
GP_MUST_CHECK gp_error_t gp_state_open(const char *root, const char *name, gp_state_dir_t *ret_dir,
                                       gp_fail_t *fail);

/* Is an agent (or a command) at work in DIR/NAME? ret_pid is for information; 0: not known. */
bool gp_state_in_use(const char *root, const char *name, long *ret_pid);

/*
 * Starts a new DIR/NAME under a hidden name, locked; makes DIR if needed. GP_E_STATE_EXISTS,
 * GP_E_NAME. End it with gp_state_commit or gp_state_close.
 */
GP_MUST_CHECK gp_error_t gp_state_begin(const char *root, const char *name, gp_state_dir_t *ret_dir,
                                        gp_fail_t *fail);

/* GP_E_STATE_EXISTS if there is a DIR/NAME already; says whether an agent is at work in it. */
GP_MUST_CHECK gp_error_t gp_state_refuse_used(const char *root, const char *name, gp_fail_t *fail);

/* Marks a directory that was begun as that of a simulated machine, before it has any identity. */
GP_MUST_CHECK gp_error_t gp_state_mark_sim(const gp_state_dir_t *dir, gp_fail_t *fail);

/* Does DIR/NAME bear that mark? */
bool gp_state_is_sim(const char *root, const char *name);

/* Removes what a crash left of machines that were never complete: of those that bear that mark, and
 * of any that hold nothing but a lock, which nobody holds. */
void gp_state_clear_sims(const char *root);

/*
 * Makes all that was written durable and gives the directory its name; it stays open and locked.
 * On failure it is still as gp_state_begin left it.
 */
GP_MUST_CHECK gp_error_t gp_state_commit(gp_state_dir_t *dir, gp_fail_t *fail);

/* Unlocks and closes; a directory that was begun and not committed is removed with all in it. */
void gp_state_close(gp_state_dir_t *dir);

/*
 * Removes the directory for good, the secrets first, and closes it. On failure nothing was removed,
 * and it is still open.
 */
GP_MUST_CHECK gp_error_t gp_state_remove(gp_state_dir_t *dir, gp_fail_t *fail);

#endif
