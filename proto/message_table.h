/*
 * The field tables that proto/messages.h generates, for the walkers inside proto and the protocol
 * page. Other rooms use proto/message.h.
 */
#ifndef GP_PROTO_MESSAGE_TABLE_H
#define GP_PROTO_MESSAGE_TABLE_H

#include "proto/message.h"

typedef enum gp_field_type {
    GP_FIELD_BOOL = 1,
    GP_FIELD_U8,
    GP_FIELD_U16,
    GP_FIELD_U32,
    GP_FIELD_U64,
    GP_FIELD_ID,
    GP_FIELD_PEER, /* an ID that is not all zeros */
    GP_FIELD_TEXT,
    GP_FIELD_BLOB,
    GP_FIELD_LIST
} gp_field_type_t;

typedef enum gp_record_kind {
    GP_RECORD_KIND_NONE = 0,
#define GP_R(name, doc) GP_RECORD_KIND_##name,
    GP_RECORDS(GP_R)
#undef GP_R
        GP_RECORD_KIND_COUNT
} gp_record_kind_t;

typedef struct gp_field {
    const char *name;
    gp_field_type_t type;
    gp_record_kind_t record; /* LIST: of which record */
    uint32_t offset;         /* inside the message's or the record's struct */
    uint32_t count_offset;   /* LIST: where its count is */
    uint64_t max;            /* largest number; most bytes of TEXT and BLOB; most records of LIST */
} gp_field_t;

typedef struct gp_record_table {
    const char *name;
    const char *doc;
    const gp_field_t *fields;
    uint32_t field_count;
    uint32_t size; /* of the record's struct */
} gp_record_table_t;

typedef struct gp_msg_table {
    gp_msg_kind_t kind;
    gp_scope_t scope;
    gp_room_t room;
    const char *name;
    const char *doc;
    const gp_field_t *fields;
    uint32_t field_count;
    uint32_t size; /* of the message's struct, without what is common to all kinds */
} gp_msg_table_t;

/* The table of a kind or a record; NULL for an unknown kind. */
const gp_msg_table_t *gp_msg_table(uint32_t code);
const gp_record_table_t *gp_record_table(gp_record_kind_t kind);

/* The value of a field that is a number (BOOL, U8 .. U64) in the struct at `base`. */
uint64_t gp_field_number(const gp_field_t *field, const uint8_t *base);

/* The count and the records of a LIST in the struct at `base`. */
uint32_t gp_field_count(const gp_field_t *field, const uint8_t *base);

#endif
