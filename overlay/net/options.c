#include "overlay/net/options.h"

#include "proto/limits.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

/* A ZMTP CURVE message carries this much beside the frame; see gp_inbox_socket. */
#define CURVE_OVERHEAD 64

/* Frames inside ZeroMQ for one connection and direction; what is more waits in a queue of ours. */
#define PIPE_FRAMES 32

#define CONTEXT_FDS       24 /* descriptors of a context with its first sockets */
#define BACKLOG           1024
#define CONNECT_MS        1000
#define RECONNECT_MS      50
#define RECONNECT_MAX_MS  500
#define UNACKNOWLEDGED_MS 5000

/*
 * Not in the shipped zmq.h, where it counts as a draft; the library knows it all the same. Without
 * it, a CURVE server whose ZAP handler is missing lets every key in ("Stonehouse" mode).
 */
#define ENFORCE_ZAP_DOMAIN 93

/*
 * TCP_RTO_MAX_MS of Linux 6.15; Debian 12's headers are older. 1 s is the least that it takes.
 * Measured, one round trip a second with 30 % of all packets lost: the slowest of 1,000 takes 5 s
 * instead of 34. TCP_THIN_LINEAR_TIMEOUTS changes nothing there, as lost answers stretch the
 * estimate of the round trip.
 */
#define RTO_MAX_OPTION 44
#define RTO_MAX_MS     1000

typedef struct option {
    int name;
    int value;
} option_t;

/* Of all sockets that use the network. */
static const option_t network_options[] = {
    {ZMQ_LINGER, 0},
    {ZMQ_IPV6, 1},
    {ZMQ_BACKLOG, BACKLOG},
    {ZMQ_SNDHWM, PIPE_FRAMES},
    {ZMQ_RCVHWM, PIPE_FRAMES},
    {ZMQ_SNDTIMEO, 0},
    {ZMQ_RCVTIMEO, 0},
    {ZMQ_HANDSHAKE_IVL, GP_NET_HANDSHAKE_MS},
    {ZMQ_CONNECT_TIMEOUT, CONNECT_MS},
    {ZMQ_RECONNECT_IVL, RECONNECT_MS},
    {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS},
    /*
     * Not 1, although then nothing queues for a dead link: it also makes libzmq 4.3.4 throw away
     * what came in before the link's end and is not read yet. link.c sends only while the link is
     * up and opens a new socket after its end, which has the same effect.
     */
    {ZMQ_IMMEDIATE, 0},
    /* Beats are the groups' business; these would only wake idle machines. */
    {ZMQ_HEARTBEAT_IVL, 0},
    {ZMQ_HEARTBEAT_TIMEOUT, 0},
    {ZMQ_HEARTBEAT_TTL, 0},
    {ZMQ_TCP_KEEPALIVE, 0},
    /* After a partition TCP would wait twice as long each time; a fresh connection is quicker. */
    {ZMQ_TCP_MAXRT, UNACKNOWLEDGED_MS},
    {ZMQ_SNDBUF, -1},
    {ZMQ_RCVBUF, -1},
    {ZMQ_TOS, 0},
};

/* Of those that talk to our own threads only. */
static const option_t local_options[] = {
    {ZMQ_LINGER, 0}, {ZMQ_SNDHWM, 0}, {ZMQ_RCVHWM, 0}, {ZMQ_SNDTIMEO, 0}, {ZMQ_RCVTIMEO, 0},
};

static bool set(void *socket, const option_t *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (zmq_setsockopt(socket, options[i].name, &options[i].value, sizeof options[i].value)) {
            return false;
        }
    }
    return true;
}

static bool set_network(void *socket)
{
    int64_t size_max = GP_MESSAGE_MAX + CURVE_OVERHEAD;

    return set(socket, network_options, sizeof network_options / sizeof network_options[0]) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &size_max, sizeof size_max) == 0;
}

