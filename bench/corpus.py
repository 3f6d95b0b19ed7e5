"""Recordings that are measured on: the corpus in HANSARD_CORPUS (a folder with manifest.json; items are marked tune or
judge), and what is made of it or of nothing: recordings of any length, in several languages, without speech."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import wave

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEPS = pathlib.Path(os.environ["HANSARD_DEPS_DIR"])
CORPUS = pathlib.Path(os.environ.get("HANSARD_CORPUS", ROOT.parent / "shared/audio"))
PROGRAMS = ROOT / "build/bin"
HANSARD = PROGRAMS / "hansard"
OUT = ROOT / "bench/out"  # what contenders wrote
RATE = 16000


def sources_digest():
    """Names and contents of what the programs that are measured are made from, the same on each machine; but for the routes
    and the page, which no experiment times."""
    sources = [p for p in (ROOT / "src").rglob("*") if p.is_file() and not p.match("*_test.cc") and p.suffix != ".md"
               and p.relative_to(ROOT / "src").parts[0] not in ("api", "page")]
    sources += [*ROOT.glob("cmake/*"), ROOT / "CMakeLists.txt", ROOT / "CMakePresets.json", ROOT / "deps/parts.lock"]
    one = hashlib.sha256()
    for path in sorted(sources):
        one.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return one.hexdigest()[:16]


def recordings_digest():
    return hashlib.sha256((CORPUS / "manifest.json").read_bytes()).hexdigest()[:16]


def machine():
    """The processor, and how many of its cores there are to use."""
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{len(os.sched_getaffinity(0))} cores, {names[0] if names else 'unknown processor'}"


def demand():
    if not (CORPUS / "manifest.json").exists():
        sys.exit("Set HANSARD_CORPUS to a folder of recordings with a manifest.json.")


def build_programs(*more):
    """Those older than their sources would be measured under another's name."""
    subprocess.run(["ninja", "-C", ROOT / "build", "--quiet", "hansard", "hansard-engine", *more], check=True)


def items(wanted=lambda item: True):
    return [i for i in json.loads((CORPUS / "manifest.json").read_text())["items"] if wanted(i)]


def item(name):
    return items(lambda i: i["name"] == name)[0]


def file(item_):
    return str(CORPUS / item_["file"])


def files(chosen):
    return [file(i) for i in chosen]


def duration_s(item_):
    """As the manifest has it, or else the recording."""
    if item_["duration_seconds"]:
        return item_["duration_seconds"]
    probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", file(item_)]
    return float(subprocess.run(probe, check=True, stdout=subprocess.PIPE).stdout)


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


def cut(source, path, start, seconds):
    """16 kHz, mono."""
    ffmpeg("-ss", start, "-i", source, "-t", seconds, "-ac", 1, "-ar", RATE, path)
    return str(path)


def long_recording(folder, seconds):
    """One speaker for a quarter of an hour, then five, again and again: as WAV, so that each second has as many bytes."""
    pieces = [cut(file(item(name)), folder / f"piece-{name}.wav", 0, 1e4) for name in ("asterisk_en_long", "five_speakers_en")]
    listing = folder / "pieces.txt"
    listing.write_text("".join(f"file '{p}'\n" for p in pieces) * (seconds // 900 + 1))
    path = folder / f"{seconds}.wav"
    ffmpeg("-f", "concat", "-safe", 0, "-i", listing, "-t", seconds, path)
    return str(path)


def write_wave(path, samples):
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", ""))
        out.writeframes((32767 * np.clip(samples, -1, 1)).astype("<i2").tobytes())


# ---- what is no speech

def pink(count, generator):
    """White noise whose power falls with the frequency."""
    spectrum = np.fft.rfft(generator.standard_normal(count))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), count)
    return 0.2 * noise / noise.std()


def note(frequency, seconds):
    """A plucked string, more or less: six partials that die away, the higher ones sooner."""
    t = np.arange(int(seconds * RATE)) / RATE
    partials = sum(np.sin(2 * np.pi * frequency * n * t) * np.exp(-t * (1 + n)) / n for n in range(1, 7))
    return partials * np.minimum(1, t / 0.01)


def music(seconds):
    """I-vi-IV-V in C: a chord with its arpeggio above, two seconds each."""
    chords = [(0, 4, 7), (-3, 0, 4), (-7, -3, 0), (-5, -1, 2)]
    sound = np.zeros((seconds + 4) * RATE)

    def play(at, half_tones, length, loudness):
        tone = loudness * note(261.63 * 2 ** (half_tones / 12), length)
        sound[int(at * RATE):][: len(tone)] += tone

    for bar in range(seconds // 2):
        chord = chords[bar % 4]
        for half_tones in chord:
            play(2 * bar, half_tones - 12, 2, 0.08)
        for step in range(8):
            play(2 * bar + step / 4, chord[step % 3] + 12 * (step // 3 % 2), 1, 0.1)
    return sound[: seconds * RATE]


def sounds(folder, seconds=60):
    """Files of what is no speech, by name; the same each time."""
    generator = np.random.default_rng(1)
    t = np.arange(seconds * RATE) / RATE
    clicks = np.zeros(len(t))
    clicks[generator.integers(0, len(t), 2 * seconds)] = 0.8
    made = {
        "silence": np.zeros(len(t)),
        "white": generator.uniform(-0.3, 0.3, len(t)),
        "pink": pink(len(t), generator),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * t),
        "beeps": 0.3 * np.sin(2 * np.pi * 1000 * t) * (t % 1 < 0.3),
        "clicks": clicks,
        "music": music(seconds),
    }
    for name, samples in made.items():
        write_wave(folder / f"{name}.wav", samples)
    return {name: str(folder / f"{name}.wav") for name in made}


# ---- several languages

def passage(name, start, seconds):
    """Whole utterances of an item, from the first that begins after `start`: sound and text."""
    said = [s for s in item(name)["segments"] if s["start"] >= start and s["end"] <= start + seconds]
    return dict(source=file(item(name)), start=said[0]["start"] - 0.2, end=said[-1]["end"] + 0.2,
                language=item(name)["language"], text=" ".join(s["text"] for s in said))


def whole(name):
    one = item(name)
    return dict(source=file(one), start=0, end=one["duration_seconds"], language=one["language"], text=one["text"])


def mixed_languages(folder):
    """A recording that alternates between English, French and German, with its pieces as they lie in it. English and
    French pieces last some 40 s, German ones 5: there is no more."""
    pieces = [passage("asterisk_en_long", 0, 40), passage("asterisk_fr_long", 0, 40), whole("pico_de"),
              passage("asterisk_en_long", 300, 40), whole("pico_de"), passage("asterisk_fr_long", 120, 40),
              passage("asterisk_en_long", 600, 40)]
    at, listing, placed = 0.0, [], []
    for number, piece in enumerate(pieces):
        length = piece["end"] - piece["start"]
        listing.append(cut(piece["source"], folder / f"piece-{number}.wav", piece["start"], length))
        placed.append(dict(start=at, end=at + length, language=piece["language"], text=piece["text"]))
        at += length
    (folder / "pieces.txt").write_text("".join(f"file '{p}'\n" for p in listing))
    path = folder / "mixed.wav"
    ffmpeg("-f", "concat", "-safe", 0, "-i", folder / "pieces.txt", "-c", "copy", path)
    return str(path), placed
