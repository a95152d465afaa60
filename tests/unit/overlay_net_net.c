/* The transport as its owner sees it: frames there and back, links, limits, opening and closing. */
#include "tests/unit/overlay_net_lab.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_last(const lab_node_t *node, const lab_node_t *from, const char *text)
{
    return gp_id_equal(&node->last_peer, &from->id) &&
           gp_slice_equal(gp_slice(node->last, node->last_n), gp_text(text));
}

static gp_net_counters_t count(const lab_node_t *node)
{
    gp_net_counters_t counters;

    gp_net_count(node->net, &counters);
    return counters;
}

static void frames_go_there_and_back_over_one_connection(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);

    lab_introduce(a, b, false);
    lab_send(a, b, "there");
    LAB_UNTIL(lab, 2000, b->frames == 1);
    assert_true(is_last(b, a, "there"));
    assert_int_equal(a->ups, 1);
    assert_int_equal(b->ups, 1);
    lab_send(b, a, "back");
    LAB_UNTIL(lab, 2000, a->frames == 1);
    assert_true(is_last(a, b, "back"));
    assert_int_equal(count(b).links, 0); /* it answered over a's connection */
    assert_int_equal(count(b).connections, 1);
    assert_int_equal(count(a).frames_out, 1);
    assert_int_equal(count(a).bytes_out, 5);
    assert_int_equal(count(b).bytes_in, 5);
    assert_int_equal(a->guest_frames + b->guest_frames, 0);
}

static void a_frame_to_oneself_comes_from_the_loop(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);

    lab_send(a, a, "me");
    assert_int_equal(a->frames, 0);
    LAB_UNTIL(lab, 1000, a->frames == 1);
    assert_true(is_last(a, a, "me"));
}

static void the_largest_frame_passes_and_a_larger_one_does_not(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);
    static uint8_t bytes[GP_MESSAGE_MAX + 1];

    lab_introduce(a, b, false);
    memset(bytes, 7, sizeof bytes);
    assert_int_equal(gp_net_send(a->net, &b->id, gp_slice(bytes, sizeof bytes), GP_CLASS_CONTROL),
                     GP_E_MESSAGE_SIZE);
    assert_int_equal(gp_net_send(a->net, &b->id, (gp_slice_t){0}, GP_CLASS_CONTROL),
                     GP_E_MESSAGE_SIZE);
    assert_int_equal(gp_net_send(a->net, &b->id, gp_slice(bytes, GP_MESSAGE_MAX), GP_CLASS_CONTROL),
                     GP_OK);
    LAB_UNTIL(lab, 2000, b->frames == 1);
    assert_int_equal(b->last_n, GP_MESSAGE_MAX);
    assert_memory_equal(b->last, bytes, GP_MESSAGE_MAX);
}

static void who_is_not_admitted_cannot_be_sent_to(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    gp_id_t other = {{9}};
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);

    assert_int_equal(gp_net_send(a->net, &other, gp_text("x"), GP_CLASS_DATA),
                     GP_E_PEER_UNREACHABLE);
    assert_int_equal(gp_net_link(a->net, &other, true), GP_E_PEER_UNREACHABLE);
    /* admitted, but nobody knows where it is */
    assert_int_equal(gp_net_admit(a->net, &b->id, NULL), GP_OK);
    assert_int_equal(gp_net_send(a->net, &b->id, gp_text("x"), GP_CLASS_DATA),
                     GP_E_PEER_UNREACHABLE);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_E_PEER_UNREACHABLE);
    assert_int_equal(gp_net_admit(a->net, &b->id, "tcp://localhost:1"), GP_E_ADDRESS);
    assert_int_equal(gp_net_admit(a->net, &b->id, "tcp://127.0.0.1:0"), GP_E_ADDRESS);
}

static void a_held_link_comes_up_and_a_closed_peer_takes_it_down(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);
    char address[GP_ADDRESS_MAX + 1];
    gp_net_peer_info_t info;

    lab_introduce(a, b, false);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, a->ups == 1 && b->ups == 1);
    assert_true(gp_net_peer(a->net, 0, &info));
    assert_true(info.held && info.up && info.outgoing);
    assert_false(gp_net_peer(a->net, 1, &info));

    (void)snprintf(address, sizeof address, "%s", gp_net_address(b->net));
    lab_stop(b, 0);
    LAB_UNTIL(lab, 1000, a->downs == 1);
    /* it restarts in the same place, and the link is there again by itself */
    b = lab_start(lab, 1, address);
    assert_int_equal(gp_net_admit(b->net, &a->id, NULL), GP_OK);
    LAB_UNTIL(lab, 3000, a->ups == 2 && b->ups == 1);
    lab_send(b, a, "again");
    LAB_UNTIL(lab, 1000, a->frames == 1);
}

