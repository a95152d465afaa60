/* The player: the same cores, the same story; and what is told of recordings that are not right. */
#include "agent/replay/player.h"

#include "agent/replay/mask.h"
#include "agent/replay/ring.h"
#include "agent_replay_film.h"

static film_t film;
static film_story_t story;
static gp_played_t played;
static gp_fail_t why;

static void show(gp_error_t expected)
{
    film_story_free(&story);
    gp_error_t error = film_show(&film, false, &story, &played, &why);
    assert_error(error, expected, &why);
}

static void test_the_story_is_that_which_was_heard(void **state)
{
    (void)state;
    for (uint32_t node = 0; node < FILM_NODES; node += 3) {
        film_begin(&film, 7 + node, node, GP_RING_BYTES_MIN);
        film_play(&film);
        film_cut(&film);
        if (node == 0) {
            film.heard.count = 0; /* of its first life, which is not recorded any more */
        }
        show(GP_OK);
        assert_in_range(story.count, 5, FILM_LINES);
        if (node != 0) {
            film_assert_same(&story, &film.heard);
        }
        assert_in_range(played.replayed, 50, 100000);
        assert_true(played.ended);
        assert_false(played.stopped || played.torn || played.lost || played.kept > 0);
        assert_string_equal(played.version, "0.0.1");
        assert_string_equal(played.node, node == 0 ? "n1" : "n4");
        film_end(&film);
    }
}

/* Once the head is full the cores stand still, and the latest is told as it was written down. */
static void test_a_long_run_keeps_its_beginning_and_its_end(void **state)
{
    (void)state;
    film_begin(&film, 3, 0, GP_RING_BYTES_MIN);
    film_start(&film);
    for (uint32_t i = 0; i < 600; i++) {
        film_pass(&film, 2 * GP_SECOND);
        gp_world_job(film.world, 0, "cpu >= 1");
    }
    film_pass(&film, 5 * GP_SECOND);
    film_cut(&film);
    show(GP_OK);
    assert_true(played.lost);
    assert_in_range(played.kept, 1000, 100000);
    assert_in_range(played.replayed, 1000, 100000);
    assert_string_equal(story.lines[0], film.heard.lines[0]);
    assert_string_equal(story.lines[story.count - 1], film.heard.lines[film.heard.count - 1]);
    assert_in_range(played.length, 1200 * GP_SECOND, 1210 * GP_SECOND);
    film_end(&film);
}

typedef gp_slice_t edit_fn(const gp_ring_record_t *record, uint8_t *to);

/* Writes the recording again, with some records changed (n 0: left out). */
static void rewrite(edit_fn *edit)
{
    static uint8_t changed[GP_RING_RECORD_MAX];
    gp_ring_file_t from;
    gp_ring_t to;
    gp_ring_record_t record;
    bool some = true;
    assert_int_equal(gp_ring_open(test_path(film.dir, "r"), &from, &why), GP_OK);
    assert_int_equal(gp_ring_create(film.folder, "r", GP_RING_BYTES_MIN, &to, &why), GP_OK);
    while (gp_ring_next(&from, &record, &some, &why) == GP_OK && some) {
        gp_slice_t bytes = edit(&record, changed);
        if (bytes.n > 0) {
            assert_int_equal(gp_ring_append(&to, bytes, &why), GP_OK);
        }
    }
    gp_ring_free(&from);
    gp_ring_close(&to);
}

static void short_film(void)
{
    film_begin(&film, 5, 1, GP_RING_BYTES_MIN);
    film_play(&film);
    film_cut(&film);
}

static gp_slice_t without_one(const gp_ring_record_t *record, uint8_t *to)
{
    (void)to;
    return record->number == 30 ? (gp_slice_t){0} : record->bytes;
}

static void test_cores_that_do_otherwise_are_found_out(void **state)
{
    (void)state;
    short_film();
    show(GP_OK);
    uint64_t all = played.replayed;
    rewrite(without_one);
    show(GP_E_REPLAY_DIVERGED);
    assert_in_range(played.replayed, 25, all - 1);
    assert_non_null(strstr(why.text, "first at event "));
    film_end(&film);
}

/* The hash in the last record of all is of what the last event brought. */
static gp_slice_t with_another_end(const gp_ring_record_t *record, uint8_t *to)
{
    if (record->bytes.p[0] != GP_RECORDED_END) {
        return record->bytes;
    }
    memcpy(to, record->bytes.p, record->bytes.n);
    to[1] ^= 1;
    return gp_slice(to, record->bytes.n);
}

