#!/usr/bin/env bash
# A machine of the grid that no group knows talks to real agents, and others do not.
# Usage: visit.sh PATH_TO_GRIDPEER (beside it in the build directory: tests/grid/visitor)
source "$(dirname "$0")/lib.bash"

V=$(dirname "$G")/../../tests/grid/visitor
[ -x "$V" ] || {
    echo "not ok visit: $V is missing: build it"
    exit 1
}

# metric MACHINE NAME: its value; nothing if it is not there.
metric() {
    "$PYTHON" -ISc 'import sys, socket
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
s.connect(sys.argv[1])
s.sendall(b"GET /v1/metrics HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")
text = b""
while piece := s.recv(65536):
    text += piece
for line in text.decode().splitlines():
    if line.startswith(sys.argv[2] + " "):
        print(line.split()[1])' "$ROOT/$1/$1/api.sock" "$2"
}

counted() { [ "$(metric "$1" "$2")" -ge "${3:-1}" ] 2>/dev/null; }

# visitor LIMIT_MS KIND: to the machine a.
visitor() {
    local where
    where=$(on a status --json | js '"%s %s %s" % (i["subgrid"], i["id"], i["address"])')
    # shellcheck disable=SC2086 # words
    "$V" "$ROOT/a/a/root.key" $where "$@"
}

t_up() {
    get on a init lab --name a --listen "$(free_address)"
    want 0
    get on b join lab --token "$(token a)" --name b --listen "$LOCAL"
    want 0
    seen "$ROOT/a/a" 'members=2&leader=quorum' || bad "a and b do not agree"
}

t_valid() {
    visitor "$LIMIT_MS" valid || bad "it was not answered ($?)"
    counted a gridpeer_visits_total || bad "it was not counted"
    counted a gridpeer_visitors || bad "it is no visitor"
    counted a 'gridpeer_refused_total{error="E_MESSAGE_KIND"}' || bad "what is for members was taken"
    [ "$(metric a gridpeer_visits_refused_total)" = 0 ] || bad "somebody was refused"
}

# A restart forgets the visitors; each comes as a new one anyway.
t_after_a_restart() {
    local pid
    pid=$(pid_of "$ROOT/a/a")
    kill -9 "$pid"
    until_true $((LIMIT_MS / 1000)) gone "$pid" || bad "it lives"
    serve a || bad "a does not come up"
    seen "$ROOT/a/a" 'members=2&leader=quorum' || bad "a and b do not agree"
    visitor "$LIMIT_MS" valid || bad "it was not answered ($?)"
}

# refused KIND ERROR: while it tries, and no more than about once a second.
refused() {
    local before after
    before=$(metric a gridpeer_visits_refused_total)
    visitor 2500 "$1" && bad "it was answered"
    counted a "gridpeer_refused_total{error=\"$2\"}" || bad "$2 was not counted"
    after=$(metric a gridpeer_visits_refused_total)
    if [ $((after - before)) -lt 1 ] || [ $((after - before)) -gt 5 ]; then
        bad "it was refused $((after - before)) times in 2.5 s"
    fi
}

t_expired() { refused expired E_CERT_EXPIRED; }
t_foreign() { refused foreign E_MESSAGE_GRID; }

t_members_went_on() {
    get on b status
    want 0
    seen "$ROOT/b/b" 'members=2&leader=quorum' || bad "b lost a"
    [ "$(metric a gridpeer_strangers)" = 0 ] || bad "strangers keep places"
}

for name in up valid after_a_restart expired foreign members_went_on; do
    try_case $name t_$name
done
finish
