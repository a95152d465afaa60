/*
 * The state of one election and the functions that its files share. Private to election/.
 *
 * Three kinds of memory: what is durable (term, vote, register), what the group looks like
 * (standings), and what may be forgotten in a crash (role, leases, ballots).
 */
#ifndef GP_ELECTION_ELECTION_STATE_H
#define GP_ELECTION_ELECTION_STATE_H

#include "election/election.h"
#include "proto/random.h"

#define GP_ELECTION_PENDING_MAX                                                                    \
    8 /* promises that wait for the disk; more are dropped, peers ask again */
#define GP_ELECTION_SENT_MAX                                                                       \
    8 /* beats whose send time is remembered; older answers do not count                           \
       */

typedef enum gp_election_role {
    GP_ELECTION_FOLLOWER = 1,
    GP_ELECTION_ASKING,    /* pre-vote: would they vote for me? changes nothing anywhere */
    GP_ELECTION_CANDIDATE, /* own term raised and durable, or about to be */
    GP_ELECTION_LEADER     /* holds a mandate; may act only while its lease runs */
} gp_election_role_t;

/* Voters, best first. */
typedef struct gp_election_roster {
    uint32_t count;
    gp_record_voter_t voters[GP_VOTERS_MAX];
} gp_election_roster_t;

/* A leader's signed HANDOVER: it gave its term up in favour of one successor. */
typedef struct gp_election_release {
    gp_id_t by;
    uint64_t term;
    uint16_t n; /* 0: none */
    uint8_t bytes[GP_RELEASE_MAX];
} gp_election_release_t;

/* Signed votes for one candidate in one term under one roster: votes[i] is that of voters[i]. */
typedef struct gp_election_ballot {
    gp_id_t candidate;
    uint64_t term;
    uint64_t version;
    gp_usec_t asked_at; /* on this machine's clock: votes are at least this young */
    gp_election_roster_t roster;
    uint16_t vote_n[GP_VOTERS_MAX]; /* 0: no vote */
    uint8_t vote[GP_VOTERS_MAX][GP_VOTE_MAX];
    gp_election_release_t release; /* by which the candidate stood at once, if it did */
} gp_election_ballot_t;

/* A mandate of voters that are not known here, and who speaks for it (vouch.c). */
typedef struct gp_election_doubt {
    gp_id_t peer;       /* showed it last */
    gp_usec_t again_at; /* when that one is asked again; GP_NEVER: nothing is doubted */
    gp_usec_t ask_at;   /* known voters are not asked before this */
    uint64_t term;
    gp_id_t leader;
    uint32_t voucher_count;
    gp_id_t vouchers[2 * GP_VOTERS_MAX]; /* known voters that showed it: they follow it */
} gp_election_doubt_t;

typedef struct gp_election_member {
    gp_id_t id;
    uint64_t incarnation;
    gp_usec_t down_since;    /* Unavailable, Left or its disk failing since, or GP_NEVER */
    gp_usec_t refused_until; /* did not take the register: not a voter before this */
    uint16_t score;
    uint8_t state;
    uint8_t flags;
    bool reached;
} gp_election_member_t;

/* What the leader knows of one voter's copy and of its grants. */
typedef struct gp_election_progress {
    gp_id_t id;
    gp_usec_t granted_at; /* send time of the latest beat that it answered; 0: none */
    uint64_t version;     /* of this leader's term, durable there */
} gp_election_progress_t;

/* A promise that may be made only once `serial` of the state is durable. */
typedef enum gp_election_promise {
    GP_ELECTION_PROMISE_VOTE = 1, /* send the vote to peer */
    GP_ELECTION_PROMISE_ACK,      /* tell peer that the register is durable */
    GP_ELECTION_PROMISE_STAND,    /* ask for votes */
    GP_ELECTION_PROMISE_REGISTER  /* the leader's own copy counts, and goes out */
} gp_election_promise_t;

typedef struct gp_election_pending {
    gp_election_promise_t promise;
    gp_id_t peer;
    uint64_t serial;
    uint64_t term;
    uint64_t version;
    uint64_t roster; /* VOTE: digest that the asker named */
} gp_election_pending_t;

