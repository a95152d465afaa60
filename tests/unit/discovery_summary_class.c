/* Classes and hashes: dominance, upper bounds, less detail. What was covered stays covered. */
#include "discovery/summary_inside.h"

#include <stdlib.h>

#include "proto/random.h"
#include "proto_cmocka.h"

static gp_summary_class_t class_of(uint64_t words, uint8_t cpu, uint8_t mem)
{
    gp_summary_class_t class = {.words = {words}};
    class.most[0] = cpu;
    class.most[1] = mem;
    return class;
}

static bool covered(const gp_summary_t *s, const gp_summary_class_t *class)
{
    for (uint32_t i = 0; i < s->class_count; i++) {
        if (gp_summary_class_within(class, &s->classes[i])) {
            return true;
        }
    }
    return false;
}

static void test_dominance(void **state)
{
    gp_summary_t s = {0};
    gp_summary_class_t small = class_of(1, 4, 4);
    gp_summary_class_t large = class_of(3, 4, 5);
    gp_summary_class_t other = class_of(4, 9, 1);
    (void)state;
    assert_true(gp_summary_class_within(&small, &small));
    assert_true(gp_summary_class_within(&small, &large));
    assert_false(gp_summary_class_within(&large, &small));
    assert_false(gp_summary_class_within(&other, &large));
    assert_true(gp_summary_class_compare(&small, &large) < 0);
    assert_true(gp_summary_class_compare(&other, &large) > 0);
    gp_summary_add(&s, &small);
    gp_summary_add(&s, &other);
    assert_int_equal(s.class_count, 2);
    gp_summary_add(&s, &large); /* in the place of the small one */
    assert_int_equal(s.class_count, 2);
    gp_summary_add(&s, &small);
    assert_int_equal(s.class_count, 2);
    small.hashed[1] = 1;
    gp_summary_add(&s, &small);
    assert_int_equal(s.class_count, 3);
    gp_summary_sort(&s);
    assert_true(gp_summary_class_compare(&s.classes[0], &s.classes[1]) < 0);
    assert_true(gp_summary_class_compare(&s.classes[1], &s.classes[2]) < 0);
}

static void test_the_best(void **state)
{
    gp_summary_t s = {0};
    gp_summary_class_t a = {0};
    (void)state;
    assert_int_equal(gp_summary_best(&s, GP_SUMMARY_AT_CPU), GP_SUMMARY_NO_CODE);
    a.most[GP_SUMMARY_AT_CPU] = gp_summary_most(GP_SUMMARY_AT_CPU, 7);
    a.most[GP_SUMMARY_AT_LOAD_1] = gp_summary_most(GP_SUMMARY_AT_LOAD_1, 3);
    gp_summary_add(&s, &a);
    a.most[GP_SUMMARY_AT_CPU] = gp_summary_most(GP_SUMMARY_AT_CPU, 5);
    a.most[GP_SUMMARY_AT_LOAD_1] = gp_summary_most(GP_SUMMARY_AT_LOAD_1, 2);
    gp_summary_add(&s, &a);
    assert_int_equal(s.class_count, 2);
    assert_int_equal(gp_summary_best(&s, GP_SUMMARY_AT_CPU), 7);
    assert_int_equal(gp_summary_best(&s, GP_SUMMARY_AT_LOAD_1), 2); /* less is better */
    assert_int_equal(gp_summary_best(&s, GP_SUMMARY_AT_MEM), GP_SUMMARY_NO_CODE);
}

/* The two that differ least become one. */
static void test_the_nearest_are_merged(void **state)
{
    gp_summary_t s = {0};
    gp_summary_class_t classes[] = {class_of(1, 10, 20), class_of(1, 40, 10), class_of(1, 41, 9),
                                    class_of(2, 10, 20)};
    gp_summary_class_t both = class_of(1, 41, 10);
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        gp_summary_add(&s, &classes[i]);
    }
    assert_int_equal(gp_summary_class_apart(&classes[1], &classes[2], 99), 4);
    assert_int_equal(gp_summary_class_apart(&classes[0], &classes[3], 99), 48); /* arch, twice */
    assert_in_range(gp_summary_class_apart(&classes[0], &classes[3], 20), 20, 48);
    gp_summary_merge(&s);
    assert_int_equal(s.class_count, 3);
    assert_true(covered(&s, &both));
    assert_true(covered(&s, &classes[0]) && covered(&s, &classes[3]));
    both.most[0] = 42;
    assert_false(covered(&s, &both));
}

static gp_summary_class_t random_class(gp_random_t *random, uint32_t hashes)
{
    gp_summary_class_t class = {0};
    for (uint32_t i = 0; i < 12; i++) {
        gp_summary_bit_set(class.words, (uint32_t)gp_random_below(random, gp_summary_word_count()));
    }
    for (uint32_t i = 0; i < 6 && hashes > 0; i++) {
        gp_summary_bit_set(class.hashed, (uint32_t)gp_random_below(random, hashes));
    }
    for (uint32_t i = 0; i < GP_SUMMARY_DIMS; i++) {
        class.most[i] = (uint8_t)gp_random_below(random, 16);
    }
    return class;
}

