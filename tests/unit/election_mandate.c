/* The mandate: collected, shown, renewed in time, and what beats what. */
#include "election_lab.h"

#include "proto_cmocka.h"

static void test_holds_the_votes_of_a_majority(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 5);
    static gp_msg_t msg;
    assert_true(gp_election_mandate(solo->core, &msg));
    assert_int_equal(msg.kind, GP_MSG_MANDATE);
    assert_int_equal(msg.u.mandate.group, LAB_GROUP);
    assert_int_equal(msg.u.mandate.term, 2);
    assert_int_equal(msg.u.mandate.voters_count, 5);
    assert_int_equal(msg.u.mandate.votes_count, 5); /* in the voters' places: empty where none */
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(msg.u.mandate.votes[i].bytes.n, i < 3 ? 233 : 0);
    }
    assert_int_equal(msg.u.mandate.releases_count, 0);
    assert_true(gp_id_equal(&msg.u.mandate.leader, &solo->self));
    solo_free(solo);
    gp_msg_election_state_t disk = solo_state(3, 1);
    solo = solo_new(&config, 1, &disk);
    assert_false(gp_election_mandate(solo->core, &msg));
    solo_free(solo);
}

/* A candidate 1 of voters 1..3 whose asks are out. */
static solo_t *new_candidate(void)
{
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 1);
    solo_t *solo = solo_new(&config, 1, &disk);
    solo_wake(solo, 2 * GP_SECOND);
    gp_msg_t *msg = solo_new_msg(GP_MSG_PREVOTE);
    msg->u.prevote.term = 2;
    msg->u.prevote.granted = true;
    solo_msg(solo, 2, msg);
    solo_stored(solo, true);
    solo_vote(solo, 1, 2);
    assert_int_equal(solo->core->role, GP_ELECTION_CANDIDATE);
    return solo;
}

static void test_votes_that_prove_nothing_do_not_count(void **state)
{
    (void)state;
    static const uint8_t frame[GP_VOTE_MAX + 1];
    solo_t *solo = new_candidate();
    gp_msg_t *msg = solo_new_msg(GP_MSG_VOTE);
    msg->u.vote.term = 2;
    msg->u.vote.candidate = lab_id(1);
    msg->u.vote.granted = true;
    msg->u.vote.roster = gp_election_roster_digest(solo->core->roster.voters, 3);
    msg->u.vote.valid_ms = 120000;
    solo_msg(solo, 2, msg); /* without its signed bytes */
    msg->signed_bytes = gp_slice(frame, sizeof frame);
    solo_msg(solo, 2, msg); /* too many of them */
    msg->signed_bytes = gp_slice(frame, 200);
    msg->u.vote.roster ^= 1;
    solo_msg(solo, 2, msg); /* for another roster */
    msg->u.vote.roster ^= 1;
    msg->u.vote.valid_ms = 1000;
    solo_msg(solo, 2, msg); /* about to expire */
    msg->u.vote.valid_ms = 120000;
    msg->u.vote.candidate = lab_id(3);
    solo_msg(solo, 2, msg); /* for another candidate */
    assert_int_equal(solo->core->role, GP_ELECTION_CANDIDATE);
    msg->u.vote.candidate = lab_id(1);
    solo_msg(solo, 2, msg);
    assert_int_equal(solo->core->role, GP_ELECTION_LEADER);
    const gp_action_t *shown = solo_find(solo, GP_MSG_MANDATE);
    assert_int_equal(shown->type, GP_ACTION_CAST);
    assert_int_equal(shown->target_count, 2); /* the voters, if the members are not known */
    solo_free(solo);
}

static void test_the_mandate_of_another_ends_a_candidacy(void **state)
{
    (void)state;
    solo_t *solo = new_candidate();
    solo_msg(solo, 3, solo_mandate(3, 2, 3));
    assert_int_equal(solo->core->role, GP_ELECTION_FOLLOWER);
    assert_int_equal(gp_election_term(solo->core), 2);
    solo_vote(solo, 2, 2); /* late */
    assert_int_equal(solo->core->role, GP_ELECTION_FOLLOWER);
    solo_free(solo);
}

