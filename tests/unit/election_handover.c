/* Handover: how short the gap is, and that going away never waits for long. */
#include "election_lab.h"

#include "proto_cmocka.h"

static bool nobody_leads(const lab_t *lab)
{
    return lab_leader(lab) < 0;
}

static bool somebody_leads(const lab_t *lab)
{
    return lab_leader(lab) >= 0;
}

static bool first_is_free(const lab_t *lab)
{
    return lab->nodes[0].relinquished > 0;
}

static void test_the_gap_is_short(void **state)
{
    (void)state;
    gp_usec_t worst = 0;
    gp_usec_t sum = 0;
    uint32_t rounds = 0;
    for (uint32_t seed = 1; seed <= 60; seed++) {
        lab_t *lab = lab_new(2 + seed % 6, seed);
        lab->delay_max = 1000;
        lab_grow(lab);
        uint64_t term = gp_election_term(lab->nodes[0].core);
        lab_command(lab, 0, GP_MSG_ELECTION_RELINQUISH);
        gp_usec_t prepared = lab_wait(lab, nobody_leads, 500 * GP_MSEC);
        assert_in_range(prepared, 0, 500 * GP_MSEC);
        gp_usec_t gap = lab_wait(lab, somebody_leads, 25 * GP_MSEC);
        worst = gap > worst ? gap : worst;
        sum += gap;
        rounds++;
        assert_int_equal(lab_leader(lab), 1); /* the best of the others */
        (void)lab_wait(lab, first_is_free, 50 * GP_MSEC);
        assert_true(gp_id_equal(&lab->nodes[0].successor, &lab->nodes[1].id));
        assert_int_equal(gp_election_term(lab->nodes[1].core), term + 1);
        lab_run(lab, 2 * GP_SECOND);
        assert_false(lab_is_voter(lab, 0));
        assert_int_equal(lab_roster_count(lab) % 2, 1);
        lab_leave(lab, 0); /* and nobody misses it */
        lab_run(lab, 5 * GP_SECOND);
        assert_int_equal(lab_leader(lab), 1);
        assert_int_equal(lab->nodes[1].step_downs, 0);
        lab_free(lab);
    }
    print_message("handover gap: mean %llu us, worst %llu us in %u rounds\n",
                  (unsigned long long)(sum / rounds), (unsigned long long)worst, rounds);
}

static void test_who_is_alone_just_goes(void **state)
{
    (void)state;
    lab_t *lab = lab_new(1, 1);
    lab_grow(lab);
    lab_command(lab, 0, GP_MSG_ELECTION_RELINQUISH);
    assert_true(first_is_free(lab));
    assert_true(gp_id_is_none(&lab->nodes[0].successor));
    assert_int_equal(lab_leader(lab), -1);
    lab_run(lab, 10 * GP_SECOND);
    assert_int_equal(lab_leader(lab), -1);
    lab_crash(lab, 0); /* started again it leads again */
    lab_start(lab, 0);
    (void)lab_wait(lab, somebody_leads, 2 * GP_SECOND);
    lab_free(lab);
}

static void test_who_does_not_lead_just_goes(void **state)
{
    (void)state;
    lab_t *lab = lab_new(3, 2);
    lab_grow(lab);
    lab_command(lab, 2, GP_MSG_ELECTION_RELINQUISH);
    assert_int_equal(lab->nodes[2].relinquished, 1);
    assert_true(gp_id_equal(&lab->nodes[2].successor, &lab->nodes[0].id));
    lab_command(lab, 2, GP_MSG_ELECTION_RELINQUISH); /* asked again it says so again */
    assert_int_equal(lab->nodes[2].relinquished, 2);
    assert_int_equal(lab_leader(lab), 0);
    lab_free(lab);
}

static void test_going_never_waits_long(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 40; seed++) {
        lab_t *lab = lab_new(2 + seed % 5, seed);
        lab_grow(lab);
        lab_split(lab, 1, true); /* nobody hears it any more */
        lab_command(lab, 0, GP_MSG_ELECTION_RELINQUISH);
        (void)lab_wait(lab, first_is_free, 4 * GP_SECOND);
        lab_crash(lab, 0);
        lab_run(lab, 10 * GP_SECOND);
        lab_heal(lab);
        lab_start(lab, 0);
        (void)lab_wait(lab, lab_agreed, 12 * GP_SECOND);
        lab_free(lab);
    }
}

