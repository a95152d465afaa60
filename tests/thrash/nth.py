#!/usr/bin/env python3
"""Fail the n-th: one call of one kind fails, then the next one, until a whole life passes clean.

A machine joins a grid of one, starts, runs a job and stops, with inject.c before libc. In life n the
n-th fsync (write, send, malloc) fails, once. What is judged, at each n: every command ends with a
documented exit code, before its timeout if the end of the job cannot be recorded any more; a machine
whose disk is given up says so, and the others do; who could not join left nothing behind (but an unfinished directory,
if its process was ended); and when the same machine is started again on a disk that is well, it is who it
was and knows each job that was acknowledged, and none ran twice. It is over when fewer calls are made than
n. A malloc that fails may end the agent (its libraries abort, and a crash is what the disk is made
for), but may lose nothing.

Usage: tests/thrash/nth.py [--kinds LIST] [--most N] [--stride N] [--gridpeer PATH] [--keep]
Example: tests/thrash/nth.py --kinds sync,write
"""
import argparse
import contextlib
import errno
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from inject import Inject  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
# And the error of the call that fails.
KINDS = {"sync": errno.EIO, "write": errno.EIO, "send": errno.ECONNRESET, "malloc": errno.ENOMEM}
CODES = {0, 1, 2, 3, 4, 5, 6, 64, 69, 77}  # the documented ones
LIMIT_S = 30
LIVES_A_GRID = 40
LOCAL = "tcp://127.0.0.1:0"


class Wrong(Exception):
    """What the agent must never do."""


