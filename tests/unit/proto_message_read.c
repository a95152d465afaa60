/* The strict reader against everything that is not exactly what the packer writes. */
#include "proto/message.h"

#include <stdlib.h>

#include "proto_cmocka.h"
#include "proto_sample.h"

static uint8_t packed[SAMPLE_PACKED_MAX];
static uint8_t again[SAMPLE_PACKED_MAX];
static gp_msg_t msg;

/* Reads from a heap copy of exactly n bytes, so that ASan sees a byte read too many. */
static gp_error_t read_exact(gp_msg_kind_t kind, const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);
    gp_error_t error;

    assert_non_null(copy);
    if (n > 0) {
        memcpy(copy, bytes, n);
    }
    error = gp_msg_read(kind, gp_slice(copy, n), false, &msg);
    free(copy);
    return error;
}

static size_t small_sample(gp_random_t *random, gp_msg_kind_t kind, size_t most)
{
    size_t n = 0;

    do {
        sample_message(random, kind, &msg);
        assert_int_equal(gp_msg_pack(&msg, packed, sizeof packed, &n), GP_OK);
    } while (n > most);
    return n;
}

static void test_every_truncation_is_refused(void **state)
{
    gp_random_t random;

    (void)state;
    gp_random_init(&random, 11);
    for (size_t k = 0; k < sample_kind_count; k++) {
        for (int round = 0; round < 4; round++) {
            size_t n = small_sample(&random, sample_kinds[k], 3000);
            for (size_t cut = 0; cut < n; cut++) {
                assert_int_equal(read_exact(sample_kinds[k], packed, cut), GP_E_MESSAGE_DECODE);
            }
        }
    }
}

static void test_every_bit_flip_is_refused_or_canonical(void **state)
{
    gp_random_t random;

    (void)state;
    gp_random_init(&random, 12);
    for (size_t k = 0; k < sample_kind_count; k++) {
        size_t n = small_sample(&random, sample_kinds[k], 1500);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            size_t m = 0;
            packed[bit / 8] ^= (uint8_t)(1U << (bit % 8));
            if (gp_msg_read(sample_kinds[k], gp_slice(packed, n), false, &msg) == GP_OK) {
                assert_int_equal(gp_msg_pack(&msg, again, sizeof again, &m), GP_OK);
                assert_int_equal(m, n);
                assert_memory_equal(again, packed, n);
            }
            packed[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        }
    }
}

static void test_random_damage_is_refused_or_canonical(void **state)
{
    gp_random_t random;

    (void)state;
    gp_random_init(&random, 13);
    for (int round = 0; round < 20000; round++) {
        gp_msg_kind_t kind = sample_kinds[gp_random_below(&random, sample_kind_count)];
        size_t n = small_sample(&random, kind, 1500);
        size_t m = 0;
        for (int i = 0; i < 3; i++) {
            packed[gp_random_below(&random, n)] = (uint8_t)gp_random_next(&random);
        }
        if (read_exact(kind, packed, n) == GP_OK) {
            (void)gp_msg_read(kind, gp_slice(packed, n), false, &msg);
            assert_int_equal(gp_msg_pack(&msg, again, sizeof again, &m), GP_OK);
            assert_int_equal(m, n);
            assert_memory_equal(again, packed, n);
        }
    }
}

static void test_trailing_bytes_are_refused(void **state)
{
    gp_random_t random;

    (void)state;
    gp_random_init(&random, 14);
    for (size_t k = 0; k < sample_kind_count; k++) {
        size_t n = small_sample(&random, sample_kinds[k], 3000);
        packed[n] = 0;
        assert_int_equal(read_exact(sample_kinds[k], packed, n + 1), GP_E_MESSAGE_DECODE);
    }
}

typedef struct example {
    const char *what;
    gp_msg_kind_t kind;
    gp_error_t want;
    size_t n;
    uint8_t bytes[40];
} example_t;

#define DECODE GP_E_MESSAGE_DECODE
#define LIMIT  GP_E_MESSAGE_LIMIT

