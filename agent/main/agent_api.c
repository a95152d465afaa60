/* The HTTP API: what is asked becomes a command of the peer, what is known becomes JSON. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/main/agent_state.h"

json_t *agent_id_text(const gp_id_t *id)
{
    char text[GP_ID_TEXT];
    if (gp_id_is_none(id)) {
        return json_string("");
    }
    gp_id_text(id, text);
    return json_string(text);
}

/* ---- what this machine knows ----------------------------------------------------------------- */

/* A caretaker is no super-peer: it keeps its role, and the mandate says what it may do. */
static const char *role_of(const agent_t *agent, const gp_id_t *id)
{
    const void *election = agent_election(agent);
    gp_id_t leader = gp_election_leader(election);
    gp_record_voter_t voters[GP_VOTERS_MAX];
    if (gp_id_equal(&leader, id) && gp_election_right(election) == GP_RIGHT_QUORUM) {
        const gp_group_member_t *member = gp_group_member(agent_group(agent), id);
        bool region = member != NULL && (member->flags & GP_FLAG_REGION_PEER) != 0;
        return region ? "region-peer" : "super-peer";
    }
    uint32_t count = gp_election_voters(election, voters);
    for (uint32_t i = 0; i < count; i++) {
        if (gp_id_equal(&voters[i].id, id)) {
            return "standby";
        }
    }
    return "member";
}

static const char *mandate_of(const agent_t *agent)
{
    return gp_right_name(gp_election_right(agent_election(agent)));
}

static json_t *voter_names(agent_t *agent)
{
    gp_record_voter_t voters[GP_VOTERS_MAX];
    json_t *names = json_array();
    uint32_t count = gp_election_voters(agent_election(agent), voters);
    for (uint32_t i = 0; i < count; i++) {
        json_array_append_new(names, json_string(agent_name_of(agent, &voters[i].id)));
    }
    return names;
}

/* Why the answer may not be the whole truth; "" if it is. */
static const char *why_partial(const agent_t *agent)
{
    switch (gp_election_right(agent_election(agent))) {
    case GP_RIGHT_QUORUM:
        return "";
    case GP_RIGHT_CARETAKER:
        return "no majority of the voters is on this side: a caretaker looks after things, "
               "and takes over nothing";
    case GP_RIGHT_NONE:
        break;
    }
    return "nobody leads the sub-Grid now";
}

/* How the members are; who left for good is none. */
typedef struct census {
    int members;
    int alive;
    int stopped;           /* in good order: not missing */
    int missing;           /* suspect, unavailable or unknown */
    int failing;           /* alive, and its disk refuses records; but this one */
    json_t *missing_names; /* name: state */
} census_t;

static census_t take_census(const agent_t *agent)
{
    const void *group = agent_group(agent);
    census_t census = {.missing_names = json_object()};
    for (uint32_t i = 0; i < gp_group_count(group); i++) {
        const gp_group_member_t *member = gp_group_member_at(group, i);
        bool left = member->state == GP_MEMBER_LEFT;
        if (left && member->cause == GP_CAUSE_LEFT) {
            continue;
        }
        census.members++;
        if (member->state == GP_MEMBER_ALIVE) {
            census.alive++;
            bool self = gp_id_equal(&member->id, gp_net_self(agent->net));
            census.failing += !self && (member->flags & GP_FLAG_FAILING) != 0 ? 1 : 0;
        } else if (left) {
            census.stopped++;
        } else {
            census.missing++;
            json_object_set_new(census.missing_names, member->name,
                                json_string(gp_member_state_name(member->state)));
        }
    }
    return census;
}

typedef struct health {
    const char *word;
    char why[GP_FAIL_TEXT_MAX + 256]; /* "" if it is ok */
} health_t;

static const char *word_of(const agent_t *agent, const census_t *census)
{
    switch (gp_election_right(agent_election(agent))) {
    case GP_RIGHT_QUORUM:
        return census->missing == 0 && census->failing == 0 ? "ok" : "degraded";
    case GP_RIGHT_CARETAKER:
        return "degraded";
    case GP_RIGHT_NONE:
        break;
    }
    return "unknown";
}

