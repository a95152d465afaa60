/* What stands right of an operator: the ranges and texts that conditions compile to. */
#include "discovery_driver.h"

static gp_query_t query;

static const gp_query_term_t *term(const char *text)
{
    gp_query_error_t error;
    if (gp_query_compile(gp_text(text), &query, &error) != GP_OK) {
        fail_msg("%s: %s", text, error.text);
    }
    assert_int_equal(query.term_count, 1);
    return &query.terms[0];
}

static void test_comparisons_become_ranges(void **state)
{
    static const struct {
        const char *text;
        bool negated;
        uint32_t values; /* 0: never true */
        uint64_t low;
        uint64_t high;
    } cases[] = {
        {"cpu == 4", false, 1, 4, 4},
        {"cpu != 4", true, 1, 4, 4},
        {"cpu < 4", false, 1, 0, 3},
        {"cpu <= 4", false, 1, 0, 4},
        {"cpu > 4", false, 1, 5, UINT64_MAX},
        {"cpu >= 4", false, 1, 4, UINT64_MAX},
        {"cpu < 0", false, 0, 0, 0},
        {"cpu > 18446744073709551615", false, 0, 0, 0},
        {"cpu >= 18446744073709551615", false, 1, UINT64_MAX, UINT64_MAX},
        {"cpu == 3.5", false, 0, 0, 0},
        {"cpu != 3.5", true, 0, 0, 0},
        {"cpu < 3.5", false, 1, 0, 3},
        {"cpu <= 3.5", false, 1, 0, 3},
        {"cpu > 3.5", false, 1, 4, UINT64_MAX},
        {"cpu >= 3.5", false, 1, 4, UINT64_MAX},
        {"cpu in 2..4", false, 1, 2, 4},
        {"cpu != 2..4", true, 1, 2, 4},
        {"cpu in 2.5..4.5", false, 1, 3, 4},
        {"cpu in 2.1..2.9", false, 0, 0, 0},
        {"cpu not in {7}", true, 1, 7, 7},
        {"mem >= 1.5KiB", false, 1, 1536, UINT64_MAX},
        {"mem in 1 KiB .. 2KiB", false, 1, 1024, 2048},
        {"net.ipv6 == true", false, 1, 1, 1},
        {"net.ipv6 != true", true, 1, 1, 1},
        {"net.ipv6 == yes", false, 1, 1, 1},
        {"net.ipv6 == 1", false, 1, 1, 1},
        {"net.ipv6 == 0", false, 1, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const gp_query_term_t *t = term(cases[i].text);
        assert_int_equal(t->op, GP_TERM_RANGES);
        assert_int_equal(t->negated, cases[i].negated);
        assert_int_equal(t->values, cases[i].values);
        if (t->values > 0) {
            assert_true(query.values[t->value].low == cases[i].low);
            assert_true(query.values[t->value].high == cases[i].high);
        }
    }
}

static void test_operators(void **state)
{
    static const struct {
        const char *text;
        gp_term_op_t op;
        uint32_t values;
    } cases[] = {
        {"gpu", GP_TERM_TRUTH, 0},
        {"gpu is set", GP_TERM_SET, 0},
        {"cpu in {1, 2..3, 4}", GP_TERM_RANGES, 3},
        {"arch == x", GP_TERM_TEXTS, 1},
        {"arch in {x, 'y z'}", GP_TERM_TEXTS, 2},
        {"kernel >= 6.1", GP_TERM_VERSIONS, 1},
        {"kernel in {5, 6..7}", GP_TERM_VERSIONS, 2},
        {"name like a*", GP_TERM_GLOB, 1},
        {"has {a, b, c}", GP_TERM_HAS, 3},
        {"has has a", GP_TERM_HAS, 1},
        {"mem >= mem.free", GP_TERM_ATTR, 0},
        {"kernel >= libc", GP_TERM_ATTR, 0},
        {"kernel == arch", GP_TERM_VERSIONS, 1}, /* arch is no version: a word */
        {"name == arch", GP_TERM_TEXTS, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const gp_query_term_t *t = term(cases[i].text);
        assert_int_equal(t->op, cases[i].op);
        assert_int_equal(t->values, cases[i].values);
    }
}

static void test_texts_keep_their_place(void **state)
{
    (void)state;
    const gp_query_term_t *t = term("tag.rack in {r3, \"r 4\"}");
    assert_int_equal(t->attr, GP_ATTR_TAG);
    assert_memory_equal(query.text + t->key.at, "rack", t->key.n);
    assert_int_equal(t->key.n, 4);
    const gp_query_value_t *v = &query.values[t->value];
    assert_int_equal(v[0].text.n, 2);
    assert_memory_equal(query.text + v[0].text.at, "r3", 2);
    assert_int_equal(v[1].text.n, 3);
    assert_memory_equal(query.text + v[1].text.at, "r 4", 3);
}

static void test_ranges_of_versions(void **state)
{
    (void)state;
    const gp_query_term_t *t = term("kernel in 6.1..6.18.44-fc");
    const gp_query_value_t *v = &query.values[t->value];
    assert_int_equal(v->compare, GP_COMPARE_RANGE);
    assert_memory_equal(query.text + v->text.at, "6.1", v->text.n);
    assert_memory_equal(query.text + v->text2.at, "6.18.44-fc", v->text2.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparisons_become_ranges),
        cmocka_unit_test(test_operators),
        cmocka_unit_test(test_texts_keep_their_place),
        cmocka_unit_test(test_ranges_of_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
