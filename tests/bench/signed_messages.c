/*
 * Signed messages a second, as one JSON document: how many one processor signs, how many it takes
 * apart, verifies and reads, and how many get from one process to another (signed there, sent over
 * CURVE, verified and read here, each at most once). The message is a FIND, as a member asks its
 * super-peer. No verdict: figures of a shared machine are for comparing, not for passing.
 *
 *   bench_signed [MESSAGES]     (default 20000)
 */
#include "overlay/net/net.h"
#include "proto/envelope.h"

#include <event2/event.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX    512
#define WINDOW       128 /* messages on their way */
#define ACK_EVERY    16
#define MESSAGES_MAX 10000000

static struct event_base *base;
static gp_net_t *here;
static gp_replay_t replay;
static uint32_t taken;        /* here: messages that came and held */
static uint32_t acknowledged; /* by the other process */
static bool up;

static double now_s(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static gp_secret_t *secret_of(uint8_t number)
{
    uint8_t seed[32] = {2, number};
    gp_secret_t *secret = NULL;

    if (gp_secret_from_seed(seed, &secret) != GP_OK) {
        abort();
    }
    return secret;
}

static gp_id_t id_of(uint8_t number)
{
    gp_secret_t *secret = secret_of(number);
    gp_id_t id = gp_secret_id(secret);

    gp_secret_free(secret);
    return id;
}

/* Signs the question of that number; the bytes of the frame, the same for all. */
static size_t sign(const gp_secret_t *secret, uint64_t number, uint8_t frame[FRAME_MAX])
{
    gp_sealer_t sealer = {.signer = &gp_signer_ed25519, .secret = secret};
    gp_envelope_t head = {.grid = {{9}},
                          .source = gp_secret_id(secret),
                          .destination = {{1}},
                          .boot = 1,
                          .sequence = number,
                          .sent_ms = 1700000000000};
    gp_msg_t msg = {.kind = GP_MSG_FIND,
                    .u.find = {.group = 1,
                               .query_id = UINT32_MAX + number,
                               .query = gp_text("cpu >= 2 and mem.free >= 1GiB"),
                               .limit = 3}};
    size_t n = 0;

    if (gp_envelope_seal(&head, &msg, &sealer, frame, FRAME_MAX, &n) != GP_OK) {
        abort();
    }
    return n;
}

/* What a receiver does with a frame: cheapest checks first, and nothing twice. */
static bool take(gp_slice_t frame)
{
    static gp_msg_t msg;
    gp_envelope_t envelope;

    if (gp_envelope_open(frame, &envelope) != GP_OK || !envelope.is_signed ||
        gp_replay_check(&replay, envelope.boot, envelope.sequence) != GP_OK ||
        !gp_envelope_verify(&envelope, &gp_signer_ed25519)) {
        return false;
    }
    gp_replay_advance(&replay, envelope.boot, envelope.sequence);
    return gp_msg_read(envelope.kind, envelope.body, true, &msg) == GP_OK;
}

static void on_frame(void *context, const gp_id_t *peer, gp_standing_t standing, gp_slice_t frame)
{
    bool *receives = context;

    (void)standing;
    if (!*receives) {
        acknowledged += ACK_EVERY;
        return;
    }
    if (!take(frame)) {
        abort();
    }
    taken++;
    if (taken % ACK_EVERY == 0 &&
        gp_net_send(here, peer, gp_slice("ack", 3), GP_CLASS_DATA) != GP_OK) {
        abort();
    }
}

static void on_link(void *context, const gp_id_t *peer, bool is_up)
{
    (void)context;
    (void)peer;
    up = is_up;
}

static void on_dialed(void *context, const gp_id_t *peer, uint64_t token, gp_dial_t result)
{
    (void)context;
    (void)peer;
    (void)token;
    (void)result;
}

static void open_net(const gp_secret_t *secret, bool *receives)
{
    gp_net_config_t config = {
        .base = base,
        .secret = secret,
        .listen = "tcp://127.0.0.1:0",
        .events = {
            .context = receives, .on_frame = on_frame, .on_link = on_link, .on_dialed = on_dialed}};

    if (gp_net_open(&config, &here) != GP_OK) {
        abort();
    }
}

/* The other process: takes what comes, until it is killed. */
static int receive(const char *address)
{
    static bool receives = true;
    gp_secret_t *secret = secret_of(1);
    gp_id_t sender = id_of(0);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    open_net(secret, &receives);
    if (gp_net_admit(here, &sender, address) != GP_OK ||
        gp_net_link(here, &sender, true) != GP_OK) {
        return 1;
    }
    return event_base_dispatch(base);
}

static void measure_alone(const gp_secret_t *secret, uint32_t messages)
{
    uint8_t(*frames)[FRAME_MAX] = calloc(messages, FRAME_MAX);
    size_t n = 0;
    double began = now_s();

    if (frames == NULL) {
        abort();
    }
    for (uint32_t i = 0; i < messages; i++) {
        n = sign(secret, i + 1, frames[i]);
    }
    printf("  \"frame_bytes\": %zu,\n", n);
    printf("  \"signed_per_s\": %.0f,\n", messages / (now_s() - began));
    began = now_s();
    for (uint32_t i = 0; i < messages; i++) {
        if (!take(gp_slice(frames[i], n))) {
            abort();
        }
    }
    printf("  \"verified_per_s\": %.0f,\n", messages / (now_s() - began));
    free(frames);
}

static void measure_between(const gp_secret_t *secret, uint32_t messages)
{
    static bool receives = false;
    char *argv[] = {(char *)"bench_signed", (char *)"receive", NULL, NULL};
    gp_id_t receiver = id_of(1);
    uint8_t frame[FRAME_MAX];
    pid_t pid = -1;
    double began;

    open_net(secret, &receives);
    argv[2] = (char *)(uintptr_t)gp_net_address(here);
    if (gp_net_admit(here, &receiver, NULL) != GP_OK ||
        posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) != 0) {
        abort();
    }
    while (!up) {
        (void)event_base_loop(base, EVLOOP_ONCE);
    }
    began = now_s();
    for (uint32_t sent = 0; acknowledged < messages;) {
        while (sent < messages && sent - acknowledged < WINDOW) {
            size_t n = sign(secret, ++sent, frame);
            if (gp_net_send(here, &receiver, gp_slice(frame, n), GP_CLASS_DATA) != GP_OK) {
                abort();
            }
        }
        (void)event_base_loop(base, EVLOOP_ONCE);
        if (!up) {
            abort();
        }
    }
    printf("  \"between_two_per_s\": %.0f,\n", messages / (now_s() - began));
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    gp_net_close(here, 0);
}

int main(int argc, char **argv)
{
    unsigned long wanted = argc == 2 ? strtoul(argv[1], NULL, 10) : 20000;
    uint32_t messages = (uint32_t)(wanted > MESSAGES_MAX ? 0 : wanted / ACK_EVERY * ACK_EVERY);
    gp_secret_t *secret;

    base = event_base_new();
    if (base == NULL || gp_keys_init() != GP_OK) {
        return 1;
    }
    if (argc == 3 && strcmp(argv[1], "receive") == 0) {
        return receive(argv[2]);
    }
    if (messages == 0) {
        (void)fprintf(stderr, "usage: bench_signed [MESSAGES]     (%d to %d)\n", ACK_EVERY,
                      MESSAGES_MAX);
        return 1;
    }
    secret = secret_of(0);
    printf("{\n");
    measure_alone(secret, messages);
    measure_between(secret, messages);
    printf("  \"messages\": %u\n}\n", messages);
    gp_secret_free(secret);
    event_base_free(base);
    return 0;
}
