/* run: a program on some machine of the grid, as if it ran here. */
#include "agent/cli/command.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/cli/job.h"
#include "agent/http/client.h"
#include "proto/message.h"

#define CANCEL_TIMEOUT_MS 5000  /* for the agent to take the cancel */
#define END_TIMEOUT_MS    30000 /* for a cancelled job to end */
#define START_TIMEOUT_MS  10000
#define GRACE_MS          100 /* beyond --timeout, to cancel the job and hear of its end */
#define SIGNAL_EXIT       128

typedef struct run {
    gp_cli_t *cli;
    gp_http_client_t *client;
    int signals;     /* a signalfd for SIGINT, SIGTERM and SIGHUP */
    sigset_t before; /* the signal mask to go back to */
    int interrupts;  /* how often the user wanted it to end */
    bool cancelled;  /* the agent was told */
    bool timed_out;  /* --timeout is over, or the end of a cancelled job did not come */
    bool broken;     /* our own output can't be written */
    bool unread;     /* because nobody reads it any more: as with any program in a pipe */
    bool announced;
    bool unrecorded; /* the agent cannot record how it ended */
    uint64_t end_by; /* once cancelled: when to wait no longer */
    char job[64];
    json_t *facts; /* the job, as far as events told */
} run_t;

/* ---- what to run ----------------------------------------------------------------------------- */

static int args_add(gp_cli_t *cli, json_t *body)
{
    size_t bytes = 0;
    json_t *args = json_array();
    (void)json_object_set_new(body, "args", args);
    if (cli->args.rest_count > GP_ARGS_MAX) {
        return gp_cli_fail(cli, GP_E_RUN_LIMIT, NULL, "%u words, and %d are allowed",
                           cli->args.rest_count, GP_ARGS_MAX);
    }
    for (uint32_t i = 0; i < cli->args.rest_count; i++) {
        bytes += strlen(cli->args.rest[i]) + 1;
        if (json_array_append_new(args, json_string(cli->args.rest[i])) != 0) {
            return gp_cli_usage(cli, "word %u of the program is not UTF-8", i + 1);
        }
    }
    if (bytes > GP_ARGS_BYTES_MAX) {
        return gp_cli_fail(cli, GP_E_RUN_LIMIT, NULL, "%zu bytes, and %d are allowed", bytes,
                           GP_ARGS_BYTES_MAX);
    }
    return GP_EXIT_DONE;
}

static int environment_add(gp_cli_t *cli, json_t *body)
{
    size_t bytes = 0;
    json_t *environment = json_object();
    (void)json_object_set_new(body, "env", environment);
    const gp_cli_given_t *given = NULL;
    for (uint32_t i = 0; (given = gp_cli_given(&cli->args, "env", i)) != NULL; i++) {
        size_t n = strcspn(given->text, "=");
        char name[256];
        if (given->text[n] != '=' || n == 0 || n >= sizeof name) {
            return gp_cli_usage(cli, "--env takes NAME=VALUE, not '%s'", given->text);
        }
        memcpy(name, given->text, n);
        name[n] = '\0';
        bytes += strlen(given->text) + 1;
        if (json_object_set_new(environment, name, json_string(given->text + n + 1)) != 0) {
            return gp_cli_usage(cli, "--env '%s' is not UTF-8", given->text);
        }
    }
    if (bytes > GP_ENV_BYTES_MAX) {
        return gp_cli_fail(cli, GP_E_RUN_LIMIT, NULL,
                           "%zu bytes of environment, and %d are allowed", bytes, GP_ENV_BYTES_MAX);
    }
    return GP_EXIT_DONE;
}

/* No machine and no job has a longer name. */
static int name_check(gp_cli_t *cli, const char *option)
{
    const char *name = gp_cli_text(&cli->args, option, "");
    if (strlen(name) > GP_NAME_MAX) {
        return gp_cli_usage(cli, "--%s has %zu bytes, and %d are allowed: '%.64s%s'", option,
                            strlen(name), GP_NAME_MAX, name, strlen(name) > 64 ? "..." : "");
    }
    return GP_EXIT_DONE;
}

