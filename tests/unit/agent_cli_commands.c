/* Commands against a fake agent: what they ask, what they print, how they exit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cli/command.h"
#include "agent_cli_stage.h"
#include "proto_cmocka.h"

/* ---- what is shown --------------------------------------------------------------------------- */

static void status_is_a_summary(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "status"), 0);
    assert_string_equal(stage->out,
                        "n1: super-peer in sub-Grid mzxw6ytb of region lab, alive\n"
                        "  leader   n1 (this machine), term 4, by the mandate of a majority\n"
                        "  members  9, 8 of them alive, 1 stopped\n"
                        "  health   ok\n"
                        "  address  tcp://127.0.0.1:4000\n"
                        "  id       abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst\n"
                        "  up       1 min 1 s\n");
    assert_string_equal(stage->err, "");
}

static void status_tells_health_by_its_exit_code(void **state)
{
    static const struct {
        const char *facts;
        int code;
        const char *words;
    } cases[] = {
        {"'leader':'n2','mandate':'caretaker','health':'degraded','why':'no majority here'", 2,
         "n2, term 3, a caretaker: this side has no majority\n"},
        {"'leader':'','mandate':'none','health':'unknown','why':'nobody leads the sub-Grid now'", 4,
         "nobody, term 3\n"},
        {"'leader':'n2','mandate':'quorum','health':'degraded','members':3,'alive':1,'missing':{"
         "'n3':'unavailable','n4':'unknown'}",
         2, "  members  3, 1 of them alive; missing: n3 (unavailable), n4 (unknown)\n"},
        {"'leader':'n2','mandate':'quorum','health':'degraded','members':9,'alive':0,'missing':{"
         "'a':'suspect','b':'suspect','c':'suspect','d':'suspect','e':'suspect','f':'suspect',"
         "'g':'suspect','h':'suspect','i':'suspect'}",
         2, "h (suspect) and 1 more\n"},
        {"'leader':'n2','mandate':'quorum','health':'failed'", 3, "  health   failed\n"},
        {"'leader':'n2','mandate':'quorum','health':'ok'", 0, "  health   ok\n"},
        {"'leader':'n2','mandate':'quorum'", 4, "n2, term 3"},
    };
    stage_t *stage = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char answer[512];
        (void)snprintf(answer, sizeof answer,
                       "{'schema':'gridpeer/v1','kind':'status','as_of':'','partial':%s,'items':[{"
                       "'name':'n1','term':3,%s}]}",
                       i < 2 ? "true" : "false", cases[i].facts);
        stage->answer = answer;
        assert_int_equal(stage_run(stage, "status"), cases[i].code);
        assert_has(stage->out, cases[i].words);
        assert_int_equal(stage_run(stage, "status --json"), cases[i].code);
        json_decref(stage_document(stage));
    }
}

static void nodes_are_a_table(void **state)
{
    stage_t *stage = *state;
    static const char expected[] =
        "NAME  ID        STATE        ROLE        REGION  SUBGRID  ADDRESS               AGE       "
        " WHY\n"
        "n1    abcdefgh  alive        super-peer  lab     ff       tcp://127.0.0.1:4000  0 ms      "
        " -\n"
        "n2    mnopqrst  unavailable  member      lab     ff       tcp://127.0.0.1:4001  1 min 1 s "
        " process gone, seen by n1 and n3\n";
    assert_int_equal(stage_run(stage, "node list"), 0);
    assert_string_equal(stage->out, expected);
    assert_int_equal(stage_run(stage, "nodes"), 0);
    assert_string_equal(stage->out, expected);
    assert_int_equal(stage_run(stage, "node list --fields state,name"), 0);
    assert_string_equal(stage->out, "STATE        NAME\nalive        n1\nunavailable  n2\n");
}

/* "a,b,c" of an item's keys. */
static void keys_list(json_t *item, char *text, size_t size)
{
    const char *key = NULL;
    json_t *value = NULL;
    size_t used = 0;
    text[0] = '\0';
    json_object_foreach(item, key, value)
    {
        used += (size_t)snprintf(text + used, size - used, "%s%s", used == 0 ? "" : ",", key);
        assert_true(used < size);
    }
}

