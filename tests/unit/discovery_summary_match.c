/* Queries over a summary: what it can exclude, and what it must not. */
#include <stdio.h>
#include <stdlib.h>

#include "discovery/summary.h"
#include "discovery_driver.h"

typedef struct line {
    const char *query;
    bool may;
} line_t;

static void check(const gp_summary_t *summary, const line_t *lines, size_t count)
{
    static gp_query_t query;
    gp_query_error_t error;
    for (size_t i = 0; i < count; i++) {
        if (gp_query_compile(gp_text(lines[i].query), &query, &error) != GP_OK) {
            fail_msg("%s: column %u: %s", lines[i].query, error.column, error.text);
        }
        if (gp_summary_may_match(summary, &query) != lines[i].may) {
            fail_msg("%s: should be %d", lines[i].query, lines[i].may);
        }
    }
}

#define CHECK(summary, lines) check(summary, lines, sizeof(lines) / sizeof(lines)[0])

/* A small machine with much memory, and a large one with little. */
static gp_summary_t two_machines(void)
{
    gp_summary_t summary;
    gp_records_t *r = driver_records(2);
    driver_set(r, 0, "name=n1 region=lab arch=x86_64 os.id=debian kernel=6.1.0 libc=2.36 cpu=4");
    driver_set(r, 0, "cpu.free=4 cpu.idle=100% load.1=0.25 mem=64GiB mem.free=48GiB gpu=0");
    driver_set(r, 0, "disk.kind=ssd container=none virt=none enforce.mem=hard swap=2GiB");
    driver_set(r, 0, "cpu.flags=aes,avx2,mmx has=gcc,zork uptime=3d net.ipv6=true tag=rack=r3");
    driver_set(r, 1, "name=n2 region=lab arch=aarch64 os.id=zork kernel=6.8 libc=2.36 cpu=64");
    driver_set(r, 1, "cpu.free=2 cpu.idle=3.1% load.1=62 mem=32GiB mem.free=4GiB gpu=2");
    driver_set(r, 1, "disk.kind=hdd container=none virt=kvm enforce.mem=soft gpu.model=A100");
    driver_set(r, 1, "cpu.flags=asimd has=make,gcc uptime=3d net.ipv6=true tag=rack=r4,spare");
    gp_summary_make(r, 3, &summary);
    free(r);
    return summary;
}

static void test_numbers(void **state)
{
    static const line_t lines[] = {
        {"", true},
        {"rtt <= 1ms", true}, /* from where, no summary knows */
        {"not rtt <= 1ms", true},
        {"rtt is not set", true},
        {"rtt > 1ms and cpu >= 80", false},
        {"cpu >= 64", true},
        {"cpu > 64", true}, /* 79 would have the same code */
        {"cpu >= 80", false},
        {"cpu == 4", true},
        {"cpu < 4", false},
        {"cpu <= 4", true},
        {"cpu in {1, 2, 3, 200}", false},
        {"cpu in {1, 64}", true},
        {"cpu == 100..200", false},
        {"cpu != 4..79", false},
        {"cpu not in 1..70", true},
        {"not cpu >= 4", false},
        {"not cpu >= 5", true},
        {"cpu >= 64 and mem.free >= 8GiB", false}, /* not the same machine */
        {"cpu >= 64 and mem.free >= 4GiB", true},
        {"cpu >= 4 and mem.free >= 48GiB", true},
        {"(cpu >= 64 and mem.free >= 8GiB) or gpu >= 3", false},
        {"not (cpu < 64 or mem.free < 8GiB)", false},
        {"load.1 < 0.5 and cpu >= 8", false},
        {"load.1 < 0.5 and cpu >= 4", true},
        {"load.1 >= 70", false},
        {"load.1 > 1", true},
        {"mem <= 16GiB", false},
        {"mem.free <= 4GiB", true},
        {"gpu", true},
        {"not gpu", true},
        {"gpu and cpu.idle >= 50%", false},
        {"swap", true},
        {"swap > 4GiB", false},
        {"not swap", false},
        {"net.ipv6", true},
        {"net.ipv6 == false", false},
        {"not net.ipv6", false},
        {"uptime > 30d", false},
        {"disk.free >= 1B", false}, /* nobody knows it */
        {"not disk.free >= 1B", false},
        {"lend.now", false},
        {"lend.now is not set", true},
        {"cpu is set", true},
        {"cpu is not set", false},
        {"swap is not set", true},
        {"swap is set", true},
        {"disk.free is set", false},
    };
    gp_summary_t summary = two_machines();
    (void)state;
    CHECK(&summary, lines);
}

