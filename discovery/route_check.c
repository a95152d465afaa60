#include "discovery/route_check.h"

#include "proto/evidence.h"

static bool is_certified(const gp_route_checker_t *checker, gp_slice_t cert, const gp_id_t *id)
{
    return checker->certified == NULL ||
           checker->certified(checker->context, cert, id, (gp_slice_t){0});
}

static bool is_answer_to(const gp_msg_route_found_t *found, const gp_msg_route_back_t *back)
{
    return found->query_id == back->query_id && gp_id_equal(&found->origin, &back->origin);
}

static gp_error_t check_claim(const gp_msg_t *msg, const gp_route_checker_t *checker)
{
    const bool back = msg->kind == GP_MSG_ROUTE_BACK;
    const gp_msg_kind_t kind = back ? GP_MSG_ROUTE_FOUND : GP_MSG_ROUTE;
    gp_envelope_t envelope;
    gp_msg_t claim;
    gp_error_t error = gp_evidence_open(back ? msg->u.route_back.claim : msg->u.route_pass.claim,
                                        kind, &envelope, &claim);
    if (error != GP_OK) {
        return error == GP_E_MESSAGE_KIND ? GP_E_CLAIM : error;
    }
    if (back && !is_answer_to(&claim.u.route_found, &msg->u.route_back)) {
        return GP_E_CLAIM;
    }
    if (!gp_envelope_in_time(&envelope, checker->wall)) {
        return GP_E_MESSAGE_STALE;
    }
    error = gp_evidence_verify(&envelope, &checker->grid, checker->signer);
    if (error != GP_OK) {
        return error;
    }
    gp_slice_t cert = back ? claim.u.route_found.cert : claim.u.route.cert;
    return is_certified(checker, cert, &envelope.source) ? GP_OK : GP_E_CERT_SIGNATURE;
}

gp_error_t gp_route_check(const gp_msg_t *msg, const gp_id_t *source,
                          const gp_route_checker_t *checker)
{
    switch (msg->kind) {
    case GP_MSG_ROUTE:
        return is_certified(checker, msg->u.route.cert, source) ? GP_OK : GP_E_CERT_SIGNATURE;
    case GP_MSG_ROUTE_FOUND:
        return is_certified(checker, msg->u.route_found.cert, source) ? GP_OK : GP_E_CERT_SIGNATURE;
    case GP_MSG_ROUTE_PASS:
    case GP_MSG_ROUTE_BACK:
        return check_claim(msg, checker);
    default:
        return GP_OK;
    }
}
