/* subgrid, region and topology against a fake agent: what they ask, print and draw. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_cli_stage.h"
#include "proto_cmocka.h"

static void sub_grids_are_listed(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "subgrid list"), 0);
    assert_string_equal(stage->asked, "GET /v1/subgrids");
    assert_string_equal(stage->out,
                        "SUBGRID   REGION  LEADER  MEMBERS  FULL  HERE  ADDRESS\n"
                        "mzxw6ytb  lab     n1      9        no    yes   tcp://127.0.0.1:4000\n"
                        "mzaaaaaa  lab     n3      1        yes   no    tcp://127.0.0.1:4003\n");
    assert_int_equal(stage_run(stage, "subgrid list --json"), 0);
    assert_has(stage->out, "\"kind\":\"subgrid\"");
    assert_has(stage->out, "\"subgrid\":\"mzxw6ytboiqq\"");
}

static void nobody_leads(void **state)
{
    static const char *const lines[] = {"subgrid list", "subgrid show", "region list",
                                        "region show", "topology"};
    stage_t *stage = *state;
    static char answer[128];
    (void)snprintf(answer, sizeof answer,
                   "{'error':{'number':%d,'detail':'nobody leads the sub-Grid or the region'}}",
                   GP_E_NO_REGION_PEER);
    stage->answer = answer;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(stage_run(stage, lines[i]), 4);
        assert_has(stage->err, "the region peer was not reached, and only it knows the others: "
                               "nobody leads the sub-Grid or the region\n");
        assert_string_equal(stage->out, "");
    }
}

static void the_own_sub_grid_is_shown(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "subgrid show"), 0);
    assert_string_equal(stage->asked, "GET /v1/nodes");
    assert_string_equal(stage->out, "sub-Grid mzxw6ytb of region lab: 9 machines, led by n1 at "
                                    "tcp://127.0.0.1:4000\n\n"
                                    "NAME  ID        STATE        ROLE\n"
                                    "n1    abcdefgh  alive        super-peer\n"
                                    "n2    mnopqrst  unavailable  member\n");
    assert_int_equal(stage_run(stage, "subgrid show mzx --json"), 0);
    json_t *document = stage_document(stage);
    const json_t *item = json_array_get(json_object_get(document, "items"), 0);
    assert_int_equal(json_array_size(json_object_get(document, "items")), 1);
    assert_int_equal(json_array_size(json_object_get(item, "nodes")), 2);
    json_decref(document);
}

static void another_sub_grid_is_asked_alone(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "subgrid show mza"), 0);
    assert_string_equal(stage->asked, "POST /v1/find");
    assert_string_equal(json_string_value(json_object_get(stage->body, "subgrid")), "mzaaaaaaaaaq");
    assert_int_equal(json_integer_value(json_object_get(stage->body, "limit")), 64);
    assert_has(stage->out, "sub-Grid mzaaaaaa of region lab: 1 machine, led by n3 at ");
    assert_has(stage->out, "n3    abcdefgh  alive  -\n");
    assert_int_equal(stage_run(stage, "subgrid show mz"), 1);
    assert_has(stage->err, "no such sub-Grid: 2 of the region begin with 'mz'\n"
                           "  next: see gridpeer subgrid list");
    assert_int_equal(stage_run(stage, "subgrid show zz"), 1);
    assert_has(stage->err, "0 of the region begin with 'zz'");
}

static void regions_are_listed_and_shown(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "region list"), 0);
    assert_string_equal(stage->out,
                        "REGION  LEADER  SUBGRIDS  MEMBERS  HERE  ADDRESS\n"
                        "lab     n1      2         10       yes   tcp://127.0.0.1:4000\n"
                        "<b>     m1      -         40       no    tcp://127.0.0.1:5000\n");
    assert_int_equal(stage_run(stage, "region show"), 0);
    assert_has(stage->out, "region lab: 2 sub-Grids, 10 machines, led by n1 at "
                           "tcp://127.0.0.1:4000\n\nSUBGRID   REGION");
    assert_int_equal(stage_run(stage, "region show <b>"), 0);
    assert_has(stage->out, "region <b>: ? sub-Grids, 40 machines, led by m1");
    assert_has(stage->err, "its sub-Grids are known to its own machines only");
    assert_int_equal(stage_run(stage, "region show la"), 3);
    assert_has(stage->err, "no such region: 'la'\n  next: see gridpeer region list");
}

static void the_grid_is_a_tree(void **state)
{
    stage_t *stage = *state;
    assert_int_equal(stage_run(stage, "topology"), 0);
    assert_string_equal(stage->out,
                        "grid: 2 regions, 50 machines\n"
                        "|- region lab: 2 sub-Grids, 10 machines, led by n1\n"
                        "|  |- sub-Grid mzxw6ytb: 9 machines, led by n1   <- this machine\n"
                        "|  `- sub-Grid mzaaaaaa: 1 machine, led by n3\n"
                        "`- region <b>: 40 machines, led by m1\n");
    assert_int_equal(stage_run(stage, "topology --json"), 0);
    json_t *document = stage_document(stage);
    const json_t *items = json_object_get(document, "items");
    assert_string_equal(json_string_value(json_object_get(document, "kind")), "topology");
    assert_int_equal(json_array_size(json_object_get(json_array_get(items, 0), "subgrid_list")), 2);
    assert_true(json_is_null(json_object_get(json_array_get(items, 1), "subgrid_list")));
    json_decref(document);
}

static void the_grid_is_drawn(void **state)
{
    stage_t *stage = *state;
    char path[128], line[256], text[8192];
    (void)snprintf(path, sizeof path, "%s/grid.svg", stage->fake.directory);
    (void)snprintf(line, sizeof line, "topology --svg %s", path);
    assert_int_equal(stage_run(stage, line), 0);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    assert_int_equal(remove(path), 0);
    assert_memory_equal(text, "<svg xmlns=", 11);
    assert_has(text, "<circle class=\"subgrid own\"");
    assert_has(text, ">mzxw6ytb</text>");
    assert_has(text, ">region &lt;b&gt;</text>"); /* a name of others is text, never a tag */
    assert_null(strstr(text, "<b>"));
    assert_has(text, "</svg>\n");
    assert_int_equal(stage_run(stage, "topology --svg /none/there.svg"), 64);
    assert_has(stage->err, "--svg: cannot write /none/there.svg: No such file or directory");
}

#define LIVE(name) cmocka_unit_test_setup_teardown(name, stage_setup_agent, stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE(sub_grids_are_listed),
        LIVE(nobody_leads),
        LIVE(the_own_sub_grid_is_shown),
        LIVE(another_sub_grid_is_asked_alone),
        LIVE(regions_are_listed_and_shown),
        LIVE(the_grid_is_a_tree),
        LIVE(the_grid_is_drawn),
    };
    (void)unsetenv("GRIDPEER_DIR");
    (void)unsetenv("GRIDPEER_NODE");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
