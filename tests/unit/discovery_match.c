/* Globs, versions, sets of words, each against a slow and simple twin. */
#include "discovery/match.h"

#include <stdio.h>
#include <stdlib.h>

#include "discovery_driver.h"

static bool slow_glob(const char *p, const char *t)
{
    if (*p == '\0') {
        return *t == '\0';
    }
    if (*p == '*') {
        return slow_glob(p + 1, t) || (*t != '\0' && slow_glob(p, t + 1));
    }
    char a = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
    char b = *t >= 'A' && *t <= 'Z' ? (char)(*t | 0x20) : *t;
    return *t != '\0' && (*p == '?' || a == b) && slow_glob(p + 1, t + 1);
}

static bool fast_glob(const char *pattern, const char *text)
{
    gp_glob_t glob;
    gp_glob_compile(&glob, gp_text(pattern));
    return gp_glob_match(&glob, gp_text(text));
}

static void test_glob(void **state)
{
    static const struct {
        const char *pattern;
        const char *text;
        bool match;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "abc", true},
        {"a*", "abc", true},
        {"*c", "abc", true},
        {"a*c", "abc", true},
        {"a*b", "abc", false},
        {"?", "a", true},
        {"?", "", false},
        {"a?c", "abc", true},
        {"*EPYC*", "AMD Epyc 7B13", true},
        {"*epyc*", "Xeon", false},
        {"**a**", "bab", true},
        {"a@", "a`", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(fast_glob(cases[i].pattern, cases[i].text), cases[i].match);
    }
}

static void random_text(gp_random_t *random, const char *letters, size_t most, char *text)
{
    uint64_t n = gp_random_below(random, most);
    for (uint64_t i = 0; i < n; i++) {
        text[i] = letters[gp_random_below(random, strlen(letters))];
    }
    text[n] = '\0';
}

static void test_glob_against_recursion(void **state)
{
    gp_random_t random;
    uint32_t matched = 0;
    (void)state;
    gp_random_init(&random, 11);
    for (int i = 0; i < 50000; i++) {
        char pattern[16];
        char text[16];
        random_text(&random, "abA**?", 7, pattern);
        random_text(&random, "abB", 9, text);
        bool match = slow_glob(pattern, text);
        if (fast_glob(pattern, text) != match) {
            fail_msg("%s on %s", pattern, text);
        }
        matched += match ? 1 : 0;
    }
    assert_in_range(matched, 2000, 48000);
}

static void test_longest_glob(void **state)
{
    char pattern[GP_GLOB_MAX + 3];
    char text[GP_GLOB_MAX + 2];
    (void)state;
    memset(pattern, 'a', sizeof pattern);
    memset(text, 'a', sizeof text);
    pattern[GP_GLOB_MAX] = '*';
    pattern[GP_GLOB_MAX + 1] = '\0';
    assert_int_equal(gp_glob_symbols(gp_text(pattern)), GP_GLOB_MAX);
    text[GP_GLOB_MAX + 1] = '\0';
    assert_true(fast_glob(pattern, text));
    text[GP_GLOB_MAX - 1] = 'b';
    assert_false(fast_glob(pattern, text));
}

static int compare(const char *a, const char *b)
{
    int order = gp_version_compare(gp_text(a), gp_text(b));
    return order < 0 ? -1 : (order > 0 ? 1 : 0);
}

static void test_versions(void **state)
{
    /* in ascending order; '=' before a text: equal to the one before */
    static const char *const order[] = {
        "",
        "=0",
        "=0.0",
        "0.0.1",
        "0.1~rc1",
        "0.1",
        "=0.1.0",
        "0.9",
        "0.10",
        "1.0-alpha",
        "1.0-beta",
        "1.0-rc1",
        "1.0-rc2",
        "1.0",
        "=1",
        "=1.0.0",
        "=01.00",
        "1.0-deb",
        "1.0.1",
        "6.1.0-13",
        "6.1.0-13-amd64",
        "6.1.0-14",
        "6.2rc1",
        "6.2",
        "6.18.44-fc",
        "12",
        "=12.0",
        "12345678901234567890123",
    };
    size_t n = sizeof order / sizeof order[0];
    size_t rank[sizeof order / sizeof order[0]] = {0};
    (void)state;
    for (size_t i = 1; i < n; i++) {
        rank[i] = rank[i - 1] + (order[i][0] == '=' ? 0 : 1);
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            const char *a = order[i] + (order[i][0] == '=' ? 1 : 0);
            const char *b = order[j] + (order[j][0] == '=' ? 1 : 0);
            int expected = rank[i] < rank[j] ? -1 : (rank[i] > rank[j] ? 1 : 0);
            if (compare(a, b) != expected) {
                fail_msg("%s and %s: %d", a, b, compare(a, b));
            }
        }
    }
}

