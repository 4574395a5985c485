#!/bin/sh
# Runs the same seeds with the simulators of two builds, of two compilers say, and compares their
# digests: a seed takes the same way everywhere.
#
#   sh tests/sim/same_digest.sh build/dev/bin/scheduled_sim build/clang/bin/scheduled_sim
#
# Exit 77, which test runners take for "skipped", where one of the two is not there.
set -eu
for program in "$1" "$2"; do
  if [ ! -x "$program" ]; then
    echo "there is no $program: build it first, with: cmake --preset clang && cmake --build build/clang --target scheduled_sim"
    exit 77
  fi
done
for workload in log jobs; do
  for seed in 1 2 3; do
    one=$("$1" --workload "$workload" --seed "$seed")
    other=$("$2" --workload "$workload" --seed "$seed")
    if [ "$one" != "$other" ]; then
      printf '%s\n%s\n' "$one" "$other"
      exit 1
    fi
    echo "$workload $one"
  done
done
