#!/usr/bin/env python3
"""A plan of faults comes from its seed alone, and has all that was asked for."""
import collections
import sys
import unittest

sys.dont_write_bytecode = True
import faults  # noqa: E402


class Plans(unittest.TestCase):
    def test_the_seed_decides_all(self):
        for scenario in faults.SCENARIOS:
            first = faults.plan(scenario, 7, 12, 300, faults.MIXED)
            self.assertEqual(first, faults.plan(scenario, 7, 12, 300, faults.MIXED))
            self.assertTrue(first)
        self.assertNotEqual(faults.plan("mix", 7, 12, 300, faults.MIXED),
                            faults.plan("mix", 8, 12, 300, faults.MIXED))

    def test_two_minutes_have_every_fault(self):
        for seed in range(200):
            blows = faults.plan("mix", seed, 8, 120, faults.MIXED)
            self.assertEqual({blow.fault for blow in blows}, set(faults.MIXED), seed)

    def test_it_ends_in_time_and_in_order(self):
        for seed in range(50):
            blows = faults.plan("mix", seed, 8, 120, faults.MIXED)
            self.assertEqual(blows, sorted(blows, key=lambda blow: blow.at))
            self.assertLess(max(blow.at + blow.lasts for blow in blows), 120)

    def test_a_machine_has_one_fault_at_a_time(self):
        for seed in range(50):
            until = collections.defaultdict(float)
            for blow in faults.plan("mix", seed, 8, 600, faults.MIXED):
                if blow.fault not in faults.WHOLE_GRID:
                    for number in blow.targets:
                        self.assertLessEqual(until[number], blow.at)
                        until[number] = blow.at + blow.lasts

    def test_the_network_is_cut_in_one_way_at_a_time(self):
        for seed in range(50):
            until = 0.0
            for blow in faults.plan("mix", seed, 8, 600, faults.MIXED):
                if blow.fault in ("cut", "oneway"):
                    self.assertLess(until, blow.at)
                    until = blow.at + blow.lasts

    def test_some_are_spared(self):
        for seed in range(50):
            blows = faults.plan("mix", seed, 8, 600, faults.MIXED)
            hurt = {number for blow in blows for number in blow.targets
                    if blow.fault not in faults.EVERYBODY}
            self.assertLessEqual(len(hurt), 6)

    def test_only_what_was_asked_for(self):
        blows = faults.plan("mix", 3, 8, 160, ["kill", "cut"])
        self.assertEqual({blow.fault for blow in blows}, {"kill", "cut"})


if __name__ == "__main__":
    unittest.main()
