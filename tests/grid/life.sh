#!/usr/bin/env bash
# The life of a grid as its users see it: each machine has a state directory of its own, as on a
# host of its own. Usage: life.sh PATH_TO_GRIDPEER
source "$(dirname "$0")/lib.bash"

has_fields='lambda *names: set(names) <= set(i)'

t_init() {
    get on a init lab --name a --listen "$(free_address)"
    want 0
    grep -q 'gridpeer join lab --token gp1\.' <<<"$OUT" || bad "no join command in: $OUT"
    [ "$(stat -c %a "$ROOT/a/a")" = 700 ] || bad "the state directory can be read by others"
    [ "$(stat -c %a "$ROOT/a/a/node.key")" = 600 ] || bad "the key can be read by others"
    get on a status
    want 0
    grep -q 'region-peer' <<<"$OUT" || bad "alone, and not the region peer: $OUT"
}

t_init_twice() {
    local before
    before=$(on a status --fields id)
    local mode
    # Where it runs that is told first, and not that its own port is in use.
    for mode in "--listen $LOCAL" "--listen $(on a status --json | js 'i["address"]')" --no-start; do
        # shellcheck disable=SC2086 # words
        get on a init lab --name a $mode
        want 5 'already set up' "a in $ROOT/a, and it runs" "next: look at it: gridpeer status --dir $ROOT/a --node a;"
    done
    [ "$before" = "$(on a status --fields id)" ] || bad "it is another machine now"
}

t_invite() {
    get on a invite --uses 2
    want 0 '2 machines'
    [ "$(wc -l <<<"$OUT")" -eq 1 ] || bad "more than the command on stdout: $OUT"
    # What was printed is what is typed.
    [[ $OUT == "gridpeer join lab --token gp1."* ]] || bad "not a command: $OUT"
    sed 's/.*--token //' <<<"$OUT" >"$ROOT/token"
    get on a invite --uses 2 --json
    want 0
    js 'd["kind"] == "invitation" and i["uses"] == 2 and i["region"] == "lab" and i["expires"] > d["as_of"]' \
        <<<"$OUT" || bad "$OUT"
}

t_join() {
    local machine
    for machine in b c; do
        get on $machine join lab --token "$(cat "$ROOT/token")" --name $machine --listen "$LOCAL"
        want 0
    done
    for machine in a b c; do
        seen "$ROOT/$machine/$machine" 'members=3&leader=quorum' || bad "$machine does not see 3"
        get on $machine status
        want 0
    done
    [ "$(field b leader)" = a ] && [ "$(field c leader)" = a ] || bad "a founded, and does not lead"
}

t_documents() {
    get on b status --json
    want 0
    js 'd["schema"] == "gridpeer/v1" and d["kind"] == "status" and d["partial"] is False and d["as_of"].endswith("Z")
        and '"($has_fields)"'("name","id","state","role","region","subgrid","leader","term","mandate","members")
        and i["name"] == "b" and i["state"] == "alive" and i["role"] in ("member", "standby") and i["region"] == "lab"
        and i["mandate"] == "quorum" and i["members"] == 3 and type(i["term"]) is int' <<<"$OUT" || bad "status: $OUT"
    get on b node list --json
    want 0
    js 'd["schema"] == "gridpeer/v1" and d["kind"] == "node-list" and len(d["items"]) == 3
        and '"($has_fields)"'("name","id","state","role","region","subgrid","address","age_ms","why")
        and [x["name"] for x in d["items"]] == ["a", "b", "c"] and all(x["state"] == "alive" for x in d["items"])
        and sum(x["role"] == "region-peer" for x in d["items"]) == 1' <<<"$OUT" || bad "node list: $OUT"
    get on b find 'cpu >= 1' --json --fields name,cpu
    want 0
    js 'd["kind"] == "find" and len(d["items"]) == 3 and all(set(x) == {"name", "cpu"} and x["cpu"] >= 1 for x in d["items"])' \
        <<<"$OUT" || bad "find: $OUT"
    get on b find --json
    want 0
    js 'd["kind"] == "find" and '"($has_fields)"'("name","id","region","subgrid","rtt_us")' <<<"$OUT" || bad "find: $OUT"
}

