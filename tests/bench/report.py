"""What a run of scripts/bench has measured, as tables and plots.

A run is a dictionary, and run.json in a file: "machine", "command", "date", "minutes", "sizes",
"versions", "left_out" (what, why), and "figures": figure -> system -> group size as text -> value,
which is median, min, max, n and unit (of finds also p99)."""
import pathlib
import re

import plot

BEGIN = "<!-- beside: begin; scripts/bench --readme writes this -->"
END = "<!-- beside: end -->"

# Figures over group sizes of gridpeer and of serf: gridpeer's, serf's, in words.
PAIRS = (("converge", "converge", "first start until all agree on the members (serf's are 20 "
                                  "ms apart)"),
         ("converge", "converge_last", "the same, serf from its last start"),
         ("kill", "kill", "kill -9 of a member until all others say so"),
         ("freeze", "freeze", "SIGSTOP of a member until all others say so"),
         ("cpu", "cpu", "idle CPU of an agent"),
         ("rss", "rss", "memory of an agent, RSS"),
         ("pss", "pss", "memory of an agent, PSS"),
         ("sent", "sent", "bytes/s sent by an idle agent, mean of all"))
# Figures over group sizes that are gridpeer's alone.
ALONE = (("sent_members", "bytes/s sent by an idle agent that does not lead, median"),
         ("sent_super_peer", "bytes/s sent by the super-peer"),
         ("cpu_super_peer", "idle CPU of the super-peer"),
         ("find_1", "a find, 1 client"), ("find_8", "a find, 8 clients at once"),
         ("find_rate_1", "finds a second, 1 client"),
         ("find_rate_8", "finds a second, 8 clients at once"))
# Figures of one group each: its row's name by system.
SINGLE = (("failover", "kill -9 of the leader", {
               "gridpeer": "9 machines; until its successor answers a find with a mandate",
               "etcd": "3 members; until a survivor acknowledges a write",
               "redis-sentinel": "3 sentinels, down-after 1 s; until the new primary takes a "
                                 "write"}),
          ("handover", "the leader leaves in good order", {
              "gridpeer": "the longest find", "etcd": "the longest gap between writes"}),
          ("signed", "signed messages a second", {
              "signed": "signed by one core", "verified": "verified and read by one core",
              "between": "from one process to another over CURVE"}))


def values_of(run, figure, system):
    return run["figures"].get(figure, {}).get(system, {})


def amount(value, unit):
    """A value as people say it."""
    if unit == "ms" and value >= 1000:
        return f"{plot.number(value / 1000)} s"
    return f"{plot.number(value)} {unit}"


def ratio(peer, ours):
    if not ours:
        return "-"
    return f"{peer / ours:,.0f} ×" if peer / ours >= 10 else f"{peer / ours:.2g} ×"


def pair_cell(ours, peer):
    if ours is None and peer is None:
        return "-"
    one = amount(ours["median"], ours["unit"]) if ours else "-"
    other = amount(peer["median"], peer["unit"]) if peer else "-"
    share = f" / **{ratio(peer['median'], ours['median'])}**" if ours and peer else ""
    return f"{one} / {other}{share}"


def pair_table(run):
    """Medians of gridpeer and serf over group sizes."""
    sizes = run["sizes"]
    out = ["| gridpeer / serf / **serf ÷ gridpeer** | " + " | ".join(map(str, sizes)) + " |",
           "|---|" + "---|" * len(sizes)]
    for figure, peer_figure, words in PAIRS:
        ours, peers = values_of(run, figure, "gridpeer"), values_of(run, peer_figure, "serf")
        cells = [pair_cell(ours.get(str(size)), peers.get(str(size))) for size in sizes]
        out.append(f"| {words} | " + " | ".join(cells) + " |")
    for figure, words in ALONE:
        ours = values_of(run, figure, "gridpeer")
        if ours:
            cells = [find_cell(ours.get(str(size))) for size in sizes]
            out.append(f"| {words} (gridpeer alone) | " + " | ".join(cells) + " |")
    return out


def find_cell(value):
    if value is None:
        return "-"
    tail = f" (p99 {amount(value['p99'], value['unit'])})" if "p99" in value else ""
    return amount(value["median"], value["unit"]) + tail


def single_value(run, figure, system):
    return next(iter(values_of(run, figure, system).values()), None)


def span(value):
    """Median / least / greatest, in one unit; of one value, that."""
    thousand = value["unit"] == "ms" and value["median"] >= 1000
    parts = [value[key] / 1000 if thousand else value[key] for key in ("median", "min", "max")]
    parts = parts if value["n"] > 1 else parts[:1]
    text = " / ".join(plot.number(part) for part in parts)
    return f"{text} {'s' if thousand else value['unit']}"


