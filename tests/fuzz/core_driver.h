/*
 * A core as a stream of events that the fuzzer's bytes choose.
 *
 * Everything between core and world is as in the daemon: frames come through the gate, sealed by
 * those who send them, and what a core sends is sealed and read again; records are kept once their
 * STORE is answered and are loaded again after a crash; timers are honoured, or missed for a while
 * as on a frozen machine; the launcher obeys its orders. Others of the group send whatever they
 * like, alone or together; only this machine's own signature nobody can forge. Time never goes
 * back. After each step the core's check runs and the sheet is looked through.
 *
 * The input: one byte of fuzz_variant_t bits, then events. The low half of an event's first byte
 * chooses what happens, the high half how much time passes before it. Messages are made field by
 * field, and zero bytes repeat what the core last said under that name (its group, term, ticket,
 * the digest of its roster ...), so that short inputs get deep.
 *
 * This is the harness's LLVMFuzzerTestOneInput; a harness defines `fuzz_core` and nothing else.
 */
#ifndef GP_TESTS_FUZZ_CORE_DRIVER_H
#define GP_TESTS_FUZZ_CORE_DRIVER_H

#include "proto/core.h"
#include "tests/fuzz/core_messages.h"

#define FUZZ_GROUP    UINT64_C(7)
#define FUZZ_REGION   (UINT64_C(1) << 56 | 8)
#define FUZZ_GRID     (UINT64_C(2) << 56 | 9)
#define FUZZ_MEMBERS  8  /* machines that a group has room for, this one among them */
#define FUZZ_COMMANDS 16 /* room for those of a core, and the 0 behind them */

typedef enum fuzz_variant {
    FUZZ_VARIANT_RELAYED = 1,  /* others cannot dial this machine */
    FUZZ_VARIANT_CERTS = 2,    /* members' certificates are kept */
    FUZZ_VARIANT_FOLLOWER = 4, /* this machine cannot lead */
    FUZZ_VARIANT_SMALL = 8,    /* less room than members, jobs and output need */
    FUZZ_VARIANT_EMPTY = 16,   /* without the core's opening */
    FUZZ_VARIANT_FOLLOWS = 32, /* another machine leads at first */
    FUZZ_VARIANT_TIERS = 64,   /* of a peer: it may have seats in a region and in the grid */
    FUZZ_VARIANT_SLOW = 128    /* a STORE is answered when the input says so; else at once */
} fuzz_variant_t;

typedef struct fuzz_core {
    const gp_core_ops_t *ops;
    gp_room_t room; /* whose messages it takes; 0: those of every core */
    /* The config of the start number `boot`. */
    const void *(*configure)(uint64_t boot, uint8_t variant);
    /*
     * What makes the rest interesting: message number `index`, a record that is loaded before the
     * start or a command after it. False: no more.
     */
    bool (*opening)(uint8_t variant, unsigned index, gp_msg_t *ret_msg);
    gp_msg_kind_t commands[FUZZ_COMMANDS]; /* what its shell, or other cores, tell it; then 0 */
    /* Can its shell say that? May be NULL: whatever fits the fields. */
    bool (*sayable)(const gp_msg_t *command);
} fuzz_core_t;

/* The core that this harness drives. */
extern const fuzz_core_t fuzz_core;

#endif
