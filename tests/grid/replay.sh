#!/usr/bin/env bash
# Recordings of real agents: killed, they leave what came to them, and it tells the same story as
# their log did. Usage: replay.sh PATH_TO_GRIDPEER
source "$(dirname "$0")/lib.bash"

# recorded MACHINE: starts its agent again, which records from now on.
recorded() {
    get on "$1" stop
    want 0
    printf '[replay]\nenabled = yes\nmebibytes = 4\n' >>"$ROOT/$1/$1/gridpeer.ini"
    serve "$1" || bad "$(cat "$ROOT/$1.log")"
}

t_off_by_default() {
    get on a init lab --name a --listen "$(free_address)"
    want 0
    token a --uses 2 >"$ROOT/token"
    get on b join lab --token "$(cat "$ROOT/token")" --name b --listen "$(free_address)"
    want 0
    [ ! -e "$ROOT/a/a/replay" ] && [ ! -e "$ROOT/b/b/replay" ] || bad "they record unasked"
}

t_on_when_asked() {
    recorded a
    recorded b
    for machine in a b; do
        seen "$ROOT/$machine/$machine" 'members=2&leader=quorum' || bad "$(on $machine node list)"
        [ "$(stat -c '%a %s' "$ROOT/$machine/$machine/replay")" = "600 4194304" ] ||
            bad "$(stat "$ROOT/$machine/$machine/replay")"
        get "$G" replay "$ROOT/$machine/$machine/replay" # of an agent that runs
        want 0 "the cores did the same"
    done
}

t_no_secret_is_in_it() {
    local file
    token a --uses 1 >"$ROOT/token2"
    get on c join lab --token "$(cat "$ROOT/token2")" --name c --listen "$LOCAL"
    want 0
    for machine in a b; do
        for there in a b; do
            get on $machine run --quiet --where "name == \"$there\"" --env HUSHENV=hush-environment -- \
                /bin/sh -c 'echo "$HUSHENV" | tr a-z A-Z; echo hush-error >&2' hush-argument
            want 0
            [ "$OUT" = HUSH-ENVIRONMENT ] || bad "$OUT"
        done
    done
    get on c leave
    want 0
    for machine in a b; do
        file=$ROOT/$machine/$machine/replay
        "$PYTHON" -ISc 'import base64, sys
data = open(sys.argv[1], "rb").read()
assert len(data) > 1000000
def out(what, secret):
    if secret in data or secret.lower() in data.lower():
        sys.exit("it has " + what)
out("a word or a variable of a command, or its output", b"hush")
for name in sys.argv[2:4]:
    text = open(name).read().strip()
    out("an invitation", text.encode())
    body = text.split(".", 1)[1]
    raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    assert len(raw) > 64
    out("an invitation, decoded", raw)
    # Its end is what proves it: signature and secret seed (proto/token.h); ids before it are public.
    for at in range(len(raw) - 96, len(raw) - 15):
        out("a part of the secret of an invitation", raw[at:at + 16])
for name in sys.argv[4:]:
    key = open(name, "rb").read()
    assert len(key) >= 32
    out("a key", key)
' "$file" "$ROOT/token" "$ROOT/token2" "$ROOT"/?/?/*.key 2>"$ROOT/leak" || bad "$machine: $(cat "$ROOT/leak")"
    done
}

# The story of the run that was killed must be what its log told, up to the end of its last job.
same_story() {
    local machine=$1 job=$2 where=$ROOT/$1/$1
    get on "$machine" log --limit 10000 --json
    want 0
    printf '%s' "$OUT" >"$ROOT/log.json"
    get "$G" replay "$where/replay.last" --json
    want 0
    printf '%s' "$OUT" >"$ROOT/story.json"
    "$PYTHON" -ISc 'import json, sys
log = json.load(open(sys.argv[1]))["items"]
story = json.load(open(sys.argv[2]))
end = "job " + sys.argv[3] + " is done"
assert story["replayed"] > 20 and story["kept"] == 0 and not story["ended"], story
crash = max(i for i, x in enumerate(log) if x["what"] == "crash")
told = [x["text"] for x in story["items"]]
last = max(i for i, x in enumerate(told) if x.startswith(end))
first = story["items"][0]["at"]
kinds = {x["what"] for x in story["items"]}
heard = [x["detail"] for x in log[:crash] if x["actor"] == "agent" and x["at"] >= first and x["what"] in kinds]
left = list(told)
for text in heard:
    if text not in left:
        sys.exit("the log alone says: " + text)
    left.remove(text)
# What is about others alone only the super-peer writes down.
missed = [x["text"] for x in story["items"][:last + 1] if x["what"] != "member" and x["text"] in left]
if missed:
    sys.exit("the story alone says: " + missed[0])
if len(heard) < 5:
    sys.exit("the log has no story: %r" % heard)
' "$ROOT/log.json" "$ROOT/story.json" "$job" 2>"$ROOT/differs" || bad "$machine: $(cat "$ROOT/differs")"
}

# killed MACHINE SIGNAL: runs a job, kills the agent, starts it again.
killed() {
    local machine=$1 pid job command
    seen "$ROOT/$machine/$machine" 'members=2&leader=quorum' || bad "$(on "$machine" node list)"
    get on "$machine" run -- true
    want 0
    job=$(sed -n 's/.*(job \([0-9]*\)).*/\1/p' <<<"$ERR")
    [ -n "$job" ] || bad "no number of a job in: $ERR"
    is_in_log() { on "$machine" log --limit 50 | grep -qF "job $job is done"; }
    until_true 10 is_in_log || bad "the log does not have job $job"
    pid=$(pid_of "$ROOT/$machine/$machine")
    kill -"$2" "$pid"
    until_true 10 gone "$pid" || bad "it lives"
    get "$G" replay "$ROOT/$machine/$machine/replay"
    want 0 "did not end in good order"
    serve "$machine" || bad "$(cat "$ROOT/$machine.log")"
    command=$(sed -n 's/.*: \(gridpeer replay .*\)$/\1/p' "$ROOT/$machine.log")
    [ "$command" = "gridpeer replay $ROOT/$machine/$machine/replay.last" ] || bad "$(cat "$ROOT/$machine.log")"
    on "$machine" log | grep -qF "$command" || bad "the log does not name it"
    same_story "$machine" "$job"
}

