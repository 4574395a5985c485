// What a scheduler can be opened with: each rule of Options, in the order of its fields.
#include <cctype>

#include "absl/strings/str_cat.h"
#include "scheduled/scheduler.h"

namespace scheduled {
namespace {

absl::Status Wrong(absl::string_view what) { return absl::InvalidArgumentError(what); }

bool IsNodeName(const std::string& name) {
  if (name.empty() || name.size() > 63) return false;
  for (unsigned char c : name) {
    if (!std::isalnum(c) && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

absl::Status InRange(const char* field, absl::Duration value, absl::Duration low,
                     absl::Duration high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Wrong(absl::StrCat(field, " is ", absl::FormatDuration(value), "; it has to be from ",
                            absl::FormatDuration(low), " to ", absl::FormatDuration(high)));
}

}  // namespace

absl::Status Options::Validate() const {
  const bool manual = dynamic_cast<const ManualClock*>(clock.get()) != nullptr;
  if (data_dir.empty() != manual) {
    return Wrong(manual
                     ? "data_dir has to be empty with a ManualClock: nothing is kept on disk then"
                     : "data_dir is empty; it may be so only with a ManualClock");
  }
  if (!IsNodeName(node_id.value)) {
    return Wrong(absl::StrCat("node_id is \"", node_id.value,
                              "\"; it has to be 1 to 63 letters, digits, '.', '_' or '-'"));
  }
  for (const auto& [node, address] : peers) {
    if (!IsNodeName(node.value)) {
      return Wrong(absl::StrCat("peers names \"", node.value,
                                "\"; a name has 1 to 63 letters, digits, '.', '_' or '-'"));
    }
  }
  const size_t others = peers.size() - peers.count(node_id);
  if (others > 0 && manual) return Wrong("peers have to be empty with a ManualClock");
  if (others > 0 && transport == nullptr) return Wrong("peers are given, but no transport");
  if (history_retention < absl::ZeroDuration()) {
    return Wrong(absl::StrCat("history_retention is ", absl::FormatDuration(history_retention),
                              "; it cannot be negative"));
  }
  if (max_jobs == 0) return Wrong("max_jobs is 0; at least 1 is needed");
  if (absl::Status s =
          InRange("max_clock_skew", max_clock_skew, absl::Milliseconds(10), absl::Hours(24));
      !s.ok()) {
    return s;
  }
  if (absl::Status s =
          InRange("claim_ahead", claim_ahead, absl::Milliseconds(10), absl::Seconds(1));
      !s.ok()) {
    return s;
  }
  if (absl::Status s =
          InRange("election_timeout", election_timeout, absl::Milliseconds(300), absl::Minutes(1));
      !s.ok()) {
    return s;
  }
  if (absl::Status s = InRange("heartbeat_interval", heartbeat_interval, absl::Milliseconds(10),
                               election_timeout / 3);
      !s.ok()) {
    return s;
  }
  if (compact_log_bytes < uint64_t{1} << 20 || compact_log_bytes > uint64_t{2} << 30) {
    return Wrong(absl::StrCat("compact_log_bytes is ", compact_log_bytes,
                              "; it has to be from 1048576 to 2147483648"));
  }
  if (snapshot_bytes_per_second && *snapshot_bytes_per_second < uint64_t{64} << 10) {
    return Wrong(absl::StrCat("snapshot_bytes_per_second is ", *snapshot_bytes_per_second,
                              "; at least 65536 is needed"));
  }
  return InRange("drain_timeout", drain_timeout, absl::ZeroDuration(), absl::Hours(24));
}

}  // namespace scheduled
