/* Seats above the sub-Grid: what of them is on the disk, and what comes back from it. */
#include <stdlib.h>

#include "agent/peer/peer.h"

#include "proto_cmocka.h"

#define SUBGRID 5
#define REGION  (UINT64_C(1) << 56 | 6)
#define GRID    (UINT64_C(2) << 56 | 7)

typedef struct rig {
    void *peer;
    gp_usec_t now;
    gp_msg_t msg; /* the next event's, to be filled in */
    gp_out_t out;
    gp_action_t actions[GP_ACTIONS_MAX];
    _Alignas(16) uint8_t arena[GP_ARENA_BYTES];
} rig_t;

static gp_id_t id_of(uint8_t number)
{
    gp_id_t id = {{number}};
    return id;
}

/* A peer as before a start of the agent: machine 1. */
static int setup(void **state)
{
    rig_t *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    gp_peer_config_t config = {.election = gp_election_defaults(),
                               .tiers = gp_tiers_defaults(),
                               .forming = gp_forming_defaults()};
    gp_group_defaults(&config.group);
    gp_work_config_default(&config.work);
    config.group.group = config.election.group = config.discovery.group = SUBGRID;
    config.tiers.groups[GP_SEAT_REGION] = REGION;
    config.tiers.groups[GP_SEAT_GRID] = GRID;
    config.group.boot = config.discovery.incarnation = config.work.epoch = 1;
    config.group.cert_max = 0;
    config.discovery.members_max = GP_MEMBERS_MAX;
    config.group.name = config.discovery.name = gp_text("n1");
    config.group.address = gp_text("tcp://127.0.0.1:1001");
    rig->peer = malloc(gp_peer_ops.size(&config));
    assert_non_null(rig->peer);
    gp_peer_ops.init(rig->peer, &config, id_of(1), 1);
    rig->now = 100 * GP_SECOND;
    rig->out = (gp_out_t){.actions = rig->actions,
                          .capacity = GP_ACTIONS_MAX,
                          .arena = rig->arena,
                          .size = sizeof rig->arena};
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    rig_t *rig = *state;
    free(rig->peer);
    free(rig);
    return 0;
}

static void step(rig_t *rig, gp_event_t event)
{
    event.now = rig->now;
    gp_out_reset(&rig->out);
    gp_peer_ops.step(rig->peer, &event, &rig->out);
    gp_peer_ops.check(rig->peer);
}

static gp_msg_t *draft(rig_t *rig, gp_msg_kind_t kind)
{
    memset(&rig->msg, 0, gp_msg_size(kind));
    rig->msg.kind = kind;
    return &rig->msg;
}

static void load(rig_t *rig)
{
    step(rig,
         (gp_event_t){.type = GP_EVENT_LOAD, .room = gp_msg_room(rig->msg.kind), .msg = &rig->msg});
}

/* The disk's record of the region's members: machine 2, or nobody. */
static void load_members(rig_t *rig, bool any)
{
    gp_msg_group_state_t *members = &draft(rig, GP_MSG_GROUP_STATE)->u.group_state;
    members->group = REGION;
    if (any) {
        members->entries_count = 1;
        members->entries[0] = (gp_record_member_t){.id = id_of(2),
                                                   .state = GP_MEMBER_ALIVE,
                                                   .name = gp_text("n2"),
                                                   .address = gp_text("tcp://127.0.0.1:1002")};
    }
    load(rig);
}

/* And of a group's voters: machines 1 to `count`. */
static void load_voters(rig_t *rig, uint64_t group, uint8_t count)
{
    gp_msg_election_state_t *voters = &draft(rig, GP_MSG_ELECTION_STATE)->u.election_state;
    voters->group = group;
    voters->term = voters->value_term = 4;
    voters->version = 9;
    for (uint8_t i = 1; i <= count; i++) {
        voters->voters[voters->voters_count++].id = id_of(i);
    }
    load(rig);
}

static bool sits(const rig_t *rig, gp_seat_t seat)
{
    return gp_peer_seat_group(rig->peer, seat) != NULL;
}

/* The members may be written late or never: such a record says nothing of who is missed. */
static void test_a_seat_is_resumed_by_its_register(void **state)
{
    rig_t *rig = *state;
    load_members(rig, false);
    load_voters(rig, REGION, 2);
    step(rig, (gp_event_t){.type = GP_EVENT_START});
    assert_true(sits(rig, GP_SEAT_REGION));
    assert_false(sits(rig, GP_SEAT_GRID));
}

