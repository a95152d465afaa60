/* The keeper: whole trees end, on order and with the agent, and nothing is left behind. */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/agent_work_rig.h"

/* ---- whole trees ----------------------------------------------------------------------------- */

static void what_a_program_leaves_behind_dies_with_it(void **state)
{
    rig_t *rig = *state;
    outcome_t *run = rig_run_shell(
        rig, "setsid sh -c 'echo $$; trap \"\" TERM HUP INT; while :; do sleep 60; done' &"
             " until [ -s /dev/null ] || sleep 0.1; do :; done; exit 3");

    assert_int_equal(run->reason, GP_REASON_EXIT);
    assert_int_equal(run->code, 3);
    assert_true(rig_is_dead(rig_pid_written(run)));
}

static void a_stop_ends_the_whole_tree(void **state)
{
    rig_t *rig = *state;
    outcome_t *run = &rig->runs[1];

    rig_start_shell(rig, 1,
                    "setsid sh -c '(setsid sh -c \"echo \\$\\$; trap : TERM; while :; do sleep 1; "
                    "done\") & sleep 100' & wait");
    rig_loop_until(rig, rig_has_line, 1);
    rig_stop(rig, 1, GP_REASON_CANCELLED);
    rig_loop_until(rig, rig_is_over, 1);
    assert_int_equal(run->reason, GP_REASON_CANCELLED);
    assert_true(rig_is_dead(rig_pid_written(run)));
    rig_loop_until(rig, rig_is_quiet, 1);
}

static void a_program_may_end_itself_well_when_told(void **state)
{
    rig_t *rig = *state;

    rig_start_shell(rig, 1,
                    "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.05; done");
    rig_loop_until(rig, rig_has_line, 1);
    rig_stop(rig, 1, GP_REASON_CANCELLED);
    rig_stop(rig, 1, GP_REASON_HOME_RESTARTED); /* the first reason holds */
    rig_loop_until(rig, rig_is_over, 1);
    assert_int_equal(rig->runs[1].reason, GP_REASON_CANCELLED);
    assert_int_equal(rig->runs[1].code, 5);
    assert_string_equal(rig->runs[1].out[1], "ready\nbye\n");
    rig_loop_until(rig, rig_is_quiet, 1);
}

static void one_that_ignores_the_signal_is_killed_after_the_grace(void **state)
{
    rig_t *rig = *state;
    uint64_t begin;

    rig_start_shell(rig, 1, "trap '' TERM; echo ready; while :; do sleep 0.05; done");
    rig_loop_until(rig, rig_has_line, 1);
    begin = rig_now_ms();
    rig_stop(rig, 1, GP_REASON_CANCELLED);
    rig_loop_until(rig, rig_is_over, 1);
    assert_true(rig_now_ms() - begin >= 250);
    assert_int_equal(rig->runs[1].code, SIGKILL);
    rig_loop_until(rig, rig_is_quiet, 1);
}

static void a_lost_lease_gives_no_grace(void **state)
{
    rig_t *rig = *state;
    uint64_t begin;

    rig_start_shell(rig, 1, "trap 'sleep 5' TERM; echo ready; while :; do sleep 0.05; done");
    rig_loop_until(rig, rig_has_line, 1);
    begin = rig_now_ms();
    rig_stop(rig, 1, GP_REASON_LEASE_LOST);
    rig_loop_until(rig, rig_is_over, 1);
    assert_true(rig_now_ms() - begin < 2000);
    assert_int_equal(rig->runs[1].reason, GP_REASON_LEASE_LOST);
    assert_int_equal(rig->runs[1].code, SIGKILL);
    rig_loop_until(rig, rig_is_quiet, 1);
}

