#include "agent/cli/options.h"

#include <string.h>

#include "proto_cmocka.h"

static const gp_cli_option_t own[] = {
    {"limit", GP_CLI_NUMBER, "N", "", 1, 64},
    {"where", GP_CLI_TEXT, "QUERY", "", 0, 0},
    {"expires", GP_CLI_DURATION, "DURATION", "", 1000, 86400000},
    {"hours", GP_CLI_HOURS, "H", "", 1, 3600000000},
    {"env", GP_CLI_LIST, "NAME=VALUE", "", 0, 0},
};
static const gp_cli_option_t common[] = {{"json", GP_CLI_FLAG, NULL, "", 0, 0},
                                         {"help", GP_CLI_FLAG, NULL, "", 0, 0}};
static const gp_cli_options_t options = {
    .own = own, .own_count = 5, .common = common, .common_count = 2};

#define WORDS_MAX 128

/* Reads a line split at blanks; "~" stands for an empty word. */
static bool read_line(const char *line, gp_cli_args_t *args, char why[256])
{
    static char text[4096];
    static char *words[WORDS_MAX];
    int count = 0;
    assert_true(strlen(line) < sizeof text);
    memcpy(text, line, strlen(line) + 1);
    char *saved = NULL;
    for (char *at = strtok_r(text, " ", &saved); at != NULL; at = strtok_r(NULL, " ", &saved)) {
        assert_true(count < WORDS_MAX);
        words[count++] = strcmp(at, "~") == 0 ? at + 1 : at;
    }
    why[0] = '\0';
    return gp_cli_args_read(count, words, &options, args, why, 256);
}

static void options_and_words_may_be_mixed(void **state)
{
    (void)state;
    gp_cli_args_t args;
    char why[256];
    assert_true(read_line("lab --limit 3 --json east --where=a=b --expires 24h", &args, why));
    assert_int_equal(args.word_count, 2);
    assert_string_equal(args.words[0], "lab");
    assert_string_equal(args.words[1], "east");
    assert_int_equal(gp_cli_number(&args, "limit", 0), 3);
    assert_string_equal(gp_cli_text(&args, "where", NULL), "a=b");
    assert_int_equal(gp_cli_number(&args, "expires", 0), 86400000);
    assert_true(gp_cli_flag(&args, "json"));
    assert_false(gp_cli_flag(&args, "help"));
    assert_null(args.rest);
    assert_int_equal(gp_cli_number(&args, "hours", 7), 7);
    assert_string_equal(gp_cli_text(&args, "env", "none"), "none");
}

static void what_follows_two_dashes_is_left_alone(void **state)
{
    (void)state;
    gp_cli_args_t args;
    char why[256];
    assert_true(read_line("--json -- sh -c --limit --", &args, why));
    assert_int_equal(args.word_count, 0);
    assert_int_equal(args.rest_count, 4);
    assert_string_equal(args.rest[0], "sh");
    assert_string_equal(args.rest[3], "--");
    assert_true(read_line("--", &args, why));
    assert_non_null(args.rest);
    assert_int_equal(args.rest_count, 0);
}

static void lists_may_be_repeated(void **state)
{
    (void)state;
    gp_cli_args_t args;
    char why[256];
    assert_true(read_line("--env A=1 --json --env B=2", &args, why));
    assert_string_equal(gp_cli_given(&args, "env", 0)->text, "A=1");
    assert_string_equal(gp_cli_given(&args, "env", 1)->text, "B=2");
    assert_null(gp_cli_given(&args, "env", 2));
}

static void help_has_a_short_form(void **state)
{
    (void)state;
    gp_cli_args_t args;
    char why[256];
    assert_true(read_line("-h", &args, why));
    assert_true(gp_cli_flag(&args, "help"));
    assert_true(read_line("-", &args, why));
    assert_string_equal(args.words[0], "-");
}

static void hours_have_decimals(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        uint64_t ms;
    } good[] = {{"--hours 1", 3600000},
                {"--hours 0.5", 1800000},
                {"--hours 1.25", 4500000},
                {"--hours 0.001", 3600},
                {"--hours 1000", 3600000000}};
    gp_cli_args_t args;
    char why[256];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(read_line(good[i].line, &args, why));
        assert_true(gp_cli_number(&args, "hours", 0) == good[i].ms);
    }
}

