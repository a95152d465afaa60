/* Base64url: RFC 4648's vectors, and one text for each value. */
#include "proto/text.h"

#include "proto/random.h"
#include "proto_cmocka.h"

static gp_error_t parse(const char *text, uint8_t *to, size_t size, size_t *ret_n)
{
    return gp_base64_parse(gp_text(text), to, size, ret_n);
}

static void test_vectors(void **state)
{
    static const char *const plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    static const char *const coded[] = {"", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"};
    char text[16];
    uint8_t to[16];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(gp_base64_text(gp_text(plain[i]), text, sizeof text), strlen(coded[i]));
        assert_string_equal(text, coded[i]);
        assert_int_equal(parse(coded[i], to, sizeof to, &n), GP_OK);
        assert_true(gp_slice_equal(gp_slice(to, n), gp_text(plain[i])));
    }
    gp_base64_text(gp_text("\xfb\xff"), text, sizeof text);
    assert_string_equal(text, "-_8");
}

static void test_strict(void **state)
{
    static const char *const bad[] = {"Z",   "Zh",  "Zm9",   "Zg=",      "Zg==", "Z g", "Zg\n",
                                      "-+8", "_/8", "Zm9vY", "\xc3\xa9", "Zm.v", "=",   "-_9"};
    uint8_t to[16];
    size_t n = 42;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(parse(bad[i], to, sizeof to, &n), GP_E_TOKEN_FORMAT);
    }
    assert_int_equal(parse("Zm9v", to, 2, &n), GP_E_TOKEN_FORMAT);
    assert_int_equal(n, 42);
    assert_int_equal(parse("Zm9v", to, 3, &n), GP_OK);
}

static void test_every_byte(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        const uint8_t text[] = {'A', 'A', 'A', (uint8_t)byte};
        bool good = byte != 0 && strchr(alphabet, (int)byte) != NULL;
        uint8_t to[3];
        size_t n = 0;
        assert_int_equal(gp_base64_parse(gp_slice(text, sizeof text), to, sizeof to, &n),
                         good ? GP_OK : GP_E_TOKEN_FORMAT);
        if (good) {
            assert_int_equal(to[2], strchr(alphabet, (int)byte) - alphabet);
        }
    }
}

static void test_round_trip(void **state)
{
    uint8_t bytes[100];
    uint8_t got[100];
    char text[140];
    gp_random_t random;

    (void)state;
    gp_random_init(&random, 3);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        size_t m = 0;
        for (size_t i = 0; i < n; i++) {
            bytes[i] = (uint8_t)gp_random_next(&random);
        }
        gp_base64_text(gp_slice(bytes, n), text, sizeof text);
        assert_int_equal(parse(text, got, sizeof got, &m), GP_OK);
        assert_int_equal(n, m);
        assert_memory_equal(bytes, got, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