static const char *why_group(const agent_t *agent, const census_t *census)
{
    const char *partial = why_partial(agent);
    if (partial[0] != '\0' || (census->missing == 0 && census->failing == 0)) {
        return partial;
    }
    if (census->missing == 0) {
        return census->failing == 1 ? "the disk of a machine fails" : "the disks of machines fail";
    }
    return census->missing == 1 ? "a machine is missing" : "machines are missing";
}

/* Who cannot record anything is not well, however its group is. */
static void judge_health(const agent_t *agent, const census_t *census, health_t *ret_health)
{
    gp_fail_t fail = {.code = GP_OK};
    const char *group = why_group(agent, census);
    ret_health->word = word_of(agent, census);
    if (gp_store_failure(agent->store, &fail) == GP_OK) {
        (void)snprintf(ret_health->why, sizeof ret_health->why, "%s", group);
        return;
    }
    const bool given_up = gp_store_given_up(agent->store);
    if (given_up) {
        ret_health->word = "failed";
    } else if (strcmp(ret_health->word, "ok") == 0) {
        ret_health->word = "degraded";
    }
    (void)snprintf(ret_health->why, sizeof ret_health->why, "%s: %s%s%s%s",
                   given_up ? "nothing can be recorded here before a restart"
                            : "the last record could not be written here",
                   fail.text, given_up ? "; check the disk and the kernel's log" : "",
                   group[0] == '\0' ? "" : "; ", group);
}

/* How many groups that seat's has, as far as this machine knows: who has no seat there does not. */
static json_t *below_count(const agent_t *agent, gp_seat_t seat)
{
    const void *core = gp_runner_core(agent->runner);
    uint32_t count = gp_route_count(gp_peer_route(core), seat);
    return gp_peer_seat_group(core, seat) == NULL || count == 0 ? json_null() : json_integer(count);
}

static void get_status(gp_http_call_t *call, void *context)
{
    agent_t *agent = context;
    const void *election = agent_election(agent);
    const gp_id_t *self = gp_net_self(agent->net);
    gp_id_t leader = gp_election_leader(election);
    char subgrid[GP_GROUP_TEXT];
    gp_group_text(agent->identity.group, subgrid);
    census_t census = take_census(agent);
    health_t health;
    judge_health(agent, &census, &health);
    bool partial = gp_election_right(election) != GP_RIGHT_QUORUM;
    json_t *document = gp_document_new("status", agent_wall(), partial);
    json_t *item = json_pack(
        "{s:s,s:o,s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:i,s:i,s:i,s:o,s:o,s:s,s:o,s:s,s:I,s:o,s:o}", "name",
        agent->dir.name, "id", agent_id_text(self), "state", agent->stopping ? "leaving" : "alive",
        "role", role_of(agent, self), "region", agent->identity.region, "subgrid", subgrid,
        "leader", gp_id_is_none(&leader) ? "" : agent_name_of(agent, &leader), "term",
        (json_int_t)gp_election_term(election), "mandate", mandate_of(agent), "members",
        census.members, "alive", census.alive, "stopped", census.stopped, "missing",
        census.missing_names, "voters", voter_names(agent), "health", health.word, "why",
        gp_document_text(gp_text(health.why)), "address", agent->address, "uptime_ms",
        (json_int_t)((agent_now() - agent->started) / 1000), "subgrids",
        below_count(agent, GP_SEAT_REGION), "regions", below_count(agent, GP_SEAT_GRID));
    gp_document_add(document, item);
    gp_http_call_answer(call, document);
}

