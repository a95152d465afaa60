#include "discovery/units.h"

#include "discovery/sentence.h"

#define DECIMALS_MAX  9
#define BINARY(power) (UINT64_C(1) << (10 * (power)))
#define KILO          UINT64_C(1000)
#define MEGA          UINT64_C(1000000)
#define GIGA          UINT64_C(1000000000)
#define TERA          UINT64_C(1000000000000)
#define PETA          UINT64_C(1000000000000000)

typedef struct unit {
    const char *name;
    uint8_t n;
    uint8_t type;
    uint16_t part; /* base units are value * times / part */
    uint64_t times;
} unit_t;

#define UNIT(text, TYPE, times, part)                                                              \
    {                                                                                              \
        text, sizeof text - 1, GP_TYPE_##TYPE, part, times                                         \
    }

/* Of each type from the smallest to the largest; the first spelling of a size is printed. */
static const unit_t units[] = {
    UNIT("B", BYTES, 1, 1),
    UNIT("KiB", BYTES, BINARY(1), 1),
    UNIT("MiB", BYTES, BINARY(2), 1),
    UNIT("GiB", BYTES, BINARY(3), 1),
    UNIT("TiB", BYTES, BINARY(4), 1),
    UNIT("PiB", BYTES, BINARY(5), 1),
    UNIT("kB", BYTES, KILO, 1),
    UNIT("KB", BYTES, KILO, 1),
    UNIT("MB", BYTES, MEGA, 1),
    UNIT("GB", BYTES, GIGA, 1),
    UNIT("TB", BYTES, TERA, 1),
    UNIT("PB", BYTES, PETA, 1),
    UNIT("Hz", FREQUENCY, 1, 1),
    UNIT("kHz", FREQUENCY, KILO, 1),
    UNIT("MHz", FREQUENCY, MEGA, 1),
    UNIT("GHz", FREQUENCY, GIGA, 1),
    UNIT("bit/s", BITRATE, 1, 1),
    UNIT("kbit/s", BITRATE, KILO, 1),
    UNIT("Mbit/s", BITRATE, MEGA, 1),
    UNIT("Gbit/s", BITRATE, GIGA, 1),
    UNIT("bps", BITRATE, 1, 1),
    UNIT("kbps", BITRATE, KILO, 1),
    UNIT("Mbps", BITRATE, MEGA, 1),
    UNIT("Gbps", BITRATE, GIGA, 1),
    UNIT("us", DURATION, 1, 1),
    UNIT("ms", DURATION, KILO, 1),
    UNIT("s", DURATION, MEGA, 1),
    UNIT("min", DURATION, 60 * MEGA, 1),
    UNIT("h", DURATION, 3600 * MEGA, 1),
    UNIT("d", DURATION, 86400 * MEGA, 1),
    UNIT("ns", DURATION, 1, 1000),
    UNIT("m", DURATION, 60 * MEGA, 1),
    UNIT("w", DURATION, 604800 * MEGA, 1),
    UNIT("%", SHARE, 10, 1),
};

#define UNITS (sizeof units / sizeof units[0])

static const unit_t *unit_find(gp_slice_t word)
{
    for (size_t i = 0; i < UNITS; i++) {
        if (units[i].n == word.n && memcmp(units[i].name, word.p, word.n) == 0) {
            return &units[i];
        }
    }
    return NULL;
}

bool gp_unit_known(gp_slice_t word)
{
    return unit_find(word) != NULL;
}

uint32_t gp_unit_type(gp_slice_t word)
{
    const unit_t *unit = unit_find(word);
    return unit == NULL ? 0 : unit->type;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

const char *gp_unit_suggest(gp_slice_t word, gp_type_t type)
{
    const unit_t *longer = NULL;  /* the first that the word begins: "G" */
    const unit_t *shorter = NULL; /* the longest that begins the word: "days" */
    for (size_t i = 0; i < UNITS; i++) {
        uint32_t same = 0;
        while (same < word.n && same < units[i].n &&
               lower(word.p[same]) == lower((uint8_t)units[i].name[same])) {
            same += 1;
        }
        if (units[i].type != type) {
            continue;
        }
        if (same == word.n && same == units[i].n) {
            return units[i].name;
        }
        if (same == word.n && longer == NULL) {
            longer = &units[i];
        }
        if (same == units[i].n && (shorter == NULL || same > shorter->n)) {
            shorter = &units[i];
        }
    }
    const unit_t *near = longer != NULL ? longer : shorter;
    return near != NULL ? near->name : NULL;
}

uint32_t gp_quantity_split(gp_slice_t text)
{
    uint32_t n = 0;
    while (n < text.n && ((text.p[n] >= '0' && text.p[n] <= '9') || text.p[n] == '.')) {
        n += 1;
    }
    return n;
}

/* a * b + c, or false if that does not fit. */
static bool multiply_add(uint64_t a, uint64_t b, uint64_t c, uint64_t *ret)
{
    if (b != 0 && a > UINT64_MAX / b) {
        return false;
    }
    if (a * b > UINT64_MAX - c) {
        return false;
    }
    *ret = a * b + c;
    return true;
}

/* Digits [from, to) of text; false: not only digits (or none), or too large. */
static gp_quantity_error_t digits(gp_slice_t text, uint32_t from, uint32_t to, uint64_t *ret)
{
    uint64_t number = 0;
    if (from >= to) {
        return GP_QUANTITY_NO_NUMBER;
    }
    for (uint32_t i = from; i < to; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return GP_QUANTITY_NO_NUMBER;
        }
        if (!multiply_add(number, 10, (uint64_t)(text.p[i] - '0'), &number)) {
            return GP_QUANTITY_RANGE;
        }
    }
    *ret = number;
    return GP_QUANTITY_OK;
}

