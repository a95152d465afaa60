/* Beats: who asks whom and when, answers, what an answer proves, local health. */
#include "tests/unit/overlay_solo.h"
#include "tests/unit/proto_cmocka.h"

static gp_msg_t beat_of(uint64_t term, uint32_t number, uint32_t digest, uint8_t role)
{
    gp_msg_t msg = {.kind = GP_MSG_BEAT};
    msg.u.beat = (gp_msg_beat_t){.group = SOLO_GROUP,
                                 .term = term,
                                 .number = number,
                                 .digest = digest,
                                 .sequence = 31,
                                 .role = role};
    return msg;
}

static uint32_t count_beats(solo_t *s, gp_usec_t length, uint32_t *beats, uint32_t machines)
{
    uint32_t all = 0;
    gp_usec_t end = s->now + length;
    while (gp_group_ops.wake(s->core) <= end) {
        gp_usec_t wake = gp_group_ops.wake(s->core);
        s->now = wake > s->now ? wake : s->now;
        solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
        for (uint32_t i = 1; i <= machines; i++) {
            bool told = solo_action(s, GP_MSG_BEAT, i, 0) != NULL;
            beats[i] += told;
            all += told;
        }
        solo_answer_all(s);
    }
    s->now = end;
    return all;
}

static void test_the_leader_asks_each_once_a_period(void **state)
{
    (void)state;
    solo_t *s = solo_leading(40);
    uint32_t beats[64] = {0};
    uint32_t all = count_beats(s, 10 * s->config.beat_period, beats, 40);
    for (uint32_t i = 1; i <= 40; i++) {
        assert_true(beats[i] >= 9 && beats[i] <= 11);
    }
    assert_true(all >= 390 && all <= 410);
    solo_free(s);
}

static void note_beats(const solo_t *s, gp_usec_t asked[10])
{
    for (uint32_t i = 1; i <= 9; i++) {
        if (solo_action(s, GP_MSG_BEAT, i, 0) != NULL) {
            asked[i] = s->now;
        }
    }
}

static void test_the_deputy_asks_half_a_period_later(void **state)
{
    (void)state;
    solo_t *s = solo_following(9);
    solo_leader(s, 1, 0, 1, GP_RIGHT_QUORUM);
    uint32_t own = solo_entry(s, 0)->beat_slot;
    gp_usec_t step = s->config.beat_period / GP_GROUP_SLOTS;
    gp_usec_t asked[10] = {0};
    gp_usec_t leader = s->now; /* it asks the deputy now, in the deputy's slot */
    for (int period = 0; period < 3; period++) {
        gp_msg_t msg = beat_of(1, 7, s->core->view_digest, 1);
        solo_message(s, 1, &msg);
        note_beats(s, asked);
        leader = s->now;
        gp_usec_t end = s->now + s->config.beat_period;
        while (gp_group_ops.wake(s->core) < end) {
            gp_usec_t wake = gp_group_ops.wake(s->core);
            s->now = wake > s->now ? wake : s->now;
            solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
            note_beats(s, asked);
            solo_answer_all(s);
        }
        s->now = end;
    }
    for (uint32_t i = 1; i <= 9; i++) {
        uint32_t slots = (solo_entry(s, i)->beat_slot + GP_GROUP_SLOTS - own) % GP_GROUP_SLOTS;
        gp_usec_t by_leader = leader + slots * step;
        gp_usec_t period = s->config.beat_period;
        assert_true(asked[i] != 0);
        gp_usec_t apart = (asked[i] + 10 * period - by_leader) % period;
        assert_true(apart >= period / 2 - step && apart <= period / 2 + step);
    }
    solo_free(s);
}

static void test_who_is_not_asked(void **state)
{
    (void)state;
    solo_t *s = solo_leading(6);
    gp_group_rule(s->core, solo_entry(s, 2), GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT);
    gp_group_rule(s->core, solo_entry(s, 3), GP_MEMBER_LEFT, GP_CAUSE_STOPPED);
    gp_group_rule(s->core, solo_entry(s, 4), GP_MEMBER_UNKNOWN, GP_CAUSE_JOINED);
    solo_entry(s, 4)->shown.flags = 0; /* admitted, never seen */
    uint32_t beats[64] = {0};
    count_beats(s, 5 * s->config.beat_period, beats, 6);
    assert_int_equal(beats[2] + beats[3] + beats[4], 0);
    assert_true(beats[5] >= 4);
    solo_free(s);
}

