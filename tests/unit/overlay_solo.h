/*
 * One group core alone: events by hand, actions to look at. Machines are numbered; machine 0 is
 * the core itself.
 */
#ifndef GP_TESTS_OVERLAY_SOLO_H
#define GP_TESTS_OVERLAY_SOLO_H

#include "overlay/group/group_state.h"

#define SOLO_GROUP   5
#define SOLO_ACTIONS 256

typedef struct solo {
    gp_group_config_t config;
    gp_group_t *core;
    gp_usec_t now;
    gp_out_t out; /* of the last event */
} solo_t;

gp_id_t solo_id(uint32_t number);           /* rises with the number */
uint64_t solo_incarnation(uint32_t number); /* boot 1 of that machine */
gp_record_member_t solo_record(uint32_t number, gp_member_state_t state);

/* A core that knows machines 1 .. others from its disk; not started. */
solo_t *solo_new(uint32_t others);
solo_t *solo_started(uint32_t others);
void solo_free(solo_t *solo);

/* A core that leads machines 1 .. others, all alive, by a quorum; its deputy is machine 1. */
solo_t *solo_leading(uint32_t others);

/* A core that follows machine 1 and holds its view of `others`, all alive; deputy: machine 2. */
solo_t *solo_following(uint32_t others);

void solo_event(solo_t *solo, gp_event_t event);
void solo_message(solo_t *solo, uint32_t from, const gp_msg_t *msg);
void solo_command(solo_t *solo, const gp_msg_t *msg);
void solo_link(solo_t *solo, uint32_t peer, bool up);
void solo_dialed(solo_t *solo, uint32_t peer, gp_dial_t result);
void solo_leader(solo_t *solo, uint32_t leader, uint32_t deputy, uint64_t term, gp_right_t right);
void solo_lease(solo_t *solo); /* at the leader: its lease grows again */

/* Gives WAKEs until `until`; the sheet then holds the actions of the last one. */
void solo_run(solo_t *solo, gp_usec_t until);

/* Runs until an action of that kind came (true), for at most `limit`. */
bool solo_run_to(solo_t *solo, gp_usec_t limit, gp_msg_kind_t kind);

/* The nth action with a message of that kind in the last batch, to `peer` (GP_NOBODY: any). */
#define SOLO_ANY UINT32_MAX
const gp_action_t *solo_action(const solo_t *solo, gp_msg_kind_t kind, uint32_t peer, uint32_t nth);
const gp_action_t *solo_plain(const solo_t *solo, gp_action_type_t type, uint32_t peer);
gp_group_entry_t *solo_entry(solo_t *solo, uint32_t number);

/* An answer from that machine to what it was last asked. */
void solo_answer(solo_t *solo, uint32_t number);
void solo_answer_all(solo_t *solo);

/* Machine 2 tells of machine `number`, which is known from now on but in no view. */
void solo_hearsay(solo_t *solo, uint32_t number);

#endif
