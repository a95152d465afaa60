/* Seeking without a leader, being sought, introducing. */
#include "tests/unit/overlay_solo.h"
#include "tests/unit/proto_cmocka.h"

static gp_msg_t seek_of(uint32_t number, uint64_t incarnation)
{
    gp_record_member_t record = solo_record(number, GP_MEMBER_ALIVE);
    gp_msg_t msg = {.kind = GP_MSG_SEEK};
    msg.u.seek = (gp_msg_seek_t){.group = SOLO_GROUP,
                                 .incarnation = incarnation,
                                 .name = record.name,
                                 .address = record.address};
    return msg;
}

static uint32_t seeks(const solo_t *s)
{
    uint32_t n = 0;
    while (solo_action(s, GP_MSG_SEEK, SOLO_ANY, n) != NULL) {
        n++;
    }
    return n;
}

static void test_seeks_at_once_and_for_ever(void **state)
{
    (void)state;
    solo_t *s = solo_started(20);
    assert_int_equal(seeks(s), GP_GROUP_SEEK_FANOUT);
    const gp_msg_seek_t *seek = &solo_action(s, GP_MSG_SEEK, SOLO_ANY, 0)->msg->u.seek;
    assert_int_equal(seek->incarnation, gp_group_incarnation(s->core));
    assert_memory_equal(seek->name.p, "n000", 4);
    uint32_t rounds = 0;
    bool asked[21] = {false};
    gp_usec_t end = s->now + 60 * GP_SECOND;
    gp_usec_t last = s->now;
    gp_usec_t longest = 0;
    while (s->now < end) {
        if (solo_run_to(s, end - s->now, GP_MSG_SEEK)) {
            rounds++;
            longest = s->now - last > longest ? s->now - last : longest;
            last = s->now;
            for (uint32_t i = 1; i <= 20; i++) {
                asked[i] = asked[i] || solo_action(s, GP_MSG_SEEK, i, 0) != NULL;
            }
        }
    }
    assert_true(rounds >= 14 && rounds <= 40);
    assert_true(longest <= s->config.seek_max && longest > s->config.seek_max / 2);
    for (uint32_t i = 1; i <= 20; i++) {
        assert_true(asked[i]); /* in turn */
    }
    gp_usec_t from = s->now;
    solo_link(s, 7, true); /* somebody came within reach: begin anew */
    assert_true(solo_run_to(s, GP_SECOND, GP_MSG_SEEK));
    assert_true(s->now - from <= s->config.seek_min);
    solo_free(s);
}

static void test_the_leader_is_asked_directly(void **state)
{
    (void)state;
    solo_t *s = solo_started(20);
    gp_msg_t msg = {.kind = GP_MSG_SEEK_REPLY};
    gp_record_member_t leader = solo_record(30, GP_MEMBER_ALIVE);
    msg.u.seek_reply = (gp_msg_seek_reply_t){
        .group = SOLO_GROUP, .leader = leader.id, .term = 3, .right = GP_RIGHT_QUORUM};
    msg.u.seek_reply.entries[msg.u.seek_reply.entries_count++] = leader;
    s->now += 10 * GP_MSEC;
    solo_message(s, 4, &msg);
    assert_non_null(solo_action(s, GP_MSG_SEEK, 30, 0));
    assert_false(solo_entry(s, 30)->in_view); /* hearsay is not membership */
    solo_message(s, 5, &msg);
    assert_null(solo_action(s, GP_MSG_SEEK, 30, 0)); /* once is enough */
    solo_leader(s, 30, 2, 3, GP_RIGHT_QUORUM);
    assert_non_null(solo_action(s, GP_MSG_VIEW_PULL, 30, 0));
    solo_free(s);
}

