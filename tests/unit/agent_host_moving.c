/* What changes all the time: processor, memory, load, pressure. */
#include "agent_host_fixture.h"

static void processors(fixture_t *f)
{
    fixture_write(f, "/sys/devices/system/cpu/online", "0-3");
}

static void test_cpu(void **state)
{
    fixture_t *f = *state;
    processors(f);
    fixture_write(f, "/proc/stat", "cpu  1000 0 1000 8000 500 0 0 0 0 0\ncpu0 1 2 3");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "cpu"), "4");
    assert_string_equal(fixture_value(f, "cpu.idle"), "-"); /* one sample tells nothing */
    assert_string_equal(fixture_value(f, "cpu.free"), "-");
    fixture_write(f, "/proc/stat", "cpu  1050 0 1000 8040 510 0 0 0 0 0");
    fixture_collect(f, 2 * GP_SECOND);
    assert_string_equal(fixture_value(f, "cpu.idle"), "500"); /* waiting for disks is idle */
    assert_string_equal(fixture_value(f, "cpu.free"), "2000");
    fixture_collect(f, 3 * GP_SECOND); /* the same tick again */
    assert_string_equal(fixture_value(f, "cpu.idle"), "500");
    fixture_write(f, "/proc/stat", "cpu  10 0 10 80 5 0 0 0 0 0"); /* went back: start anew */
    fixture_collect(f, 4 * GP_SECOND);
    assert_string_equal(fixture_value(f, "cpu.idle"), "-");
    fixture_write(f, "/proc/stat", "cpu  20 0 10 80 5 0 0 0 0 0");
    fixture_collect(f, 5 * GP_SECOND);
    assert_string_equal(fixture_value(f, "cpu.idle"), "0");
    fixture_write(f, "/proc/stat", "nothing");
    fixture_collect(f, 6 * GP_SECOND);
    assert_string_equal(fixture_value(f, "cpu.idle"), "-");
    assert_string_equal(fixture_value(f, "cpu.free"), "-");
}

static void test_memory(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/meminfo",
                  "MemTotal:       16384 kB\nMemFree:         1 kB\nMemAvailable:    8192 kB\n"
                  "SwapTotal:       4096 kB\nSwapFree:        2048 kB");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "mem"), "16777216");
    assert_string_equal(fixture_value(f, "mem.free"), "8388608");
    assert_string_equal(fixture_value(f, "swap"), "4194304");
    assert_string_equal(fixture_value(f, "swap.free"), "2097152");
    fixture_write(f, "/proc/meminfo", "MemTotal: 16384 kB\nMemAvailable: 99999999999999999999 kB");
    fixture_collect(f, 2 * GP_SECOND);
    assert_string_equal(fixture_value(f, "mem"), "16777216");
    assert_string_equal(fixture_value(f, "mem.free"), "-");
    assert_string_equal(fixture_value(f, "swap"), "-");
}

static void test_memory_of_a_limited_group(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/meminfo", "MemTotal: 16384 kB\nMemAvailable: 12288 kB");
    fixture_write(f, "/proc/self/cgroup", "0::/a/b");
    fixture_write(f, "/sys/fs/cgroup/cgroup.controllers", "cpu memory pids");
    fixture_write(f, "/sys/fs/cgroup/a/memory.max", "8388608");
    fixture_write(f, "/sys/fs/cgroup/a/memory.current", "7340032");
    fixture_write(f, "/sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 1048576\nx 2");
    fixture_write(f, "/sys/fs/cgroup/a/b/memory.max", "max");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "mem"), "8388608");
    assert_string_equal(fixture_value(f, "mem.free"), "2097152");
    fixture_write(f, "/sys/fs/cgroup/a/memory.current", "999999999");
    fixture_collect(f, 2 * GP_SECOND);
    assert_string_equal(fixture_value(f, "mem.free"), "0");
}

static void test_load_and_uptime(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/loadavg", "12.05 0.03 0.01 2/95 7077");
    fixture_write(f, "/proc/uptime", "7077.35 1.00");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "load.1"), "12050");
    assert_string_equal(fixture_value(f, "uptime"), "7077350000");
}

static void test_pressure(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/pressure/cpu", "some avg10=5.17 avg60=0.17 avg300=0.13 total=7291636");
    fixture_write(f, "/proc/pressure/memory", "full avg10=3.00");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "psi.cpu"), "51");
    assert_string_equal(fixture_value(f, "psi.mem"), "-");
    assert_string_equal(fixture_value(f, "psi.io"), "-");
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_cpu),
        CASE(test_memory),
        CASE(test_memory_of_a_limited_group),
        CASE(test_load_and_uptime),
        CASE(test_pressure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
