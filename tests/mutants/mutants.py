#!/usr/bin/env python3
"""Builds agents with one bug each and fails if the simulator misses one of them.

Usage: scripts/mutants [--list] [--only NAME,...] [--seeds N] [--json FILE]

Each mutant is one change in one place of the sources: `old`, which must be there exactly once, becomes
`new`. It is built by itself and run with one seed after another, until the simulator reports a
violation, a core's assert fails, or the grid does not heal. The unchanged sources must pass all of
the seeds. A mutant that survives means that a promise is not looked after: mend the simulator.
"""

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "campaign"))
sys.dont_write_bytecode = True
from campaign import simulate  # noqa: E402

WORK = os.path.join(ROOT, "build", "mutants")
FOLDERS = ("agent", "overlay", "election", "discovery", "proto", "tests", "scripts")
FILES = ("meson.build", "meson_options.txt", "LICENSE", "README.md")
SIZES = ((12, "0.3"), (3, "0.3"), (2, "0.2"), (24, "0.3"))  # nodes and hours, in turn


class Mutant(NamedTuple):
    name: str
    path: str
    old: str
    new: str


MUTANTS = (
    Mutant("vote_twice_in_a_term", "election/vote.c",
           "if (voted && !gp_id_equal(&el->voted_for, peer)) {",
           "if (voted && el->now == 0) {"),
    Mutant("vote_before_it_is_durable", "election/durable.c",
           "return el->durable_serial == el->serial;",
           "return el->durable_serial <= el->serial;"),
    Mutant("half_is_a_majority", "election/election_state.h",
           "return count / 2 + 1;",
           "return (count + 1) / 2;"),
    Mutant("repeated_vote_counts", "election/mandate.c",
           "    memcpy(ballot->vote[index], msg->signed_bytes.p, msg->signed_bytes.n);",
           "    while (ballot->vote_n[index] > 0 && index + 1 < (int)ballot->roster.count) index++;\n"
           "    memcpy(ballot->vote[index], msg->signed_bytes.p, msg->signed_bytes.n);"),
    Mutant("lease_from_the_time_of_receiving", "election/lease.c",
           "gp_usec_t sent = el->sent_at[ack->sequence % GP_ELECTION_SENT_MAX];",
           "gp_usec_t sent = el->now;"),
    Mutant("voters_grant_for_half_a_lease", "election/lease.c",
           "return (gp_usec_t)el->config.lease_ms * (1000 + el->config.drift_permille);",
           "return (gp_usec_t)el->config.lease_ms * 500;"),
    Mutant("stale_term_accepted", "election/mandate.c",
           "    if (vote->term != ballot->term || index < 0 ||",
           "    if (vote->term > ballot->term || index < 0 ||"),
    Mutant("grant_forgotten_in_a_restart", "election/election.c",
           "el->now + (gp_usec_t)el->config.lease_ms * (1000 + el->config.drift_permille);",
           "el->now;"),
    Mutant("older_register_elected", "election/vote.c",
           "(ask->value_term == el->value_term && ask->version < el->version)) {",
           "(ask->value_term == el->value_term && ask->version + 9 < el->version)) {"),
    Mutant("roster_changed_by_two_at_once", "election/roster.c",
           "if (!gp_election_leads(el) || !el->committed || el->now >= el->lease_until ||",
           "if (!gp_election_leads(el) || el->now >= el->lease_until ||"),
    Mutant("caretaker_leads", "election/election.c",
           "        return GP_RIGHT_CARETAKER;",
           "        return GP_RIGHT_QUORUM;"),
    Mutant("leader_counts_two_leases", "election/lease.c",
           "    gp_usec_t until = since + lease_less_drift(el);",
           "    gp_usec_t until = since + 2 * lease_less_drift(el);"),
    Mutant("handover_keeps_the_lease", "election/handover.c",
           "    gp_election_step_down(el, GP_STEP_DOWN_HANDOVER, out);\n"
           "    /* If the successor fails",
           "    /* If the successor fails"),
    Mutant("only_voter_goes", "election/handover.c",
           "(el->depended || has_company(el));",
           "(el->depended || has_company(el)) && el->now == 0;"),
    Mutant("suspicion_never_refuted", "overlay/group/beat.c",
           "    if (m->suspected) {\n        if (g->now - m->suspected_at",
           "    if (m->suspected && g->leaving) {\n        if (g->now - m->suspected_at"),
    Mutant("last_leaders_word_over_own_ears", "overlay/group/lead.c",
           "                  m->shown.heard_at > m->ruled_at;",
           "                  m->shown.heard_at > g->now;"),
    Mutant("incarnation_not_raised", "overlay/group/group.c",
           "    g->incarnation = (c->boot << 16) + c->life;",
           "    g->incarnation = UINT64_C(1) << 16;"),
    Mutant("old_verdicts_kept_by_a_caretaker", "overlay/group/report.c",
           "if (ruled.state == GP_MEMBER_UNAVAILABLE && g->leader.right == GP_RIGHT_CARETAKER) {",
           "if (ruled.state == GP_MEMBER_NONE && g->leader.right == GP_RIGHT_CARETAKER) {"),
    Mutant("replay_window_not_advanced", "agent/peer/gate.c",
           "    gp_replay_advance(&sender->replay, envelope->boot, envelope->sequence);\n",
           ""),
    Mutant("replay_window_advanced_before_verifying", "agent/peer/gate.c",
           "    if (!gp_envelope_verify(envelope, gate->config.sealer.signer)) {",
           "    gp_replay_advance(&sender->replay, envelope->boot, envelope->sequence);\n"
           "    if (!gp_envelope_verify(envelope, gate->config.sealer.signer)) {"),
    Mutant("signature_not_verified", "agent/peer/gate.c",
           "    if (!gp_envelope_verify(envelope, gate->config.sealer.signer)) {",
           "    if (now == 0) {"),
    Mutant("claim_without_policy", "agent/work/executor_core.c",
           "if (!work->lend || work->config.running_max == 0) {",
           "if (work->config.running_max == 0) {"),
    Mutant("lost_job_placed_again", "agent/work/watch_core.c",
           "        if (watched(job)) {\n"
           "            finish_lost(work, job, peer != NULL ? peer->cause : GP_CAUSE_NONE, now);",
           "        if (watched(job)) {\n"
           "            (void)peer;\n"
           "            gp_home_claim_next(work, job, now);"),
    Mutant("output_from_the_wrong_place", "agent/work/output_core.c",
           "uint32_t at = (uint32_t)(attempt->output_sent % work->config.output_window);",
           "uint32_t at = (uint32_t)(attempt->output_start % work->config.output_window);"),
    Mutant("no_credit_for_what_was_taken", "agent/work/watch_core.c",
           ": offset > job->consumed ? offset",
           ": offset < job->consumed ? offset"),
    Mutant("seat_not_resumed", "agent/peer/peer.c",
           "if (s->open && (s->votes || (s->peopled && !s->given))) {",
           "if (s->open && s->votes && s->given) {"),
    Mutant("founded_at_each_start", "election/vote.c",
           "bool fresh = el->term == 0 && el->version == 0 && el->role == GP_ELECTION_FOLLOWER;",
           "bool fresh = el->role == GP_ELECTION_FOLLOWER;"),
    Mutant("nobody_stands_by_above", "overlay/tiers/tiers.c",
           "tier->standby : !leads(t, below);",
           "tier->standby : false;"),
)


