/*
 * A market of sub-Grids for tests and figures of summaries: each sub-Grid buys machines of a few
 * kinds, some machines are of a kind of their own, and what is free moves. All of it follows from
 * a seed.
 */
#ifndef GP_TESTS_DISCOVERY_SUMMARY_LAB_H
#define GP_TESTS_DISCOVERY_SUMMARY_LAB_H

#include "discovery/summary.h"
#include "proto/random.h"

#define LAB_HOSTS 50
#define LAB_KINDS 4

/* What is bought together. */
typedef struct lab_kind {
    uint64_t cpu;
    uint64_t mem;
    uint64_t disk;
    uint64_t mhz;
    uint64_t mbps;
    uint32_t arch;
    uint32_t system;
    bool a100;
    bool t4;
    bool infiniband;
    bool licence;
    bool vmx;
    bool avx512f;
    bool nvme;
    bool sgx;
    bool lends;
} lab_kind_t;

typedef struct lab_host {
    lab_kind_t kind;
    uint64_t mem_free;
    uint64_t disk_free;
    uint64_t idle; /* permille */
    uint64_t load; /* thousandths */
} lab_host_t;

typedef struct lab_grid {
    uint32_t number;
    uint32_t host_count;
    lab_host_t hosts[GP_LANES_MAX];
    gp_records_t *records; /* on the heap, GP_LANES_MAX wide */
} lab_grid_t;

/* mixed: per mille of machines that are of a kind of their own. */
void lab_grid_init(lab_grid_t *grid, uint32_t number, uint32_t mixed, gp_random_t *random);
void lab_grid_free(lab_grid_t *grid);
uint64_t lab_grid_lanes(const lab_grid_t *grid);

/* What is free moves by at most `permille` of itself, up or down, and so do the records. */
void lab_grid_move(lab_grid_t *grid, uint32_t permille, gp_random_t *random);

/* A query as people ask: a conjunction. wide: also of what no class tells in all dimensions. */
void lab_query(gp_random_t *random, bool wide, char text[GP_QUERY_MAX]);

/* What came of queries: over sub-Grids, each with its summary. */
typedef struct lab_tally {
    uint64_t queries;
    uint64_t asked;   /* the summary said maybe */
    uint64_t matched; /* the evaluator found a match */
    uint64_t lost;    /* matched and not asked: never */
} lab_tally_t;

/* One query over all sub-Grids; also into *rare if at most 3 % of them can answer, but some. */
void lab_ask(const lab_grid_t *grids, const gp_summary_t *summaries, uint32_t count,
             const gp_query_t *query, lab_tally_t tallies[2]);

enum { LAB_ALL = 0, LAB_RARE };

/* ---- wild ------------------------------------------------------------------------------------ */

/*
 * Records as nobody has them: of every attribute, often unknown, with extreme numbers, long texts,
 * sets that were cut, labels twice, and more text than there is room for.
 */
void lab_wild_records(gp_random_t *random, gp_records_t *records);

/* A query of every operator of the language, about such records; it compiles. */
void lab_wild_query(gp_random_t *random, char text[GP_QUERY_MAX]);

#endif
