#include <stdio.h>

#include "discovery_summary_lab.h"

#define COUNT(array)        (sizeof(array) / sizeof(array)[0])
#define PICK(random, array) (array)[gp_random_below(random, COUNT(array))]

/* Few values, so that records and queries meet; none for a word that is not in a table. */
static const char *const words[] = {
    "none", "x86_64",  "debian", "ssd", "hard", "ac",    "zork", "A100", "no",  "0",  "xfs",
    "kvm",  "seccomp", "avx2",   "gcc", "make", "blorb", "a=b",  "k=v",  "k=w", "k=", "rack=7"};
static const char *const versions[] = {"",       "0",       "6",     "6.1",     "6.1.0-13",
                                       "6.2rc1", "6.18",    "7",     "rc1",     "alpha",
                                       "250.3",  "252.253", "253.1", "999.999", "24.04"};
static const char *const keys[] = {"k", "a", "rack", "none"};
static const char *const globs[] = {"*",    "?*",  "",    "x*",  "*e*",
                                    "no?e", "g??", "K=*", "6.*", "zork"};
static const char *const joins[] = {" and ", " or ", ", ", " && ", " || "};

static uint64_t wild_number(gp_random_t *random, uint32_t attr)
{
    static const uint64_t extremes[] = {0,
                                        1,
                                        2,
                                        3,
                                        7,
                                        1000,
                                        UINT64_MAX,
                                        UINT64_MAX - 1,
                                        UINT64_C(1) << 63,
                                        (UINT64_C(1) << 63) - 1};
    gp_type_t type = gp_attribute(attr)->type;
    uint64_t power = gp_random_below(random, 64);
    if (type == GP_TYPE_BOOL) {
        return gp_random_below(random, 8) < 7 ? gp_random_below(random, 2) : 7;
    }
    switch (gp_random_below(random, 8)) {
    case 0:
        return PICK(random, extremes);
    case 1:
        return gp_random_next(random) >> power;
    case 2: /* the neighbours of a power of two */
        return (UINT64_C(1) << power) + gp_random_below(random, 3) - 1;
    default:
        break;
    }
    if (type == GP_TYPE_BYTES) {
        return (1 + gp_random_below(random, 32)) * GP_GIB / 2;
    }
    return type == GP_TYPE_DURATION ? gp_random_below(random, 100) * 60 * GP_SECOND
                                    : gp_random_below(random, 40) * 50;
}

/* ---- records --------------------------------------------------------------------------------- */

static void wild_set(gp_random_t *random, gp_records_t *records, uint32_t lane, uint32_t attr)
{
    char text[GP_ATTR_TEXT_MAX] = "";
    size_t used = 0;
    uint64_t count = gp_random_below(random, 6);
    if (gp_random_below(random, 40) == 0) {
        memset(text, 'w', GP_ATTR_WORD_MAX);
        used = GP_ATTR_WORD_MAX;
    }
    for (uint64_t i = 0; i < count; i++) {
        bool own = gp_random_below(random, 8) == 0;
        int n = own ? snprintf(text + used, sizeof text - used, " u%u=%u", (unsigned)lane,
                               (unsigned)gp_random_below(random, 90))
                    : snprintf(text + used, sizeof text - used, " %s", PICK(random, words));
        used += (size_t)n;
    }
    gp_records_set_text(records, lane, attr, gp_slice(text, used), gp_random_below(random, 4) == 0);
}

static void wild_attribute(gp_random_t *random, gp_records_t *records, uint32_t lane, uint32_t attr)
{
    gp_type_t type = gp_attribute(attr)->type;
    if (gp_type_is_number(type)) {
        gp_records_set_number(records, lane, attr, wild_number(random, attr));
    } else if (type == GP_TYPE_WORDS) {
        wild_set(random, records, lane, attr);
    } else {
        const char *text = type == GP_TYPE_VERSION ? PICK(random, versions) : PICK(random, words);
        bool empty = gp_random_below(random, 16) == 0;
        gp_records_set_text(records, lane, attr, empty ? gp_text("") : gp_text(text), false);
    }
}

void lab_wild_records(gp_random_t *random, gp_records_t *records)
{
    uint64_t alike = gp_random_below(random, 3); /* 0: all lanes know the same attributes */
    uint64_t same = gp_random_next(random);
    for (uint32_t lane = 0; lane < records->width; lane++) {
        uint64_t known = alike == 0 ? same : gp_random_next(random) | gp_random_next(random);
        gp_records_clear(records, lane);
        if (alike > 0 && gp_random_below(random, 16) == 0) {
            continue; /* no record yet */
        }
        for (uint32_t attr = 1; attr < GP_ATTR_COUNT; attr++) {
            if (gp_attribute(attr) != NULL && (known >> attr % 64 & 1) != 0) {
                wild_attribute(random, records, lane, attr);
            }
        }
    }
}

/* ---- queries --------------------------------------------------------------------------------- */

typedef struct writer {
    gp_random_t *random;
    char *text;
    size_t n;
} writer_t;

static void write_text(writer_t *w, const char *text)
{
    w->n += (size_t)snprintf(w->text + w->n, GP_QUERY_MAX - w->n, "%s", text);
}

