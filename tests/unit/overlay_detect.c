/* Suspicions and verdicts: silence, confirmers, windows, rights, lateness. */
#include "tests/unit/overlay_solo.h"
#include "tests/unit/proto_cmocka.h"

/* All but `silent` answer what they are asked; runs until the time. The lease grows each 400 ms. */
static bool run_with_silent(solo_t *s, gp_usec_t limit, uint32_t silent, gp_msg_kind_t until)
{
    gp_usec_t end = s->now + limit;
    gp_usec_t lease = s->now;
    while (s->now < end) {
        gp_usec_t wake = gp_group_ops.wake(s->core);
        s->now = wake > s->now ? wake : s->now;
        if (s->core->leading && s->core->leader.right == GP_RIGHT_QUORUM && s->now >= lease) {
            lease = s->now + 400 * GP_MSEC;
            solo_lease(s);
            if (until != 0 && solo_action(s, until, SOLO_ANY, 0) != NULL) {
                return true;
            }
        }
        solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
        if (until != 0 && solo_action(s, until, SOLO_ANY, 0) != NULL) {
            return true;
        }
        for (uint32_t i = 1; i < 64; i++) {
            if (i != silent && solo_entry(s, i) != NULL && solo_entry(s, i)->sent_at != 0) {
                solo_answer(s, i);
                if (until != 0 && solo_action(s, until, SOLO_ANY, 0) != NULL) {
                    return true;
                }
            }
        }
    }
    return false;
}

static void confirm(solo_t *s, uint32_t by, uint32_t target, gp_cause_t cause)
{
    gp_msg_t msg = {.kind = GP_MSG_CONFIRM};
    msg.u.confirm = (gp_msg_confirm_t){.group = SOLO_GROUP,
                                       .target = solo_id(target),
                                       .incarnation = solo_incarnation(target),
                                       .round = solo_entry(s, target)->round,
                                       .cause = (uint8_t)cause};
    solo_message(s, by, &msg);
}

/* Somebody who was asked about `target`; SOLO_ANY if nobody was. */
static uint32_t asked(solo_t *s, uint32_t target, uint32_t nth)
{
    for (uint32_t i = 1; i < 64; i++) {
        const gp_group_entry_t *m = solo_entry(s, i);
        bool is_asked = m != NULL && (solo_entry(s, target)->asked >> m->slot & 1) != 0;
        if (is_asked && nth-- == 0) {
            return i;
        }
    }
    return SOLO_ANY;
}

static solo_t *suspecting(uint32_t others, uint32_t target)
{
    solo_t *s = solo_leading(others);
    assert_true(run_with_silent(s, 2 * GP_SECOND, target, GP_MSG_SUSPICION));
    assert_true(solo_entry(s, target)->suspected);
    return s;
}

static void test_silence_opens_a_suspicion(void **state)
{
    (void)state;
    solo_t *s = suspecting(8, 4);
    const gp_action_t *a = solo_action(s, GP_MSG_SUSPICION, SOLO_ANY, 0);
    assert_int_equal(a->msg->u.suspicion.phase, 1);
    assert_non_null(solo_action(s, GP_MSG_PROBE, 4, 0));
    assert_non_null(solo_action(s, GP_MSG_SUSPECT, 4, 0)); /* the suspect is told */
    assert_non_null(solo_action(s, GP_MSG_CONFIRM_ASK, SOLO_ANY, 2));
    assert_null(solo_action(s, GP_MSG_CONFIRM_ASK, SOLO_ANY, 3));
    assert_null(solo_action(s, GP_MSG_CONFIRM_ASK, 4, 0));
    assert_non_null(solo_plain(s, GP_ACTION_DIAL, 4));
    a = solo_action(s, GP_MSG_MEMBER, SOLO_ANY, 0);
    assert_int_equal(a->msg->u.member.entries[0].state, GP_MEMBER_SUSPECT);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE); /* no verdict yet */
    solo_free(s);
}

