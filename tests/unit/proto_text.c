/* Texts: strict both ways, always terminated. */
#include "proto/text.h"

#include <stdlib.h>

#include "proto/random.h"
#include "proto_cmocka.h"

static void test_ids(void **state)
{
    gp_id_t id = {{0}};
    gp_id_t got;
    char text[GP_ID_TEXT];
    char brief[GP_ID_SHORT_TEXT];
    gp_random_t random;

    (void)state;
    gp_id_text(&id, text);
    assert_string_equal(text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    memcpy(id.b, "foobar", 6); /* RFC 4648, section 10: MZXW6YTBOI====== */
    gp_id_text(&id, text);
    assert_memory_equal(text, "mzxw6ytboi", 9);
    gp_id_short(&id, brief);
    assert_string_equal(brief, "mzxw6ytb");
    memset(&id, 0xff, sizeof id);
    gp_id_text(&id, text);
    assert_string_equal(text, "777777777777777777777777777777777777777777777777777q");
    gp_random_init(&random, 1);
    for (int i = 0; i < 2000; i++) {
        for (size_t k = 0; k < sizeof id.b; k++) {
            id.b[k] = (uint8_t)gp_random_next(&random);
        }
        gp_id_text(&id, text);
        assert_int_equal(strlen(text), GP_ID_TEXT - 1);
        assert_int_equal(gp_id_parse(text, &got), GP_OK);
        assert_true(gp_id_equal(&id, &got));
    }
}

static void test_groups(void **state)
{
    char text[GP_GROUP_TEXT];
    uint64_t got = 42;
    gp_random_t random;

    (void)state;
    gp_group_text(UINT64_C(0x00666f6f62617221), text); /* "foobar!" */
    assert_string_equal(text, "mzxw6ytboiqq");
    gp_random_init(&random, 1);
    for (int i = 0; i < 2000; i++) {
        uint64_t group = gp_random_next(&random) >> 8;
        gp_group_text(group, text);
        assert_int_equal(gp_group_parse(text, &got), GP_OK);
        assert_int_equal(got, group);
    }
    text[GP_GROUP_TEXT - 2] = 'b'; /* one of the four bits left over */
    assert_int_equal(gp_group_parse(text, &got), GP_E_NODE_UNKNOWN);
    assert_int_equal(gp_group_parse("", &got), GP_E_NODE_UNKNOWN);
    assert_int_equal(gp_group_parse("aaaaaaaaaaaaa", &got), GP_E_NODE_UNKNOWN);
}

static void test_ids_that_are_none(void **state)
{
    gp_id_t id = {{1}};
    gp_id_t got = {{42}};
    char text[GP_ID_TEXT + 1];

    (void)state;
    gp_id_text(&id, text);
    for (size_t i = 0; i < GP_ID_TEXT - 1; i++) {
        static const char bad[] = "A018=-.{~ \n\x80";
        char was = text[i];
        for (size_t k = 0; k < sizeof bad - 1; k++) {
            text[i] = bad[k];
            assert_int_equal(gp_id_parse(text, &got), GP_E_NODE_UNKNOWN);
        }
        text[i] = '\0';
        assert_int_equal(gp_id_parse(text, &got), GP_E_NODE_UNKNOWN);
        text[i] = was;
    }
    text[51] = 'b'; /* one of the four bits left over */
    assert_int_equal(gp_id_parse(text, &got), GP_E_NODE_UNKNOWN);
    text[51] = 'a';
    text[52] = 'a';
    text[53] = '\0';
    assert_int_equal(gp_id_parse(text, &got), GP_E_NODE_UNKNOWN);
    assert_int_equal(got.b[0], 42);
}

static void test_grid_ids(void **state)
{
    static const gp_grid_id_t id = {{'f', 'o', 'o', 'b', 'a'}};
    char text[GP_GRID_ID_TEXT];

    (void)state;
    gp_grid_id_text(&id, text);
    assert_string_equal(text, "mzxw6ytbaaaaaaaaaaaaaaaaaa");

    gp_grid_id_t back;
    assert_int_equal(gp_grid_id_parse(text, &back), GP_OK);
    assert_memory_equal(&back, &id, sizeof id);
    assert_int_equal(gp_grid_id_parse("", &back), GP_E_MESSAGE_GRID);
    text[25] = 'b'; /* a bit beyond the last byte */
    assert_int_equal(gp_grid_id_parse(text, &back), GP_E_MESSAGE_GRID);
    text[25] = '\0';
    assert_int_equal(gp_grid_id_parse(text, &back), GP_E_MESSAGE_GRID);
}

static void test_names(void **state)
{
    static const char *const good[] = {
        "a", "0", "n1", "lab-7.example", "a.", "a-", "abcdefghijklmnopqrstuvwxyz012345"};
    static const char *const bad[] = {"",
                                      "-a",
                                      ".a",
                                      "A",
                                      "a_b",
                                      "a b",
                                      "a/b",
                                      "\xc3\xa9",
                                      "a\n",
                                      "..",
                                      "-",
                                      "a\x7f",
                                      "abcdefghijklmnopqrstuvwxyz0123456"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(gp_name_check(gp_text(good[i])), GP_OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(gp_name_check(gp_text(bad[i])), GP_E_NAME);
    }
    assert_int_equal(gp_name_check(gp_slice("a\0b", 3)), GP_E_NAME);
    assert_int_equal(gp_name_check((gp_slice_t){0}), GP_E_NAME);
}

static const char *const bad_addresses[] = {
    "",
    "tcp://",
    "tcp://:",
    "tcp://:80",
    "tcp://127.0.0.1",
    "tcp://127.0.0.1:",
    "tcp://127.0.0.1:0",
    "tcp://127.0.0.1:65536",
    "tcp://127.0.0.1:99999",
    "tcp://127.0.0.1:100000",
    "tcp://127.0.0.1:080",
    "tcp://127.0.0.1:+80",
    "tcp://127.0.0.1: 80",
    "tcp://127.0.0.1:80 ",
    "tcp://127.0.0.1:80/",
    "tcp://127.0.0.256:80",
    "tcp://127.0.0.01:80",
    "tcp://127.0.0:80",
    "tcp://127.0.0.1.1:80",
    "tcp://127.0.0.:80",
    "tcp://.0.0.1:80",
    "tcp://localhost:80",
    "tcp://eth0:80",
    "udp://127.0.0.1:80",
    "TCP://127.0.0.1:80",
    "127.0.0.1:80",
    "tcp://::1:80",
    "tcp://[]:80",
    "tcp://[::1:80",
    "tcp://[::1]80",
    "tcp://[:]:80",
    "tcp://[:::]:80",
    "tcp://[::1::]:80",
    "tcp://[1:2:3:4:5:6:7]:80",
    "tcp://[1:2:3:4:5:6:7:8:9]:80",
    "tcp://[1:2:3:4::5:6:7:8]:80",
    "tcp://[12345::]:80",
    "tcp://[g::]:80",
    "tcp://[fe80::1%eth0]:80",
    "tcp://[1.2.3.4::]:80",
    "tcp://[::1.2.3]:80",
    "tcp://[1:2:3:4:5:6:7:1.2.3.4]:80",
    "tcp://[127.0.0.1]:80",
    "tcp://[*]:80",
    "tcp://**:80",
    "tcp://[0000:0000:0000:0000:0000:0000:0000:0000000000000000000000000000]:80",
};

static void test_addresses(void **state)
{
    static const char *const good[] = {
        "tcp://127.0.0.1:7777",
        "tcp://0.0.0.0:1",
        "tcp://255.255.255.255:65535",
        "tcp://*:7777",
        "tcp://[::]:7777",
        "tcp://[::1]:7777",
        "tcp://[2001:db8::1]:80",
        "tcp://[1:2:3:4:5:6:7:8]:80",
        "tcp://[1::8]:80",
        "tcp://[1:2:3:4:5:6:7::]:80",
        "tcp://[::ffff:192.0.2.1]:80",
        "tcp://[1:2:3:4:5:6:1.2.3.4]:80",
        "tcp://[FE80::A]:80",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (gp_address_check(gp_text(good[i]), false) != GP_OK) {
            fail_msg("refused: %s", good[i]);
        }
    }
    for (size_t i = 0; i < sizeof bad_addresses / sizeof bad_addresses[0]; i++) {
        if (gp_address_check(gp_text(bad_addresses[i]), false) != GP_E_ADDRESS) {
            fail_msg("taken: %s", bad_addresses[i]);
        }
    }
    assert_int_equal(gp_address_check(gp_text("tcp://*:0"), true), GP_OK);
    assert_int_equal(gp_address_check(gp_slice("tcp://*:8\0", 10), true), GP_E_ADDRESS);
}

static void test_copies(void **state)
{
    char to[8];

    (void)state;
    assert_true(gp_text_copy(to, sizeof to, gp_text("seven77")));
    assert_string_equal(to, "seven77");
    assert_false(gp_text_copy(to, sizeof to, gp_text("eight888")));
    assert_string_equal(to, "eight88");
    assert_false(gp_text_copy(to, 4, gp_text("ab\xe2\x82\xac")));
    assert_string_equal(to, "ab"); /* no half of a character */
    assert_true(gp_text_copy(to, 1, gp_text("")));
    assert_false(gp_text_copy(to, 1, gp_text("x")));
    assert_string_equal(to, "");
}

static void test_escapes(void **state)
{
    char to[64];

    (void)state;
    assert_true(gp_text_escape(to, sizeof to, gp_text("plain \xc3\xa9 \xe2\x82\xac")));
    assert_string_equal(to, "plain \xc3\xa9 \xe2\x82\xac");
    assert_true(gp_text_escape(to, sizeof to, gp_text("a\x1b[0m\n\x7f\xff\xc2\x9b")));
    assert_string_equal(to, "a\\x1b[0m\\x0a\\x7f\\xff\\xc2\\x9b");
    assert_true(gp_text_escape(to, sizeof to, gp_text("5\xc2\xa0\xc2\xb5s"))); /* no controls */
    assert_string_equal(to, "5\xc2\xa0\xc2\xb5s");
    assert_true(gp_text_escape(to, sizeof to, gp_slice("a\0b", 3)));
    assert_string_equal(to, "a\\x00b");
    assert_false(gp_text_escape(to, 5, gp_text("ab\n")));
    assert_string_equal(to, "ab"); /* no half of an escape */
    assert_false(gp_text_escape(to, 3, gp_text("a\xc3\xa9")));
    assert_string_equal(to, "a");
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"1500ms", 1500},
                {"90s", 90000},
                {"5m", 300000},
                {"24h", 86400000},
                {"7d", 604800000},
                {"0s", 0},
                {"18446744073709551615ms", UINT64_MAX}};
    static const char *const bad[] = {"",
                                      "s",
                                      "90",
                                      "-1s",
                                      "+1s",
                                      "1.5h",
                                      "1 s",
                                      "1s ",
                                      " 1s",
                                      "1S",
                                      "1h30m",
                                      "1sec",
                                      "1w",
                                      "18446744073709551616ms",
                                      "18446744073709551615s",
                                      "99999999999999999999999d"};
    uint64_t ms = 42;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(gp_duration_parse(good[i].text, &ms), GP_OK);
        assert_true(ms == good[i].ms);
    }
    ms = 42;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(gp_duration_parse(bad[i], &ms), GP_E_USAGE);
    }
    assert_int_equal(ms, 42);
}

