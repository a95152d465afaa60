/*
 * Round trips to machines that this one does not know yet: how long a plain TCP connection to each
 * takes. Blocks, for a command that runs once.
 */
#ifndef GP_AGENT_LAB_MEASURE_H
#define GP_AGENT_LAB_MEASURE_H

#include "agent/store/identity.h"

/*
 * Dials all addresses at once, three times one after the other, and takes the least time of each:
 * ret_rtt_us[i] is that of seeds[i], at least 1; 0: it did not answer within 300 ms, or what is
 * given is no address. count: at most GP_MEMBERS_MAX.
 */
void gp_measure(const gp_seed_t *seeds, uint32_t count, uint32_t *ret_rtt_us);

#endif
