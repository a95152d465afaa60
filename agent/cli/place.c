/* Which agent on this machine a command is about. */
#include "agent/cli/command.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/http/address.h"
#include "agent/http/client.h"

/* ---- where -------------------------------------------------------------------------------------
 */

/* What `sim up` makes stays away from the machines that `init` and `join` set up. */
#define SIMS "-sim"

/*
 * The default: /var/lib/gridpeer for root, else as the XDG base directory specification says; with
 * SIMS behind it for simulated machines.
 */
static bool dir_default(gp_cli_t *cli, const char *suffix)
{
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int n = -1;
    if (geteuid() == 0) {
        n = snprintf(cli->dir_text, sizeof cli->dir_text, "/var/lib/gridpeer%s", suffix);
    } else if (state != NULL && state[0] == '/') {
        n = snprintf(cli->dir_text, sizeof cli->dir_text, "%s/gridpeer%s", state, suffix);
    } else if (home != NULL && home[0] == '/') {
        n = snprintf(cli->dir_text, sizeof cli->dir_text, "%s/.local/state/gridpeer%s", home,
                     suffix);
    }
    return n > 0 && (size_t)n < sizeof cli->dir_text;
}

int gp_cli_place_read(gp_cli_t *cli)
{
    const char *dir = gp_cli_text(&cli->args, "dir", getenv("GRIDPEER_DIR"));
    const char *node = gp_cli_text(&cli->args, "node", getenv("GRIDPEER_NODE"));
    if (dir != NULL && dir[0] != '\0') {
        cli->dir = dir;
    } else if (dir_default(cli, cli->command->sims ? SIMS : "")) {
        cli->dir = cli->dir_text;
    } else {
        return gp_cli_usage(cli, "neither --dir, GRIDPEER_DIR, XDG_STATE_HOME nor HOME is set");
    }
    if (strlen(cli->dir) > GP_CLI_PATH_MAX / 2) {
        return gp_cli_usage(cli, "the path of --dir is too long");
    }
    cli->node = node != NULL && node[0] != '\0' ? node : NULL;
    if (cli->node != NULL && gp_name_check(gp_text(cli->node)) != GP_OK) {
        return gp_cli_fail(cli, GP_E_NAME, NULL, "--node '%s'", cli->node);
    }
    return GP_EXIT_DONE;
}

void gp_cli_next(const gp_cli_t *cli, const char *command, char *text, size_t size)
{
    char quoted[2 * GP_CLI_PATH_MAX];
    bool standard = cli->dir == cli->dir_text;
    (void)snprintf(text, size, "gridpeer %s%s%s", command, standard ? "" : " --dir ",
                   standard ? "" : gp_text_quote(cli->dir, quoted, sizeof quoted));
}

void gp_cli_next_node(const gp_cli_t *cli, const char *command, const char *node, char *text,
                      size_t size)
{
    char next[3 * GP_CLI_PATH_MAX];
    gp_cli_next(cli, command, next, sizeof next);
    (void)snprintf(text, size, "%s --node %s", next, node);
}

void gp_cli_start_command(const gp_cli_t *cli, const char *node, char *text, size_t size)
{
    char command[4 * GP_CLI_PATH_MAX];
    gp_cli_next_node(cli, "agent", node, command, sizeof command);
    const char *idle = cli->command->idle;
    (void)snprintf(text, size, "%sstart it: %s", idle == NULL ? "" : idle, command);
}

int gp_cli_name_read(gp_cli_t *cli, const char **ret_name)
{
    const char *name = gp_cli_text(&cli->args, "name", cli->node);
    if (name == NULL) {
        char host[256] = "";
        (void)gethostname(host, sizeof host - 1);
        size_t n = 0;
        for (; host[n] != '\0' && host[n] != '.' && n < GP_NAME_MAX; n++) {
            char c = host[n] >= 'A' && host[n] <= 'Z' ? (char)(host[n] + 32) : host[n];
            cli->node_text[n] = c == '_' ? '-' : c;
        }
        cli->node_text[n] = '\0';
        name = cli->node_text;
    }
    if (gp_name_check(gp_text(name)) != GP_OK) {
        return gp_cli_fail(cli, GP_E_NAME, "choose one: --name NAME", "'%s'", name);
    }
    *ret_name = name;
    return GP_EXIT_DONE;
}

