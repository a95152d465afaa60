/* What admit.c and invite.c share; nobody else includes this. */
#ifndef GP_AGENT_NODE_ISSUER_INSIDE_H
#define GP_AGENT_NODE_ISSUER_INSIDE_H

#include "agent/node/admit.h"

#define GP_DAY_MS    UINT64_C(86400000)
#define GP_MINUTE_MS UINT64_C(60000)

/* What the worker needs of the issuer: a copy, for the loop may renew the certificate meanwhile. */
typedef struct gp_issuer_facts {
    const gp_secret_t *node; /* secrets stay as they are for the life of the process */
    const gp_secret_t *root;
    gp_id_t id;
    gp_id_t root_id;
    gp_cert_t cert;
    uint32_t cert_n;
    uint8_t cert_bytes[GP_CERT_MAX];
    gp_wall_ms_t now_ms;
} gp_issuer_facts_t;

gp_issuer_facts_t gp_issuer_facts(const gp_issuer_t *issuer, gp_wall_ms_t now_ms);

/* Does it hold the root key, or a certificate with the role admit that the root signed? */
bool gp_issuer_may_admit(const gp_issuer_facts_t *self);

/* Inside a run: notes in the activity log that this machine did it. */
GP_MUST_CHECK gp_error_t gp_issuer_log(gp_store_t *store, const gp_issuer_facts_t *self,
                                       const char *what, const char *object, const char *detail);

/* Can others dial this address? */
bool gp_issuer_dialable(gp_slice_t address);

#endif