static void test_a_beat_is_answered_at_once(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    gp_msg_t self = {.kind = GP_MSG_GROUP_SELF};
    self.u.group_self.health = 900;
    self.u.group_self.headroom = 420;
    solo_command(s, &self);
    gp_msg_t msg = beat_of(1, 7, s->core->view_digest, 1);
    solo_message(s, 1, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_BEAT_ACK, 1, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.beat_ack.sequence, 31);
    assert_int_equal(a->msg->u.beat_ack.incarnation, gp_group_incarnation(s->core));
    assert_int_equal(a->msg->u.beat_ack.health, 900);
    assert_int_equal(a->msg->u.beat_ack.headroom, 420);
    assert_int_equal(s->out.count, 1);
    solo_free(s);
}

static void test_a_stale_leader_is_told_who_leads(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    solo_leader(s, 2, 3, 4, GP_RIGHT_QUORUM);
    gp_msg_t msg = beat_of(1, 7, 1, 1);
    s->now += 2 * GP_SECOND;
    solo_message(s, 1, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_SEEK_REPLY, 1, 0);
    gp_id_t two = solo_id(2);
    assert_non_null(a);
    assert_true(gp_id_equal(&a->msg->u.seek_reply.leader, &two));
    assert_int_equal(a->msg->u.seek_reply.term, 4);
    assert_non_null(solo_action(s, GP_MSG_BEAT_ACK, 1, 0));
    solo_message(s, 1, &msg); /* not each time */
    assert_null(solo_action(s, GP_MSG_SEEK_REPLY, 1, 0));
    solo_free(s);
}

static void test_round_trips(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    assert_true(solo_run_to(s, 2 * GP_SECOND, GP_MSG_BEAT));
    uint32_t who = solo_action(s, GP_MSG_BEAT, 1, 0) != NULL   ? 1
                   : solo_action(s, GP_MSG_BEAT, 2, 0) != NULL ? 2
                                                               : 3;
    solo_entry(s, who)->shown.rtt_us = 0;
    s->now += 40 * GP_MSEC;
    solo_answer(s, who);
    assert_int_equal(solo_entry(s, who)->shown.rtt_us, 40 * GP_MSEC);
    assert_int_equal(solo_entry(s, who)->due_at, 0);
    assert_int_equal(gp_group_health_factor(s->core), 1000);
    solo_free(s);
}

/* Machines 1 .. others answer 30 questions in turn, each 10 ms too late. */
static uint32_t factor_after_late_answers(solo_t *s, uint32_t others)
{
    for (uint32_t i = 0; i < 30; i++) {
        gp_group_entry_t *m = solo_entry(s, 1 + i % others);
        gp_out_reset(&s->out);
        gp_group_probe(s->core, m, 0, &s->out);
        s->now += 310 * GP_MSEC;
        s->core->wake_at = GP_NEVER; /* this test is not about lateness of timers */
        for (uint32_t k = 1; k <= 3; k++) {
            if (solo_entry(s, k) != NULL) {
                solo_entry(s, k)->due_at = 0;
            }
        }
        solo_answer(s, 1 + i % others);
    }
    return gp_group_health_factor(s->core);
}

static void test_late_answers_stretch_patience(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    assert_int_equal(factor_after_late_answers(s, 1), 1000); /* that one machine's trouble */
    uint32_t factor = factor_after_late_answers(s, 3);
    assert_true(factor > 2000 && factor <= 8000); /* all are late: it is oneself */
    assert_true(gp_group_scaled(s->core, 100) > 200);
    for (int i = 0; i < 60; i++) {
        s->core->now += s->config.beat_period;
        gp_group_ease(s->core);
    }
    assert_int_equal(gp_group_health_factor(s->core), 1000);
    solo_free(s);
    s = solo_leading(1); /* of two nobody can tell whose trouble it is */
    assert_true(factor_after_late_answers(s, 1) > 2000);
    solo_free(s);
}

static void test_ring(void **state)
{
    (void)state;
    solo_t *s = solo_following(6);
    uint32_t next = 0;
    uint32_t previous = 0;
    uint32_t all = 0;
    gp_usec_t end = s->now + 80 * GP_SECOND;
    gp_msg_t beat = beat_of(1, 7, s->core->view_digest, 1);
    while (s->now < end) {
        gp_usec_t wake = gp_group_ops.wake(s->core);
        s->now = wake > s->now ? wake : s->now;
        solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
        for (uint32_t i = 1; i <= 6; i++) {
            all += solo_action(s, GP_MSG_PROBE, i, 0) != NULL;
        }
        previous += solo_action(s, GP_MSG_PROBE, 6, 0) != NULL;
        next += solo_action(s, GP_MSG_PROBE, 1, 0) != NULL; /* the leader: it beats anyway */
        solo_answer_all(s);
        solo_message(s, 1, &beat);
    }
    assert_int_equal(next, 0);
    assert_true(previous >= 8 && previous <= 12);
    assert_int_equal(all, previous);
    solo_free(s);
}

