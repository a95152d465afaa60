/* Standing, asking, granting: what a voter must never do, and what it does how fast. */
#include "election_lab.h"

#include "proto_cmocka.h"

/* Core 2 of voters 1..3, follows leader 1 of term 2 by a lease granted just now. */
static solo_t *new_follower(void)
{
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t state = solo_state(3, 2);
    solo_t *solo = solo_new(&config, 2, &state);
    solo_wake(solo, 1540 * GP_MSEC); /* past the guard after a restart */
    solo_standings(solo, 3, NULL);
    solo_msg(solo, 1, solo_mandate(1, 2, 3));
    solo_lease(solo, 1, 2);
    assert_non_null(solo_find(solo, GP_MSG_LEASE_ACK));
    return solo;
}

static void take_evidence(solo_t *solo, uint32_t target, uint64_t incarnation)
{
    gp_msg_t *msg = solo_new_msg(GP_MSG_ELECTION_EVIDENCE);
    msg->u.election_evidence.target = lab_id(target);
    msg->u.election_evidence.incarnation = incarnation;
    solo_command(solo, msg);
}

static void test_denies_inside_the_lease_and_stays_undisturbed(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    solo_prevote_ask(solo, 3, 3, false);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    solo_vote_ask(solo, 3, 3, false, 0);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    assert_int_equal(gp_election_own_term(solo->core), 2);
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_QUORUM);
    solo_wake(solo, 1529 * GP_MSEC); /* 1500 ms and 2 % */
    solo_vote_ask(solo, 3, 3, false, 0);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    solo_wake(solo, GP_MSEC);
    solo_prevote_ask(solo, 3, 3, false);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_YES);
    solo_vote_ask(solo, 3, 3, false, 0);
    assert_int_equal(solo_answer(solo, 3), -1); /* not before it is on disk */
    solo_stored(solo, true);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_YES);
    assert_int_equal(gp_election_own_term(solo->core), 3);
    solo_free(solo);
}

static void test_evidence_takes_two_observers(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    solo_vote_ask(solo, 3, 3, true, 0); /* only the asker's */
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    take_evidence(solo, 1, 4); /* of an older incarnation */
    solo_vote_ask(solo, 3, 3, true, 0);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    take_evidence(solo, 3, 5); /* of another machine */
    solo_vote_ask(solo, 3, 3, true, 0);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    take_evidence(solo, 1, 5);
    solo_prevote_ask(solo, 3, 3, false); /* only the own */
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    solo_prevote_ask(solo, 3, 3, true);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_YES);
    solo_free(solo);
}

static void test_a_sign_of_life_voids_evidence(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    take_evidence(solo, 1, 5);
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_NONE);
    solo_lease(solo, 1, 2);
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_QUORUM);
    solo_prevote_ask(solo, 3, 3, true);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    solo_free(solo);
}

static void test_a_release_waives_only_the_lease_of_its_leader_and_term(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    solo_vote_ask(solo, 3, 3, false, 1);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    gp_msg_t *msg = solo_new_msg(GP_MSG_VOTE_ASK);
    msg->u.vote_ask.term = 3;
    msg->u.vote_ask.value_term = 2;
    msg->u.vote_ask.version = 3;
    msg->u.vote_ask.releases_count = 1;
    msg->u.vote_ask.releases[0].by = lab_id(3); /* its own word, not the leader's */
    msg->u.vote_ask.releases[0].term = 2;
    solo_msg(solo, 3, msg);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    solo_vote_ask(solo, 3, 3, false, 2);
    solo_stored(solo, true);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_YES);
    solo_free(solo);
}

