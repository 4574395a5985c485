// A scheduler inside a program, in thirty lines: open one, say what "email" means, schedule one.
// Usage: embed [data directory]
#include <scheduled/scheduler.h>

#include <cstdio>
#include <future>

using scheduled::Job;
using scheduled::Scheduler;

int main(int argc, char** argv) {
  auto scheduler = Scheduler::Open({.data_dir = argc > 1 ? argv[1] : "./embed-data"});
  if (!scheduler.ok()) {
    std::fprintf(stderr, "%s\n", scheduler.status().ToString().c_str());
    return 1;
  }

  std::promise<void> sent;
  auto known =
      (*scheduler)
          ->Register(
              "email", scheduled::CallbackExecutor([&sent](const scheduled::RunContext& run) {
                std::printf("sending %s\n", std::string(run.payload()).c_str());
                sent.set_value();
                return absl::OkStatus();  // an error here would be retried by the job's policy
              }));

  auto job =
      (*scheduler)
          ->Schedule(Job::In(absl::Milliseconds(200)).Executor("email").Payload("welcome, Ada"));
  if (!known.ok() || !job.ok()) return 1;
  std::printf("%s is on disk and due in 200 ms\n", job->job.id.value.c_str());
  sent.get_future().wait();  // a crash before this point would lose nothing: run it again
}