static void test_without_a_leader_all_are_asked(void **state)
{
    (void)state;
    solo_t *s = solo_started(40);
    uint32_t probes = 0;
    solo_run(s, s->now + 2 * GP_SECOND);
    gp_usec_t end = s->now + 5 * GP_SECOND;
    while (s->now < end) {
        gp_usec_t wake = gp_group_ops.wake(s->core);
        s->now = wake > s->now ? wake : s->now;
        solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
        uint32_t batch = 0;
        while (solo_action(s, GP_MSG_PROBE, SOLO_ANY, batch) != NULL) {
            batch++;
        }
        assert_true(batch <= GP_GROUP_PROBE_BATCH);
        probes += batch;
        for (uint32_t i = 1; i <= 20; i++) { /* half of them answer */
            if (solo_entry(s, i)->sent_at != 0) {
                solo_answer(s, i);
            }
        }
    }
    assert_true(probes >= 40 * 5 && probes <= 40 * 10);
    assert_int_equal(solo_entry(s, 3)->shown.state, GP_MEMBER_ALIVE);
    assert_int_equal(solo_entry(s, 3)->shown.cause, GP_CAUSE_ANSWERS);
    assert_int_equal(solo_entry(s, 30)->shown.state, GP_MEMBER_UNKNOWN);
    assert_int_equal(solo_entry(s, 30)->shown.cause, GP_CAUSE_NO_LEADER);
    solo_free(s);
}

static void test_heard_for_other_rooms(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    gp_id_t two = solo_id(2);
    gp_id_t nobody = solo_id(60);
    gp_usec_t wake = gp_group_ops.wake(s->core);
    gp_group_heard(s->core, &two, s->now);
    gp_group_heard(s->core, &nobody, s->now);
    assert_int_equal(gp_group_ops.wake(s->core), wake); /* nothing follows from it */
    assert_int_equal(solo_entry(s, 2)->shown.heard_at, s->now);
    gp_group_rule(s->core, solo_entry(s, 2), GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT);
    gp_group_heard(s->core, &two, s->now);
    assert_true(gp_group_ops.wake(s->core) <= s->now);
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_int_equal(solo_entry(s, 2)->ruled_state, GP_MEMBER_ALIVE);
    solo_free(s);
}

/* Only who is in the view is said to live, whatever it says itself. */
static void test_hearsay_does_not_become_a_member_by_speaking(void **state)
{
    (void)state;
    solo_t *s = solo_leading(5);
    solo_hearsay(s, 30);
    solo_link(s, 30, false);
    assert_non_null(solo_plain(s, GP_ACTION_DIAL, 30));
    solo_dialed(s, 30, GP_DIAL_REFUSED);
    s->now += s->config.redial_after;
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    solo_dialed(s, 30, GP_DIAL_REFUSED);
    assert_true(gp_group_evidence_own(s->core, solo_entry(s, 30)));
    s->now += s->config.beat_timeout;
    gp_msg_t msg = {.kind = GP_MSG_PROBE};
    msg.u.probe.group = SOLO_GROUP;
    solo_message(s, 30, &msg);
    const gp_action_t *asked = solo_action(s, GP_MSG_PROBE, 30, 0); /* is it another life? */
    assert_non_null(asked);
    msg = (gp_msg_t){.kind = GP_MSG_PROBE_ACK};
    msg.u.probe_ack.group = SOLO_GROUP;
    msg.u.probe_ack.incarnation = solo_incarnation(30);
    msg.u.probe_ack.sequence = solo_entry(s, 30)->sent_sequence;
    solo_message(s, 30, &msg);
    const gp_group_entry_t *m = solo_entry(s, 30);
    assert_int_equal(m->evidence_at, 0);
    assert_int_equal(m->sent_at, 0); /* it was the answer */
    assert_false(m->in_view);
    assert_int_equal(m->ruled_state, GP_MEMBER_NONE);
    assert_int_equal(m->shown.incarnation, 0);
    assert_null(solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0));
    solo_free(s);
}

/* Only an answer to a question that was asked after the refusals. */
static void test_an_answer_to_an_older_question_does_not_revive(void **state)
{
    (void)state;
    solo_t *s = solo_leading(1);
    solo_lease(s);
    assert_true(solo_run_to(s, 2 * GP_SECOND, GP_MSG_BEAT));
    uint32_t before = solo_entry(s, 1)->sent_sequence;
    solo_lease(s);
    solo_link(s, 1, false);
    solo_dialed(s, 1, GP_DIAL_REFUSED);
    s->now += s->config.redial_after;
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    solo_dialed(s, 1, GP_DIAL_REFUSED);
    assert_int_equal(solo_entry(s, 1)->ruled_state, GP_MEMBER_UNAVAILABLE);
    assert_int_equal(solo_entry(s, 1)->sent_sequence, before);
    solo_answer(s, 1);
    assert_int_equal(solo_entry(s, 1)->ruled_state, GP_MEMBER_UNAVAILABLE);
    assert_int_not_equal(solo_entry(s, 1)->evidence_at, 0);
    solo_free(s);
}

