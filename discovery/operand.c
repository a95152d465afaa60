#include "discovery/parser.h"

#include "discovery/match.h"
#include "discovery/units.h"

static uint32_t here(const gp_parser_t *parser)
{
    return parser->lexer.token.at;
}

/* Starts "NAME is TYPE" for an error at byte `at`; NULL if there was an error before. */
static gp_sentence_t *fail_subject(gp_parser_t *parser, gp_error_t error, uint32_t at,
                                   const gp_subject_t *subject)
{
    gp_sentence_t *why = gp_lexer_fail(&parser->lexer, error, at);
    if (why != NULL) {
        gp_sentence_slice(why, subject->name);
        gp_sentence_add(why, " is ");
        gp_sentence_add(why, gp_type_text(subject->type));
    }
    return why;
}

/* "NAME is TYPE: write NAME OP EXAMPLE" */
static void fail_operator(gp_parser_t *parser, const gp_subject_t *subject, const char *operator)
{
    gp_sentence_t *why = fail_subject(parser, GP_E_QUERY_TYPE, subject->at, subject);
    if (why != NULL) {
        gp_sentence_add(why, ": write for example ");
        gp_sentence_slice(why, subject->name);
        gp_sentence_add(why, operator);
        bool label = subject->attr == GP_ATTR_TAG && subject->type == GP_TYPE_WORD;
        gp_sentence_add(why, label ? "r3" : gp_attribute_example(subject->attr));
    }
}

/* Two values have at least a comma between them. */
_Static_assert(GP_QUERY_VALUES_MAX >= GP_QUERY_MAX / 2, "the longest query's values fit");

static gp_query_value_t *add_value(gp_parser_t *parser, gp_query_term_t *term)
{
    gp_query_t *q = parser->query;
    assert(q->value_count < GP_QUERY_VALUES_MAX);
    gp_query_value_t *value = &q->values[q->value_count];
    *value = (gp_query_value_t){0};
    q->value_count += 1;
    term->values += 1;
    return value;
}

/* ---- numbers ------------------------------------------------------------------------------- */

/* "gib", "G" for GiB: the first unit of the type that begins so, in either case. */
static void add_unit_hint(gp_sentence_t *why, gp_slice_t unit, gp_type_t type)
{
    const char *near = gp_unit_suggest(unit, type);
    if (near != NULL) {
        gp_sentence_add(why, ", did you mean ");
        gp_sentence_add(why, near);
        gp_sentence_add(why, "?");
    } else {
        gp_sentence_add(why, ", write for example ");
        gp_sentence_add(why, gp_type_example(type));
    }
}

static void fail_quantity(gp_parser_t *parser, const gp_subject_t *subject, uint32_t at,
                          gp_quantity_error_t error, gp_slice_t unit)
{
    bool about_unit = error == GP_QUANTITY_UNIT || error == GP_QUANTITY_NO_UNIT;
    gp_sentence_t *why =
        fail_subject(parser, about_unit ? GP_E_QUERY_UNIT : GP_E_QUERY_TYPE, at, subject);
    if (why == NULL) {
        return;
    }
    switch (error) {
    case GP_QUANTITY_NO_UNIT:
        gp_sentence_add(why, " and needs a unit, write for example ");
        gp_sentence_add(why, gp_type_example(subject->type));
        break;
    case GP_QUANTITY_UNIT:
        gp_sentence_add(why, gp_unit_known(unit) ? ", which " : "; no such unit as ");
        gp_sentence_quote(why, unit);
        gp_sentence_add(why, gp_unit_known(unit) ? " does not measure" : "");
        add_unit_hint(why, unit, subject->type);
        break;
    case GP_QUANTITY_RANGE:
        gp_sentence_add(why, ", and this number is too large or has too many decimals");
        break;
    default:
        gp_sentence_add(why, ", write for example ");
        gp_sentence_add(why, gp_type_example(subject->type));
        break;
    }
}