static void test_a_successor_that_dies_is_survived(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 40; seed++) {
        lab_t *lab = lab_new(5, seed);
        lab_grow(lab);
        lab_command(lab, 0, GP_MSG_ELECTION_RELINQUISH);
        (void)lab_wait(lab, nobody_leads, 500 * GP_MSEC);
        lab_run(lab, gp_random_below(&lab->random, 8 * GP_MSEC));
        lab_crash(lab, 1);
        (void)lab_wait(lab, somebody_leads, 3 * GP_SECOND);
        assert_int_not_equal(lab_leader(lab), 0); /* it goes */
        (void)lab_wait(lab, first_is_free, 3 * GP_SECOND);
        lab_free(lab);
    }
}

static bool first_is_told(const lab_t *lab)
{
    return lab->nodes[0].relinquished + lab->nodes[0].heirless > 0;
}

/* Nobody can take over: it goes on as before, until somebody can. */
static void test_who_is_needed_does_not_go_for_good(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 40; seed++) {
        lab_t *lab = lab_new(2, seed);
        lab_grow(lab);
        assert_int_equal(lab_roster_count(lab), 1);
        lab->nodes[1].disk_fails = true;
        if (seed % 2 == 0) { /* the group knows that the disk fails, or finds out now */
            lab->nodes[1].flags = GP_FLAG_FAILING;
            lab_run(lab, GP_SECOND);
        }
        uint64_t term = gp_election_term(lab->nodes[0].core);
        lab_go_for_good(lab, 0);
        (void)lab_wait(lab, first_is_told, 4 * GP_SECOND);
        assert_int_equal(lab->nodes[0].heirless, 1);
        lab_run(lab, 10 * GP_SECOND);
        assert_int_equal(lab->nodes[0].relinquished, 0);
        assert_int_equal(lab->nodes[0].step_downs, 0);
        assert_int_equal(lab_leader(lab), 0);
        assert_true(lab_agreed(lab));
        assert_int_equal(gp_election_term(lab->nodes[0].core), term);
        lab->nodes[1].disk_fails = false;
        lab->nodes[1].flags = 0;
        lab_run(lab, 40 * GP_SECOND); /* who did not take the register is not asked for a while */
        lab_go_for_good(lab, 0);
        (void)lab_wait(lab, first_is_free, 4 * GP_SECOND);
        assert_int_equal(lab->nodes[0].heirless, 1);
        lab_leave(lab, 0);
        lab_run(lab, 3 * GP_SECOND);
        assert_int_equal(lab_leader(lab), 1);
        lab_free(lab);
    }
}

/* Its disk fails as it takes itself out of the roster: nobody else has a roster without it. */
static void test_who_may_be_needed_does_not_go_for_good(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        lab_t *lab = lab_new(2, seed);
        lab_grow(lab);
        lab_go_for_good(lab, 0);
        for (uint32_t i = 0; i < 100000 && gp_election_voter_index(&lab->nodes[0].core->roster,
                                                                   &lab->nodes[0].id) >= 0;
             i++) {
            lab_run(lab, 10);
        }
        assert_int_equal(lab_leader(lab), 0);
        lab->nodes[0].disk_fails = true;
        (void)lab_wait(lab, first_is_told, 6 * GP_SECOND);
        if (lab->nodes[0].relinquished > 0) {
            assert_int_equal(lab_leader(lab), 1);
        } else {
            lab->nodes[0].disk_fails = false;
            (void)lab_wait(lab, lab_agreed, 12 * GP_SECOND);
        }
        lab_free(lab);
    }
}

/* One that stops comes back, and who goes with all the others leaves nobody behind. */
static void test_who_is_not_needed_goes(void **state)
{
    (void)state;
    lab_t *lab = lab_new(2, 1);
    lab_grow(lab);
    lab->nodes[1].disk_fails = true;
    lab->nodes[1].flags = GP_FLAG_FAILING;
    lab_run(lab, GP_SECOND);
    lab_command(lab, 0, GP_MSG_ELECTION_RELINQUISH);
    assert_true(first_is_free(lab));
    lab_free(lab);
    lab = lab_new(2, 2);
    lab_grow(lab);
    lab->nodes[1].flags = GP_FLAG_LEAVING;
    lab_run(lab, GP_SECOND);
    lab_go_for_good(lab, 0);
    lab_leave(lab, 1);
    (void)lab_wait(lab, first_is_free, 2 * GP_SECOND);
    lab_free(lab);
}

