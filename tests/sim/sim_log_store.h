// A LogStore on a modelled disk. A write takes the time of its sync, and is durable only when that
// has passed: a crash before keeps all of the call or nothing of it. The object is the disk: it
// outlives the node's crashes, and the next node loads what survived.
//
// Two images: what the node sees, and what a crash now would certainly leave.
#ifndef SCHEDULED_TESTS_SIM_SIM_LOG_STORE_H_
#define SCHEDULED_TESTS_SIM_SIM_LOG_STORE_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "sim/sync_model.h"
#include "storage/log_store.h"

namespace scheduled::sim {

class SimLogStore final : public LogStore {
 public:
  // Told of each write before it takes effect, with the store as it stands.
  using Observer = std::function<void(const LogWrite&)>;

  explicit SimLogStore(SyncModel* sync) : sync_(*sync) {}
  void SetObserver(Observer observer) { observer_ = std::move(observer); }

  absl::StatusOr<LogState> Load(GroupId group) override;
  absl::Status Write(std::span<const LogWrite> writes) override;
  absl::StatusOr<std::vector<LogRecord>> Read(GroupId group, LogIndex from, LogIndex to,
                                              size_t max_bytes) override;
  absl::Status CutBefore(GroupId group, LogIndex first_kept) override;
  absl::Status MarkCleanStop() override;

  // The next read finds damage.
  void FailNextRead() { fail_read_ = true; }
  void Heal() { fail_read_ = false; }

  // The node is dead: forgets what was not durable, or by chance not all of it.
  void Crash(Random* random);
  // The node is dead, and its disk is another one, with nothing on it.
  void Wipe();

  // What the node sees; null outside of it.
  const LogRecord* Find(GroupId group, LogIndex index) const;
  // What is durable for certain by now.
  const LogRecord* FindDurable(GroupId group, LogIndex index);
  const LogState* State(GroupId group) const;
  const HardState& DurableHardState(GroupId group);
  // As the next life would find it after a crash now that takes all that it can. To read only.
  std::unique_ptr<LogStore> Durable();
  bool failed() const { return !failure_.ok(); }

 private:
  class DurableView;
  struct Log {
    LogState state;
    std::deque<LogRecord> entries;  // state.first .. state.last
  };
  using Image = std::map<GroupId, Log>;
  struct Cut {
    GroupId group;
    LogIndex first_kept;
  };
  // One call whose sync may not have ended.
  struct Call {
    MonoTime durable_at;
    std::vector<LogWrite> writes;
    std::optional<Cut> cut;
  };

  static void Do(Image* image, std::span<const LogWrite> writes);
  static void Do(Image* image, const Cut& cut);
  static void Do(Image* image, const Call& call);
  static absl::StatusOr<std::vector<LogRecord>> ReadIn(const Log& log, LogIndex from, LogIndex to,
                                                       size_t max_bytes);
  static const LogRecord* FindIn(const Image& image, GroupId group, LogIndex index);
  absl::Status Full();
  absl::Status Sync(Call call);
  void Settle(MonoTime now);

  SyncModel& sync_;
  Observer observer_;
  absl::Status failure_;
  bool fail_read_ = false;
  Image seen_;
  Image durable_;
  std::deque<Call> pending_;
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_SIM_LOG_STORE_H_
