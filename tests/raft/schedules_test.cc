// Random schedules: each seed draws which faults exist, lets them loose on a group under load, and
// checks the world after every event (safety). Then everything heals, and the group must converge
// and commit again (liveness). A failure prints its seed; RAFT_SEED runs that one alone.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "base/assert.h"
#include "base/sanitized.h"
#include "raft/cluster_harness.h"

namespace scheduled::raft {
namespace {

// Assertions become exceptions, so that a failing seed can be named.
class FailuresThrow {
 public:
  FailuresThrow() {
    SetAssertHandler([](const char* expression, const char* file, int line, std::string_view what) {
      throw std::logic_error(std::string(what) + " (" + expression + ") at " + file + ":" +
                             std::to_string(line));
    });
  }
  ~FailuresThrow() { SetAssertHandler(nullptr); }
};

// What can go wrong in one run.
struct Faults {
  bool crashes = false;
  bool partitions = false;
  bool one_way = false;
  bool pairs = false;  // two nodes cut off from each other alone
  bool noise = false;
  bool stalls = false;
  bool transfers = false;
  bool cuts = false;
  bool members = false;
};

WorldOptions DrawWorld(Random& random, uint64_t seed) {
  WorldOptions options;
  constexpr int kSizes[] = {1, 2, 3, 3, 3, 5, 5};
  options.nodes = kSizes[random.Uniform(std::size(kSizes))];
  options.seed = seed;
  options.drift = random.Chance(1, 2);
  if (random.Chance(1, 2)) {
    // Some begin outside, and may be taken in.
    options.founded.emplace();
    const uint64_t founders = 1 + random.Uniform(static_cast<uint64_t>(options.nodes));
    for (uint64_t i = 1; i <= founders; ++i) {
      options.founded->voters.push_back(Member{World::Name(static_cast<int>(i)), "", DiskId(i)});
    }
  }
  if (random.Chance(1, 3)) options.latency_max = absl::Milliseconds(20);
  if (random.Chance(1, 3)) options.sync_max = absl::Milliseconds(15);
  const bool tight = random.Chance(1, 2);
  const bool forgetful = random.Chance(1, 2);
  options.tune = [tight, forgetful](Options& each) {
    if (tight) {
      each.max_append_bytes = 100;
      each.max_append_entries = 3;
      each.max_inflight_bytes = 300;
      each.max_inflight_messages = 3;
    }
    if (forgetful) each.tail_bytes = 150;
  };
  return options;
}

class Schedule {
 public:
  explicit Schedule(uint64_t seed)
      : random_(seed * 2654435761u + 1), world_(DrawWorld(random_, seed)) {
    bool* all[] = {&faults_.crashes, &faults_.partitions, &faults_.one_way,
                   &faults_.noise,   &faults_.stalls,     &faults_.transfers,
                   &faults_.cuts,    &faults_.members,    &faults_.pairs};
    for (bool* each : all) *each = random_.Chance(1, 2);
    if (faults_.noise) {
      world_.SetNoise(static_cast<int>(random_.Uniform(100)),
                      static_cast<int>(random_.Uniform(100)),
                      static_cast<int>(random_.Uniform(50)));
    }
  }

  void Run() {
    const uint64_t steps = 100 + random_.Uniform(200);
    for (uint64_t i = 0; i < steps; ++i) {
      world_.Run(random_.Between(absl::ZeroDuration(),
                                 absl::Milliseconds(random_.Chance(1, 8) ? 200 : 15)));
      Load();
      if (random_.Chance(1, 6)) Hurt();
    }
    Converge();
  }

  World& world() { return world_; }

 private:
  int AnyNode() {
    return 1 + static_cast<int>(random_.Uniform(static_cast<uint64_t>(world_.size())));
  }

  void Load() {
    const int leader = world_.Leader();
    const int node = random_.Chance(7, 8) && leader != 0 ? leader : AnyNode();
    if (!world_.IsUp(node)) return;
    if (random_.Chance(2, 3)) {
      std::vector<std::string> commands;
      for (uint64_t n = 1 + random_.Uniform(6); n > 0; --n) {
        commands.push_back("c" + std::to_string(++commands_) +
                           std::string(random_.Uniform(20), '.'));
      }
      for (ProposalId id : world_.ProposeMany(node, commands)) {
        proposals_[id] = commands[proposals_.size() % commands.size()];
      }
    }
    if (random_.Chance(1, 3)) world_.Read(random_.Chance(1, 2) ? node : UpNode());
  }

  int UpNode() {
    for (;;) {
      const int node = AnyNode();
      if (world_.IsUp(node)) return node;
      if (random_.Chance(1, 20)) {
        world_.Restart(node);
        return node;
      }
    }
  }

