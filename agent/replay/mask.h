/*
 * A message as a recording keeps it: packed as on the wire, but of what is secret only the length.
 *
 * Secret are the words and the environment of a command and what a program writes; the table in
 * mask.c says in which fields they are. A program's own name is not: jobs are named after it, and
 * reasons name it. No core decides by secrets: it counts and hands them on, so a replay with as
 * many other bytes does the same. Keys, tokens and invitations never come to a core; a message of
 * joining, which carries them, is refused here as well. The signed frame of a message is kept for
 * those kinds only whose frames are evidence to a core: it would show the rest.
 */
#ifndef GP_AGENT_REPLAY_MASK_H
#define GP_AGENT_REPLAY_MASK_H

#include "agent/replay/bytes.h"
#include "proto/message.h"

/*
 * Appends the message. `scratch` is written to. false: it cannot be kept (it is a letter of
 * joining, or does not fit), and *put is over or as it was.
 */
bool gp_mask_put(const gp_msg_t *msg, gp_msg_t *scratch, gp_put_t *put);

/*
 * Reads what gp_mask_put wrote. Slices point into what is read, secrets to as many other letters.
 * GP_E_REPLAY_DAMAGED.
 */
GP_MUST_CHECK gp_error_t gp_mask_get(gp_get_t *get, gp_msg_t *ret_msg);

/* A number that is another one if any message has other fields: recordings of both differ. */
uint64_t gp_mask_fingerprint(void);

#endif
