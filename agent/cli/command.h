/*
 * What a command sees: its context, and the few things that all commands do: ask the API, print a
 * document, say what went wrong. Private to agent/cli.
 */
#ifndef GP_AGENT_CLI_COMMAND_H
#define GP_AGENT_CLI_COMMAND_H

#include <stdio.h>

#include "agent/cli/cli.h"
#include "agent/cli/options.h"
#include "agent/cli/table.h"

typedef struct gp_cli_command gp_cli_command_t;

/* Names of fields; they lie in `text` or live as long as the program. */
typedef struct gp_cli_names {
    const char *names[GP_CLI_COLUMNS_MAX];
    size_t count;
    char text[1024];
} gp_cli_names_t;

typedef struct gp_cli {
    const gp_cli_backend_t *backend;
    const gp_cli_command_t *command;
    FILE *out;
    FILE *err;
    gp_cli_args_t args;
    bool json;
    uint64_t timeout_ms;     /* of the whole command; 0: none */
    uint64_t began;          /* gp_cli_clock_ms */
    uint64_t deadline;       /* began + timeout_ms; 0: none */
    const char *late_action; /* to type next when the agent is late; NULL: wait longer */
    const char *fields;      /* --fields, or NULL */
    gp_cli_names_t chosen;   /* its names, in their order */
    const char *dir;
    const char *node; /* as asked for; NULL: the only one that runs */
    char dir_text[GP_CLI_PATH_MAX];
    char node_text[GP_NAME_MAX + 1];
    char socket[GP_CLI_PATH_MAX]; /* of the agent that is talked to */
} gp_cli_t;

struct gp_cli_command {
    const char *words; /* "node list" */
    const char *alias; /* "nodes", or NULL */
    int (*run)(gp_cli_t *cli);
    const char *summary;  /* one line */
    const char *operands; /* "REGION", "" if none */
    uint32_t words_min;
    uint32_t words_max;
    bool rest;        /* takes -- PROGRAM ARGUMENT... */
    bool sims;        /* works on simulated machines: they have a default directory of their own */
    const char *idle; /* said before how to start an agent that does not run, or NULL */
    const gp_cli_option_t *options;
    size_t option_count;
    uint64_t timeout_ms; /* default of --timeout; 0: none */
    const char *example;
    const char *details; /* paragraphs for --help and the manual */
};

/* All commands, in the order of --help. */
extern const gp_cli_command_t *const gp_cli_commands[];
extern const size_t gp_cli_command_count;

/* The options that every command has. */
extern const gp_cli_option_t gp_cli_common_options[];
extern const size_t gp_cli_common_option_count;

/* gp_cli_main with other files than stdout and stderr. */
int gp_cli_run(int argc, char **argv, const gp_cli_backend_t *backend, FILE *out, FILE *err);

/* ---- help.c ------------------------------------------------------------------------------------
 */

void gp_cli_help(FILE *out);
void gp_cli_help_command(FILE *out, const gp_cli_command_t *command);

/* The manual page gridpeer(1), as roff. */
void gp_cli_man(FILE *out, const char *version);

/* ---- report.c ----------------------------------------------------------------------------------
 */

/*
 * Says on stderr what happened, to what and why, and what to type next; under --json prints an
 * error document too. `action` NULL: the error's own. Returns the exit code.
 */
__attribute__((format(printf, 4, 5))) int gp_cli_fail(gp_cli_t *cli, gp_error_t error,
                                                      const char *action, const char *detail, ...);

/* The same for an error that the API told; with a query (or --rank), its column is shown. */
int gp_cli_fail_told(gp_cli_t *cli, const json_t *error, const char *query);

/* A wrong command line: exit 64, pointing at the command's help. */
__attribute__((format(printf, 2, 3))) int gp_cli_usage(gp_cli_t *cli, const char *why, ...);

/* Progress and remarks: on stderr, after "gridpeer: ". */
__attribute__((format(printf, 2, 3))) void gp_cli_note(gp_cli_t *cli, const char *text, ...);

/* A query as one word for a shell; what is too long for one is cut. */
#define GP_CLI_QUOTED_MAX (4 * GP_QUERY_MAX + 16)
void gp_cli_quote(const char *text, char quoted[GP_CLI_QUOTED_MAX]);

/* Text of others, with control characters escaped. */
void gp_cli_put(FILE *out, const char *text);

/* ---- place.c ------------------------------------------------------------------------------------
 */

/* Fills cli->dir and cli->node from --dir, --node and the environment. 0 or an exit code. */
int gp_cli_place_read(gp_cli_t *cli);

/* Fills cli->socket with that of the agent to talk to. 0 or an exit code. */
int gp_cli_agent_find(gp_cli_t *cli);

/* Fills cli->node with the only machine that was set up in cli->dir. 0 or an exit code. */
int gp_cli_machine_find(gp_cli_t *cli);

/* Fills cli->node with the only agent that runs, else with the only machine that was set up. */
int gp_cli_leaver_find(gp_cli_t *cli);

/* The name of a machine to set up: --name, --node or the host's. 0 or an exit code. */
int gp_cli_name_read(gp_cli_t *cli, const char **ret_name);

/*
 * A command of gridpeer to type next, as it must be typed for cli->dir: with --dir, unless that is
 * where the command looks by itself.
 */
