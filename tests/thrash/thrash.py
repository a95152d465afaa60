#!/usr/bin/env python3
"""Real agents under real faults, while clients ask all the time; then their history is judged.

Each agent lives in a network namespace of its own, on a bridge of cables that can be made bad, with
a disk of its own. Everything random comes from the seed. Needs root and network namespaces.

Faults: kill stop freeze cut oneway link full disk clock descriptors load
Scenarios (--scenario; instead of the mix of all faults):
  loss     30 % of all packets are lost, all the time
  frozen   a fifth of the machines are frozen for 8 s of every 9 s
  clocks   the clock of one or three machines jumps by a day, every 6 s
  load     four processes a processor spin, all the time

Exit codes: 0 nothing is wrong; 1 something is (it says what, keeps the logs, and prints the command
that plays the same plan again); 64 usage; 77 not possible on this machine, with the reason.

Example: scripts/thrash --minutes 10 --nodes 20 --faults kill,freeze,cut
"""
import argparse
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
import clients  # noqa: E402
import faults  # noqa: E402
import grid as grids  # noqa: E402
import history  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGREE_S = 60     # after the last fault, until all say the same
JOBS_END_S = 60  # and until all jobs have ended
PROGRESS_S = 10


class History:
    """Lines of JSON, written as they come: a run that dies leaves them."""

    def __init__(self, path):
        self.path, self.lock = path, threading.Lock()
        self.file = open(path, "w")

    def write(self, record):
        with self.lock:
            if not self.file.closed:
                self.file.write(json.dumps(record) + "\n")

    def read(self):
        with self.lock:
            self.file.close()
        with open(self.path) as file:
            return [json.loads(line) for line in file]


def say(options, text):
    if not options.quiet:
        print(f"thrash: {text}", file=sys.stderr, flush=True)


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


# ---- a run --------------------------------------------------------------------------------------

def bury(grid, write):
    """An agent that ended though nobody ended it is a fault of its own; it is started again."""
    for machine in grid.machines:
        if machine.wanted and not machine.runs():
            write({"kind": "died", "node": machine.name, "at": time.monotonic(),
                   "exit": machine.process.returncode})
            machine.start()


def suffer(options, grid, nemesis, write):
    began = told = time.monotonic()
    while not nemesis.over():
        nemesis.act()
        bury(grid, write)
        now = time.monotonic()
        if now - told >= PROGRESS_S:
            told = now
            say(options, f"{clock(now - began)} of {clock(options.seconds)}, {nemesis.done} faults "
                         f"are over, now: {nemesis.text()}")
        if now - began > options.seconds + AGREE_S:
            stuck = [record["fault"] for _, record in nemesis.recovering]
            say(options, f"some agents do not come back: {stuck}")
            return
        time.sleep(grids.TICK_S)  # how finely the plan is kept


def all_agree(grid):
    """Who leads, if all say so and see all alive; else None."""
    said = set()
    for machine in grid.machines:
        code, answer = machine.ask("GET", "/v1/status", timeout=1)
        item = answer["items"][0] if code == 200 else {}
        if item.get("mandate") != "quorum" or item["alive"] != grid.size:
            return None
        said.add((item["leader"], item["term"]))
    return said.pop()[0] if len(said) == 1 else None


def heal(grid, write):
    write({"kind": "calm", "at": time.monotonic()})

    def agreed():
        bury(grid, write)
        return all_agree(grid)

    leader = grids.poll(agreed, AGREE_S)
    if leader:
        write({"kind": "agreed", "at": time.monotonic(), "leader": leader})


def jobs_of(machine, limit):
    """Its jobs, when all have ended or the time is up."""
    jobs = None

    def all_ended():
        nonlocal jobs
        code, answer = machine.ask("GET", "/v1/jobs", timeout=5)
        if code != 200:
            return False
        jobs = [{"job": item["job"], "state": item["state"]} for item in answer["items"]]
        return all(job["state"] in history.ENDED for job in jobs)

    grids.poll(all_ended, limit)
    return jobs


def account(grid, marks, write):
    """What the agents and the jobs themselves say in the end; then the agents are stopped."""
    end = time.monotonic() + JOBS_END_S
    for machine in grid.machines:
        jobs = jobs_of(machine, max(1.0, end - time.monotonic()))
        if jobs is not None:
            write({"kind": "listed", "home": machine.name, "at": time.monotonic(), "jobs": jobs})
    ids = {}
    for line in pathlib.Path(marks).read_text().split() if os.path.exists(marks) else []:
        ids[line] = ids.get(line, 0) + 1
    write({"kind": "marks", "ids": ids})
    for machine in grid.machines:
        write({"kind": "stopped", "node": machine.name, "exit": machine.kill(signal.SIGTERM)})


