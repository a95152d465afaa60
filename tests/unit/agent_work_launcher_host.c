/* Environments, arguments, errors in words, and what the host lets us have. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/work/launcher.h"
#include "agent/work/launcher_host.h"

static gp_msg_job_start_t message;

static const launcher_setting_t setting = {.home = "/w/1", .user = "u", .node = "n1"};

static const char *find(char **strings, const char *name)
{
    const char *found = NULL;
    size_t n = strlen(name);

    for (; *strings != NULL; strings++) {
        if (strncmp(*strings, name, n) == 0 && (*strings)[n] == '=') {
            assert_null(found); /* each name once */
            found = *strings + n + 1;
        }
    }
    return found;
}

static void an_environment_has_the_few_and_the_given(void **state)
{
    char **env;

    (void)state;
    memset(&message, 0, sizeof message);
    message.job = 12345678901;
    message.env_count = 5;
    message.env[0].text = gp_text("A=1");
    message.env[1].text = gp_text("HOME=/elsewhere");
    message.env[2].text = gp_text("A=2");
    message.env[3].text = gp_text("EMPTY=");
    message.env[4].text = gp_text("PATHOLOGY=x=y");
    env = launcher_environment(&message, &setting);
    assert_non_null(env);
    assert_string_equal(find(env, "A"), "2");
    assert_string_equal(find(env, "HOME"), "/elsewhere");
    assert_string_equal(find(env, "EMPTY"), "");
    assert_string_equal(find(env, "PATHOLOGY"), "x=y");
    assert_non_null(find(env, "PATH"));
    assert_string_equal(find(env, "USER"), "u");
    assert_string_equal(find(env, "LANG"), "C.UTF-8");
    assert_string_equal(find(env, "GRIDPEER_JOB"), "12345678901");
    assert_string_equal(find(env, "GRIDPEER_NODE"), "n1");
    assert_null(find(env, "LOGNAME"));
    launcher_strings_free(env);
}

static void arguments_follow_the_head(void **state)
{
    const char *const head[] = {"k", "run", NULL};
    char **argv;

    (void)state;
    memset(&message, 0, sizeof message);
    message.args_count = 2;
    message.args[0].text = gp_text("sh");
    message.args[1].text = gp_text("");
    argv = launcher_arguments(head, &message);
    assert_non_null(argv);
    assert_string_equal(argv[0], "k");
    assert_string_equal(argv[1], "run");
    assert_string_equal(argv[2], "sh");
    assert_string_equal(argv[3], "");
    assert_null(argv[4]);
    launcher_strings_free(argv);
    launcher_strings_free(NULL);
}

static void words_that_no_program_can_get_do_not_fit(void **state)
{
    (void)state;
    memset(&message, 0, sizeof message);
    assert_false(launcher_words_fit(&message));
    message.args_count = 1;
    assert_false(launcher_words_fit(&message));
    message.args[0].text = gp_text("x");
    assert_true(launcher_words_fit(&message));
    message.env_count = 1;
    assert_false(launcher_words_fit(&message));
    message.env[0].text = gp_text("=x");
    assert_false(launcher_words_fit(&message));
    message.env[0].text = gp_text("A");
    assert_false(launcher_words_fit(&message));
    message.env[0].text = gp_slice("A=\0b", 4);
    assert_false(launcher_words_fit(&message));
    message.env[0].text = gp_text("A=");
    assert_true(launcher_words_fit(&message));
}

static void each_failed_start_has_its_reason(void **state)
{
    static const struct {
        uint32_t stage;
        int error;
        gp_reason_t reason;
        const char *words;
    } cases[] = {{GP_KEEPER_STAGE_EXEC, ENOENT, GP_REASON_NOT_FOUND, "no such program"},
                 {GP_KEEPER_STAGE_EXEC, ENOTDIR, GP_REASON_NOT_FOUND, "no such program"},
                 {GP_KEEPER_STAGE_EXEC, EACCES, GP_REASON_NOT_EXECUTABLE, "permission"},
                 {GP_KEEPER_STAGE_EXEC, ENOEXEC, GP_REASON_NOT_EXECUTABLE, "architecture"},
                 {GP_KEEPER_STAGE_EXEC, ENOMEM, GP_REASON_START, "emory"},
                 {GP_KEEPER_STAGE_INTERPRETER, ENOENT, GP_REASON_NOT_FOUND, "interpreter"},
                 {GP_KEEPER_STAGE_DIRECTORY, ENOSPC, GP_REASON_START, "directory"},
                 {GP_KEEPER_STAGE_PROCESS, EAGAIN, GP_REASON_START, "process"},
                 {GP_KEEPER_STAGE_TAKEN, EEXIST, GP_REASON_START, "same number"},
                 {GP_KEEPER_STAGE_SETUP, EPERM, GP_REASON_START, "set up"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const gp_keeper_report_t report = {.stage = cases[i].stage, .error = cases[i].error};
        char text[GP_REASON_TEXT_MAX];

        assert_int_equal(launcher_not_started(&report, "prog", text, sizeof text), cases[i].reason);
        assert_non_null(strstr(text, cases[i].words));
    }
}

static void a_cgroup_is_named_where_the_host_lets_us(void **state)
{
    char path[LAUNCHER_PATH_MAX];
    char again[LAUNCHER_PATH_MAX];
    char other[LAUNCHER_PATH_MAX];
    struct stat st;

    (void)state;
    launcher_cgroup("/no/such/state/a", false, path);
    launcher_cgroup("/no/such/state/a", false, again);
    launcher_cgroup("/no/such/state/b", false, other);
    assert_string_equal(path, again);
    if (path[0] == '\0') {
        skip(); /* and that is all right, too */
    }
    assert_string_not_equal(path, other);
    assert_int_not_equal(stat(path, &st), 0); /* not before an attempt runs */
    *strrchr(path, '/') = '\0';
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
}

static void the_keeper_is_looked_for_beside_the_program(void **state)
{
    char path[4096];
    char small[4];

    (void)state;
    assert_int_equal(gp_launcher_find_keeper(small, sizeof small), ENAMETOOLONG);
    int error = gp_launcher_find_keeper(path, sizeof path);
    if (error == 0) { /* where the build put it */
        assert_int_equal(access(path, X_OK), 0);
    } else { /* else the place to put it is named */
        assert_int_equal(error, ENOENT);
        assert_non_null(strstr(path, "/../libexec/gridpeer/gridpeer-keeper"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_environment_has_the_few_and_the_given),
        cmocka_unit_test(arguments_follow_the_head),
        cmocka_unit_test(words_that_no_program_can_get_do_not_fit),
        cmocka_unit_test(each_failed_start_has_its_reason),
        cmocka_unit_test(a_cgroup_is_named_where_the_host_lets_us),
        cmocka_unit_test(the_keeper_is_looked_for_beside_the_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
