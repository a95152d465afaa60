/*
 * What a machine shows when it connects to one that has it in no group: its certificate, in a
 * message that it signed for that machine just now. Here it is written and checked; that the key of
 * the connection is that of the certificate is the transport's part (overlay/net/visit.c).
 */
#ifndef GP_AGENT_NODE_VISIT_H
#define GP_AGENT_NODE_VISIT_H

#include "agent/node/admit_core.h"
#include "agent/peer/gate.h"
#include "agent/store/identity.h"
#include "overlay/net/net.h"

/*
 * The gate of strangers: one of its own, as what anybody may send must not push the members out of
 * the memory of theirs. Large: it lives as long as the agent.
 */
typedef struct gp_visit_gate {
    gp_id_t root;
    gp_asks_t asks;
    gp_gate_t gate;
    gp_gate_sender_t senders[GP_GATE_SENDERS];
} gp_visit_gate_t;

void gp_visit_open(const gp_identity_t *identity, gp_visit_gate_t *ret_gate);

/*
 * Checks the first frame of a stranger. Verified are no more than GP_GUEST_ASKS_RATE a second of
 * all strangers together. GP_E_MESSAGE_KIND: it is no VISIT. GP_E_MESSAGE_RATE. What the gate and
 * the certificate are refused for. GP_E_MESSAGE_SENDER: the certificate is another machine's.
 */
GP_MUST_CHECK gp_error_t gp_visit_check(gp_visit_gate_t *gate, gp_slice_t frame, gp_usec_t now,
                                        gp_wall_ms_t wall, gp_net_visit_t *ret_visit);

/* What this machine shows; the slices point into the identity and the address. */
void gp_visit_write(const gp_identity_t *identity, const char *address, bool asks,
                    gp_msg_t *ret_msg);

#endif
