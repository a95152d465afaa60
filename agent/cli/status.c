#include "agent/cli/groups.h"

#include <string.h>

#define MISSING_SHOWN 8 /* machines; node list has all */

static const gp_cli_column_t columns[] = {
    {"name", "NAME", GP_CELL_TEXT, false},        {"id", "ID", GP_CELL_SHORT, false},
    {"state", "STATE", GP_CELL_TEXT, false},      {"role", "ROLE", GP_CELL_TEXT, false},
    {"region", "REGION", GP_CELL_TEXT, false},    {"subgrid", "SUBGRID", GP_CELL_SHORT, false},
    {"leader", "LEADER", GP_CELL_TEXT, false},    {"term", "TERM", GP_CELL_TEXT, false},
    {"mandate", "MANDATE", GP_CELL_TEXT, false},  {"members", "MEMBERS", GP_CELL_TEXT, false},
    {"alive", "ALIVE", GP_CELL_TEXT, false},      {"stopped", "STOPPED", GP_CELL_TEXT, false},
    {"missing", "MISSING", GP_CELL_TEXT, false},  {"voters", "VOTERS", GP_CELL_TEXT, true},
    {"health", "HEALTH", GP_CELL_TEXT, false},    {"why", "WHY", GP_CELL_TEXT, false},
    {"address", "ADDRESS", GP_CELL_TEXT, true},   {"uptime_ms", "UP", GP_CELL_AGE_MS, true},
    {"subgrids", "SUBGRIDS", GP_CELL_TEXT, true}, {"regions", "REGIONS", GP_CELL_TEXT, true},
};

static const char *text_of(const json_t *item, const char *field, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(item, field));
    return text == NULL || text[0] == '\0' ? otherwise : text;
}

static int status_exit(const json_t *item)
{
    static const struct {
        const char *health;
        int code;
    } codes[] = {{"ok", GP_EXIT_DONE},
                 {"degraded", GP_EXIT_DEGRADED},
                 {"failed", GP_EXIT_INVALID},
                 {"unknown", GP_EXIT_UNKNOWN}};
    const char *health = text_of(item, "health", "unknown");
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(codes[i].health, health) == 0) {
            return codes[i].code;
        }
    }
    return GP_EXIT_UNKNOWN;
}

static void title_print(gp_cli_t *cli, const char *title)
{
    (void)fprintf(cli->out, "  %-8s ", title);
}

static void leader_print(gp_cli_t *cli, const json_t *item)
{
    const char *mandate = text_of(item, "mandate", "none");
    const char *leader = text_of(item, "leader", NULL);
    const char *name = text_of(item, "name", "");
    json_int_t term = json_integer_value(json_object_get(item, "term"));
    title_print(cli, "leader");
    if (leader == NULL || strcmp(mandate, "none") == 0) {
        (void)fprintf(cli->out, "nobody, term %lld\n", (long long)term);
        return;
    }
    gp_cli_put(cli->out, leader);
    (void)fprintf(cli->out, "%s, term %lld, %s\n",
                  strcmp(leader, name) == 0 ? " (this machine)" : "", (long long)term,
                  strcmp(mandate, "quorum") == 0 ? "by the mandate of a majority"
                                                 : "a caretaker: this side has no majority");
}

/* "9, 6 of them alive, 1 stopped; missing: n3 (unavailable), n4 (unknown) and 1 more" */
static void members_print(gp_cli_t *cli, const json_t *item)
{
    const char *name = NULL;
    json_t *state = NULL;
    size_t said = 0;
    json_t *missing = json_object_get(item, "missing");
    json_int_t stopped = json_integer_value(json_object_get(item, "stopped"));
    title_print(cli, "members");
    (void)fprintf(cli->out, "%lld, %lld of them alive",
                  (long long)json_integer_value(json_object_get(item, "members")),
                  (long long)json_integer_value(json_object_get(item, "alive")));
    if (stopped > 0) {
        (void)fprintf(cli->out, ", %lld stopped", (long long)stopped);
    }
    json_object_foreach(missing, name, state)
    {
        const char *word = json_string_value(state);
        if (said == MISSING_SHOWN) {
            (void)fprintf(cli->out, " and %zu more", json_object_size(missing) - said);
            break;
        }
        (void)fputs(said++ == 0 ? "; missing: " : ", ", cli->out);
        gp_cli_put(cli->out, name);
        (void)fputs(" (", cli->out);
        gp_cli_put(cli->out, word == NULL ? "unknown" : word);
        (void)fputc(')', cli->out);
    }
    (void)fputc('\n', cli->out);
}