def fail(text):
    print(text, file=sys.stderr)
    sys.exit(1)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write_if_other(path, data):
    """What did not change keeps its time, so that ninja builds little."""
    if not os.path.exists(path) or read(path) != data:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)


def copy_sources(to):
    wanted = set()
    for folder in FOLDERS:
        for base, _, names in os.walk(os.path.join(ROOT, folder)):
            wanted.update(os.path.relpath(os.path.join(base, name), ROOT) for name in names)
    wanted.update(FILES)
    for base, _, names in os.walk(to):
        for name in names:
            path = os.path.join(base, name)
            if os.path.relpath(path, to) not in wanted:
                os.unlink(path)
    for path in wanted:
        write_if_other(os.path.join(to, path), read(os.path.join(ROOT, path)))


def build(sources, name):
    """Returns the agent's program, built from the sources as they are now."""
    out = os.path.join(WORK, "build")
    if not os.path.exists(os.path.join(out, "build.ninja")):
        subprocess.run(["meson", "setup", "--buildtype=debugoptimized", out, sources],
                       check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(["ninja", "-C", out, "agent/main/gridpeer"], capture_output=True,
                          text=True)
    if done.returncode != 0:
        fail(f"{name}: does not build\n{done.stdout[-3000:]}")
    program = os.path.join(WORK, "bin", name)
    os.makedirs(os.path.dirname(program), exist_ok=True)
    shutil.copy2(os.path.join(out, "agent", "main", "gridpeer"), program)
    return program


def build_mutant(sources, mutant):
    path = os.path.join(sources, mutant.path)
    text = read(path).decode()
    count = text.count(mutant.old)
    if count != 1:
        fail(f"{mutant.name}: its place is found {count} times in {mutant.path}, not once: "
             "adapt tests/mutants/mutants.py to the sources")
    write_if_other(path, text.replace(mutant.old, mutant.new).encode())
    try:
        return build(sources, mutant.name)
    finally:
        write_if_other(path, text.encode())


def command(program, seed):
    nodes, hours = SIZES[seed % len(SIZES)]
    return [program, "sim", "run", "--nodes", str(nodes), "--group-size", "12", "--hours", hours,
            "--seed", str(seed)]


def run(program, seed):
    """None: nothing was found. Else what was, in words."""
    try:
        return simulate(command(program, seed), limit_s=300).get("failed")
    except subprocess.TimeoutExpired:
        return "it did not end"


def hunt(program, seeds):
    """The first seed that finds something, and what; (None, None) if none does."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for first in range(1, seeds + 1, 2 * os.cpu_count()):
            batch = range(first, min(first + 2 * os.cpu_count(), seeds + 1))
            for seed, found in zip(batch, pool.map(lambda s: run(program, s), batch)):
                if found is not None:
                    return seed, found
    return None, None


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="only say which mutants there are")
    parser.add_argument("--only", default="", metavar="NAME,...", help="only these mutants")
    parser.add_argument("--seeds", type=int, default=500, help="at most so many each; default 500")
    parser.add_argument("--json", default="", metavar="FILE", help="writes the results there too")
    args = parser.parse_args()
    names = [name for name in args.only.split(",") if name]
    unknown = set(names) - {mutant.name for mutant in MUTANTS}
    if unknown:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}; see --list")
    return args, [mutant for mutant in MUTANTS if not names or mutant.name in names]


def main():
    args, mutants = parse()
    if args.list:
        for mutant in mutants:
            print(f"{mutant.name:42} {mutant.path}")
        return 0
    sources = os.path.join(WORK, "src")
    copy_sources(sources)
    program = build(sources, "unchanged")
    results = []
    most = 0
    for mutant in mutants:
        start = time.monotonic()
        seed, found = hunt(build_mutant(sources, mutant), args.seeds)
        took = time.monotonic() - start
        results.append({"mutant": mutant.name, "seed": seed, "found": found,
                        "seconds": round(took, 1)})
        most = max(most, seed or 0)
        print(f"{'caught' if seed else 'MISSED':7} {mutant.name:42} "
              f"{f'seed {seed}: {found}' if seed else ''}", flush=True)
    seed, found = hunt(program, max(most, 20))
    if seed is not None:
        print(f"FAILED the unchanged sources, seed {seed}: {found}; replay: "
              f"{' '.join(command(program, seed))}")
    missed = [result["mutant"] for result in results if result["seed"] is None]
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    print(f"{len(results) - len(missed)} of {len(results)} mutants caught, "
          f"{max(most, 20)} seeds of the unchanged sources "
          f"{'passed' if seed is None else 'did not pass'}")
    return 1 if missed or seed is not None else 0


if __name__ == "__main__":
    sys.exit(main())
