/*
 * POST /v1/find: the own sub-Grid is asked first; what it lacks is asked of the region and the
 * grid. Where there is nothing else, its super-peer says so, and a question costs no more than one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "agent/main/agent_state.h"

#define WHERE_MS 3000 /* to look for a machine that is not here */

/* A question on its way through the grid. */
struct question {
    question_t *next;
    agent_t *agent;
    gp_http_call_t *call;
    uint64_t token;
    gp_id_t near;   /* round trips count from there; none: from here */
    uint8_t scope;  /* gp_route_scope_t */
    uint64_t only;  /* the one other sub-Grid that is asked; 0: any */
    uint16_t limit; /* 0: GP_HITS_MAX */
    bool explain;
    gp_usec_t until;
    uint32_t want_n;
    uint8_t want[64];
    char query[GP_QUERY_MAX + 1];
    char rank[GP_QUERY_MAX + 1];
    char where[GP_NAME_MAX + 1]; /* only to tell where that machine is; empty: no */
    gp_id_t by;                  /* who answered for the own sub-Grid, and by which right */
    uint64_t term;
    uint8_t right;
};

static void forget_question(void *context)
{
    question_t *question = context;
    question_t **at = &question->agent->questions;
    while (*at != question) {
        at = &(*at)->next;
    }
    *at = question->next;
    free(question);
}

static question_t *question_of(const agent_t *agent, uint64_t token)
{
    question_t *question = agent->questions;
    while (question != NULL && question->token != token) {
        question = question->next;
    }
    return question;
}

/* ---- what is asked --------------------------------------------------------------------------- */

/* Attribute names of the request as numbers, for the wire; false: one is unknown. */
static bool want_attributes(gp_http_call_t *call, const json_t *names, question_t *question)
{
    size_t count = json_array_size(names);
    for (size_t i = 0; i < count && i < 32; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        uint32_t number = name == NULL ? 0 : gp_attribute_find(gp_text(name));
        if (number == 0) {
            gp_http_call_error(call, GP_E_QUERY_ATTRIBUTE, name);
            return false;
        }
        question->want[2 * i] = (uint8_t)(number >> 8);
        question->want[2 * i + 1] = (uint8_t)number;
        question->want_n = (uint32_t)(2 * i + 2);
    }
    return true;
}

/* "me", a member's name or its id; NULL: nobody. False: there is no such machine. */
static bool take_near(const agent_t *agent, gp_http_call_t *call, const char *near, gp_id_t *ret_id)
{
    gp_id_t id;
    if (near == NULL) {
        return true;
    }
    const gp_group_member_t *member = gp_group_member_named(agent_group(agent), gp_text(near));
    if (strcmp(near, "me") == 0) {
        member = gp_group_member(agent_group(agent), &agent->identity.id);
    } else if (member == NULL && gp_id_parse(near, &id) == GP_OK) {
        member = gp_group_member(agent_group(agent), &id);
    }
    if (member == NULL) {
        gp_http_call_error(call, GP_E_NODE_UNKNOWN, near);
        return false;
    }
    *ret_id = member->id;
    return true;
}

/* How far it goes; a sub-Grid that is named is asked alone. Who is near is known in one's own. */
static bool take_scope(gp_http_call_t *call, const char *scope, const char *subgrid,
                       question_t *question)
{
    static const char *const names[] = {"subgrid", "region", "grid"};
    uint8_t at = 0;
    if (subgrid != NULL && gp_group_parse(subgrid, &question->only) != GP_OK) {
        gp_http_call_error(call, GP_E_SUBGRID_UNKNOWN, subgrid);
        return false;
    }
    if (scope == NULL) {
        bool near = !gp_id_is_none(&question->near);
        scope = subgrid != NULL ? "region" : near ? "subgrid" : "grid";
    }
    while (at < GP_ROUTE_GRID && strcmp(names[at], scope) != 0) {
        at++;
    }
    if (strcmp(names[at], scope) != 0) {
        gp_http_call_error(call, GP_E_HTTP, "scope is subgrid, region or grid");
        return false;
    }
    if (at != GP_ROUTE_SUBGRID && !gp_id_is_none(&question->near)) {
        gp_http_call_error(call, GP_E_HTTP, "near is known within the sub-Grid only");
        return false;
    }
    question->scope = at;
    return true;
}

static void ask_subgrid(question_t *question)
{
    agent_t *agent = question->agent;
    gp_msg_t *msg = gp_runner_draft(agent->runner, GP_MSG_DISCOVERY_FIND);
    gp_msg_discovery_find_t *find = &msg->u.discovery_find;
    find->query = gp_text(question->query);
    find->rank = gp_text(question->rank);
    find->limit = question->limit;
    find->explain = question->explain;
    find->want = gp_slice(question->want, question->want_n);
    find->timeout_ms = (uint32_t)((question->until - agent_now()) / GP_MSEC);
    find->near_node = question->near;
    agent_command(agent, question->token, msg);
}

