#include "overlay/net/net.h"

#include "overlay/net/clock.h"
#include "overlay/net/internal.h"
#include "overlay/net/probe.h"

#include <event2/event.h>
#include <stdlib.h>
#include <zmq.h>

#define IDLE_MS    30000
#define WAIT_MS    5000
#define TROUBLE_MS 1000

/* ---- calls back ------------------------------------------------------------------------------ */

void gp_net_trouble(gp_net_t *net, gp_error_t error, const char *text)
{
    uint64_t now = gp_net_now_ms();

    if (net->events.on_trouble == NULL ||
        (net->trouble_ms != 0 && now - net->trouble_ms < TROUBLE_MS)) {
        return;
    }
    net->trouble_ms = now;
    net->depth++;
    net->events.on_trouble(net->events.context, error, text);
    net->depth--;
}

void gp_net_deliver(gp_net_t *net, const gp_id_t *id, gp_standing_t standing, gp_slice_t frame)
{
    net->counters.frames_in++;
    net->counters.bytes_in += frame.n;
    net->depth++;
    net->events.on_frame(net->events.context, id, standing, frame);
    net->depth--;
}

void gp_net_refresh(gp_net_peer_t *peer)
{
    gp_net_t *net = peer->net;
    bool up = peer->link.up || peer->connections > 0;

    if (up == peer->up || peer->gone || net->closing) {
        return;
    }
    peer->up = up;
    if (peer->standing == GP_STANDING_MEMBER) {
        gp_id_t id = peer->id;
        net->depth++;
        net->events.on_link(net->events.context, &id, up);
        net->depth--;
    }
}

static void on_dialed(void *context, const gp_id_t *peer, uint64_t token, gp_dial_t result)
{
    gp_net_t *net = context;

    net->depth++;
    net->events.on_dialed(net->events.context, peer, token, result);
    net->depth--;
}

static void on_pause(void *context, bool scarce)
{
    gp_net_trouble(context, GP_E_TRANSPORT,
                   scarce ? "few file descriptors are left: new connections wait"
                          : "too many connections at once: new ones wait");
}

/* ---- at the loop's top ----------------------------------------------------------------------- */

void gp_net_later(gp_net_t *net)
{
    static const struct timeval at_once;

    if (!net->closing) {
        (void)event_add(net->later, &at_once);
    }
}

/* To say who they are, if anybody listens to that. */
static void let_strangers_in(gp_net_t *net)
{
    if (net->events.on_visit != NULL) {
        gp_zap_let_in(&net->zap, gp_net_now_ms());
    }
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
    gp_net_t *net = arg;

    (void)fd;
    (void)what;
    if (net->knocked) {
        net->knocked = false;
        if (net->events.on_knock != NULL) {
            net->depth++;
            net->events.on_knock(net->events.context);
            net->depth--;
        }
        let_strangers_in(net);
    }
    if (net->changed) {
        net->changed = false;
        /* A callback may change the table under this walk; it says so by `changed`. */
        for (uint32_t i = 0; i < net->peer_count; i++) {
            gp_net_refresh(net->by_id[i]);
        }
    }
    if (gp_send_loopback(net) || net->changed) {
        gp_net_later(net);
    }
    gp_peers_reap(net, gp_net_now_ms());
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    gp_net_t *net = arg;
    uint64_t now = gp_net_now_ms();

    (void)fd;
    (void)what;
    for (uint32_t i = 0; i < net->peer_count; i++) {
        gp_net_peer_t *peer = net->by_id[i];
        gp_send_expire(peer, now);
        gp_send_flush(peer);
        gp_link_tend(peer, now);
    }
    gp_inbox_tend(net);
    let_strangers_in(net);
    gp_visits_expire(net, now);
    gp_peers_reap(net, now);
}

static gp_error_t start_timers(gp_net_t *net)
{
    static const struct timeval tick = {.tv_usec = GP_NET_TICK_MS * 1000};

    net->later = evtimer_new(net->base, on_later, net);
    net->retry = evtimer_new(net->base, gp_send_on_retry, net);
    net->tick = event_new(net->base, -1, EV_PERSIST, on_tick, net);
    if (net->later == NULL || net->retry == NULL || net->tick == NULL ||
        event_add(net->tick, &tick) != 0) {
        return GP_E_MEMORY;
    }
    return GP_OK;
}

