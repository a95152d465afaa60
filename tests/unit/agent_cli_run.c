/* gridpeer run against a fake agent: output, exit codes, Ctrl-C, a lost agent. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_cli_stage.h"
#include "proto_cmocka.h"

#define LIMIT_MS 10000

static const char running[] =
    "{'event':'state','job':17,'state':'running','reason':'none','code':0,'node':'n3','name':'sh',"
    "'incarnation':1,'text':''}";

static void lines_set(stage_t *stage, const char *one, const char *two, const char *three)
{
    stage->line_count = 0;
    const char *lines[] = {one, two, three};
    for (size_t i = 0; i < 3 && lines[i] != NULL; i++) {
        stage->lines[stage->line_count++] = lines[i];
    }
}

/* ---- what goes out and comes back ---------------------------------------------------------------
 */

static void output_and_exit_code_are_passed_on(void **state)
{
    stage_t *stage = *state;
    stage->lines[0] = "{'event':'state','job':17,'state':'matching','node':''}";
    stage->lines[1] = running;
    stage->lines[2] = "{'event':'output','job':17,'stream':'stdout','offset':0,'data':'aGkK/w=='}";
    stage->lines[3] = "{'event':'output','job':17,'stream':'stderr','offset':4,'data':'d2FybgoA'}";
    stage->lines[4] = "{'event':'end','job':17,'state':'failed','reason':'exit','code':3,'node':"
                      "'n3','text':''}";
    stage->line_count = 5;
    assert_int_equal(stage_run(stage, "run --where cpu+>=+2 --env A=1 --env B=x=y --on n3 -- sh -c "
                                      "exit+3"),
                     3);
    assert_memory_equal(stage->out, "hi\n\xff", 5);
    assert_string_equal(stage->err, "gridpeer: running on n3 (job 17)\nwarn\n");
    const json_t *args = json_object_get(stage->body, "args");
    assert_int_equal(json_array_size(args), 3);
    assert_string_equal(json_string_value(json_array_get(args, 2)), "exit 3");
    const json_t *env = json_object_get(stage->body, "env");
    assert_string_equal(json_string_value(json_object_get(env, "B")), "x=y");
    assert_string_equal(json_string_value(json_object_get(stage->body, "where")), "cpu >= 2");
    assert_string_equal(json_string_value(json_object_get(stage->body, "on")), "n3");
    assert_null(json_object_get(stage->body, "rank"));
    assert_int_equal(stage_run(stage, "run --quiet -- x"), 3);
    assert_string_equal(stage->err, "warn\n");
}

static void ends_have_exit_codes_and_words(void **state)
{
    static const struct {
        const char *end;
        int code;
        const char *words;
    } ends[] = {
        {"'reason':'exit','code':0", 0, ""},
        {"'reason':'exit','code':255", 255, ""},
        {"'reason':'signal','code':9", 137, "gridpeer: ended by signal 9 (Killed) on n3\n"},
        {"'reason':'signal','code':15", 143, "gridpeer: ended by signal 15 (Terminated) on n3\n"},
        {"'reason':'oom','code':0,'text':'limit 64 MiB, peak 64 MiB'", 137,
         "gridpeer: ran out of memory on n3: limit 64 MiB, peak 64 MiB\n"},
        {"'reason':'cancelled','code':0", 130, "gridpeer: cancelled on n3\n"},
        {"'reason':'not-found','code':2,'text':'nosuch: No such file or directory'", 1,
         "gridpeer: the program does not exist on that machine: job 17 on n3: not-found: nosuch: "
         "No "
         "such file or directory\n  next: give a path that exists there, or choose with --where\n"},
        {"'reason':'not-executable','code':13", 1,
         "gridpeer: the program is not executable on that machine: job 17 on n3: not-executable\n  "
         "next: chmod +x it there, or name a program: a directory cannot run\n"},
        {"'reason':'not-executable','code':8", 1,
         "  next: give it a #! line, or name its interpreter: gridpeer run -- sh FILE\n"},
        {"'reason':'node-failed','code':0,'text':'process gone'", 1,
         "gridpeer: the machine that ran the work is unavailable: job 17 on n3: node-failed: "
         "process "
         "gone\n  next: run it again if that is safe: it may have had effects\n"},
        {"'reason':'refused','code':0,'text':'memory is short'", 5,
         "gridpeer: the machine refused the work: job 17 on n3: refused: memory is short\n"},
        {"'reason':'no-match','code':0,'node':''", 1,
         "gridpeer: no machine matches: job 17 on no machine: no-match\n"},
        {"'reason':'lease-lost','code':0", 1, "gridpeer: the machine that ran the work"},
    };
    stage_t *stage = *state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char end[512];
        bool placed = strstr(ends[i].end, "'node':") == NULL;
        (void)snprintf(end, sizeof end, "{'event':'end','job':17,'state':'failed',%s%s}",
                       placed ? "'node':'n3'," : "", ends[i].end);
        lines_set(stage, "{'event':'state','job':17,'state':'claiming'}", end, NULL);
        assert_int_equal(stage_run(stage, "run -- x"), ends[i].code);
        assert_string_equal(stage->out, "");
        assert_has(stage->err, ends[i].words);
    }
}