/* A number in its base unit, exactly; half of them lie between two. */
static void write_number(writer_t *w, uint32_t attr)
{
    static const char *const units[] = {
        [GP_TYPE_COUNT] = "",        [GP_TYPE_BYTES] = "B",     [GP_TYPE_FREQUENCY] = "Hz",
        [GP_TYPE_BITRATE] = "bit/s", [GP_TYPE_DURATION] = "us", [GP_TYPE_DECIMAL] = "",
        [GP_TYPE_SHARE] = "%",
    };
    gp_type_t type = gp_attribute(attr)->type;
    uint64_t number = wild_number(w->random, attr);
    char text[64];
    uint64_t part = type == GP_TYPE_DECIMAL ? 1000 : (type == GP_TYPE_SHARE ? 10 : 1);
    int digits = part == 1000 ? 3 : 1;
    if (type == GP_TYPE_BOOL) {
        write_text(w, number != 0 ? "true" : "false");
        return;
    }
    if (part > 1) {
        (void)snprintf(text, sizeof text, "%llu.%0*llu%s", (unsigned long long)(number / part),
                       digits, (unsigned long long)(number % part), units[type]);
    } else {
        (void)snprintf(text, sizeof text, "%llu%s", (unsigned long long)number, units[type]);
    }
    write_text(w, text);
}

static void write_value(writer_t *w, uint32_t attr, bool word)
{
    gp_type_t type = gp_attribute(attr)->type;
    if (!word && gp_type_is_number(type)) {
        write_number(w, attr);
        return;
    }
    write_text(w, "'");
    write_text(w, !word && type == GP_TYPE_VERSION ? PICK(w->random, versions)
                                                   : PICK(w->random, words));
    write_text(w, "'");
}

static void write_compared(writer_t *w, uint32_t attr)
{
    static const char *const orders[] = {" == ", " != ", " < ", " <= ", " > ", " >= ", " = "};
    gp_type_t type = gp_attribute(attr)->type;
    bool ordered = type != GP_TYPE_WORD && type != GP_TYPE_BOOL;
    if (type == GP_TYPE_VERSION && gp_random_below(w->random, 4) == 0) {
        write_text(w, " ~= ");
    } else {
        write_text(w, orders[gp_random_below(w->random, ordered ? COUNT(orders) : 2)]);
    }
    uint32_t other = 1 + (uint32_t)gp_random_below(w->random, GP_ATTR_COUNT - 1);
    if (ordered && gp_attribute(other)->type == type) {
        write_text(w, gp_attribute(other)->name);
    } else {
        write_value(w, attr, false);
    }
}

static void write_in(writer_t *w, uint32_t attr, bool word)
{
    uint64_t count = 1 + gp_random_below(w->random, 3);
    write_text(w, gp_random_below(w->random, 2) == 0 ? " in {" : " not in {");
    for (uint64_t i = 0; i < count; i++) {
        write_text(w, i > 0 ? "," : "");
        write_value(w, attr, word);
    }
    write_text(w, "}");
}

static void write_words(writer_t *w, uint32_t attr)
{
    if (gp_random_below(w->random, 2) == 0) {
        write_text(w, gp_random_below(w->random, 3) == 0 ? " not has " : " has ");
        write_value(w, attr, true);
    } else {
        write_text(w, " has {");
        write_value(w, attr, true);
        write_text(w, ",");
        write_value(w, attr, true);
        write_text(w, "}");
    }
}

/* A condition; some do not compile (a range that is empty, a word that is a type): try again. */
static void write_condition(writer_t *w)
{
    uint32_t attr = 1 + (uint32_t)gp_random_below(w->random, GP_ATTR_COUNT - 1);
    gp_type_t type = gp_attribute(attr)->type;
    bool label = attr == GP_ATTR_TAG && gp_random_below(w->random, 2) == 0;
    write_text(w, gp_attribute(attr)->name);
    if (label) {
        write_text(w, ".");
        write_text(w, PICK(w->random, keys));
    }
    bool text = type >= GP_TYPE_VERSION;
    switch (gp_random_below(w->random, 8)) {
    case 0:
        return;
    case 1:
        write_text(w, gp_random_below(w->random, 2) == 0 ? " is set" : " is not set");
        return;
    case 2:
        if (text) {
            write_text(w, gp_random_below(w->random, 3) == 0 ? " not like '" : " like '");
            write_text(w, PICK(w->random, globs));
            write_text(w, "'");
            return;
        }
        break;
    case 3:
        if (type != GP_TYPE_BOOL && (type != GP_TYPE_WORDS || label)) {
            write_in(w, attr, label);
            return;
        }
        break;
    case 4:
        if (type != GP_TYPE_BOOL && type < GP_TYPE_WORD) {
            write_text(w, " in ");
            write_value(w, attr, false);
            write_text(w, "..");
            write_value(w, attr, false);
            return;
        }
        break;
    default:
        break;
    }
    if (label) {
        write_text(w, gp_random_below(w->random, 2) == 0 ? " == " : " != ");
        write_value(w, attr, true);
    } else if (type == GP_TYPE_WORDS) {
        write_words(w, attr);
    } else {
        write_compared(w, attr);
    }
}

static void write_tree(writer_t *w, uint32_t depth)
{
    if (gp_random_below(w->random, 5) == 0) {
        write_text(w, "not ");
    }
    if (depth == 0 || gp_random_below(w->random, 3) == 0) {
        write_condition(w);
        return;
    }
    write_text(w, "(");
    write_tree(w, depth - 1);
    write_text(w, PICK(w->random, joins));
    write_tree(w, depth - 1);
    write_text(w, ")");
}

void lab_wild_query(gp_random_t *random, char text[GP_QUERY_MAX])
{
    static gp_query_t query;
    gp_query_error_t error;
    do {
        writer_t w = {.random = random, .text = text};
        uint64_t parts = 1 + gp_random_below(random, 3);
        for (uint64_t i = 0; i < parts; i++) {
            write_text(&w, i > 0 ? " and " : "");
            write_tree(&w, (uint32_t)gp_random_below(random, 3));
        }
    } while (gp_query_compile(gp_text(text), &query, &error) != GP_OK);
}
