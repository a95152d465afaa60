/* Who believes a mandate or a release: each way in which signatures can fail to prove it. */
#include "election/mandate_check.h"

#include "election/election.h"

#include "proto_cmocka.h"

#define GROUP  7
#define VOTERS 5

static gp_secret_t *secrets[VOTERS + 1]; /* the last one is a stranger */
static gp_id_t ids[VOTERS + 1];
static uint8_t frames[VOTERS][GP_MESSAGE_MAX];
static const gp_grid_id_t grid = {.b = "a grid"};

static int open_keys(void **state)
{
    (void)state;
    if (gp_keys_init() != GP_OK) {
        return -1;
    }
    for (uint8_t i = 0; i <= VOTERS; i++) {
        uint8_t seed[32] = {(uint8_t)(i + 1)};
        if (gp_secret_from_seed(seed, &secrets[i]) != GP_OK) {
            return -1;
        }
        ids[i] = gp_secret_id(secrets[i]);
    }
    return 0;
}

static int close_keys(void **state)
{
    (void)state;
    for (uint32_t i = 0; i <= VOTERS; i++) {
        gp_secret_free(secrets[i]);
    }
    return 0;
}

/* A good mandate of voter 0 with three votes. */
static gp_msg_t *new_mandate(void)
{
    static gp_msg_t msg;
    memset(&msg, 0, sizeof msg);
    msg.kind = GP_MSG_MANDATE;
    gp_msg_mandate_t *mandate = &msg.u.mandate;
    mandate->group = GROUP;
    mandate->term = 3;
    mandate->leader = ids[0];
    mandate->version = 8;
    mandate->voters_count = VOTERS;
    mandate->votes_count = VOTERS;
    for (uint32_t i = 0; i < VOTERS; i++) {
        mandate->voters[i].id = ids[i];
    }
    return &msg;
}

static gp_msg_t *new_vote(const gp_msg_t *mandate_msg)
{
    static gp_msg_t msg;
    const gp_msg_mandate_t *mandate = &mandate_msg->u.mandate;
    memset(&msg, 0, sizeof msg);
    msg.kind = GP_MSG_VOTE;
    msg.u.vote = (gp_msg_vote_t){.group = GROUP,
                                 .term = 3,
                                 .candidate = ids[0],
                                 .granted = true,
                                 .own_term = 3,
                                 .version = 8,
                                 .roster = gp_election_roster_digest(mandate->voters, VOTERS),
                                 .valid_ms = 120000};
    return &msg;
}

/* Seals msg by a voter, into the frame of the place `at`. */
static gp_slice_t seal(uint32_t at, uint32_t voter, const gp_msg_t *msg)
{
    size_t n = 0;
    gp_envelope_t envelope = {.grid = grid,
                              .source = ids[voter],
                              .destination = ids[0],
                              .boot = 1,
                              .sequence = 1,
                              .sent_ms = 1000000 + 1000 * voter};
    gp_sealer_t sealer = {.signer = &gp_signer_ed25519, .secret = secrets[voter]};
    assert_int_equal(gp_envelope_seal(&envelope, msg, &sealer, frames[at], sizeof frames[at], &n),
                     GP_OK);
    return gp_slice(frames[at], n);
}

/* Puts what a voter signed into a place of the mandate. */
static void put(gp_msg_t *mandate, uint32_t at, uint32_t voter, const gp_msg_t *msg)
{
    gp_slice_t bytes = seal(at, voter, msg);
    assert_in_range(bytes.n, 1, GP_VOTE_MAX); /* or it would not fit into a mandate */
    mandate->u.mandate.votes[at].bytes = bytes;
}

static gp_msg_t *good_mandate(uint32_t votes)
{
    gp_msg_t *mandate = new_mandate();
    for (uint32_t i = 0; i < votes; i++) {
        put(mandate, i, i, new_vote(mandate));
    }
    return mandate;
}

static gp_error_t check(const gp_msg_t *mandate)
{
    return gp_mandate_check(mandate, &grid, &gp_signer_ed25519);
}

