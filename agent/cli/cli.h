/*
 * The command line: one const table of commands, one file a command, each a thin client of the API.
 *
 * What can't go through the API (founding, joining, the agent itself, sims) is behind
 * gp_cli_backend_t, which agent/main wires.
 */
#ifndef GP_AGENT_CLI_CLI_H
#define GP_AGENT_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/errors.h"
#include "proto/limits.h"
#include "proto/text.h"

#define GP_CLI_DETAIL_MAX GP_DETAIL_MAX
#define GP_CLI_PATH_MAX   4096

/* Why a backend's work failed: to what it happened and why. */
typedef struct gp_cli_fault {
    char detail[GP_CLI_DETAIL_MAX];
} gp_cli_fault_t;

/* ---- what the backend is asked --------------------------------------------------------------- */

/* Where an agent lives: DIR/NAME. */
typedef struct gp_cli_place {
    const char *dir;
    const char *node;
} gp_cli_place_t;

typedef struct gp_cli_found {
    gp_cli_place_t place;
    const char *region;
    const char *listen; /* "tcp://ADDR:PORT", or NULL: the default */
} gp_cli_found_t;

typedef struct gp_cli_join {
    gp_cli_place_t place;
    const char *region;
    const char *token;
    const char *listen; /* or NULL */
    uint64_t timeout_ms;
    bool adds; /* the region is to be founded, in the grid of the token */
} gp_cli_join_t;

/* What came of founding or joining. */
typedef struct gp_cli_member {
    char id[GP_ID_TEXT];
    char grid[GP_GRID_ID_TEXT];
    char address[GP_ADDRESS_MAX + 1]; /* on which it will listen */
    char directory[GP_CLI_PATH_MAX];  /* DIR/NAME */
} gp_cli_member_t;

typedef struct gp_cli_leave_ask {
    gp_cli_place_t place;
    bool destroy_root;
} gp_cli_leave_ask_t;

typedef struct gp_cli_left {
    char region[GP_NAME_MAX + 1]; /* empty: not known */
    bool was_root;                /* the grid's root key went, too */
} gp_cli_left_t;

typedef struct gp_cli_agent {
    gp_cli_place_t place;
    const char *listen;  /* or NULL: as configured */
    uint64_t timeout_ms; /* for coming up in the background; 0: as the backend thinks */
} gp_cli_agent_t;

typedef enum gp_cli_sim_verb {
    GP_CLI_SIM_UP = 1,
    GP_CLI_SIM_DOWN,
    GP_CLI_SIM_STATUS,
    GP_CLI_SIM_KILL,
    GP_CLI_SIM_FREEZE,
    GP_CLI_SIM_THAW,
    GP_CLI_SIM_START
} gp_cli_sim_verb_t;

typedef struct gp_cli_sim {
    gp_cli_sim_verb_t verb;
    const char *dir;
    const char *region;         /* UP */
    uint32_t subgrid_size;      /* UP: so many fill a sub-Grid; 0: as by default */
    uint32_t count;             /* UP: agents; DOWN, STATUS: 0, all */
    const char *const *targets; /* KILL, FREEZE, THAW, START: names */
    uint32_t target_count;
    uint64_t timeout_ms;
} gp_cli_sim_t;

typedef struct gp_cli_sim_run {
    uint32_t nodes;
    uint32_t group_size;  /* machines of a sub-Grid */
    uint32_t breadth_ms;  /* towns stand in a square so wide, one way; 0: there is one */
    uint64_t duration_ms; /* of grid time */
    bool calm;            /* nothing goes wrong */
    uint32_t slow;        /* the groups' times are multiplied by this */
    bool storm;           /* partitions, freezes and clock rates alone, one after the other */
    bool ed25519;         /* real signatures instead of the cheap stand-in */
    uint64_t seed;
    const char *story;    /* file for what happened, as sentences, or NULL */
    const char *record;   /* file for a recording of one machine, or NULL */
    uint32_t record_node; /* of which: 0 is n1 */
    uint64_t timeout_ms;  /* of this machine's time; 0: no limit */
} gp_cli_sim_run_t;

