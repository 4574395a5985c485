#!/usr/bin/env python3
"""The README's first program is the example that is compiled and run: one text, not two.

Usage: readme_test.py README.md examples/embed.cc
"""

import pathlib
import re
import sys


def main():
    readme, example = (pathlib.Path(name).read_text(encoding="utf-8") for name in sys.argv[1:3])
    shown = re.search(r"```cpp\n(.*?)```", readme, re.S)
    if not shown:
        print("the README shows no C++")
        return 1
    # All but the comment at the head of the file.
    program = re.sub(r"\A(//[^\n]*\n)+", "", example)
    if shown.group(1) != program:
        print(f"the README's first program is not {sys.argv[2]}; copy it there:\n{program}")
        return 1
    print("the README shows the example that runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
