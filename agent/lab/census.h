/*
 * The census: which transitions and which errors a simulated grid has shown, and how often.
 *
 * Its table knows every transition that may happen. One that it does not know is a violation; one
 * that a campaign of many seeds hardly ever shows is not tested (scripts/campaign).
 */
#ifndef GP_AGENT_LAB_CENSUS_H
#define GP_AGENT_LAB_CENSUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum gp_census_kind {
    GP_CENSUS_MEMBER = 0, /* a member's state before and after */
    GP_CENSUS_VERDICT,    /* a member's new state and its cause */
    GP_CENSUS_PLACE,      /* how this machine stood to the leader before and after */
    GP_CENSUS_PREVOTE,    /* why it asks who would vote for it */
    GP_CENSUS_CAMPAIGN,   /* why it stands */
    GP_CENSUS_STEP_DOWN,  /* why it steps down */
    GP_CENSUS_SUSPICION,  /* how a suspicion goes on */
    GP_CENSUS_ROSTER,     /* proposed or committed */
    GP_CENSUS_WOULD_VOTE, /* the answer to a pre-vote */
    GP_CENSUS_VOTE,       /* the answer to a vote */
    GP_CENSUS_JOB,        /* a job's state, and the reason */
    GP_CENSUS_ERROR,      /* of a refused message, an answer, a claim: code / WIDTH, code % WIDTH */
    GP_CENSUS_KINDS
} gp_census_kind_t;

#define GP_CENSUS_WIDTH 16

typedef struct gp_census {
    uint64_t seen[GP_CENSUS_KINDS][GP_CENSUS_WIDTH][GP_CENSUS_WIDTH];
} gp_census_t;

/* How a machine stands to whoever leads. */
typedef enum gp_census_place {
    GP_CENSUS_ALONE = 0, /* nobody leads */
    GP_CENSUS_LEADS,
    GP_CENSUS_CARES, /* as a caretaker */
    GP_CENSUS_FOLLOWS,
    GP_CENSUS_FOLLOWS_CARETAKER
} gp_census_place_t;

/* Counts one; for kinds of one number, b is 0. false: the table does not know it. */
bool gp_census_count(gp_census_t *census, gp_census_kind_t kind, uint32_t a, uint32_t b);

#define GP_CENSUS_NAME_MAX 64

/* "member: alive, suspect" */
void gp_census_name(gp_census_kind_t kind, uint32_t a, uint32_t b, char text[GP_CENSUS_NAME_MAX]);

/* Each row of the table, in its order, and how often it was seen. */
typedef void gp_census_each_t(void *context, const char *name, uint64_t seen);
void gp_census_each(const gp_census_t *census, gp_census_each_t *each, void *context);

#endif
