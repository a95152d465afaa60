/* Joining: with a good token and every kind of bad one, and with answers that lie. */
#include "agent/node/join.h"

#include <stdlib.h>
#include <sys/stat.h>
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

/* Nothing but the founder is there, and no text tells a part of the token. */
static void nothing_left(const gp_fail_t *fail, const char *token)
{
    assert_int_equal(test_entries(root), 1);
    for (size_t i = 4; strlen(token) > 24 && i + 16 <= strlen(token); i += 16) {
        char part[17];
        memcpy(part, token + i, 16);
        part[16] = '\0';
        assert_null(strstr(fail->text, part));
    }
}

static void no_exchange_refused(const gp_join_params_t *params, gp_error_t expected)
{
    gp_fail_t fail;
    gp_setup_result_t result;
    assert_error(gp_join(params, NULL, NULL, &result, &fail), expected, &fail);
    nothing_left(&fail, params->token);
}

static void on_state(void *context, uint64_t key, const gp_msg_t *msg)
{
    uint32_t *count = context;
    assert_true(key == msg->u.group_state.group);
    assert_int_equal(msg->kind, GP_MSG_GROUP_STATE);
    assert_int_equal(msg->u.group_state.group, founder.identity.group);
    assert_int_equal(msg->u.group_state.entries_count, 1);
    assert_true(gp_id_equal(&msg->u.group_state.entries[0].id, &founder.identity.id));
    (*count)++;
}

/* As every grid was before there were regions: its machines have no seats above. */
static void test_a_grid_without_groups_above_stays_so(void **state)
{
    gp_fail_t fail;
    gp_setup_result_t result;
    test_machine_t member;
    const uint64_t region_group = founder.identity.region_group;
    const uint64_t grid_group = founder.identity.grid_group;
    (void)state;
    founder.identity.region_group = founder.identity.grid_group = 0;
    const gp_invite_result_t token = test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
    const gp_join_params_t params = test_join_params(root, "n2", token.text);
    assert_error(gp_join(&params, test_exchange, &founder, &result, &fail), GP_OK, &fail);
    founder.identity.region_group = region_group;
    founder.identity.grid_group = grid_group;
    test_open(root, "n2", &member);
    assert_int_equal(member.identity.group, founder.identity.group);
    assert_int_equal(member.identity.region_group, 0);
    assert_int_equal(member.identity.grid_group, 0);
    test_close(&member);
}

static void test_a_good_token_makes_a_member(void **state)
{
    gp_fail_t fail;
    gp_setup_result_t result;
    test_machine_t member;
    uint32_t records = 0;
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
    const gp_join_params_t params = test_join_params(root, "n2", token.text);
    assert_error(gp_join(&params, test_exchange, &founder, &result, &fail), GP_OK, &fail);
    assert_int_equal(test_entries(root), 2);
    assert_int_equal(result.group, founder.identity.group);
    assert_memory_equal(&result.grid, &founder.identity.grid, sizeof result.grid);
    test_open(root, "n2", &member);
    assert_null(member.identity.root);
    assert_int_equal(member.identity.region_group, founder.identity.region_group);
    assert_int_equal(member.identity.grid_group, founder.identity.grid_group);
    assert_int_equal(member.identity.seed_count, 1);
    assert_true(gp_id_equal(&member.identity.seeds[0].id, &founder.identity.id));
    assert_string_equal(member.identity.cert.name, "n2");
    assert_error(gp_store_load(member.store, GP_ROOM_GROUP, on_state, &records, &fail), GP_OK,
                 &fail);
    assert_int_equal(records, 1);
    test_close(&member);
    const gp_join_params_t again = test_join_params(root, "n3", token.text);
    assert_error(gp_join(&again, test_exchange, &founder, &result, &fail), GP_E_TOKEN_USED, &fail);
    assert_non_null(strstr(fail.text, "good for 1 machine"));
    assert_int_equal(test_entries(root), 2);
}