static void test_a_settled_member_does_not_seek(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    gp_msg_t beat = {.kind = GP_MSG_BEAT};
    beat.u.beat = (gp_msg_beat_t){
        .group = SOLO_GROUP, .term = 1, .number = 7, .digest = s->core->view_digest, .role = 1};
    for (int i = 0; i < 20; i++) {
        assert_false(solo_run_to(s, GP_SECOND, GP_MSG_SEEK));
        solo_message(s, 1, &beat);
    }
    gp_usec_t from = s->now; /* now the leader is silent: the election may not know */
    assert_true(solo_run_to(s, 10 * GP_SECOND, GP_MSG_SEEK));
    assert_true(s->now - from >= 2 * GP_SECOND && s->now - from <= 4 * GP_SECOND);
    assert_non_null(solo_action(s, GP_MSG_SEEK, 1, 0));
    assert_true(solo_run_to(s, GP_SECOND, GP_MSG_SEEK)); /* it may be busy */
    assert_int_equal(seeks(s), 1);
    assert_true(solo_run_to(s, GP_SECOND, GP_MSG_SEEK)); /* then others as well */
    assert_int_equal(seeks(s), GP_GROUP_SEEK_FANOUT);
    solo_free(s);
}

/* Who led when the table was written down is asked first, and the others when it is of no help. */
static void test_the_leader_of_the_disk_is_sought_first(void **state)
{
    (void)state;
    for (int helps = 0; helps < 2; helps++) {
        solo_t *s = solo_new(8);
        gp_msg_t record = {.kind = GP_MSG_GROUP_STATE};
        record.u.group_state.group = SOLO_GROUP;
        record.u.group_state.leader = solo_id(4);
        solo_event(s, (gp_event_t){.type = GP_EVENT_LOAD, .msg = &record});
        solo_leader(s, SOLO_ANY, SOLO_ANY, 3, GP_RIGHT_NONE); /* what the election knows: no more */
        solo_event(s, (gp_event_t){.type = GP_EVENT_START});
        assert_int_equal(seeks(s), 1);
        assert_non_null(solo_action(s, GP_MSG_SEEK, 4, 0));
        if (helps == 1) {
            gp_msg_t reply = {.kind = GP_MSG_SEEK_REPLY};
            reply.u.seek_reply.group = SOLO_GROUP;
            solo_message(s, 4, &reply); /* it knows of no leader */
        } else {
            assert_true(solo_run_to(s, GP_SECOND, GP_MSG_SEEK));
            assert_int_equal(seeks(s), 1);
            assert_true(solo_run_to(s, GP_SECOND, GP_MSG_SEEK));
        }
        assert_int_equal(seeks(s), GP_GROUP_SEEK_FANOUT);
        solo_free(s);
    }
}

static void test_being_sought_by_a_known_member(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    gp_msg_t msg = seek_of(3, solo_incarnation(3));
    solo_message(s, 3, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_SEEK_REPLY, 3, 0);
    gp_id_t one = solo_id(1);
    assert_non_null(a);
    assert_true(gp_id_equal(&a->msg->u.seek_reply.leader, &one));
    assert_int_equal(a->msg->u.seek_reply.entries_count, 2); /* the leader and its deputy */
    assert_memory_equal(a->msg->u.seek_reply.entries[0].address.p, "a001", 4);
    assert_null(solo_action(s, GP_MSG_INTRODUCE, SOLO_ANY, 0)); /* the leader knows it */
    msg = seek_of(3, UINT64_C(2) << 16);
    solo_message(s, 3, &msg);
    assert_non_null(solo_action(s, GP_MSG_INTRODUCE, 1, 0)); /* but not this life of it */
    solo_message(s, 3, &msg);
    assert_null(solo_action(s, GP_MSG_INTRODUCE, 1, 0)); /* not each time */
    solo_free(s);
}

static void test_being_sought_by_a_stranger(void **state)
{
    (void)state;
    solo_t *s = solo_following(5);
    gp_msg_t msg = seek_of(40, 1 << 16);
    solo_message(s, 40, &msg);
    assert_non_null(solo_action(s, GP_MSG_SEEK_REPLY, 40, 0));
    const gp_action_t *a = solo_action(s, GP_MSG_INTRODUCE, 1, 0);
    assert_non_null(a);
    assert_memory_equal(a->msg->u.introduce.entries[0].name.p, "n040", 4);
    solo_run(s, s->now + 5 * GP_SECOND);
    solo_free(s);
    s = solo_started(5); /* without a leader: says so, and remembers */
    solo_message(s, 40, &msg);
    a = solo_action(s, GP_MSG_SEEK_REPLY, 40, 0);
    assert_non_null(a);
    assert_true(gp_id_is_none(&a->msg->u.seek_reply.leader));
    solo_leader(s, 1, 2, 1, GP_RIGHT_QUORUM);
    assert_non_null(solo_action(s, GP_MSG_INTRODUCE, 1, 0));
    solo_free(s);
}

