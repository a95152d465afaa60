/* Exactly so many machines as a token says: in a row, again, at once, and through a kill -9. */
#include "agent/node/admit.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent_node_fixture.h"

static char root[128];
static test_machine_t founder;

static int set_up(void **state)
{
    (void)state;
    (void)test_dir_make(root);
    test_found(root, "n1");
    test_open(root, "n1", &founder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_close(&founder);
    test_dir_remove(root);
    return 0;
}

/* A joiner with a key of its own, made of the token's text. */
static gp_join_t *joiner(const char *name, const char *token)
{
    gp_fail_t fail;
    char dir[160];
    gp_join_t *join = calloc(1, sizeof *join);
    assert_non_null(join);
    (void)snprintf(dir, sizeof dir, "%s/joiners", root);
    const gp_join_params_t params = test_join_params(dir, name, token);
    assert_error(gp_join_prepare(&params, join, &fail), GP_OK, &fail);
    return join;
}

static void joiner_free(gp_join_t *join)
{
    gp_join_close(join);
    free(join);
}

static gp_error_t admitted(const char *name, const char *token)
{
    gp_join_t *join = joiner(name, token);
    const gp_admit_result_t result = test_admit(&founder, join, TEST_NOW);
    joiner_free(join);
    return result.error;
}

static void test_uses_are_counted(void **state)
{
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 2, GP_INVITE_ROLES, TEST_NOW);
    assert_int_equal(admitted("a", token.text), GP_OK);
    gp_join_t *last = joiner("b", token.text);
    assert_true(test_admit(&founder, last, TEST_NOW).used_up);
    joiner_free(last);
    gp_join_t *join = joiner("c", token.text);
    const gp_admit_result_t result = test_admit(&founder, join, TEST_NOW);
    assert_int_equal(result.error, GP_E_TOKEN_USED);
    assert_non_null(strstr(result.text, "2 machines"));
    joiner_free(join);
}

static void test_certificate_is_what_was_promised(void **state)
{
    gp_cert_t cert;
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
    gp_join_t *join = joiner("a", token.text);
    const gp_admit_result_t result = test_admit(&founder, join, TEST_NOW + 5);
    assert_int_equal(result.error, GP_OK);
    assert_false(result.again);
    assert_true(result.used_up);
    assert_int_equal(gp_cert_verify(gp_slice(result.cert, result.cert_n), &founder.identity.root_id,
                                    TEST_NOW + 5, &cert),
                     GP_OK);
    assert_string_equal(cert.name, "a");
    assert_string_equal(cert.region, "lab");
    assert_int_equal(cert.roles, GP_INVITE_ROLES);
    assert_true(gp_id_equal(&cert.node, &join->id));
    assert_true(gp_id_equal(&cert.issuer, &founder.identity.root_id)); /* depth 0 */
    assert_int_equal(cert.not_after_ms, TEST_NOW + 5 + GP_CERT_DAYS * TEST_DAY);
    joiner_free(join);
}

#define FOUNDER_ROLES (GP_INVITE_ROLES | GP_ROLE_ADMIT)

static gp_admit_result_t add_region(gp_join_t *join, const char *region, gp_founds_t found)
{
    static gp_msg_t msg;
    gp_admit_result_t result;
    gp_join_ask(join, &msg);
    msg.u.join_ask.region = gp_text(region);
    msg.u.join_ask.found = (uint8_t)found;
    const gp_admit_ask_t ask = {.peer = {.signer = join->id, .guest = gp_secret_id(join->one_time)},
                                .msg = &msg.u.join_ask};
    gp_admit_now(&founder.issuer, &ask, TEST_NOW, &result);
    return result;
}

