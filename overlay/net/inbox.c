/*
 * The inbox: a ROUTER, bound. Who sends is the key that the handshake proved (ZAP's User-Id),
 * looked up in the table of the admitted for every single frame: a key that is forgotten has no
 * next frame.
 *
 * A stranger has one frame to say who it is. If it does, it is a visitor; if not, or if it says
 * nothing in time, its connection is cut, and what else comes from it is dropped unread.
 *
 * The way back to a peer is the routing id that the ROUTER itself gave to the connection. A peer
 * that brings a routing id of its own is not one of ours, and could take over another's way back:
 * its frames are dropped.
 *
 * An outgoing link (link.c) says hello with an empty frame: so the machine at this end knows whose
 * connection it is, by its descriptor, and hears of its end from the monitor.
 */
#include "overlay/net/clock.h"
#include "overlay/net/internal.h"

#include "proto/text.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <zmq.h>

#define OWN_ROUTE_BYTES 5 /* zero, and a number */
#define FAREWELL_FRAMES 256

/* ---- connections ----------------------------------------------------------------------------- */

static gp_net_connection_t *connection_at(gp_net_t *net, int fd)
{
    return fd >= 0 && fd < net->connection_count ? &net->connections[fd] : NULL;
}

static bool grow(gp_net_t *net, int fd)
{
    int count = fd + 32;
    gp_net_connection_t *more;

    if (fd < net->connection_count) {
        return true;
    }
    more = realloc(net->connections, (size_t)count * sizeof *more);
    if (more == NULL) {
        return false;
    }
    memset(more + net->connection_count, 0, (size_t)(count - net->connection_count) * sizeof *more);
    net->connections = more;
    net->connection_count = count;
    return true;
}

static void detach(gp_net_t *net, int fd)
{
    gp_net_connection_t *connection = connection_at(net, fd);
    gp_net_peer_t *peer = connection->peer;
    int *at;

    if (peer == NULL) {
        return;
    }
    at = &peer->newest;
    while (*at != fd) {
        assert(*at >= 0);
        at = &net->connections[*at].older;
    }
    *at = connection->older;
    connection->peer = NULL;
    connection->route_n = 0;
    assert(peer->connections > 0);
    peer->connections--;
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;

    if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) {
        return 0;
    }
    return cookie;
}

/* The descriptor is ZeroMQ's and may be closed and used again by now: the cookie tells. */
static void cut(gp_net_t *net, int fd)
{
    const gp_net_connection_t *connection = connection_at(net, fd);

    if (connection->open && connection->cookie != 0 && cookie_of(fd) == connection->cookie) {
        (void)shutdown(fd, SHUT_RDWR);
    }
}

void gp_inbox_cut(gp_net_peer_t *peer)
{
    gp_net_t *net = peer->net;

    while (peer->newest >= 0) {
        int fd = peer->newest;
        cut(net, fd);
        detach(net, fd);
    }
    assert(peer->connections == 0);
}

/* One machine needs one connection; a few while it restarts. An invitation is for many machines. */
static void cut_surplus(gp_net_peer_t *peer)
{
    gp_net_t *net = peer->net;
    int fd = peer->newest;

    if (peer->connections <=
        (peer->standing == GP_STANDING_GUEST ? GP_NET_GUESTS_MAX : GP_NET_CONNECTIONS_MAX)) {
        return;
    }
    while (net->connections[fd].older >= 0) {
        fd = net->connections[fd].older;
    }
    cut(net, fd);
    detach(net, fd);
}

/* Before anything else goes out over it: so there is room. */
static void greet_back(gp_net_peer_t *peer, gp_slice_t route)
{
    (void)gp_send_on(&peer->net->inbox_watch, route, gp_visits_greeting(peer));
}

/* The first frame of a connection. asks: the peer wants to hear who this is. */
static void attach(gp_net_peer_t *peer, int fd, gp_slice_t route, bool asks)
{
    gp_net_t *net = peer->net;
    gp_net_connection_t *connection;

    /*
     * The frame may be older than the end of its connection, and its descriptor may be another's by
     * now. All ends up to this moment are known to the monitor; a later one will be told.
     */
    gp_inbox_catch_up(net);
    connection = connection_at(net, fd);
    if (connection == NULL || !connection->open || peer->gone) {
        return;
    }
    detach(net, fd);
    connection->peer = peer;
    connection->serial = ++net->serial;
    connection->older = peer->newest;
    connection->route_n = (uint8_t)route.n;
    memcpy(connection->route, route.p, route.n);
    peer->newest = fd;
    peer->connections++;
    cut_surplus(peer);
    if (asks) {
        greet_back(peer, route);
    }
    gp_net_refresh(peer);
    gp_send_flush(peer);
}

