// What a simulated job is to do when it runs, as the text of its payload, so that the executor
// knows it from what was delivered and from nothing else. The version tells the payload of one
// replace from that of another.
#ifndef SCHEDULED_TESTS_SIM_JOB_PLAN_H_
#define SCHEDULED_TESTS_SIM_JOB_PLAN_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace scheduled::sim {

enum class JobEnd : uint8_t {
  kOk = 0,        // after `failures` failed attempts
  kRefuse = 1,    // an error that is not retried
  kOverstay = 2,  // runs until it is told to stop, or for ever
};

struct JobPlan {
  int version = 1;
  absl::Duration takes = absl::ZeroDuration();
  int failures = 0;  // so many attempts fail first
  int snoozes = 0;   // the first attempt says "not now" so often, which uses up nothing, ...
  absl::Duration snooze = absl::Milliseconds(50);  // ... and "then"
  int deaths = 0;  // so many of its deliveries take their node with them
  JobEnd end = JobEnd::kOk;

  std::string ToPayload() const;
  static std::optional<JobPlan> FromPayload(std::string_view payload);
};

}  // namespace scheduled::sim

#endif  // SCHEDULED_TESTS_SIM_JOB_PLAN_H_
