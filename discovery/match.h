/*
 * How texts match: globs, versions, sets of words. All in time linear in the text, whatever the
 * pattern: a peer's query cannot make a machine spin.
 */
#ifndef GP_DISCOVERY_MATCH_H
#define GP_DISCOVERY_MATCH_H

#include "proto/types.h"

#define GP_GLOB_MAX 62 /* symbols of a pattern: the bits of one machine word, less two */

/*
 * A compiled glob: '*' any bytes, '?' one byte, everything else itself; ASCII letters match both
 * cases. A nondeterministic automaton in the bits of a word (Baeza-Yates, Gonnet: A new approach
 * to text searching, CACM 35(10), 1992): one shift and two masks for each byte of text.
 */
typedef struct gp_glob {
    uint64_t takes[256]; /* positions whose symbol takes this byte */
    uint64_t stars;      /* positions that also stay where they are on any byte */
    uint64_t last;       /* the accepting position */
} gp_glob_t;

/* Symbols of the pattern other than '*'; more than GP_GLOB_MAX cannot be compiled. */
uint32_t gp_glob_symbols(gp_slice_t pattern);

void gp_glob_compile(gp_glob_t *glob, gp_slice_t pattern);
bool gp_glob_match(const gp_glob_t *glob, gp_slice_t text);

/* Whether any word of a set (words separated by spaces) matches. */
bool gp_glob_match_any(const gp_glob_t *glob, gp_slice_t words);

/*
 * Orders two versions: < 0, 0, > 0. Runs of digits compare as numbers, runs of letters as text;
 * other bytes only separate. A missing part counts as 0, so 12 equals 12.0. alpha, beta, dev, pre
 * and rc (and a, b after a digit) come before the end, any other letters after it, numbers after
 * those: 1.0-rc1 < 1.0 = 1.0.0 < 1.0-deb < 1.0.1. A total order.
 */
int gp_version_compare(gp_slice_t a, gp_slice_t b);

/*
 * "Compatible release" (PEP 440): version >= base, and equal to it in all parts but base's last
 * one (a base of one part: in that part). ~= 6.1 takes 6.1 and 6.18, not 7.0.
 */
bool gp_version_compatible(gp_slice_t version, gp_slice_t base);

/*
 * A version as a number of 16 bits that keeps the order: a <= b gives code(a) <= code(b). Its high
 * byte stands for the first part, its low byte for the second where the first one is exact:
 * 6.1 and 6.1.4 have the same code.
 */
uint32_t gp_version_code(gp_slice_t version);

/* Whether a set of words separated by spaces holds this word. */
bool gp_words_have(gp_slice_t words, gp_slice_t word);

/* The value of "KEY=VALUE" in a set of labels; false: no such key. */
bool gp_words_label(gp_slice_t words, gp_slice_t key, gp_slice_t *ret_value);

/* Walks a set of words; start with *at = 0. */
bool gp_words_next(gp_slice_t words, uint32_t *at, gp_slice_t *ret_word);

/* Bytes as memcmp orders them, a prefix first. */
int gp_text_compare(gp_slice_t a, gp_slice_t b);

#endif
