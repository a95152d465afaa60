/* Evaluation: three values, every operator, and a slow twin that reads the same text. */
#include <stdio.h>
#include <stdlib.h>

#include "discovery/match.h"
#include "discovery_driver.h"

static gp_query_t query;
static gp_query_error_t error;

static void compile(const char *text)
{
    if (gp_query_compile(gp_text(text), &query, &error) != GP_OK) {
        fail_msg("%s: column %u: %s", text, error.column, error.text);
    }
}

/* 'y', 'n' or '?' for lane 0 of a query of one part. */
static char verdict(const char *text, const gp_records_t *r)
{
    compile(text);
    assert_int_equal(query.part_count, 1);
    gp_verdict_t v = gp_query_part_eval(&query, 0, r, UINT64_MAX);
    bool matches = (gp_query_eval(&query, r, UINT64_MAX) & 1) != 0;
    assert_int_equal(matches, v.yes & 1);
    return (v.yes & 1) != 0 ? 'y' : ((v.no & 1) != 0 ? 'n' : '?');
}

typedef struct line {
    const char *query;
    char says;
} line_t;

static void check(const gp_records_t *r, const line_t *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char says = verdict(lines[i].query, r);
        if (says != lines[i].says) {
            fail_msg("%s: %c", lines[i].query, says);
        }
    }
}

#define CHECK(r, lines) check(r, lines, sizeof(lines) / sizeof(lines)[0])

static void test_numbers(void **state)
{
    static const line_t lines[] = {
        {"cpu = 4", 'y'},           {"cpu == 4", 'y'},
        {"cpu != 4", 'n'},          {"cpu < 4", 'n'},
        {"cpu <= 4", 'y'},          {"cpu > 4", 'n'},
        {"cpu >= 4", 'y'},          {"cpu > 3", 'y'},
        {"cpu < 5", 'y'},           {"cpu < 0", 'n'},
        {"cpu >= 0", 'y'},          {"cpu > 18446744073709551615", 'n'},
        {"cpu == 3.5", 'n'},        {"cpu != 3.5", 'y'},
        {"cpu > 3.5", 'y'},         {"cpu >= 4.5", 'n'},
        {"cpu < 4.5", 'y'},         {"cpu <= 3.5", 'n'},
        {"cpu in {1, 4}", 'y'},     {"cpu in {1, 5..9}", 'n'},
        {"cpu in {1, 3.5}", 'n'},   {"cpu in 4..4", 'y'},
        {"cpu == 2..4", 'y'},       {"cpu != 2..4", 'n'},
        {"cpu in 3.5..4.5", 'y'},   {"cpu in 4.1..4.9", 'n'},
        {"cpu not in {4}", 'n'},    {"mem >= 8GiB", 'y'},
        {"mem >= 8.6GB", 'n'},      {"mem == 8 GiB", 'y'},
        {"mem in 1GiB..8GiB", 'y'}, {"load.1 < 0.5", 'y'},
        {"load.1 == 0.25", 'y'},    {"cpu.idle >= 50%", 'y'},
        {"cpu.mhz > 2000", 'y'},    {"uptime > 1d", 'y'},
        {"net.ipv6", 'y'},          {"net.ipv6 == false", 'n'},
        {"net.ipv6 != false", 'y'}, {"gpu", 'n'},
        {"not gpu", 'y'},           {"gpu == 0", 'y'},
    };
    gp_records_t *r = driver_records(1);
    (void)state;
    driver_set(r, 0, "cpu=4 mem=8GiB load.1=0.25 cpu.idle=75% cpu.mhz=2400 uptime=36h");
    driver_set(r, 0, "net.ipv6=true gpu=0");
    CHECK(r, lines);
    free(r);
}

