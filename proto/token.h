/*
 * Invitations. `gridpeer invite` prints a token: "gp1." and the base64url of
 *
 *   version:1 grid:16 root:32 region:1+n roles:2 expires_ms:8 uses:4 serial:8 key:32
 *   seeds:1 x (1+n address, 32 id) issuer-cert:2+n signature:64 seed:32
 *
 * The key is public, for one time; the seed is its secret; all before it is the invitation, signed
 * by the issuer with the context "gridpeer/token/1". Only the invitation and a proof made with the
 * seed travel; the seed never does. The issuer's ledger counts uses: it alone redeems its tokens,
 * so that a token admits at most its number of machines even in a partition.
 */
#ifndef GP_PROTO_TOKEN_H
#define GP_PROTO_TOKEN_H

#include "proto/cert.h"

#define GP_TOKEN_CONTEXT       "gridpeer/token/1"
#define GP_TOKEN_PROOF_CONTEXT "gridpeer/join/1"

typedef struct gp_token {
    gp_grid_id_t grid;
    gp_id_t root;
    char region[GP_NAME_MAX + 1];
    uint16_t roles; /* what the new machine will be allowed */
    gp_wall_ms_t expires_ms;
    uint32_t uses;
    uint64_t serial; /* the issuer's number of this invitation */
    gp_id_t key;     /* public half of the one-time key */
    uint32_t seed_count;
    struct {
        char address[GP_ADDRESS_MAX + 1];
        gp_id_t id;
    } seeds[GP_TOKEN_SEEDS_MAX]; /* where to ask; the issuer first */
    gp_cert_t issuer;
    gp_slice_t invitation; /* the bytes that travel; into the buffer that was read */
} gp_token_t;

/*
 * Writes the token as text. Of the token all but key, issuer and invitation is taken; a new
 * one-time key is made, and its public half returned in token->key; expires_ms is cut to the end of
 * the issuer's certificate. GP_E_JOIN_NOT_ISSUER: that certificate may not admit; GP_E_CERT_ROLE:
 * it lacks a role that the token gives; GP_E_TOKEN_GRID; GP_E_TOKEN_FORMAT: a field is out of its
 * limits.
 */
GP_MUST_CHECK gp_error_t gp_token_issue(gp_token_t *token, const gp_secret_t *issuer,
                                        gp_slice_t issuer_cert, char ret_text[GP_TOKEN_TEXT_MAX]);

/*
 * Reads a token as typed, checks it wholly (form, signature, issuer's chain up to the root that it
 * names, key against seed) and returns the one-time secret. `buffer` holds what the slices point
 * to. One end of line after the token is fine. GP_E_TOKEN_FORMAT, _SIGNATURE, _EXPIRED (the token
 * or its issuer's certificate), GP_E_CERT_NOT_YET (the clocks differ). The seed is wiped from the
 * buffer.
 */
GP_MUST_CHECK gp_error_t gp_token_parse(const char *text, gp_wall_ms_t now_ms,
                                        uint8_t buffer[GP_TOKEN_MAX], gp_token_t *ret_token,
                                        gp_secret_t **ret_secret);

/*
 * The issuer's side: reads an invitation that came in and checks it against its own root. Errors as
 * above, and GP_E_TOKEN_GRID. That it issued it, and how often it was used, its ledger tells.
 */
GP_MUST_CHECK gp_error_t gp_invitation_read(gp_slice_t invitation, const gp_id_t *root,
                                            gp_wall_ms_t now_ms, gp_token_t *ret_token);

/* Proof that the joiner `node`, who asks for this name, holds the one-time secret of the token. */
void gp_token_prove(const gp_secret_t *one_time, const gp_id_t *node, gp_slice_t name,
                    uint8_t ret_proof[GP_SIGNATURE_BYTES]);
bool gp_token_proven(const gp_id_t *key, const gp_id_t *node, gp_slice_t name,
                     const uint8_t proof[GP_SIGNATURE_BYTES]);

#endif