static void test_a_silent_word_and_a_window_make_a_verdict(void **state)
{
    (void)state;
    solo_t *s = suspecting(8, 4);
    gp_usec_t from = s->now;
    confirm(s, asked(s, 4, 0), 4, GP_CAUSE_SILENT);
    assert_true(solo_entry(s, 4)->suspected); /* the window runs on */
    assert_true(run_with_silent(s, 2 * GP_SECOND, 4, GP_MSG_SUSPICION));
    assert_true(s->now - from >= s->config.confirm_window);
    const gp_action_t *a = solo_action(s, GP_MSG_SUSPICION, SOLO_ANY, 0);
    assert_int_equal(a->msg->u.suspicion.phase, 3);
    const gp_group_member_t *m = &solo_entry(s, 4)->shown;
    assert_int_equal(m->state, GP_MEMBER_UNAVAILABLE);
    assert_int_equal(m->cause, GP_CAUSE_SILENT);
    assert_int_equal(m->observer_count, 2); /* the leader and the confirmer */
    solo_free(s);
}

/* When all links begin to lose packets, the first signs of it come after the first suspicions. */
static void test_trouble_that_shows_later_stretches_the_window(void **state)
{
    (void)state;
    solo_t *s = suspecting(8, 4);
    gp_usec_t from = s->now;
    confirm(s, asked(s, 4, 0), 4, GP_CAUSE_SILENT);
    gp_group_strain(s->core, 1000); /* twice the patience */
    assert_true(run_with_silent(s, 4 * GP_SECOND, 4, GP_MSG_SUSPICION));
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_UNAVAILABLE);
    assert_true(s->now - from >= 2 * s->config.confirm_window);
    solo_free(s);
}

static void test_nobody_confirms(void **state)
{
    (void)state;
    solo_t *s = suspecting(8, 4);
    uint64_t first = solo_entry(s, 4)->asked;
    assert_false(run_with_silent(s, 600 * GP_MSEC, 4, GP_MSG_SUSPICION));
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    assert_int_not_equal(solo_entry(s, 4)->asked, first); /* others are asked too */
    confirm(s, asked(s, 4, 0), 4, GP_CAUSE_SILENT);
    assert_true(run_with_silent(s, 2 * GP_SECOND, 4, GP_MSG_SUSPICION));
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_UNAVAILABLE);
    solo_free(s);
}

static void test_any_word_of_it_clears(void **state)
{
    (void)state;
    solo_t *s = suspecting(8, 4);
    gp_msg_t msg = {.kind = GP_MSG_PROBE};
    msg.u.probe.group = SOLO_GROUP;
    solo_message(s, 4, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_SUSPICION, SOLO_ANY, 0);
    assert_int_equal(a->msg->u.suspicion.phase, 2);
    assert_false(solo_entry(s, 4)->suspected);
    solo_free(s);
    s = suspecting(8, 4); /* a message of another room, told by the composed peer */
    gp_id_t id = solo_id(4);
    gp_group_heard(s->core, &id, s->now);
    assert_true(gp_group_ops.wake(s->core) <= s->now);
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_false(solo_entry(s, 4)->suspected);
    solo_free(s);
}

static void test_a_word_of_an_earlier_life_does_not(void **state)
{
    (void)state;
    solo_t *s = suspecting(8, 4);
    gp_msg_t msg = {.kind = GP_MSG_BEAT_ACK};
    msg.u.beat_ack = (gp_msg_beat_ack_t){.group = SOLO_GROUP,
                                         .incarnation = solo_incarnation(4) - 1,
                                         .sequence = solo_entry(s, 4)->sent_sequence};
    solo_message(s, 4, &msg);
    assert_true(solo_entry(s, 4)->suspected);
    solo_free(s);
}

static void test_one_way(void **state)
{
    (void)state;
    solo_t *s = suspecting(8, 4);
    confirm(s, asked(s, 4, 0), 4, GP_CAUSE_SILENT);
    confirm(s, asked(s, 4, 1), 4, GP_CAUSE_ANSWERS);
    assert_true(run_with_silent(s, 2 * GP_SECOND, 4, GP_MSG_SUSPICION));
    const gp_action_t *a = solo_action(s, GP_MSG_SUSPICION, SOLO_ANY, 0);
    assert_int_equal(a->msg->u.suspicion.phase, 2);
    assert_int_equal(a->msg->u.suspicion.cause, GP_CAUSE_ONE_WAY);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    assert_int_equal(solo_entry(s, 4)->ruled_cause, GP_CAUSE_ONE_WAY);
    solo_free(s);
}

