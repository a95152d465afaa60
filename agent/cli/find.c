#include "agent/cli/command.h"

#include <string.h>

#include "discovery/attributes.h"

#define LIMIT               10
#define GRACE_MS_MAX        200 /* the agent gives up first, and says what it has */
#define BAR_MAX             30
#define CONDITION_WIDTH_MAX 40

static const gp_cli_column_t columns[] = {
    {"name", "NAME", GP_CELL_TEXT, false},     {"id", "ID", GP_CELL_SHORT, false},
    {"region", "REGION", GP_CELL_TEXT, false}, {"subgrid", "SUBGRID", GP_CELL_SHORT, false},
    {"rtt_us", "RTT", GP_CELL_SPAN_US, false},
};
#define COLUMN_COUNT (sizeof columns / sizeof columns[0])

static const gp_cli_column_t attribute_columns[] = {
    {"name", "ATTRIBUTE", GP_CELL_TEXT, false},
    {"type", "TYPE", GP_CELL_TEXT, false},
    {"example", "EXAMPLE", GP_CELL_TEXT, false},
    {"help", "MEANING", GP_CELL_TEXT, false},
};

/* ---- asking ------------------------------------------------------------------------------------
 */

int gp_cli_query_check(gp_cli_t *cli, const char *query)
{
    size_t rank = strlen(gp_cli_text(&cli->args, "rank", ""));
    if (strlen(query) > GP_QUERY_MAX) {
        return gp_cli_fail(cli, GP_E_QUERY_LIMIT, NULL, "it has %zu bytes, and %d are allowed",
                           strlen(query), GP_QUERY_MAX);
    }
    if (rank > GP_QUERY_MAX) {
        return gp_cli_fail(cli, GP_E_QUERY_LIMIT, NULL, "--rank has %zu bytes, and %d are allowed",
                           rank, GP_QUERY_MAX);
    }
    return GP_EXIT_DONE;
}

static bool is_own_field(const char *name)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        if (strcmp(columns[i].field, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The attributes among the fields that the user asked for. */
static json_t *want_list(const gp_cli_names_t *fields)
{
    json_t *want = json_array();
    for (size_t i = 0; i < fields->count; i++) {
        if (!is_own_field(fields->names[i])) {
            (void)json_array_append_new(want, json_string(fields->names[i]));
        }
    }
    return want;
}

static json_t *find_body(gp_cli_t *cli, const char *query)
{
    uint64_t grace = cli->timeout_ms / 10 < GRACE_MS_MAX ? cli->timeout_ms / 10 : GRACE_MS_MAX;
    json_t *body = json_pack("{s:s, s:I, s:b, s:I}", "query", query, "limit",
                             (json_int_t)gp_cli_number(&cli->args, "limit", LIMIT), "explain",
                             (int)gp_cli_flag(&cli->args, "explain"), "timeout_ms",
                             (json_int_t)(cli->timeout_ms - grace));
    const char *rank = gp_cli_text(&cli->args, "rank", NULL);
    const char *near = gp_cli_text(&cli->args, "near", NULL);
    const char *scope = gp_cli_text(&cli->args, "scope", NULL);
    if (body != NULL && rank != NULL) {
        (void)json_object_set_new(body, "rank", json_string(rank));
    }
    if (body != NULL && near != NULL) {
        (void)json_object_set_new(body, "near", json_string(near));
    }
    if (body != NULL && scope != NULL) {
        (void)json_object_set_new(body, "scope", json_string(scope));
    }
    if (body != NULL && cli->fields != NULL) {
        (void)json_object_set_new(body, "want", want_list(&cli->chosen));
    }
    return body;
}

/* ---- explaining ------------------------------------------------------------------------------ */

/* How many machines each condition excludes, with a bar for each. */
static void explain_print(FILE *out, const json_t *document)
{
    const json_t *conditions = json_object_get(document, "explain");
    json_int_t considered = json_integer_value(json_object_get(document, "considered"));
    json_int_t matched = json_integer_value(json_object_get(document, "matched"));
    size_t width = 0;
    if (!json_is_array(conditions)) {
        return;
    }
    (void)fprintf(out, "%lld of %lld machines match\n", (long long)matched, (long long)considered);
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        const json_t *condition = json_array_get(conditions, i);
        const char *text = json_string_value(json_object_get(condition, "condition"));
        size_t n = text == NULL ? 0 : gp_cli_width(text);
        width = n > width ? n : width;
    }
    width = width > CONDITION_WIDTH_MAX ? CONDITION_WIDTH_MAX : width;
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        char text[GP_QUERY_MAX * 4 + 1];
        const json_t *condition = json_array_get(conditions, i);
        json_int_t excluded = json_integer_value(json_object_get(condition, "excluded"));
        json_int_t unknown = json_integer_value(json_object_get(condition, "unknown"));
        gp_cli_cell_text(GP_CELL_TEXT, json_object_get(condition, "condition"), text, sizeof text);
        (void)fprintf(out, "  %s", text);
        for (size_t n = gp_cli_width(text); n < width; n++) {
            (void)fputc(' ', out);
        }
        (void)fprintf(out, "  excludes %4lld%s", (long long)excluded, excluded > 0 ? "  " : "");
        json_int_t bar = considered <= 0 ? 0 : (excluded * BAR_MAX + considered - 1) / considered;
        for (json_int_t n = 0; n < bar && n < BAR_MAX; n++) {
            (void)fputc('#', out);
        }
        if (unknown > 0) {
            (void)fprintf(out, " (%lld of them do not say)", (long long)unknown);
        }
        (void)fputc('\n', out);
    }
}

