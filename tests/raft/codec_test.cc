// Every message and stored form there and back, and hostile bytes.
#include "raft/codec.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/random.h"
#include "raft/frame.h"
#include "raft/print.h"

namespace scheduled::raft {
namespace {

uint64_t Number(Random& random) { return random.Next() >> random.Between(int64_t{2}, int64_t{63}); }
std::string Text(Random& random, size_t most) {
  std::string text(random.Uniform(most + 1), ' ');
  for (char& c : text) c = static_cast<char>(random.Uniform(256));
  return text;
}
NodeId Id(Random& random) { return NodeId("n" + std::to_string(random.Uniform(100))); }

Configuration SomeConfiguration(Random& random) {
  Configuration configuration;
  const uint64_t voters = 1 + random.Uniform(5);
  for (uint64_t i = 0; i < 12; ++i) {
    Member member{NodeId("m" + std::string(1, static_cast<char>('a' + i))), Text(random, 40),
                  DiskId(Number(random))};
    if (i < voters) configuration.voters.push_back(member);
    if (i < voters ? random.Chance(1, 2) : random.Chance(1, 3)) {
      configuration.old_voters.push_back(member);
    }
    if (i >= voters && random.Chance(1, 3)) {
      const bool promote = random.Chance(1, 2);
      configuration.learners.push_back(
          Learner{member, promote, promote && random.Chance(1, 2) ? NodeId("ma") : NodeId()});
    }
  }
  REQUIRE(configuration.IsWellFormed());
  return configuration;
}

SnapshotMeta SomeSnapshot(Random& random) {
  return SnapshotMeta{LogPosition{LogIndex(Number(random)), Term(Number(random))},
                      SomeConfiguration(random), LogIndex(Number(random))};
}

MessageBody SomeBody(Random& random, size_t kind) {
  const LogPosition at{LogIndex(Number(random)), Term(Number(random))};
  switch (kind) {
    case 0:
      return VoteRequest{random.Chance(1, 2), random.Chance(1, 2), Term(Number(random)), at};
    case 1:
      return VoteReply{random.Chance(1, 2), random.Chance(1, 2),
                       static_cast<VoteRefusal>(random.Uniform(6)), Term(Number(random))};
    case 2: {
      AppendRequest append{at, LogIndex(Number(random)), random.Chance(1, 2), {}};
      for (uint64_t i = 0, n = random.Uniform(10); i < n; ++i) {
        append.entries.push_back(Entry{Term(Number(random)), LogIndex(at.index.value + i + 1),
                                       static_cast<EntryKind>(1 + random.Uniform(3)),
                                       SharedBuffer(Text(random, 200))});
      }
      return append;
    }
    case 3:
      return AppendReply{random.Chance(1, 2), LogIndex(Number(random)), LogIndex(Number(random)),
                         at};
    case 4:
      return Heartbeat{Round(Number(random))};
    case 5:
      return HeartbeatReply{Round(Number(random)), LogIndex(Number(random))};
    case 6:
      return ReadRequest{ReadBatch(Number(random))};
    case 7:
      return ReadReply{ReadBatch(Number(random)), random.Chance(1, 2), LogIndex(Number(random))};
    case 8:
      return TimeoutNow{};
    case 9:
      return SnapshotRequest{TransferId(Number(random)), SomeSnapshot(random)};
    default:
      return SnapshotReply{TransferId(Number(random)), LogIndex(Number(random)),
                           random.Chance(1, 2)};
  }
}

Message SomeMessage(Random& random, size_t kind) {
  return Message{GroupId(static_cast<uint32_t>(random.Next())),
                 Id(random),
                 Id(random),
                 DiskId(Number(random)),
                 Term(Number(random)),
                 SomeBody(random, kind)};
}

constexpr size_t kKinds = std::variant_size_v<MessageBody>;

TEST_CASE("every message survives the wire") {
  Random random(1);
  for (int round = 0; round < 2000; ++round) {
    for (size_t kind = 0; kind < kKinds; ++kind) {
      const Message message = SomeMessage(random, kind);
      const std::string bytes = EncodeMessage(message);
      const auto decoded = DecodeMessage(SharedBuffer(bytes));
      REQUIRE(decoded.ok());
      REQUIRE(EncodeMessage(*decoded) == bytes);
      REQUIRE(decoded->body.index() == kind);
      REQUIRE(ToString(*decoded) == ToString(message));
      REQUIRE(decoded->from == message.from);
      REQUIRE(decoded->to == message.to);
      REQUIRE(decoded->from_disk == message.from_disk);
      REQUIRE(decoded->group == message.group);
    }
  }
}

TEST_CASE("entries of a decoded message share its bytes") {
  Message message{GroupId(1), NodeId("a"), NodeId("b"), DiskId(), Term(1), {}};
  message.body = AppendRequest{
      {},
      {},
      false,
      {Entry{Term(1), LogIndex(1), EntryKind::kCommand, SharedBuffer(std::string("command"))}}};
  const SharedBuffer bytes(EncodeMessage(message));
  const auto decoded = DecodeMessage(bytes);
  REQUIRE(decoded.ok());
  const std::string_view entry = std::get<AppendRequest>(decoded->body).entries[0].bytes.view();
  CHECK(entry == "command");
  CHECK(entry.data() > bytes.view().data());
  CHECK(entry.data() < bytes.view().data() + bytes.size());
}

TEST_CASE("a cut, damaged or foreign message is an error, never a value") {
  Random random(2);
  for (size_t kind = 0; kind < kKinds; ++kind) {
    const std::string bytes = EncodeMessage(SomeMessage(random, kind));
    for (size_t size = 0; size < bytes.size(); ++size) {
      REQUIRE_FALSE(DecodeMessage(SharedBuffer(bytes.substr(0, size))).ok());
    }
    for (size_t i = 0; i < bytes.size(); ++i) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << random.Uniform(8)));
      REQUIRE_FALSE(DecodeMessage(SharedBuffer(damaged)).ok());
    }
    REQUIRE_FALSE(DecodeMessage(SharedBuffer(bytes + "x")).ok());
    std::string newer = bytes;
    newer[0] = 2;
    CHECK(DecodeMessage(SharedBuffer(newer)).status().code() == absl::StatusCode::kUnimplemented);
  }
}