static void test_the_leader_takes_in(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    gp_msg_t msg = seek_of(40, 1 << 16);
    msg.u.seek.flags = 0xff & ~GP_FLAG_LEAVING;
    solo_message(s, 40, &msg);
    gp_group_entry_t *m = solo_entry(s, 40);
    assert_int_equal(m->ruled_state, GP_MEMBER_ALIVE);
    assert_int_equal(m->ruled_cause, GP_CAUSE_JOINED);
    uint8_t known =
        GP_FLAG_RELAYED | GP_FLAG_FAILING | GP_FLAG_STANDBY | GP_FLAG_REGION_PEER | GP_FLAG_SEEN;
    assert_int_equal(m->shown.flags, known);
    assert_non_null(solo_action(s, GP_MSG_SEEK_REPLY, 40, 0));
    msg = seek_of(40, 2 << 16);
    solo_message(s, 40, &msg);
    assert_int_equal(m->ruled_cause, GP_CAUSE_RESTARTED);
    msg = seek_of(40, (2 << 16) + 1);
    solo_message(s, 40, &msg);
    assert_int_equal(m->ruled_cause, GP_CAUSE_REFUTED);
    msg = seek_of(40, 1 << 16);
    solo_message(s, 40, &msg); /* its first life again: an old message */
    assert_int_equal(m->shown.incarnation, (2 << 16) + 1);
    gp_group_rule(s->core, m, GP_MEMBER_UNKNOWN, GP_CAUSE_MANY_AT_ONCE);
    msg = seek_of(40, (2 << 16) + 1);
    solo_message(s, 40, &msg);
    assert_int_equal(m->ruled_cause, GP_CAUSE_ANSWERS);
    solo_free(s);
}

static void test_a_new_address_is_told(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    gp_msg_t msg = seek_of(2, solo_incarnation(2));
    msg.u.seek.address = gp_text("moved");
    s->now += GP_SECOND;
    solo_message(s, 2, &msg);
    solo_run_to(s, 50 * GP_MSEC, GP_MSG_VIEW);
    const gp_action_t *a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_non_null(a);
    assert_memory_equal(a->msg->u.view.entries[0].address.p, "moved", 5);
    solo_free(s);
}

static void test_own_new_certificate_is_presented(void **state)
{
    (void)state;
    solo_t *s = solo_following(4);
    gp_msg_t msg = {.kind = GP_MSG_GROUP_INTRODUCE};
    msg.u.group_introduce.entries[msg.u.group_introduce.entries_count++] =
        solo_record(0, GP_MEMBER_ALIVE);
    msg.u.group_introduce.entries[0].cert = gp_text("fresh certificate");
    solo_command(s, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_SEEK, 1, 0);
    assert_non_null(a);
    assert_true(gp_slice_equal(a->msg->u.seek.cert, gp_text("fresh certificate")));
    solo_free(s);
}

/* A machine that slept presents itself, and then hears in the same step that it has moved. */
static void test_what_is_sent_does_not_change_in_the_same_step(void **state)
{
    (void)state;
    uint8_t packed[2048];
    size_t n = 0;
    solo_t *s = solo_following(4);
    gp_msg_t msg = {.kind = GP_MSG_GROUP_INTRODUCE};
    msg.u.group_introduce.entries[msg.u.group_introduce.entries_count++] =
        solo_record(0, GP_MEMBER_ALIVE);
    msg.u.group_introduce.entries[0].address = gp_text("a:1");
    s->now += 60 * GP_SECOND;
    solo_command(s, &msg);
    const gp_action_t *before = solo_action(s, GP_MSG_SEEK, 1, 0);
    const gp_action_t *after = solo_action(s, GP_MSG_SEEK, 1, 1);
    assert_non_null(before);
    assert_non_null(after);
    assert_false(gp_slice_equal(before->msg->u.seek.address, gp_text("a:1")));
    assert_int_equal(gp_msg_pack(before->msg, packed, sizeof packed, &n), GP_OK);
    assert_true(gp_slice_equal(after->msg->u.seek.address, gp_text("a:1")));
    solo_free(s);
}

