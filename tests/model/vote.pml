/*
 * Standing, asking, granting, winning: vote.c, mandate.c, gp_election_win of lease.c.
 *
 * Pre-votes change nothing anywhere: who might ask may stand here at any time, which is more than
 * the code allows. A vote that is lost is one that its candidate never counts, so the ballot is the
 * set of the votes told.
 */

/* Who is no candidate of that term any more counts no votes in it: they are worth nothing. */
#ifdef KEEP_TOLD
#define COUNTS(c, t) true
#else
#define COUNTS(c, t) (role[c] == CANDIDATE && term[c] == (t))
#endif
inline drop_votes(n)
{
#ifdef KEEP_TOLD
    skip
#else
    told[PAIR(term[n], n)] = 0
#endif
}

/* VOTE, granted */
inline send_vote(n, c, t)
{
    if
    :: COUNTS(c, t) -> told[PAIR(t, c)] = told[PAIR(t, c)] | BIT(n)
    :: else
    fi
}

/* What a role holds goes with it: gp_election_step_down and gp_election_follow. */
inline leave_role(n)
{
    if
    :: role[n] == CANDIDATE -> drop_votes(n)
    :: LEADS(n) ->
#ifdef REGISTER
        committed[n] = 0;
        acked[term[n]] = 0;
#endif
#ifdef LEASE
        drop_lease(n);
#endif
#ifdef CARETAKER
        lost[n] = 1;
#endif
    :: else
    fi;
    role[n] = FOLLOWER
}

/* gp_election_follow */
inline follow(n, t)
{
    leave_role(n);
    if
    :: t > term[n] -> term[n] = t; vote[n] = NOBODY; touch(n)
    :: else
    fi
}

/* bound_until: the grants of this machine bind its own vote too. */
#ifdef LEASE
#ifdef EVIDENCE
#define IS_FREE(n)                                                                                 \
    ((granted[n] == 0 && restarted[n] == 0) ||                                                     \
     (holder[n] != NOBODY && evidence[n] && holder[n] == mandate[leader_term[n]]))
#else
#define IS_FREE(n) (granted[n] == 0 && restarted[n] == 0)
#endif
#else
#define IS_FREE(n) true
#endif

#ifdef REGISTER
#define HAS_REGISTER(n) (value[n] > 0)
#else
#define HAS_REGISTER(n) true
#endif

#define CAN_STAND(n) (!LEADS(n) && term[n] < TERMS && HAS_REGISTER(n))

/* gp_election_ask_votes */
inline stand(n)
{
    follow(n, term[n] + 1);
    role[n] = CANDIDATE;
    vote[n] = n;
#ifdef LEASE
    forget_grant(n);
#endif
    printf("%c stands in term %d\n", NAME(n), term[n])
}

/* gp_election_send_vote_asks: the own term is on disk by now. Its own vote is told like others. */
inline send_vote_asks(n)
{
    asked[term[n]] = asked[term[n]] | BIT(n);
#ifdef REGISTER
    asked_value[PAIR(term[n], n)] = value[n];
#endif
#ifdef EVIDENCE
    asked_evidence[term[n]] = asked_evidence[term[n]] | (evidence[n] << n);
#endif
    if
    :: HAS(ROSTER(n), n) -> send_vote(n, n, term[n])
    :: else
    fi
}

/* ---- judge: the rules by which a voter denies ---- */

#ifdef BUG_VOTE_TWICE_IN_A_TERM
#define IS_TAKEN(n, c, t) false
#else
#define IS_TAKEN(n, c, t) ((t) == term[n] && vote[n] != NOBODY && vote[n] != (c))
#endif

#ifdef REGISTER
#ifdef BUG_OLDER_REGISTER_ELECTED
#define IS_BEHIND(n, shown) false
#else
#define IS_BEHIND(n, shown) (KEY(shown) < KEY(value[n]))
#endif
#define IS_NO_VOTER(n, c, shown) ((shown) == value[n] && !HAS(ROSTER(n), c))
#define ASKED_VALUE(c, t) asked_value[PAIR(t, c)]
#define IS_ASKED(n, c, t) (HAS(asked[t], c) && HAS(VOTERS(ASKED_VALUE(c, t)), n))
#define OWN_VALUE(c) value[c]
#else
#define IS_BEHIND(n, shown) false
#define IS_NO_VOTER(n, c, shown) (!HAS(ALL, c))
#define ASKED_VALUE(c, t) 0
#define IS_ASKED(n, c, t) HAS(asked[t], c)
#define OWN_VALUE(c) 0
#endif

/* is_released: the ask shows in writing that `by` gave up its lease of term `of`. */
#ifdef HANDOVER
#define IS_RELEASED(c, t, by, of)                                                                  \
    (HAS(asked_release[t], c) && (of) == (t) - 1 && (by) == mandate[(t) - 1])
#else
#define IS_RELEASED(c, t, by, of) false
#endif

/* is_waived */
#ifdef EVIDENCE
#define SEEN_GONE(n, c, t)                                                                         \
    (evidence[n] && holder[n] == mandate[leader_term[n]] &&                                        \
     (HAS(asked_evidence[t], c) || COUNT(ROSTER(n)) < 3))
