/* sim: a grid on this machine: real agents, or the deterministic simulator. */
#include "agent/cli/command.h"

#include <string.h>

/* Of grid time; checked here, so that the message is in hours. */
#define HOURS_MIN_MS UINT64_C(60000)
#define HOURS_MAX_MS UINT64_C(3600000000)

#define UP_EACH_MS 500 /* for each agent, beside the time-out of sim up */

/* Both ways across must be answered within the time-outs of a sub-Grid. */
#define BREADTH_MAX_MS 50

static const gp_cli_column_t columns[] = {
    {"name", "NAME", GP_CELL_TEXT, false},   {"pid", "PID", GP_CELL_TEXT, false},
    {"port", "PORT", GP_CELL_TEXT, false},   {"alive", "ALIVE", GP_CELL_TEXT, false},
    {"state", "STATE", GP_CELL_TEXT, false}, {"state_dir", "STATE_DIR", GP_CELL_TEXT, false},
};

/* ---- real agents -------------------------------------------------------------------------------
 */

/* "agreed_ms" and "leader" of a document, in words, and how to talk to the agents. */
static void agreement_note(gp_cli_t *cli, const json_t *document)
{
    char quoted[2 * GP_CLI_PATH_MAX];
    const json_t *agreed = json_object_get(document, "agreed_ms");
    const char *leader = json_string_value(json_object_get(document, "leader"));
    json_int_t subgrids = json_integer_value(json_object_get(document, "subgrids"));
    if (json_is_integer(agreed) && subgrids > 1) {
        gp_cli_note(cli, "all are in one of %lld sub-Grids after %lld ms: gridpeer topology",
                    (long long)subgrids, (long long)json_integer_value(agreed));
    } else if (json_is_integer(agreed) && leader != NULL) {
        gp_cli_note(cli, "all agree after %lld ms: %s leads", (long long)json_integer_value(agreed),
                    leader);
    }
    gp_cli_note(cli, "to talk to them: export GRIDPEER_DIR=%s GRIDPEER_NODE=n1",
                gp_text_quote(cli->dir, quoted, sizeof quoted));
}

/* Machines that sim up did not make: they stay as they are, and the user is told. */
static void others_note(gp_cli_t *cli, const json_t *document)
{
    const json_t *others = json_object_get(document, "others");
    for (size_t i = 0; i < json_array_size(others); i++) {
        gp_cli_note(cli, "%s in %s was left alone: gridpeer sim up did not make it",
                    json_string_value(json_array_get(others, i)), cli->dir);
    }
}

/* What to type next where the table's advice is not for sims; false: it is. */
static bool next_step(const gp_cli_t *cli, const gp_cli_sim_t *request, gp_error_t error,
                      char action[4 * GP_CLI_PATH_MAX])
{
    char command[3 * GP_CLI_PATH_MAX], words[GP_NAME_MAX + 16];
    const char *name = request->target_count == 1 ? request->targets[0] : "NAME";
    bool up = request->verb == GP_CLI_SIM_UP;
    size_t size = 4 * (size_t)GP_CLI_PATH_MAX;
    switch (error) {
    case GP_E_SIM_EXISTS:
        gp_cli_next(cli, "sim down", command, sizeof command);
        (void)snprintf(action, size, "%s, or use another --dir", command);
        return true;
    case GP_E_SIM_STOPPED:
        (void)snprintf(words, sizeof words, "sim start %s", name);
        gp_cli_next(cli, words, action, size);
        return true;
    case GP_E_SIM_OTHER:
        if (up) {
            (void)snprintf(action, size,
                           "give the simulated grid a directory of its own: gridpeer sim up %u "
                           "--dir DIR",
                           request->count);
            return true;
        }
        gp_cli_next(cli, "sim status", action, size);
        return true;
    case GP_E_NODE_UNKNOWN:
    case GP_E_AGENT_RUNS:
        gp_cli_next(cli, "sim status", action, size);
        return true;
    case GP_E_NO_AGENT:
        if (up) {
            (void)snprintf(action, size, "try again, with fewer machines if this one is slow");
        } else {
            gp_cli_next(cli, "sim status", action, size);
        }
        return true;
    default:
        return false;
    }
}