  void Hurt() {
    const int node = AnyNode();
    switch (random_.Uniform(10)) {
      case 0:
        if (faults_.crashes) world_.Crash(node);
        break;
      case 1:
      case 2:
        if (!world_.IsUp(node)) world_.Restart(node);
        break;
      case 3:
        if (faults_.partitions) world_.Isolate(node);
        if (faults_.one_way) world_.CutLink(node, AnyNode());
        if (faults_.pairs) world_.Partition({node}, {AnyNode()});
        break;
      case 4:
        world_.Heal();
        break;
      case 5:
        if (!world_.IsUp(node)) break;
        if (faults_.stalls && random_.Chance(1, 2)) {
          world_.StallDisk(node);
        } else {
          world_.ResumeDisk(node);
        }
        break;
      case 6:
        if (faults_.transfers && world_.IsUp(node)) {
          world_.Transfer(node, random_.Chance(1, 2) ? 0 : AnyNode());
        }
        break;
      case 7:
        if (faults_.cuts && world_.IsUp(node)) {
          const LogIndex last = world_.core(node).last();
          world_.Cut(node, LogIndex(random_.Uniform(last.value + 1)));
        }
        break;
      case 8:
      case 9:
        if (faults_.members && world_.Leader() != 0) ChangeMembers();
        break;
    }
  }

  void ChangeMembers() {
    std::vector<MemberChange> changes;
    for (uint64_t n = 1 + random_.Uniform(3); n > 0; --n) {
      const int node = AnyNode();
      changes.push_back(
          MemberChange{static_cast<MemberChangeKind>(random_.Uniform(4)),
                       Member{World::Name(node), "", DiskId(static_cast<uint64_t>(node))},
                       random_.Chance(1, 2) ? World::Name(AnyNode()) : NodeId()});
    }
    world_.Change(world_.Leader(), std::move(changes));
  }

  bool IsMember(int node) {
    const int leader = world_.Leader();
    return leader == 0 || world_.core(leader).status().configuration.IsMember(World::Name(node));
  }

  int AnyMember() {
    for (;;) {
      const int node = AnyNode();
      if (IsMember(node)) return node;
    }
  }

  // One leads that may stay; no change of members is under way, and everybody has all.
  bool IsCalm() {
    const int leader = world_.Leader();
    if (leader == 0) return false;
    const Status status = world_.core(leader).status();
    if (status.commit != status.last || status.applied != status.last || status.transferring) {
      return false;
    }
    if (status.configuration.IsJoint() || !status.configuration.IsVoter(World::Name(leader))) {
      return false;
    }
    for (const Learner& learner : status.configuration.learners) {
      if (learner.promote) return false;
    }
    for (const PeerStatus& peer : status.peers) {
      if (peer.state != PeerState::kReplicate || peer.match != status.last) return false;
      if (peer.inflight_messages != 0) return false;
    }
    return true;
  }

  // A run may draw small windows on a slow network: then catching up takes its time.
  void AwaitCalm() {
    world_.AwaitLeader(absl::Seconds(10));
    if (!world_.RunUntil([this] { return IsCalm(); }, absl::Seconds(60))) {
      throw std::logic_error("the group does not come to rest");
    }
  }

  void Converge() {
    world_.Heal();
    world_.SetNoise(0, 0, 0);
    for (int node = 1; node <= world_.size(); ++node) {
      if (world_.IsUp(node)) {
        world_.ResumeDisk(node);
      } else {
        world_.Restart(node);
      }
    }
    AwaitCalm();
    const int settled = world_.Leader();
    if (!world_.Commit(settled, "last")) throw std::logic_error("nothing is committed any more");
    AwaitCalm();
    if (world_.Leader() != settled) throw std::logic_error("a calm group changes its leader");
    const LogIndex commit = world_.core(settled).commit();
    const bool all = world_.RunUntil([&] {
      for (int node = 1; node <= world_.size(); ++node) {
        if (IsMember(node) && world_.applied(node).size() < commit.value) return false;
      }
      return true;
    });
    if (!all) throw std::logic_error("not every member has applied all");
    const ReadId read = world_.Read(random_.Chance(1, 2) ? settled : AnyMember());
    world_.Run(absl::Milliseconds(100));
    if (!world_.read_index(read)) throw std::logic_error("a read is not answered in a calm group");
    for (int node = 1; node <= world_.size(); ++node) {
      if (IsMember(node) && world_.AppliedCommands(node) != world_.AppliedCommands(settled)) {
        throw std::logic_error("logs differ");
      }
    }
    const Status status = world_.core(settled).status();
    if (status.unapplied_bytes != 0) throw std::logic_error("bytes are held at quiescence");
  }

  Random random_;
  World world_;
  Faults faults_;
  uint64_t commands_ = 0;
  std::map<ProposalId, std::string> proposals_;
};

std::string RunSeed(uint64_t seed) {
  FailuresThrow guard;
  std::unique_ptr<Schedule> schedule;
  try {
    schedule = std::make_unique<Schedule>(seed);
    schedule->Run();
    return "";
  } catch (const std::exception& failure) {
    return "seed " + std::to_string(seed) + ": " + failure.what() + "\n" +
           (schedule ? schedule->world().Describe() : "");
  }
}

TEST_CASE("random schedules are safe, and converge once faults end") {
  uint64_t first = 1;
  uint64_t count = testing::kSanitized ? 150 : 500;
  if (const char* one = std::getenv("RAFT_SEED")) {
    first = std::strtoull(one, nullptr, 10);
    count = 1;
  }
  if (const char* many = std::getenv("RAFT_SEEDS")) count = std::strtoull(many, nullptr, 10);
  int failures = 0;
  for (uint64_t seed = first; seed < first + count && failures < 5; ++seed) {
    const std::string failure = RunSeed(seed);
    if (!failure.empty()) {
      ++failures;
      UNSCOPED_INFO(failure);
    }
  }
  CHECK(failures == 0);
}

}  // namespace
}  // namespace scheduled::raft