static void test_a_simulated_member_is_marked(void **state)
{
    gp_fail_t fail;
    gp_setup_result_t result;
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 2, GP_INVITE_ROLES, TEST_NOW);
    gp_join_params_t params = test_join_params(root, "n2", token.text);
    assert_error(gp_join(&params, test_exchange, &founder, &result, &fail), GP_OK, &fail);
    assert_false(gp_state_is_sim(root, "n2"));
    params.name = "n3";
    params.sim = true;
    assert_error(gp_join(&params, test_exchange, &founder, &result, &fail), GP_OK, &fail);
    assert_true(gp_state_is_sim(root, "n3"));
}

static void test_every_flipped_or_missing_character_is_refused(void **state)
{
    char text[GP_TOKEN_TEXT_MAX];
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
    const size_t length = strlen(token.text);
    for (size_t i = 0; i < length; i++) {
        memcpy(text, token.text, length + 1);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        gp_fail_t fail;
        gp_setup_result_t result;
        gp_join_params_t params = test_join_params(root, "n2", text);
        const gp_error_t error = gp_join(&params, NULL, NULL, &result, &fail);
        assert_true(error == GP_E_TOKEN_FORMAT || error == GP_E_TOKEN_SIGNATURE ||
                    error == GP_E_TOKEN_EXPIRED || error == GP_E_CERT_NOT_YET);
        nothing_left(&fail, token.text);
        memcpy(text, token.text, length + 1);
        text[i] = '\0';
        no_exchange_refused(&params, GP_E_TOKEN_FORMAT);
    }
}

static void test_wrong_tokens(void **state)
{
    static char big[5000];
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
    gp_join_params_t params = test_join_params(root, "n2", "");
    no_exchange_refused(&params, GP_E_TOKEN_FORMAT);
    params.token = "gp1.";
    no_exchange_refused(&params, GP_E_TOKEN_FORMAT);
    params.token = "not a token";
    no_exchange_refused(&params, GP_E_TOKEN_FORMAT);
    memset(big, 'A', sizeof big - 1);
    memcpy(big, "gp1.", 4);
    params.token = big;
    no_exchange_refused(&params, GP_E_TOKEN_FORMAT);
    params.token = token.text;
    params.now_ms = TEST_NOW + 2 * TEST_DAY;
    no_exchange_refused(&params, GP_E_TOKEN_EXPIRED);
    params = test_join_params(root, "n2", token.text);
    params.region = "attic";
    no_exchange_refused(&params, GP_E_TOKEN_REGION);
    params.adds = true; /* the token is not one to found a region with */
    no_exchange_refused(&params, GP_E_TOKEN_ADMIT);
    params.region = "lab";
    no_exchange_refused(&params, GP_E_REGION_EXISTS);
    params.adds = false;
    params.region = "the attic";
    no_exchange_refused(&params, GP_E_NAME);
    params = test_join_params(root, "N2", token.text);
    no_exchange_refused(&params, GP_E_NAME);
    params = test_join_params(root, "n2", token.text);
    params.listen = "tcp://nowhere";
    no_exchange_refused(&params, GP_E_ADDRESS);
    params = test_join_params(root, "n2", token.text);
    params.address = "tcp://*:7002";
    no_exchange_refused(&params, GP_E_ADDRESS);
    params = test_join_params(root, "n1", token.text);
    no_exchange_refused(&params, GP_E_STATE_EXISTS);
}

static gp_error_t no_answer(void *context, const gp_join_t *join, const gp_seed_t *seed,
                            const gp_msg_t *ask, gp_join_reply_t *ret_reply, gp_fail_t *fail)
{
    (void)context;
    (void)join;
    (void)ask;
    (void)ret_reply;
    return gp_fail(fail, GP_E_JOIN_UNREACHABLE, "%s does not answer", seed->address);
}

static void test_no_answer(void **state)
{
    gp_fail_t fail;
    gp_setup_result_t result;
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
    const gp_join_params_t params = test_join_params(root, "n2", token.text);
    assert_error(gp_join(&params, no_answer, NULL, &result, &fail), GP_E_JOIN_UNREACHABLE, &fail);
    assert_non_null(strstr(fail.text, "tcp://127.0.0.1:7001"));
    nothing_left(&fail, token.text);
}

