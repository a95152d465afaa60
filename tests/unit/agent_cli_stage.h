/*
 * For tests of commands: a fake agent with canned answers, a fake backend, and the command line
 * run in this process with its output captured.
 */
#ifndef GP_TESTS_AGENT_CLI_STAGE_H
#define GP_TESTS_AGENT_CLI_STAGE_H

#include "agent/cli/cli.h"
#include "agent_http_fake.h"

typedef struct stage {
    fake_t fake;
    const char *out_to; /* a file for stdout instead of `out`, or NULL */
    int out_close;      /* closed once out_to is open; 0: nothing */
    char *out;
    char *err;
    int code;
    /* what the fake agent was asked last, and what it answers */
    char asked[256];       /* "POST /v1/find" */
    char query[64];        /* of the log: limit and after, "-" if not given */
    json_t *body;          /* the last request's */
    const char *answer;    /* JSON of a document or an error; NULL: the command's own canned one */
    const char *lines[16]; /* of a stream, as JSON */
    size_t line_count;
    bool hang;   /* a stream stays open after its lines */
    bool vanish; /* a stream breaks off after its lines */
    bool deaf;   /* a cancel ends nothing: the user loses patience (SIGINT) */
    bool mute;   /* a cancel is taken, and the job's end is not told */
    int cancels; /* how often a cancel was asked */
    gp_http_call_t *stream;
    int news; /* the stream is open: a byte to this pipe */
    int news_read;
    /* what the fake backend was asked last */
    char backend[1024];
    char sim_dir[256]; /* of the last sim command */
    gp_error_t backend_error;
    bool recording_stopped;       /* before the run that is replayed */
    gp_error_t setup_error;       /* before a machine is set up: taken, or no place to listen */
    const char *backend_document; /* JSON */
    bool no_start;                /* start_agent starts nothing */
} stage_t;

/* The directory exists; the agent n1 is not up. */
void stage_set(stage_t *stage);

/* The agent n1 answers. */
void stage_agent_start(stage_t *stage);

void stage_clear(stage_t *stage);

/* cmocka's: *state is a stage_t, without or with the agent n1. */
int stage_setup(void **state);
int stage_setup_agent(void **state);
int stage_teardown(void **state);

#define assert_has(text, part)                                                                     \
    do {                                                                                           \
        if (strstr(text, part) == NULL) {                                                          \
            print_error("no \"%s\" in:\n%s\n", part, text);                                        \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

/* Runs "gridpeer LINE --dir DIRECTORY", LINE split at blanks, '+' standing for a blank. */
int stage_run(stage_t *stage, const char *line);

/* Runs exactly these words. */
int stage_words(stage_t *stage, char **words, int count);

/* The same as stage_run without --dir. */
int stage_run_bare(stage_t *stage, const char *line);

/* The text of the last run as a document; the caller's. */
json_t *stage_document(const stage_t *stage);

#endif
