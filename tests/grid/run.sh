#!/usr/bin/env bash
# Programs that run on other machines: what they write, how they end, and that nothing is left of
# them whoever dies. Usage: run.sh PATH_TO_GRIDPEER
source "$(dirname "$0")/lib.bash"

DIR=$ROOT/sim
sim() { "$G" sim "$@" --dir "$DIR"; }
# run OPTION... -- PROGRAM...: typed beside n1
run() { GRIDPEER_DIR=$DIR GRIDPEER_NODE=n1 "$G" run "$@"; }
at() {
    local node=$1
    shift
    GRIDPEER_DIR=$DIR GRIDPEER_NODE=$node "$G" "$@"
}
running() { kill -0 "$(cat "$1" 2>/dev/null || echo none)" 2>/dev/null; }
written() { [ -s "$1" ]; }
ended() { ! running "$1"; }
# A program that tells its pid, starts a child that would outlive it, and goes on for ever.
# shellcheck disable=SC2016 # for the shell that runs there
LONG='sleep 1000 & echo $! >$1.child; echo $$ >$1; echo ready; while :; do wait; sleep 1; done'
# begin FILE [OPTION...]: runs it in the background until it is there; CLI is the command's pid
begin() {
    local file=$1
    shift
    GRIDPEER_DIR=$DIR GRIDPEER_NODE=n1 "$G" run "$@" -- sh -c "$LONG" sh "$file" \
        >"$file.out" 2>"$file.err" &
    CLI=$!
    until_true 10 written "$file" || bad "it does not start: $(cat "$file.err")"
}
# Both processes of begin are gone.
nothing_runs() {
    until_true "$2" ended "$1" || bad "the program still runs"
    until_true 5 ended "$1.child" || bad "its child still runs"
}

t_up() {
    get sim up 3
    want 0
    local node
    for node in n1 n2 n3; do
        seen "$DIR/$node" 'members=3&leader=quorum&voters=3' || bad "$node: $(at $node node list)"
    done
}

t_streams() {
    get run --on n2 --quiet -- sh -c 'echo one; echo two >&2; printf three; printf four >&2'
    want 0
    [ "$OUT" = $'one\nthree' ] || bad "stdout: $OUT"
    [ "$ERR" = $'two\nfour' ] || bad "stderr: $ERR"
    get run --on n2 -- true
    want 0 'running on n2'
    [ -z "$OUT" ] || bad "stdout: $OUT"
}

t_where_it_runs() {
    local node
    for node in n1 n2 n3; do
        # shellcheck disable=SC2016
        get run --on $node --quiet -- sh -c 'cat /proc/$PPID/environ; cat </dev/null; pwd'
        want 0
        [[ $OUT == *"$DIR/$node/work/"* ]] || bad "not in $node's directory: $OUT"
    done
    get run --on n9 -- true
    want 1 'n9' 'gridpeer node list'
    get run --quiet -- cat
    want 0
    [ -z "$OUT" ] || bad "there was input: $OUT"
}

t_exit_codes() {
    local code
    for code in 0 1 2 42 69 125 126 127 255; do
        get run --on n2 --quiet -- sh -c "exit $code"
        want $code
    done
}

t_signals() {
    get run --on n2 --quiet -- sh -c 'kill -TERM $$'
    want 143 'signal 15' n2
    get run --on n2 --quiet -- sh -c 'kill -KILL $$'
    want 137 'signal 9'
    get run --on n2 --quiet -- sh -c 'kill -SEGV $$'
    want 139 'signal 11'
}

t_not_found() {
    get run --on n2 --quiet -- no-such-program
    want 1 'does not exist' no-such-program
    get run --on n2 --quiet -- /no/such/program
    want 1 'does not exist' /no/such/program
    get at n1 ps --json
    js 'd["items"][-1]["reason"] == "not-found" or "not" in d["items"][-1]["reason"]' <<<"$OUT" || bad "$OUT"
}

