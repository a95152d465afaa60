/* The election's news: taking the lead, following, losing the leader; refuting; leaving. */
#include "tests/unit/overlay_solo.h"
#include "tests/unit/proto_cmocka.h"

static void test_founder(void **state)
{
    (void)state;
    solo_t *s = solo_started(0);
    solo_leader(s, 0, SOLO_ANY, 1, GP_RIGHT_QUORUM);
    assert_int_equal(gp_group_living(s->core), 1);
    assert_int_equal(gp_group_view_number(s->core), 1);
    assert_null(solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0)); /* nobody to tell */
    const gp_action_t *a = solo_action(s, GP_MSG_MEMBER, SOLO_ANY, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.member.entries[0].state, GP_MEMBER_ALIVE);
    assert_int_equal(a->msg->u.member.entries[0].incarnation, gp_group_incarnation(s->core));
    solo_free(s);
}

static void test_news_before_the_start(void **state)
{
    (void)state;
    solo_t *s = solo_new(2);
    solo_leader(s, 0, SOLO_ANY, 1, GP_RIGHT_QUORUM);
    assert_true(s->core->leading);
    solo_event(s, (gp_event_t){.type = GP_EVENT_START});
    assert_true(s->core->leading);
    assert_int_equal(gp_group_view_term(s->core), 1);
    solo_free(s);
}

static void test_a_new_leader_goes_on_from_its_own_table(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    gp_group_entry_t *m = solo_entry(s, 4);
    gp_msg_t leave = {.kind = GP_MSG_LEAVE};
    leave.u.leave.group = SOLO_GROUP;
    leave.u.leave.incarnation = solo_incarnation(4);
    solo_message(s, 4, &leave); /* it said goodbye; the old leader can't tell any more */
    assert_int_equal(m->ruled_state, GP_MEMBER_ALIVE);
    solo_leader(s, 0, 2, 2, GP_RIGHT_QUORUM);
    assert_int_equal(m->ruled_state, GP_MEMBER_LEFT);
    assert_int_equal(gp_group_view_term(s->core), 2);
    assert_int_equal(gp_group_view_number(s->core), 8);
    const gp_action_t *a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_non_null(a);
    assert_false(a->msg->u.view.full);
    assert_int_equal(a->msg->u.view.entries_count, 1);
    assert_true(solo_run_to(s, GP_SECOND, GP_MSG_BEAT));
    solo_free(s);
}

static void test_the_last_leader_is_asked_first(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    s->now += 4 * GP_SECOND;
    solo_leader(s, SOLO_ANY, SOLO_ANY, 1, GP_RIGHT_NONE);
    solo_leader(s, 0, 2, 2, GP_RIGHT_QUORUM);
    assert_non_null(solo_action(s, GP_MSG_PROBE, 1, 0));
    assert_null(solo_action(s, GP_MSG_PROBE, 3, 0));
    solo_free(s);
}

static void test_the_same_news_again(void **state)
{
    (void)state;
    solo_t *s = solo_leading(4);
    uint32_t number = gp_group_view_number(s->core);
    solo_lease(s);
    solo_lease(s);
    assert_int_equal(gp_group_view_number(s->core), number);
    assert_null(solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0));
    solo_leader(s, 0, 3, 1, GP_RIGHT_QUORUM); /* another deputy: all hear of it */
    const gp_action_t *a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    gp_id_t three = solo_id(3);
    assert_non_null(a);
    assert_true(gp_id_equal(&a->msg->u.view.deputy, &three));
    assert_int_equal(a->msg->u.view.entries_count, 0);
    assert_non_null(solo_plain(s, GP_ACTION_LINK, 3));
    solo_free(s);
}

static void test_losing_the_lead(void **state)
{
    (void)state;
    solo_t *s = solo_leading(4);
    gp_group_rule(s->core, solo_entry(s, 2), GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT);
    solo_leader(s, SOLO_ANY, SOLO_ANY, 1, GP_RIGHT_NONE); /* before the view went out */
    assert_false(s->core->leading);
    assert_null(solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0));
    assert_false(solo_run_to(s, 90 * GP_MSEC, GP_MSG_BEAT));
    assert_true(solo_run_to(s, GP_SECOND, GP_MSG_SEEK));
    solo_free(s);
}

