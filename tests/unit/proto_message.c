/* Packing: every kind comes back as it was; msgpack-c's own reader sees what was meant. */
#include "proto/message.h"

#include <msgpack/object.h>
#include <msgpack/unpack.h>
#include <stdlib.h>

#include "proto_cmocka.h"
#include "proto_sample.h"

#define ROUNDS 300

static uint8_t packed[SAMPLE_PACKED_MAX];
static uint8_t again[SAMPLE_PACKED_MAX];
static gp_msg_t sent;
static gp_msg_t got;

static void test_round_trip_of_every_kind(void **state)
{
    gp_random_t random;

    (void)state;
    gp_random_init(&random, 20260101);
    for (size_t k = 0; k < sample_kind_count; k++) {
        for (int round = 0; round < ROUNDS; round++) {
            size_t n = 0;
            size_t m = 0;

            sample_message(&random, sample_kinds[k], &sent);
            assert_int_equal(gp_msg_pack(&sent, packed, sizeof packed, &n), GP_OK);
            memset(&got, 0x5a, gp_msg_size(sample_kinds[k]));
            assert_int_equal(gp_msg_read(sample_kinds[k], gp_slice(packed, n), false, &got), GP_OK);
            assert_true(sample_equal(&sent, &got));
            assert_int_equal(gp_msg_pack(&got, again, sizeof again, &m), GP_OK);
            assert_int_equal(n, m);
            assert_memory_equal(packed, again, n);
        }
    }
}

static void oracle_field(const gp_field_t *field, const uint8_t *base, const msgpack_object *object)
{
    const void *at = base + field->offset;
    gp_slice_t slice;

    switch (field->type) {
    case GP_FIELD_BOOL:
        assert_int_equal(object->type, MSGPACK_OBJECT_BOOLEAN);
        assert_int_equal(object->via.boolean, *(const bool *)at);
        break;
    case GP_FIELD_U8:
    case GP_FIELD_U16:
    case GP_FIELD_U32:
    case GP_FIELD_U64:
        assert_int_equal(object->type, MSGPACK_OBJECT_POSITIVE_INTEGER);
        assert_true(object->via.u64 == gp_field_number(field, base));
        break;
    case GP_FIELD_ID:
    case GP_FIELD_PEER:
        assert_int_equal(object->type, MSGPACK_OBJECT_BIN);
        assert_int_equal(object->via.bin.size, 32);
        assert_memory_equal(object->via.bin.ptr, at, 32);
        break;
    case GP_FIELD_TEXT:
        slice = *(const gp_slice_t *)at;
        assert_int_equal(object->type, MSGPACK_OBJECT_STR);
        assert_true(gp_slice_equal(gp_slice(object->via.str.ptr, object->via.str.size), slice));
        break;
    case GP_FIELD_BLOB:
        slice = *(const gp_slice_t *)at;
        assert_int_equal(object->type, MSGPACK_OBJECT_BIN);
        assert_true(gp_slice_equal(gp_slice(object->via.bin.ptr, object->via.bin.size), slice));
        break;
    case GP_FIELD_LIST:
    default:
        fail();
    }
}

static void oracle_list(const gp_field_t *field, const uint8_t *base, const msgpack_object *object)
{
    const gp_record_table_t *record = gp_record_table(field->record);

    assert_int_equal(object->type, MSGPACK_OBJECT_ARRAY);
    assert_int_equal(object->via.array.size, gp_field_count(field, base));
    for (uint32_t i = 0; i < object->via.array.size; i++) {
        const msgpack_object *item = &object->via.array.ptr[i];
        assert_int_equal(item->type, MSGPACK_OBJECT_ARRAY);
        assert_int_equal(item->via.array.size, record->field_count);
        for (uint32_t k = 0; k < record->field_count; k++) {
            oracle_field(&record->fields[k], base + field->offset + (size_t)i * record->size,
                         &item->via.array.ptr[k]);
        }
    }
}

