/* subgrid list, subgrid show, region list, region show: what there is beside the own sub-Grid. */
#include "agent/cli/groups.h"

#include <string.h>

#define NODES_MAX GP_HITS_MAX

static const gp_cli_column_t subgrid_columns[] = {
    {"subgrid", "SUBGRID", GP_CELL_SHORT, false}, {"region", "REGION", GP_CELL_TEXT, false},
    {"leader", "LEADER", GP_CELL_TEXT, false},    {"members", "MEMBERS", GP_CELL_TEXT, false},
    {"full", "FULL", GP_CELL_TEXT, false},        {"own", "HERE", GP_CELL_TEXT, false},
    {"address", "ADDRESS", GP_CELL_TEXT, false},  {"leader_id", "LEADER_ID", GP_CELL_SHORT, true},
};
#define SUBGRID_COLUMNS (sizeof subgrid_columns / sizeof subgrid_columns[0])

static const gp_cli_column_t region_columns[] = {
    {"region", "REGION", GP_CELL_TEXT, false},
    {"leader", "LEADER", GP_CELL_TEXT, false},
    {"subgrids", "SUBGRIDS", GP_CELL_TEXT, false},
    {"members", "MEMBERS", GP_CELL_TEXT, false},
    {"own", "HERE", GP_CELL_TEXT, false},
    {"address", "ADDRESS", GP_CELL_TEXT, false},
    {"leader_id", "LEADER_ID", GP_CELL_SHORT, true},
};
#define REGION_COLUMNS (sizeof region_columns / sizeof region_columns[0])

static const gp_cli_column_t node_columns[] = {
    {"name", "NAME", GP_CELL_TEXT, false},
    {"id", "ID", GP_CELL_SHORT, false},
    {"state", "STATE", GP_CELL_TEXT, false},
    {"role", "ROLE", GP_CELL_TEXT, false},
};

/* ---- asking ---------------------------------------------------------------------------------- */

const char *gp_cli_item_text(const json_t *item, const char *field)
{
    const char *text = json_string_value(json_object_get(item, field));
    return text == NULL ? "" : text;
}

void gp_cli_count_text(const json_t *item, const char *field, const char *thing, char *text,
                       size_t size)
{
    const json_t *value = json_object_get(item, field);
    json_int_t count = json_integer_value(value);
    if (json_is_integer(value)) {
        (void)snprintf(text, size, "%lld %s%s", (long long)count, thing, count == 1 ? "" : "s");
    } else {
        (void)snprintf(text, size, "? %ss", thing);
    }
}

int gp_cli_subgrids_get(gp_cli_t *cli, json_t **ret_document)
{
    gp_cli_ask_t ask = {.method = "GET", .path = "/v1/subgrids", .kind = "subgrid"};
    return gp_cli_api(cli, &ask, ret_document);
}

/* How many machines there are in all of them is known sooner below than above. */
static void add_subgrids(json_t *region, const json_t *subgrids)
{
    bool own = json_is_true(json_object_get(region, "own"));
    json_t *items = json_object_get(subgrids, "items");
    json_int_t members = 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        members += json_integer_value(json_object_get(json_array_get(items, i), "members"));
    }
    if (own) {
        (void)json_object_set_new(region, "members", json_integer(members));
    }
    (void)json_object_set_new(region, "subgrids",
                              own ? json_integer((json_int_t)json_array_size(items)) : json_null());
    (void)json_object_set_new(region, "subgrid_list", own ? json_incref(items) : json_null());
}

int gp_cli_regions_get(gp_cli_t *cli, json_t **ret_document)
{
    json_t *subgrids = NULL;
    gp_cli_ask_t ask = {.method = "GET", .path = "/v1/regions", .kind = "region"};
    int code = gp_cli_subgrids_get(cli, &subgrids);
    if (code == GP_EXIT_DONE) {
        code = gp_cli_api(cli, &ask, ret_document);
    }
    if (code == GP_EXIT_DONE) {
        const json_t *items = json_object_get(*ret_document, "items");
        for (size_t i = 0; i < json_array_size(items); i++) {
            add_subgrids(json_array_get(items, i), subgrids);
        }
    }
    json_decref(subgrids);
    return code;
}

/* ---- one of them ----------------------------------------------------------------------------- */

/*
 * The only item whose field begins with `text`, or is it, if it must be `whole`; without a text the
 * own one. NULL: there is none, or there are several.
 */
