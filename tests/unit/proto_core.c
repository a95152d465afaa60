/* The sheet of actions: order, zeroed and aligned memory, room stamps, limits that assert. */
#include "proto/core.h"

#include "proto_cmocka.h"

#define ACTIONS 4
#define ARENA   4096

static gp_action_t actions[ACTIONS];
static _Alignas(16) uint8_t arena[ARENA];
static gp_out_t out;
static const gp_id_t peer = {{1, 2, 3}};

static int setup(void **state)
{
    (void)state;
    memset(arena, 0xee, sizeof arena);
    out = (gp_out_t){.actions = actions,
                     .capacity = ACTIONS,
                     .arena = arena,
                     .size = ARENA,
                     .room = GP_ROOM_GROUP};
    gp_out_reset(&out);
    return 0;
}

static void test_add_gives_a_zeroed_message(void **state)
{
    gp_msg_t *msg = gp_out_add(&out, GP_ACTION_SEND, &peer, GP_MSG_BEAT);
    static const gp_msg_beat_t zero;

    (void)state;
    assert_int_equal(msg->kind, GP_MSG_BEAT);
    assert_int_equal(msg->sent_ms, 0);
    assert_null(msg->signed_bytes.p);
    assert_memory_equal(&msg->u.beat, &zero, sizeof zero);
    assert_int_equal(out.count, 1);
    assert_int_equal(out.used, gp_msg_size(GP_MSG_BEAT)); /* nothing for other kinds */
    assert_ptr_equal(gp_out_last(&out)->msg, msg);
    assert_int_equal(gp_out_last(&out)->type, GP_ACTION_SEND);
    assert_int_equal(gp_out_last(&out)->room, GP_ROOM_GROUP);
    assert_true(gp_id_equal(&gp_out_last(&out)->peer, &peer));
}

static void test_actions_keep_their_order_and_room(void **state)
{
    (void)state;
    gp_out_plain(&out, GP_ACTION_LINK, &peer, 1);
    out.room = GP_ROOM_ELECTION;
    gp_out_add(&out, GP_ACTION_STORE, NULL, GP_MSG_ELECTION_STATE);
    gp_out_last(&out)->token = 77;
    gp_out_add(&out, GP_ACTION_NOTICE, NULL, GP_MSG_LEADER);
    assert_int_equal(out.count, 3);
    assert_int_equal(actions[0].type, GP_ACTION_LINK);
    assert_int_equal(actions[0].token, 1);
    assert_null(actions[0].msg);
    assert_int_equal(actions[0].room, GP_ROOM_GROUP);
    assert_int_equal(actions[1].room, GP_ROOM_ELECTION);
    assert_int_equal(actions[1].token, 77);
    assert_true(gp_id_is_none(&actions[1].peer));
    assert_int_equal(actions[2].token, 0);
    gp_out_reset(&out);
    assert_int_equal(out.count, 0);
    assert_int_equal(out.used, 0);
}

static void test_bytes_are_aligned_and_zeroed(void **state)
{
    uint8_t *one = gp_out_bytes(&out, 1);
    uint8_t *two = gp_out_bytes(&out, 20);

    (void)state;
    assert_int_equal((uintptr_t)two % 16, 0);
    assert_ptr_equal(two, one + 16);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(two[i], 0);
    }
    assert_non_null(gp_out_bytes(&out, ARENA - 48)); /* to the last byte */
}

static void test_slices_are_copied(void **state)
{
    char text[] = "hello";
    gp_slice_t copy = gp_out_slice(&out, gp_text(text));

    (void)state;
    text[0] = 'x';
    assert_true(gp_slice_equal(copy, gp_text("hello")));
    assert_int_equal(gp_out_slice(&out, (gp_slice_t){0}).n, 0);
}

static void test_it_tells_what_it_holds(void **state)
{
    (void)state;
    assert_false(gp_out_holds(&out, GP_MSG_LEADER));
    gp_out_plain(&out, GP_ACTION_LINK, &peer, 1);
    gp_out_add(&out, GP_ACTION_NOTICE, NULL, GP_MSG_LEADER);
    assert_true(gp_out_holds(&out, GP_MSG_LEADER));
    assert_false(gp_out_holds(&out, GP_MSG_BEAT));
}

static void test_it_is_light_up_to_a_bound(void **state)
{
    (void)state;
    assert_true(gp_out_is_light(&out));
    out.count = GP_ACTIONS_SOFT - 1;
    out.used = GP_ARENA_SOFT - 1;
    assert_true(gp_out_is_light(&out));
    out.count = GP_ACTIONS_SOFT;
    assert_false(gp_out_is_light(&out));
    out.count = 0;
    out.used = GP_ARENA_SOFT;
    assert_false(gp_out_is_light(&out));
}

/* What lies in a core's memory is copied, in lists too; what lies elsewhere stays. */
static void test_detach(void **state)
{
    static char memory[32];
    static gp_id_t targets[2];
    static const char other[] = "elsewhere";
    (void)state;
    memcpy(memory, "n1tcp://here", 12);
    gp_msg_t *msg = gp_out_add(&out, GP_ACTION_NOTICE, NULL, GP_MSG_MEMBER);
    msg->u.member.entries_count = 1;
    msg->u.member.entries[0].name = gp_slice(memory, 2);
    msg->u.member.entries[0].address = gp_slice(other, sizeof other - 1);
    msg = gp_out_add(&out, GP_ACTION_SEND, &peer, GP_MSG_FIND);
    msg->u.find.query = gp_slice(memory + 2, 10);
    gp_out_plain(&out, GP_ACTION_LINK, &peer, 1);
    msg = gp_out_add(&out, GP_ACTION_CAST, NULL, GP_MSG_RECORD_ASK);
    gp_out_last(&out)->targets = targets;
    gp_out_last(&out)->target_count = 2;
    targets[1] = peer;
    gp_out_detach(&out, 4, memory, sizeof memory); /* none of them */
    assert_ptr_equal(actions[1].msg->u.find.query.p, memory + 2);
    gp_out_detach(&out, 0, memory, sizeof memory);
    memset(memory, 'x', sizeof memory);
    const gp_record_member_t *entry = &actions[0].msg->u.member.entries[0];
    assert_true(gp_slice_equal(entry->name, gp_text("n1")));
    assert_ptr_equal(entry->address.p, other);
    assert_true(gp_slice_equal(actions[1].msg->u.find.query, gp_text("tcp://here")));
    assert_ptr_equal(actions[3].targets, targets); /* they are not in that memory */
    gp_out_detach(&out, 0, targets, sizeof targets);
    assert_ptr_not_equal(actions[3].targets, targets);
    assert_true(gp_id_equal(&actions[3].targets[1], &peer));
    size_t used = out.used;
    gp_out_detach(&out, 0, memory, sizeof memory); /* once is enough */
    gp_out_detach(&out, 0, targets, sizeof targets);
    assert_int_equal(out.used, used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_add_gives_a_zeroed_message, setup),
        cmocka_unit_test_setup(test_actions_keep_their_order_and_room, setup),
        cmocka_unit_test_setup(test_bytes_are_aligned_and_zeroed, setup),
        cmocka_unit_test_setup(test_slices_are_copied, setup),
        cmocka_unit_test_setup(test_detach, setup),
        cmocka_unit_test_setup(test_it_tells_what_it_holds, setup),
        cmocka_unit_test_setup(test_it_is_light_up_to_a_bound, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
