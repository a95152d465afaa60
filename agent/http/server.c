/*
 * Listening, limits, and the way from a request to its handler.
 *
 * evhttp 2.1.12 has no limit on connections and no news of those that end before a request. A
 * second reference on each connection's bufferevent tells: evhttp clears the callbacks of one that
 * it frees. The bufferevent owns its descriptor, which therefore stays open (but shut down) until
 * the sweep drops that reference; if evhttp closed it, events would stay on a reused number.
 */
#include "agent/http/server.h"

#include <errno.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/http/address.h"
#include "agent/http/call.h"

#define RETRY_MS      20
#define BODY_READ_MAX (GP_HTTP_BODY_MAX * 2) /* so that most large bodies get our own answer */
#define INPUT_MAX     (BODY_READ_MAX + 2 * GP_HTTP_HEAD_MAX) /* unread bytes of one connection */

struct gp_http_server {
    gp_http_server_t *next; /* in servers */
    gp_http_config_t config;
    struct evhttp *http;
    struct evconnlistener *listener; /* owned by http */
    struct event *sweep;             /* active: connections may have ended */
    struct event *retry;             /* while accepting pauses: is there room again? */
    struct bufferevent *open[GP_HTTP_CONNECTIONS_MAX];
    uint32_t open_count;
    bool quiet;
    uid_t owner;
    dev_t device; /* of the socket file, to remove only our own */
    ino_t inode;
    char path[];
};

/* libevent tells of a failed accept with evhttp's context, not with ours: who is meant is found by
 * the listener. */
static gp_http_server_t *servers;

/* ---- connections ----------------------------------------------------------------------------- */

/* Forgets the connections that evhttp has freed. */
static void connections_sweep(gp_http_server_t *server)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < server->open_count; i++) {
        bufferevent_event_cb on_event = NULL;
        bufferevent_getcb(server->open[i], NULL, NULL, &on_event, NULL);
        if (on_event == NULL) {
            (void)bufferevent_decref(server->open[i]);
        } else {
            server->open[kept++] = server->open[i];
        }
    }
    server->open_count = kept;
}

static void sweep_run(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    connections_sweep(context);
}

/* A reply is out: evhttp may free its connection, right after this. */
static void request_complete(struct evhttp_request *request, void *context)
{
    (void)request;
    gp_http_server_t *server = context;
    event_active(server->sweep, EV_TIMEOUT, 0);
}

static void accept_pause(gp_http_server_t *server)
{
    const struct timeval soon = {.tv_usec = RETRY_MS * 1000};
    (void)evconnlistener_disable(server->listener);
    (void)event_add(server->retry, &soon);
}

static void accept_retry(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    gp_http_server_t *server = context;
    connections_sweep(server);
    if (server->quiet) {
        return;
    }
    if (server->open_count < GP_HTTP_CONNECTIONS_MAX) {
        (void)evconnlistener_enable(server->listener);
    } else {
        accept_pause(server);
    }
}

/* Out of descriptors: without a pause the loop would spin on the same connection. */
static void accept_failed(struct evconnlistener *listener, void *context)
{
    (void)context;
    for (gp_http_server_t *server = servers; server != NULL; server = server->next) {
        if (server->listener == listener) {
            accept_pause(server);
        }
    }
}

static struct bufferevent *connection_new(struct event_base *base, void *context)
{
    gp_http_server_t *server = context;
    connections_sweep(server);
    assert(server->open_count < GP_HTTP_CONNECTIONS_MAX);
    struct bufferevent *connection = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (connection == NULL) {
        return NULL;
    }
    bufferevent_setwatermark(connection, EV_READ, 0, INPUT_MAX);
    bufferevent_incref(connection);
    server->open[server->open_count++] = connection;
    if (server->open_count == GP_HTTP_CONNECTIONS_MAX) {
        accept_pause(server);
    }
    return connection;
}

/* ---- requests -------------------------------------------------------------------------------- */

static const char *method_name(enum evhttp_cmd_type method)
{
    switch (method) {
    case EVHTTP_REQ_GET:
        return "GET";
    case EVHTTP_REQ_POST:
        return "POST";
    case EVHTTP_REQ_PUT:
        return "PUT";
    case EVHTTP_REQ_DELETE:
        return "DELETE";
    default:
        return "";
    }
}

static bool peer_check(const gp_http_server_t *server, gp_http_call_t *call)
{
    struct ucred peer;
    socklen_t n = sizeof peer;
    int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(call->connection));
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0 || n != sizeof peer) {
        return false;
    }
    call->peer = (gp_http_peer_t){.uid = peer.uid, .gid = peer.gid, .pid = peer.pid};
    return peer.uid == 0 || peer.uid == server->owner;
}

