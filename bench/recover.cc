// Restart with many pending jobs: a child process fills a data directory and is killed or stopped;
// this process opens it and measures the time until it is ready, and its memory.
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "absl/time/clock.h"
#include "benches.h"
#include "open.h"

namespace scheduled::bench {
namespace {

void FillInChild(const std::string& dir, const RecoverOptions& options) {
  const pid_t child = fork();
  if (child == 0) {
    std::unique_ptr<Scheduler> scheduler = OpenNode(dir);
    const absl::Time due = absl::Now() + absl::Hours(24);
    const std::string payload(200, 'x');
    Fill(
        *scheduler, options.jobs,
        [&](uint64_t n) { return Job::At(due + absl::Milliseconds(n)).Payload(payload); }, "fill");
    if (options.killed) kill(getpid(), SIGKILL);  // at full create rate: nothing is tidied up
    scheduler.reset();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const bool ended =
      options.killed ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!ended) std::exit(1);
}

}  // namespace

Report Recover(const Common& common, const RecoverOptions& options) {
  const ScratchFolder scratch(common.dir);
  const std::string dir = scratch.path() + "/node";
  FillInChild(dir, options);
  const double before = ResidentMiB();
  const absl::Time begun = absl::Now();
  const std::unique_ptr<Scheduler> scheduler = OpenNode(dir);
  while (!scheduler->cluster().caught_up) std::this_thread::yield();
  const absl::Duration ready = absl::Now() - begun;
  const uint64_t pending = scheduler->counts().pending;
  if (pending != options.jobs) {
    fmt::print(stderr, "bench: {} jobs are pending, {} were acknowledged\n", pending, options.jobs);
    std::exit(1);
  }
  Report report(fmt::format("recover: {} pending jobs of 200 bytes, {}", options.jobs,
                            options.killed ? "killed at full create rate" : "stopped cleanly"));
  report.Add("open to ready", absl::ToDoubleMilliseconds(ready), "ms");
  report.Add("resident memory then", ResidentMiB(), "MiB");
  report.Add("of which before the open", before, "MiB");
  return report;
}

}  // namespace scheduled::bench