static int body_build(gp_cli_t *cli, json_t *body)
{
    static const char *const texts[] = {"where", "rank", "on", "name"};
    int code = name_check(cli, "name");
    code = code == GP_EXIT_DONE ? name_check(cli, "on") : code;
    code =
        code == GP_EXIT_DONE ? gp_cli_query_check(cli, gp_cli_text(&cli->args, "where", "")) : code;
    code = code == GP_EXIT_DONE ? args_add(cli, body) : code;
    code = code == GP_EXIT_DONE ? environment_add(cli, body) : code;
    for (size_t i = 0; code == GP_EXIT_DONE && i < sizeof texts / sizeof texts[0]; i++) {
        const char *text = gp_cli_text(&cli->args, texts[i], NULL);
        if (text != NULL && json_object_set_new(body, texts[i], json_string(text)) != 0) {
            code = gp_cli_usage(cli, "--%s is not UTF-8", texts[i]);
        }
    }
    return code;
}

/* ---- signals and cancelling ------------------------------------------------------------------ */

static void signals_take(run_t *run)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &set, &run->before);
    run->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void signals_give_back(run_t *run)
{
    if (run->signals >= 0) {
        (void)close(run->signals);
    }
    (void)pthread_sigmask(SIG_SETMASK, &run->before, NULL);
}

/* The job's name in paths and words; "" if the agent has not told it. */
static const char *job_of(run_t *run)
{
    const json_t *job = json_object_get(run->facts, "job");
    if (job != NULL && run->job[0] == '\0') {
        gp_cli_cell_text(GP_CELL_TEXT, job, run->job, sizeof run->job);
    }
    return run->job;
}

/* Asks the agent, on a connection of its own, to end the job. */
static bool cancel_ask(run_t *run)
{
    char path[256];
    gp_http_client_t *client = NULL;
    gp_http_reply_t reply = {0};
    if (!gp_cli_job_path(job_of(run), "/cancel", path, sizeof path) ||
        gp_http_client_open(run->cli->socket, &client) != GP_OK) {
        return false;
    }
    json_t *body = json_object();
    uint64_t now = gp_cli_clock_ms();
    uint64_t left = run->end_by > now ? run->end_by - now : 1;
    gp_http_ask_t ask = {.method = "POST",
                         .path = path,
                         .body = body,
                         .timeout_ms = left < CANCEL_TIMEOUT_MS ? left : CANCEL_TIMEOUT_MS,
                         .wake = -1};
    bool told = gp_http_client_ask(client, &ask, &reply) == GP_OK && reply.status == 200;
    gp_http_reply_done(&reply);
    gp_http_client_close(client);
    json_decref(body);
    return told;
}

/*
 * Cancels once. False: the agent does not know the job yet, and hanging up cancels it. If the
 * agent can't be told, the stream breaks too, or the user gives up.
 */
static bool cancel(run_t *run)
{
    if (job_of(run)[0] == '\0') {
        return false;
    }
    if (!run->cancelled) {
        uint64_t over = run->cli->deadline == 0 ? UINT64_MAX : run->cli->deadline + GRACE_MS;
        uint64_t end_by = gp_cli_clock_ms() + END_TIMEOUT_MS;
        run->end_by = end_by < over ? end_by : over;
        run->cancelled = true;
        (void)cancel_ask(run);
    }
    return true;
}

