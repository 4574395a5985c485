// What is judged in the world of two nodes, its summary, and its text. See dispatch_world.h.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "explore/dispatch_world.h"
#include "explore/finding.h"
#include "explore/soft_state.h"
#include "scheduler/peer_codec.h"
#include "storage/applied_row.h"

namespace scheduled::explore {

uint64_t DispatchWorld::Applied(int number) const {
  const auto applied = ReadApplied(box(number).tables);
  Require(applied.ok(), "the applied row can be read");
  return applied->index.value;
}

// The tables that have applied more of the log.
const MemoryTableStore& DispatchWorld::newest() const {
  return Applied(0) >= Applied(1) ? box(0).tables : box(1).tables;
}

bool DispatchWorld::HasSession(SessionId session) const {
  const auto sessions = jobs::ReadSessions(newest());
  Require(sessions.ok(), "sessions can be read");
  return std::any_of(sessions->begin(), sessions->end(), [session](const jobs::SessionEntry& each) {
    return each.row.session() == session.value;
  });
}

jobs::JobRecord DispatchWorld::Read(const std::string& job) const {
  auto record = jobs::ReadJob(newest(), job, jobs::JobDetail::kWithoutInFlight);
  Require(record.ok() && record->has_value(), "what was acknowledged is in the tables");
  return **std::move(record);
}

bool DispatchWorld::HasEnded(const std::string& job) const {
  return Read(job).schedule.ended_us() != 0;
}

// An acknowledged cancel, or a pause that no resume has followed.
bool DispatchWorld::ForbidsStart(const std::string& job, FencingToken token) const {
  bool forbids = false;
  for (const Call& call : calls_) {
    if ((call.op == ClientOp::kCancelB ? "b" : "a") != job) continue;
    if (call.op == ClientOp::kResumeA) {
      if (call.sent) forbids = false;
    } else if (call.acknowledged) {
      forbids = !call.under_way.contains(token.value);
    }
  }
  return forbids;
}

bool DispatchWorld::HasStarted(FencingToken token) const {
  return std::any_of(starts_.begin(), starts_.end(),
                     [token](const Start& start) { return start.token == token; });
}

void DispatchWorld::CheckStart(int node, const Start& start, const RunContext& run) const {
  Require(StepLoop::kBegin + (loop_.now() - MonoTime{}) >= run.due,
          "nothing starts before it is due");
  Require(log_.HasLease(log_.seat(node)), "nothing starts without the lease of its leader");
  for (const Start& earlier : starts_) {
    if (earlier.job != start.job) continue;
    Require(earlier.token != start.token, "a delivery starts once");
    Require(earlier.due != start.due || earlier.run_id == start.run_id,
            "an occurrence has one run");
    if (earlier.run_id != start.run_id) continue;
    Require(earlier.token < start.token, "the tokens of a run grow");
    if (earlier.failed) continue;
    Require(!HasSession(earlier.session),
            "a run starts again only where a session is dead or an attempt has failed");
    Require(earlier.delivery < start.delivery, "what died with its node counts as delivered");
  }
  Require(!ForbidsStart(start.job, start.token),
          "nothing starts after an acknowledged cancel or pause");
}

// An answer to a call that is open still.
void DispatchWorld::OnApplied(int node, const std::string& command, const std::string& answer) {
  pb::Command applied;
  pb::Answer answered;
  Require(applied.ParseFromString(command) && answered.ParseFromString(answer),
          "what is applied can be read");
  const bool stops = (applied.has_cancel() || applied.has_pause()) && answered.code() == 0;
  if (!stops) return;
  const Call& call = calls_.at(NumberOfRequest(applied.request_id()));
  if (call.ended || call.lost) return;
  for (const pb::RunRef& ref : answered.inflight()) {
    const FencingToken token(ref.token());
    Require(HasStarted(token) || SoftState::IsSent(*box(node).node, RunNumber(ref.run()), token),
            "what an acknowledgement names as under way has started");
  }
}

void DispatchWorld::Check() const {
  for (const char* job : {"a", "b"}) {
    std::set<int64_t> dues;
    const jobs::JobRecord record = Read(job);
    for (const pb::LiveRun& run : record.schedule.runs()) {
      Require(dues.insert(run.due_us()).second, "an occurrence has one run");
    }
  }
  for (int number = 0; number < kPair; ++number) {
    if (!IsUp(number)) continue;
    box(number).node->CheckInvariants();
    box(number).node->machine().CheckInvariants();
  }
}

// What was used of a budget decides what follows only where there is one.
std::string DispatchWorld::Summary(Closures closures) const {
  std::string out;
  out.reserve(8192);
  absl::StrAppend(&out, loop_.now().nanos, " ", log_.term().value, " ", log_.leader(), " ",
                  cut_for_, " ", log_.entries().size(), "\n");
  if (set_.limits.deviations == 0) {
    absl::StrAppend(&out, elections_, " ", crashes_, " ", faults_, " ", cuts_, " ", failures_,
                    "\n");
  }
  for (const AbstractLog::Proposal& proposal : log_.proposals()) {
    absl::StrAppend(&out, proposal.node, " ", proposal.term.value, " ",
                    proposal.done == nullptr ? 0 : 1, " ", proposal.command.size(), ":",
                    proposal.command, "\n");
  }
  for (int number = 0; number < kPair; ++number) {
    const Box& b = box(number);
    absl::StrAppend(&out, "node ", b.boot, " ", IsUp(number) ? 1 : 0, "\n");
    SoftState::AppendTables(b.tables, &out);
    if (!IsUp(number)) continue;
    const AbstractLog::Seat& seat = *log_.seat(number);
    absl::StrAppend(&out, seat.believes.value, " ", seat.leads ? 1 : 0, "\n");
    const bool waits = SoftState::Append(*b.node, &out);
    if (waits && closures == Closures::kBySteps) absl::StrAppend(&out, "history ", b.history);
    const auto names = SoftState::Timers(*b.node);
    for (const auto& [timer, due] : loop_.TimersOf(b.runtime.get())) {
      const auto name = names.find(timer);
      absl::StrAppend(&out, " ", name == names.end() ? "-" : name->second, due);
    }
  }
  // What of the log is not applied somewhere decides what that node will become.
  for (size_t i = std::min(Applied(0), Applied(1)); i < log_.entries().size(); ++i) {
    const AbstractLog::Entry& entry = log_.entries()[i];
    absl::StrAppend(&out, entry.term.value, " ", entry.command.size(), ":", entry.command, "\n");
  }
  for (const Frame& frame : frames_) {
    absl::StrAppend(&out, frame.from, frame.bytes.size(), ":", frame.bytes, "\n");
  }
  for (const Running& running : running_) {
    absl::StrAppend(&out, running.node, " ", running.token.value, " ",
                    running.run->cancelled() ? 1 : 0, "\n");
  }
  AppendHistory(&out);
  return out;
}

// What is judged by.
void DispatchWorld::AppendHistory(std::string* out) const {
  std::vector<std::string> starts;
  for (const Start& start : starts_) {
    starts.push_back(absl::StrCat(start.job, start.run_id, start.token.value, " ",
                                  start.session.value, " ", start.delivery,
                                  start.failed ? "!" : "."));
  }
  std::sort(starts.begin(), starts.end());
  for (const std::string& start : starts) absl::StrAppend(out, start, "\n");
  for (const Call& call : calls_) {
    absl::StrAppend(out, call.sent ? 1 : 0, call.ended ? 1 : 0, call.lost ? 1 : 0,
                    call.acknowledged ? 1 : 0, " ", call.entered);
    for (const uint64_t token : call.under_way) absl::StrAppend(out, " ", token);
  }
}

}  // namespace scheduled::explore
