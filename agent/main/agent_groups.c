/*
 * GET /v1/subgrids and /v1/regions: what the region peer's directories hold, asked by way of this
 * machine's super-peer (overlay/tiers/forming.h), so that any machine can tell.
 */
#include <stdlib.h>

#include "agent/main/agent_state.h"

/* Somebody who asks for a list, until it comes. */
struct listing {
    listing_t *next;
    agent_t *agent;
    gp_http_call_t *call;
    uint64_t token;
    bool regions;
};

static void forget(void *context)
{
    listing_t *listing = context;
    listing_t **at = &listing->agent->listings;
    while (*at != listing) {
        at = &(*at)->next;
    }
    *at = listing->next;
    free(listing);
}

static void ask(gp_http_call_t *call, agent_t *agent, bool regions)
{
    listing_t *listing = calloc(1, sizeof *listing);
    if (listing == NULL) {
        gp_http_call_error(call, GP_E_MEMORY, NULL);
        return;
    }
    *listing = (listing_t){.next = agent->listings,
                           .agent = agent,
                           .call = call,
                           .token = ++agent->requests,
                           .regions = regions};
    agent->listings = listing;
    gp_http_call_wait(call, forget, listing);
    gp_msg_t *msg = gp_runner_draft(agent->runner, GP_MSG_FORM_PLACE);
    msg->u.form_place.regions = regions;
    agent_command(agent, listing->token, msg);
}

void agent_subgrids(gp_http_call_t *call, void *context)
{
    ask(call, context, false);
}

void agent_regions(gp_http_call_t *call, void *context)
{
    ask(call, context, true);
}

static json_t *item_of(const agent_t *agent, bool region, const gp_record_offer_t *place)
{
    char subgrid[GP_GROUP_TEXT];
    gp_group_text(place->group, subgrid);
    const gp_slice_t own_region = gp_text(agent->identity.region);
    const bool own =
        place->group == (region ? agent->identity.region_group : agent->identity.group);
    json_t *item = json_pack(
        "{s:o,s:o,s:o,s:o,s:I,s:b}", "region", gp_document_text(region ? place->name : own_region),
        "leader", gp_document_text(place->leader_name), "leader_id", agent_id_text(&place->leader),
        "address", gp_document_text(place->address), "members", (json_int_t)place->members, "own",
        own ? 1 : 0);
    if (!region) {
        json_object_set_new(item, "subgrid", json_string(subgrid));
        json_object_set_new(item, "full", json_boolean(place->full));
    }
    return item;
}

/* Nobody leads somewhere on the way, or does not answer: it is not known which there are. */
static void fail(gp_http_call_t *call, gp_error_t error)
{
    if (error == GP_E_TIMED_OUT) {
        gp_http_call_error(call, GP_E_NO_REGION_PEER, "it did not answer in time");
    } else if (error == GP_E_NO_LEADER || error == GP_E_FENCED) {
        gp_http_call_error(call, GP_E_NO_REGION_PEER, "nobody leads the sub-Grid or the region");
    } else {
        gp_http_call_error(call, error, NULL);
    }
}

bool agent_listed(agent_t *agent, uint64_t token, const gp_msg_form_answer_t *answer)
{
    listing_t *listing = agent->listings;
    while (listing != NULL && listing->token != token) {
        listing = listing->next;
    }
    if (listing == NULL) {
        return false;
    }
    gp_http_call_t *call = listing->call;
    const bool regions = listing->regions;
    forget(listing);
    if (answer->error != GP_OK) {
        fail(call, (gp_error_t)answer->error);
        return true;
    }
    json_t *document = gp_document_new(regions ? "region" : "subgrid", agent_wall(), false);
    for (uint32_t i = 0; i < answer->places_count; i++) {
        gp_document_add(document, item_of(agent, regions, &answer->places[i]));
    }
    gp_http_call_answer(call, document);
    return true;
}
