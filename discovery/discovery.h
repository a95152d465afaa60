/*
 * The discovery core of one group: who offers what.
 *
 * Every member reports its record to the leader and to the deputy: whole once, then what left its
 * dead band, at most once a second. Both keep all records, so that a successor can answer at once.
 * Questions go to the leader; one that is open while leaders change is asked again of the next.
 *
 * Events in:   OWN_RECORD, DISCOVERY_LEADER, DISCOVERY_MEMBER, DISCOVERY_FIND (commands);
 *              RECORD, RECORD_ASK, FIND, FOUND (messages).
 * Actions out: SEND and CAST of those messages, and one notice ANSWER for each DISCOVERY_FIND, with
 *              the command's token.
 *
 * The shell repeats DISCOVERY_LEADER whenever the lease is renewed: a machine that leads by quorum
 * answers only before lease_until, on the clock of the events.
 */
#ifndef GP_DISCOVERY_DISCOVERY_H
#define GP_DISCOVERY_DISCOVERY_H

#include "discovery/query.h"
#include "proto/coordinate.h"
#include "discovery/route_names.h"
#include "discovery/summary.h"
#include "proto/core.h"

typedef struct gp_discovery_config {
    uint64_t group;
    uint64_t incarnation; /* of this process: larger than that of the one before */
    uint32_t members_max; /* members that are remembered, 1 .. 65536; usually GP_MEMBERS_MAX */
    uint32_t pool_bytes;  /* text of one record; 0: GP_RECORD_POOL */
    gp_slice_t name;      /* of this machine, its region, its address; copied */
    gp_slice_t region;
    gp_slice_t address;
    const gp_coordinate_t *coordinate; /* of this machine, as it moves; NULL: it has none */
    /* Is there nothing beyond the group? Asked at its leader, within a step. NULL: not known. */
    bool (*alone)(const void *context);
    const void *alone_context;
} gp_discovery_config_t;

extern const gp_core_ops_t gp_discovery_ops;

/*
 * Decides on this machine's own, newest attributes: does `where` hold here? GP_OK, or GP_E_NO_MATCH
 * and ret_why->text says which condition does not hold and what is the case instead, or an error of
 * gp_query_compile.
 */
GP_MUST_CHECK gp_error_t gp_discovery_fits(void *core, gp_slice_t where, gp_query_error_t *ret_why);

/* This machine's own, newest attributes, in lane 0; borrowed until the next step. */
const gp_records_t *gp_discovery_own(const void *core);

/*
 * The record of a member, in lane *ret_lane of what is returned; NULL: not held here (only leader
 * and deputy hold others' records). Borrowed until the next step.
 */
const gp_records_t *gp_discovery_record(const void *core, const gp_id_t *id, uint32_t *ret_lane);

/*
 * What the group offers now, at its leader: brings *summary up to date (gp_summary_renew) and adds
 * the machines' names to *names. Returns how many machines it has; *ret_partial: the record of one
 * is missing, or it is not known whether it lives.
 */
uint32_t gp_discovery_offer(const void *core, gp_summary_t *summary, gp_route_names_t *names,
                            bool *ret_partial);

#endif