typedef enum gp_election_move {
    GP_ELECTION_STAY = 0,
    GP_ELECTION_MOVE_BETTER, /* a clearly better machine is to lead */
    GP_ELECTION_MOVE_AWAY    /* this machine goes */
} gp_election_move_t;

struct gp_election {
    gp_election_config_t config;
    gp_id_t self;
    gp_random_t random;
    gp_usec_t now;
    bool started;

    /* durable: covered by serial; what is on disk is durable_serial (gp_election_again keeps it) */
    uint64_t term;
    gp_id_t voted_for;
    uint64_t value_term;
    uint64_t version;
    gp_election_roster_t roster;
    uint32_t value_n;
    uint8_t value[GP_REGISTER_MAX];

    uint64_t serial;
    uint64_t durable_serial;
    uint64_t durable_term;   /* what others are told: one that a crash forgets would be a lie */
    uint64_t storing_serial; /* a STORE is under way; 0: none */
    uint64_t storing_term;
    gp_usec_t store_retry_at; /* the disk failed: nothing is promised before this */
    gp_election_pending_t pending[GP_ELECTION_PENDING_MAX];
    uint32_t pending_count;

    /* the group as the membership core tells it */
    gp_election_member_t members[GP_MEMBERS_MAX];
    uint32_t member_count;

    /* who leads, as this machine knows */
    gp_election_role_t role;
    gp_id_t leader; /* of the last mandate; may be lost */
    uint64_t leader_term;
    uint64_t leader_incarnation;
    gp_usec_t lost_at; /* no sign of a leader since; GP_NEVER: one leads */
    gp_usec_t ask_at;  /* next MANDATE_ASK to a leader that may still lead */
    gp_election_ballot_t mandate;
    bool leader_heard; /* it spoke itself; else somebody showed its mandate, perhaps an old one */
    gp_election_doubt_t doubt;

    /* this machine's grant, as a voter */
    gp_id_t lease_holder;
    uint64_t lease_term;
    gp_usec_t grant_until;
    gp_usec_t restart_until; /* before a crash it may have granted until then */
    bool evidence;           /* own evidence: the leader's process is gone */
    uint64_t evidence_incarnation;

    /* standing for election */
    gp_usec_t campaign_at;
    gp_usec_t phase_until;
    uint32_t attempts;
    gp_campaign_why_t why;
    uint32_t yes; /* bits of the roster: pre-votes granted */
    uint32_t no;  /* bits of the roster: pre-votes or votes denied */
    gp_election_ballot_t ballot;

    /* leading */
    gp_usec_t won_at;
    gp_usec_t lease_until;
    gp_usec_t beat_at;
    uint32_t sequence;
    gp_usec_t sent_at[GP_ELECTION_SENT_MAX];
    gp_election_progress_t progress[GP_VOTERS_MAX]; /* in the order of roster */
    bool committed;
    bool renewing;
    gp_id_t learner; /* is to become a voter: must have the register first */
    bool learner_ready;
    gp_usec_t learner_since;
    gp_id_t removed; /* is to hear that it votes no more */
    gp_id_t better;
    gp_usec_t better_since;
    gp_usec_t moved_at; /* the group's last voluntary move; 0: none known */
    gp_election_move_t move;
    gp_id_t move_to;
    gp_usec_t move_until; /* prepare until then */

    /* going */
    bool going;
    bool forever;  /* ... and it will not come back */
    bool depended; /* ... and others need the group, whether they are in it yet or not */
    bool relinquished;
    gp_usec_t going_until; /* report RELINQUISHED at the latest */

    /* caretaking */
    gp_id_t caretaker; /* who does on this side; may be self */
    uint16_t caretaker_score;
    gp_usec_t caretaker_until;   /* another one: not heard again until then: forget it */
    gp_usec_t caretaker_beat_at; /* self: say it again */

    gp_msg_leader_t said; /* the LEADER notice last given */
};

static inline gp_usec_t gp_election_us(uint32_t ms)
{
    return (gp_usec_t)ms * GP_MSEC;
}

