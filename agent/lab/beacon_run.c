#include "agent/lab/beacon_run.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/text.h"

extern char **environ;

static bool find_program(char *path, size_t size)
{
    static const char *const places[] = {"", "/../libexec/gridpeer"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) {
        return false;
    }
    self[n] = '\0';
    const char *folder = dirname(self);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int m = snprintf(path, size, "%s%s/gridpeer-beacon", folder, places[i]);
        if (m > 0 && (size_t)m < size && access(path, X_OK) == 0) {
            return true;
        }
    }
    return false;
}

/* `child_fd` is which of the child's descriptors the pipe becomes: 0 say, 1 hear. */
static gp_error_t start(char *const *words, int child_fd, gp_beacon_run_t *ret_run, gp_fail_t *fail)
{
    int fds[2];
    posix_spawn_file_actions_t files;
    pid_t pid = 0;
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return gp_fail_errno(fail, errno, "cannot make a pipe");
    }
    int theirs = fds[child_fd], ours = fds[1 - child_fd];
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, theirs, child_fd);
    int error = posix_spawn(&pid, words[0], &files, NULL, words, environ);
    posix_spawn_file_actions_destroy(&files);
    close(theirs);
    if (error != 0) {
        close(ours);
        return gp_fail_errno(fail, error, "cannot start %s", words[0]);
    }
    *ret_run = (gp_beacon_run_t){.pid = pid, .fd = ours};
    return GP_OK;
}

gp_error_t gp_beacon_say(const gp_grid_id_t *grid, const char *region, uint16_t port,
                         uint16_t udp_port, gp_beacon_run_t *ret_run, gp_fail_t *fail)
{
    char program[PATH_MAX], id[GP_GRID_ID_TEXT], tcp[8], udp[8], name[GP_NAME_MAX + 1];
    char verb[] = "say";
    if (!find_program(program, sizeof program)) {
        return gp_fail(fail, GP_E_SYSTEM, "gridpeer-beacon is missing: install it again");
    }
    gp_grid_id_text(grid, id);
    snprintf(tcp, sizeof tcp, "%u", port);
    snprintf(udp, sizeof udp, "%u", udp_port);
    snprintf(name, sizeof name, "%s", region);
    char *words[] = {program, verb, id, name, tcp, udp, NULL};
    return start(words, STDIN_FILENO, ret_run, fail);
}

gp_error_t gp_beacon_listen(const gp_grid_id_t *grid, uint16_t udp_port, uint32_t limit_ms,
                            gp_beacon_run_t *ret_run, gp_fail_t *fail)
{
    char program[PATH_MAX], id[GP_GRID_ID_TEXT], udp[8], limit[16];
    char verb[] = "hear";
    if (!find_program(program, sizeof program)) {
        return gp_fail(fail, GP_E_SYSTEM, "gridpeer-beacon is missing: install it again");
    }
    gp_grid_id_text(grid, id);
    snprintf(udp, sizeof udp, "%u", udp_port);
    snprintf(limit, sizeof limit, "%u", limit_ms);
    char *words[] = {program, verb, id, udp, limit, NULL};
    return start(words, STDOUT_FILENO, ret_run, fail);
}

void gp_beacon_end(gp_beacon_run_t *run)
{
    if (run->pid == 0) {
        return;
    }
    close(run->fd);
    kill(run->pid, SIGTERM); /* our child, not yet waited for: the number is still its own */
    waitpid(run->pid, NULL, 0);
    *run = (gp_beacon_run_t){0};
}
