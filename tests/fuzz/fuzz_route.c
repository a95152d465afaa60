/* The routing core: places told upward, questions and answers carried, and signed by others. */
#include "discovery/route.h"
#include "tests/fuzz/core_configs.h"
#include "tests/fuzz/core_driver.h"

#define SUBGRID UINT64_C(3)

static const uint64_t groups[GP_SEAT_COUNT] = {SUBGRID, FUZZ_GROUP, FUZZ_GROUP + 1};

static const void *configure(uint64_t boot, uint8_t variant)
{
    static gp_route_config_t config;
    bool certs = (variant & FUZZ_VARIANT_CERTS) != 0;
    (void)boot;
    config = (gp_route_config_t){.subgrid = gp_text("s3"),
                                 .region = gp_text("lab"),
                                 .cert = gp_text(certs ? "certificate" : "")};
    memcpy(config.groups, groups, sizeof groups);
    if ((variant & FUZZ_VARIANT_SMALL) != 0) {
        config.groups[GP_SEAT_REGION] = config.groups[GP_SEAT_GRID] = 0;
    }
    return &config;
}

/* This machine leads at all tiers, or another one does; four machines are members above. */
static bool opening(uint8_t variant, unsigned index, gp_msg_t *ret_msg)
{
    const bool follows = (variant & FUZZ_VARIANT_FOLLOWS) != 0;
    if (index < GP_SEAT_COUNT) {
        fuzz_message_empty(GP_MSG_ROUTE_LEADER, ret_msg);
        gp_msg_route_leader_t *leader = &ret_msg->u.route_leader;
        leader->seat = (uint8_t)index;
        leader->group = groups[index];
        leader->term = 1;
        leader->leader = fuzz_id(follows ? 1 : 0);
        leader->deputy = fuzz_id(follows ? 0 : 1);
        leader->right = GP_RIGHT_QUORUM;
        return true;
    }
    fuzz_message_empty(GP_MSG_ROUTE_MEMBER, ret_msg);
    ret_msg->u.route_member.seat = index % 2 == 0 ? GP_SEAT_GRID : GP_SEAT_REGION;
    ret_msg->u.route_member.id = fuzz_id((uint8_t)((index - GP_SEAT_COUNT) / 2));
    return index < GP_SEAT_COUNT + 8;
}

const fuzz_core_t fuzz_core = {.ops = &gp_route_ops,
                               .room = GP_ROOM_ROUTE,
                               .configure = configure,
                               .opening = opening,
                               .commands = {GP_MSG_ROUTE_FIND, GP_MSG_ROUTE_LOCAL, GP_MSG_ROUTE_OWN,
                                            GP_MSG_ROUTE_LEADER, GP_MSG_ROUTE_MEMBER,
                                            GP_MSG_ROUTE_SELF}};
