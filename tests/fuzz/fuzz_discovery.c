/* The discovery core: records, questions and answers. */
#include "tests/fuzz/core_configs.h"
#include "tests/fuzz/core_driver.h"

static const void *configure(uint64_t boot, uint8_t variant)
{
    static gp_discovery_config_t config;
    config = fuzz_discovery_config(boot, variant);
    return &config;
}

/* Members, and one of them or this machine leads them. */
static bool opening(uint8_t variant, unsigned index, gp_msg_t *ret_msg)
{
    if (index < 4) {
        fuzz_message_empty(GP_MSG_DISCOVERY_MEMBER, ret_msg);
        ret_msg->u.discovery_member.entries_count = 1;
        ret_msg->u.discovery_member.entries[0] = fuzz_member((uint8_t)index);
        return true;
    }
    fuzz_message_empty(GP_MSG_DISCOVERY_LEADER, ret_msg);
    ret_msg->u.discovery_leader.term = 1;
    bool follows = (variant & FUZZ_VARIANT_FOLLOWS) != 0;
    ret_msg->u.discovery_leader.leader = fuzz_id(follows ? 1 : 0);
    ret_msg->u.discovery_leader.deputy = fuzz_id(follows ? 2 : 1);
    ret_msg->u.discovery_leader.right = GP_RIGHT_QUORUM;
    ret_msg->u.discovery_leader.lease_until = GP_NEVER;
    return index == 4;
}

const fuzz_core_t fuzz_core = {.ops = &gp_discovery_ops,
                               .room = GP_ROOM_DISCOVERY,
                               .configure = configure,
                               .opening = opening,
                               .commands = {GP_MSG_OWN_RECORD, GP_MSG_DISCOVERY_FIND,
                                            GP_MSG_DISCOVERY_LEADER, GP_MSG_DISCOVERY_MEMBER}};