static void test_the_last_event_is_checked_too(void **state)
{
    (void)state;
    short_film();
    rewrite(with_another_end);
    show(GP_E_REPLAY_DIVERGED);
    film_end(&film);
}

/* A second START of the group's core is a bug of its shell, and an assertion. */
static gp_slice_t with_two_starts(const gp_ring_record_t *record, uint8_t *to)
{
    static uint64_t start;
    const uint8_t *type = record->bytes.p + 9;
    start =
        record->bytes.p[0] == GP_RECORDED_EVENT && *type == GP_EVENT_START ? record->number : start;
    if (start == 0 || record->number != start + 1) {
        return record->bytes;
    }
    memcpy(to, record->bytes.p, record->bytes.n);
    gp_put_t put = {.to = to + 9, .size = 32};
    gp_put_number(&put, GP_EVENT_START);
    gp_put_number(&put, 0);
    gp_put_number(&put, 0);
    gp_put_number(&put, 1000 * GP_SECOND);
    return gp_slice(to, 9 + put.used);
}

static void test_an_assertion_ends_the_story_and_not_the_program(void **state)
{
    (void)state;
    short_film();
    rewrite(with_two_starts);
    show(GP_E_REPLAY_ASSERT);
    assert_non_null(strstr(why.text, "start"));
    assert_in_range(story.count, 1, FILM_LINES);
    film_end(&film);
}

static gp_slice_t of_another_version(const gp_ring_record_t *record, uint8_t *to)
{
    memcpy(to, record->bytes.p, record->bytes.n);
    if (record->number == 0) {
        to[1 + 1 + 5 + 2] ^= 1; /* in the fingerprint, behind type and "0.0.1" */
    }
    return gp_slice(to, record->bytes.n);
}

static void test_another_version_is_refused(void **state)
{
    (void)state;
    short_film();
    rewrite(of_another_version);
    show(GP_E_REPLAY_VERSION);
    assert_non_null(strstr(why.text, "gridpeer 0.0.1"));
    assert_int_equal(story.count, 0);
    film_end(&film);
}

static uint64_t spoil;
static uint32_t spoil_at;

static gp_slice_t spoiled(const gp_ring_record_t *record, uint8_t *to)
{
    memcpy(to, record->bytes.p, record->bytes.n);
    if (record->number == spoil) {
        to[spoil_at % record->bytes.n] ^= (uint8_t)(1u << (spoil_at % 8));
    }
    return gp_slice(to, record->bytes.n);
}

/* Whatever stands in a record whose checksum is right: an error or a story, never a crash. */
static void test_hostile_records_do_no_harm(void **state)
{
    (void)state;
    for (spoil = 0; spoil < 12; spoil += 1) {
        for (spoil_at = 0; spoil_at < 60; spoil_at += 7) {
            short_film();
            rewrite(spoiled);
            film_story_free(&story);
            gp_error_t error = film_show(&film, true, &story, &played, &why);
            bool known = error == GP_OK || error == GP_E_REPLAY_DAMAGED ||
                         error == GP_E_REPLAY_VERSION || error == GP_E_REPLAY_DIVERGED ||
                         error == GP_E_REPLAY_ASSERT || error == GP_E_MEMORY;
            assert_true(known);
            film_end(&film);
        }
    }
}

static gp_slice_t nothing(const gp_ring_record_t *record, uint8_t *to)
{
    (void)record;
    (void)to;
    return (gp_slice_t){0};
}

static gp_slice_t without_start(const gp_ring_record_t *record, uint8_t *to)
{
    (void)to;
    return record->number == 0 ? (gp_slice_t){0} : record->bytes;
}

static void test_one_without_its_beginning_is_damaged(void **state)
{
    (void)state;
    short_film();
    rewrite(without_start);
    show(GP_E_REPLAY_DAMAGED);
    rewrite(nothing);
    show(GP_E_REPLAY_DAMAGED);
    film_end(&film);
}

static int clean(void **state)
{
    (void)state;
    film_story_free(&story);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_story_is_that_which_was_heard),
        cmocka_unit_test(test_a_long_run_keeps_its_beginning_and_its_end),
        cmocka_unit_test(test_cores_that_do_otherwise_are_found_out),
        cmocka_unit_test(test_the_last_event_is_checked_too),
        cmocka_unit_test(test_an_assertion_ends_the_story_and_not_the_program),
        cmocka_unit_test(test_another_version_is_refused),
        cmocka_unit_test(test_hostile_records_do_no_harm),
        cmocka_unit_test(test_one_without_its_beginning_is_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}