static void test_texts(void **state)
{
    static const line_t lines[] = {
        {"arch == x86_64", 'y'},
        {"arch == X86_64", 'n'},
        {"arch != x86_64", 'n'},
        {"arch in {aarch64, x86_64}", 'y'},
        {"arch not in {aarch64, x86_64}", 'n'},
        {"arch like x86*", 'y'},
        {"arch like X86?64", 'y'},
        {"arch not like x86*", 'n'},
        {"arch like ''", 'n'},
        {"arch == ''", 'n'},
        {"cpu.model == \"AMD EPYC\"", 'y'},
        {"cpu.model like *epyc*", 'y'},
        {"container", 'n'}, /* it is "none" */
        {"not container", 'y'},
        {"virt", 'y'},
        {"kernel >= 6.1", 'y'},
        {"kernel < 6.2", 'n'},
        {"kernel == 6.18.44", 'n'},
        {"kernel == 6.18.44-fc", 'y'},
        {"kernel != 6.18.44-fc", 'n'},
        {"kernel ~= 6.1", 'y'},
        {"kernel ~= 5.1", 'n'},
        {"kernel in 6.1..6.18", 'n'},
        {"kernel in 6.19..7", 'n'},
        {"kernel in {5, 6.1..6.19}", 'y'},
        {"kernel like 6.18.*", 'y'},
        {"kernel > libc", 'y'},
        {"libc ~= kernel", 'n'},
        {"cpu.flags has avx2", 'y'},
        {"cpu.flags has {avx2, aes}", 'y'},
        {"cpu.flags has {avx2, sve}", 'n'},
        {"cpu.flags not has sve", 'y'},
        {"cpu.flags like avx*", 'y'},
        {"cpu.flags like sve*", 'n'},
        {"has gcc", 'y'},
        {"has {gcc, make}", 'n'},
        {"has like g*", 'y'},
        {"isolate", 'n'}, /* an empty set */
        {"tag.rack == r3", 'y'},
        {"tag.rack like r?", 'y'},
        {"tag.rack", 'y'},
        {"tag.spare", 'n'},
        {"tag.none", '?'},
        {"not tag.none", '?'},
        {"tag.none is set", 'n'},
        {"tag.rack is set", 'y'},
        {"tag.rac is not set", 'y'},
        {"tag has \"rack=r3\"", 'y'},
    };
    gp_records_t *r = driver_records(1);
    (void)state;
    driver_set(r, 0, "arch=x86_64 container=none virt=kvm kernel=6.18.44-fc libc=2.36 has=gcc");
    driver_set(r, 0, "cpu.flags=aes,avx,avx2");
    gp_records_set_text(r, 0, GP_ATTR_CPU_MODEL, gp_text("AMD EPYC"), false);
    gp_records_set_text(r, 0, GP_ATTR_ISOLATE, gp_text(""), false);
    gp_records_set_text(r, 0, GP_ATTR_TAG, gp_text("rack=r3 spare=no"), false);
    CHECK(r, lines);
    free(r);
}

/* A cut list does not say what is not there. */
static void test_cut_sets(void **state)
{
    static const line_t lines[] = {
        {"has gcc", 'y'},     {"has make", '?'},    {"not has make", '?'}, {"has {gcc, make}", '?'},
        {"has like g*", 'y'}, {"has like m*", '?'}, {"has", 'y'},
    };
    gp_records_t *r = driver_records(1);
    (void)state;
    gp_records_set_text(r, 0, GP_ATTR_HAS, gp_text("gcc"), true);
    CHECK(r, lines);
    free(r);
}

/* cpu is true (1), gpu false (0), net.ipv6 unknown. */
static void test_kleene(void **state)
{
    static const line_t lines[] = {
        {"cpu", 'y'},
        {"gpu", 'n'},
        {"net.ipv6", '?'},
        {"not cpu", 'n'},
        {"not gpu", 'y'},
        {"not net.ipv6", '?'},
        {"not not net.ipv6", '?'},
        {"(cpu and cpu)", 'y'},
        {"(cpu and gpu)", 'n'},
        {"(cpu and net.ipv6)", '?'},
        {"(gpu and net.ipv6)", 'n'},
        {"(net.ipv6 and gpu)", 'n'},
        {"(net.ipv6 and net.ipv6)", '?'},
        {"cpu or gpu", 'y'},
        {"gpu or gpu", 'n'},
        {"cpu or net.ipv6", 'y'},
        {"net.ipv6 or cpu", 'y'},
        {"gpu or net.ipv6", '?'},
        {"net.ipv6 or net.ipv6", '?'},
        {"not (cpu and net.ipv6)", '?'},
        {"not (gpu and net.ipv6)", 'y'},
        {"not (cpu or net.ipv6)", 'n'},
        {"net.ipv6 or not net.ipv6", '?'}, /* no excluded middle */
        {"net.ipv6 is set", 'n'},
        {"net.ipv6 is not set", 'y'},
        {"net.ipv6 == true", '?'},
        {"net.ipv6 != true", '?'},
        {"mem > 1B", '?'},
        {"mem != 1B", '?'},
        {"mem in {1B}", '?'},
        {"mem not in {1B}", '?'},
        {"mem >= lend.mem", '?'},
        {"arch == x", '?'},
        {"arch not like x", '?'},
        {"has x", '?'},
        {"kernel != 6", '?'},
        {"tag.a != b", '?'},
    };
    gp_records_t *r = driver_records(1);
    (void)state;
    driver_set(r, 0, "cpu=1 gpu=0");
    CHECK(r, lines);
    free(r);
}

