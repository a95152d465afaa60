/*
 * From every state that can be reached: once faults stop, a mandate is won. All machines are up and
 * reached, disks have written, leases have run out; voters stand in turn, as rank and back-off let
 * them, each with a pre-vote first. Nothing is chosen here: this is one step, and the last.
 */
#ifdef HEAL

#define HEAL_ROUNDS 3

/* gp_election_can_stand, when nobody leads */
#ifdef REGISTER
#ifdef BUG_OUTSIDER_NEVER_STANDS
#define MAY_STAND(n) (value[n] > 0 && HAS(ROSTER(n), n))
#else
#define MAY_STAND(n) (value[n] > 0)
#endif
#else
#define MAY_STAND(n) true
#endif

/* A founder that crashed before its disk had anything has founded nothing. */
#ifdef REGISTER
#define IS_FOUNDED (value[0] > 0 || value[1] > 0 || value[2] > 0)
#else
#define IS_FOUNDED true
#endif

/* A leader that can still keep its voters, or has them back when they see its mandate. */
inline find_leader()
{
    i = 0;
    do
    :: i < N && LEADS(i) ->
        count = 0;
        k = 0;
        do
        :: k < N -> count = count + (HAS(ROSTER(i), k) && term[k] <= term[i]); k++
        :: else -> break
        od;
        if
        :: count >= MAJORITY(ROSTER(i)) -> healed = 1
        :: else -> leave_role(i)
        fi;
        i++
    :: i < N && !LEADS(i) -> i++
    :: else -> break
    od
}

/* gp_election_take_prevote_ask at each voter: how many would vote for n, and what terms they are in */
inline ask_prevotes(n)
{
    count = HAS(ROSTER(n), n);
    x = term[n];
    k = 0;
    do
    :: k < N ->
        if
        :: k != n && HAS(ROSTER(n), k) ->
            if
            :: term[k] > x -> x = term[k]
            :: else
            fi;
            if
            :: term[n] + 1 > term[k] && JUDGE(k, n, term[n] + 1, OWN_VALUE(n)) -> count++
            :: else
            fi
        :: else
        fi;
        k++
    :: else -> break
    od
}

inline ask_votes(n)
{
    term[n] = term[n] + 1;
    vote[n] = n;
    count = HAS(ROSTER(n), n);
    k = 0;
    do
    :: k < N ->
        if
        :: k != n && HAS(ROSTER(n), k) && JUDGE(k, n, term[n], OWN_VALUE(n)) ->
            term[k] = term[n];
            vote[k] = n;
            count++
        :: else
        fi;
        k++
    :: else -> break
    od;
    if
    :: count >= MAJORITY(ROSTER(n)) -> healed = 1; printf("%c wins term %d\n", NAME(n), term[n])
    :: else
    fi
}

inline heal()
{
    printf("the faults stop, all is heard, and voters stand in turn\n");
    find_leader();
    i = 0;
    do
    :: i < HEAL_ROUNDS * N && !healed && MAY_STAND(i % N) ->
        ask_prevotes(i % N);
        if
        :: count >= MAJORITY(ROSTER(i % N)) -> ask_votes(i % N)
        :: else ->
            if
            :: x > term[i % N] -> term[i % N] = x; vote[i % N] = NOBODY /* meet_term */
            :: else
            fi
        fi;
        i++
    :: i < HEAL_ROUNDS * N && !healed && !MAY_STAND(i % N) -> i++
    :: else -> break
    od;
    PROMISE(healed, "BROKEN: a healed group elects\n");
    forget_all()
}

#endif

#if defined(HEAL) || defined(CARETAKER)
/* What was looked at to its end is one and the same state, wherever it came from. */
inline forget_all()
{
    healed = 1;
    i = 0;
    do
    :: i < N ->
        term[i] = 0;
        vote[i] = 0;
        role[i] = 0;
        leader_term[i] = 0;
#ifdef REGISTER
        value[i] = 0;
        committed[i] = 0;
#endif
#ifdef SLOW_DISK
        disk_term[i] = 0;
        disk_vote[i] = 0;
#ifdef REGISTER
        disk_value[i] = 0;
#endif
        dirty[i] = 0;
#endif
#ifdef CARETAKER
        lost[i] = 0;
        caretaker[i] = 0;
#endif
        i++
    :: else -> break
    od;
    i = 0;
    do
    :: i <= TERMS ->
        asked[i] = 0;
        mandate[i] = 0;
#ifdef REGISTER
        acked[i] = 0;
        won[i] = 0;
        newest[i] = 0;
#endif
        k = 0;
        do
        :: k < N ->
            told[PAIR(i, k)] = 0;
#ifdef SLOW_DISK
            promised[PAIR(i, k)] = 0;
#endif
#ifdef REGISTER
            asked_value[PAIR(i, k)] = 0;
#endif
            k++
        :: else -> break
        od;
#ifdef REGISTER
        k = 0;
        do
        :: k <= VERSIONS -> sent[i * (VERSIONS + 1) + k] = 0; k++
        :: else -> break
        od;
#endif
        i++
    :: else -> break
    od;
#ifdef CARETAKER
    declared = 0
#endif
}
#endif