static void test_confirmations_that_do_not_count(void **state)
{
    (void)state;
    solo_t *s = suspecting(8, 4);
    uint32_t stranger = 1;
    while ((solo_entry(s, 4)->asked >> solo_entry(s, stranger)->slot & 1) != 0 || stranger == 4) {
        stranger++;
    }
    confirm(s, stranger, 4, GP_CAUSE_SILENT); /* was not asked */
    gp_msg_t msg = {.kind = GP_MSG_CONFIRM};
    msg.u.confirm = (gp_msg_confirm_t){.group = SOLO_GROUP,
                                       .target = solo_id(4),
                                       .incarnation = solo_incarnation(4),
                                       .round = solo_entry(s, 4)->round - 1,
                                       .cause = GP_CAUSE_SILENT};
    solo_message(s, asked(s, 4, 0), &msg); /* an answer to an earlier question */
    assert_int_equal(solo_entry(s, 4)->silent, 0);
    confirm(s, 4, 4, GP_CAUSE_ANSWERS); /* about itself: a word of it all the same */
    assert_false(solo_entry(s, 4)->suspected);
    solo_free(s);
}

static void test_no_verdict_without_a_fresh_lease(void **state)
{
    (void)state;
    solo_t *s = suspecting(8, 4);
    confirm(s, asked(s, 4, 0), 4, GP_CAUSE_SILENT);
    gp_usec_t end = s->core->leader.lease_until;
    while (s->now < end + 2 * GP_SECOND) { /* the lease is not renewed any more */
        gp_usec_t wake = gp_group_ops.wake(s->core);
        s->now = wake > s->now ? wake : s->now;
        solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
        for (uint32_t i = 1; i <= 8; i++) {
            if (i != 4 && solo_entry(s, i)->sent_at != 0) {
                solo_answer(s, i);
            }
        }
        assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    }
    solo_lease(s);
    assert_true(run_with_silent(s, 2 * GP_SECOND, 4, GP_MSG_SUSPICION));
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_UNAVAILABLE);
    solo_free(s);
}

static void test_a_caretaker_does_not_know(void **state)
{
    (void)state;
    solo_t *s = solo_leading(8);
    solo_leader(s, 0, 1, 1, GP_RIGHT_CARETAKER);
    assert_true(run_with_silent(s, 2 * GP_SECOND, 4, GP_MSG_SUSPICION));
    assert_true(run_with_silent(s, 2 * GP_SECOND, 4, GP_MSG_SUSPICION));
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_UNKNOWN);
    assert_int_equal(solo_entry(s, 4)->ruled_cause, GP_CAUSE_NO_QUORUM);
    solo_free(s);
}

static void test_many_at_once(void **state)
{
    (void)state;
    solo_t *s = solo_leading(8);
    gp_usec_t end = s->now + 2500 * GP_MSEC;
    while (s->now < end) { /* 1 .. 4 of nine fall silent; the others say so */
        gp_usec_t wake = gp_group_ops.wake(s->core);
        s->now = wake > s->now ? wake : s->now;
        solo_lease(s);
        solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
        for (uint32_t i = 5; i <= 8; i++) {
            if (solo_entry(s, i)->sent_at != 0) {
                solo_answer(s, i);
            }
        }
        for (uint32_t i = 1; i <= 4; i++) {
            uint32_t by = asked(s, i, 0);
            if (solo_entry(s, i)->suspected && by != SOLO_ANY && by > 4) {
                confirm(s, by, i, GP_CAUSE_SILENT);
            }
        }
    }
    for (uint32_t i = 1; i <= 4; i++) {
        assert_int_equal(solo_entry(s, i)->ruled_state, GP_MEMBER_UNKNOWN);
        assert_int_equal(solo_entry(s, i)->ruled_cause, GP_CAUSE_MANY_AT_ONCE);
    }
    solo_answer(s, 2);
    assert_int_equal(solo_entry(s, 2)->ruled_state, GP_MEMBER_ALIVE);
    solo_free(s);
}

