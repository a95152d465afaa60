#include "discovery/summary_table.h"

#include "discovery/summary.h"
#include "proto/random.h"

#define OCTAVE_MAX   254u /* and one for "unknown": a byte */
#define LINEAR_MAX   15u
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

_Static_assert(GP_ATTR_COUNT >= GP_SUMMARY_ATTRS, "attributes are never given up");

const gp_summary_number_t gp_summary_numbers[GP_SUMMARY_NUMBERS_COUNT] = {
#define N(ATTRIBUTE, SCALE, code_step, number_unit, dim_weight)                                    \
    [GP_SUMMARY_AT_##ATTRIBUTE] = {.attr = GP_ATTR_##ATTRIBUTE,                                    \
                                   .scale = GP_SCALE_##SCALE,                                      \
                                   .step = code_step,                                              \
                                   .weight = dim_weight,                                           \
                                   .unit = number_unit},
    GP_SUMMARY_FIXED(N) GP_SUMMARY_MOVING(N) GP_SUMMARY_APART(N)
#undef N
};

uint32_t gp_summary_number_find(uint32_t attr)
{
    uint32_t i = 0;
    while (i < GP_SUMMARY_NUMBERS_COUNT && gp_summary_numbers[i].attr != attr) {
        i += 1;
    }
    return i;
}

static uint32_t at_most(uint64_t number, uint32_t most)
{
    return number < most ? (uint32_t)number : most;
}

uint32_t gp_summary_code(uint32_t index, uint64_t number)
{
    assert(index < GP_SUMMARY_NUMBERS_COUNT);
    const gp_summary_number_t *n = &gp_summary_numbers[index];
    assert(n->scale != GP_SCALE_VERSION);
    uint64_t units = number / n->unit;
    if (n->scale == GP_SCALE_LINEAR) {
        return at_most(units, LINEAR_MAX);
    }
    if (units == 0) {
        return 0;
    }
    uint32_t power = 63u - (uint32_t)__builtin_clzll(units);
    uint64_t above = units - (UINT64_C(1) << power);
    uint64_t part = power >= n->step ? above >> (power - n->step) : above << (n->step - power);
    return at_most(1 + ((uint64_t)power << n->step | part), OCTAVE_MAX);
}

/* The least number of units with this code; UINT64_MAX: there is no such number. */
static uint64_t least_units(const gp_summary_number_t *n, uint32_t code)
{
    if (n->scale != GP_SCALE_OCTAVE || code == 0) {
        return code;
    }
    uint32_t power = (code - 1) >> n->step;
    uint64_t digits = (UINT64_C(1) << n->step) + ((code - 1) & ((1u << n->step) - 1));
    if (power > 63) {
        return UINT64_MAX;
    }
    if (power >= n->step) {
        return digits << (power - n->step);
    }
    uint32_t lost = n->step - power;
    return (digits + (UINT64_C(1) << lost) - 1) >> lost;
}

uint64_t gp_summary_least(uint32_t index, uint32_t code)
{
    assert(index < GP_SUMMARY_NUMBERS_COUNT && code <= gp_summary_code_max(index));
    const gp_summary_number_t *n = &gp_summary_numbers[index];
    uint64_t units = least_units(n, code);
    return units > UINT64_MAX / n->unit ? UINT64_MAX : units * n->unit;
}

uint64_t gp_summary_greatest(uint32_t index, uint32_t code)
{
    if (gp_summary_numbers[index].scale == GP_SCALE_VERSION) {
        return code;
    }
    if (code == gp_summary_code_max(index)) {
        return UINT64_MAX;
    }
    uint64_t next = gp_summary_least(index, code + 1);
    return next == UINT64_MAX ? next : next - 1;
}

uint32_t gp_summary_code_max(uint32_t index)
{
    assert(index < GP_SUMMARY_NUMBERS_COUNT);
    switch (gp_summary_numbers[index].scale) {
    case GP_SCALE_OCTAVE:
        return OCTAVE_MAX;
    case GP_SCALE_LINEAR:
        return LINEAR_MAX;
    default:
        return UINT16_MAX;
    }
}

uint32_t gp_summary_code_bits(uint32_t index)
{
    return 32u - (uint32_t)__builtin_clz(gp_summary_code_max(index));
}

