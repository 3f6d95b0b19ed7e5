"""Runs a program and watches it: seconds, seconds of processors, anonymous memory of all its processes at its peak, bytes
they read, and what it says on standard error with the time at which it said it."""
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

SAMPLE_S = 0.05
# As an interrupt does, so that what is being watched is ended, too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


@dataclasses.dataclass
class Watched:
    seconds: float
    cpu_s: float
    peak_mb: float
    read_mb: float
    lines: list  # (seconds since the start, line)


def anonymous_bytes(pid):
    """Of a process and all its children; those that end meanwhile count nothing."""
    total, pids = 0, [pid]
    while pids:
        pid = pids.pop()
        try:
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("RssAnon"):
                    total += int(line.split()[1]) * 1024
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                pids += [int(p) for p in (task / "children").read_text().split()]
        except OSError:
            pass
    return total


def bytes_read(pid):
    """By a process, with those of its children that it has waited for."""
    return int(pathlib.Path(f"/proc/{pid}/io").read_text().split("rchar: ")[1].split()[0])


def watch(command, environment=None):
    began = time.monotonic()
    process = subprocess.Popen([str(c) for c in command], env={**os.environ, **(environment or {})},
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    lines, peak, ended = [], 0, threading.Event()

    def listen():
        for line in process.stderr:
            lines.append((time.monotonic() - began, line.rstrip("\n")))

    def sample():
        nonlocal peak
        while not ended.wait(SAMPLE_S):
            peak = max(peak, anonymous_bytes(process.pid))

    threads = [threading.Thread(target=work) for work in (listen, sample)]
    for thread in threads:
        thread.start()
    try:
        # What it has read can still be asked of one that has ended, until it is waited for.
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        seconds, read = time.monotonic() - began, bytes_read(process.pid)
    except BaseException:
        process.kill()
        raise
    finally:
        ended.set()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        for thread in threads:
            thread.join()
        process.stderr.close()
    if process.returncode != 0:
        said = "\n".join(line for _, line in lines[-10:])
        raise RuntimeError(f"{pathlib.Path(command[0]).name} ended with {process.returncode}:\n{said}")
    return Watched(seconds, usage.ru_utime + usage.ru_stime, peak / 1e6, read / 1e6, lines)
