#include "discovery/match.h"
#include "discovery/summary_inside.h"

/*
 * Abstract interpretation (Cousot, Cousot, POPL 1977) of a query's code: a class stands for all
 * machines that it covers, a lane is a class, and a verdict says of each class whether the
 * condition may be true of such a machine, and whether it may be false. Both may be so, or neither:
 * unknown.
 */

/* Pending operands of the postfix code: two a level of parentheses, and the current one. */
#define STACK_MAX (2 * (GP_QUERY_DEPTH_MAX + 1) + 1)

/* Classes of which the condition may be true, and may be false. */
typedef struct may {
    uint64_t yes;
    uint64_t no;
} may_t;

/* Numbers, both ends included; low > high: none. */
typedef struct range {
    uint64_t low;
    uint64_t high;
} range_t;

static gp_slice_t text_of(const gp_query_t *q, gp_span_t span)
{
    return gp_slice(q->text + span.at, span.n);
}

static uint64_t all_classes(const gp_summary_t *s)
{
    return s->class_count == 64 ? UINT64_MAX : (UINT64_C(1) << s->class_count) - 1;
}

static bool known_by_some(const gp_summary_t *s, uint32_t attr)
{
    return attr >= GP_SUMMARY_ATTRS || s->known[attr] != GP_SUMMARY_NONE;
}

/* Of what is not kept: both, wherever somebody knows it. */
static may_t maybe(const gp_summary_t *s, uint32_t attr)
{
    uint64_t lanes = known_by_some(s, attr) ? all_classes(s) : 0;
    return (may_t){.yes = lanes, .no = lanes};
}

/* ---- numbers --------------------------------------------------------------------------------- */

/* Of a class; false: it does not know the number. */
static bool range_of(const gp_summary_t *s, uint32_t class, uint32_t index, range_t *ret)
{
    uint32_t low = s->low[index];
    uint32_t high = s->high[index];
    if (index < GP_SUMMARY_DIMS) {
        uint8_t most = s->classes[class].most[index];
        if (most == 0) {
            return false;
        }
        uint32_t code = gp_summary_most_code(index, most);
        low = gp_summary_more(index) ? low : code;
        high = gp_summary_more(index) ? code : high;
    }
    *ret = (range_t){.low = gp_summary_least(index, low), .high = gp_summary_greatest(index, high)};
    return known_by_some(s, gp_summary_numbers[index].attr);
}

/* A version between two codes, compared with one that has the code `value`. */
static bool version_may(gp_compare_t compare, range_t r, range_t value)
{
    switch (compare) {
    case GP_COMPARE_LT:
    case GP_COMPARE_LE:
        return r.low <= value.low;
    case GP_COMPARE_GT:
    case GP_COMPARE_GE:
        return r.high >= value.low;
    case GP_COMPARE_NE:
        return true;
    case GP_COMPARE_COMPATIBLE: /* the first part is the same, unless the value is empty */
        return r.high >= value.low && (r.low <= (value.low | 0xff) || value.low <= 0x01ff);
    default:
        return r.high >= value.low && r.low <= value.high;
    }
}

/* What holds if the comparison does not. */
static gp_compare_t opposite(gp_compare_t compare)
{
    switch (compare) {
    case GP_COMPARE_LT:
        return GP_COMPARE_GE;
    case GP_COMPARE_LE:
        return GP_COMPARE_GT;
    case GP_COMPARE_GT:
        return GP_COMPARE_LE;
    case GP_COMPARE_GE:
        return GP_COMPARE_LT;
    case GP_COMPARE_NE:
        return GP_COMPARE_EQ;
    default:
        return GP_COMPARE_NE; /* of a range or of compatible versions: any other version */
    }
}

static may_t versions(const gp_query_t *q, const gp_query_term_t *term, const gp_summary_t *s,
                      uint32_t index)
{
    may_t may = {.no = all_classes(s)};
    range_t r;
    if (!range_of(s, 0, index, &r)) {
        return (may_t){0};
    }
    for (uint32_t i = 0; i < term->values; i++) {
        const gp_query_value_t *value = &q->values[term->value + i];
        range_t is = {.low = gp_version_code(text_of(q, value->text))};
        is.high =
            value->compare == GP_COMPARE_RANGE ? gp_version_code(text_of(q, value->text2)) : is.low;
        if (version_may(value->compare, r, is)) {
            may.yes = all_classes(s);
        }
        if (!version_may(opposite(value->compare), r, is)) {
            may.no = 0;
        }
    }
    return may;
}

/* One class: may the number lie in one of the ranges, and may it lie in none of them? */
static may_t in_ranges(const gp_query_t *q, const gp_query_term_t *term, range_t r)
{
    may_t may = {.yes = 0, .no = 1};
    for (uint32_t i = 0; i < term->values; i++) {
        const gp_query_value_t *value = &q->values[term->value + i];
        may.yes |= r.low <= value->high && r.high >= value->low ? 1 : 0;
        may.no &= r.low >= value->low && r.high <= value->high ? 0 : 1;
    }
    return may;
}

