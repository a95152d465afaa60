/*
 * Golden traces: scripts of what is done to a small grid, and the story that its cores tell.
 *
 * A file is a sequence of blocks: commands, a line "----", the expected story, an empty line.
 * `trace FILE` compares, `trace --rewrite FILE` writes what came out; only commit a rewritten file
 * whose difference you understand. Lines beginning with # are comments. After the datadriven tests
 * of etcd's raft.
 *
 *   world nodes=5 [seed=1] [tiers] a new grid; n1 founds it when it is first started; with tiers it
 *                                  has a region and a grid above
 *   start n1 n2 ...                start (or restart) processes
 *   run 500ms                      let time go on
 *   crash n1 | wipe n1 | freeze n1 | thaw n1 | stop n1 | leave n1
 *   fill n1                        its disk is full until heal
 *   cut n1 n2 / n3 n4 n5           nobody on one side hears the other
 *   deaf n1 / n2                   n1 does not hear n2
 *   heal
 *   find n2 QUERY | job n2 QUERY
 *   members n1                     n1's table of members
 *   agree                          "agreed", or why not
 */
#include <stdio.h>
#include <stdlib.h>

#include "agent/lab/world.h"
#include "agent/shell/story.h"
#include "proto/text.h"

#define TEXT_MAX       (1 << 20)
#define LINE_MAX_BYTES 1024

typedef struct trace {
    gp_world_t *world;
    char *told; /* the story of the block that runs */
    size_t told_n;
} trace_t;

static void tell(trace_t *trace, const char *line)
{
    int n = snprintf(trace->told + trace->told_n, TEXT_MAX - trace->told_n, "%s\n", line);
    assert(n > 0 && (size_t)n < TEXT_MAX - trace->told_n);
    trace->told_n += (size_t)n;
}

static const char *name_of(void *context, const gp_id_t *id)
{
    trace_t *trace = context;
    uint32_t node = gp_world_node(trace->world, id);
    return node == UINT32_MAX ? "?" : gp_world_name(trace->world, node);
}

static void watch(void *context, uint32_t node, gp_usec_t at, uint64_t token,
                  const gp_msg_t *notice)
{
    trace_t *trace = context;
    char text[400];
    char line[512];
    (void)token;
    if (!gp_story_tell(notice, name_of, trace, text, sizeof text)) {
        return;
    }
    snprintf(line, sizeof line, "[%7.1f] %s: %s", (double)at / 1000.0,
             gp_world_name(trace->world, node), text);
    tell(trace, line);
}

/* ---- commands -------------------------------------------------------------------------------- */

static uint32_t node_number(const char *word)
{
    unsigned number = 0;
    if (sscanf(word, "n%u", &number) != 1 || number == 0) {
        fprintf(stderr, "trace: no such node: %s\n", word);
        exit(2);
    }
    return number - 1;
}

static void make_world(trace_t *trace, const char *rest)
{
    gp_world_config_t config;
    gp_world_defaults(&config);
    unsigned nodes = 3;
    unsigned long long seed = 1;
    sscanf(rest, "nodes=%u seed=%llu", &nodes, &seed);
    config.nodes = nodes;
    config.group_size = nodes;
    config.seed = seed;
    config.jitter_us = 0;
    config.tiers = strstr(rest, "tiers") != NULL;
    gp_world_free(trace->world);
    trace->world = gp_world_new(&config);
    if (trace->world == NULL) {
        fprintf(stderr, "trace: no such world: %s\n", rest);
        exit(2);
    }
    gp_world_watch(trace->world, watch, trace);
}

static void each_node(trace_t *trace, char *rest, void (*what)(gp_world_t *, uint32_t))
{
    char *next = NULL;
    for (char *word = strtok_r(rest, " ", &next); word != NULL; word = strtok_r(NULL, " ", &next)) {
        what(trace->world, node_number(word));
    }
}

static void crash(gp_world_t *world, uint32_t node)
{
    gp_world_crash(world, node, false);
}

