/* Whose mandate is believed: a roster that is not known deposes nobody who leads. */
#include "election_lab.h"

#include "proto_cmocka.h"

#define LIAR 9

static const uint8_t frame[GP_RELEASE_MAX] = "signed bytes, which the gate has checked";

/* Core 2 of voters 1..3, follows leader 1 of term 2 by a lease granted just now. */
static solo_t *new_follower(void)
{
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t state = solo_state(3, 2);
    solo_t *solo = solo_new(&config, 2, &state);
    solo_wake(solo, 1540 * GP_MSEC);
    solo_standings(solo, 3, NULL);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    solo_lease(solo, 1, 2);
    return solo;
}

/* A mandate of `number`, who names itself the only voter, and voted. */
static gp_msg_t *lone_mandate(uint32_t number, uint64_t term)
{
    static gp_msg_t msg;
    msg = *solo_mandate(number, term, 1);
    msg.u.mandate.voters[0].id = lab_id(number);
    msg.u.mandate.version = 99;
    return &msg;
}

static void assert_follows(const solo_t *solo, uint32_t leader, uint64_t term)
{
    gp_id_t follows = gp_election_leader(solo->core);
    gp_id_t wanted = lab_id(leader);
    assert_true(gp_id_equal(&follows, &wanted));
    assert_int_equal(gp_election_term(solo->core), term);
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_QUORUM);
}

static void test_a_lone_voter_deposes_nobody(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    solo_wake(solo, 200 * GP_MSEC);
    solo_msg(solo, LIAR, lone_mandate(LIAR, 3));
    assert_follows(solo, 1, 2);
    assert_int_equal(gp_election_own_term(solo->core), 2);
    const gp_action_t *ask = solo_find(solo, GP_MSG_MANDATE_ASK); /* does the leader concede? */
    gp_id_t leader = lab_id(1);
    assert_true(gp_id_equal(&ask->peer, &leader));
    assert_int_equal(ask->msg->u.mandate_ask.term, 3); /* or any other above its own */
    for (uint32_t i = 0; i < 20; i++) { /* however often it says so, while the leader lives */
        solo_wake(solo, 500 * GP_MSEC);
        solo_lease(solo, 1, 2);
        solo_msg(solo, LIAR, lone_mandate(LIAR, 3 + i));
        assert_follows(solo, 1, 2);
    }
    solo_free(solo);
}

static void test_a_leader_stays_against_a_lone_voter(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    solo_msg(solo, LIAR, lone_mandate(LIAR, 9));
    assert_true(gp_election_leads(solo->core));
    assert_follows(solo, 1, 2);
    solo_msg(solo, LIAR, lone_mandate(2, 9)); /* nor one of several voters alone */
    assert_true(gp_election_leads(solo->core));
    solo_msg(solo, LIAR, solo_mandate(2, 9, 3));
    assert_false(gp_election_leads(solo->core));
    solo_free(solo);
}

static void test_the_roster_is_not_replaced_under_the_leaders_name(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    gp_msg_t *false_roster = lone_mandate(LIAR, 2);
    false_roster->u.mandate.leader = lab_id(1);
    solo_msg(solo, LIAR, false_roster);
    solo_msg(solo, LIAR, lone_mandate(LIAR, 3));
    assert_follows(solo, 1, 2);
    gp_record_voter_t voters[GP_VOTERS_MAX];
    assert_int_equal(gp_election_voters(solo->core, voters), 3);
    solo_free(solo);
}

static void test_the_leader_itself_may_change_it(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_new(&config, 8, NULL); /* no voter: it knows what mandates say */
    solo_standings(solo, 8, NULL);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    gp_msg_t *changed = lone_mandate(4, 2);
    changed->u.mandate.leader = lab_id(1);
    solo_msg(solo, 1, changed); /* all but one were replaced */
    solo_msg(solo, 4, lone_mandate(4, 3));
    assert_follows(solo, 4, 3);
    solo_free(solo);
}

static void test_a_leader_that_concedes_is_deposed(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    solo_msg(solo, 4, lone_mandate(4, 5));
    assert_follows(solo, 1, 2);
    solo_msg(solo, 1, lone_mandate(4, 5)); /* its answer: it follows that one itself */
    assert_follows(solo, 4, 5);
    solo_free(solo);
}

