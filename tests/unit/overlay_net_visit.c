/* Machines of no group of this one: strangers that say who they are, or do not; contacts; and how
 * much of all this there may be. */
#include "overlay/net/options.h"
#include "proto/text.h"
#include "tests/unit/overlay_net_lab.h"

#include <zmq.h>

static lab_node_t *start_open(lab_t *lab, int i)
{
    lab->nodes[i].open = true;
    return lab_start(lab, i, LAB_LOCAL);
}

static bool greet_as(lab_raw_t *raw, const gp_id_t *id)
{
    gp_slice_t greeting = lab_greeting(id, false, "");

    return lab_raw_sent(raw, greeting.p, greeting.n);
}

static void a_stranger_that_says_who_it_is_gets_in_and_is_answered(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = start_open(lab, 0);
    lab_raw_t stranger = lab_raw_open(66, a, NULL);

    assert_true(greet_as(&stranger, &stranger.id));
    assert_true(lab_raw_sent(&stranger, "hi", 2));
    LAB_UNTIL(lab, 2000, a->visitor_frames == 1);
    assert_int_equal(a->frames, 1); /* the greeting is the transport's */
    assert_true(gp_id_equal(&a->last_peer, &stranger.id));
    assert_int_equal(gp_net_standing(a->net, &stranger.id), GP_STANDING_VISITOR);
    assert_int_equal(a->ups, 0);
    assert_int_equal(gp_net_send(a->net, &stranger.id, gp_text("yes"), GP_CLASS_CONTROL), GP_OK);
    LAB_UNTIL(lab, 2000, lab_raw_received(&stranger) == 3);
    assert_int_equal(lab_count(a).visitors, 1);
    assert_int_equal(lab_count(a).visits, 1);
    assert_int_equal(lab_count(a).strangers, 0);
    lab_raw_close(&stranger);
}

/* Its key comes second: the first frame asked who this is, and hears it before anything else. */
static void who_asks_is_told_first_who_this_is(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = start_open(lab, 0);
    lab_raw_t stranger = lab_raw_open(66, a, NULL);
    gp_slice_t greeting = lab_greeting(&stranger.id, true, "");
    const int expected = (int)(greeting.n + strlen(gp_net_address(a->net)));
    int got = -1;

    assert_true(lab_raw_sent(&stranger, greeting.p, greeting.n));
    LAB_UNTIL(lab, 2000, (got = lab_raw_received(&stranger)) >= 0);
    assert_int_equal(got, expected);
    lab_raw_close(&stranger);
}

static void who_proves_nothing_is_cut_after_one_frame(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = start_open(lab, 0);
    lab_node_t *b = start_open(lab, 1);
    const struct {
        const gp_id_t *says; /* NULL: nothing that can be read */
    } cases[] = {{NULL}, {&b->id}, {&a->id}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lab_raw_t stranger = lab_raw_open((uint8_t)(66 + i), a, NULL);
        assert_true(cases[i].says != NULL ? greet_as(&stranger, cases[i].says)
                                          : lab_raw_sent(&stranger, "let me in", 9));
        for (int k = 0; k < 20; k++) { /* what comes after it is dropped unread */
            assert_true(greet_as(&stranger, &stranger.id));
        }
        LAB_UNTIL(lab, 2000, lab_count(a).visits_refused == i + 1);
        LAB_UNTIL(lab, 2000, lab_count(a).dropped[GP_DROP_STRANGER] == (i + 1) * 21);
        assert_int_equal(a->visits, i + 1);
        assert_true(lab_raw_received(&stranger) < 0);
        lab_raw_close(&stranger);
    }
    assert_int_equal(a->frames, 0);
    assert_int_equal(lab_count(a).peers, 0);
    assert_int_equal(lab_count(a).connections, 0);
}

