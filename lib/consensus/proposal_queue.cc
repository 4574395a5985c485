// See proposal_queue.h.
#include "consensus/proposal_queue.h"

#include <utility>

#include "consensus/packing.h"

namespace scheduled {

absl::Status ProposalQueue::Push(std::string& command, ProposeDone& done, ProposeOptions options) {
  std::lock_guard lock(mutex_);
  if (!closed_.ok()) return closed_;
  queued_bytes_ += command.size() + kPackedCommandBytes;
  queue_.push_back({std::move(command), std::move(done), options.alone, options.term});
  return absl::OkStatus();
}

std::optional<PackedProposal> ProposalQueue::Take(Term term, PackedProposal* of_other_terms) {
  PackedProposal taken;
  std::vector<std::string> commands;
  bool alone = false;
  {
    std::lock_guard lock(mutex_);
    size_t bytes = kPackedHeaderBytes;
    while (!queue_.empty() && !alone) {
      Waiting& next = queue_.front();
      const size_t more = next.command.size() + kPackedCommandBytes;
      if (next.term != Term() && next.term != term) {
        queued_bytes_ -= more;
        of_other_terms->weight += CommandWeight(next.command.size());
        of_other_terms->waiting.push_back(std::move(next.done));
        queue_.pop_front();
        continue;
      }
      const bool fits =
          bytes + more <= limits_.batch_bytes && commands.size() < limits_.batch_commands;
      if (!commands.empty() && (next.alone || !fits)) break;
      alone = next.alone;
      bytes += more;
      queued_bytes_ -= more;
      taken.weight += CommandWeight(next.command.size());
      commands.push_back(std::move(next.command));
      taken.waiting.push_back(std::move(next.done));
      queue_.pop_front();
    }
  }
  if (commands.empty()) return std::nullopt;
  taken.entry = Pack(commands, alone);
  return taken;
}

bool ProposalQueue::empty() const {
  std::lock_guard lock(mutex_);
  return queue_.empty();
}

bool ProposalQueue::HasFullEntry() const {
  std::lock_guard lock(mutex_);
  return queued_bytes_ >= limits_.batch_bytes || queue_.size() >= limits_.batch_commands;
}

std::vector<PackedProposal> ProposalQueue::Close(absl::Status why) {
  std::lock_guard lock(mutex_);
  if (closed_.ok()) closed_ = std::move(why);
  std::vector<PackedProposal> rest;
  for (Waiting& waiting : std::exchange(queue_, {})) {
    PackedProposal& one = rest.emplace_back();
    one.weight = CommandWeight(waiting.command.size());
    one.waiting.push_back(std::move(waiting.done));
  }
  queued_bytes_ = 0;
  return rest;
}

}  // namespace scheduled
