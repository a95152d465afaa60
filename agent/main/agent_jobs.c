/*
 * Jobs: `run` as a stream of JSON lines, credit for what the client has read, and the launcher.
 *
 * The stream's lines: {"event":"state",...} at each change,
 * {"event":"output","stream":..,"data":..} with base64, {"event":"unrecorded",...} if its end
 * cannot be recorded, and last {"event":"end",...}. A client that goes away cancels its job.
 */
#include <sodium.h>
#include <stdlib.h>

#include "agent/main/agent_state.h"
#include "discovery/query.h"

struct stream {
    stream_t *next;
    agent_t *agent;
    gp_http_call_t *call; /* NULL: the client went away, the job is being cancelled */
    uint64_t token;
    gp_id_t on;        /* the only machine that may run it, or none */
    uint64_t job;      /* 0: the peer has not given it a number yet */
    uint64_t received; /* bytes of output handed to the client's connection */
    bool slow;         /* no credit until the client has read */
    bool unrecorded;   /* the client knows that its end could not be recorded */
};

static stream_t *find_stream(agent_t *agent, uint64_t token, uint64_t job)
{
    for (stream_t *stream = agent->streams; stream != NULL; stream = stream->next) {
        if ((job != 0 && stream->job == job) || (stream->job == 0 && stream->token == token)) {
            return stream;
        }
    }
    return NULL;
}

static void drop(stream_t *stream)
{
    stream_t **at = &stream->agent->streams;
    while (*at != stream) {
        at = &(*at)->next;
    }
    *at = stream->next;
    free(stream);
}

/* "n4 is unavailable: silent ..., seen by n2"; false if it is well, or nobody knows it. */
static bool tell_missing(agent_t *agent, const gp_id_t *id, char text[AGENT_MISSING_MAX])
{
    char why[AGENT_WHY_MAX];
    const gp_group_member_t *member = gp_group_member(agent_group(agent), id);
    if (member == NULL || member->state == GP_MEMBER_ALIVE) {
        return false;
    }
    agent_why(agent, member, why);
    (void)snprintf(text, AGENT_MISSING_MAX, "%s is %s: %s", member->name,
                   gp_member_state_name(member->state), why);
    return true;
}

/* ---- what the peer says ---------------------------------------------------------------------- */

static json_t *job_json(const char *event, const gp_msg_job_t *job)
{
    return json_pack("{s:s,s:I,s:s,s:s,s:I,s:o,s:o,s:I,s:o,s:I,s:I,s:I}", "event", event, "job",
                     (json_int_t)job->job, "state", gp_job_state_name((gp_job_state_t)job->state),
                     "reason", gp_reason_name((gp_reason_t)job->reason), "code",
                     (json_int_t)job->code, "node", gp_document_text(job->node), "name",
                     gp_document_text(job->name), "incarnation", (json_int_t)job->incarnation,
                     "text", gp_document_text(job->text), "wall_us", (json_int_t)job->wall_us,
                     "cpu_us", (json_int_t)job->cpu_us, "peak_bytes", (json_int_t)job->peak_bytes);
}

/* A job that found no machine, since the only one that it may run on is missing, says why. */
static json_t *end_json(agent_t *agent, const stream_t *stream, const gp_msg_job_t *job)
{
    char text[AGENT_MISSING_MAX];
    gp_msg_job_t told = *job;
    bool unplaced = job->reason == GP_REASON_NO_MATCH || job->reason == GP_REASON_REFUSED;
    if (unplaced && tell_missing(agent, &stream->on, text)) {
        told.text = gp_text(text);
    }
    return job_json("end", &told);
}

/* It ended, and the disk did not take that: once more each second, unless a restart is needed. */
static void on_unrecorded(stream_t *stream, const gp_msg_job_t *job)
{
    gp_fail_t fail = {.code = GP_OK};
    const bool final = gp_store_given_up(stream->agent->store);
    if (stream->call != NULL && (final || !stream->unrecorded)) {
        (void)gp_store_failure(stream->agent->store, &fail);
        json_t *line = job_json("unrecorded", job);
        (void)json_object_set_new(line, "disk", gp_document_text(gp_text(fail.text)));
        (void)json_object_set_new(line, "final", json_boolean(final));
        (void)gp_http_stream_line(stream->call, line);
    }
    stream->unrecorded = true;
    if (final && stream->call != NULL) {
        gp_http_stream_end(stream->call);
    }
    if (final) {
        drop(stream);
    }
}