static void a_new_address_is_followed(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);

    lab_introduce(a, b, false);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, a->ups == 1);
    lab_stop(b, 0);
    LAB_UNTIL(lab, 1000, a->downs == 1);
    b = lab_start(lab, 1, "tcp://[::1]:0");
    assert_int_equal(strncmp(gp_net_address(b->net), "tcp://[::1]:", 12), 0);
    lab_introduce(a, b, false);
    LAB_UNTIL(lab, 2000, a->ups == 2 && b->ups == 1);
}

static void an_idle_link_that_nobody_holds_is_closed(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = &lab->nodes[0];
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);

    a->idle_ms = 300;
    a = lab_start(lab, 0, LAB_LOCAL);
    lab_introduce(a, b, false);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, b->ups == 1);
    assert_int_equal(gp_net_link(a->net, &b->id, false), GP_OK);
    lab_send(a, b, "one");
    LAB_UNTIL(lab, 2000, b->frames == 1);
    LAB_UNTIL(lab, 4000, b->downs == 1 && a->downs == 1);
    assert_int_equal(count(a).links, 0);
    /* and opened again on demand */
    lab_send(a, b, "two");
    LAB_UNTIL(lab, 2000, b->frames == 2);
}

static void the_port_must_be_free_and_the_address_ours(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    gp_net_config_t config = {
        .base = lab->base,
        .secret = a->secret,
        .events = {.on_frame = (void (*)(void *, const gp_id_t *, gp_standing_t, gp_slice_t))abort,
                   .on_link = (void (*)(void *, const gp_id_t *, bool))abort,
                   .on_dialed = (void (*)(void *, const gp_id_t *, uint64_t, gp_dial_t))abort}};
    gp_net_t *net = NULL;

    config.listen = gp_net_address(a->net);
    assert_int_equal(gp_net_open(&config, &net), GP_E_PORT_IN_USE);
    config.listen = "tcp://192.0.2.1:0"; /* RFC 5737: nobody's */
    assert_int_equal(gp_net_open(&config, &net), GP_E_ADDRESS);
    config.listen = "tcp://127.0.0.1";
    assert_int_equal(gp_net_open(&config, &net), GP_E_ADDRESS);
    config.listen = "udp://127.0.0.1:0";
    assert_int_equal(gp_net_open(&config, &net), GP_E_ADDRESS);
    assert_null(net);
}

static void closing_is_quick_and_says_what_was_sent(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);
    lab_node_t *c = lab_start(lab, 2, LAB_LOCAL);
    uint64_t start_us;

    lab_introduce(a, b, false);
    lab_introduce(c, a, false);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    assert_int_equal(gp_net_link(c->net, &a->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, a->ups == 2);
    for (int i = 0; i < 100; i++) {
        lab_send(a, b, "goodbye");
        if (i < 60) {
            lab_send(a, c, "goodbye");
        }
    }
    start_us = lab_now_us();
    lab_stop(a, 20000);
    assert_true(lab_now_us() - start_us < 10000000); /* the flush ends when all has left */
    LAB_UNTIL(lab, 1000, b->downs == 1 && c->downs == 1);
    LAB_UNTIL(lab, 1000, b->frames == 100 && c->frames == 60);
}

static void all_descriptors_stay_in_this_process(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);

    lab_introduce(a, b, true);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    assert_int_equal(gp_net_link(b->net, &a->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, a->ups == 1 && b->ups == 1);
    for (int fd = 3; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        char path[64];
        char to[256] = "";
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (flags >= 0 && (flags & FD_CLOEXEC) == 0 && readlink(path, to, sizeof to - 1) > 0 &&
            (strstr(to, "socket:") != NULL || strstr(to, "eventfd") != NULL ||
             strstr(to, "eventpoll") != NULL)) {
            fail_msg("descriptor %d (%s) would leak into started programs", fd, to);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_go_there_and_back_over_one_connection, lab_setup,
                                        lab_teardown),
        cmocka_unit_test_setup_teardown(a_frame_to_oneself_comes_from_the_loop, lab_setup,
                                        lab_teardown),
        cmocka_unit_test_setup_teardown(the_largest_frame_passes_and_a_larger_one_does_not,
                                        lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(who_is_not_admitted_cannot_be_sent_to, lab_setup,
                                        lab_teardown),
        cmocka_unit_test_setup_teardown(a_held_link_comes_up_and_a_closed_peer_takes_it_down,
                                        lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(a_new_address_is_followed, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(an_idle_link_that_nobody_holds_is_closed, lab_setup,
                                        lab_teardown),
        cmocka_unit_test_setup_teardown(the_port_must_be_free_and_the_address_ours, lab_setup,
                                        lab_teardown),
        cmocka_unit_test_setup_teardown(closing_is_quick_and_says_what_was_sent, lab_setup,
                                        lab_teardown),
        cmocka_unit_test_setup_teardown(all_descriptors_stay_in_this_process, lab_setup,
                                        lab_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
