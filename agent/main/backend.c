#include "agent/main/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "agent/http/document.h"
#include "agent/lab/exchange.h"
#include "agent/lab/measure.h"
#include "agent/lab/local.h"
#include "agent/lab/sim.h"
#include "agent/main/agent.h"
#include "agent/node/found.h"
#include "agent/node/join.h"
#include "agent/node/leave.h"
#include "agent/replay/player.h"
#include "agent/replay/recorder.h"
#include "agent/shell/story.h"
#include "agent/store/config.h"
#include "overlay/net/address.h"

#define SIM_RECORD_BYTES (UINT64_C(64) << 20)

static gp_wall_ms_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (gp_wall_ms_t)now.tv_sec * 1000 + (gp_wall_ms_t)now.tv_nsec / 1000000;
}

static gp_error_t told(gp_error_t error, const gp_fail_t *fail, gp_cli_fault_t *fault)
{
    snprintf(fault->detail, sizeof fault->detail, "%s", fail->text);
    return error;
}

static void fill_member(const gp_setup_result_t *result, gp_cli_member_t *member)
{
    gp_id_text(&result->id, member->id);
    gp_grid_id_text(&result->grid, member->grid);
    snprintf(member->address, sizeof member->address, "%s", result->listen);
    snprintf(member->directory, sizeof member->directory, "%s", result->path);
}

static gp_error_t backend_setup_try(const gp_cli_place_t *place, const char *listen,
                                    gp_cli_fault_t *fault)
{
    gp_fail_t fail = {0};
    gp_config_t config;
    gp_sockaddr_t address;
    char text[GP_ADDRESS_MAX + 1];
    int fd = -1;
    gp_error_t error = gp_state_refuse_used(place->dir, place->node, &fail);
    if (error != GP_OK) {
        return told(error, &fail, fault);
    }
    gp_config_defaults(&config);
    const char *at = listen != NULL ? listen : config.agent_listen;
    error = gp_address_parse(at, true, &address);
    if (error == GP_OK) {
        error = gp_address_listen(&address, &fd, text);
        error = error == GP_E_ADDRESS ? GP_E_ADDRESS_FOREIGN : error;
    }
    if (fd >= 0) {
        close(fd);
    }
    snprintf(fault->detail, sizeof fault->detail, "%s", at);
    return error;
}

static gp_error_t backend_found(const gp_cli_found_t *request, gp_cli_member_t *ret_member,
                                gp_cli_fault_t *fault)
{
    gp_fail_t fail = {0};
    gp_setup_result_t result;
    gp_found_params_t params = {.root = request->place.dir,
                                .name = request->place.node,
                                .region = request->region,
                                .listen = request->listen,
                                .now_ms = wall_ms()};
    gp_error_t error = gp_found(&params, &result, &fail);
    if (error == GP_OK) {
        fill_member(&result, ret_member);
    }
    return told(error, &fail, fault);
}

static gp_error_t backend_join(const gp_cli_join_t *request, gp_cli_member_t *ret_member,
                               gp_cli_fault_t *fault)
{
    gp_fail_t fail = {0};
    gp_setup_result_t result;
    gp_join_params_t params = {.root = request->place.dir,
                               .name = request->place.node,
                               .region = request->region,
                               .adds = request->adds,
                               .token = request->token,
                               .listen = request->listen,
                               .now_ms = wall_ms(),
                               .measure = gp_measure};
    uint32_t limit_ms =
        (uint32_t)(request->timeout_ms < UINT32_MAX ? request->timeout_ms : UINT32_MAX);
    gp_error_t error = gp_join(&params, gp_exchange, &limit_ms, &result, &fail);
    if (error == GP_OK) {
        fill_member(&result, ret_member);
    }
    return told(error, &fail, fault);
}

static gp_error_t backend_leave(const gp_cli_leave_ask_t *request, gp_cli_left_t *ret_left,
                                gp_cli_fault_t *fault)
{
    gp_fail_t fail = {0};
    gp_leave_result_t result;
    gp_leave_params_t params = {.root = request->place.dir,
                                .name = request->place.node,
                                .now_ms = wall_ms(),
                                .destroy_root = request->destroy_root};
    gp_error_t error = gp_leave_without_agent(&params, &result, &fail);
    if (error == GP_OK) {
        snprintf(ret_left->region, sizeof ret_left->region, "%s", result.region);
        ret_left->was_root = result.was_root;
    }
    return told(error, &fail, fault);
}