static void line_print(gp_cli_t *cli, const char *title, const json_t *value, gp_cli_cell_t cell)
{
    char text[1024];
    if (value == NULL || json_is_null(value) || json_string_length(value) == 0) {
        if (!json_is_integer(value)) {
            return;
        }
    }
    gp_cli_cell_text(cell, value, text, sizeof text);
    title_print(cli, title);
    (void)fprintf(cli->out, "%s\n", text);
}

/* Who has a seat in the region or the grid knows what else there is. */
static void beyond_print(gp_cli_t *cli, const json_t *item)
{
    char subgrids[64], regions[64];
    if (!json_is_integer(json_object_get(item, "subgrids"))) {
        return;
    }
    gp_cli_count_text(item, "subgrids", "sub-Grid", subgrids, sizeof subgrids);
    title_print(cli, "region");
    (void)fprintf(cli->out, "%s", subgrids);
    if (json_is_integer(json_object_get(item, "regions"))) {
        gp_cli_count_text(item, "regions", "region", regions, sizeof regions);
        (void)fprintf(cli->out, "; %s in the grid", regions);
    }
    (void)fputc('\n', cli->out);
}

static void status_print(gp_cli_t *cli, const json_t *item)
{
    char subgrid[64];
    gp_cli_put(cli->out, text_of(item, "name", "?"));
    (void)fputs(": ", cli->out);
    gp_cli_put(cli->out, text_of(item, "role", "?"));
    gp_cli_cell_text(GP_CELL_SHORT, json_object_get(item, "subgrid"), subgrid, sizeof subgrid);
    (void)fprintf(cli->out, " in sub-Grid %s", subgrid);
    (void)fputs(" of region ", cli->out);
    gp_cli_put(cli->out, text_of(item, "region", "-"));
    (void)fputs(", ", cli->out);
    gp_cli_put(cli->out, text_of(item, "state", "unknown"));
    (void)fputc('\n', cli->out);
    leader_print(cli, item);
    members_print(cli, item);
    beyond_print(cli, item);
    line_print(cli, "health", json_object_get(item, "health"), GP_CELL_TEXT);
    line_print(cli, "why", json_object_get(item, "why"), GP_CELL_TEXT);
    line_print(cli, "address", json_object_get(item, "address"), GP_CELL_TEXT);
    line_print(cli, "id", json_object_get(item, "id"), GP_CELL_TEXT);
    line_print(cli, "up", json_object_get(item, "uptime_ms"), GP_CELL_AGE_MS);
}

static int status_run(gp_cli_t *cli)
{
    json_t *document = NULL;
    gp_cli_ask_t ask = {.method = "GET", .path = "/v1/status", .kind = "status"};
    int code = gp_cli_api(cli, &ask, &document);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    const json_t *item = json_array_get(json_object_get(document, "items"), 0);
    int health = status_exit(item);
    if (cli->json || cli->fields != NULL) {
        (void)gp_cli_print(cli, document, columns, sizeof columns / sizeof columns[0]);
    } else {
        status_print(cli, item);
        json_decref(document);
    }
    return health;
}

const gp_cli_command_t gp_cli_status = {
    .words = "status",
    .run = status_run,
    .summary = "Show this machine, its sub-Grid, and who leads it",
    .operands = "",
    .timeout_ms = 5000,
    .example = "gridpeer status",
    .details =
        "Answered by this machine's own agent, also without a super-peer or a majority. Machines "
        "that left for good are no members; missing are those that are suspect, unavailable or "
        "unknown, not those whose agent was stopped in good order: gridpeer node list says why. "
        "The role region-peer leads the region beside its own sub-Grid. How many sub-Grids and "
        "regions there are is shown where it is known: gridpeer topology asks for it. "
        "Exit code 0: healthy; 2: degraded (a caretaker leads, machines are missing, or a disk "
        "refuses records); 3: failed (nothing can be recorded here before a restart); 4: "
        "unknown (nobody leads).",
};