static void test_introducing(void **state)
{
    (void)state;
    solo_t *s = solo_following(4);
    gp_msg_t msg = {.kind = GP_MSG_GROUP_INTRODUCE};
    msg.u.group_introduce.entries[msg.u.group_introduce.entries_count++] =
        solo_record(40, GP_MEMBER_UNKNOWN);
    solo_command(s, &msg);
    assert_non_null(solo_action(s, GP_MSG_INTRODUCE, 1, 0));
    uint32_t again = 0;
    gp_usec_t end = s->now + s->config.introduce_limit + 5 * GP_SECOND;
    while (s->now < end) {
        again += solo_run_to(s, end - s->now, GP_MSG_INTRODUCE) ? 1 : 0;
    }
    assert_true(again >= 50 && again <= 61); /* until the limit */
    assert_null(solo_entry(s, 40));          /* nobody took it: forgotten */
    solo_free(s);

    s = solo_leading(4);
    solo_command(s, &msg);
    assert_int_equal(solo_entry(s, 40)->shown.state,
                     GP_MEMBER_UNKNOWN); /* here; but not told yet */
    assert_false(solo_entry(s, 40)->in_view);
    gp_usec_t from = s->now;
    assert_true(solo_run_to(s, GP_SECOND, GP_MSG_VIEW));
    assert_int_equal(s->now - from, s->config.admit_hold);
    assert_int_equal(solo_entry(s, 40)->ruled_state, GP_MEMBER_UNKNOWN);
    assert_int_equal(solo_entry(s, 40)->ruled_cause, GP_CAUSE_JOINED);
    solo_free(s);

    s = solo_leading(4);
    solo_command(s, &msg);
    gp_msg_t seek = seek_of(40, 1 << 16);
    solo_message(s, 40, &seek); /* it speaks itself: one view tells it all */
    const gp_action_t *a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.view.entries_count, 1);
    assert_int_equal(a->msg->u.view.entries[0].state, GP_MEMBER_ALIVE);
    assert_memory_equal(a->msg->u.view.entries[0].address.p, "a040", 4);
    assert_false(solo_run_to(s, GP_SECOND, GP_MSG_VIEW));
    solo_free(s);

    s = solo_leading(4);
    gp_msg_t wire = {.kind = GP_MSG_INTRODUCE};
    wire.u.introduce.group = SOLO_GROUP;
    wire.u.introduce.entries[wire.u.introduce.entries_count++] = solo_record(40, GP_MEMBER_ALIVE);
    solo_message(s, 50, &wire); /* by a stranger */
    assert_null(solo_entry(s, 40));
    solo_message(s, 2, &wire);
    solo_run_to(s, GP_SECOND, GP_MSG_VIEW);
    assert_int_equal(solo_entry(s, 40)->ruled_state, GP_MEMBER_UNKNOWN); /* it speaks for itself */
    assert_int_equal(solo_entry(s, 40)->shown.incarnation, 0);
    solo_free(s);
}

static void test_a_full_table_still_says_who_leads(void **state)
{
    (void)state;
    solo_t *s = solo_started(GP_MEMBERS_MAX - 1);
    solo_leader(s, 1, 2, 1, GP_RIGHT_QUORUM);
    gp_msg_t msg = seek_of(100, 1 << 16);
    solo_message(s, 100, &msg);
    assert_non_null(solo_action(s, GP_MSG_REFUSED, SOLO_ANY, 0));
    assert_non_null(solo_action(s, GP_MSG_SEEK_REPLY, 100, 0));
    solo_free(s);
}

/* The seeker's table may be as full, with no place for the leader: it cannot turn to it itself. */
static void test_a_full_table_forwards_who_seeks(void **state)
{
    (void)state;
    solo_t *s = solo_started(GP_MEMBERS_MAX - 1);
    solo_leader(s, 1, 2, 1, GP_RIGHT_QUORUM);
    gp_msg_t msg = seek_of(100, 1 << 16);
    for (int i = 0; i < 2; i++) {
        solo_message(s, 100, &msg);
        const gp_action_t *a = solo_action(s, GP_MSG_INTRODUCE, 1, 0);
        assert_non_null(a);
        const gp_record_member_t *told = &a->msg->u.introduce.entries[0];
        assert_int_equal(a->msg->u.introduce.entries_count, 1);
        const gp_id_t seeker = solo_id(100);
        assert_true(gp_id_equal(&told->id, &seeker));
        assert_true(gp_slice_equal(told->address, msg.u.seek.address));
        solo_message(s, 100, &msg);
        assert_null(solo_action(s, GP_MSG_INTRODUCE, SOLO_ANY, 0)); /* not for each that comes */
        s->now += GP_SECOND / 2;
    }
    solo_leader(s, 0, 2, 2, GP_RIGHT_NONE);
    solo_message(s, 100, &msg);
    assert_null(solo_action(s, GP_MSG_INTRODUCE, SOLO_ANY, 0)); /* to nobody */
    solo_free(s);
}

