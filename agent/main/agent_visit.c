/*
 * Machines of this grid that are in none of this one's groups. Every connection that is opened here
 * begins with a VISIT, for who opens one cannot know whether the other side still knows it; who
 * does loses nothing, and a stranger is let in by it. The other way round a core tells by CONTACT
 * where such a machine is; that it has a certificate, too, it shows by the VISIT that it answers.
 *
 * What rides on a connection alone, unsigned, is between members: nothing of that is taken from a
 * visitor.
 */
#include "agent/main/agent_state.h"

static gp_slice_t sealed_visit(agent_t *agent, const gp_id_t *to, bool asks)
{
    static gp_msg_t msg; /* large; used until it is sealed */
    gp_visit_write(&agent->identity, agent->address, asks, &msg);
    return gp_runner_seal(agent->runner, to, &msg);
}

gp_slice_t agent_on_greet(void *context, const gp_id_t *peer, bool asks)
{
    return sealed_visit(context, peer, asks);
}

bool agent_on_visit(void *context, gp_slice_t frame, gp_net_visit_t *ret_visit)
{
    agent_t *agent = context;
    gp_error_t error =
        gp_visit_check(&agent->strangers, frame, agent_now(), agent_wall(), ret_visit);
    if (error != GP_OK) {
        agent->refused[error < AGENT_ERRORS_MAX ? error : 0]++;
    }
    return error == GP_OK;
}

void agent_visited(agent_t *agent, const gp_id_t *peer, const gp_msg_visit_t *msg)
{
    if (msg->asks) {
        gp_error_t error =
            gp_net_send(agent->net, peer, sealed_visit(agent, peer, false), GP_CLASS_CONTROL);
        (void)error; /* it asks again with its next connection */
    }
}

void agent_visit(agent_t *agent, const gp_id_t *id, const char *address)
{
    gp_error_t error = gp_net_contact(agent->net, id, address);
    if (error != GP_OK) {
        agent->refused[error]++;
    }
}

void agent_contact(agent_t *agent, const gp_msg_contact_t *msg)
{
    char address[GP_ADDRESS_MAX + 1];
    if (gp_text_copy(address, sizeof address, msg->address)) {
        agent_visit(agent, &msg->id, address);
    }
}

void agent_visitor_frame(agent_t *agent, const gp_id_t *peer, gp_slice_t frame)
{
    gp_envelope_t envelope;
    agent_admit_if_member(agent, peer);
    if (gp_net_standing(agent->net, peer) != GP_STANDING_MEMBER &&
        gp_envelope_open(frame, &envelope) == GP_OK && !envelope.is_signed) {
        agent->refused[GP_E_MESSAGE_KIND]++;
        return;
    }
    gp_runner_frame(agent->runner, peer, frame);
}
