#!/usr/bin/env python3
"""Cuts a simulated sub-Grid in two for a long time, heals it, and says how soon all agree again.

Usage: scripts/partition [--lengths 1m,1h,1d,30d] [--nodes N] [--seeds N] [--json FILE]

Each length of time is tried with several splits and seeds. A figure is the time from the moment in
which the links are back until there is one super-peer, everybody follows it, and all tables are equal.
It fails if one takes longer than --most.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STEP_MS = 50


def script(nodes, left, length, seed, most_ms):
    names = [f"n{i + 1}" for i in range(nodes)]
    lines = [f"world nodes={nodes} seed={seed}", "start " + " ".join(names), "run 10s",
             f"cut {' '.join(names[:left])} / {' '.join(names[left:])}", f"run {length}", "heal",
             "----", "", ""]
    for _ in range(0, most_ms, STEP_MS):
        lines += [f"run {STEP_MS}ms", "agree", "----", "", ""]
    return "\n".join(lines) + "\n"


def heal_ms(args, left, length, seed):
    """Milliseconds until all agree; None: not within --most."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(script(args.nodes, left, length, seed, args.most))
        file.flush()
        subprocess.run([args.trace, "--rewrite", file.name], check=True)
        with open(file.name, encoding="utf-8") as told:
            blocks = told.read().split("----\n")[2:]
    agreed = ["\nagreed\n" in "\n" + block for block in blocks]
    if not agreed[-1]:
        return None
    last = max((i for i, good in enumerate(agreed) if not good), default=-1)
    return (last + 2) * STEP_MS


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="example: scripts/partition --lengths 30d --seeds 1")
    parser.add_argument("--trace", default=os.path.join(ROOT, "build/gcc/tests/trace/trace"),
                        help="the player of traces; default build/gcc/tests/trace/trace")
    parser.add_argument("--lengths", default="1m,1h,1d", help="default 1m,1h,1d")
    parser.add_argument("--nodes", type=int, default=5, help="machines; default 5")
    parser.add_argument("--seeds", type=int, default=5, help="for each length and split; default 5")
    parser.add_argument("--most", type=int, default=5000, metavar="MS", help="default 5000")
    parser.add_argument("--json", default="", metavar="FILE", help="write the figures there")
    return parser.parse_args()


def main():
    args = parse()
    results = []
    for length in args.lengths.split(","):
        began = time.monotonic()
        times = []
        for left in range(1, args.nodes // 2 + 1):
            for seed in range(1, args.seeds + 1):
                took = heal_ms(args, left, length, seed)
                times.append(took)
                if took is None:
                    print(f"FAILED {left} of {args.nodes} apart for {length}, seed {seed}: "
                          f"not healed within {args.most} ms")
        good = sorted(took for took in times if took is not None) or [0]
        results.append({"length": length, "runs": len(times), "failed": times.count(None),
                        "median_ms": good[len(good) // 2], "most_ms": good[-1]})
        print(f"{length:6} {len(times)} runs: healed within {good[len(good) // 2]} ms (median), "
              f"{good[-1]} ms (most), in {time.monotonic() - began:.0f} s", flush=True)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    return 1 if any(result["failed"] for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
