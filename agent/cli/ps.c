#include "agent/cli/command.h"

static const gp_cli_column_t columns[] = {
    {"job", "JOB", GP_CELL_TEXT, false},
    {"name", "NAME", GP_CELL_TEXT, false},
    {"state", "STATE", GP_CELL_TEXT, false},
    {"reason", "REASON", GP_CELL_TEXT, false},
    {"node", "NODE", GP_CELL_TEXT, false},
    {"attempt", "ATTEMPT", GP_CELL_TEXT, false},
    {"incarnation", "INCARNATION", GP_CELL_TEXT, false},
    {"progress", "PROGRESS", GP_CELL_TEXT, false},
    {"text", "WHY", GP_CELL_TEXT, false},
    {"wall_us", "TIME", GP_CELL_SPAN_US, true},
    {"cpu_us", "CPU", GP_CELL_SPAN_US, true},
    {"peak_bytes", "PEAK", GP_CELL_BYTES, true},
    {"output", "OUTPUT", GP_CELL_BYTES, true},
};

static int ps_run(gp_cli_t *cli)
{
    json_t *document = NULL;
    gp_cli_ask_t ask = {.method = "GET", .path = "/v1/jobs", .kind = "jobs"};
    int code = gp_cli_api(cli, &ask, &document);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    if (!cli->json && json_array_size(json_object_get(document, "items")) == 0) {
        gp_cli_note(cli, "no job was submitted on this machine");
    }
    return gp_cli_print(cli, document, columns, sizeof columns / sizeof columns[0]);
}

const gp_cli_command_t gp_cli_ps = {
    .words = "ps",
    .run = ps_run,
    .summary = "List the jobs of this machine",
    .operands = "",
    .timeout_ms = 5000,
    .example = "gridpeer ps",
    .details =
        "Jobs that were submitted here, where they run, and why they are not running or have "
        "ended. Once one has ended, --fields job,wall_us,cpu_us,peak_bytes tells what it used.",
};
