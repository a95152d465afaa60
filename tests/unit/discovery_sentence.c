/* Bounded text: always terminated, cut at its end. */
#include "discovery/sentence.h"

#include "discovery_driver.h"

static void test_pieces(void **state)
{
    char text[128];
    gp_sentence_t s;
    (void)state;
    gp_sentence_init(&s, text, sizeof text);
    assert_string_equal(text, "");
    gp_sentence_add(&s, "n=");
    gp_sentence_number(&s, 0);
    gp_sentence_add(&s, ",");
    gp_sentence_number(&s, UINT64_MAX);
    gp_sentence_slice(&s, gp_slice("xyz", 2));
    assert_string_equal(text, "n=0,18446744073709551615xy");
    assert_int_equal(s.n, strlen(text));
}

static void test_quotes(void **state)
{
    char text[128];
    gp_sentence_t s;
    (void)state;
    gp_sentence_init(&s, text, sizeof text);
    gp_sentence_quote(&s, gp_text("a\x01\xff z"));
    assert_string_equal(text, "\"a?? z\"");
    gp_sentence_init(&s, text, sizeof text);
    gp_sentence_quote(&s, gp_text("0123456789012345678901234567890123456789"));
    assert_int_equal(s.n, 42);
    gp_sentence_init(&s, text, sizeof text);
    gp_sentence_quote(&s, gp_text("0123456789012345678901234567890123456789X"));
    assert_string_equal(text, "\"0123456789012345678901234567890123456...\"");
}

static void test_cut(void **state)
{
    char text[8];
    gp_sentence_t s;
    (void)state;
    gp_sentence_init(&s, text, 5);
    text[5] = 'Z';
    gp_sentence_add(&s, "abcdefgh");
    gp_sentence_number(&s, 42);
    assert_string_equal(text, "abcd");
    assert_int_equal(s.n, 4);
    assert_int_equal(text[5], 'Z');
    gp_sentence_init(&s, text, 1);
    gp_sentence_add(&s, "x");
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
