#!/usr/bin/env bash
# Bad input from outside: a clear error, the right exit code, and nothing changed.
# Usage: badinput.sh PATH_TO_GRIDPEER
source "$(dirname "$0")/lib.bash"

# refused CODE WORDS...: the last join ended so, and left nothing on the new machine.
refused() {
    want "$@"
    grep -q 'next: ' <<<"$ERR" || bad "it does not say what to do: $ERR"
    [ ! -e "$ROOT/new" ] || [ -z "$(find "$ROOT/new" -mindepth 1)" ] || bad "left behind: $(find "$ROOT/new")"
}
join() { # join REGION TOKEN
    get on new join "$1" --token "$2" --name new --listen "$LOCAL" --timeout 10s
}
healthy() {
    get on a status
    want 0
    get on a node list --json
    js '[x["name"] for x in d["items"] if x["state"] != "left"] == ["a", "b"]
        and all(x["state"] in ("alive", "left") for x in d["items"])' <<<"$OUT" || bad "the grid changed: $(on a node list)"
}

serve_other() { # alone it leads again when a lease of its former process would have run out
    serve other || bad "other: $(cat "$ROOT/other.log")"
    seen "$ROOT/other/o" 'leader=quorum' || bad "$(on other node list)"
}

t_up() {
    get on a init lab --name a --listen "$(free_address)"
    want 0
    get on b join lab --token "$(token a)" --name b --listen "$(free_address)"
    want 0
    seen "$ROOT/a/a" 'members=2&leader=quorum' || bad "$(on a node list)"
    get on other init lab --name o --listen "$(free_address)"
    want 0
}

# ---- tokens -----------------------------------------------------------------------------------

t_token_wrong() {
    join lab nonsense
    refused 3 'token is damaged'
    join lab gp1.
    refused 3 'token is damaged'
    join lab 'gp1.!!!!'
    refused 3 'token is damaged'
    join lab "gp1.$(head -c 400 /dev/urandom | base64 -w 0 | tr '+/' '-_' | tr -d =)"
    refused 3 token
    join lab "gp1.$(printf 'A%.0s' $(seq 5000))"
    refused 3 token
}

t_token_truncated() {
    local whole n
    whole=$(token a)
    for n in 5 20 100 $((${#whole} / 2)) $((${#whole} - 1)); do
        join lab "${whole:0:n}"
        refused 3 token
    done
    join lab "${whole}A"
    refused 3 token
}

t_token_flipped() {
    local whole
    whole=$(token a)
    # One bit of each 24th byte, and of the last one.
    "$PYTHON" -ISc 'import sys, base64
text = sys.argv[1][4:]
raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
for at in list(range(0, len(raw), 40)) + [len(raw) - 1]:
    bent = bytearray(raw)
    bent[at] ^= 1 << (at % 8)
    print("gp1." + base64.urlsafe_b64encode(bytes(bent)).decode().rstrip("="))' "$whole" >"$ROOT/bent"
    while read -r bent; do
        join lab "$bent"
        # A bit of the one-time key makes a token that only the issuer can tell from a good one.
        case $RC in 3 | 6) ;; *) bad "exit code $RC: $ERR ($bent)" ;; esac
        refused "$RC"
    done <"$ROOT/bent"
    # And the token itself is as good as before.
    join lab "$whole"
    want 0
    leave_new
}
# The newcomer goes again, and the grid is as before.
leave_new() {
    seen "$ROOT/new/new" 'members=3&leader=quorum' || bad "new sees: $(on new node list)"
    get on new leave
    want 0
    until_true 10 two || bad "$(on a node list)"
}
two() { on a node list --json | js '[x["name"] for x in d["items"] if x["state"] == "alive"] == ["a", "b"]'; }

# A library that sets the clock of one process ahead by two days.
clock_ahead() {
    [ -e "$ROOT/ahead.so" ] && return
    cat >"$ROOT/ahead.c" <<'END'
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, now);
    now->tv_sec += clock == CLOCK_REALTIME ? 2 * 86400 : 0;
    return rc;
}
END
    cc -shared -fPIC -o "$ROOT/ahead.so" "$ROOT/ahead.c" 2>/dev/null
}

