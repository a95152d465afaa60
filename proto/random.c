#include "proto/random.h"

static uint64_t rotate_left(uint64_t x, unsigned n)
{
    return (x << n) | (x >> (64 - n));
}

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014): every input bit reaches every output bit.
 */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void gp_random_init(gp_random_t *random, uint64_t seed)
{
    for (size_t i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        random->s[i] = mix(seed);
    }
    /* The one state that never leaves itself; mix() is a bijection, so it cannot come up. */
    assert((random->s[0] | random->s[1] | random->s[2] | random->s[3]) != 0);
}

uint64_t gp_random_next(gp_random_t *random)
{
    uint64_t *s = random->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t gp_random_below(gp_random_t *random, uint64_t bound)
{
    uint64_t surplus;
    uint64_t x;

    assert(bound > 0);
    surplus = (0 - bound) % bound; /* 2^64 mod bound: that many values are one too many */
    do {
        x = gp_random_next(random);
    } while (x < surplus);
    return x % bound;
}

/* Up to eight bytes as a number, the first byte lowest: the same on every machine. */
static uint64_t word_of(const uint8_t *p, size_t n)
{
    uint64_t word = 0;

    if (n >= 8) {
        return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
               (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
               (uint64_t)p[7] << 56; /* one load, where that is so */
    }
    for (size_t i = 0; i < n; i++) {
        word |= (uint64_t)p[i] << (8 * i);
    }
    return word;
}

uint64_t gp_hash(const void *bytes, size_t n, uint64_t seed)
{
    const uint8_t *p = bytes;
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ mix(seed);

    assert(p != NULL || n == 0);
    for (size_t i = 0; i < n; i += 8) {
        h = gp_hash_word(h, word_of(p + i, n - i));
    }
    return mix(h ^ n);
}
