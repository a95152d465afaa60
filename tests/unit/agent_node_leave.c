/* Leaving without an agent: it ends what nothing else can end, and spares what others need. */
#include "agent/node/leave.h"

#include <stdlib.h>

#include "agent/shell/record.h"
#include "agent_node_fixture.h"

#define EXPIRED (TEST_NOW + (GP_CERT_DAYS + 10) * TEST_DAY)

static char root[128];

static int set_up(void **state)
{
    (void)state;
    (void)test_dir_make(root);
    test_found(root, "n1");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_dir_remove(root);
    return 0;
}

static gp_leave_params_t params_of(const char *name, gp_wall_ms_t now_ms)
{
    return (gp_leave_params_t){.root = root, .name = name, .now_ms = now_ms};
}

static void left(const gp_leave_params_t *params, bool was_root)
{
    gp_fail_t fail;
    gp_leave_result_t result;
    assert_error(gp_leave_without_agent(params, &result, &fail), GP_OK, &fail);
    assert_int_equal(result.was_root, was_root);
    assert_false(test_exists(test_path(root, params->name)));
}

static void refused(const gp_leave_params_t *params, gp_error_t expected, const char *words)
{
    gp_fail_t fail;
    gp_leave_result_t result;
    const uint64_t before = test_dir_sum(test_path(root, "n1"));
    assert_error(gp_leave_without_agent(params, &result, &fail), expected, &fail);
    assert_non_null(strstr(fail.text, words));
    assert_int_equal(test_dir_sum(test_path(root, "n1")), before);
}

/* Makes n2 a member, admitted by n1. */
static void join_n2(void)
{
    gp_fail_t fail;
    gp_setup_result_t result;
    test_machine_t founder;
    test_open(root, "n1", &founder);
    const gp_invite_result_t token = test_invite(&founder, 1, GP_INVITE_ROLES, TEST_NOW);
    const gp_join_params_t params = test_join_params(root, "n2", token.text);
    assert_error(gp_join(&params, test_exchange, &founder, &result, &fail), GP_OK, &fail);
    test_close(&founder);
}

/* Writes down that n1 knows itself and another machine, which is so, in its group of that tier. */
static void remember_at(uint8_t tier, gp_member_state_t member_state, gp_cause_t cause)
{
    gp_fail_t fail;
    bool removed;
    size_t n = 0;
    test_machine_t founder;
    static uint8_t bytes[GP_MESSAGE_MAX];
    gp_msg_t *msg = calloc(1, sizeof *msg);
    assert_non_null(msg);
    test_open(root, "n1", &founder);
    msg->kind = GP_MSG_GROUP_STATE;
    msg->u.group_state.group =
        gp_group_id(&founder.identity.grid, gp_text(founder.identity.region), tier, 0);
    msg->u.group_state.entries_count = 2;
    msg->u.group_state.entries[0] =
        (gp_record_member_t){.id = founder.identity.id, .state = GP_MEMBER_ALIVE};
    msg->u.group_state.entries[1] = (gp_record_member_t){
        .id = {.b = {9}}, .state = (uint8_t)member_state, .cause = (uint8_t)cause};
    assert_int_equal(gp_msg_pack(msg, bytes, sizeof bytes, &n), GP_OK);
    const gp_store_record_t record = {.room = GP_ROOM_GROUP,
                                      .kind = GP_MSG_GROUP_STATE,
                                      .key = gp_record_key(msg, &removed),
                                      .bytes = gp_slice(bytes, n)};
    assert_error(gp_store_put_now(founder.store, &record, &fail), GP_OK, &fail);
    test_close(&founder);
    free(msg);
}

static void remember(gp_member_state_t member_state, gp_cause_t cause)
{
    remember_at(0, member_state, cause);
}

static void test_an_expired_certificate_is_no_dead_end(void **state)
{
    gp_fail_t fail;
    gp_state_dir_t dir;
    gp_identity_t identity;
    gp_leave_result_t result;
    (void)state;
    join_n2();
    assert_error(gp_state_open(root, "n2", &dir, &fail), GP_OK, &fail);
    assert_error(gp_identity_open(&dir, EXPIRED, false, &identity, &fail), GP_E_CERT_EXPIRED,
                 &fail);
    assert_non_null(strstr(fail.text, "gridpeer leave --node n2"));
    gp_state_close(&dir);
    const gp_leave_params_t params = params_of("n2", EXPIRED);
    assert_error(gp_leave_without_agent(&params, &result, &fail), GP_OK, &fail);
    assert_string_equal(result.region, "lab");
    assert_false(result.was_root);
    assert_false(test_exists(test_path(root, "n2")));
    assert_true(test_exists(test_path(root, "n1/" GP_FILE_ROOT_KEY)));
}

static void test_a_founder_alone_leaves(void **state)
{
    (void)state;
    const gp_leave_params_t params = params_of("n1", EXPIRED);
    left(&params, true);
}

static void test_the_root_key_stays_for_those_who_were_admitted(void **state)
{
    gp_leave_params_t params = params_of("n1", TEST_NOW);
    (void)state;
    join_n2();
    refused(&params, GP_E_LEAVE_ROOT, "root.key");
    params.destroy_root = true;
    left(&params, true);
}

static void test_the_root_key_stays_for_those_who_are_remembered(void **state)
{
    const gp_leave_params_t params = params_of("n1", EXPIRED);
    (void)state;
    remember(GP_MEMBER_ALIVE, GP_CAUSE_NONE);
    refused(&params, GP_E_LEAVE_ROOT, "root.key");
    remember(GP_MEMBER_LEFT, GP_CAUSE_STOPPED); /* it may come back */
    refused(&params, GP_E_LEAVE_ROOT, "root.key");
    remember_at(1, GP_MEMBER_ALIVE, GP_CAUSE_NONE); /* an old view of its region: no matter */
    remember(GP_MEMBER_LEFT, GP_CAUSE_LEFT);
    left(&params, true);
}

static void test_damage_is_a_reason_to_leave(void **state)
{
    gp_leave_params_t founder = params_of("n1", TEST_NOW);
    const gp_leave_params_t member = params_of("n2", TEST_NOW);
    (void)state;
    join_n2();
    test_cut(test_path(root, "n2/" GP_FILE_CERT), 10);
    left(&member, false);
    /* What cannot be read counts as others who need the key. */
    test_cut(test_path(root, "n1/" GP_FILE_DB), 10);
    refused(&founder, GP_E_LEAVE_ROOT, "root.key");
    founder.destroy_root = true;
    left(&founder, true);
}

static void test_a_machine_at_work_is_left_alone(void **state)
{
    gp_fail_t fail;
    gp_state_dir_t dir;
    const gp_leave_params_t params = params_of("n1", TEST_NOW);
    const gp_leave_params_t nobody = params_of("n7", TEST_NOW);
    (void)state;
    assert_error(gp_state_open(root, "n1", &dir, &fail), GP_OK, &fail);
    refused(&params, GP_E_STATE_LOCKED, "in use by process");
    gp_state_close(&dir);
    refused(&nobody, GP_E_STATE_MISSING, "n7");
    left(&params, true);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_an_expired_certificate_is_no_dead_end),
        T(test_a_founder_alone_leaves),
        T(test_the_root_key_stays_for_those_who_were_admitted),
        T(test_the_root_key_stays_for_those_who_are_remembered),
        T(test_damage_is_a_reason_to_leave),
        T(test_a_machine_at_work_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
