#include "proto/token.h"

#include <sodium.h>

#include "proto/text.h"
#include "proto/wire.h"

#define GP_TOKEN_PREFIX  "gp1."
#define GP_TOKEN_VERSION 1
#define GP_TOKEN_SEED    32U

static_assert(sizeof GP_TOKEN_PREFIX - 1 + (GP_TOKEN_MAX * 4 + 2) / 3 < GP_TOKEN_TEXT_MAX,
              "the longest token fits its text");

static bool is_well_formed(const gp_token_t *token)
{
    if (gp_name_check(gp_text(token->region)) != GP_OK || token->roles == 0 ||
        (token->roles & ~GP_ROLE_ALL) != 0 || token->uses == 0 || token->uses > GP_TOKEN_USES_MAX ||
        token->seed_count == 0 || token->seed_count > GP_TOKEN_SEEDS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < token->seed_count; i++) {
        if (gp_address_check(gp_text(token->seeds[i].address), false) != GP_OK) {
            return false;
        }
    }
    return true;
}

/* Text of at most size - 1 bytes without NUL; a wrong one becomes empty, and is refused later. */
static void read_text(gp_wire_in_t *in, char *text, size_t size)
{
    gp_slice_t bytes = gp_wire_short(in);

    if (bytes.n >= size || !gp_text_valid(bytes)) {
        bytes.n = 0;
    }
    (void)gp_text_copy(text, size, bytes);
}

/* The fields of an invitation, in their order. Returns the issuer's certificate, borrowed. */
static gp_slice_t read_fields(gp_wire_in_t *in, gp_token_t *token)
{
    gp_wire_copy(in, token->grid.b, sizeof token->grid.b);
    gp_wire_copy(in, token->root.b, sizeof token->root.b);
    read_text(in, token->region, sizeof token->region);
    token->roles = (uint16_t)gp_wire_number(in, 2);
    token->expires_ms = gp_wire_number(in, 8);
    token->uses = (uint32_t)gp_wire_number(in, 4);
    token->serial = gp_wire_number(in, 8);
    gp_wire_copy(in, token->key.b, sizeof token->key.b);
    token->seed_count = (uint32_t)gp_wire_number(in, 1);
    for (uint32_t i = 0; i < token->seed_count && i < GP_TOKEN_SEEDS_MAX; i++) {
        read_text(in, token->seeds[i].address, sizeof token->seeds[i].address);
        gp_wire_copy(in, token->seeds[i].id.b, sizeof token->seeds[i].id.b);
    }
    return gp_wire_take(in, (size_t)gp_wire_number(in, 2));
}

/* An issuer's certificate inside a token fails as the token does. */
static gp_error_t as_token_error(gp_error_t error)
{
    switch (error) {
    case GP_OK:
        return GP_OK;
    case GP_E_CERT_FORMAT:
        return GP_E_TOKEN_FORMAT;
    case GP_E_CERT_EXPIRED:
        return GP_E_TOKEN_EXPIRED;
    case GP_E_CERT_NOT_YET:
        return GP_E_CERT_NOT_YET; /* its action says what helps: the clocks */
    default:
        return GP_E_TOKEN_SIGNATURE;
    }
}

/* Reads and checks a whole invitation: form, issuer's chain to the root that it names, signature.
 */
static gp_error_t check_invitation(gp_slice_t bytes, gp_wall_ms_t now_ms, gp_token_t *token)
{
    gp_wire_in_t in = gp_wire_in(bytes);
    uint64_t version = gp_wire_number(&in, 1);
    gp_slice_t issuer_cert;
    gp_slice_t signed_bytes;
    gp_slice_t signature;
    gp_grid_id_t grid;
    gp_error_t error;

    memset(token, 0, sizeof *token);
    issuer_cert = read_fields(&in, token);
    if (in.failed) {
        return GP_E_TOKEN_FORMAT;
    }
    signed_bytes = gp_slice(bytes.p, (size_t)(in.p - bytes.p));
    signature = gp_wire_take(&in, GP_SIGNATURE_BYTES);
    grid = gp_grid_id_of(&token->root);
    if (in.failed || in.left != 0 || version != GP_TOKEN_VERSION || !is_well_formed(token) ||
        memcmp(grid.b, token->grid.b, sizeof grid.b) != 0) {
        return GP_E_TOKEN_FORMAT;
    }
    error = as_token_error(gp_cert_verify(issuer_cert, &token->root, now_ms, &token->issuer));
    if (error != GP_OK) {
        return error;
    }
    if ((token->issuer.roles & GP_ROLE_ADMIT) == 0 || (token->roles & ~token->issuer.roles) != 0 ||
        !gp_id_equal(&token->issuer.issuer, &token->root) ||
        !gp_verify(&token->issuer.node, GP_TOKEN_CONTEXT, signed_bytes, signature.p)) {
        return GP_E_TOKEN_SIGNATURE;
    }
    if (now_ms > token->expires_ms) {
        return GP_E_TOKEN_EXPIRED;
    }
    token->invitation = bytes;
    return GP_OK;
}

