#include "agent/cli/stop.h"

static int leave_run(gp_cli_t *cli)
{
    json_t *document = NULL;
    json_t *body = json_pack("{s:b}", "destroy_root", gp_cli_flag(&cli->args, "destroy-root"));
    int code = gp_cli_agent_end(cli, "/v1/leave", body, "leave", &document);
    json_decref(body);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    if (cli->json || cli->fields != NULL) {
        return gp_cli_print(cli, document, NULL, 0);
    }
    const json_t *item = json_array_get(json_object_get(document, "items"), 0);
    const char *region = json_string_value(json_object_get(item, "region"));
    const char *successor = json_string_value(json_object_get(item, "successor"));
    (void)fprintf(cli->out, "%s has left ", cli->node);
    (void)fputs(region == NULL ? "its grid" : "the region ", cli->out);
    gp_cli_put(cli->out, region == NULL ? "" : region);
    if (successor != NULL) {
        (void)fputs("; its role went to ", cli->out);
        gp_cli_put(cli->out, successor);
    }
    (void)fputs("\nTo come back it needs a new token: gridpeer join REGION --token T\n", cli->out);
    json_decref(document);
    return GP_EXIT_DONE;
}

static const gp_cli_option_t options[] = {
    {"destroy-root", GP_CLI_FLAG, NULL, "even if this destroys the key that others need", 0, 0},
};

const gp_cli_command_t gp_cli_leave = {
    .words = "leave",
    .run = leave_run,
    .summary = "Take this machine out of its grid for good",
    .operands = "",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .timeout_ms = 30000,
    .example = "gridpeer leave",
    .details =
        "The agent hands over what it leads, tells its sub-Grid that it is gone (not failed), "
        "gives up its certificate and ends. A machine that holds the grid's root key (where "
        "gridpeer init was typed) is refused while others are in the grid: without the key no "
        "machine can be given the role admit, and in the end nobody can join and no certificate "
        "is renewed. --destroy-root says that this is meant; the last machine needs no such word.",
};
