/*
 * A machine of a grid that no group knows, for visit.sh: it makes itself a certificate with the
 * grid's root key, contacts an agent and asks it for its mandate.
 *
 * visitor ROOT_KEY GROUP ID ADDRESS LIMIT_MS KIND
 *
 * KIND: valid, expired, or foreign (of a grid of its own). Exit code 0: the agent has shown its own
 * certificate and answered; 1: it has not, within the limit. 2: wrong use.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent/node/visit.h"
#include "proto/text.h"

#define DAY_MS UINT64_C(86400000)

typedef struct visitor {
    struct event_base *base;
    gp_identity_t identity;
    gp_gate_t gate;
    gp_gate_sender_t senders[GP_GATE_SENDERS];
    gp_visit_gate_t strangers;
    gp_net_t *net;
    gp_id_t server;
    uint64_t group;
    bool asked;
    bool answered;
} visitor_t;

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static gp_usec_t now_us(void)
{
    return clock_ms(CLOCK_BOOTTIME) * GP_MSEC;
}

static gp_slice_t sealed(visitor_t *visitor, const gp_msg_t *msg)
{
    static uint8_t frame[GP_MESSAGE_MAX];
    size_t n = 0;
    gp_error_t error =
        gp_gate_seal(&visitor->gate, &visitor->server, msg, clock_ms(CLOCK_REALTIME), frame, &n);
    assert(error == GP_OK);
    return gp_slice(frame, n);
}

static void on_frame(void *context, const gp_id_t *peer, gp_standing_t standing, gp_slice_t frame)
{
    static gp_msg_t msg;
    visitor_t *visitor = context;
    (void)standing;
    if (gp_gate_take(&visitor->gate, peer, frame, now_us(), clock_ms(CLOCK_REALTIME), &msg) !=
        GP_OK) {
        return;
    }
    if (msg.kind == GP_MSG_PROBE_ACK) {
        fprintf(stderr, "an unsigned frame of a visitor was answered\n");
        exit(3);
    }
    visitor->answered = visitor->answered || msg.kind == GP_MSG_MANDATE;
}

static bool on_visit(void *context, gp_slice_t frame, gp_net_visit_t *ret_visit)
{
    visitor_t *visitor = context;
    return gp_visit_check(&visitor->strangers, frame, now_us(), clock_ms(CLOCK_REALTIME),
                          ret_visit) == GP_OK;
}

static gp_slice_t on_greet(void *context, const gp_id_t *peer, bool asks)
{
    static gp_msg_t msg;
    visitor_t *visitor = context;
    (void)peer;
    gp_visit_write(&visitor->identity, gp_net_address(visitor->net), asks, &msg);
    return sealed(visitor, &msg);
}

static void on_link(void *context, const gp_id_t *peer, bool up)
{
    (void)context;
    (void)peer;
    (void)up;
}

static void on_dialed(void *context, const gp_id_t *peer, uint64_t token, gp_dial_t result)
{
    (void)context;
    (void)peer;
    (void)token;
    (void)result;
}

static void on_beat(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    (void)context;
}

static bool read_root(const char *path, gp_secret_t **ret_root)
{
    uint8_t seed[32];
    FILE *file = fopen(path, "re");
    bool whole = file != NULL && fread(seed, sizeof seed, 1, file) == 1;
    if (file != NULL) {
        fclose(file);
    }
    return whole && gp_secret_from_seed(seed, ret_root) == GP_OK;
}

/* In a region that the agent is not in. */
static bool certify(visitor_t *visitor, const gp_secret_t *root, bool expired)
{
    gp_identity_t *identity = &visitor->identity;
    gp_wall_ms_t now = clock_ms(CLOCK_REALTIME);
    size_t n = 0;
    if (gp_secret_new(&identity->node) != GP_OK) {
        return false;
    }
    identity->id = gp_secret_id(identity->node);
    identity->root_id = gp_secret_id(root);
    identity->grid = gp_grid_id_of(&identity->root_id);
    gp_cert_t cert = {.grid = identity->grid,
                      .node = identity->id,
                      .roles = GP_ROLE_MEMBER,
                      .not_before_ms = now - 2 * DAY_MS,
                      .not_after_ms = expired ? now - DAY_MS : now + DAY_MS,
                      .serial = 1,
                      .name = "visitor",
                      .region = "elsewhere"};
    gp_error_t error = gp_cert_issue(&cert, root, (gp_slice_t){0}, identity->cert_bytes, &n);
    identity->cert_n = (uint32_t)n;
    return error == GP_OK;
}