static void test_a_late_observer_drops_its_suspicions(void **state)
{
    (void)state;
    solo_t *s = suspecting(8, 4);
    confirm(s, asked(s, 4, 0), 4, GP_CAUSE_SILENT);
    s->now = solo_entry(s, 4)->window_at + 700 * GP_MSEC; /* it stood still */
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    const gp_action_t *a = solo_action(s, GP_MSG_LATE, SOLO_ANY, 0);
    assert_non_null(a);
    assert_true(a->msg->u.late.late_ms >= 600);
    assert_true(a->msg->u.late.health < 1000);
    a = solo_action(s, GP_MSG_SUSPICION, SOLO_ANY, 0);
    assert_int_equal(a->msg->u.suspicion.phase, 5);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    assert_false(solo_entry(s, 4)->suspected);
    solo_free(s);
}

static void test_a_machine_that_slept_presents_itself(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    s->now = gp_group_ops.wake(s->core) + 2 * GP_SECOND;
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_non_null(solo_action(s, GP_MSG_LATE, SOLO_ANY, 0));
    assert_non_null(solo_action(s, GP_MSG_SEEK, 1, 0));
    solo_free(s);
}

static void test_a_little_late_moves_the_deadlines(void **state)
{
    (void)state;
    solo_t *s = suspecting(8, 4);
    confirm(s, asked(s, 4, 0), 4, GP_CAUSE_SILENT);
    gp_usec_t window = solo_entry(s, 4)->window_at;
    solo_lease(s);
    for (uint32_t i = 1; i <= 8; i++) {
        solo_entry(s, i)->due_at = 0;
    }
    s->core->wake_at = window; /* the next thing it waits for */
    s->now = window + 100 * GP_MSEC;
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_null(solo_action(s, GP_MSG_LATE, SOLO_ANY, 0));
    assert_true(solo_entry(s, 4)->suspected); /* its answer may lie unread in the queue */
    assert_true(solo_entry(s, 4)->window_at > s->now);
    solo_answer(s, 4);
    assert_false(solo_entry(s, 4)->suspected);
    solo_free(s);
}

static void test_the_deputy_tells_the_leader(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    solo_leader(s, 1, 0, 1, GP_RIGHT_QUORUM); /* now this machine is the deputy */
    assert_true(run_with_silent(s, 3 * GP_SECOND, 4, GP_MSG_SUSPICION));
    assert_non_null(solo_action(s, GP_MSG_SUSPECT, 1, 0));
    assert_non_null(solo_action(s, GP_MSG_SUSPECT, 4, 0));
    assert_false(run_with_silent(s, 3 * GP_SECOND, 4, GP_MSG_SUSPICION)); /* but judges nobody */
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_ALIVE);
    assert_true(run_with_silent(s, 2 * GP_SECOND, 4, GP_MSG_SUSPICION)); /* forgets, in the end */
    const gp_action_t *a = solo_action(s, GP_MSG_SUSPICION, SOLO_ANY, 0);
    assert_int_equal(a->msg->u.suspicion.phase, 5);
    solo_free(s);
}

static void test_a_suspect_that_somebody_else_doubts(void **state)
{
    (void)state;
    solo_t *s = solo_leading(8);
    gp_msg_t msg = {.kind = GP_MSG_SUSPECT};
    msg.u.suspect = (gp_msg_suspect_t){
        .group = SOLO_GROUP, .target = solo_id(4), .incarnation = solo_incarnation(4)};
    solo_message(s, 1, &msg);
    assert_non_null(solo_action(s, GP_MSG_PROBE, 4, 0));
    assert_false(solo_entry(s, 4)->suspected); /* the leader asks first */
    gp_usec_t from = s->now;
    assert_true(run_with_silent(s, GP_SECOND, 4, GP_MSG_SUSPICION));
    assert_true(s->now - from <= s->config.beat_timeout / 2 + GP_MSEC);
    solo_free(s);
    s = solo_leading(8);
    msg.u.suspect.incarnation--; /* of an earlier life */
    solo_message(s, 1, &msg);
    assert_int_equal(s->out.count, 0);
    solo_free(s);
}

