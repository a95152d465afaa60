#include "agent_cli_stage.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/cli/command.h"

#define WORDS_MAX 300

/* ---- the fake agent -----------------------------------------------------------------------------
 */

static const struct {
    const char *asked;
    const char *document;
} canned[] = {
    {"GET /v1/status",
     "{'schema':'gridpeer/v1','kind':'status','as_of':'2024-05-01T12:00:00.000Z','partial':false,"
     "'items':[{'name':'n1','id':'abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst','state':"
     "'alive','role':'super-peer','region':'lab','subgrid':'mzxw6ytb','leader':'n1','term':"
     "4,'mandate':'quorum','members':9,'alive':8,'stopped':1,'missing':{},'voters':['n1'],"
     "'health':'ok','why':'','address':'tcp://127.0.0.1:4000','uptime_ms':61000}]}"},
    {"GET /v1/nodes",
     "{'schema':'gridpeer/v1','kind':'node-list','as_of':'2024-05-01T12:00:00.000Z','partial':"
     "false,'items':[{'name':'n1','id':'abcdefghijkl','state':'alive','role':'super-peer','region'"
     ":'lab','subgrid':'ff','address':'tcp://127.0.0.1:4000','age_ms':0,'why':''},{'name':'n2',"
     "'id':'mnopqrstuvwx','state':'unavailable','role':'member','region':'lab','subgrid':'ff',"
     "'address':'tcp://127.0.0.1:4001','age_ms':61000,'why':'process gone, seen by n1 and n3'}]}"},
    {"POST /v1/find",
     "{'schema':'gridpeer/v1','kind':'find','as_of':'2024-05-01T12:00:00.000Z','partial':false,"
     "'items':[{'name':'n3','id':'abcdefghijkl','region':'lab','subgrid':'ff','rtt_us':420,'cpu':"
     "8,'mem.free':8589934592,'cpu.idle':0.5}],'considered':12,'matched':1,'explain':[{"
     "'condition':'cpu >= 4','excluded':6,'unknown':0},{'condition':'mem.free >= 8GiB','excluded':"
     "5,'unknown':1}]}"},
    {"GET /v1/subgrids",
     "{'schema':'gridpeer/v1','kind':'subgrid','as_of':'2024-05-01T12:00:00.000Z','partial':false,"
     "'items':[{'subgrid':'mzxw6ytboiqq','region':'lab','leader':'n1','leader_id':'abcdefghijkl',"
     "'address':'tcp://127.0.0.1:4000','members':9,'own':true,'full':false},{'subgrid':"
     "'mzaaaaaaaaaq','region':'lab','leader':'n3','leader_id':'abcdefghijkm','address':"
     "'tcp://127.0.0.1:4003','members':1,'own':false,'full':true}]}"},
    {"GET /v1/regions",
     "{'schema':'gridpeer/v1','kind':'region','as_of':'2024-05-01T12:00:00.000Z','partial':false,"
     "'items':[{'region':'lab','leader':'n1','leader_id':'abcdefghijkl','address':"
     "'tcp://127.0.0.1:4000','members':7,'own':true},{'region':'<b>','leader':'m1','leader_id':"
     "'bbcdefghijkl','address':'tcp://127.0.0.1:5000','members':40,'own':false}]}"},
    {"POST /v1/invitations",
     "{'schema':'gridpeer/v1','kind':'invitation','as_of':'2024-05-01T12:00:00.000Z','partial':"
     "false,'items':[{'token':'gp1.AbC','region':'lab','uses':5,'expires':"
     "'2024-05-02T12:00:00.000Z'}]}"},
    {"GET /v1/jobs",
     "{'schema':'gridpeer/v1','kind':'jobs','as_of':'2024-05-01T12:00:00.000Z','partial':false,"
     "'items':[{'job':17,'name':'sh','state':'running','reason':'none','node':'n3','attempt':1,"
     "'incarnation':1,'progress':null,'text':'','output':5}]}"},
    {"POST /v1/jobs/17/cancel",
     "{'schema':'gridpeer/v1','kind':'cancel','as_of':'2024-05-01T12:00:00.000Z','partial':false,"
     "'items':[{'job':17,'state':'cancelling'}]}"},
    {"POST /v1/leave",
     "{'schema':'gridpeer/v1','kind':'leave','as_of':'2024-05-01T12:00:00.000Z','partial':false,"
     "'items':[{'name':'n1','state':'left','region':'lab','successor':'n2'}]}"},
    {"POST /v1/stop",
     "{'schema':'gridpeer/v1','kind':'stop','as_of':'2024-05-01T12:00:00.000Z','partial':false,"
     "'items':[{'name':'n1','state':'leaving'}]}"},
    {"GET /v1/activity",
     "{'schema':'gridpeer/v1','kind':'activity','as_of':'2024-05-01T12:00:00.000Z','partial':"
     "false,'items':[{'seq':108,'at':'2024-05-01T11:00:00.000Z','actor':'root','what':'start',"
     "'object':'n1','detail':'','hash':'01234567'}],'first':3,'last':108}"},
};

