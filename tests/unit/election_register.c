/* The register: what a voter takes, what it says about it, when the leader calls it committed. */
#include "election_lab.h"

#include "proto_cmocka.h"

/* A REGISTER of leader 1, term 2, for voters 1..3. */
static gp_msg_t *new_register(uint64_t version)
{
    gp_msg_t *msg = solo_new_msg(GP_MSG_REGISTER);
    gp_msg_election_state_t state = solo_state(3, 2);
    msg->u.register_.term = 2;
    msg->u.register_.version = version;
    msg->u.register_.voters_count = 3;
    memcpy(msg->u.register_.voters, state.voters, sizeof state.voters);
    return msg;
}

static solo_t *new_follower(void)
{
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t state = solo_state(3, 1);
    solo_t *solo = solo_new(&config, 2, &state);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    solo_stored(solo, true);
    return solo;
}

static void test_acknowledges_what_is_durable(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    gp_msg_t *msg = new_register(4);
    static const uint8_t value[] = {1, 2, 3};
    msg->u.register_.value = gp_slice(value, sizeof value);
    solo_msg(solo, 1, msg);
    assert_null(solo_find(solo, GP_MSG_REGISTER_ACK));
    const gp_action_t *stored = solo_find(solo, GP_MSG_ELECTION_STATE);
    assert_int_equal(stored->msg->u.election_state.version, 4);
    assert_int_equal(stored->msg->u.election_state.value_term, 2);
    assert_int_equal(stored->msg->u.election_state.value.n, 3);
    solo_lease(solo, 1, 2); /* a grant is no word about the register */
    assert_int_equal(solo_find(solo, GP_MSG_LEASE_ACK)->msg->u.lease_ack.version, 0);
    solo_stored(solo, true);
    assert_true(solo_find(solo, GP_MSG_REGISTER_ACK)->msg->u.register_ack.stored);
    solo_lease(solo, 1, 2);
    assert_int_equal(solo_find(solo, GP_MSG_LEASE_ACK)->msg->u.lease_ack.version, 4);
    solo_msg(solo, 1, new_register(4)); /* again: it has it */
    assert_non_null(solo_find(solo, GP_MSG_REGISTER_ACK));
    solo_free(solo);
}

static void test_ignores_late_copies_and_bad_rosters(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    solo_msg(solo, 1, new_register(6));
    solo_stored(solo, true);
    solo_msg(solo, 1, new_register(5));
    assert_null(solo_find(solo, GP_MSG_REGISTER_ACK));
    assert_int_equal(gp_election_version(solo->core), 6);
    gp_msg_t *msg = new_register(7);
    msg->u.register_.voters_count = 0;
    solo_msg(solo, 1, msg);
    msg = new_register(7);
    msg->u.register_.voters[1].id = lab_id(1); /* one voter twice */
    solo_msg(solo, 1, msg);
    msg = new_register(7);
    msg->u.register_.voters[2].id = (gp_id_t){0};
    solo_msg(solo, 1, msg);
    msg = new_register(7);
    solo_msg(solo, 3, msg); /* not by the leader */
    assert_non_null(solo_find(solo, GP_MSG_MANDATE_ASK));
    assert_int_equal(gp_election_version(solo->core), 6);
    solo_free(solo);
}

static void test_taking_it_grants_the_lease(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    solo_wake(solo, 2 * GP_SECOND);
    solo_msg(solo, 1, new_register(4));
    solo_stored(solo, true);
    solo_wake(solo, 1400 * GP_MSEC);
    solo_vote_ask(solo, 3, 9, false, 0);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    solo_free(solo);
}