static void test_versions_are_in_total_order(void **state)
{
    gp_random_t random;
    (void)state;
    gp_random_init(&random, 12);
    for (int i = 0; i < 50000; i++) {
        char v[3][12];
        for (int j = 0; j < 3; j++) {
            random_text(&random, "0012a.-brc", 8, v[j]);
        }
        assert_int_equal(compare(v[0], v[1]), -compare(v[1], v[0]));
        assert_int_equal(compare(v[0], v[0]), 0);
        if (compare(v[0], v[1]) <= 0 && compare(v[1], v[2]) <= 0 && compare(v[0], v[2]) > 0) {
            fail_msg("%s, %s, %s", v[0], v[1], v[2]);
        }
    }
}

/* Order is kept: what is earlier has no larger code. */
static void test_version_codes(void **state)
{
    static const struct {
        const char *version;
        uint32_t code;
    } cases[] = {
        {"", 0x0101},      {"0.0", 0x0101},
        {"6.1", 0x0803},   {"6.1.4", 0x0803},
        {"6.rc", 0x0800},  {"6.x", 0x0802},
        {"rc1", 0x0000},   {"x9", 0x0200},
        {"252", 0xfe01},   {"253.7", 0xff00},
        {"1.252", 0x03fe}, {"1.253", 0x03ff},
        {"24.04", 0x1a06}, {"1.9999999999999999999999", 0x03ff},
    };
    gp_random_t random;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(gp_version_code(gp_text(cases[i].version)), cases[i].code);
    }
    gp_random_init(&random, 13);
    for (int i = 0; i < 50000; i++) {
        char a[12];
        char b[12];
        random_text(&random, "0012259a.-brc", 8, a);
        random_text(&random, "0012259a.-brc", 8, b);
        uint32_t code_a = gp_version_code(gp_text(a));
        uint32_t code_b = gp_version_code(gp_text(b));
        int order = compare(a, b);
        if ((order <= 0 && code_a > code_b) || (order >= 0 && code_a < code_b)) {
            fail_msg("%s and %s: %u and %u", a, b, code_a, code_b);
        }
    }
}

static void test_compatible(void **state)
{
    static const struct {
        const char *version;
        const char *base;
        bool compatible;
    } cases[] = {
        {"6.1", "6.1", true},      {"6.18.44-fc", "6.1", true}, {"7.0", "6.1", false},
        {"6.0", "6.1", false},     {"6.1.4", "6.1.4", true},    {"6.1.9", "6.1.4", true},
        {"6.2.0", "6.1.4", false}, {"6.9", "6", true},          {"7", "6", false},
        {"12", "12.0", true},      {"12.5", "12.0", true},      {"x", "", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(gp_version_compatible(gp_text(cases[i].version), gp_text(cases[i].base)),
                         cases[i].compatible);
    }
}

static void test_words(void **state)
{
    gp_slice_t words = gp_text("avx avx2  sse4_2 ");
    gp_slice_t value;
    gp_glob_t glob;
    (void)state;
    assert_true(gp_words_have(words, gp_text("avx")));
    assert_true(gp_words_have(words, gp_text("sse4_2")));
    assert_false(gp_words_have(words, gp_text("sse4")));
    assert_false(gp_words_have(words, gp_text("")));
    assert_false(gp_words_have(gp_text(""), gp_text("avx")));
    gp_glob_compile(&glob, gp_text("sse*"));
    assert_true(gp_glob_match_any(&glob, words));
    gp_glob_compile(&glob, gp_text("*x s*"));
    assert_false(gp_glob_match_any(&glob, words)); /* words match alone */
    gp_slice_t labels = gp_text("a=1 ab=2 c= d");
    assert_true(gp_words_label(labels, gp_text("ab"), &value));
    assert_true(gp_slice_equal(value, gp_text("2")));
    assert_true(gp_words_label(labels, gp_text("c"), &value));
    assert_int_equal(value.n, 0);
    assert_false(gp_words_label(labels, gp_text("d"), &value));
    assert_false(gp_words_label(labels, gp_text("b"), &value));
}

static void test_text_order(void **state)
{
    (void)state;
    assert_true(gp_text_compare(gp_text("n1"), gp_text("n10")) < 0);
    assert_true(gp_text_compare(gp_text("n2"), gp_text("n10")) > 0);
    assert_int_equal(gp_text_compare(gp_text(""), (gp_slice_t){0}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glob),
        cmocka_unit_test(test_glob_against_recursion),
        cmocka_unit_test(test_longest_glob),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_versions_are_in_total_order),
        cmocka_unit_test(test_version_codes),
        cmocka_unit_test(test_compatible),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_text_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
