#include "proto/message.h"

#include <msgpack/pack.h>

#include "proto/message_table.h"
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

/* msgpack-c's write callback: bounded, and without the allocation of msgpack's own buffer. */
static int sink_write(void *context, const char *bytes, size_t n)
{
    gp_sink_t *sink = context;

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

static int pack_bytes(msgpack_packer *packer, const gp_field_t *field, gp_slice_t bytes)
{
    gp_sink_t *sink = packer->data;

    assert(bytes.n <= field->max);
    if (field->type == GP_FIELD_BLOB) {
        return msgpack_pack_bin(packer, bytes.n) != 0 ||
                       msgpack_pack_bin_body(packer, bytes.p, bytes.n) != 0
                   ? -1
                   : 0;
    }
    if (!gp_text_valid(bytes)) {
        sink->error = GP_E_MESSAGE_DECODE;
        return -1;
    }
    return msgpack_pack_str(packer, bytes.n) != 0 ||
                   msgpack_pack_str_body(packer, bytes.p, bytes.n) != 0
               ? -1
               : 0;
}

static int pack_id(msgpack_packer *packer, const gp_id_t *id)
{
    return msgpack_pack_bin(packer, sizeof id->b) != 0 ||
                   msgpack_pack_bin_body(packer, id->b, sizeof id->b) != 0
               ? -1
               : 0;
}

/* Anything but a list. */
static int pack_field(msgpack_packer *packer, const gp_field_t *field, const uint8_t *base)
{
    const void *at = base + field->offset;
    uint64_t number;

    switch (field->type) {
    case GP_FIELD_BOOL:
        return *(const bool *)at ? msgpack_pack_true(packer) : msgpack_pack_false(packer);
    case GP_FIELD_U8:
    case GP_FIELD_U16:
    case GP_FIELD_U32:
    case GP_FIELD_U64:
        number = gp_field_number(field, base);
        assert(number <= field->max);
        return msgpack_pack_uint64(packer, number);
    case GP_FIELD_PEER:
        assert(!gp_id_is_none(at));
        return pack_id(packer, at);
    case GP_FIELD_ID:
        return pack_id(packer, at);
    case GP_FIELD_TEXT:
    case GP_FIELD_BLOB:
        return pack_bytes(packer, field, *(const gp_slice_t *)at);
    case GP_FIELD_LIST:
    default:
        assert(false && "lists do not nest");
        return -1;
    }
}

static int pack_list(msgpack_packer *packer, const gp_field_t *field, const uint8_t *base)
{
    const gp_record_table_t *record = gp_record_table(field->record);
    uint32_t count = gp_field_count(field, base);
    const uint8_t *at = base + field->offset;

    assert(count <= field->max);
    if (msgpack_pack_array(packer, count) != 0) {
        return -1;
    }
    for (uint32_t i = 0; i < count; i++, at += record->size) {
        if (msgpack_pack_array(packer, record->field_count) != 0) {
            return -1;
        }
        for (uint32_t k = 0; k < record->field_count; k++) {
            if (pack_field(packer, &record->fields[k], at) != 0) {
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
    msgpack_packer packer;
    int failed;

    assert(table != NULL);
    msgpack_packer_init(&packer, &sink, sink_write);
    failed = msgpack_pack_array(&packer, table->field_count);
    for (uint32_t i = 0; i < table->field_count && failed == 0; i++) {
        const gp_field_t *field = &table->fields[i];
        failed = field->type == GP_FIELD_LIST ? pack_list(&packer, field, base)
                                              : pack_field(&packer, field, base);
    }
    if (failed != 0) {
        assert(sink.error != GP_OK);
        return sink.error;
    }
    *ret_n = sink.used;
    return GP_OK;
}
