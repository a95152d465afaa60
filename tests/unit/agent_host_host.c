/* The collectors together: whole first, then what may have changed; configuration; headroom. */
#include <stdlib.h>

#include "agent_host_fixture.h"

static void test_an_empty_machine_is_unknown(void **state)
{
    static const char *const always[] = {"version", "arch",     "libc",     "disk", "disk.free",
                                         "tag",     "lend.now", "lend.mem", "has"};
    fixture_t *f = *state;
    fixture_open(f);
    for (uint32_t attr = 1; attr < GP_ATTR_COUNT; attr++) {
        const gp_attribute_t *attribute = gp_attribute(attr);
        bool expected = false;
        for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
            expected = expected || strcmp(attribute->name, always[i]) == 0;
        }
        if (gp_records_knows(gp_host_records(f->host), 0, attr) != expected) {
            fail_msg("%s is %s", attribute->name, fixture_value(f, attribute->name));
        }
    }
    assert_int_equal(gp_host_headroom(f->host), 1000);
    assert_string_equal(fixture_value(f, "has"), "");
}

static void test_whole_then_moving(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/loadavg", "0.16 0.03 0.01 2/95 7077");
    fixture_write(f, "/proc/uptime", "12.50 20.00");
    fixture_open(f);
    assert_true(f->msg.whole);
    uint32_t whole = f->msg.attrs_count;
    assert_true(whole > 5);
    fixture_write(f, "/proc/loadavg", "2.50 0.03 0.01 2/95 7077");
    fixture_write(f, "/proc/uptime", "");
    fixture_collect(f, 2 * GP_SECOND);
    assert_false(f->msg.whole);
    bool load = false;
    bool uptime = false;
    for (uint32_t i = 0; i < f->msg.attrs_count; i++) {
        const gp_record_attr_t *a = &f->msg.attrs[i];
        assert_int_equal(gp_attribute(a->attr & ~GP_ATTR_UNSET)->source, GP_SOURCE_MOVING);
        load = load || (a->attr == GP_ATTR_LOAD_1 && a->number == 2500);
        uptime = uptime || a->attr == (GP_ATTR_UPTIME | GP_ATTR_UNSET);
    }
    assert_true(load);
    assert_true(uptime); /* what can no longer be read is no longer known */
}

static void test_config(void **state)
{
    fixture_t *f = *state;
    fixture_open(f);
    assert_string_equal(fixture_value(f, "tag"), "gpu.owner=ann rack=r3");
    assert_string_equal(fixture_value(f, "version"), "0.1.0");
    assert_string_equal(fixture_value(f, "lend.now"), "1");
    assert_string_equal(fixture_value(f, "lend.mem"), "1048576");
    assert_string_equal(fixture_value(f, "lend.cpu"), "-");
}

static void test_bad_config(void **state)
{
    static const char *const bad[] = {"rack",      "=r3",   "Rack=r3", "rack=r 3",
                                      "rack=\x7f", "a b=c", ""};
    gp_host_t *host = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const gp_host_config_t c = {.root = "", .work_dir = "/", .tags = &bad[i], .tag_count = 1};
        assert_int_equal(gp_host_new(&c, &host), GP_E_CONFIG);
    }
    const char *many[GP_TAGS_MAX + 1];
    for (size_t i = 0; i < GP_TAGS_MAX + 1; i++) {
        many[i] = "a=b";
    }
    const gp_host_config_t c = {
        .root = "", .work_dir = "/", .tags = many, .tag_count = GP_TAGS_MAX + 1};
    assert_int_equal(gp_host_new(&c, &host), GP_E_CONFIG);
    assert_null(host);
    assert_true(gp_host_tag_valid("rack="));
    assert_true(gp_host_tag_valid("a.b-c_d=x=y"));
}

static void test_headroom(void **state)
{
    fixture_t *f = *state;
    fixture_write(f, "/proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0");
    fixture_write(f, "/proc/meminfo", "MemTotal: 1000000 kB\nMemAvailable: 600000 kB");
    fixture_open(f);
    assert_int_equal(gp_host_headroom(f->host), 600); /* processor time is not known yet */
    fixture_write(f, "/proc/stat", "cpu  170 0 100 830 0 0 0 0 0 0");
    fixture_collect(f, 2 * GP_SECOND);
    assert_int_equal(gp_host_headroom(f->host), 300);
}

static void test_this_machine(void **state)
{
    const gp_host_config_t c = {.work_dir = "/tmp", .agent_version = "1", .withheld = true};
    static gp_msg_t msg;
    gp_host_t *host = NULL;
    (void)state;
    assert_int_equal(gp_host_new(&c, &host), GP_OK);
    assert_int_equal(gp_host_collect(host, &msg), GP_HOST_FIRST_PERIOD_MS);
    assert_int_equal(gp_host_collect(host, &msg), GP_HOST_PERIOD_MS);
    const gp_records_t *r = gp_host_records(host);
    assert_true(gp_records_knows(r, 0, GP_ATTR_CPU));
    assert_int_equal(gp_records_number(r, 0, GP_ATTR_LEND_NOW), 0);
    assert_int_equal(msg.kind, GP_MSG_OWN_RECORD);
    assert_true(gp_records_number(r, 0, GP_ATTR_CPU) > 0);
    assert_true(gp_records_number(r, 0, GP_ATTR_MEM) >= gp_records_number(r, 0, GP_ATTR_MEM_FREE));
    assert_true(gp_records_knows(r, 0, GP_ATTR_KERNEL));
    gp_host_free(host);
    gp_host_free(NULL);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_an_empty_machine_is_unknown),
        CASE(test_whole_then_moving),
        CASE(test_config),
        cmocka_unit_test(test_bad_config),
        CASE(test_headroom),
        cmocka_unit_test(test_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
