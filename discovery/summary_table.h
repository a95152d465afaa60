/*
 * What a summary keeps of a record, and how it rounds. All of it is on the wire: a change here is a
 * new GP_SUMMARY_VERSION. What is not in these tables a summary cannot exclude: name, cpu.model and
 * the words of cpu.flags that are not listed.
 *
 * Numbers become codes that keep their order, each first divided by its unit: where a machine does
 * not tell of smaller moves, or what people ask for.
 *   OCTAVE   0 for 0, else the power of two and `step` bits after it: 2^step codes an octave
 *   LINEAR   as it is, 15 at most
 *   VERSION  gp_version_code
 * The first GP_SUMMARY_DIMS numbers are joint: each class has its own; the first
 * GP_SUMMARY_KIND_DIMS of these hardly ever change, and machines bought together agree in them. Of
 * the other numbers only the least and the greatest of all machines are kept.
 */
#ifndef GP_DISCOVERY_SUMMARY_TABLE_H
#define GP_DISCOVERY_SUMMARY_TABLE_H

#include "discovery/attributes.h"

#define GP_SUMMARY_VERSION 1
#define GP_SUMMARY_ATTRS   48  /* attributes 1 .. 47; of later ones nothing is kept */
#define GP_SUMMARY_WORDS   192 /* room for listed words, each a bit */

/* N(attribute, SCALE, step, unit, weight of a code in the distance between two classes) */
#define GP_SUMMARY_FIXED(N)                                                                        \
    N(CPU, OCTAVE, 2, 1, 2)                                                                        \
    N(MEM, OCTAVE, 1, 64 * GP_MIB, 2)                                                              \
    N(GPU, OCTAVE, 1, 1, 8)                                                                        \
    N(NET_MBPS, OCTAVE, 0, GP_MEGA, 2)                                                             \
    N(LEND_NOW, LINEAR, 0, 1, 16)

#define GP_SUMMARY_MOVING(N)                                                                       \
    N(CPU_FREE, OCTAVE, 1, 250, 2)                                                                 \
    N(CPU_IDLE, LINEAR, 0, 125, 4)                                                                 \
    N(MEM_FREE, OCTAVE, 1, 64 * GP_MIB, 4)                                                         \
    N(DISK_FREE, OCTAVE, 1, 256 * GP_MIB, 4)                                                       \
    N(LOAD_1, OCTAVE, 0, 500, 2)

#define GP_SUMMARY_APART(N)                                                                        \
    N(UPTIME, OCTAVE, 0, 60000000, 0)                                                              \
    N(CPU_MHZ, OCTAVE, 2, GP_MEGA, 0)                                                              \
    N(CPU_SOCKETS, OCTAVE, 1, 1, 0)                                                                \
    N(PSI_CPU, OCTAVE, 0, 50, 0)                                                                   \
    N(PSI_MEM, OCTAVE, 0, 50, 0)                                                                   \
    N(PSI_IO, OCTAVE, 0, 50, 0)                                                                    \
    N(SWAP, OCTAVE, 0, 128 * GP_MIB, 0)                                                            \
    N(SWAP_FREE, OCTAVE, 0, 128 * GP_MIB, 0)                                                       \
    N(DISK, OCTAVE, 1, 256 * GP_MIB, 0)                                                            \
    N(USER_IDLE, OCTAVE, 0, 60000000, 0)                                                           \
    N(LEND_CPU, OCTAVE, 1, 250, 0)                                                                 \
    N(LEND_MEM, OCTAVE, 1, 64 * GP_MIB, 0)                                                         \
    N(LEND_DISK, OCTAVE, 1, 256 * GP_MIB, 0)                                                       \
    N(NET_IPV6, LINEAR, 0, 1, 0)                                                                   \
    N(VERSION, VERSION, 0, 1, 0)                                                                   \
    N(OS_VERSION, VERSION, 0, 1, 0)                                                                \
    N(KERNEL, VERSION, 0, 1, 0)                                                                    \
    N(LIBC, VERSION, 0, 1, 0)

enum {
#define GP_N(ATTRIBUTE, SCALE, step, unit, weight) GP_SUMMARY_AT_##ATTRIBUTE,
    GP_SUMMARY_FIXED(GP_N) GP_SUMMARY_KIND_DIMS,
    GP_SUMMARY_BEFORE_MOVING = GP_SUMMARY_KIND_DIMS - 1,
    GP_SUMMARY_MOVING(GP_N) GP_SUMMARY_DIMS,
    GP_SUMMARY_BEFORE_APART = GP_SUMMARY_DIMS - 1,
    GP_SUMMARY_APART(GP_N) GP_SUMMARY_NUMBERS_COUNT
#undef GP_N
};

typedef enum gp_scale { GP_SCALE_OCTAVE = 1, GP_SCALE_LINEAR, GP_SCALE_VERSION } gp_scale_t;

typedef struct gp_summary_number {
    uint8_t attr;
    uint8_t scale; /* gp_scale_t */
    uint8_t step;
    uint8_t weight;
    uint64_t unit;
} gp_summary_number_t;

extern const gp_summary_number_t gp_summary_numbers[GP_SUMMARY_NUMBERS_COUNT];

/* The index of the attribute's number in the table; GP_SUMMARY_NUMBERS_COUNT: it is not there. */
uint32_t gp_summary_number_find(uint32_t attr);

/* The code of a number; not of a version. */
uint32_t gp_summary_code(uint32_t index, uint64_t number);

/* The least and the greatest number with this code; of a code that none has, least > greatest. */
uint64_t gp_summary_least(uint32_t index, uint32_t code);
uint64_t gp_summary_greatest(uint32_t index, uint32_t code);

/* The largest code, and the bits that hold it. */
uint32_t gp_summary_code_max(uint32_t index);
uint32_t gp_summary_code_bits(uint32_t index);

typedef struct gp_summary_word {
    const char *text;
    uint8_t n;
} gp_summary_word_t;

/* The words of one attribute: bits first .. first + count - 1, and then one for any other word. */
typedef struct gp_summary_text {
    uint8_t attr;
    bool hashed; /* other words are also kept as hashes */
    uint8_t first;
    uint8_t count;
    uint8_t weight; /* of a word in the distance between two classes */
    const gp_summary_word_t *words;
} gp_summary_text_t;

extern const gp_summary_text_t gp_summary_texts[];
extern const uint32_t gp_summary_text_count;

/* Bits in use. */
uint32_t gp_summary_word_count(void);

/* What a bit weighs in the distance between two classes. */
uint32_t gp_summary_word_weight(uint32_t bit);

/* The attribute's words, or NULL. */
const gp_summary_text_t *gp_summary_text_find(uint32_t attr);

/* The bit of a word: that of "any other" for what is not listed. */
uint32_t gp_summary_word_find(const gp_summary_text_t *text, gp_slice_t word);

/*
 * The hashes of a word that is not listed, each of GP_SUMMARY_HASH_BITS: what holds the word has
 * all of them. Returns how many: a label KEY=VALUE of the attribute tag has one of its key, too.
 */
uint32_t gp_summary_hash(uint32_t attr, gp_slice_t word, uint32_t ret_hashes[2]);
uint32_t gp_summary_hash_key(gp_slice_t key);
uint32_t gp_summary_hash_label(gp_slice_t key, gp_slice_t value);

#endif