/* The leader died just after the roster had changed: those who voted are hardly known here. */
static void test_known_voters_that_follow_it_speak_for_it(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_new(&config, 8, NULL);
    solo_standings(solo, 8, NULL);
    solo_msg(solo, 1, solo_mandate(1, 2, 5));
    solo_msg(solo, 7, lone_mandate(7, 3));
    assert_follows(solo, 1, 2);
    assert_int_equal(solo_count(solo, GP_MSG_MANDATE_ASK), 5); /* the voters, the leader too */
    solo_msg(solo, 6, lone_mandate(7, 3));                     /* no voter that is known */
    solo_msg(solo, 2, lone_mandate(7, 3));
    solo_msg(solo, 2, lone_mandate(7, 3)); /* once is enough */
    solo_msg(solo, 3, lone_mandate(7, 4)); /* another mandate */
    solo_msg(solo, 3, lone_mandate(7, 3));
    solo_msg(solo, 4, lone_mandate(7, 3));
    assert_follows(solo, 1, 2);
    solo_msg(solo, 2, lone_mandate(7, 3));
    assert_follows(solo, 7, 3);
    solo_free(solo);
}

static void test_who_speaks_for_a_leader_does_not_speak_for_a_roster(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_new(&config, 8, NULL);
    solo_standings(solo, 8, NULL);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    for (uint32_t i = 2; i <= 3; i++) {
        solo_msg(solo, i, lone_mandate(7, 3));
    }
    assert_follows(solo, 7, 3);
    gp_msg_t *false_roster = lone_mandate(LIAR, 3);
    false_roster->u.mandate.leader = lab_id(7);
    solo_msg(solo, LIAR, false_roster);
    gp_id_t own = lab_id(7);
    assert_true(gp_id_equal(&solo->core->mandate.roster.voters[0].id, &own));
    solo_free(solo);
}

static void test_a_leader_that_handed_over_is_deposed(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    gp_msg_t *mandate = lone_mandate(4, 3);
    mandate->u.mandate.releases_count = 1;
    mandate->u.mandate.releases[0] = (gp_record_release_t){
        .by = lab_id(LIAR), .term = 2, .bytes = gp_slice(frame, sizeof frame)};
    solo_msg(solo, 4, mandate); /* somebody who never led gave it up */
    assert_follows(solo, 1, 2);
    mandate->u.mandate.releases[0].by = lab_id(1);
    mandate->u.mandate.releases[0].term = 1;
    solo_msg(solo, 4, mandate); /* the leader did, once, in an older term */
    assert_follows(solo, 1, 2);
    mandate->u.mandate.releases[0].term = 2;
    solo_msg(solo, 4, mandate);
    assert_follows(solo, 4, 3);
    static gp_msg_t shown; /* and whoever asks sees it too */
    assert_true(gp_election_mandate(solo->core, &shown));
    assert_int_equal(shown.u.mandate.releases_count, 1);
    assert_int_equal(shown.u.mandate.releases[0].bytes.n, sizeof frame);
    solo_free(solo);
}

/* Time passes and core 7 shows a lone mandate of term 50 as often as it is asked to. */
static gp_usec_t persuade(solo_t *solo)
{
    gp_usec_t since = solo->now;
    solo_msg(solo, 7, lone_mandate(7, 50));
    while (gp_election_term(solo->core) != 50 && solo->now < since + 20 * GP_SECOND) {
        solo_wake(solo, 100 * GP_MSEC);
        const gp_action_t *ask = solo_find(solo, GP_MSG_MANDATE_ASK);
        gp_id_t seven = lab_id(7);
        if (ask != NULL && gp_id_equal(&ask->peer, &seven)) {
            solo_msg(solo, 7, lone_mandate(7, 50));
        }
    }
    assert_follows(solo, 7, 50);
    return solo->now - since;
}

static void test_who_is_leaderless_for_long_takes_what_it_gets(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_usec_t lease = config.lease_ms * GP_MSEC;
    gp_msg_election_state_t disk = solo_state(3, 2);
    solo_t *solo = solo_new(&config, 2, &disk); /* it was away: the voters may all be others now */
    assert_in_range(persuade(solo), 2 * lease, 3 * lease + 100 * GP_MSEC);
    solo_free(solo);
}

static void test_a_leader_of_which_only_others_speak_does_not_count(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_usec_t lease = config.lease_ms * GP_MSEC;
    gp_msg_election_state_t disk = solo_state(3, 2);
    solo_t *solo = solo_new(&config, 2, &disk);
    solo_standings(solo, 3, NULL);
    solo_msg(solo, 3, solo_mandate(1, 2, 3)); /* 1 led once, and lives */
    assert_follows(solo, 1, 2);
    assert_in_range(persuade(solo), 2 * lease, 3 * lease + 100 * GP_MSEC);
    solo_free(solo);
}

static void test_who_knows_nothing_takes_the_first(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_new(&config, 8, NULL);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    assert_follows(solo, 1, 2);
    solo_standings(solo, 8, NULL);
    solo_msg(solo, LIAR, lone_mandate(LIAR, 3));
    assert_follows(solo, 1, 2);
    solo_msg(solo, 3, solo_mandate(2, 3, 3)); /* a majority of those it heard of */
    assert_follows(solo, 2, 3);
    solo_free(solo);
}

