#include "agent/cli/command.h"

#include <string.h>

static const gp_cli_column_t columns[] = {
    {"section", "SECTION", GP_CELL_TEXT, false}, {"key", "KEY", GP_CELL_TEXT, false},
    {"value", "VALUE", GP_CELL_TEXT, false},     {"default", "DEFAULT", GP_CELL_TEXT, false},
    {"source", "SOURCE", GP_CELL_TEXT, false},   {"help", "HELP", GP_CELL_TEXT, false},
};

static const char *text_of(const json_t *item, const char *field)
{
    const char *text = json_string_value(json_object_get(item, field));
    return text == NULL ? "" : text;
}

/* As a file that the agent reads: what is still the default is commented out. */
static void config_print(gp_cli_t *cli, const json_t *items)
{
    const char *section = "";
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        if (strcmp(section, text_of(item, "section")) != 0) {
            section = text_of(item, "section");
            (void)fprintf(cli->out, "%s[", i == 0 ? "" : "\n");
            gp_cli_put(cli->out, section);
            (void)fputs("]\n", cli->out);
        }
        (void)fputs("\n# ", cli->out);
        gp_cli_put(cli->out, text_of(item, "help"));
        bool same = strcmp(text_of(item, "value"), text_of(item, "default")) == 0;
        (void)fputs(same ? "\n# " : "\n", cli->out);
        gp_cli_put(cli->out, text_of(item, "key"));
        (void)fputs(" = ", cli->out);
        gp_cli_put(cli->out, text_of(item, "value"));
        (void)fputc('\n', cli->out);
    }
}

static int config_run(gp_cli_t *cli)
{
    json_t *document = NULL;
    gp_cli_fault_t fault = {""};
    gp_cli_place_t place = {.dir = cli->dir, .node = cli->node};
    gp_error_t error = cli->backend->config(&place, &document, &fault);
    if (error != GP_OK) {
        return gp_cli_fail(cli, error, NULL, "%s", fault.detail);
    }
    if (cli->json || cli->fields != NULL) {
        return gp_cli_print(cli, document, columns, sizeof columns / sizeof columns[0]);
    }
    config_print(cli, json_object_get(document, "items"));
    json_decref(document);
    return GP_EXIT_DONE;
}

const gp_cli_command_t gp_cli_config = {
    .words = "config",
    .run = config_run,
    .summary = "Print every setting with its meaning and its value",
    .operands = "",
    .example = "gridpeer config > gridpeer.ini",
    .details = "What it prints is a configuration file: settings that have their default value are "
               "commented out. With --node the file of that machine is read.",
};
