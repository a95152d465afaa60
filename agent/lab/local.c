#include "agent/lab/local.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "agent/http/client.h"
#include "agent/http/document.h"
#include "agent/lab/exchange.h"
#include "agent/lab/process.h"
#include "agent/node/found.h"
#include "agent/node/join.h"
#include "agent/store/state_dir.h"

#define JOINERS  8
#define LISTEN   "tcp://127.0.0.1:0"
#define STOP_MS  3000
#define ASK_MS   2000
#define AGREE_MS 600000 /* without a limit by the user */
#define VOTERS   3      /* so many at least, if there are so many machines */

static gp_wall_ms_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (gp_wall_ms_t)now.tv_sec * 1000 + (gp_wall_ms_t)now.tv_nsec / 1000000;
}

/* ---- which machines there are ---------------------------------------------------------------- */

/* Large: not on a stack. */
typedef struct machines {
    gp_state_list_t sims;   /* made here; by number */
    gp_state_list_t others; /* not made here, so that nothing here may touch them */
} machines_t;

static int by_number(const void *a, const void *b)
{
    const char *x = a, *y = b;
    long i = strtol(x + 1, NULL, 10), k = strtol(y + 1, NULL, 10);
    return i != k ? (i < k ? -1 : 1) : strcmp(x, y);
}

/* *ret_machines is the caller's: free(). */
static gp_error_t look(const gp_local_t *local, machines_t **ret_machines, gp_fail_t *fail)
{
    machines_t *machines = calloc(1, sizeof *machines);
    gp_state_list_t *all = calloc(1, sizeof *all);
    gp_error_t error = machines == NULL || all == NULL
                           ? gp_fail(fail, GP_E_MEMORY, "no memory for the list of machines")
                           : gp_state_list(local->dir, all, fail);
    if (error != GP_OK) {
        free(machines);
        free(all);
        return error;
    }
    for (uint32_t i = 0; i < all->count; i++) {
        gp_state_list_t *list =
            gp_state_is_sim(local->dir, all->names[i]) ? &machines->sims : &machines->others;
        memcpy(list->names[list->count++], all->names[i], sizeof all->names[i]);
    }
    free(all);
    qsort(machines->sims.names, machines->sims.count, sizeof machines->sims.names[0], by_number);
    *ret_machines = machines;
    return GP_OK;
}