static void on_job(agent_t *agent, uint64_t token, const gp_msg_job_t *job)
{
    stream_t *stream = find_stream(agent, token, job->job);
    if (stream == NULL) {
        return;
    }
    bool ended = job->state >= GP_JOB_DONE;
    stream->job = job->job;
    if (!ended && job->reason == GP_REASON_STORAGE) {
        on_unrecorded(stream, job);
        return;
    }
    if (stream->call != NULL) {
        (void)gp_http_stream_line(stream->call,
                                  ended ? end_json(agent, stream, job) : job_json("state", job));
        if (ended) {
            gp_http_stream_end(stream->call);
        }
    } else if (!ended) {
        gp_msg_t cancel = {.kind = GP_MSG_WORK_CANCEL};
        cancel.u.work_cancel.job = job->job;
        cancel.u.work_cancel.reason = GP_REASON_CANCELLED;
        agent_defer(agent, 0, &cancel);
    }
    if (ended) {
        drop(stream);
    }
}

static void give_credit(stream_t *stream)
{
    gp_msg_t consumed = {.kind = GP_MSG_WORK_CONSUMED};
    consumed.u.work_consumed.job = stream->job;
    consumed.u.work_consumed.offset = stream->received;
    agent_defer(stream->agent, 0, &consumed);
}

static json_t *output_json(const gp_msg_job_output_t *output)
{
    static char
        text[sodium_base64_ENCODED_LEN(GP_OUTPUT_CHUNK_MAX, sodium_base64_VARIANT_ORIGINAL)];
    sodium_bin2base64(text, sizeof text, output->bytes.p, output->bytes.n,
                      sodium_base64_VARIANT_ORIGINAL);
    return json_pack("{s:s,s:I,s:s,s:I,s:s}", "event", "output", "job", (json_int_t)output->job,
                     "stream", output->stream == 1 ? "stdout" : "stderr", "offset",
                     (json_int_t)output->offset, "data", text);
}

static void on_output(agent_t *agent, const gp_msg_job_output_t *output)
{
    stream_t *stream = find_stream(agent, 0, output->job);
    if (stream == NULL) {
        return;
    }
    stream->received = output->offset + output->bytes.n;
    stream->slow = stream->call != NULL && !gp_http_stream_line(stream->call, output_json(output));
    if (!stream->slow) {
        give_credit(stream);
    }
}

void agent_job_notice(agent_t *agent, uint64_t token, const gp_msg_t *msg)
{
    switch (msg->kind) {
    case GP_MSG_JOB:
        on_job(agent, token, &msg->u.job);
        break;
    case GP_MSG_JOB_OUTPUT:
        on_output(agent, &msg->u.job_output);
        break;
    default:
        if (!gp_launcher_notice(agent->launcher, msg) && msg->kind == GP_MSG_WORK_STOPPED) {
            agent_work_stopped(agent);
        }
        break;
    }
}

void agent_launched(void *context, const gp_msg_t *command)
{
    agent_defer(context, 0, command);
}

/* ---- what the client asks -------------------------------------------------------------------- */

static void on_close(void *context)
{
    stream_t *stream = context;
    stream->call = NULL;
    if (stream->job != 0) {
        gp_msg_t cancel = {.kind = GP_MSG_WORK_CANCEL};
        cancel.u.work_cancel.job = stream->job;
        cancel.u.work_cancel.reason = GP_REASON_CANCELLED;
        agent_defer(stream->agent, 0, &cancel);
        give_credit(stream);
    }
}

static void on_drain(void *context)
{
    stream_t *stream = context;
    if (stream->slow) {
        stream->slow = false;
        give_credit(stream);
    }
}

/* The words of a JSON array of strings; false: answered with the error. */
static bool take_words(gp_http_call_t *call, const json_t *array, gp_record_word_t *words,
                       uint32_t *ret_count)
{
    size_t count = json_array_size(array), bytes = 0;
    if (count > GP_ARGS_MAX) {
        gp_http_call_error(call, GP_E_RUN_LIMIT, "too many words");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const char *word = json_string_value(json_array_get(array, i));
        bytes += word == NULL ? 0 : strlen(word) + 1;
        if (word == NULL || bytes > GP_ARGS_BYTES_MAX) {
            gp_http_call_error(call, word == NULL ? GP_E_HTTP : GP_E_RUN_LIMIT,
                               word == NULL ? "a word is not a string" : "too many bytes");
            return false;
        }
        words[i].text = gp_text(word);
    }
    *ret_count = (uint32_t)count;
    return true;
}

