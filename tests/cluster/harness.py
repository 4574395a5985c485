"""Real server processes, a webhook receiver and a small HTTP client, for tests that kill things.

A test says what happens in verbs of this small world: node.kill(), node.start(), receiver.wait_for().
Waiting is always for a condition with a deadline, never for time to pass.
"""

import contextlib
import http.client
import http.server
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

DEADLINE = float(os.environ.get("SCHEDULED_TEST_DEADLINE", "60"))


class Failure(Exception):
    """What was expected did not happen."""


_given_ports = set()
_ports_lock = threading.Lock()


def free_ports(count):
    """Ports that nobody listens on, each given once. None is of those that the system gives to
    outgoing connections, one of which could take it while the server that it is for is down."""
    limits = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")
    first, last = map(int, limits.split())
    pool = [port for port in range(10000, 65000) if not first <= port <= last] or range(10000, 65000)
    ports = []
    while len(ports) < count:
        port = random.choice(pool)
        with _ports_lock, socket.socket() as sock:
            if port in _given_ports:
                continue
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given_ports.add(port)
        ports.append(port)
    return ports


def wait_until(condition, what, deadline=DEADLINE, pause=0.01):
    """Polls `condition` until it is true; what it returned."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"not within {deadline:.0f} s: {what}")
        threading.Event().wait(pause)


class Node:
    """One server process with a data directory and ports of its own."""

    def __init__(self, binary, folder, name="n1", peers=None, raft_port=0, extra=()):
        self.binary, self.name = binary, name
        self.data = pathlib.Path(folder) / name
        self.log_path = pathlib.Path(folder) / f"{name}.log"
        self.http_port, self.metrics_port = free_ports(2)
        self.arguments = ["--node-id", name, "--data-dir", str(self.data),
                          "--http-port", str(self.http_port),
                          "--metrics-port", str(self.metrics_port), *extra]
        if peers:
            self.arguments += ["--peers", peers, "--raft-port", str(raft_port)]
        self.process = None

    def start(self, wait=True, descriptors=None):
        """With `descriptors`, the process may open no more than so many."""
        def limit():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.binary, *self.arguments], stdout=log, stderr=log,
                                            preexec_fn=limit)
        if wait:
            self.wait_ready()

    def wait_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise Failure(f"{self.name} exited with {self.process.returncode}:\n{self.log()}")
            return self.call("GET", "/ready", quiet=True)[0] == 200
        wait_until(ready, f"{self.name} is ready; its log:\n{self.log()}")

    def log(self):
        return self.log_path.read_text(errors="replace")[-4000:] if self.log_path.exists() else ""

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, deadline=DEADLINE):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=deadline)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def resident_bytes(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGESIZE")

    def call(self, method, path, body=None, headers=None, timeout=15, quiet=False):
        """(status, parsed body). With quiet, (0, None) where there is no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout)
        try:
            text = json.dumps(body) if isinstance(body, (dict, list)) else body
            connection.request(method, path, body=text, headers=headers or {})
            answer = connection.getresponse()
            raw = answer.read()
            return answer.status, json.loads(raw) if raw else None
        except (OSError, http.client.HTTPException, ValueError):
            if quiet:
                return 0, None
            raise
        finally:
            connection.close()

    def create(self, **job):
        status, answer = self.call("POST", "/jobs", job)
        if status != 200:
            raise Failure(f"create was answered {status}: {answer}")
        return answer


class Receiver:
    """Counts webhooks by job. `hold(job)` keeps that job's requests open until `release`."""

    def __init__(self):
        self.deliveries = {}  # job id -> list of {"at", "run_id", "token", "attempt"}
        self.lock = threading.Condition()
        self.held, self.holding = set(), set()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):  # noqa: N802, the name is the library's
                arrived = time.time()
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.record(body, self.headers, arrived)
                with contextlib.suppress(OSError):
                    self.send_response(200)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 1024

            def handle_error(self, *args):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def record(self, body, headers, arrived):
        job = body["job_id"]
        with self.lock:
            self.deliveries.setdefault(job, []).append({
                "at": arrived, "run_id": body["run_id"], "attempt": body["attempt"],
                "token": int(headers["X-Scheduled-Fencing-Token"]), "body": body})
            self.lock.notify_all()
            if job in self.held:
                self.holding.add(job)
                self.lock.notify_all()
                self.lock.wait_for(lambda: job not in self.held, DEADLINE)

    def hold(self, job):
        with self.lock:
            self.held.add(job)

    def release(self, job):
        with self.lock:
            self.held.discard(job)
            self.lock.notify_all()

    def of(self, job):
        with self.lock:
            return list(self.deliveries.get(job, []))

    def wait_for(self, job, count=1, deadline=DEADLINE):
        with self.lock:
            done = self.lock.wait_for(lambda: len(self.deliveries.get(job, [])) >= count, deadline)
            if not done:
                raise Failure(f"{job}: {len(self.deliveries.get(job, []))} of {count} deliveries "
                              f"within {deadline:.0f} s")
            return list(self.deliveries[job])

    def close(self):
        with self.lock:
            self.held.clear()
            self.lock.notify_all()
        self.server.shutdown()


class Cluster:
    """Nodes that know each other, in one scratch folder."""

    def __init__(self, binary, size=3, extra=()):
        self.folder = tempfile.mkdtemp(prefix="scheduled-")
        ports = free_ports(size)
        peers = ",".join(f"n{i + 1}=127.0.0.1:{port}" for i, port in enumerate(ports))
        if size == 1:
            self.nodes = [Node(binary, self.folder, extra=extra)]
        else:
            self.nodes = [Node(binary, self.folder, f"n{i + 1}", peers, port, extra)
                          for i, port in enumerate(ports)]

    def start(self):
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.wait_ready()

    def leader(self, deadline=DEADLINE):
        def find():
            for node in self.nodes:
                if not node.running():
                    continue
                status, answer = node.call("GET", "/debug/cluster", quiet=True, timeout=2)
                if status == 200 and answer["is_leader"]:
                    health = node.call("GET", "/health", quiet=True, timeout=2)
                    if health[0] == 200:
                        return node
            return None
        return wait_until(find, "there is a leader", deadline)

    def close(self, keep=False):
        for node in self.nodes:
            if node.running():
                with contextlib.suppress(OSError):
                    node.go_on()
                node.kill()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def check(condition, sentence):
    if not condition:
        raise Failure(sentence)