/* Answers of a scripted list of machines, one after the other. */
typedef struct script {
    gp_error_t errors[GP_TOKEN_SEEDS_MAX];
    uint32_t asked;
} script_t;

static gp_error_t scripted(void *context, const gp_join_t *join, const gp_seed_t *seed,
                           const gp_msg_t *ask, gp_join_reply_t *ret_reply, gp_fail_t *fail)
{
    script_t *script = context;
    static gp_msg_t no;
    const gp_error_t error = script->errors[script->asked++];
    if (error == GP_OK) {
        gp_seed_t issuer = *seed;
        issuer.id = founder.identity.id;
        return test_exchange(&founder, join, &issuer, ask, ret_reply, fail);
    }
    if (error == GP_E_JOIN_UNREACHABLE) {
        return gp_fail(fail, error, "no answer");
    }
    no.kind = GP_MSG_JOIN_NO;
    no.u.join_no.error = (uint16_t)error;
    no.u.join_no.text = gp_text("because \x1b[31m of this");
    test_reply(&no, ret_reply);
    return GP_OK;
}

static void test_machines_are_asked_until_one_decides(void **state)
{
    static const struct {
        script_t script;
        gp_error_t expected;
        uint32_t asked;
    } cases[] = {
        {{.errors = {GP_E_JOIN_UNREACHABLE, GP_E_TOKEN_UNKNOWN, GP_OK}}, GP_OK, 3},
        {{.errors = {GP_E_TOKEN_USED}}, GP_E_TOKEN_USED, 1},
        {{.errors = {GP_E_JOIN_UNREACHABLE, GP_E_JOIN_NAME}}, GP_E_JOIN_NAME, 2},
        {{.errors = {GP_E_TOKEN_UNKNOWN, GP_E_JOIN_UNREACHABLE, GP_E_JOIN_UNREACHABLE}},
         GP_E_TOKEN_UNKNOWN,
         3},
        {{.errors = {GP_E_JOIN_UNREACHABLE, GP_E_JOIN_UNREACHABLE, GP_E_JOIN_UNREACHABLE}},
         GP_E_JOIN_UNREACHABLE,
         3},
        {{.errors = {(gp_error_t)999}}, GP_E_JOIN_REFUSED, 1},
    };
    gp_fail_t fail;
    gp_setup_result_t result;
    gp_invite_result_t token;
    (void)state;
    gp_invite_params_t params = {.uses = 9,
                                 .valid_ms = GP_INVITE_VALID_MS,
                                 .roles = GP_INVITE_ROLES,
                                 .seed_count = 3,
                                 .seeds = {{.address = "tcp://127.0.0.1:7001"},
                                           {.address = "tcp://127.0.0.1:7002"},
                                           {.address = "tcp://[::1]:7003"}}};
    assert_error(gp_invite_now(&founder.issuer, &params, TEST_NOW, &token, &fail), GP_OK, &fail);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        script_t script = cases[i].script;
        const gp_join_params_t join = test_join_params(root, "n2", token.text);
        assert_error(gp_join(&join, scripted, &script, &result, &fail), cases[i].expected, &fail);
        assert_int_equal(script.asked, cases[i].asked);
        assert_null(strchr(fail.text, '\x1b'));
        test_dir_remove(test_path(root, "n2"));
    }
}

/* ---- answers that lie --------------------------------------------------------------------------
 */

typedef struct lie {
    gp_cert_t cert;
    const gp_secret_t *by;
    gp_msg_t *answer;
    uint8_t bytes[GP_CERT_MAX];
} lie_t;

static void believe(gp_join_t *join, lie_t *lie, gp_error_t expected)
{
    gp_fail_t fail;
    gp_setup_result_t result;
    size_t n = 0;
    assert_int_equal(gp_cert_issue(&lie->cert, lie->by, gp_slice(NULL, 0), lie->bytes, &n), GP_OK);
    lie->answer->u.join_ok.cert = gp_slice(lie->bytes, n);
    assert_error(gp_join_finish(join, lie->answer, TEST_NOW, &result, &fail), expected, &fail);
}

