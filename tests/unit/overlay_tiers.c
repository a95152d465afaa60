/* The tiers core alone: who asks whom for a seat, who is let in, what is given up and when. */
#include "overlay/tiers/tiers.h"

#include <stdlib.h>

#include "proto_cmocka.h"

#define REGION 10
#define GRID   20

typedef struct rig {
    void *core;
    gp_usec_t now;
    gp_out_t out;
    gp_msg_t msg;
    gp_action_t actions[64];
    _Alignas(16) uint8_t arena[65536];
} rig_t;

static gp_id_t id(uint8_t n)
{
    gp_id_t name = {{n}};
    return name;
}

static void step(rig_t *rig, gp_event_type_t type, const gp_id_t *peer, const gp_msg_t *msg)
{
    gp_event_t event = {.type = type, .now = rig->now, .msg = msg};
    event.peer = peer != NULL ? *peer : id(1);
    gp_out_reset(&rig->out);
    rig->out.room = GP_ROOM_TIERS;
    gp_tiers_ops.step(rig->core, &event, &rig->out);
    gp_tiers_ops.check(rig->core);
}

/* This machine is 1. */
static rig_t *rig_new(void)
{
    rig_t *rig = calloc(1, sizeof *rig);
    gp_tiers_config_t config = gp_tiers_defaults();
    assert_non_null(rig);
    config.groups[GP_SEAT_REGION] = REGION;
    config.groups[GP_SEAT_GRID] = GRID;
    rig->core = calloc(1, gp_tiers_ops.size(&config));
    assert_non_null(rig->core);
    rig->now = GP_SECOND;
    rig->out = (gp_out_t){.actions = rig->actions,
                          .capacity = 64,
                          .arena = rig->arena,
                          .size = sizeof rig->arena};
    gp_tiers_ops.init(rig->core, &config, id(1), 1);
    step(rig, GP_EVENT_START, NULL, NULL);
    return rig;
}

static void rig_free(rig_t *rig)
{
    free(rig->core);
    free(rig);
}

static gp_msg_t *draft(rig_t *rig, gp_msg_kind_t kind)
{
    memset(&rig->msg, 0, gp_msg_size(kind));
    rig->msg.kind = kind;
    return &rig->msg;
}

/* Who leads in that seat; voters are 1 .. voters, less the one that is left out (0: none). */
static void lead(rig_t *rig, gp_seat_t seat, uint8_t leader, uint8_t voters, uint8_t without)
{
    gp_msg_t *msg = draft(rig, GP_MSG_TIERS_LEADER);
    gp_msg_tiers_leader_t *news = &msg->u.tiers_leader;
    news->seat = (uint8_t)seat;
    news->term = 1;
    if (leader != 0) {
        news->leader = id(leader);
        news->right = GP_RIGHT_QUORUM;
    }
    news->lease_until = leader == 1 ? rig->now + GP_SECOND : 0;
    for (uint8_t i = 1; i <= voters; i++) {
        if (i != without) {
            news->voters[news->voters_count++].id = id(i);
        }
    }
    step(rig, GP_EVENT_COMMAND, NULL, msg);
}

static void hold(rig_t *rig, gp_seat_t seat, bool held)
{
    gp_msg_t *msg = draft(rig, GP_MSG_TIERS_SEAT);
    msg->u.tiers_seat.seat = (uint8_t)seat;
    msg->u.tiers_seat.held = held;
    msg->u.tiers_seat.standby = true;
    step(rig, GP_EVENT_COMMAND, NULL, msg);
}

static const gp_action_t *find(const rig_t *rig, gp_msg_kind_t kind)
{
    for (uint32_t i = 0; i < rig->out.count; i++) {
        if (rig->actions[i].msg != NULL && rig->actions[i].msg->kind == kind) {
            return &rig->actions[i];
        }
    }
    return NULL;
}

/* Wakes it until this is said, at most for so long. */
static bool run_to(rig_t *rig, gp_usec_t us, gp_msg_kind_t kind)
{
    gp_usec_t end = rig->now + us;
    while (gp_tiers_ops.wake(rig->core) <= end) {
        gp_usec_t wake = gp_tiers_ops.wake(rig->core);
        assert_true(wake > rig->now || rig->out.count > 0); /* it does not spin */
        rig->now = wake > rig->now ? wake : rig->now;
        step(rig, GP_EVENT_WAKE, NULL, NULL);
        if (find(rig, kind) != NULL) {
            return true;
        }
    }
    rig->now = end;
    return false;
}

