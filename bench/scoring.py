"""How right a transcript is: word errors by language and half of the corpus, diarization errors with what they are made
of, and how far they would spread over other clips."""
import collections
import json
import pathlib
import statistics

import jiwer
import numpy as np
from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

english, basic = EnglishTextNormalizer(), BasicTextNormalizer()
PARTS = {"missed": "missed detection", "false": "false alarm", "confused": "confusion"}


def load(folder, item):
    path = pathlib.Path(folder) / f"{pathlib.Path(item['file']).stem}.json"
    return json.loads(path.read_text()) if path.exists() else {"text": "", "segments": [], "turns": []}


def errors_of(language, reference, text):
    """Wrong words, and words that there are."""
    clean = english if language == "en" else basic
    reference = clean(reference)
    out = jiwer.process_words(reference, clean(text) or "∅")
    return out.substitutions + out.deletions + out.insertions, len(reference.split())


def word_errors(folder, chosen):
    """By language, half, name and in all: [wrong, total]. Items without a text are passed over."""
    by = collections.defaultdict(lambda: [0, 0])
    for item in chosen:
        if not item.get("text"):
            continue
        wrong, total = errors_of(item["language"], item["text"], load(folder, item)["text"])
        for key in (item["language"], item["split"], "all", item["name"]):
            by[key][0] += wrong
            by[key][1] += total
    return dict(by)


def annotation(turns):
    result = Annotation()
    for index, turn in enumerate(turns):
        if turn["end"] > turn["start"]:
            result[Segment(turn["start"], turn["end"]), index] = turn["speaker"]
    return result


def clip_errors(folder, item):
    """Seconds of speech and of each kind of error in one item, and how far the count of speakers is off. Strict: no
    collar, overlaps scored."""
    metric = DiarizationErrorRate(collar=0, skip_overlap=False)
    reference, found = annotation(item["turns"]), annotation(load(folder, item)["turns"])
    parts = metric.compute_components(reference, found, uem=Timeline([Segment(0, item["duration_seconds"])]))
    return dict(speech=parts["total"], count=abs(len(reference.labels()) - len(found.labels())),
                **{ours: parts[theirs] for ours, theirs in PARTS.items()})


def speaker_errors(folder, chosen):
    """Of all, of the AMI clips and of each half: the error, its parts, the mean error of the count, and the error's 95 %
    interval over clips drawn anew (bootstrap, 2,000 draws)."""
    clips = {item["name"]: clip_errors(folder, item) for item in chosen}
    groups = {"AMI": [i for i in chosen if i["name"].startswith("ami")], "all": chosen}
    groups |= {half: [i for i in chosen if i["split"] == half] for half in ("tune", "judge")}
    return {name: summary([clips[i["name"]] for i in group]) for name, group in groups.items() if group}


def summary(clips):
    speech = sum(c["speech"] for c in clips)
    parts = {p: sum(c[p] for c in clips) / speech for p in PARTS}
    wrong = np.array([sum(c[p] for p in PARTS) for c in clips])
    lengths = np.array([c["speech"] for c in clips])
    draws = np.random.default_rng(1).integers(0, len(clips), (2000, len(clips)))
    low, high = np.percentile(wrong[draws].sum(axis=1) / lengths[draws].sum(axis=1), [2.5, 97.5])
    return dict(der=sum(parts.values()), count=statistics.mean(c["count"] for c in clips), low=float(low), high=float(high), **parts)


def piece_errors(words, pieces):
    """Of words with their times, by piece of a recording, named by number and language, and in all: [wrong, total]. A word
    belongs where its middle lies."""
    by = {}
    for number, piece in enumerate(pieces, 1):
        said = [w["word"] for w in words
                if piece["start"] <= (w["start"] + w["end"]) / 2 < piece["end"]]
        by[f"{number} {piece['language']}"] = list(errors_of(piece["language"], piece["text"], " ".join(said)))
    return by | {"all": [sum(counts) for counts in zip(*by.values())]}
