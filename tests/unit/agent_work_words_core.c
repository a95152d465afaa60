/* Commands in bounded memory, and the short texts of reasons. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/work/work_state.h"

static void words_come_back_as_they_went(void **state)
{
    static gp_record_word_t args[GP_ARGS_MAX];
    static gp_record_word_t env[GP_ARGS_MAX];
    gp_record_word_t in_args[3] = {{gp_text("sh")}, {gp_text("")}, {gp_text("a b\nc")}};
    gp_record_word_t in_env[1] = {{gp_text("A=ü")}};
    work_words_t words = {.where = gp_text("cpu > 1"),
                          .rank = gp_text(""),
                          .args = in_args,
                          .args_count = 3,
                          .env = in_env,
                          .env_count = 1};
    work_words_t back;
    uint8_t bytes[64];
    uint32_t used = 0;

    (void)state;
    assert_int_equal(gp_work_words_pack(&words, bytes, sizeof bytes, &used), GP_OK);
    gp_work_words_unpack(gp_slice(bytes, used), &back, args, env);
    assert_true(gp_slice_equal(back.where, words.where) && back.rank.n == 0);
    assert_int_equal(back.args_count, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(gp_slice_equal(args[i].text, in_args[i].text));
    }
    assert_int_equal(back.env_count, 1);
    assert_true(gp_slice_equal(env[0].text, in_env[0].text));
    for (uint32_t size = 0; size < used; size++) { /* one byte too few, anywhere */
        uint32_t untouched = 99;

        assert_int_equal(gp_work_words_pack(&words, bytes, size, &untouched), GP_E_RUN_LIMIT);
        assert_int_equal(untouched, 99);
    }
}

static void limits_are_kept(void **state)
{
    static uint8_t to[GP_MESSAGE_MAX];
    static uint8_t big[GP_ARGS_BYTES_MAX + 1];
    gp_record_word_t args[2] = {{gp_slice(big, GP_ARGS_BYTES_MAX - 4)}, {gp_text("four")}};
    gp_record_word_t env[2] = {{gp_slice(big, GP_ENV_BYTES_MAX)}, {gp_text("x")}};
    work_words_t words = {.args = args, .args_count = 2, .env = env, .env_count = 1};
    uint32_t used;

    (void)state;
    memset(big, 'x', sizeof big);
    assert_int_equal(gp_work_words_pack(&words, to, sizeof to, &used), GP_OK);
    words.env_count = 2;
    assert_int_equal(gp_work_words_pack(&words, to, sizeof to, &used), GP_E_RUN_LIMIT);
    words.env_count = 1;
    args[1].text = gp_text("fives");
    assert_int_equal(gp_work_words_pack(&words, to, sizeof to, &used), GP_E_RUN_LIMIT);
    args[1].text = gp_text("four");
    words.where = gp_slice(big, GP_QUERY_MAX + 1);
    assert_int_equal(gp_work_words_pack(&words, to, sizeof to, &used), GP_E_RUN_LIMIT);
    words.where = gp_text("\xff");
    assert_int_equal(gp_work_words_pack(&words, to, sizeof to, &used), GP_E_MESSAGE_DECODE);
    words.where = gp_text("");
    args[1].text = gp_slice("a\0b", 3);
    assert_int_equal(gp_work_words_pack(&words, to, sizeof to, &used), GP_E_MESSAGE_DECODE);
    args[1].text = gp_text("four");
    words.rank = gp_slice(big, GP_QUERY_MAX + 1);
    assert_int_equal(gp_work_words_pack(&words, to, sizeof to, &used), GP_E_RUN_LIMIT);
    words.rank = gp_text("\xff");
    assert_int_equal(gp_work_words_pack(&words, to, sizeof to, &used), GP_E_MESSAGE_DECODE);
    words.rank = gp_text("");
    assert_int_equal(gp_work_words_pack(&words, to, sizeof to, &used), GP_OK);
    env[0].text = gp_text("A=\xff");
    assert_int_equal(gp_work_words_pack(&words, to, sizeof to, &used), GP_E_MESSAGE_DECODE);
}

static void the_default_holds_the_largest_command(void **state)
{
    static uint8_t to[GP_MESSAGE_MAX];
    static uint8_t big[GP_ARGS_BYTES_MAX];
    static gp_record_word_t args[GP_ARGS_MAX];
    static gp_record_word_t env[GP_ARGS_MAX];
    work_words_t words = {
        .args = args, .args_count = GP_ARGS_MAX, .env = env, .env_count = GP_ARGS_MAX};
    gp_work_config_t config;
    uint32_t used;

    (void)state;
    memset(big, 'x', sizeof big);
    for (int i = 0; i < GP_ARGS_MAX; i++) {
        args[i].text = gp_slice(big, GP_ARGS_BYTES_MAX / GP_ARGS_MAX);
        env[i].text = gp_slice(big, GP_ENV_BYTES_MAX / GP_ARGS_MAX);
    }
    words.where = gp_slice(big, GP_QUERY_MAX);
    words.rank = gp_slice(big, GP_QUERY_MAX);
    gp_work_config_default(&config);
    assert_int_equal(gp_work_words_pack(&words, to, config.command_bytes, &used), GP_OK);
    assert_int_equal(used, config.command_bytes);
}

static void texts_are_cut_before_a_character(void **state)
{
    work_text_t text = {0};
    work_name_t name;
    uint8_t long_text[GP_REASON_TEXT_MAX + 4];

    (void)state;
    memset(long_text, 'x', sizeof long_text);
    memcpy(long_text + GP_REASON_TEXT_MAX - 1, "\xc3\xbc", 2);
    gp_work_text_set(&text, gp_slice(long_text, GP_REASON_TEXT_MAX + 1));
    assert_int_equal(text.n, GP_REASON_TEXT_MAX - 1);
    gp_work_text_add(&text, gp_text("yz"));
    assert_int_equal(text.n, GP_REASON_TEXT_MAX);
    gp_work_text_add(&text, gp_text("more"));
    assert_int_equal(text.n, GP_REASON_TEXT_MAX);
    gp_work_text_set(&text, gp_text("bad \xff bytes"));
    assert_int_equal(text.n, 0);
    gp_work_text_set(&text, gp_slice(NULL, 0));
    assert_int_equal(text.n, 0);
    gp_work_name_set(&name, gp_text("0123456789012345678901234567890\xe2\x82\xac"));
    assert_int_equal(name.n, 31);
    gp_work_name_set(&name, gp_text("\xff"));
    assert_int_equal(name.n, 0);
}

static void numbers_are_written_whole(void **state)
{
    work_text_t text = {0};

    (void)state;
    gp_work_text_number(&text, 0);
    gp_work_text_add(&text, gp_text(" "));
    gp_work_text_number(&text, 1000);
    gp_work_text_add(&text, gp_text(" "));
    gp_work_text_number(&text, UINT64_MAX);
    assert_true(gp_slice_equal(gp_work_text_slice(&text), gp_text("0 1000 18446744073709551615")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_come_back_as_they_went),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(the_default_holds_the_largest_command),
        cmocka_unit_test(texts_are_cut_before_a_character),
        cmocka_unit_test(numbers_are_written_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
