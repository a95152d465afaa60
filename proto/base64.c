#include <sodium.h>

#include "proto/text.h"

#define GP_BASE64 sodium_base64_VARIANT_URLSAFE_NO_PADDING

size_t gp_base64_text(gp_slice_t bytes, char *text, size_t size)
{
    assert(size >= sodium_base64_encoded_len(bytes.n, GP_BASE64));
    sodium_bin2base64(text, size, bytes.p, bytes.n, GP_BASE64);
    return sodium_base64_encoded_len(bytes.n, GP_BASE64) - 1;
}

/*
 * libsodium 1.0.18 takes some bytes above 0x7f for '-' or '_' (its EQ() sees them with their sign
 * extended), so that one value would have several texts.
 */
static bool is_alphabet(gp_slice_t text)
{
    for (uint32_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_')) {
            return false;
        }
    }
    return true;
}

gp_error_t gp_base64_parse(gp_slice_t text, uint8_t *to, size_t size, size_t *ret_n)
{
    size_t n = 0;

    if (!is_alphabet(text) ||
        sodium_base642bin(to, size, (const char *)text.p, text.n, NULL, &n, NULL, GP_BASE64) != 0) {
        return GP_E_TOKEN_FORMAT;
    }
    *ret_n = n;
    return GP_OK;
}
