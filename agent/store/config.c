#include "agent/store/config.h"

#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/store/state_dir.h"
#include "proto/text.h"

#define VALUE_MAX 128

typedef enum config_type { TYPE_ADDRESS = 1, TYPE_FLAG, TYPE_NUMBER, TYPE_DURATION } config_type_t;

typedef struct config_row {
    config_type_t type;
    const char *section;
    const char *key;
    const char *initial;
    uint32_t min;
    uint32_t max;
    const char *doc;
    size_t offset;
} config_row_t;

static const config_row_t rows[] = {
#define GP_C(TYPE, section, key, initial, min, max, doc)                                           \
    {TYPE_##TYPE, #section, #key, initial, min, max, doc, offsetof(gp_config_t, section##_##key)},
    GP_CONFIG(GP_C)
#undef GP_C
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

static_assert(ROW_COUNT <= 64, "the set of settings seen is a 64-bit number");

/* ---- values as text ----------------------------------------------------------------------------
 */

/* A duration in the largest unit that divides it. */
static void duration_text(uint32_t ms, char *text, size_t size)
{
    static const struct {
        uint32_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t i = 0;
    while (ms == 0 || ms % units[i].ms != 0) {
        if (++i == sizeof units / sizeof units[0] - 1) {
            break;
        }
    }
    (void)snprintf(text, size, "%u%s", (unsigned)(ms / units[i].ms), units[i].unit);
}

static void value_text(const config_row_t *row, const gp_config_t *config, char text[VALUE_MAX])
{
    const char *at = (const char *)config + row->offset;
    uint32_t number = 0;
    if (row->type == TYPE_NUMBER || row->type == TYPE_DURATION) {
        memcpy(&number, at, sizeof number);
    }
    switch (row->type) {
    case TYPE_ADDRESS:
        (void)snprintf(text, VALUE_MAX, "%s", at);
        break;
    case TYPE_FLAG:
        (void)snprintf(text, VALUE_MAX, "%s", *(const bool *)at ? "yes" : "no");
        break;
    case TYPE_NUMBER:
        (void)snprintf(text, VALUE_MAX, "%u", (unsigned)number);
        break;
    case TYPE_DURATION:
        duration_text(number, text, VALUE_MAX);
        break;
    }
}

static void range_text(const config_row_t *row, char text[VALUE_MAX])
{
    char least[24];
    char most[24];
    switch (row->type) {
    case TYPE_ADDRESS:
        (void)snprintf(text, VALUE_MAX, "tcp://ADDR:PORT or tcp://[v6]:PORT");
        break;
    case TYPE_FLAG:
        (void)snprintf(text, VALUE_MAX, "yes or no");
        break;
    case TYPE_NUMBER:
        (void)snprintf(text, VALUE_MAX, "%u to %u", (unsigned)row->min, (unsigned)row->max);
        break;
    case TYPE_DURATION:
        duration_text(row->min, least, sizeof least);
        duration_text(row->max, most, sizeof most);
        (void)snprintf(text, VALUE_MAX, "%s to %s (ms, s, m, h, d)", least, most);
        break;
    }
}

/* ---- values from text --------------------------------------------------------------------------
 */

static bool number_read(const char *value, uint32_t min, uint32_t max, uint32_t *ret_number)
{
    uint64_t number = 0;
    size_t digits = 0;
    for (; value[digits] >= '0' && value[digits] <= '9' && digits < 10; digits++) {
        number = number * 10 + (uint64_t)(value[digits] - '0');
    }
    if (digits == 0 || value[digits] != '\0' || number < min || number > max) {
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

static bool value_read(const config_row_t *row, const char *value, gp_config_t *config)
{
    char *at = (char *)config + row->offset;
    uint32_t number = 0;
    uint64_t ms = 0;
    switch (row->type) {
    case TYPE_ADDRESS:
        /* Only where it listens may leave the port to the system. */
        if (value[0] != '\0' &&
            gp_address_check(gp_text(value), strcmp(row->key, "listen") == 0) != GP_OK) {
            return false;
        }
        return (value[0] != '\0' || row->initial[0] == '\0') &&
               gp_text_copy(at, sizeof(gp_config_address_t), gp_text(value));
    case TYPE_FLAG:
        if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
            return false;
        }
        *(bool *)at = strcmp(value, "yes") == 0;
        return true;
    case TYPE_NUMBER:
        if (!number_read(value, row->min, row->max, &number)) {
            return false;
        }
        break;
    case TYPE_DURATION:
        if (gp_duration_parse(value, &ms) != GP_OK || ms < row->min || ms > row->max) {
            return false;
        }
        number = (uint32_t)ms;
        break;
    }
    memcpy(at, &number, sizeof number);
    return true;
}

static const config_row_t *row_find(const char *section, const char *key)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strcmp(rows[i].section, section) == 0 && strcmp(rows[i].key, key) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

void gp_config_defaults(gp_config_t *ret_config)
{
    *ret_config = (gp_config_t){.beacon_port = 0};
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const bool read = value_read(&rows[i], rows[i].initial, ret_config);
        assert(read);
    }
}

/* ---- the file ----------------------------------------------------------------------------------
 */

typedef struct config_reading {
    const char *source;
    const char *at; /* the rest of the text */
    unsigned line;
    uint64_t seen; /* one bit a row */
    gp_config_t config;
    gp_fail_t *fail;
    gp_error_t error;
} config_reading_t;

/* Notes the first mistake, with its line. */
static void mistake(config_reading_t *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void mistake(config_reading_t *reading, const char *format, ...)
{
    char text[512];
    char shown[600];
    va_list arguments;
    if (reading->error != GP_OK) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)gp_text_escape(shown, sizeof shown, gp_text(text));
    reading->error =
        gp_fail(reading->fail, GP_E_CONFIG, "%s:%u: %s", reading->source, reading->line, shown);
}

/* Is the line blank, a comment, a section or a setting? libinih would go on and tell at the end. */
static bool line_has_form(const char *line, size_t length)
{
    switch (length > 0 ? line[0] : '#') {
    case '#':
    case ';':
    case '\r':
    case '\xef': /* a byte order mark, perhaps: libinih skips it */
        return true;
    case '[':
        return memchr(line, ']', length) != NULL;
    default:
        return memchr(line, '=', length) != NULL || memchr(line, ':', length) != NULL;
    }
}

/* Gives libinih one line at a time, so that each value's line is known. */
static char *next_line(char *to, int size, void *context)
{
    config_reading_t *reading = context;
    if (*reading->at == '\0') {
        return NULL;
    }
    const size_t length = strcspn(reading->at, "\n");
    const bool ended = reading->at[length] == '\n';
    reading->line++;
    if (length > GP_CONFIG_LINE_MAX || length + 2 > (size_t)size) {
        mistake(reading, "the line is longer than %d bytes", GP_CONFIG_LINE_MAX);
        return NULL;
    }
    const size_t blank = strspn(reading->at, " \t\r");
    if (blank > 0 && blank < length) {
        /* libinih would take it for more of the value above. */
        mistake(reading, "a line must not begin with a blank");
        return NULL;
    }
    if (blank < length && !line_has_form(reading->at, length)) {
        mistake(reading, "neither [section], nor key = value, nor a comment (#)");
        return NULL;
    }
    memcpy(to, reading->at, length);
    to[length] = '\n';
    to[length + 1] = '\0';
    reading->at += length + (ended ? 1 : 0);
    return to;
}

static int on_value(void *context, const char *section, const char *key, const char *value)
{
    config_reading_t *reading = context;
    char range[VALUE_MAX];
    const config_row_t *row = row_find(section, key);
    if (row == NULL) {
        mistake(reading, "there is no setting \"%.40s\" in section [%.40s]: see gridpeer config",
                key, section);
        return 0;
    }
    const uint64_t bit = UINT64_C(1) << (size_t)(row - rows);
    if ((reading->seen & bit) != 0) {
        mistake(reading, "%s.%s is given twice", section, key);
        return 0;
    }
    reading->seen |= bit;
    if (!value_read(row, value, &reading->config)) {
        range_text(row, range);
        mistake(reading, "%s.%s cannot be \"%.80s\", but %s", section, key, value, range);
        return 0;
    }
    return 1;
}

gp_error_t gp_config_parse(const char *source, const char *text, gp_config_t *ret_config,
                           gp_fail_t *fail)
{
    config_reading_t reading = {.source = source, .at = text, .fail = fail};
    gp_config_defaults(&reading.config);
    const int line = ini_parse_stream(next_line, &reading, on_value, &reading);
    if (reading.error == GP_OK && line != 0) {
        reading.line = line > 0 ? (unsigned)line : 0;
        mistake(&reading, "cannot be read");
    }
    if (reading.error != GP_OK) {
        return reading.error;
    }
    *ret_config = reading.config;
    return GP_OK;
}

gp_error_t gp_config_read(gp_folder_t folder, gp_config_t *ret_config, gp_fail_t *fail)
{
    char source[GP_STATE_PATH_MAX + 32];
    if (!gp_file_exists(folder, GP_FILE_CONFIG)) {
        gp_config_defaults(ret_config);
        return GP_OK;
    }
    char *text = malloc(GP_CONFIG_BYTES_MAX + 1);
    if (text == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "cannot read the configuration");
    }
    gp_file_buffer_t buffer = {.bytes = (uint8_t *)text, .size = GP_CONFIG_BYTES_MAX};
    gp_error_t error = gp_file_read(folder, GP_FILE_CONFIG, GP_GUARD_PUBLIC, &buffer, fail);
    if (error == GP_OK) {
        (void)snprintf(source, sizeof source, "%s/" GP_FILE_CONFIG, folder.path);
        text[buffer.n] = '\0';
        error = strlen(text) == buffer.n
                    ? gp_config_parse(source, text, ret_config, fail)
                    : gp_fail(fail, GP_E_CONFIG, "%s: holds a zero byte", source);
    }
    free(text);
    return error;
}

gp_error_t gp_config_set(gp_config_t *config, const char *section, const char *key,
                         const char *value, gp_fail_t *fail)
{
    char range[VALUE_MAX];
    char shown[VALUE_MAX];
    const config_row_t *row = row_find(section, key);
    assert(row != NULL);
    gp_config_t changed = *config;
    if (!value_read(row, value, &changed)) {
        range_text(row, range);
        (void)gp_text_escape(shown, sizeof shown, gp_text(value));
        return gp_fail(fail, row->type == TYPE_ADDRESS ? GP_E_ADDRESS : GP_E_CONFIG,
                       "%s cannot be \"%s\", but %s", key, shown, range);
    }
    *config = changed;
    return GP_OK;
}

/* ---- showing it --------------------------------------------------------------------------------
 */

void gp_config_each(const gp_config_t *config, gp_config_each_fn *each, void *context)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char value[VALUE_MAX];
        char range[VALUE_MAX];
        value_text(&rows[i], config, value);
        range_text(&rows[i], range);
        const gp_config_entry_t entry = {.section = rows[i].section,
                                         .key = rows[i].key,
                                         .value = value,
                                         .initial = rows[i].initial,
                                         .range = range,
                                         .doc = rows[i].doc};
        each(context, &entry);
    }
}

