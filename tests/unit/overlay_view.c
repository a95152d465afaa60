/* Numbered views: batches, gaps, whole tables, forgetting, what a majority holds. */
#include "tests/unit/overlay_solo.h"
#include "tests/unit/proto_cmocka.h"

static gp_msg_t msg;

static gp_msg_view_t *view(uint64_t term, uint32_t number, bool full)
{
    memset(&msg, 0, sizeof msg);
    msg.kind = GP_MSG_VIEW;
    msg.u.view.group = SOLO_GROUP;
    msg.u.view.term = term;
    msg.u.view.number = number;
    msg.u.view.full = full;
    return &msg.u.view;
}

static void add(uint32_t number, gp_member_state_t state)
{
    msg.u.view.entries[msg.u.view.entries_count++] = solo_record(number, state);
}

/* Sets the digest that will be right once the view is applied. */
static void send_right(solo_t *s, uint32_t from)
{
    solo_message(s, from, &msg);
    msg.u.view.digest = s->core->view_digest;
}

static void test_applies_in_order_and_acknowledges(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    view(1, 8, false);
    add(3, GP_MEMBER_UNAVAILABLE);
    msg.u.view.entries[0].cause = GP_CAUSE_SILENT;
    gp_id_t observers[2] = {solo_id(1), solo_id(4)};
    msg.u.view.entries[0].observers = gp_slice(observers, sizeof observers);
    solo_entry(s, 3)->ruled_state = GP_MEMBER_UNAVAILABLE; /* to learn the digest */
    msg.u.view.digest = gp_group_digest(s->core);
    solo_entry(s, 3)->ruled_state = GP_MEMBER_ALIVE;
    solo_message(s, 1, &msg);
    assert_int_equal(gp_group_view_number(s->core), 8);
    assert_int_equal(s->core->pull_at, 0);
    const gp_action_t *a = solo_action(s, GP_MSG_MEMBER, SOLO_ANY, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.member.before, GP_MEMBER_ALIVE);
    assert_int_equal(a->msg->u.member.entries[0].state, GP_MEMBER_UNAVAILABLE);
    assert_int_equal(a->msg->u.member.entries[0].cause, GP_CAUSE_SILENT);
    assert_int_equal(a->msg->u.member.entries[0].observers.n, 2 * sizeof(gp_id_t));
    a = solo_action(s, GP_MSG_VIEW_ACK, 1, 0); /* machine 0 is a voter */
    assert_non_null(a);
    assert_int_equal(a->msg->u.view_ack.number, 8);
    a = solo_action(s, GP_MSG_VIEW_APPLIED, SOLO_ANY, 0);
    assert_int_equal(a->msg->u.view_applied.members, 5);
    solo_message(s, 1, &msg); /* the same again: nothing */
    assert_int_equal(s->out.count, 0);
    solo_free(s);
}

static void test_gap_is_pulled_until_it_is_filled(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    view(1, 9, false); /* 8 is missing */
    add(3, GP_MEMBER_UNAVAILABLE);
    solo_message(s, 1, &msg);
    assert_int_equal(gp_group_view_number(s->core), 7);
    const gp_action_t *a = solo_action(s, GP_MSG_VIEW_PULL, 1, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.view_pull.number, 7);
    view(1, 10, false);
    solo_message(s, 1, &msg);
    assert_null(solo_action(s, GP_MSG_VIEW_PULL, SOLO_ANY, 0)); /* one outstanding is enough */
    gp_usec_t from = s->now;
    assert_true(solo_run_to(s, GP_SECOND, GP_MSG_VIEW_PULL));
    assert_true(s->now - from >= s->config.pull_period);
    view(1, 10, true);
    for (uint32_t i = 0; i <= 5; i++) {
        add(i, i == 3 ? GP_MEMBER_UNAVAILABLE : GP_MEMBER_ALIVE);
    }
    send_right(s, 1);
    solo_message(s, 1, &msg);
    assert_int_equal(gp_group_view_number(s->core), 10);
    assert_int_equal(s->core->pull_at, 0);
    assert_false(solo_run_to(s, 2 * GP_SECOND, GP_MSG_VIEW_PULL));
    solo_free(s);
}

