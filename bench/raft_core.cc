// What the Raft core itself costs in the steady state: a leader and two followers hand each other
// batches of entries without network, disk or lanes, and only the time and the allocations inside
// of Core::Step and Core::Drain count. Messages are copied between the cores, as decoding would.
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "allocations.h"
#include "benches.h"
#include "fmt/format.h"
#include "raft/core.h"

namespace scheduled::bench {
namespace {

using raft::Core;
using raft::Effects;

struct Cost {
  int64_t nanos = 0;
  uint64_t allocations = 0;
};

class Replica {
 public:
  Replica(raft::Options options, raft::Recovered recovered, MonoTime now)
      : core_(std::move(options), std::move(recovered), now) {}

  void Step(MonoTime now, raft::Event event) {
    const Meter meter(cost_);
    core_.Step(now, std::move(event));
  }
  Effects& Drain() {
    const Meter meter(cost_);
    return core_.Drain();
  }
  const Core& core() const { return core_; }
  Cost TakeCost() { return std::exchange(cost_, Cost()); }

 private:
  class Meter {
   public:
    explicit Meter(Cost& cost)
        : cost_(cost),
          allocations_(AllocationsOfThisThread()),
          begun_(std::chrono::steady_clock::now()) {}
    ~Meter() {
      const auto spent = std::chrono::steady_clock::now() - begun_;
      cost_.nanos += std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count();
      cost_.allocations += AllocationsOfThisThread() - allocations_;
    }

   private:
    Cost& cost_;
    uint64_t allocations_;
    std::chrono::steady_clock::time_point begun_;
  };

  Core core_;
  Cost cost_;
};

class CoreGroup {
 public:
  CoreGroup() {
    raft::Configuration founded;
    for (const char* name : {"node-1", "node-2", "node-3"}) {
      founded.voters.push_back(raft::Member{NodeId(name), "", raft::DiskId()});
    }
    for (const raft::Member& member : founded.voters) {
      raft::Options options;
      options.self = member.id;
      options.seed = replicas_.size();
      raft::Recovered recovered;
      recovered.configurations = {{LogIndex(), founded}};
      replicas_.push_back(std::make_unique<Replica>(options, recovered, now_));
    }
    // The first one's deadline is made to come first.
    now_ = now_ + absl::Seconds(1);
    while (leader().core().role() != raft::Role::kLeader) {
      now_ = now_ + absl::Seconds(1);
      leader().Step(now_, raft::Deadline{});
      Settle();
    }
  }

  void Replicate(std::vector<raft::Proposal> batch) {
    leader().Step(now_, raft::Propose{std::move(batch)});
    Settle();
  }
  Replica& leader() { return *replicas_[0]; }
  Replica& follower() { return *replicas_[1]; }

 private:
  void Settle() {
    for (bool busy = true; busy;) {
      busy = false;
      for (auto& replica : replicas_) busy = Carry(*replica) || busy;
    }
  }

  // Does what one replica wants done; a write is done at once, so what waits for it leaves at once.
  bool Carry(Replica& replica) {
    const Effects& effects = replica.Drain();
    if (effects.empty()) return false;
    for (const raft::Send& send : effects.sends) {
      replicas_[static_cast<size_t>(send.message.to.value.back() - '1')]->Step(now_, send.message);
    }
    const auto applied = effects.apply;
    if (effects.persist) replica.Step(now_, raft::PersistDone{effects.persist->io_seq});
    if (applied) replica.Step(now_, raft::ApplyDone{applied->to});
    return true;
  }

  MonoTime now_{1};
  std::vector<std::unique_ptr<Replica>> replicas_;
};

}  // namespace

Report RaftCore(const RaftCoreOptions& options) {
  CoreGroup group;
  const SharedBuffer bytes(std::string(static_cast<size_t>(options.payload), 'x'));
  const auto batch = [&] {
    return std::vector<raft::Proposal>(static_cast<size_t>(options.batch),
                                       raft::Proposal{raft::ProposalId(1), bytes});
  };
  // Until every ring is as large as it gets: the tail keeps 32 MiB.
  const uint64_t warm = (uint64_t{48} << 20) / static_cast<uint64_t>(options.payload + 32);
  for (uint64_t done = 0; done < warm; done += static_cast<uint64_t>(options.batch)) {
    group.Replicate(batch());
  }
  group.leader().TakeCost();
  group.follower().TakeCost();
  uint64_t entries = 0;
  while (entries < options.entries) {
    group.Replicate(batch());
    entries += static_cast<uint64_t>(options.batch);
  }
  const Cost leader = group.leader().TakeCost();
  const Cost follower = group.follower().TakeCost();
  const auto each = [&](double what) { return what / static_cast<double>(entries); };
  Report report(fmt::format("raft-core: 3 replicas, batches of {}, {} entries of {} bytes",
                            options.batch, entries, options.payload));
  report.Add("leader", each(static_cast<double>(leader.nanos)), "ns/entry");
  report.Add("leader allocations", each(static_cast<double>(leader.allocations)), "/entry");
  report.Add("follower", each(static_cast<double>(follower.nanos)), "ns/entry");
  report.Add("follower allocations", each(static_cast<double>(follower.allocations)), "/entry");
  return report;
}

}  // namespace scheduled::bench
