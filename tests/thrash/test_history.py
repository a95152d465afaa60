#!/usr/bin/env python3
"""The history checker must accept a good history, and reject each bad one for its own reason."""
import sys
import unittest

sys.dont_write_bytecode = True
import history  # noqa: E402

RUN = {"kind": "run", "nodes": ["m1", "m2", "m3"], "faults": ["kill"], "agree_s": 30}


def status(node, start, leader, term, mandate="quorum"):
    return {"kind": "status", "node": node, "start": start, "end": start + 0.1, "leader": leader,
            "term": term, "mandate": mandate, "uptime_ms": 1000}


def entry(node, start, detail, seq=7, digest="aa"):
    return {"kind": "entry", "node": node, "start": start, "end": start + 1, "seq": seq,
            "hash": digest, "what": "MEMBER", "detail": detail}


def job(name, number, state, code=0, home="m2"):
    return {"kind": "job", "id": name, "home": home, "start": 1, "end": 2, "job": number,
            "state": state, "reason": "exit", "code": code}


def fault(kind="kill", nodes=("m3",), start=20, end=25, effect=1, excused=None):
    return {"kind": "fault", "fault": kind, "nodes": list(nodes), "start": start, "end": end,
            "excused": list(nodes) if excused is None else excused, "effect": effect}


def good():
    """A leader that is killed and followed by another; jobs, one of which was lost in the crash."""
    return [
        RUN,
        status("m1", 10, "m1", 1), status("m2", 10, "m1", 1), status("m1", 15, "m1", 1),
        status("m2", 21, "", 1, "none"), status("m2", 22, "m2", 2), status("m2", 30, "m2", 2),
        status("m1", 27, "m2", 2),
        fault(nodes=("m1",)),
        entry("m2", 22, "m1 is unavailable: its agent is gone, seen by m2 and m3"),
        {"kind": "find", "node": "m2", "start": 11, "end": 12, "mandate": "quorum",
         "partial": False, "by": "m1", "term": 1},
        job("a", 4, "done"), job("b", 5, "lost"), job("c", None, None),
        {"kind": "marks", "ids": {"a": 1, "b": 1}},
        {"kind": "calm", "at": 40}, {"kind": "agreed", "at": 41, "leader": "m2"},
        {"kind": "listed", "home": "m2", "at": 42,
         "jobs": [{"job": 4, "state": "done"}, {"job": 5, "state": "lost"}]},
        {"kind": "stopped", "node": "m2", "exit": 0},
    ]


def without(kind):
    return [record for record in good() if record["kind"] != kind]


