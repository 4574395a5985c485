// The parts of a host that stand alone: packing, the queue before it, envelopes, the flusher, the
// ledger, sizes of the log, and who may found a cluster.
#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/virtual_runtime.h"
#include "consensus/bootstrap.h"
#include "consensus/envelope.h"
#include "consensus/flusher.h"
#include "consensus/ledger.h"
#include "consensus/log_sizes.h"
#include "consensus/packing.h"
#include "consensus/proposal_queue.h"
#include "raft/codec.h"
#include "storage/memory_log_store.h"

namespace scheduled {
namespace {

// --- Packing ------------------------------------------------------------------------------------

std::vector<std::string> Unpack(std::string_view entry) {
  auto reader = PackedReader::Open(entry);
  REQUIRE(reader.ok());
  std::vector<std::string> commands;
  for (uint32_t i = 0; i < reader->count(); ++i) commands.emplace_back(reader->Next());
  return commands;
}

TEST_CASE("what is packed comes out again, empty commands included") {
  const std::vector<std::string> commands = {"one", "", std::string(70000, 'x'), "four"};
  const SharedBuffer entry = Pack(commands, /*alone=*/false);
  CHECK(Unpack(entry.view()) == commands);
  CHECK_FALSE(PackedReader::Open(entry.view())->alone());
  const std::vector<std::string> lone = {"alone"};
  CHECK(PackedReader::Open(Pack(lone, true).view())->alone());
}

TEST_CASE("a packed entry has the bytes that its comment says") {
  const std::vector<std::string> commands = {"ab", "c"};
  CHECK(Pack(commands, false).view() == std::string_view("\x10\0\0\0\x02\0\0\0\x02\0\0\0\x01"
                                                         "abc",
                                                         16));
}

TEST_CASE("no damage to a packed entry goes further than an error") {
  const std::vector<std::string> commands = {"one", "two", "three"};
  const std::string good(Pack(commands, false).view());
  for (size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(PackedReader::Open(std::string_view(good).substr(0, size)).ok());
  }
  CHECK_FALSE(PackedReader::Open(good + "x").ok());
  Random random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string bad = good;
    for (int flips = 0; flips < 3; ++flips) {
      bad[random.Uniform(bad.size())] = static_cast<char>(random.Uniform(256));
    }
    auto reader = PackedReader::Open(bad);
    if (!reader.ok()) continue;
    size_t total = 0;
    for (uint32_t c = 0; c < reader->count(); ++c) total += reader->Next().size();
    CHECK(total + kPackedHeaderBytes + reader->count() * kPackedCommandBytes == bad.size());
  }
  std::string newer = good;
  newer[0] = 0x20;
  CHECK(PackedReader::Open(newer).status().code() == absl::StatusCode::kUnimplemented);
}

// --- The queue before packing -------------------------------------------------------------------

void Push(ProposalQueue& queue, std::string command, bool alone = false, Term term = Term()) {
  ProposeDone done = [](absl::StatusOr<Applied>) {};
  REQUIRE(queue.Push(command, done, {.alone = alone, .term = term}).ok());
}

std::vector<std::vector<std::string>> TakeAll(ProposalQueue& queue) {
  std::vector<std::vector<std::string>> entries;
  PackedProposal of_other_terms;
  while (auto taken = queue.Take(Term(5), &of_other_terms)) {
    entries.push_back(Unpack(taken->entry.view()));
    CHECK(taken->waiting.size() == entries.back().size());
  }
  return entries;
}

TEST_CASE("the queue fills entries up to their limits, in order") {
  using Entries = std::vector<std::vector<std::string>>;
  SECTION("commands") {
    ProposalQueue queue({.batch_bytes = 1000, .batch_commands = 2});
    for (const char* command : {"a", "b", "c", "d", "e"}) Push(queue, command);
    CHECK(queue.HasFullEntry());
    CHECK(TakeAll(queue) == Entries{{"a", "b"}, {"c", "d"}, {"e"}});
    CHECK(queue.empty());
    CHECK_FALSE(queue.HasFullEntry());
  }
  SECTION("bytes") {
    const size_t room = kPackedHeaderBytes + 2 * (kPackedCommandBytes + 10);
    ProposalQueue queue({.batch_bytes = room, .batch_commands = 100});
    const std::string ten(10, 'x');
    const std::string large(100, 'y');
    for (const std::string& command : {ten, ten, ten, large, ten}) Push(queue, command);
    CHECK(TakeAll(queue) == Entries{{ten, ten}, {ten}, {large}, {ten}});
  }
  SECTION("alone") {
    ProposalQueue queue({.batch_bytes = 1000, .batch_commands = 100});
    Push(queue, "a");
    Push(queue, "lone", true);
    Push(queue, "lone too", true);
    Push(queue, "b");
    Push(queue, "c");
    CHECK(TakeAll(queue) == Entries{{"a"}, {"lone"}, {"lone too"}, {"b", "c"}});
  }
}

TEST_CASE("commands of other terms leave the queue on the way, and take nobody with them") {
  ProposalQueue queue({.batch_bytes = 1000, .batch_commands = 2});
  Push(queue, "old", false, Term(4));
  Push(queue, "a");
  Push(queue, "old and alone", true, Term(4));
  Push(queue, "b", false, Term(5));
  Push(queue, "to come", false, Term(6));
  PackedProposal of_other_terms;
  const auto taken = queue.Take(Term(5), &of_other_terms);
  REQUIRE(taken.has_value());
  CHECK(Unpack(taken->entry.view()) == std::vector<std::string>{"a", "b"});
  CHECK(taken->weight == 2 * CommandWeight(1));
  CHECK_FALSE(queue.Take(Term(5), &of_other_terms).has_value());
  CHECK(queue.empty());
  CHECK(of_other_terms.waiting.size() == 3);
  CHECK(of_other_terms.weight == CommandWeight(3) + CommandWeight(13) + CommandWeight(7));
}

TEST_CASE("a closed queue gives out what waits, and refuses with the reason") {
  ProposalQueue queue({.batch_bytes = 1000, .batch_commands = 100});
  Push(queue, "a");
  CHECK(queue.Close(absl::UnavailableError("gone")).size() == 1);
  std::string command = "b";
  ProposeDone done = [](absl::StatusOr<Applied>) {};
  CHECK(queue.Push(command, done, {}).message() == "gone");
  CHECK(command == "b");
  CHECK(done != nullptr);
}

// --- Envelopes ----------------------------------------------------------------------------------

TEST_CASE("an envelope carries kind and cluster, and gives the content back") {
  const std::string cluster(16, 'c');
  for (const std::string& id : {cluster, std::string()}) {
    std::string frame = "content";
    Seal(EnvelopeKind::kCutHint, id, &frame);
    const auto opened = Unseal(&frame);
    REQUIRE(opened.has_value());
    CHECK(opened->kind == EnvelopeKind::kCutHint);
    CHECK(opened->cluster_id == id);
    CHECK(frame == "content");
  }
  std::string tiny(16, '\1');
  CHECK_FALSE(Unseal(&tiny).has_value());
  std::string unknown(17, '\x09');
  CHECK_FALSE(Unseal(&unknown).has_value());
}

TEST_CASE("nothing large travels where heartbeats do") {
  CHECK(ClassOf(EnvelopeKind::kRaft, raft::kMaxFrameBytes) == FrameClass::kConsensus);
  CHECK(ClassOf(EnvelopeKind::kSnapshotProgress, 20) == FrameClass::kConsensus);
  CHECK(ClassOf(EnvelopeKind::kSnapshotOffer, 100) == FrameClass::kBulk);
  CHECK(ClassOf(EnvelopeKind::kSnapshotPiece, 1 << 20) == FrameClass::kBulk);
  CHECK(ClassOf(EnvelopeKind::kApplication, 0) == FrameClass::kApplication);
  CHECK(ClassOf(EnvelopeKind::kApplication, kMaxUrgentBytes) == FrameClass::kApplication);
  CHECK(ClassOf(EnvelopeKind::kApplication, kMaxUrgentBytes + 1) == FrameClass::kBulk);
}

TEST_CASE("the host's own messages decode to what was encoded, and to nothing else") {
  CHECK(DecodeAskData(EncodeAskData(raft::DiskId(7))) == raft::DiskId(7));
  const auto answer = DecodeTellData(EncodeTellData({raft::DiskId(9), true}));
  REQUIRE(answer.has_value());
  CHECK(answer->disk == raft::DiskId(9));
  CHECK(answer->has_data);
  CHECK(DecodeCutHint(EncodeCutHint(LogIndex(5))) == LogIndex(5));
  CHECK_FALSE(DecodeAskData("short").has_value());
  CHECK_FALSE(DecodeTellData(std::string(9, '\x02')).has_value());
  CHECK_FALSE(DecodeCutHint(std::string(9, 'x')).has_value());
}

// --- The flusher --------------------------------------------------------------------------------

// A state that is flushed once it is let, and counts.
class SlowFlush : public StateMachine {
 public:
  absl::StatusOr<std::vector<std::string>> Apply(std::span<const Command>,
                                                 AppliedPosition) override {
    return std::vector<std::string>();
  }
  AppliedPosition applied() const override { return {}; }
  absl::StatusOr<LogIndex> Durable() const override { return LogIndex(1); }
  absl::Status Flush() override {
    loop.Spend(absl::Seconds(1));
    ++flushes;
    return outcome;
  }
  absl::Status Checkpoint(const std::string&) override { return absl::OkStatus(); }
  absl::Status Install(const std::string&, AppliedPosition) override { return absl::OkStatus(); }