static void json_has_the_facts_of_the_table(void **state)
{
    static const char *const lines[] = {"status", "node list", "find cpu", "ps", "log"};
    stage_t *stage = *state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char keys[512];
        char line[600];
        (void)snprintf(line, sizeof line, "%s --json", lines[i]);
        assert_int_equal(stage_run(stage, line), 0);
        json_t *document = stage_document(stage);
        assert_string_equal(json_string_value(json_object_get(document, "schema")), "gridpeer/v1");
        json_t *item = json_array_get(json_object_get(document, "items"), 0);
        keys_list(item, keys, sizeof keys);
        (void)snprintf(line, sizeof line, "%s --fields %s", lines[i], keys);
        assert_int_equal(stage_run(stage, line), 0);
        const char *key = NULL;
        json_t *value = NULL;
        json_object_foreach(item, key, value)
        {
            if (json_string_length(value) > 0 && strcmp(key, "id") != 0) {
                assert_has(stage->out, json_string_value(value));
            }
        }
        json_decref(document);
    }
}

static void fields_reduce_json_too(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "node list --json --fields state,name"), 0);
    assert_has(stage->out, "\"items\":[{\"state\":\"alive\",\"name\":\"n1\"},"
                           "{\"state\":\"unavailable\",\"name\":\"n2\"}]");
    assert_int_equal(stage_run(stage, "node list --fields ?"), 0);
    assert_string_equal(stage->out,
                        "name, id, state, role, region, subgrid, address, age_ms, why, score, "
                        "rtt_us\n");
    assert_int_equal(stage_run(stage, "node list --fields nmae"), 64);
    assert_has(stage->err, "no field 'nmae': did you mean 'name'? There are: name, id, state");
    assert_int_equal(stage_run(stage, "node list --fields ,"), 64);
}

/* Nothing is founded, stopped, started or asked: a wrong or a curious --fields comes first. */
static void fields_are_listed_before_anything_is_done(void **state)
{
    stage_t *stage = *state;
    for (size_t i = 0; i < gp_cli_command_count; i++) {
        char line[128];
        bool silent = gp_cli_commands[i] == &gp_cli_agent;
        (void)snprintf(line, sizeof line, "%s --fields ?", gp_cli_commands[i]->words);
        assert_int_equal(stage_run(stage, line), silent ? 64 : 0);
        assert_has(silent ? stage->err : stage->out, silent ? "agent prints no document" : ", ");
        (void)snprintf(line, sizeof line, "%s --fields nonsense", gp_cli_commands[i]->words);
        assert_int_equal(stage_run(stage, line), 64);
        assert_string_equal(stage->out, "");
        assert_string_equal(stage->asked, "");
        assert_string_equal(stage->backend, "");
    }
    assert_int_equal(stage_run(stage, "find --fields name,?"), 0);
    assert_has(stage->out, "name, id, region, subgrid, rtt_us, version, arch, ");
    assert_int_equal(stage_run(stage, "find --attributes --fields ?"), 0);
    assert_string_equal(stage->out, "name, type, example, help\n");
    assert_int_equal(stage_run(stage, "stop --json --fields ?"), 0);
    assert_has(stage->out, "\"items\":[{\"field\":\"name\"},{\"field\":\"state\"}]");
}

static void nodes_are_sorted_as_people_count(void **state)
{
    stage_t *stage = *state;
    stage->answer = "{'schema':'gridpeer/v1','kind':'node-list','as_of':'','partial':false,'items':"
                    "[{'name':'n10'},{'name':'n2'},{'x':1},{'name':'n1'}]}";
    assert_int_equal(stage_run(stage, "node list --fields name"), 0);
    assert_string_equal(stage->out, "NAME\n-\nn1\nn2\nn10\n");
}

static void a_partial_answer_exits_with_4(void **state)
{
    stage_t *stage = *state;
    stage->answer = "{'schema':'gridpeer/v1','kind':'node-list','as_of':'','partial':true,'items':"
                    "[{'name':'n1'}]}";
    assert_int_equal(stage_run(stage, "node list"), 4);
    assert_has(stage->out, "n1");
    assert_has(stage->err, "not all is known: see WHY, and gridpeer status");
}