static void test_alone_one_believes_ones_ears(void **state)
{
    (void)state;
    solo_t *s = solo_following(4);
    solo_leader(s, SOLO_ANY, SOLO_ANY, 1, GP_RIGHT_NONE);
    assert_int_equal(solo_entry(s, 3)->shown.state, GP_MEMBER_ALIVE); /* a moment is nothing */
    gp_usec_t end = s->now + 5 * GP_SECOND;
    while (s->now < end) {
        solo_run_to(s, GP_SECOND, GP_MSG_PROBE);
        if (solo_entry(s, 2)->sent_at != 0) {
            solo_answer(s, 2);
        }
    }
    assert_int_equal(solo_entry(s, 2)->shown.state, GP_MEMBER_ALIVE);
    assert_int_equal(solo_entry(s, 3)->shown.state, GP_MEMBER_UNKNOWN);
    assert_int_equal(solo_entry(s, 3)->shown.cause, GP_CAUSE_NO_LEADER);
    assert_int_equal(solo_entry(s, 3)->ruled_state, GP_MEMBER_ALIVE); /* the last word stands */
    assert_int_equal(solo_entry(s, 0)->shown.state, GP_MEMBER_ALIVE);
    solo_free(s);
}

static void assert_shown(const gp_group_entry_t *m, gp_member_state_t state, gp_cause_t cause)
{
    assert_int_equal(m->shown.state, state);
    assert_int_equal(m->shown.cause, cause);
}

/* Who leads without a majority takes back the verdicts of the one before, in its first view. */
static void test_a_caretaker_takes_verdicts_back(void **state)
{
    (void)state;
    solo_t *s = solo_leading(4);
    gp_group_entry_t *m = solo_entry(s, 2);
    gp_group_rule(s->core, m, GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT);
    solo_run(s, s->now + GP_SECOND / 2);
    assert_shown(m, GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT);
    solo_leader(s, SOLO_ANY, SOLO_ANY, 1, GP_RIGHT_NONE);
    assert_shown(m, GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT); /* the next one may come at once */
    solo_leader(s, 0, SOLO_ANY, 1, GP_RIGHT_CARETAKER);
    assert_shown(m, GP_MEMBER_UNKNOWN, GP_CAUSE_NO_QUORUM);
    const gp_action_t *a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.view.entries[0].state, GP_MEMBER_UNKNOWN);
    gp_group_ops.check(s->core);
    solo_free(s);
}

/* Whoever was heard after the last leader called it silent is not silent to the next one. */
static void test_a_new_leader_believes_its_ears_too(void **state)
{
    (void)state;
    for (int heard = 0; heard < 2; heard++) {
        for (int refused = 0; refused < 2; refused++) {
            solo_t *s = solo_following(4);
            gp_group_entry_t *m = solo_entry(s, 3);
            gp_cause_t cause = refused == 1 ? GP_CAUSE_REFUSED : GP_CAUSE_SILENT;
            gp_group_rule(s->core, m, GP_MEMBER_UNAVAILABLE, cause);
            solo_run(s, s->now + GP_SECOND / 2);
            if (heard == 1) {
                gp_msg_t probe = {.kind = GP_MSG_PROBE};
                probe.u.probe.group = SOLO_GROUP;
                solo_message(s, 3, &probe);
            }
            solo_leader(s, 0, 2, 2, GP_RIGHT_QUORUM);
            bool alive =
                heard == 1 && refused == 0; /* what came late may be of a process that is gone */
            assert_int_equal(m->shown.state, alive ? GP_MEMBER_ALIVE : GP_MEMBER_UNAVAILABLE);
            solo_free(s);
        }
    }
}

static void test_verdicts_end_with_the_majority(void **state)
{
    (void)state;
    for (int caretaker = 0; caretaker < 2; caretaker++) {
        solo_t *s = solo_following(4);
        gp_group_entry_t *m = solo_entry(s, 3);
        gp_group_rule(s->core, m, GP_MEMBER_UNAVAILABLE, GP_CAUSE_REFUSED);
        solo_run(s, s->now + GP_MSEC);
        solo_link(s, 4, true);
        assert_shown(m, GP_MEMBER_UNAVAILABLE, GP_CAUSE_REFUSED);
        if (caretaker == 1) { /* before its first view has come */
            solo_leader(s, 2, SOLO_ANY, 1, GP_RIGHT_CARETAKER);
            assert_shown(m, GP_MEMBER_UNKNOWN, GP_CAUSE_NO_QUORUM);
        } else {
            solo_leader(s, SOLO_ANY, SOLO_ANY, 1, GP_RIGHT_NONE);
            solo_run(s, s->now + 3 * GP_SECOND);
            assert_shown(m, GP_MEMBER_UNKNOWN, GP_CAUSE_NO_LEADER);
        }
        gp_group_ops.check(s->core);
        solo_free(s);
    }
}

