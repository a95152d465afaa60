#include "proto/message_table.h"
#include "proto/text.h"

/* Text that is cut at its end and always has room for the terminator. */
typedef struct gp_page {
    char *text;
    size_t used;
    size_t size;
    const char *(*name)(void *context, const gp_id_t *id);
    void *context;
} gp_page_t;

static void put_char(gp_page_t *page, char c)
{
    assert(page->used < page->size);
    if (page->used + 1 < page->size) {
        page->text[page->used++] = c;
    }
}

static void put(gp_page_t *page, const char *text)
{
    for (; *text != '\0'; text++) {
        put_char(page, *text);
    }
}

static void put_number(gp_page_t *page, uint64_t number)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (n > 0) {
        put_char(page, digits[--n]);
    }
}

static void put_id(gp_page_t *page, const gp_id_t *id)
{
    const char *name = page->name != NULL ? page->name(page->context, id) : NULL;
    char text[GP_ID_SHORT_TEXT];

    if (gp_id_is_none(id)) {
        put(page, "-");
    } else if (name != NULL) {
        put(page, name);
    } else {
        gp_id_short(id, text);
        put(page, text);
    }
}

/* Bare if it reads as one word, else in quotes, with everything unprintable as \xNN. */
static void put_text(gp_page_t *page, gp_slice_t text)
{
    static const char hex[] = "0123456789abcdef";
    bool bare = text.n > 0;

    for (uint32_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bare = bare && c > ' ' && c < 0x7f && strchr("\"\\[]{}=", c) == NULL;
    }
    if (!bare) {
        put_char(page, '"');
    }
    for (uint32_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c < ' ' || c >= 0x7f) {
            put(page, "\\x");
            put_char(page, hex[c >> 4]);
            put_char(page, hex[c & 15]);
        } else {
            if (c == '"' || c == '\\') {
                put_char(page, '\\');
            }
            put_char(page, (char)c);
        }
    }
    if (!bare) {
        put_char(page, '"');
    }
}

static bool is_named(const gp_field_t *field, const char *name)
{
    return strcmp(field->name, name) == 0;
}

/* The word of a number that is an enum value, or NULL. Same names mean the same within a room. */
static const char *word_of(gp_room_t room, const gp_field_t *field, uint64_t number)
{
    bool work = room == GP_ROOM_WORK;

    if (field->type == GP_FIELD_U16) {
        if (is_named(field, "error")) {
            return gp_error_name((gp_error_t)number);
        }
        return is_named(field, "kind") ? gp_msg_name((gp_msg_kind_t)number) : NULL;
    }
    if (field->type != GP_FIELD_U8) {
        return NULL;
    }
    if (is_named(field, "state") && work) {
        return gp_job_state_name((gp_job_state_t)number);
    }
    if (is_named(field, "state") || is_named(field, "before")) {
        return gp_member_state_name((gp_member_state_t)number);
    }
    if (is_named(field, "reason")) {
        return work ? gp_reason_name((gp_reason_t)number)
                    : gp_vote_reason_name((gp_vote_reason_t)number);
    }
    if (is_named(field, "cause")) {
        return gp_cause_name((gp_cause_t)number);
    }
    return is_named(field, "right") ? gp_right_name((gp_right_t)number) : NULL;
}

static const char *why_of(gp_msg_kind_t kind, const gp_field_t *field, uint64_t number)
{
    if (!is_named(field, "why")) {
        return NULL;
    }
    if (kind == GP_MSG_CAMPAIGN) {
        return gp_campaign_why_name((gp_campaign_why_t)number);
    }
    /* Why a part is absent has no name. */
    return kind == GP_MSG_STEP_DOWN ? gp_step_down_why_name((gp_step_down_why_t)number) : NULL;
}

static void put_number_field(gp_page_t *page, const gp_msg_table_t *table, const gp_field_t *field,
                             const uint8_t *base)
{
    uint64_t number = gp_field_number(field, base);
    const char *word = why_of(table->kind, field, number);

    if (word == NULL) {
        /* A member's record says how the member is, whatever the room of the message. */
        bool member = is_named(field, "state") && field->max == 5;
        word = word_of(member ? GP_ROOM_GROUP : table->room, field, number);
    }
    if (word != NULL && word[0] != '?') {
        put(page, word);
    } else {
        put_number(page, number);
    }
}

/* Anything but a list. */
static void put_field(gp_page_t *page, const gp_msg_table_t *table, const gp_field_t *field,
                      const uint8_t *base)
{
    const void *at = base + field->offset;

    put(page, field->name);
    put_char(page, '=');
    switch (field->type) {
    case GP_FIELD_BOOL:
        put(page, *(const bool *)at ? "yes" : "no");
        break;
    case GP_FIELD_U8:
    case GP_FIELD_U16:
    case GP_FIELD_U32:
    case GP_FIELD_U64:
        put_number_field(page, table, field, base);
        break;
    case GP_FIELD_ID:
    case GP_FIELD_PEER:
        put_id(page, at);
        break;
    case GP_FIELD_TEXT:
        put_text(page, *(const gp_slice_t *)at);
        break;
    case GP_FIELD_BLOB:
        put_number(page, ((const gp_slice_t *)at)->n);
        put_char(page, 'B');
        break;
    case GP_FIELD_LIST:
    default:
        assert(false && "lists do not nest");
        break;
    }
}

static void put_list(gp_page_t *page, const gp_msg_table_t *table, const gp_field_t *field,
                     const uint8_t *base)
{
    const gp_record_table_t *record = gp_record_table(field->record);
    const uint8_t *at = base + field->offset;
    uint32_t count = gp_field_count(field, base);

    put(page, field->name);
    put(page, "=[");
    for (uint32_t i = 0; i < count; i++, at += record->size) {
        put(page, i > 0 ? " {" : "{");
        for (uint32_t k = 0; k < record->field_count; k++) {
            if (k > 0) {
                put_char(page, ' ');
            }
            put_field(page, table, &record->fields[k], at);
        }
        put_char(page, '}');
    }
    put_char(page, ']');
}

size_t gp_msg_print(const gp_msg_t *msg, const char *(*name)(void *context, const gp_id_t *id),
                    void *context, char *text, size_t size)
{
    const gp_msg_table_t *table = gp_msg_table((uint32_t)msg->kind);
    const uint8_t *base = (const uint8_t *)&msg->u;
    gp_page_t page = {.text = text, .size = size, .name = name, .context = context};

    assert(table != NULL && size > 0);
    put(&page, gp_msg_name(msg->kind));
    for (uint32_t i = 0; i < table->field_count; i++) {
        const gp_field_t *field = &table->fields[i];
        put_char(&page, ' ');
        if (field->type == GP_FIELD_LIST) {
            put_list(&page, table, field, base);
        } else {
            put_field(&page, table, field, base);
        }
    }
    text[page.used] = '\0';
    return page.used;
}