t_token_expired() {
    local old
    get on a invite --expires 0s
    want 64 '1m to 30d'
    get on a invite --expires 1s
    want 64 '1m to 30d'
    get on a invite --roles foo
    want 64 "no role 'foo'" member,lend,submit
    get on a invite --roles ''
    want 64 '--roles'
    get on a invite --expires nonsense
    want 64
    get on a invite --uses 0
    want 64
    clock_ahead || cannot "an invitation is good for a minute at least, and there is no C compiler"
    old=$(token a)
    get env GRIDPEER_DIR="$ROOT/new" LD_PRELOAD="$ROOT/ahead.so" "$G" join lab --token "$old" --name new --listen "$LOCAL"
    refused 3 'expired' 'gridpeer invite' "this machine's clock"
    # The one that admits looks at its own clock.
    old=$(token other)
    get on other stop
    want 0
    LD_PRELOAD=$ROOT/ahead.so serve other || bad "other: $(cat "$ROOT/other.log")"
    join lab "$old"
    refused 3 'gridpeer invite'
    get on other stop
    want 0
    serve_other
}

t_token_used() {
    local once
    once=$(token a --uses 1)
    join lab "$once"
    want 0
    leave_new
    # Whoever has it may ask often, and fills no log with that: ten entries a minute.
    for _ in $(seq 30); do
        join lab "$once"
        refused 3 'used up' 'gridpeer invite'
    done
    on a log --limit 1000 --json | js '0 < sum(x["what"] == "refuse" for x in d["items"]) <= 20' || bad "$(on a log)"
}

t_token_region() {
    join nowhere "$(token a)"
    refused 3 'another region' lab
}

t_token_of_another_grid() {
    # o's invitation with a's address in it would be altered; asked at a's door o's token is nothing.
    local foreign
    foreign=$(token other)
    get on other stop
    want 0
    join lab "$foreign"
    refused 69 'no machine named in the token answers'
    # Another agent on the address that the token names: it is not the machine that was meant.
    local address
    address=$(sed -n 's/^listen *= *//p' "$ROOT/other/o/gridpeer.ini")
    get on stranger init lab --name s --listen "$address"
    want 0
    join lab "$foreign"
    case $RC in 3 | 6) ;; *) bad "exit code $RC: $ERR" ;; esac
    refused "$RC"
    get on stranger leave
    want 0
    serve_other
}

t_roles() {
    join lab "$(token a --roles member)"
    want 0
    seen "$ROOT/a/a" 'members=3' || bad "new does not come: $(on a node list)"
    seen "$ROOT/new/new" 'members=3&leader=quorum' || bad "new sees: $(on new node list)"
    get on new find 'cpu >= 1'
    want 0
    get on new run -- touch "$ROOT/ran"
    want 77 'lacks the role submit' 'next: ' 'gridpeer invite --roles lend,submit'
    get on new run --json -- touch "$ROOT/ran"
    want 77
    get on a run --on new -- touch "$ROOT/ran"
    want 5 'role lend' 'next: '
    get on a run --where 'name == "new"' -- touch "$ROOT/ran"
    want 5 'role lend'
    # shellcheck disable=SC2016 # for the shell that runs there
    get on a run --where 'name != "a"' --quiet -- sh -c 'echo "$GRIDPEER_NODE"'
    want 0
    [ "$OUT" = b ] || bad "it ran on $OUT"
    [ ! -e "$ROOT/ran" ] || bad "it ran"
    leave_new
    # Who lends only is used, and may not use; the usual invitation gives both.
    join lab "$(token a --roles lend)"
    want 0
    seen "$ROOT/a/a" 'members=3' || bad "new does not come: $(on a node list)"
    until_true 10 runs_on a new || bad "$ERR"
    get on new run -- touch "$ROOT/ran"
    want 77
    leave_new
    join lab "$(token a)"
    want 0
    seen "$ROOT/b/b" 'members=3' || bad "new does not come: $(on b node list)"
    until_true 10 runs_on new b || bad "$ERR"
    until_true 10 runs_on b new || bad "$ERR"
    leave_new
    [ ! -e "$ROOT/ran" ] || bad "it ran"
}
# A machine that has just come is not known to all at once.
runs_on() {
    get on "$1" run --on "$2" --quiet -- true
    [ "$RC" -eq 0 ]
}

