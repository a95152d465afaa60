#include "proto/message.h"

#include <msgpack/pack_define.h>
#include <msgpack/timestamp.h>

#include "proto/message_table.h"
#include "proto/random.h"
#include "proto/text.h"

static_assert(GP_DEPTH_MAX >= 3, "message, list, record");

const char *gp_msg_name(gp_msg_kind_t kind)
{
    const gp_msg_table_t *table = gp_msg_table((uint32_t)kind);

    if (kind == GP_MSG_REGISTER) {
        return "register"; /* as a member of the union it cannot have that name */
    }
    return table != NULL ? table->name : NULL;
}

gp_scope_t gp_msg_scope(gp_msg_kind_t kind)
{
    const gp_msg_table_t *table = gp_msg_table((uint32_t)kind);

    return table != NULL ? table->scope : (gp_scope_t)0;
}

gp_room_t gp_msg_room(gp_msg_kind_t kind)
{
    const gp_msg_table_t *table = gp_msg_table((uint32_t)kind);

    return table != NULL ? table->room : (gp_room_t)0;
}

bool gp_msg_known(uint32_t code)
{
    return gp_msg_table(code) != NULL;
}

size_t gp_msg_size(gp_msg_kind_t kind)
{
    const gp_msg_table_t *table = gp_msg_table((uint32_t)kind);

    return table != NULL ? offsetof(gp_msg_t, u) + table->size : 0;
}

uint64_t gp_msg_group(const gp_msg_t *msg)
{
    const gp_msg_table_t *table = gp_msg_table((uint32_t)msg->kind);

    assert(table != NULL);
    if (table->field_count == 0 || strcmp(table->fields[0].name, "group") != 0) {
        return 0;
    }
    return gp_field_number(&table->fields[0], (const uint8_t *)&msg->u);
}

void gp_msg_copy(gp_msg_t *to, const gp_msg_t *msg)
{
    assert(gp_msg_known((uint32_t)msg->kind));
    memcpy(to, msg, gp_msg_size(msg->kind));
}

/* ---- packing --------------------------------------------------------------------------------- */

typedef struct gp_sink {
    uint8_t *to;
    size_t used;
    size_t size;
    gp_error_t error; /* the first one */
} gp_sink_t;

/* Where msgpack-c's packers write to: bounded, and without the allocation of msgpack's buffer. */
static inline int sink_write(gp_sink_t *sink, const void *bytes, size_t n)
{
    assert(sink->used <= sink->size);
    if (n > sink->size - sink->used) {
        sink->error = GP_E_MESSAGE_SIZE;
        return -1;
    }
    if (n > 0) {
        memcpy(sink->to + sink->used, bytes, n);
    }
    sink->used += n;
    return 0;
}

/*
 * msgpack-c's template, as its own pack.h fills it in, but with a write that can be inlined: most
 * pieces are a byte, and a call through a pointer for each was a tenth of a simulated hour.
 */
#define msgpack_pack_inline_func(name)             static inline int msgpack_pack##name
#define msgpack_pack_inline_func_cint(name)        static inline int msgpack_pack##name
#define msgpack_pack_inline_func_fixint(name)      static inline int msgpack_pack_fix##name
#define msgpack_pack_user                          gp_sink_t *
#define msgpack_pack_append_buffer(sink, bytes, n) return sink_write(sink, bytes, n)
#include <msgpack/pack_template.h>

static int pack_bytes(gp_sink_t *sink, const gp_field_t *field, gp_slice_t bytes)
{
    assert(bytes.n <= field->max);
    if (field->type == GP_FIELD_BLOB) {
        return msgpack_pack_bin(sink, bytes.n) != 0 ||
                       msgpack_pack_bin_body(sink, bytes.p, bytes.n) != 0
                   ? -1
                   : 0;
    }
    if (!gp_text_valid(bytes)) {
        sink->error = GP_E_MESSAGE_DECODE;
        return -1;
    }
    return msgpack_pack_str(sink, bytes.n) != 0 ||
                   msgpack_pack_str_body(sink, bytes.p, bytes.n) != 0
               ? -1
               : 0;
}

static int pack_id(gp_sink_t *sink, const gp_id_t *id)
{
    return msgpack_pack_bin(sink, sizeof id->b) != 0 ||
                   msgpack_pack_bin_body(sink, id->b, sizeof id->b) != 0
               ? -1
               : 0;
}

