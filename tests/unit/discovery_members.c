/* The index: members that come and go, records that arrive late, twice or not at all. */
#include <stdlib.h>

#include "discovery_driver.h"

static driver_grid_t grid;

static int set_up(void **state)
{
    (void)state;
    driver_grid_quiet(&grid, 4);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    driver_grid_free(&grid);
    return 0;
}

typedef struct told {
    uint64_t incarnation;
    uint32_t version;
    bool whole;
    uint64_t cpu; /* 0: no attribute at all */
} told_t;

static void tell(uint32_t to, uint32_t from, told_t t)
{
    static gp_msg_t msg;
    msg = (gp_msg_t){.kind = GP_MSG_RECORD};
    msg.u.record.group = 7;
    msg.u.record.incarnation = t.incarnation;
    msg.u.record.version = t.version;
    msg.u.record.whole = t.whole;
    if (t.cpu > 0) {
        msg.u.record.attrs_count = 1;
        msg.u.record.attrs[0] = (gp_record_attr_t){.attr = GP_ATTR_CPU, .number = t.cpu};
    }
    driver_message(&grid, to, &grid.nodes[from].id, &msg);
}

/* The processors that node 0 believes node `of` to have; 0: nothing is held. */
static uint64_t believed(uint32_t of)
{
    uint32_t lane;
    const gp_records_t *r = gp_discovery_record(grid.nodes[0].core, &grid.nodes[of].id, &lane);
    return r == NULL ? 0 : gp_records_number(r, lane, GP_ATTR_CPU);
}

static uint32_t asked(void)
{
    return grid.sent[GP_MSG_RECORD_ASK];
}

static void test_whole_then_deltas(void **state)
{
    (void)state;
    tell(0, 3, (told_t){.incarnation = 5, .version = 3, .whole = true, .cpu = 4});
    assert_int_equal(believed(3), 4);
    tell(0, 3, (told_t){.incarnation = 5, .version = 4, .cpu = 8});
    assert_int_equal(believed(3), 8);
    tell(0, 3, (told_t){.incarnation = 5, .version = 4, .cpu = 9}); /* a duplicate */
    tell(0, 3, (told_t){.incarnation = 5, .version = 2, .cpu = 9}); /* late */
    tell(0, 3, (told_t){.incarnation = 5, .version = 3, .whole = true, .cpu = 9});
    assert_int_equal(believed(3), 8);
    assert_int_equal(asked(), 0);
}

static void test_a_gap_is_asked_about(void **state)
{
    (void)state;
    tell(0, 3, (told_t){.incarnation = 5, .version = 3, .whole = true, .cpu = 4});
    tell(0, 3, (told_t){.incarnation = 5, .version = 5, .cpu = 9});
    assert_int_equal(believed(3), 4); /* the old value stays until the whole record comes */
    assert_int_equal(asked(), 1);
    assert_true(gp_id_equal(&grid.letters[0].to, &grid.nodes[3].id));
    tell(0, 3, (told_t){.incarnation = 5, .version = 5, .whole = true, .cpu = 9});
    assert_int_equal(believed(3), 9);
    grid.now += 10 * GP_SECOND;
    driver_wake(&grid, 0);
    assert_int_equal(asked(), 1 + 2); /* n2 and n3, which told nothing at all */
}

static void test_a_reminder_shows_what_was_lost(void **state)
{
    (void)state;
    tell(0, 3, (told_t){.incarnation = 5, .version = 3, .whole = true, .cpu = 4});
    tell(0, 3, (told_t){.incarnation = 5, .version = 3});
    assert_int_equal(asked(), 0);
    tell(0, 3, (told_t){.incarnation = 5, .version = 4});
    assert_int_equal(asked(), 1);
}

static void test_restarts(void **state)
{
    (void)state;
    tell(0, 3, (told_t){.incarnation = 5, .version = 3, .whole = true, .cpu = 4});
    tell(0, 3, (told_t){.incarnation = 6, .version = 1, .cpu = 9}); /* its whole one was lost */
    assert_int_equal(asked(), 1);
    assert_int_equal(believed(3), 4);
    tell(0, 3, (told_t){.incarnation = 6, .version = 1, .whole = true, .cpu = 8});
    assert_int_equal(believed(3), 8);
    tell(0, 3, (told_t){.incarnation = 5, .version = 9, .whole = true, .cpu = 4}); /* from before */
    tell(0, 3, (told_t){.incarnation = 5, .version = 4, .cpu = 4});
    assert_int_equal(believed(3), 8);
    assert_int_equal(asked(), 1);
}

