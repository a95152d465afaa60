/* replay: a recording run through the same cores, told as a story, or held against one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cli/command.h"
#include "agent/http/document.h"

#define LINE_MAX_BYTES 1200

typedef struct replay {
    gp_cli_t *cli;
    json_t *items;  /* --json: the lines; NULL: they are printed as they come */
    char *expected; /* --expect: its text, cut into lines as they are used; NULL: not asked for */
    char *next;     /* its next line; NULL: there is none */
    uint64_t lines;
    uint64_t differs_at; /* the first line that is another one; 0: none so far */
    char wanted[LINE_MAX_BYTES];
    char got[LINE_MAX_BYTES];
} replay_t;

/* ---- --expect -------------------------------------------------------------------------------- */

/* The next line of the expected story that is no comment; NULL: it is over. */
static const char *expected_line(replay_t *replay)
{
    const char *line;
    do {
        line = replay->next;
        char *end = line == NULL ? NULL : strchr(replay->next, '\n');
        replay->next = end == NULL || end[1] == '\0' ? NULL : end + 1;
        if (end != NULL) {
            *end = '\0';
        }
    } while (line != NULL && line[0] == '#');
    return line;
}

static void note_difference(replay_t *replay, const char *wanted, const char *got)
{
    replay->differs_at = replay->lines;
    (void)snprintf(replay->wanted, sizeof replay->wanted, "%s", wanted);
    (void)snprintf(replay->got, sizeof replay->got, "%s", got);
}

static void compare(replay_t *replay, const char *line)
{
    const char *wanted = replay->differs_at == 0 ? expected_line(replay) : NULL;
    if (replay->differs_at == 0 && (wanted == NULL || strcmp(wanted, line) != 0)) {
        note_difference(replay, wanted == NULL ? "its end" : wanted, line);
    }
}

/* Reads the whole expected story. 0 or an exit code. */
static int expected_read(replay_t *replay, const char *path)
{
    gp_cli_t *cli = replay->cli;
    FILE *file = fopen(path, "re");
    size_t n = 0;
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        int code = gp_cli_usage(cli, "--expect %s: %s", path, strerror(errno));
        if (file != NULL) {
            (void)fclose(file);
        }
        return code;
    }
    long size = ftell(file);
    rewind(file);
    if (size >= 0 && size <= GP_STORY_BYTES_MAX) {
        replay->expected = malloc((size_t)size + 1);
    }
    if (replay->expected != NULL) {
        n = fread(replay->expected, 1, (size_t)size, file);
        replay->expected[n] = '\0';
        replay->next = n > 0 ? replay->expected : NULL;
    }
    (void)fclose(file);
    if (replay->expected == NULL || strlen(replay->expected) != n) {
        return gp_cli_usage(cli, "--expect %s is no text of at most %d bytes", path,
                            GP_STORY_BYTES_MAX);
    }
    return GP_EXIT_DONE;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void tell(void *context, const gp_cli_told_t *told)
{
    replay_t *replay = context;
    char text[LINE_MAX_BYTES - 60];
    char line[LINE_MAX_BYTES];
    replay->lines++;
    (void)gp_text_escape(text, sizeof text, gp_text(told->text));
    (void)snprintf(line, sizeof line, "[%6llu.%06llu] %s%s",
                   (unsigned long long)(told->after_us / 1000000),
                   (unsigned long long)(told->after_us % 1000000), told->event ? "< " : "", text);
    if (replay->expected != NULL) {
        compare(replay, line);
    } else if (replay->items == NULL) {
        (void)fprintf(replay->cli->out, "%s\n", line);
    }
    if (replay->items != NULL) {
        char at[GP_DOCUMENT_TIME_TEXT];
        gp_document_time(told->wall_ms, at);
        (void)json_array_append_new(replay->items,
                                    json_pack("{s:s,s:I,s:s,s:o,s:b,s:b}", "at", at, "after_us",
                                              (json_int_t)told->after_us, "what", told->what,
                                              "text", gp_document_text(gp_text(told->text)),
                                              "event", told->event, "replayed", !told->kept));
    }
}

static const char *end_of(const gp_cli_played_t *played)
{
    return played->ended     ? "the run ended in good order"
           : played->stopped ? "the recording stopped before the run did, which went on "
                               "unrecorded (why: gridpeer log)"
           : played->torn    ? "the run did not end in good order, and its last record is torn"
                             : "the run did not end in good order, or still goes on";
}

static void notes(gp_cli_t *cli, const gp_cli_played_t *played)
{
    char at[GP_DOCUMENT_TIME_TEXT];
    gp_document_time(played->began_ms, at);
    gp_cli_note(cli, "%s, from %s on, gridpeer %s: %llu events, and the cores did the same; %s",
                played->node, at, played->version, (unsigned long long)played->replayed,
                end_of(played));
    if (played->kept > 0) {
        gp_cli_note(cli,
                    "%llu later events%s are not run through the cores: what is told of them is "
                    "what was written down",
                    (unsigned long long)played->kept,
                    played->lost ? " (those before them were overwritten)" : "");
    }
}

