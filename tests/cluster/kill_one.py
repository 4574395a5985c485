#!/usr/bin/env python3
"""kill -9 of a single node around a job that is due in two seconds.

Killed before it is due: the webhook arrives once, not early, and its attempt is recorded. Killed
while the receiver holds the request open: delivered again with the same run id and a larger fencing
token. Usage: kill_one.py BINARY [ROUNDS] [PARALLEL]
"""

import concurrent.futures
import random
import sys
import time

import harness
from harness import check


def killed_before_due(binary, receiver, seed):
    chance = random.Random(seed)
    cluster = harness.Cluster(binary, size=1)
    node = cluster.nodes[0]
    try:
        node.start()
        posted = time.time()
        job = node.create(delay="2s", webhook_url=receiver.url, payload={"seed": seed})
        due = job["next_run_at"]
        check(posted + 1.9 < due < time.time() + 2.1, f"due at {due}, posted at {posted}")
        # Anywhere between the acknowledgement and the last moment before the due time.
        kill_at = posted + chance.uniform(0, 1.8)
        harness.wait_until(lambda: time.time() >= kill_at, "the moment to kill")
        node.kill()
        check(not receiver.of(job["id"]), "it fired before it was due")
        if chance.random() < 0.3:  # come back late
            harness.wait_until(lambda: time.time() > due, "the due time has passed")
        node.start()
        back = time.time()
        delivery = receiver.wait_for(job["id"])[0]
        check(delivery["at"] >= due, f"early by {due - delivery['at']:.6f} s")
        late = delivery["at"] - max(due, back)
        status = harness.wait_until(
            lambda: (lambda s: s if s["status"] == "completed" else None)(
                node.call("GET", f"/jobs/{job['id']}/status")[1]), "the job is completed")
        check(status["attempt_count"] == 1, f"attempts: {status}")
        attempts = node.call("GET", f"/jobs/{job['id']}/executions")[1]["attempts"]
        check(len(attempts) == 1 and attempts[0]["status"] == "completed"
              and attempts[0]["http_status"] == 200, f"executions: {attempts}")
        check(attempts[0]["run_id"] == delivery["run_id"], "the recorded run id is another")
        shown = node.call("GET", f"/jobs/{job['id']}")[1]
        check(shown["payload"] == {"seed": seed}, f"payload: {shown}")
        check(len(receiver.of(job["id"])) == 1, "it was delivered more than once")
        return late
    finally:
        cluster.close()


def killed_while_running(binary, receiver, seed):
    cluster = harness.Cluster(binary, size=1)
    node = cluster.nodes[0]
    try:
        node.start()
        name = f"held-{seed}"
        receiver.hold(name)
        node.create(id=name, delay="50ms", webhook_url=receiver.url)
        first = receiver.wait_for(name)[0]
        node.kill()
        receiver.release(name)
        node.start()
        second = receiver.wait_for(name, 2)[1]
        check(second["run_id"] == first["run_id"], "the run id changed")
        check(second["token"] > first["token"],
              f"fencing token {second['token']} is not larger than {first['token']}")
        harness.wait_until(
            lambda: node.call("GET", f"/jobs/{name}/status")[1]["status"] == "completed",
            "the job is completed")
        check(len(receiver.of(name)) == 2, "more than two deliveries")
        return second["at"] - first["at"]
    finally:
        cluster.close()


def main():
    binary = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    parallel = int(sys.argv[3]) if len(sys.argv) > 3 else 8
    receiver = harness.Receiver()
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        early = [pool.submit(killed_before_due, binary, receiver, seed) for seed in range(rounds)]
        held = [pool.submit(killed_while_running, binary, receiver, seed) for seed in range(rounds)]
        lateness = sorted(future.result() for future in early)
        again = sorted(future.result() for future in held)
    print(f"{rounds} rounds killed before due: latest arrival after due or restart "
          f"{lateness[-1]:.3f} s, median {lateness[len(lateness) // 2]:.3f} s")
    print(f"{rounds} rounds killed while running: delivered again after at most {again[-1]:.3f} s")
    receiver.close()


if __name__ == "__main__":
    main()