static void test_wrong_digest_is_pulled(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    view(1, 8, false);
    add(3, GP_MEMBER_UNKNOWN);
    msg.u.view.digest = 12345;
    solo_message(s, 1, &msg);
    assert_non_null(solo_action(s, GP_MSG_VIEW_PULL, 1, 0));
    solo_free(s);
    s = solo_following(5);
    msg = (gp_msg_t){.kind = GP_MSG_BEAT};
    msg.u.beat = (gp_msg_beat_t){
        .group = SOLO_GROUP, .term = 1, .number = 7, .digest = 99, .sequence = 1, .role = 1};
    solo_message(s, 1, &msg);
    assert_non_null(solo_action(s, GP_MSG_VIEW_PULL, 1, 0));
    solo_free(s);
}

static void test_a_beat_ahead_of_its_view(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    msg = (gp_msg_t){.kind = GP_MSG_BEAT};
    msg.u.beat = (gp_msg_beat_t){
        .group = SOLO_GROUP, .term = 1, .number = 8, .digest = 99, .sequence = 1, .role = 1};
    solo_message(s, 1, &msg);
    assert_null(solo_action(s, GP_MSG_VIEW_PULL, 1, 0)); /* it may be on its way */
    assert_true(solo_run_to(s, 30 * GP_MSEC, GP_MSG_VIEW_PULL));
    solo_free(s);
}

static void test_whose_word_counts(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    view(1, 8, false);
    add(3, GP_MEMBER_UNAVAILABLE);
    solo_message(s, 4, &msg); /* not the leader */
    assert_int_equal(gp_group_view_number(s->core), 7);
    msg.u.view.term = 9;
    solo_message(s, 1, &msg); /* a term that the election has not named */
    assert_int_equal(gp_group_view_number(s->core), 7);
    msg.u.view.term = 0;
    solo_message(s, 1, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_REFUSED, SOLO_ANY, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.refused.error, GP_E_FENCED);
    assert_int_equal(solo_entry(s, 3)->ruled_state, GP_MEMBER_ALIVE);
    msg.u.view.group = SOLO_GROUP + 1;
    solo_message(s, 1, &msg);
    assert_int_equal(s->out.count, 0);
    solo_free(s);
}

static void test_new_leader_with_the_same_table(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    solo_leader(s, 4, 2, 2, GP_RIGHT_QUORUM);
    assert_null(solo_action(s, GP_MSG_VIEW_PULL, SOLO_ANY, 0));
    view(2, 8, false);
    msg.u.view.digest = gp_group_digest(s->core);
    solo_message(s, 4, &msg);
    assert_int_equal(gp_group_view_term(s->core), 2);
    assert_int_equal(gp_group_view_number(s->core), 8);
    assert_int_equal(s->core->pull_at, 0);
    assert_true(gp_group_recognized(s->core));
    solo_free(s);
}

/* Who is heard lives, but not for ever against the group's word. */
static void test_own_ears_count_only_while_the_leader_is_new(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    view(1, 8, false);
    add(3, GP_MEMBER_UNKNOWN);
    msg.u.view.entries[0].cause = GP_CAUSE_MANY_AT_ONCE;
    send_right(s, 1);
    assert_int_equal(solo_entry(s, 3)->shown.state, GP_MEMBER_UNKNOWN);
    solo_answer(s, 3);
    solo_leader(s, 2, 4, 2, GP_RIGHT_QUORUM);
    solo_answer(s, 3);
    assert_int_equal(solo_entry(s, 3)->shown.state, GP_MEMBER_ALIVE);
    view(2, 9, false); /* says nothing of it: it is as it was */
    add(4, GP_MEMBER_ALIVE);
    msg.u.view.digest = gp_group_digest(s->core);
    solo_message(s, 2, &msg);
    assert_true(gp_group_holds(s->core));
    gp_usec_t end = s->now + 7 * GP_SECOND;
    while (s->now < end && solo_entry(s, 3)->shown.state != GP_MEMBER_UNKNOWN) {
        solo_answer(s, 3); /* it goes on */
        solo_run(s, s->now + 100 * GP_MSEC);
    }
    assert_int_equal(solo_entry(s, 3)->shown.state, GP_MEMBER_UNKNOWN);
    solo_free(s);
}