/* The decimals after the dot: numerator, and the power of ten that it stands over. */
static gp_quantity_error_t decimals(gp_slice_t text, uint32_t from, uint64_t *ret, uint64_t *ret_of)
{
    uint32_t to = text.n;
    while (to > from + 1 && text.p[to - 1] == '0') {
        to -= 1;
    }
    if (to - from > DECIMALS_MAX) {
        return GP_QUANTITY_RANGE;
    }
    *ret_of = 1;
    for (uint32_t i = from; i < to; i++) {
        *ret_of *= 10;
    }
    return digits(gp_slice(text.p, to), from, to, ret);
}

/* (whole + fraction / of) * times / part, rounded down, by long division of the fraction. */
static bool scale(uint64_t whole, uint64_t fraction, uint64_t of, const unit_t *unit,
                  gp_quantity_t *ret)
{
    assert(of > 0 && fraction < of && unit->part > 0);
    /* fraction < 10^9 and times / of splits so that each product stays below 2^64 */
    uint64_t high = unit->times / of;
    uint64_t low = unit->times % of;
    uint64_t rest = fraction * low;
    uint64_t add = fraction * high + rest / of;
    uint64_t number;
    if (!multiply_add(whole, unit->times, add, &number)) {
        return false;
    }
    ret->between = rest % of != 0 || number % unit->part != 0;
    ret->number = number / unit->part;
    return true;
}

gp_quantity_error_t gp_quantity_parse(gp_slice_t number, gp_slice_t unit, gp_type_t type,
                                      uint64_t bare, gp_quantity_t *ret)
{
    assert(gp_type_is_number(type) && type != GP_TYPE_BOOL);
    uint32_t dot = 0;
    while (dot < number.n && number.p[dot] != '.') {
        dot += 1;
    }
    uint64_t whole = 0;
    uint64_t fraction = 0;
    uint64_t of = 1;
    gp_quantity_error_t error = digits(number, 0, dot, &whole);
    if (error == GP_QUANTITY_OK && dot < number.n) {
        error = decimals(number, dot + 1, &fraction, &of);
    }
    if (error != GP_QUANTITY_OK) {
        return error;
    }
    unit_t plain = {.name = "", .part = 1, .times = bare};
    const unit_t *use = &plain;
    if (unit.n > 0) {
        use = unit_find(unit);
        if (use == NULL || use->type != type) {
            return GP_QUANTITY_UNIT;
        }
    } else if (bare == 0 && (whole != 0 || fraction != 0)) {
        return GP_QUANTITY_NO_UNIT;
    }
    gp_quantity_t value;
    if (!scale(whole, fraction, of, use, &value)) {
        return GP_QUANTITY_RANGE;
    }
    *ret = value;
    return GP_QUANTITY_OK;
}

/* The largest unit of the type that is not larger than the number, of its first spellings. */
static const unit_t *unit_fitting(uint64_t number, gp_type_t type)
{
    const unit_t *best = NULL;
    uint64_t last = 0;
    for (size_t i = 0; i < UNITS; i++) {
        if (units[i].type != type) {
            continue;
        }
        if (units[i].times <= last) {
            break; /* the other spellings follow */
        }
        last = units[i].times;
        if (best == NULL || number >= units[i].times) {
            best = &units[i];
        }
    }
    return best;
}

/* whole and tenths of `times`: "3.1"; tenths only where they are not zero. */
static void print_tenths(gp_sentence_t *s, uint64_t number, uint64_t times)
{
    uint64_t tenths = times >= 10 ? number % times / (times / 10) : 0;
    gp_sentence_number(s, number / times);
    if (tenths > 0) {
        gp_sentence_add(s, ".");
        gp_sentence_number(s, tenths < 10 ? tenths : 9);
    }
}

uint32_t gp_quantity_print(uint64_t number, gp_type_t type, char text[GP_QUANTITY_TEXT_MAX])
{
    gp_sentence_t s;
    gp_sentence_init(&s, text, GP_QUANTITY_TEXT_MAX);
    if (type == GP_TYPE_BOOL) {
        gp_sentence_add(&s, number != 0 ? "true" : "false");
    } else if (type == GP_TYPE_DECIMAL) {
        gp_sentence_number(&s, number / 1000);
        gp_sentence_add(&s, ".");
        gp_sentence_number(&s, number % 1000 / 100);
        gp_sentence_number(&s, number % 100 / 10);
    } else if (type == GP_TYPE_COUNT) {
        gp_sentence_number(&s, number);
    } else {
        const unit_t *unit = unit_fitting(number, type);
        assert(unit != NULL);
        print_tenths(&s, number, unit->times);
        gp_sentence_slice(&s, gp_slice(unit->name, unit->n));
    }
    return s.n;
}
