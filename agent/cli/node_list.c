#include "agent/cli/command.h"

#include <stdlib.h>
#include <string.h>

static const gp_cli_column_t columns[] = {
    {"name", "NAME", GP_CELL_TEXT, false},       {"id", "ID", GP_CELL_SHORT, false},
    {"state", "STATE", GP_CELL_TEXT, false},     {"role", "ROLE", GP_CELL_TEXT, false},
    {"region", "REGION", GP_CELL_TEXT, false},   {"subgrid", "SUBGRID", GP_CELL_SHORT, false},
    {"address", "ADDRESS", GP_CELL_TEXT, false}, {"age_ms", "AGE", GP_CELL_AGE_MS, false},
    {"why", "WHY", GP_CELL_TEXT, false},
};

static int name_compare(const void *a, const void *b)
{
    const json_t *const *one = a;
    const json_t *const *other = b;
    const char *left = json_string_value(json_object_get(*one, "name"));
    const char *right = json_string_value(json_object_get(*other, "name"));
    return strverscmp(left == NULL ? "" : left, right == NULL ? "" : right);
}

/* By name, with n2 before n10; as it was if memory is out. */
static void items_sort(json_t *document)
{
    json_t *items = json_object_get(document, "items");
    json_t *sorted = json_array();
    size_t count = json_array_size(items);
    json_t **order = calloc(count + 1, sizeof *order);
    if (order == NULL || sorted == NULL) {
        free(order);
        json_decref(sorted);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        order[i] = json_array_get(items, i);
    }
    qsort(order, count, sizeof order[0], name_compare);
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append(sorted, order[i]);
    }
    (void)json_object_set_new(document, "items", sorted);
    free(order);
}

static int node_list_run(gp_cli_t *cli)
{
    json_t *document = NULL;
    gp_cli_ask_t ask = {.method = "GET", .path = "/v1/nodes", .kind = "node-list"};
    int code = gp_cli_api(cli, &ask, &document);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    items_sort(document);
    code = gp_cli_print(cli, document, columns, sizeof columns / sizeof columns[0]);
    if (code == GP_EXIT_UNKNOWN) {
        gp_cli_note(cli, "not all is known: see WHY, and gridpeer status");
    }
    return code;
}

const gp_cli_command_t gp_cli_node_list = {
    .words = "node list",
    .alias = "nodes",
    .run = node_list_run,
    .summary = "List the machines of the sub-Grid, and how they are",
    .operands = "",
    .timeout_ms = 5000,
    .example = "gridpeer node list --fields name,state,why",
    .details =
        "STATE is alive, suspect, unavailable, unknown or left; WHY tells the cause; AGE is "
        "the time since this fact was last confirmed. ROLE is region-peer (it leads the region, "
        "too), super-peer, standby (it votes) or member; a caretaker is no super-peer, and WHY "
        "names it. Exit code 4: not all is "
        "known, since no majority is on this side or some machine is unknown; 0 else, also "
        "with machines that are unavailable: gridpeer status exits with 2 then.",
};
