/*
 * The ledger of a machine that admits others: the invitations that it gave, and whom it admitted by
 * which. All functions work inside a gp_store_run (or before the worker starts, for reading), so
 * that what is decided on is what is changed, and it is durable before anybody is answered.
 *
 * Errors beside those named: those of the disk, and then the whole run is undone.
 */
#ifndef GP_AGENT_STORE_LEDGER_H
#define GP_AGENT_STORE_LEDGER_H

#include "agent/store/store.h"
#include "proto/cert.h"

typedef struct gp_invitation {
    uint64_t serial;
    gp_id_t key; /* public half of the one-time key */
    char region[GP_NAME_MAX + 1];
    uint16_t roles;
    gp_wall_ms_t expires_ms;
    uint32_t uses;
    uint32_t used;
} gp_invitation_t;

typedef struct gp_admission {
    uint64_t serial;     /* of the certificate */
    uint64_t invitation; /* serial of the invitation; 0: renewed, not admitted here */
    gp_id_t node;
    char name[GP_NAME_MAX + 1];
    gp_wall_ms_t at_ms;
    gp_wall_ms_t expires_ms; /* of the certificate */
    uint8_t cert[GP_CERT_MAX];
    uint32_t cert_n;
} gp_admission_t;

/* The next serial: each is given once, for an invitation or a certificate. */
uint64_t gp_ledger_serial(gp_store_t *store);

/*
 * Writes an invitation, new or changed. One that has expired or is used up makes room for a new
 * one; GP_E_INVITE_LIMIT if all of GP_INVITATIONS_MAX are open.
 */
GP_MUST_CHECK gp_error_t gp_ledger_invite(gp_store_t *store, const gp_invitation_t *invitation,
                                          gp_wall_ms_t now_ms);

/* GP_E_TOKEN_UNKNOWN: no invitation has this serial. */
GP_MUST_CHECK gp_error_t gp_ledger_invitation(gp_store_t *store, uint64_t serial,
                                              gp_invitation_t *ret_invitation);

/* At most `limit` invitations with serials above `after`, in order. */
typedef void gp_ledger_each_fn(void *context, const gp_invitation_t *invitation);
GP_MUST_CHECK gp_error_t gp_ledger_invitations(gp_store_t *store, uint64_t after, uint32_t limit,
                                               gp_ledger_each_fn *each, void *context);

/*
 * Writes an admission. Those whose certificates expired make room; GP_E_GROUP_FULL if all of
 * GP_ADMISSIONS_MAX are valid.
 */
GP_MUST_CHECK gp_error_t gp_ledger_admit(gp_store_t *store, const gp_admission_t *admission,
                                         gp_wall_ms_t now_ms);

/* The newest admission of this machine. GP_E_NODE_UNKNOWN. */
GP_MUST_CHECK gp_error_t gp_ledger_by_node(gp_store_t *store, const gp_id_t *node,
                                           gp_admission_t *ret_admission);

/*
 * The newest admission under this name of another machine than `node`, whose certificate is valid
 * at now_ms. GP_E_NODE_UNKNOWN: the name is free.
 */
GP_MUST_CHECK gp_error_t gp_ledger_by_name(gp_store_t *store, gp_slice_t name, const gp_id_t *node,
                                           gp_wall_ms_t now_ms, gp_admission_t *ret_admission);

/* Those among the newest `serials` serials, in order. */
typedef void gp_ledger_member_fn(void *context, const gp_admission_t *admission);
GP_MUST_CHECK gp_error_t gp_ledger_newest(gp_store_t *store, uint64_t serials,
                                          gp_ledger_member_fn *each, void *context);

/* Forgets a machine that left for good: its name is free again. */
GP_MUST_CHECK gp_error_t gp_ledger_forget(gp_store_t *store, const gp_id_t *node);

#endif
