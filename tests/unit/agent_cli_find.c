/* find against a fake agent: what it asks, what it prints, how it exits. */
#include <stdlib.h>
#include <string.h>

#include "agent/cli/command.h"
#include "agent_cli_stage.h"
#include "proto_cmocka.h"

static void find_asks_and_shows_units(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "find cpu+>=+4 --limit 3 --rank mem.free --timeout 2s"), 0);
    assert_string_equal(stage->out,
                        "NAME  ID        REGION  SUBGRID  RTT      cpu  mem.free  cpu.idle\n"
                        "n3    abcdefgh  lab     ff       0.42 ms  8    8.0 GiB   50.0 %\n");
    assert_string_equal(json_string_value(json_object_get(stage->body, "query")), "cpu >= 4");
    assert_string_equal(json_string_value(json_object_get(stage->body, "rank")), "mem.free");
    assert_int_equal(json_integer_value(json_object_get(stage->body, "limit")), 3);
    assert_int_equal(json_integer_value(json_object_get(stage->body, "timeout_ms")), 1800);
    assert_true(json_is_false(json_object_get(stage->body, "explain")));
    assert_null(json_object_get(stage->body, "want"));
    assert_int_equal(stage_run(stage, "find --fields name,cpu,mem.free"), 0);
    const json_t *want = json_object_get(stage->body, "want");
    assert_int_equal(json_array_size(want), 2);
    assert_string_equal(json_string_value(json_array_get(want, 1)), "mem.free");
    assert_string_equal(stage->out, "NAME  cpu  mem.free\nn3    8    8.0 GiB\n");
}

static void find_near(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "find --near n2 --limit 3"), 0);
    assert_string_equal(json_string_value(json_object_get(stage->body, "near")), "n2");
    assert_string_equal(stage->err, "");
    assert_int_equal(stage_run(stage, "find"), 0);
    assert_null(json_object_get(stage->body, "near"));
    stage->answer = "{'schema':'gridpeer/v1','kind':'find','as_of':'','partial':false,'items':["
                    "{'name':'n2','rtt_us':0},{'name':'n3','rtt_us':null}]}";
    assert_int_equal(stage_run(stage, "find --near n2"), 0);
    assert_has(stage->err, "how far these are from 'n2' is not known yet");
    stage->answer = "{'schema':'gridpeer/v1','kind':'find','as_of':'','partial':false,'items':["
                    "{'name':'n2','rtt_us':0},{'name':'n3','rtt_us':null},"
                    "{'name':'n4','rtt_us':7}]}";
    assert_int_equal(stage_run(stage, "find --near n2"), 0);
    assert_string_equal(stage->err, "");
}

static void find_beyond_the_sub_grid(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "find --scope region"), 0);
    assert_string_equal(json_string_value(json_object_get(stage->body, "scope")), "region");
    assert_int_equal(stage_run(stage, "find"), 0);
    assert_null(json_object_get(stage->body, "scope"));
    assert_int_equal(stage_run(stage, "find --scope world"), 64);
    assert_has(stage->err, "--scope is subgrid, region or grid, not 'world'");
    assert_int_equal(stage_run(stage, "find --scope region --near me"), 64);
    assert_int_equal(stage_run(stage, "find --scope subgrid --near me"), 0);
    stage->answer =
        "{'schema':'gridpeer/v1','kind':'find','as_of':'','partial':true,'items':[{'name':'n2'}],"
        "'absences':3,'absent':[{'scope':'subgrid','name':'mzxw6ytboiqq','why':'no answer in "
        "time'},{'scope':'region','name':'south','why':'it could not answer'}]}";
    assert_int_equal(stage_run(stage, "find"), 4);
    assert_has(stage->err, "gridpeer: sub-Grid mzxw6ytb: no answer in time\n"
                           "gridpeer: region south: it could not answer\n"
                           "gridpeer: and 1 more\n");
}

