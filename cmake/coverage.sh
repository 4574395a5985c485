#!/bin/sh
# Prints which lines and branches of one layer its own tests reach, and fails below a share of lines:
#   cmake/coverage.sh [layer] [percent of lines]          by default: raft 95
# Branches that only an exception takes, and the failing side of assertions, are not counted: no test
# that passes takes them.
set -eu
cd "$(dirname "$0")/.."
layer="${1:-raft}"
least="${2:-95}"
build="${COVERAGE_BUILD:-build/coverage}"

cmake --preset coverage -B "$build" >/dev/null
cmake --build "$build" --target "scheduled_test_$layer"
find "$build" -name '*.gcda' -delete
"$build/bin/scheduled_test_$layer" >/dev/null
report() {
  gcovr --root . --filter "lib/$layer/" --object-directory "$build" \
    --exclude-throw-branches --exclude-unreachable-branches \
    --exclude-branches-by-pattern '.*SCHEDULED_ASSERT.*' \
    "$build/lib" "$build/tests" "$@"
}
report --branches --txt
report --print-summary --fail-under-line "$least"
