"""Measuring in turns, and what may be said of it: each round runs every contender once, beginning with another one, and
ratios are taken within rounds, so that what slows the machine for a while slows both sides."""
import math
import statistics
import sys


def interleave(contenders, rounds, run):
    """run(contender) for each in each round, whose numbers `rounds` are; the outcomes by the contenders' names, a list in
    the order of the rounds."""
    outcomes = {c.name: [] for c in contenders}
    for number in rounds:
        turn = number % len(contenders)
        for contender in contenders[turn:] + contenders[:turn]:
            outcomes[contender.name].append(run(contender))
            print(f"    round {number + 1}, {contender.name}: {outcomes[contender.name][-1]['seconds']:.1f} s", file=sys.stderr,
                  flush=True)
    return outcomes


def interval(values):
    """Of a median, at least 95 % by order statistics: between which of the sorted values it lies needs no assumption on
    how they spread. Fewer than six values cannot give 95 %; then it is from the least to the greatest."""
    values, count, skipped = sorted(values), len(values), 0
    outside = 2 * 0.5**count
    while skipped + 1 < count / 2:
        outside += 2 * math.comb(count, skipped + 1) * 0.5**count
        if outside > 0.05:
            break
        skipped += 1
    return values[skipped], values[-1 - skipped]


def ratios(outcomes, ours, theirs, key="seconds"):
    """Round by round: ours by the sum of theirs."""
    sums = zip(*(outcomes[name] for name in theirs))
    return [a[key] / sum(b[key] for b in others) for a, others in zip(outcomes[ours], sums)]


def middle(outcomes, name, key="seconds"):
    return statistics.median(o[key] for o in outcomes[name])
