// What may happen next in the world of two nodes, what a fair schedule does, and whether that comes
// to an end. See dispatch_world.h.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "explore/dispatch_world.h"
#include "explore/finding.h"

namespace scheduled::explore {
namespace {

Step MakeStep(StepKind kind, int node, size_t which = 0) {
  return {kind, static_cast<uint8_t>(node), static_cast<uint8_t>(which)};
}

}  // namespace

// --- All that may happen -------------------------------------------------------------------------

void DispatchWorld::AddFaults(std::vector<Step>* steps) const {
  const bool may_fail = IsBudgetLeft(faults_, set_.limits.faults);
  for (size_t i = 0; i < frames_.size(); ++i) {
    const int to = frames_[i].to;
    if (IsUp(to)) steps->push_back(MakeStep(StepKind::kDeliver, to, i));
    if (!may_fail) continue;
    if (IsUp(to)) steps->push_back(MakeStep(StepKind::kDouble, to, i));
    steps->push_back(MakeStep(StepKind::kLose, to, i));
  }
  if (cut_for_ == 0 && IsBudgetLeft(cuts_, set_.limits.cuts)) {
    steps->push_back(MakeStep(StepKind::kCut, 0));
  }
}

void DispatchWorld::AddOfNode(int node, std::vector<Step>* steps) const {
  if (!IsUp(node)) return steps->push_back(MakeStep(StepKind::kRestart, node));
  if (log_.HasNews(node)) steps->push_back(MakeStep(StepKind::kHear, node));
  if (IsBudgetLeft(crashes_, set_.limits.crashes)) {
    steps->push_back(MakeStep(StepKind::kCrash, node));
  }
  if (log_.leader() == node || !IsBudgetLeft(elections_, set_.limits.elections)) return;
  for (size_t n = 0; n <= log_.pending(); ++n) {
    steps->push_back(MakeStep(StepKind::kElect, node, n));
  }
}

std::vector<Step> DispatchWorld::Steps() const {
  std::vector<Step> steps;
  AddFaults(&steps);
  if (log_.CanCommit()) steps.push_back(MakeStep(StepKind::kCommit, log_.leader()));
  for (size_t i = 0; i < running_.size(); ++i) {
    steps.push_back(MakeStep(StepKind::kFinish, running_[i].node, i));
    if (!running_[i].run->cancelled() && IsBudgetLeft(failures_, set_.limits.failures)) {
      steps.push_back(MakeStep(StepKind::kFail, running_[i].node, i));
    }
  }
  if (seconds_ < set_.limits.seconds) steps.push_back(MakeStep(StepKind::kSecond, 0));
  for (int node = 0; node < kPair; ++node) AddOfNode(node, &steps);
  // A client makes one call after the other.
  const auto next =
      std::find_if(calls_.begin(), calls_.end(), [](const Call& c) { return !c.sent; });
  for (int node = 0; next != calls_.end() && !IsCallOpen() && node < kPair; ++node) {
    if (!IsUp(node)) continue;
    steps.push_back(MakeStep(StepKind::kClient, node, static_cast<size_t>(next - calls_.begin())));
  }
  return steps;
}

// --- The schedule --------------------------------------------------------------------------------

// Who is elected where nobody leads: whoever is up.
int DispatchWorld::ToElect() const {
  if (log_.leader() >= 0) return -1;
  return IsUp(0) ? 0 : IsUp(1) ? 1 : -1;
}

Step DispatchWorld::NextOfSchedule() const {
  if (const int node = ToElect(); node >= 0) {
    return MakeStep(StepKind::kElect, node, log_.pending());
  }
  for (int node = 0; node < kPair; ++node) {
    if (!IsUp(node)) return MakeStep(StepKind::kRestart, node);
    if (log_.HasNews(node)) return MakeStep(StepKind::kHear, node);
  }
  if (log_.CanCommit()) return MakeStep(StepKind::kCommit, log_.leader());
  if (!frames_.empty()) return MakeStep(StepKind::kDeliver, frames_.front().to);
  if (!running_.empty()) return MakeStep(StepKind::kFinish, running_.front().node);
  return MakeStep(StepKind::kSecond, 0);
}

std::optional<Step> DispatchWorld::Scheduled() const {
  const Step next = NextOfSchedule();
  if (next.kind == StepKind::kSecond && seconds_ >= set_.limits.seconds) return std::nullopt;
  return next;
}

bool DispatchWorld::IsCallOpen() const {
  return std::any_of(calls_.begin(), calls_.end(),
                     [](const Call& call) { return call.sent && !call.ended && !call.lost; });
}

bool DispatchWorld::IsAtRest() const {
  if (IsCallOpen() || !HasEnded("a") || !HasEnded("b")) return false;
  return std::all_of(boxes_.begin(), boxes_.end(), [](const std::unique_ptr<Box>& b) {
    return b->node->worker().CanTake() && b->node->worker().IsQuiet();
  });
}

// A job that a client has paused waits for him. He resumes it, and once more if he was not told how
// one of his calls has ended.
bool DispatchWorld::HelpsPaused() {
  const auto pause = std::find_if(calls_.begin(), calls_.end(), [](const Call& call) {
    return call.op == ClientOp::kPauseA && call.sent;
  });
  if (pause == calls_.end() || IsCallOpen()) return false;
  bool is_known = true;
  for (Call& call : calls_) {
    if (!call.sent) {
      Send(call, 0);
      return true;
    }
    is_known &= call.acknowledged;
  }
  if (is_known) return false;
  calls_.push_back(Call{.op = ClientOp::kResumeA, .under_way = {}});
  Send(calls_.back(), 0);
  return true;
}

void DispatchWorld::GoOn() {
  for (int seconds = 0; seconds < kPatience; ++seconds) {
    int steps = 0;
    for (Step next = NextOfSchedule(); next.kind != StepKind::kSecond; next = NextOfSchedule()) {
      Take(next);
      Require(++steps < 1000, "without time passing there is an end");
    }
    if (IsAtRest()) return;
    if (seconds % 10 == 9 && HelpsPaused()) continue;
    Take(MakeStep(StepKind::kSecond, 0));
  }
  throw Finding{
      absl::StrCat("stuck: a job does not end, a call has no answer, or a node is not "
                   "ready\n",
                   Describe())};
}

}  // namespace scheduled::explore
