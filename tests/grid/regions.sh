#!/usr/bin/env bash
# A region of several sub-Grids, of real agents: they form, are listed, searched and survive a
# super-peer. Usage: regions.sh PATH_TO_GRIDPEER
source "$(dirname "$0")/lib.bash"

DIR=$ROOT/sim
N=12
sim() { "$G" sim "$@" --dir "$DIR"; }
there() { "$G" --dir "$DIR" --node "$1" "${@:2}"; }

# names_of FILTER: of the first machine's find over the region, sorted.
found_by() {
    there "$1" find --scope region --limit 64 --json 2>/dev/null |
        js '" ".join(sorted(x["name"] for x in d["items"]))' 2>/dev/null
}
finds() { [ "$(found_by "$1")" = "$2" ]; }
all_but() { seq 1 $N | sed 's/^/n/' | grep -vx "${1:-none}" | LC_ALL=C sort | tr '\n' ' ' | sed 's/ $//'; }

t_forms() {
    get sim up $N --subgrid-size 4
    want 0 'sub-Grids after' 'gridpeer topology'
    get there n5 subgrid list --json
    want 0
    js 'd["kind"] == "subgrid" and len(d["items"]) >= 3 and all(x["members"] <= 4 for x in d["items"])' \
        <<<"$OUT" || bad "$OUT"
    js 'sum(1 for x in d["items"] if x["own"]) == 1' <<<"$OUT" || bad "no own one: $OUT"
}

t_shown_alike() {
    # The same text for a sub-Grid wherever one is shown.
    local own
    own=$(there n7 status --json | js 'i["subgrid"]')
    get there n7 subgrid show "${own:0:8}" --json
    want 0
    js 'i["own"] and i["subgrid"] == "'"$own"'" and "n7" in [x["name"] for x in i["nodes"]]' \
        <<<"$OUT" || bad "$OUT"
    get there n7 find 'name == n7' --json
    js 'i["subgrid"] == "'"$own"'"' <<<"$OUT" || bad "$OUT"
    get there n7 topology
    want 0
    grep -qF "sub-Grid ${own:0:8}" <<<"$OUT" || bad "$OUT"
    grep -qF "this machine" <<<"$OUT" || bad "$OUT"
}

t_another_is_shown() {
    local other
    other=$(there n1 subgrid list --json | js '[x["subgrid"] for x in d["items"] if not x["own"]][0]')
    shows() {
        there n1 subgrid show "$other" --json 2>/dev/null | js 'not i["own"] and
            len(i["nodes"]) == i["members"] and i["leader"] in [x["name"] for x in i["nodes"]]'
    }
    until_true 10 shows || bad "$(there n1 subgrid show "$other" --json 2>&1)"
}

t_region() {
    # How many there are in all is known a little later above than below.
    get there n3 region list --json
    want 0
    js 'i["region"] == "sim" and i["own"] and i["subgrids"] >= 3 and i["members"] == '$N <<<"$OUT" || bad "$OUT"
    leader=$(js 'i["leader"]' <<<"$OUT")
    get there "$leader" status --json
    js 'i["role"] == "region-peer" and i["subgrids"] >= 3' <<<"$OUT" || bad "$leader leads the region: $OUT"
    get there n3 region show nowhere
    want 3 'no such region'
}

t_found_everywhere() {
    local node
    for node in n1 n4 n8 n12; do
        until_true 10 finds $node "$(all_but)" || bad "$node finds $(found_by $node), not all"
    done
    get there n2 find --scope subgrid --limit 64 --json
    want 0
    js 'len(d["items"]) <= 4' <<<"$OUT" || bad "$OUT"
}

t_run_elsewhere() {
    local name
    name=$(there n1 find --scope region --limit 64 --json |
        js '[x["name"] for x in d["items"] if x["subgrid"] != [y["subgrid"] for y in d["items"] if y["name"] == "n1"][0]][0]')
    get there n1 run --on "$name" -- true
    want 5 "$name is in sub-Grid" 'of region sim'
    get there n1 run --on n99 -- true
    want 1 'no such machine: n99'
}

t_super_peer_dies() {
    local leader
    leader=$(there n1 subgrid list --json | js '[x["leader"] for x in d["items"] if not x["own"] and x["members"] >= 3][0]') ||
        cannot "each other sub-Grid has two machines at most"
    [ "$leader" != n1 ] || bad "n1 leads another sub-Grid"
    get sim kill "$leader"
    want 0
    until_true 30 finds n1 "$(all_but "$leader")" || bad "n1 finds $(found_by n1) without $leader"
    led() {
        there n1 subgrid list --json 2>/dev/null |
            js '"'"$leader"'" not in [x["leader"] for x in d["items"]]'
    }
    until_true 30 led || bad "$leader is dead and leads: $(there n1 subgrid list)"
}

try_case "several sub-Grids form" t_forms
try_case "a sub-Grid has one name" t_shown_alike
try_case "another sub-Grid is shown" t_another_is_shown
try_case "the region is listed" t_region
try_case "find finds all of the region" t_found_everywhere
try_case "run says where a machine is" t_run_elsewhere
try_case "a super-peer dies" t_super_peer_dies
finish
