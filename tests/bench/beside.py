#!/usr/bin/env python3
"""Measures gridpeer beside serf, etcd and redis-sentinel in one run on this machine.

Usage: scripts/bench [--quick] [--sizes 5,20,60,200] [--plots DIR] [--readme]
       scripts/bench --from DIR/run.json [--plots DIR] [--readme]
       scripts/bench --figures ...        (gridpeer alone: see scripts/bench --figures --help)

Examples:
  scripts/bench                      # all of it, about 25 minutes, into build/bench
  scripts/bench --quick              # the same with few repetitions, to try it
  scripts/bench --readme             # and write tests/bench/plots and the table of README.md
  scripts/bench --from build/bench/run.json --readme    # draw again what was measured

Prints tables; DIR gets run.json with every value, a page and the plots (SVG). The peers are Debian
packages (apt-get install serf etcd-server etcd-client redis-server redis-sentinel) and the scripts
that measure them lie in a folder of their own (--peers, default ../shared/peers beside the
checkout); what is missing is left out, and named. Every part runs in a network namespace of its
own. Let nothing else run meanwhile. Exit code: 0; 1 if a part failed.
"""
import argparse
import datetime
import json
import math
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import report  # noqa: E402
from agents import ROOT, summary  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
COMMITTED = HERE / "plots"
PART_LIMIT_S = 1800
# What a peer is: how it tells its version, the programs that it needs with the packages that have
# them, the script that measures it.
PEERS = {"serf": (["serf", "version"], {"serf": "serf"}, "swarm_bench.py"),
         "etcd": (["etcd", "--version"], {"etcd": "etcd-server", "etcdctl": "etcd-client"},
                  "etcd_failover.py"),
         "redis-sentinel": (["redis-server", "--version"],
                            {"redis-server": "redis-server", "redis-sentinel": "redis-sentinel"},
                            "sentinel_failover.py")}


class Run:
    """One run: its parts one after the other, and what they have found."""

    def __init__(self, options):
        self.options, self.began, self.failed = options, time.monotonic(), False
        self.parts = []  # (name, argv, what takes its answer)
        self.run = {"schema": "gridpeer/bench/v1", "command": command_of(options),
                    "quick": options.quick, "sizes": options.sizes,
                    "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
                    "machine": machine(), "versions": {}, "left_out": [], "figures": {}}

    def put(self, figure, system, size, value):
        if value is not None:
            systems = self.run["figures"].setdefault(figure, {})
            systems.setdefault(system, {})[str(size)] = value

    def leave_out(self, what, why):
        self.run["left_out"].append({"what": what, "why": why})
        print(f"left out: {what}: {why}", flush=True)

    def part(self, name, argv, take):
        self.parts.append((name, argv, take))

    def work(self):
        for index, (name, argv, take) in enumerate(self.parts, 1):
            passed = int(time.monotonic() - self.began)
            print(f"[{index:2}/{len(self.parts)}] {passed // 60:2}:{passed % 60:02}  {name}",
                  flush=True)
            code, out, err = run_alone(argv)
            if code != 0:
                # 64: gridpeer itself says that it cannot be had so (a group that is too large).
                self.failed = self.failed or code != 64
                self.leave_out(name, last_line(err) or f"exit code {code}")
                continue
            try:
                take(json.loads(out))
            except (ValueError, KeyError, TypeError) as error:
                self.failed = True
                self.leave_out(name, f"its answer is not understood: {error!r}")
        self.run["minutes"] = round((time.monotonic() - self.began) / 60, 1)
        return self.run


def run_alone(argv):
    """Runs it in a network namespace of its own; exit code, output, errors. On Ctrl-C it is told so
    and has the time to end what it has started."""
    become = [] if os.geteuid() == 0 else ["-U", "-r"]
    child = subprocess.Popen(["unshare", *become, "-n", "--", "sh", "-c",
                              'ip link set lo up && exec "$@"', "sh", *map(str, argv)],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             start_new_session=True)
    try:
        out, err = child.communicate(timeout=PART_LIMIT_S)
        return child.returncode, out, err
    except (KeyboardInterrupt, subprocess.TimeoutExpired) as stop:
        child.send_signal(signal.SIGINT)
        child.communicate()
        if isinstance(stop, KeyboardInterrupt):
            raise
        return 1, "", f"not done after {PART_LIMIT_S} s"


def command_of(options):
    """What gives these figures again, wherever its files go."""
    words = ["scripts/bench"] + ["--quick"] * options.quick
    if options.sizes != default_sizes(options):
        words += ["--sizes", ",".join(map(str, options.sizes))]
    if options.rounds != default_rounds(options):
        words += ["--rounds", str(options.rounds)]
    return " ".join(words)


def default_sizes(options):
    return [5, 20, 60] if options.quick else [5, 20, 60, 200]


def default_rounds(options):
    return 2 if options.quick else 5


def last_line(text):
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else ""