/* Its certificate is of the new region, and lets it admit others. */
static void test_who_founds_a_region_is_certified_for_it(void **state)
{
    gp_cert_t cert;
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 2, FOUNDER_ROLES, TEST_NOW);
    gp_join_t *join = joiner("a", token.text);
    assert_int_equal(add_region(join, "attic", GP_FOUNDS_NOTHING).error, GP_E_TOKEN_REGION);
    assert_int_equal(add_region(join, "lab", GP_FOUNDS_REGION).error, GP_E_REGION_EXISTS);
    assert_int_equal(add_region(join, "The Attic", GP_FOUNDS_REGION).error, GP_E_NAME);
    gp_admit_result_t result = add_region(join, "attic", GP_FOUNDS_REGION);
    assert_int_equal(result.error, GP_OK);
    assert_int_equal(gp_cert_verify(gp_slice(result.cert, result.cert_n), &founder.identity.root_id,
                                    TEST_NOW, &cert),
                     GP_OK);
    assert_string_equal(cert.region, "attic");
    assert_int_equal(cert.roles, FOUNDER_ROLES);
    static gp_msg_t answer;
    memset(&answer, 0, sizeof answer);
    gp_admit_answer(&result, &founder.identity, &answer);
    assert_true(gp_slice_equal(answer.u.join_ok.region, gp_text("attic")));
    assert_int_not_equal(answer.u.join_ok.region_group, founder.identity.region_group);
    assert_int_equal(answer.u.join_ok.grid_group, founder.identity.grid_group);
    assert_true(add_region(join, "attic", GP_FOUNDS_REGION).again);
    assert_int_equal(add_region(join, "cellar", GP_FOUNDS_REGION).error, GP_E_JOIN_NAME);
    /* Its certificate is the root's to renew, in whatever region it is. */
    const gp_msg_cert_renew_t old = {.cert = gp_slice(result.cert, result.cert_n)};
    const gp_renew_ask_t ask = {.signer = join->id, .msg = &old};
    gp_admit_result_t renewed;
    gp_renew_now(&founder.issuer, &ask, TEST_NOW + GP_CERT_DAYS * TEST_DAY * 2 / 3, &renewed);
    assert_int_equal(renewed.error, GP_OK);
    assert_string_equal(renewed.facts.region, "attic");
    assert_int_equal(renewed.facts.roles, FOUNDER_ROLES);
    joiner_free(join);
    const gp_invite_result_t plain = test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
    join = joiner("b", plain.text);
    assert_int_equal(add_region(join, "cellar", GP_FOUNDS_REGION).error, GP_E_TOKEN_ADMIT);
    joiner_free(join);
}

static void test_asking_again_costs_nothing(void **state)
{
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
    gp_join_t *join = joiner("a", token.text);
    const gp_admit_result_t first = test_admit(&founder, join, TEST_NOW);
    const gp_admit_result_t again = test_admit(&founder, join, TEST_NOW + 60000);
    assert_int_equal(again.error, GP_OK);
    assert_true(again.again);
    assert_int_equal(again.cert_n, first.cert_n);
    assert_memory_equal(again.cert, first.cert, first.cert_n);
    joiner_free(join);
    assert_int_equal(admitted("b", token.text), GP_E_TOKEN_USED);
}

static void test_names_belong_to_one_machine(void **state)
{
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 9, GP_INVITE_ROLES, TEST_NOW);
    assert_int_equal(admitted("a", token.text), GP_OK);
    assert_int_equal(admitted("a", token.text), GP_E_JOIN_NAME);
    assert_int_equal(admitted("n1", token.text), GP_E_JOIN_NAME); /* the issuer's own */
    gp_join_t *join = joiner("b", token.text);
    static gp_msg_t msg;
    gp_admit_result_t result;
    gp_join_ask(join, &msg);
    gp_admit_ask_t ask = {.peer = {.signer = join->id, .guest = gp_secret_id(join->one_time)},
                          .msg = &msg.u.join_ask,
                          .name_taken = true}; /* another member that joined elsewhere */
    gp_admit_now(&founder.issuer, &ask, TEST_NOW, &result);
    assert_int_equal(result.error, GP_E_JOIN_NAME);
    joiner_free(join);
    /* Refusals cost no use: seven are left of nine, less one each. */
    for (int i = 0; i < 8; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "x%d", i);
        assert_int_equal(admitted(name, token.text), GP_OK);
    }
    assert_int_equal(admitted("y", token.text), GP_E_TOKEN_USED);
}

static void test_a_name_is_free_when_its_machine_left_or_expired(void **state)
{
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 9, GP_INVITE_ROLES, TEST_NOW);
    gp_join_t *join = joiner("a", token.text);
    assert_int_equal(test_admit(&founder, join, TEST_NOW).error, GP_OK);
    gp_fail_t fail;
    assert_error(
        gp_store_run_now(founder.store, (gp_store_run_fn *)gp_ledger_forget, &join->id, &fail),
        GP_OK, &fail);
    joiner_free(join);
    assert_int_equal(admitted("a", token.text), GP_OK);
    assert_int_equal(admitted("a", token.text), GP_E_JOIN_NAME);
}