static gp_msg_t *vote_ask(uint64_t term)
{
    static gp_msg_t msg;
    msg = (gp_msg_t){.kind = GP_MSG_VOTE_ASK};
    msg.u.vote_ask.group = lab_config().group;
    msg.u.vote_ask.term = term;
    msg.u.vote_ask.value_term = term - 1;
    msg.u.vote_ask.version = 99;
    return &msg;
}

/* Who does not vote grants no lease, but hears its leader: it votes for nobody meanwhile. */
static void test_an_ask_for_votes_deposes_nobody_at_who_does_not_vote(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_new(&config, 8, NULL);
    solo_standings(solo, 8, NULL);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    solo_msg(solo, LIAR, vote_ask(3));
    assert_int_equal(solo_find(solo, GP_MSG_VOTE)->msg->u.vote.reason, GP_VOTE_LEASED);
    assert_follows(solo, 1, 2);
    assert_int_equal(gp_election_own_term(solo->core), 2);
    solo_free(solo);
}

/* Anybody can make up one mandate after another: what speaks for the true one is kept. */
static void test_made_up_mandates_do_not_hide_the_true_one(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_new(&config, 8, NULL);
    solo_standings(solo, 8, NULL);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    solo_msg(solo, 2, lone_mandate(7, 3));
    for (uint64_t term = 4; term < 30; term++) {
        solo_wake(solo, 10 * GP_MSEC);
        solo_msg(solo, LIAR, lone_mandate(LIAR, term));
        assert_true(solo_count(solo, GP_MSG_MANDATE_ASK) <= 4);
    }
    assert_follows(solo, 1, 2);
    solo_msg(solo, 3, lone_mandate(7, 3));
    assert_follows(solo, 7, 3);
    solo_free(solo);
}

/* Unless the leader has given it up to the asker, in writing. */
static void test_a_release_is_believed_by_who_does_not_vote(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_new(&config, 8, NULL);
    solo_standings(solo, 8, NULL);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    solo_stored(solo, true);
    gp_msg_t *msg = vote_ask(3);
    msg->u.vote_ask.releases_count = 1;
    msg->u.vote_ask.releases[0] =
        (gp_record_release_t){.by = lab_id(1), .term = 2, .bytes = gp_slice(frame, sizeof frame)};
    solo_msg(solo, 2, msg);
    solo_stored(solo, true);
    assert_int_equal(solo_find(solo, GP_MSG_VOTE)->msg->u.vote.reason, GP_VOTE_YES);
    solo_free(solo);
}

/* What spoke for a mandate is forgotten after a lease, also by a leader, which asks nobody again.
 */
static void test_a_leaders_doubt_ends(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    solo_msg(solo, 2, lone_mandate(7, 3)); /* one known voter follows it */
    solo_msg(solo, LIAR, lone_mandate(LIAR, 4));
    gp_id_t seven = lab_id(7);
    gp_id_t liar = lab_id(LIAR);
    assert_true(gp_id_equal(&solo->core->doubt.leader, &seven));
    for (uint32_t i = 0; i < 4; i++) {
        solo_wake(solo, 400 * GP_MSEC);
        solo_lease_acks(solo, 3);
    }
    assert_true(gp_election_leads(solo->core));
    solo_msg(solo, LIAR, lone_mandate(LIAR, 4));
    assert_true(gp_id_equal(&solo->core->doubt.leader, &liar));
    assert_true(gp_election_leads(solo->core));
    solo_free(solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lone_voter_deposes_nobody),
        cmocka_unit_test(test_a_leader_stays_against_a_lone_voter),
        cmocka_unit_test(test_the_roster_is_not_replaced_under_the_leaders_name),
        cmocka_unit_test(test_the_leader_itself_may_change_it),
        cmocka_unit_test(test_a_leader_that_concedes_is_deposed),
        cmocka_unit_test(test_known_voters_that_follow_it_speak_for_it),
        cmocka_unit_test(test_who_speaks_for_a_leader_does_not_speak_for_a_roster),
        cmocka_unit_test(test_a_leader_that_handed_over_is_deposed),
        cmocka_unit_test(test_who_is_leaderless_for_long_takes_what_it_gets),
        cmocka_unit_test(test_a_leader_of_which_only_others_speak_does_not_count),
        cmocka_unit_test(test_an_ask_for_votes_deposes_nobody_at_who_does_not_vote),
        cmocka_unit_test(test_made_up_mandates_do_not_hide_the_true_one),
        cmocka_unit_test(test_who_knows_nothing_takes_the_first),
        cmocka_unit_test(test_a_release_is_believed_by_who_does_not_vote),
        cmocka_unit_test(test_a_leaders_doubt_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
