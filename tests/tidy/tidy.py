#!/usr/bin/env python3
"""Checks what a program can see of the project's layering and style.

Include direction, banned calls with their replacement, the comment at the head of a file, the length
of files and functions (a ratchet: what is long may only shrink), open ends without a number.
Prints one line a finding, as file:line: sentence; exits 1 if there is any.
"""

import pathlib
import re
import sys

# Folder under lib/ -> folders of lib/ that it may include, its own and proto/ aside.
LAYERS = {
    "base": set(),
    "cron": {"base"},
    "raft": {"base"},
    "storage": {"base"},
    "executor": {"base"},
    "executor/webhook": {"base", "executor"},
    "consensus": {"base", "raft", "storage"},
    "slots": {"base", "storage"},
    "jobs": {"base", "cron", "storage", "slots"},
    "scheduler": {"base", "cron", "raft", "storage", "executor", "consensus", "slots", "jobs"},
    "transport/inproc": {"base"},
    "transport/grpc": {"base"},
}
# Libraries that only some folders may see.
LIBRARIES = [
    (re.compile(r"rocksdb/"), ("lib/storage/", "bench/", "tests/storage/"), "RocksDB belongs to lib/storage"),
    (re.compile(r"grpc(pp)?/"), ("lib/transport/grpc/",), "gRPC belongs to lib/transport/grpc"),
    (re.compile(r"curl/"), ("lib/executor/webhook/",), "libcurl belongs to lib/executor/webhook"),
    (re.compile(r"boost/"), ("server/", "tests/server/", "examples/", "bench/"), "Boost belongs to server/"),
    (re.compile(r"prometheus/"), ("server/",), "prometheus-cpp belongs to server/"),
    (re.compile(r"CLI/"), ("server/", "bench/", "tests/sim/", "tests/explore/"), "CLI11 belongs to programs"),
]
# Pattern, folders it is banned in, folders that are excepted, what to use instead.
EDGES = ("lib/executor/", "lib/transport/grpc/", "lib/transport/inproc/")
BANNED = [
    (r"\bstd::(jthread|thread)\b", ("lib/",), ("lib/base/thread_", *EDGES), "a Lane (base/lane.h)"),
    (r"\babsl::Now\(", ("lib/",), ("lib/base/system_clock", *EDGES), "Clock::WallNow"),
    (r"\b(system_clock|steady_clock)::now\b", ("lib/",), EDGES, "Clock"),
    (r"\bclock_gettime\(", ("lib/",), ("lib/base/",), "Clock"),
    (r"\bstd::random_device\b|\bstd::mt19937\b|\babsl::BitGen\b|\brand\(\)", ("lib/", "tests/sim/"),
     ("lib/base/",), "Runtime::Random or base/random.h"),
    (r"\babsl::Mutex\b|\babsl::MutexLock\b", ("lib/", "server/"), (),
     "std::mutex, which the thread sanitizer sees"),
    (r"\b(sleep_for|sleep_until|usleep|absl::SleepFor)\b", ("lib/", "server/", "tests/"), (),
     "a timer of a lane, or a wait on a condition with a deadline"),
    (r"\bstd::shared_ptr\b", ("lib/raft/",), (), "values and unique_ptr in the core"),
    (r"\bstd::(cout|cerr)\b|\bprintf\(", ("lib/",), ("lib/base/assert.cc", "lib/base/log_"),
     "the log sink"),
    (r"\bstd::regex\b", ("lib/", "server/"), (), "a parser with bounded work"),
    (r"\bthrow\b", ("lib/",), (), "absl::Status"),
]
FILE_LIMIT = 500
TEST_FILE_LIMIT = 620
FUNCTION_LIMIT = 70
# What was longer when it was measured, and may only shrink: "path" or "path:function" -> lines.
RATCHET_FILE = "ratchet.txt"

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


class Findings:
    def __init__(self):
        self.lines = []

    def add(self, path, number, sentence):
        self.lines.append(f"{path}:{number}: {sentence}")