static json_t *item_find(const json_t *document, const char *field, const char *text, bool whole,
                         size_t *ret_count)
{
    const json_t *items = json_object_get(document, "items");
    json_t *found = NULL;
    *ret_count = 0;
    for (size_t i = 0; i < json_array_size(items); i++) {
        json_t *item = json_array_get(items, i);
        const char *value = gp_cli_item_text(item, field);
        bool fits = text == NULL ? json_is_true(json_object_get(item, "own"))
                    : whole      ? strcmp(value, text) == 0
                                 : strncmp(value, text, strlen(text)) == 0;
        found = fits ? item : found;
        *ret_count += fits ? 1 : 0;
    }
    return *ret_count == 1 ? found : NULL;
}

/* A document with nothing but that item. */
static json_t *document_of(json_t *document, json_t *item)
{
    json_t *items = json_array();
    (void)json_array_append(items, item);
    (void)json_object_set_new(document, "items", items);
    return document;
}

/* Of a machine of another sub-Grid only this is known. */
static json_t *node_of(const json_t *subgrid, const json_t *found)
{
    const char *id = gp_cli_item_text(found, "id");
    bool leads = strcmp(id, gp_cli_item_text(subgrid, "leader_id")) == 0;
    return json_pack("{s:s,s:s,s:s,s:o}", "name", gp_cli_item_text(found, "name"), "id", id,
                     "state", "alive", "role", leads ? json_string("super-peer") : json_null());
}

static int nodes_add(gp_cli_t *cli, json_t *document, json_t *subgrid)
{
    json_t *answer = NULL;
    json_t *nodes = json_array();
    bool own = json_is_true(json_object_get(subgrid, "own"));
    gp_cli_ask_t ask = {.method = "GET", .path = "/v1/nodes", .kind = "node-list"};
    if (!own) {
        uint64_t limit_ms = gp_cli_time_left(cli, 5000);
        ask = (gp_cli_ask_t){.method = "POST", .path = "/v1/find", .kind = "find"};
        ask.body = json_pack("{s:s,s:i,s:I}", "subgrid", gp_cli_item_text(subgrid, "subgrid"),
                             "limit", NODES_MAX, "timeout_ms", (json_int_t)limit_ms);
    }
    int code = gp_cli_api(cli, &ask, &answer);
    const json_t *items = json_object_get(answer, "items");
    for (size_t i = 0; i < json_array_size(items); i++) {
        json_t *item = json_array_get(items, i);
        (void)json_array_append_new(nodes, own ? json_incref(item) : node_of(subgrid, item));
    }
    (void)json_object_set_new(subgrid, "nodes", nodes);
    if (code == GP_EXIT_DONE && json_is_true(json_object_get(answer, "partial"))) {
        (void)json_object_set_new(document, "partial", json_true());
    }
    json_decref(answer);
    return code;
}

static void subgrid_print(gp_cli_t *cli, const json_t *item)
{
    char subgrid[64], members[64];
    gp_cli_cell_text(GP_CELL_SHORT, json_object_get(item, "subgrid"), subgrid, sizeof subgrid);
    gp_cli_count_text(item, "members", "machine", members, sizeof members);
    (void)fprintf(cli->out, "sub-Grid %s of region ", subgrid);
    gp_cli_put(cli->out, gp_cli_item_text(item, "region"));
    (void)fprintf(cli->out, ": %s, led by ", members);
    gp_cli_put(cli->out, gp_cli_item_text(item, "leader"));
    (void)fputs(" at ", cli->out);
    gp_cli_put(cli->out, gp_cli_item_text(item, "address"));
    (void)fputs("\n\n", cli->out);
    gp_cli_table(cli->out, json_object_get(item, "nodes"), node_columns,
                 sizeof node_columns / sizeof node_columns[0]);
}

static void region_print(gp_cli_t *cli, const json_t *item)
{
    char members[64], subgrids[64];
    gp_cli_count_text(item, "members", "machine", members, sizeof members);
    gp_cli_count_text(item, "subgrids", "sub-Grid", subgrids, sizeof subgrids);
    (void)fputs("region ", cli->out);
    gp_cli_put(cli->out, gp_cli_item_text(item, "region"));
    (void)fprintf(cli->out, ": %s, %s, led by ", subgrids, members);
    gp_cli_put(cli->out, gp_cli_item_text(item, "leader"));
    (void)fputs(" at ", cli->out);
    gp_cli_put(cli->out, gp_cli_item_text(item, "address"));
    (void)fputc('\n', cli->out);
    if (json_is_array(json_object_get(item, "subgrid_list"))) {
        (void)fputc('\n', cli->out);
        gp_cli_table(cli->out, json_object_get(item, "subgrid_list"), subgrid_columns,
                     SUBGRID_COLUMNS);
    } else {
        gp_cli_note(cli, "its sub-Grids are known to its own machines only");
    }
}

