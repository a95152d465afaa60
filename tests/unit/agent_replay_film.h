/*
 * What the tests of the recorder and the player share: a small simulated grid of which one machine
 * is recorded, and its story as the machine's shell heard it.
 */
#ifndef GP_TESTS_AGENT_REPLAY_FILM_H
#define GP_TESTS_AGENT_REPLAY_FILM_H

#include "agent/lab/world.h"
#include "agent/replay/player.h"
#include "agent/replay/recorder.h"
#include "agent_store_fixture.h"

#define FILM_NODES 5
#define FILM_LINES 4000
#define FILM_TEXT  300

typedef struct film_story {
    uint32_t count;
    char (*lines)[FILM_TEXT];
} film_story_t;

typedef struct film {
    char dir[128];
    gp_folder_t folder;
    gp_recorder_t *recorder;
    gp_world_t *world;
    uint32_t node;      /* that is recorded */
    film_story_t heard; /* by its shell, in the life that is recorded */
    gp_error_t trouble; /* the last one */
    uint32_t troubles;
} film_t;

/* A grid of which `node` is recorded into dir/r; ready to run. */
void film_begin(film_t *film, uint64_t seed, uint32_t node, uint64_t size);
void film_pass(film_t *film, gp_usec_t span);

/* All machines come up. */
void film_start(film_t *film);

/* All machines come up, ask and run a job; super-peer 0 dies and comes back. */
void film_play(film_t *film);

/* Ends the recording in good order; its file stays. */
void film_cut(film_t *film);
void film_end(film_t *film);

/* Plays dir/r; the story without its events, and what came of it. */
gp_error_t film_show(film_t *film, bool events, film_story_t *story, gp_played_t *ret_played,
                     gp_fail_t *fail);

void film_story_free(film_story_t *story);

/* Same lines, in whatever order: what waits for the disk is heard a moment later. */
void film_assert_same(film_story_t *a, film_story_t *b);

#endif
