/*
 * The manual page in the tree is that of the table of commands, and each command explains itself.
 * With --rewrite the page is written anew.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli/command.h"
#include "proto_cmocka.h"

static char *page_of_table(void)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    assert_non_null(out);
    gp_cli_man(out, GP_TEST_VERSION);
    (void)fclose(out);
    return text;
}

static char *file_read(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        (void)getdelim(&text, &size, '\0', file);
        (void)fclose(file);
    }
    return text;
}

static void the_page_in_the_tree_is_current(void **state)
{
    (void)state;
    char *now = page_of_table();
    char *committed = file_read(GP_TEST_MAN_PAGE);
    if (committed == NULL || strcmp(now, committed) != 0) {
        print_error("agent/cli/gridpeer.1 is not current: run scripts/man-page\n");
        fail();
    }
    free(now);
    free(committed);
}

static char *help_of(const gp_cli_command_t *command)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    gp_cli_help_command(out, command);
    (void)fclose(out);
    return text;
}

static void each_command_explains_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < gp_cli_command_count; i++) {
        const gp_cli_command_t *command = gp_cli_commands[i];
        char example[128];
        (void)snprintf(example, sizeof example, "gridpeer %s", command->words);
        assert_true(isupper((unsigned char)command->summary[0]));
        assert_true(strlen(command->summary) < 70);
        assert_true(command->words_min <= command->words_max);
        assert_int_equal(command->words_max == 0, command->operands[0] == '\0');
        assert_int_equal(strncmp(command->example, example, strlen(example)), 0);
        char *help = help_of(command);
        assert_non_null(strstr(help, command->example));
        for (size_t o = 0; o < command->option_count; o++) {
            assert_non_null(strstr(help, command->options[o].name));
            assert_int_equal(command->options[o].kind == GP_CLI_FLAG,
                             command->options[o].value == NULL);
            assert_true(command->options[o].min <= command->options[o].max);
        }
        free(help);
    }
}

/* No line of --help is wider than a terminal. */
static void help_fits_a_terminal(void **state)
{
    (void)state;
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    gp_cli_help(out);
    for (size_t i = 0; i < gp_cli_command_count; i++) {
        gp_cli_help_command(out, gp_cli_commands[i]);
    }
    (void)fclose(out);
    char *saved = NULL;
    for (char *line = strtok_r(text, "\n", &saved); line != NULL;
         line = strtok_r(NULL, "\n", &saved)) {
        if (strlen(line) > 120) {
            print_error("%zu columns: %s\n", strlen(line), line);
            fail();
        }
    }
    free(text);
}

static void names_are_unique(void **state)
{
    (void)state;
    for (size_t i = 0; i < gp_cli_command_count; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(gp_cli_commands[i]->words, gp_cli_commands[j]->words);
        }
        for (size_t o = 0; o < gp_cli_commands[i]->option_count; o++) {
            for (size_t c = 0; c < gp_cli_common_option_count; c++) {
                assert_string_not_equal(gp_cli_commands[i]->options[o].name,
                                        gp_cli_common_options[c].name);
            }
        }
    }
}

static int rewrite(void)
{
    char *page = page_of_table();
    FILE *file = fopen(GP_TEST_MAN_PAGE, "w");
    bool good = file != NULL && fputs(page, file) >= 0;
    good = file != NULL && fclose(file) == 0 && good;
    free(page);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_in_the_tree_is_current),
        cmocka_unit_test(each_command_explains_itself),
        cmocka_unit_test(help_fits_a_terminal),
        cmocka_unit_test(names_are_unique),
    };
    if (argc > 1 && strcmp(argv[1], "--rewrite") == 0) {
        return rewrite();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
