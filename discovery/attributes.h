/*
 * The one table of attributes: what a machine can say about itself.
 *
 * A(NAME, number, name, TYPE, bare, SOURCE, BETTER, band, band_permille, doc)
 *
 * number   is for ever: on the wire an attribute is its number, and a number is never reused.
 * TYPE     decides the unit family and the operators (gp_type_t).
 * bare     what a number without a unit is multiplied with; 0: a unit is required.
 * SOURCE   FIXED: collected once; MOVING: collected again and again, goes out as a delta when it
 *          leaves its dead band; GIVEN: known from the certificate, or while a question is
 *          answered (rtt); a record cannot claim it.
 * BETTER   which way a rank prefers when neither asc nor desc is said.
 * band     dead band of a moving number, in base units, plus band_permille of the value last sent.
 *
 * Numbers are unsigned and in base units: bytes, hertz, bits per second, microseconds, permille,
 * thousandths. Absent means unknown; no number stands for "unknown".
 */
#ifndef GP_DISCOVERY_ATTRIBUTES_H
#define GP_DISCOVERY_ATTRIBUTES_H

#include "proto/limits.h"
#include "proto/types.h"

#define GP_MIB  (UINT64_C(1) << 20)
#define GP_GIB  (UINT64_C(1) << 30)
#define GP_MEGA UINT64_C(1000000)

