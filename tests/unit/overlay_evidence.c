/* Evidence: two refusals, two observers, one incarnation; and what disproves it. */
#include "tests/unit/overlay_solo.h"
#include "tests/unit/proto_cmocka.h"

static gp_msg_t evidence(uint32_t target, uint64_t incarnation)
{
    gp_msg_t msg = {.kind = GP_MSG_EVIDENCE};
    msg.u.evidence = (gp_msg_evidence_t){.group = SOLO_GROUP,
                                         .target = solo_id(target),
                                         .incarnation = incarnation,
                                         .cause = GP_CAUSE_REFUSED};
    return msg;
}

/* Two refusals of that machine's address, 10 ms apart. */
static void refuse_twice(solo_t *s, uint32_t number)
{
    assert_non_null(solo_plain(s, GP_ACTION_DIAL, number));
    s->now += GP_MSEC;
    solo_dialed(s, number, GP_DIAL_REFUSED);
    s->now += 10 * GP_MSEC;
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_non_null(solo_plain(s, GP_ACTION_DIAL, number));
    solo_dialed(s, number, GP_DIAL_REFUSED);
}

static void test_a_broken_link_is_dialled_twice(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    solo_link(s, 4, false);
    refuse_twice(s, 4);
    const gp_action_t *a = solo_action(s, GP_MSG_GONE, SOLO_ANY, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.gone.incarnation, solo_incarnation(4));
    a = solo_action(s, GP_MSG_EVIDENCE, 1, 0); /* to the leader, who decides */
    assert_non_null(a);
    assert_int_equal(a->msg->u.evidence.cause, GP_CAUSE_REFUSED);
    assert_int_equal(solo_entry(s, 4)->shown.state, GP_MEMBER_ALIVE);
    solo_link(s, 4, false); /* again: said once */
    refuse_twice(s, 4);
    assert_null(solo_action(s, GP_MSG_GONE, SOLO_ANY, 0));
    solo_free(s);
}

/* Its leader's word is heard, but of which life is it? Asked, the machine says so. */
static void test_who_is_heard_although_gone_is_asked(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    solo_link(s, 1, false);
    refuse_twice(s, 1);
    assert_true(gp_group_evidence_own(s->core, solo_entry(s, 1)));
    s->now += GP_SECOND;
    gp_id_t one = solo_id(1);
    gp_group_heard(s->core, &one, s->now); /* a message of another room */
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    const gp_action_t *probe = solo_action(s, GP_MSG_PROBE, 1, 0);
    assert_non_null(probe);
    s->now += GP_MSEC;
    gp_group_heard(s->core, &one, s->now);
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_null(solo_action(s, GP_MSG_PROBE, 1, 0)); /* one question is enough */
    gp_msg_t ack = {.kind = GP_MSG_PROBE_ACK};
    ack.u.probe_ack.group = SOLO_GROUP;
    ack.u.probe_ack.incarnation = solo_incarnation(1) + (1 << 16);
    solo_message(s, 1, &ack);
    assert_false(gp_group_evidence_own(s->core, solo_entry(s, 1)));
    solo_free(s);
}

static void test_one_refusal_is_none(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    solo_link(s, 4, false);
    solo_dialed(s, 4, GP_DIAL_REFUSED);
    s->now += 10 * GP_MSEC;
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    solo_dialed(s, 4, GP_DIAL_OPEN); /* it has only restarted */
    assert_null(solo_action(s, GP_MSG_GONE, SOLO_ANY, 0));
    assert_null(solo_action(s, GP_MSG_EVIDENCE, SOLO_ANY, 0));
    solo_dialed(s, 4, GP_DIAL_REFUSED); /* answers that nobody waits for */
    solo_dialed(s, 50, GP_DIAL_REFUSED);
    assert_int_equal(s->out.count, 0);
    solo_free(s);
}

