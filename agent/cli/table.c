#include "agent/cli/table.h"

#include <assert.h>
#include <locale.h>
#include <string.h>
#include <wchar.h>

#include "proto/text.h"

#define CELL_MAX 4096

/* ---- cells -------------------------------------------------------------------------------------
 */

static void bytes_text(double bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        unit++;
    }
    (void)snprintf(text, size, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

/* With the prefixes of the SI. */
static void scaled_text(double number, const char *unit, char *text, size_t size)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
    size_t prefix = 0;
    while (number >= 1000 && prefix + 1 < sizeof prefixes / sizeof prefixes[0]) {
        number /= 1000;
        prefix++;
    }
    (void)snprintf(text, size, prefix == 0 ? "%.0f %s%s" : "%.2f %s%s", number, prefixes[prefix],
                   unit);
}

/* The two largest units of a time, as people say it. */
static void age_text(json_int_t ms, char *text, size_t size)
{
    static const struct {
        const char *name;
        json_int_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}};
    for (size_t i = 0; i < 4; i++) {
        json_int_t count = ms / units[i].ms;
        json_int_t rest = i + 1 < 4 ? (ms % units[i].ms) / units[i + 1].ms : 0;
        if (count > 0 && rest > 0) {
            (void)snprintf(text, size, "%lld %s %lld %s", (long long)count, units[i].name,
                           (long long)rest, units[i + 1].name);
            return;
        }
        if (count > 0) {
            (void)snprintf(text, size, "%lld %s", (long long)count, units[i].name);
            return;
        }
    }
    (void)snprintf(text, size, "%lld ms", (long long)ms);
}

static void span_text(json_int_t us, char *text, size_t size)
{
    if (us < 100000) {
        (void)snprintf(text, size, "%.2f ms", (double)us / 1000);
    } else {
        age_text(us / 1000, text, size);
    }
}

static void number_text(gp_cli_cell_t cell, const json_t *value, char *text, size_t size)
{
    json_int_t number = json_integer_value(value);
    switch (cell) {
    case GP_CELL_BYTES:
        bytes_text((double)number, text, size);
        break;
    case GP_CELL_AGE_MS:
        age_text(number, text, size);
        break;
    case GP_CELL_SPAN_US:
        span_text(number, text, size);
        break;
    case GP_CELL_HERTZ:
        scaled_text((double)number, "Hz", text, size);
        break;
    case GP_CELL_BITRATE:
        scaled_text((double)number, "bit/s", text, size);
        break;
    case GP_CELL_SHARE:
    case GP_CELL_TEXT:
    case GP_CELL_SHORT:
    default:
        (void)snprintf(text, size, "%lld", (long long)number);
        break;
    }
}

/* The parts of a list or an object, with ", " between them. */
static void parts_text(const json_t *value, char *text, size_t size)
{
    size_t used = 0;
    size_t count = json_is_array(value) ? json_array_size(value) : json_object_size(value);
    void *iterator = json_is_object(value) ? json_object_iter((json_t *)value) : NULL;
    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        char part[CELL_MAX / 4];
        const json_t *entry =
            json_is_array(value) ? json_array_get(value, i) : json_object_iter_value(iterator);
        if (json_is_array(entry) || json_is_object(entry)) {
            (void)snprintf(part, sizeof part, "...");
        } else {
            gp_cli_cell_text(GP_CELL_TEXT, entry, part, sizeof part);
        }
        const char *key = iterator == NULL ? "" : json_object_iter_key(iterator);
        int n = snprintf(text + used, size - used, "%s%s%s%s", i == 0 ? "" : ", ", key,
                         iterator == NULL ? "" : " ", part);
        if (n < 0 || (size_t)n >= size - used) {
            return;
        }
        used += (size_t)n;
        iterator = iterator == NULL ? NULL : json_object_iter_next((json_t *)value, iterator);
    }
    if (count == 0) {
        (void)snprintf(text, size, "-");
    }
}

void gp_cli_cell_text(gp_cli_cell_t cell, const json_t *value, char *text, size_t size)
{
    assert(size > 16);
    if (json_is_integer(value)) {
        number_text(cell, value, text, size);
    } else if (json_is_string(value)) {
        size_t n = json_string_length(value);
        n = cell == GP_CELL_SHORT && n > GP_ID_SHORT_TEXT - 1 ? GP_ID_SHORT_TEXT - 1 : n;
        (void)gp_text_escape(text, size, gp_slice(json_string_value(value), n));
        if (n == 0) {
            (void)snprintf(text, size, "-");
        }
    } else if (json_is_boolean(value)) {
        (void)snprintf(text, size, "%s", json_is_true(value) ? "yes" : "no");
    } else if (json_is_real(value) && cell == GP_CELL_SHARE) {
        (void)snprintf(text, size, "%.1f %%", json_real_value(value) * 100);
    } else if (json_is_real(value)) {
        (void)snprintf(text, size, "%g", json_real_value(value));
    } else if (json_is_array(value) || json_is_object(value)) {
        parts_text(value, text, size);
    } else {
        (void)snprintf(text, size, "-");
    }
}

/* ---- tables ------------------------------------------------------------------------------------
 */

/* For the width of letters only; an agent, which prints no tables, does not pay for it. */
static void know_letters(void)
{
    static bool known;

    if (!known) {
        known = setlocale(LC_CTYPE, "C.UTF-8") != NULL;
    }
}

size_t gp_cli_width(const char *text)
{
    know_letters();
    size_t width = 0;
    mbstate_t state = {0};
    size_t left = strlen(text);
    while (left > 0) {
        wchar_t letter;
        size_t n = mbrtowc(&letter, text, left, &state);
        if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
            state = (mbstate_t){0};
            n = 1;
            width++;
        } else {
            int columns = wcwidth(letter);
            width += columns < 0 ? 1 : (size_t)columns;
        }
        text += n;
        left -= n;
    }
    return width;
}

static void cell_print(FILE *out, const char *text, size_t width, bool last)
{
    (void)fputs(text, out);
    if (!last) {
        size_t have = gp_cli_width(text);
        for (size_t i = have; i < width + 2; i++) {
            (void)fputc(' ', out);
        }
    }
}

void gp_cli_table(FILE *out, const json_t *items, const gp_cli_column_t *columns, size_t count)
{
    size_t widths[GP_CLI_COLUMNS_MAX];
    char text[CELL_MAX];
    assert(count <= GP_CLI_COLUMNS_MAX);
    if (json_array_size(items) == 0) {
        return;
    }
    for (size_t c = 0; c < count; c++) {
        widths[c] = gp_cli_width(columns[c].title);
        for (size_t i = 0; i < json_array_size(items); i++) {
            const json_t *value = json_object_get(json_array_get(items, i), columns[c].field);
            gp_cli_cell_text(columns[c].cell, value, text, sizeof text);
            size_t width = gp_cli_width(text);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    for (size_t c = 0; c < count; c++) {
        cell_print(out, columns[c].title, widths[c], c + 1 == count);
    }
    (void)fputc('\n', out);
    for (size_t i = 0; i < json_array_size(items); i++) {
        for (size_t c = 0; c < count; c++) {
            const json_t *value = json_object_get(json_array_get(items, i), columns[c].field);
            gp_cli_cell_text(columns[c].cell, value, text, sizeof text);
            cell_print(out, text, widths[c], c + 1 == count);
        }
        (void)fputc('\n', out);
    }
}
