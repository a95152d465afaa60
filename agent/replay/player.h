/*
 * The player: runs a recording through the same cores and tells what they report, as the activity
 * log would. At each event the hash of all that the cores did so far must be the recorded one: so
 * it is proved, not believed, that they do the same again.
 */
#ifndef GP_AGENT_REPLAY_PLAYER_H
#define GP_AGENT_REPLAY_PLAYER_H

#include "agent/store/fail.h"
#include "proto/message.h"

/* One line of the story; texts are valid during the call. */
typedef struct gp_told {
    gp_usec_t after;      /* since the recording began */
    gp_wall_ms_t wall_ms; /* what the machine's clock said, if it was not set meanwhile */
    const char *what;     /* kind of the notice or type of the event: "leader", "wake" */
    const char *text;     /* "n1 leads in term 3 by mandate, deputy n2" */
    bool event;           /* what came in, rather than what the cores report */
    bool kept;            /* told from a tail, where it was written down */
} gp_told_t;

typedef struct gp_play {
    const char *path;
    bool events; /* tell what comes in, too */
    void (*tell)(void *context, const gp_told_t *told);
    void *context;
} gp_play_t;

typedef struct gp_played {
    char node[GP_NAME_MAX + 1];
    char version[64]; /* of the gridpeer that wrote it */
    gp_wall_ms_t began_ms;
    gp_usec_t length;  /* from the beginning to the last event */
    uint64_t replayed; /* events that ran through the cores */
    uint64_t kept;     /* later ones, which are only listed */
    uint64_t told;     /* lines */
    bool lost;         /* between both others were overwritten */
    bool ended;        /* the run ended in good order, and the recording with it */
    bool stopped;      /* the recording stopped before a run that ended in good order */
    bool torn;         /* the last record was being written */
} gp_played_t;

/*
 * Plays it to its end. *ret_played says how far it came, after an error as well. Errors: those of
 * gp_ring_open and gp_ring_next; GP_E_REPLAY_DIVERGED with the first event at which the cores did
 * otherwise; GP_E_REPLAY_ASSERT with the event at which an assertion failed; GP_E_MEMORY.
 */
GP_MUST_CHECK gp_error_t gp_replay_play(const gp_play_t *play, gp_played_t *ret_played,
                                        gp_fail_t *fail);

#endif
