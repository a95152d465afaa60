#include "agent/cli/setup.h"

static int region_add_run(gp_cli_t *cli)
{
    return gp_cli_join_run(cli, true);
}

const gp_cli_command_t gp_cli_region_add = {
    .words = "region add",
    .run = region_add_run,
    .summary = "Found a further region of a grid, with this machine",
    .operands = "NAME",
    .words_min = 1,
    .words_max = 1,
    .options = gp_cli_join_options,
    .option_count = GP_CLI_JOIN_OPTIONS,
    .timeout_ms = 15000,
    .example = "gridpeer region add basel --token gp1.AbC...",
    .details =
        "Registers the new region with the grid of the token and starts the agent, which leads the "
        "region until others join: gridpeer invite, typed here, prints the command for them. The "
        "first machine of a region admits its others, so the token has to carry the role admit; "
        "where the grid was founded, type: gridpeer invite --roles member,lend,submit,admit. The "
        "grid gives each name once: one that is taken is refused with exit code 5. If the region "
        "cannot be registered, nothing stays behind on this machine; if only its name is taken, "
        "the token has lost one use. With --no-start, start the agent within ten minutes: later "
        "the grid has forgotten it. As with join, exit code 6 means that no machine answered in "
        "time.",
};
