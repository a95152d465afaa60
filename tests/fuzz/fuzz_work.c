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
    memset(ret_msg, 0, gp_msg_size(GP_MSG_WORK_MEMBER));
    ret_msg->kind = GP_MSG_WORK_MEMBER;
    ret_msg->u.work_member.roles = UINT16_MAX;
    ret_msg->u.work_member.entries_count = 1;
    ret_msg->u.work_member.entries[0] = fuzz_member((uint8_t)index);
    return index < 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const gp_msg_kind_t commands[] = {
        GP_MSG_WORK_RUN,    GP_MSG_WORK_ANSWER,   GP_MSG_WORK_RUN,
        GP_MSG_WORK_ANSWER, GP_MSG_WORK_CONSUMED, GP_MSG_WORK_MEMBER,
        GP_MSG_WORK_CANCEL, GP_MSG_WORK_POLICY,   GP_MSG_WORK_STOP};
    static const fuzz_core_t core = {.ops = &gp_work_ops,
                                     .room = GP_ROOM_WORK,
                                     .configure = configure,
                                     .opening = opening,
                                     .commands = commands,
                                     .command_count = sizeof commands / sizeof commands[0]};
    return fuzz_core_run(&core, data, size);
}
