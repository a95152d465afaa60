/*
 * The strict reader. It follows the field tables, never the bytes: what the bytes say can end the
 * walk, not lead it elsewhere. So depth and work are bounded by the table and by the bytes given.
 */
#include "proto/message_table.h"
#include "proto/text.h"

typedef struct gp_reader {
    const uint8_t *p;
    const uint8_t *end;
} gp_reader_t;

static size_t left(const gp_reader_t *reader)
{
    assert(reader->p <= reader->end);
    return (size_t)(reader->end - reader->p);
}

/* Reads `width` bytes after the head byte as a number that needs them: at least `least`. */
static gp_error_t read_wide(gp_reader_t *reader, unsigned width, uint64_t least, uint64_t *ret)
{
    uint64_t value = 0;

    if (left(reader) < width + 1U) {
        return GP_E_MESSAGE_DECODE;
    }
    for (unsigned i = 1; i <= width; i++) {
        value = value << 8 | reader->p[i];
    }
    if (value < least) {
        return GP_E_MESSAGE_DECODE;
    }
    reader->p += width + 1U;
    *ret = value;
    return GP_OK;
}

static gp_error_t read_number(gp_reader_t *reader, uint64_t max, uint64_t *ret)
{
    gp_error_t error = GP_OK;

    if (left(reader) == 0) {
        return GP_E_MESSAGE_DECODE;
    }
    switch (reader->p[0]) {
    case 0xcc:
        error = read_wide(reader, 1, 0x80, ret);
        break;
    case 0xcd:
        error = read_wide(reader, 2, UINT64_C(1) << 8, ret);
        break;
    case 0xce:
        error = read_wide(reader, 4, UINT64_C(1) << 16, ret);
        break;
    case 0xcf:
        error = read_wide(reader, 8, UINT64_C(1) << 32, ret);
        break;
    default:
        if (reader->p[0] > 0x7f) {
            return GP_E_MESSAGE_DECODE;
        }
        *ret = *reader->p++;
        break;
    }
    if (error == GP_OK && *ret > max) {
        return GP_E_MESSAGE_LIMIT;
    }
    return error;
}

static gp_error_t read_array(gp_reader_t *reader, uint64_t *ret_count)
{
    if (left(reader) == 0) {
        return GP_E_MESSAGE_DECODE;
    }
    if ((reader->p[0] & 0xf0) == 0x90) {
        *ret_count = *reader->p++ & 0x0f;
        return GP_OK;
    }
    if (reader->p[0] == 0xdc) {
        return read_wide(reader, 2, 16, ret_count);
    }
    if (reader->p[0] == 0xdd) {
        return read_wide(reader, 4, UINT64_C(1) << 16, ret_count);
    }
    return GP_E_MESSAGE_DECODE;
}

/* The head of a str, or with `bin` of a bin. */
static gp_error_t read_length(gp_reader_t *reader, bool bin, uint64_t *ret_length)
{
    uint8_t head;

    if (left(reader) == 0) {
        return GP_E_MESSAGE_DECODE;
    }
    head = reader->p[0];
    if (!bin && (head & 0xe0) == 0xa0) {
        reader->p++;
        *ret_length = head & 0x1f;
        return GP_OK;
    }
    if (head == (bin ? 0xc4 : 0xd9)) {
        return read_wide(reader, 1, bin ? 0 : 32, ret_length);
    }
    if (head == (bin ? 0xc5 : 0xda)) {
        return read_wide(reader, 2, UINT64_C(1) << 8, ret_length);
    }
    if (head == (bin ? 0xc6 : 0xdb)) {
        return read_wide(reader, 4, UINT64_C(1) << 16, ret_length);
    }
    return GP_E_MESSAGE_DECODE;
}

static gp_error_t read_bytes(gp_reader_t *reader, const gp_field_t *field, gp_slice_t *ret)
{
    uint64_t length = 0;
    gp_slice_t bytes;
    gp_error_t error = read_length(reader, field->type != GP_FIELD_TEXT, &length);

    if (error != GP_OK) {
        return error;
    }
    if (length > left(reader)) {
        return GP_E_MESSAGE_DECODE;
    }
    if (length > field->max) {
        return GP_E_MESSAGE_LIMIT;
    }
    bytes = gp_slice(reader->p, (size_t)length);
    if (field->type == GP_FIELD_TEXT && !gp_text_valid(bytes)) {
        return GP_E_MESSAGE_DECODE;
    }
    reader->p += length;
    *ret = bytes;
    return GP_OK;
}

static gp_error_t read_bool(gp_reader_t *reader, bool *ret)
{
    if (left(reader) == 0 || (reader->p[0] & 0xfe) != 0xc2) {
        return GP_E_MESSAGE_DECODE;
    }
    *ret = *reader->p++ == 0xc3;
    return GP_OK;
}

