/*
 * The guests: one-time keys of invitations that the transport lets in. Each goes again when its
 * invitation expires or is used up: the transport's table is bounded, and members need it.
 */
#include <stdio.h>

#include "agent/main/agent_state.h"

#define INVITATIONS_PAGE 100

/* Members, those admitted lately and those that replace them find room beside all guests and all
 * visitors. */
_Static_assert(GP_INVITATIONS_MAX + GP_NET_VISITORS_MAX + 4 * GP_MEMBERS_MAX <= GP_NET_PEERS_MAX,
               "invitations and visitors could keep members out");

static void show_out(agent_t *agent, const gp_id_t *key)
{
    gp_error_t error = gp_net_admit_guest(agent->net, key, false);
    assert(error == GP_OK); /* who goes needs nothing */
}

gp_error_t agent_guest_add(agent_t *agent, const gp_id_t *key, gp_wall_ms_t until_ms)
{
    gp_id_t gone;
    if (gp_guests_add(&agent->guests, key, until_ms, &gone)) {
        show_out(agent, &gone);
    }
    return gp_net_admit_guest(agent->net, key, true);
}

void agent_guests_sweep(agent_t *agent)
{
    gp_id_t gone;
    while (gp_guests_sweep(&agent->guests, agent_wall(), &gone)) {
        show_out(agent, &gone);
    }
}

typedef struct reading {
    agent_t *agent;
    uint64_t last_serial;
    uint32_t count; /* of this page */
} reading_t;

static void read_guest(void *context, const gp_invitation_t *invitation)
{
    reading_t *reading = context;
    gp_guests_t *guests = &reading->agent->guests;
    gp_wall_ms_t now = agent_wall();
    gp_id_t gone;
    reading->last_serial = invitation->serial;
    reading->count++;
    if (invitation->expires_ms <= now) {
        return;
    }
    (void)gp_guests_add(guests, &invitation->key, invitation->expires_ms, &gone);
    if (invitation->used == invitation->uses) {
        gp_guests_used(guests, &invitation->key, now);
    }
}

gp_error_t agent_guests_read(agent_t *agent)
{
    reading_t reading = {.agent = agent};
    gp_error_t error = GP_OK;
    do {
        reading.count = 0;
        error = gp_ledger_invitations(agent->store, reading.last_serial, INVITATIONS_PAGE,
                                      read_guest, &reading);
    } while (error == GP_OK && reading.count == INVITATIONS_PAGE);
    return error;
}

void agent_guests_admit(agent_t *agent)
{
    char detail[GP_LOG_TEXT_MAX];
    uint32_t refused = 0;
    gp_error_t reason = GP_OK;
    for (uint32_t i = 0; i < agent->guests.count; i++) {
        gp_error_t error = gp_net_admit_guest(agent->net, &agent->guests.keys[i].key, true);
        refused += error != GP_OK ? 1 : 0;
        reason = error != GP_OK ? error : reason;
    }
    if (refused == 0) {
        return;
    }
    snprintf(detail, sizeof detail, "%u of %u open invitations cannot be used: %s", refused,
             agent->guests.count, gp_error_text(reason));
    gp_log_entry_t entry = {.at = agent_wall(),
                            .actor = gp_text("agent"),
                            .what = gp_text(gp_error_name(reason)),
                            .object = gp_text(agent->dir.name),
                            .detail = gp_text(detail)};
    gp_store_log(agent->store, &entry);
}