static void test_who_only_follows_wants_nothing(void **state)
{
    (void)state;
    rig_t *rig = rig_new();
    lead(rig, GP_SEAT_SUBGRID, 2, 3, 1);
    assert_int_equal(rig->out.count, 0);
    assert_true(gp_tiers_ops.wake(rig->core) == GP_NEVER);
    rig_free(rig);
}

static void test_a_voter_asks_its_leader_until_it_has_the_seat(void **state)
{
    (void)state;
    rig_t *rig = rig_new();
    lead(rig, GP_SEAT_SUBGRID, 2, 3, 0);
    const gp_action_t *a = find(rig, GP_MSG_SEAT_ASK);
    assert_non_null(a);
    assert_int_equal(a->type, GP_ACTION_SEND);
    const gp_id_t two = id(2);
    assert_true(gp_id_equal(&a->peer, &two));
    assert_true(a->msg->u.seat_ask.group == REGION);
    gp_usec_t last = 0;
    for (int i = 0; i < 8; i++) { /* ever less often, up to a limit */
        gp_usec_t from = rig->now;
        assert_true(run_to(rig, 10 * GP_SECOND, GP_MSG_SEAT_ASK));
        gp_usec_t wait = rig->now - from;
        assert_true(wait >= last && wait <= 5 * GP_SECOND);
        last = wait;
    }
    assert_true(last == 5 * GP_SECOND);
    lead(rig, GP_SEAT_SUBGRID, 3, 3, 0); /* another leader: asked at once */
    assert_non_null(find(rig, GP_MSG_SEAT_ASK));

    gp_msg_t *reply = draft(rig, GP_MSG_SEEK_REPLY);
    reply->u.seek_reply.group = REGION;
    step(rig, GP_EVENT_MSG, &two, reply); /* by whom it did not ask */
    assert_null(find(rig, GP_MSG_SEAT_TAKE));
    reply->u.seek_reply.group = REGION + 1;
    const gp_id_t three = id(3);
    step(rig, GP_EVENT_MSG, &three, reply);
    assert_null(find(rig, GP_MSG_SEAT_TAKE));
    reply->u.seek_reply.group = REGION;
    step(rig, GP_EVENT_MSG, &three, reply);
    assert_int_equal(find(rig, GP_MSG_SEAT_TAKE)->msg->u.seat_take.seat, GP_SEAT_REGION);
    hold(rig, GP_SEAT_REGION, true);
    lead(rig, GP_SEAT_REGION, 3, 3, 0);
    assert_non_null(find(rig, GP_MSG_SEAT_ASK)); /* and the one above that */
    assert_true(find(rig, GP_MSG_SEAT_ASK)->msg->u.seat_ask.group == GRID);
    rig_free(rig);
}

static void test_a_leader_without_a_seat_asks_everybody(void **state)
{
    (void)state;
    rig_t *rig = rig_new();
    lead(rig, GP_SEAT_SUBGRID, 1, 1, 0);
    assert_int_equal(find(rig, GP_MSG_SEAT_WANTED)->msg->u.seat_wanted.seat, GP_SEAT_REGION);
    gp_msg_t *reply = draft(rig, GP_MSG_SEEK_REPLY);
    reply->u.seek_reply.group = REGION;
    const gp_id_t nine = id(9);
    step(rig, GP_EVENT_MSG, &nine, reply);
    assert_non_null(find(rig, GP_MSG_SEAT_TAKE));
    rig_free(rig);
}

static bool lets_in(rig_t *rig, uint8_t who, uint64_t group)
{
    gp_msg_t *ask = draft(rig, GP_MSG_SEAT_ASK);
    const gp_id_t peer = id(who);
    ask->u.seat_ask.group = group;
    step(rig, GP_EVENT_MSG, &peer, ask);
    const gp_action_t *a = find(rig, GP_MSG_SEAT_OFFER);
    assert_true(a == NULL || gp_id_equal(&a->msg->u.seat_offer.target, &peer));
    return a != NULL;
}

static void test_lets_in_who_has_a_part_below(void **state)
{
    (void)state;
    rig_t *rig = rig_new();
    lead(rig, GP_SEAT_SUBGRID, 1, 3, 0);
    assert_false(lets_in(rig, 2, REGION)); /* it has no seat itself */
    hold(rig, GP_SEAT_REGION, true);
    assert_true(lets_in(rig, 2, REGION)); /* nobody leads there: its vote may be needed */
    lead(rig, GP_SEAT_REGION, 1, 1, 0);
    assert_true(lets_in(rig, 2, REGION));
    assert_false(lets_in(rig, 4, REGION)); /* no voter */
    lead(rig, GP_SEAT_REGION, 1, 3, 0);
    assert_false(lets_in(rig, 2, GRID)); /* there it has no seat */
    assert_false(lets_in(rig, 2, 0));
    rig->now += 2 * GP_SECOND; /* the lease below has run out, and nobody said so yet */
    assert_false(lets_in(rig, 2, REGION));
    lead(rig, GP_SEAT_SUBGRID, 2, 3, 0);
    assert_true(lets_in(rig, 2, REGION)); /* who leads below has a right to it */
    assert_false(lets_in(rig, 3, REGION));
    rig_free(rig);
}