static bool is_listed(const gp_state_list_t *list, const char *name)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* All are simulated machines of DIR; looked at before the first of them is touched. */
static gp_error_t names_check(const gp_local_t *local, const char *const *names, uint32_t count,
                              gp_fail_t *fail)
{
    machines_t *machines = NULL;
    gp_error_t error = look(local, &machines, fail);
    for (uint32_t i = 0; error == GP_OK && i < count; i++) {
        if (is_listed(&machines->others, names[i])) {
            error =
                gp_fail(fail, GP_E_SIM_OTHER, "%s in %s is another machine", names[i], local->dir);
        } else if (!is_listed(&machines->sims, names[i])) {
            error = gp_fail(fail, GP_E_NODE_UNKNOWN, "there is no %s in %s", names[i], local->dir);
        }
    }
    free(machines);
    return error;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static gp_error_t ask(const gp_local_t *local, const char *name, const gp_http_ask_t *what,
                      json_t **ret_document)
{
    char path[GP_STATE_PATH_MAX + 32];
    gp_http_client_t *client = NULL;
    gp_http_reply_t reply = {0};
    snprintf(path, sizeof path, "%s/%s/api.sock", local->dir, name);
    gp_error_t error = gp_http_client_open(path, &client);
    if (error == GP_OK) {
        error = gp_http_client_ask(client, what, &reply);
    }
    gp_http_client_close(client);
    if (error == GP_OK && reply.status != 200) {
        const json_t *told = json_object_get(reply.document, "error");
        json_int_t code = json_integer_value(json_object_get(told, "exit"));
        error = code == GP_EXIT_TIMEOUT ? GP_E_TIMED_OUT : GP_E_HTTP;
    }
    if (error == GP_OK) {
        *ret_document = json_incref(reply.document);
    }
    gp_http_reply_done(&reply);
    return error;
}

static const json_t *first_item(const json_t *document)
{
    return json_array_get(json_object_get(document, "items"), 0);
}

static gp_error_t invite(const gp_local_t *local, uint32_t uses, char token[GP_TOKEN_TEXT_MAX],
                         gp_fail_t *fail)
{
    json_t *body = json_pack("{s:i,s:I}", "uses", (int)uses, "expires_ms", (json_int_t)3600000);
    json_t *document = NULL;
    gp_http_ask_t what = {.method = "POST",
                          .path = "/v1/invitations",
                          .body = body,
                          .timeout_ms = ASK_MS,
                          .wake = -1};
    gp_error_t error = ask(local, "n1", &what, &document);
    json_decref(body);
    if (error != GP_OK) {
        return gp_fail(fail, error, "n1 gave no invitation");
    }
    const char *text = json_string_value(json_object_get(first_item(document), "token"));
    snprintf(token, GP_TOKEN_TEXT_MAX, "%s", text == NULL ? "" : text);
    json_decref(document);
    return GP_OK;
}

/* ---- coming up ------------------------------------------------------------------------------- */

/* A grid that comes up. */
typedef struct up {
    const gp_local_t *local;
    const char *region;
    uint32_t count;
    gp_until_t until;
    gp_process_t *processes;
    char leader[GP_NAME_MAX + 1];
} up_t;

static gp_until_t until_of(const gp_local_t *local)
{
    return (gp_until_t){.end_ms = local->timeout_ms == 0 ? 0 : gp_until_now() + local->timeout_ms,
                        .wake = local->wake};
}

static gp_error_t start(const gp_local_t *local, const gp_local_agent_t *agent,
                        gp_process_t *ret_process, gp_fail_t *fail)
{
    gp_process_params_t params = {
        .program = local->program, .dir = local->dir, .name = agent->name, .listen = agent->listen};
    return gp_process_start(&params, ret_process, fail);
}

/* Starts one and waits until it serves; one that does not in time is ended again. */
static gp_error_t start_and_wait(const gp_local_t *local, const gp_local_agent_t *agent,
                                 const gp_until_t *until, gp_fail_t *fail)
{
    gp_process_t process;
    gp_error_t error = start(local, agent, &process, fail);
    if (error == GP_OK) {
        error = gp_process_wait(&process, until, fail);
        gp_process_drop(&process);
    }
    return error;
}

static gp_error_t refuse_if_runs(const gp_local_t *local, const char *name, gp_fail_t *fail)
{
    long pid = 0;
    return gp_state_in_use(local->dir, name, &pid)
               ? gp_fail(fail, GP_E_AGENT_RUNS, "%s in %s is process %ld", name, local->dir, pid)
               : GP_OK;
}

gp_error_t gp_local_spawn(const gp_local_t *local, const gp_local_agent_t *agent, gp_fail_t *fail)
{
    char path[GP_STATE_PATH_MAX + GP_NAME_MAX + 2];
    gp_until_t until = until_of(local);
    snprintf(path, sizeof path, "%s/%s", local->dir, agent->name);
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return gp_fail(fail, GP_E_STATE_MISSING, "%s does not exist", path);
    }
    gp_error_t error = refuse_if_runs(local, agent->name, fail);
    return error == GP_OK ? start_and_wait(local, agent, &until, fail) : error;
}

static gp_error_t found_first(const up_t *up, gp_fail_t *fail)
{
    gp_found_params_t params = {.root = up->local->dir,
                                .name = "n1",
                                .region = up->region,
                                .listen = LISTEN,
                                .now_ms = wall_ms(),
                                .sim = true};
    gp_setup_result_t result;
    return gp_found(&params, &result, fail);
}