static void test_stolen_or_altered_asks_are_refused(void **state)
{
    static gp_msg_t msg;
    gp_admit_result_t result;
    uint8_t bytes[GP_TOKEN_MAX];
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
    const gp_invite_result_t other = test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
    gp_join_t *join = joiner("a", token.text);
    gp_join_t *thief = joiner("b", other.text);
    gp_join_ask(join, &msg);
    gp_admit_ask_t ask = {.peer = {.signer = join->id, .guest = gp_secret_id(join->one_time)},
                          .msg = &msg.u.join_ask};
    /* another key signs what was overheard */
    ask.peer.signer = thief->id;
    gp_admit_now(&founder.issuer, &ask, TEST_NOW, &result);
    assert_int_equal(result.error, GP_E_TOKEN_PROOF);
    /* the session is another guest's */
    ask.peer.signer = join->id;
    ask.peer.guest = gp_secret_id(thief->one_time);
    gp_admit_now(&founder.issuer, &ask, TEST_NOW, &result);
    assert_int_equal(result.error, GP_E_TOKEN_PROOF);
    ask.peer.guest = gp_secret_id(join->one_time);
    /* another name, region, address; a proof cut short */
    const gp_msg_join_ask_t good = msg.u.join_ask;
    msg.u.join_ask.name = gp_text("c");
    gp_admit_now(&founder.issuer, &ask, TEST_NOW, &result);
    assert_int_equal(result.error, GP_E_TOKEN_PROOF);
    msg.u.join_ask = good;
    msg.u.join_ask.region = gp_text("attic");
    gp_admit_now(&founder.issuer, &ask, TEST_NOW, &result);
    assert_int_equal(result.error, GP_E_TOKEN_REGION);
    msg.u.join_ask = good;
    msg.u.join_ask.address = gp_text("tcp://*:1");
    gp_admit_now(&founder.issuer, &ask, TEST_NOW, &result);
    assert_int_equal(result.error, GP_E_ADDRESS);
    msg.u.join_ask = good;
    msg.u.join_ask.proof.n--;
    gp_admit_now(&founder.issuer, &ask, TEST_NOW, &result);
    assert_int_equal(result.error, GP_E_TOKEN_PROOF);
    /* every byte of the invitation counts */
    memcpy(bytes, good.invitation.p, good.invitation.n);
    for (uint32_t i = 0; i < good.invitation.n; i++) {
        msg.u.join_ask = good;
        msg.u.join_ask.invitation = gp_slice(bytes, good.invitation.n);
        bytes[i] ^= (uint8_t)(1u << i % 8);
        gp_admit_now(&founder.issuer, &ask, TEST_NOW, &result);
        assert_true(result.error != GP_OK);
        bytes[i] ^= (uint8_t)(1u << i % 8);
        msg.u.join_ask.invitation = gp_slice(bytes, i);
        gp_admit_now(&founder.issuer, &ask, TEST_NOW, &result);
        assert_int_equal(result.error, GP_E_TOKEN_FORMAT);
    }
    /* too late; and in the end the owner still gets in */
    msg.u.join_ask = good;
    gp_admit_now(&founder.issuer, &ask, TEST_NOW + 2 * TEST_DAY, &result);
    assert_int_equal(result.error, GP_E_TOKEN_EXPIRED);
    gp_admit_now(&founder.issuer, &ask, TEST_NOW, &result);
    assert_int_equal(result.error, GP_OK);
    joiner_free(join);
    joiner_free(thief);
}

static void test_another_grids_token_is_refused_and_not_used(void **state)
{
    test_machine_t stranger;
    (void)state;
    test_found(root, "s1");
    test_open(root, "s1", &stranger);
    const gp_invite_result_t token = test_invite(&stranger, 1, GP_INVITE_ROLES, TEST_NOW);
    gp_join_t *join = joiner("a", token.text);
    assert_int_equal(test_admit(&founder, join, TEST_NOW).error, GP_E_TOKEN_GRID);
    assert_int_equal(test_admit(&stranger, join, TEST_NOW).error, GP_OK);
    joiner_free(join);
    test_close(&stranger);
}

/* ---- parameters --------------------------------------------------------------------------------
 */

