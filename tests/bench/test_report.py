#!/usr/bin/env python3
"""A run becomes tables with the right ratios, plots of all that was measured, and a README."""
import pathlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET

sys.dont_write_bytecode = True
import beside  # noqa: E402
import report  # noqa: E402


def value(median, low, high, unit, **more):
    return {"median": median, "min": low, "max": high, "n": 5, "unit": unit, **more}


def sample():
    return {
        "schema": "gridpeer/bench/v1", "command": "scripts/bench", "quick": False,
        "date": "2030-01-02", "minutes": 24.5, "sizes": [5, 20, 60, 200],
        "machine": {"cores": 2, "cpu": "A Processor", "memory_gib": 24, "kernel": "6.1.0"},
        "versions": {"gridpeer": "0.1.0", "serf": "0.8.2", "etcd": "3.4.23"},
        "left_out": [{"what": "gridpeer, 200 machines", "why": "64 at most"}],
        "figures": {
            "converge": {"gridpeer": {"20": value(199, 185, 228, "ms")},
                         "serf": {"20": value(770, 750, 790, "ms")}},
            "converge_last": {"serf": {"20": value(390, 370, 410, "ms")}},
            "kill": {"gridpeer": {"20": value(25, 17, 41, "ms"), "60": value(35, 29, 45, "ms")},
                     "serf": {"20": value(7070, 6650, 7680, "ms"),
                              "200": value(11400, 10700, 12800, "ms")}},
            "freeze": {"gridpeer": {"20": value(1368, 946, 1647, "ms")},
                       "serf": {"20": value(6500, 6000, 7000, "ms")}},
            "sent": {"gridpeer": {"20": value(800, 800, 800, "B/s")},
                     "serf": {"20": value(320, 320, 320, "B/s")}},
            "find_1": {"gridpeer": {"20": value(0.4, 0.2, 4.6, "ms", p99=1.1)}},
            "failover": {"gridpeer": {"9": value(34, 23, 115, "ms")},
                         "etcd": {"3": value(1640, 1010, 2300, "ms")}},
            "signed": {"signed": {"2": value(68000, 68000, 68000, "messages/s")}},
        }}


class Tables(unittest.TestCase):
    def row(self, words):
        return next(line for line in report.pair_table(sample()) if line.startswith(f"| {words}"))

    def test_a_ratio_is_the_peers_by_ours(self):
        self.assertIn("| - | 25 ms / 7.07 s / **283 ×** | 35 ms / - | - / 11.4 s |",
                      self.row("kill"))
        self.assertIn("199 ms / 770 ms / **3.9 ×**", self.row("first start"))
        self.assertIn("199 ms / 390 ms / **2 ×**", self.row("the same, serf from its last start"))

    def test_a_ratio_against_us_is_told_too(self):
        self.assertIn("800 B/s / 320 B/s / **0.4 ×**", self.row("bytes/s sent by an idle agent,"))

    def test_finds_have_their_99th_percentile(self):
        self.assertIn("0.4 ms (p99 1.1 ms)", self.row("a find, 1 client"))

    def test_leaders(self):
        table = "\n".join(report.single_table(sample()))
        self.assertIn("| gridpeer | 34 / 23 / 115 ms |  |", table)
        self.assertIn("| etcd | 1.64 / 1.01 / 2.3 s | 48 × |", table)
        self.assertNotIn("sentinel", table)

    def test_what_is_left_out_is_told(self):
        for text in (report.page(sample()), report.readme_section(sample(), "plots")):
            self.assertIn("- Left out: gridpeer, 200 machines: 64 at most", text)

    def test_the_page_has_every_value(self):
        page = report.page(sample())
        self.assertIn("| serf | 200 | 11,400 ms | 10,700 ms | 12,800 ms |  | 5 |", page)
        self.assertIn("serf 0.8.2", page)

    def test_the_readme_keeps_what_stands_around(self):
        section = report.readme_section(sample(), "plots")
        text = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
        new = report.put_into(text, section)
        self.assertEqual(new, f"before\n{section}\nafter\n")
        self.assertEqual(report.put_into(new, section), new)
        for bad in ("no section", text + text):
            with self.assertRaises(ValueError):
                report.put_into(bad, section)


