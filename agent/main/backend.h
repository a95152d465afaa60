/*
 * What commands need beyond the API: founding, joining, the agent itself, grids on localhost, the
 * simulator. agent/cli knows these only as gp_cli_backend_t.
 */
#ifndef GP_AGENT_MAIN_BACKEND_H
#define GP_AGENT_MAIN_BACKEND_H

#include "agent/cli/cli.h"

extern const gp_cli_backend_t gp_backend;

#endif
