// Once everything is warm the core allocates nothing, whatever it replicates. Three cores hand each
// other batches of 64 entries; what they ask for inside of Step and Drain is counted. Time is the
// bench's (scheduled_bench raft-core).
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory>
#include <new>

#include "raft/core.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<uint64_t> allocations{0};

void* Allocate(size_t size) {
  if (counting.load(std::memory_order_relaxed)) {
    allocations.fetch_add(1, std::memory_order_relaxed);
  }
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(size_t size) { return Allocate(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace scheduled::raft {
namespace {

constexpr size_t kBatch = 64;

// Three cores without network, disk or clock: messages and writes go through at once.
class Trio {
 public:
  Trio() {
    Configuration founded;
    for (const char* name : {"a", "b", "c"}) {
      founded.voters.push_back(Member{NodeId(name), "", DiskId()});
    }
    for (const Member& member : founded.voters) {
      Options options;
      options.self = member.id;
      options.seed = cores_.size();
      Recovered recovered;
      recovered.configurations = {{LogIndex(), founded}};
      cores_.push_back(std::make_unique<Core>(options, recovered, now_));
    }
    while (cores_[0]->role() != Role::kLeader) {
      now_ = now_ + absl::Milliseconds(1);
      for (auto& core : cores_) core->Step(now_, Deadline{});
      Settle();
      if (cores_[1]->role() == Role::kLeader || cores_[2]->role() == Role::kLeader) {
        Core& other = *cores_[cores_[1]->role() == Role::kLeader ? 1 : 2];
        other.Step(now_, TransferTo{TransferId(1), NodeId("a")});
        Settle();
      }
    }
  }

  void Replicate(std::vector<Proposal> batch) {
    Step(*cores_[0], Propose{std::move(batch)});
    Settle();
  }
  Core& leader() { return *cores_[0]; }

 private:
  void Step(Core& core, Event event) {
    counting = true;
    core.Step(now_, std::move(event));
    counting = false;
  }
  Effects& Drain(Core& core) {
    counting = true;
    Effects& effects = core.Drain();
    counting = false;
    return effects;
  }

  // The host that encodes in place: it moves nothing out of the effects. A write is done at once,
  // so what waits for it leaves at once.
  void Settle() {
    for (bool busy = true; busy;) {
      busy = false;
      for (auto& core : cores_) {
        const Effects& effects = Drain(*core);
        busy = busy || !effects.empty();
        for (const Send& send : effects.sends) {
          Step(*cores_[static_cast<size_t>(send.message.to.value[0] - 'a')], send.message);
        }
        const auto apply = effects.apply;
        if (effects.persist) Step(*core, PersistDone{effects.persist->io_seq});
        if (apply) Step(*core, ApplyDone{apply->to});
      }
    }
  }

  MonoTime now_{1};
  std::vector<std::unique_ptr<Core>> cores_;
};

std::vector<Proposal> Batch(const SharedBuffer& bytes) {
  return std::vector<Proposal>(kBatch, Proposal{ProposalId(1), bytes});
}

TEST_CASE("nothing is allocated in the steady state") {
  Trio trio;
  const SharedBuffer bytes(std::string(256, 'x'));
  // Enough to fill every ring: the tail keeps 32 MiB.
  for (int i = 0; i < 2500; ++i) trio.Replicate(Batch(bytes));
  allocations = 0;
  for (int i = 0; i < 100; ++i) trio.Replicate(Batch(bytes));
  CHECK(allocations == 0);
  CHECK(trio.leader().commit() ==
        LogIndex(2600 * kBatch + trio.leader().status().term_start.value));
}

}  // namespace
}  // namespace scheduled::raft
