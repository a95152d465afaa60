#include "discovery/match.h"
#include "discovery/query.h"

_Static_assert(GP_QUERY_WORDS_MAX <= 64, "words found are the bits of one word");

/* Pending operands of the postfix code: two a level of parentheses, and the current one. */
#define STACK_MAX (2 * (GP_QUERY_DEPTH_MAX + 1) + 1)

static uint64_t lanes_of(const gp_records_t *r)
{
    return r->width == 64 ? UINT64_MAX : (UINT64_C(1) << r->width) - 1;
}

static gp_slice_t text_of(const gp_query_t *q, gp_span_t span)
{
    assert((uint32_t)span.at + span.n <= q->text_n);
    return gp_slice(q->text + span.at, span.n);
}

/* ---- numbers: one pass over the column, no branch a lane ---------------------------------- */

static uint64_t in_range(const uint64_t *column, uint32_t width, uint64_t low, uint64_t high)
{
    assert(low <= high);
    uint64_t span = high - low;
    uint64_t in = 0;
    for (uint32_t lane = 0; lane < width; lane++) {
        in |= (uint64_t)(column[lane] - low <= span) << lane;
    }
    return in;
}

static uint64_t ranges(const gp_query_t *q, const gp_query_term_t *term, const gp_records_t *r)
{
    const uint64_t *column = &r->numbers[term->attr * r->width];
    uint64_t in = 0;
    for (uint32_t i = 0; i < term->values; i++) {
        const gp_query_value_t *value = &q->values[term->value + i];
        in |= in_range(column, r->width, value->low, value->high);
    }
    return in;
}

static bool holds(gp_compare_t compare, int order)
{
    switch (compare) {
    case GP_COMPARE_EQ:
        return order == 0;
    case GP_COMPARE_NE:
        return order != 0;
    case GP_COMPARE_LT:
        return order < 0;
    case GP_COMPARE_LE:
        return order <= 0;
    case GP_COMPARE_GT:
        return order > 0;
    case GP_COMPARE_GE:
        return order >= 0;
    default:
        assert(false && "a comparison of an order");
        return false;
    }
}

static bool other_holds(const gp_query_term_t *term, const gp_records_t *r, uint32_t lane)
{
    if (gp_type_is_number(gp_attribute(term->attr)->type)) {
        uint64_t a = gp_records_number(r, lane, term->attr);
        uint64_t b = gp_records_number(r, lane, term->other);
        return holds(term->compare, a < b ? -1 : (a > b ? 1 : 0));
    }
    gp_slice_t a = gp_records_text(r, lane, term->attr, NULL);
    gp_slice_t b = gp_records_text(r, lane, term->other, NULL);
    if (term->compare == GP_COMPARE_COMPATIBLE) {
        return gp_version_compatible(a, b);
    }
    return holds(term->compare, gp_version_compare(a, b));
}

/* ---- texts --------------------------------------------------------------------------------- */

static bool version_holds(const gp_query_t *q, const gp_query_value_t *value, gp_slice_t version)
{
    gp_slice_t base = text_of(q, value->text);
    if (value->compare == GP_COMPARE_COMPATIBLE) {
        return gp_version_compatible(version, base);
    }
    if (value->compare == GP_COMPARE_RANGE) {
        return gp_version_compare(version, base) >= 0 &&
               gp_version_compare(version, text_of(q, value->text2)) <= 0;
    }
    return holds(value->compare, gp_version_compare(version, base));
}

static bool text_is_true(gp_slice_t text)
{
    static const char *const false_words[] = {"0", "no", "none", "false"};
    for (size_t i = 0; i < sizeof false_words / sizeof false_words[0]; i++) {
        uint32_t n = 0;
        while (n < text.n && false_words[i][n] == (char)text.p[n]) {
            n += 1;
        }
        if (n == text.n && false_words[i][n] == '\0') {
            return false;
        }
    }
    return text.n > 0;
}

typedef enum gp_truth { NO = 0, YES, UNKNOWN } gp_truth_t;

static gp_truth_t truth(bool yes)
{
    return yes ? YES : NO;
}

static gp_truth_t any_value(const gp_query_t *q, const gp_query_term_t *term, gp_slice_t text)
{
    for (uint32_t i = 0; i < term->values; i++) {
        const gp_query_value_t *value = &q->values[term->value + i];
        bool yes = term->op == GP_TERM_VERSIONS ? version_holds(q, value, text)
                                                : gp_slice_equal(text, text_of(q, value->text));
        if (yes) {
            return YES;
        }
    }
    return NO;
}