static void test_a_suspicion_outlives_the_leader(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    solo_leader(s, 1, 0, 1, GP_RIGHT_QUORUM); /* this machine is the deputy */
    gp_usec_t end = s->now + 2 * GP_SECOND;
    while (s->now < end && !solo_entry(s, 1)->suspected) {
        solo_run_to(s, 100 * GP_MSEC, GP_MSG_SUSPICION);
        for (uint32_t i = 2; i <= 5; i++) {
            solo_answer(s, i);
        }
    }
    assert_true(solo_entry(s, 1)->suspected); /* the leader is frozen */
    solo_leader(s, SOLO_ANY, SOLO_ANY, 1, GP_RIGHT_NONE);
    assert_int_equal(solo_entry(s, 1)->shown.state, GP_MEMBER_SUSPECT);
    assert_true(solo_run_to(s, 1200 * GP_MSEC, GP_MSG_STANDINGS));
    const gp_action_t *a = solo_action(s, GP_MSG_STANDINGS, SOLO_ANY, 0);
    assert_false(a->msg->u.standings.members[1].reached);
    solo_leader(s, 0, 2, 2, GP_RIGHT_QUORUM);
    assert_true(solo_entry(s, 1)->suspected);
    assert_non_null(solo_action(s, GP_MSG_CONFIRM_ASK, SOLO_ANY, 2)); /* at once */
    solo_free(s);
    s = solo_following(5);
    gp_out_reset(&s->out);
    gp_group_unanswered(s->core, solo_entry(s, 4), &s->out);
    solo_leader(s, 3, 2, 2, GP_RIGHT_QUORUM); /* another leads: it is told */
    assert_non_null(solo_action(s, GP_MSG_SUSPECT, 3, 0));
    solo_free(s);
}

static void test_a_refused_leader_is_suspect(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    solo_entry(s, 1)->dial = GP_GROUP_DIAL_SECOND;
    solo_entry(s, 1)->dial_incarnation = solo_incarnation(1);
    solo_dialed(s, 1, GP_DIAL_REFUSED);
    assert_non_null(solo_action(s, GP_MSG_GONE, SOLO_ANY, 0));
    solo_leader(s, SOLO_ANY, SOLO_ANY, 1, GP_RIGHT_NONE);
    assert_int_equal(solo_entry(s, 1)->shown.state, GP_MEMBER_SUSPECT);
    assert_int_equal(solo_entry(s, 1)->shown.cause, GP_CAUSE_REFUSED);
    solo_run(s, s->now + 4 * GP_SECOND);
    assert_int_equal(solo_entry(s, 1)->shown.state, GP_MEMBER_UNKNOWN); /* nobody may say more */
    solo_free(s);
}

static void test_refuting(void **state)
{
    (void)state;
    static const gp_member_state_t states[] = {GP_MEMBER_UNAVAILABLE, GP_MEMBER_UNKNOWN,
                                               GP_MEMBER_LEFT};
    for (int i = 0; i < 3; i++) {
        solo_t *s = solo_following(4);
        uint64_t before = gp_group_incarnation(s->core);
        gp_msg_t msg = {.kind = GP_MSG_VIEW};
        msg.u.view = (gp_msg_view_t){.group = SOLO_GROUP, .term = 1, .number = 8};
        msg.u.view.entries[msg.u.view.entries_count++] = solo_record(0, states[i]);
        solo_message(s, 1, &msg);
        const gp_action_t *a = solo_action(s, GP_MSG_REFUTE, 1, 0);
        assert_non_null(a);
        assert_int_equal(a->msg->u.refute.incarnation, before + 1);
        assert_int_equal(gp_group_incarnation(s->core), before + 1);
        assert_int_equal(solo_entry(s, 0)->shown.state, GP_MEMBER_ALIVE); /* it knows better */
        assert_true(solo_run_to(s, 200 * GP_MSEC, GP_MSG_SEEK));          /* and insists */
        solo_free(s);
    }
}

