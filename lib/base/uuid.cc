// Layout of the two versions: see the header. Bits are set in two 64-bit halves, high and low.
#include "base/uuid.h"

#include <algorithm>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/codec.h"

namespace scheduled {
namespace {

constexpr uint64_t Ones(int bits) { return (uint64_t{1} << bits) - 1; }

constexpr uint64_t kMaxMs = Ones(48);
constexpr uint64_t kVariant = uint64_t{2} << 62;  // RFC 9562: 10 in the two highest bits
constexpr size_t kClusterIdSize = 16;
constexpr size_t kTextSize = 36;

bool IsDashPlace(size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

Uuid FromHalves(uint64_t high, uint64_t low) {
  Uuid uuid;
  for (int i = 0; i < 8; ++i) {
    uuid.bytes[i] = static_cast<uint8_t>(high >> (56 - 8 * i));
    uuid.bytes[8 + i] = static_cast<uint8_t>(low >> (56 - 8 * i));
  }
  return uuid;
}

// `middle` is 12 bits beside the version, `low` 62 bits below the variant.
Uuid Assemble(uint64_t first48, uint64_t version, uint64_t middle, uint64_t low) {
  return FromHalves(first48 << 16 | version << 12 | middle, kVariant | low);
}

uint64_t Half(const Uuid& uuid, int first) {
  uint64_t half = 0;
  for (int i = 0; i < 8; ++i) half = half << 8 | uuid.bytes[first + i];
  return half;
}

std::optional<uint8_t> HexDigit(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

}  // namespace

uint64_t Uuid::unix_ms() const {
  uint64_t ms = 0;
  for (int i = 0; i < 6; ++i) ms = ms << 8 | bytes[i];
  return ms;
}

std::string Uuid::ToBytes() const {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::string Uuid::ToString() const {
  const std::string hex = ToHex(ToBytes());
  std::string text;
  text.reserve(kTextSize);
  for (const char digit : hex) {
    if (IsDashPlace(text.size())) text.push_back('-');
    text.push_back(digit);
  }
  return text;
}

std::optional<Uuid> Uuid::Parse(std::string_view text) {
  if (text.size() != kTextSize) return std::nullopt;
  Uuid uuid;
  size_t digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsDashPlace(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const std::optional<uint8_t> digit = HexDigit(text[i]);
    if (!digit) return std::nullopt;
    uint8_t& byte = uuid.bytes[digits / 2];
    byte = static_cast<uint8_t>(byte << 4 | *digit);
    ++digits;
  }
  if (uuid.bytes[8] >> 6 != 2) return std::nullopt;
  return uuid;
}

Uuid UuidGenerator::Next(absl::Time wall_now, RandomBits random) {
  const int64_t signed_ms = absl::ToUnixMillis(wall_now);
  const uint64_t ms = signed_ms < 0 ? 0 : std::min(static_cast<uint64_t>(signed_ms), kMaxMs);
  std::lock_guard lock(mu_);
  if (ms > last_ms_) {
    last_ms_ = ms;
    last_high_ = random.high & Ones(12);
    last_low_ = random.low & Ones(62);
  } else {
    // Within one millisecond, or after a step back: the last one, plus a random step, so that the
    // next id cannot be guessed. What overflows carries into the bits above, up into the time.
    last_low_ += 1 + (random.low & Ones(32));
    const uint64_t carry = last_low_ >> 62;
    last_low_ &= Ones(62);
    last_high_ += carry;
    last_ms_ += last_high_ >> 12;
    last_high_ &= Ones(12);
  }
  return Assemble(last_ms_, 7, last_high_, last_low_);
}

Uuid RunUuid(std::string_view cluster_id, RunNumber run) {
  SCHEDULED_ASSERT(cluster_id.size() == kClusterIdSize, "a cluster id has 16 bytes");
  const uint64_t cluster = Checksum64(cluster_id);
  const uint64_t middle = (cluster & Ones(10)) << 2 | run.value >> 62;
  return Assemble(cluster >> 16, 8, middle, run.value & Ones(62));
}

std::optional<RunNumber> ParseRunUuid(std::string_view cluster_id, const Uuid& uuid) {
  const RunNumber run((Half(uuid, 0) & 3) << 62 | (Half(uuid, 8) & Ones(62)));
  if (RunUuid(cluster_id, run) != uuid) return std::nullopt;
  return run;
}

}  // namespace scheduled
