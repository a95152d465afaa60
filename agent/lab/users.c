#include "agent/lab/users.h"

#define RUSH_FIRST (10 * GP_SECOND)
#define RUSH_EVERY (200 * GP_SECOND) /* at most so long between two; on average half of it */

typedef enum deed {
    DEED_NONE = 0,
    DEED_CHANGE,  /* the machine offers nothing that the jobs want any more */
    DEED_STOP,    /* it stops in good order */
    DEED_FAIL,    /* it dies */
    DEED_BOUNCE,  /* a home dies and is started again */
    DEED_BOTH,    /* the last two at once */
    DEED_HAND,    /* its leader stops in good order, and amid that all disks stand still */
    DEED_END,     /* deeds end here; what follows is how one is undone */
    DEED_RESTORE, /* it offers what it did before */
    DEED_START,
    DEED_HALT,
    DEED_RETURN, /* it is started while somebody hears nothing, ... */
    DEED_AGAIN,  /* ... goes again at once, ... */
    DEED_HEAR    /* ... and who heard nothing of both hears again */
} deed_t;

void gp_users_init(gp_users_t *users, gp_world_t *world, const gp_world_config_t *config,
                   const gp_nemesis_t *nemesis)
{
    *users = (gp_users_t){.world = world,
                          .nemesis = nemesis,
                          .nodes = config->nodes,
                          .group_size = config->group_size,
                          .slow = config->slow,
                          .deed_at = GP_NEVER,
                          .rough = nemesis != NULL};
    gp_random_init(&users->asks, config->seed ^ UINT64_C(0x75736572));
    gp_random_init(&users->rushes, config->seed ^ UINT64_C(0x72757368));
    users->next_rush = RUSH_FIRST + gp_random_below(&users->rushes, users->slow * RUSH_EVERY);
}

/* Each second one question, each ten seconds one job. */
static void ask(gp_users_t *users)
{
    static const char *const queries[] = {"cpu >= 2", "cpu >= 8 and mem.free >= 1GiB",
                                          "arch == x86_64", "mem.free >= 32GiB or cpu >= 30"};
    uint32_t node = (uint32_t)gp_random_below(&users->asks, users->nodes);
    if (!gp_world_alive(users->world, node)) {
        return;
    }
    const char *query = queries[gp_random_below(&users->asks, 4)];
    gp_world_find(users->world, node, query);
    if (gp_random_below(&users->asks, 10) == 0) {
        gp_world_job(users->world, node, query);
    }
}

static bool may_be_hit(const gp_users_t *users, uint32_t node)
{
    return gp_world_alive(users->world, node) &&
           (users->nemesis == NULL || !gp_nemesis_waits(users->nemesis, node / users->group_size));
}

static void plan(gp_users_t *users, deed_t deed, uint32_t node, gp_usec_t in_us)
{
    users->deed = (uint32_t)deed;
    users->deed_node = node;
    users->deed_at = gp_world_now(users->world) + in_us;
}

/* Some homes of a group send several jobs each to one machine, more than it may run. */
static void rush(gp_users_t *users)
{
    gp_random_t *random = &users->rushes;
    uint32_t place = (uint32_t)gp_random_below(random, users->nodes);
    uint32_t first = place / users->group_size * users->group_size;
    uint32_t left = users->nodes - first;
    uint32_t size = left < users->group_size ? left : users->group_size;
    uint32_t homes = 1 + (uint32_t)gp_random_below(random, 3);
    uint32_t home = first;
    for (uint32_t i = 0; i < homes; i++) {
        uint32_t jobs = 2 + (uint32_t)gp_random_below(random, 4);
        home = first + (uint32_t)gp_random_below(random, size);
        for (uint32_t k = 0; gp_world_alive(users->world, home) && k < jobs; k++) {
            gp_world_job_on(users->world, home, place, "mem.free >= 1GiB");
        }
    }
    /* A claim is on its way a few milliseconds after, then the order; seconds after it runs. */
    static const gp_usec_t spans[] = {15 * GP_MSEC, 60 * GP_MSEC, 10 * GP_SECOND};
    gp_usec_t in_us = gp_random_below(random, spans[gp_random_below(random, 3)]);
    deed_t deed = (deed_t)gp_random_below(random, DEED_END);
    if (users->deed == DEED_NONE && (users->rough || deed == DEED_CHANGE)) {
        users->deed_home = home;
        plan(users, deed, place, in_us);
    }
}

static void change(gp_users_t *users, uint32_t node)
{
    if (gp_world_alive(users->world, node)) {
        gp_world_offer(users->world, node, false);
        plan(users, DEED_RESTORE, node, 3 * GP_SECOND);
    }
}

/* It goes, in good order or not, and comes back after a while. */
static void end(gp_users_t *users, uint32_t node, bool gently)
{
    if (gently) {
        gp_world_leave(users->world, node, false);
        gp_world_count(users->world, GP_FAULT_RESTART);
    } else {
        gp_world_crash(users->world, node, false);
    }
}

static void end_place(gp_users_t *users, uint32_t node, bool gently)
{
    if (may_be_hit(users, node)) {
        end(users, node, gently);
        users->gently = gently;
        bool again = gp_random_below(&users->rushes, 3) == 0;
        plan(users, again ? DEED_RETURN : DEED_START, node, 3 * GP_SECOND);
    }
}