t_fields() {
    # What is listed is what the documents have.
    local command listed
    for command in status 'node list' ps log config; do
        # shellcheck disable=SC2086
        listed=$(on b $command --fields '?')
        # shellcheck disable=SC2086
        get on b $command --json
        js "not d['items'] or set(i) == set('$listed'.split(', '))" <<<"$OUT" || bad "$command: not $listed: $OUT"
    done
}

t_same_facts() {
    # The table and the document say the same.
    [ "$(field b id)" = "$(on b status --json | js 'i["id"][:8]')" ] ||
        [ "$(field b id)" = "$(on b status --json | js 'i["id"]')" ] || bad "the ids differ"
    get on b node list --fields state,name
    want 0
    [ "$(head -n 1 <<<"$OUT" | tr -s ' ')" = "STATE NAME" ] || bad "other columns: $OUT"
    [ "$(wc -l <<<"$OUT")" -eq 4 ] || bad "not a line a machine: $OUT"
    get on b node list --fields state,nonsense
    want 64 nonsense
    # Listing the fields does nothing else.
    get on b stop --fields '?'
    want 0
    [ "$OUT" = "name, state" ] || bad "$OUT"
    get on b stop --fields nonsense
    want 64 nonsense
    get on b run --fields '?' -- touch "$ROOT/listed"
    want 0
    get on new init other --name x --fields '?'
    want 0
    [ ! -e "$ROOT/listed" ] && [ ! -e "$ROOT/new" ] || bad "it ran, or founded"
    get on b status
    want 0
    if on b node list | grep -q $'\e'; then bad "colour in a pipe"; fi
}

t_find_near() {
    # They learn where they are, and tell the super-peer with their next reminder.
    measured() {
        on b find --near c --json 2>/dev/null |
            js 'len(d["items"]) == 3 and all(type(x["rtt_us"]) is int for x in d["items"])'
    }
    until_true 60 measured || bad "$(on b find --near c --json)"
    get on b find --near c --json
    want 0
    js 'i["name"] == "c" and i["rtt_us"] == 0 and [x["rtt_us"] for x in d["items"]] ==
        sorted(x["rtt_us"] for x in d["items"]) and d["items"][1]["rtt_us"] > 0' <<<"$OUT" || bad "$OUT"
    get on b find 'rtt < 1us' --near "$(on b node list --json | js '[x["id"] for x in d["items"] if x["name"] == "a"][0]')" --json
    want 0
    js '[x["name"] for x in d["items"]] == ["a"] and i["rtt"] == 0' <<<"$OUT" || bad "$OUT"
    get on b find --near me --json
    want 0
    js 'i["name"] == "b"' <<<"$OUT" || bad "$OUT"
    get on b find 'rtt < 1h'
    want 1
    get on b find --near nobody
    want 1 'no such machine: nobody' 'next: see gridpeer node list'
}

t_find() {
    get on c find 'cpu >= 1 and arch like "*"' --limit 2
    [ "$RC" -eq 0 ] || get on c find 'cpu >= 1' --limit 2
    want 0
    [ "$(wc -l <<<"$OUT")" -eq 3 ] || bad "not two machines: $OUT"
    get on c find 'cpu >= 100000'
    want 1 'no machine matches'
    get on c find 'cpu >= 100000 and mem.free >= 1MiB' --explain --json
    want 1
    js 'd["considered"] == 3 and d["matched"] == 0 and sum(x["excluded"] == 3 for x in d["explain"]) == 1' <<<"$OUT" ||
        bad "$OUT"
}

t_run() {
    get on b run --on c -- sh -c 'echo "$GRIDPEER_X"; exit 9'
    want 9 'running on c'
    get on b run --on c --quiet --env GRIDPEER_X=yes -- sh -c 'echo "$GRIDPEER_X"'
    want 0
    [ "$OUT" = yes ] && [ -z "$ERR" ] || bad "out: $OUT err: $ERR"
}

