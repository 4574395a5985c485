// See run_book.h.
#include "scheduler/run_book.h"

#include <algorithm>

#include "base/assert.h"

namespace scheduled {
namespace {

bool ByNumber(const RunEntry* a, const RunEntry* b) { return a->start.key.run < b->start.key.run; }

size_t PayloadOf(const RunEntry& entry) {
  return entry.start.job ? entry.start.job->payload.size() : 0;
}

}  // namespace

void RunBook::AddTime(const RunEntry& entry) {
  if (entry.startable()) by_time_.insert(KeyOf(entry));
}

void RunBook::RemoveTime(const RunEntry& entry) {
  if (entry.startable()) by_time_.erase(KeyOf(entry));
}

RunEntry& RunBook::Add(RunEntry entry) {
  const RunNumber run = entry.start.key.run;
  auto [it, fresh] = runs_.try_emplace(run, nullptr);
  SCHEDULED_ASSERT(fresh, "a run stands in flight once");
  it->second = std::make_unique<RunEntry>(std::move(entry));
  RunEntry& added = *it->second;
  by_job_[Turns::KeyOf(added.start.key.job_id.value)].push_back(run);
  by_session_[added.session].insert(run);
  AddTime(added);
  payload_bytes_ += PayloadOf(added);
  if (added.placed_here) Reserve(added.queue);
  return added;
}

RunEntry* RunBook::Find(RunNumber run) {
  const auto it = runs_.find(run);
  return it == runs_.end() ? nullptr : it->second.get();
}

RunEntry* RunBook::Find(const RunKey& key) {
  RunEntry* entry = Find(key.run);
  return entry != nullptr && entry->start.key.token == key.token ? entry : nullptr;
}

void RunBook::Erase(RunNumber run) {
  const auto it = runs_.find(run);
  SCHEDULED_ASSERT(it != runs_.end(), "only a run that is there leaves the book");
  const RunEntry& entry = *it->second;
  RemoveTime(entry);
  payload_bytes_ -= PayloadOf(entry);
  if (entry.placed_here) Release(entry.queue);
  const auto job = by_job_.find(Turns::KeyOf(entry.start.key.job_id.value));
  job->second.erase(std::find(job->second.begin(), job->second.end(), run));
  if (job->second.empty()) by_job_.erase(job);
  const auto session = by_session_.find(entry.session);
  session->second.erase(run);
  if (session->second.empty()) by_session_.erase(session);
  runs_.erase(it);
}

std::vector<RunEntry*> RunBook::OfJob(std::string_view job_id) {
  std::vector<RunEntry*> found;
  const auto it = by_job_.find(Turns::KeyOf(job_id));
  if (it == by_job_.end()) return found;
  for (RunNumber run : it->second) {
    RunEntry* entry = Find(run);
    if (entry->start.key.job_id.value == job_id) found.push_back(entry);
  }
  std::sort(found.begin(), found.end(), ByNumber);
  return found;
}

std::vector<RunEntry*> RunBook::OfSession(SessionId session) {
  std::vector<RunEntry*> found;
  const auto it = by_session_.find(session);
  if (it == by_session_.end()) return found;
  for (RunNumber run : it->second) found.push_back(Find(run));
  std::sort(found.begin(), found.end(), ByNumber);
  return found;
}

bool RunBook::HasUnresolved(std::string_view job_id) const {
  const auto it = by_job_.find(Turns::KeyOf(job_id));
  if (it == by_job_.end()) return false;
  return std::any_of(it->second.begin(), it->second.end(), [&](RunNumber run) {
    const RunEntry& entry = *runs_.find(run)->second;
    return entry.state == RunState::kUnresolved && entry.start.key.job_id.value == job_id;
  });
}

absl::Time RunBook::FirstTime() const {
  return by_time_.empty() ? absl::InfiniteFuture() : by_time_.begin()->first;
}

absl::Time RunBook::LastTime() const {
  return by_time_.empty() ? absl::InfinitePast() : by_time_.rbegin()->first;
}

std::vector<RunEntry*> RunBook::Due(absl::Time now, size_t max) {
  std::vector<RunEntry*> due;
  for (const auto& [ready, run] : by_time_) {
    if (ready > now || due.size() == max) break;
    due.push_back(Find(run));
  }
  return due;
}

std::vector<RunEntry*> RunBook::Startable() { return Due(absl::InfiniteFuture(), by_time_.size()); }

int RunBook::used(std::string_view queue) const {
  const auto it = used_.find(queue);
  return it == used_.end() ? 0 : it->second;
}

void RunBook::Reserve(std::string_view queue) {
  ++used_.try_emplace(std::string(queue), 0).first->second;
  ++used_in_all_;
}

void RunBook::Release(std::string_view queue) {
  const auto it = used_.find(queue);
  SCHEDULED_ASSERT(it != used_.end() && it->second > 0, "room that is given back was taken");
  if (--it->second == 0) used_.erase(it);
  --used_in_all_;
}

void RunBook::CheckInvariants() const {
  size_t startable = 0;
  size_t payload_bytes = 0;
  absl::flat_hash_map<std::string, int> placed;
  for (const auto& [run, entry] : runs_) {
    SCHEDULED_ASSERT(entry->start.key.run == run, "an entry stands under its number");
    SCHEDULED_ASSERT(entry->startable() == by_time_.contains(KeyOf(*entry)),
                     "exactly the startable runs have a time");
    startable += entry->startable();
    payload_bytes += PayloadOf(*entry);
    placed[entry->queue] += entry->placed_here;
    const auto session = by_session_.find(entry->session);
    SCHEDULED_ASSERT(session != by_session_.end() && session->second.contains(run),
                     "a run is known by its session");
  }
  SCHEDULED_ASSERT(startable == by_time_.size(), "no time without a run");
  SCHEDULED_ASSERT(payload_bytes == payload_bytes_, "payloads are counted");
  for (const auto& [queue, count] : placed) {
    SCHEDULED_ASSERT(count <= used(queue), "a run that is placed takes room");
  }
}

}  // namespace scheduled
