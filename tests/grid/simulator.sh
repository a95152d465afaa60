#!/usr/bin/env bash
# The simulator from the command line: the same seed is the same run. Usage: simulator.sh PATH_TO_GRIDPEER
source "$(dirname "$0")/lib.bash"

simulate() { "$G" sim run --nodes 40 --group-size 20 --hours 0.05 --json "$@"; }

t_same_seed() {
    get simulate --seed 7
    want 0
    first=$(js 'i["trace_hash"]' <<<"$OUT")
    [ ${#first} -eq 16 ] || bad "no hash: $OUT"
    get simulate --seed 7
    want 0
    [ "$(js 'i["trace_hash"]' <<<"$OUT")" = "$first" ] || bad "the same seed, another run"
    get simulate --seed 8
    want 0
    [ "$(js 'i["trace_hash"]' <<<"$OUT")" != "$first" ] || bad "another seed, the same run"
    get simulate --seed 7 --calm
    want 0
    [ "$(js 'i["trace_hash"]' <<<"$OUT")" != "$first" ] || bad "calm, and the same run"
    js 'sum(i["faults"].values()) == 0' <<<"$OUT" || bad "calm, and faults: $OUT"
}

t_document() {
    get simulate --seed 1
    want 0
    js 'd["schema"] == "gridpeer/v1" and d["kind"] == "sim-run" and d["partial"] is False and len(d["items"]) == 1
        and i["seed"] == 1 and i["nodes"] == 40 and i["groups"] == 2 and i["duration_ms"] == 180000
        and i["events"] > 1000 and i["messages"] > 0 and i["violations"] == []
        and type(i["faults"]) is dict and sum(i["faults"].values()) > 0 and i["finds"] > 0' <<<"$OUT" || bad "$OUT"
    get simulate --seed 1 --fields seed,events
    want 0
    js 'set(i) == {"seed", "events"}' <<<"$OUT" || bad "$OUT"
    get "$G" sim run --nodes 10 --hours 0.05 --seed 1
    want 0
    grep -q '^trace_hash  *[0-9a-f]\{16\}$' <<<"$OUT" && grep -q '^violations  *0$' <<<"$OUT" || bad "$OUT"
    grep -q '^faults  *loss [0-9]*, duplicate ' <<<"$OUT" && grep -q '^verdict  *safe' <<<"$OUT" || bad "$OUT"
}

t_signatures() {
    get "$G" sim run --nodes 6 --hours 0.02 --seed 3 --ed25519 --json
    want 0
    js 'i["violations"] == []' <<<"$OUT" || bad "$OUT"
}

t_story() {
    get simulate --seed 7 --story "$ROOT/story"
    want 0
    grep -q 'leads in term 1' "$ROOT/story" || bad "no story: $(head -n 3 "$ROOT/story")"
    cp "$ROOT/story" "$ROOT/story.1"
    get simulate --seed 7 --story "$ROOT/story"
    cmp "$ROOT/story" "$ROOT/story.1" || bad "another story"
    get simulate --seed 7 --story "$ROOT/none/story"
    want 64 "--story: cannot write $ROOT/none/story: No such file" 'next: see gridpeer sim run --help'
    get simulate --seed 7 --story "$ROOT"
    want 64 "cannot write $ROOT: Is a directory"
    get simulate --seed 7 --record "$ROOT/none/record"
    want 64 "--record: cannot write $ROOT/none/record: No such file"
}

t_towns() {
    # Far from each other they agree as well, and it is another history.
    local near
    near=$(simulate --seed 5 | js 'i["trace_hash"]')
    get simulate --seed 5 --breadth 50
    want 0
    js 'i["violations"] == [] and i["trace_hash"] != "'"$near"'"' <<<"$OUT" || bad "$OUT"
    get simulate --breadth 51
    want 64 '--breadth must be 0 to 50'
}

t_timeout() {
    # Longer than any machine needs to be slow for: it must say how far it came.
    get "$G" sim run --nodes 200 --hours 1000 --timeout 500ms
    want 6 'of 3600000 s of grid time' 'without a violation so far' '--timeout'
    [ -z "$OUT" ] || bad "a result: $OUT"
    get simulate --seed 7 --timeout 10m
    want 0
}

t_usage() {
    get "$G" sim run --nodes 0
    want 64
    get "$G" sim run --nodes nonsense
    want 64
    get "$G" sim run --nodes 100001
    want 64 '--nodes must be 1 to 100000'
    get "$G" sim run --hours -1
    want 64
    get "$G" sim run --hours 0.01
    want 64 '--hours must be 0.017 (a minute) to 1000'
    get "$G" sim run --group-size 1000
    want 64
    get "$G" sim up 0 --dir "$ROOT/none"
    want 64
    get "$G" sim up 1025 --dir "$ROOT/none"
    want 64 'from 1 to 1024' 'next: see gridpeer sim up --help'
    [ ! -e "$ROOT/none" ] || bad "something was made: $(find "$ROOT/none")"
    get "$G" sim up 100000 --dir "$ROOT/none"
    want 64
    get "$G" sim kill n1 --dir "$ROOT/none"
    want 1 n1
}

t_found_once() {
    # Campaigns found these; what each was is in the history of the code that mends it.
    local run
    for run in '200 12 0.25 1167' '64 64 0.2 15410' '7 7 1 208' '5 5 2 40 --storm'; do
        # shellcheck disable=SC2086 # words
        set -- $run
        get "$G" sim run --nodes "$1" --group-size "$2" --hours "$3" --seed "$4" "${@:5}" --json
        want 0
        js 'i["violations"] == []' <<<"$OUT" || bad "$run: $OUT"
    done
}

for name in same_seed found_once document signatures story towns timeout usage; do
    try_case $name t_$name
done
finish