/* JSON with ' for ". */
static json_t *json_of(const char *text)
{
    char *copy = strdup(text);
    for (char *p = copy; *p != '\0'; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    json_t *json = json_loads(copy, 0, NULL);
    assert(json != NULL);
    free(copy);
    return json;
}

static void stream_gone(void *context)
{
    stage_t *stage = context;
    stage->stream = NULL;
}

static void stream_answer(stage_t *stage, gp_http_call_t *call)
{
    stage->stream = call;
    gp_http_call_wait(call, stream_gone, stage);
    gp_http_stream_start(call, NULL);
    for (size_t i = 0; i < stage->line_count; i++) {
        (void)gp_http_stream_line(call, json_of(stage->lines[i]));
    }
    if (!stage->hang && !stage->vanish) {
        stage->stream = NULL;
        gp_http_stream_end(call);
    }
    (void)!write(stage->news, "s", 1);
}

/* The user gave up, so the job ends. */
static void cancel_note(stage_t *stage)
{
    stage->cancels++;
    if (stage->deaf) {
        (void)kill(getpid(), SIGINT);
        return;
    }
    if (stage->stream != NULL && stage->hang && !stage->mute) {
        gp_http_call_t *call = stage->stream;
        stage->stream = NULL;
        (void)gp_http_stream_line(call, json_of("{'event':'end','job':17,'state':'cancelled',"
                                                "'reason':'cancelled','code':0,'node':'n3'}"));
        gp_http_stream_end(call);
    }
}

static void handle(gp_http_call_t *call, stage_t *stage, const char *asked)
{
    (void)snprintf(stage->asked, sizeof stage->asked, "%s", asked);
    json_decref(stage->body);
    stage->body = json_incref(gp_http_call_body(call));
    const json_t *error = NULL;
    json_t *document = stage->answer == NULL ? NULL : json_of(stage->answer);
    if (strcmp(asked, "POST /v1/jobs/17/cancel") == 0) {
        cancel_note(stage);
    }
    for (size_t i = 0; document == NULL && i < sizeof canned / sizeof canned[0]; i++) {
        if (strcmp(canned[i].asked, asked) == 0) {
            document = json_of(canned[i].document);
        }
    }
    error = json_object_get(document, "error");
    if (error != NULL) {
        gp_document_fault_t fault = {
            .error = (gp_error_t)json_integer_value(json_object_get(error, "number")),
            .detail = json_string_value(json_object_get(error, "detail")),
            .column = (uint32_t)json_integer_value(json_object_get(error, "column")),
            .of = json_string_value(json_object_get(error, "of"))};
        gp_http_call_fail(call, &fault);
        json_decref(document);
    } else if (strcmp(asked, "POST /v1/run") == 0) {
        json_decref(document);
        stream_answer(stage, call);
    } else {
        gp_http_call_answer(call, document);
    }
}

#define HANDLER(name, asked)                                                                       \
    static void name(gp_http_call_t *call, void *context)                                          \
    {                                                                                              \
        handle(call, context, asked);                                                              \
    }
HANDLER(handle_status, "GET /v1/status")
HANDLER(handle_nodes, "GET /v1/nodes")
HANDLER(handle_find, "POST /v1/find")
HANDLER(handle_invite, "POST /v1/invitations")
HANDLER(handle_run, "POST /v1/run")
HANDLER(handle_jobs, "GET /v1/jobs")
HANDLER(handle_leave, "POST /v1/leave")
HANDLER(handle_stop, "POST /v1/stop")
HANDLER(handle_subgrids, "GET /v1/subgrids")
HANDLER(handle_regions, "GET /v1/regions")

/* What was asked is told with the query. */
static void handle_activity(gp_http_call_t *call, void *context)
{
    stage_t *stage = context;
    const char *limit = gp_http_call_query(call, "limit");
    const char *after = gp_http_call_query(call, "after");
    (void)snprintf(stage->query, sizeof stage->query, "%s %s", limit == NULL ? "-" : limit,
                   after == NULL ? "-" : after);
    handle(call, context, "GET /v1/activity");
}

static void handle_cancel(gp_http_call_t *call, void *context)
{
    char asked[128];
    const char *id = gp_http_call_param(call, "id");
    if (strcmp(id, "17") != 0) {
        gp_http_call_error(call, GP_E_RUN_UNKNOWN, id);
        return;
    }
    (void)snprintf(asked, sizeof asked, "POST /v1/jobs/%s/cancel", id);
    handle(call, context, asked);
}

static const gp_http_route_t routes[] = {
    {"GET", "/v1/status", handle_status},
    {"GET", "/v1/nodes", handle_nodes},
    {"POST", "/v1/find", handle_find},
    {"POST", "/v1/invitations", handle_invite},
    {"POST", "/v1/run", handle_run},
    {"GET", "/v1/jobs", handle_jobs},
    {"POST", "/v1/jobs/{id}/cancel", handle_cancel},
    {"POST", "/v1/leave", handle_leave},
    {"POST", "/v1/stop", handle_stop},
    {"GET", "/v1/activity", handle_activity},
    {"GET", "/v1/subgrids", handle_subgrids},
    {"GET", "/v1/regions", handle_regions},
};

/* ---- the fake backend ------------------------------------------------------------------------ */

static stage_t *playing; /* the backend has no context: one stage at a time */

static gp_error_t backend_end(gp_cli_fault_t *fault)
{
    if (playing->backend_error != GP_OK) {
        (void)snprintf(fault->detail, sizeof fault->detail, "what the backend says");
    }
    return playing->backend_error;
}

static const char *or_dash(const char *text)
{
    return text == NULL ? "-" : text;
}

static void member_fill(gp_cli_member_t *member)
{
    *member = (gp_cli_member_t){
        .id = "theid", .grid = "thegrid", .address = "tcp://*:4000", .directory = "/state/n1"};
}

static gp_error_t fake_found(const gp_cli_found_t *request, gp_cli_member_t *ret_member,
                             gp_cli_fault_t *fault)
{
    (void)snprintf(playing->backend, sizeof playing->backend, "found %s %s %s", request->place.node,
                   request->region, or_dash(request->listen));
    member_fill(ret_member);
    return backend_end(fault);
}

static gp_error_t fake_join(const gp_cli_join_t *request, gp_cli_member_t *ret_member,
                            gp_cli_fault_t *fault)
{
    (void)snprintf(playing->backend, sizeof playing->backend, "join %s %s %s %s %llu",
                   request->place.node, request->region, request->token, or_dash(request->listen),
                   (unsigned long long)request->timeout_ms);
    member_fill(ret_member);
    return backend_end(fault);
}

static gp_error_t fake_setup_try(const gp_cli_place_t *place, const char *listen,
                                 gp_cli_fault_t *fault)
{
    (void)snprintf(fault->detail, sizeof fault->detail, "%s",
                   playing->setup_error == GP_E_STATE_EXISTS ? place->node : or_dash(listen));
    return playing->setup_error;
}

static gp_error_t fake_leave(const gp_cli_leave_ask_t *request, gp_cli_left_t *ret_left,
                             gp_cli_fault_t *fault)
{
    (void)snprintf(playing->backend, sizeof playing->backend, "leave %s%s", request->place.node,
                   request->destroy_root ? " with the root key" : "");
    *ret_left = (gp_cli_left_t){.region = "lab", .was_root = request->destroy_root};
    return backend_end(fault);
}

static gp_error_t fake_start_agent(const gp_cli_agent_t *request, gp_cli_fault_t *fault)
{
    size_t used = strlen(playing->backend);
    (void)snprintf(playing->backend + used, sizeof playing->backend - used, "%sstart %s %s",
                   used == 0 ? "" : "; ", request->place.node, or_dash(request->listen));
    if (!playing->no_start && !playing->fake.running) {
        stage_agent_start(playing);
    }
    return backend_end(fault);
}

static gp_error_t fake_agent_main(const gp_cli_agent_t *request, gp_cli_fault_t *fault)
{
    (void)snprintf(playing->backend, sizeof playing->backend, "agent %s %s", request->place.node,
                   or_dash(request->listen));
    return backend_end(fault);
}

static gp_error_t fake_sim(const gp_cli_sim_t *request, json_t **ret_document,
                           gp_cli_fault_t *fault)
{
    int n = snprintf(playing->backend, sizeof playing->backend, "sim %d %u", (int)request->verb,
                     request->count);
    if (request->subgrid_size > 0) {
        n += snprintf(playing->backend + n, sizeof playing->backend - (size_t)n, " subgrid-size %u",
                      request->subgrid_size);
    }
    (void)snprintf(playing->sim_dir, sizeof playing->sim_dir, "%s", request->dir);
    for (uint32_t i = 0; i < request->target_count; i++) {
        n += snprintf(playing->backend + n, sizeof playing->backend - (size_t)n, " %s",
                      request->targets[i]);
    }
    gp_error_t error = backend_end(fault);
    if (error == GP_OK) {
        *ret_document = json_of(playing->backend_document);
    }
    return error;
}

static gp_error_t fake_sim_run(const gp_cli_sim_run_t *request, json_t **ret_document,
                               gp_cli_fault_t *fault)
{
    (void)snprintf(playing->backend, sizeof playing->backend, "sim run %u %u %llu %llu %s",
                   request->nodes, request->group_size, (unsigned long long)request->duration_ms,
                   (unsigned long long)request->seed, or_dash(request->story));
    gp_error_t error = backend_end(fault);
    if (error == GP_OK) {
        *ret_document = json_of(playing->backend_document);
    }
    return error;
}

static gp_error_t fake_replay(const gp_cli_replay_t *request, gp_cli_played_t *ret_played,
                              gp_cli_fault_t *fault)
{
    static const gp_cli_told_t lines[] = {
        {.after_us = 2, .wall_ms = 1767225600000, .what = "wake", .text = "wake", .event = true},
        {.after_us = 1500000, .wall_ms = 1767225601500, .what = "leader", .text = "n1 leads"},
        {.after_us = 61000000,
         .wall_ms = 1767225661000,
         .what = "gone",
         .text = "a\nb",
         .kept = true},
    };
    (void)snprintf(playing->backend, sizeof playing->backend, "replay %s", request->file);
    for (size_t i = request->events ? 0 : 1; i < sizeof lines / sizeof lines[0]; i++) {
        request->tell(request->context, &lines[i]);
    }
    *ret_played = (gp_cli_played_t){.node = "n1",
                                    .version = "0.0.1",
                                    .began_ms = 1767225600000,
                                    .replayed = 7,
                                    .kept = 3,
                                    .lost = true,
                                    .stopped = playing->recording_stopped};
    return backend_end(fault);
}

static gp_error_t fake_config(const gp_cli_place_t *place, json_t **ret_document,
                              gp_cli_fault_t *fault)
{
    (void)snprintf(playing->backend, sizeof playing->backend, "config %s", or_dash(place->node));
    gp_error_t error = backend_end(fault);
    if (error == GP_OK) {
        *ret_document = json_of(playing->backend_document);
    }
    return error;
}

static const gp_cli_backend_t backend = {
    .version = "0.0.1",
    .setup_try = fake_setup_try,
    .found = fake_found,
    .join = fake_join,
    .leave = fake_leave,
    .start_agent = fake_start_agent,
    .agent_main = fake_agent_main,
    .sim = fake_sim,
    .sim_run = fake_sim_run,
    .replay = fake_replay,
    .config = fake_config,
};

/* ---- the stage ------------------------------------------------------------------------------- */

void stage_set(stage_t *stage)
{
    int ends[2];
    *stage = (stage_t){0};
    fake_place(&stage->fake);
    int piped = pipe(ends);
    assert(piped == 0);
    (void)piped;
    stage->news_read = ends[0];
    stage->news = ends[1];
    playing = stage;
}

void stage_agent_start(stage_t *stage)
{
    fake_start(&stage->fake, routes, sizeof routes / sizeof routes[0], stage);
}

void stage_clear(stage_t *stage)
{
    fake_remove(&stage->fake);
    (void)close(stage->news);
    (void)close(stage->news_read);
    free(stage->out);
    free(stage->err);
    json_decref(stage->body);
}

int stage_words(stage_t *stage, char **words, int count)
{
    free(stage->out);
    free(stage->err);
    stage->out = NULL;
    size_t n = 0;
    FILE *out = stage->out_to == NULL ? open_memstream(&stage->out, &n) : fopen(stage->out_to, "w");
    if (stage->out_close != 0) {
        (void)close(stage->out_close);
    }
    FILE *err = open_memstream(&stage->err, &n);
    stage->backend[0] = '\0';
    stage->code = gp_cli_run(count, words, &backend, out, err);
    (void)fclose(out);
    (void)fclose(err);
    return stage->code;
}

static int run(stage_t *stage, const char *line, bool bare)
{
    char *words[WORDS_MAX] = {strdup("gridpeer")};
    int count = 1;
    char *copy = strdup(line);
    char *state = NULL;
    for (char *at = strtok_r(copy, " ", &state); at != NULL; at = strtok_r(NULL, " ", &state)) {
        if (!bare && count > 1 && strcmp(at, "--") == 0) {
            words[count++] = strdup("--dir");
            words[count++] = strdup(stage->fake.directory);
            bare = true;
        }
        assert(count + 3 < WORDS_MAX);
        for (char *p = at; *p != '\0'; p++) {
            *p = *p == '+' ? ' ' : *p;
        }
        words[count++] = strdup(at);
    }
    if (!bare) {
        words[count++] = strdup("--dir");
        words[count++] = strdup(stage->fake.directory);
    }
    int code = stage_words(stage, words, count);
    for (int i = 0; i < count; i++) {
        free(words[i]);
    }
    free(copy);
    return code;
}

int stage_run(stage_t *stage, const char *line)
{
    return run(stage, line, false);
}

int stage_run_bare(stage_t *stage, const char *line)
{
    return run(stage, line, true);
}

json_t *stage_document(const stage_t *stage)
{
    json_t *document = json_loads(stage->out, 0, NULL);
    assert(document != NULL);
    return document;
}

int stage_setup(void **state)
{
    stage_t *stage = malloc(sizeof *stage);
    stage_set(stage);
    *state = stage;
    return 0;
}

int stage_setup_agent(void **state)
{
    (void)stage_setup(state);
    stage_agent_start(*state);
    return 0;
}

int stage_teardown(void **state)
{
    stage_clear(*state);
    free(*state);
    return 0;
}
