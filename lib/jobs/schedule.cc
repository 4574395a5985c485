// See schedule.h.
#include "jobs/schedule.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/assert.h"
#include "base/codec.h"
#include "cron/interval.h"
#include "cron/time_text.h"
#include "scheduled/job.h"

namespace scheduled::jobs {

absl::StatusOr<JobSchedule> JobSchedule::Compile(const pb::Definition& definition) {
  JobSchedule schedule;
  schedule.recurring_ = definition.type() == static_cast<int>(JobType::kRecurring);
  if (definition.has_timestamp_us()) {
    schedule.timestamp_ = absl::FromUnixMicros(definition.timestamp_us());
  }
  schedule.delay_ = absl::Microseconds(definition.delay_us());
  if (!schedule.recurring_) return schedule;
  if (definition.has_last_date_us()) {
    schedule.last_ = absl::FromUnixMicros(definition.last_date_us());
  }
  if (definition.interval_us() > 0) {
    schedule.interval_ = absl::Microseconds(definition.interval_us());
    return schedule;
  }
  absl::StatusOr<cron::CronSchedule> cron = cron::CronSchedule::Parse(
      definition.cron_expression(),
      {.time_zone = definition.timezone(), .dst = static_cast<Dst>(definition.dst())});
  if (!cron.ok()) return cron.status();
  schedule.cron_ = *std::move(cron);
  return schedule;
}

absl::StatusOr<absl::Time> JobSchedule::FirstDue(absl::Time now) const {
  if (!recurring_) return timestamp_.has_value() ? *timestamp_ : now + delay_;
  const std::optional<absl::Time> first = Unbounded(/*nominal=*/now, /*after=*/now);
  if (cron_.has_value() && (!first.has_value() || *first > now + cron::kMaxWait)) {
    return absl::InvalidArgumentError("cron_expression has no occurrence within the next 8 years");
  }
  if (timestamp_.has_value()) return *timestamp_;
  if (!first.has_value()) {
    return absl::InvalidArgumentError("interval leads past the year 9999");
  }
  if (*first > last_) {
    return absl::InvalidArgumentError(absl::StrCat("last_date is ", cron::FormatRfc3339(last_),
                                                   "; the first occurrence, ",
                                                   cron::FormatRfc3339(*first), ", is after it"));
  }
  return *first;
}

std::optional<absl::Time> JobSchedule::Unbounded(absl::Time nominal, absl::Time after) const {
  if (cron_.has_value()) return cron_->Next(after);
  return cron::NextFromStart(timestamp_.value_or(nominal), interval_, after);
}

std::optional<absl::Time> JobSchedule::Next(absl::Time nominal, absl::Time after) const {
  if (!recurring_) return std::nullopt;
  const std::optional<absl::Time> next = Unbounded(nominal, std::max(nominal, after));
  return next.has_value() && *next <= last_ ? next : std::nullopt;
}

JobSchedule::Occurrence JobSchedule::Decide(absl::Time due, absl::Time now) const {
  Occurrence occurrence{.due = due, .missed = 0, .next = Next(due, due)};
  if (!occurrence.next.has_value() || *occurrence.next > now) return occurrence;
  occurrence.due = LastUpTo(due, now);
  occurrence.missed = CountFrom(due, occurrence.due);
  occurrence.next = Next(occurrence.due, now);
  return occurrence;
}

// The last occurrence at or before `now`, given that there is one after `due`. Bisection over
// instants: that an occurrence lies in (t, now] is true up to just before the last one, and false
// from there on.
absl::Time JobSchedule::LastUpTo(absl::Time due, absl::Time now) const {
  int64_t found = absl::ToUnixMicros(due);
  int64_t beyond = absl::ToUnixMicros(now);
  absl::Time last = due;
  while (beyond - found > 1) {
    const int64_t middle = found + (beyond - found) / 2;
    const std::optional<absl::Time> next = Next(due, absl::FromUnixMicros(middle));
    if (next.has_value() && *next <= now) {
      last = *next;
      // Everything before it is true as well.
      found = std::max(middle, absl::ToUnixMicros(last) - 1);
    } else {
      beyond = middle;
    }
  }
  const std::optional<absl::Time> next = Next(due, absl::FromUnixMicros(found));
  return next.has_value() && *next <= now ? *next : last;
}

// Occurrences in [due, last).
int JobSchedule::CountFrom(absl::Time due, absl::Time last) const {
  int count = 0;
  for (absl::Time at = due; at < last && count < kMaxCountedMissed; ++count) {
    const std::optional<absl::Time> next = Next(due, at);
    SCHEDULED_ASSERT(next.has_value(), "the last occurrence is reached from the first");
    at = *next;
  }
  return count;
}

bool IsSameSchedule(const pb::Definition& a, const pb::Definition& b) {
  return a.type() == b.type() && a.has_timestamp_us() == b.has_timestamp_us() &&
         a.timestamp_us() == b.timestamp_us() && a.has_delay_us() == b.has_delay_us() &&
         a.delay_us() == b.delay_us() && a.cron_expression() == b.cron_expression() &&
         a.timezone() == b.timezone() && a.interval_us() == b.interval_us() &&
         a.has_last_date_us() == b.has_last_date_us() && a.last_date_us() == b.last_date_us() &&
         a.dst() == b.dst();
}

absl::StatusOr<JobSchedule> ScheduleCache::Get(const pb::Definition& definition) {
  const bool is_cron =
      definition.type() == static_cast<int>(JobType::kRecurring) && definition.interval_us() == 0;
  // Only reading an expression costs anything.
  if (!is_cron || capacity_ == 0) return JobSchedule::Compile(definition);
  std::string key = KeyWriter()
                        .I64(definition.dst())
                        .U8(definition.has_timestamp_us() ? 1 : 0)
                        .I64(definition.timestamp_us())
                        .U8(definition.has_last_date_us() ? 1 : 0)
                        .I64(definition.last_date_us())
                        .U32(static_cast<uint32_t>(definition.timezone().size()))
                        .Raw(definition.timezone())
                        .Raw(definition.cron_expression())
                        .Take();
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second);
    return found->second->schedule;
  }
  absl::StatusOr<JobSchedule> schedule = JobSchedule::Compile(definition);
  if (!schedule.ok()) return schedule.status();
  if (recent_.size() >= capacity_) {
    by_key_.erase(recent_.back().key);
    recent_.pop_back();
  }
  recent_.push_front({.key = std::move(key), .schedule = *schedule});
  by_key_.emplace(recent_.front().key, recent_.begin());
  return schedule;
}

}  // namespace scheduled::jobs
