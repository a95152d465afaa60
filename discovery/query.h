/*
 * The query language: which machines, and in which order.
 *
 *   query = [or]                                       an empty query matches every machine
 *   or    = and {("or" | "||") and}
 *   and   = not {("and" | "&&" | ",") not}
 *   not   = {"not" | "!"} (condition | "(" or ")")
 *   condition =
 *       attr                                           known, and not false or zero
 *       attr ("=" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "~=") (value | range | attr)
 *       attr ["not"] "in" ("{" member {"," member} "}" | range)          member = value | range
 *       attr ["not"] "has" (word | "{" word {"," word} "}")              all of these words
 *       attr ["not"] "like" glob                                         * and ?, either case
 *       attr "is" ["not"] "set"
 *       "has" (word | "{" ... "}")                     short for: has has ...
 *   range = value ".." value                           both ends belong to it
 *   rank  = attr ["asc" | "desc"] {"," attr ["asc" | "desc"]}            best first
 *
 * Three-valued (Kleene): a condition on an attribute that the machine does not know is unknown, so
 * is its negation, and only what is true matches. "is set" alone is never unknown. A query is
 * compiled once and then evaluated for up to 64 machines at a time. Depth, terms and values are
 * bounded; there is nothing to allocate and nothing to backtrack.
 */
#ifndef GP_DISCOVERY_QUERY_H
#define GP_DISCOVERY_QUERY_H

#include "discovery/record.h"
#include "proto/errors.h"

#define GP_QUERY_CODE_MAX 1024
#define GP_RANK_KEYS_MAX  8

/* What is wrong with a query, and where. */
typedef struct gp_query_error {
    gp_error_t error;
    uint32_t column; /* the first byte of what is wrong, counted from 1; 0: nowhere in particular */
    uint32_t text_n;
    char text[GP_REASON_TEXT_MAX]; /* terminated */
} gp_query_error_t;

typedef enum gp_term_op {
    GP_TERM_TRUTH = 1, /* known and not zero */
    GP_TERM_SET,       /* known */
    GP_TERM_RANGES,    /* number in one of the values' ranges */
    GP_TERM_TEXTS,     /* text equal to one of the values */
    GP_TERM_VERSIONS,  /* version that satisfies one of the values */
    GP_TERM_GLOB,      /* text, or a word of the set, matches the value */
    GP_TERM_HAS,       /* set that holds all values */
    GP_TERM_ATTR       /* compared with another attribute */
} gp_term_op_t;

typedef enum gp_compare {
    GP_COMPARE_EQ = 1,
    GP_COMPARE_NE,
    GP_COMPARE_LT,
    GP_COMPARE_LE,
    GP_COMPARE_GT,
    GP_COMPARE_GE,
    GP_COMPARE_COMPATIBLE,
    GP_COMPARE_RANGE
} gp_compare_t;

/* A place in the query's text. */
typedef struct gp_span {
    uint16_t at;
    uint16_t n;
} gp_span_t;

typedef struct gp_query_value {
    uint64_t low; /* RANGES: low .. high, both included */
    uint64_t high;
    gp_span_t text;  /* texts, versions, globs, words */
    gp_span_t text2; /* a range of versions: its end */
    uint8_t compare; /* versions: gp_compare_t */
} gp_query_value_t;

typedef struct gp_query_term {
    uint8_t op;      /* gp_term_op_t */
    uint8_t compare; /* ATTR: gp_compare_t */
    bool negated;
    uint16_t attr;
    uint16_t other; /* ATTR */
    uint16_t value; /* first of `values` values */
    uint16_t values;
    gp_span_t key; /* of tag.KEY; n 0: the attribute itself */
} gp_query_term_t;

/* A top-level condition: all of them must hold. */
typedef struct gp_query_part {
    uint16_t code;
    uint16_t codes;
    gp_span_t text;
} gp_query_part_t;

/* A compiled query: one block, no pointers, movable by memcpy. */
typedef struct gp_query {
    uint16_t text_n;
    uint16_t term_count;
    uint16_t value_count;
    uint16_t code_count;
    uint16_t part_count;
    uint16_t glob_count;
    uint16_t word_count;
    uint16_t code[GP_QUERY_CODE_MAX]; /* postfix: a term's index, or GP_CODE_AND, OR, NOT */
    gp_query_part_t parts[GP_QUERY_TERMS_MAX];
    gp_query_term_t terms[GP_QUERY_TERMS_MAX];
    gp_query_value_t values[GP_QUERY_VALUES_MAX];
    char text[GP_QUERY_MAX];
} gp_query_t;

#define GP_CODE_AND 0xfffd
#define GP_CODE_OR  0xfffe
#define GP_CODE_NOT 0xffff

typedef struct gp_rank_key {
    uint16_t attr;
    bool more; /* the larger value is better */
} gp_rank_key_t;

typedef struct gp_rank {
    uint32_t key_count;
    gp_rank_key_t keys[GP_RANK_KEYS_MAX];
} gp_rank_t;

/* For which lanes a condition holds and for which it does not; in neither: unknown. */
typedef struct gp_verdict {
    uint64_t yes;
    uint64_t no;
} gp_verdict_t;

/*
 * Compiles text into *ret_query. Errors: GP_E_QUERY_SYNTAX, _ATTRIBUTE, _UNIT, _TYPE, _LIMIT, and
 * *ret_error says where, what, and what to write instead; *ret_query is then undefined. A text
 * that compiles is printable ASCII, or UTF-8 inside quotes, on one or more lines.
 */
GP_MUST_CHECK gp_error_t gp_query_compile(gp_slice_t text, gp_query_t *ret_query,
                                          gp_query_error_t *ret_error);

/* Compiles a rank; an empty text is the default: "mem.free desc, cpu.free desc". */
GP_MUST_CHECK gp_error_t gp_rank_compile(gp_slice_t text, gp_rank_t *ret_rank,
                                         gp_query_error_t *ret_error);

/*
 * One top-level condition (part < part_count) over the lanes in `asked`; others are in neither half
 * of the verdict, and cost nothing where the condition is about a text.
 */
gp_verdict_t gp_query_part_eval(const gp_query_t *query, uint32_t part, const gp_records_t *records,
                                uint64_t asked);

/* Which of the lanes in `asked` match. Stops early when none can. */
uint64_t gp_query_eval(const gp_query_t *query, const gp_records_t *records, uint64_t asked);

/* The text of a top-level condition as the user wrote it, in the query's memory. */
gp_slice_t gp_query_part_text(const gp_query_t *query, uint32_t part);

/*
 * The attributes that the query mentions, in the order of their first mention, each once; at most
 * `max` numbers into ret_attrs. Returns how many.
 */
uint32_t gp_query_attrs(const gp_query_t *query, uint16_t *ret_attrs, uint32_t max);

/* < 0: lane a of `of_a` ranks before lane b of `of_b`. Who does not know an attribute comes last.
 */
int gp_rank_compare(const gp_rank_t *rank, const gp_records_t *of_a, uint32_t a,
                    const gp_records_t *of_b, uint32_t b);

#endif