/* ---- setting up ------------------------------------------------------------------------------ */

static void init_starts_and_prints_the_join_command(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "init lab --name n1 --listen tcp://127.0.0.1:4000"), 0);
    assert_string_equal(stage->backend,
                        "found n1 lab tcp://127.0.0.1:4000; start n1 tcp://127.0.0.1:4000");
    assert_string_equal(stage->out, "n1 founded the grid with the region lab\n"
                                    "  id       theid\n"
                                    "  grid     thegrid\n"
                                    "  address  tcp://127.0.0.1:4000\n" /* as the agent says */
                                    "  state    /state/n1\n"
                                    "\nTo add a machine, type this there (once, within 24 hours):\n"
                                    "  gridpeer join lab --token gp1.AbC\n"
                                    "For more machines: gridpeer invite --uses N\n");
}

/* Nothing is set up, and no token used, for an agent that could not listen. */
static void a_port_in_use_stops_both(void **state)
{
    stage_t *stage = *state;
    stage->setup_error = GP_E_PORT_IN_USE;
    assert_int_equal(stage_run(stage, "init lab --name n1 --listen tcp://127.0.0.1:4000"), 1);
    assert_string_equal(stage->backend, "");
    assert_has(stage->err, "tcp://127.0.0.1:4000");
    assert_has(stage->err, "--listen");
    assert_int_equal(stage_run(stage, "join lab --name n1 --token gp1.AbC"), 1);
    assert_string_equal(stage->backend, "");
    assert_int_equal(stage_run(stage, "init lab --name n1 --no-start"), 0);
}

/* What is said last is how to go on with the machine that is there. */
static void a_machine_that_is_there_is_told(void **state)
{
    stage_t *stage = *state;
    static const char *const lines[] = {"init lab --name n1", "join lab --name n1 --token gp1.AbC"};
    for (int running = 0; running < 2; running++) {
        if (running == 1) {
            stage_agent_start(stage);
        }
        for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
            char next[400];
            stage->setup_error = GP_E_STATE_EXISTS;
            assert_int_equal(stage_run(stage, lines[i]), 5);
            assert_string_equal(stage->backend, "");
            (void)snprintf(next, sizeof next,
                           "gridpeer: a machine of this name is already set up here: n1\n"
                           "  next: %s --dir %s --node n1; or set up another beside it: --name "
                           "NAME\n",
                           running ? "look at it: gridpeer status" : "start it: gridpeer agent",
                           stage->fake.directory);
            assert_string_equal(stage->err, next);
        }
    }
    stage->setup_error = GP_OK;
    stage->backend_error = GP_E_STATE_EXISTS;
    assert_int_equal(stage_run(stage, "init lab --name n1 --no-start"), 5);
    assert_has(stage->err, "look at it: gridpeer status --dir ");
}

static void init_may_only_prepare(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "init lab --name n1 --no-start"), 0);
    assert_string_equal(stage->backend, "found n1 lab -");
    assert_has(stage->out, "It is not running: start it: gridpeer agent --dir ");
    assert_int_equal(stage_run(stage, "init lab --name n1 --no-start --json"), 0);
    json_t *document = stage_document(stage);
    const json_t *item = json_array_get(json_object_get(document, "items"), 0);
    assert_true(json_is_false(json_object_get(item, "started")));
    assert_string_equal(json_string_value(json_object_get(item, "grid")), "thegrid");
    json_decref(document);
}

/* What cannot be done twice is done: nobody is told to do it again and wait longer. */
static void an_agent_that_is_late_is_told(void **state)
{
    stage_t *stage = *state;
    char look[300];
    char answer[64];
    (void)snprintf(answer, sizeof answer, "{'error':{'number':%d}}", GP_E_TIMED_OUT);
    (void)snprintf(look, sizeof look, "gridpeer status --dir %s --node n1\n",
                   stage->fake.directory);
    assert_int_equal(stage_run(stage, "join lab --token gp1.x --name n1"), 0);
    assert_has(stage->out, "\nIt runs: see gridpeer status --dir /");
    assert_has(stage->out, look);
    assert_string_equal(stage->err, "");
    stage->answer = answer;
    static const char *const lines[] = {"join lab --token gp1.x --name n1",
                                        "join lab --token gp1.x --name n1 --json"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(stage_run(stage, lines[i]), 0);
        assert_has(stage->err, "gridpeer: n1 has joined, and its agent is still starting; look at "
                               "it: gridpeer status --dir ");
        assert_has(stage->err, look);
        assert_null(strstr(stage->err, "timed out"));
        assert_null(strstr(stage->out, "It runs"));
    }
    stage->answer = NULL;
}

