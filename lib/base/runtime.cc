// Chooses the runtime that belongs to a clock.
#include "base/runtime.h"

#include <utility>

#include "base/thread_runtime.h"
#include "base/virtual_runtime.h"

namespace scheduled {

std::unique_ptr<Runtime> MakeRuntime(std::shared_ptr<const Clock> clock) {
  const auto* manual = dynamic_cast<const ManualClock*>(clock.get());
  if (manual == nullptr) return std::make_unique<ThreadRuntime>(std::move(clock));
  std::unique_ptr<VirtualRuntime> runtime = manual->loop().NewRuntime("manual");
  runtime->KeepAlive(std::move(clock));
  return runtime;
}

}  // namespace scheduled
