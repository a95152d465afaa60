#!/usr/bin/env bash
# Simulated machines beside real ones: sim commands touch only what sim up made.
# Usage: sims.sh PATH_TO_GRIDPEER
source "$(dirname "$0")/lib.bash"

DIR=$ROOT/sim
sim() { "$G" sim "$@" --dir "$DIR"; }
files() { (cd "$1" && find . -type f ! -name 'state.db*' ! -name state.mark -exec sha256sum {} + | sort); }

t_beside_a_real_one() {
    # As the README has it, in one directory of the user's choice: the real machine stays as it is.
    local before pid
    get on a init lab --name a --listen "$LOCAL"
    want 0
    pid=$(pid_of "$ROOT/a/a")
    before=$(files "$ROOT/a")
    get on a sim up 3
    want 5 'sim commands touch only' 'holds a,' 'gridpeer sim up 3 --dir'
    for verb in kill freeze thaw start; do
        get on a sim $verb a
        want 5 'a in' 'gridpeer sim status'
    done
    get on a sim down
    want 5 'no simulated machine, but a'
    get on a sim status --json
    want 0
    js 'd["items"] == [] and d["others"] == ["a"]' <<<"$OUT" || bad "$OUT"
    [ "$pid" = "$(pid_of "$ROOT/a/a")" ] && ! gone "$pid" || bad "the agent was ended"
    [ -e "$ROOT/a/a/root.key" ] && [ "$before" = "$(files "$ROOT/a")" ] || bad "files changed"
    get on a stop
    want 0
}

t_among_simulated_ones() {
    # A real machine that came later: what is simulated goes, what is real stays.
    get sim up 2
    want 0 "export GRIDPEER_DIR=$DIR GRIDPEER_NODE=n1"
    [ -f "$DIR/n1/sim" ] && [ -f "$DIR/n2/sim" ] || bad "no mark"
    get "$G" init lab --name real --listen "$LOCAL" --dir "$DIR"
    want 0
    get sim kill n1 real
    want 5 'real in'
    get sim status --json
    js '[(x["name"], x["alive"]) for x in d["items"]] == [("n1", True), ("n2", True)] and d["others"] == ["real"]' \
        <<<"$OUT" || bad "n1 was killed beside the one that was refused: $OUT"
    get sim down
    want 0 'real' 'left alone'
    [ "$(ls "$DIR")" = real ] || bad "$(ls "$DIR")"
    get "$G" status --dir "$DIR"
    want 0
    get "$G" leave --dir "$DIR"
    want 0
}

t_killed() {
    # A sim up that is killed leaves machines that are not complete, with keys: they go, too.
    local tries pid
    for tries in $(seq 30); do
        "$G" sim up 30 --dir "$DIR" >/dev/null 2>&1 &
        pid=$!
        until_true 10 half_made || bad "nothing is made"
        kill -9 $pid
        wait $pid 2>/dev/null
        half_made && break
        get sim down
        [ -z "$(ls -A "$DIR")" ] || bad "round $tries leaves $(find "$DIR" -mindepth 1)"
    done
    half_made || cannot "no machine was half-made in $tries rounds"
    get sim down
    want 0
    [ -z "$(ls -A "$DIR")" ] || bad "this stays: $(find "$DIR" -mindepth 1)"
}
half_made() { compgen -G "$DIR/.n*" >/dev/null; }

t_messages() {
    get sim status
    want 0 "no simulated machine is in $DIR"
    get sim down
    want 0 "no simulated machine is in $DIR"
    get sim up 2
    want 0
    get sim up 2
    want 5 'up here already' "next: gridpeer sim down --dir $DIR"
    [[ $ERR != *--name* ]] || bad "$ERR"
    get sim start n77
    want 1 'no such machine' n77 "next: gridpeer sim status --dir $DIR"
    get sim start n2
    want 5 'runs already' 'n2 in'
    get sim kill n2
    want 0
    for verb in kill freeze thaw; do
        get sim $verb n2
        want 1 'is stopped: n2' "next: gridpeer sim start n2 --dir $DIR"
    done
    get sim start n2 n1
    want 5 'n1 in'
    get sim status --json
    js '[x["alive"] for x in d["items"]] == [True, False]' <<<"$OUT" || bad "n2 was started beside the refused one: $OUT"
    get sim down
    want 0
}

nothing_stays() {
    [ -z "$(ls -A "$DIR")" ] || bad "something stays: $(find "$DIR")"
    ended() { [ -z "$(ours)" ]; }
    until_true 5 ended || bad "still running: $(ours)"
}

t_timeout() {
    get sim up 40 --timeout 100ms
    want 6 'is ended and removed' '--timeout'
    nothing_stays
}

t_interrupted() {
    # When two, or eight, are there: in the middle of the joins.
    local signal pid count rc
    for signal in INT TERM HUP; do
        for count in 1 2 8; do
            # A command in the background of a script ignores Ctrl-C unless it is told not to.
            "$PYTHON" -ISc 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$G" sim up 40 --dir "$DIR" >/dev/null 2>"$ROOT/said" &
            pid=$!
            there() { [ "$(find "$DIR" -mindepth 1 -maxdepth 1 -name 'n*' | wc -l)" -ge "$count" ]; }
            until_true 10 there || bad "it does not begin: $(cat "$ROOT/said")"
            kill -$signal $pid
            wait $pid
            rc=$?
            [ $rc -eq 1 ] || bad "SIG$signal after $count: exit code $rc: $(cat "$ROOT/said")"
            grep -q 'interrupted: .* is ended and removed' "$ROOT/said" || bad "$(cat "$ROOT/said")"
            nothing_stays
        done
    done
}

# plain COMMAND...: without --dir, as in the README; where root has its state is ours for once.
plain() {
    if [ "$(id -u)" -eq 0 ]; then
        # shellcheck disable=SC2016 # for the shell that runs there
        GRIDPEER_TEST=$ROOT unshare -m sh -c 'mount --bind "$1" /var/lib && shift && exec "$@"' sh \
            "$ROOT/state" "$G" "$@"
    else
        XDG_STATE_HOME=$ROOT/state "$G" "$@"
    fi
}

t_by_default() {
    mkdir -p "$ROOT/state"
    plain --version >/dev/null 2>&1 || cannot "no mount namespace may be made"
    get plain init lab --name a --listen "$LOCAL"
    want 0
    get plain sim up 3
    want 0 'gridpeer-sim GRIDPEER_NODE=n1'
    [ -e "$ROOT/state/gridpeer-sim/n1/sim" ] || bad "$(find "$ROOT/state" -maxdepth 2)"
    get plain status --fields name,members
    want 0
    [ "$(tail -n 1 <<<"$OUT" | tr -s ' ')" = 'a 1' ] || bad "$OUT"
    get plain sim kill n3
    want 0
    get plain sim down
    want 0
    get plain status
    want 0
    get plain sim up 1
    want 0
    get plain leave
    want 0
    # Nothing else is set up: the simulated one is meant, and of a name that is not there none.
    get plain status --fields name
    want 0
    [ "$(tail -n 1 <<<"$OUT" | tr -d ' ')" = n1 ] || bad "$OUT"
    get plain status --node n2
    want 69 n2
    get plain sim down
    want 0
    get plain status
    want 69 'holds no machine' 'gridpeer init'
    [ -z "$(find "$ROOT/state" -mindepth 2)" ] || bad "$(find "$ROOT/state" -mindepth 2)"
}

for name in beside_a_real_one among_simulated_ones killed messages timeout interrupted by_default; do
    try_case $name t_$name
done
finish