BAD = {
    "two leaders in a term, by two observers":
        ("two leaders in term 1", good() + [status("m3", 12, "m3", 1)]),
    "two leaders in a term, by a find":
        ("two leaders in term 2",
         good() + [{"kind": "find", "node": "m3", "start": 23, "end": 24, "mandate": "quorum",
                    "partial": False, "by": "m3", "term": 2}]),
    "an old leader that still leads when the next one does":
        ("both led", good() + [status("m1", 24, "m1", 1)]),
    "a short reign within a long one":
        ("both led", good() + [status("m3", 23, "m3", 3), status("m3", 24, "m3", 3)]),
    "a term that goes back":
        ("went back from term 2 to 1", good() + [status("m2", 35, "m1", 1)]),
    "a term that goes back over a restart":
        ("went back from term 2 to 0", good() + [status("m1", 35, "", 0, "none")]),
    "a job that ran twice":
        ("ran 2 times", without("marks") + [{"kind": "marks", "ids": {"a": 2, "b": 1}}]),
    "a job that ran twice after its loss was told":
        ("job b of m2 ran 2 times",
         without("marks") + [{"kind": "marks", "ids": {"a": 1, "b": 2}}]),
    "a job that is done and never ran":
        ("was called done and never ran", without("marks") + [{"kind": "marks", "ids": {"b": 1}}]),
    "an acknowledged job that its home forgot":
        ("was acknowledged and is lost",
         without("listed") + [{"kind": "listed", "home": "m2", "at": 42,
                               "jobs": [{"job": 4, "state": "done"}]}]),
    "a home that does not list its jobs":
        ("did not list its jobs", without("listed")),
    "a job that never ends":
        ("never ends: running",
         without("listed") + [{"kind": "listed", "home": "m2", "at": 42,
                               "jobs": [{"job": 4, "state": "done"},
                                        {"job": 5, "state": "running"}]}]),
    "a job whose end changes":
        ("was told to be done and is failed",
         without("listed") + [{"kind": "listed", "home": "m2", "at": 42,
                               "jobs": [{"job": 4, "state": "failed"},
                                        {"job": 5, "state": "lost"}]}]),
    "a log that takes something back":
        ("took back entry 7",
         good() + [entry("m2", 33, "another story", digest="bb")]),
    "a log that is not the same when it is read again":
        ("took back entry 7",
         good() + [{"kind": "again", "node": "m2", "seq": 7, "hash": "bb"}]),
    "a verdict on a healthy machine":
        ("a healthy machine was called unavailable",
         good() + [entry("m1", 30, "m3 is unavailable: silent, seen by m1", seq=8)]),
    "a verdict long before the fault that would excuse it":
        ("a healthy machine was called unavailable",
         good() + [entry("m2", 5, "m1 is unavailable: silent, seen by m2", seq=3)]),
    "a verdict long after the fault that would excuse it":
        ("a healthy machine was called unavailable",
         good() + [entry("m2", 31, "m1 is unavailable: silent, seen by m2", seq=9)]),
    "a verdict on a machine that was hurt, but not so":
        ("a healthy machine was called unavailable",
         good() + [fault("clock", ("m3",), excused=[]),
                   entry("m2", 22, "m3 is unavailable: silent", seq=10)]),
    "a run that does not end": ("never came to its end", without("calm")),
    "machines that do not agree": ("not all agree", without("agreed")),
    "machines that agree late":
        ("71.0 s after", without("agreed") + [{"kind": "agreed", "at": 111, "leader": "m2"}]),
    "an agent that dies by itself":
        ("died by itself", good() + [{"kind": "died", "node": "m3", "at": 30, "exit": -6}]),
    "an agent that stops badly":
        ("ended with 1", good() + [{"kind": "stopped", "node": "m3", "exit": 1}]),
    "a fault that was not applied": ("the fault kill was never", without("fault")),
    "a fault without effect":
        ("the fault kill was never", without("fault") + [fault(nodes=("m1",), effect=0)]),
    "clients that got no job done":
        ("no job was ever done",
         without("job") + [job("b", 5, "lost")]),
    "clients that found nothing": ("no find was ever", without("find")),
}


class Checker(unittest.TestCase):
    def test_good(self):
        self.assertEqual(history.check(good()), [])

    def test_each_bad_one(self):
        for name, (reason, records) in BAD.items():
            with self.subTest(name):
                found = history.check(records)
                self.assertTrue(any(reason in fault for fault in found), f"{name}: {found}")

    def test_one_fault_has_one_reason(self):
        found = history.check(good() + [{"kind": "died", "node": "m3", "at": 30, "exit": -6}])
        self.assertEqual(len(found), 1, found)

    def test_an_answer_that_overtook_another(self):
        late = status("m2", 20.9, "m1", 1)
        late["end"] = 23  # asked before the new term was seen, answered after
        self.assertEqual(history.check(good() + [late]), [])

    def test_one_verdict_is_told_once(self):
        word = "m3 is unavailable: silent, seen by m1"
        many = [entry(node, 30 + i / 10, word, seq=8) for i, node in enumerate(("m1", "m2"))]
        self.assertEqual(len(history.check(good() + many)), 1)
        later = [entry("m1", 38, word, seq=9)]
        self.assertEqual(len(history.check(good() + many + later)), 2)

    def test_summary(self):
        figures = history.summary(good())
        self.assertEqual(figures["faults"], {"kill": {"times": 1, "effect": 1}})
        self.assertEqual((figures["jobs"], figures["jobs_acknowledged"], figures["jobs_done"]),
                         (3, 2, 1))
        self.assertEqual((figures["verdicts"], figures["false_verdicts"]), (1, 0))


if __name__ == "__main__":
    unittest.main()