static void test_votes_once_a_term_and_repeats_itself(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    solo_wake(solo, 1530 * GP_MSEC);
    solo_vote_ask(solo, 3, 3, false, 0);
    solo_stored(solo, true);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_YES);
    solo_vote_ask(solo, 1, 3, false, 0);
    assert_int_equal(solo_answer(solo, 1), GP_VOTE_TAKEN);
    solo_vote_ask(solo, 3, 3, false, 0);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_YES);
    assert_null(solo_find(solo, GP_MSG_ELECTION_STATE)); /* is on disk already */
    solo_vote_ask(solo, 1, 2, false, 0);
    assert_int_equal(solo_answer(solo, 1), GP_VOTE_STALE_TERM);
    solo_free(solo);
}

static void test_a_late_ask_does_not_undo_the_grant(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    solo_wake(solo, 1530 * GP_MSEC);
    solo_vote_ask(solo, 1, 3, false, 0);
    solo_stored(solo, true);
    solo_lease(solo, 1, 3);
    assert_non_null(solo_find(solo, GP_MSG_LEASE_ACK));
    solo_vote_ask(solo, 1, 3, false, 0); /* a copy that was long on its way */
    solo_vote_ask(solo, 3, 4, false, 0);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    solo_free(solo);
}

static void test_register_decides(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    solo_wake(solo, 1530 * GP_MSEC);
    gp_msg_t *msg = solo_new_msg(GP_MSG_VOTE_ASK);
    msg->u.vote_ask.term = 3;
    msg->u.vote_ask.value_term = 1;
    msg->u.vote_ask.version = 9; /* of an older term: worth less */
    solo_msg(solo, 3, msg);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_BEHIND);
    msg->u.vote_ask.value_term = 2;
    msg->u.vote_ask.version = 2;
    solo_msg(solo, 3, msg);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_BEHIND);
    solo_vote_ask(solo, 4, 3, false, 0); /* same register, and 4 is not in it */
    assert_int_equal(solo_answer(solo, 4), GP_VOTE_NOT_VOTER);
    msg = solo_new_msg(GP_MSG_VOTE_ASK);
    msg->u.vote_ask.term = 3;
    msg->u.vote_ask.value_term = 2;
    msg->u.vote_ask.version = 4; /* a newer one may name 4 */
    solo_msg(solo, 4, msg);
    solo_stored(solo, true);
    assert_int_equal(solo_answer(solo, 4), GP_VOTE_YES);
    solo_free(solo);
}

static void test_grants_nothing_within_a_lease_of_its_start(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 2);
    solo_t *solo = solo_new(&config, 2, &disk);
    solo_wake(solo, 1500 * GP_MSEC);
    solo_prevote_ask(solo, 3, 3, true);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    solo_vote_ask(solo, 3, 3, true, 1); /* of an older term: may not be the one it granted */
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    assert_int_equal(solo->core->role, GP_ELECTION_FOLLOWER); /* nor does it stand itself */
    solo_wake(solo, 30 * GP_MSEC);
    solo_vote_ask(solo, 3, 3, false, 0);
    solo_stored(solo, true);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_YES);
    solo_free(solo);
}

static void test_a_release_by_whom_it_voted_for_ends_the_wait_after_a_start(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 2);
    disk.voted_for = lab_id(1);
    solo_t *solo = solo_new(&config, 2, &disk);
    solo_vote_ask(solo, 3, 3, false, 2);
    solo_stored(solo, true);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_YES);
    solo_free(solo);
    disk.voted_for = lab_id(3); /* whoever it may have granted, it was not this one's to give */
    solo = solo_new(&config, 2, &disk);
    gp_msg_t *msg = solo_new_msg(GP_MSG_VOTE_ASK);
    msg->u.vote_ask.term = 3;
    msg->u.vote_ask.value_term = 2;
    msg->u.vote_ask.version = 3;
    msg->u.vote_ask.releases_count = 1;
    msg->u.vote_ask.releases[0].by = lab_id(1);
    msg->u.vote_ask.releases[0].term = 2;
    solo_msg(solo, 3, msg);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    solo_free(solo);
}

