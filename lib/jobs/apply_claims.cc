// Claims: due runs leave `slots` for `inflight`, in the name of a node's session; or an occurrence
// is skipped. With the first claim of an occurrence, or its skip, the next one enters `slots`.
//
// Keys written by a claim: 2 (slots, inflight), and with the first claim of a recurring job's
// occurrence 2 more (schedules, slots).
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "base/planted.h"
#include "jobs/apply.h"
#include "jobs/limits.h"
#include "slots/slot_key.h"

namespace scheduled::jobs {
namespace {

bool IsValidClaim(const pb::ClaimItem& item) {
  return IsKeyName(item.queue()) && IsKeyName(item.job_id()) && item.priority() >= 0 &&
         item.priority() <= kMaxPriority && item.missed() >= 0 &&
         (item.next_due_us() == 0 || item.next_due_us() > item.due_us());
}

class Claiming {
 public:
  Claiming(ApplyContext& ctx, const pb::Claims& claims)
      : ctx_(ctx), claims_(claims), has_session_(HasSession()) {}

  void Claim(const pb::ClaimItem& item, pb::ClaimAnswer* answer);

 private:
  bool HasSession();
  bool IsCurrent(const pb::ClaimItem& item, const pb::ScheduleRow& schedule, int index) const;
  void EnterNext(const pb::ClaimItem& item, JobEdit& job);
  void Skip(const pb::ClaimItem& item, JobEdit& job, int index, std::string_view reason);
  void EnterFlight(const pb::ClaimItem& item, JobEdit& job, int index, pb::ClaimAnswer* answer);

  ApplyContext& ctx_;
  const pb::Claims& claims_;
  const bool has_session_;
};

bool Claiming::HasSession() {
  if (!IsKeyName(claims_.node_id())) return false;
  const pb::SessionRow* session = ctx_.ReadSession(claims_.node_id());
  return session != nullptr && session->session() == claims_.session();
}

bool Claiming::IsCurrent(const pb::ClaimItem& item, const pb::ScheduleRow& schedule,
                         int index) const {
  if (schedule.revision() != item.revision() || schedule.cursor_us() != item.cursor_us()) {
    return false;
  }
  // With fire_once the nominal time moves on to the last occurrence that was missed, never back.
  return item.due_us() >= schedule.runs(index).due_us();
}

void Claiming::Claim(const pb::ClaimItem& item, pb::ClaimAnswer* answer) {
  if (!has_session_ && !item.skip()) {
    Probe("jobs: a claim without a session");
    return answer->set_outcome(pb::ClaimAnswer::NO_SESSION);
  }
  const SlotKey key{.queue = item.queue(),
                    .ready_us = item.ready_us(),
                    .priority = item.priority(),
                    .job_id = item.job_id(),
                    .run = item.run()};
  // The row in slots stands exactly where its run does unless it is in flight: to know both costs
  // less than to read it.
  if (ctx_.ReadInflight(item.job_id(), item.run()) != nullptr) return;  // STALE
  pb::ScheduleRow* schedule = ctx_.ReadSchedule(item.job_id());
  if (schedule == nullptr) return;  // STALE
  JobEdit job(ctx_, item.job_id(), schedule, KnownPlace{.run = item.run(), .in_flight = false});
  const int index = job.Find(item.run());
  if (index < 0 || schedule->runs(index).held() || job.SlotOf(schedule->runs(index)) != key ||
      !IsCurrent(item, *schedule, index)) {
    Probe("jobs: a stale claim");
    return;  // STALE
  }
  ctx_.LeaveSlot(key);
  const bool is_recurring = schedule->type() == static_cast<int>(JobType::kRecurring);
  const bool is_first =
      is_recurring && !schedule->runs(index).manual() && !schedule->runs(index).first_claim_done();
  const bool is_full = is_first && schedule->runs_size() >= kMaxLiveRuns;
  if (is_first) {
    pb::LiveRun* run = job.Change().mutable_runs(index);
    run->set_due_us(item.due_us());
    // Where the due time moves on, so does the earliest start: the next leader's clock may say that
    // it is still to come.
    run->set_ready_us(std::max(run->ready_us(), item.due_us()));
    run->set_missed(item.missed());
    run->set_first_claim_done(true);
  }
  if (item.skip() || is_full) {
    // The next one comes before this one goes, so that the job is never without a run in between.
    if (is_first) EnterNext(item, job);
    Skip(item, job, index, item.skip() ? item.skip_reason() : "overlap");
    answer->set_outcome(pb::ClaimAnswer::SKIPPED);
    return job.Save();
  }
  EnterFlight(item, job, index, answer);
  if (is_first) EnterNext(item, job);
  if (IsPlanted(Bug::kRedeliveryEntersNext) && is_recurring && !is_first &&
      item.cursor_us() > item.due_us()) {
    AddRun(ctx_, item.job_id(), {.due_us = item.cursor_us(), .ready_us = item.cursor_us()},
           &job.Change());
  }
  job.Save(KnownPlace{.run = item.run(), .in_flight = true});
}

void Claiming::EnterNext(const pb::ClaimItem& item, JobEdit& job) {
  if (item.next_due_us() <= job.schedule().cursor_us()) return;  // 0: there is none
  job.Change().set_cursor_us(item.next_due_us());
  AddRun(ctx_, item.job_id(), {.due_us = item.next_due_us(), .ready_us = item.next_due_us()},
         &job.Change());
}

void Claiming::Skip(const pb::ClaimItem& item, JobEdit& job, int index, std::string_view reason) {
  SCHEDULED_ASSERT(job.schedule().runs(index).run() == item.run(), "the run kept its place");
  job.EndUndelivered(index, JobStatus::kSkipped, Cut(reason, kMaxErrorTypeBytes));
}

void Claiming::EnterFlight(const pb::ClaimItem& item, JobEdit& job, int index,
                           pb::ClaimAnswer* answer) {
  const pb::LiveRun& run = job.schedule().runs(index);
  pb::InflightRow* row = ctx_.New<pb::InflightRow>();
  row->set_session(claims_.session());
  row->set_node_id(claims_.node_id());
  row->set_token(ctx_.Token());
  row->set_due_us(run.due_us());
  row->set_claimed_us(ctx_.stamp().us);
  row->set_attempt(run.attempts() + 1);
  row->set_queue(item.queue());
  row->set_priority(item.priority());
  row->set_ready_us(run.ready_us());
  ctx_.EnterInflight(item.job_id(), item.run(), *row);
  answer->set_outcome(pb::ClaimAnswer::CLAIMED);
  answer->set_token(row->token());
  answer->set_attempt(row->attempt());
  answer->set_delivery(run.deliveries() + 1);
}

}  // namespace

void ApplyClaims(ApplyContext& ctx, const pb::Claims& claims, pb::Answer* answer) {
  if (claims.items_size() > kMaxItems ||
      !std::all_of(claims.items().begin(), claims.items().end(), IsValidClaim)) {
    return RefuseInvalid(answer, "the claims are malformed");
  }
  Claiming claiming(ctx, claims);
  for (const pb::ClaimItem& item : claims.items()) claiming.Claim(item, answer->add_claims());
}

}  // namespace scheduled::jobs
