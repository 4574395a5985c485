// The replicated state of one group's jobs: applies committed commands (proto/commands.proto) to
// the tables, deterministically. It decides nothing that needs a clock, a random bit or an option
// of its own node: all of that rides in commands. It also holds the hot windows of the queues while
// its node leads, since only Apply may change them.
//
// Lanes: every method on the apply lane, one at a time, but for Open and destruction.
//
// What Apply does with one command, in this order: parse (kInvalidArgument if it does not),
// validate all of it against the tables, write. A command that is refused has written nothing. A
// stored row that does not parse, or two rows that contradict each other, end Apply with DATA_LOSS,
// and with it the node.
//
// Invariants (CheckInvariants reads all tables and asserts them):
//  1. A job has a row in `jobs` and one in `schedules`, or neither; both have one revision.
//  2. A live run stands in exactly one place: `slots`, `inflight`, or held in its schedule.
//  3. A row of `slots` is of a live run, and stands where that run's `ready_us`, and the schedule's
//     queue and priority, say. A row of `inflight` may outlive its run: then its job was deleted.
//  4. An ended job (no live run but replaced ones) has a `done` row under its status, at the end
//     time and run of schedule.last.
//  5. Counters and the rows of `queues` equal a recount.
//  6. Every row of `dedup` has a `dedup_expiry` row at its expiry.
#ifndef SCHEDULED_LIB_JOBS_JOB_STATE_MACHINE_H_
#define SCHEDULED_LIB_JOBS_JOB_STATE_MACHINE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobs/dispatch_view.h"
#include "jobs/limits.h"
#include "jobs/tables.h"
#include "scheduled/state_machine.h"
#include "storage/table_store.h"

namespace scheduled::jobs {

struct JobStateMachineOptions {
  // Rows held in memory in all queues together; but at least one a queue, whatever this says.
  size_t window = 8192;
  size_t load = 512;  // rows read from the store at a time
  // The feature level that this program can follow; tests are programs of other versions as well.
  uint32_t last_level = kLastLevel;
};

class JobStateMachine : public StateMachine {
 public:
  // `store` outlives the machine, and nobody else writes it. DATA_LOSS: its meta rows do not parse;
  // FAILED_PRECONDITION: they are of a newer format.
  static absl::StatusOr<std::unique_ptr<JobStateMachine>> Open(TableStore& store,
                                                               JobStateMachineOptions options = {});
  ~JobStateMachine() override;

  // Null: none. Set before the first Apply; outlives the machine, or is set to null before.
  void SetObserver(DispatchObserver* observer);

  absl::StatusOr<std::vector<std::string>> Apply(std::span<const Command> commands,
                                                 AppliedPosition through) override;
  AppliedPosition applied() const override;
  absl::StatusOr<LogIndex> Durable() const override;
  absl::Status Flush() override;
  void OnLeading(bool leader, Term term) override;
  absl::Status Checkpoint(const std::string& dir) override;
  absl::Status Install(const std::string& dir, AppliedPosition at) override;

  // --- The windows, while leading; empty otherwise, and for who asks in another term -----------

  // Marks and returns rows that are ready at or before `until_us`: earliest first over all queues
  // that have room, at most their room each and `max` in all. `next` is then the head of each of
  // these queues, for the next timer; a queue without rows is not in it.
  struct Due {
    std::vector<SlotKey> rows;
    std::vector<QueueHead> next;
  };
  absl::StatusOr<Due> TakeDue(Term term, int64_t until_us, std::span<const QueueRoom> rooms,
                              size_t max);
  // Unmarks rows whose claim was refused; rows that are gone are ignored. Returns the heads of the
  // rows' queues.
  absl::StatusOr<std::vector<QueueHead>> ReturnDue(Term term, std::span<const SlotKey> rows);
  // Every queue's head.
  absl::StatusOr<std::vector<QueueHead>> Heads();

  // For tests: asserts the invariants above by reading all tables.
  void CheckInvariants() const;

 private:
  class Impl;
  explicit JobStateMachine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_JOB_STATE_MACHINE_H_