static void test_invite_refuses_what_it_cannot_give(void **state)
{
    gp_fail_t fail;
    gp_invite_result_t result;
    (void)state;
    const gp_invite_params_t good = {
        .uses = 1,
        .valid_ms = 3600000,
        .roles = GP_INVITE_ROLES,
        .seed_count = 1,
        .seeds = {{.address = "tcp://127.0.0.1:7001", .id = founder.identity.id}}};
    gp_invite_params_t params = good;
    params.uses = 0;
    assert_error(gp_invite_now(&founder.issuer, &params, TEST_NOW, &result, &fail), GP_E_USAGE,
                 &fail);
    params.uses = GP_TOKEN_USES_MAX + 1;
    assert_error(gp_invite_now(&founder.issuer, &params, TEST_NOW, &result, &fail), GP_E_USAGE,
                 &fail);
    params = good;
    params.valid_ms = 1000;
    assert_error(gp_invite_now(&founder.issuer, &params, TEST_NOW, &result, &fail), GP_E_USAGE,
                 &fail);
    params.valid_ms = 31 * TEST_DAY;
    assert_error(gp_invite_now(&founder.issuer, &params, TEST_NOW, &result, &fail), GP_E_USAGE,
                 &fail);
    params = good;
    params.roles = GP_ROLE_LEND;
    assert_error(gp_invite_now(&founder.issuer, &params, TEST_NOW, &result, &fail), GP_E_CERT_ROLE,
                 &fail);
    params.roles = 0x8001;
    assert_error(gp_invite_now(&founder.issuer, &params, TEST_NOW, &result, &fail), GP_E_CERT_ROLE,
                 &fail);
    params = good;
    params.seed_count = 0;
    assert_error(gp_invite_now(&founder.issuer, &params, TEST_NOW, &result, &fail), GP_E_USAGE,
                 &fail);
    params = good;
    memcpy(params.seeds[0].address, "tcp://*:7001", 13);
    assert_error(gp_invite_now(&founder.issuer, &params, TEST_NOW, &result, &fail), GP_E_ADDRESS,
                 &fail);
    assert_int_equal(gp_store_stats(founder.store).commits, 2); /* founding; nothing since */
}

static void test_open_invitations_are_limited(void **state)
{
    gp_fail_t fail;
    gp_invite_result_t result;
    (void)state;
    const gp_invite_params_t params = {
        .uses = 1,
        .valid_ms = GP_INVITE_VALID_MS,
        .roles = GP_INVITE_ROLES,
        .seed_count = 1,
        .seeds = {{.address = "tcp://127.0.0.1:7001", .id = founder.identity.id}}};
    const gp_invite_result_t first = test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
    for (int i = 1; i < GP_INVITATIONS_MAX; i++) {
        (void)test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW + 1000);
    }
    assert_error(gp_invite_now(&founder.issuer, &params, TEST_NOW, &result, &fail),
                 GP_E_INVITE_LIMIT, &fail);
    assert_non_null(strstr(fail.text, "256 of 256 are open"));
    assert_non_null(strstr(fail.text, "expires at 2025-06-16 15:06:40 UTC"));
    assert_int_equal(gp_error_exit(fail.code), GP_EXIT_REFUSED);
    /* One that is used up makes room. */
    assert_int_equal(admitted("a", first.text), GP_OK);
    (void)test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
}

/* ---- members that admit and renew --------------------------------------------------------------
 */

static void join_as(const char *name, uint16_t roles, test_machine_t *ret_machine)
{
    gp_fail_t fail;
    gp_setup_result_t result;
    const gp_invite_result_t token = test_invite(&founder, 1, roles, TEST_NOW);
    const gp_join_params_t params = test_join_params(root, name, token.text);
    assert_error(gp_join(&params, test_exchange, &founder, &result, &fail), GP_OK, &fail);
    test_open(root, name, ret_machine);
}