/* ---- who runs -------------------------------------------------------------------------------- */

typedef struct agents {
    uint32_t known; /* state directories */
    uint32_t running;
    char only[GP_NAME_MAX + 1]; /* the last one that runs */
    char some[GP_NAME_MAX + 1]; /* the last one known */
    char names[200];            /* of those that run; cut if they are many */
    char all[200];              /* of those known; cut as well */
} agents_t;

static bool socket_path(const gp_cli_t *cli, const char *node, char *path, size_t size)
{
    int n = snprintf(path, size, "%s/%s/%s", cli->dir, node, GP_HTTP_SOCKET_NAME);
    return n > 0 && (size_t)n < size;
}

static void names_add(char names[200], const char *name)
{
    size_t used = strlen(names);
    (void)snprintf(names + used, 200 - used, "%s%s", used == 0 ? "" : ", ", name);
}

static const char *names_end(const char names[200])
{
    return strlen(names) == 199 ? "..." : "";
}

bool gp_cli_agent_runs(const gp_cli_t *cli, const char *node)
{
    char path[GP_CLI_PATH_MAX];
    gp_http_client_t *client = NULL;
    if (!socket_path(cli, node, path, sizeof path)) {
        return false;
    }
    gp_error_t error = gp_http_client_open(path, &client);
    gp_http_client_close(client);
    return error == GP_OK || error == GP_E_NOT_PERMITTED || error == GP_E_TIMED_OUT;
}

static void agent_note(gp_cli_t *cli, const char *name, agents_t *agents)
{
    char directory[GP_CLI_PATH_MAX];
    struct stat status;
    int n = snprintf(directory, sizeof directory, "%s/%s", cli->dir, name);
    if (n < 0 || (size_t)n >= sizeof directory || stat(directory, &status) != 0 ||
        !S_ISDIR(status.st_mode)) {
        return;
    }
    agents->known++;
    names_add(agents->all, name);
    (void)gp_text_copy(agents->some, sizeof agents->some, gp_text(name));
    if (!gp_cli_agent_runs(cli, name)) {
        return;
    }
    agents->running++;
    (void)gp_text_copy(agents->only, sizeof agents->only, gp_text(name));
    names_add(agents->names, name);
}

/* Looks at every state directory; false if the directory itself can't be read (errno). */
static bool agents_look(gp_cli_t *cli, agents_t *ret_agents)
{
    *ret_agents = (agents_t){0};
    DIR *dir = opendir(cli->dir);
    if (dir == NULL) {
        return errno == ENOENT;
    }
    const struct dirent *entry = NULL;
    while (ret_agents->known < GP_CLI_NODES_MAX && (entry = readdir(dir)) != NULL) {
        if (gp_name_check(gp_text(entry->d_name)) == GP_OK) {
            agent_note(cli, entry->d_name, ret_agents);
        }
    }
    (void)closedir(dir);
    return true;
}

/* Where no place was named and nothing was set up, what `sim up` made is meant. */
static void fall_back(gp_cli_t *cli)
{
    gp_cli_t sims = {.dir = sims.dir_text};
    agents_t agents;
    bool named = cli->dir != cli->dir_text;
    if (named || !agents_look(cli, &agents) || agents.known > 0 || !dir_default(&sims, SIMS) ||
        !agents_look(&sims, &agents) || agents.known == 0) {
        return;
    }
    memcpy(cli->dir_text, sims.dir_text, sizeof cli->dir_text);
}

