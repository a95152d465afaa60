/* init and join: setting up this machine. */
#include "agent/cli/setup.h"

#include <string.h>

#define TOKEN_EXPIRES_MS UINT64_C(86400000)

int gp_cli_listen_check(gp_cli_t *cli, const char **ret_listen)
{
    const char *listen = gp_cli_text(&cli->args, "listen", NULL);
    if (listen != NULL && gp_address_check(gp_text(listen), true) != GP_OK) {
        return gp_cli_fail(cli, GP_E_ADDRESS, NULL, "--listen '%s'", listen);
    }
    *ret_listen = listen;
    return GP_EXIT_DONE;
}

int gp_cli_setup_fail(gp_cli_t *cli, gp_error_t error, const char *name, const char *detail)
{
    char command[4 * GP_CLI_PATH_MAX], next[5 * GP_CLI_PATH_MAX];
    if (error != GP_E_STATE_EXISTS) {
        return gp_cli_fail(cli, error, NULL, "%s", detail);
    }
    if (gp_cli_agent_runs(cli, name)) {
        gp_cli_next_node(cli, "status", name, command, sizeof command);
        (void)snprintf(next, sizeof next, "look at it: %s", command);
    } else {
        gp_cli_start_command(cli, name, command, sizeof command);
        (void)snprintf(next, sizeof next, "%s", command);
    }
    (void)snprintf(next + strlen(next), sizeof next - strlen(next),
                   "; or set up another beside it: --name NAME");
    return gp_cli_fail(cli, error, next, "%s", detail);
}

/* Before anything is done that can't be done twice: a token that is used, a name that is taken. */
int gp_cli_setup_try(gp_cli_t *cli, const char *name, const char *listen)
{
    gp_cli_fault_t fault = {""};
    gp_cli_place_t place = {.dir = cli->dir, .node = name};
    if (gp_cli_flag(&cli->args, "no-start")) {
        return GP_EXIT_DONE;
    }
    gp_error_t error = cli->backend->setup_try(&place, listen, &fault);
    if (error == GP_OK || error == GP_E_STATE_EXISTS) {
        return error == GP_OK ? GP_EXIT_DONE : gp_cli_setup_fail(cli, error, name, fault.detail);
    }
    const char *action =
        error == GP_E_ADDRESS_FOREIGN ? NULL : "choose another: --listen tcp://ADDR:PORT";
    return gp_cli_fail(cli, error, action, "%s", fault.detail);
}

int gp_cli_region_check(gp_cli_t *cli, const char *region)
{
    if (gp_name_check(gp_text(region)) != GP_OK) {
        return gp_cli_fail(cli, GP_E_NAME, "choose another name for the region", "'%s'", region);
    }
    return GP_EXIT_DONE;
}

int gp_cli_setup_start(gp_cli_t *cli, const char *name, const char *listen)
{
    gp_cli_fault_t fault = {""};
    gp_cli_agent_t request = {.place = {.dir = cli->dir, .node = name}, .listen = listen};
    gp_error_t error = cli->backend->start_agent(&request, &fault);
    if (error != GP_OK) {
        char start[GP_CLI_PATH_MAX];
        gp_cli_start_command(cli, name, start, sizeof start);
        return gp_cli_fail(cli, error, start, "%s is set up, but its agent did not come up: %s",
                           name, fault.detail);
    }
    return gp_cli_ready_wait(cli, name);
}

/* Port 0 means any: where it listens now, only the agent knows. */
bool gp_cli_address_update(gp_cli_t *cli, json_t *item)
{
    gp_cli_ask_t ask = {.method = "GET", .path = "/v1/status", .kind = "status"};
    json_t *document = gp_cli_api_try(cli, &ask);
    const json_t *status = json_array_get(json_object_get(document, "items"), 0);
    json_t *address = json_object_get(status, "address");
    if (json_is_string(address)) {
        (void)json_object_set(item, "address", address);
    }
    bool answered = document != NULL;
    json_decref(document);
    return answered;
}

json_t *gp_cli_member_item(const gp_cli_member_t *member, const char *name, const char *region,
                           bool started)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "name", name, "id", member->id, "grid",
                     member->grid, "region", region, "address", member->address, "state_dir",
                     member->directory, "started", (int)started);
}

static void line_print(gp_cli_t *cli, const char *title, const json_t *item, const char *field)
{
    const char *text = json_string_value(json_object_get(item, field));
    if (text != NULL && text[0] != '\0') {
        (void)fprintf(cli->out, "  %-8s ", title);
        gp_cli_put(cli->out, text);
        (void)fputc('\n', cli->out);
    }
}

void gp_cli_member_print(gp_cli_t *cli, const json_t *item)
{
    line_print(cli, "id", item, "id");
    line_print(cli, "grid", item, "grid");
    line_print(cli, "address", item, "address");
    line_print(cli, "state", item, "state_dir");
}

