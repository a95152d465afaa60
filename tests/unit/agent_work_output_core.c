/* The output ring: streams, order, window, repetition. */
#include <string.h>

#include "tests/unit/agent_work_desk.h"

static void output_ack(desk_t *desk, uint64_t received, uint64_t until)
{
    gp_msg_output_ack_t *msg = &desk_msg(desk, GP_MSG_OUTPUT_ACK)->u.output_ack;

    *msg = (gp_msg_output_ack_t){.job = 40, .incarnation = 1, .received = received, .until = until};
    desk_receive(desk, 9);
}

static const gp_msg_output_t *sent(const desk_t *desk, uint32_t n)
{
    const gp_action_t *action = desk_find(desk, GP_ACTION_SEND, GP_MSG_OUTPUT, n);

    assert_non_null(action);
    return &action->msg->u.output;
}

static void what_is_written_is_sent_at_once(void **state)
{
    desk_t *desk = *state;

    (void)desk_attempt(desk);
    desk_wrote(desk, 1, 0, "hello");
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_OUTPUT), 1);
    assert_true(sent(desk, 0)->offset == 0 && sent(desk, 0)->stream == 1);
    desk_text(sent(desk, 0)->bytes, "hello");
    desk_wrote(desk, 2, 5, "oops");
    assert_true(sent(desk, 0)->offset == 5 && sent(desk, 0)->stream == 2);
    desk_text(sent(desk, 0)->bytes, "oops");
}

static void unacknowledged_output_is_repeated_from_its_start(void **state)
{
    desk_t *desk = *state;
    gp_usec_t pause = 500 * GP_MSEC;
    uint64_t ticket = desk_attempt(desk);

    desk_wrote(desk, 1, 0, "out ");
    desk_wrote(desk, 2, 4, "err ");
    desk_wrote(desk, 1, 8, "out");
    for (int i = 0; i < 5; i++) {
        desk_wake(desk, pause - GP_MSEC);
        assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_OUTPUT), 0);
        desk_wake(desk, GP_MSEC);
        assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_OUTPUT), 3);
        desk_text(sent(desk, 0)->bytes, "out ");
        assert_int_equal(sent(desk, 1)->stream, 2);
        desk_text(sent(desk, 2)->bytes, "out");
        pause = pause * 2 < 4 * GP_SECOND ? pause * 2 : 4 * GP_SECOND;
        desk_keep(desk, ticket, 0, 64);
    }
    output_ack(desk, 6, 70); /* a part of it; the pause is short again */
    desk_wake(desk, 500 * GP_MSEC);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_OUTPUT), 2);
    assert_true(sent(desk, 0)->offset == 6);
    desk_text(sent(desk, 0)->bytes, "r ");
    output_ack(desk, 11, 75);
    desk_wake(desk, 4 * GP_SECOND);
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_OUTPUT), 0);
}

static void the_credit_of_the_home_is_kept(void **state)
{
    desk_t *desk = *state;
    char text[65];

    memset(text, 'x', 64);
    text[64] = '\0';
    desk_keep(desk, desk_offer(desk), 0, 10); /* little credit */
    desk_stored(desk, desk_store_token(desk, GP_MSG_ATTEMPT_STATE), true);
    desk_wrote(desk, 1, 0, text);
    assert_int_equal(sent(desk, 0)->bytes.n, 10);
    desk_wrote(desk, 1, 64, "");
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_OUTPUT), 0);
    output_ack(desk, 10, 40);
    assert_true(sent(desk, 0)->offset == 10 && sent(desk, 0)->bytes.n == 30);
    output_ack(desk, 10, 20); /* credit is not taken back */
    assert_int_equal(desk_count(desk, GP_ACTION_SEND, GP_MSG_OUTPUT), 0);
    output_ack(desk, 40, 1000);
    assert_true(sent(desk, 0)->offset == 40 && sent(desk, 0)->bytes.n == 24);
}

static void the_launcher_reads_on_as_the_ring_empties(void **state)
{
    desk_t *desk = *state;
    char text[65];

    memset(text, 'x', 64);
    text[64] = '\0';
    (void)desk_attempt(desk);
    desk_wrote(desk, 1, 0, text);
    output_ack(desk, 10, 100); /* too little to wake the launcher for */
    assert_int_equal(desk_count(desk, GP_ACTION_NOTICE, GP_MSG_JOB_READ), 0);
    output_ack(desk, 30, 100);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_READ)->u.job_read.until, 94);
    output_ack(desk, 64, 200);
    assert_int_equal(desk_noticed(desk, GP_MSG_JOB_READ)->u.job_read.until, 128);
}

