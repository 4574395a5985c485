// Reading a cron expression, and the way from matching local times to instants.
//
// The search runs over local time, where the fields live, and asks the zone what each match means:
// one instant, two of them, or none. It goes forward only, since local time maps to its first
// instant in order. The one thing that this misses is a second pass that begins between `after` and
// the match; it can do so only if `after` is itself in the first pass.
#include "cron/schedule.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/time/civil_time.h"
#include "base/assert.h"
#include "cron/duration_text.h"
#include "cron/field_parser.h"
#include "cron/interval.h"
#include "cron/quoted.h"
#include "cron/time_text.h"
#include "cron/time_zone.h"
#include "fmt/format.h"

namespace scheduled::cron {
namespace {

using TimeInfo = absl::TimeZone::TimeInfo;

constexpr int kHorizonYears = 40;
constexpr absl::Duration kMinEvery = absl::Seconds(1);

constexpr std::pair<std::string_view, std::string_view> kMacros[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(absl::string_view(a.data(), a.size()),
                                absl::string_view(b.data(), b.size()));
}

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// Takes the first word off `text`, and the blanks around it.
std::string_view TakeWord(std::string_view* text) {
  *text = Trim(*text);
  const std::string_view word = text->substr(0, text->find_first_of(" \t"));
  text->remove_prefix(word.size());
  *text = Trim(*text);
  return word;
}

// The zone that CRON_TZ= or TZ= names, taken off `text`; else the fallback.
absl::StatusOr<absl::TimeZone> TakeZone(std::string_view* text, std::string_view fallback) {
  for (const std::string_view prefix : {"CRON_TZ=", "TZ="}) {
    if (text->substr(0, prefix.size()) != prefix) continue;
    return LoadZone(TakeWord(text).substr(prefix.size()));
  }
  return LoadZone(fallback);
}

// What follows "@every ".
absl::StatusOr<absl::Duration> ParseEvery(std::string_view text) {
  absl::StatusOr<absl::Duration> every = ParseGoDuration(text);
  if (!every.ok()) return every.status();
  if (*every < kMinEvery) {
    return absl::InvalidArgumentError(
        fmt::format("@every {} is shorter than the 1s that is the least", Quoted(text)));
  }
  return every;
}

absl::StatusOr<std::string_view> ExpandMacro(std::string_view text) {
  for (const auto& [name, fields] : kMacros) {
    if (EqualsIgnoreCase(text, name)) return fields;
  }
  return absl::InvalidArgumentError(
      fmt::format("{} is unknown; there are @yearly @annually @monthly @weekly @daily @midnight "
                  "@hourly and @every with a duration",
                  Quoted(text)));
}

}  // namespace

absl::StatusOr<CronSchedule> CronSchedule::Parse(std::string_view text,
                                                 const CronOptions& options) {
  const auto fail = [text](std::string_view why) {
    return absl::InvalidArgumentError(fmt::format("cron expression {}: {}", Quoted(text), why));
  };
  const auto because = [&fail](const absl::Status& status) {
    return fail(std::string_view(status.message().data(), status.message().size()));
  };
  CronSchedule schedule;
  std::string_view rest = Trim(text);
  absl::StatusOr<absl::TimeZone> zone = TakeZone(&rest, options.time_zone);
  if (!zone.ok()) return because(zone.status());
  schedule.zone_ = *zone;
  if (rest.empty()) return fail("is empty");

  std::string_view after_word = rest;
  if (EqualsIgnoreCase(TakeWord(&after_word), "@every")) {
    absl::StatusOr<absl::Duration> every = ParseEvery(after_word);
    if (!every.ok()) return because(every.status());
    schedule.every_ = *every;
  } else {
    if (rest.front() == '@') {
      absl::StatusOr<std::string_view> fields = ExpandMacro(rest);
      if (!fields.ok()) return because(fields.status());
      rest = *fields;
    }
    absl::StatusOr<ParsedFields> parsed = ParseFields(rest);
    if (!parsed.ok()) return because(parsed.status());
    schedule.rule_ = parsed->rule;
    schedule.once_per_local_time_ = options.dst == Dst::kVixie && !parsed->is_repeating;
  }

  const absl::Time reference = options.reference.value_or(absl::InfinitePast());
  const std::optional<absl::Time> first = schedule.Next(reference);
  if (options.reference.has_value() && (!first.has_value() || *first > reference + kMaxWait)) {
    return fail(fmt::format("is not due in the 8 years after {}", FormatRfc3339(reference)));
  }
  if (!first.has_value()) return fail("is never due");
  return schedule;
}

std::optional<absl::Time> CronSchedule::Next(absl::Time after) const {
  after = std::max(after, kMinTime - absl::Microseconds(1));
  if (after >= kMaxTime) return std::nullopt;
  const std::optional<absl::Time> next = every_ > absl::ZeroDuration()
                                             ? NextMultiple(absl::UnixEpoch(), every_, after)
                                             : NextMatch(after);
  if (!next.has_value() || *next > kMaxTime) return std::nullopt;
  SCHEDULED_ASSERT(*next > after, "the next occurrence is later than the instant asked from");
  return next;
}

std::optional<absl::Time> CronSchedule::NextMatch(absl::Time after) const {
  const absl::CivilSecond now = zone_.At(after).cs;
  const absl::CivilSecond horizon(now.year() + kHorizonYears + 1);
  std::optional<absl::Time> found;
  std::optional<absl::CivilSecond> match = rule_.FirstMatch(now + 1, horizon);
  while (match.has_value()) {
    const TimeInfo info = zone_.At(*match);
    found = RunOf(info, after);
    if (found.has_value()) break;
    // Nothing more can run on this side of the change of the clock.
    const absl::CivilSecond before_change = zone_.At(info.trans - absl::Seconds(1)).cs;
    match = rule_.FirstMatch(std::max(before_change + 1, zone_.At(info.trans).cs), horizon);
  }
  return once_per_local_time_ ? found : EarlierSecondPass(after, now, found);
}

std::optional<absl::Time> CronSchedule::RunOf(const TimeInfo& local, absl::Time after) const {
  switch (local.kind) {
    case TimeInfo::UNIQUE:
      return local.pre;
    case TimeInfo::SKIPPED:
      return once_per_local_time_ ? std::optional(local.trans) : std::nullopt;
    case TimeInfo::REPEATED:
      if (local.pre > after) return local.pre;
      return once_per_local_time_ ? std::nullopt : std::optional(local.post);
  }
  return std::nullopt;
}

std::optional<absl::Time> CronSchedule::EarlierSecondPass(absl::Time after, absl::CivilSecond now,
                                                          std::optional<absl::Time> found) const {
  const TimeInfo info = zone_.At(now);
  if (info.kind != TimeInfo::REPEATED || after >= info.trans) return found;
  if (found.has_value() && *found < info.trans) return found;
  const absl::CivilSecond last = zone_.At(info.trans - absl::Seconds(1)).cs;
  const std::optional<absl::CivilSecond> match = rule_.FirstMatch(zone_.At(info.trans).cs, last);
  return match.has_value() ? zone_.At(*match).post : found;
}

}  // namespace scheduled::cron