t_ps_log() {
    get on b ps --json
    want 0
    js 'd["kind"] == "jobs" and len(d["items"]) == 2
        and '"($has_fields)"'("job","name","state","reason","node","attempt","incarnation","progress")
        and all(x["node"] == "c" and x["reason"] == "exit" for x in d["items"])
        and sorted(x["state"] for x in d["items"]) == ["done", "failed"]' <<<"$OUT" || bad "ps: $OUT"
    get on c ps
    want 0 'no job was submitted'
    [ -z "$OUT" ] || bad "$OUT"
    get on c log --after 1000
    want 0 'no entry after 1000: the newest is '
    get on c ps --json
    want 0
    js 'd["items"] == []' <<<"$OUT" || bad "c has no jobs of its own: $OUT"
    get on b log --limit 1000 --json
    want 0
    js 'd["kind"] == "activity" and i["what"] == "join" and i["object"] == "b"
        and [x["seq"] for x in d["items"]] == list(range(1, len(d["items"]) + 1))' <<<"$OUT" || bad "log: $OUT"
    get on b log --after 1 --limit 1 --json
    want 0
    js 'len(d["items"]) == 1 and i["seq"] == 2 and len(i["hash"]) == 64' <<<"$OUT" || bad "log --after: $OUT"
    # The newest come without --after, in order, and what is left out is told.
    get on b log --limit 2 --json
    want 0
    js '[x["seq"] for x in d["items"]] == [d["last"] - 1, d["last"]] and d["first"] == 1' <<<"$OUT" || bad "log --limit: $OUT"
    get on b log --limit 2
    want 0 'older entries: gridpeer log --after'
    [ "$(head -n 1 <<<"$OUT" | cut -d ' ' -f 1)" = SEQ ] || bad "no sequence: $OUT"
    # Its jobs have the numbers of ps.
    local job
    job=$(on b ps --json | js 'i["job"]')
    on b log | grep -q "job $job is " || bad "job $job is not in: $(on b log)"
}

t_stop() {
    local pid
    pid=$(pid_of "$ROOT/c/c")
    get on c stop
    want 0
    gone "$pid" || bad "the command returned before the process was gone"
    seen "$ROOT/a/a" 'node=c&state=left' || bad "a does not know that c stopped"
    get on a node list --json
    js '[x["why"] for x in d["items"] if x["name"] == "c"] == ["its agent was stopped in good order"]' <<<"$OUT" || bad "$OUT"
    get on a status
    want 0
    get on c status
    want 69 'gridpeer agent' "$ROOT/c"
    get on c run -- true
    want 69 'gridpeer agent'
}

t_start() {
    local id
    id=$(on a node list --json | js '[x["id"] for x in d["items"] if x["name"] == "c"][0]')
    serve c || bad "c does not come up: $(cat "$ROOT/c.log")"
    seen "$ROOT/c/c" 'members=3&leader=quorum' || bad "c does not see the others"
    seen "$ROOT/b/b" 'node=c&state=alive' || bad "b does not see c"
    [ "$(on c status --json | js 'i["id"]')" = "$id" ] || bad "c came back as somebody else"
    get on c find 'cpu >= 1' --json
    want 0
    js 'len(d["items"]) == 3' <<<"$OUT" || bad "$OUT"
}

t_stop_leader() {
    local term
    term=$(field b term)
    get on a stop
    want 0
    led() { [ "$(field b leader)" != a ] && [ "$(field b mandate)" = quorum ]; }
    until_true 10 led || bad "nobody took over: $(on b status)"
    [ "$(field b term)" -gt "$term" ] || bad "a new leader in the old term"
    serve a || bad "a does not come up: $(cat "$ROOT/a.log")"
    for machine in a b c; do
        seen "$ROOT/$machine/$machine" 'members=3&leader=quorum' || bad "$machine does not see 3"
    done
}

t_sigterm() {
    local pid
    pid=$(pid_of "$ROOT/c/c")
    kill -TERM "$pid"
    until_true 5 gone "$pid" || bad "SIGTERM does not end it"
    seen "$ROOT/b/b" 'node=c&state=left' || bad "it did not say goodbye"
    serve c || bad "c does not come up: $(cat "$ROOT/c.log")"
    seen "$ROOT/c/c" 'members=3&leader=quorum' || bad "c does not see the others"
}

