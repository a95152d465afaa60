/* What the commands that show sub-Grids and regions share. Private to agent/cli. */
#ifndef GP_AGENT_CLI_GROUPS_H
#define GP_AGENT_CLI_GROUPS_H

#include "agent/cli/command.h"

/* The sub-Grids of this machine's region: 0 and a document that is the caller's, or an exit code.
 */
int gp_cli_subgrids_get(gp_cli_t *cli, json_t **ret_document);

/*
 * The regions of the grid: likewise. Of the own region each item has "subgrids", how many there
 * are, and "subgrid_list", the items of gp_cli_subgrids_get; of others null, since only the region
 * itself knows.
 */
int gp_cli_regions_get(gp_cli_t *cli, json_t **ret_document);

/* "1 machine", "2 machines" of an item's number; "?" if it is not known. */
void gp_cli_count_text(const json_t *item, const char *field, const char *thing, char *text,
                       size_t size);

/* Text of an item's field; "" if it has none. */
const char *gp_cli_item_text(const json_t *item, const char *field);

#endif
