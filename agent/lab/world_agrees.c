/* After the faults: does everybody agree, and why not? */
#include <stdarg.h>
#include <stdio.h>

#include "agent/lab/world_state.h"

/* The machines of one sub-Grid, or of all. */
typedef struct part {
    const gp_world_t *world;
    uint32_t first, end; /* of the group of the world that it is in */
    uint64_t subgrid;
    char *why;
    size_t size;
} part_t;

static const gp_sim_node_t *node_at(const part_t *part, uint32_t index)
{
    const gp_sim_node_t *node = &part->world->nodes[index];
    return node->running && node->subgrid == part->subgrid ? node : NULL;
}

static bool follows(const part_t *part, const gp_sim_node_t *node, const gp_sim_node_t *leader)
{
    const gp_world_t *world = part->world;
    const void *election = gp_peer_election(gp_runner_core(node->runner));
    gp_id_t whom = gp_election_leader(election);
    if (gp_election_right(election) != GP_RIGHT_QUORUM) {
        snprintf(part->why, part->size, "%s knows of no mandate", node->name);
        return false;
    }
    if (!gp_id_equal(&whom, &leader->id)) {
        uint32_t other = gp_world_node(world, &whom);
        snprintf(part->why, part->size, "%s follows %s, %s leads", node->name,
                 other == UINT32_MAX ? "nobody" : world->nodes[other].name, leader->name);
        return false;
    }
    return true;
}

static const gp_sim_node_t *leader_of(const part_t *part)
{
    const gp_sim_node_t *leader = NULL;
    const gp_sim_node_t *any = NULL;
    for (uint32_t i = part->first; i < part->end; i++) {
        const gp_sim_node_t *node = node_at(part, i);
        if (node == NULL) {
            continue;
        }
        any = any != NULL ? any : node;
        const void *election = gp_peer_election(gp_runner_core(node->runner));
        gp_id_t whom = gp_election_leader(election);
        if (gp_election_right(election) == GP_RIGHT_QUORUM && gp_id_equal(&whom, &node->id)) {
            if (leader != NULL) {
                snprintf(part->why, part->size, "%s and %s both lead", leader->name, node->name);
                return NULL;
            }
            leader = node;
        }
    }
    if (leader == NULL) {
        snprintf(part->why, part->size, "nobody leads the group of %s",
                 any != NULL ? any->name : "nobody");
    }
    return leader;
}

/* Does this node's view show every running machine of the group as alive? */
static bool sees_all(const part_t *part, const gp_sim_node_t *node)
{
    const void *group = gp_peer_group(gp_runner_core(node->runner));
    for (uint32_t i = part->first; i < part->end; i++) {
        const gp_sim_node_t *other = node_at(part, i);
        if (other == NULL) {
            continue;
        }
        const gp_group_member_t *member = gp_group_member(group, &other->id);
        if (member == NULL || member->state != GP_MEMBER_ALIVE) {
            snprintf(part->why, part->size, "%s says that %s is %s", node->name, other->name,
                     member == NULL ? "nobody" : gp_member_state_name(member->state));
            return false;
        }
    }
    return true;
}

/* One leader, whom all follow, and one view. NULL: not so. */
static const gp_sim_node_t *agree_within(const part_t *part)
{
    const gp_sim_node_t *leader = leader_of(part);
    if (leader == NULL) {
        return NULL;
    }
    const void *view = gp_peer_group(gp_runner_core(leader->runner));
    for (uint32_t i = part->first; i < part->end; i++) {
        const gp_sim_node_t *node = node_at(part, i);
        if (node == NULL) {
            continue;
        }
        if (node->leaving) {
            snprintf(part->why, part->size, "%s is about to leave", node->name);
            return NULL;
        }
        if (!follows(part, node, leader) || !sees_all(part, node)) {
            return NULL;
        }
        const void *own = gp_peer_group(gp_runner_core(node->runner));
        if (gp_group_view_digest(own) != gp_group_view_digest(view)) {
            snprintf(part->why, part->size, "%s has another view than %s", node->name,
                     leader->name);
            return NULL;
        }
    }
    return leader;
}

bool gp_sim_part_agrees(gp_world_t *world, uint32_t part)
{
    char why[256];
    const part_t seen = {.world = world,
                         .first = part * world->config.subgrid_size,
                         .end = gp_sim_part_end(world, part),
                         .subgrid = gp_sim_group_id(GP_SEAT_SUBGRID, part),
                         .why = why,
                         .size = sizeof why};
    const gp_sim_node_t *leader = agree_within(&seen);
    world->parts[part].leader = leader != NULL ? leader->index : UINT32_MAX;
    return leader != NULL;
}

/* It agreed when it came to rest, and its machines cannot be looked at now. */
static const gp_sim_node_t *resting_leader(const part_t *part)
{
    const gp_world_t *world = part->world;
    if (!gp_sim_is_laid_out(world) || !world->parts[(uint32_t)part->subgrid].rests) {
        return NULL;
    }
    return &world->nodes[world->parts[(uint32_t)part->subgrid].leader];
}

