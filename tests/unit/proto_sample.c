#include "proto_sample.h"

const gp_msg_kind_t sample_kinds[] = {
#define GP_M(KIND, name, code, scope, room, doc) GP_MSG_##KIND,
    GP_MESSAGES(GP_M)
#undef GP_M
};
const size_t sample_kind_count = sizeof sample_kinds / sizeof sample_kinds[0];

/* ---- a message from a source of values ------------------------------------------------------- */

static void fill_field(const sample_source_t *source, const gp_field_t *field, uint8_t *base)
{
    void *at = base + field->offset;

    switch (field->type) {
    case GP_FIELD_BOOL:
        *(bool *)at = source->flag(source->context);
        break;
    case GP_FIELD_U8:
        *(uint8_t *)at = (uint8_t)source->number(source->context, field);
        break;
    case GP_FIELD_U16:
        *(uint16_t *)at = (uint16_t)source->number(source->context, field);
        break;
    case GP_FIELD_U32:
        *(uint32_t *)at = (uint32_t)source->number(source->context, field);
        break;
    case GP_FIELD_U64:
        *(uint64_t *)at = source->number(source->context, field);
        break;
    case GP_FIELD_ID:
    case GP_FIELD_PEER:
        *(gp_id_t *)at = source->id(source->context, field);
        break;
    case GP_FIELD_TEXT:
    case GP_FIELD_BLOB:
        *(gp_slice_t *)at = source->slice(source->context, field);
        break;
    case GP_FIELD_LIST:
    default:
        assert(false);
    }
}

static void fill_list(const sample_source_t *source, const gp_field_t *field, uint8_t *base)
{
    const gp_record_table_t *record = gp_record_table(field->record);
    uint32_t count = source->count(source->context, field);

    *(uint32_t *)(void *)(base + field->count_offset) = count;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < record->field_count; k++) {
            fill_field(source, &record->fields[k], base + field->offset + (size_t)i * record->size);
        }
    }
}

void sample_fill(const sample_source_t *source, gp_msg_kind_t kind, gp_msg_t *msg)
{
    const gp_msg_table_t *table = gp_msg_table((uint32_t)kind);
    uint8_t *base = (uint8_t *)&msg->u;

    assert(table != NULL);
    memset(msg, 0, offsetof(gp_msg_t, u));
    msg->kind = kind;
    for (uint32_t i = 0; i < table->field_count; i++) {
        const gp_field_t *field = &table->fields[i];
        if (field->type == GP_FIELD_LIST) {
            fill_list(source, field, base);
        } else {
            fill_field(source, field, base);
        }
    }
}

/* ---- at random ------------------------------------------------------------------------------- */

#define POOL_BYTES (128U << 10)
static uint8_t blob_pool[POOL_BYTES];
static uint8_t text_pool[POOL_BYTES];

