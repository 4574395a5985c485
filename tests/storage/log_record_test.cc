// The formats on disk: what is written is read back, and any damage to any byte is noticed.
#include "storage/log_record.h"

#include <catch2/catch.hpp>

#include "storage/applied_row.h"
#include "storage/durable_file.h"
#include "storage/world.h"

namespace scheduled {
namespace {

// Calls `decode` with each variant of `value` that has one bit flipped, and each that is cut short.
template <typename Decode>
void RequireEveryDamageIsNoticed(const std::string& value, Decode decode) {
  REQUIRE(decode(value));
  for (size_t byte = 0; byte < value.size(); ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = value;
      damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << bit));
      REQUIRE_FALSE(decode(damaged));
    }
    REQUIRE_FALSE(decode(value.substr(0, byte)));
  }
  REQUIRE_FALSE(decode(value + '\0'));
}

TEST_CASE("keys of a log sort by group, kind and index") {
  const std::vector<std::string> sorted = {
      LogRowKey(GroupId(1), LogRowKind::kHardState),
      LogRowKey(GroupId(1), LogRowKind::kBounds),
      LogRowKey(GroupId(1), LogRowKind::kInstalling),
      LogRowKey(GroupId(1), LogRowKind::kEntry, LogIndex(1)),
      LogRowKey(GroupId(1), LogRowKind::kEntry, LogIndex(255)),
      LogRowKey(GroupId(1), LogRowKind::kEntry, LogIndex(256)),
      LogRowKey(GroupId(1), LogRowKind::kEntry, LogIndex(UINT64_MAX)),
      LogEntriesEnd(GroupId(1)),
      LogRowKey(GroupId(2), LogRowKind::kHardState),
      LogRowKey(GroupId(256), LogRowKind::kHardState)};
  REQUIRE(std::is_sorted(sorted.begin(), sorted.end()));
  REQUIRE(DecodeLogEntryKey(sorted[5]).value() == LogEntryKey{GroupId(1), LogIndex(256)});
  REQUIRE_FALSE(DecodeLogEntryKey(sorted[0]).ok());
  REQUIRE_FALSE(DecodeLogEntryKey("").ok());
}

TEST_CASE("an entry is read back, and every damage to it is noticed") {
  const std::string key = LogRowKey(kGroup, LogRowKind::kEntry, LogIndex(17));
  const LogRecord entry = Entry(17, 3, "some bytes of an entry");
  const std::string value = EncodeEntryHead(key, entry) + std::string(entry.bytes.view());
  const absl::StatusOr<LogEntryView> decoded = DecodeEntryRow(key, value);
  REQUIRE(decoded.ok());
  REQUIRE(decoded->term == entry.term);
  REQUIRE(decoded->kind == entry.kind);
  REQUIRE(decoded->bytes == entry.bytes.view());
  RequireEveryDamageIsNoticed(value,
                              [&](const std::string& v) { return DecodeEntryRow(key, v).ok(); });
  // The right bytes in the wrong place are damage too.
  const std::string elsewhere = LogRowKey(kGroup, LogRowKind::kEntry, LogIndex(18));
  const absl::Status status = DecodeEntryRow(elsewhere, value).status();
  REQUIRE(absl::IsDataLoss(status));
  REQUIRE_THAT(std::string(status.message()), Catch::Contains("entry 18 in the log of group 1"));
}

TEST_CASE("a hard state is read back, and every damage to it is noticed") {
  const std::string key = LogRowKey(kGroup, LogRowKind::kHardState);
  for (const HardState& state : {Promise(0), Promise(7), Promise(7, "node-1"), Promise(7, "")}) {
    const std::string value = EncodeHardStateRow(key, state);
    REQUIRE(DecodeHardStateRow(key, value).value() == state);
    RequireEveryDamageIsNoticed(
        value, [&](const std::string& v) { return DecodeHardStateRow(key, v).ok(); });
  }
}

TEST_CASE("a position is read back, and every damage to it is noticed") {
  const std::string key = LogRowKey(kGroup, LogRowKind::kBounds);
  const LogPosition position{LogIndex(1'000'000), Term(12)};
  const std::string value = EncodePositionRow(key, position);
  REQUIRE(DecodePositionRow(key, value).value() == position);
  RequireEveryDamageIsNoticed(value,
                              [&](const std::string& v) { return DecodePositionRow(key, v).ok(); });
}

TEST_CASE("an applied row is read back") {
  const LogPosition applied{LogIndex(77), Term(3)};
  REQUIRE(DecodeAppliedRow(EncodeAppliedRow(applied)).value() == applied);
  REQUIRE(absl::IsDataLoss(DecodeAppliedRow("").status()));
  REQUIRE(absl::IsDataLoss(DecodeAppliedRow(EncodeAppliedRow(applied) + "x").status()));
  std::string other_version = EncodeAppliedRow(applied);
  other_version[0] = 2;
  REQUIRE(absl::IsDataLoss(DecodeAppliedRow(other_version).status()));
}

TEST_CASE("a file record is read back, and every damage to it is noticed") {
  const FileRecord record{.title = "a title", .fields = {{"format", "1"}, {"name", "a b  c"}}};
  const std::string text = record.Encode();
  const absl::StatusOr<FileRecord> decoded = FileRecord::Decode("a title", text);
  REQUIRE(decoded.ok());
  REQUIRE(decoded->fields == record.fields);
  REQUIRE(decoded->Get("name").value() == "a b  c");
  REQUIRE(decoded->GetNumber("format").value() == 1);
  REQUIRE_FALSE(decoded->Get("nothing").ok());
  REQUIRE_FALSE(decoded->GetNumber("name").ok());
  REQUIRE_FALSE(FileRecord::Decode("another title", text).ok());
  RequireEveryDamageIsNoticed(
      text, [&](const std::string& t) { return FileRecord::Decode("a title", t).ok(); });
}

}  // namespace
}  // namespace scheduled
