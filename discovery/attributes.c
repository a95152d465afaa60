#include "discovery/attributes.h"

#define SUGGEST_MAX 24 /* longer words get no suggestion */

#define IS_MORE_MORE true
#define IS_MORE_LESS false

const gp_attribute_t gp_attribute_table[GP_ATTR_COUNT] = {
#define GP_A(NAME, number, text, TYPE, unit, SOURCE, BETTER, dead, permille, says)                 \
    [number] = {.name = text,                                                                      \
                .name_n = sizeof text - 1,                                                         \
                .type = GP_TYPE_##TYPE,                                                            \
                .source = GP_SOURCE_##SOURCE,                                                      \
                .more = IS_MORE_##BETTER,                                                          \
                .bare = unit,                                                                      \
                .band = dead,                                                                      \
                .band_permille = permille,                                                         \
                .doc = says},
    GP_ATTRIBUTES(GP_A)
#undef GP_A
};

_Static_assert(GP_ATTR_COUNT <= GP_ATTRS_MAX, "a whole record must fit into one message");
_Static_assert(GP_ATTR_COUNT <= GP_ATTR_UNSET, "the bit is not part of a number");

/* What people call things elsewhere. */
static const struct synonym {
    const char *typed;
    uint16_t n;
    uint16_t attr;
} synonyms[] = {
#define SYNONYM(text, attribute)                                                                   \
    {                                                                                              \
        text, sizeof text - 1, GP_ATTR_##attribute                                                 \
    }
    SYNONYM("ram", MEM),         SYNONYM("memory", MEM),
    SYNONYM("cores", CPU),       SYNONYM("ncpu", CPU),
    SYNONYM("threads", CPU),     SYNONYM("cpu.cores", CPU),
    SYNONYM("hostname", NAME),   SYNONYM("host", NAME),
    SYNONYM("node", NAME),       SYNONYM("os", OS_ID),
    SYNONYM("distro", OS_ID),    SYNONYM("os.name", OS_ID),
    SYNONYM("label", TAG),       SYNONYM("labels", TAG),
    SYNONYM("programs", HAS),    SYNONYM("load", LOAD_1),
    SYNONYM("loadavg", LOAD_1),  SYNONYM("clock", CPU_MHZ),
    SYNONYM("mem.total", MEM),   SYNONYM("mem.available", MEM_FREE),
    SYNONYM("glibc", LIBC),      SYNONYM("free", MEM_FREE),
    SYNONYM("storage", DISK),    SYNONYM("ssd", DISK_KIND),
    SYNONYM("flags", CPU_FLAGS), SYNONYM("idle", USER_IDLE),
    SYNONYM("battery", POWER),   SYNONYM("latency", RTT),
    SYNONYM("ping", RTT),        SYNONYM("distance", RTT),
#undef SYNONYM
};

static bool name_is(gp_slice_t name, const char *text, uint32_t n)
{
    return name.n == n && memcmp(name.p, text, n) == 0;
}

uint32_t gp_attribute_find(gp_slice_t name)
{
    for (uint32_t i = 1; i < GP_ATTR_COUNT; i++) {
        if (gp_attribute_table[i].name != NULL &&
            name_is(name, gp_attribute_table[i].name, gp_attribute_table[i].name_n)) {
            return i;
        }
    }
    return name.n > 4 && memcmp(name.p, "tag.", 4) == 0 ? GP_ATTR_TAG : 0;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Three rows of the usual table suffice: adjacent transpositions look two rows back. */
static uint32_t distance(gp_slice_t a, gp_slice_t b)
{
    uint32_t rows[3][SUGGEST_MAX + 1];
    assert(a.n <= SUGGEST_MAX && b.n <= SUGGEST_MAX);
    for (uint32_t j = 0; j <= b.n; j++) {
        rows[0][j] = j;
    }
    for (uint32_t i = 1; i <= a.n; i++) {
        uint32_t *row = rows[i % 3];
        const uint32_t *above = rows[(i + 2) % 3];
        row[0] = i;
        for (uint32_t j = 1; j <= b.n; j++) {
            uint8_t x = lower(a.p[i - 1]);
            uint8_t y = lower(b.p[j - 1]);
            row[j] = smaller(above[j - 1] + (x == y ? 0u : 1u), smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && x == lower(b.p[j - 2]) && lower(a.p[i - 2]) == y) {
                row[j] = smaller(row[j], rows[(i + 1) % 3][j - 2] + 1);
            }
        }
    }
    return rows[a.n % 3][b.n];
}

uint32_t gp_attribute_suggest(gp_slice_t typed)
{
    if (typed.n == 0 || typed.n > SUGGEST_MAX) {
        return 0;
    }
    for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++) {
        uint32_t typing_error = typed.n > 4 ? 1 : 0;
        if (distance(typed, gp_slice(synonyms[i].typed, synonyms[i].n)) <= typing_error) {
            return synonyms[i].attr;
        }
    }
    uint32_t best = 0;
    uint32_t best_distance = 1 + (typed.n < 6 ? 1 : typed.n / 3); /* none yet: one too many */
    for (uint32_t i = 1; i < GP_ATTR_COUNT; i++) {
        if (gp_attribute_table[i].name == NULL) {
            continue;
        }
        uint32_t d =
            distance(typed, gp_slice(gp_attribute_table[i].name, gp_attribute_table[i].name_n));
        if (d < best_distance) {
            best = i;
            best_distance = d;
        }
    }
    return best;
}

