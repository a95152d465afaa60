/*
 * The random generator that lives inside cores: small, seeded by the shell, the same on every
 * machine. Not for keys. xoshiro256** (Blackman, Vigna: Scrambled linear pseudorandom number
 * generators, 2021), seeded through splitmix64.
 */
#ifndef GP_PROTO_RANDOM_H
#define GP_PROTO_RANDOM_H

#include "proto/types.h"

typedef struct gp_random {
    uint64_t s[4];
} gp_random_t;

void gp_random_init(gp_random_t *random, uint64_t seed);
uint64_t gp_random_next(gp_random_t *random);

/* Uniform in 0 .. bound-1 (bound > 0), without modulo bias. */
uint64_t gp_random_below(gp_random_t *random, uint64_t bound);

/* Takes eight bytes more into a hash: a multiplication and a fold. */
static inline uint64_t gp_hash_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0xbf58476d1ce4e5b9);
    return hash ^ hash >> 32;
}

/*
 * A fixed 64-bit hash of bytes, eight at a time (each a multiplication and a fold, then the
 * finalizer of splitmix64): for digests and rendezvous, not for security.
 */
uint64_t gp_hash(const void *bytes, size_t n, uint64_t seed);

#endif