/* Decodes the path's parameters and the query. */
static bool request_decode(gp_http_call_t *call, const gp_http_params_t *params, const char *query)
{
    for (uint32_t i = 0; i < params->count; i++) {
        size_t n = 0;
        char *raw = strndup((const char *)params->values[i].p, params->values[i].n);
        char *value = raw == NULL ? NULL : evhttp_uridecode(raw, 0, &n);
        free(raw);
        if (value == NULL) {
            return false;
        }
        call->params.names[i] = params->names[i];
        call->values[i] = value;
        call->params.count = i + 1;
        if (strlen(value) != n) {
            return false;
        }
    }
    return query == NULL || evhttp_parse_query_str(query, &call->query) == 0;
}

/* Reads the body; the reason in words if it is not a JSON object. */
static bool body_read(gp_http_call_t *call, char *reason, size_t size)
{
    struct evbuffer *input = evhttp_request_get_input_buffer(call->request);
    size_t n = evbuffer_get_length(input);
    if (n == 0) {
        call->body = json_object();
        return call->body != NULL;
    }
    json_error_t error;
    const char *bytes = (const char *)evbuffer_pullup(input, -1);
    json_t *body = bytes == NULL ? NULL : json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &error);
    if (body == NULL) {
        (void)snprintf(reason, size, "the body is not JSON: line %d column %d: %s", error.line,
                       error.column, error.text);
        return false;
    }
    if (!json_is_object(body)) {
        json_decref(body);
        (void)snprintf(reason, size, "the body is not a JSON object");
        return false;
    }
    call->body = body;
    return true;
}

static void request_route(gp_http_server_t *server, gp_http_call_t *call)
{
    char words[512];
    char allow[64];
    gp_http_params_t params;
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(call->request);
    const char *path = uri == NULL ? NULL : evhttp_uri_get_path(uri);
    const char *method = method_name(evhttp_request_get_command(call->request));
    if (!peer_check(server, call)) {
        (void)snprintf(words, sizeof words, "user %ld may not use the agent of user %ld",
                       (long)call->peer.uid, (long)server->owner);
        gp_http_call_refuse(call, 403, GP_E_NOT_PERMITTED, words);
        return;
    }
    if (evbuffer_get_length(evhttp_request_get_input_buffer(call->request)) > GP_HTTP_BODY_MAX) {
        (void)snprintf(words, sizeof words, "the body has more than %d bytes", GP_HTTP_BODY_MAX);
        gp_http_call_refuse(call, 413, GP_E_HTTP, words);
        return;
    }
    path = path == NULL ? "" : path;
    const gp_http_route_t *route =
        gp_http_route_find(&server->config, method, path, &params, allow);
    if (route == NULL && allow[0] != '\0') {
        struct evkeyvalq *headers = evhttp_request_get_output_headers(call->request);
        (void)evhttp_add_header(headers, "Allow", allow);
        (void)snprintf(words, sizeof words, "%.200s answers only to %s", path, allow);
        gp_http_call_refuse(call, 405, GP_E_HTTP, words);
    } else if (route == NULL) {
        (void)snprintf(words, sizeof words, "there is no %.200s", path);
        gp_http_call_refuse(call, 404, GP_E_HTTP, words);
    } else if (!request_decode(call, &params, evhttp_uri_get_query(uri))) {
        gp_http_call_refuse(call, 400, GP_E_HTTP, "the path or the query cannot be decoded");
    } else if (!body_read(call, words, sizeof words)) {
        gp_http_call_refuse(call, 400, GP_E_HTTP, words);
    } else if (server->config.guard == NULL ||
               server->config.guard(call, route, server->config.context)) {
        route->handle(call, server->config.context);
    }
}

static void request_take(struct evhttp_request *request, void *context)
{
    gp_http_server_t *server = context;
    gp_http_call_t *call = gp_http_call_new(request);
    if (call == NULL) {
        evhttp_send_reply(request, 500, NULL, NULL);
        return;
    }
    evhttp_request_set_on_complete_cb(request, request_complete, server);
    call->dispatching = true;
    request_route(server, call);
    call->dispatching = false;
    assert(call->state != GP_HTTP_ASKED);
    if (call->state == GP_HTTP_DONE) {
        gp_http_call_free(call);
    }
}

/* ---- the socket -------------------------------------------------------------------------------
 */

/* Is the name free to take? A socket that nobody answers on is: its agent is dead. */
static gp_error_t socket_probe(const char *path)
{
    struct stat status;
    gp_http_address_t address;
    if (lstat(path, &status) != 0) {
        return errno == ENOENT ? GP_OK : gp_http_address_error(errno);
    }
    if (!S_ISSOCK(status.st_mode)) {
        return GP_E_STATE_DAMAGED;
    }
    gp_error_t error = gp_http_address_open(path, &address);
    if (error != GP_OK) {
        return error;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        error = GP_E_SYSTEM;
    } else {
        bool answered = connect(fd, (struct sockaddr *)&address.sun, address.length) == 0;
        bool nobody = !answered && (errno == ECONNREFUSED || errno == ENOENT);
        error = nobody ? GP_OK : GP_E_STATE_LOCKED;
        (void)close(fd);
    }
    gp_http_address_close(&address);
    return error;
}