static void init_says_when_the_agent_does_not_come_up(void **state)
{
    stage_t *stage = *state;
    stage->no_start = true;
    assert_int_equal(stage_run(stage, "init lab --name n1 --timeout 30ms"), 69);
    assert_has(stage->err, "n1 was started but did not answer within 30 ms");
}

static void join_passes_the_token_on(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "join lab --token gp1.x --name n1 --timeout 3s"), 0);
    assert_string_equal(stage->backend, "join n1 lab gp1.x - 3000; start n1 -");
    assert_has(stage->out, "n1 is a machine of the region lab\n");
    assert_int_equal(stage_run(stage, "join lab --name n1"), 64);
    assert_has(stage->err, "join needs --token");
    assert_int_equal(stage_run(stage, "join lab --token abc --name n1"), 3);
    assert_has(stage->err, "the token is damaged or incomplete");
    stage->backend_error = GP_E_TOKEN_USED;
    assert_int_equal(stage_run(stage, "join lab --token gp1.x --name n1"), 3);
    assert_string_equal(stage->err,
                        "gridpeer: the token is used up: what the backend says\n  next: "
                        "ask for a new one: gridpeer invite --uses N\n");
    assert_int_equal(stage_run(stage, "join lab --token gp1.x --name n1 --json"), 3);
    json_t *document = stage_document(stage);
    const json_t *error = json_object_get(document, "error");
    assert_string_equal(json_string_value(json_object_get(error, "code")), "E_TOKEN_USED");
    assert_string_equal(json_string_value(json_object_get(document, "kind")), "error");
    json_decref(document);
}

static void names_and_addresses_are_checked_first(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "init Lab --name n1"), 64);
    assert_has(stage->err, "'Lab'");
    assert_int_equal(stage_run(stage, "init lab --name ../x"), 64);
    assert_int_equal(stage_run(stage, "init lab --name n1 --listen 1.2.3.4:5"), 64);
    assert_has(stage->err, "not an address: --listen '1.2.3.4:5'");
    assert_int_equal(stage_run(stage, "status --node ../n1"), 64);
    assert_string_equal(stage->backend, "");
}

static void invite_prints_one_line(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "invite --uses 5 --expires 2h --roles member,admit"), 0);
    assert_string_equal(stage->out, "gridpeer join lab --token gp1.AbC\n");
    assert_has(stage->err, "type this on 5 machines, until 2024-05-02T12:00:00.000Z");
    assert_int_equal(json_integer_value(json_object_get(stage->body, "uses")), 5);
    assert_int_equal(json_integer_value(json_object_get(stage->body, "expires_ms")), 7200000);
    assert_string_equal(json_string_value(json_object_get(stage->body, "roles")), "member,admit");
    assert_int_equal(stage_run(stage, "invite --uses 0"), 64);
    stage->asked[0] = '\0';
    static const struct {
        const char *line;
        const char *why;
    } bad[] = {
        {"invite --expires 0s", "--expires must be 1m to 30d, not '0s'"},
        {"invite --expires 1s", "--expires must be 1m to 30d, not '1s'"},
        {"invite --expires 31d", "--expires must be 1m to 30d, not '31d'"},
        {"invite --roles foo", "no role 'foo'; there are: member,lend,submit,admit,operate,audit"},
        {"invite --roles lend,foo,member", "no role 'foo'"},
        {"invite --roles lend,", "no role ''"},
        {"invite --roles len", "no role 'len'"},
        {"invite --roles=", "--roles needs a value"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(stage_run(stage, bad[i].line), 64);
        assert_has(stage->err, bad[i].why);
        assert_string_equal(stage->asked, "");
    }
    assert_int_equal(stage_run(stage, "invite --roles audit --expires 30d"), 0);
}