static may_t numbers(const gp_query_t *q, const gp_query_term_t *term, const gp_summary_t *s,
                     uint32_t index)
{
    may_t may = {0};
    for (uint32_t c = 0; c < s->class_count; c++) {
        range_t r;
        may_t one = {0};
        if (range_of(s, c, index, &r) && r.low <= r.high) {
            bool truth = term->op == GP_TERM_TRUTH;
            one = truth ? (may_t){.yes = r.high > 0 ? 1 : 0, .no = r.low == 0 ? 1 : 0}
                        : in_ranges(q, term, r);
        }
        may.yes |= one.yes << c;
        may.no |= one.no << c;
    }
    return may;
}

/* a compared with b, both anywhere in their ranges. */
static bool range_may(gp_compare_t compare, range_t a, range_t b)
{
    switch (compare) {
    case GP_COMPARE_LT:
        return a.low < b.high;
    case GP_COMPARE_LE:
        return a.low <= b.high;
    case GP_COMPARE_GT:
        return a.high > b.low;
    case GP_COMPARE_GE:
        return a.high >= b.low;
    case GP_COMPARE_EQ:
        return a.low <= b.high && a.high >= b.low;
    default:
        return a.low != a.high || b.low != b.high || a.low != b.low;
    }
}

/* Versions of one code may be different ones: nothing is excluded. */
static may_t attributes(const gp_query_term_t *term, const gp_summary_t *s)
{
    uint32_t a = gp_summary_number_find(term->attr);
    uint32_t b = gp_summary_number_find(term->other);
    may_t may = maybe(s, term->attr);
    may_t other = maybe(s, term->other);
    bool version = gp_attribute(term->attr)->type == GP_TYPE_VERSION;
    if (version || a == GP_SUMMARY_NUMBERS_COUNT || b == GP_SUMMARY_NUMBERS_COUNT) {
        return (may_t){.yes = may.yes & other.yes, .no = may.no & other.no};
    }
    may = (may_t){0};
    for (uint32_t c = 0; c < s->class_count; c++) {
        range_t of_a;
        range_t of_b;
        if (range_of(s, c, a, &of_a) && range_of(s, c, b, &of_b)) {
            may.yes |= (uint64_t)range_may(term->compare, of_a, of_b) << c;
            may.no |= (uint64_t)range_may(opposite(term->compare), of_a, of_b) << c;
        }
    }
    return may;
}

/* ---- words ----------------------------------------------------------------------------------- */

static uint64_t with_bit(const gp_summary_t *s, uint32_t bit)
{
    uint64_t with = 0;
    for (uint32_t c = 0; c < s->class_count; c++) {
        with |= (uint64_t)gp_summary_bit(s->classes[c].words, bit) << c;
    }
    return with;
}

static uint64_t with_hash(const gp_summary_t *s, uint32_t hash)
{
    uint64_t with = 0;
    uint32_t at = gp_summary_hash_find(s, hash);
    for (uint32_t c = 0; c < s->class_count && at < s->hash_count; c++) {
        with |= (uint64_t)gp_summary_bit(s->classes[c].hashed, at) << c;
    }
    return with;
}

/* Classes that may have this word. */
static uint64_t with_word(const gp_summary_t *s, const gp_summary_text_t *text, gp_slice_t word)
{
    uint32_t hashes[2];
    uint32_t bit = gp_summary_word_find(text, word);
    uint64_t with = with_bit(s, bit);
    if (bit < (uint32_t)text->first + text->count || !text->hashed) {
        return with;
    }
    uint32_t n = gp_summary_hash(text->attr, word, hashes);
    for (uint32_t i = 0; i < n; i++) {
        with &= with_hash(s, hashes[i]);
    }
    return with;
}

static bool is_none(gp_slice_t word)
{
    return gp_slice_equal(word, gp_text("none"));
}

static bool is_value(const gp_query_t *q, const gp_query_term_t *term, gp_slice_t word)
{
    for (uint32_t i = 0; i < term->values; i++) {
        if (gp_slice_equal(word, text_of(q, q->values[term->value + i].text))) {
            return true;
        }
    }
    return false;
}

/* A word attribute: each listed word is asked by itself, any other word may be what it likes. */
static may_t word(const gp_query_t *q, const gp_query_term_t *term, const gp_summary_t *s,
                  const gp_summary_text_t *text)
{
    uint64_t others = with_bit(s, (uint32_t)text->first + text->count);
    may_t may = {.yes = others, .no = others};
    gp_glob_t glob;
    if (term->op == GP_TERM_GLOB) {
        gp_glob_compile(&glob, text_of(q, q->values[term->value].text));
    }
    for (uint32_t i = 0; i < text->count; i++) {
        uint64_t with = with_bit(s, (uint32_t)text->first + i);
        gp_slice_t listed = gp_slice(text->words[i].text, text->words[i].n);
        bool yes = term->op == GP_TERM_TRUTH ? !is_none(listed) : is_value(q, term, listed);
        yes = term->op == GP_TERM_GLOB ? gp_glob_match(&glob, listed) : yes;
        may.yes |= yes ? with : 0;
        may.no |= yes ? 0 : with;
    }
    if (term->op == GP_TERM_TEXTS) {
        uint64_t these = 0;
        for (uint32_t i = 0; i < term->values; i++) {
            these |= with_word(s, text, text_of(q, q->values[term->value + i].text));
        }
        may.yes &= these;
    }
    return may;
}

