// From rows that are due to claims: takes them from the hot windows as far as executors have room,
// decides what each occurrence becomes (its nominal time, how many it stands for, the next one,
// skipped for overlap), and proposes it (dispatch.md, rules 1, 2 and 4). What Apply answers goes to
// the dispatcher; what is refused goes back to the windows. The leader's; dispatch lane, with
// errands to the apply lane (windows) and the read lane (records).
#ifndef SCHEDULED_LIB_SCHEDULER_CLAIMER_H_
#define SCHEDULED_LIB_SCHEDULER_CLAIMER_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "jobs/dispatch_view.h"
#include "jobs/schedule.h"
#include "scheduler/run_book.h"
#include "scheduler/session_keeper.h"
#include "scheduler/term.h"
#include "scheduler/turns.h"

namespace scheduled {

class Claimer {
 public:
  // `on_claimed` takes over each run that is claimed now. All outlive the claimer.
  Claimer(TermContext* term, Turns* turns, RunBook* book, SessionKeeper* sessions,
          std::function<void(RunEntry)> on_claimed, std::function<void()> on_change);

  // What the windows say about the first row of each queue.
  void SetHeads(const std::vector<jobs::QueueHead>& heads);
  void SetHead(std::string_view queue, std::optional<int64_t> ready_us);

  // Takes what is due soon, if anything is and there is room.
  void TakeDue();
  // When TakeDue should be called next; InfiniteFuture while it waits for something else.
  absl::Time NextTake() const;
  // A run of the job has finished: what was read of the job before says nothing of that.
  void OnFinished(const JobId& job);
  // Claims nothing more.
  void Stop() { stopped_ = true; }

  // What one claim decides; for tests as well.
  struct Decision {
    pb::ClaimItem item;
    StartRequest start;  // without token, attempt and delivery
  };
  static absl::StatusOr<Decision> Decide(const jobs::SlotKey& row, const jobs::JobRecord& record,
                                         bool overlaps, absl::Time now,
                                         jobs::ScheduleCache* schedules);

 private:
  struct Row {
    jobs::SlotKey key;
    std::unique_ptr<jobs::JobRecord> record;  // null: gone, or not read this time
  };
  struct Claim {
    jobs::SlotKey row;
    TurnKey turn;
    StartRequest start;
  };

  bool HasRoom() const;  // for any row at all
  std::vector<jobs::QueueRoom> Rooms(absl::Time until) const;
  void OnRows(std::vector<Row> rows);
  void ClaimOne(Row row, absl::Time now, pb::Claims* claims, std::vector<Claim>* proposed);
  bool Overlaps(const jobs::SlotKey& row, const jobs::JobRecord& record);
  void Propose(pb::Claims claims, std::vector<Claim> proposed);
  void OnAnswer(std::vector<Claim> proposed, SessionId session, TermContext::Outcome outcome);
  void TakeAnswer(Claim& claim, SessionId session, const pb::ClaimAnswer& answer,
                  std::vector<jobs::SlotKey>* refused);
  void GiveBack(std::vector<jobs::SlotKey> rows);
  void Park(jobs::SlotKey row, const absl::Status& why);

  TermContext& term_;
  Turns& turns_;
  RunBook& book_;
  SessionKeeper& sessions_;
  const std::function<void(RunEntry)> on_claimed_;
  const std::function<void()> on_change_;

  absl::btree_map<std::string, int64_t, std::less<>>
      heads_;                                  // queue -> ready time of its first row
  bool taking_ = false;                        // a take is under way: the heads are about to change
  absl::flat_hash_set<std::string> finished_;  // jobs that finished a run since it began
  bool stopped_ = false;
  MonoTime not_before_;  // after a refusal that time alone can end
  jobs::ScheduleCache schedules_;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_CLAIMER_H_