static int sim_fail(gp_cli_t *cli, const gp_cli_sim_t *request, gp_error_t error,
                    const char *detail)
{
    char action[4 * GP_CLI_PATH_MAX];
    bool own = next_step(cli, request, error, action);
    return gp_cli_fail(cli, error, own ? action : NULL, "%s", detail);
}

static int sim_ask(gp_cli_t *cli, gp_cli_sim_t *request)
{
    json_t *document = NULL;
    gp_cli_fault_t fault = {""};
    request->dir = cli->dir;
    request->timeout_ms = cli->timeout_ms;
    gp_error_t error = cli->backend->sim(request, &document, &fault);
    if (error != GP_OK) {
        return sim_fail(cli, request, error, fault.detail);
    }
    if (request->verb == GP_CLI_SIM_UP) {
        agreement_note(cli, document);
    }
    size_t count = json_array_size(json_object_get(document, "items"));
    if (request->verb == GP_CLI_SIM_DOWN) {
        others_note(cli, document);
    }
    if (count == 0 && !cli->json) {
        gp_cli_note(cli, "no simulated machine is in %s", cli->dir);
    }
    if (request->verb == GP_CLI_SIM_DOWN && !cli->json && cli->fields == NULL) {
        if (count > 0) {
            (void)fprintf(cli->out, "%zu agents in %s are down, and what they kept is removed\n",
                          count, cli->dir);
        }
        json_decref(document);
        return GP_EXIT_DONE;
    }
    return gp_cli_print(cli, document, columns, sizeof columns / sizeof columns[0]);
}

static int sim_up_run(gp_cli_t *cli)
{
    uint64_t count = 0;
    const char *text = cli->args.words[0];
    for (const char *p = text; *p >= '0' && *p <= '9' && count <= GP_SIM_AGENTS_MAX; p++) {
        count = count * 10 + (uint64_t)(*p - '0');
    }
    if (text[strspn(text, "0123456789")] != '\0' || count < 1 || count > GP_SIM_AGENTS_MAX) {
        return gp_cli_usage(cli, "sim up takes a number of agents from 1 to %d, not '%s'",
                            GP_SIM_AGENTS_MAX, text);
    }
    if (cli->timeout_ms == gp_cli_sim_up.timeout_ms) { /* not chosen by the user */
        cli->timeout_ms += count * UP_EACH_MS;
    }
    gp_cli_sim_t request = {.verb = GP_CLI_SIM_UP,
                            .count = (uint32_t)count,
                            .subgrid_size = (uint32_t)gp_cli_number(&cli->args, "subgrid-size", 0),
                            .region = gp_cli_text(&cli->args, "region", "sim")};
    if (gp_name_check(gp_text(request.region)) != GP_OK) {
        return gp_cli_fail(cli, GP_E_NAME, "choose another name: --region NAME", "'%s'",
                           request.region);
    }
    return sim_ask(cli, &request);
}

static int sim_all(gp_cli_t *cli, gp_cli_sim_verb_t verb)
{
    gp_cli_sim_t request = {.verb = verb};
    return sim_ask(cli, &request);
}

static int sim_some(gp_cli_t *cli, gp_cli_sim_verb_t verb)
{
    gp_cli_sim_t request = {
        .verb = verb, .targets = cli->args.words, .target_count = cli->args.word_count};
    for (uint32_t i = 0; i < request.target_count; i++) {
        if (gp_name_check(gp_text(request.targets[i])) != GP_OK) {
            return sim_fail(cli, &request, GP_E_NODE_UNKNOWN, request.targets[i]);
        }
    }
    return sim_ask(cli, &request);
}

static int sim_down_run(gp_cli_t *cli)
{
    return sim_all(cli, GP_CLI_SIM_DOWN);
}

static int sim_status_run(gp_cli_t *cli)
{
    return sim_all(cli, GP_CLI_SIM_STATUS);
}

static int sim_kill_run(gp_cli_t *cli)
{
    return sim_some(cli, GP_CLI_SIM_KILL);
}

static int sim_freeze_run(gp_cli_t *cli)
{
    return sim_some(cli, GP_CLI_SIM_FREEZE);
}

static int sim_thaw_run(gp_cli_t *cli)
{
    return sim_some(cli, GP_CLI_SIM_THAW);
}

