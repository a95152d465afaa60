/* A grid of real agents comes up: founded, joined a few at a time, waited for. */
#include "agent/lab/local_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lab/exchange.h"
#include "agent/node/found.h"
#include "agent/node/join.h"
#include "agent/store/config.h"
#include "agent/store/state_dir.h"

#define JOINERS  8
#define LISTEN   "tcp://127.0.0.1:0"
#define AGREE_MS 600000 /* without a limit by the user */
#define VOTERS   3      /* so many at least, if there are so many machines */
#define LOOK_MS  100    /* the region peer is asked again after so long */

/* A grid that comes up. */
typedef struct up {
    const gp_local_t *local;
    const char *region;
    uint32_t count;
    uint32_t subgrid_size; /* 0: as it is by default */
    uint32_t subgrids;     /* that the region peer knows in the end */
    atomic_uint joined;
    gp_until_t until;
    gp_process_t *processes;
    char leader[GP_NAME_MAX + 1];
} up_t;

static gp_error_t invite(const gp_local_t *local, uint32_t uses, char token[GP_TOKEN_TEXT_MAX],
                         gp_fail_t *fail)
{
    json_t *body = json_pack("{s:i,s:I}", "uses", (int)uses, "expires_ms", (json_int_t)3600000);
    json_t *document = NULL;
    gp_http_ask_t what = {.method = "POST",
                          .path = "/v1/invitations",
                          .body = body,
                          .timeout_ms = GP_LOCAL_ASK_MS,
                          .wake = -1};
    gp_error_t error = gp_local_ask(local, "n1", &what, &document);
    json_decref(body);
    if (error != GP_OK) {
        return gp_fail(fail, error, "n1 gave no invitation");
    }
    const char *text = json_string_value(json_object_get(gp_local_first_item(document), "token"));
    snprintf(token, GP_TOKEN_TEXT_MAX, "%s", text == NULL ? "" : text);
    json_decref(document);
    return GP_OK;
}

static void tell_progress(const up_t *up, const char *what, uint32_t done)
{
    if (up->local->progress != NULL) {
        up->local->progress(what, done, up->count);
    }
}

/* Before its agent starts for the first time. */
static gp_error_t write_size(const up_t *up, const char *name, gp_fail_t *fail)
{
    char path[GP_STATE_PATH_MAX + GP_NAME_MAX + 2], value[16], text[8192];
    gp_config_t config;
    if (up->subgrid_size == 0) {
        return GP_OK;
    }
    snprintf(path, sizeof path, "%s/%s", up->local->dir, name);
    snprintf(value, sizeof value, "%u", up->subgrid_size);
    gp_folder_t folder = {.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .path = path};
    if (folder.fd < 0) {
        return gp_fail_errno(fail, errno, "cannot open %s", path);
    }
    gp_error_t error = gp_config_read(folder, &config, fail);
    if (error == GP_OK) {
        error = gp_config_set(&config, "forming", "members_max", value, fail);
    }
    if (error == GP_OK) {
        size_t n = gp_config_file(&config, text, sizeof text);
        assert(n < sizeof text);
        error = gp_file_replace(folder, GP_FILE_CONFIG, 0600, gp_slice(text, n), fail);
    }
    close(folder.fd);
    return error;
}

static gp_error_t found_first(const up_t *up, gp_fail_t *fail)
{
    gp_found_params_t params = {.root = up->local->dir,
                                .name = "n1",
                                .region = up->region,
                                .listen = LISTEN,
                                .now_ms = gp_local_wall_ms(),
                                .sim = true};
    gp_setup_result_t result;
    gp_error_t error = gp_found(&params, &result, fail);
    return error == GP_OK ? write_size(up, "n1", fail) : error;
}

static gp_error_t join_one(const up_t *up, const char *name, const char *token, gp_fail_t *fail)
{
    gp_join_params_t params = {.root = up->local->dir,
                               .name = name,
                               .region = up->region,
                               .token = token,
                               .listen = LISTEN,
                               .now_ms = gp_local_wall_ms(),
                               .sim = true};
    char what[GP_NAME_MAX + 32];
    gp_setup_result_t result;
    snprintf(what, sizeof what, "%s has not joined yet", name);
    gp_error_t error = gp_until_check(&up->until, what, fail);
    if (error == GP_OK) {
        error = gp_join(&params, gp_exchange, NULL, &result, fail);
    }
    return error == GP_OK ? write_size(up, name, fail) : error;
}

/* Several machines join at once, as they would: each waits mostly for disks and for answers. */
typedef struct joining {
    up_t *up;
    const char *token;
    atomic_uint next;
    pthread_mutex_t mutex; /* of what is below: the first failure */
    gp_error_t error;
    gp_fail_t fail;
} joining_t;

static void note_failure(joining_t *joining, gp_error_t error, const gp_fail_t *fail)
{
    pthread_mutex_lock(&joining->mutex);
    if (joining->error == GP_OK) {
        joining->error = error;
        joining->fail = *fail;
    }
    pthread_mutex_unlock(&joining->mutex);
}

