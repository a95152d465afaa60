/*
 * The election of election/, as a model for Spin: what may happen at one machine, in any order, with
 * messages that come late, twice or never, and machines that crash. See README.md.
 *
 * N machines, TERMS terms; what else takes part is chosen by macros: SLOW_DISK, REGISTER (VERSIONS
 * of it), LEASE (its ticks) with DRIFT, EVIDENCE, HANDOVER, CARETAKER, HEAL, KEEP_TOLD (remember the
 * votes told, to check them), FIRST_LEADER (begin in term 1), ONLY_GROWS (no voter goes). BUG_...
 * breaks one rule.
 */
#include "state.pml"
#include "vote.pml"
#include "lease.pml"
#include "register.pml"
#include "handover.pml"
#include "caretaker.pml"
#include "durable.pml"
#include "heal.pml"

/* One step: it happens as a whole, as in the core, and then what may be said is said. */
#define WHEN(guard, what)                                                                          \
    :: d_step { IS_UNDER_WAY && (guard) -> what; flush(_pid); tidy(); WIPE }

#if N == 2
#define EACH_PEER(option) option(0) option(1)
#elif N == 3
#define EACH_PEER(option) option(0) option(1) option(2)
#else
#define EACH_PEER(option) option(0) option(1) option(2) option(3)
#endif

#if TERMS == 2
#define EACH_TERM(option) option(1) option(2)
#define EACH_TERM_OF(option, m) option(m, 1) option(m, 2)
#elif TERMS == 3
#define EACH_TERM(option) option(1) option(2) option(3)
#define EACH_TERM_OF(option, m) option(m, 1) option(m, 2) option(m, 3)
#else
#define EACH_TERM(option) option(1) option(2) option(3) option(4)
#define EACH_TERM_OF(option, m) option(m, 1) option(m, 2) option(m, 3) option(m, 4)
#endif

#define VOTE_IN(m, t) WHEN(CAN_VOTE(_pid, m, t), take_vote_ask(_pid, m, t))
#define VOTE_FOR(m) EACH_TERM_OF(VOTE_IN, m)
#define MEET(m) WHEN(CAN_MEET(_pid, m), meet_term(_pid, m))
#define FOLLOW(t) WHEN(CAN_FOLLOW(_pid, t), take_mandate(_pid, t))
#define BEAT(m) WHEN(CAN_BEAT(_pid, m), send_beat(_pid, m))
#define GRANT(m) WHEN(CAN_GRANT(_pid, m), take_lease(_pid, m))
#define COUNT_ACK(m) WHEN(CAN_COUNT(_pid, m), take_lease_ack(_pid, m))
#define GIVE_UP(m) WHEN(CAN_GIVE_UP(_pid, m), give_up(_pid, m))
#define TAKE_HANDOVER(t) WHEN(CAN_TAKE_HANDOVER(_pid, t), take_handover(_pid, t))
#define TAKE_CARETAKER(m) WHEN(CAN_TAKE_CARETAKER(_pid, m), take_caretaker(_pid, m))
#define ADD(m) WHEN(CAN_ADD(_pid, m), change_roster(_pid, ROSTER(_pid) | BIT(m)))
#define REMOVE(m) WHEN(CAN_REMOVE(_pid, m), change_roster(_pid, ROSTER(_pid) & ~BIT(m)))
#define SWAP(m) WHEN(CAN_ADD(_pid, m), change_roster(_pid, BIT(m)))
#define TAKE_REGISTER_OF(version, t)                                                               \
    WHEN(CAN_TAKE_REGISTER(_pid, t, version), take_register(_pid, t, version))
#define TAKE_REGISTER(version) EACH_TERM_OF(TAKE_REGISTER_OF, version)

active [N] proctype machine()
{
    do
    WHEN(CAN_STAND(_pid) && IS_FREE(_pid), stand(_pid))
    EACH_PEER(VOTE_FOR)
    WHEN(CAN_WIN(_pid), win(_pid))
    EACH_PEER(MEET)
    EACH_TERM(FOLLOW)
    WHEN(LEADS(_pid), leave_role(_pid))
    WHEN(term[_pid] > 0, restart(_pid))
#ifdef SLOW_DISK
    WHEN(dirty[_pid], take_stored(_pid))
#endif
#ifdef LEASE
    EACH_PEER(BEAT)
    EACH_PEER(GRANT)
    EACH_PEER(COUNT_ACK)
#endif
#ifdef REGISTER
    TAKE_REGISTER(1) TAKE_REGISTER(2) TAKE_REGISTER(3) TAKE_REGISTER(4)
#if VERSIONS > 4
    TAKE_REGISTER(5)
#endif
#if VERSIONS > 5
    TAKE_REGISTER(6)
#endif
    WHEN(CAN_COMMIT(_pid), commit(_pid))
    EACH_PEER(ADD)
    EACH_PEER(REMOVE)
#ifdef BUG_TWO_VOTERS_CHANGED_AT_ONCE
    EACH_PEER(SWAP)
#endif
#endif
#ifdef EVIDENCE
    WHEN(CAN_SEE_GONE(_pid), see_gone(_pid))
#endif
#ifdef HANDOVER
    EACH_PEER(GIVE_UP)
    EACH_TERM(TAKE_HANDOVER)
#endif
#ifdef CARETAKER
    WHEN(CAN_LOSE(_pid), lost[_pid] = 1)
    WHEN(CAN_DECLARE(_pid), declare(_pid))
    EACH_PEER(TAKE_CARETAKER)
    WHEN(CAN_FORGET(_pid), caretaker[_pid] = NOBODY)
    :: d_step { !healed -> check_acts(_pid); WIPE }
#endif
    od
}

/* What happens to all: the time that goes by, and the end of a run. */
#define WORLD(guard, what)                                                                         \
    :: d_step { !healed && (guard) -> what; tidy(); WIPE }
#define TICK(n) WORLD(!HAS(ahead, n), tick(n))

active proctype world()
{
#ifdef REGISTER
    /* gp_election_found: the first machine stands as the only voter. */
    d_step {
        started = 1;
        value[0] = VALUE(1, 1, 1);
        stand(0);
        flush(0);
        WIPE
    }
#endif
#ifdef FIRST_LEADER
    /* The first election is over: with the vote of the second machine the first has won. */
    d_step {
        started = 1;
        stand(0);
        flush(0);
        take_vote_ask(1, 0, 1);
        win(0);
        WIPE
    }
#endif
    do
#ifdef LEASE
#if DRIFT > 0
    EACH_PEER(TICK)
#else
    WORLD(true, tick_all())
#endif
#endif
#ifdef HEAL
    WORLD(IS_FOUNDED, heal())
#endif
#ifdef CARETAKER
    WORLD(true, settle(3); forget_all())
    WORLD(true, settle(5); forget_all())
    WORLD(true, settle(6); forget_all())
#if N > 3
    WORLD(true, settle(9); forget_all())
    WORLD(true, settle(10); forget_all())
    WORLD(true, settle(12); forget_all())
#endif
#endif
    :: healed -> break
    od
}