static void test_a_new_leader_commits_in_its_own_term_first(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 1);
    solo_t *solo = solo_new(&config, 1, &disk);
    solo_standings(solo, 5, NULL); /* there are two more who could vote */
    solo_wake(solo, 2 * GP_SECOND);
    gp_msg_t *msg = solo_new_msg(GP_MSG_PREVOTE);
    msg->u.prevote.term = 2;
    msg->u.prevote.granted = true;
    solo_msg(solo, 2, msg);
    solo_stored(solo, true);
    solo_vote(solo, 1, 2);
    solo_vote(solo, 2, 2);
    assert_int_equal(gp_election_version(solo->core), 4);
    assert_null(solo_find(solo, GP_MSG_REGISTER)); /* its own copy is not on disk yet */
    solo_stored(solo, true);
    assert_int_equal(solo_count(solo, GP_MSG_REGISTER), 2);
    assert_false(gp_election_committed(solo->core));
    solo_standings(solo, 5, NULL);
    assert_null(solo_find(solo, GP_MSG_REGISTER)); /* nothing changes before that is committed */
    solo_lease_acks(solo, 3);
    assert_true(gp_election_committed(solo->core));
    assert_true(solo_find(solo, GP_MSG_ROSTER)->msg->u.roster.committed);
    solo_free(solo);
}

static void test_failed_acks_do_not_commit(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    gp_election_roster_t roster = solo->core->roster;
    gp_out_reset(&solo->out);
    gp_election_write(solo->core, &roster, &solo->out);
    solo_wake(solo, GP_MSEC);
    solo_stored(solo, true);
    gp_msg_t *msg = solo_new_msg(GP_MSG_REGISTER_ACK);
    msg->u.register_ack.term = 2;
    msg->u.register_ack.version = solo->core->version;
    solo_msg(solo, 2, msg); /* not stored */
    msg->u.register_ack.stored = true;
    msg->u.register_ack.version = solo->core->version + 1;
    solo_msg(solo, 2, msg); /* never written */
    msg->u.register_ack.version = solo->core->version - 1;
    solo_msg(solo, 2, msg); /* the one before */
    assert_false(gp_election_committed(solo->core));
    msg->u.register_ack.version = solo->core->version;
    solo_msg(solo, 9, msg); /* no voter */
    assert_false(gp_election_committed(solo->core));
    solo_msg(solo, 2, msg);
    assert_true(gp_election_committed(solo->core));
    solo_free(solo);
}

/*
 * A leader's lease that was granted by {1, 2}, and a roster that became {3, 4, 5, ...} since: those
 * must not elect inside that lease. They hold it because they took the register.
 */
static bool drop_leases(uint32_t from, uint32_t to, gp_msg_kind_t kind)
{
    (void)from;
    return to >= 2 && kind == GP_MSG_LEASE;
}

static void test_new_voters_know_the_lease(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 50; seed++) {
        lab_t *lab = lab_new(6, seed);
        for (uint32_t i = 0; i < 2; i++) {
            lab_start(lab, i);
        }
        lab_command(lab, 0, GP_MSG_ELECTION_FOUND);
        lab->config.dead_voter_after_ms = 200;
        lab_run(lab, 2 * GP_SECOND + gp_random_below(&lab->random, 400 * GP_MSEC));
        lab->drop = drop_leases;
        for (uint32_t i = 2; i < 6; i++) {
            lab_start(lab, i);
        }
        lab_run(lab, gp_random_below(&lab->random, 300 * GP_MSEC));
        lab_split(lab, 3, true);     /* 1 and 2 on one side, the new ones on the other */
        lab_run(lab, 6 * GP_SECOND); /* the lab checks that no two leases overlap */
        lab_free(lab);
    }
}

static void test_a_value_has_a_limit(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    static const uint8_t value[GP_REGISTER_MAX + 1];
    gp_msg_t *msg = new_register(4);
    msg->u.register_.value = gp_slice(value, sizeof value);
    solo_msg(solo, 1, msg);
    assert_int_equal(solo->out.count, 0);
    assert_int_equal(gp_election_version(solo->core), 3);
    msg->u.register_.value.n--;
    solo_msg(solo, 1, msg);
    assert_int_equal(gp_election_version(solo->core), 4);
    solo_free(solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acknowledges_what_is_durable),
        cmocka_unit_test(test_ignores_late_copies_and_bad_rosters),
        cmocka_unit_test(test_taking_it_grants_the_lease),
        cmocka_unit_test(test_a_new_leader_commits_in_its_own_term_first),
        cmocka_unit_test(test_failed_acks_do_not_commit),
        cmocka_unit_test(test_new_voters_know_the_lease),
        cmocka_unit_test(test_a_value_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