static inline uint32_t gp_election_majority(uint32_t count)
{
    return count / 2 + 1;
}

static inline bool gp_election_leads(const gp_election_t *el)
{
    return el->role == GP_ELECTION_LEADER;
}

/* ---- standings.c: the group as the membership core tells it ---------------------------------- */

/* Is a better than b: by score, then by id? */
static inline bool gp_election_is_better(uint16_t a_score, const gp_id_t *a, uint16_t b_score,
                                         const gp_id_t *b)
{
    return a_score != b_score ? a_score > b_score : gp_id_compare(a, b) < 0;
}

/* The index of id among the voters, or -1. */
int gp_election_voter_index(const gp_election_roster_t *roster, const gp_id_t *id);

/* A roster from a message: false if it is empty, names nobody, or names one twice. */
bool gp_election_roster_read(const gp_record_voter_t *voters, uint32_t count,
                             gp_election_roster_t *ret_roster);

gp_election_member_t *gp_election_member(gp_election_t *el, const gp_id_t *id);
const gp_election_member_t *gp_election_member_const(const gp_election_t *el, const gp_id_t *id);

/* By its own word its disk refuses records: it can keep no promise. */
bool gp_election_is_failing(const gp_election_t *el, const gp_id_t *id);

/* Alive or merely suspect. */
bool gp_election_living(const gp_election_t *el, const gp_id_t *id);

/* The roster to believe for display: the register's or a newer mandate's. */
const gp_election_roster_t *gp_election_view(const gp_election_t *el);

/* May this machine take part, by its own flags and config? */
bool gp_election_fit(const gp_election_t *el);

/* Is this machine a voter, by its register and by the last mandate? */
bool gp_election_is_voter(const gp_election_t *el);

/*
 * May this machine stand for election now? Voters may; and, when nobody leads, who has a register
 * that does not name it: a leader that removed itself may be alone in having it, and then nobody
 * else can win (Ongaro's thesis, 4.2.2). Such a winner hands over at once.
 */
bool gp_election_can_stand(const gp_election_t *el);

/* How many voters stand before this one; the leader that was lost does not count. */
uint32_t gp_election_rank(const gp_election_t *el);

void gp_election_take_standings(gp_election_t *el, const gp_msg_election_standings_t *standings,
                                gp_out_t *out);
void gp_election_take_evidence(gp_election_t *el, const gp_msg_election_evidence_t *evidence);

/* ---- durable.c: nothing is promised before it is on disk ------------------------------------- */

/* The durable part changed. */
void gp_election_touch(gp_election_t *el);

/* Everything in memory is on disk. */
bool gp_election_is_durable(const gp_election_t *el);

/* The disk failed a moment ago: promise nothing. */
bool gp_election_disk_failing(const gp_election_t *el);

/* Keeps a promise now if the state is durable, else once it is. */
void gp_election_promise(gp_election_t *el, const gp_election_pending_t *pending, gp_out_t *out);
void gp_election_take_stored(gp_election_t *el, uint64_t token, bool ok, gp_out_t *out);

/* At the end of a step: STORE what changed. */
void gp_election_flush(gp_election_t *el, gp_out_t *out);
void gp_election_load(gp_election_t *el, const gp_msg_election_state_t *state);

/* ---- vote.c: standing, asking, granting ------------------------------------------------------ */

/* May a term that somebody names be one? Not if it is so far ahead that only a liar has it. */
bool gp_election_credible(const gp_election_t *el, uint64_t term);

/* Follows, in a term that is at least as high. Tells nobody. */
void gp_election_follow(gp_election_t *el, uint64_t term);

/* Sets the time at which this voter stands: base, and its rank's wait. */
void gp_election_arm(gp_election_t *el, gp_usec_t base);

/* The same after a failed try, with backoff. */
void gp_election_retry(gp_election_t *el);

/* Pre-vote, or with a leader's written release the vote at once. */
void gp_election_ask_prevotes(gp_election_t *el, gp_campaign_why_t why, gp_out_t *out);
void gp_election_ask_votes(gp_election_t *el, gp_campaign_why_t why,
                           const gp_election_release_t *release, gp_out_t *out);
