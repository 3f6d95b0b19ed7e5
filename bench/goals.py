"""What must hold, as data: each goal names what is measured, against whom, the limit and how it is computed from the
experiments' results. A ratio's goal is missed when its whole 95 % interval lies past the limit; whatever is counted or
scored, and not timed, must hold as it is."""
import dataclasses
import statistics
import typing

from rounds import interval, middle, ratios

LIKE = 1.15  # "linear" and "flat": within 15 %
EXACTLY = 1.01  # what a start costs is in it
OWN_LANGUAGE = 0.5  # of a piece's words at most are wrong where it was decoded in its own language


@dataclasses.dataclass(frozen=True)
class Measured:
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Goal:
    what: str
    against: str
    limit: float
    stretch: float | None
    experiment: str
    measure: typing.Callable[[dict], Measured | None]
    at_least: bool = False

    def reached(self, value, limit):
        return value >= limit if self.at_least else value <= limit

    def verdict(self, measured):
        best = (measured.high if self.at_least else measured.low) if measured.low is not None else measured.value
        if not self.reached(best, self.limit):
            return "missed"
        if not self.reached(measured.value, self.limit):
            return "within the spread"
        return "stretch" if self.stretch is not None and self.reached(measured.value, self.stretch) else "held"


def of_ratios(values, note=""):
    return Measured(statistics.median(values), *interval(values), note)


def time(ours, *theirs):
    return lambda r: of_ratios(ratios(r["runs"], ours, theirs))


def time_of_faster(ours, *theirs):
    def measure(r):
        faster = min(theirs, key=lambda name: middle(r["runs"], name))
        return of_ratios(ratios(r["runs"], ours, [faster]), faster)
    return measure


def throughput(ours, theirs):
    return lambda r: of_ratios(ratios(r["runs"], theirs, [ours]))


def peak_memory(ours, theirs):
    return lambda r: of_ratios(ratios(r["runs"], ours, [theirs], "peak_mb"))


def both_counts(r, ours, theirs):
    """Errors of both, in all recordings and in the half that nobody tuned on."""
    return "; ".join(f"{r['words'][ours][half][0]} and {r['words'][theirs][half][0]} of {r['words'][ours][half][1]}{name}"
                     for half, name in (("all", ""), ("judge", " in `judge`")) if half in r["words"][ours])


def more_errors(ours, theirs):
    """In a thousand words."""
    def measure(r):
        (a, total), (b, _) = r["words"][ours]["all"], r["words"][theirs]["all"]
        return Measured(1000 * (a - b) / total, note=both_counts(r, ours, theirs))
    return measure


def share_of_errors(ours, theirs):
    def measure(r):
        a, b = r["words"][ours]["all"][0], r["words"][theirs]["all"][0]
        return Measured(a / b, note=both_counts(r, ours, theirs))
    return measure


def speaker_error(group):
    def measure(r):
        mine = r["speakers"]["hansard"][group]
        return Measured(mine["der"], note="missed {missed:.3f}, false {false:.3f}, confused {confused:.3f}; other clips: {low:.3f} "
                        "to {high:.3f}".format(**mine))
    return measure


def growth(key, short, long):
    return lambda r: Measured(middle(r["runs"], long, key) / middle(r["runs"], short, key))


def proportion(of):
    """What a second costs between an hour and three hours, by what it costs between ten minutes and an hour: what a start
    costs falls out. Nothing where `of` is not told of."""
    def measure(r):
        costs = {name: [of(o) for o in outcomes] for name, outcomes in r["runs"].items()}
        if any(c is None for values in costs.values() for c in values):
            return None
        (short, middle_, long), at = (statistics.median(v) for v in costs.values()), list(r["audio_s"].values())
        return Measured((long - middle_) / (at[2] - at[1]) / ((middle_ - short) / (at[1] - at[0])))
    return measure


def invented(r):
    said = [f"{preset}: {sound}" for preset, texts in r["said"].items() for sound, text in texts.items() if text]
    return Measured(len(said), note=", ".join(said))


def foreign_pieces(r):
    pieces = [counts for piece, counts in r["words"]["balanced"].items() if piece != "all"]
    return Measured(sum(wrong > OWN_LANGUAGE * total for wrong, total in pieces), note=f"of {len(pieces)}")


SEQUENTIAL, GREEDY, BATCHED = "sequential, beam 5", "sequential, beam 1", "batched, beam 5"

GOALS = [
    Goal("`balanced`: time", SEQUENTIAL, 0.2, 0.14, "words", time("balanced", "sequential-5")),
    Goal("`balanced`: errors more, per 1,000 words", SEQUENTIAL, 2, None, "words", more_errors("balanced", "sequential-5")),
    Goal("`balanced`: time", BATCHED, 0.45, 0.35, "words", time("balanced", "batched-5")),
    Goal("`balanced`: time", f"{BATCHED}, huge pages", 0.55, None, "words", time("balanced", "batched-5, huge pages")),
    Goal("`fast`: time", GREEDY, 0.2, 0.15, "words", time("fast", "sequential-1")),
    Goal("`fast`: errors more, per 1,000 words", GREEDY, 0, None, "words", more_errors("fast", "sequential-1")),
    Goal("`fast`, no word times: time", "whisper.cpp, the faster of f16 and q8_0", 0.4, 0.3, "whispercpp",
         time_of_faster("fast", "whisper.cpp f16", "whisper.cpp q8_0")),
    Goal("`accurate`: time", SEQUENTIAL, 0.5, None, "words", time("accurate", "sequential-5")),
    Goal("`accurate`: errors", SEQUENTIAL, 0.95, None, "words", share_of_errors("accurate", "sequential-5")),
    Goal("speakers: time", "sherpa-onnx", 0.1, 0.06, "speakers", time("hansard", "sherpa-onnx")),
    Goal("diarization error, AMI", "", 0.235, 0.20, "speakers", speaker_error("AMI")),
    Goal("error of the speaker count, all", "", 0.6, 0.4, "speakers", lambda r: Measured(r["speakers"]["hansard"]["all"]["count"])),
    Goal("words and speakers, 859 s: time", f"{SEQUENTIAL}, then sherpa-onnx", 0.16, 0.11, "both",
         time("balanced", "sequential-5", "sherpa-onnx")),
    Goal("peak memory, 15 minutes", BATCHED, 0.6, 0.4, "memory", peak_memory("balanced", "batched-5")),
    Goal("peak memory, 15 minutes", SEQUENTIAL, 1.0, None, "memory", peak_memory("balanced", "sequential-5")),
    Goal("a second's time in 3 hours", "in 10 minutes", LIKE, None, "length", proportion(lambda o: o["seconds"])),
    Goal("a second's bytes read in 3 hours", "in 10 minutes", EXACTLY, None, "length", proportion(lambda o: o["read_mb"])),
    Goal("a second's windows in 3 hours", "in 10 minutes", EXACTLY, None, "length", proportion(lambda o: o["counts"].get("windows"))),
    Goal("peak memory, 3 hours", "10 minutes", LIKE, None, "length", growth("peak_mb", "10 minutes", "3 hours")),
    Goal("two slots: throughput", "one slot, two threads", 1.1, None, "slots", throughput("two slots", "one slot"), at_least=True),
    Goal("two slots beside busy cores: time", "without", 2.5, None, "slots", time("two slots, busy cores", "two slots")),
    Goal("text where nobody speaks", "", 0, None, "silence", invented),
    Goal("mixed languages: pieces in another", "", 0, None, "languages", foreign_pieces),
    Goal("mixed languages: errors", SEQUENTIAL, 1, None, "languages", share_of_errors("balanced", "sequential-5")),
]
