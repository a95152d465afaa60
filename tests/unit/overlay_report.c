/* What a core tells: members, standings, links, the record on disk; what it loads. */
#include "tests/unit/overlay_solo.h"
#include "tests/unit/proto_cmocka.h"

static void test_each_change_once(void **state)
{
    (void)state;
    solo_t *s = solo_started(3);
    uint32_t n = 0;
    while (solo_action(s, GP_MSG_MEMBER, SOLO_ANY, n) != NULL) {
        const gp_msg_member_t *m = &solo_action(s, GP_MSG_MEMBER, SOLO_ANY, n)->msg->u.member;
        assert_int_equal(m->before, GP_MEMBER_NONE);
        bool self = m->entries[0].id.b[2] == 0;
        assert_int_equal(m->entries[0].state, self ? GP_MEMBER_ALIVE : GP_MEMBER_UNKNOWN);
        n++;
    }
    assert_int_equal(n, 4);
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_null(solo_action(s, GP_MSG_MEMBER, SOLO_ANY, 0));
    solo_free(s);
}

static void test_loading(void **state)
{
    (void)state;
    solo_t *s = solo_new(5);
    assert_int_equal(gp_group_count(s->core), 6);
    assert_int_equal(solo_entry(s, 3)->ruled_state, GP_MEMBER_UNKNOWN); /* not proven */
    assert_int_equal(solo_entry(s, 3)->ruled_cause, GP_CAUSE_NO_LEADER);
    gp_msg_t other = {.kind = GP_MSG_GROUP_STATE};
    other.u.group_state.group = SOLO_GROUP + 1;
    other.u.group_state.entries[other.u.group_state.entries_count++] =
        solo_record(9, GP_MEMBER_ALIVE);
    solo_event(s, (gp_event_t){.type = GP_EVENT_LOAD, .msg = &other});
    assert_null(solo_entry(s, 9)); /* another group's */
    other.u.group_state.group = SOLO_GROUP;
    other.u.group_state.entries[0].state = GP_MEMBER_LEFT;
    other.u.group_state.entries[0].cause = GP_CAUSE_LEFT;
    solo_event(s, (gp_event_t){.type = GP_EVENT_LOAD, .msg = &other});
    assert_int_equal(solo_entry(s, 9)->ruled_state, GP_MEMBER_LEFT);
    solo_event(s, (gp_event_t){.type = GP_EVENT_START});
    solo_run(s, s->now + 3 * GP_SECOND);
    assert_int_equal(s->core->store_dirty, false); /* nothing new to keep */
    solo_free(s);
}

static void test_storing_is_rare_and_last(void **state)
{
    (void)state;
    solo_t *s = solo_leading(2);
    uint32_t stores = 0;
    gp_usec_t last = 0;
    gp_usec_t end = s->now + 30 * GP_SECOND;
    uint32_t number = 10;
    while (s->now < end) {
        gp_msg_t msg = {.kind = GP_MSG_GROUP_INTRODUCE};
        msg.u.group_introduce.entries[msg.u.group_introduce.entries_count++] =
            solo_record(number, GP_MEMBER_UNKNOWN);
        if (number < 40) {
            number++;
            solo_command(s, &msg);
        }
        if (solo_run_to(s, 300 * GP_MSEC, GP_MSG_GROUP_STATE)) {
            const gp_action_t *a = solo_action(s, GP_MSG_GROUP_STATE, SOLO_ANY, 0);
            assert_ptr_equal(a, &s->out.actions[s->out.count - 1]);
            assert_true(a->msg->u.group_state.entries_count >= 3);
            assert_true(last == 0 || s->now - last >= s->config.store_period);
            last = s->now;
            stores++;
            bool ok = stores != 2; /* the disk fails once */
            solo_event(s, (gp_event_t){.type = GP_EVENT_STORED, .ok = ok});
        }
    }
    assert_true(stores >= 4 && stores <= 12);
    assert_false(s->core->store_dirty);
    solo_free(s);
}

