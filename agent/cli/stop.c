/* stop, and what leave shares with it: the agent answers, and then its process ends. */
#include "agent/cli/stop.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/http/client.h"
#include "agent/http/document.h"

/* Waits until the process behind pidfd has ended; false at the deadline (of gp_cli_clock_ms). */
static bool process_wait(int pidfd, uint64_t deadline)
{
    for (;;) {
        uint64_t now = gp_cli_clock_ms();
        uint64_t left = now < deadline ? deadline - now : 0;
        struct pollfd ended = {.fd = pidfd, .events = POLLIN};
        int ready = poll(&ended, 1, left > 60000 ? 60000 : (int)left);
        if (ready > 0 || left == 0) {
            return ready > 0;
        }
    }
}

static int end_judge(gp_cli_t *cli, gp_http_reply_t *reply, const char *kind, int pidfd,
                     json_t **ret_document)
{
    const json_t *error = json_object_get(reply->document, "error");
    if (json_is_object(error)) {
        return gp_cli_fail_told(cli, error, NULL);
    }
    if (reply->status != 200 || gp_document_items(reply->document, kind) == NULL) {
        return gp_cli_fail(cli, GP_E_HTTP, NULL, "%s was answered with status %d", kind,
                           reply->status);
    }
    if (pidfd >= 0 && !process_wait(pidfd, cli->deadline)) {
        return gp_cli_fail(cli, GP_E_TIMED_OUT, NULL,
                           "the agent %s was told, but its process still runs after %llu ms",
                           cli->node, (unsigned long long)cli->timeout_ms);
    }
    *ret_document = json_incref(reply->document);
    return GP_EXIT_DONE;
}

int gp_cli_agent_end(gp_cli_t *cli, const char *path, json_t *body, const char *kind,
                     json_t **ret_document)
{
    gp_http_client_t *client = NULL;
    gp_http_reply_t reply;
    int code = gp_cli_agent_find(cli);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    gp_error_t error = gp_http_client_open(cli->socket, &client);
    if (error != GP_OK) {
        return gp_cli_api_fail(cli, error);
    }
    /* Its own handle on the process, taken while it lives: a number could be reused. */
    pid_t pid = gp_http_client_pid(client);
    int pidfd = pid <= 0 || pid == getpid() ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
    gp_http_ask_t request = {.method = "POST",
                             .path = path,
                             .body = body,
                             .timeout_ms = gp_cli_time_left(cli, 0),
                             .wake = -1};
    error = gp_http_client_ask(client, &request, &reply);
    gp_http_client_close(client);
    if (error == GP_OK) {
        code = end_judge(cli, &reply, kind, pidfd, ret_document);
        gp_http_reply_done(&reply);
    } else {
        code = gp_cli_api_fail(cli, error);
    }
    if (pidfd >= 0) {
        (void)close(pidfd);
    }
    return code;
}

static int stop_run(gp_cli_t *cli)
{
    json_t *document = NULL;
    json_t *body = json_object();
    int code = gp_cli_agent_end(cli, "/v1/stop", body, "stop", &document);
    json_decref(body);
    if (code != GP_EXIT_DONE) {
        return code;
    }
    if (cli->json || cli->fields != NULL) {
        return gp_cli_print(cli, document, NULL, 0);
    }
    (void)fprintf(cli->out, "%s has stopped\n", cli->node);
    json_decref(document);
    return GP_EXIT_DONE;
}

const gp_cli_command_t gp_cli_stop = {
    .words = "stop",
    .run = stop_run,
    .summary = "Stop this machine's agent in good order",
    .operands = "",
    .idle = "nothing is to be stopped; to ",
    .timeout_ms = 630000,
    .example = "gridpeer stop",
    .details =
        "The agent hands over what it leads, tells its sub-Grid, and ends; the command "
        "returns when the process is gone. The machine stays a member: gridpeer agent starts "
        "it again. Exit code 69: it does not run. To go for good: gridpeer leave.",
};
