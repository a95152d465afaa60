/*
 * Questions in a grid of 1,000 sub-Grids of 50 machines in 16 regions: nothing is lost, little is
 * asked in vain, and the machine that is chosen is hardly further away than the nearest that
 * matches. Prints the figures that README.md states.
 */
#include <stdio.h>
#include <stdlib.h>

#include "discovery_route_lab.h"
#include "proto_cmocka.h"

#define SUBGRIDS 1000
#define QUERIES  300

typedef struct tally {
    uint32_t queries;
    uint32_t asked;
    uint32_t matching;
} tally_t;

typedef struct figures {
    tally_t all;
    tally_t rare; /* at most 3 % of the sub-Grids can answer */
    uint32_t hops;
    uint32_t near_count;
    uint32_t near[QUERIES];     /* permille of the nearest */
    uint32_t after_ms[QUERIES]; /* until the answer */
} figures_t;

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* The price of the machine that was chosen, in permille of the nearest one that matches. */
static uint32_t price(route_lab_t *lab, const route_lab_question_t *q, const route_lab_answer_t *a)
{
    const route_lab_place_t *here = route_lab_place_of(lab, q->node);
    int64_t nearest = INT64_MAX;
    uint32_t subgrid;
    uint32_t host;
    for (uint32_t s = 0; s < SUBGRIDS; s++) {
        for (uint64_t match = route_lab_matches(lab, s, q->query); match != 0; match &= match - 1) {
            const route_lab_place_t *there = &lab->subgrids[s].places[gp_lowest_bit(match)];
            int64_t way = route_lab_truth_us(lab, here, there);
            nearest = way < nearest ? way : nearest;
        }
    }
    route_lab_whose(lab, &a->hits[0], &subgrid, &host);
    int64_t chosen = route_lab_truth_us(lab, here, &lab->subgrids[subgrid].places[host]);
    return (uint32_t)(chosen * 1000 / nearest);
}

static void count(tally_t *tally, uint32_t asked, uint32_t matching)
{
    tally->queries += 1;
    tally->asked += asked;
    tally->matching += matching;
}

static void ask(route_lab_t *lab, const route_lab_question_t *q, figures_t *figures)
{
    uint32_t machines = 0;
    uint32_t subgrids = 0;
    const uint32_t limit = q->limit == 0 ? GP_HITS_MAX : q->limit;
    uint32_t at = figures->all.queries;
    const uint32_t home = lab->nodes[q->node].subgrid;
    for (uint32_t s = 0; s < SUBGRIDS; s++) {
        uint32_t n = gp_count_bits(route_lab_matches(lab, s, q->query));
        machines += n;
        subgrids += n > 0 ? 1 : 0;
    }
    const uint32_t own = route_lab_matches(lab, home, q->query) != 0 ? 1 : 0;
    const route_lab_answer_t *a = route_lab_ask(lab, q);
    assert_int_equal(a->error, GP_OK);
    assert_false(a->partial);
    assert_int_equal(a->hit_count, machines < limit ? machines : limit);
    assert_true(q->rank == NULL || a->matching == subgrids); /* recall: all that match were asked */
    figures->hops = a->hops > figures->hops ? a->hops : figures->hops;
    figures->after_ms[at] = (uint32_t)(a->after / GP_MSEC);
    /* The own sub-Grid is asked in any case. */
    count(&figures->all, a->asked - 1, a->matching - own);
    if (subgrids <= SUBGRIDS * 3 / 100) {
        count(&figures->rare, a->asked - 1, a->matching - own);
    }
    if (q->rank == NULL && q->limit == 1 && a->hit_count == 1) {
        figures->near[figures->near_count] = price(lab, q, a);
        figures->near_count += 1;
    }
}

static uint32_t precision(const char *what, const tally_t *t)
{
    uint32_t permille = t->asked > 0 ? t->matching * 1000 / t->asked : 1000;
    printf("%s: %u queries, %u.%u sub-Grids asked each, precision %u per mille\n", what, t->queries,
           t->asked / t->queries, t->asked * 10 / t->queries % 10, permille);
    return permille;
}

static route_lab_t *wide_lab(bool exact)
{
    const route_lab_config_t config = {.regions = 16,
                                       .subgrids = SUBGRIDS,
                                       .askers = 100,
                                       .mixed = 150,
                                       .exact = exact,
                                       .seed = 7};
    return route_lab_new(&config);
}

/* Every so many questions want the nearest machine; the others all, or the best, or a few. */
static figures_t *ask_all(route_lab_t *lab, uint32_t queries, uint32_t every)
{
    figures_t *figures = calloc(1, sizeof *figures);
    char text[GP_QUERY_MAX];
    gp_random_t random;
    assert_non_null(figures);
    gp_random_init(&random, 8);
    for (uint32_t i = 0; i < queries; i++) {
        route_lab_question_t q = {.query = text, .scope = GP_ROUTE_GRID};
        lab_query(&random, false, text);
        q.node = route_lab_asker(lab, (uint32_t)gp_random_below(&random, lab->config.askers));
        q.rank = every > 1 && i % every == 1 ? "mem.free" : NULL;
        q.limit = (uint16_t)(i % every == 0 ? 1 : gp_random_below(&random, 20));
        ask(lab, &q, figures);
    }
    qsort(figures->near, figures->near_count, sizeof figures->near[0], compare);
    qsort(figures->after_ms, queries, sizeof figures->after_ms[0], compare);
    printf("%u steps at most; answers after %u ms in the median, %u ms at most\n", figures->hops,
           figures->after_ms[queries / 2], figures->after_ms[queries - 1]);
    printf("%u times the nearest was wanted: the way to it, of the shortest, %u per mille in the "
           "median, %u in nine of ten\n",
           figures->near_count, figures->near[figures->near_count / 2],
           figures->near[figures->near_count * 9 / 10]);
    assert_int_equal(lab->refused, 0);
    return figures;
}

static void test_little_is_asked_in_vain(void **state)
{
    route_lab_t *lab = wide_lab(true);
    (void)state;
    figures_t *figures = ask_all(lab, QUERIES, 3);
    assert_int_equal(figures->hops, GP_ROUTE_HOPS_MAX);
    assert_true(precision("all", &figures->all) >= 900);
    assert_true(precision("rare", &figures->rare) >= 750);
    assert_in_range(figures->near_count, 50, QUERIES);
    assert_in_range(figures->near[figures->near_count / 2], 1000, 1150);
    free(figures);
    route_lab_free(lab);
}

/* With places that machines have found by themselves, among thousands that match. */
static void test_the_nearest_as_they_find_it(void **state)
{
    route_lab_t *lab = wide_lab(false);
    (void)state;
    figures_t *figures = ask_all(lab, QUERIES / 3, 1);
    assert_in_range(figures->near[figures->near_count / 2], 1000, 1450);
    free(figures);
    route_lab_free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_little_is_asked_in_vain),
                                       cmocka_unit_test(test_the_nearest_as_they_find_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