/* A set: what somebody has, somebody else may lack. */
static may_t set(const gp_query_t *q, const gp_query_term_t *term, const gp_summary_t *s,
                 const gp_summary_text_t *text)
{
    may_t may = maybe(s, text->attr);
    if (term->op == GP_TERM_HAS) {
        for (uint32_t i = 0; i < term->values; i++) {
            may.yes &= with_word(s, text, text_of(q, q->values[term->value + i].text));
        }
    } else if (term->op == GP_TERM_GLOB) {
        gp_glob_t glob;
        gp_glob_compile(&glob, text_of(q, q->values[term->value].text));
        uint64_t these = with_bit(s, (uint32_t)text->first + text->count);
        for (uint32_t i = 0; i < text->count; i++) {
            gp_slice_t listed = gp_slice(text->words[i].text, text->words[i].n);
            these |= gp_glob_match(&glob, listed) ? with_bit(s, (uint32_t)text->first + i) : 0;
        }
        may.yes &= these;
    }
    return may;
}

/* tag.KEY */
static may_t label(const gp_query_t *q, const gp_query_term_t *term, const gp_summary_t *s)
{
    gp_slice_t key = text_of(q, term->key);
    uint64_t with = with_hash(s, gp_summary_hash_key(key));
    may_t may = {.yes = with, .no = with};
    if (term->op == GP_TERM_SET) {
        may.no = all_classes(s);
    } else if (term->op == GP_TERM_TEXTS) {
        uint64_t these = 0;
        for (uint32_t i = 0; i < term->values; i++) {
            gp_slice_t value = text_of(q, q->values[term->value + i].text);
            these |= with_hash(s, gp_summary_hash_label(key, value));
        }
        may.yes &= these;
    }
    return may;
}

/* ---- terms and their combination ------------------------------------------------------------- */

static may_t is_set(const gp_summary_t *s, uint32_t attr)
{
    bool unknown = attr >= GP_SUMMARY_ATTRS || s->known[attr] != GP_SUMMARY_ALL;
    return (may_t){.yes = maybe(s, attr).yes, .no = unknown ? all_classes(s) : 0};
}

static may_t ask_term(const gp_query_t *q, const gp_query_term_t *term, const gp_summary_t *s)
{
    uint32_t index = gp_summary_number_find(term->attr);
    const gp_summary_text_t *text = gp_summary_text_find(term->attr);
    if (term->key.n > 0) {
        return label(q, term, s);
    }
    if (term->op == GP_TERM_SET) {
        return is_set(s, term->attr);
    }
    if (term->op == GP_TERM_ATTR) {
        return attributes(term, s);
    }
    if (term->op == GP_TERM_VERSIONS) {
        return versions(q, term, s, index);
    }
    if (text != NULL) {
        bool words = gp_attribute(term->attr)->type == GP_TYPE_WORDS;
        return words ? set(q, term, s, text) : word(q, term, s, text);
    }
    bool number = gp_type_is_number(gp_attribute(term->attr)->type);
    return number && index < GP_SUMMARY_NUMBERS_COUNT ? numbers(q, term, s, index)
                                                      : maybe(s, term->attr);
}

static may_t negate(may_t may)
{
    return (may_t){.yes = may.no, .no = may.yes};
}

static may_t ask_part(const gp_summary_t *s, const gp_query_t *q, const gp_query_part_t *part)
{
    may_t stack[STACK_MAX];
    uint32_t depth = 0;
    for (uint32_t i = part->code; i < (uint32_t)part->code + part->codes; i++) {
        uint16_t code = q->code[i];
        if (code == GP_CODE_NOT) {
            assert(depth >= 1);
            stack[depth - 1] = negate(stack[depth - 1]);
        } else if (code == GP_CODE_AND || code == GP_CODE_OR) {
            assert(depth >= 2);
            may_t *a = &stack[depth - 2];
            const may_t *b = &stack[depth - 1];
            a->yes = code == GP_CODE_AND ? a->yes & b->yes : a->yes | b->yes;
            a->no = code == GP_CODE_AND ? a->no | b->no : a->no & b->no;
            depth -= 1;
        } else {
            assert(code < q->term_count && depth < STACK_MAX);
            may_t may = ask_term(q, &q->terms[code], s);
            stack[depth] = q->terms[code].negated ? negate(may) : may;
            depth += 1;
        }
    }
    assert(depth == 1);
    return stack[0];
}

bool gp_summary_may_match(const gp_summary_t *summary, const gp_query_t *query)
{
    uint64_t left = all_classes(summary);
    for (uint32_t part = 0; part < query->part_count && left != 0; part++) {
        left &= ask_part(summary, query, &query->parts[part]).yes;
    }
    return left != 0;
}