/* Why a member is as it is, in words. */
static size_t cause_write(const gp_group_member_t *member, char text[AGENT_WHY_MAX])
{
    bool untold = member->cause == GP_CAUSE_JOINED || member->cause == GP_CAUSE_NONE;
    if (member->state != GP_MEMBER_UNKNOWN || !untold) {
        return (size_t)snprintf(text, AGENT_WHY_MAX, "%s", gp_cause_text(member->cause));
    }
    if ((member->flags & GP_FLAG_SEEN) != 0) {
        return (size_t)snprintf(text, AGENT_WHY_MAX,
                                "no sign of life since the super-peer took over: it may be alive "
                                "or not");
    }
    gp_group_config_t times;
    gp_group_defaults(&times);
    return (size_t)snprintf(text, AGENT_WHY_MAX,
                            "it was admitted, but no sign of life of its agent has been seen yet: "
                            "forgotten after %llu min",
                            (unsigned long long)(times.forget_never_after / (60 * GP_SECOND)));
}

void agent_why(agent_t *agent, const gp_group_member_t *member, char text[AGENT_WHY_MAX])
{
    const void *election = agent_election(agent);
    gp_id_t leader = gp_election_leader(election);
    size_t used = cause_write(member, text);
    for (uint8_t i = 0; i < member->observer_count && used < AGENT_WHY_MAX; i++) {
        used += (size_t)snprintf(text + used, AGENT_WHY_MAX - used, "%s%s",
                                 i == 0 ? ", seen by " : " and ",
                                 agent_name_of(agent, &member->observers[i]));
    }
    bool caretaker = gp_election_right(election) == GP_RIGHT_CARETAKER;
    if (caretaker && gp_id_equal(&leader, &member->id) && used < AGENT_WHY_MAX) {
        used += (size_t)snprintf(text + used, AGENT_WHY_MAX - used, "; caretaker of this side");
    }
    bool alive = member->state == GP_MEMBER_ALIVE || member->state == GP_MEMBER_SUSPECT;
    if (alive && (member->flags & GP_FLAG_FAILING) != 0 && used < AGENT_WHY_MAX) {
        (void)snprintf(text + used, AGENT_WHY_MAX - used, "; its disk refuses records");
    }
}

static json_t *why_of(agent_t *agent, const gp_group_member_t *member)
{
    char text[AGENT_WHY_MAX];
    agent_why(agent, member, text);
    return gp_document_text(gp_text(text));
}

/* How long ago this machine was last heard of, directly or by the leader's word. */
static gp_usec_t age_of(const agent_t *agent, const gp_group_member_t *member)
{
    gp_usec_t now = agent_now();
    if (gp_id_equal(&member->id, gp_net_self(agent->net))) {
        return 0;
    }
    gp_usec_t heard = member->heard_at > member->since ? member->heard_at : member->since;
    return now > heard ? now - heard : 0;
}

static json_t *node_item(agent_t *agent, const gp_group_member_t *member)
{
    char subgrid[GP_GROUP_TEXT];
    gp_group_text(agent->identity.group, subgrid);
    return json_pack("{s:o,s:o,s:s,s:s,s:s,s:s,s:o,s:I,s:o,s:i,s:I}", "name",
                     gp_document_text(gp_text(member->name)), "id", agent_id_text(&member->id),
                     "state", gp_member_state_name(member->state), "role",
                     role_of(agent, &member->id), "region", agent->identity.region, "subgrid",
                     subgrid, "address", gp_document_text(gp_text(member->address)), "age_ms",
                     (json_int_t)(age_of(agent, member) / 1000), "why", why_of(agent, member),
                     "score", (int)member->score, "rtt_us", (json_int_t)member->rtt_us);
}

/* Partial as a find is: without a majority's word, or with a machine of which nobody knows. */
static void get_nodes(gp_http_call_t *call, void *context)
{
    agent_t *agent = context;
    const void *group = agent_group(agent);
    bool partial = gp_election_right(agent_election(agent)) != GP_RIGHT_QUORUM;
    for (uint32_t i = 0; i < gp_group_count(group); i++) {
        partial = partial || gp_group_member_at(group, i)->state == GP_MEMBER_UNKNOWN;
    }
    json_t *document = gp_document_new("node-list", agent_wall(), partial);
    for (uint32_t i = 0; i < gp_group_count(group); i++) {
        gp_document_add(document, node_item(agent, gp_group_member_at(group, i)));
    }
    gp_http_call_answer(call, document);
}

/* ---- leaving, the log, the metrics ----------------------------------------------------------- */

