# What the tests with real agents share; sourced, not run. The first argument is the program.
#
# A case is a function, run by `try_case` in a subshell: it ends well, or says why not with `bad`.
# A machine is a directory of $ROOT with one agent in it, as on a host of its own. Nothing waits for
# time to pass: `seen` and `until_true` wait for a condition, with a limit.
# shellcheck shell=bash
set -u

[ $# -ge 1 ] && [ -x "$1" ] || {
    echo "usage: $0 PATH_TO_GRIDPEER" >&2
    exit 64
}
G=$(realpath "$1")
ROOT=$(mktemp -d "${TMPDIR:-/tmp}/gridpeer-test.XXXXXX") || exit 1
PYTHON=$(python3 -c 'import sys; print(sys.executable)') || exit 1
LIMIT_MS=${GRIDPEER_TEST_LIMIT_MS:-15000} # how long a condition may take on a busy machine
FAILED=0
unset GRIDPEER_DIR GRIDPEER_NODE

# ---- cases ------------------------------------------------------------------------------------

# Ends the case: it failed.
bad() {
    printf '%s' "$*" | tr '\n' ' ' >"$ROOT/why"
    exit 1
}

# Ends the case: it can't be tried on this machine.
cannot() {
    printf '%s' "$*" >"$ROOT/cannot"
    exit 0
}

try_case() {
    local name=$1
    shift
    rm -f "$ROOT/why" "$ROOT/cannot"
    # What a case that failed left in the background must not go on.
    # shellcheck disable=SC2046 # a list of pids
    if (
        trap 'kill $(jobs -p) 2>/dev/null' EXIT
        "$@"
    ); then
        if [ -e "$ROOT/cannot" ]; then
            echo "ok $name # skip $(cat "$ROOT/cannot")"
        else
            echo "ok $name"
        fi
    else
        echo "not ok $name: $(cat "$ROOT/why" 2>/dev/null || echo "it ended early")"
        FAILED=1
    fi
}

# Processes whose command line or environment names our directory.
ours() {
    local file pid
    for file in /proc/[0-9]*/cmdline; do
        pid=${file#/proc/}
        pid=${pid%/cmdline}
        if [ "$pid" != $$ ] && [ "$pid" != "$BASHPID" ] &&
            grep -qsF "$ROOT" "$file" "/proc/$pid/environ" 2>/dev/null; then
            echo "$pid"
        fi
    done
}

# end_agents: simulated machines by sim down, which touches no others, and those by stop.
end_agents() {
    local lock
    for lock in "$ROOT"/*/*/sim; do
        [ -e "$lock" ] && "$G" sim down --dir "${lock%/*/sim}" >/dev/null 2>&1
    done
    for lock in "$ROOT"/*/*/lock; do
        [ -e "$lock" ] && "$G" stop --dir "${lock%/*/lock}" --node "$(basename "${lock%/lock}")" \
            --timeout 10s >/dev/null 2>&1
    done
}

cleanup() {
    local left
    end_agents
    left=$(ours)
    # shellcheck disable=SC2086 # a list of pids
    [ -z "$left" ] || kill -9 $left 2>/dev/null
    rm -rf "$ROOT"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# The last case of each script, and its exit code.
finish() {
    local left
    end_agents
    none_left() { left=$(ours); [ -z "$left" ]; }
    if until_true 10 none_left; then
        echo "ok nothing is left running"
    else
        # shellcheck disable=SC2086 # a list of pids
        echo "not ok nothing is left running: $(ps -o pid=,args= -p "$(echo $left | tr ' ' ,)" | head -c 600)"
        # shellcheck disable=SC2086
        kill -9 $left 2>/dev/null
        FAILED=1
    fi
    exit "$FAILED"
}

# ---- commands ---------------------------------------------------------------------------------

# on MACHINE COMMAND...: the command, typed on that machine.
on() {
    local machine=$1
    shift
    GRIDPEER_DIR=$ROOT/$machine "$G" "$@"
}

# get COMMAND...: runs it and keeps what came of it in OUT, ERR and RC.
get() {
    local to=$ROOT/said.$BASHPID
    "$@" >"$to.out" 2>"$to.err"
    RC=$?
    OUT=$(tr -d '\0' <"$to.out")
    ERR=$(tr -d '\0' <"$to.err")
    rm -f "$to.out" "$to.err"
}

# want CODE [WORDS]: the last command ended so, and said these words to stderr.
want() {
    local words
    [ "$RC" -eq "$1" ] || bad "exit code $RC, not $1; it said: $ERR"
    shift
    for words in "$@"; do
        grep -qF -e "$words" <<<"$ERR" || bad "\"$words\" is missing in: $ERR"
    done
}

# js EXPRESSION: of the document `d` on stdin (`i` is its first item), printed; false is a failure.
js() {
    "$PYTHON" -ISc 'import sys, json
d = json.load(sys.stdin)
i = (d.get("items") or [{}])[0]
v = eval("(" + sys.argv[1] + ")")
if not isinstance(v, bool):
    print(v)
sys.exit(v is False)' "$1"
}

# field MACHINE NAME: of its status. No process but ours is started.
field() {
    on "$1" status --fields "$2" 2>/dev/null | tail -n 1 | sed 's/ *$//'
}

# ---- waiting ----------------------------------------------------------------------------------

# until_true SECONDS COMMAND...: asks again and again; false when the time is up.
until_true() {
    local end=$((SECONDS + $1 + 1))
    shift
    while ! "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        read -rt 0.03 <>"$ROOT/never" || true
    done
}
mkfifo "$ROOT/never"

# seen STATE_DIR QUERY: waits by GET /v1/wait until that agent sees the grid so.
seen() {
    "$PYTHON" -ISc 'import sys, socket
limit = int(sys.argv[3])
s = socket.socket(socket.AF_UNIX)
s.settimeout(limit / 1000 + 5)
s.connect(sys.argv[1] + "/api.sock")
s.sendall(("GET /v1/wait?%s&timeout_ms=%d HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"
           % (sys.argv[2], limit)).encode())
answer = b""
while True:
    piece = s.recv(65536)
    if not piece:
        break
    answer += piece
sys.exit(not answer.startswith(b"HTTP/1.1 200 "))' "$1" "$2" "${3:-$LIMIT_MS}" 2>/dev/null
}

# pid_of STATE_DIR: the process that wrote itself into the lock.
pid_of() {
    cat "$1/lock"
}

gone() {
    local state
    state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) || return 0
    [ -z "$state" ] || [ "$state" = Z ]
}

# serve MACHINE [OPTION...]: its agent, by hand, in the background; true when it answers.
serve() {
    local machine=$1
    shift
    answers() { on "$machine" status >/dev/null 2>&1; [ $? -ne 69 ]; }
    GRIDPEER_DIR=$ROOT/$machine setsid "$G" agent "$@" >"$ROOT/$machine.log" 2>&1 &
    disown
    until_true $((LIMIT_MS / 1000)) answers
}

# token MACHINE [OPTION...]: an invitation.
token() {
    local machine=$1
    shift
    on "$machine" invite "$@" 2>/dev/null | sed 's/.*--token //'
}

# An address on which nobody listens now, for a machine that keeps it over a restart.
free_address() {
    "$PYTHON" -ISc 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print("tcp://127.0.0.1:%d" % s.getsockname()[1])'
}
LOCAL=tcp://127.0.0.1:0
