// Every run that stands in `inflight`, as the leader knows it: whose it is, how far it has come,
// and, for those that it holds, when they start. A pure data structure, the dispatcher's, on the
// dispatch lane; lost with the term.
//
//   state       what the leader knows                          leaves it by
//   unresolved  claimed by an earlier leader                   Reconcile's answer
//   held        claimed, nobody has been told                  its time: sent; a command: gone
//   sent        a Start is on its session's channel            its outcome
//   ending      its outcome is being proposed                  Apply's answer: gone
//   returning   on its way back into `slots`                   Apply's answer: gone
//
// A held run may be withdrawn, by a command on its job or by the end of its session: then it is not
// started until it is given back.
//
// Invariants (CheckInvariants):
//  1. by_time_ has exactly the held runs that are not withdrawn, by_job_ and by_session_ all runs.
//  2. used_ counts, for each queue, the runs of the node that the leader places on.
#ifndef SCHEDULED_LIB_SCHEDULER_RUN_BOOK_H_
#define SCHEDULED_LIB_SCHEDULER_RUN_BOOK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/time/time.h"
#include "scheduler/messages.h"
#include "scheduler/turns.h"

namespace scheduled {

enum class RunState : uint8_t { kUnresolved, kHeld, kSent, kEnding, kReturning };

struct RunEntry {
  StartRequest start;  // key, attempt, times, job
  SessionId session;
  std::string queue;
  RunState state = RunState::kHeld;
  bool withdrawn_by_command = false;  // held: a command in flight names it
  bool withdrawn_by_session = false;  // held: its session is being closed
  bool placed_here = false;           // counts against the room of its queue
  bool told_to_stop = false;
  bool stops = false;         // unresolved: if it was started, it is to be told to stop
  bool known_taken = false;   // by the answer to Reconcile, or by an outcome
  uint64_t start_number = 0;  // sent: the Start's number on the channel

  bool startable() const {
    return state == RunState::kHeld && !withdrawn_by_command && !withdrawn_by_session;
  }
};

class RunBook {
 public:
  // A run number is never used twice, so it names an entry; the token tells an older delivery.
  RunEntry& Add(RunEntry entry);
  RunEntry* Find(RunNumber run);
  // The entry if it is of this very delivery.
  RunEntry* Find(const RunKey& key);
  void Erase(RunNumber run);

  // Changes an entry in a way that may touch its place among the held.
  template <typename Change>
  void Update(RunEntry& entry, Change change) {
    RemoveTime(entry);
    change(entry);
    AddTime(entry);
  }

  // The runs of a job and of a session, in the order of their numbers.
  std::vector<RunEntry*> OfJob(std::string_view job_id);
  std::vector<RunEntry*> OfSession(SessionId session);
  bool HasUnresolved(std::string_view job_id) const;

  // The startable run with the earliest time; InfiniteFuture and null if there is none.
  absl::Time FirstTime() const;
  absl::Time LastTime() const;
  // Startable runs whose time is at or before `now`, earliest first, at most `max`.
  std::vector<RunEntry*> Due(absl::Time now, size_t max);
  std::vector<RunEntry*> Startable();

  // Room taken at this node: runs that count, and rows on their way to become one.
  int used(std::string_view queue) const;
  int used_in_all() const { return used_in_all_; }
  void Reserve(std::string_view queue);
  void Release(std::string_view queue);

  size_t size() const { return runs_.size(); }
  size_t payload_bytes() const { return payload_bytes_; }

  void CheckInvariants() const;

 private:
  using TimeKey = std::pair<absl::Time, RunNumber>;
  static TimeKey KeyOf(const RunEntry& entry) { return {entry.start.ready, entry.start.key.run}; }
  void AddTime(const RunEntry& entry);
  void RemoveTime(const RunEntry& entry);

  // Entries stay where they are while others come and go.
  absl::flat_hash_map<RunNumber, std::unique_ptr<RunEntry>> runs_;
  absl::flat_hash_map<TurnKey, absl::InlinedVector<RunNumber, 2>> by_job_;
  absl::flat_hash_map<SessionId, absl::flat_hash_set<RunNumber>> by_session_;
  absl::btree_set<TimeKey> by_time_;
  absl::btree_map<std::string, int, std::less<>> used_;
  int used_in_all_ = 0;
  size_t payload_bytes_ = 0;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_SCHEDULER_RUN_BOOK_H_