static void test_a_seat_is_resumed_in_whichever_order_the_disk_tells(void **state)
{
    rig_t *rig = *state;
    load_voters(rig, REGION, 2);
    load_members(rig, false);
    step(rig, (gp_event_t){.type = GP_EVENT_START});
    assert_true(sits(rig, GP_SEAT_REGION));
}

static void test_a_seat_that_was_given_up_is_not_resumed(void **state)
{
    rig_t *rig = *state;
    load_voters(rig, REGION, 0);
    load_members(rig, true);
    step(rig, (gp_event_t){.type = GP_EVENT_START});
    assert_false(sits(rig, GP_SEAT_REGION));
}

static void found(rig_t *rig)
{
    draft(rig, GP_MSG_ELECTION_FOUND)->u.election_found.score = 500;
    rig->msg.u.election_found.found = GP_FOUNDS_GRID;
    step(rig,
         (gp_event_t){
             .type = GP_EVENT_COMMAND, .room = GP_ROOM_ELECTION, .ok = true, .msg = &rig->msg});
}

/* The version of that group's register; 0: it was never founded here. */
static uint64_t version(const rig_t *rig, gp_seat_t seat)
{
    return gp_election_version(gp_peer_seat_election(rig->peer, seat));
}

/* Its disk took the sub-Grid's record, and none of those above. */
static void test_a_founder_founds_what_it_had_not(void **state)
{
    rig_t *rig = *state;
    load_voters(rig, SUBGRID, 3);
    step(rig, (gp_event_t){.type = GP_EVENT_START});
    found(rig);
    assert_int_equal(version(rig, GP_SEAT_SUBGRID), 9);
    assert_int_equal(version(rig, GP_SEAT_REGION), 1);
    assert_int_equal(version(rig, GP_SEAT_GRID), 1);
}

static void test_nothing_is_founded_twice(void **state)
{
    rig_t *rig = *state;
    load_voters(rig, SUBGRID, 3);
    load_voters(rig, REGION, 0); /* given up */
    load_voters(rig, GRID, 1);
    step(rig, (gp_event_t){.type = GP_EVENT_START});
    found(rig);
    assert_false(sits(rig, GP_SEAT_REGION));
    assert_int_equal(version(rig, GP_SEAT_GRID), 9);
}

/* What machine 2, which leads the region, hears when it asks; 0: nothing. */
static uint64_t denied(rig_t *rig)
{
    draft(rig, GP_MSG_BEAT)->u.beat.group = REGION;
    step(rig, (gp_event_t){.type = GP_EVENT_MSG, .peer = id_of(2), .ok = true, .msg = &rig->msg});
    for (uint32_t i = 0; i < rig->out.count; i++) {
        const gp_action_t *action = &rig->actions[i];
        if (action->type == GP_ACTION_SEND && action->msg->kind == GP_MSG_LEAVE) {
            assert_int_equal(action->msg->u.leave.group, REGION);
            return action->msg->u.leave.incarnation;
        }
    }
    return 0;
}

/* Its goodbye was lost, and all that it says in the sub-Grid shows that it lives. */
static void test_who_has_no_seat_says_so(void **state)
{
    rig_t *rig = *state;
    load_voters(rig, REGION, 0);
    step(rig, (gp_event_t){.type = GP_EVENT_START});
    assert_true(denied(rig) >= UINT64_C(1) << 16); /* above all of its lives before */
    assert_int_equal(denied(rig), denied(rig));
}

static void test_a_seat_that_was_denied_is_taken_in_a_newer_life(void **state)
{
    rig_t *rig = *state;
    step(rig, (gp_event_t){.type = GP_EVENT_START});
    uint64_t said = denied(rig);
    assert_true(said >= UINT64_C(1) << 16);
    found(rig);
    assert_true(gp_group_incarnation(gp_peer_seat_group(rig->peer, GP_SEAT_REGION)) > said);
    assert_int_equal(denied(rig), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_seat_is_resumed_by_its_register, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_seat_is_resumed_in_whichever_order_the_disk_tells,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_seat_that_was_given_up_is_not_resumed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_founder_founds_what_it_had_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_founded_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_has_no_seat_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_seat_that_was_denied_is_taken_in_a_newer_life, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