/* Not even looked at, and cut as well. */
static void a_stranger_in_a_wrong_form_is_cut(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = start_open(lab, 0);
    static uint8_t bytes[GP_MESSAGE_MAX + 1];
    char name[200];
    lab_raw_t large = lab_raw_open(66, a, NULL);

    assert_true(lab_raw_sent(&large, bytes, sizeof bytes));
    LAB_UNTIL(lab, 2000, lab_count(a).visits_refused == 1);
    lab_raw_close(&large);
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    lab_raw_t named = lab_raw_open(67, a, name);
    assert_true(greet_as(&named, &named.id));
    LAB_UNTIL(lab, 2000, lab_count(a).visits_refused == 2);
    assert_int_equal(a->visits, 0);
    assert_int_equal(lab_count(a).dropped[GP_DROP_FORM], 1);
    assert_int_equal(lab_count(a).dropped[GP_DROP_ROUTE], 1);
    assert_int_equal(lab_count(a).peers, 0);
    lab_raw_close(&named);
}

static void a_silent_stranger_is_cut_and_comes_again(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = start_open(lab, 0);
    lab_raw_t stranger = lab_raw_open(66, a, NULL);

    LAB_UNTIL(lab, 2000, lab_count(a).strangers == 1);
    assert_int_equal(lab_count(a).accepted, 1);
    LAB_UNTIL(lab, 8000, lab_count(a).accepted == 2);
    assert_int_equal(lab_count(a).keys_refused, 0); /* it was in all the time */
    lab_raw_close(&stranger);
}

static void who_does_not_listen_to_strangers_holds_them(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_raw_t stranger = lab_raw_open(66, a, NULL);

    assert_true(greet_as(&stranger, &stranger.id));
    LAB_UNTIL(lab, 2000, lab_count(a).keys_refused == 1);
    lab_run(lab, 700);
    assert_int_equal(lab_count(a).strangers, 0);
    assert_int_equal(lab_count(a).peers, 0);
    lab_raw_close(&stranger);
}

/* ---- crowds ---------------------------------------------------------------------------------- */

#define SILENT (GP_NET_STRANGERS_MAX + 40)

typedef struct crowd {
    void *context;
    void *sockets[SILENT];
} crowd_t;

static crowd_t crowd_open(const lab_node_t *to)
{
    crowd_t crowd = {.context = gp_context_new()};
    gp_secret_t *secret = lab_secret(77);
    gp_curve_t curve;
    uint8_t server_key[32];

    assert_non_null(crowd.context);
    gp_secret_curve(secret, curve.public_key, curve.secret_key);
    assert_int_equal(gp_id_curve(&to->id, server_key), GP_OK);
    for (int i = 0; i < SILENT; i++) {
        crowd.sockets[i] = gp_link_socket(crowd.context, &curve, server_key);
        assert_non_null(crowd.sockets[i]);
        assert_int_equal(zmq_connect(crowd.sockets[i], gp_net_address(to->net)), 0);
    }
    gp_secret_free(secret);
    return crowd;
}

static void crowd_close(crowd_t *crowd)
{
    for (int i = 0; i < SILENT; i++) {
        gp_socket_close(crowd->sockets[i], 0);
    }
    assert_int_equal(zmq_ctx_term(crowd->context), 0);
}

/* They take all places that strangers have, say nothing, and are cut for that; members go by. */
static void silent_strangers_have_few_places_and_little_time(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = start_open(lab, 0);
    lab_node_t *b = start_open(lab, 1);
    crowd_t crowd = crowd_open(a);
    uint32_t most = 0;

    LAB_UNTIL(lab, 8000, lab_count(a).strangers == GP_NET_STRANGERS_MAX);
    lab_introduce(b, a, false);
    lab_send(b, a, "in");
    LAB_UNTIL(lab, 2000, a->last_n == 2);
    assert_int_equal(gp_net_standing(a->net, &b->id), GP_STANDING_MEMBER);
    /* None of them says a word, so only the cut makes room for those that come again. */
    LAB_UNTIL(lab, 8000, (most = lab_count(a).strangers) < GP_NET_STRANGERS_MAX);
    assert_true(most <= GP_NET_STRANGERS_MAX);
    assert_int_equal(lab_count(a).visits, 0);
    crowd_close(&crowd);
}

/* ---- contacts -------------------------------------------------------------------------------- */