static void test_being_suspected(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    gp_msg_t msg = {.kind = GP_MSG_SUSPECT};
    msg.u.suspect = (gp_msg_suspect_t){
        .group = SOLO_GROUP, .target = solo_id(0), .incarnation = gp_group_incarnation(s->core)};
    solo_message(s, 2, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_REFUTE, 2, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.refute.incarnation, gp_group_incarnation(s->core));
    solo_free(s);
}

static gp_msg_t ask(uint32_t target, uint64_t incarnation)
{
    gp_msg_t msg = {.kind = GP_MSG_CONFIRM_ASK};
    msg.u.confirm_ask = (gp_msg_confirm_ask_t){
        .group = SOLO_GROUP, .target = solo_id(target), .incarnation = incarnation, .round = 9};
    return msg;
}

static gp_cause_t confirmed(const solo_t *s)
{
    const gp_action_t *a = solo_action(s, GP_MSG_CONFIRM, 1, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.confirm.round, 9);
    return (gp_cause_t)a->msg->u.confirm.cause;
}

static void test_confirming(void **state)
{
    (void)state;
    gp_msg_t msg = ask(4, solo_incarnation(4));
    solo_t *s = solo_following(5);
    solo_message(s, 1, &msg);
    assert_non_null(solo_action(s, GP_MSG_PROBE, 4, 0));
    assert_non_null(solo_plain(s, GP_ACTION_DIAL, 4));
    solo_answer(s, 4);
    assert_int_equal(confirmed(s), GP_CAUSE_ANSWERS);
    solo_message(s, 1, &msg);
    gp_usec_t from = s->now;
    assert_true(solo_run_to(s, GP_SECOND, GP_MSG_CONFIRM));
    assert_int_equal(confirmed(s), GP_CAUSE_SILENT);
    assert_true(s->now - from <= s->config.beat_timeout);
    solo_message(s, 1, &msg);
    solo_entry(s, 4)->dial = GP_GROUP_DIAL_SECOND;
    solo_dialed(s, 4, GP_DIAL_REFUSED);
    assert_int_equal(confirmed(s), GP_CAUSE_REFUSED);
    solo_message(s, 1, &msg); /* known already: said at once */
    assert_int_equal(confirmed(s), GP_CAUSE_REFUSED);
    msg = ask(5, solo_incarnation(5) - 1);
    solo_message(s, 1, &msg); /* that life is over */
    assert_int_equal(confirmed(s), GP_CAUSE_ANSWERS);
    msg = ask(0, solo_incarnation(0));
    solo_message(s, 1, &msg);
    assert_null(solo_action(s, GP_MSG_CONFIRM, SOLO_ANY, 0)); /* about itself: no answer needed */
    msg = ask(60, 1);
    solo_message(s, 1, &msg);
    assert_int_equal(s->out.count, 0);
    solo_free(s);
}

static void test_confirmers_are_chosen_by_hash(void **state)
{
    (void)state;
    solo_t *s = solo_leading(20);
    uint64_t all = 0;
    for (uint32_t round = 1; round < 40; round++) {
        solo_entry(s, 7)->round = round;
        uint64_t chosen = gp_group_choose_confirmers(s->core, solo_entry(s, 7), 3, 0);
        assert_int_equal(chosen, gp_group_choose_confirmers(s->core, solo_entry(s, 7), 3, 0));
        assert_int_equal(chosen >> solo_entry(s, 7)->slot & 1, 0);
        assert_int_equal(chosen >> solo_entry(s, 0)->slot & 1, 0);
        assert_int_equal(chosen & gp_group_choose_confirmers(s->core, solo_entry(s, 7), 3, chosen),
                         0);
        all |= chosen;
    }
    uint32_t bits = 0;
    for (; all != 0; all &= all - 1) {
        bits++;
    }
    assert_true(bits > 15); /* the work is spread */
    solo_free(s);
}

static void test_times_beyond_their_fields(void **state)
{
    (void)state;
    solo_t *s = suspecting(8, 4);
    s->now += UINT64_C(50) * 24 * 3600 * GP_SECOND; /* 2^32 ms are 49.7 days */
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    const gp_action_t *a = solo_action(s, GP_MSG_SUSPICION, SOLO_ANY, 0);
    assert_int_equal(a->msg->u.suspicion.phase, 5);
    assert_int_equal(a->msg->u.suspicion.after_ms, UINT32_MAX);
    a = solo_action(s, GP_MSG_LATE, SOLO_ANY, 0);
    assert_int_equal(a->msg->u.late.late_ms, UINT32_MAX);
    solo_free(s);
}