static void test_new_leader_that_says_nothing_is_pulled(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    solo_leader(s, 4, 2, 2, GP_RIGHT_QUORUM);
    assert_true(solo_run_to(s, 200 * GP_MSEC, GP_MSG_VIEW_PULL));
    solo_free(s);
}

static void test_caretaker_of_the_same_term(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    solo_leader(s, 3, 2, 1, GP_RIGHT_CARETAKER); /* a caretaker raises no term */
    assert_false(gp_group_holds(s->core));
    view(1, 8, true);
    for (uint32_t i = 0; i <= 5; i++) {
        add(i, i == 1 ? GP_MEMBER_UNKNOWN : GP_MEMBER_ALIVE);
    }
    send_right(s, 3);
    assert_true(gp_group_holds(s->core));
    assert_int_equal(solo_entry(s, 1)->ruled_state, GP_MEMBER_UNKNOWN);
    solo_leader(s, 1, 2, 1, GP_RIGHT_QUORUM); /* healed: the mandate wins */
    assert_false(gp_group_holds(s->core));
    view(1, 8, true);
    for (uint32_t i = 0; i <= 5; i++) {
        add(i, GP_MEMBER_ALIVE);
    }
    send_right(s, 1);
    assert_int_equal(solo_entry(s, 1)->ruled_state, GP_MEMBER_ALIVE);
    solo_free(s);
}

static void test_whole_table_forgets(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    view(1, 9, true);
    for (uint32_t i = 0; i <= 5; i++) {
        if (i != 2 && i != 5) {
            add(i, GP_MEMBER_ALIVE);
        }
    }
    add(9, GP_MEMBER_ALIVE);
    solo_message(s, 1, &msg);
    assert_null(solo_entry(s, 2));
    assert_null(solo_entry(s, 5));
    assert_non_null(solo_entry(s, 9));
    const gp_action_t *a = solo_action(s, GP_MSG_MEMBER, 5, 0);
    assert_non_null(a);
    assert_true(a->msg->u.member.forgotten);
    assert_memory_equal(a->msg->u.member.entries[0].name.p, "n005", 4);
    solo_free(s);
}

/* The leader forgot one, to make room, whose silence was noticed here at the same time. */
static void test_a_suspect_is_forgotten(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    assert_true(solo_run_to(s, 10 * GP_SECOND, GP_MSG_SUSPICION));
    uint32_t target = 0;
    for (uint32_t i = 2; i <= 5; i++) {
        target = solo_entry(s, i)->suspected ? i : target;
    }
    assert_in_range(target, 2, 5);
    view(1, 9, true);
    for (uint32_t i = 0; i <= 5; i++) {
        if (i != target) {
            add(i, GP_MEMBER_ALIVE);
        }
    }
    solo_message(s, 1, &msg);
    assert_null(solo_entry(s, target));
    const gp_action_t *a = solo_action(s, GP_MSG_SUSPICION, target, 0); /* it ends, too */
    assert_non_null(a);
    assert_int_equal(a->msg->u.suspicion.phase, 5);
    a = solo_action(s, GP_MSG_MEMBER, target, 0);
    assert_non_null(a);
    assert_true(a->msg->u.member.forgotten);
    assert_int_equal(a->msg->u.member.before, GP_MEMBER_SUSPECT);
    solo_free(s);
}

static void test_missing_in_the_whole_table(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    view(1, 9, true);
    for (uint32_t i = 1; i <= 5; i++) {
        add(i, GP_MEMBER_ALIVE);
    }
    solo_message(s, 1, &msg);
    assert_false(gp_group_recognized(s->core));
    assert_true(solo_run_to(s, 100 * GP_MSEC, GP_MSG_SEEK)); /* it presents itself again */
    solo_free(s);
}