/* A clock that was set back makes incarnations smaller: the group's news of it decides. */
static void test_the_group_tells_of_a_new_process(void **state)
{
    static gp_msg_t msg;
    (void)state;
    tell(0, 3, (told_t){.incarnation = 500, .version = 3, .whole = true, .cpu = 4});
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_MEMBER};
    msg.u.discovery_member.entries_count = 1;
    msg.u.discovery_member.entries[0] = (gp_record_member_t){
        .id = grid.nodes[3].id, .incarnation = 2, .state = GP_MEMBER_ALIVE, .name = gp_text("n4")};
    driver_command(&grid, 0, 0, &msg);
    assert_int_equal(believed(3), 4);
    tell(0, 3, (told_t){.incarnation = 400, .version = 1, .whole = true, .cpu = 8});
    assert_int_equal(believed(3), 8);
}

static void test_who_may_report(void **state)
{
    static gp_msg_t msg;
    (void)state;
    msg = (gp_msg_t){.kind = GP_MSG_RECORD};
    msg.u.record.whole = true;
    msg.u.record.group = 8; /* another group */
    driver_message(&grid, 0, &grid.nodes[3].id, &msg);
    msg.u.record.group = 7;
    const gp_id_t stranger = driver_id(99);
    driver_message(&grid, 0, &stranger, &msg);
    driver_message(&grid, 0, &grid.nodes[0].id, &msg); /* as if from itself */
    assert_int_equal(grid.nodes[0].core->standing_count[GP_STANDING_OFFERED], 0);
    uint32_t lane;
    tell(2, 3, (told_t){.incarnation = 5, .version = 3, .whole = true, .cpu = 4});
    assert_non_null(gp_discovery_record(grid.nodes[2].core, &grid.nodes[3].id, &lane));
    tell(1, 3, (told_t){.incarnation = 5, .version = 3, .whole = true, .cpu = 4});
    assert_non_null(gp_discovery_record(grid.nodes[1].core, &grid.nodes[3].id, &lane));
}

static void test_asking_again_and_less_often(void **state)
{
    gp_usec_t start = grid.now;
    uint32_t times = 0;
    (void)state;
    driver_leader(&grid, 2, 2, 2, UINT32_MAX, GP_RIGHT_QUORUM);
    assert_int_equal(asked(), 3);
    driver_lose(&grid);
    while (grid.now - start < 60 * GP_SECOND) {
        grid.now = gp_discovery_ops.wake(grid.nodes[2].core);
        driver_wake(&grid, 2);
        driver_lose(&grid);
        times += 1;
    }
    assert_in_range(times, 9, 14); /* 0.25 s, doubling, then each 8 s */
}

static void test_no_longer_a_reader(void **state)
{
    (void)state;
    tell(0, 3, (told_t){.incarnation = 5, .version = 3, .whole = true, .cpu = 4});
    driver_leader(&grid, 0, 2, 1, 2, GP_RIGHT_QUORUM);
    driver_leader(&grid, 0, 3, 0, 1, GP_RIGHT_QUORUM);
    assert_int_equal(believed(3), 4); /* a moment later it is as good as new */
    driver_leader(&grid, 0, 4, 1, 2, GP_RIGHT_QUORUM);
    grid.now += 10 * GP_SECOND;
    driver_leader(&grid, 0, 5, 0, 1, GP_RIGHT_QUORUM);
    assert_int_equal(believed(3), 0); /* it may have grown old */
    assert_int_equal(asked(), 5);     /* two that were never told, then all three */
}

static void test_forgotten_and_back(void **state)
{
    static gp_msg_t msg;
    (void)state;
    tell(0, 3, (told_t){.incarnation = 5, .version = 3, .whole = true, .cpu = 4});
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_MEMBER};
    msg.u.discovery_member.forgotten = true;
    msg.u.discovery_member.entries_count = 1;
    msg.u.discovery_member.entries[0] = (gp_record_member_t){.id = grid.nodes[3].id};
    driver_command(&grid, 0, 0, &msg);
    assert_int_equal(believed(3), 0);
    driver_command(&grid, 0, 0, &msg); /* twice is fine */
    msg.u.discovery_member.entries[0].id = grid.nodes[0].id;
    driver_command(&grid, 0, 0, &msg); /* nobody forgets itself */
    driver_member(&grid, 0, 3, GP_MEMBER_ALIVE);
    assert_int_equal(believed(3), 0);
    tell(0, 3, (told_t){.incarnation = 1, .version = 1, .whole = true, .cpu = 2});
    assert_int_equal(believed(3), 2);
}

