/* Places on beats and probes: how often, what counts as a round trip, whose word moves a machine.
 */
#include "tests/unit/overlay_solo.h"
#include "tests/unit/proto_cmocka.h"

static gp_coordinate_t here;

/* A machine that knows where it is: errs little, and is usually right to some milliseconds. */
static gp_coordinate_t place_at(int32_t ms)
{
    gp_coordinate_t place;
    gp_coordinate_start(&place);
    place.axis[0] = ms * 1000 * GP_COORDINATE_TICKS;
    place.height = 1000 * GP_COORDINATE_TICKS;
    place.error = GP_COORDINATE_ERROR_MAX / 8;
    return place;
}

static solo_t *placed(solo_t *s)
{
    here = place_at(0);
    s->core->config.coordinate = &here;
    return s;
}

static gp_record_place_t said(int32_t ms, uint32_t rtt_us)
{
    static uint8_t bytes[GP_COORDINATE_BYTES];
    gp_coordinate_t place = place_at(ms);
    gp_coordinate_pack(&place, bytes);
    return (gp_record_place_t){.coordinate = gp_slice(bytes, sizeof bytes), .rtt_us = rtt_us};
}

static bool stays(const gp_coordinate_t *before)
{
    return memcmp(&here, before, sizeof here) == 0;
}