static int sim_start_run(gp_cli_t *cli)
{
    return sim_some(cli, GP_CLI_SIM_START);
}

/* ---- the simulator --------------------------------------------------------------------------- */

static void fact_print(gp_cli_t *cli, const json_t *item, const char *field, gp_cli_cell_t cell)
{
    char text[2048];
    const json_t *value = json_object_get(item, field);
    if (value != NULL) {
        gp_cli_cell_text(cell, value, text, sizeof text);
        (void)fprintf(cli->out, "%-12s %s\n", field, text);
    }
}

static void sim_result_print(gp_cli_t *cli, const json_t *item)
{
    static const struct {
        const char *field;
        gp_cli_cell_t cell;
    } facts[] = {{"seed", GP_CELL_TEXT},        {"nodes", GP_CELL_TEXT},
                 {"groups", GP_CELL_TEXT},      {"duration_ms", GP_CELL_AGE_MS},
                 {"trace_hash", GP_CELL_TEXT},  {"events", GP_CELL_TEXT},
                 {"messages", GP_CELL_TEXT},    {"bytes", GP_CELL_BYTES},
                 {"finds", GP_CELL_TEXT},       {"jobs", GP_CELL_TEXT},
                 {"jobs_ended", GP_CELL_TEXT},  {"refused", GP_CELL_TEXT},
                 {"faults", GP_CELL_TEXT},      {"agreed_ms", GP_CELL_AGE_MS},
                 {"healed_ms", GP_CELL_AGE_MS}, {"wall_ms", GP_CELL_AGE_MS}};
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        fact_print(cli, item, facts[i].field, facts[i].cell);
    }
    const json_t *violations = json_object_get(item, "violations");
    (void)fprintf(cli->out, "%-12s %zu\n", "violations", json_array_size(violations));
    for (size_t i = 0; i < json_array_size(violations); i++) {
        char text[2048];
        gp_cli_cell_text(GP_CELL_TEXT, json_array_get(violations, i), text, sizeof text);
        (void)fprintf(cli->out, "  %s\n", text);
    }
    const json_t *explanation = json_object_get(item, "explanation");
    for (size_t i = 0; i < json_array_size(explanation); i++) {
        (void)fprintf(cli->out, "  %s\n", json_string_value(json_array_get(explanation, i)));
    }
    if (json_array_size(violations) == 0) {
        (void)fprintf(cli->out, "%-12s safe at every step, and all agreed again in the end\n",
                      "verdict");
    }
}

/* A failure is a seed: the command that shows it again, with its story. */
static void violation_note(gp_cli_t *cli, const gp_cli_sim_run_t *request)
{
    char breadth[32] = "";
    char slow[24] = "";
    if (request->breadth_ms > 0) {
        (void)snprintf(breadth, sizeof breadth, " --breadth %u", request->breadth_ms);
    }
    if (request->slow > 1) {
        (void)snprintf(slow, sizeof slow, " --slow %u", request->slow);
    }
    gp_cli_note(cli,
                "an invariant was violated; the same again: gridpeer sim run --nodes %u "
                "--group-size %u --hours %s --seed %llu%s%s%s%s%s --story FILE; with --record FILE "
                "--record-node N for one machine of it: gridpeer replay FILE",
                request->nodes, request->group_size, gp_cli_text(&cli->args, "hours", "1"),
                (unsigned long long)request->seed, breadth, slow, request->calm ? " --calm" : "",
                request->storm ? " --storm" : "", request->ed25519 ? " --ed25519" : "");
}

