#include "agent/cli/command.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/http/client.h"
#include "agent/http/document.h"

#define READY_POLL_MS 5

/* ---- asking -------------------------------------------------------------------------------------
 */

int gp_cli_api_fail(gp_cli_t *cli, gp_error_t error)
{
    char start[GP_CLI_PATH_MAX];
    char directory[GP_CLI_PATH_MAX + 64], detail[GP_CLI_DETAIL_MAX];
    struct stat status;
    int code = errno;
    gp_cli_start_command(cli, cli->node, start, sizeof start);
    (void)snprintf(directory, sizeof directory, "%s/%s", cli->dir, cli->node);
    switch (error) {
    case GP_E_STATE_MISSING:
        if (stat(directory, &status) == 0) {
            return gp_cli_fail(cli, GP_E_NO_AGENT, start, "%s in %s does not run", cli->node,
                               cli->dir);
        }
        (void)snprintf(detail, sizeof detail, "%.900s holds no machine named %s", cli->dir,
                       cli->node);
        return gp_cli_place_fail(cli, GP_E_STATE_MISSING, detail);
    case GP_E_NO_AGENT:
        return gp_cli_fail(cli, GP_E_NO_AGENT, start, "%s in %s does not run", cli->node, cli->dir);
    case GP_E_TIMED_OUT:
        return gp_cli_fail(cli, GP_E_TIMED_OUT, cli->late_action,
                           "the agent %s did not answer within %llu ms", cli->node,
                           (unsigned long long)(gp_cli_clock_ms() - cli->began));
    case GP_E_SYSTEM:
        return gp_cli_fail(cli, GP_E_SYSTEM, NULL, "%s: %s", cli->socket, strerror(code));
    case GP_E_HTTP:
        return gp_cli_fail(cli, GP_E_HTTP, NULL, "what listens at %s does not speak as an agent",
                           cli->socket);
    default:
        return gp_cli_fail(cli, error, NULL, "%s in %s", cli->node, cli->dir);
    }
}

/* Judges an answer: the document of the kind, or an exit code. */
static int reply_judge(gp_cli_t *cli, const gp_cli_ask_t *ask, gp_http_reply_t *reply,
                       json_t **ret_document)
{
    const json_t *error = json_object_get(reply->document, "error");
    int code = GP_EXIT_DONE;
    if (json_is_object(error)) {
        code = gp_cli_fail_told(cli, error, ask->query);
    } else if (reply->status != 200 || gp_document_items(reply->document, ask->kind) == NULL) {
        code = gp_cli_fail(cli, GP_E_HTTP, NULL, "%s %s was answered with status %d and no %s",
                           ask->method, ask->path, reply->status, ask->kind);
    } else {
        *ret_document = json_incref(reply->document);
    }
    gp_http_reply_done(reply);
    return code;
}

/* Asks the agent at cli->socket; the reply is the caller's. */
static gp_error_t reply_get(gp_cli_t *cli, const gp_cli_ask_t *ask, gp_http_reply_t *ret_reply)
{
    gp_http_client_t *client = NULL;
    gp_http_ask_t request = {.method = ask->method,
                             .path = ask->path,
                             .body = ask->body,
                             .timeout_ms = gp_cli_time_left(cli, 0),
                             .wake = -1};
    gp_error_t error = gp_http_client_open(cli->socket, &client);
    if (error == GP_OK) {
        error = gp_http_client_ask(client, &request, ret_reply);
        gp_http_client_close(client);
    }
    json_decref(ask->body);
    return error;
}

int gp_cli_api(gp_cli_t *cli, const gp_cli_ask_t *ask, json_t **ret_document)
{
    gp_http_reply_t reply;
    int code = gp_cli_agent_find(cli);
    if (code != GP_EXIT_DONE) {
        json_decref(ask->body);
        return code;
    }
    gp_error_t error = reply_get(cli, ask, &reply);
    return error == GP_OK ? reply_judge(cli, ask, &reply, ret_document)
                          : gp_cli_api_fail(cli, error);
}

json_t *gp_cli_api_try(gp_cli_t *cli, const gp_cli_ask_t *ask)
{
    gp_http_reply_t reply;
    json_t *document = NULL;
    if (reply_get(cli, ask, &reply) != GP_OK) {
        return NULL;
    }
    if (reply.status == 200 && gp_document_items(reply.document, ask->kind) != NULL) {
        document = json_incref(reply.document);
    }
    gp_http_reply_done(&reply);
    return document;
}

