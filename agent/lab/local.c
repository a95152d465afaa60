#include "agent/lab/local_inside.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "agent/http/client.h"
#include "agent/http/document.h"
#include "agent/store/state_dir.h"

#define STOP_MS 3000

gp_wall_ms_t gp_local_wall_ms(void)
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

gp_error_t gp_local_refuse_if_used(const gp_local_t *local, gp_fail_t *fail)
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

/* ---- asking ---------------------------------------------------------------------------------- */

gp_error_t gp_local_ask(const gp_local_t *local, const char *name, const gp_http_ask_t *what,
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

const json_t *gp_local_first_item(const json_t *document)
{
    return json_array_get(json_object_get(document, "items"), 0);
}

/* ---- starting -------------------------------------------------------------------------------- */

gp_until_t gp_local_until(const gp_local_t *local)
{
    return (gp_until_t){.end_ms = local->timeout_ms == 0 ? 0 : gp_until_now() + local->timeout_ms,
                        .wake = local->wake};
}

gp_error_t gp_local_begin(const gp_local_t *local, const gp_local_agent_t *agent,
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
    gp_error_t error = gp_local_begin(local, agent, &process, fail);
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
    gp_until_t until = gp_local_until(local);
    snprintf(path, sizeof path, "%s/%s", local->dir, agent->name);
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return gp_fail(fail, GP_E_STATE_MISSING, "%s does not exist", path);
    }
    gp_error_t error = refuse_if_runs(local, agent->name, fail);
    return error == GP_OK ? start_and_wait(local, agent, &until, fail) : error;
}

/* ---- what is there --------------------------------------------------------------------------- */

static long port_of(const gp_local_t *local, const char *name)
{
    json_t *document = NULL;
    gp_http_ask_t what = {
        .method = "GET", .path = "/v1/status", .timeout_ms = GP_LOCAL_ASK_MS, .wake = -1};
    if (gp_local_ask(local, name, &what, &document) != GP_OK) {
        return 0;
    }
    const char *address =
        json_string_value(json_object_get(gp_local_first_item(document), "address"));
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
    json_t *document = gp_document_new("sim", gp_local_wall_ms(), false);
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
    gp_http_ask_t what = {
        .method = "GET", .path = "/v1/nodes", .timeout_ms = GP_LOCAL_ASK_MS, .wake = -1};
    if (gp_local_ask(local, other, &what, &document) != GP_OK) {
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
    gp_until_t until = gp_local_until(local);
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
