/* Asking to join, from a process of its own. */
#include "overlay/net/guest.h"

#include "proto/text.h"
#include "tests/unit/overlay_net_lab.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUEST  66 /* the seed of the one-time key */
#define SILENT ((gp_error_t)249)

/* The child: asks, and ends with the error as its status; SILENT: timed out before it was let in.
 */
static int play_guest(const char *address, const char *id, uint32_t timeout_ms)
{
    gp_guest_t guest = {
        .address = address, .question = gp_text("may I join?"), .timeout_ms = timeout_ms};
    uint8_t answer[64];
    size_t n = 0;
    gp_dial_t dial = GP_DIAL_SILENT;
    gp_error_t error;

    if (gp_keys_init() != GP_OK || gp_id_parse(id, &guest.server) != GP_OK) {
        return 250;
    }
    guest.secret = lab_secret(GUEST);
    error = gp_guest_ask(&guest, answer, sizeof answer, &n, &dial);
    if (error == GP_E_TIMED_OUT && dial == GP_DIAL_SILENT) {
        return SILENT;
    }
    if (dial != GP_DIAL_OPEN) {
        return 251;
    }
    if (error == GP_OK && (n != 3 || memcmp(answer, "yes", 3) != 0)) {
        return 252;
    }
    return (int)error;
}

static gp_error_t ask(lab_t *lab, const lab_node_t *node, const gp_id_t *server, const char *ms)
{
    char id[GP_ID_TEXT];
    const char *const arguments[] = {"guest", gp_net_address(node->net), id, ms, NULL};
    int status = -1;
    pid_t pid;

    gp_id_text(server, id);
    pid = lab_spawn(arguments);
    LAB_UNTIL(lab, 8000, lab_ended(pid, &status));
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) < 250);
    return (gp_error_t)WEXITSTATUS(status);
}

static void say_yes(lab_node_t *node, const gp_id_t *peer, gp_slice_t frame)
{
    assert_true(gp_slice_equal(frame, gp_text("may I join?")));
    assert_int_equal(gp_net_send(node->net, peer, gp_text("yes"), GP_CLASS_CONTROL), GP_OK);
    assert_int_equal(gp_net_admit_guest(node->net, peer, false), GP_OK); /* used up */
}

static void say_too_much(lab_node_t *node, const gp_id_t *peer, gp_slice_t frame)
{
    static uint8_t bytes[65];

    (void)frame;
    assert_int_equal(gp_net_send(node->net, peer, gp_slice(bytes, sizeof bytes), GP_CLASS_CONTROL),
                     GP_OK);
}

static gp_id_t guest_key(void)
{
    gp_secret_t *secret = lab_secret(GUEST);
    gp_id_t key = gp_secret_id(secret);

    gp_secret_free(secret);
    return key;
}

static void an_invited_guest_is_answered_once(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    gp_id_t key = guest_key();
    uint64_t start_us;

    a->on_frame = say_yes;
    assert_int_equal(gp_net_admit_guest(a->net, &key, true), GP_OK);
    assert_int_equal(ask(lab, a, &a->id, "4000"), GP_OK);
    assert_int_equal(a->guest_frames, 1);
    start_us = lab_now_us();
    assert_int_equal(ask(lab, a, &a->id, "4000"), GP_E_JOIN_REFUSED);
    assert_true(lab_now_us() - start_us < 3500000);
    assert_int_equal(a->guest_frames, 1);
}

/* It listens to strangers, and a question is not what they may say. */
static void an_unknown_key_is_told_by_the_cut(void **state)
{
    lab_t *lab = *state;
    lab->nodes[0].open = true;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);

    assert_int_equal(ask(lab, a, &a->id, "4000"), GP_E_JOIN_REFUSED);
    assert_int_equal(lab_count(a).visits_refused, 2);
    assert_int_equal(a->frames, 0);
}

/* The first answer is lost with its connection; the question comes again, over the next one. */
static void forget_once(lab_node_t *node, const gp_id_t *peer, gp_slice_t frame)
{
    if (node->guest_frames == 1) {
        gp_net_forget(node->net, peer);
        assert_int_equal(gp_net_admit_guest(node->net, peer, true), GP_OK);
    } else {
        say_yes(node, peer, frame);
    }
}

static void a_cut_answer_is_asked_for_again(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    gp_id_t key = guest_key();

    a->on_frame = forget_once;
    assert_int_equal(gp_net_admit_guest(a->net, &key, true), GP_OK);
    assert_int_equal(ask(lab, a, &a->id, "4000"), GP_OK);
    assert_int_equal(a->guest_frames, 2);
}