/* The kernel closes what a dead process had one by one: its link first, its port a moment later. */
static void test_a_port_that_outlives_the_link(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    solo_link(s, 4, false);
    solo_dialed(s, 4, GP_DIAL_OPEN);
    assert_null(solo_plain(s, GP_ACTION_DIAL, 4));
    s->now += 10 * GP_MSEC;
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_non_null(solo_plain(s, GP_ACTION_DIAL, 4));
    solo_dialed(s, 4, GP_DIAL_REFUSED);
    assert_null(solo_action(s, GP_MSG_EVIDENCE, SOLO_ANY, 0)); /* two refusals, as ever */
    s->now += 10 * GP_MSEC;
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    solo_dialed(s, 4, GP_DIAL_REFUSED);
    assert_non_null(solo_action(s, GP_MSG_EVIDENCE, 1, 0));
    solo_link(s, 3, false); /* one that is well: looked at once more, and then let be */
    solo_dialed(s, 3, GP_DIAL_OPEN);
    s->now += 10 * GP_MSEC;
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    solo_dialed(s, 3, GP_DIAL_OPEN);
    s->now += 10 * GP_MSEC;
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_null(solo_plain(s, GP_ACTION_DIAL, 3));
    solo_free(s);
}

static void test_other_results_are_suspicions(void **state)
{
    (void)state;
    static const gp_dial_t results[] = {GP_DIAL_SILENT, GP_DIAL_UNREACHABLE};
    for (int i = 0; i < 2; i++) {
        solo_t *s = solo_following(5);
        solo_link(s, 4, false);
        solo_dialed(s, 4, results[i]);
        assert_non_null(solo_action(s, GP_MSG_PROBE, 4, 0));
        assert_true(solo_run_to(s, 200 * GP_MSEC, GP_MSG_SUSPECT));
        assert_non_null(solo_action(s, GP_MSG_SUSPECT, 1, 0));
        assert_null(solo_action(s, GP_MSG_GONE, SOLO_ANY, 0));
        solo_free(s);
    }
}

static void test_a_relayed_machine_cannot_be_dialled(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    solo_entry(s, 4)->shown.flags |= GP_FLAG_RELAYED;
    solo_link(s, 4, false);
    assert_int_equal(s->out.count, 0);
    solo_free(s);
    s = solo_leading(5);
    solo_entry(s, 4)->shown.flags |= GP_FLAG_RELAYED;
    gp_msg_t msg = evidence(4, solo_incarnation(4));
    solo_message(s, 2, &msg);
    solo_message(s, 3, &msg);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    solo_free(s);
}

static void test_two_observers_make_a_verdict(void **state)
{
    (void)state;
    solo_t *s = solo_leading(5);
    gp_msg_t msg = evidence(4, solo_incarnation(4));
    solo_message(s, 2, &msg);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    assert_non_null(solo_plain(s, GP_ACTION_DIAL, 4)); /* the leader looks itself */
    solo_message(s, 2, &msg);                          /* the same one twice is one */
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    solo_message(s, 5, &msg);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_UNAVAILABLE);
    const gp_action_t *a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_non_null(a); /* and all hear of it at once */
    assert_int_equal(a->msg->u.view.entries[0].cause, GP_CAUSE_REFUSED);
    assert_int_equal(a->msg->u.view.entries[0].observers.n, 2 * sizeof(gp_id_t));
    assert_int_equal(a->target_count, 4); /* not the dead one */
    solo_free(s);
}

static void test_the_leader_is_an_observer(void **state)
{
    (void)state;
    solo_t *s = solo_leading(5);
    gp_msg_t msg = evidence(4, solo_incarnation(4));
    solo_message(s, 2, &msg);
    refuse_twice(s, 4);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_UNAVAILABLE);
    solo_free(s);
}

static void test_the_deputy_is_asked(void **state)
{
    (void)state;
    solo_t *s = solo_leading(5);
    solo_link(s, 4, false);
    refuse_twice(s, 4);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE); /* one observer only */
    assert_true(solo_run_to(s, 10 * GP_MSEC, GP_MSG_CONFIRM_ASK));
    assert_non_null(solo_action(s, GP_MSG_CONFIRM_ASK, 1, 0));
    gp_msg_t msg = {.kind = GP_MSG_CONFIRM};
    msg.u.confirm = (gp_msg_confirm_t){.group = SOLO_GROUP,
                                       .target = solo_id(4),
                                       .incarnation = solo_incarnation(4),
                                       .cause = GP_CAUSE_REFUSED};
    solo_message(s, 1, &msg);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_UNAVAILABLE);
    solo_free(s);
}