const char *gp_type_text(gp_type_t type)
{
    switch (type) {
    case GP_TYPE_COUNT:
        return "a whole number";
    case GP_TYPE_DECIMAL:
        return "a number";
    case GP_TYPE_BYTES:
        return "in bytes";
    case GP_TYPE_FREQUENCY:
        return "a frequency";
    case GP_TYPE_BITRATE:
        return "a rate of bits";
    case GP_TYPE_DURATION:
        return "a duration";
    case GP_TYPE_SHARE:
        return "a share";
    case GP_TYPE_BOOL:
        return "true or false";
    case GP_TYPE_VERSION:
        return "a version";
    case GP_TYPE_WORD:
        return "a word";
    case GP_TYPE_WORDS:
        return "a set of words";
    }
    assert(false && "a type of the table");
    return "";
}

const char *gp_type_example(gp_type_t type)
{
    switch (type) {
    case GP_TYPE_COUNT:
        return "4";
    case GP_TYPE_DECIMAL:
        return "1.5";
    case GP_TYPE_BYTES:
        return "8GiB";
    case GP_TYPE_FREQUENCY:
        return "2.4GHz";
    case GP_TYPE_BITRATE:
        return "100Mbit/s";
    case GP_TYPE_DURATION:
        return "10min";
    case GP_TYPE_SHARE:
        return "50%";
    case GP_TYPE_BOOL:
        return "true";
    case GP_TYPE_VERSION:
        return "6.1";
    case GP_TYPE_WORD:
        return "x86_64";
    case GP_TYPE_WORDS:
        return "python3";
    }
    assert(false && "a type of the table");
    return "";
}

/* What fits one attribute is nonsense for another, most of all texts. */
static const char *const examples[GP_ATTR_COUNT] = {
    [GP_ATTR_NAME] = "n1",
    [GP_ATTR_REGION] = "lab",
    [GP_ATTR_VERSION] = "0.1.0",
    [GP_ATTR_ARCH] = "x86_64",
    [GP_ATTR_OS_ID] = "debian",
    [GP_ATTR_OS_VERSION] = "12",
    [GP_ATTR_KERNEL] = "6.1",
    [GP_ATTR_LIBC] = "2.36",
    [GP_ATTR_CPU_MODEL] = "'EPYC 7763'",
    [GP_ATTR_CPU_FLAGS] = "avx2",
    [GP_ATTR_DISK_KIND] = "ssd",
    [GP_ATTR_DISK_FS] = "ext4",
    [GP_ATTR_GPU_MODEL] = "A100",
    [GP_ATTR_VIRT] = "kvm",
    [GP_ATTR_CONTAINER] = "docker",
    [GP_ATTR_HAS] = "python3",
    [GP_ATTR_ISOLATE] = "seccomp",
    [GP_ATTR_ENFORCE_MEM] = "hard",
    [GP_ATTR_ENFORCE_CPU] = "hard",
    [GP_ATTR_ENFORCE_DISK] = "hard",
    [GP_ATTR_ENFORCE_PIDS] = "hard",
    [GP_ATTR_POWER] = "ac",
    [GP_ATTR_TAG] = "'rack=r3'",
    [GP_ATTR_RTT] = "5ms",
};

const char *gp_attribute_example(uint32_t number)
{
    const gp_attribute_t *attribute = gp_attribute(number);
    assert(attribute != NULL);
    const char *own = examples[number];
    return own != NULL ? own : gp_type_example((gp_type_t)attribute->type);
}