static void test_attributes_compared(void **state)
{
    static const line_t lines[] = {
        {"mem.free >= lend.mem", 'y'}, {"mem.free > lend.mem", 'n'}, {"mem.free == lend.mem", 'y'},
        {"mem.free != lend.mem", 'n'}, {"mem.free < mem", 'y'},      {"mem <= mem.free", 'n'},
        {"mem >= swap", '?'},          {"not mem >= swap", '?'},
    };
    gp_records_t *r = driver_records(1);
    (void)state;
    driver_set(r, 0, "mem=8GiB mem.free=2GiB lend.mem=2GiB");
    CHECK(r, lines);
    free(r);
}

static void test_empty_query_matches_all(void **state)
{
    gp_records_t *r = driver_records(7);
    (void)state;
    compile("cpu is not set");
    gp_verdict_t v = gp_query_part_eval(&query, 0, r, 0x2a);
    assert_int_equal(v.yes, 0x2a); /* only who was asked */
    compile("not (arch is not set)");
    v = gp_query_part_eval(&query, 0, r, 0x2a);
    assert_int_equal(v.yes, 0);
    assert_int_equal(v.no, 0x2a);
    compile("");
    assert_int_equal(gp_query_eval(&query, r, UINT64_MAX), 0x7f);
    assert_int_equal(gp_query_eval(&query, r, 0x12), 0x12);
    free(r);
}

static void test_attributes_mentioned(void **state)
{
    uint16_t attrs[4];
    (void)state;
    compile("cpu > 1 and mem.free >= lend.mem or not cpu < 9 and tag.a == b");
    assert_int_equal(gp_query_attrs(&query, attrs, 4), 4);
    assert_int_equal(attrs[0], GP_ATTR_CPU);
    assert_int_equal(attrs[1], GP_ATTR_MEM_FREE);
    assert_int_equal(attrs[2], GP_ATTR_LEND_MEM);
    assert_int_equal(attrs[3], GP_ATTR_TAG);
    assert_int_equal(gp_query_attrs(&query, attrs, 2), 2);
}

static void test_deep_nesting_needs_no_deep_stack(void **state)
{
    char text[GP_QUERY_MAX + 1] = "";
    gp_records_t *r = driver_records(1);
    (void)state;
    driver_set(r, 0, "gpu=0 cpu=1");
    for (int i = 0; i < GP_QUERY_DEPTH_MAX; i++) { /* two operands wait at each level */
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "gpu or cpu and (");
    }
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), "cpu");
    for (int i = 0; i < GP_QUERY_DEPTH_MAX; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), ")");
    }
    assert_int_equal(verdict(text, r), 'y');
    free(r);
}

/* ---- the slow twin: a random tree, evaluated directly and, printed as a query, by the library ---
 */

typedef struct tree {
    char op; /* & | ! or a leaf */
    int left;
    int right;
    int leaf;
} tree_t;

static const char *const leaves[] = {
    "cpu >= 4",      "cpu < 2",      "gpu",       "gpu is set",  "mem in 2GiB..6GiB", "arch == a",
    "arch in {a,b}", "arch like b*", "has {x,y}", "kernel ~= 6", "tag.k == v",        "mem >= swap",
};

/* What each leaf says, by its definition: 1 true, 0 false, -1 unknown. */
static int leaf_value(int leaf, const gp_records_t *r, uint32_t lane)
{
    static const gp_attr_t about[] = {GP_ATTR_CPU, GP_ATTR_CPU,    GP_ATTR_GPU,  GP_ATTR_GPU,
                                      GP_ATTR_MEM, GP_ATTR_ARCH,   GP_ATTR_ARCH, GP_ATTR_ARCH,
                                      GP_ATTR_HAS, GP_ATTR_KERNEL, GP_ATTR_TAG,  GP_ATTR_MEM};
    bool known = gp_records_knows(r, lane, about[leaf]);
    if (leaf == 3) {
        return known;
    }
    if (!known || (leaf == 11 && !gp_records_knows(r, lane, GP_ATTR_SWAP))) {
        return -1;
    }
    bool number = gp_type_is_number(gp_attribute(about[leaf])->type);
    uint64_t n = number ? gp_records_number(r, lane, about[leaf]) : 0;
    gp_slice_t t = number ? (gp_slice_t){0} : gp_records_text(r, lane, about[leaf], NULL);
    switch (leaf) {
    case 0:
        return n >= 4;
    case 1:
        return n < 2;
    case 2:
        return n != 0;
    case 4:
        return n >= 2 * GP_GIB && n <= 6 * GP_GIB;
    case 5:
        return gp_slice_equal(t, gp_text("a"));
    case 6:
        return gp_slice_equal(t, gp_text("a")) || gp_slice_equal(t, gp_text("b"));
    case 7:
        return t.n > 0 && (t.p[0] == 'b' || t.p[0] == 'B');
    case 8:
        return gp_slice_equal(t, gp_text("x y"));
    case 9:
        return t.p[0] == '6';
    case 10:
        return t.n == 0 ? -1 : gp_slice_equal(t, gp_text("k=v"));
    default:
        return n >= gp_records_number(r, lane, GP_ATTR_SWAP);
    }
}

