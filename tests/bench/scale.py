#!/usr/bin/env python3
"""A simulated grid of 100 to 100,000 machines: memory, time, and what each sends and takes.

  scripts/bench --scale             the table, on standard output (the greatest takes 10 minutes)
  scripts/bench --scale --readme    the same, and tests/bench/plots/scale.{json,md,svg}
  scripts/bench --scale --from FILE the same values, told again"""
import argparse
import json
import pathlib
import subprocess
import sys

import plot

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLOTS = ROOT / "tests/bench/plots"
# regions, sub-Grids of each, machines of each
SHAPES = {100: (1, 2, 50), 1000: (2, 10, 50), 10000: (20, 10, 50), 100000: (50, 40, 50)}
AWAKE_MOST = 10000  # without rest, a machine takes 200 KiB
ROLES = (("member", "plain member"), ("super_peer", "super-peer"), ("region_peer", "region peer"))


def command(program, nodes, rests, minutes):
    regions, subgrids, size = SHAPES[nodes]
    words = [program, "--regions", regions, "--subgrids", subgrids, "--size", size, "--minutes",
             minutes, "--start", max(10, nodes // 66)]
    words += ["--rest", 5, "--churn", 10] if rests else []
    return [str(word) for word in words]


def measured(program, minutes):
    for rests in (False, True):
        for nodes in SHAPES:
            if rests or nodes <= AWAKE_MOST:
                words = command(program, nodes, rests, minutes if rests else 5)
                print(" ".join(words), file=sys.stderr, flush=True)
                done = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True)
                yield json.loads(done.stdout)


def cell(run, role):
    if role not in run:
        return "-"
    of = run[role]
    return (f"{of['messages_s'] + of['above_messages_s']:.2f} messages/s, "
            f"{of['bytes_s'] + of['above_bytes_s']:,.0f} B/s")


def told(run):
    kind = "rest, 10 % churn" if run["rest_s"] else "all awake, calm"
    share = run["rested_hours"] / run["machine_hours"]
    return (f"| {run['nodes']:,} | {kind} | {run['minutes']} min | {run['cpu_s']:,.1f} s "
            f"| {run['events']:,} | {100 * share:.1f} % | {run['peak_kib_node']:.1f} KiB | "
            + " | ".join(cell(run, role) for role, _ in ROLES) + " |")


def table(runs):
    head = ["machines", "", "grid time", "CPU", "events", "rested", "memory a machine, peak"]
    head += [name for _, name in ROLES]
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
                     + [told(run) for run in runs]) + "\n"


def drawn(runs):
    series = []
    for index, (role, name) in enumerate(ROLES):
        of = [(run["nodes"], run[role]) for run in runs if run["rest_s"] and role in run]
        values = [plot.Value(nodes, sent, sent, sent)
                  for nodes, sent in ((n, r["bytes_s"] + r["above_bytes_s"]) for n, r in of)]
        series.append(plot.Series(name, index, values))
    chart = plot.Chart("What a machine sends and takes", "simulated grids, 10 % churn an hour",
                       "bytes", "B/s",
                       ["Median of those whose sub-Grid did not always rest. Within the sub-Grid: "
                        "a second that was simulated event by event; above: any second."],
                       "machines of the grid")
    return plot.lines(chart, series)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "build/release/tests/bench/bench_scale")
    parser.add_argument("--minutes", type=int, default=60, help="of grid time, those with churn")
    parser.add_argument("--from", dest="source", help="values of an earlier run")
    parser.add_argument("--readme", action="store_true")
    args = parser.parse_args()
    if args.source:
        runs = json.loads(pathlib.Path(args.source).read_text(encoding="utf-8"))
    else:
        runs = list(measured(args.program, args.minutes))
    print(table(runs))
    if args.readme:
        (PLOTS / "scale.json").write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
        (PLOTS / "scale.md").write_text(table(runs) + "\n![bytes a second](scale.svg)\n",
                                        encoding="utf-8")
        (PLOTS / "scale.svg").write_text(drawn(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