static void meet(lab_node_t *from, const lab_node_t *to)
{
    assert_int_equal(gp_net_contact(from->net, &to->id, gp_net_address(to->net)), GP_OK);
}

static void two_that_were_never_introduced_talk_over_one_connection(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = start_open(lab, 0);
    lab_node_t *b = start_open(lab, 1);

    meet(a, b);
    assert_int_equal(gp_net_standing(a->net, &b->id), GP_STANDING_CONTACT);
    lab_send(a, b, "hi");
    LAB_UNTIL(lab, 2000, b->visitor_frames == 1);
    LAB_UNTIL(lab, 2000, gp_net_standing(a->net, &b->id) == GP_STANDING_VISITOR);
    lab_send(b, a, "yes");
    LAB_UNTIL(lab, 2000, a->visitor_frames == 1);
    assert_int_equal(b->greetings, 1); /* it was asked who it is */
    assert_int_equal(lab_count(b).links, 0);
    assert_int_equal(a->ups + b->ups, 0);
    /* and later b finds a where its greeting said that it is */
    gp_net_forget(a->net, &b->id);
    LAB_UNTIL(lab, 2000, lab_count(b).connections == 0);
    lab_send(b, a, "again");
    LAB_UNTIL(lab, 4000, a->visitor_frames == 2);
}

/* Both at once: neither has seen the other's certificate when it comes in. */
static void two_contacts_that_dial_each_other_meet(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = start_open(lab, 0);
    lab_node_t *b = start_open(lab, 1);

    meet(a, b);
    meet(b, a);
    for (int i = 0; i < 3; i++) {
        lab_send(a, b, "a");
        lab_send(b, a, "b");
    }
    LAB_UNTIL(lab, 4000,
              gp_net_standing(a->net, &b->id) == GP_STANDING_VISITOR &&
                  gp_net_standing(b->net, &a->id) == GP_STANDING_VISITOR);
    uint32_t before = a->visitor_frames;
    lab_send(b, a, "b");
    LAB_UNTIL(lab, 2000, a->visitor_frames > before);
    before = b->visitor_frames;
    lab_send(a, b, "a");
    LAB_UNTIL(lab, 2000, b->visitor_frames > before);
}

/* It let this machine in, as it knows it; that says nothing about what it is itself. */
static void a_contact_is_not_heard_before_it_shows_who_it_is(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = start_open(lab, 0);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);
    gp_slice_t greeting;

    assert_int_equal(gp_net_admit(b->net, &a->id, NULL), GP_OK);
    meet(a, b);
    lab_send(a, b, "hi");
    LAB_UNTIL(lab, 2000, b->last_n == 2);
    lab_send(b, a, "unproven");
    LAB_UNTIL(lab, 2000, lab_count(a).dropped[GP_DROP_STRANGER] == 1);
    greeting = lab_greeting(&a->id, false, ""); /* somebody else's */
    assert_int_equal(gp_net_send(b->net, &a->id, greeting, GP_CLASS_CONTROL), GP_OK);
    LAB_UNTIL(lab, 2000, lab_count(a).dropped[GP_DROP_STRANGER] == 2);
    assert_int_equal(a->frames, 0);
    assert_int_equal(gp_net_standing(a->net, &b->id), GP_STANDING_CONTACT);
    greeting = lab_greeting(&b->id, false, "");
    assert_int_equal(gp_net_send(b->net, &a->id, greeting, GP_CLASS_CONTROL), GP_OK);
    lab_send(b, a, "proven");
    LAB_UNTIL(lab, 2000, a->visitor_frames == 1);
}

/* A contact's own connection is a stranger's: that it can be dialled does not let it in. */
static void a_contact_that_comes_by_itself_is_a_stranger(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = start_open(lab, 0);
    lab_raw_t raw = lab_raw_open(66, a, NULL);

    assert_int_equal(gp_net_contact(a->net, &raw.id, "tcp://127.0.0.1:9"), GP_OK);
    assert_true(lab_raw_sent(&raw, "hi", 2));
    LAB_UNTIL(lab, 2000, lab_count(a).visits_refused == 1);
    assert_int_equal(a->frames, 0);
    assert_int_equal(lab_count(a).keys_admitted, 0);
    LAB_UNTIL(lab, 4000, (greet_as(&raw, &raw.id), lab_count(a).visits == 1));
    assert_int_equal(gp_net_standing(a->net, &raw.id), GP_STANDING_VISITOR);
    lab_raw_close(&raw);
}

