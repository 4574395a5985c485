// The repair of a group that has lost its majority, on real directories: what is left goes on
// alone, with larger fencing tokens, and keeps what it had.
#include "scheduled/lost_quorum.h"

#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "scheduled/inproc_transport.h"
#include "scheduled/scheduler.h"

namespace scheduled {
namespace {

const std::map<NodeId, std::string> kPeers = {
    {NodeId("a"), "a"}, {NodeId("b"), "b"}, {NodeId("c"), "c"}};

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/scheduled-lost-quorum-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string Of(const std::string& node) const { return path_ + "/" + node; }

 private:
  std::string path_;
};

std::unique_ptr<Scheduler> Open(const Folder& folder, const std::string& name,
                                InprocNetwork* network, std::atomic<uint64_t>* token) {
  Options options{.data_dir = folder.Of(name), .node_id = NodeId(name)};
  if (network != nullptr) {
    options.peers = kPeers;
    options.transport = network->NewTransport();
  }
  auto opened = Scheduler::Open(std::move(options));
  REQUIRE(opened.ok());
  auto known = (*opened)->Register("note", CallbackExecutor([token](const RunContext& run) {
                                     *token = run.fencing_token.value;
                                     return absl::OkStatus();
                                   }));
  REQUIRE(known.ok());
  return *std::move(opened);
}

// Runs a job at once, and returns the fencing token that it ran with.
uint64_t TokenOfARun(Scheduler& scheduler, std::atomic<uint64_t>& token) {
  token = 0;
  const auto job = scheduler.Schedule(Job::In(absl::ZeroDuration()).Executor("note"));
  REQUIRE(job.ok());
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (token == 0 && absl::Now() < deadline) {
    REQUIRE(scheduler.Get(job->job.id).ok());
  }
  REQUIRE(token != 0);
  return token;
}

TEST_CASE("a node that is left of a lost majority is repaired, and goes on alone") {
  Folder folder;
  std::atomic<uint64_t> token{0};
  JobId kept;
  uint64_t before = 0;
  {
    InprocNetwork network;
    std::map<std::string, std::unique_ptr<Scheduler>> nodes;
    for (const char* name : {"a", "b", "c"}) nodes[name] = Open(folder, name, &network, &token);
    const auto job = nodes["a"]->Schedule(Job::In(absl::Hours(24)).Executor("note"));
    REQUIRE(job.ok());
    kept = job->job.id;
    before = TokenOfARun(*nodes["a"], token);
    // A read of the node that will be left, so that it has all that was acknowledged.
    REQUIRE(nodes["c"]->Get(kept).ok());
    CHECK(absl::IsFailedPrecondition(InspectStoppedNode(folder.Of("c")).status()));
  }
  std::filesystem::remove_all(folder.Of("a"));
  std::filesystem::remove_all(folder.Of("b"));

  const auto stopped = InspectStoppedNode(folder.Of("c"));
  REQUIRE(stopped.ok());
  CHECK(stopped->node_id == NodeId("c"));
  CHECK(stopped->members == std::vector<NodeId>{NodeId("a"), NodeId("b"), NodeId("c")});
  CHECK(stopped->epoch == 0);

  const auto repaired = RepairLostQuorum(folder.Of("c"));
  REQUIRE(repaired.ok());
  CHECK(repaired->members == std::vector<NodeId>{NodeId("c")});
  CHECK(repaired->term > stopped->term);
  CHECK(repaired->last_index > stopped->last_index);
  CHECK(repaired->epoch == 1);

  auto alone = Open(folder, "c", nullptr, &token);
  const auto info = alone->Get(kept);
  REQUIRE(info.ok());
  CHECK(info->job.id == kept);
  const uint64_t after = TokenOfARun(*alone, token);
  CHECK(after > before);
  CHECK(after >> 48 == 1);
  alone.reset();

  // Again, after it has run: the epoch rises again, and the node goes on.
  REQUIRE(RepairLostQuorum(folder.Of("c")).ok());
  alone = Open(folder, "c", nullptr, &token);
  CHECK(TokenOfARun(*alone, token) >> 48 == 2);
}

TEST_CASE("what is no directory of a member is not repaired, and not made") {
  Folder folder;
  CHECK(absl::IsNotFound(RepairLostQuorum(folder.Of("x")).status()));
  CHECK_FALSE(std::filesystem::exists(folder.Of("x")));
}

}  // namespace
}  // namespace scheduled