/* Anything but a list. */
static int pack_field(gp_sink_t *sink, const gp_field_t *field, const uint8_t *base)
{
    const void *at = base + field->offset;
    uint64_t number;

    switch (field->type) {
    case GP_FIELD_BOOL:
        return *(const bool *)at ? msgpack_pack_true(sink) : msgpack_pack_false(sink);
    case GP_FIELD_U8:
    case GP_FIELD_U16:
    case GP_FIELD_U32:
    case GP_FIELD_U64:
        number = gp_field_number(field, base);
        assert(number <= field->max);
        return msgpack_pack_uint64(sink, number);
    case GP_FIELD_PEER:
        assert(!gp_id_is_none(at));
        return pack_id(sink, at);
    case GP_FIELD_ID:
        return pack_id(sink, at);
    case GP_FIELD_TEXT:
    case GP_FIELD_BLOB:
        return pack_bytes(sink, field, *(const gp_slice_t *)at);
    case GP_FIELD_LIST:
    default:
        assert(false && "lists do not nest");
        return -1;
    }
}

static int pack_list(gp_sink_t *sink, const gp_field_t *field, const uint8_t *base)
{
    const gp_record_table_t *record = gp_record_table(field->record);
    uint32_t count = gp_field_count(field, base);
    const uint8_t *at = base + field->offset;

    assert(count <= field->max);
    if (msgpack_pack_array(sink, count) != 0) {
        return -1;
    }
    for (uint32_t i = 0; i < count; i++, at += record->size) {
        if (msgpack_pack_array(sink, record->field_count) != 0) {
            return -1;
        }
        for (uint32_t k = 0; k < record->field_count; k++) {
            if (pack_field(sink, &record->fields[k], at) != 0) {
                return -1;
            }
        }
    }
    return 0;
}

gp_error_t gp_msg_pack(const gp_msg_t *msg, uint8_t *to, size_t size, size_t *ret_n)
{
    const gp_msg_table_t *table = gp_msg_table((uint32_t)msg->kind);
    const uint8_t *base = (const uint8_t *)&msg->u;
    gp_sink_t sink = {.to = to, .size = size, .error = GP_OK};
    int failed;

    assert(table != NULL);
    failed = msgpack_pack_array(&sink, table->field_count);
    for (uint32_t i = 0; i < table->field_count && failed == 0; i++) {
        const gp_field_t *field = &table->fields[i];
        failed = field->type == GP_FIELD_LIST ? pack_list(&sink, field, base)
                                              : pack_field(&sink, field, base);
    }
    if (failed != 0) {
        assert(sink.error != GP_OK);
        return sink.error;
    }
    *ret_n = sink.used;
    return GP_OK;
}

/* ---- hashing --------------------------------------------------------------------------------- */

static uint64_t hash_field(const gp_field_t *field, const uint8_t *base, uint64_t hash)
{
    const void *at = base + field->offset;
    const gp_slice_t *bytes;
    uint64_t number;

    switch (field->type) {
    case GP_FIELD_PEER:
        assert(!gp_id_is_none(at));
        return gp_hash(at, sizeof(gp_id_t), hash);
    case GP_FIELD_ID:
        return gp_hash(at, sizeof(gp_id_t), hash);
    case GP_FIELD_TEXT:
    case GP_FIELD_BLOB:
        bytes = at;
        assert(bytes->n <= field->max);
        return gp_hash(bytes->p, bytes->n, hash);
    case GP_FIELD_BOOL:
    case GP_FIELD_U8:
    case GP_FIELD_U16:
    case GP_FIELD_U32:
    case GP_FIELD_U64:
    case GP_FIELD_LIST:
    default:
        number = gp_field_number(field, base); /* which knows no list */
        assert(number <= field->max);
        return gp_hash_word(hash, number);
    }
}

uint64_t gp_msg_hash(const gp_msg_t *msg, uint64_t seed)
{
    const gp_msg_table_t *table = gp_msg_table((uint32_t)msg->kind);
    const uint8_t *base = (const uint8_t *)&msg->u;
    uint64_t hash = gp_hash_word(seed, (uint64_t)msg->kind);

    assert(table != NULL);
    for (uint32_t i = 0; i < table->field_count; i++) {
        const gp_field_t *field = &table->fields[i];
        if (field->type != GP_FIELD_LIST) {
            hash = hash_field(field, base, hash);
            continue;
        }
        const gp_record_table_t *record = gp_record_table(field->record);
        const uint8_t *at = base + field->offset;
        uint32_t count = gp_field_count(field, base);
        assert(count <= field->max);
        hash = gp_hash_word(hash, count);
        for (uint32_t k = 0; k < count; k++, at += record->size) {
            for (uint32_t j = 0; j < record->field_count; j++) {
                hash = hash_field(&record->fields[j], at, hash);
            }
        }
    }
    return hash;
}
