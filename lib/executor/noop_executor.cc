// The executor that does nothing. A run that was cancelled on its way here is told apart, so that
// its record says what happened.
#include "executor/noop_executor.h"

namespace scheduled {

void NoopExecutor::Run(std::shared_ptr<const RunContext> run, Done done) {
  if (!run->cancelled()) return done(absl::OkStatus());
  RunResult result(absl::CancelledError("cancelled before it started"));
  result.uncounted = true;
  done(std::move(result));
}

}  // namespace scheduled
