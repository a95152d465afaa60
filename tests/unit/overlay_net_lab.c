#include "tests/unit/overlay_net_lab.h"

#include "overlay/net/options.h"
#include "proto/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

uint64_t lab_now_us(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

int lab_setup(void **state)
{
    static const struct timeval beat = {.tv_usec = 5000};
    lab_t *lab = calloc(1, sizeof *lab);

    if (lab == NULL || gp_keys_init() != GP_OK) {
        return -1;
    }
    lab->base = event_base_new();
    lab->beat = event_new(lab->base, -1, EV_PERSIST, on_beat, NULL);
    *state = lab;
    return event_add(lab->beat, &beat);
}

int lab_teardown(void **state)
{
    lab_t *lab = *state;

    for (int i = 0; i < LAB_NODES; i++) {
        lab_stop(&lab->nodes[i], 0);
    }
    event_free(lab->beat);
    event_base_free(lab->base);
    free(lab);
    return 0;
}

gp_slice_t lab_greeting(const gp_id_t *id, bool asks, const char *address)
{
    static uint8_t bytes[2 + sizeof(gp_id_t) + GP_ADDRESS_MAX];
    size_t n = strlen(address);

    assert_true(n <= GP_ADDRESS_MAX);
    bytes[0] = 'V';
    bytes[1] = asks;
    memcpy(bytes + 2, id->b, sizeof id->b);
    memcpy(bytes + 2 + sizeof id->b, address, n);
    return gp_slice(bytes, 2 + sizeof id->b + n);
}

static void on_frame(void *context, const gp_id_t *peer, gp_standing_t standing, gp_slice_t frame)
{
    lab_node_t *node = context;

    if (node->open && frame.p[0] == 'V') { /* one that is known shows itself all the same */
        if (frame.p[1] != 0) {
            gp_slice_t answer = lab_greeting(&node->id, false, gp_net_address(node->net));
            assert_int_equal(gp_net_send(node->net, peer, answer, GP_CLASS_CONTROL), GP_OK);
        }
        return;
    }
    node->frames++;
    node->guest_frames += standing == GP_STANDING_GUEST;
    node->visitor_frames += standing == GP_STANDING_VISITOR;
    node->bytes += frame.n;
    node->last_peer = *peer;
    memcpy(node->last, frame.p, frame.n);
    node->last_n = frame.n;
    if (node->on_frame != NULL) {
        node->on_frame(node, peer, frame);
    }
}

static gp_slice_t on_greet(void *context, const gp_id_t *peer, bool asks)
{
    lab_node_t *node = context;

    (void)peer;
    node->greetings++;
    return lab_greeting(&node->id, asks, gp_net_address(node->net));
}

static bool on_visit(void *context, gp_slice_t frame, gp_net_visit_t *ret_visit)
{
    lab_node_t *node = context;
    const size_t head = 2 + sizeof(gp_id_t);

    node->visits++;
    if (frame.n < head || frame.n > head + GP_ADDRESS_MAX || frame.p[0] != 'V') {
        return false;
    }
    ret_visit->asks = frame.p[1] != 0;
    ret_visit->valid_ms = node->valid_ms != 0 ? node->valid_ms : 3600000;
    memcpy(ret_visit->id.b, frame.p + 2, sizeof ret_visit->id.b);
    memcpy(ret_visit->address, frame.p + head, frame.n - head);
    return true;
}

static void on_link(void *context, const gp_id_t *peer, bool up)
{
    lab_node_t *node = context;

    if (up) {
        node->ups++;
    } else {
        node->downs++;
        node->down_us = lab_now_us();
    }
    if (node->on_link != NULL) {
        node->on_link(node, peer, up);
    }
}

static void on_knock(void *context)
{
    lab_node_t *node = context;

    node->knocks++;
}

static void on_dialed(void *context, const gp_id_t *peer, uint64_t token, gp_dial_t result)
{
    lab_node_t *node = context;

    (void)peer;
    node->dials++;
    node->dialed = result;
    node->dial_token = token;
}

static void on_trouble(void *context, gp_error_t error, const char *text)
{
    lab_node_t *node = context;

    (void)error;
    (void)text;
    node->troubles++;
}

gp_secret_t *lab_secret(uint8_t seed)
{
    uint8_t bytes[32];
    gp_secret_t *secret = NULL;

    memset(bytes, seed, sizeof bytes);
    assert_int_equal(gp_secret_from_seed(bytes, &secret), GP_OK);
    return secret;
}

lab_node_t *lab_start(lab_t *lab, int i, const char *listen)
{
    lab_node_t *node = &lab->nodes[i];
    gp_net_config_t config = {.base = lab->base,
                              .listen = listen,
                              .idle_ms = node->idle_ms,
                              .wait_ms = node->wait_ms,
                              .visitor_idle_ms = node->visitor_idle_ms,
                              .visitor_rest_ms = node->visitor_rest_ms,
                              .events = {.context = node,
                                         .on_frame = on_frame,
                                         .on_link = on_link,
                                         .on_dialed = on_dialed,
                                         .on_knock = on_knock,
                                         .on_trouble = on_trouble}};

    assert_null(node->net);
    if (node->open) {
        config.events.on_visit = on_visit;
        config.events.on_greet = on_greet;
    }
    *node = (lab_node_t){.lab = lab,
                         .idle_ms = node->idle_ms,
                         .wait_ms = node->wait_ms,
                         .visitor_idle_ms = node->visitor_idle_ms,
                         .visitor_rest_ms = node->visitor_rest_ms,
                         .open = node->open,
                         .valid_ms = node->valid_ms,
                         .secret = lab_secret((uint8_t)(i + 1))};
    node->id = gp_secret_id(node->secret);
    config.secret = node->secret;
    assert_int_equal(gp_net_open(&config, &node->net), GP_OK);
    return node;
}

void lab_stop(lab_node_t *node, uint32_t flush_ms)
{
    gp_net_close(node->net, flush_ms);
    gp_secret_free(node->secret);
    node->net = NULL;
    node->secret = NULL;
}

void lab_introduce(lab_node_t *a, lab_node_t *b, bool both)
{
    assert_int_equal(gp_net_admit(b->net, &a->id, both ? gp_net_address(a->net) : NULL), GP_OK);
    assert_int_equal(gp_net_admit(a->net, &b->id, gp_net_address(b->net)), GP_OK);
}

void lab_send(lab_node_t *from, const lab_node_t *to, const char *text)
{
    assert_int_equal(gp_net_send(from->net, &to->id, gp_text(text), GP_CLASS_CONTROL), GP_OK);
}

gp_net_counters_t lab_count(const lab_node_t *node)
{
    gp_net_counters_t counters;

    gp_net_count(node->net, &counters);
    return counters;
}

lab_raw_t lab_raw_open(uint8_t seed, const lab_node_t *to, const char *routing_id)
{
    lab_raw_t raw = {.context = gp_context_new(), .secret = lab_secret(seed)};
    gp_curve_t curve;
    uint8_t server_key[32];

    raw.id = gp_secret_id(raw.secret);
    gp_secret_curve(raw.secret, curve.public_key, curve.secret_key);
    assert_int_equal(gp_id_curve(&to->id, server_key), GP_OK);
    raw.socket = gp_link_socket(raw.context, &curve, server_key);
    assert_non_null(raw.socket);
    if (routing_id != NULL) {
        assert_int_equal(zmq_setsockopt(raw.socket, ZMQ_ROUTING_ID, routing_id, strlen(routing_id)),
                         0);
    }
    assert_int_equal(zmq_connect(raw.socket, gp_net_address(to->net)), 0);
    return raw;
}

void lab_raw_close(lab_raw_t *raw)
{
    gp_socket_close(raw->socket, 0);
    assert_int_equal(zmq_ctx_term(raw->context), 0);
    gp_secret_free(raw->secret);
}

bool lab_raw_sent(lab_raw_t *raw, const void *bytes, size_t n)
{
    return zmq_send(raw->socket, bytes, n, ZMQ_DONTWAIT) == (int)n;
}

int lab_raw_received(lab_raw_t *raw)
{
    uint8_t bytes[256];

    return zmq_recv(raw->socket, bytes, sizeof bytes, ZMQ_DONTWAIT);
}

uint16_t lab_port(const char *address)
{
    return (uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10);
}

int lab_connect(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

void lab_turn(lab_t *lab)
{
    assert_true(event_base_loop(lab->base, EVLOOP_ONCE) >= 0);
}

void lab_run(lab_t *lab, uint32_t ms)
{
    uint64_t end_us = lab_now_us() + ms * UINT64_C(1000);

    while (lab_now_us() < end_us) {
        lab_turn(lab);
    }
}

long lab_status(const char *name)
{
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "re");

    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtol(line + strlen(name), NULL, 10);
        }
    }
    (void)fclose(file);
    return value;
}

