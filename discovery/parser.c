#include "discovery/parser.h"

#include "discovery/match.h"

static void parse_or(gp_parser_t *parser);

/* A condition, and each "and", "or" and "not", has a byte of its own in the text. */
_Static_assert(GP_QUERY_CODE_MAX >= GP_QUERY_MAX, "the longest query's codes fit");

static void emit(gp_parser_t *parser, uint16_t code)
{
    gp_query_t *q = parser->query;
    assert(q->code_count < GP_QUERY_CODE_MAX);
    q->code[q->code_count] = code;
    q->code_count += 1;
}

static void emit_term(gp_parser_t *parser, const gp_query_term_t *term, uint32_t at)
{
    gp_query_t *q = parser->query;
    if (gp_lexer_failed(&parser->lexer)) {
        return;
    }
    if (q->term_count >= GP_QUERY_TERMS_MAX) {
        gp_lexer_fail_text(&parser->lexer, GP_E_QUERY_LIMIT, at,
                           "more than 256 conditions: write fewer");
        return;
    }
    assert(term->op != 0 && (uint32_t)term->value + term->values == q->value_count);
    q->terms[q->term_count] = *term;
    emit(parser, q->term_count);
    q->term_count += 1;
}

/* What stands where a condition should start is none. */
static void fail_start(gp_parser_t *parser)
{
    gp_lexer_t *lexer = &parser->lexer;
    gp_slice_t word =
        gp_slice(lexer->text.p + lexer->token.at, (size_t)(lexer->token.end - lexer->token.at));
    gp_sentence_t *why = gp_lexer_fail(lexer, GP_E_QUERY_SYNTAX, lexer->token.at);
    if (why == NULL) {
        return;
    }
    gp_sentence_add(why, "a condition such as cpu >= 4 is missing ");
    if (word.n == 0) {
        gp_sentence_add(why, "at the end");
    } else {
        gp_sentence_add(why, "before ");
        gp_sentence_quote(why, word);
    }
}

/* Reads the attribute's name. */
static bool read_subject(gp_parser_t *parser, gp_subject_t *ret)
{
    gp_lexer_t *lexer = &parser->lexer;
    gp_slice_t name = gp_lexer_word(lexer);
    uint32_t at = lexer->token.at;
    if (lexer->token.type != GP_TOKEN_WORD && lexer->token.type != GP_TOKEN_HAS) {
        fail_start(parser);
        return false;
    }
    if (name.p[0] >= '0' && name.p[0] <= '9') {
        gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, at,
                           "a condition starts with the attribute: write cpu >= 4, not 4 <= cpu");
        return false;
    }
    uint32_t attr = gp_attribute_find(name);
    if (attr == 0) {
        gp_lexer_fail_attribute(lexer, name, at);
        return false;
    }
    *ret = (gp_subject_t){
        .attr = (uint16_t)attr, .type = gp_attribute(attr)->type, .name = name, .at = at};
    if (attr == GP_ATTR_TAG && name.n > 4) {
        ret->key = (gp_span_t){.at = (uint16_t)(at + 4), .n = (uint16_t)(name.n - 4)};
        ret->type = GP_TYPE_WORD;
        gp_parse_count_word(parser, at);
    }
    gp_lexer_advance(lexer);
    return !gp_lexer_failed(lexer);
}

static void parse_is(gp_parser_t *parser, gp_query_term_t *term)
{
    gp_lexer_t *lexer = &parser->lexer;
    term->op = GP_TERM_SET;
    if (lexer->token.type == GP_TOKEN_NOT) {
        term->negated = true;
        gp_lexer_advance(lexer);
    }
    if (lexer->token.type == GP_TOKEN_WORD && gp_lexer_is(gp_lexer_word(lexer), "set")) {
        gp_lexer_advance(lexer);
        return;
    }
    gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, lexer->token.at,
                       "after \"is\" comes \"set\" or \"not set\"");
}

/* in, has, like, with an optional "not" before. */
static void parse_word_operator(gp_parser_t *parser, const gp_subject_t *subject,
                                gp_query_term_t *term)
{
    gp_lexer_t *lexer = &parser->lexer;
    if (lexer->token.type == GP_TOKEN_NOT) {
        term->negated = true;
        gp_lexer_advance(lexer);
    }
    gp_token_type_t operator= lexer->token.type;
    uint32_t at = lexer->token.at;
    gp_lexer_advance(lexer);
    if (operator== GP_TOKEN_IN) {
        gp_parse_in(parser, subject, term);
    } else if (operator== GP_TOKEN_HAS) {
        gp_parse_has(parser, subject, term);
    } else if (operator== GP_TOKEN_LIKE) {
        gp_parse_like(parser, subject, term);
    } else {
        gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, at,
                           "after an attribute, \"not\" goes with in, has or like");
    }
}

