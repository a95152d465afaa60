/* The printer: words for enums, names for ids, nothing unprintable, cut and terminated. */
#include "proto/message.h"

#include <stdlib.h>

#include "proto_cmocka.h"
#include "proto_sample.h"

static gp_msg_t msg;
static char text[SAMPLE_PACKED_MAX];

static const char *name_of(void *context, const gp_id_t *id)
{
    return id->b[0] == 1 ? context : NULL;
}

static void test_a_story(void **state)
{
    (void)state;
    msg = (gp_msg_t){.kind = GP_MSG_MEMBER, .u.member = {.group = 7, .before = 1}};
    msg.u.member.entries_count = 1;
    msg.u.member.entries[0] = (gp_record_member_t){
        .id = {{1}},
        .incarnation = 18446744073709551615ULL,
        .state = GP_MEMBER_UNAVAILABLE,
        .cause = GP_CAUSE_REFUSED,
        .name = gp_text("n3"),
        .address = gp_text("tcp://[::1]:7000"),
        .cert = gp_text("12345"),
    };
    gp_msg_print(&msg, name_of, "n3", text, sizeof text);
    assert_string_equal(text,
                        "member group=7 before=alive forgotten=no entries=[{id=n3 "
                        "incarnation=18446744073709551615 state=unavailable cause=refused flags=0 "
                        "observers=0B name=n3 address=\"tcp://[::1]:7000\" cert=5B}]");
}

static void test_words(void **state)
{
    (void)state;
    msg = (gp_msg_t){.kind = GP_MSG_ENDED, .u.ended = {.job = 3, .reason = GP_REASON_OOM}};
    gp_msg_print(&msg, NULL, NULL, text, sizeof text);
    assert_non_null(strstr(text, " reason=oom "));
    msg = (gp_msg_t){.kind = GP_MSG_VOTE, .u.vote = {.reason = GP_VOTE_LEASED}};
    gp_msg_print(&msg, NULL, NULL, text, sizeof text);
    assert_non_null(strstr(text, " reason=leased "));
    assert_non_null(strstr(text, " candidate=- "));
    msg = (gp_msg_t){.kind = GP_MSG_CAMPAIGN, .u.campaign = {.why = GP_CAMPAIGN_EVIDENCE}};
    gp_msg_print(&msg, NULL, NULL, text, sizeof text);
    assert_string_equal(text, "campaign group=0 term=0 why=evidence pre=no");
    msg = (gp_msg_t){.kind = GP_MSG_JOB, .u.job = {.state = GP_JOB_RUNNING}};
    gp_msg_print(&msg, NULL, NULL, text, sizeof text);
    assert_non_null(strstr(text, " state=running "));
    msg.u.job.state = 9; /* none of the words: the number */
    gp_msg_print(&msg, NULL, NULL, text, sizeof text);
    assert_non_null(strstr(text, " state=9 "));
    msg = (gp_msg_t){.kind = GP_MSG_REFUSED, .u.refused = {GP_MSG_BEAT, GP_E_FENCED}};
    gp_msg_print(&msg, NULL, NULL, text, sizeof text);
    assert_string_equal(text, "refused kind=beat error=E_FENCED");
    msg.u.refused.kind = 0x7777;
    gp_msg_print(&msg, NULL, NULL, text, sizeof text);
    assert_string_equal(text, "refused kind=30583 error=E_FENCED");
    msg = (gp_msg_t){.kind = GP_MSG_WORK_MEMBER, .u.work_member = {.entries_count = 1}};
    msg.u.work_member.entries[0].state = GP_MEMBER_LEFT;
    gp_msg_print(&msg, NULL, NULL, text, sizeof text);
    assert_non_null(strstr(text, " state=left ")); /* a member's, though the room is work */
}

static void test_hostile_text(void **state)
{
    (void)state;
    msg = (gp_msg_t){.kind = GP_MSG_JOIN_NO};
    msg.u.join_no.text = gp_text("a\n\x1b[31m\"\\\xc3\xa9\x7f");
    gp_msg_print(&msg, NULL, NULL, text, sizeof text);
    assert_string_equal(text, "join_no error=OK text=\"a\\x0a\\x1b[31m\\\"\\\\\\xc3\\xa9\\x7f\"");
    msg.u.join_no.text = (gp_slice_t){0};
    gp_msg_print(&msg, NULL, NULL, text, sizeof text);
    assert_string_equal(text, "join_no error=OK text=\"\"");
}

static void test_cut_at_every_size(void **state)
{
    gp_random_t random;

    (void)state;
    gp_random_init(&random, 1);
    for (size_t k = 0; k < sample_kind_count; k++) {
        size_t whole;
        do {
            sample_message(&random, sample_kinds[k], &msg);
            whole = gp_msg_print(&msg, NULL, NULL, text, sizeof text);
        } while (whole > 5000);
        assert_int_equal(strlen(text), whole);
        for (size_t i = 0; i < whole; i++) {
            assert_true(text[i] >= ' ' && text[i] < 0x7f);
        }
        for (size_t size = 1; size <= whole + 1; size += 1 + size / 16) {
            char *cut = malloc(size);
            assert_non_null(cut);
            assert_int_equal(gp_msg_print(&msg, NULL, NULL, cut, size), size - 1);
            assert_int_equal(strlen(cut), size - 1);
            assert_memory_equal(cut, text, size - 1);
            free(cut);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_story),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_hostile_text),
        cmocka_unit_test(test_cut_at_every_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
