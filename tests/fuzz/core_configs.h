/* The configs of fuzzed cores: small, so that limits are met, and with the times of a real one. */
#ifndef GP_TESTS_FUZZ_CORE_CONFIGS_H
#define GP_TESTS_FUZZ_CORE_CONFIGS_H

#include "agent/peer/peer.h"

/* Of the start number `boot`; `variant`: fuzz_variant_t bits. */
gp_group_config_t fuzz_group_config(uint64_t boot, uint8_t variant);
gp_election_config_t fuzz_election_config(uint8_t variant);
gp_discovery_config_t fuzz_discovery_config(uint64_t boot, uint8_t variant);
gp_work_config_t fuzz_work_config(uint64_t boot, uint8_t variant);
gp_peer_config_t fuzz_peer_config(uint64_t boot, uint8_t variant);

/* The record of a group that knows a few members. */
void fuzz_group_state(gp_msg_t *ret_record);

/* The command by which this machine founded the group. False: in this variant it follows. */
bool fuzz_election_found(uint8_t variant, gp_msg_t *ret_command);

/* Commands that name nobody are not given: whoever is introduced has shown a certificate. */
bool fuzz_group_sayable(const gp_msg_t *command);

#endif
