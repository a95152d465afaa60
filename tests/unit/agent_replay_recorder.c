/* The recorder: it writes what comes, and never stands in the way. */
#include "agent/replay/recorder.h"

#include <fcntl.h>
#include <unistd.h>

#include "agent/replay/ring.h"
#include "agent_replay_film.h"

/* What is recorded can be played; gives how, and its story. */
static gp_played_t show(film_t *film, film_story_t *story)
{
    gp_played_t played;
    gp_fail_t why;
    gp_error_t error = film_show(film, false, story, &played, &why);
    assert_error(error, GP_OK, &why);
    return played;
}

static void test_each_life_begins_the_file_anew(void **state)
{
    (void)state;
    film_t film;
    film_begin(&film, 1, 2, GP_RING_BYTES_MIN);
    film_start(&film);
    film_pass(&film, 3 * GP_SECOND);
    gp_world_crash(film.world, 2, false);
    film.heard.count = 0;
    gp_world_start(film.world, 2);
    film_pass(&film, 3 * GP_SECOND);
    film_cut(&film);
    film_story_t story;
    (void)show(&film, &story);
    assert_in_range(story.count, 3, FILM_LINES);
    film_assert_same(&story, &film.heard);
    film_story_free(&story);
    film_end(&film);
}

static void test_without_a_place_it_says_so_and_is_quiet(void **state)
{
    (void)state;
    film_t film;
    film_begin(&film, 1, 1, GP_RING_BYTES_MIN);
    test_dir_remove(film.dir);
    film_play(&film);
    film_cut(&film);
    assert_int_equal(film.troubles, 1);
    assert_int_equal(film.trouble, GP_E_STATE_IO);
    assert_in_range(film.heard.count, 5, FILM_LINES); /* and the machine did what it does */
    film_end(&film);
}

static void test_machines_keep_their_places(void **state)
{
    (void)state;
    gp_peers_t peers = {.count = 0};
    for (uint8_t i = 0; i < GP_MEMBERS_MAX; i++) {
        gp_id_t id = {{i, 1}};
        assert_int_equal(gp_peers_place(&peers, &id), peers.count);
        gp_peers_add(&peers, &id);
    }
    gp_id_t third = {{2, 1}};
    gp_id_t stranger = {{2, 2}};
    assert_int_equal(gp_peers_place(&peers, &third), 2);
    assert_int_equal(gp_peers_place(&peers, &stranger), GP_MEMBERS_MAX);
}

/* The only descriptor that is writable and of this file. */
static int ring_fd(const film_t *film)
{
    char link[64], to[256];
    for (int fd = 3; fd < 256; fd++) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, to, sizeof to - 1);
        if (n > 0) {
            to[n] = '\0';
            if (strcmp(to, test_path(film->dir, "r")) == 0) {
                return fd;
            }
        }
    }
    fail_msg("the recording is not open");
    return -1;
}

/* A disk that fails once, or to the end, when not even CLOSED can be written. */
static void fail_disk(bool once)
{
    film_t film;
    film_begin(&film, 1, 1, GP_RING_BYTES_MIN);
    film_start(&film);
    film_pass(&film, 3 * GP_SECOND);
    int readable = open(test_path(film.dir, "r"), O_RDONLY);
    int fd = ring_fd(&film);
    int writable = dup(fd);
    assert_int_equal(dup2(readable, fd), fd);
    (void)close(readable);
    uint32_t before = film.heard.count;
    gp_world_crash(film.world, 0, false);
    film_pass(&film, 5 * GP_SECOND);
    if (once) {
        assert_int_equal(dup2(writable, fd), fd);
    }
    (void)close(writable);
    film_cut(&film);
    assert_int_equal(film.troubles, 1);
    assert_in_range(film.heard.count, before + 1, FILM_LINES);
    film_story_t story;
    gp_played_t played = show(&film, &story);
    assert_int_equal(story.count, before); /* up to there it is whole */
    assert_false(played.ended);
    assert_int_equal(played.stopped, once);
    /* The next start keeps what is of a crash: this is none, if that could be written. */
    assert_int_equal(gp_ring_ended_well(film.folder, "r"), once);
    film_story_free(&story);
    film_end(&film);
}

static void test_a_disk_that_fails_ends_the_recording_only(void **state)
{
    (void)state;
    fail_disk(false);
}

static void test_a_recording_that_stopped_does_not_tell_how_the_run_ended(void **state)
{
    (void)state;
    fail_disk(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_life_begins_the_file_anew),
        cmocka_unit_test(test_machines_keep_their_places),
        cmocka_unit_test(test_without_a_place_it_says_so_and_is_quiet),
        cmocka_unit_test(test_a_disk_that_fails_ends_the_recording_only),
        cmocka_unit_test(test_a_recording_that_stopped_does_not_tell_how_the_run_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