t_not_executable() {
    echo 'echo no' >"$ROOT/plain"
    chmod 644 "$ROOT/plain"
    get run --on n2 --quiet -- "$ROOT/plain"
    want 1 'not executable' 'chmod +x'
    chmod 755 "$ROOT/plain"
    get run --on n2 --quiet -- "$ROOT/plain"
    want 1 'not executable' 'no #! line' 'next: give it a #! line, or name its interpreter: gridpeer run -- sh FILE'
    get run --on n2 --quiet -- "$ROOT"
    want 1 'not executable' 'a directory cannot run'
    printf '#!/no/such/interpreter\n' >"$ROOT/script"
    chmod 755 "$ROOT/script"
    get run --on n2 --quiet -- "$ROOT/script"
    want 1 "$ROOT/script" 'its interpreter (#! line) or loader does not exist'
}

t_usage() {
    get run
    want 64 '--'
    get run --where 'cpu >=' -- true
    want 64
    get run --where 'cpus >= 1' -- true
    want 64 'no such attribute' cpu
    # What is empty is not taken for absent.
    local option
    for option in on where rank name env node dir; do
        get run --$option '' -- touch "$ROOT/empty"
        want 64 "--$option"
    done
    get run -- ''
    want 64 "'' is none"
    get run --name "$(printf 'x%.0s' $(seq 33))" -- touch "$ROOT/empty"
    want 64 '--name has 33 bytes'
    get run --fields job -- touch "$ROOT/empty"
    want 64 '--json'
    [ ! -e "$ROOT/empty" ] || bad "it ran"
}

t_where() {
    get run --where 'cpu >= 1 and mem.free >= 1MiB' --rank mem.free --quiet -- echo yes
    want 0
    [ "$OUT" = yes ] || bad "$OUT"
    get run --where 'cpu >= 100000 and mem.free >= 1MiB' -- touch "$ROOT/never-run"
    want 1 'no machine matches' "gridpeer find 'cpu >= 100000 and mem.free >= 1MiB' --explain"
    [ ! -e "$ROOT/never-run" ] || bad "it ran"
}

t_big_output() {
    "$PYTHON" -ISc 'import sys, hashlib
block = b"".join(hashlib.blake2b(b"%d" % i).digest() for i in range(16384))
for i in range(20):
    sys.stdout.buffer.write(b"%d" % i + block)' >"$ROOT/big"
    run --on n2 --quiet -- cat "$ROOT/big" >"$ROOT/big.out" 2>"$ROOT/big.err" || bad "exit code $?: $(cat "$ROOT/big.err")"
    cmp "$ROOT/big" "$ROOT/big.out" || bad "$(stat -c %s "$ROOT/big") bytes became $(stat -c %s "$ROOT/big.out")"
    [ ! -s "$ROOT/big.err" ] || bad "stderr: $(head -c 200 "$ROOT/big.err")"
    # Both streams at once, each whole.
    head -c 3000000 "$ROOT/big" >"$ROOT/part"
    # shellcheck disable=SC2016
    run --on n3 --quiet -- sh -c 'cat "$1" & cat "$1" >&2; wait' sh "$ROOT/part" >"$ROOT/part.out" 2>"$ROOT/part.err" ||
        bad "exit code $?"
    cmp "$ROOT/part" "$ROOT/part.out" || bad "stdout differs"
    cmp "$ROOT/part" "$ROOT/part.err" || bad "stderr differs"
}

t_slow_reader() {
    # Nobody reads: the program is held back, and no agent keeps its output in memory.
    local before after pid
    mkfifo "$ROOT/pipe"
    pid=$(pid_of "$DIR/n1")
    before=$(awk '/VmRSS/ {print $2}' "/proc/$pid/status")
    # shellcheck disable=SC2016
    GRIDPEER_DIR=$DIR GRIDPEER_NODE=n1 "$G" run --on n2 --quiet -- \
        sh -c 'echo $$ >$1; exec cat "$2"' sh "$ROOT/slow" "$ROOT/big" >"$ROOT/pipe" 2>/dev/null &
    exec 8<"$ROOT/pipe"
    until_true 10 written "$ROOT/slow" || bad "it does not start"
    head -c 1000000 <&8 >"$ROOT/slow.out"
    running "$ROOT/slow" || bad "20 MB went where nobody read them"
    after=$(awk '/VmRSS/ {print $2}' "/proc/$pid/status")
    [ $((after - before)) -lt 6000 ] || bad "the agent grew by $((after - before)) kB"
    cat <&8 >>"$ROOT/slow.out"
    wait $! || bad "exit code $?"
    exec 8<&-
    cmp "$ROOT/big" "$ROOT/slow.out" || bad "the output differs"
}

