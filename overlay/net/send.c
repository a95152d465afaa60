/*
 * Which way a frame goes: the outgoing link if it is up, else a connection that the peer opened,
 * else it waits, a bounded while in a bounded queue, for the link that is being opened.
 */
#include "overlay/net/clock.h"
#include "overlay/net/internal.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <zmq.h>

#define RETRY_MS 20

/* -1: errno tells. The route and the frame go whole or not at all. */
static int send_parts(void *socket, gp_slice_t route, gp_slice_t frame)
{
    if (route.n > 0 && zmq_send(socket, route.p, route.n, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) {
        return -1;
    }
    return zmq_send(socket, frame.n > 0 ? (const void *)frame.p : "", frame.n, ZMQ_DONTWAIT);
}

gp_sent_t gp_send_on(gp_zwatch_t *watch, gp_slice_t route, gp_slice_t frame)
{
    int rc = send_parts(watch->socket, route, frame);

    if (rc < 0 && (errno == EAGAIN || errno == EHOSTUNREACH)) {
        /* A send looks at the news from the I/O thread only about once a millisecond; ZMQ_EVENTS
         * always does. */
        int events = 0;
        size_t size = sizeof events;
        (void)zmq_getsockopt(watch->socket, ZMQ_EVENTS, &events, &size);
        rc = send_parts(watch->socket, route, frame);
    }
    if (rc < 0) {
        int why = errno;
        gp_zwatch_touched(watch);
        return why == EAGAIN ? GP_SENT_WAIT : GP_SENT_NO_WAY;
    }
    gp_zwatch_touched(watch);
    return GP_SENT;
}

static gp_sent_t transmit(gp_net_peer_t *peer, gp_slice_t frame)
{
    gp_net_t *net = peer->net;
    gp_sent_t sent = gp_link_send(peer, frame);

    if (sent == GP_SENT_NO_WAY) {
        sent = gp_inbox_send(peer, frame);
    }
    if (sent == GP_SENT) {
        peer->frames_out++;
        net->counters.frames_out++;
        net->counters.bytes_out += frame.n;
    }
    return sent;
}

/* Keeps the books after the queue changed from these bytes. */
static void account(gp_net_peer_t *peer, uint32_t bytes_before)
{
    gp_net_t *net = peer->net;

    assert(net->queued_bytes >= bytes_before);
    net->queued_bytes -= bytes_before;
    net->queued_bytes += gp_queue_bytes(&peer->queue);
    /* Only a link that is up has an end to send to: asking a broken one would never stop. */
    peer->link.watch.wants_output =
        peer->link.up && (peer->link.hello_due || gp_queue_count(&peer->queue) > 0);
}

static void dropped(gp_net_peer_t *peer, gp_drop_t why, uint32_t count)
{
    peer->dropped += count;
    peer->net->counters.dropped[why] += count;
}

void gp_send_flush(gp_net_peer_t *peer)
{
    uint32_t bytes = gp_queue_bytes(&peer->queue);
    const gp_queued_t *frame;

    while (!peer->gone && (frame = gp_queue_peek(&peer->queue)) != NULL &&
           transmit(peer, gp_slice(frame->bytes, frame->n)) == GP_SENT) {
        gp_queue_pop(&peer->queue);
    }
    account(peer, bytes);
}

void gp_send_flush_inbox(gp_net_t *net)
{
    if (net->queued_bytes == 0) {
        return;
    }
    for (uint32_t i = 0; i < net->peer_count; i++) {
        gp_net_peer_t *peer = net->by_id[i];
        if (!peer->link.up && peer->connections > 0 && gp_queue_count(&peer->queue) > 0) {
            gp_send_flush(peer);
        }
    }
}

/*
 * A ROUTER says that it takes output as soon as any of its connections does, so wants_output is of
 * no use here, and the word of ZMQ_FD that this one has room again may be eaten by a look at its
 * state. So it is tried again in a moment; not for ever, as what waits too long is dropped.
 */
void gp_send_retry(gp_net_t *net)
{
    static const struct timeval delay = {.tv_usec = RETRY_MS * 1000};

    if (!net->closing && !evtimer_pending(net->retry, NULL)) {
        (void)event_add(net->retry, &delay);
    }
}

void gp_send_on_retry(evutil_socket_t fd, short what, void *net)
{
    (void)fd;
    (void)what;
    gp_send_flush_inbox(net); /* what has to wait again calls for the next retry */
}

void gp_send_expire(gp_net_peer_t *peer, uint64_t now_ms)
{
    uint32_t bytes = gp_queue_bytes(&peer->queue);

    if (bytes > 0 && now_ms > peer->net->wait_ms) {
        dropped(peer, GP_DROP_EXPIRED, gp_queue_expire(&peer->queue, now_ms - peer->net->wait_ms));
        account(peer, bytes);
    }
}

void gp_send_clear(gp_net_peer_t *peer, gp_drop_t why)
{
    uint32_t bytes = gp_queue_bytes(&peer->queue);

    dropped(peer, why, gp_queue_clear(&peer->queue));
    account(peer, bytes);
}

static gp_error_t enqueue(gp_net_peer_t *peer, gp_slice_t frame, gp_class_t class)
{
    gp_net_t *net = peer->net;
    uint32_t bytes = gp_queue_bytes(&peer->queue);
    uint32_t displaced = 0;
    gp_error_t error = GP_E_PEER_QUEUE;

    if (net->queued_bytes + frame.n <= GP_NET_QUEUE_BYTES) {
        error = gp_queue_push(&peer->queue, class, frame, gp_net_now_ms(), &displaced);
    }
    if (error != GP_OK) {
        dropped(peer, GP_DROP_FULL, 1);
        return error;
    }
    dropped(peer, GP_DROP_DISPLACED, displaced);
    account(peer, bytes);
    gp_zwatch_touched(&peer->link.watch);
    return GP_OK;
}

static gp_error_t send_to_self(gp_net_t *net, gp_slice_t frame, gp_class_t class)
{
    uint32_t displaced = 0;
    gp_error_t error = gp_queue_push(&net->loopback, class, frame, gp_net_now_ms(), &displaced);

    net->counters.dropped[GP_DROP_DISPLACED] += displaced;
    if (error != GP_OK) {
        net->counters.dropped[GP_DROP_FULL]++;
        return error;
    }
    gp_net_later(net);
    return GP_OK;
}

bool gp_send_loopback(gp_net_t *net)
{
    for (int i = 0; i < GP_ZWATCH_BUDGET; i++) {
        gp_queued_t *frame = gp_queue_take(&net->loopback);
        if (frame == NULL) {
            return false;
        }
        net->counters.frames_out++;
        net->counters.bytes_out += frame->n;
        gp_net_deliver(net, &net->self, GP_STANDING_MEMBER, gp_slice(frame->bytes, frame->n));
        free(frame);
    }
    return gp_queue_count(&net->loopback) > 0;
}

gp_error_t gp_net_send(gp_net_t *net, const gp_id_t *id, gp_slice_t frame, gp_class_t class)
{
    gp_net_peer_t *peer;

    assert(class < GP_CLASS_COUNT && !net->closing);
    if (frame.n == 0 || frame.n > GP_MESSAGE_MAX) {
        return GP_E_MESSAGE_SIZE;
    }
    if (gp_id_equal(id, &net->self)) {
        return send_to_self(net, frame, class);
    }
    peer = gp_net_find(net, id);
    if (peer == NULL) {
        return GP_E_PEER_UNREACHABLE;
    }
    peer->used_ms = gp_net_now_ms();
    if (gp_queue_count(&peer->queue) == 0 && transmit(peer, frame) == GP_SENT) {
        return GP_OK;
    }
    if (!peer->link.up && peer->connections == 0 && peer->link.socket == NULL &&
        !gp_link_rests(peer)) {
        gp_error_t error = gp_link_open(peer);
        if (error != GP_OK) {
            return error;
        }
    }
    return enqueue(peer, frame, class);
}
