#include "agent/lab/nemesis.h"

#include <stdlib.h>

#define BLOWS 8 /* nodes hit at most by one blow */

void gp_nemesis_draw(uint64_t seed, gp_world_config_t *config)
{
    gp_random_t random;
    gp_random_init(&random, seed ^ UINT64_C(0x6e656d65736973));
    config->seed = seed;
    for (int i = 0; i < GP_FAULT_MESSAGES; i++) {
        bool used = gp_random_below(&random, 4) != 0;
        config->message_permyriad[i] = used ? (uint32_t)gp_random_below(&random, 50) : 0;
    }
    if (gp_random_below(&random, 4) == 0) { /* what comes twice should not matter, however often */
        config->message_permyriad[GP_FAULT_DUPLICATE] = (uint32_t)gp_random_below(&random, 3000);
    }
    config->store_permyriad = gp_random_below(&random, 3) == 0 ? 20 : 0;
    config->latency_us = 50 + gp_random_below(&random, 2000);
    config->jitter_us = gp_random_below(&random, 3000);
    config->store_us = 100 + gp_random_below(&random, 5000);
}

bool gp_nemesis_init(gp_nemesis_t *nemesis, gp_world_t *world, const gp_world_config_t *config)
{
    *nemesis = (gp_nemesis_t){.world = world,
                              .group_size = config->group_size,
                              .nodes = config->nodes,
                              .slow = config->slow};
    const gp_usec_t slow = config->slow;
    gp_random_init(&nemesis->random, config->seed ^ UINT64_C(0x626c6f77));
    for (int fault = 0; fault < GP_FAULT_COUNT; fault++) {
        nemesis->uses[fault] = gp_random_below(&nemesis->random, 4) != 0;
    }
    nemesis->pace = slow * (5 * GP_SECOND + gp_random_below(&nemesis->random, 55 * GP_SECOND));
    nemesis->flurry = slow * 2 * GP_SECOND;
    nemesis->longest = slow * 20 * GP_SECOND;
    uint32_t groups = gp_world_groups(world);
    nemesis->next_blow = calloc(groups, sizeof(gp_usec_t));
    nemesis->next_relief = calloc(groups, sizeof(gp_usec_t));
    nemesis->last_wipe = calloc(groups, sizeof(gp_usec_t));
    nemesis->quiet_until = calloc(groups, sizeof(gp_usec_t));
    if (nemesis->next_blow == NULL || nemesis->next_relief == NULL || nemesis->last_wipe == NULL ||
        nemesis->quiet_until == NULL) {
        gp_nemesis_done(nemesis);
        return false;
    }
    for (uint32_t i = 0; i < groups; i++) {
        nemesis->next_blow[i] =
            slow * 5 * GP_SECOND + gp_random_below(&nemesis->random, nemesis->pace);
        nemesis->next_relief[i] = GP_NEVER;
    }
    return true;
}

void gp_nemesis_storm(gp_nemesis_t *nemesis)
{
    for (int fault = 0; fault < GP_FAULT_COUNT; fault++) {
        nemesis->uses[fault] = false;
    }
    nemesis->uses[GP_FAULT_CUT] = true;
    nemesis->uses[GP_FAULT_CUT_ONE_WAY] = true;
    nemesis->uses[GP_FAULT_PAUSE] = true;
    nemesis->uses[GP_FAULT_CLOCK] = true;
    const gp_usec_t slow = nemesis->slow;
    nemesis->pace = slow * (100 * GP_MSEC + gp_random_below(&nemesis->random, 300 * GP_MSEC));
    nemesis->flurry = slow * 50 * GP_MSEC;
    nemesis->longest = slow * 4 * GP_SECOND;
}

bool gp_nemesis_waits(const gp_nemesis_t *nemesis, uint32_t group)
{
    return gp_world_now(nemesis->world) < nemesis->quiet_until[group];
}

void gp_nemesis_done(gp_nemesis_t *nemesis)
{
    free(nemesis->next_blow);
    free(nemesis->next_relief);
    free(nemesis->last_wipe);
    free(nemesis->quiet_until);
}

static uint32_t size_of(const gp_nemesis_t *nemesis, uint32_t group)
{
    uint32_t left = nemesis->nodes - group * nemesis->group_size;
    return left < nemesis->group_size ? left : nemesis->group_size;
}