/* ---- printing -------------------------------------------------------------------------------- */

static gp_cli_cell_t cell_of_attribute(const char *name)
{
    const gp_attribute_t *attribute = gp_attribute(gp_attribute_find(gp_text(name)));
    if (attribute == NULL) {
        return GP_CELL_TEXT;
    }
    switch ((gp_type_t)attribute->type) {
    case GP_TYPE_BYTES:
        return GP_CELL_BYTES;
    case GP_TYPE_FREQUENCY:
        return GP_CELL_HERTZ;
    case GP_TYPE_BITRATE:
        return GP_CELL_BITRATE;
    case GP_TYPE_DURATION:
        return GP_CELL_SPAN_US;
    case GP_TYPE_SHARE:
        return GP_CELL_SHARE;
    case GP_TYPE_COUNT:
    case GP_TYPE_DECIMAL:
    case GP_TYPE_BOOL:
    case GP_TYPE_VERSION:
    case GP_TYPE_WORD:
    case GP_TYPE_WORDS:
    default:
        return GP_CELL_TEXT;
    }
}

/* The fixed columns, and one for each attribute that an item has, in its human unit. */
static size_t columns_build(const json_t *document, gp_cli_column_t built[GP_CLI_COLUMNS_MAX])
{
    const json_t *items = json_object_get(document, "items");
    size_t count = 0;
    for (; count < COLUMN_COUNT; count++) {
        built[count] = columns[count];
    }
    for (size_t i = 0; i < json_array_size(items); i++) {
        json_t *item = json_array_get(items, i);
        for (void *at = json_object_iter(item); at != NULL; at = json_object_iter_next(item, at)) {
            const char *name = json_object_iter_key(at);
            size_t known = 0;
            while (known < count && strcmp(built[known].field, name) != 0) {
                known++;
            }
            if (known == count && count < GP_CLI_COLUMNS_MAX) {
                built[count++] = (gp_cli_column_t){
                    .field = name, .title = name, .cell = cell_of_attribute(name)};
            }
        }
    }
    return count;
}