def machine():
    cpu = next((line.split(":", 1)[1].strip()
                for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1])
    return {"cores": os.cpu_count(), "cpu": cpu, "memory_gib": round(memory / 2**20),
            "kernel": platform.release().split("-")[0]}


def version_of(argv):
    """The first version in what the program says of itself."""
    out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+\.\d+\.\d+[\w.~-]*", out)
    return found.group(0) if found else "of unknown version"


def commit():
    """Which sources were measured."""
    out = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True,
                         text=True)
    return f" ({out.stdout.strip()})" if out.returncode == 0 else ""


def scaled(value, unit, factor, n):
    """A peer's {min, median, max} in our unit; None where it saw nothing."""
    if value is None:
        return None
    return {"median": round(value["median"] * factor, 3), "min": round(value["min"] * factor, 3),
            "max": round(value["max"] * factor, 3), "n": n, "unit": unit}


def one(value, unit):
    return {"median": value, "min": value, "max": value, "n": 1, "unit": unit}


def times_of_idle(options, size):
    """How long agents rest, and how long they are then looked at, in seconds. serf exchanges its
    whole state every 30 s, and above 32 machines less often (memberlist, pushPullScale; the first
    time up to 30 s late): the look is a whole number of intervals, so that it holds as many of them
    as any other."""
    if options.quick:
        return 5, 10
    interval = 30 * (1 if size <= 32 else math.ceil(math.log2(size / 32)) + 1)
    return 30, max(60, interval)


def plan_ours(run, size):
    options = run.options

    def take(answer):
        for figure in ("converge", "kill", "freeze"):
            run.put(figure, "gridpeer", size, answer[figure])
        for figure, value in answer["idle"].items():
            if figure != "seconds":
                run.put(figure, "gridpeer", size, value)
        for clients, value in answer["find"].items():
            run.put(f"find_{clients}", "gridpeer", size, value)
            run.put(f"find_rate_{clients}", "gridpeer", size, one(value["per_s"], "finds/s"))

    settle, idle = times_of_idle(options, size)
    run.part(f"gridpeer, {size} machines",
             [HERE / "ours.py", "--gridpeer", options.gridpeer, "--size", size, "--rounds",
              options.rounds, "--settle", settle, "--idle", idle], take)


def plan_serf(run, size):
    options, started = run.options, {"first": [], "last": []}
    settle, idle = times_of_idle(options, size)
    deaths = min(options.rounds, size - 2)
    script = [sys.executable, options.peers / "swarm_bench.py", "--same-netns", "-n", size]

    def take_start(answer):
        if answer["all_see_all_s"] is None:
            run.leave_out(f"serf, {size} machines, a start", "not all saw all in time")
            return
        for since, figure in (("first", "converge"), ("last", "converge_last")):
            started[since].append(answer["all_see_all_s"][f"since_{since}_start"] * 1000)
            run.put(figure, "serf", size, summary(started[since], "ms"))

    def take_deaths(figure):
        def take(answer):
            take_start(answer)
            run.put(figure, "serf", size, scaled(answer["kill_to_s"]["all"], "ms", 1000,
                                                 answer["kills_seen_by_all"]))
            if answer["kills_seen_by_all"] < answer["kills"]:
                run.leave_out(f"serf, {size} machines, {figure}", "seen by all in "
                              f"{answer['kills_seen_by_all']} of {answer['kills']} rounds")
            if "idle" in answer:
                rest = answer["idle"]
                run.put("cpu", "serf", size, scaled(rest["cpu_percent"], "%", 1, size))
                run.put("rss", "serf", size, scaled(rest["rss_kib"], "MiB", 1 / 1024, size))
                run.put("pss", "serf", size, scaled(rest["pss_kib"], "MiB", 1 / 1024, size))
                run.put("sent", "serf", size, one(rest["sent_bytes_per_s"], "B/s"))
        return take

    run.part(f"serf, {size} machines: idle, kill",
             [*script, "--settle", settle, "--idle", idle, "--kills", deaths], take_deaths("kill"))
    run.part(f"serf, {size} machines: freeze", [*script, "--settle", 0, "--idle", 0, "--kills",
             deaths, "--how", "stop"], take_deaths("freeze"))
    for _ in range(options.rounds - 2):
        run.part(f"serf, {size} machines: start",
                 [*script, "--settle", 0, "--idle", 0, "--kills", 0], take_start)