static gp_local_t local_of(const char *dir, uint64_t timeout_ms, char *program, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", program, size - 1);
    program[n < 0 ? 0 : n] = '\0';
    return (gp_local_t){.dir = dir, .program = program, .timeout_ms = timeout_ms, .wake = -1};
}

/* Whoever has the directory is this machine's agent, or is about to be. */
static gp_error_t run_error(gp_error_t error)
{
    return error == GP_E_STATE_LOCKED ? GP_E_AGENT_RUNS : error;
}

static gp_error_t backend_start_agent(const gp_cli_agent_t *request, gp_cli_fault_t *fault)
{
    char program[GP_CLI_PATH_MAX];
    gp_fail_t fail = {0};
    gp_local_t local = local_of(request->place.dir, request->timeout_ms, program, sizeof program);
    gp_local_agent_t agent = {.name = request->place.node, .listen = request->listen};
    return told(run_error(gp_local_spawn(&local, &agent, &fail)), &fail, fault);
}

static gp_error_t backend_agent_main(const gp_cli_agent_t *request, gp_cli_fault_t *fault)
{
    const char *ready = getenv("GRIDPEER_READY_FD");
    gp_fail_t fail = {0};
    gp_agent_options_t options = {.root = request->place.dir,
                                  .name = request->place.node,
                                  .listen = request->listen,
                                  .ready_fd = ready == NULL ? -1 : atoi(ready)};
    unsetenv("GRIDPEER_READY_FD");
    return told(run_error(gp_agent_run(&options, &fail)), &fail, fault);
}

#define SIM_PROGRESS_FROM 20 /* fewer agents come up before it can be read */

/* ---- grids on localhost ---------------------------------------------------------------------- */

static gp_error_t sim_signal(const gp_local_t *local, const gp_cli_sim_t *request, int number,
                             gp_fail_t *fail)
{
    return gp_local_signal(local, request->targets, request->target_count, number, fail);
}

/* On a terminal, in place of what was there. */
static void show_progress(const char *what, uint32_t done, uint32_t of)
{
    fprintf(stderr, "\r\033[K%u of %u %s", done, of, what);
}

/*
 * While a grid comes up, Ctrl-C and its like are a descriptor that is readable, so that what was
 * started can be taken down again.
 */
