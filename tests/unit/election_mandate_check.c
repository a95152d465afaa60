/* Who believes a mandate: each way in which its votes can fail to prove it. */
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

/* Seals msg as the next vote of the mandate. */
static void add(gp_msg_t *mandate, uint32_t voter, const gp_msg_t *msg)
{
    uint32_t at = mandate->u.mandate.votes_count++;
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
    assert_in_range(n, 1, GP_VOTE_MAX); /* or it would not fit into a mandate */
    mandate->u.mandate.votes[at].bytes = gp_slice(frames[at], n);
}

static gp_msg_t *good_mandate(uint32_t votes)
{
    gp_msg_t *mandate = new_mandate();
    for (uint32_t i = 0; i < votes; i++) {
        add(mandate, i, new_vote(mandate));
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
        add(mandate, 2, vote);
        assert_int_equal(check(mandate), GP_E_MANDATE);
    }
}

static void test_by_distinct_voters(void **state)
{
    (void)state;
    gp_msg_t *mandate = good_mandate(2);
    add(mandate, 1, new_vote(mandate));
    assert_int_equal(check(mandate), GP_E_MANDATE);
    mandate = good_mandate(2);
    add(mandate, VOTERS, new_vote(mandate)); /* the stranger */
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
    assert_int_not_equal(check(mandate), GP_OK);
    gp_grid_id_t other = {.b = "other"};
    assert_int_equal(gp_mandate_check(good_mandate(3), &other, &gp_signer_ed25519),
                     GP_E_MESSAGE_GRID);
    mandate = good_mandate(2);
    gp_msg_t *other_kind = new_vote(mandate);
    other_kind->kind = GP_MSG_RENEW_ASK;
    memset(&other_kind->u, 0, sizeof other_kind->u);
    add(mandate, 2, other_kind);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_majority_proves_it),
        cmocka_unit_test(test_each_vote_must_fit),
        cmocka_unit_test(test_by_distinct_voters),
        cmocka_unit_test(test_another_roster_is_not_the_one_they_signed),
        cmocka_unit_test(test_signatures_and_frames),
        cmocka_unit_test(test_until_too_few_votes_are_valid),
    };
    return cmocka_run_group_tests(tests, open_keys, close_keys);
}
