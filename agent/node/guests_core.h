/*
 * The guests of a machine that admits others: the one-time keys that its transport lets in, and
 * until when. Pure; the shell tells the transport who comes and who goes.
 */
#ifndef GP_AGENT_NODE_GUESTS_CORE_H
#define GP_AGENT_NODE_GUESTS_CORE_H

#include "agent/node/admit_core.h"

/*
 * After its last use a key stays so long: a machine whose answer was lost asks again and gets the
 * same certificate, and one that comes too late is told that the token is used up.
 */
#define GP_GUEST_USED_MS UINT64_C(600000)

typedef struct gp_guest_key {
    gp_id_t key;
    gp_wall_ms_t until_ms;
    bool used; /* the invitation is used up */
    gp_asks_t asks;
} gp_guest_key_t;

/* All zero: nobody. */
typedef struct gp_guests {
    uint32_t count;
    gp_guest_key_t keys[GP_INVITATIONS_MAX];
} gp_guests_t;

/*
 * A key that is let in until its invitation expires. With every place taken the key of least use
 * goes: one that is used up, else the one that expires first. True: that one is *ret_gone.
 */
bool gp_guests_add(gp_guests_t *guests, const gp_id_t *key, gp_wall_ms_t until_ms,
                   gp_id_t *ret_gone);

/* The invitation of this key is used up, now or before this machine started. */
void gp_guests_used(gp_guests_t *guests, const gp_id_t *key, gp_wall_ms_t now_ms);

/* Takes out one key whose time is over; false: there is none. */
bool gp_guests_sweep(gp_guests_t *guests, gp_wall_ms_t now_ms, gp_id_t *ret_gone);

/* May a guest with this key be listened to, or does it ask too often? A stranger may not. */
bool gp_guests_may_ask(gp_guests_t *guests, const gp_id_t *key, gp_usec_t now);

#endif