static gp_error_t sim_up(gp_local_t *local, const gp_cli_sim_t *request, json_t **ret_document,
                         gp_fail_t *fail)
{
    struct signalfd_siginfo taken;
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    local->wake = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    const bool shown = isatty(STDERR_FILENO) == 1 && request->count > SIM_PROGRESS_FROM;
    local->progress = shown ? show_progress : NULL;
    const gp_local_up_t wanted = {
        .count = request->count, .region = request->region, .subgrid_size = request->subgrid_size};
    gp_error_t error = gp_local_up(local, &wanted, ret_document, fail);
    if (shown) {
        fputs("\r\033[K", stderr);
    }
    while (local->wake >= 0 && read(local->wake, &taken, sizeof taken) > 0) {
    }
    if (local->wake >= 0) {
        close(local->wake);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static gp_error_t backend_sim(const gp_cli_sim_t *request, json_t **ret_document,
                              gp_cli_fault_t *fault)
{
    char program[GP_CLI_PATH_MAX];
    gp_fail_t fail = {0};
    gp_local_t local = local_of(request->dir, request->timeout_ms, program, sizeof program);
    gp_error_t error = GP_OK;
    switch (request->verb) {
    case GP_CLI_SIM_UP:
        return told(sim_up(&local, request, ret_document, &fail), &fail, fault);
    case GP_CLI_SIM_DOWN:
        return told(gp_local_down(&local, ret_document, &fail), &fail, fault);
    case GP_CLI_SIM_STATUS:
        break;
    case GP_CLI_SIM_KILL:
        error = sim_signal(&local, request, SIGKILL, &fail);
        break;
    case GP_CLI_SIM_FREEZE:
        error = sim_signal(&local, request, SIGSTOP, &fail);
        break;
    case GP_CLI_SIM_THAW:
        error = sim_signal(&local, request, SIGCONT, &fail);
        break;
    case GP_CLI_SIM_START:
        error = gp_local_start(&local, request->targets, request->target_count, &fail);
        break;
    }
    if (error == GP_OK) {
        error = gp_local_status(&local, ret_document, &fail);
    }
    return told(error, &fail, fault);
}

/* ---- the simulator --------------------------------------------------------------------------- */

typedef struct telling {
    FILE *story;         /* NULL: not asked for */
    bool progress;       /* a terminal is there to look at it */
    uint64_t end_ms;     /* on this machine's steady clock; 0: no limit */
    json_t *explanation; /* why it is not live, line by line */
} telling_t;

static uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool tell_enough(void *context)
{
    const telling_t *telling = context;
    return telling->end_ms != 0 && clock_ms() >= telling->end_ms;
}

static const char *sim_name(void *context, const gp_id_t *id)
{
    static char texts[8][24];
    static unsigned next;
    uint32_t wipes, index;
    (void)context;
    memcpy(&wipes, id->b + 24, sizeof wipes);
    memcpy(&index, id->b + 28, sizeof index);
    char *text = texts[next++ % 8];
    if (wipes == 0) {
        snprintf(text, sizeof texts[0], "n%u", index + 1);
    } else {
        snprintf(text, sizeof texts[0], "n%u.%u", index + 1, wipes);
    }
    return text;
}

static void tell_story(void *context, uint32_t node, gp_usec_t at, uint64_t token,
                       const gp_msg_t *notice)
{
    const telling_t *telling = context;
    char text[400];
    (void)token;
    if (telling->story != NULL && gp_story_tell(notice, sim_name, NULL, text, sizeof text)) {
        fprintf(telling->story, "[%12.6f] n%u: %s\n", (double)at / 1e6, node + 1, text);
    }
}

static void tell_progress(void *context, uint32_t permille, const gp_world_stats_t *stats)
{
    const telling_t *telling = context;
    if (telling->progress) {
        static const char bar[] = "########################################";
        fprintf(stderr, "\r  [%-40.*s] %3u %%  %llu events ", (int)(permille / 25), bar,
                permille / 10, (unsigned long long)stats->events);
    }
}

static json_t *faults_json(const gp_world_stats_t *stats)
{
    json_t *faults = json_object();
    for (int fault = 0; fault < GP_FAULT_COUNT; fault++) {
        json_object_set_new(faults, gp_fault_name((gp_fault_t)fault),
                            json_integer((json_int_t)stats->faults[fault]));
    }
    return faults;
}

static void add_seen(void *context, const char *name, uint64_t seen)
{
    json_object_set_new(context, name, json_integer((json_int_t)seen));
}

static json_t *census_json(const gp_world_stats_t *stats)
{
    json_t *census = json_object();
    gp_census_each(&stats->census, add_seen, census);
    return census;
}

static void tell_why(void *context, const char *line)
{
    const telling_t *telling = context;
    json_array_append_new(telling->explanation, json_string(line));
    if (telling->story != NULL) {
        fprintf(telling->story, "in the end %s\n", line);
    }
}

static json_t *result_json(const gp_sim_params_t *params, const gp_sim_result_t *result,
                           json_t *explanation, uint64_t wall)
{
    char hash[24];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)result->trace_hash);
    json_t *violations = json_array();
    if (!result->safe || !result->live) {
        json_array_append_new(
            violations,
            json_sprintf("%s: %s", result->safe ? "not live" : "not safe", result->why));
    }
    json_t *item = json_pack(
        "{s:I,s:I,s:I,s:I,s:s,s:I,s:I,s:I,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o,s:I}", "seed",
        (json_int_t)params->seed, "nodes", (json_int_t)params->nodes, "groups",
        (json_int_t)result->groups, "duration_ms", (json_int_t)(params->length_us / 1000),
        "trace_hash", hash, "events", (json_int_t)result->stats.events, "messages",
        (json_int_t)result->stats.messages, "bytes", (json_int_t)result->stats.bytes, "faults",
        faults_json(&result->stats), "finds", (json_int_t)result->stats.finds, "jobs",
        (json_int_t)result->stats.jobs, "jobs_ended", (json_int_t)result->stats.jobs_ended,
        "refused", (json_int_t)result->stats.refused, "agreed_ms",
        (json_int_t)(result->agreed_us / 1000), "healed_ms", (json_int_t)(result->healed_us / 1000),
        "violations", violations, "explanation", explanation, "wall_ms", (json_int_t)wall);
    json_object_set_new(item, "census", census_json(&result->stats));
    return item;
}

