/* The edge of ZMQ_FD, and that nothing gets stuck on it. */
#include "overlay/net/zwatch.h"

#include "tests/unit/overlay_net_lab.h"

#include <poll.h>
#include <string.h>
#include <zmq.h>

typedef struct end end_t;
struct end {
    void *socket;
    gp_zwatch_t watch;
    uint32_t received;
    uint32_t runs;
    void (*on_message)(end_t *end); /* may be NULL */
    end_t *other;
    uint32_t to_send;
};

typedef struct wires {
    void *context;
    gp_zhub_t hub;
    end_t ends[4]; /* two pairs: 0-1, 2-3 */
} wires_t;

static wires_t wires;

static bool drain(void *owner)
{
    end_t *end = owner;
    char byte;

    end->runs++;
    for (int i = 0; i < GP_ZWATCH_BUDGET; i++) {
        if (end->watch.socket == NULL || zmq_recv(end->socket, &byte, 1, ZMQ_DONTWAIT) < 0) {
            return false;
        }
        end->received++;
        if (end->on_message != NULL) {
            end->on_message(end);
        }
    }
    return true;
}

static int set_up(void **state)
{
    lab_t *lab;
    static const int no_limit;
    int rc = lab_setup(state);

    lab = *state;
    memset(&wires, 0, sizeof wires);
    wires.context = zmq_ctx_new();
    if (rc != 0 || gp_zhub_open(&wires.hub, lab->base) != GP_OK) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        end_t *end = &wires.ends[i];
        end->socket = zmq_socket(wires.context, ZMQ_PAIR);
        end->other = &wires.ends[i ^ 1];
        (void)zmq_setsockopt(end->socket, ZMQ_SNDHWM, &no_limit, sizeof no_limit);
        (void)zmq_setsockopt(end->socket, ZMQ_RCVHWM, &no_limit, sizeof no_limit);
        if (i % 2 == 0) {
            rc |= zmq_bind(end->socket, i == 0 ? "inproc://one" : "inproc://two");
        } else {
            rc |= zmq_connect(end->socket, i == 1 ? "inproc://one" : "inproc://two");
        }
        rc |= gp_zwatch_open(&end->watch, &wires.hub, end->socket, drain, end) != GP_OK;
    }
    return rc;
}

static int tear_down(void **state)
{
    static const int at_once;

    for (int i = 0; i < 4; i++) {
        gp_zwatch_close(&wires.ends[i].watch);
        (void)zmq_setsockopt(wires.ends[i].socket, ZMQ_LINGER, &at_once, sizeof at_once);
        (void)zmq_close(wires.ends[i].socket);
    }
    gp_zhub_close(&wires.hub);
    (void)zmq_ctx_term(wires.context);
    return lab_teardown(state);
}

static void post(end_t *from)
{
    assert_int_equal(zmq_send(from->socket, "x", 1, ZMQ_DONTWAIT), 1);
    gp_zwatch_touched(&from->watch);
}

static bool is_readable(void *socket)
{
    int fd = -1;
    size_t size = sizeof fd;
    struct pollfd item = {.events = POLLIN};

    assert_int_equal(zmq_getsockopt(socket, ZMQ_FD, &fd, &size), 0);
    item.fd = fd;
    return poll(&item, 1, 0) == 1;
}

/* The premise of zwatch.c: should a later libzmq change it, we want to know. */
static void a_send_eats_the_word_of_a_waiting_message(void **state)
{
    int events = 0;
    size_t size = sizeof events;
    end_t *a = &wires.ends[0];

    (void)state;
    assert_int_equal(zmq_send(a->other->socket, "x", 1, 0), 1);
    assert_true(is_readable(a->socket));
    assert_int_equal(zmq_getsockopt(a->socket, ZMQ_EVENTS, &events, &size), 0);
    assert_false(is_readable(a->socket));
    assert_true((events & ZMQ_POLLIN) != 0); /* it still waits */
}

