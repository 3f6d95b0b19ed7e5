"""What is run: each experiment measures its contenders in turns, in the rounds whose numbers it is told, and answers with
what goals and tables are computed from: `runs`, the outcomes by contender and round, and what they got right."""
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import corpus
import scoring
import server
from contenders import AVX2_ALONE, HUGE_PAGES, PRESETS, Hansard, faster_whisper, preset, sherpa, whisper_cpp
from corpus import HANSARD, OUT
from rounds import interleave

LENGTHS = {"10 minutes": 600, "1 hour": 3600, "3 hours": 10800}
MEMORY_SECONDS = 900
# Of experiments that come out the same each time, or that have no goal.
ENOUGH_ROUNDS = {"avx2": 3, "silence": 1}


def slug(name):
    return name.replace(" ", "-").replace(",", "")


def folder(experiment, contender):
    return OUT / experiment / slug(contender.name)


def compare(experiment, contenders, files, rounds):
    return interleave(contenders, rounds, lambda c: c.run(folder(experiment, c), files))


def audio_seconds(chosen):
    return sum(corpus.duration_s(i) for i in chosen)


def judged_words(experiment, contenders, chosen, rounds):
    runs = compare(experiment, contenders, corpus.files(chosen), rounds)
    return dict(runs=runs, audio_s=audio_seconds(chosen), recordings=len(chosen),
                words={c.name: scoring.word_errors(folder(experiment, c), chosen) for c in contenders})


def words(rounds):
    """All recordings with a text, with word times: every preset, and faster-whisper in each of its ways."""
    contenders = [preset(p, "--no-diarize") for p in PRESETS] + [
        faster_whisper("sequential-5"), faster_whisper("sequential-1"), faster_whisper("batched-5"),
        faster_whisper("batched-5", "batched-5, huge pages", HUGE_PAGES)]
    return judged_words("words", contenders, corpus.items(lambda i: i.get("text")), rounds)


def avx2(rounds):
    """The same where the networks for words have no more than AVX2, on both sides."""
    contenders = [preset("balanced", "--no-diarize", environment=AVX2_ALONE)] + [
        faster_whisper(kind, environment=AVX2_ALONE) for kind in ("sequential-5", "batched-5")]
    return judged_words("avx2", contenders, corpus.items(lambda i: i.get("text")), rounds)


def whispercpp(rounds):
    """All recordings, whisper.cpp without word times: the fast preset, and whisper.cpp."""
    contenders = [preset("fast", "--no-diarize"), whisper_cpp("f16"), whisper_cpp("q8_0")]
    return judged_words("whispercpp", contenders, corpus.items(), rounds)


def speakers(rounds):
    """Telling speakers apart alone, as whole processes: Hansard finds the words of an earlier run, and nothing else."""
    chosen = corpus.items(lambda i: i.get("turns"))
    files = corpus.files(chosen)
    with tempfile.TemporaryDirectory() as kept:
        kept = pathlib.Path(kept) / "data"
        Hansard("words", ("--no-diarize",)).run_in(kept, OUT / "speakers/words", files)
        contenders = [Hansard("hansard", data=kept), sherpa()]
        runs = compare("speakers", contenders, files, rounds)
    return dict(runs=runs, audio_s=audio_seconds(chosen), recordings=len(chosen),
                speakers={c.name: scoring.speaker_errors(folder("speakers", c), chosen) for c in contenders})


def both(rounds):
    """Words and speakers of a quarter of an hour, against the two peers one after the other."""
    chosen = [corpus.item("asterisk_en_long")]
    contenders = [preset("balanced"), faster_whisper("sequential-5"), sherpa()]
    return dict(runs=compare("both", contenders, corpus.files(chosen), rounds), audio_s=audio_seconds(chosen))


def memory(rounds):
    """Anonymous memory of all processes at its peak, 15 minutes."""
    contenders = [preset("balanced", "--no-diarize"), faster_whisper("sequential-5"), faster_whisper("batched-5")]
    with tempfile.TemporaryDirectory() as made:
        path = corpus.long_recording(pathlib.Path(made), MEMORY_SECONDS)
        return dict(runs=compare("memory", contenders, [path], rounds), audio_s=MEMORY_SECONDS)


def length(rounds):
    """What 10 minutes, an hour and three hours cost, words and speakers."""
    contender = preset("balanced")
    runs = {name: [] for name in LENGTHS}
    with tempfile.TemporaryDirectory() as made:
        for _ in rounds:
            for name, seconds in LENGTHS.items():
                path = corpus.long_recording(pathlib.Path(made), seconds)
                runs[name].append(contender.run(OUT / "length" / slug(name), [path]))
                os.remove(path)
                print(f"    {name}: {runs[name][-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
    return dict(runs=runs, audio_s=LENGTHS)


@contextlib.contextmanager
def busy_cores(wanted):
    """A process on each core that does nothing, as fast as it can."""
    cores = sorted(os.sched_getaffinity(0)) if wanted else []
    spinning = [subprocess.Popen(["taskset", "-c", str(core), sys.executable, "-c", "while True: pass"]) for core in cores]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


class Slots:
    """A server that works off the same jobs with so many slots and threads, from the first job to the end of the last."""

    def __init__(self, name, slots, threads, busy=False):
        self.name, self.busy = name, busy
        self.settings = {"TRANSCRIPTION_WORKERS": str(slots), "SPEECH_ENGINE_THREADS": str(threads)}

    def work_off(self, paths):
        with server.serving(HANSARD, **self.settings) as one, busy_cores(self.busy):
            began = time.monotonic()
            for job in [one.submit(path, {"no_cache": True}) for path in paths]:
                one.wait(job)
            return dict(seconds=round(time.monotonic() - began, 3))


def slots(rounds, jobs=8, seconds=45):
    """Two slots of one thread against one slot of two threads, and beside busy cores."""
    contenders = [Slots("one slot", 1, 2), Slots("two slots", 2, 1), Slots("two slots, busy cores", 2, 1, busy=True)]
    source = corpus.file(corpus.item("asterisk_en_long"))
    with tempfile.TemporaryDirectory() as made:
        paths = [corpus.cut(source, f"{made}/{n}.wav", n * seconds, seconds) for n in range(jobs)]
        return dict(runs=interleave(contenders, rounds, lambda c: c.work_off(paths)), audio_s=jobs * seconds)


def silence(_):
    """A minute each of what is no speech, in every preset: the text that comes out."""
    with tempfile.TemporaryDirectory() as made:
        sounds = corpus.sounds(pathlib.Path(made))
        said = {}
        for name in PRESETS:
            contender = preset(name)
            contender.run(folder("silence", contender), sounds.values())
            said[name] = {s: scoring.load(folder("silence", contender), {"file": s})["text"] for s in sounds}
    return dict(said=said)


def languages(rounds):
    """A recording that alternates between languages, against peers that decode all of it in one."""
    contenders = [preset("balanced", "--no-diarize"), faster_whisper("sequential-5"), faster_whisper("batched-5")]
    with tempfile.TemporaryDirectory() as made:
        path, pieces = corpus.mixed_languages(pathlib.Path(made))
        runs = compare("languages", contenders, [path], rounds)
    found = {c.name: scoring.load(folder("languages", c), {"file": path}) for c in contenders}
    return dict(runs=runs, audio_s=pieces[-1]["end"],
                words={name: scoring.piece_errors(result["words"], pieces) for name, result in found.items()})


EXPERIMENTS = dict(words=words, avx2=avx2, whispercpp=whispercpp, speakers=speakers, both=both, memory=memory, length=length,
                   slots=slots, silence=silence, languages=languages)
