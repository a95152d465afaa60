/* Leaving for good: asked here before the API's handler answers. */
#include "agent/main/agent_state.h"
#include "agent/node/leave.h"

/* A machine that stopped comes back; only one that left for good is out of the grid. */
static bool is_alone(const agent_t *agent)
{
    const void *group = agent_group(agent);
    for (uint32_t i = 0; i < gp_group_count(group); i++) {
        const gp_group_member_t *member = gp_group_member_at(group, i);
        if (member->cause != GP_CAUSE_LEFT && !gp_id_equal(&member->id, &agent->identity.id)) {
            return false;
        }
    }
    return true;
}

bool agent_guard(gp_http_call_t *call, const gp_http_route_t *route, void *context)
{
    const agent_t *agent = context;
    int destroy_root = 0;
    gp_fail_t fail = {0};
    if (strcmp(route->path, "/v1/leave") != 0) {
        return true;
    }
    if (!gp_http_call_unpack(call, "{s?b !}", "destroy_root", &destroy_root)) {
        return false;
    }
    gp_error_t error = gp_leave_check(&agent->dir, is_alone(agent), destroy_root != 0, &fail);
    if (error != GP_OK) {
        gp_http_call_error(call, error, fail.text);
    }
    return error == GP_OK;
}
