"""How fast the search is (bench/search) over many transcripts of two users. Called by measure.py."""
import pathlib
import tempfile

from jobqueue import run, spread

USERS, TRANSCRIPTIONS, SEGMENTS = 2, 10_000, 100  # ten minutes of speech each
QUERIES = 3300  # of eleven kinds in turn
GOAL_MS = 50


def measure(bench, rounds, goal):
    print(f"search: {USERS} users with {TRANSCRIPTIONS} transcriptions of {SEGMENTS} segments each")
    with tempfile.TemporaryDirectory() as name:
        filled = run(bench, "fill", name, USERS, TRANSCRIPTIONS, SEGMENTS)
        size_mb = sum(f.stat().st_size for f in pathlib.Path(name).iterdir()) / 1e6
        print(f"    {filled['passages']} segments in {filled['seconds']:.0f} s, {size_mb:.0f} MB")
        asked = [run(bench, "ask", name, USERS, QUERIES, 1) for _ in range(rounds)]
        for kind, (p50, p99) in [(k, v) for k, v in asked[0].items() if isinstance(v, list)]:
            print(f"    {kind:28s} p50 {p50:.2f}, p99 {p99:.2f} ms")
        goal("search", max(r["p99_ms"] for r in asked) < GOAL_MS,
             f"p99 {spread([r['p99_ms'] for r in asked], '{:.1f}')} ms, p50 {spread([r['p50_ms'] for r in asked], '{:.1f}')}, "
             f"slowest {spread([r['max_ms'] for r in asked], '{:.1f}')}; less than {GOAL_MS}")
        edited = run(bench, "edit", name, 40)
        print(f"    600 segments replaced: p50 {edited['p50_ms']:.0f}, slowest {edited['max_ms']:.0f} ms")
        return dict(filled=filled, size_mb=size_mb, asked=asked, edited=edited)