/* {"NAME":"value"} as NAME=value words, whose memory is `buffer`. */
static bool take_env(gp_http_call_t *call, json_t *object, gp_msg_work_run_t *run,
                     char buffer[GP_ENV_BYTES_MAX])
{
    const char *name;
    json_t *value;
    size_t used = 0;
    json_object_foreach(object, name, value)
    {
        const char *text = json_string_value(value);
        size_t n = text == NULL ? 0 : strlen(name) + strlen(text) + 2;
        if (n == 0 || used + n > GP_ENV_BYTES_MAX || run->env_count == GP_ARGS_MAX) {
            gp_http_call_error(call, n == 0 ? GP_E_HTTP : GP_E_RUN_LIMIT, "the environment");
            return false;
        }
        char *at = buffer + used;
        memcpy(at, name, strlen(name));
        at[strlen(name)] = '=';
        memcpy(at + strlen(name) + 1, text, strlen(text));
        run->env[run->env_count++].text = gp_slice(at, n - 1);
        used += n;
    }
    return true;
}

static bool take_machine(agent_t *agent, gp_http_call_t *call, const char *name, gp_id_t *ret_id)
{
    if (name == NULL || name[0] == '\0') {
        return true;
    }
    const gp_group_member_t *member = gp_group_member_named(agent_group(agent), gp_text(name));
    if (member == NULL) {
        agent_where(agent, call, name);
        return false;
    }
    char text[AGENT_MISSING_MAX];
    if (member->state != GP_MEMBER_SUSPECT && tell_missing(agent, &member->id, text)) {
        gp_http_call_error(call, GP_E_PEER_UNREACHABLE, text);
        return false;
    }
    *ret_id = member->id;
    return true;
}

static bool check_size(gp_http_call_t *call, const char *name, const char *text)
{
    char detail[96];
    if (strlen(text) <= GP_QUERY_MAX) {
        return true;
    }
    (void)snprintf(detail, sizeof detail, "%s has %zu bytes, and %d are allowed", name,
                   strlen(text), GP_QUERY_MAX);
    gp_http_call_error(call, GP_E_QUERY_LIMIT, detail);
    return false;
}

/*
 * A query (in the request's field `name`) or rank that nobody can read is the user's error, told
 * before anything is recorded or asked.
 */
bool agent_check_query(gp_http_call_t *call, const char *name, const char *query, const char *rank)
{
    static gp_query_t compiled; /* large */
    gp_rank_t order;
    gp_query_error_t wrong;
    if (!check_size(call, name, query) || !check_size(call, "rank", rank)) {
        return false;
    }
    gp_error_t error = gp_query_compile(gp_text(query), &compiled, &wrong);
    const char *of = name;
    if (error == GP_OK) {
        error = gp_rank_compile(gp_text(rank), &order, &wrong);
        of = "rank";
    }
    if (error != GP_OK) {
        char detail[sizeof wrong.text + 1];
        (void)gp_text_copy(detail, sizeof detail, gp_slice(wrong.text, wrong.text_n));
        gp_document_fault_t fault = {
            .error = error, .detail = detail, .column = wrong.column, .of = of};
        gp_http_call_fail(call, &fault);
    }
    return error == GP_OK;
}