t_name_taken() {
    get on new join lab --token "$(token a)" --name b --listen "$LOCAL"
    refused 3 'has this name' '--name'
    get on new join lab --token "$(token a)" --name a --listen "$LOCAL"
    refused 3 'has this name' '--name'
    get on new join lab --token "$(token a)" --name 'Not Good' --listen "$LOCAL"
    refused 64 name
    healthy
}

# ---- the state directory ----------------------------------------------------------------------

# same_in_background MACHINE: what the last `agent` said is what one in the background says.
same_in_background() {
    local rc=$RC err=$ERR
    get on "$1" agent --background
    [ "$RC $ERR" = "$rc $err" ] || bad "in the background $RC: $ERR, and in the foreground $rc: $err"
}

t_in_use() {
    local pid mode
    pid=$(pid_of "$ROOT/a/a")
    for mode in '' --background; do
        # shellcheck disable=SC2086 # no word, or one
        get on a agent $mode
        want 5 'it runs already' "process $pid" "next: gridpeer status --dir $ROOT/a --node a"
    done
    get on a agent --background --node nobody
    want 69 'there is no agent here' "$ROOT/a/nobody"
    healthy
}

t_modes() {
    get on b stop
    want 0
    local file
    for file in node.key state.db state.mark; do
        chmod 644 "$ROOT/b/b/$file"
        get on b agent
        want 3 'chmod 600' "$ROOT/b/b/$file"
        same_in_background b
        chmod 600 "$ROOT/b/b/$file"
    done
    chmod 755 "$ROOT/b/b"
    get on b agent
    want 3 "chmod 700 $ROOT/b/b"
    same_in_background b
    chmod 700 "$ROOT/b/b"
    chmod 777 "$ROOT/b"
    get on b agent
    want 3 'chmod go-w'
    chmod 700 "$ROOT/b"
    mv "$ROOT/b/b/node.key" "$ROOT/key"
    ln -s "$ROOT/key" "$ROOT/b/b/node.key"
    get on b agent
    want 3
    rm "$ROOT/b/b/node.key"
    get on b agent
    [ "$RC" -ne 0 ] || bad "it runs without a key"
    mv "$ROOT/key" "$ROOT/b/b/node.key"
    serve b || bad "b does not come up again: $(cat "$ROOT/b.log")"
    seen "$ROOT/a/a" 'node=b&state=alive' || bad "b does not come back"
}

t_damaged() {
    get on b stop
    want 0
    local file
    for file in node.key cert grid state.mark state.db; do
        cp -p "$ROOT/b/b/$file" "$ROOT/kept"
        head -c 10 "$ROOT/kept" >"$ROOT/b/b/$file"
        get on b agent
        [ "$RC" -eq 3 ] || bad "with a torn $file: exit code $RC: $ERR"
        grep -q 'next: ' <<<"$ERR" || bad "with a torn $file: $ERR"
        cp -p "$ROOT/kept" "$ROOT/b/b/$file"
    done
    printf 'nonsense\n' >>"$ROOT/b/b/gridpeer.ini"
    get on b agent
    want 64 gridpeer.ini
    sed -i '$d' "$ROOT/b/b/gridpeer.ini"
    printf '[agent]\nlisten = nonsense\n' >"$ROOT/ini"
    cp -p "$ROOT/b/b/gridpeer.ini" "$ROOT/kept"
    cat "$ROOT/ini" >"$ROOT/b/b/gridpeer.ini"
    get on b agent
    want 64 'gridpeer.ini' 'tcp://'
    cat "$ROOT/kept" >"$ROOT/b/b/gridpeer.ini"
    serve b || bad "b does not come up again: $(cat "$ROOT/b.log")"
    seen "$ROOT/a/a" 'node=b&state=alive' || bad "b does not come back"
}