t_background() {
    local address
    address=$(free_address)
    get on c stop
    want 0
    get on c agent --background --listen "$address" --timeout 15s
    want 0
    [ "$(on c status --json | js 'i["address"]')" = "$address" ] || bad "it listens elsewhere: $(on c status)"
    seen "$ROOT/c/c" 'members=3&leader=quorum' || bad "c does not see the others"
}

t_leave() {
    get on c leave
    want 0
    [ -z "$(ls -A "$ROOT/c")" ] || bad "something stays: $(find "$ROOT/c")"
    left() { on a node list --json | js '[x["state"] for x in d["items"] if x["name"] == "c"] in ([], ["left"])'; }
    until_true 5 left >/dev/null || bad "$(on a node list)"
    [ "$(field a members)" = 2 ] || bad "who left is still counted: $(on a status)"
    get on c status
    want 69 'gridpeer join'
    get on c join lab --token "$(cat "$ROOT/token")" --name c --listen "$LOCAL"
    want 3 'used up'
    [ -z "$(ls -A "$ROOT/c")" ] || bad "something stays: $(find "$ROOT/c")"
    get on c join lab --token "$(token a)" --name c --listen "$LOCAL"
    want 0
    seen "$ROOT/c/c" 'members=3&leader=quorum' || bad "c does not see the others: $(on c node list)"
}

t_many_invitations() {
    # As many as may be open, and the one that prints them is killed: the grid finds together again.
    local given=0 machine
    while [ $given -lt 300 ]; do
        get on a invite --json
        [ "$RC" -eq 0 ] || break
        given=$((given + 1))
        js 'i["token"]' <<<"$OUT" >"$ROOT/token"
    done
    want 5 'as many open invitations as it may' '256 of 256 are open' 'expires at 20' 'gridpeer invite --uses N'
    [ $given -gt 200 ] || bad "only $given invitations"
    kill -9 "$(pid_of "$ROOT/a/a")"
    serve a || bad "a does not come up: $(cat "$ROOT/a.log")"
    for machine in a b c; do
        seen "$ROOT/$machine/$machine" 'members=3&leader=quorum' || bad "$machine sees: $(on $machine node list)"
    done
    get on a invite
    want 5
    # An invitation from before still works, and once it is used up there is room for another one.
    get on d join lab --token "$(cat "$ROOT/token")" --name d --listen "$LOCAL"
    want 0
    seen "$ROOT/d/d" 'members=4&leader=quorum' || bad "d sees: $(on d node list)"
    get on e join lab --token "$(cat "$ROOT/token")" --name e --listen "$LOCAL"
    want 3 'used up' 'gridpeer invite'
    get on a invite
    want 0
    get on d leave
    want 0
}

t_usage() {
    get "$G" nonsense
    want 64
    get "$G" status --nonsense --dir "$ROOT/a"
    want 64 --nonsense
    get "$G" join
    want 64
    get "$G" join lab --dir "$ROOT/none"
    want 64 'gridpeer invite'
    get "$G" status --dir "$ROOT/none"
    want 69 'gridpeer init'
    get "$G" status --dir "$ROOT/none" --json
    want 69
    js 'd["error"]["code"] == "E_STATE_MISSING" and d["error"]["exit"] == 69 and d["error"]["action"] != ""' <<<"$OUT" ||
        bad "$OUT"
    [ ! -e "$ROOT/none" ] || bad "asking made the directory"
    get "$G" init 'Not A Name' --dir "$ROOT/none"
    want 64
    get "$G" init lab --dir "$ROOT/none" --name x --listen nonsense
    want 64 'tcp://'
    [ ! -e "$ROOT/none" ] || bad "a refused init made the directory"
}

t_ambiguous() {
    mkdir -m 700 "$ROOT/two"
    get on two init one --name x --listen "$LOCAL"
    want 0
    get on two init other --name y --listen "$(free_address)"
    want 0
    get on two status
    want 64 '--node' x y
    get on two status --node y --fields region
    want 0
    [ "$(tail -n 1 <<<"$OUT" | tr -d ' ')" = other ] || bad "$OUT"
}