/* ---- words --------------------------------------------------------------------------------- */

#define W(word)                                                                                    \
    {                                                                                              \
        word, sizeof word - 1                                                                      \
    }

static const gp_summary_word_t arch_words[] = {W("x86_64"), W("aarch64"),    W("riscv64"),
                                               W("armv7l"), W("ppc64le"),    W("s390x"),
                                               W("i686"),   W("loongarch64")};
static const gp_summary_word_t os_words[] = {W("debian"), W("ubuntu"), W("fedora"), W("rhel"),
                                             W("centos"), W("rocky"),  W("alpine"), W("almalinux"),
                                             W("arch"),   W("sles"),   W("amzn"),   W("raspbian")};
static const gp_summary_word_t kind_words[] = {W("ssd"), W("hdd")};
static const gp_summary_word_t fs_words[] = {W("ext4"),    W("xfs"),   W("btrfs"), W("zfs"),
                                             W("overlay"), W("tmpfs"), W("nfs4")};
static const gp_summary_word_t virt_words[] = {W("none"),   W("kvm"), W("vmware"), W("virtualbox"),
                                               W("hyperv"), W("xen"), W("vm")};
static const gp_summary_word_t container_words[] = {W("none"),   W("docker"), W("kubernetes"),
                                                    W("podman"), W("lxc"),    W("nspawn")};
static const gp_summary_word_t enforce_words[] = {W("hard"), W("soft"), W("none")};
static const gp_summary_word_t power_words[] = {W("ac"), W("battery")};
static const gp_summary_word_t isolate_words[] = {W("cgroup"), W("ipc"),     W("mnt"), W("net"),
                                                  W("pid"),    W("time"),    W("uts"), W("seccomp"),
                                                  W("user"),   W("landlock")};
static const gp_summary_word_t flag_words[] = {
    W("aes"),         W("avx"),      W("avx2"),   W("avx512f"),   W("avx512bw"),  W("avx512vl"),
    W("avx512_vnni"), W("amx_tile"), W("bmi2"),   W("fma"),       W("f16c"),      W("sse4_1"),
    W("sse4_2"),      W("ssse3"),    W("popcnt"), W("pclmulqdq"), W("rdrand"),    W("sha_ni"),
    W("sgx"),         W("sev"),      W("svm"),    W("vmx"),       W("tdx_guest"), W("neon"),
    W("asimd"),       W("sve"),      W("sve2"),   W("crc32"),     W("atomics"),   W("v")};
static const gp_summary_word_t has_words[] = {
    W("apptainer"), W("awk"),   W("bash"),   W("bwrap"),       W("cargo"),   W("cc"),
    W("clang"),     W("cmake"), W("criu"),   W("curl"),        W("docker"),  W("ffmpeg"),
    W("g++"),       W("gcc"),   W("gdb"),    W("git"),         W("go"),      W("gzip"),
    W("java"),      W("julia"), W("make"),   W("meson"),       W("mpirun"),  W("mysql"),
    W("ninja"),     W("node"),  W("npm"),    W("nvidia-smi"),  W("octave"),  W("perl"),
    W("php"),       W("pip3"),  W("podman"), W("psql"),        W("python3"), W("qemu-img"),
    W("R"),         W("rsync"), W("ruby"),   W("rustc"),       W("sh"),      W("singularity"),
    W("sqlite3"),   W("ssh"),   W("strace"), W("systemd-run"), W("tar"),     W("tmux"),
    W("wget"),      W("xz"),    W("zstd")};

