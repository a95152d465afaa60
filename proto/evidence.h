/*
 * Evidence: whole signed frames that a message carries of others, as a mandate carries votes and a
 * relay carries questions and answers. What is verified is what was signed, byte by byte.
 */
#ifndef GP_PROTO_EVIDENCE_H
#define GP_PROTO_EVIDENCE_H

#include "proto/envelope.h"

/*
 * Opens what somebody signed, of this kind and no other, and reads it. Verifies nothing. Slices
 * point into `bytes`. GP_E_MESSAGE_KIND: it is not signed, or of another kind; and the errors of
 * gp_envelope_open and gp_msg_read.
 */
GP_MUST_CHECK gp_error_t gp_evidence_open(gp_slice_t bytes, gp_msg_kind_t kind,
                                          gp_envelope_t *ret_envelope, gp_msg_t *ret_msg);

/* Is it of this grid, and signed by its source? GP_E_MESSAGE_GRID, GP_E_MESSAGE_SIGNATURE. */
GP_MUST_CHECK gp_error_t gp_evidence_verify(const gp_envelope_t *envelope, const gp_grid_id_t *grid,
                                            const gp_signer_t *signer);

#endif
