#include "discovery/match.h"

/* ---- globs --------------------------------------------------------------------------------- */

uint32_t gp_glob_symbols(gp_slice_t pattern)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < pattern.n; i++) {
        n += pattern.p[i] != '*' ? 1u : 0u;
    }
    return n;
}

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Bit i set: i symbols were taken. takes[] holds bit i for the step from i to i + 1. */
void gp_glob_compile(gp_glob_t *glob, gp_slice_t pattern)
{
    assert(gp_glob_symbols(pattern) <= GP_GLOB_MAX);
    *glob = (gp_glob_t){0};
    uint64_t any = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < pattern.n; i++) {
        uint8_t c = pattern.p[i];
        uint64_t bit = UINT64_C(1) << at;
        if (c == '*') {
            glob->stars |= bit;
            continue;
        }
        if (c == '?') {
            any |= bit;
        } else {
            glob->takes[c] |= bit;
            if (is_letter(c)) {
                glob->takes[c ^ 0x20] |= bit;
            }
        }
        at += 1;
    }
    for (uint32_t c = 0; c < 256 && any != 0; c++) {
        glob->takes[c] |= any;
    }
    glob->last = UINT64_C(1) << at;
}

bool gp_glob_match(const gp_glob_t *glob, gp_slice_t text)
{
    assert(glob->last != 0);
    uint64_t state = 1;
    for (uint32_t i = 0; i < text.n && state != 0; i++) {
        state = ((state & glob->takes[text.p[i]]) << 1) | (state & glob->stars);
    }
    return (state & glob->last) != 0;
}

bool gp_glob_match_any(const gp_glob_t *glob, gp_slice_t words)
{
    uint32_t at = 0;
    gp_slice_t word;
    while (gp_words_next(words, &at, &word)) {
        if (gp_glob_match(glob, word)) {
            return true;
        }
    }
    return false;
}

/* ---- versions ------------------------------------------------------------------------------ */

typedef enum part_class { PART_BEFORE_END = 0, PART_ZERO, PART_WORD, PART_NUMBER } part_class_t;

typedef struct part {
    part_class_t class;
    gp_slice_t text; /* of a number: without leading zeros */
} part_t;

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_before_end(gp_slice_t word, bool after_digit)
{
    static const struct {
        const char *text;
        uint32_t n;
    } early[] = {{"alpha", 5}, {"beta", 4}, {"dev", 3}, {"pre", 3}, {"rc", 2}, {"a", 1}, {"b", 1}};
    for (size_t i = 0; i < sizeof early / sizeof early[0]; i++) {
        if (word.n == early[i].n && memcmp(word.p, early[i].text, word.n) == 0) {
            return word.n > 1 || after_digit;
        }
    }
    return false;
}

/* The next part from *at on; at the end PART_ZERO, and false. */
static bool part_next(gp_slice_t version, uint32_t *at, part_t *ret)
{
    uint32_t i = *at;
    while (i < version.n && !is_digit(version.p[i]) && !is_letter(version.p[i])) {
        i += 1;
    }
    *ret = (part_t){.class = PART_ZERO};
    uint32_t from = i;
    if (i >= version.n) {
        *at = i;
        return false;
    }
    if (is_digit(version.p[i])) {
        while (i < version.n && is_digit(version.p[i])) {
            i += 1;
        }
        while (from < i && version.p[from] == '0') {
            from += 1;
        }
        ret->class = from < i ? PART_NUMBER : PART_ZERO;
    } else {
        while (i < version.n && is_letter(version.p[i])) {
            i += 1;
        }
        bool after_digit = from > 0 && is_digit(version.p[from - 1]);
        bool early = is_before_end(gp_slice(version.p + from, i - from), after_digit);
        ret->class = early ? PART_BEFORE_END : PART_WORD;
    }
    ret->text = gp_slice(version.p + from, i - from);
    *at = i;
    return true;
}

int gp_text_compare(gp_slice_t a, gp_slice_t b)
{
    uint32_t n = a.n < b.n ? a.n : b.n;
    int order = n > 0 ? memcmp(a.p, b.p, n) : 0;
    if (order != 0) {
        return order;
    }
    return a.n == b.n ? 0 : (a.n < b.n ? -1 : 1);
}

