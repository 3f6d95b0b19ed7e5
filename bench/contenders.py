"""Who is compared: Hansard and its peers, each as one process over all files, with 2 threads, start and model load
counted."""
import collections
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from corpus import DEPS, HANSARD, OUT, ROOT
from processes import watch

THREADS = 2
# CTranslate2 and Hansard's own kernels heed the first; oneDNN and MKL, which multiply for CTranslate2, one each of the others.
AVX2_ALONE = {"CT2_FORCE_CPU_ISA": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
PRESETS = ("fast", "balanced", "accurate")
# Flags of a preset in place of --preset, for trying what a preset might be: bench/peers --flags PRESET=FLAGS.
preset_flags = {}


def outcome(watched, stages=None, counts=None):
    return dict(seconds=round(watched.seconds, 3), cpu_s=round(watched.cpu_s, 3), peak_mb=round(watched.peak_mb, 1),
                read_mb=round(watched.read_mb, 1), stages={stage: round(s, 3) for stage, s in (stages or {}).items()},
                counts=counts or {})


@dataclasses.dataclass(frozen=True)
class Peer:
    name: str
    kind: str  # as in peer.py
    model: pathlib.Path
    environment: dict = dataclasses.field(default_factory=dict)

    def run(self, out, files):
        shutil.rmtree(out, ignore_errors=True)
        command = [sys.executable, ROOT / "bench/peer.py", self.kind, self.model, out, *files]
        return outcome(watch(command, self.environment))


@dataclasses.dataclass(frozen=True)
class Hansard:
    """Begins with an empty data folder, or with a copy of one in which something was done before."""
    name: str
    flags: tuple = ()
    data: pathlib.Path | None = None
    environment: dict = dataclasses.field(default_factory=dict)

    def run(self, out, files):
        shutil.rmtree(out, ignore_errors=True)
        with tempfile.TemporaryDirectory() as folder:
            data = pathlib.Path(folder) / "data"
            if self.data:
                shutil.copytree(self.data, data)
            return self.run_in(data, out, files)

    def run_in(self, data, out, files):
        command = [HANSARD, "transcribe", *files, "-o", f"{out}/", "--format", "json", "--threads", str(THREADS),
                   "--json-progress", *self.flags]
        watched = watch(command, {"HANSARD_DATA_DIR": str(data), **self.environment})
        events = [(at, json.loads(line)) for at, line in watched.lines if line.startswith("{")]
        return outcome(watched, stage_seconds(events, watched.seconds), counts(events))


def stage_seconds(events, end):
    """Seconds of each stage over all files, from what --json-progress tells: a stage lasts until another is told of. Beside
    it stands what `done` lines tell in `stage_seconds`: the engine's own stages, such as encode and decode."""
    stages, running, since = collections.Counter(), "start", 0.0
    for at, event in events:
        stage = {"progress": event.get("stage"), "done": "start"}.get(event["event"], running)
        for name, value in event.get("stage_seconds", {}).items():
            stages[name] += value
        if stage != running:
            stages[running] += at - since
            running, since = stage, at
    stages[running] += end - since
    return dict(stages)


def counts(events):
    """What `done` lines tell in `counts`, over all files: windows and tokens that were decoded."""
    total = collections.Counter()
    for _, event in events:
        total.update(event.get("counts", {}))
    return dict(total)


def preset(name, *flags, environment=None):
    return Hansard(name, (*preset_flags.get(name, ("--preset", name)), *flags), environment=environment or {})


def faster_whisper(kind, name=None, environment=None):
    return Peer(name or kind, kind, DEPS / "models/whisper-base", environment or {})


def sherpa():
    return Peer("sherpa-onnx", "speakers", DEPS / "peers")


def whisper_cpp(numbers):
    """With the same weights, written once in its form."""
    path = OUT / f"ggml-{numbers}.bin"
    if not path.exists():
        OUT.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        subprocess.run([sys.executable, ROOT / "bench/ggml_model.py", DEPS / "models/whisper-base", fresh, numbers], check=True)
        os.rename(fresh, path)
    return Peer(f"whisper.cpp {numbers}", "whisper.cpp", path)
