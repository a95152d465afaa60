#include "tests/fuzz/core_messages.h"

#include "proto/text.h"
#include "tests/unit/proto_sample.h"

#define LIST_MOST 8 /* records made in one list */

/* What peers and users say in texts. Those behind the first few are made of bytes. */
static const char *const texts[] = {
    "",
    "n1",
    "n2",
    "tcp://127.0.0.1:7001",
    "tcp://[::1]:7002",
    "cpu >= 1",
    "cpu >= 4 and mem.free >= 8GiB or not has python3",
    "name == \"n1\"",
    "mem.free desc, cpu.free desc",
    "nonsense ((",
    "arch like \"*64\", kernel ~= 6.1, uptime in 1h..2d",
    "has {gcc, tar} or tag.a == \"b c\" or os.id in {debian, ubuntu}",
    "/bin/true",
    "PATH=/bin",
};
#define TEXT_COUNT (sizeof texts / sizeof texts[0])

gp_id_t fuzz_id(uint8_t index)
{
    gp_id_t id = {{0}};
    id.b[0] = (uint8_t)(1 + (index + 4) % 16); /* some before this machine, some after it */
    id.b[31] = 1;
    return id;
}

gp_record_member_t fuzz_member(uint8_t index)
{
    static const char *const names[] = {"n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"};
    return (gp_record_member_t){.id = fuzz_id(index),
                                .incarnation = 65536,
                                .state = GP_MEMBER_ALIVE,
                                .cause = GP_CAUSE_JOINED,
                                .flags = GP_FLAG_SEEN,
                                .name = gp_text(names[index % 8]),
                                .address = gp_text("tcp://127.0.0.1:7000")};
}

/* Every name has a place of its own, which it keeps. */
static size_t place_of(const char *name)
{
    static const char *names[FUZZ_NAMES];
    size_t place = 0;
    for (const char *p = name; *p != '\0'; p++) {
        place = place * 31 + (uint8_t)*p;
    }
    for (place %= FUZZ_NAMES; names[place] != NULL; place = (place + 1) % FUZZ_NAMES) {
        if (names[place] == name || strcmp(names[place], name) == 0) {
            return place;
        }
    }
    names[place] = name;
    return place;
}

void fuzz_memory_reset(fuzz_memory_t *memory)
{
    memset(memory, 0, sizeof *memory);
}

void fuzz_memory_set(fuzz_memory_t *memory, const char *name, uint64_t number)
{
    memory->numbers[place_of(name)] = number;
}

uint64_t fuzz_memory_get(const fuzz_memory_t *memory, const char *name)
{
    return memory->numbers[place_of(name)];
}

static void hear_fields(fuzz_memory_t *memory, const gp_field_t *fields, uint32_t count,
                        const uint8_t *base)
{
    for (uint32_t i = 0; i < count; i++) {
        const gp_field_t *field = &fields[i];
        switch (field->type) {
        case GP_FIELD_U8:
        case GP_FIELD_U16:
        case GP_FIELD_U32:
        case GP_FIELD_U64:
            memory->numbers[place_of(field->name)] = gp_field_number(field, base);
            break;
        case GP_FIELD_ID:
        case GP_FIELD_PEER:
            memcpy(&memory->ids[place_of(field->name)], base + field->offset, sizeof(gp_id_t));
            break;
        case GP_FIELD_LIST:
            if (gp_field_count(field, base) > 0) {
                const gp_record_table_t *record = gp_record_table(field->record);
                hear_fields(memory, record->fields, record->field_count, base + field->offset);
            }
            break;
        case GP_FIELD_BOOL:
        case GP_FIELD_TEXT:
        case GP_FIELD_BLOB:
            break;
        }
    }
}

void fuzz_memory_hear(fuzz_memory_t *memory, const gp_msg_t *msg)
{
    const gp_msg_table_t *table = gp_msg_table((uint32_t)msg->kind);
    hear_fields(memory, table->fields, table->field_count, (const uint8_t *)&msg->u);
}

void fuzz_message_empty(gp_msg_kind_t kind, gp_msg_t *ret_msg)
{
    memset(ret_msg, 0, gp_msg_size(kind));
    ret_msg->kind = kind;
}

/* ---- making ---------------------------------------------------------------------------------- */

typedef struct maker {
    fuzz_bytes_t *bytes;
    const fuzz_memory_t *memory;
} maker_t;

static bool make_flag(void *context)
{
    const maker_t *maker = context;
    return (fuzz_u8(maker->bytes) & 1) == 0;
}

static uint64_t make_number(void *context, const gp_field_t *field)
{
    const maker_t *maker = context;
    uint8_t choice = fuzz_u8(maker->bytes);
    uint64_t number = maker->memory->numbers[place_of(field->name)];
    switch (choice & 3) {
    case 0:
        number += choice >> 2;
        break;
    case 1:
        number = choice >> 2;
        break;
    case 2:
        number -= choice >> 2;
        break;
    default:
        number = fuzz_number(maker->bytes, 1 + (choice >> 2) % 8);
        break;
    }
    return number <= field->max ? number : number % (field->max + 1);
}

static gp_id_t make_id(void *context, const gp_field_t *field)
{
    const maker_t *maker = context;
    uint8_t choice = fuzz_u8(maker->bytes);
    if (choice == 0) {
        gp_id_t id = maker->memory->ids[place_of(field->name)];
        return gp_id_is_none(&id) ? fuzz_id(0) : id;
    }
    bool nobody = choice == 1 && field->type == GP_FIELD_ID;
    return nobody ? (gp_id_t){{0}} : fuzz_id((uint8_t)(choice - 2));
}

static gp_slice_t make_text(fuzz_bytes_t *bytes, const gp_field_t *field)
{
    uint8_t choice = fuzz_u8(bytes);
    if (choice == 0 && field->max == GP_ARGS_BYTES_MAX) {
        return gp_text("/bin/true"); /* a word of a command */
    }
    gp_slice_t text = choice < TEXT_COUNT ? gp_text(texts[choice])
                                          : fuzz_slice(bytes, (size_t)choice - TEXT_COUNT);
    return text.n <= field->max && gp_text_valid(text) ? text : gp_slice(NULL, 0);
}

static gp_slice_t make_blob(const maker_t *maker, const gp_field_t *field)
{
    uint8_t choice = fuzz_u8(maker->bytes);
    if (choice == 1 && maker->memory->blob_n <= field->max) {
        return gp_slice(maker->memory->blob, maker->memory->blob_n);
    }
    return fuzz_slice(maker->bytes, choice < field->max ? choice : (size_t)field->max);
}

static gp_slice_t make_slice(void *context, const gp_field_t *field)
{
    const maker_t *maker = context;
    return field->type == GP_FIELD_TEXT ? make_text(maker->bytes, field) : make_blob(maker, field);
}

static uint32_t make_count(void *context, const gp_field_t *field)
{
    const maker_t *maker = context;
    uint32_t most = field->max < LIST_MOST ? (uint32_t)field->max : LIST_MOST;
    return (fuzz_u8(maker->bytes) + 1U) % (most + 1); /* zero bytes: one record */
}

void fuzz_message(fuzz_bytes_t *bytes, const fuzz_memory_t *memory, gp_msg_kind_t kind,
                  gp_msg_t *ret_msg)
{
    maker_t maker = {.bytes = bytes, .memory = memory};
    const sample_source_t source = {.context = &maker,
                                    .flag = make_flag,
                                    .number = make_number,
                                    .id = make_id,
                                    .slice = make_slice,
                                    .count = make_count};
    sample_fill(&source, kind, ret_msg);
}
