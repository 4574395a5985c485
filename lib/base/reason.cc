// The reason travels as a payload of the status.
#include "scheduled/reason.h"

#include "absl/strings/cord.h"

namespace scheduled {
namespace {

constexpr char kPayload[] = "scheduled/reason";

}  // namespace

std::string StatusReason(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayload);
  return payload ? std::string(*payload) : std::string();
}

absl::Status WithReason(absl::Status status, std::string_view reason) {
  status.SetPayload(kPayload, absl::Cord(absl::string_view(reason.data(), reason.size())));
  return status;
}

}  // namespace scheduled
