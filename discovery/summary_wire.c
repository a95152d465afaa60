#include "discovery/summary_inside.h"

/*
 * The bytes, a stream of bits, the highest bit of a byte first:
 *
 *   version 8, machines G, recorded G
 *   each attribute but number 0: 0 all know it, 10 some do, 11 none does
 *   classes G; nothing follows if there are none
 *   each class but the first: 1 if it is of another kind than the one before
 *   hashes G, and if there are any: bits dropped 4, gaps between them R
 *   each listed word: 0 no kind, 10 every kind, 11 some kinds
 *   each hash: 0 every kind, 1 some kinds
 *     after some: 1 those that the last word or hash of some kinds had, or 0 and a bit for each
 * kind each number that somebody knows: joint: the least `most` of the kinds, or of the classes, 8,
 * width 4, what each has above it; high less low G other: low G, high less low G
 *
 * Classes of one kind have the same words and the same fixed numbers. They are neighbours in the
 * order of the classes.
 * G: Elias' gamma code (Universal codeword sets, IEEE Trans. IT 21(2), 1975) of the number plus 1.
 * R: Golomb's code (Run-length encodings, IEEE Trans. IT 12(3), 1966) with a power of two.
 * Each summary has one form: what is read is packed again and compared. So a reader may cut numbers
 * that are too large: their bytes come out as others. What it looks after is only its own memory.
 */

#define WIDTH_BITS   4u
#define MOST_BITS    8u
#define DROPPED_BITS 4u
#define GAMMA_MAX    31u /* zeros before a number of 32 bits */

typedef struct bits_out {
    uint8_t *p; /* NULL: only counts */
    uint32_t n;
} bits_out_t;

typedef struct bits_in {
    gp_slice_t bytes;
    uint32_t n;
    bool failed;
} bits_in_t;

static void put(bits_out_t *out, uint32_t number, uint32_t width)
{
    assert(width <= 32 && (width == 32 || number >> width == 0));
    for (uint32_t i = width; out->p != NULL && i > 0; i--) {
        uint32_t at = out->n + width - i;
        assert(at < GP_SUMMARY_MAX * 8);
        out->p[at / 8] |= (uint8_t)((number >> (i - 1) & 1) << (7 - at % 8));
    }
    out->n += width;
}

/* 0 after a failure. */
static uint32_t take(bits_in_t *in, uint32_t width)
{
    uint32_t number = 0;
    if (in->failed || in->n + width > in->bytes.n * 8) {
        in->failed = true;
        return 0;
    }
    for (uint32_t i = 0; i < width; i++) {
        number = number << 1 | (in->bytes.p[in->n / 8] >> (7 - in->n % 8) & 1u);
        in->n += 1;
    }
    return number;
}

/* How many bits the number needs; 0: none. */
static uint32_t width_of(uint32_t number)
{
    return number == 0 ? 0 : 32u - (uint32_t)__builtin_clz(number);
}

static void put_gamma(bits_out_t *out, uint32_t number)
{
    assert(number < UINT32_MAX);
    uint32_t width = width_of(number + 1);
    put(out, 0, width - 1);
    put(out, number + 1, width);
}

static uint32_t take_gamma(bits_in_t *in)
{
    uint32_t zeros = 0;
    while (!in->failed && take(in, 1) == 0) {
        zeros += 1;
        in->failed = in->failed || zeros > GAMMA_MAX;
    }
    uint32_t rest = take(in, in->failed ? 0 : zeros);
    return in->failed ? 0 : (UINT32_C(1) << zeros | rest) - 1;
}

/* ---- hashes ---------------------------------------------------------------------------------- */

/* The low bits of a gap: about half of the gaps are larger. */
static uint32_t rice_bits(uint32_t bits, uint32_t count)
{
    uint32_t used = width_of(count);
    return bits > used ? bits - used : 0;
}

static void put_hashes(bits_out_t *out, const gp_summary_t *s)
{
    put_gamma(out, s->hash_count);
    if (s->hash_count == 0) {
        return;
    }
    uint32_t low = rice_bits(GP_SUMMARY_HASH_BITS - s->hash_dropped, s->hash_count);
    uint32_t next = 0;
    put(out, s->hash_dropped, DROPPED_BITS);
    for (uint32_t i = 0; i < s->hash_count; i++) {
        uint32_t gap = s->hashes[i] - next;
        for (uint32_t high = gap >> low; high > 0; high--) {
            put(out, 1, 1);
        }
        put(out, 0, 1);
        put(out, gap & ((1u << low) - 1), low);
        next = s->hashes[i] + 1u;
    }
}

