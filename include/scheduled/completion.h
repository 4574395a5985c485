// How an asynchronous call tells its outcome.
#ifndef SCHEDULED_COMPLETION_H_
#define SCHEDULED_COMPLETION_H_

#include "absl/functional/any_invocable.h"

namespace scheduled {

// Called once with the outcome, on the completions lane: never under a lock; must not block.
template <typename T>
using Completion = absl::AnyInvocable<void(T) &&>;

}  // namespace scheduled

#endif  // SCHEDULED_COMPLETION_H_