static void json_prints_events_and_a_document(void **state)
{
    stage_t *stage = *state;
    lines_set(stage, running,
              "{'event':'end','job':17,'state':'done','reason':'exit','code':4,'node':'n3'}", NULL);
    assert_int_equal(stage_run(stage, "run --json -- x"), 4);
    assert_string_equal(stage->err, "");
    char *last = strrchr(stage->out, '\n');
    *last = '\0';
    last = strrchr(stage->out, '\n') + 1;
    json_t *document = json_loads(last, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(document, "kind")), "job");
    const json_t *item = json_array_get(json_object_get(document, "items"), 0);
    assert_string_equal(json_string_value(json_object_get(item, "name")), "sh");
    assert_string_equal(json_string_value(json_object_get(item, "state")), "done");
    assert_null(json_object_get(item, "event"));
    json_decref(document);
    assert_int_equal(stage_run(stage, "run --json --fields state,job -- x"), 4);
    assert_has(stage->out, "\"items\":[{\"state\":\"done\",\"job\":17}]}\n");
}

static json_t *last_line(stage_t *stage)
{
    size_t n = strlen(stage->out);
    assert_true(n > 0 && stage->out[n - 1] == '\n');
    stage->out[n - 1] = '\0';
    const char *before = strrchr(stage->out, '\n');
    json_t *document = json_loads(before == NULL ? stage->out : before + 1, 0, NULL);
    assert_non_null(document);
    return document;
}

/* However it ends, the last line is the job's document; errors are words then. */
static void json_ends_with_the_job(void **state)
{
    stage_t *stage = *state;
    lines_set(stage, running, NULL, NULL);
    stage->hang = true;
    assert_int_equal(stage_run(stage, "run --json --timeout 50ms -- sleep 1000"), 6);
    assert_has(stage->err, "timed out: job 17 was cancelled after 50 ms");
    json_t *document = last_line(stage);
    assert_string_equal(json_string_value(json_object_get(document, "kind")), "job");
    const json_t *item = json_array_get(json_object_get(document, "items"), 0);
    assert_string_equal(json_string_value(json_object_get(item, "state")), "cancelled");
    json_decref(document);
    stage->mute = true;
    assert_int_equal(stage_run(stage, "run --json --timeout 50ms -- sleep 1000"), 6);
    assert_has(stage->err, "the machine n3 has not told its end");
    document = last_line(stage);
    assert_string_equal(json_string_value(json_object_get(document, "kind")), "job");
    assert_true(json_is_true(json_object_get(document, "partial")));
    json_decref(document);
    stage->line_count = 0;
    assert_int_equal(stage_run(stage, "run --json --timeout 50ms -- sleep 1000"), 6);
    document = last_line(stage);
    assert_string_equal(json_string_value(json_object_get(document, "kind")), "error");
    json_decref(document);
}

