#include "agent/cli/setup.h"

#include <string.h>

/* The agent serves, and --timeout was over before it answered. */
static void late_note(gp_cli_t *cli, const char *name)
{
    char look[4 * GP_CLI_PATH_MAX];
    gp_cli_next_node(cli, "status", name, look, sizeof look);
    gp_cli_note(cli, "%s has joined, and its agent is still starting; look at it: %s", name, look);
}

static void join_print(gp_cli_t *cli, const json_t *item, bool answers, bool adds)
{
    char start[4 * GP_CLI_PATH_MAX];
    const char *name = json_string_value(json_object_get(item, "name"));
    const char *region = json_string_value(json_object_get(item, "region"));
    bool started = json_is_true(json_object_get(item, "started"));
    (void)fprintf(cli->out, adds ? "%s is the first machine of the region %s\n"
                                 : "%s is a machine of the region %s\n",
                  name, region);
    gp_cli_member_print(cli, item);
    if (answers) {
        gp_cli_next_node(cli, "status", name, start, sizeof start);
        (void)fprintf(cli->out, "\nIt runs: see %s\n", start);
    } else if (!started) {
        gp_cli_start_command(cli, name, start, sizeof start);
        (void)fprintf(cli->out, "\nIt is not running: %s\n", start);
    }
}

#define INVITE       "gridpeer invite"
#define INVITE_ADMIT INVITE " --roles member,lend,submit,admit"

static int token_check(gp_cli_t *cli, const char *token, bool adds)
{
    if (token == NULL) {
        return gp_cli_usage(cli, "%s needs --token: a machine of the grid prints one with %s",
                            cli->command->words, adds ? INVITE_ADMIT : INVITE);
    }
    if (strncmp(token, "gp1.", 4) != 0 || strlen(token) > GP_TOKEN_TEXT_MAX) {
        return gp_cli_fail(cli, GP_E_TOKEN_FORMAT, NULL, "'%.16s' is not the start of a token",
                           token);
    }
    return GP_EXIT_DONE;
}

int gp_cli_join_run(gp_cli_t *cli, bool adds)
{
    const char *name = NULL;
    const char *listen = NULL;
    const char *region = cli->args.words[0];
    const char *token = gp_cli_text(&cli->args, "token", NULL);
    gp_cli_member_t member = {.id = ""};
    gp_cli_fault_t fault = {""};
    int code = gp_cli_region_check(cli, region);
    code = code == GP_EXIT_DONE ? token_check(cli, token, adds) : code;
    code = code == GP_EXIT_DONE ? gp_cli_name_read(cli, &name) : code;
    code = code == GP_EXIT_DONE ? gp_cli_listen_check(cli, &listen) : code;
    code = code == GP_EXIT_DONE ? gp_cli_setup_try(cli, name, listen) : code;
    if (code != GP_EXIT_DONE) {
        return code;
    }
    gp_cli_join_t request = {.place = {.dir = cli->dir, .node = name},
                             .region = region,
                             .adds = adds,
                             .token = token,
                             .listen = listen,
                             .timeout_ms = cli->timeout_ms};
    gp_error_t error = cli->backend->join(&request, &member, &fault);
    if (error != GP_OK) {
        return gp_cli_setup_fail(cli, error, name, fault.detail);
    }
    bool start = !gp_cli_flag(&cli->args, "no-start");
    code = start ? gp_cli_setup_start(cli, name, listen) : GP_EXIT_DONE;
    json_t *item = gp_cli_member_item(&member, name, region, start && code == GP_EXIT_DONE);
    bool answers = start && code == GP_EXIT_DONE && gp_cli_address_update(cli, item);
    if (code != GP_EXIT_DONE) {
        json_decref(item);
        return code;
    }
    if (start && !answers) {
        late_note(cli, name);
    }
    if (cli->json || cli->fields != NULL) {
        return gp_cli_print(cli, gp_cli_document(adds ? "region add" : "join", item), NULL, 0);
    }
    join_print(cli, item, answers, adds);
    json_decref(item);
    return code;
}

const gp_cli_option_t gp_cli_join_options[GP_CLI_JOIN_OPTIONS] = {
    {"token", GP_CLI_TEXT, "TOKEN", "the invitation: gp1....", 0, 0},
    {"name", GP_CLI_TEXT, "NAME", "this machine's name; default: the host's", 0, 0},
    {"listen", GP_CLI_TEXT, "ADDRESS", "tcp://ADDR:PORT to listen on", 0, 0},
    {"no-start", GP_CLI_FLAG, NULL, "only join; start it later with gridpeer agent", 0, 0},
};

static int join_run(gp_cli_t *cli)
{
    return gp_cli_join_run(cli, false);
}

const gp_cli_command_t gp_cli_join = {
    .words = "join",
    .run = join_run,
    .summary = "Make this machine part of a grid",
    .operands = "REGION",
    .words_min = 1,
    .words_max = 1,
    .options = gp_cli_join_options,
    .option_count = GP_CLI_JOIN_OPTIONS,
    .timeout_ms = 15000,
    .example = "gridpeer join lab --token gp1.AbC...",
    .details =
        "Asks a machine that the token names for a certificate, without sending the token's "
        "secret, and starts the agent. If it cannot join, nothing stays behind on this machine. "
        "If only the agent does not come up, the machine is set up, and the message says "
        "how to start it. Exit code 6: no machine answered in time; if one took the question, the "
        "token may have lost one use, and a machine that was admitted so and never came is "
        "forgotten after ten minutes. If it comes up and only its first answer is late for "
        "--timeout, the "
        "exit code is 0, and a remark on stderr says how to look at it.",
};
