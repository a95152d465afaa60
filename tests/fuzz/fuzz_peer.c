/* The whole peer: all cores of a machine as they are composed, behind the gate. */
#include "tests/fuzz/core_configs.h"
#include "tests/fuzz/core_driver.h"

static const void *configure(uint64_t boot, uint8_t variant)
{
    static gp_peer_config_t config;
    config = (gp_peer_config_t){.group = fuzz_group_config(boot, variant),
                                .election = fuzz_election_config(variant),
                                .discovery = fuzz_discovery_config(boot, variant),
                                .work = fuzz_work_config(boot, variant)};
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
        memset(ret_msg, 0, gp_msg_size(GP_MSG_OWN_RECORD));
        ret_msg->kind = GP_MSG_OWN_RECORD;
        ret_msg->u.own_record.whole = true;
        ret_msg->u.own_record.attrs_count = 1;
        ret_msg->u.own_record.attrs[0] = (gp_record_attr_t){.attr = GP_ATTR_CPU, .number = 4};
        return true;
    case 2:
        memset(ret_msg, 0, gp_msg_size(GP_MSG_ELECTION_FOUND));
        ret_msg->kind = GP_MSG_ELECTION_FOUND;
        ret_msg->u.election_found.score = 500;
        return (variant & FUZZ_VARIANT_FOLLOWS) == 0;
    default:
        return false;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const gp_msg_kind_t commands[] = {
        GP_MSG_WORK_RUN,       GP_MSG_DISCOVERY_FIND, GP_MSG_GROUP_INTRODUCE,
        GP_MSG_OWN_RECORD,     GP_MSG_GROUP_SELF,     GP_MSG_GROUP_CERT,
        GP_MSG_WORK_CONSUMED,  GP_MSG_WORK_CANCEL,    GP_MSG_WORK_POLICY,
        GP_MSG_ELECTION_FOUND, GP_MSG_WORK_STOP,      GP_MSG_ELECTION_RELINQUISH};
    static const fuzz_core_t core = {.ops = &gp_peer_ops,
                                     .configure = configure,
                                     .opening = opening,
                                     .commands = commands,
                                     .command_count = sizeof commands / sizeof commands[0],
                                     .sayable = fuzz_group_sayable};
    return fuzz_core_run(&core, data, size);
}
