#include "agent/cli/command.h"

#include <string.h>

#include "agent/cli/job.h"

static const gp_cli_column_t columns[] = {
    {"job", "JOB", GP_CELL_TEXT, false},       {"state", "STATE", GP_CELL_TEXT, false},
    {"reason", "REASON", GP_CELL_TEXT, false}, {"code", "CODE", GP_CELL_TEXT, false},
    {"node", "NODE", GP_CELL_TEXT, false},     {"text", "WHY", GP_CELL_TEXT, false},
};

static const char *text_of(const json_t *item, const char *field)
{
    const char *text = json_string_value(json_object_get(item, field));
    return text == NULL ? "" : text;
}

/* There was nothing left to cancel: says how it ended. */
static int ended_say(gp_cli_t *cli, const json_t *item)
{
    bool json = cli->json;
    const char *node = text_of(item, "node");
    const char *text = text_of(item, "text");
    cli->json = false; /* the document is out already */
    int code = gp_cli_fail(cli, GP_E_RUN_ENDED, NULL, "job %s is %s: %s %lld%s%s%s%s",
                           cli->args.words[0], text_of(item, "state"), text_of(item, "reason"),
                           (long long)json_integer_value(json_object_get(item, "code")),
                           node[0] == '\0' ? "" : " on ", node, text[0] == '\0' ? "" : ": ", text);
    cli->json = json;
    return code;
}

static int cancel_run(gp_cli_t *cli)
{
    char path[256];
    json_t *document = NULL;
    const char *job = cli->args.words[0];
    if (!gp_cli_job_path(job, "/cancel", path, sizeof path)) {
        return gp_cli_fail(cli, GP_E_RUN_UNKNOWN, NULL, "'%s' is not the number of a job", job);
    }
    gp_cli_ask_t ask = {.method = "POST", .path = path, .body = json_object(), .kind = "cancel"};
    int code = gp_cli_api(cli, &ask, &document);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    json_t *item = json_incref(json_array_get(json_object_get(document, "items"), 0));
    bool ended = strcmp(text_of(item, "state"), "cancelling") != 0;
    if (cli->json || cli->fields != NULL) {
        (void)gp_cli_print(cli, document, columns, sizeof columns / sizeof columns[0]);
    } else {
        json_decref(document);
        if (!ended) {
            (void)fprintf(cli->out, "%s is cancelling\n", job);
        }
    }
    code = ended ? ended_say(cli, item) : GP_EXIT_DONE;
    json_decref(item);
    return code;
}

const gp_cli_command_t gp_cli_cancel = {
    .words = "cancel",
    .run = cancel_run,
    .summary = "End a job that was submitted here",
    .operands = "JOB",
    .words_min = 1,
    .words_max = 1,
    .timeout_ms = 10000,
    .example = "gridpeer cancel 1048578",
    .details = "JOB is a number of gridpeer ps. The job is told to end, and the command does not "
               "wait for that. Exit code 1: there is no such job, or it has ended already; how it "
               "ended is said then.",
};