static void parse_condition(gp_parser_t *parser)
{
    gp_lexer_t *lexer = &parser->lexer;
    bool starts_with_has = lexer->token.type == GP_TOKEN_HAS;
    gp_subject_t subject;
    if (!read_subject(parser, &subject)) {
        return;
    }
    gp_query_term_t term = {
        .attr = subject.attr, .key = subject.key, .value = parser->query->value_count};
    gp_token_type_t next = lexer->token.type;
    if (starts_with_has &&
        (next == GP_TOKEN_WORD || next == GP_TOKEN_STRING || next == GP_TOKEN_OPEN_SET)) {
        gp_parse_has(parser, &subject, &term);
    } else if (next == GP_TOKEN_COMPARE) {
        gp_compare_t compare = lexer->token.compare;
        gp_lexer_advance(lexer);
        gp_parse_comparison(parser, &subject, compare, &term);
    } else if (next == GP_TOKEN_IS) {
        gp_lexer_advance(lexer);
        parse_is(parser, &term);
    } else if (next == GP_TOKEN_NOT || next == GP_TOKEN_IN || next == GP_TOKEN_HAS ||
               next == GP_TOKEN_LIKE) {
        parse_word_operator(parser, &subject, &term);
    } else {
        term.op = GP_TERM_TRUTH;
    }
    emit_term(parser, &term, subject.at);
}

static void parse_group(gp_parser_t *parser)
{
    gp_lexer_t *lexer = &parser->lexer;
    uint32_t open = lexer->token.at;
    if (parser->depth >= GP_QUERY_DEPTH_MAX) {
        gp_lexer_fail_text(lexer, GP_E_QUERY_LIMIT, open,
                           "more than 32 parentheses inside each other");
        return;
    }
    parser->depth += 1;
    gp_lexer_advance(lexer);
    parse_or(parser);
    parser->depth -= 1;
    if (lexer->token.type == GP_TOKEN_CLOSE) {
        gp_lexer_advance(lexer);
    } else if (lexer->token.type == GP_TOKEN_END) {
        gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, open, "this ( is never closed");
    } else {
        gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, lexer->token.at,
                           "expected \"and\", \"or\" or \")\" here");
    }
}

static void parse_not(gp_parser_t *parser)
{
    bool negated = false;
    while (parser->lexer.token.type == GP_TOKEN_NOT) {
        negated = !negated;
        gp_lexer_advance(&parser->lexer);
    }
    if (parser->lexer.token.type == GP_TOKEN_OPEN) {
        parse_group(parser);
    } else {
        parse_condition(parser);
    }
    if (negated) {
        emit(parser, GP_CODE_NOT);
    }
}

static bool at_and(const gp_parser_t *parser)
{
    return parser->lexer.token.type == GP_TOKEN_AND || parser->lexer.token.type == GP_TOKEN_COMMA;
}

static void parse_and(gp_parser_t *parser)
{
    parse_not(parser);
    while (at_and(parser)) {
        gp_lexer_advance(&parser->lexer);
        parse_not(parser);
        emit(parser, GP_CODE_AND);
    }
}

/* The rest of a chain of "or" whose first operand was read. */
static void parse_or_rest(gp_parser_t *parser)
{
    while (parser->lexer.token.type == GP_TOKEN_OR) {
        gp_lexer_advance(&parser->lexer);
        parse_and(parser);
        emit(parser, GP_CODE_OR);
    }
}

static void parse_or(gp_parser_t *parser)
{
    parse_and(parser);
    parse_or_rest(parser);
}

/* One operand of the outermost "and": a part, which --explain counts on its own. */
static void parse_part(gp_parser_t *parser)
{
    gp_query_t *q = parser->query;
    uint16_t code = q->code_count;
    uint16_t at = parser->lexer.token.at;
    parse_not(parser);
    if (!gp_lexer_failed(&parser->lexer)) {
        assert(q->part_count < GP_QUERY_TERMS_MAX); /* each has a term of its own */
        q->parts[q->part_count] =
            (gp_query_part_t){.code = code,
                              .codes = (uint16_t)(q->code_count - code),
                              .text = {.at = at, .n = (uint16_t)(parser->lexer.last_end - at)}};
        q->part_count += 1;
    }
}

