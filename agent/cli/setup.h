/*
 * What init and join share. Private to agent/cli.
 */
#ifndef GP_AGENT_CLI_SETUP_H
#define GP_AGENT_CLI_SETUP_H

#include "agent/cli/command.h"

/* The value of --listen, or NULL. 0 or an exit code. */
int gp_cli_listen_check(gp_cli_t *cli, const char **ret_listen);

/*
 * 0, or an exit code if there is such a machine already, or the agent, which is to be started,
 * could not listen there.
 */
int gp_cli_setup_try(gp_cli_t *cli, const char *name, const char *listen);

/* Says why the machine `name` could not be set up. Returns the exit code. */
int gp_cli_setup_fail(gp_cli_t *cli, gp_error_t error, const char *name, const char *detail);

/* 0, or an exit code if this can't be a region's name. */
int gp_cli_region_check(gp_cli_t *cli, const char *region);

/* Starts the agent that was set up and waits until it answers. 0 or an exit code. */
int gp_cli_setup_start(gp_cli_t *cli, const char *name, const char *listen);

/* The item's address becomes the one at which the running agent listens; false: it does not say. */
bool gp_cli_address_update(gp_cli_t *cli, json_t *item);

/* The machine as an item of a document. */
json_t *gp_cli_member_item(const gp_cli_member_t *member, const char *name, const char *region,
                           bool started);

/* The command join; adds: the region is founded by it. */
int gp_cli_join_run(gp_cli_t *cli, bool adds);

/* Its options, which are those of region add, too. */
#define GP_CLI_JOIN_OPTIONS 4
extern const gp_cli_option_t gp_cli_join_options[GP_CLI_JOIN_OPTIONS];

/* The item's facts, a line each. */
void gp_cli_member_print(gp_cli_t *cli, const json_t *item);

#endif