def single_table(run):
    out = ["| | system | median / least / greatest | ÷ gridpeer |", "|---|---|---|---|"]
    for figure, words, systems in SINGLE:
        ours = single_value(run, figure, "gridpeer")
        for system, detail in systems.items():
            value = single_value(run, figure, system)
            if value is None:
                continue
            name = "gridpeer" if figure == "signed" else system
            share = ratio(value["median"], ours["median"]) if ours and name != "gridpeer" else ""
            out.append(f"| {words}: {detail} | {name} | {span(value)} | {share} |")
    return out


def heading(run):
    machine = run["machine"]
    return (f"{run['date']}, {machine['cores']} cores ({machine['cpu']}), {machine['memory_gib']} "
            f"GiB, Linux {machine['kernel']}; `{run['command']}`, {run['minutes']} minutes"
            + ("; **a quick run, with few repetitions**" if run["quick"] else ""))


def versions(run):
    return ", ".join(f"{name} {version}" for name, version in run["versions"].items())


def left_out(run):
    return [f"- Left out: {item['what']}: {item['why']}" for item in run["left_out"]]


def readme_section(run, folder):
    """What stands in the README: `folder` is where the plots are, as a path from there."""
    images = "\n".join(f'<img src="{folder}/{name}.svg" width="49%" alt="{name}">'
                       for name in ("detection", "failover", "sent", "memory")
                       if name in plots(run))
    return "\n".join([
        BEGIN, f"{heading(run)}. Medians; more than 1 × is in favour of gridpeer.", "",
        *pair_table(run), "", *single_table(run), "", *left_out(run),
        *([""] * bool(run["left_out"])), images, "",
        f"All values and plots: [{folder}]({folder}/README.md).", END])


def put_into(text, section):
    """The text with its marked section replaced."""
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.S)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"needs exactly one section from '{BEGIN}' to '{END}'")
    return pattern.sub(lambda _: section, text)


def page(run):
    """The page that is written beside the plots: every value."""
    out = ["# gridpeer beside others", "", f"{heading(run)}. Written by it; do not edit. How it is "
           "measured: [tests/bench](../README.md).", "", versions(run) + ".", ""]
    out += left_out(run) + [""] * bool(run["left_out"])
    out += ["| figure | system | machines | median | least | greatest | p99 | n |",
            "|---|---|---|---|---|---|---|---|"]
    for figure, words in (*(pair[1:] for pair in PAIRS), *ALONE):
        for system, values in run["figures"].get(figure, {}).items():
            for size, value in sorted(values.items(), key=lambda item: int(item[0])):
                out.append(page_row(words, system, size, value))
    for figure, words, systems in SINGLE:
        for system, detail in systems.items():
            for size, value in values_of(run, figure, system).items():
                out.append(page_row(f"{words}: {detail}",
                                    "gridpeer" if figure == "signed" else system, size, value))
    for system, values in sorted(run["figures"].get("memory", {}).items()):
        for size, value in values.items():
            out.append(page_row("memory of a member, RSS", system, size, value))
    return "\n".join(out + [""] + [f"![{name}]({name}.svg)" for name in plots(run)]) + "\n"


def page_row(words, system, size, value):
    unit = value["unit"]
    cells = [f"{plot.number(value[key])} {unit}" if key in value else ""
             for key in ("median", "min", "max", "p99")]
    return f"| {words} | {system} | {size} | " + " | ".join(cells) + f" | {value['n']} |"


def series(name, color, values, dashed=False, high="max"):
    return plot.Series(name, color, [
        plot.Value(int(size), value["median"], value["min"], value.get(high, value["max"]))
        for size, value in sorted(values.items(), key=lambda item: int(item[0]))], dashed)


def caption(run, note, over_sizes):
    machine = run["machine"]
    quick = ["A quick run, with few repetitions."] if run["quick"] else []
    sizes = [f"{item['what']}: {item['why']}." for item in run["left_out"]
             if "machines" in item["what"]] if over_sizes else []
    return [note, *sizes, *quick, f"{run['date']}; {machine['cores']} cores, {machine['cpu']}; "
            f"{run['command']}; {versions(run)}."]


