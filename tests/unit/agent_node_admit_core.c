/* The decisions about admission and renewal, fact by fact. */
#include "agent/node/admit_core.h"

#include "proto_cmocka.h"

#define DAY UINT64_C(86400000)

static const gp_admit_facts_t fine = {.invitation = GP_OK,
                                      .issued_here = true,
                                      .guest = true,
                                      .proven = true,
                                      .name_valid = true,
                                      .region_same = true,
                                      .address_valid = true,
                                      .may_admit = true,
                                      .uses = 3,
                                      .used = 2};

static void refused(gp_admit_facts_t facts, gp_error_t expected)
{
    gp_error_t error = GP_OK;
    assert_int_equal(gp_admit_decide(&facts, &error), GP_ADMIT_REFUSE);
    assert_int_equal(error, expected);
}

/* In this order: a region of our own name, and then a token that could not do it. */
static void test_a_region_is_added(void **state)
{
    (void)state;
    gp_admit_facts_t facts = fine;
    facts.adds = true;
    refused(facts, GP_E_REGION_EXISTS);
    facts.region_new = true;
    refused(facts, GP_E_TOKEN_ADMIT);
    facts.may_add = true;
    facts.region_same = false; /* the token is not of ours */
    refused(facts, GP_E_TOKEN_REGION);
    facts.region_same = true;
    gp_error_t error = GP_E_BUSY;
    assert_int_equal(gp_admit_decide(&facts, &error), GP_ADMIT_NEW);
}

static gp_admit_verdict_t decided(gp_admit_facts_t facts)
{
    gp_error_t error = GP_E_BUSY;
    const gp_admit_verdict_t verdict = gp_admit_decide(&facts, &error);
    assert_int_equal(error, GP_OK);
    return verdict;
}

static void test_one_wrong_fact_refuses(void **state)
{
    (void)state;
    assert_int_equal(decided(fine), GP_ADMIT_NEW);
    gp_admit_facts_t facts = fine;
    facts.invitation = GP_E_TOKEN_EXPIRED;
    refused(facts, GP_E_TOKEN_EXPIRED);
    facts = fine;
    facts.issued_here = false;
    refused(facts, GP_E_TOKEN_UNKNOWN);
    facts = fine;
    facts.guest = false;
    refused(facts, GP_E_TOKEN_PROOF);
    facts = fine;
    facts.proven = false;
    refused(facts, GP_E_TOKEN_PROOF);
    facts = fine;
    facts.may_admit = false;
    refused(facts, GP_E_JOIN_NOT_ISSUER);
    facts = fine;
    facts.region_same = false;
    refused(facts, GP_E_TOKEN_REGION);
    facts = fine;
    facts.name_valid = false;
    refused(facts, GP_E_NAME);
    facts = fine;
    facts.address_valid = false;
    refused(facts, GP_E_ADDRESS);
    facts = fine;
    facts.used = 3;
    refused(facts, GP_E_TOKEN_USED);
    facts = fine;
    facts.name_taken = true;
    refused(facts, GP_E_JOIN_NAME);
}

static void test_who_proves_nothing_learns_nothing(void **state)
{
    (void)state;
    gp_admit_facts_t facts = fine;
    facts.proven = false;
    facts.used = 3;
    facts.name_taken = true;
    facts.region_same = false;
    refused(facts, GP_E_TOKEN_PROOF);
}

static void test_the_same_machine_is_admitted_again_without_a_use(void **state)
{
    (void)state;
    gp_admit_facts_t facts = fine;
    facts.admitted = true;
    facts.admitted_name = true;
    facts.used = 3;
    assert_int_equal(decided(facts), GP_ADMIT_AGAIN);
    facts.admitted_name = false;
    refused(facts, GP_E_JOIN_NAME);
}

static const gp_renew_facts_t old = {.cert = GP_OK,
                                     .own = true,
                                     .region_same = true,
                                     .may_admit = true,
                                     .own_roles = GP_ROLE_ALL,
                                     .roles = GP_ROLE_MEMBER | GP_ROLE_LEND,
                                     .not_before_ms = 1000,
                                     .not_after_ms = 1000 + 30 * DAY,
                                     .now_ms = 1000 + 20 * DAY};

