/* Digests of names: nobody is lost, few are asked in vain, regions are their sub-Grids joined. */
#include "discovery/route_names.h"

#include <stdio.h>

#include "proto_cmocka.h"

static gp_query_t query;

static void compile(const char *text)
{
    gp_query_error_t error;
    if (gp_query_compile(gp_text(text), &query, &error) != GP_OK) {
        fail_msg("%s: %s", text, error.text);
    }
}

static gp_slice_t digest_of(uint32_t from, uint32_t count, uint8_t bytes[GP_PLACE_NAMES_MAX])
{
    static gp_route_names_t names;
    memset(&names, 0, sizeof names);
    for (uint32_t i = from; i < from + count; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "n%u", i);
        gp_route_names_add(&names, gp_text(name));
    }
    return gp_slice(bytes, gp_route_names_pack(&names, bytes));
}

static uint32_t maybes(gp_slice_t digest, uint32_t from, uint32_t count)
{
    uint32_t n = 0;
    for (uint32_t i = from; i < from + count; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "name == n%u", i);
        compile(text);
        n += gp_route_names_may_match(digest, &query) ? 1 : 0;
    }
    return n;
}

static void test_few_in_vain(void **state)
{
    static uint8_t bytes[GP_PLACE_NAMES_MAX];
    (void)state;
    gp_slice_t digest = digest_of(0, 64, bytes);
    assert_in_range(digest.n, 120, 128);
    assert_int_equal(maybes(digest, 0, 64), 64);
    assert_in_range(maybes(digest, 100000, 10000), 1, 25); /* one in a thousand */
    digest = digest_of(0, 4000, bytes);
    assert_in_range(digest.n, 7000, 8000);
    assert_int_equal(maybes(digest, 0, 4000), 4000);
    assert_in_range(maybes(digest, 100000, 10000), 300, 800); /* one in 16 */
}

static void test_joined(void **state)
{
    static uint8_t bytes[3][GP_PLACE_NAMES_MAX];
    static gp_route_names_t names;
    (void)state;
    memset(&names, 0, sizeof names);
    gp_route_names_join(&names, digest_of(0, 50, bytes[0]));
    gp_route_names_join(&names, digest_of(50, 50, bytes[0]));
    gp_slice_t joined = gp_slice(bytes[1], gp_route_names_pack(&names, bytes[1]));
    assert_true(gp_slice_equal(joined, digest_of(0, 100, bytes[2])));
    gp_route_names_join(&names, gp_slice("\1\2\3", 3)); /* half a hash is none */
    joined = gp_slice(bytes[1], gp_route_names_pack(&names, bytes[1]));
    assert_int_equal(joined.n, gp_slice(bytes[2], digest_of(0, 100, bytes[2]).n).n + 2);
}

/* Too many, and it may have any; so has who joins it. */
static void test_too_many(void **state)
{
    static uint8_t bytes[GP_PLACE_NAMES_MAX];
    static gp_route_names_t names;
    (void)state;
    gp_slice_t digest = digest_of(0, 5000, bytes);
    assert_int_equal(digest.n, 1);
    assert_int_equal(maybes(digest, 100000, 100), 100);
    memset(&names, 0, sizeof names);
    gp_route_names_join(&names, digest);
    digest = gp_slice(bytes, gp_route_names_pack(&names, bytes));
    assert_int_equal(maybes(digest, 200000, 100), 100);
}

static void test_what_a_query_says_of_names(void **state)
{
    static const struct {
        const char *query;
        bool may;
        const char *only;
    } rows[] = {
        {"", true, ""},
        {"cpu >= 4", true, ""},
        {"name == n7", true, "n7"},
        {"name == n700", false, "n700"},
        {"name == \"n7\" and cpu >= 4", true, "n7"},
        {"cpu >= 4 and name == n700", false, "n700"},
        {"name in {n700, n7}", true, ""},
        {"name in {n700, n701}", false, ""},
        {"name == n700 or cpu >= 4", true, ""},
        {"not name == n700", true, ""},
        {"name != n700", true, ""},
        {"name like n70*", true, ""},
        {"name == n7 and name == n700", false, "n7"},
        {"name is set", true, ""},
        {"region == n700", true, ""},
    };
    static uint8_t bytes[GP_PLACE_NAMES_MAX];
    (void)state;
    gp_slice_t digest = digest_of(0, 20, bytes);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        compile(rows[i].query);
        if (gp_route_names_may_match(digest, &query) != rows[i].may ||
            !gp_slice_equal(gp_route_names_only(&query), gp_text(rows[i].only))) {
            fail_msg("%s", rows[i].query);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_in_vain),
        cmocka_unit_test(test_joined),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_what_a_query_says_of_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