static void test_an_incarnation_from_the_future(void **state)
{
    (void)state;
    solo_t *s = solo_following(4);
    gp_msg_t msg = {.kind = GP_MSG_VIEW};
    msg.u.view = (gp_msg_view_t){.group = SOLO_GROUP, .term = 1, .number = 8};
    msg.u.view.entries[msg.u.view.entries_count++] = solo_record(0, GP_MEMBER_ALIVE);
    msg.u.view.entries[0].incarnation = UINT64_C(9) << 16; /* the boot epoch here went back */
    solo_message(s, 1, &msg);
    assert_int_equal(gp_group_incarnation(s->core), (UINT64_C(9) << 16) + 1);
    msg.u.view.number = 9;
    msg.u.view.entries[0].incarnation = UINT64_MAX; /* a leader that lies: no overflow */
    solo_message(s, 1, &msg);
    assert_null(solo_action(s, GP_MSG_REFUTE, 1, 0));
    assert_int_equal(gp_group_incarnation(s->core), (UINT64_C(9) << 16) + 1);
    solo_free(s);
}

static void test_a_refutation_at_the_leader(void **state)
{
    (void)state;
    solo_t *s = solo_leading(4);
    gp_group_rule(s->core, solo_entry(s, 2), GP_MEMBER_UNAVAILABLE, GP_CAUSE_REFUSED);
    gp_msg_t msg = {.kind = GP_MSG_REFUTE};
    msg.u.refute.group = SOLO_GROUP;
    msg.u.refute.incarnation = solo_incarnation(2);
    solo_message(s, 2, &msg); /* as it was: may have been in flight when it died */
    assert_int_equal(solo_entry(s, 2)->ruled_state, GP_MEMBER_UNAVAILABLE);
    msg.u.refute.incarnation++;
    solo_message(s, 2, &msg);
    assert_int_equal(solo_entry(s, 2)->ruled_state, GP_MEMBER_ALIVE);
    assert_int_equal(solo_entry(s, 2)->ruled_cause, GP_CAUSE_REFUTED);
    assert_int_equal(solo_entry(s, 2)->shown.incarnation, solo_incarnation(2) + 1);
    solo_free(s);
}

/* ---- leaving --------------------------------------------------------------------------------- */

static gp_msg_t leave_command(bool forever)
{
    gp_msg_t msg = {.kind = GP_MSG_GROUP_LEAVE};
    msg.u.group_leave.forever = forever;
    return msg;
}

static void test_leaving(void **state)
{
    (void)state;
    solo_t *s = solo_following(4);
    gp_msg_t msg = leave_command(true);
    solo_command(s, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_LEAVE, 1, 0);
    assert_non_null(a);
    assert_true(a->msg->u.leave.forever);
    assert_non_null(solo_action(s, GP_MSG_LEAVE, 2, 0)); /* the deputy too */
    assert_null(solo_action(s, GP_MSG_LEFT, SOLO_ANY, 0));
    gp_msg_t view = {.kind = GP_MSG_VIEW};
    view.u.view = (gp_msg_view_t){.group = SOLO_GROUP, .term = 1, .number = 8};
    view.u.view.entries[view.u.view.entries_count++] = solo_record(0, GP_MEMBER_LEFT);
    solo_message(s, 1, &view);
    a = solo_action(s, GP_MSG_LEFT, SOLO_ANY, 0);
    assert_non_null(a);
    assert_true(a->msg->u.left.forever);
    assert_null(solo_action(s, GP_MSG_REFUTE, SOLO_ANY, 0));
    assert_int_equal(solo_entry(s, 0)->shown.state, GP_MEMBER_LEFT);
    assert_int_equal(gp_group_ops.wake(s->core), GP_NEVER);
    solo_message(s, 1, &view);
    solo_command(s, &msg);
    assert_null(solo_action(s, GP_MSG_LEFT, SOLO_ANY, 0)); /* said once */
    solo_free(s);
}

static void test_leaving_has_a_limit(void **state)
{
    (void)state;
    solo_t *s = solo_following(4);
    gp_msg_t msg = leave_command(false);
    gp_usec_t from = s->now;
    solo_command(s, &msg);
    assert_true(solo_run_to(s, GP_SECOND, GP_MSG_LEAVE)); /* said again meanwhile */
    assert_true(solo_run_to(s, GP_SECOND, GP_MSG_LEFT));
    assert_int_equal(s->now - from, s->config.leave_limit);
    solo_free(s);
    s = solo_started(0); /* nobody to tell: at once */
    solo_command(s, &msg);
    assert_non_null(solo_action(s, GP_MSG_LEFT, SOLO_ANY, 0));
    solo_free(s);
}

