#!/usr/bin/env bash
# Two regions of two machines each: the second is added to the grid by region add.
# Usage: region_add.sh PATH_TO_GRIDPEER
source "$(dirname "$0")/lib.bash"

ROLES=member,lend,submit,admit

# told MACHINE WORDS...: its activity log says so.
told() {
    local machine=$1
    shift
    on "$machine" log --json --timeout 5s 2>/dev/null | grep -qF -e "$*"
}
waits_for() { until_true $((LIMIT_MS / 1000)) told "$@" || bad "$1 does not say \"${*:2}\""; }

t_up() {
    get on a init lab --name a --listen "$(free_address)"
    want 0
    get on b join lab --token "$(token a)" --name b --listen "$LOCAL"
    want 0
    seen "$ROOT/a/a" 'members=2&leader=quorum' || bad "a and b do not agree"
}

t_what_is_refused() {
    get on c region add basel --token "$(token a)" --name c --listen "$LOCAL"
    want 77 "admits others" "gridpeer invite --roles $ROLES"
    get on c region add lab --token "$(token a --roles $ROLES)" --name c --listen "$LOCAL"
    want 5 "choose another name"
    get on c region add basel --name c
    want 64 "region add needs --token" "--roles $ROLES"
    [ ! -e "$ROOT/c/c" ] || bad "something stays behind"
}

t_add() {
    get on c region add basel --token "$(token a --roles $ROLES)" --name c \
        --listen "$(free_address)"
    want 0
    grep -qF 'c is the first machine of the region basel' <<<"$OUT" || bad "it says: $OUT"
    waits_for c "takes its seat in the grid"
    waits_for c "grid: "
    get on d join basel --token "$(token c)" --name d --listen "$LOCAL"
    want 0
    seen "$ROOT/d/d" 'members=2&leader=quorum' || bad "c and d do not agree"
    [ "$(field d region)" = basel ] || bad "d is in $(field d region)"
    seen "$ROOT/a/a" 'members=2&leader=quorum' || bad "a and b do not agree any more"
}

# The name is given out once; and the tokens of one region let nobody into the other.
t_names_are_kept_apart() {
    get on e region add basel --token "$(token a --roles $ROLES)" --name e --listen "$LOCAL"
    want 5 "has a region of this name already"
    [ ! -e "$ROOT/e/e" ] || bad "something stays behind"
    get on e join basel --token "$(token a)" --name e --listen "$LOCAL"
    want 3 "the token is for another region"
}

# Killed and started again, it takes its seat in the grid by what its disk says.
t_comes_back() {
    local pid before
    pid=$(pid_of "$ROOT/c/c")
    before=$(on c log --json | grep -o 'grid: [^"]*leads' | wc -l)
    kill -9 "$pid"
    until_true $((LIMIT_MS / 1000)) gone "$pid" || bad "it lives"
    serve c || bad "c does not come up"
    seen "$ROOT/c/c" 'members=2&leader=quorum' || bad "c and d do not agree"
    again() { [ "$(on c log --json | grep -o 'grid: [^"]*leads' | wc -l)" -gt "$before" ]; }
    until_true $((LIMIT_MS / 1000)) again || bad "c does not follow the grid's leader again"
}

t_find_over_both() {
    finds() { [ "$(on "$1" find --scope grid --json 2>/dev/null | js 'len(d["items"])')" = 4 ]; }
    on a find --help | grep -qF -e --scope || cannot "find has no --scope yet"
    until_true $((LIMIT_MS / 1000)) finds a || bad "a does not find all four"
    until_true $((LIMIT_MS / 1000)) finds d || bad "d does not find all four"
}

for name in up what_is_refused add names_are_kept_apart comes_back find_over_both; do
    try_case $name t_$name
done
finish
