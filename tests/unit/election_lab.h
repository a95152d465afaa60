/*
 * A virtual group for the tests of the election: several cores, a network that delays, loses,
 * repeats and cuts, disks that take time and fail, clocks that run at their own rate, processes
 * that freeze, crash and restart. Everything follows from one seed.
 *
 * After each event the lab checks what must never be broken (see lab_check): that is most of the
 * tests' worth. Messages travel as real frames under the stand-in signature.
 */
#ifndef GP_TESTS_ELECTION_LAB_H
#define GP_TESTS_ELECTION_LAB_H

#include "election/election.h"
#include "election/election_state.h"
#include "proto/random.h"

#define LAB_NODES_MAX 9
#define LAB_GROUP     7
#define LAB_TERMS_MAX 4096

typedef struct lab_node {
    gp_id_t id;
    gp_election_t *core; /* NULL: not running */
    bool member;         /* the group knows it */
    bool frozen;
    bool disk_fails;
    bool silent_crash; /* its crash gives no evidence (host gone, not only the process) */
    bool left;
    uint64_t incarnation;
    uint64_t process; /* raised at each start: what was under way for an older one is void */
    uint16_t score;
    uint8_t flags;
    int64_t rate_ppm;
    gp_usec_t offset;
    bool stored; /* the disk holds a record */
    gp_msg_election_state_t disk;
    uint8_t disk_value[GP_REGISTER_MAX];
    gp_usec_t standings_at;
    gp_usec_t unreached_since[LAB_NODES_MAX]; /* GP_NEVER: it is reached */
    gp_msg_leader_t said;                     /* the last LEADER notice */
    gp_usec_t said_at;                        /* true time */
    gp_id_t successor;                        /* of the last RELINQUISHED */
    uint32_t relinquished;
    uint32_t heirless;
    uint32_t campaigns; /* CAMPAIGN notices that are not pre-votes */
    uint32_t pre_campaigns;
    uint32_t step_downs;
    uint8_t step_down_why;
    uint32_t sent[256]; /* by low byte of the kind */
} lab_node_t;

typedef struct lab_event lab_event_t;

typedef struct lab {
    gp_random_t random;
    gp_usec_t now; /* true time */
    gp_election_config_t config;
    uint32_t count;
    lab_node_t nodes[LAB_NODES_MAX];
    bool cut[LAB_NODES_MAX][LAB_NODES_MAX]; /* one way: from, to */
    uint32_t loss_permille;
    uint32_t repeat_permille;
    uint32_t evidence_permille; /* share of crashes' observers that see the refused connection */
    gp_usec_t delay_min;
    gp_usec_t delay_max;
    gp_usec_t disk_min;
    gp_usec_t disk_max;
    lab_event_t *events; /* in the order of time */
    uint64_t sequence;
    gp_id_t leaders[LAB_TERMS_MAX];              /* by term: whose mandate was seen */
    gp_id_t votes[LAB_TERMS_MAX][LAB_NODES_MAX]; /* by term and voter: for whom */
    uint64_t committed_version;
    uint64_t committed_digest;
    bool (*drop)(uint32_t from, uint32_t to, gp_msg_kind_t kind); /* or NULL */
    uint64_t steps;
} lab_t;

/* Nodes with scores 900, 890, ...; none runs yet. Defaults: 0.2-2 ms network, 1-5 ms disk. */
lab_t *lab_new(uint32_t count, uint64_t seed);
void lab_free(lab_t *lab);

void lab_start(lab_t *lab, uint32_t node);
void lab_crash(lab_t *lab, uint32_t node);
void lab_evidence(lab_t *lab, uint32_t node, uint32_t about); /* node sees: that process is gone */
void lab_freeze(lab_t *lab, uint32_t node);
void lab_thaw(lab_t *lab, uint32_t node);
void lab_leave(lab_t *lab, uint32_t node); /* the group hears that it left; its core stops */

/* Cuts or joins both ways between every machine in mask and every one outside. */
void lab_split(lab_t *lab, uint32_t mask, bool cut);
void lab_heal(lab_t *lab); /* all links, all thawed, disks well, no loss */