gp_error_t gp_invitation_read(gp_slice_t invitation, const gp_id_t *root, gp_wall_ms_t now_ms,
                              gp_token_t *ret_token)
{
    gp_token_t token;
    gp_error_t error;

    if (invitation.n > GP_TOKEN_MAX) {
        return GP_E_TOKEN_FORMAT;
    }
    error = check_invitation(invitation, now_ms, &token);
    if (error != GP_OK) {
        return error;
    }
    if (!gp_id_equal(&token.root, root)) {
        return GP_E_TOKEN_GRID;
    }
    *ret_token = token;
    return GP_OK;
}

/* The text without its prefix and one end of line; empty if it is no token. */
static gp_slice_t token_payload(const char *text)
{
    size_t prefix = sizeof GP_TOKEN_PREFIX - 1;
    size_t n = strlen(text);

    if (n > 0 && text[n - 1] == '\n') {
        n--;
    }
    if (n <= prefix || n >= GP_TOKEN_TEXT_MAX || memcmp(text, GP_TOKEN_PREFIX, prefix) != 0) {
        return (gp_slice_t){0};
    }
    return gp_slice(text + prefix, n - prefix);
}

/* Wipes the seed from the buffer; the secret is what is left of it. */
static gp_error_t take_seed(uint8_t *seed, const gp_id_t *key, gp_secret_t **ret_secret)
{
    gp_secret_t *secret = NULL;
    gp_error_t error = gp_secret_from_seed(seed, &secret);
    gp_id_t id;

    sodium_memzero(seed, GP_TOKEN_SEED);
    if (error != GP_OK) {
        return error;
    }
    id = gp_secret_id(secret);
    if (!gp_id_equal(&id, key)) {
        gp_secret_free(secret);
        return GP_E_TOKEN_SIGNATURE;
    }
    *ret_secret = secret;
    return GP_OK;
}

gp_error_t gp_token_parse(const char *text, gp_wall_ms_t now_ms, uint8_t buffer[GP_TOKEN_MAX],
                          gp_token_t *ret_token, gp_secret_t **ret_secret)
{
    gp_slice_t payload = token_payload(text);
    gp_token_t token;
    size_t n = 0;
    gp_error_t error;

    if (payload.n == 0) {
        return GP_E_TOKEN_FORMAT;
    }
    error = gp_base64_parse(payload, buffer, GP_TOKEN_MAX, &n);
    if (error != GP_OK || n <= GP_TOKEN_SEED) {
        sodium_memzero(buffer, GP_TOKEN_MAX);
        return GP_E_TOKEN_FORMAT;
    }
    error = check_invitation(gp_slice(buffer, n - GP_TOKEN_SEED), now_ms, &token);
    if (error == GP_OK) {
        error = take_seed(buffer + n - GP_TOKEN_SEED, &token.key, ret_secret);
    }
    if (error != GP_OK) {
        sodium_memzero(buffer, GP_TOKEN_MAX);
        return error;
    }
    *ret_token = token;
    return GP_OK;
}

static void write_fields(gp_wire_out_t *out, const gp_token_t *token, gp_slice_t issuer_cert)
{
    gp_wire_put_number(out, GP_TOKEN_VERSION, 1);
    gp_wire_put(out, token->grid.b, sizeof token->grid.b);
    gp_wire_put(out, token->root.b, sizeof token->root.b);
    gp_wire_put_short(out, gp_text(token->region));
    gp_wire_put_number(out, token->roles, 2);
    gp_wire_put_number(out, token->expires_ms, 8);
    gp_wire_put_number(out, token->uses, 4);
    gp_wire_put_number(out, token->serial, 8);
    gp_wire_put(out, token->key.b, sizeof token->key.b);
    gp_wire_put_number(out, token->seed_count, 1);
    for (uint32_t i = 0; i < token->seed_count; i++) {
        gp_wire_put_short(out, gp_text(token->seeds[i].address));
        gp_wire_put(out, token->seeds[i].id.b, sizeof token->seeds[i].id.b);
    }
    gp_wire_put_number(out, issuer_cert.n, 2);
    gp_wire_put(out, issuer_cert.p, issuer_cert.n);
}

