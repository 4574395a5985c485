// The short history of configurations that a truncation can bring back.
#include "raft/membership.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace scheduled::raft {

Membership::Membership(std::vector<ConfigurationAt> history) : history_(std::move(history)) {
  if (history_.empty()) history_.emplace_back();
  for (size_t i = 1; i < history_.size(); ++i) {
    SCHEDULED_ASSERT(history_[i - 1].index < history_[i].index, "configurations are in log order");
  }
}

const ConfigurationAt& Membership::At(LogIndex index) const {
  for (auto each = history_.rbegin(); each != history_.rend(); ++each) {
    if (each->index <= index) return *each;
  }
  return history_.front();
}

void Membership::Append(ConfigurationAt configuration) {
  SCHEDULED_ASSERT(configuration.index > current_index(), "configurations are in log order");
  SCHEDULED_ASSERT(configuration.configuration.IsWellFormed(), "a configuration makes sense");
  history_.push_back(std::move(configuration));
}

bool Membership::TruncateFrom(LogIndex index) {
  const size_t before = history_.size();
  while (history_.size() > 1 && history_.back().index >= index) history_.pop_back();
  SCHEDULED_ASSERT(history_.back().index < index || history_.back().index.value == 0,
                   "the configuration that counts is never truncated away");
  return history_.size() != before;
}

void Membership::CutThrough(LogIndex index) {
  while (history_.size() > 1 && history_[1].index <= index) history_.erase(history_.begin());
}

void Membership::ResetTo(ConfigurationAt configuration) {
  history_.clear();
  history_.push_back(std::move(configuration));
}

}  // namespace scheduled::raft