static bool read_bool(gp_parser_t *parser, const gp_subject_t *subject, gp_quantity_t *ret)
{
    gp_slice_t word = gp_lexer_word(&parser->lexer);
    bool yes = gp_lexer_is(word, "true") || gp_lexer_is(word, "yes") || gp_lexer_is(word, "1");
    bool no = gp_lexer_is(word, "false") || gp_lexer_is(word, "no") || gp_lexer_is(word, "0");
    if (!yes && !no) {
        gp_sentence_t *why = fail_subject(parser, GP_E_QUERY_TYPE, here(parser), subject);
        if (why != NULL) {
            gp_sentence_add(why, ", not ");
            gp_sentence_quote(why, word);
        }
        return false;
    }
    *ret = (gp_quantity_t){.number = yes ? 1 : 0};
    gp_lexer_advance(&parser->lexer);
    return true;
}

/* Reads a quantity of the subject's type; "8 GiB" may be two words. */
static bool read_number(gp_parser_t *parser, const gp_subject_t *subject, gp_quantity_t *ret)
{
    gp_lexer_t *lexer = &parser->lexer;
    if (lexer->token.type != GP_TOKEN_WORD) {
        fail_quantity(parser, subject, here(parser), GP_QUANTITY_NO_NUMBER, (gp_slice_t){0});
        return false;
    }
    if (subject->type == GP_TYPE_BOOL) {
        return read_bool(parser, subject, ret);
    }
    uint32_t at = here(parser);
    gp_slice_t word = gp_lexer_word(lexer);
    uint32_t split = gp_quantity_split(word);
    gp_slice_t number = gp_slice(word.p, split);
    gp_slice_t unit = gp_slice(word.p + split, word.n - split);
    gp_lexer_advance(lexer);
    uint64_t bare = gp_attribute(subject->attr)->bare;
    bool unit_follows = lexer->token.type == GP_TOKEN_WORD &&
                        (gp_unit_known(gp_lexer_word(lexer)) || (bare == 0 && split == word.n));
    if (unit.n == 0 && unit_follows) {
        unit = gp_lexer_word(lexer);
        gp_lexer_advance(lexer);
    }
    gp_quantity_error_t error = gp_quantity_parse(number, unit, subject->type, bare, ret);
    if (error != GP_QUANTITY_OK) {
        bool at_unit = error == GP_QUANTITY_UNIT && unit.p == word.p + split;
        fail_quantity(parser, subject, at + (at_unit ? split : 0), error, unit);
        return false;
    }
    return true;
}

/* Adds [low, high], where an end that lies between two whole numbers takes in the inner one. */
static void add_range(gp_parser_t *parser, gp_query_term_t *term, gp_quantity_t low,
                      gp_quantity_t high)
{
    if (low.between && low.number == UINT64_MAX) {
        return;
    }
    uint64_t from = low.between ? low.number + 1 : low.number;
    if (from > high.number) {
        return; /* nothing lies between: the term is never true */
    }
    gp_query_value_t *value = add_value(parser, term);
    value->low = from;
    value->high = high.number;
}

/* Reads the end of "low..": the dots are the current token. */
static void read_range(gp_parser_t *parser, const gp_subject_t *subject, gp_quantity_t low,
                       gp_query_term_t *term)
{
    uint32_t at = here(parser);
    gp_quantity_t high;
    gp_lexer_advance(&parser->lexer);
    if (!read_number(parser, subject, &high)) {
        return;
    }
    if (low.number > high.number || (low.number == high.number && low.between && !high.between)) {
        gp_lexer_fail_text(&parser->lexer, GP_E_QUERY_TYPE, at,
                           "this range is empty: write the smaller value first");
        return;
    }
    add_range(parser, term, low, high);
}

static void add_compared(gp_parser_t *parser, gp_query_term_t *term, gp_compare_t compare,
                         gp_quantity_t value)
{
    const gp_quantity_t most = {.number = UINT64_MAX};
    const gp_quantity_t least = {.number = 0};
    gp_quantity_t above = {.number = value.number, .between = true};
    switch (compare) {
    case GP_COMPARE_LT:
        if (value.between) {
            add_range(parser, term, least, value);
        } else if (value.number > 0) {
            add_range(parser, term, least, (gp_quantity_t){.number = value.number - 1});
        }
        break;
    case GP_COMPARE_LE:
        add_range(parser, term, least, value);
        break;
    case GP_COMPARE_GT:
        add_range(parser, term, above, most);
        break;
    case GP_COMPARE_GE:
        add_range(parser, term, value, most);
        break;
    default:
        add_range(parser, term, value, value);
        break;
    }
}