static void *join_some(void *context)
{
    joining_t *joining = context;
    up_t *up = joining->up;
    for (;;) {
        uint32_t i = atomic_fetch_add(&joining->next, 1);
        if (i >= up->count) {
            return NULL;
        }
        char name[GP_NAME_MAX + 1];
        gp_fail_t fail = {0};
        snprintf(name, sizeof name, "n%u", i + 1);
        gp_error_t error = join_one(up, name, joining->token, &fail);
        if (error == GP_OK) {
            error = gp_local_begin(up->local, &(gp_local_agent_t){.name = name}, &up->processes[i],
                                   &fail);
        }
        if (error == GP_OK) {
            tell_progress(up, "joined", atomic_fetch_add(&up->joined, 1) + 1);
        }
        if (error != GP_OK) {
            (void)gp_process_named(name, error, &fail);
            note_failure(joining, error, &fail);
            atomic_store(&joining->next, up->count);
        }
    }
}

static void join_in_parallel(joining_t *joining)
{
    pthread_t threads[JOINERS];
    uint32_t running = 0;
    while (running < JOINERS && pthread_create(&threads[running], NULL, join_some, joining) == 0) {
        running++;
    }
    if (running == 0) {
        join_some(joining);
    }
    for (uint32_t i = 0; i < running; i++) {
        pthread_join(threads[i], NULL);
    }
}

static gp_error_t wait_for_one(up_t *up, uint32_t index, gp_fail_t *fail)
{
    gp_process_t *process = &up->processes[index];
    gp_error_t error = gp_process_wait(process, &up->until, fail);
    return error == GP_OK ? GP_OK : gp_process_named(process->name, error, fail);
}

static gp_error_t join_all(up_t *up, gp_fail_t *fail)
{
    char token[GP_TOKEN_TEXT_MAX];
    joining_t joining = {.up = up, .token = token, .next = 1, .mutex = PTHREAD_MUTEX_INITIALIZER};
    if (up->count > 1) {
        gp_error_t error = invite(up->local, up->count - 1, token, fail);
        if (error != GP_OK) {
            return error;
        }
        join_in_parallel(&joining);
        sodium_memzero(token, sizeof token);
    }
    gp_error_t error = joining.error;
    if (error != GP_OK) {
        *fail = joining.fail;
    }
    for (uint32_t i = 1; error == GP_OK && i < up->count; i++) {
        error = wait_for_one(up, i, fail);
    }
    return error;
}

/* Each answers when it sees all, so one after the other takes as long as the slowest. With three
 * voters any one machine may die next, and a majority is left. */
static gp_error_t wait_for_all(up_t *up, gp_fail_t *fail)
{
    for (uint32_t i = 0; i < up->count; i++) {
        char path[128], name[GP_NAME_MAX + 1], what[GP_NAME_MAX + 64];
        json_t *document = NULL;
        uint64_t left = gp_until_left(&up->until, AGREE_MS) + 1;
        snprintf(name, sizeof name, "n%u", i + 1);
        snprintf(what, sizeof what, "%s does not see %u machines, a super-peer and its voters",
                 name, up->count);
        snprintf(path, sizeof path, "/v1/wait?members=%u&leader=quorum&voters=%u&timeout_ms=%llu",
                 up->count, up->count < VOTERS ? 1 : VOTERS, (unsigned long long)left);
        gp_http_ask_t ask_for = {
            .method = "GET", .path = path, .timeout_ms = left, .wake = up->until.wake};
        gp_error_t error = gp_local_ask(up->local, name, &ask_for, &document);
        if (error != GP_OK) {
            gp_error_t given_up = gp_until_check(&up->until, what, fail);
            return given_up != GP_OK ? given_up : gp_fail(fail, error, "%s", what);
        }
        const char *named =
            json_string_value(json_object_get(gp_local_first_item(document), "leader"));
        snprintf(up->leader, sizeof up->leader, "%s", named == NULL ? "" : named);
        json_decref(document);
    }
    return GP_OK;
}

/* One that moves to another sub-Grid begins anew: whoever asks it meanwhile asks again. */
static gp_error_t wait_for_leader(up_t *up, uint32_t index, gp_fail_t *fail)
{
    char name[GP_NAME_MAX + 1], what[GP_NAME_MAX + 64], path[64];
    snprintf(name, sizeof name, "n%u", index + 1);
    snprintf(what, sizeof what, "%s has no super-peer yet", name);
    snprintf(path, sizeof path, "/v1/wait?leader=quorum&timeout_ms=%d", GP_LOCAL_ASK_MS);
    for (;;) {
        json_t *document = NULL;
        gp_http_ask_t ask_for = {.method = "GET",
                                 .path = path,
                                 .timeout_ms = 2 * GP_LOCAL_ASK_MS,
                                 .wake = up->until.wake};
        if (gp_local_ask(up->local, name, &ask_for, &document) == GP_OK) {
            const char *named =
                json_string_value(json_object_get(gp_local_first_item(document), "leader"));
            if (index == 0) {
                snprintf(up->leader, sizeof up->leader, "%s", named == NULL ? "" : named);
            }
            json_decref(document);
            return GP_OK;
        }
        gp_error_t error = gp_until_check(&up->until, what, fail);
        if (error != GP_OK) {
            return error;
        }
        (void)poll(NULL, 0, LOOK_MS);
    }
}

