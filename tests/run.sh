#!/bin/sh
# Passes the tests, on a fresh machine too: installs what is missing, builds, and runs everything.
#
#   sh tests/run.sh          all of it: plain, then under the address and undefined-behaviour
#                            sanitizers (without the tests that kill processes), then the tests that
#                            start threads under the thread sanitizer (without their twins in virtual
#                            time)
#   sh tests/run.sh dev      one preset alone (dev, release, asan, tsan)
#
# Ends with the test runners' totals; the exit status is 0 only if nothing failed.
set -eu
cd "$(dirname "$0")/.."
sh cmake/install-deps.sh

total_passed=0
total_failed=0

# run_preset PRESET TARGETS CTEST_ARGUMENTS...: builds and tests one preset.
run_preset() {
  preset=$1
  targets=$2
  shift 2
  echo "== $preset: building"
  cmake --preset "$preset" >"build/$preset.configure.log" 2>&1 ||
    { cat "build/$preset.configure.log"; exit 1; }
  # shellcheck disable=SC2086  # the targets are meant to be split
  cmake --build "build/$preset" --target $targets -- --quiet
  echo "== $preset: testing"
  log="build/$preset.ctest.log"
  if ctest --test-dir "build/$preset" --output-on-failure "$@" >"$log" 2>&1; then
    # What the simulator drew.
    sed -n 's/^\(seeds from [0-9]* on: .*\|the lot is [0-9]*\)$/\1/p' \
      "build/$preset/Testing/Temporary/LastTest.log"
    tail -n 8 "$log"
  else
    cat "$log"
  fi
  failed=$(sed -n 's/.*tests passed, \([0-9]*\) tests\{0,1\} failed out of \([0-9]*\).*/\1/p' "$log" | tail -n 1)
  all=$(sed -n 's/.*tests passed, \([0-9]*\) tests\{0,1\} failed out of \([0-9]*\).*/\2/p' "$log" | tail -n 1)
  if [ -z "$all" ]; then
    echo "== $preset: the test runner gave no summary"
    exit 1
  fi
  total_failed=$((total_failed + failed))
  total_passed=$((total_passed + all - failed))
}

mkdir -p build
wanted=${1:-all}
case "$wanted" in
  all)
    run_preset dev all -j 2
    run_preset asan all -j 2 -LE cluster
    run_preset tsan scheduled_tsan_tests -j 2 -L tsan -E VirtualWorld
    ;;
  tsan) run_preset tsan scheduled_tsan_tests -j 2 -L tsan -E VirtualWorld ;;
  *) run_preset "$wanted" all -j 2 ;;
esac

echo "$total_passed passed, $total_failed failed"
[ "$total_failed" -eq 0 ]
