"""Plots as SVG, with nothing but the standard library: lines over group sizes, and rows of dots.
Whiskers go from the least to the greatest value; an axis is logarithmic where values differ by more
than ten times. Colours follow the reader's light or dark scheme."""
import dataclasses
import math
import xml.etree.ElementTree as ET

WIDTH, LEFT, RIGHT, TOP = 640, 74, 24, 84
PLOT_HEIGHT, ROW_HEIGHT, CAPTION_LINE = 250, 40, 15
CAPTION_COLUMNS = 104

# For each series: in light, in dark.
COLORS = (("#0b62c4", "#58a6ff"), ("#c2410c", "#fb923c"), ("#15803d", "#4ade80"),
          ("#7c3aed", "#c4b5fd"))
PAPER = (("paper", "fill", "#ffffff", "#0d1117"), ("ink", "fill", "#1f2328", "#e6edf3"),
         ("faint", "fill", "#59636e", "#9198a1"), ("grid", "stroke", "#d8dee4", "#30363d"),
         ("axis", "stroke", "#59636e", "#9198a1"))


@dataclasses.dataclass
class Value:
    """A median with its least and greatest value; x is a group size, or the name of a row."""
    x: object
    median: float
    low: float
    high: float


@dataclasses.dataclass
class Series:
    name: str
    color: int
    values: list
    dashed: bool = False


@dataclasses.dataclass
class Chart:
    title: str
    subtitle: str
    quantity: str  # what the axis of values shows, and its unit
    unit: str
    caption: list  # lines of text, wrapped here
    x_label: str = ""


class Scale:
    """From values to pixels, and the ticks between."""

    def __init__(self, values, start, end):
        positive = [value for value in values if value > 0]
        self.start, self.end = start, end
        self.log = bool(positive) and max(positive) > 10 * min(positive)
        if self.log:
            self.low = step_below(min(positive))
            self.high = step_above(max(positive))
        else:
            self.low, self.high = 0.0, max(positive, default=1.0)
            self.step = step_above(self.high / 6)
            self.high = math.ceil(self.high / self.step - 1e-9) * self.step

    def at(self, value):
        if self.log:
            value = max(value, self.low)
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, most):
        """At most so many on a logarithmic axis, if the powers of ten are no more."""
        if not self.log:
            return [self.step * i for i in range(round(self.high / self.step) + 1)]
        all_steps = steps_between(self.low, self.high)
        tens = [tick for tick in all_steps if f"{tick:e}".startswith("1")]
        return all_steps if len(all_steps) <= most or len(tens) < 2 else tens

    def label(self, chart):
        return f"{chart.quantity}, {chart.unit}{' (logarithmic)' if self.log else ''}"


def steps_between(low, high):
    """1, 2 and 5 times powers of ten."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = [digit * 10.0 ** power for power in range(first, last + 1) for digit in (1, 2, 5)]
    return [step for step in steps if low * 0.999 <= step <= high * 1.001]


def step_below(value):
    return max(steps_between(value / 10, value))


def step_above(value):
    return min(steps_between(value, value * 10))


def number(value):
    """Three digits that count, thousands apart."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def style():
    def rules(shade):
        text = "".join(f".{name}{{{what}:{pair[shade]}}}" for name, what, *pair in PAPER)
        for index, pair in enumerate(COLORS):
            text += f".fill{index}{{fill:{pair[shade]}}}.stroke{index}{{stroke:{pair[shade]}}}"
        return text
    return ("text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
            + rules(0) + "@media (prefers-color-scheme:dark){" + rules(1) + "}")


def add(parent, tag, text=None, **attributes):
    names = {name.rstrip("_").replace("_", "-"): str(value) for name, value in attributes.items()}
    element = ET.SubElement(parent, tag, names)
    element.text = text
    return element


def wrapped(lines):
    out = []
    for line in lines:
        out.append("")
        for word in line.split():
            if len(out[-1]) + 1 + len(word) > CAPTION_COLUMNS:
                out.append("")
            out[-1] = f"{out[-1]} {word}".strip()
    return out


def sheet(chart, bottom):
    """The paper with all that is not data; `bottom` is where the caption begins."""
    caption = wrapped(chart.caption)
    height = bottom + CAPTION_LINE * len(caption) + 10
    root = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img",
                              "viewBox": f"0 0 {WIDTH} {height}", "width": str(WIDTH),
                              "height": str(height), "aria-label": chart.title})
    add(root, "title", chart.title)
    add(root, "style", style())
    add(root, "rect", class_="paper", width=WIDTH, height=height)
    add(root, "text", chart.title, class_="ink", x=16, y=25, font_size=16, font_weight=600)
    add(root, "text", chart.subtitle, class_="faint", x=16, y=44, font_size=12)
    for index, line in enumerate(caption):
        add(root, "text", line, class_="faint", x=16, y=bottom + CAPTION_LINE * index + 8,
            font_size=11)
    return root


def legend(root, series):
    x = 16
    for one in series:
        group = add(root, "g", class_="legend")
        add(group, "line", class_=f"stroke{one.color}", x1=x, x2=x + 24, y1=63, y2=63,
            stroke_width=2, **({"stroke_dasharray": "5 3"} if one.dashed else {}))
        marker(group, one, x + 12, 63)
        add(group, "text", one.name, class_="ink", x=x + 30, y=67, font_size=12)
        x += 48 + round(6.6 * len(one.name))