static void wrong_lines_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *why;
    } bad[] = {
        {"--limt 3", "no option --limt: did you mean --limit?"},
        {"--jsno", "no option --jsno: did you mean --json?"},
        {"--zzzzzz", "no option --zzzzzz"},
        {"--", NULL},
        {"-x", "no option -x: options are written out, and a program's own come after --"},
        {"--limit", "--limit needs a value: --limit N"},
        {"--limit -- x", "--limit needs a value: --limit N"},
        {"--limit three", "--limit takes a whole number, not 'three'"},
        {"--limit 3x", "--limit takes a whole number, not '3x'"},
        {"--limit -3", "--limit takes a whole number, not '-3'"},
        {"--limit ~", "--limit takes a whole number, not ''"},
        {"--where ~", "--where needs a value, and '' is none: --where QUERY"},
        {"--where=", "--where needs a value, and '' is none: --where QUERY"},
        {"--env ~", "--env needs a value, and '' is none: --env NAME=VALUE"},
        {"--limit 0", "--limit must be 1 to 64, not '0'"},
        {"--limit 65", "--limit must be 1 to 64, not '65'"},
        {"--limit 99999999999999999999999", "--limit takes a whole number, not "
                                            "'99999999999999999999999'"},
        {"--expires soon", "--expires takes a duration such as 500ms, 10s, 5m, 24h or 7d, not "
                           "'soon'"},
        {"--expires 1ms", "--expires must be 1s to 1d, not '1ms'"},
        {"--hours 1.2345", "--hours takes hours, such as 1 or 0.5, not '1.2345'"},
        {"--hours .", "--hours takes hours, such as 1 or 0.5, not '.'"},
        {"--hours 0", "--hours must be 0.001 to 1000, not '0'"},
        {"--limit 3 --limit 4", "--limit is given twice"},
        {"--json=yes", "--json takes no value"},
    };
    gp_cli_args_t args;
    char why[256];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(read_line(bad[i].line, &args, why), bad[i].why == NULL);
        assert_string_equal(why, bad[i].why == NULL ? "" : bad[i].why);
    }
}

static void repeat(char *line, const char *piece, size_t count)
{
    size_t n = strlen(piece);
    for (size_t i = 0; i < count; i++) {
        memcpy(line + i * n, piece, n + 1);
    }
}

static void lines_have_limits(void **state)
{
    (void)state;
    static char line[4096];
    gp_cli_args_t args;
    char why[256];
    repeat(line, "w ", GP_CLI_WORDS_MAX + 1);
    assert_false(read_line(line, &args, why));
    assert_string_equal(why, "more than 80 words");
    repeat(line, "--env=a=b ", GP_CLI_OPTIONS_MAX + 1);
    assert_false(read_line(line, &args, why));
    assert_string_equal(why, "more than 64 options");
}

static void near_words_are_found(void **state)
{
    (void)state;
    static const char *const words[] = {"status", "stop", "sim up", "nodes", "ps"};
    assert_int_equal(gp_cli_distance("", "abc"), 3);
    assert_int_equal(gp_cli_distance("abc", "abc"), 0);
    assert_int_equal(gp_cli_distance("ab", "ba"), 1);
    assert_int_equal(gp_cli_distance("status", "sttaus"), 1);
    assert_int_equal(gp_cli_distance("kitten", "sitting"), 3);
    assert_string_equal(gp_cli_nearest("sttaus", words, 5), "status");
    assert_string_equal(gp_cli_nearest("node", words, 5), "nodes");
    assert_null(gp_cli_nearest("explain", words, 5));
    assert_null(gp_cli_nearest("a-word-of-more-than-thirty-two-letters", words, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_words_may_be_mixed),
        cmocka_unit_test(what_follows_two_dashes_is_left_alone),
        cmocka_unit_test(lists_may_be_repeated),
        cmocka_unit_test(help_has_a_short_form),
        cmocka_unit_test(hours_have_decimals),
        cmocka_unit_test(wrong_lines_are_explained),
        cmocka_unit_test(lines_have_limits),
        cmocka_unit_test(near_words_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
