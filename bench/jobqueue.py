"""How fast the queue is (bench/queue): alone, beside a million rows, and against River. Called by measure.py."""
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MILLION = 1_000_000
# Claimers, and the jobs that they share in a round: enough for a second or more.
CLAIMERS = {1: 2000, 4: 6000, 16: 15000}
PHASES = ("enqueue", "claim", "complete")


def run(*command):
    return json.loads(subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE).stdout)


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def spread(values, form="{:.0f}"):
    return f"{form.format(statistics.median(values))} ({form.format(min(values))} to {form.format(max(values))})"


def beside_finished(bench, folder, rounds, goal):
    """Each round once in an empty database and once in one with a million finished jobs."""
    full = fresh(folder / "finished")
    subprocess.run([bench, "fill", full, "finished", str(MILLION)], check=True)
    result = {}
    for claimers, jobs in CLAIMERS.items():
        runs = [(run(bench, "phases", fresh(folder / "empty"), claimers, jobs), run(bench, "phases", full, claimers, jobs))
                for _ in range(rounds)]
        print(f"    {claimers:2d} claimers, a second: " + ", ".join(f"{p} {spread([a[p] for a, _ in runs])}" for p in PHASES)
              + f"; claim p99 {spread([a['p99_ms'] for a, _ in runs], '{:.2f}')} ms")
        ratios = {p: [b[p] / a[p] for a, b in runs] for p in PHASES}
        print(f"       beside {MILLION} finished: " + ", ".join(f"{p} {spread(r, '{:.2f}')}" for p, r in ratios.items()))
        result[claimers] = dict(runs=runs, ratios=ratios)
    shutil.rmtree(full)
    for p in PHASES:
        middle = statistics.median(r for c in result.values() for r in c["ratios"][p])
        goal(f"{p} beside a million finished", middle > 0.9, f"{middle:.2f} of the speed without, more than 0.9")
    return result


def beside_queued(bench, folder, rounds, goal):
    full = fresh(folder / "queued")
    subprocess.run([bench, "fill", full, "queued", str(MILLION)], check=True)
    result = {c: [run(bench, "claims", full, c, jobs) for _ in range(rounds)] for c, jobs in CLAIMERS.items()}
    shutil.rmtree(full)
    for claimers, runs in result.items():
        p99 = [r["p99_ms"] for r in runs]
        goal(f"claim, {claimers} of a million queued", statistics.median(p99) < 5,
             f"p99 {spread(p99, '{:.2f}')} ms, p50 {spread([r['p50_ms'] for r in runs], '{:.2f}')}; less than 5")
    return result


def claimed_once(bench, folder, goal, jobs=100_000):
    # The program ends with an error where a job comes twice, or not at all.
    result = run(bench, "phases", fresh(folder / "once"), 16, jobs)
    goal("claimed once", True, f"{jobs} jobs, 16 claimers: each claimed and completed once")
    return result


def against_river(bench, folder, rounds, goal, workers=100, jobs=20_000, batch=1000):
    river = folder / "river-bench"
    go = pathlib.Path(sys.executable).parent / "go"  # beside the Python that deps/fetch made
    subprocess.run([go, "build", "-o", river, "."], check=True, cwd=HERE / "queue/river")
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(run(bench, "work", fresh(folder / "ours"), workers, jobs, batch))
        theirs.append(run(river, fresh(folder / "theirs") / "river.db", workers, jobs, batch))
    for what in ("insert", "work"):
        ratios = [a[what] / b[what] for a, b in zip(ours, theirs)]
        goal(f"{what} against River", statistics.median(ratios) >= 3,
             f"{spread([a[what] for a in ours])} a second, River {spread([b[what] for b in theirs])}: "
             f"{spread(ratios, '{:.1f}')} times, at least 3")
    return dict(ours=ours, theirs=theirs)


def measure(bench, rounds, goal):
    print(f"queue: {rounds} rounds in turns; synchronous=FULL on both sides")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        return dict(river=against_river(bench, folder, rounds, goal), once=claimed_once(bench, folder, goal),
                    finished=beside_finished(bench, folder, rounds, goal), queued=beside_queued(bench, folder, rounds, goal))