static int sim_simulate_run(gp_cli_t *cli)
{
    json_t *document = NULL;
    gp_cli_fault_t fault = {""};
    gp_cli_sim_run_t request = {
        .nodes = (uint32_t)gp_cli_number(&cli->args, "nodes", 100),
        .group_size = (uint32_t)gp_cli_number(&cli->args, "group-size", 50),
        .breadth_ms = (uint32_t)gp_cli_number(&cli->args, "breadth", 0),
        .slow = (uint32_t)gp_cli_number(&cli->args, "slow", 1),
        .calm = gp_cli_flag(&cli->args, "calm"),
        .storm = gp_cli_flag(&cli->args, "storm"),
        .ed25519 = gp_cli_flag(&cli->args, "ed25519"),
        .duration_ms = gp_cli_number(&cli->args, "hours", 3600000),
        .seed = gp_cli_number(&cli->args, "seed", 1),
        .story = gp_cli_text(&cli->args, "story", NULL),
        .record = gp_cli_text(&cli->args, "record", NULL),
        .record_node = (uint32_t)gp_cli_number(&cli->args, "record-node", 1) - 1,
        .timeout_ms = cli->timeout_ms,
    };
    if (request.duration_ms < HOURS_MIN_MS || request.duration_ms > HOURS_MAX_MS) {
        return gp_cli_usage(cli, "--hours must be 0.017 (a minute) to 1000, not '%s'",
                            gp_cli_text(&cli->args, "hours", ""));
    }
    if (request.record_node >= request.nodes) {
        return gp_cli_usage(cli, "--record-node %u: there are %u machines", request.record_node + 1,
                            request.nodes);
    }
    if (request.calm && request.storm) {
        return gp_cli_usage(cli, "--calm and --storm: choose one");
    }
    gp_error_t error = cli->backend->sim_run(&request, &document, &fault);
    if (error != GP_OK) {
        return error == GP_E_USAGE ? gp_cli_usage(cli, "%s", fault.detail)
                                   : gp_cli_fail(cli, error, NULL, "%s", fault.detail);
    }
    const json_t *item = json_array_get(json_object_get(document, "items"), 0);
    bool violated = json_array_size(json_object_get(item, "violations")) > 0;
    int code = GP_EXIT_DONE;
    if (cli->json || cli->fields != NULL) {
        code = gp_cli_print(cli, document, NULL, 0);
    } else {
        sim_result_print(cli, item);
        json_decref(document);
    }
    if (violated) {
        violation_note(cli, &request);
    }
    return code == GP_EXIT_DONE && violated ? GP_EXIT_INVALID : code;
}

/* ---- the table's rows ------------------------------------------------------------------------ */

static const gp_cli_option_t up_options[] = {
    {"region", GP_CLI_TEXT, "NAME", "the region's name; default sim", 0, 0},
    {"subgrid-size", GP_CLI_NUMBER, "N", "so many machines fill a sub-Grid; default 64", 2,
     GP_MEMBERS_MAX},
};

static const gp_cli_option_t run_options[] = {
    {"nodes", GP_CLI_NUMBER, "N", "machines, 100000 at most; default 100", 1, GP_SIM_NODES_MAX},
    {"hours", GP_CLI_HOURS, "H", "grid time, 0.017 (a minute) to 1000; default 1", 0, UINT64_MAX},
    {"seed", GP_CLI_NUMBER, "S", "the same seed gives the same run; default 1", 0, UINT64_MAX},
    {"group-size", GP_CLI_NUMBER, "N", "machines of a sub-Grid; default 50", 1, GP_MEMBERS_MAX},
    {"breadth", GP_CLI_NUMBER, "MS",
     "six towns in a square so wide, one way; default 0: all in one", 0, BREADTH_MAX_MS},
    {"slow", GP_CLI_NUMBER, "N", "times of groups, faults and users times N; default 1", 1,
     GP_SLOW_MAX},
    {"calm", GP_CLI_FLAG, NULL, "nothing goes wrong", 0, 0},
    {"storm", GP_CLI_FLAG, NULL, "only partitions, freezes, clock rates: three a second", 0, 0},
    {"ed25519", GP_CLI_FLAG, NULL, "real signatures instead of a cheap stand-in", 0, 0},
    {"story", GP_CLI_TEXT, "FILE", "write there what happened, as sentences", 0, 0},
    {"record", GP_CLI_TEXT, "FILE", "record the last life of a machine there: gridpeer replay FILE",
     0, 0},
    {"record-node", GP_CLI_NUMBER, "N", "which machine: the number of its name; default 1", 1,
     GP_SIM_NODES_MAX},
};

