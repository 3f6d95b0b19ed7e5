"""What the server costs: its start and stop, requests beside a running job, event clients, uploads, first words, and
what it adds to the command line. Called by measure.py."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import resource
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import time

import corpus
from processes import bytes_read

BOUNDARY = "b"


def anonymous_mb(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", text).group(1)) / 1000


def read_mb(pid):
    """What a process has read so far."""
    return bytes_read(pid) / 1e6


class Server:
    def __init__(self, program, data, **settings):
        began = time.monotonic()
        self.process = subprocess.Popen([str(program), "serve", "--port", "0", "--data-dir", str(data)],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        env={"HANSARD_AUTH": "none", **os.environ, **settings})
        self.port = int(re.search(r":(\d+)$", self.process.stdout.readline().strip()).group(1))
        while self.get("/api/v1/ready")[0] != 200:
            pass
        self.start_s = time.monotonic() - began

    def ask(self, method, path, body=None, headers={}):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def get(self, path):
        return self.ask("GET", path)

    def submit(self, path, options={}):
        form = (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="options"\r\n\r\n{json.dumps(options)}\r\n'
                f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n').encode()
        form += pathlib.Path(path).read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
        status, body = self.ask("POST", "/api/v1/transcriptions:submit", form,
                                {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
        assert status == 202, body
        return json.loads(body)["id"]

    def events(self, job):
        """Names of a job's events with the seconds at which they came, to its end."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", f"/api/v1/transcriptions/{job}/events")
        answer = connection.getresponse()
        while line := answer.readline():
            if line.startswith(b"event: "):
                yield line[7:].decode().strip(), time.monotonic()

    def wait(self, job):
        for _ in self.events(job):
            pass
        status, body = self.get(f"/api/v1/transcriptions/{job}")
        assert json.loads(body)["status"] == "completed", body

    def anonymous_mb(self):
        return anonymous_mb(self.process.pid)

    def engine(self):
        """The engine's process, or nothing."""
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            for pid in (task / "children").read_text().split():
                if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "hansard-engine":
                    return int(pid)
        return None

    def busy(self):
        return json.loads(self.get("/api/v1/admin/queue")[1])["processing"] > 0

    def stop(self):
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        return time.monotonic() - began


@contextlib.contextmanager
def serving(program, **settings):
    with tempfile.TemporaryDirectory() as data:
        server = Server(program, data, **settings)
        try:
            yield server
        finally:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()


def cut(source, folder, start, seconds):
    return corpus.cut(source, f"{folder}/{start}.wav", start, seconds)


def middle(values, form="{:.0f}"):
    return f"{form.format(statistics.median(values))} ({form.format(min(values))} to {form.format(max(values))})"