/* Nothing of what others in its group send comes to it, or all does again. */
static void deafen(gp_users_t *users, uint32_t node, bool deaf)
{
    uint32_t first = node / users->group_size * users->group_size;
    for (uint32_t i = first; i < first + users->group_size && i < users->nodes; i++) {
        if (i != node) {
            gp_world_cut(users->world, i, node, deaf);
        }
    }
}

/* For less than a lease: it does not lose its leader, only its leader's word. */
static void come_back(gp_users_t *users, uint32_t node)
{
    uint32_t first = node / users->group_size * users->group_size;
    uint32_t deaf = first + (uint32_t)gp_random_below(&users->rushes, users->group_size);
    if (gp_world_peer(users->world, node) != NULL) {
        return;
    }
    gp_world_start(users->world, node);
    if (deaf < users->nodes && deaf != node && may_be_hit(users, deaf)) {
        deafen(users, deaf, true);
        gp_world_count(users->world, GP_FAULT_CUT_ONE_WAY);
        users->deed_home = deaf;
        plan(users, DEED_AGAIN, node, 300 * GP_MSEC);
    }
}

static void stop_leader(gp_users_t *users, uint32_t node)
{
    const void *peer = gp_world_peer(users->world, node);
    gp_id_t leader = peer != NULL ? gp_election_leader(gp_peer_election(peer)) : (gp_id_t){0};
    uint32_t leads = gp_world_node(users->world, &leader);
    if (leads < users->nodes && may_be_hit(users, leads)) {
        gp_world_leave(users->world, leads, false);
        gp_world_count(users->world, GP_FAULT_RESTART);
        plan(users, DEED_HALT, leads, gp_random_below(&users->rushes, 60 * GP_MSEC));
    }
}

/* For longer than a candidate waits for votes: a successor may stand in vain. */
static void halt_disks(gp_users_t *users, uint32_t node)
{
    uint32_t first = node / users->group_size * users->group_size;
    gp_usec_t busy = 600 * GP_MSEC + gp_random_below(&users->rushes, 900 * GP_MSEC);
    for (uint32_t i = first; i < first + users->group_size && i < users->nodes; i++) {
        gp_world_disk(users->world, i, false, users->slow * busy);
    }
    gp_world_count(users->world, GP_FAULT_DISK_SLOW);
    plan(users, DEED_START, node, users->slow * 3 * GP_SECOND);
}

static void go_again(gp_users_t *users, uint32_t node)
{
    if (may_be_hit(users, node)) {
        end(users, node, users->gently);
    }
    plan(users, DEED_HEAR, node, 400 * GP_MSEC);
}

static void bounce(gp_users_t *users, uint32_t node)
{
    if (may_be_hit(users, node)) {
        gp_world_crash(users->world, node, false);
        gp_world_start(users->world, node);
        gp_world_count(users->world, GP_FAULT_BOUNCE);
    }
}

static void act(gp_users_t *users)
{
    uint32_t node = users->deed_node;
    deed_t deed = (deed_t)users->deed;
    users->deed = DEED_NONE;
    users->deed_at = GP_NEVER;
    switch (deed) {
    case DEED_CHANGE:
        change(users, node);
        break;
    case DEED_STOP:
        end_place(users, node, true);
        break;
    case DEED_FAIL:
        end_place(users, node, false);
        break;
    case DEED_BOUNCE:
        bounce(users, users->deed_home);
        break;
    case DEED_BOTH:
        end_place(users, node, false);
        bounce(users, users->deed_home);
        break;
    case DEED_HAND:
        stop_leader(users, node);
        break;
    case DEED_RESTORE:
        if (gp_world_alive(users->world, node)) {
            gp_world_offer(users->world, node, true);
        }
        break;
    case DEED_START:
        if (gp_world_peer(users->world, node) == NULL) {
            gp_world_start(users->world, node);
        }
        break;
    case DEED_HALT:
        halt_disks(users, node);
        break;
    case DEED_RETURN:
        come_back(users, node);
        break;
    case DEED_AGAIN:
        go_again(users, node);
        break;
    case DEED_HEAR:
        deafen(users, users->deed_home, false);
        plan(users, DEED_START, node, 2 * GP_SECOND);
        break;
    case DEED_NONE:
    case DEED_END:
        break;
    }
}

gp_usec_t gp_users_act(gp_users_t *users)
{
    gp_usec_t now = gp_world_now(users->world);
    if (users->deed_at <= now) {
        act(users);
    }
    if (users->next_rush <= now) {
        rush(users);
        users->next_rush = now + 1 + gp_random_below(&users->rushes, users->slow * RUSH_EVERY);
    }
    if (users->next_ask <= now) {
        ask(users);
        users->next_ask = now + users->slow * GP_SECOND;
    }
    gp_usec_t next = users->next_ask < users->next_rush ? users->next_ask : users->next_rush;
    return users->deed_at < next ? users->deed_at : next;
}

void gp_users_calm(gp_users_t *users)
{
    /* The world is healed at the same time: what is left to do is to offer all again. */
    users->rough = false;
    if (users->deed != DEED_RESTORE) {
        users->deed = DEED_NONE;
        users->deed_at = GP_NEVER;
    }
}