void gp_election_found(gp_election_t *el, uint16_t score, gp_out_t *out);

void gp_election_take_prevote_ask(gp_election_t *el, const gp_id_t *peer,
                                  const gp_msg_prevote_ask_t *ask, gp_out_t *out);
void gp_election_take_prevote(gp_election_t *el, const gp_id_t *peer, const gp_msg_prevote_t *vote,
                              gp_out_t *out);
void gp_election_take_vote_ask(gp_election_t *el, const gp_id_t *peer, const gp_msg_vote_ask_t *ask,
                               gp_out_t *out);
void gp_election_take_vote(gp_election_t *el, const gp_id_t *peer, const gp_msg_t *msg,
                           gp_out_t *out);

/* Sends the granted vote of a promise; its state is durable. */
void gp_election_send_vote(gp_election_t *el, const gp_election_pending_t *pending, gp_out_t *out);
void gp_election_send_vote_asks(gp_election_t *el, gp_out_t *out);

/* Tells peer that it is refused, and this machine's own term. */
void gp_election_deny(gp_election_t *el, const gp_id_t *peer, uint64_t term,
                      gp_vote_reason_t reason, gp_out_t *out);

/* ---- mandate.c: the proof of leadership ------------------------------------------------------ */

void gp_election_ballot_reset(gp_election_t *el);

/* Keeps a granted vote; false if it does not belong to the ballot. */
bool gp_election_ballot_add(gp_election_t *el, const gp_id_t *peer, const gp_msg_t *msg);
uint32_t gp_election_ballot_count(const gp_election_ballot_t *ballot);

/* The ballot has a majority: it becomes the mandate, and all hear of it who ever spoke here. */
void gp_election_proclaim(gp_election_t *el, gp_out_t *out);
void gp_election_renew(gp_election_t *el, gp_out_t *out);
void gp_election_take_renew_ask(gp_election_t *el, const gp_id_t *peer,
                                const gp_msg_renew_ask_t *ask, gp_out_t *out);
void gp_election_take_mandate(gp_election_t *el, const gp_id_t *peer,
                              const gp_msg_mandate_t *mandate, gp_out_t *out);
void gp_election_take_mandate_ask(gp_election_t *el, const gp_id_t *peer,
                                  const gp_msg_mandate_ask_t *ask, gp_out_t *out);

/* Shows the mandate to all of `targets` (copied). */
void gp_election_cast_mandate(gp_election_t *el, const gp_id_t *targets, uint32_t count,
                              gp_out_t *out);

/* Shows the mandate that is held to peer; false if there is none of at least `term`. */
bool gp_election_show_mandate(gp_election_t *el, const gp_id_t *peer, uint64_t term, gp_out_t *out);

/* Asks to be shown a mandate of at least `term`. */
void gp_election_send_mandate_ask(gp_election_t *el, const gp_id_t *peer, uint64_t term,
                                  gp_out_t *out);

/* The same, but not more often than peers' beats need. */
void gp_election_ask_mandate(gp_election_t *el, const gp_id_t *peer, uint64_t term, gp_out_t *out);

/* ---- vouch.c: is a mandate's roster the group's? ----------------------------------------------
 */

/* Did a majority of the voters that this machine knows sign it? */
bool gp_election_signed_by_known(const gp_election_t *el, const gp_msg_mandate_t *mandate);

/*
 * May this mandate of a higher term, shown by peer, not depose whom this machine follows? Then asks
 * the known voters and the leader whether they follow it, and peer again after a lease.
 */
bool gp_election_is_doubted(gp_election_t *el, const gp_id_t *peer, const gp_msg_mandate_t *mandate,
                            gp_out_t *out);
void gp_election_doubt_timer(gp_election_t *el, gp_out_t *out);

/* ---- lease.c: for how long ------------------------------------------------------------------- */

void gp_election_win(gp_election_t *el, gp_out_t *out);
void gp_election_step_down(gp_election_t *el, gp_step_down_why_t why, gp_out_t *out);
void gp_election_beat(gp_election_t *el, gp_out_t *out);
void gp_election_extend(gp_election_t *el);

