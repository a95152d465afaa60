/* The names of stored records: jobs by number, attempts by home and job, others by their kind. */
#include "agent/shell/record.h"
#include "tests/unit/proto_cmocka.h"

static gp_msg_t msg;

static uint64_t key_of_attempt(uint8_t home, uint64_t job)
{
    bool removed = true;
    msg = (gp_msg_t){.kind = GP_MSG_ATTEMPT_STATE};
    msg.u.attempt_state.home.b[0] = home;
    msg.u.attempt_state.job = job;
    msg.u.attempt_state.state = GP_JOB_RUNNING;
    uint64_t key = gp_record_key(&msg, &removed);
    assert_false(removed);
    return key;
}

static uint64_t key_of_job(uint64_t job)
{
    bool removed = true;
    msg = (gp_msg_t){.kind = GP_MSG_JOB_STATE};
    msg.u.job_state.job = job;
    msg.u.job_state.state = GP_JOB_RUNNING;
    uint64_t key = gp_record_key(&msg, &removed);
    assert_false(removed);
    return key;
}

static void test_many_of_a_kind_differ(void **state)
{
    (void)state;
    assert_int_equal(key_of_job(41), key_of_job(41));
    assert_int_not_equal(key_of_job(41), key_of_job(42));
    assert_int_equal(key_of_attempt(1, 41), key_of_attempt(1, 41));
    assert_int_not_equal(key_of_attempt(1, 41), key_of_attempt(2, 41));
    assert_int_not_equal(key_of_attempt(1, 41), key_of_attempt(1, 42));
}

static void test_one_without_a_state_is_removed(void **state)
{
    (void)state;
    bool removed = false;
    uint64_t key = key_of_job(41);
    msg = (gp_msg_t){.kind = GP_MSG_JOB_STATE};
    msg.u.job_state.job = 41;
    assert_int_equal(gp_record_key(&msg, &removed), key);
    assert_true(removed);
}

static void test_others_are_one_of_their_kind_and_group(void **state)
{
    (void)state;
    bool removed = true;
    msg = (gp_msg_t){.kind = GP_MSG_GROUP_STATE, .u.group_state.group = 7};
    assert_int_equal(gp_record_key(&msg, &removed), 7);
    assert_false(removed);
    uint64_t region = UINT64_C(1) << 56 | 8;
    msg = (gp_msg_t){.kind = GP_MSG_ELECTION_STATE, .u.election_state.group = region};
    assert_true(gp_record_key(&msg, &removed) == region);
    assert_false(removed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_of_a_kind_differ),
        cmocka_unit_test(test_one_without_a_state_is_removed),
        cmocka_unit_test(test_others_are_one_of_their_kind_and_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