#else
#define SEEN_GONE(n, c, t) false
#endif
#define IS_WAIVED(n, c, t)                                                                         \
    ((IS_RELEASED(c, t, holder[n], lease_term[n]) && lease_term[n] >= leader_term[n]) ||           \
     SEEN_GONE(n, c, t))

#ifdef LEASE
#define IS_LEASED(n, c, t)                                                                         \
    ((restarted[n] > 0 && !IS_RELEASED(c, t, vote[n], term[n])) ||                                 \
     (granted[n] > 0 && holder[n] != (c) && !IS_WAIVED(n, c, t)))
#else
#define IS_LEASED(n, c, t) false
#endif

#define JUDGE(n, c, t, shown)                                                                      \
    ((t) >= term[n] && !IS_TAKEN(n, c, t) && !IS_BEHIND(n, shown) && !IS_NO_VOTER(n, c, shown) &&  \
     !LEADS(n))

#define CAN_VOTE(n, c, t)                                                                          \
    (IS_ASKED(n, c, t) && (c) != n && JUDGE(n, c, t, ASKED_VALUE(c, t)) && !IS_LEASED(n, c, t))

/* gp_election_take_vote_ask */
inline take_vote_ask(n, c, t)
{
    follow(n, t);
    if
    :: vote[n] != c -> vote[n] = c; touch(n)
    :: else
    fi;
#ifdef LEASE
    if
    :: holder[n] != c || lease_term[n] != t -> forget_grant(n)
    :: else
    fi;
#endif
#ifdef CARETAKER
    lost[n] = lost[n] | (leader_term[n] < t);
#endif
    printf("%c votes for %c in term %d\n", NAME(n), NAME(c), t);
#ifdef BUG_VOTE_NOT_DURABLE
    send_vote(n, c, t)
#else
    if
    :: IS_DURABLE(n) -> send_vote(n, c, t)
#ifdef SLOW_DISK
    :: else -> promised[PAIR(t, c)] = promised[PAIR(t, c)] | BIT(n)
#endif
    fi
#endif
}

/* meet_term: a voter that denies names a higher term, one that is on its disk. */
#define CAN_MEET(n, peer)                                                                          \
    ((peer) != n && disk_term[peer] > term[n] && HAS(ROSTER(n), peer))

inline meet_term(n, peer)
{
    printf("%c learns of term %d\n", NAME(n), disk_term[peer]);
    follow(n, disk_term[peer])
}

/* What was sent in a term that every machine has left, also after a crash, changes nothing more. */
inline tidy()
{
    x = TERMS;
    k = 0;
    do
    :: k < N -> x = (disk_term[k] < x -> disk_term[k] : x); k++
    :: else -> break
    od;
    do
    :: x > 0 ->
        x--;
        asked[x] = 0;
#ifdef EVIDENCE
        asked_evidence[x] = 0;
#endif
#ifdef HANDOVER
        asked_release[x] = 0;
        released[x] = NOBODY;
#endif
#ifdef REGISTER
        k = 0;
        do
        :: k < N -> asked_value[PAIR(x, k)] = 0; k++
        :: else -> break
        od;
        k = 0;
        do
        :: k <= VERSIONS -> sent[x * (VERSIONS + 1) + k] = 0; k++
        :: else -> break
        od;
#endif
    :: else -> break
    od
}

/* ---- counting: gp_election_take_vote ---- */

#define HAS_MAJORITY(n)                                                                            \
    (COUNT(told[PAIR(term[n], n)] & ROSTER(n)) >= MAJORITY(ROSTER(n)))
#define CAN_WIN(n) (role[n] == CANDIDATE && HAS_MAJORITY(n))

/* gp_election_win, gp_election_proclaim */
inline win(n)
{
    printf("%c wins term %d\n", NAME(n), term[n]);
    PROMISE(mandate[term[n]] == NOBODY, "BROKEN: one mandate in a term\n");
#ifdef REGISTER
    /* A leader has all that was committed in the terms before. */
    k = 1;
    do
    :: k < term[n] ->
        PROMISE(KEY(value[n]) >= newest[k], "BROKEN: nothing committed is lost\n");
        k++
    :: else -> break
    od;
#endif
    drop_votes(n);
    role[n] = LEADER;
    mandate[term[n]] = n;
    leader_term[n] = term[n];
#ifdef LEASE
    forget_grant(n);
#endif
#ifdef EVIDENCE
    evidence[n] = 0;
#endif
#ifdef CARETAKER
    end_caretaking(n);
#endif
#ifdef REGISTER
    won[term[n]] = KEY(value[n]);
    write_register(n, ROSTER(n))
#endif
}

/* gp_election_take_mandate: anybody may show it, at any time. */
#define CAN_FOLLOW(n, t)                                                                           \
    (mandate[t] != NOBODY && mandate[t] != n && (t) >= term[n] && (t) > leader_term[n])

inline take_mandate(n, t)
{
    printf("%c sees the mandate of %c for term %d\n", NAME(n), NAME(mandate[t]), t);
    follow(n, t);
    leader_term[n] = t;
#ifdef EVIDENCE
    evidence[n] = 0;
#endif
#ifdef CARETAKER
    end_caretaking(n)
#endif
}