static void test_hostile_whole_table(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    view(1, 9, true);
    for (uint32_t i = 0; i < GP_MEMBERS_MAX; i++) {
        add(i % 7, (gp_member_state_t)(i % 6)); /* repeats, contradicts itself */
        msg.u.view.entries[i].observers = gp_slice("odd", 3);
    }
    solo_message(s, 1, &msg);
    view(1, 10, true);
    for (uint32_t i = 0; i < GP_MEMBERS_MAX; i++) {
        add(20 + i, GP_MEMBER_ALIVE); /* full of others: this machine has no place */
    }
    solo_message(s, 1, &msg);
    assert_int_equal(gp_group_count(s->core), GP_MEMBERS_MAX);
    view(1, 11, true);
    for (uint32_t i = 0; i <= 5; i++) {
        add(i, GP_MEMBER_ALIVE);
    }
    solo_message(s, 1, &msg);
    assert_int_equal(gp_group_count(s->core), 6);
    solo_free(s);
}

/* ---- at the leader --------------------------------------------------------------------------- */

static void seek(solo_t *s, uint32_t from, uint64_t incarnation)
{
    gp_record_member_t record = solo_record(from, GP_MEMBER_ALIVE);
    msg = (gp_msg_t){.kind = GP_MSG_SEEK};
    msg.u.seek = (gp_msg_seek_t){.group = SOLO_GROUP,
                                 .incarnation = incarnation,
                                 .name = record.name,
                                 .address = record.address};
    solo_message(s, from, &msg);
}

static void test_batches(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    uint32_t number = gp_group_view_number(s->core);
    seek(s, 10, 1 << 16);
    const gp_action_t *a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_non_null(a); /* nothing was cast lately: at once */
    assert_int_equal(a->type, GP_ACTION_CAST);
    assert_int_equal(a->target_count, 4);
    assert_int_equal(a->msg->u.view.number, number + 1);
    assert_int_equal(a->msg->u.view.entries_count, 1);
    assert_memory_equal(a->msg->u.view.entries[0].address.p, "a010", 4);
    for (uint32_t i = 11; i < 15; i++) {
        seek(s, i, 1 << 16);
        assert_null(solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0)); /* these go together */
        s->now += GP_MSEC;
    }
    gp_usec_t from = s->now;
    assert_true(solo_run_to(s, 100 * GP_MSEC, GP_MSG_VIEW));
    assert_true(s->now - from <= s->config.view_gap);
    a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_int_equal(a->msg->u.view.entries_count, 4);
    assert_int_equal(a->msg->u.view.number, number + 2);
    assert_int_equal(a->msg->u.view.digest, gp_group_digest(s->core));
    solo_free(s);
}

static void test_pull_is_answered_with_the_whole_table(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    msg = (gp_msg_t){.kind = GP_MSG_VIEW_PULL};
    msg.u.view_pull.group = SOLO_GROUP;
    solo_message(s, 2, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    gp_id_t two = solo_id(2);
    assert_non_null(a);
    assert_true(a->msg->u.view.full && a->target_count == 1);
    assert_true(gp_id_equal(&a->targets[0], &two));
    assert_int_equal(a->msg->u.view.entries_count, 4);
    solo_message(s, 2, &msg); /* again at once: it was only just sent */
    assert_null(solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0));
    solo_message(s, 50, &msg); /* a stranger learns who leads */
    assert_non_null(solo_action(s, GP_MSG_SEEK_REPLY, 50, 0));
    solo_free(s);
}

static void test_held_by_a_majority(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3); /* voters: 0, 1, 2 */
    uint32_t number = gp_group_view_number(s->core);
    msg = (gp_msg_t){.kind = GP_MSG_VIEW_ACK};
    msg.u.view_ack = (gp_msg_view_ack_t){.group = SOLO_GROUP, .term = 1, .number = number};
    assert_int_equal(gp_group_view_held(s->core), 0);
    solo_message(s, 3, &msg); /* no voter */
    assert_int_equal(gp_group_view_held(s->core), 0);
    msg.u.view_ack.number = number + 5; /* what was never cast */
    solo_message(s, 1, &msg);
    assert_int_equal(gp_group_view_held(s->core), 0);
    msg.u.view_ack.number = number;
    solo_message(s, 1, &msg);
    assert_int_equal(gp_group_view_held(s->core), number);
    solo_free(s);
}

