/* From argv to a command. */
#include "agent/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli/command.h"

#define TIMEOUT_MAX_MS UINT64_C(604800000)

const gp_cli_option_t gp_cli_common_options[] = {
    {"json", GP_CLI_FLAG, NULL, "print one JSON document", 0, 0},
    {"fields", GP_CLI_TEXT, "A,B", "print only these fields; '?' lists them and does nothing", 0,
     0},
    {"timeout", GP_CLI_DURATION, "DURATION", "give up after this long: 500ms, 10s, 5m", 1,
     TIMEOUT_MAX_MS},
    {"dir", GP_CLI_TEXT, "DIR", "where agents keep their state (or GRIDPEER_DIR)", 0, 0},
    {"node", GP_CLI_TEXT, "NAME", "which agent of this machine (or GRIDPEER_NODE)", 0, 0},
    {"help", GP_CLI_FLAG, NULL, "explain the command, with an example", 0, 0},
};
const size_t gp_cli_common_option_count =
    sizeof gp_cli_common_options / sizeof gp_cli_common_options[0];

const gp_cli_command_t *const gp_cli_commands[] = {
    &gp_cli_init,
    &gp_cli_invite,
    &gp_cli_join,
    &gp_cli_region_add,
    &gp_cli_leave,
    &gp_cli_agent,
    &gp_cli_stop,
    &gp_cli_status,
    &gp_cli_node_list,
    &gp_cli_subgrid_list,
    &gp_cli_subgrid_show,
    &gp_cli_region_list,
    &gp_cli_region_show,
    &gp_cli_topology,
    &gp_cli_find,
    &gp_cli_run_command,
    &gp_cli_ps,
    &gp_cli_cancel,
    &gp_cli_log,
    &gp_cli_replay,
    &gp_cli_config,
    &gp_cli_sim_up,
    &gp_cli_sim_status,
    &gp_cli_sim_kill,
    &gp_cli_sim_freeze,
    &gp_cli_sim_thaw,
    &gp_cli_sim_start,
    &gp_cli_sim_down,
    &gp_cli_sim_run_command,
};
const size_t gp_cli_command_count = sizeof gp_cli_commands / sizeof gp_cli_commands[0];

/* ---- which command -----------------------------------------------------------------------------
 */

/* How many of the words at argv are the name `words`; 0 if they are not. */
static int words_match(const char *words, int argc, char **argv)
{
    int matched = 0;
    while (*words != '\0') {
        size_t n = strcspn(words, " ");
        if (matched == argc || strlen(argv[matched]) != n || memcmp(argv[matched], words, n) != 0) {
            return 0;
        }
        matched++;
        words += n + (words[n] == ' ' ? 1 : 0);
    }
    return matched;
}

static const gp_cli_command_t *command_find(int argc, char **argv, int *ret_words)
{
    for (size_t i = 0; i < gp_cli_command_count; i++) {
        const gp_cli_command_t *command = gp_cli_commands[i];
        int n = words_match(command->words, argc, argv);
        if (n == 0 && command->alias != NULL) {
            n = words_match(command->alias, argc, argv);
        }
        if (n > 0) {
            *ret_words = n;
            return command;
        }
    }
    return NULL;
}

/* "sim" alone, or with a wrong verb: what verbs are there? */
static bool group_list(const char *word, char *verbs, size_t size, const char **ret_names,
                       size_t *ret_count)
{
    size_t n = strlen(word);
    size_t used = 0;
    *ret_count = 0;
    for (size_t i = 0; i < gp_cli_command_count; i++) {
        const char *words = gp_cli_commands[i]->words;
        if (strncmp(words, word, n) != 0 || words[n] != ' ') {
            continue;
        }
        ret_names[(*ret_count)++] = words + n + 1;
        int more =
            snprintf(verbs + used, size - used, "%s%s", used == 0 ? "" : ", ", words + n + 1);
        used += more < 0 || (size_t)more >= size - used ? 0 : (size_t)more;
    }
    return *ret_count > 0;
}

static int command_unknown(gp_cli_t *cli, int argc, char **argv)
{
    const char *names[2 * GP_CLI_OPTIONS_MAX];
    char verbs[256] = "";
    size_t count = 0;
    if (group_list(argv[0], verbs, sizeof verbs, names, &count)) {
        const char *nearest = argc > 1 ? gp_cli_nearest(argv[1], names, count) : NULL;
        if (nearest != NULL) {
            return gp_cli_usage(cli, "no command '%s %s': did you mean '%s %s'?", argv[0], argv[1],
                                argv[0], nearest);
        }
        return gp_cli_usage(cli, "'%s' is followed by one of: %s", argv[0], verbs);
    }
    for (size_t i = 0; i < gp_cli_command_count; i++) {
        names[count++] = gp_cli_commands[i]->words;
        if (gp_cli_commands[i]->alias != NULL) {
            names[count++] = gp_cli_commands[i]->alias;
        }
    }
    const char *nearest = gp_cli_nearest(argv[0], names, count);
    if (nearest != NULL) {
        return gp_cli_usage(cli, "no command '%s': did you mean '%s'?", argv[0], nearest);
    }
    return gp_cli_usage(cli, "no command '%s'", argv[0]);
}

/* ---- running it ---------------------------------------------------------------------------------
 */

