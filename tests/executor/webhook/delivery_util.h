// Verbs for tests of the webhook executor: make one, aim a run, deliver it.
#ifndef SCHEDULED_TESTS_EXECUTOR_WEBHOOK_DELIVERY_UTIL_H_
#define SCHEDULED_TESTS_EXECUTOR_WEBHOOK_DELIVERY_UTIL_H_

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>

#include "executor/fake_run.h"
#include "executor/webhook/receiver.h"
#include "scheduled/webhook.h"

namespace scheduled {

inline std::unique_ptr<Executor> MakeExecutor(WebhookOptions options = {}) {
  absl::StatusOr<std::unique_ptr<Executor>> executor = WebhookExecutor(std::move(options));
  INFO(executor.status());
  REQUIRE(executor.ok());
  return *std::move(executor);
}

inline FakeRun To(const std::string& url, std::string payload = R"({"n":1})") {
  Job job;
  job.payload = std::move(payload);
  job.webhook.url = url;
  return FakeRun(std::move(job));
}

// The result of one run.
inline RunResult Deliver(Executor& executor, const FakeRun& run) {
  Answers answers;
  executor.Run(run.context, answers.For("run"));
  return answers.Of("run");
}

// A port of loopback on which nobody listens.
inline std::string DeadUrl() {
  Receiver receiver;
  receiver.Shut();
  return receiver.Url();
}

}  // namespace scheduled

#endif  // SCHEDULED_TESTS_EXECUTOR_WEBHOOK_DELIVERY_UTIL_H_
