/* Who gets in: strangers, machines that are admitted late, guests, those who are forgotten,
 * forgers. */
#include "tests/unit/overlay_net_lab.h"

#include <stdio.h>
#include <zmq.h>

static void a_stranger_gets_nothing_in_and_nothing_out(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_raw_t stranger = lab_raw_open(66, a, NULL);

    assert_true(lab_raw_sent(&stranger, "hi", 2)); /* waits in its own pipe */
    LAB_UNTIL(lab, 2000, lab_count(a).keys_refused >= 1);
    lab_run(lab, 300);
    assert_int_equal(a->frames, 0);
    assert_int_equal(a->ups, 0);
    assert_int_equal(lab_count(a).keys_admitted, 0);
    assert_int_equal(lab_count(a).connections, 0);
    assert_true(lab_raw_received(&stranger) < 0);
    lab_raw_close(&stranger);
}

/* The handshake is held: an admission lets in at once whoever waits for it. */
static void who_is_admitted_late_gets_in_at_once(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);

    assert_int_equal(gp_net_admit(a->net, &b->id, gp_net_address(b->net)), GP_OK);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, lab_count(b).keys_refused == 1 && b->knocks == 1); /* held, and told so */
    assert_int_equal(a->ups + b->ups, 0);
    assert_int_equal(gp_net_admit(b->net, &a->id, NULL), GP_OK);
    LAB_UNTIL(lab, 300, a->ups == 1 && b->ups == 1);
    assert_int_equal(lab_count(b).keys_refused, 0);
    assert_int_equal(lab_count(b).keys_admitted, 1);
}

/* After both sides gave that handshake up, the next one comes by itself and soon. */
static void a_refused_machine_comes_again(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);

    assert_int_equal(gp_net_admit(a->net, &b->id, gp_net_address(b->net)), GP_OK);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    LAB_UNTIL(lab, 5000, lab_count(b).keys_refused == 2);
    assert_int_equal(a->downs, 0); /* it was never up */
    assert_int_equal(gp_net_admit(b->net, &a->id, NULL), GP_OK);
    LAB_UNTIL(lab, 300, a->ups == 1 && b->ups == 1);
}

/* More unknown keys than there are slots: the oldest have to come again, the newest are held. */
static void many_unknown_keys_do_not_keep_a_machine_out(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b;
    lab_raw_t strangers[GP_NET_HELD_MAX + 8];
    const int n = (int)(sizeof strangers / sizeof strangers[0]);

    for (int i = 0; i < n; i++) {
        strangers[i] = lab_raw_open((uint8_t)(100 + i), a, NULL);
    }
    LAB_UNTIL(lab, 5000, lab_count(a).keys_refused >= (uint64_t)n);
    b = lab_start(lab, 1, LAB_LOCAL);
    lab_introduce(b, a, false);
    lab_send(b, a, "in");
    LAB_UNTIL(lab, 1000, a->frames == 1);
    for (int i = 0; i < n; i++) {
        lab_raw_close(&strangers[i]);
    }
}

static void forgetting_cuts_a_live_connection(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_raw_t member = lab_raw_open(66, a, NULL);
    uint32_t frames;

    assert_int_equal(gp_net_admit(a->net, &member.id, NULL), GP_OK);
    LAB_UNTIL(lab, 2000, lab_raw_sent(&member, "one", 3) && a->frames >= 3);
    assert_int_equal(lab_count(a).connections, 1);

    /* several are on their way in when it is forgotten: not one of them comes through */
    for (int i = 0; i < 20; i++) {
        (void)lab_raw_sent(&member, "more", 4);
    }
    gp_net_forget(a->net, &member.id);
    frames = a->frames;
    LAB_UNTIL(lab, 4000, ((void)lab_raw_sent(&member, "late", 4), lab_count(a).keys_refused >= 1));
    assert_int_equal(a->frames, frames);
    assert_int_equal(a->downs, 0); /* no word about who is no longer known */
    assert_int_equal(lab_count(a).connections, 0);
    assert_true(lab_count(a).keys_refused >= 1); /* cut: it had to connect anew, in vain */
    assert_true(lab_raw_received(&member) < 0);  /* and it is told nothing */
    assert_int_equal(gp_net_send(a->net, &member.id, gp_text("x"), GP_CLASS_DATA),
                     GP_E_PEER_UNREACHABLE);
    lab_raw_close(&member);
}

static lab_node_t *forgetful;

static void forget_sender(lab_node_t *node, const gp_id_t *peer, gp_slice_t frame)
{
    (void)frame;
    assert_ptr_equal(node, forgetful);
    gp_net_forget(node->net, peer);
}

/* "At most one message after the list is applied": none, even of those that are in already. */
static void forgetting_inside_a_callback_stops_the_very_next_frame(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);

    lab_introduce(b, a, false);
    assert_int_equal(gp_net_link(b->net, &a->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, a->ups == 1);
    forgetful = a;
    a->on_frame = forget_sender;
    for (int i = 0; i < 20; i++) {
        lab_send(b, a, "burst");
    }
    LAB_UNTIL(lab, 2000, b->downs == 1);
    assert_int_equal(a->frames, 1);
    assert_true(lab_count(a).dropped[GP_DROP_STRANGER] > 0 || lab_count(a).connections == 0);
}

