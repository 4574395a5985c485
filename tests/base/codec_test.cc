// Keys, checksums, hashes, ids, random numbers and text: the values of base.
#include "base/codec.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "base/checksum.h"
#include "base/random.h"
#include "base/sha256.h"
#include "base/shared_buffer.h"
#include "base/utf8.h"
#include "base/uuid.h"

namespace scheduled {

using namespace std::string_literals;

TEST_CASE("numbers in keys are big-endian") {
  const std::string key =
      KeyWriter().U8(1).U16(0x0203).U32(0x04050607).U64(0x08090a0b0c0d0e0f).key();
  CHECK(key == "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f");
}

TEST_CASE("keys read back as they were written") {
  const std::string key = KeyWriter()
                              .U8(0xff)
                              .U16(0xfffe)
                              .U32(0xfffffffd)
                              .U64(0xfffffffffffffffc)
                              .I64(INT64_MIN)
                              .I64(-1)
                              .String("año/ñandú")
                              .String("")
                              .Raw("\x00tail"s)
                              .Take();
  KeyReader reader(key);
  uint8_t u8;
  uint16_t u16;
  uint32_t u32;
  uint64_t u64;
  int64_t low, minus_one;
  std::string_view name, empty, raw;
  CHECK((reader.U8(&u8) && reader.U16(&u16) && reader.U32(&u32) && reader.U64(&u64) &&
         reader.I64(&low) && reader.I64(&minus_one) && reader.String(&name) &&
         reader.String(&empty) && reader.Raw(5, &raw)));
  CHECK(reader.AtEnd());
  CHECK(u8 == 0xff);
  CHECK(u16 == 0xfffe);
  CHECK(u32 == 0xfffffffd);
  CHECK(u64 == 0xfffffffffffffffc);
  CHECK(low == INT64_MIN);
  CHECK(minus_one == -1);
  CHECK(name == "año/ñandú");
  CHECK(empty.empty());
  CHECK(raw == "\x00tail"s);
}

TEST_CASE("a key that was cut anywhere is refused, and nothing is read after that") {
  const std::string key = KeyWriter().U8(1).U16(2).U32(3).U64(4).I64(5).String("six").Take();
  for (size_t size = 0; size < key.size(); ++size) {
    KeyReader reader(std::string_view(key).substr(0, size));
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    int64_t i64;
    std::string_view text;
    reader.U8(&u8);
    reader.U16(&u16);
    reader.U32(&u32);
    reader.U64(&u64);
    reader.I64(&i64);
    CHECK_FALSE(reader.String(&text));
    CHECK_FALSE(reader.ok());
    CHECK_FALSE(reader.AtEnd());
    CHECK_FALSE(reader.U8(&u8));
    std::string_view nothing;
    CHECK_FALSE(reader.Raw(0, &nothing));
  }
}

TEST_CASE("a key with something left over is not at its end") {
  KeyReader reader("\x01\x02");
  uint8_t value;
  CHECK(reader.U8(&value));
  CHECK(reader.ok());
  CHECK_FALSE(reader.AtEnd());
  CHECK(reader.rest() == "\x02");
}

TEST_CASE("keys sort as their parts do") {
  struct Parts {
    int64_t time;
    std::string name;
    uint64_t number;
    auto operator<=>(const Parts&) const = default;
  };
  Random random(7);
  std::vector<Parts> parts;
  const std::vector<int64_t> times = {INT64_MIN, -1'000, -1, 0, 1, 255, 256, INT64_MAX};
  const std::vector<std::string> names = {"", "a", "ab", "b", "\x01", "\xff", "ñ", "a\x01"};
  for (int i = 0; i < 2'000; ++i) {
    parts.push_back({times[random.Uniform(times.size())], names[random.Uniform(names.size())],
                     random.Next() >> random.Uniform(64)});
  }
  for (int i = 0; i + 1 < 2'000; ++i) {
    const Parts &a = parts[i], &b = parts[i + 1];
    const auto key = [](const Parts& p) {
      return KeyWriter().I64(p.time).String(p.name).U64(p.number).Take();
    };
    // Names compare as unsigned bytes, as std::string does.
    CHECK((key(a) < key(b)) == (a < b));
    CHECK((key(a) == key(b)) == (a == b));
  }
}

TEST_CASE("the end of a prefix is behind all its keys and before all others") {
  CHECK(PrefixEnd("a") == "b");
  CHECK(PrefixEnd("a\xff") == "b");
  CHECK(PrefixEnd("\x00"s) == "\x01");
  CHECK(PrefixEnd("a\xff\xff") == "b");
  CHECK(PrefixEnd("\xff\xff").empty());
  CHECK(PrefixEnd("").empty());
  CHECK(KeyAfter("a") == "a\0"s);
}

TEST_CASE("varints read back, in the fewest bytes") {
  for (int bits = 0; bits <= 64; ++bits) {
    for (const int64_t delta : {-1, 0, 1}) {
      const uint64_t value = (bits == 64 ? 0 : uint64_t{1} << bits) + static_cast<uint64_t>(delta);
      std::string bytes;
      AppendVarint(&bytes, value);
      CHECK(bytes.size() <= 10);
      KeyReader reader(bytes);
      uint64_t read = ~value;
      CHECK(reader.Varint(&read));
      CHECK(read == value);
      CHECK(reader.AtEnd());
    }
  }
}

TEST_CASE("malformed varints are refused") {
  uint64_t value;
  for (const std::string& bytes :
       {""s, "\x80"s, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"s,
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s, "\x80\x00"s, "\x81\x80\x00"s}) {
    KeyReader reader(bytes);
    CHECK_FALSE(reader.Varint(&value));
    CHECK_FALSE(reader.ok());
  }
}

TEST_CASE("the checksum is XXH3, whole or in pieces") {
  CHECK(Checksum64("") == 0x2d06800538d394c2u);
  const std::string bytes(100'000, 'x');
  RunningChecksum running;
  CHECK(running.value() == Checksum64(""));
  for (size_t i = 0; i < bytes.size(); i += 777) {
    running.Add(std::string_view(bytes).substr(i, 777));
  }
  CHECK(running.value() == Checksum64(bytes));
  std::string damaged = bytes;
  damaged[50'000] ^= 1;
  CHECK(Checksum64(damaged) != Checksum64(bytes));
  CHECK(Checksum64(bytes, 1) != Checksum64(bytes, 2));
}

TEST_CASE("SHA-256 gives the standard's values") {
  CHECK(ToHex(Sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(ToHex(Sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("a UUID is written and read as text") {
  const auto uuid = Uuid::Parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F");
  REQUIRE(uuid.has_value());
  CHECK(uuid->version() == 7);
  CHECK(uuid->ToString() == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  CHECK(ToHex(uuid->ToBytes()) == "017f22e279b07cc398c4dc0c0c07398f");
}

TEST_CASE("what is not a UUID is refused") {
  for (const char* text :
       {"", "017f22e2-79b0-7cc3-98c4-dc0c0c07398", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017f22e279b07cc398c4dc0c0c07398f", "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e2-79b0-7cc3-98c4+dc0c0c07398f", "017f22e27-9b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-08c4-dc0c0c07398f", "017f22e2-79b0-7cc3-d8c4-dc0c0c07398f"}) {
    CHECK_FALSE(Uuid::Parse(text).has_value());
  }
}

TEST_CASE("a version 7 UUID has the layout of RFC 9562") {
  // The example of its appendix A.6.
  UuidGenerator generator;
  const Uuid uuid = generator.Next(absl::FromUnixMillis(0x017f22e279b0),
                                   {.high = 0xcc3, .low = 0x18c4dc0c0c07398f});
  CHECK(uuid.ToString() == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  CHECK(uuid.unix_ms() == 0x017f22e279b0);
}

TEST_CASE("UUIDs of one generator only grow, whatever the clock does") {
  UuidGenerator generator;
  Random random(3);
  absl::Time now = absl::FromUnixSeconds(1'767'225'600);
  Uuid last{};
  for (int i = 0; i < 20'000; ++i) {
    if (random.Chance(1, 10)) now += absl::Milliseconds(random.Between(-1'000, 1'000));
    const Uuid next = generator.Next(now, {random.Next(), random.Next()});
    REQUIRE(last < next);
    REQUIRE(last.ToString() < next.ToString());
    REQUIRE(next.version() == 7);
    REQUIRE(next.bytes[8] >> 6 == 2);
    last = next;
  }
  // The largest random bits carry into the time.
  const Uuid full = generator.Next(now + absl::Hours(1), {~uint64_t{0}, ~uint64_t{0}});
  const Uuid carried = generator.Next(now, {0, 0});
  CHECK(full < carried);
  CHECK(carried.version() == 7);
  CHECK(carried.bytes[5] == static_cast<uint8_t>(full.bytes[5] + 1));
}

TEST_CASE("UUIDs of one generator are unique among threads") {
  UuidGenerator generator;
  const absl::Time now = absl::FromUnixSeconds(1'767'225'600);
  std::vector<std::vector<Uuid>> made(4);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < made.size(); ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 5'000; ++i) made[t].push_back(generator.Next(now, {i, i}));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<Uuid> all;
  for (const auto& some : made) {
    CHECK(std::is_sorted(some.begin(), some.end()));
    all.insert(all.end(), some.begin(), some.end());
  }
  std::sort(all.begin(), all.end());
  CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
}

TEST_CASE("a run's UUID is made of its cluster and number alone, and gives the number back") {
  const std::string cluster = "0123456789abcdef", other = "0123456789abcdeg";
  Uuid last{};
  for (const uint64_t number :
       {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32, (uint64_t{1} << 62) - 1, uint64_t{1} << 62,
        ~uint64_t{0} - 1, ~uint64_t{0}}) {
    const Uuid uuid = RunUuid(cluster, RunNumber(number));
    CHECK(uuid == RunUuid(cluster, RunNumber(number)));
    CHECK(uuid.version() == 8);
    CHECK(uuid.bytes[8] >> 6 == 2);
    CHECK(Uuid::Parse(uuid.ToString()) == uuid);
    CHECK(ParseRunUuid(cluster, uuid) == RunNumber(number));
    CHECK(ParseRunUuid(other, uuid) == std::nullopt);
    CHECK(RunUuid(other, RunNumber(number)) != uuid);
    CHECK(last < uuid);
    last = uuid;
  }
  CHECK(ParseRunUuid(cluster, *Uuid::Parse("017f22e2-79b0-7cc3-98c4-dc0c0c07398f")) ==
        std::nullopt);
}

TEST_CASE("SplitMix64 and xoshiro256** give their authors' numbers") {
  uint64_t state = 1234567;
  CHECK(SplitMix64(&state) == 6457827717110365317u);
  CHECK(SplitMix64(&state) == 3203168211198807973u);
  CHECK(SplitMix64(&state) == 9817491932198370423u);
  CHECK(SplitMix64(&state) == 4593380528125082431u);
  CHECK(SplitMix64(&state) == 16408922859458223821u);
  // Seeded with 0 by SplitMix64, as the authors advise.
  Random random(0);
  CHECK(random.Next() == 11091344671253066420u);
  CHECK(random.Next() == 13793997310169335082u);
  CHECK(random.Next() == 1900383378846508768u);
}

TEST_CASE("uniform choices stay in their bounds and reach all of them") {
  Random random(11);
  std::vector<int> counts(7);
  for (int i = 0; i < 70'000; ++i) ++counts[random.Uniform(7)];
  for (const int count : counts) CHECK(std::abs(count - 10'000) < 500);
  CHECK(random.Uniform(1) == 0);
  int low = 0, high = 0;
  for (int i = 0; i < 1'000; ++i) {
    const int64_t value = random.Between(-2, 2);
    REQUIRE(value >= -2);
    REQUIRE(value <= 2);
    low += value == -2;
    high += value == 2;
    REQUIRE(random.Between(INT64_MIN, INT64_MAX) != random.Between(INT64_MIN, INT64_MAX));
    REQUIRE(random.Between(absl::Seconds(1), absl::Seconds(2)) <= absl::Seconds(2));
  }
  CHECK(low > 100);
  CHECK(high > 100);
  int hits = 0;
  for (int i = 0; i < 10'000; ++i) hits += random.Chance(1, 4);
  CHECK(std::abs(hits - 2'500) < 250);
  CHECK_FALSE(random.Chance(0, 5));
  CHECK(random.Chance(5, 5));
}

TEST_CASE("a forked generator does not depend on what its parent does later") {
  Random a(1), b(1);
  Random fork_a = a.Fork();
  Random fork_b = b.Fork();
  a.Next();
  CHECK(fork_a.Next() == fork_b.Next());
  CHECK(a.Next() != b.Next());
}

TEST_CASE("UTF-8 is told from what only looks like it") {
  for (const std::string& good : {""s, "plain"s, "\0"s, "ñ€𐍈"s, "\xed\x9f\xbf"s, "\xee\x80\x80"s,
                                  "\xf4\x8f\xbf\xbf"s, "\xc2\x80"s, "\xe0\xa0\x80"s}) {
    CHECK(IsUtf8(good));
    CHECK(ToValidUtf8(good) == good);
  }
  for (const std::string& bad :
       {"\x80"s, "\xc0\x80"s, "\xc1\xbf"s, "\xe0\x9f\xbf"s, "\xed\xa0\x80"s, "\xf0\x8f\xbf\xbf"s,
        "\xf4\x90\x80\x80"s, "\xf5\x80\x80\x80"s, "\xff"s, "\xc3"s, "\xe2\x82"s, "a\xf0\x9f\x98"s,
        "\xc3("s}) {
    CHECK_FALSE(IsUtf8(bad));
    CHECK(IsUtf8(ToValidUtf8(bad)));
  }
  CHECK(ToValidUtf8("a\xff"
                    "b\xc3") ==
        "a\xef\xbf\xbd"
        "b\xef\xbf\xbd");
}

TEST_CASE("a slice keeps the whole of a shared buffer alive") {
  SharedBuffer slice;
  {
    SharedBuffer whole(std::string(1'000, 'a').append("tail"));
    slice = whole.Slice(whole.view().substr(1'000));
  }
  CHECK(slice.view() == "tail");
  CHECK(slice == SharedBuffer("tail"));
  CHECK(SharedBuffer().empty());
}

}  // namespace scheduled
