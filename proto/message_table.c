#include "proto/message_table.h"

#define GP_MAX_BOOL 1
#define GP_MAX_U8   UINT8_MAX
#define GP_MAX_U16  UINT16_MAX
#define GP_MAX_U32  UINT32_MAX
#define GP_MAX_U64  UINT64_MAX
#define GP_MAX_ID   sizeof(gp_id_t)
#define GP_MAX_PEER sizeof(gp_id_t)
#define GP_MAX_TEXT 0
#define GP_MAX_BLOB 0

/* In each case of the switches below, body_t is the struct whose fields are listed. */
#define GP_F(type_, name_, max_)                                                                   \
    {.name = #name_,                                                                               \
     .type = GP_FIELD_##type_,                                                                     \
     .offset = offsetof(body_t, name_),                                                            \
     .max = (max_) != 0 ? (uint64_t)(max_) : (uint64_t)GP_MAX_##type_},
#define GP_L(record_, name_, max_)                                                                 \
    {.name = #name_,                                                                               \
     .type = GP_FIELD_LIST,                                                                        \
     .record = GP_RECORD_KIND_##record_,                                                           \
     .offset = offsetof(body_t, name_),                                                            \
     .count_offset = offsetof(body_t, name_##_count),                                              \
     .max = (max_)},

const gp_record_table_t *gp_record_table(gp_record_kind_t kind)
{
    switch (kind) {
#define GP_R(name_, doc_)                                                                          \
    case GP_RECORD_KIND_##name_: {                                                                 \
        typedef gp_record_##name_##_t body_t;                                                      \
        static const gp_field_t fields[] = {GP_RECORD_##name_(GP_F, GP_L)};                        \
        static const gp_record_table_t table = {                                                   \
            .name = #name_,                                                                        \
            .doc = doc_,                                                                           \
            .fields = fields,                                                                      \
            .field_count = sizeof fields / sizeof fields[0],                                       \
            .size = sizeof(body_t),                                                                \
        };                                                                                         \
        return &table;                                                                             \
    }
        GP_RECORDS(GP_R)
#undef GP_R
    case GP_RECORD_KIND_NONE:
    case GP_RECORD_KIND_COUNT:
    default:
        assert(false && "no such record");
        return NULL;
    }
}

const gp_msg_table_t *gp_msg_table(uint32_t code)
{
    switch (code) {
#define GP_M(KIND_, name_, code_, scope_, room_, doc_)                                             \
    case code_: {                                                                                  \
        typedef gp_msg_##name_##_t body_t;                                                         \
        static const gp_field_t fields[] = {GP_FIELDS_##KIND_(GP_F, GP_L)};                        \
        static const gp_msg_table_t table = {                                                      \
            .kind = GP_MSG_##KIND_,                                                                \
            .scope = GP_SCOPE_##scope_,                                                            \
            .room = GP_ROOM_##room_,                                                               \
            .name = #name_,                                                                        \
            .doc = doc_,                                                                           \
            .fields = fields,                                                                      \
            .field_count = sizeof fields / sizeof fields[0],                                       \
            .size = sizeof(body_t),                                                                \
        };                                                                                         \
        return &table;                                                                             \
    }
        GP_MESSAGES(GP_M)
#undef GP_M
    default:
        return NULL;
    }
}

uint64_t gp_field_number(const gp_field_t *field, const uint8_t *base)
{
    const uint8_t *at = base + field->offset;

    switch (field->type) {
    case GP_FIELD_BOOL:
        return *(const bool *)(const void *)at ? 1 : 0;
    case GP_FIELD_U8:
        return *at;
    case GP_FIELD_U16:
        return *(const uint16_t *)(const void *)at;
    case GP_FIELD_U32:
        return *(const uint32_t *)(const void *)at;
    case GP_FIELD_U64:
        return *(const uint64_t *)(const void *)at;
    case GP_FIELD_ID:
    case GP_FIELD_PEER:
    case GP_FIELD_TEXT:
    case GP_FIELD_BLOB:
    case GP_FIELD_LIST:
    default:
        assert(false && "not a number");
        return 0;
    }
}

uint32_t gp_field_count(const gp_field_t *field, const uint8_t *base)
{
    assert(field->type == GP_FIELD_LIST);
    return *(const uint32_t *)(const void *)(base + field->count_offset);
}