/* While the disk may get well it is waited for; where only a restart helps, nobody waits. */
static void an_end_that_cannot_be_recorded_is_told(void **state)
{
    stage_t *stage = *state;
    lines_set(stage, running,
              "{'event':'unrecorded','job':17,'state':'running','reason':'storage','node':'n3',"
              "'disk':'the disk is full','final':false}",
              "{'event':'end','job':17,'state':'failed','reason':'exit','code':4,'node':'n3'}");
    assert_int_equal(stage_run(stage, "run -- x"), 4);
    assert_has(stage->err, "job 17 ended, but n1 cannot record that yet: the disk is full; make");
    lines_set(stage, running,
              "{'event':'unrecorded','job':17,'state':'running','reason':'storage','node':'n3',"
              "'disk':'cannot write state.db: Input/output error','final':true}",
              NULL);
    assert_int_equal(stage_run(stage, "run --timeout 1h -- x"), 1);
    assert_has(stage->err, "job 17 ended, but n1 cannot record how before it is started anew: "
                           "cannot write state.db: Input/output error\n"
                           "  next: check the disk and the kernel's log, stop n1, start it: ");
    assert_int_equal(stage_run(stage, "run --json -- x"), 1);
    json_t *document = last_line(stage);
    assert_true(json_is_true(json_object_get(document, "partial")));
    json_decref(document);
    lines_set(stage, running,
              "{'event':'unrecorded','job':17,'state':'running','reason':'storage','node':'n3',"
              "'disk':'the disk is full','final':false}",
              NULL);
    stage->hang = true;
    stage->mute = true;
    assert_int_equal(stage_run(stage, "run --timeout 50ms -- x"), 6);
    assert_has(stage->err, "n1 could not record how: the disk is full");
}

static void bad_output_does_not_hurt(void **state)
{
    stage_t *stage = *state;
    lines_set(stage, "{'event':'output','job':17,'stream':'stdout','data':'!!!'}",
              "{'event':'whatever'}", "{'event':'end','job':17,'reason':'exit','code':0}");
    assert_int_equal(stage_run(stage, "run -- x"), 0);
    assert_string_equal(stage->out, "");
    assert_has(stage->err, "the agent sent output that cannot be read");
}

/* ---- what is refused at once --------------------------------------------------------------------
 */

static void errors_before_the_start_are_told(void **state)
{
    stage_t *stage = *state;
    char answer[200];
    (void)snprintf(answer, sizeof answer, "{'error':{'number':%d,'detail':'n9'}}",
                   GP_E_NODE_UNKNOWN);
    stage->answer = answer;
    assert_int_equal(stage_run(stage, "run --on n9 -- x"), 1);
    assert_string_equal(stage->err,
                        "gridpeer: no such machine: n9\n  next: see gridpeer node list\n");
    (void)snprintf(answer, sizeof answer, "{'error':{'number':%d,'detail':'n9 is unavailable'}}",
                   GP_E_PEER_UNREACHABLE);
    assert_int_equal(stage_run(stage, "run --on n9 -- x"), 1);
    assert_string_equal(stage->err, "gridpeer: the machine cannot be reached: n9 is unavailable\n"
                                    "  next: see gridpeer node list\n");
    (void)snprintf(answer, sizeof answer, "{'error':{'number':%d,'detail':'x','column':1}}",
                   GP_E_QUERY_SYNTAX);
    assert_int_equal(stage_run(stage, "run --where => -- x"), 64);
    assert_has(stage->err, "  =>\n  ^\n");
}