static void number_comparison(gp_parser_t *parser, const gp_subject_t *subject,
                              gp_compare_t compare, gp_query_term_t *term)
{
    bool equal = compare == GP_COMPARE_EQ || compare == GP_COMPARE_NE;
    gp_quantity_t value;
    uint32_t at = here(parser);
    if (compare == GP_COMPARE_COMPATIBLE || (subject->type == GP_TYPE_BOOL && !equal)) {
        fail_operator(parser, subject, subject->type == GP_TYPE_BOOL ? " == " : " >= ");
        return;
    }
    term->op = GP_TERM_RANGES;
    term->negated = compare == GP_COMPARE_NE;
    if (!read_number(parser, subject, &value)) {
        return;
    }
    if (parser->lexer.token.type != GP_TOKEN_DOTS) {
        add_compared(parser, term, compare, value);
    } else if (equal && subject->type != GP_TYPE_BOOL) {
        read_range(parser, subject, value, term);
    } else {
        gp_lexer_fail_text(&parser->lexer, GP_E_QUERY_SYNTAX, at,
                           "a range a..b goes with in, == or !=");
    }
}

/* ---- texts --------------------------------------------------------------------------------- */

static bool read_text(gp_parser_t *parser, gp_span_t *ret)
{
    gp_lexer_t *lexer = &parser->lexer;
    if (lexer->token.type != GP_TOKEN_WORD && lexer->token.type != GP_TOKEN_STRING) {
        gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, here(parser),
                           "a value is missing here (a word, or a text in quotes)");
        return false;
    }
    *ret = lexer->token.text;
    gp_lexer_advance(lexer);
    return true;
}

/* A version, or a range of versions where that is allowed. */
static void version_value(gp_parser_t *parser, gp_compare_t compare, gp_query_term_t *term)
{
    gp_span_t text;
    gp_span_t end = {0};
    uint32_t at = here(parser);
    if (!read_text(parser, &text)) {
        return;
    }
    if (parser->lexer.token.type == GP_TOKEN_DOTS) {
        if (compare != GP_COMPARE_EQ) {
            gp_lexer_fail_text(&parser->lexer, GP_E_QUERY_SYNTAX, at,
                               "a range a..b goes with in, == or !=");
            return;
        }
        gp_lexer_advance(&parser->lexer);
        if (!read_text(parser, &end)) {
            return;
        }
        compare = GP_COMPARE_RANGE;
    }
    gp_query_value_t *value = add_value(parser, term);
    value->compare = (uint8_t)compare;
    value->text = text;
    value->text2 = end;
}

static void text_value(gp_parser_t *parser, gp_query_term_t *term)
{
    gp_span_t text;
    if (!read_text(parser, &text)) {
        return;
    }
    if (parser->lexer.token.type == GP_TOKEN_DOTS) {
        gp_lexer_fail_text(&parser->lexer, GP_E_QUERY_TYPE, here(parser),
                           "words have no order, so they have no ranges");
        return;
    }
    add_value(parser, term)->text = text;
}

static void text_comparison(gp_parser_t *parser, const gp_subject_t *subject, gp_compare_t compare,
                            gp_query_term_t *term)
{
    term->negated = compare == GP_COMPARE_NE;
    if (subject->type == GP_TYPE_VERSION) {
        term->op = GP_TERM_VERSIONS;
        version_value(parser, term->negated ? GP_COMPARE_EQ : compare, term);
    } else if (subject->type == GP_TYPE_WORDS) {
        fail_operator(parser, subject, " has ");
    } else if (compare == GP_COMPARE_EQ || compare == GP_COMPARE_NE) {
        term->op = GP_TERM_TEXTS;
        text_value(parser, term);
    } else {
        fail_operator(parser, subject, " == ");
    }
}

