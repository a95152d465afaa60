/* What changes seldom: processors, network, power, who sits at it, programs. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "agent_host_fixture.h"

static void test_count_list(void **state)
{
    static const struct {
        const char *list;
        uint32_t count;
    } cases[] = {{"0", 1},   {"0-3", 4}, {"0-1,4,6-7", 5},        {"", 0},
                 {"3-1", 0}, {"x", 0},   {"0-99999999999999", 0}, {"0-", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(gp_host_count_list(cases[i].list), cases[i].count);
    }
}

static void card(const fixture_t *f, const char *name, const char *operstate, const char *speed)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/sys/class/net/%s/operstate", name);
    fixture_write(f, path, operstate);
    (void)snprintf(path, sizeof path, "/sys/class/net/%s/speed", name);
    fixture_write(f, path, speed);
}

static void test_network(void **state)
{
    fixture_t *f = *state;
    card(f, "lo", "up", "99999");
    card(f, "eth0", "up", "1000");
    card(f, "eth1", "down", "10000");
    card(f, "virtual", "up", "-1");
    fixture_write(f, "/proc/net/if_inet6",
                  "fe800000000000000000000000000001 02 40 20 80 eth0\n"
                  "20010db8000000000000000000000001 02 40 00 80 eth0");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "net.mbps"), "1000000000");
    assert_string_equal(fixture_value(f, "net.ipv6"), "1");
}

static void test_no_ipv6(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/net/if_inet6", "fd000000000000000000000000000001 02 40 00 80 eth0");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "net.ipv6"), "0"); /* a private address is not global */
    assert_string_equal(fixture_value(f, "net.mbps"), "-");
}

static void test_power(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/sys/class/power_supply/AC/type", "Mains");
    fixture_write(f, "/sys/class/power_supply/AC/online", "1");
    fixture_write(f, "/sys/class/power_supply/BAT0/type", "Battery");
    fixture_write(f, "/sys/class/power_supply/BAT0/status", "Charging");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "power"), "ac");
    fixture_write(f, "/sys/class/power_supply/AC/online", "0");
    fixture_write(f, "/sys/class/power_supply/BAT0/status", "Discharging");
    fixture_collect(f, 2 * GP_SECOND);
    assert_string_equal(fixture_value(f, "power"), "ac"); /* it is looked at once a minute */
    fixture_collect(f, 62 * GP_SECOND);
    assert_string_equal(fixture_value(f, "power"), "battery");
}

static void test_user_idle(void **state)
{
    fixture_t *f = *state;
    char full[GP_HOST_PATH_MAX];
    fixture_write(f, "/dev/pts/3", "");
    fixture_write(f, "/dev/pts/ptmx", ""); /* not a terminal */
    assert_true(gp_host_path(f->root, "/dev/pts/3", full));
    const struct timespec times[2] = {{.tv_sec = time(NULL) - 600}, {.tv_sec = time(NULL)}};
    assert_int_equal(utimensat(AT_FDCWD, full, times, 0), 0);
    fixture_open(f);
    uint64_t idle =
        gp_records_number(gp_host_records(f->host), 0, gp_attribute_find(gp_text("user.idle")));
    assert_in_range(idle, 600 * GP_SECOND, 660 * GP_SECOND);
}

static void test_user_idle_since_the_start(void **state)
{
    fixture_t *f = *state;
    char full[GP_HOST_PATH_MAX];
    fixture_write(f, "/proc/uptime", "100.00 5.00");
    fixture_write(f, "/dev/tty1", "");
    assert_true(gp_host_path(f->root, "/dev/tty1", full));
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, full, times, 0), 0);
    fixture_open(f);
    assert_string_equal(fixture_value(f, "user.idle"), "100000000");
}

static void test_programs(void **state)
{
    fixture_t *f = *state;
    fixture_program(f, "/usr/bin/python3");
    fixture_program(f, "/usr/local/bin/solver"); /* asked for in the configuration */
    fixture_program(f, "/bin/secret");           /* nobody asked for it */
    fixture_write(f, "/usr/bin/gdb", "not executable");
    fixture_write(f, "/usr/bin/gcc/directory", "");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "has"), "python3 solver");
    fixture_program(f, "/bin/sh");
    fixture_collect(f, 100 * GP_SECOND);
    assert_string_equal(fixture_value(f, "has"), "python3 solver");
    fixture_collect(f, 601 * GP_SECOND);
    assert_string_equal(fixture_value(f, "has"), "python3 sh solver");
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count_list),
        CASE(test_network),
        CASE(test_no_ipv6),
        CASE(test_power),
        CASE(test_user_idle),
        CASE(test_user_idle_since_the_start),
        CASE(test_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
