// Decides whether a request may connect to an address. It is asked with the address that is about
// to be connected to, after name resolution and for each attempt of it, so a name that changes its
// answer between a check and the connection finds nothing to slip through. Pure, immutable.
//
// An address is refused if it, or the IPv4 address that it embeds (cidr.h), is
//   - in a built-in block (link-local, "this host", cloud metadata), unless a block of `allow` that
//     holds it lies *within* that built-in block: 0.0.0.0/0 in `allow` does not open the metadata
//     service, 169.254.169.254 does; or
//   - in a block of `deny`, and in none of `allow`.
#ifndef SCHEDULED_LIB_EXECUTOR_WEBHOOK_ADDRESS_GUARD_H_
#define SCHEDULED_LIB_EXECUTOR_WEBHOOK_ADDRESS_GUARD_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "executor/webhook/cidr.h"

namespace scheduled::webhook {

class AddressGuard {
 public:
  struct Lists {
    std::vector<std::string> allow;
    std::vector<std::string> deny;
  };

  // kInvalidArgument: a block that does not parse.
  static absl::StatusOr<AddressGuard> Create(const Lists& lists);

  bool IsRefused(const IpAddress& address) const;

 private:
  AddressGuard() = default;
  bool IsFormRefused(const IpAddress& form) const;

  std::vector<Cidr> built_in_;
  std::vector<Cidr> allow_;
  std::vector<Cidr> deny_;
};

}  // namespace scheduled::webhook

#endif  // SCHEDULED_LIB_EXECUTOR_WEBHOOK_ADDRESS_GUARD_H_
