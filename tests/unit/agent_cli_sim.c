/* Commands of simulated grids, and of the simulator. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_cli_stage.h"
#include "proto_cmocka.h"

static void sims_are_commanded(void **state)
{
    stage_t *stage = *state;
    stage->backend_document =
        "{'schema':'gridpeer/v1','kind':'sim','as_of':'','partial':false,'agreed_ms':212,'leader':"
        "'n1','items':[{'name':'n1','pid':100,'port':4000,'state_dir':'/s/n1','alive':true}]}";
    assert_int_equal(stage_run(stage, "sim up 9"), 0);
    assert_string_equal(stage->backend, "sim 1 9");
    assert_has(stage->err, "gridpeer: all agree after 212 ms: n1 leads\n"
                           "gridpeer: to talk to them: export GRIDPEER_DIR=");
    assert_has(stage->err, " GRIDPEER_NODE=n1\n");
    assert_has(stage->out, "NAME  PID  PORT  ALIVE  STATE  STATE_DIR\n"
                           "n1    100  4000  yes    -      /s/n1\n");
    assert_int_equal(stage_run(stage, "sim kill n3 n4"), 0);
    assert_string_equal(stage->backend, "sim 4 0 n3 n4");
    assert_int_equal(stage_run(stage, "sim unfreeze n3"), 0);
    assert_string_equal(stage->backend, "sim 6 0 n3");
    assert_int_equal(stage_run(stage, "sim down"), 0);
    assert_has(stage->out, "1 agents in ");
    assert_int_equal(stage_run(stage, "sim up 0"), 64);
    assert_int_equal(stage_run(stage, "sim up 9x"), 64);
    assert_int_equal(stage_run(stage, "sim up 1025"), 64);
    assert_has(stage->err, "from 1 to 1024, not '1025'");
    assert_int_equal(stage_run(stage, "sim up 99999999999999999999"), 64);
    assert_int_equal(stage_run(stage, "sim kill ../x"), 1);
    assert_int_equal(stage_run(stage, "sim kill"), 64);
    stage->backend_error = GP_E_PORT_IN_USE;
    assert_int_equal(stage_run(stage, "sim up 2"), 1);
}

static void sims_of_several_sub_grids(void **state)
{
    stage_t *stage = *state;
    stage->backend_document =
        "{'schema':'gridpeer/v1','kind':'sim','as_of':'','partial':false,'agreed_ms':7212,"
        "'leader':'n1','subgrids':4,'items':[]}";
    assert_int_equal(stage_run(stage, "sim up 20 --subgrid-size 6"), 0);
    assert_string_equal(stage->backend, "sim 1 20 subgrid-size 6");
    assert_has(stage->err, "all are in one of 4 sub-Grids after 7212 ms: gridpeer topology\n");
    assert_int_equal(stage_run(stage, "sim up 20 --subgrid-size 1"), 64);
    assert_int_equal(stage_run(stage, "sim up 20 --subgrid-size 65"), 64);
}

static void sims_leave_others_alone(void **state)
{
    stage_t *stage = *state;
    stage->backend_document =
        "{'schema':'gridpeer/v1','kind':'sim','as_of':'','partial':false,'others':['web'],'items':"
        "[{'name':'n1','pid':100,'port':4000,'state_dir':'/s/n1','alive':true}]}";
    assert_int_equal(stage_run(stage, "sim down"), 0);
    assert_has(stage->err, "was left alone: gridpeer sim up did not make it\n");
    stage->backend_error = GP_E_SIM_OTHER;
    assert_int_equal(stage_run(stage, "sim kill web"), 5);
    assert_has(stage->err, "sim commands touch only what gridpeer sim up made: what the backend");
    assert_has(stage->err, "  next: gridpeer sim status --dir /tmp/");
    assert_int_equal(stage_run(stage, "sim up 3"), 5);
    assert_has(stage->err, "of its own: gridpeer sim up 3 --dir DIR\n");
    stage->backend_error = GP_E_SIM_EXISTS;
    assert_int_equal(stage_run(stage, "sim up 3"), 5);
    assert_has(stage->err, "  next: gridpeer sim down --dir /tmp/");
    assert_has(stage->err, ", or use another --dir\n");
}

static void sims_have_a_directory_of_their_own(void **state)
{
    stage_t *stage = *state;
    const char *own = geteuid() == 0 ? "/var/lib/gridpeer-sim" : "/none/state/gridpeer-sim";
    stage->backend_document =
        "{'schema':'gridpeer/v1','kind':'sim','as_of':'','partial':false,'items':[]}";
    assert_int_equal(setenv("XDG_STATE_HOME", "/none/state", 1), 0);
    assert_int_equal(stage_run_bare(stage, "sim status"), 0);
    assert_string_equal(stage->sim_dir, own);
    assert_int_equal(stage_run_bare(stage, "sim up 2"), 0);
    assert_string_equal(stage->sim_dir, own);
    assert_int_equal(unsetenv("XDG_STATE_HOME"), 0);
    assert_int_equal(stage_run_bare(stage, "sim down --dir /given"), 0);
    assert_string_equal(stage->sim_dir, "/given");
    assert_int_equal(setenv("GRIDPEER_DIR", "/from/it", 1), 0);
    assert_int_equal(stage_run_bare(stage, "sim status"), 0);
    assert_string_equal(stage->sim_dir, "/from/it");
    assert_int_equal(unsetenv("GRIDPEER_DIR"), 0);
}

static void a_sim_says_what_to_type_next(void **state)
{
    static const struct {
        const char *line;
        gp_error_t error;
        int code;
        const char *next;
    } cases[] = {
        {"sim start n77", GP_E_NODE_UNKNOWN, 1, "next: gridpeer sim status --dir /tmp/"},
        {"sim start n3", GP_E_AGENT_RUNS, 5, "next: gridpeer sim status --dir /tmp/"},
        {"sim kill n3", GP_E_SIM_STOPPED, 1, "next: gridpeer sim start n3 --dir /tmp/"},
        {"sim kill n3 n4", GP_E_SIM_STOPPED, 1, "next: gridpeer sim start NAME --dir /tmp/"},
        {"sim kill ../x", GP_OK, 1, "next: gridpeer sim status --dir /tmp/"},
        {"sim up 3", GP_E_NO_AGENT, 69, "next: try again"},
        {"sim start n3", GP_E_NO_AGENT, 69, "next: gridpeer sim status --dir /tmp/"},
        {"sim up 3", GP_E_TIMED_OUT, 6, "next: wait longer: --timeout DURATION"},
        {"sim up 3", GP_E_INTERRUPTED, 1, "gridpeer: interrupted: what the backend says"},
    };
    stage_t *stage = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stage->backend_error = cases[i].error;
        assert_int_equal(stage_run(stage, cases[i].line), cases[i].code);
        assert_has(stage->err, cases[i].next);
        assert_null(strstr(stage->err, "--name"));
    }
}

static void hours_are_told_in_hours(void **state)
{
    static const char *const wrong[] = {"0.01", "0", "1000.1", "2000"};
    stage_t *stage = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "sim run --hours %s", wrong[i]);
        assert_int_equal(stage_run(stage, line), 64);
        assert_has(stage->err, "--hours must be 0.017 (a minute) to 1000, not '");
        assert_has(stage->err, wrong[i]);
        assert_string_equal(stage->backend, "");
    }
    assert_int_equal(stage_run(stage, "sim run --nodes 100001"), 64);
    assert_has(stage->err, "--nodes must be 1 to 100000, not '100001'");
}

static void violations_exit_with_3(void **state)
{
    stage_t *stage = *state;
    stage->backend_document =
        "{'schema':'gridpeer/v1','kind':'sim-run','as_of':'','partial':false,'items':[{'seed':42,"
        "'nodes':10,'duration_ms':1800000,'trace_hash':'abc','events':1000,'faults':{'loss':3,"
        "'pause':1},'violations':[],'wall_ms':900}]}";
    assert_int_equal(stage_run(stage, "sim run --nodes 10 --hours 0.5 --seed 42"), 0);
    assert_string_equal(stage->backend, "sim run 10 50 1800000 42 -");
    assert_string_equal(stage->out, "seed         42\nnodes        10\nduration_ms  30 min\n"
                                    "trace_hash   abc\nevents       1000\n"
                                    "faults       loss 3, pause 1\nwall_ms      900 ms\n"
                                    "violations   0\n"
                                    "verdict      safe at every step, and all agreed again in "
                                    "the end\n");
    stage->backend_document =
        "{'schema':'gridpeer/v1','kind':'sim-run','as_of':'','partial':false,'items':[{'seed':42,"
        "'violations':['two mandates in term 4']}]}";
    assert_int_equal(stage_run(stage, "sim run --nodes 10 --seed 42 --calm"), 3);
    assert_has(stage->out, "violations   1\n  two mandates in term 4\n");
    assert_null(strstr(stage->out, "verdict"));
    assert_has(stage->err,
               "gridpeer sim run --nodes 10 --group-size 50 --hours 1 --seed 42 --calm");
    assert_int_equal(stage_run(stage, "sim run --nodes 10 --seed 42 --json"), 3);
    assert_int_equal(stage_run(stage, "sim run --nodes 10 --seed 42 --storm"), 3);
    assert_has(stage->err, "--hours 1 --seed 42 --storm --story FILE");
    assert_int_equal(stage_run(stage, "sim run --nodes 10 --seed 42 --breadth 40"), 3);
    assert_has(stage->err, "--hours 1 --seed 42 --breadth 40 --story FILE");
    assert_int_equal(stage_run(stage, "sim run --breadth 51"), 64);
    assert_int_equal(stage_run(stage, "sim run --nodes 10 --seed 42 --slow 8"), 3);
    assert_has(stage->err, "--hours 1 --seed 42 --slow 8 --story FILE");
    assert_int_equal(stage_run(stage, "sim run --nodes 10 --slow 9"), 64);
    assert_int_equal(stage_run(stage, "sim run --nodes 10 --calm --storm"), 64);
    assert_has(stage->err, "--calm and --storm: choose one");
}

/* ---- which agent ----------------------------------------------------------------------------- */

#define IDLE(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IDLE(sims_are_commanded),           IDLE(sims_of_several_sub_grids),
        IDLE(sims_leave_others_alone),      IDLE(sims_have_a_directory_of_their_own),
        IDLE(a_sim_says_what_to_type_next), IDLE(hours_are_told_in_hours),
        IDLE(violations_exit_with_3),
    };
    (void)unsetenv("GRIDPEER_DIR");
    (void)unsetenv("GRIDPEER_NODE");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