static void test_room_is_made(void **state)
{
    (void)state;
    solo_t *s = solo_leading(GP_MEMBERS_MAX - 1);
    assert_int_equal(gp_group_count(s->core), GP_MEMBERS_MAX);
    seek(s, 100, 1 << 16);
    const gp_action_t *a = solo_action(s, GP_MSG_REFUSED, SOLO_ANY, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.refused.error, GP_E_GROUP_FULL);
    gp_group_rule(s->core, solo_entry(s, 7), GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT);
    seek(s, 100, 1 << 16);
    assert_null(solo_entry(s, 100)); /* dead, but not for long */
    gp_group_rule(s->core, solo_entry(s, 9), GP_MEMBER_LEFT, GP_CAUSE_STOPPED);
    seek(s, 100, 1 << 16);
    assert_non_null(solo_entry(s, 100));
    assert_null(solo_entry(s, 9));
    a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_int_equal(a->msg->u.view.entries_count >= 1, true);
    bool told = false;
    for (uint32_t i = 0; i < a->msg->u.view.entries_count; i++) {
        told = told || a->msg->u.view.entries[i].state == GP_MEMBER_NONE;
    }
    assert_true(told);
    /* How long it is dead counts, not since when that is said: a majority may be lost and found. */
    solo_entry(s, 7)->away_since = s->now - s->config.forget_dead_after;
    gp_group_rule(s->core, solo_entry(s, 7), GP_MEMBER_UNKNOWN, GP_CAUSE_NO_QUORUM);
    gp_group_rule(s->core, solo_entry(s, 7), GP_MEMBER_UNAVAILABLE, GP_CAUSE_SILENT);
    seek(s, 101, 1 << 16);
    assert_non_null(solo_entry(s, 101));
    assert_null(solo_entry(s, 7));
    solo_free(s);
}

static void test_refusals_do_not_fill_the_log(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    uint32_t told = 0;
    view(0, 8, false);
    for (int i = 0; i < 1000; i++) {
        solo_message(s, 1, &msg);
        told += solo_action(s, GP_MSG_REFUSED, SOLO_ANY, 0) != NULL;
        s->now += GP_MSEC;
    }
    assert_true(told >= 9 && told <= 11);
    solo_free(s);
}

static void test_those_who_left_are_forgotten(void **state)
{
    (void)state;
    solo_t *s = solo_leading(4);
    gp_group_rule(s->core, solo_entry(s, 2), GP_MEMBER_LEFT, GP_CAUSE_LEFT);
    gp_group_rule(s->core, solo_entry(s, 3), GP_MEMBER_LEFT, GP_CAUSE_STOPPED);
    solo_entry(s, 2)->ruled_at = s->now - s->config.forget_left_after;
    solo_entry(s, 3)->ruled_at = s->now - s->config.forget_left_after;
    gp_group_forget_old(s->core, &s->out);
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    solo_run_to(s, 100 * GP_MSEC, GP_MSG_VIEW);
    assert_null(solo_entry(s, 2));
    assert_non_null(solo_entry(s, 3)); /* stopped, not gone for good */
    gp_group_rule(s->core, solo_entry(s, 4), GP_MEMBER_UNKNOWN, GP_CAUSE_JOINED);
    solo_entry(s, 4)->shown.flags = 0; /* admitted, but it never came */
    solo_entry(s, 4)->away_since = s->now - s->config.forget_never_after;
    gp_group_forget_old(s->core, &s->out);
    solo_run_to(s, 100 * GP_MSEC, GP_MSG_VIEW);
    assert_null(solo_entry(s, 4));
    solo_free(s);
}

/* In one view: who has never been shown here need not be said to be gone. */
static void test_come_and_gone_in_one_view(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    view(1, 8, false);
    add(30, GP_MEMBER_ALIVE);
    add(30, GP_MEMBER_NONE);
    solo_message(s, 1, &msg);
    assert_null(solo_entry(s, 30));
    assert_null(solo_action(s, GP_MSG_MEMBER, 30, 0));
    solo_free(s);
}