/* The only voter gave up the lead, as its own disk refuses records: its vote is needed still. */
static void test_the_only_voter_is_needed_without_the_lead(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(1, 2);
    solo_t *solo = solo_new(&config, 1, &disk);
    gp_msg_t *msg = solo_new_msg(GP_MSG_ELECTION_STANDINGS);
    msg->u.election_standings.members_count = 1;
    msg->u.election_standings.members[0] =
        (gp_record_standing_t){.id = lab_id(2), .state = GP_MEMBER_ALIVE, .reached = true};
    solo_command(solo, msg);
    msg = solo_new_msg(GP_MSG_ELECTION_RELINQUISH);
    msg->u.election_relinquish.forever = true;
    solo_command(solo, msg);
    assert_null(solo_find(solo, GP_MSG_RELINQUISHED));
    solo_wake(solo, config.lease_ms * GP_MSEC);
    assert_non_null(solo_find(solo, GP_MSG_HEIRLESS));
    assert_null(solo_find(solo, GP_MSG_RELINQUISHED));
    msg = solo_new_msg(GP_MSG_ELECTION_RELINQUISH);
    solo_command(solo, msg);
    assert_non_null(solo_find(solo, GP_MSG_RELINQUISHED));
    assert_false(gp_election_can_stand(solo->core));
    solo_command(solo, solo_new_msg(GP_MSG_ELECTION_STAY));
    assert_true(gp_election_can_stand(solo->core));
    solo_free(solo);
}

static bool first_leads(const lab_t *lab)
{
    return lab_leader(lab) == 0 && lab_agreed(lab);
}

static bool other_leads(const lab_t *lab)
{
    return lab_leader(lab) > 0 && lab_agreed(lab);
}

static void test_a_leader_that_drains_hands_over_and_may_return(void **state)
{
    (void)state;
    for (uint32_t count = 1; count <= 6; count++) {
        lab_t *lab = lab_new(count, count);
        lab_grow(lab);
        lab->nodes[0].flags = count % 2 == 0 ? GP_FLAG_LEAVING : GP_FLAG_RELAYED;
        if (count == 1) {
            lab_run(lab, 5 * GP_SECOND);
            assert_true(first_leads(lab)); /* nobody else could */
            lab_free(lab);
            continue;
        }
        (void)lab_wait(lab, other_leads, 2 * GP_SECOND);
        assert_int_equal(lab->nodes[0].step_down_why, GP_STEP_DOWN_HANDOVER);
        assert_int_equal(lab->nodes[0].relinquished, 0);
        lab_run(lab, 5 * GP_SECOND);
        assert_false(lab_is_voter(lab, 0));
        lab->nodes[0].flags = 0;
        lab_run(lab, 12 * GP_SECOND);
        assert_int_equal(lab_is_voter(lab, 0), count == 3 || count == 5);
        lab_free(lab);
    }
}

/* ---- a better one ---------------------------------------------------------------------------- */

static bool last_leads(const lab_t *lab)
{
    return lab_leader(lab) == (int)lab->count - 1;
}

static void run_promotion(uint32_t count)
{
    lab_t *lab = lab_new(count, count);
    lab_grow(lab);
    lab->nodes[count - 1].score = 999; /* better, but not clearly */
    lab_run(lab, 700 * GP_SECOND);
    assert_int_equal(lab_leader(lab), 0);
    lab->nodes[0].score = 850;
    lab_run(lab, 590 * GP_SECOND);
    assert_int_equal(lab_leader(lab), 0);
    (void)lab_wait(lab, last_leads, 20 * GP_SECOND);
    assert_int_equal(lab->nodes[0].step_down_why, GP_STEP_DOWN_HANDOVER);
    lab->nodes[0].score = 1000; /* the old one recovers, but moves are rare */
    lab->nodes[count - 1].score = 500;
    lab_run(lab, 1700 * GP_SECOND);
    assert_true(last_leads(lab));
    lab_run(lab, 120 * GP_SECOND);
    assert_int_equal(lab_leader(lab), 0);
    (void)lab_wait(lab, lab_agreed, GP_SECOND);
    assert_int_equal(lab_roster_count(lab), count >= 5 ? 5 : count >= 3 ? 3 : 1);
    lab_free(lab);
}