static void the_keeper_ends_it_when_the_agent_forgets_the_lease(void **state)
{
    rig_t *rig = *state;

    rig_start_shell(rig, 1, "echo ready; sleep 100");
    memset(&rig_message, 0, gp_msg_size(GP_MSG_JOB_LEASE));
    rig_message.kind = GP_MSG_JOB_LEASE;
    rig_message.u.job_lease =
        (gp_msg_job_lease_t){.home = rig->home, .job = 1, .incarnation = 1, .lease_ms = 100};
    assert_true(gp_launcher_notice(rig->launcher, &rig_message));
    rig_loop_until(rig, rig_is_over, 1);
    assert_int_equal(rig->runs[1].reason, GP_REASON_LEASE_LOST);
    rig_loop_until(rig, rig_is_quiet, 1);
}

static void an_end_before_the_stop_is_the_end(void **state)
{
    rig_t *rig = *state;

    rig->withhold = 1;
    rig->window = 10;
    rig_start_shell(rig, 1, "echo a long line that is not read; exit 4");
    rig_loop_until(rig, rig_is_started, 1);
    while (rig->runs[1].offset < 10) {
        event_base_loop(rig->base, EVLOOP_ONCE);
    }
    rig_loop_for(rig, 200); /* it ends meanwhile */
    assert_false(rig->runs[1].ended);
    rig_stop(rig, 1, GP_REASON_CANCELLED);
    rig_loop_until(rig, rig_is_over, 1);
    assert_int_equal(rig->runs[1].reason, GP_REASON_EXIT);
    assert_int_equal(rig->runs[1].code, 4);
    rig_loop_until(rig, rig_is_quiet, 1);
}

static void a_killed_keeper_is_told_and_cleaned_up_after(void **state)
{
    rig_t *rig = *state;
    outcome_t *run = &rig->runs[1];

    rig_start_shell(rig, 1,
                    "setsid sh -c 'echo $$; exec sleep 100' & sleep 0.2; kill -9 $PPID; wait");
    rig_loop_until(rig, rig_is_over, 1);
    assert_int_equal(run->reason, GP_REASON_SIGNAL);
    assert_int_equal(run->code, SIGKILL);
    assert_non_null(strstr(run->text, "keeper"));
    if (gp_launcher_strength(rig->launcher) == GP_LAUNCHER_CGROUP) {
        assert_true(rig_is_dead(rig_pid_written(run)));
    }
    rig_loop_until(rig, rig_is_quiet, 1);
}

/* Needs cgroups that we may limit; the group above the attempts gets the limit. */
static void death_for_want_of_memory_is_told_as_such(void **state)
{
    rig_t *rig = *state;
    const char *v1;
    char path[4200];
    char hold[4200];
    outcome_t *run;
    FILE *file;

    gp_launcher_free(rig->launcher);
    rig->memory_cgroup = true;
    rig_open_launcher(rig);
    v1 = gp_launcher_cgroup(rig->launcher, true);
    snprintf(hold, sizeof hold, "%s/hold", v1); /* keeps the limit between the two runs */
    if (v1[0] == '\0' || mkdir(v1, 0700) != 0) {
        skip();
    }
    assert_int_equal(mkdir(hold, 0700), 0);
    snprintf(path, sizeof path, "%s/memory.limit_in_bytes", v1);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fprintf(file, "%d", 64 << 20) > 0);
    assert_int_equal(fclose(file), 0);
    run = rig_run_words(rig, (const char *[]){"tail", "/dev/zero", NULL});
    assert_int_equal(run->reason, GP_REASON_OOM);
    assert_int_equal(run->code, SIGKILL);
    assert_true(run->peak_bytes > (32 << 20) && run->peak_bytes < (80 << 20));
    /* A shell that outlives it tells its own code; the words tell why. */
    run = rig_run_shell(rig, "tail /dev/zero; exit 3");
    assert_int_equal(run->reason, GP_REASON_EXIT);
    assert_int_equal(run->code, 3);
    assert_non_null(strstr(run->text, "for memory"));
    assert_int_equal(rmdir(hold), 0);
    assert_int_equal(rmdir(v1), 0);
}

/* ---- the agent's own end --------------------------------------------------------------------- */