/* As a voter: grants peer the lease of its term from now on; it is the leader's sign of life. */
void gp_election_grant(gp_election_t *el, const gp_id_t *peer, uint64_t term, gp_out_t *out);

/* Does peer lead in this term, or might it, with this machine's vote? */
bool gp_election_believes(const gp_election_t *el, const gp_id_t *peer, uint64_t term);

/* The leader lives and leads. */
void gp_election_sign_of_life(gp_election_t *el, gp_out_t *out);
void gp_election_take_lease(gp_election_t *el, const gp_id_t *peer, const gp_msg_lease_t *lease,
                            gp_out_t *out);
void gp_election_take_lease_ack(gp_election_t *el, const gp_id_t *peer,
                                const gp_msg_lease_ack_t *ack, gp_out_t *out);

/* ---- register.c: one versioned value, replicated --------------------------------------------- */

/* As leader: makes roster the register's next version in this term. */
void gp_election_write(gp_election_t *el, const gp_election_roster_t *roster, gp_out_t *out);
void gp_election_send_register(gp_election_t *el, const gp_id_t *peer, gp_out_t *out);

/* The same if peer is to have it and, as far as is known, lacks it. */
void gp_election_resend_register(gp_election_t *el, const gp_id_t *peer, gp_out_t *out);

/* The leader's own copy is durable: it counts and goes out. */
void gp_election_own_register(gp_election_t *el, uint64_t version, gp_out_t *out);
void gp_election_progress_note(gp_election_t *el, const gp_id_t *peer, uint64_t version,
                               gp_out_t *out);
void gp_election_take_register(gp_election_t *el, const gp_id_t *peer,
                               const gp_msg_register__t *reg, gp_out_t *out);
void gp_election_take_register_ack(gp_election_t *el, const gp_id_t *peer,
                                   const gp_msg_register_ack_t *ack, gp_out_t *out);

/* ---- roster.c: who votes --------------------------------------------------------------------- */

/* Nobody is to become a voter. */
void gp_election_drop_learner(gp_election_t *el);

/* As leader with a committed register: brings the roster one step nearer to what it should be. */
void gp_election_maintain(gp_election_t *el, gp_out_t *out);

/* ---- handover.c ------------------------------------------------------------------------------ */

/* forever: who does not vote forgets who does, so that a seat given up is not resumed. */
void gp_election_relinquish(gp_election_t *el, const gp_msg_election_relinquish_t *how,
                            gp_out_t *out);

/* It does not go after all. */
void gp_election_stay(gp_election_t *el);
void gp_election_watch_better(gp_election_t *el, gp_out_t *out);

/* Is there anybody who could lead after this machine? */
bool gp_election_has_heir(const gp_election_t *el);

/* Puts a release into a message, if there is one; its bytes stay where they are. */
void gp_election_show_release(const gp_election_release_t *release, gp_record_release_t *ret_record,
                              uint32_t *ret_count);

/* As leader whose roster is settled: hands over if that is wanted and possible. */
void gp_election_try_handover(gp_election_t *el, gp_out_t *out);
void gp_election_take_handover(gp_election_t *el, const gp_id_t *peer, const gp_msg_t *msg,
                               gp_out_t *out);
void gp_election_handover_timers(gp_election_t *el, gp_out_t *out);
void gp_election_report_relinquished(gp_election_t *el, const gp_id_t *successor, gp_out_t *out);

/* ---- caretaker.c ----------------------------------------------------------------------------- */

bool gp_election_caretakes(const gp_election_t *el);
void gp_election_caretaker_timers(gp_election_t *el, gp_out_t *out);
gp_usec_t gp_election_caretaker_wake(const gp_election_t *el);

/* There is a leader by right, or this machine goes: no caretaker on this side any more. */
void gp_election_caretaker_end(gp_election_t *el, gp_out_t *out);

/* Members that this machine reaches only now. */
void gp_election_caretaker_met(gp_election_t *el, const gp_id_t *peer, gp_out_t *out);
void gp_election_take_caretaker(gp_election_t *el, const gp_id_t *peer,
                                const gp_msg_caretaker_t *caretaker, gp_out_t *out);

#endif
