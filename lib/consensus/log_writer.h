// The one writer of the log: takes all writes that wait and makes them durable with one sync, while
// the next ones gather. Called on the raft lane, works on the log lane. Owned by the host.
#ifndef SCHEDULED_LIB_CONSENSUS_LOG_WRITER_H_
#define SCHEDULED_LIB_CONSENSUS_LOG_WRITER_H_

#include <functional>
#include <mutex>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "base/lane.h"
#include "raft/effects.h"
#include "storage/log_store.h"

namespace scheduled {

// Called on the log lane.
struct LogWriterEvents {
  std::function<void(raft::IoSeq)> persisted;  // this write and all before it
  std::function<void(absl::Status)> failed;    // nothing is written any more
};

class LogWriter {
 public:
  LogWriter(LogStore* store, Lane* log, LogWriterEvents events)
      : store_(*store), log_(*log), events_(std::move(events)) {}

  // Writes are made durable in the order of the calls. `seq` only grows; a write with 0 is not told
  // of on its own.
  void Write(raft::IoSeq seq, std::vector<LogWrite> writes);
  // Runs `work` on the log lane, once all writes before it are durable; never, once one has failed.
  void Run(absl::AnyInvocable<void() &&> work);
  // Drops the entries before `first_kept`, then calls `done` on the log lane.
  void CutBefore(GroupId group, LogIndex first_kept, absl::AnyInvocable<void() &&> done);

 private:
  void WriteAll();
  void Fail(const absl::Status& why);

  LogStore& store_;
  Lane& log_;
  const LogWriterEvents events_;

  std::mutex mutex_;  // guards the next three
  std::vector<LogWrite> waiting_;
  raft::IoSeq waiting_seq_;
  bool posted_ = false;

  std::vector<LogWrite> writing_;  // log lane only, as the next
  bool failed_ = false;
};

}  // namespace scheduled

#endif  // SCHEDULED_LIB_CONSENSUS_LOG_WRITER_H_