static void test_a_round_trip_of_hours_is_the_longest(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    s->now += 3 * 3600 * GP_SECOND;
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    gp_group_entry_t *m = solo_entry(s, 2);
    m->sent_at = s->now - UINT32_MAX - GP_SECOND;
    m->shown.rtt_us = 0;
    solo_answer(s, 2);
    assert_int_equal(solo_entry(s, 2)->shown.rtt_us, UINT32_MAX);
    solo_free(s);
}

/* In the view that introduced it, its address was missed. */
static void test_who_has_no_address_is_not_asked(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    gp_msg_t msg = {.kind = GP_MSG_VIEW};
    msg.u.view = (gp_msg_view_t){.group = SOLO_GROUP, .term = 1, .number = 8};
    msg.u.view.entries[msg.u.view.entries_count++] = solo_record(30, GP_MEMBER_ALIVE);
    msg.u.view.entries[0].address.n = 0;
    solo_message(s, 1, &msg);
    solo_link(s, 30, false);
    assert_null(solo_plain(s, GP_ACTION_DIAL, 30));
    solo_leader(s, SOLO_ANY, SOLO_ANY, 1, GP_RIGHT_NONE);
    uint32_t asked[2] = {0};
    gp_usec_t end = s->now + 20 * GP_SECOND;
    while (s->now < end) {
        gp_usec_t wake = gp_group_ops.wake(s->core);
        s->now = wake > s->now ? wake : s->now;
        solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
        for (uint32_t i = 0; i < 2; i++) {
            uint32_t number = i == 0 ? 3 : 30;
            asked[i] += solo_action(s, GP_MSG_PROBE, number, 0) != NULL;
            asked[i] += solo_action(s, GP_MSG_SEEK, number, 0) != NULL;
        }
    }
    assert_true(asked[0] >= 20);
    assert_int_equal(asked[1], 0);
    solo_free(s);
}

static void test_a_beat_from_before_the_view_asks_for_nothing(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    gp_msg_t msg = beat_of(1, 6, 12345, 1); /* was sent before view 7, and came after */
    solo_message(s, 1, &msg);
    assert_int_equal(s->core->pull_at, 0);
    msg = beat_of(1, 7, 12345, 1); /* another table under the same number */
    solo_message(s, 1, &msg);
    assert_non_null(solo_action(s, GP_MSG_VIEW_PULL, 1, 0));
    solo_free(s);
}

/* It left once, and has come back since, as the leader of that time said. */
static void test_an_older_goodbye_binds_nobody(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    gp_msg_t leave = {.kind = GP_MSG_LEAVE};
    leave.u.leave.group = SOLO_GROUP;
    leave.u.leave.incarnation = solo_incarnation(4);
    solo_message(s, 4, &leave);
    gp_msg_t view = {.kind = GP_MSG_VIEW};
    view.u.view = (gp_msg_view_t){.group = SOLO_GROUP, .term = 1, .number = 8};
    view.u.view.entries[view.u.view.entries_count++] = solo_record(4, GP_MEMBER_ALIVE);
    view.u.view.entries[0].incarnation = UINT64_C(2) << 16;
    solo_message(s, 1, &view);
    assert_true(solo_entry(s, 4)->left_seen);
    solo_leader(s, 0, 2, 2, GP_RIGHT_QUORUM);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    gp_group_rule(s->core, solo_entry(s, 4), GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT);
    gp_msg_t probe = {.kind = GP_MSG_PROBE};
    probe.u.probe.group = SOLO_GROUP;
    solo_message(s, 4, &probe);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    solo_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_leader_asks_each_once_a_period),
        cmocka_unit_test(test_the_deputy_asks_half_a_period_later),
        cmocka_unit_test(test_who_is_not_asked),
        cmocka_unit_test(test_a_beat_is_answered_at_once),
        cmocka_unit_test(test_a_stale_leader_is_told_who_leads),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_late_answers_stretch_patience),
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_without_a_leader_all_are_asked),
        cmocka_unit_test(test_heard_for_other_rooms),
        cmocka_unit_test(test_hearsay_does_not_become_a_member_by_speaking),
        cmocka_unit_test(test_an_answer_to_an_older_question_does_not_revive),
        cmocka_unit_test(test_a_round_trip_of_hours_is_the_longest),
        cmocka_unit_test(test_who_has_no_address_is_not_asked),
        cmocka_unit_test(test_a_beat_from_before_the_view_asks_for_nothing),
        cmocka_unit_test(test_an_older_goodbye_binds_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