/* Against a decoder that goes by code points, over all sequences of two and many of four bytes. */
static bool naive_utf8(const uint8_t *p, size_t n)
{
    static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};
    size_t i = 0;

    while (i < n) {
        size_t length = p[i] < 0x80 ? 1 : p[i] >= 0xf0 ? 4 : p[i] >= 0xe0 ? 3 : 2;
        uint32_t code = length == 1 ? p[i] : p[i] & (0xffU >> (length + 1));
        if (p[i] >= 0xf8 || (p[i] & 0xc0) == 0x80 || i + length > n) {
            return false;
        }
        for (size_t k = 1; k < length; k++) {
            if ((p[i + k] & 0xc0) != 0x80) {
                return false;
            }
            code = code << 6 | (p[i + k] & 0x3f);
        }
        if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
            return false;
        }
        i += length;
    }
    return true;
}

static void test_utf8(void **state)
{
    gp_random_t random;
    uint8_t bytes[4];

    (void)state;
    for (uint32_t x = 0; x < 65536; x++) {
        bytes[0] = (uint8_t)(x >> 8);
        bytes[1] = (uint8_t)x;
        assert_true(gp_text_valid(gp_slice(bytes, 2)) == naive_utf8(bytes, 2));
    }
    gp_random_init(&random, 2);
    for (uint32_t i = 0; i < 2000000; i++) {
        uint64_t x = gp_random_next(&random);
        bytes[0] = (uint8_t)(0xe0 | (x & 0x1f));
        bytes[1] = (uint8_t)(x >> 8);
        bytes[2] = (uint8_t)((x >> 16 & 0x3f) | ((x >> 24 & 7) == 0 ? 0 : 0x80));
        bytes[3] = (uint8_t)((x >> 32 & 0x3f) | ((x >> 40 & 7) == 0 ? 0 : 0x80));
        assert_true(gp_text_valid(gp_slice(bytes, 3)) == naive_utf8(bytes, 3));
        assert_true(gp_text_valid(gp_slice(bytes, 4)) == naive_utf8(bytes, 4));
    }
}

static void test_quotes(void **state)
{
    char to[64];
    (void)state;
    assert_string_equal(gp_text_quote("/a/b-1.c", to, sizeof to), "/a/b-1.c");
    assert_string_equal(gp_text_quote("/a b", to, sizeof to), "'/a b'");
    assert_string_equal(gp_text_quote("/a'$(x)", to, sizeof to), "'/a'\\''$(x)'");
    assert_string_equal(gp_text_quote("", to, sizeof to), "''");
    assert_string_equal(gp_text_quote("0123 56789", to, 12), "'0123 '"); /* cut, and still closed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_ids_that_are_none),
        cmocka_unit_test(test_grid_ids),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
