// See log_state.h. Runs on whatever lane its caller is on.
#include "storage/log_state.h"

#include <algorithm>

#include "base/assert.h"

namespace scheduled {
namespace {

void Promise(LogState& state, const HardState& next) {
  SCHEDULED_ASSERT(next.term >= state.hard_state.term, "a term never falls");
  SCHEDULED_ASSERT(next.term > state.hard_state.term || !state.hard_state.vote.has_value() ||
                       next.vote == state.hard_state.vote,
                   "a vote is given once per term");
  state.hard_state = next;
}

void Truncate(LogState& state, LogIndex from) {
  SCHEDULED_ASSERT(from >= state.first, "a truncation stays within the log");
  SCHEDULED_ASSERT(from <= state.last.Next(), "a truncation leaves no gap");
  while (!state.term_runs.empty() && state.term_runs.back().first >= from) {
    state.term_runs.pop_back();
  }
  state.last = from.Prev();
}

void Append(LogState& state, const LogRecord& entry) {
  SCHEDULED_ASSERT(entry.index == state.last.Next(), "entries are consecutive");
  SCHEDULED_ASSERT(entry.bytes.size() <= kMaxLogRecordBytes, "an entry is within its bound");
  const Term before =
      state.term_runs.empty() ? state.before_first.term : state.term_runs.back().term;
  SCHEDULED_ASSERT(entry.term >= before, "terms do not fall along a log");
  if (state.term_runs.empty() || entry.term > before) {
    state.term_runs.push_back({.first = entry.index, .term = entry.term});
  }
  state.last = entry.index;
}

}  // namespace

LogState EmptyLogState() { return LogState{}; }

void ApplyWrite(LogState& state, const LogWrite& write) {
  if (write.hard_state.has_value()) Promise(state, *write.hard_state);
  if (write.installing.has_value()) state.installing = write.installing;
  if (write.reset_to.has_value()) {
    state.before_first = *write.reset_to;
    state.first = state.before_first.index.Next();
    state.last = state.before_first.index;
    state.term_runs.clear();
    state.installing.reset();
  }
  if (write.truncate_from.has_value()) Truncate(state, *write.truncate_from);
  for (const LogRecord& entry : write.entries) Append(state, entry);
  if (!state.term_runs.empty()) {
    SCHEDULED_ASSERT(state.term_runs.back().term <= state.hard_state.term,
                     "an entry's term was seen before the entry was written");
  }
}

void ApplyCut(LogState& state, LogIndex first_kept) {
  SCHEDULED_ASSERT(first_kept >= state.first, "a cut goes forward");
  SCHEDULED_ASSERT(first_kept <= state.last.Next(), "a cut stays within the log");
  state.before_first = {.index = first_kept.Prev(), .term = TermAt(state, first_kept.Prev())};
  state.first = first_kept;
  // The last run that begins at or before the new first entry now begins with it.
  auto after =
      std::upper_bound(state.term_runs.begin(), state.term_runs.end(), first_kept,
                       [](LogIndex index, const TermRun& run) { return index < run.first; });
  if (state.empty()) {
    state.term_runs.clear();
  } else if (after != state.term_runs.begin()) {
    state.term_runs.erase(state.term_runs.begin(), after - 1);
    state.term_runs.front().first = first_kept;
  }
}

Term TermAt(const LogState& state, LogIndex index) {
  SCHEDULED_ASSERT(index >= state.before_first.index && index <= state.last,
                   "a term is asked for within the log");
  auto after =
      std::upper_bound(state.term_runs.begin(), state.term_runs.end(), index,
                       [](LogIndex wanted, const TermRun& run) { return wanted < run.first; });
  if (after == state.term_runs.begin()) return state.before_first.term;
  return (after - 1)->term;
}

void CheckInvariants(const LogState& state) {
  SCHEDULED_ASSERT(state.first == state.before_first.index.Next(), "first follows before_first");
  SCHEDULED_ASSERT(state.last >= state.before_first.index,
                   "the last entry is not before the first");
  SCHEDULED_ASSERT(state.empty() == state.term_runs.empty(), "there are runs if there are entries");
  Term term = state.before_first.term;
  LogIndex next = state.first;
  for (const TermRun& run : state.term_runs) {
    const bool is_first = run.first == state.first;
    SCHEDULED_ASSERT(is_first ? next == state.first : run.first >= next, "runs ascend in index");
    SCHEDULED_ASSERT(is_first ? run.term >= term : run.term > term, "runs ascend in term");
    SCHEDULED_ASSERT(run.first <= state.last, "runs stay within the log");
    term = run.term;
    next = run.first.Next();
  }
  if (!state.term_runs.empty()) {
    SCHEDULED_ASSERT(state.term_runs.front().first == state.first, "the first run is at the start");
    SCHEDULED_ASSERT(term <= state.hard_state.term, "no entry is beyond the current term");
  }
}

}  // namespace scheduled
