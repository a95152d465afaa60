/* The table of the admitted. */
#include "tests/unit/overlay_net_lab.h"

static gp_net_counters_t count(const lab_node_t *node)
{
    gp_net_counters_t counters;

    gp_net_count(node->net, &counters);
    return counters;
}

static void unusable_keys_and_twins_are_refused(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    gp_id_t low = {{1}}; /* the neutral element: of order 1 */
    gp_id_t id;
    gp_secret_t *secret = lab_secret(66);

    assert_int_equal(gp_net_admit(a->net, &low, NULL), GP_E_CERT_FORMAT);
    assert_int_equal(gp_net_admit_guest(a->net, &low, true), GP_E_CERT_FORMAT);
    id = gp_secret_id(secret);
    assert_int_equal(gp_net_admit(a->net, &id, NULL), GP_OK);
    id.b[31] ^= 0x80; /* the negative: another id, the same CURVE key */
    assert_int_equal(gp_net_admit(a->net, &id, NULL), GP_E_CERT_FORMAT);
    assert_int_equal(gp_net_admit(a->net, &a->id, NULL), GP_OK); /* oneself: nothing to do */
    assert_int_equal(count(a).peers, 1);
    gp_secret_free(secret);
}

static void the_table_has_a_limit(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    gp_error_t error = GP_OK;
    gp_secret_t *secret = NULL;
    gp_net_peer_info_t before = {0};
    gp_net_peer_info_t info;
    uint32_t n = 0;

    while (error == GP_OK) {
        uint8_t seed[32] = {3, (uint8_t)n, (uint8_t)(n >> 8)};
        gp_id_t id;
        assert_int_equal(gp_secret_from_seed(seed, &secret), GP_OK);
        id = gp_secret_id(secret);
        gp_secret_free(secret);
        error = gp_net_admit(a->net, &id, NULL);
        n += error == GP_OK;
    }
    assert_int_equal(error, GP_E_PEER_LIMIT);
    assert_int_equal(n, GP_NET_PEERS_MAX);
    for (uint32_t i = 0; gp_net_peer(a->net, i, &info); i++) {
        assert_true(gp_id_compare(&before.id, &info.id) < 0); /* in order */
        before = info;
        n--;
    }
    assert_int_equal(n, 0);
}

static uint32_t told;

/* Changes the table from inside the walk that tells about links. */
static void change_the_table(lab_node_t *node, const gp_id_t *peer, bool up)
{
    gp_secret_t *secret = lab_secret((uint8_t)(200 + told));
    gp_id_t other = gp_secret_id(secret);

    (void)up;
    told++;
    gp_secret_free(secret);
    assert_int_equal(gp_net_admit(node->net, &other, NULL), GP_OK);
    gp_net_forget(node->net, peer);
}

static void callbacks_may_change_the_table(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    gp_net_peer_info_t info;

    for (int i = 1; i <= 5; i++) {
        lab_node_t *b = lab_start(lab, i, LAB_LOCAL);
        lab_introduce(a, b, false);
        assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    }
    a->on_link = change_the_table;
    LAB_UNTIL(lab, 3000, told == 5);
    assert_int_equal(count(a).peers, 5); /* each gave way to another */
    assert_int_equal(count(a).links, 0);
    for (uint32_t i = 0; gp_net_peer(a->net, i, &info); i++) {
        assert_false(info.up || info.held);
    }
    /* the other sides see the end, and come to nothing when they try */
    for (int i = 1; i <= 5; i++) {
        LAB_UNTIL(lab, 2000, lab->nodes[i].downs == lab->nodes[i].ups);
    }
}

static void admitting_again_is_nothing_new(void **state)
{
    lab_t *lab = *state;
    lab_node_t *a = lab_start(lab, 0, LAB_LOCAL);
    lab_node_t *b = lab_start(lab, 1, LAB_LOCAL);

    lab_introduce(a, b, true);
    assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
    LAB_UNTIL(lab, 2000, a->ups == 1 && b->ups == 1);
    for (int i = 0; i < 10; i++) {
        lab_introduce(a, b, true);
        assert_int_equal(gp_net_link(a->net, &b->id, true), GP_OK);
        assert_int_equal(gp_net_admit(a->net, &b->id, NULL), GP_OK); /* keeps the address */
    }
    lab_run(lab, 50);
    assert_int_equal(a->ups + b->ups, 2);
    assert_int_equal(a->downs + b->downs, 0);
    assert_int_equal(count(a).peers, 1);
    /* forgotten and admitted again, it has to prove itself again, and can */
    gp_net_forget(a->net, &b->id);
    lab_introduce(a, b, true);
    lab_send(a, b, "again");
    LAB_UNTIL(lab, 3000, b->frames == 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unusable_keys_and_twins_are_refused),
        TEST(the_table_has_a_limit),
        TEST(callbacks_may_change_the_table),
        TEST(admitting_again_is_nothing_new),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
