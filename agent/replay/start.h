/*
 * What a run of the cores begins with: who the machine is, its seed and its config, as the first
 * record of a recording. Nothing in it is secret: the certificate is what the machine shows to all,
 * and the seed is that of jitter and of the order of things, not of keys.
 */
#ifndef GP_AGENT_REPLAY_START_H
#define GP_AGENT_REPLAY_START_H

#include "agent/peer/peer.h"
#include "agent/replay/bytes.h"

typedef struct gp_start {
    gp_slice_t version;   /* of the gridpeer that wrote it */
    uint64_t fingerprint; /* of its messages */
    gp_wall_ms_t wall_ms; /* when it began */
    gp_usec_t now;        /* the same on the clock of the events */
    gp_id_t self;
    uint64_t seed;
    gp_peer_config_t config; /* slices point into what was read */
} gp_start_t;

void gp_start_put(const gp_start_t *start, gp_put_t *put);

/* GP_E_REPLAY_DAMAGED; GP_E_REPLAY_VERSION: its messages or its config are not those of today. */
GP_MUST_CHECK gp_error_t gp_start_get(gp_get_t *get, gp_start_t *ret_start);

#endif
