/*
 * Outgoing connections: one DEALER for each machine that is worth one, with a monitor that tells
 * when it is up and when it is down. CURVE proves that the other side holds the key of that
 * machine, so what comes in here is from it.
 *
 * ZeroMQ connects again by itself after an end that it takes for an accident. After a breach of
 * protocol (a stranger's program on the port, a frame too large) it goes silent for ever, mostly
 * without saying so: then the link is opened anew.
 */
#include "overlay/net/clock.h"
#include "overlay/net/internal.h"

#include <zmq.h>

#define FAREWELL_FRAMES 256
#define BROKEN_MS       1000  /* a link that ZeroMQ gave up is opened again after so long */
#define STALLED_MS      10000 /* and one of which nothing is heard */

/* A contact shows who it is, or what it says is dropped: it may say so before it was asked to. */
static void take_answer(gp_net_peer_t *peer, gp_slice_t frame)
{
    bool asks; /* it asks by its own links */

    if (gp_visits_take(peer->net, peer->key, frame, &asks) != NULL) {
        peer->link.heard = true;
    }
}

static void take_part(gp_net_peer_t *peer, zmq_msg_t *part, unsigned count)
{
    gp_net_t *net = peer->net;
    gp_slice_t frame = gp_slice(zmq_msg_data(part), zmq_msg_size(part));

    if (count != 1 || frame.n > GP_MESSAGE_MAX) {
        net->counters.dropped[GP_DROP_FORM]++;
        return;
    }
    if (frame.n == 0 || peer->gone) {
        return;
    }
    if (!gp_net_is_proven(peer)) {
        take_answer(peer, frame);
        return;
    }
    peer->link.heard = true;
    peer->frames_in++;
    peer->used_ms = gp_net_now_ms();
    gp_net_deliver(net, &peer->id, peer->standing, frame);
}

/* One message, whole; false: there is none. */
static bool take(gp_net_peer_t *peer)
{
    zmq_msg_t part;
    unsigned count = 0;
    bool more = true;

    zmq_msg_init(&part);
    while (more && peer->link.socket != NULL &&
           zmq_msg_recv(&part, peer->link.socket, ZMQ_DONTWAIT) >= 0) {
        more = zmq_msg_more(&part) != 0;
        count++;
    }
    if (count > 0) {
        take_part(peer, &part, count);
    }
    zmq_msg_close(&part);
    return count > 0;
}

/* From the loop only: the owner is asked for the words. */
static void say_hello(gp_net_peer_t *peer)
{
    gp_net_link_t *link = &peer->link;

    if (!link->up || !link->hello_due) {
        return;
    }
    link->watch.wants_output = true; /* until it is out */
    if (gp_send_on(&link->watch, (gp_slice_t){0}, gp_visits_greeting(peer)) == GP_SENT) {
        link->hello_due = false;
    }
}

static bool drain(void *owner)
{
    gp_net_peer_t *peer = owner;
    bool more = true;

    for (int i = 0; i < GP_ZWATCH_BUDGET && more; i++) {
        more = take(peer);
    }
    say_hello(peer);
    gp_send_flush(peer);
    return more && peer->link.socket != NULL;
}

/* Who is cut at once, unheard, may be unwanted there: it comes again, but not in a circle. */
static void rest_if_refused(gp_net_peer_t *peer)
{
    uint64_t now_ms = gp_net_now_ms();

    if (!peer->link.heard && now_ms - peer->link.since_ms < BROKEN_MS) {
        peer->rest_ms = now_ms + BROKEN_MS;
    }
}

static void on_event(void *owner, uint16_t event, uint32_t value)
{
    gp_net_peer_t *peer = owner;
    gp_net_link_t *link = &peer->link;

    switch (event) {
    case ZMQ_EVENT_CONNECTED:
        gp_connection_quicken((int)value);
        return;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        link->up = true;
        link->broken = false;
        link->hello_due = true;
        link->since_ms = gp_net_now_ms();
        say_hello(peer);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        /* A farewell that came in before the end is read before the end is told. */
        for (int i = 0; i < FAREWELL_FRAMES && take(peer); i++) {
        }
        if (link->up) {
            rest_if_refused(peer);
            gp_link_close(peer, 0); /* with what was sent in vain */
            gp_link_tend(peer, gp_net_now_ms());
            break;
        }
        link->broken = true; /* unless it says at once that it will try again */
        link->since_ms = gp_net_now_ms();
        break;
    case ZMQ_EVENT_CONNECT_RETRIED:
        link->broken = false;
        break;
    default: /* the handshake failed, for good */
        link->broken = true;
        link->since_ms = gp_net_now_ms();
        break;
    }
    gp_net_refresh(peer);
    gp_send_flush(peer);
}