uint64_t gp_cli_clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t gp_cli_time_left(const gp_cli_t *cli, uint64_t most)
{
    uint64_t now = gp_cli_clock_ms();
    if (cli->deadline == 0) {
        return most;
    }
    uint64_t left = cli->deadline > now ? cli->deadline - now : 1;
    return most != 0 && most < left ? most : left;
}

int gp_cli_ready_wait(gp_cli_t *cli, const char *node)
{
    gp_http_client_t *client = NULL;
    cli->node = node;
    int code = gp_cli_agent_find(cli);
    gp_error_t error = GP_E_NO_AGENT;
    while (code == GP_EXIT_DONE && error != GP_OK) {
        error = gp_http_client_open(cli->socket, &client);
        if (error != GP_OK && error != GP_E_NO_AGENT && error != GP_E_STATE_MISSING) {
            code = gp_cli_api_fail(cli, error);
        } else if (error != GP_OK && gp_cli_clock_ms() >= cli->deadline) {
            code = gp_cli_fail(cli, GP_E_NO_AGENT, NULL,
                               "%s was started but did not answer within %llu ms: see its log in "
                               "%s/%s",
                               node, (unsigned long long)cli->timeout_ms, cli->dir, node);
        } else if (error != GP_OK) {
            (void)poll(NULL, 0, READY_POLL_MS);
        }
    }
    gp_http_client_close(client);
    return code;
}

/* ---- printing -----------------------------------------------------------------------------------
 */

int gp_cli_document_exit(const json_t *document)
{
    return json_is_true(json_object_get(document, "partial")) ? GP_EXIT_UNKNOWN : GP_EXIT_DONE;
}

void gp_cli_json(gp_cli_t *cli, const json_t *document)
{
    (void)json_dumpf(document, cli->out, GP_DOCUMENT_JSON_FLAGS);
    (void)fputc('\n', cli->out);
    (void)fflush(cli->out);
}

/* Leaves only the chosen fields in every item, in the chosen order. */
static void items_reduce(json_t *document, const gp_cli_names_t *choice)
{
    json_t *items = json_object_get(document, "items");
    json_t *reduced = json_array();
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        json_t *kept = json_object();
        for (size_t f = 0; f < choice->count; f++) {
            json_t *value = json_object_get(item, choice->names[f]);
            (void)json_object_set_new(kept, choice->names[f],
                                      value == NULL ? json_null() : json_incref(value));
        }
        (void)json_array_append_new(reduced, kept);
    }
    (void)json_object_set_new(document, "items", reduced);
}

static gp_cli_column_t column_of(const char *field, const gp_cli_column_t *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(columns[i].field, field) == 0) {
            return columns[i];
        }
    }
    return (gp_cli_column_t){.field = field, .title = field};
}

/* The columns to show: the chosen, or all that are not extra. */
static size_t columns_pick(const gp_cli_column_t *columns, size_t count,
                           const gp_cli_names_t *choice, gp_cli_column_t shown[GP_CLI_COLUMNS_MAX])
{
    size_t n = 0;
    if (choice != NULL) {
        for (size_t i = 0; i < choice->count; i++) {
            shown[n++] = column_of(choice->names[i], columns, count);
        }
        return n;
    }
    for (size_t i = 0; i < count; i++) {
        if (!columns[i].extra) {
            shown[n++] = columns[i];
        }
    }
    return n;
}

int gp_cli_print(gp_cli_t *cli, json_t *document, const gp_cli_column_t *columns, size_t count)
{
    gp_cli_column_t shown[GP_CLI_COLUMNS_MAX];
    const gp_cli_names_t *chosen = cli->fields == NULL ? NULL : &cli->chosen;
    int code = gp_cli_document_exit(document);
    if (cli->json) {
        if (chosen != NULL) {
            items_reduce(document, chosen);
        }
        gp_cli_json(cli, document);
    } else {
        size_t n = columns_pick(columns, count, chosen, shown);
        gp_cli_table(cli->out, json_object_get(document, "items"), shown, n);
    }
    json_decref(document);
    return code;
}
