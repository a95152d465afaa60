/*
 * Summaries: what the machines of a sub-Grid, or of many, can offer, in at most GP_SUMMARY_MAX
 * bytes. Upward in the overlay go only summaries, and a query goes where the summary says "maybe".
 *
 * A summary never loses a match: whatever gp_query_eval finds in the records, gp_summary_may_match
 * says true. It may say true where nothing matches; how often is measured (README.md).
 *
 * It holds
 *   - for each attribute whether all, some or none of the machines know it;
 *   - the least and the greatest value of each number and version, rounded (summary_table.h);
 *   - the Pareto-maximal host classes (Boerzsoenyi, Kossmann, Stocker: The skyline operator, ICDE
 *     2001; dominance over rounded values and sets of words): each is an upper bound, in all joint
 *     dimensions at once, of what one machine offers, and a machine that offers no more than
 * another one is not kept. A word is a bit if the table has it, else a hash of a few bits. If that
 * does not fit, the two nearest classes become their upper bound, or hashes lose a bit, again and
 * again: what a summary says may only grow.
 */
#ifndef GP_DISCOVERY_SUMMARY_H
#define GP_DISCOVERY_SUMMARY_H

#include "discovery/query.h"
#include "discovery/summary_table.h"

#define GP_SUMMARY_CLASSES_MAX 64
#define GP_SUMMARY_HASHES_MAX  128
#define GP_SUMMARY_HASH_BITS   14

/* What one machine offers at most. */
typedef struct gp_summary_class {
    uint64_t words[GP_SUMMARY_WORDS / 64];       /* bits of summary_table.h */
    uint64_t hashed[GP_SUMMARY_HASHES_MAX / 64]; /* bit i: what has the hash hashes[i] */
    uint8_t most[GP_SUMMARY_DIMS];               /* 0: unknown; the larger the better */
} gp_summary_class_t;

typedef enum gp_summary_known {
    GP_SUMMARY_NONE = 0, /* no machine knows the attribute */
    GP_SUMMARY_ALL,
    GP_SUMMARY_SOME
} gp_summary_known_t;

/* One block without pointers, movable by memcpy. All zero: the summary of no machines. */
typedef struct gp_summary {
    uint32_t machines;                      /* how many; stays at the largest number once there */
    uint32_t recorded;                      /* of them: told something about themselves */
    uint8_t known[GP_SUMMARY_ATTRS];        /* gp_summary_known_t */
    uint16_t low[GP_SUMMARY_NUMBERS_COUNT]; /* codes of summary_table.h; not known: 0 */
    uint16_t high[GP_SUMMARY_NUMBERS_COUNT];
    uint16_t hashes[GP_SUMMARY_HASHES_MAX]; /* ascending, of GP_SUMMARY_HASH_BITS - dropped bits */
    uint8_t hash_count;
    uint8_t hash_dropped;
    uint8_t class_count;
    gp_summary_class_t classes[GP_SUMMARY_CLASSES_MAX]; /* ascending; none dominates another */
} gp_summary_t;

/*
 * Makes the summary of these lanes: of every machine of the sub-Grid, with or without a record. The
 * order of the machines does not matter.
 */
void gp_summary_make(const gp_records_t *records, uint64_t lanes, gp_summary_t *ret_summary);

/*
 * The same with hysteresis: leaves *summary, of the same sub-Grid a while ago, as it is, if it
 * still covers all that the lanes offer, and promises nothing that is further away than one
 * rounding step of a moving number. Returns whether it changed.
 */
bool gp_summary_renew(gp_summary_t *summary, const gp_records_t *records, uint64_t lanes);

/* Takes up what another summary covers: a region's summary is its sub-Grids' joined. */
void gp_summary_join(gp_summary_t *into, const gp_summary_t *from);

/* Whether some machine may match: false means that none does. */
bool gp_summary_may_match(const gp_summary_t *summary, const gp_query_t *query);

/* Writes the one form of these bytes; returns how many: at most GP_SUMMARY_MAX. */
size_t gp_summary_pack(const gp_summary_t *summary, uint8_t ret_bytes[GP_SUMMARY_MAX]);

/*
 * Reads what anybody may have sent; nothing but what gp_summary_pack writes is accepted.
 * GP_E_MESSAGE_VERSION: of another version, so ask those machines always. GP_E_MESSAGE_LIMIT: more
 * than GP_SUMMARY_MAX bytes. GP_E_MESSAGE_DECODE: anything else. *ret_summary is then undefined.
 */
GP_MUST_CHECK gp_error_t gp_summary_read(gp_slice_t bytes, gp_summary_t *ret_summary);

/* Asserts what the comments of gp_summary_t promise. */
void gp_summary_check(const gp_summary_t *summary);

#endif