/* Within a step a command can only be put off to its end. */
static void ask_beyond(question_t *question)
{
    static gp_msg_t msg; /* large */
    agent_t *agent = question->agent;
    gp_usec_t now = agent_now();
    memset(&msg, 0, gp_msg_size(GP_MSG_ROUTE_FIND));
    msg.kind = GP_MSG_ROUTE_FIND;
    gp_msg_route_find_t *find = &msg.u.route_find;
    find->scope = question->scope;
    find->query = gp_text(question->query);
    find->rank = gp_text(question->rank);
    find->limit = question->limit;
    find->explain = question->explain;
    find->want = gp_slice(question->want, question->want_n);
    find->only = question->only;
    find->timeout_ms =
        question->until > now + GP_MSEC ? (uint32_t)((question->until - now) / GP_MSEC) : 1;
    agent_defer(agent, question->token, &msg);
}

typedef struct asked {
    const char *query, *rank, *near, *scope, *subgrid;
    int limit, timeout_ms, explain;
    json_t *names;
} asked_t;

/* NULL: it has been answered that this cannot be asked. */
static question_t *take_question(agent_t *agent, gp_http_call_t *call, const asked_t *asked)
{
    if (asked->limit < 0 || asked->timeout_ms < 1 || asked->timeout_ms > 600000) {
        gp_http_call_error(call, GP_E_QUERY_LIMIT, "limit is 0 or more, timeout_ms 1 to 600000");
        return NULL;
    }
    question_t *question = calloc(1, sizeof *question);
    if (question == NULL) {
        gp_http_call_error(call, GP_E_MEMORY, NULL);
        return NULL;
    }
    *question =
        (question_t){.next = agent->questions,
                     .agent = agent,
                     .call = call,
                     .token = ++agent->requests,
                     .limit = (uint16_t)(asked->limit > GP_HITS_MAX ? GP_HITS_MAX : asked->limit),
                     .explain = asked->explain != 0,
                     .until = agent_now() + (gp_usec_t)asked->timeout_ms * GP_MSEC};
    if (!want_attributes(call, asked->names, question) ||
        !take_near(agent, call, asked->near, &question->near) ||
        !take_scope(call, asked->scope, asked->subgrid, question) ||
        !agent_check_query(call, "query", asked->query, asked->rank)) {
        free(question);
        return NULL;
    }
    (void)gp_text_copy(question->query, sizeof question->query, gp_text(asked->query));
    (void)gp_text_copy(question->rank, sizeof question->rank, gp_text(asked->rank));
    return question;
}

void agent_find(gp_http_call_t *call, void *context)
{
    agent_t *agent = context;
    asked_t asked = {.query = "", .rank = "", .limit = 10, .timeout_ms = 5000};
    if (!gp_http_call_unpack(call, "{s?s,s?i,s?s,s?b,s?o,s?i,s?s,s?s,s?s !}", "query", &asked.query,
                             "limit", &asked.limit, "rank", &asked.rank, "explain", &asked.explain,
                             "want", &asked.names, "timeout_ms", &asked.timeout_ms, "near",
                             &asked.near, "scope", &asked.scope, "subgrid", &asked.subgrid)) {
        return;
    }
    question_t *question = take_question(agent, call, &asked);
    if (question == NULL) {
        return;
    }
    agent->questions = question;
    gp_http_call_wait(call, forget_question, question);
    if (question->only == agent->identity.group) {
        question->only = 0;
        question->scope = GP_ROUTE_SUBGRID;
    }
    if (question->only != 0) {
        ask_beyond(question);
    } else {
        ask_subgrid(question);
    }
}

void agent_where(agent_t *agent, gp_http_call_t *call, const char *name)
{
    char query[GP_NAME_MAX + 32];
    const asked_t asked = {.query = query, .rank = "", .limit = 1, .timeout_ms = WHERE_MS};
    if (gp_name_check(gp_text(name)) != GP_OK) {
        gp_http_call_error(call, GP_E_NODE_UNKNOWN, name);
        return;
    }
    (void)snprintf(query, sizeof query, "name == \"%s\"", name);
    question_t *question = take_question(agent, call, &asked);
    if (question != NULL) {
        (void)gp_text_copy(question->where, sizeof question->where, gp_text(name));
        agent->questions = question;
        gp_http_call_wait(call, forget_question, question);
        ask_subgrid(question);
    }
}

/* ---- what is answered ------------------------------------------------------------------------ */

