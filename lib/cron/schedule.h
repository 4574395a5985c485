// When a cron expression is due. Text, zone and daylight-saving policy are read once; after that
// `Next` is a pure function of an instant: it reads no clock, takes no lock and allocates nothing.
//
// The text is five or six fields (the grammar and its decisions are in field_parser.h), or one of
//   @yearly @annually  0 0 1 1 *        @weekly          0 0 * * 0      @hourly  0 * * * *
//   @monthly           0 0 1 * *        @daily @midnight 0 0 * * *
//   @every 1h30m       each multiple of a duration since the epoch, at least 1 s. Neither the
//                      job's creation nor a restart shifts it, and a zone has no effect on it
// in any case of letters, after an optional "CRON_TZ=Europe/Madrid " (or "TZ=…"), which wins over
// the zone in the options.
//
// Daylight saving. An expression is *repeating* if its hour or minute field has "*" or a step, else
// it names *times of day*.
//
//   policy   expression     a local time that the clock skips     a local time that comes twice
//   vixie    times of day   runs at the first instant after the   runs at its first pass
//                           gap; several there are one run
//   vixie    repeating      does not exist, does not run          runs at both passes
//   skip     any            does not exist, does not run          runs at both passes
//
// So under `vixie` a daily job runs once each day whatever the clock does, and a job of every 15
// minutes runs every 15 minutes of elapsed time. A whole skipped day (Pacific/Apia, 30 December
// 2011) is a gap like any other.
//
// Source: semantics of crontab(5) as Vixie's cron has them; `skip` is what robfig/cron does.
#ifndef SCHEDULED_LIB_CRON_SCHEDULE_H_
#define SCHEDULED_LIB_CRON_SCHEDULE_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cron/calendar_rule.h"
#include "scheduled/job.h"

namespace scheduled::cron {

struct CronOptions {
  // IANA name, used unless the text begins with CRON_TZ= or TZ=.
  std::string time_zone = "UTC";

  Dst dst = Dst::kVixie;

  // An expression that is not due within kMaxWait of this instant is refused: in practice the time
  // of the request. Without it, only one that is never due is.
  std::optional<absl::Time> reference;
};

// 8 years, so that 29 February always passes, across 2100 as well.
inline constexpr absl::Duration kMaxWait = absl::Hours(24 * 2922);

// An immutable value of about 100 bytes without heap memory: copy it freely, call it from any
// thread.
class CronSchedule {
 public:
  // INVALID_ARGUMENT with a sentence that names the field, its text and the bound.
  static absl::StatusOr<CronSchedule> Parse(std::string_view text, const CronOptions& options);

  // The first due instant later than `after`, a whole second (a multiple of the duration for
  // @every). Strictly increasing when fed its own answer. Instants are 1970 to 9999: an earlier
  // `after` counts as just before 1970, and past the end there is nothing. Nothing also if none is
  // due for 40 years, longer than any pattern of days takes to come back.
  //
  // Takes well under a microsecond; at worst, for an expression that comes once in decades, tens.
  std::optional<absl::Time> Next(absl::Time after) const;

  // The zone that the fields are read in.
  absl::TimeZone time_zone() const { return zone_; }

 private:
  CronSchedule() = default;

  std::optional<absl::Time> NextMatch(absl::Time after) const;

  // When a matching local time runs, if it does so later than `after`: the table above.
  std::optional<absl::Time> RunOf(const absl::TimeZone::TimeInfo& local, absl::Time after) const;

  // The second pass of a repeated local time, if one matches there before `found`.
  std::optional<absl::Time> EarlierSecondPass(absl::Time after, absl::CivilSecond now,
                                              std::optional<absl::Time> found) const;

  absl::Duration every_ = absl::ZeroDuration();  // positive: @every, and the rest is unused
  bool once_per_local_time_ = false;             // the first line of the table above
  absl::TimeZone zone_;
  CalendarRule rule_;
};

}  // namespace scheduled::cron

#endif  // SCHEDULED_LIB_CRON_SCHEDULE_H_
