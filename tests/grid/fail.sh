#!/usr/bin/env bash
# What happens when machines die, hang, come back or go: real processes, SIGKILL, SIGSTOP.
# Usage: fail.sh PATH_TO_GRIDPEER
source "$(dirname "$0")/lib.bash"

DIR=$ROOT/sim
ALL="n1 n2 n3 n4 n5 n6 n7"
sim() { "$G" sim "$@" --dir "$DIR"; }
at() { # at NODE COMMAND...: typed beside that agent
    local node=$1
    shift
    GRIDPEER_DIR=$DIR GRIDPEER_NODE=$node "$G" "$@"
}
facts() { at "$1" status --fields "$2" 2>/dev/null | tail -n 1 | sed 's/ *$//'; }
others() { # others EXCEPT...: the rest of all
    local name
    for name in $ALL; do
        [[ " $* " == *" $name "* ]] || echo "$name"
    done
}
# all_see QUERY NODE...
all_see() {
    local query=$1 node
    shift
    for node in "$@"; do
        seen "$DIR/$node" "$query" || bad "$node does not see $query: $(at "$node" node list --fields name,state,role,why)"
    done
}
# The nodes that claim to lead with a mandate.
leaders() {
    local node
    for node in "$@"; do
        at "$node" status --json 2>/dev/null |
            js 'i["name"] if i["role"] in ("super-peer", "region-peer") and i["leader"] == i["name"] and i["mandate"] == "quorum" else ""'
    done | sed '/^$/d' | tr '\n' ' '
}
one_leader() { # one_leader NODE...: one claims to lead, and all say the same one
    local node who
    who=$(leaders "$@")
    who=${who% }
    [ -n "$who" ] && [[ $who != *" "* ]] || return 1
    for node in "$@"; do
        [ "$(facts "$node" leader)" = "$who" ] && [ "$(facts "$node" mandate)" = quorum ] || return 1
    done
}

t_up() {
    get sim up 7 --json
    want 0
    js 'd["kind"] == "sim" and len(d["items"]) == 7 and d["leader"] and d["agreed_ms"] > 0
        and all({"name", "pid", "port", "state_dir", "alive"} <= set(x) and x["alive"] for x in d["items"])' <<<"$OUT" ||
        bad "$OUT"
    # shellcheck disable=SC2086
    all_see 'members=7&leader=quorum&voters=5' $ALL
    # shellcheck disable=SC2086
    one_leader $ALL || bad "not one leader"
    get sim up 2
    want 5 'sim down'
}

t_kill_member() {
    local victim leader node why
    leader=$(facts n1 leader)
    victim=$(others "$leader" | tail -n 1)
    get sim kill "$victim"
    want 0
    # shellcheck disable=SC2046
    all_see "node=$victim&state=unavailable" $(others "$victim")
    for node in $(others "$victim"); do
        why=$(at "$node" node list --json | js '[x["why"] for x in d["items"] if x["name"] == "'"$victim"'"][0]')
        grep -q 'refuses connections.*seen by n[0-9].* and n[0-9]' <<<"$why" || bad "$node tells no cause: $why"
        [[ $why != *"seen by $victim"* ]] || bad "the dead one saw itself: $why"
    done
    get sim status --json
    js '[(x["alive"], x["pid"]) for x in d["items"] if x["name"] == "'"$victim"'"] == [(False, 0)]' <<<"$OUT" || bad "$OUT"
    get sim kill "$victim"
    want 1 "$victim"
    get sim start "$victim"
    want 0
    # shellcheck disable=SC2086
    all_see 'members=7&leader=quorum' $ALL
    get sim start "$victim"
    want 5 'runs already'
}

t_kill_leader() {
    local leader term asked
    leader=$(facts n1 leader)
    term=$(facts n1 term)
    asked=$(others "$leader" | tail -n 1)
    get sim kill "$leader"
    want 0
    get at "$asked" find --scope subgrid 'cpu >= 1' --json --timeout 10s
    want 0
    js 'd["mandate"] == "quorum" and d["partial"] is False and d["by"] != "'"$leader"'" and d["term"] > '"$term"'
        and len(d["items"]) >= 5' <<<"$OUT" || bad "$OUT"
    # shellcheck disable=SC2046
    all_see "node=$leader&state=unavailable&leader=quorum" $(others "$leader")
    # An answer is a hint until the verdict; from then on the dead one is not offered.
    get at "$asked" find --scope subgrid 'cpu >= 1' --json --timeout 10s
    want 0
    js '"'"$leader"'" not in [x["name"] for x in d["items"]]' <<<"$OUT" || bad "$OUT"
    # shellcheck disable=SC2046
    until_true 10 one_leader $(others "$leader") || bad "leaders: $(leaders $(others "$leader"))"
    get sim start "$leader"
    want 0
    # shellcheck disable=SC2086
    all_see 'members=7&leader=quorum' $ALL
    # shellcheck disable=SC2086
    until_true 10 one_leader $ALL || bad "leaders: $(leaders $ALL)"
}

