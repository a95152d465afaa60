/* An agent that was started: what it tells when it cannot come up. */
#include "agent/lab/process.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/proto_cmocka.h"

/* What is made of the words that an agent called n1 wrote before it ended. */
static gp_error_t told(const char *words, gp_fail_t *fail)
{
    static const gp_until_t until = {.wake = -1};
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], words, strlen(words)), (ssize_t)strlen(words));
    (void)close(fds[1]);
    /* Its process is no child of ours, so there is nothing to be waited for. */
    gp_process_t process = {
        .dir = "/no/such/place", .name = "n1", .ready_fd = fds[0], .pid = getpid()};
    *fail = (gp_fail_t){0};
    gp_error_t error = gp_process_wait(&process, &until, fail);
    assert_int_equal(process.ready_fd, -1);
    return error;
}

static void a_failure_names_its_machine_once(void **state)
{
    static const struct {
        const char *said;
        const char *text;
    } cases[] = {
        {"cannot look at this machine", "n1: cannot look at this machine"},
        {"n1 is in use by process 7", "n1 is in use by process 7"},
        {"cannot open /d/n1/cert: no", "cannot open /d/n1/cert: no"},
        {"it is as in n1", "it is as in n1"},
        {"n10 and xn1 and n1-a are others", "n1: n10 and xn1 and n1-a are others"},
        {"n10 is not n1, this is", "n10 is not n1, this is"},
        {"", "n1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char words[128];
        gp_fail_t fail;
        snprintf(words, sizeof words, "%d %s", (int)GP_E_STATE_IO, cases[i].said);
        assert_int_equal(told(words, &fail), GP_E_STATE_IO);
        assert_string_equal(fail.text, cases[i].said); /* as in the foreground */
        assert_int_equal(gp_process_named("n1", GP_E_STATE_IO, &fail), GP_E_STATE_IO);
        assert_int_equal(fail.code, GP_E_STATE_IO);
        assert_string_equal(fail.text, cases[i].text);
    }
}

static void the_longest_text_still_has_the_name(void **state)
{
    char words[GP_FAIL_TEXT_MAX + 8];
    gp_fail_t fail;
    (void)state;
    int n = snprintf(words, sizeof words, "%d ", (int)GP_E_STATE_IO);
    memset(words + n, 'x', GP_FAIL_TEXT_MAX - 1);
    words[n + GP_FAIL_TEXT_MAX - 1] = '\0';
    assert_int_equal(told(words, &fail), GP_E_STATE_IO);
    assert_int_equal(gp_process_named("n1", GP_E_STATE_IO, &fail), GP_E_STATE_IO);
    assert_int_equal(strlen(fail.text), GP_FAIL_TEXT_MAX - 1);
    assert_int_equal(strncmp(fail.text, "n1: xxx", 7), 0);
}

static void who_says_nothing_did_not_come_up(void **state)
{
    gp_fail_t fail;
    (void)state;
    assert_int_equal(told("", &fail), GP_E_NO_AGENT);
    assert_string_equal(fail.text, "n1 did not come up: it ended before it served");
    assert_int_equal(told("r", &fail), GP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_names_its_machine_once),
        cmocka_unit_test(the_longest_text_still_has_the_name),
        cmocka_unit_test(who_says_nothing_did_not_come_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