/* ---- above the sub-Grids --------------------------------------------------------------------- */

/* Whoever is alive in that view of the group above has its seat there. */
static bool seats_all(const part_t *part, const gp_group_t *view, gp_seat_t seat)
{
    const gp_world_t *world = part->world;
    for (uint32_t i = 0; i < gp_group_count(view); i++) {
        const gp_group_member_t *member = gp_group_member_at(view, i);
        uint32_t index = gp_world_node(world, &member->id);
        const void *peer = index != UINT32_MAX ? gp_world_peer(world, index) : NULL;
        bool sits = peer != NULL && gp_id_equal(&world->nodes[index].id, &member->id) &&
                    gp_peer_seat_group(peer, seat) != NULL;
        if (member->state == GP_MEMBER_ALIVE && !sits) {
            snprintf(part->why, part->size, "%s is called alive at tier %d, where it has no seat",
                     member->name, (int)seat);
            return false;
        }
    }
    return true;
}

/* Has it a part in the group below that seat? */
static bool has_part(const gp_world_t *world, const void *peer, gp_seat_t seat, const gp_id_t *self)
{
    const void *below = gp_peer_seat_election(peer, (gp_seat_t)(seat - 1));
    gp_record_voter_t voters[GP_VOTERS_MAX];
    if (below == NULL) {
        return false;
    }
    gp_id_t leader = gp_election_leader(below);
    bool part = gp_id_equal(&leader, self);
    uint32_t count = gp_sim_leaders_only(world, seat) ? 0 : gp_election_voters(below, voters);
    for (uint32_t i = 0; i < count; i++) {
        part = part || gp_id_equal(&voters[i].id, self);
    }
    return part;
}

/* Who has a part below has a seat there, and follows the one who leads there. */
static bool agrees_above(const part_t *part, const gp_sim_node_t *node, gp_seat_t seat,
                         const gp_id_t *top)
{
    const void *peer = gp_runner_core(node->runner);
    const void *election = gp_peer_seat_election(peer, seat);
    if (!has_part(part->world, peer, seat, &node->id)) {
        return true;
    }
    gp_id_t whom = election != NULL ? gp_election_leader(election) : (gp_id_t){0};
    if (election == NULL || gp_election_right(election) != GP_RIGHT_QUORUM ||
        !gp_id_equal(&whom, top)) {
        snprintf(part->why, part->size, "%s %s at tier %d", node->name,
                 election == NULL ? "has no seat" : "does not follow who leads", (int)seat);
        return false;
    }
    return true;
}

/* Regions that are laid out share a grid: it may be a machine of another one that leads it. */
static const gp_sim_node_t *top_of_grid(const gp_world_t *world, const gp_id_t *top)
{
    uint32_t index = gp_world_node(world, top);
    const void *peer = index != UINT32_MAX ? gp_world_peer(world, index) : NULL;
    bool sits = peer != NULL && gp_id_equal(&world->nodes[index].id, top) &&
                gp_peer_seat_group(peer, GP_SEAT_GRID) != NULL;
    return sits ? &world->nodes[index] : NULL;
}

/*
 * One of those who lead below leads there; all who belong there follow it. Returns it; NULL: not
 * so.
 */
static const gp_sim_node_t *agree_above(const part_t *part, const gp_sim_node_t *const *leaders,
                                        uint32_t count, gp_seat_t seat)
{
    const void *first = gp_peer_seat_election(gp_runner_core(leaders[0]->runner), seat);
    gp_id_t top = first != NULL ? gp_election_leader(first) : (gp_id_t){0};
    const gp_sim_node_t *leader = NULL;
    for (uint32_t i = 0; i < count; i++) {
        leader = gp_id_equal(&leaders[i]->id, &top) ? leaders[i] : leader;
    }
    if (seat == GP_SEAT_GRID && gp_sim_is_laid_out(part->world)) {
        leader = top_of_grid(part->world, &top);
    }
    if (leader == NULL) {
        snprintf(part->why, part->size, "none of those below leads above %s, at tier %d",
                 leaders[0]->name, (int)seat);
        return NULL;
    }
    for (uint32_t i = part->first; i < part->end; i++) {
        const gp_sim_node_t *node = &part->world->nodes[i];
        if (node->running && !node->packed && !agrees_above(part, node, seat, &top)) {
            return NULL;
        }
    }
    const gp_group_t *view = gp_peer_seat_group(gp_runner_core(leader->runner), seat);
    return seats_all(part, view, seat) ? leader : NULL;
}

