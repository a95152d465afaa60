/* Keys: what was signed verifies, for nobody else, for no other purpose; CURVE pairs belong. */
#include "proto/keys.h"

#include <sodium.h>
#include <sys/resource.h>

#include "proto_cmocka.h"

static gp_secret_t *secret;
static gp_secret_t *other;

static int setup(void **state)
{
    (void)state;
    return gp_keys_init() == GP_OK && gp_secret_new(&secret) == GP_OK &&
                   gp_secret_new(&other) == GP_OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    gp_secret_free(secret);
    gp_secret_free(other);
    gp_secret_free(NULL);
    return 0;
}

static void test_seed_makes_the_same_key(void **state)
{
    uint8_t seed[32];
    gp_secret_t *twin = NULL;
    gp_id_t id = gp_secret_id(secret);
    gp_id_t twin_id;

    (void)state;
    gp_secret_seed(secret, seed);
    assert_int_equal(gp_secret_from_seed(seed, &twin), GP_OK);
    twin_id = gp_secret_id(twin);
    assert_true(gp_id_equal(&id, &twin_id));
    twin_id = gp_secret_id(other);
    assert_false(gp_id_equal(&id, &twin_id));
    gp_secret_free(twin);
}

/* RFC 8032, section 7.1, test 1: this seed has this public key. */
static void test_known_key(void **state)
{
    static const uint8_t seed[32] = {0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60,
                                     0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
                                     0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19,
                                     0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
    static const uint8_t want[32] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7,
                                     0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
                                     0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25,
                                     0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
    gp_secret_t *known = NULL;
    gp_id_t id;

    (void)state;
    assert_int_equal(gp_secret_from_seed(seed, &known), GP_OK);
    id = gp_secret_id(known);
    assert_memory_equal(id.b, want, sizeof want);
    gp_secret_free(known);
}

static void test_signatures(void **state)
{
    const gp_signer_t *const signers[] = {&gp_signer_ed25519, &gp_signer_standin};
    uint8_t bytes[40] = {1, 2, 3};
    gp_slice_t slice = gp_slice(bytes, sizeof bytes);
    gp_id_t id = gp_secret_id(secret);
    gp_id_t other_id = gp_secret_id(other);

    (void)state;
    for (size_t s = 0; s < 2; s++) {
        uint8_t signature[GP_SIGNATURE_BYTES];
        signers[s]->sign(secret, &id, "test/1", slice, signature);
        assert_true(signers[s]->verify(&id, "test/1", slice, signature));
        assert_false(signers[s]->verify(&other_id, "test/1", slice, signature));
        assert_false(signers[s]->verify(&id, "test/2", slice, signature));
        assert_false(signers[s]->verify(&id, "test/", slice, signature));
        assert_false(signers[s]->verify(&id, "test/1", gp_slice(bytes, 39), signature));
        for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
            assert_false(signers[s]->verify(&id, "test/1", slice, signature));
            bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        }
        for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
            signature[bit / 8] ^= (uint8_t)(1U << (bit % 8));
            assert_false(signers[s]->verify(&id, "test/1", slice, signature));
            signature[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        }
        assert_true(signers[s]->verify(&id, "test/1", slice, signature));
    }
}

/* "test/1" + "23" is not "test/12" + "3". */
static void test_context_and_bytes_do_not_flow_together(void **state)
{
    uint8_t signature[GP_SIGNATURE_BYTES];
    gp_id_t id = gp_secret_id(secret);

    (void)state;
    gp_sign(secret, "test/1", gp_text("23"), signature);
    assert_false(gp_verify(&id, "test/12", gp_text("3"), signature));
    gp_sign(secret, "test/1", (gp_slice_t){0}, signature);
    assert_true(gp_verify(&id, "test/1", (gp_slice_t){0}, signature));
}

static void test_curve_pair_belongs_to_the_identity(void **state)
{
    uint8_t public_key[32];
    uint8_t secret_key[32];
    uint8_t derived[32];
    gp_id_t id = gp_secret_id(secret);

    (void)state;
    gp_secret_curve(secret, public_key, secret_key);
    assert_int_equal(crypto_scalarmult_curve25519_base(derived, secret_key), 0);
    assert_memory_equal(derived, public_key, 32);
    memset(derived, 0, sizeof derived);
    assert_int_equal(gp_id_curve(&id, derived), GP_OK);
    assert_memory_equal(derived, public_key, 32);
}

static void test_unusable_keys(void **state)
{
    static const gp_id_t low_order = {{1}};
    static const gp_id_t none = {{0}};
    gp_id_t no_point;
    uint8_t curve[32] = {42};

    (void)state;
    memset(&no_point, 0xff, sizeof no_point);
    assert_int_equal(gp_id_curve(&low_order, curve), GP_E_CERT_FORMAT);
    assert_int_equal(gp_id_curve(&none, curve), GP_E_CERT_FORMAT);
    assert_int_equal(gp_id_curve(&no_point, curve), GP_E_CERT_FORMAT);
    assert_int_equal(curve[0], 42);
}

static void test_locked_memory(void **state)
{
    static const uint8_t zeros[64];
    uint8_t *memory = gp_locked_new(sizeof zeros);

    (void)state;
    assert_non_null(memory);
    assert_memory_equal(memory, zeros, sizeof zeros);
    gp_locked_free(memory);
    gp_locked_free(NULL);
    assert_null(gp_locked_new(SIZE_MAX));
}

static void test_without_memory(void **state)
{
    gp_secret_t *none = NULL;
    struct rlimit before;
    struct rlimit zero;
    gp_error_t error;

    (void)state;
    assert_int_equal(gp_secret_new(&none), GP_OK); /* the stack has all its pages now */
    gp_secret_free(none);
    none = NULL;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    zero = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &zero), 0);
    error = gp_secret_new(&none);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(error, GP_E_MEMORY);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed_makes_the_same_key),
        cmocka_unit_test(test_known_key),
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_context_and_bytes_do_not_flow_together),
        cmocka_unit_test(test_curve_pair_belongs_to_the_identity),
        cmocka_unit_test(test_unusable_keys),
        cmocka_unit_test(test_locked_memory),
        cmocka_unit_test(test_without_memory),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
