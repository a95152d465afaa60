/*
 * Writes seeds for the fuzzers into DIR/message, DIR/envelope, DIR/cert and DIR/token (which must
 * exist): two small messages of every kind, and what is signed. Made from the tables rather than
 * kept in the tree, so that they never fall behind.
 */
#include <stdio.h>

#include "proto/envelope.h"
#include "proto/text.h"
#include "proto/token.h"
#include "tests/unit/proto_sample.h"

#define NOW        UINT64_C(1700000000000)
#define SEED_BYTES 2000U /* larger seeds only slow the fuzzers down */

static gp_msg_t msg;
static uint8_t bytes[SAMPLE_PACKED_MAX];

static bool write_seed(const char *dir, const char *corpus, unsigned number, size_t n)
{
    char path[512];
    FILE *file;
    bool ok;

    snprintf(path, sizeof path, "%s/%s/seed-%04u", dir, corpus, number);
    file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    ok = fwrite(bytes, 1, n, file) == n;
    return fclose(file) == 0 && ok;
}

static bool write_message(const char *dir, unsigned number)
{
    const gp_sealer_t sealer = {.signer = &gp_signer_standin};
    const gp_envelope_t head = {.source = {{1}}, .destination = {{2}}, .sent_ms = NOW};
    gp_scope_t scope = gp_msg_scope(msg.kind);
    size_t n = 0;

    bytes[0] = (uint8_t)(msg.kind >> 8);
    bytes[1] = (uint8_t)msg.kind;
    if (gp_msg_pack(&msg, bytes + 2, SEED_BYTES, &n) != GP_OK) {
        return true; /* too large for a seed */
    }
    if (!write_seed(dir, "message", number, n + 2)) {
        return false;
    }
    if (scope == GP_SCOPE_SIGNED) {
        return gp_envelope_seal(&head, &msg, &sealer, bytes, GP_MESSAGE_MAX, &n) == GP_OK &&
               write_seed(dir, "envelope", number, n);
    }
    if (scope == GP_SCOPE_LINK) {
        return gp_envelope_link(&msg, bytes, GP_MESSAGE_MAX, &n) == GP_OK &&
               write_seed(dir, "envelope", number, n);
    }
    return true;
}

/* A founder's certificate, a member's under it, and a token. Keys are of fixed seeds. */
static bool write_signed(const char *dir)
{
    static const uint8_t seeds[2][32] = {{1}, {2}};
    gp_secret_t *root = NULL;
    gp_secret_t *founder = NULL;
    uint8_t first[GP_TOKEN_MAX];
    gp_cert_t cert = {.roles = GP_ROLE_ALL,
                      .not_before_ms = NOW,
                      .not_after_ms = NOW * 2,
                      .name = "n1",
                      .region = "lab"};
    gp_token_t token = {.region = "lab", .roles = 1, .uses = 1, .seed_count = 1};
    size_t n = 0;
    size_t m = 0;
    bool ok = gp_keys_init() == GP_OK && gp_secret_from_seed(seeds[0], &root) == GP_OK &&
              gp_secret_from_seed(seeds[1], &founder) == GP_OK;

    if (!ok) {
        return false;
    }
    token.root = gp_secret_id(root);
    token.grid = cert.grid = gp_grid_id_of(&token.root);
    token.expires_ms = NOW * 2;
    cert.node = gp_secret_id(founder);
    gp_text_copy(token.seeds[0].address, GP_ADDRESS_MAX + 1, gp_text("tcp://127.0.0.1:7777"));
    ok = gp_cert_issue(&cert, root, (gp_slice_t){0}, first, &n) == GP_OK;
    memcpy(bytes, first, n);
    ok = ok && write_seed(dir, "cert", 0, n) &&
         gp_cert_issue(&cert, founder, gp_slice(first, n), bytes, &m) == GP_OK &&
         write_seed(dir, "cert", 1, m);
    bytes[0] = 0;
    ok = ok && gp_token_issue(&token, founder, gp_slice(first, n), (char *)bytes + 1) == GP_OK &&
         write_seed(dir, "token", 0, 1 + strlen((char *)bytes + 1));
    ok = ok && gp_base64_parse(gp_text((char *)bytes + 5), first, sizeof first, &n) == GP_OK;
    bytes[0] = 2;
    memcpy(bytes + 1, token.root.b, sizeof token.root.b);
    memcpy(bytes + 1 + sizeof token.root.b, first, n - sizeof seeds[0]);
    ok = ok && write_seed(dir, "token", 1, 1 + n);
    gp_secret_free(root);
    gp_secret_free(founder);
    return ok;
}

int main(int argc, char **argv)
{
    gp_random_t random;
    unsigned number = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s DIR\n", argv[0]);
        return 64;
    }
    gp_random_init(&random, 1);
    for (size_t k = 0; k < 2 * sample_kind_count; k++) {
        sample_message(&random, sample_kinds[k % sample_kind_count], &msg);
        if (!write_message(argv[1], number++)) {
            return 1;
        }
    }
    return write_signed(argv[1]) ? 0 : 1;
}