/* The same where the frames come in over one's own link. */
static void forgetting_inside_a_callback_closes_ones_own_link(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);

    lab_introduce(a, b, false);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, b->ups == 1);
    forgetful = a;
    a->on_frame = forget_sender;
    for (int i = 0; i < 20; i++) {
        lab_send(b, a, "burst");
    }
    LAB_UNTIL(lab, 2000, b->downs == 1);
    assert_int_equal(a->frames, 1);
    assert_int_equal(lab_count(a).links, 0);
}

/* A member calls itself by another's name, and by the name that the inbox gave to another. */
static void a_routing_id_of_ones_own_is_refused(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);
    char name[34] = "g";
    lab_raw_t thief;

    lab_introduce(b, a, false);
    assert_int_equal(gp_net_link(b->net, &a->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, a->ups == 1);
    memset(name + 1, 'b', 32);
    thief = lab_raw_open(66, a, name);
    assert_int_equal(gp_net_admit(a->net, &thief.id, NULL), GP_OK);
    LAB_UNTIL(lab, 2000,
              lab_raw_sent(&thief, "I am b", 6) && lab_count(a).dropped[GP_DROP_ROUTE] > 0);
    assert_int_equal(a->frames, 0);
    assert_int_equal(lab_count(a).connections, 1);
    /* b still has its way back */
    lab_send(a, b, "b only");
    LAB_UNTIL(lab, 2000, b->frames == 1);
    assert_true(lab_raw_received(&thief) < 0);
    lab_raw_close(&thief);
}

static void the_sender_is_who_the_handshake_proved(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_raw_t b = lab_raw_open(66, a, NULL);
    lab_raw_t c = lab_raw_open(67, a, NULL);

    assert_int_equal(gp_net_admit(a->net, &b.id, NULL), GP_OK);
    assert_int_equal(gp_net_admit(a->net, &c.id, NULL), GP_OK);
    LAB_UNTIL(lab, 2000, lab_raw_sent(&b, "b", 1) && a->frames > 0);
    assert_true(gp_id_equal(&a->last_peer, &b.id));
    LAB_UNTIL(lab, 2000, lab_raw_sent(&c, "c", 1) && a->last[0] == 'c');
    assert_true(gp_id_equal(&a->last_peer, &c.id));
    lab_raw_close(&b);
    lab_raw_close(&c);
}

/* The newest connection of a key is the way to it; a machine cannot collect connections. */
static void the_newest_connection_counts(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_raw_t same[GP_NET_CONNECTIONS_MAX + 3];
    const int n = (int)(sizeof same / sizeof same[0]);
    int got = -1;

    for (int i = 0; i < n; i++) {
        uint32_t before = a->frames;
        same[i] = lab_raw_open(66, a, NULL);
        assert_int_equal(gp_net_admit(a->net, &same[i].id, NULL), GP_OK);
        assert_true(lab_raw_sent(&same[i], "new", 3));
        LAB_UNTIL(lab, 2000, a->frames > before);
    }
    assert_int_equal(lab_count(a).connections, GP_NET_CONNECTIONS_MAX);
    assert_int_equal(a->ups, 1);
    assert_int_equal(gp_net_send(a->net, &same[0].id, gp_text("x"), GP_CLASS_CONTROL), GP_OK);
    LAB_UNTIL(lab, 2000, (got = lab_raw_received(&same[n - 1])) >= 0);
    assert_int_equal(got, 1);
    for (int i = 0; i < n; i++) {
        lab_raw_close(&same[i]);
    }
    LAB_UNTIL(lab, 2000, a->downs == 1);
}

static void several_parts_are_refused_and_cost_nothing(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_raw_t member = lab_raw_open(66, a, NULL);

    assert_int_equal(gp_net_admit(a->net, &member.id, NULL), GP_OK);
    LAB_UNTIL(lab, 2000, lab_raw_sent(&member, "one", 3) && a->frames >= 1);
    for (int i = 0; i < 5; i++) {
        assert_true(zmq_send(member.socket, "p", 1, ZMQ_SNDMORE | ZMQ_DONTWAIT) == 1);
    }
    assert_true(lab_raw_sent(&member, "last", 4));
    LAB_UNTIL(lab, 2000, lab_count(a).dropped[GP_DROP_FORM] == 1);
    LAB_UNTIL(lab, 2000, lab_raw_sent(&member, "two", 3) && a->last[0] == 't');
    lab_raw_close(&member);
}

