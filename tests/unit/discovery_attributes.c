/* The table of attributes: numbers are for ever; names, suggestions. */
#include <stdio.h>

#include "discovery_driver.h"

/* What peers of every version must agree on. Only ever add to this list. */
static const struct {
    uint32_t number;
    const char *name;
    gp_type_t type;
} promised[] = {
    {1, "name", GP_TYPE_WORD},           {2, "region", GP_TYPE_WORD},
    {3, "version", GP_TYPE_VERSION},     {4, "arch", GP_TYPE_WORD},
    {5, "os.id", GP_TYPE_WORD},          {6, "os.version", GP_TYPE_VERSION},
    {7, "kernel", GP_TYPE_VERSION},      {8, "libc", GP_TYPE_VERSION},
    {9, "uptime", GP_TYPE_DURATION},     {10, "cpu", GP_TYPE_COUNT},
    {11, "cpu.model", GP_TYPE_WORD},     {12, "cpu.mhz", GP_TYPE_FREQUENCY},
    {13, "cpu.flags", GP_TYPE_WORDS},    {14, "cpu.free", GP_TYPE_DECIMAL},
    {15, "cpu.idle", GP_TYPE_SHARE},     {16, "cpu.sockets", GP_TYPE_COUNT},
    {17, "load.1", GP_TYPE_DECIMAL},     {18, "psi.cpu", GP_TYPE_SHARE},
    {19, "psi.mem", GP_TYPE_SHARE},      {20, "psi.io", GP_TYPE_SHARE},
    {21, "mem", GP_TYPE_BYTES},          {22, "mem.free", GP_TYPE_BYTES},
    {23, "swap", GP_TYPE_BYTES},         {24, "swap.free", GP_TYPE_BYTES},
    {25, "disk", GP_TYPE_BYTES},         {26, "disk.free", GP_TYPE_BYTES},
    {27, "disk.kind", GP_TYPE_WORD},     {28, "disk.fs", GP_TYPE_WORD},
    {29, "net.mbps", GP_TYPE_BITRATE},   {30, "net.ipv6", GP_TYPE_BOOL},
    {31, "gpu", GP_TYPE_COUNT},          {32, "gpu.model", GP_TYPE_WORD},
    {33, "virt", GP_TYPE_WORD},          {34, "container", GP_TYPE_WORD},
    {35, "has", GP_TYPE_WORDS},          {36, "isolate", GP_TYPE_WORDS},
    {37, "enforce.mem", GP_TYPE_WORD},   {38, "enforce.cpu", GP_TYPE_WORD},
    {39, "enforce.disk", GP_TYPE_WORD},  {40, "enforce.pids", GP_TYPE_WORD},
    {41, "user.idle", GP_TYPE_DURATION}, {42, "power", GP_TYPE_WORD},
    {43, "lend.now", GP_TYPE_BOOL},      {44, "lend.cpu", GP_TYPE_DECIMAL},
    {45, "lend.mem", GP_TYPE_BYTES},     {46, "lend.disk", GP_TYPE_BYTES},
    {47, "tag", GP_TYPE_WORDS},          {48, "rtt", GP_TYPE_DURATION},
};

static void test_numbers_are_for_ever(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++) {
        const gp_attribute_t *a = gp_attribute(promised[i].number);
        assert_non_null(a);
        assert_string_equal(a->name, promised[i].name);
        assert_int_equal(a->type, promised[i].type);
    }
}

static void test_every_attribute_is_complete(void **state)
{
    uint32_t count = 0;
    (void)state;
    for (uint32_t i = 0; i < GP_ATTR_COUNT; i++) {
        const gp_attribute_t *a = gp_attribute(i);
        if (a == NULL) {
            continue;
        }
        count += 1;
        assert_int_equal(strlen(a->name), a->name_n);
        assert_int_equal(gp_attribute_find(gp_text(a->name)), i);
        assert_true(strlen(a->doc) > 10);
        assert_true(strlen(gp_type_text(a->type)) > 0);
        assert_true(strlen(gp_type_example(a->type)) > 0);
        assert_in_range(a->source, GP_SOURCE_FIXED, GP_SOURCE_GIVEN);
        if (!gp_type_is_number(a->type)) {
            assert_int_equal(a->bare + a->band + a->band_permille, 0);
        }
    }
    assert_int_equal(count, sizeof promised / sizeof promised[0]);
    assert_null(gp_attribute(GP_ATTR_COUNT));
    assert_null(gp_attribute(UINT32_MAX));
    assert_null(gp_attribute(0));
}

/* An example must be a value of its attribute: it is what errors tell people to write. */
static void test_examples_compile(void **state)
{
    static gp_query_t query;
    gp_query_error_t error;
    (void)state;
    for (uint32_t i = 1; i < GP_ATTR_COUNT; i++) {
        const gp_attribute_t *a = gp_attribute(i);
        char text[128];
        const char *operator= a->type == GP_TYPE_WORDS ? "has" : "==";
        (void)snprintf(text, sizeof text, "%s %s %s", a->name, operator, gp_attribute_example(i));
        if (gp_query_compile(gp_text(text), &query, &error) != GP_OK) {
            fail_msg("%s: %s", text, error.text);
        }
    }
    assert_string_equal(gp_attribute_example(GP_ATTR_NAME), "n1");
    assert_string_equal(gp_attribute_example(GP_ATTR_POWER), "ac");
    assert_string_equal(gp_attribute_example(GP_ATTR_MEM), gp_type_example(GP_TYPE_BYTES));
}

static void test_find(void **state)
{
    (void)state;
    assert_int_equal(gp_attribute_find(gp_text("mem.free")), GP_ATTR_MEM_FREE);
    assert_int_equal(gp_attribute_find(gp_text("mem.fre")), 0);
    assert_int_equal(gp_attribute_find(gp_text("")), 0);
    assert_int_equal(gp_attribute_find(gp_text("tag.rack")), GP_ATTR_TAG);
    assert_int_equal(gp_attribute_find(gp_text("tag.")), 0);
    assert_int_equal(gp_attribute_find(gp_text("tags")), 0);
}

static void test_suggest(void **state)
{
    static const struct {
        const char *typed;
        const char *meant; /* NULL: no idea */
    } cases[] = {
        {"mem.fre", "mem.free"},
        {"memfree", "mem.free"},
        {"Mem.Free", "mem.free"},
        {"mme.free", "mem.free"},
        {"ram", "mem"},
        {"memory", "mem"},
        {"memroy", "mem"},
        {"cpus", "cpu"},
        {"cores", "cpu"},
        {"gpus", "gpu"},
        {"hostname", "name"},
        {"nmae", "name"},
        {"os", "os.id"},
        {"load", "load.1"},
        {"load.5", "load.1"},
        {"kernal", "kernel"},
        {"cpu.flag", "cpu.flags"},
        {"disk.fre", "disk.free"},
        {"xyzzy", NULL},
        {"q", NULL},
        {"foo", NULL},
        {"", NULL},
        {"a.very.long.name.of.an.attribute", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t got = gp_attribute_suggest(gp_text(cases[i].typed));
        const char *name = got == 0 ? "nothing" : gp_attribute(got)->name;
        if (strcmp(name, cases[i].meant == NULL ? "nothing" : cases[i].meant) != 0) {
            fail_msg("%s: %s", cases[i].typed, name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_for_ever),
        cmocka_unit_test(test_every_attribute_is_complete),
        cmocka_unit_test(test_examples_compile),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_suggest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
