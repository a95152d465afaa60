/*
 * What the launcher needs of the host: cgroup folders, the keeper's path, environments, errors in
 * words. Private to agent/work.
 */
#ifndef GP_AGENT_WORK_LAUNCHER_HOST_H
#define GP_AGENT_WORK_LAUNCHER_HOST_H

#include <sys/types.h>

#include "agent/work/keeper.h"
#include "proto/message.h"

#define LAUNCHER_PATH_MAX 4096

/*
 * The cgroup under which attempts get theirs, named after the state directory, below the agent's
 * own: for cgroup v2, or for v1's memory controller. It exists only while an attempt runs: this
 * tries it, and leaves ret_path empty if the host has none or does not let us.
 */
void launcher_cgroup(const char *dir, bool v1, char ret_path[LAUNCHER_PATH_MAX]);

/* What an attempt's environment tells it of where it is; borrowed. */
typedef struct launcher_setting {
    const char *home; /* its working directory */
    const char *user;
    const char *node;
} launcher_setting_t;

/*
 * The environment of an attempt as execve wants it: the given words over the few that every
 * attempt gets. To be freed by launcher_strings_free. NULL: out of memory.
 */
char **launcher_environment(const gp_msg_job_start_t *msg, const launcher_setting_t *setting);

/* The keeper's argv: head (NULL-terminated), then the words. NULL: out of memory. */
char **launcher_arguments(const char *const *head, const gp_msg_job_start_t *msg);
void launcher_strings_free(char **strings);

/* True if the words can be passed to a program: not empty, no zero bytes, NAME=value. */
bool launcher_words_fit(const gp_msg_job_start_t *msg);

/* What a report of GP_KEEPER_NOT_STARTED means, as a reason and in words. */
gp_reason_t launcher_not_started(const gp_keeper_report_t *report, const char *program, char *text,
                                 size_t size);

/* ---- launcher_spawn.c ------------------------------------------------------------------------ */

/* Where this launcher's attempts live. Cgroups are empty where the host has none for us. */
typedef struct launcher_place {
    char keeper[LAUNCHER_PATH_MAX];
    char dir[LAUNCHER_PATH_MAX];
    char v2[LAUNCHER_PATH_MAX];
    char v1[LAUNCHER_PATH_MAX];
} launcher_place_t;

typedef struct launcher_spawning {
    char **argv;
    char **envp;
    int out;
    int err;
    int control;
} launcher_spawning_t;

/* The path, or the word for none. */
const char *launcher_or_none(const char *path);

/*
 * Starts a keeper: a session of its own, default signals, no descriptors but the named ones.
 * Returns an errno.
 */
int launcher_spawn(const char *keeper, const launcher_spawning_t *how, pid_t *ret_pid);

/* Starts `clean` for one attempt (name), or for all that an earlier agent left (NULL): an errno. */
int launcher_spawn_cleaner(const launcher_place_t *place, const char *name, pid_t *ret_pid);

/*
 * Cleans all that an earlier agent left, and waits for that, bounded. An errno: ETIMEDOUT if it
 * hangs, ECANCELED if the cleaner was killed.
 */
int launcher_clean(const launcher_place_t *place);

/* Waits for a child, bounded, and reaps it. False: it lives on. */
bool launcher_wait(pid_t pid, int pidfd, int limit_ms, int *ret_status);

#endif
