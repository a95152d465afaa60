"""What clients saw, judged: a pure function from the lines of a history to what is wrong with it.

A history is a list of records (one JSON object a line). Times are seconds of one monotonic clock
of the machine that all agents run on; what a client was told in an answer was true at some moment
between `start` (it asked) and `end` (it was answered).

  run      nodes, faults (kinds that the plan has), agree_s
  status   node, start, end, leader, term, mandate, uptime_ms      an answer of /v1/status
  entry    node, start, end, seq, hash, what, detail      a line of a log that is new since `start`
  again    node, seq, hash                         a line of a log, read once more in the end
  find     node, start, end, mandate, partial, by, term   an answer of /v1/find
  job      id, home, start, end, job, state, reason, code   job: the number that acknowledged it, or
                                                   null; state: null if its end was never told
  fault    fault, nodes, excused, start, end, effect       what was done to whom, and how often
  died     node, at, exit                                  an agent that nobody ended
  calm     at                                              from here on nothing is done any more
  agreed   at, leader                                      all say the same
  listed   home, jobs [{job, state}], at                   /v1/jobs after that
  marks    ids {id: count}                                 what the jobs themselves left behind
  stopped  node, exit                                      how the agent ended when told to stop

`excused` are the machines that may rightly be called unavailable because of a fault.
"""
import collections
import re

GRACE_S = 5.0  # after a fault, until whoever suffered it is known to be well again
JOBS_KEPT = 256  # GP_JOBS_MAX: a home forgets older jobs that have ended
UNAVAILABLE = re.compile(r"^(\S+) is unavailable\b")
ENDED = ("done", "failed", "cancelled", "lost")


def of_kind(records, kind):
    return [record for record in records if record["kind"] == kind]


def quorum_words(records):
    """All that anybody said about who leads by a majority: (term, leader, who says so, when)."""
    for record in of_kind(records, "status"):
        if record["mandate"] == "quorum" and record["leader"]:
            yield record["term"], record["leader"], record["node"], record["end"]
    for record in of_kind(records, "find"):
        if record["mandate"] == "quorum" and record["by"]:
            yield record["term"], record["by"], record["node"], record["end"]


def check_one_leader_a_term(records):
    first = {}
    for term, leader, node, at in quorum_words(records):
        known = first.setdefault(term, (leader, node, at))
        if known[0] != leader:
            yield (f"two leaders in term {term}: {known[0]} says {known[1]} at {known[2]:.3f}, "
                   f"{leader} says {node} at {at:.3f}")


def reigns(records):
    """For how long each machine surely led: from its first word of it to the last, by term."""
    spans = {}
    for record in of_kind(records, "status"):
        if record["mandate"] == "quorum" and record["leader"] == record["node"]:
            key = record["node"], record["term"]
            begin, end = spans.get(key, (record["end"], record["start"]))
            spans[key] = min(begin, record["end"]), max(end, record["start"])
    return spans


def check_no_two_lead_at_once(records):
    latest = None
    spans = sorted((begin, end, node, term) for (node, term), (begin, end)
                   in reigns(records).items() if begin <= end)
    for span in spans:
        if latest is not None and span[0] < latest[1] and span[2] != latest[2]:
            yield (f"{latest[2]} (term {latest[3]}) and {span[2]} (term {span[3]}) both led by a "
                   f"majority's mandate from {span[0]:.3f} to {min(latest[1], span[1]):.3f}")
        if latest is None or span[1] > latest[1]:
            latest = span


def check_terms_never_go_back(records):
    seen = {}
    for record in sorted(of_kind(records, "status"), key=lambda r: (r["end"], r["start"])):
        known, at = seen.get(record["node"], (0, 0.0))
        if record["term"] < known and record["start"] > at:
            yield (f"{record['node']} went back from term {known} to {record['term']} "
                   f"at {record['end']:.3f}")
        if record["term"] >= known:
            seen[record["node"]] = record["term"], record["end"]


def check_jobs(records):
    marks = collections.Counter()
    for record in of_kind(records, "marks"):
        marks.update(record["ids"])
    listed = {record["home"]: {job["job"]: job["state"] for job in record["jobs"]}
              for record in of_kind(records, "listed")}
    jobs = of_kind(records, "job")
    for record in jobs:
        count = marks[record["id"]]
        if count > 1:
            yield f"job {record['id']} of {record['home']} ran {count} times"
        if record["state"] == "done" and record["code"] == 0 and count == 0:
            yield f"job {record['id']} of {record['home']} was called done and never ran"
    if of_kind(records, "calm"):
        yield from check_acknowledged(jobs, listed)