static bool take(gp_net_t *net);

/* A farewell that came in before the end of its connection is read before that end is told. */
static void read_up(gp_net_t *net)
{
    for (int i = 0; i < FAREWELL_FRAMES && !net->taking; i++) {
        if (!take(net)) {
            return;
        }
    }
}

static void ended(gp_net_t *net, int fd)
{
    gp_net_peer_t *peer;

    if (connection_at(net, fd) == NULL) {
        return;
    }
    if (net->connections[fd].peer != NULL) {
        read_up(net);
    }
    peer = net->connections[fd].peer; /* a callback may have cut it */
    detach(net, fd);
    net->connections[fd].open = false;
    if (peer != NULL) {
        gp_net_refresh(peer);
    }
}

static void on_event(void *owner, uint16_t event, uint32_t value)
{
    gp_net_t *net = owner;
    int fd = (int)value;

    switch (event) {
    case ZMQ_EVENT_ACCEPTED:
        gp_door_accepted(&net->door, fd);
        if (grow(net, fd)) {
            detach(net, fd);
            net->connections[fd] = (gp_net_connection_t){
                .cookie = cookie_of(fd), .older = -1, .open = true, .since_ms = gp_net_now_ms()};
        }
        break;
    case ZMQ_EVENT_ACCEPT_FAILED:
        gp_door_failed(&net->door);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        ended(net, fd);
        break;
    default:
        break;
    }
}

void gp_inbox_catch_up(gp_net_t *net)
{
    while (gp_monitor_drain(&net->inbox_monitor)) {
        /* until there are no more events */
    }
}

/* ---- frames in ------------------------------------------------------------------------------- */

/* The key that sent this part, as the handshake proved; false: none did. */
static bool key_of(zmq_msg_t *part, gp_id_t *ret_key)
{
    const char *text = zmq_msg_gets(part, "User-Id");

    return text != NULL && gp_id_parse(text, ret_key) == GP_OK;
}

static bool is_own_route(gp_slice_t route)
{
    return route.n == OWN_ROUTE_BYTES && route.p[0] == 0;
}

/* The ROUTER never gives a routing id twice, so it names a connection even after its end. */
static uint64_t way_of(const uint8_t *route)
{
    return UINT64_C(1) << 32 | (uint64_t)route[1] << 24 | (uint64_t)route[2] << 16 |
           (uint64_t)route[3] << 8 | route[4];
}

/* May a frame like this be looked at? */
static bool is_well_formed(gp_net_t *net, gp_slice_t route, gp_slice_t frame)
{
    bool own = is_own_route(route);

    if (!own || frame.n > GP_MESSAGE_MAX) {
        net->counters.dropped[own ? GP_DROP_FORM : GP_DROP_ROUTE]++;
        return false;
    }
    return true;
}

static void take_stranger(gp_net_t *net, const uint8_t key[32], int fd, gp_slice_t route,
                          gp_slice_t frame)
{
    gp_net_peer_t *peer = NULL;
    bool asks = false;

    /* As attach: of a connection that ended nothing is heard, and the refused one is this. */
    gp_inbox_catch_up(net);
    if (connection_at(net, fd) == NULL || !net->connections[fd].open ||
        net->connections[fd].refused) {
        net->counters.dropped[GP_DROP_STRANGER]++;
        return;
    }
    gp_zap_spoke(&net->zap, key);
    if (is_well_formed(net, route, frame)) {
        peer = gp_visits_take(net, key, frame, &asks);
    }
    if (peer != NULL) {
        attach(peer, fd, route, asks);
        return;
    }
    net->connections[fd].refused = true;
    net->counters.visits_refused++;
    cut(net, fd);
}

static void take_frame(gp_net_t *net, zmq_msg_t *route_part, zmq_msg_t *part)
{
    gp_slice_t route = gp_slice(zmq_msg_data(route_part), zmq_msg_size(route_part));
    gp_slice_t frame = gp_slice(zmq_msg_data(part), zmq_msg_size(part));
    int fd = zmq_msg_get(part, ZMQ_SRCFD);
    gp_net_peer_t *peer;
    gp_id_t key;

    static_assert(OWN_ROUTE_BYTES <= GP_ROUTE_MAX, "a routing id fits");
    if (!key_of(part, &key)) {
        net->counters.dropped[GP_DROP_STRANGER]++;
        return;
    }
    peer = gp_net_find_key(net, key.b);
    if (peer == NULL || !gp_net_is_proven(peer)) {
        take_stranger(net, key.b, fd, route, frame);
        return;
    }
    if (!is_well_formed(net, route, frame)) {
        return;
    }
    const gp_net_connection_t *connection = connection_at(net, fd);
    if (connection == NULL || connection->peer != peer ||
        memcmp(connection->route, route.p, OWN_ROUTE_BYTES) != 0) {
        attach(peer, fd, route, false);
    }
    if (frame.n > 0 && !peer->gone) {
        peer->frames_in++;
        peer->used_ms = gp_net_now_ms();
        net->way = way_of(route.p);
        gp_net_deliver(net, &peer->id, peer->standing, frame);
        net->way = 0;
    }
}