static void test_terms_that_lie_are_ignored(void **state)
{
    (void)state;
    solo_t *solo = new_follower();
    solo_wake(solo, 1530 * GP_MSEC);
    solo_vote_ask(solo, 3, GP_TERM_MAX + 1, false, 0);
    assert_int_equal(solo_answer(solo, 3), -1);
    gp_msg_t *msg = solo_new_msg(GP_MSG_VOTE);
    msg->u.vote.candidate = lab_id(2);
    msg->u.vote.own_term = UINT64_MAX;
    solo_msg(solo, 3, msg);
    msg = solo_new_msg(GP_MSG_PREVOTE);
    msg->u.prevote.own_term = UINT64_MAX;
    solo_msg(solo, 3, msg);
    assert_int_equal(gp_election_own_term(solo->core), 2);
    solo_free(solo);
}

static void deny(solo_t *solo, uint32_t from, uint64_t own_term)
{
    gp_msg_t *msg = solo_new_msg(GP_MSG_VOTE);
    msg->u.vote.candidate = lab_id(1);
    msg->u.vote.own_term = own_term;
    solo_msg(solo, from, msg);
}

/* One liar must not depose a leader, nor drive the term to its end. */
static void test_only_a_voters_word_ends_a_term(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    deny(solo, 9, 50);
    assert_true(gp_election_leads(solo->core));
    deny(solo, 3, 2 + GP_TERM_JUMP + 1);
    assert_true(gp_election_leads(solo->core));
    solo_msg(solo, 3, solo_mandate(3, 2 + GP_TERM_JUMP + 1, 3));
    assert_true(gp_election_leads(solo->core));
    solo_vote_ask(solo, 3, 2 + GP_TERM_JUMP + 1, true, 0);
    assert_int_equal(solo_answer(solo, 3), -1);
    deny(solo, 3, 7);
    assert_false(gp_election_leads(solo->core));
    assert_int_equal(gp_election_own_term(solo->core), 7);
    solo_free(solo);
    solo = solo_new(&config, 4, NULL); /* a newcomer knows no term that could be compared */
    solo_msg(solo, 1, solo_mandate(1, 3 * GP_TERM_JUMP, 3));
    assert_int_equal(gp_election_term(solo->core), 3 * GP_TERM_JUMP);
    solo_free(solo);
}

/*
 * It stood, and is no voter any more: a mandate of the lower term would never do for it. Whoever is
 * in the group may say so, once in a while.
 */
static void test_a_members_higher_term_is_met_now_and_then(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    solo_standings(solo, 5, NULL);
    deny(solo, 5, 9); /* it has just begun to lead */
    assert_true(gp_election_leads(solo->core));
    solo->core->won_at = solo->now - 60 * GP_SECOND;
    deny(solo, 5, 9 + GP_TERM_JUMP);
    assert_true(gp_election_leads(solo->core));
    deny(solo, 9, 9); /* no member */
    assert_true(gp_election_leads(solo->core));
    deny(solo, 5, 9);
    assert_false(gp_election_leads(solo->core));
    assert_int_equal(gp_election_own_term(solo->core), 9);
    deny(solo, 4, 12); /* while nobody leads, only voters count */
    assert_int_equal(gp_election_own_term(solo->core), 9);
    deny(solo, 2, 10);
    assert_int_equal(gp_election_own_term(solo->core), 10);
    solo_free(solo);
}