/* One walk through the set for all words asked about; what a cut list lacks may still be there. */
static gp_truth_t has_all(const gp_query_t *q, const gp_query_term_t *term, gp_slice_t words,
                          bool cut)
{
    const gp_query_value_t *values = &q->values[term->value];
    uint64_t missing = term->values == 64 ? UINT64_MAX : (UINT64_C(1) << term->values) - 1;
    uint32_t at = 0;
    gp_slice_t word;
    assert(term->values <= 64);
    while (missing != 0 && gp_words_next(words, &at, &word)) {
        for (uint32_t i = 0; i < term->values; i++) {
            if (values[i].text.n == word.n && gp_slice_equal(word, text_of(q, values[i].text))) {
                missing &= ~(UINT64_C(1) << i);
            }
        }
    }
    return missing == 0 ? YES : (cut ? UNKNOWN : NO);
}

static gp_truth_t text_truth(const gp_query_t *q, const gp_query_term_t *term, gp_slice_t text,
                             bool cut, const gp_glob_t *glob)
{
    bool set = term->key.n == 0 && gp_attribute(term->attr)->type == GP_TYPE_WORDS;
    switch (term->op) {
    case GP_TERM_TRUTH:
        return truth(text_is_true(text));
    case GP_TERM_TEXTS:
    case GP_TERM_VERSIONS:
        return any_value(q, term, text);
    case GP_TERM_GLOB:
        if (set && cut && !gp_glob_match_any(glob, text)) {
            return UNKNOWN;
        }
        return truth(set ? gp_glob_match_any(glob, text) : gp_glob_match(glob, text));
    case GP_TERM_HAS:
        return has_all(q, term, text, cut);
    default:
        assert(false && "an operator of texts");
        return UNKNOWN;
    }
}

/* Lanes of those asked that know what the term is about: the attribute, or the label. */
static uint64_t known_lanes(const gp_query_t *q, const gp_query_term_t *term, const gp_records_t *r,
                            uint64_t asked)
{
    uint64_t known = r->known[term->attr] & asked;
    if (term->op == GP_TERM_ATTR) {
        known &= r->known[term->other];
    }
    if (term->key.n == 0) {
        return known;
    }
    for (uint32_t lane = 0; lane < r->width; lane++) {
        gp_slice_t value;
        if ((known >> lane & 1) != 0 && !gp_words_label(gp_records_text(r, lane, term->attr, NULL),
                                                        text_of(q, term->key), &value)) {
            known &= ~(UINT64_C(1) << lane);
        }
    }
    return known;
}

static gp_verdict_t texts(const gp_query_t *q, const gp_query_term_t *term, const gp_records_t *r,
                          uint64_t known)
{
    gp_verdict_t verdict = {0, 0};
    gp_glob_t glob;
    if (term->op == GP_TERM_GLOB) {
        gp_glob_compile(&glob, text_of(q, q->values[term->value].text));
    }
    for (uint32_t lane = 0; lane < r->width; lane++) {
        if ((known >> lane & 1) == 0) {
            continue;
        }
        bool cut = false;
        gp_slice_t text = gp_records_text(r, lane, term->attr, &cut);
        if (term->key.n > 0) {
            bool there = gp_words_label(text, text_of(q, term->key), &text);
            assert(there);
            (void)there;
        }
        gp_truth_t is = text_truth(q, term, text, cut, &glob);
        verdict.yes |= (uint64_t)(is == YES) << lane;
        verdict.no |= (uint64_t)(is == NO) << lane;
    }
    return verdict;
}

/* ---- terms and their combination ---------------------------------------------------------------
 */

static gp_verdict_t negate(gp_verdict_t v)
{
    return (gp_verdict_t){.yes = v.no, .no = v.yes};
}

static gp_verdict_t term_eval(const gp_query_t *q, const gp_query_term_t *term,
                              const gp_records_t *r, uint64_t asked)
{
    uint64_t known = known_lanes(q, term, r, asked);
    gp_verdict_t verdict;
    if (term->op == GP_TERM_SET) {
        verdict = (gp_verdict_t){.yes = known, .no = ~known & asked};
    } else if (term->op == GP_TERM_ATTR) {
        uint64_t in = 0;
        for (uint32_t lane = 0; lane < r->width; lane++) {
            bool yes = (known >> lane & 1) != 0 && other_holds(term, r, lane);
            in |= (uint64_t)yes << lane;
        }
        verdict = (gp_verdict_t){.yes = in, .no = known & ~in};
    } else if (gp_type_is_number(gp_attribute(term->attr)->type)) {
        uint64_t in = term->op == GP_TERM_RANGES
                          ? ranges(q, term, r)
                          : ~in_range(&r->numbers[term->attr * r->width], r->width, 0, 0);
        verdict = (gp_verdict_t){.yes = known & in, .no = known & ~in};
    } else {
        verdict = texts(q, term, r, known);
    }
    return term->negated ? negate(verdict) : verdict;
}

