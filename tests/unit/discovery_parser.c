/* The grammar: what compiles, and what a user is told, at which column, when it does not. */
#include <stdio.h>
#include <stdlib.h>

#include "discovery_driver.h"

static gp_query_t query;
static gp_query_error_t error;

static gp_error_t compile(const char *text)
{
    gp_error_t e = gp_query_compile(gp_text(text), &query, &error);
    assert_int_equal(e, error.error);
    assert_int_equal(strlen(error.text), error.text_n);
    return e;
}

static void test_good(void **state)
{
    static const struct {
        const char *text;
        uint32_t terms;
        uint32_t parts;
    } good[] = {
        {"", 0, 0},
        {" \t\n ", 0, 0},
        {"cpu >= 2 and mem.free >= 1GiB and arch == x86_64", 3, 3},
        {"cpu>=2,mem.free>=1GiB,arch=x86_64", 3, 3},
        {"cpu >= 2 && (arch == x86_64 || arch == aarch64)", 3, 2},
        {"cpu >= 2 or mem >= 1GiB and disk >= 1TB", 3, 1},
        {"gpu", 1, 1},
        {"!gpu", 1, 1},
        {"not not gpu", 1, 1},
        {"NOT gpu AND net.ipv6", 2, 2},
        {"not (gpu or (cpu < 2 and not net.ipv6))", 3, 1},
        {"cpu in {1, 2, 4..8}", 1, 1},
        {"cpu in 4..8", 1, 1},
        {"cpu == 4..8", 1, 1},
        {"cpu != 4..8", 1, 1},
        {"cpu not in {1,2}", 1, 1},
        {"mem in 1 GiB .. 16 GiB", 1, 1},
        {"mem >= 8 GiB", 1, 1},
        {"mem > 0", 1, 1},
        {"mem.free >= lend.mem", 1, 1},
        {"kernel >= 6.1", 1, 1},
        {"kernel ~= 6.1", 1, 1},
        {"kernel in 6.1..6.9", 1, 1},
        {"kernel in {5.10, 6.1..6.9}", 1, 1},
        {"os.version == bookworm", 1, 1},
        {"kernel > os.version", 1, 1},
        {"name like n?*", 1, 1},
        {"name not like 'n*'", 1, 1},
        {"name like \"*-é\"", 1, 1},
        {"cpu.flags has avx2", 1, 1},
        {"cpu.flags has {avx2, aes}", 1, 1},
        {"cpu.flags not has avx2", 1, 1},
        {"has python3", 1, 1},
        {"has {python3, gcc}", 1, 1},
        {"has has python3", 1, 1},
        {"has like \"python*\"", 1, 1},
        {"has is set", 1, 1},
        {"has", 1, 1},
        {"gpu is set", 1, 1},
        {"gpu is not set", 1, 1},
        {"tag.rack == r3", 1, 1},
        {"tag.rack in {r3, \"r 4\"}", 1, 1},
        {"tag has \"rack=r3\"", 1, 1},
        {"tag.rack", 1, 1},
        {"virt == container", 1, 1}, /* on the right of a word stands a word */
        {"cpu.idle >= 50%", 1, 1},
        {"cpu.free >= 1.5", 1, 1},
        {"cpu.mhz >= 2400", 1, 1},
        {"cpu.mhz >= 2.4GHz", 1, 1},
        {"net.mbps >= 100", 1, 1},
        {"net.mbps >= 1Gbit/s", 1, 1},
        {"uptime > 7d", 1, 1},
        {"net.ipv6 == true", 1, 1},
        {"net.ipv6 != no", 1, 1},
        {"lend.now", 1, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (compile(good[i].text) != GP_OK) {
            fail_msg("%s: column %u: %s", good[i].text, error.column, error.text);
        }
        assert_int_equal(query.term_count, good[i].terms);
        assert_int_equal(query.part_count, good[i].parts);
        assert_int_equal(error.text_n, 0);
    }
}

static const struct {
    const char *text;
    gp_error_t error;
    uint32_t column;
    const char *says; /* a part of the sentence */
} bad[] = {
    {"mem.fre > 1GiB", GP_E_QUERY_ATTRIBUTE, 1, "did you mean mem.free?"},
    {"cpu > 1 and memroy > 1GiB", GP_E_QUERY_ATTRIBUTE, 13, "did you mean mem?"},
    {"xyzzy", GP_E_QUERY_ATTRIBUTE, 1, "find --attributes"},
    {"Cpu > 1", GP_E_QUERY_ATTRIBUTE, 1, "did you mean cpu?"},
    {"mem.free >= mem.fre", GP_E_QUERY_ATTRIBUTE, 13, "did you mean mem.free?"},
    {"tag. == x", GP_E_QUERY_ATTRIBUTE, 1, "did you mean tag?"},
    {"mem >= 8", GP_E_QUERY_UNIT, 8, "needs a unit"},
    {"mem >= 8GHz", GP_E_QUERY_UNIT, 9, "does not measure"},
    {"mem >= 8Gi", GP_E_QUERY_UNIT, 9, "did you mean GiB?"},
    {"mem >= 8gib", GP_E_QUERY_UNIT, 9, "did you mean GiB?"},
    {"mem >= 8 s", GP_E_QUERY_UNIT, 8, "does not measure"},
    {"cpu >= 4GiB", GP_E_QUERY_UNIT, 9, "whole number"},
    {"cpu.idle >= 50", GP_E_QUERY_UNIT, 13, "50%"},
    {"uptime > 10 and cpu > 1", GP_E_QUERY_UNIT, 10, "10min"},
    {"cpu >= x86", GP_E_QUERY_TYPE, 8, "whole number"},
    {"cpu >= 'four'", GP_E_QUERY_TYPE, 8, "whole number"},
    {"cpu >= -1", GP_E_QUERY_TYPE, 8, "whole number"},
    {"cpu >= 1.2.3", GP_E_QUERY_TYPE, 8, "whole number"},
    {"cpu >= 99999999999999999999", GP_E_QUERY_TYPE, 8, "too large"},
    {"mem >= 99999999PiB", GP_E_QUERY_TYPE, 8, "too large"},
    {"cpu.free > 0.1234567891", GP_E_QUERY_TYPE, 12, "decimals"},
    {"mem >= cpu", GP_E_QUERY_TYPE, 8, "cannot be compared"},
    {"cpu ~= 4", GP_E_QUERY_TYPE, 1, "cpu >= 4"},
    {"cpu ~= cpu", GP_E_QUERY_TYPE, 8, "cannot be compared"},
    {"arch > x86_64", GP_E_QUERY_TYPE, 1, "arch == x86_64"},
    {"arch has x86_64", GP_E_QUERY_TYPE, 1, "arch == x86_64"},
    {"cpu has 4", GP_E_QUERY_TYPE, 1, "cpu >= 4"},
    {"cpu like 4*", GP_E_QUERY_TYPE, 1, "cpu >= 4"},
    {"cpu.flags == avx2", GP_E_QUERY_TYPE, 1, "cpu.flags has"},
    {"cpu.flags in {avx2}", GP_E_QUERY_TYPE, 1, "cpu.flags has"},
    {"net.ipv6 > true", GP_E_QUERY_TYPE, 1, "net.ipv6 == true"},
    {"net.ipv6 == maybe", GP_E_QUERY_TYPE, 13, "true or false"},
    {"net.ipv6 in {true}", GP_E_QUERY_TYPE, 1, "net.ipv6 == true"},
    {"arch in a..b", GP_E_QUERY_TYPE, 10, "no ranges"},
    {"cpu in 8..4", GP_E_QUERY_TYPE, 9, "smaller value first"},
    {"cpu > 2..4", GP_E_QUERY_SYNTAX, 7, "in, == or !="},
    {"kernel > 5..6", GP_E_QUERY_SYNTAX, 10, "in, == or !="},
    {"(cpu > 2", GP_E_QUERY_SYNTAX, 1, "never closed"},
    {"cpu > 2 and ((gpu)", GP_E_QUERY_SYNTAX, 13, "never closed"},
    {"cpu > 2)", GP_E_QUERY_SYNTAX, 8, "closes nothing"},
    {"(cpu > 2 gpu)", GP_E_QUERY_SYNTAX, 10, "expected"},
    {"()", GP_E_QUERY_SYNTAX, 2, "missing before \")\""},
    {"cpu > 2 mem > 1B", GP_E_QUERY_SYNTAX, 9, "expected"},
    {"cpu >", GP_E_QUERY_SYNTAX, 6, "the query ends"},
    {"cpu > and gpu", GP_E_QUERY_TYPE, 7, "whole number"},
    {"arch ==", GP_E_QUERY_SYNTAX, 8, "the query ends"},
    {"arch == )", GP_E_QUERY_SYNTAX, 9, "a value is missing"},
    {"and", GP_E_QUERY_SYNTAX, 1, "missing before \"and\""},
    {"cpu > 2 and", GP_E_QUERY_SYNTAX, 12, "missing at the end"},
    {"cpu > 2 and or gpu", GP_E_QUERY_SYNTAX, 13, "missing before \"or\""},
    {"cpu > 2,", GP_E_QUERY_SYNTAX, 9, "missing at the end"},
    {", cpu > 2", GP_E_QUERY_SYNTAX, 1, "missing before"},
    {"not", GP_E_QUERY_SYNTAX, 4, "missing at the end"},
    {"4 <= cpu", GP_E_QUERY_SYNTAX, 1, "starts with the attribute"},
    {"'cpu' > 4", GP_E_QUERY_SYNTAX, 1, "missing before"},
    {"cpu => 4", GP_E_QUERY_SYNTAX, 5, "write >="},
    {"cpu =< 4", GP_E_QUERY_SYNTAX, 5, "write <="},
    {"arch <> x", GP_E_QUERY_SYNTAX, 6, "write !="},
    {"uptime > 2 days", GP_E_QUERY_UNIT, 10, "did you mean d?"},
    {"uptime > 2days", GP_E_QUERY_UNIT, 11, "did you mean d?"},
    {"mem > 2 and gpu", GP_E_QUERY_UNIT, 7, "needs a unit"},
    {"cpu & gpu", GP_E_QUERY_SYNTAX, 5, "\"and\""},
    {"cpu | gpu", GP_E_QUERY_SYNTAX, 5, "\"or\""},
    {"cpu ; gpu", GP_E_QUERY_SYNTAX, 5, "no meaning"},
    {"cpu \x01", GP_E_QUERY_SYNTAX, 5, "no meaning"},
    {"name == \"n1", GP_E_QUERY_SYNTAX, 9, "never closed"},
    {"name == 'a\x07z'", GP_E_QUERY_SYNTAX, 11, "control character"},
    {"name == '\xff'", GP_E_QUERY_SYNTAX, 10, "UTF-8"},
    {"mem in 2 GiB ; x", GP_E_QUERY_SYNTAX, 14, "no meaning"},
    {"cpu in 4", GP_E_QUERY_SYNTAX, 8, "a set {a, b} or a range"},
    {"cpu in", GP_E_QUERY_SYNTAX, 7, "a set {a, b} or a range"},
    {"cpu in {", GP_E_QUERY_SYNTAX, 8, "never closed"},
    {"cpu in {1, 2", GP_E_QUERY_SYNTAX, 8, "never closed"},
    {"cpu in {1 2}", GP_E_QUERY_SYNTAX, 11, "separated by commas"},
    {"cpu in {}", GP_E_QUERY_TYPE, 9, "whole number"},
    {"arch in {}", GP_E_QUERY_SYNTAX, 10, "a value is missing"},
    {"has {gcc,", GP_E_QUERY_SYNTAX, 5, "never closed"},
    {"gpu is", GP_E_QUERY_SYNTAX, 7, "\"set\""},
    {"gpu is blue", GP_E_QUERY_SYNTAX, 8, "\"set\""},
    {"gpu not 4", GP_E_QUERY_SYNTAX, 9, "in, has or like"},
    {"cpu == ..", GP_E_QUERY_TYPE, 8, "whole number"},
    {"cpu in 1..", GP_E_QUERY_TYPE, 11, "whole number"},
    {"cpu >= 4.", GP_E_QUERY_TYPE, 8, "whole number"},
    {"cpu in 2.5..2", GP_E_QUERY_TYPE, 11, "smaller value first"},
    {"mem >= 8Gi x", GP_E_QUERY_UNIT, 9, "did you mean GiB?"},
    {"tag == x", GP_E_QUERY_TYPE, 1, "tag has "},
    {"net.ipv6 == true..false", GP_E_QUERY_SYNTAX, 13, "in, == or !="},
    {"net.ipv6 has true", GP_E_QUERY_TYPE, 1, "net.ipv6 == true"},
    {"net.ipv6 like t*", GP_E_QUERY_TYPE, 1, "net.ipv6 == true"},
    {"kernel in 6.1..", GP_E_QUERY_SYNTAX, 16, "a value is missing"},
    {"name like", GP_E_QUERY_SYNTAX, 10, "a value is missing"},
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        gp_error_t e = compile(bad[i].text);
        if (e != bad[i].error || error.column != bad[i].column ||
            strstr(error.text, bad[i].says) == NULL) {
            fail_msg("%s: error %d column %u: %s (wanted %d, %u, \"%s\")", bad[i].text, e,
                     error.column, error.text, bad[i].error, bad[i].column, bad[i].says);
        }
    }
}

