#!/usr/bin/env python3
"""Hostile HTTP input: each gets a 4xx with the JSON error body, memory stays bounded, and good
requests are served all the while. Usage: hostile.py BINARY [MEMORY_LIMIT_MIB, 0 for none]
"""

import http.client
import json
import socket
import sys
import threading

import harness
from harness import check


def raw(node, data, timeout=20):
    """Sends bytes as they are; (status, body) of the answer, (0, b"") if there is none."""
    with socket.create_connection(("127.0.0.1", node.http_port), timeout=timeout) as sock:
        try:
            sock.sendall(data)
        except OSError:
            pass  # it may have answered and closed already
        answer = b""
        try:
            while b"\r\n\r\n" not in answer or len(answer) < expected(answer):
                part = sock.recv(65536)
                if not part:
                    break
                answer += part
        except OSError:
            pass
    if not answer:
        return 0, b""
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def expected(answer):
    head, _, _ = answer.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return len(head) + 4 + int(line.split(b":")[1])
    return 0


def post(body, path="/jobs", headers=""):
    if isinstance(body, str):
        body = body.encode()
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
            .encode() + body)


BAD_BODIES = [
    b"", b"{", b"[]", b"null", b"1", b'"x"', b"{}", b'{"delay":}', b'{"delay":"2s",}', b"\xff\xfe",
    b'{"delay":"2s","id":"\xff"}', b'{"delay":"2s","payload":{"a":"\xc0\x80"}}',
    b'{"delay":"2s","delay":"3s"}', b'{"delay":"2s","payload":{"a":1,"a":2}}',
    b'{"delay":"2s","unknown":1}', b'{"delay":"2s","queue":"q"}', b'{"delay":"2s","priority":1}',
    b'{"delay":"2s","tags":[]}', b'{"delay":"2s","misfire":"fire_all"}', b'{"delay":true}',
    b'{"delay":"2s","overlap":"allow"}', b'{"delay":"2s","jitter":"1s"}', b'{"delay":"-2s"}',
    b'{"delay":"2s","concurrency_key":"k"}', b'{"delay":"2s","expires_at":1}', b'{"delay":1e400}',
    b'{"delay":"2s","catchup_window":"1s"}', b'{"delay":"2s","pause_on_failure":true}',
    b'{"delay":["2s"]}', b'{"delay":"2s","timestamp":1}', b'{"timestamp":"yesterday"}',
    b'{"timestamp":1e30}', b'{"timestamp":"2026-13-01T00:00:00Z"}', b'{"delay":"2s","id":""}',
    b'{"delay":"2s","id":"a/b"}', b'{"delay":"2s","id":"a\\u0000b"}', b'{"delay":"2s","id":7}',
    b'{"delay":"2s","id":"a\\nb"}', b'{"delay":"2s","id":"' + b"x" * 256 + b'"}',
    b'{"cron_expression":"61 * * * *"}', b'{"cron_expression":"* * 30 2 *"}',
    b'{"cron_expression":"* * * * *","timezone":"Mars/Olympus"}', b'{"interval":"0s"}',
    b'{"cron_expression":"* * * * *","interval":"5s"}', b'{"type":"unico"}', b'{"type":"weekly"}',
    b'{"delay":"2s","payload":[1]}', b'{"delay":"2s","payload":"x"}', b'{"delay":"2s","retry":1}',
    b'{"delay":"2s","retry":{"max_attempts":0}}', b'{"delay":"2s","retry":{"tries":1}}',
    b'{"delay":"2s","retry":{"max_attempts":1e9}}', b'{"delay":"2s","timeout":"0s"}',
    b'{"delay":"2s","webhook_url":"ftp://x/"}', b'{"delay":"2s","webhook_url":"not a url"}',
    b'{"delay":"2s","webhook_url":"http://x/","method":"BREW"}',
    b'{"delay":"2s","webhook_url":"http://x/","headers":{"A\\r\\nB":"c"}}',
    b'{"delay":"2s","webhook_url":"http://x/","headers":{"A":"c\\r\\nX: y"}}',
    b'{"delay":"2s","payload":' + b'{"a":' * 100 + b"1" + b"}" * 100 + b"}",
    b"[" * 100000, b'{"a":' * 100000,
]


