/*
 * Tokens as text, and invitations as bytes: the first byte chooses. What parses must have one text
 * only, and a secret that belongs to its key.
 */
#include "proto/text.h"
#include "proto/token.h"
#include "tests/fuzz/fuzz.h"

#define NOW UINT64_C(1700000000000)

static void try_text(const uint8_t *data, size_t size)
{
    uint8_t buffer[GP_TOKEN_MAX];
    char text[2 * GP_TOKEN_TEXT_MAX];
    gp_token_t token;
    gp_secret_t *secret = NULL;

    if (size >= sizeof text) {
        return;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    if (gp_token_parse(text, NOW, buffer, &token, &secret) == GP_OK) {
        gp_id_t id = gp_secret_id(secret);
        FUZZ_CHECK(gp_id_equal(&id, &token.key));
        FUZZ_CHECK(token.seed_count > 0 && token.seed_count <= GP_TOKEN_SEEDS_MAX);
        FUZZ_CHECK(token.invitation.n <= GP_TOKEN_MAX);
        gp_secret_free(secret);
    }
}

/* Bytes that decode must encode to the text that they came from. */
static void try_base64(const uint8_t *data, size_t size)
{
    uint8_t bytes[GP_TOKEN_MAX];
    char text[GP_TOKEN_TEXT_MAX];
    size_t n = 0;

    if (gp_base64_parse(gp_slice(data, size), bytes, sizeof bytes, &n) == GP_OK) {
        FUZZ_CHECK(gp_base64_text(gp_slice(bytes, n), text, sizeof text) == size);
        FUZZ_CHECK(memcmp(text, data, size) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    gp_token_t token;

    FUZZ_CHECK(ready || gp_keys_init() == GP_OK);
    ready = true;
    if (size < 1) {
        return 0;
    }
    switch (data[0] % 3) {
    case 0:
        try_text(data + 1, size - 1);
        break;
    case 1:
        try_base64(data + 1, size - 1);
        break;
    default:
        if (size > 1 + sizeof(gp_id_t)) {
            gp_id_t root;
            memcpy(root.b, data + 1, sizeof root.b);
            (void)!gp_invitation_read(gp_slice(data + 1 + sizeof root.b, size - 1 - sizeof root.b),
                                      &root, NOW, &token);
        }
        break;
    }
    return 0;
}
