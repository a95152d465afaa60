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
        return fuzz_election_found(variant, ret_msg);
    }
    fuzz_message_empty(GP_MSG_ELECTION_STANDINGS, ret_msg);
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

const fuzz_core_t fuzz_core = {.ops = &gp_election_ops,
                               .room = GP_ROOM_ELECTION,
                               .configure = configure,
                               .opening = opening,
                               .commands = {GP_MSG_ELECTION_STANDINGS, GP_MSG_ELECTION_EVIDENCE,
                                            GP_MSG_ELECTION_RELINQUISH, GP_MSG_ELECTION_FOUND,
                                            GP_MSG_ELECTION_STAY}};
