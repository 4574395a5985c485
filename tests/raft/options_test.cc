// What a set of options must satisfy, and that a refusal names field, value and bound.
#include "raft/options.h"

#include <catch2/catch.hpp>
#include <functional>
#include <string>

namespace scheduled::raft {
namespace {

std::string Refusal(const std::function<void(Options&)>& change) {
  Options options;
  options.self = NodeId("a");
  change(options);
  const absl::Status status = options.Validate();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST_CASE("the defaults are valid, and a lease may be as long as the drift of clocks allows") {
  Options options;
  options.self = NodeId("a");
  CHECK(options.Validate().ok());
  options.lease = absl::Milliseconds(298);
  CHECK_FALSE(options.Validate().ok());
  options.clock_drift_percent = 0;
  CHECK(options.Validate().ok());
}

TEST_CASE("options that cannot be are refused by name, value and bound") {
  CHECK(Refusal([](Options& o) { o.self = NodeId(); }) ==
        "raft.self is : 1 to 63 bytes are needed");
  CHECK(Refusal([](Options& o) { o.self = NodeId(std::string(64, 'x')); }).find("raft.self") == 0);
  CHECK(Refusal([](Options& o) { o.heartbeat = absl::ZeroDuration(); }).find("raft.heartbeat") ==
        0);
  CHECK(Refusal([](Options& o) { o.heartbeat = absl::Milliseconds(126); }) ==
        "raft.heartbeat is 126ms: more than 0 and at most half of lease (250ms), or leases run out "
        "between two of them");
  CHECK(Refusal([](Options& o) { o.clock_drift_percent = 50; }) ==
        "raft.clock_drift_percent is 50: less than 50 is needed");
  CHECK(Refusal([](Options& o) { o.lease = absl::Milliseconds(298); }) ==
        "raft.lease is 298ms: must end before election_min (300ms) on clocks that drift by "
        "clock_drift_percent");
  CHECK(Refusal([](Options& o) { o.election_max = absl::Milliseconds(449); }) ==
        "raft.election_max is 449ms: at least one and a half election_min is needed, or candidates "
        "collide");
  CHECK(Refusal([](Options& o) { o.retry_max = o.retry_min; }).find("raft.retry_max") == 0);
  CHECK(Refusal([](Options& o) { o.max_append_entries = 0; }).find("raft.max_append_bytes or") ==
        0);
  CHECK(Refusal([](Options& o) { o.max_inflight_bytes = 1; }) ==
        "raft.max_inflight_bytes is 1: at least max_append_bytes, and max_inflight_messages at "
        "least 1");
  CHECK(Refusal([](Options& o) { o.max_unapplied_bytes = 1; }) ==
        "raft.max_unapplied_bytes is 1: at least max_entry_bytes (4194304)");
}

}  // namespace
}  // namespace scheduled::raft