/* Joined and gone in one breath: it seeks on until it knows whom to tell. */
static void test_leaving_before_anybody_leads(void **state)
{
    (void)state;
    solo_t *s = solo_started(4);
    gp_msg_t msg = leave_command(false);
    solo_command(s, &msg);
    assert_null(solo_action(s, GP_MSG_LEFT, SOLO_ANY, 0));
    assert_true(solo_run_to(s, 200 * GP_MSEC, GP_MSG_SEEK));
    solo_leader(s, 1, 2, 1, GP_RIGHT_QUORUM);
    assert_non_null(solo_action(s, GP_MSG_LEAVE, 1, 0));
    assert_true(solo_run_to(s, GP_SECOND, GP_MSG_LEFT));
    solo_free(s);
}

static void test_the_leader_leaves(void **state)
{
    (void)state;
    solo_t *s = solo_leading(4);
    gp_msg_t msg = leave_command(false);
    solo_command(s, &msg);
    uint32_t cast = 0;
    uint32_t left = 0;
    for (uint32_t i = 0; i < s->out.count; i++) {
        const gp_action_t *a = &s->out.actions[i];
        cast = a->type == GP_ACTION_CAST ? i + 1 : cast;
        left = a->msg != NULL && a->msg->kind == GP_MSG_LEFT ? i + 1 : left;
    }
    assert_true(cast > 0 && left > cast); /* told before it may stop */
    solo_free(s);
}

static void test_a_member_leaves(void **state)
{
    (void)state;
    solo_t *s = solo_leading(4);
    gp_msg_t msg = {.kind = GP_MSG_LEAVE};
    msg.u.leave.group = SOLO_GROUP;
    msg.u.leave.incarnation = solo_incarnation(3) - 1;
    solo_message(s, 3, &msg); /* of an earlier life */
    assert_int_equal(solo_entry(s, 3)->ruled_state, GP_MEMBER_ALIVE);
    msg.u.leave.incarnation++;
    solo_message(s, 3, &msg);
    assert_int_equal(solo_entry(s, 3)->ruled_state, GP_MEMBER_LEFT);
    assert_int_equal(solo_entry(s, 3)->ruled_cause, GP_CAUSE_STOPPED);
    const gp_action_t *a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_non_null(a);
    assert_int_equal(a->target_count, 4); /* the leaver too: it waits for this */
    gp_msg_t ack = {.kind = GP_MSG_BEAT_ACK};
    ack.u.beat_ack.group = SOLO_GROUP;
    ack.u.beat_ack.incarnation = solo_incarnation(3);
    solo_message(s, 3, &ack); /* was in flight */
    assert_int_equal(solo_entry(s, 3)->ruled_state, GP_MEMBER_LEFT);
    solo_link(s, 3, false);
    assert_null(solo_plain(s, GP_ACTION_DIAL, 3)); /* no evidence is wanted */
    ack.u.beat_ack.incarnation = UINT64_C(2) << 16;
    solo_message(s, 3, &ack); /* it has started again */
    assert_int_equal(solo_entry(s, 3)->ruled_state, GP_MEMBER_ALIVE);
    solo_message(s, 60, &msg); /* a stranger leaves */
    assert_null(solo_entry(s, 60));
    solo_free(s);
}

static gp_msg_t left_view(uint32_t times)
{
    gp_msg_t view = {.kind = GP_MSG_VIEW};
    view.u.view = (gp_msg_view_t){.group = SOLO_GROUP, .term = 1, .number = 8};
    for (uint32_t i = 0; i < times; i++) {
        view.u.view.entries[view.u.view.entries_count++] = solo_record(0, GP_MEMBER_LEFT);
    }
    return view;
}

static void test_who_has_left_is_told_so_once(void **state)
{
    (void)state;
    solo_t *s = solo_following(4);
    gp_msg_t msg = leave_command(false);
    solo_command(s, &msg);
    gp_msg_t view = left_view(2);
    solo_message(s, 1, &view);
    assert_non_null(solo_action(s, GP_MSG_LEFT, SOLO_ANY, 0));
    assert_null(solo_action(s, GP_MSG_LEFT, SOLO_ANY, 1));
    solo_leader(s, 2, 3, 2, GP_RIGHT_QUORUM); /* another leader need not hear of it from here */
    assert_null(solo_action(s, GP_MSG_LEAVE, SOLO_ANY, 0));
    solo_free(s);
}

