#!/usr/bin/env python3
"""The lines with branches that no test takes, each with its reason from tests/coverage.reasons.

Usage: tests/coverage.py [--lines] [--reasons] [--check] [GCOVR_JSON]
  --lines      print each such line of gcovr's JSON report with its reason, or "no reason"
  --reasons    print those that have none, and exit 1 if there is any
  --check      look at the reasons alone: their form and order, and that their lines still exist

It always says how many entries fit no line of the sources any more; with --reasons or --check that
is an error. A line is known by its text, so that edits elsewhere do not shift its entry; where a
file has the same text several times, one entry stands for all of them.

Example: gcovr --branches --json - | tests/coverage.py --lines /dev/stdin
"""
import argparse
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
REASONS = ROOT / "tests" / "coverage.reasons"
SEPARATOR = " | "


def read_reasons(text):
    """The entries as {(path, line): reason}, and what is wrong with the file's form."""
    entries, faults, last = {}, [], ("", "")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        path, _, rest = line.partition(SEPARATOR)
        source, _, reason = rest.rpartition(SEPARATOR)  # the source may have a "|" itself
        key = (path, source)
        if not source.strip() or not reason.strip():
            faults.append(f"{number}: not 'path | source line | reason'")
            continue
        if key in entries:
            faults.append(f"{number}: a second entry for the same line")
        elif key < last:
            faults.append(f"{number}: not in order")
        entries[key] = reason.strip()
        last = key
    return entries, faults


def source_lines(root, path):
    try:
        return [line.strip() for line in (root / path).read_text(encoding="utf-8").split("\n")]
    except FileNotFoundError:
        return []


def stale(entries, root):
    """Entries whose line is gone from its file."""
    texts = {path: set(source_lines(root, path)) for path, _ in entries}
    return [key for key in entries if key[1] not in texts[key[0]]]


def missed(report, root):
    """(path, line number, branches not taken, text) of each line with such branches."""
    for file in report["files"]:
        texts = source_lines(root, file["file"])
        for line in file["lines"]:
            count = sum(1 for branch in line.get("branches", []) if branch["count"] == 0)
            if count and not line.get("gcovr/noncode", False):
                number = line["line_number"]
                yield file["file"], number, count, texts[number - 1]


def judge(report, entries, root, show_lines, show_missing):
    """Prints what was asked for; returns the number of lines without a reason."""
    total = without = 0
    for path, number, count, text in missed(report, root):
        reason = entries.get((path, text))
        total += 1
        without += reason is None
        if show_lines or (show_missing and reason is None):
            print(f"{path + ':' + str(number):40} {count} {text}")
            print(f"{'':42} {'no reason' if reason is None else '= ' + reason}")
    print(f"{total} lines with branches that no test takes, {without} of them without a reason")
    return without


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", action="store_true")
    parser.add_argument("--reasons", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("report", nargs="?", help="gcovr's JSON report")
    arguments = parser.parse_args()
    entries, faults = read_reasons(REASONS.read_text(encoding="utf-8"))
    for fault in faults:
        print(f"{REASONS.relative_to(ROOT)}:{fault}")
    without = 0
    if arguments.report:
        with open(arguments.report, encoding="utf-8") as report:
            without = judge(json.load(report), entries, ROOT, arguments.lines, arguments.reasons)
    gone = stale(entries, ROOT)
    for path, text in gone:
        print(f"{REASONS.relative_to(ROOT)}: no such line any more: {path}{SEPARATOR}{text}")
    print(f"{len(entries)} reasons, {len(gone)} of them fit no line of the sources any more")
    strict = arguments.reasons or arguments.check
    return 1 if strict and (faults or gone or without) else 0


if __name__ == "__main__":
    sys.exit(main())