static gp_error_t read_id(gp_reader_t *reader, gp_id_t *ret)
{
    if (left(reader) < 2 + sizeof ret->b || reader->p[0] != 0xc4 || reader->p[1] != sizeof ret->b) {
        return GP_E_MESSAGE_DECODE;
    }
    memcpy(ret->b, reader->p + 2, sizeof ret->b);
    reader->p += 2 + sizeof ret->b;
    return GP_OK;
}

/* Anything but a list. */
static gp_error_t read_field(gp_reader_t *reader, const gp_field_t *field, uint8_t *base)
{
    void *at = base + field->offset;
    uint64_t number = 0;
    gp_error_t error;

    switch (field->type) {
    case GP_FIELD_BOOL:
        return read_bool(reader, at);
    case GP_FIELD_U8:
        error = read_number(reader, field->max, &number);
        *(uint8_t *)at = (uint8_t)number;
        return error;
    case GP_FIELD_U16:
        error = read_number(reader, field->max, &number);
        *(uint16_t *)at = (uint16_t)number;
        return error;
    case GP_FIELD_U32:
        error = read_number(reader, field->max, &number);
        *(uint32_t *)at = (uint32_t)number;
        return error;
    case GP_FIELD_U64:
        return read_number(reader, field->max, at);
    case GP_FIELD_ID:
        return read_id(reader, at);
    case GP_FIELD_PEER:
        error = read_id(reader, at);
        return error == GP_OK && gp_id_is_none(at) ? GP_E_MESSAGE_DECODE : error;
    case GP_FIELD_TEXT:
    case GP_FIELD_BLOB:
        return read_bytes(reader, field, at);
    case GP_FIELD_LIST:
    default:
        assert(false && "lists do not nest");
        return GP_E_MESSAGE_DECODE;
    }
}

static gp_error_t read_record(gp_reader_t *reader, const gp_record_table_t *record, uint8_t *at)
{
    uint64_t count = 0;
    gp_error_t error = read_array(reader, &count);

    if (error == GP_OK && count != record->field_count) {
        error = GP_E_MESSAGE_DECODE;
    }
    for (uint32_t i = 0; i < record->field_count && error == GP_OK; i++) {
        error = read_field(reader, &record->fields[i], at);
    }
    return error;
}

static gp_error_t read_list(gp_reader_t *reader, const gp_field_t *field, uint8_t *base)
{
    const gp_record_table_t *record = gp_record_table(field->record);
    uint8_t *at = base + field->offset;
    uint64_t count = 0;
    gp_error_t error = read_array(reader, &count);

    if (error != GP_OK) {
        return error;
    }
    if (count > field->max) {
        return GP_E_MESSAGE_LIMIT;
    }
    if (count > left(reader)) {
        return GP_E_MESSAGE_DECODE; /* each record takes at least one byte */
    }
    for (uint64_t i = 0; i < count && error == GP_OK; i++, at += record->size) {
        error = read_record(reader, record, at);
    }
    *(uint32_t *)(void *)(base + field->count_offset) = (uint32_t)count;
    return error;
}

gp_error_t gp_msg_read(gp_msg_kind_t kind, gp_slice_t bytes, bool wire, gp_msg_t *ret_msg)
{
    const gp_msg_table_t *table = gp_msg_table((uint32_t)kind);
    gp_reader_t reader;
    uint8_t *base = (uint8_t *)&ret_msg->u;
    uint64_t count = 0;
    gp_error_t error;

    if (table == NULL ||
        (wire && table->scope != GP_SCOPE_LINK && table->scope != GP_SCOPE_SIGNED)) {
        return GP_E_MESSAGE_KIND;
    }
    if (bytes.n == 0) {
        return GP_E_MESSAGE_DECODE;
    }
    reader = (gp_reader_t){.p = bytes.p, .end = bytes.p + bytes.n};
    error = read_array(&reader, &count);
    if (error == GP_OK && count != table->field_count) {
        error = GP_E_MESSAGE_DECODE;
    }
    for (uint32_t i = 0; i < table->field_count && error == GP_OK; i++) {
        const gp_field_t *field = &table->fields[i];
        error = field->type == GP_FIELD_LIST ? read_list(&reader, field, base)
                                             : read_field(&reader, field, base);
    }
    if (error == GP_OK && left(&reader) != 0) {
        error = GP_E_MESSAGE_DECODE;
    }
    ret_msg->kind = kind;
    ret_msg->sent_ms = 0;
    ret_msg->signed_bytes = (gp_slice_t){0};
    return error;
}