/* A line of a replayed story; texts are valid during the call. */
typedef struct gp_cli_told {
    uint64_t after_us; /* since the recording began */
    uint64_t wall_ms;
    const char *what;
    const char *text;
    bool event; /* what came in */
    bool kept;  /* as it was written down */
} gp_cli_told_t;

typedef struct gp_cli_replay {
    const char *file;
    bool events; /* tell what came in, too */
    void (*tell)(void *context, const gp_cli_told_t *told);
    void *context;
} gp_cli_replay_t;

typedef struct gp_cli_played {
    char node[GP_NAME_MAX + 1];
    char version[64]; /* of the gridpeer that wrote it */
    uint64_t began_ms;
    uint64_t replayed; /* events */
    uint64_t kept;     /* later events, only told as they were written down */
    bool lost;         /* events between both were overwritten */
    bool ended;        /* in good order */
    bool stopped;      /* the recording, before a run that ended in good order */
    bool torn;
} gp_cli_played_t;

/*
 * Each returns GP_OK, or an error with its detail in *fault (never logged as well). Documents are
 * as agent/http/README.md says; the caller frees them.
 */
typedef struct gp_cli_backend {
    const char *version;

    /* Could a machine be set up there now, and its agent listen at `listen` (NULL: the default)?
     * GP_E_STATE_EXISTS, GP_E_ADDRESS_FOREIGN, GP_E_PORT_IN_USE, ... */
    gp_error_t (*setup_try)(const gp_cli_place_t *place, const char *listen, gp_cli_fault_t *fault);

    /* Prepares a machine that founds a grid; nothing is started. */
    gp_error_t (*found)(const gp_cli_found_t *request, gp_cli_member_t *ret_member,
                        gp_cli_fault_t *fault);

    /* Joins a grid; nothing is started. On failure nothing stays on disk. */
    gp_error_t (*join)(const gp_cli_join_t *request, gp_cli_member_t *ret_member,
                       gp_cli_fault_t *fault);

    /* Removes a machine whose agent does not run. On failure all stays on disk. */
    gp_error_t (*leave)(const gp_cli_leave_ask_t *request, gp_cli_left_t *ret_left,
                        gp_cli_fault_t *fault);

    /* Starts the agent in the background (through systemd where that is PID 1). The CLI waits then
     * until its API answers. */
    gp_error_t (*start_agent)(const gp_cli_agent_t *request, gp_cli_fault_t *fault);

    /* Is the agent; returns when it has stopped. Both: GP_E_AGENT_RUNS. */
    gp_error_t (*agent_main)(const gp_cli_agent_t *request, gp_cli_fault_t *fault);

    /* Real agents on this machine; *ret_document has kind "sim". */
    gp_error_t (*sim)(const gp_cli_sim_t *request, json_t **ret_document, gp_cli_fault_t *fault);

    /* The deterministic simulator; *ret_document has kind "sim-run". */
    gp_error_t (*sim_run)(const gp_cli_sim_run_t *request, json_t **ret_document,
                          gp_cli_fault_t *fault);

    /* Runs a recording through the cores; *ret_played is right after an error as well. */
    gp_error_t (*replay)(const gp_cli_replay_t *request, gp_cli_played_t *ret_played,
                         gp_cli_fault_t *fault);

    /* Every setting with its value and its meaning; *ret_document has kind "config". */
    gp_error_t (*config)(const gp_cli_place_t *place, json_t **ret_document, gp_cli_fault_t *fault);
} gp_cli_backend_t;

/* ---- entry ------------------------------------------------------------------------------------
 */

/* The command; returns its exit code (design.md section 11). */
int gp_cli_main(int argc, char **argv, const gp_cli_backend_t *backend);

#endif
