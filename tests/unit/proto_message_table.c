/* The field tables: as the structs are, and the largest messages fit where they must. */
#include "proto/message_table.h"

#include "proto/envelope.h"
#include "proto_cmocka.h"
#include "proto_sample.h"

static size_t field_size(const gp_field_t *field)
{
    switch (field->type) {
    case GP_FIELD_BOOL:
        return sizeof(bool);
    case GP_FIELD_U8:
        return 1;
    case GP_FIELD_U16:
        return 2;
    case GP_FIELD_U32:
        return 4;
    case GP_FIELD_U64:
        return 8;
    case GP_FIELD_ID:
    case GP_FIELD_PEER:
        return sizeof(gp_id_t);
    case GP_FIELD_TEXT:
    case GP_FIELD_BLOB:
        return sizeof(gp_slice_t);
    case GP_FIELD_LIST:
        return (size_t)field->max * gp_record_table(field->record)->size;
    default:
        fail();
        return 0;
    }
}

static void check_fields(const gp_field_t *fields, uint32_t count, uint32_t size)
{
    size_t end = 0;

    assert_in_range(count, 1, 64);
    for (uint32_t i = 0; i < count; i++) {
        const gp_field_t *field = &fields[i];
        if (field->type == GP_FIELD_LIST) {
            assert_true(field->count_offset >= end);
            assert_true(field->count_offset + sizeof(uint32_t) <= field->offset);
        } else if (field->type <= GP_FIELD_U64) {
            assert_true(field->max <= UINT64_MAX >> (64 - 8 * field_size(field)));
        }
        assert_true(field->max > 0); /* TEXT, BLOB and lists say their limit */
        assert_true(field->offset >= end);
        end = field->offset + field_size(field);
        for (uint32_t k = 0; k < i; k++) {
            assert_string_not_equal(field->name, fields[k].name);
        }
    }
    assert_true(end <= size);
}

static void test_every_table(void **state)
{
    (void)state;
    for (size_t k = 0; k < sample_kind_count; k++) {
        const gp_msg_table_t *table = gp_msg_table((uint32_t)sample_kinds[k]);
        check_fields(table->fields, table->field_count, table->size);
        for (size_t i = 0; i < k; i++) {
            assert_string_not_equal(gp_msg_name(sample_kinds[k]), gp_msg_name(sample_kinds[i]));
            assert_true(sample_kinds[i] < sample_kinds[k]);
        }
    }
    for (int kind = GP_RECORD_KIND_NONE + 1; kind < GP_RECORD_KIND_COUNT; kind++) {
        const gp_record_table_t *record = gp_record_table((gp_record_kind_t)kind);
        check_fields(record->fields, record->field_count, record->size);
        for (uint32_t i = 0; i < record->field_count; i++) {
            assert_int_not_equal(record->fields[i].type, GP_FIELD_LIST); /* lists do not nest */
        }
    }
    assert_null(gp_msg_table(0));
    assert_null(gp_msg_table(0x3ff));
}

/* Each room has 64 codes, and a code says which room. */
static void test_codes_are_in_their_rooms(void **state)
{
    (void)state;
    for (size_t k = 0; k < sample_kind_count; k++) {
        assert_int_equal((unsigned)sample_kinds[k] / 64 + 1, gp_msg_room(sample_kinds[k]));
    }
}

static size_t most_bytes(const gp_field_t *field);

static size_t most_of(const gp_field_t *fields, uint32_t count)
{
    size_t n = 3; /* the head of the array */

    for (uint32_t i = 0; i < count; i++) {
        n += most_bytes(&fields[i]);
    }
    return n;
}

/* The most that a field packs to. */
static size_t most_bytes(const gp_field_t *field)
{
    const gp_record_table_t *record;

    switch (field->type) {
    case GP_FIELD_BOOL:
        return 1;
    case GP_FIELD_U8:
    case GP_FIELD_U16:
    case GP_FIELD_U32:
    case GP_FIELD_U64:
        return field->max < 128           ? 1
               : field->max < 256         ? 2
               : field->max < 65536       ? 3
               : field->max <= UINT32_MAX ? 5
                                          : 9;
    case GP_FIELD_ID:
    case GP_FIELD_PEER:
        return 34;
    case GP_FIELD_TEXT:
    case GP_FIELD_BLOB:
        return field->max + (field->max < 256 ? 2 : 3);
    case GP_FIELD_LIST:
        record = gp_record_table(field->record);
        return 3 + field->max * most_of(record->fields, record->field_count);
    default:
        fail();
        return 0;
    }
}

static size_t most_frame(gp_msg_kind_t kind)
{
    const gp_msg_table_t *table = gp_msg_table((uint32_t)kind);

    return GP_ENVELOPE_HEAD + most_of(table->fields, table->field_count) + GP_SIGNATURE_BYTES;
}

/*
 * Whole views, certificates for joiners and chunks of output must always fit one frame, and a
 * signed vote its place in a mandate. Records, answers and commands may not: who makes them looks
 * at the error.
 */
static void test_what_must_fit_does(void **state)
{
    (void)state;
    for (size_t k = 0; k < sample_kind_count; k++) {
        gp_msg_kind_t kind = sample_kinds[k];
        gp_room_t room = gp_msg_room(kind);
        if (room == GP_ROOM_GROUP || room == GP_ROOM_ELECTION || room == GP_ROOM_JOIN) {
            assert_true(most_frame(kind) <= GP_MESSAGE_MAX);
        }
    }
    assert_true(most_frame(GP_MSG_OUTPUT) <= GP_MESSAGE_MAX);
    assert_true(most_frame(GP_MSG_FIND) <= GP_MESSAGE_MAX);
    assert_true(most_frame(GP_MSG_VOTE) <= GP_VOTE_MAX);
}

/* Messages of one step share an arena: the largest kinds must leave room for others. */
static void test_messages_in_memory(void **state)
{
    (void)state;
    assert_true(sizeof(gp_msg_t) * 4 <= GP_ARENA_BYTES);
    assert_true(gp_msg_size(GP_MSG_BEAT) <= 128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_table),
        cmocka_unit_test(test_codes_are_in_their_rooms),
        cmocka_unit_test(test_what_must_fit_does),
        cmocka_unit_test(test_messages_in_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