/* T(attribute, words, count, hashed, weight) */
#define TEXTS(T)                                                                                   \
    T(ARCH, arch_words, COUNT(arch_words), true, 24)                                               \
    T(OS_ID, os_words, COUNT(os_words), true, 8)                                                   \
    T(DISK_KIND, kind_words, COUNT(kind_words), true, 6)                                           \
    T(DISK_FS, fs_words, COUNT(fs_words), true, 3)                                                 \
    T(VIRT, virt_words, COUNT(virt_words), true, 6)                                                \
    T(CONTAINER, container_words, COUNT(container_words), true, 6)                                 \
    T(ENFORCE_MEM, enforce_words, COUNT(enforce_words), true, 3)                                   \
    T(ENFORCE_CPU, enforce_words, COUNT(enforce_words), true, 3)                                   \
    T(ENFORCE_DISK, enforce_words, COUNT(enforce_words), true, 3)                                  \
    T(ENFORCE_PIDS, enforce_words, COUNT(enforce_words), true, 3)                                  \
    T(POWER, power_words, COUNT(power_words), true, 3)                                             \
    T(ISOLATE, isolate_words, COUNT(isolate_words), true, 3)                                       \
    T(CPU_FLAGS, flag_words, COUNT(flag_words), false, 6)                                          \
    T(HAS, has_words, COUNT(has_words), true, 6)                                                   \
    T(REGION, NULL, 0, true, 8)                                                                    \
    T(GPU_MODEL, NULL, 0, true, 12)                                                                \
    T(TAG, NULL, 0, true, 6)

enum {
#define T(ATTRIBUTE, list, n, is_hashed, dim_weight)                                               \
    FIRST_##ATTRIBUTE, OTHER_##ATTRIBUTE = FIRST_##ATTRIBUTE + (n),
    TEXTS(T) WORDS_USED
#undef T
};

_Static_assert(WORDS_USED <= GP_SUMMARY_WORDS, "the words of the table have room");

const gp_summary_text_t gp_summary_texts[] = {
#define T(ATTRIBUTE, list, n, is_hashed, dim_weight)                                               \
    {.attr = GP_ATTR_##ATTRIBUTE,                                                                  \
     .hashed = is_hashed,                                                                          \
     .first = FIRST_##ATTRIBUTE,                                                                   \
     .count = (n),                                                                                 \
     .weight = dim_weight,                                                                         \
     .words = list},
    TEXTS(T)
#undef T
};

const uint32_t gp_summary_text_count = COUNT(gp_summary_texts);

uint32_t gp_summary_word_count(void)
{
    return WORDS_USED;
}

uint32_t gp_summary_word_weight(uint32_t bit)
{
    uint32_t i = 0;
    while (bit > (uint32_t)gp_summary_texts[i].first + gp_summary_texts[i].count) {
        i += 1;
    }
    return gp_summary_texts[i].weight;
}

const gp_summary_text_t *gp_summary_text_find(uint32_t attr)
{
    for (uint32_t i = 0; i < COUNT(gp_summary_texts); i++) {
        if (gp_summary_texts[i].attr == attr) {
            return &gp_summary_texts[i];
        }
    }
    return NULL;
}

static bool is_word(const gp_summary_word_t *listed, gp_slice_t word)
{
    return listed->n == word.n && listed->text[0] == (char)word.p[0] &&
           memcmp(listed->text, word.p, word.n) == 0;
}

uint32_t gp_summary_word_find(const gp_summary_text_t *text, gp_slice_t word)
{
    uint32_t i = 0;
    while (i < text->count && !is_word(&text->words[i], word)) {
        i += 1;
    }
    return (uint32_t)text->first + i;
}

/* Words have the number of their attribute as seed, keys have a seed that is none. */
static uint32_t hash_bits(gp_slice_t bytes, uint64_t seed)
{
    return (uint32_t)(gp_hash(bytes.p, bytes.n, seed) >> (64 - GP_SUMMARY_HASH_BITS));
}

uint32_t gp_summary_hash_key(gp_slice_t key)
{
    return hash_bits(key, GP_SUMMARY_ATTRS);
}

uint32_t gp_summary_hash_label(gp_slice_t key, gp_slice_t value)
{
    return hash_bits(value, gp_hash(key.p, key.n, GP_ATTR_TAG));
}

uint32_t gp_summary_hash(uint32_t attr, gp_slice_t word, uint32_t ret_hashes[2])
{
    uint32_t n = attr == GP_ATTR_TAG ? 0 : word.n;
    while (n < word.n && word.p[n] != '=') {
        n += 1;
    }
    if (n == word.n) {
        ret_hashes[0] = hash_bits(word, attr);
        return 1;
    }
    ret_hashes[0] = gp_summary_hash_key(gp_slice(word.p, n));
    ret_hashes[1] =
        gp_summary_hash_label(gp_slice(word.p, n), gp_slice(word.p + n + 1, word.n - n - 1));
    return 2;
}