static void what_runs_ends_with_the_launcher(void **state)
{
    rig_t *rig = *state;

    rig_start_shell(rig, 1, "echo $$; trap '' TERM HUP; while :; do sleep 0.05; done");
    rig_loop_until(rig, rig_has_line, 1);
    gp_launcher_free(rig->launcher);
    assert_true(rig_is_dead(rig_pid_written(&rig->runs[1])));
    rig_open_launcher(rig);
}

/* Another process plays the agent, prints the program's pid, and is killed. */
static _Noreturn void play_agent(const char *dir, bool no_cgroups)
{
    rig_t rig = {.window = GP_OUTPUT_WINDOW, .base = event_base_new(), .no_cgroups = no_cgroups};

    snprintf(rig.dir, sizeof rig.dir, "%s", dir);
    rig.home.b[0] = 7;
    rig_open_launcher(&rig);
    rig_start_shell(&rig, 1,
                    "setsid sh -c 'echo $$; trap \"\" TERM HUP; while :; do sleep 0.1; done'");
    rig_loop_until(&rig, rig_has_line, 1);
    printf("%s", rig.runs[1].out[1]);
    fflush(stdout);
    for (;;) {
        pause();
    }
}

static char *own_path;

static pid_t spawn_agent(char *dir, int out)
{
    char with[] = "--agent";
    char without[] = "--agent-without-cgroups";
    char *argv[] = {own_path, rig_without_cgroups ? without : with, dir, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    assert_int_equal(posix_spawn(&pid, own_path, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static void a_killed_agent_leaves_nothing_running(void **state)
{
    rig_t *rig = *state;
    char line[64] = "";
    int fds[2];
    pid_t agent;
    pid_t program;

    gp_launcher_free(rig->launcher);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    agent = spawn_agent(rig->dir, fds[1]);
    close(fds[1]);
    assert_true(read(fds[0], line, sizeof line - 1) > 0);
    program = (pid_t)strtol(line, NULL, 10);
    assert_true(program > 1 && !rig_is_dead(program));
    kill(agent, SIGKILL);
    assert_int_equal(waitpid(agent, NULL, 0), agent);
    rig_open_launcher(rig); /* waits for the keepers of the dead agent */
    assert_true(rig_is_dead(program));
    close(fds[0]);
}

static void leftovers_of_an_earlier_agent_are_ended(void **state)
{
    rig_t *rig = *state;
    char dir[160];
    char file[192];

    gp_launcher_free(rig->launcher);
    snprintf(dir, sizeof dir, "%s/work/9.1-left", rig->dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    snprintf(file, sizeof file, "%s/file", dir);
    close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    rig_open_launcher(rig);
    assert_int_not_equal(access(dir, F_OK), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RIGGED(what_a_program_leaves_behind_dies_with_it),
        RIGGED(a_stop_ends_the_whole_tree),
        RIGGED(a_program_may_end_itself_well_when_told),
        RIGGED(one_that_ignores_the_signal_is_killed_after_the_grace),
        RIGGED(a_lost_lease_gives_no_grace),
        RIGGED(the_keeper_ends_it_when_the_agent_forgets_the_lease),
        RIGGED(an_end_before_the_stop_is_the_end),
        RIGGED(a_killed_keeper_is_told_and_cleaned_up_after),
        RIGGED(death_for_want_of_memory_is_told_as_such),
        RIGGED(what_runs_ends_with_the_launcher),
        RIGGED(a_killed_agent_leaves_nothing_running),
        RIGGED(leftovers_of_an_earlier_agent_are_ended),
    };
    int failed;

    own_path = argv[0];
    if (argc == 3) {
        play_agent(argv[2], strcmp(argv[1], "--agent-without-cgroups") == 0);
    }
    failed = cmocka_run_group_tests_name("with what the host has", tests, NULL, NULL);
    rig_without_cgroups = true;
    return failed + cmocka_run_group_tests_name("without cgroups", tests, NULL, NULL);
}