static void a_visitor_that_was_forgotten_greets_again(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = start_open(lab, 0);
    lab_node_t *b = start_open(lab, 1);

    meet(a, b);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, lab_count(b).visits == 1);
    gp_net_forget(b->net, &a->id);
    LAB_UNTIL(lab, 5000, lab_count(b).visits == 2);
    lab_send(a, b, "again");
    LAB_UNTIL(lab, 2000, b->visitor_frames == 1);
    lab_send(b, a, "yes");
    LAB_UNTIL(lab, 2000, a->visitor_frames == 1);
}

static void a_visitor_stays_no_longer_than_its_certificate(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = start_open(lab, 0);
    lab->nodes[1].valid_ms = 200;
    lab_node_t *b = start_open(lab, 1);

    meet(a, b);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, lab_count(b).visits == 1);
    assert_int_equal(gp_net_link(a->net, &b->id, false), GP_OK);
    gp_net_forget(a->net, &b->id);
    LAB_UNTIL(lab, 2000, lab_count(b).peers == 0);
}

static void after_a_restart_of_either_side_it_goes_on(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = start_open(lab, 0);
    lab_node_t *b = start_open(lab, 1);
    char address[GP_ADDRESS_MAX + 1];

    meet(a, b);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, lab_count(b).visits == 1);
    assert_true(gp_text_copy(address, sizeof address, gp_text(gp_net_address(b->net))));
    lab_stop(b, 0);
    b = lab_start(lab, 1, address);
    LAB_UNTIL(lab, 8000, lab_count(b).visits == 1);
    lab_send(a, b, "one");
    LAB_UNTIL(lab, 2000, b->visitor_frames == 1);

    lab_stop(a, 0);
    a = start_open(lab, 0);
    meet(a, b);
    lab_send(a, b, "two");
    LAB_UNTIL(lab, 4000, b->last_n == 3 && b->last[0] == 't');
    lab_send(b, a, "yes");
    LAB_UNTIL(lab, 4000, a->visitor_frames == 1);
}

/* Cut at once and unheard: it comes again, but not as fast as it can. */
static void who_is_refused_does_not_hammer(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL); /* it greets nobody */
    lab_node_t *b = start_open(lab, 1);

    assert_int_equal(gp_net_admit(a->net, &b->id, gp_net_address(b->net)), GP_OK);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, lab_count(b).visits_refused == 1);
    lab_run(lab, 2500);
    assert_in_range(lab_count(b).visits_refused, 2, 4);
    lab_send(a, b, "waits"); /* is no reason to come sooner */
    assert_int_equal(gp_net_admit(b->net, &a->id, NULL), GP_OK);
    LAB_UNTIL(lab, 4000, b->frames == 1);
}

static void of_a_visitor_that_becomes_a_member_the_link_is_told(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = start_open(lab, 0);
    lab_node_t *b = start_open(lab, 1);

    meet(a, b);
    lab_send(a, b, "hi");
    LAB_UNTIL(lab, 2000, b->visitor_frames == 1);
    assert_int_equal(b->ups, 0);
    assert_int_equal(gp_net_admit(b->net, &a->id, NULL), GP_OK);
    LAB_UNTIL(lab, 1000, b->ups == 1);
    lab_send(a, b, "member");
    LAB_UNTIL(lab, 1000, b->frames == 2);
    assert_int_equal(b->visitor_frames, 1);
    assert_int_equal(lab_count(b).visitors, 0);
    lab_stop(a, 0);
    LAB_UNTIL(lab, 1000, b->downs == 1);
}

/* ---- places ---------------------------------------------------------------------------------- */

