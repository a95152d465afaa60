#include "tests/fuzz/core_configs.h"

#include "tests/fuzz/core_driver.h"

#define KNOWN 4 /* members that are on the disk */

static gp_coordinate_t here; /* anew with each config; the peer has its own */

gp_group_config_t fuzz_group_config(uint64_t boot, uint8_t variant)
{
    gp_group_config_t config;
    gp_group_defaults(&config);
    config.group = FUZZ_GROUP;
    config.boot = boot;
    config.flags = (variant & FUZZ_VARIANT_RELAYED) != 0 ? GP_FLAG_RELAYED : 0;
    config.name = gp_text("n0");
    config.address = gp_text("tcp://127.0.0.1:7000");
    config.members_max = (variant & FUZZ_VARIANT_SMALL) != 0 ? FUZZ_MEMBERS / 2 : FUZZ_MEMBERS;
    config.cert_max = (variant & FUZZ_VARIANT_CERTS) != 0 ? GP_CERT_MAX : 0;
    gp_coordinate_start(&here);
    config.coordinate = &here;
    return config;
}

gp_election_config_t fuzz_election_config(uint8_t variant)
{
    gp_election_config_t config = gp_election_defaults();
    config.group = FUZZ_GROUP;
    config.can_lead = (variant & FUZZ_VARIANT_FOLLOWER) == 0;
    return config;
}

gp_discovery_config_t fuzz_discovery_config(uint64_t boot, uint8_t variant)
{
    bool small = (variant & FUZZ_VARIANT_SMALL) != 0;
    gp_coordinate_start(&here);
    here.usual = 1; /* as after its first round trip */
    return (gp_discovery_config_t){.group = FUZZ_GROUP,
                                   .incarnation = boot,
                                   .members_max = small ? FUZZ_MEMBERS / 2 : FUZZ_MEMBERS,
                                   .pool_bytes = small ? 64 : 1024,
                                   .name = gp_text("n0"),
                                   .region = gp_text("lab"),
                                   .address = gp_text("tcp://127.0.0.1:7000"),
                                   .coordinate = &here};
}

gp_work_config_t fuzz_work_config(uint64_t boot, uint8_t variant)
{
    bool small = (variant & FUZZ_VARIANT_SMALL) != 0;
    gp_work_config_t config;
    gp_work_config_default(&config);
    config.epoch = boot;
    config.home_max = small ? 2 : 4;
    config.attempts_max = small ? 2 : 4;
    config.running_max = small ? 1 : 3;
    config.command_bytes = small ? 64 : 1024;
    config.output_window = small ? 16 : 2048;
    return config;
}

gp_peer_config_t fuzz_peer_config(uint64_t boot, uint8_t variant)
{
    gp_peer_config_t config = {.group = fuzz_group_config(boot, variant),
                               .election = fuzz_election_config(variant),
                               .discovery = fuzz_discovery_config(boot, variant),
                               .work = fuzz_work_config(boot, variant),
                               .tiers = gp_tiers_defaults(),
                               .forming = gp_forming_defaults()};
    if ((variant & FUZZ_VARIANT_TIERS) != 0) {
        config.tiers.groups[GP_SEAT_REGION] = FUZZ_REGION;
        config.tiers.groups[GP_SEAT_GRID] = FUZZ_GRID;
    }
    return config;
}

void fuzz_group_state(gp_msg_t *ret_record)
{
    gp_msg_group_state_t *state = &ret_record->u.group_state;
    fuzz_message_empty(GP_MSG_GROUP_STATE, ret_record);
    state->group = FUZZ_GROUP;
    for (uint8_t i = 1; i <= KNOWN; i++) {
        state->entries[state->entries_count++] = fuzz_member(i);
    }
}

bool fuzz_election_found(uint8_t variant, gp_msg_t *ret_command)
{
    fuzz_message_empty(GP_MSG_ELECTION_FOUND, ret_command);
    ret_command->u.election_found.score = 500;
    ret_command->u.election_found.found = GP_FOUNDS_GRID;
    return (variant & FUZZ_VARIANT_FOLLOWS) == 0;
}

bool fuzz_group_sayable(const gp_msg_t *command)
{
    const gp_msg_group_introduce_t *introduce = &command->u.group_introduce;
    return command->kind != GP_MSG_GROUP_INTRODUCE || introduce->entries_count == 0 ||
           !gp_id_is_none(&introduce->entries[0].id);
}
