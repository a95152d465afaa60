/*
 * `gridpeer join`: a token becomes a membership. The exchange over the network is the caller's (the
 * transport's guest, or a test's fake); here is what is asked, what is believed, what is written.
 */
#ifndef GP_AGENT_NODE_JOIN_H
#define GP_AGENT_NODE_JOIN_H

#include "agent/node/setup.h"
#include "proto/token.h"

/* Measures round trips; of those that do not answer 0. count: at most GP_MEMBERS_MAX. */
typedef void gp_join_measure_fn(const gp_seed_t *seeds, uint32_t count, uint32_t *ret_rtt_us);

typedef struct gp_join_params {
    const char *root;   /* DIR, from gp_state_root */
    const char *name;   /* of this machine */
    const char *region; /* that it wants to join, or to found */
    bool adds;          /* it founds that region, in the grid of the token */
    const char *token;  /* as it was typed: a secret */
    const char *listen; /* NULL or empty: the default */
    const char
        *address; /* where others will dial this machine; NULL or empty: not known, or nowhere */
    gp_wall_ms_t now_ms;
    bool sim; /* a simulated machine of this host: gp_state_mark_sim */
    /* Round trips to the super-peers that may be chosen; NULL: they are taken to be all alike. */
    gp_join_measure_fn *measure;
} gp_join_params_t;

/* One attempt to join: keys in locked memory, and a directory that is begun. */
typedef struct gp_join {
    gp_state_dir_t dir;
    gp_token_t token;
    uint8_t token_bytes[GP_TOKEN_MAX]; /* what the token's slices point to */
    gp_secret_t *one_time;             /* the session's key: a guest's */
    gp_secret_t *node;                 /* signs the ask: this machine's new key */
    gp_id_t id;                        /* its public half */
    uint8_t proof[GP_SIGNATURE_BYTES];
    char name[GP_NAME_MAX + 1];
    char address[GP_ADDRESS_MAX + 1];
    char listen[GP_ADDRESS_MAX + 1];
    char region[GP_NAME_MAX + 1];
    uint64_t chosen; /* the sub-Grid that is asked for; 0: none yet */
    uint8_t found;   /* gp_founds_t: or one of its own */
    bool adds;       /* a region of its own, whatever is answered at first */
} gp_join_t;

/*
 * Reads and checks the token, makes the machine's key and begins its directory, so that a name that
 * is taken here or a disk that is full costs no use of the token. The token's text appears in no
 * error. GP_E_TOKEN_*, GP_E_NAME, GP_E_ADDRESS, GP_E_STATE_EXISTS, the disk's errors.
 */
GP_MUST_CHECK gp_error_t gp_join_prepare(const gp_join_params_t *params, gp_join_t *ret_join,
                                         gp_fail_t *fail);

/* The JOIN_ASK; its slices point into join. Signed by join->node when it is sent. */
void gp_join_ask(const gp_join_t *join, gp_msg_t *ret_msg);

/*
 * Checks the answer (JOIN_OK or JOIN_NO, from whomever: only the certificate counts) and writes the
 * directory, with a GROUP_STATE of the members that were named, or with a FORM_STATE if it begins a
 * sub-Grid of its own. GP_E_CERT_*, the refusal's own
 * code, GP_E_MESSAGE_KIND, the disk's errors.
 */
GP_MUST_CHECK gp_error_t gp_join_finish(gp_join_t *join, const gp_msg_t *answer,
                                        gp_wall_ms_t now_ms, gp_setup_result_t *ret_result,
                                        gp_fail_t *fail);

/* Frees the keys and closes the directory; one that was not finished is removed. */
void gp_join_close(gp_join_t *join);

/* ---- the whole, for the command ----------------------------------------------------------------
 */

/* An answer and the bytes that its slices point to. */
typedef struct gp_join_reply {
    gp_msg_t msg;
    uint8_t bytes[GP_MESSAGE_MAX];
} gp_join_reply_t;

/*
 * Asks one machine: as guest with the key join->one_time, a message sealed by join->node. GP_OK: it
 * answered. Else GP_E_JOIN_UNREACHABLE, GP_E_JOIN_REFUSED or a failure of this side.
 */
typedef gp_error_t gp_join_exchange_fn(void *context, const gp_join_t *join, const gp_seed_t *seed,
                                       const gp_msg_t *ask, gp_join_reply_t *ret_reply,
                                       gp_fail_t *fail);

/*
 * Prepares, asks the token's machines one after the other until one decides, and finishes. A
 * machine that did not issue the token (GP_E_TOKEN_UNKNOWN) or does not answer is passed over. Told
 * of several sub-Grids it measures the round trips to their super-peers, takes the nearest one with
 * room, or begins one (gp_forming_choose), and asks again. On failure nothing stays on the disk.
 */
GP_MUST_CHECK gp_error_t gp_join(const gp_join_params_t *params, gp_join_exchange_fn *exchange,
                                 void *context, gp_setup_result_t *ret_result, gp_fail_t *fail);

#endif