int gp_cli_place_fail(gp_cli_t *cli, gp_error_t error, const char *detail)
{
    char init[3 * GP_CLI_PATH_MAX], join[3 * GP_CLI_PATH_MAX], next[7 * GP_CLI_PATH_MAX];
    if (error != GP_E_STATE_MISSING) {
        return gp_cli_fail(cli, error, NULL, "%s", detail);
    }
    gp_cli_next(cli, "init REGION", init, sizeof init);
    gp_cli_next(cli, "join REGION --token T", join, sizeof join);
    (void)snprintf(next, sizeof next, "found a grid: %s, or join one: %s", init, join);
    return gp_cli_fail(cli, error, next, "%s", detail);
}

static int nobody_here(gp_cli_t *cli)
{
    char detail[GP_CLI_DETAIL_MAX];
    (void)snprintf(detail, sizeof detail, "%.900s holds no machine", cli->dir);
    return gp_cli_place_fail(cli, GP_E_STATE_MISSING, detail);
}

/* The only agent that runs. */
static int agent_only(gp_cli_t *cli)
{
    agents_t agents;
    char start[GP_CLI_PATH_MAX];
    if (!agents_look(cli, &agents)) {
        gp_error_t error = gp_http_address_error(errno);
        return gp_cli_fail(cli, error, NULL, "%s: %s", cli->dir, strerror(errno));
    }
    if (agents.running > 1) {
        return gp_cli_fail(cli, GP_E_STATE_AMBIGUOUS, NULL, "%u run in %s: %s%s", agents.running,
                           cli->dir, agents.names, names_end(agents.names));
    }
    if (agents.running == 1) {
        (void)gp_text_copy(cli->node_text, sizeof cli->node_text, gp_text(agents.only));
        cli->node = cli->node_text;
        return GP_EXIT_DONE;
    }
    if (agents.known == 0) {
        return nobody_here(cli);
    }
    gp_cli_start_command(cli, agents.some, start, sizeof start);
    if (agents.known == 1) {
        return gp_cli_fail(cli, GP_E_NO_AGENT, start, "%s in %s does not run", agents.some,
                           cli->dir);
    }
    return gp_cli_fail(cli, GP_E_NO_AGENT, start, "none of the %u machines in %s runs",
                       agents.known, cli->dir);
}

int gp_cli_agent_find(gp_cli_t *cli)
{
    fall_back(cli);
    if (cli->node == NULL) {
        int code = agent_only(cli);
        if (code != GP_EXIT_DONE) {
            return code;
        }
    }
    if (!socket_path(cli, cli->node, cli->socket, sizeof cli->socket)) {
        return gp_cli_usage(cli, "the path of --dir is too long");
    }
    return GP_EXIT_DONE;
}

int gp_cli_machine_find(gp_cli_t *cli)
{
    agents_t agents;
    fall_back(cli);
    if (cli->node != NULL) {
        return GP_EXIT_DONE;
    }
    if (!agents_look(cli, &agents)) {
        gp_error_t error = gp_http_address_error(errno);
        return gp_cli_fail(cli, error, NULL, "%s: %s", cli->dir, strerror(errno));
    }
    if (agents.known == 0) {
        return nobody_here(cli);
    }
    if (agents.known > 1) {
        return gp_cli_fail(cli, GP_E_STATE_AMBIGUOUS, NULL, "%u in %s: %s%s", agents.known,
                           cli->dir, agents.all, names_end(agents.all));
    }
    (void)gp_text_copy(cli->node_text, sizeof cli->node_text, gp_text(agents.some));
    cli->node = cli->node_text;
    return GP_EXIT_DONE;
}

int gp_cli_leaver_find(gp_cli_t *cli)
{
    agents_t agents;
    fall_back(cli);
    if (cli->node == NULL && agents_look(cli, &agents) && agents.running > 0) {
        return agent_only(cli);
    }
    return gp_cli_machine_find(cli);
}