const gp_cli_command_t gp_cli_sim_up = {
    .words = "sim up",
    .run = sim_up_run,
    .sims = true,
    .summary = "Start real agents n1, n2, ... on this machine",
    .operands = "N",
    .words_min = 1,
    .words_max = 1,
    .options = up_options,
    .option_count = sizeof up_options / sizeof up_options[0],
    .timeout_ms = 60000,
    .example = "gridpeer sim up 5 --dir /tmp/five && gridpeer node list --dir /tmp/five --node n1",
    .details =
        "N is at most 1024. Each has its own process, port and state directory in --dir, and they "
        "talk over loopback "
        "only. The command returns when all agree on their members and their super-peer, and three "
        "of them vote (if there are so many), so that any one may be killed next. More than fill "
        "one "
        "sub-Grid (64, or --subgrid-size) form several, a few seconds for each: the command "
        "returns when each machine has a super-peer and the region peer knows of all; without "
        "--timeout it waits a minute and half a second for each machine. It says "
        "how other commands find them: by --dir and --node, or GRIDPEER_DIR and GRIDPEER_NODE. "
        "Without --dir they live beside the machines of init and join, in a directory whose name "
        "ends in -sim. A directory that holds other machines is refused; with another --dir a "
        "second grid can run beside the first. If not all agree within --timeout (exit code 6), or "
        "on Ctrl-C, what was started is ended and removed.",
};

const gp_cli_command_t gp_cli_sim_down = {
    .words = "sim down",
    .run = sim_down_run,
    .sims = true,
    .summary = "Stop them and remove what they kept",
    .operands = "",
    .timeout_ms = 60000,
    .example = "gridpeer sim down",
    .details = "Only what sim up made is ended and removed, also what it had half made when it was "
               "killed: every other machine in the directory "
               "is left alone, and named. Exit code 5: there are only such. To end those: gridpeer "
               "stop, or gridpeer leave.",
};

const gp_cli_command_t gp_cli_sim_status = {
    .words = "sim status",
    .run = sim_status_run,
    .sims = true,
    .summary = "List them with process, port and directory",
    .operands = "",
    .timeout_ms = 5000,
    .example = "gridpeer sim status",
};

const gp_cli_command_t gp_cli_sim_kill = {
    .words = "sim kill",
    .run = sim_kill_run,
    .sims = true,
    .summary = "Kill some with SIGKILL, as a crash would",
    .operands = "NAME...",
    .words_min = 1,
    .words_max = GP_CLI_WORDS_MAX,
    .timeout_ms = 10000,
    .example = "gridpeer sim kill n3",
};

const gp_cli_command_t gp_cli_sim_freeze = {
    .words = "sim freeze",
    .run = sim_freeze_run,
    .sims = true,
    .summary = "Freeze some with SIGSTOP, as a hang would",
    .operands = "NAME...",
    .words_min = 1,
    .words_max = GP_CLI_WORDS_MAX,
    .timeout_ms = 10000,
    .example = "gridpeer sim freeze n4",
};

const gp_cli_command_t gp_cli_sim_thaw = {
    .words = "sim thaw",
    .alias = "sim unfreeze",
    .run = sim_thaw_run,
    .sims = true,
    .summary = "Let frozen ones go on",
    .operands = "NAME...",
    .words_min = 1,
    .words_max = GP_CLI_WORDS_MAX,
    .timeout_ms = 10000,
    .example = "gridpeer sim thaw n4",
};

const gp_cli_command_t gp_cli_sim_start = {
    .words = "sim start",
    .run = sim_start_run,
    .sims = true,
    .summary = "Start killed ones again, with the state they had",
    .operands = "NAME...",
    .words_min = 1,
    .words_max = GP_CLI_WORDS_MAX,
    .timeout_ms = 10000,
    .example = "gridpeer sim start n3",
};

const gp_cli_command_t gp_cli_sim_run_command = {
    .words = "sim run",
    .run = sim_simulate_run,
    .summary = "Run the deterministic simulator, with faults",
    .operands = "",
    .options = run_options,
    .option_count = sizeof run_options / sizeof run_options[0],
    .example = "gridpeer sim run --nodes 1000 --hours 1 --seed 42",
    .details =
        "The very cores of the agent under a virtual clock, network and disk that lose, "
        "delay, cut, pause and crash. Invariants are checked at every step. Exit code 3: one "
        "was violated; 6: --timeout, of this machine's time, was over before the run was.",
};