static gp_error_t sim_run_failed(gp_error_t error, gp_cli_fault_t *fault)
{
    if (error == GP_E_USAGE) {
        snprintf(fault->detail, sizeof fault->detail,
                 "--nodes is 1 to %d, --group-size 1 to %d, --hours a minute at least",
                 GP_SIM_NODES_MAX, GP_MEMBERS_MAX);
    } else {
        snprintf(fault->detail, sizeof fault->detail, "the simulator needs more than there is");
    }
    return error;
}

/* The time is up: how far did it come? */
static gp_error_t sim_run_stopped(const gp_cli_sim_run_t *request, const gp_sim_result_t *result,
                                  gp_cli_fault_t *fault)
{
    snprintf(fault->detail, sizeof fault->detail,
             "after %llu ms the simulator was at %llu of %llu s of grid time, %llu events, without "
             "a violation so far",
             (unsigned long long)request->timeout_ms,
             (unsigned long long)(result->reached_us / GP_SECOND),
             (unsigned long long)(request->duration_ms / 1000),
             (unsigned long long)result->stats.events);
    return GP_E_TIMED_OUT;
}

/* A path that cannot be is the user's; what else fails is the disk's. */
static gp_error_t path_failed(const char *option, const char *path, gp_cli_fault_t *fault)
{
    gp_fail_t fail = {0};
    int code = errno;
    gp_error_t error = gp_fail_errno(&fail, code, "%s: cannot write %s", option, path);
    bool disk = error == GP_E_STATE_FULL || error == GP_E_MEMORY || code == EIO;
    return told(disk ? error : GP_E_USAGE, &fail, fault);
}

/* A recording of one machine: its file is made when the machine first starts. */
typedef struct recording {
    char path[GP_CLI_PATH_MAX]; /* of the folder */
    gp_folder_t folder;
    gp_recorder_t *recorder;
    gp_error_t error; /* of the disk */
    gp_cli_fault_t *fault;
} recording_t;

static void recording_trouble(void *context, gp_error_t error, const char *text)
{
    recording_t *recording = context;
    recording->error = error;
    snprintf(recording->fault->detail, sizeof recording->fault->detail, "--record: %s", text);
}

static gp_error_t recording_begin(recording_t *recording, const char *path, gp_sim_params_t *params)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    snprintf(recording->path, sizeof recording->path, "%.*s",
             slash == NULL ? 1 : (int)(slash - path + 1), slash == NULL ? "." : path);
    recording->folder = (gp_folder_t){
        .fd = open(recording->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .path = recording->path};
    if (recording->folder.fd < 0) {
        return path_failed("--record", path, recording->fault);
    }
    gp_recorder_config_t config = {.folder = recording->folder,
                                   .name = name,
                                   .size = SIM_RECORD_BYTES,
                                   .version = GP_VERSION,
                                   .trouble = recording_trouble,
                                   .context = recording};
    recording->recorder = gp_recorder_new(&config);
    params->tap = &gp_recorder_tap;
    params->tap_context = recording->recorder;
    return recording->recorder != NULL ? GP_OK : GP_E_MEMORY;
}

static void recording_end(recording_t *recording)
{
    gp_recorder_free(recording->recorder);
    if (recording->folder.fd >= 0) {
        close(recording->folder.fd);
    }
}

/* The run itself, recorded or not. */
static gp_error_t sim_run_recorded(const gp_cli_sim_run_t *request, gp_sim_params_t *params,
                                   gp_sim_result_t *result, gp_cli_fault_t *fault)
{
    recording_t recording = {.folder = {.fd = -1}, .fault = fault};
    gp_error_t error = GP_OK;
    if (request->record != NULL) {
        params->tap_node = request->record_node;
        error = recording_begin(&recording, request->record, params);
    }
    if (error == GP_OK) {
        error = gp_sim_run(params, result);
        error = error != GP_OK ? sim_run_failed(error, fault) : recording.error;
    }
    recording_end(&recording);
    return error;
}

