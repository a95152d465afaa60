"""Real agents on localhost for the measurements of this folder: started, asked, killed, frozen, and
gone at the end of the block. Clients wait on each agent's own socket for what they want to see (GET
/v1/wait), so nothing is polled and nothing is guessed."""
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
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FULL = "leader=quorum&voters=5"  # a super-peer with a mandate, and five voters that are alive


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


class Refused(RuntimeError):
    """gridpeer says that what is asked for cannot be had: its own words."""


class Grid:
    """Real agents on localhost, gone at the end of the block."""

    def __init__(self, gridpeer, size):
        self.gridpeer, self.size = gridpeer, size
        self.root = tempfile.mkdtemp(prefix="gridpeer-bench-")

    def command(self, *words):
        out = subprocess.run([self.gridpeer, *words, "--dir", self.root, "--json"],
                             capture_output=True, text=True)
        if out.returncode == 64:
            raise Refused(json.loads(out.stdout)["error"]["detail"])
        if out.returncode != 0:
            raise RuntimeError(f"gridpeer {' '.join(words)}: exit {out.returncode}: "
                               f"{out.stderr.strip()}{out.stdout.strip()}")
        return json.loads(out.stdout)

    def __enter__(self):
        try:
            report = self.command("sim", "up", str(self.size))
            self.agreed_ms = report["agreed_ms"]
            self.agents = {item["name"]: item for item in self.command("sim", "status")["items"]}
        except BaseException:  # also Ctrl-C: there is no __exit__ after this
            self.end()
            raise
        return self

    def __exit__(self, *unused):
        for agent in self.agents.values():
            try:
                os.kill(agent["pid"], signal.SIGCONT)
            except ProcessLookupError:
                pass
        self.end()

    def end(self):
        """Ends what there is of it, even if its start was broken off; Ctrl-C waits for that."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            subprocess.run([self.gridpeer, "sim", "down", "--dir", self.root], capture_output=True)
            shutil.rmtree(self.root, ignore_errors=True)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

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


def bring_up(gridpeer, size, rounds):
    """From the start of the first process until all agree on members and super-peer, ms."""
    values = []
    for _ in range(rounds):
        with Grid(gridpeer, size) as grid:
            values.append(grid.agreed_ms)
    return summary(values, "ms")


def detection(gridpeer, size, number, rounds):
    """From that signal to a member until all others call it unavailable, ms. Never the super-peer;
    several victims of one grid, each known by all before the next, if the grid is large enough."""
    values = []
    while len(values) < rounds:
        with Grid(gridpeer, size) as grid:
            living = list(grid.agents)
            for _ in range(min(rounds - len(values), size // 2 if size >= 10 else 1)):
                # Of those who die here several may vote, and a majority must stay.
                grid.until_all(["n1"], FULL)(time.monotonic())
                leader = grid.leader("n1")
                victim = next(name for name in living if name not in ("n1", leader))
                living.remove(victim)
                finish = grid.until_all(living, f"node={victim}&state=unavailable")
                start = time.monotonic()
                grid.signal(victim, number)
                values.append(finish(start))
                if number == signal.SIGSTOP:
                    living.append(victim)
                    grid.signal(victim, signal.SIGCONT)
                    grid.until_all(living, f"node={victim}&state=alive")(time.monotonic())
    return summary(values, "ms")


def find_ms(agent):
    start = time.monotonic()
    status, answer = ask(agent, "POST", "/v1/find",
                         {"query": "cpu >= 1", "limit": 1, "timeout_ms": 20000})
    took = (time.monotonic() - start) * 1000
    good = status == 200 and not answer["partial"] and answer["items"]
    return took, good, answer


def failover(gridpeer, rounds):
    """From kill -9 of the super-peer to the first find that its successor answers as such."""
    values = []
    for _ in range(rounds):
        with Grid(gridpeer, 9) as grid:
            leader = grid.leader("n1")
            asker = next(name for name in grid.agents if name != leader)
            grid.until_all([asker], "members=9&" + FULL)(time.monotonic())
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


def handover(gridpeer, rounds):
    """The longest time that a find took while the super-peer left in good order."""
    values = []
    for _ in range(rounds):
        with Grid(gridpeer, 9) as grid:
            leader = grid.leader("n1")
            asker = next(name for name in grid.agents if name != leader)
            grid.until_all([asker], "members=9&" + FULL)(time.monotonic())
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
