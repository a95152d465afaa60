#include "overlay/net/dial.h"

#include "overlay/net/address.h"

#include <errno.h>
#include <event2/event.h>
#include <unistd.h>

static gp_dial_t result_of(int number)
{
    switch (number) {
    case 0:
    case ECONNRESET: /* there was somebody, who threw us out */
        return GP_DIAL_OPEN;
    case ECONNREFUSED:
        return GP_DIAL_REFUSED;
    case ETIMEDOUT:
    case EINPROGRESS:
        return GP_DIAL_SILENT;
    default:
        return GP_DIAL_UNREACHABLE;
    }
}

/*
 * A dial to a free port of this very machine may be given that port as its own, and then TCP
 * connects it to itself (simultaneous open): nobody listens there.
 */
static bool is_own_echo(int fd)
{
    gp_sockaddr_t here = {.size = sizeof here.storage};
    gp_sockaddr_t there = {.size = sizeof there.storage};
    char here_text[GP_ADDRESS_MAX + 1];
    char there_text[GP_ADDRESS_MAX + 1];

    if (getsockname(fd, (struct sockaddr *)&here.storage, &here.size) != 0 ||
        getpeername(fd, (struct sockaddr *)&there.storage, &there.size) != 0) {
        return false;
    }
    gp_address_print(&here, here_text);
    gp_address_print(&there, there_text);
    return strcmp(here_text, there_text) == 0;
}

static gp_dial_t look(int fd)
{
    int number = 0;
    socklen_t size = sizeof number;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0) {
        return GP_DIAL_UNREACHABLE;
    }
    if (number == 0 && is_own_echo(fd)) {
        return GP_DIAL_REFUSED;
    }
    return result_of(number);
}

static void end(gp_dial_try_t *try)
{
    if (try->event != NULL) {
        event_free(try->event);
        try->event = NULL;
    }
    if (try->fd >= 0) {
        /* No farewell: a reset leaves nothing behind in either kernel. */
        static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(try->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        (void)close(try->fd);
        try->fd = -1;
    }
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    gp_dial_try_t *try = arg;
    gp_dial_t result = try->result;
    gp_dials_t *dials = try->dials;
    gp_id_t peer = try->peer;
    uint64_t token = try->token;

    if (fd >= 0) {
        result = (what & EV_WRITE) != 0 ? look((int)fd) : GP_DIAL_SILENT;
    }
    end(try);
    dials->on_result(dials->context, &peer, token, result);
}

/* Starts to connect; -1: *ret_result says why not. */
static int start(const char *address, gp_dial_t *ret_result)
{
    gp_sockaddr_t to;
    int fd;

    *ret_result = GP_DIAL_UNREACHABLE;
    if (address == NULL || gp_address_parse(address, false, &to) != GP_OK) {
        return -1;
    }
    fd = socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (connect(fd, (const struct sockaddr *)&to.storage, to.size) != 0 && errno != EINPROGRESS) {
        *ret_result = result_of(errno);
        (void)close(fd);
        return -1;
    }
    return fd;
}

bool gp_dial(gp_dials_t *dials, const char *address, const gp_id_t *peer, uint64_t token)
{
    static const struct timeval limit = {.tv_usec = GP_DIAL_MS * 1000};
    static const struct timeval at_once;
    gp_dial_try_t *try = NULL;

    for (int i = 0; i < GP_NET_DIALS_MAX && try == NULL; i++) {
        if (dials->tries[i].event == NULL) {
            try = &dials->tries[i];
        }
    }
    if (try == NULL) {
        return false;
    }
    *try = (gp_dial_try_t){.dials = dials, .peer = *peer, .token = token};
    try->fd = start(address, &try->result);
    try->event = event_new(dials->base, try->fd, try->fd >= 0 ? EV_WRITE : 0, on_event, try);
    if (try->event == NULL || event_add(try->event, try->fd >= 0 ? &limit : &at_once) != 0) {
        end(try);
        return false;
    }
    return true;
}

void gp_dials_close(gp_dials_t *dials)
{
    for (int i = 0; i < GP_NET_DIALS_MAX; i++) {
        if (dials->tries[i].event != NULL) {
            end(&dials->tries[i]);
        }
    }
}