/* A former leader tested one of unknown state: the next leader's word ends that. */
static void test_a_suspicion_of_the_unknown_ends_with_the_lead(void **state)
{
    (void)state;
    solo_t *s = solo_leading(4);
    gp_group_rule(s->core, solo_entry(s, 3), GP_MEMBER_UNKNOWN, GP_CAUSE_NO_LEADER);
    gp_group_unanswered(s->core, solo_entry(s, 3), &s->out);
    assert_true(solo_entry(s, 3)->suspected);
    solo_leader(s, 1, 2, 2, GP_RIGHT_QUORUM);
    assert_true(solo_entry(s, 3)->suspected);
    view(2, 9, true);
    for (uint32_t i = 0; i <= 4; i++) {
        add(i, i == 3 ? GP_MEMBER_UNKNOWN : GP_MEMBER_ALIVE);
    }
    solo_message(s, 1, &msg);
    assert_false(solo_entry(s, 3)->suspected);
    const gp_action_t *a = solo_action(s, GP_MSG_SUSPICION, 3, 0);
    assert_int_equal(a->msg->u.suspicion.phase, 4);
    solo_free(s);
}

static void away(solo_t *s, uint32_t number, gp_member_state_t state, gp_usec_t since)
{
    gp_group_rule(s->core, solo_entry(s, number), state, GP_CAUSE_STOPPED);
    solo_entry(s, number)->away_since = since;
}

/* Of those who left the first, then of the dead, or never seen, who are so for a while. */
static void test_the_oldest_makes_room(void **state)
{
    (void)state;
    solo_t *s = solo_leading(GP_MEMBERS_MAX - 1);
    gp_usec_t long_ago = s->now - s->config.forget_dead_after;
    away(s, 20, GP_MEMBER_UNAVAILABLE, long_ago - 5);
    away(s, 21, GP_MEMBER_UNAVAILABLE, long_ago - 9);
    away(s, 22, GP_MEMBER_UNAVAILABLE, long_ago - 7);
    away(s, 23, GP_MEMBER_UNKNOWN, long_ago - 3);
    solo_entry(s, 23)->shown.flags = 0; /* never seen */
    away(s, 24, GP_MEMBER_UNAVAILABLE, long_ago + 1);
    away(s, 7, GP_MEMBER_LEFT, s->now - 10);
    away(s, 9, GP_MEMBER_LEFT, s->now - 20);
    away(s, 11, GP_MEMBER_LEFT, s->now - 5);
    static const uint32_t order[] = {9, 7, 11, 21, 22, 20, 23};
    for (uint32_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        assert_non_null(solo_entry(s, order[i]));
        seek(s, 100 + i, 1 << 16);
        assert_non_null(solo_entry(s, 100 + i));
        assert_null(solo_entry(s, order[i]));
    }
    seek(s, 120, 1 << 16);
    assert_null(solo_entry(s, 120)); /* the last one is not dead for long enough */
    solo_free(s);
}

static void test_hearsay_makes_room_unseen(void **state)
{
    (void)state;
    solo_t *s = solo_leading(GP_MEMBERS_MAX - 2);
    solo_hearsay(s, 90);
    assert_int_equal(gp_group_count(s->core), GP_MEMBERS_MAX);
    seek(s, 100, 1 << 16);
    assert_null(solo_entry(s, 90));
    assert_non_null(solo_entry(s, 100));
    gp_id_t gone = solo_id(90);
    const gp_action_t *a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_non_null(a);
    for (uint32_t i = 0; i < a->msg->u.view.entries_count; i++) {
        assert_false(gp_id_equal(&a->msg->u.view.entries[i].id, &gone)); /* nobody knew it */
    }
    solo_free(s);
}

static void test_an_older_whole_table_is_not_taken(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    view(1, 6, true);
    add(0, GP_MEMBER_ALIVE);
    add(1, GP_MEMBER_ALIVE);
    solo_message(s, 1, &msg);
    assert_int_equal(gp_group_view_number(s->core), 7);
    assert_non_null(solo_entry(s, 5));
    solo_free(s);
}

