/* The bytes of a summary: one form each; whatever else comes is refused, and nothing crashes. */
#include "discovery/summary_inside.h"

#include <stdlib.h>

#include "discovery_driver.h"
#include "discovery_summary_lab.h"

static gp_error_t read_bytes(const uint8_t *bytes, size_t n, gp_summary_t *summary)
{
    uint8_t *exact = malloc(n > 0 ? n : 1); /* so that a byte too many is seen */
    assert_non_null(exact);
    memcpy(exact, bytes, n);
    gp_error_t result = gp_summary_read(gp_slice(exact, n), summary);
    free(exact);
    return result;
}

/* What is accepted is packed to the same bytes, and can be asked. */
static bool accepts(const uint8_t *bytes, size_t n)
{
    static gp_query_t query;
    static gp_summary_t summary;
    gp_query_error_t error;
    uint8_t again[GP_SUMMARY_MAX];
    if (read_bytes(bytes, n, &summary) != GP_OK) {
        return false;
    }
    gp_summary_check(&summary);
    assert_int_equal(gp_summary_pack(&summary, again), n);
    assert_memory_equal(again, bytes, n);
    const char *text = "cpu >= 4 and mem.free < 8GiB and kernel ~= 6 and tag.k == v and not gpu";
    assert_int_equal(gp_query_compile(gp_text(text), &query, &error), GP_OK);
    (void)gp_summary_may_match(&summary, &query);
    return true;
}

static size_t wild_bytes(gp_random_t *random, uint8_t bytes[GP_SUMMARY_MAX])
{
    gp_summary_t summary;
    gp_records_t *r = driver_records(1 + (uint32_t)gp_random_below(random, 40));
    lab_wild_records(random, r);
    gp_summary_make(r, UINT64_MAX, &summary);
    free(r);
    return gp_summary_pack(&summary, bytes);
}

static void test_one_form(void **state)
{
    gp_random_t random;
    (void)state;
    gp_random_init(&random, 20);
    for (int i = 0; i < 300; i++) {
        uint8_t bytes[GP_SUMMARY_MAX + 1] = {0};
        size_t n = wild_bytes(&random, bytes);
        assert_true(accepts(bytes, n));
        assert_false(accepts(bytes, n + 1));
    }
}

static void test_truncated(void **state)
{
    gp_random_t random;
    (void)state;
    gp_random_init(&random, 21);
    for (int i = 0; i < 100; i++) {
        uint8_t bytes[GP_SUMMARY_MAX];
        size_t n = wild_bytes(&random, bytes);
        for (size_t less = 0; less < n; less++) {
            assert_false(accepts(bytes, less));
        }
    }
}

