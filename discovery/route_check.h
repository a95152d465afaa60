/*
 * Did who is named say this? Relays carry questions and answers as they were signed; whoever gets
 * one looks for himself. Not a core: it opens envelopes and verifies signatures; shells call it
 * before such a message reaches any core.
 */
#ifndef GP_DISCOVERY_ROUTE_CHECK_H
#define GP_DISCOVERY_ROUTE_CHECK_H

#include "proto/envelope.h"

typedef struct gp_route_checker {
    gp_grid_id_t grid;
    const gp_signer_t *signer;
    gp_wall_ms_t wall;
    /* As in gp_gate_config_t; NULL: certificates are not looked at. */
    bool (*certified)(void *context, gp_slice_t cert, const gp_id_t *id, gp_slice_t name);
    void *context;
} gp_route_checker_t;

/*
 * Checks a message of kind ROUTE or ROUTE_FOUND from `source`: the certificate in it is the
 * source's. One of kind ROUTE_PASS or ROUTE_BACK: its claim is a whole signed frame of this grid,
 * of kind ROUTE or ROUTE_FOUND, not older than any other message may be, with the certificate of
 * who signed it; and an answer is to the question that its carrier names. Others: GP_OK.
 *
 * Errors: GP_E_CLAIM (it is something else than its carrier says), GP_E_MESSAGE_STALE,
 * GP_E_CERT_SIGNATURE, and those of opening, reading and verifying an envelope.
 */
GP_MUST_CHECK gp_error_t gp_route_check(const gp_msg_t *msg, const gp_id_t *source,
                                        const gp_route_checker_t *checker);

#endif
