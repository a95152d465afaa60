/*
 * Where a newcomer goes. A machine that admits one asks the region for it: which sub-Grids are
 * there, or, once it has chosen one, to be let in there. While the region has no leader, or has
 * nothing but this sub-Grid, the newcomer comes into this one: joining needs no region.
 */
#include <stdlib.h>

#include "agent/main/agent_state.h"

/* A command may not be given inside a step: it is put off to its end. */
static void ask(asking_t *asking, uint64_t chosen, uint8_t found)
{
    static gp_msg_t msg; /* large */
    agent_t *agent = asking->agent;
    memset(&msg, 0, gp_msg_size(GP_MSG_FORM_PLACE));
    msg.kind = GP_MSG_FORM_PLACE;
    gp_msg_form_place_t *place = &msg.u.form_place;
    place->chosen = chosen;
    place->found = found;
    place->entries_count = 1;
    place->entries[0] =
        (gp_record_member_t){.id = asking->node,
                             .state = GP_MEMBER_UNKNOWN,
                             .cause = GP_CAUSE_JOINED,
                             .name = gp_text(asking->name),
                             .address = gp_text(asking->address),
                             .cert = gp_slice(asking->admission.cert, asking->admission.cert_n)};
    asking->token = ++agent->requests;
    asking->next = agent->placing;
    agent->placing = asking;
    agent_defer(agent, asking->token, &msg);
}

void agent_place(asking_t *asking)
{
    agent_t *agent = asking->agent;
    gp_slice_t cert = gp_slice(asking->admission.cert, asking->admission.cert_n);
    agent_admit_member(agent, &asking->node, asking->address, cert);
    if (agent->identity.region_group == 0 && asking->found == GP_FOUNDS_REGION) {
        agent_join_refuse(asking, GP_E_GRID_FLAT);
    } else if (agent->identity.region_group == 0) {
        agent_join_answer(asking, NULL); /* a grid that was founded without regions */
    } else {
        ask(asking, asking->chosen, asking->found);
    }
}

/* With one sub-Grid there is nothing to choose. */
static bool is_alone(const gp_msg_form_answer_t *answer)
{
    return answer->places_count == 0 || (answer->places_count == 1 && !answer->places[0].full);
}

void agent_placed(agent_t *agent, uint64_t token, const gp_msg_form_answer_t *answer)
{
    asking_t **place = &agent->placing;
    while (*place != NULL && (*place)->token != token) {
        place = &(*place)->next;
    }
    asking_t *asking = *place;
    if (asking == NULL) {
        return;
    }
    *place = asking->next;
    bool chose = asking->chosen != 0 || asking->found > 0;
    if (answer->error != GP_OK && !chose) {
        agent_join_answer(asking, NULL);
    } else if (answer->error != GP_OK) {
        if (answer->error == GP_E_REGION_EXISTS) {
            gp_admit_forget(&agent->issuer, &asking->node); /* it will not come: its name is free */
        }
        agent_join_refuse(asking, (gp_error_t)answer->error);
    } else if (answer->chosen == 0 && answer->found == 0 && is_alone(answer)) {
        if (answer->places_count == 0) {
            agent_join_answer(asking, NULL);
        } else {
            asking->chosen = answer->places[0].group;
            ask(asking, asking->chosen, GP_FOUNDS_NOTHING);
        }
    } else {
        agent_join_answer(asking, answer);
    }
}

void agent_place_close(agent_t *agent)
{
    while (agent->placing != NULL) {
        asking_t *asking = agent->placing;
        agent->placing = asking->next;
        free(asking);
    }
}