t_kill_9() {
    killed b 9
}

t_abort() {
    killed a ABRT
}

t_expect() {
    local file=$ROOT/a/a/replay.last
    get "$G" replay "$file"
    want 0
    { echo '# what a did'; printf '%s\n' "$OUT"; } >"$ROOT/story"
    get "$G" replay "$file" --expect "$ROOT/story"
    want 0 'the story is the expected one'
    sed -i 's/ is done / is lost /' "$ROOT/story"
    get "$G" replay "$file" --expect "$ROOT/story"
    want 1 'is lost' 'is done' 'line '
    get "$G" replay "$file" --expect "$ROOT/none"
    want 64 "$ROOT/none"
}

t_in_good_order() {
    local before
    before=$(cksum <"$ROOT/a/a/replay.last")
    get on a stop
    want 0
    get "$G" replay "$ROOT/a/a/replay"
    want 0 'ended in good order'
    serve a || bad "$(cat "$ROOT/a.log")"
    [ "$before" = "$(cksum <"$ROOT/a/a/replay.last")" ] || bad "the crash before is forgotten"
    grep -q 'replay' "$ROOT/a.log" && bad "it tells of a crash: $(cat "$ROOT/a.log")"
    true
}

t_bad_files() {
    local file=$ROOT/copy
    get "$G" replay /dev/null
    want 3 'not a recording'
    get "$G" replay "$ROOT/token"
    want 3 'not a recording'
    get "$G" replay "$ROOT/none"
    want 3 "$ROOT/none" 'No such file'
    get "$G" replay "$ROOT"
    want 3
    head -c 100000 "$ROOT/a/a/replay.last" >"$file"
    get "$G" replay "$file"
    want 3 'damaged'
    "$PYTHON" -ISc 'import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[2000] ^= 4
open(sys.argv[2], "wb").write(data)' "$ROOT/a/a/replay.last" "$file"
    get "$G" replay "$file"
    want 3 'damaged' 'at byte'
    "$PYTHON" -ISc 'import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[16] ^= 4
open(sys.argv[2], "wb").write(data)' "$ROOT/a/a/replay.last" "$file"
    get "$G" replay "$file"
    want 3 'another version'
    get "$G" replay
    want 64
}

t_a_start_that_fails_hides_no_crash() {
    local pid before
    pid=$(pid_of "$ROOT/a/a")
    kill -9 "$pid"
    until_true 10 gone "$pid" || bad "it lives"
    before=$(cksum <"$ROOT/a/a/replay")
    rm -f "$ROOT/a/a/api.sock"
    mkdir -p "$ROOT/a/a/api.sock/in-the-way"
    get on a agent
    want 3 'api.sock'
    rm -r "$ROOT/a/a/api.sock"
    serve a || bad "$(cat "$ROOT/a.log")"
    [ "$before" = "$(cksum <"$ROOT/a/a/replay.last")" ] || bad "another recording"
    grep -qF "gridpeer replay $ROOT/a/a/replay.last" "$ROOT/a.log" || bad "$(cat "$ROOT/a.log")"
}

t_no_place_for_it() {
    # The agent is worth more than its recording.
    get on b stop
    want 0
    rm -f "$ROOT/b/b/replay"
    (
        ulimit -f 1024 # KiB: less than a recording, enough for the rest
        serve b
    ) || bad "$(cat "$ROOT/b.log")"
    [ ! -e "$ROOT/b/b/replay" ] || bad "there is one"
    get on b log
    want 0
    grep -q 'recorded no further' <<<"$OUT" || bad "the log does not say so: $OUT"
}

t_of_the_simulator() {
    get "$G" sim run --nodes 5 --hours 0.02 --seed 1 --calm --record "$ROOT/sim" --record-node 2 --story "$ROOT/sim.story"
    want 0
    get "$G" replay "$ROOT/sim"
    want 0 'n2, from' 'the cores did the same'
    # In its own words machines that it did not know yet have no names: names are not compared.
    sed -n 's/^.* n2: //p' "$ROOT/sim.story" | grep ' answers\|^job ' | sort >"$ROOT/one"
    sed 's/^[^]]*\] //' <<<"$OUT" | grep ' answers\|^job ' | sort >"$ROOT/two"
    [ "$(wc -l <"$ROOT/one")" -ge 3 ] || bad "$(cat "$ROOT/sim.story")"
    cmp -s "$ROOT/one" "$ROOT/two" || bad "$(diff "$ROOT/one" "$ROOT/two")"
    [ "$(grep -c ' n2: ' "$ROOT/sim.story")" -eq "$(wc -l <<<"$OUT")" ] || bad "not the same lines"
    get "$G" replay "$ROOT/sim" --events
    grep -q '\] < msg from n1: ' <<<"$OUT" || bad "no events"
    get "$G" sim run --nodes 5 --record-node 6 --record "$ROOT/sim"
    want 64
}

for name in off_by_default on_when_asked no_secret_is_in_it kill_9 abort expect in_good_order \
    bad_files a_start_that_fails_hides_no_crash no_place_for_it of_the_simulator; do
    try_case $name t_$name
done
finish