static void test_counts_each_voter_once(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(5, 1);
    solo_t *solo = solo_new(&config, 1, &disk);
    solo_wake(solo, 1530 * GP_MSEC);
    assert_int_equal(solo_count(solo, GP_MSG_PREVOTE_ASK), 4);
    gp_msg_t *msg = solo_new_msg(GP_MSG_PREVOTE);
    msg->u.prevote.term = 2;
    msg->u.prevote.granted = true;
    solo_msg(solo, 2, msg);
    solo_msg(solo, 2, msg);
    solo_msg(solo, 7, msg); /* no voter */
    assert_int_equal(solo->core->role, GP_ELECTION_ASKING);
    solo_msg(solo, 3, msg);
    assert_int_equal(solo->core->role, GP_ELECTION_CANDIDATE);
    assert_null(solo_find(solo, GP_MSG_VOTE_ASK)); /* its own term is not on disk yet */
    solo_stored(solo, true);
    assert_int_equal(solo_count(solo, GP_MSG_VOTE_ASK), 4);
    assert_int_equal(solo_answer(solo, 1), GP_VOTE_YES); /* to itself, to be signed */
    solo_vote(solo, 2, 2);
    solo_vote(solo, 2, 2);
    solo_vote(solo, 7, 2);
    solo_vote(solo, 3, 1);
    assert_int_equal(solo->core->role, GP_ELECTION_CANDIDATE);
    solo_vote(solo, 1, 2);
    assert_int_equal(solo->core->role, GP_ELECTION_CANDIDATE);
    solo_vote(solo, 5, 2);
    assert_int_equal(solo->core->role, GP_ELECTION_LEADER);
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_NONE); /* no lease yet */
    solo_free(solo);
}

static void test_denials_end_a_campaign_early(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 1);
    solo_t *solo = solo_new(&config, 1, &disk);
    solo_wake(solo, 1530 * GP_MSEC);
    gp_msg_t *msg = solo_new_msg(GP_MSG_PREVOTE);
    msg->u.prevote.term = 2;
    msg->u.prevote.reason = GP_VOTE_LEASED;
    msg->u.prevote.own_term = 1;
    solo_msg(solo, 2, msg);
    assert_int_equal(solo->core->role, GP_ELECTION_ASKING);
    solo_msg(solo, 3, msg);
    assert_int_equal(solo->core->role, GP_ELECTION_FOLLOWER);
    assert_int_equal(gp_election_own_term(solo->core), 1); /* asking raised nothing */
    solo_free(solo);
}

static void test_a_leader_that_meets_a_higher_term_steps_down(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    solo_t *solo = solo_leader(&config, 3);
    solo_vote_ask(solo, 2, 9, true, 0); /* an ask alone does not unseat it */
    assert_int_equal(solo_answer(solo, 2), GP_VOTE_LEASED);
    assert_true(gp_election_leads(solo->core));
    gp_msg_t *msg = solo_new_msg(GP_MSG_VOTE);
    msg->u.vote.candidate = lab_id(1);
    msg->u.vote.reason = GP_VOTE_STALE_TERM;
    msg->u.vote.own_term = 9;
    solo_msg(solo, 2, msg);
    assert_false(gp_election_leads(solo->core));
    assert_int_equal(gp_election_own_term(solo->core), 9);
    assert_int_equal(solo_find(solo, GP_MSG_STEP_DOWN)->msg->u.step_down.why, GP_STEP_DOWN_TERM);
    solo_free(solo);
}

static void test_who_cannot_lead_votes_but_never_stands(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    config.can_lead = false;
    gp_msg_election_state_t disk = solo_state(3, 1);
    solo_t *solo = solo_new(&config, 1, &disk);
    for (uint32_t i = 0; i < 100; i++) {
        solo_wake(solo, 100 * GP_MSEC);
        assert_null(solo_find(solo, GP_MSG_PREVOTE_ASK));
        assert_null(solo_find(solo, GP_MSG_CARETAKER));
    }
    solo_vote_ask(solo, 2, 2, false, 0);
    solo_stored(solo, true);
    assert_int_equal(solo_answer(solo, 2), GP_VOTE_YES);
    solo_command(solo, solo_new_msg(GP_MSG_ELECTION_FOUND));
    assert_int_equal(gp_election_own_term(solo->core), 2);
    solo_free(solo);
}

static void grant_prevote(solo_t *solo, uint32_t from, uint64_t term)
{
    gp_msg_t *msg = solo_new_msg(GP_MSG_PREVOTE);
    msg->u.prevote.term = term;
    msg->u.prevote.granted = true;
    solo_msg(solo, from, msg);
}