static int tree_value(const tree_t *trees, int at, const gp_records_t *r, uint32_t lane)
{
    const tree_t *t = &trees[at];
    if (t->op == 'x') {
        return leaf_value(t->leaf, r, lane);
    }
    int a = tree_value(trees, t->left, r, lane);
    if (t->op == '!') {
        return a < 0 ? a : !a;
    }
    int b = tree_value(trees, t->right, r, lane);
    int decides = t->op == '&' ? 0 : 1; /* this value decides alone */
    if (a == decides || b == decides) {
        return decides;
    }
    return a < 0 || b < 0 ? -1 : !decides;
}

static int tree_make(gp_random_t *random, tree_t *trees, int *count, int depth)
{
    int at = *count;
    *count += 1;
    uint64_t what = depth == 0 ? 0 : gp_random_below(random, 5);
    trees[at] = (tree_t){.op = 'x'};
    if (what == 0) {
        trees[at].leaf = (int)gp_random_below(random, sizeof leaves / sizeof leaves[0]);
    } else {
        trees[at].op = what == 1 ? '!' : (what < 4 ? '&' : '|');
        trees[at].left = tree_make(random, trees, count, depth - 1);
        trees[at].right = what == 1 ? 0 : tree_make(random, trees, count, depth - 1);
    }
    return at;
}

/* Parentheses only where the grammar needs them, so that precedence is tested, too. */
static void tree_print(const tree_t *trees, int at, char *text, size_t size)
{
    static const char *const ands[] = {" and ", " && ", ", "};
    const tree_t *t = &trees[at];
    size_t n = strlen(text);
    if (t->op == 'x') {
        (void)snprintf(text + n, size - n, "%s", leaves[t->leaf]);
        return;
    }
    if (t->op == '!') {
        bool group = trees[t->left].op != 'x';
        (void)snprintf(text + n, size - n, group ? "not (" : "! ");
        tree_print(trees, t->left, text, size);
        n = strlen(text);
        (void)snprintf(text + n, size - n, group ? ")" : "");
        return;
    }
    const int sides[2] = {t->left, t->right};
    for (int i = 0; i < 2; i++) {
        bool group = trees[sides[i]].op == (t->op == '&' ? '|' : '?');
        n = strlen(text);
        (void)snprintf(text + n, size - n, "%s%s",
                       i == 0 ? "" : (t->op == '|' ? " or " : ands[at % 3]), group ? "(" : "");
        tree_print(trees, sides[i], text, size);
        n = strlen(text);
        (void)snprintf(text + n, size - n, group ? ")" : "");
    }
}

static void random_record(gp_random_t *random, gp_records_t *r, uint32_t lane)
{
    static const char *const choices[][5] = {
        {"cpu=1 ", "cpu=3 ", "cpu=4 ", "cpu=8 ", ""},
        {"gpu=0 ", "gpu=1 ", "gpu=2 ", "", ""},
        {"mem=1GiB ", "mem=2GiB ", "mem=6GiB ", "mem=7GiB ", ""},
        {"swap=2GiB ", "swap=6GiB ", "swap=9GiB ", "", ""},
        {"arch=a ", "arch=b ", "arch=Bc ", "arch=d ", ""},
        {"has=x,y ", "has=x ", "has=z ", "", ""},
        {"kernel=6.1 ", "kernel=6.9 ", "kernel=5.9 ", "kernel=7 ", ""},
        {"tag=k=v ", "tag=k=w ", "", "", ""},
    };
    gp_records_clear(r, lane);
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        driver_set(r, lane, choices[i][gp_random_below(random, 5)]);
    }
}

