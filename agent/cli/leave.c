#include "agent/cli/stop.h"
#include "agent/http/client.h"

static const char come_back[] =
    "To come back it needs a new token: gridpeer join REGION --token T\n";

static bool agent_runs(gp_cli_t *cli)
{
    gp_http_client_t *client = NULL;
    gp_error_t error = gp_http_client_open(cli->socket, &client);
    gp_http_client_close(client);
    return error != GP_E_NO_AGENT && error != GP_E_STATE_MISSING;
}

/* The agent says goodbye, and ends. */
static int leave_by_agent(gp_cli_t *cli)
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
    (void)fprintf(cli->out, "\n%s", come_back);
    json_decref(document);
    return GP_EXIT_DONE;
}

/* No agent runs, or none can: its certificate has expired, say. */
static int leave_in_silence(gp_cli_t *cli)
{
    gp_cli_left_t left = {.was_root = false};
    gp_cli_fault_t fault = {.detail = ""};
    gp_cli_leave_ask_t request = {.place = {.dir = cli->dir, .node = cli->node},
                                  .destroy_root = gp_cli_flag(&cli->args, "destroy-root")};
    gp_error_t error = cli->backend->leave(&request, &left, &fault);
    if (error != GP_OK) {
        return gp_cli_place_fail(cli, error, fault.detail);
    }
    if (cli->json || cli->fields != NULL) {
        json_t *item = json_pack("{s:s,s:s,s:s,s:b,s:b}", "name", cli->node, "state", "left",
                                 "region", left.region, "told", false, "was_root", left.was_root);
        return gp_cli_print(cli, gp_cli_document("leave", item), NULL, 0);
    }
    (void)fprintf(cli->out, "%s has left %s%s%s\n", cli->node,
                  left.region[0] == '\0' ? "its grid" : "the region ", left.region,
                  left.was_root ? "; the grid's root key is destroyed" : "");
    (void)fputs("No agent ran, so its sub-Grid could not be told: there it counts as stopped or "
                "failed, and its name may stay taken\n",
                cli->out);
    (void)fputs(come_back, cli->out);
    return GP_EXIT_DONE;
}

static int leave_run(gp_cli_t *cli)
{
    int code = gp_cli_leaver_find(cli);
    if (code == GP_EXIT_DONE) {
        code = gp_cli_agent_find(cli);
    }
    if (code != GP_EXIT_DONE) {
        return code;
    }
    return agent_runs(cli) ? leave_by_agent(cli) : leave_in_silence(cli);
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
        "is renewed. --destroy-root says that this is meant; the last machine needs no such word. "
        "A machine without which nobody could lead the others, because the disk of the only other "
        "one refuses records for example, is refused too: it goes on as before, and its programs "
        "with it. Exit code 5: refused. "
        "Where no agent runs, because its certificate has expired for example, the machine is "
        "removed all the same, but its sub-Grid is not told.",
};