static void test_who_alone_has_the_register_stands_last_and_hands_over(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 2);
    solo_t *solo = solo_new(&config, 4, &disk); /* it took itself out, and then it crashed */
    solo_standings(solo, 4, NULL);
    solo_wake(solo, 2900 * GP_MSEC);
    assert_null(solo_find(solo, GP_MSG_PREVOTE_ASK)); /* if any of the voters can, let it */
    solo_wake(solo, 300 * GP_MSEC);
    assert_int_equal(solo_count(solo, GP_MSG_PREVOTE_ASK), 3);
    grant_prevote(solo, 2, 3);
    assert_int_equal(solo->core->role, GP_ELECTION_ASKING); /* its own word counts for nothing */
    grant_prevote(solo, 3, 3);
    solo_stored(solo, true);
    assert_int_equal(solo_answer(solo, 4), -1);
    solo_vote(solo, 4, 3);
    solo_vote(solo, 2, 3);
    assert_int_equal(solo->core->role, GP_ELECTION_CANDIDATE);
    solo_vote(solo, 3, 3);
    assert_true(gp_election_leads(solo->core));
    solo_stored(solo, true);
    solo_lease_acks(solo, 2);
    solo_lease_acks(solo, 3);
    solo_lease_acks(solo, 1);
    const gp_action_t *handover = solo_find(solo, GP_MSG_HANDOVER);
    assert_non_null(handover);
    gp_id_t best = lab_id(1);
    assert_true(gp_id_equal(&handover->msg->u.handover.successor, &best));
    assert_false(gp_election_leads(solo->core));
    solo_free(solo);
}

/* ---- several --------------------------------------------------------------------------------- */

static uint64_t term_of(const lab_t *lab)
{
    int leader = lab_leader(lab);
    return leader >= 0 ? gp_election_term(lab->nodes[leader].core) : 0;
}

static bool other_leads(const lab_t *lab)
{
    return lab_leader(lab) > 0;
}

static void show(const char *what, gp_usec_t sum, gp_usec_t worst, uint32_t rounds)
{
    print_message("%s: mean %llu us, worst %llu us in %u rounds\n", what,
                  (unsigned long long)(sum / rounds), (unsigned long long)worst, rounds);
}

static void test_evidence_makes_a_failover_fast(void **state)
{
    (void)state;
    gp_usec_t sum = 0;
    gp_usec_t worst = 0;
    for (uint32_t seed = 1; seed <= 30; seed++) {
        lab_t *lab = lab_new(3 + seed % 5, seed);
        lab_grow(lab);
        lab_run(lab, gp_random_below(&lab->random, 400 * GP_MSEC));
        lab_crash(lab, 0);
        gp_usec_t took = lab_wait(lab, other_leads, 300 * GP_MSEC);
        assert_in_range(took, 1, 300 * GP_MSEC);
        assert_int_equal(term_of(lab), 2);
        (void)lab_wait(lab, lab_agreed, 200 * GP_MSEC);
        lab_free(lab);
        sum += took;
        worst = took > worst ? took : worst;
    }
    show("failover by evidence", sum, worst, 30);
}

static void test_silence_costs_one_lease(void **state)
{
    (void)state;
    gp_usec_t sum = 0;
    gp_usec_t worst = 0;
    for (uint32_t seed = 1; seed <= 30; seed++) {
        lab_t *lab = lab_new(3 + seed % 5, seed);
        lab_grow(lab);
        lab_run(lab, gp_random_below(&lab->random, 400 * GP_MSEC));
        lab_freeze(lab, 0);
        gp_usec_t took = lab_wait(lab, other_leads, 2000 * GP_MSEC);
        assert_in_range(took, 1000 * GP_MSEC, 2000 * GP_MSEC);
        lab_thaw(lab, 0);
        (void)lab_wait(lab, lab_agreed, 2 * GP_SECOND);
        lab_free(lab);
        sum += took;
        worst = took > worst ? took : worst;
    }
    show("failover after silence", sum, worst, 30);
}