static void agent_runs_the_only_machine(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "agent"), 0);
    assert_string_equal(stage->backend, "agent n1 -");
    assert_int_equal(stage_run(stage, "agent --background --node n1"), 0);
    assert_string_equal(stage->backend, "start n1 -");
    assert_int_equal(stage_run(stage, "agent --background --listen tcp://127.0.0.1:4001"), 0);
    assert_string_equal(stage->backend, "start n1 tcp://127.0.0.1:4001");
    stage->backend_error = GP_E_AGENT_RUNS;
    assert_int_equal(stage_run(stage, "agent --background"), 5);
    assert_has(stage->err, "gridpeer: it runs already: what the backend says\n"
                           "  next: gridpeer status --dir /tmp/");
    assert_has(stage->err, " --node n1\n");
    assert_int_equal(stage_run(stage, "agent"), 5);
    assert_has(stage->err, "  next: gridpeer status --dir /tmp/");
    assert_has(stage->err, " --node n1\n");
    stage->backend_error = GP_OK;
    char other[128];
    (void)snprintf(other, sizeof other, "%s/n2", stage->fake.directory);
    assert_int_equal(mkdir(other, 0700), 0);
    assert_int_equal(stage_run(stage, "agent"), 64);
    assert_has(stage->err, "several agents live here: 2 in ");
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void jobs_are_listed_and_cancelled(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "ps"), 0);
    assert_has(stage->out, "JOB  NAME  STATE    REASON  NODE  ATTEMPT  INCARNATION  PROGRESS  WHY\n"
                           "17   sh    running  none    n3    1        1            -         -\n");
    assert_int_equal(stage_run(stage, "cancel 17"), 0);
    assert_string_equal(stage->out, "17 is cancelling\n");
    assert_int_equal(stage_run(stage, "cancel 18"), 1);
    assert_has(stage->err, "no such job: 18\n  next: see gridpeer ps\n");
    assert_int_equal(stage_run(stage, "cancel ../stop"), 1);
    assert_has(stage->err, "'../stop' is not the number of a job");
    assert_int_equal(stage_run(stage, "cancel n1.17"), 1);
    stage->answer = "{'schema':'gridpeer/v1','kind':'cancel','as_of':'','partial':false,'items':[{"
                    "'job':17,'state':'failed','reason':'exit','code':3,'node':'n2','text':''}]}";
    assert_int_equal(stage_run(stage, "cancel 17"), 1);
    assert_string_equal(stage->out, "");
    assert_string_equal(stage->err, "gridpeer: the job has ended already: job 17 is failed: exit 3 "
                                    "on n2\n  next: see gridpeer ps\n");
    assert_int_equal(stage_run(stage, "cancel 17 --json"), 1);
    json_t *document = stage_document(stage);
    const json_t *item = json_array_get(json_object_get(document, "items"), 0);
    assert_string_equal(json_string_value(json_object_get(item, "state")), "failed");
    json_decref(document);
    stage->answer = NULL;
    assert_int_equal(stage_run(stage, "cancel"), 64);
}

static void stop_and_leave_say_what_happened(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "stop"), 0);
    assert_string_equal(stage->out, "n1 has stopped\n");
    assert_int_equal(stage_run(stage, "leave"), 0);
    assert_has(stage->out, "n1 has left the region lab; its role went to n2\n");
    assert_true(json_is_false(json_object_get(stage->body, "destroy_root")));
    assert_int_equal(stage_run(stage, "leave --destroy-root"), 0);
    assert_true(json_is_true(json_object_get(stage->body, "destroy_root")));
    char answer[128];
    (void)snprintf(answer, sizeof answer, "{'error':{'number':%d,'detail':'2 jobs run'}}",
                   GP_E_RUN_REFUSED);
    stage->answer = answer;
    assert_int_equal(stage_run(stage, "leave"), 5);
}

