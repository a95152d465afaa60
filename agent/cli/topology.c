/* topology: the grid as a tree: regions, their sub-Grids, and where this machine is; or drawn. */
#include "agent/cli/groups.h"

#include <errno.h>
#include <string.h>

/* Sizes of the drawing, in pixels. */
#define DRAW_MARGIN    20
#define DRAW_CELL      150 /* of one sub-Grid */
#define DRAW_HEAD      56  /* of a region: its name and numbers */
#define DRAW_COLUMNS   6   /* sub-Grids side by side */
#define DRAW_RADIUS    30  /* of a sub-Grid with one machine; it grows with their number */
#define DRAW_RADIUS_UP 24

/* ---- as a tree ------------------------------------------------------------------------------- */

static bool is_own(const json_t *item)
{
    return json_is_true(json_object_get(item, "own"));
}

static void subgrid_line(gp_cli_t *cli, const json_t *item, bool last_region, bool last)
{
    char subgrid[64], members[64];
    gp_cli_cell_text(GP_CELL_SHORT, json_object_get(item, "subgrid"), subgrid, sizeof subgrid);
    gp_cli_count_text(item, "members", "machine", members, sizeof members);
    (void)fprintf(cli->out, "%s  %s sub-Grid %s: %s, led by ", last_region ? " " : "|",
                  last ? "`-" : "|-", subgrid, members);
    gp_cli_put(cli->out, gp_cli_item_text(item, "leader"));
    (void)fputs(is_own(item) ? "   <- this machine\n" : "\n", cli->out);
}

static void region_lines(gp_cli_t *cli, const json_t *item, bool last)
{
    char members[64], subgrids[64];
    const json_t *list = json_object_get(item, "subgrid_list");
    size_t count = json_array_size(list);
    gp_cli_count_text(item, "members", "machine", members, sizeof members);
    gp_cli_count_text(item, "subgrids", "sub-Grid", subgrids, sizeof subgrids);
    (void)fprintf(cli->out, "%s region ", last ? "`-" : "|-");
    gp_cli_put(cli->out, gp_cli_item_text(item, "region"));
    (void)fprintf(cli->out, ": %s%s%s, led by ", json_is_array(list) ? subgrids : "",
                  json_is_array(list) ? ", " : "", members);
    gp_cli_put(cli->out, gp_cli_item_text(item, "leader"));
    (void)fputc('\n', cli->out);
    for (size_t i = 0; i < count; i++) {
        subgrid_line(cli, json_array_get(list, i), last, i + 1 == count);
    }
}

static void tree_print(gp_cli_t *cli, const json_t *document)
{
    const json_t *items = json_object_get(document, "items");
    size_t count = json_array_size(items);
    json_int_t machines = 0;
    for (size_t i = 0; i < count; i++) {
        machines += json_integer_value(json_object_get(json_array_get(items, i), "members"));
    }
    (void)fprintf(cli->out, "grid: %zu region%s, %lld machine%s\n", count, count == 1 ? "" : "s",
                  (long long)machines, machines == 1 ? "" : "s");
    for (size_t i = 0; i < count; i++) {
        region_lines(cli, json_array_get(items, i), i + 1 == count);
    }
}

/* ---- as a drawing ---------------------------------------------------------------------------- */

/* Text of others between tags. */
static void xml_put(FILE *file, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            (void)fputs("&lt;", file);
            break;
        case '>':
            (void)fputs("&gt;", file);
            break;
        case '&':
            (void)fputs("&amp;", file);
            break;
        default:
            (void)fputc((unsigned char)*text < ' ' ? ' ' : *text, file);
            break;
        }
    }
}

/* How many rows of sub-Grids a region has. */
static size_t rows_of(const json_t *region)
{
    size_t count = json_array_size(json_object_get(region, "subgrid_list"));
    return (count + DRAW_COLUMNS - 1) / DRAW_COLUMNS;
}

static void text_draw(FILE *file, size_t x, size_t y, const char *class, const char *text)
{
    (void)fprintf(file, "<text class=\"%s\" x=\"%zu\" y=\"%zu\">", class, x, y);
    xml_put(file, text);
    (void)fputs("</text>\n", file);
}

static void subgrid_draw(FILE *file, const json_t *item, size_t x, size_t y)
{
    char subgrid[64], members[64];
    json_int_t count = json_integer_value(json_object_get(item, "members"));
    json_int_t most = GP_MEMBERS_MAX;
    json_int_t radius = DRAW_RADIUS + DRAW_RADIUS_UP * (count < most ? count : most) / most;
    gp_cli_cell_text(GP_CELL_SHORT, json_object_get(item, "subgrid"), subgrid, sizeof subgrid);
    gp_cli_count_text(item, "members", "machine", members, sizeof members);
    (void)fprintf(file, "<circle class=\"%s\" cx=\"%zu\" cy=\"%zu\" r=\"%lld\"/>\n",
                  is_own(item) ? "subgrid own" : "subgrid", x, y, (long long)radius);
    text_draw(file, x, y - 2, "leader", gp_cli_item_text(item, "leader"));
    text_draw(file, x, y + 14, "small", members);
    text_draw(file, x, y + DRAW_CELL / 2 - 4, "small", subgrid);
}