static int part_compare(const part_t *a, const part_t *b)
{
    if (a->class != b->class) {
        return a->class < b->class ? -1 : 1;
    }
    if (a->class == PART_ZERO) {
        return 0;
    }
    if (a->class == PART_NUMBER && a->text.n != b->text.n) {
        return a->text.n < b->text.n ? -1 : 1;
    }
    return gp_text_compare(a->text, b->text);
}

int gp_version_compare(gp_slice_t a, gp_slice_t b)
{
    uint32_t at_a = 0;
    uint32_t at_b = 0;
    for (;;) {
        part_t part_a;
        part_t part_b;
        bool more_a = part_next(a, &at_a, &part_a);
        bool more_b = part_next(b, &at_b, &part_b);
        int order = part_compare(&part_a, &part_b);
        if (order != 0 || (!more_a && !more_b)) {
            return order;
        }
    }
}

bool gp_version_compatible(gp_slice_t version, gp_slice_t base)
{
    if (gp_version_compare(version, base) < 0) {
        return false;
    }
    uint32_t parts = 0;
    uint32_t at = 0;
    part_t part;
    while (part_next(base, &at, &part)) {
        parts += 1;
    }
    uint32_t same = parts > 1 ? parts - 1 : parts;
    uint32_t at_base = 0;
    uint32_t at_version = 0;
    for (uint32_t i = 0; i < same; i++) {
        part_t of_version;
        (void)part_next(base, &at_base, &part);
        (void)part_next(version, &at_version, &of_version);
        if (part_compare(&part, &of_version) != 0) {
            return false;
        }
    }
    return true;
}

#define PART_CODE_MAX 255u

/* A part as a byte; exact where equal bytes mean equal parts. */
static uint32_t part_code(const part_t *part, bool *ret_exact)
{
    uint32_t number = 0;
    *ret_exact = part->class == PART_ZERO;
    if (part->class != PART_NUMBER) {
        return part->class;
    }
    for (uint32_t i = 0; i < part->text.n && number < PART_CODE_MAX; i++) {
        number = number * 10 + (uint32_t)(part->text.p[i] - '0');
    }
    *ret_exact = number + PART_WORD < PART_CODE_MAX;
    return *ret_exact ? number + PART_WORD : PART_CODE_MAX;
}

uint32_t gp_version_code(gp_slice_t version)
{
    uint32_t at = 0;
    part_t part;
    bool exact;
    (void)part_next(version, &at, &part);
    uint32_t first = part_code(&part, &exact);
    if (!exact) {
        return first << 8;
    }
    (void)part_next(version, &at, &part);
    return first << 8 | part_code(&part, &exact);
}

/* ---- sets of words ------------------------------------------------------------------------- */

bool gp_words_next(gp_slice_t words, uint32_t *at, gp_slice_t *ret_word)
{
    uint32_t from = *at;
    while (from < words.n && words.p[from] == ' ') {
        from += 1;
    }
    uint32_t to = from;
    while (to < words.n && words.p[to] != ' ') {
        to += 1;
    }
    *at = to;
    if (from == to) {
        return false;
    }
    *ret_word = gp_slice(words.p + from, to - from);
    return true;
}

bool gp_words_have(gp_slice_t words, gp_slice_t word)
{
    uint32_t at = 0;
    gp_slice_t one;
    while (gp_words_next(words, &at, &one)) {
        if (gp_slice_equal(one, word)) {
            return true;
        }
    }
    return false;
}

bool gp_words_label(gp_slice_t words, gp_slice_t key, gp_slice_t *ret_value)
{
    uint32_t at = 0;
    gp_slice_t one;
    while (gp_words_next(words, &at, &one)) {
        if (one.n > key.n && one.p[key.n] == '=' && memcmp(one.p, key.p, key.n) == 0) {
            *ret_value = gp_slice(one.p + key.n + 1, one.n - key.n - 1);
            return true;
        }
    }
    return false;
}
