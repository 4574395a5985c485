// See applier.h. Entries are taken on the raft lane and applied on the apply lane; answers leave
// on the completions lane.
#include "consensus/applier.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/assert.h"
#include "base/planted.h"
#include "consensus/packing.h"

namespace scheduled {
namespace {

// One call of Apply is one batch of the state machine: large enough to pay for itself, small enough
// that what comes behind does not wait long for it.
constexpr size_t kBatchBytes = size_t{4} << 20;
constexpr size_t kBatchCommands = 4096;
constexpr size_t kReadBytes = size_t{4} << 20;

}  // namespace

Applier::Applier(ApplierParts parts, ApplierEvents events)
    : parts_(parts), events_(std::move(events)), applied_(parts.state_machine->applied()) {}

void Applier::Push(Item item) {
  std::lock_guard lock(mutex_);
  queue_.push_back(std::move(item));
}

void Applier::Register(raft::Proposed at, PackedProposal proposal) {
  Push(Registered{at.id, at.at, std::move(proposal.waiting), proposal.weight});
}
void Applier::FailProposal(raft::ProposalId id, absl::Status why) {
  Push(Failed{id, std::move(why)});
}
void Applier::ExpireProposals(raft::ProposalId through) { Push(Expired{through}); }
void Applier::Apply(raft::ApplyRange range, std::vector<raft::Entry> entries) {
  Push(Range{range, std::move(entries)});
}
void Applier::AfterApplied(LogIndex index, std::vector<BarrierDone> waiting) {
  Push(Barrier{index, std::move(waiting)});
}
void Applier::Lead(Term term, LogIndex term_start) { Push(Leading{term, term_start}); }
void Applier::LeadNoMore() { Push(NotLeading{}); }
void Applier::Install(std::string path, AppliedPosition at) {
  Push(Installing{std::move(path), at});
}
void Applier::Shut(absl::Status why) { Push(Closing{std::move(why)}); }

void Applier::Kick() {
  {
    std::lock_guard lock(mutex_);
    if (posted_ || queue_.empty()) return;
    posted_ = true;
  }
  parts_.apply->Post([this] { Work(); });
}

void Applier::Work() {
  std::deque<Item> items;
  {
    std::lock_guard lock(mutex_);
    std::swap(items, queue_);
    posted_ = false;
  }
  while (!items.empty() && !installing_) {
    Item item = std::move(items.front());
    items.pop_front();
    std::visit([this](auto& each) { On(std::move(each)); }, item);
  }
  if (!items.empty()) {
    // Back to the front: what has come since stands behind it.
    std::lock_guard lock(mutex_);
    queue_.insert(queue_.begin(), std::make_move_iterator(items.begin()),
                  std::make_move_iterator(items.end()));
  }
  if (!installing_) Flush();
}

void Applier::Abandon(absl::Status why) {
  Interrupt();
  told_leading_ = false;
  installing_ = false;
  batch_.clear();
  commands_.clear();
  Shut(std::move(why));
  Work();
}

void Applier::On(Registered item) {
  if (shut_) {
    EndProposal(std::move(item), absl::UnknownError("this node has stopped"));
    return;
  }
  const std::pair position(item.at.index, item.at.term);
  const bool fresh = proposals_.emplace(position, std::move(item)).second;
  SCHEDULED_ASSERT(fresh, "a position is proposed once");
}

void Applier::On(Failed item) {
  auto at = std::find_if(proposals_.begin(), proposals_.end(),
                         [&](const auto& each) { return each.second.id == item.id; });
  if (at == proposals_.end()) return;  // expired before
  EndProposal(std::move(at->second), item.why);
  proposals_.erase(at);
}

void Applier::On(Expired item) {
  Flush();
  const absl::Status unknown =
      IsPlanted(Bug::kRefusesWhatMayCommit)
          ? absl::UnavailableError("the leadership was lost")
          : absl::UnknownError(
                "this node lost the leadership after it had sent the command: it may be applied, "
                "now or later");
  for (auto it = proposals_.begin(); it != proposals_.end();) {
    if (it->second.id > item.through) {
      ++it;
      continue;
    }
    EndProposal(std::move(it->second), unknown);
    it = proposals_.erase(it);
  }
}

void Applier::On(Range item) {
  if (shut_ || interrupted_) return;
  if (item.entries.empty()) {
    ApplyFromLog(item.range);
    return;
  }
  SCHEDULED_ASSERT(
      item.entries.front().index == item.range.from && item.entries.back().index == item.range.to,
      "the entries of a range are complete");
  for (raft::Entry& entry : item.entries) Take(std::move(entry));
}

// After a start, and for a node that applies far behind its log.
void Applier::ApplyFromLog(raft::ApplyRange range) {
  LogIndex next = range.from;
  while (next <= range.to && !shut_ && !interrupted_) {
    auto records = parts_.log_store->Read(parts_.group, next, range.to.Next(), kReadBytes);
    if (!records.ok()) {
      Fail(records.status());
      return;
    }
    for (LogRecord& record : *records) {
      SCHEDULED_ASSERT(record.index == next, "the log has no gaps");
      next = next.Next();
      Take({record.term, record.index, static_cast<raft::EntryKind>(record.kind),
            std::move(record.bytes)});
    }
  }
}

void Applier::On(Barrier item) {
  if (shut_) {
    EndBarriers(std::move(item.waiting), absl::UnavailableError("this node has stopped"));
    return;
  }
  barriers_.emplace(item.index, std::move(item.waiting));
  if (batch_.empty()) ReleaseBarriers();
}

void Applier::On(Leading item) {
  Flush();
  StopLeading();
  if (shut_) return;
  SCHEDULED_ASSERT(item.term_start > applied_.index, "a term begins beyond what is applied");
  leading_ = item;
}

void Applier::On(NotLeading) {
  Flush();
  StopLeading();
  leading_.reset();
}

void Applier::On(Installing item) {
  Flush();
  if (shut_ || interrupted_) return;
  SCHEDULED_ASSERT(item.at.index > applied_.index, "a snapshot never goes behind what is applied");
  installing_ = true;
  parts_.flusher->Hold([this, item = std::move(item)] {
    EndInstall(item.at, parts_.state_machine->Install(item.path, item.at));
    installing_ = false;
    parts_.flusher->Release();
    Work();
  });
}

void Applier::EndInstall(AppliedPosition at, absl::Status installed) {
  if (installed.ok() && parts_.state_machine->applied() != at) {
    installed = absl::InternalError(
        "the state machine stands elsewhere after an install than its copy should");
    Fail(installed);
    return;
  }
  if (installed.ok()) {
    applied_ = at;
    ReleaseBarriers();
  } else if (!absl::IsInvalidArgument(installed)) {
    Fail(installed);
    return;
  }
  events_.installed(std::move(installed));
}

void Applier::On(Closing item) {
  if (shut_) return;
  shut_ = true;
  batch_.clear();
  commands_.clear();
  StopLeading();
  const absl::Status unknown = absl::UnknownError(item.why.message());
  for (auto& [at, proposal] : proposals_) EndProposal(std::move(proposal), unknown);
  proposals_.clear();
  for (auto& [index, waiting] : barriers_) EndBarriers(std::move(waiting), item.why);
  barriers_.clear();
}

void Applier::Take(raft::Entry entry) {
  if (shut_) return;
  uint32_t count = 0;
  bool alone = false;
  std::optional<PackedReader> reader;
  if (entry.kind == raft::EntryKind::kCommand) {
    absl::StatusOr<PackedReader> opened = PackedReader::Open(entry.bytes.view());
    if (!opened.ok()) {
      Fail(opened.status());
      return;
    }
    reader = *std::move(opened);
    count = reader->count();
    alone = reader->alone();
  }
  const bool full =
      batch_bytes_ + entry.bytes.size() > kBatchBytes || commands_.size() + count > kBatchCommands;
  if (batch_closed_ || (!batch_.empty() && (alone || full))) Flush();
  if (shut_) return;
  for (uint32_t ordinal = 0; ordinal < count; ++ordinal) {
    commands_.push_back({entry.index, ordinal, entry.term, reader->Next()});
  }
  batch_bytes_ += entry.bytes.size();
  batch_closed_ = alone;
  const bool opens_term = leading_ && entry.index == leading_->term_start;
  batch_.push_back(std::move(entry));
  if (opens_term) Flush();
}

void Applier::Flush() {
  if (batch_.empty()) {
    ReleaseBarriers();
    return;
  }
  std::vector<std::string> answers;
  if (!CallApply(&answers)) return;
  // Before the answers: whoever proposes anew because of one finds the room that it gave back.
  events_.applied(applied_.index, std::exchange(batch_bytes_, 0));
  AnswerProposals(std::move(answers));
  batch_.clear();
  commands_.clear();
  batch_closed_ = false;
  ReleaseBarriers();
  if (leading_ && !told_leading_ && applied_.index >= leading_->term_start) {
    SCHEDULED_ASSERT(applied_.index == leading_->term_start, "a term's first entry ends a batch");
    told_leading_ = true;
    parts_.state_machine->OnLeading(true, leading_->term);
  }
}

bool Applier::CallApply(std::vector<std::string>* answers) {
  SCHEDULED_ASSERT(batch_.front().index == applied_.index.Next(), "entries are applied in order");
  const AppliedPosition through{batch_.back().index, batch_.back().term};
  auto result = parts_.state_machine->Apply(commands_, through);
  if (result.ok() && result->size() != commands_.size()) {
    result = absl::InternalError(fmt::format("the state machine gave {} answers to {} commands",
                                             result->size(), commands_.size()));
  }
  if (!result.ok()) {
    Fail(result.status());
    return false;
  }
  *answers = *std::move(result);
  applied_ = through;
  return true;
}

void Applier::AnswerProposals(std::vector<std::string> answers) {
  if (proposals_.empty()) return;
  Outcomes outcomes;
  size_t released = 0;
  size_t next = 0;  // in commands_ and answers
  for (const raft::Entry& entry : batch_) {
    size_t end = next;
    while (end < commands_.size() && commands_[end].index == entry.index) ++end;
    // One whose index was taken by another entry is ended by the core, before that entry is
    // applied.
    auto at = proposals_.find({entry.index, entry.term});
    if (IsPlanted(Bug::kSuccessAfterStepDown) && at == proposals_.end()) {
      at = proposals_.lower_bound({entry.index, Term()});
      if (at != proposals_.end() && at->first.first != entry.index) at = proposals_.end();
    }
    if (at != proposals_.end()) {
      Registered& proposal = at->second;
      if (entry.kind == raft::EntryKind::kConfiguration) {
        outcomes.emplace_back(std::move(proposal.waiting.front()), Applied{entry.index, 0, ""});
        proposals_.erase(at);
        continue;
      }
      SCHEDULED_ASSERT(proposal.waiting.size() == end - next, "each command has one proposer");
      for (size_t i = next; i < end; ++i) {
        outcomes.emplace_back(
            std::move(proposal.waiting[i - next]),
            Applied{commands_[i].index, commands_[i].ordinal, std::move(answers[i])});
      }
      released += proposal.weight;
      proposals_.erase(at);
    }
    next = end;
  }
  if (outcomes.empty()) return;
  events_.released(released);
  PostOutcomes(std::move(outcomes));
}

void Applier::ReleaseBarriers() {
  while (!barriers_.empty() && barriers_.begin()->first <= applied_.index) {
    EndBarriers(std::move(barriers_.begin()->second), absl::OkStatus());
    barriers_.erase(barriers_.begin());
  }
}

void Applier::EndProposal(Registered proposal, const absl::Status& why) {
  Outcomes outcomes;
  for (ProposeDone& done : proposal.waiting) outcomes.emplace_back(std::move(done), why);
  if (!IsPlanted(Bug::kAdmissionLeaks)) events_.released(proposal.weight);
  PostOutcomes(std::move(outcomes));
}

void Applier::EndBarriers(std::vector<BarrierDone> waiting, const absl::Status& how) {
  parts_.completions->Post([waiting = std::move(waiting), how]() mutable {
    for (BarrierDone& done : waiting) std::move(done)(how);
  });
}

void Applier::PostOutcomes(Outcomes outcomes) {
  parts_.completions->Post([outcomes = std::move(outcomes)]() mutable {
    for (auto& [done, outcome] : outcomes) std::move(done)(std::move(outcome));
  });
}

void Applier::StopLeading() {
  if (!std::exchange(told_leading_, false)) return;
  parts_.state_machine->OnLeading(false, leading_->term);
}

// Nothing goes on on unknown state; the host answers with Shut.
void Applier::Fail(absl::Status why) {
  batch_.clear();
  commands_.clear();
  if (shut_) return;
  const absl::Status stopped = why;
  events_.failed(std::move(why));
  On(Closing{stopped});
}

}  // namespace scheduled