static bool start(visitor_t *visitor, const char *address)
{
    static const struct timeval period = {.tv_usec = 20000};
    gp_gate_config_t gate = {.grid = visitor->identity.grid,
                             .self = visitor->identity.id,
                             .boot = 1,
                             .sealer = {&gp_signer_ed25519, visitor->identity.node}};
    gp_gate_init(&visitor->gate, &gate, visitor->senders);
    gp_visit_open(&visitor->identity, &visitor->strangers);
    visitor->base = event_base_new();
    struct event *beat = event_new(visitor->base, -1, EV_PERSIST, on_beat, NULL);
    gp_net_config_t config = {.base = visitor->base,
                              .secret = visitor->identity.node,
                              .listen = "tcp://127.0.0.1:0",
                              .events = {.context = visitor,
                                         .on_frame = on_frame,
                                         .on_visit = on_visit,
                                         .on_greet = on_greet,
                                         .on_link = on_link,
                                         .on_dialed = on_dialed}};
    return event_add(beat, &period) == 0 && gp_net_open(&config, &visitor->net) == GP_OK &&
           gp_net_contact(visitor->net, &visitor->server, address) == GP_OK &&
           gp_net_link(visitor->net, &visitor->server, true) == GP_OK;
}

/* First what is between members only, then what anybody may ask. */
static void ask(visitor_t *visitor)
{
    static gp_msg_t msg;
    msg = (gp_msg_t){.kind = GP_MSG_PROBE, .u.probe = {.group = visitor->group, .sequence = 1}};
    gp_error_t error =
        gp_net_send(visitor->net, &visitor->server, sealed(visitor, &msg), GP_CLASS_CONTROL);
    msg = (gp_msg_t){.kind = GP_MSG_MANDATE_ASK, .u.mandate_ask.group = visitor->group};
    if (error == GP_OK) {
        error =
            gp_net_send(visitor->net, &visitor->server, sealed(visitor, &msg), GP_CLASS_CONTROL);
    }
    visitor->asked = error == GP_OK;
}

int main(int argc, char **argv)
{
    static visitor_t visitor;
    gp_secret_t *root = NULL;
    bool foreign = argc == 7 && strcmp(argv[6], "foreign") == 0;
    if (argc != 7 || gp_keys_init() != GP_OK || gp_id_parse(argv[3], &visitor.server) != GP_OK ||
        gp_group_parse(argv[2], &visitor.group) != GP_OK ||
        !(foreign ? gp_secret_new(&root) == GP_OK : read_root(argv[1], &root)) ||
        !certify(&visitor, root, strcmp(argv[6], "expired") == 0)) {
        fprintf(stderr, "usage: visitor ROOT_KEY GROUP ID ADDRESS LIMIT_MS KIND\n");
        return 2;
    }
    if (!start(&visitor, argv[4])) {
        fprintf(stderr, "cannot start\n");
        return 2;
    }
    uint64_t end_ms = clock_ms(CLOCK_MONOTONIC) + strtoull(argv[5], NULL, 10);
    while (!visitor.answered && clock_ms(CLOCK_MONOTONIC) < end_ms) {
        event_base_loop(visitor.base, EVLOOP_ONCE);
        if (!visitor.asked &&
            gp_net_standing(visitor.net, &visitor.server) == GP_STANDING_VISITOR) {
            ask(&visitor);
        }
    }
    return visitor.answered ? 0 : 1;
}