static void test_msgpack_reads_the_same(void **state)
{
    gp_random_t random;

    (void)state;
    gp_random_init(&random, 7);
    for (size_t k = 0; k < sample_kind_count; k++) {
        for (int round = 0; round < 20; round++) {
            const gp_msg_table_t *table = gp_msg_table((uint32_t)sample_kinds[k]);
            const uint8_t *base = (const uint8_t *)&sent.u;
            msgpack_unpacked result;
            size_t n = 0;
            size_t offset = 0;

            sample_message(&random, sample_kinds[k], &sent);
            assert_int_equal(gp_msg_pack(&sent, packed, sizeof packed, &n), GP_OK);
            msgpack_unpacked_init(&result);
            assert_int_equal(msgpack_unpack_next(&result, (const char *)packed, n, &offset),
                             MSGPACK_UNPACK_SUCCESS);
            assert_int_equal(offset, n);
            assert_int_equal(result.data.type, MSGPACK_OBJECT_ARRAY);
            assert_int_equal(result.data.via.array.size, table->field_count);
            for (uint32_t i = 0; i < table->field_count; i++) {
                const gp_field_t *field = &table->fields[i];
                if (field->type == GP_FIELD_LIST) {
                    oracle_list(field, base, &result.data.via.array.ptr[i]);
                } else {
                    oracle_field(field, base, &result.data.via.array.ptr[i]);
                }
            }
            msgpack_unpacked_destroy(&result);
        }
    }
}

static void test_golden_bytes(void **state)
{
    static const uint8_t want[] = {0x97, 0x01, 0xcc, 0x80, 0xcd, 0x01, 0x00, 0xce,
                                   0x00, 0x01, 0x00, 0x00, 0x7f, 0x02, 0x90};
    size_t n = 0;

    (void)state;
    sent = (gp_msg_t){
        .kind = GP_MSG_BEAT,
        .u.beat = {
            .group = 1, .term = 128, .number = 256, .digest = 65536, .sequence = 127, .role = 2}};
    assert_int_equal(gp_msg_pack(&sent, packed, sizeof packed, &n), GP_OK);
    assert_int_equal(n, sizeof want);
    assert_memory_equal(packed, want, sizeof want);
}

static void test_every_smaller_buffer_is_refused(void **state)
{
    gp_random_t random;

    (void)state;
    gp_random_init(&random, 3);
    for (size_t k = 0; k < sample_kind_count; k++) {
        size_t n = 0;
        do {
            sample_message(&random, sample_kinds[k], &sent);
            assert_int_equal(gp_msg_pack(&sent, packed, sizeof packed, &n), GP_OK);
        } while (n > 2000);
        for (size_t size = 0; size < n; size++) {
            size_t untouched = 4711;
            uint8_t *exact = malloc(size > 0 ? size : 1); /* so that ASan sees a byte too many */
            assert_non_null(exact);
            assert_int_equal(gp_msg_pack(&sent, exact, size, &untouched), GP_E_MESSAGE_SIZE);
            assert_int_equal(untouched, 4711);
            free(exact);
        }
        assert_int_equal(gp_msg_pack(&sent, again, n, &n), GP_OK);
    }
}

static void test_text_that_is_not_utf8_is_not_sent(void **state)
{
    static const char *const bad[] = {
        "\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"};
    size_t n = 4711;

    (void)state;
    sent = (gp_msg_t){.kind = GP_MSG_JOIN_NO};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sent.u.join_no.text = gp_text(bad[i]);
        assert_int_equal(gp_msg_pack(&sent, packed, sizeof packed, &n), GP_E_MESSAGE_DECODE);
    }
    sent.u.join_no.text = gp_slice("a\0b", 3);
    assert_int_equal(gp_msg_pack(&sent, packed, sizeof packed, &n), GP_E_MESSAGE_DECODE);
    assert_int_equal(n, 4711);
}

