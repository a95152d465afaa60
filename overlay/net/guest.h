/*
 * The joining side: one question to one machine, with an invitation's one-time key, and its answer.
 * For a command that runs once: it blocks, has its own context and needs no event loop.
 */
#ifndef GP_OVERLAY_NET_GUEST_H
#define GP_OVERLAY_NET_GUEST_H

#include "proto/core.h"
#include "proto/keys.h"
#include "proto/limits.h"

typedef struct gp_guest {
    const char *address;       /* tcp://ADDR:PORT of the machine that is asked */
    gp_id_t server;            /* its identity: nobody else can answer */
    const gp_secret_t *secret; /* the one-time key */
    gp_slice_t question;       /* one frame */
    uint32_t timeout_ms;       /* for all of it */
} gp_guest_t;

/*
 * Asks. The answer, up to `size` bytes, goes to `answer`. *ret_dial is always set: what a plain
 * connection to the address showed, for the message to the user.
 * GP_E_ADDRESS. GP_E_JOIN_UNREACHABLE: nobody listens (REFUSED), no answer (SILENT) or no way
 * (UNREACHABLE). GP_E_JOIN_REFUSED: who listens there is not that machine, or does not know the
 * key; known when it has cut the question twice, or not let it in for GP_NET_HANDSHAKE_MS.
 * GP_E_TIMED_OUT: no answer came, as what listens there hangs or had too little time (SILENT), or
 * after the key was let in (OPEN). GP_E_MESSAGE_SIZE: the question or the answer is too large.
 * GP_E_TRANSPORT: no descriptors or memory here.
 */
GP_MUST_CHECK gp_error_t gp_guest_ask(const gp_guest_t *guest, uint8_t *answer, size_t size,
                                      size_t *ret_n, gp_dial_t *ret_dial);

#endif