/* May this key, with this certificate, invite to what the token says? Cuts the token's life. */
static gp_error_t check_issuer(gp_token_t *token, const gp_secret_t *issuer, gp_slice_t issuer_cert)
{
    gp_id_t id = gp_secret_id(issuer);
    gp_grid_id_t grid = gp_grid_id_of(&token->root);
    gp_cert_t cert;
    gp_error_t error = gp_cert_read(issuer_cert, &cert);

    if (error != GP_OK) {
        return error;
    }
    if (!gp_id_equal(&cert.node, &id) || (cert.roles & GP_ROLE_ADMIT) == 0 ||
        !gp_id_equal(&cert.issuer, &token->root)) {
        return GP_E_JOIN_NOT_ISSUER;
    }
    if ((token->roles & ~cert.roles) != 0) {
        return GP_E_CERT_ROLE;
    }
    if (memcmp(grid.b, token->grid.b, sizeof grid.b) != 0 ||
        memcmp(grid.b, cert.grid.b, sizeof grid.b) != 0) {
        return GP_E_TOKEN_GRID;
    }
    if (token->expires_ms > cert.not_after_ms) {
        token->expires_ms = cert.not_after_ms;
    }
    return is_well_formed(token) ? GP_OK : GP_E_TOKEN_FORMAT;
}

gp_error_t gp_token_issue(gp_token_t *token, const gp_secret_t *issuer, gp_slice_t issuer_cert,
                          char ret_text[GP_TOKEN_TEXT_MAX])
{
    uint8_t bytes[GP_TOKEN_MAX];
    uint8_t signature[GP_SIGNATURE_BYTES];
    uint8_t seed[GP_TOKEN_SEED];
    gp_wire_out_t out = gp_wire_out(bytes, sizeof bytes);
    gp_token_t mine = *token;
    gp_secret_t *one_time = NULL;
    gp_error_t error = check_issuer(&mine, issuer, issuer_cert);
    size_t prefix = sizeof GP_TOKEN_PREFIX - 1;

    if (error == GP_OK) {
        error = gp_secret_new(&one_time);
    }
    if (error != GP_OK) {
        return error;
    }
    mine.key = gp_secret_id(one_time);
    write_fields(&out, &mine, issuer_cert);
    assert(!out.failed);
    gp_sign(issuer, GP_TOKEN_CONTEXT, gp_slice(bytes, (size_t)(out.p - bytes)), signature);
    gp_wire_put(&out, signature, sizeof signature);
    gp_secret_seed(one_time, seed);
    gp_wire_put(&out, seed, sizeof seed);
    assert(!out.failed); /* an issuer's certificate has depth 0, so the longest token fits */
    memcpy(ret_text, GP_TOKEN_PREFIX, prefix);
    gp_base64_text(gp_slice(bytes, (size_t)(out.p - bytes)), ret_text + prefix,
                   GP_TOKEN_TEXT_MAX - prefix);
    gp_secret_free(one_time);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(bytes, sizeof bytes);
    token->key = mine.key;
    token->expires_ms = mine.expires_ms;
    return GP_OK;
}

/* The joiner's key and the name that it asks for. The key has a fixed length: nothing is ambiguous.
 */
static size_t proof_bytes(const gp_id_t *node, gp_slice_t name,
                          uint8_t bytes[sizeof(gp_id_t) + GP_NAME_MAX])
{
    assert(name.n <= GP_NAME_MAX);
    memcpy(bytes, node->b, sizeof node->b);
    if (name.n > 0) {
        memcpy(bytes + sizeof node->b, name.p, name.n);
    }
    return sizeof node->b + name.n;
}

void gp_token_prove(const gp_secret_t *one_time, const gp_id_t *node, gp_slice_t name,
                    uint8_t ret_proof[GP_SIGNATURE_BYTES])
{
    uint8_t bytes[sizeof(gp_id_t) + GP_NAME_MAX];
    size_t n = proof_bytes(node, name, bytes);

    gp_sign(one_time, GP_TOKEN_PROOF_CONTEXT, gp_slice(bytes, n), ret_proof);
}

bool gp_token_proven(const gp_id_t *key, const gp_id_t *node, gp_slice_t name,
                     const uint8_t proof[GP_SIGNATURE_BYTES])
{
    uint8_t bytes[sizeof(gp_id_t) + GP_NAME_MAX];

    if (name.n > GP_NAME_MAX) {
        return false;
    }
    return gp_verify(key, GP_TOKEN_PROOF_CONTEXT, gp_slice(bytes, proof_bytes(node, name, bytes)),
                     proof);
}
