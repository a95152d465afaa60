/*
 * Leaving for good: refused at once while others need the root key, and, once the election has
 * tried, if nobody could take over. Nothing is given up before that is known.
 */
#include <stdio.h>

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

/* The client went away; the machine leaves all the same. */
static void on_close(void *context)
{
    agent_t *agent = context;
    agent->leaver = NULL;
}

void agent_leave(gp_http_call_t *call, void *context)
{
    agent_t *agent = context;
    if (agent->stopping) {
        gp_http_call_error(call, GP_E_BUSY, "this agent is about to stop");
        return;
    }
    const gp_id_t leader = gp_election_leader(agent_election(agent));
    agent->led = gp_id_equal(&leader, &agent->identity.id);
    agent->leaver = call;
    gp_http_call_wait(call, on_close, agent);
    agent_go(agent);
}

void agent_relinquished(agent_t *agent, const gp_msg_relinquished_t *relinquished)
{
    if (!agent->leaves || relinquished->group != agent->identity.group) {
        return;
    }
    if (agent->leaver != NULL) {
        const gp_id_t *to = &relinquished->successor;
        json_t *document = gp_document_new("leave", agent_wall(), false);
        json_t *item = json_pack("{s:s,s:s,s:s}", "name", agent->dir.name, "state", "left",
                                 "region", agent->identity.region);
        if (!gp_id_is_none(to) && agent->led) {
            json_object_set_new(item, "successor", json_string(agent_name_of(agent, to)));
        }
        gp_document_add(document, item);
        gp_http_call_answer(agent->leaver, document);
        agent->leaver = NULL;
    }
    agent_end_work(agent);
}

/* Who stays, and why it could not take over. */
static void tell_why(const agent_t *agent, char *text, size_t size)
{
    const void *group = agent_group(agent);
    for (uint32_t i = 0; i < gp_group_count(group); i++) {
        const gp_group_member_t *member = gp_group_member_at(group, i);
        bool lives = member->state == GP_MEMBER_ALIVE || member->state == GP_MEMBER_SUSPECT;
        if (lives && !gp_id_equal(&member->id, &agent->identity.id)) {
            (void)snprintf(text, size, "%s stays, but %s", member->name,
                           (member->flags & GP_FLAG_FAILING) != 0   ? "its disk refuses records"
                           : (member->flags & GP_FLAG_RELAYED) != 0 ? "others cannot dial it"
                                                                    : "did not take over in time");
            return;
        }
    }
}

void agent_heirless(agent_t *agent)
{
    char why[AGENT_WHY_MAX] = "";
    if (!agent->leaves) {
        return;
    }
    agent->stopping = false;
    agent->leaves = false;
    if (agent->leaver != NULL) {
        tell_why(agent, why, sizeof why);
        gp_http_call_error(agent->leaver, GP_E_LEAVE_HEIR, why);
        agent->leaver = NULL;
    }
    if (agent->told_to_stop) { /* meanwhile, by a signal */
        event_active(agent->signals[0], EV_SIGNAL, 1);
    }
}