static void take_hashes(bits_in_t *in, gp_summary_t *s)
{
    uint32_t count = take_gamma(in);
    if (count == 0) {
        return;
    }
    uint32_t dropped = take(in, DROPPED_BITS);
    if (count > GP_SUMMARY_HASHES_MAX || dropped > GP_SUMMARY_HASH_BITS) {
        in->failed = true;
        return;
    }
    uint32_t low = rice_bits(GP_SUMMARY_HASH_BITS - dropped, count);
    uint32_t next = 0;
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        uint32_t high = 0;
        while (take(in, 1) == 1) { /* ends with the bytes at the latest */
            high += 1;
        }
        uint32_t hash = next + (high << low | take(in, low));
        s->hashes[i] = (uint16_t)hash;
        next = hash + 1;
    }
    s->hash_count = (uint8_t)count;
    s->hash_dropped = (uint8_t)dropped;
}

/* ---- kinds ----------------------------------------------------------------------------------- */

/* The classes with which a kind begins, or just all classes. */
typedef struct rows {
    uint32_t count;
    uint8_t class[GP_SUMMARY_CLASSES_MAX];
} rows_t;

static bool same_kind(const gp_summary_class_t *a, const gp_summary_class_t *b)
{
    return memcmp(a->words, b->words, sizeof a->words) == 0 &&
           memcmp(a->hashed, b->hashed, sizeof a->hashed) == 0 &&
           memcmp(a->most, b->most, GP_SUMMARY_KIND_DIMS) == 0;
}

static void add_row(rows_t *rows, uint32_t class)
{
    rows->class[rows->count] = (uint8_t) class;
    rows->count += 1;
}

static void put_kinds(bits_out_t *out, const gp_summary_t *s, rows_t *ret_kinds)
{
    *ret_kinds = (rows_t){0};
    for (uint32_t c = 0; c < s->class_count; c++) {
        bool other = c == 0 || !same_kind(&s->classes[c - 1], &s->classes[c]);
        put(out, c > 0 && other ? 1 : 0, c > 0 ? 1 : 0);
        if (other) {
            add_row(ret_kinds, c);
        }
    }
}

static void take_kinds(bits_in_t *in, const gp_summary_t *s, rows_t *ret_kinds)
{
    *ret_kinds = (rows_t){0};
    for (uint32_t c = 0; c < s->class_count; c++) {
        if (c == 0 || take(in, 1) == 1) {
            add_row(ret_kinds, c);
        }
    }
}

static rows_t all_rows(const gp_summary_t *s)
{
    rows_t rows = {0};
    for (uint32_t c = 0; c < s->class_count; c++) {
        add_row(&rows, c);
    }
    return rows;
}

/* The first class of a kind was read: the others begin as its copies. */
static void spread_kinds(gp_summary_t *s, const rows_t *kinds)
{
    uint32_t next = 1;
    for (uint32_t c = 1; c < s->class_count; c++) {
        if (next < kinds->count && kinds->class[next] == c) {
            next += 1;
        } else {
            s->classes[c] = s->classes[c - 1];
        }
    }
}

/* Which kinds have a word or a hash: the bits of a word; and the last such that not all have. */
typedef struct columns {
    const rows_t *kinds;
    uint64_t all;
    uint64_t last;
} columns_t;

static columns_t columns_of(const rows_t *kinds)
{
    uint64_t all = kinds->count == 64 ? UINT64_MAX : (UINT64_C(1) << kinds->count) - 1;
    return (columns_t){.kinds = kinds, .all = all};
}

static void put_column(bits_out_t *out, const gp_summary_t *s, columns_t *columns, uint32_t bit,
                       bool hashed)
{
    const rows_t *kinds = columns->kinds;
    uint64_t with = 0;
    for (uint32_t i = 0; i < kinds->count; i++) {
        const gp_summary_class_t *class = &s->classes[kinds->class[i]];
        with |= (uint64_t)gp_summary_bit(hashed ? class->hashed : class->words, bit) << i;
    }
    bool some = with != 0 && with != columns->all;
    if (!hashed) {
        put(out, with != 0 ? 1 : 0, 1);
    }
    if (hashed || with != 0) {
        put(out, some ? 1 : 0, 1);
    }
    if (!some) {
        return;
    }
    put(out, with == columns->last ? 1 : 0, 1);
    for (uint32_t i = 0; i < kinds->count && with != columns->last; i++) {
        put(out, (uint32_t)(with >> i & 1), 1);
    }
    columns->last = with;
}

