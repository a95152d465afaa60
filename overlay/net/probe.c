#include "overlay/net/probe.h"

#include "overlay/net/monitor.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

typedef struct probe {
    bool in;
    bool refused;
} probe_t;

static void on_event(void *owner, uint16_t event, uint32_t value)
{
    probe_t *probe = owner;

    (void)value;
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        probe->in = true;
    } else {
        probe->refused = true;
    }
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Answers the handler's requests and waits for the verdict. */
static void wait_for_verdict(gp_zap_t *zap, gp_monitor_t *monitor, const probe_t *probe)
{
    int64_t end = now_ms() + GP_PROBE_MS;

    while (!probe->in && !probe->refused) {
        zmq_pollitem_t items[] = {{monitor->pair, 0, ZMQ_POLLIN, 0},
                                  {zap->socket, 0, ZMQ_POLLIN, 0}};
        int64_t left = end - now_ms();
        if (left <= 0 || zmq_poll(items, 2, (long)left) < 0) {
            return;
        }
        (void)gp_zap_drain(zap);
        (void)gp_monitor_drain(monitor);
    }
}

/* Binds the inbox to an address that only this moment knows. */
static bool bind_hidden(void *inbox, char *endpoint, size_t size)
{
    uint8_t salt[32];
    char public_key[41];
    char secret_key[41];

    /* A fresh key is the randomness that is at hand. */
    if (zmq_curve_keypair(public_key, secret_key) != 0 ||
        zmq_z85_decode(salt, public_key) == NULL) {
        return false;
    }
    (void)snprintf(endpoint, size, "ipc://@gridpeer-%d-%02x%02x%02x%02x%02x%02x%02x%02x",
                   (int)getpid(), salt[0], salt[1], salt[2], salt[3], salt[4], salt[5], salt[6],
                   salt[7]);
    return zmq_bind(inbox, endpoint) == 0;
}

static gp_error_t knock(void *context, const char *endpoint, void *stranger, gp_zap_t *zap)
{
    probe_t probe = {0};
    gp_monitor_t monitor;
    gp_monitor_config_t config = {
        .context = context,
        .monitored = stranger,
        .events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                  ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL,
        .on_event = on_event,
        .owner = &probe};
    gp_error_t error = gp_monitor_open(&monitor, &config);

    if (error == GP_OK && zmq_connect(stranger, endpoint) == 0) {
        wait_for_verdict(zap, &monitor, &probe);
    }
    gp_monitor_close(&monitor);
    if (error != GP_OK) {
        return error;
    }
    if (probe.in) {
        return GP_E_TRANSPORT_OPEN;
    }
    return probe.refused && zap->probed ? GP_OK : GP_E_TRANSPORT;
}

gp_error_t gp_probe(void *context, void *inbox, const gp_curve_t *self, gp_zap_t *zap)
{
    char endpoint[96];
    char public_key[41];
    char secret_key[41];
    gp_curve_t key;
    void *stranger;
    gp_error_t error = GP_E_TRANSPORT;

    if (zmq_curve_keypair(public_key, secret_key) != 0 ||
        zmq_z85_decode(key.public_key, public_key) == NULL ||
        zmq_z85_decode(key.secret_key, secret_key) == NULL ||
        !bind_hidden(inbox, endpoint, sizeof endpoint)) {
        return GP_E_TRANSPORT;
    }
    memcpy(zap->probe, key.public_key, sizeof zap->probe);
    stranger = gp_link_socket(context, &key, self->public_key);
    if (stranger != NULL) {
        error = knock(context, endpoint, stranger, zap);
        gp_socket_close(stranger, 0);
    }
    if (zmq_unbind(inbox, endpoint) != 0 && error == GP_OK) {
        error = GP_E_TRANSPORT;
    }
    return error;
}
