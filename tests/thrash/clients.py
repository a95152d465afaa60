"""Clients that ask all the time, and write down what they were told and when."""
import contextlib
import json
import random
import threading
import time

from grid import SILENCE, UnixConnection

# How much the clients ask: their pace, not time for anything to happen.
WATCH_S = 0.4   # between two looks at one agent
FIND_S = 0.2    # between two finds of one client
RUN_S = 0.4     # between two jobs of one client
JOB_LIMIT_S = 30


class Client(threading.Thread):
    """One thread that does `turn` again and again until it is told to stop."""

    def __init__(self, grid, write, stop, pause):
        super().__init__(daemon=True)
        self.grid, self.write, self.stop, self.pause = grid, write, stop, pause

    def run(self):
        while not self.stop.wait(self.pause):
            with contextlib.suppress(*SILENCE):
                self.turn()
        with contextlib.suppress(*SILENCE):
            self.last_words()

    def turn(self):
        raise NotImplementedError

    def last_words(self):
        pass


class Watcher(Client):
    """Who leads, as one agent says; and what is new in its log. Equal answers in a row are written
    as the first and the last of them."""

    def __init__(self, machine, *arguments):
        super().__init__(*arguments, WATCH_S)
        self.machine = machine
        self.said = self.held = None
        self.seq, self.log_start = 0, time.monotonic()

    def turn(self):
        self.look()
        self.read_log()

    def look(self):
        start = time.monotonic()
        code, answer = self.machine.ask("GET", "/v1/status", timeout=3)
        if code != 200:
            return
        item = answer["items"][0]
        record = {"kind": "status", "node": self.machine.name, "start": start,
                  "end": time.monotonic(),
                  **{key: item[key] for key in ("leader", "term", "mandate", "uptime_ms")}}
        key = item["leader"], item["term"], item["mandate"]
        if key == self.said:
            self.held = record
            return
        self.flush()
        self.said = key
        self.write(record)

    def flush(self):
        if self.held is not None:
            self.write(self.held)
            self.held = None

    def read_log(self):
        start = time.monotonic()
        path = f"/v1/activity?after={self.seq}&limit=1000"
        code, answer = self.machine.ask("GET", path, timeout=3)
        if code != 200:
            return
        for item in answer["items"]:
            self.write({"kind": "entry", "node": self.machine.name, "start": self.log_start,
                        "end": time.monotonic(),
                        **{key: item[key] for key in ("seq", "hash", "what", "detail")}})
            self.seq = item["seq"]
        self.log_start = start

    def last_words(self):
        """All of its log once more: what it showed before must still be there."""
        self.flush()
        self.read_log()
        after = 0
        while after < self.seq:
            path = f"/v1/activity?after={after}&limit=1000"
            items = self.machine.ask("GET", path, timeout=10)[1]["items"]
            for item in items:
                self.write({"kind": "again", "node": self.machine.name, "seq": item["seq"],
                            "hash": item["hash"]})
            after = items[-1]["seq"] if items else self.seq


class Finder(Client):
    """Asks one agent after another for machines."""

    def __init__(self, number, *arguments):
        super().__init__(*arguments, FIND_S)
        self.draw = random.Random(f"find {self.grid.seed} {number}")

    def turn(self):
        machine = self.draw.choice(self.grid.machines)
        start = time.monotonic()
        code, answer = machine.ask("POST", "/v1/find", {"query": "cpu >= 1", "limit": 64,
                                                        "timeout_ms": 2000}, timeout=4)
        if code == 200:
            self.write({"kind": "find", "node": machine.name, "start": start,
                        "end": time.monotonic(), "mandate": answer["mandate"],
                        "partial": answer["partial"], "by": answer["by"], "term": answer["term"],
                        "count": len(answer["items"])})


class Runner(Client):
    """Runs jobs that leave a mark: the number of marks is how often a job ran."""

    def __init__(self, number, marks, *arguments):
        super().__init__(*arguments, RUN_S)
        self.draw = random.Random(f"run {self.grid.seed} {number}")
        self.number, self.marks, self.count = number, marks, 0

    def turn(self):
        machine = self.draw.choice(self.grid.machines)
        self.count += 1
        name = f"{self.number}-{self.count}"
        nap = self.draw.choice(("0", "0", "0.1", "1"))  # a longer life meets more faults
        record = {"kind": "job", "id": name, "home": machine.name, "start": time.monotonic(),
                  "job": None, "state": None, "reason": None, "code": None, "on": None}
        script = f"echo {name} >>{self.marks}; sleep {nap}"
        try:
            self.follow(machine, {"args": ["sh", "-c", script], "name": name}, record)
        finally:
            record["end"] = time.monotonic()
            self.write(record)

    def follow(self, machine, body, record):
        connection = UnixConnection(machine.state_dir + "/api.sock", JOB_LIMIT_S)
        try:
            connection.request("POST", "/v1/run", json.dumps(body),
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            while answer.status == 200 and (line := answer.readline()):
                event = json.loads(line)
                if event.get("event") in ("state", "end"):
                    record |= {"job": event["job"] or None, "on": event["node"] or None}
                if event.get("event") == "end":
                    record |= {key: event[key] for key in ("state", "reason", "code")}
        finally:
            connection.close()


def start(grid, write, stop, marks):
    common = grid, write, stop
    clients = [Watcher(machine, *common) for machine in grid.machines]
    clients += [Finder(number, *common) for number in (1, 2)]
    clients += [Runner(number, marks, *common) for number in (1, 2, 3)]
    for client in clients:
        client.start()
    return clients
