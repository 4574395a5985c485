// Keys and other fixed-width encodings: see the header for the format.
#include "base/codec.h"

#include "base/assert.h"

namespace scheduled {
namespace {

constexpr uint64_t kSignBit = uint64_t{1} << 63;
constexpr size_t kMaxVarintBytes = 10;

template <typename Int>
void AppendBigEndian(std::string* out, Int value) {
  char bytes[sizeof(Int)];
  for (size_t i = 0; i < sizeof(Int); ++i) {
    bytes[i] = static_cast<char>(value >> (8 * (sizeof(Int) - 1 - i)));
  }
  out->append(bytes, sizeof(Int));
}

template <typename Int>
Int BigEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(Int); ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return static_cast<Int>(value);
}

}  // namespace

void AppendU8(std::string* out, uint8_t value) { out->push_back(static_cast<char>(value)); }
void AppendU16(std::string* out, uint16_t value) { AppendBigEndian(out, value); }
void AppendU32(std::string* out, uint32_t value) { AppendBigEndian(out, value); }
void AppendU64(std::string* out, uint64_t value) { AppendBigEndian(out, value); }

void AppendI64(std::string* out, int64_t value) {
  AppendBigEndian(out, static_cast<uint64_t>(value) ^ kSignBit);
}

void AppendVarint(std::string* out, uint64_t value) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

KeyWriter& KeyWriter::U8(uint8_t value) {
  AppendU8(&key_, value);
  return *this;
}

KeyWriter& KeyWriter::U16(uint16_t value) {
  AppendU16(&key_, value);
  return *this;
}

KeyWriter& KeyWriter::U32(uint32_t value) {
  AppendU32(&key_, value);
  return *this;
}

KeyWriter& KeyWriter::U64(uint64_t value) {
  AppendU64(&key_, value);
  return *this;
}

KeyWriter& KeyWriter::I64(int64_t value) {
  AppendI64(&key_, value);
  return *this;
}

KeyWriter& KeyWriter::String(std::string_view value) {
  SCHEDULED_ASSERT(value.find('\0') == value.npos, "a string in a key has no zero byte");
  key_.append(value);
  key_.push_back('\0');
  return *this;
}

KeyWriter& KeyWriter::Raw(std::string_view value) {
  key_.append(value);
  return *this;
}

bool KeyReader::Fail() {
  ok_ = false;
  rest_ = {};
  return false;
}

bool KeyReader::Raw(size_t size, std::string_view* value) {
  if (!ok_ || rest_.size() < size) return Fail();
  *value = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

bool KeyReader::U8(uint8_t* value) {
  std::string_view bytes;
  if (!Raw(sizeof(*value), &bytes)) return false;
  *value = BigEndian<uint8_t>(bytes);
  return true;
}

bool KeyReader::U16(uint16_t* value) {
  std::string_view bytes;
  if (!Raw(sizeof(*value), &bytes)) return false;
  *value = BigEndian<uint16_t>(bytes);
  return true;
}

bool KeyReader::U32(uint32_t* value) {
  std::string_view bytes;
  if (!Raw(sizeof(*value), &bytes)) return false;
  *value = BigEndian<uint32_t>(bytes);
  return true;
}

bool KeyReader::U64(uint64_t* value) {
  std::string_view bytes;
  if (!Raw(sizeof(*value), &bytes)) return false;
  *value = BigEndian<uint64_t>(bytes);
  return true;
}

bool KeyReader::I64(int64_t* value) {
  uint64_t bits;
  if (!U64(&bits)) return false;
  *value = static_cast<int64_t>(bits ^ kSignBit);
  return true;
}

bool KeyReader::Varint(uint64_t* value) {
  if (!ok_) return false;
  uint64_t result = 0;
  for (size_t i = 0; i < rest_.size() && i < kMaxVarintBytes; ++i) {
    const uint8_t byte = static_cast<uint8_t>(rest_[i]);
    // The tenth byte holds the one bit that is left; and a longer form of a number than it needs is
    // no number, so that each has one encoding.
    if (i == kMaxVarintBytes - 1 && byte > 1) return Fail();
    if (i > 0 && byte == 0) return Fail();
    result |= uint64_t{byte & 0x7fu} << (7 * i);
    if (byte < 0x80) {
      *value = result;
      rest_.remove_prefix(i + 1);
      return true;
    }
  }
  return Fail();
}

bool KeyReader::String(std::string_view* value) {
  const size_t end = rest_.find('\0');
  if (!ok_ || end == rest_.npos) return Fail();
  *value = rest_.substr(0, end);
  rest_.remove_prefix(end + 1);
  return true;
}

std::string PrefixEnd(std::string_view prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.remove_suffix(1);
  std::string end(prefix);
  if (!end.empty()) end.back() = static_cast<char>(static_cast<uint8_t>(end.back()) + 1);
  return end;
}

std::string KeyAfter(std::string_view key) {
  std::string after(key);
  after.push_back('\0');
  return after;
}

std::string ToHex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const uint8_t byte = static_cast<uint8_t>(c);
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 0xf]);
  }
  return hex;
}

}  // namespace scheduled
