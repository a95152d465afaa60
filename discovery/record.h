/*
 * Records in memory: what up to 64 machines say about themselves, column by column.
 *
 * One machine is one lane. Numbers of one attribute lie side by side, and one bit a lane says
 * whether the attribute is known, so that a condition over a whole sub-Grid is one pass over one
 * column and its outcome one word. Texts lie in a bounded pool of their lane.
 */
#ifndef GP_DISCOVERY_RECORD_H
#define GP_DISCOVERY_RECORD_H

#include "discovery/attributes.h"
#include "proto/message.h"

#define GP_LANES_MAX 64

typedef struct gp_records {
    uint32_t width;                /* lanes, 1 .. GP_LANES_MAX */
    uint32_t pool_bytes;           /* text of one lane */
    uint64_t overfull;             /* lanes whose texts did not all fit: the longest were dropped */
    uint64_t known[GP_ATTR_COUNT]; /* lanes that know the attribute */
    uint64_t *numbers;             /* [attribute * width + lane]; of text: its place in the pool */
    uint16_t *pool_used;           /* [lane] */
    uint8_t *pools;                /* [lane * pool_bytes] */
} gp_records_t;

/* Bytes for `width` lanes (1 .. 64) with pool_bytes (<= 65535) of text each. */
size_t gp_records_size(uint32_t width, uint32_t pool_bytes);

/* Lays empty records out in memory (aligned for any type; gp_records_size bytes; not cleared). */
gp_records_t *gp_records_init(void *memory, uint32_t width, uint32_t pool_bytes);

void gp_records_clear(gp_records_t *records, uint32_t lane);
void gp_records_unset(gp_records_t *records, uint32_t lane, gp_attr_t attr);
void gp_records_set_number(gp_records_t *records, uint32_t lane, gp_attr_t attr, uint64_t number);

/*
 * Sets a text (cut: a set of words that is not complete). If the pool has no room the longest
 * text, of those there and this one, becomes unknown, again and again, and the lane overfull.
 * A text that is not UTF-8 or too long (a set: GP_ATTR_TEXT_MAX, else GP_ATTR_WORD_MAX) makes the
 * attribute unknown, too.
 */
void gp_records_set_text(gp_records_t *records, uint32_t lane, gp_attr_t attr, gp_slice_t text,
                         bool cut);

static inline bool gp_records_knows(const gp_records_t *records, uint32_t lane, gp_attr_t attr)
{
    assert(lane < records->width && attr < GP_ATTR_COUNT);
    return (records->known[attr] >> lane & 1) != 0;
}

/* The number of a known attribute. */
uint64_t gp_records_number(const gp_records_t *records, uint32_t lane, gp_attr_t attr);

/* The text of a known attribute, in the records' memory; ret_cut may be NULL. */
gp_slice_t gp_records_text(const gp_records_t *records, uint32_t lane, gp_attr_t attr,
                           bool *ret_cut);

/*
 * Takes attributes from a message. whole: all others become unknown. Skipped are numbers that this
 * version does not know and GIVEN attributes: those nobody may claim.
 */
void gp_records_apply(gp_records_t *records, uint32_t lane, const gp_record_attr_t *attrs,
                      uint32_t count, bool whole);

/* One known attribute as it goes into a message; its text stays in the records' memory. */
gp_record_attr_t gp_records_attr(const gp_records_t *records, uint32_t lane, gp_attr_t attr);

/* All known attributes but the GIVEN ones into `to` (GP_ATTRS_MAX); returns how many. */
uint32_t gp_records_dump(const gp_records_t *records, uint32_t lane, gp_record_attr_t *to);

/*
 * The attributes of fresh that left their dead band around what `sent` says, into `to`
 * (GP_ATTRS_MAX), and makes sent say the same for those. Both are of lane 0. Returns how many.
 */
uint32_t gp_records_delta(const gp_records_t *fresh, gp_records_t *sent, gp_record_attr_t *to);

/* Whether gp_records_delta would return any. */
bool gp_records_differ(const gp_records_t *fresh, const gp_records_t *sent);

/* Asserts that lengths and places agree: of all lanes, and of one. */
void gp_records_check(const gp_records_t *records);
void gp_records_check_lane(const gp_records_t *records, uint32_t lane);

#endif