gp_error_t gp_link_open(gp_net_peer_t *peer)
{
    gp_net_t *net = peer->net;
    gp_net_link_t *link = &peer->link;
    gp_monitor_config_t config = {
        .hub = &net->hub,
        .context = net->context,
        .events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
                  ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
        .on_event = on_event,
        .owner = peer};

    assert(link->socket == NULL && !peer->gone);
    if (peer->address[0] == '\0' || net->link_count >= GP_NET_LINKS_MAX) {
        return GP_E_PEER_UNREACHABLE;
    }
    *link = (gp_net_link_t){.since_ms = gp_net_now_ms()};
    link->socket = gp_link_socket(net->context, net->curve, peer->key);
    if (link->socket == NULL) {
        return GP_E_TRANSPORT;
    }
    net->link_count++;
    config.monitored = link->socket;
    if (gp_monitor_open(&link->monitor, &config) != GP_OK ||
        gp_zwatch_open(&link->watch, &net->hub, link->socket, drain, peer) != GP_OK ||
        zmq_connect(link->socket, peer->address) != 0) {
        gp_link_close(peer, 0);
        return GP_E_TRANSPORT;
    }
    return GP_OK;
}

bool gp_link_rests(const gp_net_peer_t *peer)
{
    return gp_net_now_ms() < peer->rest_ms;
}

void gp_link_try(gp_net_peer_t *peer)
{
    if (!gp_link_rests(peer) && gp_link_open(peer) == GP_E_TRANSPORT) {
        gp_net_trouble(peer->net, GP_E_TRANSPORT, "a link could not be opened: it is tried again");
    }
}

void gp_link_close(gp_net_peer_t *peer, int linger_ms)
{
    gp_net_link_t *link = &peer->link;

    if (link->socket == NULL) {
        return;
    }
    gp_zwatch_close(&link->watch);
    gp_monitor_close(&link->monitor);
    gp_socket_close(link->socket, linger_ms);
    link->socket = NULL;
    link->up = false;
    assert(peer->net->link_count > 0);
    peer->net->link_count--;
    peer->net->changed = true;
    gp_net_later(peer->net);
}

gp_sent_t gp_link_send(gp_net_peer_t *peer, gp_slice_t frame)
{
    if (!peer->link.up) {
        return GP_SENT_NO_WAY;
    }
    if (peer->link.hello_due) {
        return GP_SENT_WAIT;
    }
    return gp_send_on(&peer->link.watch, (gp_slice_t){0}, frame);
}

/*
 * Both have connected at the same time, and one connection serves both ways: the one that the
 * machine with the lower id opened stays. Both ends see both of them, so they agree.
 */
static bool is_second(const gp_net_peer_t *peer)
{
    return peer->link.up && peer->connections > 0 && gp_id_compare(&peer->net->self, &peer->id) > 0;
}

void gp_link_tend(gp_net_peer_t *peer, uint64_t now_ms)
{
    gp_net_link_t *link = &peer->link;
    bool waits = gp_queue_count(&peer->queue) > 0;

    if (peer->gone) {
        return;
    }
    say_hello(peer);
    if (link->socket == NULL) {
        if ((peer->held || waits) && peer->connections == 0) {
            gp_link_try(peer);
        }
        return;
    }
    bool idle = now_ms - peer->used_ms >= peer->net->idle_ms &&
                now_ms - link->since_ms >= peer->net->idle_ms;
    if (!waits && (is_second(peer) || (!peer->held && idle))) {
        gp_link_close(peer, 100);
        return;
    }
    if (!link->up && now_ms - link->since_ms >= (link->broken ? BROKEN_MS : STALLED_MS)) {
        gp_link_close(peer, 0);
        gp_link_try(peer);
    }
}
