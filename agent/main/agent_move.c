/*
 * This machine goes into another sub-Grid: once that is on the disk, the agent begins anew in the
 * same process, as after a restart. Nothing of its work is open then (overlay/tiers/forming.h).
 */
#include "agent/main/agent_state.h"

void agent_moved(agent_t *agent)
{
    struct timeval soon = {.tv_usec = AGENT_ANSWER_MS * 1000};
    agent->moved = true;
    event_base_loopexit(agent->base, &soon);
}

/* The sub-Grid that this machine moved to last is its own, whatever it joined at first. */
static void take_place(void *context, uint64_t key, const gp_msg_t *msg)
{
    agent_t *agent = context;
    (void)key;
    if (msg->kind == GP_MSG_FORM_STATE) {
        agent->identity.group = msg->u.form_state.subgrid;
        agent->founds = msg->u.form_state.found;
        agent->moved_before = true;
    }
}

gp_error_t agent_find_place(agent_t *agent, gp_fail_t *fail)
{
    return gp_store_load(agent->store, GP_ROOM_FORMING, take_place, agent, fail);
}