void gp_cli_next(const gp_cli_t *cli, const char *command, char *text, size_t size);

/*
 * Says that something failed with the machines of cli->dir; where there is no such machine, how to
 * set it up there. Returns the exit code.
 */
int gp_cli_place_fail(gp_cli_t *cli, gp_error_t error, const char *detail);

/* The same as gp_cli_next for the machine `node` of cli->dir: with --node, too. */
void gp_cli_next_node(const gp_cli_t *cli, const char *command, const char *node, char *text,
                      size_t size);

/* Does the agent `node` of cli->dir take connections? */
bool gp_cli_agent_runs(const gp_cli_t *cli, const char *node);

/* The command that starts the agent in cli->dir, to type next. */
void gp_cli_start_command(const gp_cli_t *cli, const char *node, char *text, size_t size);

/* ---- fields.c -----------------------------------------------------------------------------------
 */

/*
 * Reads --fields. True: the command may go on, with cli->chosen. False: all that was to be done is
 * done (the fields were listed, or a wrong one was told), and *ret_code is the exit code.
 */
bool gp_cli_fields_read(gp_cli_t *cli, int *ret_code);

/* The fields of the command's document; false if it prints none. */
bool gp_cli_fields_known(const gp_cli_t *cli, gp_cli_names_t *names);

bool gp_cli_names_have(const gp_cli_names_t *names, const char *name);

/* ---- api.c --------------------------------------------------------------------------------------
 */

typedef struct gp_cli_ask {
    const char *method;
    const char *path;
    json_t *body;      /* taken over; NULL: none */
    const char *kind;  /* that the document must have */
    const char *query; /* shown when the API points at a column; may be NULL */
} gp_cli_ask_t;

/* Finds the agent and asks it. 0 and a document that is the caller's, or an exit code. */
int gp_cli_api(gp_cli_t *cli, const gp_cli_ask_t *ask, json_t **ret_document);

/* Asks the agent at cli->socket, and says nothing if that fails: the caller's document, or NULL. */
json_t *gp_cli_api_try(gp_cli_t *cli, const gp_cli_ask_t *ask);

/* Says why talking to cli->socket failed (errno as the client left it). Returns the exit code. */
int gp_cli_api_fail(gp_cli_t *cli, gp_error_t error);

/* The exit code that a document itself stands for: 4 if it is partial. */
int gp_cli_document_exit(const json_t *document);

/* Waits until the API of the agent `node` answers; 0 or an exit code. */
int gp_cli_ready_wait(gp_cli_t *cli, const char *node);

/* Milliseconds on a clock that never steps. */
uint64_t gp_cli_clock_ms(void);

/* What is left of --timeout, at least 1 ms, but at most `most` (0: no limit); 0: no limit. */
uint64_t gp_cli_time_left(const gp_cli_t *cli, uint64_t most);

/* The document as --json prints it. */
void gp_cli_json(gp_cli_t *cli, const json_t *document);

/*
 * Prints a document: as JSON, or its items as a table, with the chosen fields only. Takes the
 * document over. Returns gp_cli_document_exit.
 */
int gp_cli_print(gp_cli_t *cli, json_t *document, const gp_cli_column_t *columns, size_t count);

/* A document made here rather than by the API. */
json_t *gp_cli_document(const char *kind, json_t *item);

/* ---- find.c -------------------------------------------------------------------------------------
 */

/* 0, or an exit code: the query or --rank is longer than an agent takes. */
int gp_cli_query_check(gp_cli_t *cli, const char *query);

/* ---- the commands ---------------------------------------------------------------------------- */

extern const gp_cli_command_t gp_cli_init;
extern const gp_cli_command_t gp_cli_invite;
extern const gp_cli_command_t gp_cli_join;
extern const gp_cli_command_t gp_cli_region_add;
extern const gp_cli_command_t gp_cli_leave;
extern const gp_cli_command_t gp_cli_agent;
extern const gp_cli_command_t gp_cli_stop;
extern const gp_cli_command_t gp_cli_status;
extern const gp_cli_command_t gp_cli_node_list;
extern const gp_cli_command_t gp_cli_subgrid_list;
extern const gp_cli_command_t gp_cli_subgrid_show;
extern const gp_cli_command_t gp_cli_region_list;
extern const gp_cli_command_t gp_cli_region_show;
extern const gp_cli_command_t gp_cli_topology;
extern const gp_cli_command_t gp_cli_find;
extern const gp_cli_command_t gp_cli_run_command;
extern const gp_cli_command_t gp_cli_ps;
extern const gp_cli_command_t gp_cli_cancel;
extern const gp_cli_command_t gp_cli_log;
extern const gp_cli_command_t gp_cli_config;
extern const gp_cli_command_t gp_cli_replay;
extern const gp_cli_command_t gp_cli_sim_up;
extern const gp_cli_command_t gp_cli_sim_down;
extern const gp_cli_command_t gp_cli_sim_status;
extern const gp_cli_command_t gp_cli_sim_kill;
extern const gp_cli_command_t gp_cli_sim_freeze;
extern const gp_cli_command_t gp_cli_sim_thaw;
extern const gp_cli_command_t gp_cli_sim_start;
extern const gp_cli_command_t gp_cli_sim_run_command;

#endif