/* Which parts of the grid the answer may lack, and why. */
static void absent_note(gp_cli_t *cli, const json_t *document)
{
    const json_t *absent = json_object_get(document, "absent");
    size_t count = json_array_size(absent);
    json_int_t absences = json_integer_value(json_object_get(document, "absences"));
    for (size_t i = 0; i < count; i++) {
        char name[128];
        const json_t *part = json_array_get(absent, i);
        const char *scope = json_string_value(json_object_get(part, "scope"));
        const char *why = json_string_value(json_object_get(part, "why"));
        bool subgrid = scope != NULL && strcmp(scope, "subgrid") == 0;
        gp_cli_cell_text(subgrid ? GP_CELL_SHORT : GP_CELL_TEXT, json_object_get(part, "name"),
                         name, sizeof name);
        gp_cli_note(cli, "%s %s: %s",
                    subgrid         ? "sub-Grid"
                    : scope == NULL ? "part"
                                    : scope,
                    name, why == NULL ? "not known" : why);
    }
    if (absences > (json_int_t)count && count > 0) {
        gp_cli_note(cli, "and %lld more", (long long)absences - (long long)count);
    }
    if (count == 0) {
        gp_cli_note(cli, "not every machine answered: see gridpeer node list");
    }
}

static int nobody(gp_cli_t *cli, const json_t *document, const char *query)
{
    if (cli->json) {
        gp_cli_json(cli, document);
    } else {
        explain_print(cli->out, document);
    }
    json_int_t considered = json_integer_value(json_object_get(document, "considered"));
    bool json = cli->json;
    cli->json = false; /* the document is out already: the words go to stderr only */
    bool partial = gp_cli_document_exit(document) != GP_EXIT_DONE;
    char quoted[GP_CLI_QUOTED_MAX];
    char next[GP_CLI_QUOTED_MAX + 64];
    gp_cli_quote(query, quoted);
    bool explained = gp_cli_flag(&cli->args, "explain");
    (void)snprintf(next, sizeof next,
                   explained ? "ask for less than: gridpeer find %s"
                             : "see which condition excludes them: gridpeer find %s --explain",
                   quoted);
    int code = gp_cli_fail(cli, partial ? GP_E_PARTIAL : GP_E_NO_MATCH, partial ? NULL : next,
                           "none of the %lld machines that were asked fits '%s'",
                           (long long)considered, query);
    cli->json = json;
    if (partial) {
        absent_note(cli, document);
    }
    return code;
}

/* The reference of attributes: this program's own, so it needs no agent. */
static int attributes_run(gp_cli_t *cli)
{
    json_t *document = gp_cli_document("attributes", NULL);
    for (uint32_t i = 1; i < GP_ATTR_COUNT; i++) {
        const gp_attribute_t *attribute = gp_attribute(i);
        if (attribute != NULL) {
            gp_type_t type = (gp_type_t)attribute->type;
            (void)json_array_append_new(json_object_get(document, "items"),
                                        json_pack("{s:s, s:s, s:s, s:s}", "name", attribute->name,
                                                  "type", gp_type_text(type), "example",
                                                  gp_attribute_example(i), "help", attribute->doc));
        }
    }
    return gp_cli_print(cli, document, attribute_columns,
                        sizeof attribute_columns / sizeof attribute_columns[0]);
}

/* A machine that has just come does not know where it is. */
static void near_note(gp_cli_t *cli, const json_t *document)
{
    const char *near = gp_cli_text(&cli->args, "near", NULL);
    const json_t *items = json_object_get(document, "items");
    bool known = near == NULL;
    bool missing = false;
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *rtt = json_object_get(json_array_get(items, i), "rtt_us");
        known = known || json_integer_value(rtt) > 0;
        missing = missing || !json_is_integer(rtt);
    }
    if (missing && !known) {
        gp_cli_note(cli, "how far these are from '%s' is not known yet: try again in a minute",
                    near);
    }
}

static int scope_check(gp_cli_t *cli)
{
    const char *scope = gp_cli_text(&cli->args, "scope", "grid");
    bool subgrid = strcmp(scope, "subgrid") == 0;
    if (!subgrid && strcmp(scope, "region") != 0 && strcmp(scope, "grid") != 0) {
        return gp_cli_usage(cli, "--scope is subgrid, region or grid, not '%s'", scope);
    }
    bool wide = gp_cli_text(&cli->args, "scope", NULL) != NULL && !subgrid;
    return wide && gp_cli_text(&cli->args, "near", NULL) != NULL
               ? gp_cli_usage(cli,
                              "--near orders the machines of the sub-Grid only: leave out "
                              "--scope %s",
                              scope)
               : GP_EXIT_DONE;
}

