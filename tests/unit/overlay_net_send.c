/* Which way frames go, and what waits. */
#include "tests/unit/overlay_net_lab.h"

static gp_net_counters_t count(const lab_node_t *node)
{
    gp_net_counters_t counters;

    gp_net_count(node->net, &counters);
    return counters;
}

/* Frames wait for a link that is being opened, and not for ever for one that never comes. */
static void what_waits_too_long_is_dropped(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = &lab->nodes[0];
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);

    a->wait_ms = 600;
    a = lab_start(lab, 0, LAB_LOCAL);
    /* b does not admit a */
    assert_int_equal(gp_net_admit(a->net, &b->id, gp_net_address(b->net)), GP_OK);
    lab_send(a, b, "old");
    assert_int_equal(count(a).queued, 1);
    LAB_UNTIL(lab, 3000, count(a).dropped[GP_DROP_EXPIRED] == 1);
    assert_int_equal(count(a).queued, 0);
    lab_send(a, b, "new");
    assert_int_equal(gp_net_admit(b->net, &a->id, NULL), GP_OK);
    LAB_UNTIL(lab, 3000, b->frames == 1);
    assert_memory_equal(b->last, "new", 3);
    lab_send(a, b, "x");
    gp_net_forget(a->net, &b->id);
}

static void forgetting_drops_what_waits(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);

    assert_int_equal(gp_net_admit(a->net, &b->id, gp_net_address(b->net)), GP_OK);
    lab_send(a, b, "1");
    lab_send(a, b, "2");
    gp_net_forget(a->net, &b->id);
    gp_net_forget(a->net, &b->id); /* again: fine */
    assert_int_equal(count(a).dropped[GP_DROP_FORGOTTEN], 2);
    assert_int_equal(count(a).queued_bytes, 0);
    assert_int_equal(count(a).links, 0);
}

static void order_is_kept_while_links_come_and_queues_fill(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);
    uint32_t seen = 0;

    lab_introduce(a, b, true);
    for (uint32_t i = 1; i <= 200; i++) {
        assert_int_equal(gp_net_send(a->net, &b->id, gp_slice(&i, sizeof i), GP_CLASS_DATA), GP_OK);
    }
    while (seen < 200) {
        uint32_t number = 0;
        LAB_UNTIL(lab, 3000, b->frames > seen);
        memcpy(&number, b->last, sizeof number);
        assert_int_equal(number, b->frames);
        seen = b->frames;
    }
}

/* Far more than ZeroMQ holds for one connection, one way only, over either kind. */
static void a_stream_does_not_stall(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);
    lab_node_t *from[] = {a, b};
    static const uint8_t bytes[1000];

    lab_introduce(b, a, false);
    assert_int_equal(gp_net_link(b->net, &a->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, a->ups == 1);
    for (int i = 0; i < 2; i++) {
        lab_node_t *to = from[1 - i];
        uint64_t end_us = lab_now_us() + 10000000;
        uint32_t sent = 0;
        while (to->frames < 5000) {
            while (sent < 5000 && gp_net_send(from[i]->net, &to->id, gp_slice(bytes, sizeof bytes),
                                              GP_CLASS_DATA) == GP_OK) {
                sent++;
            }
            lab_turn(lab);
            assert_true(lab_now_us() < end_us);
        }
    }
    assert_int_equal(count(a).links, 0); /* it had only the connection that b opened */
    assert_int_equal(count(a).queued + count(b).queued, 0);
}

static void all_queues_together_have_a_limit(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    static const uint8_t bytes[GP_MESSAGE_MAX];
    gp_error_t error = GP_OK;

    /* machines that are not there: all that is sent to them waits */
    for (uint8_t i = 0; i < 40 && error == GP_OK; i++) {
        gp_secret_t *secret = lab_secret((uint8_t)(100 + i));
        gp_id_t id = gp_secret_id(secret);
        gp_secret_free(secret);
        assert_int_equal(gp_net_admit(a->net, &id, "tcp://127.0.0.1:9"), GP_OK);
        for (int k = 0; k < GP_PEER_QUEUE_BYTES / GP_MESSAGE_MAX && error == GP_OK; k++) {
            error = gp_net_send(a->net, &id, gp_slice(bytes, sizeof bytes), GP_CLASS_CONTROL);
        }
    }
    assert_int_equal(error, GP_E_PEER_QUEUE);
    assert_true(count(a).queued_bytes <= GP_NET_QUEUE_BYTES);
    assert_true(count(a).queued_bytes > GP_NET_QUEUE_BYTES - 2 * GP_MESSAGE_MAX);
}

static void what_one_sends_to_oneself_is_bounded_and_takes_turns(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);

    for (int i = 0; i < GP_PEER_QUEUE_MAX; i++) {
        assert_int_equal(gp_net_send(a->net, &a->id, gp_text("x"), GP_CLASS_DATA), GP_OK);
    }
    assert_int_equal(gp_net_send(a->net, &a->id, gp_text("x"), GP_CLASS_DATA), GP_E_PEER_QUEUE);
    lab_turn(lab);
    assert_in_range(a->frames, 1, GP_PEER_QUEUE_MAX / 2);
    LAB_UNTIL(lab, 1000, a->frames == GP_PEER_QUEUE_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_waits_too_long_is_dropped),
        TEST(forgetting_drops_what_waits),
        TEST(order_is_kept_while_links_come_and_queues_fill),
        TEST(a_stream_does_not_stall),
        TEST(all_queues_together_have_a_limit),
        TEST(what_one_sends_to_oneself_is_bounded_and_takes_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