static void renew_refused(gp_renew_facts_t facts, gp_error_t expected)
{
    uint16_t roles = 0;
    gp_error_t error = GP_OK;
    assert_int_equal(gp_renew_decide(&facts, &roles, &error), GP_ADMIT_REFUSE);
    assert_int_equal(error, expected);
}

static uint16_t renewed(gp_renew_facts_t facts, gp_admit_verdict_t expected)
{
    uint16_t roles = 0;
    gp_error_t error = GP_E_BUSY;
    assert_int_equal(gp_renew_decide(&facts, &roles, &error), expected);
    assert_int_equal(error, GP_OK);
    return roles;
}

static void test_renewal(void **state)
{
    (void)state;
    assert_int_equal(renewed(old, GP_ADMIT_NEW), GP_ROLE_MEMBER | GP_ROLE_LEND);
    gp_renew_facts_t facts = old;
    facts.now_ms = 1000 + 10 * DAY;
    assert_int_equal(renewed(facts, GP_ADMIT_AGAIN), GP_ROLE_MEMBER | GP_ROLE_LEND);
    facts = old;
    facts.cert = GP_E_CERT_EXPIRED;
    renew_refused(facts, GP_E_CERT_EXPIRED);
    facts = old;
    facts.own = false;
    renew_refused(facts, GP_E_MESSAGE_SENDER);
    facts = old;
    facts.region_same = false;
    renew_refused(facts, GP_E_TOKEN_REGION);
    facts = old;
    facts.may_admit = false;
    renew_refused(facts, GP_E_JOIN_NOT_ISSUER);
    facts.has_root = true;
    (void)renewed(facts, GP_ADMIT_NEW);
}

static void test_role_admit_is_renewed_by_the_root(void **state)
{
    (void)state;
    gp_renew_facts_t facts = old;
    facts.roles = GP_ROLE_MEMBER | GP_ROLE_ADMIT;
    renew_refused(facts, GP_E_JOIN_NOT_ISSUER);
    facts.now_ms = 1000 + 26 * DAY; /* the last sixth: better a member than nothing */
    assert_int_equal(renewed(facts, GP_ADMIT_NEW), GP_ROLE_MEMBER);
    facts.has_root = true;
    assert_int_equal(renewed(facts, GP_ADMIT_NEW), GP_ROLE_MEMBER | GP_ROLE_ADMIT);
    facts.has_root = false;
    facts.roles = GP_ROLE_ADMIT;
    renew_refused(facts, GP_E_CERT_ROLE);
    facts.roles = GP_ROLE_MEMBER | GP_ROLE_AUDIT;
    facts.own_roles = GP_ROLE_MEMBER | GP_ROLE_ADMIT;
    assert_int_equal(renewed(facts, GP_ADMIT_NEW), GP_ROLE_MEMBER);
}

static void test_when_to_renew(void **state)
{
    (void)state;
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (uint64_t spread = 0; spread < 1000; spread++) {
        const uint64_t at =
            gp_renew_at(1000, 1000 + 30 * DAY, spread * UINT64_C(0x9e3779b97f4a7c15), 0);
        least = at < least ? at : least;
        most = at > most ? at : most;
    }
    assert_in_range(least, 1000 + 20 * DAY, 1000 + 20 * DAY + DAY / 4);
    assert_in_range(most, 1000 + 22 * DAY, 1000 + 20 * DAY + 30 * DAY / 12 + 1);
    assert_int_equal(gp_renew_at(1000, 1000 + 30 * DAY, 0, 2) -
                         gp_renew_at(1000, 1000 + 30 * DAY, 0, 1),
                     3600000);
    /* A certificate of one minute still gets eight tries. */
    assert_true(gp_renew_at(0, 60000, 12345, 8) <= 60000);
    assert_true(gp_renew_at(0, 1, UINT64_MAX, UINT32_MAX) <= 1);
    assert_true(gp_renew_at(UINT64_C(1) << 41, (UINT64_C(1) << 41) + DAY, 7, UINT32_MAX) >
                UINT64_C(1) << 41);
}

static void test_a_certificate_binds_those_who_are_in(void **state)
{
    const uint64_t end = 1000 + 30 * DAY;
    (void)state;
    assert_false(gp_member_lapsed(end, 0));
    assert_false(gp_member_lapsed(end, end));
    assert_false(gp_member_lapsed(end, end + GP_CERT_GRACE_MS));
    assert_true(gp_member_lapsed(end, end + GP_CERT_GRACE_MS + 1));
    assert_true(gp_member_lapsed(0, UINT64_MAX));
    assert_false(gp_member_lapsed(UINT64_MAX, UINT64_MAX));
}

