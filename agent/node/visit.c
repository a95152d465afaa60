#include "agent/node/visit.h"

#include "proto/text.h"

void gp_visit_open(const gp_identity_t *identity, gp_visit_gate_t *ret_gate)
{
    const gp_gate_config_t config = {
        .grid = identity->grid, .self = identity->id, .sealer = {.signer = &gp_signer_ed25519}};
    *ret_gate = (gp_visit_gate_t){.root = identity->root_id};
    gp_gate_init(&ret_gate->gate, &config, ret_gate->senders);
}

static gp_error_t check_cert(const gp_visit_gate_t *gate, gp_slice_t bytes, const gp_id_t *source,
                             gp_wall_ms_t wall, gp_cert_t *ret_cert)
{
    gp_error_t error = gp_cert_read(bytes, ret_cert);
    if (error != GP_OK) {
        return error;
    }
    if (!gp_id_equal(&ret_cert->node, source)) {
        return GP_E_MESSAGE_SENDER; /* seen before two signatures are verified in vain */
    }
    return gp_cert_verify(bytes, &gate->root, wall, ret_cert);
}

gp_error_t gp_visit_check(gp_visit_gate_t *gate, gp_slice_t frame, gp_usec_t now, gp_wall_ms_t wall,
                          gp_net_visit_t *ret_visit)
{
    static gp_msg_t msg; /* large; not used after the return */
    gp_envelope_t envelope;
    gp_cert_t cert;
    gp_error_t error = gp_envelope_open(frame, &envelope);
    if (error == GP_OK && envelope.kind != GP_MSG_VISIT) {
        error = GP_E_MESSAGE_KIND;
    }
    if (error == GP_OK && !gp_asks_take(&gate->asks, now)) {
        error = GP_E_MESSAGE_RATE;
    }
    if (error == GP_OK) {
        error = gp_gate_take(&gate->gate, &envelope.source, frame, now, wall, &msg);
    }
    if (error == GP_OK) {
        error = check_cert(gate, msg.u.visit.cert, &envelope.source, wall, &cert);
    }
    if (error != GP_OK) {
        return error;
    }
    *ret_visit = (gp_net_visit_t){.id = envelope.source,
                                  .valid_ms = cert.not_after_ms + GP_CERT_GRACE_MS - wall,
                                  .asks = msg.u.visit.asks};
    (void)gp_text_copy(ret_visit->address, sizeof ret_visit->address, msg.u.visit.address);
    return GP_OK;
}

void gp_visit_write(const gp_identity_t *identity, const char *address, bool asks,
                    gp_msg_t *ret_msg)
{
    memset(ret_msg, 0, gp_msg_size(GP_MSG_VISIT));
    ret_msg->kind = GP_MSG_VISIT;
    ret_msg->u.visit.asks = asks;
    ret_msg->u.visit.address = gp_text(address);
    ret_msg->u.visit.cert = gp_identity_cert(identity);
}