/* Prints the one item of the document, which is taken over, in words or as it was asked for. */
static int item_print(gp_cli_t *cli, json_t *document,
                      void (*print)(gp_cli_t *cli, const json_t *item))
{
    if (cli->json || cli->fields != NULL) {
        return gp_cli_print(cli, document, NULL, 0);
    }
    print(cli, json_array_get(json_object_get(document, "items"), 0));
    int code = gp_cli_document_exit(document);
    json_decref(document);
    return code;
}

/* ---- the commands ---------------------------------------------------------------------------- */

static int subgrid_list_run(gp_cli_t *cli)
{
    json_t *document = NULL;
    int code = gp_cli_subgrids_get(cli, &document);
    return code != GP_EXIT_DONE ? code
                                : gp_cli_print(cli, document, subgrid_columns, SUBGRID_COLUMNS);
}

static int subgrid_show_run(gp_cli_t *cli)
{
    size_t count = 0;
    json_t *document = NULL;
    const char *text = cli->args.word_count == 0 ? NULL : cli->args.words[0];
    int code = gp_cli_subgrids_get(cli, &document);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    json_t *item = item_find(document, "subgrid", text, false, &count);
    if (item == NULL) {
        code = gp_cli_fail(cli, GP_E_SUBGRID_UNKNOWN, NULL, "%zu of the region begin with '%s'",
                           count, text == NULL ? "" : text);
    } else {
        document = document_of(document, json_incref(item));
        code = nodes_add(cli, document, item);
        json_decref(item);
    }
    if (code != GP_EXIT_DONE) {
        json_decref(document);
        return code;
    }
    return item_print(cli, document, subgrid_print);
}

static int region_list_run(gp_cli_t *cli)
{
    json_t *document = NULL;
    int code = gp_cli_regions_get(cli, &document);
    return code != GP_EXIT_DONE ? code
                                : gp_cli_print(cli, document, region_columns, REGION_COLUMNS);
}

static int region_show_run(gp_cli_t *cli)
{
    size_t count = 0;
    json_t *document = NULL;
    const char *text = cli->args.word_count == 0 ? NULL : cli->args.words[0];
    int code = gp_cli_regions_get(cli, &document);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    json_t *item = item_find(document, "region", text, true, &count);
    if (item == NULL) {
        json_decref(document);
        return gp_cli_fail(cli, GP_E_REGION_UNKNOWN, "see gridpeer region list", "'%s'",
                           text == NULL ? "its own is not known to this grid yet" : text);
    }
    document = document_of(document, json_incref(item));
    json_decref(item);
    return item_print(cli, document, region_print);
}

const gp_cli_command_t gp_cli_subgrid_list = {
    .words = "subgrid list",
    .alias = "subgrids",
    .run = subgrid_list_run,
    .summary = "List the sub-Grids of the region",
    .operands = "",
    .timeout_ms = 10000,
    .example = "gridpeer subgrid list",
    .details =
        "Asked of the region peer by way of this machine's super-peer, so any machine can tell. "
        "MEMBERS are the living machines; FULL: newcomers go to others; HERE: this machine's own. "
        "Exit code 4: the region peer was not reached.",
};

const gp_cli_command_t gp_cli_subgrid_show = {
    .words = "subgrid show",
    .run = subgrid_show_run,
    .summary = "Show a sub-Grid: who leads it, and its machines",
    .operands = "[ID]",
    .words_max = 1,
    .timeout_ms = 10000,
    .example = "gridpeer subgrid show",
    .details = "ID is the beginning of its id, as subgrid list shows it; without one it is this "
               "machine's own. Of another sub-Grid the machines that can be found are listed, and "
               "only its super-peer's role is known. Exit code 4: not all is known.",
};

const gp_cli_command_t gp_cli_region_list = {
    .words = "region list",
    .alias = "regions",
    .run = region_list_run,
    .summary = "List the regions of the grid",
    .operands = "",
    .timeout_ms = 10000,
    .example = "gridpeer region list",
    .details =
        "LEADER is the region peer. How many sub-Grids a region has is known within it only. "
        "Exit code 4: the region peer was not reached.",
};

const gp_cli_command_t gp_cli_region_show = {
    .words = "region show",
    .run = region_show_run,
    .summary = "Show a region: who leads it, and its sub-Grids",
    .operands = "[NAME]",
    .words_max = 1,
    .timeout_ms = 10000,
    .example = "gridpeer region show",
    .details =
        "Without NAME it is this machine's own. Exit code 3: there is no such region; 4: the "
        "region peer was not reached.",
};
