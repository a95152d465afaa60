"""A grid of real agents, each in a network namespace of its own, on a bridge of bad cables.

Everything bears the run's tag: the namespaces by name, the processes by an environment variable,
mounts and files by the directory. `sweep` removes what a run left that died without cleaning up.
"""
import contextlib
import http.client
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "bench"))
from agents import UnixConnection, ask  # noqa: E402, F401  (the one client of the API)
from inject import Inject  # noqa: E402

PREFIX = "gridpeer-thrash"
MARK = "GRIDPEER_THRASH"
NETNS = pathlib.Path("/run/netns")
PORT = 7617
DISK_BYTES = 32 << 20
UP_S = 60
REMOVE_S = 10
TICK_S = 0.02
SILENCE = (OSError, ValueError, http.client.HTTPException)  # of an agent that is asked


class Trouble(Exception):
    """The run cannot go on, and this is why."""


def command(*words, feed=None):
    out = subprocess.run(words, input=feed, capture_output=True, text=True)
    if out.returncode != 0:
        raise Trouble(f"{' '.join(words)}: exit {out.returncode}: {out.stderr.strip()}")
    return out.stdout


def poll(look, limit_s):
    """Looks again and again, until that gives something or the time is up; the last answer. An
    agent that does not answer has said nothing."""
    end = time.monotonic() + limit_s
    while True:
        answer = None
        with contextlib.suppress(*SILENCE):
            answer = look()
        if answer or time.monotonic() >= end:
            return answer
        time.sleep(TICK_S)


# ---- what is left of a run ----------------------------------------------------------------------

def stat_of(pid):
    """What the kernel says of a process behind its name: the state first; None if there is none."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def born(pid):
    """When that process started, in ticks since boot; None if there is none."""
    stat = stat_of(pid)
    return None if stat is None else int(stat[19])


def processes_of(root):
    """Everybody who has this run's directory in the environment."""
    word = f"{MARK}={root}\0".encode()
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if word in path.read_bytes() + b"\0":
                yield int(path.parent.name)


def mounts_of(root):
    lines = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    return [line.split()[1] for line in lines if line.split()[1].startswith(root + "/")]


def remove(root, tag, keep=False):
    """Ends and removes all that belongs to a run; its directory stays if asked (for the logs)."""
    def none_left():
        pids = list(processes_of(root))
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not pids

    poll(none_left, REMOVE_S)
    for path in NETNS.glob(f"{tag}-*") if NETNS.is_dir() else []:
        subprocess.run(["ip", "netns", "del", path.name], capture_output=True)
    for mount in mounts_of(root):
        subprocess.run(["umount", "--lazy", mount], capture_output=True)
    if not keep:
        shutil.rmtree(root, ignore_errors=True)


def sweep():
    """Removes what runs left whose process is gone; says of whom."""
    for owner in pathlib.Path(tempfile.gettempdir()).glob(f"{PREFIX}.*/owner"):
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(owner.read_text())
            root = str(owner.parent)
            if born(known["pid"]) != known["born"] and not known.get("kept"):
                remove(root, known["tag"])
                yield root


# ---- one machine --------------------------------------------------------------------------------

