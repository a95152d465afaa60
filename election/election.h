/*
 * Who leads a group: terms, votes, a roster of voters, a lease, a mandate, a handover, and a
 * caretaker where there is no majority. A pure core (proto/core.h), the same at every tier.
 *
 * Safety is Raft's (Ongaro, Ousterhout: In search of an understandable consensus algorithm, 2014,
 * with pre-vote, check-quorum and the single-server membership change of Ongaro's thesis), with one
 * small versioned register instead of a log. The order in which voters stand is Stoller's (Leader
 * election in asynchronous distributed systems, 2000): the best stands first.
 */
#ifndef GP_ELECTION_ELECTION_H
#define GP_ELECTION_ELECTION_H

#include "proto/core.h"

/* One election: opaque, in the caller's memory of gp_election_ops.size() bytes. */
typedef struct gp_election gp_election_t;

typedef struct gp_election_config {
    uint64_t group;    /* messages of other groups are ignored */
    uint8_t tier;      /* 0 machines, 1 super-peers, 2 region peers */
    uint32_t lease_ms; /* how long a voter grants, counted by each on its own clock */
    uint32_t lease_beat_ms;
    uint32_t drift_permille; /* by how much two clocks may differ in rate, with margin */
    uint32_t rank_wait_ms;   /* a voter of rank r waits r times this before it stands */
    uint32_t jitter_ms;      /* random addition to retries; 0 in tests that count milliseconds */
    uint32_t vote_wait_ms;   /* how long a candidate waits for votes before it tries again */
    uint32_t vote_valid_ms;  /* validity of a signed vote in a mandate; renewed at half of it */
    uint32_t dead_voter_after_ms; /* Unavailable, or its disk failing, for so long: replaced */
    uint32_t promote_after_ms;    /* a clearly better machine must be so for this long */
    uint32_t promote_gap;         /* clearly better: by so many points of score */
    uint32_t promote_every_ms;    /* at most one voluntary move in this time */
    uint32_t caretaker_after_ms;  /* without a leader for so long: look for a caretaker */
    uint32_t store_retry_ms;      /* after a failed STORE, before the next */
    bool can_lead;                /* false: votes and follows, never stands */
} gp_election_config_t;

/* The defaults of design.md, section 7; group 0, tier 0, can_lead true. */
gp_election_config_t gp_election_defaults(void);

/* Multiplies all times, 1 to GP_SLOW_MAX: for groups that span wide areas. */
void gp_election_slow_down(gp_election_config_t *config, uint32_t times);

/*
 * The core. Events: LOAD (ELECTION_STATE), START, WAKE, MSG (kinds of this room; MANDATE only after
 * gp_mandate_check, and it and VOTE_ASK only after gp_release_check), STORED, COMMAND
 * (ELECTION_FOUND, _STANDINGS, _EVIDENCE, _RELINQUISH, _STAY). size() is 0 for a config whose times
 * contradict each other.
 */
extern const gp_core_ops_t gp_election_ops;

/* ---- what it knows now ---------------------------------------------------------------------- */

/*
 * The term of the last mandate that this machine holds true; after a restart, until it sees one,
 * the term on its disk. 0: none ever.
 */
uint64_t gp_election_term(const gp_election_t *election);

/* The highest term that this machine has seen or stood in; durable before it is acted upon. */
uint64_t gp_election_own_term(const gp_election_t *election);

/* In whose favour this machine voted in own_term; nobody: all zero. */
gp_id_t gp_election_voted_for(const gp_election_t *election);

/* Who leads: all zero if nobody is known to. A caretaker counts; see the right. */
gp_id_t gp_election_leader(const gp_election_t *election);
gp_right_t gp_election_right(const gp_election_t *election);

/*
 * Until when this machine itself may lead, on its own clock: 0 if it does not, GP_NEVER while it
 * is caretaker (a caretaker has no lease, and no exclusive rights either).
 */
gp_usec_t gp_election_lease_until(const gp_election_t *election);

/* The voter that stands first if the leader falls: all zero if there is none. */
gp_id_t gp_election_deputy(const gp_election_t *election);

/* The latest roster known, best first; returns the count, at most GP_VOTERS_MAX. */
uint32_t gp_election_voters(const gp_election_t *election,
                            gp_record_voter_t ret_voters[GP_VOTERS_MAX]);

/* The register's version here, and whether this machine, leading, has it committed. */
uint64_t gp_election_version(const gp_election_t *election);
bool gp_election_committed(const gp_election_t *election);

/*
 * Fills in the mandate that is held (kind MANDATE); its slices point into the core. False: none.
 */
bool gp_election_mandate(const gp_election_t *election, gp_msg_t *ret_msg);

/*
 * Begins anew as after a crash of the machine, on its own memory instead of its disk: what it
 * promised and what it knows of the register stay, all else is forgotten. It is not started, and
 * nothing is promised before its state is on the disk again.
 */
void gp_election_again(gp_election_t *election, const gp_election_config_t *config, uint64_t seed);

/* The digest of a roster, whatever its order: what votes sign. At most GP_VOTERS_MAX voters. */
uint64_t gp_election_roster_digest(const gp_record_voter_t *voters, uint32_t count);

#endif