static void test_a_majority_proves_it(void **state)
{
    (void)state;
    assert_int_equal(check(good_mandate(3)), GP_OK);
    assert_int_equal(check(good_mandate(5)), GP_OK);
    assert_int_equal(check(good_mandate(2)), GP_E_MANDATE);
    assert_int_equal(check(good_mandate(0)), GP_E_MANDATE);
}

static void test_each_vote_must_fit(void **state)
{
    (void)state;
    for (uint32_t fault = 0; fault < 5; fault++) {
        gp_msg_t *mandate = good_mandate(2);
        gp_msg_t *vote = new_vote(mandate);
        switch (fault) {
        case 0:
            vote->u.vote.granted = false;
            break;
        case 1:
            vote->u.vote.term = 2;
            break;
        case 2:
            vote->u.vote.group = 8;
            break;
        case 3:
            vote->u.vote.candidate = ids[1];
            break;
        default:
            vote->u.vote.roster ^= 1;
            break;
        }
        put(mandate, 2, 2, vote);
        assert_int_equal(check(mandate), GP_E_MANDATE);
    }
}

static void test_each_by_the_voter_of_its_place(void **state)
{
    (void)state;
    gp_msg_t *mandate = good_mandate(2);
    put(mandate, 2, 1, new_vote(mandate)); /* one voter's twice */
    assert_int_equal(check(mandate), GP_E_MANDATE);
    mandate = good_mandate(2);
    put(mandate, 2, VOTERS, new_vote(mandate)); /* the stranger's */
    assert_int_equal(check(mandate), GP_E_MANDATE);
    mandate = good_mandate(2);
    put(mandate, 3, 2, new_vote(mandate)); /* in another's place */
    assert_int_equal(check(mandate), GP_E_MANDATE);
    mandate = good_mandate(2);
    put(mandate, 4, 4, new_vote(mandate)); /* any majority will do */
    assert_int_equal(check(mandate), GP_OK);
    mandate = good_mandate(3);
    mandate->u.mandate.votes_count = 3; /* a place for each voter */
    assert_int_equal(check(mandate), GP_E_MANDATE);
    mandate = good_mandate(3);
    mandate->u.mandate.voters[4].id = ids[0];
    assert_int_equal(check(mandate), GP_E_MANDATE);
    mandate = good_mandate(3);
    mandate->u.mandate.voters_count = 0;
    assert_int_equal(check(mandate), GP_E_MANDATE);
}

static void test_another_roster_is_not_the_one_they_signed(void **state)
{
    (void)state;
    gp_msg_t *mandate = good_mandate(3);
    mandate->u.mandate.voters[4].id = ids[VOTERS];
    assert_int_equal(check(mandate), GP_E_MANDATE);
    mandate = good_mandate(3);
    mandate->u.mandate.voters_count = 4;
    mandate->u.mandate.votes_count = 4;
    assert_int_equal(check(mandate), GP_E_MANDATE);
}

static void test_signatures_and_frames(void **state)
{
    (void)state;
    gp_msg_t *mandate = good_mandate(3);
    frames[1][GP_ENVELOPE_HEAD + 40] ^= 1; /* a byte of the candidate */
    assert_int_not_equal(check(mandate), GP_OK);
    mandate = good_mandate(3);
    frames[1][mandate->u.mandate.votes[1].bytes.n - 1] ^= 1;
    assert_int_equal(check(mandate), GP_E_MESSAGE_SIGNATURE);
    mandate = good_mandate(3);
    mandate->u.mandate.votes[2].bytes.n -= 1;
    assert_int_not_equal(check(mandate), GP_OK);
    mandate = good_mandate(3);
    mandate->u.mandate.votes[2].bytes.n = 0;
    assert_int_equal(check(mandate), GP_E_MANDATE);
    gp_grid_id_t other = {.b = "other"};
    assert_int_equal(gp_mandate_check(good_mandate(3), &other, &gp_signer_ed25519),
                     GP_E_MESSAGE_GRID);
    mandate = good_mandate(2);
    gp_msg_t *other_kind = new_vote(mandate);
    other_kind->kind = GP_MSG_RENEW_ASK;
    memset(&other_kind->u, 0, sizeof other_kind->u);
    put(mandate, 2, 2, other_kind);
    assert_int_equal(check(mandate), GP_E_MANDATE);
}