t_no_place() {
    local dir
    : >"$ROOT/file"
    for dir in /proc/x "$ROOT/file/x"; do
        GRIDPEER_DIR=$dir get "$G" init lab --name n --listen "$LOCAL"
        want 64 'no state directory can be there' "$dir" '--dir'
    done
}

t_answer_lost() {
    # It may be admitted and not know: what that cost is said, and for how long it is remembered.
    local tries many
    many=$(token other --uses 40)
    for tries in $(seq 40); do
        rm -rf "$ROOT/new"
        get on new join lab --token "$many" --name "l$tries" --listen "$LOCAL" --no-start --timeout $((tries % 10 + 2))ms
        case $RC in 0) continue ;; 6) ;; *) bad "exit code $RC: $ERR" ;; esac
        refused 6
        grep -q 'its answer is lost' <<<"$ERR" && break
    done
    on other node list 2>/dev/null | grep 'no sign of life of its agent' | grep -q 'forgotten after 10 min' || bad "$(on other node list)"
    rm -rf "$ROOT/new"
    grep -q 'its answer is lost' <<<"$ERR" || cannot "all were answered, or none took the question"
    refused 6 'may have lost one use' 'next: join again; if the token is used up then' 'gridpeer invite'
}

t_issuer_frozen() {
    # It hangs: that is not the token's fault, and the time that was given is kept.
    local pid
    token a >"$ROOT/token.frozen"
    pid=$(pid_of "$ROOT/a/a")
    kill -STOP "$pid"
    get on new join lab --token "$(cat "$ROOT/token.frozen")" --name n --listen "$LOCAL" --timeout 3s
    kill -CONT "$pid"
    want 6 'there is no answer'
    [ ! -e "$ROOT/new/n" ] || bad "something stays of it"
    rm -rf "$ROOT/new"
    healthy
}

t_port_in_use() {
    local address
    address=$(on a status --json | js 'i["address"]')
    get on new init lab --name n --listen "$address"
    want 1 'port is in use' "$address" '--listen'
    [ ! -e "$ROOT/new/n" ] || bad "something stays of it"
    get on new init lab --name n --listen tcp://192.0.2.1:7617
    want 64 'gridpeer: not an address of this machine: tcp://192.0.2.1:7617' 'next: ' '--listen'
    # A token is not used up, and no name is taken, for an agent that could not start.
    get on new join lab --token "$(token a)" --name n --listen "$address"
    want 1 'port is in use' "$address" '--listen'
    [ ! -e "$ROOT/new/n" ] || bad "something stays of it"
    on a node list --json | js '"n" not in [x["name"] for x in d["items"]]' || bad "the name is taken"
    get on new init lab --name n --listen "$address" --no-start
    want 0
    get on new agent
    want 1 'port is in use' "$address" '--listen'
    same_in_background new
    get on new agent --listen nonsense
    want 64 'tcp://'
    get on new agent --listen tcp://192.0.2.1:7617
    want 64 'gridpeer: not an address of this machine: cannot listen on tcp://192.0.2.1:7617'
    rm -rf "$ROOT/new"
    healthy
}