static uint64_t take_some(bits_in_t *in, columns_t *columns)
{
    if (take(in, 1) == 0) {
        columns->last = 0;
        for (uint32_t i = 0; i < columns->kinds->count; i++) {
            columns->last |= (uint64_t)take(in, 1) << i;
        }
    }
    return columns->last;
}

static void take_column(bits_in_t *in, gp_summary_t *s, columns_t *columns, uint32_t bit,
                        bool hashed)
{
    if (!hashed && take(in, 1) == 0) {
        return;
    }
    uint64_t with = take(in, 1) == 1 ? take_some(in, columns) : columns->all;
    for (uint32_t i = 0; i < columns->kinds->count; i++) {
        gp_summary_class_t *class = &s->classes[columns->kinds->class[i]];
        if ((with >> i & 1) != 0) {
            gp_summary_bit_set(hashed ? class->hashed : class->words, bit);
        }
    }
}

/* ---- numbers --------------------------------------------------------------------------------- */

static void put_most(bits_out_t *out, const gp_summary_t *s, const rows_t *rows, uint32_t index)
{
    uint8_t least = UINT8_MAX;
    uint8_t most = 0;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint8_t here = s->classes[rows->class[i]].most[index];
        least = here < least ? here : least;
        most = here > most ? here : most;
    }
    uint32_t width = width_of((uint32_t)most - least);
    put(out, least, MOST_BITS);
    put(out, width, WIDTH_BITS);
    for (uint32_t i = 0; i < rows->count; i++) {
        put(out, (uint32_t)s->classes[rows->class[i]].most[index] - least, width);
    }
}

static void take_most(bits_in_t *in, gp_summary_t *s, const rows_t *rows, uint32_t index)
{
    uint32_t least = take(in, MOST_BITS);
    uint32_t width = take(in, WIDTH_BITS);
    for (uint32_t i = 0; i < rows->count; i++) {
        s->classes[rows->class[i]].most[index] = (uint8_t)(least + take(in, width));
    }
}

static bool is_known(const gp_summary_t *s, uint32_t index)
{
    return s->known[gp_summary_numbers[index].attr] != GP_SUMMARY_NONE;
}

static void put_joint(bits_out_t *out, const gp_summary_t *s, const rows_t *rows, uint32_t index)
{
    if (is_known(s, index)) {
        put_most(out, s, rows, index);
        put_gamma(out, (uint32_t)s->high[index] - s->low[index]);
    }
}

/* The ends of the ranges are read when all classes are known. */
static void take_joint(bits_in_t *in, gp_summary_t *s, const rows_t *rows, uint32_t index)
{
    if (is_known(s, index)) {
        take_most(in, s, rows, index);
        s->high[index] = (uint16_t)take_gamma(in);
    }
}

/* The end that the classes tell, and from it the other one. */
static void place_joint(gp_summary_t *s, uint32_t index)
{
    uint32_t apart = s->high[index];
    uint32_t told = gp_summary_best(s, index);
    bool more = gp_summary_more(index);
    if (told != GP_SUMMARY_NO_CODE) {
        s->low[index] = (uint16_t)(more ? told - apart : told);
        s->high[index] = (uint16_t)(more ? told : told + apart);
    }
}

static void put_apart(bits_out_t *out, const gp_summary_t *s, uint32_t index)
{
    if (is_known(s, index)) {
        put_gamma(out, s->low[index]);
        put_gamma(out, (uint32_t)s->high[index] - s->low[index]);
    }
}

