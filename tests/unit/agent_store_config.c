/* The configuration file: what is accepted, and where a mistake is said to be. */
#include "agent/store/config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/store/state_dir.h"
#include "agent_store_fixture.h"

static void check_initial(void *context, const gp_config_entry_t *entry)
{
    uint32_t *count = context;
    assert_string_equal(entry->value, entry->initial);
    assert_true(strlen(entry->doc) > 10 && strlen(entry->range) > 0);
    (*count)++;
}

static void test_defaults_are_what_the_table_says(void **state)
{
    gp_config_t config;
    uint32_t count = 0;
    (void)state;
    gp_config_defaults(&config);
    gp_config_each(&config, check_initial, &count);
    assert_true(count >= 14);
    assert_string_equal(config.agent_listen, "tcp://*:7617");
    assert_int_equal(config.election_lease, 1500);
    assert_true(config.lend_enabled);
}

static void test_values_are_read(void **state)
{
    gp_config_t config;
    gp_fail_t fail;
    (void)state;
    assert_error(gp_config_parse("f",
                                 "# comment\n; another\n\n[agent]\r\nlisten = tcp://127.0.0.1:0\n"
                                 "relayed=yes\n[election]\nlease: 3s\n[lend]\nenabled = no\n"
                                 "[find]\ntimeout = 2m\n[run]\njobs_max = 256",
                                 &config, &fail),
                 GP_OK, &fail);
    assert_string_equal(config.agent_listen, "tcp://127.0.0.1:0");
    assert_true(config.agent_relayed);
    assert_int_equal(config.election_lease, 3000);
    assert_false(config.lend_enabled);
    assert_int_equal(config.find_timeout, 120000);
    assert_int_equal(config.run_jobs_max, 256);
    assert_int_equal(config.beacon_port, 7617); /* not given */
}

static void test_mistakes_name_the_line_and_what_is_accepted(void **state)
{
    static const struct {
        const char *text;
        const char *said[3];
    } cases[] = {
        {"[agent]\nlisten = 127.0.0.1:7\n", {"f:2:", "agent.listen", "tcp://ADDR:PORT"}},
        {"[agent]\nadvertise = tcp://1.2.3.4:0\n", {"f:2:", "agent.advertise", "tcp://"}},
        {"[agent]\nlisten =\n", {"f:2:", "agent.listen", "tcp://"}},
        {"\n\n[agent]\nrelayed = loud\n", {"f:4:", "loud", "yes or no"}},
        {"[run]\njobs_max = 0\n", {"f:2:", "run.jobs_max", "1 to 256"}},
        {"[run]\njobs_max = 257\n", {"f:2:", "\"257\"", "1 to 256"}},
        {"[run]\njobs_max = -1\n", {"f:2:", "\"-1\"", "1 to 256"}},
        {"[run]\njobs_max = 4294967297\n", {"f:2:", "4294967297", "1 to 256"}},
        {"[run]\njobs_max = 3x\n", {"f:2:", "3x", "1 to 256"}},
        {"[election]\nlease = 1500\n", {"f:2:", "1500", "200ms to 1m"}},
        {"[election]\nlease = 2h\n", {"f:2:", "2h", "200ms to 1m"}},
        {"[lend]\nenabled = maybe\n", {"f:2:", "maybe", "yes or no"}},
        {"[lend]\nenabled = yes # really\n", {"f:2:", "yes # really", "yes or no"}},
        {"[lend]\nenable = yes\n", {"f:2:", "\"enable\"", "[lend]"}},
        {"enabled = yes\n", {"f:1:", "\"enabled\"", "[]"}},
        {"[lend]\nenabled = yes\nenabled = yes\n", {"f:3:", "lend.enabled", "twice"}},
        {"[lend]\nenabled = yes\n no\n", {"f:3:", "blank", ""}},
        {"[lend\nenabled = yes\n", {"f:1:", "section", ""}},
        {"[lend]\nwhat is this\n", {"f:2:", "key = value", ""}},
        {"[lend]\nenabled = \x1b[31m\n", {"f:2:", "\\x1B[31m", "yes or no"}},
    };
    gp_config_t config;
    gp_fail_t fail;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(&config, 0x55, sizeof config);
        const gp_config_t before = config;
        assert_error(gp_config_parse("f", cases[i].text, &config, &fail), GP_E_CONFIG, &fail);
        for (size_t k = 0; k < 3; k++) {
            if (strcasestr(fail.text, cases[i].said[k]) == NULL) {
                fail_msg("case %zu: \"%s\" does not say \"%s\"", i, fail.text, cases[i].said[k]);
            }
        }
        assert_memory_equal(&config, &before, sizeof config);
    }
}