t_reader_goes() {
    # shellcheck disable=SC2016
    GRIDPEER_DIR=$DIR GRIDPEER_NODE=n1 "$G" run --on n2 --quiet -- \
        sh -c 'echo $$ >$1; while :; do echo yes; done' sh "$ROOT/yes" 2>"$ROOT/yes.err" | head -n 3 >"$ROOT/yes.out"
    [ "$(cat "$ROOT/yes.out")" = $'yes\nyes\nyes' ] || bad "$(cat "$ROOT/yes.out")"
    until_true 10 ended "$ROOT/yes" || bad "the program still runs"
}

t_interrupt() {
    begin "$ROOT/interrupt" --on n2
    kill -INT $CLI
    wait $CLI
    RC=$?
    [ $RC -eq 130 ] || bad "exit code $RC: $(cat "$ROOT/interrupt.err")"
    nothing_runs "$ROOT/interrupt" 5
    get at n1 ps --json
    js 'd["items"][-1]["state"] == "cancelled" and d["items"][-1]["reason"] == "cancelled"' <<<"$OUT" || bad "$OUT"
}

t_interrupt_deaf() {
    # One that ignores SIGTERM and SIGINT ends all the same.
    # shellcheck disable=SC2016
    GRIDPEER_DIR=$DIR GRIDPEER_NODE=n1 "$G" run --on n2 --quiet -- \
        sh -c 'trap "" TERM INT HUP; echo $$ >$1; while :; do sleep 1; done' sh "$ROOT/deaf" 2>"$ROOT/deaf.err" &
    until_true 10 written "$ROOT/deaf" || bad "it does not start"
    kill -INT $!
    wait $!
    until_true 15 ended "$ROOT/deaf" || bad "the program still runs"
}

t_cli_killed() {
    begin "$ROOT/orphan" --on n3
    kill -KILL $CLI
    wait $CLI 2>/dev/null
    nothing_runs "$ROOT/orphan" 10
}

t_cancel() {
    local job
    begin "$ROOT/cancel" --on n2
    job=$(at n1 ps --json | js 'd["items"][-1]["job"]')
    get at n1 cancel "$job"
    want 0
    wait $CLI
    nothing_runs "$ROOT/cancel" 5
    # Once more: it has ended, and how.
    get at n1 cancel "$job"
    want 1 'has ended already' 'cancelled' 'gridpeer ps'
    get at n1 cancel "$job" --json
    want 1 'has ended already'
    js 'i["state"] == "cancelled" and i["node"] == "n2"' <<<"$OUT" || bad "$OUT"
    get at n1 cancel 999
    want 1 'no such job'
    get at n1 cancel "${job}x"
    want 1 'not the number of a job'
}

t_timeout() {
    get run --on n2 --quiet --timeout 500ms -- sh -c "$LONG" sh "$ROOT/limit"
    want 6 'timed out'
    nothing_runs "$ROOT/limit" 5
    get run --on n2 --json --timeout 500ms -- sleep 1000
    want 6 'timed out'
    tail -n 1 <<<"$OUT" | js 'd["kind"] == "job" and i["node"] == "n2"' || bad "$OUT"
}

t_agent_frozen() {
    # No command waits longer than it was told to, and each says for whom it waited.
    local began=$SECONDS command
    get sim freeze n2
    want 0
    for command in find status nodes ps log stop run; do
        # shellcheck disable=SC2046
        get at n2 $command --timeout 300ms $([ $command != run ] || echo -- true)
        want 6 'the agent n2 did not answer within 3'
    done
    [ $((SECONDS - began)) -lt 9 ] || bad "it took $((SECONDS - began)) s"
    get sim thaw n2
    want 0
    until_true 10 ended_or_back || bad "n2 does not come back"
    # It stops now, as it was asked to.
    get sim start n2
    seen "$DIR/n1" 'members=3&leader=quorum' || bad "$(at n1 node list)"
}
ended_or_back() { ! kill -0 "$(pid_of "$DIR/n2")" 2>/dev/null; }