static void test_nothing_is_stored_twice_at_a_time(void **state)
{
    (void)state;
    solo_t *s = solo_leading(2);
    gp_msg_t msg = {.kind = GP_MSG_GROUP_INTRODUCE};
    msg.u.group_introduce.entries[msg.u.group_introduce.entries_count++] =
        solo_record(10, GP_MEMBER_UNKNOWN);
    solo_command(s, &msg);
    assert_true(solo_run_to(s, 3 * GP_SECOND, GP_MSG_GROUP_STATE));
    msg.u.group_introduce.entries[0] = solo_record(11, GP_MEMBER_UNKNOWN);
    solo_command(s, &msg);
    assert_false(solo_run_to(s, 10 * GP_SECOND, GP_MSG_GROUP_STATE)); /* not answered yet */
    solo_event(s, (gp_event_t){.type = GP_EVENT_STORED, .ok = true});
    assert_true(solo_run_to(s, 3 * GP_SECOND, GP_MSG_GROUP_STATE));
    solo_free(s);
}

static void test_links(void **state)
{
    (void)state;
    solo_t *s = solo_following(6);            /* leader 1, deputy 2, ring neighbours 1 and 6 */
    assert_int_equal(s->core->link_count, 2); /* newcomers do not make neighbours at once */
    gp_group_ring_choose(s->core);
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_int_equal(s->core->link_count, 3);
    solo_leader(s, 1, 4, 1, GP_RIGHT_QUORUM);
    const gp_action_t *a = solo_plain(s, GP_ACTION_LINK, 4);
    assert_int_equal(a->token, 1);
    a = solo_plain(s, GP_ACTION_LINK, 2);
    assert_int_equal(a->token, 0);
    gp_msg_t msg = {.kind = GP_MSG_VIEW};
    msg.u.view = (gp_msg_view_t){.group = SOLO_GROUP, .term = 1, .number = 8};
    msg.u.view.entries[msg.u.view.entries_count++] = solo_record(6, GP_MEMBER_UNAVAILABLE);
    solo_message(s, 1, &msg);
    a = solo_plain(s, GP_ACTION_LINK, 6);
    assert_int_equal(a->token, 0);
    a = solo_plain(s, GP_ACTION_LINK, 5);
    assert_int_equal(a->token, 1);
    assert_non_null(solo_plain(s, GP_ACTION_DIAL, 5)); /* may have fallen with its neighbour */
    solo_free(s);
}

static uint32_t count_standings(solo_t *s, gp_usec_t length, bool beat)
{
    uint32_t n = 0;
    gp_usec_t end = s->now + length;
    while (s->now < end) {
        n += solo_run_to(s, 100 * GP_MSEC, GP_MSG_STANDINGS) ? 1 : 0;
        solo_answer_all(s);
        if (beat) {
            gp_msg_t msg = {.kind = GP_MSG_BEAT};
            msg.u.beat = (gp_msg_beat_t){.group = SOLO_GROUP,
                                         .term = 1,
                                         .number = 7,
                                         .digest = s->core->view_digest,
                                         .role = 1};
            solo_message(s, 1, &msg);
            n += solo_action(s, GP_MSG_STANDINGS, SOLO_ANY, 0) != NULL;
        }
    }
    return n;
}

static void test_standings(void **state)
{
    (void)state;
    solo_t *s = solo_leading(4);
    uint32_t n = count_standings(s, 10 * GP_SECOND, false);
    assert_true(n >= 8 && n <= 12);
    const gp_action_t *a = solo_action(s, GP_MSG_STANDINGS, SOLO_ANY, 0);
    while (a == NULL) {
        solo_run_to(s, 100 * GP_MSEC, GP_MSG_STANDINGS);
        if (solo_action(s, GP_MSG_STANDINGS, SOLO_ANY, 0) == NULL) {
            solo_answer_all(s);
        }
        a = solo_action(s, GP_MSG_STANDINGS, SOLO_ANY, 0);
    }
    assert_int_equal(a->msg->u.standings.members_count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        const gp_record_standing_t *m = &a->msg->u.standings.members[i];
        assert_true(m->reached && m->state == GP_MEMBER_ALIVE && m->score == 600);
    }
    solo_free(s);
    s = solo_following(4); /* an idle member has nothing to say */
    count_standings(s, GP_SECOND, true);
    assert_int_equal(count_standings(s, 20 * GP_SECOND, true), 0);
    solo_free(s);
}

