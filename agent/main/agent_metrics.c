/* GET /v1/metrics: what this agent counts, as OpenMetrics text. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "agent/main/agent_state.h"

#define TEXT_MAX 32768

typedef struct page {
    char text[TEXT_MAX];
    size_t n;
} page_t;

__attribute__((format(printf, 2, 3))) static void add(page_t *page, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vsnprintf(page->text + page->n, sizeof page->text - page->n, format, list);
    va_end(list);
    assert(n >= 0 && page->n + (size_t)n < sizeof page->text);
    page->n += (size_t)n;
}

static void gauge(page_t *page, const char *name, uint64_t value)
{
    add(page, "# TYPE gridpeer_%s gauge\ngridpeer_%s %" PRIu64 "\n", name, name, value);
}

static void counter(page_t *page, const char *name, uint64_t value)
{
    add(page, "# TYPE gridpeer_%s counter\ngridpeer_%s_total %" PRIu64 "\n", name, name, value);
}

static void both_ways(page_t *page, const char *name, uint64_t in, uint64_t out)
{
    add(page, "# TYPE gridpeer_%s counter\n", name);
    add(page, "gridpeer_%s_total{way=\"in\"} %" PRIu64 "\n", name, in);
    add(page, "gridpeer_%s_total{way=\"out\"} %" PRIu64 "\n", name, out);
}

static void members(page_t *page, const agent_t *agent)
{
    const void *group = agent_group(agent);
    uint32_t states[GP_MEMBER_LEFT + 1] = {0};
    for (uint32_t i = 0; i < gp_group_count(group); i++) {
        states[gp_group_member_at(group, i)->state]++;
    }
    add(page, "# TYPE gridpeer_members gauge\n");
    for (int state = GP_MEMBER_NONE + 1; state <= GP_MEMBER_LEFT; state++) {
        add(page, "gridpeer_members{state=\"%s\"} %u\n",
            gp_member_state_name((gp_member_state_t)state), states[state]);
    }
}

/* Frames that were dropped, by what was wrong with them. */
static void refused(page_t *page, const agent_t *agent)
{
    add(page, "# TYPE gridpeer_refused counter\n");
    for (uint32_t error = 0; error < AGENT_ERRORS_MAX; error++) {
        if (agent->refused[error] > 0) {
            add(page, "gridpeer_refused_total{error=\"%s\"} %" PRIu64 "\n",
                error == 0 ? "GUEST" : gp_error_name((gp_error_t)error), agent->refused[error]);
        }
    }
}

void agent_metrics(gp_http_call_t *call, void *context)
{
    static page_t page;
    const agent_t *agent = context;
    gp_net_counters_t net;
    gp_net_count(agent->net, &net);
    gp_store_stats_t store = gp_store_stats(agent->store);
    page.n = 0;
    members(&page, agent);
    gauge(&page, "term", gp_election_term(agent_election(agent)));
    both_ways(&page, "frames", net.frames_in, net.frames_out);
    both_ways(&page, "bytes", net.bytes_in, net.bytes_out);
    gauge(&page, "links", net.links);
    gauge(&page, "connections", net.connections);
    counter(&page, "accepted", net.accepted);
    counter(&page, "accept_failures", net.accept_failures);
    counter(&page, "dials", net.dials);
    counter(&page, "keys_refused", net.keys_refused);
    gauge(&page, "visitors", net.visitors);
    gauge(&page, "strangers", net.strangers);
    counter(&page, "visits", net.visits);
    counter(&page, "visits_refused", net.visits_refused);
    refused(&page, agent);
    counter(&page, "commits", store.commits);
    counter(&page, "store_failures", store.failures);
    gauge(&page, "waiting_clients", agent_waiting_clients(agent));
    add(&page, "# EOF\n");
    gp_http_call_text(call, "application/openmetrics-text; version=1.0.0; charset=utf-8",
                      gp_slice(page.text, page.n));
}
