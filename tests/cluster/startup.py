#!/usr/bin/env python3
"""What keeps a server from starting is one clear sentence and a non-zero exit, and loses nothing.

Usage: startup.py BINARY
"""

import os
import pathlib
import random
import socket
import string
import subprocess
import sys
import tempfile

import harness
from harness import check


def refused(binary, arguments, *words, environment=None):
    """Runs the binary, which must exit by itself with one sentence that has all the words."""
    ports = harness.free_ports(2)
    defaults = ["--http-port", str(ports[0]), "--metrics-port", str(ports[1])]
    given = set(arguments)
    extra = [] if "--http-port" in given or "--no-defaults" in given else defaults
    arguments = [a for a in arguments if a != "--no-defaults"]
    done = subprocess.run([binary, *arguments, *extra], capture_output=True, text=True, timeout=60,
                          check=False, env={**os.environ, **(environment or {})})
    text = done.stderr.strip()
    sentence = text.splitlines()[-1] if text else ""
    check(done.returncode != 0, f"{arguments}: exit status 0")
    check(sentence.startswith("scheduled: "), f"{arguments}: no sentence but {text!r}")
    for word in words:
        check(word in sentence, f"{arguments}: {word!r} is not in {sentence!r}")
    return sentence


def wrong_flags(binary):
    refused(binary, ["--no-such-flag"], "--no-such-flag")
    refused(binary, ["--http-port", "http", "--metrics-port", "0"], "--http-port", "http")
    refused(binary, ["--peers", "n1"], "--peers", "n1=host:port")
    refused(binary, ["--raft-host", "nowhere"], "--raft-host", "nowhere")
    refused(binary, ["--drain-timeout", "ten"], "--drain-timeout")
    refused(binary, ["--config", "/no/such/file"], "/no/such/file")
    refused(binary, ["--no-defaults", "--metrics-port", "0"], "HTTP_PORT",
            environment={"HTTP_PORT": "x"})
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write('no-such-setting = "1"\n')
        file.flush()
        refused(binary, ["--config", file.name], "no-such-setting")


def strength_of_sources(binary):
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write('node-id = "from-file"\ndata-dir = "from-file"\nhttp-port = 1\n')
        file.flush()
        done = subprocess.run(
            [binary, "--config", file.name, "--node-id", "from-flag", "--check-config"],
            capture_output=True, text=True, check=True,
            env={**os.environ, "NODE_ID": "from-env", "DATA_DIR": "from-env"})
        for line in ('node-id = "from-flag"', 'data-dir = "from-env"', 'http-port = "1"'):
            check(line in done.stdout, f"{line} is not in {done.stdout}")


def port_in_use(binary, folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused(binary, ["--data-dir", f"{folder}/p1", "--http-port", port, "--metrics-port", "0"],
                port, "in use")
        refused(binary, ["--data-dir", f"{folder}/p2", "--node-id", "n1", "--raft-port", port,
                         "--peers", f"n1=127.0.0.1:{port},n2=127.0.0.1:1,n3=127.0.0.1:2"], port)


def directories(binary, folder):
    cluster = harness.Cluster(binary, size=1)
    try:
        directory_of(binary, folder, cluster.nodes[0])
    finally:
        cluster.close()


def directory_of(binary, folder, node):
    node.start()
    job = node.create(delay="1h")
    refused(binary, ["--data-dir", str(node.data)], str(node.data))  # locked by the running one
    check(node.stop() == 0, "SIGTERM did not end with status 0")
    refused(binary, ["--data-dir", str(node.data), "--node-id", "other"], "n1", "other")
    ports = harness.free_ports(3)
    peers = ",".join(f"n{i + 1}=127.0.0.1:{p}" for i, p in enumerate(ports))
    refused(binary, ["--data-dir", str(node.data), "--peers", peers], "member")
    version = node.data / "VERSION"
    kept = version.read_bytes()
    version.write_bytes(b"garbage")
    refused(binary, ["--data-dir", str(node.data)], "VERSION")
    version.write_bytes(kept)
    foreign = pathlib.Path(folder) / "foreign"
    foreign.mkdir()
    (foreign / "something").write_text("else")
    refused(binary, ["--data-dir", str(foreign)], str(foreign))
    lost_log(binary, node)
    node.start()
    check(node.call("GET", f"/jobs/{job['id']}")[0] == 200, "the acknowledged job is gone")
    damaged_table(node, job["id"])


def ended(node, *words):
    """Waits until the node has ended by itself, with one sentence at the end that has all words."""
    harness.wait_until(lambda: not node.running(), "the server ends by itself")
    lines = node.log().strip().splitlines()
    check(node.process.returncode == 1, f"exit status {node.process.returncode}: {lines[-3:]}")
    check(lines[-1].startswith("scheduled: "), f"no sentence at the end, but {lines[-1]!r}")
    for word in words:
        check(word in lines[-1], f"{word!r} is not in {lines[-1]!r}")
    return lines[-1]


def damaged_table(node, job):
    """A flipped byte in a table file is noticed at the start or by whoever reads it, and ends the
    server; with the file as it was, everything is there again."""
    names = [job]
    for _ in range(100):
        # What cannot be compressed, so that the jobs are most of the file.
        noise = "".join(random.choices(string.ascii_letters + string.digits, k=3000))
        names.append(node.create(delay="1h", payload={"x": noise})["id"])
    check(node.stop() == 0, "SIGTERM did not end with status 0")
    table = max((node.data / "state").rglob("*.sst"), key=lambda file: file.stat().st_size)
    whole = table.read_bytes()
    middle = len(whole) // 2
    table.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1:])
    node.start(wait=False)
    harness.wait_until(lambda: not node.running() or node.call("GET", "/ready", quiet=True)[0] == 200,
                       "the server is ready or has ended")
    for name in names:
        if node.call("GET", f"/jobs/{name}", quiet=True)[0] != 200:
            break
    else:
        raise harness.Failure("every job was read from a table file with a flipped byte")
    ended(node, str(node.data), "Corruption")
    table.write_bytes(whole)
    node.start()
    for name in names:
        check(node.call("GET", f"/jobs/{name}")[0] == 200, f"{name} is gone")


