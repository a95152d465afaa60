#!/usr/bin/env python3
"""Runs the simulator with many seeds and says what they have shown.

Usage: scripts/campaign [--seeds N] [--first S] [--demand N] [--json FILE]

Each seed draws the size of its grid, how long it runs, and all that goes wrong in it. A campaign fails
if a seed violates an invariant or does not heal, if one of those that run twice gives two traces, or
if a kind of fault, a transition or an error of the census was seen less than --demand times: what
never happens is not tested. A failure prints the command that replays it.

Interrupted (SIGINT, SIGTERM) it reports what has run so far, and fails.

With --storm, nothing goes wrong but what a lease has to withstand, several times a second, and nothing
is demanded to be seen: that no two valid leases, no two mandates in one term and no stale act came of it.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FAILURES_MAX = 10
# Machines, machines in a sub-Grid, hours: small groups for their many elections, large ones for
# their many members, long ones for what comes seldom.
SHAPES = ((2, 2, 1), (3, 3, 1), (4, 4, 1), (5, 5, 2), (7, 7, 1), (12, 12, 1), (24, 12, 1),
          (24, 24, 0.5), (60, 12, 0.5), (60, 60, 0.5), (64, 64, 0.5), (100, 25, 0.5),
          (200, 12, 0.25))


# Groups above the sub-Grid span wide areas: the same cores with all of their times multiplied. Such
# a world runs so many times as long, and then as much happens in it.
SLOW = (1, 1, 1, 2, 4, 8, 8, 8)

# One seed of so many is a storm: terms that rise above the leader's are hardly seen elsewhere.
STORMY = 8

# And of a storm, which one majority after the other has to withstand.
STORM_SHAPES = ((2, 2, 1), (3, 3, 2), (4, 4, 1), (5, 5, 2), (7, 7, 1), (15, 5, 0.5), (20, 20, 0.25))
STORM = ("cut", "cut_one_way", "pause", "clock")


def command(args, seed):
    storm = args.storm or seed % STORMY == 0
    draw = random.Random(seed)
    nodes, group, hours = draw.choice(STORM_SHAPES if storm else SHAPES)
    slow = draw.choice(SLOW)
    return [args.gridpeer, "sim", "run", "--nodes", str(nodes), "--group-size", str(group),
            "--hours", f"{hours * args.times * slow:g}", "--seed", str(seed),
            "--slow", str(slow)] + ["--storm"] * storm


def simulate(words, limit_s=None):
    """What a `sim run` reports; "failed" in it, or alone, says what is wrong."""
    done = subprocess.run(words + ["--json"], capture_output=True, text=True, timeout=limit_s)
    try:
        item = json.loads(done.stdout)["items"][0]
    except (ValueError, KeyError, IndexError):
        lines = done.stderr.strip().splitlines()
        return {"failed": lines[-1] if lines else f"exit code {done.returncode}"}
    if item["violations"] or done.returncode != 0:
        item["failed"] = "; ".join(item["violations"]) or f"exit code {done.returncode}"
    return item


def run(args, seed):
    words = command(args, seed)
    item = simulate(words)
    if "failed" not in item and args.twice and (seed - args.first) % args.twice == 0:
        if simulate(words).get("trace_hash") != item["trace_hash"]:
            item["failed"] = "the same seed gave two traces"
        item["twice"] = True
    return item


class Campaign:
    """What all seeds together have shown."""

    def __init__(self):
        self.seeds = 0
        self.twice = 0
        self.node_hours = collections.Counter()  # by how many times as slow the groups are
        self.events = 0
        self.failures = []
        self.healed_ms = []  # and the seed that took so long
        self.faults = collections.Counter()
        self.census = collections.Counter()

    def add(self, seed, words, item):
        self.seeds += 1
        if "failed" in item:
            self.failures.append({"seed": seed, "found": item["failed"],
                                  "replay": " ".join(words)})
            print(f"FAILED seed {seed}: {item['failed']}\n  replay: {' '.join(words)} --story FILE",
                  flush=True)
        if "census" in item:
            self.twice += 1 if item.get("twice") else 0
            slow = int(words[words.index("--slow") + 1])
            self.node_hours[slow] += item["nodes"] * item["duration_ms"] / 3.6e6
            self.events += item["events"]
            self.healed_ms.append((item["healed_ms"], seed))
            self.faults.update(item["faults"])
            self.census.update(item["census"])

    def seldom(self, demand):
        rows = list(self.faults.items()) + list(self.census.items())
        return {name: seen for name, seen in rows if seen < demand}


def processor_seconds():
    """Of all simulators that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def report(campaign, args, seconds):
    healed = sorted(campaign.healed_ms) or [(0, 0)]
    median, (most, slowest) = healed[len(healed) // 2][0], healed[-1]
    seldom = campaign.seldom(args.demand)
    print(f"{campaign.seeds} seeds, {campaign.twice} of them twice, "
          f"{sum(campaign.node_hours.values()):.0f} machine hours, {campaign.events} events in "
          f"{seconds:.0f} s ({processor_seconds():.0f} s of processors)")
    print("  of them " + ", ".join(
        f"{hours:.0f} with times of a sub-Grid" if slow == 1 else f"{hours:.0f} {slow} times as slow"
        for slow, hours in sorted(campaign.node_hours.items())))
    print(f"healed within {median} ms (median), {most} ms (most, seed {slowest})")
    width = max((len(name) for name in list(campaign.faults) + list(campaign.census)), default=1)
    if args.all or args.json == "":
        for title, rows in (("fault", campaign.faults), ("seen", campaign.census)):
            for name, seen in rows.items():
                if args.all or name in seldom:
                    print(f"{title:6} {name:{width}} {seen}{'  SELDOM' if name in seldom else ''}")
    if args.storm:
        both, one_way, frozen, clocks = (campaign.faults[name] for name in STORM)
        print(f"{both} partitions, {one_way} in one direction, {frozen} freezes, {clocks} clock rates: "
              f"{both + one_way + frozen + clocks} in all")
    else:
        print(f"{len(campaign.faults) + len(campaign.census) - len(seldom)} of "
              f"{len(campaign.faults) + len(campaign.census)} kinds of faults, transitions and "
              f"errors were seen {args.demand} times or more")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({"seeds": campaign.seeds, "twice": campaign.twice,
                       "node_hours": round(sum(campaign.node_hours.values()), 1),
                       "node_hours_by_slowness": {slow: round(hours, 1) for slow, hours
                                                  in sorted(campaign.node_hours.items())},
                       "events": campaign.events,
                       "processor_seconds": round(processor_seconds(), 1),
                       "seconds": round(seconds, 1), "healed_ms_median": median,
                       "healed_ms_max": most, "healed_slowest": slowest,
                       "faults": campaign.faults, "census": campaign.census, "seldom": seldom,
                       "failures": campaign.failures}, file, indent=1)


def parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: scripts/campaign --seeds 20000 --json campaign.json")
    parser.add_argument("--gridpeer", default=os.path.join(ROOT, "build/gcc/agent/main/gridpeer"),
                        help="the program; default build/gcc/agent/main/gridpeer")
    parser.add_argument("--first", type=int, default=1, help="the first seed; default 1")
    parser.add_argument("--seeds", type=int, default=500, help="how many; default 500")
    parser.add_argument("--times", type=float, default=1, metavar="X",
                        help="each runs X times as long")
    parser.add_argument("--storm", action="store_true",
                        help="partitions, freezes and clock rates alone, several a second; no "
                        "demand")
    parser.add_argument("--twice", type=int, default=25, metavar="N",
                        help="each Nth seed runs twice, 0: none; default 25")
    parser.add_argument("--demand", type=int, default=100, metavar="N",
                        help="each row is to be seen so often; default 100")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at a time")
    parser.add_argument("--all", action="store_true",
                        help="print each row, not only what is seldom")
    parser.add_argument("--json", default="", metavar="FILE", help="write the report there")
    args = parser.parse_args()
    if args.storm:
        args.demand = 0
    return args


def results(args, pool):
    """Seeds and what came of them, in order; some are always under way."""
    seeds = iter(range(args.first, args.first + args.seeds))
    pending = collections.deque()
    for seed in seeds:
        pending.append((seed, pool.submit(run, args, seed)))
        if len(pending) >= 8 * args.jobs:
            seed, future = pending.popleft()
            yield seed, future.result()
    for seed, future in pending:
        yield seed, future.result()


def tell_progress(args, campaign):
    if sys.stderr.isatty() and campaign.seeds % 16 == 0:
        print(f"\r  {campaign.seeds} of {args.seeds} seeds, "
              f"{sum(campaign.node_hours.values()):.0f} machine hours ", end="", file=sys.stderr)


def interrupt(*_):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # once is enough
    raise KeyboardInterrupt


def main():
    args = parse()
    campaign = Campaign()
    began = time.monotonic()
    complete = True
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        try:
            for seed, item in results(args, pool):
                campaign.add(seed, command(args, seed), item)
                tell_progress(args, campaign)
                if len(campaign.failures) >= FAILURES_MAX:
                    print(f"{FAILURES_MAX} failures: given up")
                    complete = False
                    break
        except KeyboardInterrupt:
            complete = False
            print(f"interrupted after seed {args.first + campaign.seeds - 1}")
        pool.shutdown(wait=False, cancel_futures=True)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    report(campaign, args, time.monotonic() - began)
    return 0 if complete and not campaign.failures and not campaign.seldom(args.demand) else 1


if __name__ == "__main__":
    sys.exit(main())