/* ---- children -------------------------------------------------------------------------------- */

pid_t lab_spawn(const char *const *arguments)
{
    char *argv[16] = {(char *)"child"};
    size_t n = 1;
    pid_t pid = -1;

    for (; arguments[n - 1] != NULL; n++) {
        assert_true(n < sizeof argv / sizeof argv[0] - 1);
        argv[n] = (char *)(uintptr_t)arguments[n - 1];
    }
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
    return pid;
}

bool lab_ended(pid_t child, int *ret_status)
{
    return waitpid(child, ret_status, WNOHANG) == child;
}

pid_t lab_spawn_node(const lab_node_t *parent, uint8_t seed, const char *listen)
{
    char id[GP_ID_TEXT];
    char number[8];
    const char *const arguments[] = {"node", number, listen, id, gp_net_address(parent->net), NULL};
    gp_secret_t *secret = lab_secret(seed);
    gp_id_t child = gp_secret_id(secret);

    gp_secret_free(secret);
    gp_id_text(&parent->id, id);
    (void)snprintf(number, sizeof number, "%u", seed);
    assert_int_equal(gp_net_admit(parent->net, &child, NULL), GP_OK);
    return lab_spawn(arguments);
}

static bool told_to_close;

static void child_on_frame(lab_node_t *node, const gp_id_t *peer, gp_slice_t frame)
{
    if (gp_slice_equal(frame, gp_text("close"))) {
        told_to_close = true;
    } else {
        (void)!gp_net_send(node->net, peer, frame, GP_CLASS_CONTROL);
    }
}

void lab_play_child(int argc, char **argv)
{
    lab_t *lab;
    void *state;
    lab_node_t *node;
    gp_id_t parent;

    if (argc < 6 || strcmp(argv[1], "node") != 0) {
        return;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (lab_setup(&state) != 0 || gp_id_parse(argv[4], &parent) != GP_OK) {
        exit(2);
    }
    lab = state;
    node = lab_start(lab, (int)strtol(argv[2], NULL, 10) - 1, argv[3]);
    node->on_frame = child_on_frame;
    if (gp_net_admit(node->net, &parent, argv[5]) != GP_OK ||
        gp_net_link(node->net, &parent, true) != GP_OK ||
        gp_net_send(node->net, &parent, gp_text(gp_net_address(node->net)), GP_CLASS_CONTROL) !=
            GP_OK) {
        exit(3);
    }
    while (!told_to_close) {
        lab_turn(lab);
    }
    for (int i = 0; i < 100; i++) {
        (void)!gp_net_send(node->net, &parent, gp_text("bye"), GP_CLASS_CONTROL);
    }
    lab_stop(node, 1000);
    exit(0);
}