/* Binds under a temporary name, restricts it, listens, and only then gives it the real name. */
static gp_error_t socket_listen(const char *path, int *ret_fd)
{
    char fresh[4096];
    gp_http_address_t address;
    int n = snprintf(fresh, sizeof fresh, "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof fresh) {
        errno = ENAMETOOLONG;
        return GP_E_SYSTEM;
    }
    gp_error_t error = gp_http_address_open(fresh, &address);
    if (error != GP_OK) {
        return error;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlink(fresh);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address.sun, address.length) != 0 ||
        chmod(fresh, 0600) != 0 || listen(fd, SOMAXCONN) != 0 || rename(fresh, path) != 0) {
        error = gp_http_address_error(errno);
        int saved = errno;
        (void)unlink(fresh);
        if (fd >= 0) {
            (void)close(fd);
        }
        errno = saved;
    } else {
        *ret_fd = fd;
    }
    gp_http_address_close(&address);
    return error;
}

/* ---- life --------------------------------------------------------------------------------------
 */

/* evhttp on a listening descriptor, which it owns from here on. */
static gp_error_t server_serve(gp_http_server_t *server, int fd)
{
    struct event_base *base = server->config.base;
    server->listener =
        evconnlistener_new(base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (server->listener == NULL) {
        (void)close(fd);
        return GP_E_MEMORY;
    }
    server->http = evhttp_new(base);
    server->retry = event_new(base, -1, 0, accept_retry, server);
    server->sweep = event_new(base, -1, 0, sweep_run, server);
    if (server->http == NULL || server->retry == NULL || server->sweep == NULL ||
        evhttp_bind_listener(server->http, server->listener) == NULL) {
        evconnlistener_free(server->listener);
        return GP_E_MEMORY;
    }
    const struct timeval idle = {.tv_sec = GP_HTTP_IDLE_MS / 1000};
    evconnlistener_set_error_cb(server->listener, accept_failed);
    evhttp_set_timeout_tv(server->http, &idle);
    evhttp_set_max_headers_size(server->http, GP_HTTP_HEAD_MAX);
    evhttp_set_max_body_size(server->http, BODY_READ_MAX);
    evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD |
                                                 EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
                                                 EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
    evhttp_set_bevcb(server->http, connection_new, server);
    evhttp_set_gencb(server->http, request_take, server);
    return GP_OK;
}

gp_error_t gp_http_server_new(const gp_http_config_t *config, gp_http_server_t **ret_server)
{
    assert(config->base != NULL && config->socket_path != NULL);
    int fd = -1;
    struct stat status;
    (void)signal(SIGPIPE, SIG_IGN);
    gp_error_t error = socket_probe(config->socket_path);
    if (error == GP_OK) {
        error = socket_listen(config->socket_path, &fd);
    }
    if (error != GP_OK) {
        return error;
    }
    size_t n = strlen(config->socket_path) + 1;
    gp_http_server_t *server = calloc(1, sizeof *server + n);
    if (server == NULL || lstat(config->socket_path, &status) != 0) {
        free(server);
        (void)close(fd);
        return GP_E_MEMORY;
    }
    memcpy(server->path, config->socket_path, n);
    server->config = *config;
    server->config.socket_path = server->path;
    server->owner = geteuid();
    server->device = status.st_dev;
    server->inode = status.st_ino;
    error = server_serve(server, fd);
    if (error != GP_OK) {
        gp_http_server_free(server);
        return error;
    }
    server->next = servers;
    servers = server;
    *ret_server = server;
    return GP_OK;
}

void gp_http_server_free(gp_http_server_t *server)
{
    if (server == NULL) {
        return;
    }
    for (gp_http_server_t **at = &servers; *at != NULL; at = &(*at)->next) {
        if (*at == server) {
            *at = server->next;
            break;
        }
    }
    struct stat status;
    if (lstat(server->path, &status) == 0 && status.st_dev == server->device &&
        status.st_ino == server->inode) {
        (void)unlink(server->path);
    }
    if (server->http != NULL) {
        evhttp_free(server->http);
    }
    connections_sweep(server);
    assert(server->open_count == 0);
    if (server->retry != NULL) {
        event_free(server->retry);
    }
    if (server->sweep != NULL) {
        event_free(server->sweep);
    }
    free(server);
}

void gp_http_server_quiet(gp_http_server_t *server)
{
    server->quiet = true;
    (void)evconnlistener_disable(server->listener);
}
