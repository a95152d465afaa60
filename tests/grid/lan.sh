#!/usr/bin/env bash
# Two hosts on one network, in network namespaces: addresses change, and a beacon tells the new one.
# Usage: lan.sh PATH_TO_GRIDPEER
source "$(dirname "$0")/lib.bash"

HOSTS="gp$$a gp$$b"
LAN=10.217.44

# host a|b COMMAND...: typed on that host.
host() {
    local name=gp$$$1
    shift
    ip netns exec "$name" "$@"
}
# there MACHINE COMMAND...: gridpeer, typed on the host of that machine.
there() {
    local machine=$1
    shift
    GRIDPEER_DIR=$ROOT/$machine host "$machine" "$G" "$@"
}

hosts_up() {
    local name
    for name in $HOSTS; do
        ip netns add "$name" && ip -n "$name" link set lo up || return 1
    done
    ip -n gp$$a link add lan type veth peer name lan netns gp$$b || return 1
    ip -n gp$$a addr add $LAN.1/24 brd + dev lan && ip -n gp$$a link set lan up || return 1
    ip -n gp$$b addr add $LAN.2/24 brd + dev lan && ip -n gp$$b link set lan up
}
hosts_down() {
    local name
    for name in $HOSTS; do
        ip netns del "$name" 2>/dev/null
    done
}
trap 'cleanup; hosts_down' EXIT

t_hosts() {
    command -v ip >/dev/null || cannot "the command ip is missing"
    hosts_up 2>"$ROOT/ip" || cannot "no network namespaces here: $(head -n 1 "$ROOT/ip")"
    touch "$ROOT/hosts"
}
need_hosts() { [ -e "$ROOT/hosts" ] || cannot "no network namespaces here"; }

t_two_hosts() {
    need_hosts
    get there a init lab --name a --listen "tcp://$LAN.1:7601"
    want 0
    there a invite --uses 2 2>/dev/null | sed 's/.*--token //' >"$ROOT/token"
    get there b join lab --token "$(cat "$ROOT/token")" --name b --listen "tcp://$LAN.2:7601"
    want 0
    seen "$ROOT/a/a" 'members=2&leader=quorum' && seen "$ROOT/b/b" 'members=2&leader=quorum' ||
        bad "they do not see each other: $(there b node list)"
    get there b leave
    want 0
    seen "$ROOT/a/a" 'node=b&state=left' || bad "$(there a node list)"
}

# The founder moves to another address; the token still names the old one.
moves() {
    get there a stop
    want 0
    ip -n gp$$a addr flush dev lan && ip -n gp$$a addr add $LAN.9/24 brd + dev lan
    answers() { there a status >/dev/null 2>&1; [ $? -ne 69 ]; }
    GRIDPEER_DIR=$ROOT/a ip netns exec gp$$a setsid "$G" agent --listen "tcp://$LAN.9:7601" \
        >"$ROOT/a.log" 2>&1 &
    disown
    until_true $((LIMIT_MS / 1000)) answers || bad "a does not come up: $(cat "$ROOT/a.log")"
}

t_moved_in_silence() {
    need_hosts
    moves
    get there b join lab --token "$(cat "$ROOT/token")" --name c --listen "tcp://$LAN.2:7602"
    [ "$RC" -ne 0 ] || bad "it joined nobody"
    grep -q "$LAN.1:7601" <<<"$ERR" || bad "it does not say who did not answer: $ERR"
    [ ! -e "$ROOT/b/c" ] || bad "something stays of it"
}

t_moved_with_a_beacon() {
    need_hosts
    printf '\n[beacon]\nenabled = yes\n' >>"$ROOT/a/a/gridpeer.ini"
    moves
    get there b join lab --token "$(cat "$ROOT/token")" --name c --listen "tcp://$LAN.2:7602"
    want 0
    seen "$ROOT/a/a" 'members=2&node=c&state=alive' || bad "$(there a node list)"
    seen "$ROOT/b/c" 'members=2&leader=quorum' || bad "c does not see a"
}

# A firewall that lets nobody in: links from there live, links to there are refused. Its links are
# cut; it comes back by itself, and nobody takes the refusals for its death.
t_behind_a_firewall() {
    need_hosts
    command -v nft >/dev/null || cannot "the command nft is missing"
    there b leave --node c >/dev/null 2>&1 # of two machines, one observer is enough
    seen "$ROOT/a/a" 'node=c&state=left' || bad "$(there a node list)"
    there a invite 2>/dev/null | sed 's/.*--token //' >"$ROOT/token"
    get there b join lab --token "$(cat "$ROOT/token")" --name e --listen "tcp://$LAN.2:7604" --no-start
    want 0
    printf '\n[agent]\nrelayed = yes\n' >>"$ROOT/b/e/gridpeer.ini"
    host b nft 'add table inet wall; add chain inet wall in { type filter hook input priority 0; }
        add rule inet wall in tcp dport 7604 ct state new reject with tcp reset' 2>"$ROOT/nft" ||
        cannot "no firewall here: $(head -n 1 "$ROOT/nft")"
    get there b agent --node e --background
    want 0
    seen "$ROOT/a/a" 'node=e&state=alive' || bad "$(there a node list)"
    local before
    before=$(there a log --limit 1000 | grep -c 'e is unavailable')
    host b ss -K dport = 7601 >/dev/null 2>&1 || cannot "connections cannot be cut here"
    seen "$ROOT/a/a" 'node=e&state=unavailable' 4000 && bad "called dead: $(there a node list)"
    seen "$ROOT/a/a" 'node=e&state=alive' || bad "$(there a node list)"
    [ "$(there a log --limit 1000 | grep -c 'e is unavailable')" = "$before" ] || bad "$(there a log)"
    get there b leave --node e
    want 0
}

# Joined and gone in one breath: it left, and did not die.
t_joined_and_gone() {
    need_hosts
    there a invite 2>/dev/null | sed 's/.*--token //' >"$ROOT/token"
    get there b join lab --token "$(cat "$ROOT/token")" --name d --listen "tcp://$LAN.2:7603"
    want 0
    get there b leave --node d
    want 0
    seen "$ROOT/a/a" 'node=d&state=left' || bad "$(there a node list)"
}

for name in hosts two_hosts moved_in_silence moved_with_a_beacon behind_a_firewall joined_and_gone; do
    try_case $name t_$name
done
finish