static void test_only_the_right_certificate_is_believed(void **state)
{
    static gp_join_t join;
    static gp_msg_t answer;
    gp_fail_t fail;
    gp_setup_result_t result;
    gp_secret_t *stranger = NULL;
    (void)state;
    const gp_invite_result_t token = test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
    const gp_join_params_t params = test_join_params(root, "n2", token.text);
    assert_error(gp_join_prepare(&params, &join, &fail), GP_OK, &fail);
    assert_int_equal(gp_secret_new(&stranger), GP_OK);
    const gp_cert_t good = {.grid = founder.identity.grid,
                            .node = join.id,
                            .roles = GP_INVITE_ROLES,
                            .not_before_ms = TEST_NOW,
                            .not_after_ms = TEST_NOW + TEST_DAY,
                            .serial = 5,
                            .name = "n2",
                            .region = "lab"};
    answer.kind = GP_MSG_JOIN_OK;
    answer.u.join_ok.root = founder.identity.root_id;
    answer.u.join_ok.region = gp_text("lab");
    answer.u.join_ok.group = founder.identity.group;
    lie_t lie = {.cert = good, .by = founder.identity.root, .answer = &answer};
    lie.cert.node = founder.identity.id;
    believe(&join, &lie, GP_E_CERT_SIGNATURE);
    lie.cert = good;
    memcpy(lie.cert.name, "n3", 3);
    believe(&join, &lie, GP_E_CERT_SIGNATURE);
    lie.cert = good;
    memcpy(lie.cert.region, "attic", 6);
    believe(&join, &lie, GP_E_CERT_SIGNATURE);
    lie.cert = good;
    lie.cert.roles = GP_ROLE_ALL;
    believe(&join, &lie, GP_E_CERT_ROLE);
    lie.cert = good;
    lie.cert.not_before_ms = TEST_NOW - 2 * TEST_DAY;
    lie.cert.not_after_ms = TEST_NOW - TEST_DAY;
    believe(&join, &lie, GP_E_CERT_EXPIRED);
    lie.cert = good;
    const gp_id_t other_root = gp_secret_id(stranger);
    lie.cert.grid = gp_grid_id_of(&other_root);
    lie.by = stranger;
    believe(&join, &lie, GP_E_CERT_GRID);
    lie.by = founder.identity.root;
    lie.cert = good;
    answer.u.join_ok.root = other_root;
    believe(&join, &lie, GP_E_CERT_SIGNATURE);
    answer.u.join_ok.root = founder.identity.root_id;
    answer.u.join_ok.group |= UINT64_C(1) << 56;
    believe(&join, &lie, GP_E_CERT_ROLE);
    answer.u.join_ok.group = founder.identity.group;
    answer.u.join_ok.region_group = founder.identity.region_group;
    believe(&join, &lie, GP_E_CERT_ROLE); /* a region in no grid */
    answer.u.join_ok.grid_group = founder.identity.region_group;
    believe(&join, &lie, GP_E_CERT_ROLE);
    answer.u.join_ok.grid_group = founder.identity.grid_group;
    answer.u.join_ok.cert.n = 0;
    assert_error(gp_join_finish(&join, &answer, TEST_NOW, &result, &fail), GP_E_CERT_FORMAT, &fail);
    answer.kind = GP_MSG_CERT_RENEWED;
    assert_error(gp_join_finish(&join, &answer, TEST_NOW, &result, &fail), GP_E_MESSAGE_KIND,
                 &fail);
    answer.kind = GP_MSG_JOIN_OK;
    assert_int_equal(test_entries(root), 2); /* the founder, and what is begun */
    believe(&join, &lie, GP_OK);             /* after all of this the truth is still taken */
    gp_join_close(&join);
    gp_secret_free(stranger);
    assert_true(test_exists(test_path(root, "n2")));
    assert_int_equal(test_entries(root), 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_good_token_makes_a_member),
        T(test_a_grid_without_groups_above_stays_so),
        T(test_a_simulated_member_is_marked),
        T(test_every_flipped_or_missing_character_is_refused),
        T(test_wrong_tokens),
        T(test_no_answer),
        T(test_machines_are_asked_until_one_decides),
        T(test_only_the_right_certificate_is_believed),
    };
    if (gp_keys_init() != GP_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
