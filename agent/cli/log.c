#include "agent/cli/command.h"

#define LIMIT 100

static const gp_cli_column_t columns[] = {
    {"seq", "SEQ", GP_CELL_TEXT, false},       {"hash", "HASH", GP_CELL_SHORT, false},
    {"at", "TIME", GP_CELL_TEXT, false},       {"actor", "WHO", GP_CELL_TEXT, false},
    {"what", "WHAT", GP_CELL_TEXT, false},     {"object", "OBJECT", GP_CELL_TEXT, false},
    {"detail", "DETAIL", GP_CELL_TEXT, false},
};

static json_int_t seq_of(const json_t *items, size_t index)
{
    return json_integer_value(json_object_get(json_array_get(items, index), "seq"));
}

/* What is not shown, and how to see it. */
static void rest_note(gp_cli_t *cli, const json_t *document, uint64_t limit)
{
    const json_t *items = json_object_get(document, "items");
    json_int_t first = json_integer_value(json_object_get(document, "first"));
    json_int_t last = json_integer_value(json_object_get(document, "last"));
    size_t count = json_array_size(items);
    if (count == 0 && gp_cli_given(&cli->args, "after", 0) != NULL) {
        gp_cli_note(cli, "no entry after %llu: the newest is %lld",
                    (unsigned long long)gp_cli_number(&cli->args, "after", 0), (long long)last);
        return;
    }
    if (count == 0) {
        gp_cli_note(cli, "the log is empty");
        return;
    }
    json_int_t older = seq_of(items, 0) - first;
    json_int_t newer = last - seq_of(items, count - 1);
    if (newer > 0) {
        gp_cli_note(cli, "%lld newer entries: gridpeer log --after %lld", (long long)newer,
                    (long long)seq_of(items, count - 1));
    } else if (older > 0 && gp_cli_given(&cli->args, "after", 0) == NULL) {
        json_int_t before = seq_of(items, 0) - 1 - (json_int_t)limit;
        gp_cli_note(cli, "%lld older entries: gridpeer log --after %lld --limit %llu",
                    (long long)older, (long long)(before < 0 ? 0 : before),
                    (unsigned long long)limit);
    }
}

static int log_run(gp_cli_t *cli)
{
    char path[128];
    json_t *document = NULL;
    uint64_t limit = gp_cli_number(&cli->args, "limit", LIMIT);
    int n = snprintf(path, sizeof path, "/v1/activity?limit=%llu", (unsigned long long)limit);
    if (gp_cli_given(&cli->args, "after", 0) != NULL) {
        (void)snprintf(path + n, sizeof path - (size_t)n, "&after=%llu",
                       (unsigned long long)gp_cli_number(&cli->args, "after", 0));
    }
    gp_cli_ask_t ask = {.method = "GET", .path = path, .kind = "activity"};
    int code = gp_cli_api(cli, &ask, &document);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    json_t *kept = json_incref(document);
    code = gp_cli_print(cli, document, columns, sizeof columns / sizeof columns[0]);
    if (!cli->json) {
        rest_note(cli, kept, limit);
    }
    json_decref(kept);
    return code;
}

static const gp_cli_option_t options[] = {
    {"limit", GP_CLI_NUMBER, "N", "the newest so many; default 100", 1, 10000},
    {"after", GP_CLI_NUMBER, "SEQ", "instead what came after this entry, the oldest first", 0,
     INT64_MAX},
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
    .details =
        "The newest entries of this machine's log, in order of time. HASH (whole with --json) is "
        "the BLAKE2b-256 of the entry and of the hash before it: nobody can change or remove an "
        "entry without changing all hashes that follow.",
};
