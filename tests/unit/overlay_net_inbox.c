/* What strangers throw at the port: the inbox stays as it was and its members are served. */
#include "overlay/net/options.h"
#include "tests/unit/overlay_net_lab.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#define GREETING  64 /* bytes of a ZMTP 3 greeting */
#define SIGNATURE 10

/* Two members that talk, and the first one's port. */
typedef struct scene {
    lab_t *lab;
    lab_node_t *a;
    lab_node_t *b;
    uint16_t port;
} scene_t;

static scene_t set_up(lab_t *lab)
{
    scene_t scene = {.lab = lab};

    scene.a = lab_start(lab, 0, LAB_LOCAL);
    scene.b = lab_start(lab, 1, LAB_LOCAL);
    scene.port = lab_port(gp_net_address(scene.a->net));
    lab_introduce(scene.b, scene.a, false);
    assert_int_equal(gp_net_link(scene.b->net, &scene.a->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, scene.a->ups == 1);
    return scene;
}

/* The members are still connected and frames get through; nobody else's did. */
static void all_is_well(scene_t *scene)
{
    uint32_t frames = scene->a->frames;

    lab_send(scene->b, scene->a, "still here");
    LAB_UNTIL(scene->lab, 2000, scene->a->frames == frames + 1);
    assert_memory_equal(scene->a->last, "still here", 10);
    assert_int_equal(scene->a->downs + scene->b->downs, 0);
    assert_int_equal(scene->a->ups, 1);
}

/* Reads while the loop runs, until the other side closes; bytes read, or -1 after limit_ms. */
static long read_to_end(lab_t *lab, int fd, uint32_t limit_ms, uint8_t *bytes, size_t size)
{
    uint64_t end_us = lab_now_us() + limit_ms * UINT64_C(1000);
    size_t n = 0;

    while (lab_now_us() < end_us) {
        ssize_t got = recv(fd, bytes + n, size - n, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            return (long)n;
        }
        n += got > 0 ? (size_t)got : 0;
        assert_true(n < size);
        lab_turn(lab);
    }
    return -1;
}

static void fill_greeting(uint8_t greeting[GREETING], const char *mechanism)
{
    memset(greeting, 0, GREETING);
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    memcpy(greeting + 12, mechanism, strlen(mechanism));
}

/* Port scanners and dials cost a stranger's kernel and ours a moment, and this process nothing. */
static void who_says_nothing_hears_nothing(void **state)
{
    scene_t scene = set_up(*state);
    gp_net_counters_t before;
    gp_net_counters_t after;
    uint8_t bytes[256];
    int fd = lab_connect(scene.port);

    gp_net_count(scene.a->net, &before);
    assert_int_equal(read_to_end(scene.lab, fd, 500, bytes, sizeof bytes), -1);
    assert_int_equal(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT), -1);
    gp_net_count(scene.a->net, &after);
    assert_int_equal(after.accepted, before.accepted);
    (void)close(fd);
    all_is_well(&scene);
}

static void garbage_hears_a_signature_at_most(void **state)
{
    scene_t scene = set_up(*state);
    static uint8_t garbage[1 << 20];
    uint8_t bytes[256];
    uint32_t random = 1;

    for (size_t i = 0; i < sizeof garbage; i++) {
        random = random * 1664525 + 1013904223;
        garbage[i] = (uint8_t)(random >> 24);
    }
    for (size_t n = 1; n <= sizeof garbage; n *= 4) {
        int fd = lab_connect(scene.port);
        long heard;
        (void)send(fd, garbage + n % 7, n - n % 7, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)shutdown(fd, SHUT_WR);
        heard = read_to_end(scene.lab, fd, 3000, bytes, sizeof bytes);
        assert_in_range(heard, 0, GREETING);
        (void)close(fd);
    }
    all_is_well(&scene);
}

/* A frame header, before any handshake, that promises 8 GiB; and 2^63 - 1 bytes. */
static void a_promise_of_gigabytes_reserves_nothing(void **state)
{
    scene_t scene = set_up(*state);
    static const uint64_t promises[] = {UINT64_C(8) << 30, INT64_MAX, UINT64_MAX, 1 << 30};
    long before_kb = lab_status("VmSize:");
    uint8_t bytes[512];

    for (int i = 0; i < 32; i++) {
        uint8_t hello[GREETING + 9];
        uint64_t promise = promises[i % 4];
        int fd = lab_connect(scene.port);
        fill_greeting(hello, "CURVE");
        hello[GREETING] = i % 8 < 4 ? 0x06 : 0x02; /* long; a command or a message */
        for (int k = 0; k < 8; k++) {
            hello[GREETING + 1 + k] = (uint8_t)(promise >> (56 - 8 * k));
        }
        assert_int_equal(send(fd, hello, sizeof hello, MSG_NOSIGNAL), (long)sizeof hello);
        assert_in_range(read_to_end(scene.lab, fd, 3000, bytes, sizeof bytes), 0, GREETING);
        (void)close(fd);
    }
    assert_true(lab_status("VmSize:") - before_kb < 4096);
    all_is_well(&scene);
}

