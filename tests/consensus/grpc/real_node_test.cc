// RaftNode as a host program opens it: threads, RocksDB in a directory, peers over gRPC on
// loopback.
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <vector>

#include "scheduled/grpc_transport.h"
#include "scheduled/raft_node.h"
#include "transport/grpc/free_address.h"

namespace scheduled {
namespace {

using std::chrono::steady_clock;

class TempDir {
 public:
  TempDir() {
    path_ = std::filesystem::temp_directory_path() / "scheduled-consensus-XXXXXX";
    REQUIRE(mkdtemp(path_.data()) != nullptr);
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

using testing::FreeAddress;

// What the test waits for changes under this lock.
std::mutex mutex;
std::condition_variable changed;

template <typename F>
bool Until(F condition) {
  std::unique_lock lock(mutex);
  const auto deadline = steady_clock::now() + std::chrono::minutes(2);
  while (!condition()) {
    if (changed.wait_for(lock, std::chrono::milliseconds(10)) == std::cv_status::timeout &&
        steady_clock::now() > deadline) {
      return false;
    }
  }
  return true;
}

// Keeps commands in memory alone: after a restart all come again from the log.
class Machine : public StateMachine {
 public:
  explicit Machine(std::vector<std::string>* commands) : commands_(*commands) {}
  absl::StatusOr<std::vector<std::string>> Apply(std::span<const Command> commands,
                                                 AppliedPosition through) override {
    std::lock_guard lock(mutex);
    std::vector<std::string> answers;
    for (const Command& command : commands) {
      commands_.emplace_back(command.bytes);
      answers.emplace_back(command.bytes);
    }
    applied_ = through;
    changed.notify_all();
    return answers;
  }
  AppliedPosition applied() const override { return applied_; }
  absl::StatusOr<LogIndex> Durable() const override { return LogIndex(); }
  absl::Status Flush() override { return absl::OkStatus(); }
  absl::Status Checkpoint(const std::string&) override { return absl::UnimplementedError(""); }
  absl::Status Install(const std::string&, AppliedPosition) override {
    return absl::UnimplementedError("");
  }

 private:
  std::vector<std::string>& commands_;
  AppliedPosition applied_;
};

struct Member {
  std::vector<std::string> commands;  // guarded by mutex
  std::unique_ptr<RaftNode> node;
};

absl::Status Open(Member& member, const std::string& name, const std::string& dir,
                  const std::map<NodeId, std::string>& peers = {}) {
  member.commands.clear();
  RaftOptions options;
  options.node_id = NodeId(name);
  options.data_dir = dir;
  options.peers = peers;
  // A leader that gets no processor for a while on a busy machine still leads.
  options.election_timeout = absl::Milliseconds(1500);
  options.lease = absl::Milliseconds(1200);
  std::unique_ptr<Transport> transport;
  if (!peers.empty()) {
    transport = GrpcTransport({.listen_address = peers.at(NodeId(name))});
  }
  auto node =
      RaftNode::Open(options, std::make_unique<Machine>(&member.commands), std::move(transport));
  if (node.ok()) member.node = *std::move(node);
  return node.status();
}

absl::StatusOr<Applied> Propose(RaftNode& node, std::string command) {
  std::optional<absl::StatusOr<Applied>> outcome;
  node.Propose(std::move(command), [&](absl::StatusOr<Applied> applied) {
    std::lock_guard lock(mutex);
    outcome = std::move(applied);
    changed.notify_all();
  });
  REQUIRE(Until([&] { return outcome.has_value(); }));
  return *outcome;
}

TEST_CASE("a node alone keeps what it answered across a restart") {
  TempDir dir;
  Member member;
  REQUIRE(Open(member, "a", dir / "a") == absl::OkStatus());
  REQUIRE(Until([&] { return member.node->HasLease(); }));
  for (int i = 0; i < 100; ++i) REQUIRE(Propose(*member.node, std::to_string(i)).ok());
  member.node.reset();
  REQUIRE(Open(member, "a", dir / "a") == absl::OkStatus());
  REQUIRE(Until([&] { return member.commands.size() == 100; }));
  CHECK(member.commands[99] == "99");
  // The directory is in use.
  Member twin;
  CHECK(Open(twin, "a", dir / "a").code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("completions that wait when a node is closed are run") {
  TempDir dir;
  Member member;
  REQUIRE(Open(member, "a", dir / "a") == absl::OkStatus());
  REQUIRE(Until([&] { return member.node->HasLease(); }));
  std::atomic<int> answered{0};
  for (int i = 0; i < 1000; ++i) {
    member.node->Propose("x", [&](absl::StatusOr<Applied>) { ++answered; });
  }
  member.node.reset();
  CHECK(answered == 1000);
}

TEST_CASE("three nodes over gRPC replicate, replace their leader and catch up") {
  TempDir dir;
  const std::vector<std::string> names = {"a", "b", "c"};
  std::map<NodeId, std::string> peers;
  for (const std::string& name : names) peers[NodeId(name)] = FreeAddress();
  std::map<std::string, Member> members;
  for (const std::string& name : names) {
    REQUIRE(Open(members[name], name, dir / name, peers) == absl::OkStatus());
  }
  const auto leader = [&]() -> Member* {
    for (auto& [name, member] : members) {
      if (member.node != nullptr && member.node->HasLease()) return &member;
    }
    return nullptr;
  };
  // By whoever leads: where the machine is slow, or its disk, that may change in between.
  const auto replicate = [&](const std::string& command) {
    for (int i = 0; i < 100; ++i) {
      if (!Until([&] { return leader() != nullptr; })) return false;
      Member* const leads = leader();
      if (leads != nullptr && Propose(*leads->node, command).ok()) return true;
    }
    return false;
  };
  // What was not acknowledged may be there all the same, and then twice.
  const auto all_have = [&](const std::string& last) {
    return Until([&] {
      const std::vector<std::string>* common = nullptr;
      for (const auto& [name, member] : members) {
        if (member.node == nullptr) continue;
        if (common == nullptr) common = &member.commands;
        if (member.commands.empty() || member.commands.back() != last) return false;
        if (member.commands != *common) return false;
      }
      return true;
    });
  };
  for (int i = 0; i < 200; ++i) REQUIRE(replicate(std::to_string(i)));
  const std::string large(3 << 20, 'x');
  REQUIRE(replicate(large));
  REQUIRE(all_have(large));

  REQUIRE(Until([&] { return leader() != nullptr; }));
  Member* const first = leader();
  REQUIRE(first != nullptr);
  const std::string gone = first->node->status().node_id.value;
  first->node.reset();
  REQUIRE(replicate("after"));
  REQUIRE(Open(members[gone], gone, dir / gone, peers) == absl::OkStatus());
  REQUIRE(all_have("after"));
  CHECK(members["a"].commands.size() >= 202);
}

TEST_CASE("a transport address in use is told by Open") {
  TempDir dir;
  const std::map<NodeId, std::string> peers = {{NodeId("a"), FreeAddress()},
                                               {NodeId("b"), FreeAddress()}};
  auto other = GrpcTransport({.listen_address = peers.at(NodeId("a"))});
  REQUIRE(other->Start({.node = NodeId("x")}, [](auto&&...) {}).ok());
  Member member;
  CHECK(Open(member, "a", dir / "a", peers).code() == absl::StatusCode::kUnavailable);
}

// --- Figures: run with [bench] -------------------------------------------------------------------

double CommandsPerSecond(RaftNode& node, int callers, std::chrono::milliseconds duration) {
  std::atomic<int> running{callers};
  std::atomic<uint64_t> count{0};
  const auto end = steady_clock::now() + duration;
  std::function<void()> propose = [&] {
    node.Propose(std::string(300, 'x'), [&](absl::StatusOr<Applied> applied) {
      if (applied.ok()) ++count;
      if (steady_clock::now() < end) {
        propose();
      } else {
        --running;
        changed.notify_all();
      }
    });
  };
  const auto begin = steady_clock::now();
  for (int i = 0; i < callers; ++i) propose();
  REQUIRE(Until([&] { return running == 0; }));
  return count / std::chrono::duration<double>(steady_clock::now() - begin).count();
}

// Counts alone, so that the figure is the log's and not the test's.
class CountingMachine : public StateMachine {
 public:
  absl::StatusOr<std::vector<std::string>> Apply(std::span<const Command> commands,
                                                 AppliedPosition through) override {
    applied_ = through;
    return std::vector<std::string>(commands.size());
  }
  AppliedPosition applied() const override { return applied_; }
  absl::StatusOr<LogIndex> Durable() const override { return durable_; }
  absl::Status Flush() override {
    durable_ = applied_.index;
    return absl::OkStatus();
  }
  absl::Status Checkpoint(const std::string&) override { return absl::UnimplementedError(""); }
  absl::Status Install(const std::string&, AppliedPosition) override {
    return absl::UnimplementedError("");
  }

 private:
  AppliedPosition applied_;
  LogIndex durable_;
};

TEST_CASE("figures of a node alone", "[.][bench]") {
  TempDir dir;
  RaftOptions options;
  options.node_id = NodeId("a");
  options.data_dir = dir / "a";
  auto node = RaftNode::Open(options, std::make_unique<CountingMachine>(), nullptr);
  REQUIRE(node.ok());
  REQUIRE(Until([&] { return (*node)->HasLease(); }));
  for (const int callers : {1, 16, 64, 256, 1024}) {
    const uint64_t before = (*node)->status().last_index.value;
    const double rate = CommandsPerSecond(**node, callers, std::chrono::seconds(2));
    const uint64_t entries = (*node)->status().last_index.value - before;
    WARN(callers << " callers: " << static_cast<int>(rate) << " commands/s, "
                 << static_cast<int>(entries / 2.0) << " entries/s");
  }
}

TEST_CASE("figures of three nodes", "[.][bench]") {
  TempDir dir;
  const std::vector<std::string> names = {"a", "b", "c"};
  std::map<NodeId, std::string> peers;
  for (const std::string& name : names) peers[NodeId(name)] = FreeAddress();
  std::vector<std::unique_ptr<RaftNode>> nodes;
  for (const std::string& name : names) {
    RaftOptions options;
    options.node_id = NodeId(name);
    options.data_dir = dir / name;
    options.peers = peers;
    auto node = RaftNode::Open(options, std::make_unique<CountingMachine>(),
                               GrpcTransport({.listen_address = peers.at(NodeId(name))}));
    REQUIRE(node.ok());
    nodes.push_back(*std::move(node));
  }
  RaftNode* leader = nullptr;
  REQUIRE(Until([&] {
    for (const auto& node : nodes) {
      if (node->HasLease()) leader = node.get();
    }
    return leader != nullptr;
  }));
  for (const int callers : {1, 64, 1024}) {
    WARN(callers << " callers: "
                 << static_cast<int>(CommandsPerSecond(*leader, callers, std::chrono::seconds(2)))
                 << " commands/s");
  }
}

}  // namespace
}  // namespace scheduled
