/* Monitors come and go while the I/O thread writes to them: the context stays alive. */
#include "overlay/net/monitor.h"

#include "overlay/net/options.h"
#include "tests/unit/overlay_net_lab.h"

#include <stdio.h>
#include <zmq.h>

typedef struct scene {
    gp_zhub_t hub;
    void *context;
    void *server;
    char address[64];
} scene_t;

typedef struct watched {
    void *socket;
    gp_monitor_t monitor;
    uint32_t events;
    bool close_inside;
} watched_t;

static scene_t scene;

static int set_up(void **state)
{
    size_t size = sizeof scene.address;
    int rc = lab_setup(state);
    lab_t *lab = *state;

    if (rc != 0 || gp_zhub_open(&scene.hub, lab->base) != GP_OK) {
        return -1;
    }
    scene.context = gp_context_new();
    scene.server = zmq_socket(scene.context, ZMQ_DEALER);
    rc = zmq_bind(scene.server, "tcp://127.0.0.1:*");
    return rc | zmq_getsockopt(scene.server, ZMQ_LAST_ENDPOINT, scene.address, &size);
}

static int tear_down(void **state)
{
    gp_zhub_close(&scene.hub);
    gp_socket_close(scene.server, 0);
    /* a monitor closed in the wrong order would hang here for ever */
    if (zmq_ctx_term(scene.context) != 0) {
        return -1;
    }
    return lab_teardown(state);
}

static void on_event(void *owner, uint16_t event, uint32_t value)
{
    watched_t *watched = owner;

    (void)event;
    (void)value;
    watched->events++;
    if (watched->close_inside) {
        gp_monitor_close(&watched->monitor);
    }
}

static void watch(watched_t *watched)
{
    gp_monitor_config_t config = {.hub = &scene.hub,
                                  .context = scene.context,
                                  .events = ZMQ_EVENT_ALL & ~ZMQ_EVENT_MONITOR_STOPPED,
                                  .on_event = on_event,
                                  .owner = watched};

    watched->socket = zmq_socket(scene.context, ZMQ_DEALER);
    assert_non_null(watched->socket);
    config.monitored = watched->socket;
    assert_int_equal(gp_monitor_open(&watched->monitor, &config), GP_OK);
    assert_int_equal(zmq_connect(watched->socket, scene.address), 0);
}

static void unwatch(watched_t *watched)
{
    gp_monitor_close(&watched->monitor);
    gp_monitor_close(&watched->monitor); /* again: fine */
    gp_socket_close(watched->socket, 0);
}

/* The context still carries messages over TCP. */
static void context_lives(lab_t *lab)
{
    watched_t watched = {0};
    char byte;

    watch(&watched);
    assert_int_equal(zmq_send(watched.socket, "x", 1, 0), 1);
    LAB_UNTIL(lab, 2000, zmq_recv(scene.server, &byte, 1, ZMQ_DONTWAIT) == 1);
    LAB_UNTIL(lab, 2000, watched.events >= 2);
    unwatch(&watched);
}

static void closing_with_events_unread_blocks_nothing(void **state)
{
    lab_t *lab = *state;
    watched_t watched[20] = {0};

    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 20; i++) {
            watch(&watched[i]);
        }
        /* odd rounds: some events are read; even ones: all are on their way */
        if (round % 2 != 0) {
            lab_turn(lab);
        }
        for (int i = 0; i < 20; i++) {
            unwatch(&watched[i]);
        }
    }
    context_lives(lab);
}

/* Thousands of events, and a loop that is busy elsewhere: the I/O thread does not wait for it. */
static void a_slow_reader_does_not_stop_the_io_thread(void **state)
{
    lab_t *lab = *state;
    watched_t watched = {0};
    char byte;
    watched_t other = {0};

    watch(&watched);
    for (int i = 0; i < 3000; i++) { /* each: a connect, and a disconnect */
        assert_int_equal(zmq_connect(watched.socket, scene.address), 0);
        assert_int_equal(zmq_disconnect(watched.socket, scene.address), 0);
    }
    watch(&other);
    assert_int_equal(zmq_send(other.socket, "x", 1, 0), 1);
    for (int i = 0; zmq_recv(scene.server, &byte, 1, ZMQ_DONTWAIT) != 1; i++) {
        zmq_pollitem_t item = {scene.server, 0, ZMQ_POLLIN, 0};
        assert_true(i < 100);
        (void)zmq_poll(&item, 1, 100);
    }
    LAB_UNTIL(lab, 3000, watched.events > 3000);
    unwatch(&watched);
    unwatch(&other);
    context_lives(lab);
}

static void a_monitor_may_be_closed_by_its_own_event(void **state)
{
    lab_t *lab = *state;
    watched_t watched = {.close_inside = true};

    watch(&watched);
    LAB_UNTIL(lab, 2000, watched.events == 1);
    lab_run(lab, 20);
    assert_int_equal(watched.events, 1);
    unwatch(&watched);
    context_lives(lab);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(closing_with_events_unread_blocks_nothing),
        TEST(a_slow_reader_does_not_stop_the_io_thread),
        TEST(a_monitor_may_be_closed_by_its_own_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