static void test_a_confirmer_that_is_late_waits_on(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    gp_msg_t msg = ask(4, solo_incarnation(4));
    solo_message(s, 1, &msg);
    gp_usec_t due = solo_entry(s, 4)->ask_due;
    s->core->wake_at = due;
    s->now = due + 100 * GP_MSEC;
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_null(solo_action(s, GP_MSG_CONFIRM, SOLO_ANY, 0));
    assert_true(solo_entry(s, 4)->ask_due > s->now);
    solo_answer(s, 4);
    assert_int_equal(confirmed(s), GP_CAUSE_ANSWERS);
    solo_free(s);
}

/* It knows a life that ended here; the question is about a later one. */
static void test_evidence_of_an_earlier_life_confirms_nothing(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    assert_true(gp_group_evidence_add(s->core, solo_entry(s, 4), solo_entry(s, 0)->slot,
                                      solo_incarnation(4)));
    gp_msg_t msg = ask(4, UINT64_C(2) << 16);
    solo_message(s, 1, &msg);
    assert_null(solo_action(s, GP_MSG_CONFIRM, SOLO_ANY, 0));
    assert_non_null(solo_action(s, GP_MSG_PROBE, 4, 0));
    msg = ask(4, solo_incarnation(4));
    solo_message(s, 1, &msg);
    assert_int_equal(confirmed(s), GP_CAUSE_REFUSED);
    solo_free(s);
}

static void test_strangers_are_not_listened_to(void **state)
{
    (void)state;
    solo_t *s = solo_leading(5);
    solo_hearsay(s, 30);
    gp_msg_t msg = {.kind = GP_MSG_SUSPECT};
    msg.u.suspect = (gp_msg_suspect_t){
        .group = SOLO_GROUP, .target = solo_id(3), .incarnation = solo_incarnation(3)};
    solo_entry(s, 3)->due_at = 0;
    solo_message(s, 60, &msg);
    assert_null(solo_action(s, GP_MSG_PROBE, 3, 0));
    solo_message(s, 30, &msg); /* known, but no member */
    assert_null(solo_action(s, GP_MSG_PROBE, 3, 0));
    solo_message(s, 2, &msg);
    assert_non_null(solo_action(s, GP_MSG_PROBE, 3, 0));
    msg = ask(3, solo_incarnation(3));
    solo_message(s, 60, &msg);
    assert_int_equal(solo_entry(s, 3)->ask_due, 0);
    confirm(s, 60, 3, GP_CAUSE_REFUSED);
    assert_int_equal(solo_entry(s, 3)->evidence_at, 0);
    confirm(s, 2, 3, GP_CAUSE_REFUSED);
    assert_int_not_equal(solo_entry(s, 3)->evidence_at, 0);
    solo_free(s);
}

static void test_who_goes_denies_nothing(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    gp_msg_t msg = {.kind = GP_MSG_GROUP_LEAVE};
    solo_command(s, &msg);
    msg = (gp_msg_t){.kind = GP_MSG_SUSPECT};
    msg.u.suspect = (gp_msg_suspect_t){
        .group = SOLO_GROUP, .target = solo_id(0), .incarnation = gp_group_incarnation(s->core)};
    solo_message(s, 2, &msg);
    assert_null(solo_action(s, GP_MSG_REFUTE, SOLO_ANY, 0));
    solo_free(s);
}

/* The last word comes in the very moment in which the window ends. */
static void test_a_word_at_the_end_of_the_window_counts(void **state)
{
    (void)state;
    solo_t *s = suspecting(8, 4);
    s->now += GP_MSEC;
    solo_lease(s);
    for (uint32_t i = 1; i <= 8; i++) {
        solo_entry(s, i)->due_at = 0;
    }
    s->now = solo_entry(s, 4)->window_at;
    s->core->wake_at = s->now;
    confirm(s, asked(s, 4, 0), 4, GP_CAUSE_SILENT);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_UNAVAILABLE);
    const gp_action_t *a = solo_action(s, GP_MSG_SUSPICION, 4, 0);
    assert_int_equal(a->msg->u.suspicion.phase, 3);
    assert_null(solo_action(s, GP_MSG_SUSPICION, 4, 1)); /* one verdict */
    solo_free(s);
}

