#!/usr/bin/env python3
"""Hansard against its peers, on the same files, models and threads, in turns; says which goals were missed.

  bench/peers [--rounds N] [--resume] [--flags PRESET=FLAGS]... [--show] [--write-docs] [EXPERIMENT...]

Without names: all experiments. Every contender is a whole process, start and model load counted; Hansard begins each
round with an empty data folder. After each round what was measured goes to bench/measured/EXPERIMENT.json, where it is
kept under version control: --resume goes on from it, on another machine, too, as long as the sources are the same.
"""
import argparse
import json
import shlex

import contenders
import corpus
import report
from experiments import ENOUGH_ROUNDS, EXPERIMENTS


def measure(name, rounds, resume=False):
    """Measures, keeps and prints one experiment; resumed, it goes on behind the rounds that an earlier run kept, which must
    have measured the same."""
    print(f"\n{name}: {EXPERIMENTS[name].__doc__}\n", flush=True)
    corpus.build_programs()
    about = dict(sources=corpus.sources_digest(), recordings=corpus.recordings_digest(), preset_flags=contenders.preset_flags)
    result = report.results().get(name) if resume else None
    if result and any(json.dumps(result.get(key)) != json.dumps(value) for key, value in about.items()):
        raise SystemExit(f"{name} was measured with other sources, recordings or flags: measure it without --resume.")
    for number in range(report.rounds_of(result) if result else 0, min(rounds, ENOUGH_ROUNDS.get(name, rounds))):
        result = report.joined(result, dict(EXPERIMENTS[name]([number]), machines=[corpus.machine()], **about))
        report.save(name, result)
    print(report.text(name, result), flush=True)


def conclude(names=None):
    """Prints the goals, and answers with those that were missed."""
    text, missed = report.goals_table(report.results(), names)
    print(f"\nThe goals; a ratio's is missed when all of its 95 % interval (order statistics) lies past it.\n\n{text}")
    return missed


def flags(text):
    name, _, rest = text.partition("=")
    if name not in contenders.PRESETS:
        raise argparse.ArgumentTypeError(f"there is no preset '{name}'")
    return name, tuple(shlex.split(rest))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="the goals want 9 (default: %(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on to as many rounds from those that are kept")
    parser.add_argument("--flags", type=flags, action="append", default=[], metavar="PRESET=FLAGS",
                        help="flags of hansard transcribe in place of --preset PRESET")
    parser.add_argument("--show", action="store_true", help="measure nothing: print what earlier runs measured")
    parser.add_argument("--write-docs", action="store_true", help="rewrite the tables of docs/performance.md")
    parser.add_argument("names", nargs="*", choices=[*EXPERIMENTS, []], metavar="EXPERIMENT", help=", ".join(EXPERIMENTS))
    options = parser.parse_args()
    corpus.demand()
    contenders.preset_flags.update(options.flags)
    names = options.names or list(EXPERIMENTS)
    if not options.show:
        for name in names:
            measure(name, options.rounds, options.resume)
    missed = conclude(names)
    if options.write_docs:
        report.write_docs(report.results())
    if missed:
        raise SystemExit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
