/* Every enum value has a word, no two of one enum the same, and other numbers have "?". */
#include "proto/message.h"

#include "proto_cmocka.h"

/* The words of the numbers first to last, by a function that takes an enum. */
#define CHECK_WORDS(function, type, first, last)                                                   \
    do {                                                                                           \
        for (int i = (first); i <= (int)(last); i++) {                                             \
            assert_string_not_equal(function((type)i), "?");                                       \
            assert_true(function((type)i)[0] != '\0');                                             \
            for (int k = (first); k < i; k++) {                                                    \
                assert_string_not_equal(function((type)i), function((type)k));                     \
            }                                                                                      \
        }                                                                                          \
        assert_string_equal(function((type)((int)(last) + 1)), "?");                               \
        assert_string_equal(function((type)200), "?");                                             \
    } while (0)

static void test_words(void **state)
{
    (void)state;
    CHECK_WORDS(gp_member_state_name, gp_member_state_t, 0, GP_MEMBER_LEFT);
    CHECK_WORDS(gp_cause_name, gp_cause_t, 0, GP_CAUSE_MOVED);
    CHECK_WORDS(gp_cause_text, gp_cause_t, 0, GP_CAUSE_MOVED);
    CHECK_WORDS(gp_right_name, gp_right_t, 0, GP_RIGHT_CARETAKER);
    CHECK_WORDS(gp_campaign_why_name, gp_campaign_why_t, 1, GP_CAMPAIGN_HANDOVER);
    CHECK_WORDS(gp_step_down_why_name, gp_step_down_why_t, 1, GP_STEP_DOWN_DISK);
    CHECK_WORDS(gp_vote_reason_name, gp_vote_reason_t, 0, GP_VOTE_NOT_DURABLE);
    CHECK_WORDS(gp_job_state_name, gp_job_state_t, 1, GP_JOB_LOST);
    CHECK_WORDS(gp_reason_name, gp_reason_t, 0, GP_REASON_POLICY);
}

static void test_words_that_others_show(void **state)
{
    (void)state;
    assert_string_equal(gp_member_state_name(GP_MEMBER_UNAVAILABLE), "unavailable");
    assert_string_equal(gp_cause_name(GP_CAUSE_ONE_WAY), "one-way");
    assert_string_equal(gp_right_name(GP_RIGHT_NONE), "none");
    assert_string_equal(gp_right_name(GP_RIGHT_QUORUM), "quorum");
    assert_string_equal(gp_right_name(GP_RIGHT_CARETAKER), "caretaker");
    assert_string_equal(gp_job_state_name(GP_JOB_LOST), "lost");
    assert_string_equal(gp_reason_name(GP_REASON_NODE_FAILED), "node-failed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_words_that_others_show),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