static void wipe(gp_world_t *world, uint32_t node)
{
    gp_world_crash(world, node, true);
}

static void freeze(gp_world_t *world, uint32_t node)
{
    gp_world_pause(world, node, true);
}

static void thaw(gp_world_t *world, uint32_t node)
{
    gp_world_pause(world, node, false);
}

static void fill(gp_world_t *world, uint32_t node)
{
    gp_world_disk(world, node, true, 0);
}

static void stop(gp_world_t *world, uint32_t node)
{
    gp_world_leave(world, node, false);
}

static void leave(gp_world_t *world, uint32_t node)
{
    gp_world_leave(world, node, true);
}

static void cut(trace_t *trace, char *rest, bool both)
{
    char *sides = strstr(rest, " / ");
    if (sides == NULL) {
        fprintf(stderr, "trace: cut needs two sides: %s\n", rest);
        exit(2);
    }
    *sides = '\0';
    char *next_a = NULL;
    for (char *a = strtok_r(rest, " ", &next_a); a != NULL; a = strtok_r(NULL, " ", &next_a)) {
        char other[LINE_MAX_BYTES];
        snprintf(other, sizeof other, "%s", sides + 3);
        char *next_b = NULL;
        for (char *b = strtok_r(other, " ", &next_b); b != NULL; b = strtok_r(NULL, " ", &next_b)) {
            gp_world_cut(trace->world, node_number(b), node_number(a), true);
            if (both) {
                gp_world_cut(trace->world, node_number(a), node_number(b), true);
            }
        }
    }
}

static void show_members(trace_t *trace, const char *word)
{
    const void *peer = gp_world_peer(trace->world, node_number(word));
    if (peer == NULL) {
        tell(trace, "not running");
        return;
    }
    const void *group = gp_peer_group(peer);
    /* By name, so that a trace does not depend on the order of ids. */
    for (uint32_t node = 0; node < GP_MEMBERS_MAX; node++) {
        for (uint32_t i = 0; i < gp_group_count(group); i++) {
            const gp_group_member_t *member = gp_group_member_at(group, i);
            if (gp_world_node(trace->world, &member->id) == node) {
                char line[200];
                snprintf(line, sizeof line, "%-5s %s: %s", name_of(trace, &member->id),
                         gp_member_state_name(member->state), gp_cause_text(member->cause));
                tell(trace, line);
            }
        }
    }
}

static void show_agreement(trace_t *trace)
{
    char why[200];
    bool agreed = gp_world_agrees(trace->world, 0, why, sizeof why);
    tell(trace, agreed ? "agreed" : why);
}

static void run_for(trace_t *trace, const char *rest)
{
    uint64_t ms = 0;
    if (gp_duration_parse(rest, &ms) != GP_OK) {
        fprintf(stderr, "trace: not a duration: %s\n", rest);
        exit(2);
    }
    if (!gp_world_run(trace->world, gp_world_now(trace->world) + ms * GP_MSEC)) {
        tell(trace, gp_world_violation(trace->world));
    }
}

static void ask(trace_t *trace, char *rest, void (*what)(gp_world_t *, uint32_t, const char *))
{
    char *space = strchr(rest, ' ');
    if (space == NULL) {
        fprintf(stderr, "trace: a query is missing: %s\n", rest);
        exit(2);
    }
    *space = '\0';
    what(trace->world, node_number(rest), space + 1);
}

