#include "agent/http/client.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/http/address.h"
#include "agent/http/wire.h"

#define READ_SIZE 16384
#define NO_LIMIT  UINT64_MAX

struct gp_http_client {
    int fd;
    pid_t pid;
    gp_http_wire_t wire;
};

/* Milliseconds on a clock that never steps. */
static uint64_t clock_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t deadline_after(uint64_t timeout_ms)
{
    return timeout_ms == 0 ? NO_LIMIT : clock_ms() + timeout_ms;
}

gp_error_t gp_http_client_open(const char *socket_path, gp_http_client_t **ret_client)
{
    gp_http_address_t address;
    gp_error_t error = gp_http_address_open(socket_path, &address);
    if (error != GP_OK) {
        return error;
    }
    gp_http_client_t *client = calloc(1, sizeof *client);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client == NULL || fd < 0) {
        error = client == NULL ? GP_E_MEMORY : GP_E_SYSTEM;
    } else if (connect(fd, (struct sockaddr *)&address.sun, address.length) != 0) {
        error = gp_http_address_error(errno);
    }
    gp_http_address_close(&address);
    if (error != GP_OK) {
        int saved = errno;
        free(client);
        if (fd >= 0) {
            (void)close(fd);
        }
        errno = saved;
        return error;
    }
    struct ucred peer = {0};
    socklen_t n = sizeof peer;
    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n);
    client->fd = fd;
    client->pid = peer.pid;
    *ret_client = client;
    return GP_OK;
}

pid_t gp_http_client_pid(const gp_http_client_t *client)
{
    return client->pid;
}

void gp_http_client_close(gp_http_client_t *client)
{
    if (client != NULL) {
        (void)close(client->fd);
        gp_http_wire_done(&client->wire);
        free(client);
    }
}

/* Waits for `events`, the wake descriptor or the deadline. */
static gp_http_next_t socket_wait(const gp_http_client_t *client, short events, int wake,
                                  uint64_t deadline)
{
    for (;;) {
        uint64_t now = clock_ms();
        int wait_ms = -1;
        if (deadline != NO_LIMIT) {
            uint64_t left = deadline > now ? deadline - now : 0;
            wait_ms = left > 3600000 ? 3600000 : (int)left;
        }
        struct pollfd fds[2] = {{.fd = client->fd, .events = events},
                                {.fd = wake, .events = POLLIN}};
        int ready = poll(fds, 2, wait_ms);
        if (ready < 0 && errno != EINTR) {
            return GP_HTTP_NEXT_LOST;
        }
        if (ready > 0 && fds[1].revents != 0) {
            return GP_HTTP_NEXT_WAKE;
        }
        if (ready > 0) {
            return GP_HTTP_NEXT_LINE;
        }
        if (ready == 0 && clock_ms() >= deadline) {
            return GP_HTTP_NEXT_TIMEOUT;
        }
    }
}

static gp_error_t next_error(gp_http_next_t next)
{
    return next == GP_HTTP_NEXT_LOST ? GP_E_NO_AGENT : GP_E_TIMED_OUT;
}

/*
 * Sends all bytes. A server that refuses a body may answer and close before it has read it all:
 * then the answer is still to be read, so a broken pipe is not yet a failure.
 */
static gp_error_t bytes_send(gp_http_client_t *client, const char *bytes, size_t n, int wake,
                             uint64_t deadline)
{
    while (n > 0) {
        ssize_t sent = send(client->fd, bytes, n, MSG_NOSIGNAL);
        if (sent >= 0) {
            bytes += sent;
            n -= (size_t)sent;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            gp_http_next_t next = socket_wait(client, POLLOUT, wake, deadline);
            if (next != GP_HTTP_NEXT_LINE) {
                return next_error(next);
            }
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return GP_OK;
        } else if (errno != EINTR) {
            return GP_E_NO_AGENT;
        }
    }
    return GP_OK;
}

