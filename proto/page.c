/*
 * Prints the protocol page (proto/PROTOCOL.md) from the tables that the code itself runs on, so
 * that the page cannot tell anything else. `ninja protocol-page` writes it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "proto/cert.h"
#include "proto/envelope.h"
#include "proto/message_table.h"
#include "proto/token.h"

static const gp_msg_kind_t kinds[] = {
#define GP_M(KIND, name, code, scope, room, doc) GP_MSG_##KIND,
    GP_MESSAGES(GP_M)
#undef GP_M
};

static const gp_error_t errors[] = {
#define GP_E(NAME, code, exit, text, action) GP_E_##NAME,
    GP_ERRORS(GP_E)
#undef GP_E
};

static const char *type_name(gp_field_type_t type)
{
    static const char *const names[] = {
        [GP_FIELD_BOOL] = "bool", [GP_FIELD_U8] = "u8",     [GP_FIELD_U16] = "u16",
        [GP_FIELD_U32] = "u32",   [GP_FIELD_U64] = "u64",   [GP_FIELD_ID] = "id",
        [GP_FIELD_PEER] = "peer", [GP_FIELD_TEXT] = "text", [GP_FIELD_BLOB] = "blob",
        [GP_FIELD_LIST] = "list",
    };

    assert(type >= GP_FIELD_BOOL && type <= GP_FIELD_LIST);
    return names[type];
}

static const char *scope_name(gp_scope_t scope)
{
    static const char *const names[] = {
        [GP_SCOPE_LINK] = "LINK",   [GP_SCOPE_SIGNED] = "SIGNED", [GP_SCOPE_STORED] = "STORED",
        [GP_SCOPE_LOCAL] = "LOCAL", [GP_SCOPE_NOTICE] = "NOTICE",
    };

    assert(scope >= GP_SCOPE_LINK && scope <= GP_SCOPE_NOTICE);
    return names[scope];
}

static void print_field(const gp_field_t *field)
{
    printf("| %s | ", field->name);
    switch (field->type) {
    case GP_FIELD_BOOL:
    case GP_FIELD_ID:
    case GP_FIELD_PEER:
        printf("%s | |\n", type_name(field->type));
        break;
    case GP_FIELD_TEXT:
    case GP_FIELD_BLOB:
        printf("%s | at most %" PRIu64 " bytes |\n", type_name(field->type), field->max);
        break;
    case GP_FIELD_LIST:
        printf("list of %s | at most %" PRIu64 " |\n", gp_record_table(field->record)->name,
               field->max);
        break;
    case GP_FIELD_U8:
    case GP_FIELD_U16:
    case GP_FIELD_U32:
    case GP_FIELD_U64:
    default:
        printf("%s | ", type_name(field->type));
        if (field->max < UINT8_MAX || (field->max != UINT8_MAX && field->max != UINT16_MAX &&
                                       field->max != UINT32_MAX && field->max != UINT64_MAX)) {
            printf("at most %" PRIu64, field->max);
        }
        printf(" |\n");
        break;
    }
}

static void print_fields(const gp_field_t *fields, uint32_t count)
{
    printf("| field | type | limit |\n|---|---|---|\n");
    for (uint32_t i = 0; i < count; i++) {
        print_field(&fields[i]);
    }
    printf("\n");
}

static void print_frames(void)
{
    printf("# The protocol\n\n"
           "Written by `ninja protocol-page` from the tables in proto/messages.h and\n"
           "proto/errors.h: change those, not this page.\n\n"
           "## Frames\n\n"
           "One frame is one ZeroMQ message part of at most %d bytes. Numbers in heads are\n"
           "big-endian. The version is %d; flags are 0.\n\n",
           GP_MESSAGE_MAX, GP_ENVELOPE_VERSION);
    printf("A signed frame has a head of %d bytes, a body and a signature:\n\n"
           "    \"GP\" version:1 flags:1 kind:2 body:4 grid:16 source:32 destination:32\n"
           "    boot:8 sequence:8 sent_ms:8 body... signature:%d\n\n",
           GP_ENVELOPE_HEAD, GP_SIGNATURE_BYTES);
    printf(
        "The signature is Ed25519ph over \"%s\", a zero byte, and the exact bytes of head and\n"
        "body. The destination is a machine, or a group in its last 8 bytes. A receiver refuses\n"
        "what it has seen: sequences more than %d behind the highest of the same boot, older\n"
        "boots, and times that differ from its own by more than %d seconds.\n\n",
        GP_ENVELOPE_CONTEXT, GP_REPLAY_WINDOW, GP_ENVELOPE_SKEW_MS / 1000);
    printf(
        "A link frame has a head of %d bytes and a body, and rides on an authenticated session:\n\n"
        "    \"GL\" version:1 flags:1 kind:2 body...\n\n",
        GP_ENVELOPE_LINK_HEAD);
}

static void print_bodies(void)
{
    printf(
        "## Bodies\n\n"
        "A body is one msgpack array with exactly the fields of its kind, in order. A list is\n"
        "an array of records, a record an array of its fields. bool is true or false; u8 to u64\n"
        "are positive integers; id is a bin of 32 bytes, peer one that is not all zeros; text\n"
        "is a str of UTF-8 without NUL; blob is a bin. Every value has its shortest encoding.\n"
        "Nothing else is read: no maps, floats, nil, ext or bytes after the end.\n\n"
        "Scopes: LINK kinds travel in link frames, SIGNED kinds in signed frames. STORED kinds\n"
        "are records on disk, LOCAL kinds commands and NOTICE kinds news inside one machine:\n"
        "these three are refused from the wire.\n\n"
        "Certificates (at most %d bytes) are signed with the context \"%s\", invitations (at\n"
        "most %d bytes) with \"%s\", the proof of an invitation's key with \"%s\"; proto/cert.h\n"
        "and proto/token.h show their layouts.\n\n",
        GP_CERT_MAX, GP_CERT_CONTEXT, GP_TOKEN_MAX, GP_TOKEN_CONTEXT, GP_TOKEN_PROOF_CONTEXT);
}

static void print_records(void)
{
    printf("## Records\n\n");
    for (int kind = GP_RECORD_KIND_NONE + 1; kind < GP_RECORD_KIND_COUNT; kind++) {
        const gp_record_table_t *record = gp_record_table((gp_record_kind_t)kind);
        printf("### %s\n\n%s.\n\n", record->name, record->doc);
        print_fields(record->fields, record->field_count);
    }
}

static void print_messages(gp_room_t room, const char *title)
{
    printf("## Messages: %s\n\n", title);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const gp_msg_table_t *table = gp_msg_table((uint32_t)kinds[i]);
        if (table->room == room) {
            printf("### 0x%03x %s (%s)\n\n%s.\n\n", (unsigned)table->kind, gp_msg_name(table->kind),
                   scope_name(table->scope), table->doc);
            print_fields(table->fields, table->field_count);
        }
    }
}

static void print_errors(void)
{
    printf("## Errors\n\n| code | name | exit | what happened | what to do "
           "|\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        gp_error_t error = errors[i];
        printf("| %d | %s | %d | %s | %s |\n", (int)error, gp_error_name(error),
               gp_error_exit(error), gp_error_text(error), gp_error_action(error));
    }
}

int main(void)
{
    print_frames();
    print_bodies();
    print_records();
    print_messages(GP_ROOM_GROUP, "group");
    print_messages(GP_ROOM_ELECTION, "election");
    print_messages(GP_ROOM_DISCOVERY, "discovery");
    print_messages(GP_ROOM_WORK, "work");
    print_messages(GP_ROOM_JOIN, "joining");
    print_messages(GP_ROOM_TIERS, "tiers");
    print_messages(GP_ROOM_ROUTE, "route");
    print_messages(GP_ROOM_FORMING, "forming");
    static_assert(GP_ROOM_COUNT == GP_ROOM_FORMING + 1, "every room is on the page");
    print_errors();
    return fflush(stdout) == 0 ? 0 : 1;
}