void lab_command(lab_t *lab, uint32_t node, gp_msg_kind_t kind);
void lab_go_for_good(lab_t *lab, uint32_t node); /* ELECTION_RELINQUISH, for ever */
void lab_run(lab_t *lab, gp_usec_t for_us);

/* Starts all nodes, founds at node 0 and runs until all follow and the roster has its size. */
void lab_grow(lab_t *lab);

/* The node that leads by quorum with a running lease, or -1. */
int lab_leader(const lab_t *lab);

/* Do all running, reached nodes follow the same leader by quorum? */
bool lab_agreed(const lab_t *lab);

/* Runs until `done` says so; returns the microseconds it took, asserts at `limit`. */
typedef bool (*lab_done_t)(const lab_t *lab);
gp_usec_t lab_wait(lab_t *lab, lab_done_t done, gp_usec_t limit);

uint32_t lab_roster_count(const lab_t *lab);        /* of the leader; 0 without one */
bool lab_is_voter(const lab_t *lab, uint32_t node); /* in the leader's roster */

/* ---- one core by itself ---------------------------------------------------------------------- */

typedef struct solo {
    gp_election_t *core;
    gp_id_t self;
    gp_usec_t now;
    gp_out_t out;
} solo_t;

gp_id_t lab_id(uint32_t number);       /* 1, 2, ...: ids in rising order */
gp_election_config_t lab_config(void); /* defaults, group LAB_GROUP, no jitter */

/* A started core at time 1 s. state: what its disk holds, or NULL. */
solo_t *solo_new(const gp_election_config_t *config, uint32_t number,
                 const gp_msg_election_state_t *state);
void solo_free(solo_t *solo);
void solo_event(solo_t *solo, const gp_event_t *event); /* now is filled in; checks the core */
void solo_msg(solo_t *solo, uint32_t from, const gp_msg_t *msg);
void solo_command(solo_t *solo, const gp_msg_t *msg);
void solo_wake(solo_t *solo, gp_usec_t after); /* time passes, then WAKE */
void solo_stored(solo_t *solo, bool ok);       /* answers the STORE under way */

/* The first action of the last step with a message of this kind, or NULL. */
const gp_action_t *solo_find(const solo_t *solo, gp_msg_kind_t kind);
uint32_t solo_count(const solo_t *solo, gp_msg_kind_t kind);

/* A state with voters 1..count, term and value_term `term`, version 3. */
gp_msg_election_state_t solo_state(uint32_t count, uint64_t term);

/* A zeroed message of this kind, group LAB_GROUP where it has one; static storage, used in turn. */
gp_msg_t *solo_new_msg(gp_msg_kind_t kind);

/* Members 1..count, all alive and reached, scores 900, 890, ...; `change` may edit them. */
void solo_standings(solo_t *solo, uint32_t count,
                    void (*change)(gp_msg_election_standings_t *standings));

/* Messages to the core, as a peer would send them. */
void solo_vote_ask(solo_t *solo, uint32_t from, uint64_t term, bool evidence, uint64_t released);
void solo_prevote_ask(solo_t *solo, uint32_t from, uint64_t term, bool evidence);
void solo_lease(solo_t *solo, uint32_t leader, uint64_t term);
void solo_vote(solo_t *solo, uint32_t from, uint64_t term); /* granted, for its roster */
void solo_lease_acks(solo_t *solo, uint32_t from);          /* answers the latest beat */

/* A core 1 that leads voters 1..count in term 2 with a lease and a committed register. */
solo_t *solo_leader(const gp_election_config_t *config, uint32_t count);

/* The reason of the VOTE or PREVOTE to `to` in the last step: GP_VOTE_YES: granted; -1: none. */
int solo_answer(const solo_t *solo, uint32_t to);

/* A mandate of `leader` for voters 1..count with stand-in votes; static storage. */
const gp_msg_t *solo_mandate(uint32_t leader, uint64_t term, uint32_t count);

#endif
