// The lists are short and looked at once for each new connection: linear scans.
#include "executor/webhook/address_guard.h"

#include <algorithm>
#include <optional>

#include "base/assert.h"

namespace scheduled::webhook {
namespace {

constexpr const char* kBuiltIn[] = {
    "0.0.0.0/8",           // "this host" (RFC 1122): reaches loopback, past a deny of 127.0.0.0/8
    "::/128",              // the same
    "169.254.0.0/16",      // link-local; the metadata service of most clouds
    "fe80::/10",           // link-local
    "fd00:ec2::/32",       // Amazon's metadata service by IPv6
    "fd20:ce::254/128",    // Google's
    "fd00:42::42/128",     // Scaleway's
    "100.100.100.200/32",  // Alibaba's
    "168.63.129.16/32",    // Azure's host agent
    "192.0.0.192/32",      // Oracle's, of old
};

absl::Status ParseInto(const std::vector<std::string>& texts, std::vector<Cidr>& blocks) {
  for (const std::string& text : texts) {
    absl::StatusOr<Cidr> block = Cidr::Parse(text);
    if (!block.ok()) return block.status();
    blocks.push_back(*block);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AddressGuard> AddressGuard::Create(const Lists& lists) {
  AddressGuard guard;
  absl::Status status = ParseInto({std::begin(kBuiltIn), std::end(kBuiltIn)}, guard.built_in_);
  SCHEDULED_ASSERT(status.ok(), "the built-in blocks parse");
  status = ParseInto(lists.allow, guard.allow_);
  if (status.ok()) status = ParseInto(lists.deny, guard.deny_);
  if (!status.ok()) return status;
  return guard;
}

bool AddressGuard::IsRefused(const IpAddress& address) const {
  if (IsFormRefused(address)) return true;
  const std::optional<IpAddress> embedded = address.EmbeddedV4();
  return embedded.has_value() && IsFormRefused(*embedded);
}

bool AddressGuard::IsFormRefused(const IpAddress& form) const {
  const auto holds = [&form](const Cidr& block) { return block.Contains(form); };
  for (const Cidr& block : built_in_) {
    if (!holds(block)) continue;
    const bool opened = std::any_of(allow_.begin(), allow_.end(), [&](const Cidr& allowed) {
      return holds(allowed) && block.Contains(allowed);
    });
    return !opened;
  }
  return std::any_of(deny_.begin(), deny_.end(), holds) &&
         std::none_of(allow_.begin(), allow_.end(), holds);
}

}  // namespace scheduled::webhook
