/*
 * Nothing is promised before it is on disk: durable.c.
 */

/* gp_election_touch */
inline touch(n)
{
#ifdef SLOW_DISK
    dirty[n] = 1;
#else
    skip;
#endif
}

/* keep_promise: all that waited for the disk is said now. */
inline keep_promises(n)
{
#ifdef SLOW_DISK
    k = 0;
    do
    :: k < (TERMS + 1) * N ->
        if
        :: HAS(promised[k], n) ->
            send_vote(n, k % N, k / N);
            promised[k] = promised[k] & ~BIT(n)
        :: else
        fi;
        k++
    :: else -> break
    od;
#endif
    if
    :: role[n] == CANDIDATE && !HAS(asked[term[n]], n) -> send_vote_asks(n)
    :: else
    fi;
#ifdef REGISTER
    send_register(n)
#endif
}

/* gp_election_take_stored: the disk has what the memory has. */
inline take_stored(n)
{
#ifdef SLOW_DISK
    disk_term[n] = term[n];
    disk_vote[n] = vote[n];
#ifdef REGISTER
    disk_value[n] = value[n];
#endif
    dirty[n] = 0;
#endif
    keep_promises(n)
}

/* The end of a step: where the disk is not modelled, it has everything at once. */
inline flush(n)
{
#ifdef SLOW_DISK
    skip;
#else
    keep_promises(n)
#endif
}

/* A crash, and gp_election_load and start() after it. */
inline restart(n)
{
    printf("%c crashes and starts again\n", NAME(n));
    leave_role(n);
    leader_term[n] = 0;
#ifdef SLOW_DISK
    term[n] = disk_term[n];
    vote[n] = disk_vote[n];
#ifdef REGISTER
    value[n] = disk_value[n];
#endif
    dirty[n] = 0;
    k = 0;
    do
    :: k < (TERMS + 1) * N -> promised[k] = promised[k] & ~BIT(n); k++
    :: else -> break
    od;
#endif
#ifdef LEASE
    forget_grant(n);
#ifndef BUG_GRANT_FORGOTTEN_IN_A_RESTART
    restarted[n] = (term[n] > 0 -> LEASE + DRIFT : 0);
#endif
#endif
#ifdef EVIDENCE
    evidence[n] = 0;
#endif
#ifdef CARETAKER
    lost[n] = 1;
    caretaker[n] = NOBODY;
#endif
#ifdef KEEP_TOLD
    check_promises(n)
#endif
}

#ifdef KEEP_TOLD
/* A machine that comes back does not break what it told before. */
inline check_promises(n)
{
    k = 0;
    do
    :: k < (TERMS + 1) * N ->
        PROMISE(!HAS(told[k], n) || term[n] > k / N || (term[n] == k / N && vote[n] == k % N),
                "BROKEN: a vote that was told is kept\n");
        k++
    :: else -> break
    od
}
#endif