static void test_two_machines(void **state)
{
    (void)state;
    solo_t *s = solo_leading(1);
    solo_link(s, 1, false);
    refuse_twice(s, 1);
    assert_int_equal(solo_entry(s, 1)->ruled_state, GP_MEMBER_UNAVAILABLE);
    assert_int_equal(solo_entry(s, 1)->ruled_cause, GP_CAUSE_REFUSED);
    solo_free(s);
}

static void test_wrong_incarnations(void **state)
{
    (void)state;
    solo_t *s = solo_leading(5);
    gp_msg_t old = evidence(4, solo_incarnation(4) - 1);
    gp_msg_t future = evidence(4, UINT64_MAX);
    gp_msg_t right = evidence(4, solo_incarnation(4));
    solo_message(s, 2, &old);
    solo_message(s, 3, &old);
    solo_message(s, 2, &future); /* nobody knows of that life */
    solo_message(s, 3, &future);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    solo_message(s, 2, &right);
    gp_msg_t msg = {.kind = GP_MSG_SEEK};
    msg.u.seek = (gp_msg_seek_t){.group = SOLO_GROUP, .incarnation = UINT64_C(2) << 16};
    solo_message(s, 4, &msg); /* it has restarted */
    assert_int_equal(solo_entry(s, 4)->ruled_cause, GP_CAUSE_RESTARTED);
    solo_message(s, 3, &right);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    solo_free(s);
}

static void test_liars_and_strangers(void **state)
{
    (void)state;
    solo_t *s = solo_leading(5);
    gp_msg_t msg = evidence(4, solo_incarnation(4));
    solo_message(s, 60, &msg); /* not in the view */
    solo_message(s, 61, &msg);
    solo_message(s, 4, &msg); /* about itself */
    assert_int_equal(solo_entry(s, 4)->evidence_at, 0);
    msg = evidence(0, solo_incarnation(0));
    solo_message(s, 2, &msg); /* about this machine */
    solo_message(s, 3, &msg);
    msg = evidence(4, solo_incarnation(4));
    msg.u.evidence.cause = GP_CAUSE_SILENT; /* silence is no evidence */
    solo_message(s, 2, &msg);
    solo_message(s, 3, &msg);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    solo_free(s);
}

static void test_a_later_answer_disproves(void **state)
{
    (void)state;
    solo_t *s = solo_leading(5);
    gp_msg_t msg = evidence(4, solo_incarnation(4));
    uint32_t before = solo_entry(s, 4)->sent_sequence;
    solo_message(s, 2, &msg);
    assert_non_null(solo_action(s, GP_MSG_PROBE, 4, 0));
    gp_msg_t ack = {.kind = GP_MSG_PROBE_ACK};
    ack.u.probe_ack = (gp_msg_probe_ack_t){
        .group = SOLO_GROUP, .incarnation = solo_incarnation(4), .sequence = before};
    solo_message(s, 4, &ack); /* what it sent before it died is no proof */
    assert_int_not_equal(solo_entry(s, 4)->evidence_at, 0);
    ack.u.probe_ack.sequence = solo_entry(s, 4)->sent_sequence;
    solo_message(s, 4, &ack);
    assert_int_equal(solo_entry(s, 4)->evidence_at, 0);
    solo_message(s, 3, &msg); /* alone again */
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    solo_free(s);
}

static void test_a_firewall_fooled_two(void **state)
{
    (void)state;
    solo_t *s = solo_leading(5);
    gp_msg_t msg = evidence(4, solo_incarnation(4));
    solo_message(s, 2, &msg);
    uint32_t probe = solo_entry(s, 4)->sent_sequence;
    solo_message(s, 3, &msg);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_UNAVAILABLE);
    gp_msg_t ack = {.kind = GP_MSG_BEAT};
    ack.u.beat.group = SOLO_GROUP;
    solo_message(s, 4, &ack); /* may have been sent before: not enough */
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_UNAVAILABLE);
    ack = (gp_msg_t){.kind = GP_MSG_PROBE_ACK};
    ack.u.probe_ack = (gp_msg_probe_ack_t){
        .group = SOLO_GROUP, .incarnation = solo_incarnation(4), .sequence = probe};
    solo_message(s, 4, &ack); /* it answers what it was asked after the evidence */
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    assert_int_equal(solo_entry(s, 4)->ruled_cause, GP_CAUSE_ANSWERS);
    solo_free(s);
}

