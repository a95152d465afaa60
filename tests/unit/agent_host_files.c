/* Small files: reading, scanning, listing. */
#include "agent_host_fixture.h"

static void test_read(void **state)
{
    fixture_t *f = *state;
    char text[8];
    fixture_write(f, "/a", "12345");
    assert_true(gp_host_read(f->root, "/a", text, sizeof text));
    assert_string_equal(text, "12345");
    assert_true(gp_host_read(f->root, "/a", text, 4)); /* cut, and terminated */
    assert_string_equal(text, "123");
    assert_false(gp_host_read(f->root, "/none", text, sizeof text));
    assert_string_equal(text, "");
    assert_false(gp_host_read(f->root, "/", text, sizeof text)); /* a directory */
}

static void test_numbers(void **state)
{
    fixture_t *f = *state;
    uint64_t n = 7;
    fixture_write(f, "/n", "42");
    fixture_write(f, "/max", "max");
    fixture_write(f, "/two", "4 2");
    assert_true(gp_host_read_number(f->root, "/n", &n));
    assert_int_equal(n, 42);
    assert_false(gp_host_read_number(f->root, "/max", &n));
    assert_false(gp_host_read_number(f->root, "/two", &n));
    assert_false(gp_host_read_number(f->root, "/none", &n));
    const char *at = " 18446744073709551615x";
    assert_true(gp_host_scan(&at, &n));
    assert_true(n == UINT64_MAX);
    assert_string_equal(at, "x");
    at = "18446744073709551616";
    assert_false(gp_host_scan(&at, &n));
    at = "-1";
    assert_false(gp_host_scan(&at, &n));
}

static void test_decimals(void **state)
{
    static const struct {
        const char *text;
        uint64_t scale;
        uint64_t number;
    } cases[] = {{"0.16", 1000, 160},  {"12", 1000, 12000}, {"1.99999", 1000, 1999},
                 {"5.1x", 1000, 5100}, {"3.", 10, 30},      {"2445.404", 1000000, 2445404000}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *at = cases[i].text;
        uint64_t n = 0;
        assert_true(gp_host_scan_decimal(&at, cases[i].scale, &n));
        assert_int_equal(n, cases[i].number);
    }
    uint64_t n;
    const char *at = "18446744073709551615";
    assert_false(gp_host_scan_decimal(&at, 1000, &n));
}

static void test_lines(void **state)
{
    (void)state;
    const char *text = "flagsx : 1\nflags\t\t: a b\nempty:";
    assert_ptr_equal(gp_host_line(text, "none"), NULL);
    assert_int_equal(strncmp(gp_host_line(text, "flags\t"), "a b", 3), 0);
    assert_string_equal(gp_host_line(text, "empty"), "");
}

static bool count(void *context, const char *name)
{
    char *names = context;
    names[strlen(names)] = name[0];
    return strcmp(name, "b") != 0;
}

static void test_list(void **state)
{
    fixture_t *f = *state;
    char names[64] = "";
    fixture_write(f, "/d/b", "");
    fixture_write(f, "/d/c", "");
    fixture_write(f, "/d/a", "");
    fixture_write(f, "/d/.hidden", "");
    assert_true(gp_host_list(f->root, "/d", count, names));
    assert_string_equal(names, "ab"); /* in order, until told to stop */
    assert_false(gp_host_list(f->root, "/none", count, names));
}

static void test_long_paths_are_refused(void **state)
{
    char path[2 * GP_HOST_PATH_MAX];
    char text[8];
    uint64_t n;
    (void)state;
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    assert_false(gp_host_read("/", path, text, sizeof text));
    assert_false(gp_host_exists("/", path));
    assert_false(gp_host_writable("/", path));
    assert_false(gp_host_list("/", path, count, NULL));
    assert_false(gp_host_read_number("/", path, &n));
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_read),  CASE(test_numbers), CASE(test_decimals),
        CASE(test_lines), CASE(test_list),    CASE(test_long_paths_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