/* Each sub-Grid of it, and above them. Returns the region peer, without tiers the super-peer. */
static const gp_sim_node_t *agree_in_region(const part_t *region)
{
    uint64_t subgrids[GP_MEMBERS_MAX];
    const gp_sim_node_t *leaders[GP_MEMBERS_MAX];
    uint32_t count =
        gp_sim_subgrids(region->world, region->first, region->end, subgrids, GP_MEMBERS_MAX);
    part_t part = *region;
    if (count == 0) {
        snprintf(part.why, part.size, "nobody runs in the group of %s",
                 part.world->nodes[part.first].name);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        part.subgrid = subgrids[i];
        leaders[i] = resting_leader(&part);
        leaders[i] = leaders[i] != NULL ? leaders[i] : agree_within(&part);
        if (leaders[i] == NULL) {
            return NULL;
        }
    }
    for (uint32_t i = part.first; i < part.end; i++) {
        if (part.world->nodes[i].joins) {
            snprintf(part.why, part.size, "%s has no place yet", part.world->nodes[i].name);
            return NULL;
        }
    }
    return part.world->config.tiers ? agree_above(&part, leaders, count, GP_SEAT_REGION)
                                    : leaders[0];
}

bool gp_world_agrees(const gp_world_t *world, uint32_t group, char *why, size_t size)
{
    const gp_sim_node_t *peers[GP_MEMBERS_MAX];
    uint32_t first = group * world->config.group_size;
    uint32_t end = first + world->config.group_size;
    end = end < world->config.nodes ? end : world->config.nodes;
    uint32_t count = 0;
    part_t part = {.world = world, .why = why, .size = size};
    for (part.first = first; part.first < end; part.first = part.end) {
        part.end = part.first + gp_sim_region_size(world);
        part.end = part.end < end ? part.end : end;
        assert(count < GP_MEMBERS_MAX);
        peers[count] = agree_in_region(&part);
        if (peers[count++] == NULL) {
            return false;
        }
    }
    part.first = first;
    return !world->config.tiers || agree_above(&part, peers, count, GP_SEAT_GRID) != NULL;
}

/* ---- why not? -------------------------------------------------------------------------------- */

static const char *name_of(const gp_world_t *world, const gp_id_t *id)
{
    uint32_t node = gp_world_node(world, id);
    return gp_id_is_none(id) || node == UINT32_MAX ? "nobody" : world->nodes[node].name;
}

/* Appends to text; what does not fit is cut. */
static void add(char *text, size_t size, const char *format, ...)
{
    size_t n = strlen(text);
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text + n, size - n, format, list);
    va_end(list);
}

static void explain_election(const gp_world_t *world, const gp_election_t *election, char *text,
                             size_t size)
{
    gp_id_t leader = gp_election_leader(election);
    gp_record_voter_t voters[GP_VOTERS_MAX];
    uint32_t count = gp_election_voters(election, voters);
    add(text, size, "%s in term %llu (own %llu) by %s; voters", name_of(world, &leader),
        (unsigned long long)gp_election_term(election),
        (unsigned long long)gp_election_own_term(election),
        gp_right_name(gp_election_right(election)));
    for (uint32_t i = 0; i < count; i++) {
        add(text, size, " %s", name_of(world, &voters[i].id));
    }
}

static void explain_node(const gp_world_t *world, const gp_sim_node_t *node, char *text,
                         size_t size)
{
    const void *peer = gp_runner_core(node->runner);
    const gp_group_t *group = gp_peer_group(peer);
    text[0] = '\0';
    add(text, size, "%s: %s%s", node->name, node->paused ? "frozen, " : "",
        node->disk_full ? "disk full, " : "");
    explain_election(world, gp_peer_election(peer), text, size);
    add(text, size, "; view %u of term %llu, not alive:", gp_group_view_number(group),
        (unsigned long long)gp_group_view_term(group));
    for (uint32_t i = 0; i < gp_group_count(group); i++) {
        const gp_group_member_t *member = gp_group_member_at(group, i);
        if (member->state != GP_MEMBER_ALIVE && member->state != GP_MEMBER_LEFT) {
            add(text, size, " %s %s (%s)", name_of(world, &member->id),
                gp_member_state_name(member->state), gp_cause_name(member->cause));
        }
    }
    for (int seat = GP_SEAT_REGION; seat < GP_SEAT_COUNT; seat++) {
        const void *above = gp_peer_seat_election(peer, (gp_seat_t)seat);
        if (above != NULL) {
            add(text, size, "; tier %d: ", seat);
            explain_election(world, above, text, size);
        }
    }
}

void gp_world_explain(const gp_world_t *world, uint32_t group, gp_world_line_t *tell, void *context)
{
    uint32_t first = group * world->config.group_size;
    uint32_t end = first + world->config.group_size;
    end = end < world->config.nodes ? end : world->config.nodes;
    for (uint32_t i = first; i < end; i++) {
        const gp_sim_node_t *node = &world->nodes[i];
        char text[1024];
        if (node->packed) {
            snprintf(text, sizeof text, "%s: rests", node->name);
        } else if (node->running) {
            explain_node(world, node, text, sizeof text);
        } else {
            snprintf(text, sizeof text, "%s: does not run", node->name);
        }
        tell(context, text);
    }
}
