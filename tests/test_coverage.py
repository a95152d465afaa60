#!/usr/bin/env python3
"""The reasons for untaken branches: how they are read, and that those of this tree still fit."""
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import coverage  # noqa: E402


def report(number, counts):
    return {"files": [{"file": "a.c", "lines": [
        {"line_number": number, "branches": [{"count": count} for count in counts]}]}]}


class Reasons(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "a.c").write_text("int x;\n    if (a || b) {\n    flags = a | b;\n")

    def judge(self, text, number, counts):
        entries, faults = coverage.read_reasons(text)
        self.assertEqual(faults, [])
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            without = coverage.judge(report(number, counts), entries, self.root, True, True)
        return without, output.getvalue()

    def test_a_line_is_known_by_its_text(self):
        without, output = self.judge("# head\n\na.c | if (a || b) { | b cannot be\n", 2, [3, 0])
        self.assertEqual(without, 0)
        self.assertIn("b cannot be", output)

    def test_a_line_without_a_reason_is_told(self):
        for text in "", "b.c | if (a || b) { | another file\n":
            without, output = self.judge(text, 2, [0, 0])
            self.assertEqual(without, 1)
            self.assertIn("no reason", output)
            self.assertIn("a.c:2", output)

    def test_a_line_all_taken_needs_none(self):
        self.assertEqual(self.judge("", 2, [1, 7])[0], 0)

    def test_the_source_may_have_a_bar(self):
        entries, faults = coverage.read_reasons("a.c | flags = a | b; | some reason\n")
        self.assertEqual(entries, {("a.c", "flags = a | b;"): "some reason"})
        self.assertEqual(faults, [])

    def test_form_and_order(self):
        for text in "a.c | if (a || b) {\n", "a.c |  | why\n", "words\n":
            self.assertEqual(len(coverage.read_reasons(text)[1]), 1, text)
        self.assertEqual(len(coverage.read_reasons("b | x | y\na | x | y\n")[1]), 1)
        self.assertEqual(len(coverage.read_reasons("a | x | y\na | x | z\n")[1]), 1)

    def test_stale_entries_are_found(self):
        entries, _ = coverage.read_reasons("a.c | if (a || b) { | y\na.c | if (c) { | y\n"
                                           "gone.c | int x; | y\n")
        self.assertEqual(coverage.stale(entries, self.root),
                         [("a.c", "if (c) {"), ("gone.c", "int x;")])

    def test_those_of_this_tree(self):
        entries, faults = coverage.read_reasons(coverage.REASONS.read_text(encoding="utf-8"))
        self.assertEqual(faults, [])
        self.assertEqual(coverage.stale(entries, coverage.ROOT), [])


if __name__ == "__main__":
    unittest.main()