/* ---- life ------------------------------------------------------------------------------------ */

static bool known(void *context, const uint8_t key[32])
{
    const gp_net_peer_t *peer = gp_net_find_key(context, key);

    return peer != NULL && gp_net_is_proven(peer);
}

/* A new connection may have the descriptor of one that ended: hear of the end first. */
static void before_handshake(void *context)
{
    gp_net_t *net = context;

    if (net->inbox_monitor.pair != NULL) {
        gp_inbox_catch_up(net);
    }
}

static void held_back(void *context)
{
    gp_net_t *net = context;

    net->knocked = true;
    gp_net_later(net);
}

static gp_net_t *new_net(const gp_net_config_t *config)
{
    gp_net_t *net = calloc(1, sizeof *net);

    if (net == NULL) {
        return NULL;
    }
    net->base = config->base;
    net->events = config->events;
    net->idle_ms = config->idle_ms != 0 ? config->idle_ms : IDLE_MS;
    net->wait_ms = config->wait_ms != 0 ? config->wait_ms : WAIT_MS;
    net->visitor_idle_ms =
        config->visitor_idle_ms != 0 ? config->visitor_idle_ms : GP_NET_VISITOR_IDLE_MS;
    net->visitor_rest_ms =
        config->visitor_rest_ms != 0 ? config->visitor_rest_ms : GP_NET_VISITOR_REST_MS;
    net->self = gp_secret_id(config->secret);
    net->curve = gp_locked_new(sizeof *net->curve);
    if (net->curve != NULL) {
        gp_secret_curve(config->secret, net->curve->public_key, net->curve->secret_key);
    }
    net->door = (gp_door_t){.fd = -1, .on_pause = on_pause, .context = net};
    net->zap.known = known;
    net->zap.before = before_handshake;
    net->zap.holds = held_back;
    net->zap.context = net;
    net->dials.base = config->base;
    net->dials.on_result = on_dialed;
    net->dials.context = net;
    net->by_id = calloc(GP_NET_PEERS_MAX, sizeof(gp_net_peer_t *));
    net->by_key = calloc(GP_NET_PEERS_MAX, sizeof(gp_net_peer_t *));
    return net;
}

/*
 * The order matters: the address first, as the likeliest to fail; the ZAP handler before any CURVE
 * socket; the self-test before the door is open.
 */
static gp_error_t start(gp_net_t *net, const char *listen)
{
    gp_error_t error;

    if (net->by_id == NULL || net->by_key == NULL || net->curve == NULL) {
        return GP_E_MEMORY;
    }
    error = gp_door_listen(&net->door, listen);
    if (error == GP_OK) {
        error = gp_zhub_open(&net->hub, net->base);
    }
    if (error == GP_OK) {
        net->context = gp_context_new();
        error = net->context != NULL ? gp_zap_open(&net->zap, net->context) : GP_E_TRANSPORT;
    }
    if (error == GP_OK) {
        net->inbox = gp_inbox_socket(net->context, net->curve);
        error = net->inbox != NULL ? gp_probe(net->context, net->inbox, net->curve, &net->zap)
                                   : GP_E_TRANSPORT;
    }
    if (error == GP_OK) {
        error = start_timers(net);
    }
    if (error == GP_OK) {
        error = gp_zap_watch(&net->zap, &net->hub);
    }
    if (error == GP_OK) {
        error = gp_inbox_open(net);
    }
    if (error == GP_OK) {
        error = gp_door_open(&net->door, net->base, net->inbox);
    }
    return error;
}

gp_error_t gp_net_open(const gp_net_config_t *config, gp_net_t **ret_net)
{
    gp_net_t *net;
    gp_error_t error;

    assert(config->events.on_frame != NULL && config->events.on_link != NULL &&
           config->events.on_dialed != NULL);
    net = new_net(config);
    if (net == NULL) {
        return GP_E_MEMORY;
    }
    error = start(net, config->listen);
    if (error != GP_OK) {
        gp_net_close(net, 0);
        return error;
    }
    *ret_net = net;
    return GP_OK;
}

