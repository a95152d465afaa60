#include "agent/lab/census.h"

#include <stdio.h>

#include "proto/errors.h"
#include "proto/message.h"

#define B(number) (UINT16_C(1) << (number))

#define NONE        B(GP_MEMBER_NONE)
#define ALIVE       B(GP_MEMBER_ALIVE)
#define SUSPECT     B(GP_MEMBER_SUSPECT)
#define UNAVAILABLE B(GP_MEMBER_UNAVAILABLE)
#define UNKNOWN     B(GP_MEMBER_UNKNOWN)
#define LEFT        B(GP_MEMBER_LEFT)

#define C(cause) B(GP_CAUSE_##cause)

#define ALONE       B(GP_CENSUS_ALONE)
#define LEADS       B(GP_CENSUS_LEADS)
#define CARES       B(GP_CENSUS_CARES)
#define FOLLOWS     B(GP_CENSUS_FOLLOWS)
#define FOLLOWS_ONE B(GP_CENSUS_FOLLOWS_CARETAKER)

/*
 * What may happen: by kind and first number, the second numbers as bits. Two changes that fall
 * together in one step are no rows of their own but two: see take_census in world_oracle.c.
 */
static const uint16_t known[GP_CENSUS_KINDS][GP_CENSUS_WIDTH] = {
    [GP_CENSUS_MEMBER] =
        {
            [GP_MEMBER_NONE] = ALIVE | UNAVAILABLE | UNKNOWN | LEFT,
            [GP_MEMBER_ALIVE] = NONE | ALIVE | SUSPECT | UNAVAILABLE | UNKNOWN | LEFT,
            [GP_MEMBER_SUSPECT] = ALIVE | SUSPECT | UNAVAILABLE | UNKNOWN | LEFT,
            [GP_MEMBER_UNAVAILABLE] = NONE | ALIVE | UNAVAILABLE | UNKNOWN | LEFT,
            [GP_MEMBER_UNKNOWN] = NONE | ALIVE | SUSPECT | UNAVAILABLE | UNKNOWN | LEFT,
            [GP_MEMBER_LEFT] = NONE | ALIVE | UNAVAILABLE | UNKNOWN | LEFT,
        },
    [GP_CENSUS_VERDICT] =
        {
            [GP_MEMBER_ALIVE] = C(JOINED) | C(ANSWERS) | C(REFUTED) | C(RESTARTED) | C(ONE_WAY),
            [GP_MEMBER_SUSPECT] = C(REFUSED) | C(SILENT),
            [GP_MEMBER_UNAVAILABLE] = C(REFUSED) | C(SILENT),
            [GP_MEMBER_UNKNOWN] = C(JOINED) | C(NO_QUORUM) | C(MANY_AT_ONCE) | C(NO_LEADER),
            [GP_MEMBER_LEFT] = C(STOPPED) | C(LEFT),
        },
    [GP_CENSUS_PLACE] =
        {
            [GP_CENSUS_ALONE] = ALONE | LEADS | CARES | FOLLOWS | FOLLOWS_ONE,
            [GP_CENSUS_LEADS] = ALONE | LEADS,
            [GP_CENSUS_CARES] = ALONE | LEADS | CARES | FOLLOWS | FOLLOWS_ONE,
            [GP_CENSUS_FOLLOWS] = ALONE | CARES | FOLLOWS | FOLLOWS_ONE,
            [GP_CENSUS_FOLLOWS_CARETAKER] = ALONE | LEADS | CARES | FOLLOWS | FOLLOWS_ONE,
        },
    [GP_CENSUS_PREVOTE] = {[GP_CAMPAIGN_START] = 1,
                           [GP_CAMPAIGN_SILENT] = 1,
                           [GP_CAMPAIGN_EVIDENCE] = 1,
                           [GP_CAMPAIGN_HANDOVER] = 1},
    [GP_CENSUS_CAMPAIGN] = {[GP_CAMPAIGN_START] = 1,
                            [GP_CAMPAIGN_SILENT] = 1,
                            [GP_CAMPAIGN_EVIDENCE] = 1,
                            [GP_CAMPAIGN_HANDOVER] = 1},
    [GP_CENSUS_STEP_DOWN] = {[GP_STEP_DOWN_TERM] = 1,
                             [GP_STEP_DOWN_LEASE] = 1,
                             [GP_STEP_DOWN_HANDOVER] = 1,
                             [GP_STEP_DOWN_MANDATE] = 1,
                             [GP_STEP_DOWN_DISK] = 1},
    [GP_CENSUS_SUSPICION] = {[1] = 1, [2] = 1, [3] = 1, [4] = 1, [5] = 1},
    [GP_CENSUS_ROSTER] = {[0] = 1, [1] = 1},
    [GP_CENSUS_WOULD_VOTE] = {[GP_VOTE_YES] = 1,
                              [GP_VOTE_STALE_TERM] = 1,
                              [GP_VOTE_LEASED] = 1,
                              [GP_VOTE_BEHIND] = 1,
                              [GP_VOTE_NOT_VOTER] = 1,
                              [GP_VOTE_NOT_DURABLE] = 1},
    [GP_CENSUS_VOTE] = {[GP_VOTE_YES] = 1,
                        [GP_VOTE_STALE_TERM] = 1,
                        [GP_VOTE_LEASED] = 1,
                        [GP_VOTE_BEHIND] = 1,
                        [GP_VOTE_TAKEN] = 1,
                        [GP_VOTE_NOT_DURABLE] = 1},
    [GP_CENSUS_JOB] = {[GP_JOB_MATCHING] = B(GP_REASON_NONE),
                       [GP_JOB_CLAIMING] = B(GP_REASON_NONE),
                       [GP_JOB_RUNNING] = B(GP_REASON_NONE) | B(GP_REASON_STORAGE),
                       [GP_JOB_DONE] = B(GP_REASON_EXIT),
                       [GP_JOB_FAILED] = B(GP_REASON_NO_MATCH) | B(GP_REASON_REFUSED) |
                                         B(GP_REASON_NODE_FAILED) | B(GP_REASON_AGENT_STOPPED) |
                                         B(GP_REASON_HOME_RESTARTED) | B(GP_REASON_STORAGE) |
                                         B(GP_REASON_LEASE_LOST),
                       [GP_JOB_LOST] = B(GP_REASON_NODE_FAILED) | B(GP_REASON_AGENT_STOPPED) |
                                       B(GP_REASON_HOME_RESTARTED)},
};