/* More classes than there is room for, in memory and on the wire: all stay covered. */
static void test_full(void **state)
{
    gp_summary_class_t classes[200];
    gp_summary_t s = {.machines = 200};
    gp_random_t random;
    (void)state;
    gp_random_init(&random, 8);
    for (size_t i = 0; i < 200; i++) {
        classes[i] = random_class(&random, 0);
        gp_summary_add(&s, &classes[i]);
        assert_true(s.class_count <= GP_SUMMARY_CLASSES_MAX);
    }
    assert_true(s.class_count > 32);
    gp_summary_fit(&s);
    assert_true(gp_summary_bits(&s) <= GP_SUMMARY_MAX * 8);
    assert_in_range(s.class_count, 1, 31);
    for (size_t i = 0; i < 200; i++) {
        assert_true(covered(&s, &classes[i]));
    }
}

static bool class_has(const gp_summary_t *s, uint32_t class, uint32_t hash)
{
    uint32_t at = gp_summary_hash_find(s, hash);
    return at < s->hash_count && gp_summary_bit(s->classes[class].hashed, at);
}

/* Hashes are found as long as they have a bit, also after more of them than there is room for. */
static void test_hashes(void **state)
{
    static uint32_t hashes[1000];
    gp_summary_t s = {0};
    gp_random_t random;
    uint32_t wrong = 0;
    (void)state;
    gp_random_init(&random, 9);
    for (size_t i = 0; i < 1000; i++) {
        hashes[i] = (uint32_t)gp_random_below(&random, 1u << GP_SUMMARY_HASH_BITS);
        gp_summary_hash_add(&s, hashes[i]);
        if (i == 99) {
            assert_true(s.hash_dropped == 0 && s.hash_count > 90);
            for (uint32_t probe = 0; probe < 1000; probe++) {
                uint32_t any = (uint32_t)gp_random_below(&random, 1u << GP_SUMMARY_HASH_BITS);
                wrong += gp_summary_hash_find(&s, any) < s.hash_count ? 1 : 0;
            }
            assert_in_range(wrong, 0, 30);
        }
        assert_true(gp_summary_hash_find(&s, hashes[i]) < s.hash_count);
    }
    assert_true(s.hash_dropped > 0);
    while (s.hash_dropped < GP_SUMMARY_HASH_BITS) {
        gp_summary_hash_drop(&s);
        for (size_t i = 0; i < 1000; i++) {
            assert_true(gp_summary_hash_find(&s, hashes[i]) < s.hash_count);
        }
    }
    assert_int_equal(s.hash_count, 1);
}

/* Which class has which hash survives the loss of bits, and the union with other hashes. */
static void test_hashes_of_classes(void **state)
{
    gp_summary_t s[2] = {{0}, {0}};
    uint32_t hashes[2][100];
    gp_random_t random;
    (void)state;
    gp_random_init(&random, 10);
    for (uint32_t k = 0; k < 2; k++) {
        for (uint32_t i = 0; i < 100; i++) {
            hashes[k][i] = (uint32_t)gp_random_below(&random, 1u << GP_SUMMARY_HASH_BITS);
            gp_summary_hash_add(&s[k], hashes[k][i]);
        }
        for (uint32_t c = 0; c < 2; c++) { /* even and odd ones; the words keep them apart */
            gp_summary_class_t class = {.words = {1u << c}};
            for (uint32_t i = c; i < 100; i += 2) {
                gp_summary_bit_set(class.hashed, gp_summary_hash_find(&s[k], hashes[k][i]));
            }
            gp_summary_add(&s[k], &class);
        }
    }
    assert_false(gp_summary_hash_unite(&s[0], &s[1]));
    while (!gp_summary_hash_unite(&s[0], &s[1])) {
        gp_summary_hash_drop(&s[0]);
        gp_summary_hash_drop(&s[1]);
    }
    assert_in_range(s[0].hash_dropped, 1, 8);
    for (uint32_t i = 0; i < 100; i++) {
        assert_true(class_has(&s[0], i % 2, hashes[0][i]));
        assert_true(gp_summary_hash_find(&s[0], hashes[1][i]) < s[0].hash_count);
    }
    s[1].hash_count = s[0].hash_count; /* its classes have the bits of both */
    memcpy(s[1].hashes, s[0].hashes, sizeof s[0].hashes);
    for (uint32_t i = 0; i < 100; i++) {
        assert_true(class_has(&s[1], i % 2, hashes[1][i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dominance),
        cmocka_unit_test(test_the_best),
        cmocka_unit_test(test_the_nearest_are_merged),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_hashes_of_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