static void test_is_renewed_at_half_of_its_time(void **state)
{
    (void)state;
    lab_t *lab = lab_new(3, 5);
    lab->config.vote_valid_ms = 20000;
    lab_grow(lab);
    for (uint32_t i = 0; i < 20; i++) {
        lab_run(lab, 10 * GP_SECOND);
        const gp_election_t *core = lab->nodes[0].core;
        assert_true(core->now - core->mandate.asked_at < 11 * GP_SECOND);
        for (uint32_t j = 1; j < 3; j++) { /* and the members hold the fresh one */
            core = lab->nodes[j].core;
            assert_true(core->now - core->mandate.asked_at < 11 * GP_SECOND);
        }
    }
    assert_int_equal(lab_leader(lab), 0);
    assert_int_equal(gp_election_term(lab->nodes[0].core), 1);
    assert_int_equal(lab->nodes[0].step_downs, 0);
    lab_free(lab);
}

static bool drop_renewals(uint32_t from, uint32_t to, gp_msg_kind_t kind)
{
    (void)from;
    (void)to;
    return kind == GP_MSG_RENEW_ASK;
}

static bool leads_anew(const lab_t *lab)
{
    int leader = lab_leader(lab);
    return leader >= 0 && gp_election_term(lab->nodes[leader].core) == 2;
}

static void test_without_renewal_a_new_term_settles_it(void **state)
{
    (void)state;
    lab_t *lab = lab_new(3, 6);
    lab->config.vote_valid_ms = 20000;
    lab_grow(lab);
    lab->drop = drop_renewals;
    lab_run(lab, 13 * GP_SECOND);
    gp_usec_t took = lab_wait(lab, leads_anew, 3 * GP_SECOND);
    assert_in_range(took, 0, 3 * GP_SECOND);
    assert_int_equal(lab_leader(lab), 0);
    lab_free(lab);
}

static void test_renews_only_for_whom_it_voted(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 2);
    disk.voted_for = lab_id(3); /* lost that term */
    solo_t *solo = solo_new(&config, 2, &disk);
    gp_msg_t *ask = solo_new_msg(GP_MSG_RENEW_ASK);
    ask->u.renew_ask.term = 2;
    solo_msg(solo, 1, ask);
    assert_non_null(solo_find(solo, GP_MSG_MANDATE_ASK)); /* who are you? */
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    ask = solo_new_msg(GP_MSG_RENEW_ASK);
    ask->u.renew_ask.term = 2;
    solo_msg(solo, 1, ask);
    assert_int_equal(solo_answer(solo, 1), GP_VOTE_TAKEN);
    ask->u.renew_ask.term = 1;
    solo_msg(solo, 1, ask);
    assert_int_equal(solo_answer(solo, 1), GP_VOTE_STALE_TERM);
    solo_free(solo);
    disk.voted_for = lab_id(1);
    solo = solo_new(&config, 2, &disk);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    ask = solo_new_msg(GP_MSG_RENEW_ASK);
    ask->u.renew_ask.term = 2;
    solo_msg(solo, 1, ask);
    assert_int_equal(solo_answer(solo, 1), GP_VOTE_YES);
    const gp_msg_vote_t *vote = &solo_find(solo, GP_MSG_VOTE)->msg->u.vote;
    assert_int_equal(vote->valid_ms, config.vote_valid_ms);
    assert_int_equal(vote->roster, gp_election_roster_digest(disk.voters, 3));
    solo_free(solo);
}

static void test_who_led_once_shows_nothing(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    gp_msg_t *ask = solo_new_msg(GP_MSG_MANDATE_ASK);
    solo_msg(solo, 3, ask);
    assert_non_null(solo_find(solo, GP_MSG_MANDATE));
    ask->u.mandate_ask.term = 3; /* only a newer one would do */
    solo_msg(solo, 3, ask);
    assert_null(solo_find(solo, GP_MSG_MANDATE));
    solo_wake(solo, 3 * GP_SECOND);
    assert_false(gp_election_leads(solo->core));
    ask->u.mandate_ask.term = 0;
    solo_msg(solo, 3, ask);
    assert_null(solo_find(solo, GP_MSG_MANDATE));
    solo_free(solo);
}