/* False: there is nothing more to wait for. */
static bool interrupted(run_t *run)
{
    struct signalfd_siginfo info;
    while (read(run->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        run->interrupts++;
    }
    if (run->interrupts > 1) {
        char jobs[4 * GP_CLI_PATH_MAX];
        gp_cli_next_node(run->cli, "ps", run->cli->node, jobs, sizeof jobs);
        gp_cli_note(run->cli, "gave up waiting for the end of job %s: see %s", job_of(run), jobs);
        return false;
    }
    if (run->interrupts == 1) {
        gp_cli_note(run->cli, "cancelling; once more to give up waiting");
        return cancel(run);
    }
    return true;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void output_write(run_t *run, const json_t *event)
{
    uint8_t bytes[GP_OUTPUT_CHUNK_MAX];
    size_t n = 0;
    const json_t *data = json_object_get(event, "data");
    const char *stream = json_string_value(json_object_get(event, "stream"));
    if (!json_is_string(data) || stream == NULL ||
        sodium_base642bin(bytes, sizeof bytes, json_string_value(data), json_string_length(data),
                          NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0) {
        gp_cli_note(run->cli, "the agent sent output that cannot be read");
        return;
    }
    FILE *to = strcmp(stream, "stderr") == 0 ? run->cli->err : run->cli->out;
    if (fwrite(bytes, 1, n, to) != n || fflush(to) != 0) {
        run->broken = true;
        run->unread = errno == EPIPE;
    }
}

static void state_note(run_t *run)
{
    const char *state = json_string_value(json_object_get(run->facts, "state"));
    const char *node = json_string_value(json_object_get(run->facts, "node"));
    if (run->announced || state == NULL || node == NULL || strcmp(state, "running") != 0) {
        return;
    }
    run->announced = true;
    if (!gp_cli_flag(&run->cli->args, "quiet")) {
        gp_cli_note(run->cli, "running on %s (job %s)", node, job_of(run));
    }
}

/* Its end cannot be recorded, so it is not told. True: not before the agent is started anew. */
static bool unrecorded_take(run_t *run)
{
    const char *disk = json_string_value(json_object_get(run->facts, "disk"));
    run->unrecorded = json_is_true(json_object_get(run->facts, "final"));
    if (!run->unrecorded) {
        gp_cli_note(run->cli, "job %s ended, but %s cannot record that yet: %s; make room: %s",
                    job_of(run), run->cli->node, disk == NULL ? "its disk failed" : disk,
                    "it is tried again each second");
    }
    return run->unrecorded;
}

/* True when there is nothing more to come. */
static bool event_take(run_t *run, json_t *event)
{
    const char *name = json_string_value(json_object_get(event, "event"));
    name = name == NULL ? "" : name;
    if (run->cli->json) {
        gp_cli_json(run->cli, event);
        run->broken = run->broken || ferror(run->cli->out) != 0;
    } else if (strcmp(name, "output") == 0) {
        output_write(run, event);
    }
    bool end = strcmp(name, "end") == 0;
    bool unrecorded = strcmp(name, "unrecorded") == 0;
    if (!unrecorded && (end || strcmp(name, "state") == 0)) {
        (void)json_object_del(run->facts, "disk"); /* it is well again */
        (void)json_object_del(run->facts, "final");
    }
    if (end || unrecorded || strcmp(name, "state") == 0) {
        (void)json_object_update(run->facts, event);
        (void)json_object_del(run->facts, "event");
        if (!end && !unrecorded && !run->cli->json) {
            state_note(run);
        }
        end = end || (unrecorded && unrecorded_take(run));
    }
    json_decref(event);
    return end;
}

/* ---- the end --------------------------------------------------------------------------------- */

/* Reasons that are not the program's own doing. */
static const struct {
    gp_reason_t reason;
    gp_error_t error;
} end_errors[] = {
    {GP_REASON_NOT_FOUND, GP_E_RUN_NOT_FOUND},
    {GP_REASON_NOT_EXECUTABLE, GP_E_RUN_NOT_EXECUTABLE},
    {GP_REASON_START, GP_E_SYSTEM},
    {GP_REASON_NO_MATCH, GP_E_NO_MATCH},
    {GP_REASON_REFUSED, GP_E_RUN_REFUSED},
    {GP_REASON_LEASE_LOST, GP_E_RUN_NODE_FAILED},
    {GP_REASON_NODE_FAILED, GP_E_RUN_NODE_FAILED},
    {GP_REASON_AGENT_STOPPED, GP_E_RUN_NODE_FAILED},
    {GP_REASON_HOME_RESTARTED, GP_E_RUN_NODE_FAILED},
    {GP_REASON_STORAGE, GP_E_STATE_IO},
    {GP_REASON_POLICY, GP_E_RUN_REFUSED},
};

/* The error that a reason stands for; GP_OK if it is the program's own end. */
static gp_error_t end_error(const char *reason)
{
    for (size_t i = 0; i < sizeof end_errors / sizeof end_errors[0]; i++) {
        if (strcmp(gp_reason_name(end_errors[i].reason), reason) == 0) {
            return end_errors[i].error;
        }
    }
    return GP_OK;
}

/* What to type next: the error's own (NULL), or more to the point. */
static const char *end_action(gp_cli_t *cli, gp_error_t error, int code, char *next, size_t size)
{
    char quoted[GP_CLI_QUOTED_MAX];
    if (error == GP_E_RUN_NOT_EXECUTABLE && code == ENOEXEC) {
        return "give it a #! line, or name its interpreter: gridpeer run -- sh FILE";
    }
    bool unplaced = error == GP_E_NO_MATCH || error == GP_E_RUN_REFUSED;
    if (unplaced && gp_cli_text(&cli->args, "on", NULL) != NULL) {
        return "see how it is: gridpeer node list";
    }
    if (error != GP_E_NO_MATCH) {
        return NULL;
    }
    gp_cli_quote(gp_cli_text(&cli->args, "where", ""), quoted);
    (void)snprintf(next, size, "see which condition excludes them: gridpeer find %s --explain",
                   quoted);
    return next;
}

/* The end in words, where the program's own exit code does not say it all. Returns the exit code.
 */
static int end_say(run_t *run)
{
    gp_cli_t *cli = run->cli;
    const char *reason = json_string_value(json_object_get(run->facts, "reason"));
    const char *text = json_string_value(json_object_get(run->facts, "text"));
    const char *node = json_string_value(json_object_get(run->facts, "node"));
    int code = (int)json_integer_value(json_object_get(run->facts, "code"));
    reason = reason == NULL ? "?" : reason;
    text = text == NULL ? "" : text;
    node = node == NULL || node[0] == '\0' ? "no machine" : node;
    gp_error_t error = end_error(reason);
    if (error != GP_OK) {
        char next[GP_CLI_QUOTED_MAX + 64];
        return gp_cli_fail(cli, error, end_action(cli, error, code, next, sizeof next),
                           "job %s on %s: %s%s%s", job_of(run), node, reason,
                           text[0] == '\0' ? "" : ": ", text);
    }
    if (strcmp(reason, gp_reason_name(GP_REASON_EXIT)) == 0) {
        return code & 0xff;
    }
    if (strcmp(reason, gp_reason_name(GP_REASON_SIGNAL)) == 0) {
        gp_cli_note(cli, "ended by signal %d (%s) on %s", code, strsignal(code), node);
        return SIGNAL_EXIT + (code & 0x7f);
    }
    if (strcmp(reason, gp_reason_name(GP_REASON_OOM)) == 0) {
        gp_cli_note(cli, "ran out of memory on %s%s%s", node, text[0] == '\0' ? "" : ": ", text);
        return SIGNAL_EXIT + SIGKILL;
    }
    gp_cli_note(cli, "%s on %s%s%s", reason, node, text[0] == '\0' ? "" : ": ", text);
    return strcmp(reason, gp_reason_name(GP_REASON_CANCELLED)) == 0 ? SIGNAL_EXIT + SIGINT
                                                                    : GP_EXIT_FAILED;
}

static int lost_say(run_t *run)
{
    const char *node = json_string_value(json_object_get(run->facts, "node"));
    char start[4 * GP_CLI_PATH_MAX], jobs[4 * GP_CLI_PATH_MAX], next[9 * GP_CLI_PATH_MAX];
    gp_cli_start_command(run->cli, run->cli->node, start, sizeof start);
    if (job_of(run)[0] == '\0') {
        return gp_cli_fail(run->cli, GP_E_NO_AGENT, start,
                           "the agent %s went away before the job was accepted: nothing runs",
                           run->cli->node);
    }
    gp_cli_next_node(run->cli, "ps", run->cli->node, jobs, sizeof jobs);
    (void)snprintf(next, sizeof next, "see %s; if the agent is down, %s", jobs, start);
    return gp_cli_fail(run->cli, GP_E_NO_AGENT, next,
                       "the agent %s went away while job %s was open: it may still run%s%s",
                       run->cli->node, job_of(run), node == NULL ? "" : " on ",
                       node == NULL ? "" : node);
}

static int unrecorded_say(run_t *run)
{
    gp_cli_t *cli = run->cli;
    const char *disk = json_string_value(json_object_get(run->facts, "disk"));
    char start[4 * GP_CLI_PATH_MAX], jobs[4 * GP_CLI_PATH_MAX], next[9 * GP_CLI_PATH_MAX];
    gp_cli_start_command(cli, cli->node, start, sizeof start);
    gp_cli_next_node(cli, "ps", cli->node, jobs, sizeof jobs);
    (void)snprintf(next, sizeof next,
                   "check the disk and the kernel's log, stop %s, %s, and see %s", cli->node, start,
                   jobs);
    return gp_cli_fail(cli, GP_E_STATE_IO, next,
                       "job %s ended, but %s cannot record how before it is started anew: %s",
                       job_of(run), cli->node, disk == NULL ? "its disk failed" : disk);
}

/* The exit code of a job whose end was told. */
static int ended_judge(run_t *run)
{
    if (run->unread) {
        return SIGNAL_EXIT + SIGPIPE;
    }
    if (run->unrecorded) {
        return unrecorded_say(run);
    }
    int code = end_say(run);
    if (run->timed_out) {
        return gp_cli_fail(run->cli, GP_E_TIMED_OUT, NULL, "job %s was cancelled after %llu ms",
                           job_of(run), (unsigned long long)run->cli->timeout_ms);
    }
    if (run->broken) {
        return gp_cli_fail(run->cli, GP_E_SYSTEM, "make room, or look at who reads it",
                           "its output could not be written, so job %s was cancelled", job_of(run));
    }
    return run->interrupts > 0 ? SIGNAL_EXIT + SIGINT : code;
}

/* Nothing came in time: for whom was waited? */
static int late_say(run_t *run)
{
    gp_cli_t *cli = run->cli;
    const char *node = json_string_value(json_object_get(run->facts, "node"));
    uint64_t after = gp_cli_clock_ms() - cli->began;
    char jobs[4 * GP_CLI_PATH_MAX], next[5 * GP_CLI_PATH_MAX];
    if (job_of(run)[0] == '\0') {
        return gp_cli_fail(cli, GP_E_TIMED_OUT, NULL,
                           "the agent %s had no machine for the job yet after %llu ms, so nothing "
                           "runs",
                           cli->node, (unsigned long long)after);
    }
    bool placed = node != NULL && node[0] != '\0';
    const char *disk = json_string_value(json_object_get(run->facts, "disk"));
    gp_cli_next_node(cli, "ps", cli->node, jobs, sizeof jobs);
    if (disk != NULL) {
        (void)snprintf(next, sizeof next, "make room, and see how it ended: %s", jobs);
        return gp_cli_fail(cli, GP_E_TIMED_OUT, next,
                           "job %s ended, but after %llu ms %s could not record how: %s",
                           job_of(run), (unsigned long long)after, cli->node, disk);
    }
    (void)snprintf(next, sizeof next, "see how it ends: %s", jobs);
    return gp_cli_fail(cli, GP_E_TIMED_OUT, next,
                       "job %s was cancelled, and after %llu ms %s %s has not told its end",
                       job_of(run), (unsigned long long)after, placed ? "the machine" : "the agent",
                       placed ? node : cli->node);
}

/* What is known of the job, as the last line; then errors are only told in words. */
static void document_print(run_t *run, bool ended)
{
    json_t *document = gp_cli_document("job", json_incref(run->facts));
    if (!ended) {
        (void)json_object_set_new(document, "partial", json_true());
    }
    (void)gp_cli_print(run->cli, document, NULL, 0);
    run->cli->json = false;
}

static int run_judge(run_t *run, gp_http_next_t how)
{
    if (run->cli->json && job_of(run)[0] != '\0') {
        document_print(run, how == GP_HTTP_NEXT_END && !run->unrecorded);
    }
    switch (how) {
    case GP_HTTP_NEXT_END:
        return ended_judge(run);
    case GP_HTTP_NEXT_WAKE:
        return SIGNAL_EXIT + SIGINT;
    case GP_HTTP_NEXT_TIMEOUT:
        return late_say(run);
    case GP_HTTP_NEXT_LINE:
    case GP_HTTP_NEXT_LOST:
    default:
        return lost_say(run);
    }
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* How long to wait for the next event; 0: as long as it takes. */
static uint64_t patience_ms(const run_t *run)
{
    uint64_t until = run->cancelled ? run->end_by : run->cli->deadline;
    uint64_t now = gp_cli_clock_ms();
    if (until == 0) {
        return 0;
    }
    return now < until ? until - now : 1;
}

/*
 * Reads events. END: the job's end was told; WAKE: the user gave up; TIMEOUT: it was cancelled and
 * does not end; LOST: the agent is gone.
 */
static gp_http_next_t events_read(run_t *run)
{
    for (;;) {
        json_t *event = NULL;
        gp_http_next_t next =
            gp_http_client_next(run->client, patience_ms(run), run->signals, &event);
        switch (next) {
        case GP_HTTP_NEXT_LINE:
            if (event_take(run, event)) {
                return GP_HTTP_NEXT_END;
            }
            if (run->broken && !cancel(run)) {
                return GP_HTTP_NEXT_LOST;
            }
            break;
        case GP_HTTP_NEXT_WAKE:
            if (!interrupted(run)) {
                return GP_HTTP_NEXT_WAKE;
            }
            break;
        case GP_HTTP_NEXT_TIMEOUT:
            run->timed_out = true;
            if (run->cancelled || !cancel(run)) {
                return GP_HTTP_NEXT_TIMEOUT;
            }
            break;
        case GP_HTTP_NEXT_END:
        case GP_HTTP_NEXT_LOST:
        default:
            return GP_HTTP_NEXT_LOST;
        }
    }
}

/* Opens the stream of events. 0 or an exit code. */
static int stream_open(run_t *run, const json_t *body)
{
    gp_cli_t *cli = run->cli;
    gp_http_reply_t reply = {0};
    gp_http_ask_t ask = {.method = "POST",
                         .path = "/v1/run",
                         .body = body,
                         .timeout_ms = gp_cli_time_left(cli, START_TIMEOUT_MS),
                         .wake = -1};
    gp_error_t error = gp_http_client_open(cli->socket, &run->client);
    if (error == GP_OK) {
        error = gp_http_client_start(run->client, &ask, &reply);
    }
    if (error != GP_OK) {
        return gp_cli_api_fail(cli, error);
    }
    if (reply.status == 200) {
        return GP_EXIT_DONE;
    }
    const json_t *told = json_object_get(reply.document, "error");
    int code =
        json_is_object(told)
            ? gp_cli_fail_told(cli, told, gp_cli_text(&cli->args, "where", NULL))
            : gp_cli_fail(cli, GP_E_HTTP, NULL, "run was answered with status %d", reply.status);
    gp_http_reply_done(&reply);
    return code;
}

static int run_run(gp_cli_t *cli)
{
    if (cli->args.rest_count == 0 || cli->args.rest[0][0] == '\0') {
        return gp_cli_usage(cli, "run needs a program after --%s: gridpeer run -- hostname",
                            cli->args.rest_count == 0 ? "" : ", and '' is none");
    }
    if (cli->fields != NULL && !cli->json) {
        return gp_cli_usage(cli, "run prints what its program writes: --fields needs --json");
    }
    json_t *body = json_object();
    int code = body_build(cli, body);
    code = code == GP_EXIT_DONE ? gp_cli_agent_find(cli) : code;
    if (code != GP_EXIT_DONE) {
        json_decref(body);
        return code;
    }
    run_t run = {.cli = cli, .signals = -1, .facts = json_object()};
    signals_take(&run);
    code = stream_open(&run, body);
    json_decref(body);
    if (code == GP_EXIT_DONE) {
        code = run_judge(&run, events_read(&run));
    }
    gp_http_client_close(run.client);
    signals_give_back(&run);
    json_decref(run.facts);
    return code;
}

static const gp_cli_option_t options[] = {
    {"where", GP_CLI_TEXT, "QUERY", "on a machine that fits: see gridpeer find --help", 0, 0},
    {"rank", GP_CLI_TEXT, "ORDER", "prefer machines by this: 'ATTRIBUTE [asc|desc], ...'", 0, 0},
    {"on", GP_CLI_TEXT, "NODE", "on this machine and no other", 0, 0},
    {"env", GP_CLI_LIST, "NAME=VALUE", "set in its environment; may be repeated", 0, 0},
    {"name", GP_CLI_TEXT, "NAME", "what to call the job", 0, 0},
    {"quiet", GP_CLI_FLAG, NULL, "do not say on which machine it runs", 0, 0},
};

const gp_cli_command_t gp_cli_run_command = {
    .words = "run",
    .run = run_run,
    .summary = "Run a program on a machine that fits, as if it ran here",
    .operands = "",
    .rest = true,
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .example = "gridpeer run --where 'mem.free >= 512MiB' -- sh -c 'hostname; uname -r'",
    .details =
        "The best machine that fits runs it; what it writes arrives while it runs, and its exit "
        "code is passed on (128+n if signal n ended it, 137 if it ran out of memory). Its input is "
        "empty. Ctrl-C cancels it and waits for its end; a second Ctrl-C gives up waiting. With "
        "--timeout it is cancelled after that long, and the exit code is 6. With --json each event "
        "is a line, and the last line is the job's document, of which --fields may choose (partial "
        "if its end is not known; an error if there is no job). If the disk of this machine cannot "
        "record its end, that is said instead of it: exit code 1 if not before a restart.",
};