/* Hands what waits to ZeroMQ, as far as the peers take it in time. */
static void flush(gp_net_t *net, uint32_t flush_ms)
{
    uint64_t end = gp_net_now_ms() + flush_ms;

    while (net->queued_bytes > 0) {
        gp_zwatch_t *watches[GP_NET_LINKS_MAX + 1] = {&net->inbox_watch};
        unsigned count = 1;
        uint64_t now = gp_net_now_ms();
        for (uint32_t i = 0; i < net->peer_count; i++) {
            gp_net_peer_t *peer = net->by_id[i];
            gp_send_flush(peer);
            if (peer->link.up && gp_queue_count(&peer->queue) > 0) {
                watches[count++] = &peer->link.watch;
            }
        }
        if (now >= end || net->queued_bytes == 0) {
            return;
        }
        gp_zwatch_wait(watches, count, (unsigned)(end - now));
    }
}

/* Lets go of what the peers have; what was sent gets flush_ms to leave. */
static void close_peers(gp_net_t *net, int flush_ms)
{
    for (uint32_t i = 0; i < net->peer_count; i++) {
        gp_net_peer_t *peer = net->by_id[i];
        gp_link_close(peer, peer->link.up ? flush_ms : 0);
        peer->newest = -1; /* not cut: they end with the inbox, after what was sent */
        peer->connections = 0;
    }
    for (gp_net_peer_t *peer = net->gone; peer != NULL; peer = peer->next_gone) {
        peer->newest = -1;
        peer->connections = 0;
    }
    if (net->by_id != NULL) {
        gp_peers_close(net);
    }
}

static void free_event(struct event **event)
{
    if (*event != NULL) {
        event_free(*event);
        *event = NULL;
    }
}

void gp_net_close(gp_net_t *net, uint32_t flush_ms)
{
    int linger_ms = (int)(flush_ms - flush_ms / 2);

    if (net == NULL) {
        return;
    }
    assert(net->depth == 0 && flush_ms <= 60000);
    net->closing = true;
    gp_dials_close(&net->dials);
    free_event(&net->later);
    free_event(&net->tick);
    free_event(&net->retry);
    flush(net, flush_ms / 2);
    close_peers(net, linger_ms);
    if (net->inbox != NULL) {
        gp_inbox_close(net);
        gp_socket_close(net->inbox, linger_ms);
    }
    gp_zap_close(&net->zap);
    if (net->context != NULL) {
        (void)zmq_ctx_term(net->context);
    }
    gp_door_close(&net->door);
    gp_zhub_close(&net->hub);
    (void)gp_queue_clear(&net->loopback);
    free(net->by_id);
    free(net->by_key);
    gp_locked_free(net->curve);
    free(net);
}

/* ---- the rest -------------------------------------------------------------------------------- */

const char *gp_net_address(const gp_net_t *net)
{
    return net->door.address;
}

const gp_id_t *gp_net_self(const gp_net_t *net)
{
    return &net->self;
}

gp_error_t gp_net_dial(gp_net_t *net, const gp_id_t *id, uint64_t token)
{
    const gp_net_peer_t *peer = gp_net_find(net, id);
    const char *address = peer != NULL && peer->address[0] != '\0' ? peer->address : NULL;

    net->counters.dials++;
    return gp_dial(&net->dials, address, id, token) ? GP_OK : GP_E_BUSY;
}

void gp_net_count(const gp_net_t *net, gp_net_counters_t *ret_counters)
{
    gp_net_counters_t counters = net->counters;

    counters.keys_admitted = net->zap.admitted;
    counters.keys_refused = net->zap.refused;
    counters.accepted = net->door.accepted;
    counters.accept_pauses = net->door.pauses;
    counters.accept_failures = net->door.failures;
    counters.peers = net->peer_count;
    counters.strangers = net->zap.stranger_count;
    counters.links = net->link_count;
    counters.queued_bytes = net->queued_bytes;
    counters.queued = gp_queue_count(&net->loopback);
    for (uint32_t i = 0; i < net->peer_count; i++) {
        const gp_net_peer_t *peer = net->by_id[i];
        counters.peers_up += peer->link.up || peer->connections > 0;
        counters.visitors += gp_net_is_passing(peer);
        counters.connections += peer->connections;
        counters.queued += gp_queue_count(&peer->queue);
    }
    *ret_counters = counters;
}
