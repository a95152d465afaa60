/*
 * The parser's state, shared by the file of the grammar (parser.c) and the file of the operands
 * (operand.c); private to them.
 */
#ifndef GP_DISCOVERY_PARSER_H
#define GP_DISCOVERY_PARSER_H

#include "discovery/lexer.h"

typedef struct gp_parser {
    gp_lexer_t lexer;
    gp_query_t *query;
    uint32_t depth;
} gp_parser_t;

/* What a condition is about: an attribute, or one label of tag. */
typedef struct gp_subject {
    uint16_t attr;
    gp_span_t key;
    gp_type_t type;  /* a label is a word */
    gp_slice_t name; /* as the user wrote it */
    uint32_t at;
} gp_subject_t;

/* Each reads what follows its operator (which is already read), and completes *term. */
void gp_parse_comparison(gp_parser_t *parser, const gp_subject_t *subject, gp_compare_t compare,
                         gp_query_term_t *term);
void gp_parse_in(gp_parser_t *parser, const gp_subject_t *subject, gp_query_term_t *term);
void gp_parse_has(gp_parser_t *parser, const gp_subject_t *subject, gp_query_term_t *term);
void gp_parse_like(gp_parser_t *parser, const gp_subject_t *subject, gp_query_term_t *term);

/* Counts something that costs a walk through a set of words; the query may have some of them. */
void gp_parse_count_word(gp_parser_t *parser, uint32_t at);

#endif
