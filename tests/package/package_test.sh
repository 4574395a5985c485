#!/bin/sh
# Installs the build into an empty prefix, then configures, builds and runs projects that know
# nothing but find_package(scheduled): with the core alone, and with each component.
set -eu
cmake=$1 build=$2 consumer=$3 compiler=$4 components=$5
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$cmake" --install "$build" --prefix "$scratch/prefix" >/dev/null

# configure <name> <cmake arguments...>: its output goes into $scratch/<name>.log
configure() {
  name=$1
  shift
  "$cmake" -S "$consumer" -B "$scratch/$name" -DCMAKE_PREFIX_PATH="$scratch/prefix" \
    -DCMAKE_CXX_COMPILER="$compiler" "$@" >"$scratch/$name.log" 2>&1
}
fail() {
  echo "$1"
  cat "$scratch/$2.log"
  exit 1
}
# Sentences of CMake are wrapped where a line is full.
refused_with() {
  tr -s ' \n' ' ' <"$scratch/$1.log" | grep -qF "$2" || fail "no such sentence: $2" "$1"
}

# The core needs nothing of its components' packages.
without="-DCMAKE_DISABLE_FIND_PACKAGE_CURL=ON -DCMAKE_DISABLE_FIND_PACKAGE_gRPC=ON"
# shellcheck disable=SC2086  # two arguments
configure core $without || fail "the core alone was not found" core
"$cmake" --build "$scratch/core" >"$scratch/core.log" 2>&1 || fail "the core does not link" core
"$scratch/core/consumer" "$scratch/core-data"

configure unknown -DCOMPONENTS=nosuch && fail "an unknown component was found" unknown
refused_with unknown 'has no component "nosuch"; there are scheduled, webhook and grpc'

case ";$components;" in *";webhook;"*)
  # shellcheck disable=SC2086
  configure missing $without -DCOMPONENTS=webhook && fail "webhook was found without CURL" missing
  refused_with missing 'needs CURL for its component "webhook"'
  ;;
esac

configure all "-DCOMPONENTS=scheduled;$components" || fail "the components were not found" all
"$cmake" --build "$scratch/all" >"$scratch/all.log" 2>&1 || fail "the components do not link" all
"$scratch/all/consumer" "$scratch/all-data"