static void test_a_voter_that_was_cut_off_disturbs_nobody(void **state)
{
    (void)state;
    lab_t *lab = lab_new(5, 3);
    lab_grow(lab);
    uint64_t term = term_of(lab);
    lab_split(lab, 1U << 4, true);
    lab_run(lab, 60 * GP_SECOND);
    assert_int_equal(lab->nodes[4].campaigns, 0); /* asked, and was never let */
    assert_int_equal(lab->nodes[4].core->term, term);
    uint32_t downs = lab->nodes[0].step_downs;
    lab_heal(lab);
    (void)lab_wait(lab, lab_agreed, 3 * GP_SECOND);
    lab_run(lab, 10 * GP_SECOND);
    assert_int_equal(term_of(lab), term);
    assert_int_equal(lab_leader(lab), 0);
    assert_int_equal(lab->nodes[0].step_downs, downs);
    lab_free(lab);
}

/* Seed 9032 of a campaign: it stood in vain, was replaced meanwhile, and came back. */
static void test_a_former_voter_of_a_higher_term_follows_again(void **state)
{
    (void)state;
    lab_t *lab = lab_new(7, 9032);
    lab_grow(lab);
    uint64_t term = term_of(lab);
    lab_crash(lab, 6);
    lab->nodes[6].disk.term = term + 3;
    lab_run(lab, 60 * GP_SECOND); /* who leads for less than that is not disturbed */
    lab_start(lab, 6);
    (void)lab_wait(lab, lab_agreed, 5 * GP_SECOND);
    assert_true(term_of(lab) > term + 3);
    lab_free(lab);
}

static void test_a_voter_that_hears_no_leader_disturbs_nobody(void **state)
{
    (void)state;
    lab_t *lab = lab_new(3, 4);
    lab_grow(lab);
    lab->cut[0][1] = true; /* it hears the other voter, but not the leader */
    lab_run(lab, 30 * GP_SECOND);
    assert_int_equal(lab_leader(lab), 0);
    assert_int_equal(term_of(lab), 1);
    lab_free(lab);
}

/* Where a lease was granted to one leader and the mandate of the next is known already. */
static solo_t *new_follower_of_two(void)
{
    solo_t *solo = new_follower();
    solo_msg(solo, 3, solo_mandate(3, 3, 3));
    solo_stored(solo, true);
    gp_id_t one = lab_id(1);
    gp_id_t three = lab_id(3);
    assert_true(gp_id_equal(&solo->core->lease_holder, &one));
    assert_true(gp_id_equal(&solo->core->leader, &three));
    return solo;
}

static void test_a_release_by_the_leader_before_waives_nothing(void **state)
{
    (void)state;
    solo_t *solo = new_follower_of_two();
    solo_vote_ask(solo, 3, 4, false, 2); /* by 1, of term 2; 3 leads in term 3 */
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    solo_free(solo);
}

static void test_evidence_about_the_next_leader_waives_no_grant_to_the_last(void **state)
{
    (void)state;
    solo_t *solo = new_follower_of_two();
    take_evidence(solo, 3, 5);
    assert_int_equal(gp_election_right(solo->core), GP_RIGHT_NONE);
    solo_vote_ask(solo, 3, 4, true, 0);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    solo_free(solo);
}

/* Of two voters there is no second observer: the own evidence is enough. */
static void test_of_two_voters_one_observer_is_enough(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(2, 2);
    solo_t *solo = solo_new(&config, 2, &disk);
    solo_wake(solo, 1540 * GP_MSEC);
    solo_standings(solo, 3, NULL);
    solo_msg(solo, 1, solo_mandate(1, 2, 2));
    solo_lease(solo, 1, 2);
    solo->core->roster.voters[0].id = lab_id(3); /* who asks; the leader votes no more */
    solo_prevote_ask(solo, 3, 3, false);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_LEASED);
    take_evidence(solo, 1, 5);
    solo_prevote_ask(solo, 3, 3, false);
    assert_int_equal(solo_answer(solo, 3), GP_VOTE_YES);
    solo_free(solo);
}

