// When a job is due: first, next, and after a time when nobody could run it. Only the leader
// computes this, once for each occurrence, and what it computed rides in commands. Pure functions
// of a definition and of instants; no clock, no tables. Any thread.
#ifndef SCHEDULED_LIB_JOBS_SCHEDULE_H_
#define SCHEDULED_LIB_JOBS_SCHEDULE_H_

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cron/schedule.h"
#include "proto/rows.pb.h"

namespace scheduled::jobs {

// Missed occurrences are counted no further than this: the number then means "at least".
inline constexpr int kMaxCountedMissed = 1000;

// The schedule of one definition, ready to answer. An immutable value of some 200 bytes.
class JobSchedule {
 public:
  // kInvalidArgument: the definition's schedule does not parse; in a stored definition, that the
  // time zone has gone from this machine's database.
  static absl::StatusOr<JobSchedule> Compile(const pb::Definition& definition);

  // The first occurrence of a job that is created at `now`. Once: its timestamp, or now + delay;
  // recurring: its timestamp, else the first occurrence after `now` (an interval counts from now).
  // May be past: then it is due at once. kInvalidArgument: a cron expression has no occurrence in
  // the 8 years after `now`, or a recurring job has none up to last_date.
  absl::StatusOr<absl::Time> FirstDue(absl::Time now) const;

  // The first occurrence after `after`, which is not before `nominal`; nothing if it would be past
  // last_date, or for a one-time job. `nominal` is any occurrence: an interval without a timestamp
  // counts from it.
  std::optional<absl::Time> Next(absl::Time nominal, absl::Time after) const;

  // What a claim at `now` decides for a run that was due at `due`. With misfire fire_once the run
  // stands for all occurrences up to now.
  struct Occurrence {
    absl::Time due;                  // nominal: the last occurrence that is not after now, or `due`
    int missed = 0;                  // occurrences before it, from the run's own on
    std::optional<absl::Time> next;  // the first after both `due` and now
  };
  // Work is bounded by kMaxCountedMissed, however long ago `due` is.
  Occurrence Decide(absl::Time due, absl::Time now) const;

 private:
  JobSchedule() = default;

  std::optional<absl::Time> Unbounded(absl::Time nominal, absl::Time after) const;
  absl::Time LastUpTo(absl::Time due, absl::Time now) const;
  int CountFrom(absl::Time due, absl::Time last) const;

  bool recurring_ = false;
  std::optional<absl::Time> timestamp_;
  absl::Duration delay_ = absl::ZeroDuration();
  std::optional<cron::CronSchedule> cron_;          // recurring: this or interval_
  absl::Duration interval_ = absl::ZeroDuration();  // positive if it is used
  absl::Time last_ = absl::InfiniteFuture();
};

// True if a replace from one to the other leaves the occurrences as they were, so that cursor and
// pending runs stay: the same type, timestamp, delay, cron expression and zone, interval, last date
// and clock-change policy.
bool IsSameSchedule(const pb::Definition& a, const pb::Definition& b);

// Compiled cron expressions by their text, the least recently used one dropped. Owned by whoever
// dispatches; one thread at a time.
class ScheduleCache {
 public:
  explicit ScheduleCache(size_t capacity = 1024) : capacity_(capacity) {}
  // As JobSchedule::Compile.
  absl::StatusOr<JobSchedule> Get(const pb::Definition& definition);
  size_t size() const { return by_key_.size(); }

 private:
  struct Entry {
    std::string key;
    JobSchedule schedule;
  };
  const size_t capacity_;
  std::list<Entry> recent_;  // most recently used first
  absl::flat_hash_map<std::string_view, std::list<Entry>::iterator> by_key_;  // keys in recent_
};

}  // namespace scheduled::jobs

#endif  // SCHEDULED_LIB_JOBS_SCHEDULE_H_