static void the_ring_goes_round(void **state)
{
    desk_t *desk = *state;
    uint64_t offset = 0;
    uint64_t taken = 0;

    (void)desk_attempt(desk);
    while (offset < 2000) {
        char text[32];
        uint32_t n = (uint32_t)(offset % 23) + 1;

        for (uint32_t i = 0; i < n; i++) {
            text[i] = (char)('a' + (offset + i) % 26);
        }
        text[n] = '\0';
        desk_wrote(desk, (uint8_t)(1 + offset % 2), offset, text);
        for (uint32_t i = 0; desk_find(desk, GP_ACTION_SEND, GP_MSG_OUTPUT, i) != NULL; i++) {
            const gp_msg_output_t *msg = sent(desk, i);

            assert_true(msg->offset == taken);
            assert_int_equal(msg->stream, 1 + offset % 2);
            for (uint32_t j = 0; j < msg->bytes.n; j++) {
                assert_int_equal(msg->bytes.p[j], 'a' + (taken + j) % 26);
            }
            taken += msg->bytes.n;
        }
        offset += n;
        assert_true(taken == offset);
        output_ack(desk, taken, taken + 64);
    }
}

static void acknowledgements_of_the_future_are_ignored(void **state)
{
    desk_t *desk = *state;

    (void)desk_attempt(desk);
    desk_wrote(desk, 1, 0, "abc");
    output_ack(desk, 4, UINT64_MAX);
    desk_wake(desk, 500 * GP_MSEC);
    assert_true(sent(desk, 0)->offset == 0);
    output_ack(desk, 0, UINT64_MAX);
    desk_wrote(desk, 1, 3, "def");
    assert_true(sent(desk, 0)->offset == 3);
}

static void output_is_sent_on_after_the_end(void **state)
{
    desk_t *desk = *state;
    char text[65];

    memset(text, 'x', 64);
    text[64] = '\0';
    desk_keep(desk, desk_offer(desk), 0, 10);
    desk_stored(desk, desk_store_token(desk, GP_MSG_ATTEMPT_STATE), true);
    desk_wrote(desk, 1, 0, text);
    desk_program_ended(desk, GP_REASON_EXIT, 0, 64);
    assert_int_equal(desk_sent(desk, 9, GP_MSG_ENDED)->u.ended.output, 64);
    output_ack(desk, 10, 74);
    assert_true(sent(desk, 0)->offset == 10 && sent(desk, 0)->bytes.n == 54);
}

/* Thousands of tiny pieces: each step stays within its part of the sheet. */
static void many_pieces_share_the_sheet(void **state)
{
    desk_t *desk = *state;
    uint64_t taken = 0;

    desk->config.output_window = 512;
    desk_renew(desk);
    (void)desk_attempt(desk);
    output_ack(desk, 0, 512);
    for (uint64_t i = 0; i < 512; i++) {
        desk_wrote(desk, (uint8_t)(1 + i % 2), i, "x");
    }
    desk_wake(desk, 500 * GP_MSEC);
    for (int rounds = 0; taken < 512; rounds++) {
        uint32_t n = desk_count(desk, GP_ACTION_SEND, GP_MSG_OUTPUT);

        assert_true(n > 0 && n <= 64 && rounds < 20);
        for (uint32_t i = 0; i < n; i++) {
            assert_true(sent(desk, i)->offset == taken);
            taken += sent(desk, i)->bytes.n;
        }
        if (taken < 512) {
            assert_true(gp_work_ops.wake(desk->core) <= desk->now);
            desk_wake(desk, 0);
        }
    }
}

/* A home that acknowledges what it cannot have got gets none of it, and harms nobody but itself. */
static void what_is_acknowledged_before_it_was_sent_is_not_sent(void **state)
{
    desk_t *desk = *state;

    (void)desk_attempt(desk);
    desk_wrote(desk, 1, 0, "0123456789012345678901234567890123456789012345678901234567890123");
    output_ack(desk, 60, 64);
    desk_crowd(desk); /* written, and not sent yet */
    desk_wrote(desk, 1, 64, "abc");
    output_ack(desk, 66, 80);
    assert_int_equal(sent(desk, 0)->offset, 66);
    desk_text(sent(desk, 0)->bytes, "c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK(what_is_written_is_sent_at_once),
        DESK(unacknowledged_output_is_repeated_from_its_start),
        DESK(the_credit_of_the_home_is_kept),
        DESK(the_launcher_reads_on_as_the_ring_empties),
        DESK(the_ring_goes_round),
        DESK(acknowledgements_of_the_future_are_ignored),
        DESK(output_is_sent_on_after_the_end),
        DESK(many_pieces_share_the_sheet),
        DESK(what_is_acknowledged_before_it_was_sent_is_not_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
