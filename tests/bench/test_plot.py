#!/usr/bin/env python3
"""A plot is XML, has all that it was given, and puts it where it belongs."""
import sys
import unittest
import xml.etree.ElementTree as ET

sys.dont_write_bytecode = True
import plot  # noqa: E402
from plot import Chart, Series, Value  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
CHART = Chart("How soon a death is known", "medians", "time", "ms",
              ["1 January", "2 cores & <one> disk"], "machines")
OURS = Series("ours", 0, [Value(5, 20, 10, 30), Value(20, 25, 12, 40)])
PEER = Series("peer, frozen", 1, [Value(5, 6000, 5500, 7000), Value(20, 7000, 6500, 8000),
                                  Value(200, 11000, 10700, 12800)], dashed=True)


def parsed(text):
    return ET.fromstring(text)


def texts(root):
    return [element.text or "" for element in root.iter(SVG + "text")]


def groups(root, name):
    return [element for element in root.iter(SVG + "g") if element.get("class") == name]


def points(group):
    line = group.find(SVG + "polyline")
    return [tuple(float(part) for part in pair.split(",")) for pair in line.get("points").split()]


class Lines(unittest.TestCase):
    def test_it_has_each_series_and_each_value(self):
        root = parsed(plot.lines(CHART, [OURS, PEER]))
        self.assertEqual(root.tag, SVG + "svg")
        self.assertIn("ours", texts(root))
        self.assertIn("peer, frozen", texts(root))
        self.assertEqual(len(groups(root, "legend")), 2)
        ours, peer = groups(root, "series")
        self.assertEqual((len(points(ours)), len(points(peer))), (2, 3))
        whiskers = [item for item in root.iter(SVG + "path") if "whisker" in item.get("class")]
        self.assertEqual(len(whiskers), 5)
        titles = [element.text for element in peer.iter(SVG + "title")]
        self.assertIn("peer, frozen, 200: 11,000 ms (10,700 to 12,800)", titles)

    def test_it_says_what_and_where(self):
        seen = texts(parsed(plot.lines(CHART, [OURS, PEER])))
        for text in ("How soon a death is known", "medians", "machines", "time, ms (logarithmic)",
                     "1 January", "2 cores & <one> disk", "5", "20", "200"):
            self.assertIn(text, seen)

    def test_more_is_higher_and_larger_is_further_right(self):
        ours, peer = groups(parsed(plot.lines(CHART, [OURS, PEER])), "series")
        (first, low), (second, high) = points(ours)
        self.assertLess(first, second)
        self.assertGreater(low, high)
        self.assertGreater(min(y for _, y in points(ours)), max(y for _, y in points(peer)))

    def test_all_is_inside(self):
        for series in ([OURS, PEER], [OURS], [Series("z", 2, [Value(5, 0, 0, 0)])],
                       [Series("z", 3, [Value(5, 0.05, 0, 0.5), Value(20, 50, 1, 60)])]):
            root = parsed(plot.lines(CHART, series))
            for group in groups(root, "series"):
                for x, y in points(group):
                    self.assertTrue(plot.LEFT <= x <= plot.WIDTH - plot.RIGHT, x)
                    self.assertTrue(plot.TOP <= y <= plot.TOP + plot.PLOT_HEIGHT, y)

    def test_close_values_are_linear_from_zero(self):
        root = parsed(plot.lines(CHART, [OURS]))
        self.assertIn("time, ms", texts(root))
        self.assertIn("0", texts(root))
        self.assertNotIn("time, ms (logarithmic)", texts(root))

    def test_a_series_without_values_is_left_out(self):
        root = parsed(plot.lines(CHART, [OURS, Series("nobody", 2, [])]))
        self.assertNotIn("nobody", texts(root))
        with self.assertRaises(ValueError):
            plot.lines(CHART, [Series("nobody", 2, [])])

    def test_it_follows_light_and_dark(self):
        root = parsed(plot.lines(CHART, [OURS]))
        self.assertIn("prefers-color-scheme:dark", root.find(SVG + "style").text)

    def test_a_long_caption_is_wrapped(self):
        chart = Chart("t", "s", "time", "ms", ["word " * 60])
        lines = [text for text in texts(parsed(plot.lines(chart, [OURS]))) if "word" in text]
        self.assertGreater(len(lines), 2)
        self.assertLessEqual(max(map(len, lines)), plot.CAPTION_COLUMNS)


class Rows(unittest.TestCase):
    def test_one_row_for_each_value(self):
        root = parsed(plot.rows(CHART, [Series("a", 0, [Value("our system", 34, 23, 115)]),
                                        Series("b", 1, [Value("another", 1640, 1010, 2300)])]))
        self.assertEqual(len(groups(root, "series")), 2)
        for text in ("our system", "another", "34", "1,640", "time, ms (logarithmic)"):
            self.assertIn(text, texts(root))
        ours, other = (group.find(SVG + "circle") for group in groups(root, "series"))
        self.assertLess(float(ours.get("cx")), float(other.get("cx")))
        self.assertLess(float(ours.get("cy")), float(other.get("cy")))

    def test_none_at_all_is_an_error(self):
        with self.assertRaises(ValueError):
            plot.rows(CHART, [])


class Scales(unittest.TestCase):
    def test_ticks_hold_all_values(self):
        for values in ([1, 9], [3, 31], [0.05, 0.55], [0.2, 12000], [7], [0, 0]):
            scale = plot.Scale(values, 0, 100)
            self.assertLessEqual(max(values), scale.high * 1.0001)
            self.assertLessEqual(max(scale.ticks(8)), scale.high * 1.0001)
            self.assertTrue(2 <= len(scale.ticks(8)) <= 9, scale.ticks(8))
            self.assertEqual(scale.at(scale.high), 100)


if __name__ == "__main__":
    unittest.main()
