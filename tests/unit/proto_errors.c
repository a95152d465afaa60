/* The table of errors: codes and names unique, every entry says what happened and what to do. */
#include "proto/errors.h"

#include <stdbool.h>
#include <string.h>

#include "proto_cmocka.h"

static const gp_error_t errors[] = {
#define GP_E(NAME, code, exit, text, action) GP_E_##NAME,
    GP_ERRORS(GP_E)
#undef GP_E
};
static const size_t error_count = sizeof errors / sizeof errors[0];

static bool is_exit_code(int code)
{
    static const int codes[] = {1, 2, 3, 4, 5, 6, 64, 69, 77};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

static void test_every_error_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < error_count; i++) {
        assert_true(errors[i] > 0 && (int)errors[i] < 65536); /* travels as U16 */
        assert_int_equal(strncmp(gp_error_name(errors[i]), "E_", 2), 0);
        assert_true(strlen(gp_error_text(errors[i])) >= 5);
        assert_true(strlen(gp_error_action(errors[i])) >= 4);
        assert_true(is_exit_code(gp_error_exit(errors[i])));
        for (const char *p = gp_error_text(errors[i]); *p != '\0'; p++) {
            assert_true(*p != '\n' && *p != '|'); /* a row of a table */
        }
    }
}

static void test_codes_names_and_texts_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < error_count; i++) {
        for (size_t k = i + 1; k < error_count; k++) {
            assert_int_not_equal(errors[i], errors[k]);
            assert_string_not_equal(gp_error_name(errors[i]), gp_error_name(errors[k]));
            assert_string_not_equal(gp_error_text(errors[i]), gp_error_text(errors[k]));
        }
    }
}

static void test_other_numbers(void **state)
{
    (void)state;
    assert_string_equal(gp_error_name(GP_E_TOKEN_USED), "E_TOKEN_USED");
    assert_string_equal(gp_error_name((gp_error_t)9999), "E_UNKNOWN");
    assert_true(gp_error_text((gp_error_t)9999)[0] != '\0');
    assert_true(gp_error_action((gp_error_t)9999)[0] != '\0');
    assert_int_equal(gp_error_exit((gp_error_t)9999), GP_EXIT_FAILED);
    assert_string_equal(gp_error_name(GP_OK), "OK");
    assert_string_equal(gp_error_text(GP_OK), "done");
    assert_string_equal(gp_error_action(GP_OK), "none");
    assert_int_equal(gp_error_exit(GP_OK), GP_EXIT_DONE);
    assert_int_equal(gp_error_exit(GP_E_NO_AGENT), GP_EXIT_NO_AGENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_error_is_whole),
        cmocka_unit_test(test_codes_names_and_texts_are_unique),
        cmocka_unit_test(test_other_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