static void test_flags(void **state)
{
    static gp_msg_t msg;
    gp_discovery_t *d = grid.nodes[0].core;
    (void)state;
    tell(0, 3, (told_t){.incarnation = 5, .version = 3, .whole = true, .cpu = 4});
    assert_int_equal(d->standing_count[GP_STANDING_OFFERED], 1);
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_MEMBER};
    msg.u.discovery_member.entries_count = 1;
    msg.u.discovery_member.entries[0] = (gp_record_member_t){.id = grid.nodes[3].id,
                                                             .incarnation = 1,
                                                             .state = GP_MEMBER_ALIVE,
                                                             .flags = GP_FLAG_LEAVING,
                                                             .name = gp_text("n4")};
    driver_command(&grid, 0, 0, &msg);
    assert_int_equal(d->standing_count[GP_STANDING_OFFERED], 0); /* it drains: no new work */
    assert_int_equal(d->standing_count[GP_STANDING_MISSING], 3);
}

static void member(driver_grid_t *g, uint32_t n, gp_member_state_t member_state)
{
    static gp_msg_t msg;
    gp_id_t id = driver_id(1);
    id.b[1] = (uint8_t)(n >> 8);
    id.b[2] = (uint8_t)n;
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_MEMBER};
    msg.u.discovery_member.entries_count = 1;
    msg.u.discovery_member.entries[0] = (gp_record_member_t){
        .id = id, .incarnation = 1, .state = (uint8_t)member_state, .name = gp_text("m")};
    driver_command(g, 0, 0, &msg);
}

static void test_full(void **state)
{
    gp_discovery_t *d = grid.nodes[0].core;
    (void)state;
    for (uint32_t i = 1; i <= GP_MEMBERS_MAX - 4; i++) {
        member(&grid, i, i == 7 ? GP_MEMBER_LEFT : GP_MEMBER_ALIVE);
    }
    assert_int_equal(d->member_count, GP_MEMBERS_MAX);
    assert_false(d->unlisted);
    member(&grid, 100, GP_MEMBER_ALIVE); /* takes the place of the one that left */
    assert_int_equal(d->member_count, GP_MEMBERS_MAX);
    assert_false(d->unlisted);
    member(&grid, 101, GP_MEMBER_ALIVE);
    assert_int_equal(d->member_count, GP_MEMBERS_MAX);
    assert_true(d->unlisted); /* answers are partial from now on */
}

static void test_malformed_commands(void **state)
{
    static gp_msg_t msg;
    (void)state;
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_MEMBER};
    driver_command(&grid, 0, 0, &msg); /* no entry */
    msg = (gp_msg_t){.kind = GP_MSG_BEAT};
    driver_command(&grid, 0, 0, &msg);
    driver_message(&grid, 0, &grid.nodes[3].id, &msg); /* another room's */
    assert_int_equal(grid.letter_count, 0);
}

/* Members come, go, report and lead at random; the check after each step finds what is wrong. */
static void test_random_life(void **state)
{
    gp_random_t random;
    (void)state;
    gp_random_init(&random, 77);
    for (int i = 0; i < 30000; i++) {
        uint32_t n = 1 + (uint32_t)gp_random_below(&random, 90);
        gp_id_t id = driver_id(1);
        id.b[2] = (uint8_t)n;
        static gp_msg_t msg;
        switch (gp_random_below(&random, 8)) {
        case 0:
            msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_MEMBER};
            msg.u.discovery_member.forgotten = true;
            msg.u.discovery_member.entries_count = 1;
            msg.u.discovery_member.entries[0].id = id;
            driver_command(&grid, 0, 0, &msg);
            break;
        case 1:
            driver_leader(&grid, 0, (uint64_t)i, (uint32_t)gp_random_below(&random, 3),
                          (uint32_t)gp_random_below(&random, 3), GP_RIGHT_QUORUM);
            break;
        case 2:
        case 3:
            member(&grid, n, (gp_member_state_t)gp_random_below(&random, 6));
            break;
        default:
            msg = (gp_msg_t){.kind = GP_MSG_RECORD};
            msg.u.record.group = 7;
            msg.u.record.incarnation = gp_random_below(&random, 3);
            msg.u.record.version = (uint32_t)gp_random_below(&random, 4);
            msg.u.record.whole = gp_random_below(&random, 2) == 0;
            msg.u.record.attrs_count = 1;
            msg.u.record.attrs[0] = (gp_record_attr_t){.attr = GP_ATTR_ARCH, .text = gp_text("a")};
            driver_message(&grid, 0, &id, &msg);
            break;
        }
        grid.now += gp_random_below(&random, 100 * GP_MSEC);
        driver_lose(&grid);
    }
}

