/*
 * Frames: what travels as one ZeroMQ message part between two agents.
 *
 * A signed frame is head, body, signature. What is verified is what was received: the signature
 * covers context "gridpeer/msg/1" and the exact bytes of head and body. A link frame is a short
 * head and a body: the session's key, bound to the certified identity, vouches for it; only scope
 * LINK may use it. All numbers are big-endian.
 *
 *   signed: "GP" version:1 flags:1 kind:2 body:4 grid:16 source:32 destination:32
 *           boot:8 sequence:8 sent_ms:8 body... signature:64              (head: 114 bytes)
 *   link:   "GL" version:1 flags:1 kind:2 body...                         (head: 6 bytes)
 *
 * destination: a machine's id, or for a CAST the group's id in the last 8 bytes, others zero.
 */
#ifndef GP_PROTO_ENVELOPE_H
#define GP_PROTO_ENVELOPE_H

#include "proto/keys.h"
#include "proto/message.h"

#define GP_ENVELOPE_VERSION   1
#define GP_ENVELOPE_HEAD      114
#define GP_ENVELOPE_LINK_HEAD 6
#define GP_ENVELOPE_CONTEXT   "gridpeer/msg/1"
#define GP_ENVELOPE_SKEW_MS   120000 /* clocks may differ by this much */

typedef struct gp_envelope {
    bool is_signed;
    gp_msg_kind_t kind;
    gp_grid_id_t grid;
    gp_id_t source;
    gp_id_t destination;
    uint64_t boot;     /* the sender's boot epoch: raised durably at each start */
    uint64_t sequence; /* rises within a boot epoch */
    gp_wall_ms_t sent_ms;
    gp_slice_t body;         /* into the frame */
    gp_slice_t signed_bytes; /* head and body, into the frame */
    const uint8_t *signature;
} gp_envelope_t;

/* Who signs, and how. */
typedef struct gp_sealer {
    const gp_signer_t *signer;
    const void *secret;
} gp_sealer_t;

/* The destination of a CAST to a group. */
gp_id_t gp_envelope_group(uint64_t group);

/*
 * Writes a signed frame of msg into `to`. Of the envelope, grid, source, destination, boot,
 * sequence and sent_ms are taken. GP_E_MESSAGE_SIZE if it does not fit.
 */
GP_MUST_CHECK gp_error_t gp_envelope_seal(const gp_envelope_t *envelope, const gp_msg_t *msg,
                                          const gp_sealer_t *sealer, uint8_t *to, size_t size,
                                          size_t *ret_n);

/* Writes a link frame of msg (scope LINK) into `to`. */
GP_MUST_CHECK gp_error_t gp_envelope_link(const gp_msg_t *msg, uint8_t *to, size_t size,
                                          size_t *ret_n);

/*
 * Takes a frame apart, cheapest checks first: size, magic, version, kind, scope. Verifies nothing.
 * Slices point into the frame.
 */
GP_MUST_CHECK gp_error_t gp_envelope_open(gp_slice_t frame, gp_envelope_t *ret_envelope);

/* Was it signed at about this time? */
bool gp_envelope_in_time(const gp_envelope_t *envelope, gp_wall_ms_t wall);

/* Is the signature that of the source? */
bool gp_envelope_verify(const gp_envelope_t *envelope, const gp_signer_t *signer);

/*
 * The replay window of one sender: refuses what was seen, what is older than GP_REPLAY_WINDOW
 * messages, and older boot epochs. Check reads only; advance (after the signature was verified)
 * marks. After RFC 6479.
 */
typedef struct gp_replay {
    uint64_t boot;
    uint64_t highest;
    uint64_t seen[GP_REPLAY_WINDOW / 64];
} gp_replay_t;

GP_MUST_CHECK gp_error_t gp_replay_check(const gp_replay_t *replay, uint64_t boot,
                                         uint64_t sequence);
void gp_replay_advance(gp_replay_t *replay, uint64_t boot, uint64_t sequence);

#endif
