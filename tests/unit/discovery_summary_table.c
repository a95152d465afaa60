/* What a summary keeps: rounding that keeps the order, words that have one bit each, hashes. */
#include "discovery/summary_table.h"

#include "discovery/summary.h"
#include "proto/random.h"
#include "proto_cmocka.h"

#define NUMBERS 20000

static bool is_version(uint32_t index)
{
    return gp_summary_numbers[index].scale == GP_SCALE_VERSION;
}

static void check_number(uint32_t index, uint64_t number)
{
    uint32_t code = gp_summary_code(index, number);
    assert_true(code <= gp_summary_code_max(index));
    assert_true(gp_summary_least(index, code) <= number);
    assert_true(number <= gp_summary_greatest(index, code));
    assert_int_equal(gp_summary_code(index, gp_summary_least(index, code)), code);
    assert_int_equal(gp_summary_code(index, gp_summary_greatest(index, code)), code);
}

/* Each number lies in its bucket, buckets do not overlap, and a larger number has no smaller code.
 */
static void test_codes(void **state)
{
    gp_random_t random;
    (void)state;
    gp_random_init(&random, 1);
    for (uint32_t index = 0; index < GP_SUMMARY_NUMBERS_COUNT; index++) {
        if (is_version(index)) {
            continue;
        }
        check_number(index, 0);
        check_number(index, UINT64_MAX);
        for (int i = 0; i < NUMBERS; i++) {
            uint64_t number = gp_random_next(&random) >> gp_random_below(&random, 64);
            uint64_t other = gp_random_next(&random) >> gp_random_below(&random, 64);
            check_number(index, number);
            check_number(index, (uint64_t)i);
            assert_true((gp_summary_code(index, number) <= gp_summary_code(index, other)) ||
                        number > other);
        }
    }
}

