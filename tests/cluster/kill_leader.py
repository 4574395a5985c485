#!/usr/bin/env python3
"""Three processes, clients that write throughout, and a leader that is killed or stopped each round.

Nothing acknowledged is lost, nothing fires early, a second delivery has a larger fencing token, and
a node that comes back catches up. Only what a leader had looked up before it was stopped, and sends
when it goes on, may come after a delivery of a larger token: that is what the token is for
(dispatch.md, rule 7). Usage: kill_leader.py BINARY [ROUNDS] [SEED]
"""

import random
import sys
import threading
import time

import harness
from harness import check


class Writer(threading.Thread):
    """Creates jobs on random nodes and remembers what was acknowledged."""

    def __init__(self, cluster, receiver, number):
        super().__init__(daemon=True)
        self.cluster, self.receiver = cluster, receiver
        self.chance = random.Random(number)
        self.number, self.count = number, 0
        self.acknowledged = {}  # job id -> due
        self.acknowledged_at = []  # monotonic instants
        self.stopping = threading.Event()

    def run(self):
        while not self.stopping.wait(self.chance.uniform(0.005, 0.03)):
            node = self.chance.choice(self.cluster.nodes)
            self.count += 1
            name = f"w{self.number}-{self.count}"
            delay = self.chance.randint(100, 3000)
            status, answer = node.call("POST", "/jobs", {
                "id": name, "delay": f"{delay}ms", "webhook_url": self.receiver.url},
                quiet=True, timeout=5)
            if status == 200:
                # Where the answer came late, the run may have begun, and no other is to come.
                resolved = answer["created_at"] + delay / 1000 - 0.001
                self.acknowledged[name] = answer["next_run_at"] or resolved
                self.acknowledged_at.append(time.monotonic())


def settle(cluster):
    """Every node runs and has applied what the leader had committed."""
    leader = cluster.leader()
    commit = leader.call("GET", "/debug/cluster")[1]["commit_index"]
    for node in cluster.nodes:
        harness.wait_until(
            lambda node=node: (node.call("GET", "/debug/cluster", quiet=True)[1] or
                               {"applied_index": 0})["applied_index"] >= commit,
            f"{node.name} has caught up")


def one_round(cluster, writers, chance, stops):
    """Adds when it stopped the leader and let it go on, if it did, to `stops`."""
    victim = cluster.leader()
    before = time.monotonic()
    stopped = chance.random() < 0.3
    if stopped:
        paused = time.time()
        victim.pause()
    else:
        victim.kill()
    others = [node for node in cluster.nodes if node is not victim]

    def other_leads():
        for node in others:
            status, answer = node.call("GET", "/debug/cluster", quiet=True, timeout=2)
            if status == 200 and answer["is_leader"]:
                return True
        return False
    harness.wait_until(other_leads, "another node leads")
    elected = time.monotonic() - before

    def written():
        return any(w.acknowledged_at and w.acknowledged_at[-1] > before + elected for w in writers)
    harness.wait_until(written, "a write succeeds again")
    writes = time.monotonic() - before
    if stopped:
        stops.append((paused, time.time()))
        victim.go_on()
    else:
        victim.start(wait=False)
    victim.wait_ready()
    settle(cluster)
    return elected, writes


def count_late(name, deliveries, stops):
    """Each delivery of a run has a larger token than those before it, but for those that a leader
    sent late because it was stopped meanwhile; how many these are."""
    tokens = [d["token"] for d in deliveries]
    check(len(set(tokens)) == len(tokens), f"{name} came twice with one token: {tokens}")
    late = 0
    for number, delivery in enumerate(deliveries):
        overtaken_by = [d for d in deliveries[:number] if d["token"] > delivery["token"]]
        late += bool(overtaken_by)
        for other in overtaken_by:
            check(any(paused <= other["at"] and resumed <= delivery["at"]
                      for paused, resumed in stops),
                  f"{name}: the token fell, and no leader had been stopped: {tokens}")
    return late


def verify(cluster, receiver, writers, stops):
    acknowledged = {}
    for writer in writers:
        acknowledged.update(writer.acknowledged)
    twice, late = 0, 0
    for name, due in acknowledged.items():
        deliveries = receiver.wait_for(name)
        check(deliveries[0]["at"] >= due, f"{name} early by {due - deliveries[0]['at']:.6f} s")
        check(len({d["run_id"] for d in deliveries}) == 1, f"{name} has more than one run id")
        twice += len(deliveries) > 1
        late += count_late(name, deliveries, stops)
    settle(cluster)
    for name in random.Random(1).sample(sorted(acknowledged), min(200, len(acknowledged))):
        for node in cluster.nodes:
            status, answer = node.call("GET", f"/jobs/{name}?consistency=stale")
            check(status == 200 and answer["status"] == "completed",
                  f"{name} on {node.name}: {status} {answer}")
    return len(acknowledged), twice, late


def main():
    binary = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    chance = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 7)
    cluster, receiver = harness.Cluster(binary, size=3), harness.Receiver()
    ok = False
    try:
        started = time.monotonic()
        cluster.start()
        cluster.leader()
        first = time.monotonic() - started
        # A job created on a follower is on all three.
        follower = next(n for n in cluster.nodes if n is not cluster.leader())
        job = follower.create(delay="1h", webhook_url=receiver.url)
        settle(cluster)
        for node in cluster.nodes:
            check(node.call("GET", f"/jobs/{job['id']}?consistency=stale")[0] == 200,
                  f"{node.name} does not have the job")
        writers = [Writer(cluster, receiver, number) for number in range(4)]
        for writer in writers:
            writer.start()
        stops = []
        times = [one_round(cluster, writers, chance, stops) for _ in range(rounds)]
        for writer in writers:
            writer.stopping.set()
        for writer in writers:
            writer.join()
        count, twice, late = verify(cluster, receiver, writers, stops)
        elected, writes = sorted(t[0] for t in times), sorted(t[1] for t in times)
        print(f"first leader after {first:.2f} s; {rounds} rounds: another leader after "
              f"{elected[len(elected) // 2]:.2f} s (worst {elected[-1]:.2f} s), writes after "
              f"{writes[len(writes) // 2]:.2f} s (worst {writes[-1]:.2f} s)")
        print(f"{count} jobs acknowledged, all fired, none early, {twice} delivered again, "
              f"{late} late by a leader that had been stopped")
        check(all(n.stop() == 0 for n in cluster.nodes), "SIGTERM did not end with status 0")
        ok = True
    finally:
        cluster.close(keep=not ok)
        if not ok:
            print(f"data and logs are kept in {cluster.folder}")
        receiver.close()


if __name__ == "__main__":
    main()
