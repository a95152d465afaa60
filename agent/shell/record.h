/* Under which name a shell keeps what a core stores. */
#ifndef GP_AGENT_SHELL_RECORD_H
#define GP_AGENT_SHELL_RECORD_H

#include "proto/message.h"

/*
 * Records of one kind differ by this key: 0 in the seat of the sub-Grid, of seats above the group,
 * of a job or an attempt a hash of its name.
 * *ret_removed: the record says that the one of this key is no longer needed.
 */
uint64_t gp_record_key(const gp_msg_t *msg, bool *ret_removed);

#endif
