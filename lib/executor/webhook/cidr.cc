// Text to addresses by inet_pton, and bit arithmetic on them. An IPv4-mapped address or block is
// turned into its IPv4 form where it enters, so nothing behind has to think of it.
#include "executor/webhook/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/assert.h"

namespace scheduled::webhook {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kMappedBits = 96;

template <size_t N>
bool StartsWith(const std::array<uint8_t, 16>& bytes, const std::array<uint8_t, N>& prefix) {
  return std::equal(prefix.begin(), prefix.end(), bytes.begin());
}

absl::Status BadBlock(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("address block \"", absl::string_view(text.data(), text.size()),
                   "\": ", absl::string_view(why.data(), why.size())));
}

}  // namespace

IpAddress IpAddress::FromV4(const uint8_t* four) {
  IpAddress address;
  std::copy_n(four, 4, address.bytes_.begin());
  return address;
}

IpAddress IpAddress::FromV6(const uint8_t* sixteen) {
  IpAddress address;
  std::copy_n(sixteen, 16, address.bytes_.begin());
  if (StartsWith(address.bytes_, kMappedPrefix)) return FromV4(sixteen + 12);
  address.v4_ = false;
  return address;
}

absl::StatusOr<IpAddress> IpAddress::Parse(std::string_view text) {
  const std::string terminated(text);
  std::array<uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1) return FromV4(bytes.data());
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) return FromV6(bytes.data());
  return absl::InvalidArgumentError(absl::StrCat("\"", terminated, "\" is no IP address"));
}

std::optional<IpAddress> IpAddress::FromSockaddr(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof(v4));
    return FromV4(reinterpret_cast<const uint8_t*>(&v4.sin_addr));
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof(v6));
    return FromV6(v6.sin6_addr.s6_addr);
  }
  return std::nullopt;
}

bool IpAddress::bit(int index) const {
  SCHEDULED_ASSERT(0 <= index && index < bits(), "a bit is within its address");
  return (bytes_[index / 8] >> (7 - index % 8)) & 1;
}

std::optional<IpAddress> IpAddress::EmbeddedV4() const {
  if (v4_) return std::nullopt;
  constexpr std::array<uint8_t, 12> kNat64 = {0, 0x64, 0xff, 0x9b};
  constexpr std::array<uint8_t, 6> kLocalNat64 = {0, 0x64, 0xff, 0x9b, 0, 1};
  constexpr std::array<uint8_t, 2> k6to4 = {0x20, 0x02};
  constexpr std::array<uint8_t, 4> kTeredo = {0x20, 0x01, 0, 0};
  constexpr std::array<uint8_t, 12> kCompatible = {};
  if (StartsWith(bytes_, kNat64)) return FromV4(&bytes_[12]);
  // An operator may use any length within the /48; /96 is the one in use.
  if (StartsWith(bytes_, kLocalNat64)) return FromV4(&bytes_[12]);
  if (StartsWith(bytes_, k6to4)) return FromV4(&bytes_[2]);
  if (StartsWith(bytes_, kTeredo)) {
    // RFC 4380: the client's address stands inverted.
    std::array<uint8_t, 4> client;
    for (int i = 0; i < 4; ++i) client[i] = static_cast<uint8_t>(~bytes_[12 + i]);
    return FromV4(client.data());
  }
  if (StartsWith(bytes_, kCompatible)) {
    // :: and ::1 have a meaning of their own.
    const bool own_meaning = bytes_[12] == 0 && bytes_[13] == 0 && bytes_[14] == 0;
    if (!own_meaning) return FromV4(&bytes_[12]);
  }
  return std::nullopt;
}

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN];
  const char* ok = inet_ntop(v4_ ? AF_INET : AF_INET6, bytes_.data(), text, sizeof(text));
  SCHEDULED_ASSERT(ok != nullptr, "an address can be printed");
  return text;
}

absl::StatusOr<Cidr> Cidr::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  absl::StatusOr<IpAddress> address = IpAddress::Parse(text.substr(0, slash));
  if (!address.ok()) return BadBlock(text, "begins with no IP address");
  if (slash == std::string_view::npos) return Cidr(*address, address->bits());
  const std::string_view digits = text.substr(slash + 1);
  int prefix = -1;
  const bool numeric = !digits.empty() &&
                       digits.find_first_not_of("0123456789") == std::string_view::npos &&
                       absl::SimpleAtoi(absl::string_view(digits.data(), digits.size()), &prefix);
  if (!numeric) return BadBlock(text, "has no number after its \"/\"");
  // "::ffff:10.0.0.0/104" is 10.0.0.0/8.
  const bool mapped = address->is_v4() && text.substr(0, slash).find(':') != std::string_view::npos;
  if (mapped) prefix -= kMappedBits;
  if (prefix < 0 || prefix > address->bits()) {
    return BadBlock(
        text, mapped ? "has a prefix that is not within 96 to 128"
                     : absl::StrCat("has a prefix that is not within 0 to ", address->bits()));
  }
  for (int i = prefix; i < address->bits(); ++i) {
    if (address->bit(i)) {
      return BadBlock(text, absl::StrCat("has bits set beyond its prefix of ", prefix));
    }
  }
  return Cidr(*address, prefix);
}

bool Cidr::Contains(const IpAddress& address) const {
  if (address.is_v4() != first_.is_v4()) return false;
  const int whole = prefix_ / 8;
  if (!std::equal(first_.bytes_.begin(), first_.bytes_.begin() + whole, address.bytes_.begin())) {
    return false;
  }
  const int rest = prefix_ % 8;
  if (rest == 0) return true;
  const uint8_t mask = static_cast<uint8_t>(0xff << (8 - rest));
  return ((first_.bytes_[whole] ^ address.bytes_[whole]) & mask) == 0;
}

bool Cidr::Contains(const Cidr& other) const {
  return prefix_ <= other.prefix_ && Contains(other.first_);
}

std::string Cidr::ToString() const { return absl::StrCat(first_.ToString(), "/", prefix_); }

}  // namespace scheduled::webhook