static void a_machine_without_an_agent_leaves(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "leave"), 0);
    assert_string_equal(stage->backend, "leave n1");
    assert_has(stage->out, "n1 has left the region lab\n");
    assert_has(stage->out, "could not be told");
    assert_has(stage->out, "gridpeer join REGION --token T\n");
    assert_int_equal(stage_run(stage, "leave --destroy-root --json"), 0);
    assert_string_equal(stage->backend, "leave n1 with the root key");
    json_t *document = stage_document(stage);
    const json_t *item = json_array_get(json_object_get(document, "items"), 0);
    assert_true(json_is_false(json_object_get(item, "told")));
    assert_true(json_is_true(json_object_get(item, "was_root")));
    json_decref(document);
    stage->backend_error = GP_E_LEAVE_ROOT;
    assert_int_equal(stage_run(stage, "leave"), 5);
    assert_has(stage->err, "what the backend says");
    assert_has(stage->err, "gridpeer leave --destroy-root");
}

/* One line, not on stdout: a script counts there. */
static void an_empty_list_is_said(void **state)
{
    static const struct {
        const char *line;
        const char *said;
    } cases[] = {
        {"ps", "gridpeer: no job was submitted on this machine\n"},
        {"ps --fields job", "gridpeer: no job was submitted on this machine\n"},
        {"log --after 9", "gridpeer: no entry after 9: the newest is 7\n"},
        {"log", "gridpeer: the log is empty\n"},
        {"sim status", "gridpeer: no simulated machine is in /tmp/"},
        {"sim down", "gridpeer: no simulated machine is in /tmp/"},
    };
    stage_t *stage = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char json[64];
        const char *kind = strncmp(cases[i].line, "ps", 2) == 0 ? "jobs" : "activity";
        char document[160];
        (void)snprintf(document, sizeof document,
                       "{'schema':'gridpeer/v1','kind':'%s','as_of':'','partial':false,'items':[],"
                       "'first':1,'last':7}",
                       kind);
        stage->answer = document;
        stage->backend_document = document;
        assert_int_equal(stage_run(stage, cases[i].line), 0);
        assert_string_equal(stage->out, "");
        assert_has(stage->err, cases[i].said);
        assert_int_equal(strcspn(stage->err, "\n") + 1, strlen(stage->err));
        (void)snprintf(json, sizeof json, "%s --json", cases[i].line);
        assert_int_equal(stage_run(stage, json), 0);
        assert_has(stage->out, "\"items\":[]");
        assert_string_equal(stage->err, "");
    }
}

static void the_log_is_a_table(void **state)
{
    static const char table[] =
        "SEQ  HASH      TIME                      WHO   WHAT   OBJECT  DETAIL\n"
        "108  01234567  2024-05-01T11:00:00.000Z  root  start  n1      -\n";
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "log --limit 5 --after 2"), 0);
    assert_string_equal(stage->query, "5 2");
    assert_string_equal(stage->out, table);
    assert_string_equal(stage->err, "");
    assert_int_equal(stage_run(stage, "log"), 0);
    assert_string_equal(stage->query, "100 -");
    assert_string_equal(stage->out, table);
    assert_string_equal(stage->err,
                        "gridpeer: 105 older entries: gridpeer log --after 7 --limit 100\n");
    stage->answer = "{'schema':'gridpeer/v1','kind':'activity','as_of':'','partial':false,'items':["
                    "{'seq':5}],'first':3,'last':9}";
    assert_int_equal(stage_run(stage, "log --after 4 --limit 1"), 0);
    assert_string_equal(stage->err, "gridpeer: 4 newer entries: gridpeer log --after 5\n");
    assert_int_equal(stage_run(stage, "log --json"), 0);
    assert_string_equal(stage->err, "");
}

static void config_prints_a_file(void **state)
{
    stage_t *stage = *state;
    stage->backend_document =
        "{'schema':'gridpeer/v1','kind':'config','as_of':'','partial':false,'items':[{'section':"
        "'net','key':'listen','value':'tcp://*:0','default':'tcp://*:0','help':'where to listen'},"
        "{'section':'net','key':'beacon','value':'no','default':'yes','help':'LAN beacon'}]}";
    assert_int_equal(stage_run(stage, "config"), 0);
    assert_string_equal(stage->out, "[net]\n\n# where to listen\n# listen = tcp://*:0\n\n# LAN "
                                    "beacon\nbeacon = no\n");
}

