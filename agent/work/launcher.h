/*
 * The launcher: starts attempts, passes their output on under flow control, ends them, and tells
 * how they ended. It decides nothing: the work core does, in JOB_* notices, and gets WORK_* back.
 *
 * Each attempt runs under a keeper (agent/work/keeper.h) in a session, a fresh directory and, where
 * the host lets us, cgroups of its own. What holds, and how strongly:
 *
 *   gp_launcher_strength  whole tree ends, children in sessions of their own included
 *   cgroup                at once and whatever the program does: cgroup.kill (cgroup v2)
 *   adoption              the keeper adopts and kills generation by generation; a program that
 * forks faster than it is killed can last, and one that kills its keeper escapes
 *
 * If the agent dies, however, its keepers see it at once and end their programs. If it freezes,
 * they end them when the lease that was last told is over. If agent and keepers die together (all
 * killed for memory, say), the program itself dies with its keeper (PR_SET_PDEATHSIG), and what
 * else is left in its cgroup dies when the next agent starts.
 *
 * Not thread-safe: all on the thread of its event base. The callback is called from the base's
 * loop only, never from within a gp_launcher_ function.
 */
#ifndef GP_AGENT_WORK_LAUNCHER_H
#define GP_AGENT_WORK_LAUNCHER_H

#include "agent/store/fail.h"
#include "proto/message.h"

struct event_base;

typedef struct gp_launcher gp_launcher_t;

/* WORK_STARTED, WORK_OUTPUT or WORK_ENDED; borrowed until it returns. It may call gp_launcher_*. */
typedef void (*gp_launcher_callback_t)(void *context, const gp_msg_t *msg);

typedef struct gp_launcher_config {
    const char *dir;    /* of the attempts' directories: DIR/NAME/work; made if missing, 0700 */
    const char *keeper; /* path of gridpeer-keeper; NULL: gp_launcher_find_keeper's */
    bool no_cgroups;    /* do without v2 cgroups, though the host may have them */

    /*
     * Give each attempt a cgroup of v1's memory controller, which tells surely whether the kernel
     * killed it for memory (v2's tells where it is enabled). Costs each start some 10 ms, in which
     * the whole host can neither fork nor exec: joining a v1 cgroup waits for all its processors.
     */
    bool memory_cgroup;
    const char *node;  /* this machine's name, for GRIDPEER_NODE */
    uint32_t grace_ms; /* from SIGTERM to SIGKILL, where the reason to stop allows it */
    uint32_t drain_ms; /* how long unread output of a stopped attempt is waited for */
    gp_launcher_callback_t callback;
    void *context;
} gp_launcher_config_t;

typedef enum gp_launcher_strength {
    GP_LAUNCHER_ADOPTION = 1,
    GP_LAUNCHER_CGROUP
} gp_launcher_strength_t;

/* Grace 2 s, drain 2 s; dir, node and callback are the caller's. */
void gp_launcher_config_default(gp_launcher_config_t *ret_config);

/*
 * Makes a launcher, after ending whatever an earlier agent with the same directory left behind
 * (bounded: at most some 8 s, if that hangs in the kernel). The strings are copied. Errors, with
 * the path and what the system said of it in *fail: GP_E_SYSTEM (no keeper), GP_E_STATE_MODE
 * (others may write the directory), for the directory as gp_fail_errno says; GP_E_MEMORY.
 */
GP_MUST_CHECK gp_error_t gp_launcher_new(struct event_base *base,
                                         const gp_launcher_config_t *config,
                                         gp_launcher_t **ret_launcher, gp_fail_t *fail);

/*
 * Ends all attempts at once, without reports, and frees the launcher. NULL is fine. For a stop in
 * good order let the core stop them first (WORK_STOP).
 */
void gp_launcher_free(gp_launcher_t *launcher);

/*
 * JOB_START: answered by WORK_STARTED, in any case. One of the same home, job and incarnation, of
 * which something is left here still, is not started.
 */
void gp_launcher_start(gp_launcher_t *launcher, const gp_msg_t *msg);

/*
 * JOB_STOP: SIGTERM, and SIGKILL after the grace; SIGKILL at once for GP_REASON_LEASE_LOST. The
 * first reason is told in WORK_ENDED, unless the program had ended by itself before.
 */
void gp_launcher_stop(gp_launcher_t *launcher, const gp_msg_t *msg);

/* JOB_READ: output up to this offset may be read and told. */
void gp_launcher_read(gp_launcher_t *launcher, const gp_msg_t *msg);

/* JOB_LEASE: how long it may run on if this agent freezes. */
void gp_launcher_lease(gp_launcher_t *launcher, const gp_msg_t *msg);

/* Any of the four, by kind; other kinds are no business of the launcher's. False: not one of them.
 */
bool gp_launcher_notice(gp_launcher_t *launcher, const gp_msg_t *msg);

/* How whole trees are ended on this host. */
gp_launcher_strength_t gp_launcher_strength(const gp_launcher_t *launcher);

/* The cgroup under which attempts of this launcher live, or "" (v1: the memory controller's). */
const char *gp_launcher_cgroup(const gp_launcher_t *launcher, bool v1);

/* Attempts with a living keeper. */
uint32_t gp_launcher_count(const gp_launcher_t *launcher);

/*
 * Looks for gridpeer-keeper beside this program and in its libexec. An errno: then `path` is the
 * one that cannot be used, or where an installation has it.
 */
int gp_launcher_find_keeper(char *path, size_t size);

#endif
