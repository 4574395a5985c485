#!/bin/sh
# The main job, from nothing: installs what is missing, builds, starts the server and a receiver,
# creates a job that is due in two seconds, and shows its webhook arrive.
# Usage: sh examples/first_job.sh [folder of built programs]
set -eu
cd "$(dirname "$0")/.."
bin=${1:-}
if [ -z "$bin" ]; then
  sh cmake/install-deps.sh
  echo "Building (a few minutes the first time) ..."
  cmake --preset release >/dev/null
  cmake --build build/release --target scheduled_server example_webhook_receiver -- --quiet
  bin=build/release/bin
fi

# Ports that nobody uses.
ports=$(python3 -c '
import socket
s = [socket.socket() for _ in range(3)]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])')
# shellcheck disable=SC2086  # three words on purpose
set -- $ports
http=$1 metrics=$2 receiver=$3

data=$(mktemp -d)
server='' hooks=''
trap 'kill $server $hooks 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$data"' EXIT
timeout 60 "$bin/webhook_receiver" "$receiver" whsec_c2VjcmV0IGZvciB0aGUgZmlyc3Qgam9i 1 >"$data/received" &
hooks=$!
"$bin/scheduled" --data-dir "$data/state" --http-port "$http" --metrics-port "$metrics" 2>"$data/log" &
server=$!
tries=0
until curl -sf "http://127.0.0.1:$http/ready" >/dev/null; do
  tries=$((tries + 1))
  [ "$tries" -lt 300 ] || { cat "$data/log"; exit 1; }
  sleep 0.1
done

echo "Creating a job that is due in two seconds:"
curl -sS "http://127.0.0.1:$http/jobs" -d '{
  "id": "first-job", "delay": "2s", "payload": {"hello": "world"},
  "webhook_url": "http://127.0.0.1:'"$receiver"'/", "secret": "whsec_c2VjcmV0IGZvciB0aGUgZmlyc3Qgam9i"}'
echo
wait "$hooks" || true
grep -q '^handled: ' "$data/received" || { cat "$data/received" "$data/log"; exit 1; }
echo "Its webhook arrived, signature verified:"
grep '^handled: ' "$data/received" | sed 's/^handled: //'
tries=0
until curl -sS "http://127.0.0.1:$http/jobs/first-job/status" | grep -q '"status":"completed"'; do
  tries=$((tries + 1))
  [ "$tries" -lt 100 ] || exit 1
  sleep 0.1
done
echo "What is recorded of it:"
curl -sS "http://127.0.0.1:$http/jobs/first-job/executions"
echo