def requests(program, paced, long_file, rounds, goal):
    """An idle server and one that transcribes, in turns; latency counts from when a request was due. The client asks as
    one on another machine would, which waits for no core: as a real-time process, where that is allowed. Told beside
    it is what an ordinary client sees that waits for one of the cores that the engine works on."""
    first = ["chrt", "--rr", "1"]
    if subprocess.run([*first, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        first = []
    idle, busy, beside = [], [], []
    with serving(program) as server:
        server.wait(server.submit(cut(long_file, tempfile.gettempdir(), 0, 3)))
        newest = json.loads(server.get("/api/v1/transcriptions")[1])["items"][0]["id"]

        def ask(job, prefix=()):
            client = subprocess.run([*prefix, paced, str(server.port), "200", "5", f"/api/v1/transcriptions/{job}",
                                     "/api/v1/transcriptions"], stdout=subprocess.PIPE, check=True)
            return json.loads(client.stdout)["p99_ms"]

        for _ in range(rounds):
            idle.append(ask(newest, first))
            newest = server.submit(long_file, {"no_cache": True})
            for name, _ in server.events(newest):
                if name == "transcription.segment":
                    break
            busy.append(ask(newest, first))
            beside.append(ask(newest))
            assert json.loads(server.get(f"/api/v1/transcriptions/{newest}")[1])["status"] == "processing", "too short"
            server.ask("POST", f"/api/v1/transcriptions/{newest}:cancel")
            while server.busy():
                time.sleep(0.1)
    ratios = [b / a for a, b in zip(idle, busy)]
    goal("requests", statistics.median(busy) <= 20 and statistics.median(ratios) <= 3,
         f"200 a second, p99 {middle(busy, '{:.2f}')} ms beside a running job, {middle(idle, '{:.2f}')} ms without, "
         f"{middle(ratios, '{:.2f}')} times; at most 20, and 3 times"
         + ("" if first else " (the client waited for cores, too)"))
    print(f"         a client that waits for the engine's cores: {middle(beside, '{:.2f}')} ms beside a running job")
    return dict(busy_ms=busy, idle_ms=idle, waiting_client_ms=beside)


def followers(program, small_file, goal, count=5000):
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with serving(program) as server:
        clients = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", server.port))
            client.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            clients.append(client)
        for client in clients:
            seen = b""
            while b"\nid:" not in seen:
                seen += client.recv(4096)
        memory = server.anonymous_mb()
        began = time.monotonic()
        server.submit(small_file)
        for client in clients:
            seen = b""
            while b"transcription.queued" not in seen:
                seen += client.recv(4096)
        told = time.monotonic() - began
        memory = max(memory, server.anonymous_mb())
        for client in clients:
            client.close()
    goal("followers", memory <= 200 and told <= 1,
         f"{count} event clients: {memory:.0f} MB, an event told to all in {told:.2f} s; at most 200 and 1")
    return dict(memory_mb=memory, told_s=told)


def make_recording(path, size):
    """Noise as a WAV of so many bytes, without a length in its header: four-gigabyte ones have no room for it."""
    block = os.urandom(1 << 20)
    with open(path, "wb") as file:
        file.write(struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, 2, 48000, 192000, 4, 16,
                               b"data", 0xFFFFFFFF))
        for _ in range(size >> 20):
            file.write(block)


def upload(program, rounds, goal, gib=4):
    """Against cp and then sha256sum of the same bytes; beside it, against the same with the sync that an answer means."""
    ours, plain, synced, memory = [], [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        source, copy = f"{folder}/source.wav", f"{folder}/copy"
        make_recording(source, gib << 30)
        for _ in range(rounds):
            os.sync()
            began = time.monotonic()
            subprocess.run(["cp", source, copy], check=True)
            subprocess.run(["sha256sum", copy], check=True, stdout=subprocess.DEVNULL)
            plain.append(time.monotonic() - began)
            subprocess.run(["sync", copy], check=True)
            synced.append(time.monotonic() - began)
            os.remove(copy)
            with serving(program) as server:
                os.sync()
                began = time.monotonic()
                client = subprocess.Popen(["curl", "-sS", "-o", f"{folder}/answer", "-w", "%{http_code}", "-F", f"file=@{source}",
                                           f"http://127.0.0.1:{server.port}/api/v1/files"], stdout=subprocess.PIPE, text=True)
                while client.poll() is None:
                    memory = max(memory, server.anonymous_mb())
                    time.sleep(0.02)
                ours.append(time.monotonic() - began)
                status = client.stdout.read()
                assert status == "201", f"{status} {pathlib.Path(folder, 'answer').read_text()}"
    ratios = [p / o for p, o in zip(plain, ours)]
    goal("upload", memory <= 64 and statistics.median(ratios) >= 0.8,
         f"{gib} GiB in {middle(ours, '{:.1f}')} s, cp and sha256sum {middle(plain, '{:.1f}')} s (with sync "
         f"{middle(synced, '{:.1f}')} s): {middle(ratios, '{:.2f}')} of their speed, {memory:.0f} MB; at least 0.8, at most 64")
    return dict(ours_s=ours, plain_s=plain, synced_s=synced, memory_mb=memory)


def first_words(program, source, goal):
    with tempfile.TemporaryDirectory() as folder, serving(program) as server:
        server.wait(server.submit(cut(source, folder, 0, 10)))
        whole, first = [], []
        for start in (10, 20, 30, 40, 50):
            path = cut(source, folder, start, 10)
            job = server.submit(path)
            began = time.monotonic()
            for name, at in server.events(job):
                if name == "transcription.segment":
                    first.append(at - began)
                    break
            server.wait(job)
            whole.append(time.monotonic() - began)
    goal("first words", statistics.median(first) <= 3 and statistics.median(whole) <= 1.5,
         f"10 s of speech, warm: first segment {middle(first, '{:.2f}')} s after the 202, completed after "
         f"{middle(whole, '{:.2f}')} s (5 recordings); at most 3 and 1.5")
    return dict(first_s=first, whole_s=whole)


def short_lane(program, source, goal):
    """Ten seconds of speech that come while an hour is in work: when they are taken up."""
    taken = {}
    with tempfile.TemporaryDirectory() as folder:
        short, hour = cut(source, folder, 0, 10), f"{folder}/hour.wav"
        subprocess.run(["ffmpeg", "-v", "error", "-stream_loop", "-1", "-i", source, "-t", "3600", "-ac", "1", "-ar", "16000",
                        hour], check=True)
        for slots in (2, 1):
            with serving(program, TRANSCRIPTION_WORKERS=str(slots)) as server:
                long = server.submit(hour)
                for name, _ in server.events(long):
                    if name == "transcription.segment":
                        break
                job = server.submit(short)
                began = time.monotonic()
                while json.loads(server.get(f"/api/v1/transcriptions/{job}")[1])["status"] == "queued":
                    time.sleep(0.01)
                taken[slots] = time.monotonic() - began
                server.wait(job)
                done = time.monotonic() - began
                before = json.loads(server.get(f"/api/v1/transcriptions/{long}")[1])
                assert before["status"] in ("queued", "processing"), "too short"
    goal("short lane", taken[2] <= 2,
         f"10 s of speech behind an hour are taken up after {taken[2]:.2f} s by a second slot, after {taken[1]:.1f} s by the "
         f"only one, between two groups, and completed after {done:.1f} s; at most 2 by a second")
    return dict(second_slot_s=taken[2], only_slot_s=taken[1], only_slot_done_s=done)


def overhead(program, source, goal, rounds):
    with tempfile.TemporaryDirectory() as folder:
        path = cut(source, folder, 0, 120)
        ours, plain = [], []
        for _ in range(rounds):
            with serving(program) as server:
                job = server.submit(path, {"no_cache": True})
                began = time.monotonic()
                server.wait(job)
                ours.append(time.monotonic() - began)
            with tempfile.TemporaryDirectory() as data:
                began = time.monotonic()
                subprocess.run([str(program), "transcribe", path, "--no-cache", "-q", "-o", f"{folder}/out.md"], check=True,
                               env={**os.environ, "HANSARD_DATA_DIR": data})
                plain.append(time.monotonic() - began)
    over = [a - 1.03 * b for a, b in zip(ours, plain)]
    goal("overhead", statistics.median(over) <= 0.2,
         f"120 s of speech: {middle(ours, '{:.2f}')} s from 202 to completed, {middle(plain, '{:.2f}')} s by hansard "
         f"transcribe; {middle(over, '{:.2f}')} s over 1.03 times, at most 0.2")
    return dict(server_s=ours, command_s=plain)


def warm_engine(program, source, goal):
    """The second job of an engine reads no model again; when it has been idle its memory is back."""
    with tempfile.TemporaryDirectory() as folder, serving(program, SPEECH_ENGINE_IDLE_TIMEOUT="3s") as server:
        before = server.anonymous_mb()
        server.wait(server.submit(cut(source, folder, 0, 30), {"no_cache": True}))
        engine, first = server.engine(), read_mb(server.engine())
        server.wait(server.submit(cut(source, folder, 30, 30), {"no_cache": True}))
        same, second = server.engine() == engine, read_mb(server.engine()) - first
        held = anonymous_mb(engine)
        began = time.monotonic()
        while server.engine() and time.monotonic() - began < 10:
            time.sleep(0.05)
        gone, left = time.monotonic() - began, server.anonymous_mb() - before
        alive = server.engine() is not None
    goal("warm engine", same and second < 0.2 * first and not alive and left <= 20,
         f"the first job read {first:.0f} MB, the next {second:.0f} MB on the same engine; its {held:.0f} MB were back after "
         f"{gone:.1f} s (idle time 3 s), the server kept {left:.0f} MB; at most a fifth, and 20 MB")
    return dict(first_mb=first, second_mb=second, left_mb=left)


def start_and_stop(program, queue_bench, rounds, goal):
    starts, stops = [], []
    with tempfile.TemporaryDirectory() as data:
        subprocess.run([queue_bench, "fill", data, "finished", "1000000"], check=True)
        for _ in range(rounds):
            server = Server(program, data)
            starts.append(server.start_s * 1000)
            stops.append(server.stop() * 1000)
    goal("start and stop", statistics.median(starts) <= 300 and statistics.median(stops) <= 200,
         f"with a million transcriptions ready after {middle(starts)} ms, idle stopped in {middle(stops)} ms; at most 300 and 200")
    return dict(starts_ms=starts, stops_ms=stops)


def measure(folder, source, rounds, goal):
    """`folder` holds the programs."""
    program, queue_bench, paced = (folder / n for n in ("hansard", "queue-bench", "paced-requests"))
    print(f"server: what serving costs, {rounds} rounds")
    with tempfile.TemporaryDirectory() as cuts:
        small = cut(source, cuts, 0, 3)
        return dict(start=start_and_stop(program, queue_bench, rounds, goal), followers=followers(program, small, goal),
                    requests=requests(program, paced, source, rounds, goal), upload=upload(program, min(rounds, 3), goal),
                    first_words=first_words(program, source, goal), short_lane=short_lane(program, source, goal), overhead=overhead(program, source, goal, rounds),
                    warm=warm_engine(program, source, goal))
