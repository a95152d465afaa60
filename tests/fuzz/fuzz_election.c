/* The election core: votes, mandates, the lease, the register, handover, caretakers. */
#include "tests/fuzz/core_configs.h"
#include "tests/fuzz/core_driver.h"

static const void *configure(uint64_t boot, uint8_t variant)
{
    static gp_election_config_t config;
    (void)boot;
    config = fuzz_election_config(variant);
    return &config;
}

/* Others are there; this machine founded the group, unless the driver shows another's mandate. */
static bool opening(uint8_t variant, unsigned index, gp_msg_t *ret_msg)
{
    if (index == 1) {
        memset(ret_msg, 0, gp_msg_size(GP_MSG_ELECTION_FOUND));
        ret_msg->kind = GP_MSG_ELECTION_FOUND;
        ret_msg->u.election_found.score = 500;
        return (variant & FUZZ_VARIANT_FOLLOWS) == 0;
    }
    memset(ret_msg, 0, gp_msg_size(GP_MSG_ELECTION_STANDINGS));
    ret_msg->kind = GP_MSG_ELECTION_STANDINGS;
    gp_msg_election_standings_t *standings = &ret_msg->u.election_standings;
    for (uint8_t i = 0; i < 5; i++) {
        standings->members[standings->members_count++] =
            (gp_record_standing_t){.id = fuzz_id(i),
                                   .incarnation = 65536,
                                   .state = GP_MEMBER_ALIVE,
                                   .score = (uint16_t)(500 + 10 * i),
                                   .reached = true};
    }
    return index == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const gp_msg_kind_t commands[] = {GP_MSG_ELECTION_STANDINGS, GP_MSG_ELECTION_EVIDENCE,
                                             GP_MSG_ELECTION_RELINQUISH, GP_MSG_ELECTION_FOUND};
    static const fuzz_core_t core = {.ops = &gp_election_ops,
                                     .room = GP_ROOM_ELECTION,
                                     .configure = configure,
                                     .opening = opening,
                                     .commands = commands,
                                     .command_count = sizeof commands / sizeof commands[0]};
    return fuzz_core_run(&core, data, size);
}
