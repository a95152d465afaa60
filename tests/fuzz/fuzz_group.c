/* The group core: views, suspicions, evidence, joining and leaving. */
#include "tests/fuzz/core_configs.h"
#include "tests/fuzz/core_driver.h"

static const void *configure(uint64_t boot, uint8_t variant)
{
    static gp_group_config_t config;
    config = fuzz_group_config(boot, variant);
    return &config;
}

/* A few members are known, and one of them or this machine leads them. */
static bool opening(uint8_t variant, unsigned index, gp_msg_t *ret_msg)
{
    if (index == 0) {
        fuzz_group_state(ret_msg);
        return true;
    }
    fuzz_message_empty(GP_MSG_GROUP_LEADER, ret_msg);
    gp_msg_group_leader_t *leader = &ret_msg->u.group_leader;
    leader->term = 1;
    bool follows = (variant & FUZZ_VARIANT_FOLLOWS) != 0;
    leader->leader = fuzz_id(follows ? 1 : 0);
    leader->deputy = fuzz_id(follows ? 0 : 1);
    leader->right = GP_RIGHT_QUORUM;
    leader->lease_until = follows ? 0 : GP_NEVER;
    leader->voters_count = 3;
    for (uint8_t i = 0; i < 3; i++) {
        leader->voters[i] = (gp_record_voter_t){.id = fuzz_id(i), .score = 500};
    }
    return index == 1;
}

const fuzz_core_t fuzz_core = {.ops = &gp_group_ops,
                               .room = GP_ROOM_GROUP,
                               .configure = configure,
                               .opening = opening,
                               .commands = {GP_MSG_GROUP_LEADER, GP_MSG_GROUP_INTRODUCE,
                                            GP_MSG_GROUP_LEAVE, GP_MSG_GROUP_SELF,
                                            GP_MSG_GROUP_CERT, GP_MSG_GROUP_DISK},
                               .sayable = fuzz_group_sayable};