static gp_error_t backend_sim_run(const gp_cli_sim_run_t *request, json_t **ret_document,
                                  gp_cli_fault_t *fault)
{
    telling_t telling = {.progress = isatty(STDERR_FILENO) == 1,
                         .end_ms = request->timeout_ms == 0 ? 0 : clock_ms() + request->timeout_ms};
    gp_error_t error = GP_OK;
    if (request->story != NULL) {
        telling.story = fopen(request->story, "we");
        error = telling.story == NULL ? path_failed("--story", request->story, fault) : GP_OK;
    }
    if (error != GP_OK) {
        return error;
    }
    telling.explanation = json_array();
    gp_sim_params_t params = {.nodes = request->nodes,
                              .group_size = request->group_size,
                              .breadth_us = request->breadth_ms * GP_MSEC,
                              .length_us = request->duration_ms * GP_MSEC,
                              .seed = request->seed,
                              .faults = !request->calm,
                              .slow = request->slow,
                              .storm = request->storm,
                              .ed25519 = request->ed25519,
                              .progress = tell_progress,
                              .enough = tell_enough,
                              .context = &telling,
                              .watch = tell_story,
                              .explain = tell_why};
    gp_sim_result_t result;
    gp_wall_ms_t began = wall_ms();
    error = sim_run_recorded(request, &params, &result, fault);
    if (telling.progress) {
        fputs("\r\033[K", stderr);
    }
    if (telling.story != NULL) {
        fclose(telling.story);
    }
    if (error != GP_OK || (result.stopped && result.safe)) {
        json_decref(telling.explanation);
        return error != GP_OK ? error : sim_run_stopped(request, &result, fault);
    }
    *ret_document = gp_document_new("sim-run", wall_ms(), false);
    gp_document_add(*ret_document,
                    result_json(&params, &result, telling.explanation, wall_ms() - began));
    return GP_OK;
}

/* ---- recordings ------------------------------------------------------------------------------ */

static void tell_replayed(void *context, const gp_told_t *line)
{
    const gp_cli_replay_t *request = context;
    request->tell(request->context, &(gp_cli_told_t){.after_us = line->after,
                                                     .wall_ms = line->wall_ms,
                                                     .what = line->what,
                                                     .text = line->text,
                                                     .event = line->event,
                                                     .kept = line->kept});
}

static gp_error_t backend_replay(const gp_cli_replay_t *request, gp_cli_played_t *ret_played,
                                 gp_cli_fault_t *fault)
{
    gp_fail_t fail = {0};
    gp_played_t played;
    gp_cli_replay_t telling = *request;
    gp_play_t play = {.path = request->file,
                      .events = request->events,
                      .tell = tell_replayed,
                      .context = &telling};
    gp_error_t error = gp_replay_play(&play, &played, &fail);
    *ret_played = (gp_cli_played_t){.began_ms = played.began_ms,
                                    .replayed = played.replayed,
                                    .kept = played.kept,
                                    .lost = played.lost,
                                    .ended = played.ended,
                                    .stopped = played.stopped,
                                    .torn = played.torn};
    snprintf(ret_played->node, sizeof ret_played->node, "%s", played.node);
    snprintf(ret_played->version, sizeof ret_played->version, "%s", played.version);
    return told(error, &fail, fault);
}

/* ---- configuration --------------------------------------------------------------------------- */

static void add_setting(void *context, const gp_config_entry_t *entry)
{
    json_t *document = context;
    bool same = strcmp(entry->value, entry->initial) == 0;
    gp_document_add(document, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "section", entry->section,
                                        "key", entry->key, "value", entry->value, "default",
                                        entry->initial, "source", same ? "default" : "file",
                                        "range", entry->range, "help", entry->doc));
}

/* The settings of a machine that is set up here; false: there is none, and all are defaults. */
static bool read_settings(const gp_cli_place_t *place, gp_config_t *config, gp_error_t *ret_error,
                          gp_fail_t *fail)
{
    char path[GP_CLI_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", place->dir, place->node);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    *ret_error = gp_config_read((gp_folder_t){.fd = fd, .path = path}, config, fail);
    close(fd);
    return true;
}

static gp_error_t backend_config(const gp_cli_place_t *place, json_t **ret_document,
                                 gp_cli_fault_t *fault)
{
    gp_fail_t fail = {0};
    gp_config_t config;
    gp_error_t error = GP_OK;
    gp_config_defaults(&config);
    if (place->node != NULL && read_settings(place, &config, &error, &fail) && error != GP_OK) {
        return told(error, &fail, fault);
    }
    *ret_document = gp_document_new("config", wall_ms(), false);
    gp_config_each(&config, add_setting, *ret_document);
    return GP_OK;
}

const gp_cli_backend_t gp_backend = {
    .version = GP_VERSION,
    .setup_try = backend_setup_try,
    .found = backend_found,
    .join = backend_join,
    .leave = backend_leave,
    .start_agent = backend_start_agent,
    .agent_main = backend_agent_main,
    .sim = backend_sim,
    .sim_run = backend_sim_run,
    .replay = backend_replay,
    .config = backend_config,
};