static gp_error_t contact_somebody(lab_node_t *node)
{
    gp_secret_t *secret = NULL;
    gp_id_t id;
    gp_error_t error;

    assert_int_equal(gp_secret_new(&secret), GP_OK);
    id = gp_secret_id(secret);
    error = gp_net_contact(node->net, &id, "tcp://127.0.0.1:9");
    gp_secret_free(secret);
    return error;
}

static void visitors_have_places_of_their_own_and_no_more(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = start_open(lab, 0);
    lab_node_t *b = start_open(lab, 1);

    for (int i = 0; i < GP_NET_VISITORS_MAX; i++) {
        assert_int_equal(contact_somebody(a), GP_OK);
    }
    assert_int_equal(contact_somebody(a), GP_E_PEER_LIMIT);
    meet(b, a);
    lab_send(b, a, "hi");
    LAB_UNTIL(lab, 2000, lab_count(a).visits_refused >= 1);
    assert_int_equal(lab_count(a).visitors, GP_NET_VISITORS_MAX);
    assert_int_equal(gp_net_admit(a->net, &b->id, NULL), GP_OK); /* members have others */
    LAB_UNTIL(lab, 4000, (lab_send(b, a, "hi"), a->frames >= 1));
}

static void the_idlest_visitor_gives_way_and_one_in_use_never(void **state)
{
    lab_t *lab = *state;
    lab->nodes[0].visitor_rest_ms = 1;
    lab_node_t *a = start_open(lab, 0);
    lab_node_t *b = start_open(lab, 1);
    lab_node_t *c = start_open(lab, 2);

    meet(a, b);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK); /* the oldest, and held */
    meet(a, c);
    lab_run(lab, 5); /* c is the idlest from now on */
    for (int i = 0; i < GP_NET_VISITORS_MAX - 2; i++) {
        assert_int_equal(contact_somebody(a), GP_OK);
    }
    lab_run(lab, 5);
    assert_int_equal(contact_somebody(a), GP_OK);
    assert_int_equal(lab_count(a).visitors, GP_NET_VISITORS_MAX);
    assert_int_equal(gp_net_standing(a->net, &c->id), GP_STANDING_NONE);
    assert_int_not_equal(gp_net_standing(a->net, &b->id), GP_STANDING_NONE);
}

static void an_idle_visitor_is_forgotten_and_a_held_one_is_not(void **state)
{
    lab_t *lab = *state;
    lab->nodes[0].visitor_idle_ms = 100;
    lab_node_t *a = start_open(lab, 0);
    lab_node_t *b = start_open(lab, 1);
    lab_node_t *c = start_open(lab, 2);

    meet(a, b);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    meet(a, c);
    LAB_UNTIL(lab, 3000, gp_net_standing(a->net, &c->id) == GP_STANDING_NONE);
    lab_run(lab, 1100); /* two more ticks */
    assert_int_equal(gp_net_standing(a->net, &b->id), GP_STANDING_VISITOR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stranger_that_says_who_it_is_gets_in_and_is_answered),
        TEST(who_asks_is_told_first_who_this_is),
        TEST(who_proves_nothing_is_cut_after_one_frame),
        TEST(a_stranger_in_a_wrong_form_is_cut),
        TEST(a_silent_stranger_is_cut_and_comes_again),
        TEST(who_does_not_listen_to_strangers_holds_them),
        TEST(silent_strangers_have_few_places_and_little_time),
        TEST(two_that_were_never_introduced_talk_over_one_connection),
        TEST(two_contacts_that_dial_each_other_meet),
        TEST(a_contact_is_not_heard_before_it_shows_who_it_is),
        TEST(a_contact_that_comes_by_itself_is_a_stranger),
        TEST(a_visitor_that_was_forgotten_greets_again),
        TEST(a_visitor_stays_no_longer_than_its_certificate),
        TEST(after_a_restart_of_either_side_it_goes_on),
        TEST(who_is_refused_does_not_hammer),
        TEST(of_a_visitor_that_becomes_a_member_the_link_is_told),
        TEST(visitors_have_places_of_their_own_and_no_more),
        TEST(the_idlest_visitor_gives_way_and_one_in_use_never),
        TEST(an_idle_visitor_is_forgotten_and_a_held_one_is_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