static void test_tells_its_role_above(void **state)
{
    (void)state;
    rig_t *rig = rig_new();
    lead(rig, GP_SEAT_SUBGRID, 2, 3, 0);
    hold(rig, GP_SEAT_REGION, true);
    assert_null(find(rig, GP_MSG_SEAT_ROLE)); /* it begins as a standby */
    lead(rig, GP_SEAT_SUBGRID, 0, 3, 0);
    assert_null(find(rig, GP_MSG_SEAT_ROLE));
    lead(rig, GP_SEAT_SUBGRID, 1, 3, 0);
    assert_false(find(rig, GP_MSG_SEAT_ROLE)->msg->u.seat_role.standby);
    lead(rig, GP_SEAT_SUBGRID, 0, 3, 0);
    assert_null(find(rig, GP_MSG_SEAT_ROLE)); /* the next moment tells */
    lead(rig, GP_SEAT_SUBGRID, 3, 3, 0);
    assert_true(find(rig, GP_MSG_SEAT_ROLE)->msg->u.seat_role.standby);
    rig_free(rig);
}

static void test_resigns_and_goes_when_its_vote_is_not_missed(void **state)
{
    (void)state;
    rig_t *rig = rig_new();
    lead(rig, GP_SEAT_SUBGRID, 2, 3, 0);
    hold(rig, GP_SEAT_REGION, true);
    lead(rig, GP_SEAT_REGION, 2, 3, 0);
    lead(rig, GP_SEAT_SUBGRID, 2, 3, 1); /* it votes no more */
    assert_false(run_to(rig, 9 * GP_SECOND, GP_MSG_SEAT_ROLE));
    lead(rig, GP_SEAT_SUBGRID, 2, 3, 0); /* again */
    assert_false(run_to(rig, 9 * GP_SECOND, GP_MSG_SEAT_ROLE));
    lead(rig, GP_SEAT_SUBGRID, 2, 3, 1);
    assert_true(run_to(rig, 11 * GP_SECOND, GP_MSG_SEAT_ROLE));
    assert_true(find(rig, GP_MSG_SEAT_ROLE)->msg->u.seat_role.resigns);
    assert_null(find(rig, GP_MSG_SEAT_GIVE)); /* it votes there still */
    lead(rig, GP_SEAT_REGION, 0, 3, 1);
    assert_null(find(rig, GP_MSG_SEAT_GIVE)); /* nobody leads: it may be needed */
    lead(rig, GP_SEAT_REGION, 2, 3, 1);
    assert_int_equal(find(rig, GP_MSG_SEAT_GIVE)->msg->u.seat_give.seat, GP_SEAT_REGION);
    lead(rig, GP_SEAT_REGION, 2, 3, 1);
    assert_null(find(rig, GP_MSG_SEAT_GIVE)); /* once */
    hold(rig, GP_SEAT_REGION, false);
    assert_true(gp_tiers_ops.wake(rig->core) == GP_NEVER);
    rig_free(rig);
}

static void test_the_seat_above_goes_with_the_one_below(void **state)
{
    (void)state;
    rig_t *rig = rig_new();
    lead(rig, GP_SEAT_SUBGRID, 2, 3, 0);
    hold(rig, GP_SEAT_REGION, true);
    hold(rig, GP_SEAT_GRID, true);
    lead(rig, GP_SEAT_REGION, 2, 3, 0);
    lead(rig, GP_SEAT_GRID, 2, 3, 1);
    hold(rig, GP_SEAT_REGION, false);
    assert_true(run_to(rig, 11 * GP_SECOND, GP_MSG_SEAT_GIVE));
    assert_int_equal(find(rig, GP_MSG_SEAT_GIVE)->msg->u.seat_give.seat, GP_SEAT_GRID);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_only_follows_wants_nothing),
        cmocka_unit_test(test_a_voter_asks_its_leader_until_it_has_the_seat),
        cmocka_unit_test(test_a_leader_without_a_seat_asks_everybody),
        cmocka_unit_test(test_lets_in_who_has_a_part_below),
        cmocka_unit_test(test_tells_its_role_above),
        cmocka_unit_test(test_resigns_and_goes_when_its_vote_is_not_missed),
        cmocka_unit_test(test_the_seat_above_goes_with_the_one_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
