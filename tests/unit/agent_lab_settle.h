/* What the tests of worlds with seats above share: time goes on, and all come to agree. */
#ifndef GP_TESTS_UNIT_AGENT_LAB_SETTLE_H
#define GP_TESTS_UNIT_AGENT_LAB_SETTLE_H

#include "agent/lab/world.h"

/* Lets the world go on for so long; fails the test if an invariant is violated. */
void lab_run(gp_world_t *world, gp_usec_t us);

/*
 * In steps of `step`, until all of the first group agree at all tiers; returns how long that took.
 * Not within `limit`: prints each machine, and fails the test.
 */
gp_usec_t lab_settle(gp_world_t *world, gp_usec_t limit, gp_usec_t step);

#endif
