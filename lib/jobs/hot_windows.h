// The hot windows of all queues of a leader: one SlotQueue for each queue that has rows, all of
// them together within one bound. Each gets an equal share, so that the backlog of one executor
// cannot push another's rows out of memory. Owned by the JobStateMachine; apply lane.
#ifndef SCHEDULED_LIB_JOBS_HOT_WINDOWS_H_
#define SCHEDULED_LIB_JOBS_HOT_WINDOWS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobs/apply_context.h"
#include "jobs/dispatch_view.h"
#include "scheduled/slot_queue.h"
#include "storage/table_store.h"

namespace scheduled::jobs {

class HotWindows {
 public:
  struct Limits {
    size_t rows = 8192;  // in all windows together
    size_t load = 512;
  };

  // `store` outlives this.
  HotWindows(const TableStore& store, Limits limits) : store_(store), limits_(limits) {}

  // A queue that has rows in `slots`; before anything else.
  void Add(std::string_view queue, uint64_t slots);
  // What a batch changed, once it is committed. Returns the queues whose head is another than was
  // last told.
  struct Change {
    std::string queue;
    std::optional<int64_t> ready_us;
  };
  absl::StatusOr<std::vector<Change>> Apply(const std::vector<SlotEvent>& events);

  // See JobStateMachine. Heads that are returned count as told.
  absl::StatusOr<std::vector<SlotKey>> Take(int64_t until_us, std::span<const QueueRoom> rooms,
                                            size_t max);
  void Return(std::span<const SlotKey> rows);
  // The head of a queue; nothing if it has none.
  absl::StatusOr<std::optional<QueueHead>> Head(std::string_view queue);
  absl::StatusOr<std::vector<QueueHead>> Heads();

  // Rows held in memory and not taken.
  size_t rows() const;
  void CheckInvariants() const;

 private:
  struct Window {
    std::unique_ptr<SlotQueue> queue;
    std::optional<int64_t> told;
    bool touched = false;  // within Apply
  };
  using Windows = std::map<std::string, Window, std::less<>>;

  Window& WindowOf(std::string_view queue);
  size_t Share() const;
  void ShareOut();
  absl::StatusOr<std::optional<int64_t>> Peek(Window& window) const;

  const TableStore& store_;
  const Limits limits_;
  Windows windows_;
};

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_HOT_WINDOWS_H_
