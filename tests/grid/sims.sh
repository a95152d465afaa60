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
    get on a status
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
    get plain status
    want 69 'gridpeer-sim GRIDPEER_NODE=n1' 'gridpeer init'
    get plain sim down
    want 0
    [ -z "$(find "$ROOT/state" -mindepth 2)" ] || bad "$(find "$ROOT/state" -mindepth 2)"
}

for name in beside_a_real_one among_simulated_ones by_default; do
    try_case $name t_$name
done
finish