  explicit SlowFlush(VirtualLoop* virtual_loop) : loop(*virtual_loop) {}
  VirtualLoop& loop;
  int flushes = 0;
  absl::Status outcome;
};

// A flusher at work in virtual time, with what it does in the order in which it does it.
struct FlusherWorld {
  explicit FlusherWorld(bool has_lane) {
    apply = runtime->NewLane("apply");
    if (has_lane) flush = runtime->NewLane("flush");
    flusher.emplace(FlusherParts{&runtime->clock(), &machine, apply.get(), flush.get(), 1000},
                    FlusherEvents{[this](LogIndex) { events.push_back("flushed"); },
                                  [this](const absl::Status&) { events.push_back("failed"); }});
  }
  ~FlusherWorld() {
    apply->Stop();
    if (flush != nullptr) flush->Stop();
  }
  void OnApply(Task task) {
    apply->Post(std::move(task));
    loop.RunUntil(loop.now());
  }
  void Note(std::string what) { events.push_back(std::move(what)); }
  void Run(absl::Duration duration) { loop.RunUntil(loop.now() + duration); }

  VirtualLoop loop{{.seed = 1}};
  std::unique_ptr<VirtualRuntime> runtime = loop.NewRuntime("node");
  SlowFlush machine{&loop};
  std::unique_ptr<Lane> apply, flush;
  std::optional<Flusher> flusher;
  std::vector<std::string> events;
};
using Events = std::vector<std::string>;

TEST_CASE("whoever holds flushes is alone with the state until the release") {
  FlusherWorld world(GENERATE(false, true));
  // One is under way: the hold waits for its end, and no other begins.
  world.OnApply([&] { world.flusher->Applied(2000); });
  world.OnApply([&] {
    world.flusher->Hold([&] { world.Note("held"); });
    world.flusher->Applied(2000);
  });
  world.Run(absl::Minutes(5));
  CHECK(world.events == Events{"flushed", "held"});
  world.OnApply([&] { world.flusher->Release(); });
  world.Run(absl::Seconds(2));
  CHECK(world.events == Events{"flushed", "held", "flushed"});
  // None is: at once. The timer of what was applied before finds the hold, too.
  world.OnApply([&] {
    world.flusher->Applied(1);
    world.flusher->Hold([&] { world.Note("held"); });
  });
  world.Run(absl::Minutes(5));
  CHECK(world.events == Events{"flushed", "held", "flushed", "held"});
  world.OnApply([&] { world.flusher->Release(); });
  world.Run(absl::Minutes(5));
  CHECK(world.events == Events{"flushed", "held", "flushed", "held", "flushed"});
}

TEST_CASE("a copy is made behind a flush of its own, and not during an install") {
  FlusherWorld world(true);
  world.OnApply([&] { world.flusher->Applied(2000); });
  world.OnApply([&] { world.flusher->FlushBeside([&] { world.Note("copied"); }); });
  world.Run(absl::Seconds(3));
  CHECK(world.events == Events{"flushed", "flushed", "copied"});

  world.events.clear();
  world.OnApply([&] {
    world.flusher->Hold([&] { world.Note("held"); });
    world.flusher->FlushBeside([&] { world.Note("copied"); });
  });
  world.Run(absl::Seconds(3));
  CHECK(world.events == Events{"held"});
  world.OnApply([&] { world.flusher->Release(); });
  world.Run(absl::Seconds(3));
  CHECK(world.events == Events{"held", "flushed", "copied"});

  world.events.clear();
  world.machine.outcome = absl::UnavailableError("the disk failed");
  world.OnApply([&] { world.flusher->FlushBeside([&] { world.Note("copied"); }); });
  world.Run(absl::Seconds(3));
  CHECK(world.events == Events{"failed"});
}

// --- The ledger ---------------------------------------------------------------------------------

raft::Configuration Voters(const std::vector<std::string>& names) {
  raft::Configuration configuration;
  for (const std::string& name : names) configuration.voters.push_back({NodeId(name), "", {}});
  return configuration;
}

LogWrite Entry(uint64_t index, uint64_t term, const raft::Configuration* configuration) {
  LogWrite write;
  write.group = GroupId(1);
  write.hard_state = HardState{Term(term), std::nullopt};
  write.entries.push_back(
      {Term(term), LogIndex(index),
       static_cast<uint8_t>(configuration ? raft::EntryKind::kConfiguration
                                          : raft::EntryKind::kCommand),
       SharedBuffer(configuration ? raft::EncodeConfiguration(*configuration) : "command")});
  return write;
}

TEST_CASE("the ledger follows the log: configurations come, go with a truncation, and stay") {
  MemoryLogStore store;
  auto ledger = Ledger::Load(&store, GroupId(1));
  REQUIRE(ledger.ok());
  CHECK(ledger->cluster_id().empty());
  const std::vector<LogWrite> identity = {
      ledger->RecordIdentity(NodeId("a"), std::string(16, 'c'))};
  REQUIRE(store.Write(identity).ok());
  const raft::Configuration one = Voters({"a"}), two = Voters({"a", "b"}),
                            three = Voters({"a", "b", "c"});
  const auto write = [&](LogWrite own) {
    std::vector<LogWrite> writes;
    ledger->Follow(own, &writes);
    writes.push_back(std::move(own));
    REQUIRE(store.Write(writes).ok());
  };
  const auto check = [&](const std::vector<raft::ConfigurationAt>& expected) {
    CHECK(ledger->configurations() == expected);
    const auto loaded = Ledger::Load(&store, GroupId(1));
    REQUIRE(loaded.ok());
    CHECK(loaded->configurations() == expected);
    CHECK(loaded->node() == NodeId("a"));
    CHECK(loaded->cluster_id() == std::string(16, 'c'));
  };
  write(Entry(1, 1, &one));
  write(Entry(2, 1, nullptr));
  write(Entry(3, 2, &two));
  check({{LogIndex(1), one}, {LogIndex(3), two}});
  LogWrite instead = Entry(2, 5, &three);
  instead.truncate_from = LogIndex(2);
  write(std::move(instead));
  check({{LogIndex(1), one}, {LogIndex(2), three}});
  LogWrite cut = Entry(2, 6, nullptr);
  cut.truncate_from = LogIndex(2);
  write(std::move(cut));
  check({{LogIndex(1), one}});
  // An entry that is cut from the log is not forgotten here.
  REQUIRE(store.CutBefore(GroupId(1), LogIndex(2)).ok());
  check({{LogIndex(1), one}});
}

// --- Sizes --------------------------------------------------------------------------------------

TEST_CASE("sizes of the log agree with a plain list, to within one range") {
  Random random(5);
  LogSizes sizes;
  std::vector<uint64_t> plain;  // of entries first + i
  uint64_t first = 1;
  const auto total = [&] {
    uint64_t sum = 0;
    for (const uint64_t bytes : plain) sum += bytes;
    return sum;
  };
  for (int step = 0; step < 5000; ++step) {
    const uint64_t last = first + plain.size() - 1;
    const uint64_t roll = random.Uniform(100);
    if (roll < 80 || plain.size() < 10) {
      plain.push_back(1000 + random.Uniform(1000));
      sizes.Append({LogIndex(last + 1), LogIndex(last + 1), plain.back()});
    } else if (roll < 90) {
      const uint64_t from = last - random.Uniform(5);
      sizes.TruncateFrom(LogIndex(from));
      plain.resize(from - first);
    } else {
      const uint64_t through = first + random.Uniform(5);
      CHECK(sizes.BytesThrough(LogIndex(through)) <= sizes.total());
      sizes.CutThrough(LogIndex(through));
      plain.erase(plain.begin(), plain.begin() + static_cast<ptrdiff_t>(through - first + 1));
      first = through + 1;
    }
    const int64_t off = static_cast<int64_t>(sizes.total()) - static_cast<int64_t>(total());
    CHECK(std::abs(off) < (int64_t{512} << 10));
  }
  const uint64_t last = first + plain.size() - 1;
  CHECK(sizes.BytesThrough(LogIndex(last)) == sizes.total());
  sizes.CutThrough(LogIndex(last));
  CHECK(sizes.total() == 0);
}

// --- Founding -----------------------------------------------------------------------------------

TEST_CASE("only the smallest id founds, with all others empty, or a majority of them for a while") {
  const std::map<NodeId, std::string> peers = {
      {NodeId("a"), "1"}, {NodeId("b"), "2"}, {NodeId("c"), "3"}};
  const MonoTime begin{1000};
  const MonoTime soon = begin + absl::Milliseconds(500);
  const MonoTime late = begin + kFoundingPatience;
  Bootstrap founder({NodeId("a"), "", raft::DiskId(1)}, peers);
  CHECK(founder.IsFounder());
  founder.Answered(begin, NodeId("stranger"), {raft::DiskId(9), false});
  founder.Answered(begin, NodeId("a"), {raft::DiskId(1), false});
  CHECK_FALSE(founder.MayFound(late));
  founder.Answered(begin, NodeId("b"), {raft::DiskId(2), false});
  CHECK_FALSE(founder.MayFound(begin));
  founder.BeginRound();
  CHECK_FALSE(founder.MayFound(late));  // nobody answers any more
  founder.Answered(soon, NodeId("b"), {raft::DiskId(2), false});
  CHECK_FALSE(founder.MayFound(soon));
  CHECK(founder.MayFound(late));
  const raft::Configuration founding = founder.Founding();
  REQUIRE(founding.voters.size() == 3);
  CHECK(founding.Find(NodeId("a"))->disk == raft::DiskId(1));
  CHECK(founding.Find(NodeId("b"))->disk == raft::DiskId(2));
  CHECK(founding.Find(NodeId("c"))->disk == raft::DiskId(0));
  CHECK(founding.Find(NodeId("c"))->address == "3");
  founder.Answered(soon, NodeId("c"), {raft::DiskId(3), false});
  CHECK(founder.MayFound(soon));
  CHECK(founder.Founding().Find(NodeId("c"))->disk == raft::DiskId(3));

  // A round without a majority: it begins to wait anew.
  founder.BeginRound();
  founder.BeginRound();
  founder.Answered(late, NodeId("b"), {raft::DiskId(2), false});
  CHECK_FALSE(founder.MayFound(late + absl::Milliseconds(999)));
  CHECK(founder.MayFound(late + absl::Seconds(1)));

  // Whoever had data once has it, in whatever round it said so.
  founder.BeginRound();
  founder.Answered(late, NodeId("c"), {raft::DiskId(3), true});
  CHECK(founder.FoundData());
  founder.BeginRound();
  for (const char* other : {"b", "c"}) {
    founder.Answered(late, NodeId(other), {raft::DiskId(2), false});
  }
  CHECK(founder.FoundData());
  CHECK_FALSE(founder.MayFound(late + absl::Seconds(10)));

  Bootstrap other({NodeId("b"), "", raft::DiskId(2)}, peers);
  CHECK_FALSE(other.IsFounder());
  other.Answered(begin, NodeId("a"), {raft::DiskId(1), false});
  other.Answered(begin, NodeId("c"), {raft::DiskId(3), false});
  CHECK_FALSE(other.MayFound(late));
}

}  // namespace
}  // namespace scheduled