/* ---- operators ------------------------------------------------------------------------------- */

/*
 * "mem.free >= lend.mem". The right side of a word is always a word, never an attribute: half of
 * what people compare with (cpu, has, virt ...) is the name of some attribute. Returns whether it
 * was one, or failed to be one.
 */
static bool attribute_comparison(gp_parser_t *parser, const gp_subject_t *subject,
                                 gp_compare_t compare, gp_query_term_t *term)
{
    gp_slice_t word = gp_lexer_word(&parser->lexer);
    bool letter = word.n > 0 && ((word.p[0] | 0x20) >= 'a' && (word.p[0] | 0x20) <= 'z');
    if (parser->lexer.token.type != GP_TOKEN_WORD || !letter || subject->type == GP_TYPE_WORD ||
        subject->type == GP_TYPE_WORDS || subject->type == GP_TYPE_BOOL) {
        return false;
    }
    bool version = subject->type == GP_TYPE_VERSION;
    uint32_t other = gp_attribute_find(word);
    if (other == 0) {
        if (!version && gp_attribute_suggest(word) != 0) {
            gp_lexer_fail_attribute(&parser->lexer, word, here(parser));
        }
        return !version && gp_lexer_failed(&parser->lexer);
    }
    bool word_first = gp_attribute(other)->type != subject->type;
    if (word_first && version) {
        return false;
    }
    if (word_first || (compare == GP_COMPARE_COMPATIBLE && !version)) {
        gp_sentence_t *why = fail_subject(parser, GP_E_QUERY_TYPE, here(parser), subject);
        if (why != NULL) {
            gp_sentence_add(why, " and ");
            gp_sentence_slice(why, word);
            gp_sentence_add(why, " is ");
            gp_sentence_add(why, gp_type_text(gp_attribute(other)->type));
            gp_sentence_add(why, ": they cannot be compared so");
        }
        return true;
    }
    term->op = GP_TERM_ATTR;
    term->compare = (uint8_t)compare;
    term->other = (uint16_t)other;
    gp_lexer_advance(&parser->lexer);
    return true;
}

void gp_parse_comparison(gp_parser_t *parser, const gp_subject_t *subject, gp_compare_t compare,
                         gp_query_term_t *term)
{
    if (parser->lexer.token.type == GP_TOKEN_END && !gp_lexer_failed(&parser->lexer)) {
        gp_lexer_fail_text(&parser->lexer, GP_E_QUERY_SYNTAX, here(parser),
                           "the query ends where a value should follow");
        return;
    }
    if (attribute_comparison(parser, subject, compare, term)) {
        return;
    }
    if (gp_type_is_number(subject->type)) {
        number_comparison(parser, subject, compare, term);
    } else {
        text_comparison(parser, subject, compare, term);
    }
}

/* One value or range; whether it was a range. */
static bool member_is_range(gp_parser_t *parser, const gp_subject_t *subject, gp_query_term_t *term)
{
    if (subject->type == GP_TYPE_VERSION) {
        version_value(parser, GP_COMPARE_EQ, term);
        return term->values > 0 &&
               parser->query->values[parser->query->value_count - 1].compare == GP_COMPARE_RANGE;
    }
    gp_quantity_t value;
    if (!gp_type_is_number(subject->type)) {
        text_value(parser, term);
    } else if (read_number(parser, subject, &value)) {
        if (parser->lexer.token.type == GP_TOKEN_DOTS) {
            read_range(parser, subject, value, term);
            return true;
        }
        add_range(parser, term, value, value);
    }
    return false;
}

static void member(gp_parser_t *parser, const gp_subject_t *subject, gp_query_term_t *term)
{
    (void)member_is_range(parser, subject, term);
}