static json_t *value_json(const gp_record_value_t *value)
{
    const gp_attribute_t *attribute = gp_attribute(value->attr);
    if (!value->known || attribute == NULL) {
        return json_null();
    }
    switch ((gp_type_t)attribute->type) {
    case GP_TYPE_BOOL:
        return json_boolean(value->number != 0);
    case GP_TYPE_VERSION:
    case GP_TYPE_WORD:
    case GP_TYPE_WORDS:
        return gp_document_text(value->text);
    case GP_TYPE_DECIMAL:
    case GP_TYPE_SHARE:
        return json_real((double)value->number / 1000.0);
    default:
        return gp_document_number(value->number);
    }
}

/* As this machine measured it; what it never talked to, and from elsewhere, as it was estimated. */
static json_t *round_trip(agent_t *agent, const gp_id_t *near, const gp_id_t *id,
                          uint32_t estimated_us)
{
    const gp_group_member_t *member = gp_group_member(agent_group(agent), id);
    const gp_id_t *from = gp_id_is_none(near) ? &agent->identity.id : near;
    if (gp_id_equal(id, from)) {
        return json_integer(0);
    }
    bool measured = gp_id_is_none(near) && member != NULL;
    uint32_t rtt_us = measured ? member->rtt_us : estimated_us;
    return rtt_us > 0 ? json_integer((json_int_t)rtt_us) : json_null();
}

static json_t *hit_item(agent_t *agent, const gp_id_t *near, const gp_record_routed_hit_t *hit)
{
    char subgrid[GP_GROUP_TEXT];
    gp_group_text(hit->group, subgrid);
    return json_pack("{s:o,s:o,s:o,s:s,s:o}", "name", gp_document_text(hit->name), "id",
                     agent_id_text(&hit->id), "region", gp_document_text(hit->region), "subgrid",
                     subgrid, "rtt_us", round_trip(agent, near, &hit->id, hit->rtt_us));
}

static void add_values(json_t *item, uint32_t hit, const gp_record_value_t *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const gp_attribute_t *attribute = gp_attribute(values[i].attr);
        if (values[i].hit == hit && attribute != NULL) {
            json_object_set_new_nocheck(item, attribute->name, value_json(&values[i]));
        }
    }
}

static json_t *explanation(const gp_record_condition_t *conditions, uint32_t count)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        json_array_append_new(list, json_pack("{s:o,s:i,s:i}", "condition",
                                              gp_document_text(conditions[i].text), "excluded",
                                              (int)conditions[i].excluded, "unknown",
                                              (int)conditions[i].unknown));
    }
    return list;
}

static void add_facts(const question_t *question, uint32_t considered, uint32_t matched,
                      json_t *document)
{
    json_object_set_new(document, "considered", json_integer(considered));
    json_object_set_new(document, "matched", json_integer(matched));
    json_object_set_new(document, "by", json_string(agent_name_of(question->agent, &question->by)));
    json_object_set_new(document, "term", json_integer((json_int_t)question->term));
    json_object_set_new(document, "mandate",
                        json_string(gp_right_name((gp_right_t)question->right)));
}

static void answer_fault(gp_http_call_t *call, uint16_t error, gp_slice_t text, uint32_t column)
{
    char detail[GP_REASON_TEXT_MAX + 1];
    gp_text_copy(detail, sizeof detail, text);
    gp_document_fault_t fault = {.error = (gp_error_t)error, .detail = detail, .column = column};
    gp_http_call_fail(call, &fault);
}

/* The machine that was asked for is not of this sub-Grid: an error that says where it is. */
static void tell_where(gp_http_call_t *call, const char *name, const json_t *item)
{
    char detail[GP_REASON_TEXT_MAX + 1];
    const char *subgrid = json_string_value(json_object_get(item, "subgrid"));
    const char *region = json_string_value(json_object_get(item, "region"));
    if (subgrid == NULL || region == NULL) {
        gp_http_call_error(call, GP_E_NODE_UNKNOWN, name);
        return;
    }
    (void)snprintf(detail, sizeof detail,
                   "%s is in sub-Grid %.8s of region %s, and work stays within its own", name,
                   subgrid, region);
    gp_http_call_error(call, GP_E_NODE_ELSEWHERE, detail);
}

/* Frees the question. */
static void finish(question_t *question, json_t *document)
{
    char where[GP_NAME_MAX + 1];
    gp_http_call_t *call = question->call;
    memcpy(where, question->where, sizeof where);
    forget_question(question);
    if (where[0] != '\0') {
        tell_where(call, where, json_array_get(json_object_get(document, "items"), 0));
        json_decref(document);
    } else {
        gp_http_call_answer(call, document);
    }
}