/* PROBE is [group u64, sequence u32]; JOIN_NO is [error u16, text]; GROUP_DISK is [bool]. */
static const example_t examples[] = {
    {"well", GP_MSG_RECORD_ASK, GP_OK, 3, {0x92, 1, 2}},
    {"too few fields", GP_MSG_RECORD_ASK, DECODE, 2, {0x91, 1}},
    {"too many fields", GP_MSG_RECORD_ASK, DECODE, 4, {0x93, 1, 2, 3}},
    {"array16 for 2", GP_MSG_RECORD_ASK, DECODE, 5, {0xdc, 0, 2, 1, 2}},
    {"array32 for 2", GP_MSG_RECORD_ASK, DECODE, 7, {0xdd, 0, 0, 0, 2, 1, 2}},
    {"a huge array32", GP_MSG_RECORD_ASK, DECODE, 7, {0xdd, 0x0f, 0xff, 0xff, 0xff, 1, 2}},
    {"a map", GP_MSG_RECORD_ASK, DECODE, 3, {0x81, 1, 2}},
    {"a huge map32", GP_MSG_RECORD_ASK, DECODE, 7, {0xdf, 0x0f, 0xff, 0xff, 0xff, 1, 2}},
    {"no array at all", GP_MSG_RECORD_ASK, DECODE, 1, {1}},
    {"u8 for 1", GP_MSG_RECORD_ASK, DECODE, 4, {0x92, 0xcc, 1, 2}},
    {"u8 for 127", GP_MSG_RECORD_ASK, DECODE, 4, {0x92, 0xcc, 127, 2}},
    {"u8 for 128", GP_MSG_RECORD_ASK, GP_OK, 4, {0x92, 0xcc, 128, 2}},
    {"u16 for 255", GP_MSG_RECORD_ASK, DECODE, 5, {0x92, 0xcd, 0, 255, 2}},
    {"u16 for 256", GP_MSG_RECORD_ASK, GP_OK, 5, {0x92, 0xcd, 1, 0, 2}},
    {"u32 for 65535", GP_MSG_RECORD_ASK, DECODE, 7, {0x92, 0xce, 0, 0, 255, 255, 2}},
    {"u32 for 65536", GP_MSG_RECORD_ASK, GP_OK, 7, {0x92, 0xce, 0, 1, 0, 0, 2}},
    {"u64 for 2^32-1",
     GP_MSG_RECORD_ASK,
     DECODE,
     11,
     {0x92, 0xcf, 0, 0, 0, 0, 255, 255, 255, 255, 2}},
    {"u64 for 2^32", GP_MSG_RECORD_ASK, GP_OK, 11, {0x92, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0, 2}},
    {"over the width", GP_MSG_RECORD_ASK, LIMIT, 11, {0x92, 1, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0}},
    {"negative fixint", GP_MSG_RECORD_ASK, DECODE, 3, {0x92, 0xff, 2}},
    {"int8", GP_MSG_RECORD_ASK, DECODE, 4, {0x92, 0xd0, 1, 2}},
    {"int16", GP_MSG_RECORD_ASK, DECODE, 5, {0x92, 0xd1, 1, 0, 2}},
    {"int32", GP_MSG_RECORD_ASK, DECODE, 7, {0x92, 0xd2, 1, 0, 0, 0, 2}},
    {"int64", GP_MSG_RECORD_ASK, DECODE, 11, {0x92, 0xd3, 1, 0, 0, 0, 0, 0, 0, 0, 2}},
    {"float32", GP_MSG_RECORD_ASK, DECODE, 7, {0x92, 0xca, 0x3f, 0x80, 0, 0, 2}},
    {"float64", GP_MSG_RECORD_ASK, DECODE, 11, {0x92, 0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 2}},
    {"nil", GP_MSG_RECORD_ASK, DECODE, 3, {0x92, 0xc0, 2}},
    {"never used", GP_MSG_RECORD_ASK, DECODE, 3, {0x92, 0xc1, 2}},
    {"bool for a number", GP_MSG_RECORD_ASK, DECODE, 3, {0x92, 0xc3, 2}},
    {"fixext1", GP_MSG_RECORD_ASK, DECODE, 5, {0x92, 0xd4, 1, 1, 2}},
    {"ext8", GP_MSG_RECORD_ASK, DECODE, 6, {0x92, 0xc7, 1, 1, 1, 2}},
    {"array for a number", GP_MSG_RECORD_ASK, DECODE, 3, {0x92, 0x90, 2}},
    {"str for a number", GP_MSG_RECORD_ASK, DECODE, 4, {0x92, 0xa1, '1', 2}},
    {"a text", GP_MSG_JOIN_NO, GP_OK, 4, {0x92, 1, 0xa1, 'x'}},
    {"no text", GP_MSG_JOIN_NO, GP_OK, 3, {0x92, 1, 0xa0}},
    {"str8 for 1", GP_MSG_JOIN_NO, DECODE, 5, {0x92, 1, 0xd9, 1, 'x'}},
    {"str16 for 1", GP_MSG_JOIN_NO, DECODE, 6, {0x92, 1, 0xda, 0, 1, 'x'}},
    {"str32 for 1", GP_MSG_JOIN_NO, DECODE, 8, {0x92, 1, 0xdb, 0, 0, 0, 1, 'x'}},
    {"str32 of 4 GiB", GP_MSG_JOIN_NO, DECODE, 8, {0x92, 1, 0xdb, 255, 255, 255, 255, 'x'}},
    {"bin for a text", GP_MSG_JOIN_NO, DECODE, 5, {0x92, 1, 0xc4, 1, 'x'}},
    {"longer than there is", GP_MSG_JOIN_NO, DECODE, 4, {0x92, 1, 0xa2, 'x'}},
    {"NUL in a text", GP_MSG_JOIN_NO, DECODE, 4, {0x92, 1, 0xa1, 0}},
    {"a lone UTF-8 tail", GP_MSG_JOIN_NO, DECODE, 4, {0x92, 1, 0xa1, 0x80}},
    {"an overlong slash", GP_MSG_JOIN_NO, DECODE, 5, {0x92, 1, 0xa2, 0xc0, 0xaf}},
    {"a surrogate", GP_MSG_JOIN_NO, DECODE, 6, {0x92, 1, 0xa3, 0xed, 0xa0, 0x80}},
    {"above U+10FFFF", GP_MSG_JOIN_NO, DECODE, 7, {0x92, 1, 0xa4, 0xf4, 0x90, 0x80, 0x80}},
    {"a cut sequence", GP_MSG_JOIN_NO, DECODE, 5, {0x92, 1, 0xa2, 0xe2, 0x82}},
    {"true", GP_MSG_GROUP_DISK, GP_OK, 2, {0x91, 0xc3}},
    {"1 for true", GP_MSG_GROUP_DISK, DECODE, 2, {0x91, 1}},
    {"nil for false", GP_MSG_GROUP_DISK, DECODE, 2, {0x91, 0xc0}},
    {"bin8 of nothing", GP_MSG_CERT_RENEW, GP_OK, 3, {0x91, 0xc4, 0}},
    {"bin16 for 1", GP_MSG_CERT_RENEW, DECODE, 5, {0x91, 0xc5, 0, 1, 'x'}},
    {"bin32 for 1", GP_MSG_CERT_RENEW, DECODE, 7, {0x91, 0xc6, 0, 0, 0, 1, 'x'}},
    {"str for a blob", GP_MSG_CERT_RENEW, DECODE, 3, {0x91, 0xa1, 'x'}},
    {"an id of 31", GP_MSG_RELINQUISHED, DECODE, 35, {0x92, 1, 0xc4, 31}},
    {"an id of 32", GP_MSG_RELINQUISHED, GP_OK, 36, {0x92, 1, 0xc4, 32}},
    {"over the maximum", GP_MSG_GROUP_SELF, LIMIT, 6, {0x93, 0xcd, 0x03, 0xe9, 0, 0}},
    {"at the maximum", GP_MSG_GROUP_SELF, GP_OK, 6, {0x93, 0xcd, 0x03, 0xe8, 0, 0}},
    {"a list over its limit", GP_MSG_GROUP_INTRODUCE, LIMIT, 2, {0x91, 0x92}},
    {"a list of 2^32-1", GP_MSG_GROUP_INTRODUCE, LIMIT, 6, {0x91, 0xdd, 255, 255, 255, 255}},
    {"a list longer than bytes", GP_MSG_OWN_RECORD, DECODE, 4, {0x92, 0xc3, 0x95, 0x93}},
    {"records of other size", GP_MSG_OWN_RECORD, DECODE, 6, {0x92, 0xc3, 0x91, 0x92, 1, 2}},
};

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        const example_t *example = &examples[i];
        gp_error_t got = read_exact(example->kind, example->bytes, example->n);
        if (got != example->want) {
            fail_msg("%s: %s, not %s", example->what, gp_error_name(got),
                     gp_error_name(example->want));
        }
    }
}

