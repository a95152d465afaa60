/*
 * The recorder: a tap (agent/shell/runner.h) that writes what a peer begins with and each event
 * that comes in into a ring, before the peer takes it, together with a hash of all that the peer
 * did until then: so a replay sees at which event it does otherwise.
 *
 * Once the head of the ring is full, the notices that tell the story are recorded as well: what is
 * in the tails cannot be run through the cores, as nothing says in which state they were.
 *
 * It never stops the agent: if the disk fails it says so, once, and records no more.
 */
#ifndef GP_AGENT_REPLAY_RECORDER_H
#define GP_AGENT_REPLAY_RECORDER_H

#include "agent/replay/ring.h"
#include "agent/shell/runner.h"

typedef enum gp_recorded {
    GP_RECORDED_START = 1, /* gp_start_t; the first record, and no other */
    GP_RECORDED_EVENT,     /* hash of all actions before, then the event and its peer */
    GP_RECORDED_NOTICE,    /* in the tails: a notice that tells something, and when */
    GP_RECORDED_END        /* the hash of all actions: the last record of a run in good order */
} gp_recorded_t;

/*
 * Machines that events came from, in the order of their first: the place in this list takes the
 * place of the id, until the list is full or the head is.
 */
typedef struct gp_peers {
    uint32_t count;
    gp_id_t ids[GP_MEMBERS_MAX];
} gp_peers_t;

/* The place of a machine; count: it is not in the list. */
uint32_t gp_peers_place(const gp_peers_t *peers, const gp_id_t *id);

/* Adds a machine to a list that has room and does not have it. */
void gp_peers_add(gp_peers_t *peers, const gp_id_t *id);

/* Room and seat of an event are one number: the room, and so much for each seat before its own. */
#define GP_RECORDED_SEAT 16u
static_assert(GP_ROOM_COUNT <= GP_RECORDED_SEAT, "a room and its seat fit into one number");

/* What an event carries besides its type, its room and its time. */
#define GP_RECORDED_OK    1u
#define GP_RECORDED_PEER  2u
#define GP_RECORDED_TOKEN 4u
#define GP_RECORDED_MSG   8u
#define GP_RECORDED_NEW   16u /* the whole id of its peer, rather than the place in the list */

typedef struct gp_recorder gp_recorder_t;

typedef struct gp_recorder_config {
    gp_folder_t folder;
    const char *name; /* of the file, in the folder; what is there is replaced */
    uint64_t size;
    const char *version; /* of this gridpeer */
    void (*trouble)(void *context, gp_error_t error, const char *text);
    void *context;
} gp_recorder_config_t;

/* The tap; its context is the recorder. Each `begin` begins the file anew. */
extern const gp_tap_t gp_recorder_tap;

/* What config points to is kept. NULL: out of memory. No file is made before the tap's begin. */
gp_recorder_t *gp_recorder_new(const gp_recorder_config_t *config);

/*
 * The run ended in good order, which the file says even if the recording stopped before: but then
 * it has no END. NULL is fine.
 */
void gp_recorder_free(gp_recorder_t *recorder);

/* The hash of a step's actions, behind that of those before; `scratch` and `bytes` are written to.
 */
typedef struct gp_digest {
    uint64_t hash;
    gp_msg_t scratch;
    uint8_t bytes[GP_RING_RECORD_MAX];
} gp_digest_t;
void gp_digest_actions(gp_digest_t *digest, const gp_out_t *out);

#endif