// Past the checksum: whatever a hostile peer signs correctly.
TEST_CASE("hostile bytes with a right checksum are refused or give a bounded value") {
  Random random(3);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = EncodeMessage(SomeMessage(random, random.Uniform(kKinds)));
    for (uint64_t i = 0, n = 1 + random.Uniform(4); i < n; ++i) {
      const size_t at = kFrameHeadBytes + random.Uniform(bytes.size() - kFrameHeadBytes);
      switch (random.Uniform(3)) {
        case 0:
          bytes[at] = static_cast<char>(random.Uniform(256));
          break;
        case 1:
          bytes.resize(at);
          break;
        default:
          bytes.insert(at, Text(random, 10));
      }
      if (bytes.size() <= kFrameHeadBytes) break;
    }
    FinishFrame(&bytes);
    const auto decoded = DecodeMessage(SharedBuffer(bytes));
    refused += decoded.ok() ? 0 : 1;
    if (!decoded.ok()) continue;
    (void)IsWellFormed(*decoded);
    const auto again = DecodeMessage(SharedBuffer(EncodeMessage(*decoded)));
    REQUIRE(again.ok());
    REQUIRE(ToString(*again) == ToString(*decoded));
  }
  CHECK(refused > 1000);
}

TEST_CASE("stored forms survive, and nothing is left over or missing") {
  Random random(4);
  for (int round = 0; round < 300; ++round) {
    const Configuration configuration = SomeConfiguration(random);
    const std::string bytes = EncodeConfiguration(configuration);
    REQUIRE(*DecodeConfiguration(bytes) == configuration);
    const SnapshotMeta meta = SomeSnapshot(random);
    const std::string meta_bytes = EncodeSnapshotMeta(meta);
    REQUIRE(*DecodeSnapshotMeta(meta_bytes) == meta);
    const HardState state{Term(Number(random)), random.Chance(1, 2) ? Id(random) : NodeId()};
    const std::string state_bytes = EncodeHardState(state);
    REQUIRE(*DecodeHardState(state_bytes) == state);
    for (size_t size = 0; size < bytes.size(); ++size) {
      REQUIRE_FALSE(DecodeConfiguration(bytes.substr(0, size)).ok());
    }
    for (size_t size = 0; size < meta_bytes.size(); size += 7) {
      REQUIRE_FALSE(DecodeSnapshotMeta(meta_bytes.substr(0, size)).ok());
    }
    for (size_t size = 0; size < state_bytes.size(); ++size) {
      REQUIRE_FALSE(DecodeHardState(state_bytes.substr(0, size)).ok());
    }
    REQUIRE_FALSE(DecodeConfiguration(bytes + "x").ok());
    REQUIRE_FALSE(DecodeSnapshotMeta(meta_bytes + "x").ok());
    REQUIRE_FALSE(DecodeHardState(state_bytes + "x").ok());
  }
  CHECK(DecodeConfiguration("\x02").status().code() == absl::StatusCode::kUnimplemented);
  CHECK(DecodeSnapshotMeta("\x02").status().code() == absl::StatusCode::kUnimplemented);
  CHECK(DecodeHardState("\x02").status().code() == absl::StatusCode::kUnimplemented);
}