static void test_a_member_with_the_role_admits(void **state)
{
    test_machine_t admitter;
    gp_fail_t fail;
    gp_invite_result_t refused;
    gp_cert_t cert;
    (void)state;
    join_as("n2", GP_INVITE_ROLES | GP_ROLE_ADMIT, &admitter);
    const gp_invite_result_t token = test_invite(&admitter, 1, GP_INVITE_ROLES, TEST_NOW);
    gp_join_t *join = joiner("a", token.text);
    assert_int_equal(test_admit(&founder, join, TEST_NOW).error, GP_E_TOKEN_UNKNOWN);
    const gp_admit_result_t result = test_admit(&admitter, join, TEST_NOW);
    assert_int_equal(result.error, GP_OK);
    assert_int_equal(gp_cert_verify(gp_slice(result.cert, result.cert_n), &founder.identity.root_id,
                                    TEST_NOW, &cert),
                     GP_OK);
    assert_true(gp_id_equal(&cert.issuer, &admitter.identity.id));
    joiner_free(join);
    gp_invite_params_t params = {
        .uses = 1,
        .valid_ms = 3600000,
        .roles = GP_INVITE_ROLES | GP_ROLE_ADMIT,
        .seed_count = 1,
        .seeds = {{.address = "tcp://127.0.0.1:7001", .id = admitter.identity.id}}};
    assert_error(gp_invite_now(&admitter.issuer, &params, TEST_NOW, &refused, &fail),
                 GP_E_CERT_ROLE, &fail);
    test_close(&admitter);
    join_as("n3", GP_INVITE_ROLES, &admitter);
    params.roles = GP_INVITE_ROLES;
    assert_error(gp_invite_now(&admitter.issuer, &params, TEST_NOW, &refused, &fail),
                 GP_E_JOIN_NOT_ISSUER, &fail);
    test_close(&admitter);
}

static gp_admit_result_t renew(test_machine_t *by, const test_machine_t *member,
                               gp_wall_ms_t now_ms)
{
    gp_admit_result_t result;
    const gp_msg_cert_renew_t msg = {.cert = gp_identity_cert(&member->identity)};
    const gp_renew_ask_t ask = {.signer = member->identity.id, .msg = &msg};
    gp_renew_now(&by->issuer, &ask, now_ms, &result);
    return result;
}

static void test_certificates_are_renewed(void **state)
{
    test_machine_t member;
    gp_fail_t fail;
    (void)state;
    join_as("n2", GP_INVITE_ROLES, &member);
    const uint64_t serial = member.identity.cert.serial;
    gp_admit_result_t result = renew(&founder, &member, TEST_NOW + TEST_DAY);
    assert_int_equal(result.error, GP_OK);
    assert_true(result.again); /* too early */
    const gp_wall_ms_t later = TEST_NOW + 21 * TEST_DAY;
    result = renew(&founder, &member, later);
    assert_int_equal(result.error, GP_OK);
    assert_false(result.again);
    assert_error(gp_identity_renew(&member.dir, &member.identity,
                                   gp_slice(result.cert, result.cert_n), later, &fail),
                 GP_OK, &fail);
    assert_true(member.identity.cert.serial > serial);
    assert_int_equal(member.identity.cert.not_after_ms, later + GP_CERT_DAYS * TEST_DAY);
    assert_string_equal(member.identity.cert.name, "n2");
    assert_int_equal(member.identity.cert.roles, GP_INVITE_ROLES);
    test_close(&member);
    /* What was renewed is what is read at the next start. */
    assert_error(gp_state_open(root, "n2", &member.dir, &fail), GP_OK, &fail);
    assert_error(
        gp_identity_open(&member.dir, later + 20 * TEST_DAY, false, &member.identity, &fail), GP_OK,
        &fail);
    gp_identity_close(&member.identity);
    gp_state_close(&member.dir);
}

static void test_renewal_is_for_the_owner_and_in_time(void **state)
{
    test_machine_t member;
    gp_fail_t fail;
    (void)state;
    join_as("n2", GP_INVITE_ROLES, &member);
    const gp_wall_ms_t later = TEST_NOW + 21 * TEST_DAY;
    gp_admit_result_t result;
    const gp_msg_cert_renew_t msg = {.cert = gp_identity_cert(&member.identity)};
    const gp_renew_ask_t stolen = {.signer = founder.identity.id, .msg = &msg};
    gp_renew_now(&founder.issuer, &stolen, later, &result);
    assert_int_equal(result.error, GP_E_MESSAGE_SENDER);
    result = renew(&founder, &member, TEST_NOW + 31 * TEST_DAY);
    assert_int_equal(result.error, GP_E_CERT_EXPIRED);
    result = renew(&member, &founder, later);
    assert_int_equal(result.error, GP_E_JOIN_NOT_ISSUER);
    /* The founder renews itself. */
    result = renew(&founder, &founder, later);
    assert_int_equal(result.error, GP_OK);
    assert_error(gp_identity_renew(&founder.dir, &founder.identity,
                                   gp_slice(result.cert, result.cert_n), later, &fail),
                 GP_OK, &fail);
    /* Another's certificate is not taken for one's own. */
    assert_error(gp_identity_renew(&member.dir, &member.identity,
                                   gp_slice(result.cert, result.cert_n), later, &fail),
                 GP_E_CERT_SIGNATURE, &fail);
    test_close(&member);
}

