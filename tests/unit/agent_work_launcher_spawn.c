/* Starting keepers and cleaners, and waiting for them, bounded. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/work/launcher_host.h"
#include "tests/temporary.h"

/* Any program will do: it gets the three pipes, and nothing else. */
static int spawn_shell(const char *program, const char *script, int out, pid_t *ret_pid)
{
    char name[] = "sh";
    char option[] = "-c";
    char text[128];
    char *argv[] = {name, option, text, NULL};
    char *envp[] = {NULL};

    snprintf(text, sizeof text, "%s", script);
    return launcher_spawn(
        program,
        &(launcher_spawning_t){.argv = argv, .envp = envp, .out = out, .err = out, .control = out},
        ret_pid);
}

static void it_gets_a_session_and_four_descriptors(void **state)
{
    char text[256] = "";
    char expected[32];
    size_t used = 0;
    ssize_t n;
    int fds[2];
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    signal(SIGUSR1, SIG_IGN);
    assert_int_equal(spawn_shell("/bin/sh",
                                 "echo $$; cut -d' ' -f6 /proc/$$/stat; ls /proc/$$/fd; :", fds[1],
                                 &pid),
                     0);
    signal(SIGUSR1, SIG_DFL);
    close(fds[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    while (used < sizeof text - 1 && (n = read(fds[0], text + used, sizeof text - 1 - used)) > 0) {
        used += (size_t)n;
    }
    close(fds[0]);
    snprintf(expected, sizeof expected, "%d\n", (int)pid);
    assert_int_equal(strncmp(text, expected, strlen(expected)), 0);
    assert_non_null(strstr(text + strlen(expected), expected)); /* leads its session */
    assert_non_null(strstr(text, "\n0\n1\n2\n3\n"));
}

static void a_missing_keeper_is_an_error(void **state)
{
    const launcher_place_t place = {.keeper = "/no/such/keeper", .dir = "/tmp"};
    pid_t pid = -7;

    (void)state;
    assert_int_equal(spawn_shell("/no/such/keeper", "", 1, &pid), ENOENT);
    assert_int_equal(launcher_spawn_cleaner(&place, NULL, &pid), ENOENT);
    assert_int_equal(launcher_clean(&place), ENOENT);
}

static void waiting_is_bounded(void **state)
{
    int status = 0;
    int pidfd;
    pid_t pid;

    (void)state;
    assert_int_equal(spawn_shell("/bin/sh", "sleep 100", 1, &pid), 0);
    pidfd = pidfd_open(pid, 0);
    assert_true(pidfd >= 0);
    assert_false(launcher_wait(pid, pidfd, 20, &status));
    kill(-pid, SIGKILL);
    assert_true(launcher_wait(pid, pidfd, 10000, &status));
    assert_true(WIFSIGNALED(status));
    close(pidfd);
}

static void cleaning_removes_what_was_left(void **state)
{
    launcher_place_t place = {.v2 = "", .v1 = ""};
    char dir[128];
    char path[160];
    pid_t pid;

    (void)state;
    assert_true(test_temporary(dir, sizeof dir));
    snprintf(place.keeper, sizeof place.keeper, "%s", getenv("GRIDPEER_KEEPER"));
    snprintf(place.dir, sizeof place.dir, "%s", dir);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/left%d", dir, i);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    assert_int_equal(launcher_spawn_cleaner(&place, "left1", &pid), 0); /* that one only */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    snprintf(path, sizeof path, "%s/left1", dir);
    assert_int_not_equal(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/left0", dir);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(launcher_clean(&place), 0);
    assert_int_equal(rmdir(dir), 0);
    assert_string_equal(launcher_or_none(""), GP_KEEPER_NONE);
    assert_string_equal(launcher_or_none("/x"), "/x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_gets_a_session_and_four_descriptors),
        cmocka_unit_test(a_missing_keeper_is_an_error),
        cmocka_unit_test(waiting_is_bounded),
        cmocka_unit_test(cleaning_removes_what_was_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