/* Who makes room is told of by its own name, although a newcomer has its place in the same step. */
static void test_the_forgotten_keeps_its_name_in_the_view(void **state)
{
    (void)state;
    solo_t *s = solo_leading(GP_MEMBERS_MAX - 1);
    const gp_record_member_t old = solo_record(7, GP_MEMBER_ALIVE);
    gp_msg_t leave = {.kind = GP_MSG_LEAVE};
    leave.u.leave.group = SOLO_GROUP;
    leave.u.leave.incarnation = solo_incarnation(7);
    leave.u.leave.forever = true;
    solo_message(s, 7, &leave);
    solo_entry(s, 7)->identity = true; /* its name is not told yet */
    gp_msg_t msg = seek_of(100, 1 << 16);
    solo_message(s, 100, &msg);
    assert_null(solo_entry(s, 7));
    assert_non_null(solo_entry(s, 100));
    const gp_action_t *cast = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_non_null(cast);
    const gp_record_member_t *told = NULL;
    for (uint32_t i = 0; i < cast->msg->u.view.entries_count; i++) {
        const gp_record_member_t *entry = &cast->msg->u.view.entries[i];
        told = gp_id_equal(&entry->id, &old.id) ? entry : told;
    }
    assert_non_null(told);
    assert_int_equal(told->state, GP_MEMBER_NONE);
    assert_true(gp_slice_equal(told->name, old.name));
    assert_true(gp_slice_equal(told->address, old.address));
    solo_free(s);
}

static void test_a_caretaker_seeks_the_majority(void **state)
{
    (void)state;
    solo_t *s = solo_leading(6);
    solo_leader(s, 0, 1, 1, GP_RIGHT_CARETAKER);
    assert_true(solo_run_to(s, GP_SECOND, GP_MSG_SEEK) || true);
    gp_usec_t end = s->now + 20 * GP_SECOND;
    bool asked[7] = {false};
    while (s->now < end) {
        solo_run_to(s, 100 * GP_MSEC, GP_MSG_SEEK);
        for (uint32_t i = 1; i <= 6; i++) {
            asked[i] = asked[i] || solo_action(s, GP_MSG_SEEK, i, 0) != NULL;
        }
        solo_answer(s, 1);
        solo_answer(s, 2);
    }
    assert_false(asked[1] || asked[2]); /* these are here */
    assert_true(asked[3] && asked[4] && asked[5] && asked[6]);
    solo_free(s);
}

static gp_msg_t reply_of(uint32_t leader)
{
    gp_msg_t msg = {.kind = GP_MSG_SEEK_REPLY};
    msg.u.seek_reply = (gp_msg_seek_reply_t){
        .group = SOLO_GROUP, .leader = solo_id(leader), .term = 3, .right = GP_RIGHT_QUORUM};
    return msg;
}

/* Who has no address can neither be sought nor be introduced to anybody. */
static void test_machines_without_an_address(void **state)
{
    (void)state;
    solo_t *s = solo_started(4);
    gp_msg_t seek = seek_of(30, 1 << 16);
    seek.u.seek.address.n = 0;
    solo_message(s, 30, &seek);
    assert_non_null(solo_entry(s, 30));
    gp_msg_t reply = reply_of(30);
    reply.u.seek_reply.entries[reply.u.seek_reply.entries_count++] =
        solo_record(31, GP_MEMBER_ALIVE);
    reply.u.seek_reply.entries[0].address.n = 0;
    solo_message(s, 2, &reply);
    assert_null(solo_action(s, GP_MSG_SEEK, 30, 0));
    assert_null(solo_entry(s, 31));
    solo_leader(s, 1, 2, 3, GP_RIGHT_QUORUM);
    assert_false(solo_entry(s, 30)->introduce);
    assert_null(solo_action(s, GP_MSG_INTRODUCE, SOLO_ANY, 0));
    solo_free(s);
}

