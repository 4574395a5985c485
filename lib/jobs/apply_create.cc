// Create: one job or many, all or nothing. A job that is there already is the answer if it is the
// same create again, by its request id or by equal content; other content is a conflict.
//
// Keys written: 3 a job (jobs, schedules, slots), and 2 more with an idempotency key.
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "jobs/apply.h"
#include "jobs/limits.h"

namespace scheduled::jobs {
namespace {

// What becomes of one item.
struct Resolution {
  enum class Kind { kNew, kThere, kSameAsItem } kind = Kind::kNew;
  int item = 0;          // kSameAsItem: an earlier one
  pb::JobAnswer answer;  // kThere
};

bool IsValidItem(const pb::CreateItem& item, const pb::Create& create) {
  const bool has_key = !item.idempotency_key().empty();
  return DescribesJob(item) && item.idempotency_key().size() <= kMaxKeyNameBytes &&
         (!has_key || create.dedup_expires_us() > 0);
}

class Creation {
 public:
  Creation(ApplyContext& ctx, std::string_view request_id, pb::Create* create, pb::Answer* answer)
      : ctx_(ctx), request_id_(request_id), create_(*create), answer_(answer) {}

  void Run() {
    if (!Validate() || !ResolveAll() || !CheckFirstDue() || !CheckLimits()) return;
    for (int i = 0; i < create_.items_size(); ++i) Answer(i);
  }

 private:
  bool Validate();
  bool ResolveAll();
  bool Resolve(int i, Resolution* resolution);
  bool ResolveEarlierItem(int i, Resolution* resolution, bool* found);
  bool ResolveKey(const pb::CreateItem& item, Resolution* resolution, bool* found);
  bool ResolveJob(const pb::CreateItem& item, Resolution* resolution, bool* found);
  bool ResolveUndone(const pb::CreateItem& item, Resolution* resolution);
  void FillThere(std::string_view job_id, const pb::JobRow& row, Resolution* resolution);
  void FillGone(const pb::DedupRow& row, Resolution* resolution);
  bool Conflict(std::string_view what, std::string_view value);
  bool CheckFirstDue();
  bool CheckLimits();
  void Answer(int i);
  void Write(pb::CreateItem* item, pb::JobAnswer* answer);