static void test_depth_bombs(void **state)
{
    static const uint8_t heads[] = {0x91, 0x92, 0xdd, 0x81, 0xdc};

    (void)state;
    for (size_t h = 0; h < sizeof heads; h++) {
        memset(packed, heads[h], 100000);
        for (size_t k = 0; k < sample_kind_count; k++) {
            gp_error_t error = read_exact(sample_kinds[k], packed, 100000);
            assert_true(error == GP_E_MESSAGE_DECODE || error == GP_E_MESSAGE_LIMIT);
        }
    }
}

static void test_kinds_that_may_not_travel(void **state)
{
    gp_random_t random;

    (void)state;
    gp_random_init(&random, 15);
    for (size_t k = 0; k < sample_kind_count; k++) {
        gp_msg_kind_t kind = sample_kinds[k];
        size_t n = small_sample(&random, kind, 3000);
        gp_scope_t scope = gp_msg_scope(kind);
        bool travels = scope == GP_SCOPE_LINK || scope == GP_SCOPE_SIGNED;
        assert_int_equal(gp_msg_read(kind, gp_slice(packed, n), true, &msg),
                         travels ? GP_OK : GP_E_MESSAGE_KIND);
        assert_int_equal(gp_msg_read(kind, gp_slice(packed, n), false, &msg), GP_OK);
    }
    assert_int_equal(gp_msg_read((gp_msg_kind_t)0x7777, gp_slice(packed, 3), false, &msg),
                     GP_E_MESSAGE_KIND);
}