static void test_a_full_table_takes_no_hearsay(void **state)
{
    (void)state;
    solo_t *s = solo_leading(GP_MEMBERS_MAX - 1);
    gp_msg_t reply = reply_of(1);
    reply.u.seek_reply.entries[reply.u.seek_reply.entries_count++] =
        solo_record(100, GP_MEMBER_ALIVE);
    solo_message(s, 2, &reply);
    assert_null(solo_entry(s, 100));
    gp_msg_t msg = {.kind = GP_MSG_INTRODUCE};
    msg.u.introduce.group = SOLO_GROUP;
    msg.u.introduce.entries[msg.u.introduce.entries_count++] = solo_record(100, GP_MEMBER_ALIVE);
    solo_message(s, 2, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_REFUSED, SOLO_ANY, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.refused.error, GP_E_GROUP_FULL);
    assert_int_equal(gp_group_count(s->core), GP_MEMBERS_MAX);
    solo_free(s);
}

/* The election may name one that the table does not have, or one as leader and deputy. */
static void test_answers_name_whom_they_know(void **state)
{
    (void)state;
    solo_t *s = solo_following(3);
    gp_msg_t seek = seek_of(3, solo_incarnation(3));
    solo_leader(s, 1, 1, 2, GP_RIGHT_QUORUM);
    solo_message(s, 3, &seek);
    const gp_action_t *a = solo_action(s, GP_MSG_SEEK_REPLY, 3, 0);
    assert_int_equal(a->msg->u.seek_reply.entries_count, 1);
    solo_leader(s, 30, SOLO_ANY, 3, GP_RIGHT_QUORUM);
    solo_message(s, 3, &seek);
    a = solo_action(s, GP_MSG_SEEK_REPLY, 3, 0);
    assert_int_equal(a->msg->u.seek_reply.entries_count, 0);
    gp_id_t leader = solo_id(30);
    assert_true(gp_id_equal(&a->msg->u.seek_reply.leader, &leader));
    solo_free(s);
}

/* Sent before it left, and come after: it stays away, and is shown so. */
static void test_a_late_seek_does_not_bring_back_who_left(void **state)
{
    (void)state;
    solo_t *s = solo_leading(4);
    gp_msg_t leave = {.kind = GP_MSG_LEAVE};
    leave.u.leave.group = SOLO_GROUP;
    leave.u.leave.incarnation = solo_incarnation(3);
    solo_message(s, 3, &leave);
    gp_msg_t seek = seek_of(3, solo_incarnation(3));
    seek.u.seek.flags = GP_FLAG_LEAVING;
    seek.u.seek.term = gp_group_view_term(s->core);
    seek.u.seek.number = gp_group_view_number(s->core);
    solo_message(s, 3, &seek);
    assert_int_equal(solo_entry(s, 3)->ruled_state, GP_MEMBER_LEFT);
    assert_true(solo_entry(s, 3)->left_seen);
    const gp_action_t *a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_non_null(a);
    assert_true(a->msg->u.view.full);
    solo_free(s);
}

/* Introduced again, a member is news only if it has changed. */
static void test_introducing_a_member(void **state)
{
    (void)state;
    gp_msg_t msg = {.kind = GP_MSG_GROUP_INTRODUCE};
    solo_t *s = solo_leading(4);
    s->now += 100 * GP_MSEC;
    solo_command(s, &msg); /* nobody */
    assert_null(solo_action(s, GP_MSG_REFUSED, SOLO_ANY, 0));
    msg.u.group_introduce.entries[msg.u.group_introduce.entries_count++] =
        solo_record(3, GP_MEMBER_ALIVE);
    solo_command(s, &msg);
    assert_null(solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0));
    assert_false(s->core->pending);
    msg.u.group_introduce.entries[0].address = gp_text("b003");
    solo_command(s, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_non_null(a);
    assert_true(gp_slice_equal(a->msg->u.view.entries[0].address, gp_text("b003")));
    solo_free(s);

    s = solo_following(4);
    msg.u.group_introduce.entries[0] = solo_record(0, GP_MEMBER_ALIVE);
    solo_command(s, &msg);
    assert_null(solo_action(s, GP_MSG_SEEK, SOLO_ANY, 0)); /* nothing new of itself */
    msg.u.group_introduce.entries[0] = solo_record(3, GP_MEMBER_ALIVE);
    solo_command(s, &msg);
    assert_null(solo_action(s, GP_MSG_INTRODUCE, SOLO_ANY, 0));
    msg.u.group_introduce.entries[0].address = gp_text("b003");
    solo_command(s, &msg);
    a = solo_action(s, GP_MSG_INTRODUCE, 1, 0);
    assert_non_null(a);
    assert_true(gp_slice_equal(a->msg->u.introduce.entries[0].address, gp_text("b003")));
    solo_leader(s, 0, 2, 2, GP_RIGHT_QUORUM); /* now there is nobody to introduce it to */
    gp_usec_t end = s->now + s->config.introduce_limit + GP_SECOND;
    while (s->now < end) {
        assert_false(solo_run_to(s, end - s->now, GP_MSG_INTRODUCE));
    }
    assert_false(solo_entry(s, 3)->introduce);
    solo_free(s);
}

