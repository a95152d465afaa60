#!/usr/bin/env python3
"""Measures what the README says, on this machine, with real agents on localhost.

Usage: scripts/bench --figures [--gridpeer PATH] [--rounds N] [--only NAME,...] [--json FILE]

Each figure is the median of N rounds (default 10) with its least and greatest value. Clients wait on
each agent's own socket for what they want to see (GET /v1/wait), so nothing is polled and nothing is
guessed. Needs python3 only; the agents run in a directory of their own and are gone afterwards.

Names: up5 up20 up60 kill20 kill60 freeze20 freeze60 failover handover load idle sim demo
(load: ten minutes with the cores kept busy; shorten it with --load-minutes).
"""
import argparse
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from agents import (ROOT, Grid, ask, bring_up, cpu_ns, detection, failover,  # noqa: E402
                    handover, memory_kib, sent_bytes, summary, wait_seconds)


def under_load(options):
    """Live machines called unavailable, while four processes spin on two cores."""
    spinners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        with Grid(options.gridpeer, 20) as grid:
            end = time.monotonic() + options.load_minutes * 60
            wrong = 0
            while time.monotonic() < end:
                status, _ = ask(grid.agents["n1"], "GET",
                                "/v1/wait?any=unavailable&timeout_ms=20000", timeout=60)
                wrong += status == 200
            logs = sum(count_verdicts(agent) for agent in grid.agents.values())
        return {"median": wrong, "min": 0, "max": max(wrong, logs), "n": 1, "unit": "verdicts",
                "minutes": options.load_minutes}
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def count_verdicts(agent):
    _, answer = ask(agent, "GET", "/v1/activity?limit=1000")
    return sum(1 for item in answer["items"] if " is unavailable" in item["detail"])


def idle(options):
    """Sixty agents that have nothing to do, looked at for a minute after half a minute of rest."""
    with Grid(options.gridpeer, 60) as grid:
        wait_seconds(30)
        pids = {name: agent["pid"] for name, agent in grid.agents.items()}
        _, status = ask(grid.agents["n1"], "GET", "/v1/status")
        voters = set(status["items"][0]["voters"])
        before_cpu = {name: cpu_ns(pid) for name, pid in pids.items()}
        before_sent = sent_bytes(pids.values())
        start = time.monotonic()
        wait_seconds(60)
        passed = time.monotonic() - start
        after_sent = sent_bytes(pids.values())
        percent = {name: (cpu_ns(pid) - before_cpu[name]) / passed / 1e7
                   for name, pid in pids.items()}
        memory = {name: memory_kib(pid) for name, pid in pids.items()}
        rate = {name: (after_sent[pid] - before_sent[pid]) / passed for name, pid in pids.items()}
        plain = [name for name in pids if name not in voters]
        leader = grid.leader("n1")
        return {
            "rss": summary([m["Rss"] / 1024 for m in memory.values()], "MiB"),
            "pss": summary([m["Pss"] / 1024 for m in memory.values()], "MiB"),
            "cpu": summary(list(percent.values()), "% of a core"),
            "cpu_super_peer": summary([percent[leader]], "% of a core"),
            "sent_member": summary([rate[name] for name in plain], "bytes/s"),
            "sent_super_peer": summary([rate[leader]], "bytes/s"),
        }


def simulator(options):
    values, hashes = [], set()
    for _ in range(2):
        start = time.monotonic()
        out = subprocess.run([options.gridpeer, "sim", "run", "--nodes", "1000", "--hours", "1",
                              "--seed", "42", "--json"], capture_output=True, text=True, check=True)
        values.append(time.monotonic() - start)
        hashes.add(json.loads(out.stdout)["items"][0]["trace_hash"])
    result = summary(values, "s")
    result["same_hash"] = len(hashes) == 1
    return result


def demo(options):
    """From a clone of this repository (its last commit) to the end of scripts/demo."""
    values = []
    for _ in range(options.rounds):
        root = tempfile.mkdtemp(prefix="gridpeer-bench-")
        try:
            start = time.monotonic()
            subprocess.run(["git", "clone", "--quiet", str(ROOT), root + "/clone"], check=True)
            subprocess.run([root + "/clone/scripts/demo"], check=True, stdout=subprocess.DEVNULL)
            values.append(time.monotonic() - start)
        finally:
            shutil.rmtree(root, ignore_errors=True)
    return summary(values, "s")


FIGURES = {
    "up5": lambda o: bring_up(o.gridpeer, 5, o.rounds),
    "up20": lambda o: bring_up(o.gridpeer, 20, o.rounds),
    "up60": lambda o: bring_up(o.gridpeer, 60, o.rounds),
    "kill20": lambda o: detection(o.gridpeer, 20, signal.SIGKILL, o.rounds),
    "kill60": lambda o: detection(o.gridpeer, 60, signal.SIGKILL, o.rounds),
    "freeze20": lambda o: detection(o.gridpeer, 20, signal.SIGSTOP, o.rounds),
    "freeze60": lambda o: detection(o.gridpeer, 60, signal.SIGSTOP, o.rounds),
    "failover": lambda o: failover(o.gridpeer, o.rounds),
    "handover": lambda o: handover(o.gridpeer, o.rounds),
    "load": under_load,
    "idle": idle,
    "sim": simulator,
    "demo": demo,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gridpeer", default=str(ROOT / "build/gcc/agent/main/gridpeer"))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--load-minutes", type=float, default=10)
    parser.add_argument("--only", default=",".join(FIGURES))
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    results = {}
    for name in options.only.split(","):
        try:
            results[name] = FIGURES[name](options)
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            results[name] = {"error": str(error)}
        print(f"{name:10} {json.dumps(results[name])}", flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=2) + "\n")
    return 1 if any("error" in result for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
