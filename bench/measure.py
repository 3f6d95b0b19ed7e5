#!/usr/bin/env python3
"""Measures Hansard, against its peers and by itself.

  measure.py [--rounds N] [NAME...]

NAME is an experiment of bench/peers (all of them, and `times`, where none is named), or times, server, queue, search.
A goal that is missed is named and makes the exit code 1. Recordings come from HANSARD_CORPUS (a folder with
manifest.json).
"""
import argparse

import corpus
import jobqueue
import peers
import report
import scoring
import server
import textsearch
from contenders import Hansard, faster_whisper
from experiments import EXPERIMENTS

missed = []


def goal(name, holds, text):
    print(f"  {'ok    ' if holds else 'MISSED'} {name}: {text}")
    if not holds:
        missed.append(name)


def times(_):
    item = corpus.item("jfk_wav")
    print("times: each word's start and end against the peer's")
    words = {}
    for contender in (Hansard("hansard", ("--no-diarize",)), faster_whisper("sequential-5")):
        out = corpus.OUT / "times" / contender.name
        contender.run(out, [corpus.file(item)])
        words[contender.name] = scoring.load(out, item)["words"]
    ours, theirs = words.values()
    same = len(ours) == len(theirs)
    worst = max((abs(a[k] - b[k]) for a, b in zip(ours, theirs) for k in ("start", "end")), default=9)
    goal("word times", same and worst <= 0.15, f"{len(ours)} words, {len(theirs)} of the peer, worst {worst:.3f} s")
    return dict(worst=worst)


def serving(rounds):
    return server.measure(corpus.PROGRAMS, corpus.file(corpus.item("asterisk_en_long")), rounds, goal)


def queue(rounds):
    return jobqueue.measure(corpus.PROGRAMS / "queue-bench", rounds, goal)


def search(rounds):
    return textsearch.measure(corpus.PROGRAMS / "search-bench", rounds, goal)


def main():
    alone = dict(times=times, server=serving, queue=queue, search=search)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("names", nargs="*", choices=[*EXPERIMENTS, *alone, []], metavar="NAME", help=", ".join([*EXPERIMENTS, *alone]))
    options = parser.parse_args()
    corpus.demand()
    names = options.names or [*EXPERIMENTS, "times"]
    for name in names:
        if name in alone:
            report.save(name, alone[name](options.rounds))
        else:
            peers.measure(name, options.rounds)
    compared = [name for name in names if name in EXPERIMENTS]
    if compared:
        missed.extend(peers.conclude(compared))
    if missed:
        raise SystemExit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
