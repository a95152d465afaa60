/* The whole peer: all cores of a machine as they are composed, behind the gate. */
#include "tests/fuzz/core_configs.h"
#include "tests/fuzz/core_driver.h"

static const void *configure(uint64_t boot, uint8_t variant)
{
    static gp_peer_config_t config;
    config = fuzz_peer_config(boot, variant);
    return &config;
}

/* A few members are known, this machine offers something, and founded the group or follows. */
static bool opening(uint8_t variant, unsigned index, gp_msg_t *ret_msg)
{
    switch (index) {
    case 0:
        fuzz_group_state(ret_msg);
        return true;
    case 1:
        fuzz_message_empty(GP_MSG_OWN_RECORD, ret_msg);
        ret_msg->u.own_record.whole = true;
        ret_msg->u.own_record.attrs_count = 1;
        ret_msg->u.own_record.attrs[0] = (gp_record_attr_t){.attr = GP_ATTR_CPU, .number = 4};
        return true;
    case 2:
        return fuzz_election_found(variant, ret_msg);
    default:
        return false;
    }
}

const fuzz_core_t fuzz_core = {
    .ops = &gp_peer_ops,
    .configure = configure,
    .opening = opening,
    .commands = {GP_MSG_WORK_RUN, GP_MSG_DISCOVERY_FIND, GP_MSG_GROUP_INTRODUCE, GP_MSG_OWN_RECORD,
                 GP_MSG_GROUP_SELF, GP_MSG_GROUP_CERT, GP_MSG_GROUP_DISK, GP_MSG_WORK_CONSUMED,
                 GP_MSG_WORK_CANCEL, GP_MSG_WORK_POLICY, GP_MSG_ELECTION_FOUND, GP_MSG_WORK_STOP,
                 GP_MSG_ELECTION_RELINQUISH},
    .sayable = fuzz_group_sayable};