static void no_agent_exits_with_69(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "status"), 69);
    assert_has(stage->err, "gridpeer: the agent does not answer: n1 in ");
    assert_has(stage->err, "  next: start it: gridpeer agent --dir ");
    assert_has(stage->err, " --node n1\n");
    assert_int_equal(stage_run(stage, "run --node n1 -- true"), 69);
    assert_int_equal(stage_run(stage, "status --node n1"), 69);
    assert_int_equal(stage_run(stage, "status --node n7"), 69);
    assert_has(stage->err, "holds no machine named n7");
    assert_int_equal(rmdir(stage->fake.node), 0);
    assert_int_equal(stage_run(stage, "status"), 69);
    char next[400];
    (void)snprintf(
        next, sizeof next,
        "  next: found a grid: gridpeer init REGION --dir %s, or join one: gridpeer join "
        "REGION --token T --dir %s\n",
        stage->fake.directory, stage->fake.directory);
    assert_has(stage->err, next);
    assert_int_equal(stage_run(stage, "agent"), 69);
    assert_has(stage->err, next);
    assert_int_equal(stage_run(stage, "status --node n1"), 69);
    assert_has(stage->err, next);
    assert_int_equal(stage_run(stage, "status --json"), 69);
    json_decref(stage_document(stage));
}

static void one_of_several_must_be_named(void **state)
{
    stage_t *stage = *state;
    stage_t other;
    char link[128];
    stage_set(&other);
    stage_agent_start(&other);
    (void)snprintf(link, sizeof link, "%s/n2", stage->fake.directory);
    assert_int_equal(symlink(other.fake.node, link), 0);
    assert_int_equal(stage_run(stage, "status"), 64);
    assert_has(stage->err, "several agents live here: 2 run in ");
    assert_has(stage->err, "name one: --node NAME");
    assert_int_equal(stage_run(stage, "status --node n1"), 0);
    stage_clear(&other);
    assert_int_equal(stage_run(stage, "status"), 0);
}

static void the_environment_is_used(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(setenv("GRIDPEER_DIR", stage->fake.directory, 1), 0);
    assert_int_equal(stage_run_bare(stage, "status"), 0);
    assert_int_equal(setenv("GRIDPEER_NODE", "n9", 1), 0);
    assert_int_equal(stage_run_bare(stage, "status"), 69);
    assert_int_equal(stage_run_bare(stage, "status --node n1"), 0);
    assert_int_equal(unsetenv("GRIDPEER_NODE"), 0);
    assert_int_equal(unsetenv("GRIDPEER_DIR"), 0);
}

static void a_stranger_at_the_socket_is_told(void **state)
{
    stage_t *stage = *state;
    stage->answer = "{'schema':'gridpeer/v2','kind':'status','items':[]}";
    assert_int_equal(stage_run(stage, "status"), 1);
    assert_has(stage->err, "GET /v1/status was answered with status 200 and no status");
}

/* ---- the command line ------------------------------------------------------------------------ */

static void wrong_lines_are_usage_errors(void **state)
{
    static const struct {
        const char *line;
        const char *why;
    } bad[] = {
        {"sttaus", "no command 'sttaus': did you mean 'status'?"},
        {"frobnicate", "no command 'frobnicate'"},
        {"sim", "'sim' is followed by one of: up, status, kill, freeze, thaw, start, down, run"},
        {"sim klil n1", "no command 'sim klil': did you mean 'sim kill'?"},
        {"node", "'node' is followed by one of: list"},
        {"init", "init needs REGION"},
        {"init lab two", "init takes only REGION: 'two' is too much"},
        {"status now", "status takes no operand, not 'now'"},
        {"status -- x", "status takes nothing after --"},
        {"find cpu >= 4", "find takes only ['QUERY']: '>=' is too much"},
        {"run sh",
         "run takes no operand, not 'sh'; a program stands behind --: gridpeer run -- sh"},
        {"run", "run needs a program after --"},
        {"status --timeout never", "--timeout takes a duration"},
        {"status --tiemout 1s", "no option --tiemout: did you mean --timeout?"},
        {"run --on= -- x", "--on needs a value, and '' is none: --on NODE"},
        {"run --where= -- x", "--where needs a value, and '' is none: --where QUERY"},
        {"status --node=", "--node needs a value, and '' is none: --node NAME"},
        {"status --dir=", "--dir needs a value, and '' is none: --dir DIR"},
        {"invite --roles=", "--roles needs a value, and '' is none: --roles A,B"},
        {"run --fields job -- x", "run prints what its program writes: --fields needs --json"},
        {"run --name 123456789012345678901234567890123 -- x",
         "--name has 33 bytes, and 32 are allowed"},
    };
    stage_t *stage = *state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(stage_run(stage, bad[i].line), 64);
        assert_has(stage->err, bad[i].why);
        assert_has(stage->err, "--help");
        assert_string_equal(stage->out, "");
        assert_string_equal(stage->asked, "");
    }
    char *empty[] = {"gridpeer", "run", "--", ""};
    assert_int_equal(stage_words(stage, empty, 4), 64);
    assert_has(stage->err, "run needs a program after --, and '' is none");
    assert_int_equal(stage_run_bare(stage, ""), 64);
    assert_has(stage->err, "Commands:");
    assert_int_equal(stage_run_bare(stage, "--json"), 64);
}

