/*
 * The values that everything is made of: time, identity, borrowed bytes.
 *
 * Nothing here allocates, reads a clock or knows a protocol. Every room includes this file.
 */
#ifndef GP_PROTO_TYPES_H
#define GP_PROTO_TYPES_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Microseconds on a clock that never steps and counts suspension; only differences mean anything.
 */
typedef uint64_t gp_usec_t;

/* Milliseconds of wall-clock time since 1970; shown to people and bound into signatures. */
typedef uint64_t gp_wall_ms_t;

#define GP_NEVER  UINT64_MAX
#define GP_MSEC   UINT64_C(1000)
#define GP_SECOND UINT64_C(1000000)

/* A machine: its Ed25519 public key. Ordered by memcmp. All zero: nobody. */
typedef struct gp_id {
    uint8_t b[32];
} gp_id_t;

/* A grid: the first 16 bytes of BLAKE2b-256 over its root public key. */
typedef struct gp_grid_id {
    uint8_t b[16];
} gp_grid_id_t;

/* Borrowed bytes or UTF-8 text (not zero-terminated): valid as long as their owner says. */
typedef struct gp_slice {
    const uint8_t *p;
    uint32_t n;
} gp_slice_t;

/* Its first bytes as a number, in their order: ids are random, so these nearly always decide. */
static inline uint64_t gp_id_head(const gp_id_t *id)
{
    const uint8_t *p = id->b;
    return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 |
           (uint64_t)p[3] << 32 | (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
           (uint64_t)p[6] << 8 | (uint64_t)p[7];
}

/* The order of their bytes. */
static inline int gp_id_compare(const gp_id_t *a, const gp_id_t *b)
{
    uint64_t x = gp_id_head(a);
    uint64_t y = gp_id_head(b);
    return x != y ? (x < y ? -1 : 1) : memcmp(a->b, b->b, sizeof a->b);
}

static inline bool gp_id_equal(const gp_id_t *a, const gp_id_t *b)
{
    return gp_id_head(a) == gp_id_head(b) && memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline bool gp_id_is_none(const gp_id_t *id)
{
    static const gp_id_t none;
    return gp_id_equal(id, &none);
}

/* The index of the lowest bit that is set; bits must not be 0. */
static inline uint32_t gp_lowest_bit(uint64_t bits)
{
    assert(bits != 0);
    return (uint32_t)__builtin_ctzll(bits);
}

/* How many bits are set, 0 to 64. */
static inline uint32_t gp_count_bits(uint64_t bits)
{
    bits -= bits >> 1 & UINT64_C(0x5555555555555555);
    bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
    bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (uint32_t)(bits * UINT64_C(0x0101010101010101) >> 56);
}

/* The tier of a group, which its id begins with: 0 a sub-Grid, 1 a region, 2 the grid. */
static inline uint8_t gp_group_tier(uint64_t group)
{
    return (uint8_t)(group >> 56);
}

static inline gp_slice_t gp_slice(const void *p, size_t n)
{
    assert(n <= UINT32_MAX);
    return (gp_slice_t){.p = p, .n = (uint32_t)n};
}

/* A string literal or zero-terminated text as a slice; borrowed. */
static inline gp_slice_t gp_text(const char *text)
{
    return gp_slice(text, strlen(text));
}

static inline bool gp_slice_equal(gp_slice_t a, gp_slice_t b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

#endif
