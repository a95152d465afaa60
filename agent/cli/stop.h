/*
 * Ending the agent, for stop and leave. Private to agent/cli.
 */
#ifndef GP_AGENT_CLI_STOP_H
#define GP_AGENT_CLI_STOP_H

#include "agent/cli/command.h"

/*
 * POSTs `body`, which is borrowed, to `path`, expects a document of `kind`, and waits until the
 * agent's process has ended. 0 and the document, which is the caller's, or an exit code.
 */
int gp_cli_agent_end(gp_cli_t *cli, const char *path, json_t *body, const char *kind,
                     json_t **ret_document);

#endif
