#!/usr/bin/env python3
"""Measures gridpeer for scripts/bench as the peers' scripts measure theirs; prints one JSON object.

Usage: tests/bench/ours.py --size N [--rounds N] [--settle S] [--idle S] [--gridpeer PATH]
       tests/bench/ours.py --failover [--rounds N]

With --size: bring-up, detection (kill and freeze), idle agents and finds of a grid of N agents.
With --failover: kill -9 and orderly stop of the super-peer of nine. Exit code 64: gridpeer refuses
a grid of that size. The bytes are those of lo, so this runs in a network
namespace of its own (beside.py makes it); alone: unshare -n sh -c 'ip link set lo up; exec "$@"' -
tests/bench/ours.py --size 20.
"""
import argparse
import json
import multiprocessing
import pathlib
import signal
import socket
import statistics
import sys
import time

sys.dont_write_bytecode = True
from agents import (FULL, ROOT, Grid, Refused, bring_up, cpu_ns, detection,  # noqa: E402
                    failover, handover, memory_kib, sent_bytes, summary, wait_seconds)

REFILL_S = 4  # a receiver lets 8,000 messages of one sender in at once, and 2,000 a second (gate.h)
QUESTION = json.dumps({"query": "cpu >= 1", "limit": 1, "timeout_ms": 20000}).encode()
REQUEST = (b"POST /v1/find HTTP/1.1\r\nHost: gridpeer\r\nContent-Type: application/json\r\n"
           b"Content-Length: %d\r\n\r\n" % len(QUESTION)) + QUESTION


def lo_bytes():
    """What lo of this namespace has sent: IP packets of all agents together."""
    for line in pathlib.Path("/proc/net/dev").read_text().splitlines():
        name, _, counters = line.partition(":")
        if name.strip() == "lo":
            return int(counters.split()[8])
    raise RuntimeError("this network namespace has no lo")


def idle(grid, settle, seconds):
    """Agents that have nothing to do."""
    wait_seconds(settle)
    pids = {name: agent["pid"] for name, agent in grid.agents.items()}
    leader = grid.leader("n1")
    cpu = {name: cpu_ns(pid) for name, pid in pids.items()}
    sent, lo, start = sent_bytes(pids.values()), lo_bytes(), time.monotonic()
    wait_seconds(seconds)
    lo, passed = lo_bytes() - lo, time.monotonic() - start
    sent_after = sent_bytes(pids.values())
    rate = {name: (sent_after[pid] - sent[pid]) / passed for name, pid in pids.items()}
    percent = {name: (cpu_ns(pid) - cpu[name]) / passed / 1e7 for name, pid in pids.items()}
    memory = [memory_kib(pid) for pid in pids.values()]
    return {
        "seconds": round(passed, 1),
        "cpu": summary(list(percent.values()), "%"),
        "cpu_super_peer": summary([percent[leader]], "%"),
        "rss": summary([item["Rss"] / 1024 for item in memory], "MiB"),
        "pss": summary([item["Pss"] / 1024 for item in memory], "MiB"),
        "sent": summary([lo / passed / len(pids)], "B/s"),
        "sent_members": summary([rate[name] for name in pids if name != leader], "B/s"),
        "sent_super_peer": summary([rate[leader]], "B/s"),
    }


def read_answer(connection):
    """One HTTP answer: its status and its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            raise RuntimeError("the agent closed the connection")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    while len(body) < int(fields["content-length"]):
        body += connection.recv(65536)
    return int(lines[0].split()[1]), body


def ask_without_end(path, seconds, pipe):
    """One client: finds over one connection, one after the other; the time of each, in ms."""
    times, fault = [], ""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        connection.settimeout(30)
        pipe.send("ready")
        pipe.recv()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not fault:
            start = time.monotonic()
            connection.sendall(REQUEST)
            status, body = read_answer(connection)
            times.append((time.monotonic() - start) * 1000)
            answer = json.loads(body)
            if status != 200 or answer["partial"] or not answer["items"]:
                fault = body.decode()
    pipe.send((times, fault))


def finds(grid, clients, seconds):
    """So many clients of one agent, not the super-peer: latency of a find, finds a second."""
    wait_seconds(REFILL_S)
    leader = grid.leader("n1")
    agent = next(item for name, item in grid.agents.items() if name != leader)
    pipes, workers = [], []
    for _ in range(clients):
        ours, theirs = multiprocessing.Pipe()
        workers.append(multiprocessing.Process(
            target=ask_without_end, args=(agent["state_dir"] + "/api.sock", seconds, theirs)))
        workers[-1].start()
        theirs.close()
        pipes.append(ours)
    for pipe in pipes:
        pipe.recv()
    start = time.monotonic()
    for pipe in pipes:
        pipe.send("go")
    answers = [pipe.recv() for pipe in pipes]
    passed = time.monotonic() - start
    for worker in workers:
        worker.join()
    for _, fault in answers:
        if fault:
            raise RuntimeError(f"a find was not answered in full: {fault}")
    times = sorted(took for one, _ in answers for took in one)
    return {"median": round(statistics.median(times), 3), "min": round(times[0], 3),
            "p99": round(times[len(times) * 99 // 100], 3), "max": round(times[-1], 3),
            "n": len(times), "unit": "ms", "per_s": round(len(times) / passed, 1)}


def whole(options):
    gridpeer, size, rounds = options.gridpeer, options.size, options.rounds
    result = {"size": size, "converge": bring_up(gridpeer, size, rounds),
              "kill": detection(gridpeer, size, signal.SIGKILL, rounds),
              "freeze": detection(gridpeer, size, signal.SIGSTOP, rounds)}
    with Grid(gridpeer, size) as grid:
        grid.until_all(list(grid.agents), f"members={size}&" + FULL)(time.monotonic())
        result["idle"] = idle(grid, options.settle, options.idle)
        result["find"] = {str(clients): finds(grid, clients, options.find)
                          for clients in (1, 8)}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gridpeer", default=str(ROOT / "build/release/agent/main/gridpeer"))
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--size", type=int, help="agents, 5 or more")
    what.add_argument("--failover", action="store_true")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--settle", type=float, default=30, help="seconds of rest before idle")
    parser.add_argument("--idle", type=float, default=60, help="seconds of idle measurement")
    parser.add_argument("--find", type=float, default=2, help="seconds of finds, per client count")
    options = parser.parse_args()
    if options.size is not None and options.size < 5:
        parser.error("--size: 5 at least, so that a majority of the voters outlives a death")
    result = ({"failover": failover(options.gridpeer, options.rounds),
               "handover": handover(options.gridpeer, options.rounds)} if options.failover
              else whole(options))
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Refused as error:
        print(error, file=sys.stderr)
        sys.exit(64)
    except (RuntimeError, OSError) as error:
        print(f"ours.py: {error}", file=sys.stderr)
        sys.exit(1)
