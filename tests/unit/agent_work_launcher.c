/* The launcher with real programs: exact ends, sane surroundings, flow control. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "tests/unit/agent_work_rig.h"

/* ---- exact ends ------------------------------------------------------------------------------ */

static void true_exits_0(void **state)
{
    outcome_t *run = rig_run_words(*state, (const char *[]){"true", NULL});

    assert_int_equal(run->reason, GP_REASON_EXIT);
    assert_int_equal(run->code, 0);
    assert_string_equal(run->text, "");
    assert_true(run->wall_us > 0 && run->peak_bytes > 0);
}

static void exit_codes_pass_unchanged(void **state)
{
    outcome_t *run = rig_run_words(*state, (const char *[]){"false", NULL});

    assert_int_equal(run->reason, GP_REASON_EXIT);
    assert_int_equal(run->code, 1);
    run = rig_run_shell(*state, "exit 7");
    assert_int_equal(run->code, 7);
    run = rig_run_shell(*state, "exit 255");
    assert_int_equal(run->code, 255);
}

static void signals_are_told_as_signals(void **state)
{
    outcome_t *run = rig_run_shell(*state, "kill -9 $$");

    assert_int_equal(run->reason, GP_REASON_SIGNAL);
    assert_int_equal(run->code, 9);
    run = rig_run_shell(*state, "kill -SEGV $$");
    assert_int_equal(run->reason, GP_REASON_SIGNAL);
    assert_int_equal(run->code, SIGSEGV);
    run = rig_run_shell(*state, "kill -TERM $$");
    assert_int_equal(run->code, SIGTERM);
}

static void a_missing_program_is_not_found(void **state)
{
    outcome_t *run = rig_run_words(*state, (const char *[]){"no-such-program-here", NULL});

    assert_int_equal(run->reason, GP_REASON_NOT_FOUND);
    assert_int_equal(run->code, ENOENT);
    assert_non_null(strstr(run->text, "no-such-program-here"));
    run = rig_run_words(*state, (const char *[]){"/no/such/dir/program", NULL});
    assert_int_equal(run->reason, GP_REASON_NOT_FOUND);
    run = rig_run_words(*state, (const char *[]){"/dev/null/program", NULL});
    assert_int_equal(run->reason, GP_REASON_NOT_FOUND);
    assert_int_equal(run->code, ENOTDIR);
}

