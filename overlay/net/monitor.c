#include "overlay/net/monitor.h"

#include "overlay/net/options.h"

#include <stdio.h>
#include <zmq.h>

#define EVENT_BYTES 6 /* number:2 value:4, in the machine's own order */

/* Takes one event; false: there is none. */
static bool take(void *pair, uint16_t *ret_event, uint32_t *ret_value)
{
    uint8_t head[EVENT_BYTES] = {0};
    zmq_msg_t address;
    int n = zmq_recv(pair, head, sizeof head, ZMQ_DONTWAIT);

    if (n < 0) {
        return false;
    }
    assert(n == EVENT_BYTES);
    zmq_msg_init(&address); /* the endpoint: it names an address, not who is there */
    if (zmq_msg_recv(&address, pair, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&address);
        return false;
    }
    zmq_msg_close(&address);
    memcpy(ret_event, head, sizeof *ret_event);
    memcpy(ret_value, head + sizeof *ret_event, sizeof *ret_value);
    return true;
}

bool gp_monitor_drain(gp_monitor_t *monitor)
{
    uint16_t event;
    uint32_t value;

    for (int i = 0; i < GP_ZWATCH_BUDGET; i++) {
        if (monitor->pair == NULL || !take(monitor->pair, &event, &value)) {
            return false;
        }
        if (event != ZMQ_EVENT_MONITOR_STOPPED) {
            monitor->on_event(monitor->owner, event, value);
        }
    }
    return monitor->pair != NULL;
}

static bool drain(void *owner)
{
    return gp_monitor_drain(owner);
}

gp_error_t gp_monitor_open(gp_monitor_t *monitor, const gp_monitor_config_t *config)
{
    char endpoint[64];

    assert(config->on_event != NULL && config->monitored != NULL);
    *monitor = (gp_monitor_t){
        .monitored = config->monitored, .on_event = config->on_event, .owner = config->owner};
    /* A number, not the socket's address: that may come again before its old name is free. */
    (void)snprintf(endpoint, sizeof endpoint, "inproc://monitor-%u",
                   config->hub != NULL ? ++config->hub->monitors : 0);
    if (zmq_socket_monitor(config->monitored, endpoint, config->events) != 0) {
        return GP_E_TRANSPORT;
    }
    monitor->pair = gp_monitor_socket(config->context);
    if (monitor->pair == NULL || zmq_connect(monitor->pair, endpoint) != 0) {
        gp_monitor_close(monitor);
        return GP_E_TRANSPORT;
    }
    if (config->hub != NULL &&
        gp_zwatch_open(&monitor->watch, config->hub, monitor->pair, drain, monitor) != GP_OK) {
        gp_monitor_close(monitor);
        return GP_E_TRANSPORT;
    }
    return GP_OK;
}

void gp_monitor_close(gp_monitor_t *monitor)
{
    uint16_t event;
    uint32_t value;

    if (monitor->monitored == NULL) {
        return;
    }
    gp_zwatch_close(&monitor->watch);
    (void)zmq_socket_monitor(monitor->monitored, NULL, 0);
    if (monitor->pair != NULL) {
        while (take(monitor->pair, &event, &value)) {
            /* what is left, up to and with STOPPED */
        }
        gp_socket_close(monitor->pair, 0);
    }
    monitor->pair = NULL;
    monitor->monitored = NULL;
}
