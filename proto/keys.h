/*
 * Keys and signatures: libsodium behind the few calls that gridpeer needs, and a cheap stand-in for
 * the simulator.
 *
 * One Ed25519 identity serves signing and, converted, the CURVE transport (libsodium's
 * crypto_sign_ed25519_*_to_curve25519). Secret keys never leave gp_secret_t.
 */
#ifndef GP_PROTO_KEYS_H
#define GP_PROTO_KEYS_H

#include "proto/errors.h"
#include "proto/types.h"

#define GP_SIGNATURE_BYTES 64

/* A secret Ed25519 key in locked memory (sodium_malloc): never printed, zeroed when freed. */
typedef struct gp_secret gp_secret_t;

/* Once per process, before anything else here. GP_E_SYSTEM if the generator has no entropy. */
GP_MUST_CHECK gp_error_t gp_keys_init(void);

/* A new key from the system's generator, or the key of a 32-byte seed. Free with gp_secret_free. */
GP_MUST_CHECK gp_error_t gp_secret_new(gp_secret_t **ret_secret);
GP_MUST_CHECK gp_error_t gp_secret_from_seed(const uint8_t seed[32], gp_secret_t **ret_secret);
void gp_secret_free(gp_secret_t *secret); /* NULL is fine */

/* The seed, for writing it to its 0600 file; the caller zeroes it (sodium_memzero). */
void gp_secret_seed(const gp_secret_t *secret, uint8_t ret_seed[32]);
gp_id_t gp_secret_id(const gp_secret_t *secret);

/* Zeroed memory for a secret: locked, guarded, and zeroed when freed. NULL: there is none. */
void *gp_locked_new(size_t size);
void gp_locked_free(void *memory); /* NULL is fine */

/* The CURVE pair of this identity; the caller zeroes ret_secret_key. */
void gp_secret_curve(const gp_secret_t *secret, uint8_t ret_public[32], uint8_t ret_secret_key[32]);

/* The CURVE public key of an identity. GP_E_CERT_FORMAT: not a usable key (low order). */
GP_MUST_CHECK gp_error_t gp_id_curve(const gp_id_t *id, uint8_t ret_public[32]);

/*
 * Signs `context` (a short constant text, binds the purpose) with its terminating zero, followed by
 * `bytes`: Ed25519ph (RFC 8032), which takes bytes in parts, without a copy.
 */
void gp_sign(const gp_secret_t *secret, const char *context, gp_slice_t bytes,
             uint8_t ret_signature[GP_SIGNATURE_BYTES]);
bool gp_verify(const gp_id_t *signer, const char *context, gp_slice_t bytes,
               const uint8_t signature[GP_SIGNATURE_BYTES]);

/*
 * How envelopes are signed: the daemon uses gp_signer_ed25519, the simulator gp_signer_standin,
 * which is fast, keyed by the id and the bytes alone, and proves nothing.
 */
typedef struct gp_signer {
    void (*sign)(const void *secret, const gp_id_t *self, const char *context, gp_slice_t bytes,
                 uint8_t ret_signature[GP_SIGNATURE_BYTES]);
    bool (*verify)(const gp_id_t *signer, const char *context, gp_slice_t bytes,
                   const uint8_t signature[GP_SIGNATURE_BYTES]);
} gp_signer_t;

extern const gp_signer_t gp_signer_ed25519; /* secret: a gp_secret_t */
extern const gp_signer_t gp_signer_standin; /* secret: unused */

#endif
