// A group of one: proposals and their answers, packing, barriers, limits, restart and failure.
#include "consensus/world.h"

namespace scheduled::testing {
namespace {

Node& StartAlone(World& world) {
  Node& node = world.Start("a");
  REQUIRE(node.open_status().ok());
  REQUIRE(world.WaitForLeader({"a"}) == &node);
  return node;
}

TEMPLATE_TEST_CASE("a node alone leads, applies and answers", "", ThreadWorld, VirtualWorld) {
  TestType world;
  Node& node = StartAlone(world);
  const auto first = world.Propose(node, "one");
  const auto second = world.Propose(node, "two");
  REQUIRE(first.ok());
  REQUIRE(second.ok());
  CHECK(first->answer == "one!");
  CHECK(second->answer == "two!");
  CHECK(second->index > first->index);
  const auto commands = node.machine().commands();
  REQUIRE(commands.size() == 2);
  CHECK(commands[1].bytes == "two");
  CHECK(commands[1].index == second->index);
  CHECK(node.cluster_id().size() == 16);
  const ClusterStatus status = node->status();
  CHECK(status.role == Role::kLeader);
  CHECK(status.leader == NodeId("a"));
  CHECK(status.has_quorum);
  CHECK(status.members.size() == 1);
  CHECK(status.failure.empty());
}

TEMPLATE_TEST_CASE("the state machine hears of leading once its term's first entry is applied", "",
                   ThreadWorld, VirtualWorld) {
  TestType world;
  Node& node = StartAlone(world);
  REQUIRE(world.Until([&] { return node.machine().leading().size() == 1; }));
  CHECK(node.machine().leading()[0].leader);
  CHECK(node.machine().leading()[0].at == LogIndex(2));  // behind the configuration
  CHECK(node.machine().leading()[0].term == node->status().term);
  REQUIRE(world.Until(
      [&] { return !node.roles().empty() && node.roles().back().role == Role::kLeader; }));
}

TEMPLATE_TEST_CASE("commands that wait together are packed, within the limits, in order", "",
                   ThreadWorld, VirtualWorld) {
  TestType world;
  world.options.max_batch_commands = 8;
  Node& node = StartAlone(world);
  std::vector<ProposeOutcome> outcomes;
  for (int i = 0; i < 1000; ++i) outcomes.push_back(node.Propose(std::to_string(i)));
  std::map<LogIndex, uint32_t> entries;
  for (int i = 0; i < 1000; ++i) {
    const auto applied = world.Wait(outcomes[i]);
    REQUIRE(applied.ok());
    CHECK(applied->answer == std::to_string(i) + "!");
    CHECK(applied->ordinal == entries[applied->index]);
    ++entries[applied->index];
  }
  for (const auto& [index, count] : entries) CHECK(count <= 8);
  CHECK(entries.size() >= 125);
  CHECK(entries.size() < 500);
  const auto commands = node.machine().commands();
  REQUIRE(commands.size() == 1000);
  for (int i = 0; i < 1000; ++i) CHECK(commands[i].bytes == std::to_string(i));
}

TEMPLATE_TEST_CASE("an entry of several commands keeps to its bytes", "", ThreadWorld,
                   VirtualWorld) {
  TestType world;
  world.options.max_batch_bytes = 4096;
  Node& node = StartAlone(world);
  std::vector<ProposeOutcome> outcomes;
  for (int i = 0; i < 64; ++i) outcomes.push_back(node.Propose(std::string(1000, 'x')));
  outcomes.push_back(node.Propose(std::string(100000, 'y')));
  std::map<LogIndex, uint32_t> entries;
  for (const auto& outcome : outcomes) ++entries[world.Wait(outcome)->index];
  for (const auto& [index, count] : entries) CHECK(count <= 4);
}

TEMPLATE_TEST_CASE("a command that asks for it is alone in its entry and its call of Apply", "",
                   ThreadWorld, VirtualWorld) {
  TestType world;
  Node& node = StartAlone(world);
  std::vector<ProposeOutcome> outcomes;
  for (int i = 0; i < 100; ++i) {
    outcomes.push_back(node.Propose(i % 10 == 5 ? "alone" : "common", {.alone = i % 10 == 5}));
  }
  std::map<LogIndex, std::vector<std::string>> entries;
  for (const auto& outcome : outcomes) {
    const auto applied = world.Wait(outcome);
    REQUIRE(applied.ok());
    entries[applied->index].push_back(applied->answer);
  }
  for (const auto& [index, answers] : entries) {
    for (const std::string& answer : answers) CHECK((answer != "alone!" || answers.size() == 1));
  }
  // Walk the calls: one that begins with a lone command has no other.
  const auto commands = node.machine().commands();
  size_t next = 0;
  for (const size_t size : node.machine().calls()) {
    for (size_t i = next; i < next + size; ++i) {
      CHECK((commands[i].bytes != "alone" || size == 1));
    }
    next += size;
  }
  CHECK(next == 100);
}

TEMPLATE_TEST_CASE("a barrier waits for what was proposed and answered before", "", ThreadWorld,
                   VirtualWorld) {
  TestType world;
  Node& node = StartAlone(world);
  REQUIRE(world.Propose(node, "before").ok());
  CHECK(world.Wait(node.Barrier()).ok());
  CHECK(node.machine().commands().size() == 1);
}

TEMPLATE_TEST_CASE("sizes are bounded, and what is refused is not applied", "", ThreadWorld,
                   VirtualWorld) {
  TestType world;
  world.options.max_entry_bytes = 64 << 10;
  world.options.max_batch_bytes = 32 << 10;
  world.options.max_unapplied_bytes = 256 << 10;
  Node& node = StartAlone(world);
  CHECK(world.Propose(node, std::string(65 << 10, 'x')).status().code() ==
        absl::StatusCode::kInvalidArgument);
  std::vector<ProposeOutcome> outcomes;
  for (int i = 0; i < 200; ++i) outcomes.push_back(node.Propose(std::string(60 << 10, 'x')));
  size_t applied = 0, refused = 0;
  for (const auto& outcome : outcomes) {
    const auto result = world.Wait(outcome);
    result.ok() ? ++applied : ++refused;
    if (!result.ok()) CHECK(result.status().code() == absl::StatusCode::kResourceExhausted);
  }
  CHECK(applied > 0);
  CHECK(refused > 0);
  CHECK(node.machine().commands().size() == applied);
  // All of it was given back.
  CHECK(world.Propose(node, std::string(60 << 10, 'x')).ok());
}

TEMPLATE_TEST_CASE("a node that crashed applies again what its state had not flushed", "",
                   ThreadWorld, VirtualWorld) {
  TestType world;
  Node& node = StartAlone(world);
  for (int i = 0; i < 20; ++i) REQUIRE(world.Propose(node, std::to_string(i)).ok());
  if (GENERATE(false, true)) REQUIRE(node.machine().Flush().ok());
  const auto before = node.machine().commands();
  const std::string cluster = node.cluster_id();
  world.Crash("a");
  Node& again = StartAlone(world);
  CHECK(world.Wait(again.Barrier()).ok());
  CHECK(again.machine().commands() == before);
  CHECK(again.cluster_id() == cluster);
  const auto applied = world.Propose(again, "after");
  REQUIRE(applied.ok());
  CHECK(applied->index > before.back().index);
}

TEMPLATE_TEST_CASE("a node has caught up only when it has applied what it had acknowledged", "",
                   ThreadWorld, VirtualWorld) {
  TestType world;
  Node& node = StartAlone(world);
  for (int i = 0; i < 20; ++i) REQUIRE(world.Propose(node, std::to_string(i)).ok());
  world.Crash("a");
  Node& again = StartAlone(world);
  // Whenever it says so, it is so; and it comes to say so.
  REQUIRE(world.Until([&] {
    const bool caught_up = again->status().caught_up;
    if (caught_up) CHECK(again.machine().commands().size() == 20);
    return caught_up;
  }));
}

TEMPLATE_TEST_CASE("a node whose disk fails stops, says why, and answers everybody", "",
                   ThreadWorld, VirtualWorld) {
  TestType world;
  Node& node = StartAlone(world);
  REQUIRE(world.Propose(node, "fine").ok());
  node.log().fail = true;
  const auto lost = world.Propose(node, "lost");
  CHECK(lost.status().code() == absl::StatusCode::kUnknown);
  CHECK_FALSE(node->HasLease());
  CHECK(node->status().failure.find("the disk failed") != std::string::npos);
  CHECK(node->status().role != Role::kLeader);
  CHECK(world.Propose(node, "later").status().code() == absl::StatusCode::kUnavailable);
  CHECK(world.Wait(node.Barrier()).code() == absl::StatusCode::kUnavailable);
  CHECK(world.Wait(node.Transfer(std::nullopt)).code() == absl::StatusCode::kUnavailable);
  REQUIRE(world.Until([&] { return node.machine().leading().size() == 2; }));
  CHECK_FALSE(node.machine().leading()[1].leader);
  CHECK(node.machine().commands().size() == 1);
}

TEMPLATE_TEST_CASE("a node whose state machine fails stops", "", ThreadWorld, VirtualWorld) {
  TestType world;
  Node& node = StartAlone(world);
  REQUIRE(world.Propose(node, "fine").ok());
  node.machine().FailApply();
  CHECK(world.Propose(node, "x").status().code() == absl::StatusCode::kUnknown);
  CHECK(node->status().failure.find("the tables are damaged") != std::string::npos);
  CHECK_FALSE(node->HasLease());
}

TEMPLATE_TEST_CASE("closing a node answers what is under way", "", ThreadWorld, VirtualWorld) {
  TestType world;
  Node& node = StartAlone(world);
  std::vector<ProposeOutcome> outcomes;
  for (int i = 0; i < 100; ++i) outcomes.push_back(node.Propose("x"));
  auto barrier = node.Barrier();
  node.Close();
  for (const auto& outcome : outcomes) {
    const auto result = world.Wait(outcome);
    const bool known =
        result.ok() || absl::IsUnknown(result.status()) || absl::IsUnavailable(result.status());
    CHECK(known);
  }
  const absl::Status read = world.Wait(barrier);
  CHECK((read.ok() || absl::IsUnavailable(read)));
}

TEMPLATE_TEST_CASE("the log is cut behind what the state has flushed", "", ThreadWorld,
                   VirtualWorld) {
  TestType world;
  Node& node = StartAlone(world);
  for (int i = 0; i < 40; ++i) REQUIRE(world.Propose(node, std::string(1 << 20, 'x')).ok());
  REQUIRE(world.Until([&] { return node->status().first_index > LogIndex(20); }));
  CHECK(node.machine().flushes() >= 1);
  CHECK(node->status().log_bytes < (size_t{30} << 20));
  const auto before = node.machine().commands().size();
  world.Crash("a");
  Node& again = StartAlone(world);
  CHECK(world.Wait(again.Barrier()).ok());
  CHECK(again.machine().commands().size() == before);
  CHECK(again->status().first_index > LogIndex(20));
}

TEST_CASE("what was applied is flushed within a minute") {
  VirtualWorld world;
  Node& node = StartAlone(world);
  REQUIRE(world.Propose(node, "x").ok());
  world.loop().RunUntil(world.loop().now() + absl::Seconds(59));
  CHECK(node.machine().flushes() == 0);
  world.loop().RunUntil(world.loop().now() + absl::Seconds(2));
  CHECK(node.machine().flushes() == 1);
  world.loop().RunUntil(world.loop().now() + absl::Hours(1));
  CHECK(node.machine().flushes() == 1);  // and not again for nothing
}

TEST_CASE("a state that is ahead of the log is refused") {
  VirtualWorld world;
  Node& node = StartAlone(world);
  REQUIRE(world.Propose(node, "x").ok());
  REQUIRE(node.machine().Flush().ok());
  world.Crash("a");
  Disk& disk = world.disk("a");
  disk.flushed_position.index = LogIndex(99);
  CHECK(world.Start("a").open_status().code() == absl::StatusCode::kDataLoss);
  disk.flushed_position = {LogIndex(2), Term(77)};
  CHECK(world.Start("a").open_status().code() == absl::StatusCode::kDataLoss);
}

TEST_CASE("data of another node is refused") {
  VirtualWorld world;
  StartAlone(world);
  world.Crash("a");
  Signal signal;
  VirtualLoop loop;
  auto runtime = loop.NewRuntime("b");
  Node::Parts parts;
  parts.options.node_id = NodeId("b");
  parts.runtime = runtime.get();
  parts.disk = &world.disk("a");
  parts.signal = &signal;
  Node node(std::move(parts));
  CHECK(node.open_status().code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("options name the field that is wrong") {
  RaftOptions options;
  CHECK(options.Validate().ok());
  options.node_id = NodeId("no blanks");
  CHECK(std::string(options.Validate().message()).find("node_id") != std::string::npos);
  options.node_id = NodeId("a");
  options.peers = {{NodeId("b"), "x"}};
  CHECK(std::string(options.Validate().message()).find("peers") != std::string::npos);
  options.peers.clear();
  options.max_entry_bytes = 5 << 20;
  CHECK(std::string(options.Validate().message()).find("max_entry_bytes") != std::string::npos);
  options.max_entry_bytes = 4 << 20;
  options.lease = absl::Milliseconds(299);
  CHECK_FALSE(options.Validate().ok());
}

}  // namespace
}  // namespace scheduled::testing