t_freeze_member() {
    local leader victim why
    leader=$(facts n1 leader)
    victim=$(others "$leader" | head -n 1)
    get sim freeze "$victim"
    want 0
    # shellcheck disable=SC2046
    all_see "node=$victim&state=unavailable" $(others "$victim")
    why=$(at "$leader" node list --json | js '[x["why"] for x in d["items"] if x["name"] == "'"$victim"'"][0]')
    grep -q 'seen by' <<<"$why" || bad "no cause: $why"
    get sim status --json
    js '[x["state"] for x in d["items"] if x["name"] == "'"$victim"'"] == ["frozen"]' <<<"$OUT" || bad "$OUT"
    get sim thaw "$victim"
    want 0
    # shellcheck disable=SC2086
    all_see 'members=7&leader=quorum' $ALL
    [ "$(facts "$victim" leader)" = "$leader" ] || bad "the thawed one changed the leader"
}

t_freeze_leader() {
    local leader term asked
    leader=$(facts n1 leader)
    term=$(facts n1 term)
    asked=$(others "$leader" | head -n 1)
    get sim freeze "$leader"
    want 0
    # shellcheck disable=SC2046
    all_see "node=$leader&state=unavailable&leader=quorum" $(others "$leader")
    get at "$asked" find --scope subgrid 'cpu >= 1' --json --timeout 10s
    want 0
    js 'd["mandate"] == "quorum" and d["term"] > '"$term"' and d["by"] != "'"$leader"'"' <<<"$OUT" || bad "$OUT"
    get sim thaw "$leader"
    want 0
    # What it says first may be old, but it must never answer as a leader with a mandate.
    get at "$leader" find --scope subgrid --json --timeout 10s
    js 'd.get("by") != "'"$leader"'" or d.get("mandate") != "quorum" or d["term"] > '"$term" <<<"$OUT" ||
        bad "the thawed leader answers with its old mandate: $OUT"
    # shellcheck disable=SC2086
    all_see 'members=7&leader=quorum' $ALL
    # shellcheck disable=SC2086
    until_true 10 one_leader $ALL || bad "leaders: $(leaders $ALL)"
    [ "$(facts "$leader" leader)" != "$leader" ] || bad "the thawed one leads again"
}

t_two_die() {
    # Two of five voters at once, one of them the leader: the majority goes on.
    local leader second
    leader=$(facts n1 leader)
    second=$(at "$leader" status --json | js '[v for v in i["voters"] if v != "'"$leader"'"][0]')
    get sim kill "$leader" "$second"
    want 0
    # shellcheck disable=SC2046
    all_see "node=$leader&state=unavailable&leader=quorum" $(others "$leader" "$second")
    # shellcheck disable=SC2046
    all_see "node=$second&state=unavailable&leader=quorum" $(others "$leader" "$second")
    get sim start "$leader" "$second"
    want 0
    # shellcheck disable=SC2086
    all_see 'members=7&leader=quorum' $ALL
    # shellcheck disable=SC2086
    until_true 10 one_leader $ALL || bad "leaders: $(leaders $ALL)"
}

# Asks without a pause until told to stop; each failure is a line.
ask_on() {
    while [ -d "$ROOT" ] && [ ! -e "$ROOT/enough" ]; do
        if ! at "$1" find --scope subgrid 'cpu >= 1' --json --timeout 10s >"$ROOT/answer.$1" 2>"$ROOT/failure.$1"; then
            echo "$1: $(head -n 1 "$ROOT/failure.$1") $(cat "$ROOT/answer.$1")" >>"$ROOT/failures"
        fi
        echo . >>"$ROOT/asked"
    done
}

t_orderly_stop() {
    local leader term askers node
    leader=$(facts n1 leader)
    term=$(facts n1 term)
    rm -f "$ROOT/failures" "$ROOT/enough"
    : >"$ROOT/asked"
    askers=$(others "$leader" | head -n 2)
    for node in $askers; do
        ask_on "$node" &
    done
    asked() { [ "$(wc -l <"$ROOT/asked")" -ge "$1" ]; }
    until_true 10 asked 10 || bad "nobody asks"
    get at "$leader" stop
    want 0
    local so_far
    so_far=$(wc -l <"$ROOT/asked")
    until_true 10 asked $((so_far + 20)) || bad "nobody is answered"
    touch "$ROOT/enough"
    wait
    [ ! -s "$ROOT/failures" ] || bad "of $(wc -l <"$ROOT/asked") finds failed: $(head -n 3 "$ROOT/failures")"
    # shellcheck disable=SC2046
    all_see "node=$leader&state=left&leader=quorum" $(others "$leader")
    [ "$(facts "$(others "$leader" | head -n 1)" term)" -gt "$term" ] || bad "the term did not change"
    get sim start "$leader"
    want 0
    # shellcheck disable=SC2086
    all_see 'members=7&leader=quorum' $ALL
}

