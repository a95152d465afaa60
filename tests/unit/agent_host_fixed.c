/* What does not change while the kernel runs. */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent_host_fixture.h"

static void test_system(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/etc/os-release",
                  "PRETTY_NAME=\"Debian\"\nVERSION_ID=\"12\"\nVERSION=\"12 (x)\"\nID=debian");
    fixture_write(f, "/proc/sys/kernel/osrelease", "6.1.0-13-amd64");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "os.id"), "debian");
    assert_string_equal(fixture_value(f, "os.version"), "12");
    assert_string_equal(fixture_value(f, "kernel"), "6.1.0-13-amd64");
}

static void test_os_release_elsewhere(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/usr/lib/os-release", "ID='fedora'\nVERSION_ID=\"\"");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "os.id"), "fedora");
    assert_string_equal(fixture_value(f, "os.version"), "-");
}

static void test_processor(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/cpuinfo",
                  "processor\t: 0\nmodel name\t: AMD EPYC 7B13 \ncpu MHz\t\t: 2445.404\n"
                  "flags\t\t: fpu vme avx2 \n");
    fixture_write(f, "/sys/devices/system/cpu/online", "0-1,4,6-7");
    for (int i = 0; i < 4; i++) {
        char path[128];
        (void)snprintf(path, sizeof path,
                       "/sys/devices/system/cpu/cpu%d/topology/physical_package_id", i);
        fixture_write(f, path, i < 2 ? "0" : "1");
    }
    fixture_open(f);
    assert_string_equal(fixture_value(f, "cpu.model"), "AMD EPYC 7B13");
    assert_string_equal(fixture_value(f, "cpu.mhz"), "2445404000");
    assert_string_equal(fixture_value(f, "cpu.flags"), "fpu vme avx2");
    assert_string_equal(fixture_value(f, "cpu.sockets"), "2");
    assert_string_equal(fixture_value(f, "cpu"), "5");
}

static void test_arm_and_highest_clock(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd sve\n");
    fixture_write(f, "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "3000000");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "cpu.flags"), "fp asimd sve");
    assert_string_equal(fixture_value(f, "cpu.mhz"), "3000000000");
    assert_string_equal(fixture_value(f, "cpu.model"), "-");
}

static void test_long_flags_are_cut(void **state)
{
    char text[4096] = "flags : ";
    size_t n = strlen(text);
    fixture_t *f = *state;
    for (int i = 0; i < 300; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "flag%04d ", i);
    }
    fixture_write(f, "/proc/cpuinfo", text);
    fixture_open(f);
    bool cut = false;
    gp_slice_t flags = gp_records_text(gp_host_records(f->host), 0, GP_ATTR_CPU_FLAGS, &cut);
    assert_true(cut);
    assert_in_range(flags.n, GP_ATTR_TEXT_MAX - 10, GP_ATTR_TEXT_MAX);
    assert_int_equal((flags.n + 1) % 9, 0); /* whole words */
}

static void test_disk(void **state)
{
    fixture_t *f = *state;
    struct stat st;
    char path[128];
    char line[256];
    assert_int_equal(stat(f->root, &st), 0);
    (void)snprintf(line, sizeof line,
                   "1 2 0:999 / /proc rw - proc proc rw\n25 1 %u:%u / / rw,relatime shared:1 - "
                   "ext4 /dev/vda rw",
                   major(st.st_dev), minor(st.st_dev));
    fixture_write(f, "/proc/self/mountinfo", line);
    (void)snprintf(path, sizeof path, "/sys/dev/block/%u:%u/queue/rotational", major(st.st_dev),
                   minor(st.st_dev));
    fixture_write(f, path, "0");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "disk.fs"), "ext4");
    assert_string_equal(fixture_value(f, "disk.kind"), "ssd");
    assert_string_not_equal(fixture_value(f, "disk"), "-");
}

static void test_disk_of_a_partition(void **state)
{
    fixture_t *f = *state;
    struct stat st;
    char path[256];
    char link[256];
    assert_int_equal(stat(f->root, &st), 0);
    fixture_write(f, "/sys/devices/vda/queue/rotational", "1");
    fixture_write(f, "/sys/devices/vda/vda1/partition", "1");
    fixture_write(f, "/sys/dev/block/none", "");
    (void)snprintf(path, sizeof path, "%s/sys/devices/vda/vda1", f->root);
    (void)snprintf(link, sizeof link, "%s/sys/dev/block/%u:%u", f->root, major(st.st_dev),
                   minor(st.st_dev));
    assert_int_equal(symlink(path, link), 0);
    fixture_open(f);
    assert_string_equal(fixture_value(f, "disk.kind"), "hdd");
    assert_string_equal(fixture_value(f, "disk.fs"), "-");
}

static void pci(const fixture_t *f, const char *slot, const char *class, const char *vendor)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/class", slot);
    fixture_write(f, path, class);
    (void)snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/vendor", slot);
    fixture_write(f, path, vendor);
    (void)snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/device", slot);
    fixture_write(f, path, "0x2330");
}

static void test_gpus(void **state)
{
    fixture_t *f = *state;
    pci(f, "0000:00:01.0", "0x020000", "0x10de"); /* a network card */
    pci(f, "0000:00:02.0", "0x030000", "0x1234"); /* the emulated screen of a virtual machine */
    pci(f, "0000:00:03.0", "0x030200", "0x10de");
    pci(f, "0000:00:04.0", "0x030200", "0x10de");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "gpu"), "2");
    assert_string_equal(fixture_value(f, "gpu.model"), "nvidia 0x2330");
}

static void test_gpu_model_of_the_driver(void **state)
{
    fixture_t *f = *state;
    pci(f, "0000:00:03.0", "0x030200", "0x10de");
    fixture_write(f, "/proc/driver/nvidia/gpus/0000:00:03.0/information",
                  "Model: \t\t NVIDIA H100\nIRQ: 5");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "gpu.model"), "NVIDIA H100");
}

static void test_no_gpu(void **state)
{
    fixture_t *f = *state;
    pci(f, "0000:00:01.0", "0x020000", "0x1af4");
    fixture_open(f);
    assert_string_equal(fixture_value(f, "gpu"), "0");
    assert_string_equal(fixture_value(f, "gpu.model"), "-");
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_system),
        CASE(test_os_release_elsewhere),
        CASE(test_processor),
        CASE(test_arm_and_highest_clock),
        CASE(test_long_flags_are_cut),
        CASE(test_disk),
        CASE(test_disk_of_a_partition),
        CASE(test_gpus),
        CASE(test_gpu_model_of_the_driver),
        CASE(test_no_gpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