static void test_denials_of_strangers_end_no_candidacy(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, 1);
    solo_t *solo = solo_new(&config, 1, &disk);
    solo_wake(solo, 1530 * GP_MSEC);
    gp_msg_t *msg = solo_new_msg(GP_MSG_PREVOTE);
    msg->u.prevote.term = 2;
    msg->u.prevote.granted = true;
    solo_msg(solo, 2, msg);
    solo_stored(solo, true);
    msg = solo_new_msg(GP_MSG_VOTE);
    msg->u.vote.term = 2;
    msg->u.vote.candidate = lab_id(1);
    msg->u.vote.reason = GP_VOTE_TAKEN;
    msg->u.vote.own_term = 2;
    solo_msg(solo, 8, msg);
    solo_msg(solo, 9, msg);
    assert_int_equal(solo->core->role, GP_ELECTION_CANDIDATE);
    solo_msg(solo, 2, msg);
    solo_msg(solo, 3, msg);
    assert_int_equal(solo->core->role, GP_ELECTION_FOLLOWER);
    solo_free(solo);
}

static void test_the_last_term_is_the_last(void **state)
{
    (void)state;
    gp_election_config_t config = lab_config();
    gp_msg_election_state_t disk = solo_state(3, GP_TERM_MAX);
    solo_t *solo = solo_new(&config, 1, &disk);
    solo_standings(solo, 3, NULL);
    for (uint32_t i = 0; i < 20; i++) {
        solo_wake(solo, GP_SECOND);
        assert_null(solo_find(solo, GP_MSG_PREVOTE_ASK));
    }
    assert_int_equal(gp_election_own_term(solo->core), GP_TERM_MAX);
    solo_free(solo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_denies_inside_the_lease_and_stays_undisturbed),
        cmocka_unit_test(test_evidence_takes_two_observers),
        cmocka_unit_test(test_a_sign_of_life_voids_evidence),
        cmocka_unit_test(test_a_release_waives_only_the_lease_of_its_leader_and_term),
        cmocka_unit_test(test_votes_once_a_term_and_repeats_itself),
        cmocka_unit_test(test_a_late_ask_does_not_undo_the_grant),
        cmocka_unit_test(test_register_decides),
        cmocka_unit_test(test_grants_nothing_within_a_lease_of_its_start),
        cmocka_unit_test(test_a_release_by_whom_it_voted_for_ends_the_wait_after_a_start),
        cmocka_unit_test(test_terms_that_lie_are_ignored),
        cmocka_unit_test(test_only_a_voters_word_ends_a_term),
        cmocka_unit_test(test_a_members_higher_term_is_met_now_and_then),
        cmocka_unit_test(test_a_former_voter_of_a_higher_term_follows_again),
        cmocka_unit_test(test_counts_each_voter_once),
        cmocka_unit_test(test_denials_end_a_campaign_early),
        cmocka_unit_test(test_a_leader_that_meets_a_higher_term_steps_down),
        cmocka_unit_test(test_who_cannot_lead_votes_but_never_stands),
        cmocka_unit_test(test_who_alone_has_the_register_stands_last_and_hands_over),
        cmocka_unit_test(test_evidence_makes_a_failover_fast),
        cmocka_unit_test(test_silence_costs_one_lease),
        cmocka_unit_test(test_a_voter_that_was_cut_off_disturbs_nobody),
        cmocka_unit_test(test_a_voter_that_hears_no_leader_disturbs_nobody),
        cmocka_unit_test(test_a_release_by_the_leader_before_waives_nothing),
        cmocka_unit_test(test_evidence_about_the_next_leader_waives_no_grant_to_the_last),
        cmocka_unit_test(test_of_two_voters_one_observer_is_enough),
        cmocka_unit_test(test_denials_of_strangers_end_no_candidacy),
        cmocka_unit_test(test_the_last_term_is_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
