/*
 * Who is let in, and who gets a fresh certificate: the decisions, pure. The shell (admit.c)
 * verifies signatures, reads the ledger and the clock, and hands the facts over.
 */
#ifndef GP_AGENT_NODE_ADMIT_CORE_H
#define GP_AGENT_NODE_ADMIT_CORE_H

#include "proto/cert.h"

typedef enum gp_admit_verdict {
    GP_ADMIT_NEW = 1, /* count a use, issue a certificate */
    GP_ADMIT_AGAIN,   /* it was admitted by this very ask before: the same certificate once more */
    GP_ADMIT_REFUSE
} gp_admit_verdict_t;

typedef struct gp_admit_facts {
    gp_error_t invitation; /* what its form, signature, issuer, grid and expiry said */
    bool issued_here;      /* signed by this machine, and the ledger knows serial and key */
    bool guest;            /* the session's key is the invitation's one-time key */
    bool proven;           /* the one-time key signed for this machine and name */
    bool name_valid;
    bool region_same; /* it asks for the region of the invitation, which is ours; or founds one */
    bool adds;        /* it founds a region, ... */
    bool region_new;  /* ... of another name than ours, ... */
    bool may_add;     /* ... and by its invitation it will have the role admit */
    bool address_valid;
    bool may_admit; /* this machine's own certificate has the role admit */
    uint32_t uses;
    uint32_t used;
    bool admitted;      /* this machine, by this invitation, and that certificate is still valid */
    bool admitted_name; /* ... under the same name, in the same region */
    bool name_taken;    /* another machine has the name */
} gp_admit_facts_t;

/* *ret_error: GP_OK unless refused. What strangers may not learn is checked last. */
gp_admit_verdict_t gp_admit_decide(const gp_admit_facts_t *facts, gp_error_t *ret_error);

typedef struct gp_renew_facts {
    gp_error_t cert; /* what verifying the certificate that was shown said */
    bool own;        /* it is the certificate of the machine that signed the request */
    bool region_same; /* it is of our region; the root's holder renews those of all */
    bool may_admit;     /* this machine's own certificate has the role admit */
    bool has_root;      /* this machine holds the root key */
    uint16_t own_roles; /* of this machine */
    uint16_t roles;     /* in the certificate that was shown */
    gp_wall_ms_t not_before_ms;
    gp_wall_ms_t not_after_ms;
    gp_wall_ms_t now_ms;
} gp_renew_facts_t;

/*
 * Says which roles the fresh certificate has. GP_ADMIT_AGAIN: too early, the one that was shown
 * will do. The role admit needs the root's signature: a member asked to renew a certificate with
 * that role refuses (GP_E_JOIN_NOT_ISSUER), so that the machine asks the root's holder, until a
 * sixth of its life is left; then a certificate without the role is better than none.
 */
gp_admit_verdict_t gp_renew_decide(const gp_renew_facts_t *facts, uint16_t *ret_roles,
                                   gp_error_t *ret_error);

/*
 * When a machine asks for its next certificate: after two thirds of the life of the one it has,
 * plus a share of a twelfth that `spread` (a hash of its id) chooses, so that a grid founded in one
 * hour does not renew in one; after `failures` failed tries later by an hour each, but at least
 * eight tries fit into what is left.
 */
gp_wall_ms_t gp_renew_at(gp_wall_ms_t not_before_ms, gp_wall_ms_t not_after_ms, uint64_t spread,
                         uint32_t failures);

/*
 * Has a member's certificate ended, so that it is talked to no more until it shows a fresh one? As
 * gp_cert_verify counts, with GP_CERT_GRACE_MS for clocks that differ.
 */
bool gp_member_lapsed(gp_wall_ms_t not_after_ms, gp_wall_ms_t now_ms);

/*
 * The asks of one invitation's guests: each costs a signature to verify and a look into the ledger,
 * so those over the quota are dropped before. All zero: none has come.
 */
typedef struct gp_asks {
    gp_usec_t used_at;
    uint64_t spent; /* millionths of an ask */
} gp_asks_t;

/* One more ask: true, it may be looked at. GP_GUEST_ASKS_BURST at once, GP_GUEST_ASKS_RATE/s. */
bool gp_asks_take(gp_asks_t *asks, gp_usec_t now);

/* Refused asks in the activity log, GP_REFUSALS_LOGGED_MAX a minute. All zero: none yet. */
typedef struct gp_refusals {
    gp_usec_t since;  /* the minute's beginning */
    uint32_t written; /* in it */
    uint64_t missed;  /* not written; the log has still to tell how many */
} gp_refusals_t;

/* One more refusal: true, write it; else it is counted. */
bool gp_refusals_take(gp_refusals_t *refusals, gp_usec_t now);

/* How many were not written in a minute that is over; 0: none, or not yet. Told once. */
uint64_t gp_refusals_missed(gp_refusals_t *refusals, gp_usec_t now);

#endif