#define GP_ATTRIBUTES(A)                                                                           \
    A(NAME, 1, "name", WORD, 0, GIVEN, LESS, 0, 0, "name of the machine in its grid")              \
    A(REGION, 2, "region", WORD, 0, GIVEN, LESS, 0, 0, "region that the machine belongs to")       \
    A(VERSION, 3, "version", VERSION, 0, FIXED, MORE, 0, 0, "version of the gridpeer agent")       \
    A(ARCH, 4, "arch", WORD, 0, FIXED, LESS, 0, 0, "processor architecture: x86_64, aarch64 ...")  \
    A(OS_ID, 5, "os.id", WORD, 0, FIXED, LESS, 0, 0, "distribution: debian, ubuntu, fedora ...")   \
    A(OS_VERSION, 6, "os.version", VERSION, 0, FIXED, MORE, 0, 0, "version of the distribution")   \
    A(KERNEL, 7, "kernel", VERSION, 0, FIXED, MORE, 0, 0, "release of the running kernel")         \
    A(LIBC, 8, "libc", VERSION, 0, FIXED, MORE, 0, 0, "version of the C library")                  \
    A(UPTIME, 9, "uptime", DURATION, 0, MOVING, MORE, 60000000, 125,                               \
      "time since the kernel started")                                                             \
    A(CPU, 10, "cpu", COUNT, 1, MOVING, MORE, 0, 0, "processors that the agent may use")           \
    A(CPU_MODEL, 11, "cpu.model", WORD, 0, FIXED, LESS, 0, 0, "model of the processor")            \
    A(CPU_MHZ, 12, "cpu.mhz", FREQUENCY, GP_MEGA, FIXED, MORE, 0, 0,                               \
      "highest clock of a processor")                                                              \
    A(CPU_FLAGS, 13, "cpu.flags", WORDS, 0, FIXED, LESS, 0, 0,                                     \
      "instruction sets: avx2, aes, sve ...")                                                      \
    A(CPU_FREE, 14, "cpu.free", DECIMAL, 1000, MOVING, MORE, 250, 125,                             \
      "processors that were idle lately")                                                          \
    A(CPU_IDLE, 15, "cpu.idle", SHARE, 0, MOVING, MORE, 100, 0,                                    \
      "share of processor time that was idle lately")                                              \
    A(CPU_SOCKETS, 16, "cpu.sockets", COUNT, 1, FIXED, MORE, 0, 0, "processor packages")           \
    A(LOAD_1, 17, "load.1", DECIMAL, 1000, MOVING, LESS, 500, 250, "load average of one minute")   \
    A(PSI_CPU, 18, "psi.cpu", SHARE, 0, MOVING, LESS, 50, 200,                                     \
      "share of time in which work waited for a processor")                                        \
    A(PSI_MEM, 19, "psi.mem", SHARE, 0, MOVING, LESS, 20, 200,                                     \
      "share of time in which work waited for memory")                                             \
    A(PSI_IO, 20, "psi.io", SHARE, 0, MOVING, LESS, 50, 200,                                       \
      "share of time in which work waited for disks")                                              \
    A(MEM, 21, "mem", BYTES, 0, MOVING, MORE, 0, 0, "memory that the agent may use")               \
    A(MEM_FREE, 22, "mem.free", BYTES, 0, MOVING, MORE, 64 * GP_MIB, 50,                           \
      "memory that new work could use")                                                            \
    A(SWAP, 23, "swap", BYTES, 0, MOVING, MORE, 0, 0, "size of the swap space")                    \
    A(SWAP_FREE, 24, "swap.free", BYTES, 0, MOVING, MORE, 128 * GP_MIB, 50, "unused swap space")   \
    A(DISK, 25, "disk", BYTES, 0, MOVING, MORE, GP_MIB, 0, "size of the file system for work")     \
    A(DISK_FREE, 26, "disk.free", BYTES, 0, MOVING, MORE, 256 * GP_MIB, 20,                        \
      "room on the file system for work")                                                          \
    A(DISK_KIND, 27, "disk.kind", WORD, 0, FIXED, LESS, 0, 0,                                      \
      "ssd or hdd, of the file system for work")                                                   \
    A(DISK_FS, 28, "disk.fs", WORD, 0, FIXED, LESS, 0, 0,                                          \
      "type of the file system for work: ext4 ...")                                                \
    A(NET_MBPS, 29, "net.mbps", BITRATE, GP_MEGA, MOVING, MORE, 0, 0,                              \
      "speed of the fastest network card that is up")                                              \
    A(NET_IPV6, 30, "net.ipv6", BOOL, 0, MOVING, MORE, 0, 0, "has a global IPv6 address")          \
    A(GPU, 31, "gpu", COUNT, 1, FIXED, MORE, 0, 0, "graphics or compute accelerators")             \
    A(GPU_MODEL, 32, "gpu.model", WORD, 0, FIXED, LESS, 0, 0, "model of the first accelerator")    \
    A(VIRT, 33, "virt", WORD, 0, FIXED, LESS, 0, 0,                                                \
      "virtual machine type (kvm, vmware, vm ...), or none")                                       \
    A(CONTAINER, 34, "container", WORD, 0, FIXED, LESS, 0, 0,                                      \
      "container type (docker, lxc ...), or none")                                                 \
    A(HAS, 35, "has", WORDS, 0, MOVING, LESS, 0, 0,                                                \
      "programs found there: python3, gcc, docker ...")                                            \
    A(ISOLATE, 36, "isolate", WORDS, 0, FIXED, LESS, 0, 0,                                         \
      "means of isolation: user, pid, net, seccomp ...")                                           \
    A(ENFORCE_MEM, 37, "enforce.mem", WORD, 0, FIXED, LESS, 0, 0,                                  \
      "how memory limits hold: hard, soft or none")                                                \
    A(ENFORCE_CPU, 38, "enforce.cpu", WORD, 0, FIXED, LESS, 0, 0,                                  \
      "how processor limits hold: hard, soft or none")                                             \
    A(ENFORCE_DISK, 39, "enforce.disk", WORD, 0, FIXED, LESS, 0, 0,                                \
      "how disk limits hold: hard, soft or none")                                                  \
    A(ENFORCE_PIDS, 40, "enforce.pids", WORD, 0, FIXED, LESS, 0, 0,                                \
      "how process limits hold: hard, soft or none")                                               \
    A(USER_IDLE, 41, "user.idle", DURATION, 0, MOVING, MORE, 60000000, 125,                        \
      "time since somebody typed on a terminal there")                                             \
    A(POWER, 42, "power", WORD, 0, MOVING, LESS, 0, 0, "ac or battery")                            \
    A(LEND_NOW, 43, "lend.now", BOOL, 0, MOVING, MORE, 0, 0, "the owner lends the machine now")    \
    A(LEND_CPU, 44, "lend.cpu", DECIMAL, 1000, MOVING, MORE, 0, 0,                                 \
      "processors that the owner lends")                                                           \
    A(LEND_MEM, 45, "lend.mem", BYTES, 0, MOVING, MORE, 0, 0, "memory that the owner lends")       \
    A(LEND_DISK, 46, "lend.disk", BYTES, 0, MOVING, MORE, 0, 0, "disk space that the owner lends") \
    A(TAG, 47, "tag", WORDS, 0, MOVING, LESS, 0, 0,                                                \
      "free labels KEY=VALUE; tag.KEY is one of them")                                             \
    A(RTT, 48, "rtt", DURATION, 0, GIVEN, LESS, 0, 0,                                              \
      "round trip from the machine that --near names, as estimated")

