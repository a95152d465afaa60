#!/usr/bin/env python3
"""Measures what the README says, on this machine, with real agents on localhost.

Usage: tests/bench/figures.py [--gridpeer PATH] [--rounds N] [--only NAME,...] [--json FILE]

Each figure is the median of N rounds (default 10) with its least and greatest value. Clients wait on
each agent's own socket for what they want to see (GET /v1/wait), so nothing is polled and nothing is
guessed. Needs python3 only; the agents run in a directory of their own and are gone afterwards.

Names: up5 up20 up60 kill20 kill60 freeze20 freeze60 failover handover load idle sim demo
(load: ten minutes with the cores kept busy; shorten it with --load-minutes).
"""
import argparse
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(agent, method, path, body=None, timeout=30):
    connection = UnixConnection(agent["state_dir"] + "/api.sock", timeout)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def ask_text(agent, path):
    connection = UnixConnection(agent["state_dir"] + "/api.sock", 30)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


class Grid:
    """Real agents on localhost, gone at the end of the block."""

    def __init__(self, gridpeer, size):
        self.gridpeer, self.size = gridpeer, size
        self.root = tempfile.mkdtemp(prefix="gridpeer-bench-")

    def command(self, *words):
        out = subprocess.run([self.gridpeer, *words, "--dir", self.root, "--json"],
                             capture_output=True, text=True)
        if out.returncode != 0:
            raise RuntimeError(f"gridpeer {' '.join(words)}: exit {out.returncode}: "
                               f"{out.stderr.strip()}{out.stdout.strip()}")
        return json.loads(out.stdout)

    def __enter__(self):
        report = self.command("sim", "up", str(self.size))
        self.agreed_ms = report["agreed_ms"]
        self.agents = {item["name"]: item for item in self.command("sim", "status")["items"]}
        return self

    def __exit__(self, *unused):
        for agent in self.agents.values():
            try:
                os.kill(agent["pid"], signal.SIGCONT)
            except ProcessLookupError:
                pass
        self.command("sim", "down")
        shutil.rmtree(self.root, ignore_errors=True)

    def leader(self, among):
        return ask(self.agents[among], "GET", "/v1/status")[1]["items"][0]["leader"]

    def signal(self, name, number):
        os.kill(self.agents[name]["pid"], number)

    def until_all(self, names, query, limit=30):
        """Starts to wait on all agents; the function that is returned gives their times."""
        times, failures = {}, []
        start = time.monotonic()

        def one(name):
            status, answer = ask(self.agents[name], "GET",
                                 f"/v1/wait?{query}&timeout_ms={limit * 1000}", timeout=limit + 5)
            times[name] = time.monotonic()
            if status != 200:
                failures.append(f"{name}: {answer}")

        threads = [threading.Thread(target=one, args=(name,)) for name in names]
        for thread in threads:
            thread.start()

        def finish(since):
            for thread in threads:
                thread.join()
            if failures:
                raise RuntimeError(failures[0])
            return (max(times.values()) - since) * 1000

        for name in names:  # all have taken the request before anything is killed
            while not self.waits(name) and name not in times:
                if time.monotonic() - start > limit:
                    raise RuntimeError(f"{name} did not take the request")
        return finish

    def waits(self, name):
        """Does that agent hold a client's GET /v1/wait?"""
        text = ask_text(self.agents[name], "/v1/metrics")
        return int(re.search(r"^gridpeer_waiting_clients (\d+)", text, re.M).group(1)) > 0


def summary(values, unit):
    return {"median": round(statistics.median(values), 3), "min": round(min(values), 3),
            "max": round(max(values), 3), "n": len(values), "unit": unit}


def bring_up(options, size):
    values = []
    for _ in range(options.rounds):
        with Grid(options.gridpeer, size) as grid:
            values.append(grid.agreed_ms)
    return summary(values, "ms")