/* The election may name it after all: it must not come back to life by that. */
static void test_who_goes_is_made_leader(void **state)
{
    (void)state;
    for (uint32_t forever = 0; forever < 2; forever++) {
        solo_t *s = solo_following(4);
        gp_msg_t msg = leave_command(forever == 1);
        solo_command(s, &msg);
        gp_msg_t view = left_view(1);
        solo_message(s, 1, &view);
        assert_true(s->core->left);
        solo_leader(s, 0, 2, 2, GP_RIGHT_QUORUM);
        assert_int_equal(solo_entry(s, 0)->ruled_state, GP_MEMBER_LEFT);
        assert_int_equal(solo_entry(s, 0)->ruled_cause,
                         forever == 1 ? GP_CAUSE_LEFT : GP_CAUSE_STOPPED);
        solo_free(s);
    }
    solo_t *s = solo_following(4);
    gp_msg_t msg = leave_command(false);
    solo_command(s, &msg);
    assert_false(s->core->left);
    solo_leader(s, 0, 2, 2, GP_RIGHT_QUORUM);
    solo_run(s, s->now + s->config.leave_limit);
    assert_true(s->core->left);
    assert_int_equal(solo_entry(s, 0)->ruled_state, GP_MEMBER_LEFT);
    solo_free(s);
}

static void test_the_only_one_leaves(void **state)
{
    (void)state;
    solo_t *s = solo_started(0);
    solo_leader(s, 0, SOLO_ANY, 1, GP_RIGHT_QUORUM);
    gp_msg_t msg = leave_command(true);
    solo_command(s, &msg);
    assert_non_null(solo_action(s, GP_MSG_LEFT, SOLO_ANY, 0));
    assert_int_equal(solo_entry(s, 0)->ruled_state, GP_MEMBER_LEFT);
    assert_int_equal(solo_entry(s, 0)->ruled_cause, GP_CAUSE_LEFT);
    solo_free(s);
}

/* Long after it has left it may still run: what it holds must stay in order. */
static void test_a_leader_that_left_does_not_forget_itself(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    gp_msg_t msg = leave_command(false);
    solo_command(s, &msg);
    assert_true(s->core->left);
    s->now += s->config.forget_stopped_after + s->config.ring_period;
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_int_equal(solo_entry(s, 0)->ruled_state, GP_MEMBER_LEFT);
    solo_free(s);
}

static void test_hearsay_leaves(void **state)
{
    (void)state;
    solo_t *s = solo_leading(4);
    solo_hearsay(s, 30);
    gp_msg_t msg = {.kind = GP_MSG_LEAVE};
    msg.u.leave.group = SOLO_GROUP;
    msg.u.leave.incarnation = solo_incarnation(30);
    solo_message(s, 30, &msg);
    assert_int_equal(solo_entry(s, 30)->ruled_state, GP_MEMBER_NONE);
    assert_null(solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0)); /* nobody knows it, nobody need hear */
    solo_free(s);
}

/* What the view of a new term says of this machine itself. */
static const gp_record_member_t *own_record(const solo_t *s)
{
    gp_id_t self = solo_id(0);
    const gp_action_t *a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_non_null(a);
    for (uint32_t i = 0; i < a->msg->u.view.entries_count; i++) {
        if (gp_id_equal(&a->msg->u.view.entries[i].id, &self)) {
            return &a->msg->u.view.entries[i];
        }
    }
    return NULL;
}

static void test_a_new_leader_names_itself(void **state)
{
    (void)state;
    solo_t *s = solo_following(4);
    gp_msg_t view = {.kind = GP_MSG_VIEW};
    view.u.view = (gp_msg_view_t){.group = SOLO_GROUP, .term = 1, .number = 9, .full = true};
    for (uint32_t i = 1; i <= 4; i++) { /* forgotten by its leader */
        view.u.view.entries[view.u.view.entries_count++] = solo_record(i, GP_MEMBER_ALIVE);
    }
    solo_message(s, 1, &view);
    assert_false(solo_entry(s, 0)->in_view);
    solo_leader(s, 0, 2, 2, GP_RIGHT_QUORUM);
    const gp_record_member_t *own = own_record(s);
    assert_non_null(own);
    assert_int_equal(own->state, GP_MEMBER_ALIVE);
    assert_true(gp_slice_equal(own->name, gp_text("n000")));
    solo_free(s);
}

