/*
 * The lease in ticks: lease.c. A leader counts LEASE - DRIFT ticks of its own clock from the moment
 * it sent the beat, a voter LEASE + DRIFT of its own from the moment it received it. While a lease
 * runs, two clocks differ by no more than one tick each.
 */
#ifdef LEASE

#ifdef BUG_NO_MARGIN_FOR_DRIFT
#define LEASE_LESS LEASE
#define LEASE_MORE LEASE
#else
#define LEASE_LESS (LEASE - DRIFT)
#define LEASE_MORE (LEASE + DRIFT)
#endif

inline forget_grant(n)
{
    holder[n] = NOBODY;
    lease_term[n] = 0;
    granted[n] = 0
}

/* Who leads no more counts no answers: what is under way for it is worth nothing. */
inline drop_lease(n)
{
    lease[n] = 0;
    ack[n] = 0;
    k = 0;
    do
    :: k < N ->
        beat[PAIR(n, k)] = 0;
#ifdef REGISTER
        answered[PAIR(n, k)] = 0;
#endif
        k++
    :: else -> break
    od
}

/* gp_election_beat, to one voter: others may be sent to at another time, or lose theirs. */
#define CAN_BEAT(n, peer) (LEADS(n) && ((peer) == n || HAS(ROSTER(n), peer)))

inline send_beat(n, peer)
{
    if
    :: peer != n ->
        printf("%c sends a beat to %c\n", NAME(n), NAME(peer));
        beat[PAIR(n, peer)] = LEASE_LESS;
        ack[n] = ack[n] & ~BIT(peer)
    :: else -> printf("%c grants itself\n", NAME(n))
    fi;
#ifdef REGISTER
    if
    :: HAS(ROSTER(n), n) -> answered[PAIR(n, n)] = LEASE_LESS; extend(n)
    :: else
    fi
#endif
}

/* gp_election_grant */
inline grant(n, peer, t)
{
    printf("%c grants %c the lease of term %d\n", NAME(n), NAME(peer), t);
    leave_role(n);
    holder[n] = peer;
    lease_term[n] = t;
    granted[n] = LEASE_MORE;
#ifdef EVIDENCE
    evidence[n] = 0
#endif
}

/* gp_election_take_lease */
#define CAN_GRANT(n, peer)                                                                         \
    (beat[PAIR(peer, n)] > 0 && !HAS(ack[peer], n) && LEADS(peer) &&                               \
     BELIEVES(n, peer, term[peer]) && HAS(ROSTER(n), n))

inline take_lease(n, peer)
{
    grant(n, peer, term[peer]);
    ack[peer] = ack[peer] | BIT(n)
}

/* gp_election_take_lease_ack */
#define CAN_COUNT(n, peer) (LEADS(n) && HAS(ack[n], peer) && HAS(ROSTER(n), peer))

inline take_lease_ack(n, peer)
{
    printf("%c counts the answer of %c\n", NAME(n), NAME(peer));
    x = beat[PAIR(n, peer)];
    beat[PAIR(n, peer)] = 0;
    ack[n] = ack[n] & ~BIT(peer);
#ifdef REGISTER
    answered[PAIR(n, peer)] = (x > answered[PAIR(n, peer)] -> x : answered[PAIR(n, peer)]);
    extend(n)
#else
    /* Of three voters that never change the leader is one, so an answer makes a majority. */
    lease[n] = (x > lease[n] -> x : lease[n]);
    check_leases(n)
#endif
}

#ifdef REGISTER
/* gp_election_extend: the longest time that a majority of the roster has granted. */
inline extend(n)
{
    x = LEASE_LESS;
    do
    :: x > lease[n] ->
        count = 0;
        k = 0;
        do
        :: k < N -> count = count + (HAS(ROSTER(n), k) && answered[PAIR(n, k)] >= x); k++
        :: else -> break
        od;
        if
        :: count >= MAJORITY(ROSTER(n)) -> lease[n] = x
        :: else -> x--
        fi
    :: else -> break
    od;
    check_leases(n)
}
#endif

/* No two leaders with a valid lease at once. */
inline check_leases(n)
{
    k = 0;
    do
    :: k < N ->
        PROMISE(k == n || lease[n] == 0 || lease[k] == 0, "BROKEN: one lease at a time\n");
        k++
    :: else -> break
    od
}

#define LESS(ticks) ((ticks) > 0 -> (ticks) - 1 : 0)

/* One machine's clock goes on by a tick. */
inline pass_time(n)
{
    granted[n] = LESS(granted[n]);
    if
    :: granted[n] == 0 -> forget_grant(n)
    :: else
    fi;
    restarted[n] = LESS(restarted[n]);
    k = 0;
    do
    :: k < N ->
#ifdef REGISTER
        answered[PAIR(n, k)] = LESS(answered[PAIR(n, k)]);
#endif
#ifndef BUG_LEASE_FROM_THE_TIME_OF_RECEIVING
        beat[PAIR(n, k)] = LESS(beat[PAIR(n, k)]);
#endif
        if
        :: beat[PAIR(n, k)] == 0 -> ack[n] = ack[n] & ~BIT(k)
        :: else
        fi;
        k++
    :: else -> break
    od;
    if
    :: lease[n] == 1 && ROSTER(n) != BIT(n) ->
        printf("the lease of %c runs out\n", NAME(n));
        leave_role(n)
    :: lease[n] == 1 && ROSTER(n) == BIT(n) -> lease[n] = 0
    :: lease[n] > 1 -> lease[n] = lease[n] - 1
    :: else
    fi
}

/*
 * The clocks go on one by one, none by more than a tick before another. So while one counts some
 * ticks another counts at most two more, or two less: DRIFT on each side.
 */
#if DRIFT > 0
inline tick(n)
{
    printf("a tick of %c's clock\n", NAME(n));
    pass_time(n);
    ahead = ahead | BIT(n);
    if
    :: ahead == ALL -> ahead = 0
    :: else
    fi
}
#else
inline tick_all()
{
    printf("a tick of all clocks\n");
    i = 0;
    do
    :: i < N -> pass_time(i); i++
    :: else -> break
    od
}
#endif
#endif
