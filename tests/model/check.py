#!/usr/bin/env python3
"""Checks the election's model with Spin: every configuration in full, and that it finds every bug.

Usage: scripts/model [--list] [--only NAME,...] [--large] [--story BUG] [--json FILE] [--jobs N]
Example: scripts/model --story handover_keeps_the_lease

A configuration is a small group with some of the election's parts; Spin visits every state that it
can be in, and each must keep the promises. A bug is the same model with one rule broken: Spin must
find that the promise named is not kept. --story shows the shortest way to it.

Exit codes: 0 all as it should be; 1 a promise is broken, a bug is not found, or a search was cut
short; 64 usage; 77 spin or gcc is not installed (scripts/setup --test installs them).
"""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WORK = os.path.join(ROOT, "build", "model")
MODEL = os.path.join(HERE, "election.pml")
MEMORY_MB = 6000  # of one search; more is a failure, not a shorter search
COMPILE = ("-w", "-DBFS", "-DSAFETY", "-DNOREDUCE", "-DVECTORSZ=4096",
           f"-DMEMLIM={MEMORY_MB}")
CUT_SHORT = ("max search depth too small", "memory limit", "out of memory", "hash array",
             "VECTORSZ", "aborting", "Warning: Search not completed")


class Config(NamedTuple):
    name: str
    macros: str
    large: bool
    what: str


class Bug(NamedTuple):
    name: str
    config: str  # the macros are this configuration's
    promise: str  # that breaks
    what: str


LEASED = "N=3 TERMS=2 LEASE=2 FIRST_LEADER"
CONFIGS = (
    Config("vote", "N=3 TERMS=3 SLOW_DISK", False,
           "3 voters, 3 terms, disks that are late, crashes"),
    Config("vote_kept", "N=3 TERMS=2 SLOW_DISK KEEP_TOLD HEAL", False,
           "the same in 2 terms: votes told are kept, and a healed group elects"),
    Config("vote_even", "N=4 TERMS=2 HEAL", False, "4 voters, crashes, healing"),
    Config("lease", LEASED + " DRIFT=1", False, "3 voters, clocks that drift, crashes"),
    Config("evidence", LEASED + " DRIFT=0 EVIDENCE", False,
           "true evidence that the leader's process is gone waives its lease"),
    Config("handover", LEASED + " DRIFT=0 HANDOVER", False, "leases that are given up in writing"),
    Config("roster", "N=3 TERMS=2 REGISTER VERSIONS=6 HEAL", False,
           "voters come and go, the leader too, one founds alone"),
    Config("roster_disk", "N=3 TERMS=2 REGISTER VERSIONS=4 SLOW_DISK HEAL", False,
           "the same with disks that are late"),
    Config("roster_grows", "N=3 TERMS=2 REGISTER VERSIONS=4 LEASE=1 DRIFT=0 ONLY_GROWS", False,
           "leases while voters come, from one to three"),
    Config("leaving", "N=3 TERMS=2 REGISTER VERSIONS=4 LEASE=1 DRIFT=0 HANDOVER", False,
           "leases while voters come and go, and a leader that left the roster hands over"),
    Config("caretaker", "N=3 TERMS=2 CARETAKER", False,
           "sides that hear of no leader, and of one again"),
    Config("lease_open", "N=3 TERMS=2 LEASE=2 DRIFT=1", True, "lease, with an open first election"),
    Config("lease_long", "N=3 TERMS=2 LEASE=3 DRIFT=1 FIRST_LEADER", True, "lease, in finer ticks"),
    Config("evidence_drift", LEASED + " DRIFT=1 EVIDENCE", True, "evidence, with drift"),
    Config("handover_drift", LEASED + " DRIFT=1 HANDOVER", True, "handover, with drift"),
    Config("handover_twice", "N=3 TERMS=3 LEASE=1 DRIFT=0 FIRST_LEADER HANDOVER", True,
           "handovers in 3 terms"),
    Config("roster_lease", "N=3 TERMS=2 REGISTER VERSIONS=4 LEASE=2 DRIFT=0", True,
           "leases while voters come and go"),
    Config("roster_terms", "N=3 TERMS=3 REGISTER VERSIONS=6 HEAL", True, "roster, in 3 terms"),
)