/* One message, whole; false: there is none. */
static bool take(gp_net_t *net)
{
    zmq_msg_t parts[2];
    unsigned count = 0;
    bool more = true;

    zmq_msg_init(&parts[0]);
    zmq_msg_init(&parts[1]);
    while (more) {
        zmq_msg_t *part = &parts[count == 0 ? 0 : 1]; /* of too many parts, the last stays */
        if (zmq_msg_recv(part, net->inbox, ZMQ_DONTWAIT) < 0) {
            break;
        }
        more = zmq_msg_more(part) != 0;
        count++;
    }
    if (count == 2 && !more) {
        net->taking = true;
        take_frame(net, &parts[0], &parts[1]);
        net->taking = false;
    } else if (count > 0) {
        net->counters.dropped[GP_DROP_FORM]++;
    }
    zmq_msg_close(&parts[0]);
    zmq_msg_close(&parts[1]);
    return count > 0;
}

static bool drain(void *owner)
{
    gp_net_t *net = owner;

    for (int i = 0; i < GP_ZWATCH_BUDGET; i++) {
        if (!take(net)) {
            gp_send_flush_inbox(net);
            return false;
        }
    }
    gp_send_flush_inbox(net);
    return true;
}

void gp_inbox_tend(gp_net_t *net)
{
    gp_inbox_catch_up(net);
    uint64_t now_ms = gp_net_now_ms(); /* of those that are new now, too */
    for (int fd = 0; fd < net->connection_count; fd++) {
        const gp_net_connection_t *connection = &net->connections[fd];
        if (connection->open && connection->peer == NULL &&
            now_ms - connection->since_ms >= GP_NET_HANDSHAKE_MS + GP_NET_GREETING_MS) {
            cut(net, fd);
        }
    }
}

/* ---- frames out ------------------------------------------------------------------------------ */

gp_sent_t gp_inbox_send(gp_net_peer_t *peer, gp_slice_t frame)
{
    gp_net_t *net = peer->net;

    while (peer->newest >= 0) {
        int fd = peer->newest;
        const gp_net_connection_t *connection = &net->connections[fd];
        gp_sent_t sent =
            gp_send_on(&net->inbox_watch, gp_slice(connection->route, connection->route_n), frame);
        if (sent == GP_SENT_WAIT) {
            gp_send_retry(net);
        }
        if (sent != GP_SENT_NO_WAY) {
            return sent;
        }
        detach(net, fd); /* its end is on the way to us */
        net->changed = true;
        gp_net_later(net);
    }
    return GP_SENT_NO_WAY;
}

uint64_t gp_net_way(const gp_net_t *net)
{
    return net->way;
}

gp_error_t gp_net_answer(gp_net_t *net, const gp_id_t *key, uint64_t way, gp_slice_t frame)
{
    uint8_t route[OWN_ROUTE_BYTES] = {0, (uint8_t)(way >> 24), (uint8_t)(way >> 16),
                                      (uint8_t)(way >> 8), (uint8_t)way};

    if (way == 0 || gp_net_find(net, key) == NULL) {
        return GP_E_PEER_UNREACHABLE;
    }
    gp_sent_t sent = gp_send_on(&net->inbox_watch, gp_slice(route, sizeof route), frame);
    return sent == GP_SENT ? GP_OK : GP_E_PEER_UNREACHABLE;
}

/* ---- life ------------------------------------------------------------------------------------ */

gp_error_t gp_inbox_open(gp_net_t *net)
{
    gp_monitor_config_t config = {.hub = &net->hub,
                                  .context = net->context,
                                  .monitored = net->inbox,
                                  .events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED |
                                            ZMQ_EVENT_DISCONNECTED,
                                  .on_event = on_event,
                                  .owner = net};
    gp_error_t error = gp_monitor_open(&net->inbox_monitor, &config);

    if (error != GP_OK) {
        return error;
    }
    return gp_zwatch_open(&net->inbox_watch, &net->hub, net->inbox, drain, net);
}

void gp_inbox_close(gp_net_t *net)
{
    gp_zwatch_close(&net->inbox_watch);
    gp_monitor_close(&net->inbox_monitor);
    free(net->connections);
    net->connections = NULL;
    net->connection_count = 0;
}
