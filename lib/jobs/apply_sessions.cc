// Sessions: opened by a node that is alive, closed by the leader when it is not. Closing puts back
// every run that the session had. Only a run whose Start was taken counts a delivery, and one that
// has died with its node too often fails, so that a job which kills its host does not do so for
// ever.
#include <algorithm>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "base/assert.h"
#include "base/codec.h"
#include "base/planted.h"
#include "jobs/apply.h"
#include "jobs/limits.h"

namespace scheduled::jobs {
namespace {

constexpr size_t kClaimsPerScan = 256;
constexpr uint32_t kOrdinalBits = 16;

class Closing {
 public:
  struct Terms {
    uint64_t session = 0;
    int max_deliveries = 0;      // 0: without bound
    bool taken_unknown = false;  // every run counts
  };

  Closing(ApplyContext& ctx, const Terms& terms, const RunRefs& taken) : ctx_(ctx), terms_(terms) {
    for (const pb::RunRef& ref : taken) taken_[ref.run()] = ref.token();
  }

  void PutBackAll();

 private:
  bool IsTaken(uint64_t run, uint64_t token) const;
  void PutBack(const RunKey& key, const pb::InflightRow& flight);
  bool CountDelivery(JobEdit& job, int index, const pb::InflightRow& flight);
  void Enter(JobEdit& job, int index, const pb::InflightRow& flight, bool taken);

  ApplyContext& ctx_;
  const Terms terms_;
  absl::flat_hash_map<uint64_t, uint64_t> taken_;  // run number, which is one of all jobs -> token
};

bool Closing::IsTaken(uint64_t run, uint64_t token) const {
  if (terms_.taken_unknown) return true;
  const auto found = taken_.find(run);
  return found != taken_.end() && found->second == token;
}

void Closing::PutBackAll() {
  const std::string prefix = TablePrefix(kInflightTag);
  std::string from = prefix;
  while (true) {
    const std::vector<TableRow> rows = ctx_.Scan(from, PrefixEnd(prefix), kClaimsPerScan);
    for (const TableRow& row : rows) {
      RunKey key;
      pb::InflightRow* flight = ctx_.New<pb::InflightRow>();
      if (!DecodeInflightKey(row.key, &key) || !flight->ParseFromString(row.value)) {
        return ctx_.Corrupt("a stored row does not parse", row.key);
      }
      if (IsPlanted(Bug::kClosingForgetsRuns)) continue;
      if (flight->session() == terms_.session) PutBack(key, *flight);
    }
    if (rows.size() < kClaimsPerScan) return;
    from = KeyAfter(rows.back().key);
  }
}

void Closing::PutBack(const RunKey& key, const pb::InflightRow& flight) {
  pb::ScheduleRow* schedule = ctx_.ReadSchedule(key.job_id);
  std::optional<JobEdit> job;
  int index = -1;
  if (schedule != nullptr) {
    job.emplace(ctx_, key.job_id, schedule, KnownPlace{.run = key.run, .in_flight = true});
    index = job->Find(key.run);
  }
  ctx_.LeaveInflight(key.job_id, key.run, flight);
  if (index < 0) return Probe("jobs: a closed session had a deleted job");
  const bool taken = IsTaken(key.run, flight.token());
  if (!taken || CountDelivery(*job, index, flight)) Enter(*job, index, flight, taken);
  job->Save(KnownPlace{.run = key.run, .in_flight = false});
}

// Records that a delivery died with its node. False if it was the last that the run had.
bool Closing::CountDelivery(JobEdit& job, int index, const pb::InflightRow& flight) {
  pb::LiveRun* run = job.Change().mutable_runs(index);
  pb::RunRow* record = ctx_.New<pb::RunRow>();
  record->set_due_us(flight.due_us());
  record->set_node_id(flight.node_id());
  record->set_start_us(std::max(flight.claimed_us(), flight.ready_us()));
  record->set_end_us(ctx_.stamp().us);
  record->set_status(static_cast<int>(JobStatus::kFailed));
  record->set_error_type("node_lost");
  record->set_missed(run->missed());
  job.NoteAttempt(*run, record->start_us(), flight.attempt());
  run->set_deliveries(run->deliveries() + (IsPlanted(Bug::kDeliveryNotCounted) ? 0 : 1));
  const JobEdit::Ending ending{.status = JobStatus::kFailed,
                               .attempt = static_cast<uint32_t>(flight.attempt()),
                               .delivery = static_cast<uint32_t>(run->deliveries())};
  const bool is_last = terms_.max_deliveries > 0 && run->deliveries() >= terms_.max_deliveries;
  if (is_last || job.schedule().cancelled() || run->replaced()) {
    if (is_last) Probe("jobs: a run died with its last node");
    job.EndRun(index, ending, record);
    return false;
  }
  ctx_.PutDelivery({.job_id = std::string(job.id()),
                    .run = run->run(),
                    .attempt = ending.attempt,
                    .delivery = ending.delivery},
                   *record);
  return true;
}

void Closing::Enter(JobEdit& job, int index, const pb::InflightRow& flight, bool taken) {
  if (taken) ctx_.counters().set_total_redelivered(ctx_.counters().total_redelivered() + 1);
  job.Change().mutable_runs(index)->set_ready_us(flight.ready_us());
  job.EnterOrEnd(index);
}

}  // namespace

void ApplyOpenSession(ApplyContext& ctx, const pb::OpenSession& open, pb::Answer* answer) {
  if (!IsKeyName(open.node_id())) return RefuseInvalid(answer, "the session names no node");
  if (!CheckWithdrawn(open.taken(), answer)) return;
  const pb::SessionRow* older = ctx.ReadSession(open.node_id());
  if (older != nullptr && open.boot() == older->boot()) {
    answer->set_session(older->session());
    return;
  }
  if (older != nullptr) {
    Closing(ctx, {.session = older->session(), .max_deliveries = open.max_deliveries()},
            open.taken())
        .PutBackAll();
  }
  const uint64_t session = ctx.stamp().index.value << kOrdinalBits | ctx.stamp().ordinal;
  pb::SessionRow* row = ctx.New<pb::SessionRow>();
  row->set_session(session);
  row->set_boot(open.boot());
  row->set_opened_us(ctx.stamp().us);
  ctx.PutSession(open.node_id(), *row);
  answer->set_session(session);
}

void ApplyCloseSession(ApplyContext& ctx, const pb::CloseSession& close, pb::Answer* answer) {
  if (!IsKeyName(close.node_id())) return RefuseInvalid(answer, "the session names no node");
  if (!CheckWithdrawn(close.taken(), answer)) return;
  const pb::SessionRow* row = ctx.ReadSession(close.node_id());
  if (row == nullptr || row->session() != close.session()) {
    // Closed already: nothing happens, and the answer says what is open, if anything is.
    if (row != nullptr) answer->set_session(row->session());
    return;
  }
  ctx.Delete(EncodeSessionKey(close.node_id()));
  Closing(ctx,
          {.session = close.session(),
           .max_deliveries = close.max_deliveries(),
           .taken_unknown = close.taken_unknown()},
          close.taken())
      .PutBackAll();
}

}  // namespace scheduled::jobs
