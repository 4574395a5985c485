// IP addresses and blocks of them (RFC 4632, RFC 4291) as values: parsed, printed, compared. Pure;
// what is allowed and what is not is decided in address_guard.h.
#ifndef SCHEDULED_LIB_EXECUTOR_WEBHOOK_CIDR_H_
#define SCHEDULED_LIB_EXECUTOR_WEBHOOK_CIDR_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct sockaddr;

namespace scheduled::webhook {

// An address of either family. An IPv4-mapped IPv6 address (::ffff:a.b.c.d) *is* the IPv4 address:
// the kernel connects to the same place, so it must be found in the same blocks.
class IpAddress {
 public:
  static absl::StatusOr<IpAddress> Parse(std::string_view text);
  // nullopt: neither IPv4 nor IPv6.
  static std::optional<IpAddress> FromSockaddr(const sockaddr* address);

  bool is_v4() const { return v4_; }
  int bits() const { return v4_ ? 32 : 128; }
  // Bit 0 is the first of the address. Precondition: 0 <= index < bits().
  bool bit(int index) const;

  // The IPv4 address that a translator or tunnel makes of this IPv6 address: NAT64 (64:ff9b::/96,
  // RFC 6052, and 64:ff9b:1::/48, RFC 8215), 6to4 (2002::/16), Teredo (2001::/32) and the old
  // IPv4-compatible form (::/96). nullopt: none.
  std::optional<IpAddress> EmbeddedV4() const;

  std::string ToString() const;
  bool operator==(const IpAddress&) const = default;

 private:
  friend class Cidr;

  static IpAddress FromV4(const uint8_t* four);
  static IpAddress FromV6(const uint8_t* sixteen);

  bool v4_ = true;
  std::array<uint8_t, 16> bytes_{};  // IPv4: the first four, the others 0
};

// A block: all addresses of one family that share their first `prefix` bits.
class Cidr {
 public:
  // "10.0.0.0/8", "fe80::/10", or one address. kInvalidArgument: no address, a prefix out of range,
  // or bits set beyond the prefix, which are more often a slip than a wish.
  static absl::StatusOr<Cidr> Parse(std::string_view text);

  bool Contains(const IpAddress& address) const;
  // True if every address of `other` is in this block.
  bool Contains(const Cidr& other) const;

  std::string ToString() const;
  bool operator==(const Cidr&) const = default;

 private:
  Cidr(IpAddress first, int prefix) : first_(first), prefix_(prefix) {}

  IpAddress first_;
  int prefix_ = 0;
};

}  // namespace scheduled::webhook

#endif  // SCHEDULED_LIB_EXECUTOR_WEBHOOK_CIDR_H_