static void make_file(const rig_t *rig, char *path, size_t size, const char *text, mode_t mode)
{
    int fd;

    snprintf(path, size, "%s/file", rig->dir);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void what_is_no_program_is_not_executable(void **state)
{
    rig_t *rig = *state;
    char path[160];
    outcome_t *run;

    make_file(rig, path, sizeof path, "#!/bin/sh\nexit 0\n", 0644);
    run = rig_run_words(rig, (const char *[]){path, NULL});
    assert_int_equal(run->reason, GP_REASON_NOT_EXECUTABLE);
    assert_int_equal(run->code, EACCES);
    make_file(rig, path, sizeof path, "just some text\n", 0755);
    run = rig_run_words(rig, (const char *[]){path, NULL});
    assert_int_equal(run->reason, GP_REASON_NOT_EXECUTABLE);
    assert_int_equal(run->code, ENOEXEC);
    assert_non_null(strstr(run->text, "#!"));
    make_file(rig, path, sizeof path, "#!/no/such/interpreter\n", 0755);
    run = rig_run_words(rig, (const char *[]){path, NULL});
    assert_int_equal(run->reason, GP_REASON_NOT_FOUND);
    assert_non_null(strstr(run->text, "interpreter"));
    run = rig_run_words(rig, (const char *[]){"/tmp", NULL});
    assert_int_equal(run->reason, GP_REASON_NOT_EXECUTABLE);
    unlink(path);
}

static void bad_words_are_refused(void **state)
{
    rig_t *rig = *state;
    outcome_t *run = rig_run_words(rig, (const char *[]){"", NULL});

    assert_int_equal(run->reason, GP_REASON_START);
    assert_int_equal(run->code, EINVAL);
    rig_start_words(rig, 1, (const char *[]){"true", NULL},
                    (const char *[]){"no equals sign", NULL});
    rig_loop_until(rig, rig_is_over, 1);
    assert_int_equal(rig->runs[1].reason, GP_REASON_START);
    rig_loop_until(rig, rig_is_quiet, 1);
    /* A word with a zero byte would be cut short without a word: it is refused. */
    memset(&rig_message, 0, gp_msg_size(GP_MSG_JOB_START));
    rig_message.kind = GP_MSG_JOB_START;
    rig_message.u.job_start.home = rig->home;
    rig_message.u.job_start.job = 2;
    rig_message.u.job_start.incarnation = 1;
    rig_message.u.job_start.args_count = 1;
    rig_message.u.job_start.args[0].text = gp_slice("tr\0ue", 5);
    gp_launcher_start(rig->launcher, &rig_message);
    rig_loop_until(rig, rig_is_over, 2);
    assert_int_equal(rig->runs[2].reason, GP_REASON_START);
    rig_loop_until(rig, rig_is_quiet, 2);
}

static void huge_words_end_in_a_reason(void **state)
{
    rig_t *rig = *state;
    char *big = malloc(300000);
    outcome_t *run;

    memset(big, 'x', 299999);
    big[299999] = '\0';
    run = rig_run_words(rig, (const char *[]){"true", big, NULL});
    assert_int_equal(run->reason, GP_REASON_START);
    assert_int_equal(run->code, E2BIG);
    big[16384] = '\0'; /* the most that a claim carries */
    run = rig_run_words(rig,
                        (const char *[]){"sh", "-c", "printf %s \"$1\" | wc -c", "-", big, NULL});
    assert_int_equal(run->reason, GP_REASON_EXIT);
    assert_int_equal(strtol(run->out[1], NULL, 10), 16384);
    free(big);
}

/* ---- surroundings ---------------------------------------------------------------------------- */

static void streams_are_kept_apart(void **state)
{
    outcome_t *run = rig_run_shell(*state, "echo one; echo two >&2; echo three");

    assert_string_equal(run->out[1], "one\nthree\n");
    assert_string_equal(run->out[2], "two\n");
}

static void stdin_is_empty(void **state)
{
    outcome_t *run = rig_run_shell(*state, "cat; readlink /proc/self/fd/0");

    assert_string_equal(run->out[1], "/dev/null\n");
}

static void no_descriptor_leaks(void **state)
{
    int fds[2];
    outcome_t *run;

    assert_int_equal(pipe(fds), 0); /* without O_CLOEXEC, as a careless library does it */
    run = rig_run_shell(*state, "ls /proc/self/fd | tr '\\n' ' '");
    assert_string_equal(run->out[1], "0 1 2 3 "); /* 3: the folder that ls reads */
    close(fds[0]);
    close(fds[1]);
}

static void the_environment_is_minimal(void **state)
{
    rig_t *rig = *state;
    outcome_t *run;

    setenv("GRIDPEER_TEST_SECRET", "must not be seen", 1);
    rig_start_words(rig, 1, (const char *[]){"env", NULL},
                    (const char *[]){"ANSWER=42", "LANG=de_DE.UTF-8", "ANSWER=43", NULL});
    rig_loop_until(rig, rig_is_over, 1);
    rig_loop_until(rig, rig_is_quiet, 1);
    run = &rig->runs[1];
    assert_null(strstr(run->out[1], "SECRET"));
    assert_null(strstr(run->out[1], "ANSWER=42"));
    assert_non_null(strstr(run->out[1], "ANSWER=43\n"));
    assert_non_null(strstr(run->out[1], "LANG=de_DE.UTF-8\n"));
    assert_null(strstr(run->out[1], "LANG=C"));
    assert_non_null(strstr(run->out[1], "GRIDPEER_JOB=1\n"));
    assert_non_null(strstr(run->out[1], "GRIDPEER_NODE=n1\n"));
    assert_non_null(strstr(run->out[1], "PATH=/usr/local/sbin:"));
    assert_non_null(strstr(run->out[1], "USER="));
}

static void loader_variables_do_not_touch_the_keeper(void **state)
{
    rig_t *rig = *state;

    rig_start_words(rig, 1, (const char *[]){"sh", "-c", "echo fine", NULL},
                    (const char *[]){"LD_LIBRARY_PATH=/nonexistent", "PATH=/bin:/usr/bin", NULL});
    rig_loop_until(rig, rig_is_over, 1);
    assert_int_equal(rig->runs[1].code, 0);
    assert_string_equal(rig->runs[1].out[1], "fine\n");
    rig_loop_until(rig, rig_is_quiet, 1);
}

static void the_path_of_the_job_is_searched(void **state)
{
    rig_t *rig = *state;
    char path[160];
    char search[160];

    make_file(rig, path, sizeof path, "#!/bin/sh\necho found\n", 0755);
    snprintf(search, sizeof search, "PATH=/nonexistent:%s:/bin", rig->dir);
    rig_start_words(rig, 1, (const char *[]){"file", NULL}, (const char *[]){search, NULL});
    rig_loop_until(rig, rig_is_over, 1);
    assert_string_equal(rig->runs[1].out[1], "found\n");
    rig_loop_until(rig, rig_is_quiet, 1);
    unlink(path);
}

static void the_directory_is_fresh_and_removed(void **state)
{
    rig_t *rig = *state;
    char expected[160];
    char dir[160];
    outcome_t *run =
        rig_run_shell(rig, "ls -A | wc -l; pwd; echo $HOME; mkdir -p a/b; echo x > a/b/c; "
                           "ln -s /etc a/link; mkdir shut; echo y > shut/in; chmod 0 shut; umask");

    snprintf(expected, sizeof expected, "0\n%s/work/1.1-", rig->dir);
    assert_int_equal(strncmp(run->out[1], expected, strlen(expected)), 0);
    assert_non_null(strstr(run->out[1], "0022\n"));
    snprintf(dir, sizeof dir, "%.*s", (int)(strchr(run->out[1] + 2, '\n') - run->out[1] - 2),
             run->out[1] + 2);
    assert_int_not_equal(access(dir, F_OK), 0);
    assert_int_equal(access("/etc/passwd", F_OK), 0); /* links were not followed */
}

static void limits_and_signals_are_sane(void **state)
{
    outcome_t *run;
    const char *at;

    signal(SIGPIPE, SIG_IGN);
    run = rig_run_shell(*state, "ulimit -Sn; ulimit -Sc; cat /proc/self/oom_score_adj; "
                                "grep -E 'SigBlk|SigIgn' /proc/self/status");
    assert_non_null(strstr(run->out[1], "1024\n0\n0\n"));
    at = strstr(run->out[1], "SigBlk:");
    assert_non_null(at);
    assert_int_equal(strtoull(at + 7, NULL, 16), 0);
    at = strstr(run->out[1], "SigIgn:");
    assert_non_null(at);
    /* Signals 32 and 33 are the C library's own; its posix_spawn ignores them. */
    assert_int_equal(strtoull(at + 7, NULL, 16) & 0x7fffffffU, 0);
}

/* Its end is told, its folder not yet removed: the same once more is refused, not mixed with it. */
static void what_is_still_cleaned_up_is_not_started_again(void **state)
{
    rig_t *rig = *state;
    outcome_t *run;

    rig->again = "echo again";
    run = rig_run_shell(rig, "echo once");
    assert_true(run->answered && !run->started);
    assert_int_equal(run->reason, GP_REASON_START);
    assert_non_null(strstr(run->text, "still being cleaned up"));
    rig->again = NULL;
    run = rig_run_shell(rig, "echo again"); /* now nothing is left of it */
    assert_int_equal(run->reason, GP_REASON_EXIT);
    assert_string_equal(run->out[1], "again\n");
}

/* ---- output ---------------------------------------------------------------------------------- */

static void much_output_comes_whole(void **state)
{
    rig_t *rig = *state;
    outcome_t *run;

    rig->window = 32768;
    run = rig_run_shell(rig, "head -c 10485760 /dev/zero | tr '\\0' 'A'");
    assert_int_equal(run->code, 0);
    assert_int_equal(run->stream_bytes[1], 10485760);
    assert_true(run->sum == 65ULL * (10485760ULL * 10485761ULL / 2));
}

static void without_credit_the_program_waits(void **state)
{
    rig_t *rig = *state;
    outcome_t *run = &rig->runs[1];

    rig->window = 1000;
    rig->withhold = 5000;
    rig_start_shell(rig, 1, "head -c 1000000 /dev/zero; echo end >&2");
    while (run->offset < 5000) {
        event_base_loop(rig->base, EVLOOP_ONCE);
    }
    rig_loop_for(rig, 200); /* more time changes nothing */
    assert_true(run->offset >= 5000 && run->offset <= 6000 && !run->ended);
    rig->withhold = 0;
    rig_credit(rig, 1, run->offset + 100000);
    rig_loop_until(rig, rig_is_over, 1);
    assert_int_equal(run->stream_bytes[1], 1000000);
    assert_string_equal(run->out[2], "end\n");
    rig_loop_until(rig, rig_is_quiet, 1);
}

static void a_stopped_program_does_not_wait_for_a_reader(void **state)
{
    rig_t *rig = *state;
    outcome_t *run = &rig->runs[1];

    rig->window = 1000;
    rig->withhold = 1;
    rig_start_shell(rig, 1, "exec cat /dev/zero");
    while (run->offset < 1) {
        event_base_loop(rig->base, EVLOOP_ONCE);
    }
    rig_stop(rig, 1, GP_REASON_AGENT_STOPPED);
    rig_loop_until(rig, rig_is_over, 1);
    assert_int_equal(run->reason, GP_REASON_AGENT_STOPPED);
    assert_non_null(strstr(run->text, "not read"));
    rig_loop_until(rig, rig_is_quiet, 1);
}

static void many_run_at_once(void **state)
{
    rig_t *rig = *state;

    for (uint64_t i = 1; i < RUNS_MAX; i++) {
        char script[64];

        snprintf(script, sizeof script, "echo %u; sleep 0.1; exit %u", (unsigned)i, (unsigned)i);
        rig_start_shell(rig, i, script);
    }
    for (uint64_t i = 1; i < RUNS_MAX; i++) {
        rig_loop_until(rig, rig_is_over, i);
        assert_int_equal(rig->runs[i].reason, GP_REASON_EXIT);
        assert_int_equal(rig->runs[i].code, i);
        assert_int_equal(strtoul(rig->runs[i].out[1], NULL, 10), i);
    }
    rig_loop_until(rig, rig_is_quiet, 1);
}

static void cpu_and_memory_of_the_tree_are_counted(void **state)
{
    outcome_t *run =
        rig_run_shell(*state, "(head -c 40000000 /dev/zero | md5sum) > /dev/null; "
                              "x=$(head -c 30000000 /dev/zero | tr '\\0' y); echo ${#x}");

    assert_string_equal(run->out[1], "30000000\n");
    assert_true(run->cpu_us > 10000);
    assert_true(run->peak_bytes > 30000000);
    assert_true(run->wall_us > 10000);
}

static void what_the_launcher_lacks_is_named(void **state)
{
    rig_t *rig = *state;
    gp_fail_t fail;
    gp_launcher_config_t config;
    gp_launcher_t *launcher = NULL;
    char dir[160];

    gp_launcher_config_default(&config);
    snprintf(dir, sizeof dir, "%s/open", rig->dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(chmod(dir, 0777), 0);
    config.dir = dir;
    config.keeper = getenv("GRIDPEER_KEEPER");
    config.node = "n1";
    config.callback = rig_on_message;
    assert_int_equal(gp_launcher_new(rig->base, &config, &launcher, &fail), GP_E_STATE_MODE);
    assert_non_null(strstr(fail.text, dir));
    assert_non_null(strstr(fail.text, "chmod go-w"));
    assert_int_equal(rmdir(dir), 0);
    config.dir = "/no/such/place/work";
    assert_int_equal(gp_launcher_new(rig->base, &config, &launcher, &fail), GP_E_STATE_IO);
    assert_string_equal(fail.text, "cannot make /no/such/place/work: No such file or directory");
    snprintf(dir, sizeof dir, "%s/more", rig->dir);
    config.dir = dir;
    config.keeper = "/no/such/keeper";
    assert_int_equal(gp_launcher_new(rig->base, &config, &launcher, &fail), GP_E_SYSTEM);
    assert_string_equal(fail.text, "/no/such/keeper, which runs the programs, cannot be used: No "
                                   "such file or directory");
    config.keeper = "/dev/null"; /* there, and no program */
    assert_int_equal(gp_launcher_new(rig->base, &config, &launcher, &fail), GP_E_SYSTEM);
    assert_non_null(strstr(fail.text, "/dev/null"));
    assert_non_null(strstr(fail.text, "Permission denied"));
    assert_int_equal(rmdir(dir), 0);
    assert_null(launcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(true_exits_0),
        RIGGED(exit_codes_pass_unchanged),
        RIGGED(signals_are_told_as_signals),
        RIGGED(a_missing_program_is_not_found),
        RIGGED(what_is_no_program_is_not_executable),
        RIGGED(bad_words_are_refused),
        RIGGED(huge_words_end_in_a_reason),
        RIGGED(streams_are_kept_apart),
        RIGGED(stdin_is_empty),
        RIGGED(no_descriptor_leaks),
        RIGGED(the_environment_is_minimal),
        RIGGED(loader_variables_do_not_touch_the_keeper),
        RIGGED(the_path_of_the_job_is_searched),
        RIGGED(the_directory_is_fresh_and_removed),
        RIGGED(limits_and_signals_are_sane),
        RIGGED(what_is_still_cleaned_up_is_not_started_again),
        RIGGED(much_output_comes_whole),
        RIGGED(without_credit_the_program_waits),
        RIGGED(a_stopped_program_does_not_wait_for_a_reader),
        RIGGED(many_run_at_once),
        RIGGED(cpu_and_memory_of_the_tree_are_counted),
        RIGGED(what_the_launcher_lacks_is_named),
    };
    int failed;

    failed = cmocka_run_group_tests_name("with what the host has", tests, NULL, NULL);
    rig_without_cgroups = true;
    return failed + cmocka_run_group_tests_name("without cgroups", tests, NULL, NULL);
}
