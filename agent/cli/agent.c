/* agent: the daemon itself. */
#include "agent/cli/command.h"

#include <string.h>

static int agent_fail(gp_cli_t *cli, gp_error_t error, const char *detail)
{
    char look[4 * GP_CLI_PATH_MAX];
    if (error != GP_E_AGENT_RUNS) {
        return gp_cli_place_fail(cli, error, detail);
    }
    gp_cli_next_node(cli, "status", cli->node, look, sizeof look);
    return gp_cli_fail(cli, error, look, "%s", detail);
}

static int agent_run(gp_cli_t *cli)
{
    gp_cli_fault_t fault = {""};
    gp_cli_agent_t request = {.place = {.dir = cli->dir},
                              .listen = gp_cli_text(&cli->args, "listen", NULL),
                              .timeout_ms = cli->timeout_ms};
    if (request.listen != NULL && gp_address_check(gp_text(request.listen), true) != GP_OK) {
        return gp_cli_fail(cli, GP_E_ADDRESS, NULL, "--listen '%s'", request.listen);
    }
    int code = gp_cli_machine_find(cli);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    request.place.node = cli->node;
    bool background = gp_cli_flag(&cli->args, "background");
    gp_error_t error = background ? cli->backend->start_agent(&request, &fault)
                                  : cli->backend->agent_main(&request, &fault);
    if (error != GP_OK) {
        return agent_fail(cli, error, fault.detail);
    }
    return background ? gp_cli_ready_wait(cli, cli->node) : GP_EXIT_DONE;
}

static const gp_cli_option_t options[] = {
    {"background", GP_CLI_FLAG, NULL, "start it and return when it answers", 0, 0},
    {"listen", GP_CLI_TEXT, "ADDRESS", "tcp://ADDR:PORT instead of the configured one", 0, 0},
};

const gp_cli_command_t gp_cli_agent = {
    .words = "agent",
    .run = agent_run,
    .summary = "Run the agent of a machine that was set up",
    .operands = "",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .timeout_ms = 10000,
    .example = "gridpeer agent --node n1",
    .details =
        "Stays in the foreground and logs to stderr, as systemd wants it; SIGTERM and SIGINT "
        "stop it in good order. With --background it gets the same options, logs to agent.log in "
        "its state directory, and the command returns when it answers. Exit code 5: it runs "
        "already.",
};