static void test_an_introduction_outlives_the_leader(void **state)
{
    (void)state;
    solo_t *s = solo_following(4);
    gp_msg_t msg = {.kind = GP_MSG_GROUP_INTRODUCE};
    msg.u.group_introduce.entries[msg.u.group_introduce.entries_count++] =
        solo_record(40, GP_MEMBER_UNKNOWN);
    solo_command(s, &msg);
    assert_non_null(solo_action(s, GP_MSG_INTRODUCE, 1, 0));
    solo_leader(s, 3, 2, 2, GP_RIGHT_QUORUM);
    assert_non_null(solo_action(s, GP_MSG_INTRODUCE, 3, 0));
    solo_free(s);
}

static void test_introducing_again_does_not_put_off(void **state)
{
    (void)state;
    solo_t *s = solo_leading(4);
    gp_msg_t msg = {.kind = GP_MSG_GROUP_INTRODUCE};
    msg.u.group_introduce.entries[msg.u.group_introduce.entries_count++] =
        solo_record(40, GP_MEMBER_UNKNOWN);
    solo_command(s, &msg);
    gp_usec_t until = solo_entry(s, 40)->hold_until;
    assert_int_equal(until, s->now + s->config.admit_hold);
    s->now += 5 * GP_MSEC;
    solo_command(s, &msg);
    assert_int_equal(solo_entry(s, 40)->hold_until, until);
    solo_free(s);
    s = solo_leading(GP_MEMBERS_MAX - 1); /* and where there is no room it is refused */
    msg.u.group_introduce.entries[0] = solo_record(100, GP_MEMBER_UNKNOWN);
    solo_command(s, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_REFUSED, SOLO_ANY, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.refused.error, GP_E_GROUP_FULL);
    solo_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeks_at_once_and_for_ever),
        cmocka_unit_test(test_the_leader_is_asked_directly),
        cmocka_unit_test(test_a_settled_member_does_not_seek),
        cmocka_unit_test(test_the_leader_of_the_disk_is_sought_first),
        cmocka_unit_test(test_being_sought_by_a_known_member),
        cmocka_unit_test(test_being_sought_by_a_stranger),
        cmocka_unit_test(test_the_leader_takes_in),
        cmocka_unit_test(test_a_new_address_is_told),
        cmocka_unit_test(test_own_new_certificate_is_presented),
        cmocka_unit_test(test_what_is_sent_does_not_change_in_the_same_step),
        cmocka_unit_test(test_introducing),
        cmocka_unit_test(test_a_full_table_still_says_who_leads),
        cmocka_unit_test(test_a_full_table_forwards_who_seeks),
        cmocka_unit_test(test_the_forgotten_keeps_its_name_in_the_view),
        cmocka_unit_test(test_a_caretaker_seeks_the_majority),
        cmocka_unit_test(test_machines_without_an_address),
        cmocka_unit_test(test_a_full_table_takes_no_hearsay),
        cmocka_unit_test(test_answers_name_whom_they_know),
        cmocka_unit_test(test_a_late_seek_does_not_bring_back_who_left),
        cmocka_unit_test(test_introducing_a_member),
        cmocka_unit_test(test_an_introduction_outlives_the_leader),
        cmocka_unit_test(test_introducing_again_does_not_put_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