def marker(parent, series, x, y):
    if series.dashed:
        return add(parent, "rect", class_=f"fill{series.color}", x=x - 3.5, y=y - 3.5, width=7,
                   height=7)
    return add(parent, "circle", class_=f"fill{series.color}", cx=x, cy=y, r=4)


def told(name, value, unit):
    span = "" if value.low == value.high else f" ({number(value.low)} to {number(value.high)})"
    return f"{name}, {value.x}: {number(value.median)} {unit}{span}"


def axis_of_sizes(root, sizes, bottom, label):
    """The sizes at their logarithms, the first and the last a little inside; where each one is."""
    first, last = LEFT + 40, WIDTH - RIGHT - 40
    span = math.log(max(sizes) / min(sizes)) or 1.0
    places = {}
    for size in sizes:
        share = math.log(size / min(sizes)) / span if len(sizes) > 1 else 0.5
        places[size] = first + share * (last - first)
        add(root, "line", class_="axis", x1=places[size], x2=places[size], y1=bottom,
            y2=bottom + 5)
        add(root, "text", f"{size:,}", class_="ink", x=places[size], y=bottom + 19, font_size=12,
            text_anchor="middle")
    add(root, "text", label, class_="faint", x=(first + last) / 2, y=bottom + 37, font_size=12,
        text_anchor="middle")
    return places


def draw_series(root, chart, one, place):
    """place: of a value's x and of a number, in pixels."""
    group = add(root, "g", class_="series")
    points = [(place(value.x, value.median), value) for value in one.values]
    add(group, "polyline", class_=f"stroke{one.color}", fill="none", stroke_width=2,
        points=" ".join(f"{x},{y}" for (x, y), _ in points),
        **({"stroke_dasharray": "5 3"} if one.dashed else {}))
    for (x, y), value in points:
        low, high = place(value.x, value.low)[1], place(value.x, value.high)[1]
        if low != high:
            add(group, "path", class_=f"stroke{one.color} whisker", fill="none", stroke_width=1.4,
                d=f"M{x - 4} {low}h8M{x} {low}V{high}M{x - 4} {high}h8")
        add(marker(group, one, x, y), "title", told(one.name, value, chart.unit))


def lines(chart, series):
    """Values over group sizes, as the text of an SVG document; series without values are not in."""
    series = [one for one in series if one.values]
    if not series:
        raise ValueError(f"nothing to draw in: {chart.title}")
    bottom = TOP + PLOT_HEIGHT
    root = sheet(chart, bottom + 58)
    legend(root, series)
    scale = Scale([number_ for one in series for value in one.values
                   for number_ in (value.low, value.median, value.high)], bottom, TOP)
    for tick in scale.ticks(8):
        y = scale.at(tick)
        add(root, "line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y)
        add(root, "text", number(tick), class_="ink", x=LEFT - 8, y=y + 4, font_size=12,
            text_anchor="end")
    middle = (TOP + bottom) / 2
    add(root, "text", scale.label(chart), class_="faint", x=20, y=middle, font_size=12,
        text_anchor="middle", transform=f"rotate(-90 20 {middle})")
    add(root, "line", class_="axis", x1=LEFT, x2=WIDTH - RIGHT, y1=bottom, y2=bottom)
    sizes = sorted({value.x for one in series for value in one.values})
    places = axis_of_sizes(root, sizes, bottom, chart.x_label)
    for index, one in enumerate(series):
        aside = 7 * (index - (len(series) - 1) / 2)  # so that no whisker hides another
        draw_series(root, chart, one,
                    lambda x, y, aside=aside: (round(places[x] + aside, 1), scale.at(y)))
    return text_of(root)


def rows(chart, series):
    """One row for each value of each series, as the text of an SVG document."""
    values = [(one, value) for one in series for value in one.values]
    if not values:
        raise ValueError(f"nothing to draw in: {chart.title}")
    top, left = 56, 60 + round(6.4 * max(len(str(value.x)) for _, value in values))
    bottom = top + ROW_HEIGHT * len(values)
    root = sheet(chart, bottom + 58)
    scale = Scale([number_ for _, value in values
                   for number_ in (value.low, value.median, value.high)], left, WIDTH - RIGHT - 90)
    for tick in scale.ticks(6):
        x = scale.at(tick)
        add(root, "line", class_="grid", x1=x, x2=x, y1=top, y2=bottom)
        add(root, "text", number(tick), class_="ink", x=x, y=bottom + 18, font_size=12,
            text_anchor="middle")
    add(root, "text", scale.label(chart), class_="faint", x=(left + WIDTH - RIGHT - 90) / 2,
        y=bottom + 37, font_size=12, text_anchor="middle")
    for index, (one, value) in enumerate(values):
        y = top + ROW_HEIGHT * (index + 0.5)
        group = add(root, "g", class_="series")
        low, x, high = scale.at(value.low), scale.at(value.median), scale.at(value.high)
        add(group, "text", str(value.x), class_="ink", x=16, y=y + 4, font_size=12)
        if low != high:
            add(group, "path", class_=f"stroke{one.color} whisker", fill="none", stroke_width=1.6,
                d=f"M{low} {y - 5}v10M{low} {y}H{high}M{high} {y - 5}v10")
        add(marker(group, one, x, y), "title", told(one.name, value, chart.unit))
        add(group, "text", f"{number(value.median)}", class_="ink", x=max(x, high) + 10, y=y + 4,
            font_size=12, font_weight=600)
    return text_of(root)


def text_of(root):
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
