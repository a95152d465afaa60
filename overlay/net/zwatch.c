#include "overlay/net/zwatch.h"

#include <assert.h>
#include <event2/event.h>
#include <poll.h>
#include <stddef.h>
#include <zmq.h>

/* Is there work that the drain would do? Reading ZMQ_EVENTS eats the word of ZMQ_FD. */
static bool has_work(const gp_zwatch_t *watch)
{
    int events = 0;
    size_t size = sizeof events;

    if (zmq_getsockopt(watch->socket, ZMQ_EVENTS, &events, &size) != 0) {
        return false;
    }
    return (events & ZMQ_POLLIN) != 0 || (watch->wants_output && (events & ZMQ_POLLOUT) != 0);
}

static void kick(gp_zwatch_t *watch)
{
    gp_zhub_t *hub = watch->hub;
    static const struct timeval at_once;

    if (watch->pending) {
        return;
    }
    watch->pending = true;
    watch->next = NULL;
    if (hub->last != NULL) {
        hub->last->next = watch;
    } else {
        hub->first = watch;
    }
    hub->last = watch;
    hub->pending++;
    /* A timer, not event_active(): libevent runs freshly activated events before it looks at any
     * other descriptor, and one busy socket would starve them all. */
    (void)event_add(hub->again, &at_once);
}

static void unkick(gp_zwatch_t *watch)
{
    gp_zhub_t *hub = watch->hub;
    gp_zwatch_t *before = NULL;

    if (!watch->pending) {
        return;
    }
    for (gp_zwatch_t *w = hub->first; w != watch; w = w->next) {
        assert(w != NULL);
        before = w;
    }
    if (before != NULL) {
        before->next = watch->next;
    } else {
        hub->first = watch->next;
    }
    if (hub->last == watch) {
        hub->last = before;
    }
    watch->next = NULL;
    watch->pending = false;
    assert(hub->pending > 0);
    hub->pending--;
}

static void run(gp_zwatch_t *watch)
{
    bool more;

    assert(watch->socket != NULL);
    more = watch->drain(watch->owner);
    if (watch->socket != NULL && (more || has_work(watch))) {
        kick(watch);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    gp_zwatch_t *watch = arg;

    (void)fd;
    (void)what;
    /* One that is pending is run in this very turn, by the timer. */
    if (!watch->pending) {
        run(watch);
    }
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    gp_zhub_t *hub = arg;
    unsigned count = hub->pending;

    (void)fd;
    (void)what;
    /* Those that are kicked meanwhile wait for the next turn. */
    for (unsigned i = 0; i < count && hub->first != NULL; i++) {
        gp_zwatch_t *watch = hub->first;
        unkick(watch);
        run(watch);
    }
    if (hub->first != NULL) {
        static const struct timeval at_once;
        (void)event_add(hub->again, &at_once);
    }
}

gp_error_t gp_zhub_open(gp_zhub_t *hub, struct event_base *base)
{
    *hub = (gp_zhub_t){.base = base};
    hub->again = evtimer_new(base, on_again, hub);
    return hub->again != NULL ? GP_OK : GP_E_MEMORY;
}

void gp_zhub_close(gp_zhub_t *hub)
{
    assert(hub->first == NULL && hub->pending == 0);
    if (hub->again != NULL) {
        event_free(hub->again);
        hub->again = NULL;
    }
}

static int descriptor(void *socket)
{
    int fd = -1;
    size_t size = sizeof fd;

    return zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0 ? fd : -1;
}

gp_error_t gp_zwatch_open(gp_zwatch_t *watch, gp_zhub_t *hub, void *socket,
                          bool (*drain)(void *owner), void *owner)
{
    int fd = descriptor(socket);

    assert(socket != NULL && drain != NULL);
    if (fd < 0) {
        return GP_E_TRANSPORT;
    }
    *watch = (gp_zwatch_t){.hub = hub, .socket = socket, .drain = drain, .owner = owner};
    watch->readable = event_new(hub->base, fd, EV_READ | EV_PERSIST, on_readable, watch);
    if (watch->readable == NULL || event_add(watch->readable, NULL) != 0) {
        gp_zwatch_close(watch);
        return GP_E_TRANSPORT;
    }
    gp_zwatch_touched(watch);
    return GP_OK;
}

void gp_zwatch_close(gp_zwatch_t *watch)
{
    if (watch->socket == NULL) {
        return;
    }
    unkick(watch);
    if (watch->readable != NULL) {
        event_free(watch->readable);
        watch->readable = NULL;
    }
    watch->socket = NULL;
}

void gp_zwatch_touched(gp_zwatch_t *watch)
{
    if (watch->socket != NULL && !watch->pending && has_work(watch)) {
        kick(watch);
    }
}

void gp_zwatch_wait(gp_zwatch_t *const *watches, unsigned count, unsigned timeout_ms)
{
    struct pollfd items[GP_NET_LINKS_MAX + 1];
    nfds_t n = 0;

    assert(count <= GP_NET_LINKS_MAX + 1);
    for (unsigned i = 0; i < count; i++) {
        if (watches[i]->socket != NULL) {
            items[n++] = (struct pollfd){.fd = descriptor(watches[i]->socket), .events = POLLIN};
        }
    }
    /* A refused send has read ZMQ_EVENTS: all news since then makes the descriptor readable. */
    (void)poll(items, n, (int)timeout_ms);
}
