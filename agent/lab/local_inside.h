/* What the files of grids on localhost share. Private to agent/lab/local*.c. */
#ifndef GP_AGENT_LAB_LOCAL_INSIDE_H
#define GP_AGENT_LAB_LOCAL_INSIDE_H

#include "agent/http/client.h"
#include "agent/lab/local.h"
#include "agent/lab/process.h"

#define GP_LOCAL_ASK_MS 2000 /* for an answer that an agent has at hand */

gp_wall_ms_t gp_local_wall_ms(void);

/* When the user's limit ends. */
gp_until_t gp_local_until(const gp_local_t *local);

/* Asks the agent `name`; GP_OK: a document, which is the caller's. */
GP_MUST_CHECK gp_error_t gp_local_ask(const gp_local_t *local, const char *name,
                                      const gp_http_ask_t *what, json_t **ret_document);

/* Borrowed; NULL: it has none. */
const json_t *gp_local_first_item(const json_t *document);

/* Starts an agent, and does not wait for it. */
GP_MUST_CHECK gp_error_t gp_local_begin(const gp_local_t *local, const gp_local_agent_t *agent,
                                        gp_process_t *ret_process, gp_fail_t *fail);

/* GP_E_SIM_OTHER, GP_E_SIM_EXISTS: machines are in DIR already. */
GP_MUST_CHECK gp_error_t gp_local_refuse_if_used(const gp_local_t *local, gp_fail_t *fail);

#endif