static gp_error_t join_one(const up_t *up, const char *name, const char *token, gp_fail_t *fail)
{
    gp_join_params_t params = {.root = up->local->dir,
                               .name = name,
                               .region = up->region,
                               .token = token,
                               .listen = LISTEN,
                               .now_ms = wall_ms(),
                               .sim = true};
    char what[GP_NAME_MAX + 32];
    gp_setup_result_t result;
    snprintf(what, sizeof what, "%s has not joined yet", name);
    gp_error_t error = gp_until_check(&up->until, what, fail);
    return error == GP_OK ? gp_join(&params, gp_exchange, NULL, &result, fail) : error;
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
            error = start(up->local, &(gp_local_agent_t){.name = name}, &up->processes[i], &fail);
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
        gp_error_t error = ask(up->local, name, &ask_for, &document);
        if (error != GP_OK) {
            gp_error_t given_up = gp_until_check(&up->until, what, fail);
            return given_up != GP_OK ? given_up : gp_fail(fail, error, "%s", what);
        }
        const char *named = json_string_value(json_object_get(first_item(document), "leader"));
        snprintf(up->leader, sizeof up->leader, "%s", named == NULL ? "" : named);
        json_decref(document);
    }
    return GP_OK;
}

static gp_error_t refuse_if_used(const gp_local_t *local, gp_fail_t *fail)
{
    machines_t *machines = NULL;
    gp_error_t error = look(local, &machines, fail);
    if (error == GP_OK && machines->others.count > 0) {
        error = gp_fail(fail, GP_E_SIM_OTHER, "%s holds %s, another machine", local->dir,
                        machines->others.names[0]);
    } else if (error == GP_OK && machines->sims.count > 0) {
        error = gp_fail(fail, GP_E_SIM_EXISTS, "%s holds %u simulated machines", local->dir,
                        machines->sims.count);
    }
    free(machines);
    return error;
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
    error = start(up->local, &(gp_local_agent_t){.name = "n1"}, &up->processes[0], fail);
    if (error == GP_OK) {
        error = wait_for_one(up, 0, fail);
    }
    if (error == GP_OK) {
        error = join_all(up, fail);
    }
    if (error == GP_OK) {
        error = wait_for_all(up, fail);
    }
    if (error != GP_OK) {
        give_up(up, fail);
    }
    return error;
}

gp_error_t gp_local_up(const gp_local_t *local, uint32_t count, const char *region,
                       json_t **ret_document, gp_fail_t *fail)
{
    assert(count > 0 && count <= GP_SIM_AGENTS_MAX);
    uint64_t began = gp_until_now();
    up_t up = {.local = local, .region = region, .count = count, .until = until_of(local)};
    gp_error_t error = refuse_if_used(local, fail);
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
    return GP_OK;
}

/* ---- what is there --------------------------------------------------------------------------- */

static long port_of(const gp_local_t *local, const char *name)
{
    json_t *document = NULL;
    gp_http_ask_t what = {.method = "GET", .path = "/v1/status", .timeout_ms = ASK_MS, .wake = -1};
    if (ask(local, name, &what, &document) != GP_OK) {
        return 0;
    }
    const char *address = json_string_value(json_object_get(first_item(document), "address"));
    const char *colon = address == NULL ? NULL : strrchr(address, ':');
    long port = colon == NULL ? 0 : strtol(colon + 1, NULL, 10);
    json_decref(document);
    return port;
}

/* "running", "frozen" or "stopped", as the kernel says. */
static const char *state_of(long pid)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = pid > 0 ? fopen(path, "re") : NULL;
    if (file == NULL) {
        return "stopped";
    }
    char *read = fgets(line, sizeof line, file);
    fclose(file);
    const char *state = read == NULL ? NULL : strrchr(line, ')');
    if (state == NULL || state[1] == '\0' || state[2] == 'Z') {
        return "stopped";
    }
    return state[2] == 'T' ? "frozen" : "running";
}