/* "{" is the current token; calls `one` for each member up to "}". */
static void members(gp_parser_t *parser, const gp_subject_t *subject, gp_query_term_t *term,
                    void (*one)(gp_parser_t *, const gp_subject_t *, gp_query_term_t *))
{
    gp_lexer_t *lexer = &parser->lexer;
    uint32_t open = here(parser);
    do {
        gp_lexer_advance(lexer);
        if (lexer->token.type == GP_TOKEN_END) {
            gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, open, "this { is never closed");
            return;
        }
        one(parser, subject, term);
    } while (lexer->token.type == GP_TOKEN_COMMA);
    if (lexer->token.type == GP_TOKEN_CLOSE_SET) {
        gp_lexer_advance(lexer);
    } else if (lexer->token.type == GP_TOKEN_END) {
        gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, open, "this { is never closed");
    } else {
        gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, here(parser),
                           "the values of a set are separated by commas");
    }
}

void gp_parse_in(gp_parser_t *parser, const gp_subject_t *subject, gp_query_term_t *term)
{
    uint32_t at = here(parser);
    if (subject->type == GP_TYPE_WORDS || subject->type == GP_TYPE_BOOL) {
        fail_operator(parser, subject, subject->type == GP_TYPE_BOOL ? " == " : " has ");
        return;
    }
    term->op = GP_TERM_RANGES;
    if (!gp_type_is_number(subject->type)) {
        term->op = subject->type == GP_TYPE_VERSION ? GP_TERM_VERSIONS : GP_TERM_TEXTS;
    }
    if (parser->lexer.token.type == GP_TOKEN_OPEN_SET) {
        members(parser, subject, term, member);
        return;
    }
    bool value =
        parser->lexer.token.type == GP_TOKEN_WORD || parser->lexer.token.type == GP_TOKEN_STRING;
    if (!value || !member_is_range(parser, subject, term)) {
        gp_lexer_fail_text(&parser->lexer, GP_E_QUERY_SYNTAX, at,
                           "after in comes a set {a, b} or a range a..b");
    }
}

void gp_parse_count_word(gp_parser_t *parser, uint32_t at)
{
    parser->query->word_count += 1;
    if (parser->query->word_count > GP_QUERY_WORDS_MAX) {
        gp_lexer_fail_text(&parser->lexer, GP_E_QUERY_LIMIT, at,
                           "more than 64 words after has, or labels, in one query: write fewer");
    }
}

static void has_word(gp_parser_t *parser, const gp_subject_t *subject, gp_query_term_t *term)
{
    (void)subject;
    uint32_t at = here(parser);
    text_value(parser, term);
    if (gp_lexer_failed(&parser->lexer)) {
        return;
    }
    gp_parse_count_word(parser, at);
}

void gp_parse_has(gp_parser_t *parser, const gp_subject_t *subject, gp_query_term_t *term)
{
    if (subject->type != GP_TYPE_WORDS) {
        bool ordered = gp_type_is_number(subject->type) && subject->type != GP_TYPE_BOOL;
        fail_operator(parser, subject, ordered ? " >= " : " == ");
        return;
    }
    term->op = GP_TERM_HAS;
    if (parser->lexer.token.type == GP_TOKEN_OPEN_SET) {
        members(parser, subject, term, has_word);
    } else {
        has_word(parser, subject, term);
    }
}

void gp_parse_like(gp_parser_t *parser, const gp_subject_t *subject, gp_query_term_t *term)
{
    gp_query_t *q = parser->query;
    uint32_t at = here(parser);
    if (gp_type_is_number(subject->type)) {
        fail_operator(parser, subject, subject->type == GP_TYPE_BOOL ? " == " : " >= ");
        return;
    }
    term->op = GP_TERM_GLOB;
    text_value(parser, term);
    if (gp_lexer_failed(&parser->lexer)) {
        return;
    }
    gp_slice_t glob = gp_lexer_span(&parser->lexer, q->values[q->value_count - 1].text);
    q->glob_count += 1;
    if (gp_glob_symbols(glob) > GP_GLOB_MAX) {
        gp_lexer_fail_text(&parser->lexer, GP_E_QUERY_LIMIT, at,
                           "this pattern is longer than 62 characters");
    } else if (q->glob_count > GP_QUERY_GLOBS_MAX) {
        gp_lexer_fail_text(&parser->lexer, GP_E_QUERY_LIMIT, at,
                           "more than 16 times like in one query: write fewer");
    }
}