# Each run leaves a mark that only one can make: a second run of the same job would be seen.
# shellcheck disable=SC2016
ONCE='set -C; echo $$ >"$1" || { echo again >>"$2"; exit 99; }; exec sleep 1000'

t_executor_dies() {
    local began=$SECONDS
    GRIDPEER_DIR=$DIR GRIDPEER_NODE=n1 "$G" run --on n3 -- sh -c "$ONCE" sh "$ROOT/once" "$ROOT/again" 2>"$ROOT/once.err" &
    until_true 10 written "$ROOT/once" || bad "it does not start: $(cat "$ROOT/once.err")"
    get sim kill n3
    want 0
    until_true 10 ended "$ROOT/once" || bad "the program outlives the agent that ran it"
    wait $!
    RC=$?
    ERR=$(cat "$ROOT/once.err")
    want 1 'node-failed' n3
    [ $((SECONDS - began)) -lt 20 ] || bad "it took $((SECONDS - began)) s to say so"
    get at n1 ps --json
    js 'd["items"][-1]["reason"] == "node-failed" and d["items"][-1]["node"] == "n3"' <<<"$OUT" || bad "$OUT"
    get sim start n3
    want 0
    seen "$DIR/n1" 'members=3&leader=quorum' || bad "n3 does not come back"
    [ ! -e "$ROOT/again" ] || bad "it was run twice"
    [ -z "$(find "$DIR/n3/work" -mindepth 1 -name '*.*')" ] || bad "left in n3: $(ls "$DIR/n3/work")"
    get run --on n3 --quiet -- echo back
    want 0
}

t_missing() {
    # A machine that is missing is told, with its state; one that was stopped is not missing.
    get at n1 status
    want 0
    get sim kill n3
    want 0
    seen "$DIR/n1" 'node=n3&state=unavailable&leader=quorum' || bad "n3 is not missed: $(at n1 node list)"
    get at n1 status
    want 2
    grep -q 'members  3, 2 of them alive; missing: n3 (unavailable)' <<<"$OUT" || bad "$OUT"
    get at n1 status --json
    want 2
    js 'i["missing"] == {"n3": "unavailable"} and i["health"] == "degraded" and i["why"] != "" and i["members"] == 3
        and 0 < i["uptime_ms"] < 3600000' <<<"$OUT" || bad "$OUT"
    get at n1 node list
    want 0
    get run --on n3 -- touch "$ROOT/nowhere"
    want 1 'n3 is unavailable: its agent is gone' 'seen by' 'gridpeer node list'
    get sim start n3
    want 0
    seen "$DIR/n1" 'members=3&leader=quorum' || bad "n3 does not come back"
    get at n1 status
    want 0
    get at n3 stop
    want 0
    seen "$DIR/n1" 'node=n3&state=left' || bad "$(at n1 node list)"
    get at n1 status
    want 0
    grep -q 'members  3, 2 of them alive, 1 stopped$' <<<"$OUT" || bad "$OUT"
    get run --on n3 -- touch "$ROOT/nowhere"
    want 1 'n3 is left: its agent was stopped in good order' 'gridpeer node list'
    [ ! -e "$ROOT/nowhere" ] || bad "it ran"
    get sim start n3
    want 0
    seen "$DIR/n1" 'members=3&leader=quorum' || bad "n3 does not come back"
}

t_executor_frozen() {
    # It can't be told to stop; the lease ends the program, and the home says what became of it.
    GRIDPEER_DIR=$DIR GRIDPEER_NODE=n1 "$G" run --on n3 -- sh -c "$ONCE" sh "$ROOT/froze" "$ROOT/again" 2>"$ROOT/froze.err" &
    local cli=$!
    until_true 10 written "$ROOT/froze" || bad "it does not start: $(cat "$ROOT/froze.err")"
    get sim freeze n3
    want 0
    wait $cli
    RC=$?
    ERR=$(cat "$ROOT/froze.err")
    get sim thaw n3
    [ "$(grep -c 'node-failed\|lease' <<<"$(cat "$ROOT/froze.err")")" -ge 1 ] || bad "exit code $RC: $(cat "$ROOT/froze.err")"
    until_true 15 ended "$ROOT/froze" || bad "the program outlives its lease"
    seen "$DIR/n1" 'members=3&leader=quorum' || bad "n3 does not come back"
    [ ! -e "$ROOT/again" ] || bad "it was run twice"
}