/* Of the other codes none is a core's or the gate's: they are the shell's, and its tests'. */
static const gp_error_t known_errors[] = {
    GP_E_MESSAGE_SIZE,
    GP_E_MESSAGE_MAGIC,
    GP_E_MESSAGE_VERSION,
    GP_E_MESSAGE_KIND,
    GP_E_MESSAGE_DECODE,
    GP_E_MESSAGE_GRID,
    GP_E_MESSAGE_DESTINATION,
    GP_E_MESSAGE_REPLAY,
    GP_E_MESSAGE_STALE,
    GP_E_MESSAGE_SENDER,
    GP_E_MESSAGE_SIGNATURE,
    GP_E_FENCED,
    GP_E_STATE_IO,
    GP_E_NO_LEADER,
    GP_E_GROUP_FULL,
    GP_E_TIMED_OUT,
    GP_E_RUN_REFUSED,
    GP_E_RUN_FENCED,
    GP_E_RUN_FULL,
    GP_E_NO_MATCH,
};

#define KNOWN_ERRORS (sizeof known_errors / sizeof known_errors[0])

static bool is_known(gp_census_kind_t kind, uint32_t a, uint32_t b)
{
    if (kind != GP_CENSUS_ERROR) {
        return (known[kind][a] >> b & 1) != 0;
    }
    bool found = false;
    for (size_t i = 0; i < KNOWN_ERRORS; i++) {
        found = found || (uint32_t)known_errors[i] == a * GP_CENSUS_WIDTH + b;
    }
    return found;
}