static void post_stop(gp_http_call_t *call, void *context)
{
    agent_t *agent = context;
    json_t *document = gp_document_new("stop", agent_wall(), false);
    gp_document_add(document, json_pack("{s:s,s:s}", "name", agent->dir.name, "state", "leaving"));
    gp_http_call_answer(call, document);
    agent_stop(agent);
}

typedef struct reading {
    gp_http_call_t *call;
    json_t *document;
    bool newest; /* rather than those after `after` */
    uint64_t after;
    uint32_t limit;
} reading_t;

static void add_entry(void *context, const gp_log_entry_t *entry)
{
    reading_t *reading = context;
    char at[GP_DOCUMENT_TIME_TEXT];
    char hash[2 * 64 + 1] = "";
    gp_document_time(entry->at, at);
    if (entry->hash.n <= 64) {
        (void)sodium_bin2hex(hash, sizeof hash, entry->hash.p, entry->hash.n);
    }
    gp_document_add(reading->document,
                    json_pack("{s:I,s:s,s:o,s:o,s:o,s:o,s:s}", "seq", (json_int_t)entry->seq, "at",
                              at, "actor", gp_document_text(entry->actor), "what",
                              gp_document_text(entry->what), "object",
                              gp_document_text(entry->object), "detail",
                              gp_document_text(entry->detail), "hash", hash));
}

static gp_error_t read_log(gp_store_t *store, void *context)
{
    reading_t *reading = context;
    gp_log_span_t span = gp_store_log_span(store);
    if (reading->newest) {
        reading->after = span.last > reading->limit ? span.last - reading->limit : 0;
    }
    json_object_set_new(reading->document, "first", json_integer((json_int_t)span.first));
    json_object_set_new(reading->document, "last", json_integer((json_int_t)span.last));
    return gp_store_log_read(store, reading->after, reading->limit, add_entry, reading);
}

static void log_read(void *context, gp_error_t result)
{
    reading_t *reading = context;
    if (reading->call == NULL) {
        json_decref(reading->document); /* the client went away */
    } else if (result != GP_OK) {
        json_decref(reading->document);
        gp_http_call_error(reading->call, result, NULL);
    } else {
        gp_http_call_answer(reading->call, reading->document);
    }
    free(reading);
}

static void reader_gone(void *context)
{
    reading_t *reading = context;
    reading->call = NULL;
}

static void get_activity(gp_http_call_t *call, void *context)
{
    agent_t *agent = context;
    const char *after = gp_http_call_query(call, "after");
    const char *limit = gp_http_call_query(call, "limit");
    reading_t *reading = calloc(1, sizeof *reading);
    if (reading == NULL) {
        gp_http_call_error(call, GP_E_MEMORY, NULL);
        return;
    }
    reading->call = call;
    reading->document = gp_document_new("activity", agent_wall(), false);
    reading->newest = after == NULL;
    reading->after = after == NULL ? 0 : strtoull(after, NULL, 10);
    reading->limit = limit == NULL ? 100 : (uint32_t)strtoul(limit, NULL, 10);
    gp_http_call_wait(call, reader_gone, reading);
    gp_store_run(agent->store, read_log, log_read, reading);
}

const gp_http_route_t agent_routes[] = {
    {"GET", "/v1/status", get_status},         {"GET", "/v1/nodes", get_nodes},
    {"GET", "/v1/wait", agent_wait_for},       {"POST", "/v1/find", agent_find},
    {"POST", "/v1/invitations", agent_invite}, {"POST", "/v1/run", agent_run},
    {"GET", "/v1/jobs", agent_jobs_list},      {"POST", "/v1/jobs/{id}/cancel", agent_job_cancel},
    {"POST", "/v1/leave", agent_leave},        {"POST", "/v1/stop", post_stop},
    {"GET", "/v1/activity", get_activity},     {"GET", "/v1/metrics", agent_metrics},
    {"GET", "/v1/subgrids", agent_subgrids},   {"GET", "/v1/regions", agent_regions},
};
const size_t agent_route_count = sizeof agent_routes / sizeof agent_routes[0];