static uint32_t victim(gp_nemesis_t *nemesis, uint32_t group)
{
    uint32_t first = group * nemesis->group_size;
    /* Leaders are few: without a preference they would hardly ever be hit. */
    for (uint32_t i = first; i < first + size_of(nemesis, group); i++) {
        const void *peer = gp_world_peer(nemesis->world, i);
        if (peer != NULL && gp_random_below(&nemesis->random, 4) == 0) {
            gp_id_t leader = gp_election_leader(gp_peer_election(peer));
            uint32_t node = gp_world_node(nemesis->world, &leader);
            if (node >= first && node < first + size_of(nemesis, group)) {
                return node;
            }
        }
    }
    return first + (uint32_t)gp_random_below(&nemesis->random, size_of(nemesis, group));
}

static void kill_some(gp_nemesis_t *nemesis, uint32_t group)
{
    uint64_t count = 1 + gp_random_below(&nemesis->random, BLOWS);
    count = count > size_of(nemesis, group) ? size_of(nemesis, group) : count;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t node = victim(nemesis, group);
        if (!gp_world_alive(nemesis->world, node)) {
            continue;
        }
        if (gp_random_below(&nemesis->random, 3) == 0) {
            gp_world_doom(nemesis->world, node);
        } else {
            gp_world_crash(nemesis->world, node, false);
        }
    }
}

/* Its supervisor is quick: what it promised must hold, although all else goes on around it. */
static void bounce_some(gp_nemesis_t *nemesis, uint32_t group)
{
    uint64_t count = 1 + gp_random_below(&nemesis->random, 3);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t node = victim(nemesis, group);
        if (gp_world_alive(nemesis->world, node)) {
            gp_world_crash(nemesis->world, node, false);
            gp_world_start(nemesis->world, node);
            gp_world_count(nemesis->world, GP_FAULT_BOUNCE);
        }
    }
}

/* By that machine, which leads there: would most voters still live without one of them? */
static bool has_voters_to_spare(const void *peer, gp_seat_t seat)
{
    gp_record_voter_t voters[GP_VOTERS_MAX];
    uint32_t living = 0;
    uint32_t count = gp_election_voters(gp_peer_seat_election(peer, seat), voters);
    for (uint32_t k = 0; k < count; k++) {
        const gp_group_member_t *m = gp_group_member(gp_peer_seat_group(peer, seat), &voters[k].id);
        living += m != NULL && m->state == GP_MEMBER_ALIVE;
    }
    return living >= count / 2 + 2;
}

/* In the group, and in those above it in which its leader has a seat. */
static bool can_spare_a_voter(const gp_nemesis_t *nemesis, uint32_t group)
{
    const uint32_t first = group * nemesis->group_size;
    for (uint32_t i = first; i < first + size_of(nemesis, group); i++) {
        const void *peer = gp_world_peer(nemesis->world, i);
        if (peer == NULL) {
            continue;
        }
        const gp_id_t leader = gp_election_leader(gp_peer_election(peer));
        if (gp_world_node(nemesis->world, &leader) != i) {
            continue;
        }
        bool spares = true;
        for (int seat = 0; seat < GP_SEAT_COUNT; seat++) {
            bool sits = gp_peer_seat_group(peer, (gp_seat_t)seat) != NULL;
            spares = spares && (!sits || has_voters_to_spare(peer, (gp_seat_t)seat));
        }
        return spares;
    }
    return false;
}

/*
 * A disk that is lost is a voter that is lost, and so may be whoever leaves for good. More than a
 * minority at once is beyond what any quorum survives, so a group gets time to replace one before
 * the next goes; where all but two voters have gone, neither can be spared (seed 1950).
 */
static bool may_lose_one(const gp_nemesis_t *nemesis, uint32_t group)
{
    char why[128];
    return size_of(nemesis, group) >= 5 &&
           gp_world_now(nemesis->world) >=
               nemesis->last_wipe[group] + nemesis->slow * 120 * GP_SECOND &&
           gp_world_agrees(nemesis->world, group, why, sizeof why) &&
           can_spare_a_voter(nemesis, group);
}

static void wipe_one(gp_nemesis_t *nemesis, uint32_t group)
{
    uint32_t node = victim(nemesis, group);
    if (gp_world_alive(nemesis->world, node) && may_lose_one(nemesis, group)) {
        nemesis->last_wipe[group] = gp_world_now(nemesis->world);
        gp_world_crash(nemesis->world, node, true);
    }
}

static void pause_some(gp_nemesis_t *nemesis, uint32_t group)
{
    uint64_t count = 1 + gp_random_below(&nemesis->random, 3);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t node = victim(nemesis, group);
        if (gp_world_alive(nemesis->world, node)) {
            gp_world_pause(nemesis->world, node, true);
        }
    }
}

