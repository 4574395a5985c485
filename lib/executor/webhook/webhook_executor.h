// Delivers runs as HTTP requests: takes them in, gives each its turn at its host (hosts.h), sends
// it (curl_engine.h), and answers with what came back (response.h).
//
// One I/O thread does all of it and calls every Done. Run hands over and returns; Run, capacity and
// Drain may be called from any thread. The destructor cuts off what is under way: such runs, and
// those that wait, are answered "not now", since a stop of the node uses up no attempt.
#ifndef SCHEDULED_LIB_EXECUTOR_WEBHOOK_WEBHOOK_EXECUTOR_H_
#define SCHEDULED_LIB_EXECUTOR_WEBHOOK_WEBHOOK_EXECUTOR_H_

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "base/system_clock.h"
#include "executor/webhook/curl_engine.h"
#include "executor/webhook/hosts.h"
#include "executor/webhook/inbox.h"
#include "executor/webhook/signature.h"
#include "scheduled/webhook.h"

namespace scheduled::webhook {

class WebhookDelivery final : public Executor {
 public:
  // Preconditions: `options` are valid, and `guard` is made of them.
  WebhookDelivery(const WebhookOptions& options, AddressGuard guard);
  ~WebhookDelivery() override;

  void Run(std::shared_ptr<const RunContext> run, Done done) override;
  int capacity() const override { return capacity_; }
  void Drain(absl::Duration patience) override;

 private:
  struct Delivery {
    std::shared_ptr<const RunContext> run;
    Done done;
    bool sent = false;  // its transfer is under way; else it waits for its turn
    // If sent. A wall clock that is set meanwhile does not move it; extensions come on top.
    MonoTime deadline;
    MonoTime next_look;  // its place in deadlines_
  };

  // The I/O thread.
  void Loop();
  void Admit(Inbox::Submission submission);
  void Cancel(DeliveryId id);
  void CarryOut();
  void Send(DeliveryId id);
  static MonoTime DeadlineOf(const Delivery& delivery);
  MonoTime NextDeadline() const;
  void EndOverdue();
  void CutOff(DeliveryId id, Verdict verdict, RunResult result);
  void End(CurlEngine::Ended ended);
  void AnswerAll(std::vector<Inbox::Submission> submissions);
  void Answer(DeliveryId id, RunResult result);
  void AnswerTaken(Done done, RunResult result);

  const int capacity_;
  const SystemClock clock_;
  const std::shared_ptr<Inbox> inbox_;

  // Used by the I/O thread alone.
  Signer signer_;
  CurlEngine engine_;
  Hosts hosts_;
  Hosts::Work work_;  // asked for by hosts_, not yet done; empty between two events
  // By arrival, which is the order in which what is left is answered in the end.
  absl::btree_map<DeliveryId, Delivery> deliveries_;
  // When to look whether the time of what is under way is up: it may have been extended since.
  absl::btree_set<std::pair<MonoTime, DeliveryId>> deadlines_;
  DeliveryId last_id_;

  // Runs that take room. Falls before a run is answered, since the answer may bring the next.
  std::atomic<int> taken_ = 0;
  std::mutex mutex_;
  std::condition_variable quiet_;  // unanswered_ fell to 0
  int unanswered_ = 0;             // under mutex_: taken_ and those whose Done is being called

  std::thread thread_;
};

}  // namespace scheduled::webhook

#endif  // SCHEDULED_LIB_EXECUTOR_WEBHOOK_WEBHOOK_EXECUTOR_H_