class Machine:
    """A namespace, a disk, and an agent that may run or not."""

    def __init__(self, grid, number):
        self.grid, self.number = grid, number
        self.name = f"m{number}"
        self.address = f"{grid.network}.{number}"
        self.netns = NETNS / f"{grid.tag}-{self.name}"
        self.dir = f"{grid.root}/{self.name}"
        self.state_dir = f"{self.dir}/{self.name}"
        self.filler = f"{self.dir}/filler"
        self.process = None
        self.wanted = False  # should it run? Else its death is nobody's fault
        self.exits = []

    def make_disk(self):
        os.mkdir(self.dir, 0o700)
        command("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", PREFIX, self.dir)
        self.inject = Inject(f"{self.grid.root}/{self.name}.inject", os.stat(self.dir).st_dev,
                             self.grid.seed * 1000 + self.number)

    def words(self, *words):
        return ["nsenter", f"--net={self.netns}", str(self.grid.gridpeer), *words]

    def environment(self):
        return {**self.grid.environment, "GRIDPEER_DIR": self.dir,
                **self.inject.environment(self.grid.library)}

    def type(self, *words):
        """A command, as a user of this machine types it."""
        out = subprocess.run(self.words(*words), capture_output=True, text=True,
                             env=self.environment())
        if out.returncode != 0:
            raise Trouble(f"{self.name}: gridpeer {words[0]}: exit {out.returncode}: "
                          f"{out.stderr.strip()}")
        return out.stdout.strip()

    def start(self):
        log = open(f"{self.grid.root}/{self.name}.log", "ab")
        with log:
            self.process = subprocess.Popen(self.words("agent", "--node", self.name),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=self.environment(), start_new_session=True)
        self.wanted = True

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def kill(self, number=signal.SIGKILL, limit=30):
        """Ends its agent and gives the exit code."""
        self.wanted = False
        if self.process is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            return None

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def stopped(self):
        """Is its process stopped by a signal?"""
        stat = stat_of(self.process.pid)
        return stat is not None and stat[0] == "T"

    def limit_descriptors(self, count):
        """No more descriptors than count (None: as many as before)."""
        with contextlib.suppress(ProcessLookupError):
            _, hard = resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE)
            soft = self.grid.descriptors if count is None else count
            resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (min(soft, hard), hard))

    def ask(self, method, path, body=None, timeout=5):
        return ask({"state_dir": self.state_dir}, method, path, body, timeout)


# ---- all of them --------------------------------------------------------------------------------