static json_t *item_of(const gp_local_t *local, const char *name)
{
    char path[GP_STATE_PATH_MAX + GP_NAME_MAX + 2];
    long pid = 0;
    bool alive = gp_state_in_use(local->dir, name, &pid);
    const char *state = alive ? state_of(pid) : "stopped";
    long port = strcmp(state, "running") == 0 ? port_of(local, name) : 0;
    snprintf(path, sizeof path, "%s/%s", local->dir, name);
    return json_pack("{s:s,s:I,s:I,s:s,s:b,s:s}", "name", name, "pid",
                     (json_int_t)(alive ? pid : 0), "port", (json_int_t)port, "state_dir", path,
                     "alive", alive ? 1 : 0, "state", state);
}

gp_error_t gp_local_status(const gp_local_t *local, json_t **ret_document, gp_fail_t *fail)
{
    machines_t *machines = NULL;
    gp_error_t error = look(local, &machines, fail);
    if (error != GP_OK) {
        return error;
    }
    json_t *document = gp_document_new("sim", wall_ms(), false);
    json_t *others = json_array();
    for (uint32_t i = 0; i < machines->sims.count; i++) {
        gp_document_add(document, item_of(local, machines->sims.names[i]));
    }
    for (uint32_t i = 0; i < machines->others.count; i++) {
        json_array_append_new(others, json_string(machines->others.names[i]));
    }
    free(machines);
    if (document == NULL || json_object_set_new(document, "others", others) != 0) {
        json_decref(document);
        return gp_fail(fail, GP_E_MEMORY, "no memory for the list of agents");
    }
    *ret_document = document;
    return GP_OK;
}

/* ---- ending ---------------------------------------------------------------------------------- */

/* The process that holds the directory's lock: nobody else can be meant. */
static int open_agent(const gp_local_t *local, const char *name)
{
    long pid = 0;
    if (!gp_state_in_use(local->dir, name, &pid) || pid <= 0) {
        return -1;
    }
    int fd = pidfd_open((pid_t)pid, 0);
    /* Still the holder of the lock? Then the descriptor is its, and not a later process's. */
    long again = 0;
    if (fd >= 0 && (!gp_state_in_use(local->dir, name, &again) || again != pid ||
                    !gp_state_is_sim(local->dir, name))) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_and_wait(int fd, int number, int limit_ms)
{
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    return pidfd_send_signal(fd, number, NULL, 0) == 0 && poll(&ended, 1, limit_ms) == 1;
}

static void stop_agent(int fd, bool gently, uint64_t end)
{
    if (gently) {
        (void)send_and_wait(fd, SIGTERM, 0);
        (void)send_and_wait(fd, SIGCONT, 0); /* a frozen one goes too */
        return;
    }
    uint64_t now = gp_until_now();
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    if (poll(&ended, 1, end > now ? (int)(end - now) : 0) != 1) {
        (void)send_and_wait(fd, SIGKILL, STOP_MS);
    }
}

static gp_error_t remove_state(const gp_local_t *local, const char *name, gp_fail_t *fail)
{
    gp_state_dir_t dir;
    gp_error_t error = gp_state_open(local->dir, name, &dir, fail);
    if (error != GP_OK) {
        return error;
    }
    /* Looked at again with the lock in hand: what is removed here is gone for good. */
    if (!gp_file_exists(gp_state_folder(&dir), GP_FILE_SIM)) {
        gp_state_close(&dir);
        return gp_fail(fail, GP_E_SIM_OTHER, "%s in %s is another machine", name, local->dir);
    }
    return gp_state_remove(&dir, fail);
}

gp_error_t gp_local_down(const gp_local_t *local, json_t **ret_document, gp_fail_t *fail)
{
    gp_error_t error = gp_local_status(local, ret_document, fail);
    const json_t *items = error == GP_OK ? json_object_get(*ret_document, "items") : NULL;
    const json_t *others = error == GP_OK ? json_object_get(*ret_document, "others") : NULL;
    size_t count = json_array_size(items);
    if (count == 0 && json_array_size(others) > 0) {
        error = gp_fail(fail, GP_E_SIM_OTHER, "%s holds no simulated machine, but %s", local->dir,
                        json_string_value(json_array_get(others, 0)));
    }
    /* All at once: first in good order, so that programs that they run end too, then by force. */
    uint64_t end = gp_until_now() + STOP_MS;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++) {
            const json_t *item = json_array_get(items, i);
            const char *name = json_string_value(json_object_get(item, "name"));
            int fd = open_agent(local, name);
            if (fd >= 0) {
                stop_agent(fd, round == 0, end);
                close(fd);
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(items, i), "name"));
        gp_error_t removed = remove_state(local, name, error == GP_OK ? fail : NULL);
        error = error == GP_OK ? removed : error;
    }
    gp_state_clear_sims(local->dir); /* half-made ones, of a sim up that was killed */
    if (error != GP_OK) {
        json_decref(*ret_document);
        *ret_document = NULL;
    }
    return error;
}