Message Large(size_t bytes) {
  Message message{GroupId(1), NodeId("a"), NodeId("b"), DiskId(), Term(1), {}};
  message.body = AppendRequest{
      {},
      {},
      false,
      {Entry{Term(1), LogIndex(1), EntryKind::kCommand, SharedBuffer(std::string(bytes, 'x'))}}};
  return message;
}

TEST_CASE("a message larger than a frame travels in pieces") {
  for (size_t size :
       {size_t{10}, kMaxFrameBytes - 100, kMaxFrameBytes, 3 * kMaxFrameBytes, kMaxEntryBytes}) {
    const Message message = Large(size);
    std::vector<std::string> frames;
    EncodeFrames(message, 1, &frames);
    FrameAssembler assembler;
    for (size_t i = 0; i < frames.size(); ++i) {
      REQUIRE(frames[i].size() <= kMaxFrameBytes);
      const auto got = assembler.Add(frames[i]);
      REQUIRE(got.ok());
      REQUIRE(got->has_value() == (i + 1 == frames.size()));
      if (got->has_value()) REQUIRE(ToString(**got) == ToString(message));
    }
  }
}

TEST_CASE("a lost piece loses its message and no other; small ones pass in between") {
  std::vector<std::string> first, second, small;
  EncodeFrames(Large(3 * kMaxFrameBytes), 1, &first);
  EncodeFrames(Large(3 * kMaxFrameBytes), 2, &second);
  EncodeFrames(Large(10), 3, &small);
  REQUIRE(first.size() == 4);
  FrameAssembler assembler;
  REQUIRE_FALSE(assembler.Add(first[0])->has_value());
  REQUIRE_FALSE(assembler.Add(first[2])->has_value());  // first[1] is lost
  REQUIRE_FALSE(assembler.Add(first[3])->has_value());
  REQUIRE_FALSE(assembler.Add(second[0])->has_value());
  REQUIRE(assembler.Add(small[0])->has_value());
  REQUIRE_FALSE(assembler.Add(second[1])->has_value());
  REQUIRE_FALSE(assembler.Add(first[2])->has_value());  // of another message: drops this one too
  REQUIRE_FALSE(assembler.Add(second[2])->has_value());
  REQUIRE_FALSE(assembler.Add(second[3])->has_value());
  for (size_t i = 0; i < 3; ++i) REQUIRE_FALSE(assembler.Add(second[i])->has_value());
  REQUIRE(assembler.Add(second[3])->has_value());
}

TEST_CASE("bytes that are no frame are an error, and the assembler goes on") {
  std::vector<std::string> frames;
  EncodeFrames(Large(2 * kMaxFrameBytes), 1, &frames);
  FrameAssembler assembler;
  CHECK_FALSE(assembler.Add("").ok());
  CHECK_FALSE(assembler.Add("\x01").ok());
  CHECK_FALSE(assembler.Add(std::string(100, '\x01')).ok());
  std::string endless = frames[0];
  endless.replace(kFrameHeadBytes + 12, 4, "\xff\xff\xff\xff");
  FinishFrame(&endless);
  CHECK(assembler.Add(endless).status().code() == absl::StatusCode::kDataLoss);
  std::string unknown = frames[0];
  unknown[1] = 3;
  CHECK_FALSE(assembler.Add(unknown).ok());
  for (size_t i = 0; i < frames.size(); ++i) {
    REQUIRE(assembler.Add(frames[i])->has_value() == (i + 1 == frames.size()));
  }
  // A piece where a whole message is due.
  CHECK_FALSE(DecodeMessage(SharedBuffer(frames[0])).ok());
}

}  // namespace
}  // namespace scheduled::raft
