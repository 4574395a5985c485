#!/usr/bin/env python3
"""Each public header compiles alone, and what it pulls in is the standard library, Abseil and ours."""

import pathlib
import subprocess
import sys


def main():
    compiler, include = sys.argv[1], pathlib.Path(sys.argv[2])
    headers = sorted((include / "scheduled").glob("*.h"))
    failed = [] if headers else ["no public headers found"]
    for header in headers:
        source = f'#include "scheduled/{header.name}"\n'
        command = [compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", f"-I{include}", "-x", "c++",
                   "-H", "-fsyntax-only", "-"]
        done = subprocess.run(command, input=source, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            failed.append(f"{header.name} does not compile alone:\n{done.stderr}")
            continue
        direct = [line for line in done.stderr.splitlines() if line.startswith(".")]
        for line in direct:
            path = line.lstrip(". ")
            known = ("/absl/" in path or "/c++/" in path or "/gcc/" in path or "/clang/" in path
                     or path.startswith(str(include)) or path.startswith("/usr/include/x86_64")
                     or pathlib.Path(path).parent in (pathlib.Path("/usr/include"),)
                     or path.startswith(("/usr/include/linux", "/usr/include/asm",
                                         "/usr/include/bits", "/usr/include/sys")))
            if not known:
                failed.append(f"{header.name} pulls in {path}")
    print("\n".join(failed) if failed else f"{len(headers)} headers stand alone")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
