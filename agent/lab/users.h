/*
 * Users: what is asked of a grid and run on it, drawn from the seed.
 *
 * All the time there are questions and short jobs. Now and then there is a rush: several homes send
 * their jobs to one machine at once, and then something may happen amid it: the machine changes
 * what it offers while claims are on their way, it stops or dies (and once more, while another one
 * hears nothing), its leader stops amid standing
 * disks, or a home is started again.
 */
#ifndef GP_AGENT_LAB_USERS_H
#define GP_AGENT_LAB_USERS_H

#include "agent/lab/nemesis.h"

typedef struct gp_users {
    gp_world_t *world;
    const gp_nemesis_t *nemesis;
    uint32_t nodes;
    uint32_t group_size;
    gp_usec_t slow;   /* as the world's: they ask less often */
    bool rough;       /* machines may stop and die amid a rush */
    gp_random_t asks; /* two streams: neither changes what the other draws */
    gp_random_t rushes;
    gp_usec_t next_ask;
    gp_usec_t next_rush;
    uint32_t deed; /* what is to happen amid the rush, or after it: see users.c; 0: nothing */
    uint32_t deed_node;
    uint32_t deed_home;
    bool gently; /* how a machine went that is to go again */
    gp_usec_t deed_at;
} gp_users_t;

/*
 * Users of that world. NULL: no machine stops or dies because of them; else the nemesis is asked
 * when it wants a group left alone.
 */
void gp_users_init(gp_users_t *users, gp_world_t *world, const gp_world_config_t *config,
                   const gp_nemesis_t *nemesis);

/* Does what is due, and says when to call again. */
gp_usec_t gp_users_act(gp_users_t *users);

/* From now on no machine stops or dies because of them. */
void gp_users_calm(gp_users_t *users);

#endif