t_leave_in_silence() {
    # Its agent does not run: it goes all the same, and says that nobody was told.
    get on f join one --token "$(token two --node x)" --name f --listen "$LOCAL"
    want 0
    seen "$ROOT/two/x" 'node=f&state=alive' || bad "f did not join: $(on two node list --node x)"
    get on f stop
    want 0
    get on f leave --json
    want 0
    js 'd["kind"] == "leave" and i["name"] == "f" and i["region"] == "one" and i["told"] is False' <<<"$OUT" || bad "$OUT"
    [ -z "$(ls -A "$ROOT/f")" ] || bad "something stays: $(find "$ROOT/f")"
    seen "$ROOT/two/x" 'node=f&state=left' || bad "$(on two node list --node x)"
    get on f leave
    want 69 'gridpeer init'
}

t_root_key() {
    # Whoever founded takes the root key along only if that is said, or if nobody needs it.
    get on a leave
    want 5 'root key' "$ROOT/a/a/root.key" 'gridpeer stop' 'gridpeer leave --destroy-root'
    [ -e "$ROOT/a/a/root.key" ] || bad "refused, and the key is gone"
    seen "$ROOT/b/b" 'node=a&state=alive' || bad "refused, and it said goodbye: $(on b node list)"
    get on three join other --token "$(token two --node y)" --name z --listen "$LOCAL"
    want 0
    get on three stop
    want 0
    get on two leave --node y --json
    want 5
    js 'd["error"]["code"] == "E_LEAVE_ROOT"' <<<"$OUT" || bad "a machine that stopped may come back: $OUT"
    # Without an agent the rule is the same, by what is on the disk.
    get on two stop --node y
    want 0
    get on two leave --node y
    want 5 "$ROOT/two/y/root.key" 'gridpeer leave --destroy-root'
    answers_y() { on two status --node y >/dev/null 2>&1; [ $? -ne 69 ]; }
    serve two --node y && until_true 10 answers_y || bad "y does not come up: $(cat "$ROOT/two.log")"
    serve three || bad "z does not come up: $(cat "$ROOT/three.log")"
    seen "$ROOT/three/z" 'members=2&leader=quorum' || bad "z sees: $(on three node list)"
    # Nobody else may lead: it stays, with all that it has, and leads on.
    get on three stop
    want 0
    printf '[agent]\nrelayed = yes\n' >>"$ROOT/three/z/gridpeer.ini"
    serve three || bad "z does not come up: $(cat "$ROOT/three.log")"
    seen "$ROOT/three/z" 'members=2&leader=quorum' || bad "z sees: $(on three node list)"
    get on two leave --node y --destroy-root --json
    want 5
    js 'd["error"]["code"] == "E_LEAVE_HEIR" and "z stays" in d["error"]["detail"]' <<<"$OUT" || bad "$OUT"
    [ -e "$ROOT/two/y/root.key" ] || bad "refused, and the key is gone"
    get on two status --node y --json
    want 0
    js 'i["role"] == "region-peer" and i["state"] == "alive" and i["mandate"] == "quorum"' <<<"$OUT" || bad "$OUT"
    get on three stop
    want 0
    sed -i '/relayed/d' "$ROOT/three/z/gridpeer.ini"
    serve three || bad "z does not come up: $(cat "$ROOT/three.log")"
    seen "$ROOT/three/z" 'members=2&leader=quorum' || bad "z sees: $(on three node list)"
    get on two leave --node y --destroy-root
    want 0
    [ ! -e "$ROOT/two/y" ] || bad "something stays: $(find "$ROOT/two/y")"
    # The last one goes, too.
    get on three leave
    want 0
    [ -z "$(ls -A "$ROOT/three")" ] || bad "something stays: $(find "$ROOT/three")"
}

t_alone() {
    local machine
    for machine in b c; do
        get on $machine leave
        want 0
    done
    # The founder is alone, though it remembers the others: nobody needs the key any more.
    get on a leave
    want 0
    [ -z "$(ls -A "$ROOT/a")" ] || bad "something stays: $(find "$ROOT/a")"
}

for name in init init_twice invite join documents same_facts find find_near run ps_log fields stop start stop_leader \
    sigterm background leave many_invitations usage ambiguous leave_in_silence root_key alone; do
    try_case $name t_$name
done
finish