static void test_a_silent_leader_is_not_reached(void **state)
{
    (void)state;
    solo_t *s = solo_following(4);
    gp_usec_t end = s->now + 10 * GP_SECOND;
    bool said = false;
    while (s->now < end && !said) {
        if (solo_run_to(s, GP_SECOND, GP_MSG_STANDINGS)) {
            const gp_action_t *a = solo_action(s, GP_MSG_STANDINGS, SOLO_ANY, 0);
            said = !a->msg->u.standings.members[1].reached;
        }
    }
    assert_true(said);
    gp_msg_t msg = {.kind = GP_MSG_BEAT};
    msg.u.beat = (gp_msg_beat_t){
        .group = SOLO_GROUP, .term = 1, .number = 7, .digest = s->core->view_digest, .role = 1};
    solo_message(s, 1, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_STANDINGS, SOLO_ANY, 0);
    assert_non_null(a);
    assert_true(a->msg->u.standings.members[1].reached);
    solo_free(s);
}

static void test_the_named_leader_is_alive(void **state)
{
    (void)state;
    solo_t *s = solo_started(4);
    assert_int_equal(solo_entry(s, 2)->shown.state, GP_MEMBER_UNKNOWN);
    solo_leader(s, 2, 3, 1, GP_RIGHT_QUORUM); /* its view comes later */
    assert_int_equal(solo_entry(s, 2)->shown.state, GP_MEMBER_ALIVE);
    assert_int_equal(solo_entry(s, 3)->shown.state, GP_MEMBER_UNKNOWN);
    solo_free(s);
}

static void disk(solo_t *s, bool failing)
{
    gp_msg_t msg = {.kind = GP_MSG_GROUP_DISK};
    msg.u.group_disk.failing = failing;
    solo_command(s, &msg);
}

static void stored(solo_t *s, bool ok)
{
    solo_event(s, (gp_event_t){.type = GP_EVENT_STORED, .room = GP_ROOM_GROUP, .ok = ok});
}

/* Runs until something is written, for two periods at most. */
static bool writes(solo_t *s)
{
    gp_usec_t end = s->now + 2 * s->config.store_period;
    while (gp_group_ops.wake(s->core) <= end) {
        gp_usec_t wake = gp_group_ops.wake(s->core);
        s->now = wake > s->now ? wake : s->now;
        solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
        if (solo_action(s, GP_MSG_GROUP_TRY, SOLO_ANY, 0) != NULL ||
            solo_action(s, GP_MSG_GROUP_STATE, SOLO_ANY, 0) != NULL) {
            return true;
        }
    }
    return false;
}

/* It is tried again and again, so that somebody sees when it is well. */
static void test_a_failing_disk_is_told_and_tried(void **state)
{
    (void)state;
    solo_t *s = solo_following(3);
    stored(s, true); /* the record of its beginning */
    disk(s, true);
    assert_int_equal(solo_action(s, GP_MSG_SEEK, 1, 0)->msg->u.seek.flags, GP_FLAG_FAILING);
    gp_msg_t msg = {.kind = GP_MSG_GROUP_SELF};
    msg.u.group_self.flags = GP_FLAG_LEAVING; /* the shell knows nothing of it */
    solo_command(s, &msg);
    assert_int_equal(solo_action(s, GP_MSG_SEEK, 1, 0)->msg->u.seek.flags,
                     GP_FLAG_FAILING | GP_FLAG_LEAVING);
    for (int i = 0; i < 4; i++) {
        assert_true(writes(s));
        stored(s, i >= 2);
    }
    disk(s, false);
    assert_int_equal(solo_action(s, GP_MSG_SEEK, 1, 0)->msg->u.seek.flags, GP_FLAG_LEAVING);
    solo_free(s);
    s = solo_leading(3);
    disk(s, true);
    assert_int_equal(solo_entry(s, 0)->shown.flags, GP_FLAG_FAILING | GP_FLAG_SEEN);
    solo_free(s);
}