def run(options, grid):
    log = History(f"{grid.root}/history.jsonl")
    log.write({"kind": "run", "seed": options.seed, "scenario": options.scenario,
               "nodes": [machine.name for machine in grid.machines], "agree_s": AGREE_S,
               "faults": sorted({blow.fault for blow in options.plan})})
    stop = threading.Event()
    marks = f"{grid.root}/marks"
    crowd = clients.start(grid, log.write, stop, marks)
    nemesis = faults.Nemesis(grid, options.plan, log.write)
    try:
        suffer(options, grid, nemesis, log.write)
        say(options, f"{nemesis.done} faults are over; do all agree again?")
        heal(grid, log.write)
    finally:
        stop.set()
        nemesis.relief()
    for client in crowd:
        client.join(clients.JOB_LIMIT_S + 10)
    account(grid, marks, log.write)
    return log.read()


# ---- the command --------------------------------------------------------------------------------

def impossible():
    """Why this machine can't do it; None if it can."""
    if os.geteuid() != 0:
        return "it needs root"
    probe = f"gpthrash-probe-{os.getpid()}"
    for words in (["nft", "list", "tables"], ["nsenter", "--version"],
                  ["ip", "netns", "add", probe], ["ip", "netns", "del", probe]):
        try:
            out = subprocess.run(words, capture_output=True, text=True)
        except FileNotFoundError:
            return f"the command {words[0]} is missing"
        if out.returncode != 0:
            return f"{' '.join(words)}: {out.stderr.strip()}"
    if not os.path.exists("/dev/net/tun"):
        return "/dev/net/tun is missing"
    return None


def parse():
    parser = argparse.ArgumentParser(prog="scripts/thrash", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="the same seed makes the same plan; "
                                                 "default: the time")
    parser.add_argument("--minutes", type=float, default=3.0, help="default: 3")
    parser.add_argument("--hours", type=float, help="instead of --minutes")
    parser.add_argument("--nodes", type=int, default=8, help="agents, 3 to 60; default: 8")
    parser.add_argument("--faults", default=",".join(faults.MIXED), metavar="LIST",
                        help="which, with commas; default: all")
    parser.add_argument("--scenario", choices=sorted(faults.SCENARIOS), default="mix")
    parser.add_argument("--gridpeer", default=str(ROOT / "build/gcc/agent/main/gridpeer"),
                        help="the program, in its build directory")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    parser.add_argument("--keep", action="store_true", help="keep the logs also if all is well")
    parser.add_argument("--possible", action="store_true",
                        help="only say whether this machine allows it: exit code 0 or 77")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.error = lambda message: (print(f"thrash: {message}; see scripts/thrash --help",
                                          file=sys.stderr), sys.exit(64))
    options = parser.parse_args()
    options.faults = options.faults.split(",")
    unknown = set(options.faults) - set(faults.MIXED)
    if unknown:
        parser.error(f"no such fault: {' '.join(unknown)}")
    if not 3 <= options.nodes <= 60:
        parser.error("3 to 60 nodes")
    options.seconds = 60 * (options.minutes if options.hours is None else 60 * options.hours)
    options.seed = int(time.time()) if options.seed is None else options.seed
    options.plan = faults.plan(options.scenario, options.seed, options.nodes, options.seconds,
                               options.faults)
    if not options.plan:
        parser.error(f"{clock(options.seconds)} is too short for any fault")
    return options


def replay(options):
    words = ["scripts/thrash", "--seed", options.seed, "--minutes", f"{options.seconds / 60:g}",
             "--nodes", options.nodes]
    if options.scenario != "mix":
        words += ["--scenario", options.scenario]
    elif options.faults != list(faults.MIXED):
        words += ["--faults", ",".join(options.faults)]
    return " ".join(map(str, words))


def report(options, records, root):
    wrong = history.check(records)
    figures = history.summary(records)
    document = {"seed": options.seed, "scenario": options.scenario, "nodes": options.nodes,
                "minutes": round(options.seconds / 60, 3), "wrong": wrong, **figures}
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(figures))
    for fault in wrong[:20]:
        print(f"WRONG: {fault}")
    if wrong:
        print(f"{len(wrong)} things are wrong with seed {options.seed}; history and logs: {root}\n"
              f"the same plan again: {replay(options)}")
    else:
        print(f"nothing is wrong: seed {options.seed}, {options.nodes} agents, "
              f"{clock(options.seconds)}")
    return bool(wrong)


def main():
    options = parse()
    why = impossible()
    if why is not None:
        print(f"thrash: not possible here: {why}", file=sys.stderr)
        return 77
    if options.possible:
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    for root in grids.sweep():
        say(options, f"removed what a run left that died: {root}")
    say(options, f"seed {options.seed}: {options.nodes} agents, {clock(options.seconds)}, "
                 f"scenario {options.scenario}")
    grid, keep = None, options.keep
    try:
        grid = grids.Grid(options)
        grid.up()
        say(options, f"all {options.nodes} agree, in {grid.root}")
        records = run(options, grid)
        failed = report(options, records, grid.root)
        keep = keep or failed
        return int(failed)
    except grids.Trouble as trouble:
        keep = True
        print(f"thrash: {trouble}\nlogs: {grid.root if grid else 'none'}\n"
              f"the same plan again: {replay(options)}", file=sys.stderr)
        return 1
    finally:
        if grid is not None:
            grid.end(keep)


if __name__ == "__main__":
    sys.exit(main())