static void the_wrong_machine_is_refused(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    gp_id_t key = guest_key();
    gp_id_t low = {{1}};

    a->on_frame = say_yes;
    assert_int_equal(gp_net_admit_guest(a->net, &key, true), GP_OK);
    /* the guest expects another: what listens there cannot pretend to be it */
    assert_int_equal(ask(lab, a, &key, "4000"), GP_E_JOIN_REFUSED);
    assert_int_equal(ask(lab, a, &low, "4000"), GP_E_JOIN_REFUSED);
    assert_int_equal(a->frames, 0);
}

/* An unknown key is met with silence: before the handshake is given up that may be a slow machine.
 */
static void who_stops_waiting_early_does_not_blame_the_key(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);

    assert_true(ask(lab, a, &a->id, "500") == SILENT);
    assert_int_equal(a->frames, 0);
}

static void no_answer_and_too_long_an_answer(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    gp_id_t key = guest_key();

    assert_int_equal(gp_net_admit_guest(a->net, &key, true), GP_OK);
    assert_int_equal(ask(lab, a, &a->id, "500"), GP_E_TIMED_OUT);
    assert_int_equal(a->guest_frames, 1); /* it was asked */
    a->on_frame = say_too_much;
    assert_int_equal(ask(lab, a, &a->id, "2000"), GP_E_MESSAGE_SIZE);
}

/* A process that is stopped: the kernel answers for it, it says nothing. No reason to blame the
 * key. */
static void a_machine_that_hangs_is_not_one_that_refuses(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char address[GP_ADDRESS_MAX + 1];
    gp_secret_t *secret = lab_secret(GUEST);
    gp_guest_t guest = {.address = address,
                        .server = gp_secret_id(secret),
                        .secret = secret,
                        .question = gp_text("?"),
                        .timeout_ms = 3000};
    uint8_t answer[8];
    size_t n = 0;
    gp_dial_t dial = GP_DIAL_OPEN;

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(address, sizeof address, "tcp://127.0.0.1:%u", ntohs(at.sin_port));
    assert_int_equal(gp_guest_ask(&guest, answer, sizeof answer, &n, &dial), GP_E_TIMED_OUT);
    assert_int_equal(dial, GP_DIAL_SILENT);
    gp_secret_free(secret);
    (void)close(fd);
}

static void nobody_there_is_told_apart_by_how(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    char address[GP_ADDRESS_MAX + 1];
    gp_guest_t guest = {
        .address = address, .server = a->id, .question = gp_text("?"), .timeout_ms = 1000};
    uint8_t answer[8];
    size_t n = 0;
    gp_dial_t dial = GP_DIAL_OPEN;
    static uint8_t large[GP_MESSAGE_MAX + 1];
    gp_secret_t *secret = lab_secret(GUEST);

    (void)snprintf(address, sizeof address, "%s", gp_net_address(a->net));
    lab_stop(a, 0);
    guest.secret = secret;
    assert_int_equal(gp_guest_ask(&guest, answer, sizeof answer, &n, &dial), GP_E_JOIN_UNREACHABLE);
    assert_int_equal(dial, GP_DIAL_REFUSED);
    guest.address = "tcp://224.0.0.1:1";
    assert_int_equal(gp_guest_ask(&guest, answer, sizeof answer, &n, &dial), GP_E_JOIN_UNREACHABLE);
    assert_int_equal(dial, GP_DIAL_UNREACHABLE);
    guest.address = "tcp://nowhere";
    assert_int_equal(gp_guest_ask(&guest, answer, sizeof answer, &n, &dial), GP_E_ADDRESS);
    guest.address = address;
    guest.question = gp_slice(large, sizeof large);
    assert_int_equal(gp_guest_ask(&guest, answer, sizeof answer, &n, &dial), GP_E_MESSAGE_SIZE);
    assert_int_equal(n, 0);
    gp_secret_free(secret);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(an_invited_guest_is_answered_once),
        TEST(an_unknown_key_is_told_by_the_cut),
        TEST(a_cut_answer_is_asked_for_again),
        TEST(the_wrong_machine_is_refused),
        TEST(who_stops_waiting_early_does_not_blame_the_key),
        TEST(no_answer_and_too_long_an_answer),
        TEST(a_machine_that_hangs_is_not_one_that_refuses),
        TEST(nobody_there_is_told_apart_by_how),
    };

    if (argc == 5 && strcmp(argv[1], "guest") == 0) {
        return play_guest(argv[2], argv[3], (uint32_t)strtoul(argv[4], NULL, 10));
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