t_not_running() {
    local command
    get on b stop
    want 0
    for command in status 'node list' find 'run -- true' ps log invite stop; do
        # shellcheck disable=SC2086
        get on b $command
        want 69 "start it: gridpeer agent --dir $ROOT/b --node b"
    done
    want 69 'next: nothing is to be stopped; to start it: '
    # Leaving needs no agent, but none may be at work in the directory.
    get on a leave --node nobody
    want 69 'nobody'
    mv "$ROOT/a/a/api.sock" "$ROOT/a.sock"
    get on a leave --node a --destroy-root
    want 5 'in use' "$(pid_of "$ROOT/a/a")"
    mv "$ROOT/a.sock" "$ROOT/a/a/api.sock"
    serve b || bad "b does not come up again: $(cat "$ROOT/b.log")"
    seen "$ROOT/a/a" 'members=2' || bad "b does not come back"
}

# ---- queries ----------------------------------------------------------------------------------

# query TEXT CODE COLUMN WORDS...
query() {
    local text=$1 column=$2
    shift 2
    get on a find "$text"
    want 64 "$@"
    # The caret stands under the column.
    grep -qE "^  {$column}\^" <<<"$ERR" || bad "'$text': not column $column in: $ERR"
    get on a find "$text" --json
    want 64
    js 'd["error"]["exit"] == 64 and d["error"]["column"] == '"$column" <<<"$OUT" || bad "'$text': $OUT"
}

t_queries() {
    query 'cpus >= 1' 1 'no such attribute' cpu
    query 'cpu >= 1 and mem.fre >= 1GiB' 14 'no such attribute' mem.free
    query 'mem.free >= 1GHz' 14 'unit'
    query '(cpu >= 1' 1 'never closed'
    query 'cpu >= 1)' 9
    query 'cpu >=' 7
    query 'cpu == yes' 8
    query '(((cpu >= 1))' 1
    get on a find "$(printf '(%.0s' $(seq 200))cpu >= 1$(printf ')%.0s' $(seq 200))"
    want 64
    get on a find "cpu >= 1$(printf ' and cpu >= 1%.0s' $(seq 300))"
    want 64
    # The caret points into the rank, and the option is named.
    get on a find 'cpu >= 1' --rank nonsense
    want 64 '  --rank nonsense'
    grep -qE '^ {9}\^' <<<"$ERR" || bad "$ERR"
    get on a find --rank 'cpu - load.1' --json
    want 64 '--rank cpu - load.1'
    js 'd["error"]["of"] == "rank" and d["error"]["column"] == 5' <<<"$OUT" || bad "$OUT"
    get on a find --rank 'cpu desc, load.1'
    want 0
    get on a find 'cpu >= 100000' --explain
    want 1 "gridpeer find 'cpu >= 100000'"
    get on a find 'cpu >= 1' --limit 0
    want 64
    get on a find 'cpu >= 1' --fields nonsense
    want 64 nonsense
    healthy
}