def lost_log(binary, node):
    """A missing write-ahead log is noticed at the start."""
    wals = sorted((node.data / "raft").glob("*.log"))
    check(bool(wals), "there is no write-ahead log to take away")
    kept = [(wal, wal.read_bytes()) for wal in wals]
    for wal, _ in kept:
        wal.unlink()
    refused(binary, ["--data-dir", str(node.data)], str(node.data))
    for wal, content in kept:
        wal.write_bytes(content)


def read_only(binary, folder):
    target = pathlib.Path(folder) / "ro"
    target.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,ro", "tmpfs", str(target)],
                             check=False, capture_output=True).returncode == 0
    if not mounted:
        print("read-only directory: not shown, mounting is not permitted here")
        return
    try:
        refused(binary, ["--data-dir", f"{target}/data"], f"{target}/data")
    finally:
        subprocess.run(["umount", str(target)], check=True)


def full_disk(binary, folder):
    """On a file system that fills up: a create is refused and the server ends, without waiting for
    what still runs, nor does it start there again; nothing that was acknowledged is lost."""
    target = pathlib.Path(folder) / "full"
    target.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(target)],
                             check=False, capture_output=True).returncode == 0
    if not mounted:
        print("full disk: not shown, mounting is not permitted here")
        return
    receiver = harness.Receiver()
    node = harness.Node(binary, target, extra=["--drain-timeout", "24h"])
    try:
        node.log_path = pathlib.Path(folder) / "full.log"
        node.start()
        receiver.hold("held")
        node.create(id="held", delay="0s", webhook_url=receiver.url, timeout="1h")
        receiver.wait_for("held")
        acknowledged = ["held"]
        for number in range(2000):
            status, answer = node.call("POST", "/jobs", {
                "id": f"job-{number}", "delay": "1h", "payload": {"x": "y" * 60000}}, quiet=True)
            if status != 200:
                check(status in (0, 429, 500, 503, 507), f"answered {status}: {answer}")
                break
            acknowledged.append(f"job-{number}")
        else:
            raise harness.Failure("24 MiB took 2,000 jobs of 60 kB")
        check(len(acknowledged) > 10, f"only {len(acknowledged)} jobs fitted")
        ended(node, str(node.data), "the disk is full")
        refused(binary, ["--data-dir", str(node.data)], str(node.data), "the disk is full")
        subprocess.run(["mount", "-o", "remount,size=200m", str(target)], check=True)
        node.start()
        for name in acknowledged:
            check(node.call("GET", f"/jobs/{name}")[0] == 200, f"{name} was lost")
        node.kill()
        print(f"full disk after {len(acknowledged)} jobs: none lost")
    finally:
        if node.running():
            node.kill()
        receiver.close()
        subprocess.run(["umount", "-l", str(target)], check=True)


def main():
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="scheduled-") as folder:
        wrong_flags(binary)
        strength_of_sources(binary)
        port_in_use(binary, folder)
        directories(binary, folder)
        read_only(binary, folder)
        full_disk(binary, folder)
    print("every refusal was one sentence and a non-zero exit")


if __name__ == "__main__":
    main()