def bad_requests(node):
    for body in BAD_BODIES:
        status, answer = raw(node, post(body))
        check(400 <= status < 500, f"{body[:80]!r} was answered {status} {answer[:200]!r}")
        error = json.loads(answer)
        check(error.get("error") and error.get("code"), f"{body[:80]!r}: no JSON error: {answer!r}")
    for request, wanted in [
            (b"NONSENSE\r\n\r\n", 400),
            (b"GET / HTTP/9.9\r\n\r\n", 400),
            (b"GET /\x00 HTTP/1.1\r\n\r\n", 400),
            (b"GET /jobs/%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (b"GET /jobs?limit=0 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (b"GET /jobs?cursor=garbage HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (b"GET /jobs?nosuch=1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (b"GET /nothing/here HTTP/1.1\r\nHost: x\r\n\r\n", 404),
            (b"GET /jobs/nosuchjob HTTP/1.1\r\nHost: x\r\n\r\n", 404),
            (b"PATCH /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405),
            (b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
            (b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413),
            (b"POST /jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: x\r\nOrigin: http://evil.example\r\n\r\n", 403),
            (b"GET / HTTP/1.1\r\nX: " + b"a" * 20000 + b"\r\n\r\n", 431),
            (post(b"x" * (2 << 20)), 413),
            (post(b'{"jobs":[]}', "/jobs/batch"), 400),
            (post(b'{"jobs":[{"delay":"1s"},{"delay":1,"x":2}]}', "/jobs/batch"), 400),
    ]:
        status, answer = raw(node, request)
        check(status == wanted, f"{request[:80]!r} was answered {status} {answer[:200]!r}, not {wanted}")
        check(json.loads(answer).get("code"), f"{request[:80]!r}: no JSON error: {answer!r}")


def slow_clients(node, count=200):
    """Connections that send a byte now and then, or stop in the middle of a large body."""
    sockets = []
    for number in range(count):
        sock = socket.create_connection(("127.0.0.1", node.http_port))
        if number % 2:
            sock.sendall(b"POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Le")
        else:
            sock.sendall(b"POST /jobs/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 16000000\r\n\r\n"
                         + b"[" * 50000)
        sockets.append(sock)
    return sockets


def huge_bodies(node):
    """As large as is allowed, many at once, and none of them a job."""
    body = b'{"jobs":[' + b'{"delay":"1s","x":"' + b"y" * (15 << 20) + b'"}]}'
    threads = [threading.Thread(target=raw, args=(node, post(body, "/jobs/batch"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    return threads


def crowd(binary):
    """More clients that stay than the process may open descriptors, and tables that need new files."""
    cluster = harness.Cluster(binary, size=1)
    node = cluster.nodes[0]
    node.start(descriptors=256)
    sockets = []
    try:
        busy = http.client.HTTPConnection("127.0.0.1", node.http_port, timeout=30)
        busy.connect()
        for _ in range(300):
            sockets.append(socket.create_connection(("127.0.0.1", node.http_port)))
        for _ in range(48):
            busy.request("POST", "/jobs", json.dumps({"delay": "1h", "payload": {"x": "x" * 900_000}}))
            answer = busy.getresponse()
            sentence = answer.read()
            check(answer.status == 200, f"a create was answered {answer.status} {sentence!r}")
        for sock in sockets:
            sock.close()
        harness.wait_until(lambda: node.call("GET", "/health", quiet=True)[0] == 200,
                           "the node serves others once they have left")
        print("300 clients stayed at a process that may open 256 files, and it went on")
    finally:
        cluster.close()


def main():
    crowd(sys.argv[1])
    limit = int(sys.argv[2]) if len(sys.argv) > 2 else 64
    cluster = harness.Cluster(sys.argv[1], size=1)
    node = cluster.nodes[0]
    node.start()
    try:
        for _ in range(50):
            node.create(delay="1h")
        before = node.resident_bytes()
        peak = before
        sockets = slow_clients(node)
        good = 0
        for _ in range(3):
            bad_requests(node)
            threads = huge_bodies(node)
            while any(thread.is_alive() for thread in threads):
                node.create(delay="1h", payload={"good": good})
                good += 1
                peak = max(peak, node.resident_bytes())
            peak = max(peak, node.resident_bytes())
        for sock in sockets:
            sock.settimeout(40)
            data = b""
            try:
                data = sock.recv(4096)
            except OSError:
                pass  # dropped by the server, which is what it is for
            check(data == b"" or b" 4" in data[:16] or b" 503" in data[:16],
                  f"a slow client was answered {data[:64]!r}")
            sock.close()
        growth = (peak - before) / (1 << 20)
        print(f"{3 * len(BAD_BODIES)} bad bodies refused, {good} good requests served meanwhile, "
              f"resident memory grew by {growth:.1f} MiB at most")
        check(limit == 0 or growth < limit, f"resident memory grew by {growth:.1f} MiB")
        check(node.call("GET", "/health")[0] == 200, "the node is not healthy any more")
    finally:
        cluster.close()


if __name__ == "__main__":
    main()