  ApplyContext& ctx_;
  const std::string_view request_id_;
  pb::Create& create_;
  pb::Answer* const answer_;
  std::vector<Resolution> resolutions_;
  // Of a create of several; the first item with each id and key.
  absl::flat_hash_map<std::string, int> by_id_;
  absl::flat_hash_map<std::string, int> by_key_;
};

bool Creation::Validate() {
  if (create_.items_size() == 0 || create_.items_size() > kMaxCreateItems) {
    RefuseInvalid(answer_, absl::StrCat("a create has ", create_.items_size(),
                                        " jobs; it needs 1 to ", kMaxCreateItems));
    return false;
  }
  for (const pb::CreateItem& item : create_.items()) {
    if (IsValidItem(item, create_)) continue;
    RefuseInvalid(answer_, absl::StrCat("the create of job \"", item.job_id(), "\" is malformed"));
    return false;
  }
  return true;
}

bool Creation::ResolveAll() {
  resolutions_.resize(create_.items_size());
  for (int i = 0; i < create_.items_size(); ++i) {
    if (!Resolve(i, &resolutions_[i])) return false;
  }
  return true;
}

bool Creation::Resolve(int i, Resolution* resolution) {
  const pb::CreateItem& item = create_.items(i);
  bool found = false;
  if (create_.items_size() > 1) {
    if (!ResolveEarlierItem(i, resolution, &found)) return false;
    if (found) return true;
  }
  if (!ResolveKey(item, resolution, &found)) return false;
  if (found) return true;
  if (!ResolveJob(item, resolution, &found)) return false;
  return found || ResolveUndone(item, resolution);
}

bool Creation::ResolveEarlierItem(int i, Resolution* resolution, bool* found) {
  const pb::CreateItem& item = create_.items(i);
  const auto same_as = [&](int earlier, std::string_view what, std::string_view value) {
    *found = true;
    resolution->kind = Resolution::Kind::kSameAsItem;
    resolution->item = earlier;
    return create_.items(earlier).fingerprint() == item.fingerprint() || Conflict(what, value);
  };
  if (!item.idempotency_key().empty()) {
    const auto [key, is_new] = by_key_.try_emplace(item.idempotency_key(), i);
    if (!is_new) return same_as(key->second, "idempotency key", item.idempotency_key());
  }
  const auto [id, is_new] = by_id_.try_emplace(item.job_id(), i);
  return is_new || same_as(id->second, "id", item.job_id());
}

bool Creation::ResolveKey(const pb::CreateItem& item, Resolution* resolution, bool* found) {
  if (item.idempotency_key().empty()) return true;
  const pb::DedupRow* row =
      ctx_.ReadDedup({.kind = DedupKind::kIdempotencyKey, .key = item.idempotency_key()});
  if (row == nullptr || row->expires_us() <= ctx_.stamp().us) return true;
  if (row->fingerprint() != item.fingerprint()) {
    return Conflict("idempotency key", item.idempotency_key());
  }
  *found = true;
  resolution->kind = Resolution::Kind::kThere;
  const pb::JobRow* job = ctx_.ReadJob(row->job_id());
  const pb::ScheduleRow* schedule = ctx_.ReadSchedule(row->job_id());
  // Another job may have been made under the id of one that was deleted.
  const bool is_other = schedule != nullptr && schedule->birth() != row->revision();
  if (job != nullptr && !is_other) {
    FillThere(row->job_id(), *job, resolution);
  } else {
    FillGone(*row, resolution);
  }
  resolution->answer.set_existed(true);
  return true;
}

bool Creation::ResolveJob(const pb::CreateItem& item, Resolution* resolution, bool* found) {
  const pb::JobRow* row = ctx_.ReadJob(item.job_id());
  if (row == nullptr) return true;
  *found = true;
  const bool is_retry = !request_id_.empty() && row->request_id() == request_id_;
  if (!is_retry && row->fingerprint() != item.fingerprint()) return Conflict("id", item.job_id());
  resolution->kind = Resolution::Kind::kThere;
  FillThere(item.job_id(), *row, resolution);
  resolution->answer.set_existed(!is_retry);
  return true;
}

bool Creation::ResolveUndone(const pb::CreateItem& item, Resolution* resolution) {
  if (request_id_.empty() || ctx_.counters().undone_creates() == 0) return true;
  const pb::DedupRow* row =
      ctx_.ReadDedup({.kind = DedupKind::kUndoneCreate,
                      .key = absl::StrCat(std::string(request_id_), item.job_id())});
  if (row == nullptr || row->expires_us() <= ctx_.stamp().us) return true;
  Probe("jobs: an undone create is answered");
  resolution->kind = Resolution::Kind::kThere;
  FillGone(*row, resolution);
  return true;
}

void Creation::FillThere(std::string_view job_id, const pb::JobRow& row, Resolution* resolution) {
  pb::ScheduleRow* schedule = ctx_.ReadSchedule(job_id);
  if (schedule == nullptr) {
    ctx_.Corrupt("a job has no schedule", EncodeScheduleKey(job_id));
    return;
  }
  pb::Answer one;
  AnswerJob(JobEdit(ctx_, job_id, schedule), row.created_us(), &one);
  resolution->answer.Swap(one.mutable_jobs(0));
}

// Deleted since: what was made once is not made again, and is answered as it was then.
void Creation::FillGone(const pb::DedupRow& row, Resolution* resolution) {
  resolution->answer.set_job_id(row.job_id());
  resolution->answer.set_revision(row.revision());
  resolution->answer.set_created_us(row.created_us());
  resolution->answer.set_status(static_cast<int>(JobStatus::kPending));
}

bool Creation::Conflict(std::string_view what, std::string_view value) {
  Refuse(answer_, absl::StatusCode::kAlreadyExists, "conflict",
         absl::StrCat("the ", std::string(what), " \"", std::string(value),
                      "\" stands for a job of other content"));
  return false;
}

// Only now: the time for a job may be past when its create comes a second time.
bool Creation::CheckFirstDue() {
  for (int i = 0; i < create_.items_size(); ++i) {
    const std::string& refusal = create_.items(i).refusal();
    if (refusal.empty() || resolutions_[i].kind != Resolution::Kind::kNew) continue;
    RefuseInvalid(answer_, refusal);
    return false;
  }
  return true;
}

bool Creation::CheckLimits() {
  uint64_t added = 0;
  absl::flat_hash_set<std::string_view> new_queues;
  for (int i = 0; i < create_.items_size(); ++i) {
    if (resolutions_[i].kind != Resolution::Kind::kNew) continue;
    ++added;
    const std::string& queue = create_.items(i).queue();
    if (ctx_.IsUsedQueue(queue)) continue;
    new_queues.insert(queue);
    if (ctx_.used_queues() + new_queues.size() > kMaxQueues) {
      RefuseQueueLimit(answer_, queue);
      return false;
    }
  }
  const uint64_t jobs = ctx_.counters().jobs();
  if (create_.max_jobs() == 0 || added == 0 || jobs + added <= create_.max_jobs()) return true;
  Refuse(
      answer_, absl::StatusCode::kResourceExhausted, "limit",
      absl::StrCat("there are ", jobs, " jobs, finished ones that are kept included; the limit is ",
                   create_.max_jobs()));
  return false;
}

void Creation::Answer(int i) {
  pb::JobAnswer* answer = answer_->add_jobs();
  Resolution& resolution = resolutions_[i];
  switch (resolution.kind) {
    case Resolution::Kind::kNew:
      return Write(create_.mutable_items(i), answer);
    case Resolution::Kind::kThere:
      answer->CopyFrom(resolution.answer);
      return;
    case Resolution::Kind::kSameAsItem:
      answer->CopyFrom(answer_->jobs(resolution.item));
      answer->set_existed(true);
      return;
  }
}

void Creation::Write(pb::CreateItem* item, pb::JobAnswer* answer) {
  const int64_t now = ctx_.stamp().us;
  const uint64_t revision = ctx_.NextNumber();
  pb::JobRow* job = ctx_.New<pb::JobRow>();
  job->set_revision(revision);
  job->set_request_id(std::string(request_id_));
  job->mutable_fingerprint()->swap(*item->mutable_fingerprint());
  job->set_created_us(now);
  job->mutable_definition()->swap(*item->mutable_definition());
  ctx_.PutJob(item->job_id(), *job);

  pb::ScheduleRow* schedule = ctx_.New<pb::ScheduleRow>();
  schedule->set_cursor_us(item->first_due_us());
  SetPlacement(*item, revision, schedule);
  schedule->set_birth(revision);
  AddRun(ctx_, item->job_id(), {.due_us = item->first_due_us(), .ready_us = item->first_due_us()},
         schedule);
  ctx_.PutSchedule(item->job_id(), *schedule);

  if (!item->idempotency_key().empty()) {
    pb::DedupRow* dedup = ctx_.New<pb::DedupRow>();
    dedup->set_expires_us(create_.dedup_expires_us());
    dedup->set_job_id(item->job_id());
    dedup->set_revision(revision);
    dedup->set_fingerprint(job->fingerprint());
    dedup->set_created_us(now);
    ctx_.PutDedup({.kind = DedupKind::kIdempotencyKey, .key = item->idempotency_key()}, *dedup);
  }
  ctx_.MoveJob(std::nullopt, JobStatus::kPending);
  ctx_.counters().set_total_created(ctx_.counters().total_created() + 1);
  answer->set_job_id(item->job_id());
  answer->set_revision(revision);
  answer->set_created_us(now);
  answer->set_status(static_cast<int>(JobStatus::kPending));
  answer->set_next_due_us(item->first_due_us());
}

}  // namespace

void ApplyCreate(ApplyContext& ctx, std::string_view request_id, pb::Create* create,
                 pb::Answer* answer) {
  Creation(ctx, request_id, create, answer).Run();
}

}  // namespace scheduled::jobs
