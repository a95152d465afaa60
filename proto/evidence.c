#include "proto/evidence.h"

gp_error_t gp_evidence_open(gp_slice_t bytes, gp_msg_kind_t kind, gp_envelope_t *ret_envelope,
                            gp_msg_t *ret_msg)
{
    gp_error_t error = gp_envelope_open(bytes, ret_envelope);
    if (error != GP_OK) {
        return error;
    }
    if (!ret_envelope->is_signed || ret_envelope->kind != kind) {
        return GP_E_MESSAGE_KIND;
    }
    return gp_msg_read(kind, ret_envelope->body, true, ret_msg);
}

gp_error_t gp_evidence_verify(const gp_envelope_t *envelope, const gp_grid_id_t *grid,
                              const gp_signer_t *signer)
{
    if (memcmp(envelope->grid.b, grid->b, sizeof grid->b) != 0) {
        return GP_E_MESSAGE_GRID;
    }
    return gp_envelope_verify(envelope, signer) ? GP_OK : GP_E_MESSAGE_SIGNATURE;
}