def check_acknowledged(jobs, listed):
    acknowledged = collections.defaultdict(list)
    for record in jobs:
        if record["job"] is not None:
            acknowledged[record["home"]].append(record)
    for home, records in acknowledged.items():
        if home not in listed:
            yield f"{home} did not list its jobs in the end"
            continue
        for record in sorted(records, key=lambda r: r["job"])[-JOBS_KEPT // 2:]:
            now = listed[home].get(record["job"])
            if now is None:
                yield f"job {record['id']} ({record['job']}) of {home} was acknowledged and is lost"
            elif now not in ENDED:
                yield f"job {record['id']} ({record['job']}) of {home} never ends: {now}"
            elif record["state"] is not None and now != record["state"]:
                yield (f"job {record['id']} ({record['job']}) of {home} was told to be "
                       f"{record['state']} and is {now}")


def check_logs(records):
    seen = {}
    for record in of_kind(records, "entry") + of_kind(records, "again"):
        key = record["node"], record["seq"]
        known = seen.setdefault(key, record["hash"])
        if known != record["hash"]:
            yield f"{record['node']} took back entry {record['seq']} of its log"


def false_verdicts(records):
    """Verdicts on machines that were well: not killed, frozen, cut, or whatever excuses them."""
    excuses = collections.defaultdict(list)
    for record in of_kind(records, "fault"):
        for node in record["excused"]:
            excuses[node].append((record["start"], record["end"] + GRACE_S))
    for record in of_kind(records, "entry"):
        match = UNAVAILABLE.match(record["detail"])
        if match is None:
            continue
        excused = any(begin <= record["end"] and record["start"] <= end
                      for begin, end in excuses[match.group(1)])
        if not excused:
            yield record


def distinct(verdicts):
    """The same word on the same machine is one verdict, whoever repeats it: lists of records."""
    groups = []
    latest = {}
    for record in sorted(verdicts, key=lambda r: r["start"]):
        group = latest.get(record["detail"])
        if group is None or record["start"] - group[-1]["start"] > GRACE_S:
            group = latest[record["detail"]] = []
            groups.append(group)
        group.append(record)
    return groups


def check_verdicts(records):
    for verdict in distinct(false_verdicts(records)):
        first = verdict[0]
        yield (f"a healthy machine was called unavailable between {first['start']:.3f} and "
               f"{first['end']:.3f}, says {first['node']}, and {len(verdict) - 1} others: "
               f"{first['detail']}")


def check_liveness(records):
    for run in of_kind(records, "run"):
        calm, agreed = of_kind(records, "calm"), of_kind(records, "agreed")
        if not calm:
            yield "the run never came to its end"
        elif not agreed:
            yield f"not all agree {run['agree_s']} s after the last fault"
        elif agreed[0]["at"] - calm[0]["at"] > run["agree_s"]:
            yield (f"all agree {agreed[0]['at'] - calm[0]['at']:.1f} s after the last fault, "
                   f"{run['agree_s']} s at most")
    for record in of_kind(records, "died"):
        yield f"{record['node']} died by itself at {record['at']:.3f}, exit code {record['exit']}"
    for record in of_kind(records, "stopped"):
        if record["exit"] != 0:
            yield f"{record['node']} was told to stop and ended with {record['exit']}"


def check_effects(records):
    counts = collections.Counter()
    for record in of_kind(records, "fault"):
        counts[record["fault"]] += record["effect"]
    for run in of_kind(records, "run"):
        for fault in run["faults"]:
            if counts[fault] == 0:
                yield f"the fault {fault} was never really applied"
        if not any(r["state"] == "done" for r in of_kind(records, "job")):
            yield "no job was ever done: the clients did nothing"
        if not any(not r["partial"] for r in of_kind(records, "find")):
            yield "no find was ever answered in full: the clients did nothing"


CHECKS = (check_one_leader_a_term, check_no_two_lead_at_once, check_terms_never_go_back, check_jobs,
          check_logs, check_verdicts, check_liveness, check_effects)


def check(records):
    """All that is wrong, as sentences; none: the history is good."""
    return [fault for one in CHECKS for fault in one(records)]


def summary(records):
    """What there was to judge: figures for a report."""
    faults = collections.defaultdict(lambda: {"times": 0, "effect": 0})
    for record in of_kind(records, "fault"):
        faults[record["fault"]]["times"] += 1
        faults[record["fault"]]["effect"] += record["effect"]
    jobs = of_kind(records, "job")
    calm, agreed = of_kind(records, "calm"), of_kind(records, "agreed")
    return {
        "records": len(records),
        "faults": dict(sorted(faults.items())),
        "terms": len({term for term, _, _, _ in quorum_words(records)}),
        "statuses": len(of_kind(records, "status")),
        "finds": len(of_kind(records, "find")),
        "finds_in_full": sum(1 for r in of_kind(records, "find") if not r["partial"]),
        "jobs": len(jobs),
        "jobs_acknowledged": sum(1 for r in jobs if r["job"] is not None),
        "jobs_done": sum(1 for r in jobs if r["state"] == "done"),
        "verdicts": len(distinct(r for r in of_kind(records, "entry")
                                 if UNAVAILABLE.match(r["detail"]))),
        "false_verdicts": len(distinct(false_verdicts(records))),
        "agreed_s": round(agreed[0]["at"] - calm[0]["at"], 3) if calm and agreed else None,
    }