/* ---- at once, and killed -----------------------------------------------------------------------
 */

typedef struct tally {
    uint32_t answers;
    uint32_t admitted;
    uint32_t used_up;
    uint32_t busy;
} tally_t;

static void on_admitted(void *context, const gp_admit_result_t *result)
{
    tally_t *tally = context;
    tally->answers++;
    tally->admitted += result->error == GP_OK ? 1 : 0;
    tally->used_up += result->error == GP_E_TOKEN_USED ? 1 : 0;
    tally->busy += result->error == GP_E_BUSY ? 1 : 0;
}

static void on_stored(void *context, gp_room_t room, uint64_t token, bool ok)
{
    (void)context;
    (void)room;
    (void)token;
    (void)ok;
}

static void deliver_until(const tally_t *tally, uint32_t answers)
{
    while (tally->answers < answers) {
        struct pollfd fd = {.fd = gp_store_fd(founder.store), .events = POLLIN};
        assert_int_equal(poll(&fd, 1, 10000), 1);
        gp_store_deliver(founder.store);
    }
}

static void test_a_hundred_at_once(void **state)
{
    static gp_msg_t msg;
    static gp_join_t *joiners[100];
    gp_fail_t fail;
    tally_t tally = {.answers = 0};
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 7, GP_INVITE_ROLES, TEST_NOW);
    assert_error(gp_store_start(founder.store, NULL, on_stored, NULL, &fail), GP_OK, &fail);
    for (uint32_t i = 0; i < 100; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "x%u", (unsigned)i);
        joiners[i] = joiner(name, token.text);
    }
    uint32_t asked = 0;
    for (uint32_t i = 0; i < 100; i++) {
        if (founder.issuer.pending == GP_JOINS_MAX) {
            deliver_until(&tally, asked);
        }
        gp_join_ask(joiners[i], &msg);
        const gp_admit_ask_t ask = {
            .peer = {.signer = joiners[i]->id, .guest = gp_secret_id(joiners[i]->one_time)},
            .msg = &msg.u.join_ask};
        gp_admit(&founder.issuer, &ask, TEST_NOW, on_admitted, &tally);
        asked++;
    }
    deliver_until(&tally, 100);
    assert_int_equal(tally.admitted, 7);
    assert_int_equal(tally.used_up, 93);
    assert_int_equal(founder.issuer.pending, 0);
    for (uint32_t i = 0; i < 100; i++) {
        joiner_free(joiners[i]);
    }
}

static void test_too_many_at_once_are_told_so(void **state)
{
    static gp_msg_t msg;
    gp_fail_t fail;
    tally_t tally = {.answers = 0};
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
    assert_error(gp_store_start(founder.store, NULL, on_stored, NULL, &fail), GP_OK, &fail);
    gp_join_t *join = joiner("a", token.text);
    gp_join_ask(join, &msg);
    const gp_admit_ask_t ask = {.peer = {.signer = join->id, .guest = gp_secret_id(join->one_time)},
                                .msg = &msg.u.join_ask};
    for (uint32_t i = 0; i < GP_JOINS_MAX + 10; i++) {
        gp_admit(&founder.issuer, &ask, TEST_NOW, on_admitted, &tally);
    }
    assert_int_equal(tally.busy, 10);
    deliver_until(&tally, GP_JOINS_MAX + 10);
    assert_int_equal(tally.admitted, GP_JOINS_MAX); /* one use, the others again */
    joiner_free(join);
}