/* What people ask for lies on the edge of a bucket, so nothing is asked in vain there. */
static void test_edges(void **state)
{
    static const struct {
        uint32_t index;
        uint64_t number;
    } edges[] = {
        {GP_SUMMARY_AT_CPU, 3},
        {GP_SUMMARY_AT_CPU, 6},
        {GP_SUMMARY_AT_CPU, 12},
        {GP_SUMMARY_AT_CPU, 96},
        {GP_SUMMARY_AT_MEM_FREE, 8 * GP_GIB},
        {GP_SUMMARY_AT_MEM_FREE, 12 * GP_GIB},
        {GP_SUMMARY_AT_DISK_FREE, 512 * GP_GIB},
        {GP_SUMMARY_AT_CPU_IDLE, 250},
        {GP_SUMMARY_AT_CPU_IDLE, 500},
        {GP_SUMMARY_AT_CPU_FREE, 4000},
        {GP_SUMMARY_AT_CPU_FREE, 1500},
        {GP_SUMMARY_AT_LOAD_1, 1000},
        {GP_SUMMARY_AT_GPU, 1},
        {GP_SUMMARY_AT_LEND_NOW, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        uint32_t code = gp_summary_code(edges[i].index, edges[i].number);
        assert_int_equal(gp_summary_least(edges[i].index, code), edges[i].number);
    }
}

/* Codes that no number has say so: a hostile summary may hold them. */
static void test_codes_that_none_has(void **state)
{
    (void)state;
    for (uint32_t index = 0; index < GP_SUMMARY_NUMBERS_COUNT; index++) {
        for (uint32_t code = 0; code <= gp_summary_code_max(index); code++) {
            uint64_t least = gp_summary_least(index, code);
            uint64_t greatest = gp_summary_greatest(index, code);
            if (least <= greatest && !is_version(index) && least != UINT64_MAX) {
                assert_int_equal(gp_summary_code(index, least), code);
            }
        }
    }
    assert_true(gp_summary_least(GP_SUMMARY_AT_CPU, 2) >
                gp_summary_greatest(GP_SUMMARY_AT_CPU, 2)); /* between 1 and 2 */
}

static void test_numbers(void **state)
{
    (void)state;
    for (uint32_t index = 0; index < GP_SUMMARY_NUMBERS_COUNT; index++) {
        const gp_summary_number_t *n = &gp_summary_numbers[index];
        const gp_attribute_t *attribute = gp_attribute(n->attr);
        assert_true(n->attr < GP_SUMMARY_ATTRS && attribute != NULL);
        assert_int_equal(gp_summary_number_find(n->attr), index);
        assert_int_equal(is_version(index), attribute->type == GP_TYPE_VERSION);
        assert_true(is_version(index) || gp_type_is_number(attribute->type));
        if (index < GP_SUMMARY_DIMS) {
            assert_true(gp_summary_code_max(index) < UINT8_MAX && n->weight > 0);
        }
    }
    assert_int_equal(gp_summary_number_find(GP_ATTR_ARCH), GP_SUMMARY_NUMBERS_COUNT);
}

/* All bits belong to one attribute each, all of its words have their own, and others share one. */
static void test_words(void **state)
{
    uint32_t next = 0;
    (void)state;
    for (uint32_t i = 0; i < gp_summary_text_count; i++) {
        const gp_summary_text_t *text = &gp_summary_texts[i];
        assert_int_equal(text->first, next);
        assert_ptr_equal(gp_summary_text_find(text->attr), text);
        for (uint32_t w = 0; w < text->count; w++) {
            gp_slice_t word = gp_slice(text->words[w].text, text->words[w].n);
            assert_int_equal(gp_summary_word_find(text, word), text->first + w);
            assert_int_equal(gp_summary_word_weight(text->first + w), text->weight);
        }
        next = (uint32_t)text->first + text->count;
        assert_int_equal(gp_summary_word_find(text, gp_text("zork")), next);
        assert_int_equal(gp_summary_word_find(text, gp_text("")), next);
        assert_int_equal(gp_summary_word_weight(next), text->weight);
        next += 1;
    }
    assert_int_equal(gp_summary_word_count(), next);
    assert_true(next <= GP_SUMMARY_WORDS);
    assert_null(gp_summary_text_find(GP_ATTR_NAME));
}

/* Every attribute is kept but these. */
static void test_what_is_not_kept(void **state)
{
    (void)state;
    for (uint32_t attr = 1; attr < GP_ATTR_COUNT; attr++) {
        bool kept = gp_summary_number_find(attr) < GP_SUMMARY_NUMBERS_COUNT ||
                    gp_summary_text_find(attr) != NULL;
        if (kept == (attr == GP_ATTR_NAME || attr == GP_ATTR_CPU_MODEL || attr == GP_ATTR_RTT)) {
            fail_msg("%s", gp_attribute(attr)->name);
        }
    }
}

static void test_hashes(void **state)
{
    uint32_t one[2];
    uint32_t two[2];
    (void)state;
    assert_int_equal(gp_summary_hash(GP_ATTR_HAS, gp_text("a=b"), one), 1);
    assert_true(one[0] >> GP_SUMMARY_HASH_BITS == 0);
    assert_int_equal(gp_summary_hash(GP_ATTR_OS_ID, gp_text("a=b"), two), 1);
    assert_int_not_equal(one[0], two[0]);
    assert_int_equal(gp_summary_hash(GP_ATTR_TAG, gp_text("rack"), one), 1);
    assert_int_equal(gp_summary_hash(GP_ATTR_TAG, gp_text("rack=r=3"), two), 2);
    assert_int_not_equal(one[0], two[0]);
    assert_int_equal(two[0], gp_summary_hash_key(gp_text("rack")));
    assert_int_equal(two[1], gp_summary_hash_label(gp_text("rack"), gp_text("r=3")));
    assert_int_not_equal(two[1], gp_summary_hash_label(gp_text("rac"), gp_text("kr=3")));
    assert_int_equal(gp_summary_hash(GP_ATTR_TAG, gp_text("k="), two), 2);
    assert_int_equal(two[1], gp_summary_hash_label(gp_text("k"), gp_text("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_codes_that_none_has),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_what_is_not_kept),
        cmocka_unit_test(test_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