class Lives:
    def __init__(self, options):
        self.gridpeer = pathlib.Path(options.gridpeer).resolve()
        self.library = self.gridpeer.parents[2] / "tests/thrash/libinject.so"
        self.root = tempfile.mkdtemp(prefix="gridpeer-nth.")
        self.dir, self.marks = f"{self.root}/b", f"{self.root}/marks"
        device = os.stat(self.root).st_dev
        self.inject = Inject(f"{self.root}/inject", device, 1)
        self.founder = {"PATH": os.environ["PATH"], "GRIDPEER_DIR": f"{self.root}/a"}
        self.well = {"PATH": os.environ["PATH"], "GRIDPEER_DIR": self.dir}
        self.hurt = {**self.well, **self.inject.environment(self.library)}
        self.agent, self.said, self.aborted, self.lives, self.died = None, [], 0, 0, False
        self.unrecorded = 0

    def found(self):
        """A grid of one; a new one now and then, as those who fail to join are remembered there."""
        self.unfound()
        self.good(self.founder, "init", "lab", "--name", "a", "--listen", LOCAL)

    def unfound(self):
        subprocess.run([str(self.gridpeer), "stop"], env=self.founder, capture_output=True)
        shutil.rmtree(f"{self.root}/a", ignore_errors=True)

    def command(self, environment, *words):
        out = subprocess.run([str(self.gridpeer), *words], env=environment, capture_output=True,
                             text=True, timeout=LIMIT_S)
        self.said.append(f"{words[0]}: {out.returncode} {out.stderr.strip()[:300]}")
        return out

    def good(self, environment, *words):
        out = self.command(environment, *words)
        if out.returncode != 0:
            raise Wrong(f"gridpeer {words[0]} on a machine that is well: {out.returncode} "
                        f"{out.stderr.strip()}")
        return out.stdout.strip()

    def tried(self, kind, *words):
        """A command that may fail, but only as documented."""
        out = self.command(self.hurt, *words)
        self.died = out.returncode < 0 and kind == "malloc"
        self.aborted += self.died
        if out.returncode not in CODES and not self.died:
            raise Wrong(f"gridpeer {words[0]} ends with {out.returncode}: {out.stderr.strip()}")
        return out

    def start(self, environment):
        with open(f"{self.root}/agent.log", "ab") as log:
            self.agent = subprocess.Popen([str(self.gridpeer), "agent"], env=environment,
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def answers(self, environment):
        """Waits until the agent answers; False: it has ended instead."""
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            if self.agent.poll() is not None:
                return False
            if self.command(environment, "status", "--json").returncode in (0, 2, 3, 4):
                return True
            self.said.pop()
        raise Wrong("the agent neither answers nor ends")

    def end(self, kind=None):
        if self.agent is None:
            return
        self.agent.send_signal(signal.SIGTERM)
        code = self.agent.wait(LIMIT_S)
        self.agent = None
        died = code < 0 and kind == "malloc"
        self.aborted += died
        if code not in CODES and not died:
            raise Wrong(f"the agent ends with {code}")

    def live(self, kind, n, token):
        """One life with one fault; gives what was acknowledged: (it is a member, its jobs)."""
        self.inject.set(nth=0)
        base = self.inject.calls(kind)
        self.inject.fail_nth(kind, n, KINDS[kind])
        name = f"b{self.lives}"
        joined = self.tried(kind, "join", "lab", "--token", token, "--name", name, "--listen", LOCAL,
                            "--no-start").returncode == 0
        jobs = []
        if joined:
            self.start(self.hurt)
            if self.answers(self.well):
                mark = f"{kind}-{n}"
                out = self.tried(kind, "run", "--json", "--timeout", "10s", "--on", name, "--",
                                 "sh", "-c", f"echo {mark} >>{self.marks}")
                jobs = self.acknowledged(mark, out.stdout)
                self.judge_disk(out)
            self.end(kind)
        self.inject.set(nth=0)
        return joined, jobs, self.inject.calls(kind) - base

    def judge_disk(self, run):
        """Whoever cannot record an end any more is not well, and says so itself."""
        if "cannot record how" not in run.stderr:
            return
        self.unrecorded += 1
        out = self.command(self.well, "status")
        if out.returncode != 3 or "nothing can be recorded here" not in out.stdout:
            raise Wrong(f"its disk is given up, and its status is {out.returncode}: {out.stdout}")
        end, told = time.monotonic() + LIMIT_S, False
        while not told:
            out = self.command(self.founder, "node", "list", "--json")  # 4: it heard of nobody yet
            items = json.loads(out.stdout)["items"] if out.returncode in (0, 4) else []
            told = any("its disk refuses records" in item["why"] for item in items)
            if not told and time.monotonic() > end:
                raise Wrong("its disk is given up, and the others do not know")
            self.said.pop()

    def acknowledged(self, name, text):
        last = {}
        for line in text.splitlines():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if event.get("event") in ("state", "end"):
                    last = event
        return [(name, last["job"], last["event"] == "end" and last["state"] == "done")] \
            if last.get("job") else []

    def judge(self, joined, jobs):
        """The same machine, on a disk that is well."""
        if not joined:
            left = list(pathlib.Path(self.dir).iterdir()) if os.path.isdir(self.dir) else []
            # Who was ended amid a join, as by SIGKILL, could not remove what was not finished.
            if left and (not self.died or any(path.name[0] != "." for path in left)):
                raise Wrong(f"it could not join, and left {left}")
            return
        self.start(self.well)
        if not self.answers(self.well):
            raise Wrong("it does not start again")
        listed = {item["job"]: item for item in
                  json.loads(self.good(self.well, "ps", "--json"))["items"]}
        marks = pathlib.Path(self.marks).read_text().split() if os.path.exists(self.marks) else []
        for name, job, done in jobs:
            if job not in listed:
                raise Wrong(f"job {job} was acknowledged and is lost")
            if done and marks.count(name) != 1:
                raise Wrong(f"job {job} is done and ran {marks.count(name)} times")
        if len(marks) != len(set(marks)):
            raise Wrong("a job ran twice")
        self.good(self.well, "leave")
        self.agent.wait(LIMIT_S)
        self.agent = None

    def one(self, kind, n):
        self.said.clear()
        if self.lives % LIVES_A_GRID == 0:
            self.found()
        self.lives += 1
        token = self.good(self.founder, "invite").rpartition(" ")[2]
        before = self.inject.done(kind)
        joined, jobs, calls = self.live(kind, n, token)
        hit = self.inject.done(kind) - before
        self.judge(joined, jobs)
        shutil.rmtree(self.dir, ignore_errors=True)
        return calls, hit

    def all_of(self, kind, options):
        """Every n until none is hit any more; gives how many lives there were and how many calls."""
        n, lives, calls, missed = options.first, 0, 0, 0
        self.unrecorded = 0
        while n <= options.most and missed < 3:
            calls, hit = self.one(kind, n)
            if calls == 0:
                raise Wrong(f"no {kind} was seen: {self.library} is not there, or does nothing")
            lives += 1
            if options.verbose:
                print(f"{kind} {n}: {'; '.join(self.said)}", flush=True)
            missed = 0 if hit else missed + 1
            n += options.stride
        to_the_end = missed >= 3
        if kind == "write" and options.stride == 1 and to_the_end and self.unrecorded == 0:
            raise Wrong("no write of a job's end was among those that failed")
        return {"lives": lives, "calls": calls, "unrecorded": self.unrecorded,
                "to_the_end": to_the_end}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--first", type=int, default=1, help="the first n; default: 1")
    parser.add_argument("--most", type=int, default=100000, help="the last n; default: to the end")
    parser.add_argument("--stride", type=int, default=1, help="only every so many; default: 1")
    parser.add_argument("--gridpeer", default=str(ROOT / "build/gcc/agent/main/gridpeer"))
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="what each command said")
    options = parser.parse_args()
    options.kinds = options.kinds.split(",")
    unknown = set(options.kinds) - set(KINDS)
    if unknown:
        parser.error(f"no such kind: {' '.join(unknown)}; there are {' '.join(KINDS)}")
    lives, failed = Lives(options), 0
    try:
        for kind in options.kinds:
            began, lives.aborted = time.monotonic(), 0
            try:
                figures = lives.all_of(kind, options)
                print(f"ok {kind}: {json.dumps(figures)}, {lives.aborted} ended by the fault, "
                      f"{time.monotonic() - began:.0f} s", flush=True)
            except (Wrong, subprocess.TimeoutExpired) as wrong:
                failed = 1
                print(f"not ok {kind}: {wrong}\n  " + "\n  ".join(lives.said), flush=True)
                break
    finally:
        if lives.agent is not None:
            lives.agent.kill()
            lives.agent.wait()
        lives.unfound()
        if not options.keep and not failed:
            shutil.rmtree(lives.root, ignore_errors=True)
        else:
            print(f"kept: {lives.root}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
