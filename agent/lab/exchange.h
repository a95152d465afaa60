/* How `join` reaches the machines that its token names: the transport's guest. */
#ifndef GP_AGENT_LAB_EXCHANGE_H
#define GP_AGENT_LAB_EXCHANGE_H

#include "agent/node/join.h"

/* A gp_join_exchange_fn; context: a uint32_t, the milliseconds for one machine (NULL: 5 s). */
gp_error_t gp_exchange(void *context, const gp_join_t *join, const gp_seed_t *seed,
                       const gp_msg_t *ask, gp_join_reply_t *ret_reply, gp_fail_t *fail);

#endif
