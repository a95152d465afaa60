/*
 * Handover: a leader gives its lease up in writing, its successor stands at once: handover.c.
 * Evidence that the leader's process is gone: gp_election_take_evidence of standings.c.
 */
#ifdef HANDOVER

/* is_ready, in gp_election_try_handover: the successor has all that is committed. */
#ifdef REGISTER
#define IS_READY(n, m) (committed[n] && HAS(acked[term[n]], m))
#define IS_CAUGHT_UP(n, t) (VALUE_TERM(value[n]) == (t))
#else
#define IS_READY(n, m) true
#define IS_CAUGHT_UP(n, t) true
#endif

#define CAN_GIVE_UP(n, m)                                                                          \
    (LEADS(n) && (m) != n && HAS(ROSTER(n), m) && IS_READY(n, m) && released[term[n]] == NOBODY)

inline give_up(n, m)
{
    printf("%c hands term %d over to %c\n", NAME(n), term[n], NAME(m));
    released[term[n]] = m;
#ifndef BUG_HANDOVER_KEEPS_THE_LEASE
    leave_role(n)
#endif
}

#define CAN_TAKE_HANDOVER(n, t)                                                                    \
    (released[t] != NOBODY && leader_term[n] == (t) && term[n] == (t) && mandate[t] != n &&        \
     !LEADS(n) && (holder[n] == mandate[t] || released[t] == n))

inline take_handover(n, t)
{
    printf("%c hears that %c hands over\n", NAME(n), NAME(mandate[t]));
    if
    :: holder[n] == mandate[t] -> forget_grant(n)
    :: else
    fi;
    if
    :: released[t] == n && IS_CAUGHT_UP(n, t) && CAN_STAND(n) ->
        stand(n);
        asked_release[term[n]] = asked_release[term[n]] | BIT(n)
    :: else
    fi
}
#endif

#ifdef EVIDENCE
/* Two observers that saw the process of their leader gone need not wait for its lease. */
#ifdef BUG_EVIDENCE_FORGED
#define IS_GONE(m, t) true
#else
#define IS_GONE(m, t) (!LEADS(m) || term[m] != (t))
#endif
#define CAN_SEE_GONE(n)                                                                            \
    (!evidence[n] && !LEADS(n) && mandate[leader_term[n]] != NOBODY &&                             \
     mandate[leader_term[n]] != n && IS_GONE(mandate[leader_term[n]], leader_term[n]))

inline see_gone(n)
{
    printf("%c sees that the process of %c is gone\n", NAME(n), NAME(mandate[leader_term[n]]));
    evidence[n] = 1
}
#endif
