#!/usr/bin/env python3
"""What this machine can do at most, what the networks need, and so how fast each stage could be at best: bench/limit
[--batch N] [--runs N] [RECORDING]. Beside it stands what Hansard's stages took on RECORDING.

A stage's floor is the longer of its multiply-adds at the machine's rate and its bytes at the memory's bandwidth, neither of
which any program reaches: what remains between is what could be won at most. Softmax, norms and features are not in it.
"""
import argparse
import dataclasses
import json
import math
import pathlib
import statistics
import subprocess

import corpus
import ggml_model
import report
import scoring
from contenders import THREADS, preset

MODEL = corpus.DEPS / "models/whisper-base"


@dataclasses.dataclass(frozen=True)
class Work:
    """Of one part of a stage, for one of what it takes at a time."""
    stage: str  # as Hansard calls it in `stage_seconds`
    part: str
    per: str  # window, token; segment and block of the voices' networks
    numbers: str  # int8, fp32: what it is computed in
    multiply_adds: float
    bytes: float


def machine(threads):
    return json.loads(subprocess.run([corpus.PROGRAMS / "machine-bench", str(threads)], check=True, stdout=subprocess.PIPE).stdout)


def work(batch):
    """From the sizes of the model; `batch` windows share what a step reads of the decoder's weights."""
    variables = ggml_model.read_ctranslate2(MODEL / "model.bin")
    vocabulary, frames, width, _, layers, _, text_width, _, text_layers, mels = ggml_model.dimensions(variables)
    del variables
    cross = 2 * frames * text_width * text_layers  # keys and values of a window
    weights = 14 * text_width**2 * text_layers + vocabulary * text_width
    convolutions = 3 * (2 * frames * mels * width + frames * width**2)
    return [
        Work("encode", "convolutions", "window", "fp32", convolutions, 0),
        Work("encode", "attention: scores", "window", "int8", frames**2 * width * layers, 0),
        Work("encode", "attention: weights of two bytes", "window", "int8", 2 * frames**2 * width * layers, 0),
        Work("encode", "linear layers", "window", "int8", 12 * width**2 * frames * layers, 12 * width**2 * layers),
        Work("encode", "keys and values for the decoder", "window", "int8", cross * text_width, 0),
        Work("decode", "attention to the window", "token", "int8", 1.5 * cross, cross),
        Work("decode", "linear layers, vocabulary", "token", "int8", weights, weights / batch),
    ]


def voices_work():
    """Of telling speakers apart where somebody speaks all the time: windows of 10 s every 2 s through the segmentation
    network (PyanNet), and blocks of 10 s through the trunk of the embedding network (ResNet34)."""
    frames, units, gates = 589, 128, 512
    filtered, convolved, again = 15975, 5321, 1769
    filters = filtered / 5 * 80 * 251  # windows share four fifths of what they hear
    convolutions = convolved * 60 * 5 * 80 + again * 60 * 5 * 60
    recurrent = frames * 2 * (60 * gates + 4 * units * gates)
    linear = frames * (256 * 128 + 128 * 128 + 128 * 7)
    trunk, before = 9 * 32 * 1000 * 80, 32
    for stage, (blocks, channels) in enumerate(((3, 32), (4, 64), (6, 128), (3, 256))):
        places = 1000 * 80 / 4**stage
        trunk += places * channels * (9 * before + 9 * channels * (2 * blocks - 1) + (before if stage else 0))
        before = channels
    return [
        Work("diarizing", "segmentation: filters, convolutions, what LSTMs carry on", "segment", "fp32",
             filters + convolutions + recurrent + linear, 0),
        Work("diarizing", "segmentation: what LSTMs read", "segment", "int8", 3 * frames * 2 * 256 * gates, 0),
        Work("diarizing", "voices", "block", "int8", trunk, 0),
    ]


def floor_s(one, limits, numbers=None):
    rate = limits[numbers or one.numbers]["giga_multiply_adds"]
    return max(one.multiply_adds / rate, one.bytes / limits["memory_gb"]) / 1e9


