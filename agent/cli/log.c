#include "agent/cli/command.h"

static const gp_cli_column_t columns[] = {
    {"at", "TIME", GP_CELL_TEXT, false},       {"actor", "WHO", GP_CELL_TEXT, false},
    {"what", "WHAT", GP_CELL_TEXT, false},     {"object", "OBJECT", GP_CELL_TEXT, false},
    {"detail", "DETAIL", GP_CELL_TEXT, false}, {"seq", "SEQ", GP_CELL_TEXT, true},
};

static int log_run(gp_cli_t *cli)
{
    char path[128];
    json_t *document = NULL;
    (void)snprintf(path, sizeof path, "/v1/activity?limit=%llu&after=%llu",
                   (unsigned long long)gp_cli_number(&cli->args, "limit", 100),
                   (unsigned long long)gp_cli_number(&cli->args, "after", 0));
    gp_cli_ask_t ask = {.method = "GET", .path = path, .kind = "activity"};
    int code = gp_cli_api(cli, &ask, &document);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    return gp_cli_print(cli, document, columns, sizeof columns / sizeof columns[0]);
}

static const gp_cli_option_t options[] = {
    {"limit", GP_CLI_NUMBER, "N", "at most so many; default 100", 1, 10000},
    {"after", GP_CLI_NUMBER, "SEQ", "only what came after this entry", 0, INT64_MAX},
};

const gp_cli_command_t gp_cli_log = {
    .words = "log",
    .run = log_run,
    .summary = "Show what happened here: who did what, when",
    .operands = "",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .timeout_ms = 5000,
    .example = "gridpeer log --limit 20",
};
