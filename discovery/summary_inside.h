/*
 * What the files of summaries share, and nobody else:
 *
 *   summary.c        records to summary, join, hysteresis
 *   summary_class.c  classes and hashes: dominance, upper bounds, less detail
 *   summary_wire.c   bytes
 *   summary_match.c  queries over a summary
 */
#ifndef GP_DISCOVERY_SUMMARY_INSIDE_H
#define GP_DISCOVERY_SUMMARY_INSIDE_H

#include "discovery/summary.h"

#define GP_SUMMARY_WORD_LANES (GP_SUMMARY_WORDS / 64)
#define GP_SUMMARY_HASH_LANES (GP_SUMMARY_HASHES_MAX / 64)

static inline bool gp_summary_bit(const uint64_t *bits, uint32_t at)
{
    return (bits[at / 64] >> at % 64 & 1) != 0;
}

static inline void gp_summary_bit_set(uint64_t *bits, uint32_t at)
{
    bits[at / 64] |= UINT64_C(1) << at % 64;
}

/* Whether the larger value of the number is better: then `most` of a class is an upper bound. */
static inline bool gp_summary_more(uint32_t index)
{
    return gp_attribute(gp_summary_numbers[index].attr)->more;
}

/* A joint number's code as the `most` of a class, and back: 1 .. 255, better is larger. */
static inline uint8_t gp_summary_most(uint32_t index, uint32_t code)
{
    return (uint8_t)(gp_summary_more(index) ? code + 1 : UINT8_MAX - code);
}

static inline uint32_t gp_summary_most_code(uint32_t index, uint8_t most)
{
    assert(most > 0);
    return gp_summary_more(index) ? most - 1u : (uint32_t)UINT8_MAX - most;
}

#define GP_SUMMARY_NO_CODE UINT32_MAX

/* The best code of a joint number over all classes; GP_SUMMARY_NO_CODE: none knows it. */
uint32_t gp_summary_best(const gp_summary_t *summary, uint32_t index);

/* Whether b offers all that a offers. */
bool gp_summary_class_within(const gp_summary_class_t *a, const gp_summary_class_t *b);

/* The order of classes in a summary: < 0, 0, > 0. */
int gp_summary_class_compare(const gp_summary_class_t *a, const gp_summary_class_t *b);

/*
 * How much the upper bound of two classes promises beyond what they offer; exact below the limit,
 * else anything from the limit on.
 */
uint32_t gp_summary_class_apart(const gp_summary_class_t *a, const gp_summary_class_t *b,
                                uint32_t limit);

/* Makes a class the upper bound of itself and another one. */
void gp_summary_class_raise(gp_summary_class_t *class, const gp_summary_class_t *to);

/*
 * Adds a class, unless another one dominates it, and drops those that it dominates. If there is no
 * room, the two nearest become one.
 */
void gp_summary_add(gp_summary_t *summary, const gp_summary_class_t *class);

/* Puts the classes into their order. */
void gp_summary_sort(gp_summary_t *summary);

/* The two nearest classes (two at least) become their upper bound. */
void gp_summary_merge(gp_summary_t *summary);

/* A hash of all its bits as the summary keeps it. */
static inline uint32_t gp_summary_hash_kept(const gp_summary_t *summary, uint32_t hash)
{
    return hash >> summary->hash_dropped;
}

/* The index of a hash of all its bits; hash_count: it is not there. */
uint32_t gp_summary_hash_find(const gp_summary_t *summary, uint32_t hash);

/* Adds a hash of all its bits; drops bits while there is no room. For summaries without classes. */
void gp_summary_hash_add(gp_summary_t *summary, uint32_t hash);

/* Hashes lose a bit: those that become equal become one. */
void gp_summary_hash_drop(gp_summary_t *summary);

/* Takes up the hashes of another summary, both with as many bits; false: there is no room. */
bool gp_summary_hash_unite(gp_summary_t *into, gp_summary_t *from);

/* Bits of the packed summary, and of its hashes alone. */
uint32_t gp_summary_bits(const gp_summary_t *summary);
uint32_t gp_summary_hash_bits(const gp_summary_t *summary);

/* Gives detail up until the packed summary has room, and puts the classes into their order. */
void gp_summary_fit(gp_summary_t *summary);

/* Whether the comments of gp_summary_t hold. */
bool gp_summary_sound(const gp_summary_t *summary);

#endif
