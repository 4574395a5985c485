// A host program as a stranger writes it: embeds a scheduler and sees one job run.
#include <scheduled/scheduler.h>

#include <condition_variable>
#include <cstdio>
#include <mutex>

#ifdef WITH_webhook
#include <scheduled/webhook.h>
#endif
#ifdef WITH_grpc
#include <scheduled/grpc_transport.h>
#endif

int main(int, char** argv) {
  std::mutex mutex;
  std::condition_variable ran;
  bool done = false;
  auto scheduler = scheduled::Scheduler::Open({.data_dir = argv[1]});
  if (!scheduler.ok()) return std::puts(scheduler.status().ToString().c_str()), 1;
#ifdef WITH_webhook
  absl::Status webhooks = (*scheduler)->Register("webhook", scheduled::WebhookExecutor());
  if (!webhooks.ok()) return std::puts(webhooks.ToString().c_str()), 1;
#endif
#ifdef WITH_grpc
  if (scheduled::GrpcTransport({.listen_address = "127.0.0.1:0"}) == nullptr) return 1;
#endif
  auto registered =
      (*scheduler)
          ->Register("hello", scheduled::CallbackExecutor([&](const scheduled::RunContext&) {
                       std::lock_guard lock(mutex);
                       done = true;
                       ran.notify_one();
                       return absl::OkStatus();
                     }));
  auto job = (*scheduler)->Schedule(scheduled::Job::In(absl::Milliseconds(1)).Executor("hello"));
  if (!registered.ok() || !job.ok()) return std::puts("refused"), 1;
  std::unique_lock lock(mutex);
  return ran.wait_for(lock, std::chrono::seconds(20), [&] { return done; }) ? 0 : 1;
}