static void test_until_too_few_votes_are_valid(void **state)
{
    (void)state;
    /* Votes at 1000, 1001, 1002, 1003 s, each for 120 s: three of four are needed. */
    assert_int_equal(gp_mandate_until(good_mandate(4)), 1001000 + 120000);
    assert_int_equal(gp_mandate_until(good_mandate(3)), 1000000 + 120000);
    assert_int_equal(gp_mandate_until(good_mandate(2)), 0);
    gp_msg_t *mandate = good_mandate(3);
    mandate->u.mandate.votes[0].bytes.n = 3;
    assert_int_equal(gp_mandate_until(mandate), 0);
}

/* ---- a release: leader 1 gave term 2 up in favour of 0, who asks in term 3 ---------------------
 */

static gp_msg_t *new_handover(void)
{
    static gp_msg_t msg;
    memset(&msg, 0, sizeof msg);
    msg.kind = GP_MSG_HANDOVER;
    msg.u.handover =
        (gp_msg_handover_t){.group = GROUP, .term = 2, .successor = ids[0], .version = 8};
    return &msg;
}

static gp_msg_t *new_ask(const gp_msg_t *handover)
{
    static gp_msg_t msg;
    memset(&msg, 0, sizeof msg);
    msg.kind = GP_MSG_VOTE_ASK;
    msg.u.vote_ask.group = GROUP;
    msg.u.vote_ask.term = 3;
    msg.u.vote_ask.releases_count = 1;
    msg.u.vote_ask.releases[0].by = ids[1];
    msg.u.vote_ask.releases[0].term = 2;
    msg.u.vote_ask.releases[0].bytes = seal(VOTERS - 1, 1, handover);
    assert_in_range(msg.u.vote_ask.releases[0].bytes.n, 1, GP_RELEASE_MAX);
    return &msg;
}

static gp_error_t check_ask(const gp_msg_t *ask)
{
    return gp_release_check(ask, &ids[0], &grid, &gp_signer_ed25519);
}

static void test_a_release_by_its_leader(void **state)
{
    (void)state;
    gp_msg_t *ask = new_ask(new_handover());
    assert_int_equal(check_ask(ask), GP_OK);
    assert_int_equal(gp_release_check(ask, &ids[2], &grid, &gp_signer_ed25519), GP_E_RELEASE);
    gp_msg_t *mandate = good_mandate(3);
    mandate->u.mandate.releases_count = 1;
    mandate->u.mandate.releases[0] = ask->u.vote_ask.releases[0];
    assert_int_equal(check(mandate), GP_OK);
    mandate->u.mandate.releases[0].by = ids[2];
    assert_int_equal(check(mandate), GP_E_RELEASE);
    ask->u.vote_ask.releases_count = 0;
    assert_int_equal(check_ask(ask), GP_OK); /* who stands after silence has none */
}

static void test_a_release_that_does_not_fit(void **state)
{
    (void)state;
    gp_msg_t *handover = new_handover();
    handover->u.handover.group = 8;
    assert_int_equal(check_ask(new_ask(handover)), GP_E_RELEASE);
    handover = new_handover();
    handover->u.handover.term = 1;
    assert_int_equal(check_ask(new_ask(handover)), GP_E_RELEASE);
    handover = new_handover();
    handover->u.handover.successor = ids[2];
    assert_int_equal(check_ask(new_ask(handover)), GP_E_RELEASE);
    gp_msg_t *ask = new_ask(new_handover());
    ask->u.vote_ask.releases[0].by = ids[2]; /* signed by 1 */
    assert_int_equal(check_ask(ask), GP_E_RELEASE);
    ask = new_ask(new_handover());
    ask->u.vote_ask.term = 2; /* nobody gives up in favour of its own term */
    assert_int_equal(check_ask(ask), GP_E_RELEASE);
    ask = new_ask(new_handover());
    frames[VOTERS - 1][GP_ENVELOPE_HEAD + 2] ^= 1;
    assert_int_not_equal(check_ask(ask), GP_OK);
    ask = new_ask(new_handover());
    frames[VOTERS - 1][ask->u.vote_ask.releases[0].bytes.n - 1] ^= 1;
    assert_int_equal(check_ask(ask), GP_E_MESSAGE_SIGNATURE);
    ask = new_ask(new_handover());
    ask->u.vote_ask.releases[0].bytes.n = 0;
    assert_int_not_equal(check_ask(ask), GP_OK);
    gp_msg_t *mandate = good_mandate(3);
    ask = new_ask(new_vote(mandate)); /* signed, but another kind */
    assert_int_equal(check_ask(ask), GP_E_RELEASE);
    gp_grid_id_t other = {.b = "other"};
    ask = new_ask(new_handover());
    assert_int_equal(gp_release_check(ask, &ids[0], &other, &gp_signer_ed25519), GP_E_MESSAGE_GRID);
}