static void *closed(void *socket)
{
    if (socket != NULL) {
        gp_socket_close(socket, 0);
    }
    return NULL;
}

/* libzmq aborts the process when it starts its threads without descriptors for them. */
static bool has_descriptors(void)
{
    int fds[CONTEXT_FDS];
    int count = 0;
    bool enough;

    while (count < CONTEXT_FDS && (fds[count] = eventfd(0, EFD_CLOEXEC)) >= 0) {
        count++;
    }
    enough = count == CONTEXT_FDS;
    while (count > 0) {
        (void)close(fds[--count]);
    }
    return enough;
}

void *gp_context_new(void)
{
    void *context = has_descriptors() ? zmq_ctx_new() : NULL;

    if (context == NULL) {
        return NULL;
    }
    if (zmq_ctx_set(context, ZMQ_IO_THREADS, 1) != 0 ||
        zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 3 * GP_NET_LINKS_MAX + 16) != 0 ||
        zmq_ctx_set(context, ZMQ_IPV6, 1) != 0 || zmq_ctx_set(context, ZMQ_BLOCKY, 0) != 0) {
        zmq_ctx_term(context);
        return NULL;
    }
    return context;
}

void *gp_inbox_socket(void *context, const gp_curve_t *self)
{
    static const option_t options[] = {
        {ENFORCE_ZAP_DOMAIN, 1},
        {ZMQ_CURVE_SERVER, 1},
        {ZMQ_ROUTER_MANDATORY, 1},
        /* Routes are named by us, not by the peer (inbox.c), so no newcomer ever needs the name of
         * an older connection, and nobody can take one over. */
        {ZMQ_ROUTER_HANDOVER, 0},
        {ZMQ_PROBE_ROUTER, 0},
    };
    void *socket = zmq_socket(context, ZMQ_ROUTER);

    if (socket != NULL && set(socket, options, sizeof options / sizeof options[0]) &&
        set_network(socket) &&
        zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, GP_NET_ZAP_DOMAIN, strlen(GP_NET_ZAP_DOMAIN)) == 0 &&
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, self->secret_key, 32) == 0) {
        return socket;
    }
    return closed(socket);
}

void *gp_link_socket(void *context, const gp_curve_t *self, const uint8_t server_key[32])
{
    static const option_t options[] = {{ZMQ_PROBE_ROUTER, 0}};
    void *socket = zmq_socket(context, ZMQ_DEALER);

    if (socket != NULL && set_network(socket) &&
        set(socket, options, sizeof options / sizeof options[0]) &&
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key, 32) == 0 &&
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, self->public_key, 32) == 0 &&
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, self->secret_key, 32) == 0) {
        return socket;
    }
    return closed(socket);
}

static void *local_socket(void *context, int type)
{
    void *socket = zmq_socket(context, type);

    if (socket != NULL && set(socket, local_options, sizeof local_options / sizeof(option_t))) {
        return socket;
    }
    return closed(socket);
}

void *gp_zap_socket(void *context)
{
    static const option_t options[] = {{ZMQ_ROUTER_MANDATORY, 1}};
    void *socket = local_socket(context, ZMQ_ROUTER);

    if (socket != NULL && set(socket, options, sizeof options / sizeof options[0]) &&
        zmq_bind(socket, GP_NET_ZAP_ENDPOINT) == 0) {
        return socket;
    }
    return closed(socket);
}

void *gp_monitor_socket(void *context)
{
    return local_socket(context, ZMQ_PAIR);
}

void gp_connection_quicken(int fd)
{
    static const int most_ms = RTO_MAX_MS;

    (void)setsockopt(fd, IPPROTO_TCP, RTO_MAX_OPTION, &most_ms, sizeof most_ms);
}

void gp_socket_close(void *socket, int linger_ms)
{
    int rc;

    assert(socket != NULL && linger_ms >= 0);
    (void)zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    rc = zmq_close(socket);
    assert(rc == 0);
}