def half_floor_s(one, limits):
    """With fp32 replaced by bf16, and half its bytes, where the machine has it."""
    if one.numbers != "fp32" or not limits["bf16"]["giga_multiply_adds"]:
        return floor_s(one, limits)
    return floor_s(dataclasses.replace(one, bytes=one.bytes / 2), limits, "bf16")


def machine_table(all_limits):
    rows = []
    for numbers in ("int8", "bf16", "fp32"):
        rows.append([f"{numbers}, {all_limits[0][numbers]['instructions'] or 'none'}: 10⁹ multiply-adds a second",
                     *(f"{limits[numbers]['giga_multiply_adds']:.0f}" for limits in all_limits)])
    for key, what in (("memory_gb", "memory"), ("cache_gb", "last cache, 4 MB a thread")):
        rows.append([f"{what}: GB a second", *(f"{limits[key]:.0f}" for limits in all_limits)])
    return report.table(["", *(f"{limits['threads']} threads" for limits in all_limits)], rows)


def work_table(works, limits):
    rows = []
    for one in works:
        rows.append([one.stage, one.part, one.per, one.numbers, f"{one.multiply_adds / 1e6:,.0f}", f"{one.bytes / 1e6:.1f}",
                     f"{1e3 * floor_s(one, limits):.3g}", f"{1e3 * half_floor_s(one, limits):.3g}"])
    return report.table(["stage", "", "of each", "in", "10⁶ multiply-adds", "MB read", "ms at best", "with bf16 for fp32"], rows)


def measured_stages(recording, runs):
    """Medians of the stages' seconds, counts of windows and tokens, and the audio's length."""
    out = corpus.OUT / "limit"
    outcomes = [preset("balanced").run(out, [recording]) for _ in range(runs)]
    stages = {s: statistics.median(o["stages"].get(s, 0) for o in outcomes) for s in outcomes[0]["stages"]}
    audio_s = scoring.load(out, {"file": recording})["duration_seconds"]
    heard = dict(segments=max(1, math.ceil((audio_s - 10) / 2) + 1), blocks=audio_s / 10)
    return stages, dict(outcomes[0]["counts"], **heard), audio_s


def shares_table(works, limits, stages, counts, audio_s):
    """Each stage at best and as it is."""
    groups = {s: [w for w in works if w.stage == s] for s in ("encode", "decode", "diarizing")}
    rows = []
    for stage, parts in groups.items():
        best, half = (sum(f(w, limits) * counts[f"{w.per}s"] for w in parts) for f in (floor_s, half_floor_s))
        took = stages[stage]
        rows.append([stage, f"{best:.2f}", f"{half:.2f}", f"{took:.2f}", f"{took / audio_s:.4f}", f"{100 * best / took:.0f} %"])
    for stage, took in stages.items():
        if stage not in groups:
            rows.append([stage, "", "", f"{took:.2f}", f"{took / audio_s:.4f}", ""])
    return report.table(["stage", "s at best", "with bf16", "s measured", "of real time", "at best, of measured"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8, help="windows decoded at once (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="of Hansard, whose medians count (default: %(default)s)")
    parser.add_argument("recording", nargs="?", help="default: asterisk_en_long of the corpus, or one that deps/fetch brought")
    options = parser.parse_args()
    corpus.build_programs("machine-bench")
    recording = options.recording
    if not recording:
        with_corpus = (corpus.CORPUS / "manifest.json").exists()
        recording = corpus.file(corpus.item("asterisk_en_long")) if with_corpus else str(corpus.DEPS / "recordings/two_cities.wav")

    all_limits = [machine(threads) for threads in (1, THREADS)]
    works = [*work(options.batch), *voices_work()]
    stages, counts, audio_s = measured_stages(recording, options.runs)
    text = f"""The machine, at most:

{machine_table(all_limits)}

The networks, batches of {options.batch}, {THREADS} threads:

{work_table(works, all_limits[-1])}

{pathlib.Path(recording).name}, {audio_s:.0f} s: {counts['windows']} windows, {counts['tokens']} tokens; medians of {options.runs} runs with {THREADS} threads.

{shares_table(works, all_limits[-1], stages, counts, audio_s)}"""
    print(text)
    report.save("limit", dict(text=text, machine=all_limits, stages=stages, counts=counts, audio_s=audio_s))


if __name__ == "__main__":
    main()
