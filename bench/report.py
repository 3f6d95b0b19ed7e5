"""Results as tables, on the screen and in docs/performance.md."""
import json
import re
import statistics

from corpus import ROOT
from goals import GOALS, OWN_LANGUAGE
from rounds import interval, middle, ratios

DOCS = ROOT / "docs/performance.md"
MEASURED = ROOT / "bench/measured"
OURS = ("fast", "balanced", "accurate", "hansard")
GROUPS = ("all", "en", "fr", "de", "es", "tune", "judge")


def results():
    """What was measured, by experiment, of this run or an earlier one."""
    return {path.stem: json.loads(path.read_text()) for path in MEASURED.glob("*.json")}


def save(name, result):
    """A line for each key, so that a change can be read."""
    MEASURED.mkdir(exist_ok=True)
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in result.items())
    (MEASURED / f"{name}.json").write_text(f"{{\n{lines}\n}}\n")


def table(head, rows):
    rows = [[str(c) for c in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]

    def line(cells):
        return "| " + " | ".join(c.ljust(w) for c, w in zip(cells, widths)) + " |"

    return "\n".join([line(rows[0]), "|" + "|".join("-" * (w + 2) for w in widths) + "|", *map(line, rows[1:])])


def number(value):
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"


def spread(values):
    """Median, extremes, 95 % interval: some of them where the others say the same."""
    low, high = interval(values)
    text = f"{statistics.median(values):.3f}"
    if len(values) > 1:
        text += f" ({min(values):.3f} to {max(values):.3f}"
        text += f"; 95 %: {low:.3f} to {high:.3f})" if len(values) >= 6 else ")"
    return text


# ---- the goals

def goal_row(goal, found):
    """Cells, and the verdict; no verdict where it was not measured."""
    sign = "≥" if goal.at_least else "≤"
    cells = [goal.what, goal.against, f"{sign} {number(goal.limit)}", number(goal.stretch) if goal.stretch is not None else ""]
    measured = goal.measure(found[goal.experiment]) if goal.experiment in found else None
    if measured is None:
        return [*cells, "", "", "not measured"], None
    text = number(measured.value)
    if measured.low is not None and measured.low != measured.high:
        text += f", {number(measured.low)} to {number(measured.high)}"
    if measured.note:
        text += f" ({measured.note})"
    verdict = goal.verdict(measured)
    result = found[goal.experiment]
    return [*cells, text, rounds_of(result) if "runs" in result else "", verdict], verdict


def goals_table(found, only=None):
    """The table, and the names of goals that were missed."""
    judged = [(goal, *goal_row(goal, found)) for goal in GOALS if only is None or goal.experiment in only]
    missed = [f"{goal.what} ({goal.against})" if goal.against else goal.what for goal, _, verdict in judged if verdict == "missed"]
    return table(["", "against", "goal", "stretch", "measured", "rounds", ""], [cells for _, cells, _ in judged]), missed


# ---- one experiment

def rounds_of(result):
    return len(next(iter(result["runs"].values()))) if "runs" in result else 1


def joined(earlier, later):
    """One result of the rounds of both. Words that were got wrong are those of the middle round: faster-whisper draws lots
    where it is unsure. All else that was got right is the same each time."""
    if not earlier or "runs" not in later:
        return later
    both = dict(later, runs={name: earlier["runs"][name] + outcomes for name, outcomes in later["runs"].items()},
                machines=sorted({*earlier["machines"], *later["machines"]}))
    if "words" in later:
        both["words_by_round"] = {name: words_by_round(earlier)[name] + [by] for name, by in later["words"].items()}
        both["words"] = {name: {group: [statistics.median_low(by[group][0] for by in rounds), rounds[0][group][1]]
                                for group in rounds[0]} for name, rounds in both["words_by_round"].items()}
    return both


def words_by_round(result):
    return result.get("words_by_round") or {name: [by] for name, by in result["words"].items()}


def contender_rows(result, extra_head=(), extra=lambda _: [], last=()):
    audio = result["audio_s"]
    rows = []
    for name, outcomes in result["runs"].items():
        seconds = middle(result["runs"], name)
        length = audio[name] if isinstance(audio, dict) else audio
        row = [name, f"{seconds:.1f}", f"{seconds / length:.4f}"]
        watched = "peak_mb" in outcomes[0]
        row += [f"{middle(result['runs'], name, 'cpu_s'):.1f}", f"{max(o['peak_mb'] for o in outcomes):.0f}"] if watched else ["", ""]
        rows.append(row + extra(name))
    return table(["", "seconds", "of real time", "of processors", "peak MB", *extra_head], [*rows, *last])


def ratio_table(result, together=False):
    """Beside each peer; `together`: also beside all of them, one after the other."""
    ours = [n for n in result["runs"] if n in OURS]
    theirs = {n: [n] for n in result["runs"] if n not in OURS}
    if together:
        theirs["one after the other"] = list(theirs)
    rows = [[what, *(spread(ratios(result["runs"], name, peers)) for name in ours)] for what, peers in theirs.items()]
    return table(["time, of", *ours], rows)


def stages_text(result):
    """Where Hansard's time goes, medians over the rounds."""
    lines = []
    for name, outcomes in result["runs"].items():
        if not outcomes[0].get("stages"):
            continue
        stages = {s: statistics.median(o["stages"].get(s, 0) for o in outcomes) for s in outcomes[0]["stages"]}
        shown = ", ".join(f"{stage} {value:.1f}" for stage, value in stages.items() if value >= 0.05)
        lines.append(f"Seconds of the stages, {name}: {shown}.")
    return "\n\n".join(lines)


def drawn(result, name):
    """Behind a contender's errors in all: their least and their most in a round, where they were not always the same."""
    every = [by["all"][0] for by in words_by_round(result)[name]]
    return f"; {min(every)} to {max(every)}" if min(every) < max(every) else ""


def words_text(result):
    totals = next(iter(result["words"].values()))
    groups = [g for g in GROUPS if g in totals]

    def errors(name):
        by = result["words"][name]
        return [f"{by[g][0]} ({by[g][0] / by[g][1]:.4f}{drawn(result, name)})" if g == "all" else by[g][0] for g in groups]

    head = [f"errors, {groups[0]}", *groups[1:]]
    of = [["of so many words", "", "", "", "", *(totals[g][1] for g in groups)]]
    return "\n\n".join([contender_rows(result, head, errors, of), ratio_table(result)])


def speakers_text(result):
    groups = ("AMI", "all", "tune", "judge")
    rows = []
    for name, by in result["speakers"].items():
        for group in groups:
            one = by[group]
            rows.append([name, group, f"{one['der']:.3f}", f"{one['low']:.3f} to {one['high']:.3f}", f"{one['missed']:.3f}",
                         f"{one['false']:.3f}", f"{one['confused']:.3f}", f"{one['count']:.2f}"])
    head = ["", "recordings", "error", "95 % over clips", "missed", "false alarms", "confused", "error of the count"]
    return "\n\n".join([contender_rows(result), ratio_table(result), table(head, rows)])


def both_text(result):
    return "\n\n".join([contender_rows(result), ratio_table(result, together=True)])


def length_text(result):
    return contender_rows(result, ["MB read"], lambda name: [f"{middle(result['runs'], name, 'read_mb'):.0f}"])


def silence_text(result):
    sounds = list(next(iter(result["said"].values())))
    return table(["text in", *sounds], [[p, *(repr(t[s]) if t[s] else "none" for s in sounds)] for p, t in result["said"].items()])


def languages_text(result):
    pieces = [piece for piece in next(iter(result["words"].values())) if piece != "all"]
    rows = []
    for name, by in result["words"].items():
        row = [f"{wrong} of {total}" + ("" if wrong <= OWN_LANGUAGE * total else " ✗") for wrong, total in (by[p] for p in pieces)]
        rows.append([name, *row, f"{by['all'][0]}{drawn(result, name)}"])
    return "\n\n".join([table(["errors in pieces", *(p.split()[1] for p in pieces), "all"], rows), ratio_table(result)])


TEXTS = dict(words=words_text, avx2=words_text, whispercpp=words_text, speakers=speakers_text, both=both_text, memory=contender_rows,
             length=length_text, slots=contender_rows, silence=silence_text, languages=languages_text, limit=lambda result: result["text"])


def text(name, result):
    parts = [TEXTS[name](result)]
    if "runs" in result:
        count = rounds_of(result)
        parts += [stages_text(result), f"Medians of {count} round{'s' if count > 1 else ''} in turns; {'; '.join(result['machines'])}."]
    return "\n\n".join(p for p in parts if p)


# ---- the document

def write_docs(found):
    """What stands between `<!-- bench: NAME -->` and `<!-- bench: end -->` is replaced, where NAME was measured."""
    texts = {name: text(name, result) for name, result in found.items() if name in TEXTS}
    texts["goals"] = goals_table(found)[0]

    def fresh(match):
        return f"{match[1]}\n{texts[match[2]]}\n{match[4]}" if match[2] in texts else match[0]

    document = DOCS.read_text()
    DOCS.write_text(re.sub(r"(<!-- bench: (\w+) -->)\n(.*?)(<!-- bench: end -->)", fresh, document, flags=re.DOTALL))