static void test_a_clearly_better_one_leads_after_a_while(void **state)
{
    (void)state;
    run_promotion(2); /* no voter before */
    run_promotion(3);
    run_promotion(4); /* no voter before */
    run_promotion(6); /* no voter before, and the roster is full */
}

static void test_a_better_one_must_stay_so(void **state)
{
    (void)state;
    lab_t *lab = lab_new(3, 3);
    lab_grow(lab);
    for (uint32_t i = 0; i < 8; i++) {
        lab->nodes[0].score = 700;
        lab_run(lab, 400 * GP_SECOND);
        lab->nodes[0].score = 900;
        lab_run(lab, 5 * GP_SECOND);
    }
    assert_int_equal(lab_leader(lab), 0);
    lab_free(lab);
}

static void test_only_the_leader_of_the_term_hands_over(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 2);
    solo_t *solo = solo_new(&config, 2, &disk);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    static const uint8_t frame[240] = "a signed handover";
    gp_msg_t *msg = solo_new_msg(GP_MSG_HANDOVER);
    msg->signed_bytes = gp_slice(frame, sizeof frame);
    msg->u.handover.term = 2;
    msg->u.handover.version = 3;
    msg->u.handover.successor = lab_id(2);
    solo_msg(solo, 3, msg);
    assert_int_equal(gp_election_own_term(solo->core), 2);
    msg->u.handover.term = 1;
    solo_msg(solo, 1, msg);
    assert_int_equal(gp_election_own_term(solo->core), 2);
    msg->u.handover.term = 2;
    msg->u.handover.version = 4; /* something that it has not got */
    solo_msg(solo, 1, msg);
    assert_int_equal(gp_election_own_term(solo->core), 2);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    msg->u.handover.version = 3;
    solo_msg(solo, 1, msg);
    assert_int_equal(gp_election_own_term(solo->core), 3);
    solo_stored(solo, true);
    const gp_msg_vote_ask_t *ask = &solo_find(solo, GP_MSG_VOTE_ASK)->msg->u.vote_ask;
    assert_int_equal(ask->releases_count, 1);
    assert_int_equal(ask->releases[0].term, 2);
    gp_id_t leader = lab_id(1);
    assert_true(gp_id_equal(&ask->releases[0].by, &leader));
    assert_true(gp_slice_equal(ask->releases[0].bytes, gp_slice(frame, sizeof frame)));
    solo_free(solo);
}

/* A release that comes while it asks already: the successor's turn. */
static void test_a_handover_ends_an_own_campaign(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 2);
    solo_t *solo = solo_new(&config, 3, &disk);
    solo_wake(solo, 1531 * GP_MSEC);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    for (uint32_t i = 0; i < 100 && solo->core->role == GP_ELECTION_FOLLOWER; i++) {
        solo_wake(solo, 50 * GP_MSEC);
    }
    assert_int_equal(solo->core->role, GP_ELECTION_ASKING);
    static const uint8_t frame[240] = "a signed handover";
    gp_msg_t *msg = solo_new_msg(GP_MSG_HANDOVER);
    msg->signed_bytes = gp_slice(frame, sizeof frame);
    msg->u.handover.term = 2;
    msg->u.handover.version = 3;
    msg->u.handover.successor = lab_id(2);
    solo_msg(solo, 1, msg);
    assert_int_equal(solo->core->role, GP_ELECTION_FOLLOWER);
    assert_int_equal(gp_election_own_term(solo->core), 2);
    gp_usec_t wait = solo->core->campaign_at - solo->now;
    assert_true(wait >= config.vote_wait_ms * GP_MSEC);
    solo_free(solo);
}