static void limits_are_checked_here(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "run --env A -- x"), 64);
    assert_has(stage->err, "--env takes NAME=VALUE, not 'A'");
    assert_int_equal(stage_run(stage, "run --env =1 -- x"), 64);
    assert_int_equal(stage_run(stage, "run -- \xff\xfe"), 64);
    assert_has(stage->err, "word 1 of the program is not UTF-8");
    char line[1024] = "run --";
    for (int i = 0; i <= GP_ARGS_MAX; i++) {
        (void)snprintf(line + strlen(line), sizeof line - strlen(line), " x");
    }
    assert_int_equal(stage_run(stage, line), 64);
    assert_has(stage->err, "the command or its environment is too large: 129 words");
    char *large = malloc(GP_ARGS_BYTES_MAX + 100);
    memset(large, 'x', GP_ARGS_BYTES_MAX + 99);
    memcpy(large, "run -- ", 7);
    large[GP_ARGS_BYTES_MAX + 99] = '\0';
    assert_int_equal(stage_run(stage, large), 64);
    assert_has(stage->err, "put it in a file");
    free(large);
    static const struct {
        const char *option, *says;
    } long_ones[] = {
        {"--where", "gridpeer: the query is too large: it has 1025 bytes, and 1024 are allowed\n"},
        {"--rank", "the query is too large: --rank has 1025 bytes, and 1024 are allowed\n"},
        {"--on", "--on has 1025 bytes, and 32 are allowed: 'xxx"},
        {"--name", "--name has 1025 bytes, and 32 are allowed: 'xxx"}};
    for (size_t i = 0; i < sizeof long_ones / sizeof long_ones[0]; i++) {
        char text[GP_QUERY_MAX + 2] = "";
        char words[GP_QUERY_MAX + 64];
        memset(text, 'x', GP_QUERY_MAX + 1);
        (void)snprintf(words, sizeof words, "run %s %s -- x", long_ones[i].option, text);
        assert_int_equal(stage_run(stage, words), 64);
        assert_has(stage->err, long_ones[i].says);
        assert_true(strlen(stage->err) < 256);
    }
    assert_string_equal(stage->asked, "");
}

/* ---- ends that are not the program's --------------------------------------------------------- */

/* Waits until the stream is open, then sends the process SIGINT, `count` times. */
typedef struct interrupter {
    stage_t *stage;
    int count;
} interrupter_t;

static void *interrupt(void *context)
{
    interrupter_t *interrupter = context;
    struct pollfd open = {.fd = interrupter->stage->news_read, .events = POLLIN};
    char byte = 0;
    if (poll(&open, 1, LIMIT_MS) == 1 && read(open.fd, &byte, 1) == 1) {
        for (int i = 0; i < interrupter->count; i++) {
            (void)kill(getpid(), SIGINT);
        }
    }
    return NULL;
}

