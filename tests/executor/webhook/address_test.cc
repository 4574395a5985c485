// Address blocks, and what the guard makes of them.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <string>

#include "base/random.h"
#include "executor/webhook/address_guard.h"
#include "executor/webhook/cidr.h"

namespace scheduled::webhook {
namespace {

IpAddress Ip(const std::string& text) {
  const absl::StatusOr<IpAddress> ip = IpAddress::Parse(text);
  INFO(text);
  REQUIRE(ip.ok());
  return *ip;
}

Cidr Block(const std::string& text) {
  const absl::StatusOr<Cidr> block = Cidr::Parse(text);
  INFO(block.status());
  REQUIRE(block.ok());
  return *block;
}

AddressGuard Guard(std::vector<std::string> allow, std::vector<std::string> deny) {
  absl::StatusOr<AddressGuard> guard =
      AddressGuard::Create({.allow = std::move(allow), .deny = std::move(deny)});
  INFO(guard.status());
  REQUIRE(guard.ok());
  return *guard;
}

TEST_CASE("a block holds what shares its prefix") {
  struct {
    const char* block;
    const char* address;
    bool holds;
  } const rows[] = {
      {"10.0.0.0/8", "10.255.255.255", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"0.0.0.0/0", "255.1.2.3", true},
      {"0.0.0.0/0", "::1", false},
      {"192.168.4.0/22", "192.168.7.255", true},
      {"192.168.4.0/22", "192.168.8.0", false},
      {"127.0.0.1", "127.0.0.1", true},
      {"127.0.0.1", "127.0.0.2", false},
      {"fe80::/10", "febf::1", true},
      {"fe80::/10", "fec0::1", false},
      {"::/0", "2001:db8::1", true},
      {"::1/128", "::1", true},
      {"::1/128", "::2", false},
      // An IPv4-mapped address is the IPv4 address, on either side.
      {"10.0.0.0/8", "::ffff:10.1.2.3", true},
      {"::ffff:10.0.0.0/104", "10.1.2.3", true},
      {"::/0", "::ffff:10.1.2.3", false},
  };
  for (const auto& row : rows) {
    INFO(row.block << " " << row.address);
    CHECK(Block(row.block).Contains(Ip(row.address)) == row.holds);
  }
}

TEST_CASE("a block's bits are compared one by one by a dumb twin") {
  Random random(11);
  for (int round = 0; round < 20000; ++round) {
    const int prefix = static_cast<int>(random.Uniform(33));
    const auto mask = static_cast<uint32_t>(prefix == 0 ? 0 : ~uint64_t{0} << (32 - prefix));
    const uint32_t first = static_cast<uint32_t>(random.Next()) & mask;
    uint32_t address = first ^ static_cast<uint32_t>(random.Next());
    // Half of them share their beginning, or hardly any would be inside.
    if (random.Chance(1, 2)) address = first ^ (1u << random.Uniform(32));
    const auto text = [](uint32_t v) {
      return std::to_string(v >> 24) + "." + std::to_string(v >> 16 & 255) + "." +
             std::to_string(v >> 8 & 255) + "." + std::to_string(v & 255);
    };
    const Cidr block = Block(text(first) + "/" + std::to_string(prefix));
    bool same = true;
    for (int bit = 0; bit < prefix; ++bit) {
      same = same && ((first >> (31 - bit)) & 1) == ((address >> (31 - bit)) & 1);
    }
    INFO(block.ToString() << " " << text(address));
    REQUIRE(block.Contains(Ip(text(address))) == same);
    REQUIRE(Block(block.ToString()) == block);
  }
}

TEST_CASE("a block that means nothing is refused with a reason") {
  const auto message = [](const std::string& text) {
    const absl::StatusOr<Cidr> block = Cidr::Parse(text);
    CHECK(block.status().code() == absl::StatusCode::kInvalidArgument);
    return std::string(block.status().message());
  };
  using Catch::Contains;
  CHECK_THAT(message("localhost"), Contains("no IP address"));
  CHECK_THAT(message(""), Contains("no IP address"));
  CHECK_THAT(message("10.0.0/8"), Contains("no IP address"));
  CHECK_THAT(message("10.0.0.0/"), Contains("no number"));
  CHECK_THAT(message("10.0.0.0/+8"), Contains("no number"));
  CHECK_THAT(message("10.0.0.0/8x"), Contains("no number"));
  CHECK_THAT(message("10.0.0.0/99999999999"), Contains("no number"));
  CHECK_THAT(message("10.0.0.0/33"), Contains("0 to 32"));
  CHECK_THAT(message("fe80::/129"), Contains("0 to 128"));
  CHECK_THAT(message("::ffff:10.0.0.0/8"), Contains("96 to 128"));
  CHECK_THAT(message("10.1.0.0/8"), Contains("bits set beyond its prefix of 8"));
}

TEST_CASE("one block holds another if it holds every address of it") {
  CHECK(Block("10.0.0.0/8").Contains(Block("10.1.0.0/16")));
  CHECK(Block("10.0.0.0/8").Contains(Block("10.0.0.0/8")));
  CHECK_FALSE(Block("10.1.0.0/16").Contains(Block("10.0.0.0/8")));
  CHECK_FALSE(Block("0.0.0.0/0").Contains(Block("::/0")));
}

TEST_CASE("an address comes out of a socket's") {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  inet_pton(AF_INET, "192.0.2.7", &v4.sin_addr);
  CHECK(IpAddress::FromSockaddr(reinterpret_cast<sockaddr*>(&v4)) == Ip("192.0.2.7"));
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  inet_pton(AF_INET6, "::ffff:192.0.2.7", &v6.sin6_addr);
  CHECK(IpAddress::FromSockaddr(reinterpret_cast<sockaddr*>(&v6)) == Ip("192.0.2.7"));
  inet_pton(AF_INET6, "2001:db8::7", &v6.sin6_addr);
  CHECK(IpAddress::FromSockaddr(reinterpret_cast<sockaddr*>(&v6)) == Ip("2001:db8::7"));
  v6.sin6_family = AF_UNIX;
  CHECK_FALSE(IpAddress::FromSockaddr(reinterpret_cast<sockaddr*>(&v6)).has_value());
}

TEST_CASE("link-local and metadata addresses are refused by default, in every disguise") {
  const AddressGuard guard = Guard({}, {});
  for (const char* refused :
       {"169.254.169.254", "169.254.0.1", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254",
        "64:ff9b:1::169.254.169.254", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:5601:5601",
        "::169.254.169.254", "fe80::1", "febf:ffff::1", "fd00:ec2::254", "fd00:ec2::23",
        "fd20:ce::254", "100.100.100.200", "168.63.129.16", "0.0.0.0", "0.1.2.3", "::"}) {
    INFO(refused);
    CHECK(guard.IsRefused(Ip(refused)));
  }
  for (const char* fine : {"127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "8.8.8.8", "2001:db8::1",
                           "64:ff9b::8.8.8.8", "fd00::1", "100.100.100.201"}) {
    INFO(fine);
    CHECK_FALSE(guard.IsRefused(Ip(fine)));
  }
}

TEST_CASE("a denied block is refused, an allowed part of it is not") {
  const AddressGuard guard = Guard({"10.1.0.0/16"}, {"10.0.0.0/8", "127.0.0.0/8", "::1"});
  CHECK(guard.IsRefused(Ip("10.2.0.1")));
  CHECK_FALSE(guard.IsRefused(Ip("10.1.0.1")));
  CHECK(guard.IsRefused(Ip("127.0.0.1")));
  CHECK(guard.IsRefused(Ip("::1")));
  CHECK(guard.IsRefused(Ip("64:ff9b::10.2.0.1")));
  CHECK_FALSE(guard.IsRefused(Ip("64:ff9b::10.1.0.1")));
  CHECK_FALSE(guard.IsRefused(Ip("8.8.8.8")));
}

TEST_CASE("everything denied but one block") {
  const AddressGuard guard = Guard({"203.0.113.0/24"}, {"0.0.0.0/0", "::/0"});
  CHECK_FALSE(guard.IsRefused(Ip("203.0.113.9")));
  CHECK(guard.IsRefused(Ip("8.8.8.8")));
  CHECK(guard.IsRefused(Ip("2001:db8::1")));
}

TEST_CASE("a wide allowed block does not open the metadata service, its own address does") {
  CHECK(Guard({"0.0.0.0/0"}, {}).IsRefused(Ip("169.254.169.254")));
  CHECK(Guard({"168.0.0.0/6"}, {}).IsRefused(Ip("169.254.169.254")));
  const AddressGuard opened = Guard({"169.254.169.254"}, {});
  CHECK_FALSE(opened.IsRefused(Ip("169.254.169.254")));
  CHECK(opened.IsRefused(Ip("169.254.169.253")));
  CHECK_FALSE(Guard({"169.254.0.0/16"}, {}).IsRefused(Ip("169.254.7.7")));
}

TEST_CASE("a guard of lists that do not parse is none") {
  CHECK(AddressGuard::Create({.allow = {"nonsense"}, .deny = {}}).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(AddressGuard::Create({.allow = {}, .deny = {"10.0.0.0/99"}}).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace scheduled::webhook
