/*
 * What the forming core asks the other cores of this machine: read within its own step.
 */
#include "agent/peer/peer_state.h"

#include "proto/cert.h"

static bool describe(void *context, gp_seat_t seat, const gp_id_t *id, gp_record_member_t *ret)
{
    const gp_peer_t *peer = context;
    const void *group = gp_peer_seat_group(peer, seat);
    const gp_group_member_t *member = group != NULL ? gp_group_member(group, id) : NULL;
    if (member == NULL || member->state == GP_MEMBER_NONE || member->state == GP_MEMBER_LEFT) {
        return false;
    }
    *ret = (gp_record_member_t){.id = member->id,
                                .incarnation = member->incarnation,
                                .state = (uint8_t)member->state,
                                .name = gp_text(member->name),
                                .address = gp_text(member->address),
                                .cert = member->cert};
    return true;
}

static uint32_t members(void *context, gp_forming_member_t ret[GP_MEMBERS_MAX])
{
    const void *group = gp_peer_group(context);
    uint32_t count = 0;
    for (uint32_t i = 0; i < gp_group_count(group) && count < GP_MEMBERS_MAX; i++) {
        const gp_group_member_t *member = gp_group_member_at(group, i);
        if (member->state == GP_MEMBER_ALIVE) {
            ret[count++] = (gp_forming_member_t){.id = member->id,
                                                 .located = member->coordinate.error > 0,
                                                 .coordinate = member->coordinate};
        }
    }
    return count;
}

/* Those that live, and those that were invited and have not come yet. */
static uint32_t known(void *context)
{
    const void *group = gp_peer_group(context);
    uint32_t count = 0;
    for (uint32_t i = 0; i < gp_group_count(group); i++) {
        const gp_group_member_t *member = gp_group_member_at(group, i);
        bool lives = member->state == GP_MEMBER_ALIVE || member->state == GP_MEMBER_SUSPECT;
        bool comes = member->state == GP_MEMBER_UNKNOWN && member->cause == GP_CAUSE_JOINED;
        count += lives || comes ? 1 : 0;
    }
    return count;
}

static uint32_t places(void *context, gp_seat_t seat, gp_forming_place_t ret[GP_MEMBERS_MAX])
{
    const void *route = gp_peer_route(context);
    uint32_t count = gp_route_count(route, seat);
    count = count < GP_MEMBERS_MAX ? count : GP_MEMBERS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        const gp_route_place_t *place = gp_route_at(route, seat, i);
        ret[i] = (gp_forming_place_t){.group = place->group,
                                      .name = gp_slice(place->name, place->name_n),
                                      .leader = place->leader,
                                      .members = place->members};
        ret[i].located = gp_coordinate_read(gp_slice(place->coordinate, place->coordinate_n),
                                            &ret[i].coordinate) == GP_OK;
    }
    return count;
}

/* By its region's place in the directory, or by whoever sits or sat in the grid for it. */
static bool has_region(void *context, uint64_t region, const gp_record_member_t *founder)
{
    const gp_peer_t *peer = context;
    const void *route = gp_peer_route(peer);
    const void *grid = gp_peer_seat_group(peer, GP_SEAT_GRID);
    bool has = region == peer->seats[GP_SEAT_REGION].group;
    for (uint32_t i = 0; i < gp_route_count(route, GP_SEAT_GRID); i++) {
        has = has || gp_route_at(route, GP_SEAT_GRID, i)->group == region;
    }
    gp_cert_t own, other;
    bool named = gp_cert_read(founder->cert, &own) == GP_OK;
    for (uint32_t i = 0; named && grid != NULL && i < gp_group_count(grid); i++) {
        const gp_group_member_t *member = gp_group_member_at(grid, i);
        bool gone = member->state == GP_MEMBER_LEFT && gp_cause_is_final((uint8_t)member->cause);
        has = has || (!gone && !gp_id_equal(&member->id, &founder->id) &&
                      gp_cert_read(member->cert, &other) == GP_OK &&
                      gp_slice_equal(gp_text(own.region), gp_text(other.region)));
    }
    return has;
}

/* Work that this machine has asked for or does: its end has still to reach those who wait. */
static bool busy(void *context)
{
    const gp_peer_t *peer = context;
    const void *work = gp_peer_work(peer);
    gp_work_job_t job;
    gp_work_attempt_t attempt;
    for (uint32_t i = 0; i < GP_JOBS_MAX; i++) {
        bool open = i < peer->home_max && gp_work_job_at(work, i, &job) && job.state < GP_JOB_DONE;
        bool taken = i < peer->attempts_max && gp_work_attempt_at(work, i, &attempt);
        if (open || taken) {
            return true;
        }
    }
    return false;
}

static bool own(void *context, gp_coordinate_t *ret)
{
    const gp_peer_t *peer = context;
    *ret = peer->coordinate;
    return peer->coordinate.error < GP_COORDINATE_ERROR_MAX;
}

gp_forming_view_t gp_peer_view(gp_peer_t *peer)
{
    return (gp_forming_view_t){.context = peer,
                               .describe = describe,
                               .members = members,
                               .known = known,
                               .places = places,
                               .has_region = has_region,
                               .busy = busy,
                               .own = own};
}

/* Also one that left: who gave its seat up may have founded what gives it a part again. */
bool gp_peer_expects(void *peer, gp_seat_t seat, const gp_id_t *id)
{
    const void *group = gp_peer_seat_group(peer, seat);
    return group != NULL && gp_group_member(group, id) != NULL;
}