gp_error_t gp_local_signal(const gp_local_t *local, const char *const *names, uint32_t count,
                           int number, gp_fail_t *fail)
{
    gp_error_t error = names_check(local, names, count, fail);
    if (error != GP_OK) {
        return error;
    }
    for (uint32_t i = 0; i < count; i++) {
        int fd = open_agent(local, names[i]);
        if (fd < 0) {
            return gp_fail(fail, GP_E_SIM_STOPPED, "%s in %s", names[i], local->dir);
        }
        int sent = number == SIGKILL ? (send_and_wait(fd, number, STOP_MS) ? 0 : -1)
                                     : pidfd_send_signal(fd, number, NULL, 0);
        int code = errno;
        close(fd);
        if (sent != 0) {
            return gp_fail_errno(fail, code, "cannot signal %s", names[i]);
        }
    }
    return GP_OK;
}

/* Where the agent `other` last saw `name`; "" if it can't tell. */
static void ask_address(const gp_local_t *local, const char *other, const char *name,
                        char address[GP_ADDRESS_MAX + 1])
{
    json_t *document = NULL;
    gp_http_ask_t what = {.method = "GET", .path = "/v1/nodes", .timeout_ms = ASK_MS, .wake = -1};
    if (ask(local, other, &what, &document) != GP_OK) {
        return;
    }
    const json_t *items = json_object_get(document, "items");
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        const char *its = json_string_value(json_object_get(item, "name"));
        const char *at = json_string_value(json_object_get(item, "address"));
        if (its != NULL && at != NULL && strcmp(its, name) == 0) {
            snprintf(address, GP_ADDRESS_MAX + 1, "%s", at);
        }
    }
    json_decref(document);
}

/*
 * Agents of a sim listen on any port. One that starts again takes the one that it had, as a real
 * machine does: the others look for it there.
 */
static void last_address(const gp_local_t *local, const char *name,
                         char address[GP_ADDRESS_MAX + 1])
{
    machines_t *machines = NULL;
    address[0] = '\0';
    if (look(local, &machines, NULL) != GP_OK) {
        return;
    }
    const gp_state_list_t *list = &machines->sims;
    for (uint32_t i = 0; i < list->count && address[0] == '\0'; i++) {
        long pid = 0;
        if (gp_state_in_use(local->dir, list->names[i], &pid) &&
            strcmp(state_of(pid), "running") == 0) {
            ask_address(local, list->names[i], name, address);
        }
    }
    free(machines);
}

gp_error_t gp_local_start(const gp_local_t *local, const char *const *names, uint32_t count,
                          gp_fail_t *fail)
{
    gp_until_t until = until_of(local);
    gp_error_t error = names_check(local, names, count, fail);
    for (uint32_t i = 0; error == GP_OK && i < count; i++) {
        error = refuse_if_runs(local, names[i], fail);
    }
    for (uint32_t i = 0; error == GP_OK && i < count; i++) {
        char address[GP_ADDRESS_MAX + 1];
        gp_local_agent_t agent = {.name = names[i], .listen = address};
        last_address(local, names[i], address);
        error = start_and_wait(local, &agent, &until, fail);
        if (error == GP_E_PORT_IN_USE && address[0] != '\0') {
            agent.listen = NULL; /* somebody took the port meanwhile */
            error = start_and_wait(local, &agent, &until, fail);
        }
    }
    return error;
}