static void test_attributes_compared(void **state)
{
    static const line_t lines[] = {
        {"mem.free >= mem", true}, {"mem > mem.free", true},       {"mem.free > swap", true},
        {"swap >= mem", false},    {"swap == mem", false},         {"swap != mem", true},
        {"not swap < mem", false}, {"not swap <= mem", false},     {"swap > mem or gpu > 9", false},
        {"cpu == gpu", false},     {"cpu.free > load.1", true},    {"mem >= disk.free", false},
        {"kernel > libc", true},   {"kernel <= libc", true},       {"kernel ~= os.version", false},
        {"gpu <= cpu", true},      {"not kernel == kernel", true}, /* of one code there may be two
                                                                      versions */
    };
    gp_summary_t summary = two_machines();
    (void)state;
    CHECK(&summary, lines);
}

static void test_versions(void **state)
{
    static const line_t lines[] = {
        {"kernel >= 6.9", false},       {"kernel >= 6.8", true},
        {"kernel > 6.8", true},         {"kernel < 6.1", true},
        {"kernel < 6.0", false},        {"kernel <= 5.19", false},
        {"kernel == 6.4", true},        {"kernel == 5.4", false},
        {"kernel != 6.4", true},        {"kernel ~= 6.2", true},
        {"kernel ~= 5", false},         {"kernel ~= 7", false},
        {"kernel ~= 6.9", false},       {"kernel ~= ''", true},
        {"kernel in 5.0..5.9", false},  {"kernel in {5, 6.5..9}", true},
        {"kernel in 6.9..7", false},    {"kernel not in 5.0..7", true},
        {"not kernel >= 5", false},     {"not kernel < 7", false},
        {"not kernel >= 6.5", true},    {"not kernel <= 6.9", false},
        {"not kernel > 6.0", false},    {"kernel", true},
        {"not kernel", true},           {"kernel like 7*", true}, /* not kept */
        {"os.version >= 1", false},     {"os.version like *", false},
        {"not os.version >= 1", false}, {"libc == 2.36", true},
    };
    gp_summary_t summary = two_machines();
    (void)state;
    CHECK(&summary, lines);
}

static void test_words(void **state)
{
    static const line_t lines[] = {
        {"arch == x86_64", true},
        {"arch == riscv64", false},
        {"arch == zork", false},
        {"arch in {riscv64, aarch64}", true},
        {"arch not in {x86_64, aarch64}", false},
        {"arch != x86_64 and cpu < 64", true}, /* the least of all is known, not of each class */
        {"arch == x86_64 and cpu >= 8", false},
        {"arch like *64", true},
        {"arch like r*", false},
        {"arch not like *64", false},
        {"arch", true},
        {"not arch", false},
        {"container", false},
        {"not container", true},
        {"container == none", true},
        {"container != none", false},
        {"virt", true},
        {"virt and arch == x86_64", false},
        {"os.id == zork", true},
        {"os.id == blorb", false},
        {"os.id == zork and arch == x86_64", false},
        {"os.id != zork and arch == aarch64", true}, /* any other word may have its hash */
        {"os.id like blorb", true},
        {"gpu.model == A100", true},
        {"gpu.model == T4", false},
        {"gpu.model == A100 and cpu <= 4", true},
        {"gpu.model == A100 and mem.free >= 8GiB", false},
        {"gpu.model like *A1*", true},
        {"enforce.mem in {hard} and cpu >= 8", false},
        {"enforce.cpu == hard", false},
        {"enforce.cpu is not set", true},
        {"power != ac", false}, /* nobody knows it */
        {"region == lab", true},
        {"region == field", false},
        {"name == n7", true},      /* not kept */
        {"cpu.model == x", false}, /* not kept, but nobody knows it */
        {"name is not set", false},
    };
    gp_summary_t summary = two_machines();
    (void)state;
    CHECK(&summary, lines);
}