/* Some flipped bits make another summary: also that one has one form. */
static void test_flipped(void **state)
{
    gp_random_t random;
    uint32_t accepted = 0;
    uint32_t refused = 0;
    (void)state;
    gp_random_init(&random, 22);
    for (int i = 0; i < 60; i++) {
        uint8_t bytes[GP_SUMMARY_MAX];
        size_t n = wild_bytes(&random, bytes);
        for (size_t bit = 0; bit < n * 8; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            bool yes = accepts(bytes, n);
            accepted += yes ? 1 : 0;
            refused += yes ? 0 : 1;
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    assert_true(accepted > 1000 && refused > 1000);
}

static void test_noise(void **state)
{
    gp_random_t random;
    (void)state;
    gp_random_init(&random, 23);
    for (int i = 0; i < 200000; i++) {
        uint8_t bytes[GP_SUMMARY_MAX];
        size_t n = 1 + (size_t)gp_random_below(&random, GP_SUMMARY_MAX);
        for (size_t at = 0; at < n; at++) {
            bytes[at] = (uint8_t)(gp_random_next(&random) & gp_random_next(&random));
        }
        bytes[0] = GP_SUMMARY_VERSION;
        (void)accepts(bytes, n);
    }
}

static void test_errors(void **state)
{
    uint8_t bytes[GP_SUMMARY_MAX + 1] = {0};
    gp_summary_t summary = {0};
    (void)state;
    size_t n = gp_summary_pack(&summary, bytes);
    assert_int_equal(read_bytes(bytes, n, &summary), GP_OK);
    assert_int_equal(summary.machines, 0);
    assert_int_equal(read_bytes(bytes, 0, &summary), GP_E_MESSAGE_DECODE);
    assert_int_equal(read_bytes(bytes, n - 1, &summary), GP_E_MESSAGE_DECODE);
    assert_int_equal(read_bytes(bytes, sizeof bytes, &summary), GP_E_MESSAGE_LIMIT);
    bytes[0] = GP_SUMMARY_VERSION + 1;
    assert_int_equal(read_bytes(bytes, n, &summary), GP_E_MESSAGE_VERSION);
}

/* ---- bit by bit --------------------------------------------------------------------------------
 */

typedef struct bits {
    uint8_t bytes[2 * GP_SUMMARY_MAX];
    size_t n;
} bits_t;

static void put(bits_t *bits, uint32_t number, uint32_t width)
{
    for (uint32_t i = width; i > 0; i--) {
        assert_true(bits->n < sizeof bits->bytes * 8);
        bits->bytes[bits->n / 8] |= (uint8_t)((number >> (i - 1) & 1) << (7 - bits->n % 8));
        bits->n += 1;
    }
}

static void put_zeros(bits_t *bits, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        put(bits, 0, 1);
    }
}

static void put_gamma(bits_t *bits, uint32_t number)
{
    uint32_t width = 0;
    while ((uint64_t)(number + 1) >> width != 0) {
        width += 1;
    }
    put_zeros(bits, width - 1);
    put(bits, number + 1, width);
}

/* A machine that knows nothing but its labels, with hashes 0, 1, 2 ... of eight bits. */
static bool accepts_hashes(uint32_t hashes, uint32_t classes, uint32_t dropped)
{
    bits_t bits = {.n = 0};
    put(&bits, GP_SUMMARY_VERSION, 8);
    put_gamma(&bits, 1);
    put_gamma(&bits, 0);
    for (uint32_t attr = 1; attr < GP_SUMMARY_ATTRS; attr++) {
        put(&bits, attr == GP_ATTR_TAG ? 0 : 3, attr == GP_ATTR_TAG ? 1 : 2);
    }
    put_gamma(&bits, classes);
    put_zeros(&bits, classes > 1 && classes < 500 ? classes - 1 : 0);
    put_gamma(&bits, hashes);
    put(&bits, dropped, 4);
    put_zeros(&bits, hashes);
    put_zeros(&bits, gp_summary_word_count() - 1);
    put(&bits, 2, 2); /* any other label */
    put_zeros(&bits, hashes);
    size_t n = (bits.n + 7) / 8;
    return n <= GP_SUMMARY_MAX && accepts(bits.bytes, n);
}

static void test_bounds(void **state)
{
    uint8_t zeros[GP_SUMMARY_MAX] = {GP_SUMMARY_VERSION};
    (void)state;
    assert_false(accepts(zeros, sizeof zeros)); /* a number of endless width */
    assert_true(accepts_hashes(GP_SUMMARY_HASHES_MAX, 1, 6));
    assert_false(accepts_hashes(GP_SUMMARY_HASHES_MAX + 1, 1, 6));
    assert_false(accepts_hashes(250, 1, 6));
    assert_false(accepts_hashes(GP_SUMMARY_HASHES_MAX, 1, 15)); /* more bits than there are */
    assert_false(accepts_hashes(1, GP_SUMMARY_CLASSES_MAX, 6)); /* all the same */
    assert_false(accepts_hashes(1, GP_SUMMARY_CLASSES_MAX + 1, 6));
    assert_false(accepts_hashes(1, 400, 6));
    assert_false(accepts_hashes(1, UINT32_MAX - 1, 6));
}

/* The bytes are for ever: peers of one version read each other. */
static void test_the_same_bytes_for_ever(void **state)
{
    static const uint8_t golden[] = {
        0x01, 0x29, 0x3f, 0xbe, 0xfb, 0xff, 0xef, 0xeb, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xfe, 0x22,
        0xc0, 0x62, 0x16, 0x6b, 0xeb, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x1a, 0x03, 0x80, 0x00, 0x00, 0x00, 0x33, 0xe0, 0xc7, 0x01,
        0x43, 0x8a, 0x18, 0x51, 0xac, 0x0f, 0xf8, 0x5a, 0x10, 0x00, 0x40, 0x20, 0x80};
    uint8_t bytes[GP_SUMMARY_MAX];
    gp_summary_t s;
    gp_records_t *r = driver_records(4);
    (void)state;
    driver_set(r, 0, "arch=x86_64 cpu=4 mem=8GiB mem.free=8GiB load.1=1 kernel=6.1 has=gcc,make");
    driver_set(r, 1, "arch=x86_64 cpu=4 mem=8GiB mem.free=2GiB load.1=0 kernel=6.1 has=gcc,make");
    driver_set(r, 2, "arch=aarch64 cpu=2 mem=4GiB mem.free=1GiB load.1=2 kernel=6.8 tag=k=v");
    gp_summary_make(r, 15, &s);
    free(r);
    assert_int_equal(s.class_count, 3);
    size_t n = gp_summary_pack(&s, bytes);
    assert_int_equal(n, sizeof golden);
    assert_memory_equal(bytes, golden, n);
}

/* ---- what no maker makes -----------------------------------------------------------------------
 */

/* Two machines whose classes differ in one thing each. */
static gp_summary_t two_classes(void)
{
    gp_summary_t s;
    gp_records_t *r = driver_records(2);
    driver_set(r, 0, "arch=x86_64 cpu=4 mem=8GiB kernel=6.1 load.1=1 os.id=zork");
    driver_set(r, 1, "arch=x86_64 cpu=2 mem=16GiB kernel=6.9 load.1=2 os.id=blorb");
    gp_summary_make(r, 3, &s);
    free(r);
    gp_summary_check(&s);
    assert_int_equal(s.class_count, 2);
    assert_int_equal(s.hash_count, 2);
    return s;
}

/* Sound, or not: and what is not is refused when it comes as bytes. */
static void unsound(const gp_summary_t *s)
{
    uint8_t bytes[GP_SUMMARY_MAX];
    gp_summary_t read;
    assert_false(gp_summary_sound(s));
    size_t n = gp_summary_pack(s, bytes);
    if (read_bytes(bytes, n, &read) == GP_OK) {
        gp_summary_check(&read); /* it says something else in other words: that is not that form */
        uint8_t again[GP_SUMMARY_MAX];
        assert_int_equal(gp_summary_pack(&read, again), n);
        assert_memory_equal(again, bytes, n);
    }
}

static void test_unsound(void **state)
{
    gp_summary_t good = two_classes();
    gp_summary_t s = good;
    (void)state;
    s.classes[0] = good.classes[1];
    s.classes[1] = good.classes[0]; /* out of order */
    unsound(&s);
    s = good;
    s.classes[1] = s.classes[0]; /* twice */
    unsound(&s);
    s = good;
    s.classes[0].words[0] |= s.classes[1].words[0];
    memset(s.classes[0].hashed, 0xff, sizeof s.classes[0].hashed);
    memset(s.classes[0].most, 0xff, sizeof s.classes[0].most); /* dominates, and no such codes */
    unsound(&s);
    s = good;
    s.recorded = 3; /* of two */
    unsound(&s);
    s = good;
    s.classes[0].hashed[0] = 0; /* nobody has that hash */
    s.classes[1].hashed[0] = 2;
    unsound(&s);
    s = good;
    s.hashes[1] = 1u << GP_SUMMARY_HASH_BITS; /* more bits than there are */
    unsound(&s);
    s = good;
    s.hashes[1] = s.hashes[0];
    assert_false(gp_summary_sound(&s));
    s = good;
    s.high[GP_SUMMARY_AT_CPU] += 1; /* but no class has it */
    assert_false(gp_summary_sound(&s));
    s = good;
    s.high[GP_SUMMARY_AT_KERNEL] = (uint16_t)(s.low[GP_SUMMARY_AT_KERNEL] - 1);
    assert_false(gp_summary_sound(&s));
    s = good;
    s.high[GP_SUMMARY_AT_LIBC] = 1; /* which nobody knows */
    unsound(&s);
    s = good;
    s.class_count = 0;
    unsound(&s);
    s = good;
    s.classes[0].most[GP_SUMMARY_AT_GPU] = 1; /* which nobody knows */
    unsound(&s);
    s = good;
    s.classes[0].most[GP_SUMMARY_AT_LEND_NOW] = 17; /* a code above the last */
    s.known[GP_ATTR_LEND_NOW] = GP_SUMMARY_SOME;
    s.high[GP_SUMMARY_AT_LEND_NOW] = 16;
    unsound(&s);
}

static void test_dominated(void **state)
{
    gp_summary_t s;
    uint8_t bytes[GP_SUMMARY_MAX];
    gp_records_t *r = driver_records(1);
    (void)state;
    driver_set(r, 0, "arch=x86_64 cpu=4");
    gp_summary_make(r, 1, &s);
    free(r);
    s.classes[1] = s.classes[0];
    s.classes[0].most[GP_SUMMARY_AT_CPU] -= 1;
    s.class_count = 2;
    assert_false(gp_summary_sound(&s));
    assert_false(accepts(bytes, gp_summary_pack(&s, bytes)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_form),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_unsound),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_dominated),
        cmocka_unit_test(test_the_same_bytes_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
