// "version takes-us failures snoozes snooze-us deaths end", in decimal.
#include "sim/job_plan.h"

#include <fmt/format.h>

#include <array>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace scheduled::sim {

std::string JobPlan::ToPayload() const {
  return fmt::format("{} {} {} {} {} {} {}", version, absl::ToInt64Microseconds(takes), failures,
                     snoozes, absl::ToInt64Microseconds(snooze), deaths, static_cast<int>(end));
}

std::optional<JobPlan> JobPlan::FromPayload(std::string_view payload) {
  const std::vector<std::string> words =
      absl::StrSplit(absl::string_view(payload.data(), payload.size()), ' ');
  std::array<int64_t, 7> numbers;
  if (words.size() != numbers.size()) return std::nullopt;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (!absl::SimpleAtoi(words[i], &numbers[i])) return std::nullopt;
  }
  JobPlan plan;
  plan.version = static_cast<int>(numbers[0]);
  plan.takes = absl::Microseconds(numbers[1]);
  plan.failures = static_cast<int>(numbers[2]);
  plan.snoozes = static_cast<int>(numbers[3]);
  plan.snooze = absl::Microseconds(numbers[4]);
  plan.deaths = static_cast<int>(numbers[5]);
  plan.end = static_cast<JobEnd>(numbers[6]);
  return plan;
}

}  // namespace scheduled::sim