def plan_failover(run, present):
    options = run.options

    def take_ours(answer):
        run.put("failover", "gridpeer", 9, answer["failover"])
        run.put("handover", "gridpeer", 9, answer["handover"])

    def take_etcd(answer):
        n = answer["rounds"]
        run.put("failover", "etcd", 3, scaled(answer["kill_leader_to_s"]["write"], "ms", 1000, n))
        run.put("memory", "etcd", 3, scaled(answer["idle"]["rss_kib"], "MiB", 1 / 1024, 3))
        run.put("handover", "etcd", 3,
                scaled(answer.get("graceful_move_longest_write_gap_s"), "ms", 1000, n))

    def take_sentinel(answer):
        run.put("failover", "redis-sentinel", 3,
                scaled(answer["kill_primary_to_s"]["write"], "ms", 1000, answer["rounds"]))
        for name, kib in answer["rss_kib"].items():
            run.put("memory", f"redis {name}", 3, one(round(kib / 1024, 3), "MiB"))

    run.part("gridpeer: failover", [HERE / "ours.py", "--gridpeer", options.gridpeer, "--failover",
             "--rounds", options.rounds], take_ours)
    if "etcd" in present:
        run.part("etcd: failover", [sys.executable, options.peers / "etcd_failover.py", "--rounds",
                 options.rounds, "--idle", 5], take_etcd)
    if "redis-sentinel" in present:
        run.part("redis-sentinel: failover", [sys.executable, options.peers /
                 "sentinel_failover.py", "--rounds", options.rounds], take_sentinel)


def plan_signed(run):
    program = pathlib.Path(run.options.gridpeer).resolve().parents[2] / "tests/bench/bench_signed"
    if not program.exists():
        run.leave_out("signed messages", f"not built: ninja -C {program.parents[2].name} "
                      "tests/bench/bench_signed")
        return

    def take(answer):
        for name, key in (("signed", "signed_per_s"), ("verified", "verified_per_s"),
                          ("between", "between_two_per_s")):
            run.put("signed", name, 2, one(answer[key], "messages/s"))

    run.part("gridpeer: signed messages", [program, 20000 if run.options.quick else 200000], take)


def plan(run):
    options, present = run.options, []
    for name, (_, programs, script) in PEERS.items():
        missing = [package for program, package in programs.items() if not shutil.which(program)]
        if not (options.peers / script).exists():
            run.leave_out(name, f"no {script} in {options.peers_told} (--peers DIR)")
        elif missing:
            run.leave_out(name, f"not installed: apt-get install {' '.join(missing)}")
        else:
            present.append(name)
    run.run["versions"]["gridpeer"] = version_of([options.gridpeer, "--version"]) + commit()
    for name in present:
        run.run["versions"][name] = version_of(PEERS[name][0])
    for size in options.sizes:
        plan_ours(run, size)
        if "serf" in present:
            plan_serf(run, size)
    plan_failover(run, present)
    plan_signed(run)


def sizes(text):
    values = sorted({int(word) for word in text.split(",")})
    if not values or values[0] < 5:
        raise argparse.ArgumentTypeError("sizes are 5 or more, as in 5,20,60,200")
    return values


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__,
                                     usage=argparse.SUPPRESS,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 rounds, 10 s of idling, no 200")
    parser.add_argument("--sizes", type=sizes, help="group sizes (5,20,60,200)")
    parser.add_argument("--rounds", type=int, help="repetitions of each event (5)")
    parser.add_argument("--plots", type=pathlib.Path, metavar="DIR", help="(build/bench)")
    parser.add_argument("--readme", action="store_true",
                        help="write tests/bench/plots and the marked section of README.md")
    parser.add_argument("--peers", type=pathlib.Path, metavar="DIR", help="(../shared/peers)")
    parser.add_argument("--from", dest="again", type=pathlib.Path, metavar="FILE",
                        help="measure nothing: draw this run.json")
    parser.add_argument("--gridpeer", default=str(ROOT / "build/release/agent/main/gridpeer"),
                        help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.readme and options.plots:
        parser.error("--readme writes tests/bench/plots: leave --plots out")
    options.plots = options.plots or (COMMITTED if options.readme else ROOT / "build/bench")
    options.sizes = options.sizes or default_sizes(options)
    options.rounds = options.rounds or default_rounds(options)
    if options.rounds < 2:
        parser.error("--rounds: 2 at least")
    options.peers_told = options.peers or "../shared/peers"
    options.peers = (options.peers or ROOT.parent / "shared/peers").resolve()
    return options


def measured(options):
    run = Run(options)
    plan(run)
    print(f"{len(run.parts)} parts", flush=True)
    result = run.work()
    options.plots.mkdir(parents=True, exist_ok=True)
    (options.plots / "run.json").write_text(json.dumps(result, indent=1) + "\n")
    return result, run.failed


def main():
    options = parse()
    result, failed = ((json.loads(options.again.read_text()), False) if options.again
                      else measured(options))
    report.write(result, options.plots)
    if options.again and options.plots / "run.json" != options.again:
        (options.plots / "run.json").write_text(json.dumps(result, indent=1) + "\n")
    print("\n".join(["", *report.pair_table(result), "", *report.single_table(result), "",
                     *report.left_out(result)]))
    if options.readme:
        readme = ROOT / "README.md"
        readme.write_text(report.put_into(readme.read_text(),
                                          report.readme_section(result, "tests/bench/plots")))
    print(f"plots, values and a page: {os.path.relpath(options.plots)}")
    return 1 if failed else 0


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell's job ignores the first
        signal.signal(number, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("bench: stopped; what it had started is gone")
    except (OSError, ValueError) as error:
        sys.exit(f"bench: {error}")