/* An invitation for one machine, into the item. */
static int invitation_add(gp_cli_t *cli, const char *name, json_t *item)
{
    char invite[4 * GP_CLI_PATH_MAX], action[5 * GP_CLI_PATH_MAX];
    json_t *document = NULL;
    json_t *body = json_pack("{s:i, s:I}", "uses", 1, "expires_ms", (json_int_t)TOKEN_EXPIRES_MS);
    gp_cli_ask_t ask = {
        .method = "POST", .path = "/v1/invitations", .body = body, .kind = "invitation"};
    gp_cli_next_node(cli, "invite", name, invite, sizeof invite);
    (void)snprintf(action, sizeof action,
                   "the grid is founded, and only the invitation is missing: %s", invite);
    cli->late_action = action;
    int code = gp_cli_api(cli, &ask, &document);
    cli->late_action = NULL;
    if (code == GP_EXIT_DONE) {
        json_t *invitation = json_array_get(json_object_get(document, "items"), 0);
        static const char *const fields[] = {"token", "expires"};
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
            json_t *value = json_object_get(invitation, fields[i]);
            if (value != NULL) {
                (void)json_object_set(item, fields[i], value);
            }
        }
    }
    json_decref(document);
    return code;
}

static void init_print(gp_cli_t *cli, const json_t *item)
{
    char start[GP_CLI_PATH_MAX];
    const char *name = json_string_value(json_object_get(item, "name"));
    const char *region = json_string_value(json_object_get(item, "region"));
    const char *token = json_string_value(json_object_get(item, "token"));
    (void)fprintf(cli->out, "%s founded the grid with the region %s\n", name, region);
    gp_cli_member_print(cli, item);
    if (token != NULL) {
        (void)fprintf(cli->out,
                      "\nTo add a machine, type this there (once, within 24 hours):\n"
                      "  gridpeer join %s --token ",
                      region);
        gp_cli_put(cli->out, token);
        (void)fprintf(cli->out, "\nFor more machines: gridpeer invite --uses N\n");
    } else if (!json_is_true(json_object_get(item, "started"))) {
        gp_cli_start_command(cli, name, start, sizeof start);
        (void)fprintf(cli->out, "\nIt is not running: %s\n", start);
    }
}

static int init_run(gp_cli_t *cli)
{
    const char *name = NULL;
    const char *listen = NULL;
    const char *region = cli->args.words[0];
    gp_cli_member_t member = {.id = ""};
    gp_cli_fault_t fault = {""};
    int code = gp_cli_region_check(cli, region);
    code = code == GP_EXIT_DONE ? gp_cli_name_read(cli, &name) : code;
    code = code == GP_EXIT_DONE ? gp_cli_listen_check(cli, &listen) : code;
    code = code == GP_EXIT_DONE ? gp_cli_setup_try(cli, name, listen) : code;
    if (code != GP_EXIT_DONE) {
        return code;
    }
    gp_cli_found_t request = {
        .place = {.dir = cli->dir, .node = name}, .region = region, .listen = listen};
    gp_error_t error = cli->backend->found(&request, &member, &fault);
    if (error != GP_OK) {
        return gp_cli_setup_fail(cli, error, name, fault.detail);
    }
    bool start = !gp_cli_flag(&cli->args, "no-start");
    code = start ? gp_cli_setup_start(cli, name, listen) : GP_EXIT_DONE;
    json_t *item = gp_cli_member_item(&member, name, region, start && code == GP_EXIT_DONE);
    if (start && code == GP_EXIT_DONE) {
        (void)gp_cli_address_update(cli, item);
        code = invitation_add(cli, name, item);
    }
    if (code == GP_EXIT_DONE && (cli->json || cli->fields != NULL)) {
        return gp_cli_print(cli, gp_cli_document("init", item), NULL, 0);
    }
    if (!cli->json) {
        init_print(cli, item);
    }
    json_decref(item);
    return code;
}

static const gp_cli_option_t options[] = {
    {"name", GP_CLI_TEXT, "NAME", "this machine's name; default: the host's", 0, 0},
    {"listen", GP_CLI_TEXT, "ADDRESS", "tcp://ADDR:PORT to listen on", 0, 0},
    {"no-start", GP_CLI_FLAG, NULL, "only prepare; start it later with gridpeer agent", 0, 0},
};

const gp_cli_command_t gp_cli_init = {
    .words = "init",
    .run = init_run,
    .summary = "Found a grid: this is its first machine",
    .operands = "REGION",
    .words_min = 1,
    .words_max = 1,
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .timeout_ms = 10000,
    .example = "gridpeer init lab",
    .details =
        "Creates the grid's root key and this machine's own, starts the agent (through "
        "systemd where that runs, else in the background), and prints the command that adds "
        "another machine. The root key stays in this machine's state directory: back it up. Exit "
        "code 6: the grid is founded, but the agent was late with that command, and the "
        "message says how to print it.",
};
