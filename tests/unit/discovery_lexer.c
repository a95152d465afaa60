/* Tokens: where they begin and end, and the bytes that are none. */
#include "discovery/lexer.h"

#include "discovery_driver.h"

static void test_tokens(void **state)
{
    static const char text[] = "cpu>=2 And!gpu||(name~='a b',x{1..4GiB})not";
    static const struct {
        gp_token_type_t type;
        uint32_t at;
        const char *text;
    } expected[] = {
        {GP_TOKEN_WORD, 0, "cpu"},    {GP_TOKEN_COMPARE, 3, ">="},  {GP_TOKEN_WORD, 5, "2"},
        {GP_TOKEN_AND, 7, "And"},     {GP_TOKEN_NOT, 10, "!"},      {GP_TOKEN_WORD, 11, "gpu"},
        {GP_TOKEN_OR, 14, "||"},      {GP_TOKEN_OPEN, 16, "("},     {GP_TOKEN_WORD, 17, "name"},
        {GP_TOKEN_COMPARE, 21, "~="}, {GP_TOKEN_STRING, 23, "a b"}, {GP_TOKEN_COMMA, 28, ","},
        {GP_TOKEN_WORD, 29, "x"},     {GP_TOKEN_OPEN_SET, 30, "{"}, {GP_TOKEN_WORD, 31, "1"},
        {GP_TOKEN_DOTS, 32, ".."},    {GP_TOKEN_WORD, 34, "4GiB"},  {GP_TOKEN_CLOSE_SET, 38, "}"},
        {GP_TOKEN_CLOSE, 39, ")"},    {GP_TOKEN_NOT, 40, "not"},    {GP_TOKEN_END, 43, ""},
        {GP_TOKEN_END, 43, ""},
    };
    gp_query_error_t error;
    gp_lexer_t lexer;
    (void)state;
    gp_lexer_init(&lexer, gp_text(text), &error);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(lexer.token.type, expected[i].type);
        assert_int_equal(lexer.token.at, expected[i].at);
        assert_true(gp_slice_equal(gp_lexer_word(&lexer), gp_text(expected[i].text)));
        gp_lexer_advance(&lexer);
    }
    assert_false(gp_lexer_failed(&lexer));
}

static void test_dots(void **state)
{
    static const char *const words[] = {"6.1.0-13+deb12", "mem.free", "100Mbit/s", "50%", "*.?"};
    gp_query_error_t error;
    gp_lexer_t lexer;
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        gp_lexer_init(&lexer, gp_text(words[i]), &error);
        assert_int_equal(lexer.token.type, GP_TOKEN_WORD);
        assert_int_equal(lexer.token.end, strlen(words[i])); /* one word */
    }
    gp_lexer_init(&lexer, gp_text("6.1..6.9"), &error);
    assert_true(gp_slice_equal(gp_lexer_word(&lexer), gp_text("6.1")));
    gp_lexer_advance(&lexer);
    assert_int_equal(lexer.token.type, GP_TOKEN_DOTS);
    gp_lexer_advance(&lexer);
    assert_true(gp_slice_equal(gp_lexer_word(&lexer), gp_text("6.9")));
}

static void test_the_first_error_stays(void **state)
{
    gp_query_error_t error;
    gp_lexer_t lexer;
    (void)state;
    gp_lexer_init(&lexer, gp_text("a ; ;"), &error);
    gp_lexer_advance(&lexer);
    assert_int_equal(lexer.token.type, GP_TOKEN_END);
    assert_null(gp_lexer_fail(&lexer, GP_E_QUERY_LIMIT, 0));
    gp_lexer_advance(&lexer);
    assert_int_equal(lexer.token.type, GP_TOKEN_END);
    gp_lexer_finish(&lexer);
    assert_int_equal(error.error, GP_E_QUERY_SYNTAX);
    assert_int_equal(error.column, 3);
    assert_int_equal(strlen(error.text), error.text_n);
}

static void test_too_long(void **state)
{
    static char text[GP_QUERY_MAX + 1];
    gp_query_error_t error;
    gp_lexer_t lexer;
    (void)state;
    memset(text, ' ', sizeof text);
    gp_lexer_init(&lexer, gp_slice(text, GP_QUERY_MAX), &error);
    assert_int_equal(error.error, GP_OK);
    gp_lexer_init(&lexer, gp_slice(text, GP_QUERY_MAX + 1), &error);
    assert_int_equal(error.error, GP_E_QUERY_LIMIT);
    assert_int_equal(lexer.token.type, GP_TOKEN_END);
}

static void test_utf8(void **state)
{
    static const struct {
        const char *text;
        uint32_t column; /* 0: fine */
    } cases[] = {{"'\xc3\xa9'", 0}, {"'\xe2\x82\xac'", 0}, {"'\xf0\x9f\x98\x80'", 0},
                 {"ab'\xff'", 4},   {"'\xc0\x80'", 2},     {"'\xed\xa0\x80'", 2},
                 {"'\xe2\x82", 2},  {"\xc3\xa9", 1},       {"'a\x7f'", 3}};
    gp_query_error_t error;
    gp_lexer_t lexer;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gp_lexer_init(&lexer, gp_text(cases[i].text), &error);
        gp_lexer_advance(&lexer);
        assert_int_equal(error.column, cases[i].column);
        assert_int_equal(error.error, cases[i].column == 0 ? GP_OK : GP_E_QUERY_SYNTAX);
    }
}

static void test_is(void **state)
{
    (void)state;
    assert_true(gp_lexer_is(gp_text("DESC"), "desc"));
    assert_false(gp_lexer_is(gp_text("des"), "desc"));
    assert_false(gp_lexer_is(gp_text("descx"), "desc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_dots),
        cmocka_unit_test(test_the_first_error_stays),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