typedef struct config_writing {
    char *text;
    size_t size;
    size_t used;
    const char *section;
} config_writing_t;

static void append(config_writing_t *writing, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void append(config_writing_t *writing, const char *format, ...)
{
    const size_t at = writing->used < writing->size ? writing->used : writing->size;
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(writing->text + at, writing->size - at, format, arguments);
    va_end(arguments);
    assert(n >= 0);
    writing->used += (size_t)n;
}

static void write_entry(void *context, const gp_config_entry_t *entry)
{
    config_writing_t *writing = context;
    if (writing->section == NULL || strcmp(writing->section, entry->section) != 0) {
        append(writing, "\n[%s]\n", entry->section);
        writing->section = entry->section;
    }
    const bool initial = strcmp(entry->value, entry->initial) == 0;
    append(writing, "# %s\n# %s; default: %s\n%s%s = %s\n", entry->doc, entry->range,
           entry->initial[0] != '\0' ? entry->initial : "(empty)", initial ? "#" : "", entry->key,
           entry->value);
}

size_t gp_config_file(const gp_config_t *config, char *text, size_t size)
{
    config_writing_t writing = {.text = text, .size = size};
    append(&writing, "# Settings of this machine's gridpeer agent, read when it starts.\n"
                     "# A line that begins with # has no effect: it shows the default.\n");
    gp_config_each(config, write_entry, &writing);
    return writing.used;
}