static void append(char *text, size_t size, const char *more)
{
    size_t n = strlen(text);
    assert_true(n + strlen(more) < size);
    memcpy(text + n, more, strlen(more) + 1);
}

static void test_depth(void **state)
{
    char text[256] = "";
    (void)state;
    for (int i = 0; i < GP_QUERY_DEPTH_MAX; i++) {
        append(text, sizeof text, "(");
    }
    append(text, sizeof text, "gpu");
    for (int i = 0; i < GP_QUERY_DEPTH_MAX; i++) {
        append(text, sizeof text, ")");
    }
    assert_int_equal(compile(text), GP_OK);
    char deeper[260] = "(";
    append(deeper, sizeof deeper, text);
    append(deeper, sizeof deeper, ")");
    assert_int_equal(compile(deeper), GP_E_QUERY_LIMIT);
    assert_int_equal(error.column, GP_QUERY_DEPTH_MAX + 1);
}

static void test_limits(void **state)
{
    char text[GP_QUERY_MAX + 64] = "gpu";
    (void)state;
    for (int i = 1; i < GP_QUERY_TERMS_MAX; i++) {
        append(text, sizeof text, ",gpu");
    }
    assert_int_equal(strlen(text), GP_QUERY_MAX - 1); /* as many terms as fit */
    assert_int_equal(compile(text), GP_OK);
    assert_int_equal(query.term_count, GP_QUERY_TERMS_MAX);
    append(text, sizeof text, ",gpu");
    assert_int_equal(compile(text), GP_E_QUERY_LIMIT);

    memset(text, '!', GP_QUERY_MAX - 3);
    memcpy(text + GP_QUERY_MAX - 3, "gpu", 4);
    assert_int_equal(compile(text), GP_OK);

    memcpy(text, "cpu in {1", 10);
    for (int i = 1; i < 500; i++) {
        append(text, sizeof text, ",2");
    }
    append(text, sizeof text, "}");
    assert_int_equal(compile(text), GP_OK);
    assert_int_equal(query.value_count, 500);

    memcpy(text, "has {a", 7);
    for (int i = 1; i < GP_QUERY_WORDS_MAX - 1; i++) {
        append(text, sizeof text, ",a");
    }
    append(text, sizeof text, "}, tag.b");
    assert_int_equal(compile(text), GP_OK);
    append(text, sizeof text, ", has c");
    assert_int_equal(compile(text), GP_E_QUERY_LIMIT);

    memcpy(text, "name like a", 12);
    for (int i = 1; i < GP_QUERY_GLOBS_MAX; i++) {
        append(text, sizeof text, ",name like a");
    }
    assert_int_equal(compile(text), GP_OK);
    append(text, sizeof text, ",name like a");
    assert_int_equal(compile(text), GP_E_QUERY_LIMIT);
    assert_int_equal(
        compile("name like ***aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        GP_OK);
    assert_int_equal(
        compile("name like aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        GP_E_QUERY_LIMIT);
    assert_int_equal(error.column, 11);
}

static void test_parts_are_the_users_words(void **state)
{
    static const char *const parts[] = {"cpu >= 2", "not (gpu or net.ipv6)",
                                        "name in { n1 , \"n 2\" }"};
    (void)state;
    assert_int_equal(compile(" cpu >= 2  and not (gpu or net.ipv6) , name in { n1 , \"n 2\" } "),
                     GP_OK);
    assert_int_equal(query.part_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(gp_slice_equal(gp_query_part_text(&query, i), gp_text(parts[i])));
    }
    assert_int_equal(compile(" cpu >= 2 or gpu "), GP_OK);
    assert_true(gp_slice_equal(gp_query_part_text(&query, 0), gp_text("cpu >= 2 or gpu")));
}

static void test_rank(void **state)
{
    gp_rank_t rank;
    (void)state;
    assert_int_equal(gp_rank_compile(gp_text(""), &rank, &error), GP_OK);
    assert_int_equal(rank.key_count, 2);
    assert_int_equal(rank.keys[0].attr, GP_ATTR_MEM_FREE);
    assert_int_equal(gp_rank_compile(gp_text("mem.free desc, load.1"), &rank, &error), GP_OK);
    assert_int_equal(rank.key_count, 2);
    assert_true(rank.keys[0].more);
    assert_false(rank.keys[1].more); /* less load is better without saying */
    assert_int_equal(gp_rank_compile(gp_text("cpu asc"), &rank, &error), GP_OK);
    assert_false(rank.keys[0].more);
    assert_int_equal(gp_rank_compile(gp_text("cpu up"), &rank, &error), GP_E_QUERY_SYNTAX);
    assert_int_equal(error.column, 5);
    assert_int_equal(gp_rank_compile(gp_text("cpu, mem.fre"), &rank, &error), GP_E_QUERY_ATTRIBUTE);
    assert_int_equal(error.column, 6);
    assert_int_equal(gp_rank_compile(gp_text("cpu,"), &rank, &error), GP_E_QUERY_SYNTAX);
    assert_int_equal(error.column, 5);
    assert_int_equal(gp_rank_compile(gp_text("cpu mem"), &rank, &error), GP_E_QUERY_SYNTAX);
    assert_int_equal(gp_rank_compile(gp_text("cpu desc mem"), &rank, &error), GP_E_QUERY_SYNTAX);
    assert_int_equal(error.column, 10);
    assert_int_equal(gp_rank_compile(gp_text("has desc"), &rank, &error), GP_E_QUERY_TYPE);
    assert_int_equal(gp_rank_compile(gp_text("cpu.flags"), &rank, &error), GP_E_QUERY_TYPE);
    assert_int_equal(gp_rank_compile(gp_text("cpu,cpu,cpu,cpu,cpu,cpu,cpu,cpu,cpu"), &rank, &error),
                     GP_E_QUERY_LIMIT);
    assert_int_equal(error.column, 33);
    assert_int_equal(gp_rank_compile(gp_text("(cpu"), &rank, &error), GP_E_QUERY_SYNTAX);
    assert_int_equal(gp_rank_compile(gp_text("\xc3"), &rank, &error), GP_E_QUERY_SYNTAX);
}

/* Whatever the bytes: an error within the text, or a query whose parts lie within it. */
static void test_noise(void **state)
{
    static const char *const pieces[] = {
        "cpu",  " and ", "(", ")",  ">=", "4",   "GiB", "..", "{",      "}",   ",",     "not",
        " in ", "has",   "'", "\"", "is", "set", "*",   "~=", "kernel", "6.1", "tag.a", "\xc3"};
    gp_random_t random;
    uint32_t compiled = 0;
    (void)state;
    gp_random_init(&random, 5);
    for (int round = 0; round < 20000; round++) {
        char text[256] = "";
        uint64_t n = gp_random_below(&random, 12);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t piece = gp_random_below(&random, sizeof pieces / sizeof pieces[0]);
            append(text, sizeof text, pieces[piece]);
            append(text, sizeof text, gp_random_below(&random, 2) == 0 ? " " : "");
        }
        if (compile(text) == GP_OK) {
            compiled += 1;
            for (uint32_t i = 0; i < query.part_count; i++) {
                assert_true(gp_query_part_text(&query, i).n > 0);
            }
        } else {
            assert_in_range(error.column, 1, strlen(text) + 1);
            assert_true(error.text_n > 0);
        }
    }
    assert_true(compiled > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),  cmocka_unit_test(test_bad),
        cmocka_unit_test(test_depth), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_rank),  cmocka_unit_test(test_parts_are_the_users_words),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
