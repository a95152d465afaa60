/*
 * GET /v1/wait: answers when the grid, as this machine sees it, is as the client wants it.
 *
 *   members=N          N machines are alive          leader=quorum   a leader with a mandate
 *   voters=N           N voters are alive            node=X&state=S  X is in that state
 *   any=S              somebody is in that state     timeout_ms=T    at most so long (1 h at most)
 *
 * All that is asked must hold at once. Nobody needs to poll.
 */
#include <stdlib.h>

#include "agent/main/agent_state.h"

struct waiter {
    waiter_t *next;
    agent_t *agent;
    gp_http_call_t *call;
    struct event *limit;
    gp_usec_t since;
    uint32_t members;
    uint32_t voters;
    bool quorum;
    char node[GP_NAME_MAX + 1];
    char state[16];
    char any[16];
};

static void drop(waiter_t *waiter)
{
    waiter_t **at = &waiter->agent->waiters;
    while (*at != waiter) {
        at = &(*at)->next;
    }
    *at = waiter->next;
    event_free(waiter->limit);
    free(waiter);
}

static bool in_state(const gp_group_member_t *member, const char *state)
{
    return strcmp(gp_member_state_name(member->state), state) == 0;
}

static bool members_hold(const waiter_t *waiter)
{
    const void *group = agent_group(waiter->agent);
    uint32_t alive = 0;
    bool node = waiter->node[0] == '\0';
    bool any = waiter->any[0] == '\0';
    for (uint32_t i = 0; i < gp_group_count(group); i++) {
        const gp_group_member_t *member = gp_group_member_at(group, i);
        alive += member->state == GP_MEMBER_ALIVE ? 1 : 0;
        node = node || (strcmp(member->name, waiter->node) == 0 && in_state(member, waiter->state));
        any = any || in_state(member, waiter->any);
    }
    return alive >= waiter->members && node && any;
}

static uint32_t living_voters(const agent_t *agent)
{
    gp_record_voter_t voters[GP_VOTERS_MAX];
    uint32_t count = gp_election_voters(agent_election(agent), voters);
    uint32_t living = 0;
    for (uint32_t i = 0; i < count; i++) {
        const gp_group_member_t *member = gp_group_member(agent_group(agent), &voters[i].id);
        living += member != NULL && member->state == GP_MEMBER_ALIVE ? 1 : 0;
    }
    return living;
}

static bool holds(const waiter_t *waiter)
{
    const agent_t *agent = waiter->agent;
    if (waiter->quorum && gp_election_right(agent_election(agent)) != GP_RIGHT_QUORUM) {
        return false;
    }
    return living_voters(agent) >= waiter->voters && members_hold(waiter);
}

static void answer(waiter_t *waiter)
{
    const void *election = agent_election(waiter->agent);
    gp_id_t leader = gp_election_leader(election);
    json_t *document = gp_document_new("wait", agent_wall(), false);
    gp_document_add(document,
                    json_pack("{s:s,s:I,s:s}", "name", waiter->agent->dir.name, "waited_us",
                              (json_int_t)(agent_now() - waiter->since), "leader",
                              gp_id_is_none(&leader) ? "" : agent_name_of(waiter->agent, &leader)));
    gp_http_call_answer(waiter->call, document);
    drop(waiter);
}

uint32_t agent_waiting_clients(const agent_t *agent)
{
    uint32_t count = 0;
    for (const waiter_t *waiter = agent->waiters; waiter != NULL; waiter = waiter->next) {
        count++;
    }
    return count;
}

void agent_look_again(agent_t *agent)
{
    waiter_t *next = NULL;
    for (waiter_t *waiter = agent->waiters; waiter != NULL; waiter = next) {
        next = waiter->next;
        if (holds(waiter)) {
            answer(waiter);
        }
    }
}

static void on_limit(evutil_socket_t fd, short what, void *context)
{
    waiter_t *waiter = context;
    (void)fd;
    (void)what;
    gp_http_call_error(waiter->call, GP_E_TIMED_OUT, "what was waited for did not come");
    drop(waiter);
}

static void on_close(void *context)
{
    drop(context);
}

static uint64_t number_of(gp_http_call_t *call, const char *name)
{
    const char *text = gp_http_call_query(call, name);
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

static bool text_of(gp_http_call_t *call, const char *name, char *to, size_t size)
{
    const char *text = gp_http_call_query(call, name);
    return text == NULL || gp_text_copy(to, size, gp_text(text));
}

void agent_wait_for(gp_http_call_t *call, void *context)
{
    agent_t *agent = context;
    waiter_t *waiter = calloc(1, sizeof *waiter);
    if (waiter == NULL) {
        gp_http_call_error(call, GP_E_MEMORY, NULL);
        return;
    }
    *waiter = (waiter_t){.agent = agent, .call = call, .since = agent_now()};
    waiter->members = (uint32_t)number_of(call, "members");
    waiter->voters = (uint32_t)number_of(call, "voters");
    waiter->quorum = gp_http_call_query(call, "leader") != NULL;
    uint64_t limit_ms = number_of(call, "timeout_ms");
    limit_ms = limit_ms == 0 || limit_ms > 3600000 ? 3600000 : limit_ms;
    waiter->limit = evtimer_new(agent->base, on_limit, waiter);
    if (waiter->limit == NULL || !text_of(call, "node", waiter->node, sizeof waiter->node) ||
        !text_of(call, "state", waiter->state, sizeof waiter->state) ||
        !text_of(call, "any", waiter->any, sizeof waiter->any)) {
        if (waiter->limit != NULL) {
            event_free(waiter->limit);
        }
        free(waiter);
        gp_http_call_error(call, GP_E_HTTP, "a name or state is too long");
        return;
    }
    struct timeval limit = {.tv_sec = (time_t)(limit_ms / 1000),
                            .tv_usec = (suseconds_t)(limit_ms % 1000 * 1000)};
    waiter->next = agent->waiters;
    agent->waiters = waiter;
    evtimer_add(waiter->limit, &limit);
    gp_http_call_wait(call, on_close, waiter);
    if (holds(waiter)) {
        answer(waiter);
    }
}