static void cut(gp_nemesis_t *nemesis, uint32_t group, bool one_way)
{
    uint32_t first = group * nemesis->group_size;
    uint32_t end = first + size_of(nemesis, group);
    uint64_t sides = gp_random_next(&nemesis->random);
    for (uint32_t i = first; i < end; i++) {
        for (uint32_t k = first; k < end; k++) {
            bool a = (sides >> ((i - first) % 64) & 1) != 0;
            bool b = (sides >> ((k - first) % 64) & 1) != 0;
            if (a != b && (!one_way || a)) {
                gp_world_cut(nemesis->world, i, k, true);
            }
        }
    }
    gp_world_count(nemesis->world, one_way ? GP_FAULT_CUT_ONE_WAY : GP_FAULT_CUT);
}

static void skew(gp_nemesis_t *nemesis, uint32_t group)
{
    int32_t rate = (int32_t)gp_random_below(&nemesis->random, 20001) - 10000; /* +-1 % */
    gp_world_clock(nemesis->world, victim(nemesis, group), rate);
}

static void kill_a_third(gp_nemesis_t *nemesis, uint32_t group)
{
    uint32_t size = size_of(nemesis, group);
    uint32_t first = group * nemesis->group_size;
    uint32_t start = (uint32_t)gp_random_below(&nemesis->random, size);
    uint32_t dead = 0;
    for (uint32_t i = 0; i < size / 3; i++) {
        uint32_t node = first + (start + i) % size;
        if (gp_world_alive(nemesis->world, node)) {
            gp_world_crash(nemesis->world, node, false);
            dead += 1;
        }
    }
    if (dead > 0) {
        gp_world_count(nemesis->world, GP_FAULT_MASS);
    }
}

/*
 * The only voter goes for good, and perhaps nobody can take over. Calm before, and for a while: who
 * is dead or cut off does not count for who goes, and comes back to find nobody.
 */
static void retire_only_voter(gp_nemesis_t *nemesis, uint32_t group)
{
    const gp_usec_t now = gp_world_now(nemesis->world);
    const uint32_t first = group * nemesis->group_size;
    char why[128];
    if (size_of(nemesis, group) != 2 || nemesis->next_relief[group] != GP_NEVER ||
        now < nemesis->last_wipe[group] + nemesis->slow * 120 * GP_SECOND ||
        !gp_world_alive(nemesis->world, first) || !gp_world_alive(nemesis->world, first + 1) ||
        !gp_world_agrees(nemesis->world, group, why, sizeof why)) {
        return;
    }
    const void *peer = gp_world_peer(nemesis->world, first);
    const gp_id_t leader = gp_election_leader(gp_peer_election(peer));
    const uint32_t goes = gp_world_node(nemesis->world, &leader);
    if (gp_random_below(&nemesis->random, 2) == 0) {
        gp_world_disk(nemesis->world, goes == first ? first + 1 : first, true, 0);
        gp_world_count(nemesis->world, GP_FAULT_DISK_FULL);
    }
    gp_world_leave(nemesis->world, goes, true);
    gp_world_count(nemesis->world, GP_FAULT_CHURN);
    nemesis->last_wipe[group] = now;
    nemesis->quiet_until[group] = now + nemesis->slow * 5 * GP_SECOND;
}

static void send_away(gp_nemesis_t *nemesis, uint32_t group, bool for_ever)
{
    if (for_ever && size_of(nemesis, group) < 5) {
        retire_only_voter(nemesis, group);
        return;
    }
    uint32_t node = victim(nemesis, group);
    if (!gp_world_alive(nemesis->world, node) || (for_ever && !may_lose_one(nemesis, group))) {
        return;
    }
    if (for_ever) {
        nemesis->last_wipe[group] = gp_world_now(nemesis->world);
    }
    gp_world_leave(nemesis->world, node, for_ever);
    gp_world_count(nemesis->world, for_ever ? GP_FAULT_CHURN : GP_FAULT_RESTART);
}

static void clog_links(gp_nemesis_t *nemesis, uint32_t group)
{
    uint32_t first = group * nemesis->group_size;
    uint32_t node = victim(nemesis, group);
    uint64_t ways = 1 + gp_random_below(&nemesis->random, 3); /* from it, to it, both */
    uint64_t most = gp_random_below(&nemesis->random, 2) == 0 ? 1500 : 5000;
    gp_usec_t us = nemesis->slow * (100 + gp_random_below(&nemesis->random, most)) * GP_MSEC;
    for (uint32_t i = first; i < first + size_of(nemesis, group); i++) {
        if (i == node || gp_random_below(&nemesis->random, 8) == 0) {
            continue;
        }
        if ((ways & 1) != 0) {
            gp_world_clog(nemesis->world, node, i, us);
        }
        if ((ways & 2) != 0) {
            gp_world_clog(nemesis->world, i, node, us);
        }
    }
    gp_world_count(nemesis->world, GP_FAULT_CLOG);
}

