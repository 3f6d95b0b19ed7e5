"""What the server costs: its start and stop, requests beside a running job, event clients, uploads, first words, and
what it adds to the command line. Called by measure.py."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

BOUNDARY = "b"


class Server:
    def __init__(self, program, data, *flags):
        began = time.monotonic()
        self.process = subprocess.Popen([str(program), "serve", "--port", "0", "--data-dir", str(data), *flags],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
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
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+)", text).group(1)) / 1000

    def stop(self):
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        return time.monotonic() - began


@contextlib.contextmanager
def serving(program, *flags):
    with tempfile.TemporaryDirectory() as data:
        server = Server(program, data, *flags)
        try:
            yield server
        finally:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()


def paced(server, paths, count=1000, per_second=200):
    """The 99th percentile in ms of requests sent at a fixed rate over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    began, times = time.monotonic(), []
    for i in range(count):
        time.sleep(max(0.0, began + i / per_second - time.monotonic()))
        sent = time.monotonic()
        connection.request("GET", paths[i % len(paths)])
        connection.getresponse().read()
        times.append(time.monotonic() - sent)
    return sorted(times)[int(count * 0.99)] * 1000


def cut(source, folder, start, seconds):
    path = f"{folder}/{start}.wav"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-ss", str(start), "-i", source, "-t", str(seconds), "-ac", "1", "-ar",
                    "16000", path], check=True)
    return path


def requests(program, long_file, goal):
    with serving(program) as server:
        job = server.submit(long_file, {"no_cache": True})
        paths = [f"/api/v1/transcriptions/{job}", "/api/v1/transcriptions"]
        busy = paced(server, paths)
        running = json.loads(server.get(paths[0])[1])["status"] == "processing"
        server.ask("POST", f"{paths[0]}:cancel")
        time.sleep(3)
        idle = paced(server, paths)
        assert running, "the job ended before the measure did"
    goal("requests", busy <= 20 and busy <= 3 * idle,
         f"p99 {busy:.1f} ms beside a running job, {idle:.1f} ms without; at most 20, and 3 times")
    return dict(busy_ms=busy, idle_ms=idle)


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


def upload(program, goal, gib=4):
    size = gib << 30
    block = os.urandom(1 << 20)
    with tempfile.TemporaryDirectory() as folder, serving(program) as server:
        source = f"{folder}/source"
        with open(source, "wb") as file:
            for _ in range(size >> 20):
                file.write(block)
        began = time.monotonic()
        shutil.copyfile(source, f"{folder}/copy")
        subprocess.run(["sha256sum", f"{folder}/copy"], check=True, stdout=subprocess.DEVNULL)
        plain = time.monotonic() - began
        os.remove(f"{folder}/copy")
        began = time.monotonic()
        client = subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-F", f"file=@{source}",
                                   f"http://127.0.0.1:{server.port}/api/v1/files"])
        memory = 0
        while client.poll() is None:
            memory = max(memory, server.anonymous_mb())
            time.sleep(0.05)
        ours = time.monotonic() - began
    goal("upload", memory <= 64 and plain / ours >= 0.8,
         f"{gib} GiB in {ours:.1f} s, {plain / ours:.2f} of the speed of cp and sha256sum, {memory:.0f} MB; at least 0.8, at most 64")
    return dict(ours_s=ours, plain_s=plain, memory_mb=memory)


def first_words(program, source, goal):
    with tempfile.TemporaryDirectory() as folder, serving(program) as server:
        server.wait(server.submit(cut(source, folder, 0, 10)))
        whole, first = [], []
        for start in (10, 20, 30, 40, 50):
            path = cut(source, folder, start, 10)
            began = time.monotonic()
            job = server.submit(path)
            for name, at in server.events(job):
                if name == "transcription.segment":
                    first.append(at - began)
                    break
            server.wait(job)
            whole.append(time.monotonic() - began)
    goal("first words", statistics.median(first) <= 3 and statistics.median(whole) <= 1.5,
         f"10 s of speech, warm: first segment after {statistics.median(first):.2f} s, completed after "
         f"{statistics.median(whole):.2f} s (medians of 5); at most 3 and 1.5")
    return dict(first_s=first, whole_s=whole)


def overhead(program, source, goal, rounds):
    with tempfile.TemporaryDirectory() as folder:
        path = cut(source, folder, 0, 120)
        ours, plain = [], []
        for _ in range(rounds):
            with serving(program) as server:
                began = time.monotonic()
                server.wait(server.submit(path, {"no_cache": True}))
                ours.append(time.monotonic() - began)
            with tempfile.TemporaryDirectory() as data:
                began = time.monotonic()
                subprocess.run([str(program), "transcribe", path, "--no-cache", "-q", "-o", f"{folder}/out.md"], check=True,
                               env={**os.environ, "HANSARD_DATA_DIR": data})
                plain.append(time.monotonic() - began)
    mine, theirs = statistics.median(ours), statistics.median(plain)
    goal("overhead", mine <= 1.03 * theirs + 0.2,
         f"120 s of speech: {mine:.2f} s from 202 to completed, {theirs:.2f} s by hansard transcribe (medians of {rounds}, "
         f"{min(ours):.2f} to {max(ours):.2f} and {min(plain):.2f} to {max(plain):.2f}); at most 1.03 times and 0.2 s")
    return dict(server_s=ours, command_s=plain)


def start_and_stop(program, goal):
    starts, stops = [], []
    with tempfile.TemporaryDirectory() as data:
        for _ in range(5):
            server = Server(program, data)
            starts.append(server.start_s * 1000)
            stops.append(server.stop() * 1000)
    start, stop = statistics.median(starts), statistics.median(stops)
    goal("start and stop", start <= 300 and stop <= 200,
         f"ready after {start:.0f} ms, an idle server stops in {stop:.0f} ms (medians of 5); at most 300 and 200")
    return dict(starts_ms=starts, stops_ms=stops)


def measure(program, source, rounds, goal):
    print("server: what serving costs")
    with tempfile.TemporaryDirectory() as folder:
        small = cut(source, folder, 0, 3)
        return dict(start=start_and_stop(program, goal), followers=followers(program, small, goal),
                    requests=requests(program, source, goal), upload=upload(program, goal),
                    first_words=first_words(program, source, goal), overhead=overhead(program, source, goal, rounds))
