// What replicating costs once everything is warm: allocations for each entry, and in a build for
// measuring, time. Three cores hand each other batches of 64 entries.
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
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
    cores_[0]->Step(now_, Propose{std::move(batch)});
    Settle();
  }
  Core& leader() { return *cores_[0]; }

 private:
  void Settle() {
    bool busy = true;
    while (busy) {
      busy = false;
      for (auto& core : cores_) {
        Effects& effects = core->Drain();
        busy = busy || !effects.empty();
        // The sends wait for the write, which is done at once.
        if (effects.persist) done_ = effects.persist->io_seq;
        const bool persisted = effects.persist.has_value();
        const auto apply = effects.apply;
        sends_.clear();
        std::swap(sends_, effects.sends);
        for (Send& send : sends_) {
          const size_t to = static_cast<size_t>(send.message.to.value[0] - 'a');
          cores_[to]->Step(now_, std::move(send.message));
        }
        if (persisted) core->Step(now_, PersistDone{done_});
        if (apply) core->Step(now_, ApplyDone{apply->to});
      }
    }
  }

  MonoTime now_{1};
  IoSeq done_;
  std::vector<std::unique_ptr<Core>> cores_;
  std::vector<Send> sends_;
};

std::vector<Proposal> Batch(const SharedBuffer& bytes) {
  return std::vector<Proposal>(kBatch, Proposal{ProposalId(1), bytes});
}

TEST_CASE("nothing is allocated for an entry in the steady state") {
  Trio trio;
  const SharedBuffer bytes(std::string(256, 'x'));
  // Enough to fill every ring: the tail keeps 32 MiB.
  for (int i = 0; i < 2500; ++i) trio.Replicate(Batch(bytes));
  std::vector<std::vector<Proposal>> batches;
  for (int i = 0; i < 100; ++i) batches.push_back(Batch(bytes));
  allocations = 0;
  counting = true;
  for (auto& batch : batches) trio.Replicate(std::move(batch));
  counting = false;
  const double each = static_cast<double>(allocations.load()) / (100 * kBatch);
  INFO(each << " allocations for each entry, of all three replicas");
  // What there is belongs to messages and writes, which carry 64 entries each.
  CHECK(each < 0.75);
  CHECK(trio.leader().commit() ==
        LogIndex(2600 * kBatch + trio.leader().status().term_start.value));
}

TEST_CASE("time for each replicated entry", "[.speed]") {
  Trio trio;
  const SharedBuffer bytes(std::string(256, 'x'));
  for (int i = 0; i < 2500; ++i) trio.Replicate(Batch(bytes));
  std::vector<std::vector<Proposal>> batches;
  constexpr int kBatches = 20000;
  for (int i = 0; i < kBatches; ++i) batches.push_back(Batch(bytes));
  const auto begin = std::chrono::steady_clock::now();
  for (auto& batch : batches) trio.Replicate(std::move(batch));
  const auto end = std::chrono::steady_clock::now();
  const double nanos =
      static_cast<double>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(end - begin).count()) /
      (kBatches * kBatch);
  WARN(nanos << " ns for each entry, on all three replicas together");
  CHECK(nanos < 2000);
}

}  // namespace
}  // namespace scheduled::raft