t_most_die() {
    # Four of seven, three of five voters at least: what is left has a caretaker and answers in part.
    # A leader whose lease still runs when they die may give verdicts; they are taken back.
    local victims survivors node
    survivors=$(at n1 status --json | js '" ".join(i["voters"][:2])')
    # shellcheck disable=SC2086
    victims=$(others $survivors)
    # shellcheck disable=SC2086
    get sim kill $victims
    want 0
    for node in $survivors; do
        caretaken() { [ "$(facts "$node" mandate)" = caretaker ]; }
        until_true 15 caretaken || bad "$node: $(at "$node" status)"
        get at "$node" status
        want 2
        get at "$node" find --scope subgrid --json
        want 4
        js 'd["partial"] is True' <<<"$OUT" || bad "$OUT"
        get at "$node" node list --json
        js '"unavailable" not in [x["state"] for x in d["items"]]' <<<"$OUT" || bad "$OUT"
    done
    # shellcheck disable=SC2086
    get sim start $victims
    want 0
    # shellcheck disable=SC2086
    all_see 'members=7&leader=quorum' $ALL
    # shellcheck disable=SC2086
    until_true 10 one_leader $ALL || bad "leaders: $(leaders $ALL)"
}

t_down() {
    get sim down
    want 0
    [ -z "$(ls -A "$DIR")" ] || bad "something stays: $(find "$DIR")"
}

t_pair() {
    # Two machines, each with an address of its own: one dies, and comes back.
    get on a init lab --name a --listen "$(free_address)"
    want 0
    get on b join lab --token "$(token a)" --name b --listen "$(free_address)"
    want 0
    seen "$ROOT/a/a" 'members=2&leader=quorum' && seen "$ROOT/b/b" 'members=2&leader=quorum' || bad "$(on b node list)"
    kill -9 "$(pid_of "$ROOT/a/a")"
    caretaken() { [ "$(field b mandate)" = caretaker ]; }
    until_true 15 caretaken || bad "$(on b status)"
    get on b status
    want 2
    grep -q 'no majority' <<<"$OUT" || bad "it does not say why: $OUT"
    get on b status --json
    want 2
    js 'd["partial"] is True and i["mandate"] == "caretaker" and i["leader"] == "b" and i["why"] != ""' <<<"$OUT" || bad "$OUT"
    get on b find --scope subgrid --json
    want 4
    js 'd["partial"] is True and d["mandate"] == "caretaker" and [x["name"] for x in d["items"]] == ["b"]' <<<"$OUT" || bad "$OUT"
    get on b node list --json
    want 4
    js '[x["state"] for x in d["items"] if x["name"] == "a"] == ["unknown"]
        and all("admitted" not in x["why"] for x in d["items"] if x["name"] == "a")
        and [x["name"] for x in d["items"] if "caretaker of this side" in x["why"]] == ["b"]
        and not {"super-peer", "region-peer"} & {x["role"] for x in d["items"]}' <<<"$OUT" || bad "$OUT"
    js '[x["role"] for x in d["items"] if x["name"] == "b"] == ["'"$(field b role)"'"]' <<<"$OUT" || bad "$OUT"
    # It may start work of its own.
    get on b run --quiet -- echo alone
    want 0
    [ "$OUT" = alone ] || bad "$OUT"
    serve a || bad "$(cat "$ROOT/a.log")"
    seen "$ROOT/a/a" 'members=2&leader=quorum' && seen "$ROOT/b/b" 'members=2&leader=quorum' ||
        bad "they do not find each other: a: $(on a node list) b: $(on b node list)"
}

t_idle_without_the_other() {
    local pid before after
    pid=$(pid_of "$ROOT/b/b")
    kill -9 "$(pid_of "$ROOT/a/a")"
    seen "$ROOT/b/b" 'node=a&state=unknown' || bad "$(on b node list)"
    ticks() { awk '{print $14 + $15}' "/proc/$pid/stat"; }
    before=$(ticks)
    seen "$ROOT/b/b" 'node=a&state=alive' 3000 && bad "the dead one is alive"
    after=$(ticks)
    # Of 300 ticks; an idle agent takes none.
    [ $((after - before)) -lt 30 ] || bad "$((after - before)) ticks in three seconds"
    serve a || bad "$(cat "$ROOT/a.log")"
    seen "$ROOT/b/b" 'members=2&leader=quorum' || bad "$(on b node list)"
}

t_restart_at_once() {
    # Killed right after the others joined, and started again on whatever port there is.
    DIR=$ROOT/early
    get sim up 3
    want 0
    get sim kill n1
    want 0
    get sim start n1
    want 0
    all_see 'members=3&leader=quorum' n1 n2 n3
}

for name in up kill_member kill_leader freeze_member freeze_leader two_die orderly_stop most_die down pair idle_without_the_other restart_at_once; do
    try_case $name t_$name
done
finish