KEPT = "a vote that was told is kept"
ONE_MANDATE = "one mandate in a term"
ONE_LEASE = "one lease at a time"
COMMITTED = "nothing committed is lost"
BUGS = (
    Bug("vote_not_durable", "vote_kept", KEPT, "a vote is told before it is on disk"),
    Bug("vote_twice_in_a_term", "vote", ONE_MANDATE, "a voter votes for whoever asks last"),
    Bug("half_is_a_majority", "vote_even", ONE_MANDATE, "2 of 4 votes win"),
    Bug("lease_from_the_time_of_receiving", "lease", ONE_LEASE,
        "the leader counts from the answer, not from its beat"),
    Bug("grant_forgotten_in_a_restart", "lease", ONE_LEASE,
        "a voter that restarts votes at once"),
    Bug("no_margin_for_drift", "lease", ONE_LEASE, "leader and voters count the same time"),
    Bug("evidence_forged", "evidence", ONE_LEASE,
        "evidence of a crash that was none: a limit that election/README.md states, not a bug"),
    Bug("handover_keeps_the_lease", "handover", ONE_LEASE,
        "the leader goes on after its written release"),
    Bug("roster_changed_uncommitted", "roster", COMMITTED,
        "the roster is changed again before the last change is committed"),
    Bug("two_voters_changed_at_once", "roster", COMMITTED, "one comes as all others go"),
    Bug("older_register_elected", "roster", COMMITTED, "voters do not compare registers"),
    Bug("outsider_never_stands", "roster", "a healed group elects",
        "who has a register that does not name it never stands"),
    Bug("register_grants_nothing", "roster_grows", ONE_LEASE, "taking a REGISTER is no grant"),
    Bug("caretaker_leads", "caretaker", "a caretaker is no quorum",
        "a caretaker acts like a leader"),
    Bug("caretaker_follows_anybody", "caretaker", "a side agrees on its caretaker",
        "whoever declares itself is followed, better or not"),
    Bug("caretaker_stays", "caretaker", "a leader ends caretaking",
        "whoever wins goes on as caretaker"),
)


class Outcome(NamedTuple):
    name: str
    kind: str  # configuration or bug
    passed: bool
    result: str
    states: int
    depth: int
    seconds: float
    memory_mb: float


def run(folder, *command):
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def macros_of(item):
    if isinstance(item, Config):
        return item.macros.split()
    return named(CONFIGS, item.config).macros.split() + ["BUG_" + item.name.upper()]


