#include "discovery/summary_inside.h"

#define HASH_ROOM_BITS 640u /* more bits of hashes than these, and they lose one */
#define APART_MOST     12u  /* codes further apart than this are as far apart as can be */
#define HASH_WEIGHT    6u

/* Among all pairs of classes none is nearer. */
typedef struct pair {
    uint32_t a;
    uint32_t b;
    uint32_t apart;
} pair_t;

uint32_t gp_summary_best(const gp_summary_t *summary, uint32_t index)
{
    uint8_t most = 0;
    for (uint32_t c = 0; c < summary->class_count; c++) {
        uint8_t here = summary->classes[c].most[index];
        most = here > most ? here : most;
    }
    return most > 0 ? gp_summary_most_code(index, most) : GP_SUMMARY_NO_CODE;
}

static bool bits_within(const uint64_t *a, const uint64_t *b, uint32_t lanes)
{
    uint64_t missing = 0;
    for (uint32_t i = 0; i < lanes; i++) {
        missing |= a[i] & ~b[i];
    }
    return missing == 0;
}

bool gp_summary_class_within(const gp_summary_class_t *a, const gp_summary_class_t *b)
{
    uint32_t more = 0;
    for (uint32_t i = 0; i < GP_SUMMARY_DIMS; i++) {
        more |= a->most[i] > b->most[i] ? 1u : 0u;
    }
    return more == 0 && bits_within(a->words, b->words, GP_SUMMARY_WORD_LANES) &&
           bits_within(a->hashed, b->hashed, GP_SUMMARY_HASH_LANES);
}

static int bits_compare(const uint64_t *a, const uint64_t *b, uint32_t lanes)
{
    for (uint32_t i = 0; i < lanes; i++) {
        if (a[i] != b[i]) {
            return a[i] < b[i] ? -1 : 1;
        }
    }
    return 0;
}

int gp_summary_class_compare(const gp_summary_class_t *a, const gp_summary_class_t *b)
{
    int order = bits_compare(a->words, b->words, GP_SUMMARY_WORD_LANES);
    if (order == 0) {
        order = bits_compare(a->hashed, b->hashed, GP_SUMMARY_HASH_LANES);
    }
    return order != 0 ? order : memcmp(a->most, b->most, sizeof a->most);
}

void gp_summary_sort(gp_summary_t *summary)
{
    for (uint32_t i = 1; i < summary->class_count; i++) {
        gp_summary_class_t class = summary->classes[i];
        uint32_t at = i;
        while (at > 0 && gp_summary_class_compare(&class, &summary->classes[at - 1]) < 0) {
            summary->classes[at] = summary->classes[at - 1];
            at -= 1;
        }
        summary->classes[at] = class;
    }
}

/* Takes a class out; the last one fills the gap. */
static void drop_class(gp_summary_t *summary, uint32_t at)
{
    assert(at < summary->class_count);
    summary->class_count -= 1;
    summary->classes[at] = summary->classes[summary->class_count];
}

void gp_summary_add(gp_summary_t *summary, const gp_summary_class_t *class)
{
    for (uint32_t i = 0; i < summary->class_count; i++) {
        if (gp_summary_class_within(class, &summary->classes[i])) {
            return;
        }
    }
    for (uint32_t i = summary->class_count; i > 0; i--) {
        if (gp_summary_class_within(&summary->classes[i - 1], class)) {
            drop_class(summary, i - 1);
        }
    }
    if (summary->class_count == GP_SUMMARY_CLASSES_MAX) {
        gp_summary_merge(summary);
        gp_summary_add(summary, class); /* once: there is room now */
        return;
    }
    summary->classes[summary->class_count] = *class;
    summary->class_count += 1;
}

/* ---- the nearest ----------------------------------------------------------------------------- */

/* Adds the weight of the words in which two classes differ, as long as it is below the limit. */
static uint32_t add_words(uint32_t apart, const uint64_t *a, const uint64_t *b, uint32_t limit)
{
    for (uint32_t i = 0; i < GP_SUMMARY_WORD_LANES; i++) {
        uint64_t differ = a[i] ^ b[i];
        while (differ != 0 && apart < limit) {
            apart += gp_summary_word_weight(i * 64 + gp_lowest_bit(differ));
            differ &= differ - 1;
        }
    }
    return apart;
}

uint32_t gp_summary_class_apart(const gp_summary_class_t *a, const gp_summary_class_t *b,
                                uint32_t limit)
{
    uint32_t apart = 0;
    for (uint32_t i = 0; i < GP_SUMMARY_DIMS; i++) {
        uint32_t d = a->most[i] > b->most[i] ? (uint32_t)a->most[i] - b->most[i]
                                             : (uint32_t)b->most[i] - a->most[i];
        apart += (d < APART_MOST ? d : APART_MOST) * gp_summary_numbers[i].weight;
    }
    for (uint32_t i = 0; i < GP_SUMMARY_HASH_LANES; i++) {
        apart += gp_count_bits(a->hashed[i] ^ b->hashed[i]) * HASH_WEIGHT;
    }
    return add_words(apart, a->words, b->words, limit);
}

void gp_summary_class_raise(gp_summary_class_t *class, const gp_summary_class_t *to)
{
    for (uint32_t i = 0; i < GP_SUMMARY_WORD_LANES; i++) {
        class->words[i] |= to->words[i];
    }
    for (uint32_t i = 0; i < GP_SUMMARY_HASH_LANES; i++) {
        class->hashed[i] |= to->hashed[i];
    }
    for (uint32_t i = 0; i < GP_SUMMARY_DIMS; i++) {
        class->most[i] = class->most[i] > to->most[i] ? class->most[i] : to->most[i];
    }
}

