// A scheduler inside a program: open one, say what "email" means, schedule one. The README shows
// this very program. Usage: embed [data directory]
#include <scheduled/scheduler.h>

#include <cstdio>
#include <semaphore>

using scheduled::CallbackExecutor, scheduled::Job, scheduled::RunContext, scheduled::Scheduler;

int Failed(const absl::Status& status) { return std::puts(status.ToString().c_str()), 1; }

int main(int argc, char** argv) {
  std::counting_semaphore sent(0);  // what callbacks use outlives the scheduler
  auto opened = Scheduler::Open({.data_dir = argc > 1 ? argv[1] : "./embed-data"});
  if (!opened.ok()) return Failed(opened.status());
  Scheduler& scheduler = **opened;

  auto send = [&sent](const RunContext& run) {
    std::printf("sending %s\n", std::string(run.payload()).c_str());
    sent.release();
    return absl::OkStatus();  // an error here would be retried by the job's policy
  };
  absl::Status known = scheduler.Register("email", CallbackExecutor(send));
  if (!known.ok()) return Failed(known);

  auto job = scheduler.Schedule(Job::In(absl::Seconds(1)).Executor("email").Payload("hello, Ada"));
  if (!job.ok()) return Failed(job.status());
  std::printf("%s is on disk and due in a second\n", job->job.id.value.c_str());
  sent.acquire();  // a crash before this point loses nothing: run it again, and both are sent
}
