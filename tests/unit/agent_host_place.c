/* Where the agent runs: virtual machine, container, control groups, isolation. */
#include "agent_host_fixture.h"

static void test_virt(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/cpuinfo", "flags : fpu hypervisor avx");
    fixture_write(f, "/sys/class/dmi/id/sys_vendor", "QEMU");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "virt"), "kvm");
}

static void test_virt_of_unknown_make(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/cpuinfo", "flags : fpu hypervisor avx");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "virt"), "vm");
}

static void test_hardware(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/cpuinfo", "flags : fpu avx");
    fixture_write(f, "/sys/class/dmi/id/sys_vendor", "Microsoft Corporation");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "virt"), "none");
}

static void test_no_firmware_tells_nothing(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/cpuinfo", "flags : fpu avx");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "virt"), "-");
}

static void test_xen(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/cpuinfo", "flags : fpu");
    fixture_write(f, "/sys/hypervisor/type", "xen");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "virt"), "xen");
}

static void test_container(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/1/cgroup", "0::/init.scope");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "container"), "none");
}

static void test_container_by_mark(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/.dockerenv", "");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "container"), "docker");
}

static void test_container_by_group(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/1/cgroup", "4:memory:/kubepods/pod1\n0::/");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "container"), "kubernetes");
}

static void test_container_by_manager(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/run/systemd/container", "lxc");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "container"), "lxc");
}

static void test_enforce_v2(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/self/cgroup", "0::/user.slice/x");
    fixture_write(f, "/sys/fs/cgroup/cgroup.controllers", "cpuset cpu memory pids");
    fixture_write(f, "/sys/fs/cgroup/user.slice/x/cgroup.controllers", "memory pids");
    fixture_write(f, "/sys/fs/cgroup/user.slice/x/cgroup.subtree_control", "");
    fixture_write(f, "/proc/self/status", "Name: x\nCapEff:\t0000000000000000");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "enforce.mem"), "hard");
    assert_string_equal(fixture_value(f, "enforce.pids"), "hard");
    assert_string_equal(fixture_value(f, "enforce.cpu"), "soft"); /* not handed on to us */
    assert_string_equal(fixture_value(f, "enforce.disk"), "soft");
}

static void test_enforce_v1(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/self/cgroup", "4:memory:/g\n3:cpu,cpuacct:/g\n0::/");
    fixture_write(f, "/sys/fs/cgroup/unified/cgroup.controllers", "hugetlb");
    fixture_write(f, "/sys/fs/cgroup/unified/cgroup.subtree_control", "");
    fixture_write(f, "/sys/fs/cgroup/memory/g/memory.limit_in_bytes", "9223372036854771712");
    fixture_write(f, "/sys/fs/cgroup/cpu/g/cgroup.procs", "1");
    fixture_write(f, "/proc/self/status", "CapEff:\t000001ffffffffff");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "enforce.mem"), "hard");
    assert_string_equal(fixture_value(f, "enforce.cpu"), "hard");
    assert_string_equal(fixture_value(f, "enforce.pids"), "soft");
    assert_string_equal(fixture_value(f, "enforce.disk"), "hard");
}

static void test_limits(void **state)
{
    fixture_t *f = *state;
    gp_host_cgroup_t limits;
    gp_host_cgroup_limits(f->root, &limits);
    assert_true(limits.mem == UINT64_MAX && limits.cpu == UINT64_MAX);
    fixture_write(f, "/proc/self/cgroup", "0::/a/b");
    fixture_write(f, "/sys/fs/cgroup/cgroup.controllers", "cpu memory");
    fixture_write(f, "/sys/fs/cgroup/a/cpu.max", "150000 100000");
    fixture_write(f, "/sys/fs/cgroup/a/b/cpu.max", "max 100000");
    fixture_write(f, "/sys/fs/cgroup/a/memory.max", "4096");
    fixture_write(f, "/sys/fs/cgroup/a/b/memory.max", "8192");
    gp_host_cgroup_limits(f->root, &limits);
    assert_int_equal(limits.cpu, 1500);
    assert_int_equal(limits.mem, 4096);
    assert_string_equal(limits.mem_usage, "/sys/fs/cgroup/a/memory.current");
}

static void test_limits_v1(void **state)
{
    fixture_t *f = *state;
    gp_host_cgroup_t limits;
    fixture_write(f, "/proc/self/cgroup", "5:cpuacct,cpu:/g\n4:memory:/g/h");
    fixture_write(f, "/sys/fs/cgroup/cpu/g/cpu.cfs_quota_us", "50000");
    fixture_write(f, "/sys/fs/cgroup/cpu/g/cpu.cfs_period_us", "20000");
    fixture_write(f, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1");
    fixture_write(f, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "65536");
    gp_host_cgroup_limits(f->root, &limits);
    assert_int_equal(limits.cpu, 2500);
    assert_int_equal(limits.mem, 65536);
    assert_string_equal(limits.mem_usage, "/sys/fs/cgroup/memory/memory.usage_in_bytes");
}

static void test_cpu_is_what_is_granted(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/self/cgroup", "0::/");
    fixture_write(f, "/sys/fs/cgroup/cgroup.controllers", "cpu");
    fixture_write(f, "/sys/fs/cgroup/cpu.max", "250000 100000");
    fixture_write(f, "/sys/devices/system/cpu/online", "0-7");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "cpu"), "2");
}

static void test_isolate(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/self/ns/mnt", "");
    fixture_write(f, "/proc/self/ns/pid", "");
    fixture_write(f, "/proc/self/ns/user", "");
    fixture_write(f, "/proc/sys/user/max_user_namespaces", "0");
    fixture_write(f, "/proc/sys/kernel/seccomp/actions_avail", "kill");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "isolate"), "mnt pid seccomp");
}

static void test_isolate_all(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/self/ns/user", "");
    fixture_write(f, "/proc/sys/user/max_user_namespaces", "1000");
    fixture_write(f, "/sys/kernel/security/lsm", "capability,landlock,yama");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "isolate"), "user landlock");
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_virt),
        CASE(test_virt_of_unknown_make),
        CASE(test_hardware),
        CASE(test_no_firmware_tells_nothing),
        CASE(test_xen),
        CASE(test_container),
        CASE(test_container_by_mark),
        CASE(test_container_by_group),
        CASE(test_container_by_manager),
        CASE(test_enforce_v2),
        CASE(test_enforce_v1),
        CASE(test_limits),
        CASE(test_limits_v1),
        CASE(test_cpu_is_what_is_granted),
        CASE(test_isolate),
        CASE(test_isolate_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