static void parse_query(gp_parser_t *parser)
{
    gp_lexer_t *lexer = &parser->lexer;
    gp_query_t *q = parser->query;
    uint16_t start = lexer->token.at;
    parse_part(parser);
    while (at_and(parser)) {
        gp_lexer_advance(lexer);
        parse_part(parser);
        emit(parser, GP_CODE_AND);
    }
    if (lexer->token.type == GP_TOKEN_OR) {
        parse_or_rest(parser);
        q->part_count = 1;
        q->parts[0] =
            (gp_query_part_t){.codes = q->code_count,
                              .text = {.at = start, .n = (uint16_t)(lexer->last_end - start)}};
    }
    if (lexer->token.type == GP_TOKEN_CLOSE) {
        gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, lexer->token.at, "this ) closes nothing");
    } else if (lexer->token.type != GP_TOKEN_END) {
        gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, lexer->token.at,
                           "expected \"and\", \"or\" or the end of the query here");
    }
}

gp_error_t gp_query_compile(gp_slice_t text, gp_query_t *ret_query, gp_query_error_t *ret_error)
{
    assert(ret_query != NULL && ret_error != NULL);
    gp_parser_t parser = {.query = ret_query};
    gp_lexer_init(&parser.lexer, text, ret_error);
    ret_query->text_n = 0;
    ret_query->term_count = 0;
    ret_query->value_count = 0;
    ret_query->code_count = 0;
    ret_query->part_count = 0;
    ret_query->glob_count = 0;
    ret_query->word_count = 0;
    if (!gp_lexer_failed(&parser.lexer) && parser.lexer.token.type != GP_TOKEN_END) {
        parse_query(&parser);
    }
    if (!gp_lexer_failed(&parser.lexer) && text.n > 0) {
        memcpy(ret_query->text, text.p, text.n);
        ret_query->text_n = (uint16_t)text.n;
    }
    gp_lexer_finish(&parser.lexer);
    return ret_error->error;
}

/* ---- rank ------------------------------------------------------------------------------------ */

static void parse_key(gp_lexer_t *lexer, gp_rank_t *rank)
{
    gp_slice_t name = gp_lexer_word(lexer);
    uint32_t at = lexer->token.at;
    uint32_t attr = gp_attribute_find(name);
    if (lexer->token.type != GP_TOKEN_WORD && lexer->token.type != GP_TOKEN_HAS) {
        gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, at,
                           "an attribute is missing here, write for example mem.free desc, load.1");
        return;
    }
    if (attr == 0) {
        gp_lexer_fail_attribute(lexer, name, at);
        return;
    }
    if (gp_attribute(attr)->type == GP_TYPE_WORDS) {
        gp_lexer_fail_text(lexer, GP_E_QUERY_TYPE, at,
                           "a set of words has no order to rank by: choose another attribute");
        return;
    }
    if (rank->key_count >= GP_RANK_KEYS_MAX) {
        gp_lexer_fail_text(lexer, GP_E_QUERY_LIMIT, at, "more than 8 attributes to rank by");
        return;
    }
    gp_rank_key_t *key = &rank->keys[rank->key_count];
    *key = (gp_rank_key_t){.attr = (uint16_t)attr, .more = gp_attribute(attr)->more};
    rank->key_count += 1;
    gp_lexer_advance(lexer);
    if (lexer->token.type == GP_TOKEN_WORD) {
        gp_slice_t order = gp_lexer_word(lexer);
        if (!gp_lexer_is(order, "asc") && !gp_lexer_is(order, "desc")) {
            gp_lexer_fail_text(lexer, GP_E_QUERY_SYNTAX, lexer->token.at,
                               "expected asc, desc or a comma here");
            return;
        }
        key->more = gp_lexer_is(order, "desc");
        gp_lexer_advance(lexer);
    }
}

gp_error_t gp_rank_compile(gp_slice_t text, gp_rank_t *ret_rank, gp_query_error_t *ret_error)
{
    gp_lexer_t lexer;
    gp_lexer_init(&lexer, text, ret_error);
    *ret_rank = (gp_rank_t){.key_count = 0};
    if (!gp_lexer_failed(&lexer) && lexer.token.type == GP_TOKEN_END) {
        *ret_rank = (gp_rank_t){.key_count = 2,
                                .keys = {{.attr = GP_ATTR_MEM_FREE, .more = true},
                                         {.attr = GP_ATTR_CPU_FREE, .more = true}}};
        gp_lexer_finish(&lexer);
        return ret_error->error;
    }
    while (!gp_lexer_failed(&lexer)) {
        parse_key(&lexer, ret_rank);
        if (lexer.token.type != GP_TOKEN_COMMA) {
            break;
        }
        gp_lexer_advance(&lexer);
    }
    if (lexer.token.type != GP_TOKEN_END) {
        gp_lexer_fail_text(&lexer, GP_E_QUERY_SYNTAX, lexer.token.at,
                           "expected a comma or the end of the rank here");
    }
    gp_lexer_finish(&lexer);
    return ret_error->error;
}
