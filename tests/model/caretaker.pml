/*
 * The caretaker of a side without a majority: caretaker.c. The lower its letter, the better a
 * machine is.
 */
#ifdef CARETAKER

/* gp_election_caretaker_end, and the sign of life that goes with it */
inline end_caretaking(n)
{
    lost[n] = 0;
#ifndef BUG_CARETAKER_STAYS
    caretaker[n] = NOBODY
#endif
}

/* No sign of the leader for long: watch_leader, follower_timers. */
#define CAN_LOSE(n) (!lost[n] && !LEADS(n))

/* is_wanted, declare_at */
#define IS_WANTED(n) (lost[n] && role[n] == FOLLOWER)
#define CAN_DECLARE(n) (IS_WANTED(n) && caretaker[n] == NOBODY)

inline declare(n)
{
    printf("%c looks after things\n", NAME(n));
    caretaker[n] = n;
    declared = declared | BIT(n)
}

/* gp_election_take_caretaker */
#ifdef BUG_CARETAKER_FOLLOWS_ANYBODY
#define KEEPS(n, peer) false
#define IS_BETTER(n, peer) false
#else
#define KEEPS(n, peer) (caretaker[n] != NOBODY && caretaker[n] < (peer))
#define IS_BETTER(n, peer) (n < (peer))
#endif
#define CAN_TAKE_CARETAKER(n, peer)                                                                \
    (HAS(declared, peer) && (peer) != n && lost[n] && !KEEPS(n, peer))

inline take_caretaker(n, peer)
{
    if
    :: IS_WANTED(n) && IS_BETTER(n, peer) -> declare(n)
    :: else -> printf("%c follows %c as caretaker\n", NAME(n), NAME(peer)); caretaker[n] = peer
    fi
}

/* Not heard, or not reached any more. */
#define CAN_FORGET(n) (caretaker[n] != NOBODY && caretaker[n] != n)

/* gp_election_right: may it act for the quorum? gp_election_lease_until says: does it itself? */
#ifdef BUG_CARETAKER_LEADS
#define IS_RIGHT(n) (LEADS(n) || caretaker[n] != NOBODY)
#else
#define IS_RIGHT(n) LEADS(n)
#endif
#define ACTS(n) (IS_RIGHT(n) && (LEADS(n) || caretaker[n] == n))

/* A caretaker's acts are never a quorum's, and no leader is a caretaker. */
inline check_acts(n)
{
    PROMISE(!ACTS(n) || mandate[term[n]] == n, "BROKEN: a caretaker is no quorum\n");
    PROMISE(!LEADS(n) || caretaker[n] == NOBODY, "BROKEN: a leader ends caretaking\n")
}

/*
 * From every state: a side, cut off for long, agrees on its best machine. Several rounds of what
 * each declares, whatever happened before.
 */
inline settle(side)
{
    i = 0;
    do
    :: i < N -> leave_role(i); lost[i] = 1; i++
    :: else -> break
    od;
    count = 0;
    do
    :: count < 3 * N ->
        i = count % N;
        if
        :: HAS(side, i) ->
            x = caretaker[i];
            if
            :: x != NOBODY && (!HAS(side, x) || caretaker[x] != x) -> caretaker[i] = NOBODY
            :: else
            fi;
            if
            :: CAN_DECLARE(i) -> declare(i)
            :: else
            fi;
            x = 0;
            do
            :: x < N ->
                if
                :: HAS(side, x) && caretaker[i] == i && CAN_TAKE_CARETAKER(x, i) ->
                    take_caretaker(x, i)
                :: else
                fi;
                x++
            :: else -> break
            od
        :: else
        fi;
        count++
    :: else -> break
    od;
    i = N - 1;
    x = NOBODY;
    do
    :: HAS(side, i) -> x = i; if :: i > 0 -> i-- :: else -> break fi
    :: !HAS(side, i) && i > 0 -> i--
    :: else -> break
    od;
    i = 0;
    do
    :: i < N ->
        PROMISE(!HAS(side, i) || caretaker[i] == x, "BROKEN: a side agrees on its caretaker\n");
        i++
    :: else -> break
    od
}
#endif