/* By little, which is allowed for, or by so much that nobody believes what it signs. */
static void jump(gp_nemesis_t *nemesis, uint32_t group)
{
    uint64_t most = gp_random_below(&nemesis->random, 2) == 0 ? 5000 : 86400000;
    int64_t off = (int64_t)gp_random_below(&nemesis->random, 2 * most) - (int64_t)most;
    gp_world_wall(nemesis->world, victim(nemesis, group), off);
    gp_world_count(nemesis->world, GP_FAULT_JUMP);
}

static void hurt_disk(gp_nemesis_t *nemesis, uint32_t group, gp_fault_t fault)
{
    bool full = fault == GP_FAULT_DISK_FULL;
    gp_usec_t busy = 100 * GP_MSEC;
    busy = full ? 0 : nemesis->slow * (busy + gp_random_below(&nemesis->random, 5 * GP_SECOND));
    uint32_t node = victim(nemesis, group);
    if (gp_world_alive(nemesis->world, node)) {
        gp_world_disk(nemesis->world, node, full, busy);
        gp_world_count(nemesis->world, fault);
    }
}

static void blow(gp_nemesis_t *nemesis, uint32_t group)
{
    gp_fault_t fault =
        (gp_fault_t)(GP_FAULT_CRASH +
                     gp_random_below(&nemesis->random, GP_FAULT_BLOWS_END - GP_FAULT_CRASH));
    if (!nemesis->uses[fault]) {
        return;
    }
    switch (fault) {
    case GP_FAULT_CRASH:
        kill_some(nemesis, group);
        break;
    case GP_FAULT_BOUNCE:
        bounce_some(nemesis, group);
        break;
    case GP_FAULT_WIPE:
        wipe_one(nemesis, group);
        break;
    case GP_FAULT_MASS:
        kill_a_third(nemesis, group);
        break;
    case GP_FAULT_RESTART:
    case GP_FAULT_CHURN:
        send_away(nemesis, group, fault == GP_FAULT_CHURN);
        break;
    case GP_FAULT_PAUSE:
        pause_some(nemesis, group);
        break;
    case GP_FAULT_CUT:
    case GP_FAULT_CUT_ONE_WAY:
        cut(nemesis, group, fault == GP_FAULT_CUT_ONE_WAY);
        break;
    case GP_FAULT_CLOG:
        clog_links(nemesis, group);
        break;
    case GP_FAULT_JUMP:
        jump(nemesis, group);
        break;
    case GP_FAULT_DISK_FULL:
    case GP_FAULT_DISK_SLOW:
        hurt_disk(nemesis, group, fault);
        break;
    default:
        assert(fault == GP_FAULT_CLOCK);
        skew(nemesis, group);
        break;
    }
}

gp_usec_t gp_nemesis_act(gp_nemesis_t *nemesis)
{
    gp_usec_t now = gp_world_now(nemesis->world);
    gp_usec_t next = GP_NEVER;
    for (uint32_t group = 0; group < gp_world_groups(nemesis->world); group++) {
        if (nemesis->next_relief[group] <= now) {
            gp_world_heal_group(nemesis->world, group);
            nemesis->next_relief[group] = GP_NEVER;
        }
        if (nemesis->next_blow[group] <= now) {
            blow(nemesis, group);
            /* Some come in flurries: one fault alone is what everybody is prepared for. */
            bool soon = gp_random_below(&nemesis->random, 3) == 0;
            uint64_t pause = soon ? nemesis->flurry : 2 * nemesis->pace;
            nemesis->next_blow[group] = now + 1 + gp_random_below(&nemesis->random, pause);
            if (nemesis->next_blow[group] < nemesis->quiet_until[group]) {
                nemesis->next_blow[group] = nemesis->quiet_until[group];
            }
            if (nemesis->next_relief[group] == GP_NEVER) {
                nemesis->next_relief[group] = now + nemesis->slow * 50 * GP_MSEC +
                                              gp_random_below(&nemesis->random, nemesis->longest);
            }
        }
        gp_usec_t due = nemesis->next_blow[group] < nemesis->next_relief[group]
                            ? nemesis->next_blow[group]
                            : nemesis->next_relief[group];
        next = due < next ? due : next;
    }
    return next;
}