/* Just over what a frame may have, and within what ZeroMQ lets pass; then far over. */
static void a_member_cannot_send_too_much(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_raw_t member = lab_raw_open(66, a, NULL);
    static uint8_t bytes[4 * GP_MESSAGE_MAX];
    uint32_t frames;

    assert_int_equal(gp_net_admit(a->net, &member.id, NULL), GP_OK);
    LAB_UNTIL(lab, 2000, lab_raw_sent(&member, "one", 3) && a->frames >= 1);
    lab_run(lab, 50);
    frames = a->frames;
    assert_true(lab_raw_sent(&member, bytes, GP_MESSAGE_MAX + 1));
    LAB_UNTIL(lab, 2000, lab_count(a).dropped[GP_DROP_FORM] == 1);
    assert_true(lab_raw_sent(&member, bytes, sizeof bytes));
    LAB_UNTIL(lab, 2000, a->downs == 1); /* thrown out */
    assert_int_equal(a->frames, frames);
    lab_raw_close(&member);
}

static void a_guest_is_marked_and_answered_and_ends(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_raw_t guest = lab_raw_open(66, a, NULL);
    uint32_t frames;

    assert_int_equal(gp_net_admit_guest(a->net, &guest.id, true), GP_OK);
    assert_int_equal(gp_net_admit_guest(a->net, &guest.id, true), GP_OK); /* again: fine */
    LAB_UNTIL(lab, 2000, lab_raw_sent(&guest, "may I?", 6) && a->guest_frames >= 1);
    assert_int_equal(a->frames, a->guest_frames);
    assert_int_equal(a->ups, 0); /* a guest is no machine */
    assert_int_equal(gp_net_send(a->net, &guest.id, gp_text("yes"), GP_CLASS_CONTROL), GP_OK);
    /* its key is used up now: the answer leaves all the same, and no further frame comes in */
    assert_int_equal(gp_net_admit_guest(a->net, &guest.id, false), GP_OK);
    frames = a->frames;
    LAB_UNTIL(lab, 2000, lab_raw_received(&guest) == 3);
    (void)lab_raw_sent(&guest, "more", 4);
    LAB_UNTIL(lab, 4000, lab_count(a).connections == 0 && lab_count(a).keys_refused >= 1);
    assert_int_equal(a->frames, frames);
    assert_int_equal(gp_net_admit_guest(a->net, &guest.id, false), GP_OK); /* again: fine */
    lab_raw_close(&guest);
}

#define CROWD 20

typedef struct crowd {
    uint64_t ways[CROWD];
    uint8_t numbers[CROWD];
    int count;
} crowd_t;

static void note_way(lab_node_t *node, const gp_id_t *peer, gp_slice_t frame)
{
    crowd_t *crowd = node->extra;

    (void)peer;
    assert_true(crowd->count < CROWD);
    crowd->numbers[crowd->count] = frame.p[0];
    crowd->ways[crowd->count++] = gp_net_way(node->net);
}

/* An invitation for many: they come at the same time with the same key, and each gets its own
 * answer. */
static void guests_with_one_key_are_answered_apart(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    crowd_t crowd = {.count = 0};
    lab_raw_t guests[CROWD];

    a->on_frame = note_way;
    a->extra = &crowd;
    for (uint8_t i = 0; i < CROWD; i++) {
        guests[i] = lab_raw_open(66, a, NULL);
        assert_true(lab_raw_sent(&guests[i], &i, 1));
    }
    assert_int_equal(gp_net_admit_guest(a->net, &guests[0].id, true), GP_OK);
    LAB_UNTIL(lab, 3000, crowd.count == CROWD);
    assert_int_equal(gp_net_way(a->net), 0); /* not inside a frame */
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(
            gp_net_answer(a->net, &guests[0].id, crowd.ways[i], gp_slice(&crowd.numbers[i], 1)),
            GP_OK);
    }
    for (uint8_t i = 0; i < CROWD; i++) {
        uint8_t answer = 0xff;
        LAB_UNTIL(lab, 2000, zmq_recv(guests[i].socket, &answer, 1, ZMQ_DONTWAIT) == 1);
        assert_int_equal(answer, i);
        assert_true(lab_raw_received(&guests[i]) < 0);
        lab_raw_close(&guests[i]);
    }
    LAB_UNTIL(lab, 2000, lab_count(a).connections == 0);
    assert_int_equal(gp_net_answer(a->net, &guests[0].id, crowd.ways[0], gp_text("late")),
                     GP_E_PEER_UNREACHABLE);
    assert_int_equal(gp_net_answer(a->net, &guests[0].id, 0, gp_text("nobody")),
                     GP_E_PEER_UNREACHABLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stranger_gets_nothing_in_and_nothing_out),
        TEST(who_is_admitted_late_gets_in_at_once),
        TEST(a_refused_machine_comes_again),
        TEST(many_unknown_keys_do_not_keep_a_machine_out),
        TEST(forgetting_cuts_a_live_connection),
        TEST(forgetting_inside_a_callback_stops_the_very_next_frame),
        TEST(forgetting_inside_a_callback_closes_ones_own_link),
        TEST(a_routing_id_of_ones_own_is_refused),
        TEST(the_sender_is_who_the_handshake_proved),
        TEST(the_newest_connection_counts),
        TEST(several_parts_are_refused_and_cost_nothing),
        TEST(a_member_cannot_send_too_much),
        TEST(a_guest_is_marked_and_answered_and_ends),
        TEST(guests_with_one_key_are_answered_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