def detection(options, size, number):
    """One grid, several victims: never the super-peer, each known by all before the next."""
    values = []
    with Grid(options.gridpeer, size) as grid:
        leader = grid.leader("n1")
        victims = [name for name in grid.agents if name not in ("n1", leader)][:options.rounds]
        living = list(grid.agents)
        for victim in victims:
            living.remove(victim)
            finish = grid.until_all(living, f"node={victim}&state=unavailable")
            start = time.monotonic()
            grid.signal(victim, number)
            values.append(finish(start))
            if number == signal.SIGSTOP:
                living.append(victim)
                grid.signal(victim, signal.SIGCONT)
                grid.until_all(living, f"node={victim}&state=alive")(time.monotonic())
            # Five voters again: of those who die here several may vote, and a majority must stay.
            grid.until_all(["n1"], "leader=quorum&voters=5")(time.monotonic())
    return summary(values, "ms")


def find_ms(agent):
    start = time.monotonic()
    status, answer = ask(agent, "POST", "/v1/find",
                         {"query": "cpu >= 1", "limit": 1, "timeout_ms": 20000})
    took = (time.monotonic() - start) * 1000
    good = status == 200 and not answer["partial"] and answer["items"]
    return took, good, answer


def failover(options):
    """From kill -9 of the super-peer to the first find that its successor answers as such."""
    values = []
    for _ in range(options.rounds):
        with Grid(options.gridpeer, 9) as grid:
            leader = grid.leader("n1")
            asker = next(name for name in grid.agents if name != leader)
            grid.until_all([asker], "members=9&leader=quorum&voters=5")(time.monotonic())
            start = time.monotonic()
            grid.signal(leader, signal.SIGKILL)
            while True:
                _, good, answer = find_ms(grid.agents[asker])
                if good and answer.get("mandate") == "quorum" and answer["by"] != leader:
                    break
                if time.monotonic() - start > 20:
                    raise RuntimeError(f"no successor: {answer}")
            values.append((time.monotonic() - start) * 1000)
    return summary(values, "ms")


def handover(options):
    """The longest time that a find took while the super-peer left in good order."""
    values = []
    for _ in range(options.rounds):
        with Grid(options.gridpeer, 9) as grid:
            leader = grid.leader("n1")
            asker = next(name for name in grid.agents if name != leader)
            grid.until_all([asker], "members=9&leader=quorum&voters=5")(time.monotonic())
            worst, stopped, end = 0.0, False, time.monotonic() + 1.5
            while time.monotonic() < end:
                if not stopped and time.monotonic() > end - 1.0:
                    grid.signal(leader, signal.SIGTERM)
                    stopped = True
                took, _, _ = find_ms(grid.agents[asker])
                if stopped:
                    worst = max(worst, took)
            values.append(worst)
    return summary(values, "ms")


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


def cpu_ns(pid):
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


def memory_kib(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {key: int(re.search(rf"^{key}:\s+(\d+)", text, re.M).group(1)) for key in ("Rss", "Pss")}


def sent_bytes(pids):
    """Bytes on the wire by process: TCP payload and 52 bytes of headers for each segment."""
    out = subprocess.run(["ss", "-tinpH"], capture_output=True, text=True, check=True).stdout
    totals = dict.fromkeys(pids, 0)
    pid = None
    for line in out.splitlines():
        owner = re.search(r"pid=(\d+)", line)
        if owner:
            pid = int(owner.group(1))
        counters = re.search(r"bytes_sent:(\d+)", line), re.search(r"segs_out:(\d+)", line)
        if pid in totals and counters[1]:
            totals[pid] += int(counters[0].group(1)) if counters[0] else 0
            totals[pid] += 52 * int(counters[1].group(1))
    return totals


def wait_seconds(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(1.0, end - time.monotonic() + 0.001))


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
    "up5": lambda o: bring_up(o, 5),
    "up20": lambda o: bring_up(o, 20),
    "up60": lambda o: bring_up(o, 60),
    "kill20": lambda o: detection(o, 20, signal.SIGKILL),
    "kill60": lambda o: detection(o, 60, signal.SIGKILL),
    "freeze20": lambda o: detection(o, 20, signal.SIGSTOP),
    "freeze60": lambda o: detection(o, 60, signal.SIGSTOP),
    "failover": failover,
    "handover": handover,
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