bool gp_census_count(gp_census_t *census, gp_census_kind_t kind, uint32_t a, uint32_t b)
{
    if (a >= GP_CENSUS_WIDTH || b >= GP_CENSUS_WIDTH || !is_known(kind, a, b)) {
        return false;
    }
    census->seen[kind][a][b]++;
    return true;
}

/* ---- names ----------------------------------------------------------------------------------- */

static const char *place_name(uint32_t place)
{
    static const char *const names[] = {"nobody leads", "leads", "cares", "follows",
                                        "follows a caretaker"};
    return place < sizeof names / sizeof names[0] ? names[place] : "?";
}

static const char *suspicion_name(uint32_t phase)
{
    static const char *const names[] = {"?",         "opened",  "cleared",
                                        "confirmed", "unknown", "dropped"};
    return phase < sizeof names / sizeof names[0] ? names[phase] : "?";
}

static const char *first_name(gp_census_kind_t kind, uint32_t a)
{
    switch (kind) {
    case GP_CENSUS_MEMBER:
    case GP_CENSUS_VERDICT:
        return gp_member_state_name((gp_member_state_t)a);
    case GP_CENSUS_PLACE:
        return place_name(a);
    case GP_CENSUS_PREVOTE:
    case GP_CENSUS_CAMPAIGN:
        return gp_campaign_why_name((gp_campaign_why_t)a);
    case GP_CENSUS_STEP_DOWN:
        return gp_step_down_why_name((gp_step_down_why_t)a);
    case GP_CENSUS_SUSPICION:
        return suspicion_name(a);
    case GP_CENSUS_ROSTER:
        return a == 0 ? "proposed" : "committed";
    case GP_CENSUS_WOULD_VOTE:
    case GP_CENSUS_VOTE:
        return gp_vote_reason_name((gp_vote_reason_t)a);
    case GP_CENSUS_JOB:
        return gp_job_state_name((gp_job_state_t)a);
    case GP_CENSUS_ERROR:
    case GP_CENSUS_KINDS:
        break;
    }
    return NULL;
}

static const char *second_name(gp_census_kind_t kind, uint32_t a, uint32_t b)
{
    switch (kind) {
    case GP_CENSUS_MEMBER:
        return gp_member_state_name((gp_member_state_t)b);
    case GP_CENSUS_VERDICT:
        return gp_cause_name((gp_cause_t)b);
    case GP_CENSUS_PLACE:
        return place_name(b);
    case GP_CENSUS_JOB:
        return gp_reason_name((gp_reason_t)b);
    case GP_CENSUS_ERROR:
        return gp_error_name((gp_error_t)(a * GP_CENSUS_WIDTH + b));
    default:
        return NULL;
    }
}

void gp_census_name(gp_census_kind_t kind, uint32_t a, uint32_t b, char text[GP_CENSUS_NAME_MAX])
{
    static const char *const kinds[GP_CENSUS_KINDS] = {
        "member",    "verdict", "place",    "prevote", "campaign", "step-down",
        "suspicion", "roster",  "prevoted", "vote",    "job",      "error",
    };
    const char *first = first_name(kind, a);
    const char *second = second_name(kind, a, b);
    (void)snprintf(text, GP_CENSUS_NAME_MAX, "%s: %s%s%s", kinds[kind], first != NULL ? first : "",
                   first != NULL && second != NULL ? ", " : "", second != NULL ? second : "");
}

void gp_census_each(const gp_census_t *census, gp_census_each_t *each, void *context)
{
    for (uint32_t kind = 0; kind < GP_CENSUS_KINDS; kind++) {
        for (uint32_t a = 0; a < GP_CENSUS_WIDTH; a++) {
            for (uint32_t b = 0; b < GP_CENSUS_WIDTH; b++) {
                if (is_known((gp_census_kind_t)kind, a, b)) {
                    char name[GP_CENSUS_NAME_MAX];
                    gp_census_name((gp_census_kind_t)kind, a, b, name);
                    each(context, name, census->seen[kind][a][b]);
                }
            }
        }
    }
}