gp_verdict_t gp_query_part_eval(const gp_query_t *query, uint32_t part, const gp_records_t *records,
                                uint64_t asked)
{
    assert(part < query->part_count);
    asked &= lanes_of(records);
    gp_verdict_t stack[STACK_MAX];
    uint32_t depth = 0;
    const gp_query_part_t *p = &query->parts[part];
    for (uint32_t i = p->code; i < (uint32_t)p->code + p->codes; i++) {
        uint16_t code = query->code[i];
        if (code == GP_CODE_NOT) {
            assert(depth >= 1);
            stack[depth - 1] = negate(stack[depth - 1]);
        } else if (code == GP_CODE_AND || code == GP_CODE_OR) {
            assert(depth >= 2);
            gp_verdict_t *a = &stack[depth - 2];
            const gp_verdict_t *b = &stack[depth - 1];
            a->yes = code == GP_CODE_AND ? a->yes & b->yes : a->yes | b->yes;
            a->no = code == GP_CODE_AND ? a->no | b->no : a->no & b->no;
            depth -= 1;
        } else {
            assert(code < query->term_count && depth < STACK_MAX);
            stack[depth] = term_eval(query, &query->terms[code], records, asked);
            depth += 1;
        }
    }
    assert(depth == 1 && (stack[0].yes & stack[0].no) == 0);
    return stack[0];
}

uint64_t gp_query_eval(const gp_query_t *query, const gp_records_t *records, uint64_t asked)
{
    uint64_t left = asked & lanes_of(records);
    for (uint32_t part = 0; part < query->part_count && left != 0; part++) {
        left &= gp_query_part_eval(query, part, records, left).yes;
    }
    return left;
}

gp_slice_t gp_query_part_text(const gp_query_t *query, uint32_t part)
{
    assert(part < query->part_count);
    return text_of(query, query->parts[part].text);
}

static uint32_t add_once(uint16_t attr, uint16_t *attrs, uint32_t n, uint32_t max)
{
    for (uint32_t i = 0; i < n; i++) {
        if (attrs[i] == attr) {
            return n;
        }
    }
    if (n < max) {
        attrs[n] = attr;
        n += 1;
    }
    return n;
}

uint32_t gp_query_attrs(const gp_query_t *query, uint16_t *ret_attrs, uint32_t max)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < query->term_count; i++) {
        n = add_once(query->terms[i].attr, ret_attrs, n, max);
        if (query->terms[i].op == GP_TERM_ATTR) {
            n = add_once(query->terms[i].other, ret_attrs, n, max);
        }
    }
    return n;
}

/* ---- rank --------------------------------------------------------------------------------------
 */

static int key_compare(uint32_t attr, const gp_records_t *of_a, uint32_t a,
                       const gp_records_t *of_b, uint32_t b)
{
    gp_type_t type = gp_attribute(attr)->type;
    if (gp_type_is_number(type)) {
        uint64_t x = gp_records_number(of_a, a, attr);
        uint64_t y = gp_records_number(of_b, b, attr);
        return x < y ? -1 : (x > y ? 1 : 0);
    }
    gp_slice_t x = gp_records_text(of_a, a, attr, NULL);
    gp_slice_t y = gp_records_text(of_b, b, attr, NULL);
    return type == GP_TYPE_VERSION ? gp_version_compare(x, y) : gp_text_compare(x, y);
}

int gp_rank_compare(const gp_rank_t *rank, const gp_records_t *of_a, uint32_t a,
                    const gp_records_t *of_b, uint32_t b)
{
    for (uint32_t i = 0; i < rank->key_count; i++) {
        uint32_t attr = rank->keys[i].attr;
        bool known_a = gp_records_knows(of_a, a, attr);
        bool known_b = gp_records_knows(of_b, b, attr);
        if (known_a != known_b) {
            return known_a ? -1 : 1;
        }
        int order = known_a ? key_compare(attr, of_a, a, of_b, b) : 0;
        if (order != 0) {
            return rank->keys[i].more ? -order : order;
        }
    }
    return 0;
}