def line_plots(run):
    """Name -> (chart, series) of what is drawn over group sizes."""
    def get(figure, system):
        return values_of(run, figure, system)

    def pair(figure, ours, peer, dashed=False):
        return [series(ours, 0, get(figure, "gridpeer"), dashed),
                series(peer, 1, get(figure, "serf"), dashed)]

    rounds, agents = "Median; whiskers: least and greatest round.", \
        "Median of the agents; whiskers: least and greatest."
    ours_only = "Median; whiskers: least and 99th percentile."
    return {
        "convergence": (("From start until all agree", rounds, "time", "ms",
                         "gridpeer: from the start of the first agent until all agree on members "
                         "and super-peer; serf, whose agents start 20 ms apart: until all see "
                         "all."),
                        [*pair("converge", "gridpeer", "serf"),
                         series("serf, from its last start", 1, get("converge_last", "serf"),
                                True)]),
        "detection": (("From the death of a machine until all others say so", rounds, "time", "ms",
                       "kill: SIGKILL; freeze: SIGSTOP."),
                      [*pair("kill", "gridpeer, kill", "serf, kill"),
                       *pair("freeze", "gridpeer, freeze", "serf, freeze", dashed=True)]),
        "cpu": (("Idle CPU of an agent", agents, "CPU", "% of a core",
                 "gridpeer's greatest is its super-peer; serf's is counted in ticks of 10 ms, and "
                 "a whisker that reaches the axis goes to 0."), pair("cpu", "gridpeer", "serf")),
        "memory": (("Memory of an idle agent", agents, "memory", "MiB",
                    "PSS: pages that several agents share are counted in parts."),
                   [*pair("rss", "gridpeer, RSS", "serf, RSS"),
                    *pair("pss", "gridpeer, PSS", "serf, PSS", dashed=True)]),
        "sent": (("Bytes a second that an idle agent sends", "Of all agents: mean, from the "
                  "counters of the loopback device.", "sent", "bytes/s",
                  "gridpeer, does not lead: median of the agents that are not the super-peer, by "
                  "their TCP counters; whiskers: least and greatest, which is the deputy."),
                 [*pair("sent", "gridpeer, mean of all", "serf, mean of all"),
                  series("gridpeer, does not lead", 0, get("sent_members", "gridpeer"), True)]),
        "find": (("How long a find takes", ours_only, "time", "ms",
                  "Clients of one agent, not the super-peer, over its API's socket, for 2 s."),
                 [series("1 client", 0, get("find_1", "gridpeer"), high="p99"),
                  series("8 clients at once", 3, get("find_8", "gridpeer"), True, high="p99")]),
        "find_rate": (("Finds a second", "One window each.", "rate", "finds/s",
                       "Clients of one agent, not the super-peer, over its API's socket, for 2 s; "
                       "for longer, a super-peer lets in 2,000 messages a second of one "
                       "machine. All agents and clients share the machine's cores."),
                      [series("1 client", 0, get("find_rate_1", "gridpeer")),
                       series("8 clients at once", 3, get("find_rate_8", "gridpeer"), True)]),
    }


ROW_NAMES = {"gridpeer": "gridpeer, 9 machines: a find", "etcd": "etcd, 3 members: a write",
             "redis-sentinel": "redis-sentinel, 1+2+3: a write"}


def row_plots(run):
    def row(figure, system, name, color):
        value = single_value(run, figure, system)
        values = [plot.Value(name, value["median"], value["min"], value["max"])] if value else []
        return plot.Series(system, color, values)

    return {
        "failover": (("From kill -9 of the leader until it works again",
                      "Median; whiskers: least and greatest round.", "time", "ms",
                      "gridpeer: until the successor answers a find with a majority's mandate. "
                      "etcd (default time-outs), redis-sentinel (down-after 1 s; the default is "
                      "30 s): until a write is acknowledged."),
                     [row("failover", system, name, color)
                      for color, (system, name) in zip((0, 2, 3), ROW_NAMES.items())]),
        "signed": (("Signed messages a second", "Ed25519 over a FIND; one process a side.",
                    "rate", "messages/s", "From one process to another: signed, sent over CURVE on "
                    "loopback, checked for replay, verified and read."),
                   [row("signed", name, words, 0) for name, words in SINGLE[2][2].items()]),
    }


def plots(run):
    """Name -> the text of its SVG; what was not measured is not there."""
    out = {}
    for draw, table in ((plot.lines, line_plots(run)), (plot.rows, row_plots(run))):
        for name, ((title, subtitle, quantity, unit, note), many) in table.items():
            if any(one.values for one in many):
                chart = plot.Chart(title, subtitle, quantity, unit,
                                   caption(run, note, draw is plot.lines), "machines in the group")
                out[name] = draw(chart, many)
    return out


def write(run, folder):
    """All plots and the page into that folder; those of former runs go."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = plots(run)
    for name, text in drawn.items():
        (folder / f"{name}.svg").write_text(text)
    for stale in set(line_plots(run)) | set(row_plots(run)):
        if stale not in drawn:
            (folder / f"{stale}.svg").unlink(missing_ok=True)
    (folder / "README.md").write_text(page(run))