static void test_sets(void **state)
{
    static const line_t lines[] = {
        {"has gcc", true},
        {"has docker", false},
        {"has zork", true},
        {"has blorb", false},
        {"has {gcc, make}", true},
        {"has {zork, make}", false},
        {"has zork and cpu >= 8", false},
        {"not has gcc", true}, /* of what is there, somebody may lack it */
        {"not has docker", true},
        {"has like d*", true}, /* zork is not listed: there is another word */
        {"has", true},
        {"cpu.flags has avx2", true},
        {"cpu.flags has avx512f", false},
        {"cpu.flags has pae", true},               /* not listed, and not kept */
        {"cpu.flags has pae and cpu >= 8", false}, /* that one has no other words */
        {"cpu.flags like sve*", true},
        {"cpu.flags like sve* and cpu >= 8", false},
        {"isolate has user", false},
        {"not isolate has user", false},
        {"tag has 'rack=r3'", true},
        {"tag has 'rack=r9'", false},
        {"tag has spare", true},
        {"tag has rack", false},
        {"tag.rack == r3", true},
        {"tag.rack == r9", false},
        {"tag.rack == r3 and cpu >= 8", false},
        {"tag.rack != r3", true},
        {"tag.rack in {r9, r4}", true},
        {"tag.rack in {r4, r9}", true},
        {"tag.rack in {r9, r8}", false},
        {"tag.rack like r9", true},
        {"tag.rack", true},
        {"tag.row", false},
        {"not tag.row", false},
        {"tag.row != r3", false},
        {"tag.row is set", false},
        {"tag.row is not set", true},
        {"tag.rack is set", true},
        {"tag.rack is not set", true},
        {"tag.spare is set", false},
    };
    gp_summary_t summary = two_machines();
    (void)state;
    CHECK(&summary, lines);
}

/* A machine of which nothing is known offers nothing, and yet it is there. */
static void test_unknown_machines(void **state)
{
    static const line_t lines[] = {
        {"", true},
        {"cpu is not set", true},
        {"not (cpu is set)", true},
        {"cpu >= 0", false},
        {"cpu >= 0 or not cpu >= 0", false}, /* no excluded middle */
        {"arch != x86_64", false},
        {"tag.k is not set", true},
    };
    gp_records_t *r = driver_records(3);
    gp_summary_t summary;
    (void)state;
    gp_summary_make(r, 7, &summary);
    CHECK(&summary, lines);
    free(r);
}

static void append(char text[GP_QUERY_MAX + 1], const char *more)
{
    size_t n = strlen(text);
    (void)snprintf(text + n, GP_QUERY_MAX + 1 - n, "%s", more);
}

/* As many levels as a query may have. */
static void test_deep(void **state)
{
    char text[GP_QUERY_MAX + 1] = "";
    line_t line = {.query = text, .may = true};
    gp_summary_t summary = two_machines();
    (void)state;
    for (int i = 0; i < GP_QUERY_DEPTH_MAX; i++) {
        append(text, "gpu > 9 or cpu and (");
    }
    append(text, "cpu");
    for (int i = 0; i < GP_QUERY_DEPTH_MAX; i++) {
        append(text, ")");
    }
    check(&summary, &line, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),  cmocka_unit_test(test_attributes_compared),
        cmocka_unit_test(test_versions), cmocka_unit_test(test_words),
        cmocka_unit_test(test_sets),     cmocka_unit_test(test_unknown_machines),
        cmocka_unit_test(test_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
