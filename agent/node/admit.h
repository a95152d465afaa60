/*
 * The issuer's side of joining: invitations, admissions, renewals. What is decided, counted and
 * signed is one transaction of the ledger, durable before anybody hears of it, so that a token
 * admits exactly its number of machines, whatever runs at once or is killed in between.
 */
#ifndef GP_AGENT_NODE_ADMIT_H
#define GP_AGENT_NODE_ADMIT_H

#include "agent/node/admit_core.h"
#include "agent/store/identity.h"
#include "agent/store/ledger.h"

#define GP_INVITE_ROLES    (GP_ROLE_MEMBER | GP_ROLE_LEND | GP_ROLE_SUBMIT)
#define GP_INVITE_VALID_MS UINT64_C(86400000) /* a day */

/* One issuer a machine; it outlives what it has started. */
typedef struct gp_issuer {
    gp_store_t *store;             /* borrowed */
    const gp_identity_t *identity; /* borrowed; may be renewed by its owner on the loop's thread */
    uint32_t pending;              /* admissions and renewals under way; 0 at first */
} gp_issuer_t;

/* ---- invitations -------------------------------------------------------------------------------
 */

typedef struct gp_invite_params {
    uint32_t uses;     /* 1 .. GP_TOKEN_USES_MAX */
    uint64_t valid_ms; /* a minute to the life of a certificate */
    uint16_t roles;    /* member and others that this machine has; admit only from the founder */
    uint32_t seed_count;
    gp_seed_t seeds[GP_TOKEN_SEEDS_MAX]; /* where to ask; this machine's own address first */
} gp_invite_params_t;

typedef struct gp_invite_result {
    gp_error_t error; /* GP_OK, or why there is no token */
    uint64_t serial;
    gp_id_t key; /* the one-time public key: the transport lets it in as a guest until expires_ms */
    gp_wall_ms_t expires_ms;
    char why[GP_REASON_TEXT_MAX]; /* why there is no token, if the table does not say it all */
    char text[GP_TOKEN_TEXT_MAX]; /* the token: a secret; whoever printed it wipes it */
} gp_invite_result_t;

/*
 * Issues a token; it is in the ledger, durably, before it is returned. Blocks for the disk.
 * GP_E_JOIN_NOT_ISSUER, GP_E_CERT_ROLE, GP_E_USAGE, GP_E_ADDRESS, GP_E_INVITE_LIMIT (all of
 * GP_INVITATIONS_MAX are open), the disk's errors.
 */
GP_MUST_CHECK gp_error_t gp_invite_now(gp_issuer_t *issuer, const gp_invite_params_t *params,
                                       gp_wall_ms_t now_ms, gp_invite_result_t *ret_result,
                                       gp_fail_t *fail);

/* The same for the loop: done is called on its thread; the result is wiped when it returns. */
typedef void gp_invite_done_fn(void *context, const gp_invite_result_t *result);
GP_MUST_CHECK gp_error_t gp_invite(gp_issuer_t *issuer, const gp_invite_params_t *params,
                                   gp_wall_ms_t now_ms, gp_invite_done_fn *done, void *context,
                                   gp_fail_t *fail);

/* ---- admission and renewal ---------------------------------------------------------------------
 */

typedef struct gp_admit_result {
    gp_error_t error; /* GP_OK: cert is the certificate */
    bool again;       /* no use was counted: it had been admitted or renewed already */
    bool used_up;     /* this was the last use of its invitation */
    gp_id_t node;     /* who asked */
    uint32_t cert_n;
    uint8_t cert[GP_CERT_MAX];
    gp_cert_t facts;               /* what the certificate says */
    char text[GP_REASON_TEXT_MAX]; /* refused: to what it happened and why; UTF-8 */
} gp_admit_result_t;

typedef void gp_admit_done_fn(void *context, const gp_admit_result_t *result);

/* What the transport and the envelope proved about an ask. */
typedef struct gp_admit_peer {
    gp_id_t signer; /* signed the message: the new machine's own key */
    gp_id_t guest;  /* key of the session it came by: the invitation's one-time key */
} gp_admit_peer_t;

typedef struct gp_admit_ask {
    gp_admit_peer_t peer;
    const gp_msg_join_ask_t *msg; /* as it was read; copied */
    bool name_taken;              /* somebody else among the members has this name */
} gp_admit_ask_t;

typedef struct gp_renew_ask {
    gp_id_t signer;
    const gp_msg_cert_renew_t *msg; /* as it was read; copied */
} gp_renew_ask_t;

/*
 * Decides on a JOIN_ASK. `done` is called once on the loop's thread: with GP_E_BUSY before this
 * returns if too many are under way.
 */
void gp_admit(gp_issuer_t *issuer, const gp_admit_ask_t *ask, gp_wall_ms_t now_ms,
              gp_admit_done_fn *done, void *context);

/* Decides on a CERT_RENEW, in the same way. The founder renews its own certificate with it. */
void gp_renew(gp_issuer_t *issuer, const gp_renew_ask_t *ask, gp_wall_ms_t now_ms,
              gp_admit_done_fn *done, void *context);

/* The blocking forms, for commands and tests. */
void gp_admit_now(gp_issuer_t *issuer, const gp_admit_ask_t *ask, gp_wall_ms_t now_ms,
                  gp_admit_result_t *ret_result);
void gp_renew_now(gp_issuer_t *issuer, const gp_renew_ask_t *ask, gp_wall_ms_t now_ms,
                  gp_admit_result_t *ret_result);

/*
 * The answer to an ask: JOIN_OK with all but leader and entries (what the group knows: the caller
 * adds them), or JOIN_NO. Slices point into the result and the identity.
 */
void gp_admit_answer(const gp_admit_result_t *result, const gp_identity_t *identity,
                     gp_msg_t *ret_msg);

/* Forgets a machine that left for good, so that its name is free. Nobody is told. */
void gp_admit_forget(gp_issuer_t *issuer, const gp_id_t *node);

#endif