static int find_run(gp_cli_t *cli)
{
    gp_cli_column_t built[GP_CLI_COLUMNS_MAX];
    json_t *document = NULL;
    const char *query = cli->args.word_count == 0 ? "" : cli->args.words[0];
    if (gp_cli_flag(&cli->args, "attributes")) {
        return attributes_run(cli);
    }
    int code = scope_check(cli);
    code = code == GP_EXIT_DONE ? gp_cli_query_check(cli, query) : code;
    if (code != GP_EXIT_DONE) {
        return code;
    }
    json_t *body = find_body(cli, query);
    if (body == NULL) {
        return gp_cli_usage(cli, "the query is not UTF-8");
    }
    gp_cli_ask_t ask = {
        .method = "POST", .path = "/v1/find", .body = body, .kind = "find", .query = query};
    code = gp_cli_api(cli, &ask, &document);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    if (json_array_size(json_object_get(document, "items")) == 0) {
        code = nobody(cli, document, query);
        json_decref(document);
        return code;
    }
    bool explain = gp_cli_flag(&cli->args, "explain") && !cli->json;
    json_t *kept = json_incref(document);
    code = gp_cli_print(cli, document, built, columns_build(document, built));
    if (explain) {
        (void)fputc('\n', cli->out);
        explain_print(cli->out, kept);
    }
    if (code == GP_EXIT_UNKNOWN) {
        absent_note(cli, kept);
    }
    near_note(cli, kept);
    json_decref(kept);
    return code;
}

static const gp_cli_option_t options[] = {
    {"limit", GP_CLI_NUMBER, "N", "at most so many machines; default 10", 1, GP_HITS_MAX},
    {"rank", GP_CLI_TEXT, "ORDER", "best first: 'ATTRIBUTE [asc|desc], ...'", 0, 0},
    {"near", GP_CLI_TEXT, "NODE", "nearest to this machine first; me: this one", 0, 0},
    {"scope", GP_CLI_TEXT, "SCOPE", "how far: subgrid, region or grid; default grid", 0, 0},
    {"explain", GP_CLI_FLAG, NULL, "tell how many machines each condition excludes", 0, 0},
    {"attributes", GP_CLI_FLAG, NULL, "list what can be asked, with units", 0, 0},
};

const gp_cli_command_t gp_cli_find = {
    .words = "find",
    .run = find_run,
    .summary = "Find machines that fit a query",
    .operands = "['QUERY']",
    .words_max = 1,
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .timeout_ms = 10000,
    .example = "gridpeer find 'cpu >= 4 and mem.free >= 8GiB and arch == x86_64' --limit 3",
    .details =
        "A query compares attributes with values that have units, joined by and, or, not and "
        "parentheses; put it in quotes. An attribute that a machine does not set never matches. "
        "Without a query every machine fits. The table shows the attributes that the query names; "
        "--fields chooses others. --rank 'cpu.free desc, load.1' takes attributes with commas "
        "between them; without asc or desc what is better comes first (most memory, least load); "
        "it does not calculate. The default is 'mem.free desc, cpu.free desc'. With --near NODE "
        "(its "
        "name or id, or me) the nearest come first, and then that order. RTT is then the round "
        "trip "
        "from NODE, estimated from what machines measure all the time, and a query may ask for it: "
        "'rtt <= 5ms'. Without --near, RTT is what this machine measured itself, and rtt is "
        "unknown. A question goes to the own sub-Grid, then to the region and the grid, until it "
        "has "
        "as many machines as it wants (with --rank to all that may have some); --scope keeps it "
        "within the sub-Grid or the region, as --near does within the sub-Grid. --explain tells of "
        "the own sub-Grid. "
        "Exit code 1: no machine fits; 4: not every machine answered, and which part of the grid "
        "did not, and why. What "
        "is found is a hint: a machine decides itself what it runs.",
};
