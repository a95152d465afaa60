/* The disk of a fuzzed core: records that wait for it, and those that are durable. */
#ifndef GP_TESTS_FUZZ_CORE_DISK_H
#define GP_TESTS_FUZZ_CORE_DISK_H

#include "proto/core.h"

#define FUZZ_DISK_QUEUE   32   /* records of one room in one seat that wait */
#define FUZZ_DISK_RECORDS 64   /* durable ones */
#define FUZZ_DISK_BYTES   8192 /* of one record, packed */

void fuzz_disk_reset(void);

/* A STORE action: packs the record behind those of its room and seat that wait. */
void fuzz_disk_store(const gp_action_t *action);

uint32_t fuzz_disk_waiting(gp_seat_t seat, gp_room_t room);

/*
 * Answers the first that waits: durable if ok, else forgotten. False: none waits. The token is that
 * of its STORE.
 */
bool fuzz_disk_answer(gp_seat_t seat, gp_room_t room, bool ok, uint64_t *ret_token);

/* A crash: of what waits, the first `reached` of each room and seat became durable. */
void fuzz_disk_crash(uint32_t reached);

/* Durable record number `index`; its slices live until the next store. False: there is none. */
bool fuzz_disk_read(uint32_t index, gp_msg_t *ret_record);

#endif
