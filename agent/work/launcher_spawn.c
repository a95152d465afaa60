#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/work/launcher_host.h"

#define CLEAN_LIMIT_MS 15000 /* the cleaner's own limits, with a margin */

const char *launcher_or_none(const char *path)
{
    return path[0] != '\0' ? path : GP_KEEPER_NONE;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;
    int error;

    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    error = posix_spawnattr_setsigmask(attributes, &none);
    if (error == 0) {
        error = posix_spawnattr_setsigdefault(attributes, &all);
    }
    if (error == 0) {
        error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                         POSIX_SPAWN_SETSIGDEF);
    }
    return error;
}

static int set_actions(posix_spawn_file_actions_t *actions, const launcher_spawning_t *how)
{
    int error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);

    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(actions, how->out, STDOUT_FILENO);
    }
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(actions, how->err, STDERR_FILENO);
    }
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(actions, how->control, GP_KEEPER_CONTROL_FD);
    }
    if (error == 0) {
        error = posix_spawn_file_actions_addclosefrom_np(actions, GP_KEEPER_CONTROL_FD + 1);
    }
    return error;
}

int launcher_spawn(const char *keeper, const launcher_spawning_t *how, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);

    if (error != 0) {
        return error;
    }
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        error = set_attributes(&attributes);
        if (error == 0) {
            error = set_actions(&actions, how);
        }
        if (error == 0) {
            error = posix_spawn(ret_pid, keeper, &actions, &attributes, how->argv, how->envp);
        }
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int launcher_spawn_cleaner(const launcher_place_t *place, const char *name, pid_t *ret_pid)
{
    launcher_place_t copy = *place; /* argv is not const */
    char keeper[] = "gridpeer-keeper";
    char clean[] = GP_KEEPER_CLEAN;
    char one[64] = "";
    char *argv[] = {keeper, clean, copy.dir, copy.v2, copy.v1, name != NULL ? one : NULL, NULL};
    char *envp[] = {NULL};
    launcher_spawning_t how = {.argv = argv, .envp = envp};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int error;

    if (null < 0) {
        return errno;
    }
    snprintf(copy.v2, sizeof copy.v2, "%s", launcher_or_none(place->v2));
    snprintf(copy.v1, sizeof copy.v1, "%s", launcher_or_none(place->v1));
    snprintf(one, sizeof one, "%s", name != NULL ? name : "");
    how.out = null;
    how.err = null;
    how.control = null;
    error = launcher_spawn(place->keeper, &how, ret_pid);
    close(null);
    return error;
}

bool launcher_wait(pid_t pid, int pidfd, int limit_ms, int *ret_status)
{
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};

    while (poll(&fd, 1, limit_ms) < 0 && errno == EINTR) {
    }
    return waitpid(pid, ret_status, WNOHANG) == pid;
}

int launcher_clean(const launcher_place_t *place)
{
    pid_t pid;
    int status = 0;
    int pidfd;
    int error = launcher_spawn_cleaner(place, NULL, &pid);

    if (error != 0) {
        return error;
    }
    pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        error = errno;
    } else if (!launcher_wait(pid, pidfd, CLEAN_LIMIT_MS, &status)) {
        error = ETIMEDOUT;
    } else if (!WIFEXITED(status)) {
        error = ECANCELED;
    }
    if (error == ETIMEDOUT || pidfd < 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    if (pidfd >= 0) {
        close(pidfd);
    }
    return error;
}