/* Its register may be of an earlier term, although of a higher version. */
static void test_a_successor_must_have_the_register_of_the_term(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 2);
    solo_t *solo = solo_new(&config, 2, &disk);
    solo_msg(solo, 1, solo_mandate(1, 3, 3));
    static const uint8_t frame[240] = "a signed handover";
    gp_msg_t *msg = solo_new_msg(GP_MSG_HANDOVER);
    msg->signed_bytes = gp_slice(frame, sizeof frame);
    msg->u.handover.term = 3;
    msg->u.handover.version = 3;
    msg->u.handover.successor = lab_id(2);
    solo_msg(solo, 1, msg);
    assert_int_equal(solo->core->role, GP_ELECTION_FOLLOWER);
    assert_int_equal(gp_election_own_term(solo->core), 3);
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_NONE); /* its leader is gone, though */
    solo_free(solo);
}

static void relinquish_forever(solo_t *solo)
{
    gp_msg_t *msg = solo_new_msg(GP_MSG_ELECTION_RELINQUISH);
    msg->u.election_relinquish.forever = true;
    solo_command(solo, msg);
}

static void test_who_goes_for_good_and_does_not_vote_forgets_who_does(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 2);
    solo_t *solo = solo_new(&config, 4, &disk); /* 1, 2 and 3 vote */
    relinquish_forever(solo);
    const gp_action_t *store = solo_find(solo, GP_MSG_ELECTION_STATE);
    assert_non_null(store);
    assert_int_equal(store->msg->u.election_state.voters_count, 0);
    assert_int_equal(store->msg->u.election_state.term, 2); /* what it promised stays */
    assert_int_equal(store->msg->u.election_state.version, disk.version);
    assert_non_null(solo_find(solo, GP_MSG_RELINQUISHED));
    disk.voters_count = 0;
    solo_free(solo);

    solo = solo_new(&config, 4, &disk); /* again there, it never stands by what it forgot ... */
    solo_wake(solo, 60 * GP_SECOND);
    assert_null(solo_find(solo, GP_MSG_PREVOTE_ASK));
    gp_msg_t *msg = solo_new_msg(GP_MSG_VOTE_ASK); /* ... but still knows how new it was */
    msg->u.vote_ask.term = 3;
    msg->u.vote_ask.value_term = disk.value_term;
    msg->u.vote_ask.version = disk.version - 1;
    solo_msg(solo, 1, msg);
    assert_int_equal(solo_answer(solo, 1), GP_VOTE_BEHIND);
    solo_free(solo);

    solo = solo_new(&config, 4, &disk);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    msg = solo_new_msg(GP_MSG_REGISTER);
    msg->u.register_.term = 2;
    msg->u.register_.version = disk.version;
    msg->u.register_.voters_count = 1;
    msg->u.register_.voters[0].id = lab_id(1);
    solo_msg(solo, 1, msg);
    assert_int_equal(solo->core->roster.count, 1); /* the same version brings it back */
    solo_free(solo);
}

static void test_a_voter_that_goes_for_good_still_knows_who_votes(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 2);
    solo_t *solo = solo_new(&config, 3, &disk);
    relinquish_forever(solo);
    assert_null(solo_find(solo, GP_MSG_ELECTION_STATE));
    assert_int_equal(solo->core->roster.count, 3);
    solo_free(solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_gap_is_short),
        cmocka_unit_test(test_who_is_alone_just_goes),
        cmocka_unit_test(test_who_does_not_lead_just_goes),
        cmocka_unit_test(test_going_never_waits_long),
        cmocka_unit_test(test_a_successor_that_dies_is_survived),
        cmocka_unit_test(test_who_is_needed_does_not_go_for_good),
        cmocka_unit_test(test_who_may_be_needed_does_not_go_for_good),
        cmocka_unit_test(test_who_is_not_needed_goes),
        cmocka_unit_test(test_the_only_voter_is_needed_without_the_lead),
        cmocka_unit_test(test_a_leader_that_drains_hands_over_and_may_return),
        cmocka_unit_test(test_a_clearly_better_one_leads_after_a_while),
        cmocka_unit_test(test_a_better_one_must_stay_so),
        cmocka_unit_test(test_only_the_leader_of_the_term_hands_over),
        cmocka_unit_test(test_a_handover_ends_an_own_campaign),
        cmocka_unit_test(test_a_successor_must_have_the_register_of_the_term),
        cmocka_unit_test(test_who_goes_for_good_and_does_not_vote_forgets_who_does),
        cmocka_unit_test(test_a_voter_that_goes_for_good_still_knows_who_votes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