/* The child admits one machine after the other and tells each; it is killed in between. */
static int child_admit(const char *dir, const char *token)
{
    test_machine_t machine;
    (void)snprintf(root, sizeof root, "%s", dir);
    test_open(dir, "n1", &machine);
    for (unsigned i = 0;; i++) {
        char name[40];
        char joiners[160];
        gp_fail_t fail;
        static gp_join_t join;
        (void)snprintf(joiners, sizeof joiners, "%s/joiners", dir);
        (void)snprintf(name, sizeof name, "m%ld-%u", (long)getpid(), i);
        const gp_join_params_t params = test_join_params(joiners, name, token);
        if (gp_join_prepare(&params, &join, &fail) != GP_OK) {
            return 3;
        }
        const gp_admit_result_t result = test_admit(&machine, &join, TEST_NOW);
        gp_join_close(&join);
        const char told = result.error == GP_OK ? 'a' : 'r';
        if (write(1, &told, 1) != 1) {
            return 0;
        }
        while (result.error != GP_OK) {
            (void)pause(); /* until the parent kills */
        }
    }
}

static void test_kill_9_never_admits_too_many(void **state)
{
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 60, GP_INVITE_ROLES, TEST_NOW);
    test_close(&founder);
    uint32_t told = 0;
    uint32_t rounds = 0;
    bool refused = false;
    while (!refused) {
        const char *const arguments[] = {"admit", root, token.text, NULL};
        int out = -1;
        const pid_t pid = test_child(arguments, &out);
        char answer = 'a';
        for (uint32_t i = 0; i < 9 && answer == 'a'; i++) {
            assert_int_equal(read(out, &answer, 1), 1);
            told += answer == 'a' ? 1 : 0;
            refused = answer == 'r';
        }
        test_child_kill(pid);
        while (read(out, &answer, 1) == 1) {
            told += answer == 'a' ? 1 : 0;
            refused = refused || answer == 'r';
        }
        (void)close(out);
        rounds++;
        assert_true(rounds < 60);
    }
    test_open(root, "n1", &founder);
    gp_invitation_t invitation;
    assert_int_equal(gp_ledger_invitation(founder.store, token.serial, &invitation), GP_OK);
    assert_int_equal(invitation.used, 60);
    /* At most one of each round was counted and not told. */
    assert_in_range(told, 60 - rounds, 60);
    assert_true(rounds > 3);
}

static void test_tokens_and_keys_are_in_no_file_or_text(void **state)
{
    static const char *const files[] = {GP_FILE_DB,     GP_FILE_DB_WAL, GP_FILE_GRID,
                                        GP_FILE_CONFIG, GP_FILE_CERT,   GP_FILE_MARK};
    static uint8_t bytes[1 << 20];
    uint8_t seeds[3][32];
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
    gp_join_t *join = joiner("a", token.text);
    assert_int_equal(test_admit(&founder, join, TEST_NOW).error, GP_OK);
    gp_secret_seed(join->one_time, seeds[0]);
    gp_secret_seed(founder.identity.node, seeds[1]);
    gp_secret_seed(founder.identity.root, seeds[2]);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = test_path(founder.dir.path, files[i]);
        if (!test_exists(path)) {
            continue;
        }
        const size_t n = test_read(path, bytes, sizeof bytes);
        assert_true(n < sizeof bytes);
        for (size_t k = 0; k < 3; k++) {
            assert_null(memmem(bytes, n, seeds[k], sizeof seeds[k]));
        }
        assert_null(memmem(bytes, n, token.text + strlen(token.text) - 40, 40));
    }
    joiner_free(join);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(test_uses_are_counted),
        T(test_certificate_is_what_was_promised),
        T(test_who_founds_a_region_is_certified_for_it),
        T(test_asking_again_costs_nothing),
        T(test_names_belong_to_one_machine),
        T(test_a_name_is_free_when_its_machine_left_or_expired),
        T(test_stolen_or_altered_asks_are_refused),
        T(test_another_grids_token_is_refused_and_not_used),
        T(test_invite_refuses_what_it_cannot_give),
        T(test_open_invitations_are_limited),
        T(test_a_member_with_the_role_admits),
        T(test_certificates_are_renewed),
        T(test_renewal_is_for_the_owner_and_in_time),
        T(test_a_hundred_at_once),
        T(test_too_many_at_once_are_told_so),
        T(test_kill_9_never_admits_too_many),
        T(test_tokens_and_keys_are_in_no_file_or_text),
    };
    if (gp_keys_init() != GP_OK) {
        return 1;
    }
    if (argc == 5 && strcmp(argv[1], "child") == 0 && strcmp(argv[2], "admit") == 0) {
        return child_admit(argv[3], argv[4]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
