/* Messages made field by field from bytes, and what a core last said under each name. */
#ifndef GP_TESTS_FUZZ_CORE_MESSAGES_H
#define GP_TESTS_FUZZ_CORE_MESSAGES_H

#include "proto/message_table.h"
#include "tests/fuzz/fuzz.h"

#define FUZZ_NAMES 256 /* of fields, and some room */
#define FUZZ_BLOB  512 /* bytes of evidence that are remembered */

/* This machine (0), the others of its group and strangers (1 .. 15, and again); never none. */
gp_id_t fuzz_id(uint8_t index);

/* A living member of that id, named "n1" and so on. */
gp_record_member_t fuzz_member(uint8_t index);

/* Values by the name of their field. */
typedef struct fuzz_memory {
    uint64_t numbers[FUZZ_NAMES];
    gp_id_t ids[FUZZ_NAMES];
    uint8_t blob[FUZZ_BLOB]; /* the last vote or release that this machine signed */
    size_t blob_n;
} fuzz_memory_t;

/* Forgets all. */
void fuzz_memory_reset(fuzz_memory_t *memory);

/* A number that is to be repeated under this name. */
void fuzz_memory_set(fuzz_memory_t *memory, const char *name, uint64_t number);
uint64_t fuzz_memory_get(const fuzz_memory_t *memory, const char *name);

/* Takes in what a message says; of a list, the first record. */
void fuzz_memory_hear(fuzz_memory_t *memory, const gp_msg_t *msg);

/* A message of `kind` that says nothing. */
void fuzz_message_empty(gp_msg_kind_t kind, gp_msg_t *ret_msg);

/*
 * Makes a message of `kind`, each field within its limits. Texts and blobs point into the bytes,
 * the memory or literals.
 */
void fuzz_message(fuzz_bytes_t *bytes, const fuzz_memory_t *memory, gp_msg_kind_t kind,
                  gp_msg_t *ret_msg);

#endif