def build(item):
    """The verifier of one configuration or bug, in a folder of its own."""
    folder = os.path.join(WORK, item.name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    defines = ["-D" + macro for macro in macros_of(item)]
    code, text = run(folder, "spin", *defines, "-a", MODEL)
    if code == 0 and os.path.exists(os.path.join(folder, "pan.c")):
        optimize = "-O1" if isinstance(item, Bug) else "-O2"  # a bug is found soon
        code, text = run(folder, "gcc", optimize, *COMPILE, "-o", "pan", "pan.c")
    if code != 0:
        sys.exit(f"model: {item.name} does not build; this is a fault of the model\n{text}")
    return folder


def number(pattern, text):
    found = re.search(pattern, text)
    return float(found.group(1)) if found else 0.0


def story(folder, item):
    """The steps of the shortest way to the broken promise, one a line."""
    trail = os.path.join(folder, os.path.basename(MODEL) + ".trail")
    defines = ["-D" + macro for macro in macros_of(item)]
    _, text = run(folder, "spin", *defines, "-T", "-k", trail, MODEL)
    return [line.strip() for line in text.splitlines()
            if line.strip() and not line.startswith(("spin:", "#processes", "\t\t"))
            and not re.match(r"\s*\d+:\s*proc|.*processes created|\s*\w+\[\d+\] =", line)]


def judge(item, folder, text):
    """Did it end as it should? And in a few words how."""
    broken = number(r"errors: (\d+)", text) > 0
    if "errors:" not in text or (not broken and any(sign in text for sign in CUT_SHORT)):
        return False, "search cut short", []
    steps = story(folder, item) if broken else []
    said = next((line[len("BROKEN: "):] for line in steps if line.startswith("BROKEN: ")), "")
    if isinstance(item, Config):
        return not broken, f"broken: {said or 'see the trail'}" if broken else "kept", steps
    if not broken:
        return False, "NOT FOUND", steps
    return said == item.promise, f"found: {said or 'something else'}", steps


def search(item):
    """Visits all states of one configuration or bug; gives the outcome, and the steps to it."""
    folder = build(item)
    began = time.monotonic()
    _, text = run(folder, "./pan", "-E", "-w24")
    seconds = time.monotonic() - began
    with open(os.path.join(folder, "log"), "w", encoding="utf-8") as log:
        log.write(text)
    passed, result, steps = judge(item, folder, text)
    outcome = Outcome(item.name, "bug" if isinstance(item, Bug) else "configuration", passed, result,
                      int(number(r"(\d+(?:\.\d+)?(?:e\+\d+)?) states, stored", text)),
                      int(number(r"depth reached (\d+)", text)), round(seconds, 2),
                      number(r"([\d.]+)\s+total actual memory usage", text))
    return outcome, steps if passed or steps else text.splitlines()


def check(item):
    print(f"searching {item.name}: {item.what}", flush=True)
    outcome, steps = search(item)
    if isinstance(item, Config) and not outcome.passed:
        print("\n".join(f"  {step}" for step in steps))
    return outcome


def print_table(outcomes):
    print(f"{'':3} {'configuration or bug':40} {'states':>10} {'depth':>6} {'s':>7} {'MB':>7}  "
          "result")
    for one in outcomes:
        print(f"{'ok' if one.passed else '!!':3} {one.name:40} {one.states:>10} {one.depth:>6} "
              f"{one.seconds:>7.1f} {one.memory_mb:>7.0f}  {one.result}")


def tell(bug):
    outcome, steps = search(bug)
    print(f"{bug.name}: {bug.what}\n({' '.join(macros_of(bug))})")
    print("\n".join(f"{at:3}  {step}" for at, step in enumerate(steps, 1)))
    print(outcome.result)
    return 0 if outcome.passed else 1


def named(items, name, kind="configuration or bug"):
    """The one of this name, or the end of the program."""
    for item in items:
        if item.name == name:
            return item
    print(f"model: there is no {kind} {name!r}; scripts/model --list names all", file=sys.stderr)
    sys.exit(64)


def choose(arguments):
    if arguments.only:
        return [named(CONFIGS + BUGS, name) for name in arguments.only.split(",")]
    return [item for item in CONFIGS + BUGS
            if isinstance(item, Bug) or arguments.large or not item.large]


def print_list():
    for item in CONFIGS:
        print(f"configuration {item.name:36} {item.what}{' (--large)' if item.large else ''}")
    for item in BUGS:
        print(f"bug           {item.name:36} {item.what}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, usage=argparse.SUPPRESS,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="name the configurations and the bugs")
    parser.add_argument("--only", metavar="NAME,...", help="these alone")
    parser.add_argument("--large", action="store_true", help="the larger configurations too")
    parser.add_argument("--story", metavar="BUG",
                        help="how this bug breaks its promise, step by step")
    parser.add_argument("--json", metavar="FILE", help="write what the table says to FILE")
    parser.add_argument("--jobs", type=int, default=2, help="searches at once (default 2)")
    parser.error = lambda message: (print(f"model: {message}; see --help", file=sys.stderr),
                                    sys.exit(64))
    return parser.parse_args()


def main():
    arguments = parse()
    if arguments.list:
        print_list()
        return 0
    missing = [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]
    if missing:
        print(f"model: {' and '.join(missing)} not installed; run: scripts/setup --test")
        return 77
    if arguments.story:
        return tell(named(BUGS, arguments.story, "bug"))
    items = choose(arguments)
    with concurrent.futures.ThreadPoolExecutor(max(1, arguments.jobs)) as pool:
        searches = [pool.submit(check, item) for item in items]
        for count, done in enumerate(concurrent.futures.as_completed(searches), 1):
            print(f"{count}/{len(items)} {done.result().name}: {done.result().result}", flush=True)
        outcomes = [done.result() for done in searches]
    print_table(outcomes)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"model": [outcome._asdict() for outcome in outcomes]}, file, indent=1)
    failed = [outcome.name for outcome in outcomes if not outcome.passed]
    if failed:
        print(f"model: {len(failed)} of {len(outcomes)} not as they should be: {', '.join(failed)}; "
              f"look with: scripts/model --only {failed[0]}")
        return 1
    print(f"model: {len(outcomes)} searches, all in full, each as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