/* How many machines the region peer knows of; 0: n1 does not reach it. */
static uint32_t count_region(up_t *up)
{
    json_t *document = NULL;
    uint32_t known = 0;
    gp_http_ask_t what = {.method = "GET",
                          .path = "/v1/subgrids",
                          .timeout_ms = 3 * GP_LOCAL_ASK_MS,
                          .wake = up->until.wake};
    if (gp_local_ask(up->local, "n1", &what, &document) != GP_OK) {
        return 0;
    }
    const json_t *items = json_object_get(document, "items");
    up->subgrids = (uint32_t)json_array_size(items);
    for (uint32_t i = 0; i < up->subgrids; i++) {
        const json_t *members = json_object_get(json_array_get(items, i), "members");
        known += (uint32_t)json_integer_value(members);
    }
    json_decref(document);
    return known;
}

static gp_error_t wait_for_region(up_t *up, gp_fail_t *fail)
{
    for (uint32_t i = 0; i < up->count; i++) {
        gp_error_t error = wait_for_leader(up, i, fail);
        if (error != GP_OK) {
            return error;
        }
        tell_progress(up, "in a sub-Grid with a super-peer", i + 1);
    }
    for (;;) {
        char what[96];
        uint32_t known = count_region(up);
        tell_progress(up, "known to the region peer", known);
        if (known >= up->count) {
            return GP_OK;
        }
        snprintf(what, sizeof what, "the region peer knows of %u of %u machines", known, up->count);
        gp_error_t error = gp_until_check(&up->until, what, fail);
        if (error != GP_OK) {
            return error;
        }
        (void)poll(NULL, 0, LOOK_MS);
    }
}

/* Do all of them fit into one sub-Grid? */
static bool is_one_subgrid(const up_t *up)
{
    return up->count <= (up->subgrid_size > 0 ? up->subgrid_size : GP_MEMBERS_MAX);
}

/* Takes down what there is of a grid that did not come up, and says so behind the reason. */
static void give_up(up_t *up, gp_fail_t *fail)
{
    json_t *document = NULL;
    for (uint32_t i = 0; i < up->count; i++) {
        gp_process_drop(&up->processes[i]);
    }
    gp_error_t error = gp_local_down(up->local, &document, NULL);
    size_t used = strlen(fail->text);
    snprintf(fail->text + used, sizeof fail->text - used, "; %s",
             error == GP_OK ? "what was started is ended and removed"
                            : "what was started could not all be removed: gridpeer sim down");
    json_decref(document);
}

/* All of them come up, or none stays. */
static gp_error_t up_all(up_t *up, gp_fail_t *fail)
{
    /* Until the first is founded there is nothing of ours: somebody else may just be founding. */
    gp_error_t error = found_first(up, fail);
    if (error != GP_OK) {
        return error;
    }
    error = gp_local_begin(up->local, &(gp_local_agent_t){.name = "n1"}, &up->processes[0], fail);
    if (error == GP_OK) {
        error = wait_for_one(up, 0, fail);
    }
    if (error == GP_OK) {
        error = join_all(up, fail);
    }
    if (error == GP_OK) {
        error = is_one_subgrid(up) ? wait_for_all(up, fail) : wait_for_region(up, fail);
    }
    if (error != GP_OK) {
        give_up(up, fail);
    }
    return error;
}

gp_error_t gp_local_up(const gp_local_t *local, const gp_local_up_t *wanted, json_t **ret_document,
                       gp_fail_t *fail)
{
    const uint32_t count = wanted->count;
    assert(count > 0 && count <= GP_SIM_AGENTS_MAX);
    uint64_t began = gp_until_now();
    up_t up = {.local = local,
               .region = wanted->region,
               .count = count,
               .subgrid_size = wanted->subgrid_size,
               .subgrids = 1,
               .joined = 1,
               .until = gp_local_until(local)};
    gp_error_t error = gp_local_refuse_if_used(local, fail);
    if (error != GP_OK) {
        return error;
    }
    up.processes = calloc(count, sizeof *up.processes);
    if (up.processes == NULL) {
        return gp_fail(fail, GP_E_MEMORY, "no memory for %u agents", count);
    }
    for (uint32_t i = 0; i < count; i++) {
        up.processes[i].ready_fd = -1;
    }
    error = up_all(&up, fail);
    uint64_t agreed = gp_until_now() - began;
    free(up.processes);
    if (error == GP_OK) {
        error = gp_local_status(local, ret_document, fail);
    }
    if (error != GP_OK) {
        return error;
    }
    json_object_set_new(*ret_document, "agreed_ms", json_integer((json_int_t)agreed));
    json_object_set_new(*ret_document, "leader", json_string(up.leader));
    json_object_set_new(*ret_document, "subgrids", json_integer(up.subgrids));
    return GP_OK;
}