static void test_a_long_line_is_refused(void **state)
{
    static char text[600];
    gp_config_t config;
    gp_fail_t fail;
    (void)state;
    memset(text, 'x', sizeof text - 2);
    memcpy(text, "[lend]\nenabled=", 15);
    assert_error(gp_config_parse("f", text, &config, &fail), GP_E_CONFIG, &fail);
    assert_non_null(strstr(fail.text, "f:2:"));
    memset(text, '#', sizeof text - 2); /* a comment, too: libinih would cut it in two */
    assert_error(gp_config_parse("f", text, &config, &fail), GP_E_CONFIG, &fail);
}

static void test_file_that_is_written_reads_back(void **state)
{
    static char text[8192];
    gp_config_t config;
    gp_config_t again;
    gp_fail_t fail;
    (void)state;
    gp_config_defaults(&config);
    assert_error(gp_config_set(&config, "agent", "listen", "tcp://[::1]:99", &fail), GP_OK, &fail);
    assert_error(gp_config_set(&config, "agent", "listen", "nonsense", &fail), GP_E_ADDRESS, &fail);
    assert_error(gp_config_set(&config, "run", "lease", "90s", &fail), GP_OK, &fail);
    const size_t n = gp_config_file(&config, text, sizeof text);
    assert_true(n < sizeof text);
    assert_int_equal(strlen(text), n);
    assert_error(gp_config_parse("f", text, &again, &fail), GP_OK, &fail);
    assert_string_equal(again.agent_listen, "tcp://[::1]:99");
    assert_int_equal(again.run_lease, 90000);
    assert_non_null(strstr(text, "\n#lease = 1500ms\n"));
    assert_non_null(strstr(text, "\nlease = 90s\n"));
    char small[16];
    assert_int_equal(gp_config_file(&config, small, sizeof small), n);
    assert_true(strlen(small) < sizeof small);
}

static void test_read_takes_the_file_or_the_defaults(void **state)
{
    char path[128];
    gp_config_t config;
    gp_fail_t fail;
    (void)state;
    (void)test_dir_make(path);
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const gp_folder_t folder = {.fd = fd, .path = path};
    assert_error(gp_config_read(folder, &config, &fail), GP_OK, &fail);
    assert_int_equal(config.run_jobs_max, 16);
    const char *file = test_path(path, GP_FILE_CONFIG);
    test_write(file, "[run]\njobs_max = 3\n", 19);
    assert_error(gp_config_read(folder, &config, &fail), GP_OK, &fail);
    assert_int_equal(config.run_jobs_max, 3);
    test_write(file, "[run]\njobs_max = x\n", 19);
    assert_error(gp_config_read(folder, &config, &fail), GP_E_CONFIG, &fail);
    assert_non_null(strstr(fail.text, test_path(path, GP_FILE_CONFIG ":2:")));
    test_write(file, "[run]\n\0jobs_max=3\n", 18);
    assert_error(gp_config_read(folder, &config, &fail), GP_E_CONFIG, &fail);
    assert_int_equal(chmod(file, 0666), 0);
    assert_error(gp_config_read(folder, &config, &fail), GP_E_STATE_MODE, &fail);
    (void)close(fd);
    test_dir_remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_what_the_table_says),
        cmocka_unit_test(test_values_are_read),
        cmocka_unit_test(test_mistakes_name_the_line_and_what_is_accepted),
        cmocka_unit_test(test_a_long_line_is_refused),
        cmocka_unit_test(test_file_that_is_written_reads_back),
        cmocka_unit_test(test_read_takes_the_file_or_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
