// Fixed-width big-endian numbers and zero-terminated strings: the parts of which stored keys are
// made, so that keys sort by bytes as their parts sort by value. Protobuf encodes values; this is
// for keys, and for the headers of records and frames.
//
//   u8 u16 u32 u64   most significant byte first
//   i64              as u64 with the sign bit flipped, so that negative numbers sort first
//   string           its bytes, then 0x00; it has no 0x00 within, so "a" sorts before "ab"
//   varint           7 bits a byte, least significant first, at most 10 bytes; does not sort
#ifndef SCHEDULED_LIB_BASE_CODEC_H_
#define SCHEDULED_LIB_BASE_CODEC_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace scheduled {

void AppendU8(std::string* out, uint8_t value);
void AppendU16(std::string* out, uint16_t value);
void AppendU32(std::string* out, uint32_t value);
void AppendU64(std::string* out, uint64_t value);
void AppendI64(std::string* out, int64_t value);
void AppendVarint(std::string* out, uint64_t value);

// Builds a key part by part: KeyWriter().U8(tag).String(job.value).U64(run.value).Take().
class KeyWriter {
 public:
  KeyWriter& U8(uint8_t value);
  KeyWriter& U16(uint16_t value);
  KeyWriter& U32(uint32_t value);
  KeyWriter& U64(uint64_t value);
  KeyWriter& I64(int64_t value);
  // Precondition: no 0x00 within.
  KeyWriter& String(std::string_view value);
  // Bytes as they are, without an end: for the last part of a key, or one of fixed length.
  KeyWriter& Raw(std::string_view value);

  const std::string& key() const { return key_; }
  std::string Take() { return std::move(key_); }

 private:
  std::string key_;
};

// Reads what KeyWriter wrote. Total: each method returns false, and reads nothing more, where the
// input is short or malformed. Once one has failed, all later ones fail, so a reader may read all
// parts and look at the last result alone.
class KeyReader {
 public:
  explicit KeyReader(std::string_view input) : rest_(input) {}

  bool U8(uint8_t* value);
  bool U16(uint16_t* value);
  bool U32(uint32_t* value);
  bool U64(uint64_t* value);
  bool I64(int64_t* value);
  bool Varint(uint64_t* value);
  // A view into the input.
  bool String(std::string_view* value);
  bool Raw(size_t size, std::string_view* value);

  bool ok() const { return ok_; }
  // True if nothing failed and nothing is left.
  bool AtEnd() const { return ok_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  bool Fail();

  std::string_view rest_;
  bool ok_ = true;
};

// The smallest key that is larger than every key with this prefix: the end of a scan over it.
// Empty (no end) if there is none, which is so for prefixes of 0xff bytes only.
std::string PrefixEnd(std::string_view prefix);

// The smallest key that is larger than `key`.
std::string KeyAfter(std::string_view key);

// Lower-case hexadecimal, for text that a person reads.
std::string ToHex(std::string_view bytes);

}  // namespace scheduled

#endif  // SCHEDULED_LIB_BASE_CODEC_H_