t_home_dies() {
    GRIDPEER_DIR=$DIR GRIDPEER_NODE=n2 "$G" run --on n3 -- sh -c "$ONCE" sh "$ROOT/home" "$ROOT/again" 2>"$ROOT/home.err" &
    local cli=$!
    until_true 10 written "$ROOT/home" || bad "it does not start: $(cat "$ROOT/home.err")"
    get sim kill n2
    want 0
    wait $cli
    RC=$?
    ERR=$(cat "$ROOT/home.err")
    want 69 'went away' 'gridpeer agent'
    until_true 15 ended "$ROOT/home" || bad "the program goes on without its home"
    get sim start n2
    want 0
    seen "$DIR/n1" 'members=3&leader=quorum' || bad "n2 does not come back"
    get at n2 ps --json
    want 0
    js 'all(x["state"] in ("failed", "lost", "done", "cancelled") and x["reason"] != "none" for x in d["items"])' <<<"$OUT" ||
        bad "$OUT"
    [ ! -e "$ROOT/again" ] || bad "it was run twice"
}

t_executor_stops() {
    GRIDPEER_DIR=$DIR GRIDPEER_NODE=n1 "$G" run --on n3 -- sh -c "$ONCE" sh "$ROOT/stops" "$ROOT/again" 2>"$ROOT/stops.err" &
    local cli=$!
    until_true 10 written "$ROOT/stops" || bad "it does not start: $(cat "$ROOT/stops.err")"
    get at n3 stop
    want 0
    ended "$ROOT/stops" || bad "the program outlives an agent that stopped in good order"
    wait $cli
    RC=$?
    ERR=$(cat "$ROOT/stops.err")
    want 1 'agent-stopped' n3
    get sim start n3
    want 0
    seen "$DIR/n1" 'members=3&leader=quorum' || bad "n3 does not come back"
    [ ! -e "$ROOT/again" ] || bad "it was run twice"
}

t_many() {
    local i pids=()
    for i in $(seq 12); do
        run --quiet -- sh -c "set -C; echo $i >$ROOT/many.$i; echo $i" >"$ROOT/many.out.$i" 2>"$ROOT/many.err.$i" &
        pids+=($!)
    done
    for i in "${pids[@]}"; do
        wait "$i" || bad "exit code $?: $(cat "$ROOT"/many.err.*)"
    done
    [ "$(cat "$ROOT"/many.out.* | sort -n | tr '\n' ' ')" = "1 2 3 4 5 6 7 8 9 10 11 12 " ] || bad "some are missing"
}

t_usage_of_resources() {
    get run --on n2 --quiet -- sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done'
    want 0
    get at n1 ps --json --fields state,wall_us,cpu_us,peak_bytes
    want 0
    js 'all(x["wall_us"] is not None for x in d["items"])
        and d["items"][-1]["wall_us"] > 0 and d["items"][-1]["cpu_us"] > 0 and d["items"][-1]["peak_bytes"] > 0' <<<"$OUT" || bad "$OUT"
}

t_json() {
    get run --on n2 --json -- sh -c 'echo hi; exit 3'
    want 3
    "$PYTHON" -ISc 'import sys, json, base64
lines = [json.loads(line) for line in sys.stdin]
assert [x["event"] for x in lines[:-1] if x["event"] != "output"][0] == "state"
assert b"".join(base64.b64decode(x["data"]) for x in lines[:-1] if x["event"] == "output") == b"hi\n"
end = lines[-2]
assert end["event"] == "end" and end["reason"] == "exit" and end["code"] == 3 and end["node"] == "n2"
assert lines[-1]["schema"] == "gridpeer/v1" and lines[-1]["kind"] == "job"' <<<"$OUT" || bad "$OUT"
}

for name in up streams where_it_runs exit_codes signals not_found not_executable usage where json usage_of_resources many big_output \
    slow_reader reader_goes interrupt interrupt_deaf cli_killed cancel timeout agent_frozen missing executor_dies executor_frozen \
    home_dies executor_stops; do
    try_case $name t_$name
done
finish