static void options_may_come_first(void **state)
{
    stage_t *stage = *state;
    char line[256];
    (void)snprintf(line, sizeof line, "--json --dir %s --node n1 node list --fields name",
                   stage->fake.directory);
    assert_int_equal(stage_run_bare(stage, line), 0);
    assert_has(stage->out, "\"items\":[{\"name\":\"n1\"},{\"name\":\"n2\"}]");
}

static void help_and_version_are_printed(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run_bare(stage, "--version"), 0);
    assert_string_equal(stage->out, "gridpeer 0.0.1\n");
    assert_int_equal(stage_run_bare(stage, "--help"), 0);
    assert_has(stage->out, "  find ['QUERY']");
    assert_int_equal(stage_run_bare(stage, "run --help"), 0);
    assert_has(stage->out, "Usage: gridpeer run [OPTION]... -- PROGRAM [ARGUMENT]...");
    assert_has(stage->out, "Example:\n  gridpeer run --where");
    assert_int_equal(stage_run_bare(stage, "help sim up"), 0);
    assert_has(stage->out, "Usage: gridpeer sim up N");
    assert_int_equal(stage_run_bare(stage, "help nonsense"), 64);
}

#define IDLE(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)
#define LIVE(name) cmocka_unit_test_setup_teardown(name, stage_setup_agent, stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(status_is_a_summary),
        LIVE(status_tells_health_by_its_exit_code),
        LIVE(nodes_are_a_table),
        LIVE(json_has_the_facts_of_the_table),
        LIVE(fields_reduce_json_too),
        LIVE(fields_are_listed_before_anything_is_done),
        LIVE(nodes_are_sorted_as_people_count),
        LIVE(a_partial_answer_exits_with_4),
        IDLE(init_starts_and_prints_the_join_command),
        IDLE(a_port_in_use_stops_both),
        IDLE(a_machine_that_is_there_is_told),
        IDLE(an_agent_that_is_late_is_told),
        IDLE(init_may_only_prepare),
        IDLE(init_says_when_the_agent_does_not_come_up),
        IDLE(join_passes_the_token_on),
        IDLE(names_and_addresses_are_checked_first),
        LIVE(invite_prints_one_line),
        IDLE(agent_runs_the_only_machine),
        LIVE(jobs_are_listed_and_cancelled),
        LIVE(stop_and_leave_say_what_happened),
        IDLE(a_machine_without_an_agent_leaves),
        LIVE(an_empty_list_is_said),
        LIVE(the_log_is_a_table),
        IDLE(config_prints_a_file),
        IDLE(no_agent_exits_with_69),
        LIVE(one_of_several_must_be_named),
        LIVE(the_environment_is_used),
        LIVE(a_stranger_at_the_socket_is_told),
        LIVE(wrong_lines_are_usage_errors),
        LIVE(options_may_come_first),
        IDLE(help_and_version_are_printed),
    };
    (void)unsetenv("GRIDPEER_DIR");
    (void)unsetenv("GRIDPEER_NODE");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