static void test_facts_of_the_table(void **state)
{
    (void)state;
    assert_string_equal(gp_msg_name(GP_MSG_BEAT), "beat");
    assert_string_equal(gp_msg_name(GP_MSG_REGISTER), "register");
    assert_int_equal(gp_msg_scope(GP_MSG_BEAT), GP_SCOPE_LINK);
    assert_int_equal(gp_msg_scope(GP_MSG_JOB_STATE), GP_SCOPE_STORED);
    assert_int_equal(gp_msg_room(GP_MSG_FIND), GP_ROOM_DISCOVERY);
    assert_false(gp_msg_known(0));
    assert_false(gp_msg_known(0xffff));
    assert_null(gp_msg_name((gp_msg_kind_t)0xffff));
    assert_int_equal(gp_msg_scope((gp_msg_kind_t)0xffff), 0);
    assert_int_equal(gp_msg_room((gp_msg_kind_t)0xffff), 0);
    assert_int_equal(gp_msg_size((gp_msg_kind_t)0xffff), 0);
    for (size_t k = 0; k < sample_kind_count; k++) {
        const gp_msg_table_t *table = gp_msg_table((uint32_t)sample_kinds[k]);
        assert_true(gp_msg_known((uint32_t)sample_kinds[k]));
        assert_true(sample_kinds[k] <= UINT16_MAX);
        assert_int_equal(table->kind, sample_kinds[k]);
        assert_true(table->doc[0] != '\0');
        assert_true(gp_msg_size(sample_kinds[k]) <= sizeof(gp_msg_t));
        assert_true(table->room > 0 && table->room < GP_ROOM_COUNT);
    }
}

static void test_copy_takes_only_its_kind(void **state)
{
    size_t n = gp_msg_size(GP_MSG_BEAT);
    gp_msg_t *copy = malloc(n);

    (void)state;
    assert_non_null(copy);
    sent = (gp_msg_t){.kind = GP_MSG_BEAT, .sent_ms = 5, .u.beat = {.group = 9, .role = 1}};
    gp_msg_copy(copy, &sent);
    assert_true(sample_equal(copy, &sent));
    assert_int_equal(copy->sent_ms, 5);
    free(copy);
}

/* What reads back as the same has the same hash; what packs otherwise has another. */
static void test_hash_of_every_kind(void **state)
{
    gp_random_t random;

    (void)state;
    gp_random_init(&random, 20261121);
    for (size_t k = 0; k < sample_kind_count; k++) {
        size_t m = 0;
        uint64_t before = 0;

        for (int round = 0; round < ROUNDS; round++) {
            size_t n = 0;
            uint64_t hash;

            sample_message(&random, sample_kinds[k], &sent);
            hash = gp_msg_hash(&sent, 7);
            assert_int_equal(gp_msg_pack(&sent, packed, sizeof packed, &n), GP_OK);
            memset(&got, 0x5a, gp_msg_size(sample_kinds[k]));
            assert_int_equal(gp_msg_read(sample_kinds[k], gp_slice(packed, n), false, &got), GP_OK);
            assert_true(gp_msg_hash(&got, 7) == hash);
            assert_true(gp_msg_hash(&got, 8) != hash);
            bool same = n == m && memcmp(packed, again, n) == 0;
            assert_true(round == 0 || same == (hash == before));
            memcpy(again, packed, n);
            m = n;
            before = hash;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_of_every_kind),
        cmocka_unit_test(test_msgpack_reads_the_same),
        cmocka_unit_test(test_golden_bytes),
        cmocka_unit_test(test_every_smaller_buffer_is_refused),
        cmocka_unit_test(test_text_that_is_not_utf8_is_not_sent),
        cmocka_unit_test(test_facts_of_the_table),
        cmocka_unit_test(test_copy_takes_only_its_kind),
        cmocka_unit_test(test_hash_of_every_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