/* Whoever leaves the group keeps its own place: it is no member that another may replace. */
static void test_full_after_leaving(void **state)
{
    gp_discovery_t *d = grid.nodes[0].core;
    (void)state;
    driver_member(&grid, 0, 0, GP_MEMBER_LEFT);
    for (uint32_t i = 1; i <= GP_MEMBERS_MAX - 3; i++) {
        assert_false(d->unlisted);
        member(&grid, i, GP_MEMBER_ALIVE);
    }
    assert_true(d->unlisted);
    assert_true(gp_id_equal(&d->members[d->self_index].id, &grid.nodes[0].id));
    assert_ptr_equal(gp_discovery_own(d), d->own);
}

/* The group may know a machine before it knows its name. */
static void test_a_name_that_is_not_known_yet(void **state)
{
    static gp_msg_t msg;
    uint32_t lane;
    (void)state;
    tell(0, 3, (told_t){.incarnation = 1, .version = 1, .whole = true, .cpu = 4});
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_MEMBER};
    msg.u.discovery_member.entries_count = 1;
    msg.u.discovery_member.entries[0] =
        (gp_record_member_t){.id = grid.nodes[3].id, .incarnation = 1, .state = GP_MEMBER_ALIVE};
    driver_command(&grid, 0, 0, &msg);
    const gp_records_t *r = gp_discovery_record(grid.nodes[0].core, &grid.nodes[3].id, &lane);
    assert_non_null(r);
    assert_int_equal(gp_records_text(r, lane, GP_ATTR_NAME, NULL).n, 0);
    driver_member(&grid, 0, 3, GP_MEMBER_ALIVE);
    r = gp_discovery_record(grid.nodes[0].core, &grid.nodes[3].id, &lane);
    assert_true(gp_slice_equal(gp_records_text(r, lane, GP_ATTR_NAME, NULL), gp_text("n4")));
}

/* More members than one message has targets: the rest is asked by the next. */
static void test_asking_more_than_one_message_reaches(void **state)
{
    static gp_action_t actions[GP_ACTIONS_MAX];
    static _Alignas(16) uint8_t arena[GP_ARENA_BYTES];
    static gp_msg_t msg;
    const gp_discovery_config_t config = {
        .group = 7, .incarnation = 1, .members_max = 2 * GP_MEMBERS_MAX, .name = gp_text("n1")};
    gp_out_t out = {.actions = actions,
                    .capacity = GP_ACTIONS_MAX,
                    .arena = arena,
                    .size = sizeof arena,
                    .room = GP_ROOM_DISCOVERY};
    gp_event_t event = {
        .type = GP_EVENT_COMMAND, .room = GP_ROOM_DISCOVERY, .now = GP_SECOND, .msg = &msg};
    const uint32_t others = GP_MEMBERS_MAX + 10;
    uint32_t targets = 0;
    void *core = malloc(gp_discovery_ops.size(&config));
    (void)state;
    assert_non_null(core);
    gp_discovery_ops.init(core, &config, driver_id(1), 1);
    for (uint32_t i = 0; i < others; i++) {
        msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_MEMBER};
        msg.u.discovery_member.entries_count = 1;
        msg.u.discovery_member.entries[0] = (gp_record_member_t){
            .id = driver_id((uint8_t)(2 + i)), .incarnation = 1, .state = GP_MEMBER_ALIVE};
        gp_discovery_ops.step(core, &event, &out);
    }
    msg = (gp_msg_t){.kind = GP_MSG_DISCOVERY_LEADER};
    msg.u.discovery_leader.leader = driver_id(1);
    msg.u.discovery_leader.right = GP_RIGHT_CARETAKER;
    for (int round = 0; round < 2; round++) {
        gp_out_reset(&out);
        gp_discovery_ops.step(core, &event, &out);
        gp_discovery_ops.check(core);
        assert_int_equal(out.count, 1);
        assert_int_equal(out.actions[0].msg->kind, GP_MSG_RECORD_ASK);
        assert_in_range(out.actions[0].target_count, 1, GP_MEMBERS_MAX);
        targets += out.actions[0].target_count;
        assert_int_equal(gp_discovery_ops.wake(core) <= event.now, round == 0);
        event = (gp_event_t){.type = GP_EVENT_WAKE, .now = GP_SECOND};
    }
    assert_int_equal(targets, others);
    free(core);
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_whole_then_deltas),
        CASE(test_a_gap_is_asked_about),
        CASE(test_a_reminder_shows_what_was_lost),
        CASE(test_restarts),
        CASE(test_the_group_tells_of_a_new_process),
        CASE(test_who_may_report),
        CASE(test_asking_again_and_less_often),
        CASE(test_no_longer_a_reader),
        CASE(test_forgotten_and_back),
        CASE(test_flags),
        CASE(test_full),
        CASE(test_malformed_commands),
        CASE(test_random_life),
        CASE(test_full_after_leaving),
        CASE(test_a_name_that_is_not_known_yet),
        CASE(test_asking_more_than_one_message_reaches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
