#!/bin/sh
# Installs what a bare Debian 12 machine needs to build, test and run everything here. README, CI and
# the container image call this script and nothing else. Does nothing where all is present.
set -eu

packages="
  ca-certificates curl git python3 tzdata
  g++ clang-14 cmake ninja-build pkg-config ccache mold
  libclang-rt-14-dev
  libabsl-dev libfmt-dev libxxhash-dev libssl-dev
  librocksdb-dev
  libprotobuf-dev protobuf-compiler
  libgrpc++-dev protobuf-compiler-grpc libc-ares-dev
  libcurl4-openssl-dev
  libboost1.81-dev libboost-json1.81-dev
  prometheus-cpp-dev libcli11-dev
  catch2 gcovr
"

missing=""
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
    missing="$missing $package"
done
[ -z "$missing" ] && exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
  as_root="sudo"
fi
echo "Installing:$missing"
$as_root apt-get update -qq
# shellcheck disable=SC2086  # the list is meant to be split
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing \
  >/dev/null