static void region_draw(FILE *file, const json_t *region, size_t y, size_t width)
{
    char members[64], head[256];
    const json_t *list = json_object_get(region, "subgrid_list");
    gp_cli_count_text(region, "members", "machine", members, sizeof members);
    (void)snprintf(head, sizeof head, "region %s", gp_cli_item_text(region, "region"));
    (void)fprintf(file, "<rect class=\"%s\" x=\"%d\" y=\"%zu\" width=\"%zu\" height=\"%zu\"/>\n",
                  is_own(region) ? "region own" : "region", DRAW_MARGIN, y, width - 2 * DRAW_MARGIN,
                  DRAW_HEAD + rows_of(region) * DRAW_CELL);
    text_draw(file, 2 * DRAW_MARGIN, y + 22, "title", head);
    (void)snprintf(head, sizeof head, "%s, led by %s%s", members,
                   gp_cli_item_text(region, "leader"),
                   json_is_array(list) ? "" : "; its sub-Grids are known there");
    text_draw(file, 2 * DRAW_MARGIN, y + 40, "facts", head);
    for (size_t i = 0; i < json_array_size(list); i++) {
        size_t x = DRAW_MARGIN + DRAW_CELL / 2 + i % DRAW_COLUMNS * DRAW_CELL;
        subgrid_draw(file, json_array_get(list, i), x,
                     y + DRAW_HEAD + DRAW_CELL / 2 - 10 + i / DRAW_COLUMNS * DRAW_CELL);
    }
}

static void grid_draw(FILE *file, const json_t *document)
{
    static const char style[] =
        "<style>text{font-family:sans-serif;fill:#222}.title{font-size:16px;font-weight:bold}"
        ".facts,.small{font-size:12px;fill:#555}.leader{font-size:13px;font-weight:bold}"
        ".leader,.small{text-anchor:middle}.region{fill:#f4f6f8;stroke:#9aa7b4;rx:8px}"
        ".subgrid{fill:#cfe3f5;stroke:#4a7fb0}.own{stroke:#d07000;stroke-width:3}</style>\n";
    const json_t *items = json_object_get(document, "items");
    size_t width = 2 * DRAW_MARGIN + DRAW_COLUMNS * DRAW_CELL;
    size_t height = DRAW_MARGIN;
    for (size_t i = 0; i < json_array_size(items); i++) {
        height += DRAW_HEAD + rows_of(json_array_get(items, i)) * DRAW_CELL + DRAW_MARGIN;
    }
    (void)fprintf(file,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" "
                  "viewBox=\"0 0 %zu %zu\">\n%s",
                  width, height, width, height, style);
    size_t y = DRAW_MARGIN;
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *region = json_array_get(items, i);
        region_draw(file, region, y, width);
        y += DRAW_HEAD + rows_of(region) * DRAW_CELL + DRAW_MARGIN;
    }
    (void)fputs("</svg>\n", file);
}

static int svg_write(gp_cli_t *cli, const json_t *document, const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return gp_cli_usage(cli, "--svg: cannot write %s: %s", path, strerror(errno));
    }
    grid_draw(file, document);
    bool failed = ferror(file) != 0;
    failed = fclose(file) != 0 || failed;
    return failed ? gp_cli_fail(cli, GP_E_SYSTEM, "make room, or choose another file",
                                "%s could not be written whole", path)
                  : GP_EXIT_DONE;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int topology_run(gp_cli_t *cli)
{
    json_t *document = NULL;
    const char *svg = gp_cli_text(&cli->args, "svg", NULL);
    int code = gp_cli_regions_get(cli, &document);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    (void)json_object_set_new(document, "kind", json_string("topology"));
    code = svg == NULL ? GP_EXIT_DONE : svg_write(cli, document, svg);
    if (code != GP_EXIT_DONE) {
        json_decref(document);
        return code;
    }
    if (cli->json || cli->fields != NULL) {
        return gp_cli_print(cli, document, NULL, 0);
    }
    tree_print(cli, document);
    code = gp_cli_document_exit(document);
    json_decref(document);
    return code;
}

static const gp_cli_option_t options[] = {
    {"svg", GP_CLI_TEXT, "FILE", "draw it there, too", 0, 0},
};

const gp_cli_command_t gp_cli_topology = {
    .words = "topology",
    .run = topology_run,
    .summary = "Show the regions and sub-Grids of the grid as a tree",
    .operands = "",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .timeout_ms = 10000,
    .example = "gridpeer topology --svg grid.svg",
    .details =
        "Regions with their leaders and machines, and the sub-Grids of this machine's region: "
        "those of other regions are known there only. Exit code 4: the region peer was not "
        "reached.",
};