static void test_a_voter_tries_its_disk(void **state)
{
    (void)state;
    for (uint32_t voters = 0; voters < 2; voters++) {
        solo_t *s = solo_following(3);
        s->core->leader.voter_count = voters;
        s->core->leader.voters[0] = s->core->self;
        stored(s, true); /* the record of its beginning */
        s->core->store_dirty = false;
        gp_usec_t wrote_at = s->core->tried_at;
        gp_usec_t at = gp_group_try_at(s->core);
        assert_true(at == (voters == 0 ? GP_NEVER : wrote_at + s->config.try_period));
        assert_true(gp_group_ops.wake(s->core) <= at);
        solo_free(s);
    }
}

/* The word may have been lost with its link. */
static void test_what_the_leader_did_not_take_is_said_again(void **state)
{
    (void)state;
    for (int failing = 0; failing < 2; failing++) {
        solo_t *s = solo_following(3);
        uint32_t said = 0;
        if (failing == 1) {
            disk(s, true);
        }
        gp_usec_t end = s->now + s->config.ring_period;
        gp_msg_t beat = {.kind = GP_MSG_BEAT};
        beat.u.beat = (gp_msg_beat_t){
            .group = SOLO_GROUP, .term = 1, .number = 7, .digest = s->core->view_digest, .role = 1};
        while (s->now < end) {
            gp_usec_t wake = gp_group_ops.wake(s->core);
            s->now = wake > s->now ? wake : s->now;
            solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
            const gp_action_t *a = solo_action(s, GP_MSG_SEEK, 1, 0);
            said += a != NULL && a->msg->u.seek.flags == GP_FLAG_FAILING ? 1 : 0;
            solo_answer_all(s);
            solo_message(s, 1, &beat);
        }
        assert_int_equal(said > 0, failing);
        solo_free(s);
    }
}

static void test_unknown_commands(void **state)
{
    (void)state;
    solo_t *s = solo_started(1);
    gp_msg_t msg = {.kind = GP_MSG_DISCOVERY_LEADER};
    solo_command(s, &msg);
    assert_non_null(solo_action(s, GP_MSG_REFUSED, SOLO_ANY, 0));
    solo_free(s);
}

static void test_own_flags(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    gp_msg_t msg = {.kind = GP_MSG_GROUP_SELF};
    msg.u.group_self.health = 1000;
    msg.u.group_self.headroom = 700;
    msg.u.group_self.flags = GP_FLAG_LEAVING;
    solo_command(s, &msg);
    solo_run_to(s, 50 * GP_MSEC, GP_MSG_VIEW);
    assert_int_equal(solo_entry(s, 0)->shown.flags, GP_FLAG_LEAVING | GP_FLAG_SEEN);
    solo_free(s);
    s = solo_following(3);
    solo_command(s, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_SEEK, 1, 0); /* the leader is told */
    assert_non_null(a);
    assert_int_equal(a->msg->u.seek.flags, GP_FLAG_LEAVING);
    solo_free(s);
}

