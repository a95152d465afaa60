/*
 * What a machine knows and what is on the wire: election/election_state.h, made small.
 *
 * A roster is a set of bits. The register is one number, {term, version, roster}, so that "newer"
 * is "greater". What was sent stays on the wire: it may arrive later, twice, out of order or never.
 */

#define NOBODY N
#define BIT(n) (1 << (n))
#define HAS(set, n) (((set) >> (n)) & 1)
#define COUNT(set) (HAS(set, 0) + HAS(set, 1) + HAS(set, 2) + HAS(set, 3))
#define ALL (BIT(N) - 1)
#define PAIR(a, b) ((a) * N + (b))
#define NAME(n) (65 + (n))

/* gp_election_majority */
#ifdef BUG_HALF_IS_A_MAJORITY
#define MAJORITY(set) ((COUNT(set) + 1) / 2)
#else
#define MAJORITY(set) (COUNT(set) / 2 + 1)
#endif

#define FOLLOWER 0
#define CANDIDATE 1
#define LEADER 2

/* ---- durable, as it is in memory ---- */
byte term[N];
byte vote[N] = NOBODY;
#ifdef REGISTER
#define VALUE(t, version, set) ((t) * 256 + (version) * 16 + (set))
#define VALUE_TERM(value) ((value) >> 8)
#define VERSION(value) (((value) >> 4) & 15)
#define VOTERS(value) ((value) & 15)
#define KEY(value) ((value) >> 4) /* what decides which of two registers is newer */
short value[N];
#define ROSTER(n) VOTERS(value[n])
#else
#define ROSTER(n) ALL
#endif

/* ---- the same on disk: what a crash leaves (durable.c) ---- */
#ifdef SLOW_DISK
byte disk_term[N];
byte disk_vote[N] = NOBODY;
#ifdef REGISTER
short disk_value[N];
#endif
bit dirty[N]; /* memory is ahead of the disk: gp_election_is_durable is false */
byte promised[(TERMS + 1) * N]; /* [term][candidate]: who votes so once its disk has it */
#define IS_DURABLE(n) (!dirty[n])
#else
#define disk_term term
#define IS_DURABLE(n) true
#endif

/* ---- what a crash takes ---- */
byte role[N];
byte leader_term[N]; /* the term of the last mandate seen; its leader is mandate[leader_term[n]] */
#ifdef REGISTER
bit committed[N];
#endif
#ifdef LEASE
byte holder[N] = NOBODY; /* to whom this voter granted, in which term, for how many ticks more */
byte lease_term[N];
byte granted[N];
byte restarted[N]; /* ticks for which a restarted machine grants nobody: restart_until */
byte lease[N];     /* ticks for which a leader may still act: lease_until */
#ifdef REGISTER
byte answered[N * N]; /* [leader][voter]: ticks of lease that the voter's answers are worth */
#endif
#if DRIFT > 0
byte ahead;        /* the clocks that are a tick ahead of the others */
#endif
#endif
#ifdef EVIDENCE
bit evidence[N];
#endif
#ifdef CARETAKER
bit lost[N]; /* no sign of a leader: lost_at is not GP_NEVER */
byte caretaker[N] = NOBODY;
#endif

/* ---- on the wire ---- */
byte asked[TERMS + 1]; /* VOTE_ASK: the candidates of a term */
#ifdef REGISTER
short asked_value[(TERMS + 1) * N]; /* the register that each of them showed */
byte sent[(TERMS + 1) * (VERSIONS + 1)]; /* REGISTER: the roster of {term, version}; 0: not sent */
byte acked[TERMS + 1]; /* REGISTER_ACK: who has the present version of that term's leader */
#endif
byte told[(TERMS + 1) * N]; /* VOTE: [term][candidate]: the voters that told theirs */
byte mandate[TERMS + 1] = NOBODY; /* MANDATE: who won the term */
#ifdef LEASE
byte beat[N * N]; /* LEASE: [leader][voter]: ticks of lease that an answer will be worth; 0: none */
byte ack[N];      /* LEASE_ACK: the voters that have answered the beat that is under way */
#endif
#ifdef EVIDENCE
byte asked_evidence[TERMS + 1];
#endif
#ifdef HANDOVER
byte released[TERMS + 1] = NOBODY; /* HANDOVER: the successor that this term's leader named */
byte asked_release[TERMS + 1]; /* candidates that show the release of the term before theirs */
#endif
#ifdef CARETAKER
byte declared; /* CARETAKER: who ever declared itself */
#endif

/* ---- seen by nobody, only by the checks ---- */
#ifdef REGISTER
byte won[TERMS + 1]; /* KEY of the register with which the term was won */
byte newest[TERMS + 1]; /* KEY of what was committed last in the term */
#endif
#if defined(FIRST_LEADER) || defined(REGISTER)
bit started; /* the first machine has founded the group, or leads it */
#define IS_UNDER_WAY (started && !healed)
#else
#define IS_UNDER_WAY (!healed)
#endif
bit healed; /* the run is over: what follows was looked at by heal() */

/* What the model is there to check: a broken promise ends the run and says which it was. */
#define PROMISE(condition, text)                                                                   \
    if                                                                                             \
    :: condition                                                                                   \
    :: else -> printf(text); assert(false)                                                         \
    fi

/* Scratch of one step: zero between steps, so that no two states differ by it. */
byte i;
byte k;
byte x;
byte count;
#define WIPE                                                                                       \
    i = 0;                                                                                         \
    k = 0;                                                                                         \
    x = 0;                                                                                         \
    count = 0

/* gp_election_leads, gp_election_believes */
#define LEADS(n) (role[n] == LEADER)
#define BELIEVES(n, peer, t)                                                                       \
    ((t) == term[n] && (((t) == leader_term[n] && mandate[t] == (peer)) ||                         \
                        ((t) > leader_term[n] && vote[n] == (peer))))