static void test_against_the_slow_twin(void **state)
{
    gp_records_t *r = driver_records(64);
    gp_random_t random;
    uint64_t seen[3] = {0};
    (void)state;
    gp_random_init(&random, 2026);
    for (int round = 0; round < 1500; round++) {
        static tree_t trees[256];
        char text[2 * GP_QUERY_MAX] = "";
        int count = 0;
        int root = tree_make(&random, trees, &count, 4);
        tree_print(trees, root, text, sizeof text);
        if (strlen(text) > GP_QUERY_MAX) {
            continue;
        }
        for (uint32_t lane = 0; lane < 64; lane++) {
            random_record(&random, r, lane);
        }
        compile(text);
        uint64_t yes = gp_query_eval(&query, r, UINT64_MAX);
        for (uint32_t lane = 0; lane < 64; lane++) {
            int value = tree_value(trees, root, r, lane);
            seen[value + 1] += 1;
            if ((yes >> lane & 1) != (value == 1)) {
                fail_msg("%s: lane %u should be %d", text, lane, value);
            }
        }
        if (query.part_count == 1) {
            gp_verdict_t v = gp_query_part_eval(&query, 0, r, UINT64_MAX);
            for (uint32_t lane = 0; lane < 64; lane++) {
                assert_int_equal(v.no >> lane & 1, tree_value(trees, root, r, lane) == 0);
            }
        }
    }
    assert_true(seen[0] > 1000 && seen[1] > 1000 && seen[2] > 1000);
    free(r);
}

static void test_rank(void **state)
{
    static const struct {
        const char *rank;
        const char *a;
        const char *b;
        int order;
    } cases[] = {
        {"", "mem.free=2GiB", "mem.free=1GiB", -1},
        {"", "mem.free=2GiB cpu.free=1", "mem.free=2GiB cpu.free=2", 1},
        {"", "mem.free=2GiB", "", -1}, /* who does not know comes last */
        {"mem.free asc", "mem.free=2GiB", "mem.free=1GiB", 1},
        {"mem.free asc", "mem.free=2GiB", "", -1},
        {"load.1", "load.1=1", "load.1=2", -1},
        {"load.1 desc", "load.1=1", "load.1=2", 1},
        {"cpu, load.1", "cpu=4 load.1=1", "cpu=4 load.1=2", -1},
        {"name", "name=n1", "name=n2", -1},
        {"name desc", "name=n1", "name=n2", 1},
        {"name", "name=n1", "name=n10", -1},
        {"kernel", "kernel=6.9", "kernel=6.18", 1},
        {"cpu", "cpu=4", "cpu=4", 0},
        {"cpu", "", "", 0},
    };
    gp_records_t *a = driver_records(2);
    gp_records_t *b = driver_records(64);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gp_rank_t rank;
        gp_records_clear(a, 1);
        gp_records_clear(b, 33);
        driver_set(a, 1, cases[i].a);
        driver_set(b, 33, cases[i].b);
        assert_int_equal(gp_rank_compile(gp_text(cases[i].rank), &rank, &error), GP_OK);
        int order = gp_rank_compare(&rank, a, 1, b, 33);
        int back = gp_rank_compare(&rank, b, 33, a, 1);
        if ((order < 0 ? -1 : order > 0) != cases[i].order || (back < 0) != (order > 0)) {
            fail_msg("%s: %s and %s: %d", cases[i].rank, cases[i].a, cases[i].b, order);
        }
    }
    free(a);
    free(b);
}

/* One bit for each word: as many words as a query may have fill the mask. */
static void test_the_most_words(void **state)
{
    char text[GP_QUERY_MAX + 1] = "has {";
    char has[GP_QUERY_WORDS_MAX * 4] = "";
    gp_records_t *r = driver_records(1);
    (void)state;
    for (int i = 0; i < GP_QUERY_WORDS_MAX; i++) {
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%sw%d", i > 0 ? "," : "",
                       i);
        (void)snprintf(has + strlen(has), sizeof has - strlen(has), "%sw%d", i > 0 ? " " : "", i);
    }
    (void)snprintf(text + strlen(text), sizeof text - strlen(text), "}");
    gp_records_set_text(r, 0, GP_ATTR_HAS, gp_text(has), false);
    assert_int_equal(verdict(text, r), 'y');
    has[strlen(has) - 1] = '4'; /* w64 for w63 */
    gp_records_set_text(r, 0, GP_ATTR_HAS, gp_text(has), false);
    assert_int_equal(verdict(text, r), 'n');
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_cut_sets),
        cmocka_unit_test(test_kleene),
        cmocka_unit_test(test_attributes_compared),
        cmocka_unit_test(test_empty_query_matches_all),
        cmocka_unit_test(test_attributes_mentioned),
        cmocka_unit_test(test_deep_nesting_needs_no_deep_stack),
        cmocka_unit_test(test_against_the_slow_twin),
        cmocka_unit_test(test_rank),
        cmocka_unit_test(test_the_most_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