static void command(trace_t *trace, const char *line)
{
    static const struct {
        const char *word;
        void (*what)(gp_world_t *, uint32_t);
    } verbs[] = {{"start ", gp_world_start}, {"crash ", crash}, {"wipe ", wipe},
                 {"freeze ", freeze},        {"thaw ", thaw},   {"stop ", stop},
                 {"leave ", leave},          {"fill ", fill}};
    char rest[LINE_MAX_BYTES];
    const char *space = strchr(line, ' ');
    snprintf(rest, sizeof rest, "%s", space == NULL ? "" : space + 1);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strncmp(line, verbs[i].word, strlen(verbs[i].word)) == 0) {
            each_node(trace, rest, verbs[i].what);
            return;
        }
    }
    if (strncmp(line, "world ", 6) == 0) {
        make_world(trace, rest);
    } else if (strncmp(line, "run ", 4) == 0) {
        run_for(trace, rest);
    } else if (strncmp(line, "cut ", 4) == 0) {
        cut(trace, rest, true);
    } else if (strncmp(line, "deaf ", 5) == 0) {
        cut(trace, rest, false);
    } else if (strcmp(line, "heal") == 0) {
        gp_world_heal(trace->world);
    } else if (strncmp(line, "find ", 5) == 0) {
        ask(trace, rest, gp_world_find);
    } else if (strncmp(line, "job ", 4) == 0) {
        ask(trace, rest, gp_world_job);
    } else if (strncmp(line, "members ", 8) == 0) {
        show_members(trace, rest);
    } else if (strcmp(line, "agree") == 0) {
        show_agreement(trace);
    } else {
        fprintf(stderr, "trace: no such command: %s\n", line);
        exit(2);
    }
}

/* ---- files ----------------------------------------------------------------------------------- */

static void finish_block(trace_t *trace, FILE *out)
{
    fprintf(out, "%s\n", trace->told);
    trace->told_n = 0;
    trace->told[0] = '\0';
}

/* Runs the script of `text`, which it takes apart, and writes what it becomes to `out`. */
static void play(trace_t *trace, char *text, FILE *out)
{
    bool expecting = false; /* the lines are a former story, up to an empty one */
    char *next = text;
    for (char *line = strsep(&next, "\n"); next != NULL; line = strsep(&next, "\n")) {
        if (expecting && *line != '\0') {
            continue;
        }
        if (expecting) {
            expecting = false;
            finish_block(trace, out);
            continue;
        }
        fprintf(out, "%s\n", line);
        expecting = strcmp(line, "----") == 0;
        if (!expecting && *line != '\0' && *line != '#') {
            command(trace, line);
        }
    }
    if (expecting) {
        finish_block(trace, out);
    }
}

static char *read_all(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, TEXT_MAX);
    if (file == NULL || text == NULL) {
        perror(path);
        exit(2);
    }
    size_t n = fread(text, 1, TEXT_MAX - 1, file);
    text[n] = '\0';
    fclose(file);
    return text;
}

static int show_difference(const char *path, const char *expected, const char *got)
{
    unsigned line = 1;
    while (*expected != '\0' && *expected == *got) {
        line += *expected == '\n' ? 1 : 0;
        expected++;
        got++;
    }
    if (*expected == *got) {
        return 0;
    }
    fprintf(stderr, "%s:%u: the story differs; from here on it is:\n%.600s\n", path, line, got);
    fprintf(stderr, "If that is right: trace --rewrite %s\n", path);
    return 1;
}

int main(int argc, char **argv)
{
    bool rewrite = argc > 1 && strcmp(argv[1], "--rewrite") == 0;
    int first = rewrite ? 2 : 1;
    int failures = 0;
    if (argc <= first) {
        fprintf(stderr, "usage: trace [--rewrite] FILE...\n");
        return 64;
    }
    for (int i = first; i < argc; i++) {
        char *original = read_all(argv[i]);
        char *text = read_all(argv[i]);
        char *got = NULL;
        size_t got_n = 0;
        FILE *out = open_memstream(&got, &got_n);
        trace_t trace = {.told = calloc(1, TEXT_MAX)};
        assert(out != NULL && trace.told != NULL);
        play(&trace, text, out);
        fclose(out);
        if (rewrite) {
            FILE *file = fopen(argv[i], "w");
            assert(file != NULL);
            fwrite(got, 1, got_n, file);
            fclose(file);
        } else {
            failures += show_difference(argv[i], original, got);
        }
        gp_world_free(trace.world);
        free(trace.told);
        free(original);
        free(text);
        free(got);
    }
    return failures == 0 ? 0 : 1;
}