void gp_summary_merge(gp_summary_t *summary)
{
    pair_t nearest = {.apart = UINT32_MAX};
    assert(summary->class_count >= 2);
    for (uint32_t a = 0; a < summary->class_count; a++) {
        for (uint32_t b = a + 1; b < summary->class_count; b++) {
            uint32_t apart =
                gp_summary_class_apart(&summary->classes[a], &summary->classes[b], nearest.apart);
            if (apart < nearest.apart) {
                nearest = (pair_t){.a = a, .b = b, .apart = apart};
            }
        }
    }
    gp_summary_class_t both = summary->classes[nearest.a];
    gp_summary_class_raise(&both, &summary->classes[nearest.b]);
    drop_class(summary, nearest.b);
    drop_class(summary, nearest.a);
    gp_summary_add(summary, &both);
}

/* ---- hashes ---------------------------------------------------------------------------------- */

/* The first index whose hash, as kept, is not smaller. */
static uint32_t hash_place(const gp_summary_t *summary, uint32_t kept)
{
    uint32_t low = 0;
    uint32_t high = summary->hash_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (summary->hashes[middle] < kept) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t gp_summary_hash_find(const gp_summary_t *summary, uint32_t hash)
{
    uint32_t kept = gp_summary_hash_kept(summary, hash);
    uint32_t at = hash_place(summary, kept);
    bool there = at < summary->hash_count && summary->hashes[at] == kept;
    return there ? at : summary->hash_count;
}

void gp_summary_hash_add(gp_summary_t *summary, uint32_t hash)
{
    assert(summary->class_count == 0);
    while (gp_summary_hash_find(summary, hash) == summary->hash_count) {
        if (summary->hash_count == GP_SUMMARY_HASHES_MAX) {
            gp_summary_hash_drop(summary);
            continue;
        }
        uint32_t at = hash_place(summary, gp_summary_hash_kept(summary, hash));
        memmove(&summary->hashes[at + 1], &summary->hashes[at],
                (summary->hash_count - at) * sizeof summary->hashes[0]);
        summary->hashes[at] = (uint16_t)gp_summary_hash_kept(summary, hash);
        summary->hash_count += 1;
    }
}

/* Moves each class's bit i to to[i], and drops the classes that another one dominates then. */
static void move_bits(gp_summary_t *summary, const uint8_t *to, uint32_t count)
{
    uint32_t classes = summary->class_count;
    summary->class_count = 0;
    for (uint32_t c = 0; c < classes; c++) {
        gp_summary_class_t class = summary->classes[c];
        memset(class.hashed, 0, sizeof class.hashed);
        for (uint32_t i = 0; i < count; i++) {
            if (gp_summary_bit(summary->classes[c].hashed, i)) {
                gp_summary_bit_set(class.hashed, to[i]);
            }
        }
        gp_summary_add(summary, &class); /* never beyond c: those were copied */
    }
}

void gp_summary_hash_drop(gp_summary_t *summary)
{
    uint8_t to[GP_SUMMARY_HASHES_MAX];
    uint32_t count = 0;
    assert(summary->hash_dropped < GP_SUMMARY_HASH_BITS);
    for (uint32_t i = 0; i < summary->hash_count; i++) {
        uint16_t kept = summary->hashes[i] >> 1;
        if (count == 0 || summary->hashes[count - 1] != kept) {
            summary->hashes[count] = kept;
            count += 1;
        }
        to[i] = (uint8_t)(count - 1);
    }
    move_bits(summary, to, summary->hash_count);
    memset(&summary->hashes[count], 0, (summary->hash_count - count) * sizeof summary->hashes[0]);
    summary->hash_count = (uint8_t)count;
    summary->hash_dropped += 1;
}

bool gp_summary_hash_unite(gp_summary_t *into, gp_summary_t *from)
{
    uint16_t hashes[2 * GP_SUMMARY_HASHES_MAX];
    uint8_t to_into[GP_SUMMARY_HASHES_MAX];
    uint8_t to_from[GP_SUMMARY_HASHES_MAX];
    uint32_t a = 0;
    uint32_t b = 0;
    uint32_t count = 0;
    while (a < into->hash_count || b < from->hash_count) {
        uint32_t x = a < into->hash_count ? into->hashes[a] : UINT32_MAX;
        uint32_t y = b < from->hash_count ? from->hashes[b] : UINT32_MAX;
        hashes[count] = (uint16_t)(x < y ? x : y);
        if (x <= y) {
            to_into[a] = (uint8_t)count;
            a += 1;
        }
        if (y <= x) {
            to_from[b] = (uint8_t)count;
            b += 1;
        }
        count += 1;
    }
    if (count > GP_SUMMARY_HASHES_MAX) {
        return false;
    }
    move_bits(into, to_into, into->hash_count);
    move_bits(from, to_from, from->hash_count);
    memcpy(into->hashes, hashes, count * sizeof hashes[0]);
    into->hash_count = (uint8_t)count;
    return true;
}

/* ---- less detail ----------------------------------------------------------------------------- */

void gp_summary_fit(gp_summary_t *summary)
{
    gp_summary_sort(summary);
    while (gp_summary_bits(summary) > GP_SUMMARY_MAX * 8) {
        if (summary->class_count < 2 || gp_summary_hash_bits(summary) > HASH_ROOM_BITS) {
            gp_summary_hash_drop(summary);
        } else {
            gp_summary_merge(summary);
        }
        gp_summary_sort(summary);
    }
}