static void test_a_vote_must_be_signed(void **state)
{
    (void)state;
    gp_msg_t *mandate = good_mandate(3);
    assert_int_equal(check(mandate), GP_OK);
    size_t n = 0;
    gp_msg_t *lease = new_vote(mandate);
    lease->kind = GP_MSG_LEASE; /* a kind that goes unsigned */
    lease->u.lease = (gp_msg_lease_t){.group = GROUP, .term = 3};
    assert_int_equal(gp_envelope_link(lease, frames[1], sizeof frames[1], &n), GP_OK);
    mandate->u.mandate.votes[1].bytes = gp_slice(frames[1], n);
    assert_int_equal(check(mandate), GP_E_MANDATE);
    assert_int_equal(gp_mandate_until(mandate), 0);
}

/* The reader allows no such list; whoever fills the fields otherwise must not be believed either.
 */
static void test_more_voters_than_there_may_be(void **state)
{
    (void)state;
    gp_msg_t *mandate = good_mandate(VOTERS);
    assert_int_equal(check(mandate), GP_OK);
    gp_wall_ms_t until = gp_mandate_until(mandate);
    assert_int_not_equal(until, 0);
    mandate->u.mandate.voters_count = GP_VOTERS_MAX + 1;
    mandate->u.mandate.votes_count = GP_VOTERS_MAX + 1;
    assert_int_equal(check(mandate), GP_E_MANDATE);
    mandate->u.mandate.voters_count = GP_VOTERS_MAX;
    assert_int_equal(gp_mandate_until(mandate), until);
}

/* In whatever order the votes stand, and however long each is valid. */
static void test_until_counts_the_latest_votes(void **state)
{
    (void)state;
    static const uint32_t orders[][3] = {{10, 20, 30}, {30, 20, 10}, {20, 30, 10}, {30, 10, 20}};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        gp_msg_t *mandate = new_mandate();
        for (uint32_t at = 0; at < 3; at++) {
            gp_msg_t *vote = new_vote(mandate);
            vote->u.vote.valid_ms = 1000 * (orders[i][at] - at); /* sent at seconds each */
            put(mandate, at, at, vote);
        }
        assert_int_equal(gp_mandate_until(mandate), 1000000 + 10000);
        gp_msg_t *vote = new_vote(mandate);
        vote->u.vote.valid_ms = 1000 * (25 - 3);
        put(mandate, 3, 3, vote);
        assert_int_equal(gp_mandate_until(mandate), 1000000 + 20000); /* three of five */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_majority_proves_it),
        cmocka_unit_test(test_each_vote_must_fit),
        cmocka_unit_test(test_each_by_the_voter_of_its_place),
        cmocka_unit_test(test_another_roster_is_not_the_one_they_signed),
        cmocka_unit_test(test_signatures_and_frames),
        cmocka_unit_test(test_until_too_few_votes_are_valid),
        cmocka_unit_test(test_a_release_by_its_leader),
        cmocka_unit_test(test_a_release_that_does_not_fit),
        cmocka_unit_test(test_a_vote_must_be_signed),
        cmocka_unit_test(test_more_voters_than_there_may_be),
        cmocka_unit_test(test_until_counts_the_latest_votes),
    };
    return cmocka_run_group_tests(tests, open_keys, close_keys);
}
