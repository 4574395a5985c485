#!/usr/bin/env python3
"""A follower that was away longer than the log reaches back gets a snapshot, while creates go on.

Three processes with a log that is cut soon. Every job that was acknowledged is on the follower
afterwards, and creates were acknowledged while its snapshot was on its way. Then two of the three
directories are lost, and what is left is repaired and goes on alone.
Usage: catch_up.py BINARY [JOBS]
"""

import shutil
import subprocess
import sys
import threading
import time

import harness
from harness import check

BATCH = 500
LOG_BYTES = 4 << 20


class Creator(threading.Thread):
    """Creates batches of jobs on the leader, and remembers when each was acknowledged."""

    def __init__(self, node, number):
        super().__init__(daemon=True)
        self.node, self.number = node, number
        self.batches = []  # (monotonic instant, id of one job)
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.is_set():
            name = f"c{self.number}-{len(self.batches)}"
            jobs = [{"id": f"{name}-{i}", "delay": "48h", "payload": {"x": "y" * 100}}
                    for i in range(BATCH)]
            status, answer = self.node.call("POST", "/jobs/batch", {"jobs": jobs}, timeout=30)
            check(status == 200, f"a batch was answered {status}: {answer}")
            self.batches.append((time.monotonic(), f"{name}-0"))


def state(node):
    status, answer = node.call("GET", "/debug/cluster", quiet=True, timeout=5)
    return answer if status == 200 else None


def created(creators):
    return sum(len(c.batches) for c in creators) * BATCH


def catch_up(cluster, jobs):
    leader = cluster.leader()
    away = next(node for node in cluster.nodes if node is not leader)
    away.kill()
    creators = [Creator(leader, number) for number in range(4)]
    for creator in creators:
        creator.start()
    harness.wait_until(lambda: created(creators) >= jobs, f"{jobs} jobs are created", deadline=180)
    back = time.monotonic()
    away.start(wait=False)

    def level():
        here, there = state(away), state(leader)
        return here and there and here["applied_index"] + 20 >= there["commit_index"] > 100
    harness.wait_until(level, "the follower has caught up", deadline=120)
    took = time.monotonic() - back
    for creator in creators:
        creator.stopping.set()
    for creator in creators:
        creator.join()
    meanwhile = sum(BATCH for c in creators for at, _ in c.batches if back <= at <= back + took)
    check("installed a snapshot" in away.log_path.read_text(errors="replace"),
          f"the follower caught up without a snapshot; its log:\n{away.log()}")
    check(meanwhile > 0, "nothing was created while the follower caught up")
    commit = state(leader)["commit_index"]
    harness.wait_until(lambda: (state(away) or {"applied_index": 0})["applied_index"] >= commit,
                       "the follower has everything")
    for creator in creators:
        for _, name in creator.batches:
            status, _ = away.call("GET", f"/jobs/{name}?consistency=stale")
            check(status == 200, f"{name} is not on the follower: {status}")
    check(state(away)["job_count"] == created(creators), "the follower counts other jobs")
    print(f"{created(creators)} jobs; the follower was level {took:.1f} s after its start, and "
          f"{meanwhile} jobs were created meanwhile")
    return leader, away, creators[0].batches[0][1]


def lose_quorum(cluster, left, job):
    """All stop, and two directories are gone; `left` is repaired and goes on."""
    for node in cluster.nodes:
        node.kill()
        if node is not left:
            shutil.rmtree(node.data)
    command = [left.binary, "--data-dir", str(left.data), "--repair-lost-quorum"]
    asked = subprocess.run(command, capture_output=True, text=True)
    check(asked.returncode == 1 and "nothing was changed" in asked.stderr, asked.stderr)
    check("Jobs that were acknowledged" in asked.stdout, asked.stdout)
    repaired = subprocess.run([*command, "--yes"], capture_output=True, text=True)
    check(repaired.returncode == 0, repaired.stderr)
    check("epoch         1" in repaired.stdout, repaired.stdout)
    left.start()
    check(left.call("GET", f"/jobs/{job}")[0] == 200, "the job was lost")
    left.create(delay="1h")
    check(left.stop() == 0, "SIGTERM did not end with status 0")
    print(f"{left.name} goes on alone")


def main():
    binary = sys.argv[1]
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else 40_000
    cluster = harness.Cluster(binary, size=3, extra=["--compact-log-bytes", str(LOG_BYTES)])
    ok = False
    try:
        cluster.start()
        _, away, job = catch_up(cluster, jobs)
        lose_quorum(cluster, away, job)
        ok = True
    finally:
        cluster.close(keep=not ok)
        if not ok:
            print(f"data and logs are kept in {cluster.folder}")


if __name__ == "__main__":
    main()