static void test_rights(void **state)
{
    (void)state;
    solo_t *s = solo_leading(5);
    s->core->leader.lease_until = s->now; /* ran out */
    gp_msg_t msg = evidence(4, solo_incarnation(4));
    solo_message(s, 2, &msg);
    solo_message(s, 3, &msg);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    solo_lease(s);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_UNAVAILABLE);
    solo_free(s);
    s = solo_leading(5);
    solo_leader(s, 0, 1, 1, GP_RIGHT_CARETAKER);
    solo_message(s, 2, &msg);
    solo_message(s, 3, &msg);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_UNKNOWN);
    assert_int_equal(solo_entry(s, 4)->ruled_cause, GP_CAUSE_NO_QUORUM);
    solo_free(s);
}

static void test_the_leader_is_gone(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    solo_link(s, 1, false);
    refuse_twice(s, 1);
    assert_non_null(solo_action(s, GP_MSG_GONE, SOLO_ANY, 0));
    assert_non_null(solo_action(s, GP_MSG_EVIDENCE, 2, 0)); /* to the other voters */
    assert_null(solo_action(s, GP_MSG_EVIDENCE, 1, 0));
    const gp_action_t *a = solo_action(s, GP_MSG_STANDINGS, SOLO_ANY, 0);
    assert_non_null(a);
    assert_false(a->msg->u.standings.members[1].reached);
    gp_msg_t msg = evidence(1, solo_incarnation(1));
    solo_message(s, 3, &msg);
    solo_leader(s, 0, 2, 2, GP_RIGHT_QUORUM); /* this machine comes after it */
    assert_int_equal(solo_entry(s, 1)->ruled_state, GP_MEMBER_UNAVAILABLE);
    a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.view.term, 2);
    solo_free(s);
}

static void test_evidence_is_told_the_next_leader(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    solo_link(s, 1, false);
    refuse_twice(s, 1);
    solo_leader(s, 2, 3, 2, GP_RIGHT_QUORUM);
    assert_non_null(solo_action(s, GP_MSG_EVIDENCE, 2, 0));
    solo_free(s);
}

static void test_hearsay_about_the_leader_makes_one_look(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    gp_msg_t msg = evidence(1, solo_incarnation(1));
    solo_message(s, 3, &msg);
    assert_non_null(solo_plain(s, GP_ACTION_DIAL, 1));
    solo_free(s);
}

static void test_an_answer_that_nobody_waits_for_is_no_refusal(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    solo_link(s, 4, false);
    solo_dialed(s, 4, GP_DIAL_REFUSED);
    assert_int_equal(solo_entry(s, 4)->dial, GP_GROUP_DIAL_PAUSE);
    solo_dialed(s, 4, GP_DIAL_REFUSED); /* the same answer again */
    assert_int_equal(s->out.count, 0);
    assert_int_equal(solo_entry(s, 4)->dial, GP_GROUP_DIAL_PAUSE);
    solo_link(s, 0, false); /* and nobody dials itself */
    assert_null(solo_plain(s, GP_ACTION_DIAL, 0));
    solo_free(s);
}

/* Two observers of two lives are not two of one. */
static void test_observers_of_different_lives_do_not_add_up(void **state)
{
    (void)state;
    solo_t *s = solo_leading(5);
    gp_msg_t msg = evidence(4, solo_incarnation(4));
    solo_message(s, 2, &msg);
    gp_msg_t leave = {.kind = GP_MSG_LEAVE};
    leave.u.leave.group = SOLO_GROUP;
    leave.u.leave.incarnation = UINT64_C(2) << 16; /* it had started again, and goes */
    solo_message(s, 4, &leave);
    msg = evidence(4, UINT64_C(2) << 16);
    solo_message(s, 3, &msg);
    assert_int_equal(solo_entry(s, 4)->evidence_by, UINT64_C(1) << solo_entry(s, 3)->slot);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_LEFT);
    solo_free(s);
}