/* The leader found it alive: it had started again. */
static void test_a_suspect_that_has_started_again(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    gp_group_unanswered(s->core, solo_entry(s, 4), &s->out);
    assert_true(solo_entry(s, 4)->suspected);
    view(1, 8, false);
    add(4, GP_MEMBER_ALIVE);
    solo_message(s, 1, &msg);
    assert_true(solo_entry(s, 4)->suspected); /* that is known already */
    view(1, 9, false);
    add(4, GP_MEMBER_ALIVE);
    msg.u.view.entries[0].incarnation = UINT64_C(2) << 16;
    solo_message(s, 1, &msg);
    assert_false(solo_entry(s, 4)->suspected);
    assert_int_equal(solo_action(s, GP_MSG_SUSPICION, 4, 0)->msg->u.suspicion.phase, 2);
    solo_free(s);
}

static void test_without_voters_nobody_holds_a_view(void **state)
{
    (void)state;
    solo_t *s = solo_started(0);
    gp_msg_t news = {.kind = GP_MSG_GROUP_LEADER};
    news.u.group_leader.term = 1;
    news.u.group_leader.leader = solo_id(0);
    news.u.group_leader.right = GP_RIGHT_QUORUM;
    news.u.group_leader.lease_until = s->now + GP_SECOND;
    solo_command(s, &news);
    assert_true(gp_group_view_number(s->core) > 0);
    assert_int_equal(gp_group_view_held(s->core), 0);
    solo_free(s);
}

/* Hearsay is what a machine without a leader has to go on: it keeps it, but not under a leader. */
static void test_hearsay_is_forgotten_only_under_a_leader(void **state)
{
    (void)state;
    solo_t *s = solo_started(3);
    solo_hearsay(s, 30);
    solo_run(s, s->now + 2 * s->config.ring_period + s->config.introduce_limit);
    assert_non_null(solo_entry(s, 30));
    solo_entry(s, 30)->shown.address[0] = 0; /* so that it is not introduced */
    solo_leader(s, 1, 2, 1, GP_RIGHT_QUORUM);
    solo_run(s, s->now + 2 * s->config.ring_period + s->config.introduce_limit);
    assert_null(solo_entry(s, 30));
    solo_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_applies_in_order_and_acknowledges),
        cmocka_unit_test(test_gap_is_pulled_until_it_is_filled),
        cmocka_unit_test(test_wrong_digest_is_pulled),
        cmocka_unit_test(test_a_beat_ahead_of_its_view),
        cmocka_unit_test(test_whose_word_counts),
        cmocka_unit_test(test_new_leader_with_the_same_table),
        cmocka_unit_test(test_own_ears_count_only_while_the_leader_is_new),
        cmocka_unit_test(test_new_leader_that_says_nothing_is_pulled),
        cmocka_unit_test(test_caretaker_of_the_same_term),
        cmocka_unit_test(test_whole_table_forgets),
        cmocka_unit_test(test_a_suspect_is_forgotten),
        cmocka_unit_test(test_missing_in_the_whole_table),
        cmocka_unit_test(test_hostile_whole_table),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_pull_is_answered_with_the_whole_table),
        cmocka_unit_test(test_held_by_a_majority),
        cmocka_unit_test(test_room_is_made),
        cmocka_unit_test(test_refusals_do_not_fill_the_log),
        cmocka_unit_test(test_those_who_left_are_forgotten),
        cmocka_unit_test(test_come_and_gone_in_one_view),
        cmocka_unit_test(test_a_suspicion_of_the_unknown_ends_with_the_lead),
        cmocka_unit_test(test_the_oldest_makes_room),
        cmocka_unit_test(test_hearsay_makes_room_unseen),
        cmocka_unit_test(test_an_older_whole_table_is_not_taken),
        cmocka_unit_test(test_a_suspect_that_has_started_again),
        cmocka_unit_test(test_without_voters_nobody_holds_a_view),
        cmocka_unit_test(test_hearsay_is_forgotten_only_under_a_leader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