static void find_explains(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "find x --explain"), 0);
    assert_has(stage->out,
               "\n1 of 12 machines match\n"
               "  cpu >= 4          excludes    6  ###############\n"
               "  mem.free >= 8GiB  excludes    5  ############# (1 of them do not say)\n");
}

static void find_without_a_match_exits_with_1(void **state)
{
    stage_t *stage = *state;
    stage->answer = "{'schema':'gridpeer/v1','kind':'find','as_of':'','partial':false,'items':[],"
                    "'considered':12,'matched':0,'explain':[{'condition':'gpu >= 1','excluded':12,"
                    "'unknown':12}]}";
    assert_int_equal(stage_run(stage, "find gpu+>=+1"), 1);
    assert_has(stage->out, "gpu >= 1  excludes   12  ##############################");
    assert_string_equal(stage->err,
                        "gridpeer: no machine matches: none of the 12 machines that were asked "
                        "fits 'gpu >= 1'\n  next: see which condition excludes them: gridpeer find "
                        "'gpu >= 1' --explain\n");
    assert_int_equal(stage_run(stage, "find virt+==+'kvm' --explain"), 1);
    assert_has(stage->err, "  next: ask for less than: gridpeer find 'virt == '\\''kvm'\\'''\n");
    assert_int_equal(stage_run(stage, "find gpu+>=+1 --json"), 1);
    json_t *document = stage_document(stage);
    assert_int_equal(json_integer_value(json_object_get(document, "considered")), 12);
    json_decref(document);
}

static void find_points_at_the_wrong_column(void **state)
{
    stage_t *stage = *state;
    char answer[256];
    (void)snprintf(answer, sizeof answer,
                   "{'error':{'number':%d,'detail':'memfree: did you mean mem.free?','column':14}}",
                   GP_E_QUERY_ATTRIBUTE);
    stage->answer = answer;
    assert_int_equal(stage_run(stage, "find cpu+>=+4+and+memfree+>=+1GiB"), 64);
    assert_string_equal(stage->err, "gridpeer: no such attribute: memfree: did you mean mem.free?\n"
                                    "  cpu >= 4 and memfree >= 1GiB\n"
                                    "               ^\n"
                                    "  next: see gridpeer find --attributes\n");
    (void)snprintf(answer, sizeof answer,
                   "{'error':{'number':%d,'detail':'expected asc','column':5,'of':'rank'}}",
                   GP_E_QUERY_SYNTAX);
    assert_int_equal(stage_run(stage, "find cpu+>=+4 --rank cpu+-+load"), 64);
    assert_has(stage->err, ": expected asc\n"
                           "  --rank cpu - load\n"
                           "             ^\n");
    assert_int_equal(stage_run(stage, "run --rank cpu+-+load -- true"), 64);
    assert_has(stage->err, "  --rank cpu - load\n             ^\n");
    assert_int_equal(stage_run(stage, "find --rank cpu+-+load --json"), 64);
    assert_has(stage->out, "\"column\":5,\"of\":\"rank\"");
}

static void attributes_need_no_agent(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "find --attributes"), 0);
    assert_has(stage->out, "mem.free");
    assert_has(stage->out, "ATTRIBUTE");
    assert_has(stage->out, "os.id         a word          debian");
    assert_int_equal(stage_run(stage, "find --attributes --json"), 0);
    json_t *document = stage_document(stage);
    assert_true(json_array_size(json_object_get(document, "items")) > 40);
    json_decref(document);
}

#define IDLE(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)
#define LIVE(name) cmocka_unit_test_setup_teardown(name, stage_setup_agent, stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(find_asks_and_shows_units),         LIVE(find_near),
        LIVE(find_beyond_the_sub_grid),          LIVE(find_explains),
        LIVE(find_without_a_match_exits_with_1), LIVE(find_points_at_the_wrong_column),
        IDLE(attributes_need_no_agent),
    };
    (void)unsetenv("GRIDPEER_DIR");
    (void)unsetenv("GRIDPEER_NODE");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
