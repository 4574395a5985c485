// The orderly end of a node: nothing new is claimed, what runs ends or is handed back, leadership
// goes to whoever is most caught up, and every call gets its answer. See node.h.
#include <atomic>

#include "base/assert.h"
#include "scheduler/node.h"

namespace scheduled {
namespace {

// For what is handed back to get into the log, and for another node to take over. Without them the
// group does the same by itself, some seconds later.
constexpr absl::Duration kHandBackPatience = absl::Seconds(2);
constexpr absl::Duration kTransferPatience = absl::Seconds(1);
// Of a host whose completions call again, each time they are told that the node is closed.
constexpr int kFinishRounds = 64;

}  // namespace

void Node::RunOn(Lane& lane, std::function<void()> work) {
  auto done = std::make_shared<std::atomic<bool>>(false);
  lane.Post([this, done, work = std::move(work)] {
    work();
    *done = true;
    runtime_->Wake();
  });
  runtime_->Await([done] { return done->load(); });
}

// The condition is looked at on the dispatch lane, once and after each thing there that may have
// changed it. A virtual loop gives up where nothing but the passing of time could change it.
bool Node::WaitFor(absl::Duration patience, std::function<bool()> condition) {
  struct State {
    std::atomic<bool> met{false};
    std::atomic<bool> expired{false};
  };
  auto state = std::make_shared<State>();
  const TimerId timer = dispatch_->PostAt(runtime_->clock().MonoNow() + patience, [this, state] {
    state->expired = true;
    runtime_->Wake();
  });
  RunOnDispatch([this, state, condition = std::move(condition)] {
    close_progress_ = [this, state, condition] {
      if (state->met || !condition()) return;
      state->met = true;
      runtime_->Wake();
    };
    close_progress_();
  });
  runtime_->Await([state] { return state->met || state->expired; });
  RunOnDispatch([this] { close_progress_ = nullptr; });
  dispatch_->Cancel(timer);
  return state->met;
}

void Node::Close(absl::Duration patience) {
  if (std::exchange(closed_, true)) return;
  RunOnDispatch([this] {
    draining_ = true;
    worker_->BeginDrain();
    if (leader_ != nullptr) leader_->dispatcher().Drain();
  });
  const auto drained = [this] {
    return worker_->IsQuiet() && (leader_ == nullptr || leader_->dispatcher().IsDrained());
  };
  // Of a node that has failed no end of a run is recorded any more: there is nothing to wait for.
  const bool failed = !status().failure.empty();
  if (!WaitFor(failed ? absl::ZeroDuration() : patience, drained)) {
    log_.Warn("handing back what still runs", {{"runs", worker_->running()}});
    RunOnDispatch([this] { worker_->HandBack(); });
    WaitFor(failed ? absl::ZeroDuration() : kHandBackPatience, drained);
  }
  worker_->DrainExecutors();
  if (!options_.alone() && raft_->HasLease()) {
    auto handed_over = std::make_shared<std::atomic<bool>>(false);
    raft_->Transfer(std::nullopt, [this, handed_over](const absl::Status& status) {
      log_.Info("handed leadership over", {{"outcome", status.ToString()}});
      *handed_over = true;
      OnCloseProgress();
    });
    WaitFor(kTransferPatience, [handed_over] { return handed_over->load(); });
  }
  RunOnDispatch([this] {
    StopUsingRaft();
    calls_->Close();
    forwarding_->Close();
    RetryBarriers();
    worker_->SetLeader(NodeId(), Term());
    if (leader_ != nullptr) EndTerm();
  });
  // Completes on the dispatch lane what is still under way in Raft.
  raft_.reset();
  FinishCalls();
}

// A call ends in steps: Raft's completion on the dispatch lane, the reply to it behind it there,
// the host's completion, and for some a read in between, or another call that the first one's
// answer leads to. Runs them until a round has begun none.
void Node::FinishCalls() {
  for (int round = 0; round < kFinishRounds; ++round) {
    const uint64_t before = begun_;
    RunOn(*read_, [] {});
    RunOnDispatch([] {});
    RunOnDispatch([] {});
    RunOn(*completions_, [] {});
    if (begun_ == before) return;
  }
}

}  // namespace scheduled
