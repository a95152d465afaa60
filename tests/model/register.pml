/*
 * The register, here only the roster in it: register.c, and the changes of roster.c. Which change
 * is wanted is roster.c's policy; here any voter may come or go whenever the rules allow it.
 */
#ifdef REGISTER

/*
 * gp_election_write: the next version, in the own term. Where the model's versions end, whoever wins
 * leads on without one: it commits and changes nothing.
 */
inline write_register(n, set)
{
    x = set;
    if
    :: VERSION(value[n]) < VERSIONS -> value[n] = VALUE(term[n], VERSION(value[n]) + 1, x)
    :: else
    fi;
    committed[n] = 0;
    acked[term[n]] = 0;
#ifdef LEASE
    k = 0;
    do
    :: k < N -> answered[PAIR(n, k)] = (HAS(x, k) -> answered[PAIR(n, k)] : 0); k++
    :: else -> break
    od;
#endif
    touch(n)
}

/* PROMISE_REGISTER and PROMISE_ACK: the copy is on disk, so it counts and is told. */
inline send_register(n)
{
    if
    :: LEADS(n) && VALUE_TERM(value[n]) == term[n] ->
        sent[term[n] * (VERSIONS + 1) + VERSION(value[n])] = ROSTER(n);
        acked[term[n]] = acked[term[n]] | BIT(n)
    :: else
    fi;
    x = VALUE_TERM(value[n]);
    k = mandate[x];
    if
    :: k != NOBODY && k != n ->
        if
        :: LEADS(k) && term[k] == x && value[k] == value[n] -> acked[x] = acked[x] | BIT(n)
        :: else
        fi
    :: else
    fi
}

/* gp_election_take_register: of {t, version}. */
#define CAN_TAKE_REGISTER(n, t, version)                                                           \
    (sent[(t) * (VERSIONS + 1) + (version)] != 0 && mandate[t] != n &&                             \
     BELIEVES(n, mandate[t], t) && (t) * 16 + (version) > KEY(value[n]))

inline take_register(n, t, version)
{
    printf("%c takes version %d of term %d\n", NAME(n), version, t);
    value[n] = VALUE(t, version, sent[(t) * (VERSIONS + 1) + (version)]);
    touch(n);
    if
    :: vote[n] == NOBODY -> vote[n] = mandate[t]
    :: else
    fi;
#if defined(LEASE) && !defined(BUG_REGISTER_GRANTS_NOTHING)
    grant(n, mandate[t], t)
#else
    leave_role(n)
#endif
}

/* check_commit */
#define CAN_COMMIT(n)                                                                              \
    (LEADS(n) && !committed[n] && VALUE_TERM(value[n]) == term[n] &&                               \
     COUNT(acked[term[n]] & ROSTER(n)) >= MAJORITY(ROSTER(n)))

inline commit(n)
{
    printf("%c has committed version %d of term %d\n", NAME(n), VERSION(value[n]), term[n]);
    committed[n] = 1;
    newest[term[n]] = KEY(value[n]);
    /* Whoever won a later term had it already: it is lost nowhere. */
    k = term[n] + 1;
    do
    :: k <= TERMS ->
        PROMISE(mandate[k] == NOBODY || won[k] >= KEY(value[n]),
                "BROKEN: nothing committed is lost\n");
        k++
    :: else -> break
    od
}

/* gp_election_maintain: one voter at a time, and only when the last change is committed. */
#ifdef BUG_ROSTER_CHANGED_UNCOMMITTED
#define IS_SETTLED(n) true
#else
#define IS_SETTLED(n) committed[n]
#endif
#ifdef LEASE
#define MAY_ACT(n) (lease[n] > 0)
#else
#define MAY_ACT(n) true
#endif
#define CAN_CHANGE(n)                                                                              \
    (LEADS(n) && IS_SETTLED(n) && IS_DURABLE(n) && MAY_ACT(n) && VERSION(value[n]) < VERSIONS)

/* teach: who is to vote has this version on its disk. */
#define CAN_ADD(n, m) (CAN_CHANGE(n) && !HAS(ROSTER(n), m) && HAS(acked[term[n]], m))
#ifdef ONLY_GROWS
#define CAN_REMOVE(n, m) false
#else
#define CAN_REMOVE(n, m) (CAN_CHANGE(n) && HAS(ROSTER(n), m) && ROSTER(n) != BIT(m))
#endif

inline change_roster(n, set)
{
    write_register(n, set);
    printf("%c writes version %d: voters are %c%c%c\n", NAME(n), VERSION(value[n]),
           (HAS(ROSTER(n), 0) -> 'A' : '-'), (HAS(ROSTER(n), 1) -> 'B' : '-'),
           (HAS(ROSTER(n), 2) -> 'C' : '-'))
}
#endif