static void test_what_was_to_be_told_is_told_in_the_next_term(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    gp_msg_t msg = {.kind = GP_MSG_GROUP_SELF};
    msg.u.group_self.flags = GP_FLAG_LEAVING;
    solo_command(s, &msg);
    msg.u.group_self.flags = GP_FLAG_RELAYED;
    solo_command(s, &msg); /* so soon after the last view it waits for the next */
    assert_true(s->core->pending && solo_entry(s, 0)->changed);
    solo_leader(s, 0, 1, 2, GP_RIGHT_QUORUM);
    const gp_record_member_t *own = own_record(s);
    assert_non_null(own);
    assert_int_equal(own->flags, GP_FLAG_RELAYED | GP_FLAG_SEEN);
    solo_free(s);
}

/* Number 0 is no view: what it said is not what the next leader will go on from. */
static void test_a_view_without_a_number_settles_nothing(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < 2; number++) {
        solo_t *s = solo_following(3);
        solo_leader(s, 1, 2, 2, GP_RIGHT_QUORUM);
        gp_msg_t view = {.kind = GP_MSG_VIEW};
        view.u.view =
            (gp_msg_view_t){.group = SOLO_GROUP, .term = 2, .number = number, .full = true};
        for (uint32_t i = 0; i <= 3; i++) {
            view.u.view.entries[view.u.view.entries_count++] = solo_record(i, GP_MEMBER_ALIVE);
        }
        solo_message(s, 1, &view);
        assert_int_equal(gp_group_view_number(s->core), number);
        solo_leader(s, 2, 1, 3, GP_RIGHT_QUORUM);
        assert_true((solo_action(s, GP_MSG_VIEW_PULL, 2, 0) != NULL) == (number == 0));
        solo_free(s);
    }
}

static void test_who_goes_waits_until_it_is_said(void **state)
{
    (void)state;
    solo_t *s = solo_following(4);
    gp_msg_t msg = leave_command(false);
    solo_command(s, &msg);
    gp_msg_t view = left_view(1);
    view.u.view.entries[0].state = GP_MEMBER_ALIVE; /* sent before the leader heard of it */
    solo_message(s, 1, &view);
    assert_null(solo_action(s, GP_MSG_LEFT, SOLO_ANY, 0));
    assert_false(s->core->left);
    solo_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_founder),
        cmocka_unit_test(test_news_before_the_start),
        cmocka_unit_test(test_a_new_leader_goes_on_from_its_own_table),
        cmocka_unit_test(test_the_last_leader_is_asked_first),
        cmocka_unit_test(test_the_same_news_again),
        cmocka_unit_test(test_losing_the_lead),
        cmocka_unit_test(test_alone_one_believes_ones_ears),
        cmocka_unit_test(test_a_caretaker_takes_verdicts_back),
        cmocka_unit_test(test_a_new_leader_believes_its_ears_too),
        cmocka_unit_test(test_verdicts_end_with_the_majority),
        cmocka_unit_test(test_a_suspicion_outlives_the_leader),
        cmocka_unit_test(test_a_refused_leader_is_suspect),
        cmocka_unit_test(test_refuting),
        cmocka_unit_test(test_an_incarnation_from_the_future),
        cmocka_unit_test(test_a_refutation_at_the_leader),
        cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_leaving_has_a_limit),
        cmocka_unit_test(test_leaving_before_anybody_leads),
        cmocka_unit_test(test_the_leader_leaves),
        cmocka_unit_test(test_a_member_leaves),
        cmocka_unit_test(test_who_has_left_is_told_so_once),
        cmocka_unit_test(test_who_goes_is_made_leader),
        cmocka_unit_test(test_the_only_one_leaves),
        cmocka_unit_test(test_a_leader_that_left_does_not_forget_itself),
        cmocka_unit_test(test_hearsay_leaves),
        cmocka_unit_test(test_a_new_leader_names_itself),
        cmocka_unit_test(test_what_was_to_be_told_is_told_in_the_next_term),
        cmocka_unit_test(test_a_view_without_a_number_settles_nothing),
        cmocka_unit_test(test_who_goes_waits_until_it_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