class Plots(unittest.TestCase):
    def test_what_was_measured_is_drawn(self):
        drawn = report.plots(sample())
        self.assertEqual(set(drawn), {"convergence", "detection", "sent", "find", "failover",
                                      "signed"})
        for text in drawn.values():
            ET.fromstring(text)
        for name in ("gridpeer, kill", "serf, kill", "gridpeer, freeze", "serf, freeze"):
            self.assertIn(f">{name}<", drawn["detection"])
        self.assertIn("2030-01-02", drawn["failover"])
        self.assertIn("A Processor", drawn["failover"])

    def test_stale_plots_go(self):
        with tempfile.TemporaryDirectory() as folder:
            report.write(sample(), folder)
            self.assertTrue((pathlib.Path(folder) / "failover.svg").exists())
            run = sample()
            del run["figures"]["failover"]
            report.write(run, folder)
            self.assertFalse((pathlib.Path(folder) / "failover.svg").exists())
            self.assertTrue((pathlib.Path(folder) / "README.md").exists())


class Options:
    """What a user asked for."""
    quick, sizes, rounds, gridpeer = False, [5, 20, 60, 200], 5, "gridpeer"
    peers, peers_told = pathlib.Path("/nonexistent"), "/nonexistent"


class Beside(unittest.TestCase):
    def parts(self, plan, *arguments):
        """A new run and what it would take the answers of, by the name of the part."""
        run = beside.Run(Options)
        plan(run, *arguments)
        return run, {name: (argv, take) for name, argv, take in run.parts}

    def test_what_serf_answers(self):
        run, parts = self.parts(beside.plan_serf, 5)
        argv, take = parts["serf, 5 machines: idle, kill"]
        self.assertEqual(argv[argv.index("--kills") + 1], 3)  # of five, and two must be left
        times = {"min": 5.0, "median": 6.0, "max": 7.0}
        take({"all_see_all_s": {"since_first_start": 0.3, "since_last_start": 0.2},
              "idle": {"cpu_percent": {"min": 0.1, "median": 0.2, "max": 0.3},
                       "rss_kib": {"min": 1024, "median": 2048, "max": 4096},
                       "pss_kib": {"min": 1024, "median": 1024, "max": 1024},
                       "sent_bytes_per_s": 267},
              "kill_to_s": {"all": times}, "kills": 3, "kills_seen_by_all": 3})
        _, take = parts["serf, 5 machines: start"]
        take({"all_see_all_s": {"since_first_start": 0.5, "since_last_start": 0.4}})
        figures = run.run["figures"]
        self.assertEqual(figures["kill"]["serf"]["5"]["median"], 6000)
        self.assertEqual(figures["converge"]["serf"]["5"]["median"], 400)
        self.assertEqual(figures["converge_last"]["serf"]["5"]["max"], 400)
        self.assertEqual(figures["rss"]["serf"]["5"]["median"], 2)
        self.assertEqual(figures["sent"]["serf"]["5"]["median"], 267)
        self.assertEqual(run.run["left_out"], [])

    def test_what_not_all_saw_is_told(self):
        run, parts = self.parts(beside.plan_serf, 20)
        _, take = parts["serf, 20 machines: freeze"]
        take({"all_see_all_s": None, "kill_to_s": {"all": None}, "kills": 5,
              "kills_seen_by_all": 0})
        self.assertEqual(run.run["figures"], {})
        self.assertEqual([item["what"] for item in run.run["left_out"]],
                         ["serf, 20 machines, a start", "serf, 20 machines, freeze"])

    def test_a_missing_peer_is_left_out_with_its_reason(self):
        run, parts = self.parts(beside.plan_failover, [])
        self.assertEqual(list(parts), ["gridpeer: failover"])
        self.assertEqual(beside.command_of(Options), "scripts/bench")

    def test_idle_windows_are_whole_exchanges_of_the_peer(self):
        self.assertEqual(beside.times_of_idle(Options, 5), (30, 60))
        self.assertEqual(beside.times_of_idle(Options, 32), (30, 60))
        self.assertEqual(beside.times_of_idle(Options, 60), (30, 60))
        self.assertEqual(beside.times_of_idle(Options, 200), (30, 120))

    def test_a_peers_answer_in_our_unit(self):
        self.assertEqual(beside.scaled({"min": 1, "median": 1.5, "max": 2.0}, "ms", 1000, 3),
                         {"median": 1500, "min": 1000, "max": 2000, "n": 3, "unit": "ms"})
        self.assertIsNone(beside.scaled(None, "ms", 1000, 0))

    def test_sizes(self):
        self.assertEqual(beside.sizes("60,5,20"), [5, 20, 60])
        for bad in ("", "4", "5,x"):
            with self.assertRaises((ValueError, beside.argparse.ArgumentTypeError)):
                beside.sizes(bad)


if __name__ == "__main__":
    unittest.main()