static int print_document(replay_t *replay, const gp_cli_played_t *played)
{
    char at[GP_DOCUMENT_TIME_TEXT];
    gp_document_time(played->began_ms, at);
    json_t *document = gp_cli_document("replay", NULL);
    (void)json_object_set(document, "items", replay->items);
    json_t *facts =
        json_pack("{s:s,s:s,s:s,s:I,s:I,s:b,s:b,s:b,s:b}", "node", played->node, "version",
                  played->version, "began", at, "replayed", (json_int_t)played->replayed, "kept",
                  (json_int_t)played->kept, "overwritten", played->lost, "ended", played->ended,
                  "stopped", played->stopped, "torn", played->torn);
    (void)json_object_update(document, facts);
    json_decref(facts);
    return gp_cli_print(replay->cli, document, NULL, 0);
}

static int verdict(replay_t *replay, const char *path)
{
    gp_cli_t *cli = replay->cli;
    if (replay->differs_at == 0) {
        const char *left = expected_line(replay);
        if (left != NULL) {
            replay->lines++;
            note_difference(replay, left, "its end");
        }
    }
    if (replay->differs_at != 0) {
        return gp_cli_fail(
            cli, GP_E_REPLAY_EXPECTED, NULL, "line %llu of the story: expected by %s: %s; told: %s",
            (unsigned long long)replay->differs_at, path, replay->wanted, replay->got);
    }
    return GP_EXIT_DONE;
}

static int play(replay_t *replay, const char *expect)
{
    gp_cli_t *cli = replay->cli;
    gp_cli_fault_t fault = {""};
    gp_cli_played_t played = {.node = ""};
    gp_cli_replay_t request = {.file = cli->args.words[0],
                               .events = gp_cli_flag(&cli->args, "events"),
                               .tell = tell,
                               .context = replay};
    gp_error_t error = cli->backend->replay(&request, &played, &fault);
    (void)fflush(cli->out);
    if (error != GP_OK) {
        return gp_cli_fail(cli, error, NULL, "%s", fault.detail);
    }
    int code = expect != NULL ? verdict(replay, expect) : GP_EXIT_DONE;
    if (code == GP_EXIT_DONE && replay->items != NULL) {
        return print_document(replay, &played);
    }
    if (code == GP_EXIT_DONE) {
        notes(cli, &played);
    }
    if (code == GP_EXIT_DONE && expect != NULL) {
        gp_cli_note(cli, "the story is the expected one: %llu lines",
                    (unsigned long long)replay->lines);
    }
    return code;
}

static int replay_run(gp_cli_t *cli)
{
    const char *expect = gp_cli_text(&cli->args, "expect", NULL);
    replay_t replay = {.cli = cli};
    int code = expect == NULL ? GP_EXIT_DONE : expected_read(&replay, expect);
    if (code == GP_EXIT_DONE) {
        replay.items = cli->json || cli->fields != NULL ? json_array() : NULL;
        code = play(&replay, expect);
        json_decref(replay.items);
    }
    free(replay.expected);
    return code;
}

static const gp_cli_option_t options[] = {
    {"expect", GP_CLI_TEXT, "STORY", "say nothing, but whether this file holds the same story", 0,
     0},
    {"events", GP_CLI_FLAG, NULL, "tell each event that came in, too, behind a <", 0, 0},
};

const gp_cli_command_t gp_cli_replay = {
    .words = "replay",
    .run = replay_run,
    .summary = "Run a recording through the same cores and tell its story",
    .operands = "FILE",
    .words_min = 1,
    .words_max = 1,
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .example = "gridpeer replay /var/lib/gridpeer/n1/replay.last",
    .details =
        "An agent with replay.enabled (see gridpeer config) records all that comes to its cores in "
        "DIR/NAME/replay, but no secret: of arguments, environments and output only the lengths. A "
        "program's own name is in it: the job has it, unless it was given another. "
        "When it ends otherwise than in good order, its next start keeps that file as replay.last "
        "and the log says so. gridpeer sim run --record FILE writes one, too. What is told is what "
        "the cores do now; at each event it must be what they did then. Times are seconds since "
        "the beginning. The first half of a recording is what came from the start on; once it is "
        "full the other half keeps the latest, which is told as it was written down. A story that "
        "was kept (gridpeer replay FILE > STORY) is a test by --expect; its lines that begin with "
        "# are not compared. Exit code 1: the cores did otherwise, an assertion failed (as it "
        "may have then), or the story is not the expected one; 3: not a recording, one of another "
        "version, or damaged.",
};