/* Mostly ASCII, with two, three and four byte sequences at every eighth place. */
static void fill_pools(void)
{
    static const char *const wide[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8c\x90"};
    gp_random_t random;
    uint32_t at = 0;

    if (text_pool[0] != 0) {
        return;
    }
    gp_random_init(&random, 1);
    for (uint32_t i = 0; i < POOL_BYTES; i++) {
        blob_pool[i] = (uint8_t)gp_random_next(&random);
    }
    memset(text_pool, 'x', sizeof text_pool);
    while (at + 8 < POOL_BYTES) {
        const char *sequence = wide[gp_random_below(&random, 3)];
        memcpy(text_pool + at, sequence, strlen(sequence));
        at += 8;
    }
}

/* A length: often 0, the maximum or a border of the encoding, else small. */
static uint32_t random_count(void *random, const gp_field_t *field)
{
    static const uint32_t borders[] = {0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536};
    uint64_t length = gp_random_below(random, 12);

    if (gp_random_below(random, 4) == 0) {
        length = borders[gp_random_below(random, sizeof borders / sizeof borders[0])];
    } else if (gp_random_below(random, 32) == 0) {
        length = field->max;
    }
    return (uint32_t)(length < field->max ? length : field->max);
}

static bool random_flag(void *random)
{
    return gp_random_below(random, 2) == 1;
}

static uint64_t random_number(void *random, const gp_field_t *field)
{
    static const uint64_t borders[] = {
        0,          127,        128,        255, 256,        65535,       65536,
        UINT32_MAX, 1ULL << 32, UINT64_MAX, 1,   0x7fffffff, 0x80000000U, 0x7fffffffffffffffULL};
    uint64_t number = gp_random_next(random) >> gp_random_below(random, 64);

    if (gp_random_below(random, 2) == 0) {
        number = borders[gp_random_below(random, sizeof borders / sizeof borders[0])];
    }
    return number <= field->max ? number : field->max;
}

static gp_id_t random_id(void *random, const gp_field_t *field)
{
    gp_id_t id;

    (void)field;
    for (size_t i = 0; i < sizeof id.b; i++) {
        id.b[i] = (uint8_t)gp_random_next(random);
    }
    return id;
}

static gp_slice_t random_slice(void *random, const gp_field_t *field)
{
    uint32_t n = random_count(random, field);
    uint32_t from = (uint32_t)gp_random_below(random, POOL_BYTES - n);

    if (field->type == GP_FIELD_BLOB) {
        return gp_slice(blob_pool + from, n);
    }
    from &= ~7U;
    while (n > 0 && (text_pool[from + n] & 0xc0) == 0x80) {
        n--; /* not through the middle of a sequence */
    }
    return gp_slice(text_pool + from, n);
}

void sample_message(gp_random_t *random, gp_msg_kind_t kind, gp_msg_t *msg)
{
    const sample_source_t source = {.context = random,
                                    .flag = random_flag,
                                    .number = random_number,
                                    .id = random_id,
                                    .slice = random_slice,
                                    .count = random_count};

    fill_pools();
    memset(msg, 0, gp_msg_size(kind));
    sample_fill(&source, kind, msg);
}

/* ---- comparing ------------------------------------------------------------------------------- */

static bool field_equal(const gp_field_t *field, const uint8_t *a, const uint8_t *b)
{
    const void *at_a = a + field->offset;
    const void *at_b = b + field->offset;

    switch (field->type) {
    case GP_FIELD_ID:
    case GP_FIELD_PEER:
        return gp_id_equal(at_a, at_b);
    case GP_FIELD_TEXT:
    case GP_FIELD_BLOB:
        return gp_slice_equal(*(const gp_slice_t *)at_a, *(const gp_slice_t *)at_b);
    case GP_FIELD_BOOL:
    case GP_FIELD_U8:
    case GP_FIELD_U16:
    case GP_FIELD_U32:
    case GP_FIELD_U64:
        return gp_field_number(field, a) == gp_field_number(field, b);
    case GP_FIELD_LIST:
    default:
        assert(false);
        return false;
    }
}

static bool list_equal(const gp_field_t *field, const uint8_t *a, const uint8_t *b)
{
    const gp_record_table_t *record = gp_record_table(field->record);
    uint32_t count = gp_field_count(field, a);

    if (count != gp_field_count(field, b)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        size_t at = field->offset + (size_t)i * record->size;
        for (uint32_t k = 0; k < record->field_count; k++) {
            if (!field_equal(&record->fields[k], a + at, b + at)) {
                return false;
            }
        }
    }
    return true;
}

bool sample_equal(const gp_msg_t *a, const gp_msg_t *b)
{
    const gp_msg_table_t *table = gp_msg_table((uint32_t)a->kind);
    const uint8_t *base_a = (const uint8_t *)&a->u;
    const uint8_t *base_b = (const uint8_t *)&b->u;

    if (a->kind != b->kind) {
        return false;
    }
    for (uint32_t i = 0; i < table->field_count; i++) {
        const gp_field_t *field = &table->fields[i];
        bool equal = field->type == GP_FIELD_LIST ? list_equal(field, base_a, base_b)
                                                  : field_equal(field, base_a, base_b);
        if (!equal) {
            return false;
        }
    }
    return true;
}