t_run_queries() {
    get on a run --where 'cpus >= 1' -- touch "$ROOT/ran"
    want 64 'no such attribute' cpu
    get on a run --where '(cpu >= 1' -- touch "$ROOT/ran"
    want 64
    get on a run --where 'cpu >= 1' --rank 'cpu +' -- touch "$ROOT/ran"
    want 64 '--rank cpu +'
    local long
    long=$(printf 'a%.0s' $(seq 100000))
    get on a run --where "name == $long" -- touch "$ROOT/ran"
    want 64 'the query is too large: it has 100008 bytes, and 1024 are allowed'
    get on a run --on "$long" -- touch "$ROOT/ran"
    want 64 '--on has 100000 bytes, and 32 are allowed'
    [ ${#ERR} -lt 400 ] || bad "it says it all: ${#ERR} characters"
    [ ! -e "$ROOT/ran" ] || bad "it ran"
}

# ---- the disk ---------------------------------------------------------------------------------

t_torn_journal() {
    # Killed while it writes, again and again; then a piece of its journal is cut off: the last
    # bytes, which may be older than the last restart, and all but the first.
    local round id size cut
    id=$(on b status --json | js 'i["id"]')
    for round in 1 2 3; do
        for _ in 1 2 3 4; do
            (while on a invite --uses $((round + 1)) --json >>"$ROOT/acknowledged" 2>/dev/null; do :; done) &
        done
        wrote() { [ "$(wc -l <"$ROOT/acknowledged")" -gt $((round * 12)) ]; }
        until_true 10 wrote || bad "nothing is written"
        kill -9 "$(pid_of "$ROOT/a/a")"
        wait
        rm -rf "$ROOT/whole"
        cp -a "$ROOT/a/a" "$ROOT/whole"
        size=$(stat -c %s "$ROOT/a/a/state.db-wal")
        cut=$((round == 1 ? 0 : round == 2 ? 2222 : size - 9999))
        truncate -s $((size - cut)) "$ROOT/a/a/state.db-wal"
        if ! serve a; then
            # It gives up where that cut off what was acknowledged; its state can be restored.
            [ $cut -gt 0 ] || bad "only killed: $(cat "$ROOT/a.log")"
            grep -q 'state on disk is damaged' "$ROOT/a.log" || bad "round $round: $(cat "$ROOT/a.log")"
            cp -a "$ROOT/whole/." "$ROOT/a/a"
            serve a || bad "round $round, its state restored: $(cat "$ROOT/a.log")"
        elif [ $round -eq 3 ]; then
            bad "it goes on without its last $cut bytes of journal"
        fi
        seen "$ROOT/a/a" 'members=2&leader=quorum' || bad "round $round: $(on a node list)"
    done
    [ "$(on b status --json | js 'i["id"]')" = "$id" ] || bad "b is another machine"
    healthy
}

t_kill_loses_nothing() {
    # What was acknowledged before a kill -9 is there after it: the token still works.
    local last
    last=$(token a)
    kill -9 "$(pid_of "$ROOT/a/a")"
    serve a || bad "$(cat "$ROOT/a.log")"
    seen "$ROOT/a/a" 'members=2&leader=quorum' || bad "$(on a node list)"
    join lab "$last"
    want 0
    leave_new
}

t_full_disk() {
    mkdir -p "$ROOT/small"
    mount -t tmpfs -o size=2m,mode=0700 gridpeer-test "$ROOT/small" 2>/dev/null || cannot "no tmpfs may be mounted"
    # shellcheck disable=SC2064
    trap "'$G' stop --dir '$ROOT/small' >/dev/null 2>&1; umount -l '$ROOT/small'" EXIT
    local acknowledged=0 last=
    get on small init tiny --name t --listen "$(free_address)"
    want 0
    head -c 4M /dev/zero >"$ROOT/small/fill" 2>/dev/null
    # Until the disk has no room for one more: each that was printed must be there afterwards.
    while [ $acknowledged -lt 2000 ]; do
        get on small invite --json
        [ "$RC" -eq 0 ] || break
        acknowledged=$((acknowledged + 1))
        last=$OUT
    done
    [ "$RC" -ne 0 ] || bad "$acknowledged invitations on a full disk"
    grep -q 'disk is full\|no room\|does not answer' <<<"$ERR" || bad "it does not say why: $ERR"
    rm "$ROOT/small/fill"
    if ! on small status >/dev/null 2>&1; then
        serve small || bad "it does not start again: $(cat "$ROOT/small.log")"
    fi
    # It tries its disk each 2 s, and is well when none failed for 5 s.
    until_true 30 on small status >/dev/null || bad "$(on small status 2>&1)"
    if [ -n "$last" ]; then
        get on new join tiny --token "$(js 'i["token"]' <<<"$last")" --name new --listen "$LOCAL"
        want 0
        get on new leave
        want 0
    fi
    get on small invite
    want 0
}

# ---- the port ---------------------------------------------------------------------------------

t_garbage() {
    local pid before after address
    address=$(on a status --json | js 'i["address"]')
    pid=$(pid_of "$ROOT/a/a")
    before=$(awk '/VmRSS/ {print $2}' "/proc/$pid/status")
    "$PYTHON" -ISc 'import os, socket, struct, sys
host, port = sys.argv[1].removeprefix("tcp://").rsplit(":", 1)
greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + b"\0" + bytes(31)
plain = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)
ready = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
huge = b"\x02" + struct.pack(">Q", 1 << 62)
throws = [os.urandom(1 << 20), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1000, b"\x16\x03\x01" + os.urandom(4000),
          b"", b"\xff", greeting, greeting + os.urandom(1 << 20), greeting + huge + os.urandom(1 << 16),
          plain + ready + huge + os.urandom(1 << 20), plain + ready + b"\x00\xff" + os.urandom(255),
          greeting + b"\x04\xc8\x05HELLO" + os.urandom(194), bytes(1 << 20)]
kept = []
for turn in range(40):
    for throw in throws:
        s = socket.socket()
        s.settimeout(5)
        try:
            s.connect((host, int(port)))
            s.sendall(throw)
        except OSError:
            pass
        if turn == 0:
            kept.append(s)
        else:
            s.close()' "$address"
    healthy
    get on a find 'cpu >= 1' --json
    want 0
    js 'len(d["items"]) == 2 and d["partial"] is False' <<<"$OUT" || bad "$OUT"
    [ "$(pid_of "$ROOT/a/a")" = "$pid" ] || bad "the agent was started again"
    after=$(awk '/VmRSS/ {print $2}' "/proc/$pid/status")
    [ $((after - before)) -lt 8000 ] || bad "it grew by $((after - before)) kB"
}

t_api() {
    # The API takes nothing from others, and no nonsense.
    [ "$(stat -c %a "$ROOT/a/a/api.sock")" = 600 ] || bad "mode $(stat -c %a "$ROOT/a/a/api.sock")"
    "$PYTHON" -ISc 'import os, socket, sys
def ask(text):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(sys.argv[1])
    try:
        s.sendall(text)
        s.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    except OSError:
        return ""
    return answer.decode(errors="replace")
def post(path, body):
    return ask(b"POST %s HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (path, len(body), body))
get = lambda path: ask(b"GET %s HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n" % path)
assert " 404 " in get(b"/nonsense"), get(b"/nonsense")
assert " 405 " in get(b"/v1/find"), get(b"/v1/find")
for body in (b"nonsense", b"[]", b"{\"query\":1}", b"{\"query\":\"cpu >= 1\",\"other\":1}", b"[" * 10000):
    assert " 400 " in post(b"/v1/find", body) or " 422 " in post(b"/v1/find", body), (body[:40], post(b"/v1/find", body))
assert " 413 " in post(b"/v1/find", b"x" * 300000) or post(b"/v1/find", b"x" * 300000) == ""
assert " 400 " in post(b"/v1/leave", b"{\"destroy_root\":1}"), post(b"/v1/leave", b"{\"destroy_root\":1}")
assert " 409 " in post(b"/v1/leave", b"{}"), post(b"/v1/leave", b"{}")
# What is too long is told as such, and not repeated whole.
for field, error, says in ((b"where", "E_QUERY_LIMIT", "where has 100000 bytes, and 1024 are allowed"),
                           (b"rank", "E_QUERY_LIMIT", "rank has 100000 bytes, and 1024 are allowed"),
                           (b"on", "E_NODE_UNKNOWN", "aaaa")):
    answer = post(b"/v1/run", b"{\"args\":[\"true\"],\"%s\":\"%s\"}" % (field, b"a" * 100000))
    assert error in answer and says in answer and len(answer) < 2000, answer[:300]
ask(os.urandom(100000))
ask(b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n")
assert " 200 " in get(b"/v1/status")' "$ROOT/a/a/api.sock" 2>"$ROOT/api.err" || bad "$(tail -n 1 "$ROOT/api.err")"
    healthy
}

for name in up token_wrong token_truncated token_flipped token_expired token_used token_region token_of_another_grid \
    roles name_taken in_use modes damaged no_place answer_lost issuer_frozen port_in_use not_running queries run_queries garbage api torn_journal \
    kill_loses_nothing full_disk; do
    try_case $name t_$name
done
finish
