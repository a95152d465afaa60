#include "agent_replay_film.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/shell/story.h"
#include "proto/text.h"

static void add_line(film_story_t *story, const char *text)
{
    assert_in_range(story->count, 0, FILM_LINES - 1);
    snprintf(story->lines[story->count++], FILM_TEXT, "%s", text);
}

static film_story_t story_new(void)
{
    film_story_t story = {.lines = calloc(FILM_LINES, FILM_TEXT)};
    assert_non_null(story.lines);
    return story;
}

void film_story_free(film_story_t *story)
{
    free(story->lines);
    *story = (film_story_t){0};
}

/* ---- recording ------------------------------------------------------------------------------- */

static const char *name_of(void *context, const gp_id_t *id)
{
    static char text[GP_ID_SHORT_TEXT];
    const film_t *film = context;
    const void *peer = gp_world_peer(film->world, film->node);
    const gp_group_member_t *member = gp_group_member(gp_peer_group(peer), id);
    if (member != NULL && member->name[0] != '\0') {
        return member->name;
    }
    gp_id_short(id, text);
    return text;
}

static void watch(void *context, uint32_t node, gp_usec_t at, uint64_t token,
                  const gp_msg_t *notice)
{
    film_t *film = context;
    char text[FILM_TEXT];
    (void)at;
    (void)token;
    if (node == film->node && gp_story_tell(notice, name_of, film, text, sizeof text)) {
        add_line(&film->heard, text);
    }
}

static void on_trouble(void *context, gp_error_t error, const char *text)
{
    film_t *film = context;
    assert_true(text[0] != '\0');
    film->trouble = error;
    film->troubles++;
}

void film_begin(film_t *film, uint64_t seed, uint32_t node, uint64_t size)
{
    *film = (film_t){.node = node, .heard = story_new()};
    test_dir_make(film->dir);
    film->folder = (gp_folder_t){.fd = open(film->dir, O_RDONLY | O_DIRECTORY), .path = film->dir};
    gp_recorder_config_t recorder = {.folder = film->folder,
                                     .name = "r",
                                     .size = size,
                                     .version = "0.0.1",
                                     .trouble = on_trouble,
                                     .context = film};
    film->recorder = gp_recorder_new(&recorder);
    gp_world_config_t config;
    gp_world_defaults(&config);
    config.nodes = FILM_NODES;
    config.seed = seed;
    film->world = gp_world_new(&config);
    assert_non_null(film->world);
    gp_world_watch(film->world, watch, film);
    gp_world_tap(film->world, node, &gp_recorder_tap, film->recorder);
}

void film_pass(film_t *film, gp_usec_t span)
{
    if (!gp_world_run(film->world, gp_world_now(film->world) + span)) {
        fail_msg("%s", gp_world_violation(film->world));
    }
}

void film_start(film_t *film)
{
    for (uint32_t i = 0; i < FILM_NODES; i++) {
        gp_world_start(film->world, i);
    }
}

void film_play(film_t *film)
{
    film_start(film);
    film_pass(film, 5 * GP_SECOND);
    gp_world_find(film->world, film->node, "cpu >= 1");
    gp_world_job(film->world, film->node, "cpu >= 1");
    film_pass(film, 3 * GP_SECOND);
    gp_world_crash(film->world, 0, false);
    film_pass(film, 5 * GP_SECOND);
    gp_world_start(film->world, 0);
    film_pass(film, 5 * GP_SECOND);
}

void film_cut(film_t *film)
{
    gp_recorder_free(film->recorder);
    film->recorder = NULL;
    gp_world_tap(film->world, 0, NULL, NULL);
}

void film_end(film_t *film)
{
    gp_world_free(film->world);
    gp_recorder_free(film->recorder);
    film_story_free(&film->heard);
    (void)close(film->folder.fd);
    test_dir_remove(film->dir);
}

/* ---- showing --------------------------------------------------------------------------------- */

static void tell(void *context, const gp_told_t *told)
{
    if (!told->event) {
        add_line(context, told->text);
    }
}

gp_error_t film_show(film_t *film, bool events, film_story_t *story, gp_played_t *ret_played,
                     gp_fail_t *fail)
{
    *story = story_new();
    gp_play_t play = {
        .path = test_path(film->dir, "r"), .events = events, .tell = tell, .context = story};
    return gp_replay_play(&play, ret_played, fail);
}

static int order(const void *a, const void *b)
{
    return strcmp(a, b);
}

void film_assert_same(film_story_t *a, film_story_t *b)
{
    qsort(a->lines, a->count, FILM_TEXT, order);
    qsort(b->lines, b->count, FILM_TEXT, order);
    for (uint32_t i = 0; i < a->count && i < b->count; i++) {
        assert_string_equal(a->lines[i], b->lines[i]);
    }
    assert_int_equal(a->count, b->count);
}