typedef enum gp_attr {
#define GP_A(NAME, number, name, TYPE, bare, SOURCE, BETTER, band, permille, doc)                  \
    GP_ATTR_##NAME = number,
    GP_ATTRIBUTES(GP_A)
#undef GP_A
        GP_ATTR_COUNT /* one more than the highest number */
} gp_attr_t;

/* In a delta: this bit beside an attribute's number says that it is no longer known. */
#define GP_ATTR_UNSET 0x8000u

/* In the number of a set of words: the list was cut, so an absent word is unknown. */
#define GP_ATTR_CUT 1u

typedef enum gp_type {
    GP_TYPE_COUNT = 1, /* whole number */
    GP_TYPE_DECIMAL,   /* number in thousandths: 1.5 */
    GP_TYPE_BYTES,     /* 8GiB, 500MB */
    GP_TYPE_FREQUENCY, /* hertz: 2.4GHz */
    GP_TYPE_BITRATE,   /* bits per second: 100Mbit/s */
    GP_TYPE_DURATION,  /* microseconds: 10min, 7d */
    GP_TYPE_SHARE,     /* permille: 50% */
    GP_TYPE_BOOL,      /* true, false */
    GP_TYPE_VERSION,   /* text ordered as a version: 6.1.0-13 */
    GP_TYPE_WORD,      /* text, compared exactly */
    GP_TYPE_WORDS      /* a set of words, separated by one space each */
} gp_type_t;

typedef enum gp_source { GP_SOURCE_FIXED = 1, GP_SOURCE_MOVING, GP_SOURCE_GIVEN } gp_source_t;

typedef struct gp_attribute {
    const char *name; /* NULL: this number is not in use */
    uint8_t name_n;
    uint8_t type;   /* gp_type_t */
    uint8_t source; /* gp_source_t */
    bool more;      /* a rank prefers the larger value */
    uint64_t bare;
    uint64_t band;
    uint32_t band_permille;
    const char *doc;
} gp_attribute_t;

extern const gp_attribute_t gp_attribute_table[GP_ATTR_COUNT];

/* The attribute with this number, or NULL. Iterate 1 .. GP_ATTR_COUNT-1 for the reference. */
static inline const gp_attribute_t *gp_attribute(uint32_t number)
{
    bool used = number < GP_ATTR_COUNT && gp_attribute_table[number].name != NULL;
    return used ? &gp_attribute_table[number] : NULL;
}

/* The number of the attribute with exactly this name; 0: none. "tag.KEY" is GP_ATTR_TAG. */
uint32_t gp_attribute_find(gp_slice_t name);

/*
 * The attribute that somebody who typed this probably meant; 0: no idea. Damerau-Levenshtein
 * distance (Damerau, CACM 7(3), 1964; adjacent transpositions) with a few everyday synonyms.
 */
uint32_t gp_attribute_suggest(gp_slice_t typed);

/* What the type is called in a sentence: "a whole number", "in bytes" ... */
const char *gp_type_text(gp_type_t type);

/* A value of the type as a user would write it: "8GiB". */
const char *gp_type_example(gp_type_t type);

/* A value that this attribute may have: "debian" for os.id. */
const char *gp_attribute_example(uint32_t number);

/* Numbers: everything that is not text. */
static inline bool gp_type_is_number(gp_type_t type)
{
    return type < GP_TYPE_VERSION;
}

#endif
