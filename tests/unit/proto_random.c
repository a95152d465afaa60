/* The generator is the published one, the same everywhere, and even enough. */
#include "proto/random.h"

#include "proto_cmocka.h"

/* The reference: Blackman and Vigna's xoshiro256starstar.c, seeded by their splitmix64.c with 0. */
static void test_first_numbers(void **state)
{
    static const uint64_t seeded[] = {0xe220a8397b1dcdafULL, 0x6e789e6aa1b965f4ULL,
                                      0x06c45d188009454fULL, 0xf88bb8a8724c81ecULL};
    static const uint64_t want[] = {0x99ec5f36cb75f2b4ULL, 0xbf6e1f784956452aULL,
                                    0x1a5f849d4933e6e0ULL, 0x6aa594f1262d2d2cULL};
    gp_random_t random;

    (void)state;
    gp_random_init(&random, 0);
    assert_memory_equal(random.s, seeded, sizeof seeded);
    for (size_t i = 0; i < 4; i++) {
        assert_true(gp_random_next(&random) == want[i]);
    }
}

static void test_below_is_even(void **state)
{
    gp_random_t random;
    uint32_t counts[7] = {0};

    (void)state;
    gp_random_init(&random, 5);
    for (int i = 0; i < 70000; i++) {
        uint64_t x = gp_random_below(&random, 7);
        assert_true(x < 7);
        counts[x]++;
    }
    for (size_t i = 0; i < 7; i++) {
        assert_in_range(counts[i], 9600, 10400);
    }
    assert_int_equal(gp_random_below(&random, 1), 0);
    for (int i = 0; i < 100; i++) {
        assert_true(gp_random_below(&random, (1ULL << 63) + 1) <= 1ULL << 63);
    }
}

/* A bound for which a plain modulo would give the lowest third half of all numbers. */
static void test_below_is_even_for_large_bounds(void **state)
{
    gp_random_t random;
    uint32_t low = 0;

    (void)state;
    gp_random_init(&random, 6);
    for (int i = 0; i < 30000; i++) {
        low += gp_random_below(&random, 3ULL << 62) < 1ULL << 62 ? 1 : 0;
    }
    assert_in_range(low, 9600, 10400);
}

static void test_hash_tells_apart(void **state)
{
    uint8_t bytes[64] = {0};
    uint64_t base = gp_hash(bytes, sizeof bytes, 0);

    (void)state;
    assert_true(base == gp_hash(bytes, sizeof bytes, 0));
    assert_true(base != gp_hash(bytes, sizeof bytes, 1));
    assert_true(base != gp_hash(bytes, sizeof bytes - 1, 0));
    assert_true(gp_hash(NULL, 0, 0) != gp_hash(NULL, 0, 1));
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        int changed = 0;
        uint64_t differ;
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        differ = base ^ gp_hash(bytes, sizeof bytes, 0);
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        for (; differ != 0; differ &= differ - 1) {
            changed++;
        }
        assert_in_range(changed, 12, 52); /* about half of 64 */
    }
}

/* Peers compare digests made with it: its values are part of the protocol. */
static void test_hash_is_for_ever(void **state)
{
    (void)state;
    assert_true(gp_hash("gridpeer", 8, 1) == 0x3c1ab26729865e1cULL);
    assert_true(gp_hash("gridpeer: e", 11, 1) == 0xf08dfc6bd8180065ULL); /* a word and a rest */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_numbers),
        cmocka_unit_test(test_below_is_even),
        cmocka_unit_test(test_below_is_even_for_large_bounds),
        cmocka_unit_test(test_hash_tells_apart),
        cmocka_unit_test(test_hash_is_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