static void test_a_higher_mandate_unseats_a_lower_is_answered(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    solo_msg(solo, 2, solo_mandate(2, 1, 3));
    assert_true(gp_election_leads(solo->core));
    assert_int_equal(solo_find(solo, GP_MSG_MANDATE)->msg->u.mandate.term, 2);
    solo_msg(solo, 3, solo_mandate(2, 7, 3)); /* whoever brings it */
    assert_false(gp_election_leads(solo->core));
    assert_int_equal(solo_find(solo, GP_MSG_STEP_DOWN)->msg->u.step_down.why, GP_STEP_DOWN_TERM);
    assert_int_equal(gp_election_term(solo->core), 7);
    assert_int_equal(gp_election_own_term(solo->core), 7);
    solo_free(solo);
}

static void test_a_mandate_below_the_own_term_is_denied(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 5);
    solo_t *solo = solo_new(&config, 2, &disk);
    solo_msg(solo, 3, solo_mandate(1, 4, 3));
    assert_int_equal(solo_answer(solo, 1), GP_VOTE_STALE_TERM); /* to the leader, not the bearer */
    assert_int_equal(solo_find(solo, GP_MSG_VOTE)->msg->u.vote.own_term, 5);
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_NONE);
    solo_free(solo);
}

static void test_nonsense_is_ignored(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 1);
    solo_t *solo = solo_new(&config, 2, &disk);
    static gp_msg_t msg;
    msg = *solo_mandate(1, 2, 3);
    msg.u.mandate.voters_count = 0;
    solo_msg(solo, 1, &msg);
    msg = *solo_mandate(1, 2, 3);
    msg.u.mandate.leader = (gp_id_t){0};
    solo_msg(solo, 1, &msg);
    msg = *solo_mandate(1, GP_TERM_MAX + 1, 3);
    solo_msg(solo, 1, &msg);
    msg = *solo_mandate(2, 9, 3); /* its own, from before a crash */
    solo_msg(solo, 1, &msg);
    assert_int_equal(gp_election_own_term(solo->core), 1);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    solo_msg(solo, 3, solo_mandate(3, 2, 3)); /* another leader in the same term */
    gp_id_t leader = gp_election_leader(solo->core);
    gp_id_t one = lab_id(1);
    assert_true(gp_id_equal(&leader, &one));
    solo_free(solo);
}

static void test_the_digest_does_not_mind_the_order(void **state)
{
    (void)state;
    gp_msg_election_state_t a = solo_state(5, 1);
    gp_msg_election_state_t b = solo_state(5, 1);
    for (uint32_t i = 0; i < 5; i++) {
        b.voters[i] = a.voters[4 - i];
        b.voters[i].score = 7;
    }
    uint64_t digest = gp_election_roster_digest(a.voters, 5);
    assert_true(digest == gp_election_roster_digest(b.voters, 5));
    assert_true(digest != gp_election_roster_digest(a.voters, 4));
    b.voters[0].id = lab_id(9);
    assert_true(digest != gp_election_roster_digest(b.voters, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds_the_votes_of_a_majority),
        cmocka_unit_test(test_votes_that_prove_nothing_do_not_count),
        cmocka_unit_test(test_the_mandate_of_another_ends_a_candidacy),
        cmocka_unit_test(test_is_renewed_at_half_of_its_time),
        cmocka_unit_test(test_without_renewal_a_new_term_settles_it),
        cmocka_unit_test(test_renews_only_for_whom_it_voted),
        cmocka_unit_test(test_who_led_once_shows_nothing),
        cmocka_unit_test(test_a_higher_mandate_unseats_a_lower_is_answered),
        cmocka_unit_test(test_a_mandate_below_the_own_term_is_denied),
        cmocka_unit_test(test_nonsense_is_ignored),
        cmocka_unit_test(test_the_digest_does_not_mind_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
