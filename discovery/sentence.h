/*
 * Bounded text: the few sentences that a pure core has to say itself, because only it knows where
 * in a query the error is. Nothing allocates; what does not fit is cut.
 */
#ifndef GP_DISCOVERY_SENTENCE_H
#define GP_DISCOVERY_SENTENCE_H

#include "proto/types.h"

typedef struct gp_sentence {
    char *text;    /* the writer's memory */
    uint32_t size; /* bytes at text; the last one is always a terminator */
    uint32_t n;    /* bytes written, without the terminator */
} gp_sentence_t;

/* Starts an empty text in `size` (> 0) bytes at text. */
void gp_sentence_init(gp_sentence_t *sentence, char *text, uint32_t size);

/* Appends a zero-terminated literal. */
void gp_sentence_add(gp_sentence_t *sentence, const char *literal);

/* Appends bytes as they are. */
void gp_sentence_slice(gp_sentence_t *sentence, gp_slice_t slice);

/* Appends '"', at most 40 bytes of what a user typed (other than printable ASCII as '?'), '"'. */
void gp_sentence_quote(gp_sentence_t *sentence, gp_slice_t typed);

/* Appends a decimal number. */
void gp_sentence_number(gp_sentence_t *sentence, uint64_t number);

#endif
