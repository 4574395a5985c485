// What a set of options must satisfy, field by field.
#include "raft/options.h"

#include "absl/strings/str_cat.h"

namespace scheduled::raft {
namespace {

absl::Status Bad(absl::string_view field, absl::string_view value, absl::string_view bound) {
  return absl::InvalidArgumentError(absl::StrCat("raft.", field, " is ", value, ": ", bound));
}

}  // namespace

absl::Status Options::Validate() const {
  if (self.empty() || self.value.size() > kMaxNodeIdBytes) {
    return Bad("self", self.value, absl::StrCat("1 to ", kMaxNodeIdBytes, " bytes are needed"));
  }
  if (heartbeat <= absl::ZeroDuration() || heartbeat * 2 > lease) {
    return Bad("heartbeat", absl::FormatDuration(heartbeat),
               absl::StrCat("more than 0 and at most half of lease (", absl::FormatDuration(lease),
                            "), or leases run out between two of them"));
  }
  if (clock_drift_percent >= 50) {
    return Bad("clock_drift_percent", absl::StrCat(clock_drift_percent), "less than 50 is needed");
  }
  if (lease * (100 + clock_drift_percent) > election_min * (100 - clock_drift_percent)) {
    return Bad("lease", absl::FormatDuration(lease),
               absl::StrCat("must end before election_min (", absl::FormatDuration(election_min),
                            ") on clocks that drift by clock_drift_percent"));
  }
  if (election_max < election_min * 3 / 2) {
    return Bad("election_max", absl::FormatDuration(election_max),
               "at least one and a half election_min is needed, or candidates collide");
  }
  if (retry_min <= absl::ZeroDuration() || retry_max <= retry_min) {
    return Bad("retry_max", absl::FormatDuration(retry_max),
               "larger than retry_min, and both larger than 0");
  }
  if (max_append_bytes == 0 || max_append_entries == 0) {
    return Bad("max_append_bytes or max_append_entries", "0", "at least 1 is needed");
  }
  if (max_inflight_messages == 0 || max_inflight_bytes < max_append_bytes) {
    return Bad("max_inflight_bytes", absl::StrCat(max_inflight_bytes),
               "at least max_append_bytes, and max_inflight_messages at least 1");
  }
  if (max_unapplied_bytes < max_entry_bytes) {
    return Bad("max_unapplied_bytes", absl::StrCat(max_unapplied_bytes),
               absl::StrCat("at least max_entry_bytes (", max_entry_bytes, ")"));
  }
  return absl::OkStatus();
}

}  // namespace scheduled::raft
