/* May a machine leave its grid for good? The decision, pure. */
#ifndef GP_AGENT_NODE_LEAVE_CORE_H
#define GP_AGENT_NODE_LEAVE_CORE_H

#include <stdbool.h>

#include "proto/errors.h"

typedef struct gp_leave_facts {
    bool has_root;     /* the grid's root key is in its state directory */
    bool alone;        /* no other machine is known to be in the grid */
    bool destroy_root; /* its user said that the root key may go */
} gp_leave_facts_t;

/* GP_E_LEAVE_ROOT: others need the key, and nobody said that it may go. */
GP_MUST_CHECK gp_error_t gp_leave_decide(const gp_leave_facts_t *facts);

#endif