/* All other threads leave the signals to the command's signalfd. */
static void signals_block(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void ctrl_c_cancels_and_waits(void **state)
{
    stage_t *stage = *state;
    interrupter_t interrupter = {.stage = stage, .count = 1};
    pthread_t thread;
    lines_set(stage, running, NULL, NULL);
    stage->hang = true;
    assert_int_equal(pthread_create(&thread, NULL, interrupt, &interrupter), 0);
    assert_int_equal(stage_run(stage, "run -- sleep 1000"), 130);
    (void)pthread_join(thread, NULL);
    assert_int_equal(stage->cancels, 1);
    assert_has(stage->err, "gridpeer: cancelling; once more to give up waiting\n"
                           "gridpeer: cancelled on n3\n");
}

static void two_ctrl_c_give_up(void **state)
{
    stage_t *stage = *state;
    pthread_t thread;
    lines_set(stage, running, NULL, NULL);
    stage->hang = true;
    stage->deaf = true;
    interrupter_t interrupter = {.stage = stage, .count = 1};
    assert_int_equal(pthread_create(&thread, NULL, interrupt, &interrupter), 0);
    assert_int_equal(stage_run(stage, "run -- sleep 1000"), 130);
    (void)pthread_join(thread, NULL);
    assert_has(stage->err, "gave up waiting for the end of job 17: see gridpeer ps");
}

static void a_timeout_cancels(void **state)
{
    stage_t *stage = *state;
    lines_set(stage, running, NULL, NULL);
    stage->hang = true;
    assert_int_equal(stage_run(stage, "run --timeout 50ms -- sleep 1000"), 6);
    assert_int_equal(stage->cancels, 1);
    assert_has(stage->err, "timed out: job 17 was cancelled after 50 ms");
}

static void a_timeout_before_the_job_has_a_name_ends_it(void **state)
{
    stage_t *stage = *state;
    stage->hang = true;
    assert_int_equal(stage_run(stage, "run --timeout 50ms -- sleep 1000"), 6);
    assert_int_equal(stage->cancels, 0);
    assert_has(stage->err, "the agent n1 had no machine for the job yet after ");
}

static void output_that_nobody_takes_cancels(void **state)
{
    stage_t *stage = *state;
    lines_set(stage, running, "{'event':'output','job':17,'stream':'stdout','data':'aGkK'}", NULL);
    stage->hang = true;
    stage->out_to = "/dev/full";
    assert_int_equal(stage_run(stage, "run -- yes"), 1);
    assert_int_equal(stage->cancels, 1);
    assert_has(stage->err, "its output could not be written, so job 17 was cancelled");
}

/* As in "gridpeer run -- yes | head": quiet, and with the exit code of a broken pipe. */
static void a_reader_that_has_enough_ends_it_quietly(void **state)
{
    stage_t *stage = *state;
    int ends[2];
    char path[64];
    assert_int_equal(pipe(ends), 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", ends[1]);
    lines_set(stage, running, "{'event':'output','job':17,'stream':'stdout','data':'aGkK'}", NULL);
    stage->hang = true;
    stage->out_to = path;
    stage->out_close = ends[0];
    assert_int_equal(stage_run(stage, "run --quiet -- yes"), 128 + SIGPIPE);
    assert_int_equal(stage->cancels, 1);
    assert_string_equal(stage->err, "");
    (void)close(ends[1]);
}

static void *agent_stop(void *context)
{
    stage_t *stage = context;
    struct pollfd open = {.fd = stage->news_read, .events = POLLIN};
    char byte = 0;
    if (poll(&open, 1, LIMIT_MS) == 1 && read(open.fd, &byte, 1) == 1) {
        fake_stop(&stage->fake);
    }
    return NULL;
}

static void a_lost_agent_is_told(void **state)
{
    stage_t *stage = *state;
    pthread_t thread;
    lines_set(stage, running, NULL, NULL);
    stage->vanish = true;
    assert_int_equal(pthread_create(&thread, NULL, agent_stop, stage), 0);
    assert_int_equal(stage_run(stage, "run -- sleep 1000"), 69);
    (void)pthread_join(thread, NULL);
    assert_has(stage->err, "the agent n1 went away while job 17 was open: it may still run on n3");
    char next[400];
    (void)snprintf(next, sizeof next,
                   "  next: see gridpeer ps --dir %s --node n1; if the agent is down, start it: "
                   "gridpeer agent --dir %s --node n1\n",
                   stage->fake.directory, stage->fake.directory);
    assert_has(stage->err, next);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_setup_agent, stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(output_and_exit_code_are_passed_on),
        TEST(ends_have_exit_codes_and_words),
        TEST(json_prints_events_and_a_document),
        TEST(json_ends_with_the_job),
        TEST(an_end_that_cannot_be_recorded_is_told),
        TEST(bad_output_does_not_hurt),
        TEST(errors_before_the_start_are_told),
        TEST(limits_are_checked_here),
        TEST(ctrl_c_cancels_and_waits),
        TEST(two_ctrl_c_give_up),
        TEST(a_timeout_cancels),
        TEST(a_timeout_before_the_job_has_a_name_ends_it),
        TEST(output_that_nobody_takes_cancels),
        TEST(a_reader_that_has_enough_ends_it_quietly),
        TEST(a_lost_agent_is_told),
    };
    signals_block();
    (void)unsetenv("GRIDPEER_DIR");
    (void)unsetenv("GRIDPEER_NODE");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
