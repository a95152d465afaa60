#include "agent/node/issuer_inside.h"
#include "proto/text.h"

gp_issuer_facts_t gp_issuer_facts(const gp_issuer_t *issuer, gp_wall_ms_t now_ms)
{
    const gp_identity_t *identity = issuer->identity;
    gp_issuer_facts_t facts = {.node = identity->node,
                               .root = identity->root,
                               .id = identity->id,
                               .root_id = identity->root_id,
                               .cert = identity->cert,
                               .cert_n = identity->cert_n,
                               .now_ms = now_ms};
    memcpy(facts.cert_bytes, identity->cert_bytes, identity->cert_n);
    return facts;
}

bool gp_issuer_may_admit(const gp_issuer_facts_t *self)
{
    return self->root != NULL || ((self->cert.roles & GP_ROLE_ADMIT) != 0 &&
                                  gp_id_equal(&self->cert.issuer, &self->root_id));
}

gp_error_t gp_issuer_log(gp_store_t *store, const gp_issuer_facts_t *self, const char *what,
                         const char *object, const char *detail)
{
    const gp_log_entry_t entry = {.at = self->now_ms,
                                  .actor = gp_text(self->cert.name),
                                  .what = gp_text(what),
                                  .object = gp_text(object),
                                  .detail = gp_text(detail)};
    return gp_store_log_inside(store, &entry);
}

bool gp_issuer_dialable(gp_slice_t address)
{
    return gp_address_check(address, false) == GP_OK && memchr(address.p, '*', address.n) == NULL;
}