static gp_msg_t beat_of(uint8_t role, int32_t ms, uint32_t rtt_us)
{
    gp_msg_t msg = {.kind = GP_MSG_BEAT};
    msg.u.beat = (gp_msg_beat_t){.group = SOLO_GROUP, .term = 1, .number = 7, .role = role};
    msg.u.beat.places_count = 1;
    msg.u.beat.places[0] = said(ms, rtt_us);
    return msg;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Runs to the next beat to `to`; it lies on the sheet. */
static const gp_msg_beat_t *next_beat(solo_t *s, uint32_t to)
{
    const gp_action_t *a;
    do {
        solo_answer_all(s);
        assert_true(solo_run_to(s, 2 * GP_SECOND, GP_MSG_BEAT));
        a = solo_action(s, GP_MSG_BEAT, to, 0);
    } while (a == NULL);
    return &a->msg->u.beat;
}

static uint32_t beats_until_place(solo_t *s)
{
    uint32_t beats = 1;
    while (next_beat(s, 2)->places_count == 0) {
        beats++;
    }
    return beats;
}

static void test_beats_have_a_place_now_and_then(void **state)
{
    (void)state;
    solo_t *s = placed(solo_leading(3));
    solo_entry(s, 2)->exchanges = 0;
    for (uint32_t i = 0; i < GP_GROUP_PLACE_FIRST; i++) {
        assert_int_equal(beats_until_place(s), 1);
    }
    assert_int_equal(beats_until_place(s), GP_GROUP_PLACE_BEATS);
    assert_int_equal(beats_until_place(s), GP_GROUP_PLACE_BEATS);
    solo_free(s);
}

static void test_a_beat_tells_where_and_how_far(void **state)
{
    (void)state;
    solo_t *s = placed(solo_leading(3));
    gp_coordinate_t read;
    (void)next_beat(s, 2);
    s->now += 3 * GP_MSEC;
    solo_answer(s, 2);
    (void)next_beat(s, 2);
    s->now += 5 * GP_MSEC;
    solo_answer(s, 2);
    const gp_record_place_t *place = &next_beat(s, 2)->places[0];
    while (place->coordinate.n == 0) {
        s->now += 5 * GP_MSEC;
        solo_answer(s, 2);
        place = &next_beat(s, 2)->places[0];
    }
    assert_int_equal(place->rtt_us, 5 * GP_MSEC);
    assert_int_equal(gp_coordinate_read(place->coordinate, &read), GP_OK);
    assert_int_equal(read.height, here.height);
    solo_free(s);
}

static void test_who_has_no_place_says_none(void **state)
{
    (void)state;
    solo_t *s = solo_leading(3);
    for (uint32_t i = 0; i < 2 * GP_GROUP_PLACE_BEATS; i++) {
        assert_int_equal(next_beat(s, 2)->places_count, 0);
    }
    gp_msg_t msg = beat_of(1, 10, 20000);
    solo_message(s, 2, &msg);
    assert_int_equal(solo_action(s, GP_MSG_BEAT_ACK, 2, 0)->msg->u.beat_ack.places_count, 0);
    assert_int_equal(gp_group_member(s->core, &solo_entry(s, 2)->shown.id)->coordinate.error, 0);
    solo_free(s);
}

static void test_ring_probes_have_a_place(void **state)
{
    (void)state;
    solo_t *s = placed(solo_following(5));
    uint32_t with = 0;
    for (uint32_t i = 0; i <= 5; i++) {
        solo_entry(s, i)->exchanges = GP_GROUP_PLACE_FIRST;
    }
    for (uint32_t i = 0; i < 8; i++) {
        const gp_action_t *a = NULL;
        while (a == NULL) { /* leader and deputy beat, or the machine would seek others */
            gp_msg_t msg = beat_of(1, 10, 0);
            msg.u.beat.places_count = 0;
            solo_message(s, 1, &msg);
            s->core->wake_at = GP_NEVER;
            s->now += 250 * GP_MSEC;
            solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
            a = solo_action(s, GP_MSG_PROBE, SOLO_ANY, 0);
        }
        with += a->msg->u.probe.places_count;
        solo_answer_all(s);
    }
    assert_int_equal(with, 8 / GP_GROUP_PLACE_RING);
    solo_free(s);
}

/* ---- answering ------------------------------------------------------------------------------- */

static void test_a_place_is_answered_by_a_place(void **state)
{
    (void)state;
    solo_t *s = placed(solo_following(5));
    gp_msg_t msg = beat_of(1, 10, 0);
    solo_message(s, 1, &msg);
    assert_int_equal(solo_action(s, GP_MSG_BEAT_ACK, 1, 0)->msg->u.beat_ack.places_count, 1);
    msg.u.beat.places_count = 0;
    solo_message(s, 1, &msg);
    assert_int_equal(solo_action(s, GP_MSG_BEAT_ACK, 1, 0)->msg->u.beat_ack.places_count, 0);
    msg = (gp_msg_t){.kind = GP_MSG_PROBE, .u.probe = {.group = SOLO_GROUP}};
    solo_message(s, 4, &msg);
    assert_int_equal(solo_action(s, GP_MSG_PROBE_ACK, 4, 0)->msg->u.probe_ack.places_count, 0);
    msg.u.probe.places_count = 1;
    msg.u.probe.places[0] = said(10, 0);
    solo_message(s, 4, &msg);
    assert_int_equal(solo_action(s, GP_MSG_PROBE_ACK, 4, 0)->msg->u.probe_ack.places_count, 1);
    solo_free(s);
}

/* ---- learning -------------------------------------------------------------------------------- */

static void test_leader_and_deputy_tell_how_far_they_are(void **state)
{
    (void)state;
    solo_t *s = placed(solo_following(5));
    for (uint8_t role = 1; role <= 2; role++) { /* 1 leads, 2 is its deputy */
        gp_coordinate_t before = here;
        gp_msg_t msg = beat_of(role, 10, 40000);
        solo_message(s, role, &msg);
        assert_false(stays(&before));
        assert_true(here.axis[0] < before.axis[0]); /* away from it: it is further than it seemed */
        assert_int_equal(solo_entry(s, role)->shown.coordinate.axis[0], place_at(10).axis[0]);
    }
    solo_free(s);
}

static void test_whose_word_moves_nobody(void **state)
{
    (void)state;
    solo_t *s = placed(solo_following(5));
    gp_coordinate_t before = here;
    gp_msg_t msg = beat_of(1, 10, 40000);
    solo_message(s, 3, &msg); /* it neither leads nor is the deputy */
    assert_true(stays(&before));
    msg.u.beat.places[0].coordinate.n--; /* garbage */
    solo_message(s, 1, &msg);
    assert_true(stays(&before));
    assert_int_equal(solo_entry(s, 1)->shown.coordinate.error, 0);
    msg = beat_of(1, 10, 0); /* a place without a round trip is only noted */
    solo_message(s, 1, &msg);
    assert_true(stays(&before));
    assert_int_not_equal(solo_entry(s, 1)->shown.coordinate.error, 0);
    msg = beat_of(1, 10, 40000);
    solo_message(s, 1, &msg);
    assert_false(stays(&before));
    before = here;
    s->now += s->config.beat_period / 2 - 1;
    s->core->wake_at = GP_NEVER;
    solo_message(s, 1, &msg); /* so often no leader asks */
    assert_true(stays(&before));
    s->now += 1;
    solo_message(s, 1, &msg);
    assert_false(stays(&before));
    solo_free(s);
}

/* Asks machine 4, which answers after so long with its place; returns whether that moved `here`. */
static bool moves(solo_t *s, gp_usec_t after)
{
    gp_coordinate_t before = here;
    gp_out_reset(&s->out);
    gp_group_probe(s->core, solo_entry(s, 4), 0, &s->out);
    gp_msg_t msg = {.kind = GP_MSG_PROBE_ACK};
    msg.u.probe_ack = (gp_msg_probe_ack_t){.group = SOLO_GROUP,
                                           .incarnation = solo_incarnation(4),
                                           .sequence = s->core->sequence,
                                           .places_count = 1};
    msg.u.probe_ack.places[0] = said(10, 0);
    s->now += after;
    solo_message(s, 4, &msg);
    bool moved = !stays(&before);
    before = here;
    solo_message(s, 4, &msg); /* it is no answer any more */
    assert_true(stays(&before));
    return moved;
}

static void test_what_is_a_round_trip(void **state)
{
    (void)state;
    solo_t *s = placed(solo_following(5));
    s->core->wake_at = GP_NEVER;
    assert_false(moves(s, 2 * GP_MSEC)); /* that may have been the handshake of its link */
    assert_true(moves(s, 2 * GP_MSEC));
    solo_link(s, 4, false);
    solo_link(s, 4, true);
    assert_false(moves(s, 2 * GP_MSEC)); /* another link */
    assert_true(moves(s, 2 * GP_MSEC));
    s->core->wake_at = GP_NEVER;
    assert_false(moves(s, s->config.beat_timeout + 1)); /* trouble, of whomever */
    s->core->wake_at = GP_NEVER;
    assert_true(moves(s, 2 * GP_MSEC));
    s->core->wake_at = s->now; /* its own timers come late: it stood still */
    assert_false(moves(s, 20 * GP_MSEC));
    s->core->wake_at = GP_NEVER;
    s->now += 1;
    solo_event(s, (gp_event_t){.type = GP_EVENT_WAKE});
    assert_true(moves(s, 2 * GP_MSEC));
    s->now += 2 * s->config.ring_period + 1; /* who is idle may have lost its link */
    s->core->wake_at = GP_NEVER;
    assert_false(moves(s, 0));
    s->core->wake_at = GP_NEVER;
    assert_true(moves(s, 0));
    solo_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beats_have_a_place_now_and_then),
        cmocka_unit_test(test_a_beat_tells_where_and_how_far),
        cmocka_unit_test(test_who_has_no_place_says_none),
        cmocka_unit_test(test_ring_probes_have_a_place),
        cmocka_unit_test(test_a_place_is_answered_by_a_place),
        cmocka_unit_test(test_leader_and_deputy_tell_how_far_they_are),
        cmocka_unit_test(test_whose_word_moves_nobody),
        cmocka_unit_test(test_what_is_a_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
