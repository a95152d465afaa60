/*
 * A query's text as tokens; private to the parsers of queries and ranks.
 */
#ifndef GP_DISCOVERY_LEXER_H
#define GP_DISCOVERY_LEXER_H

#include "discovery/query.h"
#include "discovery/sentence.h"

typedef enum gp_token_type {
    GP_TOKEN_END = 0,
    GP_TOKEN_WORD,   /* name, number with unit, version, bare word, glob */
    GP_TOKEN_STRING, /* 'quoted' or "quoted"; its text is what stands between the quotes */
    GP_TOKEN_COMPARE,
    GP_TOKEN_AND, /* and && */
    GP_TOKEN_OR,  /* or || */
    GP_TOKEN_NOT, /* not ! */
    GP_TOKEN_IN,
    GP_TOKEN_HAS,
    GP_TOKEN_LIKE,
    GP_TOKEN_IS,
    GP_TOKEN_COMMA,
    GP_TOKEN_DOTS, /* .. */
    GP_TOKEN_OPEN,
    GP_TOKEN_CLOSE,
    GP_TOKEN_OPEN_SET,
    GP_TOKEN_CLOSE_SET
} gp_token_type_t;

typedef struct gp_token {
    gp_token_type_t type;
    gp_compare_t compare; /* COMPARE */
    gp_span_t text;       /* STRING: without its quotes */
    uint16_t at;          /* first byte, with the quote */
    uint16_t end;         /* one behind the last byte, with the quote */
} gp_token_t;

typedef struct gp_lexer {
    gp_slice_t text;
    uint32_t next;     /* where the token after `token` starts */
    gp_token_t token;  /* the one to look at */
    uint32_t last_end; /* where the token before it ended */
    gp_sentence_t why; /* writes error->text */
    gp_query_error_t *error;
} gp_lexer_t;

/* Starts at the first token; check lexer->error->error. `error` is emptied. */
void gp_lexer_init(gp_lexer_t *lexer, gp_slice_t text, gp_query_error_t *error);

/* Goes to the next token. After an error every token is END. */
void gp_lexer_advance(gp_lexer_t *lexer);

/*
 * Records the first error at byte `at` and returns the sentence that explains it, or NULL if there
 * already was an error.
 */
gp_sentence_t *gp_lexer_fail(gp_lexer_t *lexer, gp_error_t error, uint32_t at);

/* gp_lexer_fail with a whole sentence. */
void gp_lexer_fail_text(gp_lexer_t *lexer, gp_error_t error, uint32_t at, const char *text);

bool gp_lexer_failed(const gp_lexer_t *lexer);

/* The bytes of a span; of the current token for gp_lexer_word. */
gp_slice_t gp_lexer_span(const gp_lexer_t *lexer, gp_span_t span);
gp_slice_t gp_lexer_word(const gp_lexer_t *lexer);

/* Whether a slice is this lower-case word, in either case. */
bool gp_lexer_is(gp_slice_t slice, const char *word);

/* Fails with "no attribute X: did you mean Y?". */
void gp_lexer_fail_attribute(gp_lexer_t *lexer, gp_slice_t name, uint32_t at);

/* Puts the sentence's length into the error; call once at the end. */
void gp_lexer_finish(gp_lexer_t *lexer);

#endif