/* Greets, and then says no more: closed after the handshake's time, with its descriptor. */
static void half_a_handshake_ends(void **state)
{
    scene_t scene = set_up(*state);
    uint8_t hello[GREETING];
    uint8_t bytes[512];
    int fd[20];

    fill_greeting(hello, "CURVE");
    for (int i = 0; i < 20; i++) {
        fd[i] = lab_connect(scene.port);
        assert_int_equal(send(fd[i], hello, sizeof hello, MSG_NOSIGNAL), GREETING);
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(
            read_to_end(scene.lab, fd[i], GP_NET_HANDSHAKE_MS + 1000, bytes, sizeof bytes),
            GREETING);
        (void)close(fd[i]);
    }
    all_is_well(&scene);
}

static void no_other_mechanism_gets_in(void **state)
{
    scene_t scene = set_up(*state);
    void *context = gp_context_new();
    void *null = zmq_socket(context, ZMQ_DEALER);
    void *plain = zmq_socket(context, ZMQ_DEALER);
    uint32_t frames = scene.a->frames;
    gp_net_counters_t counters;

    assert_int_equal(zmq_setsockopt(plain, ZMQ_PLAIN_USERNAME, "root", 4), 0);
    assert_int_equal(zmq_setsockopt(plain, ZMQ_PLAIN_PASSWORD, "root", 4), 0);
    assert_int_equal(zmq_connect(null, gp_net_address(scene.a->net)), 0);
    assert_int_equal(zmq_connect(plain, gp_net_address(scene.a->net)), 0);
    assert_int_equal(zmq_send(null, "null", 4, ZMQ_DONTWAIT), 4);
    assert_int_equal(zmq_send(plain, "plain", 5, ZMQ_DONTWAIT), 5);
    lab_run(scene.lab, 500);
    assert_int_equal(scene.a->frames, frames);
    gp_net_count(scene.a->net, &counters);
    assert_int_equal(counters.keys_admitted, 1); /* b */
    assert_int_equal(counters.keys_refused, 0);  /* they did not come so far */
    gp_socket_close(null, 0);
    gp_socket_close(plain, 0);
    assert_int_equal(zmq_ctx_term(context), 0);
    all_is_well(&scene);
}

/* Connects and breaks off at once, hard: what libzmq asserts on must not be within reach. */
static void breaking_off_hard_breaks_nothing(void **state)
{
    scene_t scene = set_up(*state);
    static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    uint8_t hello[GREETING];

    fill_greeting(hello, "CURVE");
    for (int i = 0; i < 300; i++) {
        int fd = lab_connect(scene.port);
        assert_int_equal(send(fd, hello, (size_t)(1 + i % GREETING), MSG_NOSIGNAL),
                         1 + i % GREETING);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
        (void)close(fd);
        if (i % 8 == 0) {
            lab_turn(scene.lab);
        }
    }
    all_is_well(&scene);
}

static void two_hundred_at_once_do_not_keep_a_member_out(void **state)
{
    scene_t scene = set_up(*state);
    uint8_t hello[GREETING];
    int fd[200];
    lab_node_t *c = lab_start(scene.lab, 2, LAB_LOCAL);
    gp_net_counters_t counters;

    fill_greeting(hello, "CURVE");
    for (int i = 0; i < 200; i++) { /* all wait in the backlog: the loop does not run */
        fd[i] = lab_connect(scene.port);
        assert_int_equal(send(fd[i], hello, sizeof hello, MSG_NOSIGNAL), GREETING);
    }
    lab_introduce(c, scene.a, false);
    lab_send(c, scene.a, "me too");
    LAB_UNTIL(scene.lab, 1500, scene.a->frames == 1);
    gp_net_count(scene.a->net, &counters);
    assert_true(counters.accepted >= 200);
    for (int i = 0; i < 200; i++) {
        (void)close(fd[i]);
    }
    scene.a->ups--; /* c's */
    all_is_well(&scene);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_says_nothing_hears_nothing),
        TEST(garbage_hears_a_signature_at_most),
        TEST(a_promise_of_gigabytes_reserves_nothing),
        TEST(half_a_handshake_ends),
        TEST(no_other_mechanism_gets_in),
        TEST(breaking_off_hard_breaks_nothing),
        TEST(two_hundred_at_once_do_not_keep_a_member_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
