/* The work core: homes that place jobs, executors that run them, users and the launcher. */
#include "tests/fuzz/core_configs.h"
#include "tests/fuzz/core_driver.h"

static const void *configure(uint64_t boot, uint8_t variant)
{
    static gp_work_config_t config;
    config = fuzz_work_config(boot, variant);
    config.roles = UINT16_MAX;
    return &config;
}

/* Members that may do everything. */
static bool opening(uint8_t variant, unsigned index, gp_msg_t *ret_msg)
{
    (void)variant;
    fuzz_message_empty(GP_MSG_WORK_MEMBER, ret_msg);
    ret_msg->u.work_member.roles = UINT16_MAX;
    ret_msg->u.work_member.entries_count = 1;
    ret_msg->u.work_member.entries[0] = fuzz_member((uint8_t)index);
    return index < 4;
}

const fuzz_core_t fuzz_core = {.ops = &gp_work_ops,
                               .room = GP_ROOM_WORK,
                               .configure = configure,
                               .opening = opening,
                               .commands = {GP_MSG_WORK_RUN, GP_MSG_WORK_ANSWER, GP_MSG_WORK_RUN,
                                            GP_MSG_WORK_ANSWER, GP_MSG_WORK_CONSUMED,
                                            GP_MSG_WORK_MEMBER, GP_MSG_WORK_CANCEL,
                                            GP_MSG_WORK_POLICY, GP_MSG_WORK_STOP}};
