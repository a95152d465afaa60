#include "agent/cli/command.h"
#include "agent/cli/job.h"

static int cancel_run(gp_cli_t *cli)
{
    char path[256];
    json_t *document = NULL;
    const char *job = cli->args.words[0];
    if (!gp_cli_job_path(job, "/cancel", path, sizeof path)) {
        return gp_cli_fail(cli, GP_E_RUN_UNKNOWN, NULL, "'%s' is not the name of a job", job);
    }
    gp_cli_ask_t ask = {.method = "POST", .path = path, .body = json_object(), .kind = "cancel"};
    int code = gp_cli_api(cli, &ask, &document);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    if (cli->json || cli->fields != NULL) {
        return gp_cli_print(cli, document, NULL, 0);
    }
    const json_t *item = json_array_get(json_object_get(document, "items"), 0);
    const char *state = json_string_value(json_object_get(item, "state"));
    gp_cli_put(cli->out, job);
    (void)fputs(" is ", cli->out);
    gp_cli_put(cli->out, state == NULL ? "being cancelled" : state);
    (void)fputc('\n', cli->out);
    json_decref(document);
    return GP_EXIT_DONE;
}

const gp_cli_command_t gp_cli_cancel = {
    .words = "cancel",
    .run = cancel_run,
    .summary = "End a job that was submitted here",
    .operands = "JOB",
    .words_min = 1,
    .words_max = 1,
    .timeout_ms = 10000,
    .example = "gridpeer cancel n1.17",
};