/* How many of `count` asks are let through, one every `gap`. */
static uint32_t taken(gp_asks_t *asks, gp_usec_t *now, uint32_t count, gp_usec_t gap)
{
    uint32_t passed = 0;
    for (uint32_t i = 0; i < count; i++) {
        *now += gap;
        passed += gp_asks_take(asks, *now) ? 1 : 0;
    }
    return passed;
}

static void test_asks_have_a_quota(void **state)
{
    gp_asks_t asks = {.spent = 0};
    gp_usec_t now = 77 * GP_SECOND;
    (void)state;
    /* Sixty machines with one token, each of them asking twice, within a second. */
    assert_int_equal(taken(&asks, &now, 120, GP_SECOND / 120), 120);
    now += 10 * GP_SECOND;
    /* A flood: the burst, then the rate. */
    assert_int_equal(taken(&asks, &now, 1000, 0), GP_GUEST_ASKS_BURST);
    assert_in_range(taken(&asks, &now, 100000, 100), 10 * GP_GUEST_ASKS_RATE - 1,
                    10 * GP_GUEST_ASKS_RATE + 1);
    /* Within the rate for ever. */
    now += GP_SECOND;
    assert_int_equal(taken(&asks, &now, 10000, GP_SECOND / GP_GUEST_ASKS_RATE + 1), 10000);
    /* However long it was quiet, no more than the burst; a clock that steps back earns nothing. */
    now = UINT64_MAX - 1;
    assert_int_equal(taken(&asks, &now, 1000, 0), GP_GUEST_ASKS_BURST);
    now = 5;
    assert_int_equal(taken(&asks, &now, 1000, 0), 0);
    assert_int_equal(taken(&asks, &now, 1, GP_SECOND), 1);
}

static uint32_t written(gp_refusals_t *refusals, gp_usec_t now, uint32_t count)
{
    uint32_t lines = 0;
    for (uint32_t i = 0; i < count; i++) {
        lines += gp_refusals_take(refusals, now) ? 1 : 0;
    }
    return lines;
}

static void test_refusals_do_not_fill_the_log(void **state)
{
    const gp_usec_t minute = 60 * GP_SECOND;
    gp_refusals_t refusals = {.missed = 0};
    gp_usec_t now = 1000;
    (void)state;
    assert_int_equal(gp_refusals_missed(&refusals, now), 0);
    assert_int_equal(written(&refusals, now, 1000), GP_REFUSALS_LOGGED_MAX);
    assert_int_equal(gp_refusals_missed(&refusals, now + minute - 1), 0);
    assert_int_equal(written(&refusals, now + minute - 1, 5), 0);
    assert_int_equal(gp_refusals_missed(&refusals, now + minute), 1005 - GP_REFUSALS_LOGGED_MAX);
    assert_int_equal(gp_refusals_missed(&refusals, now + minute), 0); /* told once */
    now += minute;
    assert_int_equal(written(&refusals, now, 3), 3);
    assert_int_equal(written(&refusals, now + 1, 100), GP_REFUSALS_LOGGED_MAX - 3);
    assert_int_equal(gp_refusals_missed(&refusals, now + 2 * minute), 103 - GP_REFUSALS_LOGGED_MAX);
    assert_int_equal(written(&refusals, now + 2 * minute, 1), 1);
    assert_int_equal(gp_refusals_missed(&refusals, now + 9 * minute), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_wrong_fact_refuses),
        cmocka_unit_test(test_a_region_is_added),
        cmocka_unit_test(test_who_proves_nothing_learns_nothing),
        cmocka_unit_test(test_the_same_machine_is_admitted_again_without_a_use),
        cmocka_unit_test(test_renewal),
        cmocka_unit_test(test_role_admit_is_renewed_by_the_root),
        cmocka_unit_test(test_when_to_renew),
        cmocka_unit_test(test_a_certificate_binds_those_who_are_in),
        cmocka_unit_test(test_asks_have_a_quota),
        cmocka_unit_test(test_refusals_do_not_fill_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