static gp_error_t request_send(gp_http_client_t *client, const gp_http_ask_t *ask,
                               uint64_t deadline)
{
    char head[1024];
    char *body = ask->body == NULL ? NULL : json_dumps(ask->body, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (ask->body != NULL && body == NULL) {
        return GP_E_MEMORY;
    }
    size_t body_n = body == NULL ? 0 : strlen(body);
    int n = snprintf(head, sizeof head,
                     "%s %s HTTP/1.1\r\nHost: gridpeer\r\nConnection: close\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                     ask->method, ask->path, body_n);
    gp_error_t error = GP_OK;
    if (n < 0 || (size_t)n >= sizeof head || body_n > GP_HTTP_BODY_MAX) {
        error = GP_E_HTTP;
    } else {
        error = bytes_send(client, head, (size_t)n, ask->wake, deadline);
    }
    if (error == GP_OK && body_n > 0) {
        error = bytes_send(client, body, body_n, ask->wake, deadline);
    }
    free(body);
    return error;
}

/* Reads once what there is, or waits for it. LINE: something came, or the end did. */
static gp_http_next_t socket_read(gp_http_client_t *client, int wake, uint64_t deadline)
{
    char bytes[READ_SIZE];
    gp_http_next_t next = socket_wait(client, POLLIN, wake, deadline);
    if (next != GP_HTTP_NEXT_LINE) {
        return next;
    }
    ssize_t n = recv(client->fd, bytes, sizeof bytes, 0);
    if (n < 0) {
        bool again = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        return again ? GP_HTTP_NEXT_LINE : GP_HTTP_NEXT_LOST;
    }
    gp_error_t error = n == 0 ? gp_http_wire_end(&client->wire)
                              : gp_http_wire_feed(&client->wire, bytes, (size_t)n);
    return error == GP_OK ? GP_HTTP_NEXT_LINE : GP_HTTP_NEXT_LOST;
}

/* Reads until the head is whole, or with `all` the body too. */
static gp_error_t answer_read(gp_http_client_t *client, const gp_http_ask_t *ask, bool all,
                              uint64_t deadline)
{
    while (client->wire.state == GP_HTTP_WIRE_HEAD ||
           (all && client->wire.state != GP_HTTP_WIRE_ENDED)) {
        gp_http_next_t next = socket_read(client, ask->wake, deadline);
        if (next != GP_HTTP_NEXT_LINE) {
            return client->wire.error != GP_OK ? client->wire.error : next_error(next);
        }
        if (all && client->wire.body.n > GP_HTTP_REPLY_MAX) {
            return GP_E_HTTP;
        }
    }
    return GP_OK;
}

static gp_error_t reply_take(gp_http_client_t *client, gp_http_reply_t *ret_reply)
{
    gp_http_buffer_t *body = &client->wire.body;
    char *text = malloc(body->n + 1);
    if (text == NULL) {
        return GP_E_MEMORY;
    }
    if (body->n > 0) {
        memcpy(text, body->bytes, body->n);
    }
    text[body->n] = '\0';
    *ret_reply = (gp_http_reply_t){.status = client->wire.status,
                                   .document = json_loadb(text, body->n, 0, NULL),
                                   .text = text,
                                   .text_n = body->n};
    return GP_OK;
}

gp_error_t gp_http_client_ask(gp_http_client_t *client, const gp_http_ask_t *ask,
                              gp_http_reply_t *ret_reply)
{
    uint64_t deadline = deadline_after(ask->timeout_ms);
    gp_error_t error = request_send(client, ask, deadline);
    if (error == GP_OK) {
        error = answer_read(client, ask, true, deadline);
    }
    return error == GP_OK ? reply_take(client, ret_reply) : error;
}

void gp_http_reply_done(gp_http_reply_t *reply)
{
    json_decref(reply->document);
    free(reply->text);
    *reply = (gp_http_reply_t){0};
}

gp_error_t gp_http_client_start(gp_http_client_t *client, const gp_http_ask_t *ask,
                                gp_http_reply_t *ret_reply)
{
    uint64_t deadline = deadline_after(ask->timeout_ms);
    gp_error_t error = request_send(client, ask, deadline);
    if (error == GP_OK) {
        error = answer_read(client, ask, false, deadline);
    }
    if (error == GP_OK && client->wire.status != 200) {
        error = answer_read(client, ask, true, deadline);
        return error == GP_OK ? reply_take(client, ret_reply) : error;
    }
    if (error == GP_OK) {
        *ret_reply = (gp_http_reply_t){.status = 200};
    }
    return error;
}

/* A line of the body, if one is whole. */
static bool line_take(gp_http_client_t *client, json_t **ret_line, gp_http_next_t *ret_next)
{
    gp_http_buffer_t *body = &client->wire.body;
    const char *end = body->n == 0 ? NULL : memchr(body->bytes, '\n', body->n);
    if (end == NULL) {
        *ret_next = GP_HTTP_NEXT_LOST;
        return body->n > GP_HTTP_LINE_MAX;
    }
    size_t n = (size_t)(end - body->bytes);
    json_t *line = json_loadb(body->bytes, n, 0, NULL);
    gp_http_buffer_drop(body, n + 1);
    if (line != NULL) {
        *ret_line = line;
    }
    *ret_next = line == NULL ? GP_HTTP_NEXT_LOST : GP_HTTP_NEXT_LINE;
    return true;
}

gp_http_next_t gp_http_client_next(gp_http_client_t *client, uint64_t timeout_ms, int wake,
                                   json_t **ret_line)
{
    uint64_t deadline = deadline_after(timeout_ms);
    for (;;) {
        gp_http_next_t next;
        if (line_take(client, ret_line, &next)) {
            return next;
        }
        if (client->wire.state == GP_HTTP_WIRE_ENDED) {
            return client->wire.body.n == 0 ? GP_HTTP_NEXT_END : GP_HTTP_NEXT_LOST;
        }
        next = socket_read(client, wake, deadline);
        if (next != GP_HTTP_NEXT_LINE) {
            return next;
        }
    }
}