static void test_hearsay_is_neither_judged_nor_a_witness(void **state)
{
    (void)state;
    solo_t *s = solo_leading(5);
    solo_hearsay(s, 30);
    gp_msg_t msg = evidence(30, 0);
    solo_message(s, 2, &msg);
    solo_message(s, 3, &msg);
    assert_int_equal(solo_entry(s, 30)->ruled_state, GP_MEMBER_NONE);
    assert_null(solo_plain(s, GP_ACTION_DIAL, 30));
    assert_null(solo_action(s, GP_MSG_PROBE, 30, 0));
    msg = evidence(4, solo_incarnation(4));
    solo_message(s, 30, &msg);
    assert_int_equal(solo_entry(s, 4)->evidence_at, 0);
    solo_free(s);
}

/* Who joined and was not heard since: a caretaker says why it does not know either. */
static void test_a_caretaker_says_why_it_does_not_know(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    gp_msg_t view = {.kind = GP_MSG_VIEW};
    view.u.view = (gp_msg_view_t){.group = SOLO_GROUP, .term = 1, .number = 8};
    view.u.view.entries[view.u.view.entries_count++] = solo_record(4, GP_MEMBER_UNKNOWN);
    solo_message(s, 1, &view);
    solo_leader(s, 0, SOLO_ANY, 1, GP_RIGHT_CARETAKER);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_UNKNOWN);
    assert_int_equal(solo_entry(s, 4)->ruled_cause, GP_CAUSE_JOINED); /* no verdict to take back */
    gp_msg_t msg = evidence(4, solo_incarnation(4));
    solo_message(s, 2, &msg);
    solo_message(s, 3, &msg);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_UNKNOWN);
    assert_int_equal(solo_entry(s, 4)->ruled_cause, GP_CAUSE_NO_QUORUM);
    solo_free(s);
}

static void test_a_leader_does_not_ask_itself(void **state)
{
    (void)state;
    solo_t *s = solo_leading(5);
    solo_leader(s, 0, 0, 1, GP_RIGHT_QUORUM); /* said to be its own deputy */
    gp_msg_t msg = evidence(4, solo_incarnation(4));
    solo_message(s, 2, &msg);
    assert_true(solo_run_to(s, 10 * GP_MSEC, GP_MSG_CONFIRM_ASK));
    assert_null(solo_action(s, GP_MSG_CONFIRM_ASK, 0, 0));
    solo_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_broken_link_is_dialled_twice),
        cmocka_unit_test(test_who_is_heard_although_gone_is_asked),
        cmocka_unit_test(test_one_refusal_is_none),
        cmocka_unit_test(test_a_port_that_outlives_the_link),
        cmocka_unit_test(test_other_results_are_suspicions),
        cmocka_unit_test(test_a_relayed_machine_cannot_be_dialled),
        cmocka_unit_test(test_two_observers_make_a_verdict),
        cmocka_unit_test(test_the_leader_is_an_observer),
        cmocka_unit_test(test_the_deputy_is_asked),
        cmocka_unit_test(test_two_machines),
        cmocka_unit_test(test_wrong_incarnations),
        cmocka_unit_test(test_liars_and_strangers),
        cmocka_unit_test(test_a_later_answer_disproves),
        cmocka_unit_test(test_a_firewall_fooled_two),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_the_leader_is_gone),
        cmocka_unit_test(test_evidence_is_told_the_next_leader),
        cmocka_unit_test(test_hearsay_about_the_leader_makes_one_look),
        cmocka_unit_test(test_an_answer_that_nobody_waits_for_is_no_refusal),
        cmocka_unit_test(test_observers_of_different_lives_do_not_add_up),
        cmocka_unit_test(test_hearsay_is_neither_judged_nor_a_witness),
        cmocka_unit_test(test_a_caretaker_says_why_it_does_not_know),
        cmocka_unit_test(test_a_leader_does_not_ask_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
