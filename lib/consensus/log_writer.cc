// See log_writer.h. One write is under way at a time; all that waits goes into the next.
#include "consensus/log_writer.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace scheduled {

void LogWriter::Write(raft::IoSeq seq, std::vector<LogWrite> writes) {
  {
    std::lock_guard lock(mutex_);
    std::move(writes.begin(), writes.end(), std::back_inserter(waiting_));
    waiting_seq_ = std::max(waiting_seq_, seq);
    if (posted_) return;
    posted_ = true;
  }
  log_.Post([this] { WriteAll(); });
}

void LogWriter::WriteAll() {
  raft::IoSeq seq;
  writing_.clear();
  {
    std::lock_guard lock(mutex_);
    std::swap(writing_, waiting_);
    seq = waiting_seq_;
    posted_ = false;
  }
  if (failed_) return;
  if (absl::Status written = store_.Write(writing_); !written.ok()) {
    Fail(written);
    return;
  }
  if (seq != raft::IoSeq()) events_.persisted(seq);
}

void LogWriter::Run(absl::AnyInvocable<void() &&> work) {
  log_.Post([this, work = std::move(work)]() mutable {
    if (!failed_) std::move(work)();
  });
}

void LogWriter::CutBefore(GroupId group, LogIndex first_kept, absl::AnyInvocable<void() &&> done) {
  Run([this, group, first_kept, done = std::move(done)]() mutable {
    if (absl::Status cut = store_.CutBefore(group, first_kept); !cut.ok()) {
      Fail(cut);
      return;
    }
    std::move(done)();
  });
}

// What the disk holds is not known any more: no later write may be reported as durable.
void LogWriter::Fail(const absl::Status& why) {
  failed_ = true;
  events_.failed(why);
}

}  // namespace scheduled