class Cables:
    """The process that carries all packets, and the orders to it."""

    def __init__(self, grid):
        self.process = subprocess.Popen(
            [str(grid.badlink), str(grid.seed), str(grid.hub),
             *(str(machine.netns) for machine in grid.machines)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=grid.environment,
            start_new_session=True)
        if self.process.stdout.readline() != "ready\n":
            raise Trouble("the bad cables cannot be laid")

    def set(self, number, way, delay_us=0, jitter_us=0, loss=0, duplicate=0, reorder=0, corrupt=0):
        """Shares are in permille; way 0 is from machine `number`, 1 is to it."""
        self.process.stdin.write(f"set {number - 1} {way} {delay_us} {jitter_us} {loss} "
                                 f"{duplicate} {reorder} {corrupt}\n")
        self.process.stdin.flush()

    def counts(self):
        """By (machine, way): what was passed, delayed, lost, ..."""
        self.process.stdin.write("count\n")
        self.process.stdin.flush()
        names = ("passed", "delayed", "lost", "duplicated", "reordered", "corrupted", "dropped")
        result = {}
        while (line := self.process.stdout.readline()) not in ("end\n", ""):
            cable, way, *numbers = map(int, line.split())
            result[cable + 1, way] = dict(zip(names, numbers))
        return result


class Grid:
    def __init__(self, options):
        self.gridpeer = pathlib.Path(options.gridpeer).resolve()
        build = self.gridpeer.parents[2] / "tests/thrash"
        self.badlink, self.library = build / "badlink", build / "libinject.so"
        for path in (self.gridpeer, self.badlink, self.library):
            if not path.exists():
                raise Trouble(f"{path} is missing: build it with ninja")
        self.seed, self.size = options.seed, options.nodes
        pid = os.getpid()
        self.tag = f"gpthrash{pid}"
        self.root = tempfile.mkdtemp(prefix=f"{PREFIX}.")
        self.own({"pid": pid, "born": born(pid), "tag": self.tag})
        self.network = f"10.{pid >> 8 & 255}.{pid & 255}"
        self.hub = NETNS / f"{self.tag}-hub"
        self.environment = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", MARK: self.root}
        self.descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.machines = [Machine(self, number) for number in range(1, self.size + 1)]
        self.cables = None

    def own(self, words):
        pathlib.Path(self.root, "owner").write_text(json.dumps(words))

    def make_network(self):
        for netns in [self.hub, *(machine.netns for machine in self.machines)]:
            command("ip", "netns", "add", netns.name)
            quiet = "net.ipv6.conf.all.disable_ipv6=1"
            command("nsenter", f"--net={netns}", "sysctl", "-qw", quiet)
            command("ip", "-n", netns.name, "link", "set", "lo", "up")
        self.cables = Cables(self)
        command("ip", "-n", self.hub.name, "link", "add", "b0", "type", "bridge")
        command("ip", "-n", self.hub.name, "link", "set", "b0", "up")
        for machine in self.machines:
            port, name = f"c{machine.number - 1}", machine.netns.name
            command("ip", "-n", self.hub.name, "link", "set", port, "master", "b0", "up")
            command("ip", "-n", name, "addr", "add", f"{machine.address}/24", "dev", "lan")
            command("ip", "-n", name, "link", "set", "lan", "up")
        self.filter("""table bridge thrash {
    set cut { type ipv4_addr . ipv4_addr; }
    counter lost { }
    chain forward {
        type filter hook forward priority 0; policy accept;
        ip saddr . ip daddr @cut counter name lost drop
    }
}
""")

    def filter(self, text):
        command("nsenter", f"--net={self.hub}", "nft", "-f", "-", feed=text)

    def cut(self, pairs, heal=False):
        """Nothing from the first of each pair reaches the second (or again); all at once."""
        words = ", ".join(f"{a.address} . {b.address}" for a, b in pairs)
        self.filter(f"{'delete' if heal else 'add'} element bridge thrash cut {{ {words} }}\n")

    def lost_by_cuts(self):
        text = command("nsenter", f"--net={self.hub}", "nft", "list", "counter", "bridge", "thrash",
                       "lost")
        return int(re.search(r"packets (\d+)", text).group(1))

    def found(self):
        """init on the first, invite, join on all others: as users do it, each on its machine."""
        first, *others = self.machines
        listen = f"tcp://{{}}:{PORT}"
        first.type("init", "thrash", "--name", first.name, "--listen",
                   listen.format(first.address), "--no-start")
        first.start()
        self.wait(first, "members=1&leader=quorum")
        token = first.type("invite", "--uses", str(max(1, len(others)))).rpartition(" ")[2]
        for machine in others:
            machine.type("join", "thrash", "--token", token, "--name", machine.name, "--listen",
                         listen.format(machine.address), "--no-start")
            machine.start()
        for machine in self.machines:
            self.wait(machine, f"members={self.size}&leader=quorum")

    def wait(self, machine, query, limit=UP_S):
        """Until that machine sees the grid so; the agent may still be starting."""
        end = time.monotonic() + limit

        def sees():
            if not machine.runs():
                raise Trouble(f"{machine.name} does not run")
            left = max(0.0, end - time.monotonic())
            path = f"/v1/wait?{query}&timeout_ms={int(left * 1000) + 1}"
            return machine.ask("GET", path, timeout=left + 5)[0] == 200

        if not poll(sees, limit):
            raise Trouble(f"{machine.name} does not see {query} within {limit} s")

    def up(self):
        for machine in self.machines:
            machine.make_disk()
        self.make_network()
        self.found()

    def end(self, keep):
        if keep:
            self.own({"pid": os.getpid(), "born": born(os.getpid()), "tag": self.tag, "kept": True})
            for machine in self.machines:  # the disk goes, what was on it is evidence
                with contextlib.suppress(OSError, shutil.Error):
                    shutil.copytree(machine.state_dir, f"{self.root}/disk-{machine.name}",
                                    ignore=shutil.ignore_patterns("*.sock", "*.key", "filler"))
        remove(self.root, self.tag, keep)
