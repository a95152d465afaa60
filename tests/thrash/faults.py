"""What is done to a grid, and when: a plan drawn from the seed alone, and how each fault is done.

A plan is a list of blows in order of time. The same seed, size, length, scenario and list of faults
give the same plan; what the agents make of it depends on the machine.
"""
import contextlib
import dataclasses
import errno
import os
import random
import signal
import subprocess
import time

from grid import SILENCE

DAY_S = 86400


@dataclasses.dataclass(frozen=True)
class Blow:
    at: float         # seconds after the start
    lasts: float      # seconds
    fault: str
    targets: tuple    # numbers of machines; of a cut: one of its sides
    seed: int         # for what the fault itself has to draw


# ---- plans --------------------------------------------------------------------------------------

WHOLE_GRID = {"cut": "network", "oneway": "network", "load": "processors"}  # one at a time of each
EVERYBODY = ("link", "load")            # those that are spared all else are not spared these


def spared(draw, nodes):
    """Machines that nothing is done to: nobody may ever call them unavailable (but see cuts)."""
    return set(draw.sample(range(1, nodes + 1), max(1, nodes // 4)))


def targets_of(draw, fault, free):
    if fault in ("cut", "oneway"):
        return sorted(draw.sample(free, draw.randint(1, max(1, len(free) // 2))))
    if fault == "link":
        return sorted(draw.sample(free, draw.randint(1, len(free))))
    return sorted(draw.sample(free, min(len(free), draw.choice((1, 1, 1, 2, 3)))))


def mix(draw, nodes, seconds, faults):
    """All faults, one after another and at the same time, each as often as the others."""
    safe = spared(draw, nodes)
    busy_until = {number: 0.0 for number in range(1, nodes + 1)}
    grid_until = dict.fromkeys(WHOLE_GRID.values(), 0.0)
    at, bag, blows = 1.0, [], []
    while True:
        if not bag:
            bag = draw.sample(faults, len(faults))
        fault = bag.pop()
        lasts = draw.uniform(1.0, 10.0)
        if fault in WHOLE_GRID:
            at = max(at, grid_until[WHOLE_GRID[fault]])
        free = [n for n, until in busy_until.items()
                if (n not in safe or fault in EVERYBODY) and (until <= at or fault in WHOLE_GRID)]
        hurt = sum(until > at for until in busy_until.values())
        if at + lasts > seconds - 1.0:
            return blows
        if free and (hurt <= nodes // 3 or fault in WHOLE_GRID):
            targets = [] if fault == "load" else targets_of(draw, fault, free)
            blows.append(Blow(at, lasts, fault, tuple(targets), draw.getrandbits(32)))
            if fault in WHOLE_GRID:
                grid_until[WHOLE_GRID[fault]] = at + lasts + 2.0
            else:
                busy_until.update(dict.fromkeys(targets, at + lasts + 2.0))
        else:
            bag.insert(0, fault)
        # Some come in flurries: one fault alone is what everybody is prepared for.
        at += draw.uniform(0.1, 1.0) if draw.random() < 0.3 else draw.uniform(0.5, 6.0)


def loss(draw, nodes, seconds, _faults):
    """30 % of all packets are lost, all the time."""
    return [Blow(0.0, seconds, "loss30", tuple(range(1, nodes + 1)), draw.getrandbits(32))]


def frozen(draw, nodes, seconds, _faults):
    """A fifth of the machines, the same all the time, are frozen for 8 s of every 9 s."""
    targets = tuple(sorted(draw.sample(range(1, nodes + 1), max(1, nodes // 5))))
    return [Blow(at, 8.0, "freeze", targets, 0) for at in range(0, int(seconds) - 8, 9)]


def clocks(draw, nodes, seconds, _faults):
    """Every 6 s the clock of another machine is wrong by a day for 5 s, or that of three."""
    return [Blow(at, 5.0, "clock", tuple(sorted(draw.sample(range(1, nodes + 1),
                                                            min(nodes, draw.choice((1, 3)))))),
                 draw.getrandbits(32)) for at in range(0, int(seconds) - 5, 6)]


def load(draw, _nodes, seconds, _faults):
    """Four processes a processor spin, all the time."""
    return [Blow(0.0, seconds, "load", (), draw.getrandbits(32))]


SCENARIOS = {"mix": mix, "loss": loss, "frozen": frozen, "clocks": clocks, "load": load}


def plan(scenario, seed, nodes, seconds, faults):
    return SCENARIOS[scenario](random.Random(f"plan {seed}"), nodes, seconds, list(faults))


# ---- how each is done ---------------------------------------------------------------------------

class Fault:
    """One blow while it lasts: `begin`, then `end`. `felt`: how often it had a real effect."""
    excuses = False  # may its targets be called unavailable?
    restarts = False  # is its agent started again in the end?

    def __init__(self, grid, blow):
        self.grid, self.blow = grid, blow
        self.draw = random.Random(blow.seed)
        self.targets = [grid.machines[number - 1] for number in blow.targets]
        self.felt = 0

    def excused(self):
        return [machine.name for machine in self.targets] if self.excuses else []

    def begin(self):
        raise NotImplementedError

    def end(self):
        raise NotImplementedError


class Kill(Fault):
    """SIGKILL; it is started again later, with what is on its disk."""
    excuses = restarts = True

    def begin(self):
        self.felt = sum(machine.kill() == -signal.SIGKILL for machine in self.targets)

    def end(self):
        for machine in self.targets:
            machine.start()


class Stop(Kill):
    """Stopped in good order, and started again."""

    def begin(self):
        self.felt = sum(machine.kill(signal.SIGTERM) == 0 for machine in self.targets)


class Freeze(Fault):
    """SIGSTOP, and SIGCONT."""
    excuses = True

    def begin(self):
        for machine in self.targets:
            machine.signal(signal.SIGSTOP)

    def end(self):
        self.felt = sum(machine.stopped() for machine in self.targets)
        for machine in self.targets:
            machine.signal(signal.SIGCONT)


class Cut(Fault):
    """Nothing passes between the targets and the others, in both directions."""
    one_way = False

    def excused(self):
        return [machine.name for machine in self.grid.machines]  # each has lost some of the others

    def begin(self):
        others = [machine for machine in self.grid.machines if machine not in self.targets]
        self.pairs = [(a, b) for a in self.targets for b in others]
        back = [(b, a) for a, b in self.pairs]
        if not self.one_way:
            self.pairs += back
        elif self.draw.random() < 0.5:
            self.pairs = back
        self.before = self.grid.lost_by_cuts()
        self.grid.cut(self.pairs)

    def end(self):
        self.grid.cut(self.pairs, heal=True)
        self.felt = self.grid.lost_by_cuts() - self.before


class OneWay(Cut):
    """What one side sends does not arrive at the other; the other way it does."""
    one_way = True


class Link(Fault):
    """Bad cables: delay and jitter, loss, duplicates, other order, changed bits."""
    KINDS = ("delayed", "lost", "duplicated", "reordered", "corrupted")

    def manner(self):
        draw = self.draw
        return {"delay_us": draw.choice((0, 1000, 20000, 100000)),
                "jitter_us": draw.choice((0, 1000, 20000, 50000)),
                "loss": draw.choice((0, 10, 50, 150)), "duplicate": draw.choice((0, 10, 100)),
                "reorder": draw.choice((0, 10, 100)), "corrupt": draw.choice((0, 5, 20))}

    def begin(self):
        self.before = self.grid.cables.counts()
        for machine in self.targets:
            for way in (0, 1):
                self.grid.cables.set(machine.number, way, **self.manner())

    def end(self):
        after = self.grid.cables.counts()
        for machine in self.targets:
            for way in (0, 1):
                lane = machine.number, way
                self.felt += sum(after[lane][kind] - self.before[lane][kind] for kind in self.KINDS)
                self.grid.cables.set(*lane)


class Loss30(Link):
    """Each packet is lost with 30 %: on the way from its sender, and nowhere else."""

    def begin(self):
        self.before = self.grid.cables.counts()
        for machine in self.targets:
            self.grid.cables.set(machine.number, 0, loss=300)


class Full(Fault):
    """The disk is full to the last byte, and has room again later."""

    def begin(self):
        block = bytes(1 << 20)
        for machine in self.targets:
            with open(machine.filler, "wb", buffering=0) as file:
                size = len(block)
                while size > 0:
                    try:
                        file.write(block[:size])
                    except OSError as error:
                        if error.errno != errno.ENOSPC:
                            raise
                        self.felt += size == 1
                        size //= 2

    def end(self):
        for machine in self.targets:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(machine.filler)


class Disk(Fault):
    """Writes and waits for the disk fail, all or some; its operator kills the agent and starts it
    again on a disk that is well."""
    restarts = True
    KINDS = ("sync", "write", "short")

    def begin(self):
        self.before = [self.done(machine) for machine in self.targets]
        for machine in self.targets:
            share = self.draw.choice((1000, 1000, 200))
            hurt = self.draw.choice(self.KINDS)
            machine.inject.set(error=self.draw.choice((errno.EIO, errno.ENOSPC)),
                               **{f"{hurt}_permille": share})

    def done(self, machine):
        return sum(machine.inject.done(kind) for kind in self.KINDS)

    def end(self):
        for machine, before in zip(self.targets, self.before):
            self.felt += self.done(machine) - before
            machine.kill()
            machine.inject.set(sync_permille=0, write_permille=0, short_permille=0)
            machine.start()


class Clock(Fault):
    """The wall clock jumps by about a day, and back."""

    def begin(self):
        self.before = sum(machine.inject.done("clock") for machine in self.targets)
        for machine in self.targets:
            shift = self.draw.choice((-1, 1)) * (DAY_S + self.draw.randint(0, 3600))
            machine.inject.set(shift_ns=shift * 1000000000 + self.draw.randint(0, 999999999))

    def end(self):
        for machine in self.targets:
            machine.inject.set(shift_ns=0)
        self.felt = sum(machine.inject.done("clock") for machine in self.targets) - self.before


class Descriptors(Fault):
    """Not one file descriptor more than are open."""

    def begin(self):
        for machine in self.targets:
            machine.limit_descriptors(3)
            try:
                machine.ask("GET", "/v1/status", timeout=0.5)
            except SILENCE:
                self.felt += 1

    def end(self):
        for machine in self.targets:
            machine.limit_descriptors(None)


class Load(Fault):
    """Four processes for each processor that do nothing but spin."""

    def begin(self):
        count = 4 * os.cpu_count()
        self.spinners = [subprocess.Popen(["sh", "-c", "while :; do :; done"],
                                          env=self.grid.environment, start_new_session=True)
                         for _ in range(count)]

    def end(self):
        before = os.times().children_user
        for spinner in self.spinners:
            spinner.kill()
        for spinner in self.spinners:
            spinner.wait()
        self.felt = round(100 * (os.times().children_user - before))  # ticks that they took


FAULTS = {"kill": Kill, "stop": Stop, "freeze": Freeze, "cut": Cut, "oneway": OneWay, "link": Link,
          "full": Full, "disk": Disk, "clock": Clock, "descriptors": Descriptors, "load": Load,
          "loss30": Loss30}
MIXED = tuple(name for name in FAULTS if name != "loss30")


class Nemesis:
    """Carries out a plan. To be called again and again; it never waits for an agent."""

    def __init__(self, grid, blows, write):
        self.grid, self.blows, self.write = grid, list(blows), write
        self.active = []      # (ends, fault, record)
        self.recovering = []  # (fault, record): until the agents answer again
        self.began = time.monotonic()
        self.done = 0

    def act(self):
        now = time.monotonic()
        for item in [item for item in self.active if item[0] <= now]:
            self.active.remove(item)
            self.finish(*item[1:])
        while self.blows and self.began + self.blows[0].at <= now:
            self.strike(self.blows.pop(0))
        for item in list(self.recovering):
            self.look(item)

    def strike(self, blow):
        fault = FAULTS[blow.fault](self.grid, blow)
        record = {"kind": "fault", "fault": blow.fault, "start": time.monotonic(),
                  "nodes": [machine.name for machine in fault.targets]}
        fault.begin()
        self.active.append((time.monotonic() + blow.lasts, fault, record))

    def finish(self, fault, record):
        ending = time.monotonic()
        fault.end()
        record |= {"effect": fault.felt, "excused": fault.excused(), "end": time.monotonic()}
        self.done += 1
        if fault.restarts:
            record["excused"] = record["nodes"]
            record["start"] = record["start"] if fault.excuses else ending
            self.recovering.append((fault, record))
        else:
            self.write(record)

    def look(self, item):
        """Who was started again is excused until it answers."""
        fault, record = item
        with contextlib.suppress(*SILENCE):
            if all(machine.ask("GET", "/v1/status", timeout=0.2)[0] == 200
                   for machine in fault.targets):
                record["end"] = time.monotonic()
                self.recovering.remove(item)
                self.write(record)

    def over(self):
        return not (self.blows or self.active or self.recovering)

    def text(self):
        return ", ".join(f"{record['fault']} {' '.join(record['nodes'][:4])}".strip()
                         for _, _, record in self.active) or "nothing"

    def relief(self):
        """Ends everything at once. Who does not answer yet is excused up to now."""
        self.blows.clear()
        for _, fault, record in self.active:
            self.finish(fault, record)
        self.active.clear()
        for _, record in self.recovering:
            self.write(record | {"end": time.monotonic()})
        self.recovering.clear()