static void test_a_suspect_that_leaves(void **state)
{
    (void)state;
    solo_t *s = suspecting(8, 4);
    gp_msg_t msg = {.kind = GP_MSG_LEAVE};
    msg.u.leave.group = SOLO_GROUP;
    msg.u.leave.incarnation = solo_incarnation(4);
    solo_message(s, 4, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_SUSPICION, 4, 0);
    assert_int_equal(a->msg->u.suspicion.phase, 2);
    assert_int_equal(a->msg->u.suspicion.cause, GP_CAUSE_STOPPED);
    assert_false(solo_entry(s, 4)->suspected);
    assert_int_equal(solo_entry(s, 4)->ruled_state, GP_MEMBER_LEFT);
    solo_free(s);
}

/* Who was of many that fell at once, and is tested again, makes no new event of many. */
static void test_those_of_an_earlier_event_do_not_count_again(void **state)
{
    (void)state;
    solo_t *s = solo_leading(8);
    for (uint32_t i = 3; i <= 6; i++) {
        gp_group_rule(s->core, solo_entry(s, i), GP_MEMBER_UNKNOWN, GP_CAUSE_MANY_AT_ONCE);
        solo_entry(s, i)->ruled_at = s->now - s->config.many_hold;
    }
    for (uint32_t i = 2; i <= 6; i++) {
        gp_group_unanswered(s->core, solo_entry(s, i), &s->out);
        assert_true(solo_entry(s, i)->suspected);
    }
    assert_true(solo_entry(s, 3)->many_passed && !solo_entry(s, 2)->many_passed);
    s->now += GP_MSEC;
    solo_lease(s);
    for (uint32_t i = 1; i <= 8; i++) {
        solo_entry(s, i)->due_at = 0;
    }
    confirm(s, asked(s, 2, 0), 2, GP_CAUSE_SILENT);
    s->now = solo_entry(s, 2)->window_at;
    s->core->wake_at = s->now;
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_int_equal(solo_entry(s, 2)->ruled_state, GP_MEMBER_UNAVAILABLE);
    assert_int_equal(solo_entry(s, 2)->ruled_cause, GP_CAUSE_SILENT);
    solo_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence_opens_a_suspicion),
        cmocka_unit_test(test_a_silent_word_and_a_window_make_a_verdict),
        cmocka_unit_test(test_trouble_that_shows_later_stretches_the_window),
        cmocka_unit_test(test_nobody_confirms),
        cmocka_unit_test(test_any_word_of_it_clears),
        cmocka_unit_test(test_a_word_of_an_earlier_life_does_not),
        cmocka_unit_test(test_one_way),
        cmocka_unit_test(test_confirmations_that_do_not_count),
        cmocka_unit_test(test_no_verdict_without_a_fresh_lease),
        cmocka_unit_test(test_a_caretaker_does_not_know),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_a_late_observer_drops_its_suspicions),
        cmocka_unit_test(test_a_machine_that_slept_presents_itself),
        cmocka_unit_test(test_a_little_late_moves_the_deadlines),
        cmocka_unit_test(test_the_deputy_tells_the_leader),
        cmocka_unit_test(test_a_suspect_that_somebody_else_doubts),
        cmocka_unit_test(test_being_suspected),
        cmocka_unit_test(test_confirming),
        cmocka_unit_test(test_confirmers_are_chosen_by_hash),
        cmocka_unit_test(test_times_beyond_their_fields),
        cmocka_unit_test(test_a_confirmer_that_is_late_waits_on),
        cmocka_unit_test(test_evidence_of_an_earlier_life_confirms_nothing),
        cmocka_unit_test(test_strangers_are_not_listened_to),
        cmocka_unit_test(test_who_goes_denies_nothing),
        cmocka_unit_test(test_a_word_at_the_end_of_the_window_counts),
        cmocka_unit_test(test_a_suspect_that_leaves),
        cmocka_unit_test(test_those_of_an_earlier_event_do_not_count_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