def strip_code(text):
    """The text with comments and literals blanked, line breaks kept."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'',
        re.S)

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    return pattern.sub(blank, text)


def layer_of(path):
    parts = path.split("/")
    if parts[0] != "lib" or len(parts) < 3:
        return None
    nested = "/".join(parts[1:3])
    return nested if nested in LAYERS else parts[1]


def check_includes(path, lines, findings):
    layer = layer_of(path)
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(2)
        for pattern, allowed, why in LIBRARIES:
            if pattern.match(target) and not path.startswith(allowed):
                findings.add(path, number, f"includes {target}: {why}")
        if path.startswith("include/"):
            if match.group(1) == '"' and not target.startswith(("absl/", "scheduled/")):
                findings.add(path, number, f"a public header includes {target}: only std and Abseil")
        if path.startswith(("server/", "examples/")) and match.group(1) == '"':
            if target.split("/")[0] in {name.split("/")[0] for name in LAYERS} | {"proto"}:
                findings.add(path, number, f"reaches into lib/ for {target}: use include/scheduled")
        if layer and match.group(1) == '"' and target.split("/")[0] in {
                name.split("/")[0] for name in LAYERS}:
            wanted = "/".join(target.split("/")[:2])
            wanted = wanted if wanted in LAYERS else target.split("/")[0]
            if wanted != layer and wanted not in LAYERS[layer]:
                findings.add(path, number, f"{layer} may not include {wanted} ({target})")


def check_banned(path, code, findings):
    for pattern, where, excepted, instead in BANNED:
        if not path.startswith(where) or (excepted and path.startswith(excepted)):
            continue
        for match in re.finditer(pattern, code):
            number = code.count("\n", 0, match.start()) + 1
            findings.add(path, number, f"{match.group(0)} is banned here: use {instead}")


def check_head(path, lines, findings):
    head = []
    for line in lines:
        if line.startswith("//"):
            head.append(line)
        else:
            break
    if not head:
        findings.add(path, 1, "starts without a comment that says what the file is")


def check_open_ends(path, lines, findings):
    for number, line in enumerate(lines, 1):
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\))", line):
            findings.add(path, number, "an open end without a number")


def function_lengths(code):
    """(name, first line, lines) of each function body at namespace or class level."""
    depth_kinds, results = [], []
    statement_start, line = 0, 1
    starts = []
    for position, char in enumerate(code):
        if char == "\n":
            line += 1
        elif char == "{":
            head = code[statement_start:position].strip()
            outer = all(kind == "scope" for kind in depth_kinds)
            is_scope = re.search(r"\b(namespace|class|struct|union|enum|extern)\b[^()]*$", head)
            if is_scope and outer:
                depth_kinds.append("scope")
            elif outer and re.search(r"\)[^;=]*$|\bTEST_CASE\b", head):
                depth_kinds.append("function")
                name = re.search(r"([~\w:<>]+)\s*\(", head)
                starts.append((name.group(1) if name else "?", line))
            else:
                depth_kinds.append("block")
            statement_start = position + 1
        elif char == "}":
            if depth_kinds and depth_kinds.pop() == "function":
                name, first = starts.pop()
                results.append((name, first, line - first + 1))
            statement_start = position + 1
        elif char == ";":
            statement_start = position + 1
    return results


def check_lengths(path, lines, code, ratchet, findings):
    limit = ratchet.get(path, TEST_FILE_LIMIT if path.startswith("tests/") else FILE_LIMIT)
    if len(lines) > limit:
        findings.add(path, 1, f"has {len(lines)} lines, more than {limit}: one idea a file")
    if path.startswith("tests/"):
        return
    for name, first, length in function_lengths(code):
        limit = ratchet.get(f"{path}:{name}", FUNCTION_LIMIT)
        if length > limit:
            findings.add(path, first, f"{name} has {length} lines, more than {limit}")


def read_ratchet(folder):
    ratchet = {}
    path = folder / RATCHET_FILE
    if path.exists():
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                key, value = line.rsplit(None, 1)
                ratchet[key] = int(value)
    return ratchet


def check_file(path, text, ratchet, findings):
    lines = text.splitlines()
    code = strip_code(text)
    check_includes(path, lines, findings)
    check_banned(path, code, findings)
    check_head(path, lines, findings)
    check_open_ends(path, lines, findings)
    check_lengths(path, lines, code, ratchet, findings)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    ratchet = read_ratchet(root / "tests" / "tidy")
    findings, count = Findings(), 0
    for folder in ("include", "lib", "server", "examples", "tests", "bench"):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in (".h", ".cc") and "build" not in file.parts:
                count += 1
                check_file(str(file.relative_to(root)), file.read_text(), ratchet, findings)
    for line in findings.lines:
        print(line)
    print(f"{count} files, {len(findings.lines)} findings")
    return 1 if findings.lines or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
