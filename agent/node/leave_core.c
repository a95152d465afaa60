#include "agent/node/leave_core.h"

gp_error_t gp_leave_decide(const gp_leave_facts_t *facts)
{
    return facts->has_root && !facts->alone && !facts->destroy_root ? GP_E_LEAVE_ROOT : GP_OK;
}
