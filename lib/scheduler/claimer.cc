// See claimer.h. A row that was taken from a window ends in one of three ways: claimed (or recorded
// as skipped), given back, or parked until the next term; until then it takes room and its job's
// turn.
#include "scheduler/claimer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "base/planted.h"
#include "jobs/job_model.h"

namespace scheduled {
namespace {

// Payloads that are read for one batch, and that are held in all; rows beyond stay on disk.
constexpr size_t kMaxBatchBytes = size_t{32} << 20;
constexpr size_t kMaxHeldBytes = size_t{256} << 20;
// After a refusal that says nothing about when to come again.
constexpr absl::Duration kRefusedWait = absl::Milliseconds(20);

// It has been started and waits to be started again; after an attempt that does not count, its wait
// alone tells of it.
bool IsBetweenAttempts(const pb::LiveRun& run) {
  return run.attempts() > 0 || run.ready_us() > run.due_us();
}

RunKey KeyOf(const jobs::SlotKey& row) {
  return {JobId(row.job_id), RunNumber(row.run), FencingToken()};
}

}  // namespace

Claimer::Claimer(TermContext* term, Turns* turns, RunBook* book, SessionKeeper* sessions,
                 std::function<void(RunEntry)> on_claimed, std::function<void()> on_change)
    : term_(*term),
      turns_(*turns),
      book_(*book),
      sessions_(*sessions),
      on_claimed_(std::move(on_claimed)),
      on_change_(std::move(on_change)) {}

void Claimer::SetHeads(const std::vector<jobs::QueueHead>& heads) {
  for (const jobs::QueueHead& head : heads) heads_[head.queue] = head.ready_us;
}

void Claimer::SetHead(std::string_view queue, std::optional<int64_t> ready_us) {
  if (ready_us) {
    heads_[std::string(queue)] = *ready_us;
  } else if (const auto it = heads_.find(queue); it != heads_.end()) {
    heads_.erase(it);
  }
}

std::vector<jobs::QueueRoom> Claimer::Rooms(absl::Time until) const {
  std::vector<jobs::QueueRoom> rooms;
  const SessionId session = sessions_.SessionOf(term_.options().node_id);
  for (const ExecutorRoom& room : sessions_.Rooms(session)) {
    const auto head = heads_.find(room.executor);
    if (head == heads_.end() || absl::FromUnixMicros(head->second) > until) continue;
    const int left = room.runs - book_.used(room.executor);
    if (left > 0) rooms.push_back({room.executor, static_cast<size_t>(left)});
  }
  return rooms;
}

bool Claimer::HasRoom() const {
  return book_.used_in_all() < kMaxRunsPerNode && book_.payload_bytes() <= kMaxHeldBytes;
}

absl::Time Claimer::NextTake() const {
  if (taking_ || stopped_ || !HasRoom()) return absl::InfiniteFuture();
  absl::Time next = absl::InfiniteFuture();
  const SessionId session = sessions_.SessionOf(term_.options().node_id);
  for (const ExecutorRoom& room : sessions_.Rooms(session)) {
    const auto head = heads_.find(room.executor);
    if (head == heads_.end() || room.runs <= book_.used(room.executor)) continue;
    next = std::min(next, absl::FromUnixMicros(head->second) - term_.options().claim_ahead);
  }
  return next;
}

void Claimer::TakeDue() {
  if (taking_ || stopped_ || term_.MonoNow() < not_before_) return;
  if (!HasRoom()) return;
  const int room_in_all = kMaxRunsPerNode - book_.used_in_all();
  const absl::Time until = term_.WallNow() + term_.options().claim_ahead;
  std::vector<jobs::QueueRoom> rooms = Rooms(until);
  if (rooms.empty()) return;
  taking_ = true;
  finished_.clear();
  const size_t max = std::min(room_in_all, kMaxItems);
  const TermParts& parts = term_.parts();

  auto on_heads = term_.Guard([this, asked = rooms](std::vector<jobs::QueueHead> next) {
    for (const jobs::QueueRoom& queue : asked) SetHead(queue.queue, std::nullopt);
    SetHeads(next);
  });
  auto on_rows = term_.Guard([this](std::vector<Row> rows) { OnRows(std::move(rows)); });
  parts.apply->Post([machine = parts.machine, dispatch = parts.dispatch, read = parts.read,
                     tables = parts.tables, failed = parts.failed, term = term_.term(),
                     until_us = absl::ToUnixMicros(until), rooms = std::move(rooms), max,
                     on_heads = std::move(on_heads), on_rows = std::move(on_rows)]() mutable {
    absl::StatusOr<jobs::JobStateMachine::Due> due = machine->TakeDue(term, until_us, rooms, max);
    if (!due.ok()) return failed("what is due", due.status());
    // The heads go straight back, to keep their order with what Apply says about them later.
    dispatch->Post([on_heads = std::move(on_heads), next = std::move(due->next)]() mutable {
      on_heads(std::move(next));
    });
    read->Post([dispatch, tables, failed, rows = std::move(due->rows),
                on_rows = std::move(on_rows)]() mutable {
      std::vector<Row> read_rows;
      size_t bytes = 0;
      for (jobs::SlotKey& key : rows) {
        Row row{std::move(key), nullptr};
        if (bytes <= kMaxBatchBytes) {
          absl::StatusOr<std::optional<jobs::JobRecord>> record =
              jobs::ReadJob(*tables, row.key.job_id, jobs::JobDetail::kWithoutInFlight);
          if (!record.ok()) {
            failed(absl::StrCat("job \"", row.key.job_id, "\", which is due"), record.status());
          } else if (*record) {
            bytes += (*record)->definition.payload().size();
            row.record = std::make_unique<jobs::JobRecord>(std::move(**record));
          }
        }
        read_rows.push_back(std::move(row));
      }
      dispatch->Post([on_rows = std::move(on_rows), rows = std::move(read_rows)]() mutable {
        on_rows(std::move(rows));
      });
    });
  });
}

void Claimer::OnFinished(const JobId& job) {
  if (taking_) finished_.insert(job.value);
}

void Claimer::OnRows(std::vector<Row> rows) {
  taking_ = false;
  const SessionId session = sessions_.SessionOf(term_.options().node_id);
  pb::Claims claims;
  claims.set_node_id(term_.options().node_id.value);
  claims.set_session(session.value);
  std::vector<Claim> proposed;
  std::vector<jobs::SlotKey> unread;
  const absl::Time now = term_.WallNow();
  for (Row& row : rows) {
    book_.Reserve(row.key.queue);
    // What was read of a job that has finished a run since says nothing of how that ended.
    const bool is_old = finished_.contains(row.key.job_id);
    if (is_old) Probe("claims.read-again");
    if (row.record == nullptr || is_old || stopped_ || session == SessionId()) {
      book_.Release(row.key.queue);
      unread.push_back(std::move(row.key));
    } else {
      ClaimOne(std::move(row), now, &claims, &proposed);
    }
  }
  if (!proposed.empty()) Propose(std::move(claims), std::move(proposed));
  if (!unread.empty()) GiveBack(std::move(unread));
  on_change_();
}

void Claimer::ClaimOne(Row row, absl::Time now, pb::Claims* claims, std::vector<Claim>* proposed) {
  const TurnKey turn = Turns::KeyOf(row.key.job_id);
  if (!turns_.TryTake(turn)) {
    // What was read may be old by the time it is our turn: read it again then.
    Probe("claims.waits-for-turn");
    turns_.Take(turn, term_.Guard([this, turn, key = std::move(row.key)]() mutable {
      book_.Release(key.queue);
      GiveBack({std::move(key)});
      turns_.Pass(turn);
    }));
    return;
  }
  absl::StatusOr<Decision> decision =
      Decide(row.key, *row.record, Overlaps(row.key, *row.record), now, &schedules_);
  if (!decision.ok()) {
    book_.Release(row.key.queue);
    if (absl::IsNotFound(decision.status())) {
      GiveBack({std::move(row.key)});
    } else {
      Park(std::move(row.key), decision.status());
    }
    turns_.Pass(turn);
    return;
  }
  *claims->add_items() = std::move(decision->item);
  proposed->push_back({std::move(row.key), turn, std::move(decision->start)});
}

bool Claimer::Overlaps(const jobs::SlotKey& row, const jobs::JobRecord& record) {
  if (record.definition.overlap() != static_cast<int>(Overlap::kSkip)) return false;
  for (const pb::LiveRun& other : record.schedule.runs()) {
    if (other.run() == row.run) continue;
    if (const RunEntry* entry = book_.Find(RunNumber(other.run()))) {
      // Whether a claim of an earlier leader was ever started is not known yet.
      if (entry->state != RunState::kUnresolved) return true;
    } else if (IsBetweenAttempts(other) && !other.held() && !other.replaced()) {
      return true;
    }
  }
  return false;
}

absl::StatusOr<Claimer::Decision> Claimer::Decide(const jobs::SlotKey& row,
                                                  const jobs::JobRecord& record, bool overlaps,
                                                  absl::Time now, jobs::ScheduleCache* schedules) {
  const pb::LiveRun* run = record.FindRun(row.run);
  if (run == nullptr) return absl::NotFoundError("the run is gone");
  Decision decision;
  pb::ClaimItem& item = decision.item;
  item.set_queue(row.queue);
  item.set_ready_us(row.ready_us);
  item.set_priority(row.priority);
  item.set_job_id(row.job_id);
  item.set_run(row.run);
  item.set_revision(record.revision);
  item.set_cursor_us(record.schedule.cursor_us());
  item.set_due_us(run->due_us());
  item.set_missed(run->missed());
  const bool begins_occurrence =
      record.definition.type() == static_cast<int>(JobType::kRecurring) && !run->manual() &&
      !run->first_claim_done();
  if (begins_occurrence) {
    absl::StatusOr<jobs::JobSchedule> schedule = schedules->Get(record.definition);
    if (!schedule.ok()) return schedule.status();
    const jobs::JobSchedule::Occurrence occurrence =
        schedule->Decide(absl::FromUnixMicros(run->due_us()), now);
    item.set_due_us(absl::ToUnixMicros(occurrence.due));
    item.set_missed(occurrence.missed);
    if (occurrence.next) item.set_next_due_us(absl::ToUnixMicros(*occurrence.next));
    if (overlaps) {
      item.set_skip(true);
      item.set_skip_reason("overlap");
    }
  }
  StartRequest& start = decision.start;
  start.key = KeyOf(row);
  start.due = absl::FromUnixMicros(item.due_us());
  start.ready = absl::FromUnixMicros(std::max(row.ready_us, item.due_us()));
  start.missed = item.missed();
  start.job = std::make_shared<const Job>(jobs::MakeJob(row.job_id, record.definition));
  return decision;
}

void Claimer::Propose(pb::Claims claims, std::vector<Claim> proposed) {
  const SessionId session(claims.session());
  pb::Command command;
  *command.mutable_claims() = std::move(claims);
  term_.Propose(&command, term_.Guard([this, session, proposed = std::move(proposed)](
                                          TermContext::Outcome outcome) mutable {
    OnAnswer(std::move(proposed), session, std::move(outcome));
  }));
}

void Claimer::OnAnswer(std::vector<Claim> proposed, SessionId session,
                       TermContext::Outcome outcome) {
  // Where it may have been applied, the term is over and nothing is ours to give back.
  if (absl::IsUnknown(outcome.answer.status())) return;
  std::vector<jobs::SlotKey> refused;
  const bool applied =
      outcome.answer.ok() && outcome.answer->claims_size() == static_cast<int>(proposed.size());
  if (!applied) not_before_ = term_.MonoNow() + kRefusedWait;
  if (IsPlanted(Bug::kTurnPassedEarly)) {
    for (const Claim& claim : proposed) turns_.Pass(claim.turn);
  }
  for (size_t i = 0; i < proposed.size(); ++i) {
    Claim& claim = proposed[i];
    if (applied) {
      TakeAnswer(claim, session, outcome.answer->claims(static_cast<int>(i)), &refused);
    } else {
      refused.push_back(std::move(claim.row));
    }
  }
  for (const jobs::SlotKey& row : refused) book_.Release(row.queue);
  if (!refused.empty()) {
    Probe("claims.refused");
    GiveBack(std::move(refused));
  }
  if (!IsPlanted(Bug::kTurnPassedEarly)) {
    for (const Claim& claim : proposed) turns_.Pass(claim.turn);
  }
  on_change_();
}

void Claimer::TakeAnswer(Claim& claim, SessionId session, const pb::ClaimAnswer& answer,
                         std::vector<jobs::SlotKey>* refused) {
  switch (answer.outcome()) {
    case pb::ClaimAnswer::CLAIMED: {
      RunEntry entry;
      entry.start = std::move(claim.start);
      entry.start.key.token = FencingToken(answer.token());
      entry.start.attempt = answer.attempt();
      entry.start.delivery = answer.delivery();
      entry.session = session;
      entry.queue = claim.row.queue;
      entry.placed_here = true;
      book_.Release(claim.row.queue);  // the entry takes it over
      on_claimed_(std::move(entry));
      return;
    }
    case pb::ClaimAnswer::SKIPPED:
      term_.parts().statistics->Skipped();
      book_.Release(claim.row.queue);
      return;
    default:
      refused->push_back(std::move(claim.row));
  }
}

void Claimer::GiveBack(std::vector<jobs::SlotKey> rows) {
  const TermParts& parts = term_.parts();
  auto on_heads = term_.Guard([this](std::vector<jobs::QueueHead> heads) {
    SetHeads(heads);
    on_change_();
  });
  parts.apply->Post([machine = parts.machine, dispatch = parts.dispatch, failed = parts.failed,
                     term = term_.term(), rows = std::move(rows),
                     on_heads = std::move(on_heads)]() mutable {
    absl::StatusOr<std::vector<jobs::QueueHead>> heads = machine->ReturnDue(term, rows);
    if (!heads.ok()) return failed("what is due behind rows given back", heads.status());
    dispatch->Post([on_heads = std::move(on_heads), heads = *std::move(heads)]() mutable {
      on_heads(std::move(heads));
    });
  });
}

void Claimer::Park(jobs::SlotKey row, const absl::Status& why) {
  Probe("claims.parked");
  term_.parts().log.Error("cannot compute when a job runs next; it waits for the next leader",
                          {{"job", row.job_id}, {"error", std::string(why.message())}});
}

}  // namespace scheduled