static void a_message_that_waits_while_we_send_is_not_forgotten(void **state)
{
    lab_t *lab = *state;
    end_t *a = &wires.ends[0];

    for (int i = 0; i < 100; i++) {
        assert_int_equal(zmq_send(a->other->socket, "x", 1, 0), 1); /* comes in for a ... */
        post(a); /* ... which sends, outside its drain */
    }
    LAB_UNTIL(lab, 1000, a->received == 100);
    gp_zwatch_touched(&a->other->watch);
    LAB_UNTIL(lab, 1000, a->other->received == 100);
}

static void bounce(end_t *end)
{
    /* more comes in while this one is handled, and both ends send from inside their drains */
    if (end->to_send > 0) {
        end->to_send--;
        post(end);
        post(end->other);
    }
}

static void sends_inside_callbacks_lose_nothing(void **state)
{
    lab_t *lab = *state;
    end_t *a = &wires.ends[0];
    end_t *b = a->other;

    a->on_message = bounce;
    b->on_message = bounce;
    a->to_send = b->to_send = 500;
    post(a);
    /* each of 1000 bounces sends one message each way, and there was one before */
    LAB_UNTIL(lab, 3000, a->received + b->received == 2001);
    assert_int_equal(wires.hub.pending, 0);
}

static void a_flood_does_not_starve_the_others(void **state)
{
    lab_t *lab = *state;
    end_t *flooded = &wires.ends[0];
    end_t *quiet = &wires.ends[2];

    for (int i = 0; i < 10000; i++) {
        assert_int_equal(zmq_send(flooded->other->socket, "x", 1, 0), 1);
    }
    gp_zwatch_touched(&flooded->watch);
    assert_int_equal(zmq_send(quiet->other->socket, "x", 1, 0), 1);
    LAB_UNTIL(lab, 1000, quiet->received == 1);
    assert_true(flooded->received <= 4 * GP_ZWATCH_BUDGET);
    LAB_UNTIL(lab, 3000, flooded->received == 10000);
    assert_true(flooded->runs >= 10000 / GP_ZWATCH_BUDGET);
}

static void close_all(end_t *end)
{
    (void)end;
    for (int i = 0; i < 4; i++) {
        gp_zwatch_close(&wires.ends[i].watch);
    }
}

static void a_drain_may_close_its_own_watch_and_others(void **state)
{
    lab_t *lab = *state;
    uint32_t received;

    wires.ends[0].on_message = close_all;
    wires.ends[2].on_message = close_all;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(zmq_send(wires.ends[1].socket, "x", 1, 0), 1);
        assert_int_equal(zmq_send(wires.ends[3].socket, "x", 1, 0), 1);
    }
    gp_zwatch_touched(&wires.ends[0].watch);
    gp_zwatch_touched(&wires.ends[2].watch);
    LAB_UNTIL(lab, 1000, wires.ends[0].received + wires.ends[2].received > 0);
    received = wires.ends[0].received + wires.ends[2].received;
    assert_int_equal(received, 1);
    lab_run(lab, 20);
    assert_int_equal(wires.ends[0].received + wires.ends[2].received, received);
    assert_int_equal(wires.hub.pending, 0);
    gp_zwatch_touched(&wires.ends[0].watch); /* closed: nothing happens */
    assert_int_equal(wires.hub.pending, 0);
}

/* An idle transport sleeps: no watch is run without a reason. */
static void idle_sockets_are_left_alone(void **state)
{
    lab_t *lab = *state;
    uint32_t runs = 0;

    lab_run(lab, 20);
    for (int i = 0; i < 4; i++) {
        runs += wires.ends[i].runs;
        wires.ends[i].runs = 0;
    }
    assert_true(runs <= 8);
    lab_run(lab, 100);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(wires.ends[i].runs, 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_send_eats_the_word_of_a_waiting_message),
        TEST(a_message_that_waits_while_we_send_is_not_forgotten),
        TEST(sends_inside_callbacks_lose_nothing),
        TEST(a_flood_does_not_starve_the_others),
        TEST(a_drain_may_close_its_own_watch_and_others),
        TEST(idle_sockets_are_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
