/*
 * Is a mandate proven by its votes, a release by its leader's signature? Anyone can ask, inside the
 * group or outside. Not a core: it opens envelopes and verifies signatures; shells call it before a
 * MANDATE or VOTE_ASK reaches any core.
 */
#ifndef GP_ELECTION_MANDATE_CHECK_H
#define GP_ELECTION_MANDATE_CHECK_H

#include "proto/envelope.h"

/*
 * Checks a message of kind MANDATE: each vote is a whole signed frame (head, body, signature) of
 * `grid`, kind VOTE, granted, for this group, term and leader, under the roster that the mandate
 * names, by the voter in whose place it stands; the votes are a majority of the roster; a release
 * that it carries is in favour of its leader.
 *
 * Errors: GP_E_MANDATE (the votes do not add up), GP_E_RELEASE, and those of opening and reading an
 * envelope. Says nothing about time (see gp_mandate_until) nor whether the roster is the group's:
 * that can judge who knows the group (election/vouch.c).
 */
GP_MUST_CHECK gp_error_t gp_mandate_check(const gp_msg_t *mandate_msg, const gp_grid_id_t *grid,
                                          const gp_signer_t *signer);

/*
 * Checks the release that a message of kind VOTE_ASK from `asker` carries, if it does: a whole
 * signed HANDOVER of this group by whom and in which term it says, older than the term that is
 * asked for, in favour of the asker. Errors: GP_E_RELEASE, and those of opening an envelope.
 */
GP_MUST_CHECK gp_error_t gp_release_check(const gp_msg_t *ask_msg, const gp_id_t *asker,
                                          const gp_grid_id_t *grid, const gp_signer_t *signer);

/*
 * Until when a mandate that was checked holds, by the wall clocks of its voters: the time at which
 * too few of its votes are still valid for a majority. 0 if the votes cannot be read.
 */
gp_wall_ms_t gp_mandate_until(const gp_msg_t *mandate_msg);

#endif
