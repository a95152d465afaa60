#include "proto/keys.h"

#include <sodium.h>

#include "proto/random.h"

static_assert(GP_SIGNATURE_BYTES == crypto_sign_BYTES, "Ed25519");
static_assert(sizeof(gp_id_t) == crypto_sign_PUBLICKEYBYTES, "an id is a public key");

struct gp_secret {
    uint8_t key[crypto_sign_SECRETKEYBYTES]; /* seed, then public key */
};

gp_error_t gp_keys_init(void)
{
    return sodium_init() >= 0 ? GP_OK : GP_E_SYSTEM;
}

gp_error_t gp_secret_from_seed(const uint8_t seed[32], gp_secret_t **ret_secret)
{
    gp_secret_t *secret = sodium_malloc(sizeof *secret);
    gp_id_t id;

    static_assert(crypto_sign_SEEDBYTES == 32, "Ed25519");
    if (secret == NULL) {
        return GP_E_MEMORY;
    }
    if (crypto_sign_seed_keypair(id.b, secret->key, seed) != 0 ||
        sodium_mprotect_readonly(secret) != 0) {
        sodium_free(secret);
        return GP_E_SYSTEM;
    }
    *ret_secret = secret;
    return GP_OK;
}

gp_error_t gp_secret_new(gp_secret_t **ret_secret)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    gp_error_t error;

    randombytes_buf(seed, sizeof seed);
    error = gp_secret_from_seed(seed, ret_secret);
    sodium_memzero(seed, sizeof seed);
    return error;
}

void gp_secret_free(gp_secret_t *secret)
{
    sodium_free(secret);
}

void *gp_locked_new(size_t size)
{
    void *memory = sodium_malloc(size);

    if (memory != NULL) {
        sodium_memzero(memory, size);
    }
    return memory;
}

void gp_locked_free(void *memory)
{
    sodium_free(memory);
}

void gp_secret_seed(const gp_secret_t *secret, uint8_t ret_seed[32])
{
    assert(secret != NULL);
    crypto_sign_ed25519_sk_to_seed(ret_seed, secret->key);
}

gp_id_t gp_secret_id(const gp_secret_t *secret)
{
    gp_id_t id;

    assert(secret != NULL);
    crypto_sign_ed25519_sk_to_pk(id.b, secret->key);
    return id;
}

void gp_secret_curve(const gp_secret_t *secret, uint8_t ret_public[32], uint8_t ret_secret_key[32])
{
    gp_id_t id = gp_secret_id(secret);
    int failed = crypto_sign_ed25519_pk_to_curve25519(ret_public, id.b);

    assert(failed == 0); /* our own key is a point of the right order */
    failed = crypto_sign_ed25519_sk_to_curve25519(ret_secret_key, secret->key);
    assert(failed == 0);
    (void)failed;
}

gp_error_t gp_id_curve(const gp_id_t *id, uint8_t ret_public[32])
{
    uint8_t curve[crypto_scalarmult_curve25519_BYTES];

    if (crypto_sign_ed25519_pk_to_curve25519(curve, id->b) != 0) {
        return GP_E_CERT_FORMAT;
    }
    memcpy(ret_public, curve, sizeof curve);
    return GP_OK;
}

/*
 * The context goes in with its terminator, so that no context and bytes can be taken for another
 * context and other bytes.
 */
static void hash_in(crypto_sign_state *state, const char *context, gp_slice_t bytes)
{
    int failed = crypto_sign_init(state);

    failed |= crypto_sign_update(state, (const uint8_t *)context, strlen(context) + 1);
    failed |= crypto_sign_update(state, bytes.p, bytes.n);
    assert(failed == 0);
    (void)failed;
}

void gp_sign(const gp_secret_t *secret, const char *context, gp_slice_t bytes,
             uint8_t ret_signature[GP_SIGNATURE_BYTES])
{
    crypto_sign_state state;
    int failed;

    assert(secret != NULL && context[0] != '\0');
    hash_in(&state, context, bytes);
    failed = crypto_sign_final_create(&state, ret_signature, NULL, secret->key);
    assert(failed == 0);
    (void)failed;
}

bool gp_verify(const gp_id_t *signer, const char *context, gp_slice_t bytes,
               const uint8_t signature[GP_SIGNATURE_BYTES])
{
    crypto_sign_state state;

    assert(context[0] != '\0');
    hash_in(&state, context, bytes);
    return crypto_sign_final_verify(&state, signature, signer->b) == 0;
}

static void ed25519_sign(const void *secret, const gp_id_t *self, const char *context,
                         gp_slice_t bytes, uint8_t ret_signature[GP_SIGNATURE_BYTES])
{
    gp_id_t id = gp_secret_id(secret);

    assert(gp_id_equal(&id, self));
    gp_sign(secret, context, bytes, ret_signature);
}

const gp_signer_t gp_signer_ed25519 = {.sign = ed25519_sign, .verify = gp_verify};

/* One hash over the bytes, keyed by who and why, then stretched to the length of a signature. */
static void standin_sign(const void *secret, const gp_id_t *self, const char *context,
                         gp_slice_t bytes, uint8_t ret_signature[GP_SIGNATURE_BYTES])
{
    uint64_t seed = gp_hash(self->b, sizeof self->b, gp_hash(context, strlen(context), 0));
    gp_random_t random;

    (void)secret;
    gp_random_init(&random, gp_hash(bytes.p, bytes.n, seed));
    for (size_t i = 0; i < GP_SIGNATURE_BYTES; i += sizeof(uint64_t)) {
        uint64_t word = gp_random_next(&random);
        for (size_t k = 0; k < sizeof word; k++) {
            ret_signature[i + k] = (uint8_t)(word >> (8 * k)); /* the same on every machine */
        }
    }
}

static bool standin_verify(const gp_id_t *signer, const char *context, gp_slice_t bytes,
                           const uint8_t signature[GP_SIGNATURE_BYTES])
{
    uint8_t want[GP_SIGNATURE_BYTES];

    standin_sign(NULL, signer, context, bytes, want);
    return memcmp(want, signature, sizeof want) == 0;
}

const gp_signer_t gp_signer_standin = {.sign = standin_sign, .verify = standin_verify};