static void finish_fault(question_t *question, uint16_t error, gp_slice_t text, uint32_t column)
{
    if (question->where[0] != '\0') {
        finish(question, NULL);
        return;
    }
    gp_http_call_t *call = question->call;
    forget_question(question);
    answer_fault(call, error, text, column);
}

/* Is there more to be had beyond the own sub-Grid? With a rank the best may be anywhere. */
static bool lacks(const question_t *question, const gp_msg_answer_t *answer)
{
    uint32_t limit = question->limit == 0 ? GP_HITS_MAX : question->limit;
    bool enough = question->rank[0] == '\0' && answer->hits_count >= limit;
    return question->scope != GP_ROUTE_SUBGRID && answer->right == GP_RIGHT_QUORUM &&
           !answer->alone && !enough;
}

void agent_answer(agent_t *agent, uint64_t token, const gp_msg_answer_t *answer)
{
    question_t *question = question_of(agent, token);
    if (question == NULL) {
        return;
    }
    if (answer->error != GP_OK) {
        finish_fault(question, answer->error, answer->text, answer->column);
        return;
    }
    question->by = answer->by;
    question->term = answer->term;
    question->right = answer->right;
    if (lacks(question, answer)) {
        ask_beyond(question);
        return;
    }
    json_t *document = gp_document_new("find", agent_wall(), answer->partial);
    for (uint32_t i = 0; i < answer->hits_count; i++) {
        const gp_record_hit_t *from = &answer->hits[i];
        const gp_record_routed_hit_t hit = {.id = from->id,
                                            .name = from->name,
                                            .rtt_us = from->rtt_us,
                                            .group = agent->identity.group,
                                            .region = gp_text(agent->identity.region)};
        json_t *item = hit_item(agent, &question->near, &hit);
        add_values(item, i, answer->values, answer->values_count);
        gp_document_add(document, item);
    }
    add_facts(question, answer->considered, answer->matched, document);
    if (answer->conditions_count > 0) {
        json_object_set_new(document, "explain",
                            explanation(answer->conditions, answer->conditions_count));
    }
    finish(question, document);
}

static const char *why_absent(gp_absent_why_t why)
{
    switch (why) {
    case GP_ABSENT_SILENT:
        return "no answer in time";
    case GP_ABSENT_PARTIAL:
        return "it does not know all of its machines";
    case GP_ABSENT_REFUSED:
        return "it could not answer";
    case GP_ABSENT_LOST:
        return "an answer was lost on its way";
    case GP_ABSENT_YOUNG:
        return "its leader is new, and may not know all of it yet";
    case GP_ABSENT_LATE:
        return "no time was left to ask it";
    }
    return "not known";
}

static json_t *absent_json(const agent_t *agent, const gp_record_absent_t *absent)
{
    static const char *const tiers[] = {"subgrid", "region", "grid"};
    char subgrid[GP_GROUP_TEXT];
    gp_slice_t name = absent->name;
    const uint8_t tier = gp_group_tier(absent->group);
    gp_group_text(absent->group, subgrid);
    if (tier == GP_SEAT_SUBGRID) {
        name = gp_text(subgrid);
    } else if (name.n == 0 && absent->group == agent->identity.region_group) {
        name = gp_text(agent->identity.region);
    }
    return json_pack("{s:s,s:o,s:s}", "scope", tiers[tier < GP_SEAT_COUNT ? tier : GP_SEAT_GRID],
                     "name", gp_document_text(name), "why",
                     why_absent((gp_absent_why_t)absent->why));
}

void agent_routed(agent_t *agent, uint64_t token, const gp_msg_route_answer_t *answer)
{
    question_t *question = question_of(agent, token);
    if (question == NULL) {
        return;
    }
    if (answer->error != GP_OK) {
        finish_fault(question, answer->error, answer->text, answer->column);
        return;
    }
    json_t *document = gp_document_new("find", agent_wall(), answer->partial);
    for (uint32_t i = 0; i < answer->hits_count; i++) {
        json_t *item = hit_item(agent, &question->near, &answer->hits[i]);
        add_values(item, i, answer->values, answer->values_count);
        gp_document_add(document, item);
    }
    json_t *absent = json_array();
    for (uint32_t i = 0; i < answer->absent_count; i++) {
        json_array_append_new(absent, absent_json(agent, &answer->absent[i]));
    }
    add_facts(question, answer->considered, answer->matched, document);
    json_object_set_new(document, "asked", json_integer(answer->asked));
    json_object_set_new(document, "answered", json_integer(answer->answered));
    json_object_set_new(document, "absences", json_integer(answer->absences));
    json_object_set_new(document, "absent", absent);
    if (answer->conditions_count > 0) {
        json_object_set_new(document, "explain",
                            explanation(answer->conditions, answer->conditions_count));
    }
    finish(question, document);
}
