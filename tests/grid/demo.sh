#!/usr/bin/env bash
# The demonstration: what it shows can be pasted, and it leaves nothing when it is interrupted.
# Usage: demo.sh PATH_TO_GRIDPEER
source "$(dirname "$0")/lib.bash"

DEMO=$(realpath "$(dirname "$0")/../../scripts/demo")

t_usage() {
    local words
    for words in --nonsense nonsense '--keep nonsense' --gridpeer '--gridpeer /none'; do
        # shellcheck disable=SC2086 # words
        get "$DEMO" $words
        want 64 'the command line is wrong' 'next: scripts/demo --help'
        [ -z "$OUT" ] || bad "it does something: $OUT"
    done
    get "$DEMO" --help
    want 0
    grep -q -e '--keep' <<<"$OUT" || bad "$OUT"
}

t_install() {
    # What the demonstration builds is all that the README's line installs, without building more.
    local build installed file
    build=$(realpath "${G%/*}/../..")
    grep -q 'ninja -C build/demo programs ' "$DEMO" || bad "it builds something else"
    grep -q '^meson install -C build/demo --no-rebuild ' "${DEMO%/*}/../README.md" || bad "the README says something else"
    [ -f "$build/build.ninja" ] || cannot "$build is no build directory"
    ninja -C "$build" -t query programs >"$ROOT/built"
    installed=$(meson introspect --installed "$build" | "$PYTHON" -ISc 'import json, os, sys
for source in json.load(sys.stdin):
    if source.startswith(sys.argv[1] + "/"):
        print(os.path.relpath(source, sys.argv[1]))' "$build")
    [ "$(wc -l <<<"$installed")" -ge 3 ] || bad "only this is installed: $installed"
    for file in $installed; do
        grep -qx " *| *$file" "$ROOT/built" || bad "$file is installed and not built"
    done
    DESTDIR=$ROOT/dest meson install -C "$build" --no-rebuild >"$ROOT/install.log" 2>&1 || bad "$(tail -n 3 "$ROOT/install.log")"
    get "$ROOT"/dest/*/*/bin/gridpeer --version
    want 0
    [ -n "$(find "$ROOT/dest" -name 'gridpeer.1*')" ] || bad "no manual page: $(find "$ROOT/dest")"
}

# begin_demo WORDS...: in the background, with a terminal's Ctrl-C as a script's child has not.
begin_demo() {
    : >"$ROOT/demo.out"
    "$PYTHON" -ISc 'import os, signal, sys
os.setsid()
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$DEMO" --gridpeer "$G" "$@" >"$ROOT/demo.out" 2>"$ROOT/demo.err" &
    DEMO_PID=$!
}
shown() { grep -q -e "$1" "$ROOT/demo.out" || gone "$DEMO_PID"; }
demo_dir() { sed -n 's/.* GRIDPEER_DIR=//p' "$ROOT/demo.out" | head -n 1; }
nothing_stays() {
    local dir
    dir=$(demo_dir)
    [ -n "$dir" ] && [ ! -e "$dir" ] || bad "$dir stays"
    ended() { ! grep -qsF "$dir" /proc/[0-9]*/cmdline; }
    until_true 10 ended || bad "something runs still: $(grep -lsF "$dir" /proc/[0-9]*/cmdline)"
    # Only the remarks of sim up.
    if grep -v '^gridpeer: \(all agree\|to talk to them\)' "$ROOT/demo.err" >"$ROOT/lines"; then
        bad "error lines: $(cat "$ROOT/lines")"
    fi
}

t_interrupted() {
    local at
    for at in '^  [0-9]* parts, on ' '^5\. Meanwhile' '^  \$ gridpeer find '; do
        begin_demo
        until_true 60 shown "$at" || bad "it does not come to $at: $(cat "$ROOT/demo.out")"
        kill -INT -- "-$DEMO_PID"
        wait "$DEMO_PID"
        RC=$?
        [ $RC -eq 130 ] || bad "exit code $RC at $at: $(cat "$ROOT/demo.err")"
        nothing_stays
    done
}

t_pasted() {
    # The lines of the demonstration itself, as they are shown, in a shell of the user's.
    begin_demo
    until_true 60 shown '^4\. A real job' || bad "$(cat "$ROOT/demo.out")"
    sed -n 's/^  \$ \(export .*\|gridpeer find .*\|gridpeer status\)$/\1/p' "$ROOT/demo.out" >"$ROOT/pasted"
    [ "$(wc -l <"$ROOT/pasted")" -eq 4 ] || bad "not four lines: $(cat "$ROOT/pasted")"
    get bash -e "$ROOT/pasted"
    kill -INT -- "-$DEMO_PID"
    wait "$DEMO_PID"
    want 0
    grep -q 'mem.free' <<<"$OUT" || bad "$OUT"
    nothing_stays
}

for name in usage install interrupted pasted; do
    try_case $name t_$name
done
finish