void agent_run(gp_http_call_t *call, void *context)
{
    static char env_bytes[GP_ENV_BYTES_MAX];
    agent_t *agent = context;
    json_t *args = NULL, *env = NULL;
    const char *where = "", *rank = "", *on = NULL, *name = NULL;
    if (!gp_http_call_unpack(call, "{s:o,s?o,s?s,s?s,s?s,s?s !}", "args", &args, "env", &env,
                             "where", &where, "rank", &rank, "on", &on, "name", &name)) {
        return;
    }
    if (json_array_size(args) == 0 || agent->stopping) {
        gp_http_call_error(call, GP_E_HTTP, agent->stopping ? "the agent stops" : "no command");
        return;
    }
    if (!agent_check_query(call, "where", where, rank)) {
        return;
    }
    if ((gp_work_roles(gp_peer_work(gp_runner_core(agent->runner))) & GP_ROLE_SUBMIT) == 0) {
        gp_http_call_error(call, GP_E_RUN_SUBMIT, NULL);
        return;
    }
    gp_msg_t *msg = gp_runner_draft(agent->runner, GP_MSG_WORK_RUN);
    gp_msg_work_run_t *run = &msg->u.work_run;
    if (!take_words(call, args, run->args, &run->args_count) ||
        !take_env(call, env, run, env_bytes) || !take_machine(agent, call, on, &run->on)) {
        return;
    }
    if (name != NULL && strlen(name) > GP_NAME_MAX) {
        gp_http_call_error(call, GP_E_RUN_LIMIT, "the job's name has more than 32 bytes");
        return;
    }
    gp_slice_t title = name != NULL ? gp_text(name) : run->args[0].text;
    run->name = gp_slice(title.p, title.n > GP_NAME_MAX ? GP_NAME_MAX : title.n);
    run->where = gp_text(where);
    run->rank = gp_text(rank);
    stream_t *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        gp_http_call_error(call, GP_E_MEMORY, NULL);
        return;
    }
    *stream = (stream_t){
        .next = agent->streams, .agent = agent, .call = call, .token = ++agent->requests};
    stream->on = run->on;
    agent->streams = stream;
    gp_http_call_wait(call, on_close, stream);
    gp_http_stream_start(call, on_drain);
    agent_command(agent, stream->token, msg);
}

/* What a program used is told with its end. */
static json_t *used(const gp_work_job_t *job, uint64_t amount)
{
    return job->state < GP_JOB_DONE ? json_null() : gp_document_number(amount);
}

void agent_jobs_list(gp_http_call_t *call, void *context)
{
    agent_t *agent = context;
    const void *work = gp_peer_work(gp_runner_core(agent->runner));
    json_t *document = gp_document_new("jobs", agent_wall(), false);
    for (uint32_t i = 0; i < GP_JOBS_MAX; i++) {
        gp_work_job_t job;
        if (gp_work_job_at(work, i, &job)) {
            json_t *item = json_pack(
                "{s:I,s:o,s:s,s:s,s:o,s:i,s:I,s:n,s:o,s:I,s:o,s:o,s:o}", "job", (json_int_t)job.job,
                "name", gp_document_text(job.name), "state", gp_job_state_name(job.state), "reason",
                gp_reason_name(job.reason), "node", gp_document_text(job.node), "attempt", 1,
                "incarnation", (json_int_t)job.incarnation, "progress", "text",
                gp_document_text(job.text), "output", (json_int_t)job.output, "wall_us",
                used(&job, job.wall_us), "cpu_us", used(&job, job.cpu_us), "peak_bytes",
                used(&job, job.peak_bytes));
            gp_document_add(document, item);
        }
    }
    gp_http_call_answer(call, document);
}

/* The number in a path; 0 (no job's) if it is none. */
static uint64_t job_number(const char *text)
{
    char *end = NULL;
    bool digit = text[0] >= '0' && text[0] <= '9';
    uint64_t number = strtoull(text, &end, 10);
    return digit && *end == '\0' ? number : 0;
}

void agent_job_cancel(gp_http_call_t *call, void *context)
{
    agent_t *agent = context;
    const char *id = gp_http_call_param(call, "id");
    gp_work_job_t job;
    uint64_t number = job_number(id);
    if (!gp_work_job_find(gp_peer_work(gp_runner_core(agent->runner)), number, &job)) {
        gp_http_call_error(call, GP_E_RUN_UNKNOWN, id);
        return;
    }
    bool ended = job.state >= GP_JOB_DONE;
    json_t *document = gp_document_new("cancel", agent_wall(), false);
    gp_document_add(
        document,
        json_pack("{s:I,s:s,s:s,s:I,s:o,s:o}", "job", (json_int_t)number, "state",
                  ended ? gp_job_state_name(job.state) : "cancelling", "reason",
                  ended ? gp_reason_name(job.reason) : gp_reason_name(GP_REASON_CANCELLED), "code",
                  (json_int_t)job.code, "node", gp_document_text(job.node), "text",
                  gp_document_text(job.text)));
    if (!ended) {
        gp_msg_t *msg = gp_runner_draft(agent->runner, GP_MSG_WORK_CANCEL);
        msg->u.work_cancel.job = number;
        msg->u.work_cancel.reason = GP_REASON_CANCELLED;
        agent_command(agent, 0, msg);
    }
    gp_http_call_answer(call, document);
}
