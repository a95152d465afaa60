/*
 * The story: a notice as a sentence that a person understands. The activity log, the simulator's
 * `--story` and the golden traces all tell it with these words.
 */
#ifndef GP_AGENT_SHELL_STORY_H
#define GP_AGENT_SHELL_STORY_H

#include "proto/message.h"

/* The name of a machine; never NULL. */
typedef const char *gp_story_name_t(void *context, const gp_id_t *id);

/*
 * Tells the notice in at most size - 1 bytes. false: it is no news (a lease that was extended, a
 * standing that did not change), and text is empty. What happens in a group above the sub-Grid
 * begins with "region: " or "grid: ".
 */
bool gp_story_tell(const gp_msg_t *notice, gp_story_name_t *name, void *context, char *text,
                   size_t size);

#endif
