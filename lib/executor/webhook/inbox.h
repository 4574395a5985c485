// What other threads ask of the webhook executor's I/O thread: runs to deliver, runs to cancel, an
// end. Thread-safe. Shared, since a run's cancellation may be called after the executor is gone; it
// then reaches an inbox that nobody empties.
#ifndef SCHEDULED_LIB_EXECUTOR_WEBHOOK_INBOX_H_
#define SCHEDULED_LIB_EXECUTOR_WEBHOOK_INBOX_H_

#include <memory>
#include <mutex>
#include <vector>

#include "executor/webhook/hosts.h"
#include "scheduled/executor.h"

namespace scheduled::webhook {

class Inbox {
 public:
  struct Submission {
    std::shared_ptr<const RunContext> run;
    Done done;
  };
  struct Batch {
    std::vector<Submission> runs;
    std::vector<DeliveryId> cancels;
    bool stop = false;
  };

  Inbox();
  ~Inbox();
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // An eventfd that is written when something comes into an empty inbox. Valid as long as this.
  int wake() const { return wake_; }

  void Submit(Submission submission);
  // Nothing happens if the delivery has ended.
  void Cancel(DeliveryId id);
  // Nothing that is submitted later is delivered.
  void Stop();

  // Empties the inbox into `batch`, whose former content is dropped. I/O thread.
  void Take(Batch* batch);

 private:
  template <typename Change>
  void Put(Change change);

  const int wake_;
  std::mutex mutex_;
  bool signalled_ = false;  // wake_ was written since the last Take
  Batch batch_;
};

}  // namespace scheduled::webhook

#endif  // SCHEDULED_LIB_EXECUTOR_WEBHOOK_INBOX_H_