static void take_apart(bits_in_t *in, gp_summary_t *s, uint32_t index)
{
    if (is_known(s, index)) {
        s->low[index] = (uint16_t)take_gamma(in);
        s->high[index] = (uint16_t)(s->low[index] + take_gamma(in));
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void put_known(bits_out_t *out, uint8_t known)
{
    put(out, known == GP_SUMMARY_ALL ? 0 : 1, 1);
    if (known != GP_SUMMARY_ALL) {
        put(out, known == GP_SUMMARY_SOME ? 0 : 1, 1);
    }
}

static uint8_t take_known(bits_in_t *in)
{
    if (take(in, 1) == 0) {
        return GP_SUMMARY_ALL;
    }
    return take(in, 1) == 0 ? GP_SUMMARY_SOME : GP_SUMMARY_NONE;
}

static void put_all(bits_out_t *out, const gp_summary_t *s)
{
    put(out, GP_SUMMARY_VERSION, 8);
    put_gamma(out, s->machines);
    put_gamma(out, s->recorded);
    for (uint32_t attr = 1; attr < GP_SUMMARY_ATTRS; attr++) {
        put_known(out, s->known[attr]);
    }
    put_gamma(out, s->class_count);
    if (s->class_count == 0) {
        return;
    }
    rows_t rows = all_rows(s);
    rows_t kinds;
    put_kinds(out, s, &kinds);
    columns_t columns = columns_of(&kinds);
    put_hashes(out, s);
    for (uint32_t bit = 0; bit < gp_summary_word_count(); bit++) {
        put_column(out, s, &columns, bit, false);
    }
    for (uint32_t bit = 0; bit < s->hash_count; bit++) {
        put_column(out, s, &columns, bit, true);
    }
    for (uint32_t i = 0; i < GP_SUMMARY_DIMS; i++) {
        put_joint(out, s, i < GP_SUMMARY_KIND_DIMS ? &kinds : &rows, i);
    }
    for (uint32_t i = GP_SUMMARY_DIMS; i < GP_SUMMARY_NUMBERS_COUNT; i++) {
        put_apart(out, s, i);
    }
}

/* Classes, and at least one of them. */
static void take_classes(bits_in_t *in, gp_summary_t *s)
{
    rows_t rows = all_rows(s);
    rows_t kinds;
    take_kinds(in, s, &kinds);
    columns_t columns = columns_of(&kinds);
    take_hashes(in, s);
    for (uint32_t bit = 0; bit < gp_summary_word_count() && !in->failed; bit++) {
        take_column(in, s, &columns, bit, false);
    }
    for (uint32_t bit = 0; bit < s->hash_count && !in->failed; bit++) {
        take_column(in, s, &columns, bit, true);
    }
    for (uint32_t i = 0; i < GP_SUMMARY_DIMS && !in->failed; i++) {
        if (i == GP_SUMMARY_KIND_DIMS) {
            spread_kinds(s, &kinds);
        }
        take_joint(in, s, i < GP_SUMMARY_KIND_DIMS ? &kinds : &rows, i);
    }
    for (uint32_t i = 0; i < GP_SUMMARY_DIMS; i++) {
        place_joint(s, i);
    }
    for (uint32_t i = GP_SUMMARY_DIMS; i < GP_SUMMARY_NUMBERS_COUNT && !in->failed; i++) {
        take_apart(in, s, i);
    }
}

static void take_all(bits_in_t *in, gp_summary_t *s)
{
    *s = (gp_summary_t){0};
    (void)take(in, 8); /* the version, known to fit */
    s->machines = take_gamma(in);
    s->recorded = take_gamma(in);
    for (uint32_t attr = 1; attr < GP_SUMMARY_ATTRS; attr++) {
        s->known[attr] = take_known(in);
    }
    uint32_t classes = take_gamma(in);
    if (in->failed || classes > GP_SUMMARY_CLASSES_MAX) {
        in->failed = true;
        return;
    }
    s->class_count = (uint8_t)classes;
    if (classes > 0) {
        take_classes(in, s);
    }
}

uint32_t gp_summary_bits(const gp_summary_t *summary)
{
    bits_out_t out = {0};
    put_all(&out, summary);
    return out.n;
}

uint32_t gp_summary_hash_bits(const gp_summary_t *summary)
{
    bits_out_t out = {0};
    put_hashes(&out, summary);
    return out.n;
}

size_t gp_summary_pack(const gp_summary_t *summary, uint8_t ret_bytes[GP_SUMMARY_MAX])
{
    bits_out_t out = {.p = ret_bytes};
    memset(ret_bytes, 0, GP_SUMMARY_MAX);
    put_all(&out, summary);
    return (out.n + 7) / 8;
}

gp_error_t gp_summary_read(gp_slice_t bytes, gp_summary_t *ret_summary)
{
    uint8_t again[GP_SUMMARY_MAX];
    bits_in_t in = {.bytes = bytes};
    if (bytes.n > GP_SUMMARY_MAX) {
        return GP_E_MESSAGE_LIMIT;
    }
    if (bytes.n > 0 && bytes.p[0] != GP_SUMMARY_VERSION) {
        return GP_E_MESSAGE_VERSION;
    }
    take_all(&in, ret_summary);
    if (in.failed || (in.n + 7) / 8 != bytes.n || !gp_summary_sound(ret_summary)) {
        return GP_E_MESSAGE_DECODE;
    }
    if (gp_summary_bits(ret_summary) != in.n) { /* also: it has room */
        return GP_E_MESSAGE_DECODE;
    }
    (void)gp_summary_pack(ret_summary, again);
    return memcmp(again, bytes.p, bytes.n) == 0 ? GP_OK : GP_E_MESSAGE_DECODE;
}

/* ---- what must hold -------------------------------------------------------------------------- */

static bool is_empty(const gp_summary_t *s)
{
    uint32_t any = 0;
    for (uint32_t attr = 0; attr < GP_SUMMARY_ATTRS; attr++) {
        any |= s->known[attr];
    }
    return any == 0 && s->machines == 0 && s->class_count == 0 && s->hash_count == 0;
}

/* Ranges are of what somebody knows, one end of the joint ones is that of the best class. */
static bool number_sound(const gp_summary_t *s, uint32_t index)
{
    uint32_t most = gp_summary_code_max(index);
    uint32_t told = GP_SUMMARY_NO_CODE;
    for (uint32_t c = 0; c < s->class_count && index < GP_SUMMARY_DIMS; c++) {
        uint8_t here = s->classes[c].most[index];
        if (here > 0 && gp_summary_most_code(index, here) > most) {
            return false;
        }
    }
    if (index < GP_SUMMARY_DIMS) {
        told = gp_summary_best(s, index);
    }
    if (!is_known(s, index)) {
        return told == GP_SUMMARY_NO_CODE && s->low[index] == 0 && s->high[index] == 0;
    }
    return s->low[index] <= s->high[index] && s->high[index] <= most &&
           (index >= GP_SUMMARY_DIMS ||
            told == (gp_summary_more(index) ? s->high[index] : s->low[index]));
}

/* Each hash is there for a class. */
static bool hashes_sound(const gp_summary_t *s)
{
    uint32_t bits = (uint32_t)GP_SUMMARY_HASH_BITS - s->hash_dropped;
    uint64_t used[GP_SUMMARY_HASH_LANES] = {0};
    for (uint32_t c = 0; c < s->class_count; c++) {
        for (uint32_t i = 0; i < GP_SUMMARY_HASH_LANES; i++) {
            used[i] |= s->classes[c].hashed[i];
        }
    }
    for (uint32_t i = 0; i < s->hash_count; i++) {
        if (!gp_summary_bit(used, i) || s->hashes[i] >> bits != 0 ||
            (i > 0 && s->hashes[i - 1] >= s->hashes[i])) {
            return false;
        }
    }
    return true;
}

static bool classes_sound(const gp_summary_t *s)
{
    for (uint32_t a = 0; a < s->class_count; a++) {
        if (a > 0 && gp_summary_class_compare(&s->classes[a - 1], &s->classes[a]) >= 0) {
            return false;
        }
        for (uint32_t b = 0; b < s->class_count; b++) {
            if (a != b && gp_summary_class_within(&s->classes[a], &s->classes[b])) {
                return false;
            }
        }
    }
    return true;
}

bool gp_summary_sound(const gp_summary_t *summary)
{
    if (summary->machines == 0 || summary->class_count == 0) {
        return is_empty(summary) && summary->recorded == 0;
    }
    for (uint32_t i = 0; i < GP_SUMMARY_NUMBERS_COUNT; i++) {
        if (!number_sound(summary, i)) {
            return false;
        }
    }
    return summary->recorded <= summary->machines && hashes_sound(summary) &&
           classes_sound(summary);
}

void gp_summary_check(const gp_summary_t *summary)
{
    assert(gp_summary_sound(summary));
    assert(gp_summary_bits(summary) <= GP_SUMMARY_MAX * 8);
}