/* Every text, blob, number and count one over its limit, in otherwise whole messages. */
static void test_one_over_each_limit(void **state)
{
    static uint8_t zeros[70000];
    static const uint8_t head[] = {0x92, 0, 0xda, 0x01, 0x01};

    (void)state;
    memcpy(zeros, head, sizeof head);
    memset(zeros + sizeof head, 'a', 257); /* JOIN_NO.text may have 256 */
    assert_int_equal(read_exact(GP_MSG_JOIN_NO, zeros, sizeof head + 257), GP_E_MESSAGE_LIMIT);
    zeros[4] = 0;
    assert_int_equal(read_exact(GP_MSG_JOIN_NO, zeros, sizeof head + 256), GP_OK);
    zeros[0] = 0x91;
    zeros[1] = 0xc5;
    zeros[2] = GP_CERT_MAX >> 8;
    zeros[3] = (GP_CERT_MAX & 0xff) + 1;
    assert_int_equal(read_exact(GP_MSG_CERT_RENEW, zeros, 4 + GP_CERT_MAX + 1), GP_E_MESSAGE_LIMIT);
    zeros[3] = GP_CERT_MAX & 0xff;
    assert_int_equal(read_exact(GP_MSG_CERT_RENEW, zeros, 4 + GP_CERT_MAX), GP_OK);
}

/* Who a record is about is somebody; who led may be nobody. */
static void test_nobody_where_somebody_must_be(void **state)
{
    static gp_msg_t sent;
    size_t n = 0;

    (void)state;
    sent = (gp_msg_t){.kind = GP_MSG_ELECTION_STANDINGS};
    sent.u.election_standings.members_count = 1;
    sent.u.election_standings.members[0].id.b[31] = 1;
    assert_int_equal(gp_msg_pack(&sent, packed, sizeof packed, &n), GP_OK);
    assert_int_equal(read_exact(GP_MSG_ELECTION_STANDINGS, packed, n), GP_OK);
    assert_int_equal(packed[3 + 2 + 31], 1); /* two heads, bin8 of 32 */
    packed[3 + 2 + 31] = 0;
    assert_int_equal(read_exact(GP_MSG_ELECTION_STANDINGS, packed, n), GP_E_MESSAGE_DECODE);

    sent = (gp_msg_t){.kind = GP_MSG_RELINQUISHED};
    assert_int_equal(gp_msg_pack(&sent, packed, sizeof packed, &n), GP_OK);
    assert_int_equal(read_exact(GP_MSG_RELINQUISHED, packed, n), GP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_truncation_is_refused),
        cmocka_unit_test(test_every_bit_flip_is_refused_or_canonical),
        cmocka_unit_test(test_random_damage_is_refused_or_canonical),
        cmocka_unit_test(test_trailing_bytes_are_refused),
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_depth_bombs),
        cmocka_unit_test(test_kinds_that_may_not_travel),
        cmocka_unit_test(test_one_over_each_limit),
        cmocka_unit_test(test_nobody_where_somebody_must_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