static void test_configurations(void **state)
{
    (void)state;
    gp_group_config_t config;
    gp_group_defaults(&config);
    assert_int_equal(gp_group_ops.size(&config), 0); /* no boot epoch */
    config.boot = 1;
    size_t whole = gp_group_ops.size(&config);
    assert_true(whole > 0);
    config.cert_max = 0;
    assert_int_equal(gp_group_ops.size(&config), whole - GP_MEMBERS_MAX * GP_CERT_MAX);
    config.members_max = GP_MEMBERS_MAX + 1;
    assert_int_equal(gp_group_ops.size(&config), 0);
    config.members_max = 0;
    assert_int_equal(gp_group_ops.size(&config), 0);
    config.members_max = 8;
    config.boot = UINT64_MAX;
    assert_int_equal(gp_group_ops.size(&config), 0);
    static const struct {
        size_t offset;
        uint64_t value;
    } bad[] = {
        {offsetof(gp_group_config_t, beat_period), 8 * GP_MSEC - 1},
        {offsetof(gp_group_config_t, beat_timeout), 0},
        {offsetof(gp_group_config_t, confirm_window), 0},
        {offsetof(gp_group_config_t, seek_min), 3},
        {offsetof(gp_group_config_t, seek_max), 99 * GP_MSEC},
        {offsetof(gp_group_config_t, ring_period), 7},
        {offsetof(gp_group_config_t, pull_period), 3},
        {offsetof(gp_group_config_t, boot), (UINT64_C(1) << 47) + 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        gp_group_defaults(&config);
        config.boot = 1;
        memcpy((uint8_t *)&config + bad[i].offset, &bad[i].value, sizeof bad[i].value);
        assert_int_equal(gp_group_ops.size(&config), 0);
    }
    static const char longer[GP_ADDRESS_MAX + GP_NAME_MAX] = "text";
    gp_group_defaults(&config);
    config.boot = 1;
    config.cert_max = GP_CERT_MAX + 1;
    assert_int_equal(gp_group_ops.size(&config), 0);
    config.cert_max = GP_CERT_MAX;
    config.name = gp_slice(longer, GP_NAME_MAX + 1);
    assert_int_equal(gp_group_ops.size(&config), 0);
    config.name.n = GP_NAME_MAX;
    config.address = gp_slice(longer, GP_ADDRESS_MAX + 1);
    assert_int_equal(gp_group_ops.size(&config), 0);
    config.address.n = GP_ADDRESS_MAX;
    assert_int_equal(gp_group_ops.size(&config), whole);
}

static void test_a_record_of_more_than_fit(void **state)
{
    (void)state;
    solo_t *s = solo_new(40);
    gp_msg_t msg = {.kind = GP_MSG_GROUP_STATE};
    msg.u.group_state.group = SOLO_GROUP;
    for (uint32_t i = 41; i <= 80; i++) {
        msg.u.group_state.entries[msg.u.group_state.entries_count++] =
            solo_record(i, GP_MEMBER_ALIVE);
    }
    solo_event(s, (gp_event_t){.type = GP_EVENT_LOAD, .msg = &msg});
    assert_int_equal(gp_group_count(s->core), GP_MEMBERS_MAX);
    assert_non_null(solo_entry(s, 63)); /* the first ones */
    assert_null(solo_entry(s, 64));
    msg.kind = GP_MSG_ELECTION_STATE; /* another room's record */
    s->core->view_number = 3;
    solo_event(s, (gp_event_t){.type = GP_EVENT_LOAD, .msg = &msg});
    assert_int_equal(gp_group_view_number(s->core), 3);
    solo_free(s);
}

static void test_nothing_happens_before_the_start(void **state)
{
    (void)state;
    solo_t *s = solo_new(3);
    gp_msg_t msg = {.kind = GP_MSG_PROBE};
    msg.u.probe.group = SOLO_GROUP;
    solo_message(s, 2, &msg);
    assert_int_equal(s->out.count, 0);
    gp_id_t two = solo_id(2);
    gp_group_heard(s->core, &two, s->now);
    assert_int_equal(solo_entry(s, 2)->shown.heard_at, 0);
    assert_true(gp_group_ops.wake(s->core) == GP_NEVER);
    solo_free(s);
}

static void test_messages_that_are_not_for_this_room(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    gp_msg_t msg = {.kind = GP_MSG_LEASE};
    msg.u.lease.group = SOLO_GROUP;
    solo_message(s, 2, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_REFUSED, SOLO_ANY, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.refused.error, GP_E_MESSAGE_KIND);
    msg = (gp_msg_t){.kind = GP_MSG_PROBE};
    msg.u.probe.group = SOLO_GROUP;
    solo_message(s, 0, &msg); /* its own, come back */
    assert_int_equal(s->out.count, 0);
    solo_free(s);
}

static void test_a_leaders_new_certificate_is_told(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    gp_msg_t msg = {.kind = GP_MSG_GROUP_CERT};
    msg.u.group_cert.cert = gp_text("fresh certificate");
    s->now += 100 * GP_MSEC;
    solo_command(s, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_VIEW, SOLO_ANY, 0);
    assert_non_null(a);
    assert_int_equal(a->msg->u.view.entries_count, 1);
    assert_true(gp_slice_equal(a->msg->u.view.entries[0].cert, msg.u.group_cert.cert));
    solo_free(s);
}

/* A message of another room comes first after a freeze: that this room is late must be seen still.
 */
static void test_being_heard_does_not_hide_lateness(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    gp_usec_t wake = gp_group_ops.wake(s->core);
    s->now = wake + GP_SECOND;
    gp_id_t two = solo_id(2);
    solo_entry(s, 2)->shown.heard_at = 0;
    gp_group_heard(s->core, &two, s->now);
    assert_true(s->core->poked);
    assert_int_equal(gp_group_ops.wake(s->core), wake);
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_non_null(solo_action(s, GP_MSG_LATE, SOLO_ANY, 0));
    solo_free(s);
}

static void test_a_neighbour_that_is_forgotten_gets_a_successor(void **state)
{
    (void)state;
    solo_t *s = solo_following(6);
    gp_group_ring_choose(s->core);
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    gp_msg_t msg = {.kind = GP_MSG_VIEW};
    msg.u.view = (gp_msg_view_t){.group = SOLO_GROUP, .term = 1, .number = 8};
    msg.u.view.entries[msg.u.view.entries_count++] = solo_record(6, GP_MEMBER_NONE);
    solo_message(s, 1, &msg);
    assert_null(solo_entry(s, 6));
    const gp_action_t *a = solo_plain(s, GP_ACTION_LINK, 6);
    assert_int_equal(a->token, 0);
    a = solo_plain(s, GP_ACTION_LINK, 5);
    assert_int_equal(a->token, 1);
    solo_free(s);
}

static void test_a_followers_new_certificate_is_presented(void **state)
{
    (void)state;
    solo_t *s = solo_following(3);
    gp_msg_t msg = {.kind = GP_MSG_GROUP_CERT};
    msg.u.group_cert.cert = gp_text("fresh certificate");
    solo_command(s, &msg);
    const gp_action_t *a = solo_action(s, GP_MSG_SEEK, 1, 0);
    assert_non_null(a);
    assert_true(gp_slice_equal(a->msg->u.seek.cert, msg.u.group_cert.cert));
    solo_free(s);
}

static void test_the_forgotten_is_not_loaded(void **state)
{
    (void)state;
    solo_t *s = solo_new(1);
    gp_msg_t msg = {.kind = GP_MSG_GROUP_STATE};
    msg.u.group_state.group = SOLO_GROUP;
    msg.u.group_state.entries[msg.u.group_state.entries_count++] = solo_record(9, GP_MEMBER_NONE);
    solo_event(s, (gp_event_t){.type = GP_EVENT_LOAD, .msg = &msg});
    assert_null(solo_entry(s, 9));
    solo_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failing_disk_is_told_and_tried),
        cmocka_unit_test(test_what_the_leader_did_not_take_is_said_again),
        cmocka_unit_test(test_a_voter_tries_its_disk),
        cmocka_unit_test(test_each_change_once),
        cmocka_unit_test(test_loading),
        cmocka_unit_test(test_storing_is_rare_and_last),
        cmocka_unit_test(test_nothing_is_stored_twice_at_a_time),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_standings),
        cmocka_unit_test(test_a_silent_leader_is_not_reached),
        cmocka_unit_test(test_the_named_leader_is_alive),
        cmocka_unit_test(test_unknown_commands),
        cmocka_unit_test(test_own_flags),
        cmocka_unit_test(test_configurations),
        cmocka_unit_test(test_a_record_of_more_than_fit),
        cmocka_unit_test(test_nothing_happens_before_the_start),
        cmocka_unit_test(test_messages_that_are_not_for_this_room),
        cmocka_unit_test(test_a_leaders_new_certificate_is_told),
        cmocka_unit_test(test_being_heard_does_not_hide_lateness),
        cmocka_unit_test(test_a_neighbour_that_is_forgotten_gets_a_successor),
        cmocka_unit_test(test_a_followers_new_certificate_is_presented),
        cmocka_unit_test(test_the_forgotten_is_not_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