static int operands_check(gp_cli_t *cli)
{
    const gp_cli_command_t *command = cli->command;
    const gp_cli_args_t *args = &cli->args;
    if (args->word_count < command->words_min) {
        return gp_cli_usage(cli, "%s needs %s", command->words, command->operands);
    }
    if (args->word_count > command->words_max) {
        const char *extra = args->words[command->words_max];
        if (command->rest) {
            char quoted[GP_CLI_DETAIL_MAX];
            return gp_cli_usage(cli,
                                "%s takes no operand, not '%s'; a program stands behind --: "
                                "gridpeer %s -- %s",
                                command->words, extra, command->words,
                                gp_text_quote(extra, quoted, sizeof quoted));
        }
        if (command->words_max == 0) {
            return gp_cli_usage(cli, "%s takes no operand, not '%s'", command->words, extra);
        }
        return gp_cli_usage(cli, "%s takes only %s: '%s' is too much", command->words,
                            command->operands, extra);
    }
    if (!command->rest && args->rest_count > 0) {
        return gp_cli_usage(cli, "%s takes nothing after --", command->words);
    }
    return GP_EXIT_DONE;
}

static int command_run(gp_cli_t *cli, int argc, char **argv)
{
    char why[GP_CLI_DETAIL_MAX];
    const gp_cli_command_t *command = cli->command;
    gp_cli_options_t options = {.own = command->options,
                                .own_count = command->option_count,
                                .common = gp_cli_common_options,
                                .common_count = gp_cli_common_option_count};
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        cli->json = cli->json || strcmp(argv[i], "--json") == 0;
    }
    if (!gp_cli_args_read(argc, argv, &options, &cli->args, why, sizeof why)) {
        return gp_cli_usage(cli, "%s", why);
    }
    cli->json = gp_cli_flag(&cli->args, "json");
    if (gp_cli_flag(&cli->args, "help")) {
        gp_cli_help_command(cli->out, command);
        return GP_EXIT_DONE;
    }
    cli->fields = gp_cli_text(&cli->args, "fields", NULL);
    cli->timeout_ms = gp_cli_number(&cli->args, "timeout", command->timeout_ms);
    cli->began = gp_cli_clock_ms();
    cli->deadline = cli->timeout_ms == 0 ? 0 : cli->began + cli->timeout_ms;
    int code = GP_EXIT_DONE;
    if (!gp_cli_fields_read(cli, &code)) {
        return code;
    }
    code = operands_check(cli);
    if (code == GP_EXIT_DONE) {
        code = gp_cli_place_read(cli);
    }
    return code == GP_EXIT_DONE ? command->run(cli) : code;
}

/* Options before the command: how many words they take; the value of --dir DIR goes with it. */
static int options_before(int argc, char **argv)
{
    int n = 0;
    while (n < argc && strncmp(argv[n], "--", 2) == 0) {
        const char *name = argv[n] + 2;
        bool value = false;
        for (size_t i = 0; i < gp_cli_common_option_count; i++) {
            const gp_cli_option_t *option = &gp_cli_common_options[i];
            value = value || (option->kind != GP_CLI_FLAG && strcmp(option->name, name) == 0);
        }
        n += value && n + 1 < argc ? 2 : 1;
    }
    return n;
}

/* gridpeer [OPTION...] WORDS [OPTION...]: the command, with all options behind its words. */
static int command_line(gp_cli_t *cli, int argc, char **argv)
{
    int before = options_before(argc, argv);
    int words = 0;
    if (before == argc) {
        return gp_cli_usage(cli, "a command is missing");
    }
    cli->command = command_find(argc - before, argv + before, &words);
    if (cli->command == NULL) {
        return command_unknown(cli, argc - before, argv + before);
    }
    char **line = calloc((size_t)argc + 1, sizeof *line);
    if (line == NULL) {
        return gp_cli_fail(cli, GP_E_MEMORY, NULL, "reading the command line");
    }
    memcpy(line, argv, (size_t)before * sizeof *line);
    memcpy(line + before, argv + before + words, (size_t)(argc - before - words) * sizeof *line);
    int code = command_run(cli, argc - words, line);
    free(line);
    return code;
}

int gp_cli_run(int argc, char **argv, const gp_cli_backend_t *backend, FILE *out, FILE *err)
{
    gp_cli_t *cli = calloc(1, sizeof *cli);
    if (cli == NULL) {
        return GP_EXIT_FAILED;
    }
    cli->backend = backend;
    cli->out = out;
    cli->err = err;
    int code = GP_EXIT_DONE;
    const char *first = argc > 1 ? argv[1] : "";
    if (argc < 2) {
        gp_cli_help(err);
        code = GP_EXIT_USAGE;
    } else if (strcmp(first, "--version") == 0) {
        (void)fprintf(out, "gridpeer %s\n", backend->version);
    } else if (strcmp(first, "--man") == 0) {
        gp_cli_man(out, backend->version);
    } else if (argc == 2 && (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 ||
                             strcmp(first, "help") == 0)) {
        gp_cli_help(out);
    } else if (strcmp(first, "help") == 0) {
        int words = 0;
        cli->command = command_find(argc - 2, argv + 2, &words);
        if (cli->command == NULL) {
            code = command_unknown(cli, argc - 2, argv + 2);
        } else {
            gp_cli_help_command(out, cli->command);
        }
    } else {
        code = command_line(cli, argc - 1, argv + 1);
    }
    if (fflush(out) != 0 && code == GP_EXIT_DONE) {
        code = gp_cli_fail(cli, GP_E_SYSTEM, "make room, or look at who reads it",
                           "the output could not be written: %s", strerror(errno));
    }
    free(cli);
    return code;
}

int gp_cli_main(int argc, char **argv, const gp_cli_backend_t *backend)
{
    return gp_cli_run(argc, argv, backend, stdout, stderr);
}
