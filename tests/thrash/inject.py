"""Faults inside one agent: the file that inject.c maps (the same layout there)."""
import ctypes
import mmap
import os

KINDS = ("sync", "write", "short", "clock", "malloc", "send")


class Layout(ctypes.Structure):
    _fields_ = [("shift_ns", ctypes.c_int64), ("device", ctypes.c_uint64),
                ("seed", ctypes.c_uint64), ("sync_permille", ctypes.c_uint32),
                ("write_permille", ctypes.c_uint32), ("short_permille", ctypes.c_uint32),
                ("error", ctypes.c_int32), ("nth_kind", ctypes.c_uint32), ("pid", ctypes.c_uint32),
                ("nth", ctypes.c_uint64), ("calls", ctypes.c_uint64 * len(KINDS)),
                ("done", ctypes.c_uint64 * len(KINDS))]


class Inject:
    """What is set here takes effect at the agent's next call."""

    def __init__(self, path, device, seed):
        self.path = path
        with open(path, "w+b") as file:
            file.truncate(mmap.PAGESIZE)
            self.memory = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.layout = Layout.from_buffer(self.memory)
        self.layout.device = device
        self.layout.seed = seed

    def set(self, **fields):
        for name, value in fields.items():
            setattr(self.layout, name, value)

    def fail_nth(self, kind, nth, error):
        """The nth call of this kind from now on fails, once."""
        self.set(nth_kind=KINDS.index(kind), error=error, nth=self.calls(kind) + nth)

    def calls(self, kind):
        return self.layout.calls[KINDS.index(kind)]

    def done(self, kind):
        return self.layout.done[KINDS.index(kind)]

    def environment(self, library):
        return {"LD_PRELOAD": os.fspath(library), "GRIDPEER_INJECT": self.path}
